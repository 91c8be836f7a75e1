//! The time and the number that the host writes into a request, and how those of an agent are read.

use super::{Part, Refused, Request, Stands};
use crate::credential::Kind;
use crate::manifest::HmacSpec;
use crate::manifest::hmac::{NonceSpec, NonceUnit, Spot, TimeFormat, TimestampSpec};
use jiff::Timestamp;
use jiff::fmt::temporal::DateTimePrinter;
use std::time::{Duration, SystemTime};

/// How far an agent's clock may be from the host's.
const SKEW: Duration = Duration::from_secs(5 * 60);

/// The time and the number of one request, as they are written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Stamp {
    /// The time, where the scheme has one.
    pub timestamp: Option<String>,
    /// The number, where the scheme has one.
    pub nonce: Option<String>,
}

/// What is written into a request before it is signed, and where the signature then goes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Plan {
    /// Time and number, each in the place of what stands there, or added.
    pub stamps: Vec<Edit>,
    /// Where the signature goes. What stands there is taken out first: where it is a parameter, the signature is the last one.
    pub signature: Spot,
}

/// What is written into a place.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Edit {
    /// The place.
    pub place: Spot,
    /// The text, not yet encoded for the place.
    pub text: String,
    /// Whether it is written as a number, where the place is in a JSON document.
    pub is_number: bool,
}

impl HmacSpec {
    /// The least number that a nonce of the scheme may be now; none where the scheme has no nonce.
    #[must_use]
    pub fn least_nonce(&self, now: SystemTime) -> Option<u64> {
        let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let number = match self.nonce.as_ref()?.unit {
            NonceUnit::Seconds => since.as_secs().into(),
            NonceUnit::Millis => since.as_millis(),
            NonceUnit::Micros => since.as_micros(),
            NonceUnit::Nanos => since.as_nanos(),
        };
        Some(u64::try_from(number).unwrap_or(u64::MAX))
    }

    /// What the host writes: this time, and this number where the scheme has a nonce.
    ///
    /// # Errors
    /// Where the scheme has a nonce and there is none, or the time can't be written.
    pub fn stamp(&self, now: SystemTime, nonce: Option<u64>) -> Result<Stamp, Refused> {
        let timestamp = self.timestamp.as_ref().map(|TimestampSpec { format, .. }| {
            let now = Timestamp::try_from(now).map_err(|_| Refused::Malformed(Part::Timestamp))?;
            Ok(written(*format, now))
        });
        let nonce = self.nonce.as_ref().map(|_| nonce.map(|number| number.to_string()).ok_or(Refused::Missing(Part::Nonce)));
        Ok(Stamp { timestamp: timestamp.transpose()?, nonce: nonce.transpose()? })
    }

    /// Where the stamp and the signature go: to the places that the request uses, or where it uses none, to the first that fits it.
    ///
    /// # Errors
    /// Where no place fits.
    pub fn plan(&self, stands: &Stands, request: &Request<'_>, stamp: &Stamp) -> Result<Plan, Refused> {
        let timestamps =
            self.timestamp.as_ref().map(|TimestampSpec { places, .. }| (places, Part::Timestamp, &stands.timestamp, &stamp.timestamp));
        let nonces = self.nonce.as_ref().map(|NonceSpec { places, .. }| (places, Part::Nonce, &stands.nonce, &stamp.nonce));
        let mut stamps = Vec::new();
        for (places, part, found, text) in [timestamps, nonces].into_iter().flatten() {
            let text = text.clone().ok_or(Refused::Missing(part))?;
            let (place, is_number) = match found {
                Some(found) => (found.place.clone(), found.is_number),
                None => (fitting(places, request, part)?, false),
            };
            stamps.push(Edit { place, text, is_number });
        }
        let signature = match &stands.signature {
            Some(found) => found.place.clone(),
            None => fitting(&self.signature, request, Part::Signature)?,
        };
        Ok(Plan { stamps, signature })
    }
}

/// The first place that can be added to the request. A header and a parameter always can.
fn fitting(places: &[Spot], request: &Request<'_>, part: Part) -> Result<Spot, Refused> {
    let kind = || Kind::of(request.headers).unwrap_or(Kind::Other);
    let fits = |place: &&Spot| match place {
        Spot::Header(_) | Spot::Query(_) => true,
        Spot::Form(_) => kind() == Kind::Form,
        // A member has to be added to something.
        Spot::Json(_) => kind() == Kind::Json && request.body.trim_ascii_start().starts_with(b"{"),
    };
    places.iter().find(fits).cloned().ok_or(Refused::NoPlace(part))
}

/// A time as it is written.
fn written(format: TimeFormat, time: Timestamp) -> String {
    match format {
        TimeFormat::Seconds => time.as_second().to_string(),
        TimeFormat::Millis => time.as_millisecond().to_string(),
        TimeFormat::Micros => time.as_microsecond().to_string(),
        TimeFormat::Rfc3339 => DateTimePrinter::new().precision(Some(3)).timestamp_to_string(&time),
    }
}

/// The time that an agent has written. Libraries write seconds with decimals, too.
pub(super) fn read(format: TimeFormat, text: &str) -> Option<Timestamp> {
    let (whole, decimals) = match format {
        TimeFormat::Seconds => text.split_once('.').map_or((text, None), |(whole, decimals)| (whole, Some(decimals))),
        _ => (text, None),
    };
    if decimals.is_some_and(|decimals| decimals.is_empty() || decimals.len() > 9 || !decimals.bytes().all(|b| b.is_ascii_digit())) {
        return None;
    }
    let count = || number(whole).and_then(|number| i64::try_from(number).ok());
    match format {
        TimeFormat::Seconds => Timestamp::from_second(count()?).ok(),
        TimeFormat::Millis => Timestamp::from_millisecond(count()?).ok(),
        TimeFormat::Micros => Timestamp::from_microsecond(count()?).ok(),
        TimeFormat::Rfc3339 => text.parse().ok().filter(|_| is_rfc3339(text)),
    }
}

/// In UTC, as `2026-11-29T22:07:02Z` with at most 9 decimals.
fn is_rfc3339(text: &str) -> bool {
    let Some((seconds, decimals)) = text.strip_suffix('Z').and_then(|rest| rest.split_at_checked(19)) else { return false };
    let shape = seconds.bytes().zip(b"0000-00-00T00:00:00").all(|(b, shape)| if *shape == b'0' { b.is_ascii_digit() } else { b == *shape });
    let digits = decimals.strip_prefix('.');
    shape
        && (decimals.is_empty()
            || digits.is_some_and(|digits| (1..=9).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit())))
}

/// A number as programs write one: digits, without a sign, an exponent or zeros before them.
pub(super) fn number(text: &str) -> Option<u64> {
    let is_plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| is_plain)
}

/// Whether an agent's time is the host's, give or take what clocks differ by.
pub(super) fn is_near(then: Timestamp, now: SystemTime) -> bool {
    let then = SystemTime::from(then);
    let apart = then.duration_since(now).or_else(|_| now.duration_since(then));
    apart.is_ok_and(|apart| apart <= SKEW)
}
