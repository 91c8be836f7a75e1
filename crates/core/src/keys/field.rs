//! Keys as people have them in files, on which other implementations failed in public: each is read as the key that its author meant, or the
//! refusal says what was found and what helps. The files were made for this purpose but for the keystore of 31 bytes, one of Ethereum's public
//! vectors. No key here guards anything.

use super::jose::TokenKey;
use super::local::{FIRST_ACCOUNT, Local, is_wallet_key};
use crate::ethereum::signature::address_of;
use crate::value::SecretValue;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bip32::{DerivationPath, XPrv};
use bip39::{Language, Mnemonic};
use serde_json::Value;
use unicode_normalization::UnicodeNormalization;

fn file(name: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/field").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn account(key: &str, passphrase: &str) -> Result<String, String> {
    let local = Local::read(&SecretValue::new(key), Some(&SecretValue::new(passphrase)), FIRST_ACCOUNT)?;
    Ok(address_of(local.key().verifying_key()).to_string())
}

fn token_key(text: impl Into<Vec<u8>>) -> Result<TokenKey, String> {
    TokenKey::read(&SecretValue::new(text))
}

fn refusal(text: impl Into<Vec<u8>>) -> String {
    token_key(text).err().expect("a refusal")
}

// === Keystores ===

#[test]
fn keystores_of_the_field_open_with_the_passphrase_as_a_file_gives_it() {
    let index: Value = serde_json::from_str(&file("keystores/index.json")).expect("JSON");
    for case in index.as_array().expect("a list") {
        let text = |name: &str| case[name].as_str().map(str::to_owned);
        let keystore = file(&format!("keystores/{}", text("file").expect("a file")));
        let passphrase =
            ["password", "passphrase_as_typed", "passphrase_as_a_file_gives_it"].into_iter().find_map(text).expect("a passphrase");
        let address = text("address").unwrap_or_else(|| "0x90F8bf6A479f320ead074411a4B0e7944Ea8c9C1".to_owned());

        let bare = passphrase.trim_end_matches('\n');
        for passphrase in [passphrase.as_str(), bare, &format!("{bare}\n"), &format!("{bare}\r\n")] {
            assert_eq!(account(&keystore, passphrase).as_deref(), Ok(address.as_str()), "{} {passphrase:?}", case["file"]);
        }
    }
}

#[test]
fn a_passphrase_that_does_not_open_a_keystore_is_told_by_its_edges() {
    let keystore = file("keystores/control.json");
    for (passphrase, hinted) in [
        ("correct horse battery\n\n", true),
        (" correct horse battery", true),
        ("\u{feff}correct horse battery", true),
        ("correct horse battery staple", false),
    ] {
        let refusal = account(&keystore, passphrase).expect_err("another passphrase");
        assert!(refusal.starts_with("its keystore does not open with the passphrase"), "{refusal}");
        assert_eq!(refusal.contains("white space or a byte order mark"), hinted, "{passphrase:?}: {refusal}");
    }
}

#[test]
fn a_keystore_is_read_whatever_the_case_of_its_names_and_digits() {
    let control = file("keystores/control.json");
    let upper: String =
        control.split('"').enumerate().map(|(at, part)| if at % 2 == 1 { part.to_uppercase() } else { part.to_owned() } + "\"").collect();
    let upper = upper.trim_end_matches('"');
    let prefixed = control.replace("\"address\": \"", "\"address\": \"0X").replace("\"mac\": \"", "\"mac\": \"0X");

    for keystore in [upper, &prefixed] {
        assert_eq!(account(keystore, "correct horse battery").as_deref(), Ok("0x90F8bf6A479f320ead074411a4B0e7944Ea8c9C1"), "{keystore}");
        assert!(is_wallet_key(keystore.as_bytes()), "{keystore}");
    }
}

#[test]
fn a_refusal_of_a_keystore_names_the_field() {
    let control: Value = serde_json::from_str(&file("keystores/control.json")).expect("JSON");
    for (pointer, value, field) in [
        ("/version", Value::from("4"), "`version`"),
        ("/crypto/kdfparams/c", Value::from("1000"), "`crypto.kdfparams.c`"),
        ("/crypto/kdfparams/salt", Value::from(7), "`crypto.kdfparams.salt`"),
        ("/crypto/cipherparams/iv", Value::from("b6"), "`crypto.cipherparams.iv`"),
        ("/crypto/ciphertext", Value::Null, "`crypto.ciphertext`"),
        ("/crypto/kdf", Value::from("argon2"), "`crypto.kdf`"),
    ] {
        let mut keystore = control.clone();
        *keystore.pointer_mut(pointer).expect("a field") = value;
        let refusal = account(&keystore.to_string(), "correct horse battery").expect_err(pointer);
        assert!(refusal.contains(field), "{refusal}");
    }
}

