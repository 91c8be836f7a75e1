//! The file itself: encrypted (age-encryption.org/v1), replaced whole, by one writer at a time.

use super::document::Document;
use age::secrecy::{ExposeSecret, SecretString};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// How long a writer waits for another one, and how often it looks.
const PATIENCE: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(5);

/// What opens the file.
pub enum FileKey {
    /// An X25519 identity, as `age-keygen` and `strongroom secrets init` write it.
    Identity(Box<age::x25519::Identity>),
    /// A passphrase, stretched with scrypt: about a second for each opening.
    Passphrase(SecretString),
}

impl FileKey {
    /// The identity in a file of `age-keygen`'s format.
    ///
    /// # Errors
    /// A message that names the file and what is wrong with it or its mode.
    pub fn identity_file(path: &Path) -> Result<Self, String> {
        let wrong = |what: &str| format!("{}: {what}", path.display());
        let mode = fs::metadata(path)
            .map_err(|error| wrong(&format!("can't be read ({error}); `strongroom secrets init` makes one")))?
            .permissions()
            .mode();
        if mode & 0o077 != 0 {
            return Err(wrong("other users can read it; `chmod 600` it, and replace the identity if they may have"));
        }
        let text = Zeroizing::new(fs::read_to_string(path).map_err(|error| wrong(&error.to_string()))?);
        let line = text.lines().find(|line| line.starts_with("AGE-SECRET-KEY-"));
        let identity = line.and_then(|line| age::x25519::Identity::from_str(line.trim()).ok());
        identity.map(|identity| Self::Identity(Box::new(identity))).ok_or_else(|| wrong("it holds no X25519 identity of age"))
    }

    /// Makes an identity, and writes it to a new file with mode 0600.
    ///
    /// # Errors
    /// That of the file system; an existing file is never overwritten.
    pub fn create_identity(path: &Path) -> io::Result<()> {
        let identity = age::x25519::Identity::generate();
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        writeln!(file, "# opens the secrets of Strongroom; keep a copy where the file of secrets is not")?;
        writeln!(file, "# public key: {}", identity.to_public())?;
        writeln!(file, "{}", identity.to_string().expose_secret())?;
        file.sync_all()
    }
}

/// The encrypted file.
pub(super) struct Sealed {
    path: PathBuf,
    key: FileKey,
}

/// Which writing of the file this is: another one has another.
pub(super) type Stamp = (u64, i64, i64, u64);

impl Sealed {
    pub(super) fn new(path: PathBuf, key: FileKey) -> Self {
        Self { path, key }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn stamp(&self) -> io::Result<Stamp> {
        fs::metadata(&self.path).map(|file| (file.ino(), file.mtime(), file.mtime_nsec(), file.size()))
    }

    /// Opens the file.
    pub(super) fn read(&self) -> Result<Document, String> {
        let wrong = |what: String| format!("{}: {what}", self.path.display());
        let sealed = fs::read(&self.path)
            .map_err(|error| wrong(format!("can't be read ({error}); `strongroom secrets init` makes a file of secrets")))?;
        let text = match &self.key {
            FileKey::Identity(identity) => age::decrypt(&**identity, &sealed),
            FileKey::Passphrase(passphrase) => age::decrypt(&age::scrypt::Identity::new(passphrase.clone()), &sealed),
        };
        let text = Zeroizing::new(text.map_err(|_| wrong("this key does not open it, or it was cut short or changed".to_owned()))?);
        Document::read(&text).map_err(wrong)
    }

    /// Changes the file under a lock: no other writer comes between. The last generation stays beside it as `.bak`.
    pub(super) async fn change<T, E: From<String>>(&self, change: impl FnOnce(&mut Document) -> Result<T, E>) -> Result<T, E> {
        let wrong = |error: io::Error| E::from(format!("{}: can't be written ({error})", self.path.display()));
        let _lock = self.turn().await.map_err(wrong)?;
        let mut document = self.read().map_err(E::from)?;
        let done = change(&mut document)?;
        self.write(&document).map_err(wrong)?;
        Ok(done)
    }

    /// Writes the first generation; a file that is there stays.
    pub(super) fn create(&self) -> io::Result<()> {
        let _lock = self.lock()?;
        if self.path.exists() {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "it is there already"));
        }
        self.write(&Document::new())
    }

    fn lock(&self) -> io::Result<File> {
        let lock = self.lock_file()?;
        lock.lock()?;
        Ok(lock)
    }

    fn lock_file(&self) -> io::Result<File> {
        OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(self.beside("lock"))
    }

    /// The lock, once others have let go of it. One that was stopped while it held it keeps nobody's thread.
    async fn turn(&self) -> io::Result<File> {
        let lock = self.lock_file()?;
        let begun = Instant::now();
        while let Err(error) = lock.try_lock() {
            match error {
                TryLockError::WouldBlock if begun.elapsed() < PATIENCE => tokio::time::sleep(LOOK).await,
                TryLockError::WouldBlock => return Err(io::Error::other("another process has held its lock for 10 s")),
                TryLockError::Error(error) => return Err(error),
            }
        }
        Ok(lock)
    }

    /// Replaces the file in one step; whatever breaks off before leaves the old one.
    fn write(&self, document: &Document) -> io::Result<()> {
        let text = document.text();
        let sealed = match &self.key {
            FileKey::Identity(identity) => age::encrypt(&identity.to_public(), &text),
            FileKey::Passphrase(passphrase) => age::encrypt(&age::scrypt::Recipient::new(passphrase.clone()), &text),
        };
        let sealed = sealed.map_err(|error| io::Error::other(error.to_string()))?;
        replace(&RealDisk, &self.path, &self.beside("new"), &self.beside("bak"), &sealed)
    }

    /// Removes the last generation.
    pub(super) fn forget_last(&self) -> io::Result<()> {
        match fs::remove_file(self.beside("bak")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(".");
        name.push(suffix);
        self.path.with_file_name(name)
    }
}

