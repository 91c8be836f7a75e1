//! What a value is as a key, however it is written and wherever it is kept: one key, one purpose, whichever way it is named. A key that signs
//! is not sent anywhere as a secret, and what is sent signs nothing.
//!
//! Values are known by keyed hashes alone. Those of keys that sign stay in the state directory, so that the host's other processes know them.

use super::jose::{TokenKey, ed25519_id};
use super::keys::solana;
use super::keystore;
use super::local::{FIRST_ACCOUNT, Local, is_phrase, is_wallet_key, words_of};
use crate::lock::Mutex;
use crate::policy::Reveal;
use crate::register::Register;
use crate::secrets::{Fingerprint, SecretValue};
use crate::state::{StateDir, random_key};
use crate::text::{hex, unhex};
use alloy_primitives::Address;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use k256::ecdsa::SigningKey;
use ring::signature::Ed25519KeyPair;
use serde_json::Value;
use sha2::Sha256;
use std::collections::{HashMap, HashSet};
use std::io;
use zeroize::Zeroizing;

/// What stands above the lines of the file.
const HEAD: &str = "The keys that this host has signed with or sent, as keyed hashes, each with what it serves as: one key, one purpose.\nA line may be removed where its key is retired.";
/// What a value serves as that goes into requests.
const SENT: &str = "secret";
/// Texts of one document that are looked at.
const MAX_TEXTS: usize = 256;
/// Values that are known to be sent, or to be harmless, at most; then all are looked at anew.
const MAX_CHECKED: usize = 4_096;

/// One of the things that a value is: its text in one spelling, or the public half of the key that it writes down.
pub(super) type Identity = Zeroizing<Vec<u8>>;

/// The keys that are known, by keyed hashes, with what each serves as and who uses it so.
pub(super) struct Known {
    hash_key: Zeroizing<[u8; 32]>,
    here: Mutex<HashMap<[u8; 32], (String, String)>>,
    /// Values that were found to be no key that signs: they are looked at again when another key is known.
    checked: Mutex<HashSet<Fingerprint>>,
    file: Option<Register>,
}

impl Known {
    /// # Errors
    /// Where the host's key can't be had.
    pub(super) fn new(state: Option<&StateDir>) -> io::Result<Self> {
        let hash_key = state.map_or_else(random_key, |state| state.key("host.key"))?;
        let file = state.map(|state| Register::new(state, "keys", HEAD));
        Ok(Self { hash_key, here: Mutex::default(), checked: Mutex::default(), file })
    }

    /// Takes a key in that signs.
    ///
    /// # Errors
    /// Where it is sent as a secret, or the file can't be written.
    pub(super) fn signs(&self, identities: &[Identity], purpose: &str, by: &str) -> Result<(), String> {
        self.take_in(identities, purpose, by, |known| known == SENT, true)?;
        self.checked.lock().clear();
        Ok(())
    }

    /// Takes a value in that goes into requests.
    ///
    /// # Errors
    /// Where it is a key that signs.
    pub(super) fn sends(&self, value: &SecretValue, fingerprint: Fingerprint, by: &str) -> Result<(), String> {
        let is_unchanged = self.file.as_ref().is_none_or(|file| file.is_read());
        if is_unchanged && self.checked.lock().contains(&fingerprint) {
            return Ok(());
        }
        let bytes = value.reveal(Reveal::to_sign());
        // What can't be a key but by its text is not worth a line: API keys come and go.
        self.take_in(&of_secret(bytes), SENT, by, |known| known != SENT, is_wallet_key(bytes))?;
        let mut checked = self.checked.lock();
        if checked.len() >= MAX_CHECKED {
            checked.clear();
        }
        checked.insert(fingerprint);
        Ok(())
    }

