//! A new identity in place of the old one. An interruption in between leaves files that open, and running it again finishes the change.

use super::super::disk;
use super::key::{FileKey, Identities};
use super::sealed::{Sealed, turn};
use crate::secrets::SetupError;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

/// What [`FileKey::rekey`] has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rekeyed {
    /// The files have a new identity.
    Anew,
    /// An earlier change had been interrupted; the files have the identity that was made then.
    Finished,
}

impl FileKey {
    /// Replaces the identity in the file `identity` with a new one, which the files of secrets that it opens are encrypted to from then on.
    /// They have to be all of them: the old identity is gone afterwards. Hosts that have it in memory read the new one by themselves.
    ///
    /// # Errors
    /// [`SetupError::File`], which says which file could not be read or written. All files open as before, and doing it again finishes the
    /// change.
    pub async fn rekey(identity: &Path, files: &[PathBuf]) -> Result<Rekeyed, SetupError> {
        let wrong = |error: io::Error| unwritten(identity, &error);
        read(identity)?;
        let identity = fs::canonicalize(identity).map_err(wrong)?;
        // One at a time: the identity that another one makes at once would be lost.
        let _turn = turn(&identity).await.map_err(wrong)?;
        let rekeyed = begin(&identity, files)?;
        encrypt(&identity, files).await?;
        end(&identity, files)?;
        Ok(rekeyed)
    }
}

/// First step: the file of the identity holds the old one and a new one, unless an earlier attempt has come that far.
fn begin(identity: &Path, files: &[PathBuf]) -> Result<Rekeyed, SetupError> {
    for file in files {
        sealed(file, read(identity)?).read().map_err(SetupError::file(file))?;
    }
    let held = read(identity)?;
    if held.is_being_replaced() {
        return Ok(Rekeyed::Finished);
    }
    put(identity, &held.followed())?;
    Ok(Rekeyed::Anew)
}

/// Second step: the files are encrypted to the new identity. The old one opens their last generations too, so that these go.
async fn encrypt(identity: &Path, files: &[PathBuf]) -> Result<(), SetupError> {
    for file in files {
        let sealed = Arc::new(sealed(file, read(identity)?));
        sealed.change(|_| Ok::<(), String>(())).await.map_err(SetupError::file(file))?;
        let kept = |error| SetupError::file(file)(format!("{}: its previous generation can't be removed ({error})", file.display()));
        sealed.forget_last().map_err(kept)?;
    }
    Ok(())
}

/// Last step: the file of the identity holds the new one alone, which opens all that the old one did.
fn end(identity: &Path, files: &[PathBuf]) -> Result<(), SetupError> {
    let last = read(identity)?.last();
    for file in files {
        sealed(file, last.last()).read().map_err(SetupError::file(file))?;
    }
    put(identity, &last)
}

fn read(identity: &Path) -> Result<Identities, SetupError> {
    Identities::read(identity).map_err(SetupError::file(identity))
}

fn sealed(file: &Path, identities: Identities) -> Sealed {
    Sealed::new(file.to_owned(), FileKey::Identity(identities))
}

fn put(identity: &Path, identities: &Identities) -> Result<(), SetupError> {
    disk::put(identity, identities.text().as_bytes()).map_err(|error| unwritten(identity, &error))
}

fn unwritten(path: &Path, error: &io::Error) -> SetupError {
    SetupError::file(path)(format!("{}: can't be replaced ({error})", path.display()))
}

#[cfg(test)]
mod tests {
    use super::super::super::{Entry, SecretBackend, SecretStore};
    use super::super::FileBackend;
    use super::*;
    use crate::secrets::{Deposit, SecretValue};

    const VALUE: &str = "pf_live_0123456789abcdef0123456789abcdef";

    /// Two files of secrets under one identity.
    struct FileFixture {
        dir: tempfile::TempDir,
        files: Vec<PathBuf>,
    }

    impl FileFixture {
        async fn new() -> Self {
            let dir = tempfile::tempdir().expect("it works");
            FileKey::create_identity(&dir.path().join("key")).expect("it works");
            let files = ["a.age", "b.age"].map(|name| dir.path().join(name)).to_vec();
            let desk = Self { dir, files };
            for host in desk.hosts() {
                host.create().expect("it works");
                host.put(&Entry::new("KEY"), Deposit::new(VALUE), None).await.expect("it works");
            }
            desk
        }

        fn identity(&self) -> PathBuf {
            self.dir.path().join("key")
        }

