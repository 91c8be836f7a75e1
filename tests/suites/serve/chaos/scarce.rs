//! What a host does while something is missing: room on the disk, descriptors, a backend. It lives, sends nothing that it can't account for, and goes on
//! by itself once there is enough again.

use super::super::process::{Agents, Served};
use super::{SECRET, called, hook};
use serde_json::json;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use strongroom_tests::services::{Fault, Faulty, OpenBao};

const BEARER: &str = "bearer = \"SECRET\"";
const AGAIN: &str = "restart = \"always\"\ngive_up = 1000000\nbackoff = { from = \"100ms\", to = \"100ms\" }\n";
const LONG: &str = "[limits]\nwall = \"1h\"\ncpu = \"1h\"\noutput = \"1GiB\"\n";
/// So often in a row it fails, before what was missing comes back.
const OFTEN: usize = 20;

/// An API that answers once on each connection, and counts.
fn api() -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (port, count) = (listener.local_addr().unwrap().port(), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&count);
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            counted.fetch_add(1, Ordering::SeqCst);
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok");
        }
    });
    (port, count)
}

fn grant(port: u16) -> String {
    format!("[[egress]]\nhost = \"http://127.0.0.1:{port}\"\nrate = \"1000000/min\"\n")
}

/// Sets a limit of the process: the system refuses what is beyond it.
fn limit(served: &Served, what: &str) {
    let set = Command::new("prlimit").args(["--pid", &served.process().to_string(), what]).status().unwrap();
    assert!(set.success(), "{what}");
}

#[test]
fn without_room_on_the_disk_nothing_leaves_and_what_computes_goes_on() {
    let (port, count) = api();
    let agents = Agents::new().apart();
    agents.write("asks", &[&format!("repeat 1000000 GET http://127.0.0.1:{port}/v1")], &format!("{AGAIN}{LONG}{}", grant(port)));
    agents.write("computes", &["print begun", "spin"], &format!("restart = \"always\"\n{LONG}"));
    hook(&agents, BEARER);
    // A write beyond the limit is refused, as on a full disk; a signal would come with it.
    let serve = agents.command(&["--listen", "0", "--drain", "100ms"]);
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]).arg(serve.get_program()).args(serve.get_args());
    command.current_dir(serve.get_current_dir().unwrap()).env_clear().env("SECRET", SECRET).env("PATH", std::env::var("PATH").unwrap());
    let mut served = Served::begin(&mut command);
    let address = served.address();
    served.wait_for(&["computes ", "| begun"]);
    served.wait_for(&["asks ", "| send 200"]);
    assert_eq!(called(&address), 200);

    limit(&served, "--fsize=0:unlimited");
    let refused = served.wait_for_another(&["agent asks", "audit"]);
    let before = count.load(Ordering::SeqCst);
    for _ in 0..OFTEN {
        served.wait_for_another(&["agent asks", "audit"]);
        assert!(matches!(called(&address), 500..600), "a caller is told at once");
    }
    assert_eq!(count.load(Ordering::SeqCst), before, "nothing is sent that can't be written down: {refused}");

    limit(&served, "--fsize=unlimited:unlimited");
    served.wait_for_another(&["asks ", "| send 200"]);
    assert_eq!(called(&address), 200);
    assert_eq!(
        served.seen.iter().filter(|line| line.starts_with("computes ") && line.ends_with("| begun")).count(),
        1,
        "its run has gone on"
    );
    served.terminate();
    let log = fs::read_to_string(agents.path("audit.jsonl")).unwrap();
    assert!(log.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()), "each record is whole");
}

#[test]
fn without_descriptors_callers_wait_and_are_answered_once_there_are_some() {
    let (port, _) = api();
    let agents = Agents::new().apart();
    agents.write("asks", &[&format!("repeat 1000000 GET http://127.0.0.1:{port}/v1")], &format!("{AGAIN}{LONG}{}", grant(port)));
    hook(&agents, BEARER);
    let mut served = agents.serve_in(&["--listen", "0", "--drain", "100ms"], &[("SECRET", SECRET)]);
    let address = served.address();
    served.wait_for(&["asks ", "| send 200"]);

    let open = fs::read_dir(format!("/proc/{}/fd", served.process())).unwrap().count();
    // What is open stays; one more could be the caller's, which the agent would take.
    limit(&served, &format!("--nofile={}:", open.saturating_sub(4)));
    for _ in 0..OFTEN {
        served.wait_for_another(&["asks ", "ConnectionLimitReached"]);
    }
    let waiting = thread::spawn({
        let address = address.clone();
        move || called(&address)
    });
    served.wait_for(&["the listener at", "no connection can be taken"]);

    limit(&served, "--nofile=4096:");
    assert_eq!(waiting.join().unwrap(), 200, "it was not sent away");
    served.wait_for(&["connections are taken again"]);
    served.wait_for_another(&["asks ", "| send 200"]);
    assert_eq!(called(&address), 200);
    served.terminate();
}

#[test]
fn without_its_backend_an_agent_fails_others_do_not_and_it_goes_on_by_itself() {
    let (port, count) = api();
    let bao = OpenBao::shared();
    let files = bao.role_files("chaos", crate::backends::AGENTS_POLICY, json!({}));
    bao.put("agents/needs", json!({"KEY": "pf_live_0123456789abcdef0123456789abcdef"}));
    let relay = Faulty::before(&bao.address);
    let file = |name: &str| files.path().join(name).display().to_string();
    let agents = Agents::new().configured(&format!(
        "[backends.vault]\ntype = \"vault\"\naddress = \"{}\"\ncache = \"1s\"\nstale = \"1s\"\npaths = [\"agents/**\"]\n\
         auth = {{ method = \"approle\", role_id = \"file:{}\", secret_id = \"file:{}\" }}\n",
        relay.url(),
        file("role-id"),
        file("secret-id")
    ));
    let secret = format!(
        "[secrets.KEY]\nfrom = \"vault:agents/needs#KEY\"\n[[secrets.KEY.allow]]\nhost = \"http://127.0.0.1:{port}\"\npaths = [\"/v1\"]\nrate = \"1000000/min\"\n"
    );
    agents.write(
        "needs",
        &[&format!("repeat 1000000 GET http://127.0.0.1:{port}/v1 h:authorization={{KEY}}")],
        &format!("{AGAIN}{LONG}{secret}"),
    );
    hook(&agents, BEARER);
    let mut served = agents.serve_in(&["--listen", "0", "--drain", "100ms"], &[("SECRET", SECRET)]);
    let address = served.address();
    served.wait_for(&["needs ", "| send 200"]);

    relay.set(&[Fault::Closed]);
    served.wait_for_another(&["needs ", "not available"]);
    let before = count.load(Ordering::SeqCst);
    for _ in 0..OFTEN {
        served.wait_for_another(&["needs ", "not available"]);
        assert_eq!(called(&address), 200, "others don't notice");
    }
    assert_eq!(count.load(Ordering::SeqCst), before, "nothing leaves without its key");

    relay.set(&[Fault::None]);
    served.wait_for_another(&["needs ", "| send 200"]);
    served.terminate();
}
