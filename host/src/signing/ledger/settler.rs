//! What moves records from the log to where they stay: a thread, a half of the log at once, by one transaction that says up to which frame it
//! goes. Only after it is a half written again. Until then the records are in memory too, where they are read from.
//!
//! A log that is in doubt stays as it was found until the operator has looked.

use super::log::Log;
use super::records::{self, Batch, Keys, Records};
use crate::lock::{Condvar, Mutex, MutexGuard};
use std::fmt::Display;
use std::sync::Arc;

/// The records, and what is on its way to them.
pub(super) struct Settler {
    records: Records,
    unsettled: Mutex<Unsettled>,
    /// A half of the log was filled, or is free again.
    turned: Condvar,
}

/// What the log has, and the records don't have yet.
#[derive(Default)]
struct Unsettled {
    /// Of the half that is being filled.
    filling: Batch,
    /// Of the other half, until it is settled.
    full: Option<Arc<Batch>>,
    doubted: bool,
    closed: bool,
    /// Why it can't be settled.
    failed: Option<String>,
}

impl Settler {
    /// Of the records, and what was found in the log.
    pub(super) fn of(records: Records, found: Batch, doubted: bool) -> Self {
        let unsettled = Unsettled { filling: found, doubted, ..Unsettled::default() };
        Self { records, unsettled: Mutex::new(unsettled), turned: Condvar::new() }
    }

    /// The work of its thread, which ends with the records of the half that is being filled.
    pub(super) fn serve(&self) {
        loop {
            let mut unsettled = self.turned.wait_while(self.unsettled(), |unsettled| unsettled.full.is_none() && !unsettled.closed);
            if unsettled.full.is_none() && !unsettled.doubted && !unsettled.filling.is_empty() {
                unsettled.turn();
            }
            let Some(full) = unsettled.full.clone() else { return };
            drop(unsettled);
            let kept = self.records.keep(&[&full]);
            let mut unsettled = self.unsettled();
            match kept {
                Ok(()) => unsettled.full = None,
                Err(error) => unsettled.failed = Some(failed(&error)),
            }
            self.turned.notify_all();
            if unsettled.failed.is_some() {
                return;
            }
        }
    }

    /// Lets its thread end.
    pub(super) fn close(&self) {
        self.unsettled().closed = true;
        self.turned.notify_all();
    }

    /// Whether the operator has to look first; an error where records can't be settled any more.
    pub(super) fn doubts(&self) -> Result<bool, String> {
        let unsettled = self.unsettled();
        unsettled.failed.clone().map_or(Ok(unsettled.doubted), Err)
    }

    /// Takes in what the log has now.
    pub(super) fn add(&self, batch: Batch) {
        self.unsettled().filling.add(batch);
    }

    /// Has a filled half settled. Waits only where the other one still is not.
    pub(super) fn turn(&self) -> Result<(), String> {
        self.one_half_free()?.turn();
        self.turned.notify_all();
        Ok(())
    }

    /// Keeps whatever there is, and a batch that did not go through the log; the log is empty then, and there is no doubt any more.
    pub(super) fn keep(&self, batch: &Batch, log: &mut Log) -> Result<(), String> {
        let mut unsettled = self.one_half_free()?;
        if !unsettled.filling.is_empty() || !batch.is_empty() {
            self.records.keep(&[&unsettled.filling, batch]).map_err(|error| failed(&error))?;
        }
        unsettled.filling = Batch::default();
        unsettled.doubted = false;
        log.restart();
        let counted = self.records.standing().map_err(|error| failed(&error))?.log.is_some();
        if !counted || !log.is_made().map_err(|error| failed(&error))? {
            log.make().map_err(|error| failed(&error))?;
            self.records.count_on_log(log.length()).map_err(|error| failed(&error))?;
        }
        Ok(())
    }

    /// Keeps a batch and nothing else: what is in doubt stays so, as does the witness.
    pub(super) fn keep_aside(&self, batch: &Batch) -> Result<(), String> {
        self.records.keep(&[batch]).map_err(|error| failed(&error))
    }

    /// An entry, wherever it is.
    pub(super) fn read(&self, number: u64) -> Option<Vec<u8>> {
        // In this order: an entry leaves the first place once it is in the second.
        let unsettled = self.unsettled().entry(number);
        unsettled.or_else(|| self.records.read(number))
    }

    /// Hands over all numbered entries, and returns the keys with their purposes.
    pub(super) fn all(&self, mut entry: impl FnMut(u64, &[u8]) -> records::Result<()>) -> records::Result<Keys> {
        let mut keys = self.records.all(&mut entry)?;
        let unsettled = self.unsettled();
        for (number, text) in &unsettled.filling.entries {
            entry(*number, text)?;
        }
        keys.extend(unsettled.filling.keys.iter().cloned());
        Ok(keys)
    }

    fn unsettled(&self) -> MutexGuard<'_, Unsettled> {
        self.unsettled.lock()
    }

    /// Waits until one half of the log is free.
    fn one_half_free(&self) -> Result<MutexGuard<'_, Unsettled>, String> {
        let unsettled = self.turned.wait_while(self.unsettled(), |unsettled| unsettled.full.is_some() && unsettled.failed.is_none());
        unsettled.failed.clone().map_or(Ok(unsettled), Err)
    }
}

impl Unsettled {
    /// What was filled is full.
    fn turn(&mut self) {
        self.full = Some(Arc::new(std::mem::take(&mut self.filling)));
    }

    fn entry(&self, number: u64) -> Option<Vec<u8>> {
        let full = self.full.as_ref().and_then(|full| full.entries.get(&number));
        full.or_else(|| self.filling.entries.get(&number)).cloned()
    }
}

fn failed(error: &dyn Display) -> String {
    format!("the ledger can't be written: {error}")
}
