//! The journal of a rotation: one document, kept in the backend that keeps the secret, so that whoever comes next can go on. It is changed by
//! compare-and-set alone, and by one holder at a time, whose fencing number grows with each change of hands.
//!
//! It holds keys in plain, as the secret itself does: what seals the one seals the other. No manifest can name it.

use super::issuer::{IssuedKey, ListedKey};
use super::plaintext;
use crate::clock::Clock;
use crate::secrets::{Deposit, Entry, SecretBackend, SecretStore, StoreError};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The only format there is so far.
const FORMAT: u32 = 1;
/// Most entries of each list that only grows.
const KEPT: usize = 24;
/// Most hosts that are waited for; one more is not let in, and asks its backend at each use instead.
const MAX_HOSTS: usize = 256;
/// How often a change is tried where others change the document too, or the store does not answer.
pub(super) const ATTEMPTS: u32 = 8;
/// How long is waited before the first repetition.
const PAUSE: Duration = Duration::from_millis(20);

/// What is known of one rotation.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Document {
    format: u32,
    /// Changes so far of those who may change it at any time.
    #[serde(default)]
    notes: u64,
    #[serde(default)]
    pub(super) holder: Option<Holder>,
    /// The last fencing number.
    #[serde(default)]
    pub(super) fence: u64,
    /// Rotations begun so far.
    #[serde(default)]
    pub(super) number: u64,
    #[serde(default)]
    pub(super) current: Option<Current>,
    #[serde(default)]
    pub(super) under_way: Option<UnderWay>,
    /// Calls in a row whose outcome was lost.
    #[serde(default)]
    pub(super) lost: u32,
    #[serde(default)]
    pub(super) failing: Option<Failing>,
    /// The hosts that use the key, each with the rotation whose new key it has taken over, and whose old one it holds no more.
    #[serde(default)]
    pub(super) hosts: BTreeMap<String, u64>,
    /// Keys that may have been made, and that nobody knows.
    #[serde(default)]
    pub(super) orphans: Vec<Orphan>,
    /// A call whose outcome was lost, and after which nothing new was listed: it may be carried out late.
    #[serde(default)]
    pub(super) suspected: Option<Suspicion>,
    /// The issuer's names for keys that were made here.
    #[serde(default)]
    pub(super) made: Vec<String>,
    /// How long any host may use what it has read last, in seconds.
    #[serde(default)]
    pub(super) stale: u64,
    /// A hash of the key that a backend was asked to replace by itself, and when.
    #[serde(default)]
    pub(super) asked: Option<(String, u64)>,
    #[serde(default)]
    pub(super) past: Vec<Past>,
}

/// Who may take the next step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Holder {
    pub(super) host: String,
    pub(super) fence: u64,
    /// Grows with each sign of life.
    pub(super) beat: u64,
    /// What no other holder has, though both had the same number for a moment.
    pub(super) nonce: u64,
    /// How long it may give no sign of life for, in milliseconds.
    pub(super) lease: u64,
}

/// The key in use, as far as this host has made it so.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Current {
    /// Since when, in seconds since 1970.
    pub(super) since: u64,
    /// A hash of it: what is said here is said of no other key.
    #[serde(default)]
    pub(super) print: String,
    /// The issuer's name for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<String>,
    /// When it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) expires_at: Option<u64>,
}

/// A rotation that has begun and not ended.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct UnderWay {
    pub(super) begun: u64,
    pub(super) trigger: String,
    pub(super) stage: Stage,
    /// The places of the key and the call that makes it, as they were when it began.
    pub(super) places: Vec<String>,
    pub(super) issuer: String,
    /// How long other hosts have been waited for, in milliseconds, by whoever had its turn.
    #[serde(default)]
    pub(super) waited: u64,
    /// The key in use when it began.
    pub(super) old: IssuedKey,
    /// The new one, from the moment that there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) new: Option<IssuedKey>,
    /// The keys that the issuer listed before it was called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) listed: Option<Vec<ListedKey>>,
    /// Why it is rolled back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) why: Option<String>,
}

