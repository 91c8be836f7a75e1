//! The encodings that forms are made of: each a function of bytes, read character by character.

/// One encoding of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    Plain,
    Reversed,
    /// Two digits for each byte.
    Hex,
    /// RFC 4648: `bits` of each character, of bytes that begin `lead` bytes into a group.
    Based {
        bits: u8,
        lead: u8,
        alphabet: Alphabet,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alphabet {
    Base64,
    Base64Url,
    Base32,
}

impl Alphabet {
    const fn digits(self) -> &'static [u8] {
        match self {
            Self::Base64 => b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
            Self::Base64Url => b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
            Self::Base32 => b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567",
        }
    }
}

impl Coding {
    /// The characters that depend on the bytes alone, of `length` bytes.
    #[inline]
    pub(super) fn length(self, length: usize) -> usize {
        match self {
            Self::Plain | Self::Reversed => length,
            Self::Hex => length * 2,
            Self::Based { bits, lead, .. } => {
                let (bits, lead) = (usize::from(bits), usize::from(lead));
                ((lead + length) * 8 / bits).saturating_sub((lead * 8).div_ceil(bits))
            }
        }
    }

    /// Character `at` of the encoding of `length` bytes.
    #[inline]
    pub(super) fn char_at(self, at: usize, length: usize, byte: impl Fn(usize) -> u8) -> u8 {
        match self {
            Self::Plain => byte(at),
            Self::Reversed => byte(length - 1 - at),
            Self::Hex => {
                let half = if at.is_multiple_of(2) { byte(at / 2) >> 4 } else { byte(at / 2) & 15 };
                HEX[usize::from(half)]
            }
            Self::Based { bits, lead, alphabet } => {
                let (bits, lead) = (usize::from(bits), usize::from(lead) * 8);
                let first = lead.div_ceil(bits) * bits - lead + at * bits;
                let (whole, over) = (first / 8, first % 8);
                let high = u16::from(byte(whole)) << 8;
                let low = if over + bits > 8 { u16::from(byte(whole + 1)) } else { 0 };
                let digit = (high | low) >> (16 - over - bits) & ((1 << bits) - 1);
                alphabet.digits()[usize::from(digit)]
            }
        }
    }

    /// Writes the first characters, as many as there is room for; no more than [`Coding::length`] says.
    pub(super) fn begin(self, bytes: &[u8], out: &mut [u8]) {
        match self {
            Self::Plain => out.copy_from_slice(&bytes[..out.len()]),
            Self::Reversed => out.iter_mut().zip(bytes.iter().rev()).for_each(|(out, byte)| *out = *byte),
            Self::Hex => out.iter_mut().zip(Encoded::new(self, bytes.iter().copied())).for_each(|(out, char)| *out = char),
            Self::Based { bits: 6, lead, alphabet } => begin::<6>(lead, alphabet.digits(), bytes, out),
            Self::Based { lead, alphabet, .. } => begin::<5>(lead, alphabet.digits(), bytes, out),
        }
    }

    /// Whether a character before, or after, holds bits of the bytes too.
    pub(super) fn shares(self, length: usize) -> (bool, bool) {
        match self {
            Self::Based { bits, lead, .. } => {
                let (bits, lead) = (usize::from(bits), usize::from(lead));
                (!(lead * 8).is_multiple_of(bits), !((lead + length) * 8).is_multiple_of(bits))
            }
            _ => (false, false),
        }
    }
}

const HEX: &[u8; 16] = b"0123456789abcdef";

pub(super) const BASE64: [Coding; 3] = [base64(0, Alphabet::Base64), base64(1, Alphabet::Base64), base64(2, Alphabet::Base64)];
pub(super) const BASE64_URL: [Coding; 3] = [base64(0, Alphabet::Base64Url), base64(1, Alphabet::Base64Url), base64(2, Alphabet::Base64Url)];

const fn base64(lead: u8, alphabet: Alphabet) -> Coding {
    Coding::Based { bits: 6, lead, alphabet }
}

