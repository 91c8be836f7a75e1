//! What the exchanges' own documents have as examples.

use super::*;
use crate::credential::hmac::Stamp;

const BINANCE: &str = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";
const KRAKEN: &str = "kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1huXg==";
const ORDER: &str = "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559";

fn signature(spec: &HmacSpec, secret: &str, request: &Held, stamp: &Stamp) -> String {
    let key = HmacKey::read(spec, secret.as_bytes()).expect("a key");
    spec.signature(&key, &request.view(), stamp).expect("a signature").to_string()
}

/// <https://developers.binance.com/docs/binance-spot-api-docs/rest-api/request-security>: all in the body, all in the query, and both.
#[test]
fn binance() {
    let spec = preset("binance");
    let stamp = spec.stamp(at_millis(1_499_827_319_559), None).expect("a stamp");
    let (query, body) = ORDER.split_once("&quantity").expect("two halves");
    let body = format!("quantity{body}");

    for (target, body, expected) in [
        ("/api/v3/order".to_owned(), ORDER, "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"),
        (format!("/api/v3/order?{ORDER}"), "", "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"),
        (format!("/api/v3/order?{query}"), &body, "0fd168b8ddb4876a0358a8d14d0c9f3da0e9b20c5d52b2a00fcf7d1c602f9a77"),
    ] {
        let request = Held::new("POST", &target, &[FORM], body);
        assert_eq!(signature(&spec, BINANCE, &request, &stamp), expected, "{target}");
    }
}

/// <https://docs.kraken.com/api/docs/guides/spot-rest-auth>
#[test]
fn kraken() {
    let spec = preset("kraken");
    let stamp = spec.stamp(SystemTime::UNIX_EPOCH, Some(1_616_492_376_594)).expect("a stamp");
    let body = "nonce=1616492376594&ordertype=limit&pair=XBTUSD&price=37500&type=buy&volume=1.25";
    let request = Held::new("POST", "/0/private/AddOrder", &[FORM], body);
    let expected = "4/dpxb3iT4tp/ZCVEwSnEsLxx0bqyhLpdfOpc6fn7OR8+UClSV5n9E6aSS8MPtnRfp32bAb0nmbRn6H8ndwLUQ==";

    assert_eq!(signature(&spec, KRAKEN, &request, &stamp), expected);
    assert_eq!(signature(&spec, KRAKEN.trim_end_matches('='), &request, &stamp), expected, "its padding was lost");
}

/// RFC 4231, case 2, and RFC 8032, 7.1, test 2: what the algorithms are, without an exchange around them.
#[test]
fn the_standards() {
    let request = Held::new("POST", "/", &[], "what do ya want for nothing?");
    for (algorithm, expected) in [
        ("hmac-sha256", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
        ("hmac-sha384", "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649"),
        (
            "hmac-sha512",
            "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
        ),
    ] {
        let table = format!("algorithm = \"{algorithm}\"\ninput = \"{{body}}\"\nencoding = \"hex\"\nsignature = \"header:x-sign\"\n");
        let text = HmacSpec::parse("m", &table).expect("a scheme");
        assert_eq!(signature(&text, "Jefe", &request, &Stamp::default()), expected);
        let hex = HmacSpec::parse("m", &format!("{table}key = \"hex\"\n")).expect("a scheme");
        assert_eq!(signature(&hex, "4A656665", &request, &Stamp::default()), expected);
    }
    let table = "algorithm = \"ed25519\"\nkey = \"base64\"\ninput = \"{body}\"\nencoding = \"hex\"\nsignature = \"header:x-sign\"\n";
    let spec = HmacSpec::parse("m", table).expect("a scheme");
    let expected =
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";
    let request = Held::new("POST", "/", &[], "r");
    assert_eq!(signature(&spec, "TM0Imyj/ltqdtsNG7BFOD1uKMZ81q6Yk2oz27U+4pvs=", &request, &Stamp::default()), expected);
    // The seed with its public half; and with another one.
    let whole = "TM0Imyj/ltqdtsNG7BFOD1uKMZ81q6Yk2oz27U+4pvs9QBfD6EOJWpK3CqdNG368nJgszy7ElozAzVXxKvRmDA==";
    assert_eq!(signature(&spec, whole, &request, &Stamp::default()), expected);
    assert!(HmacKey::read(&spec, whole.replace("9QBf", "9QBe").as_bytes()).is_err());
}

#[test]
fn a_value_that_is_no_key_of_the_scheme_is_refused_without_a_part_of_it() {
    for (name, value) in [
        ("kraken", "not base64, as it has blanks"),
        ("kraken", ""),
        ("binance", ""),
        ("binance-ed25519", "TM0Imyj/ltqdtsNG7BFOD1uKMZ81q6Yk2oz27U+4pvs="),
        ("binance-ed25519", "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2Vw\n-----END PRIVATE KEY-----\n"),
    ] {
        let why = HmacKey::read(&preset(name), value.as_bytes()).expect_err(value);
        assert!(value.is_empty() || !why.contains(value), "{why}");
    }
    let of_placeholder = HmacKey::of_placeholder(&preset("binance-ed25519"), "sr_0123456789abcdefghijklmnopqrstuv");
    assert!(of_placeholder.is_err(), "no library signs with it");
    assert_eq!(format!("{:?}", HmacKey::read(&preset("binance"), b"secret").expect("a key")), "HmacKey([redacted])");
}
