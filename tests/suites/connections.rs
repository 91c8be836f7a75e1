//! Connections of agents: which are used again, which are not, and how many there are.

use super::network::Fixed;
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use strongroom::{End, Host, HostConfig, Manifest, RunOptions};
use strongroom_tests::AgentFixture;

/// Reads a request without a body.
fn asked(stream: &mut TcpStream) -> String {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
        request.push(byte[0]);
    }
    String::from_utf8_lossy(&request).into_owned()
}

fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

fn granted(ports: &[u16]) -> AgentFixture {
    let entries: String =
        ports.iter().map(|port| format!("[[egress]]\nhost = \"http://a.test:{port}\"\nmethods = [\"GET\", \"POST\"]\n")).collect();
    AgentFixture::with(&format!("[secrets.KEY]\n{entries}")).resolver(Fixed(&["127.0.0.1"]))
}

/// A server that answers, ends each connection right after it, and says so.
fn ending() -> (u16, Receiver<String>) {
    let (listener, port) = listener();
    let (said, ended) = channel();
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let request = asked(&mut stream);
            stream.write_all(OK.as_bytes()).unwrap();
            drop(stream);
            if said.send(request).is_err() {
                return;
            }
        }
    });
    (port, ended)
}

#[test]
fn a_connection_that_its_server_has_ended_is_not_used_again() {
    let (port, ended) = ending();
    let (between, other) = listener();
    // Answers when the first server has ended its connection: by then the host can know.
    let server = std::thread::spawn(move || {
        let (mut stream, _) = between.accept().unwrap();
        asked(&mut stream);
        let first = ended.recv().unwrap();
        stream.write_all(OK.as_bytes()).unwrap();
        (first, ended.recv().unwrap())
    });

    let [first, second] = [format!("send GET http://a.test:{port}/1"), format!("send GET http://a.test:{port}/2")];
    let ran = granted(&[port, other]).run(&[&first, &format!("send GET http://a.test:{other}/"), &second]);

    assert_eq!(ran.stdout.matches("send 200").count(), 3, "{} {:?}", ran.stdout, ran.audit);
    let (first, second) = server.join().unwrap();
    assert!(first.starts_with("GET /1 HTTP/1.1\r\n") && second.starts_with("GET /2 HTTP/1.1\r\n"), "{first}{second}");
    assert!(second.contains(&format!("host: a.test:{port}\r\n")), "{second}");
}

#[test]
fn an_answer_that_is_let_go_unread_gives_its_connection_back_where_it_is_there_whole() {
    let ran = AgentFixture::granted("host = \"api.test\"\npaths = [\"/v1/**\"]").run(&[
        "hold 1 GET https://api.test/v1/x h:authorization=Bearer+{KEY}",
        "send GET https://api.test/v1/x h:authorization=Bearer+{KEY}",
        "send HEAD https://api.test/v1/x h:authorization=Bearer+{KEY}",
    ]);

    let connections: Vec<u64> = ran.seen.iter().map(|seen| seen.connection).collect();
    assert_eq!(connections[..2], [0, 0], "{}", ran.stdout);
}

#[test]
fn what_of_an_answer_was_not_read_is_not_taken_for_the_next_one() {
    let (listener, port) = listener();
    let server = std::thread::spawn(move || {
        // More than is read ahead; the rest looks like an answer.
        let (mut stream, _) = listener.accept().unwrap();
        asked(&mut stream);
        let forged = "HTTP/1.1 299 Forged\r\ncontent-length: 6\r\n\r\nforged".repeat(40_000);
        let _ = stream.write_all(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{forged}", forged.len()).as_bytes());
        let (mut stream, _) = listener.accept().unwrap();
        asked(&mut stream);
        stream.write_all(OK.as_bytes()).unwrap();
    });

    let ran = granted(&[port]).run(&[&format!("hold 1 GET http://a.test:{port}/1"), &format!("send GET http://a.test:{port}/2")]);

    assert!(ran.stdout.contains("hold 200") && ran.stdout.contains("send 200 ") && !ran.stdout.contains("299"), "{}", ran.stdout);
    server.join().unwrap();
}

#[test]
fn what_follows_an_answer_unasked_is_nobodys_and_ends_the_connection() {
    let (listener, port) = listener();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        asked(&mut stream);
        let forged = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged";
        stream.write_all(format!("{OK}{forged}").as_bytes()).unwrap();
        let (mut fresh, _) = listener.accept().unwrap();
        asked(&mut fresh);
        fresh.write_all(OK.as_bytes()).unwrap();
    });

    let ran = granted(&[port]).run(&[&format!("send GET http://a.test:{port}/1"), &format!("send GET http://a.test:{port}/2")]);

    assert!(ran.stdout.matches("send 200").count() == 2 && !ran.stdout.contains("forged"), "{}", ran.stdout);
    server.join().unwrap();
}

