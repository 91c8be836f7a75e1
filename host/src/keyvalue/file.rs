//! The file of a bucket: a log of changes, each a frame with a checksum of its own, behind a head that names the format. A change is
//! appended with one write and one sync. What a power cut has torn at the end was never answered to anyone, and is left out; where something
//! whole lies behind what can't be read, the file is damaged, and said to be.
//!
//! What is whole, checksums say that have the file's own salt in them: an agent, which chooses what is in its values, can write nothing that is
//! taken for a frame, or that has to be looked through to find that it is none.

use super::Change;
use crate::format;
use sha2::{Digest, Sha256};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::PathBuf;

/// The only format there is so far.
const FORMAT: u64 = 1;
/// The first line, up to the format's number.
const HEAD: &str = "strongroom state, format ";
/// What stands before the salt there, 16 hexadecimal digits.
const SALT: &str = ", salt ";
/// Bytes of the first line.
const HEAD_LENGTH: usize = 64;
/// What a frame begins with.
const MARK: &[u8; 4] = b"\xf5sr\x01";
/// Bytes of the checksum of mark and length, and of that of the payload.
const SHORT: usize = 4;
const SUM: usize = 8;
/// Mark, length, their checksum.
const BEGIN: usize = MARK.len() + 4 + SHORT;
/// All that stands before the payload.
const FRAME: usize = BEGIN + SUM;
/// Bytes that are read at once where a file is looked through, unless a frame is longer.
const PIECE: usize = 1 << 20;

/// A file of changes, as far as it has been read.
pub(super) struct Log {
    path: PathBuf,
    /// None where there is no file yet.
    file: Option<File>,
    /// What tells it from another file in its place.
    inode: u64,
    salt: Salt,
    /// Where the next frame goes: behind the last whole one.
    pub(super) end: u64,
}

/// What the checksums of one file have in them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Salt(u64);

/// A change that was read, with the place of its value in the file.
pub(super) struct Read<'b> {
    pub(super) change: Change<'b>,
    pub(super) at: u64,
}

