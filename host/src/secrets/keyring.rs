//! The secrets of one run: resolved before the first guest instruction, each with the placeholder that stands for it.

use super::SecretValue;
use super::backends::{BackendError, Backends, Entry};
use super::cache::{Cache, Slots, Use};
use super::held::{Held, InUse, Version};
use crate::lock::{Mutex, RwLock};
use crate::manifest::{Manifest, SecretSpec, Shape};
use crate::policy::placeholder::mint;
use crate::policy::{Placeholders, Sealed, Source};
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio_util::task::TaskTracker;

/// Most values of answers that one run keeps: what may be used is what text is searched for.
const MAX_SEALED: usize = 64;
/// Most versions of one secret that one run remembers: text is searched for each of them.
const MAX_VERSIONS: usize = 16;
/// How long the end of a run waits for its leases to be given back.
const FAREWELL: Duration = Duration::from_secs(5);

/// The keys of one run, by the index of their secret in the manifest.
pub(crate) struct Keyring {
    keys: Vec<Option<Key>>,
    sealed: RwLock<SealedValues>,
    pub(crate) placeholders: Placeholders,
    /// Who waits for the run's leases to be given back.
    run: TaskTracker,
    /// How many newer versions have been taken over.
    changes: Arc<AtomicU64>,
}

/// The values that answers brought, the newest last.
#[derive(Default)]
struct SealedValues {
    /// How many there have been.
    count: u64,
    kept: VecDeque<SealedValue>,
}

/// A value that an answer brought.
#[derive(Clone)]
pub(crate) struct SealedValue {
    number: u64,
    pub(crate) version: Arc<Version>,
    pub(crate) placeholder: String,
}

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
}

struct Sourced {
    slot: Use,
    entry: Entry,
    format: Option<regex::Regex>,
    /// The generation of the slot that was looked at last.
    seen: AtomicU64,
    /// Since when what the backend gives can't be used, and why.
    unfit: Mutex<Option<(Duration, String)>>,
    /// The keyring's count of changes.
    changes: Arc<AtomicU64>,
}

/// A secret that could not be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The secret's name in the manifest.
    pub name: String,
    /// Why, without any value.
    pub why: BackendError,
}

/// Every required secret of a manifest that could not be had. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretsUnavailable(pub Vec<Missing>);

impl fmt::Display for SecretsUnavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, missing) in self.0.iter().enumerate() {
            let line_break = if i == 0 { "" } else { "\n" };
            write!(f, "{line_break}secret `{}` is unavailable: {}", missing.name, missing.why)?;
        }
        Ok(())
    }
}

impl std::error::Error for SecretsUnavailable {}

impl Keyring {
    /// Resolves every secret of the manifest and mints its placeholder; or lists all that are missing.
    pub(crate) async fn open(manifest: &Manifest, backends: &Backends, cache: &Cache) -> Result<Self, SecretsUnavailable> {
        let mut slots = cache.for_run();
        let candidates: Vec<_> = manifest.secrets.iter().map(|spec| candidates(manifest, spec, backends, &mut slots)).collect();
        let run = slots.run().clone();
        let changes: Arc<AtomicU64> = Arc::default();
        let asked = manifest.secrets.iter().zip(candidates).map(|(spec, candidates)| resolve(spec, candidates, cache, &run, &changes));
        let resolved = futures_util::future::join_all(asked).await;

        let keys = Vec::with_capacity(resolved.len());
        let mut keyring = Self { keys, sealed: RwLock::default(), placeholders: Placeholders::default(), run, changes };
        let mut missing = Vec::new();
        for (index, (spec, resolved)) in manifest.secrets.iter().zip(resolved).enumerate() {
            match resolved {
                Ok(key) => {
                    if let Some(key) = &key {
                        keyring.placeholders.insert(index, key.placeholder.clone());
                    }
                    keyring.keys.push(key);
                }
                Err(why) => {
                    keyring.keys.push(None);
                    missing.push(Missing { name: spec.name.clone(), why });
                }
            }
        }
        if missing.is_empty() { Ok(keyring) } else { Err(SecretsUnavailable(missing)) }
    }

    pub(crate) fn get(&self, index: usize) -> Option<&Key> {
        self.keys.get(index)?.as_ref()
    }

    /// The version of a value that is to be put somewhere, and whether it is past its time. Asks the backend where it has to.
    pub(crate) async fn version(&self, source: Source, cache: &Cache) -> Result<(InUse, bool), BackendError> {
        let gone = || BackendError::Refused("nothing is known of this value".to_owned());
        match source {
            Source::Secret(index) => self.get(index).ok_or_else(gone)?.resolve(cache, &self.run).await,
            Source::Sealed(number) => {
                let mut sealed = self.sealed.write();
                let at = sealed.kept.iter().position(|sealed| sealed.number == number).ok_or_else(gone)?;
                // What is used is forgotten last.
                let used = sealed.kept.remove(at).ok_or_else(gone)?;
                let version = Arc::clone(&used.version);
                sealed.kept.push_back(used);
                Ok((InUse::of(version), false))
            }
        }
    }

