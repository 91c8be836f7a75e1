//! One entry of one backend: what is held of it, whose turn it is to ask, and what holders see of a newer value.

use super::Common;
use super::freshness::{Decision, Failed, Kind, Known, Terms, is_suspicious};
use super::keep::{Due, Keeper};
use super::lease::Renewal;
use crate::backoff::most_of;
use crate::lock::RwLock;
use crate::secrets::backends::{BackendError, Configured, Entry, Found, Freshness};
use crate::secrets::held::Held;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::OwnedMutexGuard;
use tokio_util::task::TaskTracker;

/// Somebody's use of a slot. What nobody uses is not asked for again.
pub(in crate::secrets) struct Use(Arc<Slot>);

/// A value, and whether it is past its time.
pub(in crate::secrets) struct Resolved {
    pub(in crate::secrets) held: Arc<Held>,
    pub(in crate::secrets) stale: bool,
}

/// One entry of one backend.
pub(super) struct Slot {
    from: Configured,
    entry: Entry,
    common: Arc<Common>,
    state: RwLock<State>,
    /// The number of the value in use, written after the value: whoever has looked at another has something newer to look at.
    published: AtomicU64,
    /// Taken by whoever asks the backend.
    turn: Arc<tokio::sync::Mutex<()>>,
    users: AtomicUsize,
    keeper: Keeper,
}

#[derive(Default)]
struct State {
    held: Option<Arc<Held>>,
    /// When what is held was last confirmed by the backend.
    confirmed: Duration,
    /// How long after that it ends by itself, where the backend knows it.
    lasts: Option<Duration>,
    failure: Option<Failure>,
    suspect: bool,
    last_suspected: Option<Duration>,
    /// Askings that have come to an end. A value has the number of the one that brought it.
    asked: u64,
}

struct Failure {
    at: Duration,
    in_a_row: u32,
    error: BackendError,
}

impl Use {
    pub(super) fn of(slot: &Arc<Slot>) -> Self {
        if slot.users.fetch_add(1, Ordering::AcqRel) == 0 {
            slot.keeper.wake();
        }
        Self(Arc::clone(slot))
    }

