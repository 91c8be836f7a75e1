//! One agent's run, of whatever kind: what it may do, what it holds, what is looked for in its texts, what it has used, and its record.
//! Whatever acts for an agent takes a session; no room below `doors` knows what kind of program the agent is.

mod denials;
mod later;
mod numbers;
mod scrubbing;

pub(crate) use denials::Refused;
pub(crate) use later::{Charged, Edition, Judgement, Later};
pub(crate) use numbers::Numbers;
pub(crate) use scrubbing::{Scrubbing, TELLING, behind, is_telling, sealed};

use crate::audit::{Event, Journal};
use crate::kill_switch::Line;
use crate::lock::Mutex;
use crate::meter::{Meter, Stop};
use crate::policy::{Policy, Source};
use crate::rotation::Rotation;
use crate::secrets::{BackendError, InUse, Keyring, Version};
use crate::shared::{SharedError, SharedRates};
use crate::url::CanonicalUrl;
use http::{HeaderMap, StatusCode};
use std::sync::Arc;

/// How many different reasons for unavailable secrets one run records.
const MAX_REASONS: usize = 64;

/// What requests are counted by, over all runs.
#[derive(Clone)]
pub(crate) struct Counts {
    /// The rates that this host shares with others.
    pub(crate) rates: Option<SharedRates>,
    /// The numbers of keys that need one for each request.
    pub(crate) numbers: Arc<Numbers>,
}

/// Why secrets of a run were unavailable, as far as the log has it.
#[derive(Default)]
pub(crate) struct Unavailable(Mutex<Vec<(usize, String)>>);

/// What the parts of one run share.
pub(crate) struct Session {
    /// That of the manifest that the run began with.
    pub(crate) policy: Arc<Policy>,
    /// Those of the manifests that were read since.
    pub(crate) later: Arc<Later>,
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) scrubbing: Scrubbing,
    pub(crate) journal: Arc<Journal>,
    pub(crate) meter: Arc<Meter>,
    /// What the effects of the run's agent hang on.
    pub(crate) line: Arc<Line>,
    pub(crate) counts: Counts,
    /// The rotations of the run's secrets, by the secret's index.
    pub(crate) rotations: Vec<(usize, Arc<Rotation>)>,
    pub(crate) unavailable: Unavailable,
}

/// The audit log can't be written: without its record nothing is done, and the run is stopped.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NoRecord;

impl Session {
    /// Accounts for what is about to be done.
    pub(crate) fn record(&self, event: Event<'_>) -> Result<(), NoRecord> {
        self.journal.record(event).map_err(|_| {
            self.meter.stop(Stop::AuditFailed);
            NoRecord
        })
    }

    /// A value as it is now, and whether it is past its time; or what the agent is told.
    pub(crate) async fn version(&self, secret: usize, source: Source) -> Result<(InUse, bool), String> {
        self.keyring.version(source, self).await.map_err(|why| self.unavailable(secret, &why))
    }

    /// A number that no request with the secret has had, at least `least`; or what the agent is told.
    pub(crate) async fn number(&self, secret: usize, least: u64) -> Result<u64, String> {
        let kept = self.keyring.get(secret).and_then(|key| key.kept());
        let number = match kept {
            Some((from, entry)) => self.counts.numbers.next(from, entry, least).await,
            None => Err(SharedError::Refused("a default value is no key".to_owned())),
        };
        number.map_err(|why| self.unavailable(secret, &BackendError::Unavailable(format!("a number for its next request: {why}"))))
    }

    /// Records that a secret was unavailable, and returns what the agent is told about it.
    fn unavailable(&self, secret: usize, why: &BackendError) -> String {
        let name = self.keyring.get(secret).map(|key| key.name.as_str()).unwrap_or_default();
        let reason = self.scrubber().scrub_text(&why.to_string()).into_owned();
        let told = format!("strongroom: the secret `{name}` is not available at the moment");
        {
            let mut known = self.unavailable.0.lock();
            // Each reason once: an agent that asks again and again must not fill the log.
            if known.len() >= MAX_REASONS || known.iter().any(|(of, why)| *of == secret && *why == reason) {
                return told;
            }
            known.push((secret, reason.clone()));
        }
        tracing::warn!(secret = name, %reason, "a request is not sent");
        // Where there is no record the run is stopped, and nothing else is to be said.
        let _ = self.record(Event::SecretUnavailable { secret: name.into(), reason: reason.into(), incident: why.is_incident() });
        told
    }

    /// A version of a secret was rejected: it is asked for anew before its next use.
    pub(crate) fn suspect(&self, secret: usize, version: &Arc<Version>) {
        if let Some(key) = self.keyring.get(secret) {
            key.suspect(version);
        }
    }

    /// Whether there is another token than the one that was rejected: the host asks for one, at most once a minute.
    pub(crate) async fn has_another(&self, secret: usize, rejected: &Arc<Version>) -> bool {
        self.learn();
        self.suspect(secret, rejected);
        self.version(secret, Source::Secret(secret)).await.is_ok_and(|(version, _)| !version.value.is(&rejected.value))
    }

    /// Tells the rotations of some secrets what a server said to a request with them.
    pub(crate) fn answered(
        &self,
        secrets: impl Iterator<Item = usize> + Clone,
        url: &CanonicalUrl,
        status: StatusCode,
        headers: &HeaderMap,
    ) {
        for (_, rotation) in self.rotations.iter().filter(|(index, _)| secrets.clone().any(|secret| secret == *index)) {
            rotation.seen(url, status, headers);
        }
    }
}
