//! The keys and values of one agent, as all of its runs have them, in whatever process.

use super::file::{Log, taken};
use super::{Change, LONGEST_KEY, LONGEST_VALUE};
use crate::lock::Mutex;
use crate::manifest::StateSpec;
use crate::state::StateDir;
use std::collections::{BTreeMap, HashMap};
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Where buckets are, in the state directory.
const DIRECTORY: &str = "agents";
/// How long another process may hold the bucket: it writes for some milliseconds, unless it is stopped or its disk is.
const PATIENCE: Duration = Duration::from_secs(10);
/// How soon a lock is tried again that somebody holds.
const TRY_AGAIN: Duration = Duration::from_millis(2);
/// What a file may have beside twice what counts.
const SLACK: u64 = 256 << 10;

/// The keys and values of one agent.
pub(crate) struct Bucket {
    lock: PathBuf,
    index: Mutex<Index>,
}

/// What is in the file, as far as it was read.
struct Index {
    log: Log,
    entries: BTreeMap<String, Entry>,
    /// Bytes of keys and values.
    size: u64,
    /// Bytes that they take of a file which holds nothing else.
    taken: u64,
    /// The torn end that was seen last: where it begins, and the file's length.
    torn: Option<(u64, u64)>,
}

/// Where a value is.
struct Entry {
    at: u64,
    length: usize,
    written: u64,
    stands: Vec<(String, String)>,
    /// Bytes of the file.
    taken: u64,
}

/// A value, with the placeholders that stood in it when it was written.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Value {
    pub(crate) bytes: Vec<u8>,
    pub(crate) stands: Vec<(String, String)>,
}

/// A key, for an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) key: String,
    /// Bytes of its value.
    pub(crate) size: u64,
    /// In milliseconds since 1970.
    pub(crate) written: u64,
}

