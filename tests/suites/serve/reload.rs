//! SIGHUP has the directory read anew.

use super::process::Agents;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, Sender, channel};

const OFTEN: &str = "[trigger]\nevery = \"100ms\"";

#[test]
fn what_is_new_begins_what_is_gone_drains_and_what_has_changed_is_for_the_next_runs() {
    let agents =
        Agents::new().agent("stays", &["print old"], OFTEN).agent("goes", &["print going"], OFTEN).agent("as-it-was", &["print same"], "");
    let mut served = agents.serve();
    served.wait_for(&["agents: serving 3 agents"]);
    served.wait_for(&["stays ", "| old"]);
    served.wait_for(&["goes ", "| going"]);

    agents.write("stays", &["print new"], OFTEN);
    agents.write("comes", &["print coming"], "");
    agents.remove("goes");
    served.signal("HUP");

    let read = served.wait_for(&["agents: read anew, serving "]);
    assert!(read.ends_with(" agents; new: comes; changed: stays; gone: goes"), "{read}");
    let before = served.seen.len();
    // A run that was under way may still say what it began with; whatever begins from here on is new.
    (0..3).for_each(|_| drop(served.wait_for(&["stays ", "| new"])));
    let (code, said) = served.terminate();
    assert_eq!(code, Some(0));
    assert!(said.iter().any(|line| line.starts_with("comes ") && line.ends_with("| coming")));
    let begun_since = |agent: &str| {
        said[before..].iter().filter(|line| line.contains(&format!("agent {agent}, run ")) && line.ends_with("begins")).count()
    };
    assert_eq!((begun_since("goes"), begun_since("as-it-was")), (0, 0), "{}", said.join("\n"));
}

#[test]
fn files_that_are_watched_are_read_anew_without_a_signal() {
    let agents = Agents::new().agent("ticker", &["print old"], OFTEN);
    let mut served = agents.serve_with(&["--watch"]);
    served.wait_for(&["ticker ", "| old"]);

    agents.write("ticker", &["print new"], OFTEN);
    served.wait_for(&["agents: read anew, serving 1 agent; changed: ticker"]);
    served.wait_for(&["ticker ", "| new"]);
    // A component is another, and so is a file that can't be used.
    std::fs::copy(strongroom_components::path("looper"), agents.path("new.wasm")).unwrap();
    std::fs::rename(agents.path("new.wasm"), agents.path("probe.wasm")).unwrap();
    served.wait_for(&["agents: read anew, serving 1 agent; changed: ticker"]);
    agents.file("broken.toml", "name");
    served.wait_for(&["agents: read anew, serving 1 agent; manifests that can't be used: 1"]);
    agents.remove("ticker");
    served.wait_for(&["agents: read anew", "gone: ticker"]);
    served.terminate();
}

#[test]
fn a_manifest_that_can_not_be_used_leaves_its_agent_as_it_was() {
    let agents = Agents::new().agent("ticker", &["print good"], OFTEN);
    let mut served = agents.serve();
    served.wait_for(&["serving 1 agent"]);

    for (text, told) in [
        ("name = \"ticker\"", "error: agents/ticker.toml:1:1: `component` is missing; add `component = \"my_agent.wasm\"`"),
        ("name = \"ticker\"\ncomponent = \"nowhere.wasm\"", "error: agents/ticker.toml: agents/nowhere.wasm: the component can't be read"),
    ] {
        agents.file("ticker.toml", text);
        served.signal("HUP");
        served.wait_for(&[told]);
        served.wait_for(&["ticker goes on by the manifest and the component that it had"]);
        served.wait_for(&["agents: read anew, serving 1 agent; manifests that can't be used: 1"]);
        (0..2).for_each(|_| drop(served.wait_for_another(&["ticker ", "| good"])));
    }
    // Another one of its name is refused, and so is it; it goes on.
    agents.write("ticker", &["print good"], OFTEN);
    agents.file("second.toml", "name = \"ticker\"\ncomponent = \"../probe.wasm\"");
    served.signal("HUP");
    served.wait_for(&["agents: read anew, serving 1 agent; manifests that can't be used: 2"]);
    (0..2).for_each(|_| drop(served.wait_for_another(&["ticker ", "| good"])));

    std::fs::rename(agents.path("agents"), agents.path("elsewhere")).unwrap();
    served.signal("HUP");
    served.wait_for(&["error: agents: the directory can't be read (", "; all agents stay as they are"]);
    (0..2).for_each(|_| drop(served.wait_for_another(&["ticker ", "| good"])));
    assert_eq!(served.terminate().0, Some(0));
}