        /// What hosts have that are started now.
        fn hosts(&self) -> Vec<FileBackend> {
            let host = |file: &PathBuf| FileBackend::new(file.clone(), FileKey::identity_file(&self.identity()).expect("it works"));
            self.files.iter().map(host).collect()
        }

        /// The first steps, as many as are asked for.
        async fn steps(&self, count: usize) {
            for step in 0..count {
                match step {
                    0 => drop(begin(&self.identity(), &self.files).expect("it works")),
                    // One file of the two.
                    1 => encrypt(&self.identity(), &self.files[..1]).await.expect("it works"),
                    2 => encrypt(&self.identity(), &self.files).await.expect("it works"),
                    _ => end(&self.identity(), &self.files).expect("it works"),
                }
            }
        }

        fn key(&self) -> String {
            fs::read_to_string(self.identity()).expect("it works")
        }
    }

    async fn all_read(hosts: &[FileBackend]) {
        for host in hosts {
            assert!(host.get(&Entry::new("KEY")).await.expect("it works").value.is(&SecretValue::new(VALUE)));
        }
    }

    async fn all_write(hosts: &[FileBackend]) {
        for host in hosts {
            host.put(&Entry::new("MORE"), Deposit::new(VALUE), None).await.expect("it works");
        }
    }

    fn identities(text: &str) -> Vec<&str> {
        text.lines().filter(|line| line.starts_with("AGE-SECRET-KEY-")).collect()
    }

    #[tokio::test]
    async fn wherever_it_breaks_off_hosts_read_and_write_and_doing_it_again_ends_it() {
        for count in 0..=4 {
            let desk = FileFixture::new().await;
            let (old, before) = (desk.key(), desk.hosts());
            desk.steps(count).await;
            let after = desk.hosts();
            all_read(&before).await;
            all_read(&after).await;
            all_write(&before).await;
            all_write(&after).await;
            let broken_off = desk.key();

            let rekeyed = FileKey::rekey(&desk.identity(), &desk.files).await.expect("it works");

            let expected = if (1..=3).contains(&count) { Rekeyed::Finished } else { Rekeyed::Anew };
            assert_eq!(rekeyed, expected, "{count} steps");
            let key = desk.key();
            assert_eq!(identities(&key).len(), 1, "{count} steps");
            assert!(!key.contains(identities(&old)[0]), "{count} steps");
            assert_eq!(broken_off.contains(identities(&key)[0]), rekeyed == Rekeyed::Finished, "the identity that was begun with");
            all_read(&before).await;
            all_write(&before).await;
            all_read(&desk.hosts()).await;
        }
    }

    #[tokio::test]
    async fn the_old_identity_opens_nothing_that_is_left() {
        let desk = FileFixture::new().await;
        fs::copy(desk.identity(), desk.dir.path().join("old")).expect("it works");
        fs::set_permissions(desk.dir.path().join("old"), fs::metadata(desk.identity()).expect("it works").permissions()).expect("it works");

        assert_eq!(FileKey::rekey(&desk.identity(), &desk.files).await, Ok(Rekeyed::Anew));

        let old = FileKey::identity_file(&desk.dir.path().join("old")).expect("it works");
        for left in fs::read_dir(desk.dir.path()).expect("it works") {
            let left = left.expect("it works").path();
            assert!(old.opened(&fs::read(&left).expect("it works")).is_none(), "{}", left.display());
            assert!(!left.to_string_lossy().ends_with(".bak") && !left.to_string_lossy().ends_with(".new"), "{}", left.display());
        }
    }

    #[tokio::test]
    async fn where_a_file_does_not_open_nothing_is_changed() {
        let desk = FileFixture::new().await;
        let key = desk.key();
        fs::write(&desk.files[1], "age-encryption.org/v1\n").expect("it works");

        let failed = FileKey::rekey(&desk.identity(), &desk.files).await.expect_err("a failure");

        assert!(failed.to_string().contains("b.age: this key does not open it"), "{failed}");
        assert_eq!(desk.key(), key);
        all_read(&desk.hosts()[..1]).await;
    }

    #[tokio::test]
    async fn two_at_once_take_their_turn() {
        let desk = FileFixture::new().await;
        let (identity, files) = (desk.identity(), &desk.files);

        let (first, second) = tokio::join!(FileKey::rekey(&identity, files), FileKey::rekey(&identity, files));

        assert_eq!((first, second), (Ok(Rekeyed::Anew), Ok(Rekeyed::Anew)));
        all_read(&desk.hosts()).await;
    }
}
