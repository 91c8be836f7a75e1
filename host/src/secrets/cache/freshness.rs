//! Whether a value may still be used, and when to look at it again. Pure: the slot brings ages and has the clock, the lock and the backend.

use crate::backoff::Backoff;
use crate::secrets::backends::BackendError;
use std::time::Duration;

/// How long the answer that something is not there, or is closed, stands.
const NEGATIVE: Duration = Duration::from_secs(5);
/// How long a backend that has failed is left alone; twice as long after each further failure, up to the second.
const RETRY: Backoff = Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(30) };
/// Least time that a value is used which its backend says has ended: it is not asked for without a pause.
const LEAST: Duration = Duration::from_secs(1);
/// Least time between two askings that the answers of destinations give rise to.
const SUSPICION: Duration = Duration::from_secs(60);

/// What is known of an entry at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Known {
    /// Whether there is a value.
    pub(super) held: bool,
    /// How long ago the backend confirmed it.
    pub(super) age: Duration,
    /// `None`: it may be used as long as it is held.
    pub(super) terms: Option<Terms>,
    /// What the last asking came to, where it failed.
    pub(super) failed: Option<Failed>,
    /// A destination has rejected the value: the backend is asked before it is used again.
    pub(super) suspect: bool,
}

/// How long a value may be used after it was confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Terms {
    /// Without asking.
    pub(super) fresh_for: Duration,
    /// At most, where the backend does not answer. Never less than the other.
    pub(super) usable_for: Duration,
}

/// An asking that has failed, and those before it that did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Failed {
    pub(super) age: Duration,
    pub(super) in_a_row: u32,
    pub(super) kind: Kind,
}

/// How an asking can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The backend did not answer: what it gave before may be used for a while.
    Silent,
    /// The backend has answered: what it gave before is not to be used any more.
    Clear,
}

/// What a request gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision {
    /// The value.
    Fresh,
    /// The value, though it is past its time or was rejected.
    Stale,
    /// The failure.
    Refused,
    /// The failure, and that the value is older than this.
    TooOld(Duration),
    /// Nothing before the backend was asked.
    Ask,
}

impl Known {
    /// What a request gets; `just_asked` where it has waited for an asking that has come to its end.
    pub(super) fn decide(&self, just_asked: bool) -> Decision {
        let is_asked = just_asked || self.failed.is_some_and(|failed| failed.age < failed.stands());
        match self.failed {
            // What was just asked for is the answer, though asking took longer than it may be used for.
            None if self.held && just_asked => Decision::Fresh,
            _ if self.is_fresh() && (!self.suspect || just_asked) => Decision::Fresh,
            // Whoever looks after the entry asks again: nobody has to wait for a backend that does not answer.
            Some(_) if self.held && self.is_usable() && (!self.suspect || is_asked) => Decision::Stale,
            Some(_) if is_asked => self.failure(),
            _ => Decision::Ask,
        }
    }

    /// Whether what is held may still be used, though its backend were not to answer.
    pub(super) fn is_usable(&self) -> bool {
        self.terms.is_none_or(|terms| self.age < terms.usable_for)
    }

    /// How long until there is something to do; never, where the value has no terms. `most_of` is how much of its time a value is left alone.
    pub(super) fn next(&self, is_used: bool, most_of: impl Fn(Duration) -> Duration) -> Option<Duration> {
        let terms = self.terms?;
        Some(match self.failed {
            _ if !is_used => terms.usable_for.saturating_sub(self.age),
            Some(failed) => failed.stands().saturating_sub(failed.age),
            None => most_of(terms.fresh_for).saturating_sub(self.age),
        })
    }

    /// Whether a value that nobody uses is forgotten.
    pub(super) fn is_over(&self) -> bool {
        self.terms.is_none_or(|terms| self.age >= terms.usable_for)
    }

    fn is_fresh(&self) -> bool {
        self.held && self.terms.is_none_or(|terms| self.age < terms.fresh_for)
    }

    fn failure(&self) -> Decision {
        match self.terms {
            Some(terms) if self.held => Decision::TooOld(terms.usable_for),
            _ => Decision::Refused,
        }
    }
}

impl Terms {
    /// Of what is fresh for so long, and may be used no longer.
    pub(super) fn strict(ttl: Duration) -> Self {
        Self { fresh_for: ttl, usable_for: ttl }
    }

    /// Of what is used for `stale` at most where its backend does not answer.
    pub(super) fn lenient(ttl: Duration, stale: Duration) -> Self {
        Self { fresh_for: ttl, usable_for: ttl.max(stale) }
    }

    /// The same of a value that ends by itself so long after it was confirmed.
    pub(super) fn until(self, left: Duration) -> Self {
        let left = left.max(LEAST);
        Self { fresh_for: self.fresh_for.min(left), usable_for: self.usable_for.min(left) }
    }
}

