//! Secrets that begin with no keyword: phrases of words, blocks of PEM, numbers in a list, keys told by their checksum.

use super::validators::{base58, is_checked};
use bip39::Language;
use sha2::{Digest, Sha256};
use std::ops::Range;
use std::sync::OnceLock;

pub(super) const MNEMONIC: usize = 0;
pub(super) const PEM: usize = 1;
pub(super) const WIF: usize = 2;
pub(super) const KEYPAIR: usize = 3;
pub(super) const BYTES: usize = 4;
pub(super) const COUNT: usize = 5;

const NAMES: [&str; COUNT] = ["mnemonic", "pem", "wif", "solana-keypair", "byte-array"];

/// Most bytes of 64 numbers in a list.
const LIST: usize = 64 * 5 + 2;

pub(super) fn named(name: &str) -> Option<usize> {
    NAMES.iter().position(|known| *known == name)
}

/// The names of fields that a detector's values stand under.
pub(super) fn names_of(detector: usize) -> &'static [&'static str] {
    if detector == KEYPAIR { &["privatekey", "secretkey", "privkey", "keypair", "walletkey", "walletsecret", "secret"] } else { &[] }
}

/// The expression of a detector that is a rule with names.
pub(super) fn expression(name: &str) -> Option<&'static str> {
    (name == NAMES[KEYPAIR]).then_some("[1-9A-HJ-NP-Za-km-z]{86,88}")
}

/// The head of a private key in PEM (RFC 7468), OpenSSH's and OpenPGP's.
pub(super) fn pem(text: &[u8], at: usize) -> Option<Range<usize>> {
    let line = &text[at..text.len().min(at + 64)];
    let label = line.strip_prefix(b"-----BEGIN ")?;
    let end = memchr::memmem::find(label, b"-----")?;
    let label = &label[..end];
    let is_private = label.ends_with(b"PRIVATE KEY") || label == b"PGP PRIVATE KEY BLOCK";
    is_private.then_some(at..at + b"-----BEGIN ".len() + end + 5)
}

/// Where a block of PEM ends, from `from` on; `None` where its last line has not come.
pub(crate) fn pem_end(text: &[u8], from: usize) -> Option<usize> {
    let end = from + memchr::memmem::find(&text[from..], b"-----END ")? + b"-----END ".len();
    let line = &text[end..text.len().min(end + 64)];
    let line_end = memchr::memchr(b'\n', line);
    match memchr::memmem::find(&line[..line_end.unwrap_or(line.len())], b"-----") {
        Some(dashes) => Some(end + dashes + 5),
        None => line_end.map(|at| end + at).or((line.len() == 64).then_some(end)),
    }
}

/// Whether 51 or 52 letters and digits may stand at `at`.
#[inline]
pub(super) fn may_be_wif(text: &[u8], at: usize) -> bool {
    let is_part = |by: usize| text.get(at + by).is_some_and(u8::is_ascii_alphanumeric);
    is_part(50) && !(is_part(51) && is_part(52))
}

/// A private key of Bitcoin in wallet import format: 0x80 or 0xef, 32 bytes, perhaps 0x01, and a checksum.
pub(super) fn wif(text: &[u8], at: usize) -> Option<Range<usize>> {
    let length = text[at..].iter().take(53).take_while(|byte| byte.is_ascii_alphanumeric()).count();
    if !(51..=52).contains(&length) {
        return None;
    }
    let bytes = base58(&text[at..at + length])?;
    (matches!(bytes.len(), 37 | 38) && matches!(bytes[0], 0x80 | 0xef) && is_checked(&bytes)).then_some(at..at + length)
}

/// Phrases of BIP-39, in English, that begin in `starts`, in the row of words around `at`. Returns where the row ends: it need not be
/// looked at again before.
pub(super) fn mnemonic(text: &[u8], at: usize, starts: &Range<usize>, mut found: impl FnMut(Range<usize>)) -> usize {
    let is_letter = |at: usize| text.get(at).is_some_and(u8::is_ascii_lowercase);
    let begin =
        if is_letter(at) { at - text[..at].iter().rev().take(8).take_while(|byte| byte.is_ascii_lowercase()).count() } else { at + 1 };
    let Some(word) = word_at(text, begin) else { return at };
    // Back to the first word of the row that may be a beginning.
    let mut first = word.start;
    let mut before = 0;
    while before < MAX_WORDS - 1 && first >= 2 && text[first - 1] == b' ' {
        let length = text[..first - 1].iter().rev().take(9).take_while(|byte| byte.is_ascii_lowercase()).count();
        let start = first - 1 - length;
        if start < starts.start || word_at(text, start).is_none() {
            break;
        }
        (first, before) = (start, before + 1);
    }
    // And forward to the last word that a phrase from here can reach, with room for the words that follow.
    let next = |word: &Range<usize>| (text.get(word.end) == Some(&b' ')).then(|| word_at(text, word.end + 1)).flatten();
    let words: Vec<Range<usize>> = std::iter::successors(word_at(text, first), next).take(before + ROW).collect();
    if words.len() < 12 {
        return words.last().map_or(at, |word| word.end);
    }
    let indices: Vec<u16> = words.iter().map(|word| Words::index(letters(&text[word.clone()]).0)).collect();
    // Of the last words not all that follows is known, where the row was cut.
    let whole = if words.len() < before + ROW { words.len() } else { words.len() - MAX_WORDS };
    for (at, word) in words.iter().enumerate().take(whole).filter(|(_, word)| starts.contains(&word.start)) {
        let fits = |count: &usize| at + count <= words.len() && is_phrase(&indices[at..at + count]);
        if let Some(count) = [24, 21, 18, 15, 12].into_iter().find(fits) {
            found(word.start..words[at + count - 1].end);
        }
    }
    words[whole - 1].end
}

