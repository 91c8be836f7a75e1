//! Where secrets are kept. One trait, one file for each kind of place.
//!
//! What a backend can do besides giving values is a matter of types: [`SecretBackend::store`], [`SecretBackend::leases`] and
//! [`SecretBackend::rotator`] are there or not.

#[cfg(feature = "aws")]
mod aws;
mod bounds;
mod command;
mod dir;
#[cfg(any(feature = "file", feature = "vault"))]
mod disk;
mod env;
#[cfg(feature = "file")]
mod file;
mod fixed;
mod names;
#[cfg(feature = "vault")]
mod vault;

#[cfg(feature = "aws")]
pub use aws::AwsBackend;
pub(crate) use bounds::Bounds;
pub use command::CommandBackend;
pub use dir::DirBackend;
pub use env::EnvBackend;
#[cfg(feature = "ops")]
pub(crate) use env::{read_lines, variables as env_variables};
#[cfg(feature = "file")]
pub use file::{FileBackend, FileKey, Identities, Rekeyed};
pub use fixed::StaticBackend;
#[cfg(feature = "vault")]
pub use vault::VaultBackend;

use super::{Deposit, SecretValue};
use crate::lock::RwLock;
use crate::manifest::{DEFAULT_STALE, HOSTS_OWN, HostConfig, HostsOwn, Manifest, Oauth2Spec, SecretRef, SecretSpec, Which};
use async_trait::async_trait;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How long a backend may take to answer, unless it says otherwise.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// An entry of a backend: a path, one of its versions, and a field of it where entries have fields.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Entry {
    /// The path, as the manifest writes it after the colon.
    pub path: String,
    /// Which version of it.
    pub which: Which,
    /// The field after the `#`. The host takes it out of what the backend finds: a backend gives whole entries.
    pub field: Option<String>,
}

impl Entry {
    /// The entry in use at a path.
    #[must_use]
    pub fn new(path: impl Into<String>) -> Self {
        Self { path: path.into(), which: Which::Current, field: None }
    }

    /// One of its fields.
    #[must_use]
    pub fn field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.path, self.which)?;
        self.field.as_ref().map_or(Ok(()), |field| write!(f, "#{field}"))
    }
}

/// What a backend found.
#[derive(Debug)]
#[non_exhaustive]
pub struct Found {
    /// The value: the whole entry, as text or bytes.
    pub value: SecretValue,
    /// What the backend calls this version of it.
    pub version: Option<String>,
    /// When it stops working, in seconds since 1970-01-01T00:00:00Z, where the backend knows it.
    pub expires_at: Option<u64>,
    /// What keeps it alive, where it was made for this host alone.
    pub lease: Option<Lease>,
    /// The secrets that it was had for, if there are any: text is searched for these, too, and no request carries them.
    pub behind: Vec<Arc<SecretValue>>,
}

impl Found {
    /// A value about which nothing else is known.
    #[must_use]
    pub fn value(value: SecretValue) -> Self {
        Self { value, version: None, expires_at: None, lease: None, behind: Vec::new() }
    }

    /// The same with fields set, in one expression.
    #[must_use]
    pub fn with(mut self, set: impl FnOnce(&mut Self)) -> Self {
        set(&mut self);
        self
    }
}

/// A credential that a backend made for this host alone, and takes back when its time is over.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lease {
    /// The backend's name for it. It is not a credential.
    pub id: String,
    /// How long it lives from now on.
    pub ttl: Duration,
    /// Whether it can be renewed.
    pub renewable: bool,
    /// The login that it was made under, and ends with.
    pub under: u64,
}

impl Lease {
    /// A lease that can't be renewed.
    #[must_use]
    pub fn new(id: impl Into<String>, ttl: Duration) -> Self {
        Self { id: id.into(), ttl, renewable: false, under: 0 }
    }
}

/// How long what a backend found may be used without asking again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Freshness {
    /// It is asked at the start of each run.
    #[default]
    EachRun,
    /// For this long, by all runs together; it is asked again before that.
    For(Duration),
}