// === Phrases ===

/// The first of the vectors for Japanese: <https://github.com/bip32JP/bip32JP.github.io/blob/master/test_JP_BIP39.json>
const JAPANESE: (&str, &str, &str) = (
    "あいこくしん　あいこくしん　あいこくしん　あいこくしん　あいこくしん　あいこくしん　あいこくしん　あいこくしん　あいこくしん　あいこくしん　あいこくしん　あおぞら",
    "㍍ガバヴァぱばぐゞちぢ十人十色",
    "a262d6fb6122ecf45be09c50492b31f92e9beb7d9a845987a02cefda57a15f9c467a17872029a9e92299b5cbdf306e3a0ee620245cbd508959b6cb7ca637bd55",
);

#[test]
fn a_phrase_in_each_language_leads_to_its_account_however_it_is_written() {
    for language in Language::ALL {
        let phrase = Mnemonic::from_entropy_in(*language, &[0x5a; 32]).expect("a phrase");
        let path: DerivationPath = FIRST_ACCOUNT.parse().expect("a path");
        let key = XPrv::derive_from_path(phrase.to_seed(""), &path).expect("a key");
        let address = address_of(key.private_key().verifying_key()).to_string();
        let (composed, apart): (String, String) = (phrase.to_string().nfc().collect(), phrase.to_string().nfkd().collect());

        for text in [&composed, &apart, &composed.replace(' ', "\u{3000}"), &composed.replace(' ', "\n")] {
            assert_eq!(account(text, "").as_ref(), Ok(&address), "{language:?}");
            assert!(is_wallet_key(text.as_bytes()), "{language:?}: {text}");
        }
        let words: Vec<&str> = composed.split(' ').collect();
        let turned = [&words[1..], &words[..1]].concat().join(" ");
        assert!(account(&turned, "").is_err_and(|refusal| refusal.contains("checksum")), "{language:?}");
    }
}

#[test]
fn the_japanese_vector_gives_its_seed() {
    let (phrase, passphrase, seed) = JAPANESE;
    let seed = crate::text::unhex(seed).expect("digits");
    let key = XPrv::derive_from_path(&seed, &FIRST_ACCOUNT.parse().expect("a path")).expect("a key");

    assert_eq!(account(phrase, passphrase), Ok(address_of(key.private_key().verifying_key()).to_string()));
}

#[test]
fn a_phrase_that_is_none_says_in_which_languages_it_was_looked_for() {
    let phrase = "test test test test test test test test test test test strongroom";

    let refusal = account(phrase, "").expect_err("no phrase");

    assert!(["English", "Japanese", "Czech", "Portuguese"].iter().all(|language| refusal.contains(language)), "{refusal}");
    assert!(account("test test junk", "").is_err_and(|refusal| refusal.contains("it has 3 words")));
}

#[test]
fn the_passphrase_of_a_phrase_with_a_line_end_leads_nowhere_silently() {
    let phrase = &format!("{}junk", "test ".repeat(11));

    for passphrase in ["words\n", "words\r\n"] {
        let refusal = account(phrase, passphrase).expect_err("another account");
        assert!(refusal.contains("line break") && !refusal.contains("words"), "{refusal}");
    }
}

// === Keys of tokens ===

#[test]
fn keys_in_pkcs_1_and_sec_1_are_read_as_those_in_pkcs_8_are() {
    let rsa = token_key(file("jwt/control-pkcs8.pem")).expect("PKCS#8");
    let escaped = file("jwt/pkcs8-with-escaped-line-breaks.txt");
    let quoted = format!("\"{}\"\n", escaped.trim());
    let php = file("jwt/control-pkcs8.pem").replace('/', "\\/").replace('\n', "\\r\\n");
    let pasted = file("jwt/github-app-pkcs1.pem").replace('\n', " ");
    let indented = file("jwt/github-app-pkcs1.pem").replace('\n', "\r\n    ");
    for text in [file("jwt/github-app-pkcs1.pem"), escaped.clone(), escaped.replace('\\', "\\\\"), quoted, php, pasted, indented] {
        let key = token_key(text.clone()).unwrap_or_else(|refusal| panic!("{refusal}: {text}"));
        assert_eq!((key.algorithm(), key.id()), ("RS256", rsa.id()));
        assert_eq!(key.sign_example(b"input"), rsa.sign_example(b"input"));
    }

    let p_256 = token_key(file("jwt/apple-p8-control.pem")).expect("PKCS#8");
    let (sec_1, beside) = (file("jwt/sec1-p256-after-its-parameters.pem"), file("jwt/certificate-then-key.pem"));
    let alone = &sec_1[sec_1.find("-----BEGIN EC PRIVATE").expect("a key")..];
    for text in [sec_1.as_str(), alone, &alone.replace('\n', "\\n"), &beside] {
        assert_eq!(token_key(text).map(|key| (key.algorithm(), key.id())), Ok(("ES256", p_256.id())), "{text}");
    }
    assert_eq!(token_key(file("jwt/sec1-secp256k1.pem")).map(|key| key.algorithm()), Ok("ES256K"));
}

