//! One run of the probe, with everything around it that a test wants to see.

use crate::echo;
use serde_json::Value;
use std::future::Future;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use strongroom::{
    Captured, End, Host, HostBuilder, HostConfig, LoadError, Manifest, Outcome, Resolve, RunError, RunOptions, StaticBackend,
};
use strongroom_demo::scan::Needle;
use strongroom_demo::server::{Response, Seen, Server};

/// The secret's name in the tests' manifests.
pub const KEY: &str = "KEY";
/// Its value.
pub const VALUE: &str = "pf_live_9f8e7d6c5b4a39281706f5e4d3c2b1a0";

/// The names that the tests' server answers to.
const NAMES: &[&str] = &["api.test", "sub.api.test", "other.test", "evil.test", "127.0.0.1", "localhost"];

/// Sees what the guest prints, as it does.
type Watcher = Box<dyn FnMut(&str) + Send>;
type Handler = Box<dyn Fn(&Seen) -> Response + Send + Sync>;

/// A test's set-up. By default: one secret `KEY`, granted to `api.test` for GET and POST below `/v1/`, and the echoing server.
pub struct Room {
    manifest: String,
    values: Vec<(String, String)>,
    handler: Option<Handler>,
    plain_http: bool,
    resolver: Option<Box<dyn Resolve>>,
    configure: Option<Box<dyn FnOnce(HostBuilder) -> HostBuilder>>,
    guest: &'static str,
    component: Option<Vec<u8>>,
    names: Vec<String>,
    http1: bool,
    watched: Option<Watcher>,
    proxy: Option<String>,
    allow: Vec<String>,
}

/// What came of it.
pub struct Ran {
    /// How it ended and what it used.
    pub outcome: Outcome,
    /// The guest's stdout.
    pub stdout: String,
    /// The guest's stderr.
    pub stderr: String,
    /// What it logged.
    pub log: String,
    /// The audit log's records.
    pub audit: Vec<Value>,
    /// What the server saw.
    pub seen: Vec<Seen>,
    /// Where the value was found, of all places that the guest or a reader of logs can see.
    pub leaks: Vec<String>,
    /// Bytes of guest memory searched.
    pub searched: usize,
}

/// Sends every name to one address.
struct To(SocketAddr);

#[async_trait::async_trait]
impl Resolve for To {
    async fn resolve(&self, host: &str, _port: u16) -> std::io::Result<Vec<SocketAddr>> {
        match host {
            "unknown.test" => Err(std::io::ErrorKind::NotFound.into()),
            "dead.test" => Ok(vec![SocketAddr::new(self.0.ip(), 1)]),
            _ => Ok(vec![self.0]),
        }
    }
}

impl Default for Room {
    fn default() -> Self {
        Self::new()
    }
}

impl Room {
    /// The default set-up.
    #[must_use]
    pub fn new() -> Self {
        Self::granted("host = \"api.test\"\nmethods = [\"GET\", \"POST\"]\npaths = [\"/v1/**\"]")
    }

    /// `KEY` with one grant of these lines.
    #[must_use]
    pub fn granted(allow: &str) -> Self {
        Self::with(&format!("[secrets.KEY]\nplaceholder = \"pf_live_{{hex:32}}\"\nexpose = \"env\"\n[[secrets.KEY.allow]]\n{allow}\n"))
    }

    /// A manifest with these lines after its name and component.
    #[must_use]
    pub fn with(manifest: &str) -> Self {
        Self {
            manifest: format!("name = \"probe-1\"\ncomponent = \"probe.wasm\"\n{manifest}\n"),
            values: vec![(KEY.into(), VALUE.into())],
            handler: None,
            plain_http: false,
            resolver: None,
            configure: None,
            guest: "probe",
            component: None,
            names: NAMES.iter().map(|&name| name.to_owned()).collect(),
            http1: false,
            watched: None,
            proxy: None,
            allow: Vec::new(),
        }
    }

    /// Adds lines to the manifest.
    #[must_use]
    pub fn and(mut self, lines: &str) -> Self {
        self.manifest.push_str(lines);
        self.manifest.push('\n');
        self
    }

    /// Lets the host connect to these networks too.
    #[must_use]
    pub fn network(mut self, allow: &[String]) -> Self {
        self.allow.extend_from_slice(allow);
        self
    }

    /// Adds a line to the manifest, behind the line of this number.
    #[must_use]
    pub fn inserted(mut self, after: usize, line: &str) -> Self {
        let mut lines: Vec<&str> = self.manifest.lines().collect();
        lines.insert(after, line);
        self.manifest = lines.join("\n");
        self
    }

