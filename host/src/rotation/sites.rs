//! The sites of a key: the places where it is kept. They are read and written past the cache: what is decided here is decided by what the
//! store itself says.

use super::Rotation;
use super::document::Document;
use super::halt::Halt;
use super::hold::Hold;
use super::issuer::IssuedKey;
use super::plaintext;
use crate::manifest::Which;
use crate::secrets::backends::Configured;
use crate::secrets::{Deposit, Entry, Freshness, SecretStore, SecretValue, StoreError};
use std::time::Duration;
use zeroize::Zeroizing;

/// How often a site is written where others write beside it, or its store does not answer, and how long is waited between.
const WRITES: u32 = 6;
const PAUSE: Duration = Duration::from_millis(15);
/// Most versions of a site that are looked through for a key that is to go.
const MAX_VERSIONS: u64 = 64;
/// Versions in a row that are not there, after which none is looked for any more.
const MAX_GONE: u32 = 4;

/// A place where the key is kept.
#[derive(Clone)]
pub(crate) struct Site {
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

impl Site {
    /// Whether both are one place.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.from.name == other.from.name && self.entry == other.entry
    }

    /// As it is named in a configuration, for people.
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
            found.version.clone().ok_or_else(|| StoreError::Refused(format!("{}: its backend keeps no versions", self.shown())))?;
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

/// The key in use, which has to be the same wherever it is kept.
pub(super) async fn in_use(rotation: &Rotation, document: &Document) -> Result<IssuedKey, Halt> {
    let mut found: Option<Zeroizing<String>> = None;
    for site in &rotation.sites {
        let value = site.read().await?.value;
        if found.as_ref().is_some_and(|found| *found != value) {
            let why = format!("{} holds a different key from {}", site.shown(), rotation.sites[0].shown());
            return Err(Halt::Stuck(format!("{why}; set both to the one that is to be used, with `strongroom secrets set`")));
        }
        found = Some(value);
    }
    let value = found.ok_or_else(|| Halt::Stuck("the rotation names no secret".to_owned()))?;
    // What is known of a key is known of that one alone: somebody may have set another by hand.
    let print = rotation.print(&value);
    let known = document.current.as_ref().filter(|current| current.print == print);
    // The operator may tell the name of one that is not known: none that was given to another key before.
    let told = || {
        let of_another =
            |id: &String| document.made.contains(id) || document.current.as_ref().is_some_and(|known| known.id.as_ref() == Some(id));
        rotation.config.id.clone().filter(|id| !of_another(id))
    };
    let id = known.and_then(|current| current.id.clone()).or_else(told);
    Ok(IssuedKey::new(value.as_str()).with_id(id).with_end(known.and_then(|current| current.expires_at)))
}

/// Whether a site holds a key; one that is not there any more does not.
pub(super) async fn holds(site: &Site, key: &IssuedKey) -> Result<bool, Halt> {
    match site.read().await {
        Ok(kept) => Ok(*kept.value == key.reveal()),
        Err(StoreError::NotFound(_)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Puts a key in the place of another.
///
/// A host that was stopped in here and wakes up when another has taken the rotation over must not write any more. So what is there is read
/// first, then the rotation is shown to be this host's by a write of its journal, and then there is one write on condition of what was read:
/// whoever takes over after that rewrites the site (see `rollback::roll_back`) before it relies on anything.
pub(super) async fn replace(hold: &mut Hold, site: &Site, old: &IssuedKey, new: &IssuedKey) -> Result<Placed, Halt> {
    let mut failed = None;
    for attempt in 0..WRITES {
        if attempt > 0 {
            tokio::time::sleep(PAUSE * 2u32.pow(attempt)).await;
        }
        let kept = match site.read().await {
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
        match site.put(new, &kept).await {
            Ok(()) => return Ok(Placed::Now),
            Err(error) => failed = Some(error),
        }
    }
    Err(failed.map_or_else(|| Halt::Stuck("a place is never written".to_owned()), Halt::from))
}
