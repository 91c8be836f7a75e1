//! Why a rotation stopped before it was finished.

use super::journal::Unwritten;
use crate::secrets::StoreError;
use std::time::Duration;

/// Why a rotation came to a stop.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Halt {
    /// Another host goes on with it.
    #[error("another host has taken over the rotation")]
    Fenced,
    /// Another host is working on it, or has ended in the middle of it. How long until it counts as gone, at most.
    #[error("another host is working on it, or has stopped in the middle of it")]
    Busy(Duration),
    /// It is left to another host, since this one ends.
    #[error("this host is stopping, and another one will continue")]
    HandsOver,
    /// It goes forward after all, at once.
    #[error("{0}: the rotation continues")]
    GoesOn(&'static str),
    /// It stays where it is, and is taken up again.
    #[error("{why}")]
    Later { why: String, after: Option<Duration> },
    /// The old key is in use, as before.
    #[error("rolled back: {0}")]
    RolledBack(String),
    /// What became of a call to the issuer is not known, and the old key is in use.
    #[error("the outcome of a call to the issuer was lost: {0}")]
    Lost(String),
    /// An operator has to look.
    #[error("{0}")]
    Stuck(String),
}

impl From<Unwritten> for Halt {
    fn from(unwritten: Unwritten) -> Self {
        match unwritten {
            Unwritten::Fenced => Self::Fenced,
            Unwritten::Store(_) => Self::Later { why: unwritten.to_string(), after: None },
        }
    }
}

impl From<StoreError> for Halt {
    fn from(error: StoreError) -> Self {
        Self::Later { why: error.to_string(), after: None }
    }
}
