//! Replaces keys without downtime: a new one is issued while the old one works, tried, put in its place, and the old one revoked when
//! nobody holds it any more.
//!
//! What has been done, and what is about to be, is in a [`journal`] in the store that keeps the secret; [`steps`] is the one way from its
//! beginning to its end. A host that dies anywhere leaves a rotation that the next one takes up: before the switch it goes back, after it
//! forward. [`keeper`] says when a rotation begins.

mod alert;
mod hold;
mod issuer;
mod journal;
mod keeper;
mod managed;
mod names;
mod orphans;
mod plaintext;
mod proof;
mod rotations;
mod status;
mod steps;

pub use issuer::{HttpIssuer, IssuedKey, Issuer, IssuerError, ListedKey, Probe, Revoked};
#[cfg(feature = "cli")]
pub(crate) use rotations::closed_by;
pub(crate) use rotations::{Parts, Rotations};
pub use status::{PastRotation, RotationCounts, RotationStatus};

use crate::audit::{Event, Journal as AuditJournal};
use crate::backoff::Backoff;
use crate::clock::{Clock, Wall};
use crate::lock::Mutex;
use crate::manifest::{HostConfig, RotationConfig};
use crate::policy::Closed;
use crate::secrets::{Backends, Cache, Fingerprint, SecretStore, SecretValue, Uses};
use crate::url::CanonicalUrl;
use alert::Webhook;
use hold::{Hold, Watched};
use http::{HeaderMap, StatusCode};
use issuer::{IssuedKey as Key, expires_at};
use journal::{Failing, Journal};
use keeper::Signal;
use names::Name;
use sha2::{Digest, Sha256};
use status::Counts;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use steps::Halt;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// How long a rotation that has failed is left alone; twice as long after each further failure, up to the second.
const BACKOFF: Backoff = Backoff { first: Duration::from_secs(60), longest: Duration::from_secs(3_600) };
/// Calls in a row whose outcome may be lost before nothing is issued any more but at the operator's word.
const MAX_LOST: u32 = 2;
/// How often a rotation by hand looks whether another host has let go.
const LOOK: Duration = Duration::from_millis(250);
/// How often, and how long each time, a rotation by hand waits where the issuer asks to be left alone.
const TRIES: u32 = 3;
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a host that waits for others may give no sign of life for, where the store counts its writes.
const SLOW_LEASE: Duration = Duration::from_secs(15 * 60);
/// How many timeouts a host may give no sign of life for before another goes on in its place. Each of its calls ends within two.
const LEASE: u32 = 3;

/// One key that is replaced, wherever it is kept.
pub(crate) struct Rotation {
    name: String,
    config: RotationConfig,
    names: Vec<Name>,
    /// The places of all rotations of this host.
    everywhere: OnceLock<Vec<Name>>,
    /// The journals of the other rotations of the same issuer.
    others: OnceLock<Vec<Journal>>,
    journal: Journal,
    means: Means,
    issuer: Arc<dyn Issuer>,
    /// The calls of the issuer that agents can't make.
    closed: Closed,
    /// This host, as others see it.
    host: String,
    cache: Arc<Cache>,
    clock: Clock,
    wall: Wall,
    audit: AuditJournal,
    webhook: Option<Webhook>,
    /// Taken by whoever rotates in this process.
    turn: tokio::sync::Mutex<Watched>,
    progress: Mutex<Option<Progress>>,
    signals: Mutex<keeper::Signals>,
    woken: Notify,
    keeper: Mutex<Option<JoinHandle<()>>>,
    /// Whether others know that this host uses the key.
    registered: tokio::sync::Mutex<bool>,
    /// What the manifests of this host want the key to look like.
    formats: Mutex<Vec<regex::Regex>>,
    closing: AtomicBool,
    /// Whether it was told that the journal can't be written.
    unheld_told: AtomicBool,
    counts: Counts,
}

/// Who makes the new key.
enum Means {
    /// The host, through the issuer.
    Issuer,
    /// The backend that keeps it.
    Backend,
}

/// Is told of each step, and what is to be said of it.
type Progress = Arc<dyn Fn(&str, &str) + Send + Sync>;

