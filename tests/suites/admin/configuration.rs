//! The interface goes by the configuration as it is now: who may ask, by what, and by which certificate the host answers.

use super::document::{House, token};
use crate::serve::process::Agents;
use rcgen::{CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::sync::Arc;

type Tls = rustls::StreamOwned<rustls::ClientConnection, TcpStream>;

impl House {
    /// A connection, which trusts the authority of that file.
    fn connect(&self, authority: &str) -> Tls {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.agents.path(authority)).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_root_certificates(roots).with_no_client_auth();
        let connection = rustls::ClientConnection::new(Arc::new(config), ServerName::try_from("127.0.0.1").unwrap()).unwrap();
        rustls::StreamOwned::new(connection, TcpStream::connect(self.url.strip_prefix("https://").unwrap()).unwrap())
    }

    /// The answer to one request of a role's client.
    fn ask(&self, role: &str, method: &str, target: &str) -> (u16, Value) {
        answer(self.connect("ca.pem"), role, method, target)
    }

    fn configuration(&self) -> String {
        std::fs::read_to_string(self.agents.path("strongroom.toml")).unwrap()
    }

    fn configure(&self, text: &str) {
        std::fs::write(self.agents.path("new"), text).unwrap();
        std::fs::rename(self.agents.path("new"), self.agents.path("strongroom.toml")).unwrap();
    }
}

fn request(role: &str, method: &str, target: &str, connection: &str) -> String {
    let token = token(role);
    format!("{method} {target} HTTP/1.1\r\nhost: strongroom\r\nconnection: {connection}\r\nauthorization: Bearer {token}\r\n\r\n")
}

fn answer(mut stream: impl Read + Write, role: &str, method: &str, target: &str) -> (u16, Value) {
    stream.write_all(request(role, method, target, "close").as_bytes()).unwrap();
    let mut text = Vec::new();
    // The other end closes without more words.
    let _ = stream.read_to_end(&mut text);
    let text = String::from_utf8(text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), serde_json::from_str(body).unwrap())
}

/// Reads the head of an answer, and the body that it says is there.
fn head(stream: &mut impl Read) -> String {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
    stream.read_exact(&mut vec![0; length]).unwrap();
    head
}

#[test]
fn whoever_was_taken_out_is_answered_no_more_by_whatever_connection() {
    let mut house = House::new();
    let before = house.configuration();
    // A connection that is kept, and one by which lines are followed.
    let mut kept = house.connect("ca.pem");
    kept.write_all(request("viewer", "GET", "/v1/host", "keep-alive").as_bytes()).unwrap();
    assert!(head(&mut kept).starts_with("http/1.1 200 "));
    let mut following = house.connect("ca.pem");
    following.write_all(request("viewer", "GET", "/v1/logs?follow=true", "keep-alive").as_bytes()).unwrap();
    assert!(head(&mut following).starts_with("http/1.1 200 "));
    let mut others = house.connect("ca.pem");
    others.write_all(request("admin", "GET", "/v1/logs?follow=true", "close").as_bytes()).unwrap();
    head(&mut others);

    let client = |role: &str| format!("[[admin.clients]]\nname = \"{role}-1\"\nrole = \"{role}\"\ntoken = \"file:{role}.token\"\n");
    let less = before.replace(&client("viewer"), "").replace("role = \"operator\"\ntoken", "role = \"viewer\"\ntoken");
    house.configure(&less);
    house.served.signal("HUP");
    house.served.wait_for(&["counts from now on: admin.clients"]);

    kept.write_all(request("viewer", "GET", "/v1/host", "keep-alive").as_bytes()).unwrap();
    assert!(head(&mut kept).starts_with("http/1.1 401 "));
    assert_eq!(house.ask("viewer", "GET", "/v1/host").0, 401);
    // What was followed ends, and what others follow goes on.
    let mut rest = Vec::new();
    let _ = following.read_to_end(&mut rest);
    assert_eq!(house.ask("operator", "POST", "/v1/reload").0, 403);
    assert_eq!(house.ask("operator", "GET", "/v1/host").1["role"], "viewer");
    assert_eq!(house.ask("admin", "POST", "/v1/agents/yearly/trigger").0, 200);
    let mut line = [0; 1];
    others.read_exact(&mut line).unwrap();

    house.configure(&before);
    let (status, reloaded) = house.ask("admin", "POST", "/v1/reload");
    assert_eq!((status, &reloaded["configuration"]["changed"]), (200, &serde_json::json!(["admin.clients"])));
    assert_eq!(house.ask("viewer", "GET", "/v1/host").0, 200);
    // Who was turned away is in the audit log.
    let log = std::fs::read_to_string(house.agents.path("audit.jsonl")).unwrap();
    let turned_away: Vec<Value> =
        log.lines().filter(|line| line.contains("\"operator-refused\"")).map(|line| serde_json::from_str(line).unwrap()).collect();
    let count: u64 = turned_away.iter().map(|record| 1 + record["more"].as_u64().unwrap_or(0)).sum();
    assert!(turned_away.iter().all(|record| record["status"] == 401 && record["from"] == "127.0.0.1"), "{turned_away:?}");
    assert!((1..=2).contains(&count), "{turned_away:?}");
    house.served.terminate();
}

