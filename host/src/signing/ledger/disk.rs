//! The three files of a ledger. Nothing else in this room touches a disk: whatever is written goes through [`redb::StorageBackend`] or
//! [`Witness`], where a test may pull the plug.

use super::log::{HALF, Log};
use redb::backends::FileBackend;
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
    let log = Log::on(backend(open("ledger.log")?)?, HALF);
    let witness = open("ledger.witness")?;
    // The names of new files are the directory's.
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(|error| at(directory, &error))?;
    Ok((records, log, witness))
}

impl Witness for File {
    fn read(&self) -> io::Result<Option<[u8; 8]>> {
        let mut last = [0; 8];
        match self.read_at(&mut last, 0)? {
            0 => Ok(None),
            8 => Ok(Some(last)),
            _ => Err(io::Error::other("its witness is cut short; remove the file, and confirm the ledger")),
        }
    }

    fn write(&self, last: [u8; 8]) -> io::Result<()> {
        self.write_all_at(&last, 0)
    }
}