    /// Adds a value to the backend, or changes it.
    #[must_use]
    pub fn value(mut self, name: &str, value: &str) -> Self {
        self.values.retain(|(known, _)| known != name);
        self.values.push((name.into(), value.into()));
        self
    }

    /// Answers requests by itself instead of echoing.
    #[must_use]
    pub fn server(mut self, handler: impl Fn(&Seen) -> Response + Send + Sync + 'static) -> Self {
        self.handler = Some(Box::new(handler));
        self
    }

    /// Serves plain HTTP.
    #[must_use]
    pub fn plain_http(mut self) -> Self {
        self.plain_http = true;
        self
    }

    /// Looks names up instead of sending all to the server.
    #[must_use]
    pub fn resolver(mut self, resolver: impl Resolve + 'static) -> Self {
        self.resolver = Some(Box::new(resolver));
        self
    }

    /// Changes the host's set-up.
    #[must_use]
    pub fn host(mut self, configure: impl FnOnce(HostBuilder) -> HostBuilder + 'static) -> Self {
        self.configure = Some(Box::new(configure));
        self
    }

    /// Sends everything through a proxy.
    #[must_use]
    pub fn proxy(mut self, url: &str) -> Self {
        self.proxy = Some(url.to_owned());
        self
    }

    /// Runs another guest than the probe.
    #[must_use]
    pub fn guest(mut self, guest: &'static str) -> Self {
        self.guest = guest;
        self
    }

    /// Runs a component that is no guest of the workspace.
    #[must_use]
    pub fn component(mut self, component: Vec<u8>) -> Self {
        self.component = Some(component);
        self
    }

    /// Serves under these names alone, over HTTP/1.1, as an API with many clients does.
    #[must_use]
    pub fn names<'n>(mut self, names: impl Iterator<Item = &'n str>) -> Self {
        self.names = names.map(str::to_owned).collect();
        self.http1 = true;
        self
    }

    /// Tells of the guest's stdout as it comes.
    #[must_use]
    pub fn watched(mut self, watch: impl FnMut(&str) + Send + 'static) -> Self {
        self.watched = Some(Box::new(watch));
        self
    }

    /// Runs the probe with these operations, and checks that it exited in order and that no value got anywhere.
    #[must_use]
    pub fn run(self, operations: &[&str]) -> Ran {
        let ran = self.try_run(operations).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(ran.outcome.end, End::Exit(0), "{}\n{}", ran.stdout, ran.stderr);
        ran.assert_sealed();
        ran
    }

    /// Runs the probe with these operations, to whatever end.
    ///
    /// # Errors
    /// The host's, as text.
    pub fn try_run(self, operations: &[&str]) -> Result<Ran, String> {
        let operations: Vec<String> = operations.iter().map(|operation| (*operation).to_owned()).collect();
        block_on(self.perform(operations))
    }

    async fn perform(self, operations: Vec<String>) -> Result<Ran, String> {
        let handler = self.handler.unwrap_or_else(|| Box::new(echo::handle));
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        let server = match (self.plain_http, self.http1) {
            (true, _) => Server::http(handler).await,
            (false, true) => Server::https_1(&names, handler).await,
            (false, false) => Server::https(&names, handler).await,
        };
        let server = server.expect("a server on a free port");
        let dir = tempfile::tempdir().expect("a temporary directory");
        let ca = dir.path().join("ca.pem");
        std::fs::write(&ca, &server.ca).expect("a file in it");
        let allowed = ["127.0.0.1/32"].into_iter().chain(self.allow.iter().map(String::as_str));
        let mut config = HostConfig::default();
        config.network_allow = allowed.map(|net| net.parse().expect("a network")).collect();
        config.network_ca = if self.plain_http { Vec::new() } else { vec![ca] };
        config.audit_file = Some(dir.path().join("audit.jsonl"));
        config.state_dir = Some(state_dir());
        config.network_proxy = self.proxy.as_ref().map(|proxy| {
            let config = HostConfig::parse("strongroom.toml", &format!("[network]\nproxy = \"{proxy}\"")).expect("a configuration");
            config.network_proxy.expect("a proxy")
        });
        let needles: Arc<Vec<Needle>> = Arc::new(self.values.iter().map(|(name, value)| Needle::new(name, value)).collect());
        let found: Arc<Mutex<(Vec<String>, usize)>> = Arc::default();
        let (needles_, found_) = (Arc::clone(&needles), Arc::clone(&found));
        let mut backend = StaticBackend::new();
        for (name, value) in &self.values {
            backend = backend.with(name.clone(), value.clone());
        }
        let mut builder = Host::builder().config(config).max_agents(4).backend("static", backend).default_backend("static");
        builder = match self.resolver {
            Some(resolver) => builder.resolver(Boxed(resolver)),
            None => builder.resolver(To(server.address)),
        };
        builder = builder.inspect_memory(move |memory| {
            let mut found = found_.lock().unwrap_or_else(PoisonError::into_inner);
            found.1 += memory.len();
            found.0.extend(look(&needles_, "guest memory", memory));
        });
        if let Some(configure) = self.configure {
            builder = configure(builder);
        }
        let host = builder.build().map_err(|error| error.to_string())?;
        let manifest = self.manifest.replace("PORT", &server.address.port().to_string());
        let manifest = Manifest::parse("agent.toml", &manifest).map_err(|error| error.to_string())?;
        let component = self.component.unwrap_or_else(|| strongroom_components::bytes(self.guest));
        let agent = host.agent(manifest, &component).map_err(|error: LoadError| error.to_string())?;
        let (stdout, stderr, log) = (Captured::default(), Captured::default(), Captured::default());
        let log_sink = log.clone();
        let operations = operations.iter().map(|operation| operation.replace("PORT", &server.address.port().to_string()));
        let options = RunOptions::default().args(operations).stdout(Watched(stdout.clone(), self.watched)).stderr(stderr.clone()).on_log(
            move |record| {
                let _ = writeln!(log_sink.clone(), "{} {} {:?}", record.level.as_str(), record.message, record.fields);
            },
        );
        let outcome = agent.run(options).await.map_err(|error: RunError| error.to_string())?;
        let audit_text = std::fs::read_to_string(dir.path().join("audit.jsonl")).unwrap_or_default();
        let (stdout, stderr, log) = (stdout.text(), stderr.text(), log.text());
        let (mut leaks, searched) = std::mem::take(&mut *found.lock().unwrap_or_else(PoisonError::into_inner));
        for (place, text) in [("stdout", &stdout), ("stderr", &stderr), ("the log", &log), ("the audit log", &audit_text)] {
            leaks.extend(look(&needles, place, text.as_bytes()));
        }
        let end = format!("{:?}", outcome.end);
        leaks.extend(look(&needles, "the outcome", end.as_bytes()));
        let audit = audit_text.lines().map(|line| serde_json::from_str(line).expect("a record")).collect();
        Ok(Ran { outcome, stdout, stderr, log, audit, seen: server.seen(), leaks, searched })
    }
}

