//! What of signature, time and nonce a request holds already, and where: each at most once, under one name.

use super::{HmacKey, Part, Refused, Request, same_header, stamp};
use crate::credential::{Fields, Held};
use crate::manifest::hmac::{NonceSpec, Spot, TimestampSpec};
use crate::manifest::{HmacSpec, Place};
use crate::url::{pairs, percent_decoded, same_parameter};
use http::HeaderName;
use std::fmt;
use std::time::SystemTime;

/// What a request holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Stands {
    /// The signature.
    pub signature: Option<Found>,
    /// The time.
    pub timestamp: Option<Found>,
    /// The number.
    pub nonce: Option<Found>,
}

/// What stands in a place. It prints without the text, which may be a signature that counts.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Found {
    /// The place.
    pub place: Spot,
    /// What stands there, decoded. As it came from the agent, it is nothing secret.
    pub text: String,
    /// Whether it is a number of a JSON document, without quotes.
    pub is_number: bool,
}

/// What a request holds, signed with the placeholder not long ago.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified(Stands);

impl Verified {
    /// What it holds.
    #[must_use]
    pub fn stands(&self) -> &Stands {
        &self.0
    }
}

impl fmt::Debug for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Found({})", self.place)
    }
}

impl HmacSpec {
    /// What the request holds of signature, time and nonce.
    ///
    /// # Errors
    /// Where one of them stands twice, or may for some server, is empty, or stands in a body that can't be read.
    pub fn stands(&self, request: &Request<'_>) -> Result<Stands, Refused> {
        let needs_body = self.places().any(|place| matches!(place, Spot::Form(_) | Spot::Json(_)));
        let fields = if needs_body { Fields::read(request.headers, request.body).map_err(|_| Refused::Body)? } else { Fields::Empty };
        let find = |places: &[Spot], part| find(request, &fields, places, part);
        let timestamps = self.timestamp.iter().map(|TimestampSpec { places, .. }| places.as_slice()).next();
        let nonces = self.nonce.iter().map(|NonceSpec { places, .. }| places.as_slice()).next();
        Ok(Stands {
            signature: find(&self.signature, Part::Signature)?,
            timestamp: find(timestamps.unwrap_or_default(), Part::Timestamp)?,
            nonce: find(nonces.unwrap_or_default(), Part::Nonce)?,
        })
    }

    /// Shows that the agent has signed this request with its placeholder, at most 5 minutes from `now`. The comparison takes the same time
    /// for every wrong signature.
    ///
    /// # Errors
    /// What is wrong with the request.
    pub fn verify(&self, placeholder: &HmacKey, request: &Request<'_>, now: SystemTime) -> Result<Verified, Refused> {
        let stands = self.stands(request)?;
        let signature = stands.signature.as_ref().ok_or(Refused::Missing(Part::Signature))?;
        if let Some(TimestampSpec { format, .. }) = &self.timestamp {
            let found = stands.timestamp.as_ref().ok_or(Refused::Missing(Part::Timestamp))?;
            let then = stamp::read(*format, &found.text).ok_or(Refused::Malformed(Part::Timestamp))?;
            stamp::is_near(then, now).then_some(()).ok_or(Refused::Skew)?;
        }
        if self.nonce.is_some() {
            let found = stands.nonce.as_ref().ok_or(Refused::Missing(Part::Nonce))?;
            stamp::number(&found.text).ok_or(Refused::Malformed(Part::Nonce))?;
        }
        let given = self.encoding.decoded(&signature.text).ok_or(Refused::Malformed(Part::Signature))?;
        match placeholder.is_of(&self.signed(request, &stands), &given)? {
            true => Ok(Verified(stands)),
            false => Err(Refused::Wrong),
        }
    }
}

fn find(request: &Request<'_>, fields: &Fields<'_>, places: &[Spot], part: Part) -> Result<Option<Found>, Refused> {
    let mut found = None;
    for place in places {
        let held = match place {
            Spot::Header(name) => in_headers(request, name, part)?,
            Spot::Query(name) => in_pairs(request.query.unwrap_or_default(), name, part)?,
            Spot::Form(_) | Spot::Json(_) => in_fields(fields, place, part)?,
        };
        match held {
            Some(_) if found.is_some() => return Err(Refused::Twice(part)),
            Some((text, _)) if text.is_empty() => return Err(Refused::Malformed(part)),
            Some((text, is_number)) => found = Some(Found { place: place.clone(), text, is_number }),
            None => {}
        }
    }
    Ok(found)
}

fn in_headers(request: &Request<'_>, name: &HeaderName, part: Part) -> Result<Option<(String, bool)>, Refused> {
    let mut lines = request.headers.iter().filter(|(known, _)| same_header(known, name));
    match (lines.next(), lines.next()) {
        (None, _) => Ok(None),
        (Some((known, value)), None) if known == name => {
            value.to_str().map(|text| Some((text.to_owned(), false))).map_err(|_| Refused::Malformed(part))
        }
        _ => Err(Refused::Twice(part)),
    }
}

fn in_pairs(text: &str, name: &str, part: Part) -> Result<Option<(String, bool)>, Refused> {
    let pairs = pairs(text).map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let mut alike = pairs.filter(|(known, _)| same_parameter(known, name));
    match (alike.next(), alike.next()) {
        (None, _) => Ok(None),
        (Some((known, value)), None) if known == name => {
            String::from_utf8(percent_decoded(value)).map(|text| Some((text, false))).map_err(|_| Refused::Malformed(part))
        }
        _ => Err(Refused::Twice(part)),
    }
}

fn in_fields(fields: &Fields<'_>, place: &Spot, part: Part) -> Result<Option<(String, bool)>, Refused> {
    match fields.held(&Place::from(place)) {
        None | Some(Held::Nothing | Held::OtherKind) => Ok(None),
        Some(Held::Text(text, _)) => Ok(Some((text, false))),
        Some(Held::Number(number)) => Ok(Some((number, true))),
        Some(Held::Twice(_)) => Err(Refused::Twice(part)),
        Some(Held::Odd(_)) => Err(Refused::Malformed(part)),
    }
}