/// Why a rotation did not come to its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RotationError {
    /// There is none of that name.
    #[error("no rotation `{0}` is configured; add `[rotations.{0}]` to the host configuration")]
    Unknown(String),
    /// The key in use is the one that was in use before.
    #[error("not rotated, and the key in use is as before: {0}")]
    RolledBack(String),
    /// It has come as far as it could, and goes on by itself where the host runs on, or when this is called again.
    #[error("not finished, and nothing is lost: {0}")]
    Unfinished(String),
    /// What the issuer did is not known. The key in use is the one that was in use before.
    #[error("not rotated, and there may be a key that nobody knows (see `strongroom secrets history`): {0}")]
    Lost(String),
}

impl Rotation {
    fn new(
        name: &str,
        config: &RotationConfig,
        host: &HostConfig,
        own: &[(String, Arc<dyn Issuer>)],
        backends: &Backends,
        parts: &Parts,
    ) -> Result<Self, String> {
        let names = config.secrets.iter().map(|reference| rotations::place(reference, backends)).collect::<Result<Vec<Name>, String>>()?;
        let first = names.first().ok_or("it names no secret")?;
        let journal = Journal::of(Arc::clone(&first.from.backend), name, parts.clock.clone()).ok_or("its backend can't be written to")?;
        let issuer = rotations::issuer(&config.issuer, host, own)?;
        let means = if issuer.is_some() { Means::Issuer } else { Means::Backend };
        let issuer = issuer.unwrap_or_else(|| Arc::new(managed::Backend));
        if matches!(means, Means::Backend) && (names.len() > 1 || first.from.backend.rotator().is_none()) {
            return Err("an issuer of type `aws-managed` replaces one secret, of a backend of type `aws`".to_owned());
        }
        let longest = names.iter().map(Name::staleness).max().unwrap_or_default();
        if let Some(every) = config.every.filter(|every| *every <= longest + config.drain + config.timeout * LEASE) {
            return Err(format!(
                "a rotation takes up to {} s (`stale` of its backend, `drain` and three times `timeout`), and there is one every {} s: raise `every`",
                (longest + config.drain + config.timeout * LEASE).as_secs(),
                every.as_secs()
            ));
        }
        if let Some(overlap) = config.overlap {
            let room = overlap.saturating_sub(config.drain);
            if longest >= room {
                return Err(format!(
                    "other hosts may use the old key for {} s (`stale` of its backend), but it works for only {} s after the new one was issued \
                     (`overlap`, less `drain`): shorten `stale`",
                    longest.as_secs(),
                    room.as_secs()
                ));
            }
        }
        Ok(Self {
            name: name.to_owned(),
            config: config.clone(),
            names,
            everywhere: OnceLock::new(),
            others: OnceLock::new(),
            journal,
            means,
            closed: Closed::new(issuer.closed().into_iter())?,
            issuer,
            host: parts.host.clone(),
            cache: Arc::clone(&parts.cache),
            clock: parts.clock.clone(),
            wall: parts.wall.clone(),
            audit: AuditJournal::new(parts.audit.clone(), parts.host.clone(), String::new()),
            webhook: config.webhook.as_deref().map(|url| Webhook::new(url, &host.network_ca)).transpose()?,
            turn: tokio::sync::Mutex::default(),
            progress: Mutex::default(),
            signals: Mutex::default(),
            woken: Notify::new(),
            keeper: Mutex::default(),
            registered: tokio::sync::Mutex::default(),
            formats: Mutex::default(),
            closing: AtomicBool::new(false),
            unheld_told: AtomicBool::new(false),
            counts: Counts::default(),
        })
    }

