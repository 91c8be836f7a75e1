//! Sets a host up: each part from the configuration, unless the embedder brings their own.

use super::reread::{Current, Texts, ways};
use super::{BuildError, Host, Inner};
use crate::audit::{AuditSink, FileAudit};
use crate::clock::{Clock, Wall};
use crate::doors::wasm::{self, Cache, Components, Engine, HostParts, Inspector};
use crate::egress::{Network, Resolve, SystemResolver};
use crate::keys::SignerBackend;
use crate::kill_switch::KillSwitch;
use crate::lanes::Lanes;
use crate::lock::RwLock;
#[cfg(feature = "file")]
use crate::manifest::FileKeyRef;
use crate::manifest::{BackendConfig, HostConfig};
use crate::oauth::Tokens;
use crate::random;
use crate::rotation::{self, Issuer, Rotations};
use crate::scrub::Rules;
#[cfg(feature = "aws")]
use crate::secrets::AwsBackend;
#[cfg(feature = "vault")]
use crate::secrets::VaultBackend;
use crate::secrets::backends::{Bounds, Configured, Minting};
use crate::secrets::{Backends, Cache as SecretCache, CommandBackend, DirBackend, EnvBackend, SecretBackend, Variables};
#[cfg(feature = "file")]
use crate::secrets::{FileBackend, FileKey};
use crate::session::{Counts, Numbers};
use crate::shared::{self, HighWater, Nonces, SharedRates, Tickets, WaitingList};
use crate::signing::{Sharing, Signing};
use crate::state::StateDir;
use std::path::{Path, PathBuf};
use std::sync::Arc;
#[cfg(any(test, feature = "test-util"))]
use std::sync::atomic::AtomicI64;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

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
    ledger: Option<Arc<dyn shared::Ledger>>,
    rates: Option<SharedRates>,
    nonces: Option<Arc<dyn Nonces>>,
    tickets: Option<Arc<dyn Tickets>>,
    lanes: Option<usize>,
}

enum Audit {
    Sink(Arc<dyn AuditSink>),
    Off,
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
        self.backends.push(Configured { name: name.into(), backend, bounds: Bounds::none(), stale, settled: Duration::ZERO });
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

    /// Where names without a backend are looked up, whatever the configuration says. Default `env`.
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

    /// Keeps nothing on disk: no cache of compiled components, and fingerprints that change with each host. The audit log then needs a place
    /// of its own: [`HostBuilder::audit`], `[audit] file`, or [`HostBuilder::without_audit`].
    #[must_use]
    pub fn without_state(mut self) -> Self {
        self.stateless = true;
        self
    }

    /// Looks names up instead of the system. The addresses are still checked.
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

    /// Runs agents on so many threads of the host's own, each with a runtime: a run goes to the one with the fewest, and stays there
    /// unless it computes for long: there are as many threads for such runs. One for each core serves many agents best. Default: none, and agents run on the runtime that waits for them.
    #[must_use]
    pub fn lanes(mut self, lanes: usize) -> Self {
        self.lanes = Some(lanes);
        self
    }

    /// The ledger that reserves and keeps this host's signatures, together with those of all other hosts that have the same keys. Default:
    /// one of its own, in `[signing] ledger`.
    #[must_use]
    pub fn ledger(mut self, ledger: impl shared::Ledger + 'static) -> Self {
        self.ledger = Some(Arc::new(ledger));
        self
    }

    /// The shared rates that uses count against, in addition to this host's own. Default: only its own.
    #[must_use]
    pub fn rates(mut self, rates: impl shared::Rates + 'static) -> Self {
        self.rates = Some(SharedRates::new(rates));
        self
    }

    /// Where the numbers come from that have to rise from request to request. Default: the state directory, which processes of one machine
    /// share.
    #[must_use]
    pub fn nonces(mut self, nonces: impl Nonces + 'static) -> Self {
        self.nonces = Some(Arc::new(nonces));
        self
    }

    /// Where the tickets of signatures that wait for somebody's decision are filed. Default: in memory, 64 of each agent and 1,024 in all.
    #[must_use]
    pub fn tickets(mut self, tickets: impl Tickets + 'static) -> Self {
        self.tickets = Some(Arc::new(tickets));
        self
    }

    /// Hands every linear memory of a guest to `inspector` when its run has ended. For tests: such a host compiles slower code.
    #[cfg(any(test, feature = "test-util"))]
    #[must_use]
    pub fn inspect_memory(mut self, inspector: impl Fn(&[u8]) + Send + Sync + 'static) -> Self {
        self.inspector = Some(Arc::new(inspector));
        self
    }

    /// Adds so many milliseconds to the time by which secrets age, as if the machine had slept. For tests.
    #[cfg(any(test, feature = "test-util"))]
    #[must_use]
    pub fn slept(mut self, millis: Arc<AtomicU64>) -> Self {
        self.clock = Clock::sleeping(millis);
        self
    }

