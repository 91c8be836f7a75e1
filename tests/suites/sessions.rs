//! What an API gives an agent to send back: entity tags, cookies, session ids. And who may not have them.

use http::HeaderValue;
use std::sync::Mutex;
use strongroom_demo::server::{Response, Seen, respond};
use strongroom_tests::{AgentFixture, Ran};

const GRANT: &str = "host = \"api.test\"\nmethods = [\"GET\", \"POST\", \"PUT\"]\npaths = [\"/v1/**\"]";
const ASK: &str = "h:authorization=Bearer+{KEY}";
const SESSION: &str = "sess5bQ9zX2kLm7Rt4VwC8";

/// A server that answers with one header more.
fn giving(name: &'static str, value: &str) -> impl Fn(&Seen) -> Response + Send + Sync + 'static {
    let value = HeaderValue::from_str(value).unwrap();
    move |_| {
        let mut answer = respond(200, "text/plain", "hello\n");
        answer.headers_mut().insert(name, value.clone());
        answer
    }
}

fn back(room: AgentFixture, name: &str, first: &str, then: &[&str]) -> Ran {
    room.run(&[&format!("back {name} {first} -- {}", then.join(" -- "))])
}

#[test]
fn an_entity_tag_is_made_up_and_goes_back_as_the_real_one_to_its_url_alone() {
    let get = format!("GET https://api.test/v1/x {ASK}");
    let ran = back(
        AgentFixture::granted(GRANT).server(giving("etag", "\"real-5bQ9zX2k\"")),
        "etag",
        &get,
        &[
            &format!("{get} h:if-none-match=(GIVEN)"),
            &format!("GET https://api.test/v1/other {ASK} h:if-none-match=(GIVEN)"),
            &format!("PUT https://api.test/v1/x {ASK} h:if-match=(GIVEN) b:new"),
            // A write of this run has changed what the tag described.
            &format!("PUT https://api.test/v1/x {ASK} h:if-match=(GIVEN) b:new"),
            &format!("PUT https://api.test/v1/x {ASK} h:if-match=* b:new"),
            &format!("{get} h:if-none-match=\"real-5bQ9zX2k\""),
        ],
    );

    assert!(!ran.stdout.contains("real-5bQ9"), "{}", ran.stdout);
    let conditions: Vec<(&str, &str)> = ran.seen.iter().map(|seen| (seen.header("if-none-match"), seen.header("if-match"))).collect();
    assert_eq!(conditions, [("", ""), ("\"real-5bQ9zX2k\"", ""), ("", "\"real-5bQ9zX2k\""), ("", "*")]);
    assert_eq!(ran.stdout.matches("denied by rule `header`").count(), 3, "{}", ran.stdout);
}

#[test]
fn each_answer_has_a_tag_of_its_own() {
    let get = format!("send GET https://api.test/v1/x {ASK}");
    let ran = AgentFixture::granted(GRANT).server(giving("etag", "W/\"real\"")).run(&[&get, &get]);

    let tags: Vec<&str> = ran.stdout.lines().filter_map(|line| line.split("etag=").nth(1)?.split([';', ']']).next()).collect();
    assert!(tags.len() == 2 && tags[0] != tags[1] && tags.iter().all(|tag| tag.starts_with("W/\"")), "{tags:?}");
}

#[test]
fn the_tag_of_what_was_written_passes_where_it_is_the_digest_of_that() {
    // MD5 of `hello` (RFC 1321), as object stores name a part.
    let own = "\"5d41402abc4b2a76b9719d911017c592\"";
    let put = format!("send PUT https://api.test/v1/x {ASK} b:hello");
    let ran =
        AgentFixture::granted(GRANT).server(giving("etag", own)).run(&[&put, &format!("send PUT https://api.test/v1/x {ASK} b:other")]);

    let tags: Vec<bool> = ran.stdout.lines().filter(|line| line.contains("etag=")).map(|line| line.contains(own)).collect();
    assert_eq!(tags, [true, false], "{}", ran.stdout);
    let plain = AgentFixture::granted(&format!("{GRANT}\netags = \"plain\"")).server(giving("etag", "\"real\""));
    let ran = plain.run(&[&format!("send PUT https://api.test/v1/x {ASK} b:x h:if-match=\"kept-since-last-week\"")]);
    assert_eq!(ran.seen[0].header("if-match"), "\"kept-since-last-week\"");
    assert!(ran.stdout.contains("etag=\"real\""), "{}", ran.stdout);
}

#[test]
fn a_date_goes_back_where_this_run_has_it_from_there() {
    let date = "Wed, 21 Oct 2015 07:28:00 GMT".replace(' ', "+");
    let get = format!("send GET https://api.test/v1/x {ASK}");
    let ask = |method: &str, date: &str| format!("send {method} https://api.test/v1/x {ASK} h:if-unmodified-since={date}");
    let ran = AgentFixture::granted(GRANT).server(giving("last-modified", "Wed, 21 Oct 2015 07:28:00 GMT")).run(&[
        &ask("PUT", &date),
        &get,
        &ask("PUT", "Wed,+21+Oct+2015+07:28:01+GMT"),
        &ask("PUT", &date),
    ]);

    assert_eq!(ran.stdout.matches("denied by rule `header`").count(), 2, "{}", ran.stdout);
    assert_eq!(ran.seen.iter().map(|seen| seen.method.as_str()).collect::<Vec<_>>(), ["GET", "PUT"]);
}

#[test]
fn what_is_not_asked_of_the_server_is_told() {
    let ran = AgentFixture::granted(GRANT).run(&[&format!("send GET https://api.test/v1/x {ASK} h:range=bytes=0-9")]);

    assert!(ran.seen[0].header("range").is_empty() && ran.stdout.contains("strongroom-dropped=range"), "{}", ran.stdout);
    let forged =
        AgentFixture::granted(GRANT).server(giving("strongroom-denial", "leak")).run(&[&format!("send GET https://api.test/v1/x {ASK}")]);
    assert!(!forged.stdout.contains("strongroom-"), "only the host says such things: {}", forged.stdout);
}

#[test]
fn a_session_that_the_api_gives_goes_back_sealed_with_the_same_credential() {
    for (name, header, place) in [
        ("mcp-session-id", SESSION, "h:mcp-session-id=(GIVEN)"),
        ("x-csrf-token", SESSION, "h:x-csrf-token=(GIVEN)"),
        ("sid", "sid=sess5bQ9zX2kLm7Rt4VwC8; Path=/; HttpOnly", "h:cookie=sid=(GIVEN)"),
    ] {
        let given = if name == "sid" { "set-cookie" } else { name };
        let get = format!("GET https://api.test/v1/x {ASK}");
        let ran = back(
            AgentFixture::granted(GRANT).server(giving(given, header)).value("SESSION", SESSION),
            name,
            &get,
            &[
                &format!("{get} {place}"),
                // Without the credential it is somebody's session.
                &format!("GET https://api.test/v1/x {place}"),
            ],
        );

        assert!(!ran.stdout.contains(SESSION), "{name}: {}", ran.stdout);
        assert_eq!(ran.seen.len(), 2, "{name}: {}", ran.stdout);
        let sent = if name == "sid" { ran.seen[1].header("cookie").to_owned() } else { ran.seen[1].header(name).to_owned() };
        assert!(sent.ends_with(SESSION), "{name}: {sent}");
        assert_eq!(ran.records("denial").len(), 1, "{name}");
    }
}

#[test]
fn a_newer_session_takes_the_place_of_the_older() {
    let count = Mutex::new(0);
    let server = move |_: &Seen| {
        let mut answer = respond(200, "text/plain", "hello\n");
        let mut count = count.lock().unwrap();
        *count += 1;
        answer.headers_mut().insert("mcp-session-id", HeaderValue::from_str(&format!("{SESSION}{count}")).unwrap());
        answer
    };
    let get = format!("GET https://api.test/v1/x {ASK}");
    let ran =
        back(AgentFixture::granted(GRANT).server(server), "mcp-session-id", &get, &[&get, &format!("{get} h:mcp-session-id=(GIVEN)")]);

    assert_eq!(ran.seen.len(), 2, "the first one is over: {}", ran.stdout);
    assert_eq!(ran.records("denial").len(), 1);
}

#[test]
fn a_session_that_the_agent_brought_or_logged_in_for_is_not_the_apis() {
    // An answer to a request without the credential, to a login, and one that says what the agent sent.
    for first in [
        "GET https://api.test/v1/x".to_owned(),
        format!("POST https://api.test/v1/login {ASK} b:user=eve&password=hunter2"),
        format!("POST https://api.test/v1/login {ASK} b:\"grant_type\":\"x\""),
        format!("POST https://api.test/v1/echo {ASK} b:{SESSION}"),
    ] {
        let get = format!("GET https://api.test/v1/x {ASK}");
        let ran = back(
            AgentFixture::granted(GRANT).server(giving("mcp-session-id", SESSION)),
            "mcp-session-id",
            &first,
            &[&format!("{get} h:mcp-session-id=(GIVEN)")],
        );

        assert_eq!(ran.seen.len(), 1, "{first}: {}", ran.stdout);
        assert_eq!(ran.denied(), ["foreign-credential"], "{first}");
    }
}

#[test]
fn a_short_cookie_that_the_agent_has_said_first_is_its_own() {
    let get = format!("GET https://api.test/v1/x {ASK}");
    for (first, value, seen) in [
        ("GET https://api.test/v1/set?sid=%34%38%32913", "482913", 1),
        ("GET https://api.test/v1/set?sid=000000", "482913", 2),
        // What is shorter still stands in any text: it is the agent's where it stood beside its name.
        ("GET https://api.test/v1/set?sid=7a", "7a", 1),
        ("GET https://api.test/v1/set?page=7a", "7a", 2),
    ] {
        let room = AgentFixture::granted(GRANT).server(giving("set-cookie", &format!("sid={value}; Path=/")));
        let ran = back(room, "sid", &format!("{first} {ASK}"), &[&format!("{get} h:cookie=sid=(GIVEN)")]);

        assert_eq!(ran.seen.len(), seen, "{first}: {}", ran.stdout);
    }
}

#[test]
fn cookies_of_what_stands_in_front_go_back_as_they_are() {
    let open = "[[egress]]\nhost = \"other.test\"";
    let bot = "__cf_bm=Zt8kLw2mQ9xx.1700000000-1.0.1.1-abc; path=/; HttpOnly";
    let get = format!("GET https://api.test/v1/x {ASK}");
    let ran = back(
        AgentFixture::granted(GRANT).server(giving("set-cookie", bot)),
        "__cf_bm",
        &get,
        &[&format!("{get} h:cookie=__cf_bm=(GIVEN)")],
    );
    assert_eq!(ran.seen.len(), 2, "{}", ran.stdout);
    assert!(ran.seen[1].header("cookie").starts_with("__cf_bm=Zt8k"));

    let elsewhere = "GET https://other.test/x";
    let ran = back(
        AgentFixture::granted(GRANT).and(open).server(giving("set-cookie", bot)),
        "__cf_bm",
        elsewhere,
        &[
            &format!("{elsewhere} h:cookie=__cf_bm=(GIVEN)"),
            &format!("{get} h:cookie=__cf_bm=(GIVEN)"),
            &format!("{elsewhere} h:cookie=__cf_bm=forged"),
        ],
    );
    assert_eq!(ran.seen.len(), 2, "to its own origin, and as it came: {}", ran.stdout);

    let session = "sid=sess5bQ9zX2kLm7Rt4VwC8; path=/";
    let ran = back(
        AgentFixture::granted(GRANT).and(open).server(giving("set-cookie", session)),
        "sid",
        elsewhere,
        &[&format!("{elsewhere} h:cookie=sid=(GIVEN)")],
    );
    assert_eq!(ran.denied(), ["foreign-credential"], "a session of a host without a grant wants a line: {}", ran.stdout);
}

#[test]
fn a_short_cookie_goes_back_as_it_is_beside_a_sealed_one() {
    let server = |_: &Seen| {
        let mut answer = respond(200, "text/plain", "hello\n");
        answer.headers_mut().append("set-cookie", HeaderValue::from_static("lang=en; Path=/"));
        answer.headers_mut().append("set-cookie", HeaderValue::from_static("sid=sess5bQ9zX2kLm7Rt4VwC8; Path=/"));
        answer
    };
    let get = format!("GET https://api.test/v1/x {ASK}");
    let ran = back(
        AgentFixture::granted(GRANT).server(server),
        "sid",
        &get,
        &[&format!("{get} h:cookie=lang=en;+sid=(GIVEN)"), &format!("{get} h:cookie=lang=de")],
    );

    assert_eq!(ran.seen.len(), 2, "{}", ran.stdout);
    assert_eq!(ran.seen[1].header("cookie"), format!("lang=en; sid={SESSION}"));
}

const SIGNATURE: &str = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAQ3EGRT6NTZ4LM2PK%2F20260101%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Signature=5b9zX2kLm7Rt4Vw1a0e8d6c4b2f0a9b8c7d6e5f4a3b2c1d0e9f8a7b6c5d4e3f2";

/// A server that hands out a signed URL, in its body or as a redirect, and takes it.
fn signing(seen: &Seen) -> Response {
    let url = format!("https://other.test/files/report.pdf?{SIGNATURE}");
    match seen.target.as_str() {
        "/v1/link" => respond(200, "application/json", format!("{{\"name\":\"report\",\"url\":\"{url}\"}}")),
        "/v1/follow" => {
            let mut answer = respond(302, "text/plain", "");
            answer.headers_mut().insert("location", HeaderValue::from_str(&url).unwrap());
            answer
        }
        _ => respond(200, "text/plain", "the file\n"),
    }
}

#[test]
fn a_signed_url_is_the_agents_to_use_and_not_to_read() {
    let grant = format!("{GRANT}\nsigned_urls = [\"json:/url\", \"location\"]");
    let open = "[[egress]]\nhost = \"other.test\"\npaths = [\"/files/**\"]";
    for from in ["link", "follow"] {
        // What the agent prints is searched once more: its memory tells whether it had the query.
        // The names in it are known to every program that signs for AWS.
        let secret = SIGNATURE.rsplit('=').next().unwrap();
        let room = AgentFixture::granted(&grant).and(open).server(signing).value("SIGNED", secret);
        let ran = room.run(&[&format!("send GET https://api.test/v1/{from} {ASK}")]);
        assert!(
            !ran.stdout.contains("5b9zX2kLm7") && ran.stdout.contains("https://other.test/files/report.pdf?sr_"),
            "{from}: {}",
            ran.stdout
        );
    }
    // As the whole query, at its own path, with nothing beside it.
    let link = format!("GET https://api.test/v1/link {ASK}");
    let room = || AgentFixture::granted(&grant).and(open).server(signing);
    let login = |then: &str| room().run(&[&format!("login report.pdf? {link} -- {then}")]);
    let used = login("GET https://other.test/files/report.pdf?(SEALED)");
    assert_eq!(used.seen[1].target, format!("/files/report.pdf?{SIGNATURE}"), "{}", used.stdout);
    for wrong in [
        "GET https://other.test/files/other.pdf?(SEALED)",
        "GET https://other.test/files/report.pdf?(SEALED)&x=1",
        "GET https://other.test/files/report.pdf?x=1;(SEALED)",
        "GET https://api.test/v1/report.pdf?(SEALED)",
    ] {
        let ran = login(wrong);
        assert!(ran.seen.len() == 1 && ran.denied().len() == 1, "{wrong}: {:?}", ran.seen);
    }
}

#[test]
fn a_signed_url_opens_no_host_and_is_plain_where_the_agent_may_have_credentials() {
    let grant = format!("{GRANT}\nsigned_urls = [\"json:/url\"]");
    let link = format!("send GET https://api.test/v1/link {ASK}");
    let closed = AgentFixture::granted(&grant).server(signing).run(&[&link]);
    assert!(!closed.stdout.contains("report.pdf?sr_") && !closed.stdout.contains("AKIAQ3EGRT6NTZ4LM2PK"), "{}", closed.stdout);

    let own = "[[egress]]\nhost = \"other.test\"\nown_credentials = true";
    let link = format!("GET https://api.test/v1/link {ASK}");
    let plain = AgentFixture::granted(&grant)
        .and(own)
        .server(signing)
        .run(&[&format!("login url\":\"https://other.test/files/ {link} -- GET https://other.test/x")]);
    assert_eq!(plain.seen.len(), 2, "{}", plain.stdout);
}

#[test]
fn a_rule_passes_in_the_fields_of_answers_that_the_manifest_names_and_nowhere_else() {
    // The example of RFC 7519.
    let token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    let other = token.replace("dBjft", "eCkgu");
    let body = format!("{{\"signedTransactions\":[\"{token}\"],\"session\":\"{other}\"}}");
    let lengths = |grant: &str| {
        let body = body.clone();
        let ran = AgentFixture::granted(grant)
            .server(move |_| respond(200, "application/json", body.clone()))
            .run(&[&format!("download GET https://api.test/v1/x {ASK}")]);
        ran.stdout.trim().trim_start_matches("download ").parse::<usize>().unwrap()
    };
    let allowed = lengths(&format!("{GRANT}\nanswers_allowed = [{{ rule = \"json-web-token\", at = \"json:/signedTransactions/*\" }}]"));
    let none = lengths(GRANT);

    assert_eq!(allowed - none, token.len() - "[redacted:json-web-token]".len(), "the one and not the other");
    for wrong in [
        "seal = [\"json:/session\"]\nanswers_allowed = [{ rule = \"json-web-token\", at = \"json:/x\" }]",
        "answers_allowed = [{ rule = \"none-such\", at = \"json:/x\" }]",
    ] {
        assert!(AgentFixture::granted(&format!("{GRANT}\n{wrong}")).try_run(&["env"]).is_err(), "{wrong}");
    }
}
