//! `strongroom secrets`. Nothing here ever prints a value: taking plaintext off the terminal is the point.

use super::output::{Answer, say};
use super::rotations::{aloud, standings};
use super::table::Table;
use super::{Done, Failure, HostArgs, code, prompt};
use age::secrecy::ExposeSecret;
use clap::{Args, Subcommand};
use serde_json::json;
use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};
use strongroom::manifest::{BackendConfig, FileKeyRef, HostConfig};
use strongroom::ops::{self, Backend, SecretStatus, VersionStatus, named};
use strongroom::text::for_people;
use strongroom::{Deposit, FileBackend, FileKey, Host, MAX_LENGTH, Rekeyed, SecretStore, StoreError, Stored};
use zeroize::Zeroizing;

/// Keeps the secrets of a backend that can be written to.
#[derive(Subcommand)]
pub(super) enum Secrets {
    /// Makes the encrypted file of a `file` backend, and the identity that opens it where there is none
    Init(Where),
    /// Makes a new identity for a `file` backend, encrypts its file to it, and removes the old identity; hosts may be running
    Rekey(Where),
    /// Adds a version of a secret; the value is read from stdin, or asked for on a terminal, never taken from the command line
    Set(Set),
    /// Adds each line of a `.env` file as a secret
    Import(super::import::Import),
    /// Lists the secrets of a backend
    List(List),
    /// Shows the versions, age and fingerprint of each secret, and which agents may use it
    Status(Status),
    /// Replaces a key with a new one from its issuer, as the configuration says, or has its backend do it
    Rotate(super::rotations::Rotate),
    /// Says which secret a leaked value is, and has its issuer replace it and revoke the old one at once
    Leaked(super::leaked::Leaked),
    /// Lists past rotations, and how each one ended
    History(super::rotations::History),
    /// Takes a version out of use; `restore` takes it into use again
    RmVersion(RmVersion),
    /// Takes a version into use again
    Restore(Version),
}

#[derive(Args)]
pub(super) struct Where {
    /// The backend, by its name in the configuration; by default the one where bare names are looked up
    #[arg(long)]
    pub(super) backend: Option<String>,
    #[command(flatten)]
    pub(super) host: HostArgs,
}

#[derive(Args)]
pub(super) struct Set {
    /// The secret's name
    name: String,
    /// The agent, or group of agents, that it is for; without one it is shared
    #[arg(long)]
    namespace: Option<String>,
    /// Add it only if this is the newest version (0: there is none)
    #[arg(long, value_name = "VERSION")]
    expect: Option<String>,
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
    /// The version, as `status` shows it
    version: String,
    /// The agent, or group of agents, that it is for
    #[arg(long)]
    namespace: Option<String>,
    #[command(flatten)]
    at: Where,
}

#[derive(Args)]
pub(super) struct RmVersion {
    #[command(flatten)]
    version: Version,
    /// Remove it for good
    #[arg(long)]
    destroy: bool,
}

impl Secrets {
    pub(super) fn perform(self) -> Done {
        match self {
            Self::Init(at) => at.init(),
            Self::Rekey(at) => at.rekey(),
            Self::Set(set) => set.perform(),
            Self::Import(import) => import.perform(),
            Self::List(list) => list.perform(),
            Self::Status(status) => status.perform(),
            Self::Rotate(rotate) => rotate.perform(),
            Self::Leaked(leaked) => leaked.perform(),
            Self::History(history) => history.perform(),
            Self::RmVersion(RmVersion { version, destroy: true }) => {
                version.perform("removed for good", async |store, path, version| store.destroy(path, version).await)
            }
            Self::RmVersion(RmVersion { version, destroy: false }) => {
                version.perform("out of use", async |store, path, version| store.delete(path, version).await)
            }
            Self::Restore(version) => version.perform("in use again", async |store, path, version| store.undelete(path, version).await),
        }
    }
}

impl Where {
    fn init(&self) -> Done {
        let config = self.host.config()?;
        let (name, path, key) = self.file(&config)?;
        if path.exists() {
            return Err(Failure::new(code::STATE, format!("{}: already exists, and is left as it is", path.display())));
        }
        if let FileKeyRef::Identity(identity) = key
            && !identity.exists()
        {
            let failed = |error| Failure::new(code::STATE, format!("{}: can't be written ({error})", identity.display()));
            FileKey::create_identity(identity).map_err(failed)?;
            say(format_args!("{}: made; whoever has it can open the secrets, and without it nobody can: keep a copy", identity.display()));
        }
        let key = match key {
            FileKeyRef::Prompt => FileKey::Passphrase(prompt::new_passphrase(&mut prompt::Terminal)?.as_str().into()),
            key => ops::identity(key)?,
        };
        if let FileKey::Passphrase(passphrase) = &key {
            prompt::check_passphrase(passphrase.expose_secret())?;
        }
        let created = FileBackend::new(path.clone(), key).create();
        created.map_err(|error| Failure::new(code::STATE, format!("{}: not made ({error})", path.display())))?;
        say(format_args!("{}: made", path.display()));
        if config.default_backend.as_deref() != Some(name) {
            let at = config.default_backend.as_deref().unwrap_or("env");
            say(format_args!(
                "names without a backend are looked up in `{at}`: for this one write `default_backend = \"{name}\"` at the top of the \
                 configuration, or give `--backend {name}` with each command"
            ));
        }
        Ok(0)
    }

