//! The front door: a host, built once, that loads agents and runs them.

mod agent;
mod builder;
mod error;
mod reread;

pub use agent::{Agent, Resolved, Wallet, Watched};
pub use builder::HostBuilder;
#[cfg(feature = "ops")]
pub(crate) use builder::{audit_path, backends, file_key, rules, state_path};
pub use error::{BuildError, LoadError, WalletError};

use crate::clock::Wall;
use crate::doors::wasm::{self, AgentParts, ComponentError, Components, HostParts, Inspection};
use crate::egress::{Network, Pools};
use crate::keyvalue::{Bucket, Granted};
use crate::kill_switch::KillSwitch;
use crate::lanes::Lanes;
use crate::lock::{Mutex, RwLock};
#[cfg(feature = "ops")]
use crate::manifest::AdminConfig;
use crate::manifest::{HostConfig, ListenConfig, Manifest, SecretSpec, Trigger, Which};
use crate::oauth::Tokens;
use crate::policy::Policy;
use crate::rotation::{Progress, RotationCounts, RotationError, RotationStatus};
use crate::secrets::{BackendError, SecretCounts};
#[cfg(feature = "ops")]
use crate::secrets::{Backends, Fingerprint, SecretValue};
use crate::session::Edition;
use crate::shared::{Nonces, Tickets};
#[cfg(feature = "ops")]
use crate::signing::Signing;
use crate::state::StateDir;
use reread::Current;
pub(crate) use reread::Reread;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How long a host that is closed waits for leases, and for each login to end.
const FAREWELL: std::time::Duration = std::time::Duration::from_secs(5);

/// Runs agents. Cheap to clone; the clones are one host.
#[derive(Clone)]
pub struct Host(Arc<Inner>);

struct Inner {
    parts: HostParts,
    components: Components,
    network: Arc<Network>,
    tickets: Arc<dyn Tickets>,
    tokens: Arc<Tokens>,
    lanes: Option<Arc<Lanes>>,
    kill_switch: KillSwitch,
    state: Option<StateDir>,
    wall: Wall,
    max_agents: u32,
    /// What it runs by.
    current: RwLock<Current>,
}

impl Host {
    /// Sets a host up.
    #[must_use]
    pub fn builder() -> HostBuilder {
        HostBuilder::default()
    }

    /// Loads an agent from its manifest's file.
    ///
    /// Blocks the thread: the component is compiled, unless the cache holds it, in 0.1 to 5 seconds of work. Within an asynchronous
    /// runtime, call it in `tokio::task::spawn_blocking`.
    ///
    /// # Errors
    /// [`LoadError`], which names the file and what to correct.
    pub fn load(&self, manifest: impl AsRef<Path>) -> Result<Agent, LoadError> {
        let manifest = Manifest::read(manifest.as_ref())?;
        let (path, bytes) = self.component_of(&manifest)?;
        self.agent_from(manifest, &bytes, path)
    }

    /// The component that a manifest names, and its bytes.
    pub(crate) fn component_of(&self, manifest: &Manifest) -> Result<(PathBuf, Vec<u8>), LoadError> {
        let path = manifest.component.clone().ok_or(LoadError::NoComponent)?;
        if self.0.parts.backends.has_file(&path) {
            return Err(LoadError::HostsOwn { path });
        }
        let bytes = read_component(&path)?;
        Ok((path, bytes))
    }

    /// Loads an agent from a manifest made in code and the bytes of its component. Blocks the thread, as [`Host::load`] does.
    ///
    /// # Errors
    /// [`LoadError`], which says what to correct.
    pub fn agent(&self, manifest: Manifest, component: &[u8]) -> Result<Agent, LoadError> {
        let name = PathBuf::from(&manifest.name);
        self.agent_from(manifest, component, name)
    }

    /// What a component imports and exports. Blocks the thread: it is compiled.
    ///
    /// # Errors
    /// [`ComponentError`] where it is not a component.
    pub fn inspect(&self, component: &[u8]) -> Result<Inspection, ComponentError> {
        wasm::inspect(&self.0.parts.engine, component)
    }

