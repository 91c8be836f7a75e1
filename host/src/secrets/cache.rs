//! What backends gave, for as long as it may be used: asked for once however many wait, asked for again before it ends, used a while
//! longer where the backend does not answer, and given back where it was lent.

use super::Fingerprint;
use super::backends::{BackendError, Configured, Entry, Found, Freshness};
use super::held::{Held, Register, Uses};
use crate::backoff::{Backoff, most_of};
use crate::clock::Clock;
use crate::lock::{Mutex, RwLock};
use crate::manifest::Which;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;
use zeroize::Zeroizing;

/// How long a backend may take to answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);
/// How long the answer that something is not there, or is closed, stands.
const NEGATIVE: Duration = Duration::from_secs(5);
/// How long a backend that has failed is left alone; twice as long after each further failure, up to the second.
const RETRY: Backoff = Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(30) };
/// Least time between two looks at what a backend gave.
const LEAST_WAIT: Duration = Duration::from_millis(50);
/// Least time between two askings that the answers of destinations give rise to.
const SUSPICION: Duration = Duration::from_secs(60);

/// What backends gave, by entry.
pub(crate) struct Cache {
    shared: Mutex<HashMap<(String, Entry), Arc<Slot>>>,
    common: Arc<Common>,
}

/// What all slots share.
pub(super) struct Common {
    pub(super) clock: Clock,
    pub(super) fingerprint_key: Zeroizing<[u8; 32]>,
    pub(super) uses: Register,
    pub(super) counts: Counts,
    /// Leases that are being given back.
    pub(super) returning: TaskTracker,
}

