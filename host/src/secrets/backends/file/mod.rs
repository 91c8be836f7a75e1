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
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How often the file is looked at while an agent runs; it is opened only where it has changed.
const LOOK: Duration = Duration::from_secs(2);

/// Secrets in one file, encrypted with age. A bare name is looked up as `NAMESPACE/NAME`, then `NAME`.
pub struct FileBackend {
    sealed: Arc<Sealed>,
    opened: Arc<Opened>,
}

/// What was read of the file.
#[derive(Default)]
struct Opened {
    /// The last time, with the writing of the file that it was read from.
    last: Mutex<Option<(Stamp, Arc<Document>)>>,
    /// Had by whoever reads: to open a file takes a second where a passphrase does it, and once is enough.
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl FileBackend {
    /// A backend over an existing file, or one that [`FileBackend::create`] makes.
    #[must_use]
    pub fn new(path: PathBuf, key: FileKey) -> Self {
        Self { sealed: Arc::new(Sealed::new(path, key)), opened: Arc::default() }
    }

    /// Makes the file, without secrets in it.
    ///
    /// # Errors
    /// That of the file system; an existing file is never overwritten.
    pub fn create(&self) -> std::io::Result<()> {
        self.sealed.create()
    }

    /// What the file holds now. It is opened on a thread that serves no agents, and to its end, whoever has lost patience: what was read is
    /// there for the next who asks.
    async fn document(&self) -> Result<Arc<Document>, String> {
        if let Some(known) = self.opened.known(&self.sealed) {
            return Ok(known);
        }
        let turn = Arc::clone(&self.opened.turn).lock_owned().await;
        if let Some(known) = self.opened.known(&self.sealed) {
            return Ok(known);
        }
        let (sealed, opened) = (Arc::clone(&self.sealed), Arc::clone(&self.opened));
        let read = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            let stamp = sealed.stamp().ok();
            let document = Arc::new(sealed.read()?);
            *opened.last.lock() = stamp.map(|stamp| (stamp, Arc::clone(&document)));
            Ok(document)
        });
        read.await.unwrap_or_else(|error| Err(format!("{}: can't be read ({error})", self.sealed.path().display())))
    }
}

impl Opened {
    /// What was read last, where the file is as it was.
    fn known(&self, sealed: &Sealed) -> Option<Arc<Document>> {
        let last = self.last.lock();
        let (stamp, document) = last.as_ref()?;
        (sealed.stamp().ok()? == *stamp).then(|| Arc::clone(document))
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
            Which::Stage(_) => Err(BackendError::Refused("versions in a file have numbers, not labels; write `?version=3`".to_owned())),
        }
    }

    async fn get(&self, entry: &Entry) -> Result<Found, BackendError> {
        let document = self.document().await.map_err(BackendError::Unavailable)?;
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
        Ok(self.document().await?.newest(path).to_string())
    }

    async fn list(&self) -> Result<Vec<Stored>, StoreError> {
        Ok(self.document().await?.list())
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
        let sealed = Arc::clone(&self.sealed);
        let forgotten =
            tokio::task::spawn_blocking(move || sealed.forget_last()).await.unwrap_or_else(|error| Err(io::Error::other(error)));
        forgotten.map_err(|error| {
            StoreError::Unavailable(format!("{}: its previous generation can't be removed ({error})", self.sealed.path().display()))
        })
    }
}

fn number(version: &str) -> Result<u64, String> {
    version.parse().map_err(|_| "versions in a file are numbers, as in `3`".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[tokio::test]
    async fn a_passphrase_is_tried_on_a_thread_that_serves_no_agents() {
        let dir = tempfile::tempdir().expect("a directory");
        let key = || FileKey::Passphrase("correct horse battery".to_owned().into());
        let path = dir.path().join("secrets.age");
        FileBackend::new(path.clone(), key()).create().expect("made");
        let backend = FileBackend::new(path, key());
        let entry = Entry::new("KEY");

        // To open the file takes a second: whoever else is served by this thread goes on meanwhile.
        let mut reading = std::pin::pin!(backend.get(&entry));
        assert!(reading.as_mut().now_or_never().is_none());
        let mut writing = std::pin::pin!(backend.put(&entry, Deposit::new("0123456789"), None));
        assert!(writing.as_mut().now_or_never().is_none());
        assert!(matches!(reading.await, Err(BackendError::NotFound { .. })));
        assert_eq!(writing.await.as_deref(), Ok("1"));

        // Who loses patience leaves what was read to the next.
        let given_up = std::pin::pin!(backend.list()).now_or_never();
        assert!(given_up.is_none());
        assert_eq!(backend.get(&entry).await.expect("a value").version.as_deref(), Some("1"));
        // What is known by now is returned at once.
        assert!(backend.get(&entry).now_or_never().is_some_and(|found| found.is_ok()));
    }
}
