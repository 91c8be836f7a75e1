//! A backend that can be written to, and the status of the secrets in it.

use super::Failed;
use crate::host::Host;
use crate::manifest::{FileKeyRef, HOSTS_OWN, Manifest};
use crate::secrets::backends::Configured;
use crate::secrets::{Entry, FileKey, Fingerprint, Rotator, SecretStore, SecretValue, StoreError, Stored, VersionInfo};
use jiff::Timestamp;
use serde::{Serialize, Serializer};

/// One of a host's backends, as an operator uses it.
pub struct Backend<'h> {
    host: &'h Host,
    configured: &'h Configured,
}

/// The status of one secret of a backend. Its texts are the backend's: escape them before a terminal gets them
/// ([`crate::text::for_people`]).
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
#[non_exhaustive]
pub struct SecretStatus {
    /// The backend.
    pub backend: String,
    /// The path there.
    pub path: String,
    /// The version in use.
    pub version: Option<String>,
    /// The fingerprint of the value (under an empty name), or of each field of a document.
    #[serde(serialize_with = "as_map")]
    #[schemars(with = "std::collections::BTreeMap<String, String>")]
    pub fingerprints: Vec<(String, Fingerprint)>,
    /// Why there is no value.
    pub problem: Option<String>,
    /// When the value stops working (RFC 3339).
    pub expires: Option<String>,
    /// Its versions, the oldest first.
    pub versions: Vec<VersionStatus>,
    /// Which of the agents that were named may use it.
    pub agents: Vec<String>,
}

/// A secret whose value in use is one that was asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Held {
    /// The path in the backend.
    pub path: String,
    /// The field of its document, if it is one.
    pub field: Option<String>,
    /// The value's fingerprint.
    pub fingerprint: Fingerprint,
    /// The rotation that replaces it.
    pub rotation: Option<String>,
}

/// A version of a secret.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
#[non_exhaustive]
pub struct VersionStatus {
    /// What its backend calls it.
    pub version: String,
    /// When it was made (RFC 3339).
    pub created: String,
    /// How old it is, in its largest unit, as in `3 d`.
    pub age: String,
    /// Its stages, where the backend has them.
    pub stages: Vec<String>,
    /// Whether it is the one in use.
    pub current: bool,
    /// Whether it was taken out of use.
    pub deleted: bool,
}

impl<'h> Backend<'h> {
    /// The backend of that name, or the one where bare names are looked up.
    ///
    /// # Errors
    /// [`Failed`] where there is none.
    pub fn named(host: &'h Host, backend: Option<&str>) -> Result<Self, Failed> {
        backend.map_or(Ok(()), |name| super::named::configured("--backend", name))?;
        Ok(Self { host, configured: host.backends().named(backend).map_err(Failed::usage)? })
    }

