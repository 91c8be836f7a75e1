//! The forms of one value that a search looks for. Escapings are not among them: the views undo those.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use std::ops::Range;
use zeroize::Zeroizing;

/// Least bytes of a pattern: shorter pieces turn up by chance.
const LEAST: usize = 6;

/// One form of one value.
pub(super) struct Pattern {
    /// The form's bytes; matched in any letter case.
    pub(super) bytes: Zeroizing<Vec<u8>>,
    /// The value's index.
    pub(super) value: usize,
    /// Whether this is the value itself.
    pub(super) is_raw: bool,
    /// Least bytes of its beginning that give 64 bits of the value away.
    pub(super) least: usize,
    /// Whether one more base64 character on either side holds bits of the value.
    shares_first: bool,
    shares_last: bool,
}

impl Pattern {
    /// The match with the base64 characters beside it that still hold bits of the value.
    pub(super) fn widened(&self, text: &[u8], found: Range<usize>) -> Range<usize> {
        let is_base64 = |at: usize| text.get(at).is_some_and(|b| b.is_ascii_alphanumeric() || b"+/-_".contains(b));
        let start = found.start - usize::from(self.shares_first && found.start > 0 && is_base64(found.start - 1));
        let end = found.end + usize::from(self.shares_last && is_base64(found.end));
        start..end
    }

    /// How much of the text's end is the beginning of this pattern, if that carries at least 64 bits.
    pub(super) fn longest_prefix_at_end_of(&self, text: &[u8]) -> Option<usize> {
        let least = self.least;
        if text.len() < least {
            return None;
        }
        if self.bytes.len() < least {
            return None;
        }
        let first = self.bytes[0];
        let tail = &text[text.len().saturating_sub(self.bytes.len())..=text.len() - least];
        let begins = memchr::memchr2_iter(first.to_ascii_lowercase(), first.to_ascii_uppercase(), tail);
        let offset = text.len().saturating_sub(self.bytes.len());
        begins.map(|at| text.len() - offset - at).find(|length| text[text.len() - length..].eq_ignore_ascii_case(&self.bytes[..*length]))
    }
}

/// All forms of a value. `in_basic` adds those of its base64, as `Authorization: Basic` carries it.
pub(super) fn of(value: usize, bytes: &[u8], in_basic: bool) -> Vec<Pattern> {
    let mut forms = Vec::new();
    add_forms(&mut forms, value, bytes, true, guessable(bytes));
    // A value of several lines is also looked for line by line: what carries it may break or indent lines anew.
    if bytes.contains(&b'\n') {
        for line in bytes.split(|b| *b == b'\n').map(<[u8]>::trim_ascii).filter(|line| line.len() >= 16 && !line.starts_with(b"-----")) {
            // The first of them begins as all keys of its kind do: no part of a line counts as a fragment.
            add(&mut forms, line.to_vec(), value, false, usize::MAX, (false, false));
        }
    }
    if in_basic {
        for alignment in 0..3 {
            let (coded, _) = base64_at(bytes, alignment, false);
            let known = guessable(bytes) * 4 / 3 + 2;
            add_forms(&mut forms, value, &Zeroizing::new(coded), false, known);
        }
    }
    forms
}

/// A value as it is, reversed, and in hex, base32 and base64. Its first `known` bytes are no secret.
fn add_forms(forms: &mut Vec<Pattern>, value: usize, bytes: &[u8], is_raw: bool, known: usize) {
    let least = known + fragment(bits_per_byte(bytes));
    let reversed_least = if bytes.starts_with(b"-----BEGIN") { usize::MAX } else { fragment(bits_per_byte(bytes)) };
    let in_base64 = |bytes: usize| bytes.saturating_mul(8).div_ceil(6);
    add(forms, bytes.to_vec(), value, is_raw, least, (false, false));
    add(forms, bytes.iter().rev().copied().collect(), value, false, reversed_least, (false, false));
    add(forms, hex(bytes), value, false, least.saturating_mul(2), (false, false));
    add(forms, base32(bytes), value, false, least.saturating_mul(8).div_ceil(5), (false, false));
    for alignment in 0..3 {
        for url_safe in [false, true] {
            let (form, shares) = base64_at(bytes, alignment, url_safe);
            add(forms, form, value, false, in_base64(least), shares);
        }
    }
}

