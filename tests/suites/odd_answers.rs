//! Answers that are not as the standards have them, and what comes of them: the files are in `field/http`.

use super::lenient::{performed, with_head};
use super::network::To;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use strongroom_demo::server::{certificates, respond};
use strongroom_tests::{AgentFixture, Ran, VALUE, echo};

const BODY: &str = "{\"pair\":\"ETH-USD\",\"price\":\"3120.50\"}";

/// What comes of an answer, of a host that holds a grant, or of one that does not.
fn answered(granted: bool, verb: &str, answer: &[u8]) -> Ran {
    performed(verb, granted, answer.to_vec())
}

fn file(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("field/http").join(name)).unwrap()
}

#[test]
fn what_browsers_and_curl_read_is_read() {
    for granted in [true, false] {
        for name in [
            "broken-line-in-head",
            "coding-aws-chunked",
            "coding-empty",
            "coding-none",
            "coding-utf-8",
            "control-character-in-cookie",
            "head-of-120-lines",
        ] {
            let ran = answered(granted, "send", &file(&format!("{name}.http")));
            assert!(ran.stdout.contains("send 200 ") && ran.stdout.contains(BODY), "{granted} {name}: {}", ran.stdout);
            assert!(ran.records("answer")[0]["error"].is_null(), "{granted} {name}: {:?}", ran.audit);
        }
        for head in ["x-spaced : 1", "x-folded: a\r\n  b", "x: y\r\nno colon here", ": nameless\r\nx: y"] {
            let ran = answered(granted, "send", &with_head(head, BODY.as_bytes()));
            assert!(ran.stdout.contains(BODY), "{granted} {head:?}: {}", ran.stdout);
        }
        let ran = answered(granted, "send", &file("coding-of-no-body-204.http"));
        assert!(ran.stdout.contains("send 204 "), "{granted}: {}", ran.stdout);
        let empty = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-encoding: x-rot13\r\ncontent-length: 0\r\n\r\n";
        assert!(answered(granted, "send", empty).stdout.contains("send 200 "), "{granted}: there is no body to decode");
    }
}

#[test]
fn members_of_gzip_and_what_follows_them() {
    for name in ["gzip-two-members", "gzip-empty-first-member", "gzip-then-short-garbage"] {
        let ran = answered(true, "send", &file(&format!("{name}.http")));
        assert!(ran.stdout.contains(BODY), "{name}: {}", ran.stdout);
        assert!(ran.records("answer")[0]["error"].is_null(), "{name}: {:?}", ran.audit);
    }
    let coded = echo::coded(BODY.as_bytes(), "gzip");
    for garbage in [&b"\0\0\0\0\0\0\0\0"[..], b"PK\x03\x04 some other file", b"\x1f"] {
        let answer = with_head("content-encoding: gzip", &[&coded[..], garbage].concat());
        let ran = answered(true, "send", &answer);
        assert!(ran.stdout.contains(BODY), "{garbage:?}: {}", ran.stdout);
    }
    // Bytes that nobody has decoded are not handed on where the coded ones are.
    let answer = with_head("content-encoding: gzip", &[&coded[..], VALUE.as_bytes()].concat());
    let ran = answered(false, "download", &answer);
    assert!(ran.stdout.contains(&format!("download {} then ", coded.len())), "{}", ran.stdout);
    assert_eq!(ran.records("answer")[0]["error"], "bytes follow the end of the content coding");
}

#[test]
fn codings_over_each_other_are_undone_and_searched() {
    let text = format!("you said {VALUE} {}", "and so on. ".repeat(20_000));
    for (codings, name) in
        [(["gzip", "gzip"], "gzip, gzip"), (["br", "gzip"], "br, gzip"), (["zstd", "deflate"], "zstd,aws-chunked,deflate")]
    {
        let coded = codings.iter().fold(text.clone().into_bytes(), |body, coding| echo::coded(&body, coding));
        let answer = with_head(&format!("content-encoding: {name}"), &coded);

        let ran = answered(true, "download", &answer);
        assert!(ran.stdout.contains(&format!("download {}", text.len())), "{name}: a placeholder is as long: {}", ran.stdout);
        assert_eq!(ran.records("answer")[0]["redacted"], 1, "{name}");

        let ran = answered(false, "download", &answer);
        assert!(ran.stdout.contains("contains a value that the host keeps"), "{name}: {}", ran.stdout);
    }
}

#[test]
fn a_coding_that_is_refused_is_named_and_what_it_names_is_scrubbed() {
    for granted in [true, false] {
        let ran = answered(granted, "send", &with_head("content-encoding: gzip, x-rot13\u{1b}", b"x"));
        assert!(!ran.stdout.contains("send 200"), "{}", ran.stdout);
        let ran = answered(granted, "send", &with_head("content-encoding: gzip, x-rot13", b"x"));
        assert!(ran.stdout.contains("a content coding that the host can't decode: `gzip, x-rot13`"), "{}", ran.stdout);
        assert_eq!(ran.records("answer")[0]["detail"], "gzip, x-rot13", "{:?}", ran.audit);

        let ran = answered(granted, "send", &with_head(&format!("content-encoding: {VALUE}"), b"x"));
        assert!(ran.stdout.contains("a content coding that the host can't decode"), "{}", ran.stdout);
        ran.assert_sealed();
    }
}