    fn take_in(
        &self,
        identities: &[Identity],
        purpose: &str,
        by: &str,
        conflicts: impl Fn(&str) -> bool,
        is_kept: bool,
    ) -> Result<(), String> {
        let hashes: Vec<[u8; 32]> = identities.iter().map(|identity| self.hash(identity)).collect();
        let refuse = |known: &str, whose: &str| {
            let other = if whose.is_empty() { "elsewhere on this host" } else { whose };
            Err(format!("its value serves as `{known}` already ({other}); one key, one purpose: make a key of its own for each"))
        };
        {
            let here = self.here.lock();
            if let Some((known, whose)) = hashes.iter().find_map(|hash| here.get(hash)).filter(|(known, _)| conflicts(known)) {
                return refuse(known, whose);
            }
        }
        if let Some(file) = &self.file {
            let unreadable = |error: io::Error| format!("{}: the list of keys can't be kept ({error})", file.path().display());
            let lines: Vec<String> = hashes.iter().map(|hash| format!("{} {purpose}", hex(hash))).collect();
            let is_new = |known: &[String]| lines.iter().any(|line| !known.contains(line));
            let other = |known: &[String]| known.iter().find_map(|line| self.conflict(line, &hashes, &conflicts));
            let (found, new) = file.with(|known| (other(known), is_new(known))).map_err(unreadable)?;
            if let Some(known) = found {
                return refuse(&known, "");
            }
            if new && is_kept {
                let found = file.change(|known| {
                    let found = other(known);
                    if found.is_none() {
                        known.extend(lines.iter().filter(|line| !known.contains(line)).cloned().collect::<Vec<_>>());
                    }
                    found
                });
                if let Some(known) = found.map_err(unreadable)? {
                    return refuse(&known, "");
                }
            }
        }
        let mut here = self.here.lock();
        if here.len() >= 8 * MAX_CHECKED {
            here.retain(|_, (purpose, _)| purpose != SENT);
        }
        for hash in hashes {
            here.entry(hash).or_insert_with(|| (purpose.to_owned(), by.to_owned()));
        }
        Ok(())
    }

    /// What a line says a value serves as, where that is in the way.
    fn conflict(&self, line: &str, hashes: &[[u8; 32]], conflicts: &impl Fn(&str) -> bool) -> Option<String> {
        let (hash, purpose) = line.split_once(' ')?;
        let hash = unhex(hash)?;
        (conflicts(purpose) && hashes.iter().any(|known| known[..] == hash)).then(|| purpose.to_owned())
    }

    fn hash(&self, identity: &[u8]) -> [u8; 32] {
        let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(&*self.hash_key).expect("HMAC takes keys of any length");
        mac.update(b"strongroom key identity\0");
        mac.update(identity);
        mac.finalize().into_bytes().into()
    }
}

/// What a signer's key is: its public half, its address, and what it is written as.
pub(super) fn of_signer(id: &[u8], address: Option<Address>, written: &[Identity]) -> Vec<Identity> {
    let mut identities: Vec<Identity> = written.to_vec();
    identities.push(named("key", id));
    identities.extend(address.map(|address| named("address", hex(address.as_slice()).as_bytes())));
    identities
}

/// What a value that is sent would be as a key, in whatever form it is written, and what a document would give away that holds keys.
pub(super) fn of_secret(value: &[u8]) -> Vec<Identity> {
    let document = serde_json::from_slice(value).unwrap_or(Value::Null);
    let mut texts = Vec::new();
    texts_of(&document, &mut texts);
    texts.iter().take(MAX_TEXTS).flat_map(|text| of_text(text.as_bytes())).chain(of_text(value)).collect()
}

fn texts_of<'d>(document: &'d Value, texts: &mut Vec<&'d str>) {
    match document {
        Value::String(text) => texts.push(text),
        Value::Array(items) => items.iter().for_each(|item| texts_of(item, texts)),
        Value::Object(fields) => fields.values().for_each(|field| texts_of(field, texts)),
        _ => {}
    }
}

fn of_text(value: &[u8]) -> Vec<Identity> {
    let mut identities = written(value);
    if let Some(seed) = seed(value) {
        identities.extend(SigningKey::from_slice(&*seed).ok().map(|key| account(&key)));
        identities.extend(Ed25519KeyPair::from_seed_unchecked(&*seed).ok().map(|key| named("key", &ed25519_id(&key))));
    }
    let copy = || SecretValue::new(value.to_vec());
    let text = plain(value);
    if is_phrase(&text) {
        let local = Local::read(&copy(), None, FIRST_ACCOUNT, Reveal::to_sign());
        identities.extend(local.ok().map(|local| account(local.key())));
    }
    if text.contains("-----BEGIN") || text.starts_with('{') {
        identities.extend(TokenKey::read(&copy(), Reveal::to_sign()).ok().map(|key| named("key", &key.id())));
    }
    // A PEM is often carried in base64 once more.
    let inner = text.starts_with("LS0t").then(|| STANDARD.decode(text.as_bytes()).ok().map(Zeroizing::new)).flatten();
    if let Some(key) = inner.and_then(|inner| TokenKey::read(&SecretValue::new(inner.to_vec()), Reveal::to_sign()).ok()) {
        identities.push(named("key", &key.id()));
    }
    identities
}

