//! Private files that are replaced whole: whatever is interrupted, the old one is there or the new one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

/// Puts `bytes` in the place of the file at `path`, which may be a link to it. Nothing of the old one stays.
pub(super) fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let path = fs::canonicalize(path)?;
    replace(&RealDisk, &path, &beside(&path, "new"), None, bytes)
}

/// Fails where [`put`] would, before there is anything to put there.
#[cfg(any(feature = "vault", test))]
pub(super) fn takes(path: &Path) -> io::Result<()> {
    let path = fs::canonicalize(path)?;
    let fresh = beside(&path, "new");
    RealDisk.write(&fresh, &path, b"")?;
    RealDisk.remove(&fresh)
}

/// A file that is open for the sake of its lock, made where there is none. It holds nothing.
pub(super) fn lock_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(beside(path, "lock"))
}

/// The name of a file with a further ending.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(suffix);
    path.with_file_name(name)
}

/// What a replacement does to a disk, one step each.
pub(super) trait Disk {
    /// Writes a new file, in place of one that an earlier attempt left. It belongs to whoever the file `like` belongs to.
    fn write(&self, path: &Path, like: &Path, bytes: &[u8]) -> io::Result<()>;
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

/// Puts `bytes` in the place of the file at `path`, whose last generation stays at `last`, where that is wanted.
pub(super) fn replace(disk: &impl Disk, path: &Path, fresh: &Path, last: Option<&Path>, bytes: &[u8]) -> io::Result<()> {
    disk.write(fresh, path, bytes)?;
    // Before its name is: a name that survives a loss of power must not lead to bytes that did not.
    disk.sync(fresh)?;
    if let Some(last) = last.filter(|_| disk.exists(path)) {
        if disk.exists(last) {
            disk.remove(last)?;
        }
        disk.link(path, last)?;
    }
    disk.rename(fresh, path)?;
    disk.sync_names(path)
}

pub(super) struct RealDisk;

impl Disk for RealDisk {
    fn write(&self, path: &Path, like: &Path, bytes: &[u8]) -> io::Result<()> {
        if self.exists(path) {
            self.remove(path)?;
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        // What an administrator writes is still the host's. Nobody else may give files away, nor has to.
        if let Ok(like) = fs::metadata(like)
            && like.uid() != file.metadata()?.uid()
        {
            let _ = fchown(&file, Some(like.uid()), Some(like.gid()));
        }
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
        fn write(&self, path: &Path, _like: &Path, bytes: &[u8]) -> io::Result<()> {
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
        replace(disk, Path::new("s"), Path::new("s.new"), Some(Path::new("s.bak")), bytes)
    }

    fn without_a_last_one(disk: &Cut, bytes: &[u8]) -> io::Result<()> {
        replace(disk, Path::new("s"), Path::new("s.new"), None, bytes)
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
        for replace in [as_it_is as Replacing, without_a_last_one] {
            for ends_at in 0..=20 {
                let (acknowledged, found) = played(ends_at, replace);
                assert!(keeps(acknowledged, &found), "after {ends_at} steps, {acknowledged} acknowledged: {found:?}");
            }
            assert_eq!(played(20, replace).0, 3, "all of it fits");
        }
    }

    #[test]
    fn a_replacement_that_does_not_sync_is_found_out() {
        let careless: [Replacing; 2] = [
            |disk, bytes| {
                disk.write(Path::new("s.new"), Path::new("s"), bytes)?;
                disk.rename(Path::new("s.new"), Path::new("s"))?;
                disk.sync_names(Path::new("s"))
            },
            |disk, bytes| {
                disk.write(Path::new("s.new"), Path::new("s"), bytes)?;
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

    #[test]
    fn what_is_put_is_private_and_leaves_nothing_beside_it() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().expect("a file");
        let (path, link) = (dir.path().join("s"), dir.path().join("link"));
        fs::write(&path, "old").expect("a file");
        fs::write(dir.path().join("s.new"), "left by an attempt that broke off").expect("a file");
        std::os::unix::fs::symlink(&path, &link).expect("a file");

        takes(&link).expect("a file");
        assert_eq!(fs::read(&path).expect("a file"), b"old");
        put(&link, b"new").expect("a file");

        assert_eq!(fs::read(&path).expect("a file"), b"new");
        assert!(fs::symlink_metadata(&link).expect("a file").is_symlink(), "the link leads to it as before");
        assert_eq!(fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).expect("a file").count(), 2);
    }

    #[test]
    fn what_an_administrator_puts_belongs_to_whom_it_belonged_to() {
        // Nobody else can give a file away.
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let dir = tempfile::tempdir().expect("a file");
        let path = dir.path().join("s");
        fs::write(&path, "old").expect("a file");
        std::os::unix::fs::chown(&path, Some(12_345), Some(12_345)).expect("a file");

        put(&path, b"new").expect("a file");

        let file = fs::metadata(&path).expect("a file");
        assert_eq!((file.uid(), file.gid()), (12_345, 12_345));
    }
}
