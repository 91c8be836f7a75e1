//! What is signed, piece by piece; where a request without a signature gets one; and how times are written and read.

use super::*;
use crate::credential::hmac::stamp::{is_near, number, read};
use crate::credential::hmac::{Edit, Part};
use crate::manifest::hmac::TimeFormat;

/// What a template is made of in a request: the bytes that are signed.
fn input(template: &str, signature: &str, request: &Held) -> Result<String, Refused> {
    let table = format!(
        "algorithm = \"hmac-sha256\"\ninput = '{template}'\nencoding = \"hex\"\nsignature = \"{signature}\"\n\
         timestamp = {{ place = \"header:x-time\", format = \"s\" }}\nnonce = {{ place = \"query:nonce\", unit = \"ms\" }}\n"
    );
    let spec = HmacSpec::parse("m", &table).unwrap_or_else(|found| panic!("{template}: {found}"));
    let stands = spec.stands(&request.view())?;
    let mut bytes = Vec::new();
    spec.signed(&request.view(), &stands).feed(&mut |more| bytes.extend_from_slice(more))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[test]
fn each_piece_is_what_the_request_has() {
    let headers = [("x-time", "1700000000"), ("x-key", "K"), FORM];
    let request = Held::new("POST", "/v1/o%20x?b=2&a=1&nonce=7&b=1&sign=ab", &headers, "z=%C3%A9&sign=cd&y=");
    for (template, signature, expected) in [
        ("{method} {host} {path}", "header:x-sign", "POST api.example.com /v1/o%20x"),
        ("{query}", "header:x-sign", "b=2&a=1&nonce=7&b=1&sign=ab"),
        ("{query}", "query:sign", "b=2&a=1&nonce=7&b=1"),
        ("{target}", "query:sign", "/v1/o%20x?b=2&a=1&nonce=7&b=1"),
        ("{sorted_query}", "query:sign", "a=1&b=2&b=1&nonce=7"),
        ("{sorted_query}", "header:x-sign", "a=1&b=2&b=1&nonce=7&sign=ab"),
        ("{body}", "header:x-sign", "z=%C3%A9&sign=cd&y="),
        ("{body}", "form:sign", "z=%C3%A9&y="),
        ("{body}", "query:sign", "z=%C3%A9&sign=cd&y="),
        (r"{timestamp}\n{nonce}\n{header:x-key}", "header:x-sign", "1700000000\n7\nK"),
        ("{sha256 {header:x-key}}", "header:x-sign", "86be9a55762d316a3026c2836d044f5fc76e34da10e1b45feee5f18be7edb177"),
    ] {
        assert_eq!(input(template, signature, &request).as_deref(), Ok(expected), "{template} {signature}");
    }
    let digits = input("{sha512 {body}}", "header:x-sign", &request).expect("digits");
    assert!(digits.len() == 128 && digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)), "{digits}");
}

#[test]
fn a_query_that_is_empty_or_is_but_the_signature() {
    let request = |target: &str| Held::new("GET", target, &[], "");
    assert_eq!(input("{target}", "query:sign", &request("/a")).as_deref(), Ok("/a"));
    assert_eq!(input("{target}", "query:sign", &request("/a?")).as_deref(), Ok("/a?"));
    assert_eq!(input("{target}", "query:sign", &request("/a?sign=x")).as_deref(), Ok("/a"));
    assert_eq!(input("{target}|{query}", "query:sign", &request("/a?sign=x&b")).as_deref(), Ok("/a?b|b"));
}

#[test]
fn a_header_that_is_signed_stands_once() {
    let name = HeaderName::from_static("x-key");
    for headers in [&[][..], &[("x-key", "a"), ("x-key", "b")], &[("x-key", "a"), ("x_key", "b")], &[("x_key", "a")]] {
        let request = Held::new("GET", "/", headers, "");
        assert_eq!(input("{header:x-key}", "header:x-sign", &request), Err(Refused::Header(name.clone())), "{headers:?}");
    }
}

#[test]
fn a_request_without_a_signature_gets_one_in_the_first_place_that_fits() {
    let plan = |name: &str, request: &Held| {
        let spec = preset(name);
        let stamp = spec.stamp(at_millis(1_700_000_000_000), Some(9)).expect("a stamp");
        spec.plan(&spec.stands(&request.view())?, &request.view(), &stamp)
    };
    let places =
        |plan: Plan| plan.stamps.iter().map(|edit| &edit.place).chain([&plan.signature]).map(ToString::to_string).collect::<Vec<_>>();
    let placed = |name: &str, request: &Held| plan(name, request).map(places);

    let get = Held::new("GET", "/api/v3/account", &[], "");
    assert_eq!(placed("binance", &get).expect("a plan"), ["query:timestamp", "query:signature"]);
    assert_eq!(placed("okx", &get).expect("a plan"), ["header:ok-access-timestamp", "header:ok-access-sign"]);
    assert_eq!(plan("kraken", &get), Err(Refused::NoPlace(Part::Nonce)), "neither a form nor a JSON document");
    // What the agent uses stays, and the rest is added.
    let half = Held::new("POST", "/api/v3/order", &[FORM], "symbol=A&timestamp=1");
    assert_eq!(placed("binance", &half).expect("a plan"), ["form:timestamp", "query:signature"]);
    let form = Held::new("POST", "/0/private/Balance", &[FORM], "");
    assert_eq!(placed("kraken", &form).expect("a plan"), ["form:nonce", "header:api-sign"]);
    let json = Held::new("POST", "/0/private/Balance", &[JSON], "{\"nonce\":5}");
    let nonce = Edit { place: Spot::parse("json:/nonce").expect("a place"), text: "9".to_owned(), is_number: true };
    assert_eq!(plan("kraken", &json).expect("a plan").stamps, [nonce]);

    let spec = preset("binance");
    let (key, stamp) =
        (HmacKey::read(&spec, b"a key of somebody").expect("a key"), spec.stamp(at_millis(1_700_000_000_000), None).expect("a stamp"));
    let signed = get.signed(&spec, &key, &stamp).expect("signed");
    let query = signed.query.clone().expect("a query");
    assert!(query.starts_with("timestamp=1700000000000&signature="), "{query}");
    assert!(spec.verify(&key, &signed.view(), at_millis(1_700_000_000_000)).is_ok());
}

