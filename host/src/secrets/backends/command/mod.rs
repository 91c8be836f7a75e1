//! A program of the operator's that prints secrets: the command line of a password manager, of an encrypted file, of whatever else keeps them.
//!
//! A manifest chooses one thing of it, the path, which goes into one argument and can be neither an option nor a piece of a language. The
//! program runs with an environment, a directory and a process group of its own, has nothing to read, and is killed when its time is over.

mod process;
mod program;
mod protocol;
#[cfg(test)]
mod tests;

use super::{BackendError, Entry, Found, Freshness, SecretBackend};
use crate::manifest::{CommandConfig, PATH_SLOT, Which};
use crate::secrets::SetupError;
use async_trait::async_trait;
use process::{Ended, Failed, MAX_OUTPUT};
use program::Program;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use zeroize::Zeroizing;

/// Most runs of one command at once: whoever asks for a hundred secrets does not start a hundred programs.
const AT_ONCE: usize = 4;
/// How much longer than its time and a turn before it the host waits for a command.
const MARGIN: Duration = Duration::from_secs(5);

/// Secrets that a program prints. A bare name is looked up as `NAMESPACE/NAME`.
pub struct CommandBackend {
    config: CommandConfig,
    program: Arc<Program>,
    turns: Arc<Semaphore>,
}

impl CommandBackend {
    /// A backend over a program, which has to be there.
    ///
    /// # Errors
    /// [`SetupError::File`] where it is missing, or others than root and the host's user could put another one in its place.
    pub fn new(config: &CommandConfig) -> Result<Self, SetupError> {
        let named = config.command.first().map(PathBuf::from).unwrap_or_default();
        config.check().map_err(|problem| format!("{}; {}", problem.found, problem.remedy)).map_err(SetupError::file(&named))?;
        let program = Program::find(&named).map_err(SetupError::file(&named))?;
        tell_of_descriptors();
        Ok(Self { config: config.clone(), program: Arc::new(program), turns: Arc::new(Semaphore::new(AT_ONCE)) })
    }

    /// The arguments for a path.
    fn arguments(&self, path: &str) -> Vec<String> {
        self.config.command.iter().skip(1).map(|argument| argument.replace(PATH_SLOT, path)).collect()
    }

    /// The command for a path, with an environment of its own.
    fn command(&self, path: &str) -> Result<Command, BackendError> {
        let mut command = Command::new(self.program.file());
        command.arg0(self.program.named()).args(self.arguments(path));
        command.env_clear().envs(self.config.env.iter().map(|(name, value)| (name, value))).current_dir("/");
        for name in &self.config.pass_env {
            let value = std::env::var_os(name).ok_or_else(|| {
                BackendError::Unavailable(format!("the variable `{name}`, which `pass_env` names, is not set in the host's environment"))
            })?;
            command.env(name, value);
        }
        Ok(command)
    }

    /// What the program prints for a path.
    async fn run(&self, path: &str) -> Result<Ended, BackendError> {
        let timeout = self.config.timeout;
        let program = Arc::clone(&self.program);
        let checked = tokio::task::spawn_blocking(move || program.check()).await;
        checked.unwrap_or_else(|error| Err(error.to_string())).map_err(BackendError::Unavailable)?;
        let command = self.command(path)?;
        let turn = self.turn(timeout).await.ok_or_else(|| {
            let what = format!("{AT_ONCE} runs of it are under way already, and none has ended within {} ms", timeout.as_millis());
            self.failed(path, &what)
        })?;
        match tokio::time::timeout(timeout, process::run(command, turn)).await {
            Ok(Ok(ended)) => Ok(ended),
            Ok(Err(Failed::Start(error))) => Err(self.failed(path, &format!("it can't be started ({error})"))),
            Ok(Err(Failed::TooLong)) => Err(self.failed(path, &format!("it printed more than {MAX_OUTPUT} bytes, and was killed"))),
            Ok(Err(Failed::Lost(error))) => Err(self.failed(path, &format!("its output can't be read ({error})"))),
            Err(_) => Err(self.failed(path, &format!("it did not end within {} ms, and was killed", timeout.as_millis()))),
        }
    }

    /// What it prints for a path where it ends in order.
    async fn output(&self, path: &str) -> Result<Zeroizing<Vec<u8>>, BackendError> {
        let Ended { output, status } = self.run(path).await?;
        match status.code() {
            Some(0) => Ok(output),
            Some(code) if self.config.not_found.iter().any(|known| i32::from(*known) == code) => {
                let looked_for = format!("`{path}` by {}, which ended with exit code {code}", self.program.named().display());
                Err(BackendError::NotFound { looked_for: crate::text::for_people(&looked_for) })
            }
            _ => Err(self.failed(path, &how(status))),
        }
    }

