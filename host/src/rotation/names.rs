//! The places that one key is kept at. They are read and written past the cache: what is decided here is decided by the store's own word.

use super::hold::Hold;
use super::issuer::IssuedKey;
use super::plaintext;
use super::steps::Halt;
use crate::manifest::Which;
use crate::secrets::backends::Configured;
use crate::secrets::{Deposit, Entry, Freshness, SecretStore, SecretValue, StoreError};
use std::time::Duration;
use zeroize::Zeroizing;

/// How often a place is written where others write beside it, or its store does not answer, and how long is waited between.
const WRITES: u32 = 6;
const PAUSE: Duration = Duration::from_millis(15);
/// Most versions of a place that are looked through for a key that is to go.
const MAX_VERSIONS: u64 = 64;
/// Versions in a row that are not there, after which none is looked for any more.
const MAX_GONE: u32 = 4;

/// One place.
#[derive(Clone)]
pub(crate) struct Name {
    pub(super) from: Configured,
    pub(super) entry: Entry,
}

/// What is there.
pub(super) struct Kept {
    pub(super) value: Zeroizing<String>,
    version: String,
}

/// What came of putting a key in the place of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Placed {
    /// It was written.
    Now,
    /// It was there already.
    Before,
    /// Neither was there: somebody else has written.
    Foreign,
}

impl Name {
    pub(super) fn shown(&self) -> String {
        crate::text::for_people(&format!("{}:{}", self.from.name, self.entry))
    }

    /// How long a host may use what it has read here last.
    pub(super) fn staleness(&self) -> Duration {
        match self.from.backend.freshness() {
            Freshness::For(fresh) => fresh.max(self.from.stale),
            Freshness::EachRun => Duration::MAX,
        }
    }

    fn store(&self) -> &dyn SecretStore {
        self.from.backend.store().expect("a rotation is made over stores")
    }

    /// What is there now.
    pub(super) async fn read(&self) -> Result<Kept, StoreError> {
        let found = self.store().get(&Entry { field: None, ..self.entry.clone() }).await?;
        let version =
            found.version.clone().ok_or_else(|| StoreError::Refused(format!("{}: its backend tells no versions", self.shown())))?;
        Ok(Kept { value: self.text(found.value)?, version })
    }

    fn text(&self, whole: SecretValue) -> Result<Zeroizing<String>, StoreError> {
        let missing = || StoreError::NotFound(format!("there is no text at {}", self.shown()));
        plaintext::of(whole, self.entry.field.as_deref()).ok_or_else(missing)
    }

    /// Puts a key there, if what was read is the newest version still.
    pub(super) async fn put(&self, key: &IssuedKey, over: &Kept) -> Result<(), StoreError> {
        self.store().put(&self.entry, Deposit::new(key.reveal()), Some(&over.version)).await.map(|_| ())
    }

    /// Removes the versions that hold a key, beginning with the one before that in use, until one that does not.
    pub(super) async fn forget(&self, key: &IssuedKey) -> Result<(), StoreError> {
        let current = self.read().await?;
        let mut gone = 0;
        for version in self.before(&current.version).await? {
            let entry = Entry { which: Which::Version(version.clone()), field: None, path: self.entry.path.clone() };
            let Ok(found) = self.store().get(&entry).await else {
                // Removed before; and so is what came before it.
                gone += 1;
                if gone == MAX_GONE {
                    break;
                }
                continue;
            };
            gone = 0;
            match self.text(found.value) {
                Ok(text) if *text == key.reveal() => {}
                // Another field of the document was written since.
                Ok(text) if text == current.value => continue,
                _ => break,
            }
            match self.store().destroy(&self.entry.path, &version).await {
                Ok(()) | Err(StoreError::NotFound(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The versions before that in use, the newest first.
    async fn before(&self, current: &str) -> Result<Vec<String>, StoreError> {
        if let Ok(number) = current.parse::<u64>() {
            return Ok((number.saturating_sub(MAX_VERSIONS).max(1)..number).rev().map(|number| number.to_string()).collect());
        }
        let stored = self.store().versions(&self.entry.path).await?;
        let before = stored.into_iter().rev().filter(|version| !version.current && !version.deleted);
        Ok(before.map(|version| version.name).collect())
    }
}

/// Whether a place holds a key; one that is not there any more does not.
pub(super) async fn holds(name: &Name, key: &IssuedKey) -> Result<bool, Halt> {
    match name.read().await {
        Ok(kept) => Ok(*kept.value == key.reveal()),
        Err(StoreError::NotFound(_)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Puts a key in the place of another.
///
/// A host that was stopped in here and wakes up when another has taken the rotation over must not write any more. So what is there is read
/// first, then the rotation is shown to be this host's by a write of its journal, and then there is one write on condition of what was read:
/// whoever takes over after that rewrites the place (see `steps::roll_back`) before it relies on anything.
pub(super) async fn replace(hold: &mut Hold, name: &Name, old: &IssuedKey, new: &IssuedKey) -> Result<Placed, Halt> {
    let mut failed = None;
    for attempt in 0..WRITES {
        if attempt > 0 {
            tokio::time::sleep(PAUSE * 2u32.pow(attempt)).await;
        }
        let kept = match name.read().await {
            Ok(kept) => kept,
            Err(StoreError::NotFound(_)) => return Ok(Placed::Foreign),
            Err(error) => {
                failed = Some(error);
                continue;
            }
        };
        if !old.is(new) && *kept.value == new.reveal() {
            return Ok(if failed.is_some() { Placed::Now } else { Placed::Before });
        }
        if *kept.value != old.reveal() {
            return Ok(Placed::Foreign);
        }
        hold.write(|_| ()).await?;
        match name.put(new, &kept).await {
            Ok(()) => return Ok(Placed::Now),
            Err(error) => failed = Some(error),
        }
    }
    Err(failed.map_or_else(|| Halt::Stuck("a place is never written".to_owned()), Halt::from))
}
