//! A key in this process: from any backend of secrets, as raw hexadecimal digits, a V3 keystore, or a phrase of BIP-39. Signatures are
//! deterministic (RFC 6979). For development and small hot wallets: whoever reads this process's memory has the key.

use super::signer::{Signer, SignerError};
use crate::ethereum::signature::address_of;
use crate::policy::Reveal;
use crate::secrets::SecretValue;
use aes::cipher::{KeyIvInit, StreamCipher};
use alloy_primitives::{Address, keccak256};
use async_trait::async_trait;
use bip32::{DerivationPath, XPrv};
use k256::ecdsa::signature::hazmat::PrehashSigner;
use k256::ecdsa::{RecoveryId, Signature, SigningKey, VerifyingKey};
use serde_json::Value;
use sha2::Sha256;
use zeroize::Zeroizing;

/// The first account of an Ethereum wallet (BIP-44, SLIP-44).
pub(crate) const FIRST_ACCOUNT: &str = "m/44'/60'/0'/0/0";
/// Most memory that a keystore's scrypt may take, in bytes: 512 MiB, twice what common ones do.
const MAX_SCRYPT: u64 = 512 << 20;
/// Most rounds of a keystore's PBKDF2.
const MAX_ROUNDS: u32 = 10_000_000;

/// A key that signs in this process. It is wiped when dropped.
pub(crate) struct Local(SigningKey);

#[async_trait]
impl Signer for Local {
    async fn public_key(&self) -> Result<VerifyingKey, SignerError> {
        Ok(*self.0.verifying_key())
    }

    async fn sign(&self, digest: &[u8; 32]) -> Result<Signature, SignerError> {
        self.0.sign_prehash(digest).map_err(|_| SignerError::Refused("the digest can't be signed".to_owned()))
    }

    async fn sign_recoverable(&self, digest: &[u8; 32]) -> Result<(Signature, Option<RecoveryId>), SignerError> {
        let signed = self.0.sign_prehash_recoverable(digest);
        let (signature, recovery) = signed.map_err(|_| SignerError::Refused("the digest can't be signed".to_owned()))?;
        Ok((signature, Some(recovery)))
    }

    fn is_hot(&self) -> bool {
        true
    }
}

impl Local {
    /// The key itself.
    pub(super) fn key(&self) -> &SigningKey {
        &self.0
    }

    /// Reads a key. The passphrase opens a keystore, or belongs to a phrase; the path leads from a phrase to the account.
    ///
    /// # Errors
    /// What is wrong with it, without a part of it.
    pub(crate) fn read(value: &SecretValue, passphrase: Option<&SecretValue>, path: &str, reveal: Reveal) -> Result<Self, String> {
        let text = std::str::from_utf8(value.reveal(reveal)).map_err(|_| "it is not text".to_owned())?.trim();
        let passphrase = passphrase.map_or(&b""[..], |passphrase| passphrase.reveal(Reveal::to_sign()));
        let key = if text.starts_with('{') {
            keystore(text, passphrase)?
        } else if text.contains(char::is_whitespace) {
            phrase(text, passphrase, path)?
        } else {
            hexadecimal(text)?
        };
        let local = SigningKey::from_slice(&*key).map(Self).map_err(|_| "it is no key of secp256k1".to_owned())?;
        // A keystore may say whose it is; one that says it of another was changed.
        match keystore_address(text)? {
            Some(address) if address != address_of(local.0.verifying_key()) => {
                Err("its keystore says another address than its key has".to_owned())
            }
            _ => Ok(local),
        }
    }
}

/// A key that nobody has had before, as hexadecimal digits.
#[cfg(feature = "cli")]
pub(crate) fn fresh() -> std::io::Result<SecretValue> {
    let key = crate::state::random_key()?;
    let digits = Zeroizing::new(crate::text::hex(&*key));
    // One in 2^128 of all keys is none; who draws it draws again.
    if SigningKey::from_slice(&*key).is_ok() { Ok(SecretValue::new(digits.as_bytes())) } else { fresh() }
}

