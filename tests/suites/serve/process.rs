//! `strongroom serve` as a process: a directory of agents, what the command says line by line, and the signals that it gets.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};

/// A directory of agents that are all the probe.
pub(crate) struct Agents {
    dir: tempfile::TempDir,
}

impl Agents {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("agents")).unwrap();
        std::fs::copy(strongroom_components::path("probe"), dir.path().join("probe.wasm")).unwrap();
        std::fs::write(dir.path().join("strongroom.toml"), "[network]\nallow = [\"127.0.0.1/32\"]\n[audit]\nfile = \"audit.jsonl\"")
            .unwrap();
        Self { dir }
    }

    /// Keeps state of its own, apart from what other tests have compiled.
    pub(crate) fn apart(self) -> Self {
        let config = "[network]\nallow = [\"127.0.0.1/32\"]\n[audit]\nfile = \"audit.jsonl\"\n[state]\ndir = \"state\"";
        std::fs::write(self.path("strongroom.toml"), config).unwrap();
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// An agent that does these operations.
    pub(crate) fn agent(self, name: &str, operations: &[&str], tables: &str) -> Self {
        self.write(name, operations, tables);
        self
    }

    pub(crate) fn write(&self, name: &str, operations: &[&str], tables: &str) {
        // What the tables say of `[run]` stands with the arguments.
        let (run, rest) = tables.split_once("[trigger]").map_or((tables, String::new()), |(run, rest)| (run, format!("[trigger]{rest}")));
        let text = format!("name = \"{name}\"\ncomponent = \"../probe.wasm\"\n[run]\nargs = {operations:?}\n{run}\n{rest}");
        self.file(&format!("{name}.toml"), &text);
    }

    pub(crate) fn file(&self, name: &str, text: &str) {
        // Whole or not at all, as editors write.
        let new = self.path("new");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(new, self.path("agents").join(name)).unwrap();
    }

    pub(crate) fn remove(&self, name: &str) {
        std::fs::remove_file(self.path("agents").join(format!("{name}.toml"))).unwrap();
    }

    pub(crate) fn command(&self, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_strongroom-under-test"));
        command.args(["serve", "agents", "--config", "strongroom.toml"]).args(more).current_dir(self.dir.path());
        command.env_clear().env("XDG_STATE_HOME", Path::new(env!("CARGO_TARGET_TMPDIR")).join("cli-state"));
        command
    }

    pub(crate) fn serve(&self) -> Served {
        self.serve_with(&[])
    }

    pub(crate) fn serve_with(&self, more: &[&str]) -> Served {
        self.serve_in(more, &[])
    }

    /// The same with these variables.
    pub(crate) fn serve_in(&self, more: &[&str], variables: &[(&str, &str)]) -> Served {
        let mut child = self.command(more).envs(variables.iter().copied()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = channel();
        listen(child.stdout.take().unwrap(), &sender);
        listen(child.stderr.take().unwrap(), &sender);
        Served { child, lines, seen: Vec::new(), taken: BTreeSet::new() }
    }

    /// How each run of an agent ended, by the audit log.
    pub(crate) fn ends(&self, agent: &str) -> Vec<String> {
        let log = std::fs::read_to_string(self.path("audit.jsonl")).unwrap();
        let records = log.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let ends = records.filter(|record| record["event"] == "run-end" && record["agent"] == agent);
        ends.map(|record| record["outcome"].as_str().unwrap().to_owned()).collect()
    }
}

fn listen(stream: impl Read + Send + 'static, sender: &Sender<String>) {
    let sender = sender.clone();
    std::thread::spawn(move || BufReader::new(stream).lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
}

/// The command, which serves.
pub(crate) struct Served {
    child: Child,
    lines: Receiver<String>,
    /// All that it has said, on stdout and on stderr.
    pub(crate) seen: Vec<String>,
    /// The lines of it that were waited for.
    taken: BTreeSet<usize>,
}

impl Served {
    /// Waits for a line with all these texts that was not waited for before, and gives it. The two streams have no order between them.
    pub(crate) fn wait_for(&mut self, texts: &[&str]) -> String {
        self.wait_from(0, texts)
    }

    /// The same among the lines that are still to be read.
    pub(crate) fn wait_for_another(&mut self, texts: &[&str]) -> String {
        self.wait_from(self.seen.len(), texts)
    }

    fn wait_from(&mut self, mut at: usize, texts: &[&str]) -> String {
        loop {
            while at == self.seen.len() {
                let line = self.lines.recv().unwrap_or_else(|_| panic!("it ended before it said {texts:?}\n{}", self.seen.join("\n")));
                self.seen.push(line);
            }
            if texts.iter().all(|text| self.seen[at].contains(text)) && self.taken.insert(at) {
                return self.seen[at].clone();
            }
            at += 1;
        }
    }

    /// What the system lets the process have, by its own table.
    pub(crate) fn limits(&self) -> String {
        std::fs::read_to_string(format!("/proc/{}/limits", self.child.id())).unwrap()
    }

    pub(crate) fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args(["-s", signal, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits for its end: its code, and all that it has said.
    pub(crate) fn end(mut self) -> (Option<i32>, Vec<String>) {
        self.seen.extend(self.lines.iter());
        (self.child.wait().unwrap().code(), std::mem::take(&mut self.seen))
    }

    /// Sends SIGTERM and waits for its end.
    pub(crate) fn terminate(self) -> (Option<i32>, Vec<String>) {
        self.signal("TERM");
        self.end()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // Whoever fails leaves nothing behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
