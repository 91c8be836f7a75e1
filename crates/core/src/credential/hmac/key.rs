//! The key that a secret's value is, or the placeholder in its place. Its bytes are wiped when it is dropped.

use super::Refused;
use super::sign::Signed;
use crate::jose::pem;
use crate::manifest::HmacSpec;
use crate::manifest::hmac::{Algorithm, KeyForm};
use crate::text::unhex;
use base64::Engine;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use hmac::{Hmac, Mac};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use sha2::{Sha256, Sha384, Sha512};
use std::fmt;
use zeroize::Zeroizing;

/// Bytes of a key of Ed25519: its seed, and with its public half.
const SEED: usize = 32;
const SEED_AND_PUBLIC: usize = 64;

/// As exchanges hand keys out, whose padding is lost where they are copied.
const LENIENT: GeneralPurpose =
    GeneralPurpose::new(&alphabet::STANDARD, GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent));

/// A key of the scheme `hmac`.
pub struct HmacKey(Kind);

enum Kind {
    Mac { algorithm: Algorithm, bytes: Zeroizing<Vec<u8>> },
    Ed25519(Ed25519KeyPair),
}

impl HmacKey {
    /// Reads a secret's value.
    ///
    /// # Errors
    /// What is wrong with it, without a part of it.
    pub fn read(spec: &HmacSpec, value: &[u8]) -> Result<Self, String> {
        if spec.algorithm == Algorithm::Ed25519 {
            let pair = match spec.key {
                KeyForm::Pem => of_pem(value)?,
                _ => of_seed(&base64(value)?)?,
            };
            return Ok(Self(Kind::Ed25519(pair)));
        }
        let bytes = match spec.key {
            KeyForm::Base64 => base64(value)?,
            KeyForm::Hex => {
                let digits = std::str::from_utf8(value).ok().and_then(unhex).map(Zeroizing::new);
                digits.ok_or("it is not pairs of hexadecimal digits, as `key = \"hex\"` of its scheme says")?
            }
            KeyForm::Text | KeyForm::Pem => Zeroizing::new(value.to_vec()),
        };
        match bytes.is_empty() {
            true => Err("it is empty".to_owned()),
            false => Ok(Self(Kind::Mac { algorithm: spec.algorithm, bytes })),
        }
    }

    /// Reads a placeholder as an agent's library reads it. Where that wants PEM, the placeholder is what stands between its lines `BEGIN` and
    /// `END`.
    ///
    /// # Errors
    /// Where no library could sign with it: its shape does not suit the scheme.
    pub fn of_placeholder(spec: &HmacSpec, placeholder: &str) -> Result<Self, String> {
        match (spec.algorithm, spec.key) {
            (Algorithm::Ed25519, KeyForm::Pem) => {
                let der = Zeroizing::new(STANDARD.decode(placeholder).map_err(|_| "the placeholder is not the base64 of a PKCS#8")?);
                let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der);
                Ok(Self(Kind::Ed25519(pair.map_err(|_| "the placeholder is no PKCS#8 of Ed25519")?)))
            }
            _ => Self::read(spec, placeholder.as_bytes()),
        }
    }

    /// The signature of what is signed.
    pub(super) fn signature(&self, signed: &Signed<'_>) -> Result<Zeroizing<Vec<u8>>, Refused> {
        Ok(Zeroizing::new(match &self.0 {
            Kind::Ed25519(pair) => pair.sign(&whole(signed)?).as_ref().to_vec(),
            Kind::Mac { algorithm: Algorithm::HmacSha384, bytes } => mac::<Hmac<Sha384>>(bytes, signed)?.finalize().into_bytes().to_vec(),
            Kind::Mac { algorithm: Algorithm::HmacSha512, bytes } => mac::<Hmac<Sha512>>(bytes, signed)?.finalize().into_bytes().to_vec(),
            Kind::Mac { bytes, .. } => mac::<Hmac<Sha256>>(bytes, signed)?.finalize().into_bytes().to_vec(),
        }))
    }

    /// Whether a signature is one of this, in constant time.
    pub(super) fn is_of(&self, signed: &Signed<'_>, signature: &[u8]) -> Result<bool, Refused> {
        Ok(match &self.0 {
            Kind::Ed25519(pair) => UnparsedPublicKey::new(&ED25519, pair.public_key()).verify(&whole(signed)?, signature).is_ok(),
            Kind::Mac { algorithm: Algorithm::HmacSha384, bytes } => mac::<Hmac<Sha384>>(bytes, signed)?.verify_slice(signature).is_ok(),
            Kind::Mac { algorithm: Algorithm::HmacSha512, bytes } => mac::<Hmac<Sha512>>(bytes, signed)?.verify_slice(signature).is_ok(),
            Kind::Mac { bytes, .. } => mac::<Hmac<Sha256>>(bytes, signed)?.verify_slice(signature).is_ok(),
        })
    }
}

fn mac<M: Mac + hmac::digest::KeyInit>(key: &[u8], signed: &Signed<'_>) -> Result<M, Refused> {
    let mut mac = <M as Mac>::new_from_slice(key).expect("HMAC takes keys of any length");
    signed.feed(&mut |bytes| mac.update(bytes))?;
    Ok(mac)
}

/// All of it at once, as Ed25519 hashes it twice. Headers may hold other secrets.
fn whole(signed: &Signed<'_>) -> Result<Zeroizing<Vec<u8>>, Refused> {
    let mut length = 0;
    signed.feed(&mut |bytes| length += bytes.len())?;
    // At its whole length at once, so that no part is left behind by growing.
    let mut whole = Zeroizing::new(Vec::with_capacity(length));
    signed.feed(&mut |bytes| whole.extend_from_slice(bytes))?;
    Ok(whole)
}

fn base64(value: &[u8]) -> Result<Zeroizing<Vec<u8>>, String> {
    lenient(value).ok_or_else(|| "it is not base64, as `key = \"base64\"` of its scheme says".to_owned())
}

/// The bytes of base64, with its padding or without, and a line's end behind it.
pub(crate) fn lenient(value: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    LENIENT.decode(value.trim_ascii()).ok().map(Zeroizing::new)
}

fn of_pem(value: &[u8]) -> Result<Ed25519KeyPair, String> {
    let key = pem::private_key(value)?;
    match key.algorithm {
        pem::Algorithm::Ed25519 => {
            Ed25519KeyPair::from_pkcs8_maybe_unchecked(&key.der).map_err(|_| "its key of Ed25519 is broken".to_owned())
        }
        _ => Err("it is a private key of another algorithm, and its scheme signs with one of Ed25519".to_owned()),
    }
}

/// A seed, or a seed with its public half.
pub(crate) fn of_seed(bytes: &[u8]) -> Result<Ed25519KeyPair, String> {
    let pair = match bytes.len() {
        SEED => Ed25519KeyPair::from_seed_unchecked(bytes),
        SEED_AND_PUBLIC => Ed25519KeyPair::from_seed_and_public_key(&bytes[..SEED], &bytes[SEED..]),
        length => return Err(format!("it has {length} bytes, and a key of Ed25519 has {SEED}, or {SEED_AND_PUBLIC} with its public half")),
    };
    pair.map_err(|_| "its public half belongs to another key".to_owned())
}

impl fmt::Debug for HmacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HmacKey([redacted])")
    }
}