/// How far it has come. What is named has been done, but for the first, which is about to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Stage {
    Issuing,
    Issued,
    Verified,
    Switched,
    Drained,
    Revoked,
    RollingBack,
}

impl Stage {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Issuing => "issuing",
            Self::Issued => "issued",
            Self::Verified => "verified",
            Self::Switched => "switched",
            Self::Drained => "drained",
            Self::Revoked => "revoked",
            Self::RollingBack => "rolling-back",
        }
    }

    /// Whether a host that reads the secret now may still get the old key.
    pub(super) fn is_before_switch(self) -> bool {
        matches!(self, Self::Issuing | Self::Issued | Self::Verified | Self::RollingBack)
    }
}

/// Failures since the last success.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Failing {
    pub(super) since: u64,
    pub(super) in_a_row: u32,
    pub(super) why: String,
    /// When it is tried again, in seconds since 1970.
    pub(super) next: u64,
}

/// A key that may have been made, and that nobody knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Orphan {
    /// When the call was made, in seconds since 1970, and for which rotation.
    pub(super) at: u64,
    #[serde(default)]
    pub(super) number: u64,
    /// What is known of it: the call, and the issuer's name for it where it has a list.
    pub(super) what: String,
}

/// A call that may be carried out late.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Suspicion {
    pub(super) since: u64,
    /// A hash of the key in use then.
    pub(super) print: String,
    /// The keys that the issuer listed before, and those that were made since.
    pub(super) listed: Vec<ListedKey>,
}

/// A rotation that has ended.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Past {
    pub(super) number: u64,
    pub(super) begun: u64,
    pub(super) ended: u64,
    pub(super) trigger: String,
    /// `done`, or why it was rolled back.
    pub(super) outcome: String,
}

/// Why a change was not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unwritten {
    /// Another host goes on with the rotation.
    #[error("another host has taken the rotation over")]
    Fenced,
    /// The store can't be written.
    #[error("the journal can't be written: {0}")]
    Store(String),
}

/// Where the document is kept.
#[derive(Clone)]
pub(crate) struct Journal {
    backend: Arc<dyn SecretBackend>,
    entry: Entry,
    pub(super) clock: Clock,
}

impl Document {
    fn read(text: &str) -> Result<Self, String> {
        let document: Self = serde_json::from_str(text).map_err(|_| "what is there is no journal".to_owned())?;
        if document.format != FORMAT {
            return Err(format!("it is of format {}; this host knows format {FORMAT}", document.format));
        }
        Ok(document)
    }

    fn deposit(&self) -> Deposit {
        Deposit::new(serde_json::to_vec(self).expect("a journal is JSON"))
    }

    pub(super) fn trim(&mut self) {
        let excess = |len: usize| len.saturating_sub(KEPT);
        self.past.drain(..excess(self.past.len()));
        self.orphans.drain(..excess(self.orphans.len()));
        self.made.drain(..excess(self.made.len()));
    }
}

impl Journal {
    /// The journal of a rotation, in the store that keeps its secret.
    pub(super) fn of(backend: Arc<dyn SecretBackend>, rotation: &str, clock: Clock) -> Option<Self> {
        let entry = backend.store()?.journal_entry(rotation);
        Some(Self { backend, entry, clock })
    }

    fn store(&self) -> &dyn SecretStore {
        self.backend.store().expect("a journal is made over a store")
    }

    /// The document, with its version; an empty one where there is none.
    pub(super) async fn read(&self) -> Result<(Document, String), StoreError> {
        let found = match self.store().get(&self.entry).await.map_err(StoreError::from) {
            Ok(found) => found,
            Err(StoreError::NotFound(_)) => return Ok((Document { format: FORMAT, ..Document::default() }, self.newest().await?)),
            Err(error) => return Err(error),
        };
        let broken = |why: String| StoreError::Unavailable(format!("the rotation's journal at {}: {why}", self.entry));
        let field = self.entry.field.as_deref();
        let no_text = || broken(field.map_or_else(|| "it is no text".to_owned(), |field| format!("it has no text in `{field}`")));
        let text = plaintext::of(found.value, field).ok_or_else(no_text)?;
        let document = Document::read(&text).map_err(broken)?;
        let version = found.version.ok_or_else(|| broken("its backend tells no versions".to_owned()))?;
        Ok((document, version))
    }

