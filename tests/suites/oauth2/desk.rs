//! What the tests of tokens stand on: a secret in an encrypted file, a token endpoint, an API that takes bearer tokens, and hosts, each like a
//! process of its own.

use bytes::Bytes;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use serde_json::Value;
use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use strongroom::{
    Captured, Deposit, End, Entry, FileBackend, FileKey, Host, HostConfig, Manifest, Resolve, RunOptions, SecretBackend, SecretStore,
};
use strongroom_demo::scan::Needle;
use strongroom_demo::server::{Seen, Server, respond};
use strongroom_tests::token_endpoint::{Answer, TokenEndpoint};
use tokio::sync::watch;

/// The client's secret, or what else the endpoint knows it by.
pub const SECRET: &str = "client-secret-51d0b7c2f94e";

/// A run.
pub struct Ran {
    pub stdout: String,
}

pub struct Desk {
    pub endpoint: TokenEndpoint,
    pub dir: tempfile::TempDir,
    api: Server,
    manifest: String,
    rules: Arc<Mutex<Rules>>,
    slept: Arc<AtomicU64>,
    runtime: tokio::runtime::Runtime,
    needles: Arc<Mutex<Vec<Needle>>>,
    leaks: Arc<Mutex<Vec<String>>>,
}

/// What the API does.
struct Rules {
    rejected: Vec<String>,
    echoed: Vec<String>,
    /// How many agents have met.
    met: watch::Sender<usize>,
}

impl Default for Rules {
    fn default() -> Self {
        Self { rejected: Vec::new(), echoed: Vec::new(), met: watch::channel(0).0 }
    }
}

/// How many agents meet before an hour goes by.
pub const MEETING: usize = 4;

struct To(SocketAddr);

#[async_trait::async_trait]
impl Resolve for To {
    async fn resolve(&self, _host: &str, _port: u16) -> std::io::Result<Vec<SocketAddr>> {
        Ok(vec![self.0])
    }
}

/// A manifest with this scheme, and `KEY` granted at the API.
pub fn granted(scheme: &str) -> String {
    format!(
        "name = \"bot\"\ncomponent = \"probe.wasm\"\n[secrets.KEY]\nfrom = \"file:bot#KEY\"\n{scheme}\nexpose = \"env\"\n\
         [[secrets.KEY.allow]]\nhost = \"api.test\"\nmethods = [\"GET\", \"POST\"]\npaths = [\"/**\"]\n\
         [secrets.CLIENT_SECRET]\nfrom = \"file:bot#CLIENT_SECRET\"\nrequired = false\n"
    )
}

/// The tokens that the API got, in order.
pub fn bearer(seen: &[Seen]) -> Vec<String> {
    seen.iter().map(|seen| seen.header("authorization").trim_start_matches("Bearer ").to_owned()).collect()
}

