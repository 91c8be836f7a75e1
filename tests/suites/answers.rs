//! What comes back: rows 7 and 8 of the threat model.

use strongroom_demo::server::respond;
use strongroom_tests::echo::{self, CODINGS, FORMS};
use strongroom_tests::{AgentFixture, VALUE};

const ASK: &str = "h:authorization=Bearer+{KEY}";

#[test]
fn no_form_of_an_echo_gets_through_and_the_answer_stays_readable() {
    let operations: Vec<String> = FORMS.iter().map(|form| format!("send GET https://api.test/v1/echo/{form} {ASK}")).collect();
    let operations: Vec<&str> = operations.iter().map(String::as_str).collect();

    let ran = AgentFixture::new().run(&operations);

    for (form, line) in FORMS.iter().zip(ran.stdout.lines()) {
        assert!(line.contains("<<") && line.contains(">>"), "{form}: {line}");
        assert!(line.contains("[redacted:KEY]") || line.contains("pf_live_"), "{form}: {line}");
    }
    assert_eq!(ran.records("answer").iter().filter(|answer| answer["redacted"].as_u64() >= Some(1)).count(), FORMS.len());
}

#[test]
fn no_chunking_or_content_coding_of_an_echo_gets_through() {
    let mut operations = Vec::new();
    for coding in CODINGS {
        for chunk in [1, 7, 4096] {
            for form in ["raw", "base64-1", "json-part"] {
                operations.push(format!("send GET https://api.test/v1/echo/{form}?coding={coding}&chunk={chunk} {ASK}"));
            }
        }
    }
    let operations: Vec<&str> = operations.iter().map(String::as_str).collect();

    let ran = AgentFixture::new().run(&operations);

    for (operation, line) in operations.iter().zip(ran.stdout.lines()) {
        assert!(line.starts_with("send 200 ") && line.contains("<<") && line.contains(">>"), "{operation}: {line}");
        assert!(!line.contains("content-encoding"), "{operation}: {line}");
    }
    assert_eq!(ran.stdout.lines().count(), operations.len());
}

#[test]
fn an_echo_in_a_header_a_cookie_a_trailer_or_a_name_is_taken_out() {
    let ran = AgentFixture::new().run(&[
        &format!("send GET https://api.test/v1/echo/raw?in=header {ASK}"),
        &format!("send GET https://api.test/v1/echo/base64?in=cookie {ASK}"),
        &format!("send GET https://api.test/v1/echo/raw?in=name {ASK}"),
        "trailers api.test /v1/echo/raw?in=trailer",
    ]);

    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert!(lines[0].contains("x-echo=<<pf_live_"), "{}", lines[0]);
    assert!(lines[1].contains("set-cookie=key=<<[redacted:KEY]"), "{}", lines[1]);
    assert!(lines[2].contains("see the header's name"), "{}", lines[2]);
    assert!(lines[3].contains("trailers x-echo=<<pf_live_"), "{}", lines[3]);
}

#[test]
fn an_echo_in_an_error_is_taken_out_like_any_other() {
    for status in [400, 401, 404, 500, 503] {
        let ran = AgentFixture::new().run(&[&format!("send GET https://api.test/v1/echo/raw?status={status} {ASK}")]);
        assert!(ran.stdout.contains(&format!("send {status} ")) && ran.stdout.contains("<<pf_live_"), "{}", ran.stdout);
    }
}

#[test]
fn what_no_longer_fits_an_edited_answer_is_dropped() {
    let ran = AgentFixture::new()
        .run(&[&format!("send GET https://api.test/v1/echo/raw {ASK}"), &format!("send POST https://api.test/v1/echo/raw {ASK}")]);

    // The entity tag is made up.
    for gone in ["content-length", "tag-of-the-original", "content-encoding"] {
        assert!(!ran.stdout.contains(gone), "{gone}: {}", ran.stdout);
    }
}

#[test]
fn a_coding_that_the_host_cant_decode_is_refused() {
    // Known codings over each other are undone: one that is not known among them is refused.
    for coding in ["compress", "x-rot13", "gzip, x-rot13"] {
        let ran = AgentFixture::new()
            .server(move |seen| {
                let mut answer = respond(200, "text/plain", seen.header("authorization").to_owned());
                answer.headers_mut().insert("content-encoding", http::HeaderValue::from_str(coding).unwrap());
                answer
            })
            .run(&[&format!("send GET https://api.test/v1/x {ASK}")]);
        assert!(ran.stdout.contains("a content coding that the host can't decode"), "{coding}: {}", ran.stdout);
    }
}

