//! The front door: a host, built once, that loads agents and runs them.

use crate::audit::{AuditSink, FileAudit};
use crate::egress::{AddressGuard, Network, Pools, Resolve, SystemResolver};
use crate::manifest::{BackendConfig, FileKeyRef, HostConfig, Manifest, ReadError};
use crate::policy::{Denial, Policy, Source};
use crate::rotation;
use crate::rotation::{Issuer, RotationCounts, RotationError, RotationStatus, Rotations};
use crate::runtime::{
    self, AgentParts, Cache, ComponentError, Engine, HostParts, Inspection, Inspector, Outcome, RunError, RunOptions, RunState,
};
use crate::scrub::Rules;
#[cfg(feature = "aws")]
use crate::secrets::AwsBackend;
use crate::secrets::Fingerprint;
#[cfg(feature = "cli")]
use crate::secrets::SecretValue;
#[cfg(feature = "vault")]
use crate::secrets::VaultBackend;
use crate::secrets::backends::{Bounds, Configured};
use crate::secrets::{
    BackendError, Backends, Cache as SecretCache, Clock, EnvBackend, FileBackend, FileKey, Keyring, SecretBackend, SecretCounts,
    SecretsUnavailable,
};
use crate::signing::{self, Opened, SignerBackend, Signing, Wall};
use crate::state::{StateDir, random_key};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU64};
use std::sync::{Arc, Mutex};
use wasmtime::component::Linker;

/// How long a host that is closed waits for leases, and for each login to end.
const FAREWELL: std::time::Duration = std::time::Duration::from_secs(5);

/// Runs agents. Cheap to clone; the clones are one host.
#[derive(Clone)]
pub struct Host(Arc<Inner>);

struct Inner {
    parts: HostParts,
    linker: Linker<RunState>,
    cache: Option<Cache>,
    network: Arc<Network>,
}

/// An agent that a host has loaded. Each run of it is on its own; rates and connections are the agent's.
#[derive(Clone)]
pub struct Agent {
    host: Host,
    parts: Arc<AgentParts>,
}

/// What is known of a secret that was had. Never its value.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Resolved {
    /// Its name in the manifest.
    pub name: String,
    /// The backend and the entry where it was found; none for a default of the manifest.
    pub from: Option<String>,
    /// What its backend calls the version.
    pub version: Option<String>,
    /// The version's fingerprint.
    pub fingerprint: Fingerprint,
    /// When it stops working, in seconds since 1970-01-01T00:00:00Z.
    pub expires_at: Option<u64>,
}

/// A secret that is kept at hand. See [`Agent::watch`].
pub struct Watched {
    keyring: Keyring,
    cache: Arc<SecretCache>,
}

impl Watched {
    /// The version in use, as a request would get it now: within a microsecond, unless the backend has to be asked.
    ///
    /// # Errors
    /// [`BackendError`] where a request would not get one.
    pub async fn fingerprint(&self) -> Result<Fingerprint, BackendError> {
        let (version, _) = self.keyring.version(Source::Secret(0), &self.cache).await?;
        Ok(version.fingerprint)
    }
}

/// Sets a host up. See [`Host::builder`].
#[derive(Default)]
pub struct HostBuilder {
    config: HostConfig,
    backends: Vec<Configured>,
    clock: Clock,
    default_backend: Option<String>,
    signers: Vec<(String, Arc<dyn SignerBackend>)>,
    issuers: Vec<(String, Arc<dyn Issuer>)>,
    wall: Wall,
    audit: Option<Audit>,
    stateless: bool,
    resolver: Option<Arc<dyn Resolve>>,
    max_agents: Option<u32>,
    inspector: Option<Inspector>,
}

enum Audit {
    Sink(Arc<dyn AuditSink>),
    Off,
}