    /// Takes over newer versions that are known by now. Returns how many there have been in all.
    pub(crate) fn learn(&self, cache: &Cache) -> u64 {
        for (_, key) in self.iter() {
            // What can't be used is told to the request that needs it.
            let _ = key.learn(cache);
        }
        self.changes.load(Ordering::Acquire)
    }

    /// Waits a while for the leases to be given back that nobody uses any more.
    pub(crate) fn farewell(&self) -> impl Future<Output = ()> + use<> {
        let run = self.run.clone();
        async move {
            run.close();
            let _ = tokio::time::timeout(FAREWELL, run.wait()).await;
        }
    }

    /// Keeps a value that an answer brought, and gives the placeholder that stands for it, a new one each time; and whether the value is
    /// new. The one that was not used for longest makes room: its placeholder means nothing any more.
    pub(crate) fn seal(&self, secret: usize, value: &[u8], bound: Sealed, key: &[u8; 32]) -> Option<(String, bool)> {
        let placeholder = mint(&Shape::default()).ok()?;
        let version = Version::unbacked(SecretValue::on_heap(value.to_vec()), key);
        let mut sealed = self.sealed.write();
        for older in self.placeholders.older_than(&bound) {
            self.placeholders.forget(older);
            sealed.kept.retain(|known| known.number != older);
        }
        if sealed.kept.len() >= MAX_SEALED
            && let Some(oldest) = sealed.kept.pop_front()
        {
            self.placeholders.forget(oldest.number);
        }
        let is_new = !sealed.kept.iter().any(|known| known.version.value.is(&version.value));
        sealed.count += 1;
        let number = sealed.count;
        self.placeholders.seal(number, secret, placeholder.clone(), bound);
        sealed.kept.push_back(SealedValue { number, version, placeholder: placeholder.clone() });
        Some((placeholder, is_new))
    }

    /// The values that answers brought, each once, with the newest of its placeholders.
    pub(crate) fn sealed(&self) -> Vec<SealedValue> {
        let sealed = self.sealed.read();
        let mut each: Vec<SealedValue> = Vec::with_capacity(sealed.kept.len());
        for value in sealed.kept.iter().rev() {
            if !each.iter().any(|known| known.version.value.is(&value.version.value)) {
                each.push(value.clone());
            }
        }
        each
    }

    /// The placeholder of a value that an answer brought.
    pub(crate) fn sealed_as(&self, version: &Arc<Version>) -> Option<String> {
        let sealed = self.sealed.read();
        sealed.kept.iter().find(|sealed| Arc::ptr_eq(&sealed.version, version)).map(|sealed| sealed.placeholder.clone())
    }

    pub(crate) fn by_name(&self, name: &str) -> Option<(usize, &Key)> {
        self.iter().find(|(_, key)| key.name == name)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, &Key)> {
        self.keys.iter().enumerate().filter_map(|(index, key)| key.as_ref().map(|key| (index, key)))
    }
}

impl Key {
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

    /// The backend and the entry that it comes from.
    pub(crate) fn from(&self) -> Option<String> {
        self.place().map(|(backend, entry)| format!("{backend}:{entry}"))
    }