    /// Takes note of what the issuer's host has answered to a guest.
    pub(crate) fn seen(&self, url: &CanonicalUrl, status: StatusCode, headers: &HeaderMap) {
        if !self.closed.is_at(url) {
            return;
        }
        let told = self.issuer.expiry_header().and_then(|name| headers.get(name)?.to_str().ok().and_then(expires_at));
        if let Some(at) = told {
            self.signal(Signal::Ends(at));
        }
        if status == StatusCode::UNAUTHORIZED {
            self.signal(Signal::Rejected);
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The wall clock, in seconds since 1970. What it says is written down, and decides when a key is due; nothing else depends on it.
    fn now(&self) -> u64 {
        self.wall.now() / 1_000
    }

    fn keeps(&self, name: &Name) -> bool {
        self.names.iter().any(|own| own.from.name == name.from.name && own.entry == name.entry)
    }

    fn everywhere(&self) -> &[Name] {
        self.everywhere.get().map_or(&self.names, Vec::as_slice)
    }

    fn lease(&self) -> Duration {
        self.config.timeout * LEASE
    }

    /// The places of the key, for people.
    fn places(&self) -> Vec<String> {
        self.names.iter().map(Name::shown).collect()
    }

    /// Whether another rotation of this host knows a key that the issuer lists.
    async fn is_of_another(&self, key: &ListedKey) -> bool {
        for other in self.others.get().into_iter().flatten() {
            match other.read().await {
                Ok((document, _)) if !document.knows(&key.id) => {}
                // What can't be read may know it.
                _ => return true,
            }
        }
        false
    }

    /// How long another host may use what it has read last.
    fn staleness(&self) -> Duration {
        self.names.iter().map(Name::staleness).max().unwrap_or_default()
    }

    fn fingerprint(&self, key: &Key) -> Fingerprint {
        SecretValue::new(key.reveal()).fingerprint(self.cache.fingerprint_key())
    }

    /// The requests of this host that hold a key.
    fn uses(&self, key: &Key) -> Arc<Uses> {
        self.cache.uses(self.fingerprint(key))
    }

    /// Sees to it that this host's requests take what the stores hold now. False where it could not be had yet.
    async fn adopt(&self, old: &Key) -> bool {
        let old = self.fingerprint(old);
        let renewed = self.names.iter().map(|name| self.cache.renew(&name.from, &name.entry, old));
        futures_util::future::join_all(renewed).await.into_iter().all(|renewed| renewed)
    }

    /// Whether no other host can use the old key of that rotation any more, so long after the switch: each has said so, or none can hold
    /// what it has read before, nor a request with it.
    async fn others_are_done(&self, number: u64, waited: Duration) -> Result<bool, Halt> {
        if waited < self.config.drain.max(self.staleness()) && !self.registers() {
            return Ok(false);
        }
        let (document, _) = self.journal.read().await?;
        if waited >= self.staleness().max(Duration::from_secs(document.stale)) + self.config.drain {
            return Ok(true);
        }
        if !self.registers() {
            return Ok(false);
        }
        let done = document.hosts.iter().all(|(host, acknowledged)| *host == self.host || *acknowledged >= number);
        Ok(done && !document.is_crowded())
    }

    /// Whether hosts say that they use the key. Where the store counts its writes they don't, and the longest staleness is waited for.
    fn registers(&self) -> bool {
        !self.names.iter().any(|name| name.from.backend.store().is_some_and(SecretStore::counts_writes))
    }

    /// Tells a key from others, for the journal.
    fn print(&self, key: &str) -> String {
        let hash = Sha256::new_with_prefix(format!("strongroom rotation {}\0", self.name)).chain_update(key).finalize();
        crate::text::hex(&hash[..8])
    }

    /// Whether a key looks as the manifests of this host want it to.
    fn fits(&self, key: &Key) -> bool {
        let formats = self.formats.lock();
        formats.iter().all(|format| format.is_match(key.reveal()))
    }

    /// A call to the issuer, within its time.
    async fn call<T>(&self, call: impl Future<Output = Result<T, IssuerError>>) -> Result<T, IssuerError> {
        let late =
            |_| IssuerError::Unknown(format!("{} gave no answer within {} ms", self.issuer.shown(), self.config.timeout.as_millis()));
        tokio::time::timeout(self.config.timeout, call).await.unwrap_or_else(|elapsed| Err(late(elapsed)))
    }

    /// Records a step that is about to be taken. No record, no effect.
    fn tell(&self, hold: &Hold, step: &str, detail: &str) -> Result<(), Halt> {
        let number = hold.document().number;
        tracing::info!(rotation = self.name, number, step, detail, "rotation");
        let told = self.audit.record(Event::Rotation { rotation: &self.name, number, step, detail });
        told.map_err(|_| Halt::Later { why: "the audit log can't be written".to_owned(), after: None })?;
        let progress = self.progress.lock().clone();
        if let Some(progress) = progress {
            progress(step, detail);
        }
        Ok(())
    }

    /// Tells whoever is to know: the log, the audit log, the counts, and the webhook.
    fn alert(&self, number: u64, what: &str) {
        tracing::warn!(rotation = self.name, number, "{what}");
        self.counts.alerts.fetch_add(1, Ordering::Relaxed);
        let _ = self.audit.record(Event::Rotation { rotation: &self.name, number, step: "alert", detail: what });
        if let Some(webhook) = &self.webhook {
            webhook.post(&self.name, number, what);
        }
    }

    /// Replaces the key at the operator's word: what is under way is taken to its end first.
    pub(crate) async fn by_hand(&self, progress: Option<Progress>) -> Result<(), RotationError> {
        self.progress.lock().clone_from(&progress);
        let mut tries = 0;
        let outcome = loop {
            let (was_under_way, halted) = self.attempt("by hand", tries == 0, None).await;
            match halted {
                Ok(()) if !was_under_way => break Ok(()),
                // What was left over has ended one way or the other: now for what was asked for.
                Ok(()) => {}
                Err(Halt::RolledBack(_) | Halt::Lost(_)) if was_under_way => {}
                Err(Halt::Busy(_)) => tokio::time::sleep(LOOK).await,
                Err(Halt::GoesOn(_)) => {}
                // One more try: what was lost has been settled, and what another host has taken over it takes to its end.
                Err(Halt::Lost(_) | Halt::Fenced) if tries == 0 => tries += 1,
                Err(Halt::Later { after: Some(after), .. }) if after <= PATIENCE && tries < TRIES => {
                    tries += 1;
                    tokio::time::sleep(after).await;
                }
                Err(halt) => break Err(halt),
            }
        };
        *self.progress.lock() = None;
        outcome.map_err(|halt| match halt {
            Halt::RolledBack(why) => RotationError::RolledBack(why),
            Halt::Lost(why) => RotationError::Lost(why),
            _ => RotationError::Unfinished(halt.to_string()),
        })
    }

    /// Gives up what is under way, at the operator's word: what is in the stores stays as it is, and keys that may be left over are reported.
    /// What was reported before is forgotten. Returns what is left to the operator.
    pub(crate) async fn abandon(&self) -> Result<Vec<String>, RotationError> {
        let unfinished = |halt: Halt| RotationError::Unfinished(halt.to_string());
        let mut watched = self.turn.lock().await;
        let held = self.journal.hold(&self.host, self.lease(), &mut watched).await.map_err(|error| unfinished(error.into()))?;
        let hold = held.ok_or_else(|| unfinished(Halt::Busy(Duration::ZERO)))?;
        self.tell(&hold, "abandon", "at the operator's word").map_err(unfinished)?;
        let mut left = Vec::new();
        let now = self.now();
        let released = hold.release(|document| {
            left = steps::abandon_all(document, now);
        });
        released.await.map_err(|unwritten| unfinished(unwritten.into()))?;
        Ok(left)
    }

    /// Takes what is under way to its end, or else a new rotation. Also says whether something was under way. With `seen`, the number of
    /// the last rotation when this one was found to be due: nothing is done where there was another since.
    async fn attempt(&self, trigger: &str, by_hand: bool, seen: Option<(u64, bool)>) -> (bool, Result<(), Halt>) {
        let mut watched = self.turn.lock().await;
        let hold = match self.journal.hold(&self.host, self.lease(), &mut watched).await {
            Ok(Some(hold)) => hold,
            Ok(None) => {
                let left = watched.left(self.lease(), self.clock.now()).unwrap_or_default();
                return (false, Err(Halt::Busy(left)));
            }
            Err(error) => {
                // Once, until it can be had again.
                if !self.unheld_told.swap(true, Ordering::Relaxed) {
                    self.alert(0, &format!("the journal can't be written, and no key is replaced: {error}"));
                }
                return (false, Err(error.into()));
            }
        };
        self.unheld_told.store(false, Ordering::Relaxed);
        let was_under_way = hold.document().under_way.is_some();
        if seen.is_some_and(|seen| seen != (hold.document().number, was_under_way)) {
            let released = hold.release(|_| ()).await;
            return (was_under_way, released.map_err(Halt::from));
        }
        (was_under_way, self.carry_out(hold, trigger, by_hand).await)
    }

    async fn carry_out(&self, mut hold: Hold, trigger: &str, by_hand: bool) -> Result<(), Halt> {
        self.counts.attempts.fetch_add(1, Ordering::Relaxed);
        if by_hand && hold.document().lost > 0 {
            hold.write(|document| document.lost = 0).await?;
        }
        let ended = match self.means {
            Means::Issuer => steps::run(self, &mut hold, trigger).await,
            Means::Backend => managed::run(self, &mut hold, trigger).await,
        };
        let (number, now) = (hold.document().number, self.now());
        match &ended {
            Ok(()) => {
                self.counts.done.fetch_add(1, Ordering::Relaxed);
                // Where that fails, the next host waits a little: what was to be done is done.
                let _ = hold.release(|_| ()).await;
            }
            Err(Halt::Fenced) => {}
            Err(Halt::HandsOver | Halt::GoesOn(_)) => drop(hold.release(|_| ()).await),
            Err(halt) => {
                if matches!(halt, Halt::RolledBack(_) | Halt::Lost(_)) {
                    self.counts.rolled_back.fetch_add(1, Ordering::Relaxed);
                }
                let failing = failed(hold.document().failing.as_ref(), halt, now);
                let known = hold.document().failing.as_ref().is_some_and(|before| before.why == failing.why);
                // The same again is told less and less often.
                if !known || failing.in_a_row.is_power_of_two() {
                    self.alert(number, &failing.why);
                }
                hold.release(|document| document.failing = Some(failing.clone())).await?;
            }
        }
        ended
    }
}

/// What is written down of a failure.
fn failed(before: Option<&Failing>, halt: &Halt, now: u64) -> Failing {
    let in_a_row = before.map_or(0, |failing| failing.in_a_row) + 1;
    let wait = BACKOFF.spread(in_a_row);
    let wait = match halt {
        // No longer than what a clock that was set back may make of it: see `due`.
        Halt::Later { after: Some(after), .. } => (*after).max(wait).min(2 * BACKOFF.longest),
        Halt::Stuck(_) => BACKOFF.longest,
        _ => wait,
    };
    Failing { since: before.map_or(now, |failing| failing.since), in_a_row, why: halt.to_string(), next: now + wait.as_secs() }
}

#[cfg(test)]
mod tests {
    /// The sources of the steps, and of whatever they use. What leads to a socket is behind `Issuer` and what leads to a disk behind
    /// `SecretStore`, where tests have a point before and after each call (`tests/src/cuts.rs`); alerts change nothing.
    const STEPS: [(&str, &str); 10] = [
        ("mod.rs", include_str!("mod.rs")),
        ("steps.rs", include_str!("steps.rs")),
        ("orphans.rs", include_str!("orphans.rs")),
        ("proof.rs", include_str!("proof.rs")),
        ("rotations.rs", include_str!("rotations.rs")),
        ("hold.rs", include_str!("hold.rs")),
        ("journal.rs", include_str!("journal.rs")),
        ("names.rs", include_str!("names.rs")),
        ("keeper.rs", include_str!("keeper.rs")),
        ("managed.rs", include_str!("managed.rs")),
    ];

    #[test]
    fn no_step_has_a_way_to_the_world_that_is_without_a_point() {
        for (name, source) in STEPS {
            let source = source.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
            for way in ["reqwest", "std::fs", "std::net", "tokio::fs", "tokio::net", "std::process", "hyper", "File::", "OpenOptions"] {
                assert!(!source.contains(way), "{name} has `{way}`");
            }
        }
    }
}
