//! An encrypted file of versioned secrets, for those who have no server to keep them.

mod document;
mod key;
mod rekey;
mod sealed;

pub use key::{FileKey, Identities};
pub use rekey::Rekeyed;

use super::{BackendError, Entry, Found, Freshness, SecretBackend, SecretStore, StoreError, Stored};
use crate::lock::Mutex;
use crate::manifest::Which;
use crate::secrets::{Deposit, SecretValue};
use async_trait::async_trait;
use document::Document;
use sealed::{Sealed, Stamp};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How often the file is looked at while an agent runs; it is opened only where it has changed.
const LOOK: Duration = Duration::from_secs(2);

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
        let mut opened = self.opened.lock();
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
        [format!("{namespace}/{name}"), name.to_owned()].map(Entry::new).into()
    }

    fn admits(&self, entry: &Entry) -> Result<(), BackendError> {
        match &entry.which {
            Which::Current => Ok(()),
            Which::Version(version) => number(version).map(|_| ()).map_err(BackendError::Refused),
            Which::Stage(_) => Err(BackendError::Refused("versions in a file have numbers and no labels; write `?version=3`".to_owned())),
        }
    }

    async fn get(&self, entry: &Entry) -> Result<Found, BackendError> {
        let document = self.document().map_err(BackendError::Unavailable)?;
        let which = match &entry.which {
            Which::Version(version) => Some(number(version).map_err(BackendError::Refused)?),
            _ => None,
        };
        let (version, value) = document.get(&entry.path, which).ok_or_else(|| {
            let looked_for = format!("{}{} in {}", entry.path, entry.which, self.sealed.path().display());
            BackendError::NotFound { looked_for: crate::text::for_people(&looked_for) }
        })?;
        Ok(Found { version: Some(version.to_string()), ..Found::value(value) })
    }

    fn freshness(&self) -> Freshness {
        Freshness::For(LOOK)
    }

    fn store(&self) -> Option<&dyn SecretStore> {
        Some(self)
    }
}

#[async_trait]
impl SecretStore for FileBackend {
    fn entry_of(&self, namespace: Option<&str>, name: &str) -> Result<Entry, StoreError> {
        Ok(Entry::new(namespace.map_or_else(|| name.to_owned(), |namespace| format!("{namespace}/{name}"))))
    }

    async fn newest(&self, path: &str) -> Result<String, StoreError> {
        Ok(self.document()?.newest(path).to_string())
    }

    async fn list(&self) -> Result<Vec<Stored>, StoreError> {
        Ok(self.document()?.list())
    }

    async fn put(&self, entry: &Entry, value: Deposit, expected: Option<&str>) -> Result<String, StoreError> {
        value.value().check(None).map_err(StoreError::Refused)?;
        let expected = expected.map(number).transpose().map_err(StoreError::Refused)?;
        let put = |document: &mut Document| match &entry.field {
            None => document.put(&entry.path, value.bytes(), expected),
            Some(field) => {
                let whole = document.get(&entry.path, None).map(|(_, whole)| whole);
                let whole = whole.as_ref().map_or(Ok(None), |whole| whole.with_field(field, &value).map(Some));
                let first = || SecretValue::new(*b"{}").with_field(field, &value);
                let whole =
                    whole.and_then(|whole| whole.map_or_else(first, Ok)).map_err(|why| StoreError::Refused(format!("{entry}: {why}")))?;
                document.put(&entry.path, whole.bytes(), expected)
            }
        };
        self.sealed.change(put).await.map(|number| number.to_string())
    }

    async fn delete(&self, path: &str, version: &str) -> Result<(), StoreError> {
        let version = number(version).map_err(StoreError::Refused)?;
        self.sealed.change(|document| document.mark(path, version, true)).await
    }

    async fn undelete(&self, path: &str, version: &str) -> Result<(), StoreError> {
        let version = number(version).map_err(StoreError::Refused)?;
        self.sealed.change(|document| document.mark(path, version, false)).await
    }

    async fn destroy(&self, path: &str, version: &str) -> Result<(), StoreError> {
        let version = number(version).map_err(StoreError::Refused)?;
        self.sealed.change(|document| document.remove(path, version)).await?;
        // The last generation holds it too.
        self.sealed.forget_last().map_err(|error| StoreError::Unavailable(error.to_string()))
    }
}

fn number(version: &str) -> Result<u64, String> {
    version.parse().map_err(|_| "versions in a file are numbers, as in `3`".to_owned())
}
