//! From a name to a connection: rows 9 and 11 of the threat model, and servers that are dead, slow or not who they say.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use strongroom::Resolve;
use strongroom_demo::server::{Server, respond};
use strongroom_tests::AgentFixture;

/// Gives the same addresses for every name.
pub(super) struct Fixed(pub(super) &'static [&'static str]);

#[async_trait::async_trait]
impl Resolve for Fixed {
    async fn resolve(&self, _host: &str, port: u16) -> std::io::Result<Vec<SocketAddr>> {
        Ok(self.0.iter().map(|address| SocketAddr::new(address.parse().unwrap(), port)).collect())
    }
}

/// Sends every name to one address.
pub(super) struct To(pub(super) SocketAddr);

#[async_trait::async_trait]
impl Resolve for To {
    async fn resolve(&self, _host: &str, _port: u16) -> std::io::Result<Vec<SocketAddr>> {
        Ok(vec![self.0])
    }
}

/// An answer that promises more than it holds.
const HALF: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nonly this";

/// A server that takes one connection, reads one request, and answers it byte by byte as the test says.
pub(super) fn once(answer: impl FnOnce(&str, &mut TcpStream) + Send + 'static) -> (u16, JoinHandle<()>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = vec![0; 4096];
        let length = stream.read(&mut request).unwrap();
        answer(&String::from_utf8_lossy(&request[..length]), &mut stream);
    });
    (port, server)
}

const ASK: &str = "send GET https://api.test/v1/x h:authorization=Bearer+{KEY}";

#[test]
fn a_granted_name_that_leads_inside_is_refused_on_its_address() {
    // 127.0.0.1 is allowed in this set-up, and nothing else.
    let addresses: &[&[&str]] = &[
        &["127.0.0.2"],
        &["10.0.0.1"],
        &["172.16.0.1"],
        &["192.168.1.1"],
        &["169.254.169.254"],
        &["0.0.0.0"],
        &["100.64.0.1"],
        &["::1"],
        &["::ffff:10.0.0.1"],
        &["64:ff9b::a9fe:a9fe"],
        &["2002:a00:1::1"],
        &["fd00:ec2::254"],
        &["fe80::1"],
        // One bad address among good ones refuses the name.
        &["127.0.0.1", "10.0.0.1"],
    ];
    for address in addresses {
        let ran = AgentFixture::new().resolver(Fixed(address)).run(&[ASK]);
        assert_eq!(ran.denied(), ["address"], "{address:?}: {}", ran.stdout);
        assert!(ran.stdout.contains("denied by rule `address`"), "{address:?}: {}", ran.stdout);
        assert!(!ran.stdout.contains(address[0]), "the guest does not learn the address: {}", ran.stdout);
        assert!(ran.seen.is_empty());
    }
}

#[test]
fn a_name_that_changes_between_look_ups_is_checked_at_each() {
    struct Flips(AtomicUsize);
    #[async_trait::async_trait]
    impl Resolve for Flips {
        async fn resolve(&self, _host: &str, port: u16) -> std::io::Result<Vec<SocketAddr>> {
            let inside = self.0.fetch_add(1, Ordering::SeqCst) > 0;
            let address = if inside { "169.254.169.254" } else { "1.1.1.1" };
            // The first answer is public and leads nowhere from here; what is connected to is what was checked.
            Ok(vec![SocketAddr::new(address.parse().unwrap(), if inside { port } else { 1 })])
        }
    }
    // The look-up that was checked is the one that is connected to: there is no second one to flip.
    let flips = Flips(AtomicUsize::new(1));

    let ran = AgentFixture::new().resolver(flips).run(&[ASK, ASK]);

    assert_eq!(ran.denied(), ["address"]);
    assert_eq!(ran.records("denials-repeated").len(), 1);
}

#[test]
fn addresses_written_as_hosts_are_judged_like_any_other() {
    let room = || AgentFixture::granted("host = \"http://169.254.169.254\"\npaths = [\"/**\"]").plain_http();

    assert_eq!(room().run(&["send GET http://169.254.169.254/latest/meta-data/"]).denied(), ["address"]);
    for spelling in [
        "http://2852039166/",
        "http://0xa9fea9fe/",
        "http://0251.0376.0251.0376/",
        "http://169.254.43518/",
        "http://[::ffff:169.254.169.254]/",
    ] {
        let ran = room().run(&[&format!("send GET {spelling}")]);
        assert!(["url", "destination"].contains(&ran.denied()[0]), "{spelling}: {:?}", ran.denied());
    }
}

