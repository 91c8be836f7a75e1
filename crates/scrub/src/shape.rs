//! What a value's forms are made of, as far as it may show: which bytes, and where a break may stand in them. Where a text is cut depends on
//! this and on the text's own shape, never on how far the two agree.

use super::forms::{Origin, Piece};
use super::views;

/// How much of a form's beginning is looked at.
pub(super) const BEGINNING: usize = LONGEST_NAME + TELLING;
/// Bytes of a value that no guest is to hold.
pub(super) const TELLING: usize = 8;
/// Longest beginning of words, as names of kinds are (`sk-ant-api03-`), that tells nothing.
const LONGEST_NAME: usize = 13;

/// Characters that stand in encodings, and in escapes of them.
const CODED: &[u8] = b"+/-_%\\&#;=\0";
/// What joins words.
const JOINTS: &[u8] = b"-_./~+=";

/// A set of bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Bytes([u64; 4]);

/// What the forms of one value, or of all values of an agent, are made of.
#[derive(Debug, Clone, Default)]
pub(super) struct Shape {
    /// Bytes of it, parts and all.
    pub(super) all: Bytes,
    /// Bytes of what is looked for in one piece only, and may be broken over lines.
    pub(super) run: Bytes,
    /// Whether a form, once its name is off, may begin as words do.
    pub(super) is_worded: bool,
    /// Whether a brace stands in what may be broken over lines.
    pub(super) has_brace: bool,
    /// Whether an event may end within what is looked for in one piece only.
    pub(super) has_cut: bool,
    /// Length of the longest piece that is no text.
    pub(super) binary: usize,
    /// Length of the shortest piece.
    pub(super) shortest: Option<usize>,
}

impl Bytes {
    pub(super) fn has(&self, byte: u8) -> bool {
        self.0[usize::from(byte >> 6)] >> (byte & 63) & 1 != 0
    }

    fn insert(&mut self, byte: u8) {
        self.0[usize::from(byte >> 6)] |= 1 << (byte & 63);
    }

    /// These in either letter case.
    fn of(bytes: impl IntoIterator<Item = u8>) -> Self {
        // The second word holds the bytes from `@` on: bit 1 is `A`, and 32 bits above it is `a`.
        const UPPER: u64 = 0x07ff_fffe;
        let mut set = Self::default();
        bytes.into_iter().for_each(|byte| set.insert(byte));
        set.0[1] |= (set.0[1] & UPPER) << 32 | set.0[1] >> 32 & UPPER;
        set
    }

    fn without(mut self, bytes: &[u8]) -> Self {
        bytes.iter().for_each(|byte| self.0[usize::from(byte >> 6)] &= !(1 << (byte & 63)));
        self
    }

    fn merge(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(bits, more)| *bits |= more);
    }

    /// What encodings are made of.
    pub(super) fn coded() -> Self {
        Self::of((0..=127u8).filter(u8::is_ascii_alphanumeric).chain(CODED.iter().copied()))
    }
}

/// Both sets in one.
pub(super) fn joined(mut one: Bytes, other: &Bytes) -> Bytes {
    one.merge(other);
    one
}

impl Shape {
    /// The shape of a value in these pieces, some form of which begins as words do, or none.
    pub(super) fn of(pieces: &[Piece], is_worded: bool) -> Self {
        let mut shape = Self { is_worded, ..Self::default() };
        let has_texts = pieces.iter().any(|piece| piece.origin == Origin::Text);
        for piece in pieces {
            shape.add(piece, has_texts);
        }
        shape
    }

    fn add(&mut self, piece: &Piece, has_texts: bool) {
        let bytes = piece.as_bytes();
        self.shortest = Some(self.shortest.unwrap_or(usize::MAX).min(bytes.len()));
        // What is no text by its first bytes is told by that, and makes no other byte a part of a value.
        if piece.origin == Origin::Bytes && !is_text(&bytes[..bytes.len().min(TELLING)]) {
            self.binary = self.binary.max(bytes.len());
            return;
        }
        let all = Bytes::of(bytes.iter().copied());
        self.all.merge(&all);
        let by_its_parts = piece.is_json() && has_texts || bytes.contains(&b'\n') && piece.has_lines();
        match piece.origin {
            // The strings in it are looked for by themselves.
            Origin::JsonLine => {}
            _ if by_its_parts => {}
            // A text is broken at a blank, not behind it.
            Origin::Line => self.add_run(all.without(b" \t:")),
            _ => {
                self.add_run(all);
                self.has_cut |= holds_cut(bytes.trim_ascii());
            }
        }
    }

