//! The kill switch, for whoever turns it.

use super::{Failed, Kind};
use crate::host::state_path;
use crate::kill_switch::KillSwitch;
use crate::manifest::HostConfig;
use crate::state::StateDir;

/// The kill switch of the hosts that keep their state where this configuration says. No host has to run.
///
/// # Errors
/// [`Failed`] where that directory can't be used.
pub fn kill_switch(config: &HostConfig) -> Result<KillSwitch, Failed> {
    let failed = |error| {
        Failed::new(Kind::State, format!("the state directory can't be used: {error}; set `[state] dir` in the host configuration"))
    };
    let unknown = || failed(std::io::Error::other("neither XDG_STATE_HOME nor HOME is set"));
    let path = state_path(config).ok_or_else(unknown)?;
    StateDir::open(&path).and_then(|state| KillSwitch::at(&state)).map_err(failed)
}
