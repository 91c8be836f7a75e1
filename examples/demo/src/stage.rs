//! Sets the stage, runs the four agents, and collects what each party saw.

use crate::exchange::{self, Keys};
use crate::scan::Needle;
use crate::server::{Seen, Server};
use anyhow::{Context, Result};
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use strongroom::{Captured, Host, HostConfig, Manifest, Resolve, RunOptions};

/// The agents, in the order in which they run.
pub const AGENTS: [&str; 4] = ["trading-bot", "plain-bot", "gullible-bot", "exfiltrator"];

/// What came of it all.
pub struct Report {
    /// Each agent's part.
    pub agents: Vec<AgentReport>,
    /// What the server saw.
    pub wire: Vec<Seen>,
    /// The audit log's lines.
    pub audit: Vec<serde_json::Value>,
    /// The keys, to recognise them on the wire.
    pub keys: Keys,
    /// Where a value was found that must not be there: empty, or the demo has failed.
    pub leaks: Vec<String>,
}

/// What one agent saw and came to.
pub struct AgentReport {
    /// Its name.
    pub name: &'static str,
    /// All that it printed and logged: what it saw.
    pub printed: String,
    /// How it ended.
    pub end: String,
    /// Bytes of its memory that were searched.
    pub memory: usize,
}

/// Sends every name to the local server, and one to where an attacker would.
struct Names(SocketAddr);

#[async_trait::async_trait]
impl Resolve for Names {
    async fn resolve(&self, host: &str, _port: u16) -> std::io::Result<Vec<SocketAddr>> {
        match host {
            "rebound.example" => Ok(vec![SocketAddr::new(IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)), 443)]),
            _ if exchange::NAMES.contains(&host) => Ok(vec![self.0]),
            _ => Err(std::io::ErrorKind::NotFound.into()),
        }
    }
}

/// Runs the demo. With `leak`, the secrets are given to the agents in plain, to show that the checks notice.
///
/// # Errors
/// Where the stage could not be set.
pub async fn run(leak: bool) -> Result<Report> {
    let keys = Keys { exchange: format!("pf_live_{}", random_hex(16)?), model: format!("sk-{}", random_hex(24)?) };
    let handler_keys = keys.clone();
    let server = Server::https(exchange::NAMES, move |seen| exchange::handle(&handler_keys, seen)).await?;
    let dir = tempfile::tempdir()?;
    let audit = dir.path().join("audit.jsonl");
    write_configuration(dir.path(), &server.ca, &keys, leak)?;

    let needles = Arc::new([Needle::new("PURPLEFLEA_API_KEY", &keys.exchange), Needle::new("OPENAI_API_KEY", &keys.model)]);
    let leaks: Arc<Mutex<Vec<String>>> = Arc::default();
    let searched = Arc::new(Mutex::new(0usize));
    let (needles_, leaks_, searched_) = (Arc::clone(&needles), Arc::clone(&leaks), Arc::clone(&searched));
    let host = Host::builder()
        .config(HostConfig::read(&dir.path().join("strongroom.toml"))?)
        .resolver(Names(server.address))
        .max_agents(4)
        .inspect_memory(move |memory| {
            *searched_.lock().unwrap_or_else(PoisonError::into_inner) += memory.len();
            search(needles_.as_slice(), "the memory of a guest", memory, &leaks_);
        })
        .build()?;

    let mut agents = Vec::new();
    for name in AGENTS {
        *searched.lock().unwrap_or_else(PoisonError::into_inner) = 0;
        let manifest = manifest(name, &keys, leak)?;
        let agent = host.agent(manifest, &strongroom_components::bytes(name))?;
        let printed = Captured::default();
        let log = printed.clone();
        let options = RunOptions::default().stdout(printed.clone()).stderr(printed.clone()).on_log(move |record| {
            let _ = writeln!(log.clone(), "{}: {:?}", record.message, record.fields);
        });
        let outcome = agent.run(options).await.with_context(|| format!("running {name}"))?;
        let printed = printed.text();
        search(needles.as_slice(), &format!("what {name} printed"), printed.as_bytes(), &leaks);
        let memory = *searched.lock().unwrap_or_else(PoisonError::into_inner);
        if memory == 0 {
            leaks.lock().unwrap_or_else(PoisonError::into_inner).push(format!("the memory of {name} was not searched"));
        }
        agents.push(AgentReport { name, printed, end: outcome.end.to_string(), memory });
    }
    let audit = std::fs::read_to_string(audit)?;
    search(needles.as_slice(), "the audit log", audit.as_bytes(), &leaks);
    let audit = audit.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let leaks = std::mem::take(&mut *leaks.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(Report { agents, wire: server.seen(), audit, keys, leaks })
}

impl Report {
    /// Everything that is not as it must be.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let mut faults = self.leaks.clone();
        for (name, end) in [("trading-bot", "exit 0"), ("plain-bot", "exit 0"), ("gullible-bot", "exit 0")] {
            if !self.agents.iter().any(|agent| agent.name == name && agent.end == end) {
                faults.push(format!("{name} did not do its job"));
            }
        }
        let to_evil = self.wire.iter().filter(|seen| seen.host == exchange::EVIL).count();
        if to_evil > 0 {
            faults.push(format!("{to_evil} requests reached {}", exchange::EVIL));
        }
        for seen in &self.wire {
            if seen.text().contains(exchange::ATTACKERS_KEY) && seen.host != "llm.example" {
                faults.push(format!("the attacker's key reached {}{}", seen.host, seen.path()));
            }
            let place = seen.header("authorization");
            let key = if seen.host == "llm.example" { &self.keys.model } else { &self.keys.exchange };
            if seen.text().contains(key.as_str()) && place != format!("Bearer {key}") {
                faults.push(format!("a key stands elsewhere than in its place in a request to {}{}", seen.host, seen.path()));
            }
        }
        if !self.wire.iter().any(|seen| seen.path() == "/v1/orders" && seen.header("authorization").ends_with(&self.keys.exchange)) {
            faults.push("no order reached the exchange with the real key".into());
        }
        faults
    }
}

