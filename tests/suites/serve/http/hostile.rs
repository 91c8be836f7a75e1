//! What hostile callers try: what each gets, that no run begins, and what the audit log says of it.

use super::webhooks::{now, signed};
use super::{BEARER, House, Request, SIGNING, TOKEN};

/// A try: what it is, its bytes, the status that it gets, and why, by the audit log; empty where no agent was named.
type Try = (&'static str, Vec<u8>, u16, &'static str);

fn tries(house: &House) -> Vec<Try> {
    let bearer = |value: &str| house.request("POST", "/bearer?seen").header("authorization", value).body("").whole();
    let target = |target: &str| house.by_bearer(target).body("").whole();
    let raw = |head: &str| format!("{head}\r\n\r\n").into_bytes();
    let host = house.address.to_string();
    let (body, at) = (b"{\"id\":1}".as_slice(), now());
    let stripe = |header: &str| house.request("POST", "/stripe?seen").header("stripe-signature", header).body(body).whole();
    let stripe_tag = |at: u64, body: &[u8]| signed(SIGNING, &[format!("{at}.").as_bytes(), body]);
    let github = |lines: &[(&str, &str)], body: &[u8]| {
        let request = house.request("POST", "/github?seen");
        lines.iter().fold(request, |request, (name, value)| request.header(name, value)).body(body).whole()
    };
    let hub = format!("sha256={}", signed(SIGNING, &[body]));
    let slack = |tag: &str, at: &str| {
        house.request("POST", "/slack?seen").header("x-slack-signature", tag).header("x-slack-request-timestamp", at).body(body).whole()
    };
    let slack_tag = |at: u64| signed(SIGNING, &[format!("v0:{at}:").as_bytes(), body]);
    let (old, ahead) = (at - 301, at + 330);
    let with = |request: Request| request.body(body).whole();
    vec![
        ("no token", house.request("POST", "/bearer").body("").whole(), 401, "there is no `Authorization`"),
        ("another token", bearer("Bearer caller-token-0123456789abcdefghik"), 401, "the token is another one"),
        ("a part of the token", bearer(&format!("Bearer {}", &TOKEN[..20])), 401, "the token is another one"),
        ("the token and more", bearer(&format!("Bearer {TOKEN}, Bearer {TOKEN}")), 401, "the token is another one"),
        ("a token behind two spaces", bearer(&format!("Bearer  {TOKEN}")), 401, "the token is another one"),
        ("an empty token", bearer("Bearer"), 401, "the scheme is not `Bearer`"),
        ("the right token as Basic", bearer(&format!("Basic {TOKEN}")), 401, "the scheme is not `Bearer`"),
        ("the token alone", bearer(TOKEN), 401, "the scheme is not `Bearer`"),
        (
            "two lines, of which one is right",
            house.by_bearer("/bearer").header("authorization", "Bearer x").body("").whole(),
            401,
            "there are two `Authorization` lines",
        ),
        (
            "the token in the query",
            house.request("POST", &format!("/bearer?access_token={TOKEN}")).body("").whole(),
            401,
            "there is no `Authorization`",
        ),
        (
            "the token for a proxy",
            house.request("POST", "/bearer").header("proxy-authorization", &format!("Bearer {TOKEN}")).body("").whole(),
            401,
            "there is no `Authorization`",
        ),
        ("two slashes", target("//bearer"), 400, "the path holds an empty segment (`//`)"),
        ("a way back", target("/x/../bearer"), 400, "the path holds a dot segment"),
        ("an encoded way back", target("/x/%2e%2e/bearer"), 400, "the path holds an encoded dot, backslash or semicolon"),
        ("an encoded letter", target("/%62earer"), 404, ""),
        ("another case", target("/Bearer"), 404, ""),
        ("a slash behind", target("/bearer/"), 404, ""),
        (
            "a parameter behind",
            target("/bearer;a=1"),
            400,
            "the path holds a character that must be percent-encoded, a backslash or a semicolon",
        ),
        ("a whole URL", target(&format!("http://{host}/bearer")), 400, "the target is a whole URL"),
        (
            "no host",
            raw(&format!("POST /bearer HTTP/1.1\r\nconnection: close\r\nauthorization: Bearer {TOKEN}")),
            400,
            "there is no `Host`",
        ),
        ("two hosts", with(house.by_bearer("/bearer").header("host", "evil.example")), 400, "there are two `Host` lines"),
        (
            "a method of proxies",
            raw(&format!("CONNECT {host} HTTP/1.1\r\nhost: {host}\r\nconnection: close")),
            405,
            "a method that no agent answers",
        ),
        (
            "a method that echoes",
            raw(&format!("TRACE /bearer HTTP/1.1\r\nhost: {host}\r\nconnection: close")),
            405,
            "a method that no agent answers",
        ),
        (
            "a coded body",
            with(house.by_bearer("/bearer").header("content-encoding", "gzip")),
            415,
            "the body is coded, and can't be searched",
        ),
        (
            "a long body",
            house.by_bearer("/bearer").header("content-length", "1048577").whole(),
            413,
            "the body is longer than `trigger.body`",
        ),
        (
            "a name that leads here",
            raw("POST /public HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\ncontent-length: 0"),
            421,
            "it was called by a name that `serve.hosts` does not list",
        ),
        ("no signature", house.request("POST", "/stripe").body(body).whole(), 401, "a header of the signature is missing"),
        ("a bearer at a webhook", house.by_bearer("/stripe").body(body).whole(), 401, "a header of the signature is missing"),
        (
            "another key",
            stripe(&format!("t={at},v1={}", signed("another-key", &[format!("{at}.").as_bytes(), body]))),
            401,
            "the signature is another one",
        ),
        ("another body", stripe(&format!("t={at},v1={}", stripe_tag(at, b"{\"id\":2}"))), 401, "the signature is another one"),
        ("another time", stripe(&format!("t={},v1={}", at - 1, stripe_tag(at, body))), 401, "the signature is another one"),
        ("an old one", stripe(&format!("t={old},v1={}", stripe_tag(old, body))), 401, "the signature is more than 5 minutes old, or ahead"),
        (
            "one of tomorrow",
            stripe(&format!("t={ahead},v1={}", stripe_tag(ahead, body))),
            401,
            "the signature is more than 5 minutes old, or ahead",
        ),
        ("the test scheme", stripe(&format!("t={at},v0={}", stripe_tag(at, body))), 401, "the signature is of another scheme"),
        ("two times", stripe(&format!("t={at},t={old},v1={}", stripe_tag(at, body))), 401, "the signature has two times"),
        (
            "capitals",
            stripe(&format!("t={at},v1={}", stripe_tag(at, body).to_uppercase())),
            401,
            "the signature is not 64 lower-case hexadecimal digits",
        ),
        ("a comma behind", stripe(&format!("t={at},v1={},", stripe_tag(at, body))), 401, "the signature is malformed"),
        (
            "the signature in two lines",
            with(
                house
                    .request("POST", "/stripe")
                    .header("stripe-signature", &format!("t={at}"))
                    .header("stripe-signature", &format!("v1={}", stripe_tag(at, body))),
            ),
            401,
            "a header of the signature is there twice",
        ),
        (
            "a webhook by GET",
            house.request("GET", "/stripe").header("stripe-signature", &format!("t={at},v1={}", stripe_tag(at, body))).whole(),
            405,
            "a webhook comes by POST",
        ),
        ("a webhook in chunks that is too long", chunked(house, at), 413, "the body is longer than `trigger.body`"),
        (
            "GitHub's old signature",
            github(&[("x-hub-signature", "sha1=00"), ("x-github-delivery", "1")], body),
            401,
            "a header of the signature is missing",
        ),
        ("no delivery", github(&[("x-hub-signature-256", &hub)], body), 401, "a header of the signature is missing"),
        (
            "a delivery of another shape",
            github(&[("x-hub-signature-256", &hub), ("x-github-delivery", "../1")], body),
            401,
            "the delivery's name is malformed",
        ),
        (
            "SHA-1 by name",
            github(&[("x-hub-signature-256", &hub.replace("sha256", "sha1")), ("x-github-delivery", "1")], body),
            401,
            "the signature is of another scheme",
        ),
        ("Slack's next scheme", slack(&format!("v1={}", slack_tag(at)), &at.to_string()), 401, "the signature is of another scheme"),
        (
            "an old word of Slack's",
            slack(&format!("v0={}", slack_tag(old)), &old.to_string()),
            401,
            "the signature is more than 5 minutes old, or ahead",
        ),
        ("a new time for an old word", slack(&format!("v0={}", slack_tag(old)), &at.to_string()), 401, "the signature is another one"),
        ("a time with a sign", slack(&format!("v0={}", slack_tag(at)), &format!("+{at}")), 401, "the signature's time is malformed"),
    ]
}

