//! Secrets that begin with no keyword: blocks of PEM, numbers in a list, keys told by their checksum.

use super::validators::{base58, is_checked};
use std::ops::Range;

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