/// The address of a key as it is kept: of a phrase that of its first account. A keystore has no address before it is opened.
#[cfg(feature = "cli")]
pub(crate) fn address_of_local(value: &SecretValue) -> Result<String, String> {
    let text = std::str::from_utf8(value.reveal(Reveal::to_sign())).map_err(|_| "it is not text".to_owned())?;
    if text.trim_start().starts_with('{') {
        let address = keystore_address(text)?;
        return Ok(address.map_or_else(|| "a keystore that does not say its address".to_owned(), |address| address.to_string()));
    }
    let local = Local::read(value, None, FIRST_ACCOUNT, Reveal::to_sign())?;
    Ok(address_of(local.0.verifying_key()).to_string())
}

/// The address that a keystore says it has, if the text is one and says so.
fn keystore_address(text: &str) -> Result<Option<Address>, String> {
    if !text.trim_start().starts_with('{') {
        return Ok(None);
    }
    let json: Value = serde_json::from_str(text).map_err(|_| "its keystore is no JSON".to_owned())?;
    if json["version"] != 3 {
        return Err("its keystore is not of version 3".to_owned());
    }
    let Some(address) = json.get("address").filter(|address| **address != "" && !address.is_null()) else { return Ok(None) };
    let digits = address.as_str().map(|text| format!("0x{}", text.trim_start_matches("0x").to_lowercase()));
    let address = digits.and_then(|digits| crate::ethereum::quantity::address(&digits));
    address.map(Some).ok_or_else(|| "its keystore says an address that is none".to_owned())
}

/// Whether a value would serve as a wallet's key: then it serves nothing else.
pub(crate) fn is_wallet_key(value: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(value) else { return false };
    let text = text.trim_matches(|c: char| c.is_whitespace() || matches!(c, '\u{feff}' | '"' | '\''));
    let digits = text.strip_prefix("0x").or(text.strip_prefix("0X")).unwrap_or(text);
    let words: Vec<&str> = text.split_whitespace().collect();
    // A phrase may be in any language.
    let phrase = matches!(words.len(), 12 | 15 | 18 | 21 | 24) && words.iter().all(|word| word.chars().all(char::is_alphabetic));
    let keystore = text.starts_with('{') && text.contains("\"ciphertext\"");
    let solana = serde_json::from_str::<Vec<u8>>(text).is_ok_and(|numbers| matches!(numbers.len(), 32 | 64));
    let extended = ["xprv", "yprv", "zprv", "tprv"].iter().any(|prefix| text.starts_with(prefix));
    hexadecimal(digits).is_ok() || phrase || keystore || solana || extended
}

fn hexadecimal(text: &str) -> Result<Zeroizing<[u8; 32]>, String> {
    let wrong = || "it is neither 64 hexadecimal digits, nor a V3 keystore, nor a phrase of BIP-39".to_owned();
    let digits = text.strip_prefix("0x").unwrap_or(text);
    if digits.len() != 64 {
        return Err(wrong());
    }
    let mut key = Zeroizing::new([0; 32]);
    for (byte, pair) in key.iter_mut().zip(digits.as_bytes().chunks(2)) {
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        *byte = digit(pair[0]).zip(digit(pair[1])).map(|(high, low)| high << 4 | low).ok_or_else(wrong)?;
    }
    Ok(key)
}

fn phrase(text: &str, passphrase: &[u8], path: &str) -> Result<Zeroizing<[u8; 32]>, String> {
    let words = Zeroizing::new(text.split_whitespace().collect::<Vec<_>>().join(" "));
    let phrase = bip39::Mnemonic::parse_normalized(&words).map_err(|_| "its words are no phrase of BIP-39".to_owned())?;
    let passphrase = std::str::from_utf8(passphrase).map_err(|_| "its passphrase is not text".to_owned())?;
    let seed = Zeroizing::new(phrase.to_seed(passphrase));
    let path: DerivationPath = path.parse().map_err(|_| "its `path` is none of BIP-32".to_owned())?;
    let key = XPrv::derive_from_path(*seed, &path).map_err(|_| "its `path` leads to no key".to_owned())?;
    Ok(Zeroizing::new(key.private_key().to_bytes().into()))
}

