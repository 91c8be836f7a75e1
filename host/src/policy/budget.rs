//! Rates: so many requests in any window of a length. The one stateful part of the policy.

use crate::manifest::Rate;
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Counts the requests of one grant over a sliding window. Memory: 16 bytes for each request within the window.
#[derive(Debug)]
pub(crate) struct Budget {
    rate: Rate,
    taken: Mutex<VecDeque<Instant>>,
}

impl Budget {
    pub(crate) fn new(rate: Rate) -> Self {
        Self { rate, taken: Mutex::default() }
    }

    /// How many requests there may be.
    #[cfg(feature = "cli")]
    pub(crate) fn rate(&self) -> Rate {
        self.rate
    }

    /// Takes one request out of the budget, or says that none is left.
    pub(crate) fn take(&self, now: Instant) -> bool {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        while taken.front().is_some_and(|at| now.duration_since(*at) >= self.rate.per) {
            taken.pop_front();
        }
        let left = taken.len() < self.rate.requests as usize;
        if left {
            taken.push_back(now);
        }
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn no_window_holds_more_than_the_rate() {
        let budget = Budget::new(Rate { requests: 2, per: Duration::from_secs(60) });
        let start = Instant::now();
        let at = |seconds| budget.take(start + Duration::from_secs(seconds));

        assert_eq!([at(0), at(59), at(59), at(60), at(118), at(119)], [true, true, false, true, false, true]);
    }
}