    /// The same, apart.
    pub(crate) fn place(&self) -> Option<(&str, &Entry)> {
        self.source.as_ref().map(|source| (source.slot.from().name.as_str(), &source.entry))
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

    async fn resolve(&self, cache: &Cache, run: &TaskTracker) -> Result<(InUse, bool), BackendError> {
        let Some(source) = &self.source else { return Ok((InUse::of(self.current()), false)) };
        loop {
            let stale = source.slot.resolve(run).await?.stale;
            let generation = self.learn(cache)?;
            let held = self.usable(source, cache, stale)?;
            // Counted first, then looked at; whoever replaces a value replaces it first, then looks at the count. So either this request
            // sees that there is another value, or the other side sees this request.
            if source.slot.generation() == generation {
                return Ok(held);
            }
        }
    }

    fn usable(&self, source: &Sourced, cache: &Cache, stale: bool) -> Result<(InUse, bool), BackendError> {
        let unfit = source.unfit.lock();
        match &*unfit {
            None => Ok((InUse::of(self.current()), stale)),
            // What was lent is over with its lease.
            Some((since, _)) if !self.current().is_leased() && cache.now().saturating_sub(*since) < source.slot.from().stale => {
                Ok((InUse::of(self.current()), true))
            }
            Some((_, why)) => Err(BackendError::Refused(why.clone())),
        }
    }

    /// Whether this version is still the one that a request would get, as far as is known without asking, and not too old.
    pub(crate) fn is_current(&self, version: &Arc<Version>) -> bool {
        let Some(source) = &self.source else { return true };
        // Nobody takes a newer one over meanwhile.
        let _unchanged = source.unfit.lock();
        let same = source.slot.generation() == source.seen.load(Ordering::Acquire) && source.slot.is_usable();
        same && Arc::ptr_eq(version, &self.current())
    }

    /// Takes over a newer version, if there is one that can be used. Returns the generation of the slot that was looked at.
    fn learn(&self, cache: &Cache) -> Result<u64, BackendError> {
        let Some(source) = &self.source else { return Ok(0) };
        let mut unfit = source.unfit.lock();
        let generation = source.slot.generation();
        if source.seen.load(Ordering::Acquire) == generation {
            return Ok(generation);
        }
        let Some(held) = source.slot.held() else { return Ok(generation) };
        let version = held.version(&source.entry, cache.common())?;
        let fit = version.value.check(source.format.as_ref());
        source.seen.store(generation, Ordering::Release);
        if let Err(why) = fit {
            let why = format!("the new value at {} is refused: {why}", source.entry);
            tracing::error!(secret = self.name, %why, "the last one is used, for a while");
            unfit.get_or_insert((cache.now(), why));
            return Ok(generation);
        }
        *unfit = None;
        let mut newer = self.newer.write();
        let last = newer.last().unwrap_or(&self.first);
        if Arc::ptr_eq(last, &version) {
            return Ok(generation);
        }
        if last.value.is(&version.value) {
            // The same value under another label or lease: text is searched for it already.
            newer.pop();
            newer.push(version);
            return Ok(generation);
        }
        newer.push(version);
        // What a request still carries is searched for in its answer.
        let unused = newer.iter().take(newer.len().saturating_sub(MAX_VERSIONS)).take_while(|version| version.uses() == 0).count();
        newer.drain(..unused);
        source.changes.fetch_add(1, Ordering::Release);
        Ok(generation)
    }
}

/// The entries that a secret may be found at, in order.
fn candidates(
    manifest: &Manifest,
    spec: &SecretSpec,
    backends: &Backends,
    slots: &mut Slots<'_>,
) -> Result<Vec<(Use, Entry)>, BackendError> {
    let namespace = spec.namespace.as_deref().unwrap_or(&manifest.name);
    let (from, entries) = backends.entries(&spec.from, &manifest.name, namespace)?;
    Ok(entries.into_iter().map(|entry| (slots.slot(from, &entry), entry)).collect())
}

async fn resolve(
    spec: &SecretSpec,
    candidates: Result<Vec<(Use, Entry)>, BackendError>,
    cache: &Cache,
    run: &TaskTracker,
    changes: &Arc<AtomicU64>,
) -> Result<Option<Key>, BackendError> {
    let found = match candidates {
        Ok(candidates) => first(candidates, cache, run).await,
        Err(error) => Err(error),
    };
    let (source, version) = match (found, &spec.default) {
        (Ok((slot, entry, generation, version)), _) => {
            let format = spec.format.clone();
            let refused = |why| BackendError::Refused(format!("the value at {} is refused: {why}", spec.from));
            version.value.check(format.as_ref()).map_err(refused)?;
            let (seen, unfit, changes) = (AtomicU64::new(generation), Mutex::default(), Arc::clone(changes));
            (Some(Sourced { slot, entry, format, seen, unfit, changes }), version)
        }
        (Err(BackendError::NotFound { .. }), Some(default)) => {
            (None, Version::unbacked(SecretValue::new(default.clone()), cache.fingerprint_key()))
        }
        (Err(BackendError::NotFound { .. }), None) if !spec.required => return Ok(None),
        (Err(error), _) => return Err(error),
    };
    let placeholder = match (&spec.default, &source) {
        (Some(default), None) => default.clone(),
        _ => mint(&spec.placeholder).map_err(|_| BackendError::Unavailable("the system's random source failed".to_owned()))?,
    };
    Ok(Some(Key { name: spec.name.clone(), placeholder, in_basic: spec.in_basic(), source, first: version, newer: RwLock::default() }))
}

/// The first of the entries that is there.
async fn first(candidates: Vec<(Use, Entry)>, cache: &Cache, run: &TaskTracker) -> Result<(Use, Entry, u64, Arc<Version>), BackendError> {
    let mut looked_for = Vec::new();
    for (slot, entry) in candidates {
        // Taken before the value: a newer one is noticed later, never missed.
        let generation = slot.generation();
        let found = slot.resolve(run).await.and_then(|resolved| {
            let held: Arc<Held> = resolved.held;
            held.version(&entry, cache.common())
        });
        match found {
            Ok(version) => return Ok((slot, entry, generation, version)),
            Err(BackendError::NotFound { looked_for: at }) => looked_for.push(at),
            Err(error) => return Err(error),
        }
    }
    Err(BackendError::NotFound { looked_for: looked_for.join(", then ") })
}
