//! Where secrets are kept. One trait, one file for each kind of place.

mod bounds;
mod env;
mod file;
mod fixed;

pub(crate) use bounds::Bounds;
pub use env::EnvBackend;
#[cfg(feature = "cli")]
pub(crate) use env::variables as env_variables;
pub use file::{FileBackend, FileKey};
pub use fixed::StaticBackend;

use super::SecretValue;
use crate::manifest::SecretRef;
use async_trait::async_trait;
use std::sync::Arc;

/// An entry of a backend: a path, and a field of it where entries have fields.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Entry {
    /// The path, as the manifest writes it after the colon.
    pub path: String,
    /// The field after the `#`.
    pub field: Option<String>,
}

/// What a backend found.
#[derive(Debug)]
pub struct Found {
    /// The value.
    pub value: SecretValue,
    /// When it stops working, in seconds since 1970-01-01T00:00:00Z, where the backend knows it.
    pub expires_at: Option<u64>,
}

/// Why a backend gave no value. No message may hold a value, or a part of one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BackendError {
    /// There is no such entry.
    #[error("not found: looked for {looked_for}")]
    NotFound {
        /// What was looked for, as a person would set it.
        looked_for: String,
    },
    /// The entry is closed to manifests.
    #[error("{0}")]
    Refused(String),
    /// The backend can't be reached, or answered with an error.
    #[error("{0}")]
    Unavailable(String),
}

/// A place where secrets are kept. Implement it to bring your own; see [`StaticBackend`] for the smallest one.
#[async_trait]
pub trait SecretBackend: Send + Sync {
    /// The entries tried, in order, for a bare name in a namespace.
    fn entries_for(&self, namespace: &str, name: &str) -> Vec<Entry>;

    /// Whether a manifest may name this entry at all; decided without asking the store.
    ///
    /// # Errors
    /// [`BackendError::Refused`] with the reason.
    fn admits(&self, entry: &Entry) -> Result<(), BackendError>;

    /// The entry's current value. Called once for each secret at the start of a run.
    ///
    /// # Errors
    /// [`BackendError`]: [`BackendError::NotFound`] only where the store answered that there is none.
    async fn get(&self, entry: &Entry) -> Result<Found, BackendError>;

    /// The same as a store that can be written to, if it is one.
    fn store(&self) -> Option<&dyn SecretStore> {
        None
    }
}

/// A backend that can be written to. Every value keeps its versions; a deleted one can be restored.
#[async_trait]
pub trait SecretStore: SecretBackend {
    /// The path under which a name is kept: in a namespace, or for all agents.
    fn path_of(&self, namespace: Option<&str>, name: &str) -> String;

    /// All secrets, in the order of their paths.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn list(&self) -> Result<Vec<Stored>, StoreError>;

    /// Adds a version and returns its number; with `expected`, only if that is the newest one's number (0: there is none).
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where another version is the newest.
    async fn put(&self, path: &str, value: SecretValue, expected: Option<u64>) -> Result<u64, StoreError>;

    /// Takes a version out of use; it can be restored.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] where there is no such version.
    async fn delete(&self, path: &str, version: u64) -> Result<(), StoreError>;

    /// Takes a version into use again. The newest one in use is the current one.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] where there is no such version.
    async fn undelete(&self, path: &str, version: u64) -> Result<(), StoreError>;
}

/// A secret in a store, without its value.
#[derive(Debug)]
pub struct Stored {
    /// Its path.
    pub path: String,
    /// Its versions, oldest first.
    pub versions: Vec<VersionInfo>,
    /// The current value, to be told apart from others by its fingerprint.
    pub current: Option<SecretValue>,
}

/// One version of a secret, without its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionInfo {
    /// Its number, from 1.
    pub number: u64,
    /// When it was written, RFC 3339.
    pub created: String,
    /// Whether it is out of use.
    pub deleted: bool,
}

/// Why a store did not do what was asked. No message holds a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// There is no such secret, or no such version.
    #[error("{0}")]
    NotFound(String),
    /// Another version came between.
    #[error(
        "version {found} is the newest, not {expected}: somebody else has written it; look at it with `strongroom secrets status` first"
    )]
    Conflict {
        /// The number that was expected.
        expected: u64,
        /// The number that was found.
        found: u64,
    },
    /// The value can't be a secret.
    #[error("{0}")]
    Refused(String),
    /// The store can't be read or written.
    #[error("{0}")]
    Unavailable(String),
}

impl From<String> for StoreError {
    fn from(text: String) -> Self {
        Self::Unavailable(text)
    }
}

/// Backends, by the name that manifests write before the colon.
pub(crate) type Named = Vec<(String, Arc<dyn SecretBackend>, Bounds)>;

/// The backends of a host.
pub(crate) struct Backends {
    by_name: Named,
    default: String,
}

impl Backends {
    pub(crate) fn new(by_name: Named, default: String) -> Self {
        Self { by_name, default }
    }

    pub(crate) fn has_default(&self) -> bool {
        self.backend(&self.default).is_ok()
    }

    /// The backend of that name, or the default one.
    #[cfg(feature = "cli")]
    pub(crate) fn named(&self, name: Option<&str>) -> Result<&dyn SecretBackend, BackendError> {
        self.backend(name.unwrap_or(&self.default)).map(|(backend, _)| &**backend)
    }

    /// The names of all backends.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.iter().map(|(name, ..)| name.as_str())
    }

    fn backend(&self, name: &str) -> Result<(&Arc<dyn SecretBackend>, &Bounds), BackendError> {
        let backend = self.by_name.iter().find(|(known, ..)| known == name).map(|(_, backend, bounds)| (backend, bounds));
        backend.ok_or_else(|| {
            let known: Vec<&str> = self.names().collect();
            let name = crate::text::for_people(name);
            BackendError::Refused(format!("no backend `{name}` is configured; configured are: {}", known.join(", ")))
        })
    }

    /// The backend and the entries that a reference stands for, checked against what manifests may name.
    pub(crate) fn entries(
        &self,
        from: &SecretRef,
        agent: &str,
        namespace: &str,
    ) -> Result<(&Arc<dyn SecretBackend>, Vec<Entry>), BackendError> {
        let ((backend, bounds), entries) = match from {
            SecretRef::Bare(name) => {
                let (backend, bounds) = self.backend(&self.default)?;
                ((backend, bounds), backend.entries_for(namespace, name))
            }
            SecretRef::Exact { backend, path, field } => (self.backend(backend)?, vec![Entry { path: path.clone(), field: field.clone() }]),
        };
        // A bare name must not slide into an entry that is closed: all of its entries are admitted, or none.
        for entry in &entries {
            bounds.admit(agent, &entry.path)?;
            backend.admits(entry)?;
        }
        Ok((backend, entries))
    }

    pub(super) async fn get(&self, from: &SecretRef, agent: &str, namespace: &str) -> Result<Found, BackendError> {
        let (backend, entries) = self.entries(from, agent, namespace)?;
        let mut looked_for = Vec::new();
        for entry in &entries {
            match backend.get(entry).await {
                Err(BackendError::NotFound { looked_for: at }) => looked_for.push(at),
                other => return other,
            }
        }
        Err(BackendError::NotFound { looked_for: looked_for.join(", then ") })
    }
}
