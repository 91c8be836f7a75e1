//! What a rotation tells of itself as it goes.

use std::fmt;
use std::sync::Arc;

/// A step of a rotation, told as it is about to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress<'a> {
    /// The step.
    pub step: Step,
    /// What is to be said of it; may be empty.
    pub detail: &'a str,
}

/// The steps of a rotation, by the names that the audit log has for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Step {
    /// What was left midway is taken up.
    Resume,
    /// The issuer is asked for a new key.
    Issue,
    /// The new key is tried.
    Verify,
    /// The new key is put where the old one was.
    Switch,
    /// Requests that hold the old key are waited for.
    Drain,
    /// The old key is ended.
    Revoke,
    /// What the rotation leaves behind is removed.
    Clean,
    /// It has come to its end.
    Done,
    /// The old key stays in use.
    RollBack,
    /// A new key that can't be kept is ended, or the rotation is given up.
    Abandon,
    /// A key that nobody knows is ended.
    RevokeOrphan,
    /// The backend is asked to replace the key by itself.
    Ask,
    /// The backend is working on it.
    Wait,
    /// The backend has replaced the key.
    Observe,
}

/// Whom a rotation tells.
pub(crate) type Listener = Arc<dyn Fn(Progress<'_>) + Send + Sync>;

impl Step {
    /// Its name in the audit log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Resume => "resume",
            Self::Issue => "issue",
            Self::Verify => "verify",
            Self::Switch => "switch",
            Self::Drain => "drain",
            Self::Revoke => "revoke",
            Self::Clean => "clean",
            Self::Done => "done",
            Self::RollBack => "roll-back",
            Self::Abandon => "abandon",
            Self::RevokeOrphan => "revoke-orphan",
            Self::Ask => "ask",
            Self::Wait => "wait",
            Self::Observe => "observe",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
