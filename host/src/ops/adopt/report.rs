//! What people and programs are told: names, lines, lengths and fingerprints, and never a value.

use super::item::{Item, Kind};
use super::plan::Plan;
use super::{Because, Source};
use crate::manifest::looks_like_a_secret;
use crate::secrets::{Fingerprint, SecretValue};
use serde::Serialize;

/// What is moved, and what stays.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// The file, as it was named.
    pub file: String,
    /// What it is.
    pub kind: Kind,
    /// The places of values that are moved, by line. A value that stands in several places has one for each.
    pub values: Vec<Moved>,
    /// What stays, though it may be a secret.
    pub left: Vec<Left>,
    /// Lines that still look like a secret afterwards.
    pub still: Vec<usize>,
    /// How many references it had already.
    pub references: usize,
}

/// A value that is moved.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Moved {
    /// The name that it is kept under.
    pub name: String,
    /// The name behind the server or service that it is for.
    pub at: String,
    /// Its line, from 1.
    pub line: usize,
    /// How long it is.
    pub bytes: usize,
    /// Its fingerprint on this host.
    pub fingerprint: Fingerprint,
    /// Why it is moved; none where it is written back.
    pub because: Option<Because>,
    /// Where it is kept, as a manifest names it.
    pub from: String,
    /// Whether it would be written back differently from how it was written, with the same meaning.
    pub written_differently: bool,
}

/// A value that stays.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Left {
    /// Its name.
    pub at: String,
    /// Its line, from 1.
    pub line: usize,
    /// Why it stays.
    pub why: String,
}

impl Report {
    pub(super) fn new(source: &Source) -> Self {
        let (file, kind) = (source.plain.name.clone(), source.kind);
        Self { file, kind, values: Vec::new(), left: Vec::new(), still: Vec::new(), references: 0 }
    }

    pub(super) fn of_plan(source: &Source, backend: &str, plan: &Plan, fingerprint: impl Fn(&SecretValue) -> Fingerprint) -> Self {
        let (mut report, items) = (Self::new(source), &source.items);
        for moved in &plan.moves {
            let print = fingerprint(&SecretValue::new(moved.value.as_bytes()));
            for &index in &moved.items {
                let from = format!("{backend}:{}", moved.entry);
                let (because, written_differently) = (plan.because[index], plan.differently[index]);
                let moved = Moved::of(&items[index], moved.value.len(), print, from);
                report.values.push(Moved { because, written_differently, ..moved });
            }
        }
        report.values.sort_by_key(|moved| moved.line);
        let left = |(index, why): &(usize, String)| Left { at: items[*index].label(), line: items[*index].line, why: why.clone() };
        report.left = plan.left.iter().map(left).collect();
        report.references = plan.references;
        let lines = plan.text.lines().enumerate().filter(|(_, line)| looks_like_a_secret(line));
        report.still = lines.map(|(at, _)| at + 1).collect();
        report
    }
}

impl Moved {
    pub(super) fn of(item: &Item, bytes: usize, fingerprint: Fingerprint, from: String) -> Self {
        let (name, at, line) = (item.name.clone(), item.label(), item.line);
        Self { name, at, line, bytes, fingerprint, because: None, from, written_differently: false }
    }
}
