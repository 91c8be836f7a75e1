//! What people and programs are told: names, lines, lengths and fingerprints, and never a value.

use super::super::init::quoted;
use super::super::output::{Answer, say};
use super::super::{Done, Failure, at_rest};
use super::file::Plain;
use super::item::{Item, Kind};
use super::plan::Plan;
use crate::host::Host;
use crate::manifest::looks_like_a_secret;
use crate::secrets::{Fingerprint, SecretValue};
use serde_json::{Value, json};

/// Most lines that are listed of what else looks like a secret.
const MOST_LINES: usize = 8;

pub(super) struct Report<'p> {
    plain: &'p Plain,
    kind: Kind,
    rows: Vec<Row>,
    /// What stays, though it may be a secret: `NAME`, line, why.
    left: Vec<(String, usize, String)>,
    references: usize,
    /// Lines that still look like a secret afterwards.
    still: Vec<usize>,
}

/// A value that is moved.
struct Row {
    label: String,
    name: String,
    line: usize,
    bytes: usize,
    fingerprint: Fingerprint,
    because: Option<super::choice::Because>,
    /// Where it is kept, as a manifest names it.
    from: String,
    differently: bool,
}

/// `value`, for so many.
pub(super) fn values(count: usize) -> &'static str {
    if count == 1 { "value" } else { "values" }
}

impl<'p> Report<'p> {
    pub(super) fn new(plain: &'p Plain, kind: Kind) -> Self {
        Self { plain, kind, rows: Vec::new(), left: Vec::new(), references: 0, still: Vec::new() }
    }

    pub(super) fn of_plan(plain: &'p Plain, kind: Kind, backend: &str, plan: &Plan, items: &[Item], host: &Host) -> Self {
        let mut report = Self::new(plain, kind);
        for moved in &plan.moves {
            let fingerprint = host.fingerprint(&SecretValue::new(moved.value.as_bytes()));
            for index in &moved.items {
                report.row(&items[*index], moved.value.len(), fingerprint, format!("{backend}:{}", moved.entry));
                if let Some(row) = report.rows.last_mut() {
                    (row.because, row.differently) = (plan.because[*index], plan.differently[*index]);
                }
            }
        }
        report.rows.sort_by_key(|row| row.line);
        report.left = plan.left.iter().map(|(index, why)| (items[*index].label(), items[*index].line, why.clone())).collect();
        report.references = plan.references;
        let lines = plan.text.lines().enumerate().filter(|(_, line)| looks_like_a_secret(line));
        report.still = lines.map(|(at, _)| at + 1).collect();
        report
    }

    pub(super) fn row(&mut self, item: &Item, bytes: usize, fingerprint: Fingerprint, from: String) {
        let (label, name, line) = (item.label(), item.name.clone(), item.line);
        self.rows.push(Row { label, name, line, bytes, fingerprint, because: None, from, differently: false });
    }

    /// Nothing is moved: why, on stderr.
    pub(super) fn nothing(&self, is_undo: bool, is_json: bool) -> Done {
        self.say_left();
        let name = &self.plain.name;
        match (is_undo, self.references) {
            (true, _) => say(format_args!("{name}: no reference of `strongroom adopt` stands in it; nothing was written")),
            (false, 0) => say(format_args!(
                "{name}: nothing in it looks like a secret that can be moved; nothing was written. `--all` moves every value, `--only NAME` one"
            )),
            (false, _) => say(format_args!("{name}: references stand in it already, and nothing more is to be moved; nothing was written")),
        }
        self.say_still();
        if is_json { self.json(false, None).map(|()| 0) } else { Ok(0) }
    }

    /// What is about to be moved; where a program reads stdout and nobody is asked, it comes at the end.
    pub(super) fn list(&self, is_json: bool, is_unasked: bool) -> Result<(), Failure> {
        let mut out = Answer::new();
        for row in self.rows.iter().filter(|_| !(is_json && is_unasked)) {
            let Row { label, line, bytes, fingerprint, from, .. } = row;
            let because = row.because.map(|because| format!(", {}", because.told())).unwrap_or_default();
            let differently = if row.differently { "; `--undo` writes the same value in another way" } else { "" };
            let way = if row.because.is_some() { "to" } else { "from" };
            let text = format!("{label:32} line {line:<4} {bytes:6} bytes, fingerprint {fingerprint}{because}, {way} {from}{differently}");
            match is_json {
                true => say(format_args!("{text}")),
                false => out.line(format_args!("{text}"))?,
            }
        }
        self.say_left();
        Ok(())
    }

