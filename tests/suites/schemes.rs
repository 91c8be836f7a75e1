//! Requests that the host signs, looked at as a server does: with the real key.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use serde_json::Value;
use sha2::{Sha256, Sha512};
use strongroom::End;
use strongroom_demo::server::Seen;
use strongroom_tests::{AgentFixture, Ran, VALUE};

const GRANT: &str = "[[secrets.KEY.allow]]\nhost = \"api.test\"\nmethods = [\"GET\", \"POST\"]\npaths = [\"/**\"]\n";

/// A run of the probe, whose secret is of this scheme.
fn run(scheme: &str, value: &str, attach: bool, operations: &[&str]) -> Ran {
    let manifest = format!("[secrets.KEY]\nexpose = \"env\"\n{scheme}\n{GRANT}attach = {attach}\n");
    let ran = AgentFixture::with(&manifest).value("KEY", value).run(operations);
    assert_eq!(ran.outcome.end, End::Exit(0), "{}", ran.stderr);
    ran.assert_sealed();
    ran
}

fn mac256(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn body(seen: &Seen) -> &str {
    std::str::from_utf8(&seen.body).unwrap()
}

#[test]
fn a_signature_of_the_agents_library_becomes_one_of_the_key() {
    let signed = "b=2&a=%C3%A4&a=1&timestamp=(NOW)";
    let get = format!("send GET https://api.test/x?{signed}&signature={{KEY|mac:{signed}}}");
    let post =
        format!("send POST https://api.test/x h:content-type=application/x-www-form-urlencoded b:{signed}&signature={{KEY|mac:{signed}}}");

    let ran = run("hmac = { preset = \"binance\" }", VALUE, false, &[&get, &post]);

    let query = ran.seen[0].target.split_once('?').unwrap().1.to_owned();
    for text in [query.as_str(), body(&ran.seen[1])] {
        let (signed, signature) = text.rsplit_once("&signature=").unwrap();
        assert!(signed.starts_with("b=2&a=%C3%A4&a=1&timestamp="), "{signed}");
        assert_eq!(signature, hex(&mac256(VALUE.as_bytes(), signed)), "{text}");
    }
    let made: Vec<_> = ran.records("answer").iter().map(|record| record["made"].clone()).collect();
    assert!(made.iter().all(|made| made[0]["name"] == "KEY" && made[0]["fingerprint"].as_str().unwrap().len() == 8), "{made:?}");
    assert_ne!(made[0][0]["fingerprint"], made[1][0]["fingerprint"], "each signature has its own");
}

#[test]
fn the_host_signs_what_the_agent_did_not() {
    let ran = run(
        "hmac = { preset = \"okx\" }",
        VALUE,
        true,
        &["send POST https://api.test/v5/order?x=1 h:content-type=application/json b:<(\"a\":1)>"],
    );

    let seen = &ran.seen[0];
    let text = format!("{}POST/v5/order?x=1{{\"a\":1}}", seen.header("ok-access-timestamp"));
    assert_eq!(seen.header("ok-access-sign"), STANDARD.encode(mac256(VALUE.as_bytes(), &text)));
}

#[test]
fn a_value_that_is_no_key_of_its_scheme_is_told_before_the_run() {
    for (scheme, value, told) in [
        ("hmac = { preset = \"kraken\" }", "not base64 at all", "its scheme is `hmac`"),
        ("hmac = { preset = \"binance-ed25519\" }", "not a key in PEM", "its scheme is `hmac`"),
        ("jwt = { preset = \"coinbase-cdp\", key_id = \"k\" }", "not a key in PEM", "its scheme is `jwt`"),
    ] {
        let manifest = format!("[secrets.KEY]\n{scheme}\n{GRANT}");
        let refused = AgentFixture::with(&manifest).value("KEY", value).try_run(&[]).err().unwrap_or_else(|| panic!("{scheme}: it ran"));
        assert!(refused.contains("secret `KEY` is unavailable") && refused.contains(told) && !refused.contains(value), "{refused}");
    }
}

#[test]
fn numbers_rise_over_requests_and_runs_and_are_in_what_is_signed() {
    let key = STANDARD.encode([7; 64]);
    let sign =
        "send POST https://api.test/0/private/Balance h:content-type=application/x-www-form-urlencoded h:api-sign={KEY} b:asset=x&nonce=1";

    let ran = run("hmac = { preset = \"kraken\" }", &key, false, &[sign, sign, sign]);

    let mut before = 0;
    for seen in &ran.seen {
        let number: u64 = body(seen).strip_prefix("asset=x&nonce=").unwrap().parse().unwrap();
        assert!(number > before.max(1_700_000_000_000), "{number} after {before}");
        before = number;
        let digest = <Sha256 as sha2::Digest>::digest(format!("{number}{}", body(seen)));
        let mut mac = Hmac::<Sha512>::new_from_slice(&[7; 64]).unwrap();
        mac.update(b"/0/private/Balance");
        mac.update(&digest);
        assert_eq!(seen.header("api-sign"), STANDARD.encode(mac.finalize().into_bytes()));
    }
}

#[test]
fn each_request_has_a_token_of_its_own_and_never_the_key() {
    let pem = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/field/jwt/apple-p8-control.pem")).unwrap();
    let scheme = "jwt = { preset = \"coinbase-cdp\", key_id = \"organizations/o/apiKeys/k\" }";

    let attached = run(
        scheme,
        &pem,
        true,
        &["send GET https://api.test/api/v3/accounts?limit=1", "send GET https://api.test/v1/mirror/authorization"],
    );
    let by_name = run(scheme, &pem, false, &["send GET https://api.test/api/v3/accounts h:authorization=Bearer+{KEY}"]);

    let mut tokens: Vec<&str> = attached.seen.iter().chain(&by_name.seen).map(|seen| seen.header("authorization")).collect();
    for (token, path) in tokens.iter().zip(["/api/v3/accounts", "/v1/mirror/authorization", "/api/v3/accounts"]) {
        let claims = token.strip_prefix("Bearer ").unwrap().split('.').nth(1).unwrap();
        let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
        assert_eq!(claims["uri"], format!("GET api.test{path}"));
    }
    tokens.sort_unstable();
    tokens.dedup();
    assert_eq!(tokens.len(), 3, "none is used twice");
    assert!(attached.stdout.contains("<<Bearer [redacted:KEY]>>"), "an echo of it is taken out: {}", attached.stdout);
}

/// As long as it takes to have three answers whose clock is ahead.
#[test]
fn the_time_of_a_signed_request_is_that_of_the_servers_clock() {
    let ahead = |seconds: u64| {
        let time = std::time::SystemTime::now() + std::time::Duration::from_secs(seconds);
        jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&jiff::Timestamp::try_from(time).unwrap()).unwrap()
    };
    let served = |seconds: u64| {
        let manifest = format!("[secrets.KEY]\nhmac = {{ preset = \"binance\" }}\n{GRANT}attach = true\n");
        let fixture = AgentFixture::with(&manifest).value("KEY", VALUE).server(move |_| {
            let mut answer = strongroom_demo::server::respond(200, "text/plain", "ok");
            answer.headers_mut().insert("date", ahead(seconds).parse().unwrap());
            answer
        });
        let ran = fixture.run(&["repeat 4 GET https://api.test/x"]);
        let times = ran.seen.iter().map(|seen| {
            let time = seen.target.split_once("timestamp=").unwrap().1.split('&').next().unwrap();
            time.parse::<i64>().unwrap() / 1_000
        });
        times.collect::<Vec<i64>>()
    };

    let times = served(120);
    assert!((115..=130).contains(&(times[3] - times[2])), "the fourth request is sent by the server's clock: {times:?}");
    let times = served(600);
    assert!(times[3] - times[2] < 60, "a clock that is ten minutes ahead moves nothing: {times:?}");
}
