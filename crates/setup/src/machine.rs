//! The machine as a process sees it: where programs lie, and what they answer.

use std::ffi::{OsStr, OsString};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Between two looks at a program that was asked something.
const PAUSE: Duration = Duration::from_millis(5);

/// The machine as a process sees it.
#[derive(Debug, Clone)]
pub struct Machine {
    /// The directories that programs are looked for in (`PATH`).
    pub path: OsString,
    /// What stands for `/` where something is looked for at a fixed place.
    pub root: PathBuf,
    /// Whether this user may install packages.
    pub superuser: bool,
    /// How long a program may take to answer. All are asked at once, so this bounds the whole look.
    pub patience: Duration,
    /// The compiler that cargo uses (`RUSTC`), where it is not the one on `PATH`.
    pub rustc: Option<PathBuf>,
    /// The C compiler that was chosen (`CC`), with its arguments.
    pub cc: Option<String>,
    /// The toolchain that rustup has started (`RUSTUP_TOOLCHAIN`).
    pub toolchain: Option<String>,
}

impl Machine {
    /// The one that this process runs on.
    #[must_use]
    pub fn here() -> Self {
        let text = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        Self {
            path: std::env::var_os("PATH").unwrap_or_default(),
            root: PathBuf::from("/"),
            // Its directory is the process's user's.
            superuser: std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0),
            patience: Duration::from_secs(4),
            rustc: text("RUSTC").map(PathBuf::from),
            cc: text("CC"),
            toolchain: text("RUSTUP_TOOLCHAIN"),
        }
    }

    /// A program's file.
    #[must_use]
    pub fn program(&self, name: &str) -> Option<PathBuf> {
        std::env::split_paths(&self.path).map(|directory| directory.join(name)).find(|file| is_executable(file))
    }

    /// A file or directory at a fixed place, as `/usr/lib`.
    #[must_use]
    pub fn place(&self, absolute: &str) -> PathBuf {
        self.root.join(absolute.trim_start_matches('/'))
    }

    /// What a program prints to its standard output, where it ends well.
    ///
    /// # Errors
    /// That it does not start, fails, or does not answer in time, in words that continue a sentence.
    pub fn ask(&self, command: &mut Command) -> Result<String, String> {
        let name = command.get_program().to_string_lossy().into_owned();
        command.env("PATH", &self.path).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("`{name}` does not start: {error}"))?;
        let start = Instant::now();
        loop {
            match child.try_wait() {
                Ok(Some(_)) => break,
                Ok(None) if start.elapsed() < self.patience => std::thread::sleep(PAUSE),
                Ok(None) => {
                    let _ = child.kill();
                    let _ = child.wait();
                    return Err(format!("`{name}` did not answer within {:?}", self.patience));
                }
                Err(error) => return Err(format!("`{name}` can't be waited for: {error}")),
            }
        }
        let output = child.wait_with_output().map_err(|error| format!("`{name}` can't be read: {error}"))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it says nothing");
        Err(format!("`{name}` fails: {}", last.trim()))
    }

    /// Runs a program that adds something. What it prints goes to standard error: a build script's standard output is cargo's.
    pub(crate) fn run(&self, program: &OsStr, arguments: &[String]) -> bool {
        let mut command = Command::new(program);
        command.args(arguments).env("PATH", &self.path).env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
        if let Ok(stderr) = std::os::fd::AsFd::as_fd(&std::io::stderr()).try_clone_to_owned() {
            command.stdout(stderr);
        }
        command.status().is_ok_and(|status| status.success())
    }
}

fn is_executable(file: &Path) -> bool {
    file.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}
