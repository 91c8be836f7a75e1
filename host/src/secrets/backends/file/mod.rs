//! An encrypted file of versioned secrets, for those who have no server to keep them.

mod document;
mod sealed;

pub use sealed::FileKey;

use super::{BackendError, Entry, Found, SecretBackend, SecretStore, StoreError, Stored};
use crate::secrets::SecretValue;
use async_trait::async_trait;
use document::Document;
use sealed::{Sealed, Stamp};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// Secrets in one file, encrypted with age. A bare name is looked up as `NAMESPACE/NAME`, then `NAME`.
pub struct FileBackend {
    sealed: Sealed,
    /// What was read last, with the writing of the file that it was read from.
    opened: Mutex<Option<(Stamp, Arc<Document>)>>,
}

impl FileBackend {
    /// A backend over a file that is there, or that [`FileBackend::create`] makes.
    #[must_use]
    pub fn new(path: PathBuf, key: FileKey) -> Self {
        Self { sealed: Sealed::new(path, key), opened: Mutex::default() }
    }

    /// Makes the file, without secrets in it.
    ///
    /// # Errors
    /// That of the file system; an existing file is never overwritten.
    pub fn create(&self) -> std::io::Result<()> {
        self.sealed.create()
    }

    fn document(&self) -> Result<Arc<Document>, String> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some((stamp, document)), Ok(now)) = (&*opened, self.sealed.stamp())
            && *stamp == now
        {
            return Ok(Arc::clone(document));
        }
        let stamp = self.sealed.stamp().ok();
        let document = Arc::new(self.sealed.read()?);
        *opened = stamp.map(|stamp| (stamp, Arc::clone(&document)));
        Ok(document)
    }
}

#[async_trait]
impl SecretBackend for FileBackend {
    fn entries_for(&self, namespace: &str, name: &str) -> Vec<Entry> {
        [format!("{namespace}/{name}"), name.to_owned()].map(|path| Entry { path, field: None }).into()
    }

    fn admits(&self, _entry: &Entry) -> Result<(), BackendError> {
        Ok(())
    }

    async fn get(&self, entry: &Entry) -> Result<Found, BackendError> {
        let document = self.document().map_err(BackendError::Unavailable)?;
        let looked_for = || crate::text::for_people(&format!("{} in {}", entry.path, self.sealed.path().display()));
        let value = document.current(&entry.path).ok_or_else(|| BackendError::NotFound { looked_for: looked_for() })?;
        let value = match &entry.field {
            None => value,
            Some(field) => value.field(field).ok_or_else(|| BackendError::NotFound { looked_for: format!("{}#{field}", looked_for()) })?,
        };
        Ok(Found { value, expires_at: None })
    }

    fn store(&self) -> Option<&dyn SecretStore> {
        Some(self)
    }
}

#[async_trait]
impl SecretStore for FileBackend {
    fn path_of(&self, namespace: Option<&str>, name: &str) -> String {
        namespace.map_or_else(|| name.to_owned(), |namespace| format!("{namespace}/{name}"))
    }

    async fn list(&self) -> Result<Vec<Stored>, StoreError> {
        let document = self.document()?;
        let stored = |(path, versions): (&str, _)| Stored { path: path.to_owned(), versions, current: document.current(path) };
        Ok(document.versions().map(stored).collect())
    }

    async fn put(&self, path: &str, value: SecretValue, expected: Option<u64>) -> Result<u64, StoreError> {
        value.check(None).map_err(StoreError::Refused)?;
        self.sealed.change(|document| document.put(path, value.bytes(), expected))
    }

    async fn delete(&self, path: &str, version: u64) -> Result<(), StoreError> {
        self.sealed.change(|document| document.mark(path, version, true))
    }

    async fn undelete(&self, path: &str, version: u64) -> Result<(), StoreError> {
        self.sealed.change(|document| document.mark(path, version, false))
    }
}