/// Why a backend gave no value. No message may hold a value, or a part of one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BackendError {
    /// There is no such entry.
    #[error("not found: looked for {looked_for}")]
    NotFound {
        /// What was looked for, as a person would set it.
        looked_for: String,
    },
    /// The entry is closed: to manifests, or to this host.
    #[error("{0}")]
    Refused(String),
    /// The backend can't be reached, or answered with an error. What it gave before may still be used for a while.
    #[error("{0}")]
    Unavailable(String),
    /// Somebody seems to have tampered with the host's way to the backend. It is recorded as an incident.
    #[error("{0}")]
    Incident(String),
}

impl BackendError {
    pub(crate) fn is_incident(&self) -> bool {
        matches!(self, Self::Incident(_))
    }

    /// The same of a field of the entry that was asked for: where that is not there, neither is the field.
    pub(crate) fn of_field(self, field: Option<&str>) -> Self {
        match (self, field) {
            (Self::NotFound { looked_for }, Some(field)) => {
                Self::NotFound { looked_for: format!("the field `{}` of {looked_for}", crate::text::for_people(field)) }
            }
            (error, _) => error,
        }
    }
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

    /// The entry, whole: its `field` is not looked at. Callers ask once at a time for each entry, however many wait for it.
    ///
    /// # Errors
    /// [`BackendError`]: [`BackendError::NotFound`] only where the store answered that there is none.
    async fn get(&self, entry: &Entry) -> Result<Found, BackendError>;

    /// Whether its entries are variables of the environment, or lines of a `.env` file. Then those that the host configuration refers to are
    /// closed, and a name that two agents could have is one agent's: see `[backends.env]`.
    fn is_environment(&self) -> bool {
        false
    }

    /// How long an answer may be used.
    fn freshness(&self) -> Freshness {
        Freshness::EachRun
    }

    /// How long the last value may be used where the backend does not answer: an hour, unless it says otherwise.
    fn stale(&self) -> Duration {
        DEFAULT_STALE
    }

    /// How long it may take to answer: 20 s, unless it says otherwise.
    fn patience(&self) -> Duration {
        PATIENCE
    }

    /// The same as a store that can be written to, if it is one.
    fn store(&self) -> Option<&dyn SecretStore> {
        None
    }

    /// The same as a maker of leased credentials, if it is one.
    fn leases(&self) -> Option<&dyn Leases> {
        None
    }

    /// The same as one that replaces secrets itself, if it can.
    fn rotator(&self) -> Option<&dyn Rotator> {
        None
    }

    /// Gives back what the backend holds for this host: its logins, for one. It is not asked for anything after that.
    async fn close(&self) {}
}

/// A backend that makes credentials for one run, and takes them back.
#[async_trait]
pub trait Leases: Send + Sync {
    /// Whether this entry is made anew for each run.
    fn is_leased(&self, entry: &Entry) -> bool;

    /// Renews a lease.
    ///
    /// # Errors
    /// [`BackendError::NotFound`] where it is over, so that a new one has to be made.
    async fn renew(&self, lease: &Lease) -> Result<Lease, BackendError>;

    /// Ends a lease.
    ///
    /// # Errors
    /// [`BackendError`] where it may live on until its time is over.
    async fn revoke(&self, lease: &Lease) -> Result<(), BackendError>;

    /// Waits until a lease has to be replaced before its time, since what it was made under ends.
    async fn ending(&self, lease: &Lease);
}

/// A backend that replaces secrets itself.
#[async_trait]
pub trait Rotator: Send + Sync {
    /// Starts replacing the secret, and says what was begun. The new value need not be in use yet.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn rotate(&self, entry: &Entry) -> Result<String, StoreError>;
}

/// A backend that can be written to, and that keeps versions.
#[async_trait]
pub trait SecretStore: SecretBackend {
    /// Where a name is kept: in a namespace, or for all agents.
    ///
    /// # Errors
    /// [`StoreError::Refused`] where the backend keeps none for all agents.
    fn entry_of(&self, namespace: Option<&str>, name: &str) -> Result<Entry, StoreError>;

    /// Where the journal of a rotation is kept: a path that begins with `strongroom/`, which no manifest can name.
    fn journal_entry(&self, rotation: &str) -> Entry {
        Entry::new(format!("{HOSTS_OWN}rotation/{rotation}"))
    }

    /// Whether it accepts only so many versions of an entry in a day, as AWS does (about a hundred): hosts then write only what they have
    /// to.
    fn counts_writes(&self) -> bool {
        false
    }

    /// The name of the newest version of an entry, as [`SecretStore::put`] expects it; `"0"` where there is none.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn newest(&self, path: &str) -> Result<String, StoreError>;

