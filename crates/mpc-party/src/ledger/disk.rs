//! The ledger's file: lines of JSON, of which none is acted upon before it is on the disk. Whatever waits at the same time shares one write.

use super::entry::SignedEntry;
use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::watch;

/// Most bytes of a ledger that is read.
const MAX_BYTES: u64 = 4 << 30;

/// One line.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Line {
    /// An entry, and when it came here, in milliseconds since 1970.
    Entry(Box<SignedEntry>, u64),
    /// That entry of that party was signed without the third party's acknowledgement.
    Alone(usize, u64),
}

/// The way to the file. Lines are numbered as they are given to it.
pub struct Disk {
    to: Sender<Line>,
    given: u64,
    flushed: watch::Receiver<Flushed>,
}

/// How many lines are on the disk, or that no other ever will be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flushed {
    Until(u64),
    Broken,
}

/// A line on its way to the disk, or there.
pub struct Written {
    number: u64,
    flushed: watch::Receiver<Flushed>,
}

impl Disk {
    /// Opens the file and reads what is in it. A last line that was cut off as it was written is taken away: nothing was done by it.
    ///
    /// # Errors
    /// What can't be read: a line in the middle that is none means that the file was changed.
    pub fn open(path: &Path) -> Result<(Self, Vec<Line>)> {
        let shown = path.display();
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path).with_context(|| format!("{shown}"))?;
        file.try_lock().with_context(|| format!("{shown} is in use by another process"))?;
        if file.metadata()?.len() > MAX_BYTES {
            bail!("{shown} has more than {MAX_BYTES} bytes");
        }
        let text = std::fs::read(path).with_context(|| format!("{shown}"))?;
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        if whole < text.len() {
            file.set_len(whole as u64)?;
            file.seek(SeekFrom::End(0))?;
            file.sync_data()?;
        }
        let mut lines = Vec::new();
        for (number, line) in text[..whole].split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).enumerate() {
            let line = serde_json::from_slice(line).ok();
            lines.push(line.with_context(|| {
                format!("{shown}: line {} can't be read; restore the file, or take the parties' advice in docs/mpc.md", number + 1)
            })?);
        }
        // The name of a new file has to be on the disk, too.
        path.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())?;
        let (to, from) = channel();
        let (flush, flushed) = watch::channel(Flushed::Until(0));
        std::thread::Builder::new().name("ledger".to_owned()).spawn(move || keep(file, &from, &flush))?;
        Ok((Self { to, given: 0, flushed }, lines))
    }

    /// Has a line written; gives its number.
    pub fn write(&mut self, line: Line) -> u64 {
        self.given += 1;
        // Where the thread is gone, whoever waits is told so.
        let _ = self.to.send(line);
        self.given
    }

    /// The line of that number, to be waited for. 0 is there from the beginning.
    pub fn written(&self, number: u64) -> Written {
        Written { number, flushed: self.flushed.clone() }
    }
}

impl Written {
    /// Waits until it is on the disk.
    ///
    /// # Errors
    /// It is not. Nothing may be done by it, now or later.
    pub async fn kept(mut self) -> Result<(), String> {
        let number = self.number;
        let done = |flushed: &Flushed| matches!(flushed, Flushed::Broken) || matches!(flushed, Flushed::Until(until) if *until >= number);
        match self.flushed.wait_for(done).await.as_deref() {
            Ok(Flushed::Until(_)) => Ok(()),
            _ => Err("its ledger can't be written; look at its disk, and start that party again".to_owned()),
        }
    }
}

fn keep(mut file: File, from: &Receiver<Line>, flush: &watch::Sender<Flushed>) {
    let mut until = 0;
    while let Ok(first) = from.recv() {
        let mut text = Vec::new();
        for line in std::iter::once(first).chain(from.try_iter()) {
            serde_json::to_writer(&mut text, &line).expect("text, numbers and lists of them");
            text.push(b'\n');
            until += 1;
        }
        if file.write_all(&text).and_then(|()| file.sync_data()).is_err() {
            // What is half written must be the last: nothing is written behind it.
            flush.send_replace(Flushed::Broken);
            return;
        }
        flush.send_replace(Flushed::Until(until));
    }
}
