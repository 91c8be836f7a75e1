//! The directory where a host keeps what outlives it: its own keys, and the cache of compiled components.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// A directory that only the host's user can enter.
#[derive(Debug, Clone)]
pub(crate) struct StateDir(PathBuf);

impl StateDir {
    /// Opens or creates the directory with mode 0700, and refuses one that others own or can write to.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        check_private(path)?;
        Ok(Self(path.to_owned()))
    }

    /// The user's state directory (XDG Base Directory Specification).
    pub(crate) fn default_path() -> Option<PathBuf> {
        let var = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let state = var("XDG_STATE_HOME").filter(|path| path.is_absolute()).or_else(|| Some(var("HOME")?.join(".local/state")));
        Some(state?.join("strongroom"))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// A directory within, as private.
    pub(crate) fn subdirectory(&self, name: &str) -> io::Result<Self> {
        Self::open(&self.0.join(name))
    }

    /// A key of the host's own, made on first use. Several hosts that make it at once agree on one.
    pub(crate) fn key(&self, name: &str) -> io::Result<Zeroizing<[u8; 32]>> {
        let path = self.0.join(name);
        if !path.exists() {
            let fresh = random_key()?;
            let temporary = self.0.join(format!("{name}.{:016x}", getrandom::u64().map_err(io::Error::other)?));
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
            file.write_all(&*fresh)?;
            file.sync_all()?;
            // A link fails where the name is taken: then another process was first, and its key counts.
            let linked = fs::hard_link(&temporary, &path);
            fs::remove_file(&temporary)?;
            if let Err(error) = linked
                && error.kind() != io::ErrorKind::AlreadyExists
            {
                return Err(error);
            }
        }
        let mut key = Zeroizing::new([0; 32]);
        fs::File::open(&path)?.read_exact(&mut *key)?;
        Ok(key)
    }
}

/// 32 bytes from the operating system.
pub(crate) fn random_key() -> io::Result<Zeroizing<[u8; 32]>> {
    let mut key = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *key).map_err(io::Error::other)?;
    Ok(key)
}

fn check_private(path: &Path) -> io::Result<()> {
    let metadata = fs::metadata(path)?;
    let refuse = |what: &str| {
        let text = format!("{} {what}; a host's state must belong to its user alone (mode 0700)", path.display());
        Err(io::Error::new(io::ErrorKind::PermissionDenied, text))
    };
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return refuse("belongs to another user");
    }
    if metadata.permissions().mode() & 0o077 != 0 {
        return refuse("can be entered by other users");
    }
    Ok(())
}
