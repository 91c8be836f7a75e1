//! What an API hands out as a secret of its own: the agent uses it, bound to where it came from, and never has it.

use strongroom_demo::server::{Seen, respond};
use strongroom_tests::Room;

const SESSION: &str = "sess-5bQ9zX2kLm7Rt4Vw";

fn room() -> Room {
    let grant = "host = \"api.test\"\nmethods = [\"GET\", \"POST\"]\npaths = [\"/v1/**\"]\nplace = [\"header:authorization\", \"header:x-session\"]\nseal = [\"set-cookie\", \"json:/token\"]";
    Room::granted(grant).and("[[egress]]\nhost = \"other.test\"\nmethods = [\"GET\", \"POST\"]").server(|seen: &Seen| match seen.path() {
        "/v1/login" => {
            let mut answer = respond(200, "application/json", format!("{{\"token\":\"{SESSION}\",\"ok\":true}}"));
            answer.headers_mut().append("set-cookie", format!("sid={SESSION}; Secure; Path=/").parse().unwrap());
            answer
        }
        _ => respond(200, "text/plain", format!("you sent {:?}", seen.headers)),
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
fn a_sealed_field_stands_where_the_secret_may() {
    let ran = room().run(&[&format!("login token\":\" {LOGIN} -- GET https://api.test/v1/me h:x-session=(SEALED)")]);
    assert_eq!(ran.seen[1].header("x-session"), SESSION, "{}", ran.stdout);
    assert!(!ran.stdout.contains(SESSION), "{}", ran.stdout);

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
    let ran = Room::granted(grant)
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
    let ran = Room::granted(grant)
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