/// The spellings of one text that are the same to whoever reads it as a key.
pub(super) fn written(value: &[u8]) -> Vec<Identity> {
    let text = plain(value);
    let digits = text.strip_prefix("0x").or(text.strip_prefix("0X")).unwrap_or(&text);
    let mut identities = vec![named("bytes", value)];
    if digits.len() >= 32 && digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        identities.push(named("text", digits.to_ascii_lowercase().as_bytes()));
    } else if is_phrase(&text) {
        identities.push(named("text", Zeroizing::new(words_of(&text).to_lowercase()).as_bytes()));
    } else if let Some(document) = text.starts_with('{').then(|| serde_json::from_str::<Value>(&text).ok()).flatten() {
        identities.extend(serde_json::to_vec(&sorted(document.clone())).ok().map(|text| named("text", &Zeroizing::new(text))));
        // A keystore says whose it is, whatever it is encrypted with.
        let is_keystore = keystore::field(&document, "crypto").is_object();
        let address = keystore::field(&document, "address").as_str().filter(|_| is_keystore);
        identities.extend(address.map(|text| named("address", keystore::without_prefix(text).to_lowercase().as_bytes())));
    } else {
        identities.push(named("text", text.as_bytes()));
    }
    identities
}

/// 32 bytes that a value writes down as digits, numbers, base64 or base58, or that it is.
fn seed(value: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
    let text = plain(value);
    let digits = text.strip_prefix("0x").or(text.strip_prefix("0X")).unwrap_or(&text);
    let numbers = || serde_json::from_str::<Vec<u8>>(&text).ok().filter(|numbers| matches!(numbers.len(), 32 | 64));
    let base64 = || [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD].iter().find_map(|base| base.decode(text.as_bytes()).ok());
    let base58 = || bs58::decode(text.as_bytes()).into_vec().ok();
    let is_seed = |bytes: &Vec<u8>| matches!(bytes.len(), 32 | 64);
    // A pair of ed25519 is its seed, then its public half.
    let of_text = unhex(digits).filter(is_seed).or_else(numbers).or_else(|| base64().filter(is_seed)).or_else(|| base58().filter(is_seed));
    let bytes = Zeroizing::new(of_text.or_else(|| (value.len() == 32).then(|| value.to_vec()))?);
    if bytes.len() == 64 && solana(&serde_json::to_vec(&*bytes).ok()?).is_err() {
        return None;
    }
    bytes[..32].try_into().ok().map(Zeroizing::new)
}

/// The text of a value without what readers of keys pass over.
fn plain(value: &[u8]) -> Zeroizing<String> {
    let text = String::from_utf8_lossy(value);
    Zeroizing::new(text.trim_matches(|c: char| c.is_whitespace() || matches!(c, '\u{feff}' | '"' | '\'')).to_owned())
}

