//! Times by a calendar: five fields as crontab(5) has them, in a time zone, read strictly. Pure but for the zone's rules, which are read once:
//! those of the system, or those that came with the program.
//!
//! Clocks are set forward and back. A schedule that names hours runs once for each time that it names: one that the clock skips is due as the
//! clock is set, and one that the clock shows twice is due the first time. A schedule of every hour goes by the time that passes: it has no run
//! for what is skipped, and one for each time that is shown twice.

use super::diagnostic::Problem;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};

/// Days that are looked through: 29 February comes again after eight years at most, and on the same day of the week after forty.
const DAYS: usize = 20_000;

const MONTHS: [&str; 12] = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// A schedule by a calendar, as in `0 9 * * MON-FRI`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cron {
    text: String,
    zone: TimeZone,
    minutes: Set,
    hours: Set,
    days: Set,
    months: Set,
    weekdays: Set,
}

/// Which numbers a field names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Set {
    bits: u64,
    /// Whether it is `*`.
    all: bool,
}

/// What may stand in one field.
struct Field {
    what: &'static str,
    least: u8,
    most: u8,
    /// Names of numbers, from the least on.
    names: &'static [&'static str],
}

const FIELDS: [Field; 5] = [
    Field { what: "minutes", least: 0, most: 59, names: &[] },
    Field { what: "hours", least: 0, most: 23, names: &[] },
    Field { what: "days of the month", least: 1, most: 31, names: &[] },
    Field { what: "months", least: 1, most: 12, names: &MONTHS },
    // 7 is Sunday, too.
    Field { what: "days of the week", least: 0, most: 7, names: &WEEKDAYS },
];

impl Cron {
    /// Reads the five fields.
    pub(super) fn parse(text: &str, zone: TimeZone) -> Result<Self, Problem> {
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        let [minute, hour, day, month, weekday] = words[..] else {
            let remedy = "write minute, hour, day of the month, month and day of the week, as in `0 9 * * MON-FRI`";
            return Err(Problem::new("not five fields", remedy));
        };
        let [minutes, hours, days, months, weekdays] = &FIELDS;
        let mut weekdays = weekdays.read(weekday)?;
        if weekdays.has(7) {
            weekdays.bits |= 1;
        }
        // As in crontab(5): a field of days that begins with `*` leaves the choice to the other one.
        let [mut days, mut weekdays] = [days.read(day)?, weekdays];
        (days.all, weekdays.all) = (day.starts_with('*'), weekday.starts_with('*'));
        let cron = Self {
            text: words.join(" "),
            zone,
            minutes: minutes.read(minute)?,
            hours: hours.read(hour)?,
            days,
            months: months.read(month)?,
            weekdays,
        };
        match cron.after(0) {
            Some(_) => Ok(cron),
            None => Err(Problem::new("a day that no year has", "name days that the months have")),
        }
    }

    /// The first time that it names after `millis`, both in milliseconds since 1970-01-01T00:00:00Z. None past the year 9999.
    #[must_use]
    pub fn after(&self, millis: u64) -> Option<u64> {
        let after = Timestamp::from_millisecond(i64::try_from(millis).ok()?).ok()?;
        let next = if self.hours.all { self.by_time(after) } else { self.by_clock(after) };
        u64::try_from(next?.as_millisecond()).ok()
    }

    /// The five fields, and the zone.
    #[must_use]
    pub fn shown(&self) -> String {
        format!("{} in {}", self.text, self.zone.iana_name().unwrap_or("UTC"))
    }

    /// The next time that the clock shows, among the times that are named.
    fn by_clock(&self, after: Timestamp) -> Option<Timestamp> {
        let start = after.to_zoned(self.zone.clone()).datetime();
        let mut date = start.date();
        for _ in 0..DAYS {
            if self.has_day(date) {
                for time in self.times().filter(|time| date != start.date() || *time > start.time()) {
                    let shown = self.first_shown(DateTime::from_parts(date, time))?;
                    if shown > after {
                        return Some(shown);
                    }
                }
            }
            date = date.tomorrow().ok()?;
        }
        None
    }

