//! A secret's value: wiped when dropped, without `Clone`, `Display` or `Serialize`, readable only with a permit.

mod deposit;
mod pages;

pub use deposit::Deposit;

use crate::credential::Prepared;
use crate::json;
use crate::manifest::{ADOPTED, SchemeSpec};
use crate::policy::Reveal;
use crate::scrub::{Known, carries};
use hmac::{Hmac, Mac};
use pages::Pages;
use serde_json::value::RawValue;
use sha2::Sha256;
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// Least bytes of a value. Shorter ones turn up in ordinary text by chance and can't be scrubbed without harm.
pub const MIN_LENGTH: usize = 8;
/// Most bytes of a value, 64 KiB.
pub const MAX_LENGTH: usize = 64 * 1024;

/// A value. Backends make one; only the host's egress can read it, with a permit.
///
/// It lies in pages of its own, which are left out of core dumps and, where the system allows it, locked into memory.
pub struct SecretValue(Pages);

/// A keyed hash of a value, 8 lower-case hexadecimal digits: tells one version from another, and nothing else.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 8]);

/// Why a value has no such field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoField {
    /// It is not a JSON document.
    NotJson,
    /// There is nothing of that name.
    Missing,
    /// What is there is neither a string nor a number, but this.
    NotText(&'static str),
}