/// A document with the keys of its objects in one order.
fn sorted(document: Value) -> Value {
    match document {
        Value::Object(fields) => {
            let mut fields: Vec<(String, Value)> = fields.into_iter().map(|(name, value)| (name, sorted(value))).collect();
            fields.sort_by(|(one, _), (other, _)| one.cmp(other));
            Value::Object(fields.into_iter().collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}

fn account(key: &SigningKey) -> Identity {
    named("key", key.verifying_key().to_encoded_point(true).as_bytes())
}

fn named(kind: &str, bytes: &[u8]) -> Identity {
    Zeroizing::new([kind.as_bytes(), b"\0", bytes].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first account of the development phrase, as Hardhat and Anvil print both: <https://hardhat.org/hardhat-network/docs/reference>
    const DIGITS: &str = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
    const PHRASE: &str = "test test test test test test test test test test test junk";
    const ADDRESS: &str = "f39fd6e51aad88f6f4ce6ab8827279cfffb92266";

    fn signer(text: &str) -> Vec<Identity> {
        let local = Local::read(&SecretValue::new(text), None, FIRST_ACCOUNT, Reveal::to_sign()).expect("a key");
        let point = local.key().verifying_key().to_encoded_point(true);
        let address = crate::ethereum::signature::address_of(local.key().verifying_key());
        of_signer(point.as_bytes(), Some(address), &written(text.as_bytes()))
    }

    fn share(signer: &[Identity], secret: &str) -> bool {
        of_secret(secret.as_bytes()).iter().any(|identity| signer.contains(identity))
    }

    #[test]
    fn a_wallets_key_is_known_in_every_form_it_is_written_in() {
        let bytes = unhex(DIGITS).expect("digits");
        let forms = [
            DIGITS.to_owned(),
            format!("0x{DIGITS}"),
            format!("0X{}", DIGITS.to_uppercase()),
            format!("{DIGITS}\n"),
            format!("\u{feff}\"{DIGITS}\"\r\n"),
            PHRASE.to_owned(),
            format!("  {}\n", PHRASE.replace(' ', "  ")),
            STANDARD.encode(&bytes),
            URL_SAFE_NO_PAD.encode(&bytes),
            serde_json::to_string(&bytes).expect("numbers"),
            bs58::encode(&bytes).into_string(),
            format!("{{\"name\":\"a\",\"keys\":[{{\"wallet\":\"0x{DIGITS}\"}}]}}"),
            format!("{{\"address\":\"0x{}\",\"crypto\":{{\"ciphertext\":\"\"}},\"version\":3}}", ADDRESS),
        ];

        for form in &forms {
            assert!(share(&signer(DIGITS), form), "{form:?}");
            assert!(share(&signer(PHRASE), form), "{form:?}");
        }
        for other in ["an-api-key-of-32-characters-long", "0000000000000000000000000000000000000000000000000000000000000001"] {
            assert!(!share(&signer(DIGITS), other), "{other}");
        }
    }

    #[test]
    fn a_token_key_is_known_in_every_form_it_is_written_in() {
        let file = |name: &str| {
            let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/field/jwt").join(name);
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        };
        let pem = file("control-pkcs8.pem");
        let key = TokenKey::read(&SecretValue::new(pem.as_bytes()), Reveal::to_sign()).expect("a key");
        let signer = of_signer(&key.id(), None, &written(pem.as_bytes()));

        for form in
            [file("github-app-pkcs1.pem"), file("pkcs8-with-escaped-line-breaks.txt"), file("service-account.json"), STANDARD.encode(&pem)]
        {
            assert!(share(&signer, &form), "{form}");
        }
        assert!(!share(&signer, &file("apple-p8-control.pem")));
    }

    #[test]
    fn a_document_is_the_same_however_it_is_laid_out() {
        let one = written(b"{\"a\":1,\"b\":{\"c\":2,\"d\":3}}");
        let other = written(b"{ \"b\": {\"d\":3, \"c\":2}, \"a\": 1 }\n");

        assert!(one.iter().any(|identity| other.contains(identity)));
    }

    #[test]
    fn what_signs_is_not_sent_and_what_is_sent_does_not_sign_in_any_process_of_the_host() {
        let dir = tempfile::tempdir().expect("a directory");
        let state = StateDir::open(&dir.path().join("state")).expect("a state directory");
        let known = || Known::new(Some(&state)).expect("known");
        let value = |text: &str| SecretValue::new(text.to_owned());
        let print = |text: &str| value(text).fingerprint(&[7; 32]);
        let (one, other) = (known(), known());

        one.sends(&value("0x01aa"), print("0x01aa"), "agent a").expect("nobody signs with it");
        one.signs(&signer(DIGITS), "wallet", "signer w").expect("nobody sends it");
        for known in [&one, &other, &known()] {
            let refusal = known.sends(&value(PHRASE), print(PHRASE), "agent b").expect_err("it is the wallet's");
            assert!(refusal.contains("serves as `wallet` already") && !refusal.contains("junk"), "{refusal}");
        }

        let sent = "0x".to_owned() + &"42".repeat(32);
        one.sends(&value(&sent), print(&sent), "agent a").expect("nobody signs with it");
        let refusal = other.signs(&signer(&sent), "wallet", "signer v").expect_err("it was sent");
        assert!(refusal.contains("serves as `secret` already"), "{refusal}");
        let file = std::fs::read_to_string(dir.path().join("state/keys")).expect("a file");
        assert!(!file.contains(DIGITS) && !file.contains(&sent[2..]), "{file}");
    }
}
