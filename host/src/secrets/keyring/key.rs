//! One secret in one run: the version in use, those before it, and how a newer one is taken over.

use super::Listener;
use crate::lock::{Mutex, RwLock};
use crate::manifest::{SchemeSpec, SecretSpec};
use crate::secrets::backends::{BackendError, Configured, Entry, Origin};
use crate::secrets::cache::Use;
use crate::secrets::held::{Held, InUse, Version};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio_util::task::TaskTracker;

/// Most versions of one secret that one run remembers: text is searched for each of them.
const MAX_VERSIONS: usize = 16;

/// Most secrets behind tokens that one run remembers.
const MAX_BEHIND: usize = 64;

/// One secret in one run.
pub(crate) struct Key {
    pub(crate) name: String,
    pub(crate) placeholder: String,
    /// Whether a grant sends it as `Authorization: Basic`.
    pub(crate) in_basic: bool,
    /// Where its value comes from. A default of the manifest is plain text: the guest may see it, and nothing is scrubbed.
    source: Option<Sourced>,
    first: Arc<Version>,
    /// The versions that came after it, the one in use last.
    newer: RwLock<Vec<Arc<Version>>>,
    /// The secrets that tokens were had for, as far as the run has known them.
    behind: RwLock<Vec<Arc<Version>>>,
}

/// What a key comes from.
pub(super) struct Sourced {
    slot: Use,
    entry: Entry,
    /// Where the secret itself is kept, where what is used is a token that was had for it.
    origin: Option<Origin>,
    wanted: Wanted,
    /// The number of what was looked at last. It is written when all is done that the new version calls for.
    seen: AtomicU64,
    /// Since when what the backend gives can't be used, and why. Locked by whoever looks at something new.
    unfit: Mutex<Option<(Duration, String)>>,
}

/// What a value has to be for the host to use it.
#[derive(Default)]
pub(super) struct Wanted {
    format: Option<regex::Regex>,
    scheme: Option<Arc<SchemeSpec>>,
}

impl Wanted {
    /// As a manifest says; of a token that was had for the secret, nothing.
    pub(super) fn of(spec: &SecretSpec) -> Self {
        match &spec.scheme {
            Some(scheme) if scheme.oauth2().is_some() => Self::default(),
            scheme => Self { format: spec.format.clone(), scheme: scheme.clone() },
        }
    }

    /// What is wrong with a version, without a part of it.
    pub(super) fn check(&self, version: &Version) -> Result<(), String> {
        version.value.check(self.format.as_ref())?;
        self.scheme.as_ref().map_or(Ok(()), |scheme| version.value.fits(scheme, &version.prepared))
    }
}

impl Key {
    pub(super) fn new(spec: &SecretSpec, placeholder: String, source: Option<Sourced>, first: Arc<Version>) -> Self {
        let behind = RwLock::new(first.behind.clone());
        Self { name: spec.name.clone(), placeholder, in_basic: spec.in_basic(), source, first, newer: RwLock::default(), behind }
    }

    /// The version in use.
    pub(crate) fn current(&self) -> Arc<Version> {
        let newer = self.newer.read();
        Arc::clone(newer.last().unwrap_or(&self.first))
    }

    /// The version that the run began with.
    pub(crate) fn first(&self) -> &Arc<Version> {
        &self.first
    }

    /// The versions that came after the first one.
    pub(crate) fn newer(&self) -> Vec<Arc<Version>> {
        self.newer.read().clone()
    }

    /// The secrets that tokens were had for.
    pub(crate) fn behind(&self) -> Vec<Arc<Version>> {
        self.behind.read().clone()
    }

    /// The backend and the entry that it comes from.
    pub(crate) fn from(&self) -> Option<String> {
        self.place().map(|(backend, entry)| format!("{backend}:{entry}"))
    }

    /// The same, apart.
    pub(crate) fn place(&self) -> Option<(&str, &Entry)> {
        self.kept().map(|(from, entry)| (from.name.as_str(), entry))
    }

    /// The same, with the backend itself.
    pub(crate) fn kept(&self) -> Option<(&Configured, &Entry)> {
        self.source.as_ref().map(|source| match &source.origin {
            Some(Origin { from, entry }) => (from, entry),
            None => (source.slot.from(), &source.entry),
        })
    }

    pub(crate) fn is_default(&self) -> bool {
        self.source.is_none()
    }

    /// A destination has rejected this version: the backend is asked before the next use.
    pub(crate) fn suspect(&self, rejected: &Arc<Version>) {
        if let Some(source) = &self.source
            && Arc::ptr_eq(rejected, &self.current())
        {
            source.slot.suspect();
        }
    }

