//! When a rotation begins, and what a host owes to the rotations of others: it is registered before it uses a key, and says so when it has
//! taken over a new one and no longer holds the old one.

use super::document::{Current, Document};
use super::halt::Halt;
use super::issuer::IssuedKey;
use super::{BACKOFF, MAX_LOST, Rotation};
use crate::secrets::{BackendError, StoreError};
use sha2::{Digest, Sha256};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// How long a journal that can't be read is left alone.
const PAUSE: Duration = Duration::from_secs(5);
/// How old a key is at least, in seconds, before it is replaced by itself: ten minutes, or a third of its life.
const LEAST_AGE: u64 = 600;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// The part of `every` by which a rotation may come early, so that not all keys are replaced at once: one in so many.
const JITTER: u64 = 20;

/// What the operator has been told, and is not told again at the next look.
#[derive(Debug, Default)]
pub(super) struct Told {
    unread: bool,
    unfit: Option<u64>,
    warned: Option<Duration>,
}

impl Rotation {
    /// Lets others know that this host is about to use the key, for a manifest that wants it to look so.
    pub(super) async fn register(self: &Arc<Self>, format: Option<&regex::Regex>) -> Result<(), BackendError> {
        if let Some(format) = format {
            let mut formats = self.formats.lock();
            if !formats.iter().any(|known| known.as_str() == format.as_str()) {
                formats.push(format.clone());
            }
        }
        let mut registered = self.registered.lock().await;
        if !*registered {
            let unavailable = |error: StoreError| {
                let what = "this host can't be registered as one that uses the key";
                BackendError::Unavailable(format!("rotation `{}`: {what}: {error}", self.name))
            };
            let entered = tokio::time::timeout(self.config.timeout, self.enter()).await;
            entered.unwrap_or_else(|_| Err(StoreError::Unavailable("no answer in time".to_owned()))).map_err(unavailable)?;
            *registered = true;
        }
        let mut keeper = self.keeper.lock();
        if keeper.as_ref().is_none_or(tokio::task::JoinHandle::is_finished) {
            *keeper = Some(tokio::spawn(keep(Arc::downgrade(self))));
        }
        Ok(())
    }

    async fn enter(&self) -> Result<(), StoreError> {
        let stale = self.staleness().as_secs();
        let entered = self.journal.note(|document| {
            let longer = document.stale < stale;
            document.stale = document.stale.max(stale);
            let settled = document.settled();
            (self.registers() && document.acknowledge(&self.host, settled)) || longer
        });
        entered.await.map(|_| ())
    }

    /// Ends the keeper, and says that this host no longer uses the key. What is under way is given the time of two calls to come to a point
    /// where it can be left to others.
    pub(super) async fn close(&self) {
        let mut registered = self.registered.lock().await;
        self.closing.store(true, Ordering::Relaxed);
        self.woken.notify_one();
        let keeper = self.keeper.lock().take();
        if let Some(mut keeper) = keeper
            && tokio::time::timeout(self.config.timeout * 2, &mut keeper).await.is_err()
        {
            keeper.abort();
        }
        if *registered && self.registers() {
            let left = self.journal.note(|document| document.hosts.remove(&self.host).is_some());
            let _ = tokio::time::timeout(self.config.timeout, left).await;
        }
        if let Some(webhook) = &self.webhook {
            webhook.close().await;
        }
        // Whoever asks for a secret after it begins anew.
        *registered = false;
        self.closing.store(false, Ordering::Relaxed);
    }

    /// One look: what others are owed, and what is due. Returns when to look again.
    async fn look(self: &Arc<Self>) -> Duration {
        let poll = self.config.timeout / 3;
        let (document, _) = match self.journal.read().await {
            Ok(read) => read,
            Err(error) => {
                if !std::mem::replace(&mut self.told.lock().unread, true) {
                    self.alert(0, &format!("the journal can't be read, and no key is replaced: {error}"));
                }
                return poll.max(PAUSE);
            }
        };
        self.told.lock().unread = false;
        self.signals.lock().knows_end(document.current.as_ref().and_then(|current| current.expires_at));
        self.warn(&document);
        if self.settle(&document).await.is_err() {
            return poll;
        }
        let Some(trigger) = self.due(&document).await else { return poll };
        let seen = (document.number, document.under_way.is_some());
        match self.attempt(&trigger, false, Some(seen)).await {
            // What was left over has ended; what is due is due still.
            (true, Ok(()) | Err(Halt::GoesOn(_))) => Duration::ZERO,
            (false, Err(Halt::Busy(left))) => left.clamp(poll, PAUSE.max(poll)),
            _ => poll,
        }
    }

    /// Says once a day that a key is about to end and could not be replaced.
    fn warn(&self, document: &Document) {
        let Some(at) = document.current.as_ref().and_then(|current| current.expires_at) else { return };
        let left = at.saturating_sub(self.now());
        let fails = document.failing.is_some() || document.lost >= MAX_LOST;
        if !fails || left > self.config.warn_before.as_secs() {
            return;
        }
        let mut told = self.told.lock();
        let now = self.clock.now();
        if told.warned.is_none_or(|warned| now.saturating_sub(warned) >= DAY) {
            told.warned = Some(now);
            drop(told);
            self.alert(document.number, &format!("the key in use expires in {left} s, and could not be replaced"));
        }
    }

