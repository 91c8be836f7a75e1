//! What backends gave, for as long as it may be used: asked for once however many wait, asked for again before its time is over, used a
//! while longer where the backend does not answer, and given back where it was lent.

mod freshness;
mod keep;
mod lease;
mod slot;

pub(super) use lease::Lent;
pub(super) use slot::Use;

use super::Fingerprint;
use super::backends::{BackendError, Configured, Entry, Freshness, PATIENCE};
use super::held::{Register, Uses};
use crate::clock::Clock;
use crate::lock::Mutex;
use crate::manifest::Which;
use slot::Slot;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio_util::task::TaskTracker;
use zeroize::Zeroizing;

/// What backends gave, by entry.
pub(crate) struct Cache {
    shared: Arc<Shared>,
    common: Arc<Common>,
}

/// The slots of one run: its leases are its own, and all else is shared where the backend says how long it may be used.
pub(crate) struct Slots {
    shared: Arc<Shared>,
    own: HashMap<Place, Arc<Slot>>,
    run: TaskTracker,
    common: Arc<Common>,
}

/// The name of a backend, and a whole entry of it.
type Place = (String, Entry);
/// The slots that all runs share.
type Shared = Mutex<HashMap<Place, Arc<Slot>>>;

/// What all slots, and all that was in them, share.
pub(super) struct Common {
    pub(super) clock: Clock,
    pub(super) fingerprint_key: Zeroizing<[u8; 32]>,
    pub(super) uses: Register,
    counts: Counts,
    /// Leases that are being given back.
    returning: TaskTracker,
}

macro_rules! counts {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        #[derive(Default)]
        struct Counts { $($name: AtomicU64),* }

        /// How often things have happened to the secrets of a host since it was built.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
        #[non_exhaustive]
        pub struct SecretCounts { $($(#[$doc])* pub $name: u64),* }

        impl Counts {
            fn now(&self) -> SecretCounts {
                SecretCounts { $($name: self.$name.load(Ordering::Relaxed)),* }
            }
        }
    };
}

counts! {
    /// Backends were asked for an entry.
    asked,
    /// A backend did not give one.
    failed,
    /// A value past its time was used, since its backend did not answer.
    stale_used,
    /// An entry was asked for before its time, since a destination had rejected its value.
    suspected,
    /// A value was replaced by a newer one.
    replaced,
    /// Leases were made.
    leased,
    /// Leases were renewed.
    renewed,
    /// Leases were given back.
    returned,
}

impl Cache {
    pub(crate) fn new(clock: Clock, fingerprint_key: Zeroizing<[u8; 32]>) -> Self {
        let common = Common { clock, fingerprint_key, uses: Register::default(), counts: Counts::default(), returning: TaskTracker::new() };
        Self { shared: Arc::default(), common: Arc::new(common) }
    }

    pub(crate) fn fingerprint_key(&self) -> &Zeroizing<[u8; 32]> {
        &self.common.fingerprint_key
    }

    /// The requests that hold the value of that fingerprint.
    pub(crate) fn uses(&self, fingerprint: Fingerprint) -> Arc<Uses> {
        self.common.uses.of(fingerprint)
    }

    /// Asks for what is in use at a path again, now, wherever it is held: what the host itself has replaced is not to be used for the rest of
    /// its time. Whether the value of that fingerprint, at this field, is not what is held any more.
    pub(crate) async fn renew(&self, from: &Configured, entry: &Entry, old: Fingerprint) -> bool {
        let mut renewed = true;
        for slot in self.asked_again(from, &entry.path).await {
            renewed &= slot.held().is_none_or(|held| held.version(entry).map_or(true, |version| version.fingerprint != old));
        }
        renewed
    }

    /// The same for what somebody else has replaced at a path, or taken out of use.
    #[cfg(feature = "ops")]
    pub(crate) async fn ask_again(&self, from: &Configured, path: &str) {
        self.asked_again(from, path).await;
    }

    /// Those that hold what is in use at a path, once they have asked for it again.
    async fn asked_again(&self, from: &Configured, path: &str) -> Vec<Arc<Slot>> {
        let slots: Vec<Arc<Slot>> = {
            let shared = self.shared.lock();
            // What names another version, or a label, keeps what it names.
            let is_at = |(name, at): &Place| *name == from.name && at.path == path && at.which == Which::Current;
            shared.iter().filter(|(at, _)| is_at(at)).map(|(_, slot)| Arc::clone(slot)).collect()
        };
        for slot in &slots {
            let turn = slot.turn().await;
            Arc::clone(slot).ask(turn, TaskTracker::new(), true).await;
        }
        slots
    }

    pub(crate) fn counts(&self) -> SecretCounts {
        self.common.counts.now()
    }

    /// The slots of one run.
    pub(crate) fn for_run(&self) -> Slots {
        Slots { shared: Arc::clone(&self.shared), own: HashMap::new(), run: TaskTracker::new(), common: Arc::clone(&self.common) }
    }

    /// Waits until all leases are given back, but no longer than `patience`.
    pub(crate) async fn close(&self, patience: Duration) {
        self.shared.lock().clear();
        self.common.returning.close();
        let _ = tokio::time::timeout(patience, self.common.returning.wait()).await;
    }
}

impl Slots {
    pub(super) fn slot(&mut self, from: &Configured, entry: &Entry) -> Use {
        let whole = Entry { field: None, ..entry.clone() };
        let new = |whole: &Entry| Slot::new(from, whole, &self.common);
        let place = (from.name.clone(), whole.clone());
        if from.lends(&whole) || matches!(from.backend.freshness(), Freshness::EachRun) {
            return Use::of(self.own.entry(place).or_insert_with(|| new(&whole)));
        }
        let mut shared = self.shared.lock();
        if let Some(slot) = shared.get(&place) {
            return Use::of(slot);
        }
        // A good time to forget what nobody has used for its whole life.
        shared.retain(|_, slot| slot.is_used() || slot.held().is_some());
        Use::of(shared.entry(place).or_insert_with(|| new(&whole)))
    }

    /// What waits until the run's leases are given back.
    pub(super) fn run(&self) -> &TaskTracker {
        &self.run
    }

    pub(super) fn common(&self) -> &Arc<Common> {
        &self.common
    }
}

impl Configured {
    /// Whether what is at an entry is lent, and for one run only.
    fn lends(&self, whole: &Entry) -> bool {
        self.backend.leases().is_some_and(|leases| leases.is_leased(whole))
    }

    fn silent(&self) -> BackendError {
        BackendError::Unavailable(format!("the backend `{}` did not answer within {} s", self.name, self.backend.patience().as_secs()))
    }
}
