//! Quantities with their units: sizes, durations, rates.

use super::diagnostic::Problem;
use std::time::Duration;

const SIZES: &[(&str, u64)] =
    &[("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("kB", 1_000), ("MB", 1_000_000), ("GB", 1_000_000_000), ("B", 1)];
const DURATIONS: &[(&str, u64)] = &[("ms", 1), ("s", 1_000), ("min", 60_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
const PERIODS: &[(&str, u64)] = &[("s", 1), ("min", 60), ("h", 3_600)];

/// A number of requests per period, `120/min`. Counted over a sliding window of that period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rate {
    /// Requests allowed in any window of `per`.
    pub requests: u32,
    /// The window.
    pub per: Duration,
}

impl std::fmt::Display for Rate {
    /// As a manifest writes it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let unit = PERIODS.iter().find(|(_, seconds)| *seconds == self.per.as_secs()).map_or("s", |(unit, _)| unit);
        write!(f, "{}/{unit}", self.requests)
    }
}

impl Rate {
    /// That of grants and destinations that name none: no agent that works meets it, and none fills a disk with the records of its requests.
    pub const DEFAULT: Self = Self { requests: 60_000, per: Duration::from_secs(60) };
}

/// Parses `64MiB`, `1GB`, `512B`.
pub(crate) fn size(text: &str) -> Result<u64, Problem> {
    let remedy = "write a whole number and a unit: B, KiB, MiB, GiB, kB, MB or GB, as in `64MiB`";
    quantity(text, SIZES).ok_or_else(|| Problem::new("not a size", remedy))
}

/// Parses `500ms`, `10s`, `2m`, `1h`. At least one millisecond.
///
/// # Errors
/// A [`Problem`] that says what to write instead.
pub fn duration(text: &str) -> Result<Duration, Problem> {
    let remedy = "write a whole number above 0 and a unit: ms, s, m, h or d, as in `10s`";
    match quantity(text, DURATIONS) {
        Some(millis) if millis > 0 => Ok(Duration::from_millis(millis)),
        _ => Err(Problem::new("not a duration", remedy)),
    }
}

/// Parses `120/min`.
pub(crate) fn rate(text: &str) -> Result<Rate, Problem> {
    let parsed = text.split_once('/').and_then(|(requests, period)| {
        let requests = requests.parse().ok().filter(|n| *n > 0)?;
        let (_, seconds) = PERIODS.iter().find(|(unit, _)| *unit == period)?;
        Some(Rate { requests, per: Duration::from_secs(*seconds) })
    });
    parsed.ok_or_else(|| Problem::new("not a rate", "write requests per period: N/s, N/min or N/h, as in `120/min`"))
}

fn quantity(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (_, factor) = units.iter().find(|(unit, _)| *unit == &text[digits..])?;
    text[..digits].parse::<u64>().ok()?.checked_mul(*factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_need_a_whole_number_and_a_known_unit() {
        assert_eq!(size("64MiB"), Ok(64 << 20));
        assert_eq!(size("512B"), Ok(512));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(rate("120/min"), Ok(Rate { requests: 120, per: Duration::from_secs(60) }));
        for bad in ["", "64", "MiB", "-1MiB", "1.5GiB", "64 MiB", "99999999999999999999GiB"] {
            assert!(size(bad).is_err(), "{bad}");
        }
        for bad in ["0s", "10", "s", "1y"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
        for bad in ["0/s", "10", "10/d", "/s", "1/1s"] {
            assert!(rate(bad).is_err(), "{bad}");
        }
    }
}
