//! What people and programs are told of a file whose values are moved.

use crate::init::quoted;
use crate::output::{Answer, say};
use crate::table::Table;
use crate::{Done, Failure};
use serde_json::json;
use std::path::Path;
use strongroom::ops::adopt::{Because, Left, Moved, Report};
use strongroom::ops::is_tracked;

/// Most lines that are listed of what else looks like a secret.
const MOST_LINES: usize = 8;

pub(super) struct Told<'r> {
    pub(super) report: &'r Report,
    pub(super) json: bool,
    pub(super) file: &'r Path,
}

/// `value`, for so many.
pub(super) fn values(count: usize) -> &'static str {
    if count == 1 { "value" } else { "values" }
}

impl Told<'_> {
    /// There is nothing to undo.
    pub(super) fn no_reference(&self) -> Done {
        say(format_args!("{}: it has no reference of `strongroom adopt`; nothing was written", self.report.file));
        self.at_end(false, None)
    }

    /// Nothing is moved: why, on stderr.
    pub(super) fn nothing(&self) -> Done {
        self.say_left();
        let name = &self.report.file;
        match self.report.references {
            0 => say(format_args!(
                "{name}: nothing in it looks like a secret that can be moved; nothing was written. `--all` moves every value, `--only NAME` one"
            )),
            _ => say(format_args!("{name}: it has references already, and there is nothing more to move; nothing was written")),
        }
        self.say_still();
        self.at_end(false, None)
    }

    /// What is about to be moved; where a program reads stdout and nobody is asked, it comes at the end.
    pub(super) fn list(&self, is_unasked: bool) -> Result<(), Failure> {
        let mut table = Table::default();
        for moved in self.report.values.iter().filter(|_| !(self.json && is_unasked)) {
            let Moved { at, line, bytes, fingerprint, from, .. } = moved;
            let because = moved.because.map(|because| format!(", {}", told(because))).unwrap_or_default();
            let differently = if moved.written_differently { "; `--undo` writes the same value in another way" } else { "" };
            let way = if moved.because.is_some() { "to" } else { "from" };
            let what = format!("{bytes} bytes, fingerprint {fingerprint}{because}, {way} {from}{differently}");
            table.row([at.clone(), format!("line {line}"), what]);
        }
        match self.json {
            true => table.rendered(None).lines().for_each(|line| say(format_args!("{line}"))),
            false => table.print(&mut Answer::new())?,
        }
        self.say_left();
        Ok(())
    }

    pub(super) fn unwritten(&self) -> Done {
        let done = self.at_end(false, None);
        let count = self.report.values.len();
        say(format_args!("{}: {count} {} found; nothing was written", self.report.file, values(count)));
        done
    }

    /// All is done: what to do next. `were_there` is whether the backend had each of the values before.
    pub(super) fn adopted(&self, were_there: &[bool]) -> Done {
        let (name, count) = (&self.report.file, were_there.len());
        let before = match were_there.iter().filter(|was_there| **was_there).count() {
            0 => String::new(),
            before => format!(", {before} of them from before"),
        };
        say(format_args!(
            "{name}: {count} {} in the backend, read back from there{before}; the file has references in their place",
            values(count)
        ));
        self.say_still();
        say(format_args!(
            "programs that read {name} themselves now find references: run them as agents, or `strongroom adopt --undo {name}`"
        ));
        match is_tracked(self.file) {
            true => {
                say(format_args!("git tracks {name}, and its history keeps the values, as backups may: replace each of them at its issuer"))
            }
            false => say(format_args!(
                "backups and other copies of {name} may still hold the values: replace each one at its issuer that others could have read"
            )),
        }
        if self.json {
            return self.at_end(true, None);
        }
        let mut out = Answer::new();
        out.line(format_args!("\nfor the manifest of an agent that uses them (`strongroom init` writes one):"))?;
        let mut named: Vec<&str> = Vec::new();
        for Moved { name, from, .. } in &self.report.values {
            if !named.contains(&name.as_str()) {
                out.line(format_args!("[secrets.{name}]\nfrom = {}", quoted(from)))?;
                named.push(name);
            }
        }
        Ok(0)
    }

    pub(super) fn undone(&self, modes: Option<(u32, u32)>) -> Done {
        let (name, count) = (&self.report.file, self.report.values.len());
        say(format_args!("{name}: {count} {} in the file again, as plaintext", values(count)));
        if let Some((before, now)) = modes {
            say(format_args!("{name}: its mode is {now:04o} now, and was {before:04o}: others could have read the values"));
        }
        say(format_args!("the backend keeps them too; `strongroom secrets rm-version NAME VERSION --destroy` removes one for good"));
        self.at_end(true, modes)
    }

    fn say_left(&self) {
        for Left { at, line, why, .. } in &self.report.left {
            say(format_args!("{at}: line {line}: left as it is: {why}"));
        }
    }

    fn say_still(&self) {
        let still = &self.report.still;
        if !still.is_empty() {
            let lines: Vec<String> = still.iter().take(MOST_LINES).map(usize::to_string).collect();
            let more = if still.len() > MOST_LINES { " and others" } else { "" };
            say(format_args!(
                "{}: line {}{more} still has what looks like a secret, in a place that is not moved; move it by hand",
                self.report.file,
                lines.join(", ")
            ));
        }
    }

    /// The report as JSON, where a program reads it.
    fn at_end(&self, is_written: bool, modes: Option<(u32, u32)>) -> Done {
        if self.json {
            let mut document = json!(self.report);
            document["written"] = is_written.into();
            document["mode"] = modes.map(|(_, now)| format!("{now:04o}")).into();
            Answer::new().line(format_args!("{document}"))?;
        }
        Ok(0)
    }
}

fn told(because: Because) -> &'static str {
    match because {
        Because::Value => "looks like a secret",
        Because::Name => "by its name",
        _ => "as asked",
    }
}
