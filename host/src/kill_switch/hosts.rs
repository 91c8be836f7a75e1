//! The hosts that share a state directory: each has a file there that says which state of the switch it has carried out, locked for as long as
//! its process lives.

use super::Confirmed;
use super::turned::Stopped;
use crate::state::StateDir;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

/// The directory of those files.
const DIRECTORY: &str = "kill-switch.hosts";

pub(super) struct Hosts(StateDir);

/// The file of this host. It is taken away with the host; one that could not be is found to be nobody's by whoever comes next.
pub(super) struct Own {
    path: PathBuf,
    file: File,
    confirmed: Option<Stopped>,
}

impl Hosts {
    pub(super) fn at(state: &StateDir) -> io::Result<Self> {
        state.subdirectory(DIRECTORY).map(Self)
    }

    /// The file of a host that begins. It has confirmed nothing.
    pub(super) fn begin(&self) -> io::Result<Own> {
        let name = format!("{}-{:016x}", std::process::id(), getrandom::u64().map_err(io::Error::other)?);
        let (made, path) = (self.0.path().join(format!(".{name}")), self.0.path().join(name));
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&made)?;
        // It is seen by its name only once it is locked.
        file.lock()?;
        fs::rename(&made, &path)?;
        Ok(Own { path, file, confirmed: None })
    }

    /// Which hosts have carried a state out, and which have not; and whether one of them has loaded an agent that this concerns.
    pub(super) fn confirmed(&self, state: &str, concerns: impl Fn(&str) -> bool) -> io::Result<Confirmed> {
        let mut found = Confirmed::default();
        for entry in fs::read_dir(self.0.path())? {
            let entry = entry?;
            let process = entry.file_name().to_str().and_then(|name| name.split_once('-')?.0.parse().ok());
            let (Some(process), path) = (process, entry.path()) else { continue };
            let mut file = match File::open(&path) {
                Ok(file) => file,
                // It has ended just now.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            match file.try_lock_shared() {
                // Nobody holds it: its process has ended.
                Ok(()) => drop(fs::remove_file(&path)),
                Err(TryLockError::Error(error)) => return Err(error),
                Err(TryLockError::WouldBlock) => {
                    let mut text = String::new();
                    let is_read = file.read_to_string(&mut text).is_ok();
                    let mut lines = text.lines();
                    if is_read && lines.next() == Some(state) {
                        found.by.push(process);
                        found.is_known |= lines.any(&concerns);
                    } else {
                        found.silent.push(process);
                    }
                }
            }
        }
        found.by.sort_unstable();
        found.silent.sort_unstable();
        Ok(found)
    }
}

impl Own {
    /// Says that a state is carried out, by a host that has loaded these agents.
    pub(super) fn confirm<'a>(&mut self, stopped: &Stopped, agents: impl Iterator<Item = &'a str>) -> io::Result<()> {
        if self.confirmed.as_ref() == Some(stopped) {
            return Ok(());
        }
        self.confirmed = None;
        let mut text = stopped.state() + "\n";
        text.extend(agents.flat_map(|line| [line, "\n"]));
        // Whoever reads between these two finds neither state.
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.file.write_all(text.as_bytes())?;
        self.confirmed = Some(stopped.clone());
        Ok(())
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}