macro_rules! counts {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        #[derive(Default)]
        pub(super) struct Counts { $(pub(super) $name: AtomicU64),* }

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

/// One entry of one backend.
pub(crate) struct Slot {
    from: Configured,
    entry: Entry,
    common: Arc<Common>,
    state: RwLock<State>,
    /// Taken by whoever asks the backend.
    turn: Arc<tokio::sync::Mutex<()>>,
    /// Askings that have come to an end.
    asked: AtomicU64,
    /// Different values so far: a holder of one sees by this that there is another.
    pub(super) generation: AtomicU64,
    users: AtomicUsize,
    /// Told when somebody begins to use the entry.
    woken: Arc<Notify>,
    keeper: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct State {
    held: Option<Arc<Held>>,
    /// When what is held was last confirmed by the backend.
    confirmed: Duration,
    failure: Option<Failure>,
    /// A destination has rejected the value: the backend is asked before it is used again.
    suspect: bool,
    last_suspected: Option<Duration>,
}

struct Failure {
    at: Duration,
    in_a_row: u32,
    error: BackendError,
}

/// Somebody's use of a slot. What nobody uses is not asked for again.
pub(crate) struct Use(Arc<Slot>);

/// A value, and whether it is past its time.
pub(crate) struct Resolved {
    pub(crate) held: Arc<Held>,
    pub(crate) stale: bool,
}

impl Cache {
    pub(crate) fn new(clock: Clock, fingerprint_key: Zeroizing<[u8; 32]>) -> Self {
        let common = Common { clock, fingerprint_key, uses: Register::default(), counts: Counts::default(), returning: TaskTracker::new() };
        Self { shared: Mutex::default(), common: Arc::new(common) }
    }

    pub(crate) fn fingerprint_key(&self) -> &Zeroizing<[u8; 32]> {
        &self.common.fingerprint_key
    }

    pub(super) fn common(&self) -> &Common {
        &self.common
    }

    /// The requests that hold the value of that fingerprint.
    pub(crate) fn uses(&self, fingerprint: Fingerprint) -> Arc<Uses> {
        self.common.uses.of(fingerprint)
    }

    /// Asks for what is in use at a path again, now, wherever it is held: what the host itself has replaced is not to be used for the rest of
    /// its time. Whether the value of that fingerprint, at this field, is not what is held any more.
    pub(crate) async fn renew(&self, from: &Configured, entry: &Entry, old: Fingerprint) -> bool {
        let slots: Vec<Arc<Slot>> = {
            let shared = self.shared.lock();
            // What names another version, or a label, keeps what it names.
            let is_at = |(name, at): &(String, Entry)| *name == from.name && at.path == entry.path && at.which == Which::Current;
            shared.iter().filter(|(at, _)| is_at(at)).map(|(_, slot)| Arc::clone(slot)).collect()
        };
        let mut renewed = true;
        for slot in slots {
            let turn = Arc::clone(&slot.turn).lock_owned().await;
            Arc::clone(&slot).ask(turn, TaskTracker::new(), true).await;
            let held = slot.read().held.clone();
            renewed &= held.is_none_or(|held| held.version(entry, &self.common).map_or(true, |version| version.fingerprint != old));
        }
        renewed
    }

    pub(crate) fn counts(&self) -> SecretCounts {
        self.common.counts.now()
    }

    pub(crate) fn now(&self) -> Duration {
        self.common.clock.now()
    }

    /// The slots of one run: its leases are its own, and all else is shared where the backend says how long it may be used.
    pub(crate) fn for_run(&self) -> Slots<'_> {
        Slots { cache: self, own: HashMap::new(), run: TaskTracker::new() }
    }

    /// Waits until all leases are given back, but no longer than `patience`.
    pub(crate) async fn close(&self, patience: Duration) {
        self.shared.lock().clear();
        self.common.returning.close();
        let _ = tokio::time::timeout(patience, self.common.returning.wait()).await;
    }

    fn shared(&self, from: &Configured, whole: &Entry) -> Use {
        let mut shared = self.shared.lock();
        let key = (from.name.clone(), whole.clone());
        if let Some(slot) = shared.get(&key) {
            return Use::new(Arc::clone(slot));
        }
        // A good time to forget what nobody has used for its whole life.
        shared.retain(|_, slot| slot.users.load(Ordering::Relaxed) > 0 || slot.read().held.is_some());
        let slot = Slot::new(from, whole, &self.common);
        shared.insert(key, Arc::clone(&slot));
        Use::new(slot)
    }
}

/// The slots of one run.
pub(crate) struct Slots<'c> {
    cache: &'c Cache,
    own: HashMap<(String, Entry), Arc<Slot>>,
    run: TaskTracker,
}

impl Slots<'_> {
    pub(crate) fn slot(&mut self, from: &Configured, entry: &Entry) -> Use {
        let whole = Entry { field: None, ..entry.clone() };
        let leased = from.backend.leases().is_some_and(|leases| leases.is_leased(&whole));
        if !leased && matches!(from.backend.freshness(), Freshness::For(_)) {
            return self.cache.shared(from, &whole);
        }
        let own = self.own.entry((from.name.clone(), whole.clone()));
        Use::new(Arc::clone(own.or_insert_with(|| Slot::new(from, &whole, &self.cache.common))))
    }

    /// What waits until the run's leases are given back.
    pub(crate) fn run(&self) -> &TaskTracker {
        &self.run
    }
}

impl Use {
    fn new(slot: Arc<Slot>) -> Self {
        if slot.users.fetch_add(1, Ordering::AcqRel) == 0 {
            slot.woken.notify_one();
        }
        Self(slot)
    }

