//! The program that a command starts: found once, and never another one than that.
//!
//! Whoever can write to it, or put another file in its place, has every secret that it prints. So neither may be open to anybody but the host's
//! user and root, when the host is built and before each start.

use crate::state::{directory_is_kept, file_is_kept};
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A program, by the name that it was given and the file that this led to when the host was built.
pub(super) struct Program {
    named: PathBuf,
    file: PathBuf,
    seen: Seen,
}

/// What tells a file, as it was written, from every other one.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    device: u64,
    number: u64,
    size: u64,
    written: (i64, i64),
}

impl Program {
    /// Follows the name to the file.
    pub(super) fn find(named: &Path) -> Result<Self, String> {
        let wrong = |what: &str| format!("{}: {what}", named.display());
        let gone = |error: io::Error| wrong(&format!("can't be found ({error}); name the program by its absolute path"));
        let file = named.canonicalize().map_err(gone)?;
        // A link lies in a directory of its own: whoever can put another one there chooses what the host starts.
        let beside = named.parent().unwrap_or(named).canonicalize().map_err(gone)?;
        for directory in file.ancestors().skip(1).chain(beside.ancestors()) {
            is_kept(directory)?;
        }
        let found = fs::metadata(&file).map_err(gone)?;
        is_program(&found).map_err(|what| wrong(&what))?;
        Ok(Self { named: named.to_owned(), file, seen: Seen::of(&found) })
    }

    /// The name, which some programs go by.
    pub(super) fn named(&self) -> &Path {
        &self.named
    }

    /// The file itself.
    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// Whether it is still what it was, and nobody else can change it.
    pub(super) fn check(&self) -> Result<(), String> {
        let wrong = |what: &str| format!("{}: {what}", self.file.display());
        let found = fs::symlink_metadata(&self.file).map_err(|error| wrong(&format!("can't be found ({error})")))?;
        if Seen::of(&found) != self.seen {
            return Err(wrong("is another file than when this host started; where you have upgraded the program, start the host again"));
        }
        is_program(&found).map_err(|what| wrong(&what))?;
        self.file.ancestors().skip(1).try_for_each(is_kept)
    }
}

impl Seen {
    fn of(file: &Metadata) -> Self {
        Self { device: file.dev(), number: file.ino(), size: file.size(), written: (file.mtime(), file.mtime_nsec()) }
    }
}

fn is_program(file: &Metadata) -> Result<(), String> {
    if !file.is_file() || file.mode() & 0o111 == 0 {
        return Err("is not a program: it has to be a regular file that may be executed".to_owned());
    }
    let remedy = "it has to belong to root or to the host's user, who alone may write to it (mode 0755)";
    file_is_kept(file).map_err(|what| format!("{what}; {remedy}"))
}

fn is_kept(directory: &Path) -> Result<(), String> {
    let wrong = |what: &str| format!("{}: {what}", directory.display());
    let found = fs::metadata(directory).map_err(|error| wrong(&format!("can't be looked at ({error})")))?;
    directory_is_kept(&found).map_err(|what| wrong(&format!("{what}; another program could be put in the place of the one that is named")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("set");
    }

    /// A program `dir/tool`.
    fn tool() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("tool");
        fs::write(&path, "#!/bin/sh\n").expect("written");
        mode(&path, 0o755);
        (dir, path)
    }

    #[test]
    fn only_a_program_that_nobody_else_can_change_is_taken() {
        let (dir, path) = tool();
        let refusal = |path: &Path| Program::find(path).err().unwrap_or_default();
        assert_eq!(refusal(&path), "");

        for (bits, says) in
            [(0o644, "is not a program"), (0o775, "can be written by other users"), (0o757, "can be written by other users")]
        {
            mode(&path, bits);
            assert!(refusal(&path).contains(says), "{bits:o}: {}", refusal(&path));
        }
        mode(&path, 0o755);
        mode(dir.path(), 0o777);
        assert!(refusal(&path).contains("other users can write to"), "{}", refusal(&path));
        mode(dir.path(), 0o755);
        assert!(refusal(dir.path()).contains("is not a program") && refusal(&dir.path().join("none")).contains("can't be found"));
    }

    #[test]
    fn a_link_in_a_directory_of_others_is_not_followed() {
        let (dir, path) = tool();
        let open = dir.path().join("open");
        fs::create_dir(&open).expect("made");
        symlink(&path, open.join("link")).expect("linked");

        mode(&open, 0o755);
        assert!(Program::find(&open.join("link")).is_ok_and(|program| program.file() == path.canonicalize().expect("a file")));
        mode(&open, 0o777);
        let refusal = Program::find(&open.join("link")).err().expect("refused");
        assert!(refusal.contains("another program could be put in the place"), "{refusal}");
    }

    #[test]
    fn whatever_changes_afterwards_is_found_before_the_next_start() {
        let says = |change: &dyn Fn(&Path, &Path)| {
            let (dir, path) = tool();
            let program = Program::find(&path).expect("a program");
            assert_eq!(program.check(), Ok(()));
            change(dir.path(), &path);
            program.check().expect_err("it is found")
        };

        let replaced = says(&|dir, path| {
            fs::write(dir.join("new"), "#!/bin/sh\n").expect("written");
            mode(&dir.join("new"), 0o755);
            fs::rename(dir.join("new"), path).expect("renamed");
        });
        assert!(replaced.contains("is another file than when this host started"), "{replaced}");
        assert!(says(&|_, path| fs::write(path, "#!/bin/sh\nx\n").expect("written")).contains("another file"));
        assert!(
            says(&|dir, path| {
                fs::rename(path, dir.join("moved")).expect("renamed");
                symlink("moved", path).expect("linked");
            })
            .contains("another file")
        );
        assert!(says(&|_, path| fs::remove_file(path).expect("removed")).contains("can't be found"));
        assert!(says(&|_, path| mode(path, 0o777)).contains("can be written by other users"));
        assert!(says(&|dir, _| mode(dir, 0o777)).contains("other users can write to"));
    }
}
