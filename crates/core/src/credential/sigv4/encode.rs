//! How URLs are written in a canonical request. What is percent-encoded there is all but the unreserved characters (RFC 3986 2.3), in upper case.

/// How the path is written in a canonical request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PathStyle {
    /// `.`, `..` and empty segments are resolved first.
    pub normalised: bool,
    /// Encoded once more than it is in the request.
    pub encoded: bool,
}

impl PathStyle {
    pub(super) const USUAL: Self = Self { normalised: true, encoded: true };
    /// S3's: a key of an object may hold `..` and `//`.
    pub(super) const AS_SENT: Self = Self { normalised: false, encoded: false };
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// Adds these bytes, with all percent-encoded that `kept` doesn't keep.
fn push_encoded(bytes: &[u8], kept: impl Fn(u8) -> bool, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for &byte in bytes {
        if kept(byte) {
            out.push(byte);
        } else {
            out.extend_from_slice(&[b'%', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
        }
    }
}

/// A value as it stands in a query.
pub(super) fn encoded(value: &[u8]) -> Vec<u8> {
    // At its whole length at once: where it is a session token, no part of it is left behind by growing.
    let mut out = Vec::with_capacity(3 * value.len());
    push_encoded(value, is_unreserved, &mut out);
    out
}

/// What was percent-encoded; `+` is a blank, and a `%` that begins no escape is itself (as in forms).
pub(super) fn decoded(text: &str) -> Vec<u8> {
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16)).and_then(|digit| u8::try_from(digit).ok());
    let (bytes, mut out, mut at) = (text.as_bytes(), Vec::with_capacity(text.len()), 0);
    while let Some(byte) = bytes.get(at) {
        let escape = (*byte == b'%').then(|| digit(bytes.get(at + 1)).zip(digit(bytes.get(at + 2)))).flatten();
        match escape {
            Some((high, low)) => {
                out.push(high << 4 | low);
                at += 3;
            }
            None => {
                out.push(if *byte == b'+' { b' ' } else { *byte });
                at += 1;
            }
        }
    }
    out
}

/// The path of a canonical request.
pub(super) fn push_path(path: &str, style: PathStyle, out: &mut Vec<u8>) {
    let resolved;
    let path = if style.normalised && (path.contains('.') || path.contains("//")) {
        resolved = normalised(path);
        &resolved
    } else {
        path
    };
    if !path.starts_with('/') {
        out.push(b'/');
    }
    // What can't stand in a request at all is encoded in either style.
    push_encoded(path.as_bytes(), |byte| is_unreserved(byte) || byte == b'/' || (!style.encoded && byte.is_ascii_graphic()), out);
}

/// Without `.`, `..` and empty segments (RFC 3986 5.2.4).
fn normalised(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            segment => segments.push(segment),
        }
    }
    let directory = matches!(path.rsplit('/').next(), Some("" | "." | ".."));
    let end = if directory && !segments.is_empty() { "/" } else { "" };
    ["/", &segments.join("/"), end].concat()
}

/// The query of a canonical request: sorted by encoded name, then by encoded value, each parameter as often as it stands there.
pub(super) fn push_query(query: &str, is_left_out: impl Fn(&str) -> bool, out: &mut Vec<u8>) {
    let mut pairs: Vec<(Vec<u8>, Vec<u8>)> = parameters(query)
        .filter(|(name, _)| !is_left_out(name))
        .map(|(name, value)| (encoded(&decoded(name)), encoded(&decoded(value))))
        .collect();
    pairs.sort();
    for (place, (name, value)) in pairs.iter().enumerate() {
        if place > 0 {
            out.push(b'&');
        }
        out.extend_from_slice(name);
        out.push(b'=');
        out.extend_from_slice(value);
    }
}

/// The parameters of a query, as they stand there.
pub(super) fn parameters(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}
