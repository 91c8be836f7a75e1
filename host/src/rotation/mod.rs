//! Replaces keys without downtime: a new one is issued while the old one works, tried, put in its place, and the old one revoked when
//! nobody holds it any more.
//!
//! What has been done, and what is about to be, is in a [`journal`] in the store that keeps the secret: a [`stage`], with what is known at
//! it. [`steps`] is the one way from the beginning to the end. A host that dies at any point leaves a rotation that the next one resumes:
//! before the switch it rolls back, after the switch it rolls forward. [`keeper`] says when a rotation begins.

mod alert;
mod attempt;
mod document;
mod halt;
mod hold;
mod issuer;
mod journal;
mod keeper;
mod managed;
mod orphans;
mod plaintext;
mod progress;
mod revocation;
mod rollback;
mod rotations;
mod signals;
mod sites;
mod stage;
mod status;
mod steps;

pub use issuer::{HttpIssuer, IssuedKey, Issuer, IssuerError, ListedKey, Probe, Revoked};
pub use progress::{Progress, Step};
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
use alert::Webhook;
use halt::Halt;
use hold::{Hold, Watched};
use journal::Journal;
use keeper::Told;
use progress::Listener;
use sha2::{Digest, Sha256};
use signals::Signals;
use sites::Site;
use status::Counts;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// How long a rotation that has failed is left alone; twice as long after each further failure, up to the second.
const BACKOFF: Backoff = Backoff { first: Duration::from_secs(60), longest: Duration::from_secs(3_600) };
/// Calls in a row whose outcome may be lost before nothing is issued any more but at the operator's request.
const MAX_LOST: u32 = 2;
/// How long a host that waits for others may go without a heartbeat, where the store counts its writes.
const SLOW_LEASE: Duration = Duration::from_secs(15 * 60);
/// How many timeouts a host may go without a heartbeat before another continues in its place. Each of its calls ends within two.
const LEASE: u32 = 3;

