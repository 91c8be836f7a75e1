//! What an API hands out as a secret of its own: the agent uses it, bound to where it came from, and never has it.

use strongroom_demo::server::{Response, Seen, respond};
use strongroom_tests::AgentFixture;

const SESSION: &str = "sess-5bQ9zX2kLm7Rt4Vw";

fn room() -> AgentFixture {
    let grant = "host = \"api.test\"\nmethods = [\"GET\", \"POST\"]\npaths = [\"/v1/**\"]\nsealed_place = [\"header:x-session\"]\nseal = [\"set-cookie\"]";
    let login = "[[secrets.KEY.allow]]\nhost = \"api.test\"\nmethods = [\"POST\"]\npaths = [\"/v1/login\"]\nseal = [\"json:/token\"]";
    AgentFixture::granted(grant).and(login).and("[[egress]]\nhost = \"other.test\"\nmethods = [\"GET\", \"POST\"]").server(|seen: &Seen| {
        match seen.path() {
            "/v1/login" => {
                let mut answer = respond(200, "application/json", format!("{{\"token\":\"{SESSION}\",\"ok\":true}}"));
                answer.headers_mut().append("set-cookie", format!("sid={SESSION}; Secure; Path=/").parse().unwrap());
                answer
            }
            _ => respond(200, "text/plain", format!("you sent {:?}", seen.headers)),
        }
    })
}

const LOGIN: &str = "POST https://api.test/v1/login h:authorization=Bearer+{KEY}";

#[test]
fn a_sealed_cookie_goes_back_where_it_came_from() {
    let ran = room().run(&[&format!("login sid= {LOGIN} -- GET https://api.test/v1/me h:cookie=sid=(SEALED)")]);

    assert_eq!(ran.seen[1].header("cookie"), format!("sid={SESSION}"), "{}", ran.stdout);
    assert!(!ran.stdout.contains(SESSION) && ran.stdout.contains("login sr_"), "an echo of it is scrubbed: {}", ran.stdout);
    assert_eq!(ran.records("egress")[1]["secrets"][0]["place"], "cookie:sid", "{:?}", ran.audit);
}

#[test]
fn a_sealed_field_stands_where_the_grant_says_so() {
    let ran = room().run(&[&format!("login token\":\" {LOGIN} -- GET https://api.test/v1/me h:x-session=(SEALED)")]);
    assert_eq!(ran.seen[1].header("x-session"), SESSION, "{}", ran.stdout);
    assert!(!ran.stdout.contains(SESSION), "{}", ran.stdout);

    let key = room().run(&[&format!("login token\":\" {LOGIN} -- GET https://api.test/v1/me h:authorization=Bearer+(SEALED)")]);
    assert_eq!(key.denied(), ["misplaced-placeholder"], "not in the secret's own place: {}", key.stdout);
    let remedy = key.records("denial")[0]["remedy"].as_str().unwrap();
    assert!(remedy.contains("sealed_place = [\"header:authorization\"]"), "{remedy}");

    let cookie = room().run(&[&format!("login sid= {LOGIN} -- GET https://api.test/v1/me h:x-session=(SEALED)")]);
    assert_eq!(cookie.seen.len(), 1, "a cookie's placeholder is good for that cookie alone: {}", cookie.stdout);
    assert_eq!(cookie.denied(), ["misplaced-placeholder"]);
}

#[test]
fn a_sealed_value_goes_nowhere_else() {
    for (request, rule) in [
        ("GET https://other.test/ h:cookie=sid=(SEALED)", "misplaced-placeholder"),
        ("GET https://api.test/v1/me h:cookie=other=(SEALED)", "misplaced-placeholder"),
        ("GET https://api.test/v1/me h:cookie=sid=(SEALED);x=theirs", "misplaced-placeholder"),
        ("GET https://api.test/v1/me?s=(SEALED)", "misplaced-placeholder"),
        ("GET https://api.test/v1/me h:cookie=sid=theirs", "foreign-credential"),
    ] {
        let ran = room().run(&[&format!("login sid= {LOGIN} -- {request}")]);

        assert_eq!(ran.denied(), [rule], "{request}: {}", ran.stdout);
        assert_eq!(ran.seen.len(), 1, "{request}");
    }
}

