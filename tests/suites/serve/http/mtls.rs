//! TLS: callers with certificates, and those without.

use super::{BEARER, House, Plan, Reply, TOKEN};
use rcgen::{CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};
use rustls::pki_types::{PrivateKeyDer, ServerName};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use strongroom::manifest::{CredentialRef, ListenConfig};

type Issuer = CertifiedIssuer<'static, KeyPair>;

/// A certificate with its key.
type Identity = (rcgen::Certificate, KeyPair);

fn authority() -> Issuer {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn certificate(issuer: &Issuer, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Identity {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
    change(&mut params);
    (params.signed_by(&key, issuer).unwrap(), key)
}

/// A house behind TLS, whose agent `bot` takes certificates of `callers` for two names, and `other` those of another authority.
fn house(server: &Issuer, callers: &Issuer, others: &Issuer) -> House {
    let dir = tempfile::tempdir().unwrap();
    let (own, key) = certificate(server, &["127.0.0.1"], |_| {});
    let path = |name: &str| dir.path().join(name);
    std::fs::write(path("cert.pem"), own.pem()).unwrap();
    std::fs::write(path("key.pem"), key.serialize_pem()).unwrap();
    std::fs::create_dir(path("agents")).unwrap();
    std::fs::write(path("agents/callers.pem"), callers.pem()).unwrap();
    std::fs::write(path("agents/others.pem"), others.pem()).unwrap();
    let listen = ListenConfig::with_tls(SocketAddr::from(([127, 0, 0, 1], 0)), path("cert.pem"), CredentialRef::File(path("key.pem")));
    let trigger =
        |authority: &str| format!("auth = {{ mtls = \"{authority}.pem\", names = [\"ci.example.com\", \"spiffe://example.com/ci\"] }}");
    let agents = [("bot", trigger("callers")), ("other", trigger("others")), ("bearer", BEARER.to_owned())];
    let agents: Vec<_> = agents.iter().map(|(name, trigger)| (*name, trigger.as_str(), "")).collect();
    House::in_directory(dir, &agents, Plan { listen: Some(listen), ..Plan::default() })
}

/// Calls with a certificate, or without.
fn call(house: &House, server: &Issuer, identity: Option<&Identity>, path: &str) -> Reply {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(server.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(roots);
    let config = match identity {
        None => config.with_no_client_auth(),
        Some((certificate, key)) => {
            let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
            config.with_client_auth_cert(vec![certificate.der().clone()], key).unwrap()
        }
    };
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let connection = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = rustls::StreamOwned::new(connection, TcpStream::connect(house.address).unwrap());
    let request = house.by_bearer(path).header("x-forwarded-client-cert", "Subject=\"CN=ci.example.com\"").body("").whole();
    // A handshake that is refused fails here, or as the answer is read.
    let _ = std::io::Write::write_all(&mut stream, &request);
    Reply::read(stream)
}

#[test]
fn a_certificate_lets_in_whom_the_manifest_names() {
    let (server, callers, others) = (authority(), authority(), authority());
    let house = house(&server, &callers, &others);
    let of = |names: &[&str]| certificate(&callers, names, |_| {});
    let uri = certificate(&callers, &[], |params| {
        params.subject_alt_names = vec![SanType::URI("spiffe://example.com/ci".try_into().unwrap())];
    });

    let reply = call(&house, &server, Some(&of(&["x.example.com", "ci.example.com"])), "/bot?seen");
    assert!(reply.status == 200 && reply.body.starts_with("POST Some(Scheme::Https) "), "{reply:?}");
    assert!(!reply.body.contains("x-forwarded-client-cert") && !reply.body.contains("BEGIN"), "{}", reply.body);
    assert_eq!(call(&house, &server, Some(&uri), "/bot").status, 200);
    let called = house.wait_for("called", 2);
    let callers: Vec<&str> = called.iter().map(|record| record["caller"].as_str().unwrap()).collect();
    assert_eq!((callers, &called[0]["by"]), (vec!["ci.example.com", "spiffe://example.com/ci"], &"mtls".into()));
    // Whoever proves by a token who it is needs no certificate. It is not told to the agent that knows its callers otherwise.
    assert_eq!(call(&house, &server, None, "/bearer").status, 200);
    assert!(!reply.body.contains("authorization"), "{}", reply.body);

    // Another authority in the same file counts from the next reading on, and the old one no more.
    let pem = house.dir.path().join("agents/callers.pem");
    std::fs::copy(house.dir.path().join("agents/others.pem"), pem).unwrap();
    let reloaded = house.runtime.block_on(house.supervisor.reload()).unwrap();
    assert_eq!(reloaded.changed, ["bot"]);
    assert_eq!(call(&house, &server, Some(&certificate(&others, &["ci.example.com"], |_| {})), "/bot").status, 200);
}

#[test]
fn http_2_has_the_same_rules_and_a_run_for_each_stream() {
    let (server, callers, others) = (authority(), authority(), authority());
    let house = house(&server, &callers, &others);
    let mut roots = rustls::RootCertStore::empty();
    roots.add(server.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let address = house.address;

    let statuses: Vec<u16> = house.runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let stream = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
        let (executor, stream) = (hyper_util::rt::TokioExecutor::new(), hyper_util::rt::TokioIo::new(stream));
        let (sender, connection) = hyper::client::conn::http2::handshake(executor, stream).await.unwrap();
        tokio::spawn(connection);
        let request = |path: &str, more: &[(&str, &str)]| {
            let request = http::Request::post(format!("https://{address}{path}"));
            let request = more.iter().fold(request, |request, (name, value)| request.header(*name, *value));
            request.body(http_body_util::Empty::<bytes::Bytes>::new()).unwrap()
        };
        let (bearer, lie, own) = (format!("Bearer {TOKEN}"), "evil.example", address.to_string());
        let requests = [
            request("/bearer?count", &[("authorization", &bearer)]),
            request("/bearer?count", &[("authorization", &bearer), ("host", &own)]),
            request("/bearer?count", &[("authorization", &bearer), ("host", lie)]),
            request("/bearer?count", &[("authorization", "Bearer x")]),
            request("/x/../bearer", &[("authorization", &bearer)]),
            request("/bot", &[("authorization", &bearer)]),
        ];
        let sent = requests.map(|request| {
            let mut sender = sender.clone();
            async move { sender.send_request(request).await.unwrap().status().as_u16() }
        });
        futures_util::future::join_all(sent).await
    });

    assert_eq!(statuses, [200, 200, 400, 401, 400, 401]);
    house.wait_for("run-end", 2);
    assert_eq!(house.records("run-start").len(), 2);
}

#[test]
fn every_other_certificate_is_turned_away_and_begins_no_run() {
    let (server, callers, others, strangers) = (authority(), authority(), authority(), authority());
    let house = house(&server, &callers, &others);
    let of = |issuer: &Issuer, names: &[&str]| certificate(issuer, names, |_| {});
    let good = of(&callers, &["ci.example.com"]);
    let expired = certificate(&callers, &["ci.example.com"], |params| {
        (params.not_before, params.not_after) = (rcgen::date_time_ymd(2001, 1, 1), rcgen::date_time_ymd(2002, 1, 1));
    });
    let server_only = certificate(&callers, &["ci.example.com"], |params| {
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    });
    let common_name = certificate(&callers, &["x.example.com"], |params| {
        params.distinguished_name.push(rcgen::DnType::CommonName, "ci.example.com");
    });

    for (what, identity, path, why) in [
        ("none", None, "/bot", "there is no certificate"),
        ("that of another agent's callers", Some(&good), "/other", "the certificate is not valid, or of another authority"),
        ("another name", Some(&of(&callers, &["ci.example.org"])), "/bot", "the certificate has another name"),
        ("a wildcard", Some(&of(&callers, &["*.example.com"])), "/bot", "the certificate has another name"),
        ("the name as a common name", Some(&common_name), "/bot", "the certificate has another name"),
        ("the name in another case", Some(&of(&callers, &["CI.example.com"])), "/bot", "the certificate has another name"),
    ] {
        let reply = call(&house, &server, identity, path);
        assert_eq!((reply.status, reply.body.as_str()), (401, ""), "{what}");
        assert_eq!(house.records("caller-refused").last().unwrap()["reason"], why, "{what}");
    }
    // No agent's authority has signed these, or not for this, or not for today: TLS itself refuses them.
    for (what, identity) in [("of strangers", &of(&strangers, &["ci.example.com"])), ("expired", &expired), ("of a server", &server_only)] {
        let reply = call(&house, &server, Some(identity), "/bot");
        assert_eq!(reply.status, 0, "{what}: {reply:?}");
    }
    assert!(house.records("run-start").is_empty());
    assert!(!std::fs::read_to_string(house.dir.path().join("audit.jsonl")).unwrap().contains(TOKEN));
}

#[test]
fn what_a_listener_needs_is_said_before_anything_runs() {
    let dir = tempfile::tempdir().unwrap();
    let listen = |certificate: &Path| {
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        ListenConfig::with_tls(address, certificate.to_owned(), CredentialRef::File(dir.path().join("key.pem")))
    };
    let (own, _) = certificate(&authority(), &["127.0.0.1"], |_| {});
    std::fs::write(dir.path().join("cert.pem"), own.pem()).unwrap();
    std::fs::write(dir.path().join("key.pem"), KeyPair::generate().unwrap().serialize_pem()).unwrap();
    let host = || strongroom::Host::builder().without_state().without_audit().build().unwrap();
    let refused = |listen: ListenConfig| {
        let serving = strongroom::serve::Serving::new(|_, _| strongroom::RunOptions::default()).listen(listen);
        strongroom::serve::Supervisor::new(host(), dir.path(), serving).err().unwrap().to_string()
    };

    assert!(ListenConfig::new("0.0.0.0:0".parse().unwrap()).is_err(), "beyond this machine there is TLS");
    assert!(refused(listen(&dir.path().join("cert.pem"))).contains("it is not that of the certificate"));
    assert!(refused(listen(&dir.path().join("none.pem"))).contains("none.pem: can't be read"));
}
