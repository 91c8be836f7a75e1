//! `strongroom adopt`

mod told;

use super::prompt::confirmed;
use super::secrets::{Where, finish};
use super::{Done, Failure, code};
use clap::{Args, ValueEnum};
use std::path::PathBuf;
use strongroom::ops::adopt::{Kind, Source, Wish};
use strongroom::ops::{Backend, named};
use strongroom::{Host, SecretStore};
use told::{Told, values};

#[derive(Args)]
pub(super) struct Adopt {
    /// A `.env` file, the JSON of an MCP client, or a docker compose file
    file: PathBuf,
    /// What the file is, if its name and its text do not say
    #[arg(long = "as", value_enum, value_name = "KIND")]
    kind: Option<As>,
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

/// The kinds of files, as they are typed.
#[derive(Clone, Copy, ValueEnum)]
enum As {
    /// `NAME=value` lines
    Env,
    /// The JSON of an MCP client: `env` and `headers` of its servers
    Mcp,
    /// A docker compose file: `environment` of its services
    Compose,
}

impl From<As> for Kind {
    fn from(kind: As) -> Self {
        match kind {
            As::Env => Self::Env,
            As::Mcp => Self::Mcp,
            As::Compose => Self::Compose,
        }
    }
}

impl Adopt {
    pub(super) fn perform(self) -> Done {
        self.only.iter().try_for_each(|name| named::variable("--only", name))?;
        self.namespace.as_deref().map_or(Ok(()), named::namespace)?;
        let source = Source::read(&self.file, self.kind.map(Into::into))?;
        let host = self.at.host.host()?;
        match self.undo {
            true => self.undo(&source, &host),
            false => self.adopt(&source, &host),
        }
    }

    fn adopt(&self, source: &Source, host: &Host) -> Done {
        let backend = self.at.open(host)?;
        let store = keeps(&backend)?;
        let wish = match (self.all, self.only.as_slice()) {
            (true, _) => Wish::All,
            (false, []) => Wish::Suspects,
            (false, only) => Wish::Only(only),
        };
        let adoption = source.adopt(&backend, store, self.namespace.as_deref(), &wish)?;
        let (report, count) = (adoption.report.clone(), adoption.count());
        let told = Told { report: &report, json: self.json, file: &self.file };
        if count == 0 {
            return told.nothing();
        }
        told.list(self.dry_run || self.yes)?;
        let question = format!("Move {count} {} into `{}`, and leave references in {}?", values(count), backend.name(), report.file);
        if self.dry_run || !(self.yes || confirmed(&question, "nothing was written")?) {
            return told.unwritten();
        }
        let kept = finish(host, adoption.carry_out(store))?;
        told.adopted(&kept)
    }

    fn undo(&self, source: &Source, host: &Host) -> Done {
        let undoing = finish(host, source.undo(host, &self.only))?;
        let report = undoing.report.clone();
        let told = Told { report: &report, json: self.json, file: &self.file };
        let count = report.values.len();
        if count == 0 {
            return told.no_reference();
        }
        told.list(self.dry_run || self.yes)?;
        let question = format!("Write {count} {} into {} as plaintext?", values(count), report.file);
        if self.dry_run || !(self.yes || confirmed(&question, "nothing was written")?) {
            return told.unwritten();
        }
        told.undone(undoing.write()?)
    }
}

/// The backend, if it keeps what it is given.
fn keeps<'h>(backend: &Backend<'h>) -> Result<&'h dyn SecretStore, Failure> {
    backend.store().ok_or_else(|| {
        let example = "[backends.file]\ntype = \"file\"\npath = \"secrets.age\"\nkey = \"file:secrets.key\"";
        Failure::new(
            code::USAGE,
            format!(
                "the backend `{}` can't be written to; name one that can with `--backend`, or configure one, as in the lines \
                 below, and make its file with `strongroom secrets init`\n{example}",
                backend.name()
            ),
        )
    })
}
