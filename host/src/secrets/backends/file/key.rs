//! What opens the file: identities of age, or a passphrase.

use crate::secrets::SetupError;
use age::secrecy::{ExposeSecret, SecretString};
use age::x25519::Identity;
use age::{Decryptor, scrypt};
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use zeroize::Zeroizing;

/// What opens the file.
#[non_exhaustive]
pub enum FileKey {
    /// X25519 identities, as `age-keygen` and `strongroom secrets init` write them.
    Identity(Identities),
    /// A passphrase, stretched with scrypt: about a second for each opening.
    Passphrase(SecretString),
}

/// One identity, or while it is replaced, more: each opens the file, and what is written is for the last one alone.
pub struct Identities {
    older: Vec<Identity>,
    last: Identity,
    /// The file that they were read from. It is read again where none of them opens what it should.
    from: Option<PathBuf>,
}

impl From<Identity> for Identities {
    fn from(identity: Identity) -> Self {
        Self { older: Vec::new(), last: identity, from: None }
    }
}

impl Identities {
    /// Those in a file of `age-keygen`'s format.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let wrong = |what: &str| format!("{}: {what}", path.display());
        let mode = fs::metadata(path)
            .map_err(|error| wrong(&format!("can't be read ({error}); `strongroom secrets init` makes one")))?
            .permissions()
            .mode();
        if mode & 0o077 != 0 {
            return Err(wrong("other users can read it; `chmod 600` it, and replace the identity if they may have read it"));
        }
        let text =
            crate::files::read_secret(path, crate::files::MAX_CREDENTIAL).map_err(|error| wrong(&format!("can't be read ({error})")))?;
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let all: Result<Vec<_>, _> = lines.map(Identity::from_str).collect();
        let mut older = all.map_err(|_| wrong("one of its lines is neither an X25519 identity of age nor a comment"))?;
        let last = older.pop().ok_or_else(|| wrong("it holds no X25519 identity of age"))?;
        Ok(Self { older, last, from: Some(path.to_owned()) })
    }

    /// With a new one, which what is written from now on is for.
    pub(super) fn followed(mut self) -> Self {
        self.older.push(std::mem::replace(&mut self.last, Identity::generate()));
        self
    }

    /// The last one alone.
    pub(super) fn last(&self) -> Self {
        Self::from(self.last.clone())
    }

    /// Whether the last one has yet to take the place of others.
    pub(super) fn is_being_replaced(&self) -> bool {
        !self.older.is_empty()
    }

    fn all(&self) -> impl Iterator<Item = &Identity> {
        self.older.iter().chain([&self.last])
    }

    /// The text of a file that holds them.
    pub(super) fn text(&self) -> Zeroizing<String> {
        // Room for all of it: no half of it is left behind as it grows.
        let mut text = Zeroizing::new(String::with_capacity(512 + 256 * (self.older.len() + 1)));
        text.push_str("# opens the secrets of Strongroom; keep a copy where the file of secrets is not\n");
        if self.is_being_replaced() {
            text.push_str("# the last identity is to replace the others: `strongroom secrets rekey` ends what was begun\n");
        }
        for identity in self.all() {
            text.push_str(&format!("# public key: {}\n", identity.to_public()));
            text.push_str(identity.to_string().expose_secret());
            text.push('\n');
        }
        text
    }
}

impl FileKey {
    /// The identity in a file of `age-keygen`'s format, or all of them where there are more.
    ///
    /// # Errors
    /// [`SetupError::File`], with what is wrong with it or its mode.
    pub fn identity_file(path: &Path) -> Result<Self, SetupError> {
        Identities::read(path).map(Self::Identity).map_err(SetupError::file(path))
    }

    /// Makes an identity, and writes it to a new file with mode 0600.
    ///
    /// # Errors
    /// That of the file system; an existing file is never overwritten.
    pub fn create_identity(path: &Path) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(Identities::from(Identity::generate()).text().as_bytes())?;
        file.sync_all()
    }

    /// The key as its file holds it now; none where it is from no file, or that can't be read.
    pub(super) fn read_again(&self) -> Option<Self> {
        match self {
            Self::Identity(Identities { from: Some(path), .. }) => Self::identity_file(path).ok(),
            _ => None,
        }
    }

    /// The text of what is encrypted; none where this key does not open it, or it is not whole.
    pub(super) fn opened(&self, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let decryptor = Decryptor::new_buffered(sealed).ok()?;
        let mut reader = match self {
            Self::Identity(identities) => decryptor.decrypt(identities.all().map(|identity| identity as _)),
            Self::Passphrase(passphrase) => decryptor.decrypt([&scrypt::Identity::new(passphrase.clone()) as _].into_iter()),
        };
        // Longer than the text: nothing is moved as it is read.
        let mut text = Zeroizing::new(Vec::with_capacity(sealed.len()));
        reader.as_mut().ok()?.read_to_end(&mut text).ok()?;
        Some(text)
    }

    /// The text, encrypted.
    pub(super) fn sealed(&self, text: &[u8]) -> io::Result<Vec<u8>> {
        let sealed = match self {
            Self::Identity(identities) => age::encrypt(&identities.last.to_public(), text),
            Self::Passphrase(passphrase) => age::encrypt(&scrypt::Recipient::new(passphrase.clone()), text),
        };
        sealed.map_err(|error| io::Error::other(error.to_string()))
    }
}
