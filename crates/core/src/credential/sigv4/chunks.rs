//! A body in chunks (`aws-chunked`): read as it comes, held to its signatures, and signed anew. A chunk's signature stands before its data, so a
//! signed chunk is kept until all of it is verified; an unsigned one passes at once. What ends the body is let go by [`Chunks::finish`] alone:
//! whoever receives another body than was signed never has the end of it. Its length doesn't change.

use super::frame::Frame;
use super::key::{Signature, SigningKey};
use super::trailer::{Announced, Line, Trailers};
use super::{Refused, key};
use crate::text::hex;
use sha2::{Digest, Sha256};

/// The largest signed chunk that is kept, in bytes. SDKs make them of 64 KiB to 1 MiB.
pub const MAX_CHUNK: u64 = 2 << 20;

/// The longest line before a chunk, with its end.
const MAX_LINE: usize = 128;
/// The longest line of a trailer, with its end.
const MAX_TRAILER: usize = 1024;

/// What chunks are verified and signed with: a key, and the signature before.
pub(super) struct Keys {
    /// Time and scope, as the text to sign has them.
    pub prefix: String,
    pub guest: (SigningKey, Signature),
    pub real: (SigningKey, Signature),
}

/// A body in chunks, on its way from the guest to the server.
pub struct Chunks {
    keys: Option<Keys>,
    state: State,
    trailers: Trailers,
    /// What is still to come of the data.
    left: u64,
    /// The line that is being read.
    line: Vec<u8>,
    /// What is ready and not let go: a signed chunk, or the end of the body.
    held: Vec<u8>,
    received: u64,
    sent: u64,
}

enum State {
    /// In the line before a chunk.
    Head,
    /// In its data, of which so much is to come; with its signature, the place of that in `held`, and the digest, where it is signed.
    Data {
        left: u64,
        signed: Option<(Signature, usize, Sha256)>,
    },
    /// In the line end after its data, of which so many bytes have come.
    DataEnd {
        seen: usize,
        signed: Option<(Signature, usize, Sha256)>,
    },
    /// After the final chunk: trailers, then an empty line.
    Trailers {
        signed: bool,
    },
    End,
    Broken(Refused),
}

impl Chunks {
    pub(super) fn new(keys: Option<Keys>, decoded_length: u64, announced: Announced) -> Self {
        let (trailers, state) = (Trailers::new(announced), State::Head);
        Self { keys, state, trailers, left: decoded_length, line: Vec::new(), held: Vec::new(), received: 0, sent: 0 }
    }