    #[cfg(feature = "ops")]
    pub(crate) fn backends(&self) -> &Backends {
        &self.0.parts.backends
    }

    /// The rotation of that name, or else the one that replaces an entry of a backend.
    #[cfg(feature = "ops")]
    pub(crate) fn rotation_of(&self, name: &str, backend: &str, entry: Option<&crate::secrets::Entry>) -> Option<String> {
        let rotations = &self.0.parts.rotations;
        let by_entry = || rotations.of(backend, entry?);
        rotations.named(name).ok().or_else(by_entry).map(|rotation| rotation.name().to_owned())
    }

    /// Records of what the host does for no run, and for whom; for no agent in particular, its name is empty.
    pub(crate) fn journal(&self, agent: &str) -> crate::audit::Journal {
        crate::audit::Journal::new(self.0.parts.audit.clone(), self.0.parts.name.clone(), agent.to_owned())
    }

    /// The network of the agents.
    #[cfg(feature = "ops")]
    pub(crate) fn network(&self) -> &Arc<Network> {
        &self.0.network
    }

    #[cfg(feature = "ops")]
    pub(crate) fn signing(&self) -> &Arc<Signing> {
        &self.0.parts.signing
    }

    #[cfg(feature = "ops")]
    pub(crate) fn fingerprint(&self, value: &SecretValue) -> Fingerprint {
        value.fingerprint(self.0.parts.cache.fingerprint_key())
    }

    /// Whether a manifest names a path of a backend, and may.
    #[cfg(feature = "ops")]
    pub(crate) fn may_use(&self, manifest: &Manifest, backend: Option<&str>, path: &str) -> bool {
        let backends = &self.0.parts.backends;
        let Ok(wanted) = backends.named(backend) else { return false };
        manifest.secrets.iter().chain(&manifest.caller).any(|secret| {
            let namespace = secret.namespace.as_deref().unwrap_or(&manifest.name);
            let entries = backends.entries(&secret.from, &manifest.name, namespace);
            entries.is_ok_and(|(of, entries)| of.name == wanted.name && entries.iter().any(|entry| entry.path == path))
        })
    }

    /// Whether a manifest's secrets may be named at all, without asking where they are kept.
    pub(crate) fn check_secrets(&self, manifest: &Manifest) -> Result<(), LoadError> {
        for secret in manifest.secrets.iter().chain(&manifest.caller) {
            let namespace = secret.namespace.as_deref().unwrap_or(&manifest.name);
            let entries = self.0.parts.backends.entries(&secret.from, &manifest.name, namespace);
            let checked = entries.and_then(|_| self.0.parts.backends.check_file(&secret.from));
            let checked = checked.and_then(|()| self.check_refreshed(manifest, secret));
            checked.map_err(|reason| LoadError::Secret { name: secret.name.clone(), reason })?;
        }
        Ok(())
    }

    /// Whether the host is one on which a manifest may name what it names: secrets, and rules.
    pub(crate) fn check(&self, manifest: &Manifest) -> Result<(), LoadError> {
        self.check_secrets(manifest)?;
        let rules = self.0.parts.rules();
        if let Some(rule) = manifest.leaks_allowed().find(|rule| !rules.has(rule)) {
            return Err(LoadError::Rule { rule: rule.to_owned() });
        }
        for (host, rule) in manifest.answers_allowed() {
            if !rules.has(rule) {
                return Err(LoadError::Rule { rule: rule.to_owned() });
            }
            if self.0.parts.rotations.closed().concerns(host) {
                return Err(LoadError::AnswerRule { host: host.to_string() });
            }
        }
        Ok(())
    }

    /// Whether the host is still one on which a manifest may be loaded that was: its configuration may be another.
    pub(crate) fn check_loaded(&self, manifest: &Manifest) -> Result<(), LoadError> {
        self.check(manifest)?;
        let checked = self.0.parts.signing.check_hot(manifest, &self.0.parts.backends);
        checked.map_err(|(name, reason)| LoadError::Signer { name, reason })
    }

