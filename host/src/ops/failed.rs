//! Why something failed, in words for people and by its kind.

use crate::host::{BuildError, LoadError};
use crate::manifest::ReadError;
use crate::secrets::StoreError;
use serde::Serialize;

/// Why something that an operator asked for failed.
#[derive(Debug, Clone, thiserror::Error, Serialize)]
#[error("{message}")]
#[non_exhaustive]
pub struct Failed {
    /// What has to change.
    pub kind: Kind,
    /// The place, the finding and the remedy. Never a value.
    pub message: String,
}

/// What has to change before it can succeed; the later ones are the graver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Kind {
    /// What was asked, a manifest, or the configuration.
    Usage,
    /// A secret or a key, where it is kept.
    Secret,
    /// The component.
    Component,
    /// What the host keeps: its audit log, its ledger, its state directory.
    State,
}

impl Failed {
    /// One of this kind.
    #[must_use]
    pub fn new(kind: Kind, message: impl ToString) -> Self {
        Self { kind, message: message.to_string() }
    }

    pub(super) fn usage(message: impl ToString) -> Self {
        Self::new(Kind::Usage, message)
    }
}

impl From<ReadError> for Failed {
    fn from(error: ReadError) -> Self {
        Self::usage(error)
    }
}

impl From<BuildError> for Failed {
    fn from(error: BuildError) -> Self {
        let kind = match error {
            BuildError::State(_) | BuildError::Audit { .. } | BuildError::NoAudit => Kind::State,
            _ => Kind::Usage,
        };
        Self::new(kind, error)
    }
}

impl From<LoadError> for Failed {
    fn from(error: LoadError) -> Self {
        let kind = match error {
            LoadError::Manifest(_) | LoadError::Rule { .. } | LoadError::AnswerRule { .. } | LoadError::NoComponent => Kind::Usage,
            LoadError::Read { .. } | LoadError::Component { .. } | LoadError::HostsOwn { .. } => Kind::Component,
            LoadError::Secret { .. } | LoadError::Signer { .. } => Kind::Secret,
            LoadError::State(_) => Kind::State,
        };
        Self::new(kind, error)
    }
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        let kind = match error {
            StoreError::Unavailable(_) => Kind::Secret,
            _ => Kind::Usage,
        };
        Self::new(kind, error)
    }
}
