//! A directory with a file for each secret, as Kubernetes, CSI drivers, container runtimes and systemd mount them.
//!
//! Whoever keeps the secrets replaces files, or one link that leads to all of them (`..data` of Kubernetes). Each look resolves a path anew, so
//! a replacement is found by the next one. Links are followed within the directory, and never out of it.

use super::{BackendError, Entry, Found, Freshness, SecretBackend};
use crate::manifest::Which;
use crate::secrets::SecretValue;
use crate::state::{directory_is_kept, file_is_kept, is_owned};
use async_trait::async_trait;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use zeroize::Zeroizing;

/// How often a file is looked at while an agent uses it.
const LOOK: Duration = Duration::from_secs(2);
/// Most bytes of a file: 1 MiB.
const MAX_FILE: u64 = 1 << 20;
/// How often a file is read that is written meanwhile, or whose links change.
const TRIES: usize = 5;

/// Secrets in files of their own. A bare name is looked up as `NAMESPACE/NAME`, then `NAME`.
pub struct DirBackend {
    root: PathBuf,
}

/// Why a file gave nothing, for now or clearly.
enum Why {
    /// It is being written, or a link on the way is being replaced.
    Changing,
    Told(BackendError),
}

impl DirBackend {
    /// A backend over a directory, which may be mounted later.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }
}

#[async_trait]
impl SecretBackend for DirBackend {
    fn entries_for(&self, namespace: &str, name: &str) -> Vec<Entry> {
        [format!("{namespace}/{name}"), name.to_owned()].map(Entry::new).into()
    }

    fn admits(&self, entry: &Entry) -> Result<(), BackendError> {
        if entry.which != Which::Current {
            return Err(BackendError::Refused("a directory keeps no versions; leave `?…` out".to_owned()));
        }
        if is_plain(&entry.path) {
            return Ok(());
        }
        let path = crate::text::for_people(&entry.path);
        Err(BackendError::Refused(format!(
            "`{path}` does not name a file below the directory: write names joined by `/`, none of which begins with a dot"
        )))
    }

    async fn get(&self, entry: &Entry) -> Result<Found, BackendError> {
        self.admits(entry)?;
        let (root, path) = (self.root.clone(), entry.path.clone());
        // A directory may lie on a server: what waits for it keeps no thread from agents.
        let read = tokio::task::spawn_blocking(move || read(&root, &path)).await;
        let shown = self.root.display();
        read.unwrap_or_else(|error| Err(BackendError::Unavailable(format!("{shown}: can't be read ({error})"))))
    }

    fn freshness(&self) -> Freshness {
        Freshness::For(LOOK)
    }
}

/// Whether a path leads down, by names that can be seen: what begins with a dot is how the directory is kept.
fn is_plain(path: &str) -> bool {
    path.split('/').all(|name| !name.is_empty() && !name.starts_with('.') && !name.chars().any(crate::text::is_unsafe))
}

/// Reads the file of a path. One that changes meanwhile is read again.
fn read(root: &Path, path: &str) -> Result<Found, BackendError> {
    let told = |file: &Path, what: &str| format!("{}: {what}", crate::text::for_people(&file.display().to_string()));
    for _ in 0..TRIES {
        match look(root, path) {
            Ok(found) => return Ok(found),
            Err(Why::Told(error)) => return Err(error),
            Err(Why::Changing) => {}
        }
    }
    Err(BackendError::Unavailable(told(&root.join(path), "is being written; replace files by renaming new ones")))
}

fn look(root: &Path, path: &str) -> Result<Found, Why> {
    check_way(root, path)?;
    let at = root.join(path);
    let mut file = open_beneath(root, path).map_err(|error| failed(&at, path, &error))?;
    let before = file.metadata().map_err(|error| unavailable(&at, &error))?;
    if !before.is_file() {
        return Err(refused(&at, "is not a regular file; name a file in it, or another one"));
    }
    file_is_kept(&before).map_err(|what| refused(&at, &format!("{what}; {KEPT}")))?;
    if before.size() > MAX_FILE {
        return Err(refused(&at, &format!("has more than {MAX_FILE} bytes")));
    }
    let bytes = whole(&mut file, &before).map_err(|error| unavailable(&at, &error))?;
    let after = file.metadata().map_err(|error| unavailable(&at, &error))?;
    match bytes.filter(|_| stamp(&before) == stamp(&after)) {
        Some(bytes) => Ok(Found::value(SecretValue::new(of_a_line(bytes)))),
        None => Err(Why::Changing),
    }
}

