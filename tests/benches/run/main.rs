//! What a run costs, against bare wasmtime, a bare hook and native code, all in this process. `cargo bench --bench run`.
//!
//! Prints a table and writes `target/figures/run.json`.

mod bare;
mod server;

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use strongroom::{Agent, End, FileAudit, Host, HostBuilder, HostConfig, Manifest, Resolve, RunOptions, StaticBackend};
use strongroom_tests::figures::{Figure, Figures, Part, measure, median, paired};
use strongroom_tests::heap;
use tokio::runtime::Runtime;

#[global_allocator]
static HEAP: heap::Counting = heap::Counting;

/// Runs for a median of a single run's cost.
const RUNS: usize = 2_000;
/// Requests in one loop, and interleaved repetitions of it.
const REQUESTS: usize = 2_000;
const REPETITIONS: usize = 9;
/// Idle agents at once.
const IDLE: usize = 1_000;
const GIB: u64 = 1 << 30;
/// Filled by the bench with what the exchange accepts; any value does.
const KEY: &str = "pf_live_9f8e7d6c5b4a39281706f5e4d3c2b1a0";

/// The parts, by the names that select them: `cargo bench --bench run -- loops`.
const PARTS: [(&str, Part); 5] =
    [("empty", empty_runs), ("loops", loops), ("idle", idle_agents), ("start", cold_start), ("bodies", large_bodies)];

