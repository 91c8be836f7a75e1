//! The last word of a response, which may be a value cut short.
//!
//! A server that cuts an echo off in the middle of a value shows its beginning. Comparing that beginning with the value would tell a guest
//! how far a guess is right, and counting from behind what anyone can guess does not help: many kinds of keys begin with an account's or a
//! key's public id, and nothing in a value says where that ends. So nothing is compared here. What a response ends with is taken out by its
//! shape alone: a word that may carry 64 random bits, whatever it is.

use super::views::View;
use super::{Finding, Subject};

/// Least characters of a word that may carry 64 bits: of letters and digits, of hexadecimal digits, of decimal digits.
const LEAST: usize = 11;
const LEAST_HEX: usize = 16;
const LEAST_DECIMAL: usize = 20;
/// Least characters, in parts of letters and digits or of both cases, by which a word is told from words of a language.
const LEAST_MIXED: usize = 6;
/// Longest beginning of words, as names of kinds are (`sk-ant-api03-`), that does not make a value one of words.
const LONGEST_NAME: usize = 13;
/// Least length of a line that may go on in the next one.
const LEAST_LINE: usize = 16;
/// Most blanks behind a line break that belong to it.
const INDENT: usize = 16;

/// Which bytes the last word is made of, and whether words of a language count. Both depend on what values an agent has, not on what
/// stands in a text.
#[derive(Debug, Clone)]
pub(super) struct Word {
    is_part: [bool; 256],
    /// Values are written in words: then ordinary words count, too.
    has_words: bool,
}

impl Word {
    /// The last word of texts that hold no value.
    pub(super) fn new() -> Self {
        let is_part = |byte| u8::try_from(byte).is_ok_and(|byte| byte.is_ascii_alphanumeric() || b"+/-_.~".contains(&byte));
        Self { is_part: std::array::from_fn(is_part), has_words: false }
    }

    /// The last word of texts that may hold these values, too, each as text.
    pub(super) fn also<'v>(&self, values: impl Iterator<Item = &'v [u8]>) -> Self {
        let mut word = self.clone();
        for value in values {
            value.iter().for_each(|byte| word.is_part[usize::from(*byte)] = true);
            word.has_words |= is_worded(value);
        }
        word
    }
}

/// What of `text`, from `from` on, is its last word, no further back than `window`, if that may be a value cut short.
pub(super) fn last_word(word: &Word, window: usize, text: &[u8], from: usize) -> Option<Finding> {
    if text.last().is_none_or(u8::is_ascii_whitespace) {
        return None;
    }
    let from = from.max(text.len().saturating_sub(window));
    let start = in_pairs(&text[from..]).into_iter().chain(in_units(word, &text[from..])).min()?;
    Some(Finding { at: from + start..text.len(), subject: Subject::End, plain: false, tail: None })
}

/// Where the last word begins, each of its characters as it is or escaped in some way.
fn in_units(word: &Word, text: &[u8]) -> Option<usize> {
    let mut at = tail(word, text);
    // An equals sign ends a word, unless it escapes, as others do, or fills base64 up.
    let is_quoted = text[at..].windows(3).filter(|unit| unit[0] == b'=' && unit[1..].iter().all(u8::is_ascii_hexdigit)).count() > 1;
    let fill = text.len() - text.iter().rev().take_while(|byte| **byte == b'=').count();
    let (mut start, mut shown) = (at, Vec::new());
    while at < text.len() {
        let byte = text[at];
        let is_fill = at >= fill;
        let is_escape = byte != b'=' || is_quoted;
        let (unit, length) = match View::first(text, at, byte).filter(|_| is_escape && !is_fill) {
            Some((unit, length, _)) => (unit, length),
            None => (Some(byte), 1),
        };
        at += length;
        match unit {
            None => {}
            Some(_) if is_fill => {}
            Some(unit) if word.is_part[usize::from(unit)] || word.is_part[usize::from(byte)] => shown.push(unit),
            // What was escaped twice shows an escape.
            Some(b'%' | b'\\' | b'&') if length > 1 => {}
            Some(_) => {
                start = at;
                shown.clear();
            }
        }
    }
    (may_carry(&shown) && (word.has_words || is_mixed(&shown))).then_some(start)
}