#[test]
fn a_certificate_for_another_name_is_refused() {
    let ran = AgentFixture::granted("host = \"wrong.test\"\npaths = [\"/**\"]")
        .run(&["send GET https://wrong.test/ h:authorization=Bearer+{KEY}"]);

    assert!(ran.stdout.contains("TlsCertificateError"), "{}", ran.stdout);
    assert!(ran.seen.is_empty());
    assert!(ran.records("answer")[0]["error"].as_str().unwrap().contains("certificate"), "{:?}", ran.audit);
}

#[test]
fn an_expired_certificate_is_refused() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let expired = runtime.block_on(Server::https_expired(&["api.test"], |_| respond(200, "text/plain", "gotcha"))).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let ca = dir.path().join("ca.pem");
    std::fs::write(&ca, &expired.ca).unwrap();
    let config = strongroom::HostConfig::default().with(|new| {
        new.network_allow = vec!["127.0.0.1/32".parse().unwrap()];
        new.network_ca = vec![ca];
    });

    let ran =
        AgentFixture::new().host(|host| host.config(config).without_state().without_audit()).resolver(To(expired.address)).run(&[ASK]);

    assert!(ran.stdout.contains("TlsCertificateError"), "{}", ran.stdout);
    assert!(expired.seen().is_empty());
}

#[test]
fn a_certificate_of_an_unknown_authority_is_refused() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let other = runtime.block_on(Server::https(&["api.test"], |_| respond(200, "text/plain", "gotcha"))).unwrap();

    let ran = AgentFixture::new().resolver(To(other.address)).run(&[ASK]);

    assert!(ran.stdout.contains("TlsCertificateError"), "{}", ran.stdout);
    assert!(other.seen().is_empty());
}

#[test]
fn a_server_that_speaks_no_tls_gets_nothing() {
    let ran = AgentFixture::new().plain_http().run(&[ASK]);

    assert!(ran.stdout.contains("TlsProtocolError"), "{}", ran.stdout);
    assert!(ran.seen.is_empty());
}

#[test]
fn a_dead_api_an_unknown_name_and_a_slow_api_are_typed_errors() {
    let room = |host: &str| AgentFixture::granted(&format!("host = \"{host}\"\npaths = [\"/**\"]"));

    let dead = room("dead.test").run(&["send GET https://dead.test/"]);
    assert!(dead.stdout.contains("ConnectionRefused"), "{}", dead.stdout);

    let unknown = room("unknown.test").run(&["send GET https://unknown.test/"]);
    assert!(unknown.stdout.contains("DnsError"), "{}", unknown.stdout);

    // A listener that accepts and never answers.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let slow = AgentFixture::granted(&format!("host = \"http://slow.test:{port}\"\npaths = [\"/**\"]"))
        .resolver(Fixed(&["127.0.0.1"]))
        .run(&[&format!("send GET http://slow.test:{port}/ t:50")]);
    assert!(slow.stdout.contains("HttpResponseTimeout"), "{}", slow.stdout);
}

#[test]
fn an_answer_that_drips_is_given_up_after_the_time_that_a_piece_may_take() {
    let (port, server) = once(|_, stream| {
        stream.write_all(HALF).unwrap();
        // Held open until the client gives up.
        let _ = stream.read(&mut [0; 1]);
    });

    let ran = AgentFixture::granted(&format!("host = \"http://drip.test:{port}\"\npaths = [\"/**\"]"))
        .resolver(Fixed(&["127.0.0.1"]))
        .run(&[&format!("send GET http://drip.test:{port}/ t:200")]);

    server.join().unwrap();
    assert_eq!(ran.records("answer")[0]["error"], "nothing arrived for too long", "{}", ran.stdout);
}

#[test]
fn an_answer_that_stops_midway_is_a_typed_error() {
    let (port, server) = once(|_, stream| stream.write_all(HALF).unwrap());

    let ran = AgentFixture::granted(&format!("host = \"http://half.test:{port}\"\npaths = [\"/**\"]"))
        .resolver(Fixed(&["127.0.0.1"]))
        .run(&[&format!("send GET http://half.test:{port}/")]);

    server.join().unwrap();
    assert!(ran.stdout.contains("incomplete HTTP response"), "{}", ran.stdout);
    assert_eq!(ran.records("answer")[0]["error"], "the connection was lost");
}

#[test]
fn a_reason_phrase_that_repeats_the_key_is_not_handed_on() {
    let (port, server) = once(|request, stream| {
        let key = request.lines().find_map(|line| line.strip_prefix("authorization: Bearer ")).unwrap().to_owned();
        let answer =
            format!("HTTP/1.1 103 {key}\r\nlink: <{key}>\r\n\r\nHTTP/1.1 401 {key}\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno");
        stream.write_all(answer.as_bytes()).unwrap();
    });

    let ran = AgentFixture::granted(&format!("host = \"http://echo.test:{port}\"\npaths = [\"/**\"]"))
        .resolver(Fixed(&["127.0.0.1"]))
        .run(&[&format!("send GET http://echo.test:{port}/ h:authorization=Bearer+{{KEY}}")]);

    server.join().unwrap();
    assert!(ran.stdout.contains("send 401") && ran.stdout.contains("no"), "{}", ran.stdout);
}

