//! Answers that come in pieces: an event is with the agent when it is with the host, whatever secrets the agent has.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::thread::JoinHandle;
use strongroom_tests::AgentFixture;

use super::network::Fixed;

const PEM: &str = "-----BEGIN PRIVATE KEY-----\r\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgevZzL1gdAFr88hb2\r\nOF/2NxApJCzGCEDdfSp6VQO30hyhRANCAAQRWz+jn65BtOMvdyHKcvjBeBSDZH2r\r\n1RTwjmYSi9R/zpBnuQ4EiMnCqfMPWiZqB4QdbAd0E7oH50VpuZ1P087G\r\n-----END PRIVATE KEY-----\r\n";
const ACCOUNT: &str =
    "{\n  \"type\": \"service_account\",\n  \"keys\": {\n    \"private_key_id\": \"4b1d6f0a9c2e8375d0c4a7f19e3b5c682f7d1a0b\"\n  }\n}\n";

/// The bytes of a file, and where its body begins.
fn file(name: &str) -> (Vec<u8>, usize) {
    let bytes = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("field/http").join(name)).unwrap();
    let head = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    (bytes, head)
}

/// What the chunks hold.
fn unchunked(mut body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    while let Some(at) = body.windows(2).position(|window| window == b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&body[..at]).unwrap(), 16).unwrap();
        out.extend_from_slice(&body[at + 2..at + 2 + size]);
        body = &body[at + 2 + size + 2..];
    }
    out
}

/// Sends `first`, and `rest` when another request has come: that one shows that the agent has got what it waits for.
fn in_two(first: Vec<u8>, rest: Vec<u8>) -> (u16, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        let (mut one, _) = listener.accept().unwrap();
        let mut request = [0; 4096];
        let _ = one.read(&mut request).unwrap();
        one.write_all(&first).unwrap();
        let (mut two, _) = listener.accept().unwrap();
        let _ = two.read(&mut request).unwrap();
        two.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").unwrap();
        let _ = one.write_all(&rest);
    });
    (port, server)
}

/// Runs an agent with many kinds of secrets until `mark` has come.
fn has_come(first: Vec<u8>, rest: Vec<u8>, mark: &[u8]) -> String {
    let (port, server) = in_two(first, rest);
    let allow = format!("host = \"http://raw.test:{port}\"\npaths = [\"/**\"]");
    let room = AgentFixture::granted(&allow)
        .and(&["PEM", "ACCOUNT", "BRACE"].map(|name| format!("[secrets.{name}]\n[[secrets.{name}.allow]]\n{allow}\n")).concat())
        .and("[limits]\nwall = \"20s\"")
        .value("PEM", PEM)
        .value("ACCOUNT", ACCOUNT)
        .value("BRACE", "p}w#9!mQ2vX4sNp7Bq");
    let key = "h:authorization=Bearer+{KEY}";
    let operation = format!("until {} GET http://raw.test:{port}/ {key} -- GET http://raw.test:{port}/next {key}", STANDARD.encode(mark));
    let ran = room.resolver(Fixed(&["127.0.0.1"])).try_run(&[&operation]).unwrap();
    // It waits for a second request in vain where the first answer was held.
    let _ = std::net::TcpStream::connect(("127.0.0.1", port)).map(|mut stream| stream.write_all(b"x"));
    server.join().unwrap();
    ran.assert_sealed();
    ran.stdout
}

#[test]
fn an_event_arrives_though_nothing_follows_whatever_secrets_an_agent_has() {
    for name in ["sse-crlf-small-event", "sse-cr-only", "sse-lf-data-of-text", "text-stream-lines-without-brace"] {
        let (bytes, head) = file(&format!("{name}.http"));
        let body = unchunked(&bytes[head..]);

        let got = has_come(bytes, b"0\r\n\r\n".to_vec(), &body);

        assert!(got.contains("until 204 "), "{name}: {got}");
    }
}

#[test]
fn a_member_of_gzip_is_an_event_of_its_own() {
    let (bytes, head) = file("watch-gzip-member-per-event.http");
    // The first chunk: its size, a member, and the break behind it.
    let first = head + 4 + 0x2b + 2;

    let got = has_come(bytes[..first].to_vec(), bytes[first..].to_vec(), b"}\n");

    assert!(got.contains("until 204 "), "{got}");
}
