//! The log before the records: a file of two halves, made once and never longer, into which each group of records goes as one frame, with
//! one write and one sync that changes no metadata. A frame is numbered and sealed with a checksum. One that was torn by a power cut was
//! never promised to anyone and is left out; one that is missing before others is detected by the numbers. A frame begins a block of its
//! own, so that nothing that was promised is written over before it is among the records.
//!
//! Its format is the records': they are opened first, and refused where a newer host has written them.

use super::records::{Batch, Standing};
use redb::StorageBackend;
use sha2::{Digest, Sha256};
use std::io;

/// Bytes of one half: 128 groups of up to four KiB each.
pub(super) const HALF: usize = 512 << 10;
/// What a disk may write as a whole, and a page of the system's cache: a block that is written whole need not be read before.
pub(super) const BLOCK: usize = 4096;
/// Checksum, number, first record's number and length.
const HEADER: usize = 28;
/// Bytes of the checksum.
const SUM: usize = 8;

/// The log of a ledger.
pub(super) struct Log {
    disk: Box<dyn StorageBackend>,
    half: usize,
    /// The number of the last frame.
    frame: u64,
    /// Where the half that is being filled begins, and how much of it is.
    begin: usize,
    filled: usize,
}

/// What was found in a log and is not yet among the records.
pub(super) struct Found {
    pub(super) batch: Batch,
    /// The number of the last record, here or among the records.
    pub(super) last: u64,
    /// Why the log can't be believed.
    pub(super) doubt: Option<String>,
}

struct Frame {
    number: u64,
    /// The number of its first entry, or of the next where it has none.
    first: u64,
    batch: Batch,
}

impl Log {
    /// A log on whatever serves as a disk, with halves of so many bytes.
    pub(super) fn on(disk: impl StorageBackend, half: usize) -> Self {
        let half = half.next_multiple_of(BLOCK);
        Self { disk: Box::new(disk), half, frame: 0, begin: 0, filled: 0 }
    }

    /// Reads what the records, as they stand, don't have yet.
    pub(super) fn find(&mut self, standing: &Standing) -> io::Result<Found> {
        self.frame = standing.frame;
        let mut found = Found { batch: Batch::default(), last: standing.last, doubt: None };
        if self.disk.len()? < standing.log.unwrap_or(0) {
            found.doubt = Some("the ledger's log is missing, or cut short: what was kept last may have been in it".to_owned());
        }
        for Frame { number, first, batch } in self.frames(standing)? {
            if (number, first) != (self.frame + 1, found.last + 1) {
                let due = found.last + 1;
                let gap = format!(
                    "the ledger's log continues at record {first} (frame {number}), where {due} (frame {}) is expected",
                    self.frame + 1
                );
                found.doubt.get_or_insert(format!("{gap}: what was between is missing, or the log belongs to another ledger"));
            }
            self.frame = number;
            found.batch.frame = number;
            // What is among the records already, they know better.
            found.batch.add(Batch { entries: batch.entries.into_iter().filter(|(number, _)| *number > found.last).collect(), ..batch });
            found.last = found.batch.last().unwrap_or(found.last);
        }
        Ok(found)
    }

    /// Whether the file is as long as it will be.
    pub(super) fn is_made(&self) -> io::Result<bool> {
        Ok(self.disk.len()? >= self.length())
    }

    /// Makes the file, of zeros that are on the platter: to write over them moves nothing and allocates nothing. What was in it is gone.
    pub(super) fn make(&self) -> io::Result<()> {
        let zeros = vec![0; self.half];
        self.disk.write(0, &zeros)?;
        self.disk.write(self.half as u64, &zeros)?;
        self.disk.sync_data()
    }

    pub(super) fn length(&self) -> u64 {
        2 * self.half as u64
    }

    /// The next frame, of a batch whose first entry has this number.
    pub(super) fn frame(&self, first: u64, batch: &Batch) -> Vec<u8> {
        let size: usize = batch.entries.values().map(|text| 5 + text.len()).sum();
        let mut bytes = Vec::with_capacity((HEADER + size).next_multiple_of(BLOCK));
        bytes.extend([0; SUM]);
        bytes.extend((self.frame + 1).to_le_bytes());
        bytes.extend(first.to_le_bytes());
        bytes.extend([0; 4]);
        for text in batch.entries.values() {
            bytes.push(b'e');
            put(&mut bytes, text);
        }
        for (key, purpose) in &batch.keys {
            bytes.push(b'k');
            put(&mut bytes, key);
            put(&mut bytes, purpose.as_bytes());
        }
        let length = u32::try_from(bytes.len() - HEADER).expect("a group of records is smaller than 4 GiB");
        bytes[HEADER - 4..HEADER].copy_from_slice(&length.to_le_bytes());
        let sum = sum(&bytes[SUM..]);
        bytes[..SUM].copy_from_slice(&sum);
        bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
        bytes
    }

