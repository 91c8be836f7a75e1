//! How long to wait before something is tried again.

use std::time::Duration;

/// Waits that double from one failure to the next.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Backoff {
    pub(crate) first: Duration,
    pub(crate) longest: Duration,
}

impl Backoff {
    /// The wait after so many failures in a row.
    pub(crate) fn after(self, failures: u32) -> Duration {
        self.first.saturating_mul(2u32.saturating_pow(failures.saturating_sub(1))).min(self.longest)
    }

    /// The same, up to a quarter shorter, so that what failed together is not tried together.
    pub(crate) fn spread(self, failures: u32) -> Duration {
        let wait = self.after(failures);
        wait - wait / 4_000 * random_thousandths()
    }
}

/// A part of a duration, between three and four fifths of it, so that what was begun together does not end together.
pub(crate) fn most_of(duration: Duration) -> Duration {
    duration / 5 * 3 + duration / 5_000 * random_thousandths()
}

fn random_thousandths() -> u32 {
    u32::try_from(getrandom::u64().unwrap_or_default() % 1_000).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let backoff = Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(30) };
        let waits = [0, 1, 2, 5, 6, 7, 100, u32::MAX].map(|failures| backoff.after(failures).as_secs());
        assert_eq!(waits, [1, 1, 2, 16, 30, 30, 30, 30]);
        for failures in [1, 6, u32::MAX] {
            let (whole, spread) = (backoff.after(failures), backoff.spread(failures));
            assert!(spread <= whole && spread > whole / 4 * 3, "{spread:?} of {whole:?}");
        }
    }
}
