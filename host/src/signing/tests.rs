//! Keys from outside, held against the standards that write them: the examples that stand there are typed in with their reference, what must
//! be refused is a small edit of something good that stands beside it, and every case of `tests/vectors` runs too. No key here guards anything: each is printed in the document that is named with it.

use super::jose::{TokenKey, authenticate_example, symmetric_id};
use super::local::{FIRST_ACCOUNT, Local, is_wallet_key};
use super::signer::{Signer, SignerError};
use crate::ethereum::signature::{Recoverable, address_of};
use crate::policy::{Reveal, SignPermit, TokenPermit};
use crate::secrets::SecretValue;
use alloy_primitives::hex;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bip32::XPrv;
use futures_util::FutureExt;
use k256::ecdsa::signature::Verifier;
use k256::ecdsa::{Signature, SigningKey, VerifyingKey};
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

// === What the tests ask ===

fn read(text: &str, passphrase: &str, path: &str) -> Result<Local, String> {
    let passphrase = SecretValue::new(passphrase);
    Local::read(&SecretValue::new(text), Some(&passphrase), path, Reveal::to_sign())
}

fn public(local: &Local) -> VerifyingKey {
    local.public_key().now_or_never().expect("at once: the key lies here").expect("a public key")
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
    local.sign(digest).now_or_never().expect("at once: the key lies here").expect("a signature")
}

