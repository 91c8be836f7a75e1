//! When a request was signed.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::rfc2822::DateTimeParser;
use jiff::tz::TimeZone;
use std::time::SystemTime;

/// A time as texts to sign have it: `20150830T123600Z`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    text: String,
    seconds: i64,
}

impl Stamp {
    /// Exactly `YYYYMMDDTHHMMSSZ`.
    pub(super) fn read(text: &str) -> Option<Self> {
        let bytes: &[u8; 16] = text.as_bytes().try_into().ok()?;
        let number = |from: usize, to: usize| {
            let digits = &bytes[from..to];
            digits.iter().all(u8::is_ascii_digit).then(|| digits.iter().fold(0_i16, |sum, digit| sum * 10 + i16::from(digit - b'0')))
        };
        let small = |from: usize| number(from, from + 2).and_then(|number| i8::try_from(number).ok());
        if bytes[8] != b'T' || bytes[15] != b'Z' {
            return None;
        }
        let time = DateTime::new(number(0, 4)?, small(4)?, small(6)?, small(9)?, small(11)?, small(13)?, 0).ok()?;
        let seconds = TimeZone::UTC.to_timestamp(time).ok()?.as_second();
        Some(Self { text: text.to_owned(), seconds })
    }

    /// What the header `Date` holds: the same, or the form of RFC 9110 5.6.7.
    pub(super) fn read_date(text: &str) -> Option<Self> {
        Self::read(text).or_else(|| Self::read(&DateTimeParser::new().parse_timestamp(text).ok()?.strftime("%Y%m%dT%H%M%SZ").to_string()))
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// `YYYYMMDD`.
    pub(super) fn date(&self) -> &str {
        &self.text[..8]
    }

    /// How many seconds `now` is after it; negative where it is still to come.
    pub(super) fn age(&self, now: SystemTime) -> i64 {
        Timestamp::try_from(now).map_or(i64::MAX, |now| now.as_second().saturating_sub(self.seconds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_in_one_form_only_and_in_two_from_the_header_date() {
        let right = Stamp::read("20150830T123600Z").expect("a time");
        assert_eq!((right.date(), right.age(SystemTime::UNIX_EPOCH)), ("20150830", -1_440_938_160));
        assert_eq!(Stamp::read_date("Sun, 30 Aug 2015 12:36:00 GMT"), Some(right.clone()));
        assert_eq!(Stamp::read_date("20150830T123600Z"), Some(right));

        for wrong in [
            "",
            "20150830T123600",
            "20150830T123600z",
            "20150830 123600Z",
            "20150830T123660Z",
            "20150230T123600Z",
            "20151330T123600Z",
            "+0150830T123600Z",
            "2015083OT123600Z",
            "20150830T123600ZZ",
            "2015-08-30T12:36:00Z",
            "20150830T1236é0Z",
        ] {
            assert_eq!(Stamp::read(wrong), None, "{wrong}");
        }
        assert_eq!(Stamp::read_date("yesterday"), None);
    }
}
