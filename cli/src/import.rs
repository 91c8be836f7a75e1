//! `strongroom secrets import`

use super::Done;
use super::output::{Answer, say};
use super::secrets::Where;
use super::table::Table;
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use strongroom::MIN_LENGTH;
use strongroom::ops::Import as Lines;

#[derive(Args)]
pub(super) struct Import {
    /// Shows names, lengths and fingerprints, and writes nothing
    #[arg(long)]
    dry_run: bool,
    /// A file of NAME=value lines
    file: PathBuf,
    /// The agent, or group of agents, that they are for; without one they are shared
    #[arg(long)]
    namespace: Option<String>,
    /// Print a line of JSON for each variable
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: Where,
}

impl Import {
    pub(super) fn perform(self) -> Done {
        let file = self.file.display();
        let read = Lines::read(&self.file, self.namespace.as_deref())?;
        if read.is_empty() {
            say(format_args!("{file}: it has no `NAME=value` line; nothing was written"));
            return Ok(0);
        }
        if self.dry_run {
            return self.show(&read);
        }
        let mut lines = Vec::new();
        let left_out = self.at.with(async |store| {
            let told = read.keep(store, |entry, kept| {
                match kept {
                    Ok(version) => say(format_args!("{entry}: version {version}")),
                    Err(why) => say(format_args!("{entry}: left out: {why}")),
                }
                lines.push(json!({"entry": entry.to_string(), "version": kept.ok(), "problem": kept.err()}));
            });
            told.await
        })?;
        if self.json {
            lines.iter().try_for_each(|line| Answer::new().line(format_args!("{line}")))?;
        }
        let (count, kept) = (read.len(), read.len() - left_out);
        match left_out {
            0 => say(format_args!("{count} read, each the same in the store as in {file}; now remove the file")),
            _ => say(format_args!("{count} read, {kept} the same in the store as in {file}; what was left out is only in that file")),
        }
        Ok(0)
    }

    /// What would be written.
    fn show(&self, read: &Lines) -> Done {
        let host = self.at.host.host()?;
        let (mut table, mut out) = (Table::default(), Answer::new());
        for line in read.lines(&host) {
            if self.json {
                out.line(format_args!("{}", json!(line)))?;
                continue;
            }
            let refused = match line.is_kept {
                true => String::new(),
                false => format!("; would be left out: a value has at least {MIN_LENGTH} bytes"),
            };
            let (name, at, bytes, fingerprint) = (&line.name, line.line, line.bytes, line.fingerprint);
            table.row([name.clone(), format!("line {at}"), format!("{bytes} bytes, fingerprint {fingerprint}{refused}")]);
        }
        table.print(&mut out)?;
        say(format_args!("{} read; nothing was written", read.len()));
        Ok(0)
    }
}
