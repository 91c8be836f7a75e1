//! Secrets from servers: what a resolve costs when it is cached, when it is not, when many want it at once, and what it takes to keep
//! leases alive. OpenBao and PostgreSQL are real.

#![expect(clippy::unwrap_used, reason = "a benchmark's unwrap is an assertion")]

use serde_json::json;
use std::collections::HashMap;
use std::hint::black_box;
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};
use strongroom::manifest::VaultConfig;
use strongroom::{Agent, Entry, Host, Manifest, SecretBackend, VaultBackend};
use strongroom_tests::VALUE;
use strongroom_tests::figures::{Figure, Figures, Part, measure, median, paired};
use strongroom_tests::heap;
use strongroom_tests::services::{OpenBao, Postgres};
use tokio::runtime::Runtime;

#[global_allocator]
static HEAP: heap::Counting = heap::Counting;

const RESOLVES: usize = 1_000_000;
const READS: usize = 500;
const REPETITIONS: usize = 9;
const CALLERS: usize = 10_000;
const LEASES: usize = 1_000;
const LEASED_FOR: Duration = Duration::from_secs(300);

/// The parts, by the names that select them: `cargo bench --bench backends -- cached`.
const PARTS: [(&str, Part); 4] = [("cached", cached), ("cold", cold), ("burst", burst), ("leases", leases)];

fn main() {
    measure("backends", &PARTS);
}

fn config() -> VaultConfig {
    let bao = OpenBao::shared();
    // The role is made once; each part logs in by itself.
    static ROLE: std::sync::OnceLock<tempfile::TempDir> = std::sync::OnceLock::new();
    let files = ROLE.get_or_init(|| {
        bao.put("agents/bench", json!({"KEY": VALUE}));
        bao.role_files("bench", include_str!("../../../examples/backends/vault/agents.hcl"), json!({}))
    });
    OpenBao::config(bao.address.clone(), files.path()).with(|new| {
        new.cache = Duration::from_secs(3600);
        new.stale = Duration::from_secs(7200);
    })
}

