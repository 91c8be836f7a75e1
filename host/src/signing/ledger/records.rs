//! The records where they stay. redb, since it is one file of plain Rust, takes its disk as a trait (so that power cuts can be played), and
//! commits many records with one write to the platter. With the records of the log it keeps up to which frame they go: a frame is taken
//! once, and an old one is never taken for a new one.

use super::unread;
use crate::format;
use redb::{Database, DatabaseError, ReadableDatabase, ReadableTable, StorageBackend, TableDefinition, TableError, WriteTransaction};
use std::collections::BTreeMap;
use std::io;

const RECORDS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("records");
const KEYS: TableDefinition<'_, &[u8], &str> = TableDefinition::new("keys");
/// Of the log: the last frame whose records are here, and the length that it was made with.
const LOG: TableDefinition<'_, &str, u64> = TableDefinition::new("log");
const FRAME: &str = "frame";
const LENGTH: &str = "length";
/// In the same table, which every ledger has: the format of records and log. A ledger without it is of format 1.
const FORMAT: &str = "format";
/// The only format there is so far.
const KNOWN: u64 = 1;

/// Why a ledger can't be opened that is in use, and what to do.
const TAKEN: &str = "another host has the ledger open; only one host at a time may sign with a ledger: wait until that host has stopped";

/// Keys and their purposes.
pub(super) type Keys = Vec<(Vec<u8>, String)>;

pub(super) type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// The database.
pub(super) struct Records(Database);

/// Records that are kept together.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// Numbered, as they are written.
    pub(super) entries: BTreeMap<u64, Vec<u8>>,
    pub(super) keys: Keys,
    /// The frame of the log that holds the last of them; 0 where none does.
    pub(super) frame: u64,
}

/// How far the records have come.
pub(super) struct Standing {
    pub(super) last: u64,
    /// The last frame of the log whose records are here.
    pub(super) frame: u64,
    /// The length of the log, once it was made.
    pub(super) log: Option<u64>,
}

impl Records {
    /// Opens the database. One that may hold nothing yet may be cut short.
    pub(super) fn on(disk: impl StorageBackend, empty: bool) -> std::result::Result<Self, String> {
        let broken = unread;
        if empty {
            clear_unfinished(&disk).map_err(|error| broken(&error))?;
        }
        let database = Database::builder().create_with_backend(disk).map_err(|error| match error {
            DatabaseError::DatabaseAlreadyOpen => TAKEN.to_owned(),
            other => broken(&other),
        })?;
        let records = Self(database);
        // The log is not read before: a frame of another format would be taken for a torn one.
        if let Some(newer) = format::refused(records.format().map_err(|error| broken(&error))?, KNOWN) {
            return Err(format!("the ledger was {newer}"));
        }
        records.make_tables().map_err(|error| broken(&error))?;
        Ok(records)
    }

    fn format(&self) -> Result<u64> {
        match self.0.begin_read()?.open_table(LOG) {
            Err(TableError::TableDoesNotExist(_)) => Ok(KNOWN),
            log => Ok(log?.get(FORMAT)?.map_or(1, |format| format.value())),
        }
    }

    /// Tables are made where there are none: a reader needs them.
    fn make_tables(&self) -> Result<()> {
        let transaction = self.begin()?;
        {
            transaction.open_table(RECORDS)?;
            transaction.open_table(KEYS)?;
            let mut log = transaction.open_table(LOG)?;
            let is_named = log.get(FORMAT)?.is_some();
            if !is_named {
                log.insert(FORMAT, KNOWN)?;
            }
        }
        Ok(transaction.commit()?)
    }

    pub(super) fn standing(&self) -> Result<Standing> {
        let transaction = self.0.begin_read()?;
        let log = transaction.open_table(LOG)?;
        let last = transaction.open_table(RECORDS)?.last()?.map_or(0, |(number, _)| number.value());
        let frame = log.get(FRAME)?.map_or(0, |frame| frame.value());
        Ok(Standing { last, frame, log: log.get(LENGTH)?.map(|length| length.value()) })
    }

