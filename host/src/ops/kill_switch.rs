//! The kill switch, for whoever turns it.

use super::{Failed, Kind};
use crate::host::state_path;
use crate::kill_switch::KillSwitch;
use crate::manifest::HostConfig;
use crate::state::StateDir;
use std::path::PathBuf;

/// The kill switch of the hosts that keep their state where this configuration says. No host has to run.
///
/// # Errors
/// [`Failed`] where that directory can't be used.
pub fn kill_switch(config: &HostConfig) -> Result<KillSwitch, Failed> {
    let path = state_directory(config)?;
    StateDir::open(&path).and_then(|state| KillSwitch::at(&state)).map_err(|error| unusable(&error))
}

/// Where a host with this configuration keeps its state.
///
/// # Errors
/// [`Failed`] where neither the configuration nor the environment says so.
pub fn state_directory(config: &HostConfig) -> Result<PathBuf, Failed> {
    state_path(config).ok_or_else(|| unusable(&std::io::Error::other("neither XDG_STATE_HOME nor HOME is set")))
}

fn unusable(error: &std::io::Error) -> Failed {
    Failed::new(Kind::State, format!("the state directory can't be used: {error}; set `[state] dir` in the host configuration"))
}