/// Why nothing was changed.
#[derive(Debug)]
pub(crate) enum Refused {
    /// There would be more bytes than the manifest allows.
    Size,
    /// There would be more keys.
    Keys,
    /// What was asked for makes no sense: what is wrong.
    Malformed(&'static str),
    /// The sum of an addition is a secret.
    Secret,
    /// The agent is stopped.
    Stopped,
    /// The file can't be read or written.
    Io(io::Error),
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Bucket {
    /// That of an agent, in a state directory. Nothing is made before something is kept.
    pub(crate) fn of(state: &StateDir, agent: &str) -> io::Result<Self> {
        let directory = state.subdirectory(DIRECTORY)?;
        let path = |extension| directory.path().join(agent).with_extension(extension);
        let index = Index { log: Log::new(path("state")), entries: BTreeMap::new(), size: 0, taken: 0, torn: None };
        Ok(Self { lock: path("lock"), index: Mutex::new(index) })
    }

    /// The value of a key.
    pub(crate) fn get(&self, key: &str) -> io::Result<Option<Value>> {
        let mut index = self.index.lock();
        index.refresh()?;
        index.get(key)
    }

    /// Whether there is such a key.
    pub(crate) fn exists(&self, key: &str) -> io::Result<bool> {
        let mut index = self.index.lock();
        index.refresh()?;
        Ok(index.entries.contains_key(key))
    }

    /// All keys, in order.
    pub(crate) fn list(&self) -> io::Result<Vec<Listed>> {
        let mut index = self.index.lock();
        index.refresh()?;
        let listed = |(key, entry): (&String, &Entry)| Listed { key: key.clone(), size: entry.length as u64, written: entry.written };
        Ok(index.entries.iter().map(listed).collect())
    }

    /// Makes changes, all of them or none. `pass` lets the write through, or not, as for an agent that is stopped.
    pub(crate) fn change(
        &self,
        bounds: &StateSpec,
        all: &[Change<'_>],
        pass: impl FnOnce(&mut dyn FnMut()) -> bool,
    ) -> Result<(), Refused> {
        all.iter().try_for_each(check)?;
        let mut index = self.index.lock();
        let _turn = self.turn()?;
        index.refresh()?;
        index.apply(bounds, all, pass)
    }

    /// Adds to a number, which is kept as decimal digits; a key that is not there counts as 0. Gives the sum, unless that is a secret.
    pub(crate) fn increment(
        &self,
        bounds: &StateSpec,
        key: &str,
        delta: u64,
        written: u64,
        is_secret: impl FnOnce(&[u8]) -> bool,
        pass: impl FnOnce(&mut dyn FnMut()) -> bool,
    ) -> Result<u64, Refused> {
        let mut index = self.index.lock();
        let _turn = self.turn()?;
        index.refresh()?;
        let number = match index.get(key)? {
            None => 0,
            Some(value) => std::str::from_utf8(&value.bytes)
                .ok()
                .and_then(|digits| digits.parse::<u64>().ok())
                .ok_or(Refused::Malformed("the value is not a whole number of decimal digits"))?,
        };
        let sum = number.checked_add(delta).ok_or(Refused::Malformed("the sum has more than 64 bits"))?;
        let value = sum.to_string().into_bytes();
        if is_secret(&value) {
            return Err(Refused::Secret);
        }
        let change = Change::Set { key: key.into(), value: value.into(), written, stands: Vec::new() };
        check(&change)?;
        index.apply(bounds, &[change], pass)?;
        Ok(sum)
    }

    /// Takes a key out, for an operator. Returns whether it was there.
    #[cfg(any(test, feature = "ops"))]
    pub(crate) fn remove(&self, key: &str) -> io::Result<bool> {
        let mut index = self.index.lock();
        let _turn = self.turn()?;
        index.refresh()?;
        if !index.entries.contains_key(key) {
            return Ok(false);
        }
        index.log.append(&[&Change::Delete { key: key.into() }], always)?;
        index.refresh()?;
        // It is taken out since it is to be gone.
        index.compact()?;
        Ok(true)
    }

    /// Takes everything out, whatever state its file is in.
    #[cfg(any(test, feature = "ops"))]
    pub(crate) fn clear(&self) -> io::Result<()> {
        let mut index = self.index.lock();
        let _turn = self.turn()?;
        index.log.replace(std::iter::empty(), always)?;
        index.refresh()
    }

    /// The turn to write, among all processes.
    fn turn(&self) -> io::Result<File> {
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&self.lock)?;
        let until = Instant::now() + PATIENCE;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::Error(error)) => return Err(error),
                Err(TryLockError::WouldBlock) if Instant::now() >= until => {
                    let said = format!("another process holds {}: end it, or wait", self.lock.display());
                    return Err(io::Error::new(io::ErrorKind::TimedOut, said));
                }
                Err(TryLockError::WouldBlock) => std::thread::sleep(TRY_AGAIN),
            }
        }
    }
}

/// Lets what is no change of the agent's through.
fn always(work: &mut dyn FnMut()) -> bool {
    work();
    true
}

/// Whether a change could be made at all.
fn check(change: &Change<'_>) -> Result<(), Refused> {
    match change {
        Change::Set { key, value, .. } => {
            if key.is_empty() || key.len() > LONGEST_KEY || key.chars().any(char::is_control) {
                return Err(Refused::Malformed("a key has 1 to 256 bytes and no control characters"));
            }
            if value.len() > LONGEST_VALUE {
                return Err(Refused::Malformed("a value has at most 1 MiB"));
            }
            Ok(())
        }
        Change::Delete { .. } => Ok(()),
    }
}

impl Index {
    /// Takes in what any process has changed since.
    fn refresh(&mut self) -> io::Result<()> {
        if self.log.is_replaced()? {
            self.reopen()?;
        }
        if self.read_on()? {
            let torn = (self.log.end, self.log.length()?);
            if self.torn != Some(torn) {
                // Somebody may have taken back what was read here, and written something else in its place.
                self.reopen()?;
                self.read_on()?;
                self.torn = Some((self.log.end, self.log.length()?));
            }
        }
        Ok(())
    }

    fn read_on(&mut self) -> io::Result<bool> {
        let Self { log, entries, size, taken, .. } = self;
        let read = log.read_on(|read| take(entries, size, taken, read.change, read.at));
        if read.is_err() {
            // Whoever comes next begins anew, and is told the same.
            self.forget();
        }
        read
    }

