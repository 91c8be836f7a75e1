//! `strongroom audit`

use super::output::{Answer, say};
use super::{Done, Failure, HostArgs, code};
use clap::{Args, Subcommand};
use serde_json::Value;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use strongroom::audit::{Piece, Reader, Record};
use strongroom::ops::{self, named};
use strongroom::text::for_people;
use strongroom_ground::files;

/// Reads the audit log.
#[derive(Subcommand)]
pub(super) enum Audit {
    /// Prints records, one line each
    Show(Show),
}

#[derive(Args)]
pub(super) struct Show {
    /// The log; by default the one that the configuration names
    file: Option<PathBuf>,
    #[command(flatten)]
    host: HostArgs,
    /// Only this agent's records
    #[arg(long)]
    agent: Option<String>,
    /// Only this run's records
    #[arg(long)]
    run: Option<String>,
    /// Only records of this event: run-start, egress, answer, denial, …
    #[arg(long)]
    event: Option<String>,
    /// Print the records as they are
    #[arg(long)]
    json: bool,
}

impl Audit {
    pub(super) fn perform(self) -> Done {
        let Self::Show(show) = self;
        show.perform()
    }
}

impl Show {
    fn perform(self) -> Done {
        self.agent.as_deref().map_or(Ok(()), named::agent)?;
        let path = self.path()?;
        let unreadable = |error: std::io::Error| Failure::new(code::STATE, format!("{}: can't be read ({error})", path.display()));
        let file = files::open(&path).map_err(unreadable)?;
        let mut out = Answer::new();
        let (mut shown, mut passed_over) = (0_u64, 0_u64);
        for piece in Reader::new(BufReader::new(file)) {
            match piece.map_err(unreadable)? {
                Piece::Torn(torn) => warn(&path, &torn),
                Piece::Newer(newer) => warn(&path, &newer),
                Piece::Record(recorded) if self.is_wanted(&recorded.record) => {
                    let text = if self.json { recorded.text } else { aloud(&recorded.record) };
                    out.line(format_args!("{}", for_people(&text)))?;
                    shown += 1;
                }
                Piece::Record(_) => passed_over += 1,
                _ => {}
            }
        }
        match (shown, passed_over) {
            (0, 0) => say(format_args!("{}: no record yet", path.display())),
            (0, others) => say(format_args!("{}: none of its {others} records matches what was asked for", path.display())),
            _ => {}
        }
        Ok(0)
    }

    fn is_wanted(&self, record: &Record<'_>) -> bool {
        let wanted = |filter: &Option<String>, value: &str| filter.as_ref().is_none_or(|wanted| *wanted == value);
        wanted(&self.agent, &record.agent) && wanted(&self.run, &record.run) && wanted(&self.event, record.event_name())
    }

    fn path(&self) -> Result<PathBuf, Failure> {
        if let Some(file) = &self.file {
            return Ok(file.clone());
        }
        ops::audit_log(&self.host.config()?).ok_or_else(|| Failure::new(code::USAGE, "name the log: `strongroom audit show FILE`"))
    }
}

/// Says where a log holds what can't be shown.
fn warn(path: &Path, what: &dyn std::fmt::Display) {
    say(format_args!("warning: {}: {what}", path.display()));
}

/// `time agent run event key=value …`
fn aloud(record: &Record<'_>) -> String {
    let record = serde_json::to_value(record).unwrap_or_default();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let head = ["time", "agent", "run", "event"];
    let mut line = head.map(|key| text(&record[key])).join(" ");
    for (key, value) in record.as_object().into_iter().flatten().filter(|(key, _)| !head.contains(&key.as_str())) {
        let value = text(value);
        let quoted = if value.contains([' ', '\n']) { format!("{value:?}") } else { value };
        line.extend([" ", key, "=", &quoted]);
    }
    line
}