    /// The entry as it is in the backend now, or was a short while ago. `run` is who waits for a lease to be given back.
    pub(in crate::secrets) async fn resolve(&self, run: &TaskTracker) -> Result<Resolved, BackendError> {
        let slot = &self.0;
        let asked = {
            let state = slot.state.read();
            if let Some(answer) = slot.answer(&state, false) {
                return answer;
            }
            state.asked
        };
        let turn = slot.turn().await;
        // Whoever had the turn before may have asked for all that waited.
        if slot.state.read().asked == asked {
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
        slot.answer(&slot.state.read(), true).unwrap_or_else(nothing)
    }

    /// Asks the backend, however fresh what is held may be.
    pub(in crate::secrets) async fn renew(&self, run: &TaskTracker) {
        let turn = self.0.turn().await;
        Arc::clone(&self.0).ask(turn, run.clone(), true).await;
    }

    /// The number of the value in use: another than that of a [`Held`] says that there is a newer one.
    pub(in crate::secrets) fn published(&self) -> u64 {
        self.0.published.load(Ordering::SeqCst)
    }

    /// What is held now, fresh or not.
    pub(in crate::secrets) fn held(&self) -> Option<Arc<Held>> {
        self.0.held()
    }

    /// Whether what is held may still be used, though its backend were not to answer.
    pub(in crate::secrets) fn is_usable(&self) -> bool {
        self.0.known(&self.0.state.read()).is_usable()
    }

    /// A destination has rejected the value: the backend is asked before its next use, at most once a minute.
    pub(in crate::secrets) fn suspect(&self) {
        let slot = &self.0;
        let now = slot.now();
        let mut state = slot.state.write();
        let is_settled = now.saturating_sub(state.confirmed) >= slot.from.settled;
        if is_settled && is_suspicious(state.last_suspected.map(|last| now.saturating_sub(last))) {
            state.last_suspected = Some(now);
            state.suspect = true;
            slot.common.counts.suspected.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(in crate::secrets) fn from(&self) -> &Configured {
        &self.0.from
    }

    /// The time that values age in.
    pub(in crate::secrets) fn now(&self) -> Duration {
        self.0.now()
    }
}

impl Drop for Use {
    fn drop(&mut self) {
        self.0.users.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Slot {
    pub(super) fn new(from: &Configured, entry: &Entry, common: &Arc<Common>) -> Arc<Self> {
        Arc::new(Self {
            from: from.clone(),
            entry: entry.clone(),
            common: Arc::clone(common),
            state: RwLock::default(),
            published: AtomicU64::new(0),
            turn: Arc::default(),
            users: AtomicUsize::new(0),
            keeper: Keeper::default(),
        })
    }

    pub(super) fn from(&self) -> &Configured {
        &self.from
    }

    pub(super) fn is_used(&self) -> bool {
        self.users.load(Ordering::Relaxed) > 0
    }

    pub(super) fn held(&self) -> Option<Arc<Held>> {
        self.state.read().held.clone()
    }

    /// Waits until nobody else asks the backend.
    pub(super) async fn turn(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.turn).lock_owned().await
    }

    /// Asks the backend and keeps what it says; `anew` where a lease is not to be prolonged.
    pub(super) async fn ask(self: Arc<Self>, turn: OwnedMutexGuard<()>, run: TaskTracker, anew: bool) {
        let now = self.now();
        // A lease whose credential was rejected is not prolonged: it may be alive here and dead there.
        let anew = anew || self.state.read().suspect;
        if anew || !self.renew(now).await {
            self.common.counts.asked.fetch_add(1, Ordering::Relaxed);
            let asked = tokio::time::timeout(self.from.backend.patience(), self.from.backend.get(&self.entry)).await;
            match asked.unwrap_or_else(|_| Err(self.from.silent())) {
                Ok(found) => self.keep(found, now, &run),
                Err(error) => self.fail(error),
            }
        }
        self.state.write().asked += 1;
        drop(turn);
        if self.terms(&self.state.read()).is_some() {
            self.keeper.begin(&self, run);
        }
    }

    /// What there is to do next, and when.
    pub(super) fn due(&self) -> Option<Due> {
        let state = self.state.read();
        let lease = state.held.as_ref().and_then(|held| Some(held.lease()?.now()));
        Some(Due { wait: self.known(&state).next(self.is_used(), most_of)?, lease, failed: state.failure.is_some() })
    }

    /// Forgets what is held, if it may not be used any more. Whether nothing is held.
    pub(super) fn forget(&self) -> bool {
        let mut state = self.state.write();
        if self.known(&state).is_over() {
            state.held = None;
        }
        state.held.is_none()
    }

    fn now(&self) -> Duration {
        self.common.clock.now()
    }

    /// Whether the backend is asked at each run and lends nothing: then an asking that is given up costs nobody anything.
    fn is_at_hand(&self) -> bool {
        !self.from.lends(&self.entry) && self.from.backend.freshness() == Freshness::EachRun
    }

    fn terms(&self, state: &State) -> Option<Terms> {
        if let Some(lent) = state.held.as_ref().and_then(|held| held.lease()) {
            return Some(Terms::strict(lent.ttl()));
        }
        match self.from.backend.freshness() {
            Freshness::EachRun => None,
            Freshness::For(ttl) => {
                let terms = Terms::lenient(ttl, self.from.stale);
                Some(state.lasts.map_or(terms, |left| terms.until(left)))
            }
        }
    }

    fn known(&self, state: &State) -> Known {
        let now = self.now();
        let failed = state.failure.as_ref().map(|failure| Failed {
            age: now.saturating_sub(failure.at),
            in_a_row: failure.in_a_row,
            kind: Kind::of(&failure.error),
        });
        let age = now.saturating_sub(state.confirmed);
        Known { held: state.held.is_some(), age, terms: self.terms(state), failed, suspect: state.suspect }
    }

    /// What a request gets; none before the backend was asked.
    fn answer(&self, state: &State, just_asked: bool) -> Option<Result<Resolved, BackendError>> {
        let resolved = |stale| state.held.clone().map(|held| Ok(Resolved { held, stale }));
        match self.known(state).decide(just_asked) {
            Decision::Fresh => resolved(false),
            Decision::Stale => {
                self.common.counts.stale_used.fetch_add(1, Ordering::Relaxed);
                resolved(true)
            }
            Decision::Refused => state.failure.as_ref().map(|failure| Err(failure.error.clone())),
            Decision::TooOld(limit) => state.failure.as_ref().map(|Failure { error, .. }| {
                let limit = limit.as_secs();
                Err(BackendError::Unavailable(format!("{error}; the last value is older than {limit} s, the limit for using it")))
            }),
            Decision::Ask => None,
        }
    }

    /// Prolongs the lease of what is held. False where there is none, or it is over: then the entry has to be asked for.
    async fn renew(&self, now: Duration) -> bool {
        let Some(lent) = self.state.read().held.as_ref().and_then(|held| held.lease().cloned()) else { return false };
        match lent.renew().await {
            Renewal::Prolonged => self.state.write().confirm(now),
            Renewal::Failed(error) => self.fail(error),
            Renewal::Over => return false,
        }
        true
    }

    /// Keeps what the backend gave when it was asked at that time, and publishes it where it is something new.
    fn keep(&self, found: Found, now: Duration, run: &TaskTracker) {
        // Whoever keeps something has the turn: no other asking ends meanwhile.
        let number = self.state.read().asked + 1;
        let lasts = found.expires_at.map(left);
        let held = Held::of(found, number, &self.from, &self.common, run);
        let mut state = self.state.write();
        state.confirm(now);
        state.lasts = lasts;
        if state.held.as_ref().is_some_and(|known| known.is_as(&held)) {
            return;
        }
        if state.held.replace(Arc::new(held)).is_some() {
            self.common.counts.replaced.fetch_add(1, Ordering::Relaxed);
        }
        // Replaced first, then said; whoever has put the new value in its place looks at the uses of the old one after that.
        self.published.store(number, Ordering::SeqCst);
    }

    fn fail(&self, error: BackendError) {
        self.common.counts.failed.fetch_add(1, Ordering::Relaxed);
        let at = self.now();
        let mut state = self.state.write();
        // A value that was never had is told of by whoever asked for it.
        if state.held.is_some() {
            let entry = crate::text::for_people(&self.entry.to_string());
            tracing::warn!(backend = self.from.name, %entry, %error, "refreshing a secret failed");
        }
        if Kind::of(&error) == Kind::Clear {
            state.held = None;
        }
        let in_a_row = state.failure.as_ref().map_or(1, |failure| failure.in_a_row.saturating_add(1));
        state.failure = Some(Failure { at, in_a_row, error });
        state.suspect = false;
    }
}

/// How long it is until a time, in seconds since 1970.
fn left(until: u64) -> Duration {
    let now = u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or(0);
    Duration::from_secs(until.saturating_sub(now))
}

impl State {
    /// The backend has said at that time that what is held may be used.
    fn confirm(&mut self, now: Duration) {
        (self.confirmed, self.failure, self.suspect) = (now, None, false);
    }
}
