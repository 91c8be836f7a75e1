//! Tables that a person reads.

use crate::paint::{Paint, Tint};

/// Widest cell.
const WIDEST: usize = 56;

/// Rows under a head; each column has its title, and what its cells are.
#[must_use]
pub fn table(paint: Paint, columns: &[(&str, Tint)], rows: &[Vec<String>]) -> String {
    let cut = |cell: &str| match cell.char_indices().nth(WIDEST) {
        Some((at, _)) => format!("{}…", &cell[..at]),
        None => cell.to_owned(),
    };
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|cell| cut(cell)).collect()).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).chain([columns[column].0.len()]).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    // What fills a column has no colour, and nothing follows the last cell.
    let line = |cells: &[&str], tint: &dyn Fn(usize) -> Tint| {
        let (mut line, mut gap) = (String::new(), 2);
        for (at, cell) in cells.iter().enumerate() {
            if !cell.is_empty() {
                line.push_str(&" ".repeat(gap));
                line.push_str(&paint.tint(tint(at), cell));
                gap = 0;
            }
            gap += widths[at] - cell.chars().count() + 2;
        }
        line + "\n"
    };
    let titles: Vec<&str> = columns.iter().map(|(title, _)| *title).collect();
    let dashes: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
    let mut out = line(&titles, &|_| Tint::Faint);
    out.push_str(&line(&dashes.iter().map(String::as_str).collect::<Vec<_>>(), &|_| Tint::Faint));
    rows.iter().for_each(|row| out.push_str(&line(&row.iter().map(String::as_str).collect::<Vec<_>>(), &|at| columns[at].1)));
    out
}

/// Equal rows as one, with how often they came, in the order of their first.
#[must_use]
pub fn counted(rows: Vec<Vec<String>>) -> Vec<Vec<String>> {
    let mut counted: Vec<(Vec<String>, usize)> = Vec::new();
    for row in rows {
        match counted.iter_mut().find(|(known, _)| *known == row) {
            Some((_, times)) => *times += 1,
            None => counted.push((row, 1)),
        }
    }
    counted
        .into_iter()
        .map(|(mut row, times)| {
            row.push(times.to_string());
            row
        })
        .collect()
}
