//! What this party keeps: encrypted (age-encryption.org/v1) for its own key, and bound to what it is for. A file of another party, of another key
//! or of another ceremony is refused, not used.

use crate::trio::Trio;
use age::x25519;
use anyhow::{Context, Result, bail};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use strongroom_ground::lock::Mutex;
use strongroom_ground::text::hex;
use zeroize::Zeroizing;

/// Most bytes of a file that is read.
const MAX_BYTES: u64 = 64 << 20;

/// The directory of a party, and the key to what is in it.
pub struct Vault {
    trio: Arc<Trio>,
    /// Held while a file is replaced.
    writing: Mutex<()>,
    directory: PathBuf,
    /// The first encrypts; each decrypts, so that the key of a backup can stand behind it while that is restored.
    keys: Vec<x25519::Identity>,
    /// For whom backups are encrypted.
    backup: Option<x25519::Recipient>,
    /// This party, among these three.
    owner: String,
}

/// What stands beside each thing that is kept. Whoever knows for whom it is encrypted could make one: it is signed, too.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Bound {
    /// What it is, as in `share of treasury`.
    what: String,
    /// Whose it is.
    owner: String,
    /// JSON.
    content: Zeroizing<String>,
    /// Ed25519, by the owner's identity.
    signature: String,
}

/// What an identity's signature over something that is kept is for.
const WHAT: &str = "kept";

impl Vault {
    /// # Errors
    /// The key, or for whom backups are, can't be read.
    pub fn new(directory: &Path, key: &str, backup: Option<&str>, trio: &Arc<Trio>) -> Result<Self> {
        let lines = key.lines().map(str::trim).filter(|line| line.starts_with("AGE-SECRET-KEY-"));
        let keys = lines.map(x25519::Identity::from_str).collect::<Result<Vec<_>, _>>().unwrap_or_default();
        if keys.is_empty() {
            bail!("`unlock` leads to no identity of age; make one with `age-keygen`");
        }
        let backup = backup
            .map(|text| x25519::Recipient::from_str(text).map_err(|why| anyhow::anyhow!("`backup` is no recipient of age ({why})")))
            .transpose()?;
        let owner = format!("{} {}", hex(&trio.own.card.fingerprint()?), trio.hash);
        Ok(Self { trio: Arc::clone(trio), writing: Mutex::default(), directory: directory.to_owned(), keys, backup, owner })
    }

    /// Keeps something, in place of what was there.
    ///
    /// # Errors
    /// It is not kept.
    pub fn keep<T: Serialize>(&self, file: &str, what: &str, content: &T) -> Result<()> {
        let text = self.bound(what, content)?;
        let sealed = age::encrypt(&self.keys[0].to_public(), &text).with_context(|| format!("{file} can't be encrypted"))?;
        let _writing = self.writing.lock();
        replace(&self.directory.join(file), &sealed)
    }

    /// Takes away what is not needed any more. Where that fails, it stays.
    pub fn remove(&self, file: &str) {
        let _ = fs::remove_file(self.directory.join(file));
    }

    /// What is kept there, if anything is.
    ///
    /// # Errors
    /// It can't be read, or is something else.
    pub fn kept<T: DeserializeOwned>(&self, file: &str, what: &str) -> Result<Option<T>> {
        let path = self.directory.join(file);
        if !path.exists() {
            return Ok(None);
        }
        let sealed = strongroom_ground::files::read(&path, MAX_BYTES).with_context(|| path.display().to_string())?;
        self.opened(&sealed, what).with_context(|| path.display().to_string()).map(Some)
    }

    /// What is kept, for whom backups are made.
    ///
    /// # Errors
    /// There is nobody whom they are for.
    pub fn backup<T: Serialize>(&self, what: &str, content: &T) -> Result<String> {
        let Some(recipient) = &self.backup else {
            bail!("this party's configuration has no `backup`; name a recipient of age there whose key is kept off this machine");
        };
        Ok(age::encrypt_and_armor(recipient, &self.bound(what, content)?)?)
    }

    /// What a backup holds.
    ///
    /// # Errors
    /// It is something else.
    pub fn restored<T: DeserializeOwned>(&self, sealed: &str, what: &str) -> Result<T> {
        self.opened(sealed.as_bytes(), what)
    }

    fn bound<T: Serialize>(&self, what: &str, content: &T) -> Result<Zeroizing<Vec<u8>>> {
        let content = Zeroizing::new(serde_json::to_string(content)?);
        let signature = self.trio.sign(WHAT, &signed(what, &content));
        let bound = Bound { what: what.to_owned(), owner: self.owner.clone(), content, signature };
        Ok(Zeroizing::new(serde_json::to_vec(&bound)?))
    }

    fn opened<T: DeserializeOwned>(&self, sealed: &[u8], what: &str) -> Result<T> {
        let text = self.keys.iter().find_map(|key| age::decrypt(key, sealed).ok());
        let text = Zeroizing::new(text.context("it can't be decrypted with what `unlock` leads to")?);
        let bound: Bound = serde_json::from_slice(&text).ok().context("it holds nothing of a party's")?;
        if bound.owner != self.owner {
            bail!("it belongs to another party, or to another three");
        }
        if bound.what != what {
            bail!("it is the {}, and not the {what}", bound.what);
        }
        if !self.trio.has_signed(self.trio.index, WHAT, &signed(what, &bound.content), &bound.signature) {
            bail!("this party has not made it");
        }
        serde_json::from_str(&bound.content).ok().with_context(|| format!("the {what} in it is not whole"))
    }
}

fn signed(what: &str, content: &str) -> Zeroizing<Vec<u8>> {
    Zeroizing::new([what.as_bytes(), b"\0", content.as_bytes()].concat())
}

/// Writes a file beside the one that is there, and puts it in its place.
fn replace(path: &Path, content: &[u8]) -> Result<()> {
    let beside = path.with_extension("new");
    let write = || {
        let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        path.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())
    };
    write().with_context(|| path.display().to_string())
}
