//! The line before the data of a chunk: `SIZE;chunk-signature=SIGNATURE`, or `SIZE` alone.

use super::Refused;
use super::key::{DIGITS, Signature};

const EXTENSION: &str = ";chunk-signature=";

/// What a chunk says of itself.
pub(super) struct Frame {
    pub size: u64,
    pub signature: Option<Signature>,
    /// How many bytes its line begins with that stay as they are.
    pub kept: usize,
}

impl Frame {
    /// Reads a line, without its end.
    pub(super) fn read(line: &[u8], signed: bool) -> Result<Self, Refused> {
        let line = std::str::from_utf8(line).map_err(|_| Refused::Chunk)?;
        if !signed {
            return Ok(Self { size: size(line)?, signature: None, kept: line.len() });
        }
        let (digits, signature) = line.split_once(EXTENSION).filter(|(_, signature)| signature.len() == DIGITS).ok_or(Refused::Chunk)?;
        let signature = Signature::read(signature).map_err(|_| Refused::Chunk)?;
        Ok(Self { size: size(digits)?, signature: Some(signature), kept: digits.len() + EXTENSION.len() })
    }
}

/// The size, in hexadecimal digits of either case.
fn size(digits: &str) -> Result<u64, Refused> {
    let right = digits.bytes().all(|byte| byte.is_ascii_hexdigit()) && (digits == "0" || !digits.starts_with('0'));
    right.then(|| u64::from_str_radix(digits, 16).ok()).flatten().ok_or(Refused::ChunkSize)
}
