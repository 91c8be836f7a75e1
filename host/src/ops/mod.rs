//! What an operator asks of a host, as data: the reports that the command line prints, and that an interface for administrators can serve.
//!
//! Nothing here prints, asks on a terminal, or ends a process. A report can be serialised, and holds no value of a secret.

pub mod adopt;
mod at_rest;
mod check;
mod example;
mod explain;
mod failed;
mod findings;
mod import;
mod judge;
mod kill_switch;
mod login;
#[cfg(feature = "mpc")]
mod mpc;
pub mod named;
mod remark;
mod replay;
mod secrets;
mod signers;
mod state;
mod sweep;

pub use at_rest::is_tracked;
pub use check::{Checked, Checker};
pub use example::{env_example, is_env_example};
pub use explain::{Explained, Sentence, explain};
pub use failed::{Failed, Kind};
pub use findings::{Finding, Spelling, findings};
pub use import::{Import, Imported};
pub use judge::{Allowed, Judge, Verdict};
pub use kill_switch::{kill_switch, state_directory};
pub use login::{CodeLogin, DeviceLogin, LoggedIn, Login};
#[cfg(feature = "mpc")]
pub use mpc::{MadeKey, PartyReport, Threshold};
pub use remark::{About, Remark, Spot};
pub use replay::{PastDenial, audit_log, denials};
pub use secrets::{Backend, Held, SecretStatus, VersionStatus, conflict, identity};
pub use signers::{SignerReport, address_of_key, fresh_key, signers};
pub use state::{AgentState, KeptKey, KeptValue};
pub use sweep::{Holding, Sent, Sweep, Wish};

use crate::host::{Host, LoadError};
use crate::manifest::{HostConfig, Manifest, ReadError};
use crate::scrub::Rules;
use crate::secrets::{Fingerprint, SecretValue};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The rules by which unregistered secrets are recognised: the host's, and those of the configuration.
///
/// # Errors
/// [`Failed`] where a file of rules can't be read, or holds something that is not a rule.
pub fn rules(config: &HostConfig) -> Result<Arc<Rules>, Failed> {
    Ok(crate::host::rules(&config.scrub_rules)?)
}

/// Reads a component's bytes, at most [`crate::MAX_COMPONENT`] of them.
///
/// # Errors
/// [`LoadError::Read`].
pub fn read_component(path: &Path) -> Result<Vec<u8>, LoadError> {
    crate::host::read_component(path)
}

/// Reads manifests, all of which have to be valid.
///
/// # Errors
/// [`ReadError`] of the first that is.
pub fn read_manifests(paths: &[PathBuf]) -> Result<Vec<Manifest>, ReadError> {
    paths.iter().map(|path| Manifest::read(path)).collect()
}

/// The fingerprint that a host's audit log has for a value.
#[must_use]
pub fn fingerprint(host: &Host, value: &SecretValue) -> Fingerprint {
    host.fingerprint(value)
}
