//! The directory where a host keeps what outlives it: its own keys, and the cache of compiled components.
//!
//! Whoever can write there, or put another directory in its place, owns the host. So it has to be the user's own (mode 0700), no link, and
//! below directories that no other user can rename it in.

use crate::random;
use rustix::fs::{FileType, OFlags, open};
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// A directory that only the host's user can enter.
#[derive(Debug, Clone)]
pub(crate) struct StateDir(PathBuf);

/// What is known of a directory or file, as far as it tells who can change it.
#[derive(Debug, Clone, Copy)]
struct Standing {
    owner: u32,
    group: u32,
    mode: u32,
}

/// The user that this process acts as.
#[derive(Debug, Clone, Copy)]
struct User {
    id: u32,
    group: u32,
}

impl StateDir {
    /// Opens or creates the directory with mode 0700, and refuses one that others own, can write to, or can put another in the place of.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => io::Error::new(error.kind(), format!("{} exists, and is not a directory", path.display())),
            _ => at(path, &error),
        })?;
        check_private(path).map_err(|error| at(path, &error))?;
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
        self.make_key(name, &path)
            .and_then(|()| {
                let mut key = Zeroizing::new([0; 32]);
                open_private(&path)?.read_exact(&mut *key)?;
                Ok(key)
            })
            .map_err(|error| at(&path, &error))
    }

    /// Makes a key where there is none.
    fn make_key(&self, name: &str, path: &Path) -> io::Result<()> {
        if fs::symlink_metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            let fresh = random::key()?;
            let temporary = self.0.join(format!("{name}.{:016x}", getrandom::u64().map_err(io::Error::other)?));
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
            file.write_all(&*fresh)?;
            file.sync_all()?;
            // A link fails where the name is taken: then another process was first, and its key counts.
            let linked = fs::hard_link(&temporary, path);
            fs::remove_file(&temporary)?;
            if let Err(error) = linked
                && error.kind() != io::ErrorKind::AlreadyExists
            {
                return Err(error);
            }
        }
        Ok(())
    }
}

/// An error with the place that it is about, which errors of the system leave out.
fn at(path: &Path, error: &io::Error) -> io::Error {
    let text = error.to_string();
    let shown = path.display().to_string();
    io::Error::new(error.kind(), if text.starts_with(&shown) { text } else { format!("{shown}: {text}") })
}

/// Opens a file of the host's own, and refuses a link and what others can read or write.
fn open_private(path: &Path) -> io::Result<File> {
    let file = match open(path, OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC, rustix::fs::Mode::empty()) {
        Err(rustix::io::Errno::LOOP) => return Err(refused(path, "is a link")),
        file => File::from(file?),
    };
    Standing::of(&file.metadata()?).private(User::this()).map_err(|what| refused(path, what))?;
    Ok(file)
}

fn check_private(path: &Path) -> io::Result<()> {
    let directory = fs::symlink_metadata(path)?;
    if directory.is_symlink() {
        return Err(refused(path, "is a link, whose target somebody else may choose; name the directory itself"));
    }
    let user = User::this();
    Standing::of(&directory).private(user).map_err(|what| refused(path, what))?;
    let whole = fs::canonicalize(path)?;
    for above in whole.ancestors().skip(1) {
        Standing::of(&fs::metadata(above)?).holds_private(user).map_err(|what| {
            let what = format!("lies below {}, which {what}: another directory could be put in its place", above.display());
            refused(path, &what)
        })?;
    }
    Ok(())
}

fn refused(path: &Path, what: &str) -> io::Error {
    let mode = if path.is_dir() { "0700" } else { "0600" };
    let text = format!("{} {what}; a host's state must belong to its user alone (mode {mode})", path.display());
    io::Error::new(io::ErrorKind::PermissionDenied, text)
}

/// Whether nobody else can rename or replace what lies in a directory: a sticky bit, as on `/tmp`, keeps what is the user's or root's.
pub(crate) fn directory_is_kept(directory: &Metadata) -> Result<(), &'static str> {
    Standing::of(directory).holds_private(User::this())
}

/// Whether nobody but the host's user and root can write to a file.
pub(crate) fn file_is_kept(file: &Metadata) -> Result<(), &'static str> {
    Standing::of(file).kept(User::this())
}

/// Whether a file, a directory or a link belongs to the host's user or to root.
pub(crate) fn is_owned(file: &Metadata) -> bool {
    let user = User::this();
    [0, user.id].contains(&Standing::of(file).owner)
}

impl User {
    fn this() -> Self {
        Self { id: rustix::process::geteuid().as_raw(), group: rustix::process::getegid().as_raw() }
    }
}

impl Standing {
    fn of(metadata: &Metadata) -> Self {
        Self { owner: metadata.uid(), group: metadata.gid(), mode: metadata.mode() }
    }

