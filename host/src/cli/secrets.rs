//! `strongroom secrets`. Nothing here ever prints a value: taking plaintext off the terminal is the point.

use super::{Done, Failure, HostArgs, code};
use crate::host::{Host, file_key, read_manifests};
use crate::manifest::{BackendConfig, FileKeyRef};
use crate::secrets::{FileBackend, FileKey, SecretBackend, SecretStore, SecretValue, StoreError, Stored};
use clap::{Args, Subcommand};
use std::io::{IsTerminal, Read};
use std::path::PathBuf;
use zeroize::Zeroizing;

/// Keeps the secrets of a backend that can be written to.
#[derive(Subcommand)]
pub(super) enum Secrets {
    /// Makes the encrypted file of a `file` backend, and the identity that opens it where there is none
    Init(Where),
    /// Adds a version of a secret; the value is read from stdin, or asked for on a terminal, never taken from the command line
    Set(Set),
    /// Adds each line of a `.env` file as a secret
    Import(Import),
    /// Lists the secrets of a backend
    List(List),
    /// Says of each secret its versions, its age, its fingerprint, and which agents may use it
    Status(Status),
    /// Takes a version out of use; `restore` takes it into use again
    RmVersion(Version),
    /// Takes a version into use again
    Restore(Version),
}

#[derive(Args)]
pub(super) struct Where {
    /// The backend, by its name in the configuration; by default the one where bare names are looked up
    #[arg(long)]
    backend: Option<String>,
    #[command(flatten)]
    host: HostArgs,
}

#[derive(Args)]
pub(super) struct Set {
    /// The secret's name
    name: String,
    /// The agent, or group of agents, that it is for; without one it is shared
    #[arg(long)]
    namespace: Option<String>,
    /// Add it only if this is the newest version's number (0: there is none)
    #[arg(long, value_name = "VERSION")]
    expect: Option<u64>,
    #[command(flatten)]
    at: Where,
}

#[derive(Args)]
pub(super) struct Import {
    /// A file of NAME=value lines
    file: PathBuf,
    /// The agent, or group of agents, that they are for; without one they are shared
    #[arg(long)]
    namespace: Option<String>,
    #[command(flatten)]
    at: Where,
}

#[derive(Args)]
pub(super) struct List {
    #[command(flatten)]
    at: Where,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(super) struct Status {
    /// Manifests of agents, to say which of them may use what
    manifests: Vec<PathBuf>,
    #[command(flatten)]
    at: Where,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(super) struct Version {
    /// The secret's name
    name: String,
    /// The version's number
    version: u64,
    /// The agent, or group of agents, that it is for
    #[arg(long)]
    namespace: Option<String>,
    #[command(flatten)]
    at: Where,
}

impl Secrets {
    pub(super) fn perform(self) -> Done {
        match self {
            Self::Init(at) => at.init(),
            Self::Set(set) => set.perform(),
            Self::Import(import) => import.perform(),
            Self::List(list) => list.perform(),
            Self::Status(status) => status.perform(),
            Self::RmVersion(version) => version.mark(true),
            Self::Restore(version) => version.mark(false),
        }
    }
}

impl Where {
    fn init(&self) -> Done {
        let config = self.host.config()?;
        let wanted = self.backend.clone().or_else(|| std::env::var("SECRETS_BACKEND").ok());
        let mut files = config.backends.iter().filter_map(|(name, backend)| match backend {
            BackendConfig::File { path, key, .. } if wanted.as_ref().is_none_or(|wanted| wanted == name) => Some((path, key)),
            _ => None,
        });
        let Some((path, key)) = files.next() else {
            let example = "[backends.file]\ntype = \"file\"\npath = \"secrets.age\"\nkey = \"file:secrets.key\"";
            return Err(Failure::new(code::USAGE, format!("the configuration has no `file` backend; add to it:\n{example}")));
        };
        if let FileKeyRef::Identity(identity) = key
            && !identity.exists()
        {
            let failed = |error| Failure::new(code::STATE, format!("{}: can't be written ({error})", identity.display()));
            FileKey::create_identity(identity).map_err(failed)?;
            eprintln!("{}: made; whoever has it can open the secrets, and without it nobody can: keep a copy", identity.display());
        }
        let key = file_key(key).map_err(|error| Failure::new(code::SECRET, error))?;
        let created = FileBackend::new(path.clone(), key).create();
        created.map_err(|error| Failure::new(code::STATE, format!("{}: not made ({error})", path.display())))?;
        eprintln!("{}: made", path.display());
        Ok(0)
    }

    /// Does something with the store.
    fn with<T>(&self, work: impl AsyncFnOnce(&dyn SecretStore) -> Result<T, StoreError>) -> Result<T, Failure> {
        let host = self.host.host()?;
        let backend = self.open(&host)?;
        let store = backend.store().ok_or_else(|| {
            let name = self.backend.as_deref().unwrap_or("env");
            Failure::new(code::USAGE, format!("the backend `{name}` can't be written to or listed: set the variable in the environment or in the `.env` file that the configuration names, or configure a `file` backend"))
        })?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Failure::new(code::STATE, error))?;
        runtime.block_on(work(store)).map_err(|error| match error {
            StoreError::Unavailable(_) => Failure::new(code::SECRET, error),
            _ => Failure::new(code::USAGE, error),
        })
    }

    fn open<'h>(&self, host: &'h Host) -> Result<&'h dyn SecretBackend, Failure> {
        host.backends().named(self.backend.as_deref()).map_err(|error| Failure::new(code::USAGE, error))
    }
}