#[test]
fn what_is_sealed_in_a_header_is_taken_out_of_the_same_answer() {
    let grant = "host = \"api.test\"\nmethods = [\"GET\", \"POST\"]\npaths = [\"/v1/**\"]\nseal = [\"set-cookie\"]";
    let ran = AgentFixture::granted(grant)
        .server(|_| {
            let mut answer = respond(200, "text/plain", format!("your session is {SESSION}"));
            // Two cookies in one line, as older servers fold them, and a value with a semicolon in it.
            answer.headers_mut().append("set-cookie", format!("a={SESSION}; Path=/, sid={SESSION}; Path=/").parse().unwrap());
            answer.headers_mut().append("set-cookie", format!("b=\"x;{SESSION}\"; Path=/").parse().unwrap());
            answer.headers_mut().append("set-cookie", format!("a=; Path=/, sid={SESSION}").parse().unwrap());
            answer
        })
        .run(&[&format!("send {LOGIN}"), "relay log GET https://api.test/v1/x"]);

    for said in [&ran.stdout, &ran.log] {
        assert!(!said.contains(SESSION) && said.contains("your session is sr_"), "{said}");
    }
}

#[test]
fn a_common_word_that_is_sealed_stays_readable_elsewhere() {
    let grant = "host = \"api.test\"\nmethods = [\"GET\", \"POST\"]\npaths = [\"/v1/**\"]\nseal = [\"set-cookie\"]";
    let ran = AgentFixture::granted(grant)
        .and("[[egress]]\nhost = \"other.test\"\nmethods = [\"GET\", \"POST\"]")
        .server(|seen: &Seen| {
            let mut answer = respond(200, "text/plain", format!("{{\"status\":\"accepted\",\"region\":\"us-east-1\"}} {}", seen.target));
            answer.headers_mut().append("set-cookie", "consent=accepted".parse().unwrap());
            answer.headers_mut().append("set-cookie", "region=us-east-1".parse().unwrap());
            answer
        })
        .run(&[&format!("send {LOGIN}"), &format!("send {LOGIN}"), "send GET https://other.test/us-east-1/accepted"]);

    assert_eq!(ran.seen.len(), 3, "{}", ran.stdout);
    assert!(ran.stdout.contains("\"status\":\"accepted\",\"region\":\"us-east-1\""), "{}", ran.stdout);
    assert_eq!(ran.stdout.matches("consent=sr_").count(), 2, "{}", ran.stdout);
}

/// A room whose answers below `/v1/tokens` are sealed at `json:/tokens/*/value`, and what a server answers there.
fn tokens(answer: impl Fn(&Seen) -> Response + Send + Sync + 'static) -> AgentFixture {
    let grant = "host = \"api.test\"\nmethods = [\"GET\", \"POST\"]\npaths = [\"/v1/**\"]\nseal = [\"json:/tokens/*/value\"]\nsealed_place = [\"header:x-token\"]";
    AgentFixture::granted(grant).server(answer)
}

/// The same, with the session looked for in the guest's memory, too: what it prints is searched once more.
fn unseen(answer: impl Fn(&Seen) -> Response + Send + Sync + 'static) -> AgentFixture {
    tokens(answer).value("SESSION", SESSION)
}

