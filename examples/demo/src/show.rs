//! The three tables that a person reads.

use crate::stage::Report;
use serde_json::Value;
use std::fmt::Write;

/// Widest cell.
const WIDEST: usize = 56;

/// The report as text.
#[must_use]
pub fn report(report: &Report) -> String {
    let mut out = String::new();
    out.push_str("\nWhat each agent saw\n\n");
    out.push_str(&table(&["agent", "its key, as it saw it", "an answer in which the API repeated the real key", "ended"], &saw(report)));
    out.push_str("\nWhat the servers saw on the wire\n\n");
    out.push_str(&table(&["host", "request", "authorization", "times"], &wire(report)));
    out.push_str("\nWhat was denied, and by which rule\n\n");
    out.push_str(&table(&["agent", "rule", "what it asked for", "times"], &denied(report)));
    let faults = report.faults();
    if faults.is_empty() {
        let memory: usize = report.agents.iter().map(|agent| agent.memory).sum();
        let _ = writeln!(
            out,
            "\nNo agent ever held a key: not in its memory ({} KiB were searched), its output, or the audit log, in any encoding.",
            memory / 1024
        );
    }
    for fault in faults {
        let _ = writeln!(out, "\nFAILED: {fault}");
    }
    out
}

fn saw(report: &Report) -> Vec<Vec<String>> {
    let rows = report.agents.iter().map(|agent| {
        let key = words(&agent.printed).find(|word| word.starts_with("pf_live_")).unwrap_or_default().to_owned();
        let echo = agent.printed.lines().find(|line| line.contains("placed_with") || line.contains("prints an echo")).unwrap_or("(none)");
        // From where the key was: what stands in its place.
        let echo = echo.find("\"placed_with\"").or_else(|| echo.find('{')).map_or(echo, |at| &echo[at..]);
        let end = agent.end.split(':').next().unwrap_or_default();
        vec![agent.name.to_owned(), key, echo.to_owned(), end.to_owned()]
    });
    rows.collect()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-'))
}

fn wire(report: &Report) -> Vec<Vec<String>> {
    let name = |value: &str| match value.strip_prefix("Bearer ") {
        Some(key) if key == report.keys.exchange => "Bearer (the real exchange key)".to_owned(),
        Some(key) if key == report.keys.model => "Bearer (the real model key)".to_owned(),
        _ if value.is_empty() => "-".to_owned(),
        _ => value.to_owned(),
    };
    let rows = report
        .wire
        .iter()
        .map(|seen| vec![seen.host.clone(), format!("{} {}", seen.method, seen.path()), name(seen.header("authorization"))]);
    let mut rows = counted(rows.collect());
    if !report.wire.iter().any(|seen| seen.host == crate::exchange::EVIL) {
        rows.push(vec![crate::exchange::EVIL.to_owned(), "(nothing)".to_owned(), "-".to_owned(), "0".to_owned()]);
    }
    rows
}

fn denied(report: &Report) -> Vec<Vec<String>> {
    let text = |record: &Value, key: &str| record[key].as_str().unwrap_or_default().to_owned();
    let denials = report.audit.iter().filter(|record| record["event"] == "denial");
    let rows = denials.map(|record| vec![text(record, "agent"), text(record, "rule"), text(record, "asked")]);
    let mut rows = counted(rows.collect());
    for repeated in report.audit.iter().filter(|record| record["event"] == "denials-repeated") {
        let key = [text(repeated, "agent"), text(repeated, "rule"), text(repeated, "asked")];
        if let Some(row) = rows.iter_mut().find(|row| row[..3] == key) {
            let times = row[3].parse::<u64>().unwrap_or(1) + repeated["count"].as_u64().unwrap_or(0);
            row[3] = times.to_string();
        }
    }
    rows
}

/// Equal rows as one, with how often they came, in the order of their first.
fn counted(rows: Vec<Vec<String>>) -> Vec<Vec<String>> {
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

fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let cut = |cell: &str| match cell.char_indices().nth(WIDEST) {
        Some((at, _)) => format!("{}…", &cell[..at]),
        None => cell.to_owned(),
    };
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|cell| cut(cell)).collect()).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).chain([head[column].len()]).max().unwrap_or(0);
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |cells: Vec<&str>| {
        let padded: Vec<String> = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        format!("  {}\n", padded.join("  ").trim_end())
    };
    let mut out = line(head.to_vec());
    out.push_str(&line(widths.iter().map(|width| &DASHES[..*width]).collect()));
    rows.iter().for_each(|row| out.push_str(&line(row.iter().map(String::as_str).collect())));
    out
}

const DASHES: &str = "----------------------------------------------------------------------------------------------------";