    /// Its name in the configuration.
    #[must_use]
    pub fn name(&self) -> &'h str {
        &self.configured.name
    }

    pub(super) fn is_hosts_own(&self, variable: &str) -> bool {
        self.host.backends().has_variable(variable)
    }

    pub(super) fn fingerprint(&self, value: &SecretValue) -> Fingerprint {
        self.host.fingerprint(value)
    }

    /// Has the host ask for what is in use at a path again, now, wherever a run holds it.
    pub(crate) async fn ask_again(&self, path: &str) {
        self.host.cached().ask_again(self.configured, path).await;
    }

    /// The backend as a store, if it can be written to and listed.
    #[must_use]
    pub fn store(&self) -> Option<&'h dyn SecretStore> {
        self.configured.backend.store()
    }

    /// What lets the backend replace its keys itself, if it can.
    #[must_use]
    pub fn rotator(&self) -> Option<&'h dyn Rotator> {
        self.configured.backend.rotator()
    }

    /// The rotation of that name, or else the one that replaces this entry.
    #[must_use]
    pub fn rotation(&self, name: &str, entry: Option<&Entry>) -> Option<String> {
        self.host.rotation_of(name, self.name(), entry)
    }

    /// The status of each secret of a store of this backend, with the agents that may use it, as far as their manifests are given. The
    /// host's own records are left out.
    ///
    /// # Errors
    /// [`StoreError`] where the store can't be listed.
    pub async fn statuses(&self, store: &dyn SecretStore, manifests: &[Manifest]) -> Result<Vec<SecretStatus>, StoreError> {
        let mut all = Vec::new();
        for stored in store.list().await? {
            if !stored.path.starts_with(HOSTS_OWN) {
                all.push(self.status(store, &stored, manifests).await);
            }
        }
        Ok(all)
    }

    /// Which secrets of a store of this backend have this value in use, by its fingerprint: as the whole value, or as a field of a document.
    /// Of a document that is known whole, each field that a rotation replaces is one. The host's own records are left out.
    ///
    /// # Errors
    /// [`StoreError`] where the store can't be listed, or one of its secrets can't be read: it may have the value, too.
    pub async fn holding(&self, store: &dyn SecretStore, value: &SecretValue) -> Result<Vec<Held>, StoreError> {
        let print = self.host.fingerprint(value);
        let mut all = Vec::new();
        for stored in store.list().await? {
            if stored.path.starts_with(HOSTS_OWN) || !stored.versions.iter().any(|version| version.current) {
                continue;
            }
            let found = store.get(&Entry::new(&stored.path)).await.map_err(|error| {
                let path = crate::text::for_people(&stored.path);
                StoreError::Unavailable(format!("{path}: it can't be read, and may have this value in use, too: {error}"))
            })?;
            all.extend(self.held(&stored.path, &found.value, &print));
        }
        Ok(all)
    }

    /// What of a secret is the value with this fingerprint.
    fn held(&self, path: &str, value: &SecretValue, print: &Fingerprint) -> Vec<Held> {
        let held = |field: Option<String>, fingerprint: Fingerprint| {
            let entry = Entry { field, ..Entry::new(path) };
            Held { path: path.to_owned(), rotation: self.rotation("", Some(&entry)), field: entry.field, fingerprint }
        };
        let fields = fingerprints(self.host, value).into_iter().filter(|(field, _)| !field.is_empty());
        let fields = fields.map(|(field, fingerprint)| held(Some(field), fingerprint));
        let whole = held(None, self.host.fingerprint(value));
        if whole.fingerprint != *print {
            return fields.filter(|field| field.fingerprint == *print).collect();
        }
        let mut replaced: Vec<Held> = fields.filter(|field| field.rotation.is_some()).collect();
        if whole.rotation.is_some() || replaced.is_empty() {
            replaced.push(whole);
        }
        replaced
    }

    async fn status(&self, store: &dyn SecretStore, stored: &Stored, manifests: &[Manifest]) -> SecretStatus {
        let current = stored.versions.iter().find(|version| version.current);
        let found = match current {
            Some(_) => store.get(&Entry::new(&stored.path)).await.map_err(|error| error.to_string()),
            None => Err("no version is in use".to_owned()),
        };
        let may_use = |manifest: &&Manifest| self.host.may_use(manifest, Some(self.name()), &stored.path);
        let ends = found.as_ref().ok().and_then(|found| Timestamp::from_second(i64::try_from(found.expires_at?).ok()?).ok());
        SecretStatus {
            backend: self.name().to_owned(),
            path: stored.path.clone(),
            version: current.map(|version| version.name.clone()),
            fingerprints: found.as_ref().map(|found| fingerprints(self.host, &found.value)).unwrap_or_default(),
            expires: ends.map(|at| at.to_string()),
            problem: found.err(),
            versions: stored.versions.iter().map(VersionStatus::of).collect(),
            agents: manifests.iter().filter(may_use).map(|manifest| manifest.name.clone()).collect(),
        }
    }
}

impl VersionStatus {
    fn of(version: &VersionInfo) -> Self {
        let VersionInfo { name, created, stages, current, deleted, .. } = version.clone();
        let age = age(&created);
        Self { version: name, created, age, stages, current, deleted }
    }
}

/// How long ago a time is, in its largest unit.
fn age(created: &str) -> String {
    let now = Timestamp::now();
    let seconds = now.as_second().saturating_sub(created.parse().unwrap_or(now).as_second()).unsigned_abs();
    crate::text::in_largest_unit(seconds)
}

/// The fingerprint of a value, or of each field of a document.
fn fingerprints(host: &Host, value: &SecretValue) -> Vec<(String, Fingerprint)> {
    let fields = value.fields();
    if fields.is_empty() {
        return vec![(String::new(), host.fingerprint(value))];
    }
    let print = |field: String| value.field(&field).ok().map(|value| (field, host.fingerprint(&value)));
    fields.into_iter().filter_map(print).collect()
}

fn as_map<S: Serializer>(prints: &[(String, Fingerprint)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(prints.iter().map(|(field, print)| (field, print)))
}

/// A version other than the expected one, with the entry's name and what to do.
#[must_use]
pub fn conflict(error: StoreError, entry: &Entry) -> StoreError {
    match error {
        StoreError::Conflict { expected, found } if expected == "0" => StoreError::Refused(format!(
            "{entry} exists already, at version {found}; nothing was written. Look at it with `strongroom secrets status`; to add a version to \
             it: `--expect {found}`"
        )),
        StoreError::Conflict { expected, found } => StoreError::Refused(format!(
            "{entry}: version {found} is the newest, not {expected}; nothing was written. Look at it with `strongroom secrets status`; to add a \
             version to it all the same: `--expect {found}`"
        )),
        error => error,
    }
}

/// What opens the file of a `file` backend, as the configuration says.
///
/// # Errors
/// [`Failed`] where it can't be read.
pub fn identity(key: &FileKeyRef) -> Result<FileKey, Failed> {
    crate::host::file_key(key).map_err(|error| Failed::new(super::Kind::Secret, error))
}