#[test]
fn a_successful_answer_without_its_sealed_field_is_withheld() {
    const ASK: &str = "send GET https://api.test/v1/tokens h:authorization=Bearer+{KEY} h:accept=text/html";
    let utf16: &'static [u8] =
        Box::leak(format!("{{\"tokens\":[{{\"value\":\"{SESSION}\"}}]}}").bytes().flat_map(|byte| [0, byte]).collect::<Vec<u8>>().into());
    let elsewhere = format!("{{\"data\":{{\"tokens\":[{{\"value\":\"{SESSION}\"}}]}}}}");
    let half = format!("{{\"tokens\":[{{\"value\":\"x-{SESSION}\"}},{{\"secret\":\"{SESSION}\"}}]}}");
    let long = format!("{{\"tokens\":[{{\"value\":\"{SESSION}\"}}],\"pad\":\"{}\"}}", "x".repeat(2 << 20));
    for (what, body) in [
        ("not JSON in UTF-8", utf16.to_vec()),
        ("not JSON in UTF-8", format!("access_token={SESSION}&scope=x").into_bytes()),
        ("not JSON in UTF-8", format!("<token>{SESSION}</token>").into_bytes()),
        ("not JSON in UTF-8", format!("data: {{\"token\":\"{SESSION}\"}}\n\n").into_bytes()),
        ("is missing, or is not a string", elsewhere.into_bytes()),
        ("is missing, or is not a string", half.into_bytes()),
        ("is missing, or is not a string", b"{\"tokens\":[{\"value\":1234567890123456}]}".to_vec()),
        ("longer than 1 MiB", long.into_bytes()),
    ] {
        let ran = unseen(move |_| {
            let mut answer = respond(200, "application/json", body.clone());
            answer.headers_mut().insert("x-session", SESSION.parse().unwrap());
            answer
        })
        .run(&[ASK]);

        assert!(ran.stdout.contains("withheld") && ran.stdout.contains(what), "{what}: {}", ran.stdout);
        assert!(!ran.stdout.contains(SESSION), "{}", ran.stdout);
        assert!(ran.records("answer")[0]["error"].as_str().unwrap().contains(what), "{:?}", ran.audit);
        assert_eq!(ran.seen[0].header("accept"), "application/json", "asked for what can be sealed");
    }
}

#[test]
fn every_element_of_a_list_is_sealed_and_the_head_waits_for_it() {
    let ran = unseen(|_| {
        let body = format!("{{\"n\": 1.0, \"tokens\":[{{\"value\":\"{SESSION}\"}},{{\"value\":\"tok-{SESSION}\"}},{{\"value\":null}}]}}");
        let mut answer = respond(201, "application/json", body);
        answer.headers_mut().insert("x-note", format!("for {SESSION}").parse().unwrap());
        answer
    })
    .run(&["send GET https://api.test/v1/tokens h:authorization=Bearer+{KEY}"]);

    assert!(ran.stdout.starts_with("send 201") && ran.stdout.contains("{\"n\": 1.0, "), "the rest is as it was: {}", ran.stdout);
    assert_eq!(ran.stdout.matches("\"value\":\"sr_").count(), 2, "{}", ran.stdout);
    assert!(!ran.stdout.contains(SESSION) && ran.stdout.contains("x-note=for sr_"), "{}", ran.stdout);
    assert_eq!(ran.records("sealed").len(), 2);
}

#[test]
fn an_error_need_not_have_the_field_and_an_answer_without_a_body_has_none() {
    for (status, body) in [(404, "no such list"), (500, "{\"error\":\"down\"}"), (204, "")] {
        let ran =
            tokens(move |_| respond(status, "text/plain", body)).run(&["send GET https://api.test/v1/tokens h:authorization=Bearer+{KEY}"]);
        assert!(ran.stdout.starts_with(&format!("send {status}")) && ran.stdout.contains(body), "{}", ran.stdout);
    }
}

/// An agent has the API say what it said itself, and would have a credential of its own choice.
#[test]
fn what_the_run_itself_has_sent_is_not_sealed() {
    const THEIRS: &str = "theirs-5bQ9zX2kLm7Rt4Vw";
    let coded: String = THEIRS.bytes().map(|byte| format!("%{byte:02X}")).collect();
    for request in [
        format!("POST https://api.test/v1/echo h:authorization=Bearer+{{KEY}} b:{THEIRS}"),
        format!("GET https://api.test/v1/echo?t={coded} h:authorization=Bearer+{{KEY}}"),
        format!("GET https://api.test/v1/echo h:authorization=Bearer+{{KEY}} h:x-name={THEIRS}"),
    ] {
        let ran = tokens(|_| respond(200, "application/json", format!("{{\"tokens\":[{{\"value\":\"{THEIRS}\"}}]}}")))
            .run(&[&format!("login value\":\" {request} -- GET https://api.test/v1/me h:x-token=(SEALED)"), &format!("send {request}")]);

        assert!(ran.stdout.contains("[sealed:KEY]"), "{}", ran.stdout);
        assert!(ran.seen.iter().all(|seen| seen.header("x-token") != THEIRS), "{:?}", ran.seen);
    }
}

