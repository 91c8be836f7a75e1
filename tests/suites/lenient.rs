//! Servers that answer otherwise than they were asked, byte by byte, and readers that take one thing for another: rows 7, 8, 10 and 20 of the
//! threat model where a table of cases does not reach.

use super::network::{Fixed, once};
use std::io::Write;
use strongroom_demo::server::{Seen, respond};
use strongroom_tests::{AgentFixture, Ran, VALUE, echo};

/// What comes of one answer, as the bytes on the wire, of a host that holds a grant, or of one that does not.
fn answered(granted: bool, answer: Vec<u8>) -> Ran {
    performed("send", granted, answer)
}

pub(super) fn performed(verb: &str, granted: bool, answer: Vec<u8>) -> Ran {
    let (port, server) = once(move |_, stream| {
        let _ = stream.write_all(&answer);
    });
    let host = format!("host = \"http://raw.test:{port}\"\npaths = [\"/**\"]");
    let room = if granted { AgentFixture::granted(&host) } else { AgentFixture::new().and(&format!("[[egress]]\n{host}")) };
    let key = if granted { " h:authorization=Bearer+{KEY}" } else { "" };
    let ran = room.resolver(Fixed(&["127.0.0.1"])).run(&[&format!("{verb} GET http://raw.test:{port}/{key}")]);
    server.join().unwrap();
    ran
}

pub(super) fn with_head(head: &str, body: &[u8]) -> Vec<u8> {
    [format!("HTTP/1.1 200 OK\r\nconnection: close\r\n{head}\r\n\r\n").as_bytes(), body].concat()
}

#[test]
fn an_answer_that_begins_as_another_charset_is_refused() {
    let wide: Vec<u8> = VALUE.encode_utf16().flat_map(u16::to_be_bytes).collect();
    for (mark, body) in
        [(&b"\xfe\xff"[..], &wide[..]), (b"\xff\xfe", b"x\0"), (b"\0\0\xfe\xff", b"\0\0\0x"), (b"+/v8-", b"x"), (b"\x4c\x6f\xa7\x94", b"x")]
    {
        let ran = answered(true, with_head("content-type: text/plain", &[mark, body].concat()));

        assert!(ran.stdout.contains("its body begins as text that is not UTF-8"), "{mark:?}: {}", ran.stdout);
        assert_eq!(ran.records("answer")[0]["error"], "its body begins as text that is not UTF-8");
    }
    let ran = answered(true, with_head("content-type: text/plain; charset=utf-8", b"\xef\xbb\xbfhello"));
    assert!(ran.stdout.contains("hello"), "{}", ran.stdout);
}

#[test]
fn an_answer_in_utf_32_without_saying_so_is_searched() {
    for body in [VALUE.bytes().flat_map(|b| [b, 0, 0, 0]).collect::<Vec<u8>>(), VALUE.bytes().flat_map(|b| [0, 0, 0, b]).collect()] {
        let ran = answered(true, with_head("content-type: application/json", &body));
        assert_eq!(ran.records("answer")[0]["redacted"], 1, "{}", ran.stdout);
    }
}

#[test]
fn a_transfer_coding_other_than_chunked_is_refused_whoever_sends_it() {
    for granted in [true, false] {
        for coding in [
            "gzip, chunked",
            "identity",
            "chunked, chunked",
            "gzip\r\ntransfer-encoding: chunked",
            "xchunked",
            "chunked\r\ncontent-length: 4",
        ] {
            let ran = answered(granted, with_head(&format!("transfer-encoding: {coding}"), b"4\r\nabcd\r\n0\r\n\r\n"));
            assert!(ran.stdout.contains("the response can't be read"), "{granted} {coding:?}: {}", ran.stdout);
            assert!(!ran.stdout.contains("abcd"), "{granted} {coding:?}: {}", ran.stdout);
        }
        let ran = answered(granted, with_head("transfer-encoding: chunked", b"4\r\nabcd\r\n0\r\n\r\n"));
        assert!(ran.stdout.contains("abcd"), "{granted}: {}", ran.stdout);
    }
}

#[test]
fn a_body_that_ends_in_an_error_lets_nothing_go_that_may_be_a_value() {
    let coded = echo::coded(VALUE.as_bytes(), "gzip");
    let echo = format!("authorization: Bearer {VALUE}");
    for granted in [true, false] {
        for (name, answer) in [
            ("cut short", with_head("content-length: 1000", echo.as_bytes())),
            ("a broken chunk", with_head("transfer-encoding: chunked", format!("{:x}\r\n{echo}\r\nzz\r\n", echo.len()).as_bytes())),
            ("a chunk cut short", with_head("transfer-encoding: chunked", format!("ff\r\n{echo}").as_bytes())),
            ("half a value", with_head("content-length: 1000", &echo.as_bytes()[..echo.len() - 4])),
            ("a broken coding", with_head("content-encoding: gzip", &coded[..coded.len() - 6])),
        ] {
            // With what came before the error.
            let ran = performed("read", granted, answer);
            let held = &VALUE[8..20];
            assert!(ran.stdout.contains(" then ") || !granted, "{granted} {name}: {}", ran.stdout);
            assert!(!ran.stdout.contains(held), "{granted} {name}: {}", ran.stdout);
            assert!(ran.records("answer")[0]["error"].is_string(), "{granted} {name}: {:?}", ran.audit);
        }
        // Bytes behind a coding that has ended are left out where it is undone, as browsers do.
        let ran = answered(granted, with_head("content-encoding: gzip", &[&coded[..], b"garbage"].concat()));
        assert!(!ran.stdout.contains(&VALUE[8..20]), "{granted}: {}", ran.stdout);
        assert_eq!(ran.records("answer")[0]["error"].is_null(), granted, "{granted}: {:?}", ran.audit);
    }
}

