//! What an agent may try with what it signs, and what stands where the scheme looks.

use super::*;
use crate::credential::hmac::Part;

const NOW: u64 = 1_700_000_000_000;
const PLACEHOLDER: &str = "VGhpcyBpcyBub3QgYSBrZXkgb2YgYW55Ym9keSwgYnV0IGl0IGlzIGxvbmcgZW5vdWdo";

/// A request of this preset, signed as a client library does, and then changed.
fn told(name: &str, change: impl FnOnce(&mut Held)) -> Result<(), Refused> {
    let spec = preset(name);
    let key = HmacKey::of_placeholder(&spec, PLACEHOLDER).expect("a key");
    let mut request = match name {
        "binance" => Held::new("POST", "/api/v3/order?symbol=BTCUSDT&timestamp=1700000000000", &[FORM], "side=BUY&quantity=1"),
        "kraken" => Held::new("POST", "/0/private/AddOrder", &[FORM], "nonce=1700000000000&pair=XBTUSD&volume=1"),
        _ => Held::new("POST", "/api/v5/trade/order?a=1", &[JSON], "{\"sz\":\"1\"}"),
    };
    request = request.signed(&spec, &key, &spec.stamp(at_millis(NOW), Some(NOW)).expect("a stamp")).expect("signed");
    assert!(spec.verify(&key, &request.view(), at_millis(NOW)).is_ok(), "{request:?}");
    change(&mut request);
    spec.verify(&key, &request.view(), at_millis(NOW)).map(drop)
}

fn query(change: impl Fn(&str) -> String) -> impl FnOnce(&mut Held) {
    move |request| request.query = request.query.as_deref().map(change)
}

fn signature_of(query: &str) -> &str {
    query.rsplit_once("signature=").expect("it is signed").1
}

fn body(change: impl Fn(&str) -> String) -> impl FnOnce(&mut Held) {
    move |request| request.body = change(std::str::from_utf8(&request.body).expect("text")).into_bytes()
}

#[test]
fn a_signature_stands_once_under_its_own_name() {
    let twice = Err(Refused::Twice(Part::Signature));
    let again = |name: &'static str| query(move |query| format!("{query}&{name}={}", signature_of(query)));
    for name in
        ["signature", "Signature", "SIGNATURE", "%73ignature", "signature[]", ".signature", "signature%00", "sig_nature", "+signature"]
    {
        assert_eq!(told("binance", again(name)), twice, "{name}");
    }
    assert_eq!(told("binance", query(|query| format!("{query};signature=00"))), twice, "in the other reading of a `;`");
    assert_eq!(told("binance", query(|query| query.replace("signature=", "Signature="))), twice, "in another letter case alone");
    assert_eq!(told("binance", query(|query| query.replace("signature=", "%73ignature="))), twice, "percent-encoded alone");
    assert_eq!(told("binance", body(|body| format!("{body}&signature=00"))), twice, "in query and form both");
    assert_eq!(told("binance", body(|body| format!("{body}&SIGNATURE=00"))), twice, "in both, in another letter case");
    assert_eq!(told("okx", |request| request.add_header("ok-access-sign", "AAAA")), twice, "two header lines");
    assert_eq!(told("okx", |request| request.add_header("ok_access_sign", "AAAA")), twice, "a name that CGI reads alike");
}

#[test]
fn a_signature_is_one_of_this_request_by_the_placeholder() {
    for (what, refused) in [
        ("of another body", told("binance", body(|body| body.replace("quantity=1", "quantity=9")))),
        ("of another query", told("binance", query(|query| query.replace("BTCUSDT", "ETHUSDT")))),
        ("of another time", told("binance", query(|query| query.replace("=1700000000000", "=1700000000001")))),
        ("of another number", told("kraken", body(|body| body.replace("1700000000000", "1700000000001")))),
        ("of another path", told("kraken", |request| request.path.push('2'))),
        ("of another method", told("okx", |request| request.method = "PUT".to_owned())),
        (
            "of another header",
            told("okx", |request| {
                drop(request.headers.insert("ok-access-timestamp", HeaderValue::from_static("2023-11-14T22:13:20.001Z")))
            }),
        ),
        ("with more behind it", told("binance", query(|query| format!("{query}&side=SELL")))),
        ("cut short", told("binance", query(|query| query[..query.len() - 2].to_owned()))),
    ] {
        assert_eq!(refused, Err(Refused::Wrong), "{what}");
    }
    let malformed = Err(Refused::Malformed(Part::Signature));
    assert_eq!(told("binance", query(|query| query.replace(signature_of(query), ""))), malformed, "empty");
    assert_eq!(told("binance", query(|query| query.replace(signature_of(query), "zz"))), malformed, "no digits");
    assert_eq!(told("okx", |request| drop(request.headers.insert("ok-access-sign", HeaderValue::from_static("====")))), malformed);
    assert_eq!(told("okx", |request| drop(request.headers.remove("ok-access-sign"))), Err(Refused::Missing(Part::Signature)));
    let upper = told("binance", query(|query| query.replace(signature_of(query), &signature_of(query).to_ascii_uppercase())));
    assert_eq!(upper, Ok(()), "digits are of either case");
}

