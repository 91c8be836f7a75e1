//! Ways to read a text: each undoes one kind of escaping wherever it stands, and remembers where every byte came from.

/// Most source bytes for each byte of a form, on the average over the form.
pub(super) const WIDEST: usize = 12;
/// Most blanks behind a line break that belong to it.
pub(super) const INDENT: usize = 16;

/// One way to read a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum View {
    /// `%41`, and `+` as it is (RFC 3986).
    Percent,
    /// `\u0041`, `\x41`, `\101`, `\/`, `\"` (JSON, C, shell), with escaped line breaks taken out.
    Backslash,
    /// `&#65;`, `&#x41;`, `&amp;` (HTML, XML).
    Entity,
    /// `=41` and soft line breaks (RFC 2045 quoted-printable).
    QuotedPrintable,
    /// Every second byte or every fourth, where the others are NUL (UTF-16 and UTF-32, either order).
    Wide,
    /// Without line breaks and the blanks after them (line-wrapped base64, PEM, MIME).
    Unwrapped,
    /// Without the separators that hex is written with: space, colon, hyphen, comma, `0x`, `\x`.
    Unseparated,
}

/// One way to read a text, and where it was escaped twice, the way to read what the first one shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chain(View, Option<View>);

/// Every chain that a search looks through.
pub(super) const CHAINS: [Chain; 15] = [
    Chain(View::Percent, None),
    Chain(View::Backslash, None),
    Chain(View::Entity, None),
    Chain(View::QuotedPrintable, None),
    Chain(View::Wide, None),
    Chain(View::Unwrapped, None),
    Chain(View::Percent, Some(View::Percent)),
    Chain(View::Percent, Some(View::Backslash)),
    Chain(View::Backslash, Some(View::Backslash)),
    Chain(View::Backslash, Some(View::Percent)),
    Chain(View::Backslash, Some(View::Entity)),
    Chain(View::Backslash, Some(View::QuotedPrintable)),
    Chain(View::Backslash, Some(View::Unwrapped)),
    Chain(View::Entity, Some(View::Entity)),
    Chain(View::Entity, Some(View::Percent)),
];

/// Bytes that begin an escape, for some chain.
pub(super) static INTRODUCES: [bool; 256] = introduces();

const fn introduces() -> [bool; 256] {
    let mut all = [false; 256];
    let mut byte = 0;
    while byte < all.len() {
        let mut chain = 0;
        while chain < CHAINS.len() {
            all[byte] |= CHAINS[chain].reads(byte as u8);
            chain += 1;
        }
        byte += 1;
    }
    all
}

/// How hexadecimal is read.
pub(super) const SEPARATED: Chain = Chain(View::Unseparated, None);

/// Most source bytes in a row for which nothing is shown: two broken lines with all their indentation. Without a bound, a row of breaks would
/// be walked to its end from each of them.
const SILENCE: usize = 2 * (INDENT + 2);

/// Source bytes that the inner view of a chain must see at once.
pub(super) const AHEAD: usize = 12;

/// Whether a break at `at` ends an empty line, which ends whatever was wrapped. A second carriage return may belong to a line feed that
/// follows it.
#[inline]
pub(super) fn is_empty_line(text: &[u8], at: usize) -> bool {
    let before = &text[..at];
    match text[at] {
        b'\n' => before.ends_with(b"\n") || before.ends_with(b"\n\r"),
        b'\r' => before.ends_with(b"\r") && text.get(at + 1).is_some_and(|next| *next != b'\n'),
        _ => false,
    }
}

impl Chain {
    /// Whether a byte begins something that this chain reads differently.
    pub(super) const fn reads(self, byte: u8) -> bool {
        let inner = match self.1 {
            Some(inner) => inner.introduced_by(byte),
            None => false,
        };
        inner || self.0.introduced_by(byte)
    }
}

/// A text as a chain shows it, from one place on. It ends at an empty line, which ends whatever was wrapped, and at the text's end.
pub(super) struct Walk<'t> {
    text: &'t [u8],
    at: usize,
    chain: Chain,
    /// What the outer view showed and the inner one has not taken yet, with the end of each byte's source.
    ahead: [u8; AHEAD],
    ends: [usize; AHEAD],
    filled: usize,
    /// Whether nothing was shown for a part of the text yet.
    pub(super) skipped: bool,
}

impl<'t> Walk<'t> {
    pub(super) fn new(text: &'t [u8], at: usize, chain: Chain) -> Self {
        Self { text, at, chain, ahead: [0; AHEAD], ends: [0; AHEAD], filled: 0, skipped: false }
    }