#[test]
fn a_body_that_does_not_follow_its_coding_is_an_error() {
    for coding in ["gzip", "br", "zstd", "deflate"] {
        let ran = AgentFixture::new()
            .server(move |seen| {
                let mut body = echo::coded(format!("{} {}", seen.header("authorization"), "x".repeat(5000)).as_bytes(), coding);
                body.truncate(body.len() / 2);
                let mut answer = respond(200, "text/plain", body);
                answer.headers_mut().insert("content-encoding", http::HeaderValue::from_static(coding));
                answer
            })
            .run(&[&format!("send GET https://api.test/v1/x {ASK}")]);
        assert!(ran.stdout.contains("does not follow its content coding"), "{coding}: {}", ran.stdout);
    }
}

#[test]
fn the_beginning_of_a_value_at_the_end_of_an_answer_is_taken_out() {
    for (length, gone) in [(39, true), (30, true), (26, true), (8, false)] {
        let ran = AgentFixture::new()
            .server(move |_| respond(200, "text/plain", format!("cut: {}", &VALUE[..length])))
            .run(&[&format!("send GET https://api.test/v1/x {ASK}")]);
        assert_eq!(ran.stdout.contains("cut: [redacted:last-word]"), gone, "{length}: {}", ran.stdout);
    }
}

#[test]
fn a_value_is_recognised_in_a_later_answer_without_the_key() {
    let ran = AgentFixture::new()
        .server(|_| respond(200, "application/json", format!("{{\"stored\":\"{VALUE}\"}}")))
        .run(&["send GET https://api.test/v1/notes"]);

    assert!(ran.stdout.contains("{\"stored\":\"pf_live_"), "{}", ran.stdout);
}

#[test]
fn a_bomb_of_a_coding_is_bounded_by_what_may_be_received() {
    let ran = AgentFixture::new()
        .and("[limits]\nreceived = \"4MiB\"")
        .server(|_| {
            let mut answer = respond(200, "text/plain", echo::coded(&vec![b'x'; 256 << 20], "zstd"));
            answer.headers_mut().insert("content-encoding", http::HeaderValue::from_static("zstd"));
            answer
        })
        .try_run(&[&format!("download GET https://api.test/v1/x {ASK}")])
        .unwrap();

    assert_eq!(ran.outcome.end.to_string(), "limit: received");
    assert!(ran.outcome.usage.received < 5 << 20, "{:?}", ran.outcome.usage);
}

#[test]
fn an_answer_of_a_host_without_a_grant_is_passed_on_as_it_is() {
    let ran = AgentFixture::with("[[egress]]\nhost = \"other.test\"")
        .server(|_| {
            let mut answer = respond(200, "text/plain", "ranges and tags are its own business");
            answer.headers_mut().insert("etag", http::HeaderValue::from_static("\"1\""));
            answer
        })
        .run(&["send GET https://other.test/x"]);

    assert!(ran.stdout.contains("etag=\"1\""), "{}", ran.stdout);
}

#[test]
fn a_large_secret_in_an_answer_of_single_bytes_is_found_at_a_linear_cost() {
    let value: &'static str = Box::leak((0..1000).map(|i| format!("{:x}", i * 2_654_435_761u64)).collect::<String>().into_boxed_str());

    // Over HTTP/1.1: a client of HTTP/2 takes so many small frames for an attack and closes the connection.
    let ran = AgentFixture::granted("host = \"http://api.test:PORT\"\npaths = [\"/v1/**\"]")
        .plain_http()
        .value("KEY", value)
        .server(move |_| echo::chunked(format!("{}{value}{}", "-".repeat(20_000), ".".repeat(20_000)).as_bytes(), 1))
        .run(&["download GET http://api.test:PORT/v1/x"]);

    assert_eq!(ran.records("answer")[0]["redacted"], 1, "{} {:?}", ran.stdout, ran.records("answer"));
    assert!(ran.stdout.contains(&format!("download {}", 40_000 + 40)), "the placeholder stands in its stead: {}", ran.stdout);
}