    /// What an agent keeps over its runs, where its manifest says that it does.
    fn state_of(&self, manifest: &Manifest) -> Result<Option<Arc<Granted>>, LoadError> {
        let Some(spec) = manifest.state.clone() else { return Ok(None) };
        let state = self.0.state.as_ref().ok_or_else(|| {
            LoadError::State("this host keeps no state; leave `[state]` out of the manifest, or give the host a state directory".to_owned())
        })?;
        let bucket = Bucket::of(state, &manifest.name).map_err(|error| LoadError::State(error.to_string()))?;
        Ok(Some(Arc::new(Granted { bucket, spec })))
    }

    /// Whether a refresh token is kept where the one that replaces it can be written.
    fn check_refreshed(&self, manifest: &Manifest, secret: &SecretSpec) -> Result<(), BackendError> {
        if !secret.scheme.as_ref().and_then(|scheme| scheme.oauth2()).is_some_and(|oauth2| oauth2.is_refreshed()) {
            return Ok(());
        }
        for origin in self.0.parts.backends.origins(manifest, secret)? {
            let is_pointer = origin.entry.field.as_ref().is_some_and(|field| field.starts_with('/'));
            if origin.from.backend.store().is_none() || is_pointer || origin.entry.which != Which::Current {
                return Err(BackendError::Refused(format!(
                    "its server may replace a refresh token each time it is used, and {} can't be written to: keep it in a backend of type \
                     `file`, `vault` or `aws`, without a version, and where it is a field, name that by its key",
                    origin.shown()
                )));
            }
        }
        Ok(())
    }

    /// What stops agents at once. It is that of all hosts with this one's state directory.
    #[must_use]
    pub fn kill_switch(&self) -> &KillSwitch {
        &self.0.kill_switch
    }

    /// The rotations of the configuration, by name.
    pub fn rotations(&self) -> impl Iterator<Item = &str> {
        self.0.parts.rotations.all().iter().map(|rotation| rotation.name())
    }

