//! Presignatures ahead of time: how many this party makes, with whom, and how a request waits for one.

use crate::party::Party;
use crate::peers::Purpose;
use crate::presignature::{MOST, Presignature};
use std::sync::Arc;
use std::time::Duration;

/// How long a request may wait for a presignature.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked whether some are missing, where nothing else says so.
const LOOK: Duration = Duration::from_secs(2);
/// How long a key counts as in use after this party has led with it.
const IN_USE: Duration = Duration::from_secs(24 * 60 * 60);
/// How many are kept of a key that this party has not led with for so long: hosts ask another party, and come here when that one is down.
const IN_RESERVE: usize = 1;

impl Party {
    /// Keeps presignatures with both partners at hand, for ever: of a key in use as many as its agents may have used at once with the first, and a
    /// quarter with the second, who is asked where the first can't sign.
    pub(crate) fn keep_supplied(self: &Arc<Self>) {
        let [first, second] = self.trio.others();
        tokio::spawn(Arc::clone(self).supply(first, 1));
        tokio::spawn(Arc::clone(self).supply(second, 4));
    }

    /// Presignatures of a key that answer any burst that the agents' rates let come.
    fn burst(&self, key: &str) -> usize {
        self.presignatures.unwrap_or_else(|| self.judge.at_once(key).clamp(1, MOST))
    }

    async fn supply(self: Arc<Self>, partner: usize, part: usize) {
        loop {
            let taken = self.taken.notified();
            let mut made = false;
            for share in self.shares.all() {
                let key = &share.info.key;
                let wanted = if self.ledger.has_led(key, IN_USE) { self.burst(key).div_ceil(part) } else { IN_RESERVE };
                if self.pool.count(self.trio.index, partner, key) < wanted && self.peers.away(partner).is_none() {
                    made |= self.lead(Purpose::Presignature(self.trio.index, partner, key.clone())).await.is_ok();
                }
            }
            if !made {
                let _ = tokio::time::timeout(LOOK, taken).await;
            }
        }
    }

    /// A presignature for a partner, once there is one: its name, and this party's half of it.
    ///
    /// # Errors
    /// There was none for a minute.
    pub(crate) async fn presignature(&self, partner: usize, key: &str) -> Result<(String, Presignature), String> {
        let until = tokio::time::Instant::now() + PATIENCE;
        loop {
            let made = self.made.notified();
            let found = self.pool.take(self.trio.index, partner, key);
            self.taken.notify_waiters();
            if let Some(found) = found {
                return Ok(found);
            }
            if tokio::time::timeout_at(until, made).await.is_err() {
                return Err(format!(
                    "no presignature with {} within {} s; ask less often, or give the parties more cores",
                    self.trio.name(partner),
                    PATIENCE.as_secs()
                ));
            }
        }
    }
}