/// One key that is replaced, at all of its sites.
pub(crate) struct Rotation {
    name: String,
    config: RotationConfig,
    sites: Vec<Site>,
    /// The sites of all rotations of this host.
    everywhere: OnceLock<Vec<Site>>,
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
    progress: Mutex<Option<Listener>>,
    signals: Mutex<Signals>,
    told: Mutex<Told>,
    woken: Notify,
    keeper: Mutex<Option<JoinHandle<()>>>,
    /// Whether others know that this host uses the key.
    registered: tokio::sync::Mutex<bool>,
    /// What the manifests of this host want the key to look like.
    formats: Mutex<Vec<regex::Regex>>,
    closing: AtomicBool,
    /// Whether nobody is waited for who holds the old key.
    is_leaked: AtomicBool,
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

/// Why a rotation was not finished.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RotationError {
    /// There is none of that name.
    #[error("no rotation `{0}` is configured; add `[rotations.{0}]` to the host configuration")]
    Unknown(String),
    /// The key in use is still the one from before.
    #[error("not rotated, and the key in use is unchanged: {0}")]
    RolledBack(String),
    /// It has gone as far as it could, and continues on its own while the host keeps running, or when this is called again.
    #[error("not finished, and nothing is lost: {0}")]
    Unfinished(String),
    /// Its status is not known: its journal can't be read.
    #[error("its journal can't be read: {0}")]
    Unreadable(String),
    /// What the issuer did is not known. The key in use is still the one from before.
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
        let sites = config.secrets.iter().map(|reference| rotations::site(reference, backends)).collect::<Result<Vec<Site>, String>>()?;
        let first = sites.first().ok_or("it names no secret")?;
        let journal = Journal::of(Arc::clone(&first.from.backend), name, parts.clock.clone()).ok_or("its backend can't be written to")?;
        let issuer = rotations::issuer(&config.issuer, host, own)?;
        let means = if issuer.is_some() { Means::Issuer } else { Means::Backend };
        let issuer = issuer.unwrap_or_else(|| Arc::new(managed::Backend));
        if matches!(means, Means::Backend) && (sites.len() > 1 || first.from.backend.rotator().is_none()) {
            return Err("an issuer of type `aws-managed` replaces one secret, of a backend of type `aws`".to_owned());
        }
        let longest = sites.iter().map(Site::staleness).max().unwrap_or_default();
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
            sites,
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
            told: Mutex::default(),
            woken: Notify::new(),
            keeper: Mutex::default(),
            registered: tokio::sync::Mutex::default(),
            formats: Mutex::default(),
            closing: AtomicBool::new(false),
            is_leaked: AtomicBool::new(false),
            unheld_told: AtomicBool::new(false),
            counts: Counts::default(),
        })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The wall clock, in seconds since 1970. What it says is written down, and decides when a key is due; nothing else depends on it.
    fn now(&self) -> u64 {
        self.wall.now() / 1_000
    }

    fn keeps(&self, site: &Site) -> bool {
        self.sites.iter().any(|own| own.is(site))
    }

    fn everywhere(&self) -> &[Site] {
        self.everywhere.get().map_or(&self.sites, Vec::as_slice)
    }

    fn lease(&self) -> Duration {
        self.config.timeout * LEASE
    }

    /// The sites of the key, for people.
    fn shown_sites(&self) -> Vec<String> {
        self.sites.iter().map(Site::shown).collect()
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
        self.sites.iter().map(Site::staleness).max().unwrap_or_default()
    }

    fn fingerprint(&self, key: &IssuedKey) -> Fingerprint {
        SecretValue::new(key.reveal()).fingerprint(self.cache.fingerprint_key())
    }

    /// The requests of this host that hold a key.
    fn uses(&self, key: &IssuedKey) -> Arc<Uses> {
        self.cache.uses(self.fingerprint(key))
    }

    /// Makes this host's requests use what the stores hold now. False where it could not be fetched yet.
    async fn adopt(&self, old: &IssuedKey) -> bool {
        let old = self.fingerprint(old);
        let renewed = self.sites.iter().map(|site| self.cache.renew(&site.from, &site.entry, old));
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
        !self.sites.iter().any(|site| site.from.backend.store().is_some_and(SecretStore::counts_writes))
    }

    /// Tells a key from others, for the journal.
    fn print(&self, key: &str) -> String {
        let hash = Sha256::new_with_prefix(format!("strongroom rotation {}\0", self.name)).chain_update(key).finalize();
        crate::text::hex(&hash[..8])
    }

    /// Whether a key looks as the manifests of this host want it to.
    fn fits(&self, key: &IssuedKey) -> bool {
        let formats = self.formats.lock();
        formats.iter().all(|format| format.is_match(key.reveal()))
    }

    /// A call to the issuer, within its time.
    async fn call<T>(&self, call: impl Future<Output = Result<T, IssuerError>>) -> Result<T, IssuerError> {
        let late =
            |_| IssuerError::Unknown(format!("{} did not answer within {} ms", self.issuer.shown(), self.config.timeout.as_millis()));
        tokio::time::timeout(self.config.timeout, call).await.unwrap_or_else(|elapsed| Err(late(elapsed)))
    }

    /// Makes sure, before a call to the issuer, that this host may make it.
    async fn sure(&self, hold: &mut Hold) -> Result<(), Halt> {
        if self.closing.load(Ordering::Relaxed) {
            return Err(Halt::HandsOver);
        }
        Ok(hold.sure(self.config.timeout).await?)
    }

    /// Writes down that a rotation has failed.
    async fn end(&self, hold: &mut Hold, why: &str) -> Result<(), Halt> {
        let now = self.now();
        Ok(hold.write(|document| document.close(why, now)).await?)
    }

    /// Records a step that is about to be taken. No record, no effect.
    fn tell(&self, hold: &Hold, step: Step, detail: &str) -> Result<(), Halt> {
        let number = hold.document().number;
        tracing::info!(rotation = self.name, number, %step, detail, "rotation");
        let said = (!detail.is_empty()).then(|| detail.into());
        let told = self.audit.record(Event::Rotation { rotation: (&self.name).into(), number, step: step.as_str().into(), detail: said });
        told.map_err(|_| Halt::Later { why: "the audit log can't be written".to_owned(), after: None })?;
        let progress = self.progress.lock().clone();
        if let Some(progress) = progress {
            progress(Progress { step, detail });
        }
        Ok(())
    }

    /// Tells whoever is to know: the log, the audit log, the counts, and the webhook.
    fn alert(&self, number: u64, what: &str) {
        tracing::warn!(rotation = self.name, number, "{what}");
        self.counts.alerts.fetch_add(1, Ordering::Relaxed);
        let _ =
            self.audit.record(Event::Rotation { rotation: (&self.name).into(), number, step: "alert".into(), detail: Some(what.into()) });
        if let Some(webhook) = &self.webhook {
            webhook.post(&self.name, number, what);
        }
    }
}

#[cfg(test)]
mod tests {
    /// The sources of the steps, and of whatever they use. What leads to a socket is behind `Issuer` and what leads to a disk behind
    /// `SecretStore`, where tests have a point before and after each call (`tests/src/cuts.rs`); alerts change nothing.
    const STEPS: [(&str, &str); 18] = [
        ("mod.rs", include_str!("mod.rs")),
        ("attempt.rs", include_str!("attempt.rs")),
        ("steps.rs", include_str!("steps.rs")),
        ("stage/mod.rs", include_str!("stage/mod.rs")),
        ("stage/proof.rs", include_str!("stage/proof.rs")),
        ("stage/written.rs", include_str!("stage/written.rs")),
        ("rollback.rs", include_str!("rollback.rs")),
        ("revocation.rs", include_str!("revocation.rs")),
        ("orphans.rs", include_str!("orphans.rs")),
        ("halt.rs", include_str!("halt.rs")),
        ("rotations.rs", include_str!("rotations.rs")),
        ("hold.rs", include_str!("hold.rs")),
        ("journal.rs", include_str!("journal.rs")),
        ("document.rs", include_str!("document.rs")),
        ("sites.rs", include_str!("sites.rs")),
        ("signals.rs", include_str!("signals.rs")),
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