fn chunked(house: &House, at: u64) -> Vec<u8> {
    let tag = "0".repeat(64);
    let head = house
        .request("POST", "/stripe")
        .header("stripe-signature", &format!("t={at},v1={tag}"))
        .header("transfer-encoding", "chunked")
        .whole();
    let long = "x".repeat((1 << 20) + 1);
    [&head[..], format!("{:x}\r\n{long}\r\n0\r\n\r\n", long.len()).as_bytes()].concat()
}

#[test]
fn hostile_callers_get_a_status_and_begin_no_run() {
    let webhook = |of: &str| format!("auth = {{ webhook = \"{of}\", secret = \"SIGNING\" }}");
    let house = House::new(&[
        ("bearer", BEARER, ""),
        ("stripe", &webhook("stripe"), ""),
        ("github", &webhook("github"), ""),
        ("slack", &webhook("slack"), ""),
        ("public", "public = true", ""),
    ]);

    let mut wrong = Vec::new();
    for (what, bytes, status, why) in tries(&house) {
        let before = house.records("caller-refused").len();
        let reply = house.send(&bytes);
        if reply.status != status || !reply.body.is_empty() {
            wrong.push(format!("{what}: {} instead of {status}, {:?}", reply.status, reply.body));
        }
        if reply.status == 401 && !reply.head.contains("www-authenticate: ") {
            wrong.push(format!("{what}: no challenge"));
        }
        if [TOKEN, SIGNING].iter().chain(&[why]).any(|told| !told.is_empty() && reply.head.contains(&told.to_ascii_lowercase())) {
            wrong.push(format!("{what}: it is told more than a status"));
        }
        let records = house.records("caller-refused");
        // Of one reason only some in a minute have a record.
        match records.get(before) {
            _ if why.is_empty() => {}
            Some(record) if record["reason"] == why && record["status"] == status => {}
            None if records.iter().filter(|record| record["reason"] == why).count() == 8 => {}
            found => wrong.push(format!("{what}: {found:?} instead of `{why}`")),
        }
    }

    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(house.records("run-start").is_empty() && house.records("called").is_empty());
    let log = std::fs::read_to_string(house.dir.path().join("audit.jsonl")).unwrap();
    assert!(!log.contains(TOKEN) && !log.contains(SIGNING) && !log.contains("access_token"), "the log holds no value, and no query");
    // And who does it right is answered.
    assert_eq!(house.call(house.by_bearer("/bearer").body("")).status, 200);
    assert_eq!(house.call(house.request("GET", "/public")).status, 200);
}
