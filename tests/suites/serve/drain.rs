//! The end of a host that serves: nothing begins, what runs has its time, and nothing is lost.

use super::process::Agents;
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use strongroom_demo::server::{Server, respond};

/// A server that answers when it is told to.
struct Slow {
    server: Server,
    asked: Receiver<()>,
    answer: Sender<()>,
    _runtime: tokio::runtime::Runtime,
}

impl Slow {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
        let ((asks, asked), (answer, answered)) = (channel(), channel());
        let (asks, answered) = (Mutex::new(asks), Mutex::new(answered));
        let server = runtime.block_on(Server::http(move |_| {
            asks.lock().unwrap().send(()).unwrap();
            // Nobody tells, where the test has ended.
            let _ = answered.lock().unwrap().recv();
            respond(200, "text/plain", "at last")
        }));
        Self { server: server.unwrap(), asked, answer, _runtime: runtime }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.server.address.port())
    }

    /// A manifest of an agent that waits for the answer.
    fn waiter(&self, agents: &Agents, more: &str) {
        let manifest = format!(
            "name = \"waiter\"\ncomponent = \"../probe.wasm\"\n[run]\nargs = [\"send GET {}\"]\n{more}\n[[egress]]\nhost = \"{}\"\n",
            self.url(),
            self.url().trim_end_matches('/'),
        );
        agents.file("waiter.toml", &manifest);
    }
}

#[test]
fn sigterm_lets_runs_end_by_themselves_and_begins_none() {
    let (slow, agents) = (Slow::new(), Agents::new().agent("ticker", &["print tick"], "[trigger]\nevery = \"100ms\""));
    slow.waiter(&agents, "restart = \"always\"\nbackoff = { from = \"100ms\" }");
    let mut served = agents.serve();
    slow.asked.recv().unwrap();

    served.signal("TERM");
    served.wait_for(&["ending by SIGTERM: nothing begins any more, and what runs has 30s"]);
    let before = served.seen.len();
    slow.answer.send(()).unwrap();
    let (code, said) = served.end();

    assert_eq!(code, Some(0), "{}", said.join("\n"));
    assert!(said[before..].iter().any(|line| line.contains("waiter ") && line.contains("| send 200")), "{}", said.join("\n"));
    assert!(said.iter().any(|line| line.starts_with("ended: ") && line.ends_with(" runs by themselves, 0 interrupted")));
    assert_eq!(agents.ends("waiter"), ["exit 0"], "it is not begun again");
    assert_eq!(slow.server.seen().len(), 1);
}

#[test]
fn what_has_not_ended_in_time_is_interrupted_and_recorded() {
    let (slow, agents) = (Slow::new(), Agents::new());
    slow.waiter(&agents, "");
    let served = agents.serve_with(&["--drain", "100ms"]);
    slow.asked.recv().unwrap();

    let (code, said) = served.terminate();

    assert_eq!(code, Some(143), "{}", said.join("\n"));
    assert_eq!(said.last().map(String::as_str), Some("ended: 0 runs by themselves, 1 interrupted"));
    assert_eq!(agents.ends("waiter"), ["interrupted: the host ends it"]);
}

#[test]
fn a_second_signal_interrupts_at_once() {
    let (slow, agents) = (Slow::new(), Agents::new());
    slow.waiter(&agents, "");
    let mut served = agents.serve_with(&["--drain", "1h"]);
    slow.asked.recv().unwrap();

    served.signal("INT");
    served.wait_for(&["ending by SIGINT"]);
    served.signal("TERM");
    let (code, said) = served.end();

    assert_eq!(code, Some(130), "{}", said.join("\n"));
    assert!(said.iter().any(|line| line == "ending at once by SIGTERM"));
    assert_eq!(agents.ends("waiter"), ["interrupted: the host ends it"]);
}

#[test]
fn two_hosts_do_not_serve_one_directory() {
    let agents = Agents::new().agent("steady", &["print up"], "restart = \"always\"");
    let mut served = agents.serve();
    served.wait_for(&["| up"]);

    let second = agents.command(&[]).output().unwrap();

    assert_eq!(second.status.code(), Some(120));
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(said.starts_with("error: agents: another host serves this directory; end it first"), "{said}");
    served.terminate();
    // Its mark goes with it.
    let mut third = agents.serve();
    third.wait_for(&["| up"]);
    assert_eq!(third.terminate().0, Some(0));
}

#[test]
fn a_reader_of_stdout_that_is_gone_ends_the_command() {
    let agents = Agents::new().agent("ticker", &["print tick"], "[trigger]\nevery = \"100ms\"");
    let mut child = agents.command(&[]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());

    let ended = child.wait_with_output().unwrap();

    assert_eq!(ended.status.code(), Some(141), "{}", String::from_utf8_lossy(&ended.stderr));
    assert!(String::from_utf8_lossy(&ended.stderr).contains("ending by a stdout that can't be written: nothing begins any more"));
}

#[test]
fn a_directory_that_is_not_there_is_an_error_of_usage() {
    let agents = Agents::new();
    std::fs::remove_dir(agents.path("agents")).unwrap();

    let ran = agents.command(&[]).output().unwrap();

    assert_eq!(ran.status.code(), Some(120));
    assert!(String::from_utf8_lossy(&ran.stderr).starts_with("error: agents: the directory can't be read ("));
}
