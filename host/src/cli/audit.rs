//! `strongroom audit`

use super::output::Answer;
use super::{Done, Failure, HostArgs, code, named};
use crate::host::{audit_path, state_path};
use clap::{Args, Subcommand};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;

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
        let file =
            crate::files::open(&path).map_err(|error| Failure::new(code::STATE, format!("{}: can't be read ({error})", path.display())))?;
        let mut out = Answer::new();
        for (at, line) in BufReader::new(file).lines().enumerate() {
            let wrong = |what: String| {
                Failure::new(code::STATE, format!("{}:{}: {what}; the log was cut short or changed", path.display(), at + 1))
            };
            let line = line.map_err(|error| wrong(error.to_string()))?;
            let record: Value = serde_json::from_str(&line).map_err(|_| wrong("not a record".into()))?;
            let wanted = |filter: &Option<String>, key: &str| filter.as_ref().is_none_or(|wanted| record[key] == *wanted);
            if !wanted(&self.agent, "agent") || !wanted(&self.run, "run") || !wanted(&self.event, "event") {
                continue;
            }
            let text = if self.json { line } else { aloud(&record) };
            out.line(format_args!("{}", crate::text::for_people(&text)))?;
        }
        Ok(0)
    }

    fn path(&self) -> Result<PathBuf, Failure> {
        if let Some(file) = &self.file {
            return Ok(file.clone());
        }
        let config = self.host.config()?;
        let path = audit_path(&config, state_path(&config).as_deref());
        path.ok_or_else(|| Failure::new(code::USAGE, "name the log: `strongroom audit show FILE`"))
    }
}

/// `time agent run event key=value …`
fn aloud(record: &Value) -> String {
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