fn agent(from: &str) -> (Host, Agent) {
    let host = Host::builder().without_audit().without_state().max_agents(1);
    let host = host.backend("vault", VaultBackend::new(&config()).unwrap()).build().unwrap();
    let manifest = format!("name = \"bench\"\ncomponent = \"looper.wasm\"\n[secrets.KEY]\nfrom = \"{from}\"");
    let agent = host.agent(Manifest::parse("agent.toml", &manifest).unwrap(), &strongroom_components::bytes("looper")).unwrap();
    (host, agent)
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// What a request pays for a value that is at hand.
fn cached(figures: &mut Figures) {
    let runtime = runtime();
    let (host, agent) = agent("vault:agents/bench#KEY");
    let watched = runtime.block_on(agent.watch("KEY")).unwrap();
    let map: RwLock<HashMap<String, Arc<Vec<u8>>>> = RwLock::new([("KEY".to_owned(), Arc::new(VALUE.as_bytes().to_vec()))].into());
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..REPETITIONS {
        ours.push(runtime.block_on(async {
            let begun = Instant::now();
            for _ in 0..RESOLVES {
                black_box(watched.fingerprint().await.unwrap());
            }
            begun.elapsed().as_secs_f64() * 1e6 / RESOLVES as f64
        }));
        let begun = Instant::now();
        for _ in 0..RESOLVES {
            black_box(map.read().unwrap().get(black_box("KEY")).cloned());
        }
        theirs.push(begun.elapsed().as_secs_f64() * 1e6 / RESOLVES as f64);
    }
    let looked_up = median(&theirs);
    figures.add(Figure::at_most("cached resolve", median(&ours), "us", "a look-up in a HashMap under a lock", looked_up, 1.0));
    heap::count();
    let before = heap::live();
    runtime.block_on(async {
        for _ in 0..RESOLVES {
            black_box(watched.fingerprint().await.unwrap());
        }
    });
    let left = heap::live().saturating_sub(before) as f64;
    figures.add(Figure::at_most("heap that a million cached resolves leave behind", left, "B", "none", 0.0, 0.0));
    assert_eq!(host.secret_counts().asked, 1, "all of them were cached");
}

/// A read that goes to the server, against the same request by a bare client.
fn cold(figures: &mut Figures) {
    let bao = OpenBao::shared();
    let runtime = runtime();
    let backend = VaultBackend::new(&config()).unwrap();
    let entry = Entry::new("agents/bench").field("KEY");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let tls = tls.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth();
    let client = reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().build().unwrap();
    let url = format!("{}/v1/secret/data/agents/bench", bao.address);
    // A token of the same kind: what the server does for root is less.
    let made = bao.must("POST", "auth/token/create", json!({"policies": ["bench"], "ttl": "1h"}));
    let token = made["auth"]["client_token"].as_str().unwrap();
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    runtime.block_on(async {
        for _ in 0..REPETITIONS {
            let begun = Instant::now();
            for _ in 0..READS {
                black_box(backend.get(&entry).await.unwrap());
            }
            ours.push(begun.elapsed().as_secs_f64() * 1e6 / READS as f64);
            let begun = Instant::now();
            for _ in 0..READS {
                let answer = client.get(&url).header("x-vault-token", token).send().await.unwrap();
                black_box(answer.bytes().await.unwrap());
            }
            theirs.push(begun.elapsed().as_secs_f64() * 1e6 / READS as f64);
        }
        backend.close().await;
    });
    eprintln!("cold read: {:.0} us, bare: {:.0} us", median(&ours), median(&theirs));
    let ratio = paired(&ours, &theirs);
    figures.add(Figure::at_most(
        "cold read from OpenBao",
        ratio,
        "x",
        "a bare GET of the same path by reqwest, in us",
        median(&theirs),
        1.3,
    ));
}

/// Many who want the same secret for the first time, at once.
fn burst(figures: &mut Figures) {
    let runtime = runtime();
    let (host, agent) = agent("vault:agents/bench#KEY");
    let begun = Instant::now();
    let watched = runtime.block_on(async {
        let callers = (0..CALLERS).map(|_| {
            let agent = agent.clone();
            tokio::spawn(async move { agent.watch("KEY").await.unwrap() })
        });
        futures_util::future::join_all(callers.collect::<Vec<_>>()).await
    });
    eprintln!("{CALLERS} first resolves: {:.1} ms", begun.elapsed().as_secs_f64() * 1e3);
    assert!(watched.iter().all(Result::is_ok));
    let asked = host.secret_counts().asked as f64;
    figures.add(Figure::at_most("backend calls of 10,000 concurrent first resolves", asked, "", "a call for each", CALLERS as f64, 1.0));
    drop(watched);
    runtime.block_on(host.clone().shutdown());
}

/// Credentials of 60 s, kept alive for five minutes.
fn leases(figures: &mut Figures) {
    let (bao, postgres) = (OpenBao::shared(), Postgres::shared());
    let (user, password) = postgres.superuser();
    bao.must("POST", "sys/mounts/database", json!({"type": "database"}));
    let config = json!({"plugin_name": "postgresql-database-plugin", "allowed_roles": "*", "connection_url": postgres.url(), "username": user, "password": password});
    bao.must("POST", "database/config/postgres", config);
    let create = "CREATE ROLE \"{{name}}\" WITH LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}';";
    bao.must(
        "POST",
        "database/roles/bench",
        json!({"db_name": "postgres", "creation_statements": create, "default_ttl": "60s", "max_ttl": "24h"}),
    );
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (host, agent) = agent("vault:database/creds/bench#password");
    let (used, first, last) = runtime.block_on(async {
        use futures_util::StreamExt;
        let watched: Vec<_> = futures_util::stream::iter(0..LEASES).map(|_| agent.watch("KEY")).buffer_unordered(16).collect().await;
        let watched: Vec<_> = watched.into_iter().map(Result::unwrap).collect();
        let prints = async || {
            let mut prints = Vec::new();
            for watched in &watched {
                prints.push(watched.fingerprint().await.unwrap());
            }
            prints
        };
        let first = prints().await;
        let before = cpu();
        tokio::time::sleep(LEASED_FOR).await;
        let used = cpu() - before;
        let last = prints().await;
        drop(watched);
        host.clone().shutdown().await;
        (used, first, last)
    });
    let counts = host.secret_counts();
    eprintln!("{counts:?}");
    assert_eq!(first, last, "no credential had to be made anew");
    assert_eq!((counts.leased, counts.returned), (LEASES as u64, LEASES as u64));
    assert!(counts.renewed >= 4 * LEASES as u64, "each was renewed");
    let share = used / LEASED_FOR.as_secs_f64() * 100.0;
    figures.add(Figure::at_most("keeping 1,000 leases of 60 s alive for 5 minutes", share, "%", "one core", 100.0, 1.0));
}

/// Seconds of processor time that this process has used.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
    // The kernel's USER_HZ.
    ticks / 100.0
}