const KEPT: &str = "it has to belong to root or to the host's user, who alone may write to it (mode 0644 or less)";

/// The directory, and each name on the way down: nobody else may own what is found there, or put something in its place.
fn check_way(root: &Path, path: &str) -> Result<(), Why> {
    let ends = path.match_indices('/').map(|(end, _)| end).chain([path.len()]);
    let names = ends.map(|end| (root.join(&path[..end]), true));
    for (at, is_below) in std::iter::once((root.to_owned(), false)).chain(names) {
        // The directory itself may be a link; below it, a link counts as what it is.
        let found = if is_below { fs::symlink_metadata(&at) } else { fs::metadata(&at) };
        let found = match found {
            Err(error) if is_below => return Err(failed(&at, path, &error)),
            found => found.map_err(|error| unavailable(&at, &error))?,
        };
        if !is_owned(&found) {
            return Err(refused(&at, &format!("belongs to another user; {KEPT}")));
        }
        if found.is_dir() {
            directory_is_kept(&found).map_err(|what| refused(&at, &format!("{what}; {KEPT}")))?;
        } else if !is_below {
            return Err(refused(&at, "is not a directory"));
        }
    }
    Ok(())
}

/// Opens a file below a directory; the kernel follows links within it, and no others.
#[cfg(target_os = "linux")]
fn open_beneath(root: &Path, path: &str) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags, ResolveFlags, open, openat2};
    let directory = open(root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    Ok(File::from(openat2(&directory, path, flags, Mode::empty(), ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS)?))
}

/// The same where the kernel can't: what the path leads to is compared with the directory.
#[cfg(not(target_os = "linux"))]
fn open_beneath(root: &Path, path: &str) -> io::Result<File> {
    let (root, file) = (root.canonicalize()?, root.join(path).canonicalize()?);
    if !file.starts_with(&root) {
        return Err(rustix::io::Errno::XDEV.into());
    }
    crate::files::open(&file)
}

/// What tells one writing of a file from another.
fn stamp(file: &Metadata) -> (u64, u64, u64, i64, i64) {
    (file.dev(), file.ino(), file.size(), file.mtime(), file.mtime_nsec())
}

/// All bytes of a file, in memory of the right size from the start; none where it has more or fewer than it had.
fn whole(file: &mut File, known: &Metadata) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let size = usize::try_from(known.size()).unwrap_or(usize::MAX);
    let mut bytes = Zeroizing::new(vec![0; size + 1]);
    let mut count = 0;
    while count < bytes.len() {
        match file.read(&mut bytes[count..]) {
            Ok(0) => break,
            Ok(more) => count += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(count);
    Ok((count == size).then_some(bytes))
}

/// A value of one line has no line break, as `echo` leaves one; several lines, such as a key in PEM, are kept as they are.
fn of_a_line(mut bytes: Zeroizing<Vec<u8>>) -> Vec<u8> {
    let one = bytes.iter().filter(|byte| **byte == b'\n').count() == 1;
    let line = bytes.strip_suffix(b"\n").filter(|_| one).map(|line| line.strip_suffix(b"\r").unwrap_or(line).len());
    let end = line.unwrap_or(bytes.len());
    bytes.truncate(end);
    std::mem::take(&mut *bytes)
}

/// Why a path could not be followed, by what the system says.
fn failed(at: &Path, path: &str, error: &io::Error) -> Why {
    use rustix::io::Errno;
    match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::NOENT | Errno::NOTDIR) => {
            let looked_for = format!("the file {}", at.display());
            Why::Told(BackendError::NotFound { looked_for: crate::text::for_people(&looked_for) })
        }
        Some(Errno::XDEV | Errno::LOOP) => {
            refused(at, &format!("`{path}` leads out of the directory; links in it have to be relative, and stay below it"))
        }
        // A link was replaced just then.
        Some(Errno::AGAIN) => Why::Changing,
        _ => unavailable(at, error),
    }
}