#[test]
fn a_whole_service_account_names_the_field_of_its_key() {
    let account = file("jwt/service-account.json");
    let nested = format!("{{\"keys\":{{\"a/b\":{account}}}}}");

    assert!(refusal(account).contains("add `#private_key` to `from`"));
    assert!(refusal(nested).contains("add `#/keys/a~1b/private_key` to `from`"));
}

#[test]
fn what_is_no_key_that_signs_is_named_with_what_helps() {
    let public = file("jwt/public.pem");
    let both = file("jwt/apple-p8-control.pem") + &file("jwt/github-app-pkcs1.pem");
    let ssh = concat!("--", "---BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA\n-----END OPENSSH PRIVATE KEY-----\n");
    let torn = &file("jwt/control-pkcs8.pem")[..400];
    let mislabelled = file("jwt/control-pkcs8.pem").replace("PRIVATE KEY", "EC PRIVATE KEY");
    for (text, found, helps) in [
        (file("jwt/encrypted-pkcs8.pem"), "an encrypted private key", "openssl pkey -in"),
        (file("jwt/encrypted-sec1.pem"), "an encrypted private key", "openssl pkey -in"),
        (file("jwt/p384-sec1.pem"), "P-384", "RSA, P-256, Ed25519 or secp256k1"),
        (file("jwt/x25519.pem"), "X25519", "RSA, P-256, Ed25519 or secp256k1"),
        (file("jwt/rsa-1024.pem"), "RSA", "2,048 to 4,096 bits"),
        (file("jwt/explicit-curve.pem"), "written out", "-param_enc named_curve"),
        (public.clone(), "a public key", "BEGIN PRIVATE KEY"),
        (
            file("jwt/certificate-then-key.pem").split("-----BEGIN PRIVATE").next().expect("a certificate").to_owned(),
            "a certificate",
            "private key",
        ),
        (both, "more than one", "keep the one"),
        (ssh.to_owned(), "OpenSSH", "ssh-keygen -p"),
        (torn.to_owned(), "cut short", "-----END"),
        (mislabelled, "broken", "BEGIN EC PRIVATE KEY"),
        ("-----BEGIN STRONGROOM-----\nAAAA\n-----END STRONGROOM-----".to_owned(), "something else", "BEGIN PRIVATE KEY"),
    ] {
        let refusal = refusal(text.clone());
        assert!(refusal.contains(found) && refusal.contains(helps), "{found}: {refusal}");
        let quoted = text.lines().filter(|line| line.len() > 20 && !line.starts_with("-----")).any(|line| refusal.contains(&line[..12]));
        assert!(!quoted, "{refusal}");
    }
    assert!(account(&file("jwt/sec1-secp256k1.pem"), "").is_err_and(|refusal| refusal.contains("it is a PEM")));
}

#[test]
fn a_key_in_a_form_that_is_to_be_undone_is_not_taken_for_the_bytes_of_a_symmetric_one() {
    let pem = file("jwt/control-pkcs8.pem");
    let inner: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let der = STANDARD.decode(&inner).expect("base64");
    let utf_16: Vec<u8> = [0xfeff].into_iter().chain(pem.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let putty = "PuTTY-User-Key-File-3: ssh-rsa\nEncryption: none\n";
    let public = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPz user@example";
    for (value, helps) in [
        (der, "openssl pkey -inform DER"),
        (inner.into_bytes(), "add them"),
        (STANDARD.encode(&pem).into_bytes(), "base64 -d"),
        (utf_16, "UTF-8"),
        (putty.as_bytes().to_vec(), "puttygen"),
        (public.as_bytes().to_vec(), "private key"),
    ] {
        let refusal = refusal(value);
        assert!(refusal.contains(helps), "{helps}: {refusal}");
    }
    for symmetric in ["a passphrase of more than 32 bytes, as people choose it", &STANDARD.encode([0x30; 48])] {
        assert_eq!(token_key(symmetric).map(|key| key.algorithm()), Ok("HS256"));
    }
}
