//! Where secrets are kept. One trait, one file for each kind of place.

mod env;
mod fixed;

pub use env::EnvBackend;
#[cfg(feature = "cli")]
pub(crate) use env::variables as env_variables;
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
}

/// Backends, by the name that manifests write before the colon.
pub(crate) type Named = Vec<(String, Arc<dyn SecretBackend>)>;

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

    fn backend(&self, name: &str) -> Result<&Arc<dyn SecretBackend>, BackendError> {
        let backend = self.by_name.iter().find(|(known, _)| known == name).map(|(_, backend)| backend);
        backend.ok_or_else(|| {
            let known: Vec<&str> = self.by_name.iter().map(|(name, _)| name.as_str()).collect();
            let name = crate::text::for_people(name);
            BackendError::Refused(format!("no backend `{name}` is configured; configured are: {}", known.join(", ")))
        })
    }

    /// The backend and the entries that a reference stands for, checked against what manifests may name.
    pub(crate) fn entries(&self, from: &SecretRef, namespace: &str) -> Result<(&Arc<dyn SecretBackend>, Vec<Entry>), BackendError> {
        let (backend, entries) = match from {
            SecretRef::Bare(name) => {
                let backend = self.backend(&self.default)?;
                (backend, backend.entries_for(namespace, name))
            }
            SecretRef::Exact { backend, path, field } => (self.backend(backend)?, vec![Entry { path: path.clone(), field: field.clone() }]),
        };
        // A bare name must not slide into an entry that is closed: all of its entries are admitted, or none.
        for entry in &entries {
            backend.admits(entry)?;
        }
        Ok((backend, entries))
    }

    pub(super) async fn get(&self, from: &SecretRef, namespace: &str) -> Result<Found, BackendError> {
        let (backend, entries) = self.entries(from, namespace)?;
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
