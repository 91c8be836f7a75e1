//! `strongroom serve` as a process: a directory of agents, what the command says line by line, and the signals that it gets.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};
use strongroom_tests::records_so_far;

/// How long is waited for what a host is to say.
const PATIENCE: Duration = Duration::from_secs(120);

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
        self.configured("")
    }

    /// The same, with further tables of the host's configuration.
    pub(crate) fn configured(self, tables: &str) -> Self {
        let config = "[network]\nallow = [\"127.0.0.1/32\"]\n[audit]\nfile = \"audit.jsonl\"\n[state]\ndir = \"state\"\n";
        std::fs::write(self.path("strongroom.toml"), format!("{config}{tables}")).unwrap();
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
        self.command_by("strongroom.toml", more)
    }

    fn command_by(&self, config: &str, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_strongroom-under-test"));
        command.args(["serve", "agents", "--config", config]).args(more).current_dir(self.dir.path());
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
        Served::begin(self.command(more).envs(variables.iter().copied()))
    }

    /// The same by another configuration.
    pub(crate) fn serve_by(&self, config: &str) -> Served {
        Served::begin(&mut self.command_by(config, &[]))
    }

    /// Another of the command's verbs, which ends well; gives what it prints.
    pub(crate) fn ask(&self, arguments: &[&str], variables: &[(&str, &str)]) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_strongroom-under-test"));
        command.args(arguments).args(["--config", "strongroom.toml"]).current_dir(self.dir.path());
        let output = command.env_clear().envs(variables.iter().copied()).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// How each run of an agent ended, by the audit log.
    pub(crate) fn ends(&self, agent: &str) -> Vec<String> {
        let records = records_so_far(&self.path("audit.jsonl")).into_iter();
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
    /// The process of this command.
    pub(crate) fn begin(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = channel();
        listen(child.stdout.take().unwrap(), &sender);
        listen(child.stderr.take().unwrap(), &sender);
        Self { child, lines, seen: Vec::new(), taken: BTreeSet::new() }
    }

    /// Where callers reach the agents.
    pub(crate) fn address(&mut self) -> String {
        let line = self.wait_for(&["reach the agents at http://"]);
        line.rsplit_once("http://").unwrap().1.to_owned()
    }

    /// The number of its process.
    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    /// Waits for its next line, whatever it is.
    pub(crate) fn next_line(&mut self) {
        let line = self.lines.recv_timeout(PATIENCE);
        self.seen.push(line.unwrap_or_else(|why| panic!("it says nothing more: {why}\n{}", self.last_lines(""))));
    }

    /// The last lines with this text, for whoever looks for the reason.
    fn last_lines(&self, text: &str) -> String {
        let lines: Vec<&str> = self.seen.iter().rev().filter(|line| line.contains(text)).take(20).map(String::as_str).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }

    /// Kills it; gives all that it has said.
    pub(crate) fn kill(mut self) -> Vec<String> {
        self.child.kill().unwrap();
        self.end().1
    }

    /// Waits for a line with all these texts that was not waited for before, and gives it. The two streams have no order between them.
    pub(crate) fn wait_for(&mut self, texts: &[&str]) -> String {
        self.wait_from(0, texts)
    }

    /// The same among the lines that are still to be read.
    pub(crate) fn wait_for_another(&mut self, texts: &[&str]) -> String {
        self.wait_from(self.seen.len(), texts)
    }

    fn wait_from(&mut self, mut at: usize, texts: &[&str]) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            while at == self.seen.len() {
                let line = self.lines.recv_timeout(end.saturating_duration_since(Instant::now()));
                self.seen.push(line.unwrap_or_else(|why| panic!("it has not said {texts:?}: {why}\n{}", self.last_lines(texts[0]))));
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
