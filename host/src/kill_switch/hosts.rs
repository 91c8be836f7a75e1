//! The hosts that share a state directory: each has a file there that says which state of the switch it has carried out, locked for as long as
//! its process lives.

use super::Confirmed;
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
    confirmed: String,
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
        Ok(Own { path, file, confirmed: String::new() })
    }

    /// Which hosts have carried a state out, and which have not.
    pub(super) fn confirmed(&self, state: &str) -> io::Result<Confirmed> {
        let mut found = Confirmed::default();
        for entry in fs::read_dir(self.0.path())? {
            let entry = entry?;
            let process = entry.file_name().to_str().and_then(|name| name.split_once('-')?.0.parse().ok());
            let (Some(process), path) = (process, entry.path()) else { continue };
            // It may have ended just now.
            let Ok(mut file) = File::open(&path) else { continue };
            match file.try_lock_shared() {
                // Nobody holds it: its process has ended.
                Ok(()) => drop(fs::remove_file(&path)),
                Err(TryLockError::Error(error)) => return Err(error),
                Err(TryLockError::WouldBlock) => {
                    let mut text = String::new();
                    let is_done = file.read_to_string(&mut text).is_ok() && text == state;
                    if is_done { &mut found.by } else { &mut found.silent }.push(process);
                }
            }
        }
        found.by.sort_unstable();
        found.silent.sort_unstable();
        Ok(found)
    }
}

impl Own {
    /// Says that a state is carried out.
    pub(super) fn confirm(&mut self, state: &str) -> io::Result<()> {
        if self.confirmed == state {
            return Ok(());
        }
        // All states are equally long: one write puts the new one in the place of the old.
        self.file.rewind()?;
        self.file.write_all(state.as_bytes())?;
        state.clone_into(&mut self.confirmed);
        Ok(())
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}
