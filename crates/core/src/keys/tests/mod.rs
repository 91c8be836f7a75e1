//! Keys from outside, held against the standards that write them: the examples that stand there are typed in with their reference, what must
//! be refused is a small edit of something good that stands beside it, and every case of `tests/vectors` runs too. No key here guards anything: each is printed in the document that is named with it.

mod examples;
mod keystores;
mod macs;
mod phrases;
mod signatures;
mod signers;
mod token_examples;
mod token_keys;
mod wallets;

use super::jose::{TokenKey, authenticate_example, symmetric_id};
use super::signer::{Answer, Outcome, PublicKey, SignRequest, Signature as Signed, Signer, SignerError, Ticket};
use crate::ethereum::signature::{Recoverable, address_of};
use crate::keys::local::{FIRST_ACCOUNT, Local, is_wallet_key};
use crate::policy::{SignPermit, TokenPermit};
use crate::value::SecretValue;
use alloy_primitives::hex;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bip32::XPrv;
use examples::*;
use futures_util::FutureExt;
use k256::ecdsa::signature::Verifier;
use k256::ecdsa::{RecoveryId, Signature, SigningKey, VerifyingKey};
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn read(text: &str, passphrase: &str, path: &str) -> Result<Local, String> {
    let passphrase = SecretValue::new(passphrase);
    Local::read(&SecretValue::new(text), Some(&passphrase), path)
}

fn public(local: &Local) -> VerifyingKey {
    *local.key().verifying_key()
}

fn account(text: &str, passphrase: &str, path: &str) -> Result<String, String> {
    read(text, passphrase, path).map(|local| address_of(&public(&local)).to_string())
}

fn account_of(text: &str) -> Result<String, String> {
    account(text, "", FIRST_ACCOUNT)
}

/// The address of a key that is known by its digits: what an example must lead to.
fn address_by(digits: &str) -> String {
    let key = SigningKey::from_slice(&hex::decode(digits).expect("digits")).expect("a key");
    address_of(key.verifying_key()).to_string()
}

fn sign(local: &Local, digest: &[u8; 32]) -> Signature {
    match SignRequest::ask(local, *digest).now_or_never().expect("at once: the key lies here").expect("a signature") {
        Answer::Signed(Signed::Secp256k1(signature, _)) => signature,
        other => panic!("{other:?}"),
    }
}

fn token_key(value: impl Into<Vec<u8>>) -> Result<TokenKey, String> {
    TokenKey::read(&SecretValue::new(value))
}

fn token_key_of(jwk: &Value) -> TokenKey {
    token_key(jwk.to_string()).expect("a key")
}

fn signature(key: &TokenKey, input: &str) -> String {
    URL_SAFE_NO_PAD.encode(key.sign_example(input.as_bytes()).expect("a signature"))
}

fn decoded(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).expect("base64url")
}

/// PKCS#8 as OpenSSL writes it, of what stands between the lines.
fn pem(der: &str) -> String {
    let lines = der.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).expect("base64"));
    let lines = lines.collect::<Vec<_>>().join("\n");
    format!("-----BEGIN PRIVATE KEY-----\n{lines}\n-----END PRIVATE KEY-----\n")
}

fn with(value: &Value, pointer: &str, new: Value) -> Value {
    let mut value = value.clone();
    *value.pointer_mut(pointer).expect("a place in the document") = new;
    value
}

fn without(value: &Value, name: &str) -> Value {
    let mut value = value.clone();
    value.as_object_mut().expect("an object").shift_remove(name).expect("a field");
    value
}

/// Every text of four letters or more in a document.
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) if text.len() > 3 => vec![text],
        Value::Array(values) => values.iter().flat_map(texts).collect(),
        Value::Object(fields) => fields.values().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

fn vectors(name: &str) -> Value {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors").join(name);
    let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).expect("JSON")
}