    /// Whether a frame goes into a half at all.
    pub(super) fn holds(&self, frame: &[u8]) -> bool {
        frame.len() <= self.half
    }

    /// Whether a frame goes into what is left of this half.
    pub(super) fn has_room(&self, frame: &[u8]) -> bool {
        self.filled + frame.len() <= self.half
    }

    /// Goes on in the other half, whose records must be where they stay by now.
    pub(super) fn turn(&mut self) {
        self.begin = self.half - self.begin;
        self.filled = 0;
    }

    /// Begins this half anew: whatever is in the log is where it stays by now.
    pub(super) fn restart(&mut self) {
        self.filled = 0;
    }

    /// Puts the next frame on the platter, and returns its number.
    pub(super) fn append(&mut self, frame: &[u8]) -> io::Result<u64> {
        self.disk.write((self.begin + self.filled) as u64, frame)?;
        self.disk.sync_data()?;
        self.filled += frame.len();
        self.frame += 1;
        Ok(self.frame)
    }

    /// The whole frames that the records don't have yet, in their order, wherever they are.
    fn frames(&self, standing: &Standing) -> io::Result<Vec<Frame>> {
        let length = self.disk.len()?.min(self.length().max(standing.log.unwrap_or(0)));
        let length = usize::try_from(length).map_err(io::Error::other)?;
        let mut bytes = vec![0; length];
        self.disk.read(0, &mut bytes)?;
        let mut frames = Vec::new();
        let mut at = 0;
        while at < length {
            // Inside of a torn frame nothing looks like a frame: its entries are text, and a frame has zeros.
            let Some(payload) = payload(&bytes[at..]).filter(|_| word(&bytes[at + SUM..]) > standing.frame) else {
                at += BLOCK;
                continue;
            };
            let batch = Batch::default();
            let mut frame = Frame { number: word(&bytes[at + SUM..]), first: word(&bytes[at + 2 * SUM..]), batch };
            let taken = take(payload, frame.first, &mut frame.batch);
            taken.ok_or_else(|| io::Error::other(format!("frame {} of its log can't be understood", frame.number)))?;
            at += (HEADER + payload.len()).next_multiple_of(BLOCK);
            frames.push(frame);
        }
        frames.sort_by_key(|frame| frame.number);
        Ok(frames)
    }
}

/// What a frame holds, where there is one and it is whole.
fn payload(bytes: &[u8]) -> Option<&[u8]> {
    let (header, rest) = bytes.split_at_checked(HEADER)?;
    let payload = piece(&header[HEADER - 4..], rest)?;
    (header[..SUM] == sum(&bytes[SUM..HEADER + payload.len()])).then_some(payload)
}

/// Takes the records of a frame.
fn take(mut payload: &[u8], first: u64, batch: &mut Batch) -> Option<()> {
    let mut number = first;
    while let Some((kind, rest)) = payload.split_first() {
        let text = piece(rest, rest.get(4..)?)?;
        payload = &rest[4 + text.len()..];
        if *kind == b'e' {
            batch.entries.insert(number, text.to_vec());
            number += 1;
            continue;
        }
        let purpose = piece(payload, payload.get(4..)?)?;
        payload = &payload[4 + purpose.len()..];
        batch.keys.push((text.to_vec(), String::from_utf8(purpose.to_vec()).ok()?));
    }
    Some(())
}

fn put(bytes: &mut Vec<u8>, piece: &[u8]) {
    bytes.extend(u32::try_from(piece.len()).expect("a record is smaller than 4 GiB").to_le_bytes());
    bytes.extend(piece);
}

/// The beginning of `bytes`, as long as the first four bytes of `length` say.
fn piece<'b>(length: &[u8], bytes: &'b [u8]) -> Option<&'b [u8]> {
    let length = u32::from_le_bytes(*length.first_chunk()?);
    bytes.get(..usize::try_from(length).ok()?)
}

fn word(bytes: &[u8]) -> u64 {
    bytes.first_chunk().map_or(0, |word| u64::from_le_bytes(*word))
}

fn sum(bytes: &[u8]) -> [u8; SUM] {
    let digest = Sha256::new_with_prefix(b"strongroom ledger frame 1").chain_update(bytes).finalize();
    *digest.first_chunk().expect("a digest has 32 bytes")
}
