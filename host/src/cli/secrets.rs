//! `strongroom secrets`. Nothing here ever prints a value: taking plaintext off the terminal is the point.

use super::output::{Answer, say};
use super::rotations::{aloud, standings};
use super::{Done, Failure, HostArgs, code, named, prompt};
use crate::host::{Host, file_key, read_manifests};
use crate::manifest::HOSTS_OWN;
use crate::manifest::{BackendConfig, FileKeyRef, HostConfig, Manifest};
use crate::secrets::backends::Configured;
use crate::secrets::{
    Deposit, Entry, FileBackend, FileKey, MAX_LENGTH, Rekeyed, SecretStore, SecretValue, StoreError, Stored, VersionInfo,
};
use age::secrecy::ExposeSecret;
use clap::{Args, Subcommand};
use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Keeps the secrets of a backend that can be written to.
#[derive(Subcommand)]
pub(super) enum Secrets {
    /// Makes the encrypted file of a `file` backend, and the identity that opens it where there is none
    Init(Where),
    /// Makes a new identity for a `file` backend, encrypts its file to it, and takes the old identity away; hosts may be running
    Rekey(Where),
    /// Adds a version of a secret; the value is read from stdin, or asked for on a terminal, never taken from the command line
    Set(Set),
    /// Adds each line of a `.env` file as a secret
    Import(super::import::Import),
    /// Lists the secrets of a backend
    List(List),
    /// Says of each secret its versions, its age, its fingerprint, and which agents may use it
    Status(Status),
    /// Replaces a key by a new one of its issuer, as the configuration says, or has its backend do it
    Rotate(super::rotations::Rotate),
    /// Says which rotations there have been, and what came of each
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
            return Err(Failure::new(code::STATE, format!("{}: exists already, and is left as it is", path.display())));
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
            key => file_key(key).map_err(|error| Failure::new(code::SECRET, error))?,
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
        // One identity may open the files of several backends: they change together, or some would open no more.
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
            Rekeyed::Finished => "an interrupted change is finished; to replace the identity once more, run this again",
        };
        say(format_args!("{}: {what}", identity.display()));
        Ok(0)
    }

    /// Does something with the store.
    pub(super) fn with<T>(&self, work: impl AsyncFnOnce(&dyn SecretStore) -> Result<T, StoreError>) -> Result<T, Failure> {
        self.with_host(&self.host.host()?, work)
    }

    fn with_host<T>(&self, host: &Host, work: impl AsyncFnOnce(&dyn SecretStore) -> Result<T, StoreError>) -> Result<T, Failure> {
        let Configured { name, backend, .. } = self.open(host)?;
        let store = backend.store().ok_or_else(|| {
            Failure::new(code::USAGE, format!("the backend `{name}` can't be written to or listed: set the variable in the environment or in the `.env` file that the configuration names, or configure a backend of type `file`, `vault` or `aws`"))
        })?;
        self.finish(host, work(store))
    }

    /// Does the work, and logs out.
    pub(super) fn finish<T>(&self, host: &Host, work: impl Future<Output = Result<T, StoreError>>) -> Result<T, Failure> {
        let done = super::runtime()?.block_on(async {
            let done = work.await;
            host.clone().shutdown().await;
            done
        });
        done.map_err(|error| match error {
            StoreError::Unavailable(_) => Failure::new(code::SECRET, error),
            _ => Failure::new(code::USAGE, error),
        })
    }

    pub(super) fn open<'h>(&self, host: &'h Host) -> Result<&'h Configured, Failure> {
        self.backend.as_deref().map_or(Ok(()), |name| named::configured("--backend", name))?;
        host.backends().named(self.backend.as_deref()).map_err(|error| Failure::new(code::USAGE, error))
    }
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
            let version = store.put(&entry, value, self.expect.as_deref()).await.map_err(|error| conflict(error, &entry))?;
            Ok((entry, version))
        })?;
        say(format_args!("{entry}: version {version}"));
        Ok(0)
    }
}

