//! Callers of agents: real sockets, real components, and what the audit log says of them.

mod answers;
mod hostile;
mod mtls;
mod process;
mod rooms;
mod webhooks;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use strongroom::manifest::ListenConfig;
use strongroom::serve::{Serving, Supervisor};
use strongroom::{Host, HostConfig, RunOptions, StaticBackend};
use strongroom_tests::{records_so_far, state_dir};
use tokio::runtime::Runtime;
pub(super) use webhooks::signed;

/// What a bearer shows, and a second value that its agents use themselves.
pub(super) const TOKEN: &str = "caller-token-0123456789abcdefghij";
const KEY: &str = "pf_live_0123456789abcdef0123456789abcdef";
/// What services sign with.
const SIGNING: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// `[trigger]` of an agent that bearers call.
const BEARER: &str = "auth = { bearer = \"TOKEN\" }";

/// A supervisor with a listener, in this process.
struct House {
    dir: tempfile::TempDir,
    supervisor: Supervisor,
    runtime: Runtime,
    address: SocketAddr,
    memories: Arc<Mutex<Vec<Vec<u8>>>>,
}

/// An agent: its name, which is its path too, what `[trigger]` says beside `http`, and further tables.
type Agent<'a> = (&'a str, &'a str, &'a str);

/// How a house is built.
#[derive(Default)]
struct Plan {
    /// Keeps each memory of each guest.
    inspects: bool,
    /// A state directory of its own, which outlives it.
    state: Option<std::path::PathBuf>,
    listen: Option<ListenConfig>,
}

impl House {
    fn new(agents: &[Agent<'_>]) -> Self {
        Self::with(agents, Plan::default())
    }

    fn with(agents: &[Agent<'_>], plan: Plan) -> Self {
        Self::in_directory(tempfile::tempdir().unwrap(), agents, plan)
    }

    fn in_directory(dir: tempfile::TempDir, agents: &[Agent<'_>], plan: Plan) -> Self {
        let served = dir.path().join("agents");
        std::fs::create_dir_all(&served).unwrap();
        for agent in agents {
            std::fs::write(served.join(format!("{}.toml", agent.0)), manifest(agent)).unwrap();
        }
        let listen = plan.listen.unwrap_or_else(|| ListenConfig::new(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap());
        let config = HostConfig::default().with(|config| {
            config.state_dir = Some(plan.state.unwrap_or_else(state_dir));
            config.audit_file = Some(dir.path().join("audit.jsonl"));
            config.listen = Some(listen);
        });
        let values = [("TOKEN", TOKEN), ("KEY", KEY), ("SIGNING", SIGNING)];
        let backend = values.into_iter().fold(StaticBackend::new(), |backend, (name, value)| backend.with(name, value));
        let memories: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
        let mut host = Host::builder().config(config).backend("static", backend).lanes(2);
        if plan.inspects {
            let memories = Arc::clone(&memories);
            host = host.inspect_memory(move |memory| memories.lock().unwrap().push(memory.to_vec()));
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let supervisor = Supervisor::new(host.build().unwrap(), &served, Serving::new(|_, _| RunOptions::default())).unwrap();
        let reloaded = runtime.block_on(supervisor.reload()).unwrap();
        assert!(reloaded.refused.is_empty(), "{:?}", reloaded.refused);
        let address = supervisor.url().unwrap().split_once("://").unwrap().1.parse().unwrap();
        Self { dir, supervisor, runtime, address, memories }
    }

    /// A request to this house.
    fn request(&self, method: &str, target: &str) -> Request {
        let mut request = Request { head: format!("{method} {target} HTTP/1.1\r\n"), body: Vec::new() };
        request.head += &format!("host: {}\r\nconnection: close\r\n", self.address);
        request
    }

    /// The same, of a bearer.
    fn by_bearer(&self, target: &str) -> Request {
        self.request("POST", target).header("authorization", &format!("Bearer {TOKEN}"))
    }

    fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).unwrap()
    }

    /// Sends a request and reads all of its answer.
    fn call(&self, request: Request) -> Reply {
        self.send(&request.whole())
    }

    fn send(&self, bytes: &[u8]) -> Reply {
        let mut stream = self.connect();
        // Whoever is refused early may find the connection closed before all is written.
        let _ = stream.write_all(bytes);
        Reply::read(stream)
    }

    /// The records of an event so far.
    fn records(&self, event: &str) -> Vec<serde_json::Value> {
        let records = records_so_far(&self.dir.path().join("audit.jsonl")).into_iter();
        records.filter(|record| record["event"] == event).collect()
    }

    /// Waits for so many records of an event.
    fn wait_for(&self, event: &str, count: usize) -> Vec<serde_json::Value> {
        loop {
            let records = self.records(event);
            if records.len() >= count {
                return records;
            }
            std::thread::yield_now();
        }
    }

    /// Ends it, once all runs have ended.
    fn end(self) -> tempfile::TempDir {
        self.runtime.block_on(self.supervisor.drain(std::time::Duration::from_secs(60)));
        self.dir
    }
}

fn manifest((name, trigger, more): &Agent<'_>) -> String {
    let component = strongroom_components::path("callee");
    let secret = |name: &str, line: &str| {
        if trigger.contains(name) || more.contains(&format!("# {name}")) { line.to_owned() } else { String::new() }
    };
    [
        format!(
            "name = \"{name}\"\ncomponent = \"{}\"\n[trigger]\nhttp = \"/{name}\"\n{trigger}\n{more}\n",
            Path::new(&component).display()
        ),
        secret("TOKEN", "[secrets.TOKEN]\nfrom = \"static:TOKEN\"\n"),
        secret("SIGNING", "[secrets.SIGNING]\nfrom = \"static:SIGNING\"\n"),
        "[secrets.KEY]\nfrom = \"static:KEY\"\nexpose = \"env\"\n".to_owned(),
    ]
    .concat()
}

/// A request, byte by byte.
#[derive(Clone)]
struct Request {
    head: String,
    body: Vec<u8>,
}

impl Request {
    fn header(mut self, name: &str, value: &str) -> Self {
        self.head += &format!("{name}: {value}\r\n");
        self
    }

    fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.head += &format!("content-length: {}\r\n", body.as_ref().len());
        self.body = body.as_ref().to_vec();
        self
    }

    fn whole(self) -> Vec<u8> {
        [self.head.as_bytes(), b"\r\n", &self.body].concat()
    }
}

/// What came of a request.
#[derive(Debug)]
struct Reply {
    status: u16,
    head: String,
    body: String,
    /// Whether its body came to its end.
    whole: bool,
}

impl Reply {
    fn read(mut stream: impl Read) -> Self {
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            return Self { status: 0, head: text, body: String::new(), whole: false };
        };
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
        let head = head.to_ascii_lowercase();
        let (body, whole) = if head.contains("transfer-encoding: chunked") { joined(body) } else { (body.to_owned(), true) };
        Self { status, head, body, whole }
    }
}

/// The chunks of a body, and whether the last of them came.
fn joined(mut chunked: &str) -> (String, bool) {
    let mut body = String::new();
    while let Some((length, rest)) = chunked.split_once("\r\n") {
        let length = usize::from_str_radix(length, 16).unwrap();
        if length == 0 {
            return (body, true);
        }
        let Some(chunk) = rest.get(..length) else { break };
        body += chunk;
        chunked = rest.get(length + 2..).unwrap_or_default();
    }
    (body, false)
}

/// A text as the guest wants it: so that the host does not know it again on its way in.
fn masked(text: &str) -> String {
    text.bytes().map(|byte| format!("{:02x}", byte ^ 0x2a)).collect()
}
