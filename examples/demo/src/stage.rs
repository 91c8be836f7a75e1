//! Sets the stage, has the acts played, and collects what each party saw.

use crate::exchange::{ATTACKERS_KEY, FIRST};
use crate::internet::{EVIL, Internet, NAMES};
use crate::keys::Keys;
use crate::payments::{self, Payments};
use crate::rotation::{self, Rotation};
use crate::scan::Needle;
use crate::server::{Seen, Server};
use anyhow::{Context, Result};
use serde_json::Value;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use strongroom::{Agent, Captured, Deposit, Entry, FileBackend, FileKey, Host, HostConfig, Manifest, Resolve, RunOptions, SecretStore};

/// The agents of the first act, in the order in which they run.
pub const AGENTS: [&str; 4] = ["trading-bot", "plain-bot", "gullible-bot", "exfiltrator"];

/// What came of it all.
pub struct Report {
    /// Each agent's part in the first act.
    pub agents: Vec<AgentReport>,
    /// What the server saw in it.
    pub wire: Vec<Seen>,
    /// The audit log's records of it.
    pub audit: Vec<Value>,
    /// What was paid.
    pub payments: Option<Payments>,
    /// The key that was replaced.
    pub rotation: Option<Rotation>,
    /// The keys, to recognise them on the wire.
    pub keys: Keys,
    /// Where a value was found that must not be there: empty, or the demo has failed.
    pub leaks: Vec<String>,
    /// Bytes of all agents' memory that were searched.
    pub memory: usize,
}

/// What one agent saw and came to.
pub struct AgentReport {
    /// Its name.
    pub name: String,
    /// All that it printed and logged: what it saw.
    pub printed: String,
    /// How it ended.
    pub end: String,
}

/// Everything that an act is played on.
pub(crate) struct Stage {
    pub(crate) host: Host,
    pub(crate) internet: Arc<Internet>,
    pub(crate) server: Server,
    pub(crate) keys: Keys,
    dir: tempfile::TempDir,
    needles: Arc<[Needle; 4]>,
    found: Arc<Mutex<Found>>,
}

/// What the searches have come to.
#[derive(Default)]
struct Found {
    leaks: Vec<String>,
    searched: usize,
}

/// Sends every name to the local server, and one to where an attacker would.
struct Names(SocketAddr);

#[async_trait::async_trait]
impl Resolve for Names {
    async fn resolve(&self, host: &str, _port: u16) -> std::io::Result<Vec<SocketAddr>> {
        match host {
            "rebound.example" => Ok(vec![SocketAddr::new(IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)), 443)]),
            _ if NAMES.contains(&host) => Ok(vec![self.0]),
            _ => Err(std::io::ErrorKind::NotFound.into()),
        }
    }
}

/// Runs the demo. With `leak` only the first act, in which the secrets are given to the agents in plain, to show that the checks notice.
///
/// # Errors
/// Where the stage could not be set.
pub async fn run(leak: bool) -> Result<Report> {
    let stage = Stage::set(leak).await?;
    let mut agents = Vec::new();
    for name in AGENTS {
        let mut manifest = manifest(name)?;
        if leak {
            give_away(&mut manifest, &stage.keys);
        }
        agents.push(stage.play(&stage.load(manifest)?).await?);
    }
    let (wire, audit) = (stage.server.seen(), stage.audit()?);
    let (payments, rotation) = match leak {
        true => (None, None),
        false => (Some(payments::play(&stage).await?), Some(rotation::play(&stage).await?)),
    };
    stage.search("the audit log", std::fs::read(stage.dir.path().join("audit.jsonl"))?.as_slice());
    stage.search_wire();
    let found = std::mem::take(&mut *lock(&stage.found));
    Ok(Report { agents, wire, audit, payments, rotation, keys: stage.keys.clone(), leaks: found.leaks, memory: found.searched })
}

impl Report {
    /// Everything that is not as it must be.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let mut faults = self.leaks.clone();
        for name in ["trading-bot", "plain-bot", "gullible-bot"] {
            if !self.agents.iter().any(|agent| agent.name == name && agent.end == "exit 0") {
                faults.push(format!("{name} did not do its job"));
            }
        }
        let to_evil = self.wire.iter().filter(|seen| seen.host == EVIL).count();
        if to_evil > 0 {
            faults.push(format!("{to_evil} requests reached {EVIL}"));
        }
        for seen in &self.wire {
            if seen.text().contains(ATTACKERS_KEY) && seen.host != "llm.example" {
                faults.push(format!("the attacker's key reached {}{}", seen.host, seen.path()));
            }
        }
        if !self.wire.iter().any(|seen| seen.path() == "/v1/orders" && seen.header("authorization").ends_with(&self.keys.exchange)) {
            faults.push("no order reached the exchange with the real key".into());
        }
        faults.extend(self.payments.iter().flat_map(Payments::faults));
        faults.extend(self.rotation.iter().flat_map(Rotation::faults));
        faults
    }
}

impl Stage {
    async fn set(leak: bool) -> Result<Self> {
        let keys = Keys::new()?;
        let internet = Arc::new(Internet::new(&keys));
        let played = Arc::clone(&internet);
        let server = Server::https(NAMES, move |seen| played.handle(seen)).await?;
        let dir = tempfile::tempdir()?;
        write_configuration(dir.path(), &server)?;
        keep(dir.path(), &keys, leak).await?;

        let needles = Arc::new(keys.needles());
        let found: Arc<Mutex<Found>> = Arc::default();
        let (needles_, found_) = (Arc::clone(&needles), Arc::clone(&found));
        let host = Host::builder()
            .config(HostConfig::read(&dir.path().join("strongroom.toml"))?)
            .resolver(Names(server.address))
            .max_agents(4)
            .inspect_memory(move |memory| {
                let mut found = lock(&found_);
                found.searched += memory.len();
                search(needles_.as_slice(), "the memory of a guest", memory, &mut found.leaks);
            })
            .build()?;
        Ok(Self { host, internet, server, keys, dir, needles, found })
    }