impl Log {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, file: None, inode: 0, salt: Salt::default(), end: 0 }
    }

    /// Whether another file has taken the place of the one that was read.
    pub(super) fn is_replaced(&self) -> io::Result<bool> {
        match fs::metadata(&self.path) {
            Ok(now) => Ok(self.file.is_none() || now.ino() != self.inode || now.len() < self.end),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(self.file.is_some()),
            Err(error) => Err(error),
        }
    }

    /// Opens the file that is there now, to be read from its beginning.
    pub(super) fn open(&mut self) -> io::Result<()> {
        self.forget();
        let file = match OpenOptions::new().read(true).write(true).open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            file => file?,
        };
        let mut head = [0; HEAD_LENGTH];
        file.read_exact_at(&mut head, 0).map_err(|_| self.damaged(0))?;
        let line = std::str::from_utf8(&head).ok().and_then(|line| line.strip_prefix(HEAD));
        let line = line.ok_or_else(|| self.damaged(0))?.trim_end();
        let (format, salt) = line.split_once(SALT).unwrap_or((line, ""));
        let digits = format.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
        let format: u64 = digits.parse().map_err(|_| self.damaged(0))?;
        if let Some(newer) = format::refused(format, FORMAT) {
            return Err(io::Error::other(format!("{}: {newer}", self.path.display())));
        }
        self.salt = u64::from_str_radix(salt, 16).map(Salt).map_err(|_| self.damaged(0))?;
        self.inode = file.metadata()?.ino();
        self.file = Some(file);
        self.end = HEAD_LENGTH as u64;
        Ok(())
    }

    /// Reads what has been appended since. Returns whether the file goes on with what is no frame.
    pub(super) fn read_on(&mut self, mut take: impl FnMut(Read<'_>)) -> io::Result<bool> {
        let Some(file) = &self.file else { return Ok(false) };
        let length = file.metadata()?.len();
        let mut piece = Vec::new();
        while self.end < length {
            let most = usize::try_from(length - self.end).unwrap_or(usize::MAX);
            piece.resize(most.min(PIECE), 0);
            file.read_exact_at(&mut piece, self.end)?;
            // A frame longer than the piece is read whole.
            if let Some(whole) = self.salt.frame_length(&piece).filter(|whole| (piece.len() + 1..=most).contains(whole)) {
                piece.resize(whole, 0);
                file.read_exact_at(&mut piece, self.end)?;
            }
            let mut from = 0;
            while let Some(payload) = self.salt.payload(&piece[from..]) {
                let at = self.end + (from + FRAME) as u64;
                changes(payload, at, &mut take).ok_or_else(|| self.damaged(self.end + from as u64))?;
                from += FRAME + payload.len();
            }
            if from == 0 {
                return self.torn(length).map(|()| true);
            }
            self.end += from as u64;
        }
        Ok(false)
    }

    /// How long the file is.
    pub(super) fn length(&self) -> io::Result<u64> {
        self.file.as_ref().map_or(Ok(0), |file| Ok(file.metadata()?.len()))
    }

    /// What can't be read is the torn end of the file, unless something whole lies behind it.
    fn torn(&self, length: u64) -> io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        let mut rest = vec![0; usize::try_from(length - self.end).map_err(io::Error::other)?];
        file.read_exact_at(&mut rest, self.end)?;
        let whole = memchr::memmem::find_iter(&rest, MARK).any(|at| self.salt.payload(&rest[at..]).is_some());
        if whole { Err(self.damaged(self.end)) } else { Ok(()) }
    }

    fn damaged(&self, at: u64) -> io::Error {
        let path = self.path.display();
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!("{path} is damaged at byte {at}: restore it, or begin anew by `strongroom state clear`"),
        )
    }

    /// Bytes of a value that was read.
    pub(super) fn value(&self, at: u64, length: usize) -> io::Result<Vec<u8>> {
        let file = self.file.as_ref().ok_or(io::ErrorKind::NotFound)?;
        let mut value = vec![0; length];
        file.read_exact_at(&mut value, at)?;
        Ok(value)
    }

    /// Appends a frame of changes, or begins the file with it. It is on the platter when this returns. `pass` lets the write through, or not: then
    /// nothing is written, and the answer is no.
    pub(super) fn append(&self, all: &[&Change<'_>], pass: impl FnOnce(&mut dyn FnMut()) -> bool) -> io::Result<bool> {
        let Some(file) = &self.file else { return self.replace([Ok(all.iter().copied().cloned().collect())].into_iter(), pass) };
        let frame = &self.salt.frame(all.iter().copied());
        // A torn end may be longer than the frame: what is left of it would lie behind.
        file.set_len(self.end)?;
        let mut written = Ok(());
        let passed = pass(&mut || written = file.write_all_at(frame, self.end));
        let kept = written.and_then(|()| file.sync_data());
        if kept.is_err() {
            let _ = file.set_len(self.end);
        }
        kept.map(|()| passed)
    }

    /// Has whoever reads next begin at the beginning.
    pub(super) fn forget(&mut self) {
        *self = Self::new(std::mem::take(&mut self.path));
    }

    /// Puts a file of these frames in the place of what is there; it has to be opened anew.
    pub(super) fn replace<'c>(
        &self,
        frames: impl Iterator<Item = io::Result<Vec<Change<'c>>>>,
        pass: impl FnOnce(&mut dyn FnMut()) -> bool,
    ) -> io::Result<bool> {
        let (temporary, salt) = (self.path.with_extension("new"), Salt(getrandom::u64().map_err(io::Error::other)?));
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        let written = (|| {
            let head = format!("{HEAD}{FORMAT}{SALT}{:016x}", salt.0);
            writeln!(file, "{head:<width$}", width = HEAD_LENGTH - 1)?;
            frames.into_iter().try_for_each(|all| file.write_all(&salt.frame(all?.iter())))?;
            file.sync_all()?;
            let mut renamed = Ok(());
            let passed = pass(&mut || renamed = fs::rename(&temporary, &self.path));
            renamed.map(|()| passed)
        })();
        if !matches!(written, Ok(true)) {
            let _ = fs::remove_file(&temporary);
            return written;
        }
        // The name is its directory's, and that may be new as well.
        self.path.ancestors().skip(1).take(2).try_for_each(|above| File::open(above)?.sync_all())?;
        Ok(true)
    }
}

