//! Ways to read a text: each undoes one kind of escaping wherever it stands, and remembers where every byte came from.

use std::ops::Range;

/// Most source bytes that one byte of a view can come from, with room for the separators between two.
pub(super) const WIDEST: usize = 10;

/// One way to read a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum View {
    /// `%41`, and `+` as it is (RFC 3986).
    Percent,
    /// `\u0041`, `\x41`, `\/`, `\"` (JSON, C, shell), with escaped line breaks taken out.
    Backslash,
    /// `&#65;`, `&#x41;`, `&amp;` (HTML, XML).
    Entity,
    /// `=41` and soft line breaks (RFC 2045 quoted-printable).
    QuotedPrintable,
    /// Every second byte, where the others are NUL (UTF-16, either order).
    Wide,
    /// Without line breaks and the blanks after them (line-wrapped base64, PEM, MIME).
    Unwrapped,
    /// Without the separators that hex is written with: space, colon, hyphen, comma, `0x`, `\x`.
    Unseparated,
}

/// All views.
pub(super) const ALL: [View; 7] =
    [View::Percent, View::Backslash, View::Entity, View::QuotedPrintable, View::Wide, View::Unwrapped, View::Unseparated];

/// A text as a view shows it.
pub(super) struct Seen {
    pub(super) bytes: Vec<u8>,
    /// Where each byte begins and ends in the source.
    from: Vec<(u32, u32)>,
}

impl Seen {
    fn with_capacity(capacity: usize) -> Self {
        Self { bytes: Vec::with_capacity(capacity), from: Vec::with_capacity(capacity) }
    }

    #[expect(clippy::cast_possible_truncation, reason = "texts are searched in pieces of far less than 4 GiB")]
    fn push(&mut self, byte: u8, start: usize, end: usize) {
        self.bytes.push(byte);
        self.from.push((start as u32, end as u32));
    }

    /// The stretch of the source that a stretch of the view came from.
    pub(super) fn source(&self, range: Range<usize>) -> Range<usize> {
        if range.is_empty() {
            return 0..0;
        }
        self.from[range.start].0 as usize..self.from[range.end - 1].1 as usize
    }
}

impl View {
    /// Whether the text holds anything that this view reads differently.
    pub(super) fn applies(self, text: &[u8]) -> bool {
        match self {
            Self::Percent => memchr::memchr(b'%', text).is_some(),
            Self::Backslash => memchr::memchr(b'\\', text).is_some(),
            Self::Entity => memchr::memchr(b'&', text).is_some(),
            Self::QuotedPrintable => memchr::memchr(b'=', text).is_some(),
            Self::Wide => memchr::memchr(0, text).is_some(),
            Self::Unwrapped => memchr::memchr2(b'\n', b'\r', text).is_some() || memchr::memmem::find(text, b"\\n").is_some(),
            Self::Unseparated => memchr::memchr3(b':', b' ', b'-', text).is_some() || memchr::memchr2(b',', b'x', text).is_some(),
        }
    }

    pub(super) fn decode(self, text: &[u8]) -> Seen {
        let mut seen = Seen::with_capacity(text.len());
        let mut at = 0;
        while at < text.len() {
            let (byte, length) = self.unit(text, at);
            if let Some(byte) = byte {
                seen.push(byte, at, at + length);
            }
            at += length;
        }
        seen
    }

