//! How far the clocks of servers are from the host's, for requests that say when they were made. What a server says of the time holds for its
//! own origin alone, and by at most 5 minutes: it moves no other clock.

use crate::lock::Mutex;
use http::HeaderValue;
use jiff::fmt::rfc2822;
use std::collections::{HashMap, VecDeque};
use std::time::{Duration, SystemTime};

/// Answers whose median counts.
const ANSWERS: usize = 3;
/// Origins that are remembered of one agent.
const MOST_ORIGINS: usize = 64;
/// Further apart, in milliseconds, no clock is taken for right.
const MOST: i64 = 5 * 60 * 1_000;
/// `Date` counts whole seconds: what is nearer can't be told from no difference.
const LEAST: i64 = 1_500;

/// The clocks of the servers that one agent asks, by their origins.
#[derive(Debug, Default)]
pub(super) struct Skews(Mutex<HashMap<String, VecDeque<i64>>>);

impl Skews {
    /// Takes an answer's `Date` (RFC 9110 6.6.1), which came at this time after so long.
    pub(super) fn note(&self, origin: &str, date: &HeaderValue, now: SystemTime, took: Duration) {
        let Some(server) = date.to_str().ok().and_then(|date| rfc2822::parse(date).ok()) else { return };
        let Some(here) = now.checked_sub(took / 2).and_then(|then| then.duration_since(SystemTime::UNIX_EPOCH).ok()) else { return };
        // It was said somewhere within that second.
        let apart = server.timestamp().as_millisecond() + 500 - i64::try_from(here.as_millis()).unwrap_or(i64::MAX);
        if apart.abs() > MOST {
            return;
        }
        let mut known = self.0.lock();
        if known.len() >= MOST_ORIGINS && !known.contains_key(origin) {
            return;
        }
        let answers = known.entry(origin.to_owned()).or_default();
        answers.push_back(apart);
        if answers.len() > ANSWERS {
            answers.pop_front();
        }
    }

    /// The time at an origin.
    pub(super) fn time_at(&self, origin: &str, now: SystemTime) -> SystemTime {
        let known = self.0.lock();
        let Some(answers) = known.get(origin).filter(|answers| answers.len() == ANSWERS) else { return now };
        let mut sorted: Vec<i64> = answers.iter().copied().collect();
        sorted.sort_unstable();
        let median = sorted[ANSWERS / 2];
        let apart = Duration::from_millis(median.unsigned_abs());
        match median {
            _ if median.abs() < LEAST => now,
            0.. => now.checked_add(apart).unwrap_or(now),
            _ => now.checked_sub(apart).unwrap_or(now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1_764_453_600);

    /// A server whose clock is so many seconds ahead, or behind.
    fn date(ahead: i64) -> HeaderValue {
        let time = jiff::Timestamp::from_second(1_764_453_600 + ahead).expect("a time");
        HeaderValue::from_str(&rfc2822::to_string(&time.to_zoned(jiff::tz::TimeZone::UTC)).expect("a date").replace("+0000", "GMT"))
            .expect("visible")
    }

    fn apart(skews: &Skews, origin: &str) -> i64 {
        let now = SystemTime::UNIX_EPOCH + NOW;
        let there = skews.time_at(origin, now);
        let millis = |apart: Duration| i64::try_from(apart.as_millis()).expect("not long");
        there.duration_since(now).map_or_else(|before| -millis(before.duration()), millis)
    }

    fn noted(dates: &[HeaderValue]) -> Skews {
        let skews = Skews::default();
        dates.iter().for_each(|date| skews.note("api.test", date, SystemTime::UNIX_EPOCH + NOW, Duration::from_millis(200)));
        skews
    }

    #[test]
    fn three_answers_move_the_clock_of_their_own_origin_and_no_other() {
        let skews = noted(&[date(60), date(60)]);
        assert_eq!(apart(&skews, "api.test"), 0, "two are too few");
        let skews = noted(&[date(60), date(60), date(60)]);
        assert_eq!((apart(&skews, "api.test"), apart(&skews, "other.test")), (60_600, 0));
        assert_eq!(apart(&noted(&[date(-40), date(-40), date(-40)]), "api.test"), -39_400);
    }

    #[test]
    fn the_median_counts_and_nothing_beyond_five_minutes() {
        assert_eq!(apart(&noted(&[date(60), date(299), date(60)]), "api.test"), 60_600, "one that lies moves nothing");
        assert_eq!(apart(&noted(&[date(60), date(60), date(60), date(10), date(10)]), "api.test"), 10_600, "the last three");
        assert_eq!(apart(&noted(&[date(301), date(86_400), date(-301), date(600)]), "api.test"), 0);
        assert_eq!(apart(&noted(&[date(0), date(1), date(0)]), "api.test"), 0, "within the second that a date counts");
        let odd = ["", "tomorrow", "1764453660", "Sun, 30 Feb 2025 00:00:00 GMT"].map(HeaderValue::from_static);
        assert_eq!(apart(&noted(&odd), "api.test"), 0);
    }

    #[test]
    fn an_agent_can_not_fill_the_memory_with_origins() {
        let skews = Skews::default();
        for origin in 0..1_000 {
            skews.note(&format!("{origin}.test"), &date(60), SystemTime::UNIX_EPOCH + NOW, Duration::ZERO);
        }
        assert_eq!(skews.0.lock().len(), MOST_ORIGINS);
    }
}
