//! An agent with a wallet, and everything around it that a test of signing wants to see.

use crate::room::{block_on, state_dir};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use serde_json::Value;
use std::path::{Path, PathBuf};
use strongroom::{Agent, Captured, End, Host, HostBuilder, HostConfig, Manifest, RunOptions, StaticBackend};
use tempfile::TempDir;

/// The first account of the development phrase that nodes for tests come with: everybody has this key.
pub const KEY: &str = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
/// Its address.
pub const ADDRESS: &str = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";

/// A test's set-up: a signer `wallet` with the lines of the test.
pub struct Treasury {
    manifest: String,
    config: String,
    values: Vec<(String, String)>,
    configure: Option<Box<dyn FnOnce(HostBuilder) -> HostBuilder>>,
    ledger: Option<PathBuf>,
}

/// A host with the agent loaded.
pub struct Opened {
    /// The host.
    pub host: Host,
    /// The agent.
    pub agent: Agent,
    dir: TempDir,
}

impl Treasury {
    /// A signer `wallet` with the key [`KEY`] and these lines.
    #[must_use]
    pub fn new(lines: &str) -> Self {
        Self::with(&format!("[signers.wallet]\nfrom = \"static:WALLET\"\n{lines}"))
    }

    /// A manifest with these lines after its name and component.
    #[must_use]
    pub fn with(lines: &str) -> Self {
        Self {
            manifest: format!("name = \"probe-1\"\ncomponent = \"probe.wasm\"\n{lines}\n"),
            config: String::new(),
            values: vec![("WALLET".into(), KEY.into())],
            configure: None,
            ledger: None,
        }
    }

    /// Adds lines to the host configuration.
    #[must_use]
    pub fn config(mut self, lines: &str) -> Self {
        self.config.push_str(lines);
        self.config.push('\n');
        self
    }

    /// Changes the text of the manifest and of the host configuration.
    #[must_use]
    pub fn amended(mut self, amend: impl FnOnce(&mut String, &mut String)) -> Self {
        amend(&mut self.manifest, &mut self.config);
        self
    }

    /// Adds a value to the backend, or changes it.
    #[must_use]
    pub fn value(mut self, name: &str, value: &str) -> Self {
        self.values.retain(|(known, _)| known != name);
        self.values.push((name.into(), value.into()));
        self
    }

    /// Changes the host's set-up.
    #[must_use]
    pub fn host(mut self, configure: impl FnOnce(HostBuilder) -> HostBuilder + 'static) -> Self {
        self.configure = Some(Box::new(configure));
        self
    }

    /// Keeps the ledger there.
    #[must_use]
    pub fn ledger(mut self, directory: &Path) -> Self {
        self.ledger = Some(directory.to_owned());
        self
    }

    /// Loads the agent.
    ///
    /// # Errors
    /// The host's, as text.
    pub fn load(self) -> Result<Opened, String> {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let mut config = HostConfig::parse("strongroom.toml", &self.config).map_err(|error| error.to_string())?;
        config.audit_file = Some(dir.path().join("audit.jsonl"));
        config.state_dir = Some(state_dir());
        config.signing.ledger = Some(self.ledger.unwrap_or_else(|| dir.path().join("ledger")));
        let mut backend = StaticBackend::new();
        for (name, value) in &self.values {
            backend = backend.with(name.clone(), value.clone());
        }
        let mut builder = Host::builder().config(config).max_agents(128).backend("static", backend).default_backend("static");
        if let Some(configure) = self.configure {
            builder = configure(builder);
        }
        let host = builder.build().map_err(|error| error.to_string())?;
        let manifest = Manifest::parse("agent.toml", &self.manifest).map_err(|error| error.to_string())?;
        let agent = host.agent(manifest, &strongroom_components::bytes("probe")).map_err(|error| error.to_string())?;
        Ok(Opened { host, agent, dir })
    }

    /// Loads the agent, and takes its keys into the ledger.
    ///
    /// # Panics
    /// Where that fails.
    #[must_use]
    pub fn open(self) -> Opened {
        let opened = self.load().unwrap_or_else(|error| panic!("{error}"));
        block_on(opened.agent.confirm_signers()).unwrap_or_else(|error| panic!("{error}"));
        opened
    }
}

impl Opened {
    /// Has the probe do these operations; gives what each `sign` came to.
    ///
    /// # Errors
    /// The host's, as text.
    pub fn try_sign(&self, operations: &[String]) -> Result<Vec<String>, String> {
        block_on(self.signing(operations))
    }

    /// The same, within a runtime.
    ///
    /// # Errors
    /// The host's, as text.
    pub async fn signing(&self, operations: &[String]) -> Result<Vec<String>, String> {
        let stdout = Captured::default();
        let options = RunOptions::default().args(operations.iter().cloned()).stdout(stdout.clone());
        let outcome = self.agent.run(options).await.map_err(|error| error.to_string())?;
        if outcome.end != End::Exit(0) {
            return Err(outcome.end.to_string());
        }
        Ok(stdout.text().lines().filter_map(|line| line.strip_prefix("sign ")).map(str::to_owned).collect())
    }

    /// What one operation came to.
    ///
    /// # Panics
    /// Where the run fails.
    #[must_use]
    pub fn sign(&self, operation: &str) -> String {
        let all = self.try_sign(&[format!("sign wallet {operation}")]).unwrap_or_else(|error| panic!("{error}"));
        all.into_iter().next().unwrap_or_default()
    }

    /// The audit log's records of one event.
    #[must_use]
    pub fn records(&self, event: &str) -> Vec<Value> {
        let text = std::fs::read_to_string(self.dir.path().join("audit.jsonl")).unwrap_or_default();
        let records = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("a record"));
        records.filter(|record| record["event"] == event).collect()
    }

    /// Another agent of the same host.
    ///
    /// # Errors
    /// The host's, as text.
    pub fn beside(&self, manifest: &str) -> Result<Agent, String> {
        let manifest = Manifest::parse("agent.toml", manifest).map_err(|error| error.to_string())?;
        self.host.agent(manifest, &strongroom_components::bytes("probe")).map_err(|error| error.to_string())
    }
}

/// Bytes as the probe takes them.
#[must_use]
pub fn coded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE.encode(bytes)
}

/// Bytes as the probe prints them.
///
/// # Panics
/// Where they are none.
#[must_use]
pub fn decoded(text: &str) -> Vec<u8> {
    URL_SAFE.decode(text.trim()).unwrap_or_else(|_| panic!("not bytes: {text}"))
}
