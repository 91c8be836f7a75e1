//! What an embedder's subscriber hears of the host's calls to Vault where it takes everything, of every dependency and at every level:
//! neither what the server says, nor a token or another credential, nor a value.

use crate::backends::{AGENTS_POLICY, KEEPER_POLICY};
use serde_json::json;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use strongroom::manifest::{CredentialRef, VaultAuth, VaultConfig};
use strongroom::{Deposit, Entry, SecretBackend, VaultBackend};
use strongroom_demo::server::{Seen, Server, respond};
use strongroom_tests::VALUE;
use strongroom_tests::services::OpenBao;
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::util::SubscriberInitExt;

const SECOND: &str = "pf_live_00112233445566778899aabbccddeeff";
const TOKEN: &str = "s.a-token-that-nobody-hears";
const ROLE_ID: &str = "a-role-id-that-nobody-hears";
const SECRET_ID: &str = "a-secret-id-that-nobody-hears";
/// What a server says, beside what was asked of it.
const SAID: &str = "words-of-the-server";
/// How OpenBao refuses.
const REFUSED: &str = "permission denied";

/// All that was heard.
#[derive(Clone, Default)]
struct Ear(Arc<Mutex<Vec<u8>>>);

impl Write for Ear {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Some dependencies speak through `log`, which has one listener for each process.
impl log::Log for Ear {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        writeln!(self.clone(), "{} {}: {}", record.level(), record.target(), record.args()).unwrap();
    }

    fn flush(&self) {}
}

/// Set in the process of one of these tests.
const ALONE: &str = "STRONGROOM_TRACES_ALONE";

/// Does a test's work in a process of its own: what listens to `log` there listens to nobody else, and goes with it.
fn alone(test: &str, work: impl FnOnce()) {
    if std::env::var_os(ALONE).is_some() {
        return work();
    }
    let mut own = Command::new(std::env::current_exe().unwrap());
    let ended = own.args(["--exact", &format!("traces::{test}"), "--nocapture"]).env(ALONE, "1").output().unwrap();
    let told = String::from_utf8_lossy(&ended.stdout);
    assert!(ended.status.success() && told.contains("1 passed"), "{told}{}", String::from_utf8_lossy(&ended.stderr));
}

/// What is heard while `work` is done, which it is in this thread alone.
fn heard(work: impl Future<Output = ()>) -> String {
    let logged = Ear::default();
    log::set_boxed_logger(Box::new(logged.clone())).unwrap();
    log::set_max_level(log::LevelFilter::Trace);
    let traced = Ear::default();
    let writer = traced.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_span_events(FmtSpan::FULL)
        .with_writer(move || writer.clone())
        .finish();
    let taken = subscriber.set_default();
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work);
    drop(taken);
    let all = [traced.0.lock().unwrap().as_slice(), logged.0.lock().unwrap().as_slice()].concat();
    String::from_utf8_lossy(&all).into_owned()
}

fn assert_silent(heard: &str, secrets: &[&str]) {
    for secret in secrets {
        let around = heard.lines().find(|line| line.contains(secret));
        assert!(around.is_none(), "`{secret}` was heard: {around:?}");
    }
}

fn files(credentials: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in credentials {
        std::fs::write(dir.path().join(name), text).unwrap();
    }
    dir
}

fn by_token(address: &str, dir: &Path, ca: Option<&Path>) -> VaultBackend {
    let config = VaultConfig::new(address.to_owned(), VaultAuth::Token(CredentialRef::File(dir.join("token"))));
    VaultBackend::new(&config.with(|new| new.ca = ca.into_iter().map(Path::to_owned).collect())).unwrap()
}

/// A secret's whole life: written, read, written again, listed, and each of its versions taken away.
async fn a_whole_life(backend: &VaultBackend, path: &str) {
    let (store, entry) = (backend.store().unwrap(), Entry::new(path).field("KEY"));
    store.put(&entry, Deposit::new(VALUE), None).await.unwrap();
    store.put(&entry, Deposit::new(SECOND), Some("1")).await.unwrap();
    backend.get(&entry).await.unwrap();
    store.list().await.unwrap();
    store.delete(path, "2").await.unwrap();
    backend.get(&entry).await.unwrap_err();
    store.undelete(path, "2").await.unwrap();
    store.destroy(path, "1").await.unwrap();
    backend.get(&Entry::new("agents/nobody").field("KEY")).await.unwrap_err();
}