/// Why a host could not be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The state directory can't be used.
    #[error("the state directory can't be used: {0}; set `[state] dir` in the host configuration")]
    State(std::io::Error),
    /// The audit log can't be opened.
    #[error("the audit log {path} can't be opened: {source}; set `[audit] file` in the host configuration", path = path.display())]
    Audit {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file of certificate authorities can't be read.
    #[error("{path}: {reason}; `network.ca` names files with certificates in PEM", path = path.display())]
    Ca {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A backend can't be set up.
    #[error("backend `{name}`: {reason}")]
    Backend {
        /// Its name.
        name: String,
        /// Why.
        reason: String,
    },
    /// What the configuration says of signing can't be.
    #[error("{0}")]
    Signing(String),
    /// A key can't be replaced as the configuration says.
    #[error("rotation `{name}`: {reason}")]
    Rotation {
        /// Its name.
        name: String,
        /// Why.
        reason: String,
    },
    /// A file of rules can't be used.
    #[error("{path}: {reason}; `scrub.rules` names files in the format of the host's own rules", path = path.display())]
    Rules {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The engine can't be set up, for want of address space or memory.
    #[error("the WebAssembly engine can't be set up: {0}; lower `max_agents`")]
    Engine(String),
}

/// Why an agent could not be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The manifest.
    #[error(transparent)]
    Manifest(#[from] ReadError),
    /// The component's file can't be read.
    #[error("{path}: the component can't be read ({source}); build the agent, or correct `component` in the manifest", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The manifest names no component, and none was given.
    #[error("the manifest names no component; give its bytes with `Host::agent`")]
    NoComponent,
    /// The component.
    #[error("{path}: {source}", path = path.display())]
    Component {
        /// The file, or the agent's name.
        path: PathBuf,
        /// What is wrong with it.
        source: ComponentError,
    },
    /// The manifest lets a rule pass that the host does not have.
    #[error("`leaks_allowed` names `{rule}`, but no rule has this name; `strongroom rules` lists them")]
    Rule {
        /// The name.
        rule: String,
    },
    /// The manifest lets a signer do what can't be granted here.
    #[error("signer `{name}`: {reason}")]
    Signer {
        /// The signer's name.
        name: String,
        /// Why.
        reason: String,
    },
    /// The manifest names a secret that manifests can't have.
    #[error("secret `{name}`: {reason}")]
    Secret {
        /// The secret's name.
        name: String,
        /// Why.
        reason: BackendError,
    },
}

/// A wallet of an agent. See [`Agent::wallet`].
pub struct Wallet {
    opened: Arc<Opened>,
    signing: Arc<Signing>,
}

/// What a transaction would do, and spend at most. See [`Wallet::judge`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// What it does, in lines for people.
    pub what: Vec<String>,
    /// What it spends at most: amount and symbol, and the chain.
    pub spends: Vec<String>,
}

impl Wallet {
    /// The account's address, with its checksum (EIP-55).
    #[must_use]
    pub fn address(&self) -> String {
        self.opened.shown.clone()
    }

    /// What is left of its limits, and what the ledger wants confirmed, in lines for people.
    ///
    /// # Errors
    /// Text for the operator, where the ledger can't be opened.
    pub fn left(&self) -> Result<Vec<String>, String> {
        signing::standing(&self.signing, &self.opened)
    }

    /// The verdict on a transaction, given as its unsigned payload (EIP-2718, or EIP-155's list of nine). Nothing is signed, and nothing is
    /// charged: whether the limits have room is not asked. Takes some microseconds.
    ///
    /// # Errors
    /// [`Denial`], as the agent's request would be denied.
    pub fn judge(&self, payload: &[u8]) -> Result<Verdict, Denial> {
        signing::judge(&self.opened, payload)
    }
}

impl HostBuilder {
    /// The operator's configuration. Without one: the `env` backend, public addresses only, audit and state in the user's state directory.
    #[must_use]
    pub fn config(mut self, config: HostConfig) -> Self {
        self.config = config;
        self
    }

    /// A backend of your own, under the name that manifests write before the colon. It takes the place of one configured by that name.
    #[must_use]
    pub fn backend(mut self, name: impl Into<String>, backend: impl SecretBackend + 'static) -> Self {
        let (stale, backend) = (backend.stale(), Arc::new(backend));
        self.backends.push(Configured { name: name.into(), backend, bounds: Bounds::none(), stale });
        self
    }

    /// A backend of signers of your own, under the name that manifests write before the colon of a signer's `from`.
    #[must_use]
    pub fn signers(mut self, name: impl Into<String>, backend: impl SignerBackend + 'static) -> Self {
        self.signers.push((name.into(), Arc::new(backend)));
        self
    }

    /// An issuer of your own, under the name that `[rotations.NAME]` gives as `issuer`.
    #[must_use]
    pub fn issuer(mut self, name: impl Into<String>, issuer: impl Issuer + 'static) -> Self {
        self.issuers.push((name.into(), Arc::new(issuer)));
        self
    }

    /// Where bare names are looked up. Default `env`.
    #[must_use]
    pub fn default_backend(mut self, name: impl Into<String>) -> Self {
        self.default_backend = Some(name.into());
        self
    }

    /// Where audit records go instead of a file.
    #[must_use]
    pub fn audit(mut self, sink: impl AuditSink + 'static) -> Self {
        self.audit = Some(Audit::Sink(Arc::new(sink)));
        self
    }

    /// Keeps no audit log. For measurements, and for embedders that account for every effect themselves.
    #[must_use]
    pub fn without_audit(mut self) -> Self {
        self.audit = Some(Audit::Off);
        self
    }

    /// Keeps nothing on disk: no cache of compiled components, and fingerprints that change with each host.
    #[must_use]
    pub fn without_state(mut self) -> Self {
        self.stateless = true;
        self
    }

    /// Looks names up instead of the system. The addresses are checked all the same.
    #[must_use]
    pub fn resolver(mut self, resolver: impl Resolve + 'static) -> Self {
        self.resolver = Some(Arc::new(resolver));
        self
    }

    /// How many agents run at once, at most. Default 1,024; address space is set aside for each, memory is not.
    #[must_use]
    pub fn max_agents(mut self, agents: u32) -> Self {
        self.max_agents = Some(agents);
        self
    }

    /// Hands every linear memory of a guest to `inspector` when its run has ended. For tests: such a host compiles slower code.
    #[must_use]
    pub fn inspect_memory(mut self, inspector: impl Fn(&[u8]) + Send + Sync + 'static) -> Self {
        self.inspector = Some(Arc::new(inspector));
        self
    }

    /// Adds so many milliseconds to the time by which secrets age, as if the machine had slept. For tests.
    #[doc(hidden)]
    #[must_use]
    pub fn slept(mut self, millis: Arc<AtomicU64>) -> Self {
        self.clock = Clock::sleeping(millis);
        self
    }

    /// Adds so many milliseconds to the wall clock that the ledger of signatures reads, as if somebody had set it. For tests.
    #[doc(hidden)]
    #[must_use]
    pub fn wall_clock(mut self, millis: Arc<AtomicI64>) -> Self {
        self.wall = Wall(millis);
        self
    }

    /// Builds the host. Blocks for some milliseconds.
    ///
    /// # Errors
    /// [`BuildError`], which says what to set.
    pub fn build(self) -> Result<Host, BuildError> {
        let state = if self.stateless { None } else { Some(open_state(&self.config)?) };
        let audit = match self.audit {
            Some(Audit::Sink(sink)) => Some(sink),
            Some(Audit::Off) => None,
            None => Some(open_audit(&self.config, state.as_ref())?),
        };
        let fingerprint_key = state.as_ref().map_or_else(random_key, |state| state.key("host.key")).map_err(BuildError::State)?;
        let engine = Engine::new(self.max_agents.unwrap_or(1_024), self.inspector.is_some());
        let engine = engine.map_err(|error| BuildError::Engine(error.to_string()))?;
        let linker = runtime::linker(&engine).map_err(|error| BuildError::Engine(error.to_string()))?;
        let compiled = state.as_ref().map(open_cache).transpose().map_err(BuildError::State)?;
        let network = Network {
            guard: AddressGuard::new(self.config.network_allow.clone()),
            resolver: self.resolver.unwrap_or_else(|| Arc::new(SystemResolver)),
            tls: Arc::new(tls(&self.config.network_ca)?),
            proxy: self.config.network_proxy.clone(),
        };
        let default = self.default_backend.unwrap_or_else(|| "env".to_owned());
        let backends = backends(self.backends, &self.config, &self.clock, default)?;
        let signing = Signing::new(self.config.signing.clone(), self.signers, state.clone(), self.clock.clone(), self.wall.clone());
        let signing = signing.map_err(BuildError::Signing)?;
        let cache = Arc::new(SecretCache::new(self.clock.clone(), fingerprint_key));
        let rules = rules(&self.config.scrub_rules)?;
        let name = crate::text::hex(&random_key().map_err(BuildError::State)?[..6]);
        let wall = self.wall.clone();
        let parts = rotation::Parts { host: name.clone(), cache: Arc::clone(&cache), clock: self.clock, wall, audit: audit.clone() };
        let rotations = Rotations::new(&self.config, self.issuers, &backends, &parts);
        let rotations = rotations.map_err(|(name, reason)| BuildError::Rotation { name, reason })?;
        let signing = Arc::new(signing);
        let (inspector, runs) = (self.inspector, AtomicU64::new(0));
        let parts = HostParts { engine, backends, rules, audit, cache, signing, rotations, inspector, runs, name };
        Ok(Host(Arc::new(Inner { parts, linker, cache: compiled, network: Arc::new(network) })))
    }
}

impl Host {
    /// Sets a host up.
    #[must_use]
    pub fn builder() -> HostBuilder {
        HostBuilder::default()
    }

    /// Loads an agent from its manifest's file. Compiles the component, unless the cache holds it: 0.1 to 5 seconds of work.
    ///
    /// # Errors
    /// [`LoadError`], which names the file and what to correct.
    pub fn load(&self, manifest: impl AsRef<Path>) -> Result<Agent, LoadError> {
        let manifest = Manifest::read(manifest.as_ref())?;
        let path = manifest.component.clone().ok_or(LoadError::NoComponent)?;
        let bytes = read_component(&path)?;
        self.agent_from(manifest, &bytes, path)
    }

    /// Loads an agent from a manifest made in code and the bytes of its component.
    ///
    /// # Errors
    /// [`LoadError`], which says what to correct.
    pub fn agent(&self, manifest: Manifest, component: &[u8]) -> Result<Agent, LoadError> {
        let name = PathBuf::from(&manifest.name);
        self.agent_from(manifest, component, name)
    }

    /// What a component imports and exports. Compiles it.
    ///
    /// # Errors
    /// [`ComponentError`] where it is not a component.
    pub fn inspect(&self, component: &[u8]) -> Result<Inspection, ComponentError> {
        runtime::inspect(&self.0.parts.engine, component)
    }

    #[cfg(feature = "cli")]
    pub(crate) fn backends(&self) -> &Backends {
        &self.0.parts.backends
    }

    /// The rotation of that name, or else the one that replaces an entry of a backend.
    #[cfg(feature = "cli")]
    pub(crate) fn rotation_of(&self, name: &str, backend: &str, entry: Option<&crate::secrets::Entry>) -> Option<String> {
        let rotations = &self.0.parts.rotations;
        let by_entry = || rotations.of(backend, entry?);
        rotations.named(name).ok().or_else(by_entry).map(|rotation| rotation.name().to_owned())
    }

    #[cfg(feature = "cli")]
    pub(crate) fn signing(&self) -> &Signing {
        &self.0.parts.signing
    }

    #[cfg(feature = "cli")]
    pub(crate) fn fingerprint(&self, value: &SecretValue) -> Fingerprint {
        value.fingerprint(self.0.parts.cache.fingerprint_key())
    }

    /// Whether a manifest names a path of a backend, and may.
    #[cfg(feature = "cli")]
    pub(crate) fn may_use(&self, manifest: &Manifest, backend: Option<&str>, path: &str) -> bool {
        let backends = &self.0.parts.backends;
        let Ok(wanted) = backends.named(backend) else { return false };
        manifest.secrets.iter().any(|secret| {
            let namespace = secret.namespace.as_deref().unwrap_or(&manifest.name);
            let entries = backends.entries(&secret.from, &manifest.name, namespace);
            entries.is_ok_and(|(of, entries)| of.name == wanted.name && entries.iter().any(|entry| entry.path == path))
        })
    }

    /// Whether a manifest's secrets may be named at all, without asking where they are kept.
    pub(crate) fn check_secrets(&self, manifest: &Manifest) -> Result<(), LoadError> {
        for secret in &manifest.secrets {
            let namespace = secret.namespace.as_deref().unwrap_or(&manifest.name);
            let entries = self.0.parts.backends.entries(&secret.from, &manifest.name, namespace);
            entries.map_err(|reason| LoadError::Secret { name: secret.name.clone(), reason })?;
        }
        Ok(())
    }

    /// The rotations of the configuration, by name.
    pub fn rotations(&self) -> impl Iterator<Item = &str> {
        self.0.parts.rotations.all().iter().map(|rotation| rotation.name())
    }

    /// Replaces a key now, or takes a rotation to its end that was left midway. `progress` is told of each step as it is taken, and what is to
    /// be said of it. Ends when the old key is revoked: after at least as long as requests that hold it take.
    ///
    /// A host whose agents use the key replaces it by itself when it is due, from the first run on.
    ///
    /// # Errors
    /// [`RotationError`], which says which key is in use.
    pub async fn rotate(&self, rotation: &str, progress: impl Fn(&str, &str) + Send + Sync + 'static) -> Result<(), RotationError> {
        self.0.parts.rotations.named(rotation)?.by_hand(Some(Arc::new(progress))).await
    }

    /// Gives a rotation up that is under way and can't be taken to its end, as where its issuer is gone. What is in the stores stays as it
    /// is; what was reported of it before is forgotten. Returns the keys that may be left over, for the operator to revoke.
    ///
    /// # Errors
    /// [`RotationError`] where there is none of that name, another host is at it, or its journal can't be written.
    pub async fn abandon_rotation(&self, rotation: &str) -> Result<Vec<String>, RotationError> {
        self.0.parts.rotations.named(rotation)?.abandon().await
    }

    /// How a rotation stands, by its journal.
    ///
    /// # Errors
    /// [`RotationError`] where there is none of that name, or its journal can't be read.
    pub async fn rotation_status(&self, rotation: &str) -> Result<RotationStatus, RotationError> {
        self.0.parts.rotations.named(rotation)?.status().await
    }

    /// How often things have happened to a rotation since this host was built.
    ///
    /// # Errors
    /// [`RotationError`] where there is none of that name.
    pub fn rotation_counts(&self, rotation: &str) -> Result<RotationCounts, RotationError> {
        Ok(self.0.parts.rotations.named(rotation)?.counts())
    }

    /// How often things have happened to the secrets of this host.
    #[must_use]
    pub fn secret_counts(&self) -> SecretCounts {
        self.0.parts.cache.counts()
    }

    /// Ends the host's use of its backends: gives leases back and logs out, within 10 seconds; before that, a rotation that is under way gets
    /// twice its `timeout` to come to a point where another host can go on with it. Call it when no agent runs any more; secrets that are asked
    /// for after it are had by a new login.
    pub async fn close(&self) {
        let parts = &self.0.parts;
        parts.rotations.close().await;
        parts.cache.close(FAREWELL).await;
        let all = parts.backends.all().iter().map(|configured| configured.backend.close());
        let _ = tokio::time::timeout(FAREWELL, futures_util::future::join_all(all)).await;
    }

    fn agent_from(&self, manifest: Manifest, component: &[u8], path: PathBuf) -> Result<Agent, LoadError> {
        self.check_secrets(&manifest)?;
        if let Some(rule) = manifest.leaks_allowed().find(|rule| !self.0.parts.rules.has(rule)) {
            return Err(LoadError::Rule { rule: rule.to_owned() });
        }
        let signers = self.0.parts.signing.grant(&manifest, &self.0.parts.backends);
        let signers = signers.map_err(|(name, reason)| LoadError::Signer { name, reason })?;
        for signer in &manifest.signers {
            if let Some(rotation) = self.0.parts.rotations.of_reference(&signer.from) {
                let reason =
                    format!("its key is replaced by the rotation `{rotation}`, and a signer keeps its key for as long as the host runs");
                return Err(LoadError::Signer { name: signer.name.clone(), reason });
            }
        }
        let Inner { parts, linker, cache, network } = &*self.0;
        let closed = parts.rotations.closed().clone();
        let loaded = runtime::load(&parts.engine, linker, cache.as_ref(), component, manifest.sha256.as_ref());
        let loaded = loaded.map_err(|source| LoadError::Component { path, source })?;
        let parts = AgentParts {
            policy: Arc::new(Policy::new(&manifest, closed)),
            pools: Arc::new(Pools::new(Arc::clone(network))),
            signers,
            searches: Mutex::new(None),
            manifest,
            loaded,
        };
        Ok(Agent { host: self.clone(), parts: Arc::new(parts) })
    }
}

impl Agent {
    /// Runs the agent once, to its end, within its limits. Needs a Tokio runtime with time and I/O.
    ///
    /// An agent that sends many small requests is about a fifth faster on a current-thread runtime, as the binary has it: on a
    /// multi-threaded one, each request wakes another thread.
    ///
    /// Dropping the future ends the run: the guest stops, its requests are given up, and what it did is in the audit log.
    ///
    /// # Errors
    /// [`RunError`] where nothing has run, or where the audit log failed. What the guest itself comes to is an [`Outcome`].
    pub async fn run(&self, options: RunOptions) -> Result<Outcome, RunError> {
        runtime::run(&self.host.0.parts, &self.parts, options).await
    }

    /// Has every secret of the manifest, as a run would, and gives them up again; nothing is run. Says what is there.
    ///
    /// # Errors
    /// [`SecretsUnavailable`] with all that are missing.
    pub async fn resolve(&self) -> Result<Vec<Resolved>, SecretsUnavailable> {
        let host = &self.host.0.parts;
        // Nothing is used, so that nobody has to know, and no key is replaced by it.
        let keyring = Keyring::open(&self.parts.manifest, &host.backends, &host.cache).await?;
        let resolved = |(_, key): (usize, &crate::secrets::Key)| {
            let version = key.current();
            Resolved {
                name: key.name.clone(),
                from: key.from(),
                version: version.label.clone(),
                fingerprint: version.fingerprint,
                expires_at: version.expires_at,
            }
        };
        let all = keyring.iter().map(resolved).collect();
        let farewell = keyring.farewell();
        drop(keyring);
        farewell.await;
        Ok(all)
    }

    /// The agent's signers, each with its key at hand.
    #[cfg(feature = "cli")]
    pub(crate) async fn signers(&self) -> Result<Vec<Arc<Opened>>, runtime::SignersUnavailable> {
        runtime::open_signers(&self.host.0.parts, &self.parts).await
    }

    /// A wallet of the agent's, to judge by it what the agent might ask for. Has its key, or the way to it.
    ///
    /// # Errors
    /// Text for the operator, where the manifest has no such wallet, or its key can't be had.
    pub async fn wallet(&self, signer: &str) -> Result<Wallet, String> {
        let opened = runtime::open_signers(&self.host.0.parts, &self.parts).await.map_err(|error| error.to_string())?;
        let opened = opened.into_iter().find(|opened| opened.granted.spec.name == signer && opened.key.address().is_some());
        let wallet = |opened| Wallet { opened, signing: Arc::clone(&self.host.0.parts.signing) };
        opened.map(wallet).ok_or_else(|| format!("the manifest has no wallet `{signer}`"))
    }

    /// Takes the keys of the agent's signers into this host's ledger, and gives the operator's word that the ledger is the latest there is.
    /// A wallet signs nothing before it: where a ledger was lost, what was spent before would be forgotten. Gives each signer's name and
    /// what its key is known by.
    ///
    /// # Errors
    /// Text for the operator, where a key or the ledger can't be had.
    pub async fn confirm_signers(&self) -> Result<Vec<(String, String)>, String> {
        let host = &self.host.0.parts;
        let opened = runtime::open_signers(host, &self.parts).await.map_err(|error| error.to_string())?;
        for signer in &opened {
            host.signing.confirm(signer).await?;
        }
        Ok(opened.iter().map(|signer| (signer.granted.spec.name.clone(), signer.shown.clone())).collect())
    }

    /// Has one secret of the manifest, and keeps it: to have it at hand before the first run, or to see when it is replaced.
    ///
    /// # Errors
    /// [`BackendError`], also where the manifest has no secret of that name.
    pub async fn watch(&self, secret: &str) -> Result<Watched, BackendError> {
        let host = &self.host.0.parts;
        let unknown = || BackendError::Refused("the manifest has no secret of that name".to_owned());
        let mut manifest = self.parts.manifest.clone();
        manifest.secrets.retain(|spec| spec.name == secret);
        let opened = runtime::open_keyring(host, &manifest).await;
        let keyring = opened.map_err(|mut missing| missing.0.pop().map_or_else(unknown, |missing| missing.why))?;
        keyring.get(0).ok_or_else(unknown)?;
        Ok(Watched { keyring, cache: Arc::clone(&host.cache) })
    }

    /// The agent's manifest.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.parts.manifest
    }
}