    /// The versions of an entry, oldest first.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] where there is no such entry.
    async fn versions(&self, path: &str) -> Result<Vec<VersionInfo>, StoreError> {
        let stored = self.list().await?.into_iter().find(|stored| stored.path == path);
        stored.map(|stored| stored.versions).ok_or_else(|| StoreError::NotFound(format!("not found: {path}")))
    }

    /// All entries that the operator lets manifests name, in the order of their paths.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn list(&self) -> Result<Vec<Stored>, StoreError>;

    /// Adds a version and returns its name; with `expected`, only if that is the newest one's (`"0"`: there is none). Where the entry names
    /// a field, the others stay as they are.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where another version is the newest.
    async fn put(&self, entry: &Entry, value: Deposit, expected: Option<&str>) -> Result<String, StoreError>;

    /// Takes a version out of use; it can be restored.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] where there is no such version.
    async fn delete(&self, path: &str, version: &str) -> Result<(), StoreError>;

    /// Takes a version into use again.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] where there is no such version.
    async fn undelete(&self, path: &str, version: &str) -> Result<(), StoreError>;

    /// Removes a version for good.
    ///
    /// # Errors
    /// [`StoreError::Refused`] where the backend can't.
    async fn destroy(&self, path: &str, version: &str) -> Result<(), StoreError>;
}

/// A secret in a store, without its value.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stored {
    /// Its path.
    pub path: String,
    /// Its versions, oldest first.
    pub versions: Vec<VersionInfo>,
}

impl Stored {
    /// A secret by its path, with its versions, oldest first.
    #[must_use]
    pub fn new(path: impl Into<String>, versions: Vec<VersionInfo>) -> Self {
        Self { path: path.into(), versions }
    }
}

impl VersionInfo {
    /// A version by its name.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }
}

/// One version of a secret, without its value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct VersionInfo {
    /// Its number or identifier.
    pub name: String,
    /// When it was written, RFC 3339.
    pub created: String,
    /// Labels that the backend has put on it.
    pub stages: Vec<String>,
    /// Whether it is the one in use.
    pub current: bool,
    /// Whether it is out of use.
    pub deleted: bool,
}

/// Why a store did not do what was asked. No message holds a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// There is no such secret, or no such version.
    #[error("{0}")]
    NotFound(String),
    /// Another version came between.
    #[error(
        "version {found} is the newest, not {expected}: somebody else has written it; look at it with `strongroom secrets status` first"
    )]
    Conflict {
        /// The one that was expected.
        expected: String,
        /// The one that was found.
        found: String,
    },
    /// It can't be done, or the value can't be a secret.
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

impl From<BackendError> for StoreError {
    fn from(error: BackendError) -> Self {
        match error {
            BackendError::NotFound { looked_for } => Self::NotFound(format!("not found: {looked_for}")),
            BackendError::Refused(why) => Self::Refused(why),
            BackendError::Unavailable(why) | BackendError::Incident(why) => Self::Unavailable(why),
        }
    }
}

/// The fields that a bare name is in backends of documents, one for each namespace: as written, then in lower case.
#[cfg(any(feature = "vault", feature = "aws"))]
fn fields_for(namespace: &str, name: &str) -> Vec<Entry> {
    let lower = name.to_ascii_lowercase();
    let mut fields = vec![name.to_owned(), lower];
    fields.dedup();
    fields.into_iter().map(|field| Entry::new(format!("agents/{namespace}")).field(field)).collect()
}

/// The field that a name is kept in there.
#[cfg(any(feature = "vault", feature = "aws"))]
fn field_of(namespace: Option<&str>, name: &str) -> Result<Entry, StoreError> {
    let without = "secrets of this backend belong to an agent, or to a group of agents: name it with `--namespace`";
    let namespace = namespace.ok_or_else(|| StoreError::Refused(without.to_owned()))?;
    Ok(Entry::new(format!("agents/{namespace}")).field(name))
}

/// A backend of a host, with what the operator says about it.
#[derive(Clone)]
pub(crate) struct Configured {
    /// The name that manifests write before the colon.
    pub(crate) name: String,
    pub(crate) backend: Arc<dyn SecretBackend>,
    pub(crate) bounds: Bounds,
    /// How long the last value is used where the backend does not answer.
    pub(crate) stale: Duration,
    /// How long a value has to be in use before a destination's rejection of it has the backend asked.
    pub(crate) settled: Duration,
}