#[test]
fn a_time_stands_once_and_is_the_hosts() {
    let twice = Err(Refused::Twice(Part::Timestamp));
    assert_eq!(told("binance", query(|query| format!("timestamp=1&{query}"))), twice);
    assert_eq!(told("binance", query(|query| format!("time_stamp=1&{query}"))), twice);
    assert_eq!(told("binance", body(|body| format!("{body}&timestamp=1"))), twice, "in query and form both");
    assert_eq!(told("binance", query(|query| query.replace("timestamp=1700000000000&", ""))), Err(Refused::Missing(Part::Timestamp)));
    let at = |time: &'static str| query(move |query| query.replace("1700000000000", time));
    for malformed in ["", "1e12", "now", "-1", "0x18bcfe56800", "01700000000000", "1700000000000.0", "%EF%BC%91"] {
        assert_eq!(told("binance", at(malformed)), Err(Refused::Malformed(Part::Timestamp)), "{malformed}");
    }
    for far in ["1700000300001", "1699999699999", "1700000000", "1700000000000000", "0", "9223372036854775"] {
        assert!(matches!(told("binance", at(far)), Err(Refused::Skew | Refused::Malformed(_))), "{far}");
    }
    assert_eq!(told("binance", at("1700000299999")), Err(Refused::Wrong), "near enough, and not what was signed");
}

#[test]
fn a_number_stands_once_and_is_one() {
    let twice = Err(Refused::Twice(Part::Nonce));
    for name in ["nonce", "Nonce", "%6eonce", "nonce[]", "_nonce"] {
        assert_eq!(told("kraken", body(|body| format!("{body}&{name}=9"))), twice, "{name}");
    }
    for malformed in ["", "1e9", "-1", "1.5", "0x10", "007", "18446744073709551616", "%31%2e"] {
        let told = told("kraken", body(|body| body.replace("1700000000000", malformed)));
        assert_eq!(told, Err(Refused::Malformed(Part::Nonce)), "{malformed}");
    }
}

#[test]
fn a_number_in_json_stands_once_and_is_one() {
    let spec = preset("kraken");
    let stands = |body: &str| spec.stands(&Held::new("POST", "/0/private/AddOrderBatch", &[JSON], body).view());
    let text = |body: &str| stands(body).map(|stands| stands.nonce.map(|found| (found.text, found.is_number)));
    assert_eq!(text("{\"nonce\":\"17\"}"), Ok(Some(("17".to_owned(), false))));
    assert_eq!(text("{\"nonce\": 17 }"), Ok(Some(("17".to_owned(), true))));
    assert_eq!(text("{\"a\":{\"nonce\":1}}"), Ok(None));
    assert_eq!(text("{\"nonce\":null}"), Ok(None));
    for twice in [
        "{\"nonce\":1,\"nonce\":2}",
        "{\"nonce\":1,\"Nonce\":2}",
        "{\"NONCE\":1}",
        "{\"n\\u006fnce\":1,\"nonce\":1}",
        "{\"nonce\":1,\"nonce \":1}",
    ] {
        assert_eq!(stands(twice), Err(Refused::Twice(Part::Nonce)), "{twice}");
    }
    for malformed in ["[{\"nonce\":1}]", "{\"nonce\":[1]}", "{\"nonce\":{}}", "{\"nonce\":true}", "{\"nonce\":\"\"}"] {
        assert_eq!(stands(malformed), Err(Refused::Malformed(Part::Nonce)), "{malformed}");
    }
    for broken in ["{", "nonce=1", "\u{feff}{\"nonce\":1}", "{\"nonce\":1}{\"nonce\":2}", "{\"nonce\":1,}"] {
        assert_eq!(stands(broken), Err(Refused::Body), "{broken}");
    }
    // As a library writes it, the number is read as text, and is no number of the machine's.
    let key = HmacKey::of_placeholder(&spec, PLACEHOLDER).expect("a key");
    for (nonce, refused) in [("1e9", Part::Nonce), ("1.0", Part::Nonce), ("18446744073709551616", Part::Nonce), ("-0", Part::Nonce)] {
        let body = format!("{{\"nonce\":{nonce}}}");
        let request = Held::new("POST", "/0/private/AddOrderBatch", &[JSON, ("api-sign", "AAAA")], &body);
        assert_eq!(spec.verify(&key, &request.view(), at_millis(NOW)), Err(Refused::Malformed(refused)), "{nonce}");
    }
}

#[test]
fn a_body_is_read_by_its_one_type_alone() {
    let spec = preset("binance");
    let stands = |headers: &[(&str, &str)], body: &[u8]| {
        let mut request = Held::new("POST", "/api/v3/order", headers, "");
        request.body = body.to_vec();
        spec.stands(&request.view())
    };
    let form = b"signature=00";
    let kind = "content-type";
    for (headers, body) in [
        (&[][..], &form[..]),
        (&[(kind, "text/plain")], form),
        (&[(kind, "multipart/form-data; boundary=x")], form),
        (&[FORM, JSON], form),
        (&[(kind, "application/x-www-form-urlencoded; charset=utf-16")], form),
        (&[(kind, "application/x-www-form-urlencoded;Charset=\"utf-7\"")], form),
        (&[FORM, ("content-encoding", "gzip")], form),
        (&[FORM], b"a=\xff&signature=00"),
        (&[JSON], form),
    ] {
        assert_eq!(stands(headers, body), Err(Refused::Body), "{headers:?}");
    }
    for headers in [&[FORM][..], &[(kind, "Application/X-WWW-Form-Urlencoded; charset=UTF-8")]] {
        assert!(stands(headers, form).expect("a form").signature.is_some(), "{headers:?}");
    }
    assert_eq!(stands(&[JSON], b"{\"signature\":\"00\"}"), Ok(Stands::default()), "a document has no fields of a form");
    assert_eq!(stands(&[], b""), Ok(Stands::default()), "no body");
    // A scheme without a place in bodies reads none of them.
    let okx = Held::new("POST", "/x", &[], "\u{0}anything");
    assert_eq!(preset("okx").stands(&okx.view()), Ok(Stands::default()));
}