/// Reads a component's bytes, at most [`runtime::MAX_COMPONENT`] of them.
pub(crate) fn read_component(path: &Path) -> Result<Vec<u8>, LoadError> {
    use std::io::Read;

    let read = std::fs::File::open(path).and_then(|file| {
        let mut bytes = Vec::new();
        file.take(runtime::MAX_COMPONENT + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    });
    read.map_err(|source| LoadError::Read { path: path.to_owned(), source })
}

/// Manifests, of which none may be wrong.
#[cfg(feature = "cli")]
pub(crate) fn read_manifests(paths: &[PathBuf]) -> Result<Vec<Manifest>, ReadError> {
    paths.iter().map(|path| Manifest::read(path)).collect()
}

/// The host's own rules, and those of the operator's files.
pub(crate) fn rules(files: &[PathBuf]) -> Result<Arc<Rules>, BuildError> {
    let broken = |path: &PathBuf, reason: String| BuildError::Rules { path: path.clone(), reason };
    let read = |path: &PathBuf| std::fs::read_to_string(path).map_err(|error| broken(path, error.to_string()));
    let texts = files.iter().map(read).collect::<Result<Vec<String>, BuildError>>()?;
    // Each file is tried by itself first, so that an error names it.
    for (path, text) in files.iter().zip(&texts) {
        Rules::with(std::slice::from_ref(text)).map_err(|error| broken(path, error.to_string()))?;
    }
    let last = || files.last().cloned().unwrap_or_default();
    Rules::with(&texts).map_err(|error| broken(&last(), error.to_string()))
}

fn open_state(config: &HostConfig) -> Result<StateDir, BuildError> {
    let path = state_path(config);
    let unknown = || BuildError::State(std::io::Error::other("neither XDG_STATE_HOME nor HOME is set"));
    StateDir::open(&path.ok_or_else(unknown)?).map_err(BuildError::State)
}

/// Where a host keeps its state, unless it is told to keep none.
pub(crate) fn state_path(config: &HostConfig) -> Option<PathBuf> {
    config.state_dir.clone().or_else(StateDir::default_path)
}

/// Where a host keeps its audit log: where the operator says, or in its state directory.
pub(crate) fn audit_path(config: &HostConfig, state: Option<&Path>) -> Option<PathBuf> {
    config.audit_file.clone().or_else(|| state.map(|dir| dir.join("audit.jsonl")))
}

fn open_audit(config: &HostConfig, state: Option<&StateDir>) -> Result<Arc<dyn AuditSink>, BuildError> {
    let path = audit_path(config, state.map(StateDir::path)).unwrap_or_else(|| PathBuf::from("audit.jsonl"));
    match FileAudit::open(&path) {
        Ok(file) => Ok(Arc::new(file)),
        Err(source) => Err(BuildError::Audit { path, source }),
    }
}

fn open_cache(state: &StateDir) -> std::io::Result<Cache> {
    Ok(Cache::new(state.subdirectory("compiled")?, state.key("cache.key")?))
}

/// The embedder's own backends, and those of the configuration under other names. There is always an `env`.
pub(crate) fn backends(own: Vec<Configured>, config: &HostConfig, clock: &Clock, default: String) -> Result<Backends, BuildError> {
    let mut all = own;
    let env = ("env".to_owned(), BackendConfig::Env { file: None });
    for (name, backend) in config.backends.iter().chain([&env]) {
        if !all.iter().any(|known| known.name == *name) {
            let configured = configured(name, backend, clock);
            all.push(configured.map_err(|reason| BuildError::Backend { name: name.clone(), reason })?);
        }
    }
    if !all.iter().any(|known| known.name == default) {
        let reason = match default.as_str() {
            "vault" => "bare names are looked up there; set VAULT_ADDR with VAULT_ROLE_ID and VAULT_SECRET_ID, or configure it",
            "aws" => "bare names are looked up there; set AWS_REGION, or configure it",
            _ => "bare names are looked up there, but it is not configured; correct SECRETS_BACKEND",
        };
        return Err(BuildError::Backend { name: default, reason: reason.to_owned() });
    }
    Ok(Backends::new(all, default))
}

fn configured(name: &str, config: &BackendConfig, clock: &Clock) -> Result<Configured, String> {
    let (backend, bounds): (Arc<dyn SecretBackend>, Bounds) = match config {
        BackendConfig::Env { file: None } => (Arc::new(EnvBackend::new()), Bounds::none()),
        BackendConfig::Env { file: Some(file) } => (Arc::new(EnvBackend::with_file(file)?), Bounds::none()),
        BackendConfig::File { path, key, paths } => (Arc::new(FileBackend::new(path.clone(), file_key(key)?)), Bounds::new(paths.clone())),
        #[cfg(feature = "vault")]
        BackendConfig::Vault(vault) => {
            let bounds = Bounds::with_leased(vault.paths.clone(), vault.leased.clone());
            (Arc::new(VaultBackend::with_clock(vault, clock.clone())?), bounds)
        }
        #[cfg(feature = "aws")]
        BackendConfig::Aws(aws) => (Arc::new(AwsBackend::new(aws)), Bounds::new(aws.paths.clone())),
        #[cfg(not(all(feature = "vault", feature = "aws")))]
        _ => return Err("this build has no such backend; build Strongroom with the features `vault` and `aws`".to_owned()),
    };
    // Only the backends that log in have use for a clock.
    let _ = clock;
    Ok(Configured { name: name.to_owned(), stale: backend.stale(), backend, bounds })
}

/// What opens a file of secrets, from where the configuration says it is.
pub(crate) fn file_key(key: &FileKeyRef) -> Result<FileKey, String> {
    match key {
        FileKeyRef::Identity(path) => FileKey::identity_file(path),
        FileKeyRef::Credential(name) => {
            let dir = std::env::var_os("CREDENTIALS_DIRECTORY").ok_or("no systemd credentials here: CREDENTIALS_DIRECTORY is not set")?;
            FileKey::identity_file(&Path::new(&dir).join(name))
        }
        FileKeyRef::Passphrase(variable) => {
            let passphrase = std::env::var(variable).map_err(|_| format!("the variable `{variable}` with the passphrase is not set"))?;
            Ok(FileKey::Passphrase(passphrase.into()))
        }
        #[cfg(feature = "cli")]
        FileKeyRef::Prompt => {
            let passphrase = rpassword::prompt_password("Passphrase: ").map_err(|error| format!("no passphrase: {error}"))?;
            Ok(FileKey::Passphrase(passphrase.into()))
        }
        #[cfg(not(feature = "cli"))]
        FileKeyRef::Prompt => Err("a passphrase can be asked for by the `strongroom` binary alone".to_owned()),
    }
}

/// TLS 1.2 and 1.3 with the Mozilla roots, the operator's own authorities, and ALPN for HTTP/2 and HTTP/1.1.
pub(crate) fn tls(authorities: &[PathBuf]) -> Result<rustls::ClientConfig, BuildError> {
    let mut roots = rustls::RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    for path in authorities {
        let wrong = |reason: String| BuildError::Ca { path: path.clone(), reason };
        let mut any = false;
        for certificate in CertificateDer::pem_file_iter(path).map_err(|error| wrong(error.to_string()))? {
            let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
            roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
            any = true;
        }
        if !any {
            return Err(wrong("it holds no certificate".into()));
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let mut config = config.map_err(|error| BuildError::Engine(error.to_string()))?.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