    /// Whether it is the user's alone.
    fn private(self, user: User) -> Result<(), &'static str> {
        if self.owner != user.id {
            return Err("belongs to another user");
        }
        if self.mode & 0o077 != 0 {
            let is_directory = FileType::from_raw_mode(self.mode) == FileType::Directory;
            return Err(if is_directory { "can be entered by other users" } else { "can be read or written by other users" });
        }
        Ok(())
    }

    /// Whether nobody but the user and root can write to it.
    fn kept(self, user: User) -> Result<(), &'static str> {
        if self.owner != user.id && self.owner != 0 {
            return Err("belongs to another user");
        }
        if self.mode & 0o022 == 0 { Ok(()) } else { Err("can be written by other users") }
    }

    /// Whether nobody else can rename or replace what lies within.
    fn holds_private(self, user: User) -> Result<(), &'static str> {
        const STICKY: u32 = 0o1000;
        if self.owner != user.id && self.owner != 0 {
            return Err("belongs to another user");
        }
        // Where the sticky bit is set, as on /tmp, each renames what is theirs. A group of the user's own is what many systems give by default.
        let others = self.mode & 0o002 != 0 || (self.mode & 0o020 != 0 && self.group != user.group && self.group != 0);
        if others && self.mode & STICKY == 0 { Err("other users can write to") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    const USER: User = User { id: 1_000, group: 1_000 };

    fn standing(owner: u32, group: u32, mode: u32) -> Standing {
        Standing { owner, group, mode }
    }

    fn refusal(path: &Path) -> String {
        StateDir::open(path).expect_err("it is refused").to_string()
    }

    #[test]
    fn a_file_that_others_can_write_to_is_not_kept() {
        for (file, kept) in [
            (standing(1_000, 1_000, 0o644), true),
            (standing(0, 0, 0o755), true),
            (standing(1_000, 1_000, 0o664), false),
            (standing(0, 0, 0o646), false),
            (standing(1_001, 1_000, 0o600), false),
        ] {
            assert_eq!(file.kept(USER).is_ok(), kept, "{file:?}");
        }
    }

    #[test]
    fn a_directory_of_anybody_else_is_not_private() {
        assert_eq!(standing(1_000, 1_000, 0o700).private(USER), Ok(()));
        for (owner, mode) in [(1_001, 0o700), (0, 0o700), (1_000, 0o701), (1_000, 0o720), (1_000, 0o777), (1_000, 0o1777)] {
            assert!(standing(owner, 1_000, mode).private(USER).is_err(), "{owner} {mode:o}");
        }
    }

    #[test]
    fn what_lies_above_is_the_users_or_roots_and_nobody_elses_to_write() {
        for (owner, group, mode) in [(0, 0, 0o755), (1_000, 1_000, 0o755), (1_000, 1_000, 0o775), (0, 0, 0o1777), (0, 50, 0o1775)] {
            assert_eq!(standing(owner, group, mode).holds_private(USER), Ok(()), "{owner} {group} {mode:o}");
        }
        for (owner, group, mode) in [(1_001, 1_001, 0o755), (0, 0, 0o777), (1_000, 100, 0o775), (1_000, 1_000, 0o757)] {
            assert!(standing(owner, group, mode).holds_private(USER).is_err(), "{owner} {group} {mode:o}");
        }
    }

    #[test]
    fn a_link_to_a_private_directory_is_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        let (real, link) = (dir.path().join("real"), dir.path().join("link"));
        StateDir::open(&real).expect("private");
        symlink(&real, &link).expect("a link");

        assert!(refusal(&link).contains("is a link"), "{}", refusal(&link));
    }

    #[test]
    fn a_directory_below_one_that_others_can_write_to_is_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        let open = dir.path().join("open");
        fs::create_dir(&open).expect("a directory");
        fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).expect("opened");

        assert!(refusal(&open.join("state")).contains("other users can write to"), "{}", refusal(&open.join("state")));
    }

    #[test]
    fn a_directory_of_another_user_is_refused() {
        // The root directory is nobody's but root's; who is root gives one away.
        let (dir, root) = (tempfile::tempdir().expect("a directory"), Path::new("/"));
        let theirs = if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(dir.path(), Some(12_345), None).expect("given away");
            dir.path()
        } else {
            root
        };

        assert!(refusal(theirs).contains("belongs to another user"), "{}", refusal(theirs));
    }

    #[test]
    fn a_key_that_is_a_link_or_that_others_can_read_is_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        let state = StateDir::open(&dir.path().join("state")).expect("private");
        let key = state.key("host.key").expect("a key");
        assert_eq!(*key, *state.key("host.key").expect("the same key"));

        symlink(state.path().join("host.key"), state.path().join("other.key")).expect("a link");
        assert!(state.key("other.key").expect_err("refused").to_string().contains("is a link"));
        fs::set_permissions(state.path().join("host.key"), fs::Permissions::from_mode(0o644)).expect("opened");
        assert!(state.key("host.key").is_err());
    }
}