#[test]
fn a_certificate_that_is_another_counts_for_new_connections_and_a_broken_one_does_not() {
    let mut house = House::new();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "another authority of the tests");
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    let write = |file: &str, text: &str| std::fs::write(house.agents.path(file), text).unwrap();
    write("other-ca.pem", &authority.pem());

    write("cert.pem", "no certificate");
    let (status, reloaded) = house.ask("admin", "POST", "/v1/reload");
    let refused = reloaded["configuration"]["refused"].as_str().unwrap();
    assert!(status == 200 && refused.contains("cert.pem: it holds no certificate"), "{reloaded}");
    assert!(house.ask("viewer", "GET", "/v1/host").1["configuration"]["refused"].is_string());
    write("cert.pem", &certificate.pem());
    write("key.pem", &key.serialize_pem());
    house.served.signal("HUP");
    house.served.wait_for(&["read anew, serving 2 agents"]);

    assert_eq!(answer(house.connect("other-ca.pem"), "viewer", "GET", "/v1/host").0, 200);
    assert!(house.connect("ca.pem").write_all(request("viewer", "GET", "/v1/host", "close").as_bytes()).is_err());
    house.served.terminate();
}

#[test]
fn others_of_the_machine_reach_the_socket_as_long_as_some_are_named() {
    let agents = Agents::new().apart().agent("one", &["print one"], "[trigger]\ncron = \"0 0 1 1 *\"");
    let before = std::fs::read_to_string(agents.path("strongroom.toml")).unwrap() + "\n[admin]\nsocket = \"admin.sock\"\n";
    let configure = |text: &str| std::fs::write(agents.path("strongroom.toml"), text).unwrap();
    let mode = || std::fs::metadata(agents.path("admin.sock")).unwrap().permissions().mode() & 0o777;
    configure(&before);
    let mut served = agents.serve();
    served.wait_for(&["1 agent"]);
    assert_eq!(mode(), 0o600);

    for (peers, expected) in [("[[admin.peers]]\nuser = 70001\nrole = \"viewer\"\n", 0o666), ("", 0o600)] {
        configure(&format!("{before}{peers}"));
        served.signal("HUP");
        served.wait_for_another(&["counts from now on: admin.peers"]);
        assert_eq!(mode(), expected);
    }
    served.terminate();
}

#[test]
fn a_version_of_a_secret_is_taken_out_of_use_and_into_it_again() {
    let house = House::new();
    let secret = || house.ask("admin", "GET", "/v1/secrets").1[0]["secrets"][0].clone();
    let path = secret()["path"].as_str().unwrap().to_owned();
    let change = |verb: &str, query: &str| house.ask("admin", "POST", &format!("/v1/secrets/store/{verb}?{query}"));

    let (status, done) = change("rm-version", &format!("path={path}&version=1"));
    assert_eq!((status, &done["done"], &secret()["version"]), (200, &"out of use".into(), &Value::Null), "{done}");
    let (status, done) = change("restore", &format!("path={path}&version=1"));
    assert_eq!((status, &done["done"], &secret()["version"]), (200, &"in use again".into(), &"1".into()), "{done}");
    for (query, expected, detail) in [
        ("version=1", 400, "`path` is missing"),
        // As clients write a slash in a query.
        ("path=agents%2Fnone&version=1", 404, ""),
        ("path=agents/none&version=1", 404, ""),
        (&format!("path={path}&version=9"), 404, ""),
        ("path=strongroom/rotation/bot&version=1", 400, "the host's own"),
        ("path=/etc/passwd&version=1", 400, "`path` is not a path"),
    ] {
        let (status, problem) = change("rm-version", query);
        assert!(status == expected && problem["detail"].as_str().unwrap().contains(detail), "{query}: {status} {problem}");
    }
    let (status, _) = change("rm-version", &format!("path={path}&version=1&destroy=true"));
    assert_eq!(status, 200);
    assert_eq!(change("restore", &format!("path={path}&version=1")).0, 404);
    // Nobody but an admin is in the log as one who did it.
    let log = std::fs::read_to_string(house.agents.path("audit.jsonl")).unwrap();
    let asked = log.lines().filter(|line| line.contains("\"removeVersion\"")).count();
    assert!(asked > 1 && log.contains(&format!("\"subject\":\"store?path={path}&version=1\"")), "{log}");
    house.served.terminate();
}

