//! Content codings (RFC 9110 8.4.1) undone as a stream, a bounded piece at a time whatever the input expands to.

use bytes::{Buf, Bytes};
use compression_codecs::core::util::{PartialBuffer, WriteBuffer};
use compression_codecs::{BrotliDecoder, DecodeV2, DeflateDecoder, GzipDecoder, ZlibDecoder, ZstdDecoder};

/// Most decoded bytes of one step.
const STEP: usize = 64 * 1024;

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
    buffer: Vec<u8>,
}

impl Coding {
    /// The coding by its name in `Content-Encoding`; `Ok(None)` is no coding, `Err` one that can't be undone.
    pub(super) fn named(name: &str) -> Result<Option<Self>, ()> {
        match name.trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Ok(None),
            "gzip" | "x-gzip" => Ok(Some(Self::Gzip)),
            "deflate" => Ok(Some(Self::Deflate)),
            "br" => Ok(Some(Self::Brotli)),
            "zstd" => Ok(Some(Self::Zstd)),
            _ => Err(()),
        }
    }
}

impl Decoder {
    pub(super) fn new(coding: Coding) -> Self {
        Self { coding, decoder: None, input: Bytes::new(), between: false, begun: false, buffer: vec![0; STEP] }
    }

    /// Takes the next piece in. Call only when [`Decoder::step`] has nothing more to give.
    pub(super) fn feed(&mut self, piece: Bytes) {
        self.input = if self.input.is_empty() { piece } else { [self.input.as_ref(), &piece].concat().into() };
    }

    /// Appends the next decoded bytes to `out`; false where it wants more input.
    pub(super) fn step(&mut self, out: &mut Vec<u8>) -> std::io::Result<bool> {
        // Two bytes tell the two kinds of `deflate` apart.
        if self.input.is_empty() || (!self.begun && self.coding == Coding::Deflate && self.input.len() < 2) {
            return Ok(false);
        }
        if self.between {
            if !matches!(self.coding, Coding::Gzip | Coding::Zstd) {
                return Err(std::io::Error::other("bytes after the end of the coding"));
            }
            self.decoder()?.reinit()?;
            self.between = false;
        }
        let mut input = self.input.clone();
        let mut buffer = std::mem::take(&mut self.buffer);
        let (decoded, consumed, ended) = {
            let mut source = PartialBuffer::new(input.as_ref());
            let mut sink = WriteBuffer::new_initialized(&mut buffer);
            let ended = self.decoder()?.decode(&mut source, &mut sink)?;
            (sink.written_len(), source.written_len(), ended)
        };
        out.extend_from_slice(&buffer[..decoded]);
        self.buffer = buffer;
        input.advance(consumed);
        self.input = input;
        self.between = ended;
        Ok(decoded > 0 || consumed > 0)
    }

    /// Appends what is left at the end of the input; an error where the coding was cut short.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) -> std::io::Result<()> {
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