    /// The entry as it is in the backend now, or was a short while ago. `run` is who waits for a lease to be given back.
    pub(crate) async fn resolve(&self, run: &TaskTracker) -> Result<Resolved, BackendError> {
        let slot = &self.0;
        let asked = slot.asked.load(Ordering::Acquire);
        if let Some(known) = slot.known(false) {
            return known;
        }
        let turn = Arc::clone(&slot.turn).lock_owned().await;
        // Whoever had the turn before may have asked for all that waited.
        if slot.asked.load(Ordering::Acquire) == asked {
            let (slot, run) = (Arc::clone(slot), run.clone());
            if slot.is_at_hand() {
                slot.ask(turn, run, false).await;
            } else {
                // On a task of its own: what was begun is finished, though the one who asked may give up.
                let asking = tokio::spawn(async move { slot.ask(turn, run, false).await });
                if asking.await.is_err() {
                    return Err(BackendError::Unavailable("the backend failed; this is a defect, please report it".to_owned()));
                }
            }
        }
        let nothing = || Err(BackendError::Unavailable(format!("nothing is known of {}", slot.entry)));
        slot.known(true).unwrap_or_else(nothing)
    }

    pub(crate) fn generation(&self) -> u64 {
        self.0.generation.load(Ordering::SeqCst)
    }

    /// Whether what is held may still be used, though its backend were not to answer.
    pub(crate) fn is_usable(&self) -> bool {
        let state = self.0.read();
        let age = self.0.common.clock.now().saturating_sub(state.confirmed);
        self.0.terms(&state).is_none_or(|(_, usable_for)| age < usable_for)
    }

    /// What is held now, fresh or not.
    pub(crate) fn held(&self) -> Option<Arc<Held>> {
        self.0.read().held.clone()
    }

