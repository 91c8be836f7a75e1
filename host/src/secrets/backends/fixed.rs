//! Values given in code: for embedders that have them already, and for tests.

use super::{BackendError, Entry, Found, SecretBackend, SecretValue};
use crate::manifest::Which;
use async_trait::async_trait;
use std::collections::HashMap;
use zeroize::Zeroizing;

/// A backend with a fixed set of values, by path. A bare name is looked up as `namespace/name`, then `name`.
#[derive(Default)]
pub struct StaticBackend(HashMap<String, Zeroizing<Vec<u8>>>);

impl StaticBackend {
    /// A backend that holds nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The backend with one more value.
    #[must_use]
    pub fn with(mut self, path: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        self.0.insert(path.into(), Zeroizing::new(value.into()));
        self
    }
}

#[async_trait]
impl SecretBackend for StaticBackend {
    fn entries_for(&self, namespace: &str, name: &str) -> Vec<Entry> {
        [format!("{namespace}/{name}"), name.to_owned()].map(Entry::new).into()
    }

    fn admits(&self, entry: &Entry) -> Result<(), BackendError> {
        match entry.which {
            Which::Current => Ok(()),
            _ => Err(BackendError::Refused("this backend keeps no versions; leave `?…` out".to_owned())),
        }
    }

    async fn get(&self, entry: &Entry) -> Result<Found, BackendError> {
        match self.0.get(&entry.path) {
            Some(value) => Ok(Found::value(SecretValue::new(value.to_vec()))),
            None => Err(BackendError::NotFound { looked_for: format!("`{}`", entry.path) }),
        }
    }
}
