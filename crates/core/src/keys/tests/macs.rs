//! HMAC-SHA-256 (RFC 2104, RFC 4231), and the steps of AWS Signature Version 4, which derive keys.

use super::*;

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

#[test]
fn a_key_that_is_written_as_a_wallets_is_refused_with_what_to_do() {
    let digits = "4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318";
    let why = |key: &str| crate::keys::Key::mac(&SecretValue::new(key)).err();

    let refused = why(digits).expect("it may be a wallet's");
    assert!(refused.contains("can't be told from the key of a wallet") && refused.contains("`openssl rand -base64 32`"), "{refused}");
    assert!(!refused.contains(&digits[..8]), "{refused}");
    assert_eq!(why("SnVzdCB0aGlydHktdHdvIHJhbmRvbSBieXRlcyBoZXI="), None);
}

#[test]
fn the_steps_of_signature_version_4_are_refused_and_its_last_output_is_the_vectors() {
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/sigv4");
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
