//! A simulated disk of a host: whatever was written since the last sync may be there after a power cut or not, sector by sector. One plug
//! for all files of a ledger, pulled after so many writes and syncs.

use super::disk::Witness;
use redb::StorageBackend;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

/// What a disk writes whole.
const SECTOR: usize = 512;

#[derive(Clone, Debug, Default)]
pub(super) struct Platter(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    inner: Mutex<Inner>,
    released: Condvar,
}

#[derive(Debug, Default)]
struct Inner {
    records: Contents,
    log: Contents,
    witness: Option<[u8; 8]>,
    operations: usize,
    plug: Option<usize>,
    /// Writes to the records wait.
    held: bool,
}

/// What is in one file.
#[derive(Debug, Default, Clone)]
struct Contents {
    synced: Vec<u8>,
    /// Writes since the last sync: what was changed, or the length that was set.
    cached: Vec<Change>,
    whole: Vec<u8>,
}

#[derive(Debug, Clone)]
enum Change {
    Write(usize, Vec<u8>),
    Length(usize),
}

/// One of the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    Records,
    Log,
}

/// One file of the disk.
#[derive(Clone, Debug)]
pub(super) struct Spindle(Platter, Which);

/// While this is there, writes to the records wait.
pub(super) struct Held<'p>(&'p Platter);

impl Platter {
    pub(super) fn file(&self, which: Which) -> Spindle {
        Spindle(self.clone(), which)
    }

    pub(super) fn operations(&self) -> usize {
        self.inner().operations
    }

    /// Has the plug pulled after so many more writes and syncs.
    pub(super) fn pull_after(&self, operations: usize) {
        let mut inner = self.inner();
        inner.plug = Some(inner.operations + operations);
    }

    /// The disk after the cut: what was synced, and of the rest what `kept` says.
    pub(super) fn after_the_cut(&self, kept: impl Fn(usize) -> bool) -> Self {
        let inner = self.inner();
        let cut = |contents: &Contents| {
            let mut bytes = contents.synced.clone();
            contents.cached.iter().enumerate().filter(|(at, _)| kept(*at)).for_each(|(_, change)| change.make(&mut bytes));
            Contents { synced: bytes.clone(), whole: bytes, cached: Vec::new() }
        };
        let after = Inner { records: cut(&inner.records), log: cut(&inner.log), witness: inner.witness, ..Inner::default() };
        Self(Arc::new(Shared { inner: Mutex::new(after), released: Condvar::new() }))
    }

    /// The bytes of a file.
    pub(super) fn bytes(&self, which: Which) -> Vec<u8> {
        self.inner().contents(which).whole.clone()
    }

    /// Puts other bytes into a file.
    pub(super) fn replace(&self, which: Which, bytes: Vec<u8>) {
        *self.inner().contents(which) = Contents { synced: bytes.clone(), whole: bytes, cached: Vec::new() };
    }

    pub(super) fn witness(&self) -> Option<[u8; 8]> {
        self.inner().witness
    }

    pub(super) fn replace_witness(&self, witness: Option<[u8; 8]>) {
        self.inner().witness = witness;
    }

    /// Lets writes to the records wait.
    pub(super) fn hold(&self) -> Held<'_> {
        self.inner().held = true;
        Held(self)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.inner.lock().expect("the disk")
    }

    /// Counts an operation; fails where the plug has been pulled.
    fn powered(&self) -> io::Result<MutexGuard<'_, Inner>> {
        let mut inner = self.inner();
        inner.operations += 1;
        if inner.plug.is_some_and(|plug| inner.operations > plug) {
            return Err(io::Error::other("the power is gone"));
        }
        Ok(inner)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.inner().held = false;
        self.0.0.released.notify_all();
    }
}

impl Inner {
    fn contents(&mut self, which: Which) -> &mut Contents {
        match which {
            Which::Records => &mut self.records,
            Which::Log => &mut self.log,
        }
    }
}

impl Change {
    fn make(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Length(length) => bytes.resize(*length, 0),
            Self::Write(at, data) => {
                if bytes.len() < at + data.len() {
                    bytes.resize(at + data.len(), 0);
                }
                bytes[*at..at + data.len()].copy_from_slice(data);
            }
        }
    }
}

impl Spindle {
    fn change(&self, changes: impl IntoIterator<Item = Change>) -> io::Result<()> {
        if self.1 == Which::Records {
            drop(self.0.0.released.wait_while(self.0.inner(), |inner| inner.held).expect("the disk"));
        }
        let mut inner = self.0.powered()?;
        let contents = inner.contents(self.1);
        for change in changes {
            change.make(&mut contents.whole);
            contents.cached.push(change);
        }
        Ok(())
    }
}

impl StorageBackend for Spindle {
    fn len(&self) -> Result<u64, io::Error> {
        Ok(self.0.inner().contents(self.1).whole.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        let mut inner = self.0.inner();
        let at = usize::try_from(offset).expect("small");
        let found = inner.contents(self.1).whole.get(at..at + out.len()).ok_or_else(|| io::Error::other("beyond the end"))?;
        out.copy_from_slice(found);
        Ok(())
    }

    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        self.change([Change::Length(usize::try_from(len).expect("small"))])
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        let mut inner = self.0.powered()?;
        let contents = inner.contents(self.1);
        for change in std::mem::take(&mut contents.cached) {
            change.make(&mut contents.synced);
        }
        Ok(())
    }

    fn write(&self, offset: u64, mut data: &[u8]) -> Result<(), io::Error> {
        let mut at = usize::try_from(offset).expect("small");
        let mut changes = Vec::new();
        while !data.is_empty() {
            let (sector, rest) = data.split_at((SECTOR - at % SECTOR).min(data.len()));
            changes.push(Change::Write(at, sector.to_vec()));
            (at, data) = (at + sector.len(), rest);
        }
        self.change(changes)
    }
}

impl Witness for Platter {
    fn read(&self) -> io::Result<Option<[u8; 8]>> {
        Ok(self.inner().witness)
    }

    fn write(&self, last: [u8; 8]) -> io::Result<()> {
        self.powered()?.witness = Some(last);
        Ok(())
    }
}