#[test]
fn a_subscriber_for_everything_hears_nothing_of_a_servers_secrets() {
    alone("a_subscriber_for_everything_hears_nothing_of_a_servers_secrets", || {
        let bao = OpenBao::shared();
        let (role_id, secret_id) = bao.role("heard", &format!("{AGENTS_POLICY}\n{KEEPER_POLICY}"), json!({}));
        let dir = files(&[("role-id", &role_id), ("secret-id", &secret_id), ("token", TOKEN)]);

        let heard = heard(async {
            let backend = VaultBackend::new(&OpenBao::config(bao.address.clone(), dir.path())).unwrap();
            a_whole_life(&backend, "agents/heard").await;
            let denied = backend.get(&Entry::new("others/denied").field("KEY")).await.err().unwrap();
            assert!(denied.to_string().contains("(403)"), "{denied}");
            backend.close().await;
            let unknown = by_token(&bao.address, dir.path(), None);
            unknown.get(&Entry::new("agents/heard").field("KEY")).await.unwrap_err();
        });

        assert!(heard.contains("hyper_util::client") && heard.contains("reqwest"), "dependencies are heard: {heard}");
        assert_silent(&heard, &[VALUE, SECOND, &role_id, &secret_id, TOKEN, REFUSED]);
    });
}

#[test]
fn nor_does_it_over_tls_and_http_2() {
    alone("nor_does_it_over_tls_and_http_2", || {
        let bao = OpenBao::start_tls();
        let dir = files(&[("token", bao.root())]);

        let heard = heard(async {
            let backend = by_token(&bao.address, dir.path(), bao.ca.as_deref());
            a_whole_life(&backend, "agents/heard").await;
        });

        assert!(heard.contains("h2::codec") && heard.contains("rustls::"), "dependencies are heard: {heard}");
        assert_silent(&heard, &[VALUE, SECOND, bao.root(), REFUSED]);
    });
}

/// A server that says something whatever it is asked: the end of the path is the status, or another way to fail.
fn talking(seen: &Seen) -> strongroom_demo::server::Response {
    let said = json!({"errors": [SAID, VALUE]});
    let (status, answer) = match (seen.path(), seen.path().rsplit('/').next().unwrap_or_default()) {
        ("/v1/auth/approle/login", _) => {
            (200, json!({"auth": {"client_token": TOKEN, "lease_duration": 3600, "renewable": true}, "warnings": [SAID]}))
        }
        ("/v1/sys/leases/renew", _) => (400, said),
        (_, "leased") => (200, json!({"data": {"password": VALUE}, "lease_id": "lease", "lease_duration": 60, "warnings": [SAID]})),
        (_, "whole") => (200, json!({"data": {"data": {"KEY": VALUE}, "metadata": {"version": 1}}, "warnings": [SAID]})),
        (_, "text") => return respond(200, "text/plain", format!("{SAID} {VALUE}")),
        (_, "other") => (200, json!({"data": {SAID: VALUE}})),
        (_, status) => (status.parse().unwrap_or(403), said),
    };
    respond(status, "application/json", answer.to_string())
}

#[test]
fn what_a_server_says_is_not_heard_however_it_fails() {
    alone("what_a_server_says_is_not_heard_however_it_fails", || {
        let dir = files(&[("role-id", ROLE_ID), ("secret-id", SECRET_ID)]);
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let server = runtime.block_on(Server::http(talking)).unwrap();

        let heard = heard(async {
            let backend = VaultBackend::new(&OpenBao::config(format!("http://{}", server.address), dir.path())).unwrap();
            backend.get(&Entry::new("agents/whole").field("KEY")).await.unwrap();
            for path in ["400", "403", "404", "412", "500", "503", "307", "text", "other"] {
                let entry = Entry::new(format!("agents/{path}")).field("KEY");
                let error = backend.get(&entry).await.err().unwrap().to_string();
                assert!(!error.contains(SAID) && !error.contains(VALUE), "{path}: {error}");
                let error = backend.store().unwrap().put(&entry, Deposit::new(SECOND), None).await.err().unwrap().to_string();
                assert!(!error.contains(SAID) && !error.contains(VALUE), "{path}: {error}");
            }
            let leased = backend.get(&Entry::new("database/creds/leased")).await.unwrap().lease.unwrap();
            backend.leases().unwrap().renew(&leased).await.unwrap_err();
            backend.leases().unwrap().revoke(&leased).await.unwrap_err();
            backend.close().await;
        });

        assert_silent(&heard, &[SAID, TOKEN, ROLE_ID, SECRET_ID, VALUE, SECOND]);
    });
}