/// Where a secret is kept.
#[derive(Clone)]
pub(crate) struct Origin {
    pub(crate) from: Configured,
    pub(crate) entry: Entry,
}

impl Origin {
    /// As a manifest names it, for people.
    pub(crate) fn shown(&self) -> String {
        crate::text::for_people(&format!("{}:{}", self.from.name, self.entry))
    }
}

/// Who has access tokens for secrets that are no credentials themselves.
pub(crate) trait Minting: Send + Sync {
    /// What gives the tokens for a secret, by its name in a manifest, and the one entry of it. `client` is where the client's own secret may be.
    fn source(&self, spec: &Arc<Oauth2Spec>, name: &str, secret: Origin, client: Vec<Origin>) -> (Configured, Entry);
}

/// The backends of a host.
pub(crate) struct Backends {
    tokens: Option<Arc<dyn Minting>>,
    all: Vec<Configured>,
    default: String,
    /// What manifests can't name, whatever the backends' own bounds say.
    own: RwLock<HostsOwn>,
}

/// The refusal of a variable that is the host's own.
fn hosts_own(variable: &str) -> BackendError {
    let name = crate::text::for_people(variable);
    BackendError::Refused(format!("the variable `{name}` is the host's own; a manifest can't name it"))
}

/// Why a backend is not there that the environment describes.
pub(crate) fn why_absent(name: &str) -> Option<&'static str> {
    let is_described = std::env::var_os("VAULT_ADDR").is_some_and(|address| !address.is_empty());
    let is_read = || HostConfig::default().with_environment().backends.iter().any(|(known, _)| known == name);
    let is_wrong = name == "vault" && is_described && !is_read();
    is_wrong.then_some("VAULT_ADDR is not the address of a server: write `https://HOST:PORT`, without a user and without a path")
}

impl Backends {
    pub(crate) fn new(all: Vec<Configured>, default: String, own: HostsOwn) -> Self {
        Self { tokens: None, all, default, own: RwLock::new(own) }
    }

    /// Has manifests unable to name this, and what was the host's own before no more.
    pub(crate) fn closes(&self, own: HostsOwn) {
        *self.own.write() = own;
    }

    /// The same with what has tokens for secrets.
    pub(crate) fn with_tokens(self, tokens: Arc<dyn Minting>) -> Self {
        Self { tokens: Some(tokens), ..self }
    }

    /// Where a secret of a manifest may be kept, in order.
    pub(crate) fn origins(&self, manifest: &Manifest, spec: &SecretSpec) -> Result<Vec<Origin>, BackendError> {
        let namespace = spec.namespace.as_deref().unwrap_or(&manifest.name);
        let (from, entries) = self.entries(&spec.from, &manifest.name, namespace)?;
        Ok(entries.into_iter().map(|entry| Origin { from: from.clone(), entry }).collect())
    }

    /// What gives the tokens for a secret that is kept there.
    pub(crate) fn tokens(
        &self,
        manifest: &Manifest,
        spec: &SecretSpec,
        oauth2: &Arc<Oauth2Spec>,
        origin: Origin,
    ) -> Result<(Configured, Entry), BackendError> {
        let client = oauth2.client_secret.as_ref().and_then(|name| manifest.secret(name));
        let client = client.map_or_else(|| Ok(Vec::new()), |client| self.origins(manifest, client))?;
        let tokens = self.tokens.as_ref().ok_or_else(|| BackendError::Refused("this host asks for no tokens".to_owned()))?;
        Ok(tokens.source(oauth2, &spec.name, origin, client))
    }

    /// All backends.
    pub(crate) fn all(&self) -> &[Configured] {
        &self.all
    }

    /// The backend of that name, or the default one.
    pub(crate) fn named(&self, name: Option<&str>) -> Result<&Configured, BackendError> {
        let name = name.unwrap_or(&self.default);
        self.all.iter().find(|configured| configured.name == name).ok_or_else(|| {
            let known: Vec<&str> = self.all.iter().map(|configured| configured.name.as_str()).collect();
            let why = why_absent(name).map_or_else(String::new, |why| format!("; {why}"));
            let name = crate::text::for_people(name);
            BackendError::Refused(format!("no backend `{name}` is configured; these are configured: {}{why}", known.join(", ")))
        })
    }

