//! Why there is no host, or no agent.

use crate::doors::wasm::{ComponentError, SignersUnavailable};
use crate::manifest::ReadError;
use crate::secrets::BackendError;
use crate::tls::TlsError;
use std::path::PathBuf;

/// Why an agent's wallet, or its ledger, is unavailable.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WalletError {
    /// The manifest has none of that name.
    #[error("the manifest has no wallet `{0}`")]
    Unknown(String),
    /// Keys of the agent are unavailable.
    #[error(transparent)]
    Signers(#[from] SignersUnavailable),
    /// The ledger can't be opened, or refuses a key.
    #[error("{0}")]
    Ledger(String),
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
    /// The host keeps no state, and nothing says where its audit log goes.
    #[error(
        "a host that keeps no state has no place for its audit log: give one to `HostBuilder::audit`, set `[audit] file` in the host \
         configuration, or go without one by `HostBuilder::without_audit`"
    )]
    NoAudit,
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
    /// What the configuration says about signing can't be done.
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
    /// Nobody knows who is stopped by the kill switch.
    #[error("the kill switch can't be read: {0}; nothing runs before it can be")]
    KillSwitch(std::io::Error),
    /// The threads that agents run on can't be started.
    #[error("the threads that agents run on can't be started: {0}; ask for fewer by `HostBuilder::lanes`, or raise the limit on threads")]
    Lanes(std::io::Error),
    /// The engine can't be set up, for want of address space or memory.
    #[error("the WebAssembly engine can't be set up: {0}; lower `max_agents`")]
    Engine(String),
}

impl From<TlsError> for BuildError {
    fn from(error: TlsError) -> Self {
        match error {
            TlsError::Authorities { path, reason } => Self::Ca { path, reason },
            TlsError::Certificate { .. } | TlsError::Key(_) | TlsError::Protocols(_) => Self::Engine(error.to_string()),
        }
    }
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
    /// The manifest names a file of the host's own as its component.
    #[error("{path} is the host's own; a manifest can't name it", path = path.display())]
    HostsOwn {
        /// The file.
        path: PathBuf,
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
    #[error("`leaks_allowed` or `answers_allowed` names `{rule}`, but no rule has this name; `strongroom rules` lists them")]
    Rule {
        /// The name.
        rule: String,
    },
    /// The manifest lets a rule be broken in the responses of a host that issues keys.
    #[error("`answers_allowed` for {host}, which issues keys, as the host configuration says; leave it out")]
    AnswerRule {
        /// The host.
        host: String,
    },
    /// What the agent keeps over its runs can't be used.
    #[error("the agent's state: {0}")]
    State(String),
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