    /// An agent, with the component of its name.
    pub(crate) fn load(&self, manifest: Manifest) -> Result<Agent> {
        let component = strongroom_components::bytes(&manifest.name);
        Ok(self.host.agent(manifest, &component)?)
    }

    /// Has an agent run, and searches its memory and what it printed.
    pub(crate) async fn play(&self, agent: &Agent) -> Result<AgentReport> {
        let name = agent.manifest().name.clone();
        let before = lock(&self.found).searched;
        let printed = Captured::default();
        let log = printed.clone();
        let options = RunOptions::default().stdout(printed.clone()).stderr(printed.clone()).on_log(move |record| {
            let _ = writeln!(log.clone(), "{}: {:?}", record.message, record.fields);
        });
        let outcome = agent.run(options).await.with_context(|| format!("running {name}"))?;
        let printed = printed.text();
        self.search(&format!("what {name} printed"), printed.as_bytes());
        let mut found = lock(&self.found);
        if found.searched == before {
            found.leaks.push(format!("the memory of {name} was not searched"));
        }
        Ok(AgentReport { name, printed, end: outcome.end.to_string() })
    }

    /// The audit log's records so far.
    pub(crate) fn audit(&self) -> Result<Vec<Value>> {
        let text = std::fs::read_to_string(self.dir.path().join("audit.jsonl"))?;
        Ok(text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
    }

    fn search(&self, place: &str, bytes: &[u8]) {
        search(self.needles.as_slice(), place, bytes, &mut lock(&self.found).leaks);
    }

    /// A key leaves the host in its own place of a request, whole, and nowhere else.
    fn search_wire(&self) {
        for seen in self.server.seen() {
            let place = seen.header("authorization").to_owned();
            let own = match seen.host.as_str() {
                "llm.example" => vec![&self.keys.model],
                "api.purpleflea.com" | "127.0.0.1" => vec![&self.keys.exchange, &self.keys.successor],
                _ => Vec::new(),
            };
            let mut rest = seen.clone();
            if own.iter().any(|key| place == format!("Bearer {key}")) {
                rest.headers.remove("authorization");
            }
            self.search(&format!("a request to {}{}, elsewhere than in its place", seen.host, seen.path()), rest.text().as_bytes());
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn search(needles: &[Needle], place: &str, bytes: &[u8], leaks: &mut Vec<String>) {
    for needle in needles {
        if let Some((form, _)) = needle.find(bytes) {
            leaks.push(format!("{} ({form}) was found in {place}", needle.name));
        }
    }
}

/// The operator's side: an authority to trust, an address to reach, where keys are kept, and who makes one.
fn write_configuration(dir: &Path, server: &Server) -> Result<()> {
    std::fs::write(dir.join("exchange-ca.pem"), &server.ca)?;
    let config = format!(
        r#"
default_backend = "file"

[backends.file]
type = "file"
path = "secrets.age"
key = "file:secrets.key"

[network]
allow = ["127.0.0.1/32"]
ca = ["exchange-ca.pem"]

[audit]
file = "audit.jsonl"

[state]
dir = "state"

[issuers.exchange]
type = "http"
url = "https://{}"
issue = "POST /api/keys"
id = "/id"
revoke = "DELETE /api/keys/{{id}}"
list = "GET /api/keys"
probe = "GET /v1/me"
ca = ["exchange-ca.pem"]

[rotations.{}]
secrets = ["file:plain-bot/PURPLEFLEA_API_KEY"]
issuer = "exchange"
id = "{FIRST}"
"#,
        server.address,
        rotation::NAME
    );
    Ok(std::fs::write(dir.join("strongroom.toml"), config)?)
}

/// The keys, in an encrypted file. Where they are to leak, they are not in it: then an agent has its default.
async fn keep(dir: &Path, keys: &Keys, leak: bool) -> Result<()> {
    let identity = dir.join("secrets.key");
    FileKey::create_identity(&identity)?;
    let store = FileBackend::new(dir.join("secrets.age"), FileKey::identity_file(&identity)?);
    store.create()?;
    let exchange = AGENTS.map(|agent| (format!("{agent}/PURPLEFLEA_API_KEY"), &keys.exchange));
    let others = [("gullible-bot/OPENAI_API_KEY".to_owned(), &keys.model), ("payer/treasury".to_owned(), &keys.wallet)];
    for (path, key) in exchange.into_iter().chain(others).filter(|_| !leak) {
        store.put(&Entry::new(path), Deposit::new(key.as_str()), None).await?;
    }
    Ok(())
}

/// An agent's manifest, as it stands beside it.
pub(crate) fn manifest(name: &str) -> Result<Manifest> {
    Ok(Manifest::read(&PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../agents").join(name).join("agent.toml"))?)
}

/// A default is plain text that the guest may see: here the real key, so that every check has something to find.
fn give_away(manifest: &mut Manifest, keys: &Keys) {
    for secret in &mut manifest.secrets {
        secret.required = false;
        secret.default = Some(if secret.name == "OPENAI_API_KEY" { keys.model.clone() } else { keys.exchange.clone() });
    }
}
