//! `strongroom secrets`. Nothing here ever prints a value: taking plaintext off the terminal is the point.

use super::output::{Answer, say};
use super::{Done, Failure, HostArgs, code, named, prompt};
use crate::host::{Host, file_key, read_manifests};
use crate::manifest::HOSTS_OWN;
use crate::manifest::{BackendConfig, FileKeyRef, HostConfig, Manifest};
use crate::rotation::{Progress, RotationError, RotationStatus};
use crate::secrets::backends::{Configured, read_lines};
use crate::secrets::dotenv::Variable;
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
    Import(Import),
    /// Lists the secrets of a backend
    List(List),
    /// Says of each secret its versions, its age, its fingerprint, and which agents may use it
    Status(Status),
    /// Replaces a key by a new one of its issuer, as the configuration says, or has its backend do it
    Rotate(Rotate),
    /// Says which rotations there have been, and what came of each
    History(History),
    /// Takes a version out of use; `restore` takes it into use again
    RmVersion(RmVersion),
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
    /// Add it only if this is the newest version (0: there is none)
    #[arg(long, value_name = "VERSION")]
    expect: Option<String>,
    #[command(flatten)]
    at: Where,
}

#[derive(Args)]
pub(super) struct Import {
    /// Shows names, lengths and fingerprints, and writes nothing
    #[arg(long)]
    dry_run: bool,
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

#[derive(Args)]
pub(super) struct Rotate {
    /// The rotation, by its name in the configuration, or the secret's name
    name: String,
    /// Give up what is under way and can't be finished, and forget what was reported: the key in use stays as it is
    #[arg(long)]
    abandon: bool,
    /// The agent, or group of agents, that it is for
    #[arg(long)]
    namespace: Option<String>,
    #[command(flatten)]
    at: Where,
}

#[derive(Args)]
pub(super) struct History {
    /// The rotation, by its name in the configuration; by default all
    rotation: Option<String>,
    #[command(flatten)]
    host: HostArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
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
            return Err(Failure::new(code::STATE, format!("{}: not made: it is there already", path.display())));
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
            Rekeyed::Finished => "a change that had broken off is finished; for another identity than was made then, do it once more",
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
    fn finish<T>(&self, host: &Host, work: impl Future<Output = Result<T, StoreError>>) -> Result<T, Failure> {
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

    fn open<'h>(&self, host: &'h Host) -> Result<&'h Configured, Failure> {
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

impl Rotate {
    fn perform(self) -> Done {
        named::secret(&self.name, self.namespace.as_deref())?;
        let host = self.at.host.host()?;
        let Configured { name, backend, .. } = self.at.open(&host)?;
        let entry = backend.store().and_then(|store| store.entry_of(self.namespace.as_deref(), &self.name).ok());
        match host.rotation_of(&self.name, name, entry.as_ref()) {
            Some(rotation) if self.abandon => return abandon(&host, &rotation),
            Some(rotation) => return carry_out(&host, &rotation),
            None => {}
        }
        let (Some(store), Some(rotator)) = (backend.store(), backend.rotator()) else {
            let known: Vec<&str> = host.rotations().collect();
            let known = if known.is_empty() { "none is configured".to_owned() } else { format!("configured are: {}", known.join(", ")) };
            return Err(Failure::new(
                code::USAGE,
                format!(
                    "no rotation has this name or replaces this secret ({known}), and the backend `{name}` makes no keys by itself: describe \
                     its issuer in the configuration (`[issuers]`, `[rotations]`), or add a new key with `strongroom secrets set {}`",
                    self.name
                ),
            ));
        };
        let entry = store.entry_of(self.namespace.as_deref(), &self.name).map_err(|error| Failure::new(code::USAGE, error))?;
        let begun = self.at.finish(&host, rotator.rotate(&entry))?;
        say(format_args!("{}: {begun}", entry.path));
        Ok(0)
    }
}

/// Gives up what is under way.
fn abandon(host: &Host, rotation: &str) -> Done {
    let left = super::runtime()?.block_on(async {
        let left = host.abandon_rotation(rotation).await;
        host.clone().shutdown().await;
        left
    });
    let left = left.map_err(|error| Failure::new(code::SECRET, format!("{rotation}: {error}")))?;
    say(format_args!("{rotation}: nothing is under way any more; the key in use is as it was"));
    left.iter()
        .for_each(|key| say(format_args!("  revoke it at the issuer, unless it is the one in use: {}", crate::text::for_people(key))));
    Ok(0)
}

/// Replaces a key, and shows each step on a terminal.
fn carry_out(host: &Host, rotation: &str) -> Done {
    let shows = std::io::stderr().is_terminal();
    let progress = move |progress: Progress<'_>| {
        if shows {
            say(format_args!("  {:12} {}", progress.step, crate::text::for_people(progress.detail)));
        }
    };
    let rotated = super::runtime()?.block_on(async {
        let rotated = host.rotate(rotation, progress).await;
        host.clone().shutdown().await;
        rotated
    });
    rotated.map_err(|error| Failure::new(code::SECRET, format!("{rotation}: {error}")))?;
    say(format_args!("{rotation}: replaced; the old key is revoked"));
    Ok(0)
}

/// How rotations stand.
fn standings(host: &Host, wanted: Option<&str>) -> Result<Vec<RotationStatus>, Failure> {
    let names: Vec<String> = host.rotations().filter(|name| wanted.is_none_or(|wanted| wanted == *name)).map(str::to_owned).collect();
    if let (Some(wanted), true) = (wanted, names.is_empty()) {
        return Err(Failure::new(code::USAGE, RotationError::Unknown(wanted.to_owned())));
    }
    super::runtime()?.block_on(async {
        let mut all = Vec::new();
        for name in names {
            match host.rotation_status(&name).await {
                Ok(status) => all.push(status),
                Err(error) => say(format_args!("rotation {name}: {error}")),
            }
        }
        host.clone().shutdown().await;
        Ok(all)
    })
}

impl History {
    fn perform(self) -> Done {
        self.rotation.as_deref().map_or(Ok(()), |name| named::configured("ROTATION", name))?;
        let host = self.host.host()?;
        let mut out = Answer::new();
        for status in standings(&host, self.rotation.as_deref())? {
            if self.json {
                out.line(format_args!(
                    "{}",
                    serde_json::json!({"rotation": status.rotation, "past": status.past, "orphans": status.orphans})
                ))?;
                continue;
            }
            out.line(format_args!("{}", status.rotation))?;
            for past in &status.past {
                let took = past.ended.saturating_sub(past.begun);
                out.line(format_args!(
                    "  {} on {} in {took} s, {}: {}",
                    past.number,
                    time(past.begun),
                    past.trigger,
                    crate::text::for_people(&past.outcome)
                ))?;
            }
            for (at, what) in &status.orphans {
                out.line(format_args!("  {}: there may be a key that nobody knows: {}", time(*at), crate::text::for_people(what)))?;
            }
            if status.past.is_empty() {
                out.line(format_args!("  none has ended yet"))?;
            }
        }
        Ok(0)
    }
}

/// A time in seconds since 1970, RFC 3339.
fn time(seconds: u64) -> String {
    i64::try_from(seconds).ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok()).unwrap_or_default().to_string()
}