#[test]
fn an_answer_of_a_host_without_a_grant_stays_as_it_is_where_nothing_is_found() {
    let body = format!("{{\"text\":\"{}\"}}", "an ordinary answer, AKIAQ3EGRT6NTZ4LM2PK and all ".repeat(300));
    let plain = answered(false, with_head(&format!("etag: \"x\"\r\ncontent-length: {}", body.len()), body.as_bytes()));
    assert!(plain.stdout.contains(&format!("content-length={}", body.len())) && plain.stdout.contains("etag=\"x\""), "{}", plain.stdout);
    assert_eq!(plain.records("answer")[0]["received"], body.len());
    assert_eq!(plain.records("answer")[0]["redacted"], 0, "rules are for hosts that hold a grant");

    // Some codings keep words as they are, and the agent's output is searched by rules.
    let body = body.replace("AKIAQ3EGRT6NTZ4LM2PK", "and so on");
    for coding in ["gzip", "deflate", "br", "zstd"] {
        let coded = echo::coded(body.as_bytes(), coding);
        let head = format!("etag: \"x\"\r\ncontent-encoding: {coding}\r\ncontent-length: {}", coded.len());
        let ran = answered(false, with_head(&head, &coded));
        assert!(ran.stdout.contains(&format!("content-encoding={coding}")) && ran.stdout.contains("etag=\"x\""), "{}", ran.stdout);
        assert!(ran.stdout.contains(&*String::from_utf8_lossy(&coded)), "{coding}: the bytes are the server's");
    }
}

#[test]
fn a_known_value_in_an_answer_of_a_host_without_a_grant_is_taken_out() {
    let body = format!("bundle {VALUE} and {}", echo_base64());
    let plain = answered(false, with_head(&format!("x-echo: {VALUE}\r\ncontent-length: {}", body.len()), body.as_bytes()));
    assert!(plain.stdout.contains("bundle pf_live_") && plain.stdout.contains(" and [redacted:KEY]"), "{}", plain.stdout);
    assert!(
        plain.stdout.contains("x-echo=pf_live_") && plain.stdout.contains(&format!("content-length={}", body.len())),
        "{}",
        plain.stdout
    );

    for coding in ["gzip", "deflate", "br", "zstd"] {
        for body in [body.clone(), format!("{}{body}", "x".repeat(200_000))] {
            let coded = echo::coded(body.as_bytes(), coding);
            let ran = answered(false, with_head(&format!("content-encoding: {coding}\r\ncontent-length: {}", coded.len()), &coded));
            assert!(ran.stdout.contains("contains a value that the host keeps"), "{coding}: {}", ran.stdout);
        }
    }
    let ran = answered(false, with_head("content-encoding: compress", VALUE.as_bytes()));
    assert!(ran.stdout.contains("a content coding that the host can't decode"), "{}", ran.stdout);
}

fn echo_base64() -> String {
    String::from_utf8(echo::formed(VALUE, "base64")).unwrap()
}

#[test]
fn an_agent_without_secrets_gets_what_a_server_sends() {
    let (port, server) = once(|request, stream| {
        assert!(request.contains("range: bytes=0-3"), "{request}");
        stream.write_all(b"HTTP/1.1 206 Partial Content\r\ncontent-encoding: compress\r\ncontent-length: 2\r\n\r\nok").unwrap();
    });
    let ran = AgentFixture::with(&format!("[[egress]]\nhost = \"http://raw.test:{port}\""))
        .resolver(Fixed(&["127.0.0.1"]))
        .run(&[&format!("send GET http://raw.test:{port}/ h:range=bytes=0-3")]);
    server.join().unwrap();
    assert!(ran.stdout.contains("send 206") && ran.stdout.contains("ok"), "{}", ran.stdout);
}

#[test]
fn graphql_without_an_alias_passes_where_the_grant_says_so_and_long_bodies_are_told_by_their_beginning() {
    let grant = "host = \"api.test\"\nmethods = [\"POST\"]\npaths = [\"/**\"]\nseal = [\"json:/data/token\"]\ngraphql = \"no-alias\"";
    let room = || AgentFixture::granted(grant).server(|_: &Seen| respond(200, "application/json", "{\"data\":{}}"));
    let query = "{\"query\":\"query{token}\",\"variables\":null}";

    let ran = room().run(&[
        &format!("send POST https://api.test/graphql h:authorization=Bearer+{{KEY}} b:{query}"),
        "upload 300000 POST https://api.test/files",
    ]);

    assert_eq!(String::from_utf8_lossy(&ran.seen[0].body), query, "{}", ran.stdout);
    assert_eq!(ran.seen[1].body.len(), 300_000, "what is no GraphQL by its beginning streams: {}", ran.stdout);

    let ran = room().run(&["upload 300000 POST https://api.test/graphql h:content-type=application/json"]);
    assert_eq!((ran.denied(), ran.seen.len()), (vec!["graphql"], 0), "{}", ran.stdout);
}
