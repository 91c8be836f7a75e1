//! A supervisor in an embedder's program: what it says of its agents, room on the host, lanes.

use std::io::Write;
use std::path::Path;
use std::time::Duration;
use strongroom::serve::{AgentState, AgentStatus, ServeError, Serving, Supervisor};
use strongroom::{Host, HostConfig, RunOptions};
use strongroom_tests::{block_on, state_dir};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Hands on each line, with the thread that the run is on.
struct Told(UnboundedSender<(String, String)>);

impl Write for Told {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let thread = std::thread::current().name().unwrap_or_default().to_owned();
        String::from_utf8_lossy(bytes).lines().for_each(|line| drop(self.0.send((line.to_owned(), thread.clone()))));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

struct Fixture {
    dir: tempfile::TempDir,
    supervisor: Supervisor,
    lines: UnboundedReceiver<(String, String)>,
}

impl Fixture {
    /// Serves probes that run once: each with its name and operations.
    fn new(max_agents: u32, drain: Duration, agents: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let component = strongroom_components::path("probe");
        for (name, operations) in agents {
            let text = format!(
                "name = \"{name}\"\ncomponent = \"{}\"\n[run]\nargs = [{operations}]\n[limits]\nwall = \"1h\"\ncpu = \"1h\"",
                Path::new(&component).display()
            );
            std::fs::write(dir.path().join(format!("{name}.toml")), text).unwrap();
        }
        let config = HostConfig::default().with(|config| config.state_dir = Some(state_dir()));
        let host = Host::builder().config(config).without_audit().lanes(2).max_agents(max_agents).build().unwrap();
        let (sender, lines) = unbounded_channel();
        let serving = Serving::new(move |_, _| RunOptions::default().stdout(Told(sender.clone()))).drain(drain);
        let supervisor = Supervisor::new(host, dir.path(), serving).unwrap();
        Self { dir, supervisor, lines }
    }

    async fn line(&mut self, expected: &str) -> String {
        loop {
            let (line, thread) = self.lines.recv().await.unwrap();
            if line == expected {
                return thread;
            }
        }
    }

    fn status(&self, agent: &str) -> AgentStatus {
        self.supervisor.status().into_iter().find(|status| status.agent == agent).unwrap()
    }

    /// Waits until an agent is so.
    async fn until(&self, agent: &str, is: impl Fn(&AgentStatus) -> bool) -> AgentStatus {
        loop {
            let status = self.status(agent);
            if is(&status) {
                return status;
            }
            tokio::task::yield_now().await;
        }
    }
}

#[test]
fn a_supervisor_says_what_each_agent_is_about() {
    block_on(async {
        let mut served = Fixture::new(
            8,
            Duration::from_secs(3_600),
            &[("ends", "\"print end\""), ("runs", "\"print run\", \"spin\""), ("fails", "\"exit 1\"")],
        );
        let loaded = served.supervisor.reload().await.unwrap();
        assert_eq!(loaded.added, ["ends", "fails", "runs"]);
        served.line("run").await;

        let ended = served.until("ends", |status| status.state == AgentState::Ended && status.runs == 1).await;
        assert_eq!((ended.last_end.as_deref(), ended.restarts, ended.running.len(), ended.next), (Some("exit 0"), 0, 0, None));
        let failed = served.until("fails", |status| status.state == AgentState::Ended && status.runs == 1).await;
        assert_eq!(failed.last_end.as_deref(), Some("exit 1"));
        let running = served.until("runs", |status| status.state == AgentState::Running).await;
        assert!(running.running.len() == 1 && running.since > 1_700_000_000_000 && running.last_end.is_none());
        let json = serde_json::to_value(&running).unwrap();
        assert_eq!((&json["agent"], &json["state"]["is"]), (&"runs".into(), &"running".into()));

        std::fs::remove_file(served.dir.path().join("runs.toml")).unwrap();
        let reloaded = served.supervisor.reload().await.unwrap();
        assert_eq!(reloaded.removed, ["runs"]);
        served.until("runs", |status| status.state == AgentState::Draining).await;

        let drained = served.supervisor.drain(Duration::ZERO).await;
        assert_eq!((drained.ended, drained.interrupted), (0, 1));
        assert!(matches!(served.supervisor.reload().await, Err(ServeError::Draining)));
    });
}

#[test]
fn runs_that_find_no_room_on_the_host_wait_in_the_order_of_asking() {
    block_on(async {
        let mut served = Fixture::new(1, Duration::ZERO, &[("a", "\"print a\", \"spin\"")]);
        served.supervisor.reload().await.unwrap();
        served.line("a").await;
        let write = |name: &str| {
            let text = std::fs::read_to_string(served.dir.path().join("a.toml")).unwrap();
            let text = text.replace("\"a\"", &format!("\"{name}\"")).replace("\"print a\", \"spin\"", &format!("\"print {name}\""));
            std::fs::write(served.dir.path().join(format!("{name}.toml")), text).unwrap();
        };
        for name in ["c", "b"] {
            write(name);
            served.supervisor.reload().await.unwrap();
            served.until(name, |status| status.state == AgentState::Queued).await;
        }
        assert_eq!(served.status("b").runs, 0);

        // The first makes room.
        std::fs::remove_file(served.dir.path().join("a.toml")).unwrap();
        served.supervisor.reload().await.unwrap();

        let order = [served.lines.recv().await.unwrap().0, served.lines.recv().await.unwrap().0];
        assert_eq!(order, ["c", "b"]);
    });
}

#[test]
fn runs_are_spread_over_the_lanes() {
    block_on(async {
        let mut served = Fixture::new(8, Duration::ZERO, &[("a", "\"print a\", \"spin\""), ("b", "\"print b\", \"spin\"")]);
        served.supervisor.reload().await.unwrap();

        let mut threads = [served.lines.recv().await.unwrap().1, served.lines.recv().await.unwrap().1];

        threads.sort();
        assert_eq!(threads, ["strongroom-lane-0", "strongroom-lane-1"]);
        served.supervisor.drain(Duration::ZERO).await;
    });
}

#[test]
fn an_interface_for_operators_that_is_closed_ends_what_is_followed_and_takes_its_socket_away() {
    use std::io::Read;
    use std::os::unix::net::UnixStream;

    let fixture = Fixture::new(1, Duration::ZERO, &[("one", "\"print hello\"")]);
    let config = strongroom::manifest::AdminConfig::default();
    let socket = fixture.dir.path().join("admin.sock");
    let config = config.with(|config| config.socket = Some(socket.clone()));

    let text = block_on(async {
        let admin = strongroom::admin::Admin::open(&fixture.supervisor, &config).unwrap();
        let mut stream = UnixStream::connect(admin.socket()).unwrap();
        stream.write_all(b"GET /v1/logs?follow=true HTTP/1.1\r\nhost: strongroom\r\n\r\n").unwrap();
        let mut waiting = stream.try_clone().unwrap();
        // Its head has come: the answer is under way.
        let stream = tokio::task::spawn_blocking(move || {
            waiting.read_exact(&mut [0; 15]).unwrap();
            stream
        });
        let mut stream = stream.await.unwrap();
        admin.close().await;
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    });

    assert!(text.ends_with("0\r\n\r\n"), "{text:?}");
    assert!(!socket.exists());
}
