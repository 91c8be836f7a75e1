//! The kill switch: while agents send, stream, spin and wait for signatures; over a restart; and by the command.

use crate::serve::process::Agents;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;
use strongroom::{Agent, Confirmed, End, Host, HostConfig, Manifest, Outcome, RunError, RunOptions, Whom};
use strongroom_tests::block_on;
use tokio::task::JoinSet;

/// Agents that send one request after the other, and how many runs each has of that.
const SENDING: usize = 40;
const RUNS: usize = 5;
/// Bytes of a body that is streamed, and how many of them are awaited before the switch is turned.
const STREAMED: u64 = 1 << 30;
const UNDER_WAY: usize = 4 << 20;
/// Within this time runs end that were stopped.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server that answers every request, and says whose it was; and how much has come of a body.
fn serve(seen: Sender<(String, usize)>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let seen = seen.clone();
            std::thread::Builder::new().stack_size(256 << 10).spawn(move || answer(stream, &seen)).unwrap();
        }
    });
    port
}

fn answer(mut stream: TcpStream, seen: &Sender<(String, usize)>) {
    let (mut read, mut piece, mut whose) = (Vec::new(), vec![0; 64 << 10], String::new());
    while let Ok(count @ 1..) = stream.read(&mut piece) {
        read.extend_from_slice(&piece[..count]);
        if let Some(path) = read.strip_prefix(b"GET /") {
            if !read.ends_with(b"\r\n\r\n") {
                continue;
            }
            whose = path.iter().map(|byte| char::from(*byte)).take_while(|c| *c != ' ').collect();
            if stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").is_err() {
                return;
            }
        }
        if seen.send((whose.clone(), count)).is_err() {
            return;
        }
        read.clear();
    }
}

/// A server that takes a connection, and reads nothing of it.
fn stall() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || listener.incoming().map_while(Result::ok).collect::<Vec<_>>());
    port
}

/// Sockets of this machine that may still bring something to a port, and whether bytes wait in one of them, by the system's own table.
fn connected_to(port: u16) -> (usize, bool) {
    // TIME_WAIT and CLOSE: neither sends anything.
    const OVER: [&str; 2] = ["06", "07"];
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let to = format!(":{port:04X}");
    let rows = table.lines().skip(1).map(|row| row.split_whitespace().collect::<Vec<_>>());
    let rows: Vec<_> = rows.filter(|row| row[2].ends_with(&to) && !OVER.contains(&row[3])).collect();
    (rows.len(), rows.iter().any(|row| !row[4].starts_with("00000000:")))
}

fn host(state: &Path) -> Host {
    let config = HostConfig::default().with(|new| {
        new.state_dir = Some(state.to_owned());
        new.network_allow = vec!["127.0.0.1/32".parse().unwrap()];
    });
    Host::builder().config(config).without_audit().lanes(2).max_agents(256).build().unwrap()
}

fn agent(host: &Host, name: &str, guest: &str, port: u16) -> Agent {
    let manifest = format!(
        "name = \"{name}\"\ncomponent = \"{guest}.wasm\"\n[limits]\nwall = \"1h\"\ncpu = \"1h\"\nsent = \"4GiB\"\nreceived = \"4GiB\"\n\
         [[egress]]\nhost = \"http://127.0.0.1:{port}\"\nmethods = [\"GET\", \"POST\"]\npaths = [\"/**\"]\nrate = \"100000000/min\"\nown_credentials = true\n"
    );
    host.agent(Manifest::parse("agent.toml", &manifest).unwrap(), &strongroom_components::bytes(guest)).unwrap()
}

fn options(args: &[&str]) -> RunOptions {
    RunOptions::default().args(args.iter().map(|arg| (*arg).to_owned())).stdout(std::io::sink()).stderr(std::io::sink())
}

fn is_stopped(ended: Result<Outcome, RunError>) -> bool {
    matches!(ended.unwrap().end, End::Stopped(denial) if denial.rule.as_str() == "kill-switch")
}

