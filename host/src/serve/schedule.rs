//! When an agent's next run is due. Pure: the clock is an argument, in milliseconds since 1970-01-01T00:00:00Z.

use crate::clock::millis;
use crate::manifest::{Missed, Trigger};

/// By how much a run may begin late: what is later was missed, since the host was down or the machine asleep.
const LATE: u64 = 60_000;

/// The first run that is due for a supervisor that begins now. `last` is the last one that was due for an earlier one.
pub(super) fn first(trigger: &Trigger, last: Option<u64>, now: u64) -> Option<u64> {
    match (trigger, last) {
        (Trigger::Http(_), _) => None,
        (Trigger::Once, _) | (Trigger::Every { .. }, None) => Some(now),
        (Trigger::Cron { .. }, None) => following(trigger, now, now),
        (_, Some(last)) => following(trigger, last, now),
        _ => None,
    }
}

/// The run that is due after one that was due at `last`. It lies in the past where runs were missed and one of them is to begin.
pub(super) fn following(trigger: &Trigger, last: u64, now: u64) -> Option<u64> {
    match trigger {
        Trigger::Every { every, missed } => {
            let every = millis(*every).max(1);
            // A clock that was set back does not hold the next one up.
            let last = last.min(now);
            let passed = (now - last) / every;
            match missed {
                Missed::RunOnce if passed > 0 => last.checked_add(passed * every),
                _ => last.checked_add((passed + 1) * every),
            }
        }
        Trigger::Cron { cron, missed } => {
            let next = cron.after(last.min(now))?;
            match missed {
                _ if next > now => Some(next),
                Missed::RunOnce => Some(now),
                _ => cron.after(now),
            }
        }
        _ => None,
    }
}

/// Whether a run that was due then was missed, and is left out for it.
pub(super) fn is_missed(trigger: &Trigger, due: u64, now: u64) -> bool {
    let skips = match trigger {
        Trigger::Every { missed, .. } | Trigger::Cron { missed, .. } => *missed == Missed::Skip,
        _ => false,
    };
    skips && now.saturating_sub(due) > LATE
}

/// When a run that was to be due at `due` is, now that the clock may have been set back, or that several times have passed of which one run makes
/// up: the last of them.
pub(super) fn settled(trigger: &Trigger, due: u64, now: u64) -> u64 {
    match trigger {
        Trigger::Every { every, missed } => {
            let every = millis(*every).max(1);
            let due = due.min(now.saturating_add(every));
            match missed {
                Missed::RunOnce if due < now => due + (now - due) / every * every,
                _ => due,
            }
        }
        Trigger::Cron { cron, missed: Missed::RunOnce } if cron.after(due).is_some_and(|next| next <= now) => now,
        _ => due,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Manifest;

    /// 2026-03-02T00:00:00Z, a Monday.
    const DAY: u64 = 1_772_409_600_000;
    const HOUR: u64 = 3_600_000;

    fn trigger(lines: &str) -> Trigger {
        let text = format!("name = \"a\"\ncomponent = \"a.wasm\"\n[trigger]\n{lines}");
        Manifest::parse("agent.toml", &text).expect("a manifest").trigger
    }

    #[test]
    fn the_first_run_is_due_by_the_trigger_and_by_what_was_due_last() {
        let hourly = "every = \"1h\"\nmissed = ";
        let daily = "cron = \"0 9 * * *\"\nmissed = ";
        let at_nine = DAY + 9 * HOUR;
        for (lines, missed, last, expected) in [
            ("once = true", "", None, Some(DAY)),
            // It had a schedule before.
            ("once = true", "", Some(DAY - HOUR), Some(DAY)),
            (hourly, "skip", None, Some(DAY)),
            (hourly, "run once", None, Some(DAY)),
            (daily, "skip", None, Some(at_nine)),
            (daily, "run once", None, Some(at_nine)),
            // The host was down for a while; the next is not due yet.
            (hourly, "skip", Some(DAY - HOUR / 2), Some(DAY + HOUR / 2)),
            (hourly, "run once", Some(DAY - HOUR / 2), Some(DAY + HOUR / 2)),
            (daily, "skip", Some(at_nine - 24 * HOUR), Some(at_nine)),
            (daily, "run once", Some(at_nine - 24 * HOUR), Some(at_nine)),
            // Several were missed: none, or the last of them.
            (hourly, "skip", Some(DAY - 5 * HOUR / 2), Some(DAY + HOUR / 2)),
            (hourly, "run once", Some(DAY - 5 * HOUR / 2), Some(DAY - HOUR / 2)),
            (daily, "skip", Some(at_nine - 72 * HOUR), Some(at_nine)),
            (daily, "run once", Some(at_nine - 72 * HOUR), Some(DAY)),
            // The clock was set back.
            (hourly, "skip", Some(DAY + 72 * HOUR), Some(DAY + HOUR)),
            (daily, "skip", Some(at_nine + 72 * HOUR), Some(at_nine)),
        ] {
            let lines = if missed.is_empty() { lines.to_owned() } else { format!("{lines}\"{missed}\"") };
            assert_eq!(first(&trigger(&lines), last, DAY), expected, "{lines}, last {last:?}");
        }
    }

    #[test]
    fn runs_follow_each_other_by_the_grid_of_the_first() {
        let (hourly, daily) = (trigger("every = \"1h\""), trigger("cron = \"0 9 * * *\""));

        // It began five seconds late.
        assert_eq!(following(&hourly, DAY, DAY + 5_000), Some(DAY + HOUR));
        assert_eq!(following(&daily, DAY + 9 * HOUR, DAY + 9 * HOUR + 5_000), Some(DAY + 33 * HOUR));
        assert_eq!(following(&trigger("once = true"), DAY, DAY), None);
    }

    #[test]
    fn a_run_whose_time_passed_by_more_than_a_minute_was_missed() {
        for (lines, late, expected) in [
            ("every = \"1h\"", 60_000, false),
            ("every = \"1h\"", 60_001, true),
            ("every = \"1h\"\nmissed = \"run once\"", HOUR, false),
            ("cron = \"0 9 * * *\"", HOUR, true),
            ("once = true", HOUR, false),
        ] {
            assert_eq!(is_missed(&trigger(lines), DAY, DAY + late), expected, "{lines}, {late} ms late");
        }
        assert_eq!(settled(&trigger("every = \"1h\""), DAY + 72 * HOUR, DAY), DAY + HOUR);
        assert_eq!(settled(&trigger("every = \"1h\""), DAY + 5, DAY), DAY + 5);
    }
}