    pub(super) fn unwritten(&self, is_json: bool) -> Done {
        if is_json {
            self.json(false, None)?;
        }
        let count = self.rows.len();
        say(format_args!("{}: {count} {} found; nothing was written", self.plain.name, values(count)));
        Ok(0)
    }

    /// All is done: what to do next. `were_there` is whether the backend had each of the values before.
    pub(super) fn adopted(&self, is_json: bool, were_there: &[bool]) -> Done {
        let (name, count) = (&self.plain.name, were_there.len());
        let before = match were_there.iter().filter(|was_there| **was_there).count() {
            0 => String::new(),
            before => format!(", {before} of them from before"),
        };
        say(format_args!("{name}: {count} {} in the backend, read back from there{before}; references stand in the file", values(count)));
        self.say_still();
        say(format_args!(
            "programs that read {name} themselves find references now: run them as agents, or `strongroom adopt --undo {name}`"
        ));
        match at_rest::is_tracked(self.plain.path()) {
            true => {
                say(format_args!("git tracks {name}, and its history keeps the values, as backups may: replace each of them at its issuer"))
            }
            false => say(format_args!(
                "backups and other copies of {name} may still hold the values: replace each one at its issuer that others could have read"
            )),
        }
        if is_json {
            self.json(true, None)?;
            return Ok(0);
        }
        let mut out = Answer::new();
        out.line(format_args!("\nfor the manifest of an agent that uses them (`strongroom init` writes one):"))?;
        let mut named: Vec<&str> = Vec::new();
        for row in &self.rows {
            if !named.contains(&row.name.as_str()) {
                out.line(format_args!("[secrets.{}]\nfrom = {}", row.name, quoted(&row.from)))?;
                named.push(&row.name);
            }
        }
        Ok(0)
    }

    pub(super) fn undone(&self, is_json: bool, modes: Option<(u32, u32)>) -> Done {
        let (name, count) = (&self.plain.name, self.rows.len());
        say(format_args!("{name}: {count} {} in the file again, as plaintext", values(count)));
        if let Some((before, now)) = modes {
            say(format_args!("{name}: its mode is {now:04o} now, and was {before:04o}: others could have read the values"));
        }
        say(format_args!("the backend keeps them too; `strongroom secrets rm-version NAME VERSION --destroy` removes one for good"));
        if is_json {
            self.json(true, modes)?;
        }
        Ok(0)
    }

    fn say_left(&self) {
        for (label, line, why) in &self.left {
            say(format_args!("{label}: line {line}: left as it is: {why}"));
        }
    }

    fn say_still(&self) {
        if !self.still.is_empty() {
            let lines: Vec<String> = self.still.iter().take(MOST_LINES).map(usize::to_string).collect();
            let more = if self.still.len() > MOST_LINES { " and others" } else { "" };
            say(format_args!(
                "{}: what looks like a secret still stands on line {}{more}, in another place than those that are moved; move it by hand",
                self.plain.name,
                lines.join(", ")
            ));
        }
    }

    fn json(&self, is_written: bool, modes: Option<(u32, u32)>) -> Result<(), Failure> {
        let row = |row: &Row| {
            json!({"name": row.name, "at": row.label, "line": row.line, "bytes": row.bytes, "fingerprint": row.fingerprint.as_str(),
                   "because": row.because.map(super::choice::Because::as_str), "from": row.from, "written_differently": row.differently})
        };
        let left = |(label, line, why): &(String, usize, String)| json!({"at": label, "line": line, "why": why});
        let document = json!({
            "file": self.plain.name, "kind": self.kind.as_str(), "written": is_written,
            "values": self.rows.iter().map(row).collect::<Vec<Value>>(), "left": self.left.iter().map(left).collect::<Vec<Value>>(),
            "still": self.still, "mode": modes.map(|(_, now)| format!("{now:04o}")),
        });
        Answer::new().line(format_args!("{document}"))
    }
}
