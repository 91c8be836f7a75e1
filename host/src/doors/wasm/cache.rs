//! Compiled components on disk, so that a second start compiles nothing.
//!
//! An entry is native code: whoever can write it owns the host. The directory is the user's alone (mode 0700); an entry carries
//! an HMAC under the host's key and is loaded from the very bytes that were verified, so that a swap between check and use
//! changes nothing.

use super::engine::Engine;
use crate::state::StateDir;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::fs::{self, File, FileTimes};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::time::SystemTime;
use wasmtime::component::Component;
use zeroize::Zeroizing;

/// Length of the HMAC-SHA256 (RFC 2104) in front of an entry.
const TAG: usize = 32;

/// Most bytes of all entries, unless the operator says otherwise.
pub(crate) const DEFAULT_CACHE: u64 = 2 << 30;

/// The cache of one host.
pub(crate) struct Cache {
    dir: StateDir,
    key: Zeroizing<[u8; 32]>,
    /// Most bytes of all entries.
    most: u64,
}

impl Cache {
    pub(crate) fn new(dir: StateDir, key: Zeroizing<[u8; 32]>, most: u64) -> Self {
        Self { dir, key, most }
    }

    /// Where the entries are.
    pub(crate) fn directory(&self) -> &std::path::Path {
        self.dir.path()
    }

    fn path(&self, engine: &Engine, sha256: &[u8; 32]) -> PathBuf {
        self.dir.path().join(format!("{}-{:016x}", crate::text::hex(sha256), engine.compatibility()))
    }

    /// The tag covers the component's hash too: an entry can't stand in for another component's.
    fn mac(&self, engine: &Engine, sha256: &[u8; 32], code: &[u8]) -> Hmac<Sha256> {
        let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(&*self.key).expect("HMAC takes keys of any length");
        mac.update(b"strongroom compiled component\0");
        mac.update(sha256);
        mac.update(&engine.compatibility().to_le_bytes());
        mac.update(code);
        mac
    }

    /// The compiled component, if there is an entry and it is ours.
    pub(crate) fn load(&self, engine: &Engine, sha256: &[u8; 32]) -> Option<Component> {
        let path = self.path(engine, sha256);
        let entry = fs::read(&path).ok()?;
        let (tag, code) = entry.split_at_checked(TAG)?;
        if self.mac(engine, sha256, code).verify_slice(tag).is_err() {
            tracing::warn!(path = %path.display(), "an entry of the compiled-code cache was not written by this host; it is compiled again");
            return None;
        }
        let loaded = load_verified(engine, code).ok()?;
        // What is used stays: the time of the last use is set here, since many file systems don't keep it.
        let used = FileTimes::new().set_accessed(SystemTime::now());
        let _ = File::options().write(true).open(&path).and_then(|file| file.set_times(used));
        Some(loaded)
    }

    /// Writes an entry. A failure costs the next start its compile, nothing else.
    pub(crate) fn store(&self, engine: &Engine, sha256: &[u8; 32], component: &Component) {
        let stored = component.serialize().map_err(std::io::Error::other).and_then(|code| {
            let tag = self.mac(engine, sha256, &code).finalize().into_bytes();
            let path = self.path(engine, sha256);
            if !self.make_room((TAG + code.len()) as u64)? {
                return Ok(());
            }
            let temporary = path.with_extension(format!("{:016x}", getrandom::u64().map_err(std::io::Error::other)?));
            let mut file = File::options().write(true).create_new(true).mode(0o600).open(&temporary)?;
            file.write_all(&tag)?;
            file.write_all(&code)?;
            fs::rename(&temporary, &path)
        });
        if let Err(error) = stored {
            tracing::warn!(%error, "the compiled component can't be cached");
        }
    }
}

impl Cache {
    /// Removes entries until there is room for one of so many bytes: those that were used longest ago go first. False where it is larger than all
    /// may be together.
    fn make_room(&self, bytes: u64) -> io::Result<bool> {
        if bytes > self.most {
            return Ok(false);
        }
        let entries = fs::read_dir(self.dir.path())?.filter_map(Result::ok);
        let mut entries: Vec<(SystemTime, u64, PathBuf)> = entries
            .filter_map(|entry| {
                let file = entry.metadata().ok().filter(fs::Metadata::is_file)?;
                Some((file.accessed().unwrap_or(SystemTime::UNIX_EPOCH), file.len(), entry.path()))
            })
            .collect();
        entries.sort();
        let mut all: u64 = entries.iter().map(|(_, bytes, _)| bytes).sum();
        for (_, length, path) in entries {
            if all.saturating_add(bytes) <= self.most {
                break;
            }
            // Another host may have been first.
            let _ = fs::remove_file(path);
            all -= length;
        }
        Ok(true)
    }
}

#[expect(unsafe_code, reason = "wasmtime takes compiled code only on the caller's word; the caller is `Cache::load`, after the HMAC")]
fn load_verified(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: the bytes carry an HMAC under a key that only this host's user can read, made by `Cache::store` from
    // `Component::serialize`, and are loaded from memory, not read a second time.
    unsafe { Component::deserialize(engine.wasmtime(), code) }
}
