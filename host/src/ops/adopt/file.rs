//! The file that is rewritten: read once, and replaced whole, or not at all.

use crate::ops::{Failed, Kind as Why};
use rustix::fs::{AtFlags, CWD, OFlags, linkat};
use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// A file as it was read.
pub(super) struct Plain {
    path: PathBuf,
    /// Its name, as it was typed.
    pub(super) name: String,
    pub(super) text: Zeroizing<String>,
    metadata: Metadata,
}

/// What is to take a file's place, on the disk beside it. Dropped, it is gone; also where the process is killed, if the file system has
/// files without a name.
pub(super) struct Staged<'p> {
    of: &'p Plain,
    /// The name that it gets, or has.
    fresh: PathBuf,
    file: File,
    is_done: bool,
}

impl Plain {
    pub(super) fn read(path: &Path) -> Result<Self, Failed> {
        let name = path.display().to_string();
        let wrong = |what: String| Failed::usage(format!("{name}: {what}; nothing was written"));
        let unread =
            |error: io::Error| wrong(format!("can't be read ({error}); name a `.env` file, an MCP client's JSON or a compose file"));
        let metadata = fs::symlink_metadata(path).map_err(unread)?;
        if metadata.is_symlink() {
            let target = fs::read_link(path).map(|target| format!(", which leads to {}", target.display())).unwrap_or_default();
            return Err(wrong(format!("it is a symbolic link{target}; name the file itself")));
        }
        let text = crate::files::read_secret(path, crate::files::MAX_TEXT).map_err(unread)?;
        if metadata.nlink() > 1 {
            let others = metadata.nlink() - 1;
            return Err(wrong(format!("it has {others} more hard links, which would keep the plaintext; remove those first")));
        }
        Ok(Self { path: path.to_owned(), name, text, metadata })
    }

    fn directory(&self) -> &Path {
        self.path.parent().filter(|directory| !directory.as_os_str().is_empty()).unwrap_or(Path::new("."))
    }

    pub(super) fn mode(&self) -> u32 {
        self.metadata.mode() & 0o7777
    }

    /// Writes a text beside the file, with this mode, and waits until it is on the disk.
    pub(super) fn stage(&self, text: &str, mode: u32) -> Result<Staged<'_>, Failed> {
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(".strongroom-new");
        let fresh = self.path.with_file_name(name);
        let wrong =
            |error: io::Error| Failed::usage(format!("{}: can't be written ({error}); {} is unchanged", fresh.display(), self.name));
        // What an earlier attempt left that was killed.
        match fs::remove_file(&fresh) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(wrong(error)),
            _ => {}
        }
        let mut new = OpenOptions::new();
        new.write(true).mode(0o600);
        let nameless = new.clone().custom_flags(OFlags::TMPFILE.bits().cast_signed()).open(self.directory());
        let file = nameless.or_else(|_| new.create_new(true).open(&fresh)).map_err(wrong)?;
        let mut staged = Staged { of: self, fresh: fresh.clone(), file, is_done: false };
        let file = &mut staged.file;
        let own = file.metadata().map_err(wrong)?;
        if (own.uid(), own.gid()) != (self.metadata.uid(), self.metadata.gid()) {
            // Nobody but an administrator may give files away; whoever may write the directory has the file anyway.
            let _ = fchown(&*file, Some(self.metadata.uid()), Some(self.metadata.gid()));
        }
        let written = file.write_all(text.as_bytes()).and_then(|()| file.set_permissions(Permissions::from_mode(mode)));
        written.and_then(|()| file.sync_all()).map_err(wrong)?;
        Ok(staged)
    }
}

impl Staged<'_> {
    /// Puts it in the file's place, if that is still as it was read.
    pub(super) fn put(mut self) -> Result<(), Failed> {
        let name = &self.of.name;
        let now = Plain::read(&self.of.path)?;
        if now.text != self.of.text || (now.metadata.dev(), now.metadata.ino()) != (self.of.metadata.dev(), self.of.metadata.ino()) {
            let changed = format!("{name}: somebody has changed it in the meantime, and it is left as it is; run the command again");
            return Err(Failed::usage(changed));
        }
        let replaced = self.name().and_then(|()| fs::rename(&self.fresh, &self.of.path));
        replaced.map_err(|error| Failed::usage(format!("{name}: can't be replaced ({error}); it is unchanged")))?;
        self.is_done = true;
        File::open(self.of.directory()).and_then(|directory| directory.sync_all()).map_err(|error| {
            Failed::new(Why::State, format!("{name}: replaced, but a power loss may bring the old file back ({error}); check it after one"))
        })
    }
}

impl Staged<'_> {
    /// Gives it a name, if it has none.
    fn name(&self) -> io::Result<()> {
        if self.file.metadata()?.nlink() == 0 {
            let by = format!("/proc/self/fd/{}", self.file.as_raw_fd());
            linkat(CWD, by, CWD, &self.fresh, AtFlags::SYMLINK_FOLLOW)?;
        }
        Ok(())
    }
}

impl Drop for Staged<'_> {
    fn drop(&mut self) {
        if !self.is_done {
            let _ = fs::remove_file(&self.fresh);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_staged_has_no_name_before_it_takes_the_files_place() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("app.env");
        fs::write(&path, "KEY=strongroom:file:KEY\n").expect("a file");
        let names = || fs::read_dir(directory.path()).expect("a directory").count();
        let plain = Plain::read(&path).expect("read");

        let staged = plain.stage("KEY=value\n", 0o600).expect("staged");
        // A file system without nameless files has a name for it, as long as it is staged.
        let named = staged.fresh.exists();
        assert_eq!(names(), 1 + usize::from(named));
        drop(staged);
        assert_eq!(names(), 1);

        plain.stage("KEY=value\n", 0o600).expect("staged").put().expect("in its place");
        assert_eq!((names(), fs::read_to_string(&path).expect("text").as_str()), (1, "KEY=value\n"));
    }
}
