//! Writers for people: what reaches a terminal is harmless to it.

use std::io::{self, Write};

/// Escapes control characters and bidirectional overrides on their way to `inner`; line feeds and tabs stay.
pub(super) struct Escaped<W: Write> {
    inner: W,
    /// The beginning of a character whose end has not come yet.
    part: Vec<u8>,
}

impl<W: Write> Escaped<W> {
    pub(super) fn new(inner: W) -> Self {
        Self { inner, part: Vec::new() }
    }
}

impl<W: Write> Write for Escaped<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.part.extend_from_slice(bytes);
        let whole = match std::str::from_utf8(&self.part) {
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            _ => self.part.len(),
        };
        let text: Vec<u8> = self.part.drain(..whole).collect();
        self.inner.write_all(strongroom::text::lines_for_people(&String::from_utf8_lossy(&text)).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_spelled_out_and_characters_survive_any_split() {
        let text = "é\x1b[2Jü\n";
        let mut out = Vec::new();
        let mut escaped = Escaped::new(&mut out);
        for byte in text.as_bytes() {
            escaped.write_all(&[*byte]).expect("a vector takes everything");
        }
        assert_eq!(String::from_utf8(out).expect("text"), "é\\u{1b}[2Jü\n");
    }
}