    /// Names another format, or none, as other versions of the host have.
    #[cfg(test)]
    pub(super) fn name_format(&self, format: Option<u64>) -> Result<()> {
        let transaction = self.begin()?;
        match format {
            Some(format) => _ = transaction.open_table(LOG)?.insert(FORMAT, format)?,
            None => _ = transaction.open_table(LOG)?.remove(FORMAT)?,
        }
        Ok(transaction.commit()?)
    }

    /// A change, which also keeps what of the file is free: a host that was killed is not followed by one that walks through the whole ledger
    /// to find that out.
    fn begin(&self) -> Result<WriteTransaction> {
        let mut transaction = self.0.begin_write()?;
        transaction.set_quick_repair(true);
        Ok(transaction)
    }

    /// Keeps batches, with one write to the platter, all of them or none.
    pub(super) fn keep(&self, batches: &[&Batch]) -> Result<()> {
        let transaction = self.begin()?;
        {
            let mut records = transaction.open_table(RECORDS)?;
            let mut keys = transaction.open_table(KEYS)?;
            let mut log = transaction.open_table(LOG)?;
            for batch in batches {
                for (number, text) in &batch.entries {
                    records.insert(number, text.as_slice())?;
                }
                for (key, purpose) in &batch.keys {
                    keys.insert(key.as_slice(), purpose.as_str())?;
                }
                if batch.frame > 0 {
                    log.insert(FRAME, batch.frame)?;
                }
            }
        }
        Ok(transaction.commit()?)
    }

    /// From now on the log counts: one that is shorter has lost something.
    pub(super) fn count_on_log(&self, length: u64) -> Result<()> {
        let transaction = self.begin()?;
        transaction.open_table(LOG)?.insert(LENGTH, length)?;
        Ok(transaction.commit()?)
    }

    pub(super) fn read(&self, number: u64) -> Option<Vec<u8>> {
        let table = self.0.begin_read().ok()?.open_table(RECORDS).ok()?;
        Some(table.get(number).ok()??.value().to_vec())
    }

    /// Hands over all numbered entries, and returns the keys with their purposes.
    pub(super) fn all(&self, mut entry: impl FnMut(u64, &[u8]) -> Result<()>) -> Result<Keys> {
        let transaction = self.0.begin_read()?;
        for row in transaction.open_table(RECORDS)?.iter()? {
            let (number, text) = row?;
            entry(number.value(), text.value())?;
        }
        let mut keys = Vec::new();
        for row in transaction.open_table(KEYS)?.iter()? {
            let (key, purpose) = row?;
            keys.push((key.value().to_vec(), purpose.value().to_owned()));
        }
        Ok(keys)
    }
}

impl Batch {
    /// The number of the last entry, where there is one.
    pub(super) fn last(&self) -> Option<u64> {
        self.entries.last_key_value().map(|(number, _)| *number)
    }

    /// Takes in another, which came later.
    pub(super) fn add(&mut self, later: Self) {
        self.entries.extend(later.entries);
        self.keys.extend(later.keys);
        self.frame = self.frame.max(later.frame);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.keys.is_empty()
    }
}

/// Empties a file whose making was cut short. redb writes the first bytes last; and where there is no witness, nothing was ever kept.
fn clear_unfinished(disk: &impl StorageBackend) -> io::Result<()> {
    const MAGIC: &[u8] = b"redb\x1A\x0A\xA9\x0D\x0A";
    let mut first = [0; MAGIC.len()];
    if disk.len()? == 0 {
        return Ok(());
    }
    if disk.len()? >= MAGIC.len() as u64 {
        disk.read(0, &mut first)?;
    }
    if first == MAGIC { Ok(()) } else { disk.set_len(0) }
}
