//! The secrets of one run: resolved before the first guest instruction, each with the placeholder that stands for it.

mod kept;
mod key;

pub(crate) use kept::{KeptAs, Written, kept_as};
pub(crate) use key::Key;

use super::backends::{BackendError, Backends, Entry, Origin};
use super::cache::{Common, Slots, Use};
use super::held::{Held, InUse, Version};
use super::{Fingerprint, SecretValue};
use crate::lock::{Mutex, RwLock};
use crate::manifest::{Manifest, SecretSpec, Shape};
use crate::policy::placeholder::mint;
use crate::policy::{Placeholders, Sealed, Source};
use key::{Sourced, Wanted};
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::task::TaskTracker;

/// Most values of answers that one run keeps: what may be used is what text is searched for.
const MAX_SEALED: usize = 64;
/// How long the end of a run waits for its leases to be given back.
const FAREWELL: Duration = Duration::from_secs(5);

/// The keys of one run, by the index of their secret in the manifest.
pub(crate) struct Keyring {
    keys: Vec<Option<Key>>,
    sealed: RwLock<SealedValues>,
    pub(crate) placeholders: Placeholders,
    /// Who waits for the run's leases to be given back.
    run: TaskTracker,
    common: Arc<Common>,
    /// Where refresh tokens are kept, and whose turn it is to write one.
    kept: Vec<KeptAs>,
    keeping: tokio::sync::Mutex<()>,
    /// The placeholders of refresh tokens that are kept, each with the secret that the token is in later runs.
    placeholders_kept: Mutex<Vec<(String, String)>>,
}

/// Who has to know a newer version of a run's secrets before a request can carry it: what is sent may come back.
pub(crate) trait Listener: Sync {
    /// A secret has a newer version, which no request has had so far.
    fn newer_version(&self);
}

impl Listener for () {
    fn newer_version(&self) {}
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

/// A secret that was unavailable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The secret's name in the manifest.
    pub name: String,
    /// Why, without any value.
    pub why: BackendError,
}