#[test]
fn a_new_component_is_a_change_and_what_was_given_up_begins_anew() {
    let agents = Agents::new().agent("mended", &["print well"], "restart = \"on failure\"\nbackoff = { to = \"100ms\" }\ngive_up = 1");
    let probe = std::fs::read(agents.path("probe.wasm")).unwrap();
    let broken = r#"(component
        (core module $m (func (export "run") (result i32) unreachable))
        (core instance $i (instantiate $m))
        (func $run (result (result)) (canon lift (core func $i "run")))
        (instance $r (export "run" (func $run)))
        (export "wasi:cli/run@0.2.0" (instance $r)))"#;
    std::fs::write(agents.path("probe.wasm"), wat::parse_str(broken).unwrap()).unwrap();
    let mut served = agents.serve();
    served.wait_for(&["ERROR agent mended, run ", "(trap: ", "failure 1 in a row"]);

    std::fs::write(agents.path("probe.wasm"), probe).unwrap();
    served.signal("HUP");

    served.wait_for(&["mended ", "| well"]);
    served.wait_for(&["agents: read anew, serving 1 agent; changed: mended"]);
    served.signal("HUP");
    served.wait_for(&["agents: read anew, serving 1 agent"]);
    let (code, said) = served.terminate();
    assert_eq!(code, Some(0));
    assert_eq!(said.iter().filter(|line| line.ends_with("| well")).count(), 1, "nothing has changed since");
}

/// A server that answers each request; one for `/gate` once it is let.
fn gated() -> (u16, Receiver<()>, Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let ((asked, is_asked), (gate, is_open)) = (channel(), channel());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut head = String::new();
            let mut lines = BufReader::new(stream.try_clone().unwrap());
            while !head.ends_with("\r\n\r\n") && lines.read_line(&mut head).is_ok_and(|count| count > 0) {}
            if head.starts_with("GET /gate ") && (asked.send(()).is_err() || is_open.recv().is_err()) {
                return;
            }
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok");
        }
    });
    (port, is_asked, gate)
}

#[test]
fn a_run_that_is_under_way_is_held_to_both_manifests_and_one_that_begins_has_the_new_one_alone() {
    let (port, is_asked, gate) = gated();
    let url = |path: &str| format!("send GET http://127.0.0.1:{port}/{path}");
    let operations = [url("one"), url("gate"), url("after")];
    let operations: Vec<&str> = operations.iter().map(String::as_str).collect();
    let tables = |path: &str| format!("[[egress]]\nhost = \"http://127.0.0.1:{port}\"\npaths = [\"/gate\", \"/{path}\"]");
    let agents = Agents::new();
    let write = |path: &str| {
        let text = format!("name = \"bot\"\ncomponent = \"../probe.wasm\"\n{}\n[run]\nargs = {operations:?}\n", tables(path));
        agents.file("bot.toml", &text);
    };
    write("**");
    let mut served = agents.serve();

    is_asked.recv().unwrap();
    write("after");
    served.signal("HUP");
    served.wait_for(&["changed: bot"]);
    write("none");
    served.signal("HUP");
    served.wait_for_another(&["changed: bot"]);
    gate.send(()).unwrap();
    // It ran while it changed, and runs once with what is there now.
    is_asked.recv().unwrap();
    gate.send(()).unwrap();
    served.wait_for(&["bot", "has ended"]);
    served.wait_for(&["bot", "has ended"]);
    served.terminate();

    let log = std::fs::read_to_string(agents.path("audit.jsonl")).unwrap();
    let records: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |event: &str, key: &str| -> Vec<String> {
        records.iter().filter(|record| record["event"] == event).map(|record| record[key].as_str().unwrap_or_default().to_owned()).collect()
    };
    // The first run: `/after` by the second manifest, and not by the third. The second run: the third alone.
    assert_eq!(of("denial", "rule"), ["reloaded", "path", "path"], "{log}");
    let urls = of("egress", "url");
    assert_eq!(urls.iter().map(|url| url.rsplit('/').next().unwrap()).collect::<Vec<_>>(), ["one", "gate", "gate"]);
    assert_eq!(of("egress", "manifest"), ["", "", ""]);
    let manifests = of("run-start", "manifest");
    assert!(manifests.len() == 2 && manifests[0] != manifests[1], "{manifests:?}");
}