    /// Adds so many milliseconds to the wall clock that the ledger of signatures reads, as if somebody had set it. For tests.
    #[cfg(any(test, feature = "test-util"))]
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
        let fingerprint_key = state.as_ref().map_or_else(random::key, |state| state.key("host.key")).map_err(BuildError::State)?;
        let max_agents = self.max_agents.unwrap_or(1_024);
        let engine = Engine::new(max_agents, self.inspector.is_some());
        let engine = engine.map_err(|error| BuildError::Engine(error.to_string()))?;
        let linker = wasm::linker(&engine).map_err(|error| BuildError::Engine(error.to_string()))?;
        let most = self.config.compiled.unwrap_or(wasm::DEFAULT_CACHE);
        let compiled = state.as_ref().map(|state| open_cache(state, most)).transpose().map_err(BuildError::State)?;
        let variables = Arc::new(Variables::new(state.as_ref()));
        let texts = Texts::read(&self.config)?;
        let network = Network::new(self.resolver.unwrap_or_else(|| Arc::new(SystemResolver)), ways(&self.config, &texts)?);
        let backends = backends(self.backends, &self.config, &self.clock, self.default_backend)?;
        let tickets = self.tickets.unwrap_or_else(|| Arc::new(WaitingList::default()));
        let numbers = match self.nonces {
            Some(nonces) => Numbers::shared(nonces),
            None => Numbers::own(Arc::new(HighWater::new(state.clone())), &fingerprint_key),
        };
        let signing = Signing::new(
            self.config.signing.clone(),
            self.signers,
            state.clone(),
            Arc::clone(&variables),
            Sharing { ledger: self.ledger, rates: self.rates.clone(), tickets: Arc::clone(&tickets) },
            self.clock.clone(),
            self.wall.clone(),
        );
        let signing = signing.map_err(BuildError::Signing)?;
        let cache = Arc::new(SecretCache::new(self.clock.clone(), fingerprint_key));
        let rules = rules_of(&self.config.scrub_rules, &texts.rules)?;
        tell_of_rules(&self.config.scrub_rules, &rules);
        let name = crate::text::hex(&random::key().map_err(BuildError::State)?[..6]);
        let wall = self.wall.clone();
        let network = Arc::new(network);
        let fingerprints = cache.fingerprint_key().clone();
        let tokens = Arc::new(Tokens::new(Arc::clone(&network), name.clone(), self.wall.clone(), audit.clone(), fingerprints));
        let backends = backends.with_tokens(Arc::clone(&tokens) as Arc<dyn Minting>);
        let parts = rotation::Parts { host: name.clone(), cache: Arc::clone(&cache), clock: self.clock, wall, audit: audit.clone() };
        let rotations = Rotations::new(&self.config, self.issuers, &backends, &parts);
        let rotations = rotations.map_err(|(name, reason)| BuildError::Rotation { name, reason })?;
        let signing = Arc::new(signing);
        let (counts, inspector, runs) = (Counts { rates: self.rates, numbers: Arc::new(numbers) }, self.inspector, AtomicU64::new(0));
        let rules = RwLock::new(rules);
        let parts = HostParts { engine, backends, variables, rules, audit, cache, signing, rotations, counts, inspector, runs, name };
        let lanes = self.lanes.map(Lanes::new).transpose().map_err(BuildError::Lanes)?.map(Arc::new);
        let kill_switch = KillSwitch::of_host(state.as_ref()).map_err(BuildError::KillSwitch)?;
        let (wall, current) = (self.wall, RwLock::new(Current { config: self.config, contents: texts.contents }));
        let components = Components::new(linker, compiled);
        let inner = Inner { parts, components, network, tickets, tokens, lanes, kill_switch, state, wall, max_agents, current };
        Ok(Host(Arc::new(inner)))
    }
}

/// The host's own rules, and those of the operator's files.
#[cfg(feature = "ops")]
pub(crate) fn rules(files: &[PathBuf]) -> Result<Arc<Rules>, BuildError> {
    rules_of(files, &rule_texts(files)?)
}

/// The texts of the operator's files of rules.
pub(super) fn rule_texts(files: &[PathBuf]) -> Result<Vec<String>, BuildError> {
    let read = |path: &PathBuf| {
        let text = crate::files::read_text(path, crate::files::MAX_TEXT);
        text.map_err(|error| broken_rules(path, format!("can't be read ({error})")))
    };
    files.iter().map(read).collect()
}

/// The host's own rules, and those of files that have been read.
pub(super) fn rules_of(files: &[PathBuf], texts: &[String]) -> Result<Arc<Rules>, BuildError> {
    Rules::with(texts).map_err(|error| broken_rules(&files[error.file], error.to_string()))
}

fn broken_rules(path: &Path, reason: String) -> BuildError {
    BuildError::Rules { path: path.to_owned(), reason }
}

