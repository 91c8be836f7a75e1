//! Replaces keys without downtime: a new one is issued while the old one works, tried, put in its place, and the old one revoked when
//! nobody holds it any more.
//!
//! What has been done, and what is about to be, is in a [`journal`] in the store that keeps the secret; [`steps`] is the one way from its
//! beginning to its end. A host that dies anywhere leaves a rotation that the next one takes up: before the switch it goes back, after it
//! forward. [`keeper`] says when a rotation begins.

mod alert;
mod issuer;
mod journal;
mod keeper;
mod managed;
mod names;
mod status;
mod steps;

pub use issuer::{HttpIssuer, IssuedKey, Issuer, IssuerError, ListedKey, Probe, Revoked};
pub use status::{PastRotation, RotationCounts, RotationStatus};

use crate::audit::{AuditSink, Event, Journal as AuditJournal};
use crate::manifest::{HostConfig, IssuerConfig, Manifest, RotationConfig, SecretRef};
use crate::policy::Closed;
use crate::policy::url::CanonicalUrl;
use crate::secrets::backends::HOSTS_OWN;
use crate::secrets::{BackendError, Backends, Cache, Clock, Entry, Fingerprint, Freshness, SecretValue, Uses};
use crate::signing::Wall;
use alert::Webhook;
use http::{HeaderMap, StatusCode};
use issuer::{IssuedKey as Key, expires_at};
use journal::{Failing, Hold, Journal, Watched};
use keeper::Signal;
use names::Name;
use status::Counts;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use steps::Halt;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// How long a rotation that has failed is left alone; twice as long after each further failure, up to the second.
const BACKOFF: (u64, u64) = (60, 3_600);
/// Calls in a row whose outcome may be lost before nothing is issued any more but at the operator's word.
const MAX_LOST: u32 = 2;
/// How often a rotation by hand looks whether another host has let go.
const LOOK: Duration = Duration::from_millis(250);
/// How many timeouts a host may give no sign of life for before another goes on in its place. Each of its calls ends within two.
const LEASE: u32 = 3;

/// The rotations of a host.
pub(crate) struct Rotations {
    all: Vec<Arc<Rotation>>,
    closed: Closed,
}

/// One key that is replaced, wherever it is kept.
pub(crate) struct Rotation {
    name: String,
    config: RotationConfig,
    names: Vec<Name>,
    /// The places of all rotations of this host.
    everywhere: OnceLock<Vec<Name>>,
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
    /// Others know that this host uses the key.
    registered: tokio::sync::OnceCell<()>,
    closing: AtomicBool,
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

impl Rotations {
    pub(crate) fn new(
        config: &HostConfig,
        own: Vec<(String, Arc<dyn Issuer>)>,
        backends: &Backends,
        parts: &Parts,
    ) -> Result<Self, (String, String)> {
        let mut all = Vec::new();
        for (name, rotation) in &config.rotations {
            let made = Rotation::new(name, rotation, config, &own, backends, parts);
            all.push(Arc::new(made.map_err(|why| (name.clone(), why))?));
        }
        let everywhere: Vec<Name> = all.iter().flat_map(|rotation: &Arc<Rotation>| rotation.names.clone()).collect();
        for (at, name) in everywhere.iter().enumerate() {
            if everywhere[..at].iter().any(|other| other.from.name == name.from.name && other.entry == name.entry) {
                let rotation =
                    all.iter().rev().find(|rotation| rotation.keeps(name)).map_or_else(String::new, |rotation| rotation.name.clone());
                return Err((rotation, format!("{} is named twice: one key has one rotation", name.shown())));
            }
        }
        for rotation in &all {
            let _ = rotation.everywhere.set(everywhere.clone());
        }
        let closed = own.iter().flat_map(|(_, issuer)| issuer.closed());
        let closed = Closed::new(closed).map_err(|why| ("of the embedder".to_owned(), why))?;
        Ok(Self { all, closed: closed.with(closed_by(config).map_err(|why| (String::new(), why))?) })
    }

    pub(crate) fn all(&self) -> &[Arc<Rotation>] {
        &self.all
    }

    pub(crate) fn named(&self, name: &str) -> Result<&Arc<Rotation>, RotationError> {
        self.all.iter().find(|rotation| rotation.name == name).ok_or_else(|| RotationError::Unknown(name.to_owned()))
    }

