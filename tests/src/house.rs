//! A host with agents that use a key which it replaces.

use crate::bed::{Bed, Kind};
use crate::issuer::Issuer;
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;
use strongroom::manifest::{AwsConfig, HttpIssuerConfig, IssuerConfig, RotationConfig, SecretRef, VaultAuth, VaultConfig};
use strongroom::{Agent, AwsBackend, Captured, FileAudit, FileBackend, FileKey, Host, HostConfig, Manifest, RunOptions, VaultBackend};

/// A host over a bed, with what it writes down.
pub struct House {
    /// The host.
    pub host: Host,
    /// The key, in its store.
    pub bed: Bed,
    /// Milliseconds by which its wall clock is ahead.
    pub wall: Arc<AtomicI64>,
}

impl House {
    /// A host that replaces the key of a bed of this kind.
    ///
    /// # Panics
    /// Where it can't be set up.
    #[must_use]
    pub fn new(kind: Kind, issuer: &Issuer, change: impl FnOnce(&mut RotationConfig, &mut HttpIssuerConfig)) -> Self {
        let bed = Bed::new(kind, issuer);
        let mut rotation = RotationConfig::new(vec![SecretRef::parse(&format!("store:{}", bed.entry())).expect("set up")], "issuer");
        rotation.timeout = Duration::from_secs(5);
        let mut http = HttpIssuerConfig::purpleflea(issuer.url());
        change(&mut rotation, &mut http);
        let config = HostConfig::default().with(|new| {
            new.rotations = vec![(bed.name().to_owned(), rotation)];
            new.issuers = vec![("issuer".to_owned(), IssuerConfig::Http(Box::new(http)))];
            new.network_allow = vec!["127.0.0.1/32".parse().expect("set up")];
        });
        let audit = FileAudit::open(&bed.file("audit.jsonl")).expect("set up");
        let builder = Host::builder().config(config).without_state().max_agents(64).audit(audit);
        let builder = match kind {
            Kind::File => {
                let key = FileKey::identity_file(&bed.file("secrets.key")).expect("set up");
                builder.backend("store", FileBackend::new(bed.file("secrets.age"), key))
            }
            Kind::Aws => {
                let (endpoint, moment) = (bed.store()["aws"].as_str().map(str::to_owned), Duration::from_millis(50));
                // The store counts its writes: hosts don't say that they use a key, and the longest staleness is waited for.
                let config = AwsConfig::default().with(|new| {
                    new.endpoint_url = endpoint;
                    new.cache = moment;
                    new.stale = moment * 2;
                });
                builder.backend("store", AwsBackend::new(&config))
            }
            Kind::Vault => {
                let token = strongroom::manifest::CredentialRef::File(bed.file("token"));
                let address = bed.store()["vault"].as_str().expect("set up").to_owned();
                builder.backend("store", VaultBackend::new(&VaultConfig::new(address, VaultAuth::Token(token))).expect("set up"))
            }
        };
        let wall = Arc::new(AtomicI64::new(0));
        Self { host: builder.wall_clock(Arc::clone(&wall)).build().expect("set up"), bed, wall }
    }

    /// An agent that may use the key at the issuer's own API.
    ///
    /// # Panics
    /// Where it can't be loaded.
    #[must_use]
    pub fn agent(&self, issuer: &Issuer, more: &str) -> Agent {
        let manifest = format!(
            "name = \"{}\"\ncomponent = \"probe.wasm\"\n[secrets.KEY]\nfrom = \"store:{}\"\nplaceholder = \"pf_live_{{hex:32}}\"\nexpose = \"env\"\n{more}\n\
             [[secrets.KEY.allow]]\nhost = \"{}\"\nmethods = [\"GET\", \"POST\", \"DELETE\"]\npaths = [\"/**\"]\n",
            self.bed.name(),
            self.bed.entry(),
            issuer.url()
        );
        self.host.agent(Manifest::parse("agent.toml", &manifest).expect("set up"), &strongroom_components::bytes("probe")).expect("set up")
    }

    /// What the host has written down.
    ///
    /// # Panics
    /// Where it can't be read.
    #[must_use]
    pub fn audit(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.bed.file("audit.jsonl")).expect("set up");
        text.lines().map(|line| serde_json::from_str(line).expect("set up")).collect()
    }
}

/// What an agent prints for these operations.
///
/// # Panics
/// Where it does not run.
pub async fn ran(agent: &Agent, operations: &[String]) -> String {
    let stdout = Captured::default();
    agent.run(RunOptions::default().args(operations.iter().cloned()).stdout(stdout.clone())).await.expect("set up");
    stdout.text()
}

/// A request with the key, as the probe is told of it.
#[must_use]
pub fn get(issuer: &Issuer, path: &str) -> String {
    format!("send GET {}{path} h:authorization=Bearer+{{KEY}}", issuer.url())
}