#[test]
fn a_ledger_is_confirmed_while_the_host_has_it_open() {
    let friend = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
    let signs = format!("sign wallet fields chain:1 nonce:0 gas:21000 to:{friend} value:1 max:0 priority:0");
    let manifest = format!(
        "[trigger]\ncron = \"0 0 1 1 *\"\n[signers.wallet]\nfrom = \"file:bot/wallet\"\nchains = [1]\nrecipients = [\"{friend}\"]\nmax_value = \"1\"\n\
         [[signers.wallet.limit]]\nasset = \"ETH\"\nchain = 1\nday = \"2\"\n"
    );
    let agents = Agents::new().apart().agent("bot", &[&signs], &manifest);
    let config = std::fs::read_to_string(agents.path("strongroom.toml")).unwrap();
    let more = "\n[signing]\nhot_limit = { ETH = \"2\" }\n[backends.file]\ntype = \"file\"\npath = \"secrets.age\"\nkey = \"file:secrets.key\"\n\
                [admin]\nsocket = \"admin.sock\"\n";
    std::fs::write(agents.path("strongroom.toml"), config + more).unwrap();
    let done = |verb: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_strongroom-under-test"));
        let output = command.args(verb).args(["--config", "strongroom.toml"]).current_dir(agents.path(".")).env_clear().output().unwrap();
        assert!(output.status.success(), "{verb:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    done(&["secrets", "init"]);
    done(&["wallet", "new", "wallet", "--namespace", "bot", "--backend", "file"]);
    let mut served = agents.serve();
    served.wait_for(&["1 agent"]);
    // The ledger is open from the first signature that was asked for, and does not know the key.
    done(&["trigger", "bot"]);
    served.wait_for(&["bot ", "| sign denied by rule `ledger`"]);
    served.wait_for(&["bot", "has ended"]);

    let socket = || UnixStream::connect(agents.path("admin.sock")).unwrap();
    let (status, confirmed) = answer(socket(), "admin", "POST", "/v1/limits/bot/confirm");
    assert!(status == 200 && confirmed[0]["signer"] == "wallet", "{confirmed}");
    assert_eq!(answer(socket(), "admin", "POST", "/v1/limits/nobody/confirm").0, 404);

    done(&["trigger", "bot"]);
    served.wait_for_another(&["bot", "has ended"]);
    served.terminate();
    let log = std::fs::read_to_string(agents.path("audit.jsonl")).unwrap();
    assert!(log.contains("\"event\":\"signed\"") && log.contains("\"operation\":\"confirmLimits\""), "{log}");
}

#[test]
fn a_client_that_is_withdrawn_with_the_address_has_no_role_though_the_certificate_is_gone() {
    let mut house = House::new();
    let before = house.configuration();
    let admin = before.find("[admin]").unwrap();
    assert_eq!(house.ask("viewer", "GET", "/v1/host").0, 200);

    house.configure(&before[..admin]);
    ["cert.pem", "key.pem"].iter().for_each(|file| std::fs::remove_file(house.agents.path(file)).unwrap());
    house.served.signal("HUP");

    house.served.wait_for(&["counts from now on: admin.clients"]);
    house.served.wait_for(&["counts after a restart: admin.listen"]);
    assert_eq!(house.ask("viewer", "GET", "/v1/host").0, 401);
    house.served.terminate();
}
