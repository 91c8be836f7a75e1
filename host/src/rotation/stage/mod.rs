//! How far a rotation has come, with what is known at that stage: there is a new key from the moment that it is issued, and a reason once
//! it is rolled back, and neither before.
//!
//! A stage is written by the transitions of [`proof`] alone. What it looks like in a journal is in [`written`].

mod proof;
mod written;

pub(super) use proof::{Drained, Intended, Issued, Keys, Reached, Revoked, RollingBack, Switched, Usable, Verified};
pub(super) use written::Impossible;

use super::issuer::{IssuedKey, ListedKey};
use super::journal::millis;
use serde::Deserialize;
use std::time::Duration;
use written::Written;

/// A rotation that has begun and not ended.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Written")]
pub(crate) struct UnderWay {
    intent: Intent,
    stage: Stage,
}

/// What was to be done when it began. It stays as it is to the end.
#[derive(Debug)]
pub(crate) struct Intent {
    /// When it began, in seconds since 1970, and what for.
    pub(super) begun: u64,
    pub(super) trigger: String,
    /// The sites of the key and the call that makes it, as they were then.
    pub(super) sites: Vec<String>,
    pub(super) issuer: String,
    /// The key in use then.
    pub(super) old: IssuedKey,
    /// The keys that the issuer listed then, where it has a list.
    pub(super) listed: Option<Vec<ListedKey>>,
}

/// How far it has come. What is named has been done, but for the first and the last, which are about to be.
#[derive(Debug)]
pub(crate) enum Stage {
    /// A key is asked for.
    Issuing,
    /// It is in the journal.
    Issued { new: IssuedKey },
    /// It works.
    Verified { new: IssuedKey },
    /// It is in use; how long other hosts have been waited for, in milliseconds, by whoever had the turn.
    Switched { new: IssuedKey, waited: u64 },
    /// Nobody holds the old key.
    Drained { new: IssuedKey },
    /// The old key no longer works.
    Revoked { new: IssuedKey },
    /// The new key is to be ended, and the old one stays.
    RollingBack { new: IssuedKey, why: String },
}

impl UnderWay {
    pub(super) fn intent(&self) -> &Intent {
        &self.intent
    }

    pub(super) fn stage(&self) -> &Stage {
        &self.stage
    }

    /// The new key, from the moment that there is one.
    pub(super) fn new_key(&self) -> Option<&IssuedKey> {
        match &self.stage {
            Stage::Issuing => None,
            Stage::Issued { new } | Stage::Verified { new } | Stage::RollingBack { new, .. } => Some(new),
            Stage::Switched { new, .. } | Stage::Drained { new } | Stage::Revoked { new } => Some(new),
        }
    }

    /// The new key, from the moment that it is in use: before, a host that reads the secret may still get the old one.
    pub(super) fn switched_to(&self) -> Option<&IssuedKey> {
        match &self.stage {
            Stage::Issuing | Stage::Issued { .. } | Stage::Verified { .. } | Stage::RollingBack { .. } => None,
            Stage::Switched { new, .. } | Stage::Drained { new } | Stage::Revoked { new } => Some(new),
        }
    }

    /// Whether a key is being made, so that any that appears may be it.
    pub(super) fn is_issuing(&self) -> bool {
        matches!(self.stage, Stage::Issuing)
    }

    /// Notes how long other hosts have been waited for so far.
    pub(super) fn note_waited(&mut self, so_far: Duration) {
        if let Stage::Switched { waited, .. } = &mut self.stage {
            *waited = millis(so_far);
        }
    }
}

impl Intent {
    fn copy(&self) -> Self {
        let Self { begun, trigger, sites, issuer, old, listed } = self;
        Self {
            begun: *begun,
            trigger: trigger.clone(),
            sites: sites.clone(),
            issuer: issuer.clone(),
            old: old.copy(),
            listed: listed.clone(),
        }
    }
}

impl Stage {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Issuing => "issuing",
            Self::Issued { .. } => "issued",
            Self::Verified { .. } => "verified",
            Self::Switched { .. } => "switched",
            Self::Drained { .. } => "drained",
            Self::Revoked { .. } => "revoked",
            Self::RollingBack { .. } => "rolling-back",
        }
    }
}