    /// What stands at `at`: a byte or nothing, and how many source bytes it takes.
    fn unit(self, text: &[u8], at: usize) -> (Option<u8>, usize) {
        let rest = &text[at..];
        let as_is = (Some(rest[0]), 1);
        match self {
            Self::Percent if rest[0] == b'%' => hex_byte(rest, 1).map_or(as_is, |byte| (Some(byte), 3)),
            Self::Backslash if rest[0] == b'\\' => backslash(rest).unwrap_or(as_is),
            Self::Entity if rest[0] == b'&' => entity(rest).unwrap_or(as_is),
            Self::QuotedPrintable if rest[0] == b'=' => match rest {
                [_, b'\n', ..] => (None, 2),
                [_, b'\r', b'\n', ..] => (None, 3),
                _ => hex_byte(rest, 1).map_or(as_is, |byte| (Some(byte), 3)),
            },
            Self::Wide if rest[0] == 0 => (None, 1),
            Self::Unwrapped => match rest {
                // An empty line ends whatever was wrapped.
                [b'\n', b'\n', ..] | [b'\r', b'\n', b'\r', b'\n', ..] => as_is,
                [b'\r' | b'\n', ..] => (None, 1 + rest[1..].iter().take(4).take_while(|b| matches!(b, b' ' | b'\t')).count()),
                [b'\\', b'r' | b'n', ..] => (None, 2),
                _ => as_is,
            },
            Self::Unseparated => match rest {
                [b':' | b' ' | b'-' | b',' | b'_', ..] => (None, 1),
                [b'0', b'x' | b'X', ..] | [b'\\', b'x', ..] => (None, 2),
                _ => as_is,
            },
            _ => as_is,
        }
    }
}

fn hex_byte(text: &[u8], at: usize) -> Option<u8> {
    let digit = |at: usize| text.get(at).and_then(|b| char::from(*b).to_digit(16));
    u8::try_from(digit(at)? << 4 | digit(at + 1)?).ok()
}

fn backslash(text: &[u8]) -> Option<(Option<u8>, usize)> {
    match text.get(1)? {
        b'u' => match (hex_byte(text, 2), hex_byte(text, 4)) {
            (Some(0), Some(byte)) => Some((Some(byte), 6)),
            _ => None,
        },
        b'x' => hex_byte(text, 2).map(|byte| (Some(byte), 4)),
        b'n' => Some((Some(b'\n'), 2)),
        b'r' => Some((Some(b'\r'), 2)),
        b't' => Some((Some(b'\t'), 2)),
        b'\n' => Some((None, 2)),
        digit @ b'0'..=b'7' => {
            let digits = text[1..].iter().take(3).take_while(|b| (b'0'..=b'7').contains(b)).count();
            let value = text[1..=digits].iter().fold(0u32, |value, digit| value * 8 + u32::from(digit - b'0'));
            match u8::try_from(value) {
                Ok(byte) if digits > 1 => Some((Some(byte), 1 + digits)),
                _ => Some((Some(*digit), 2)),
            }
        }
        other => Some((Some(*other), 2)),
    }
}

fn entity(text: &[u8]) -> Option<(Option<u8>, usize)> {
    const NAMED: &[(&[u8], u8)] = &[
        (b"&amp;", b'&'),
        (b"&lt;", b'<'),
        (b"&gt;", b'>'),
        (b"&quot;", b'"'),
        (b"&apos;", b'\''),
        (b"&sol;", b'/'),
        (b"&plus;", b'+'),
        (b"&equals;", b'='),
        (b"&colon;", b':'),
        (b"&lowbar;", b'_'),
        (b"&hyphen;", b'-'),
        (b"&dash;", b'-'),
        (b"&period;", b'.'),
        (b"&num;", b'#'),
        (b"&commat;", b'@'),
        (b"&excl;", b'!'),
        (b"&quest;", b'?'),
        (b"&percnt;", b'%'),
        (b"&dollar;", b'$'),
    ];
    if let Some((name, byte)) = NAMED.iter().find(|(name, _)| text.starts_with(name)) {
        return Some((Some(*byte), name.len()));
    }
    let digits = text.strip_prefix(b"&#")?;
    let (radix, skip) = if matches!(digits.first(), Some(b'x' | b'X')) { (16, 1) } else { (10, 0) };
    let count = digits[skip..].iter().take(7).take_while(|b| char::from(**b).is_digit(radix)).count();
    let number = std::str::from_utf8(&digits[skip..skip + count]).ok()?;
    let byte = u8::try_from(u32::from_str_radix(number, radix).ok()?).ok()?;
    let length = 2 + skip + count;
    Some((Some(byte), length + usize::from(text.get(length) == Some(&b';'))))
}
