//! How long the kill switch takes while two hundred agents send, one streams, one waits for a server that doesn't read, and one spins.

use super::{KEY, server};
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};
use strongroom::{Agent, Host, HostConfig, Manifest, RunOptions, StaticBackend, Whom};
use strongroom_tests::figures::{Figure, Figures, median};
use tokio::task::JoinSet;

const SENDING: usize = 200;
const ROUNDS: usize = 20;
/// How long they are about it before the switch is turned.
const UNDER_WAY: Duration = Duration::from_secs(1);

pub fn measure(figures: &mut Figures) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (dir, server) = (tempfile::tempdir().expect("a directory"), server::Server::start(false));
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let silent_port = silent.local_addr().expect("an address").port();
    thread::spawn(move || silent.incoming().flatten().collect::<Vec<_>>());
    let config = HostConfig::default().with(|new| {
        new.state_dir = Some(dir.path().join("state"));
        new.network_allow = vec!["127.0.0.1/32".parse().expect("a network")];
    });
    let host = Host::builder().config(config).backend("static", StaticBackend::new().with("KEY", KEY)).default_backend("static");
    let host = host.without_audit().lanes(2).max_agents(256).build().expect("a host");
    let (asks, waits) = (agent(&host, "asks", "looper", server.port), agent(&host, "waits", "looper", silent_port));
    let spins = agent(&host, "spins", "probe", server.port);
    let mut took = Vec::new();
    for _ in 0..ROUNDS {
        took.push(runtime.block_on(async {
            let mut runs = JoinSet::new();
            let mut begin = |agent: &Agent, arguments: &[&str]| {
                let (agent, arguments) = (agent.clone(), arguments.iter().map(|argument| (*argument).to_owned()).collect::<Vec<_>>());
                runs.spawn(async move {
                    agent.run(RunOptions::default().args(arguments).stdout(std::io::sink()).stderr(std::io::sink())).await
                });
            };
            let url = format!("http://127.0.0.1:{}", server.port);
            (0..SENDING).for_each(|_| begin(&asks, &["GET", &format!("{url}/v1/price"), "100000000", "none"]));
            begin(&asks, &["upload", &format!("{url}/upload"), "1073741824"]);
            begin(&waits, &["upload", &format!("http://127.0.0.1:{silent_port}/never"), "1073741824"]);
            begin(&spins, &["spin"]);
            tokio::time::sleep(UNDER_WAY).await;
            let switch = host.kill_switch().clone();
            let turned = move || {
                let began = Instant::now();
                switch.on(&Whom::All).expect("it is turned");
                began.elapsed().as_secs_f64() * 1e3
            };
            let took = tokio::task::spawn_blocking(turned).await.expect("no panic");
            while let Some(run) = runs.join_next().await {
                run.expect("no panic").expect("it was begun");
            }
            let switch = host.kill_switch().clone();
            tokio::task::spawn_blocking(move || switch.off(&Whom::All).expect("it is lifted")).await.expect("no panic");
            took
        }));
    }
    let longest = took.iter().copied().fold(0.0, f64::max);
    let name = "the kill switch, until nothing can leave, the longest of 20";
    figures.add(Figure::at_most(name, longest, "ms", "the median, ms", median(&took), 100.0));
}

fn agent(host: &Host, name: &str, guest: &str, port: u16) -> Agent {
    let manifest = format!(
        "name = \"{name}\"\ncomponent = \"{guest}.wasm\"\n[limits]\nwall = \"1h\"\ncpu = \"1h\"\nsent = \"4GiB\"\nreceived = \"4GiB\"\n\
         [[egress]]\nhost = \"http://127.0.0.1:{port}\"\nmethods = [\"GET\", \"POST\"]\npaths = [\"/**\"]\nrate = \"100000000/min\"\nown_credentials = true\n"
    );
    host.agent(Manifest::parse("agent.toml", &manifest).expect("a manifest"), &strongroom_components::bytes(guest)).expect("a component")
}