#[test]
fn what_was_read_before_an_error_arrives_and_then_the_error() {
    let text = "a line of text, as it is.\n".repeat(4_000);
    let least = 50_000;
    let count = |ran: &Ran| -> usize {
        let count = ran.stdout.split_once("download ").map(|(_, rest)| rest.split(' ').next().unwrap_or_default().to_owned());
        count.unwrap_or_default().trim().parse().unwrap_or_else(|_| panic!("{}", ran.stdout))
    };
    for coding in ["gzip", "br", "zstd", "deflate"] {
        // What can't be compressed is decoded as it comes.
        let noise: String = (0..20_000u64).map(|i| format!("{:x} ", i.wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect();
        let mut coded = echo::coded(noise.as_bytes(), coding);
        coded.truncate(coded.len() / 2);
        let ran = answered(true, "download", &with_head(&format!("content-encoding: {coding}"), &coded));
        assert!(count(&ran) > least && ran.stdout.contains("does not follow its content coding"), "{coding}: {}", ran.stdout);
        assert_eq!(ran.records("answer")[0]["error"], "the body does not follow its content coding");
    }
    let ran = answered(true, "download", &with_head("content-length: 200000", text.as_bytes()));
    assert!(count(&ran) == text.len() && ran.stdout.contains("incomplete HTTP response"), "{}", ran.stdout);
    let chunks = format!("{:x}\r\n{text}\r\nno size\r\n", text.len());
    let ran = answered(true, "download", &with_head("transfer-encoding: chunked", chunks.as_bytes()));
    assert!(count(&ran) == text.len() && ran.records("answer")[0]["error"] == "the body's chunks can't be read", "{:?}", ran.audit);
}

#[test]
fn a_head_that_cant_be_read_is_told_as_that() {
    let long: String = (0..300).map(|i| format!("x-meta-{i}: v\r\n")).collect();
    for (head, says) in [
        ("transfer-encoding : chunked", "a header line that says how it is to be read is malformed"),
        ("content-encoding: gzip\x01", "a header line that says how it is to be read is malformed"),
        ("content-length: 36\r\ncontent-length: 37", "its head does not follow HTTP/1.1"),
        ("x: a\0b", "its head does not follow HTTP/1.1"),
        (long.trim_end(), "its head is too long"),
    ] {
        for granted in [true, false] {
            let ran = answered(granted, "send", &with_head(head, BODY.as_bytes()));
            assert!(ran.stdout.contains("the response can't be read: ") && ran.stdout.contains(says), "{granted} {head:?}: {}", ran.stdout);
            assert!(ran.records("answer")[0]["error"].as_str().unwrap().starts_with(says), "{head:?}: {:?}", ran.audit);
        }
    }
    let ran = answered(true, "send", b"ICY 200 OK\r\n\r\n");
    assert!(ran.stdout.contains("its head does not follow HTTP/1.1"), "{}", ran.stdout);
}

/// What an agent is told of an answer over HTTP/2 whose head is this block (RFC 7541), behind `:status: 200`.
fn over_http2(block: &[u8]) -> String {
    let (ca, tls) = certificates(&["api.test"], None);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let block = [b"\x88", block].concat();
    let server = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut stream = rustls::StreamOwned::new(rustls::ServerConnection::new(Arc::new(tls)).unwrap(), stream);
        let mut read = |length: usize| {
            let mut bytes = vec![0; length];
            stream.read_exact(&mut bytes).map(|()| bytes)
        };
        assert_eq!(read(24).unwrap(), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        // Frames, as far as that with the request's head (RFC 9113 4.1).
        let id = loop {
            let head = read(9).unwrap();
            read(usize::from_str_radix(&format!("{:02x}{:02x}{:02x}", head[0], head[1], head[2]), 16).unwrap()).unwrap();
            if head[3] == 1 {
                break head[5..].to_vec();
            }
        };
        let mut settings = b"\0\0\0\x04\0\0\0\0\0".to_vec();
        let length = u32::try_from(block.len()).unwrap().to_be_bytes();
        settings.extend([&length[1..], b"\x01\x05", &id, &block].concat());
        stream.write_all(&settings).unwrap();
        // Until the host has had enough.
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("ca.pem");
    std::fs::write(&file, ca).unwrap();
    let config = strongroom::HostConfig::default().with(|new| {
        new.network_allow = vec!["127.0.0.1/32".parse().unwrap()];
        new.network_ca = vec![file];
    });
    let room = AgentFixture::new().host(|host| host.config(config).without_state().without_audit()).resolver(To(address));
    let ran = room.run(&["send GET https://api.test/v1/x h:authorization=Bearer+{KEY}"]);
    server.join().unwrap();
    ran.stdout
}

#[test]
fn a_head_over_http2_that_cant_be_read_is_told_as_that() {
    let field = |name: &str, value: &str| {
        let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
        [vec![0], text(name), text(value)].concat()
    };
    let never_sent = vec![0xff, 0x7f];
    for block in [field("X-Upper", "v"), field("connection", "close"), field("x", "a\0b"), never_sent] {
        let told = over_http2(&block);
        assert!(told.contains("the response can't be read: its head does not follow HTTP/2"), "{}: {told}", block.escape_ascii());
    }
    assert!(over_http2(&field("x-meta", "v")).contains(" 200 "));

    let ran = AgentFixture::new()
        .server(|_| {
            let mut answer = respond(200, "text/plain", "a body");
            for _ in 0..700 {
                answer.headers_mut().append("x-meta", "v".repeat(100).parse().unwrap());
            }
            answer
        })
        .run(&["send GET https://api.test/v1/x h:authorization=Bearer+{KEY}"]);
    assert_eq!(ran.records("answer")[0]["error"], "its head does not follow HTTP/2, or is longer than 64 KiB");
}
