//! The scrubber over a stream: any chunking gives the same output.

use super::{Scrubber, merged};
use std::sync::Arc;

/// Boundaries at which nothing needs to be held back: the end of an event of a stream (SSE), of a line of NDJSON. No pattern
/// crosses them unless a value itself holds a `}` or an empty line; then they are not used.
pub(super) const CUTS: [&[u8]; 4] = [b"\n\n", b"\r\n\r\n", b"}\n", b"}\r\n"];

/// One stream. It holds back between one and two windows, whatever is in them; a window is the longest that an encoded value can
/// take. Letting go only when a whole window has come keeps the cost of a stream linear, however small its chunks.
pub struct Stream {
    scrubber: Arc<Scrubber>,
    /// What is not let go yet, in the source's bytes.
    held: Vec<u8>,
    redacted: u64,
}

impl Stream {
    /// A stream that looks for the scrubber's values.
    #[must_use]
    pub fn new(scrubber: Arc<Scrubber>) -> Self {
        Self { scrubber, held: Vec::new(), redacted: 0 }
    }

    /// Takes a chunk in, and appends to `out` what can be let go.
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) {
        if self.scrubber.is_empty() {
            out.extend_from_slice(chunk);
            return;
        }
        self.held.extend_from_slice(chunk);
        let window = self.scrubber.search.window;
        let mut safe = if self.held.len() >= 2 * window { self.held.len() - window } else { 0 };
        if self.scrubber.search.cuts_hold {
            let new = self.held.len() - chunk.len();
            safe = safe.max(last_cut(&self.held, new.saturating_sub(3)));
        }
        if safe > 0 {
            self.let_go(safe, out);
        }
    }

    /// Ends the stream: lets everything go, without a trailing fragment of a value.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        let held = std::mem::take(&mut self.held);
        match self.scrubber.scrub(&held) {
            None => out.extend_from_slice(&held),
            Some(scrubbed) => {
                self.redacted += 1;
                out.extend_from_slice(&scrubbed);
            }
        }
    }

    /// How many findings were replaced so far.
    #[must_use]
    pub fn redacted(&self) -> u64 {
        self.redacted
    }

    /// Lets go what begins before `safe`; a finding that crosses it goes as a whole.
    fn let_go(&mut self, safe: usize, out: &mut Vec<u8>) {
        let findings = merged(self.scrubber.findings(&self.held));
        let crossing = findings.iter().find(|finding| finding.at.contains(&safe)).map(|finding| finding.at.end);
        let end = crossing.unwrap_or(safe);
        self.redacted += findings.iter().filter(|finding| finding.at.start < safe).count() as u64;
        self.scrubber.replace(&self.held, &findings, 0..end, out);
        self.held.drain(..end);
    }
}

/// The end of the last boundary that ends at or after `from`.
fn last_cut(text: &[u8], from: usize) -> usize {
    CUTS.iter().filter_map(|cut| memchr::memmem::rfind(&text[from..], cut).map(|at| from + at + cut.len())).max().unwrap_or(0)
}
