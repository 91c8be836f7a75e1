//! The files of an identity: a card in TOML, which everybody may read, and a key in PEM, which nobody else may.

use crate::identity::{Card, Identity, IdentityError};
use std::fs::{DirBuilder, File};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use strongroom_ground::files::{MAX_CREDENTIAL, read_text};

impl Card {
    /// Reads a card, of at most 64 KiB.
    ///
    /// # Errors
    /// [`IdentityError`], with the file.
    pub fn read(path: &Path) -> Result<Self, IdentityError> {
        let text = read_text(path, MAX_CREDENTIAL).map_err(|error| wrong(path, &error))?;
        let card: Self = toml::from_str(&text).map_err(|error| wrong(path, &format_args!("it is no card: {}", error.message())))?;
        card.certificate().map_err(|error| wrong(path, &error))?;
        Ok(card)
    }
}

impl Identity {
    /// Writes both halves to new files, the key with mode 0600. Directories are made, with mode 0700.
    ///
    /// # Errors
    /// [`IdentityError::File`]: nothing is overwritten.
    pub fn write(&self, card: &Path, key: &Path) -> Result<(), IdentityError> {
        if let Some(path) = [card, key].into_iter().find(|path| path.exists()) {
            return Err(wrong(path, &"there is an identity already; nothing is overwritten"));
        }
        let text = toml::to_string(&self.card).map_err(|error| wrong(card, &error))?;
        // The card comes last: where there is one, all of the identity is there.
        for (path, mode, text) in [(key, 0o600, &*self.key_in_pem()), (card, 0o644, &text)] {
            let write = || {
                let directory = path.parent().unwrap_or(Path::new("."));
                DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
                let mut file = File::options().write(true).create_new(true).mode(mode).open(path)?;
                file.write_all(text.as_bytes())?;
                file.sync_all()
            };
            write().map_err(|error| wrong(path, &format_args!("can't be written ({error})")))?;
        }
        Ok(())
    }
}

fn wrong(path: &Path, why: &dyn std::fmt::Display) -> IdentityError {
    IdentityError::File(path.display().to_string(), why.to_string())
}

#[cfg(all(test, feature = "fresh"))]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn an_identity_is_written_once_and_its_key_is_nobody_elses() {
        let home = tempfile::tempdir().expect("a directory");
        let (card, key) = (home.path().join("mpc/card.toml"), home.path().join("mpc/identity.pem"));
        let identity = Identity::fresh("alpha", Some("127.0.0.1:7600".parse().expect("an address"))).expect("an identity");

        identity.write(&card, &key).expect("it is written");
        let again = identity.write(&card, &key).expect_err("it is there").to_string();

        assert_eq!(Card::read(&card).as_ref(), Ok(&identity.card));
        let kept = Identity::kept(identity.card.clone(), &std::fs::read_to_string(&key).expect("a key")).expect("the same");
        assert_eq!(kept.key(), identity.key());
        assert_eq!(std::fs::metadata(&key).expect("a file").permissions().mode() & 0o777, 0o600);
        assert!(again.contains("card.toml: there is an identity already"), "{again}");
        std::fs::remove_file(&card).expect("it is gone");
        assert!(identity.write(&card, &key).is_err(), "a key without a card is not overwritten either");
    }

    #[test]
    fn what_is_no_card_is_told_with_its_file() {
        let home = tempfile::tempdir().expect("a directory");
        let path = home.path().join("host.toml");
        assert!(Card::read(&path).expect_err("nothing is there").to_string().contains("host.toml: "));
        for text in ["name = 5", "name = \"host\"\ncertificate = \"none\"\n"] {
            std::fs::write(&path, text).expect("a file");

            let why = Card::read(&path).expect_err("it is no card").to_string();

            assert!(why.contains("host.toml: ") && (why.contains("no card") || why.contains("can't be read")), "{why}");
        }
    }
}