/// Says of each file of another scanner's rules how many of them are not used.
pub(super) fn tell_of_rules(files: &[PathBuf], rules: &Rules) {
    for (number, path) in files.iter().enumerate() {
        let unused = rules.notices().iter().filter(|notice| notice.file == number && !notice.is_taken).count();
        if unused > 0 {
            tracing::warn!("{}: {unused} of its rules are not used; `strongroom rules` says which, and why", path.display());
        }
    }
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
    let path = audit_path(config, state.map(StateDir::path)).ok_or(BuildError::NoAudit)?;
    match FileAudit::open(&path) {
        Ok(file) => Ok(Arc::new(file)),
        Err(source) => Err(BuildError::Audit { path, source }),
    }
}

fn open_cache(state: &StateDir, most: u64) -> std::io::Result<Cache> {
    Ok(Cache::new(state.subdirectory("compiled")?, state.key("cache.key")?, most))
}

/// The embedder's own backends, and those of the configuration under other names. There is always an `env`.
pub(crate) fn backends(own: Vec<Configured>, config: &HostConfig, clock: &Clock, default: Option<String>) -> Result<Backends, BuildError> {
    let default = default.or_else(|| config.default_backend.clone()).unwrap_or_else(|| "env".to_owned());
    let mut all = own;
    let env = ("env".to_owned(), BackendConfig::Env { file: None, names: None });
    for known in all.iter_mut().filter(|known| known.backend.is_environment()) {
        let names = config.backends.iter().find_map(|(name, backend)| match backend {
            BackendConfig::Env { names, .. } if *name == known.name => Some(names.clone()),
            _ => None,
        });
        known.bounds = Bounds::variables(names.flatten());
    }
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
            _ => "bare names are looked up there, but it is not configured; correct `default_backend`, or the variable SECRETS_BACKEND",
        };
        let reason = crate::secrets::backends::why_absent(&default).unwrap_or(reason);
        return Err(BuildError::Backend { name: default, reason: reason.to_owned() });
    }
    Ok(Backends::new(all, default, config.own()))
}

fn configured(name: &str, config: &BackendConfig, clock: &Clock) -> Result<Configured, String> {
    let (backend, bounds): (Arc<dyn SecretBackend>, Bounds) = match config {
        BackendConfig::Env { file, names } => {
            let backend = file
                .as_ref()
                .map_or_else(|| Ok(EnvBackend::new()), |file| EnvBackend::with_file(file).map_err(|error| error.to_string()))?;
            (Arc::new(backend), Bounds::variables(names.clone()))
        }
        #[cfg(feature = "file")]
        BackendConfig::File { path, key, paths } => (Arc::new(FileBackend::new(path.clone(), file_key(key)?)), Bounds::new(paths.clone())),
        #[cfg(feature = "vault")]
        BackendConfig::Vault(vault) => {
            let bounds = Bounds::with_leased(vault.paths.clone(), vault.leased.clone());
            (Arc::new(VaultBackend::with_clock(vault, clock.clone()).map_err(|error| error.to_string())?), bounds)
        }
        #[cfg(feature = "aws")]
        BackendConfig::Aws(aws) => (Arc::new(AwsBackend::new(aws)), Bounds::new(aws.paths.clone())),
        BackendConfig::Command(command) => {
            (Arc::new(CommandBackend::new(command).map_err(|error| error.to_string())?), Bounds::new(command.paths.clone()))
        }
        BackendConfig::Dir(dir) => (Arc::new(DirBackend::new(dir.path.clone())), Bounds::new(dir.paths.clone())),
        _ => return Err("this build has no such backend; build Strongroom with the features `file`, `vault` and `aws`".to_owned()),
    };
    // Only the backends that log in have use for a clock.
    let _ = clock;
    Ok(Configured { name: name.to_owned(), stale: backend.stale(), backend, bounds, settled: Duration::ZERO })
}

/// What opens a file of secrets, from where the configuration says it is.
#[cfg(feature = "file")]
pub(crate) fn file_key(key: &FileKeyRef) -> Result<FileKey, String> {
    match key {
        FileKeyRef::Identity(path) => FileKey::identity_file(path).map_err(|error| error.to_string()),
        FileKeyRef::Credential(name) => {
            let dir = std::env::var_os("CREDENTIALS_DIRECTORY").filter(|dir| !dir.is_empty());
            let dir = dir.ok_or("no systemd credentials here: CREDENTIALS_DIRECTORY is not set")?;
            FileKey::identity_file(&Path::new(&dir).join(name)).map_err(|error| error.to_string())
        }
        FileKeyRef::Passphrase(variable) => {
            let passphrase = std::env::var(variable).ok().filter(|passphrase| !passphrase.is_empty());
            let passphrase = passphrase.ok_or_else(|| format!("the variable `{variable}` with the passphrase is not set"))?;
            Ok(FileKey::Passphrase(passphrase.into()))
        }
        #[cfg(feature = "ops")]
        FileKeyRef::Prompt => {
            let passphrase = rpassword::prompt_password("Passphrase: ").map_err(|error| format!("no passphrase: {error}"))?;
            Ok(FileKey::Passphrase(passphrase.into()))
        }
        #[cfg(not(feature = "ops"))]
        FileKeyRef::Prompt => Err("only the `strongroom` command can ask for a passphrase".to_owned()),
    }
}
