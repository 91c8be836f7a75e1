//! What a value is as a key, however it is written and wherever it is kept: one key, one purpose, whichever way it is named. A key that signs
//! is not sent anywhere as a secret, and what is sent signs nothing.
//!
//! Values are known by keyed hashes alone. Those of keys that sign stay in the state directory, so that the host's other processes know them.

use crate::keys::{Identity, is_wallet_key, of_secret};
use crate::lock::Mutex;
use crate::random;
use crate::register::Register;
use crate::secrets::{Fingerprint, SecretValue};
use crate::state::StateDir;
use crate::text::{hex, unhex};
use std::collections::{HashMap, HashSet};
use std::io;
use zeroize::Zeroizing;

/// What stands above the lines of the file.
const HEAD: &str = "The keys that this host has signed with or sent, as keyed hashes, each with what it serves as: one key, one purpose.\nA line may be removed where its key is retired.";
/// What a value serves as that goes into requests.
const SENT: &str = "secret";
/// Values that are known to be sent, or to be harmless, at most; then all are looked at anew.
const MAX_CHECKED: usize = 4_096;

/// The keys that are known, by keyed hashes, with what each serves as and who uses it so.
pub(super) struct Known {
    hash_key: Zeroizing<[u8; 32]>,
    here: Mutex<HashMap<[u8; 32], (String, String)>>,
    /// Values that were found to be no key that signs: they are looked at again when another key is known.
    checked: Mutex<HashSet<Fingerprint>>,
    file: Option<Register>,
}

impl Known {
    /// # Errors
    /// Where the host's key is unavailable.
    pub(super) fn new(state: Option<&StateDir>) -> io::Result<Self> {
        let hash_key = state.map_or_else(random::key, |state| state.key("host.key"))?;
        let file = state.map(|state| Register::new(state, "keys", HEAD));
        Ok(Self { hash_key, here: Mutex::default(), checked: Mutex::default(), file })
    }

    /// Takes a key in that signs.
    ///
    /// # Errors
    /// Where it is sent as a secret, or the file can't be written.
    pub(super) fn signs(&self, identities: &[Identity], purpose: &str, by: &str) -> Result<(), String> {
        self.take_in(identities, purpose, by, |known| known == SENT, true)?;
        self.checked.lock().clear();
        Ok(())
    }

    /// Takes a value in that goes into requests.
    ///
    /// # Errors
    /// Where it is a key that signs.
    pub(super) fn sends(&self, value: &SecretValue, fingerprint: Fingerprint, by: &str) -> Result<(), String> {
        let is_unchanged = self.file.as_ref().is_none_or(|file| file.is_read());
        if is_unchanged && self.checked.lock().contains(&fingerprint) {
            return Ok(());
        }
        // What can't be a key but by its text is not worth a line: API keys come and go.
        self.take_in(&of_secret(value), SENT, by, |known| known != SENT, is_wallet_key(value))?;
        let mut checked = self.checked.lock();
        if checked.len() >= MAX_CHECKED {
            checked.clear();
        }
        checked.insert(fingerprint);
        Ok(())
    }

    fn take_in(
        &self,
        identities: &[Identity],
        purpose: &str,
        by: &str,
        conflicts: impl Fn(&str) -> bool,
        is_kept: bool,
    ) -> Result<(), String> {
        let hashes: Vec<[u8; 32]> = identities.iter().map(|identity| identity.hash(&self.hash_key)).collect();
        let refuse = |known: &str, whose: &str| {
            let other = if whose.is_empty() { "elsewhere on this host" } else { whose };
            Err(format!("its value already serves as `{known}` ({other}); one key, one purpose: make a key of its own for each"))
        };
        {
            let here = self.here.lock();
            if let Some((known, whose)) = hashes.iter().find_map(|hash| here.get(hash)).filter(|(known, _)| conflicts(known)) {
                return refuse(known, whose);
            }
        }
        if let Some(file) = &self.file {
            let unreadable = |error: io::Error| format!("{}: the list of keys can't be kept ({error})", file.path().display());
            let lines: Vec<String> = hashes.iter().map(|hash| format!("{} {purpose}", hex(hash))).collect();
            let is_new = |known: &[String]| lines.iter().any(|line| !known.contains(line));
            let other = |known: &[String]| known.iter().find_map(|line| self.conflict(line, &hashes, &conflicts));
            let (found, new) = file.with(|known| (other(known), is_new(known))).map_err(unreadable)?;
            if let Some(known) = found {
                return refuse(&known, "");
            }
            if new && is_kept {
                let found = file.change(|known| {
                    let found = other(known);
                    if found.is_none() {
                        known.extend(lines.iter().filter(|line| !known.contains(line)).cloned().collect::<Vec<_>>());
                    }
                    found
                });
                if let Some(known) = found.map_err(unreadable)? {
                    return refuse(&known, "");
                }
            }
        }
        let mut here = self.here.lock();
        if here.len() >= 8 * MAX_CHECKED {
            here.retain(|_, (purpose, _)| purpose != SENT);
        }
        for hash in hashes {
            here.entry(hash).or_insert_with(|| (purpose.to_owned(), by.to_owned()));
        }
        Ok(())
    }

    /// What a line says a value serves as, where that is in the way.
    fn conflict(&self, line: &str, hashes: &[[u8; 32]], conflicts: &impl Fn(&str) -> bool) -> Option<String> {
        let (hash, purpose) = line.split_once(' ')?;
        let hash = unhex(hash)?;
        (conflicts(purpose) && hashes.iter().any(|known| known[..] == hash)).then(|| purpose.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{FIRST_ACCOUNT, Key, written};

    /// The first account of the development phrase, as Hardhat and Anvil print both: <https://hardhat.org/hardhat-network/docs/reference>
    const DIGITS: &str = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
    const PHRASE: &str = "test test test test test test test test test test test junk";

    fn signer(text: &str) -> Vec<Identity> {
        let value = SecretValue::new(text);
        Key::wallet(&value, None, FIRST_ACCOUNT).expect("a key").identities(&written(&value))
    }

    #[test]
    fn what_signs_is_not_sent_and_what_is_sent_does_not_sign_in_any_process_of_the_host() {
        let dir = tempfile::tempdir().expect("a directory");
        let state = StateDir::open(&dir.path().join("state")).expect("a state directory");
        let known = || Known::new(Some(&state)).expect("known");
        let value = |text: &str| SecretValue::new(text.to_owned());
        let print = |text: &str| value(text).fingerprint(&[7; 32]);
        let (one, other) = (known(), known());

        one.sends(&value("0x01aa"), print("0x01aa"), "agent a").expect("nobody signs with it");
        one.signs(&signer(DIGITS), "wallet", "signer w").expect("nobody sends it");
        for known in [&one, &other, &known()] {
            let refusal = known.sends(&value(PHRASE), print(PHRASE), "agent b").expect_err("it is the wallet's");
            assert!(refusal.contains("already serves as `wallet`") && !refusal.contains("junk"), "{refusal}");
        }

        let sent = "0x".to_owned() + &"42".repeat(32);
        one.sends(&value(&sent), print(&sent), "agent a").expect("nobody signs with it");
        let refusal = other.signs(&signer(&sent), "wallet", "signer v").expect_err("it was sent");
        assert!(refusal.contains("already serves as `secret`"), "{refusal}");
        let file = std::fs::read_to_string(dir.path().join("state/keys")).expect("a file");
        assert!(!file.contains(DIGITS) && !file.contains(&sent[2..]), "{file}");
    }
}
