//! The one way to read a file that a person names: regular files only, whole, and never more than a bound.
//!
//! A pipe without a writer would keep the host waiting, and a device that never ends would fill its memory. What is refused is told
//! with its reason, as the end of a sentence that names the file.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;
use zeroize::Zeroizing;

/// Most bytes of a file of text that people write: manifests, configurations, rules, `.env` files. 4 MiB.
pub const MAX_TEXT: u64 = 4 << 20;
/// Most bytes of a file that holds one credential or key. 64 KiB.
pub const MAX_CREDENTIAL: u64 = 64 << 10;

/// Opens a regular file, without waiting for whoever might write to something else.
///
/// # Errors
/// That of the file system, or what the path leads to instead.
pub fn open(path: &Path) -> io::Result<File> {
    let nonblock = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(nonblock).open(path)?;
    let kind = file.metadata()?.file_type();
    let found = if kind.is_file() {
        return Ok(file);
    } else if kind.is_dir() {
        "a directory"
    } else if kind.is_fifo() {
        "a pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    };
    Err(io::Error::new(io::ErrorKind::InvalidInput, format!("it is {found}, and only regular files are read")))
}

/// The bytes of a regular file. They are read into a buffer of the right size: no copy of a part is left behind.
///
/// # Errors
/// As [`open`], or that it has more than `most` bytes.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let file = open(path)?;
    let known = file.metadata()?.len().min(most);
    let mut bytes = Vec::with_capacity(usize::try_from(known).unwrap_or(0) + 64);
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > most {
        false => Ok(bytes),
        true => Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it has more than {most} bytes, the most that are read"))),
    }
}

/// The text of a regular file.
///
/// # Errors
/// As [`read`], or that it is not UTF-8.
pub fn read_text(path: &Path, most: u64) -> io::Result<String> {
    String::from_utf8(read(path, most)?).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8 text"))
}

/// The same for text that holds a secret.
///
/// # Errors
/// As [`read_text`].
pub fn read_secret(path: &Path, most: u64) -> io::Result<Zeroizing<String>> {
    let bytes = read(path, most)?;
    String::from_utf8(bytes).map(Zeroizing::new).map_err(|error| {
        drop(Zeroizing::new(error.into_bytes()));
        io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8 text")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_of_a_bounded_size_are_read() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = |name: &str| dir.path().join(name);
        std::fs::write(path("file"), "text").expect("written");
        std::fs::write(path("bytes"), [0xff]).expect("written");
        rustix::fs::mknodat(rustix::fs::CWD, path("pipe"), rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).expect("a pipe");
        let _socket = std::os::unix::net::UnixListener::bind(path("socket")).expect("a socket");
        let why = |path: &Path| read(path, 4).expect_err("refused").to_string();

        assert_eq!(read_text(&path("file"), 4).expect("read"), "text");
        assert!(read(&path("file"), 3).expect_err("too long").to_string().contains("more than 3 bytes"));
        assert!(read_text(&path("bytes"), 4).expect_err("no text").to_string().contains("not UTF-8"));
        assert!(why(&path("pipe")).contains("it is a pipe"));
        assert!(why(dir.path()).contains("it is a directory"));
        assert!(why(Path::new("/dev/zero")).contains("it is a device"));
        assert!(read(&path("socket"), 4).is_err());
        assert!(read(&path("nothing"), 4).is_err());
    }
}