    /// Takes a new key over, and says so when the old one is no longer held.
    async fn settle(&self, document: &Document) -> Result<(), StoreError> {
        let Some(known) = document.hosts.get(&self.host) else {
            if !self.registers() {
                return Ok(());
            }
            // It sent no heartbeat for so long that nobody waits for it any more. What it has read before is not to be used.
            self.adopt(&IssuedKey::new("")).await;
            let entered = self.journal.note(|document| {
                // What it has is shown by what comes below, at the next look.
                let before = document.settled().saturating_sub(1);
                document.acknowledge(&self.host, before)
            });
            return entered.await.map(|_| ());
        };
        let switched = document.under_way.as_ref().and_then(|under_way| Some((&under_way.intent().old, under_way.switched_to()?)));
        let Some((old, new)) = switched else { return Ok(()) };
        if *known >= document.number {
            return Ok(());
        }
        if !self.fits(new) {
            // Its agents go on with the old key: others wait for it as long as it may.
            let before = self.told.lock().unfit.replace(document.number);
            if before != Some(document.number) {
                self.alert(
                    document.number,
                    "the new key does not match the `format` of a manifest of this host, which continues with the old one",
                );
            }
            return Ok(());
        }
        if !self.adopt(old).await || self.uses(old).count() > 0 {
            return Ok(());
        }
        let number = document.number;
        self.journal.note(|document| document.acknowledge(&self.host, number)).await.map(|_| ())
    }

    /// What a rotation is to be begun for now, or taken up again.
    async fn due(&self, document: &Document) -> Option<String> {
        let now = self.now();
        if let Some(failing) = &document.failing {
            // A clock that was set back does not stop rotations for longer than they are left alone anyway.
            let wait = failing.next.saturating_sub(now);
            if wait > 0 && wait <= 2 * BACKOFF.longest.as_secs() {
                return None;
            }
        }
        if document.under_way.is_some() {
            return Some("resumed".to_owned());
        }
        if document.lost >= MAX_LOST {
            return None;
        }
        if let Some(trigger) = self.confirmed(document).await {
            return Some(trigger);
        }
        let Some(current) = document.current.as_ref().filter(|current| current.since <= now + 24 * 60 * 60) else {
            self.first_seen(None).await;
            return None;
        };
        // An issuer that tells ends in the past has no key replaced again and again.
        let life = current.expires_at.map_or(u64::MAX, |at| at.saturating_sub(current.since));
        if now.saturating_sub(current.since) < LEAST_AGE.min(life.max(3) / 3) {
            return None;
        }
        let left = current.expires_at.map(|at| at.saturating_sub(now));
        if left.is_some_and(|left| left <= self.rotate_before(current)) {
            return Some("the key expires soon".to_owned());
        }
        if self.next(document).is_some_and(|next| next <= now) {
            return Some("it is due".to_owned());
        }
        None
    }

    /// How long before its end a key is replaced, in seconds: as configured, but no longer than a third of its life.
    fn rotate_before(&self, current: &Current) -> u64 {
        let life = current.expires_at.map_or(u64::MAX, |at| at.saturating_sub(current.since));
        self.config.rotate_before.as_secs().min(life / 3)
    }

    /// When the key is replaced, by its age or its end, in seconds since 1970.
    pub(super) fn next(&self, document: &Document) -> Option<u64> {
        let current = document.current.as_ref()?;
        let by_age = self.config.every.map(|every| {
            let early = every.as_secs() / JITTER;
            let spread = Sha256::digest(format!("{} {}", self.name, document.number));
            let spread = u64::from_be_bytes(spread[..8].try_into().expect("eight bytes"));
            current.since + every.as_secs() - spread.checked_rem(early).unwrap_or(0)
        });
        let by_end = current.expires_at.map(|at| at.saturating_sub(self.rotate_before(current)));
        by_age.into_iter().chain(by_end).min()
    }

    /// Writes down since when a key is known that this host has not put there.
    pub(super) async fn first_seen(&self, expires_at: Option<u64>) {
        let Some(site) = self.sites.first() else { return };
        let Ok(kept) = site.read().await else { return };
        let (since, print) = (self.now(), self.print(&kept.value));
        let told = self.config.id.clone();
        let noted = self.journal.note(|document| {
            // What is under way says it itself.
            if document.under_way.is_some() {
                return false;
            }
            let current = match document.current.take() {
                // What a clock has written that was ahead counts from now on.
                Some(known) if known.print == print && known.since > since => Current { since, ..known },
                Some(known) if known.print == print => {
                    document.current = Some(known);
                    return false;
                }
                Some(_) => Current { since, print: print.clone(), id: None, expires_at },
                None => Current { since, print: print.clone(), id: told.clone().filter(|_| document.made.is_empty()), expires_at },
            };
            document.current = Some(current);
            true
        });
        let _ = noted.await;
    }
}

/// Looks after a rotation as long as the host is there.
async fn keep(rotation: Weak<Rotation>) {
    while let Some(rotation) = rotation.upgrade() {
        let wait = rotation.look().await;
        if rotation.closing.load(Ordering::Relaxed) {
            return;
        }
        let _ = tokio::time::timeout(wait.max(Duration::from_millis(10)), rotation.woken.notified()).await;
    }
}