    /// Replaces a key now, or finishes a rotation that was left midway. `progress` is told of each step as it is taken. Returns when the
    /// old key is revoked, which may take as long as the requests that hold it.
    ///
    /// A host whose agents use the key replaces it on its own when it is due, from the first run on.
    ///
    /// # Errors
    /// [`RotationError`], which says which key is in use.
    pub async fn rotate(&self, rotation: &str, progress: impl Fn(Progress<'_>) + Send + Sync + 'static) -> Result<(), RotationError> {
        self.0.parts.rotations.named(rotation)?.by_hand(false, Some(Arc::new(progress))).await
    }

    /// Replaces a key that has leaked: as [`Host::rotate`], but the old key is revoked as soon as the new one is in its place. Requests that
    /// still hold the old key fail, and so do other hosts until they read the new one.
    ///
    /// # Errors
    /// [`RotationError`], which says which key is in use.
    pub async fn replace_leaked(
        &self,
        rotation: &str,
        progress: impl Fn(Progress<'_>) + Send + Sync + 'static,
    ) -> Result<(), RotationError> {
        self.0.parts.rotations.named(rotation)?.by_hand(true, Some(Arc::new(progress))).await
    }

    /// Abandons a rotation that is under way and can't be finished, for example because its issuer is gone. What is in the stores stays as
    /// it is; what was reported of it before is forgotten. Returns the keys that may be left over, for the operator to revoke.
    ///
    /// # Errors
    /// [`RotationError`] where there is none of that name, another host is working on it, or its journal can't be written.
    pub async fn abandon_rotation(&self, rotation: &str) -> Result<Vec<String>, RotationError> {
        self.0.parts.rotations.named(rotation)?.abandon().await
    }

    /// The status of a rotation, by its journal.
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

    /// The tickets of signatures that wait for somebody's decision.
    #[must_use]
    pub fn tickets(&self) -> &dyn Tickets {
        &*self.0.tickets
    }

    /// Numbers that rise from one to the next, over all runs of this host and all that share them.
    #[must_use]
    pub fn nonces(&self) -> &dyn Nonces {
        self.0.parts.counts.numbers.nonces()
    }

    /// Ends the host's use of its backends: gives leases back and logs out, within 10 seconds; before that, a refresh of an access token that
    /// is under way gets 100 seconds to be kept, and a rotation twice its `timeout` to reach a point where another host can continue it. Call
    /// it when no agent is running any more. Clones of the host are the same host: secrets that are asked for through one after this need a
    /// new login.
    pub async fn shutdown(self) {
        let parts = &self.0.parts;
        self.0.tokens.close().await;
        parts.rotations.close().await;
        parts.cache.close(FAREWELL).await;
        let all = parts.backends.all().iter().map(|configured| configured.backend.close());
        let _ = tokio::time::timeout(FAREWELL, futures_util::future::join_all(all)).await;
    }

    /// A name for a run that is about to begin, which no other run of this host has.
    pub(crate) fn next_run(&self) -> String {
        self.0.parts.next_run()
    }

    /// How many agents run at once, at most.
    pub(crate) fn max_agents(&self) -> u32 {
        self.0.max_agents
    }

    /// Where the host keeps its state, if it keeps any.
    pub(crate) fn state(&self) -> Option<&StateDir> {
        self.0.state.as_ref()
    }

    /// Where it listens for callers, by its configuration.
    pub(crate) fn listen(&self) -> Option<ListenConfig> {
        self.0.current.read().config.listen.clone()
    }

    /// What it runs by.
    pub(crate) fn config(&self) -> HostConfig {
        self.0.current.read().config.clone()
    }

    /// Who may administer it, and where.
    #[cfg(feature = "ops")]
    #[must_use]
    pub fn admin(&self) -> AdminConfig {
        self.0.current.read().config.admin.clone()
    }

    #[cfg(feature = "ops")]
    pub(crate) fn cached(&self) -> &crate::secrets::Cache {
        &self.0.parts.cache
    }

    /// The threads that its runs are spread over, where it has some.
    pub(crate) fn lanes(&self) -> Option<&Arc<Lanes>> {
        self.0.lanes.as_ref()
    }

    pub(crate) fn wall(&self) -> &Wall {
        &self.0.wall
    }

    pub(crate) fn agent_from(&self, manifest: Manifest, component: &[u8], path: PathBuf) -> Result<Agent, LoadError> {
        self.check(&manifest)?;
        let signers = self.0.parts.signing.grant(&manifest, &self.0.parts.backends);
        let signers = signers.map_err(|(name, reason)| LoadError::Signer { name, reason })?;
        for signer in &manifest.signers {
            if let Some(rotation) = self.0.parts.rotations.of_reference(&signer.from) {
                let reason =
                    format!("its key is replaced by the rotation `{rotation}`, and a signer keeps its key for as long as the host runs");
                return Err(LoadError::Signer { name: signer.name.clone(), reason });
            }
        }
        let Inner { parts, components, network, .. } = &*self.0;
        let closed = parts.rotations.closed().clone();
        let answers = matches!(manifest.trigger, Trigger::Http(_));
        let loaded = components.load(&parts.engine, &path, component, manifest.sha256.as_ref(), answers);
        let loaded = loaded.map_err(|source| LoadError::Component { path, source })?;
        let state = self.state_of(&manifest)?;
        let line = self.0.kill_switch.line(&manifest.name);
        let parts = AgentParts {
            policy: Arc::new(Policy::new(&manifest, closed)),
            pools: Arc::new(Pools::new(Arc::clone(network), Arc::clone(&line))),
            signers,
            state,
            searches: Mutex::new(None),
            line,
            later: Arc::default(),
            edition: Edition::of(&manifest).name(),
            manifest,
            loaded,
        };
        Ok(Agent { host: self.clone(), parts: Arc::new(parts) })
    }
}

/// Reads a component's bytes, at most [`wasm::MAX_COMPONENT`] of them.
pub(crate) fn read_component(path: &Path) -> Result<Vec<u8>, LoadError> {
    crate::files::read(path, wasm::MAX_COMPONENT).map_err(|source| LoadError::Read { path: path.to_owned(), source })
}
