//! Messages for people (EIP-191, version 0x45). A message that nobody can read is not one: bytes that may be a hash, or are not text, are
//! refused before any pattern is tried.

use super::rlp::Malformed;
use alloy_primitives::{B256, keccak256};

/// Most bytes of a message.
const MAX_LENGTH: usize = 64 * 1024;

/// Why a message is not one that is signed: what was found and where, and what helps. It quotes nothing of the message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found}")]
pub struct Unreadable {
    /// What is wrong with it.
    pub found: String,
    /// What to write instead.
    pub remedy: &'static str,
}

/// Characters that turn up unseen, by the names that people know.
const UNSEEN: &[(char, &str)] = &[
    ('\0', "NUL"),
    ('\r', "a carriage return"),
    ('\u{85}', "a next-line character"),
    ('\u{ad}', "a soft hyphen"),
    ('\u{200b}', "a zero-width space"),
    ('\u{200c}', "a zero-width non-joiner"),
    ('\u{200d}', "a zero-width joiner, as emoji are joined by"),
    ('\u{200e}', "a left-to-right mark"),
    ('\u{200f}', "a right-to-left mark"),
    ('\u{2028}', "a line separator"),
    ('\u{2029}', "a paragraph separator"),
    ('\u{2060}', "a word joiner"),
    ('\u{fe0e}', "a variation selector, as symbols have"),
    ('\u{fe0f}', "a variation selector, as emoji have"),
    ('\u{feff}', "a byte order mark"),
];

/// The text of a message that a person can read.
pub fn readable(message: &[u8]) -> Result<&str, Unreadable> {
    let refuse = |found: String, remedy| Err(Unreadable { found, remedy });
    if message.is_empty() {
        return refuse("the message is empty".to_owned(), "write what is to be signed");
    }
    if message.len() > MAX_LENGTH {
        return refuse(format!("the message has {} bytes, more than 64 KiB", message.len()), "shorten it");
    }
    // Whatever it says: a contract that checks a signature of a hash takes it for one, and a hash of which all bytes are letters can be found.
    if message.len() == 32 {
        let found = "the message has exactly 32 bytes, as a hash has: contracts take its signature for one of a hash".to_owned();
        return refuse(found, "no pattern can allow it; make it a character longer or shorter");
    }
    let text = match std::str::from_utf8(message) {
        Ok(text) => text,
        Err(error) => {
            let found = format!("the message is not UTF-8 text, from byte {} on", error.valid_up_to() + 1);
            return refuse(found, "write it in UTF-8; bytes that stand for something else can't be signed as a message");
        }
    };
    let trimmed = text.trim();
    let digits = trimmed.strip_prefix("0x").or(trimmed.strip_prefix("0X")).unwrap_or(trimmed);
    if digits.len() == 64 && digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        let found = "the message is a hash in hexadecimal digits".to_owned();
        return refuse(found, "no pattern can allow it; say in words what is agreed to");
    }
    // What ends a line for some readers and not for others, or turns the order of characters, would be read otherwise than it is judged.
    match text.char_indices().find(|(_, c)| !matches!(c, '\n' | '\t') && strongroom_ground::text::is_unsafe(*c)) {
        None => Ok(text),
        Some((at, c)) => refuse(
            format!("the message has {}: control characters, and others that no reader shows, are not signed", shown(text, at)),
            if c == '\r' { "end its lines by a line feed alone" } else { "leave the character out: what isn't shown can't be agreed to" },
        ),
    }
}

/// The character at a byte of a text, by its code point, and its place: line and column, both counted from 1, the column in characters.
pub(super) fn shown(text: &str, at: usize) -> String {
    let (before, from) = text.split_at(at);
    let c = from.chars().next().unwrap_or_default();
    let (line, column) = (before.matches('\n').count() + 1, before.rsplit('\n').next().unwrap_or_default().chars().count() + 1);
    let name = UNSEEN.iter().find(|(known, _)| *known == c).map_or_else(String::new, |(_, name)| format!(" ({name})"));
    format!("U+{:04X}{name} in line {line}, column {column}", u32::from(c))
}

/// What is signed of a message.
pub fn signing_hash(message: &[u8]) -> B256 {
    let prefix = format!("\x19Ethereum Signed Message:\n{}", message.len());
    keccak256([prefix.as_bytes(), message].concat())
}

/// Solana's envelope of an off-chain message (version 0, UTF-8): its first byte can't begin a transaction.
pub fn solana_envelope(text: &str) -> Result<Vec<u8>, Malformed> {
    /// What fits into a packet beside the envelope; longer ones are of a format that hardware can't show.
    const MAX: usize = 1_212;
    const ASCII: u8 = 0;
    const UTF8: u8 = 1;
    let length = u16::try_from(text.len()).ok().filter(|length| usize::from(*length) <= MAX);
    let length = length.ok_or(Malformed("an off-chain message has at most 1,212 bytes"))?;
    let format = if text.bytes().all(|b| (0x20..=0x7e).contains(&b)) { ASCII } else { UTF8 };
    Ok([b"\xffsolana offchain".as_slice(), &[0, format], &length.to_le_bytes(), text.as_bytes()].concat())
}
