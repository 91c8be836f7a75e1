//! A body whose SHA-256 was signed.

use super::Refused;
use sha2::{Digest, Sha256};

/// Holds a body to its hash while it passes: the last piece is let go once all of it is known to be what was signed. Whoever receives
/// another body never has the end of it.
pub struct BodyHash<P> {
    expected: [u8; 32],
    hasher: Sha256,
    held: Option<P>,
}

impl<P: AsRef<[u8]>> BodyHash<P> {
    pub fn new(expected: [u8; 32]) -> Self {
        Self { expected, hasher: Sha256::new(), held: None }
    }

    /// Takes a piece, and lets the one before it go. Nothing is copied.
    pub fn push(&mut self, piece: P) -> Option<P> {
        // An empty piece would take the place of the last bytes.
        if piece.as_ref().is_empty() {
            return None;
        }
        self.hasher.update(piece.as_ref());
        self.held.replace(piece)
    }

    /// The body has ended: the last piece, if there was any.
    ///
    /// # Errors
    /// Where it was another body. The request must be aborted then, not ended.
    pub fn finish(self) -> Result<Option<P>, Refused> {
        let found: [u8; 32] = self.hasher.finalize().into();
        if found == self.expected { Ok(self.held) } else { Err(Refused::OtherBody) }
    }
}
