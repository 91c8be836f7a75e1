//! What opens a party's files: identities of age, in a file, or as a program prints them that asks wherever they are kept.

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process_group};
use serde::Deserialize;
use std::fs;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};
use strongroom_ground::files::{MAX_CREDENTIAL, read_secret};
use zeroize::Zeroizing;

/// How long a program may take, unless the configuration says otherwise.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it is looked whether it has ended.
const LOOK: Duration = Duration::from_millis(5);

/// `unlock`, as the operator has written it.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "`unlock` is a path, or a table with `command`, and perhaps `pass_env` and `timeout`")]
pub enum Unlock {
    /// A file, as `age-keygen` writes it.
    File(PathBuf),
    /// A program that prints the same.
    Program(Program),
}

/// A program, and what it is given.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Program {
    /// Its absolute path, then its arguments.
    command: Vec<String>,
    /// Variables that it gets of this party's environment. It has no others.
    #[serde(default)]
    pass_env: Vec<String>,
    /// How long it may take, as in `30s`.
    timeout: Option<String>,
}

impl Unlock {
    /// What is in the file, or what the program prints: at most 64 KiB. Paths of files are as seen from `directory`.
    ///
    /// # Errors
    /// It can't be read, or the program does not end in order.
    pub fn read(&self, directory: &Path) -> Result<Zeroizing<String>> {
        match self {
            Self::File(path) => {
                let path = directory.join(path);
                read_secret(&path, MAX_CREDENTIAL).with_context(|| path.display().to_string())
            }
            Self::Program(program) => program.read().context("`unlock`"),
        }
    }
}

impl Program {
    fn read(&self) -> Result<Zeroizing<String>> {
        let [named, arguments @ ..] = &self.command[..] else {
            bail!("`command` is empty; write a program's absolute path, then its arguments")
        };
        is_kept(Path::new(named))?;
        let patience = match &self.timeout {
            None => PATIENCE,
            Some(text) => {
                let seconds = text.strip_suffix('s').and_then(|seconds| seconds.parse().ok()).filter(|seconds| (1..=600).contains(seconds));
                Duration::from_secs(seconds.context("`timeout` is no time; write 1 to 600 seconds, as in `30s`")?)
            }
        };
        let mut command = Command::new(named);
        command.args(arguments).env_clear().current_dir("/").process_group(0);
        for name in &self.pass_env {
            command
                .env(name, std::env::var_os(name).with_context(|| format!("the variable `{name}`, which `pass_env` names, is not set"))?);
        }
        let failed = |what: String| anyhow::anyhow!("{named} {what}; run it by hand, as this party's user, to see why");
        // What it complains of may hold what nobody is to read.
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut running = Running(child.map_err(|error| failed(format!("can't be started ({error})")))?);
        let (mut printed, status) = running.printed(Instant::now() + patience).map_err(failed)?;
        ensure!(status.success(), failed(format!("has failed ({status})")));
        String::from_utf8(std::mem::take(&mut *printed)).map(Zeroizing::new).map_err(|error| {
            drop(Zeroizing::new(error.into_bytes()));
            failed("prints what is no text".to_owned())
        })
    }
}

/// A program that runs. Dropped, it is killed, and what it has started.
struct Running(Child);

impl Running {
    fn printed(&mut self, until: Instant) -> Result<(Zeroizing<Vec<u8>>, ExitStatus), String> {
        let stdout = self.0.stdout.take().expect("it is piped");
        let (said, heard) = channel();
        std::thread::spawn(move || {
            // Room for all of it: no part is left behind as it grows.
            let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_CREDENTIAL as usize + 64));
            let _ = said.send(stdout.take(MAX_CREDENTIAL + 1).read_to_end(&mut bytes).map(|_| bytes));
        });
        let late = || "has not ended in time, and was killed".to_owned();
        let printed = heard.recv_timeout(until.saturating_duration_since(Instant::now())).map_err(|_| late())?;
        let printed = printed.map_err(|error| format!("prints what can't be read ({error})"))?;
        if printed.len() as u64 > MAX_CREDENTIAL {
            return Err(format!("prints more than {MAX_CREDENTIAL} bytes"));
        }
        loop {
            match self.0.try_wait() {
                Ok(Some(status)) => return Ok((printed, status)),
                Ok(None) if Instant::now() < until => std::thread::sleep(LOOK),
                Ok(None) => return Err(late()),
                Err(error) => return Err(format!("can't be waited for ({error})")),
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Once it is reaped, its number may be another's.
        if let Ok(None) = self.0.try_wait() {
            let _ = kill_process_group(Pid::from_child(&self.0), Signal::KILL);
            let _ = self.0.wait();
        }
    }
}

/// Whether nobody but root and this party's user can put another program there.
fn is_kept(named: &Path) -> Result<()> {
    ensure!(named.is_absolute(), "{} is no absolute path; name the program by one", named.display());
    let file = named.canonicalize().with_context(|| named.display().to_string())?;
    let found = fs::metadata(&file)?;
    ensure!(found.is_file() && found.permissions().mode() & 0o111 != 0, "{} is no program", named.display());
    // A link lies in a directory of its own.
    let beside = named.parent().unwrap_or(named).canonicalize()?;
    let own = rustix::process::geteuid().as_raw();
    for path in file.ancestors().chain(beside.ancestors()) {
        let found = fs::metadata(path).with_context(|| path.display().to_string())?;
        let (mode, owner) = (found.mode(), found.uid());
        // In a sticky directory, such as /tmp, nobody replaces what is another's.
        let is_sticky = found.is_dir() && mode & 0o1000 != 0;
        ensure!(
            (owner == 0 || owner == own) && (mode & 0o022 == 0 || is_sticky),
            "{}: others can change it, and with it the program; it has to belong to root or to this party's user, with mode 0755",
            path.display()
        );
    }
    Ok(())
}