    /// The `file` backend that is meant: its name, its file, and where its key is.
    fn file<'c>(&self, config: &'c HostConfig) -> Result<(&'c str, &'c PathBuf, &'c FileKeyRef), Failure> {
        self.backend.as_deref().map_or(Ok(()), |name| named::configured("--backend", name))?;
        let wanted = self.backend.as_ref().or(config.default_backend.as_ref());
        let mut files = config.backends.iter().filter_map(|(name, backend)| match backend {
            BackendConfig::File { path, key, .. } if wanted.is_none_or(|wanted| wanted == name) => Some((name.as_str(), path, key)),
            _ => None,
        });
        files.next().ok_or_else(|| {
            let example = "[backends.file]\ntype = \"file\"\npath = \"secrets.age\"\nkey = \"file:secrets.key\"";
            Failure::new(code::USAGE, format!("the configuration has no `file` backend; add to it:\n{example}"))
        })
    }

    fn rekey(&self) -> Done {
        let config = self.host.config()?;
        let (_, path, key) = self.file(&config)?;
        let FileKeyRef::Identity(identity) = key else {
            return Err(Failure::new(code::USAGE, not_here(path, key)));
        };
        // One identity may open the files of several backends: they change together, or some would no longer open.
        let same = |other: &PathBuf| {
            other == identity || other.canonicalize().is_ok_and(|other| identity.canonicalize().is_ok_and(|it| it == other))
        };
        let files = config.backends.iter().filter_map(|(_, backend)| match backend {
            BackendConfig::File { path: file, key: FileKeyRef::Identity(other), .. } if same(other) && (file == path || file.exists()) => {
                Some(file.clone())
            }
            _ => None,
        });
        let files: Vec<PathBuf> = files.collect();
        let rekeyed = super::runtime()?.block_on(FileKey::rekey(identity, &files)).map_err(|why| Failure::new(code::SECRET, why))?;
        files.iter().for_each(|file| say(format_args!("{}: encrypted to the new identity", file.display())));
        let what = match rekeyed {
            Rekeyed::Anew => "replaced; keep a copy. The old identity opens copies of the file from before, and nothing else",
            _ => "an interrupted change is finished; to replace the identity once more, run this again",
        };
        say(format_args!("{}: {what}", identity.display()));
        Ok(0)
    }

    /// Does something with the store.
    pub(super) fn with<T>(&self, work: impl AsyncFnOnce(&dyn SecretStore) -> Result<T, StoreError>) -> Result<T, Failure> {
        let host = self.host.host()?;
        let store = self.store(&host)?;
        finish(&host, work(store))
    }

    /// The backend, which can be written to and listed.
    pub(super) fn store<'h>(&self, host: &'h Host) -> Result<&'h dyn SecretStore, Failure> {
        let backend = self.open(host)?;
        backend.store().ok_or_else(|| {
            let name = backend.name();
            Failure::new(code::USAGE, format!("the backend `{name}` can't be written to or listed: set the variable in the environment or in the `.env` file that the configuration names, write the secret where a `command` or `dir` backend finds it, or configure a backend of type `file`, `vault` or `aws`"))
        })
    }

    pub(super) fn open<'h>(&self, host: &'h Host) -> Result<Backend<'h>, Failure> {
        Ok(Backend::named(host, self.backend.as_deref())?)
    }
}

/// Does the work, and logs out.
pub(super) fn finish<T, E: Into<Failure>>(host: &Host, work: impl Future<Output = Result<T, E>>) -> Result<T, Failure> {
    let done = super::runtime()?.block_on(async {
        let done = work.await;
        host.clone().shutdown().await;
        done
    });
    done.map_err(Into::into)
}

/// What to do about a key that is in no file of the host's own.
fn not_here(path: &Path, key: &FileKeyRef) -> String {
    let file = path.display();
    match key {
        FileKeyRef::Credential(name) => format!(
            "the identity of {file} is the systemd credential `{name}`, which is replaced where it is kept: bring it into a file of mode 0600, \
             run this command with `key = \"file:PATH\"` in the configuration, and make the credential anew of that file"
        ),
        _ => format!(
            "{file} is opened by a passphrase, which is replaced where it is kept: with no host running, write the output of `age --decrypt {file} | age \
             --encrypt --passphrase` to a new file, move that into the place of {file}, remove {file}.bak, and give the host the new passphrase"
        ),
    }
}

impl Set {
    fn perform(self) -> Done {
        named::secret(&self.name, self.namespace.as_deref())?;
        let value = read_value(&self.name)?;
        let (entry, version) = self.at.with(async |store| {
            let entry = store.entry_of(self.namespace.as_deref(), &self.name)?;
            let version = store.put(&entry, value, self.expect.as_deref()).await.map_err(|error| ops::conflict(error, &entry))?;
            Ok((entry, version))
        })?;
        say(format_args!("{entry}: version {version}"));
        Ok(0)
    }
}

