//! One attempt at a rotation: the turn is taken, what is under way is finished or else a new one begun, and the outcome is written down
//! before the turn is given back.

use super::document::Failing;
use super::halt::Halt;
use super::hold::Hold;
use super::progress::{Listener, Step};
use super::{BACKOFF, Means, Rotation, RotationError, managed, steps};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How often a rotation by hand looks whether another host has let go.
const LOOK: Duration = Duration::from_millis(250);
/// How often, and how long each time, a rotation by hand waits where the issuer asks to be left alone.
const TRIES: u32 = 3;
const PATIENCE: Duration = Duration::from_secs(60);

impl Rotation {
    /// Replaces the key at the operator's request: what is under way is taken to its end first. Of a key that has leaked, the old one is revoked
    /// as soon as the new one is in its place, whoever still holds it.
    pub(crate) async fn by_hand(&self, is_leaked: bool, progress: Option<Listener>) -> Result<(), RotationError> {
        self.progress.lock().clone_from(&progress);
        self.is_leaked.store(is_leaked, Ordering::Relaxed);
        let mut tries = 0;
        let mut waits = Waits::default();
        let outcome = loop {
            let (was_under_way, halted) = self.attempt("by hand", tries == 0, None).await;
            match halted {
                Ok(()) if !was_under_way => break Ok(()),
                // What was left over has ended one way or the other: now for what was asked for.
                Ok(()) => {}
                Err(Halt::RolledBack(_) | Halt::Lost(_)) if was_under_way => {}
                Err(Halt::Busy(left)) => waits.look(&self.name, left).await,
                Err(Halt::GoesOn(_)) => {}
                // One more try: what was lost has been settled, and what another host has taken over it takes to its end.
                Err(Halt::Lost(_) | Halt::Fenced) if tries == 0 => tries += 1,
                Err(Halt::Later { after: Some(after), .. }) if after <= PATIENCE && tries < TRIES => {
                    tries += 1;
                    tokio::time::sleep(after).await;
                }
                Err(halt) => break Err(halt),
            }
        };
        *self.progress.lock() = None;
        self.is_leaked.store(false, Ordering::Relaxed);
        outcome.map_err(|halt| match halt {
            Halt::RolledBack(why) => RotationError::RolledBack(why),
            Halt::Lost(why) => RotationError::Lost(why),
            _ => RotationError::Unfinished(halt.to_string()),
        })
    }

    /// Gives up what is under way, at the operator's request: what is in the stores stays as it is, and keys that may be left over are reported.
    /// What was reported before is forgotten. Returns what is left to the operator.
    pub(crate) async fn abandon(&self) -> Result<Vec<String>, RotationError> {
        let unfinished = |halt: Halt| RotationError::Unfinished(halt.to_string());
        let (mut waits, mut begun) = (Waits::default(), None);
        let hold = loop {
            let mut watched = self.turn.lock().await;
            let held = self.journal.hold(&self.host, self.lease(), &mut watched).await.map_err(|error| unfinished(error.into()))?;
            if let Some(hold) = held {
                break hold;
            }
            let now = self.clock.now();
            let left = watched.left(self.lease(), now).unwrap_or_default();
            drop(watched);
            // A host that is silent for so long is gone, and the turn would be free. One that has sent a heartbeat in the meantime is still
            // working.
            let (since, patience) = *begun.get_or_insert((now, left));
            if now.saturating_sub(since) > patience {
                let alive = format!("another host is working on it, and was active within the last {} s", patience.as_secs());
                return Err(RotationError::Unfinished(format!("{alive}; stop that host, or wait until it has finished")));
            }
            waits.look(&self.name, left).await;
        };
        self.tell(&hold, Step::Abandon, "at the operator's request").map_err(unfinished)?;
        let mut left = Vec::new();
        let now = self.now();
        let released = hold.release(|document| {
            left = document.give_up(now);
        });
        released.await.map_err(|unwritten| unfinished(unwritten.into()))?;
        Ok(left)
    }