/// Every required secret of a manifest that was unavailable. Never empty.
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
    pub(crate) async fn open(manifest: &Manifest, backends: &Backends, mut slots: Slots) -> Result<Self, SecretsUnavailable> {
        let candidates: Vec<_> = manifest.secrets.iter().map(|spec| candidates(manifest, spec, backends, &mut slots)).collect();
        let (run, common) = (slots.run().clone(), Arc::clone(slots.common()));
        let asked = manifest.secrets.iter().zip(candidates).map(|(spec, candidates)| resolve(spec, candidates, &common, &run));
        let resolved = futures_util::future::join_all(asked).await;

        let (kept, mut missing) = match kept_as(manifest, backends) {
            Ok(kept) => (kept, Vec::new()),
            Err(missing) => (Vec::new(), missing),
        };
        let mut keyring = Self {
            keys: Vec::with_capacity(resolved.len()),
            sealed: RwLock::default(),
            placeholders: Placeholders::default(),
            run,
            common,
            kept,
            keeping: tokio::sync::Mutex::default(),
            placeholders_kept: Mutex::default(),
        };
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
    pub(crate) async fn version(&self, source: Source, listener: &impl Listener) -> Result<(InUse, bool), BackendError> {
        let gone = || BackendError::Refused("nothing is known of this value".to_owned());
        match source {
            Source::Secret(index) => self.get(index).ok_or_else(gone)?.resolve(&self.run, listener).await,
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

    /// Takes over newer versions that are known by now.
    pub(crate) fn learn(&self, listener: &impl Listener) {
        for (_, key) in self.iter() {
            // What can't be used is told to the request that needs it.
            let _ = key.learn(listener);
        }
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
    pub(crate) fn seal(&self, secret: usize, value: &[u8], bound: Sealed) -> Option<(String, bool)> {
        let placeholder = mint(&Shape::default()).ok()?;
        let version = Version::unbacked(SecretValue::on_heap(value.to_vec()), &self.common.fingerprint_key);
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

    /// The fingerprint of a value that no backend gave.
    pub(crate) fn fingerprint(&self, value: &SecretValue) -> Fingerprint {
        value.fingerprint(&self.common.fingerprint_key)
    }

    /// The placeholder of a value that an answer brought.
    pub(crate) fn sealed_as(&self, version: &Arc<Version>) -> Option<String> {
        let sealed = self.sealed.read();
        sealed.kept.iter().find(|sealed| Arc::ptr_eq(&sealed.version, version)).map(|sealed| sealed.placeholder.clone())
    }

    /// The placeholder of the secret of the manifest that has, or had, this value.
    pub(crate) fn placeholder_of(&self, value: &[u8]) -> Option<String> {
        let has = |key: &Key| key.first().value.equals(value) || key.newer().iter().any(|version| version.value.equals(value));
        self.iter().find(|(_, key)| !key.is_default() && has(key)).map(|(_, key)| key.placeholder.clone())
    }

    pub(crate) fn by_name(&self, name: &str) -> Option<(usize, &Key)> {
        self.iter().find(|(_, key)| key.name == name)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, &Key)> {
        self.keys.iter().enumerate().filter_map(|(index, key)| key.as_ref().map(|key| (index, key)))
    }
}

/// Something that a secret may be had from.
struct Candidate {
    slot: Use,
    entry: Entry,
    /// Where the secret itself is kept, where what is had is a token for it.
    origin: Option<Origin>,
}

/// What a secret may be had from, in order.
fn candidates(manifest: &Manifest, spec: &SecretSpec, backends: &Backends, slots: &mut Slots) -> Result<Vec<Candidate>, BackendError> {
    let oauth2 = spec.scheme.as_ref().and_then(|scheme| scheme.oauth2());
    let mut candidates = Vec::new();
    for origin in backends.origins(manifest, spec)? {
        candidates.push(match oauth2 {
            None => Candidate { slot: slots.slot(&origin.from, &origin.entry), entry: origin.entry, origin: None },
            Some(oauth2) => {
                let (from, entry) = backends.tokens(manifest, spec, oauth2, origin.clone())?;
                Candidate { slot: slots.slot(&from, &entry), entry, origin: Some(origin) }
            }
        });
    }
    Ok(candidates)
}

async fn resolve(
    spec: &SecretSpec,
    candidates: Result<Vec<Candidate>, BackendError>,
    common: &Common,
    run: &TaskTracker,
) -> Result<Option<Key>, BackendError> {
    let found = match candidates {
        Ok(candidates) => first(candidates, run).await,
        Err(error) => Err(error),
    };
    let (source, version) = match (found, &spec.default) {
        (Ok((Candidate { slot, entry, origin }, held, version)), _) => {
            let wanted = Wanted::of(spec);
            let refused = |why| BackendError::Refused(format!("the value at {} is refused: {why}", spec.from));
            wanted.check(&version).map_err(refused)?;
            (Some(Sourced::new(slot, entry, origin, wanted, &held)), version)
        }
        (Err(BackendError::NotFound { .. }), Some(default)) => {
            (None, Version::unbacked(SecretValue::new(default.clone()), &common.fingerprint_key))
        }
        (Err(BackendError::NotFound { .. }), None) if !spec.required => return Ok(None),
        (Err(error), _) => return Err(error),
    };
    let placeholder = match (&spec.default, &source) {
        (Some(default), None) => default.clone(),
        _ => mint(&spec.placeholder).map_err(|_| BackendError::Unavailable("the system's random source failed".to_owned()))?,
    };
    Ok(Some(Key::new(spec, placeholder, source, version)))
}

/// The first of the entries that is there.
async fn first(candidates: Vec<Candidate>, run: &TaskTracker) -> Result<(Candidate, Arc<Held>, Arc<Version>), BackendError> {
    let mut looked_for = Vec::new();
    for candidate in candidates {
        let entry = &candidate.entry;
        let found = candidate.slot.resolve(run).await.map_err(|error| error.of_field(entry.field.as_deref())).and_then(|resolved| {
            let version = resolved.held.version(entry)?;
            Ok((resolved.held, version))
        });
        match found {
            Ok((held, version)) => return Ok((candidate, held, version)),
            Err(BackendError::NotFound { looked_for: at }) => looked_for.push(at),
            Err(error) => return Err(error),
        }
    }
    Err(BackendError::NotFound { looked_for: looked_for.join(", then ") })
}