fn add(forms: &mut Vec<Pattern>, form: Vec<u8>, value: usize, is_raw: bool, least: usize, shares: (bool, bool)) {
    let bytes = Zeroizing::new(form);
    let known = forms.iter().any(|known: &Pattern| known.bytes.eq_ignore_ascii_case(&bytes));
    if bytes.len() >= LEAST && !known {
        forms.push(Pattern { bytes, value, is_raw, least, shares_first: shares.0, shares_last: shares.1 });
    }
}

/// How many bytes at the beginning of a value anyone can guess: the name of its kind, the header of a token or a key. Were they
/// counted as a fragment's, a guest could guess a value on from there, one character at a time, by what is taken out.
fn guessable(value: &[u8]) -> usize {
    const LONG: &[&[u8]] = &[b"pypi-AgEIcHlwaS5vcmc", b"pypi-AgENdGVzdC5weXBpLm9yZw"];
    if value.starts_with(b"-----BEGIN") {
        return usize::MAX / 16;
    }
    if value.starts_with(b"eyJ") {
        // A JWT's header and claims can be guessed, its signature can't.
        return value.iter().rposition(|b| *b == b'.').map_or(value.len(), |at| at + 1);
    }
    let long = LONG.iter().find(|prefix| value.starts_with(prefix)).map(|prefix| prefix.len());
    let name = value[..value.len() / 2].iter().rposition(|b| b"_-.:/".contains(b)).map_or(0, |at| at + 1);
    // Kinds without a separator (AKIA…, AIza…) have names of four letters.
    long.unwrap_or(name).max(4)
}

/// The base64 characters that depend on the value alone when it begins `alignment` bytes into a group of three, and whether a
/// character on either side depends on it too.
fn base64_at(bytes: &[u8], alignment: usize, url_safe: bool) -> (Vec<u8>, (bool, bool)) {
    let mut padded = Zeroizing::new(vec![0; alignment]);
    padded.extend_from_slice(bytes);
    let coded = if url_safe { URL_SAFE_NO_PAD.encode(&*padded) } else { STANDARD_NO_PAD.encode(&*padded) };
    let coded = Zeroizing::new(coded.into_bytes());
    let first = (alignment * 8).div_ceil(6);
    let last = padded.len() * 8 / 6;
    let shares = (alignment > 0, !(padded.len() * 8).is_multiple_of(6));
    (coded[first.min(last)..last].to_vec(), shares)
}

fn hex(bytes: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|b| [DIGITS[usize::from(b >> 4)], DIGITS[usize::from(b & 15)]]).collect()
}

/// RFC 4648 base32, without the last character where it is shared with what follows.
fn base32(bytes: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut out = Vec::with_capacity(bytes.len() * 8 / 5);
    let (mut held, mut bits) = (0u32, 0);
    for byte in bytes {
        held = held << 8 | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            out.push(DIGITS[(held >> bits & 31) as usize]);
        }
        held &= (1 << bits) - 1;
    }
    out
}

/// Least bytes that carry 64 bits.
fn fragment(bits_per_byte: f64) -> usize {
    (1..=64).find(|length| f64::from(*length) * bits_per_byte >= 64.0).map_or(64, |length: u32| length as usize)
}

/// An estimate of the random bits in one byte, from the characters that the value is made of.
fn bits_per_byte(bytes: &[u8]) -> f64 {
    if bytes.iter().all(u8::is_ascii_digit) {
        10f64.log2()
    } else if bytes.iter().filter(|b| !b.is_ascii_hexdigit()).count() * 3 <= bytes.len() && !bytes.iter().any(u8::is_ascii_uppercase) {
        4.0
    } else {
        62f64.log2()
    }
}
