//! HMAC-SHA-256 (RFC 2104), the key that is derived for a scope, and what it makes.

use super::{Refused, Scope, TERMINATOR};
use crate::text::{hex, unhex};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// The key of one scope, which signs requests and chunks.
#[derive(Clone)]
pub(in crate::credential) struct SigningKey(Zeroizing<[u8; 32]>);

/// A signature: 64 lower-case hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Signature([u8; 32]);

/// How many digits a signature has.
pub(super) const DIGITS: usize = 64;

impl SigningKey {
    /// `HMAC(HMAC(HMAC(HMAC("AWS4" secret, date), region), service), "aws4_request")`
    pub(in crate::credential) fn derive(secret: &[u8], scope: &Scope) -> Self {
        let mut first = Zeroizing::new(Vec::with_capacity(4 + secret.len()));
        first.extend_from_slice(b"AWS4");
        first.extend_from_slice(secret);
        let date = Self(tag(&first, scope.date().as_bytes()));
        let step = |key: &Self, name: &str| Self(tag(&key.0[..], name.as_bytes()));
        step(&step(&step(&date, scope.region()), scope.service()), TERMINATOR)
    }

    pub(super) fn sign(&self, text: &[u8]) -> Signature {
        Signature(*tag(&self.0[..], text))
    }

    /// Whether it has signed this; in constant time.
    pub(super) fn verify(&self, text: &[u8], signature: &Signature) -> bool {
        mac(&self.0[..]).chain_update(text).verify_slice(&signature.0).is_ok()
    }
}

fn mac(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of any length")
}

fn tag(key: &[u8], text: &[u8]) -> Zeroizing<[u8; 32]> {
    Zeroizing::new(mac(key).chain_update(text).finalize().into_bytes().into())
}

impl Signature {
    pub(super) fn read(digits: &str) -> Result<Self, Refused> {
        digest(digits).map(Self).ok_or(Refused::Signature)
    }

    pub(super) fn text(&self) -> String {
        hex(&self.0)
    }
}

/// The digest of 64 lower-case hexadecimal digits.
pub(super) fn digest(digits: &str) -> Option<[u8; 32]> {
    let right = digits.len() == DIGITS && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    right.then(|| unhex(digits)).flatten()?.try_into().ok()
}

pub(super) fn sha256(text: &[u8]) -> [u8; 32] {
    Sha256::digest(text).into()
}