/// The value, from a pipe, or typed twice. It is as long as a secret has to be.
pub(super) fn read_value(name: &str) -> Result<Deposit, Failure> {
    let failed = |error: std::io::Error| Failure::new(code::USAGE, format!("no value: {error}"));
    if std::io::stdin().is_terminal() {
        let value = prompt::new_value(&mut prompt::Terminal, name)?;
        return Ok(Deposit::new(value.as_bytes().to_vec()));
    }
    // At its whole length at once, and one byte more, which no value has: nothing is cut off, and no part is left behind by growing.
    let most = MAX_LENGTH + 2;
    let mut bytes = Zeroizing::new(Vec::with_capacity(most + 2));
    std::io::stdin().take(most as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    // `echo` ends a line; a value of one line has no line break.
    let end =
        if bytes.ends_with(b"\n") && bytes.iter().filter(|byte| **byte == b'\n').count() == 1 { bytes.len() - 1 } else { bytes.len() };
    let end = end - usize::from(end < bytes.len() && bytes[..end].ends_with(b"\r"));
    if end > MAX_LENGTH {
        return Err(Failure::new(code::USAGE, format!("the value has more than {MAX_LENGTH} bytes; nothing was written")));
    }
    prompt::check_value(&bytes[..end])?;
    Ok(Deposit::new(bytes[..end].to_vec()))
}

impl List {
    fn perform(self) -> Done {
        let stored = self.at.with(async |store| store.list().await)?;
        let mut out = Answer::new();
        if self.json {
            let list: Vec<_> = stored.iter().map(|stored| json!({"path": stored.path, "version": current(stored)})).collect();
            out.line(format_args!("{}", serde_json::Value::from(list)))?;
        } else {
            if stored.is_empty() {
                say(format_args!("no secret is kept there yet"));
            }
            let mut table = Table::default();
            for stored in &stored {
                let version = current(stored).map_or_else(|| "none in use".to_owned(), |version| format!("version {version}"));
                table.row([for_people(&stored.path), version]);
            }
            table.print(&mut out)?;
        }
        Ok(0)
    }
}

/// The version in use.
fn current(stored: &Stored) -> Option<&str> {
    stored.versions.iter().find(|version| version.current).map(|version| version.name.as_str())
}

impl Status {
    fn perform(self) -> Done {
        let host = self.at.host.host()?;
        let manifests = ops::read_manifests(&self.manifests)?;
        let (backend, store) = (self.at.open(&host)?, self.at.store(&host)?);
        let secrets = finish(&host, backend.statuses(store, &manifests))?;
        let mut out = Answer::new();
        if secrets.is_empty() {
            say(format_args!("no secret is kept in the backend `{}` yet", backend.name()));
        }
        for secret in &secrets {
            match self.json {
                true => out.line(format_args!("{}", json!(secret)))?,
                false => self.tell(&mut out, secret)?,
            }
        }
        let (standings, code) = standings(&host, None)?;
        for status in standings {
            if self.json {
                out.line(format_args!("{}", json!(status)))?;
            } else {
                aloud(&mut out, &status)?;
            }
        }
        Ok(code)
    }

    fn tell(&self, out: &mut Answer, secret: &SecretStatus) -> Result<(), Failure> {
        out.line(format_args!("{}", for_people(&format!("{}:{}", secret.backend, secret.path))))?;
        if let Some(why) = &secret.problem {
            out.line(format_args!("  no value: {}", for_people(why)))?;
        }
        for (field, print) in &secret.fingerprints {
            let field = if field.is_empty() { String::new() } else { format!("{} ", for_people(field)) };
            out.line(format_args!("  {field}fingerprint {print}"))?;
        }
        if let Some(at) = &secret.expires {
            out.line(format_args!("  expires {at}"))?;
        }
        for VersionStatus { version, created, age, stages, current, deleted, .. } in secret.versions.iter().rev() {
            let state = match (deleted, current) {
                (true, _) => ", out of use",
                (false, true) => ", in use",
                (false, false) => "",
            };
            let stages = if stages.is_empty() { String::new() } else { format!(" ({})", stages.join(", ")) };
            out.line(format_args!("  version {version}{stages} of {created}, {age} old{state}"))?;
        }
        if !self.manifests.is_empty() {
            let agents = if secret.agents.is_empty() { "none of these".to_owned() } else { secret.agents.join(", ") };
            out.line(format_args!("  agents {agents}"))?;
        }
        Ok(())
    }
}

impl Version {
    fn perform(self, state: &str, work: impl AsyncFnOnce(&dyn SecretStore, &str, &str) -> Result<(), StoreError>) -> Done {
        named::secret(&self.name, self.namespace.as_deref())?;
        let entry = self.at.with(async |store| {
            let entry = store.entry_of(self.namespace.as_deref(), &self.name)?;
            work(store, &entry.path, &self.version).await?;
            Ok(entry)
        })?;
        say(format_args!("{}: version {} is {state}", entry.path, self.version));
        Ok(0)
    }
}
