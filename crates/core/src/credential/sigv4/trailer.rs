//! The trailers of a body in chunks: what the head announces, and what comes.

use super::authorization::single;
use super::{Refused, key};
use http::HeaderMap;

/// The names that `x-amz-trailer` announces, in lower case, without those that have come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Announced(Vec<String>);

/// The most names that are announced: S3 has a checksum.
const MOST: usize = 8;

impl Announced {
    /// # Errors
    /// Where trailers are announced that the payload has not, or none that it has.
    pub(super) fn read(headers: &HeaderMap, has_trailers: bool) -> Result<Self, Refused> {
        let text = single(headers, "x-amz-trailer")?;
        let Some(text) = text.filter(|_| has_trailers) else {
            return if has_trailers || text.is_some() { Err(Refused::Announced) } else { Ok(Self(Vec::new())) };
        };
        let mut names = Vec::new();
        for name in text.split(',').take(MOST + 1) {
            let name = name.trim_matches(' ').to_ascii_lowercase();
            if !is_checksum(&name) || names.contains(&name) || names.len() == MOST {
                return Err(Refused::Announced);
            }
            names.push(name);
        }
        Ok(Self(names))
    }
}

fn is_checksum(name: &str) -> bool {
    let rest = name.strip_prefix("x-amz-checksum-").unwrap_or("");
    !rest.is_empty() && rest.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

/// The trailers while they come.
pub(super) struct Trailers {
    left: Announced,
    /// What is signed of them: `name:value`, each with a line feed.
    signed: Vec<u8>,
}

/// What a line after the final chunk is.
pub(super) enum Line<'l> {
    Trailer,
    /// The digits.
    Signature(&'l str),
}

impl Trailers {
    pub(super) fn new(announced: Announced) -> Self {
        Self { left: announced, signed: Vec::new() }
    }

    /// Takes a line, without its end.
    pub(super) fn take<'l>(&mut self, line: &'l [u8]) -> Result<Line<'l>, Refused> {
        let (name, value) = std::str::from_utf8(line).ok().and_then(|line| line.split_once(':')).ok_or(Refused::Trailer)?;
        if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Refused::Trailer);
        }
        if name == "x-amz-trailer-signature" {
            return Ok(Line::Signature(value));
        }
        let place = self.left.0.iter().position(|left| left == name).ok_or(Refused::Unannounced)?;
        self.left.0.remove(place);
        self.signed.extend_from_slice(line);
        self.signed.push(b'\n');
        Ok(Line::Trailer)
    }

    pub(super) fn are_any(&self) -> bool {
        !self.signed.is_empty()
    }

    /// Whether all have come.
    pub(super) fn are_complete(&self) -> bool {
        self.left.0.is_empty()
    }

    pub(super) fn hash(&self) -> [u8; 32] {
        key::sha256(&self.signed)
    }
}
