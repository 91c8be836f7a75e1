//! The scheme `hmac`: a secret that signs requests instead of standing in them, as exchanges want it. What is signed is a template over the
//! request ([`Input`]); where the signature, the time and the nonce stand is said by places. Exchanges that are known by name are presets.
//!
//! Here is only what a manifest says. `crate::credential::hmac` does the work.

mod input;
mod presets;
pub(super) mod read;
mod spot;
#[cfg(test)]
mod tests;

pub use input::{Hash, Input, Piece};
pub use presets::{Companion, Preset};
pub(super) use read::read;
pub use spot::Spot;

use std::fmt;

/// How a secret signs requests. It prints as the inline table that a manifest writes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HmacSpec {
    /// The preset's name, where the manifest names one. The other fields are then the preset's.
    pub preset: Option<&'static str>,
    /// How the signature is made.
    pub algorithm: Algorithm,
    /// How the secret's value is read as a key.
    pub key: KeyForm,
    /// What is signed.
    pub input: Input,
    /// How the signature is written.
    pub encoding: Encoding,
    /// Where the signature may stand: in one of them, once. Never empty.
    pub signature: Vec<Spot>,
    /// Where the request says when it was made.
    pub timestamp: Option<TimestampSpec>,
    /// Where the request has a number that rises from request to request.
    pub nonce: Option<NonceSpec>,
}

/// How a signature is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Algorithm {
    /// HMAC (RFC 2104) with SHA-256.
    HmacSha256,
    /// HMAC with SHA-384.
    HmacSha384,
    /// HMAC with SHA-512.
    HmacSha512,
    /// Ed25519 (RFC 8032).
    Ed25519,
}

/// How a secret's value is read as a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyForm {
    /// The bytes of the value.
    Text,
    /// Base64 (RFC 4648, 4), with its padding or without. Of Ed25519: the seed's 32 bytes, or seed and public key.
    Base64,
    /// Hexadecimal digits, in either case.
    Hex,
    /// PKCS#8 in PEM, for Ed25519.
    Pem,
}

/// How a signature is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Encoding {
    /// Lower-case hexadecimal digits.
    Hex,
    /// Base64 (RFC 4648, 4), padded; percent-encoded where it stands in a query or a form.
    Base64,
}

/// How a time is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimeFormat {
    /// Seconds since 1970-01-01T00:00:00Z.
    Seconds,
    /// Milliseconds since then.
    Millis,
    /// Microseconds since then.
    Micros,
    /// RFC 3339 in UTC with milliseconds, as in `2026-11-29T22:07:02.000Z`.
    Rfc3339,
}

/// Where a request says when it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TimestampSpec {
    /// The places, of which a request uses one. Never empty.
    pub places: Vec<Spot>,
    /// How it is written.
    pub format: TimeFormat,
}

/// Where a request has a number that rises from request to request.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NonceSpec {
    /// The places, of which a request uses one. Never empty.
    pub places: Vec<Spot>,
    /// The numbers are at least the time in this unit, as other software that used the key has counted them.
    pub unit: NonceUnit,
}

/// What numbers of requests are counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NonceUnit {
    /// Seconds since 1970-01-01T00:00:00Z.
    Seconds,
    /// Milliseconds since then.
    Millis,
    /// Microseconds since then.
    Micros,
    /// Nanoseconds since then.
    Nanos,
}

/// Words of a manifest, each with what it means.
pub(super) trait Words: Copy + PartialEq + 'static {
    const ALL: &'static [(&'static str, Self)];

    fn word(self) -> &'static str {
        Self::ALL.iter().find(|(_, meaning)| *meaning == self).map_or("", |(word, _)| word)
    }
}

impl Words for Algorithm {
    const ALL: &'static [(&'static str, Self)] = &[
        ("hmac-sha256", Self::HmacSha256),
        ("hmac-sha384", Self::HmacSha384),
        ("hmac-sha512", Self::HmacSha512),
        ("ed25519", Self::Ed25519),
    ];
}

impl Words for KeyForm {
    const ALL: &'static [(&'static str, Self)] = &[("text", Self::Text), ("base64", Self::Base64), ("hex", Self::Hex), ("pem", Self::Pem)];
}

impl Words for Encoding {
    const ALL: &'static [(&'static str, Self)] = &[("hex", Self::Hex), ("base64", Self::Base64)];
}

impl Words for TimeFormat {
    const ALL: &'static [(&'static str, Self)] =
        &[("s", Self::Seconds), ("ms", Self::Millis), ("us", Self::Micros), ("rfc3339", Self::Rfc3339)];
}

impl Words for NonceUnit {
    const ALL: &'static [(&'static str, Self)] = &[("s", Self::Seconds), ("ms", Self::Millis), ("us", Self::Micros), ("ns", Self::Nanos)];
}

macro_rules! displayed {
    ($($name:ident),* $(,)?) => {
        $(impl fmt::Display for $name {
            /// As a manifest writes it.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.word())
            }
        })*
    };
}

displayed!(Algorithm, Encoding, KeyForm, NonceUnit, TimeFormat);

impl HmacSpec {
    /// All of its places: of the signature, the time and the nonce.
    pub fn places(&self) -> impl Iterator<Item = &Spot> {
        let timestamps = self.timestamp.iter().flat_map(|timestamp| &timestamp.places);
        let nonces = self.nonce.iter().flat_map(|nonce| &nonce.places);
        self.signature.iter().chain(timestamps).chain(nonces)
    }

    /// The same written out, without the name of its preset.
    #[must_use]
    pub fn written_out(&self) -> Self {
        Self { preset: None, ..self.clone() }
    }
}

impl fmt::Display for HmacSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(preset) = self.preset {
            return write!(f, "{{ preset = {} }}", quoted(preset));
        }
        write!(f, "{{ algorithm = {}, key = {}", quoted(self.algorithm), quoted(self.key))?;
        write!(f, ", input = {}, encoding = {}", quoted(&self.input), quoted(self.encoding))?;
        write!(f, ", signature = {}", listed(&self.signature))?;
        if let Some(TimestampSpec { places, format }) = &self.timestamp {
            write!(f, ", timestamp = {{ place = {}, format = {} }}", listed(places), quoted(format))?;
        }
        if let Some(NonceSpec { places, unit }) = &self.nonce {
            write!(f, ", nonce = {{ place = {}, unit = {} }}", listed(places), quoted(unit))?;
        }
        f.write_str(" }")
    }
}

/// A text as a TOML document writes it.
fn quoted(text: impl ToString) -> String {
    toml::Value::String(text.to_string()).to_string()
}

fn listed(places: &[Spot]) -> String {
    let places: Vec<String> = places.iter().map(quoted).collect();
    format!("[{}]", places.join(", "))
}