/// Where the part of a text begins that its last word may stand in: up to a blank, or a line that is too short to go on.
fn tail(word: &Word, text: &[u8]) -> usize {
    let may_be_part = |byte: &u8| word.is_part[usize::from(*byte)] || matches!(byte, b'%' | b'\\' | b'&' | b'#' | b';' | b'=' | 0);
    let mut at = text.len();
    loop {
        let line = text[..at].iter().rev().take_while(|byte| may_be_part(byte)).count();
        if at < text.len() && line < LEAST_LINE {
            return at + text[at..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        }
        let start = at - line;
        let indent = text[..start].iter().rev().take(INDENT).take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        let end = &text[..start - indent];
        let Some(before) = end.strip_suffix(b"\n").map(|end| end.strip_suffix(b"\r").unwrap_or(end)) else { return start };
        at = before.len();
    }
}

/// Where hexadecimal digits in pairs or fours begin that stand apart (`61 62 63`, `0x61, 0x62`) up to the end.
fn in_pairs(text: &[u8]) -> Option<usize> {
    let (mut at, mut start, mut digits) = (text.len(), text.len(), 0);
    loop {
        let count = text[..at].iter().rev().take_while(|byte| byte.is_ascii_hexdigit()).count();
        // The last one may be cut short.
        let is_group = matches!(count, 2 | 4) || at == text.len() && count <= 4;
        if !is_group {
            break;
        }
        digits += count;
        start = at - count;
        start -= [b"0x", b"\\x"].iter().find(|prefix| text[..start].ends_with(**prefix)).map_or(0, |prefix| prefix.len());
        let apart = text[..start].iter().rev().take(2).take_while(|byte| b" :,-_".contains(byte)).count();
        if apart == 0 {
            break;
        }
        at = start - apart;
    }
    (digits >= LEAST_HEX).then_some(start)
}

/// What joins words, and stands in base64 and in names of keys.
const JOINTS: &[u8] = b"-_./~+";

/// Whether characters may carry 64 random bits.
fn may_carry(shown: &[u8]) -> bool {
    telling_length(shown).is_some()
}

/// How many of the first characters may carry 64 random bits; all further ones may only carry more.
fn telling_length(shown: &[u8]) -> Option<usize> {
    let (mut count, mut decimal, mut hex) = (0, true, true);
    shown
        .iter()
        .position(|byte| {
            if !JOINTS.contains(byte) {
                count += 1;
                decimal &= byte.is_ascii_digit();
                hex &= byte.is_ascii_hexdigit();
            }
            let least = if decimal {
                LEAST_DECIMAL
            } else if hex {
                LEAST_HEX
            } else {
                LEAST
            };
            count >= least
        })
        .map(|last| last + 1)
}

/// Whether this is made otherwise than words and shorter numbers are.
fn is_mixed(shown: &[u8]) -> bool {
    let is_word = |part: &&[u8]| {
        let letters = part.iter().all(u8::is_ascii_alphabetic);
        let one_case = part.iter().all(u8::is_ascii_uppercase) || part.iter().skip(1).all(u8::is_ascii_lowercase);
        letters && one_case || part.len() < LEAST_DECIMAL && part.iter().all(u8::is_ascii_digit)
    };
    let parts = shown.split(|byte| JOINTS.contains(byte));
    parts.filter(|part| !is_word(part)).map(<[u8]>::len).sum::<usize>() >= LEAST_MIXED
}

/// Whether the beginning of a value may carry 64 bits and yet be made as words are.
fn is_worded(value: &[u8]) -> bool {
    let is_word = |part: &[u8]| {
        part.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()) || part.iter().all(u8::is_ascii_alphabetic)
    };
    let ends_name = |at: &usize| b"-_.:/".contains(&value[*at]) && value[..*at].split(|byte| !byte.is_ascii_alphanumeric()).all(is_word);
    let name = (0..value.len().min(LONGEST_NAME)).rev().find(ends_name).map_or(0, |at| at + 1);
    let rest = &value[name..];
    // What is mixed stays so, however it goes on: only the shortest such beginning has to be looked at.
    telling_length(rest).is_some_and(|length| !is_mixed(&rest[..length]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Known, Search};
    use std::sync::Arc;

    fn ends(value: &str, text: &str) -> Option<String> {
        let search = Search::new(vec![Arc::new(Known::new(value.as_bytes(), false))], None);
        last_word(&search.word, search.window, text.as_bytes(), 0).map(|finding| text[..finding.at.start].to_owned())
    }

    const VALUE: &str = "pf_live_0a1b2c3d4e5f60718293a4b5c6d7e8f9";

    #[test]
    fn what_may_carry_64_bits_is_a_last_word_whatever_it_is() {
        for (before, word) in [
            ("cut: ", "pf_live_9f8e7d6c5b"),
            ("cut: ", "zz_live_0000000a00"),
            ("cut: ", "550e8400-e29b-41d4-a716"),
            ("a=", "SGVsbG8gd29ybGQh"),
            ("a=", "SGVsbG8gd29ybGQhIQ=="),
            ("", "%70%66%5f%6c%69%76%65%5f%39%66%38%65%37%64"),
            ("", "\\u0070f\\u005flive\\u005f9f8e7d6c"),
            ("<b>", "&#112;&#102;&#95;live&#x5f;9f8e7d6c5b"),
            ("key: ", "=70=66=5F=6C=69=76=65=5F=39=66=38=65=37=64"),
            ("key: ", "p\x00f\x00_\x00l\x00i\x00v\x00e\x00_\x009\x00f\x008\x00e\x007\x00d\x00"),
            ("key: ", "70 66 5f 6c 69 76 65 5f 39"),
            ("key: ", "0x70, 0x66, 0x5f, 0x6c, 0x69, 0x76, 0x65, 0x5f, 0x3"),
            ("key: ", "70:66:5f:6c:69:76:65:5f:39"),
            ("key:\n", "cGZfbGl2ZV85ZjhlN2Q2\nYzVi"),
        ] {
            assert_eq!(ends(VALUE, &format!("{before}{word}")).as_deref(), Some(before), "{before}{word}");
        }
    }

    #[test]
    fn ordinary_ends_stay() {
        for text in [
            "",
            "ok",
            "Unauthorized",
            "not found.",
            "{\"a\":\"9f8e7d6c5b4a39281706f5e4d3c2b1a0\"}",
            "2026-11-28T22:24:09.123Z",
            "203.0.113.77",
            "1795904406123456789",
            "v1.2.3-beta.4",
            "<p>9f8e7d6c5b4a39281706f5e4</p>\n",
            "report-2026-final.pdf",
            "a b c d e f 1 2 3 4 5",
            "9f8e7d6c5b4a39281706f5e4\n",
            "pf_live_",
            "https://docs.example.com/errors",
            "scope=read%20write&token_type=bearer",
            "internationalization",
        ] {
            assert_eq!(ends(VALUE, text), None, "{text}");
        }
    }

    #[test]
    fn values_of_words_make_words_count() {
        assert_eq!(ends("correct-horse-battery-staple", "cut: correct-horse-ba").as_deref(), Some("cut: "));
        assert_eq!(ends("correct-horse-battery-staple", "internationalization").as_deref(), Some(""));
        assert_eq!(ends("p!9$Q#r^T&u*(I)o_Zx", "cut: p!9$Q#r^T&u*(I").as_deref(), Some("cut: "));
        for value in [VALUE, "sk-ant-api03-Xy7Kq2mZp9Lw4Rt8Vb3Nc6", "github_pat_11ABCDEFG0aBcDeFgHiJkL"] {
            assert!(!is_worded(value.as_bytes()), "{value}");
        }
    }
}