#[test]
fn all_that_agents_send_ends_at_once_whatever_they_are_about() {
    let dir = tempfile::tempdir().unwrap();
    let (sender, seen) = channel();
    let port = serve(sender);
    let host = host(&dir.path().join("state"));
    let url = format!("http://127.0.0.1:{port}");

    block_on(async {
        let mut runs = JoinSet::new();
        for number in 0..SENDING {
            let agent = agent(&host, &format!("sends-{number}"), "looper", port);
            for run in 0..RUNS {
                let (agent, url) = (agent.clone(), format!("{url}/sends-{number}-{run}"));
                runs.spawn(async move { agent.run(options(&["GET", &url, "100000000", "none"])).await });
            }
        }
        let (streams, to) = (agent(&host, "streams", "looper", port), format!("{url}/streams"));
        runs.spawn(async move { streams.run(options(&["upload", &to, &STREAMED.to_string()])).await });
        let spins = agent(&host, "spins", "probe", port);
        runs.spawn(async move { spins.run(options(&["spin"])).await });
        let stalls = stall();
        let (waits, to) = (agent(&host, "waits", "looper", stalls), format!("http://127.0.0.1:{stalls}/waits"));
        runs.spawn(async move { waits.run(options(&["upload", &to, &STREAMED.to_string()])).await });
        let goes_on = agent(&host, "goes-on", "looper", port);

        // Every one has sent, and the stream is under way.
        let under_way = tokio::task::spawn_blocking(move || {
            let (mut known, mut streamed) = (std::collections::BTreeSet::new(), 0);
            while known.len() < SENDING * RUNS || streamed < UNDER_WAY {
                match seen.recv_timeout(PATIENCE).expect("each of them sends") {
                    (whose, count) if whose.is_empty() => streamed += count,
                    (whose, _) => drop(known.insert(whose)),
                }
            }
            // What nobody reads has filled the system's buffers.
            let until = std::time::Instant::now() + PATIENCE;
            while !connected_to(stalls).1 {
                assert!(std::time::Instant::now() < until, "nothing waits to be read");
            }
            seen
        });
        let seen = under_way.await.unwrap();
        assert!(connected_to(port).0 > SENDING * RUNS / 2, "they are connected");

        let switch = host.kill_switch().clone();
        let turned = move || (switch.on(&Whom::All).unwrap(), connected_to(port), connected_to(stalls));
        let (confirmed, left, waiting) = tokio::task::spawn_blocking(turned).await.unwrap();

        assert_eq!((left, waiting), ((0, false), (0, false)), "there is no connection by which anything could leave");
        assert_eq!((confirmed.by.len(), confirmed.silent.len()), (1, 0));
        let ended = tokio::time::timeout(PATIENCE, async {
            let mut ended = 0;
            while let Some(run) = runs.join_next().await {
                assert!(is_stopped(run.unwrap()));
                ended += 1;
            }
            ended
        });
        assert_eq!(ended.await.unwrap(), SENDING * RUNS + 3);
        assert_eq!(connected_to(port), (0, false));
        // What had come there before is read.
        while seen.try_recv().is_ok() {}

        let one = format!("{url}/goes-on");
        let refused = goes_on.run(options(&["GET", &one, "1", "none"])).await;
        assert!(matches!(refused, Err(RunError::Stopped(_))), "{refused:?}");
        assert!(seen.try_recv().is_err(), "nothing comes there any more");
        let switch = host.kill_switch().clone();
        tokio::task::spawn_blocking(move || switch.off(&Whom::All).unwrap()).await.unwrap();
        assert_eq!(goes_on.run(options(&["GET", &one, "1", "none"])).await.unwrap().end, End::Exit(0));
    });
}

#[test]
fn one_agent_is_stopped_alone_and_over_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let port = serve(channel().0);
    let url = format!("http://127.0.0.1:{port}/one");
    let ends = |host: &Host, name: &str| block_on(agent(host, name, "looper", port).run(options(&["GET", &url, "1", "none"])));

    let before = host(&state);
    before.kill_switch().on(&Whom::agent("payer").unwrap()).unwrap();
    assert_eq!(ends(&before, "reader").unwrap().end, End::Exit(0));
    assert!(matches!(ends(&before, "payer"), Err(RunError::Stopped(_))));
    drop(before);

    let after = host(&state);
    assert!(matches!(ends(&after, "payer"), Err(RunError::Stopped(_))));
    assert_eq!(ends(&after, "reader").unwrap().end, End::Exit(0));
    let confirmed: Confirmed = after.kill_switch().off(&Whom::agent("payer").unwrap()).unwrap();
    assert_eq!(confirmed.silent, [] as [u32; 0]);
    assert_eq!(ends(&after, "payer").unwrap().end, End::Exit(0));
}

#[test]
fn an_operator_stops_what_is_served_and_lifts_it_again() {
    let agents =
        Agents::new().apart().agent("stays", &["print up", "spin"], "restart = \"always\"\nbackoff = { from = \"100ms\", to = \"100ms\" }");
    let turn = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_strongroom-under-test"));
        command.arg("kill-switch").args(arguments).args(["--config", "strongroom.toml"]).current_dir(agents.path("."));
        let output = command.env_clear().output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let said = |text: &str| (Some(0), format!("{text}\n"), String::new());

    assert_eq!(turn(&["status"]), said("nobody is stopped"));
    let mut served = agents.serve();
    served.wait_for(&["stays", "up"]);
    assert_eq!(turn(&["on", "stays"]), said("stays: stopped (confirmed by 1 host)"));
    served.wait_for(&["stays", "rule kill-switch"]);
    assert_eq!(turn(&["status"]), said("stays: stopped"));
    assert_eq!(turn(&["status", "--json"]), said("[{\"agent\":\"stays\"}]"));
    let (_, lines) = served.terminate();
    assert_eq!(lines.iter().filter(|line| line.ends_with(" up")).count(), 1, "{lines:#?}");

    // It stays so over a restart, and what was due begins when it is lifted.
    let mut served = agents.serve();
    served.wait_for(&["1 agent"]);
    assert_eq!(turn(&["off", "stays"]), said("stays: no longer stopped (confirmed by 1 host)"));
    served.wait_for(&["stays", "up"]);
    assert_eq!(turn(&["on", "--all"]), said("all agents: stopped (confirmed by 1 host)"));
    served.wait_for(&["stays", "rule kill-switch"]);
    served.terminate();
    assert_eq!(turn(&["off", "--all"]), said("all agents: no longer stopped (no host runs; it holds for those that begin)"));
    let (code, _, told) = turn(&["on", "No Name"]);
    assert_eq!(code, Some(120), "{told}");
}