    /// The document, which is made where there is none, with nobody in it: not every server makes one only once where two ask for it at the
    /// same time (OpenBao 2.7 does not), and whoever comes first must not be overwritten by whoever comes second.
    pub(super) async fn made(&self) -> Result<(Document, String), StoreError> {
        let (document, version) = self.read().await?;
        if document.fence > 0 || document.notes > 0 {
            return Ok((document, version));
        }
        match self.write(&document, &version).await {
            Err(error) if !may_pass(&error) => return Err(error),
            _ => pause(&mut 0).await,
        }
        self.read().await
    }

    async fn newest(&self) -> Result<String, StoreError> {
        self.store().newest(&self.entry.path).await
    }

    pub(super) async fn write(&self, document: &Document, expected: &str) -> Result<String, StoreError> {
        self.store().put(&self.entry, document.deposit(), Some(expected)).await
    }

    /// Makes a change that whoever uses the key may make at any time: it is repeated until it has been made. False where there was nothing
    /// to change.
    pub(super) async fn note(&self, mut change: impl FnMut(&mut Document) -> bool) -> Result<bool, StoreError> {
        let mut attempt = 0;
        loop {
            let (mut document, version) = self.made().await?;
            if !change(&mut document) {
                return Ok(false);
            }
            document.notes += 1;
            document.trim();
            match self.write(&document, &version).await {
                Ok(_) => return Ok(true),
                Err(error) if attempt == ATTEMPTS || !may_pass(&error) => return Err(error),
                Err(_) => pause(&mut attempt).await,
            }
        }
    }
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

pub(super) fn may_pass(error: &StoreError) -> bool {
    matches!(error, StoreError::Conflict { .. } | StoreError::Unavailable(_))
}

pub(super) async fn pause(attempt: &mut u32) {
    // Others who have met the same conflict do not come back at the same moment.
    let jitter = getrandom::u64().unwrap_or_default() % 20;
    tokio::time::sleep(PAUSE * 2u32.pow((*attempt).min(5)) + Duration::from_millis(jitter)).await;
    *attempt += 1;
}

impl Document {
    /// The rotation whose new key a host has that asks for it from now on.
    pub(super) fn settled(&self) -> u64 {
        let before_switch = self.under_way.as_ref().is_some_and(|under_way| under_way.stage.is_before_switch());
        self.number - u64::from(before_switch)
    }
}

/// Lets a host in, or notes what it has taken over. False where it is known already.
pub(super) fn acknowledge(document: &mut Document, host: &str, number: u64) -> bool {
    let is_new = !document.hosts.contains_key(host);
    if document.hosts.get(host) == Some(&number) || (is_new && document.hosts.len() >= MAX_HOSTS) {
        return false;
    }
    document.hosts.insert(host.to_owned(), number);
    true
}

impl Document {
    /// Whether this is the issuer's name for one of its keys.
    pub(super) fn knows(&self, id: &str) -> bool {
        // A key without a name may be any of them.
        if self.current.as_ref().is_none_or(|current| current.id.is_none()) {
            return true;
        }
        let current = self.current.as_ref().and_then(|current| current.id.as_deref());
        let under_way = self.under_way.iter().flat_map(|under_way| [Some(&under_way.old), under_way.new.as_ref()]);
        let known = under_way.flatten().filter_map(IssuedKey::id).chain(current).any(|known| known == id);
        // One that is being made may be this one.
        known || self.under_way.as_ref().is_some_and(|under_way| under_way.stage == Stage::Issuing)
    }

    /// Whether there may be hosts that could not be let in.
    pub(super) fn is_crowded(&self) -> bool {
        self.hosts.len() >= MAX_HOSTS
    }
}