    /// The rotation that replaces an entry of a backend.
    pub(crate) fn of(&self, backend: &str, entry: &Entry) -> Option<&Arc<Rotation>> {
        self.all.iter().find(|rotation| rotation.names.iter().any(|name| name.from.name == backend && name.entry == *entry))
    }

    /// The rotation that replaces what a key of a run comes from.
    pub(crate) fn of_key(&self, key: &crate::secrets::Key) -> Option<Arc<Rotation>> {
        let (backend, entry) = key.place()?;
        self.of(backend, entry).cloned()
    }

    /// Lets others know that this host is about to use what a manifest names, before it does.
    pub(crate) async fn register(&self, manifest: &Manifest, backends: &Backends) -> Result<(), (String, BackendError)> {
        if self.all.is_empty() {
            return Ok(());
        }
        for secret in &manifest.secrets {
            let namespace = secret.namespace.as_deref().unwrap_or(&manifest.name);
            let Ok((from, entries)) = backends.entries(&secret.from, &manifest.name, namespace) else { continue };
            for rotation in entries.iter().filter_map(|entry| self.of(&from.name, entry)) {
                rotation.register().await.map_err(|error| (secret.name.clone(), error))?;
            }
        }
        Ok(())
    }

    /// The calls that agents can't make.
    pub(crate) fn closed(&self) -> &Closed {
        &self.closed
    }

    /// Has whatever is under way come to a point where it can be left, and says that this host uses nothing any more.
    pub(crate) async fn close(&self) {
        futures_util::future::join_all(self.all.iter().map(|rotation| rotation.close())).await;
    }
}

/// What rotations have of the host.
pub(crate) struct Parts {
    pub(crate) host: String,
    pub(crate) cache: Arc<Cache>,
    pub(crate) clock: Clock,
    pub(crate) wall: Wall,
    pub(crate) audit: Option<Arc<dyn AuditSink>>,
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
        let names = config.secrets.iter().map(|reference| place(reference, backends)).collect::<Result<Vec<Name>, String>>()?;
        let first = names.first().ok_or("it names no secret")?;
        let journal = Journal::of(Arc::clone(&first.from.backend), name, parts.clock.clone()).ok_or("its backend can't be written to")?;
        let issuer = issuer(&config.issuer, host, own)?;
        let means = if issuer.is_some() { Means::Issuer } else { Means::Backend };
        let issuer = issuer.unwrap_or_else(|| Arc::new(managed::Backend));
        if matches!(means, Means::Backend) && (names.len() > 1 || first.from.backend.rotator().is_none()) {
            return Err("an issuer of type `aws-managed` replaces one secret, of a backend of type `aws`".to_owned());
        }
        if let Some(overlap) = config.overlap {
            let longest = names.iter().map(Name::staleness).max().unwrap_or_default();
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
            registered: tokio::sync::OnceCell::new(),
            closing: AtomicBool::new(false),
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

    /// Whether no other host can use the old key of that rotation any more, so long after the switch.
    async fn others_are_done(&self, number: u64, waited: Duration) -> Result<bool, Halt> {
        if waited >= self.staleness() + self.lease() {
            return Ok(true);
        }
        let (document, _) = self.journal.read().await?;
        Ok(document.hosts.iter().all(|(host, acknowledged)| *host == self.host || *acknowledged >= number))
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
        let progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner).clone();
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
        self.progress.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&progress);
        let mut tries = 0;
        let outcome = loop {
            let (was_under_way, halted) = self.attempt("by hand", true).await;
            match halted {
                Ok(()) if !was_under_way => break Ok(()),
                // What was left over has ended one way or the other: now for what was asked for.
                Ok(()) => {}
                Err(Halt::RolledBack(_) | Halt::Lost(_)) if was_under_way => {}
                // One more try: what was lost has been settled.
                Err(Halt::Lost(_)) if tries == 0 => tries += 1,
                Err(Halt::Later { after: Some(after), .. }) if after <= self.lease() => tokio::time::sleep(after.min(LOOK)).await,
                Err(halt) => break Err(halt),
            }
        };
        *self.progress.lock().unwrap_or_else(PoisonError::into_inner) = None;
        outcome.map_err(|halt| match halt {
            Halt::RolledBack(why) => RotationError::RolledBack(why),
            Halt::Lost(why) => RotationError::Lost(why),
            Halt::Fenced | Halt::Stuck(_) | Halt::Later { .. } => RotationError::Unfinished(halt.to_string()),
        })
    }

