//! The agents that an operator has paused: a file in the state directory, so that they stay so over a restart.

use crate::register::Register;
use crate::state::StateDir;
use std::io;
use std::sync::Arc;

const HEAD: &str = "Agents that are paused: nothing of them begins. The host writes this file (`strongroom pause`, `strongroom resume`).";

/// The file; a host without state pauses for as long as it lives.
#[derive(Clone)]
pub(super) struct Pauses(Option<Arc<Register>>);

impl Pauses {
    /// Those of a host.
    pub(super) fn of(state: Option<&StateDir>) -> Self {
        Self(state.map(|state| Arc::new(Register::new(state, "paused", HEAD))))
    }

    /// Whether an agent is paused.
    ///
    /// # Errors
    /// That of the operating system, or that the file is a newer host's.
    pub(super) fn has(&self, agent: &str) -> io::Result<bool> {
        self.0.as_ref().map_or(Ok(false), |register| register.with(|lines| lines.iter().any(|line| line == agent)))
    }

    /// Pauses an agent, or lifts that. Once this returns it is on the disk.
    ///
    /// # Errors
    /// As [`Pauses::has`]; nothing has changed then.
    pub(super) fn set(&self, agent: &str, paused: bool) -> io::Result<()> {
        let Some(register) = &self.0 else { return Ok(()) };
        register.change(|lines| {
            lines.retain(|line| line != agent);
            lines.extend(paused.then(|| agent.to_owned()));
        })
    }
}
