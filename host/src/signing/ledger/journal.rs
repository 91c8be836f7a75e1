//! The file behind the ledger. A group of records is kept once it is a frame of the log, with one write to the platter; a thread puts them
//! where they stay, a half of the log at once. The witness next to them knows how far the ledger had come: a ledger that is missing, or
//! older than it was, is detected.

use super::disk::Witness;
use super::log::Log;
use super::records::{self, Batch, Keys, Records};
use super::settler::Settler;
use super::unread;
use crate::lock::{Condvar, Mutex, MutexGuard};
use redb::StorageBackend;
use serde::{Deserialize, Serialize};
use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::oneshot;

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
    pub(crate) lines: Arc<[String]>,
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

/// After so many groups of one, one in as many looks for company: that costs some microseconds.
const LONELY: u32 = 8;

/// The longest rest between two writes. On a disk that is slower than this, enough comes while it writes.
const REST: Duration = Duration::from_micros(200);

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
    writing: Option<JoinHandle<()>>,
    settling: Option<JoinHandle<()>>,
}

struct Shared {
    settler: Settler,
    queue: Mutex<Queue>,
    arrived: Condvar,
    writer: Mutex<Writer>,
    /// How many groups in a row have been of one.
    alone: AtomicU32,
}

#[derive(Default)]
struct Queue {
    orders: Vec<Order>,
    /// Somebody leaves orders to the thread. Those of a task that writes by itself are not the thread's, however late it comes to look.
    left: bool,
    closed: bool,
}

struct Writer {
    witness: Box<dyn Witness>,
    log: Log,
    last: u64,
    /// Why it could not be written once. It may have been written in part: whoever comes after would build on sand.
    failed: Option<String>,
}

/// What was found as a journal was opened.
pub(super) struct Opened {
    pub(super) journal: Journal,
    pub(super) entries: Vec<(u64, Entry)>,
    pub(super) keys: Keys,
    /// Why nothing may be signed until the operator has looked.
    pub(super) doubt: Option<String>,
}

impl Journal {
    /// Opens the journal on whatever serves as its disks.
    pub(super) fn on(disk: impl StorageBackend, mut log: Log, witness: impl Witness) -> Result<Opened, String> {
        let broken = unread;
        // What is wrong with the witness says itself what to do.
        let seen = witness.read().map_err(|error| format!("the ledger can't be read: {error}"))?.map(u64::from_be_bytes);
        let records = Records::on(disk, seen.is_none())?;
        // The log is touched only now: who has the records open has them alone.
        let standing = records.standing().map_err(|error| broken(&error))?;
        let mut found = log.find(&standing).map_err(|error| broken(&error))?;
        let last = found.last;
        let doubt = found.doubt.take().or_else(|| match seen {
            Some(seen) if seen > last => Some(format!("the ledger has {last} records and had {seen}: it is missing, or older than it was")),
            None if last > 0 => Some("the ledger's witness is missing: whether the ledger is the latest can't be told".to_owned()),
            _ => None,
        });
        let settler = Settler::of(records, found.batch, doubt.is_some());
        if doubt.is_none() {
            // Whatever the log had is where it stays before the log is written again.
            settler.keep(&Batch::default(), &mut log)?;
            if seen.is_none() {
                // Before the first record: a cut right after it would leave the record without its witness.
                witness.write(0_u64.to_be_bytes()).map_err(|error| broken(&error))?;
            }
        }
        let (entries, keys) = read(&settler).map_err(|error| broken(&*error))?;
        let writer = Mutex::new(Writer { witness: Box::new(witness), log, last: last.max(seen.unwrap_or(0)), failed: None });
        let shared = Arc::new(Shared { settler, queue: Mutex::default(), arrived: Condvar::new(), writer, alone: AtomicU32::new(0) });
        // Whatever of it is there ends it, should the rest fail.
        let mut journal = Self { shared, writing: None, settling: None };
        journal.writing = Some(journal.thread("ledger", Shared::serve).map_err(|error| broken(&error))?);
        journal.settling = Some(journal.thread("ledger-log", |shared| shared.settler.serve()).map_err(|error| broken(&error))?);
        Ok(Opened { journal, entries, keys, doubt })
    }

    fn thread(&self, name: &str, work: fn(&Shared)) -> std::io::Result<JoinHandle<()>> {
        let shared = Arc::clone(&self.shared);
        thread::Builder::new().name(name.to_owned()).spawn(move || work(&shared))
    }

    /// Keeps an entry. When this gives a number, it survives the loss of power; the number is its own, or a later one's.
    pub(super) fn write(&self, entry: &Entry) -> impl Future<Output = Result<u64, String>> + use<'_> {
        self.order(What::Entry(serialized(entry)))
    }

    /// Keeps what a key is for.
    pub(super) fn enroll(&self, key: Vec<u8>, purpose: String) -> impl Future<Output = Result<u64, String>> + use<'_> {
        self.order(What::Key(key, purpose))
    }

    /// Keeps an entry for whose fate nobody waits.
    pub(super) fn write_later(&self, entry: &Entry) {
        let (done, _) = oneshot::channel();
        self.shared.queue().orders.push(Order(What::Entry(serialized(entry)), done));
        self.shared.leave();
    }

    /// An entry that was kept.
    pub(super) fn read(&self, number: u64) -> Option<Entry> {
        serde_json::from_slice(&self.shared.settler.read(number)?).ok()
    }

    fn order(&self, what: What) -> impl Future<Output = Result<u64, String>> + use<'_> {
        /// Leaves what was ordered to the thread, unless it is forgotten: where the task does not write by itself, or is given up before it has.
        struct Left<'s>(&'s Shared);
        impl Drop for Left<'_> {
            fn drop(&mut self) {
                self.0.leave();
            }
        }

        let (done, outcome) = oneshot::channel();
        self.shared.queue().orders.push(Order(what, done));
        let own = matches!(Handle::try_current().map(|runtime| runtime.runtime_flavor()), Ok(RuntimeFlavor::CurrentThread));
        let left = Left(&self.shared);
        async move {
            if own {
                // Whoever else is about to write comes along. Who has been alone for long looks for company now and then.
                let alone = self.shared.alone.load(Ordering::Relaxed);
                if alone < LONELY || alone.is_multiple_of(LONELY) {
                    tokio::task::yield_now().await;
                }
                // One write takes along all that wait. Where it took this one too, the next write belongs to whoever ordered it, and they wait for it.
                if outcome.is_empty() {
                    self.shared.write();
                }
                std::mem::forget(left);
            } else {
                drop(left);
            }
            outcome.await.unwrap_or_else(|_| Err("the ledger's writer has ended".to_owned()))
        }
    }
}