fn refused(at: &Path, what: &str) -> Why {
    Why::Told(BackendError::Refused(crate::text::for_people(&format!("{}: {what}", at.display()))))
}

fn unavailable(at: &Path, error: &io::Error) -> Why {
    Why::Told(BackendError::Unavailable(crate::text::for_people(&format!("{}: can't be read ({error})", at.display()))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    /// A directory that only this user may write to.
    fn room() -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a directory");
        mode(dir.path(), 0o755);
        dir
    }

    fn mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("set");
    }

    fn put(dir: &Path, name: &str, text: &str) {
        let path = dir.join(name);
        fs::create_dir_all(path.parent().expect("a directory")).expect("made");
        fs::write(&path, text).expect("written");
        mode(&path, 0o644);
    }

    async fn holds(dir: &Path, path: &str, text: &str) -> bool {
        DirBackend::new(dir).get(&Entry::new(path)).await.is_ok_and(|found| found.value.equals(text.as_bytes()))
    }

    async fn why(dir: &Path, path: &str) -> BackendError {
        DirBackend::new(dir).get(&Entry::new(path)).await.expect_err(path)
    }

    #[tokio::test]
    async fn a_file_is_a_value_and_a_line_has_no_line_break() {
        let dir = room();
        for (text, value) in [
            ("0123456789", "0123456789"),
            ("0123456789\n", "0123456789"),
            ("0123456789\r\n", "0123456789"),
            ("0123456789\n\n", "0123456789\n\n"),
            ("-----BEGIN X-----\nabc\n-----END X-----\n", "-----BEGIN X-----\nabc\n-----END X-----\n"),
            (" 0123456789 ", " 0123456789 "),
            ("", ""),
        ] {
            put(dir.path(), "bot/KEY", text);
            assert!(holds(dir.path(), "bot/KEY", value).await, "{text:?}");
        }
        put(dir.path(), "LONG", &"x".repeat(1 << 20));
        assert!(holds(dir.path(), "LONG", &"x".repeat(1 << 20)).await);
        put(dir.path(), "LONG", &"x".repeat((1 << 20) + 1));
        assert!(matches!(why(dir.path(), "LONG").await, BackendError::Refused(why) if why.contains("has more than 1048576 bytes")));
    }

    #[tokio::test]
    async fn the_directory_of_kubernetes_is_followed_and_its_parts_are_not_named() {
        let dir = room();
        put(dir.path(), "..2026_01_01/KEY", "the first value");
        put(dir.path(), "..2026_01_02/KEY", "the second value");
        symlink("..2026_01_01", dir.path().join("..data")).expect("linked");
        symlink("..data/KEY", dir.path().join("KEY")).expect("linked");
        // As the volume is mounted.
        mode(dir.path(), 0o1777);
        assert!(holds(dir.path(), "KEY", "the first value").await);

        symlink("..2026_01_02", dir.path().join("..data_tmp")).expect("linked");
        fs::rename(dir.path().join("..data_tmp"), dir.path().join("..data")).expect("renamed");
        assert!(holds(dir.path(), "KEY", "the second value").await);

        let backend = DirBackend::new(dir.path());
        for path in ["..data/KEY", "..2026_01_01/KEY", "../KEY", "KEY/..", ".", "", "/KEY", "a//b", "a/", ".hidden", "a/.b", "KEY\n", "K\0"]
        {
            let refused = backend.admits(&Entry::new(path));
            assert!(matches!(&refused, Err(BackendError::Refused(why)) if why.contains("none of which begins with a dot")), "{path:?}");
            assert!(backend.get(&Entry::new(path)).await.is_err(), "{path:?}");
        }
        let version = Entry { which: Which::Stage("X".to_owned()), ..Entry::new("KEY") };
        assert!(backend.admits(&version).is_err_and(|why| why.to_string().contains("keeps no versions")));
    }

    #[tokio::test]
    async fn no_link_leads_out_of_the_directory() {
        let (dir, outside) = (room(), room());
        put(outside.path(), "KEY", "somebody else's value");
        put(dir.path(), "inner/KEY", "a value in it");
        let to = |name: &str, target: &Path| symlink(target, dir.path().join(name)).expect("linked");
        to("absolute", &outside.path().join("KEY"));
        to("directory", outside.path());
        to("up", &Path::new("..").join(outside.path().file_name().expect("a name")).join("KEY"));
        to("magic", Path::new("/proc/self/environ"));
        to("loop", Path::new("loop"));
        to("own", &dir.path().join("inner/KEY"));
        to("down", Path::new("inner/KEY"));
        to("round", Path::new("inner/../inner/KEY"));

        for path in ["absolute", "directory/KEY", "up", "magic", "loop", "own"] {
            let why = why(dir.path(), path).await;
            assert!(matches!(&why, BackendError::Refused(why) if why.contains("leads out of the directory")), "{path}: {why}");
        }
        assert!(holds(dir.path(), "down", "a value in it").await && holds(dir.path(), "round", "a value in it").await);
        assert!(matches!(why(dir.path(), "inner").await, BackendError::Refused(why) if why.contains("is not a regular file")));
        for gone in ["none", "none/KEY", "inner/KEY/more"] {
            assert!(matches!(why(dir.path(), gone).await, BackendError::NotFound { .. }), "{gone}");
        }
        rustix::fs::mknodat(rustix::fs::CWD, dir.path().join("pipe"), rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0)
            .expect("a pipe");
        assert!(matches!(why(dir.path(), "pipe").await, BackendError::Refused(why) if why.contains("is not a regular file")));
    }

    #[tokio::test]
    async fn what_others_could_have_written_is_refused() {
        let dir = room();
        put(dir.path(), "bot/KEY", "a value of ten");
        assert!(holds(dir.path(), "bot/KEY", "a value of ten").await);
        let says = async |says: &str| {
            let why = why(dir.path(), "bot/KEY").await;
            assert!(matches!(&why, BackendError::Refused(why) if why.contains(says)), "{says}: {why}");
        };

        for bits in [0o664, 0o646, 0o666] {
            mode(&dir.path().join("bot/KEY"), bits);
            says("can be written by other users").await;
        }
        mode(&dir.path().join("bot/KEY"), 0o400);
        mode(&dir.path().join("bot"), 0o777);
        says("other users can write to").await;
        mode(&dir.path().join("bot"), 0o755);
        mode(dir.path(), 0o777);
        says("other users can write to").await;
        mode(dir.path(), 0o755);
        // Nobody else can give a file away.
        if rustix::process::geteuid().is_root() {
            for name in ["bot/KEY", "bot"] {
                std::os::unix::fs::chown(dir.path().join(name), Some(12_345), Some(12_345)).expect("given away");
                says("belongs to another user").await;
                std::os::unix::fs::chown(dir.path().join(name), Some(0), Some(0)).expect("taken back");
            }
        }
        assert!(holds(dir.path(), "bot/KEY", "a value of ten").await);
    }

    #[tokio::test]
    async fn a_directory_that_is_not_there_is_a_failure_and_no_answer() {
        let dir = room();
        put(dir.path(), "KEY", "a value of ten");

        assert!(matches!(why(&dir.path().join("unmounted"), "KEY").await, BackendError::Unavailable(_)));
        assert!(matches!(why(&dir.path().join("KEY"), "KEY").await, BackendError::NotFound { .. } | BackendError::Refused(_)));
    }

    #[test]
    fn a_file_that_has_changed_meanwhile_is_not_taken() {
        let dir = room();
        put(dir.path(), "KEY", "a value of ten");
        let known = fs::metadata(dir.path().join("KEY")).expect("a file");
        put(dir.path(), "KEY", "a longer value");
        let mut file = File::open(dir.path().join("KEY")).expect("a file");
        assert!(whole(&mut file, &known).expect("read").is_some(), "it has as many bytes");
        put(dir.path(), "KEY", "short");
        let mut file = File::open(dir.path().join("KEY")).expect("a file");
        assert!(whole(&mut file, &known).expect("read").is_none());
        put(dir.path(), "KEY", "longer than it was");
        let mut file = File::open(dir.path().join("KEY")).expect("a file");
        assert!(whole(&mut file, &known).expect("read").is_none());
        assert_ne!(stamp(&known), stamp(&file.metadata().expect("a file")));
    }
}