/// Output that is kept, and told of.
struct Watched(Captured, Option<Watcher>);

impl Write for Watched {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if let Some(watch) = &mut self.1 {
            watch(&String::from_utf8_lossy(bytes));
        }
        self.0.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

/// A resolver behind a pointer.
struct Boxed(Box<dyn Resolve>);

#[async_trait::async_trait]
impl Resolve for Boxed {
    async fn resolve(&self, host: &str, port: u16) -> std::io::Result<Vec<SocketAddr>> {
        self.0.resolve(host, port).await
    }
}

impl Ran {
    /// Fails if the value was found anywhere that a guest or a reader of logs can see, or if nothing was searched.
    pub fn assert_sealed(&self) {
        assert!(self.searched > 0, "no guest memory was searched");
        assert_eq!(self.leaks, Vec::<String>::new(), "{}", self.stdout);
    }

    /// The denials' rules, in order.
    #[must_use]
    pub fn denied(&self) -> Vec<&str> {
        self.records("denial").iter().filter_map(|record| record["rule"].as_str()).collect()
    }

    /// The audit records of one event.
    #[must_use]
    pub fn records(&self, event: &str) -> Vec<&Value> {
        self.audit.iter().filter(|record| record["event"] == event).collect()
    }
}

fn look(needles: &[Needle], place: &str, bytes: &[u8]) -> Vec<String> {
    needles.iter().filter_map(|needle| needle.find(bytes).map(|(form, _)| format!("{} ({form}) in {place}", needle.name))).collect()
}

/// The server's requests to one host.
#[must_use]
pub fn requests_of<'s>(seen: &'s [Seen], host: &str) -> Vec<&'s Seen> {
    seen.iter().filter(|seen| seen.host == host).collect()
}

/// Runs a future to its end, on a runtime of its own.
///
/// # Panics
/// Where the runtime can't start.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime").block_on(future)
}

/// The state directory that all tests share, so that each component is compiled once.
pub(crate) fn state_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tests-state")
}
