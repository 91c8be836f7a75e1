//! The file behind the ledger. redb, since it is one file of plain Rust, takes its disk as a trait (so that power cuts can be played), and
//! commits many records with one write to the platter. Beside it lies the witness, which knows how far the ledger had come: a ledger that is
//! missing, or older than it was, is found out.

use super::disk::Witness;
use redb::{Database, DatabaseError, ReadableDatabase, ReadableTable, StorageBackend, TableDefinition};
use serde::{Deserialize, Serialize};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use tokio::sync::oneshot;

const RECORDS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("records");
const KEYS: TableDefinition<'_, &[u8], &str> = TableDefinition::new("keys");

/// One decision that was carried out, or may have been.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    /// By the ledger's clock, milliseconds since 1970.
    pub(crate) time: u64,
    /// The key's public half, SEC 1 compressed, hexadecimal.
    pub(crate) key: String,
    pub(crate) agent: String,
    /// What was signed, for people.
    pub(crate) lines: Vec<String>,
    /// What was hashed, hexadecimal.
    pub(crate) digest: String,
    /// What can be paid only once: the chain and the nonce.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) nonce: Option<(u64, u64)>,
    /// What it spends: asset and amount, in its smallest unit.
    pub(crate) spends: Vec<(String, String)>,
    /// The agent's idempotency key.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) idempotency: Option<String>,
    /// What was signed, sealed; none where it is not known whether there is a signature.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) sealed: Option<String>,
}

/// What the journal is asked to keep.
enum Order {
    Entry(Box<Entry>, oneshot::Sender<Result<u64, String>>),
    Key(Vec<u8>, String, oneshot::Sender<Result<u64, String>>),
}

/// The journal: written by one thread, which commits whatever has come in meanwhile at once.
pub(crate) struct Journal {
    database: Arc<Database>,
    /// None once it is closed.
    orders: Mutex<Option<Sender<Order>>>,
    writer: Option<JoinHandle<()>>,
}

/// What was found as a journal was opened.
pub(super) struct Opened {
    pub(super) journal: Journal,
    pub(super) entries: Vec<(u64, Entry)>,
    pub(super) keys: Vec<(Vec<u8>, String)>,
    /// Why nothing may be signed until the operator has looked.
    pub(super) doubt: Option<String>,
}

impl Journal {
    /// Opens the journal on whatever serves as a disk.
    pub(super) fn on(disk: impl StorageBackend, witness: impl Witness) -> Result<Opened, String> {
        let broken = |error: &dyn std::fmt::Display| format!("the ledger can't be read: {error}");
        let seen = witness.read().map_err(|error| broken(&error))?.map(u64::from_be_bytes);
        if seen.is_none() {
            clear_unfinished(&disk).map_err(|error| broken(&error))?;
        }
        let database = Database::builder().create_with_backend(disk).map_err(|error| match error {
            DatabaseError::DatabaseAlreadyOpen => "another host has the ledger open; one host at a time may sign by one ledger".to_owned(),
            other => broken(&other),
        })?;
        let (entries, keys) = read(&database).map_err(|error| broken(&error))?;
        let last = entries.last().map_or(0, |(number, _)| *number);
        let doubt = match seen {
            Some(seen) if seen > last => Some(format!("the ledger has {last} records and had {seen}: it is missing, or older than it was")),
            None if last > 0 => Some("the ledger's witness is missing: whether the ledger is the latest can't be told".to_owned()),
            _ => None,
        };
        let database = Arc::new(database);
        let (orders, incoming) = channel();
        let writer = Writer { database: Arc::clone(&database), witness: Box::new(witness), last: last.max(seen.unwrap_or(0)) };
        let writer = std::thread::Builder::new().name("ledger".into()).spawn(move || writer.run(&incoming));
        let writer = Some(writer.map_err(|error| broken(&error))?);
        Ok(Opened { journal: Self { database, orders: Mutex::new(Some(orders)), writer }, entries, keys, doubt })
    }

    /// Keeps an entry. When this returns its number, it survives the loss of power.
    pub(super) async fn write(&self, entry: Entry) -> Result<u64, String> {
        self.order(|done| Order::Entry(Box::new(entry), done)).await
    }

    /// Keeps what a key is for.
    pub(super) async fn enroll(&self, key: Vec<u8>, purpose: String) -> Result<u64, String> {
        self.order(|done| Order::Key(key, purpose, done)).await
    }