/// The Web3 Secret Storage Definition, version 3.
fn keystore(text: &str, passphrase: &[u8]) -> Result<Zeroizing<[u8; 32]>, String> {
    let wrong = |what: &str| format!("its keystore {what}");
    let json: Value = serde_json::from_str(text).map_err(|_| wrong("is no JSON"))?;
    if json["version"] != 3 {
        return Err(wrong("is not of version 3"));
    }
    let crypto = json.get("crypto").or_else(|| json.get("Crypto")).ok_or_else(|| wrong("has no `crypto`"))?;
    let bytes = |value: &Value| {
        let digits = value.as_str().map(|text| text.strip_prefix("0x").unwrap_or(text));
        digits.and_then(crate::text::unhex).ok_or_else(|| wrong("has a field that is not in hexadecimal digits"))
    };
    let number = |value: &Value| value.as_u64().ok_or_else(|| wrong("has a field that is no number"));
    let parameters = &crypto["kdfparams"];
    let salt = bytes(&parameters["salt"])?;
    let mut derived = Zeroizing::new([0; 32]);
    if number(&parameters["dklen"])? != 32 {
        return Err(wrong("derives other than 32 bytes"));
    }
    match crypto["kdf"].as_str() {
        Some("scrypt") => {
            let (n, r, p) = (number(&parameters["n"])?, number(&parameters["r"])?, number(&parameters["p"])?);
            let modest = n.is_power_of_two() && n > 1 && n.saturating_mul(r).saturating_mul(128) <= MAX_SCRYPT && p <= 16;
            let (r, p) = (u32::try_from(r), u32::try_from(p));
            let (Ok(r), Ok(p), true) = (r, p, modest) else { return Err(wrong("asks for more memory than 512 MiB")) };
            let log_n = u8::try_from(n.ilog2()).map_err(|_| wrong("has parameters out of range"))?;
            let parameters = scrypt::Params::new(log_n, r, p).map_err(|_| wrong("has parameters out of range"))?;
            scrypt::scrypt(passphrase, &salt, &parameters, &mut *derived).map_err(|_| wrong("has parameters out of range"))?;
        }
        Some("pbkdf2") if parameters["prf"] == "hmac-sha256" => {
            let rounds = u32::try_from(number(&parameters["c"])?).ok().filter(|rounds| (1..=MAX_ROUNDS).contains(rounds));
            pbkdf2::pbkdf2_hmac::<Sha256>(passphrase, &salt, rounds.ok_or_else(|| wrong("asks for too many rounds"))?, &mut *derived);
        }
        _ => return Err(wrong("derives its key in an unknown way")),
    }
    let ciphertext = bytes(&crypto["ciphertext"])?;
    let mac = keccak256([&derived[16..32], &ciphertext].concat());
    if mac.as_slice() != bytes(&crypto["mac"])? {
        return Err("its keystore does not open with the passphrase".to_owned());
    }
    let iv = bytes(&crypto["cipherparams"]["iv"])?;
    if crypto["cipher"] != "aes-128-ctr" || iv.len() != 16 {
        return Err(wrong("is encrypted in an unknown way"));
    }
    let mut key = Zeroizing::new(ciphertext);
    let cipher = ctr::Ctr128BE::<aes::Aes128>::new_from_slices(&derived[..16], &iv);
    cipher.map_err(|_| wrong("is encrypted in an unknown way"))?.apply_keystream(&mut key);
    <[u8; 32]>::try_from(key.as_slice()).map(Zeroizing::new).map_err(|_| wrong("holds no key of 32 bytes"))
}
