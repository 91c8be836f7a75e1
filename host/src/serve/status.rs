//! What a supervisor says of its agents.

use super::configuration::ConfigurationRead;
use serde::Serialize;
use std::path::PathBuf;

/// What an agent of a supervisor is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "ops", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", tag = "is")]
#[non_exhaustive]
pub enum AgentState {
    /// Its next run has its time, or begins as somebody calls.
    Waiting,
    /// A run is due, and waits for room on the host.
    Queued,
    /// It runs.
    Running,
    /// A run has failed, or an agent that is to stay up has ended; another begins soon.
    BackingOff {
        /// How the last run ended.
        why: String,
    },
    /// So many runs in a row have failed that none begins any more, until its manifest or component changes, or the host starts anew.
    GivenUp {
        /// How the last run ended.
        why: String,
    },
    /// It has run, and is not to run again.
    Ended,
    /// Nothing of it begins any more; what runs may end by itself for a while.
    Draining,
    /// The kill switch has stopped it: what is due waits until that is lifted.
    Stopped,
    /// An operator has paused it: nothing of it begins until it is resumed.
    Paused,
}

/// A run of an agent. Times are milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "ops", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct RunStatus {
    /// Its agent.
    pub agent: String,
    /// What it is called in the audit log.
    pub run: String,
    /// When it began.
    pub began: u64,
    /// When it ended, unless it is under way.
    pub ended: Option<u64>,
    /// How it ended, in the words of [`End`](crate::End).
    pub end: Option<String>,
}

/// Why an agent does not do what an operator asks of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OrderError {
    /// The supervisor has none of that name.
    #[error("there is no agent `{0}`; see which there are with `strongroom ps`")]
    NoAgent(String),
    /// It has no such run under way.
    #[error("agent `{agent}` has no run `{run}` under way; see `strongroom runs {agent}`")]
    NoRun {
        /// The agent.
        agent: String,
        /// The run.
        run: String,
    },
    /// Callers run it.
    #[error("agent `{0}` is run by its callers; send a request to its path")]
    Called(String),
    /// It is paused.
    #[error("agent `{0}` is paused; resume it first (`strongroom resume {0}`)")]
    Paused(String),
    /// The kill switch has stopped it.
    #[error("agent `{0}` is stopped by the kill switch; lift that first (`strongroom kill-switch off {0}`)")]
    Stopped(String),
    /// It drains.
    #[error("agent `{0}` drains, and begins nothing any more")]
    Draining(String),
    /// As many runs as may be are under way, or wait.
    #[error("agent `{0}` has as many runs under way, or waiting, as its `[run]` allows; wait for one to end, or stop it")]
    Busy(String),
    /// What was asked can't be kept.
    #[error("agent `{agent}` stays as it was, since that can't be kept ({why}); check the state directory and its disk")]
    State {
        /// The agent.
        agent: String,
        /// What is wrong with the state directory.
        why: String,
    },
}

/// One agent of a supervisor. Times are milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "ops", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct AgentStatus {
    /// Its name.
    pub agent: String,
    /// Its manifest's file.
    pub manifest: PathBuf,
    /// What it is about.
    pub state: AgentState,
    /// Since when.
    pub since: u64,
    /// When a run begins next, if that is known.
    pub next: Option<u64>,
    /// How the last run that has ended did, in the words of [`End`](crate::End).
    pub last_end: Option<String>,
    /// What the runs that are under way are called in the audit log.
    pub running: Vec<String>,
    /// Runs that are due, and wait for earlier ones.
    pub queued: u32,
    /// Runs that have begun since the supervisor started.
    pub runs: u64,
    /// Those of them that began because one before had ended.
    pub restarts: u64,
    /// Runs that were due and left out, since others were under way or their time was missed.
    pub left_out: u64,
}

/// What reading a directory anew has changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "ops", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Reloaded {
    /// Agents that were not there before.
    pub added: Vec<String>,
    /// Agents whose manifest or component is another: their next runs are of these.
    pub changed: Vec<String>,
    /// Agents whose manifest is gone: they drain.
    pub removed: Vec<String>,
    /// Manifests that can't be used.
    pub refused: Vec<Refused>,
    /// What the host's configuration came to, where it is read with the directory.
    pub configuration: Option<ConfigurationRead>,
}

/// A manifest that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "ops", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Refused {
    /// Its file.
    pub manifest: PathBuf,
    /// What is wrong, with its place and what to write instead.
    pub why: String,
    /// The agent that goes on by what stood there before, if there was one.
    pub keeps: Option<String>,
}

/// How the runs ended that were under way as a supervisor was drained.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Drained {
    /// Those that ended by themselves.
    pub ended: u64,
    /// Those that were interrupted, since their time was up.
    pub interrupted: u64,
}