impl SecretValue {
    /// Takes the bytes over. The caller's buffer is wiped at once, the value's own when it is dropped.
    #[must_use]
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Pages::take(bytes.into()))
    }

    /// A value that a guest makes the host keep: it gets no page, of which the system locks only so many.
    pub fn on_heap(bytes: Vec<u8>) -> Self {
        Self(Pages::on_heap(bytes))
    }

    /// The bytes, against a permit.
    pub fn reveal(&self, _permit: Reveal) -> &[u8] {
        self.bytes()
    }

    /// The value as the scrubber looks for it, which gives it to nobody.
    pub fn known(&self, in_basic: bool) -> Arc<Known> {
        Arc::new(Known::new(self.bytes(), in_basic))
    }

    /// Whether its length is one of these, and it may carry so many random bits: then text can be searched for it.
    pub fn is_telling(&self, lengths: &RangeInclusive<usize>, bits: u32) -> bool {
        lengths.contains(&self.bytes().len()) && carries(self.bytes(), bits)
    }

    /// Whether these are its bytes.
    pub fn equals(&self, bytes: &[u8]) -> bool {
        self.bytes() == bytes
    }

    /// Whether a caller has shown the value itself. Takes the same time wherever the two differ.
    pub fn is_shown(&self, shown: &[u8]) -> bool {
        let digest = |bytes: &[u8]| {
            let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(b"strongroom caller").expect("HMAC takes keys of any length");
            mac.update(bytes);
            mac
        };
        digest(self.bytes()).verify_slice(&digest(shown).finalize().into_bytes()).is_ok()
    }

    /// Whether a caller that has the value made this HMAC with SHA-256 of these pieces, one behind the other. Takes the same time wherever
    /// the two differ.
    pub fn has_signed(&self, pieces: &[&[u8]], tag: &[u8; 32]) -> bool {
        let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(self.bytes()).expect("HMAC takes keys of any length");
        pieces.iter().for_each(|piece| mac.update(piece));
        mac.verify_slice(tag).is_ok()
    }

    fn bytes(&self) -> &[u8] {
        self.0.bytes()
    }

    /// A string of a value that is a JSON document, or a number with its digits as they are written: by its key, or where `field` begins with
    /// a slash, by JSON Pointer (RFC 6901).
    pub fn field(&self, field: &str) -> Result<Self, NoField> {
        let document: &RawValue = serde_json::from_slice(self.bytes()).map_err(|_| NoField::NotJson)?;
        let found = if field.starts_with('/') { json::pointer(document, field) } else { json::member(document, field) };
        let found = found.ok_or(NoField::Missing)?.get();
        match found.as_bytes().first() {
            Some(b'"') => serde_json::from_str::<String>(found).map(Self::new).map_err(|_| NoField::NotJson),
            // Never by way of a number of the machine's: it would have other digits.
            Some(b'-' | b'0'..=b'9') => Ok(Self::new(found.to_owned())),
            Some(b'{') => Err(NoField::NotText("an object; name one of its fields, as in `#/NAME/NAME`")),
            Some(b'[') => Err(NoField::NotText("a list; name one of its elements, as in `#/NAME/0`")),
            Some(b'n') => Err(NoField::NotText("null; write the value there, or name another field")),
            _ => Err(NoField::NotText("true or false, which can't be a secret; name another field")),
        }
    }

    /// The names of a JSON document's fields that can be values, in their order.
    pub fn fields(&self) -> Vec<String> {
        let document: Option<&RawValue> = serde_json::from_slice(self.bytes()).ok();
        let fields = document.and_then(json::members).into_iter().flatten().map(|(name, _)| name);
        fields.filter(|name| self.field(name).is_ok()).collect()
    }

    /// Whether two values are the same.
    pub fn is(&self, other: &Self) -> bool {
        self.bytes() == other.bytes()
    }

    /// Whether the value can serve as a secret; says what is wrong without quoting it.
    pub fn check(&self, format: Option<&regex::Regex>) -> Result<(), String> {
        if self.bytes().trim_ascii_start().starts_with(ADOPTED.as_bytes()) {
            return Err(
                "it is a reference that `strongroom adopt` wrote in the place of a value; name the entry itself in `from`".to_owned()
            );
        }
        if self.bytes().len() < MIN_LENGTH {
            return Err(format!("it has fewer than {MIN_LENGTH} bytes, too few to be recognised in text and taken out"));
        }
        if self.bytes().len() > MAX_LENGTH {
            return Err(format!("it has more than {MAX_LENGTH} bytes"));
        }
        let trimmed = self.bytes().trim_ascii();
        // A value of several lines, as a key in PEM, may well end with a line break.
        if trimmed.len() < self.bytes().len() && !trimmed.contains(&b'\n') {
            return Err("it begins or ends with white space, as from a stray line break".to_owned());
        }
        match format {
            Some(format) if !std::str::from_utf8(self.bytes()).is_ok_and(|text| format.is_match(text)) => {
                Err("it does not match the manifest's `format`".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// Whether a scheme can make credentials of the value, which is then read for it; says what is wrong without quoting it.
    pub fn fits(&self, scheme: &SchemeSpec, prepared: &Prepared) -> Result<(), String> {
        prepared.read(scheme, self.bytes()).map_err(|why| format!("{why}; its scheme is `{}`", scheme.name()))
    }

    /// Its fingerprint under a key: that of a host is its own, so that fingerprints of two hosts can't be compared.
    pub fn fingerprint(&self, key: &[u8; 32]) -> Fingerprint {
        let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(key).expect("HMAC takes keys of any length");
        mac.update(b"strongroom fingerprint\0");
        mac.update(self.bytes());
        let hash = mac.finalize().into_bytes();
        let digit = |at: usize| b"0123456789abcdef"[usize::from(hash[at / 2] >> (4 * (1 - at % 2)) & 15)];
        Fingerprint(std::array::from_fn(digit))
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretValue([redacted])")
    }
}

impl Fingerprint {
    /// The 8 digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("hexadecimal digits are ASCII")
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl serde::Serialize for Fingerprint {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_never_prints() {
        let value = SecretValue::new("pf_live_0123456789abcdef0123456789abcdef");

        assert_eq!(format!("{value:?}"), "SecretValue([redacted])");
        assert_ne!(value.fingerprint(&[1; 32]), value.fingerprint(&[2; 32]));
        assert_eq!(value.fingerprint(&[1; 32]).as_str().len(), 8);
    }

    #[test]
    fn what_is_wrong_with_a_value_is_said_without_it() {
        let format = regex::Regex::new("^pf_live_[a-f0-9]{32}$").expect("valid");
        assert!(SecretValue::new("strongroom:file:bot/KEY").check(None).expect_err("refused").contains("is a reference"));
        for bad in ["short", "pf_live_xyz-and-more", " pf_live_0123456789abcdef0123456789abcdef\n"] {
            let message = SecretValue::new(bad).check(Some(&format)).expect_err("refused");
            assert!(!message.contains(bad.trim()), "{message}");
        }
    }
}