    /// Takes what is under way to its end, or else a new rotation. Also says whether something was under way. With `seen`, the number of
    /// the last rotation when this one was found to be due: nothing is done where there was another since.
    pub(super) async fn attempt(&self, trigger: &str, by_hand: bool, seen: Option<(u64, bool)>) -> (bool, Result<(), Halt>) {
        let mut watched = self.turn.lock().await;
        let hold = match self.journal.hold(&self.host, self.lease(), &mut watched).await {
            Ok(Some(hold)) => hold,
            Ok(None) => {
                let left = watched.left(self.lease(), self.clock.now()).unwrap_or_default();
                return (false, Err(Halt::Busy(left)));
            }
            Err(error) => {
                // Once, until it can be taken again.
                if !self.unheld_told.swap(true, Ordering::Relaxed) {
                    self.alert(0, &format!("the journal can't be written, and no key is replaced: {error}"));
                }
                return (false, Err(error.into()));
            }
        };
        self.unheld_told.store(false, Ordering::Relaxed);
        let was_under_way = hold.document().under_way.is_some();
        if seen.is_some_and(|seen| seen != (hold.document().number, was_under_way)) {
            let released = hold.release(|_| ()).await;
            return (was_under_way, released.map_err(Halt::from));
        }
        (was_under_way, self.carry_out(hold, trigger, by_hand).await)
    }

    async fn carry_out(&self, mut hold: Hold, trigger: &str, by_hand: bool) -> Result<(), Halt> {
        self.counts.attempts.fetch_add(1, Ordering::Relaxed);
        if by_hand && hold.document().lost > 0 {
            hold.write(|document| document.lost = 0).await?;
        }
        let ended = match self.means {
            Means::Issuer => steps::run(self, &mut hold, trigger).await,
            Means::Backend => managed::run(self, &mut hold, trigger).await,
        };
        let (number, now) = (hold.document().number, self.now());
        match &ended {
            Ok(()) => {
                self.counts.done.fetch_add(1, Ordering::Relaxed);
                // Where that fails, the next host waits a little: what was to be done is done.
                let _ = hold.release(|_| ()).await;
            }
            Err(Halt::Fenced) => {}
            Err(Halt::HandsOver | Halt::GoesOn(_)) => drop(hold.release(|_| ()).await),
            Err(halt) => {
                if matches!(halt, Halt::RolledBack(_) | Halt::Lost(_)) {
                    self.counts.rolled_back.fetch_add(1, Ordering::Relaxed);
                }
                let failing = failed(hold.document().failing.as_ref(), halt, now);
                let known = hold.document().failing.as_ref().is_some_and(|before| before.why == failing.why);
                // The same again is told less and less often.
                if !known || failing.in_a_row.is_power_of_two() {
                    self.alert(number, &failing.why);
                }
                hold.release(|document| document.failing = Some(failing.clone())).await?;
            }
        }
        ended
    }
}

/// The wait for another host to let go, or to be silent for long enough. It is said once.
#[derive(Default)]
struct Waits {
    begun: bool,
}

impl Waits {
    /// Waits until it is time to look again.
    async fn look(&mut self, rotation: &str, left: Duration) {
        if !std::mem::replace(&mut self.begun, true) {
            let left = left.as_secs_f64().ceil();
            tracing::info!(
                target: "strongroom::notice",
                "rotation {rotation}: another host is working on it, or has stopped in the middle of it; waiting until it releases it, or has been inactive for {left} s"
            );
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// What is written down of a failure.
fn failed(before: Option<&Failing>, halt: &Halt, now: u64) -> Failing {
    let in_a_row = before.map_or(0, |failing| failing.in_a_row) + 1;
    let wait = BACKOFF.spread(in_a_row);
    let wait = match halt {
        // No longer than what a clock that was set back may make of it: see `due`.
        Halt::Later { after: Some(after), .. } => (*after).max(wait).min(2 * BACKOFF.longest),
        Halt::Stuck(_) => BACKOFF.longest,
        _ => wait,
    };
    Failing { since: before.map_or(now, |failing| failing.since), in_a_row, why: halt.to_string(), next: now + wait.as_secs() }
}
