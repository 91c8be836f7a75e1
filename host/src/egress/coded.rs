//! Coded pieces of a response that is only searched: they are handed on as they came, each once what it decodes to has been searched.

use bytes::Bytes;
use std::collections::VecDeque;

#[derive(Debug, Default)]
pub(super) struct Coded {
    /// The pieces, each with how many bytes all up to it decode to, once that is known.
    pieces: VecDeque<(Bytes, Option<u64>)>,
    decoded: u64,
    looked_at: u64,
}

impl Coded {
    /// Keeps a piece that is about to be decoded.
    pub(super) fn keep(&mut self, piece: Bytes) {
        self.settle();
        self.pieces.push_back((piece, None));
    }

    /// What came of it, so far.
    pub(super) fn decoded(&mut self, bytes: usize) {
        self.decoded += bytes as u64;
    }

    /// The last piece has been decoded as far as it goes.
    pub(super) fn settle(&mut self) {
        let decoded = self.decoded;
        if let Some((_, end @ None)) = self.pieces.back_mut() {
            *end = Some(decoded);
        }
    }

    /// So many bytes more have been looked at: gives the pieces that may go.
    pub(super) fn release(&mut self, bytes: usize) -> Option<Bytes> {
        self.looked_at += bytes as u64;
        let mut out = Vec::new();
        while self.pieces.front().is_some_and(|(_, end)| end.is_some_and(|end| end <= self.looked_at)) {
            out.extend_from_slice(&self.pieces.pop_front()?.0);
        }
        (!out.is_empty()).then(|| out.into())
    }

    /// The last piece can't be decoded: it stays here.
    pub(super) fn drop_last(&mut self) {
        if matches!(self.pieces.back(), Some((_, None))) {
            self.pieces.pop_back();
        }
    }

    /// So many bytes at the end of the last piece decode to nothing: they stay here.
    pub(super) fn shorten(&mut self, bytes: usize) {
        if let Some((piece, None)) = self.pieces.back_mut() {
            piece.truncate(piece.len().saturating_sub(bytes));
        }
    }

    /// All of it has been looked at: gives what is left.
    pub(super) fn rest(&mut self) -> Option<Bytes> {
        self.settle();
        self.release(usize::try_from(self.decoded - self.looked_at).unwrap_or(usize::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_goes_when_all_that_it_decodes_to_has_been_looked_at() {
        let mut coded = Coded::default();
        coded.keep(Bytes::from_static(b"ab"));
        coded.decoded(10);
        assert_eq!(coded.release(10), None, "it may decode to more");
        coded.keep(Bytes::from_static(b"cd"));
        assert_eq!(coded.release(0).as_deref(), Some(&b"ab"[..]));
        coded.decoded(5);
        assert_eq!(coded.release(4), None);
        assert_eq!(coded.rest().as_deref(), Some(&b"cd"[..]));
        assert_eq!(coded.rest(), None);
    }
}