#[test]
fn equal_values_have_placeholders_of_their_own() {
    let ran =
        tokens(|_| respond(200, "application/json", format!("{{\"tokens\":[{{\"value\":\"{SESSION}\"}},{{\"value\":\"{SESSION}\"}}]}}")))
            .run(&["send GET https://api.test/v1/tokens", "send GET https://api.test/v1/tokens"]);

    let minted: std::collections::BTreeSet<&str> =
        ran.stdout.split("\"value\":\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert_eq!(minted.len(), 4, "{}", ran.stdout);
}

/// What may be used is what is searched for: in the answer to a request that carries it, whatever its length.
#[test]
fn what_a_request_carries_is_searched_for_in_its_answer() {
    let long: String = (0..1000u64).map(|at| format!("{:x}Z", at * 2_654_435_761)).collect();
    for value in ["kx7Qz2mP", "w8Rt4VbXk", long.as_str()] {
        let value: &'static str = Box::leak(value.to_owned().into_boxed_str());
        let grant = "host = \"api.test\"\nmethods = [\"GET\", \"POST\"]\npaths = [\"/v1/**\"]\nseal = [\"set-cookie\"]";
        let ran = AgentFixture::granted(grant)
            .server(move |seen| match seen.path() {
                "/v1/login" => {
                    let mut answer = respond(200, "text/plain", "hello.");
                    answer.headers_mut().append("set-cookie", format!("sid={value}").parse().unwrap());
                    answer
                }
                _ => {
                    let hex: String = value.bytes().map(|byte| format!("{byte:02x}")).collect();
                    respond(200, "text/plain", format!("<{value}> <{hex}> {:?}", seen.header("cookie") == format!("sid={value}")))
                }
            })
            .run(&[&format!("login sid= {LOGIN} -- GET https://api.test/v1/me h:cookie=sid=(SEALED)")]);

        assert!(ran.stdout.contains("<sr_") && ran.stdout.contains("<[sealed]> true"), "{}: {}", value.len(), ran.stdout);
        assert!(!ran.stdout.contains(value));
    }
}

#[test]
fn what_is_too_short_to_be_told_is_withheld_without_a_placeholder() {
    let grant = "host = \"api.test\"\nmethods = [\"GET\", \"POST\"]\npaths = [\"/v1/**\"]\nseal = [\"set-cookie\", \"header:x-pin\"]";
    let ran = AgentFixture::granted(grant)
        .server(|_| {
            let mut answer = respond(200, "text/plain", "hello.");
            for cookie in ["pin=493817", "digits=49381726", "sid=kx7Qz2mP", "gone="] {
                answer.headers_mut().append("set-cookie", cookie.parse().unwrap());
            }
            answer.headers_mut().insert("x-pin", "493817".parse().unwrap());
            answer
        })
        .run(&[&format!("send {LOGIN}")]);

    for (never, what) in [("493817", "the pin"), ("set-cookie=pin", "a mark that would be sent back"), ("digits=", "26 bits")] {
        assert!(!ran.stdout.contains(never), "{what}: {}", ran.stdout);
    }
    assert!(ran.stdout.contains("sid=sr_") && ran.stdout.contains("gone=;") && ran.stdout.contains("x-pin=[sealed:KEY]"), "{}", ran.stdout);
}

/// The oldest makes room: its placeholder is good for nothing then, and so is no way around the search.
#[test]
fn a_placeholder_that_made_room_is_worth_nothing() {
    let ran = tokens(|seen| match seen.path() {
        "/v1/many" => {
            let each: Vec<String> = (0..64).map(|at| format!("{{\"value\":\"tok-{at:04}-Lm7Rt4VwQz\"}}")).collect();
            respond(200, "application/json", format!("{{\"tokens\":[{}]}}", each.join(",")))
        }
        "/v1/login" => respond(200, "application/json", format!("{{\"tokens\":[{{\"value\":\"{SESSION}\"}}]}}")),
        _ => respond(404, "text/plain", "nothing here."),
    });
    // The first login's placeholder is printed; `(SEALED)` is the second's, which is followed by 64 others.
    let ran = ran.run(&[
        "login-then value\":\" POST https://api.test/v1/login -- GET https://api.test/v1/many -- GET https://api.test/v1/me h:x-token=(SEALED)",
    ]);

    assert_eq!(ran.denied(), ["foreign-credential"], "{}", ran.stdout);
    assert_eq!(ran.seen.len(), 2, "it did not leave");
}
