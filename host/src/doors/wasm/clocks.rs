//! Clocks that tick no finer than the manifest says: a fine clock would tell a guest what the host does.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use wasmtime_wasi::{HostMonotonicClock, HostWallClock};

/// Both clocks of a guest.
#[derive(Debug, Clone, Copy)]
pub(super) struct CoarseClock {
    tick: Duration,
    start: Instant,
}

impl CoarseClock {
    pub(super) fn new(tick: Duration) -> Self {
        Self { tick, start: Instant::now() }
    }

    fn floor(self, time: Duration) -> Duration {
        let tick = self.tick.as_nanos().max(1);
        let nanos = time.as_nanos() / tick * tick;
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

impl HostWallClock for CoarseClock {
    fn resolution(&self) -> Duration {
        self.tick
    }

    fn now(&self) -> Duration {
        self.floor(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
    }
}

impl HostMonotonicClock for CoarseClock {
    fn resolution(&self) -> u64 {
        u64::try_from(self.tick.as_nanos()).unwrap_or(u64::MAX)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.floor(self.start.elapsed()).as_nanos()).unwrap_or(u64::MAX)
    }
}
