//! A key in this process: from any backend of secrets, as raw hexadecimal digits, a V3 keystore, or a BIP-39 phrase. Signatures are
//! deterministic (RFC 6979). For development and small hot wallets: whoever reads this process's memory has the key.

use super::keystore;
use super::signer::{Answer, PublicKey, SignRequest, Signature, Signer, SignerError};
use crate::ethereum::signature::address_of;
use crate::policy::Reveal;
use crate::value::{Deposit, SecretValue};
use alloy_primitives::Address;
use async_trait::async_trait;
use bip32::{DerivationPath, XPrv};
use bip39::{Language, Mnemonic};
use k256::ecdsa::SigningKey;
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

/// The first account of an Ethereum wallet (BIP-44, SLIP-44).
pub const FIRST_ACCOUNT: &str = "m/44'/60'/0'/0/0";
/// How many words a phrase may have (BIP-39).
const COUNTS: [usize; 5] = [12, 15, 18, 21, 24];

/// A key that signs in this process. It is wiped when dropped.
pub struct Local(SigningKey);

#[async_trait]
impl Signer for Local {
    async fn public_key(&self) -> Result<PublicKey, SignerError> {
        Ok(PublicKey::Secp256k1(*self.0.verifying_key()))
    }

    async fn sign(&self, request: &SignRequest<'_>) -> Result<Answer, SignerError> {
        let signed = self.0.sign_prehash_recoverable(&request.digest());
        let (signature, recovery) = signed.map_err(|_| SignerError::Refused("the digest can't be signed".to_owned()))?;
        Ok(Answer::Signed(Signature::Secp256k1(signature, Some(recovery))))
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
    pub(super) fn read(value: &SecretValue, passphrase: Option<&SecretValue>, path: &str) -> Result<Self, String> {
        let text = std::str::from_utf8(value.reveal(Reveal::to_sign())).map_err(|_| "it is not text".to_owned())?.trim();
        let passphrase = passphrase.map_or(&b""[..], |passphrase| passphrase.reveal(Reveal::to_sign()));
        let key = if text.starts_with('{') {
            keystore::open(text, passphrase)?
        } else if text.contains("-----BEGIN") {
            return Err("it is a PEM, and a wallet's key is 64 hexadecimal digits, a V3 keystore or a BIP-39 phrase; \
                        `openssl ec -in KEY.pem -noout -text` shows the digits of a key of secp256k1"
                .to_owned());
        } else if text.contains(char::is_whitespace) {
            phrase(text, passphrase, path)?
        } else {
            hexadecimal(text)?
        };
        let local = SigningKey::from_slice(&*key).map(Self).map_err(|_| "it is not a key of secp256k1".to_owned())?;
        // A keystore may say whose it is; one that says it of another was changed.
        match keystore_address(text)? {
            Some(address) if address != address_of(local.0.verifying_key()) => {
                Err("the address in its keystore is not that of its key".to_owned())
            }
            _ => Ok(local),
        }
    }
}

/// A key that nobody has had before, as hexadecimal digits.
pub fn fresh() -> std::io::Result<Deposit> {
    let key = crate::random::key()?;
    let digits = Zeroizing::new(crate::text::hex(&*key));
    // One in 2^128 of all keys is none; who draws it draws again.
    if SigningKey::from_slice(&*key).is_ok() { Ok(Deposit::new(digits.as_bytes())) } else { fresh() }
}

/// The address of a key as it is kept: of a phrase that of its first account. A keystore has no address before it is opened.
pub fn address_of_local(value: &SecretValue) -> Result<String, String> {
    let text = std::str::from_utf8(value.reveal(Reveal::to_sign())).map_err(|_| "it is not text".to_owned())?;
    if text.trim_start().starts_with('{') {
        let address = keystore_address(text)?;
        return Ok(address.map_or_else(|| "a keystore without its address".to_owned(), |address| address.to_string()));
    }
    let local = Local::read(value, None, FIRST_ACCOUNT)?;
    Ok(address_of(local.0.verifying_key()).to_string())
}

/// The address that a keystore says it has, if the text is one and says so.
fn keystore_address(text: &str) -> Result<Option<Address>, String> {
    if text.trim_start().starts_with('{') { keystore::address(text) } else { Ok(None) }
}

/// Whether a value would serve as a wallet's key: then it serves nothing else.
pub(super) fn is_wallet_key(value: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(value) else { return false };
    let text = text.trim_matches(|c: char| c.is_whitespace() || matches!(c, '\u{feff}' | '"' | '\''));
    let digits = text.strip_prefix("0x").or(text.strip_prefix("0X")).unwrap_or(text);
    let phrase = is_phrase(text);
    let keystore = text.starts_with('{') && text.to_ascii_lowercase().contains("\"ciphertext\"");
    let solana = serde_json::from_str::<Vec<u8>>(text).is_ok_and(|numbers| matches!(numbers.len(), 32 | 64));
    let extended = ["xprv", "yprv", "zprv", "tprv"].iter().any(|prefix| text.starts_with(prefix));
    hexadecimal(digits).is_ok() || phrase || keystore || solana || extended
}

fn hexadecimal(text: &str) -> Result<Zeroizing<[u8; 32]>, String> {
    let wrong = || "it is neither 64 hexadecimal digits, nor a V3 keystore, nor a BIP-39 phrase".to_owned();
    let digits = keystore::without_prefix(text);
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

/// Whether a text looks like a phrase, in whatever language.
pub(super) fn is_phrase(text: &str) -> bool {
    // In this form a letter and its accent are one character.
    COUNTS.contains(&text.split_whitespace().count()) && text.nfkc().all(|c| c.is_alphabetic() || c.is_whitespace())
}

/// The words of a phrase in the one form that BIP-39 gives them, one blank between them.
pub(super) fn words_of(text: &str) -> Zeroizing<String> {
    let words: Zeroizing<String> = Zeroizing::new(text.nfkd().collect());
    Zeroizing::new(words.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn phrase(text: &str, passphrase: &[u8], path: &str) -> Result<Zeroizing<[u8; 32]>, String> {
    let phrase = mnemonic(&words_of(text))?;
    if keystore::without_line_end(passphrase).len() < passphrase.len() {
        // With it the phrase would lead to another account, and nothing would say so.
        return Err("the passphrase of its phrase ends with a line break; write it without, as by `printf %s`".to_owned());
    }
    let passphrase = std::str::from_utf8(passphrase).map_err(|_| "its passphrase is not text".to_owned())?;
    let seed = Zeroizing::new(phrase.to_seed(passphrase));
    let path: DerivationPath = path.parse().map_err(|_| "its `path` is not a BIP-32 path".to_owned())?;
    let key = XPrv::derive_from_path(*seed, &path).map_err(|_| "its `path` leads to no key".to_owned())?;
    Ok(Zeroizing::new(key.private_key().to_bytes().into()))
}

/// The phrase that words are in one of BIP-39's languages. Where they are one in two, it leads to the same key: the words count, not their
/// numbers.
fn mnemonic(words: &str) -> Result<Mnemonic, String> {
    let count = words.split(' ').count();
    if !COUNTS.contains(&count) {
        return Err(format!("it has {count} words, and a BIP-39 phrase has 12, 15, 18, 21 or 24"));
    }
    let mut why = "its words are not a BIP-39 phrase: one of them is in none of the word lists (English, Chinese, Czech, French, Italian, Japanese, \
                   Korean, Portuguese, Spanish), or they are from several lists, or not in lower case";
    for language in Language::ALL {
        match Mnemonic::parse_in_normalized(*language, words) {
            Ok(phrase) => return Ok(phrase),
            Err(bip39::Error::InvalidChecksum) => {
                why = "its words are not a BIP-39 phrase: their checksum is wrong, so one of them is wrong or in the wrong place"
            }
            Err(_) => {}
        }
    }
    Err(why.to_owned())
}