impl Desk {
    /// The secret `KEY` with this scheme and value; `URL` stands for the endpoint, which answers so.
    pub fn new(scheme: &str, secret: &str, answers: impl IntoIterator<Item = Answer>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let endpoint = TokenEndpoint::start(answers);
        let (rules, slept): (Arc<Mutex<Rules>>, Arc<AtomicU64>) = Default::default();
        let api = runtime.block_on(Server::https(&["api.test"], answering(Arc::clone(&rules), Arc::clone(&slept)))).unwrap();
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("ca.pem"), [endpoint.ca.as_str(), &api.ca].join("\n")).unwrap();
        let identity = dir.path().join("identity.txt");
        FileKey::create_identity(&identity).unwrap();
        let port = endpoint.url.trim_end_matches("/token").rsplit(':').next().unwrap().to_owned();
        let manifest = granted(scheme).replace("URL", &endpoint.url).replace("PORT", &port);
        let desk = Self { endpoint, dir, api, manifest, rules, slept, runtime, needles: Arc::default(), leaks: Arc::default() };
        desk.backend().create().unwrap();
        desk.keep("KEY", secret);
        desk
    }

    /// Lines behind the manifest.
    pub fn and(mut self, lines: &str) -> Self {
        let port = self.endpoint.url.trim_end_matches("/token").rsplit(':').next().unwrap().to_owned();
        self.manifest = format!("{}{}\n", self.manifest, lines.replace("PORT", &port));
        self
    }

    /// So many requests may be sent.
    pub fn rated(mut self, rate: &str) -> Self {
        self.manifest = self.manifest.replace("paths = [\"/**\"]", &format!("paths = [\"/**\"]\nrate = \"{rate}\""));
        self
    }

    /// The API answers 401 to these tokens.
    pub fn rejecting(self, tokens: &[&str]) -> Self {
        self.rules.lock().unwrap().rejected = tokens.iter().map(|&token| token.to_owned()).collect();
        self
    }

    /// The API writes these texts into its answers.
    pub fn echoing(self, texts: &[&str]) -> Self {
        self.rules.lock().unwrap().echoed = texts.iter().map(|&text| text.to_owned()).collect();
        self
    }

    /// The store, as another process has it.
    pub fn backend(&self) -> FileBackend {
        let key = FileKey::identity_file(&self.dir.path().join("identity.txt")).unwrap();
        FileBackend::new(self.file("secrets.age"), key)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a field of the agent's document.
    pub fn keep(&self, field: &str, value: &str) {
        let entry = Entry::new("bot").field(field);
        self.runtime.block_on(self.backend().put(&entry, Deposit::new(value.to_owned()), None)).unwrap();
    }

    /// Whether a field of the agent's document has this value.
    pub fn keeps(&self, field: &str, value: &str) -> bool {
        let found = self.runtime.block_on(self.backend().get(&Entry::new("bot"))).unwrap();
        found.value.field(field).is_ok_and(|found| found.equals(value.as_bytes()))
    }

    /// Another host, which shares nothing with others but the store and the audit log.
    pub fn host(&self) -> Host {
        self.host_over(self.backend())
    }

    pub fn host_over(&self, store: impl SecretBackend + 'static) -> Host {
        let mut config = HostConfig::default();
        config.network_allow = vec!["127.0.0.1/32".parse().unwrap()];
        config.network_ca = vec![self.file("ca.pem")];
        config.audit_file = Some(self.file("audit.jsonl"));
        config.state_dir = Some(strongroom_tests::state_dir());
        let (needles, leaks) = (Arc::clone(&self.needles), Arc::clone(&self.leaks));
        let look = move |memory: &[u8]| {
            let found =
                needles.lock().unwrap().iter().filter_map(|needle| needle.find(memory).map(|_| needle.name.clone())).collect::<Vec<_>>();
            leaks.lock().unwrap().extend(found);
        };
        let builder = Host::builder().config(config).max_agents(8).backend("file", store).resolver(To(self.api.address));
        builder.slept(Arc::clone(&self.slept)).inspect_memory(look).build().unwrap()
    }

    /// So many seconds go by.
    pub fn sleep(&self, seconds: u64) {
        self.slept.fetch_add(seconds * 1000, Ordering::SeqCst);
    }

    /// Does something beside the test.
    pub fn on(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn(task);
    }

    /// Waits for something.
    pub fn wait(&self, until: impl Future<Output = ()>) {
        self.runtime.block_on(until);
    }

    /// Runs the agent to its end, and looks for the secret and for all tokens in what it had.
    pub fn run(&self, host: &Host, operations: &[&str]) -> Ran {
        self.try_run(host, operations).unwrap_or_else(|error| panic!("{error}"))
    }

    pub fn try_run(&self, host: &Host, operations: &[&str]) -> Result<Ran, String> {
        self.runtime.block_on(self.perform(host, operations))
    }

    /// Runs so many agents side by side, each of a name of its own.
    pub fn run_at_once(&self, host: &Host, agents: usize, operations: &[&str]) -> Vec<Ran> {
        let all = (0..agents).map(|agent| self.perform_as(format!("bot-{agent}"), host, operations));
        let all = self.runtime.block_on(futures_util::future::join_all(all));
        all.into_iter().map(Result::unwrap).collect()
    }

    async fn perform(&self, host: &Host, operations: &[&str]) -> Result<Ran, String> {
        self.perform_as("bot".to_owned(), host, operations).await
    }

    async fn perform_as(&self, name: String, host: &Host, operations: &[&str]) -> Result<Ran, String> {
        let port = self.endpoint.url.trim_end_matches("/token").rsplit(':').next().unwrap();
        let manifest = Manifest::parse("agent.toml", &self.manifest.replacen("\"bot\"", &format!("\"{name}\""), 1))
            .map_err(|error| error.to_string())?;
        let agent = host.agent(manifest, &strongroom_components::bytes("probe")).map_err(|error| error.to_string())?;
        let (stdout, stderr) = (Captured::default(), Captured::default());
        let operations = operations.iter().map(|operation| operation.replace("PORT", port));
        let options = RunOptions::default().args(operations).stdout(stdout.clone()).stderr(stderr.clone());
        let outcome = agent.run(options).await.map_err(|error| error.to_string())?;
        let (stdout, stderr) = (stdout.text(), stderr.text());
        assert_eq!(outcome.end, End::Exit(0), "{stdout}{stderr}");
        assert_eq!(*self.leaks.lock().unwrap(), Vec::<String>::new(), "in guest memory");
        let seen = bearer(&self.api.seen());
        let rules = self.rules.lock().unwrap();
        for text in seen.iter().chain(&rules.echoed).map(String::as_str).chain([SECRET]) {
            assert!(!stdout.contains(text) && !stderr.contains(text), "{text} in {stdout}{stderr}");
        }
        Ok(Ran { stdout })
    }

    /// A run that is given up when the endpoint has been asked so often.
    pub fn given_up(&self, host: &Host, asked: usize) {
        self.runtime.block_on(async {
            tokio::select! {
                _ = self.perform(host, &[]) => panic!("it has ended"),
                () = self.endpoint.arrival(asked) => {}
            }
        });
    }

    /// Closes a host, and does something as soon as that is under way.
    pub fn close(&self, host: Host, meanwhile: impl Future<Output = ()>) {
        self.runtime.block_on(futures_util::future::join(host.shutdown(), meanwhile));
    }

    /// What the API saw.
    pub fn seen(&self) -> Vec<Seen> {
        self.api.seen()
    }

    /// The audit records of one event.
    pub fn audit(&self, event: &str) -> Vec<Value> {
        let text = std::fs::read_to_string(self.file("audit.jsonl")).unwrap_or_default();
        let all = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        all.filter(|record| record["event"] == event).collect()
    }

    /// None of these texts is in the audit log.
    pub fn assert_silent(&self, texts: &[&str]) {
        let log = std::fs::read_to_string(self.file("audit.jsonl")).unwrap_or_default();
        assert!(!log.is_empty());
        texts.iter().for_each(|text| assert!(!log.contains(text), "{text} in {log}"));
    }

    /// These texts are looked for in the guest's memory.
    pub fn seeking(self, texts: &[&str]) -> Self {
        self.needles.lock().unwrap().extend(texts.iter().map(|text| Needle::new(text, text)));
        self
    }

    /// Why a manifest is refused.
    pub fn refused(manifest: &str) -> String {
        Manifest::parse("agent.toml", manifest).expect_err("it is accepted").to_string()
    }
}