#[test]
fn a_signature_in_the_middle_moves_to_the_end() {
    let spec = preset("binance");
    let key = HmacKey::read(&spec, b"a key of somebody").expect("a key");
    let stamp = spec.stamp(at_millis(1_700_000_000_000), None).expect("a stamp");
    let request = Held::new("GET", "/x?symbol=A&signature=00&timestamp=1&limit=5", &[], "");

    let query = request.signed(&spec, &key, &stamp).expect("signed").query.expect("a query");

    assert!(query.starts_with("symbol=A&timestamp=1700000000000&limit=5&signature="), "{query}");
}

#[test]
fn times_are_written_and_read_in_each_format() {
    let now = at_millis(1_764_453_600_123);
    for (format, text) in [
        (TimeFormat::Seconds, "1764453600"),
        (TimeFormat::Millis, "1764453600123"),
        (TimeFormat::Micros, "1764453600123000"),
        (TimeFormat::Rfc3339, "2025-11-29T22:00:00.123Z"),
    ] {
        let table = format!(
            "algorithm = \"hmac-sha256\"\ninput = \"{{timestamp}}\"\nencoding = \"hex\"\nsignature = \"header:x-sign\"\n\
             timestamp = {{ place = \"header:x-time\", format = \"{format}\" }}\n"
        );
        let spec = HmacSpec::parse("m", &table).expect("a scheme");
        assert_eq!(spec.stamp(now, None).expect("a stamp").timestamp.as_deref(), Some(text));
        assert!(is_near(read(format, text).expect("a time"), now), "{text}");
    }
    assert_eq!(
        preset("okx").stamp(at_millis(1_764_453_600_000), None).expect("a stamp").timestamp.as_deref(),
        Some("2025-11-29T22:00:00.000Z")
    );
    assert!(read(TimeFormat::Seconds, "1764453600.123").is_some() && read(TimeFormat::Rfc3339, "2025-11-29T22:00:00Z").is_some());
    for (format, text) in [
        (TimeFormat::Seconds, ""),
        (TimeFormat::Seconds, "-1"),
        (TimeFormat::Seconds, "1e9"),
        (TimeFormat::Seconds, "+1764453600"),
        (TimeFormat::Seconds, "01764453600"),
        (TimeFormat::Seconds, "1764453600."),
        (TimeFormat::Seconds, "1764453600.1x"),
        (TimeFormat::Seconds, "99999999999999999999"),
        (TimeFormat::Millis, "1764453600123.5"),
        (TimeFormat::Rfc3339, "2025-11-29T22:00:00.123+00:00"),
        (TimeFormat::Rfc3339, "2025-11-29 22:00:00.123Z"),
        (TimeFormat::Rfc3339, "2025-11-29T22:00:00.123Z[UTC]"),
        (TimeFormat::Rfc3339, "2025-13-29T22:00:00Z"),
        (TimeFormat::Rfc3339, "2025-11-29T22:00:00.Z"),
        (TimeFormat::Rfc3339, "é025-11-29T22:00:00Z"),
    ] {
        assert_eq!(read(format, text), None, "{text}");
    }
    for text in ["", "1e9", "-1", "+1", "01", "1.0", "18446744073709551616", " 1", "１"] {
        assert_eq!(number(text), None, "{text}");
    }
    assert_eq!((number("0"), number("18446744073709551615")), (Some(0), Some(u64::MAX)));
}

#[test]
fn a_nonce_is_at_least_the_time_in_its_unit() {
    assert_eq!(preset("kraken").least_nonce(at_millis(1_764_453_600_123)), Some(1_764_453_600_123));
    assert_eq!(preset("okx").least_nonce(at_millis(1)), None);
    for (unit, least) in [("s", 1_764_453_600), ("ms", 1_764_453_600_123), ("us", 1_764_453_600_123_000), ("ns", 1_764_453_600_123_000_000)]
    {
        let table = preset("kraken").written_out().to_string().replace("unit = \"ms\"", &format!("unit = \"{unit}\""));
        let table: toml::Table = format!("x = {table}").parse().expect("TOML");
        let spec = HmacSpec::parse("m", &toml::to_string(&table["x"]).expect("a table")).expect("a scheme");
        assert_eq!(spec.least_nonce(at_millis(1_764_453_600_123)), Some(least));
    }
    assert_eq!(preset("kraken").stamp(SystemTime::UNIX_EPOCH, None), Err(Refused::Missing(Part::Nonce)));
}