/// Another version than the expected one, with the name of what it is a version of and the way to go on.
fn conflict(error: StoreError, entry: &Entry) -> StoreError {
    match error {
        StoreError::Conflict { expected, found } if expected == "0" => StoreError::Refused(format!(
            "{entry} exists already, at version {found}; nothing was written. Look at it with `strongroom secrets status`; to add a version to \
             it: `--expect {found}`"
        )),
        StoreError::Conflict { expected, found } => StoreError::Refused(format!(
            "{entry}: version {found} is the newest, not {expected}; nothing was written. Look at it with `strongroom secrets status`; to add a \
             version to it all the same: `--expect {found}`"
        )),
        error => error,
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
            let list: Vec<_> = stored.iter().map(|stored| serde_json::json!({"path": stored.path, "version": current(stored)})).collect();
            out.line(format_args!("{}", serde_json::Value::from(list)))?;
        } else {
            if stored.is_empty() {
                say(format_args!("no secret is kept there yet"));
            }
            for stored in &stored {
                let version = current(stored).map_or_else(|| "none in use".to_owned(), |version| format!("version {version}"));
                out.line(format_args!("{:40} {version}", crate::text::for_people(&stored.path)))?;
            }
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
        let manifests = read_manifests(&self.manifests)?;
        let Configured { name, .. } = self.at.open(&host)?;
        let known = self.at.with_host(&host, async |store| {
            let mut known = Vec::new();
            for stored in store.list().await? {
                let found = match current(&stored) {
                    Some(_) => store.get(&Entry::new(&stored.path)).await.map_err(|error| error.to_string()),
                    None => Err("no version is in use".to_owned()),
                };
                known.push((stored, found));
            }
            Ok(known)
        })?;
        let mut out = Answer::new();
        if known.iter().all(|(stored, _)| stored.path.starts_with(HOSTS_OWN)) {
            say(format_args!("no secret is kept in the backend `{name}` yet"));
        }
        // The host's own records are told of below.
        for (stored, found) in known.iter().filter(|(stored, _)| !stored.path.starts_with(HOSTS_OWN)) {
            let may_use = |manifest: &&Manifest| host.may_use(manifest, Some(name), &stored.path);
            let users: Vec<&str> = manifests.iter().filter(may_use).map(|manifest| manifest.name.as_str()).collect();
            let prints = found.as_ref().map(|found| fingerprints(&host, &found.value)).unwrap_or_default();
            let expires = found.as_ref().ok().and_then(|found| jiff::Timestamp::from_second(i64::try_from(found.expires_at?).ok()?).ok());
            if self.json {
                let versions = stored.versions.iter().map(|version| {
                    serde_json::json!({"version": version.name, "created": version.created, "age": age(version), "stages": version.stages,
                                       "current": version.current, "deleted": version.deleted})
                });
                let prints: serde_json::Map<_, _> = prints.into_iter().map(|(field, print)| (field, print.into())).collect();
                let line = serde_json::json!({"backend": name, "path": stored.path, "version": current(stored), "fingerprints": prints,
                    "problem": found.as_ref().err(), "expires": expires.map(|at| at.to_string()), "versions": versions.collect::<Vec<_>>(), "agents": users});
                out.line(format_args!("{line}"))?;
                continue;
            }
            out.line(format_args!("{}", crate::text::for_people(&format!("{name}:{}", stored.path))))?;
            if let Err(why) = found {
                out.line(format_args!("  no value: {}", crate::text::for_people(why)))?;
            }
            for (field, print) in prints {
                let field = if field.is_empty() { String::new() } else { format!("{} ", crate::text::for_people(&field)) };
                out.line(format_args!("  {field}fingerprint {print}"))?;
            }
            if let Some(at) = expires {
                out.line(format_args!("  expires {at}"))?;
            }
            for version in stored.versions.iter().rev() {
                let state = if version.deleted {
                    ", out of use"
                } else if version.current {
                    ", in use"
                } else {
                    ""
                };
                let stages = if version.stages.is_empty() { String::new() } else { format!(" ({})", version.stages.join(", ")) };
                out.line(format_args!("  version {}{stages} of {}, {} old{state}", version.name, version.created, age(version)))?;
            }
            if !self.manifests.is_empty() {
                out.line(format_args!("  agents {}", if users.is_empty() { "none of these".to_owned() } else { users.join(", ") }))?;
            }
        }
        let (standings, code) = standings(&host, None)?;
        for status in standings {
            if self.json {
                out.line(format_args!("{}", serde_json::to_string(&status).expect("a status is JSON")))?;
            } else {
                aloud(&mut out, &status)?;
            }
        }
        Ok(code)
    }
}

/// The fingerprint of a value, or of each field of a document.
fn fingerprints(host: &Host, value: &SecretValue) -> Vec<(String, String)> {
    let fields = value.fields();
    if fields.is_empty() {
        return vec![(String::new(), host.fingerprint(value).to_string())];
    }
    let print = |field: String| value.field(&field).ok().map(|value| (field, host.fingerprint(&value).to_string()));
    fields.into_iter().filter_map(print).collect()
}

/// How old a version is, in its largest unit.
fn age(version: &VersionInfo) -> String {
    let created: Option<jiff::Timestamp> = version.created.parse().ok();
    old(created.map_or_else(|| jiff::Timestamp::now().as_second(), jiff::Timestamp::as_second).unsigned_abs())
}

/// How long ago a time is, in its largest unit.
pub(super) fn old(since: u64) -> String {
    let seconds = jiff::Timestamp::now().as_second().unsigned_abs().saturating_sub(since);
    let (unit, name) =
        [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")].into_iter().find(|(unit, _)| seconds >= *unit).unwrap_or((1, "s"));
    format!("{} {name}", seconds / unit)
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
