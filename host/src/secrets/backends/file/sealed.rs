//! The file itself: encrypted (age-encryption.org/v1), replaced whole, by one writer at a time.

use super::document::Document;
use age::secrecy::{ExposeSecret, SecretString};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use zeroize::Zeroizing;

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
    pub(super) fn change<T, E: From<String>>(&self, change: impl FnOnce(&mut Document) -> Result<T, E>) -> Result<T, E> {
        let wrong = |error: io::Error| E::from(format!("{}: can't be written ({error})", self.path.display()));
        let _lock = self.lock().map_err(wrong)?;
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
        let lock = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(self.beside("lock"))?;
        lock.lock()?;
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
        let fresh = self.beside("new");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
        file.write_all(&sealed)?;
        file.sync_all()?;
        if self.path.exists() {
            let last = self.beside("bak");
            let _ = fs::remove_file(&last);
            fs::hard_link(&self.path, &last)?;
        }
        fs::rename(&fresh, &self.path)?;
        let dir = self.path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(dir)?.sync_all()
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(".");
        name.push(suffix);
        self.path.with_file_name(name)
    }
}