impl Salt {
    /// A frame of changes.
    fn frame<'c, 'd: 'c>(self, all: impl Iterator<Item = &'c Change<'d>>) -> Vec<u8> {
        let mut bytes = vec![0; FRAME];
        all.for_each(|change| put(&mut bytes, change));
        let length = u32::try_from(bytes.len() - FRAME).expect("what is changed at once is smaller than 4 GiB");
        bytes[..4].copy_from_slice(MARK);
        bytes[4..8].copy_from_slice(&length.to_le_bytes());
        let (short, sum) = (self.sum::<SHORT>(&bytes[..8]), self.sum::<SUM>(&bytes[FRAME..]));
        bytes[8..BEGIN].copy_from_slice(&short);
        bytes[BEGIN..FRAME].copy_from_slice(&sum);
        bytes
    }

    /// Bytes of the frame that begins here.
    fn frame_length(self, bytes: &[u8]) -> Option<usize> {
        let begin = bytes.first_chunk::<BEGIN>().filter(|begin| begin.starts_with(MARK) && begin[8..] == self.sum::<SHORT>(&begin[..8]))?;
        usize::try_from(u32::from_le_bytes(*begin[4..].first_chunk()?)).ok()?.checked_add(FRAME)
    }

    /// What the frame that begins here holds, where it is whole.
    fn payload(self, bytes: &[u8]) -> Option<&[u8]> {
        let payload = bytes.get(FRAME..self.frame_length(bytes)?)?;
        (bytes[BEGIN..FRAME] == self.sum::<SUM>(payload)).then_some(payload)
    }

    fn sum<const N: usize>(self, bytes: &[u8]) -> [u8; N] {
        let digest = Sha256::new_with_prefix(b"strongroom state frame 1").chain_update(self.0.to_le_bytes()).chain_update(bytes).finalize();
        *digest.first_chunk().expect("a digest has 32 bytes")
    }
}

/// Bytes that a key with its value takes of a file, in a frame of its own.
pub(super) fn taken(key: &str, length: usize, stands: &[(String, String)]) -> u64 {
    let bare = Change::Set { key: key.into(), value: [].as_slice().into(), written: 0, stands: stands.to_vec() };
    let mut bytes = Vec::new();
    put(&mut bytes, &bare);
    (FRAME + bytes.len() + length) as u64
}

fn put(bytes: &mut Vec<u8>, change: &Change<'_>) {
    let mut piece = |piece: &[u8]| {
        bytes.extend(u32::try_from(piece.len()).expect("a key or value is smaller than 4 GiB").to_le_bytes());
        bytes.extend_from_slice(piece);
    };
    match change {
        Change::Set { key, value, written, stands } => {
            piece(b"set");
            piece(key.as_bytes());
            piece(&written.to_le_bytes());
            piece(&serde_json::to_vec(stands).expect("texts are JSON"));
            piece(value);
        }
        Change::Delete { key } => {
            piece(b"delete");
            piece(key.as_bytes());
        }
    }
}

/// Reads the changes of a frame's payload, which lies at `at` in its file. None where they can't be understood.
fn changes(payload: &[u8], at: u64, take: &mut impl FnMut(Read<'_>)) -> Option<()> {
    let mut rest = payload;
    while !rest.is_empty() {
        let kind = piece(&mut rest)?;
        let key = std::str::from_utf8(piece(&mut rest)?).ok()?.into();
        let change = match kind {
            b"set" => {
                let written = u64::from_le_bytes(piece(&mut rest)?.try_into().ok()?);
                let stands = serde_json::from_slice(piece(&mut rest)?).ok()?;
                Change::Set { key, written, stands, value: piece(&mut rest)?.into() }
            }
            b"delete" => Change::Delete { key },
            _ => return None,
        };
        let length = if let Change::Set { value, .. } = &change { value.len() } else { 0 };
        let behind = payload.len() - rest.len();
        take(Read { change, at: at + (behind - length) as u64 });
    }
    Some(())
}

fn piece<'b>(bytes: &mut &'b [u8]) -> Option<&'b [u8]> {
    let (length, rest) = bytes.split_first_chunk()?;
    let (piece, rest) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
    *bytes = rest;
    Some(piece)
}
