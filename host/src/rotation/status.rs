//! What can be said about a rotation, without any key.

use super::document::Document;
use super::stage::UnderWay;
use super::{Rotation, RotationError};
use serde::Serialize;
use std::sync::atomic::{AtomicU64, Ordering};

/// The status of a rotation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "ops", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct RotationStatus {
    /// Its name in the configuration.
    pub rotation: String,
    /// The sites of the key: the places where it is kept.
    pub secrets: Vec<String>,
    /// How many have begun so far.
    pub number: u64,
    /// Since when the key in use is in use, in seconds since 1970-01-01T00:00:00Z; none where it was never replaced.
    pub since: Option<u64>,
    /// When it expires, where the issuer says so.
    pub expires_at: Option<u64>,
    /// When it is replaced, where that is by time. Some percent of it may be left out, so that not all keys are replaced at once.
    pub next: Option<u64>,
    /// How far a rotation that is under way has come.
    pub stage: Option<String>,
    /// When it began.
    pub begun: Option<u64>,
    /// Why the last attempt failed, and when there is another.
    pub failing: Option<(String, u64)>,
    /// The hosts that use the key.
    pub hosts: usize,
    /// Keys that may exist and that nobody knows: when the call was made, and what is known about them.
    pub orphans: Vec<(u64, String)>,
    /// The rotations that have ended, oldest first.
    pub past: Vec<PastRotation>,
}

/// A rotation that has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "ops", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct PastRotation {
    /// Its number.
    pub number: u64,
    /// When it began, in seconds since 1970-01-01T00:00:00Z.
    pub begun: u64,
    /// When it ended.
    pub ended: u64,
    /// Why it was begun.
    pub trigger: String,
    /// `done`, or why the old key stayed.
    pub outcome: String,
}

/// How often things have happened to a host's rotations since it was built.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RotationCounts {
    /// Rotations were begun, or resumed.
    pub attempts: u64,
    /// Rotations were finished.
    pub done: u64,
    /// Rotations were rolled back, and the old key stayed.
    pub rolled_back: u64,
    /// Somebody was told.
    pub alerts: u64,
}

#[derive(Default)]
pub(super) struct Counts {
    pub(super) attempts: AtomicU64,
    pub(super) done: AtomicU64,
    pub(super) rolled_back: AtomicU64,
    pub(super) alerts: AtomicU64,
}

impl Rotation {
    /// How the rotation stands, by its journal.
    pub(crate) async fn status(&self) -> Result<RotationStatus, RotationError> {
        let (document, _) = self.journal.read().await.map_err(|error| RotationError::Unreadable(error.to_string()))?;
        let Document { number, current, under_way, failing, hosts, orphans, past, .. } = &document;
        let stage = |under_way: &UnderWay| under_way.stage().name().to_owned();
        Ok(RotationStatus {
            rotation: self.name.clone(),
            secrets: self.shown_sites(),
            number: *number,
            since: current.as_ref().map(|current| current.since),
            expires_at: current.as_ref().and_then(|current| current.expires_at),
            next: self.next(&document),
            stage: under_way.as_ref().map(stage),
            begun: under_way.as_ref().map(|under_way| under_way.intent().begun),
            failing: failing.as_ref().map(|failing| (failing.why.clone(), failing.next)),
            hosts: hosts.len(),
            orphans: orphans.iter().map(|orphan| (orphan.at, orphan.what.clone())).collect(),
            past: past
                .iter()
                .map(|past| PastRotation {
                    number: past.number,
                    begun: past.begun,
                    ended: past.ended,
                    trigger: past.trigger.clone(),
                    outcome: past.outcome.clone(),
                })
                .collect(),
        })
    }

    pub(crate) fn counts(&self) -> RotationCounts {
        let Counts { attempts, done, rolled_back, alerts } = &self.counts;
        let now = |count: &AtomicU64| count.load(Ordering::Relaxed);
        RotationCounts { attempts: now(attempts), done: now(done), rolled_back: now(rolled_back), alerts: now(alerts) }
    }
}
