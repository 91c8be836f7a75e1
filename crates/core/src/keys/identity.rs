//! What a value is as a key, however it is written: its text in one spelling, and the public half of the key that it writes down. Two values
//! with an identity in common are one key.

use super::Key;
use super::jose::{TokenKey, ed25519_id};
use super::keystore;
use super::local::{FIRST_ACCOUNT, Local, is_phrase, words_of};
use super::solana::Solana;
use crate::policy::Reveal;
use crate::text::{hex, unhex};
use crate::value::SecretValue;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use k256::ecdsa::SigningKey;
use ring::signature::Ed25519KeyPair;
use serde_json::Value;
use sha2::Sha256;
use zeroize::Zeroizing;

/// Texts of one document that are looked at.
const MAX_TEXTS: usize = 256;

/// One of the things that a value is: its text in one spelling, or the public half of the key that it writes down. It holds plaintext, and gives
/// out a keyed hash of it alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity(Zeroizing<Vec<u8>>);

impl Identity {
    /// The keyed hash by which it is kept and compared.
    pub fn hash(&self, key: &[u8; 32]) -> [u8; 32] {
        let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(key).expect("HMAC takes keys of any length");
        mac.update(b"strongroom key identity\0");
        mac.update(&self.0);
        mac.finalize().into_bytes().into()
    }
}

/// Whether a value would serve as a wallet's key: then it serves nothing else.
pub fn is_wallet_key(value: &SecretValue) -> bool {
    super::local::is_wallet_key(value.reveal(Reveal::to_sign()))
}

impl Key {
    /// What the key is: its public half, its address, and what it is written as.
    pub fn identities(&self, written: &[Identity]) -> Vec<Identity> {
        let mut identities: Vec<Identity> = written.to_vec();
        identities.push(named("key", &self.id()));
        identities.extend(self.address().map(|address| named("address", hex(address.as_slice()).as_bytes())));
        identities
    }
}

/// What a value that is sent would be as a key, in whatever form it is written, and what a document would give away that holds keys.
pub fn of_secret(value: &SecretValue) -> Vec<Identity> {
    let value = value.reveal(Reveal::to_sign());
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
    let mut identities = spellings(value);
    if let Some(seed) = seed(value) {
        identities.extend(SigningKey::from_slice(&*seed).ok().map(|key| account(&key)));
        identities.extend(Ed25519KeyPair::from_seed_unchecked(&*seed).ok().map(|key| named("key", &ed25519_id(&key))));
    }
    let copy = || SecretValue::new(value.to_vec());
    let text = plain(value);
    if is_phrase(&text) {
        let local = Local::read(&copy(), None, FIRST_ACCOUNT);
        identities.extend(local.ok().map(|local| account(local.key())));
    }
    if text.contains("-----BEGIN") || text.starts_with('{') {
        identities.extend(TokenKey::read(&copy()).ok().map(|key| named("key", &key.id())));
    }
    // A PEM is often carried in base64 once more.
    let inner = text.starts_with("LS0t").then(|| STANDARD.decode(text.as_bytes()).ok().map(Zeroizing::new)).flatten();
    if let Some(key) = inner.and_then(|inner| TokenKey::read(&SecretValue::new(inner.to_vec())).ok()) {
        identities.push(named("key", &key.id()));
    }
    identities
}

/// The spellings of one text that are the same to whoever reads it as a key.
pub fn written(value: &SecretValue) -> Vec<Identity> {
    spellings(value.reveal(Reveal::to_sign()))
}

fn spellings(value: &[u8]) -> Vec<Identity> {
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
    if bytes.len() == 64 && Solana::read(&serde_json::to_vec(&*bytes).ok()?).is_err() {
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
    Identity(Zeroizing::new([kind.as_bytes(), b"\0", bytes].concat()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first account of the development phrase, as Hardhat and Anvil print both: <https://hardhat.org/hardhat-network/docs/reference>
    const DIGITS: &str = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
    const PHRASE: &str = "test test test test test test test test test test test junk";
    const ADDRESS: &str = "f39fd6e51aad88f6f4ce6ab8827279cfffb92266";

    fn signer(text: &str) -> Vec<Identity> {
        let value = SecretValue::new(text);
        Key::wallet(&value, None, FIRST_ACCOUNT).expect("a key").identities(&written(&value))
    }

    fn share(signer: &[Identity], secret: &str) -> bool {
        of_secret(&SecretValue::new(secret)).iter().any(|identity| signer.contains(identity))
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
            let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/field/jwt").join(name);
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        };
        let pem = file("control-pkcs8.pem");
        let value = SecretValue::new(pem.as_bytes());
        let signer = Key::token(&value).expect("a key").identities(&written(&value));

        for form in
            [file("github-app-pkcs1.pem"), file("pkcs8-with-escaped-line-breaks.txt"), file("service-account.json"), STANDARD.encode(&pem)]
        {
            assert!(share(&signer, &form), "{form}");
        }
        assert!(!share(&signer, &file("apple-p8-control.pem")));
    }

    #[test]
    fn a_document_is_the_same_however_it_is_laid_out() {
        let one = spellings(b"{\"a\":1,\"b\":{\"c\":2,\"d\":3}}");
        let other = spellings(b"{ \"b\": {\"d\":3, \"c\":2}, \"a\": 1 }\n");

        assert!(one.iter().any(|identity| other.contains(identity)));
    }
}