    /// Takes bytes as they come, in pieces of any size, and adds to `out` what may leave.
    ///
    /// # Errors
    /// Where the body is not what was signed, or malformed: then, and from then on. The request must be aborted, not ended.
    pub fn push(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Refused> {
        self.received += bytes.len() as u64;
        let before = out.len();
        while !bytes.is_empty() {
            if let Err(refused) = self.step(&mut bytes, out) {
                self.state = State::Broken(refused.clone());
                self.held.clear();
                return Err(refused);
            }
        }
        self.sent += (out.len() - before) as u64;
        Ok(())
    }

    /// The body has ended: adds its end to `out`.
    ///
    /// # Errors
    /// Where it has not ended well.
    pub fn finish(mut self, out: &mut Vec<u8>) -> Result<(), Refused> {
        match self.state {
            State::End => {}
            State::Broken(refused) => return Err(refused),
            _ => return Err(Refused::Truncated),
        }
        self.sent += self.held.len() as u64;
        out.append(&mut self.held);
        debug_assert_eq!(self.received, self.sent, "signatures have one length");
        Ok(())
    }

    /// One step in the body; takes at least one byte.
    fn step(&mut self, bytes: &mut &[u8], out: &mut Vec<u8>) -> Result<(), Refused> {
        match std::mem::replace(&mut self.state, State::End) {
            State::Head => {
                self.state = State::Head;
                if self.line(bytes, MAX_LINE, Refused::Chunk)? {
                    self.head(out)?;
                }
            }
            State::Data { left, mut signed } => {
                let (data, rest) = bytes.split_at(bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX)));
                *bytes = rest;
                match &mut signed {
                    Some((_, _, hasher)) => {
                        hasher.update(data);
                        self.held.extend_from_slice(data);
                    }
                    None => out.extend_from_slice(data),
                }
                let left = left - data.len() as u64;
                self.state = if left > 0 { State::Data { left, signed } } else { State::DataEnd { seen: 0, signed } };
            }
            State::DataEnd { seen, signed } => {
                let (byte, rest) = bytes.split_first().ok_or(Refused::Chunk)?;
                if *byte != b"\r\n"[seen] {
                    return Err(Refused::Chunk);
                }
                *bytes = rest;
                if seen == 0 {
                    self.state = State::DataEnd { seen: 1, signed };
                    return Ok(());
                }
                if let Some((signature, place, hasher)) = signed {
                    self.sign_chunk(&signature, place, &hasher.finalize().into())?;
                }
                self.held.extend_from_slice(b"\r\n");
                out.append(&mut self.held);
                self.state = State::Head;
            }
            State::Trailers { signed } => {
                self.state = State::Trailers { signed };
                if self.line(bytes, MAX_TRAILER, Refused::Trailer)? {
                    self.trailer(signed)?;
                }
            }
            State::End => return Err(Refused::AfterEnd),
            State::Broken(refused) => return Err(refused),
        }
        Ok(())
    }

    /// Reads on in a line; says whether it is whole, and then leaves it in `self.line` without its end.
    fn line(&mut self, bytes: &mut &[u8], longest: usize, malformed: Refused) -> Result<bool, Refused> {
        let end = memchr::memchr(b'\n', bytes);
        let (part, rest) = bytes.split_at(end.map_or(bytes.len(), |end| end + 1));
        if self.line.len() + part.len() > longest {
            return Err(malformed);
        }
        self.line.extend_from_slice(part);
        *bytes = rest;
        if end.is_none() {
            return Ok(false);
        }
        self.line.truncate(self.line.len() - 1);
        if self.line.pop() == Some(b'\r') { Ok(true) } else { Err(malformed) }
    }

    /// The line before a chunk is whole.
    fn head(&mut self, out: &mut Vec<u8>) -> Result<(), Refused> {
        let frame = Frame::read(&self.line, self.keys.is_some())?;
        if self.keys.is_some() && frame.size > MAX_CHUNK {
            return Err(Refused::LargeChunk);
        }
        self.left = self.left.checked_sub(frame.size).ok_or(Refused::DecodedLength)?;
        let place = self.held.len() + frame.kept;
        self.held.append(&mut self.line);
        self.held.extend_from_slice(b"\r\n");
        if frame.size == 0 {
            return self.last(&frame, place);
        }
        let signed = frame.signature.map(|signature| (signature, place, Sha256::new()));
        if signed.is_none() {
            out.append(&mut self.held);
        }
        self.state = State::Data { left: frame.size, signed };
        Ok(())
    }

    /// The final chunk, which has no data: what follows it, and all of it, is kept to the end.
    fn last(&mut self, frame: &Frame, place: usize) -> Result<(), Refused> {
        if self.left > 0 {
            return Err(Refused::DecodedLength);
        }
        if let Some(signature) = &frame.signature {
            self.sign_chunk(signature, place, &key::sha256(b""))?;
        }
        self.state = State::Trailers { signed: false };
        Ok(())
    }

    /// A line after the final chunk is whole.
    fn trailer(&mut self, signed: bool) -> Result<(), Refused> {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            return self.end(signed);
        }
        // The signature of the trailers is the last of them.
        if signed {
            return Err(Refused::Trailer);
        }
        let place = self.held.len();
        self.held.extend_from_slice(&line);
        self.held.extend_from_slice(b"\r\n");
        if let Line::Signature(digits) = self.trailers.take(&line)? {
            let signature = Signature::read(digits).map_err(|_| Refused::Trailer)?;
            self.sign_trailers(&signature, place + line.len() - digits.len())?;
            self.state = State::Trailers { signed: true };
        }
        Ok(())
    }

    fn end(&mut self, signed: bool) -> Result<(), Refused> {
        if !self.trailers.are_complete() {
            return Err(Refused::Unannounced);
        }
        if self.keys.is_some() && !signed && self.trailers.are_any() {
            return Err(Refused::TrailerMismatch);
        }
        self.held.extend_from_slice(b"\r\n");
        self.state = State::End;
        Ok(())
    }

    /// Verifies the signature of a chunk, and writes the real one in its place.
    fn sign_chunk(&mut self, signature: &Signature, place: usize, hash: &[u8; 32]) -> Result<(), Refused> {
        let hashes = [hex(&key::sha256(b"")), hex(hash)].join("\n");
        let right = self.sign("AWS4-HMAC-SHA256-PAYLOAD", signature, place, &hashes);
        if right { Ok(()) } else { Err(Refused::ChunkMismatch) }
    }

    fn sign_trailers(&mut self, signature: &Signature, place: usize) -> Result<(), Refused> {
        let hash = hex(&self.trailers.hash());
        let right =
            self.trailers.are_complete() && self.trailers.are_any() && self.sign("AWS4-HMAC-SHA256-TRAILER", signature, place, &hash);
        if right { Ok(()) } else { Err(Refused::TrailerMismatch) }
    }

    /// Each signature goes on from the one before. Says whether the guest's is right.
    fn sign(&mut self, algorithm: &str, signature: &Signature, place: usize, hashes: &str) -> bool {
        let Some(keys) = &mut self.keys else { return false };
        let text = |before: &Signature| [algorithm, &keys.prefix, &before.text(), hashes].join("\n");
        if !keys.guest.0.verify(text(&keys.guest.1).as_bytes(), signature) {
            return false;
        }
        let real = keys.real.0.sign(text(&keys.real.1).as_bytes());
        keys.guest.1 = *signature;
        keys.real.1 = real;
        let digits = real.text();
        self.held[place..place + digits.len()].copy_from_slice(digits.as_bytes());
        true
    }
}