/// How a rotation stands, in lines for people.
fn aloud(out: &mut Answer, status: &RotationStatus) -> Result<(), Failure> {
    let text = crate::text::for_people;
    out.line(format_args!("rotation {} of {}", status.rotation, text(&status.secrets.join(", "))))?;
    match (&status.stage, status.begun) {
        (Some(stage), Some(begun)) => out.line(format_args!("  under way since {}: {stage}", time(begun)))?,
        _ => out.line(format_args!("  nothing is under way"))?,
    }
    match status.since {
        Some(since) => out.line(format_args!("  the key in use is known since {}, {} old", time(since), old(since)))?,
        None => out.line(format_args!("  the key in use was never replaced"))?,
    }
    if let Some(at) = status.expires_at {
        out.line(format_args!("  it ends {}", time(at)))?;
    }
    if let Some(at) = status.next {
        out.line(format_args!("  it is replaced {}", time(at)))?;
    }
    if let Some((why, next)) = &status.failing {
        out.line(format_args!("  the last attempt failed, and there is another at {}: {}", time(*next), text(why)))?;
    }
    if !status.orphans.is_empty() {
        out.line(format_args!("  {} keys may have been made that nobody knows; see `strongroom secrets history`", status.orphans.len()))?;
    }
    out.line(format_args!("  hosts that use it: {}", status.hosts))
}

