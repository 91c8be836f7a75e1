//! The host's clocks. Values age by [`Clock`], which nobody can set; people and other hosts read [`Wall`].

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The time since the machine was started, suspension included. Its clones show the same time.
#[derive(Clone, Default)]
pub(crate) struct Clock {
    /// Milliseconds that a test adds, as if the machine had slept so long.
    slept: Arc<AtomicU64>,
}

impl Clock {
    #[cfg(any(test, feature = "test-util"))]
    pub(crate) fn sleeping(slept: Arc<AtomicU64>) -> Self {
        Self { slept }
    }

    pub(crate) fn now(&self) -> Duration {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
        let nanos = u32::try_from(now.tv_nsec).unwrap_or_default();
        Duration::new(seconds, nanos) + Duration::from_millis(self.slept.load(Ordering::Relaxed))
    }
}

/// The wall clock. A test may move it.
#[derive(Clone, Default)]
pub(crate) struct Wall(pub(crate) Arc<AtomicI64>);

impl Wall {
    /// Milliseconds since 1970.
    pub(crate) fn now(&self) -> u64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, millis);
        now.saturating_add_signed(self.0.load(Ordering::Relaxed))
    }
}

/// A duration in whole milliseconds.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
