//! The ledger's clock: it never runs ahead of either the wall clock or the time that the machine has been up, and never back. A limit of a day
//! can't be had twice by setting the clock.

use crate::clock::{Clock, Wall, millis};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Milliseconds since 1970, as far as they are beyond doubt.
pub(super) struct LedgerClock {
    wall: Wall,
    boot: Clock,
    start: Option<Start>,
    last: AtomicU64,
}

struct Start {
    base: u64,
    wall: u64,
    boot: Duration,
}

impl LedgerClock {
    /// A clock that goes on after the last entry: stopped there, where the wall clock is behind it, or further ahead of it than the host may
    /// have been down. Returns why it is stopped.
    pub(super) fn after(last: Option<u64>, max_downtime: Duration, wall: Wall, boot: Clock) -> (Self, Option<String>) {
        let now = wall.now();
        let stopped = match last {
            Some(last) if now < last => Some("the wall clock is behind the ledger's last record".to_owned()),
            Some(last) if now > last.saturating_add(millis(max_downtime)) => {
                Some("the ledger's last record is older than `signing.max_downtime`".to_owned())
            }
            _ => None,
        };
        let mut clock = Self { wall, boot, start: None, last: AtomicU64::new(last.unwrap_or(0)) };
        if stopped.is_none() {
            clock.go();
        }
        (clock, stopped)
    }

    /// Goes on from the wall clock's time, or the last entry's where that is later.
    pub(super) fn go(&mut self) {
        let wall = self.wall.now();
        let base = wall.max(self.last.load(Ordering::Relaxed));
        self.start = Some(Start { base, wall, boot: self.boot.now() });
    }

    pub(super) fn now(&self) -> u64 {
        let Some(start) = &self.start else { return self.last.load(Ordering::Relaxed) };
        let by_wall = self.wall.now().saturating_sub(start.wall);
        let by_boot = millis(self.boot.now().saturating_sub(start.boot));
        let now = start.base + by_wall.min(by_boot);
        self.last.fetch_max(now, Ordering::Relaxed).max(now)
    }
}
