//! The log as a file of JSON lines.

use super::{AuditSink, Record};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// Bytes of most records, at most: growing would copy them several times. glibc's allocator takes a lock from 1,033 bytes on.
const ROOM: usize = 1_000;

/// Appends each record as one line, whole lines in one write, to a file that only its owner can read (mode 0600). Many hosts may append to
/// the same file. A record survives `kill -9` of the process; it is not synced to the disk.
#[derive(Debug)]
pub struct FileAudit {
    file: File,
    /// The last line has no end: a write was cut short.
    torn: AtomicBool,
}

impl FileAudit {
    /// Opens or creates the file.
    ///
    /// # Errors
    /// That of the operating system.
    pub fn open(path: &Path) -> io::Result<Self> {
        if let Some(dir) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
            std::fs::create_dir_all(dir)?;
        }
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
        Ok(Self { file, torn: AtomicBool::new(false) })
    }
}

impl AuditSink for FileAudit {
    fn record(&self, records: &[Record<'_>]) -> io::Result<()> {
        let mut lines = Vec::with_capacity(ROOM);
        if self.torn.load(Ordering::Relaxed) {
            lines.push(b'\n');
        }
        for record in records {
            serde_json::to_writer(&mut lines, record)?;
            lines.push(b'\n');
        }
        let written = (&self.file).write(&lines)?;
        self.torn.store(written < lines.len(), Ordering::Relaxed);
        if written == lines.len() {
            Ok(())
        } else {
            Err(io::Error::new(io::ErrorKind::WriteZero, "a record was cut short; is the disk full?"))
        }
    }
}
