//! What leaves as APIs expect it: lengths, bodies where they belong, paths with encoded slashes.

use strongroom_demo::server::{Seen, respond};
use strongroom_tests::{AgentFixture, VALUE};

const METHODS: &str = "host = \"api.test\"\nmethods = [\"GET\", \"HEAD\", \"POST\", \"PUT\", \"PATCH\", \"DELETE\"]\npaths = [\"/v1/**\"]";
const ASK: &str = "h:authorization=Bearer+{KEY}";
/// Shaped like a key of AWS, and found as one.
const LEAK: &str = "AKIAQ3EGRT6NTZ4LM2PK";

fn framing(seen: &Seen) -> (&str, &str) {
    (seen.header("content-length"), seen.header("transfer-encoding"))
}

#[test]
fn a_request_without_a_body_says_so_where_one_is_expected() {
    for (method, length) in [("POST", "0"), ("PUT", "0"), ("PATCH", "0"), ("GET", ""), ("DELETE", "")] {
        // HTTP/2 says it by itself.
        let room = AgentFixture::granted(&METHODS.replace("api.test", "http://api.test")).plain_http();
        let ran = room.run(&[&format!("send {method} http://api.test/v1/x {ASK}")]);

        assert_eq!(framing(&ran.seen[0]), (length, ""), "{method}");
    }
}

#[test]
fn a_length_that_the_agent_knows_arrives_and_a_short_body_always_has_one() {
    let operations = [
        format!("send PUT http://api.test/v1/x {ASK} b:hello"),
        format!("upload 200000 PUT http://api.test/v1/x {ASK}"),
        format!("unsized hello PUT http://api.test/v1/x {ASK}"),
        format!("unsized x*200000 PUT http://api.test/v1/x {ASK}"),
    ];
    let ran =
        AgentFixture::granted(&METHODS.replace("api.test", "http://api.test")).plain_http().run(&operations.each_ref().map(String::as_str));

    let framed: Vec<_> = ran.seen.iter().map(framing).collect();
    assert_eq!(framed, [("5", ""), ("200000", ""), ("5", ""), ("", "chunked")]);
    let lengths: Vec<usize> = ran.seen.iter().map(|seen| seen.body.len()).collect();
    assert_eq!(lengths, [5, 200_000, 5, 200_000]);
}

#[test]
fn a_body_that_is_not_as_long_as_was_said_is_not_sent() {
    for (said, body) in [("10", "short"), ("2", "longer")] {
        let ran = AgentFixture::granted(METHODS).run(&[&format!("send PUT https://api.test/v1/x {ASK} h:content-length={said} b:{body}")]);

        assert!(ran.seen.is_empty() && !ran.stdout.contains("send 200"), "{said} {body}: {}", ran.stdout);
    }
}

#[test]
fn what_is_taken_out_of_a_short_body_changes_its_length_with_it() {
    let ran = AgentFixture::granted(METHODS).run(&[&format!("send PUT https://api.test/v1/x {ASK} b:k:({LEAK})end")]);

    assert!(ran.seen[0].text().ends_with("k:([redacted:aws-access-key-id])end"), "{}", ran.seen[0].text());
    assert_eq!(framing(&ran.seen[0]), (ran.seen[0].body.len().to_string().as_str(), ""));
}

#[test]
fn what_would_have_to_be_taken_out_of_a_long_body_of_a_said_length_ends_it() {
    let long = format!("{}({LEAK}){}", "x ".repeat(50_000), "y ".repeat(50_000));
    let said = format!("send PUT https://api.test/v1/x {ASK} b:{}", long.replace(' ', "_"));
    let flowing = format!("unsized {} PUT https://api.test/v1/x {ASK}", long.replace(' ', "_"));
    let ran = AgentFixture::granted(METHODS).run(&[&said, &flowing]);

    assert_eq!(ran.denied(), ["leak"], "{}", ran.stdout.chars().take(400).collect::<String>());
    assert!(ran.seen.iter().all(|seen| !seen.text().contains(LEAK)));
    assert!(ran.seen.last().unwrap().text().contains("[redacted:"), "in chunks it can be taken out");
}