    /// Whether this version is still the one that a request would get, as far as is known without asking, and not too old.
    pub(crate) fn is_current(&self, version: &Arc<Version>) -> bool {
        let Some(source) = &self.source else { return true };
        // Nobody takes a newer one over meanwhile.
        let _unchanged = source.unfit.lock();
        source.has_seen(source.slot.published()) && source.slot.is_usable() && Arc::ptr_eq(version, &self.current())
    }

    /// The version that a request gets, and whether it is past its time. Asks the backend where it has to.
    pub(super) async fn resolve(&self, run: &TaskTracker, listener: &impl Listener) -> Result<(InUse, bool), BackendError> {
        let Some(source) = &self.source else { return Ok((InUse::of(self.current()), false)) };
        loop {
            let stale = source.slot.resolve(run).await?.stale;
            let number = self.learn(listener)?;
            let held = self.usable(source, stale)?;
            // Counted first, then looked at; whoever replaces a value replaces it first, then looks at the count. So either this request
            // sees that there is another value, or the other side sees this request.
            if source.slot.published() == number {
                return Ok(held);
            }
        }
    }

    /// Takes over what has been published since, if it can be used, and tells of it first. Returns the number of what there is.
    pub(super) fn learn(&self, listener: &impl Listener) -> Result<u64, BackendError> {
        let Some(source) = &self.source else { return Ok(0) };
        let published = source.slot.published();
        if source.has_seen(published) {
            return Ok(published);
        }
        let mut unfit = source.unfit.lock();
        let Some(held) = source.slot.held() else { return Ok(published) };
        // Whoever had the lock before may have looked at it.
        if source.has_seen(held.number()) {
            return Ok(held.number());
        }
        let version = held.version(&source.entry)?;
        match source.wanted.check(&version) {
            Ok(()) => {
                *unfit = None;
                self.take(version, listener);
            }
            Err(why) => {
                let why = format!("the new value at {} is refused: {why}", source.entry);
                tracing::error!(secret = self.name, %why, "the last one is used, for a while");
                unfit.get_or_insert((source.slot.now(), why));
            }
        }
        source.seen.store(held.number(), Ordering::Release);
        Ok(held.number())
    }

    /// Takes a version into use, and tells of what was not known before: its value, or what stands behind it.
    fn take(&self, version: Arc<Version>, listener: &impl Listener) {
        let brought = self.takes_behind(&version);
        {
            let mut newer = self.newer.write();
            let last = newer.last().unwrap_or(&self.first);
            if Arc::ptr_eq(last, &version) {
                return;
            }
            let is_same = last.value.is(&version.value);
            if is_same {
                // The same value under another label or lease: text is searched for it already.
                newer.pop();
            }
            newer.push(version);
            if is_same && !brought {
                return;
            }
            // What a request still carries is searched for in its answer.
            let unused = newer.iter().take(newer.len().saturating_sub(MAX_VERSIONS)).take_while(|version| version.uses() == 0).count();
            newer.drain(..unused);
        }
        listener.newer_version();
    }

    /// Remembers the secrets that a token was had for; whether one of them is new.
    fn takes_behind(&self, version: &Version) -> bool {
        let mut behind = self.behind.write();
        let before = behind.len();
        for new in &version.behind {
            if !behind.iter().any(|known| known.value.is(&new.value)) {
                behind.push(Arc::clone(new));
            }
        }
        let is_new = behind.len() > before;
        let excess = behind.len().saturating_sub(MAX_BEHIND);
        behind.drain(..excess);
        is_new
    }

    /// Asks the backend at once: what is held is known to be worth nothing any more.
    pub(super) async fn renew(&self, run: &TaskTracker) {
        if let Some(source) = &self.source {
            source.slot.renew(run).await;
        }
    }

    fn usable(&self, source: &Sourced, stale: bool) -> Result<(InUse, bool), BackendError> {
        let unfit = source.unfit.lock();
        match &*unfit {
            None => Ok((InUse::of(self.current()), stale)),
            // What was lent is over with its lease.
            Some((since, _)) if !self.current().is_leased() && source.slot.now().saturating_sub(*since) < source.slot.from().stale => {
                Ok((InUse::of(self.current()), true))
            }
            Some((_, why)) => Err(BackendError::Refused(why.clone())),
        }
    }
}

impl Sourced {
    /// What was found in a slot, as the first that is used of it.
    pub(super) fn new(slot: Use, entry: Entry, origin: Option<Origin>, wanted: Wanted, held: &Held) -> Self {
        Self { slot, entry, origin, wanted, seen: AtomicU64::new(held.number()), unfit: Mutex::default() }
    }

    /// Whether what the slot published under that number was looked at last.
    fn has_seen(&self, number: u64) -> bool {
        self.seen.load(Ordering::Acquire) == number
    }
}
