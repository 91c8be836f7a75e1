//! Content codings (RFC 9110 8.4.1) undone as a stream, a bounded piece at a time whatever the input expands to.
//!
//! What follows a coding that has ended is left out, as gzip(1) and browsers do, unless it is another member or frame.

use crate::policy::charset;
use bytes::{Buf, Bytes};
use compression_codecs::core::util::{PartialBuffer, WriteBuffer};
use compression_codecs::{BrotliDecoder, DecodeV2, DeflateDecoder, GzipDecoder, ZlibDecoder, ZstdDecoder};

/// Most decoded bytes of one step.
const STEP: usize = 64 * 1024;

/// Most codings of one answer, one over the other.
pub(super) const MOST: usize = 3;

/// An answer's coding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

/// Undoes one coding.
pub(super) struct Decoder {
    coding: Coding,
    decoder: Option<Box<dyn DecodeV2 + Send>>,
    input: Bytes,
    /// A member or frame has ended; another may follow.
    between: bool,
    begun: bool,
    /// Nothing follows that belongs to the coding.
    over: bool,
    /// The last step filled the buffer: the decoder may hold more.
    full: bool,
    buffer: Vec<u8>,
}

/// Undoes the codings of an answer, the outermost first.
pub(super) struct Decoders {
    layers: Vec<Decoder>,
    /// Bytes between two layers that nobody has counted yet.
    unfolded: usize,
}

impl Coding {
    /// The coding by its name in `Content-Encoding`; `Ok(None)` is no coding, `Err` one that can't be undone.
    fn named(name: &str) -> Result<Option<Self>, ()> {
        let name = name.trim().to_ascii_lowercase();
        match name.as_str() {
            "gzip" | "x-gzip" => Ok(Some(Self::Gzip)),
            "deflate" => Ok(Some(Self::Deflate)),
            "br" => Ok(Some(Self::Brotli)),
            "zstd" => Ok(Some(Self::Zstd)),
            name if NOTHING.contains(&name) => Ok(None),
            // A charset is told here by mistake; one that is read as it is changes nothing.
            name if charset::is_plain(&name.chars().filter(char::is_ascii_alphanumeric).collect::<String>()) => Ok(None),
            _ => Err(()),
        }
    }

    /// The codings that are listed, in the order in which they were applied.
    pub(super) fn listed(names: &str) -> Result<Vec<Self>, ()> {
        let codings = names.split(',').filter_map(|name| Self::named(name).transpose()).collect::<Result<Vec<Self>, ()>>()?;
        if codings.len() > MOST { Err(()) } else { Ok(codings) }
    }

    /// Whether bytes that follow a member or frame begin another; `None` where too few have come.
    fn goes_on(self, bytes: &[u8]) -> Option<bool> {
        let (magic, skippable): (&[u8], bool) = match self {
            Self::Gzip => (&[0x1f, 0x8b, 8], false),
            Self::Zstd => (&[0x28, 0xb5, 0x2f, 0xfd], true),
            Self::Deflate | Self::Brotli => return Some(false),
        };
        let begins = |with: &[u8]| bytes.iter().zip(with).all(|(byte, with)| byte == with);
        let skipped = skippable && begins(&[bytes[0], 0x2a, 0x4d, 0x18]) && bytes[0] & 0xf0 == 0x50;
        match begins(magic) || skipped {
            true if bytes.len() < magic.len() => None,
            goes_on => Some(goes_on),
        }
    }
}

/// Names that say nothing of the bytes: no coding at all, how mail writes them, and framing that is undone when they are stored.
const NOTHING: &[&str] =
    &["", "identity", "none", "null", "undefined", "7bit", "8bit", "binary", "text", "plain", "aws-chunked", "amz-1.0"];

impl Decoders {
    /// What undoes codings that were applied in this order; `None` where there are none.
    pub(super) fn new(codings: &[Coding]) -> Option<Self> {
        let layers: Vec<Decoder> = codings.iter().rev().map(|coding| Decoder::new(*coding)).collect();
        (!layers.is_empty()).then_some(Self { layers, unfolded: 0 })
    }

