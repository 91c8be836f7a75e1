//! The file itself: encrypted (age-encryption.org/v1), replaced whole, by one writer at a time.

use super::super::disk::{self, Disk, RealDisk};
use super::document::Document;
use super::key::FileKey;
use crate::lock::RwLock;
use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// How long a writer waits for another one, and how often it looks.
const PATIENCE: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(5);
/// Most bytes of the file: 64 MiB.
const MAX_SEALED: u64 = 64 << 20;

/// The encrypted file.
pub(super) struct Sealed {
    path: PathBuf,
    /// The key that opened it last, or is to.
    key: RwLock<Arc<FileKey>>,
}

/// Which writing of the file this is: another one has another.
pub(super) type Stamp = (u64, i64, i64, u64);

impl Sealed {
    pub(super) fn new(path: PathBuf, key: FileKey) -> Self {
        Self { path, key: RwLock::new(Arc::new(key)) }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn stamp(&self) -> io::Result<Stamp> {
        fs::metadata(&self.path).map(|file| (file.ino(), file.mtime(), file.mtime_nsec(), file.size()))
    }

    /// Opens the file.
    pub(super) fn read(&self) -> Result<Document, String> {
        let wrong = |what: String| format!("{}: {what}", self.path.display());
        let sealed = crate::files::read(&self.path, MAX_SEALED)
            .map_err(|error| wrong(format!("can't be read ({error}); `strongroom secrets init` makes a file of secrets")))?;
        let text = self.opened(&sealed).ok_or_else(|| wrong("this key does not open it, or it was cut short or changed".to_owned()))?;
        Document::read(&text).map_err(wrong)
    }

    /// What the file holds. Where the key in use does not open it, the key's own file may hold another by now.
    fn opened(&self, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let key = self.key();
        if let Some(text) = key.opened(sealed) {
            return Some(text);
        }
        let newer = key.read_again()?;
        let text = newer.opened(sealed)?;
        *self.key.write() = Arc::new(newer);
        Some(text)
    }

    fn key(&self) -> Arc<FileKey> {
        Arc::clone(&self.key.read())
    }

    /// Changes the file under a lock: no other writer comes between. The last generation stays beside it as `.bak`.
    pub(super) async fn change<T, E: From<String>>(self: &Arc<Self>, change: impl FnOnce(&mut Document) -> Result<T, E>) -> Result<T, E> {
        let wrong = |error: io::Error| E::from(format!("{}: can't be written ({error})", self.path.display()));
        let lock = turn(&self.path).await.map_err(wrong)?;
        // What opens a file, or waits for a disk, keeps no thread from agents; and it holds the lock to its end, whoever has lost patience.
        let sealed = Arc::clone(self);
        let read = tokio::task::spawn_blocking(move || (sealed.read(), lock)).await;
        let (document, lock) = read.map_err(io::Error::other).map_err(wrong)?;
        let mut document = document.map_err(E::from)?;
        let done = change(&mut document)?;
        let (path, key) = (self.path.clone(), self.key());
        let written = tokio::task::spawn_blocking(move || {
            let _lock = lock;
            write(&path, &key, &document)
        });
        written.await.map_err(io::Error::other).and_then(|written| written).map_err(wrong)?;
        Ok(done)
    }

    /// Writes the first generation; a file that is there stays.
    pub(super) fn create(&self) -> io::Result<()> {
        let _lock = self.lock()?;
        if self.path.exists() {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "it exists already"));
        }
        write(&self.path, &self.key(), &Document::new())
    }

    fn lock(&self) -> io::Result<File> {
        let lock = disk::lock_file(&self.path)?;
        lock.lock()?;
        Ok(lock)
    }

    /// Removes the last generation.
    pub(super) fn forget_last(&self) -> io::Result<()> {
        match fs::remove_file(self.last()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
            Ok(()) => RealDisk.sync_names(&self.path),
        }
    }

    fn last(&self) -> PathBuf {
        disk::beside(&self.path, "bak")
    }
}

/// The lock of the file at `path`, once others have let go of it. One that was stopped while it held it keeps nobody's thread.
pub(super) async fn turn(path: &Path) -> io::Result<File> {
    let lock = disk::lock_file(path)?;
    let begun = Instant::now();
    while let Err(error) = lock.try_lock() {
        match error {
            TryLockError::WouldBlock if begun.elapsed() < PATIENCE => tokio::time::sleep(LOOK).await,
            TryLockError::WouldBlock => return Err(io::Error::other("another process has held its lock for 10 s")),
            TryLockError::Error(error) => return Err(error),
        }
    }
    Ok(lock)
}
/// Replaces the file in one step; whatever breaks off before leaves the old one.
fn write(path: &Path, key: &FileKey, document: &Document) -> io::Result<()> {
    let sealed = key.sealed(&document.text())?;
    let (fresh, last) = (disk::beside(path, "new"), disk::beside(path, "bak"));
    disk::replace(&RealDisk, path, &fresh, Some(&last), &sealed)
}
