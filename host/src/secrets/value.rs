//! A secret's value: wiped when dropped, without `Clone`, `Display` or `Serialize`, readable only with a permit.

use crate::policy::Reveal;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::fmt;
use zeroize::Zeroizing;

/// Least bytes of a value. Shorter ones turn up in ordinary text by chance and can't be scrubbed without harm.
pub const MIN_LENGTH: usize = 8;
/// Most bytes of a value, 64 KiB.
pub const MAX_LENGTH: usize = 64 * 1024;

/// A value. Backends make one; only the host's egress can read it, with a permit.
pub struct SecretValue(Zeroizing<Vec<u8>>);

/// A keyed hash of a value, 8 lower-case hexadecimal digits: tells one version from another, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint(String);

impl SecretValue {
    /// Takes over the bytes. The caller's buffer becomes the value's own; it is wiped when the value is dropped.
    #[must_use]
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Zeroizing::new(bytes.into()))
    }

    /// The bytes, against a permit.
    pub(crate) fn reveal(&self, _permit: Reveal) -> &[u8] {
        &self.0
    }

    /// The bytes, for the store that keeps them.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// A string of a value that is a JSON document: by its key, or where `field` begins with a slash, by JSON Pointer (RFC 6901).
    pub(super) fn field(&self, field: &str) -> Option<Self> {
        let document: serde_json::Value = serde_json::from_slice(&self.0).ok()?;
        let found = if field.starts_with('/') { document.pointer(field) } else { document.get(field) };
        found.and_then(serde_json::Value::as_str).map(|text| Self::new(text.to_owned()))
    }

    /// Whether two values are the same.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.0 == other.0
    }

    /// Whether the value can serve as a secret; says what is wrong without quoting it.
    pub(super) fn check(&self, format: Option<&regex::Regex>) -> Result<(), String> {
        if self.0.len() < MIN_LENGTH {
            return Err(format!("it has fewer than {MIN_LENGTH} bytes, too few to be recognised in text and taken out"));
        }
        if self.0.len() > MAX_LENGTH {
            return Err(format!("it has more than {MAX_LENGTH} bytes"));
        }
        let trimmed = self.0.trim_ascii();
        // A value of several lines, as a key in PEM, may well end with a line break.
        if trimmed.len() < self.0.len() && !trimmed.contains(&b'\n') {
            return Err("it begins or ends with white space, as from a stray line break".to_owned());
        }
        match format {
            Some(format) if !std::str::from_utf8(&self.0).is_ok_and(|text| format.is_match(text)) => {
                Err("it does not match the manifest's `format`".to_owned())
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn fingerprint(&self, key: &[u8; 32]) -> Fingerprint {
        let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(key).expect("HMAC takes keys of any length");
        mac.update(b"strongroom fingerprint\0");
        mac.update(&self.0);
        let hash = mac.finalize().into_bytes();
        Fingerprint(hash[..4].iter().map(|byte| format!("{byte:02x}")).collect())
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
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
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
        for bad in ["short", "pf_live_xyz-and-more", " pf_live_0123456789abcdef0123456789abcdef\n"] {
            let message = SecretValue::new(bad).check(Some(&format)).expect_err("refused");
            assert!(!message.contains(bad.trim()), "{message}");
        }
    }
}
