//! Bodies that a signature says something of: their bytes are held to it as they leave, and chunks that are signed are signed anew.

use crate::credential::sigv4::{Body, BodyHash, Chunks, Refused};
use bytes::Bytes;

/// What a body is held to.
pub(super) enum SignedBody {
    Hash(BodyHash<Bytes>),
    Chunks(Box<Chunks>),
}

impl SignedBody {
    /// `None` where the signature says nothing.
    pub(super) fn of(body: Body) -> Option<Self> {
        match body {
            Body::Free => None,
            Body::Hash(expected) => Some(Self::Hash(BodyHash::new(expected))),
            Body::Chunks(chunks) => Some(Self::Chunks(chunks)),
        }
    }

    /// What may leave of a piece and of what was held back.
    pub(super) fn push(&mut self, piece: Bytes) -> Result<Bytes, Refused> {
        match self {
            Self::Hash(hash) => Ok(hash.push(piece).unwrap_or_default()),
            Self::Chunks(chunks) => {
                let mut out = Vec::with_capacity(piece.len());
                chunks.push(&piece, &mut out)?;
                Ok(out.into())
            }
        }
    }

    /// The last of it.
    pub(super) fn finish(self) -> Result<Bytes, Refused> {
        match self {
            Self::Hash(hash) => hash.finish().map(Option::unwrap_or_default),
            Self::Chunks(chunks) => {
                let mut out = Vec::new();
                chunks.finish(&mut out)?;
                Ok(out.into())
            }
        }
    }
}