    /// Takes what is under way to its end, or else a new rotation. Also says whether something was under way.
    async fn attempt(&self, trigger: &str, by_hand: bool) -> (bool, Result<(), Halt>) {
        let mut watched = self.turn.lock().await;
        let hold = match self.journal.hold(&self.host, self.lease(), &mut watched).await {
            Ok(Some(hold)) => hold,
            Ok(None) => {
                let after = watched.left(self.lease(), self.clock.now());
                return (false, Err(Halt::Later { why: "another host is at it, or has ended in the middle of it".to_owned(), after }));
            }
            Err(error) => return (false, Err(error.into())),
        };
        let was_under_way = hold.document().under_way.is_some();
        (was_under_way, self.carry_out(hold, trigger, by_hand).await)
    }

    async fn carry_out(&self, mut hold: Hold, trigger: &str, by_hand: bool) -> Result<(), Halt> {
        self.counts.attempts.fetch_add(1, Ordering::Relaxed);
        if by_hand {
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
                hold.release(|_| ()).await?;
            }
            Err(Halt::Fenced) => {}
            Err(halt) => {
                if matches!(halt, Halt::RolledBack(_) | Halt::Lost(_)) {
                    self.counts.rolled_back.fetch_add(1, Ordering::Relaxed);
                }
                self.alert(number, &halt.to_string());
                hold.release(|document| document.failing = Some(failed(document.failing.as_ref(), halt, now))).await?;
            }
        }
        ended
    }
}

/// The calls that a configuration closes to agents, by naming them as an issuer's.
pub(crate) fn closed_by(config: &HostConfig) -> Result<Closed, String> {
    let http = config.issuers.iter().filter_map(|(_, issuer)| match issuer {
        IssuerConfig::Http(http) => Some(http),
        IssuerConfig::Managed => None,
    });
    Closed::new(http.flat_map(|http| http.closed()))
}

/// What is written down of a failure.
fn failed(before: Option<&Failing>, halt: &Halt, now: u64) -> Failing {
    let in_a_row = before.map_or(0, |failing| failing.in_a_row) + 1;
    let backoff = BACKOFF.0.saturating_mul(1 << (in_a_row - 1).min(12)).min(BACKOFF.1);
    let jitter = getrandom::u64().unwrap_or_default() % (backoff / 4);
    let after = match halt {
        Halt::Later { after: Some(after), .. } => after.as_secs(),
        Halt::Stuck(_) => BACKOFF.1,
        _ => backoff - jitter,
    };
    Failing { since: before.map_or(now, |failing| failing.since), in_a_row, why: halt.to_string(), next: now + after }
}

/// The place that a reference names.
fn place(reference: &SecretRef, backends: &Backends) -> Result<Name, String> {
    let SecretRef::Exact { backend, path, which, field } = reference else { return Err("write `backend:path`".to_owned()) };
    let from = backends.named(Some(backend)).map_err(|error| error.to_string())?.clone();
    let entry = Entry { path: path.clone(), which: which.clone(), field: field.clone() };
    let shown = crate::text::for_people(&entry.to_string());
    from.backend.admits(&entry).map_err(|error| error.to_string())?;
    if path.starts_with(HOSTS_OWN) {
        return Err(format!("{shown}: paths below `{HOSTS_OWN}` are the host's own"));
    }
    if from.backend.store().is_none() || from.backend.freshness() == Freshness::EachRun {
        return Err(format!("{shown}: a key is replaced in a backend that can be written to: of type `file`, `vault` or `aws`"));
    }
    Ok(Name { from, entry })
}

/// The issuer of that name; `None` where it is the backend itself.
fn issuer(name: &str, host: &HostConfig, own: &[(String, Arc<dyn Issuer>)]) -> Result<Option<Arc<dyn Issuer>>, String> {
    if let Some((_, issuer)) = own.iter().find(|(known, _)| known == name) {
        return Ok(Some(Arc::clone(issuer)));
    }
    match host.issuers.iter().find(|(known, _)| known == name) {
        Some((_, IssuerConfig::Http(http))) => Ok(Some(Arc::new(HttpIssuer::new(http)?))),
        Some((_, IssuerConfig::Managed)) => Ok(None),
        None => Err(format!("no issuer `{name}` is configured; add `[issuers.{name}]`")),
    }
}