impl Set {
    fn perform(self) -> Done {
        named::secret(&self.name, self.namespace.as_deref())?;
        let value = read_value(&self.name)?;
        let (entry, version) = self.at.with(async |store| {
            let entry = store.entry_of(self.namespace.as_deref(), &self.name)?;
            let version = store.put(&entry, value, self.expect.as_deref()).await?;
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

impl Import {
    fn perform(self) -> Done {
        let file = self.file.display().to_string();
        let wrong = |what: String| Failure::new(code::USAGE, format!("{file}: {what}; nothing was written"));
        let read = read_lines(&self.file).map_err(|why| Failure::new(code::USAGE, format!("{why}; nothing was written")))?;
        for variable in &read {
            let checked = named::secret(&variable.name, self.namespace.as_deref());
            checked.map_err(|Failure { message, .. }| wrong(format!("line {}: {message}", variable.line)))?;
        }
        if self.dry_run {
            return self.show(&read);
        }
        let left_out = self.at.with(async |store| {
            let mut left_out = 0;
            for variable in &read {
                let (entry, value) = (store.entry_of(self.namespace.as_deref(), &variable.name)?, variable.value.as_bytes());
                let version = match store.put(&entry, Deposit::new(value.to_vec()), None).await {
                    Ok(version) => version,
                    Err(StoreError::Refused(why)) => {
                        say(format_args!("{entry}: left out: {why}"));
                        left_out += 1;
                        continue;
                    }
                    Err(error) => return Err(error),
                };
                // The file may be taken away after this: what it said has to be there.
                if !store.get(&entry).await.is_ok_and(|found| found.value.is(&SecretValue::new(value.to_vec()))) {
                    return Err(StoreError::Refused(format!("{entry} does not give back what {file} has; keep the file")));
                }
                say(format_args!("{entry}: version {version}"));
            }
            Ok(left_out)
        })?;
        let kept = read.len() - left_out;
        match left_out {
            0 => say(format_args!("{} read, each the same in the store as in {file}; now take the file away", read.len())),
            _ => {
                say(format_args!("{} read, {kept} the same in the store as in {file}; what was left out is in that file alone", read.len()))
            }
        }
        Ok(0)
    }

    /// What would be written: enough to see that each value was read as it was meant, and nothing of it.
    fn show(&self, read: &[Variable]) -> Done {
        let host = self.at.host.host()?;
        let mut out = Answer::new();
        for variable in read {
            let fingerprint = host.fingerprint(&SecretValue::new(variable.value.as_bytes().to_vec()));
            let (name, line, bytes) = (&variable.name, variable.line, variable.value.len());
            out.line(format_args!("{name:40} line {line:<4} {bytes:6} bytes, fingerprint {fingerprint}"))?;
        }
        say(format_args!("{} read; nothing was written", read.len()));
        Ok(0)
    }
}

impl List {
    fn perform(self) -> Done {
        let stored = self.at.with(async |store| store.list().await)?;
        let mut out = Answer::new();
        if self.json {
            let list: Vec<_> = stored.iter().map(|stored| serde_json::json!({"path": stored.path, "version": current(stored)})).collect();
            out.line(format_args!("{}", serde_json::Value::from(list)))?;
        } else {
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
        for status in standings(&host, None)? {
            if self.json {
                out.line(format_args!("{}", serde_json::to_string(&status).expect("a status is JSON")))?;
            } else {
                aloud(&mut out, &status)?;
            }
        }
        Ok(0)
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
fn old(since: u64) -> String {
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