    /// When the clock first shows a time; where it skips it, when it is set.
    fn first_shown(&self, at: DateTime) -> Option<Timestamp> {
        match self.zone.to_ambiguous_timestamp(at).offset() {
            AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(at).ok(),
            AmbiguousOffset::Fold { before, .. } => before.to_timestamp(at).ok(),
            AmbiguousOffset::Gap { before, .. } => {
                let past = before.to_timestamp(at).ok()?.checked_add(SignedDuration::from_nanos(1)).ok()?;
                self.zone.preceding(past).next().map(|set| set.timestamp())
            }
        }
    }

    /// The next minute that is named, by the time that passes.
    fn by_time(&self, after: Timestamp) -> Option<Timestamp> {
        let shown = after.to_zoned(self.zone.clone());
        let within = SignedDuration::new(i64::from(shown.second()), shown.subsec_nanosecond());
        let mut next = after.checked_sub(within).ok()?;
        let mut days = 0;
        next = next.checked_add(SignedDuration::from_mins(1)).ok()?;
        while days < DAYS {
            let shown = next.to_zoned(self.zone.clone());
            if !self.has_day(shown.date()) {
                next = shown.tomorrow().ok()?.start_of_day().ok()?.timestamp();
                days += 1;
            } else if self.minutes.has(shown.minute().unsigned_abs()) {
                return Some(next);
            } else {
                next = next.checked_add(SignedDuration::from_mins(1)).ok()?;
            }
        }
        None
    }

    /// As crontab(5) has it: where both kinds of day are named, either is enough.
    fn has_day(&self, date: Date) -> bool {
        let day = self.days.has(date.day().unsigned_abs());
        let weekday = self.weekdays.has(date.weekday().to_sunday_zero_offset().unsigned_abs());
        let is_day = match (self.days.all, self.weekdays.all) {
            (false, false) => day || weekday,
            _ => day && weekday,
        };
        is_day && self.months.has(date.month().unsigned_abs())
    }

    /// The times of a day, in their order.
    fn times(&self) -> impl Iterator<Item = Time> {
        let time = |hour: i8, minute: i8| Time::new(hour, minute, 0, 0).ok();
        let minutes = self.minutes;
        let hours = (0..24_i8).filter(|hour| self.hours.has(hour.unsigned_abs()));
        hours.flat_map(move |hour| (0..60_i8).filter(move |minute| minutes.has(minute.unsigned_abs())).filter_map(move |m| time(hour, m)))
    }
}

impl Set {
    fn has(self, number: u8) -> bool {
        self.bits >> number & 1 == 1
    }
}

impl Field {
    fn read(&self, text: &str) -> Result<Set, Problem> {
        let parts = text.split(',').map(|part| self.part(part));
        let bits = parts.reduce(|all, part| Ok(all? | part?)).unwrap_or(Ok(0))?;
        Ok(Set { bits, all: text == "*" })
    }

    /// `*`, `A`, `A-B`, each with `/STEP`.
    fn part(&self, text: &str) -> Result<u64, Problem> {
        let (range, step) = text.split_once('/').map_or((text, None), |(range, step)| (range, Some(step)));
        let step = match step.map(str::parse::<u8>) {
            None => 1,
            Some(Ok(step)) if step > 0 && range.contains(['*', '-']) => step,
            Some(_) => return Err(self.wrong("write a step behind `*` or a range, as in `*/15`")),
        };
        let (first, last) = match range.split_once('-') {
            // Sunday once.
            _ if range == "*" => (self.least, if self.most == 7 { 6 } else { self.most }),
            Some((first, last)) => (self.number(first)?, self.number(last)?),
            None => (self.number(range)?, self.number(range)?),
        };
        if first > last {
            return Err(self.wrong("write the smaller number first; two ranges, as in `22-23,0-5`, go past the end"));
        }
        Ok((first..=last).step_by(step.into()).fold(0, |bits, number| bits | 1 << number))
    }

