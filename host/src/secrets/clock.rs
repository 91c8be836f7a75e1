//! The time by which values age: that of the machine since it was started, suspension included. The wall clock may jump; this one can't.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A clock; its clones show the same time.
#[derive(Clone, Default)]
pub(crate) struct Clock {
    /// Milliseconds that a test adds, as if the machine had slept so long.
    slept: Arc<AtomicU64>,
}

impl Clock {
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

/// A part of a duration, between three and four fifths of it, so that what was begun together does not end together.
pub(crate) fn most_of(duration: Duration) -> Duration {
    let random = getrandom::u64().unwrap_or_default() % 1_000;
    duration / 5 * 3 + duration / 5_000 * u32::try_from(random).unwrap_or_default()
}
