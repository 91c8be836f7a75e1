//! A key in a store, the issuer that made it, and hosts as processes of their own that replace it. What is in the store is read past
//! Strongroom: by age, and by the servers' own interfaces.

use crate::issuer::Issuer;
use crate::services::{Moto, OpenBao};
use base64::Engine;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::str::FromStr;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What the documentation tells people to give a host that replaces keys.
static ROTATING: LazyLock<String> = LazyLock::new(|| {
    let [agents, rotation] =
        [include_str!("../../examples/backends/vault/agents.hcl"), include_str!("../../examples/backends/vault/rotation.hcl")];
    // One policy here, and two policies of one token there: a path that stands in both has what the second gives it.
    let reads = "# Secrets of all agents that this host runs; name single agents to give it less.\npath \"secret/data/agents/*\" {\n  capabilities = [\"read\"]\n}\n";
    format!("{}\n{rotation}", agents.replace(reads, ""))
});

/// The kinds of stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An encrypted file.
    File,
    /// OpenBao.
    Vault,
    /// AWS Secrets Manager.
    Aws,
}

/// All of them.
pub const KINDS: [Kind; 3] = [Kind::File, Kind::Vault, Kind::Aws];

/// A key that is to be replaced, in a store of its own.
pub struct Bed {
    /// The issuer's account.
    pub account: String,
    /// The first key.
    pub first: String,
    /// Where hosts keep what is theirs.
    pub dir: tempfile::TempDir,
    kind: Kind,
    name: String,
}

/// What a process that rotated has said.
#[derive(Debug, Default)]
pub struct Said {
    /// `before put journal` and so on, in order.
    pub points: Vec<String>,
    /// `issue …` and so on, in order.
    pub steps: Vec<String>,
    /// `well`, or why not; empty where it was ended.
    pub ended: String,
}

/// A process that rotates.
pub struct Rotor {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Bed {
    /// A key of a new account of this issuer, in a store of this kind.
    #[must_use]
    pub fn new(kind: Kind, issuer: &Issuer) -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let (account, first) = issuer.new_account();
        let name = format!("bed-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let bed = Self { account, first, dir: tempfile::tempdir().expect("a directory"), kind, name };
        match kind {
            Kind::File => bed.seal(),
            Kind::Vault => {
                OpenBao::shared().put(&bed.path(), json!({"key": bed.first, "other": "not-a-key"}));
                std::fs::write(bed.file("token"), OpenBao::shared().token("rotating-host", &ROTATING)).expect("a file");
            }
            Kind::Aws => {
                let value = json!({"key": bed.first, "other": "not-a-key"}).to_string();
                bed.aws("CreateSecret", json!({"Name": bed.path(), "SecretString": value}));
            }
        }
        bed
    }

    /// A file of the bed's own.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The rotation's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The path of the secret in its store.
    #[must_use]
    pub fn path(&self) -> String {
        format!("agents/{}", self.name)
    }

    /// How a manifest names the secret, after the backend's name and a colon.
    #[must_use]
    pub fn entry(&self) -> String {
        match self.kind {
            Kind::File => self.path(),
            Kind::Vault | Kind::Aws => format!("{}#key", self.path()),
        }
    }

    /// The store, as `rotor-under-test` is told of it.
    #[must_use]
    pub fn store(&self) -> Value {
        match self.kind {
            Kind::File => json!({"file": self.file("secrets.age"), "key": self.file("secrets.key")}),
            Kind::Vault => json!({"vault": OpenBao::shared().address, "token": self.file("token")}),
            Kind::Aws => json!({"aws": Moto::shared().address}),
        }
    }

    /// The key that is in use.
    ///
    /// # Panics
    /// Where there is none.
    #[must_use]
    pub fn stored(&self) -> String {
        let value = match self.kind {
            Kind::File => Value::from(self.newest(&self.path()).expect("a value")),
            Kind::Vault => OpenBao::shared().call("GET", &format!("secret/data/{}", self.path()), None).1["data"]["data"]["key"].clone(),
            Kind::Aws => {
                let document = self.aws("GetSecretValue", json!({"SecretId": self.path(), "VersionStage": "AWSCURRENT"}));
                let text = document["SecretString"].as_str().expect("a document");
                serde_json::from_str::<Value>(text).expect("JSON")["key"].clone()
            }
        };
        value.as_str().expect("text").to_owned()
    }

    /// Sets another value in the file, as somebody does by hand.
    ///
    /// # Panics
    /// Where the store is no file.
    pub fn set(&self, value: &str) {
        assert_eq!(self.kind, Kind::File, "only in a file");
        let mut document = self.opened();
        let versions = document["secrets"][self.path()].as_array_mut().expect("versions");
        let number = versions.last().and_then(|version| version["number"].as_u64()).unwrap_or(0) + 1;
        let value = base64::engine::general_purpose::STANDARD.encode(value);
        versions.push(json!({"number": number, "created": "2026-01-01T00:00:00Z", "value": value}));
        self.write(&document);
    }

