//! The log as a file of JSON lines.

use super::{AuditSink, Record};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
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
        let torn = AtomicBool::new(ends_midway(path));
        Ok(Self { file, torn })
    }
}

/// Whether a host before has died in the middle of a line: the next record begins a new one.
fn ends_midway(path: &Path) -> bool {
    let mut last = [b'\n'];
    let read = File::open(path).and_then(|mut file| {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)
    });
    // An empty file has no last byte, and a pipe tells none.
    read.is_ok() && last != [b'\n']
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::Event;

    #[test]
    fn a_record_after_a_torn_one_stands_on_a_line_of_its_own() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("audit.jsonl");
        std::fs::write(&path, "{\"time\":\"2026-01-01T00:00:00.000Z\",\"ru").expect("written");
        let event = || Event::SignerFailed { signer: "w".into(), reason: "r".into(), spent: false };

        for _ in 0..2 {
            let record = Record { time: "t".into(), run: "r".into(), agent: "a".into(), event: event() };
            FileAudit::open(&path).expect("a file").record(&[record]).expect("written");
        }

        let text = std::fs::read_to_string(&path).expect("a file");
        let read = |line: &str| serde_json::from_str::<serde_json::Value>(line).is_ok();
        assert_eq!(text.lines().map(read).collect::<Vec<_>>(), [false, true, true], "{text}");
    }
}
