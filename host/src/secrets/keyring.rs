//! The secrets of one run: resolved before the first guest instruction, each with the placeholder that stands for it.

use super::backends::{BackendError, Backends};
use super::value::{Fingerprint, SecretValue};
use crate::manifest::{Manifest, SecretSpec, Shape};
use crate::policy::placeholder::mint;
use crate::policy::{Placeholders, Sealed, Source};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

/// Most values of answers that one run keeps.
const MAX_SEALED: usize = 1024;

/// The keys of one run, by the index of their secret in the manifest.
pub(crate) struct Keyring {
    keys: Vec<Option<Key>>,
    sealed: RwLock<Vec<Arc<Version>>>,
    pub(crate) placeholders: Placeholders,
}

/// One secret in one run.
pub(crate) struct Key {
    pub(crate) name: String,
    pub(crate) placeholder: String,
    pub(crate) version: Arc<Version>,
    /// A default from the manifest is plain text: the guest may see it, and nothing is scrubbed.
    pub(crate) is_default: bool,
}

/// The value that is in use now.
pub(crate) struct Version {
    pub(crate) value: SecretValue,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) expires_at: Option<u64>,
}

/// A secret that could not be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The secret's name in the manifest.
    pub name: String,
    /// Why, without any value.
    pub why: String,
}

/// Every required secret of a manifest that could not be had. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretsUnavailable(pub Vec<Missing>);

impl fmt::Display for SecretsUnavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, missing) in self.0.iter().enumerate() {
            let line_break = if i == 0 { "" } else { "\n" };
            write!(f, "{line_break}secret `{}` is unavailable: {}", missing.name, missing.why)?;
        }
        Ok(())
    }
}

impl std::error::Error for SecretsUnavailable {}

impl Keyring {
    /// Resolves every secret of the manifest and mints its placeholder; or lists all that are missing.
    pub(crate) async fn open(manifest: &Manifest, backends: &Backends, fingerprint_key: &[u8; 32]) -> Result<Self, SecretsUnavailable> {
        let mut keyring =
            Self { keys: Vec::with_capacity(manifest.secrets.len()), sealed: RwLock::default(), placeholders: Placeholders::default() };
        let mut missing = Vec::new();
        for (index, spec) in manifest.secrets.iter().enumerate() {
            match resolve(manifest, spec, backends, fingerprint_key).await {
                Ok(key) => {
                    if let Some(key) = &key {
                        keyring.placeholders.insert(index, key.placeholder.clone());
                    }
                    keyring.keys.push(key);
                }
                Err(why) => {
                    keyring.keys.push(None);
                    missing.push(Missing { name: spec.name.clone(), why });
                }
            }
        }
        if missing.is_empty() { Ok(keyring) } else { Err(SecretsUnavailable(missing)) }
    }

    pub(crate) fn get(&self, index: usize) -> Option<&Key> {
        self.keys.get(index)?.as_ref()
    }

    /// The version of a value that is to be put somewhere.
    pub(crate) fn version(&self, source: Source) -> Option<Arc<Version>> {
        match source {
            Source::Secret(index) => self.get(index).map(|key| Arc::clone(&key.version)),
            Source::Sealed(number) => self.sealed.read().unwrap_or_else(PoisonError::into_inner).get(number).cloned(),
        }
    }

    /// Keeps a value that an answer brought, and gives the placeholder that stands for it: the same for the same value, bound alike. `None`
    /// where the run has as many as it may.
    pub(crate) fn seal(&self, secret: usize, value: &[u8], bound: Sealed, key: &[u8; 32]) -> Option<(String, bool)> {
        let mut sealed = self.sealed.write().unwrap_or_else(PoisonError::into_inner);
        let value = SecretValue::new(value.to_vec());
        let fingerprint = value.fingerprint(key);
        // When there is no room, a known value fares as a new one: which it is must not show.
        if sealed.len() >= MAX_SEALED {
            return None;
        }
        let same = sealed.iter().enumerate().filter(|(_, known)| known.value.is(&value));
        if let Some(placeholder) = same.into_iter().find_map(|(number, _)| self.placeholders.sealed_as(number, &bound)) {
            return Some((placeholder, false));
        }
        let placeholder = mint(&Shape::default()).ok()?;
        sealed.push(Arc::new(Version { value, fingerprint, expires_at: None }));
        self.placeholders.seal(secret, placeholder.clone(), bound);
        Some((placeholder, true))
    }

    /// The values that answers brought, each with its placeholder.
    pub(crate) fn sealed(&self) -> Vec<(Arc<Version>, String)> {
        let sealed = self.sealed.read().unwrap_or_else(PoisonError::into_inner);
        sealed
            .iter()
            .enumerate()
            .filter_map(|(number, version)| Some((Arc::clone(version), self.placeholders.sealed_text(number)?)))
            .collect()
    }

    pub(crate) fn by_name(&self, name: &str) -> Option<(usize, &Key)> {
        self.iter().find(|(_, key)| key.name == name)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, &Key)> {
        self.keys.iter().enumerate().filter_map(|(index, key)| key.as_ref().map(|key| (index, key)))
    }
}

async fn resolve(manifest: &Manifest, spec: &SecretSpec, backends: &Backends, fingerprint_key: &[u8; 32]) -> Result<Option<Key>, String> {
    let namespace = spec.namespace.as_deref().unwrap_or(&manifest.name);
    let found = backends.get(&spec.from, &manifest.name, namespace).await;
    let (value, expires_at, is_default) = match (found, &spec.default) {
        (Ok(found), _) => {
            found.value.check(spec.format.as_ref()).map_err(|why| format!("the value at {} is refused: {why}", spec.from))?;
            (found.value, found.expires_at, false)
        }
        (Err(BackendError::NotFound { .. }), Some(default)) => (SecretValue::new(default.clone()), None, true),
        (Err(BackendError::NotFound { .. }), None) if !spec.required => return Ok(None),
        (Err(error), _) => return Err(error.to_string()),
    };
    let placeholder = match &spec.default {
        Some(default) if is_default => default.clone(),
        _ => mint(&spec.placeholder).map_err(|_| "the system's random source failed".to_owned())?,
    };
    let fingerprint = value.fingerprint(fingerprint_key);
    let version = Arc::new(Version { value, fingerprint, expires_at });
    Ok(Some(Key { name: spec.name.clone(), placeholder, version, is_default }))
}
