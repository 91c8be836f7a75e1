//! Tokens: the examples of RFC 7515, RFC 7520, RFC 8037 and RFC 8812.

use super::*;

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