/// Most words of a phrase, and words of a row that are looked at together.
const MAX_WORDS: usize = 24;
const ROW: usize = 200;

/// Whether the last bits of a phrase are the first of the SHA-256 of the others (BIP-39).
fn is_phrase(indices: &[u16]) -> bool {
    let bits = indices.len() * 11;
    let (entropy, sum) = (bits * 32 / 33, bits / 33);
    let bit = |at: usize| u8::from(indices[at / 11] >> (10 - at % 11) & 1 != 0);
    let mut bytes = [0u8; 32];
    for at in 0..entropy {
        bytes[at / 8] |= bit(at) << (7 - at % 8);
    }
    let digest = Sha256::digest(&bytes[..entropy / 8]);
    (0..sum).all(|at| digest[0] >> (7 - at) & 1 == bit(entropy + at))
}

/// The word of the list that begins at `at`, behind something that is no letter.
fn word_at(text: &[u8], at: usize) -> Option<Range<usize>> {
    let (number, length) = letters(text.get(at..)?);
    let begins = !at.checked_sub(1).is_some_and(|before| text[before].is_ascii_alphanumeric());
    let ends = !text.get(at + length).is_some_and(u8::is_ascii_alphanumeric);
    (length >= 3 && begins && ends && Words::hold(number)).then_some(at..at + length)
}

/// The small letters, eight at most, that a text begins with: as a number, and how many.
#[inline]
fn letters(text: &[u8]) -> (u64, usize) {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let mut bytes = [0; 8];
    match text.first_chunk() {
        Some(first) => bytes = *first,
        None => bytes[..text.len()].copy_from_slice(text),
    }
    let number = u64::from_le_bytes(bytes);
    // The high bit of each byte: set where the byte is ASCII and from `a` to `z`.
    let ascii = number & !(0x80 * EACH);
    let small = (ascii + (0x80 - u64::from(b'a')) * EACH) & !(ascii + (0x7f - u64::from(b'z')) * EACH) & !number & (0x80 * EACH);
    let length = (small ^ (0x80 * EACH)).trailing_zeros() / 8;
    let mask = 1u64.checked_shl(8 * length).map_or(u64::MAX, |bit| bit - 1);
    (number & mask, length as usize)
}

/// The 2,048 words as numbers, in a table a quarter full, behind a small bit map: most words of ordinary text fail on that.
struct Words {
    map: Box<[u64; 1 << 9]>,
    slots: Box<[u64; Self::SLOTS]>,
    indices: Box<[u16; Self::SLOTS]>,
}

impl Words {
    const SLOTS: usize = 1 << 13;

    fn new() -> Self {
        let mut words = Self { map: Box::new([0; 1 << 9]), slots: Box::new([0; Self::SLOTS]), indices: Box::new([0; Self::SLOTS]) };
        for (index, word) in (0u16..).zip(Language::English.word_list()) {
            let (number, _) = letters(word.as_bytes());
            let hash = Self::hash(number);
            words.map[hash / 64] |= 1 << (hash % 64);
            if let Some(slot) = Self::probes(hash).find(|slot| words.slots[*slot] == 0) {
                (words.slots[slot], words.indices[slot]) = (number, index);
            }
        }
        words
    }

    fn get() -> &'static Self {
        static WORDS: OnceLock<Words> = OnceLock::new();
        WORDS.get_or_init(Self::new)
    }

    /// Whether the list holds a word.
    #[inline]
    fn hold(number: u64) -> bool {
        let words = Self::get();
        let hash = Self::hash(number);
        words.map[hash / 64] >> (hash % 64) & 1 != 0 && words.slots[words.slot(number)] == number
    }

    /// The index of a word that the list holds.
    fn index(number: u64) -> u16 {
        let words = Self::get();
        words.indices[words.slot(number)]
    }

    /// Where a word is, or would be.
    fn slot(&self, number: u64) -> usize {
        let is = |slot: &usize| self.slots[*slot] == number || self.slots[*slot] == 0;
        Self::probes(Self::hash(number)).find(is).unwrap_or(0)
    }

    /// The slots where a word may be, from the first on.
    fn probes(hash: usize) -> impl Iterator<Item = usize> {
        (0..Self::SLOTS).map(move |next| (hash / 4 + next) % Self::SLOTS)
    }

    fn hash(number: u64) -> usize {
        (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 49) as usize
    }
}

/// A list of exactly 64 numbers of one byte each that begins in `starts`, around `at`: a key pair as Solana's tools write it.
pub(super) fn byte_array(text: &[u8], at: usize, starts: &Range<usize>) -> Option<Range<usize>> {
    let is_part = |byte: u8| byte.is_ascii_digit() || matches!(byte, b',' | b' ');
    let start = if text[at] == b'[' {
        at
    } else {
        let back = text[..at].iter().rev().take(LIST).take_while(|byte| is_part(**byte)).count();
        (at - back).checked_sub(1).filter(|start| text[*start] == b'[')?
    };
    if !starts.contains(&start) {
        return None;
    }
    let length = text[start + 1..].iter().take(2 * LIST).take_while(|byte| is_part(**byte)).count();
    let end = start + 1 + length;
    if text.get(end) != Some(&b']') {
        return None;
    }
    let mut count = 0;
    for number in text[start + 1..end].split(|byte| *byte == b',') {
        std::str::from_utf8(number.trim_ascii()).ok()?.parse::<u8>().ok()?;
        count += 1;
    }
    (count == 64).then_some(start..end + 1)
}
