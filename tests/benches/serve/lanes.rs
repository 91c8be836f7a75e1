//! Agents on lanes: two against one, and against a bare hook.
//!
//! Two cores have no third for a server. So there are two readings of "two lanes against one": runs whose requests have the same answer each
//! time, that their host's name is unknown, where all the work is the lanes' (decision, substitution, records, the agent's own); and runs whose
//! requests a server answers, which has the same two cores.

use super::{KEY, bare, server};
use std::sync::Arc;
use std::time::Instant;
use strongroom::{Agent, End, FileAudit, Host, HostConfig, Manifest, Resolve, RunOptions, StaticBackend};
use strongroom_tests::figures::{Figure, Figures, median, paired};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

/// Agents at once, requests of each, and rounds by turns.
const AGENTS: usize = 4;
const REQUESTS: usize = 2_000;
const ROUNDS: usize = 11;

pub fn measure(figures: &mut Figures) {
    let outside = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let dir = tempfile::tempdir().expect("a directory");
    let server = server::Server::start(false);
    let hosts = [1, 2].map(|lanes| host(lanes, &dir.path().join(format!("{lanes}.jsonl"))));
    let url = format!("http://127.0.0.1:{}/v1/price", server.port);
    let agents = hosts.each_ref().map(|host| agent(host, server.port));

    let (mut one, mut two) = (Vec::new(), Vec::new());
    let unknown = ["repeat", &REQUESTS.to_string(), "GET", "http://unknown.test/v1/price", "h:authorization=Bearer+{KEY}"].join(" ");
    for _ in 0..=ROUNDS {
        one.push(all(&outside, &agents[0].1, std::slice::from_ref(&unknown)));
        two.push(all(&outside, &agents[1].1, std::slice::from_ref(&unknown)));
    }
    let against = "one lane, µs a request";
    let name = "two lanes, requests with the same answer without a server";
    figures.add(Figure::at_least(name, paired(&one[1..], &two[1..]), "x", against, median(&one[1..]), 1.8));

    let asked = ["GET", &url, &REQUESTS.to_string(), "env:KEY"].map(str::to_owned);
    let hook = Arc::new(bare::Bare::new(16));
    let bare_lanes: Vec<Runtime> =
        (0..2).map(|_| Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime")).collect();
    let (mut one, mut two, mut hooked) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..=ROUNDS {
        one.push(all(&outside, &agents[0].0, &asked));
        two.push(all(&outside, &agents[1].0, &asked));
        hooked.push(all_bare(&outside, &bare_lanes, &hook, &url));
    }
    assert_eq!(server.wrong_keys(), 0, "every request carried the key");
    let name = "two lanes, with a server on the same cores";
    figures.add(Figure::at_least(name, paired(&one[1..], &two[1..]), "x", against, median(&one[1..]), 1.4));
    let name = "an embedder's request loops on two lanes";
    let against = "a bare hook on two threads, µs a request";
    figures.add(Figure::at_least(name, paired(&hooked[1..], &two[1..]), "x", against, median(&hooked[1..]), 0.85));
}

/// Knows no name.
struct Unknown;

#[async_trait::async_trait]
impl Resolve for Unknown {
    async fn resolve(&self, _host: &str, _port: u16) -> std::io::Result<Vec<std::net::SocketAddr>> {
        Ok(Vec::new())
    }
}

fn host(lanes: usize, audit: &std::path::Path) -> Host {
    let config = HostConfig::default().with(|new| new.network_allow = vec!["127.0.0.1/32".parse().expect("a network")]);
    let host = Host::builder().config(config).backend("static", StaticBackend::new().with("KEY", KEY)).default_backend("static");
    let host = host.resolver(Unknown).audit(FileAudit::open(audit).expect("a file")).without_state().max_agents(16).lanes(lanes);
    host.build().expect("a host")
}

/// One that asks the server, and one whose host is unknown.
fn agent(host: &Host, port: u16) -> (Agent, Agent) {
    let agent = |guest: &str| {
        let manifest = format!(
            "name = \"{guest}\"\ncomponent = \"{guest}.wasm\"\n[limits]\nwall = \"1h\"\ncpu = \"1h\"\nsent = \"4GiB\"\nreceived = \"4GiB\"\noutput = \"1GiB\"\n\
             [secrets.KEY]\nexpose = \"env\"\n[[secrets.KEY.allow]]\nhost = \"http://127.0.0.1:{port}\"\npaths = [\"/v1/**\"]\nrate = \"100000000/min\"\n\
             [[secrets.KEY.allow]]\nhost = \"http://unknown.test\"\npaths = [\"/v1/**\"]\nrate = \"100000000/min\"\n"
        );
        host.agent(Manifest::parse("agent.toml", &manifest).expect("a manifest"), &strongroom_components::bytes(guest))
            .expect("a component")
    };
    (agent("looper"), agent("probe"))
}

/// Microseconds a request, of all agents together.
fn all(outside: &Runtime, agent: &Agent, arguments: &[String]) -> f64 {
    let began = Instant::now();
    outside.block_on(async {
        let mut runs = JoinSet::new();
        for _ in 0..AGENTS {
            let (agent, arguments) = (agent.clone(), arguments.to_vec());
            runs.spawn(async move {
                let options = RunOptions::default().args(arguments).stdout(std::io::sink()).stderr(std::io::sink());
                let outcome = agent.run(options).await.expect("a run");
                assert_eq!(outcome.end, End::Exit(0));
            });
        }
        while let Some(run) = runs.join_next().await {
            run.expect("no panic");
        }
    });
    each(began)
}

/// The same with what bare wasmtime makes of it, half of them on each thread.
fn all_bare(outside: &Runtime, lanes: &[Runtime], hook: &Arc<bare::Bare>, url: &str) -> f64 {
    let began = Instant::now();
    let runs: Vec<_> = (0..AGENTS)
        .map(|at| lanes[at % lanes.len()].spawn(Arc::clone(hook).run(["GET", url, &REQUESTS.to_string(), KEY].map(str::to_owned).to_vec())))
        .collect();
    outside.block_on(async {
        for run in runs {
            run.await.expect("no panic");
        }
    });
    each(began)
}

fn each(began: Instant) -> f64 {
    began.elapsed().as_secs_f64() * 1e6 / (AGENTS * REQUESTS) as f64
}