impl Failed {
    /// How long nobody asks again.
    fn stands(&self) -> Duration {
        match self.kind {
            Kind::Silent => RETRY.after(self.in_a_row),
            Kind::Clear => NEGATIVE,
        }
    }
}

impl Kind {
    pub(super) fn of(error: &BackendError) -> Self {
        match error {
            BackendError::Unavailable(_) => Self::Silent,
            BackendError::NotFound { .. } | BackendError::Refused(_) | BackendError::Incident(_) => Self::Clear,
        }
    }
}

/// Whether a rejection makes the host ask, so long after the last one that did.
pub(super) fn is_suspicious(since: Option<Duration>) -> bool {
    since.is_none_or(|since| since >= SUSPICION)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn nothing() -> Known {
        Known { held: false, age: seconds(0), terms: Some(Terms::lenient(seconds(60), seconds(600))), failed: None, suspect: false }
    }

    fn held(age: Duration) -> Known {
        Known { held: true, age, ..nothing() }
    }

    fn suspect(known: Known) -> Known {
        Known { suspect: true, ..known }
    }

    fn ended(known: Known, terms: Option<Terms>) -> Known {
        Known { terms, ..known }
    }

    /// So long ago, the first of its row.
    fn silent(known: Known, age: Duration) -> Known {
        Known { failed: Some(Failed { age, in_a_row: 1, kind: Kind::Silent }), ..known }
    }

    fn in_a_row(known: Known, in_a_row: u32) -> Known {
        Known { failed: known.failed.map(|failed| Failed { in_a_row, ..failed }), ..known }
    }

    fn clear(known: Known, age: Duration) -> Known {
        Known { failed: Some(Failed { age, in_a_row: 1, kind: Kind::Clear }), ..known }
    }

    /// What is known, what a request gets of it, and what one gets that has waited for an asking.
    #[test]
    fn what_is_known_decides_what_a_request_gets() {
        use Decision::{Ask, Fresh, Refused, Stale, TooOld};
        let (long, just) = (seconds(5_000), seconds(0));
        let too_old = TooOld(seconds(600));
        let strict = Some(Terms::strict(seconds(60)));
        let last = millis(59_999);
        let cases = [
            // Nothing is held.
            ("nothing was asked yet", nothing(), Ask, Ask),
            ("silence, just now", silent(nothing(), just), Refused, Refused),
            ("silence, to its last moment", silent(nothing(), millis(999)), Refused, Refused),
            ("silence, as old as it stands", silent(nothing(), seconds(1)), Ask, Refused),
            ("silence again stands twice as long", in_a_row(silent(nothing(), millis(1_999)), 2), Refused, Refused),
            ("and no longer", in_a_row(silent(nothing(), seconds(2)), 2), Ask, Refused),
            ("silence without end stands half a minute", in_a_row(silent(nothing(), millis(29_999)), 100), Refused, Refused),
            ("and no longer", in_a_row(silent(nothing(), seconds(30)), 100), Ask, Refused),
            ("a clear answer, to its last moment", clear(nothing(), millis(4_999)), Refused, Refused),
            ("a clear answer, as old as it stands", clear(nothing(), seconds(5)), Ask, Refused),
            ("a clear answer stands no longer for being given again", in_a_row(clear(nothing(), seconds(5)), 100), Ask, Refused),
            ("a rejected value that is gone", suspect(clear(nothing(), just)), Refused, Refused),
            ("nothing, where what is held has no terms", ended(nothing(), None), Ask, Ask),
            ("a failure, where what is held has no terms", ended(clear(nothing(), just), None), Refused, Refused),
            // A value is held, and nothing has failed.
            ("just confirmed", held(just), Fresh, Fresh),
            ("to its last moment", held(last), Fresh, Fresh),
            ("as old as it is fresh for", held(seconds(60)), Ask, Fresh),
            ("as old as it is usable for", held(seconds(600)), Ask, Fresh),
            ("the asking took longer than it is usable for", held(long), Ask, Fresh),
            ("rejected", suspect(held(just)), Ask, Fresh),
            ("rejected, and past its time", suspect(held(long)), Ask, Fresh),
            ("no terms", ended(held(long), None), Fresh, Fresh),
            ("no terms, and rejected", suspect(ended(held(long), None)), Ask, Fresh),
            ("a lease to its last moment", ended(held(last), strict), Fresh, Fresh),
            ("a lease that is over", ended(held(seconds(60)), strict), Ask, Fresh),
            // A value is held, and the backend was silent.
            ("fresh, and silence", silent(held(last), just), Fresh, Fresh),
            ("fresh, and silence long ago", silent(held(last), long), Fresh, Fresh),
            ("as old as it is fresh for, and silence", silent(held(seconds(60)), just), Stale, Stale),
            ("the same long ago: who looks after it asks", silent(held(seconds(60)), long), Stale, Stale),
            ("usable to its last moment", silent(held(millis(599_999)), long), Stale, Stale),
            ("as old as it is usable for", silent(held(seconds(600)), just), too_old, too_old),
            ("as old as it is usable for, and the silence stands no more", silent(held(seconds(600)), seconds(1)), Ask, too_old),
            ("rejected, and silence as long as that stands", suspect(silent(held(just), millis(999))), Stale, Fresh),
            ("rejected, and silence that stands no more", suspect(silent(held(just), seconds(1))), Ask, Fresh),
            ("rejected, past its time, and silence", suspect(silent(held(seconds(60)), just)), Stale, Stale),
            ("rejected, past its time, and silence before", suspect(silent(held(seconds(60)), long)), Ask, Stale),
            ("rejected, too old, and silence", suspect(silent(held(seconds(600)), just)), too_old, too_old),
            ("rejected, too old, and silence before", suspect(silent(held(seconds(600)), long)), Ask, too_old),
            ("no terms, and silence", silent(ended(held(long), None), just), Fresh, Fresh),
            ("no terms, rejected, and silence", suspect(silent(ended(held(long), None), just)), Stale, Fresh),
            ("no terms, rejected, and silence before", suspect(silent(ended(held(long), None), long)), Ask, Fresh),
            (
                "a lease that is over is used no longer",
                silent(ended(held(seconds(60)), strict), just),
                TooOld(seconds(60)),
                TooOld(seconds(60)),
            ),
        ];
        for (name, known, at_once, after_asking) in cases {
            assert_eq!((known.decide(false), known.decide(true)), (at_once, after_asking), "{name}");
        }
    }

    /// What is known, when there is something to do where somebody uses it, and where nobody does.
    #[test]
    fn what_is_known_decides_when_to_look_again() {
        let strict = Some(Terms::strict(seconds(60)));
        let cases = [
            ("just confirmed", held(seconds(0)), Some(seconds(40)), Some(seconds(600))),
            ("the longer ago, the sooner", held(seconds(30)), Some(seconds(10)), Some(seconds(570))),
            ("most of its time is over", held(seconds(40)), Some(seconds(0)), Some(seconds(560))),
            ("all of its time is over", held(seconds(600)), Some(seconds(0)), Some(seconds(0))),
            ("more than that", held(seconds(601)), Some(seconds(0)), Some(seconds(0))),
            ("silence goes before age", silent(held(seconds(40)), seconds(0)), Some(seconds(1)), Some(seconds(560))),
            ("until it stands no more", silent(held(seconds(40)), seconds(1)), Some(seconds(0)), Some(seconds(560))),
            ("longer for each of a row", in_a_row(silent(held(seconds(40)), seconds(1)), 3), Some(seconds(3)), Some(seconds(560))),
            ("a clear answer", clear(nothing(), seconds(2)), Some(seconds(3)), Some(seconds(600))),
            ("a lease", ended(held(seconds(10)), strict), Some(seconds(30)), Some(seconds(50))),
            ("no terms", ended(held(seconds(10)), None), None, None),
        ];
        for (name, known, used, unused) in cases {
            let next = |is_used| known.next(is_used, |whole| whole / 3 * 2);
            assert_eq!((next(true), next(false)), (used, unused), "{name}");
        }
    }

    #[test]
    fn a_value_is_forgotten_when_it_is_not_usable_any_more() {
        for (known, usable, over) in [
            (held(seconds(0)), true, false),
            (held(millis(599_999)), true, false),
            (held(seconds(600)), false, true),
            (ended(held(seconds(60)), Some(Terms::strict(seconds(60)))), false, true),
            // What is held without terms may be used, and is not kept for nobody.
            (ended(held(seconds(0)), None), true, true),
        ] {
            assert_eq!((known.is_usable(), known.is_over()), (usable, over), "{known:?}");
        }
    }

    #[test]
    fn terms_are_never_fresh_for_longer_than_usable() {
        for (stale, usable_for) in [(0, 60), (59, 60), (60, 60), (61, 61)] {
            let terms = Terms::lenient(seconds(60), seconds(stale));
            assert_eq!(terms, Terms { fresh_for: seconds(60), usable_for: seconds(usable_for) });
        }
    }

    #[test]
    fn a_value_that_ends_by_itself_is_used_no_longer_than_that() {
        let terms = Terms::lenient(seconds(60), seconds(600));
        for (left, fresh_for, usable_for) in [(0, 1, 1), (1, 1, 1), (59, 59, 59), (60, 60, 60), (300, 60, 300), (601, 60, 600)] {
            let expected = Terms { fresh_for: seconds(fresh_for), usable_for: seconds(usable_for) };
            assert_eq!(terms.until(seconds(left)), expected, "{left}");
        }
    }

    #[test]
    fn rejections_make_the_host_ask_once_a_minute() {
        for (since, asks) in [(None, true), (Some(seconds(0)), false), (Some(millis(59_999)), false), (Some(seconds(60)), true)] {
            assert_eq!(is_suspicious(since), asks, "{since:?}");
        }
    }
}