/// What a replacement does to a disk, one step each.
pub(super) trait Disk {
    /// Writes a new file, or over one that an earlier attempt left.
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;
    /// Waits until a file's bytes are on the disk.
    fn sync(&self, path: &Path) -> io::Result<()>;
    fn exists(&self, path: &Path) -> bool;
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Gives a file a second name.
    fn link(&self, from: &Path, to: &Path) -> io::Result<()>;
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Waits until the names in a file's directory are on the disk.
    fn sync_names(&self, path: &Path) -> io::Result<()>;
}

/// Puts `bytes` in the place of the file at `path`, whose last generation stays at `last`.
pub(super) fn replace(disk: &impl Disk, path: &Path, fresh: &Path, last: &Path, bytes: &[u8]) -> io::Result<()> {
    disk.write(fresh, bytes)?;
    // Before its name is: a name that survives a loss of power must not lead to bytes that did not.
    disk.sync(fresh)?;
    if disk.exists(path) {
        if disk.exists(last) {
            disk.remove(last)?;
        }
        disk.link(path, last)?;
    }
    disk.rename(fresh, path)?;
    disk.sync_names(path)
}

struct RealDisk;

impl Disk for RealDisk {
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        file.write_all(bytes)
    }

    fn sync(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::hard_link(from, to)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn sync_names(&self, path: &Path) -> io::Result<()> {
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(dir)?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::collections::BTreeMap;

    /// A disk that loses its power at a step. Names and bytes reach it when they are synced, and before that or not as it likes.
    #[derive(Clone, Default)]
    struct Played {
        /// What programs see: names to files, and the files' bytes.
        names: BTreeMap<PathBuf, usize>,
        files: Vec<Vec<u8>>,
        /// What is certain to be there after a loss of power.
        synced_names: BTreeMap<PathBuf, usize>,
        synced_files: BTreeMap<usize, Vec<u8>>,
        /// The changes of names since they were synced, in order.
        changes: Vec<(PathBuf, Option<usize>)>,
        steps: usize,
        ends_at: usize,
    }

    struct Cut(RefCell<Played>);

    impl Cut {
        fn step<T>(&self, act: impl FnOnce(&mut Played) -> T) -> io::Result<T> {
            let mut disk = self.0.borrow_mut();
            if disk.steps == disk.ends_at {
                return Err(io::Error::other("no power"));
            }
            disk.steps += 1;
            Ok(act(&mut disk))
        }
    }

    impl Played {
        fn name(&mut self, path: &Path, file: Option<usize>) {
            match file {
                Some(file) => self.names.insert(path.to_owned(), file),
                None => self.names.remove(path),
            };
            self.changes.push((path.to_owned(), file));
        }

        /// Everything that may be found at `path` after a loss of power now: any number of changes of names has reached the disk, in
        /// order, and the bytes of a file that was not synced may be missing.
        fn found_at(&self, path: &Path) -> Vec<Option<Vec<u8>>> {
            let mut names = self.synced_names.clone();
            let mut found = Vec::new();
            let mut look = |names: &BTreeMap<PathBuf, usize>| {
                let file = names.get(path);
                found.push(file.map(|file| self.synced_files.get(file).cloned().unwrap_or_default()));
            };
            look(&names);
            for (name, file) in &self.changes {
                match file {
                    Some(file) => names.insert(name.clone(), *file),
                    None => names.remove(name),
                };
                look(&names);
            }
            found
        }
    }

    impl Disk for Cut {
        fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
            self.step(|disk| {
                disk.files.push(bytes.to_vec());
                let file = disk.files.len() - 1;
                disk.name(path, Some(file));
            })
        }
        fn sync(&self, path: &Path) -> io::Result<()> {
            self.step(|disk| {
                let file = disk.names[path];
                disk.synced_files.insert(file, disk.files[file].clone());
            })
        }
        fn exists(&self, path: &Path) -> bool {
            self.0.borrow().names.contains_key(path)
        }
        fn remove(&self, path: &Path) -> io::Result<()> {
            self.step(|disk| disk.name(path, None))
        }
        fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
            self.step(|disk| {
                let file = disk.names[from];
                disk.name(to, Some(file));
            })
        }
        fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
            self.step(|disk| {
                let file = disk.names[from];
                disk.name(to, Some(file));
                disk.name(from, None);
            })
        }
        fn sync_names(&self, _path: &Path) -> io::Result<()> {
            self.step(|disk| {
                disk.synced_names = disk.names.clone();
                disk.changes.clear();
            })
        }
    }

    type Replacing = fn(&Cut, &[u8]) -> io::Result<()>;

    /// Writes three generations, with the power gone after so many steps: how many were acknowledged, and what may be found.
    fn played(ends_at: usize, replace: impl Fn(&Cut, &[u8]) -> io::Result<()>) -> (usize, Vec<Option<Vec<u8>>>) {
        let disk = Cut(RefCell::new(Played { ends_at, ..Played::default() }));
        let acknowledged = (1..=3u8).take_while(|generation| replace(&disk, &[*generation]).is_ok()).count();
        let found = disk.0.borrow().found_at(Path::new("s"));
        (acknowledged, found)
    }

    fn as_it_is(disk: &Cut, bytes: &[u8]) -> io::Result<()> {
        replace(disk, Path::new("s"), Path::new("s.new"), Path::new("s.bak"), bytes)
    }

    /// Whether what is found is a generation that was acknowledged last, or the one under way; never less, and never a part.
    fn keeps(acknowledged: usize, found: &[Option<Vec<u8>>]) -> bool {
        found.iter().all(|found| match found {
            None => acknowledged == 0,
            Some(bytes) => bytes.len() == 1 && (acknowledged..=acknowledged + 1).contains(&usize::from(bytes[0])),
        })
    }

    #[test]
    fn a_loss_of_power_at_any_step_loses_nothing_that_was_acknowledged() {
        for ends_at in 0..=20 {
            let (acknowledged, found) = played(ends_at, as_it_is);
            assert!(keeps(acknowledged, &found), "after {ends_at} steps, {acknowledged} acknowledged: {found:?}");
        }
        assert_eq!(played(20, as_it_is).0, 3, "all of it fits");
    }

    #[test]
    fn a_replacement_that_does_not_sync_is_found_out() {
        let careless: [Replacing; 2] = [
            |disk, bytes| {
                disk.write(Path::new("s.new"), bytes)?;
                disk.rename(Path::new("s.new"), Path::new("s"))?;
                disk.sync_names(Path::new("s"))
            },
            |disk, bytes| {
                disk.write(Path::new("s.new"), bytes)?;
                disk.sync(Path::new("s.new"))?;
                disk.rename(Path::new("s.new"), Path::new("s"))
            },
        ];
        for replace in careless {
            assert!((0..=20).any(|ends_at| {
                let (acknowledged, found) = played(ends_at, replace);
                !keeps(acknowledged, &found)
            }));
        }
    }
}