fn main() {
    measure("run", &PARTS);
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

/// Sends every name to 127.0.0.1.
struct Loopback;

#[async_trait::async_trait]
impl Resolve for Loopback {
    async fn resolve(&self, _host: &str, port: u16) -> std::io::Result<Vec<std::net::SocketAddr>> {
        Ok(vec![([127, 0, 0, 1], port).into()])
    }
}

fn host(agents: u32, ca: Option<std::path::PathBuf>) -> HostBuilder {
    let config = HostConfig::default().with(|new| {
        new.network_allow = vec!["127.0.0.1/32".parse().expect("a network")];
        new.network_ca = ca.into_iter().collect();
    });
    let backend = StaticBackend::new().with("KEY", KEY);
    let host = Host::builder().config(config).backend("static", backend).default_backend("static");
    host.resolver(Loopback).without_state().max_agents(agents)
}

fn agent(host: &Host, origin: &str) -> Agent {
    let manifest = format!(
        "name = \"looper\"\ncomponent = \"looper.wasm\"\n[limits]\nwall = \"1h\"\ncpu = \"1h\"\nsent = \"4GiB\"\nreceived = \"4GiB\"\n\
         [secrets.KEY]\nexpose = \"env\"\n[[secrets.KEY.allow]]\nhost = \"{origin}\"\nmethods = [\"GET\", \"POST\"]\npaths = [\"/**\"]\n"
    );
    let manifest = Manifest::parse("agent.toml", &manifest).expect("a valid manifest");
    host.agent(manifest, &strongroom_components::bytes("looper")).expect("a component that loads")
}

fn quiet() -> RunOptions {
    RunOptions::default().stdout(std::io::sink()).stderr(std::io::sink())
}

/// Runs a future as a task, as a service would: on the thread of `block_on` every wake-up would cross threads.
fn on_a_worker(runtime: &Runtime, work: impl Future<Output = ()> + Send + 'static) {
    runtime.block_on(runtime.spawn(work)).expect("no panic");
}

async fn run(agent: Agent, args: Vec<String>) {
    let outcome = agent.run(quiet().args(args.iter().cloned())).await.expect("a run");
    assert_eq!(outcome.end, End::Exit(0), "{args:?}");
}

/// Store, instantiate, mint, audit, run, drop: nothing done inside.
fn empty_runs(figures: &mut Figures) {
    let runtime = runtime();
    let dir = tempfile::tempdir().expect("a directory");
    let audit = FileAudit::open(&dir.path().join("audit.jsonl")).expect("a file");
    let audited = host(64, None).audit(audit).build().expect("a host");
    let silent = host(64, None).without_audit().build().expect("a host");
    let (audited, silent) = (agent(&audited, "api.test"), agent(&silent, "api.test"));
    let bare = Arc::new(bare::Bare::new(64));
    let time = |work: &dyn Fn()| {
        let start = Instant::now();
        work();
        start.elapsed().as_secs_f64() * 1e6
    };
    let mut times = [Vec::new(), Vec::new(), Vec::new()];
    for round in 0..RUNS + 200 {
        let taken = [
            time(&|| runtime.block_on(run(audited.clone(), Vec::new()))),
            time(&|| runtime.block_on(run(silent.clone(), Vec::new()))),
            time(&|| runtime.block_on(bare.clone().run(Vec::new()))),
        ];
        if round >= 200 {
            times.iter_mut().zip(taken).for_each(|(times, taken)| times.push(taken));
        }
    }
    let [audited, silent, bare] = times.map(|times| median(&times));
    figures.add(Figure::at_most("empty run, audit to a file, p50", audited, "µs", "absolute", 100.0, 100.0));
    figures.add(Figure::at_most("empty run, audit off, p50", silent, "µs", "bare wasmtime, same engine settings", bare, 2.0 * bare));
}

/// One guest that loops over a small GET: on a current-thread runtime, as the binary has it, and on a multi-threaded one, where
/// wake-ups cross threads.
fn loops(figures: &mut Figures) {
    let current = || tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    for scheme in ["http", "https"] {
        get_loop(figures, scheme, "one thread", &current());
        get_loop(figures, scheme, "two threads", &runtime());
    }
}

fn get_loop(figures: &mut Figures, scheme: &str, threads: &str, runtime: &Runtime) {
    let server = server::Server::start(scheme == "https");
    let dir = tempfile::tempdir().expect("a directory");
    let ca = (scheme == "https").then(|| server.write_ca(dir.path()));
    let audit = FileAudit::open(&dir.path().join("audit.jsonl")).expect("a file");
    let host = host(16, ca).audit(audit).build().expect("a host");
    let origin = format!("{scheme}://localhost:{}", server.port);
    let strongroom = agent(&host, &origin);
    let bare = Arc::new(bare::Bare::new(16).trusting(server.roots()));
    let native = bare::native_client(server.roots());
    let url = format!("{origin}/v1/price");
    let (mut ours, mut hook, mut reqwest) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=REPETITIONS {
        let each = |work: &dyn Fn()| {
            let start = Instant::now();
            work();
            start.elapsed().as_secs_f64() * 1e6 / REQUESTS as f64
        };
        // The guest takes its placeholder from its environment where it has one.
        let args = |bearer: &str| ["GET", &url, &REQUESTS.to_string(), bearer].map(str::to_owned);
        let taken = [
            each(&|| on_a_worker(runtime, run(strongroom.clone(), args("env:KEY").to_vec()))),
            each(&|| on_a_worker(runtime, bare.clone().run(args(KEY).to_vec()))),
            each(&|| on_a_worker(runtime, bare::native_loop(native.clone(), url.clone(), REQUESTS))),
        ];
        if round > 0 {
            ours.push(taken[0]);
            hook.push(taken[1]);
            reqwest.push(taken[2]);
        }
    }
    assert_eq!(server.wrong_keys(), 0, "every request carried the key");
    let name = |what: &str| format!("GET loop, {scheme}, {threads}, speed against {what}");
    let hook_ratio = paired(&hook, &ours);
    let native_ratio = paired(&reqwest, &ours);
    figures.add(Figure::at_least(&name("a bare hook"), hook_ratio, "ratio", "bare hook, µs a request", median(&hook), 0.9));
    figures.add(Figure::at_least(&name("native reqwest"), native_ratio, "ratio", "native reqwest, µs a request", median(&reqwest), 0.65));
}

/// How much memory an agent that waits takes.
fn idle_agents(figures: &mut Figures) {
    struct Up(Arc<AtomicUsize>);
    impl Write for Up {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.fetch_add(bytes.iter().filter(|b| **b == b'\n').count(), Ordering::SeqCst);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let runtime = runtime();
    let host = host(IDLE as u32 + 8, None).without_audit().build().expect("a host");
    let agent = agent(&host, "api.test");
    heap::count();
    runtime.block_on(run(agent.clone(), Vec::new()));
    let (before, heap_before) = (resident(std::process::id()), heap::live());
    let up = Arc::new(AtomicUsize::new(0));
    for _ in 0..IDLE {
        let (agent, up) = (agent.clone(), Up(Arc::clone(&up)));
        runtime.spawn(async move { agent.run(quiet().args(["idle"]).stdout(up)).await });
    }
    while up.load(Ordering::SeqCst) < IDLE {
        std::thread::sleep(Duration::from_millis(10));
    }
    let each = |bytes: u64| bytes as f64 / IDLE as f64 / 1024.0;
    let (resident, heap) = (each(resident(std::process::id()) - before), each(heap::live() - heap_before));
    runtime.shutdown_background();
    let (bare_resident, bare_heap) = idle_bare();
    let name = "an idle agent of 1,000, beyond the pool (heap)";
    figures.add(Figure::at_most(name, heap, "KiB", "the same in bare wasmtime", bare_heap, 64.0));
    let name = "an idle agent of 1,000, with its pages of the pool (resident)";
    figures.add(Figure::at_most(name, resident, "KiB", "the same in bare wasmtime", bare_resident, 64.0));
}

/// The same agents in bare wasmtime. What they print goes nowhere, so they are given a second to come up.
fn idle_bare() -> (f64, f64) {
    let runtime = runtime();
    let bare = Arc::new(bare::Bare::new(IDLE as u32 + 8));
    runtime.block_on(bare.clone().run(Vec::new()));
    let (before, heap_before) = (resident(std::process::id()), heap::live());
    for _ in 0..IDLE {
        runtime.spawn(bare.clone().run(vec!["idle".to_owned()]));
    }
    std::thread::sleep(Duration::from_secs(1));
    let each = |bytes: u64| bytes as f64 / IDLE as f64 / 1024.0;
    let (resident, heap) = (each(resident(std::process::id()) - before), each(heap::live() - heap_before));
    runtime.shutdown_background();
    (resident, heap)
}

const BINARY: &str = env!("CARGO_BIN_EXE_strongroom-under-test");

/// A desk for the binary: a manifest and a configuration.
fn desk(origin: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    let component = strongroom_components::path("looper");
    let manifest = format!(
        "name = \"looper\"\ncomponent = \"{}\"\n[limits]\nwall = \"1h\"\ncpu = \"1h\"\nsent = \"4GiB\"\nreceived = \"4GiB\"\n\
         [secrets.KEY]\nexpose = \"env\"\n[[secrets.KEY.allow]]\nhost = \"{origin}\"\nmethods = [\"GET\", \"POST\"]\npaths = [\"/**\"]\n",
        component.display()
    );
    std::fs::write(dir.path().join("agent.toml"), manifest).expect("a file");
    let config = "[network]\nallow = [\"127.0.0.1/32\"]\n[audit]\nfile = \"audit.jsonl\"\n[state]\ndir = \"state\"\n";
    std::fs::write(dir.path().join("strongroom.toml"), config).expect("a file");
    dir
}

fn command(dir: &std::path::Path, args: &[&str]) -> Command {
    let mut command = Command::new(BINARY);
    command.current_dir(dir).args(["run", "agent.toml", "--config", "strongroom.toml", "--"]).args(args).env("KEY", KEY);
    command.stdout(Stdio::null());
    command
}

/// The whole process, from its start to its end, with a component in the cache: an upper bound for its first instruction.
fn cold_start(figures: &mut Figures) {
    let desk = desk("api.test");
    let mut times = Vec::new();
    for round in 0..21 {
        let start = Instant::now();
        let status = command(desk.path(), &[]).status().expect("the binary runs");
        assert!(status.success());
        if round > 0 {
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
    }
    figures.add(Figure::at_most("`strongroom run`, cached, whole process, p50", median(&times), "ms", "absolute", 30.0, 30.0));
}

/// A body of 1 GiB in each direction, and the most memory that the host's process takes for it, above a run that moves none.
fn large_bodies(figures: &mut Figures) {
    let server = server::Server::start(false);
    let origin = format!("http://127.0.0.1:{}", server.port);
    let desk = desk(&origin);
    let idle = peak(command(desk.path(), &["GET", &format!("{origin}/v1/price"), "10", "env:KEY"]));
    for (what, args) in [
        ("download", vec!["download".to_owned(), format!("{origin}/download/{GIB}")]),
        ("upload", vec!["upload".to_owned(), format!("{origin}/upload"), GIB.to_string()]),
    ] {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let start = Instant::now();
        let above = peak(command(desk.path(), &args)).saturating_sub(idle) as f64 / f64::from(1 << 20);
        let speed = GIB as f64 / f64::from(1 << 20) / start.elapsed().as_secs_f64();
        let idle = idle as f64 / f64::from(1 << 20);
        let name = format!("{what} of 1 GiB ({speed:.0} MiB/s), memory above an idle run");
        figures.add(Figure::at_most(&name, above, "MiB", "peak of an idle run, MiB", idle, 8.0));
    }
}

/// The most resident memory of a process over its life, sampled until it ends.
fn peak(mut command: Command) -> u64 {
    let mut child = command.spawn().expect("the binary runs");
    let mut peak = 0;
    loop {
        peak = peak.max(status(child.id(), "VmHWM:"));
        match child.try_wait().expect("a child") {
            Some(status) => {
                assert!(status.success());
                return peak;
            }
            None => std::thread::sleep(Duration::from_millis(1)),
        }
    }
}

fn resident(process: u32) -> u64 {
    status(process, "VmRSS:")
}

/// A line of `/proc/PROCESS/status`, in bytes.
fn status(process: u32, line: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let kib = status.lines().find_map(|text| text.strip_prefix(line)?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}
