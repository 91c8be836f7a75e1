//! What backends gave, and what it was lent under.

use super::backends::{BackendError, Configured, Entry, Found};
use super::cache::{Common, Lent};
use super::{Fingerprint, NoField, SecretValue};
use crate::credential::Prepared;
use crate::lock::Mutex;
use std::collections::HashMap;
use std::ops::Deref;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use tokio::sync::Notify;
use tokio_util::task::TaskTracker;

/// What a backend gave.
pub(super) struct Held {
    /// Tells it from all else that its slot has published.
    number: u64,
    document: Arc<SecretValue>,
    label: Option<String>,
    expires_at: Option<u64>,
    lease: Option<Arc<Lent>>,
    behind: Vec<Arc<Version>>,
    /// The fields that were asked for, each once.
    versions: Mutex<Vec<(Option<String>, Arc<Version>)>>,
    common: Arc<Common>,
}

/// A value that requests take with them. As long as one holds it, what it was lent under lives.
pub(crate) struct Version {
    pub(crate) value: Arc<SecretValue>,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) expires_at: Option<u64>,
    /// What the backend calls it.
    pub(crate) label: Option<String>,
    lease: Option<Arc<Lent>>,
    /// The secrets that it was had for.
    pub(crate) behind: Vec<Arc<Version>>,
    uses: Arc<Uses>,
    /// What schemes have read of it.
    pub(crate) prepared: Prepared,
}

/// A version that a request takes with it. Whoever replaces the value can wait until nobody does.
pub(crate) struct InUse(Arc<Version>);

/// The requests that hold one value, under whatever name.
#[derive(Default)]
pub(crate) struct Uses {
    count: AtomicUsize,
    fewer: Notify,
}

/// The uses of all values of a host.
#[derive(Default)]
pub(super) struct Register(Mutex<HashMap<Fingerprint, Weak<Uses>>>);

impl Held {
    pub(super) fn of(found: Found, number: u64, from: &Configured, common: &Arc<Common>, run: &TaskTracker) -> Self {
        Self {
            number,
            document: Arc::new(found.value),
            label: found.version,
            expires_at: found.expires_at,
            lease: found.lease.map(|lease| Arc::new(Lent::new(lease, from, common, run))),
            behind: found.behind.into_iter().map(|value| Version::of(value, &common.fingerprint_key)).collect(),
            versions: Mutex::default(),
            common: Arc::clone(common),
        }
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Whether another answer says nothing new. What is lent is new each time.
    pub(super) fn is_as(&self, other: &Self) -> bool {
        let is_behind = || self.behind.iter().map(|behind| behind.fingerprint).eq(other.behind.iter().map(|behind| behind.fingerprint));
        other.lease.is_none()
            && self.document.is(&other.document)
            && self.label == other.label
            && self.expires_at == other.expires_at
            && is_behind()
    }

    pub(super) fn lease(&self) -> Option<&Arc<Lent>> {
        self.lease.as_ref()
    }

    /// The value of the entry, or of one of its fields.
    pub(super) fn version(&self, entry: &Entry) -> Result<Arc<Version>, BackendError> {
        let mut versions = self.versions.lock();
        if let Some((_, version)) = versions.iter().find(|(field, _)| *field == entry.field) {
            return Ok(Arc::clone(version));
        }
        let shown = || crate::text::for_people(&entry.to_string());
        let value = match &entry.field {
            None => Arc::clone(&self.document),
            Some(field) => self.document.field(field).map(Arc::new).map_err(|no| match no {
                NoField::Missing => BackendError::NotFound { looked_for: shown() },
                NoField::NotJson => {
                    BackendError::Refused(format!("what is at {} isn't a JSON document, so it has no fields; leave `#…` out", shown()))
                }
                NoField::NotText(found) => BackendError::Refused(format!("what is at {} is {found}", shown())),
            })?,
        };
        let fingerprint = value.fingerprint(&self.common.fingerprint_key);
        let uses = self.common.uses.of(fingerprint);
        let version = Version {
            value,
            fingerprint,
            expires_at: self.expires_at,
            label: self.label.clone(),
            lease: self.lease.clone(),
            behind: self.behind.clone(),
            uses,
            prepared: Prepared::default(),
        };
        let version = Arc::new(version);
        versions.push((entry.field.clone(), Arc::clone(&version)));
        Ok(version)
    }
}

impl Version {
    pub(crate) fn is_leased(&self) -> bool {
        self.lease.is_some()
    }

    /// How many requests hold it.
    pub(crate) fn uses(&self) -> usize {
        self.uses.count()
    }

    /// A value that no backend gave.
    pub(crate) fn unbacked(value: SecretValue, fingerprint_key: &[u8; 32]) -> Arc<Self> {
        Self::of(Arc::new(value), fingerprint_key)
    }

    fn of(value: Arc<SecretValue>, fingerprint_key: &[u8; 32]) -> Arc<Self> {
        let fingerprint = value.fingerprint(fingerprint_key);
        Arc::new(Self {
            value,
            fingerprint,
            expires_at: None,
            label: None,
            lease: None,
            behind: Vec::new(),
            uses: Arc::default(),
            prepared: Prepared::default(),
        })
    }
}

impl InUse {
    pub(crate) fn of(version: Arc<Version>) -> Self {
        // Before the holder looks whether the version is still the one in use: see `Key::resolve`.
        version.uses.count.fetch_add(1, Ordering::SeqCst);
        Self(version)
    }

    pub(crate) fn version(&self) -> &Arc<Version> {
        &self.0
    }
}

impl Deref for InUse {
    type Target = Version;

    fn deref(&self) -> &Version {
        &self.0
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        self.0.uses.count.fetch_sub(1, Ordering::SeqCst);
        self.0.uses.fewer.notify_waiters();
    }
}

impl Uses {
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    /// Waits until no request holds the value.
    pub(crate) async fn none(&self) {
        loop {
            let fewer = self.fewer.notified();
            tokio::pin!(fewer);
            // From here on no end of a use is missed.
            fewer.as_mut().enable();
            if self.count() == 0 {
                return;
            }
            fewer.await;
        }
    }
}

impl Register {
    /// The uses of the value of that fingerprint.
    pub(super) fn of(&self, fingerprint: Fingerprint) -> Arc<Uses> {
        let mut register = self.0.lock();
        if let Some(uses) = register.get(&fingerprint).and_then(Weak::upgrade) {
            return uses;
        }
        register.retain(|_, uses| uses.strong_count() > 0);
        let uses = Arc::default();
        register.insert(fingerprint, Arc::downgrade(&uses));
        uses
    }
}