    /// The backend and the entries that a reference stands for, checked against what manifests may name.
    pub(crate) fn entries(&self, from: &SecretRef, agent: &str, namespace: &str) -> Result<(&Configured, Vec<Entry>), BackendError> {
        let (configured, entries) = match from {
            SecretRef::Bare(name) => {
                let configured = self.named(None)?;
                (configured, configured.backend.entries_for(namespace, name))
            }
            SecretRef::Exact { backend, path, which, field } => {
                (self.named(Some(backend))?, vec![Entry { path: path.clone(), which: which.clone(), field: field.clone() }])
            }
        };
        let by_name = configured.backend.is_environment() && matches!(from, SecretRef::Bare(_));
        // A bare name must not slide into an entry that is closed: all of its entries are admitted, or none.
        for entry in &entries {
            if entry.path.starts_with(HOSTS_OWN) {
                return Err(BackendError::Refused(format!("paths below `{HOSTS_OWN}` are the host's own")));
            }
            if !by_name {
                configured.bounds.admit(agent, &entry.path)?;
            }
            configured.backend.admits(entry)?;
            if configured.backend.is_environment() && self.own.read().has_variable(&entry.path) {
                return Err(hosts_own(&entry.path));
            }
        }
        let entries = if by_name { configured.variables(entries, agent, namespace)? } else { entries };
        Ok((configured, entries))
    }

    /// Refuses an entry that is a file of the host's own: a backend of an embedder's may well take paths. Asks the file system.
    pub(crate) fn check_file(&self, from: &SecretRef) -> Result<(), BackendError> {
        let SecretRef::Exact { backend, path, .. } = from else { return Ok(()) };
        let takes_paths = |configured: &Configured| configured.bounds.is_open() && !configured.backend.is_environment();
        match self.named(Some(backend)) {
            Ok(configured) if takes_paths(configured) && self.has_file(Path::new(path)) => {
                let path = crate::text::for_people(path);
                Err(BackendError::Refused(format!("the file {path} is the host's own; a manifest can't name it")))
            }
            _ => Ok(()),
        }
    }

    /// Whether a variable holds what is the host's own.
    #[cfg(feature = "ops")]
    pub(crate) fn has_variable(&self, name: &str) -> bool {
        self.own.read().has_variable(name)
    }

    /// Whether a file holds what is the host's own.
    pub(crate) fn has_file(&self, path: &Path) -> bool {
        self.own.read().has_file(path)
    }

    /// For an entry that is a variable, its name, and whether the agent has it by a name that another agent could have too.
    pub(crate) fn variable<'e>(&self, from: &SecretRef, agent: &str, backend: &str, entry: &'e Entry) -> Option<(&'e str, bool)> {
        let configured = self.named(Some(backend)).ok().filter(|configured| configured.backend.is_environment())?;
        let joined = match from {
            SecretRef::Bare(name) => entry.path != names::upper(name),
            SecretRef::Exact { .. } => false,
        };
        let by_pattern = configured.bounds.names().is_some_and(|names| names.is_own(agent, &entry.path));
        Some((&entry.path, joined || by_pattern))
    }
}

impl Configured {
    /// The variables of a bare name that a manifest of this agent may name.
    fn variables(&self, entries: Vec<Entry>, agent: &str, namespace: &str) -> Result<Vec<Entry>, BackendError> {
        let Some(names) = self.bounds.names() else {
            return match names::upper(namespace) == names::upper(agent) {
                true => Ok(entries),
                false => Err(BackendError::Refused(format!(
                    "the namespace `{namespace}` is not the agent's own; where that is meant, add to the host configuration:\n[backends.{}]\n\
                     type = \"env\"\nnames = [\"{{agent}}_*\", \"{}_*\"]",
                    self.name,
                    names::upper(namespace)
                ))),
            };
        };
        let (mut admitted, mut refused) = (Vec::new(), None);
        for entry in entries {
            match names.admit(agent, &entry.path) {
                Ok(()) => admitted.push(entry),
                Err(why) => drop(refused.get_or_insert(why)),
            }
        }
        match refused {
            Some(why) if admitted.is_empty() => Err(why),
            _ => Ok(admitted),
        }
    }
}
