//! What a signature says of the body.

use super::{Refused, key};
use crate::text::hex;
use std::borrow::Cow;

/// What is signed of the body, as `x-amz-content-sha256` says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payload {
    /// Its SHA-256.
    Hash([u8; 32]),
    /// `UNSIGNED-PAYLOAD`
    Unsigned,
    /// `STREAMING-AWS4-HMAC-SHA256-PAYLOAD`: chunks, each with a signature.
    Streaming,
    /// `STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER`: the same, with trailers that have one too.
    StreamingTrailer,
    /// `STREAMING-UNSIGNED-PAYLOAD-TRAILER`: chunks and trailers without signatures.
    StreamingUnsignedTrailer,
}

impl Payload {
    pub(super) const HEADER: &str = "x-amz-content-sha256";

    const NAMED: [(&str, Self); 4] = [
        ("UNSIGNED-PAYLOAD", Self::Unsigned),
        ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", Self::Streaming),
        ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", Self::StreamingTrailer),
        ("STREAMING-UNSIGNED-PAYLOAD-TRAILER", Self::StreamingUnsignedTrailer),
    ];

    pub(super) fn read(text: &str) -> Result<Self, Refused> {
        if text.starts_with("STREAMING-AWS4-ECDSA-") {
            return Err(Refused::Version4a);
        }
        let named = Self::NAMED.into_iter().find(|(name, _)| *name == text).map(|(_, payload)| payload);
        named.or_else(|| key::digest(text).map(Self::Hash)).ok_or(Refused::Payload)
    }

    /// As the request and the canonical request have it.
    pub(super) fn text(&self) -> Cow<'static, str> {
        match self {
            Self::Hash(hash) => Cow::Owned(hex(hash)),
            named => Cow::Borrowed(Self::NAMED.iter().find(|(_, payload)| payload == named).map_or("", |(name, _)| name)),
        }
    }

    /// Whether the body consists of chunks.
    pub fn is_chunked(&self) -> bool {
        !matches!(self, Self::Hash(_) | Self::Unsigned)
    }

    pub(super) fn has_trailers(&self) -> bool {
        matches!(self, Self::StreamingTrailer | Self::StreamingUnsignedTrailer)
    }
}
