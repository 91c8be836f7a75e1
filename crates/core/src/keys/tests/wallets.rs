//! Wallets' keys: digits, and whose key a value is.

use super::*;

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
        assert_eq!(refusal, "it is not a key of secp256k1", "{text}");
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
    assert!(Local::read(&SecretValue::new([0xff; 32]), None, FIRST_ACCOUNT).is_err());
}

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

#[test]
fn a_fresh_key_is_64_digits_that_nobody_had_before() {
    let digits = |value: &SecretValue| String::from_utf8(value.reveal(crate::policy::Reveal::to_sign()).to_vec()).expect("text");

    let one = digits(crate::keys::local::fresh().expect("a key").value());
    let other = digits(crate::keys::local::fresh().expect("a key").value());

    assert_ne!(one, other);
    assert!(one.len() == 64 && one.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')));
    assert_eq!(account_of(&one), Ok(address_by(&one)));
}

#[test]
fn a_key_as_it_is_kept_says_its_address() {
    let says = |text: &str| crate::keys::local::address_of_local(&SecretValue::new(text));
    let silent = without(&light(), "address");
    let first = with(&light(), "/version", json!(1));

    assert_eq!(says(DIGITS).as_deref(), Ok(ADDRESS));
    assert_eq!(says(PHRASE).as_deref(), Ok(ADDRESS));
    assert_eq!(says(&light().to_string()).expect("an address"), address_by(&eip_155()));
    assert!(says(&silent.to_string()).expect("a note").contains("without its address"));
    assert!(says(&first.to_string()).is_err());
    assert!(says("{").is_err());
    assert!(says("neither of these").is_err());
}