#[test]
fn a_request_whose_body_goes_on_does_not_wait_for_its_answer_to_be_read() {
    let (listener, port) = listener();
    const LENGTH: usize = 4 << 20;
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let request = asked(&mut stream);
        // The answer's head comes before the request's body is there, and its end after it.
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n").unwrap();
        let mut body = vec![0; LENGTH];
        stream.read_exact(&mut body).unwrap();
        stream.write_all(b"ok").unwrap();
        request
    });

    let ran = granted(&[port]).run(&[&format!("upload {LENGTH} POST http://a.test:{port}/")]);

    assert!(ran.stdout.contains("upload 200 "), "{}", ran.stdout);
    assert!(server.join().unwrap().starts_with("POST / HTTP/1.1\r\n"));
}

#[test]
fn an_agent_has_so_many_connections_open_and_no_more() {
    // A server that answers nobody before all have asked that can.
    let (listener, port) = listener();
    let server = std::thread::spawn(move || {
        let mut open: Vec<TcpStream> = (0..128).map(|_| listener.accept().unwrap().0).collect();
        open.iter_mut().for_each(|stream| {
            asked(stream);
            stream.write_all(OK.as_bytes()).unwrap();
        });
    });

    let agent = AgentFixture::granted(&format!("host = \"http://a.test:{port}\"\npaths = [\"/**\"]")).resolver(Fixed(&["127.0.0.1"]));
    let ran = agent.and("[limits]\nrequests = 200").run(&[&format!("at-once 140 a.test:{port} /x http")]);

    assert!(ran.stdout.contains("\"200\": 128") && ran.stdout.contains("ConnectionLimitReached"), "{}", ran.stdout);
    server.join().unwrap();
}

#[test]
fn connections_that_nobody_uses_make_room() {
    // A wildcard must not eat the host's file descriptors, nor end the agent that asks one name after the other.
    let operations: Vec<String> = (0..140).map(|i| format!("send GET http://a{i}.api.test:PORT/v1/x")).collect();
    let operations: Vec<&str> = operations.iter().map(String::as_str).chain(["send GET http://a0.api.test:PORT/v1/x"]).collect();

    let ran = AgentFixture::granted("host = \"http://*.api.test:PORT\"\npaths = [\"/v1/**\"]").plain_http().run(&operations);

    assert_eq!(ran.stdout.matches("send 200").count(), 141, "{}", ran.stdout);
    let connections: BTreeSet<u64> = ran.seen.iter().map(|seen| seen.connection).collect();
    assert_eq!(connections.len(), 141, "the first one is gone by the end");
}

#[test]
fn connections_are_kept_for_the_thread_that_opened_them() {
    let (listener, port) = listener();
    let (said, connected) = channel();
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            said.send(()).unwrap();
            std::thread::spawn(move || while !asked(&mut stream).is_empty() && stream.write_all(OK.as_bytes()).is_ok() {});
        }
    });
    let config = HostConfig::default().with(|new| new.network_allow = vec!["127.0.0.1/32".parse().unwrap()]);
    let host = Host::builder().config(config).without_audit().without_state().build().unwrap();
    let manifest = format!("name = \"bot\"\ncomponent = \"probe.wasm\"\n[[egress]]\nhost = \"http://127.0.0.1:{port}\"\n");
    let agent = host.agent(Manifest::parse("agent.toml", &manifest).unwrap(), &strongroom_components::bytes("probe")).unwrap();
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let runtimes = [runtime(), runtime()];

    let opened = [0, 1, 0, 1].map(|at| {
        let get = format!("send GET http://127.0.0.1:{port}/");
        let outcome = runtimes[at].block_on(agent.run(RunOptions::default().args([get]))).unwrap();
        assert_eq!(outcome.end, End::Exit(0));
        connected.try_iter().count()
    });

    assert_eq!(opened, [1, 1, 0, 0]);
}