    fn add_run(&mut self, bytes: Bytes) {
        self.has_brace |= bytes.has(b'}');
        self.run.merge(&bytes);
    }

    /// That of several values: of these and one more.
    pub(super) fn merged(mut self, more: &Self) -> Self {
        self.all.merge(&more.all);
        self.run.merge(&more.run);
        self.is_worded |= more.is_worded;
        self.has_brace |= more.has_brace;
        self.has_cut |= more.has_cut;
        self.binary = self.binary.max(more.binary);
        self.shortest = self.shortest.into_iter().chain(more.shortest).min();
        self
    }
}

/// Whether an event of a stream may end within a text.
fn holds_cut(text: &[u8]) -> bool {
    memchr::memchr2_iter(b'\r', b'\n', text).any(|at| views::is_empty_line(text, at) || at > 0 && text[at - 1] == b'}')
}

/// Whether bytes are the end of a text in UTF-8, the first and the last character of which may be cut through.
pub(super) fn is_text(bytes: &[u8]) -> bool {
    let start = bytes.iter().take(3).take_while(|byte| **byte & 0xc0 == 0x80).count();
    let is_control = |byte: &u8| byte.is_ascii_control() && !matches!(byte, b'\t' | b'\n' | b'\r');
    let text = &bytes[start..];
    std::str::from_utf8(text).err().is_none_or(|error| error.error_len().is_none()) && !text.iter().any(is_control)
}

/// Whether a run of characters is made as words and short numbers are. What is not stays so, whatever stands around it.
pub(super) fn is_plain(run: &[u8]) -> bool {
    let is_word = |part: &[u8]| {
        let letters = part.iter().all(u8::is_ascii_alphabetic) && part.iter().skip(1).all(u8::is_ascii_lowercase);
        let short = part.len() < TELLING && (part.iter().all(u8::is_ascii_uppercase) || part.iter().all(u8::is_ascii_digit));
        letters || short
    };
    let is_escaped = || run.windows(3).any(|unit| unit[0] == b'=' && unit[1..].iter().all(u8::is_ascii_hexdigit));
    run.split(|byte| JOINTS.contains(byte)).all(is_word) && !is_escaped()
}

/// Whether a form, once its name is off where it has one, may begin as words do.
pub(super) fn begins_as_words(beginning: &[u8], as_it_is: bool) -> bool {
    let ends_name = |at: &usize| b"-_.:/".contains(&beginning[*at]) && is_name(&beginning[..*at]);
    let name = (0..beginning.len().min(LONGEST_NAME)).rev().find(|at| as_it_is && ends_name(at)).map_or(0, |at| at + 1);
    let rest = &beginning[name..];
    is_plain(&rest[..rest.len().min(TELLING)])
}

fn is_name(text: &[u8]) -> bool {
    let is_word = |part: &[u8]| {
        part.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()) || part.iter().all(u8::is_ascii_alphabetic)
    };
    text.split(|byte| !byte.is_ascii_alphanumeric()).all(is_word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_plain_and_keys_are_not() {
        for plain in ["", "finished", "Hello", "msg=hello", "exit-code-7", "wasmtime-environ", "OK", "2026-11-28", "utf-8", "EOF."] {
            assert!(is_plain(plain.as_bytes()), "{plain}");
        }
        for other in ["9f8e7d6c", "cGZfbGl2", "OBTF63DJ", "OBTFGRDJ", "=70=66=5F", "12345678", "%70%66", "tok0tok1", "a;b", "\0p"] {
            assert!(!is_plain(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn a_name_of_a_kind_tells_nothing_and_words_behind_it_do() {
        for (beginning, worded) in
            [("pf_live_9f8e7d6c5b4a", false), ("sk-ant-api03-Xy7Kq2mZ", false), ("correct-horse-battery", true), ("pf_live_abcdefgh", true)]
        {
            assert_eq!(begins_as_words(beginning.as_bytes(), true), worded, "{beginning}");
        }
        assert!(begins_as_words(b"abcdefgh-9f8e7d6c5b4", false), "an encoding has no name");
    }

    #[test]
    fn bytes_are_told_from_text() {
        for text in ["", "hello", "größe\n", "\r\n\t 你好"] {
            assert!(is_text(text.as_bytes()), "{text}");
        }
        assert!(is_text(&"größe".as_bytes()[..3]) && is_text(&"größe".as_bytes()[3..]), "a character may be cut through");
        for bytes in [&b"ab\x01c"[..], b"a\xffb", b"\x7f", b"ab\xc3("] {
            assert!(!is_text(bytes), "{bytes:?}");
        }
    }
}