    async fn turn(&self, patience: Duration) -> Option<OwnedSemaphorePermit> {
        tokio::time::timeout(patience, Arc::clone(&self.turns).acquire_owned()).await.ok()?.ok()
    }

    /// That a run failed: what it complained of went nowhere, so the operator has to see it by hand.
    fn failed(&self, path: &str, what: &str) -> BackendError {
        let mut words = vec![quoted(&self.program.named().to_string_lossy())];
        words.extend(self.arguments(path).iter().map(|argument| quoted(argument)));
        let line = crate::text::for_people(&words.join(" "));
        BackendError::Unavailable(format!("the command failed: {what}; run it by hand, as the host's user, to see why: {line}"))
    }
}

#[async_trait]
impl SecretBackend for CommandBackend {
    fn entries_for(&self, namespace: &str, name: &str) -> Vec<Entry> {
        vec![Entry::new(format!("{namespace}/{name}"))]
    }

    fn admits(&self, entry: &Entry) -> Result<(), BackendError> {
        if entry.which != Which::Current {
            return Err(BackendError::Refused("a command keeps no versions; leave `?…` out".to_owned()));
        }
        if is_plain(&entry.path) {
            return Ok(());
        }
        let path = crate::text::for_people(&entry.path);
        Err(BackendError::Refused(format!(
            "the path `{path}` can't be given to a command: write names of letters, digits and `-_.@+:=,`, each beginning with a letter, a digit \
             or `_`, joined by `/`"
        )))
    }

    async fn get(&self, entry: &Entry) -> Result<Found, BackendError> {
        self.admits(entry)?;
        let output = self.output(&entry.path).await?;
        let found = protocol::read(self.config.protocol, output).map_err(|what| self.failed(&entry.path, what))?;
        let now = u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or(0);
        match found.expires_at {
            Some(end) if end <= now => Err(self.failed(&entry.path, "the value that it printed has expired by its own `expires_at`")),
            _ => Ok(found),
        }
    }

    fn freshness(&self) -> Freshness {
        Freshness::For(self.config.cache)
    }

    fn stale(&self) -> Duration {
        self.config.stale
    }

    fn patience(&self) -> Duration {
        2 * self.config.timeout + MARGIN
    }
}

/// Whether a path is only ever that, wherever it stands in an argument: no option, no file of arguments, no way up, and nothing that ends a
/// string, a reference or an expression of the program's own.
fn is_plain(path: &str) -> bool {
    let is_name = |name: &str| {
        let first = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        first && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.@+:=,".contains(&byte))
    };
    path.split('/').all(is_name)
}

/// How a program ended, in words.
fn how(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("it ended with exit code {code}"),
        (None, Some(signal)) => format!("it was ended by signal {signal}"),
        (None, None) => "it ended in an unknown way".to_owned(),
    }
}

/// A word as a shell reads it.
fn quoted(word: &str) -> String {
    let plain = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./:=,@+".contains(&byte));
    if plain { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

/// Says once which descriptors of the host its programs would get: those that whoever started it has left open. All that the host opens itself
/// is closed in them.
fn tell_of_descriptors() {
    static SAID: std::sync::Once = std::sync::Once::new();
    let left = left_open(Path::new("/proc/self/fdinfo"));
    if !left.is_empty() {
        SAID.call_once(|| {
            let left = left.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
            tracing::info!("the file descriptors {left} were left open by whoever started this host: commands of backends get them too");
        });
    }
}

/// The descriptors above standard error that a program would inherit, by what the kernel says of each.
fn left_open(descriptors: &Path) -> Vec<u32> {
    let close_on_exec = rustix::fs::OFlags::CLOEXEC.bits();
    let is_left = |number: &u32| {
        let about = std::fs::read_to_string(descriptors.join(number.to_string())).unwrap_or_default();
        let flags = about.lines().find_map(|line| u32::from_str_radix(line.strip_prefix("flags:")?.trim(), 8).ok());
        flags.is_some_and(|flags| flags & close_on_exec == 0)
    };
    let entries = std::fs::read_dir(descriptors).into_iter().flatten().flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let mut left: Vec<u32> = numbers.filter(|number| *number > 2).filter(is_left).collect();
    left.sort_unstable();
    left
}