#[test]
fn a_body_where_none_belongs_is_denied_unless_the_manifest_says_otherwise() {
    let ask = |method: &str| format!("send {method} https://api.test/v1/x {ASK} b:query");
    for method in ["GET", "HEAD"] {
        let ran = AgentFixture::granted(METHODS).run(&[&ask(method)]);
        assert_eq!((ran.denied(), ran.seen.len()), (vec!["body"], 0), "{method}: {}", ran.stdout);
        assert!(ran.records("denial")[0]["remedy"].as_str().unwrap().contains("get_body = true"), "{:?}", ran.audit);
    }
    let plain = METHODS.replace("api.test", "http://api.test");
    let ran = AgentFixture::granted(&format!("{plain}\nget_body = true"))
        .plain_http()
        .run(&[&ask("GET").replace("https", "http"), &format!("send GET http://api.test/v1/y {ASK}")]);
    assert_eq!(ran.seen[0].body, "query");
    assert_ne!(ran.seen[0].connection, ran.seen[1].connection, "a server that ignores the body would read it as the next request");
}

#[test]
fn an_encoded_slash_is_a_character_of_its_segment() {
    let at = |paths: &str, more: &str, target: &str| {
        let ran = AgentFixture::granted(&format!("host = \"api.test\"\npaths = [{paths}]\n{more}"))
            .run(&[&format!("send GET https://api.test{target} {ASK}")]);
        ran.seen
            .first()
            .map(|seen| seen.target.clone())
            .ok_or_else(|| ran.denied().first().map(|rule| (*rule).to_owned()).unwrap_or_default())
    };

    let sent = "/repos/o/r/contents/src%2Flib.rs?ref=it's;x=100%25";
    assert_eq!(at("\"/repos/*/*/contents/*\"", "", sent), Ok(sent.to_owned()));
    assert_eq!(at("\"/repos/o/r/contents/src/lib.rs\"", "", sent), Err("path".to_owned()));
    assert_eq!(at("\"/repos/o/r/contents/src/lib.rs\"", "encoded_slashes = true", sent), Ok(sent.to_owned()));
    assert_eq!(at("\"/**\"", "", "/v4/projects/group%2Fname/issues"), Ok("/v4/projects/group%2Fname/issues".to_owned()));
    for target in ["/a/..%2F..%2Fadmin", "/a%2F%2Fb", "/a%2f.%2fb", "/a%2F;b", "/a%252Fb", "/a%5Cb"] {
        assert_eq!(at("\"/**\"", "encoded_slashes = true", target), Err("url".to_owned()), "{target}");
    }
}

#[test]
fn what_protects_a_path_protects_it_in_either_reading() {
    let manifest = "[secrets.KEY]\nplaceholder = \"pf_live_{hex:32}\"\nexpose = \"env\"\n\
        [[secrets.KEY.allow]]\nhost = \"api.test\"\npaths = [\"/**\"]\n\
        [[secrets.KEY.allow]]\nhost = \"api.test\"\npaths = [\"/auth/token\"]\nseal = [\"json:/token\"]\nrate = \"1/h\"";
    let ask = format!("send GET https://api.test/auth%2Ftoken {ASK}");
    let ran = AgentFixture::with(manifest)
        .server(|_| respond(200, "application/json", r#"{"token":"sess-5bQ9zX2kLm7Rt4Vw"}"#))
        .run(&[&ask, &ask]);

    assert!(!ran.stdout.contains("sess-5bQ9"), "{}", ran.stdout);
    assert_eq!(ran.denied(), ["rate"]);
    assert_eq!(ran.seen.len(), 1);
    assert!(!format!("{:?}", ran.audit).contains(VALUE));
}

#[test]
fn a_denial_is_an_answer_or_an_error_as_the_manifest_says() {
    let ask = "at-once 2 api.test /forbidden";
    let answered = AgentFixture::new().run(&[ask]);
    assert_eq!(answered.stdout.trim(), r#"at-once {"403": 2}"#);

    let room = AgentFixture::with(
        "denials = \"error\"\n[secrets.KEY]\nexpose = \"env\"\n[[secrets.KEY.allow]]\nhost = \"api.test\"\npaths = [\"/v1/**\"]",
    );
    let failed = room.run(&[ask]);
    assert!(failed.stdout.contains("InternalError") && failed.stdout.contains("denied by rule `path`"), "{}", failed.stdout);
    for ran in [answered, failed] {
        assert!(ran.seen.is_empty() && ran.denied() == ["path"], "{:?}", ran.audit);
    }
}
