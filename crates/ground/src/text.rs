//! Text that a person will read on a terminal, made harmless.

use regex_syntax::hir::{Class, ClassUnicodeRange, HirKind};
use std::fmt::Write;
use std::sync::LazyLock;

/// `text` with what `is_unsafe` names written as `\u{..}`: control characters (C0, C1), bidirectional overrides, line separators, and what
/// shows nothing.
#[must_use]
pub fn for_people(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unsafe(c) {
            let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}

/// As [`for_people`], but line feeds and tabs stay.
#[must_use]
pub fn lines_for_people(text: &str) -> String {
    text.split('\n').map(|line| line.split('\t').map(for_people).collect::<Vec<_>>().join("\t")).collect::<Vec<_>>().join("\n")
}

/// `format!` into a text that has room for a line: most are not copied while they grow.
pub fn line(arguments: std::fmt::Arguments<'_>) -> String {
    let mut line = String::with_capacity(96);
    let _ = line.write_fmt(arguments);
    line
}

/// The line in which a byte of a text stands, from 1.
pub fn line_of(text: &[u8], at: usize) -> usize {
    1 + text[..at.min(text.len())].iter().filter(|byte| **byte == b'\n').count()
}

/// So many seconds in the largest unit that they fill, as in `3 d`.
pub fn in_largest_unit(seconds: u64) -> String {
    let (unit, name) =
        [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")].into_iter().find(|(unit, _)| seconds >= *unit).unwrap_or((1, "s"));
    format!("{} {name}", seconds / unit)
}

/// Bytes as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut out = Vec::with_capacity(2 * bytes.len());
    bytes.iter().for_each(|byte| out.extend_from_slice(&[byte >> 4, byte & 15].map(|half| DIGITS[usize::from(half)])));
    String::from_utf8(out).expect("hexadecimal digits are ASCII")
}

/// The bytes of pairs of hexadecimal digits, in either case.
pub fn unhex(digits: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, []) = digits.as_bytes().as_chunks::<2>() else { return None };
    // At its whole length at once: where the digits are a key's, no part of it is left behind by growing.
    let mut bytes = Vec::with_capacity(pairs.len());
    for [high, low] in pairs {
        bytes.push(digit(*high)? << 4 | digit(*low)?);
    }
    Some(bytes)
}

/// `text` escaped for a URL (RFC 3986 2.1): all but the unreserved characters, and these.
pub fn escaped(text: &str, but: &[u8]) -> String {
    // At its whole length at once: where the text is a key, no part of it is left behind by growing.
    text.bytes().fold(String::with_capacity(3 * text.len()), |mut out, byte| {
        match byte {
            byte if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || but.contains(&byte) => out.push(char::from(byte)),
            byte => drop(write!(out, "%{byte:02X}")),
        }
        out
    })
}

/// Whether a terminal or a reader may take the character for something else than itself: it controls, formats, or shows nothing.
pub fn is_unsafe(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    let at = UNSAFE.partition_point(|range| range.end() < c);
    UNSAFE.get(at).is_some_and(|range| range.start() <= c)
}

/// By Unicode's properties: controls, format characters, line and paragraph separators, what is not shown by default, what is in private
/// use or not assigned; and the blank of Braille, which is a symbol by its properties.
static UNSAFE: LazyLock<Vec<ClassUnicodeRange>> = LazyLock::new(|| {
    let class = r"[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cn}\p{Default_Ignorable_Code_Point}\x{2800}]";
    let parsed = regex_syntax::parse(class).expect("a class of characters");
    match parsed.into_kind() {
        HirKind::Class(Class::Unicode(class)) => class.ranges().to_vec(),
        _ => unreachable!("a class of characters is one"),
    }
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_their_digits_are_each_others() {
        assert_eq!(unhex(&hex(&[0, 1, 0xab, 0xff])), Some(vec![0, 1, 0xab, 0xff]));
        assert_eq!(unhex("AbFf"), Some(vec![0xab, 0xff]));
        assert_eq!(unhex(""), Some(Vec::new()));
        for bad in ["0", "0g", "+1", "é", "éé", " 0"] {
            assert_eq!(unhex(bad), None, "{bad}");
        }
    }

    #[test]
    fn terminal_escapes_and_bidi_overrides_are_spelled_out() {
        assert_eq!(for_people("a\x1b[31mb\u{202e}c\u{9b}"), "a\\u{1b}[31mb\\u{202e}c\\u{9b}");
        assert_eq!(lines_for_people("a\tb\nc\r"), "a\tb\nc\\u{d}");
    }

    #[test]
    fn what_shows_nothing_is_spelled_out_and_letters_are_not() {
        let ignorable = [
            0xad, 0x34f, 0x61c, 0x70f, 0x115f, 0x1160, 0x17b4, 0x17b5, 0x180b, 0x180e, 0x200b, 0x200d, 0x2028, 0x202e, 0x2060, 0x2064,
            0x2066, 0x206f, 0x2800, 0x3164, 0xe000, 0xfe00, 0xfe0f, 0xfeff, 0xffa0, 0xfff0, 0xfff9, 0xfffb, 0x110bd, 0x1bca0, 0x1d173,
            0xe0001, 0xe0041, 0xe007f, 0xe0100, 0xe01ef, 0x10ffff,
        ];
        for number in ignorable {
            assert!(is_unsafe(char::from_u32(number).expect("a character")), "{number:x}");
        }
        for c in "aé日本한Ж \u{a0}\u{3000}…€😀א".chars() {
            assert!(!is_unsafe(c), "{c:?}");
        }
    }
}