    fn reopen(&mut self) -> io::Result<()> {
        self.forget();
        self.log.open()
    }

    fn forget(&mut self) {
        self.log.forget();
        self.entries.clear();
        (self.size, self.taken, self.torn) = (0, 0, None);
    }

    fn get(&self, key: &str) -> io::Result<Option<Value>> {
        let Some(entry) = self.entries.get(key) else { return Ok(None) };
        let bytes = self.log.value(entry.at, entry.length)?;
        Ok(Some(Value { bytes, stands: entry.stands.clone() }))
    }

    /// Makes changes, whoever's turn it is being this one's.
    fn apply(&mut self, bounds: &StateSpec, all: &[Change<'_>], pass: impl FnOnce(&mut dyn FnMut()) -> bool) -> Result<(), Refused> {
        self.check_bounds(bounds, all)?;
        let is_change = |change: &Change<'_>| matches!(change, Change::Set { .. }) || self.entries.contains_key(change.key());
        // Of several changes of one key the last counts.
        let last: HashMap<&str, usize> = all.iter().enumerate().map(|(at, change)| (change.key(), at)).collect();
        let all = all.iter().enumerate().filter(|(at, change)| last[change.key()] == *at && is_change(change));
        let all: Vec<&Change<'_>> = all.map(|(_, change)| change).collect();
        if all.is_empty() {
            return Ok(());
        }
        if !self.log.append(&all, pass)? {
            return Err(Refused::Stopped);
        }
        self.refresh()?;
        if self.log.end > 2 * self.taken + SLACK
            && let Err(error) = self.compact()
        {
            tracing::warn!(%error, "what an agent has changed since is not taken out of the file of its state; it is kept as it is");
        }
        Ok(())
    }

    /// Refuses what would grow past the bounds. What has grown past them before may stay as it is, or shrink.
    fn check_bounds(&self, bounds: &StateSpec, all: &[Change<'_>]) -> Result<(), Refused> {
        let mut after: HashMap<&str, Option<u64>> = HashMap::new();
        for change in all {
            let size = if let Change::Set { key, value, .. } = change { Some((key.len() + value.len()) as u64) } else { None };
            after.insert(change.key(), size);
        }
        let (mut size, mut keys) = (self.size, self.entries.len() as u64);
        for (key, new) in after {
            let old = self.entries.get(key).map(|entry| (key.len() + entry.length) as u64);
            size = size - old.unwrap_or(0) + new.unwrap_or(0);
            keys = keys - u64::from(old.is_some()) + u64::from(new.is_some());
        }
        if size > bounds.max_size && size > self.size {
            return Err(Refused::Size);
        }
        if keys > u64::from(bounds.max_keys) && keys > self.entries.len() as u64 {
            return Err(Refused::Keys);
        }
        Ok(())
    }

    /// Has the file hold what counts, and nothing else.
    fn compact(&mut self) -> io::Result<()> {
        let each = self.entries.iter().map(|(key, entry)| {
            let value = self.log.value(entry.at, entry.length)?;
            let change = Change::Set { key: key.into(), value: value.into(), written: entry.written, stands: entry.stands.clone() };
            Ok(vec![change])
        });
        self.log.replace(each, always)?;
        self.refresh()
    }
}

/// Takes a change into the index.
fn take(entries: &mut BTreeMap<String, Entry>, size: &mut u64, bytes: &mut u64, change: Change<'_>, at: u64) {
    let gone = match change {
        Change::Set { key, value, written, stands } => {
            let (key, length) = (key.into_owned(), value.len());
            let taken = taken(&key, length, &stands);
            *size += (key.len() + length) as u64;
            *bytes += taken;
            let gone = entries.insert(key.clone(), Entry { at, length, written, stands, taken });
            gone.map(|entry| (key.len(), entry))
        }
        Change::Delete { key } => entries.remove(key.as_ref()).map(|entry| (key.len(), entry)),
    };
    if let Some((key, entry)) = gone {
        *size -= (key + entry.length) as u64;
        *bytes -= entry.taken;
    }
}
