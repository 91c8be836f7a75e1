//! The file behind the ledger. redb, since it is one file of plain Rust, takes its disk as a trait (so that power cuts can be played), and
//! commits many records with one write to the platter. Beside it lies the witness, which knows how far the ledger had come: a ledger that is
//! missing, or older than it was, is found out.

use super::disk::Witness;
use redb::{Database, DatabaseError, ReadableDatabase, ReadableTable, StorageBackend, TableDefinition};
use serde::{Deserialize, Serialize};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use tokio::runtime::{Handle, RuntimeFlavor};
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
enum What {
    /// An entry, as it will be written.
    Entry(Vec<u8>),
    /// A key and its purpose.
    Key(Vec<u8>, String),
}

/// Who waits for it gets the number of the last entry by then.
struct Order(What, oneshot::Sender<Result<u64, String>>);

/// The journal. Whoever writes commits whatever else is waiting with it: a thread of the journal's own, or, on a current-thread runtime, the
/// task itself, which spares it two changes of threads.
pub(crate) struct Journal {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    database: Database,
    queue: Mutex<Queue>,
    arrived: Condvar,
    writer: Mutex<Writer>,
}

#[derive(Default)]
struct Queue {
    orders: Vec<Order>,
    closed: bool,
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
        let writer = Writer { witness: Box::new(witness), last: last.max(seen.unwrap_or(0)), failed: false };
        let shared = Arc::new(Shared { database, queue: Mutex::default(), arrived: Condvar::new(), writer: Mutex::new(writer) });
        let of_thread = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("ledger".into()).spawn(move || of_thread.serve());
        let thread = Some(thread.map_err(|error| broken(&error))?);
        Ok(Opened { journal: Self { shared, thread }, entries, keys, doubt })
    }

    /// Keeps an entry. When this returns a number, it survives the loss of power; the number is its own, or a later one's.
    pub(super) async fn write(&self, entry: &Entry) -> Result<u64, String> {
        self.order(What::Entry(serialized(entry))).await
    }

    /// Keeps what a key is for.
    pub(super) async fn enroll(&self, key: Vec<u8>, purpose: String) -> Result<u64, String> {
        self.order(What::Key(key, purpose)).await
    }

    /// Keeps an entry for whose fate nobody waits.
    pub(super) fn write_later(&self, entry: &Entry) {
        let (done, _) = oneshot::channel();
        self.shared.queue().orders.push(Order(What::Entry(serialized(entry)), done));
        self.shared.arrived.notify_one();
    }

    /// An entry that was kept.
    pub(super) fn read(&self, number: u64) -> Option<Entry> {
        let table = self.shared.database.begin_read().ok()?.open_table(RECORDS).ok()?;
        serde_json::from_slice(table.get(number).ok()??.value()).ok()
    }

    async fn order(&self, what: What) -> Result<u64, String> {
        /// Where the task is given up before it has written, the thread does.
        struct Left<'s>(&'s Shared);
        impl Drop for Left<'_> {
            fn drop(&mut self) {
                self.0.arrived.notify_one();
            }
        }

        let (done, outcome) = oneshot::channel();
        self.shared.queue().orders.push(Order(what, done));
        if matches!(Handle::try_current().map(|runtime| runtime.runtime_flavor()), Ok(RuntimeFlavor::CurrentThread)) {
            let left = Left(&self.shared);
            // Whoever else is about to write comes along.
            tokio::task::yield_now().await;
            self.shared.write();
            std::mem::forget(left);
        } else {
            self.shared.arrived.notify_one();
        }
        outcome.await.unwrap_or_else(|_| Err("the ledger's writer has ended".to_owned()))
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The work of the journal's thread.
    fn serve(&self) {
        loop {
            let waiting = self.queue();
            let waiting = self.arrived.wait_while(waiting, |queue| queue.orders.is_empty() && !queue.closed);
            let waiting = waiting.unwrap_or_else(PoisonError::into_inner);
            if waiting.orders.is_empty() && waiting.closed {
                return;
            }
            drop(waiting);
            self.write();
        }
    }

    /// Writes whatever is waiting, with one write to the platter, and tells who waits for it.
    fn write(&self) {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let orders = std::mem::take(&mut self.queue().orders);
        if orders.is_empty() {
            return;
        }
        let first = writer.last;
        let written = writer.write(&self.database, &orders);
        drop(writer);
        let mut number = first;
        for Order(what, done) in orders {
            number += u64::from(matches!(what, What::Entry(_)));
            let _ = done.send(written.clone().map(|()| number));
        }
    }
}

fn serialized(entry: &Entry) -> Vec<u8> {
    serde_json::to_vec(entry).expect("an entry is JSON")
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
        self.shared.queue().closed = true;
        self.shared.arrived.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Writer {
    witness: Box<dyn Witness>,
    last: u64,
    /// What can't be written once may have been written in part: whoever comes after would build on sand.
    failed: bool,
}

impl Writer {
    fn write(&mut self, database: &Database, orders: &[Order]) -> Result<(), String> {
        if self.failed {
            return Err("the ledger could not be written before; start the host anew".to_owned());
        }
        let written = self.commit(database, orders);
        self.failed = written.is_err();
        self.last = written.clone().unwrap_or(self.last);
        written.map(|_| ())
    }

    /// Commits orders, with one write to the platter, and returns the number of the last entry.
    fn commit(&self, database: &Database, orders: &[Order]) -> Result<u64, String> {
        let failed = |error: &dyn std::fmt::Display| format!("the ledger can't be written: {error}");
        let mut last = self.last;
        let transaction = database.begin_write().map_err(|error| failed(&error))?;
        {
            let mut records = transaction.open_table(RECORDS).map_err(|error| failed(&error))?;
            for Order(what, _) in orders {
                match what {
                    What::Entry(text) => {
                        last += 1;
                        records.insert(last, text.as_slice()).map_err(|error| failed(&error))?;
                    }
                    What::Key(key, purpose) => {
                        let mut keys = transaction.open_table(KEYS).map_err(|error| failed(&error))?;
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