impl Set {
    fn perform(self) -> Done {
        let value = read_value(&self.name)?;
        let (path, version) = self.at.with(async |store| {
            let path = store.path_of(self.namespace.as_deref(), &self.name);
            let version = store.put(&path, value, self.expect).await?;
            Ok((path, version))
        })?;
        eprintln!("{path}: version {version}");
        Ok(0)
    }
}

/// The value, from a pipe, or typed twice.
fn read_value(name: &str) -> Result<SecretValue, Failure> {
    let failed = |error: std::io::Error| Failure::new(code::USAGE, format!("no value: {error}"));
    if std::io::stdin().is_terminal() {
        let first = Zeroizing::new(rpassword::prompt_password(format!("Value of {name}: ")).map_err(failed)?);
        let second = Zeroizing::new(rpassword::prompt_password("Once more: ").map_err(failed)?);
        if *first != *second {
            return Err(Failure::new(code::USAGE, "the two are not the same; nothing was written"));
        }
        return Ok(SecretValue::new(first.as_bytes().to_vec()));
    }
    let mut bytes = Zeroizing::new(Vec::new());
    std::io::stdin().take(1 << 20).read_to_end(&mut bytes).map_err(failed)?;
    // `echo` ends a line; a value of one line has no line break.
    let end =
        if bytes.ends_with(b"\n") && bytes.iter().filter(|byte| **byte == b'\n').count() == 1 { bytes.len() - 1 } else { bytes.len() };
    let end = end - usize::from(end < bytes.len() && bytes[..end].ends_with(b"\r"));
    Ok(SecretValue::new(bytes[..end].to_vec()))
}

impl Import {
    fn perform(self) -> Done {
        let file = self.file.display().to_string();
        let wrong = |what: String| Failure::new(code::USAGE, format!("{file}: {what}"));
        let lines = dotenvy::from_path_iter(&self.file).map_err(|_| wrong("can't be read".to_owned()))?;
        let mut read = Vec::new();
        for (at, line) in lines.enumerate() {
            // The parser's own message quotes the line, which may hold a value.
            let (name, value) = line.map_err(|_| wrong(format!("entry {} is not valid; nothing was written", at + 1)))?;
            read.push((name, Zeroizing::new(value)));
        }
        let count = read.len();
        self.at.with(async |store| {
            for (name, value) in &read {
                let path = store.path_of(self.namespace.as_deref(), name);
                let put = store.put(&path, SecretValue::new(value.as_bytes().to_vec()), None).await;
                match put {
                    Ok(version) => eprintln!("{path}: version {version}"),
                    Err(StoreError::Refused(why)) => eprintln!("{path}: left out: {why}"),
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        })?;
        eprintln!("{count} read; now take {file} away");
        Ok(0)
    }
}

impl List {
    fn perform(self) -> Done {
        let stored = self.at.with(async |store| store.list().await)?;
        if self.json {
            let list: Vec<_> = stored.iter().map(|stored| serde_json::json!({"path": stored.path, "version": current(stored)})).collect();
            println!("{}", serde_json::Value::from(list));
        } else {
            for stored in &stored {
                let version = current(stored).map_or_else(|| "none in use".to_owned(), |version| format!("version {version}"));
                println!("{:40} {version}", crate::text::for_people(&stored.path));
            }
        }
        Ok(0)
    }
}

/// The number of the version in use.
fn current(stored: &Stored) -> Option<u64> {
    stored.versions.iter().rev().find(|version| !version.deleted).map(|version| version.number)
}

impl Status {
    fn perform(self) -> Done {
        let host = self.at.host.host()?;
        let backend_name = self.at.backend.clone();
        let manifests = read_manifests(&self.manifests)?;
        let stored = self.at.with(async |store| store.list().await)?;
        for stored in &stored {
            let users: Vec<&str> = manifests
                .iter()
                .filter(|manifest| host.may_use(manifest, backend_name.as_deref(), &stored.path))
                .map(|manifest| manifest.name.as_str())
                .collect();
            let fingerprint = stored.current.as_ref().map(|value| host.fingerprint(value).to_string());
            if self.json {
                let versions = stored
                    .versions
                    .iter()
                    .map(|version| serde_json::json!({"number": version.number, "created": version.created, "deleted": version.deleted}));
                let versions = versions.collect::<Vec<_>>();
                let line = serde_json::json!({"path": stored.path, "version": current(stored), "fingerprint": fingerprint, "versions": versions, "agents": users});
                println!("{line}");
                continue;
            }
            println!("{}", crate::text::for_people(&stored.path));
            println!("  fingerprint {}", fingerprint.as_deref().unwrap_or("none: no version is in use"));
            for version in stored.versions.iter().rev() {
                println!("  version {} of {}{}", version.number, version.created, if version.deleted { ", out of use" } else { "" });
            }
            if !self.manifests.is_empty() {
                println!("  agents {}", if users.is_empty() { "none of these".to_owned() } else { users.join(", ") });
            }
        }
        Ok(0)
    }
}

impl Version {
    fn mark(self, deleted: bool) -> Done {
        let path = self.at.with(async |store| {
            let path = store.path_of(self.namespace.as_deref(), &self.name);
            if deleted {
                store.delete(&path, self.version).await?
            } else {
                store.undelete(&path, self.version).await?
            };
            Ok(path)
        })?;
        eprintln!("{path}: version {} is {}", self.version, if deleted { "out of use" } else { "in use again" });
        Ok(0)
    }
}