    /// Takes the next piece in. Call only when [`Decoders::step`] has nothing more to give.
    pub(super) fn feed(&mut self, piece: Bytes) {
        self.layers[0].feed(piece);
    }

    /// Appends the next decoded bytes to `out`, if a step gives some; false where it wants more input.
    pub(super) fn step(&mut self, out: &mut Vec<u8>) -> std::io::Result<bool> {
        for layer in (0..self.layers.len()).rev() {
            let mut piece = Vec::new();
            let is_last = layer + 1 == self.layers.len();
            if self.layers[layer].step(if is_last { out } else { &mut piece })? {
                self.hand_down(layer + 1, piece);
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn hand_down(&mut self, layer: usize, piece: Vec<u8>) {
        if !piece.is_empty() {
            self.unfolded += piece.len();
            self.layers[layer].feed(piece.into());
        }
    }

    /// Bytes between two layers since the last call: what is coded twice may expand twice.
    pub(super) fn unfolded(&mut self) -> usize {
        std::mem::take(&mut self.unfolded)
    }

    /// How many bytes of the last piece follow the codings and may be something else: all that the piece has, where they follow one that
    /// stands under another.
    pub(super) fn left(&self) -> usize {
        let is_padding = |layer: &Decoder| layer.input.iter().all(|byte| matches!(byte, 0 | b' ' | b'\t' | b'\r' | b'\n'));
        match self.layers.iter().rposition(|layer| layer.over && !is_padding(layer)) {
            None => 0,
            Some(0) => self.layers[0].input.len(),
            Some(_) => usize::MAX,
        }
    }

    /// Appends what is left at the end of the input; an error where a coding was cut short.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) -> std::io::Result<()> {
        for layer in 0..self.layers.len() {
            let mut piece = Vec::new();
            let is_last = layer + 1 == self.layers.len();
            self.layers[layer].finish(if is_last { out } else { &mut piece })?;
            self.hand_down(layer + 1, piece);
        }
        Ok(())
    }
}

impl Decoder {
    fn new(coding: Coding) -> Self {
        let (input, buffer) = (Bytes::new(), vec![0; STEP]);
        Self { coding, decoder: None, input, between: false, begun: false, over: false, full: false, buffer }
    }

    fn feed(&mut self, piece: Bytes) {
        // What followed the coding has been looked at.
        if self.over {
            self.input.clear();
        }
        self.input = if self.input.is_empty() { piece } else { [self.input.as_ref(), &piece].concat().into() };
    }

    fn step(&mut self, out: &mut Vec<u8>) -> std::io::Result<bool> {
        if self.full && self.flush(out)? {
            return Ok(true);
        }
        // Two bytes tell the two kinds of `deflate` apart.
        if self.over || self.input.is_empty() || (!self.begun && self.coding == Coding::Deflate && self.input.len() < 2) {
            return Ok(false);
        }
        if self.between {
            match self.coding.goes_on(&self.input) {
                None => return Ok(false),
                Some(false) => {
                    self.over = true;
                    return Ok(false);
                }
                Some(true) => self.decoder()?.reinit()?,
            }
            self.between = false;
        }
        let mut input = self.input.clone();
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut source = PartialBuffer::new(input.as_ref());
        let mut sink = WriteBuffer::new_initialized(&mut buffer);
        let ended = self.decoder()?.decode(&mut source, &mut sink);
        let (decoded, consumed) = (sink.written_len(), source.written_len());
        // What was decoded before an error is as good as what came before it.
        out.extend_from_slice(&buffer[..decoded]);
        self.buffer = buffer;
        input.advance(consumed);
        self.input = input;
        self.between = ended?;
        self.full = decoded == STEP && !self.between;
        Ok(decoded > 0 || consumed > 0)
    }

    /// Appends what the decoder holds though it has had its input; whether there was something.
    fn flush(&mut self, out: &mut Vec<u8>) -> std::io::Result<bool> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut sink = WriteBuffer::new_initialized(&mut buffer);
        let done = self.decoder()?.flush(&mut sink);
        let written = sink.written_len();
        out.extend_from_slice(&buffer[..written]);
        self.buffer = buffer;
        self.full = !done? && written == STEP;
        Ok(written > 0)
    }

    fn finish(&mut self, out: &mut Vec<u8>) -> std::io::Result<()> {
        while self.step(out)? {}
        if !self.begun || self.between {
            return Ok(());
        }
        let mut buffer = vec![0; STEP];
        loop {
            let mut sink = WriteBuffer::new_initialized(&mut buffer);
            let done = self.decoder()?.finish(&mut sink)?;
            let written = sink.written_len();
            out.extend_from_slice(&buffer[..written]);
            if done {
                return Ok(());
            }
            if written == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    fn decoder(&mut self) -> std::io::Result<&mut Box<dyn DecodeV2 + Send>> {
        if !self.begun {
            self.begun = true;
            let is_zlib = matches!(*self.input, [a, b, ..] if a & 0x0f == 8 && (u16::from(a) << 8 | u16::from(b)) % 31 == 0);
            self.decoder = Some(match self.coding {
                Coding::Gzip => Box::new(GzipDecoder::new()),
                Coding::Deflate if is_zlib => Box::new(ZlibDecoder::new()),
                Coding::Deflate => Box::new(DeflateDecoder::new()),
                Coding::Brotli => Box::new(BrotliDecoder::new()),
                Coding::Zstd => Box::new(ZstdDecoder::new()),
            });
        }
        self.decoder.as_mut().ok_or_else(|| std::io::Error::other("the decoder is gone"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two members, the first of them empty, made by gzip.
    const MEMBERS: &[u8] =
        b"\x1f\x8b\x08\0\0\0\0\0\x02\x03\x03\0\0\0\0\0\0\0\0\0\x1f\x8b\x08\0\0\0\0\0\0\x03\x01\x02\0\xfd\xffhi\xac\x2a\x93\xd8\x02\0\0\0";

    /// What is decoded of an input in pieces, and whether it ended in order.
    fn undone(codings: &[Coding], input: &[u8], size: usize) -> (Vec<u8>, bool) {
        let mut decoders = Decoders::new(codings).expect("a coding");
        let mut out = Vec::new();
        let mut whole = || {
            for piece in input.chunks(size) {
                decoders.feed(Bytes::copy_from_slice(piece));
                while decoders.step(&mut out)? {}
            }
            decoders.finish(&mut out)
        };
        let ended = whole().is_ok();
        (out, ended)
    }

    #[test]
    fn members_follow_each_other_and_what_is_none_is_left_out() {
        for size in [1, 2, 3, 7, 1000] {
            assert_eq!(undone(&[Coding::Gzip], MEMBERS, size), (b"hi".to_vec(), true), "{size}");
            for garbage in [&b"\r\n"[..], b"\0\0\0\0", b"\x1f", b"\x1f\x8b", b"PK\x03\x04 and more"] {
                assert_eq!(undone(&[Coding::Gzip], &[MEMBERS, garbage].concat(), size), (b"hi".to_vec(), true), "{garbage:?}");
            }
            let (cut, ended) = undone(&[Coding::Gzip], &MEMBERS[..MEMBERS.len() - 3], size);
            assert_eq!((&cut[..], ended), (&b"hi"[..], false), "a member that is cut short is an error behind what it held");
        }
    }

    #[test]
    fn names_that_say_nothing_are_no_codings_and_others_are_refused() {
        for nothing in ["", " ", "identity", "none", "UTF-8", "utf8", "aws-chunked", "binary, identity", "us-ascii", ","] {
            assert_eq!(Coding::listed(nothing), Ok(Vec::new()), "{nothing:?}");
        }
        assert_eq!(Coding::listed("aws-chunked,gzip"), Ok(vec![Coding::Gzip]));
        assert_eq!(Coding::listed("br, gzip"), Ok(vec![Coding::Brotli, Coding::Gzip]));
        for other in ["compress", "x-rot13", "gzip, base64", "utf-16", "gzip gzip", "gzip,gzip,gzip,gzip"] {
            assert_eq!(Coding::listed(other), Err(()), "{other}");
        }
    }
}
