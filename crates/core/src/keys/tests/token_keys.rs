//! Tokens: keys in PEM (RFC 7468) and as JWK (RFC 7517).

use super::*;

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
        assert!(refusal.contains("can't be told from the key of a wallet"), "{refusal}");
    }
}

#[test]
fn a_jwk_without_its_private_part_is_refused() {
    let symmetric = rfc_7515_a1();
    let cases = [(symmetric, "k"), (rfc_7515_a2(), "d"), (rfc_7515_a3(), "d"), (rfc_8037_a1(), "d"), (eip_155_jwk(), "d")];

    for (jwk, private) in cases {
        let refusal = token_key(without(&jwk, private).to_string()).err().expect("a refusal");
        assert_eq!(refusal, "it is not a private JWK of RSA, P-256, Ed25519, secp256k1 or `oct`", "{jwk}");
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
        assert!(refusal.contains("not a private JWK"), "{refusal}");
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
