//! Keystores (Web3 Secret Storage, version 3).

use super::*;

const LIGHT_PASSPHRASE: &str = "correct horse";

/// The secret of the two examples of the Web3 Secret Storage Definition, "Test Vectors":
/// <https://ethereum.org/developers/docs/data-structures-and-encoding/web3-secret-storage/#test-vectors>
const EXAMPLE_SECRET: &str = "7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d";
const EXAMPLE_ADDRESS: &str = "0x008aeeda4d805471df9b2a5b0f38a0c3bcba786b";

fn opens(keystore: &Value) -> Result<String, String> {
    account(&keystore.to_string(), LIGHT_PASSPHRASE, FIRST_ACCOUNT)
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
    let none = Local::read(&SecretValue::new(light.to_string()), None, FIRST_ACCOUNT).err();

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
        ("/crypto/kdfparams/dklen", json!("32"), "not a number"),
        ("/crypto/kdfparams/n", json!(1 << 20), "512 MiB"),
        ("/crypto/kdfparams/n", json!(u64::MAX / 2 + 1), "512 MiB"),
        ("/crypto/kdfparams/r", json!(u64::MAX), "512 MiB"),
        ("/crypto/kdfparams/p", json!(17), "512 MiB"),
        ("/crypto/kdfparams/n", json!(-1024), "not a number"),
        ("/crypto/kdfparams/n", json!(1024.5), "not a number"),
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

    assert_eq!(refusal, "its keystore is not JSON");
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