    fn write(&self, document: &Value) {
        let identity = std::fs::read_to_string(self.file("secrets.key")).expect("a key");
        let identity = age::x25519::Identity::from_str(identity.trim()).expect("an identity");
        let sealed = age::encrypt(&identity.to_public(), document.to_string().as_bytes()).expect("sealed");
        std::fs::write(self.file("secrets.age.set"), sealed).expect("a file");
        std::fs::rename(self.file("secrets.age.set"), self.file("secrets.age")).expect("in its place");
    }

    /// The rotation's journal.
    #[must_use]
    pub fn journal(&self) -> Value {
        let path = format!("strongroom/rotation/{}", self.name);
        let text = match self.kind {
            Kind::File => self.newest(&path).unwrap_or_default(),
            Kind::Vault => {
                let (_, read) = OpenBao::shared().call("GET", &format!("secret/data/{path}"), None);
                read["data"]["data"]["journal"].as_str().unwrap_or_default().to_owned()
            }
            Kind::Aws => self.aws("GetSecretValue", json!({"SecretId": path, "VersionStage": "AWSCURRENT"}))["SecretString"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
        };
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// Every text that the store keeps, of whatever version.
    #[must_use]
    pub fn all_of_the_file(&self) -> String {
        self.opened().to_string()
    }

    /// Starts a host that rotates; `more` goes into its job.
    #[must_use]
    pub fn start(&self, binary: &str, issuer: &str, more: &Value) -> Rotor {
        let mut job = json!({"store": self.store(), "secrets": [format!("store:{}", self.entry())], "issuer": issuer,
                             "rotation": self.name, "timeout": 5_000});
        job.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
        let mut command = Command::new(binary);
        command.arg(job.to_string()).env_clear().envs(Moto::credentials()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).spawn().expect("it starts");
        let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        Rotor { child, lines }
    }

    fn aws(&self, action: &str, body: Value) -> Value {
        Moto::shared().secrets(action, &body).1
    }

    /// Makes the encrypted file.
    fn seal(&self) {
        use age::secrecy::ExposeSecret;
        let identity = age::x25519::Identity::generate();
        let value = base64::engine::general_purpose::STANDARD.encode(&self.first);
        let version = json!({"number": 1, "created": "2026-01-01T00:00:00Z", "value": value});
        let document = json!({"format": 1, "secrets": { self.path(): [version] }}).to_string();
        let sealed = age::encrypt(&identity.to_public(), document.as_bytes()).expect("sealed");
        std::fs::write(self.file("secrets.age"), sealed).expect("a file");
        write_private(&self.file("secrets.key"), identity.to_string().expose_secret());
    }

    fn opened(&self) -> Value {
        let identity = std::fs::read_to_string(self.file("secrets.key")).expect("a key");
        let identity = age::x25519::Identity::from_str(identity.trim()).expect("an identity");
        let sealed = std::fs::read(self.file("secrets.age")).expect("a file");
        serde_json::from_slice(&age::decrypt(&identity, &sealed).expect("opened")).expect("JSON")
    }

    /// The newest version of a path in the file.
    fn newest(&self, path: &str) -> Option<String> {
        let document = self.opened();
        let value = document["secrets"][path].as_array()?.last()?["value"].as_str()?.to_owned();
        String::from_utf8(base64::engine::general_purpose::STANDARD.decode(value).ok()?).ok()
    }
}

fn write_private(path: &Path, text: &str) {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path).expect("a file");
    file.write_all(text.as_bytes()).expect("written");
}

impl Rotor {
    /// Reads on until a line that begins so, and gives it; `None` where the process ends before.
    pub fn until(&mut self, beginning: &str) -> Option<String> {
        self.lines.by_ref().map_while(Result::ok).find(|line| line.starts_with(beginning))
    }

    /// Waits until the process is stopped by a signal, or has ended; whether it is stopped.
    pub fn is_stopped(&mut self) -> bool {
        loop {
            if self.child.try_wait().expect("its state").is_some() {
                return false;
            }
            let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
            if status.lines().any(|line| line.starts_with("State:") && line.contains("T (stopped)")) {
                return true;
            }
            std::thread::yield_now();
        }
    }

    /// Wakes a process that was stopped.
    pub fn wake(&self) {
        let sent = Command::new("kill").args(["-CONT", &self.child.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "it can be woken");
    }

    /// Waits for its end.
    #[must_use]
    pub fn finish(mut self) -> Said {
        let mut said = Said::default();
        for line in self.lines.by_ref().map_while(Result::ok) {
            match line.split_once(' ') {
                Some(("point", point)) => said.points.push(point.split_once(' ').map_or(point, |(_, what)| what).to_owned()),
                Some(("step", step)) => said.steps.push(step.to_owned()),
                Some(("ended", ended)) => ended.clone_into(&mut said.ended),
                _ => {}
            }
        }
        let _ = self.child.wait();
        said
    }
}