fn token_key(value: impl Into<Vec<u8>>) -> Result<TokenKey, String> {
    TokenKey::read(&SecretValue::new(value), Reveal::to_sign())
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

// === Digits ===

/// The first account of the development phrase, as Hardhat and Anvil print it: <https://hardhat.org/hardhat-network/docs/reference>
const DIGITS: &str = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
const ADDRESS: &str = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";
/// The order of the group (SEC 2, 2.4.1).
const ORDER: &str = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";

#[test]
fn digits_are_read_in_each_spelling_that_people_use() {
    let upper = DIGITS.to_uppercase();

    for text in [
        DIGITS.to_owned(),
        format!("0x{DIGITS}"),
        upper.clone(),
        format!("0x{upper}"),
        format!("{DIGITS}\n"),
        format!("\r\n  0x{DIGITS}\r\n"),
    ] {
        assert_eq!(account_of(&text).as_deref(), Ok(ADDRESS), "{text:?}");
    }
}

#[test]
fn the_last_key_before_the_order_is_one_and_neither_zero_nor_the_order_is() {
    let last = format!("{}40", &ORDER[..62]);
    let zero = "0".repeat(64);
    let all = "f".repeat(64);

    assert!(account_of(&last).is_ok());
    assert!(account_of(&format!("{}1", &zero[..63])).is_ok());
    for text in [zero.as_str(), ORDER, all.as_str()] {
        let refusal = account_of(text).expect_err("no key of the group");
        assert_eq!(refusal, "it is no key of secp256k1", "{text}");
    }
}

#[test]
fn what_is_not_64_digits_is_refused_without_a_part_of_it() {
    let short = &DIGITS[..63];
    let long = format!("{DIGITS}0");
    let prefixed_short = format!("0x{short}");
    let twice = format!("0x0x{DIGITS}");
    let foreign = format!("{short}g");
    let wide = format!("{}\u{ff11}", &DIGITS[..61]);
    let signed = format!("+{short}");

    for text in [short, &long, &prefixed_short, &twice, &foreign, &wide, &signed, "0x", ""] {
        let refusal = account_of(text).expect_err(text);
        assert!(refusal.contains("64 hexadecimal digits"), "{refusal}");
        assert!(!refusal.contains(&DIGITS[..8]), "{refusal}");
    }
    assert!(Local::read(&SecretValue::new([0xff; 32]), None, FIRST_ACCOUNT, Reveal::to_sign()).is_err());
}

// === Phrases ===

/// The phrase of development chains, and its first accounts, as Hardhat and Anvil print them.
const PHRASE: &str = "test test test test test test test test test test test junk";

#[test]
fn the_development_phrase_leads_to_its_accounts() {
    let known = [ADDRESS, "0x70997970C51812dc3A010C7d01b50e0d17dc79C8", "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"];

    for (index, address) in known.into_iter().enumerate() {
        let account = account(PHRASE, "", &format!("m/44'/60'/0'/0/{index}"));
        assert_eq!(account.as_deref(), Ok(address), "{index}");
    }
    assert_eq!(account_of(&format!("  {}\n", PHRASE.replace(' ', "  \t"))).as_deref(), Ok(ADDRESS));
    assert_ne!(account(PHRASE, "another passphrase", FIRST_ACCOUNT).as_deref(), Ok(ADDRESS));
}

#[test]
fn three_phrases_of_the_reference_lead_to_its_keys() {
    // https://github.com/trezor/python-mnemonic/blob/master/vectors.json, "english" 1, 2 and 4; the passphrase is TREZOR.
    let cases = [
        (
            "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about",
            "xprv9s21ZrQH143K3h3fDYiay8mocZ3afhfULfb5GX8kCBdno77K4HiA15Tg23wpbeF1pLfs1c5SPmYHrEpTuuRhxMwvKDwqdKiGJS9XFKzUsAF",
        ),
        (
            "legal winner thank year wave sausage worth useful legal winner thank yellow",
            "xprv9s21ZrQH143K2gA81bYFHqU68xz1cX2APaSq5tt6MFSLeXnCKV1RVUJt9FWNTbrrryem4ZckN8k4Ls1H6nwdvDTvnV7zEXs2HgPezuVccsq",
        ),
        (
            "zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo wrong",
            "xprv9s21ZrQH143K2V4oox4M8Zmhi2Fjx5XK4Lf7GKRvPSgydU3mjZuKGCTg7UPiBUD7ydVPvSLtg9hjp7MQTYsW67rZHAXeccqYqrsx8LcXnyd",
        ),
    ];

    for (phrase, xprv) in cases {
        leads_to(phrase, xprv).expect(phrase);
    }
}

/// Whether a phrase with the passphrase TREZOR leads to that master key; and to its first account, which its chain code has a part in.
fn leads_to(phrase: &str, xprv: &str) -> Result<(), String> {
    let master: XPrv = xprv.parse().expect("an extended key (BIP-32)");
    let child = child_of(&master, FIRST_ACCOUNT);

    let at_m = public(&read(phrase, "TREZOR", "m")?);
    let first = public(&read(phrase, "TREZOR", FIRST_ACCOUNT)?);

    assert_eq!(at_m, *master.private_key().verifying_key(), "{phrase}");
    assert_eq!(first, *child.private_key().verifying_key(), "{phrase}");
    Ok(())
}

/// Child by child, as BIP-32 writes it.
fn child_of(master: &XPrv, path: &str) -> XPrv {
    let steps = path.split('/').skip(1).map(|step| step.parse().expect("a step"));
    steps.fold(master.clone(), |key, step| key.derive_child(step).expect("a child"))
}

#[test]
fn paths_lead_where_the_first_vector_of_bip_32_says() {
    // BIP-32, test vector 1. Its seed has 16 bytes, which no phrase gives: asked is what `phrase` asks, with that seed.
    let seed = hex!("000102030405060708090a0b0c0d0e0f");
    let cases = [
        ("m", "xprv9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stbPy6cq3jPPqjiChkVvvNKmPGJxWUtg6LnF5kejMRNNU3TGtRBeJgk33yuGBxrMPHi"),
        ("m/0'", "xprv9uHRZZhk6KAJC1avXpDAp4MDc3sQKNxDiPvvkX8Br5ngLNv1TxvUxt4cV1rGL5hj6KCesnDYUhd7oWgT11eZG7XnxHrnYeSvkzY7d2bhkJ7"),
        ("m/0'/1", "xprv9wTYmMFdV23N2TdNG573QoEsfRrWKQgWeibmLntzniatZvR9BmLnvSxqu53Kw1UmYPxLgboyZQaXwTCg8MSY3H2EU4pWcQDnRnrVA1xe8fs"),
        ("m/0'/1/2'", "xprv9z4pot5VBttmtdRTWfWQmoH1taj2axGVzFqSb8C9xaxKymcFzXBDptWmT7FwuEzG3ryjH4ktypQSAewRiNMjANTtpgP4mLTj34bhnZX7UiM"),
        ("m/0'/1/2'/2", "xprvA2JDeKCSNNZky6uBCviVfJSKyQ1mDYahRjijr5idH2WwLsEd4Hsb2Tyh8RfQMuPh7f7RtyzTtdrbdqqsunu5Mm3wDvUAKRHSC34sJ7in334"),
        (
            "m/0'/1/2'/2/1000000000",
            "xprvA41z7zogVVwxVSgdKUHDy1SKmdb533PjDz7J6N6mV6uS3ze1ai8FHa8kmHScGpWmj4WggLyQjgPie1rFSruoUihUZREPSL39UNdE3BBDu76",
        ),
    ];

    for (path, xprv) in cases {
        let key = XPrv::derive_from_path(seed, &path.parse().expect("a path")).expect("a key");
        assert_eq!(*key.to_string(bip32::Prefix::XPRV), xprv, "{path}");
    }
}

#[test]
fn a_phrase_that_is_none_is_refused_without_a_word_of_it() {
    let eleven = PHRASE.replacen("test ", "", 1);
    let thirteen = format!("test {PHRASE}");
    let checksum = PHRASE.replace("junk", "test");
    let unknown = PHRASE.replace("junk", "strongroom");
    let upper = PHRASE.to_uppercase();

    for text in [&eleven, &thirteen, &checksum, &unknown, &upper] {
        let refusal = account_of(text).expect_err(text);
        let said: Vec<String> = refusal.split(|c: char| !c.is_alphanumeric()).map(str::to_lowercase).collect();
        assert!(refusal.contains("BIP-39"), "{refusal}");
        assert!(!text.split(' ').any(|word| said.contains(&word.to_lowercase())), "{refusal}");
    }
}

#[test]
fn a_path_that_is_none_is_refused_without_a_word_of_the_phrase() {
    for path in ["", "44'/60'/0'/0/0", "M/44'/60'/0'/0/0", "m/", "m//0", "m/x", "m/-1", "m/0''", "m/2147483648", "m/4294967296'", "m/0 "] {
        let refusal = account(PHRASE, "secret words", path).expect_err(path);
        assert!(refusal.contains("`path`"), "{refusal}");
        assert!(["test", "junk", "secret"].iter().all(|word| !refusal.contains(word)), "{refusal}");
    }
}

#[test]
fn a_passphrase_of_a_phrase_is_text() {
    let passphrase = SecretValue::new([0xff, 0xfe]);

    let refusal = Local::read(&SecretValue::new(PHRASE), Some(&passphrase), FIRST_ACCOUNT, Reveal::to_sign()).err();

    assert_eq!(refusal.as_deref(), Some("its passphrase is not text"));
}

// === Keystores ===

/// The key of the example of EIP-155: <https://eips.ethereum.org/EIPS/eip-155#example>
fn eip_155() -> String {
    "46".repeat(32)
}

const LIGHT_PASSPHRASE: &str = "correct horse";

/// The key of EIP-155 in a keystore, made for these tests by Python's hashlib and OpenSSL's AES, with little work to open.
fn light() -> Value {
    json!({
        "version": 3,
        "id": "3198bc9c-6672-5ab3-d995-4942343ae5b6",
        "address": "9d8a62f656a8d1615c1294fd71e9cfb3e4855a4f",
        "crypto": {
            "cipher": "aes-128-ctr",
            "cipherparams": { "iv": "0ab306823035661bb8dba21cc2535231" },
            "ciphertext": "9cf56c66f1250909b8734b7e789bbc10a67a45f23b7f58bcf8d4fa42e67d2ae3",
            "kdf": "scrypt",
            "kdfparams": {
                "dklen": 32, "n": 1024, "r": 8, "p": 1,
                "salt": "fd4ea557a74c2464565f88170fb25f94cf109ac8c7ddfa6040bb2f91631ed7de"
            },
            "mac": "9fa628d078de83b8a52b67d9b8ffa2b6838e3304d03206a81711f91a36002150"
        }
    })
}

/// The same by PBKDF2.
fn light_pbkdf2() -> Value {
    json!({
        "version": 3,
        "crypto": {
            "cipher": "aes-128-ctr",
            "cipherparams": { "iv": "0ab306823035661bb8dba21cc2535231" },
            "ciphertext": "65baf5495ee47b545e006becf2f3c57456b7d4a3e7e39b4b1d983ea4402c69f2",
            "kdf": "pbkdf2",
            "kdfparams": {
                "c": 1000, "dklen": 32, "prf": "hmac-sha256",
                "salt": "9ab72e2d5d915437039bdd5fbffa88ad47abb4f084f9226d9daa4da88eb11771"
            },
            "mac": "2089a2b38c502d51e74cdfc860c067fa6162eeb31c5dc5b0fd924167c241522e"
        }
    })
}

/// The secret of the two examples of the Web3 Secret Storage Definition, "Test Vectors":
/// <https://ethereum.org/developers/docs/data-structures-and-encoding/web3-secret-storage/#test-vectors>
const EXAMPLE_SECRET: &str = "7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d";
const EXAMPLE_ADDRESS: &str = "0x008aeeda4d805471df9b2a5b0f38a0c3bcba786b";

fn opens(keystore: &Value) -> Result<String, String> {
    account(&keystore.to_string(), LIGHT_PASSPHRASE, FIRST_ACCOUNT)
}

/// The refusal of a keystore, which quotes nothing of it and not the passphrase.
fn refused(keystore: &Value, passphrase: &str) -> String {
    let refusal = account(&keystore.to_string(), passphrase, FIRST_ACCOUNT).expect_err("a keystore that must not open");
    let quoted = texts(keystore).into_iter().chain([passphrase]).find(|text| refusal.contains(text));
    assert_eq!(quoted, None, "{refusal}");
    refusal
}

#[test]
fn the_pbkdf2_example_of_the_definition_opens() {
    // Web3 Secret Storage Definition, "PBKDF2-SHA-256".
    let keystore = json!({
        "crypto": {
            "cipher": "aes-128-ctr",
            "cipherparams": { "iv": "6087dab2f9fdbbfaddc31a909735c1e6" },
            "ciphertext": "5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46",
            "kdf": "pbkdf2",
            "kdfparams": {
                "c": 262144, "dklen": 32, "prf": "hmac-sha256",
                "salt": "ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd"
            },
            "mac": "517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2"
        },
        "id": "3198bc9c-6672-5ab3-d995-4942343ae5b6",
        "version": 3
    });

    let account = account(&keystore.to_string(), "testpassword", FIRST_ACCOUNT).expect("the example's key");

    assert_eq!(account, address_by(EXAMPLE_SECRET));
    assert_eq!(account.to_lowercase(), EXAMPLE_ADDRESS);
}

#[test]
fn a_keystore_opens_in_each_spelling_that_programs_use() {
    let light = light();
    let mut capital = without(&light, "crypto");
    capital["Crypto"] = light["crypto"].clone();
    let mac = light["crypto"]["mac"].as_str().expect("a mac");
    let salt = light["crypto"]["kdfparams"]["salt"].as_str().expect("a salt");
    let prefixed = with(&light, "/crypto/mac", json!(format!("0x{mac}")));
    let upper = with(&light, "/crypto/kdfparams/salt", json!(salt.to_uppercase()));

    for keystore in [&light, &light_pbkdf2(), &capital, &prefixed, &upper] {
        assert_eq!(opens(keystore), Ok(address_by(&eip_155())), "{keystore}");
    }
    assert_eq!(account(&format!("\n{light:#}\n"), LIGHT_PASSPHRASE, FIRST_ACCOUNT), Ok(address_by(&eip_155())));
}

#[test]
fn a_keystore_does_not_open_with_another_passphrase() {
    let light = light();

    let other = refused(&light, "correct house");
    let none = Local::read(&SecretValue::new(light.to_string()), None, FIRST_ACCOUNT, Reveal::to_sign()).err();

    assert_eq!(other, "its keystore does not open with the passphrase");
    assert_eq!(none.as_deref(), Some("its keystore does not open with the passphrase"));
}

#[test]
fn a_keystore_that_was_changed_does_not_open() {
    let digits = "9fa628d078de83b8a52b67d9b8ffa2b6838e3304d03206a81711f91a36002151";
    let cases = [
        ("/crypto/mac", json!(digits)),
        ("/crypto/mac", json!(&digits[..62])),
        ("/crypto/mac", json!("")),
        ("/crypto/ciphertext", json!(digits)),
        ("/crypto/ciphertext", json!("")),
        ("/crypto/kdfparams/salt", json!(digits)),
        ("/crypto/kdfparams/n", json!(512)),
        ("/crypto/kdfparams/p", json!(2)),
    ];

    for (place, value) in cases {
        let refusal = refused(&with(&light(), place, value), LIGHT_PASSPHRASE);
        assert_eq!(refusal, "its keystore does not open with the passphrase", "{place}");
    }
}

#[test]
fn a_keystore_of_another_form_is_refused_and_told_why() {
    let cases = [
        ("/version", json!(1), "version 3"),
        // `"3"` opens: some programs write it so, and no other version is.
        ("/version", json!("03"), "version 3"),
        ("/version", json!(4), "version 3"),
        ("/crypto/kdf", json!("argon2id"), "unknown way"),
        ("/crypto/kdf", json!("pbkdf2"), "unknown way"),
        ("/crypto/kdfparams/dklen", json!(16), "32 bytes"),
        ("/crypto/kdfparams/dklen", json!(64), "32 bytes"),
        ("/crypto/kdfparams/dklen", json!("32"), "no number"),
        ("/crypto/kdfparams/n", json!(1 << 20), "512 MiB"),
        ("/crypto/kdfparams/n", json!(u64::MAX / 2 + 1), "512 MiB"),
        ("/crypto/kdfparams/r", json!(u64::MAX), "512 MiB"),
        ("/crypto/kdfparams/p", json!(17), "512 MiB"),
        ("/crypto/kdfparams/n", json!(-1024), "no number"),
        ("/crypto/kdfparams/n", json!(1024.5), "no number"),
        ("/crypto/kdfparams/r", json!(0), "out of range"),
        ("/crypto/kdfparams/p", json!(0), "out of range"),
        ("/crypto/kdfparams/salt", json!("fd4"), "hexadecimal digits"),
        ("/crypto/kdfparams/salt", json!(null), "hexadecimal digits"),
        ("/crypto/ciphertext", json!("zz".repeat(32)), "hexadecimal digits"),
        ("/crypto/mac", json!(7), "hexadecimal digits"),
        ("/crypto/cipher", json!("aes-128-cbc"), "unknown way"),
        ("/crypto/cipher", json!("aes-256-ctr"), "unknown way"),
        ("/crypto/cipherparams/iv", json!("0ab306823035661bb8dba21cc25352"), "unknown way"),
        ("/crypto/cipherparams", json!({}), "hexadecimal digits"),
    ];

    for (place, value, why) in cases {
        let refusal = refused(&with(&light(), place, value.clone()), LIGHT_PASSPHRASE);
        assert!(refusal.contains(why), "{place} {value}: {refusal}");
    }
    for n in [0, 1, 1000] {
        refused(&with(&light(), "/crypto/kdfparams/n", json!(n)), LIGHT_PASSPHRASE);
    }
    assert!(refused(&without(&light(), "version"), LIGHT_PASSPHRASE).contains("version 3"));
    assert!(refused(&without(&light(), "crypto"), LIGHT_PASSPHRASE).contains("`crypto`"));
}

#[test]
fn a_keystore_by_pbkdf2_states_its_function_and_a_bounded_count() {
    for (place, value, why) in [
        ("/crypto/kdfparams/prf", json!("hmac-sha512"), "unknown way"),
        ("/crypto/kdfparams/c", json!(0), "rounds"),
        ("/crypto/kdfparams/c", json!(10_000_001), "rounds"),
        ("/crypto/kdfparams/c", json!(1_u64 << 32), "rounds"),
        ("/crypto/kdfparams/c", json!(1001), "passphrase"),
    ] {
        let refusal = refused(&with(&light_pbkdf2(), place, value.clone()), LIGHT_PASSPHRASE);
        assert!(refusal.contains(why), "{place} {value}: {refusal}");
    }
}

#[test]
fn a_keystore_that_is_no_json_is_refused_without_a_part_of_it() {
    let text = light().to_string();
    let torn = &text[..text.len() - 1];

    let refusal = account(torn, LIGHT_PASSPHRASE, FIRST_ACCOUNT).expect_err("half a document");

    assert_eq!(refusal, "its keystore is no JSON");
}

// === Whose key it is ===

#[test]
fn a_wallets_key_is_known_in_each_of_its_forms() {
    let keystore = light().to_string();
    let pretty = format!("\n{:#}", light());
    let padded = format!("  {DIGITS}\n");

    for text in [DIGITS, &format!("0x{DIGITS}"), &padded, PHRASE, &PHRASE.replace(' ', "\n"), &keystore, &pretty] {
        assert!(is_wallet_key(text.as_bytes()), "{text}");
    }
}

#[test]
fn what_serves_no_wallet_is_not_taken_for_its_key() {
    let jwk = rfc_8037_a1().to_string();
    let bytes = [0xff; 32];

    for value in
        [&DIGITS.as_bytes()[..63], b"", b"{}", &bytes, jwk.as_bytes(), pem(ED25519).as_bytes(), b"twelve or so words, with a comma"]
    {
        assert!(!is_wallet_key(value), "{}", String::from_utf8_lossy(value));
    }
}

#[cfg(feature = "cli")]
#[test]
fn a_fresh_key_is_64_digits_that_nobody_had_before() {
    let digits = |value: &SecretValue| String::from_utf8(value.reveal(Reveal::to_sign()).to_vec()).expect("text");

    let one = digits(&super::local::fresh().expect("a key"));
    let other = digits(&super::local::fresh().expect("a key"));

    assert_ne!(one, other);
    assert!(one.len() == 64 && one.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')));
    assert_eq!(account_of(&one), Ok(address_by(&one)));
}

#[cfg(feature = "cli")]
#[test]
fn a_key_as_it_is_kept_says_its_address() {
    let says = |text: &str| super::local::address_of_local(&SecretValue::new(text));
    let silent = without(&light(), "address");
    let first = with(&light(), "/version", json!(1));

    assert_eq!(says(DIGITS).as_deref(), Ok(ADDRESS));
    assert_eq!(says(PHRASE).as_deref(), Ok(ADDRESS));
    assert_eq!(says(&light().to_string()).expect("an address"), address_by(&eip_155()));
    assert!(says(&silent.to_string()).expect("a note").contains("does not say its address"));
    assert!(says(&first.to_string()).is_err());
    assert!(says("{").is_err());
    assert!(says("neither of these").is_err());
}

// === Signatures of secp256k1 ===

#[test]
fn a_signature_is_the_same_each_time_and_the_one_that_rfc_6979_gives() {
    // RFC 6979 with SHA-256 over secp256k1, as published with k at https://bitcointalk.org/index.php?topic=285142.msg3150733, with s low.
    let one = format!("{}1", "0".repeat(63));
    let last = format!("{}40", &ORDER[..62]);
    let cases = [
        (
            one.as_str(),
            "Satoshi Nakamoto",
            "934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d8",
            "2442ce9d2b916064108014783e923ec36b49743e2ffa1c4496f01a512aafd9e5",
        ),
        (
            one.as_str(),
            "All those moments will be lost in time, like tears in rain. Time to die...",
            "8600dbd41e348fe5c9465ab92d23e3db8b98b873beecd930736488696438cb6b",
            "547fe64427496db33bf66019dacbf0039c04199abb0122918601db38a72cfc21",
        ),
        (
            last.as_str(),
            "Satoshi Nakamoto",
            "fd567d121db66e382991534ada77a6bd3106f0a1098c231e47993447cd6af2d0",
            "6b39cd0eb1bc8603e159ef5c20a5c8ad685a45b06ce9bebed3f153d10d93bed5",
        ),
    ];

    for (digits, message, r, s) in cases {
        let local = read(digits, "", FIRST_ACCOUNT).expect("a key");
        let digest: [u8; 32] = Sha256::digest(message).into();

        let signature = sign(&local, &digest);
        let again = sign(&local, &digest);
        let checked = Recoverable::check(&signature, &digest, &public(&local)).expect("a signature by that key");

        assert_eq!(signature, again);
        assert_eq!((hex::encode(checked.r), hex::encode(checked.s)), (r.to_owned(), s.to_owned()), "{message}");
    }
}

#[test]
fn a_signature_that_was_checked_has_its_s_in_the_lower_half() {
    let local = read(DIGITS, "", FIRST_ACCOUNT).expect("a key");
    let key = public(&local);

    for number in 0..32_u8 {
        let digest: [u8; 32] = Sha256::digest([number]).into();
        let low = sign(&local, &digest);
        let high = Signature::from_scalars(low.r(), -*low.s()).expect("its mirror image");

        let checked = Recoverable::check(&low, &digest, &key).expect("a signature by that key");
        let mirrored = Recoverable::check(&high, &digest, &key).expect("a signature by that key");

        assert!(checked == mirrored);
        let written = Signature::from_scalars(checked.r, checked.s).expect("a signature");
        assert_eq!(written.normalize_s(), None, "it was low already");
        assert!(Recoverable::check(&low, &[0; 32], &key).is_none());
    }
}

// === Tokens: the examples of the standards ===

/// The claims of the examples of RFC 7515.
const RFC_7515_PAYLOAD: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
/// RFC 7520, figure 8.
const RFC_7520_PAYLOAD: &str = "SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAgb250by\
     B0aGUgcm9hZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmcgd2hlcmUgeW91IG1pZ2h0IGJlIHN3ZXB0IG9m\
     ZiB0by4";

fn rfc_7515_a1() -> Value {
    json!({ "kty": "oct", "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow" })
}

fn rfc_7515_a2() -> Value {
    json!({
        "kty": "RSA",
        "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMs\
              D1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdV\
              MTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ",
        "e": "AQAB",
        "d": "Eq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgvfTeXZx9SE-7YwVol2NXOoAJe46sui395IW_GO-pWJ1O0\
              BkTGoVEn2bKVRUCgu-GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzjkn439X0M_V51gfpRLI9JYanrC4D4qAdGcopV_0ZHHzQlBjudU2QvXt4ehNYT\
              CBr6XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl_x_jTj3ccPDVZFD9pIuhLhBOneufuBiB4cS98l2SR_RQyGWSeWjnczT0QU91p1DhOVRuOopznQ",
        "p": "4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH_5IB3jw3bcxGn6QLvnEtfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw_Py5PJdTJNPY8cQn7ouZ2KKDcmnPG\
              BY5t7yLc1QlQ5xHdwW1VhvKn-nXqhJTBgIPgtldC-KDV5z-y2XDwGUc",
        "q": "uQPEfgmVtjL0Uyyx88GZFF1fOunH3-7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYsp1ZSe7zFYHj7C6ul7TjeLQeZD_YwD66t62wDmpe_HlB-TnBA\
              -njbglfIsRLtXlnDzQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdc",
        "dp": "BwKfV3Akq5_MFZDFZCnW-wzl-CCo83WoZvnLQwCTeDv8uzluRSnm71I3QCLdhrqE2e9YkxvuxdBfpT_PI7Yz-FOKnu1R6HsJeDCjn12Sk3vmAktV2zb3\
               4MCdy7cpdTh_YVr7tss2u6vneTwrA86rZtu5Mbr1C1XsmvkxHQAdYo0",
        "dq": "h_96-mK1R_7glhsum81dZxjTnYynPbZpHziZjeeHcXYsXaaMwkOlODsWa7I9xXDoRwbKgB719rrmI2oKr6N3Do9U0ajaHF-NKJnwgjMd2w9cjz3_-kyN\
               lxAr2v4IKhGNpmM5iIgOS1VZnOZ68m6_pbLBSp3nssTdlqvd0tIiTHU",
        "qi": "IYd7DHOhrWvxkwPQsRM2tOgrjbcrfvtQJipd-DlcxyVuuM9sQLdgjVk2oy26F0EmpScGLq2MowX7fhd_QJQ3ydy5cY7YIBi87w93IKLEdfnbJtoOPLUW\
               0ITrJReOgo1cq9SbsxYawBgfp_gh6A5603k2-ZQwVK0JKSHuLFkuQ3U"
    })
}

fn rfc_7515_a3() -> Value {
    json!({
        "kty": "EC",
        "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        "d": "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"
    })
}

fn rfc_8037_a1() -> Value {
    json!({
        "kty": "OKP",
        "crv": "Ed25519",
        "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
    })
}

/// RFC 7520, figure 4.
fn rfc_7520_rsa() -> Value {
    json!({
        "kty": "RSA",
        "kid": "bilbo.baggins@hobbiton.example",
        "use": "sig",
        "n": "n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_AJmSCpMaJMRBSFKrKb2wqVwGU_Ns\
              YOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpPe7Tpe-OfVfHd1E6cS6M1FZcD1NNLYD5lFHpPI9bTwJlsde3uhGqC0ZCu\
              EHg8lhzwOHrtIQbS0FVbb9k3-tVTU4fg_3L_vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__kRhuaxwUkRz5iaiQkqgc5gHdrNP5zw",
        "e": "AQAB",
        "d": "bWUC9B-EFRIo8kpGfh0ZuyGPvMNKvYWNtB_ikiH9k20eT-O1q_I78eiZkpXxXQ0UTEs2LsNRS-8uJbvQ-A1irkwMSMkK1J3XTGgdrhCku9gRldY7sNA_\
              AKZGh-Q661_42rINLRCe8W-nZ34ui_qOfkLnK9QWDDqpaIsA-bMwWWSDFu2MUBYwkHTMEzLYGqOe04noqeq1hExBTHBOBdkMXiuFhUq1BU6l-DqEiWxq\
              g82sXt2h-LMnT3046AOYJoRioz75tSUQfGCshWTBnP5uDjd18kKhyv07lhfSJdrPdM5Plyl21hsFf4L_mHCuoFau7gdsPfHPxxjVOcOpBrQzwQ",
        "p": "3Slxg_DwTXJcb6095RoXygQCAZ5RnAvZlno1yhHtnUex_fp7AZ_9nRaO7HX_-SFfGQeutao2TDjDAWU4Vupk8rw9JR0AzZ0N2fvuIAmr_WCsmGpeNqQn\
              ev1T7IyEsnh8UMt-n5CafhkikzhEsrmndH6LxOrvRJlsPp6Zv8bUq0k",
        "q": "uKE2dh-cTf6ERF4k4e_jy78GfPYUIaUyoSSJuBzp3Cubk3OCqs6grT8bR_cu0Dm1MZwWmtdqDyI95HrUeq3MP15vMMON8lHTeZu2lmKvwqW7anV5UzhM\
              1iZ7z4yMkuUwFWoBvyY898EXvRD-hdqRxHlSqAZ192zB3pVFJ0s7pFc",
        "dp": "B8PVvXkvJrj2L-GYQ7v3y9r6Kw5g9SahXBwsWUzp19TVlgI-YV85q1NIb1rxQtD-IsXXR3-TanevuRPRt5OBOdiMGQp8pbt26gljYfKU_E9xn-RULHz0\
               -ed9E9gXLKD4VGngpz-PfQ_q29pk5xWHoJp009Qf1HvChixRX59ehik",
        "dq": "CLDmDGduhylc9o7r84rEUVn7pzQ6PF83Y-iBZx5NT-TpnOZKF1pErAMVeKzFEl41DlHHqqBLSM0W1sOFbwTxYWZDm6sI6og5iTbwQGIC3gnJKbi_7k_v\
               JgGHwHxgPaX2PnvP-zyEkDERuf-ry4c_Z11Cq9AqC2yeL6kdKT1cYF8",
        "qi": "3PiqvXQN0zwMeE-sBvZgi289XP9XCQF3VWqPzMKnIgQp7_Tugo6-NZBKCQsMf3HaEGBjTVJs_jcK8-TRXvaKe-7ZMaQj8VfBdYkssbu0NKDDhjJ-Gtis\
               eaDVWt7dcH0cfwxgFUHpQh7FoCrjFJ6h6ZEpMF6xmujs4qMpPz8aaI4"
    })
}

/// The key of EIP-155 as a JWK (RFC 8812, 3.1), its point by OpenSSL.
fn eip_155_jwk() -> Value {
    json!({
        "kty": "EC",
        "crv": "secp256k1",
        "x": "S8KjEmUVPwfnDgurCHJOa4XiF_jNYozrYpdCR7tJM4I",
        "y": "zijKt5rXEZ7hrT6825ihaAUhFTDsxs_vobiObf-ZIyo",
        "d": "RkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkY"
    })
}

/// Keys of the standards in PKCS#8, written by OpenSSL 3.0.19 (`openssl pkey`) for these tests: of RFC 7515, A.2.
const RSA: &str = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQCh+BYK4uPJtGXOjS1lYmM2K5J9vinh8CR3/BYlzJChNuOL2TSXxbbqY913EeZ8\
     dCn5VrD7io8ImtxLaYk8wTM/U+3QGbh3hCUv7JFP5IV3aVlL6kKA0ywPVb9ilE8TA5a8bpvfbr3SvaNnjuygxmj3AbONv/s4yDQs4v5tJ/reSlpIdJed1LnPmt7E\
     x1sFhSwsD174pcF1A5L5ROjtZMEQxrZHYJqkeDrrnGya11UxMFBji4NmXG9veoKjlnAqH2QbgtPr8jkiGUkftoaHLFcW9Qr4NY2ai50Xw0Byj3+H2JoY2PyrZ62E\
     WQwuz3WTOTY8BwNNb2BvniHgVFbK5emhAgMBAAECggEAEq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7/GQ5sLKMgvfTeXZx9S\
     E+7YwVol2NXOoAJe46sui395IW/GO+pWJ1O0BkTGoVEn2bKVRUCgu+GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzjkn439X0M/V51gfpRLI9JYanrC4D4qAdG\
     copV/0ZHHzQlBjudU2QvXt4ehNYTCBr6XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl/x/jTj3ccPDVZFD9pIuhLhBOneufuBiB4cS98l2SR/RQyGWSeWjnczT0QU91\
     p1DhOVRuOopznQKBgQDgHMQQ60imZV1URk0KpLttoLhyt3SmqdEf/kgHePDdtzEafpAu+cS191R2JiuoF2yzWXnwFDcqGigp5BNr0AHQfD8/Lk8l1Mk09jxxCfui\
     5nYooNyac8YFjm3vItzVCVDnEd3BbVWG8qf6deqElMGAg+C2V0L4oNXnP7LZcPAZRwKBgQC5A8R+CZW2MvRTLLHzwZkUXV866cff7tx6kqa0finGG0KgeqlaZPxg\
     CZnFp7AeAcCMtiynVlJ7vMVgePsLq6XtON4tB5kP9jAPrq3rbAOal78eUH5OcED6eNuCV8ixEu1eWcPNCS/l1OW1EnXUEoEHKl54Xrrz2uNwkgMTP1FZ1wKBgAcC\
     n1dwJKufzBWQxWQp1vsM5fggqPN1qGb5y0MAk3g7/Ls5bkUp5u9SN0Ai3Ya6hNnvWJMb7sXQX6U/zyO2M/hTip7tUeh7CXgwo59dkpN75gJLVds29+DAncu3KXU4\
     f2Fa+7bLNrur53k8KwPOq2bbuTG69QtV7Jr5MR0AHWKNAoGBAIf/evpitUf+4JYbLpvNXWcY052Mpz22aR84mY3nh3F2LF2mjMJDpTg7FmuyPcVw6EcGyoAe9fa6\
     5iNqCq+jdw6PVNGo2hxfjSiZ8IIzHdsPXI89//pMjZcQK9r+CCoRjaZjOYiIDktVWZzmevJuv6WywUqd57LE3Zar3dLSIkx1AoGAIYd7DHOhrWvxkwPQsRM2tOgr\
     jbcrfvtQJipd+DlcxyVuuM9sQLdgjVk2oy26F0EmpScGLq2MowX7fhd/QJQ3ydy5cY7YIBi87w93IKLEdfnbJtoOPLUW0ITrJReOgo1cq9SbsxYawBgfp/gh6A56\
     03k2+ZQwVK0JKSHuLFkuQ3U=";
/// Of RFC 7515, A.3.
const P_256: &str = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgjpsQnnGQmL+YBIffH1136cspYG6+0iY7X1fCE9+E9LKhRANCAAR/zc4ncPbEXUGD\
     y+5v20t7WAczNXvp7xO6z248e9FURcfxRM0bvZt+hyzf7bnuufSzaV1uqQskrYpGIyiFiOWt";
/// Of RFC 8037, A.1.
const ED25519: &str = "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g";
/// Of EIP-155.
const SECP256K1: &str = "MIGEAgEAMBAGByqGSM49AgEGBSuBBAAKBG0wawIBAQQgRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkahRANCAARLwqMSZRU/B+cO\
     C6sIck5rheIX+M1ijOtil0JHu0kzgs4oyrea1xGe4a0+vNuYoWgFIRUw7MbP76G4jm3/mSMq";
/// Of P-384, which signs no tokens here; its private number is 48 times 0x46.
const P_384: &str = "MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDBGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkah\
     ZANiAARHRbFsIc1saNMOmNvWYAfHX285Trsez8ji1Hjv0MtNEOQPsaFnqnMeQS1wKalyeMYjn85pZ3kn40f9UlCzenH5H9ILUECde2gaf/p2093Ng+eTvT+fPa0N\
     WnsBXyfCj5c=";

fn rfc_7515_rs256() -> (String, &'static str) {
    let signature = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t\
         1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-e\
         OkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
    (format!("eyJhbGciOiJSUzI1NiJ9.{RFC_7515_PAYLOAD}"), signature)
}

const RFC_8037_INPUT: &str = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
const RFC_8037_SIGNATURE: &str = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";

#[test]
fn hs256_signs_the_example_of_rfc_7515_to_its_bytes() {
    // RFC 7515, A.1.
    let key = token_key_of(&rfc_7515_a1());

    let signature = signature(&key, &format!("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{RFC_7515_PAYLOAD}"));

    assert_eq!(key.algorithm(), "HS256");
    assert_eq!(signature, "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
}

#[test]
fn rs256_signs_the_example_of_rfc_7515_to_its_bytes() {
    // RFC 7515, A.2.
    let key = token_key_of(&rfc_7515_a2());
    let (input, expected) = rfc_7515_rs256();

    let signature = signature(&key, &input);

    assert_eq!(key.algorithm(), "RS256");
    assert_eq!(signature, expected);
}

#[test]
fn es256_signs_the_example_of_rfc_7515_so_that_its_public_key_agrees() {
    // RFC 7515, A.3. ECDSA is not deterministic: the RFC's own signature shows that the key is the RFC's, ours that we sign with it.
    let jwk = rfc_7515_a3();
    let coordinate = |name: &str| decoded(jwk[name].as_str().expect("a coordinate"));
    let point = [vec![4], coordinate("x"), coordinate("y")].concat();
    let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
    let input = format!("eyJhbGciOiJFUzI1NiJ9.{RFC_7515_PAYLOAD}");

    let key = token_key_of(&jwk);
    let ours = key.sign_example(input.as_bytes()).expect("a signature");

    let theirs = decoded("DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q");
    assert_eq!((key.algorithm(), ours.len()), ("ES256", 64));
    public.verify(input.as_bytes(), &theirs).expect("the RFC's signature");
    public.verify(input.as_bytes(), &ours).expect("our signature");
    public.verify(b"something else", &ours).expect_err("our signature of something else");
}

#[test]
fn eddsa_signs_the_example_of_rfc_8037_to_its_bytes() {
    // RFC 8037, A.4.
    let key = token_key_of(&rfc_8037_a1());

    let signature = signature(&key, RFC_8037_INPUT);

    assert_eq!(key.algorithm(), "EdDSA");
    assert_eq!(signature, RFC_8037_SIGNATURE);
}

#[test]
fn rs256_signs_the_example_of_rfc_7520_to_its_bytes() {
    // RFC 7520, 4.1.
    let key = token_key_of(&rfc_7520_rsa());
    let header = "eyJhbGciOiJSUzI1NiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9";

    let signature = signature(&key, &format!("{header}.{RFC_7520_PAYLOAD}"));

    let expected = "MRjdkly7_-oTPTS3AXP41iQIGKa80A0ZmTuV5MEaHoxnW2e5CZ5NlKtainoFmKZopdHM1O2U4mwzJdQx996ivp83xuglII7PNDi84wnB-BDkoBwA\
        78185hX-Es4JIwmDLJK3lfWRa-XtL0RnltuYv746iYTh_qHRD68BNt1uSNCrUCTJDt5aAE6x8wW1Kt9eRo4QPocSadnHXFxnt8Is9UzpERV0ePPQdLuW3IS_\
        de3xyIrDaLGdjluPxUAhb6L2aXic1U12podGU0KLUQSE_oI-ZnmKJ3F4uOZDnd6QZWJushZ41Axf_fcIe8u9ipH84ogoree7vjbU5y18kDquDg";
    assert_eq!(signature, expected);
}

#[test]
fn hs256_signs_the_example_of_rfc_7520_to_its_bytes() {
    // RFC 7520, 3.5 and 4.4.
    let jwk = json!({
        "kty": "oct",
        "kid": "018c0ae5-4d9b-471b-bfd6-eef314bc7037",
        "use": "sig",
        "alg": "HS256",
        "k": "hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg"
    });
    let header = "eyJhbGciOiJIUzI1NiIsImtpZCI6IjAxOGMwYWU1LTRkOWItNDcxYi1iZmQ2LWVlZjMxNGJjNzAzNyJ9";

    let signature = signature(&token_key_of(&jwk), &format!("{header}.{RFC_7520_PAYLOAD}"));

    assert_eq!(signature, "s0h6KThzkfBBBkLspW1h84VsJZFTsPPqMDA7g1Md7p0");
}

#[test]
fn es256k_signs_so_that_its_public_key_agrees() {
    // RFC 8812, 3.2: `r` and `s` of 32 bytes each. It asks for no low `s`; ours is low all the same, as Ethereum wants it.
    let key = token_key_of(&eip_155_jwk());
    let public = *SigningKey::from_slice(&hex::decode(eip_155()).expect("digits")).expect("a key").verifying_key();
    let input = format!("eyJhbGciOiJFUzI1NksifQ.{RFC_7515_PAYLOAD}");

    let bytes = key.sign_example(input.as_bytes()).expect("a signature");

    let signature = Signature::from_slice(&bytes).expect("r and s");
    assert_eq!((key.algorithm(), bytes.len()), ("ES256K", 64));
    public.verify(input.as_bytes(), &signature).expect("a signature by that key");
    assert_eq!(signature.normalize_s(), None, "it was low already");
}

// === Tokens: keys ===

/// One key in two forms, with the algorithm it signs by.
fn both_forms() -> [(&'static str, String, Value); 4] {
    [
        ("RS256", pem(RSA), rfc_7515_a2()),
        ("ES256", pem(P_256), rfc_7515_a3()),
        ("EdDSA", pem(ED25519), rfc_8037_a1()),
        ("ES256K", pem(SECP256K1), eip_155_jwk()),
    ]
}

#[test]
fn a_key_in_pem_is_the_key_of_its_jwk() {
    for (algorithm, pem, jwk) in both_forms() {
        let from_pem = token_key(pem.as_bytes()).expect(algorithm);
        let from_jwk = token_key_of(&jwk);
        let with_blanks = token_key(format!("\n{}\n", pem.replace('\n', "\r\n"))).expect(algorithm);

        assert_eq!([from_pem.algorithm(), from_jwk.algorithm(), with_blanks.algorithm()], [algorithm; 3]);
        assert_eq!(from_pem.id(), from_jwk.id(), "{algorithm}");
        assert_eq!(from_pem.id(), with_blanks.id(), "{algorithm}");
        if algorithm != "ES256" {
            assert_eq!(from_pem.sign_example(b"input"), from_jwk.sign_example(b"input"), "{algorithm}");
        }
    }
    assert_eq!(signature(&token_key(pem(RSA)).expect("a key"), &rfc_7515_rs256().0), rfc_7515_rs256().1);
    assert_eq!(signature(&token_key(pem(ED25519)).expect("a key"), RFC_8037_INPUT), RFC_8037_SIGNATURE);
}

#[test]
fn a_key_is_told_from_others_by_what_is_public() {
    let symmetric = b"thirty-two bytes are just enough";
    let keys: Vec<TokenKey> =
        both_forms().iter().map(|(.., jwk)| token_key_of(jwk)).chain([token_key(*symmetric).expect("a key")]).collect();

    let ids: BTreeMap<Vec<u8>, &str> = keys.iter().map(|key| (key.id(), key.algorithm())).collect();

    let wallet = public(&read(&eip_155(), "", FIRST_ACCOUNT).expect("a key"));
    assert_eq!(ids.len(), 5);
    assert_eq!(ids.get(wallet.to_encoded_point(true).as_bytes()), Some(&"ES256K"), "the ledger knows the wallet's key in both its uses");
    assert_eq!(ids.get(&symmetric_id(symmetric)), Some(&"HS256"));
    assert!(!symmetric_id(symmetric).windows(4).any(|bytes| symmetric.windows(4).any(|part| part == bytes)));
}

#[test]
fn a_symmetric_key_has_32_bytes_or_more() {
    let jwk = |bytes: &[u8]| json!({ "kty": "oct", "k": URL_SAFE_NO_PAD.encode(bytes) }).to_string();

    for length in [32, 33, 64, 1000] {
        assert_eq!(token_key(vec![0xa5; length]).expect("a key").algorithm(), "HS256");
        assert_eq!(token_key(jwk(&vec![0xa5; length])).expect("a key").algorithm(), "HS256");
    }
    for length in [0, 1, 31] {
        let refusals = [token_key(vec![0xa5; length]).err(), token_key(jwk(&vec![0xa5; length])).err()];
        for refusal in refusals {
            assert!(refusal.expect("a refusal").contains("at least 32 bytes"), "{length}");
        }
    }
}

#[test]
fn a_wallets_key_signs_no_tokens() {
    for text in [DIGITS, &format!("0x{DIGITS}\n"), PHRASE, &light().to_string(), &light_pbkdf2().to_string()] {
        let refusal = token_key(text).err().expect("a refusal");
        assert_eq!(refusal, "it is the key of a wallet, which serves nothing else");
    }
}

#[test]
fn a_jwk_without_its_private_part_is_refused() {
    let symmetric = rfc_7515_a1();
    let cases = [(symmetric, "k"), (rfc_7515_a2(), "d"), (rfc_7515_a3(), "d"), (rfc_8037_a1(), "d"), (eip_155_jwk(), "d")];

    for (jwk, private) in cases {
        let refusal = token_key(without(&jwk, private).to_string()).err().expect("a refusal");
        assert_eq!(refusal, "it is no private JWK of RSA, P-256, Ed25519, secp256k1 or `oct`", "{jwk}");
    }
}

#[test]
fn a_jwk_of_another_kind_or_form_is_refused_without_a_part_of_it() {
    let p_384 = json!({
        "kty": "EC",
        "crv": "P-384",
        "x": "R0WxbCHNbGjTDpjb1mAHx19vOU67Hs_I4tR479DLTRDkD7GhZ6pzHkEtcCmpcnjG",
        "y": "I5_OaWd5J-NH_VJQs3px-R_SC1BAnXtoGn_6dtPdzYPnk70_nz2tDVp7AV8nwo-X",
        "d": "RkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZG"
    });
    let a_set = json!({ "keys": [rfc_7515_a3()] });
    let cases = [
        p_384,
        a_set,
        json!({}),
        with(&rfc_7515_a3(), "/kty", json!("OKP")),
        with(&rfc_7515_a3(), "/crv", json!("P-521")),
        with(&rfc_7515_a3(), "/d", json!("jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI=")),
        with(&rfc_7515_a3(), "/d", json!("jpsQnnGQmL+YBIffH1136cspYG6+0iY7X1fCE9+E9LI")),
        with(&rfc_8037_a1(), "/crv", json!("X25519")),
        with(&rfc_8037_a1(), "/d", json!("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyufw")),
        without(&rfc_7515_a2(), "qi"),
        with(&eip_155_jwk(), "/d", json!(URL_SAFE_NO_PAD.encode([0; 32]))),
        with(&eip_155_jwk(), "/d", json!(URL_SAFE_NO_PAD.encode(hex::decode(ORDER).expect("digits")))),
        with(&eip_155_jwk(), "/d", json!(70)),
    ];

    for jwk in cases {
        let refusal = token_key(jwk.to_string()).err().expect("a refusal");
        assert!(refusal.contains("no private JWK"), "{refusal}");
        assert_eq!(texts(&jwk).into_iter().find(|text| text.len() > 9 && refusal.contains(text)), None, "{refusal}");
    }
    assert!(token_key("{\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ").is_err(), "half a document");
}

#[test]
fn a_jwk_whose_halves_belong_to_two_keys_is_refused() {
    let another_point = with(&rfc_7515_a3(), "/d", json!("VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw"));
    let another_seed = with(&rfc_8037_a1(), "/d", json!(URL_SAFE_NO_PAD.encode([0x46; 32])));
    let another_modulus = with(&rfc_7515_a2(), "/n", rfc_7520_rsa()["n"].clone());

    for jwk in [another_point, another_seed, another_modulus] {
        assert!(token_key(jwk.to_string()).is_err(), "{jwk}");
    }
}

#[test]
fn a_pem_of_another_kind_is_refused_without_a_part_of_it() {
    let good = pem(P_256);
    let named = |name: &str| good.replace("PRIVATE KEY", name);
    let torn = format!("{}\n-----END PRIVATE KEY-----\n", &good[..80]);
    let not_base64 = good.replace("MIGH", "????");
    let trailing = pem(&STANDARD.encode([&STANDARD.decode(P_256).expect("base64")[..], &[0]].concat()));

    // Each says what was found: SEC 1 and PKCS#1 are read, so that "PKCS#8" alone would be no help.
    for (text, found) in [
        (pem(P_384), "P-384"),
        (named("EC PRIVATE KEY"), "broken"),
        (named("ENCRYPTED PRIVATE KEY"), "encrypted"),
        (named("PUBLIC KEY"), "public key"),
        (torn, "broken"),
        (not_base64, "not base64"),
        (trailing, "broken"),
    ] {
        let refusal = token_key(text.as_bytes()).err().expect("a refusal");
        assert!(refusal.contains(found), "{refusal}");
        assert!(!refusal.contains("MIG") && !refusal.contains("jpsQ"), "{refusal}");
    }
}

#[test]
fn a_token_has_three_parts_and_names_the_algorithm_of_its_key() {
    let claims =
        Map::from_iter([("iss".to_owned(), json!("joe")), ("exp".to_owned(), json!(1_300_819_380)), ("name".to_owned(), json!("Ünï?>"))]);
    let symmetric = ("HS256", String::from_utf8(vec![b'k'; 32]).expect("text"), rfc_7515_a1());

    for (algorithm, _, jwk) in both_forms().into_iter().chain([symmetric]) {
        let key = token_key_of(&jwk);
        let header = Map::from_iter([("alg".to_owned(), json!(key.algorithm())), ("typ".to_owned(), json!("JWT"))]);

        let token = key.token(&TokenPermit::example(header, claims.clone())).expect("a token");

        let parts: Vec<&str> = token.split('.').collect();
        let [first, second, third] = parts[..] else { panic!("{token}") };
        let alphabet = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        assert!(token.bytes().all(alphabet), "{token}");
        assert_eq!(decoded(first), format!("{{\"alg\":\"{algorithm}\",\"typ\":\"JWT\"}}").into_bytes());
        assert_eq!(serde_json::from_slice::<Value>(&decoded(second)).expect("claims"), Value::from(claims.clone()));
        if algorithm != "ES256" {
            assert_eq!(third, signature(&key, &format!("{first}.{second}")), "{algorithm}");
        }
    }
}

// === HMAC ===

#[test]
fn hmac_gives_the_tags_of_rfc_4231() {
    // RFC 4231, 4.2 to 4.8: test cases 1 to 7, of which the fifth keeps 128 bits.
    let counted: Vec<u8> = (1..=25).collect();
    let longer = b"This is a test using a larger than block-size key and a larger than block-size data. The key needs to be hashed before \
        being used by the HMAC algorithm.";
    let cases: [(&[u8], &[u8], &str); 7] = [
        (&[0x0b; 20], b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
        (b"Jefe", b"what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
        (&[0xaa; 20], &[0xdd; 50], "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
        (&counted, &[0xcd; 50], "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"),
        (&[0x0c; 20], b"Test With Truncation", "a3b6167473100ee06e0c796c2955552b"),
        (
            &[0xaa; 131],
            b"Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        ),
        (&[0xaa; 131], longer, "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"),
    ];

    for (number, (key, input, expected)) in (1..).zip(cases) {
        let tag = hex::encode(authenticate_example(key, input));
        assert_eq!(&tag[..expected.len()], expected, "case {number}");
    }
}

// === The public vectors ===

fn vectors(name: &str) -> Value {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors").join(name);
    let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).expect("JSON")
}

#[test]
fn every_phrase_of_the_public_vectors() {
    let vectors = vectors("bip39/vectors.json");
    let mut tally: BTreeMap<&str, (usize, usize)> = BTreeMap::new();

    for (language, cases) in vectors.as_object().expect("languages") {
        let (read, refused) = tally.entry(language).or_default();
        for case in cases.as_array().expect("cases") {
            let [_, phrase, _, xprv] = [0, 1, 2, 3].map(|at| case[at].as_str().expect("text"));
            match leads_to(phrase, xprv) {
                Ok(()) => *read += 1,
                Err(refusal) => {
                    *refused += 1;
                    assert!(refusal.contains("BIP-39") && !phrase.split_whitespace().any(|word| refusal.contains(word)), "{refusal}");
                }
            }
        }
    }

    println!("BIP-39, by language (read, refused): {tally:?}");
    assert_eq!(tally["english"], (24, 0));
    // Two of the vectors' languages are none of BIP-39's own.
    let refused: Vec<&str> = tally.iter().filter(|(_, (_, refused))| *refused > 0).map(|(language, _)| *language).collect();
    assert_eq!(refused, ["russian", "turkish"], "{tally:?}");
}

#[test]
fn every_keystore_of_the_public_vectors() {
    let vectors = vectors("ethereum/KeyStoreTests/basic_tests.json");
    let (mut opened, mut beyond) = (Vec::new(), Vec::new());

    for (name, case) in vectors.as_object().expect("cases") {
        let [password, private] = ["password", "priv"].map(|field| case[field].as_str().expect("text"));
        let parameters = &case["json"]["crypto"]["kdfparams"];
        // RFC 7914, 2: N is less than 2^(128 * r / 8).
        let in_range = parameters["n"].as_u64().is_none_or(|n| u64::from(n.ilog2()) < 16 * parameters["r"].as_u64().expect("a number"));

        match account(&case["json"].to_string(), password, FIRST_ACCOUNT) {
            Ok(account) => {
                assert_eq!(account, address_by(private), "{name}");
                opened.push(name);
            }
            Err(refusal) => {
                assert!(!in_range, "{name}: {refusal}");
                beyond.push(name);
            }
        }
    }

    println!("KeyStoreTests: {} opened {opened:?}, {} out of the range of RFC 7914 {beyond:?}", opened.len(), beyond.len());
    assert!(opened.len() >= 4 && opened.len() + beyond.len() >= 5);
}

// === Found by these tests ===

#[test]
fn the_scrypt_example_of_the_definition_opens() {
    // Web3 Secret Storage Definition, "Scrypt": n is 2^18 with r of 1, which RFC 7914 leaves out and the definition does not.
    let keystore = json!({
        "crypto": {
            "cipher": "aes-128-ctr",
            "cipherparams": { "iv": "83dbcc02d8ccb40e466191a123791e0e" },
            "ciphertext": "d172bf743a674da9cdad04534d56926ef8358534d458fffccd4e6ad2fbde479c",
            "kdf": "scrypt",
            "kdfparams": {
                "dklen": 32, "n": 262144, "r": 1, "p": 8,
                "salt": "ab0c7876052600dd703518d6fc3fe8984592145b591fc8fb5c6d43190334ba19"
            },
            "mac": "2103ac29920d71da29f15d75b4a16dbe95cfd7ff8faea1056c33131d846e3097"
        },
        "id": "3198bc9c-6672-5ab3-d995-4942343ae5b6",
        "version": 3
    });

    let account = account(&keystore.to_string(), "testpassword", FIRST_ACCOUNT);

    assert_eq!(account, Ok(address_by(EXAMPLE_SECRET)));
}

#[test]
fn a_phrase_with_a_word_on_each_line_is_read() {
    let lines = PHRASE.replace(' ', "\n");

    let account = account_of(&lines);

    assert_eq!(account.as_deref(), Ok(ADDRESS));
}

#[test]
fn a_key_file_of_solana_signs_no_tokens() {
    // What `solana-keygen` writes, of the key of RFC 8037, A.1: the seed and the point, as 64 numbers.
    let jwk = rfc_8037_a1();
    let bytes = ["d", "x"].map(|half| decoded(jwk[half].as_str().expect("a half"))).concat();
    let file = serde_json::to_string(&bytes).expect("JSON");

    let taken = token_key(file.as_bytes()).map(|key| key.algorithm());

    assert!(taken.is_err(), "it is the key of a wallet, and signs {taken:?}");
}

#[test]
fn a_pem_after_a_line_of_text_is_no_symmetric_key() {
    // RFC 7468, 2: text may stand before the boundary, and `openssl pkcs12` writes it. The public half is known to all.
    let private = format!("Bag Attributes: <No Attributes>\n{}", pem(P_256));
    let public_half = format!("subject=CN = example\n{}", pem(P_256).replace("PRIVATE", "PUBLIC"));
    let marked = format!("\u{feff}{}", pem(P_256));

    for text in [private, public_half, marked] {
        let taken = token_key(text.as_bytes()).map(|key| key.algorithm());
        assert_ne!(taken, Ok("HS256"), "{text}");
    }
}

#[test]
fn a_jwk_after_a_byte_order_mark_is_no_symmetric_key() {
    let marked = format!("\u{feff}{}", rfc_7515_a3());

    let taken = token_key(marked).map(|key| key.algorithm());

    assert_ne!(taken, Ok("HS256"));
}

#[test]
fn a_jwk_of_secp256k1_whose_halves_belong_to_two_keys_is_refused() {
    let another_point = with(&eip_155_jwk(), "/d", json!(URL_SAFE_NO_PAD.encode(hex::decode(DIGITS).expect("digits"))));
    let no_point = without(&without(&eip_155_jwk(), "x"), "y");

    assert!(token_key(another_point.to_string()).is_err(), "another point");
    assert!(token_key(no_point.to_string()).is_err(), "RFC 7518, 6.2.1: both coordinates are present");
}

#[test]
fn a_jwk_of_secp256k1_has_a_private_number_of_32_bytes() {
    // RFC 7518, 6.2.2.1.
    let short = with(&eip_155_jwk(), "/d", json!(URL_SAFE_NO_PAD.encode([0x46; 24])));

    assert!(token_key(short.to_string()).is_err());
}

// === AWS Signature Version 4, whose steps derive keys ===

#[test]
fn the_steps_of_signature_version_4_are_refused_and_its_last_output_is_the_vectors() {
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors/sigv4");
    let cases = std::fs::read_dir(&home).expect("the public vectors");
    let anything = regex::Regex::new("(?s).*").expect("a pattern");
    let mut ran = 0;
    for case in cases.map(|case| case.expect("a case").path()) {
        let read = |name: &str| std::fs::read_to_string(case.join(name)).unwrap_or_default().trim().to_owned();
        let context: serde_json::Value = serde_json::from_str(&read("context.json")).expect("a context");
        let date: String = context["timestamp"].as_str().expect("a time").chars().filter(char::is_ascii_digit).take(8).collect();
        let steps = [&date, context["region"].as_str().expect("a region"), context["service"].as_str().expect("a service"), "aws4_request"];
        let secret = context["credentials"]["secret_access_key"].as_str().expect("a secret");

        let derived =
            steps.iter().fold(format!("AWS4{secret}").into_bytes(), |key, step| authenticate_example(&key, step.as_bytes()).to_vec());

        for step in steps {
            assert!(crate::policy::hmac_input(&anything, step.as_bytes()).is_err(), "{step}");
        }
        for kind in ["header", "query"] {
            let (signature, input) = (read(&format!("{kind}-signature.txt")), read(&format!("{kind}-string-to-sign.txt")));
            assert_eq!(crate::text::hex(&authenticate_example(&derived, input.as_bytes())), signature, "{}", case.display());
        }
        ran += 1;
    }
    println!("{ran} cases of Signature Version 4");
    assert!(ran > 30);
}

// === Signers that err ===

/// Gives what it was told, one after the other: a signature over the right bytes, over others, or an error.
struct Erring(std::sync::Mutex<Vec<&'static str>>, SigningKey);

#[async_trait::async_trait]
impl Signer for Erring {
    async fn public_key(&self) -> Result<VerifyingKey, SignerError> {
        Ok(*self.1.verifying_key())
    }

    async fn sign(&self, digest: &[u8; 32]) -> Result<Signature, SignerError> {
        let sign = |digest: &[u8; 32]| self.1.sign_prehash_recoverable(digest).map(|(signature, _)| signature);
        match self.0.lock().expect("the list").pop() {
            Some("right") => Ok(sign(digest).expect("a signature")),
            Some("away") => Err(SignerError::Unavailable("away".to_owned())),
            _ => Ok(sign(&[0xee; 32]).expect("a signature")),
        }
    }
}

#[test]
fn a_signature_that_is_none_is_asked_for_again_and_what_came_before_an_error_is_not_forgotten() {
    let outcome = |mut answers: Vec<&'static str>| {
        answers.reverse();
        let signer = Erring(std::sync::Mutex::new(answers), SigningKey::from_slice(&[7; 32]).expect("a key"));
        let key = *signer.1.verifying_key();
        super::signer::sign(&signer, &key, &SignPermit::example([5; 32].into())).now_or_never().expect("at once").map(|_| ())
    };

    assert_eq!(outcome(vec!["right"]), Ok(()));
    assert_eq!(outcome(vec!["wrong", "wrong", "right"]), Ok(()));
    assert!(matches!(outcome(vec!["away"]), Err(SignerError::Unavailable(_))), "nothing was given before");
    assert!(matches!(outcome(vec!["wrong", "away"]), Err(SignerError::Unknown(_))), "something was");
    assert!(matches!(outcome(vec!["wrong"; 20]), Err(SignerError::Unknown(_))), "it is not asked for ever");
}
