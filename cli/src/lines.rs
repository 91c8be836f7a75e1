//! What many agents write on one stream: whole lines, each with its agent and its run before it.

use std::io::{self, Write};

/// The longest piece of a line that waits for its end.
const MOST: usize = 64 * 1024;

/// What one run writes.
pub(super) struct Lines<W: Write> {
    inner: W,
    /// What stands before each line.
    before: Vec<u8>,
    /// A line whose end has not come yet.
    begun: Vec<u8>,
}

impl<W: Write> Lines<W> {
    pub(super) fn new(inner: W, agent: &str, run: &str) -> Self {
        Self { inner, before: before(agent, run).into_bytes(), begun: Vec::new() }
    }

    /// A line in one write, so that no other stands within it.
    fn put(&mut self, line: &[u8]) -> io::Result<()> {
        self.inner.write_all(&[&self.before, line, b"\n"].concat())
    }
}

/// What stands before each line of a run.
pub(super) fn before(agent: &str, run: &str) -> String {
    format!("{agent} {run} | ")
}

impl<W: Write> Write for Lines<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.begun.extend_from_slice(bytes);
        let waiting = std::mem::take(&mut self.begun);
        let (whole, rest) = waiting.split_at(waiting.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1));
        let mut written = Ok(());
        for line in whole.split_inclusive(|byte| *byte == b'\n') {
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            written = written.and_then(|()| self.put(line.strip_suffix(b"\r").unwrap_or(line)));
        }
        let mut pieces = rest.chunks_exact(MOST);
        for piece in pieces.by_ref() {
            written = written.and_then(|()| self.put(piece));
        }
        self.begun = pieces.remainder().to_vec();
        written.map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<W: Write> Drop for Lines<W> {
    /// A last line without an end is one all the same.
    fn drop(&mut self) {
        let last = std::mem::take(&mut self.begun);
        if !last.is_empty() {
            let _ = self.put(&last).and_then(|()| self.flush());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_has_its_run_before_it_however_it_is_cut() {
        let mut out = Vec::new();
        for pieces in [&["one\ntwo", " more\n", "", "\nlast"][..], &["one\ntwo more\n\nlast"], &["o", "ne\n", "two more\n\n", "las", "t"]] {
            let mut lines = Lines::new(&mut out, "bot", "r-1");
            pieces.iter().for_each(|piece| lines.write_all(piece.as_bytes()).expect("a vector takes everything"));
        }
        let whole = "bot r-1 | one\nbot r-1 | two more\nbot r-1 | \nbot r-1 | last\n";
        assert_eq!(String::from_utf8(out).expect("text"), whole.repeat(3));
    }

    #[test]
    fn a_line_without_an_end_is_cut_and_kept_no_longer() {
        let mut out = Vec::new();
        let mut lines = Lines::new(&mut out, "bot", "r-1");
        (0..3).for_each(|_| lines.write_all(&[b'x'; MOST / 2 + 1]).expect("a vector takes everything"));
        assert!(lines.begun.len() < MOST);
        drop(lines);
        let longest = out.split(|byte| *byte == b'\n').map(<[u8]>::len).max();
        assert_eq!((longest, out.iter().filter(|byte| **byte == b'x').count()), (Some(MOST + 10), 3 * (MOST / 2 + 1)));
    }
}
