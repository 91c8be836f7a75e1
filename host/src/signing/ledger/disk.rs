//! The three files of a ledger. Nothing else in this room touches a disk: whatever is written goes through [`redb::StorageBackend`] or
//! [`Witness`], where a test may pull the plug.

use super::log::{BLOCK, HALF, Log};
use crate::lock::Mutex;
use redb::StorageBackend;
use redb::backends::FileBackend;
use rustix::fs::OFlags;
use rustix::io::Errno;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

/// Where the witness writes down how far the ledger has come.
pub(crate) trait Witness: Send + 'static {
    /// The number of the last record that was kept; none where nothing was ever written.
    fn read(&self) -> io::Result<Option<[u8; 8]>>;

    fn write(&self, last: [u8; 8]) -> io::Result<()>;
}

/// Opens the files of a ledger in a directory, made where they are not there.
pub(super) fn open(directory: &Path) -> Result<(FileBackend, Log, File), String> {
    let at = |path: &Path, error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let open = |name| {
        let path = directory.join(name);
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
        file.map_err(|error| at(&path, &error))
    };
    let backend = |file| FileBackend::new(file).map_err(|error| at(directory, &error));
    let records = backend(open("ledger.redb")?)?;
    let log = Log::on(Uncached::new(backend(open("ledger.log")?)?, &directory.join("ledger.log")), HALF);
    let witness = open("ledger.witness")?;
    // The names of new files are the directory's.
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(|error| at(directory, &error))?;
    Ok((records, log, witness))
}

/// A file whose whole blocks are written past the system's cache, where its file system can: what goes to the platter at once has no use for
/// a copy of it.
#[derive(Debug)]
struct Uncached {
    file: FileBackend,
    direct: Option<File>,
    /// What is being written, at an address of whole blocks.
    aligned: Mutex<Vec<u8>>,
}

impl Uncached {
    fn new(file: FileBackend, path: &Path) -> Self {
        let flags = i32::try_from(OFlags::DIRECT.bits()).expect("a flag of open(2)");
        let direct = OpenOptions::new().write(true).custom_flags(flags).open(path).ok();
        Self { file, direct, aligned: Mutex::default() }
    }

    /// Writes whole blocks, unless the file system has blocks of another kind.
    fn write_blocks(&self, offset: u64, data: &[u8]) -> io::Result<bool> {
        let Some(direct) = &self.direct else { return Ok(false) };
        let mut room = self.aligned.lock();
        if room.len() < data.len() + BLOCK {
            room.resize(data.len() + BLOCK, 0);
        }
        let begin = room.as_ptr().align_offset(BLOCK);
        let aligned = &mut room[begin..begin + data.len()];
        aligned.copy_from_slice(data);
        match direct.write_all_at(aligned, offset) {
            Err(error) if error.raw_os_error() == Some(Errno::INVAL.raw_os_error()) => Ok(false),
            written => written.map(|()| true),
        }
    }
}

impl StorageBackend for Uncached {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        if self.write_blocks(offset, data)? { Ok(()) } else { self.file.write(offset, data) }
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }
}

impl Witness for File {
    fn read(&self) -> io::Result<Option<[u8; 8]>> {
        let mut last = [0; 8];
        match self.read_at(&mut last, 0)? {
            0 => Ok(None),
            8 => Ok(Some(last)),
            _ => Err(io::Error::other("its witness is cut short; remove `ledger.witness`, and confirm the ledger")),
        }
    }

    fn write(&self, last: [u8; 8]) -> io::Result<()> {
        self.write_all_at(&last, 0)
    }
}