    fn number(&self, word: &str) -> Result<u8, Problem> {
        if let Some(at) = self.names.iter().position(|name| name.eq_ignore_ascii_case(word)) {
            return Ok(self.least + u8::try_from(at).unwrap_or_default());
        }
        let is_number = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
        let number = word.parse().ok().filter(|number| is_number && (self.least..=self.most).contains(number));
        let names = if self.names.is_empty() { "" } else { ", or a name of three letters" };
        number.ok_or_else(|| self.wrong(format!("write a number from {} to {}{names}", self.least, self.most)))
    }

    /// What is wrong is told by its field, and never quoted.
    fn wrong(&self, remedy: impl Into<String>) -> Problem {
        Problem::new(format!("its {} can't be read", self.what), remedy.into())
    }
}

/// Reads the name of a time zone, as in `Europe/Berlin`.
pub(super) fn time_zone(name: &str) -> Result<TimeZone, Problem> {
    let wrong = || Problem::new("not a time zone", "write a name of the IANA database, as in `Europe/Berlin`, or `UTC`");
    TimeZone::get(name).map_err(|_| wrong()).and_then(|zone| zone.iana_name().map(|_| zone.clone()).ok_or_else(wrong))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cron(text: &str, zone: &str) -> Cron {
        Cron::parse(text, time_zone(zone).expect("a zone")).expect("a schedule")
    }

    /// The times that a schedule names after another, in UTC.
    fn times(text: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
        let cron = cron(text, zone);
        let mut at = u64::try_from(after.parse::<Timestamp>().expect("a time").as_millisecond()).expect("past 1970");
        let mut next = || {
            at = cron.after(at).expect("there is a next time");
            Timestamp::from_millisecond(i64::try_from(at).expect("a time")).expect("a time").to_string()
        };
        (0..count).map(|_| next()).collect()
    }

    #[test]
    fn a_schedule_names_its_times_in_order() {
        for (text, after, expected) in [
            ("* * * * *", "2026-02-28T23:58:30Z", &["2026-02-28T23:59:00Z", "2026-03-01T00:00:00Z"][..]),
            ("*/20 * * * *", "2026-01-01T00:20:00Z", &["2026-01-01T00:40:00Z", "2026-01-01T01:00:00Z"]),
            ("5,35 9-10 * * *", "2026-01-01T09:20:00Z", &["2026-01-01T09:35:00Z", "2026-01-01T10:05:00Z", "2026-01-01T10:35:00Z"]),
            ("0 9 * * MON-FRI", "2026-01-02T09:00:00Z", &["2026-01-05T09:00:00Z", "2026-01-06T09:00:00Z"]),
            ("0 0 * * 0", "2026-01-01T00:00:00Z", &["2026-01-04T00:00:00Z", "2026-01-11T00:00:00Z"]),
            ("0 0 * * 7", "2026-01-01T00:00:00Z", &["2026-01-04T00:00:00Z"]),
            ("0 0 31 * *", "2026-01-31T00:00:00Z", &["2026-03-31T00:00:00Z", "2026-05-31T00:00:00Z"]),
            ("0 0 29 2 *", "2096-02-29T00:00:00Z", &["2104-02-29T00:00:00Z"]),
            // Either kind of day is enough.
            ("0 0 13 * fri", "2026-02-01T00:00:00Z", &["2026-02-06T00:00:00Z", "2026-02-13T00:00:00Z", "2026-02-20T00:00:00Z"]),
            // But not where one of them begins with `*`: odd days that are Mondays, and Mondays that are odd days.
            ("0 0 */2 * MON", "2026-03-01T00:00:00Z", &["2026-03-09T00:00:00Z", "2026-03-23T00:00:00Z"]),
            ("0 0 9,23 * */1", "2026-03-01T00:00:00Z", &["2026-03-09T00:00:00Z", "2026-03-23T00:00:00Z"]),
            ("10-30/10 0 1 jan *", "2026-01-01T00:10:00Z", &["2026-01-01T00:20:00Z", "2026-01-01T00:30:00Z", "2027-01-01T00:10:00Z"]),
        ] {
            assert_eq!(times(text, "UTC", after, expected.len()), expected, "{text}");
        }
    }

    #[test]
    fn a_time_that_the_clock_skips_is_due_as_it_is_set_and_one_that_it_shows_twice_is_due_once() {
        // Berlin: forward at 2026-03-29T01:00Z from 02:00 to 03:00, back at 2026-10-25T01:00Z from 03:00 to 02:00.
        for (text, zone, after, expected) in [
            ("30 2 * * *", "Europe/Berlin", "2026-03-28T02:00:00Z", &["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"][..]),
            // Several in the gap, and the first behind it, are one run.
            ("*/15 2-3 * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", &["2026-03-29T01:00:00Z", "2026-03-29T01:15:00Z"]),
            ("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", &["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]),
            ("0,30 2 * * *", "Europe/Berlin", "2026-10-25T00:10:00Z", &["2026-10-25T00:30:00Z", "2026-10-26T01:00:00Z"]),
            // Within the hour that comes again.
            ("45 2 * * *", "Europe/Berlin", "2026-10-25T01:10:00Z", &["2026-10-26T01:45:00Z"]),
            // Every hour: by the time that passes.
            ("30 * * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", &["2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z"]),
            (
                "30 * * * *",
                "Europe/Berlin",
                "2026-10-25T00:00:00Z",
                &["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-25T02:30:00Z"],
            ),
            // A zone that is set by half an hour, and one that skips midnight.
            ("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00:00Z", &["2026-10-03T15:30:00Z", "2026-10-04T15:15:00Z"]),
            ("0 0 * * *", "America/Santiago", "2026-09-05T05:00:00Z", &["2026-09-06T04:00:00Z", "2026-09-07T03:00:00Z"]),
        ] {
            assert_eq!(times(text, zone, after, expected.len()), expected, "{text} in {zone}");
        }
    }

    #[test]
    fn each_time_comes_after_the_one_before() {
        // Three days around each time that one of the zones' clocks is set.
        let set = ["2026-03-28", "2026-04-03", "2026-09-05", "2026-10-02", "2026-10-24"];
        for zone in ["Europe/Berlin", "America/Santiago", "Australia/Lord_Howe", "Asia/Kathmandu"] {
            for (text, from) in
                ["*/7 1-4 * * *", "*/7 * * * *", "0 */2 * * *", "0 0 * * *"].iter().flat_map(|text| set.map(|from| (*text, from)))
            {
                let cron = cron(text, zone);
                let mut at =
                    u64::try_from(format!("{from}T00:00:00Z").parse::<Timestamp>().expect("a time").as_millisecond()).expect("past 1970");
                let end = at + 3 * 86_400_000;
                while at < end {
                    let next = cron.after(at).expect("a next time");
                    assert!(next > at && cron.after(next - 1) == Some(next), "{text} in {zone} after {at}: {next}");
                    at = next;
                }
            }
        }
    }

    #[test]
    fn what_is_no_schedule_is_refused_with_the_field_that_is_wrong() {
        for (text, finding) in [
            ("0 9 * *", "not five fields"),
            ("0 0 9 * * MON", "not five fields"),
            ("60 * * * *", "its minutes can't be read"),
            ("* 24 * * *", "its hours can't be read"),
            ("* * 0 * *", "its days of the month can't be read"),
            ("* * * 13 *", "its months can't be read"),
            ("* * * * 8", "its days of the week can't be read"),
            ("* * * * FRI-MON", "its days of the week can't be read"),
            ("*/0 * * * *", "its minutes can't be read"),
            ("5/10 * * * *", "its minutes can't be read"),
            ("1,,2 * * * *", "its minutes can't be read"),
            ("+1 * * * *", "its minutes can't be read"),
            ("* * * MONDAY *", "its months can't be read"),
            ("0 0 30 2 *", "a day that no year has"),
        ] {
            assert_eq!(Cron::parse(text, TimeZone::UTC).expect_err(text).found, finding);
        }
        for name in ["Europe/Atlantis", "", "../UTC", "CET+1"] {
            assert!(time_zone(name).is_err(), "{name}");
        }
    }
}