fn search(needles: &[Needle], place: &str, bytes: &[u8], leaks: &Mutex<Vec<String>>) {
    for needle in needles {
        if let Some((form, _)) = needle.find(bytes) {
            leaks.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{} ({form}) was found in {place}", needle.name));
        }
    }
}

/// The operator's side: an authority to trust, an address to reach, and a `.env` file with the keys.
fn write_configuration(dir: &Path, ca: &str, keys: &Keys, leak: bool) -> Result<()> {
    std::fs::write(dir.join("exchange-ca.pem"), ca)?;
    let env: String = AGENTS
        .iter()
        .map(|agent| agent.replace('-', "_").to_uppercase())
        .map(|agent| format!("{agent}_PURPLEFLEA_API_KEY={}\n{agent}_OPENAI_API_KEY={}\n", keys.exchange, keys.model))
        .collect();
    std::fs::write(dir.join(".env"), if leak { String::new() } else { env })?;
    let config = "[backends.env]\ntype = \"env\"\nfile = \".env\"\n\n[network]\nallow = [\"127.0.0.1/32\"]\nca = [\"exchange-ca.pem\"]\n\n\
                  [audit]\nfile = \"audit.jsonl\"\n\n[state]\ndir = \"state\"\n";
    Ok(std::fs::write(dir.join("strongroom.toml"), config)?)
}

fn manifest(name: &str, keys: &Keys, leak: bool) -> Result<Manifest> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../agents").join(name).join("agent.toml");
    let mut manifest = Manifest::read(&path)?;
    if leak {
        // A default is plain text that the guest may see: here the real key, so that every check has something to find.
        for secret in &mut manifest.secrets {
            secret.required = false;
            secret.default = Some(if secret.name == "OPENAI_API_KEY" { keys.model.clone() } else { keys.exchange.clone() });
        }
    }
    Ok(manifest)
}

fn random_hex(bytes: usize) -> Result<String> {
    let mut random = vec![0; bytes];
    getrandom::fill(&mut random)?;
    Ok(random.iter().map(|byte| format!("{byte:02x}")).collect())
}
