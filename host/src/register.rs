//! A small file of lines in the state directory, which the processes of a host read and add to. Changes are made one at a time, under a
//! lock, and the file is replaced whole: a reader finds the old lines or the new ones. People may edit it: what begins with `#` is a remark.
//! A later format of the lines has its number in the remark `# format N`.

use crate::format;
use crate::lock::Mutex;
use crate::state::StateDir;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// Most bytes of such a file: past that nothing is added, and a person has to look.
const MAX_FILE: u64 = 4 << 20;

/// How soon a lock is tried again that somebody holds.
const TRY_AGAIN: Duration = Duration::from_millis(5);

/// The only format of the lines there is so far; a file that does not say so is of it.
const FORMAT: u64 = 1;

/// One such file.
#[derive(Debug)]
pub(crate) struct Register {
    path: PathBuf,
    /// What stands above the lines, for people.
    head: &'static str,
    /// The lines as they were read last, and what told that they were the latest.
    read: Mutex<Option<(Stamp, Vec<String>)>>,
}

/// What tells one state of the file from another: each is a file of its own, unless somebody has edited it in place.
type Stamp = (u64, Option<SystemTime>, u64);

impl Register {
    /// The file of that name, which need not be there.
    pub(crate) fn new(state: &StateDir, name: &str, head: &'static str) -> Self {
        Self { path: state.path().join(name), head, read: Mutex::default() }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The lines, without remarks. They are read anew only where the file has changed.
    ///
    /// # Errors
    /// That of the operating system, or that the file is longer than it may be.
    pub(crate) fn with<T>(&self, look: impl FnOnce(&[String]) -> T) -> io::Result<T> {
        let mut read = self.read.lock();
        let stamp = self.stamp()?;
        match &*read {
            Some((known, lines)) if *known == stamp => Ok(look(lines)),
            _ => {
                let lines = self.lines()?;
                let seen = look(&lines);
                *read = Some((stamp, lines));
                Ok(seen)
            }
        }
    }

    /// Whether what was read last is still what stands there.
    pub(crate) fn is_read(&self) -> bool {
        let read = self.read.lock();
        self.stamp().is_ok_and(|stamp| read.as_ref().is_some_and(|(known, _)| *known == stamp))
    }

    /// Changes the lines. Nothing is written where they stay as they are.
    ///
    /// # Errors
    /// As [`Register::with`]; nothing has changed then.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Vec<String>) -> T) -> io::Result<T> {
        let lock = self.lock_file()?;
        lock.lock()?;
        self.changed(change)
    }

    /// The same, or an error where somebody else holds the lock for so long.
    pub(crate) fn change_until<T>(&self, until: Instant, change: impl FnOnce(&mut Vec<String>) -> T) -> io::Result<T> {
        let lock = self.lock_file()?;
        loop {
            match lock.try_lock() {
                Ok(()) => return self.changed(change),
                Err(TryLockError::Error(error)) => return Err(error),
                Err(TryLockError::WouldBlock) if Instant::now() >= until => {
                    return Err(io::Error::new(io::ErrorKind::TimedOut, format!("another process holds {}.lock", self.path.display())));
                }
                Err(TryLockError::WouldBlock) => std::thread::sleep(TRY_AGAIN),
            }
        }
    }

    fn lock_file(&self) -> io::Result<File> {
        OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(self.path.with_extension("lock"))
    }

    fn changed<T>(&self, change: impl FnOnce(&mut Vec<String>) -> T) -> io::Result<T> {
        let before = self.lines()?;
        let mut after = before.clone();
        let changed = change(&mut after);
        if after != before {
            self.replace(&after)?;
            *self.read.lock() = None;
        }
        Ok(changed)
    }