    /// The next byte of the outer view.
    #[inline]
    fn outer(&mut self) -> Option<(u8, usize)> {
        let from = self.at;
        while self.at - from <= SILENCE {
            let byte = *self.text.get(self.at)?;
            if is_empty_line(self.text, self.at) {
                return None;
            }
            let (shown, length) = if self.chain.0.introduced_by(byte) { self.chain.0.unit(self.text, self.at) } else { (Some(byte), 1) };
            self.at += length;
            if let Some(shown) = shown {
                return Some((shown, self.at));
            }
            self.skipped = true;
        }
        None
    }

    fn fill(&mut self, least: usize) {
        while self.filled < least {
            let Some((byte, end)) = self.outer() else { return };
            (self.ahead[self.filled], self.ends[self.filled]) = (byte, end);
            self.filled += 1;
        }
    }
}

impl Iterator for Walk<'_> {
    /// A byte, and where its source ends.
    type Item = (u8, usize);

    #[inline]
    fn next(&mut self) -> Option<(u8, usize)> {
        let Some(inner) = self.chain.1 else { return self.outer() };
        // Most bytes are shown by both views as they are.
        if self.filled == 0 {
            let (byte, end) = self.outer()?;
            if !inner.introduced_by(byte) {
                return Some((byte, end));
            }
            (self.ahead[0], self.ends[0], self.filled) = (byte, end, 1);
        }
        let mut silent = 0;
        while silent <= SILENCE {
            self.fill(1);
            if self.filled == 0 {
                return None;
            }
            let (mut shown, mut length) = (Some(self.ahead[0]), 1);
            if inner.introduced_by(self.ahead[0]) {
                self.fill(AHEAD);
                (shown, length) = inner.unit(&self.ahead[..self.filled], 0);
            }
            let length = length.min(self.filled);
            let end = self.ends[length - 1];
            self.ahead.copy_within(length..self.filled, 0);
            self.ends.copy_within(length..self.filled, 0);
            self.filled -= length;
            if let Some(shown) = shown {
                return Some((shown, end));
            }
            silent += length;
            self.skipped = true;
        }
        None
    }
}

impl View {
    /// Whether a byte begins something that this view reads differently.
    #[inline]
    pub(super) const fn introduced_by(self, byte: u8) -> bool {
        match self {
            Self::Percent => byte == b'%',
            Self::Backslash => byte == b'\\',
            Self::Entity => byte == b'&',
            Self::QuotedPrintable => byte == b'=',
            Self::Wide => byte == 0,
            Self::Unwrapped => matches!(byte, b'\n' | b'\r'),
            Self::Unseparated => matches!(byte, b':' | b' ' | b'-' | b',' | b'_' | b'0' | b'\\'),
        }
    }

    /// What the view that `byte`, at `at`, belongs to shows there, how long it is, and whether another escape may stand within it.
    /// `None` where no chain reads it.
    #[inline]
    pub(super) fn first(text: &[u8], at: usize, byte: u8) -> Option<(Option<u8>, usize, bool)> {
        let (view, nests, least): (Self, &[u8], usize) = match byte {
            b'%' => (Self::Percent, b"%\\&", 3),
            b'\\' => (Self::Backslash, b"%\\&", 6),
            b'&' => (Self::Entity, b"%\\&", 10),
            b'=' => (Self::QuotedPrintable, b"\\", 3),
            0 => (Self::Wide, b"", 1),
            b'\n' | b'\r' => (Self::Unwrapped, b"", 1),
            _ => return None,
        };
        let (shown, length) = view.unit(text, at);
        let within = text[at + 1..].iter().take(least.max(length) - 1).take_while(|byte| !matches!(byte, b'"' | b' ' | b';' | b'='));
        Some((shown, length, within.into_iter().any(|byte| nests.contains(byte))))
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
            // One beside a character is UTF-16, three are UTF-32; two, or four and more, are no part of one that a key could hold.
            Self::Wide if rest[0] == 0 && (at == 0 || text[at - 1] != 0) => {
                match rest.iter().take(4).take_while(|byte| **byte == 0).count() {
                    nuls @ (1 | 3) => (None, nuls),
                    _ => as_is,
                }
            }
            Self::Unwrapped => match rest {
                [b'\r', b'\n', b'\r', b'\n', ..] => as_is,
                [b'\r' | b'\n', ..] => (None, 1 + rest[1..].iter().take(INDENT).take_while(|b| matches!(b, b' ' | b'\t')).count()),
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
    if !matches!(text.get(1), Some(b'#' | b'a'..=b'z')) {
        return None;
    }
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
