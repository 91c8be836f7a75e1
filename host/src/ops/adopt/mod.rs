//! Moves the values that people have in files into a backend, and puts references in their place; undoing writes the values back.
//!
//! No value can be lost on the way: all of them are in the backend and read back from there before the file is replaced, which happens
//! whole or not at all. Whatever is interrupted before that leaves the file as it was, and a second attempt continues. No copy of the
//! plaintext is kept.
//!
//! Files are `.env` files, the JSON of MCP clients, and docker compose files.

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

pub use choice::{Because, Wish};
pub use item::Kind;
pub use report::{Left, Moved, Report};
pub use undo::Undoing;

use super::{Backend, Failed};
use crate::secrets::{Entry, SecretStore};
use file::Plain;
use item::{Item, Unreadable};
use plan::Plan;
use std::path::Path;

/// A file as it was read.
pub struct Source {
    plain: Plain,
    kind: Kind,
    items: Vec<Item>,
}

/// What is about to be moved out of a file. Nothing is written yet.
pub struct Adoption<'s> {
    source: &'s Source,
    backend: String,
    plan: Plan,
    /// What would be moved, and what stays.
    pub report: Report,
}

impl Source {
    /// Reads a file. Where no kind is given, its name says which it is, or else its text.
    ///
    /// # Errors
    /// [`Failed`] where it can't be read, is a link, or holds what its kind does not have.
    pub fn read(path: &Path, kind: Option<Kind>) -> Result<Self, Failed> {
        let plain = Plain::read(path)?;
        let kind = kind.unwrap_or_else(|| Kind::of(path, &plain.text));
        let items = kind.read(&plain.text).map_err(|why| refused(&plain, &why))?;
        Ok(Self { plain, kind, items })
    }

    /// Plans what goes into a backend, for an agent or group of agents, or for all.
    ///
    /// # Errors
    /// [`Failed`] where a value that was asked for is not there or can't be moved, or the backend has no place for it.
    pub fn adopt(
        &self,
        to: &Backend<'_>,
        store: &dyn SecretStore,
        namespace: Option<&str>,
        wish: &Wish<'_>,
    ) -> Result<Adoption<'_>, Failed> {
        self.has(wish)?;
        let place = |name: &str| -> Result<(String, Entry), Failed> {
            let entry = store.entry_of(namespace, name).map_err(Failed::usage)?;
            Ok((to.name().to_owned(), entry))
        };
        let plan = Plan::make(&self.plain, self.kind, &self.items, wish, |name| to.is_hosts_own(name), place)?;
        let backend = to.name().to_owned();
        let report = Report::of_plan(self, &backend, &plan, |value| to.fingerprint(value));
        Ok(Adoption { source: self, backend, plan, report })
    }

    /// Refuses a wish for a value that is not there.
    fn has(&self, wish: &Wish<'_>) -> Result<(), Failed> {
        let Wish::Only(only) = wish else { return Ok(()) };
        match only.iter().find(|name| !self.items.iter().any(|item| item.is_called(name))) {
            Some(unknown) => {
                let name = &self.plain.name;
                Err(Failed::usage(format!("{name}: `--only {unknown}`: it has no value of that name; nothing was written")))
            }
            None => Ok(()),
        }
    }
}

impl Adoption<'_> {
    /// How many values are moved, each counted once.
    #[must_use]
    pub fn count(&self) -> usize {
        self.plan.moves.len()
    }

    /// Stores the values, and puts references into the file. Returns for each value whether it was there before.
    ///
    /// # Errors
    /// [`Failed`]; the file is then as it was.
    pub async fn carry_out(self, store: &dyn SecretStore) -> Result<Vec<bool>, Failed> {
        let plain = &self.source.plain;
        let staged = plain.stage(&self.plan.text, plain.mode())?;
        let kept = keep::keep(store, &self.backend, &self.plan.moves).await.map_err(|error| {
            let Failed { kind, message } = error.into();
            Failed::new(kind, format!("{message}; {} is unchanged: fix that, and run the command again", plain.name))
        })?;
        staged.put()?;
        Ok(kept)
    }
}

/// Why what a file holds is refused.
fn refused(plain: &Plain, why: &Unreadable) -> Failed {
    Failed::usage(format!("{}: {why}; nothing was written", plain.name))
}