    fn stamp(&self) -> io::Result<Stamp> {
        match fs::metadata(&self.path) {
            Ok(file) => Ok((file.ino(), file.modified().ok(), file.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok((0, None, 0)),
            Err(error) => Err(error),
        }
    }

    fn lines(&self) -> io::Result<Vec<String>> {
        let (_, _, length) = self.stamp()?;
        if length > MAX_FILE {
            return Err(io::Error::other(format!(
                "{} has more than {MAX_FILE} bytes; remove lines that nobody needs",
                self.path.display()
            )));
        }
        let text = match fs::read_to_string(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            text => text?,
        };
        let formats = text.lines().filter_map(|line| line.strip_prefix("# format ")?.trim().parse().ok());
        if let Some(newer) = formats.max().and_then(|format: u64| format::refused(format, FORMAT)) {
            return Err(io::Error::other(format!("{}: {newer}", self.path.display())));
        }
        Ok(text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect())
    }

    fn replace(&self, lines: &[String]) -> io::Result<()> {
        let temporary = self.path.with_extension(format!("{:016x}", getrandom::u64().map_err(io::Error::other)?));
        let mut text: String = self.head.lines().map(|line| format!("# {line}\n")).collect();
        text.extend(lines.iter().flat_map(|line| [line.as_str(), "\n"]));
        if text.len() as u64 > MAX_FILE {
            let path = self.path.display();
            return Err(io::Error::other(format!("{path} would have more than {MAX_FILE} bytes; remove lines that nobody needs")));
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).and_then(|()| fs::rename(&temporary, &self.path));
        if written.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        written?;
        File::open(self.path.parent().unwrap_or(Path::new(".")))?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn register(dir: &Path) -> Register {
        let state = StateDir::open(&dir.join("state")).expect("a state directory");
        Register::new(&state, "lines", "For people.\nTwo lines.")
    }

    #[test]
    fn what_one_process_adds_another_reads_and_people_may_edit() {
        let dir = tempfile::tempdir().expect("a directory");
        let (one, other) = (register(dir.path()), register(dir.path()));
        assert_eq!(other.with(<[String]>::len).expect("read"), 0);

        one.change(|lines| lines.push("first".to_owned())).expect("written");
        other.change(|lines| lines.push("second".to_owned())).expect("written");

        assert_eq!(one.with(|lines| lines.to_vec()).expect("read"), ["first", "second"]);
        let text = fs::read_to_string(one.path()).expect("a file");
        assert_eq!(text, "# For people.\n# Two lines.\nfirst\nsecond\n");
        fs::write(one.path(), text.replace("first\n", "")).expect("edited");
        assert_eq!(one.with(|lines| lines.to_vec()).expect("read"), ["second"]);
    }

    #[test]
    fn lines_of_a_newer_host_are_neither_read_nor_replaced() {
        let dir = tempfile::tempdir().expect("a directory");
        let register = register(dir.path());
        let newer = "# For people.\n# format 2\nfirst as=otherwise\n";
        fs::write(register.path(), newer).expect("written");

        for refused in [register.with(<[String]>::len).err(), register.change(|lines| lines.clear()).err()] {
            let said = format!("{}: written by a newer Strongroom (format 2; this one reads up to 1)", register.path().display());
            assert!(refused.is_some_and(|refused| refused.to_string().starts_with(&said)), "{said}");
        }
        assert_eq!(fs::read_to_string(register.path()).expect("a file"), newer);
        fs::write(register.path(), "# format 1\nfirst\n").expect("written");
        assert_eq!(register.with(|lines| lines.to_vec()).expect("read"), ["first"]);
    }

    #[test]
    fn lines_that_are_added_at_once_are_all_kept() {
        let dir = tempfile::tempdir().expect("a directory");

        std::thread::scope(|scope| {
            for number in 0..8 {
                let register = register(dir.path());
                scope.spawn(move || register.change(|lines| lines.push(format!("line {number}"))).expect("written"));
            }
        });

        assert_eq!(register(dir.path()).with(<[String]>::len).expect("read"), 8);
    }

    #[test]
    fn a_file_that_has_grown_past_its_bound_is_neither_read_nor_added_to() {
        let dir = tempfile::tempdir().expect("a directory");
        let register = register(dir.path());
        fs::write(register.path(), vec![b'x'; MAX_FILE as usize + 1]).expect("written");

        assert!(register.with(<[String]>::len).is_err());
        assert!(register.change(|lines| lines.push("more".to_owned())).is_err());
    }
}