    /// Keeps an entry for whose fate nobody waits.
    pub(super) fn write_later(&self, entry: Entry) {
        let (done, _) = oneshot::channel();
        let _ = self.send(Order::Entry(Box::new(entry), done));
    }

    /// An entry that was kept.
    pub(super) fn read(&self, number: u64) -> Option<Entry> {
        let table = self.database.begin_read().ok()?.open_table(RECORDS).ok()?;
        serde_json::from_slice(table.get(number).ok()??.value()).ok()
    }

    fn send(&self, order: Order) -> Option<()> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner).as_ref()?.send(order).ok()
    }

    async fn order(&self, order: impl FnOnce(oneshot::Sender<Result<u64, String>>) -> Order) -> Result<u64, String> {
        let (done, outcome) = oneshot::channel();
        self.send(order(done)).ok_or_else(|| "the ledger's writer has ended".to_owned())?;
        outcome.await.unwrap_or_else(|_| Err("the ledger's writer has ended".to_owned()))
    }
}

/// Empties a file whose making was cut short. redb writes the first bytes last; and where there is no witness, nothing was ever kept.
fn clear_unfinished(disk: &impl StorageBackend) -> std::io::Result<()> {
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

impl Drop for Journal {
    /// Waits until whatever was ordered is kept: who opens the ledger next finds it.
    fn drop(&mut self) {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

struct Writer {
    database: Arc<Database>,
    witness: Box<dyn Witness>,
    last: u64,
}

impl Writer {
    fn run(mut self, incoming: &Receiver<Order>) {
        while let Ok(first) = incoming.recv() {
            let orders: Vec<Order> = std::iter::once(first).chain(incoming.try_iter()).collect();
            let written = self.write(&orders);
            // What can't be written once may have been written in part: whoever comes after would build on sand.
            let failed = written.is_err();
            let first = self.last;
            if let Ok(last) = written {
                self.last = last;
            }
            let mut number = first;
            for order in orders {
                let done = match order {
                    Order::Entry(_, done) => {
                        number += 1;
                        done
                    }
                    Order::Key(_, _, done) => done,
                };
                let _ = done.send(written.clone().map(|_| number));
            }
            if failed {
                return;
            }
        }
    }

    /// Commits orders, with one write to the platter, and returns the number of the last entry.
    fn write(&self, orders: &[Order]) -> Result<u64, String> {
        let failed = |error: &dyn std::fmt::Display| format!("the ledger can't be written: {error}");
        let mut last = self.last;
        let transaction = self.database.begin_write().map_err(|error| failed(&error))?;
        {
            let mut records = transaction.open_table(RECORDS).map_err(|error| failed(&error))?;
            let mut keys = transaction.open_table(KEYS).map_err(|error| failed(&error))?;
            for order in orders {
                match order {
                    Order::Entry(entry, _) => {
                        last += 1;
                        let text = serde_json::to_vec(entry).map_err(|error| failed(&error))?;
                        records.insert(last, text.as_slice()).map_err(|error| failed(&error))?;
                    }
                    Order::Key(key, purpose, _) => {
                        keys.insert(key.as_slice(), purpose.as_str()).map_err(|error| failed(&error))?;
                    }
                }
            }
        }
        transaction.commit().map_err(|error| failed(&error))?;
        // After the commit: a witness is never ahead of what it bears witness to.
        self.witness.write(last.to_be_bytes()).map_err(|error| failed(&error))?;
        Ok(last)
    }
}

/// The numbered entries, and the keys with their purposes.
type Kept = (Vec<(u64, Entry)>, Vec<(Vec<u8>, String)>);

fn read(database: &Database) -> Result<Kept, Box<dyn std::error::Error>> {
    // Tables are made where there are none: a reader needs them.
    let transaction = database.begin_write()?;
    transaction.open_table(RECORDS)?;
    transaction.open_table(KEYS)?;
    transaction.commit()?;
    let transaction = database.begin_read()?;
    let mut entries = Vec::new();
    for row in transaction.open_table(RECORDS)?.iter()? {
        let (number, text) = row?;
        let mut entry: Entry = serde_json::from_slice(text.value())?;
        // What the books need: whether there is a signature, and not what it is.
        entry.lines.clear();
        entry.sealed = entry.sealed.map(|_| String::new());
        entries.push((number.value(), entry));
    }
    let mut keys = Vec::new();
    for row in transaction.open_table(KEYS)?.iter()? {
        let (key, purpose) = row?;
        keys.push((key.value().to_vec(), purpose.value().to_owned()));
    }
    Ok((entries, keys))
}