pub(super) const fn base32(lead: u8) -> Coding {
    Coding::Based { bits: 5, lead, alphabet: Alphabet::Base32 }
}

/// The characters of an encoding, one after the other; the last one may hold bits of what follows.
pub(super) struct Encoded<I> {
    coding: Coding,
    bytes: I,
    held: usize,
    count: u32,
}

impl<I: Iterator<Item = u8>> Encoded<I> {
    pub(super) fn new(coding: Coding, mut bytes: I) -> Self {
        let (mut held, mut count) = (0, 0);
        if let Coding::Based { bits, lead, .. } = coding {
            let lead = u32::from(lead) * 8;
            let skipped = lead.next_multiple_of(u32::from(bits)) - lead;
            if skipped > 0 {
                (held, count) = (usize::from(bytes.next().unwrap_or(0)), 8 - skipped);
            }
        }
        Self { coding, bytes, held, count }
    }
}

impl<I: Iterator<Item = u8>> Iterator for Encoded<I> {
    type Item = u8;

    #[inline]
    fn next(&mut self) -> Option<u8> {
        let (bits, digits): (u32, &[u8]) = match self.coding {
            Coding::Plain | Coding::Reversed => return self.bytes.next(),
            Coding::Hex => (4, HEX),
            Coding::Based { bits, alphabet, .. } => (u32::from(bits), alphabet.digits()),
        };
        if self.count < bits {
            (self.held, self.count) = (self.held << 8 | usize::from(self.bytes.next()?), self.count + 8);
        }
        self.count -= bits;
        Some(digits[self.held >> self.count & ((1 << bits) - 1)])
    }
}

/// Writes the first characters of `BITS` each, of bytes that begin `lead` bytes into a group.
#[inline]
fn begin<const BITS: u32>(lead: u8, digits: &[u8], bytes: &[u8], out: &mut [u8]) {
    let lead = u32::from(lead) * 8;
    // The bits of the first byte that belong to a character before it.
    let mut at = lead.next_multiple_of(BITS) - lead;
    for out in out {
        let (whole, over) = ((at / 8) as usize, at % 8);
        let low = if over + BITS > 8 { bytes[whole + 1] } else { 0 };
        let two = u32::from(bytes[whole]) << 8 | u32::from(low);
        *out = digits[(two >> (16 - over - BITS) & ((1 << BITS) - 1)) as usize];
        at += BITS;
    }
}

/// What an encoding makes of bytes, as far as it depends on them alone.
pub(super) fn encoded(bytes: &[u8], coding: Coding) -> Vec<u8> {
    (0..coding.length(bytes.len())).map(|at| coding.char_at(at, bytes.len(), |at| bytes[at])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Coding; 14] = {
        let [a, b, c] = BASE64;
        let [d, e, f] = BASE64_URL;
        [Coding::Plain, Coding::Reversed, Coding::Hex, a, b, c, d, e, f, base32(0), base32(1), base32(2), base32(3), base32(4)]
    };

    #[test]
    fn the_beginning_of_an_encoding_is_the_beginning_of_all_of_it() {
        for length in 1..40u8 {
            let bytes: Vec<u8> = (0..length).map(|at| at.wrapping_mul(151).wrapping_add(length)).collect();
            for coding in ALL {
                let all = encoded(&bytes, coding);
                for most in 0..=all.len() {
                    let mut begun = vec![0; most];
                    coding.begin(&bytes, &mut begun);
                    assert_eq!(begun, all[..most], "{most} of {length} bytes in {coding:?}");
                }
            }
        }
    }

    #[test]
    fn what_base64_wrote_has_none_of_the_digits_that_alphabets_differ_in_when_it_is_encoded_again() {
        for alphabet in [Alphabet::Base64, Alphabet::Base64Url] {
            for digits in alphabet.digits().windows(3).map(<[u8]>::to_vec).chain([b"//+".to_vec(), b"__-".to_vec()]) {
                for (one, other) in BASE64.into_iter().zip(BASE64_URL) {
                    assert_eq!(encoded(&digits, one), encoded(&digits, other));
                }
            }
        }
    }
}
