//! `strongroom adopt`: the values that people have in files go into a backend, and references stand in their place; `--undo` writes them back.
//!
//! No value can be lost on the way: all of them are in the backend and read back from there before the file is replaced, which happens whole or
//! not at all. Whatever breaks off before that leaves the file as it was, and a second run goes on. No copy of the plaintext is kept.

mod choice;
mod compose;
mod dotenv;
mod file;
mod item;
mod keep;
mod mcp;
mod plaintext;
mod plan;
mod report;
mod undo;
mod yaml;

use super::secrets::Where;
use super::{Done, Failure, code, named};
use crate::host::Host;
use crate::secrets::SecretStore;
use crate::secrets::backends::Configured;
use choice::Wish;
use clap::Args;
use file::Plain;
use item::{Item, Kind, Unreadable};
use plan::Plan;
use report::Report;
use std::io::IsTerminal;
use std::path::PathBuf;

#[derive(Args)]
pub(super) struct Adopt {
    /// A `.env` file, the JSON of an MCP client, or a docker compose file
    file: PathBuf,
    /// What the file is, where its name and its text do not say
    #[arg(long = "as", value_enum, value_name = "KIND")]
    kind: Option<Kind>,
    /// Move every value. Without it: what looks like a secret, by itself or by its name
    #[arg(long, conflicts_with = "only")]
    all: bool,
    /// Move this variable alone, as `NAME` or `SERVER.NAME`; may be given several times
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// The agent, or group of agents, that the secrets are for; without one they are shared
    #[arg(long)]
    namespace: Option<String>,
    /// Show what would be moved, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask before something is written
    #[arg(long)]
    yes: bool,
    /// Write the values of the file's references back into it, from the backend
    #[arg(long, conflicts_with_all = ["all", "namespace", "backend"])]
    undo: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: Where,
}

impl Adopt {
    pub(super) fn perform(self) -> Done {
        self.only.iter().try_for_each(|name| named::variable("--only", name))?;
        self.namespace.as_deref().map_or(Ok(()), named::namespace)?;
        let plain = Plain::read(&self.file)?;
        let kind = self.kind.unwrap_or_else(|| Kind::of(&self.file, &plain.text));
        let items = kind.read(&plain.text).map_err(|why| refused(&plain, &why))?;
        let wish = if self.all { Wish::All } else { Wish::Only(&self.only) };
        if let Some(unknown) = self.only.iter().find(|name| !items.iter().any(|item| Wish::Only(&[(*name).clone()]).names(item))) {
            let found = format!("{}: `--only {unknown}`: no value of that name stands in it; nothing was written", plain.name);
            return Err(Failure::new(code::USAGE, found));
        }
        match (self.undo, self.only.is_empty() && !self.all) {
            (true, _) => self.undo(&plain, kind, &items),
            (false, true) => self.adopt(&plain, kind, &items, &Wish::Suspects),
            (false, false) => self.adopt(&plain, kind, &items, &wish),
        }
    }

    fn adopt(&self, plain: &Plain, kind: Kind, items: &[Item], wish: &Wish<'_>) -> Done {
        let host = self.at.host.host()?;
        let Configured { name: backend, .. } = self.at.open(&host)?;
        let store = self.store(&host)?;
        let plan = Plan::make(
            plain,
            kind,
            items,
            wish,
            |name| host.backends().has_variable(name),
            |name| {
                let entry = store.entry_of(self.namespace.as_deref(), name).map_err(|why| Failure::new(code::USAGE, why))?;
                Ok((backend.clone(), entry))
            },
        )?;
        let report = Report::of_plan(plain, kind, backend, &plan, items, &host);
        if plan.moves.is_empty() {
            return report.nothing(false, self.json);
        }
        report.list(self.json, self.dry_run || self.yes)?;
        let count = plan.moves.len();
        let question = format!("Move {count} {} into `{backend}`, and leave references in {}?", report::values(count), plain.name);
        if self.dry_run || !self.is_confirmed(&question)? {
            return report.unwritten(self.json);
        }
        let staged = plain.stage(&plan.text, plain.mode())?;
        let kept = self.at.finish(&host, keep::keep(store, backend, &plan.moves)).map_err(|Failure { code, message }| {
            Failure::new(code, format!("{message}; {} is as it was: run the command again when that is mended", plain.name))
        })?;
        staged.put()?;
        report.adopted(self.json, &kept)
    }

    /// The backend, if it keeps what it is given.
    fn store<'h>(&self, host: &'h Host) -> Result<&'h dyn SecretStore, Failure> {
        let Configured { name, backend, .. } = self.at.open(host)?;
        backend.store().ok_or_else(|| {
            let example = "[backends.file]\ntype = \"file\"\npath = \"secrets.age\"\nkey = \"file:secrets.key\"";
            Failure::new(
                code::USAGE,
                format!(
                    "the backend `{name}` keeps nothing that it is given; name one that does by `--backend`, or configure one, as in the lines \
                     below, and make its file with `strongroom secrets init`\n{example}"
                ),
            )
        })
    }

    /// Whether the person wants it done: asked on a terminal, or said by `--yes`.
    fn is_confirmed(&self, question: &str) -> Result<bool, Failure> {
        if self.yes {
            return Ok(true);
        }
        if !std::io::stdin().is_terminal() {
            return Err(Failure::new(
                code::USAGE,
                "there is no terminal to ask on; give `--yes`, or `--dry-run` to look; nothing was written",
            ));
        }
        super::output::ask(format_args!("{question} [y/N]: "));
        let mut line = String::new();
        let typed = std::io::stdin().read_line(&mut line);
        Ok(typed.is_ok() && ["y", "yes"].contains(&line.trim().to_lowercase().as_str()))
    }
}

/// How the command ends for what a file holds.
fn refused(plain: &Plain, why: &Unreadable) -> Failure {
    Failure::new(code::USAGE, format!("{}: {why}; nothing was written", plain.name))
}