#[test]
fn an_authority_that_the_operator_names_and_cant_be_read_is_an_error_that_says_so() {
    use strongroom::{Host, HostConfig};
    let dir = tempfile::tempdir().unwrap();
    for (content, says) in [("", "holds no certificate"), ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "ca.pem")] {
        let ca = dir.path().join("ca.pem");
        std::fs::write(&ca, content).unwrap();
        let config = HostConfig::default().with(|new| new.network_ca = vec![ca]);
        let error = Host::builder().config(config).without_audit().without_state().build().err().unwrap();
        assert!(error.to_string().contains(says), "{error}");
    }
}

#[test]
fn look_ups_that_were_given_up_still_count() {
    /// Never answers, and counts how often it was asked.
    struct Silent(std::sync::Arc<AtomicUsize>);
    #[async_trait::async_trait]
    impl Resolve for Silent {
        async fn resolve(&self, _host: &str, _port: u16) -> std::io::Result<Vec<SocketAddr>> {
            self.0.fetch_add(1, Ordering::SeqCst);
            std::future::pending().await
        }
    }
    let asked = std::sync::Arc::new(AtomicUsize::new(0));
    let operations: Vec<String> = (0..20).map(|i| format!("send GET https://a{i}.api.test/v1/x t:10")).collect();
    let operations: Vec<&str> = operations.iter().map(String::as_str).collect();

    let ran = AgentFixture::granted("host = \"*.api.test\"\npaths = [\"/v1/**\"]")
        .resolver(Silent(std::sync::Arc::clone(&asked)))
        .run(&operations);

    assert_eq!(ran.stdout.matches("HttpResponseTimeout").count(), 20, "{}", ran.stdout);
    assert_eq!(asked.load(Ordering::SeqCst), 8, "the rest waited for a place and were given up");
}

/// A proxy that opens tunnels, and remembers what it was asked; `answer` is its answer before each.
fn proxy(answer: &'static str) -> (u16, std::sync::mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (asked, asks) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut near = stream.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                near.read_exact(&mut byte).unwrap();
                head.extend(byte);
            }
            let head = String::from_utf8(head).unwrap();
            let target = head.split(' ').nth(1).unwrap().to_owned();
            asked.send(head).unwrap();
            near.write_all(answer.as_bytes()).unwrap();
            let Ok(mut far) = TcpStream::connect(target) else { continue };
            let (mut near_, mut far_) = (near.try_clone().unwrap(), far.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut near_, &mut far_));
            std::thread::spawn(move || std::io::copy(&mut far, &mut near));
        }
    });
    (port, asks)
}

#[test]
fn the_operators_proxy_opens_tunnels_to_the_address_that_was_checked() {
    let through = |answer, address: Option<&'static str>| {
        let (port, asks) = proxy(answer);
        let room = AgentFixture::new().proxy(&format!("http://127.0.0.1:{port}"));
        let room = match address {
            None => room,
            Some(address) => room.resolver(Fixed(Box::leak(Box::new([address])))),
        };
        (room.run(&[ASK]), asks.try_iter().collect::<Vec<String>>())
    };

    let (ran, asks) = through("HTTP/1.1 200 Connection established\r\n\r\n", None);
    assert_eq!(ran.seen.len(), 1, "{}", ran.stdout);
    assert!(asks[0].starts_with("CONNECT 127.0.0.1:"), "an address, no name: {}", asks[0]);
    assert!(!asks[0].contains("pf_live") && !asks[0].contains("api.test"), "{}", asks[0]);

    let (ran, asks) = through("HTTP/1.1 200 OK\r\n\r\n", Some("10.0.0.1"));
    assert_eq!((ran.denied(), asks.len()), (vec!["address"], 0), "what may not be reached is not reached through a proxy");

    let (ran, _) = through("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", None);
    assert!(ran.seen.is_empty() && ran.stdout.contains("ConnectionRefused"), "{}", ran.stdout);
}

#[test]
fn no_proxy_is_taken_from_the_environment() {
    // The suites run with these set, in the process of the binary: nothing listens there.
    let ran = std::process::Command::new(env!("CARGO_BIN_EXE_memory-under-test"))
        .envs(["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"].map(|name| (name, "http://127.0.0.1:1")))
        .output()
        .unwrap();

    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}