impl Drop for Journal {
    /// Waits until whatever was ordered is kept, and where it stays: who opens the ledger next finds it.
    fn drop(&mut self) {
        self.shared.queue().closed = true;
        self.shared.arrived.notify_one();
        let _ = self.writing.take().map(JoinHandle::join);
        self.shared.settler.close();
        let _ = self.settling.take().map(JoinHandle::join);
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock()
    }

    /// Leaves what has been ordered to the thread.
    fn leave(&self) {
        let before = std::mem::replace(&mut self.queue().left, true);
        // Where something was left before, it has been told already: to tell it again is a call of the system.
        if !before {
            self.arrived.notify_one();
        }
    }

    /// The work of the journal's thread. Where many come at once, it rests after a write for as long as that took, at most [`REST`]: what comes
    /// meanwhile shares the next one.
    fn serve(&self) {
        loop {
            let mut waiting = self.arrived.wait_while(self.queue(), |queue| !queue.left && !queue.closed);
            if waiting.orders.is_empty() && waiting.closed {
                return;
            }
            waiting.left = false;
            drop(waiting);
            let begun = Instant::now();
            if self.write() > 1 {
                thread::sleep(begun.elapsed().min(REST));
            }
        }
    }

    /// Writes whatever is waiting, with one write to the platter, and tells who waits for it. Returns how many that were.
    fn write(&self) -> usize {
        let mut writer = self.writer.lock();
        let orders = std::mem::take(&mut self.queue().orders);
        let count = orders.len();
        match count {
            0 => return 0,
            1 => _ = self.alone.fetch_add(1, Ordering::Relaxed),
            _ => self.alone.store(0, Ordering::Relaxed),
        }
        let mut last = writer.last;
        let mut batch = Batch::default();
        let mut waiting = Vec::with_capacity(orders.len());
        for Order(what, done) in orders {
            match what {
                What::Entry(text) => {
                    last += 1;
                    batch.entries.insert(last, text);
                }
                What::Key(key, purpose) => batch.keys.push((key, purpose)),
            }
            waiting.push((last, done));
        }
        let written = writer.write(self, batch);
        drop(writer);
        for (number, done) in waiting {
            let _ = done.send(written.clone().map(|()| number));
        }
        count
    }
}

impl Writer {
    fn write(&mut self, shared: &Shared, batch: Batch) -> Result<(), String> {
        if let Some(why) = &self.failed {
            return Err(format!("{why} (an earlier failure: restart the host)"));
        }
        let last = batch.last().unwrap_or(self.last);
        let written = self.commit(&shared.settler, batch, last);
        match &written {
            Ok(()) => self.last = last,
            Err(why) => self.failed = Some(why.clone()),
        }
        written
    }

    /// Commits a batch, with one write to the platter.
    fn commit(&mut self, settler: &Settler, mut batch: Batch, last: u64) -> Result<(), String> {
        let failed = |error: &dyn Display| format!("the ledger can't be written: {error}");
        let doubted = settler.doubts()?;
        if doubted && batch.entries.is_empty() {
            return settler.keep_aside(&batch);
        }
        let frame = self.log.frame(self.last + 1, &batch);
        if doubted || !self.log.holds(&frame) {
            settler.keep(&batch, &mut self.log)?;
        } else {
            if !self.log.has_room(&frame) {
                settler.turn()?;
                self.log.turn();
            }
            batch.frame = self.log.append(&frame).map_err(|error| failed(&error))?;
            settler.add(batch);
        }
        // After the commit: a witness is never ahead of what it bears witness to.
        self.witness.write(last.to_be_bytes()).map_err(|error| failed(&error))
    }
}

/// The numbered entries, and the keys with their purposes.
fn read(settler: &Settler) -> records::Result<(Vec<(u64, Entry)>, Keys)> {
    let mut entries = Vec::new();
    let keys = settler.all(|number, text| {
        let mut entry: Entry = serde_json::from_slice(text)?;
        // What the books need: whether there is a signature, and not what it is.
        entry.lines = Arc::default();
        entry.sealed = entry.sealed.map(|_| String::new());
        entries.push((number, entry));
        Ok(())
    })?;
    Ok((entries, keys))
}

fn serialized(entry: &Entry) -> Vec<u8> {
    /// Bytes of most entries, at most: growing would copy them several times. glibc's allocator takes a lock from 1,033 bytes on.
    const ROOM: usize = 1_000;
    let mut text = Vec::with_capacity(ROOM);
    serde_json::to_writer(&mut text, entry).expect("an entry is JSON");
    text
}