/// An hour goes by before it answers `/v1/hour`; and before it answers `/v1/meet`, once all agents have asked for it.
fn answering(
    rules: Arc<Mutex<Rules>>,
    slept: Arc<AtomicU64>,
) -> impl Fn(&Seen) -> strongroom_demo::server::Response + Send + Sync + 'static {
    move |seen| {
        let rules = rules.lock().unwrap();
        if seen.path() == "/v1/hour" {
            slept.fetch_add(3_600_000, Ordering::SeqCst);
        }
        if seen.path() == "/v1/meet" {
            let (mut met, slept) = (rules.met.subscribe(), Arc::clone(&slept));
            rules.met.send_modify(|met| {
                *met += 1;
                if *met == MEETING {
                    slept.fetch_add(3_600_000, Ordering::SeqCst);
                }
            });
            let last = futures_util::stream::once(async move {
                met.wait_for(|met| *met >= MEETING).await.unwrap();
                Ok(Frame::data(Bytes::from_static(b"met")))
            });
            return http::Response::new(BodyExt::boxed(StreamBody::new(last)));
        }
        let token = seen.header("authorization").trim_start_matches("Bearer ");
        if rules.rejected.iter().any(|rejected| rejected == token) {
            return respond(401, "text/plain", "over");
        }
        let echoed: String = rules.echoed.iter().map(|text| format!("echo {text}\n")).collect();
        respond(200, "text/plain", format!("fine\n{echoed}"))
    }
}
