//! Rows of cells below each other, within the width of the terminal. The last cell of a row is text that may wrap.

use super::Failure;
use super::output::Answer;
use std::io::IsTerminal;

/// Between two columns.
const GAP: usize = 2;
/// Least characters of a line that the last column is to have; with less, it stands below the others.
const LEAST: usize = 24;
/// How far it stands in from the left there.
const BELOW: usize = 4;

/// Rows of as many cells each.
#[derive(Default)]
pub(super) struct Table<const N: usize>(Vec<[String; N]>);

impl<const N: usize> Table<N> {
    pub(super) fn row(&mut self, cells: [String; N]) {
        self.0.push(cells);
    }

    /// Writes the rows, wrapped where stdout is a terminal.
    pub(super) fn print(&self, out: &mut Answer) -> Result<(), Failure> {
        out.text(self.rendered(width()).as_bytes())
    }

    /// The rows as lines of at most so many characters, if that is known. A word that is longer stays whole: people copy it.
    pub(super) fn rendered(&self, width: Option<usize>) -> String {
        let columns: Vec<usize> = (0..N.saturating_sub(1)).map(|column| self.widest(column)).collect();
        let indent: usize = columns.iter().map(|width| width + GAP).sum();
        let fits = width.is_none_or(|width| indent + LEAST.min(self.widest(N - 1)) <= width);
        let mut text = String::new();
        for cells in &self.0 {
            let mut line = String::new();
            for (cell, width) in cells.iter().zip(&columns) {
                line.push_str(&format!("{cell:width$}{:GAP$}", ""));
            }
            let last = &cells[N - 1];
            let (first, indent) = if fits { (line, indent) } else { (format!("{}\n{:BELOW$}", line.trim_end(), ""), BELOW) };
            text.push_str(&first);
            text.push_str(&wrapped(last, indent, width));
            text.truncate(text.trim_end().len());
            text.push('\n');
        }
        text
    }

    fn widest(&self, column: usize) -> usize {
        self.0.iter().map(|cells| cells[column].chars().count()).max().unwrap_or(0)
    }
}

/// A text whose first line begins so far in, and whose other lines stand below that.
fn wrapped(text: &str, indent: usize, width: Option<usize>) -> String {
    let Some(width) = width else { return text.to_owned() };
    let (mut out, mut at) = (String::new(), indent);
    for word in text.split(' ') {
        let length = word.chars().count();
        if at > indent && at + 1 + length > width {
            out.push_str(&format!("\n{:indent$}", ""));
            at = indent;
        } else if at > indent {
            out.push(' ');
            at += 1;
        }
        out.push_str(word);
        at += length;
    }
    out
}

/// How many characters a line of stdout has, if it is a terminal that says so.
fn width() -> Option<usize> {
    let stdout = std::io::stdout();
    let size = stdout.is_terminal().then(|| rustix::termios::tcgetwinsize(&stdout).ok())??;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table<2> {
        let mut table = Table::default();
        table.row(["short".into(), "a text of some words that wraps".into()]);
        table.row(["longer-name".into(), "é".into()]);
        table
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_and_the_last_one_wraps_below_itself() {
        assert_eq!(table().rendered(None), "short        a text of some words that wraps\nlonger-name  é\n");
        assert_eq!(table().rendered(Some(38)), "short        a text of some words that\n             wraps\nlonger-name  é\n");
    }

    #[test]
    fn in_a_narrow_terminal_the_last_column_stands_below_the_others() {
        assert_eq!(table().rendered(Some(20)), "short\n    a text of some\n    words that wraps\nlonger-name\n    é\n");
    }

    #[test]
    fn a_word_that_is_longer_than_a_line_stays_whole() {
        let mut table = Table::default();
        table.row(["x".into(), "0123456789012345678901234567890123456789 end".into()]);

        assert_eq!(table.rendered(Some(30)), "x  0123456789012345678901234567890123456789\n   end\n");
    }
}