    /// A destination has rejected the value: the backend is asked before its next use, at most once a minute.
    pub(crate) fn suspect(&self) {
        let slot = &self.0;
        let now = slot.common.clock.now();
        let mut state = slot.write();
        if state.last_suspected.is_none_or(|last| now.saturating_sub(last) >= SUSPICION) {
            state.last_suspected = Some(now);
            state.suspect = true;
            slot.common.counts.suspected.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn from(&self) -> &Configured {
        &self.0.from
    }
}

impl Drop for Use {
    fn drop(&mut self) {
        self.0.users.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Slot {
    fn new(from: &Configured, entry: &Entry, common: &Arc<Common>) -> Arc<Self> {
        Arc::new(Self {
            from: from.clone(),
            entry: entry.clone(),
            common: Arc::clone(common),
            state: RwLock::default(),
            turn: Arc::default(),
            asked: AtomicU64::new(0),
            generation: AtomicU64::new(0),
            users: AtomicUsize::new(0),
            woken: Arc::default(),
            keeper: Mutex::default(),
        })
    }

    fn read(&self) -> crate::lock::RwLockReadGuard<'_, State> {
        self.state.read()
    }

    fn write(&self) -> crate::lock::RwLockWriteGuard<'_, State> {
        self.state.write()
    }

    /// Whether the backend is asked at each run and lends nothing: then an asking that is given up costs nobody anything.
    fn is_at_hand(&self) -> bool {
        let lends = self.from.backend.leases().is_some_and(|leases| leases.is_leased(&self.entry));
        !lends && self.from.backend.freshness() == Freshness::EachRun
    }

    /// How long what is held may be used after it was confirmed: without asking, and at most. `None`: as long as it is held.
    fn terms(&self, state: &State) -> Option<(Duration, Duration)> {
        if let Some(lent) = state.held.as_ref().and_then(|held| held.lease()) {
            let ttl = lent.ttl();
            return Some((ttl, ttl));
        }
        match self.from.backend.freshness() {
            Freshness::EachRun => None,
            Freshness::For(ttl) => Some((ttl, ttl.max(self.from.stale))),
        }
    }

    /// What can be said without asking the backend; after an asking, also what it leaves.
    fn known(&self, after_asking: bool) -> Option<Result<Resolved, BackendError>> {
        let now = self.common.clock.now();
        let state = self.read();
        let age = now.saturating_sub(state.confirmed);
        let (fresh_for, usable_for) = self.terms(&state).unwrap_or((Duration::MAX, Duration::MAX));
        let just_failed = |failure: &&Failure| after_asking || now.saturating_sub(failure.at) < failure.stands();
        match (&state.held, &state.failure) {
            // What was just asked for is the answer, though asking took longer than it may be used for.
            (Some(held), None) if after_asking => Some(Ok(Resolved { held: Arc::clone(held), stale: false })),
            (Some(held), _) if age < fresh_for && (!state.suspect || after_asking) => {
                Some(Ok(Resolved { held: Arc::clone(held), stale: false }))
            }
            // Whoever looks after the entry asks again: nobody has to wait for a backend that does not answer.
            (Some(held), Some(failure)) if age < usable_for && (!state.suspect || just_failed(&failure)) => {
                self.common.counts.stale_used.fetch_add(1, Ordering::Relaxed);
                Some(Ok(Resolved { held: Arc::clone(held), stale: true }))
            }
            (held, failure) => failure.as_ref().filter(just_failed).map(|failure| match held {
                None => Err(failure.error.clone()),
                Some(_) => {
                    let limit = usable_for.as_secs();
                    let why = format!("{}; the last value is older than {limit} s, the limit for using it", failure.error);
                    Err(BackendError::Unavailable(why))
                }
            }),
        }
    }

    /// Asks the backend and keeps what it says; `anew` where a lease is not to be prolonged.
    async fn ask(self: Arc<Self>, turn: tokio::sync::OwnedMutexGuard<()>, run: TaskTracker, anew: bool) {
        let now = self.common.clock.now();
        // A lease whose credential was rejected is not prolonged: it may be alive here and dead there.
        let anew = anew || self.read().suspect;
        if anew || !self.renew().await {
            self.common.counts.asked.fetch_add(1, Ordering::Relaxed);
            let asked = tokio::time::timeout(PATIENCE, self.from.backend.get(&self.entry)).await;
            let answer = asked.unwrap_or_else(|_| Err(self.silent()));
            self.keep_answer(answer, now, &run);
        }
        self.asked.fetch_add(1, Ordering::Release);
        drop(turn);
        self.look_after(run);
    }

    fn silent(&self) -> BackendError {
        BackendError::Unavailable(format!("the backend `{}` gave no answer within {} s", self.from.name, PATIENCE.as_secs()))
    }

    /// Prolongs the lease of what is held. False where there is none, or it is over: then the entry has to be asked for.
    async fn renew(&self) -> bool {
        let Some(lent) = self.read().held.as_ref().and_then(|held| held.lease().cloned()) else { return false };
        let Some(leases) = self.from.backend.leases() else { return false };
        let before = lent.now();
        if !before.renewable {
            return false;
        }
        let now = self.common.clock.now();
        match tokio::time::timeout(PATIENCE, leases.renew(&before)).await {
            Ok(Ok(renewed)) if lent.renewed(renewed.clone()) => {
                self.common.counts.renewed.fetch_add(1, Ordering::Relaxed);
                let mut state = self.write();
                (state.confirmed, state.failure, state.suspect) = (now, None, false);
                true
            }
            Ok(Err(BackendError::Unavailable(why))) => {
                self.fail(BackendError::Unavailable(why));
                true
            }
            Err(_) => {
                self.fail(self.silent());
                true
            }
            Ok(_) => false,
        }
    }

    /// Keeps what the backend said to a question of that time.
    fn keep_answer(&self, answer: Result<Found, BackendError>, now: Duration, run: &TaskTracker) {
        let found = match answer {
            Ok(found) => found,
            Err(error) => return self.fail(error),
        };
        let held = Held::of(found, &self.from, &self.common, run);
        let mut state = self.write();
        (state.confirmed, state.failure, state.suspect) = (now, None, false);
        if state.held.as_ref().is_some_and(|known| known.is_as(&held)) {
            return;
        }
        if state.held.replace(Arc::new(held)).is_some() {
            self.common.counts.replaced.fetch_add(1, Ordering::Relaxed);
        }
        self.generation.fetch_add(1, Ordering::SeqCst);
    }

    fn fail(&self, error: BackendError) {
        self.common.counts.failed.fetch_add(1, Ordering::Relaxed);
        let at = self.common.clock.now();
        let mut state = self.write();
        // A value that was never had is told of by whoever asked for it.
        if state.held.is_some() {
            let entry = crate::text::for_people(&self.entry.to_string());
            tracing::warn!(backend = self.from.name, %entry, %error, "a secret could not be had again");
        }
        match &error {
            BackendError::Unavailable(_) => {}
            // The backend has answered: what it gave before is not to be used any more.
            BackendError::NotFound { .. } | BackendError::Refused(_) | BackendError::Incident(_) => state.held = None,
        }
        let in_a_row = state.failure.as_ref().map_or(1, |failure| failure.in_a_row.saturating_add(1));
        state.failure = Some(Failure { at, in_a_row, error });
        state.suspect = false;
    }

    /// Sees to it that the entry is asked for again before its time is over, as long as somebody uses it.
    fn look_after(self: &Arc<Self>, run: TaskTracker) {
        if self.terms(&self.read()).is_none() {
            return;
        }
        let mut keeper = self.keeper.lock();
        if keeper.as_ref().is_none_or(JoinHandle::is_finished) {
            *keeper = Some(tokio::spawn(look_after(Arc::downgrade(self), run)));
        }
    }

    /// How long until there is something to do.
    fn next(&self) -> Option<Duration> {
        let state = self.read();
        let (fresh_for, usable_for) = self.terms(&state)?;
        let now = self.common.clock.now();
        let age = now.saturating_sub(state.confirmed);
        Some(match &state.failure {
            _ if self.users.load(Ordering::Relaxed) == 0 => usable_for.saturating_sub(age),
            Some(failure) => failure.stands().saturating_sub(now.saturating_sub(failure.at)),
            None => most_of(fresh_for).saturating_sub(age),
        })
    }

    /// Forgets what is held, if it may not be used any more.
    fn forget(&self) -> bool {
        let mut state = self.write();
        let age = self.common.clock.now().saturating_sub(state.confirmed);
        let over = self.terms(&state).is_none_or(|(_, usable_for)| age >= usable_for);
        if over {
            state.held = None;
        }
        over || state.held.is_none()
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(keeper) = self.keeper.get_mut() {
            keeper.abort();
        }
    }
}

/// Asks again in time, until nobody uses the entry; then forgets it when its time is over.
async fn look_after(slot: Weak<Slot>, run: TaskTracker) {
    while let Some((wait, lease, backend, failed, woken)) = slot.upgrade().and_then(|slot| {
        let lease = slot.read().held.as_ref().and_then(|held| Some(held.lease()?.now()));
        let failed = slot.read().failure.is_some();
        Some((slot.next()?, lease, Arc::clone(&slot.from.backend), failed, Arc::clone(&slot.woken)))
    }) {
        let ending = async {
            match (&lease, backend.leases()) {
                (Some(lease), Some(leases)) => leases.ending(lease).await,
                _ => std::future::pending().await,
            }
        };
        tokio::pin!(ending);
        let mut anew = tokio::select! {
            () = tokio::time::sleep(wait.max(LEAST_WAIT)) => false,
            () = woken.notified() => continue,
            // After a failure its time is waited for, though the lease ends meanwhile.
            () = &mut ending, if !failed => true,
        };
        if failed {
            anew = tokio::time::timeout(Duration::ZERO, ending).await.is_ok();
        }
        let Some(slot) = slot.upgrade() else { return };
        if slot.users.load(Ordering::Relaxed) > 0 {
            let turn = Arc::clone(&slot.turn).lock_owned().await;
            slot.ask(turn, run.clone(), anew).await;
        } else if slot.forget() {
            return;
        }
    }
}

impl Failure {
    /// How long nobody asks again.
    fn stands(&self) -> Duration {
        match self.error {
            BackendError::Unavailable(_) => RETRY.after(self.in_a_row),
            _ => NEGATIVE,
        }
    }
}
