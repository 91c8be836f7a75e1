//! The one reading of a URL. What a URL parser would change is refused here, before policy; nothing parses it again after.
//!
//! The grammar is RFC 3986's, narrowed: no user info, no dot segments, no empty segments, no `;` parameters in the path, no encoded dots,
//! backslashes, semicolons or controls, nothing encoded twice or that is not UTF-8, no host that the WHATWG URL standard would rewrite.
//!
//! Two things are left that servers read in two ways, since APIs need them. An encoded slash is a character of its segment, and some servers
//! make a slash of it: `CanonicalUrl::with_slashes` is that reading, which must be as canonical. A `;` in a query ends a parameter for
//! some: `CanonicalUrl::parameters` has both readings.

pub mod names;

use crate::manifest::{Scheme, is_host, is_path_byte};
use http::Uri;
use names::Name;
use std::fmt;

/// Longest path and query together, in bytes.
pub(crate) const MAX_TARGET: usize = 8 * 1024;

/// A URL that every reader reads alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CanonicalUrl {
    pub scheme: Scheme,
    pub host: String,
    pub port: u16,
    pub path: String,
    pub query: Option<String>,
}

impl CanonicalUrl {
    /// Reads a URI, or says why it is refused.
    pub fn read(uri: &Uri) -> Result<Self, &'static str> {
        let scheme = match uri.scheme_str() {
            Some("https") => Scheme::Https,
            Some("http") => Scheme::Http,
            _ => return Err("the scheme is neither https nor http"),
        };
        let authority = uri.authority().ok_or("the URL names no host")?.as_str();
        if authority.contains('@') {
            return Err("the URL holds user information");
        }
        let after_host = match authority.rfind(']') {
            Some(end) => end + 1,
            None => authority.find(':').unwrap_or(authority.len()),
        };
        let (host, port) = authority.split_at(after_host);
        if !is_host(host) {
            return Err("the host is not in its one canonical spelling (lower-case ASCII name, dotted IPv4, bracketed IPv6)");
        }
        let port = match port.strip_prefix(':') {
            None if port.is_empty() => scheme.default_port(),
            Some(digits) if !digits.starts_with(['0', '+']) => digits.parse().map_err(|_| "the port is not a number from 1 to 65535")?,
            _ => return Err("the port is not a number from 1 to 65535"),
        };
        let target = uri.path_and_query().map_or("/", |target| target.as_str());
        if target.len() > MAX_TARGET {
            return Err("path and query are longer than 8 KiB");
        }
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (target, None),
        };
        let path = if path.is_empty() { "/" } else { path };
        check_path(path)?;
        if let Some(path) = with_slashes(path) {
            check_path(&path).map_err(|_| "an encoded slash in the path makes a dot segment or an empty one for servers that decode it")?;
        }
        if let Some(query) = query {
            check_query(query)?;
        }
        Ok(Self { scheme, host: host.to_owned(), port, path: path.to_owned(), query: query.map(str::to_owned) })
    }

    /// `host`, or `host:port` where the port is not the scheme's own.
    pub fn authority(&self) -> String {
        if self.port == self.scheme.default_port() { self.host.clone() } else { format!("{}:{}", self.host, self.port) }
    }

    /// The host as grants write it, with scheme and port where they are not https and 443.
    pub fn origin_pattern(&self) -> String {
        match self.scheme {
            Scheme::Https => self.authority(),
            Scheme::Http => format!("http://{}", self.authority()),
        }
    }

    /// All but the query.
    pub fn without_query(&self) -> String {
        let port = if self.port == self.scheme.default_port() { String::new() } else { format!(":{}", self.port) };
        [self.scheme.as_str(), "://", &self.host, &port, &self.path].concat()
    }

    /// The query's parameters as they stand, `name=value`, undecoded; where a `;` may end one, in both readings.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        self.query.iter().flat_map(|query| pairs(query)).map(|pair| pair.split_once('=').unwrap_or((pair, "")))
    }

    /// The path as a server reads it that makes slashes of encoded ones; where it holds none, nothing.
    pub(crate) fn with_slashes(&self) -> Option<String> {
        with_slashes(&self.path)
    }
}

impl fmt::Display for CanonicalUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.without_query())
    }
}

fn check_path(path: &str) -> Result<(), &'static str> {
    let Some(rest) = path.strip_prefix('/') else { return Err("the path does not begin with a slash") };
    let mut segments = rest.split('/').peekable();
    while let Some(segment) = segments.next() {
        match segment {
            "" if segments.peek().is_some() => return Err("the path holds an empty segment (`//`)"),
            "." | ".." => return Err("the path holds a dot segment"),
            _ => check_segment(segment)?,
        }
    }
    Ok(())
}

fn check_segment(segment: &str) -> Result<(), &'static str> {
    let bytes = segment.as_bytes();
    // Most are plain.
    if bytes.iter().all(|byte| *byte != b'%' && is_path_byte(*byte)) {
        return Ok(());
    }
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] != b'%' {
            if !is_path_byte(bytes[at]) {
                return Err("the path holds a character that must be percent-encoded, a backslash or a semicolon");
            }
            at += 1;
            continue;
        }
        match decoded(bytes.get(at + 1..at + 3)) {
            None => return Err("the path holds a `%` that is not percent-encoding"),
            Some(b'.' | b'\\' | b';') => return Err("the path holds an encoded dot, backslash or semicolon"),
            Some(byte) if byte.is_ascii_control() => return Err("the path holds an encoded control character"),
            Some(_) => at += 3,
        }
    }
    // Lenient readers make dots and slashes of overlong encodings (`%c0%ae`), and of characters that resemble them.
    let text = String::from_utf8(percent_decoded(segment)).map_err(|_| "the path holds percent-encoded bytes that are not UTF-8")?;
    if percent_decoded(&text) != text.as_bytes() {
        return Err("the path holds something that is percent-encoded twice");
    }
    match text.chars().find(|c| RESEMBLING.contains(c)) {
        Some(_) => {
            Err("the path holds an encoded character that some readers take for a dot, a slash, a backslash, a semicolon or a percent sign")
        }
        None => Ok(()),
    }
}

/// Characters whose compatible form (UAX 15, NFKC) is one that has a meaning in a path.
const RESEMBLING: &[char] = &[
    '\u{2024}', '\u{2025}', '\u{2026}', '\u{fe19}', '\u{fe30}', '\u{fe52}', '\u{ff0e}', '\u{ff0f}', '\u{ff3c}', '\u{fe68}', '\u{fe14}',
    '\u{fe54}', '\u{ff1b}', '\u{37e}', '\u{fe6a}', '\u{ff05}',
];

fn check_query(query: &str) -> Result<(), &'static str> {
    if query.bytes().any(|b| !b.is_ascii_graphic() || b"\"<>#".contains(&b)) {
        return Err("the query holds a character that must be percent-encoded");
    }
    if pairs(query).any(|pair| Name::encoded(pair.split('=').next().unwrap_or_default()).overrides_method()) {
        return Err("the query holds a parameter that overrides the method");
    }
    Ok(())
}

/// The pairs of a query, or of a form; and where a `;` stands in one, its parts.
pub(crate) fn pairs(query: &str) -> impl Iterator<Item = &str> {
    query.split('&').chain(query.split('&').filter(|pair| pair.contains(';')).flat_map(|pair| pair.split(';')))
}

/// `path` with each encoded slash as a slash, if there is one.
fn with_slashes(path: &str) -> Option<String> {
    let (upper, lower) = ("%2F", "%2f");
    (path.contains('%') && (path.contains(upper) || path.contains(lower))).then(|| path.replace(upper, "/").replace(lower, "/"))
}

/// Whether servers may take two parameter names for one.
pub(crate) fn same_parameter(a: &str, b: &str) -> bool {
    a == b || names::plainly_alike(a, b).unwrap_or_else(|| Name::encoded(a).is_like(&Name::encoded(b)))
}

/// `text` with its percent-encodings decoded; what is no percent-encoding stays.
pub fn percent_decoded(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match decoded(bytes.get(at + 1..at + 3)) {
            Some(byte) if bytes[at] == b'%' => {
                out.push(byte);
                at += 3;
            }
            _ => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    out
}

fn decoded(pair: Option<&[u8]>) -> Option<u8> {
    let digit = |b: u8| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok());
    match pair? {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str) -> Result<CanonicalUrl, &'static str> {
        CanonicalUrl::read(&url.parse::<Uri>().map_err(|_| "not a URI")?)
    }

    #[test]
    fn an_ordinary_url_is_read_as_it_is_written() {
        assert!(read("https://x/v1/caf%C3%A9/%E6%97%A5%E6%9C%AC?payment_method=card&method=flickr.photos.search").is_ok());
        let url = read("https://api.example.com/v1/orders%20x?a=1&b=%2f").expect("canonical");

        assert_eq!((url.host.as_str(), url.port, url.path.as_str()), ("api.example.com", 443, "/v1/orders%20x"));
        assert_eq!(url.parameters().collect::<Vec<_>>(), [("a", "1"), ("b", "%2f")]);
        // What APIs ask for: a path or a branch as one segment, a percent sign, an apostrophe, a list.
        for url in [
            "https://x/repos/o/r/contents/src%2Flib.rs",
            "https://x/a%2fb",
            "https://x/100%25",
            "https://x/5%25zz",
            "https://x/?q=it's&c=a;b",
        ] {
            assert!(read(url).is_ok(), "{url}");
        }
        let both = read("https://x/?a=1;b=2&c=3").expect("canonical");
        assert_eq!(both.parameters().collect::<Vec<_>>(), [("a", "1;b=2"), ("c", "3"), ("a", "1"), ("b", "2")]);
        assert_eq!(read("https://x/a%2Fb/c%2fd").expect("canonical").with_slashes().as_deref(), Some("/a/b/c/d"));
        assert_eq!(read("http://localhost:8080").expect("canonical").to_string(), "http://localhost:8080/");
        assert_eq!(read("https://x:443/").expect("canonical").authority(), "x");
    }

    #[test]
    fn whatever_a_parser_would_change_is_refused() {
        for url in [
            "https://user@api.example.com/",
            "https://API.example.com/",
            "https://127.1/",
            "https://0x7f000001/",
            "https://2130706433/",
            "https://0177.0.0.1/",
            "https://[0:0:0:0:0:0:0:1]/",
            "https://example.com./",
            "https://x:0443/",
            "https://x:/",
            "https://x:0/",
            "https://x/../a",
            "https://x/a/./b",
            "https://x/%2e%2e/a",
            // An encoded slash is refused where it makes a segment that a path can't have.
            "https://x/a%2f%2fb",
            "https://x/..%2F..%2Fadmin",
            "https://x/a%2F..",
            "https://x/a/%2Fb",
            "https://x/%2F",
            "https://x/a%2F/b",
            "https://x/a%2F.%2Fb",
            "https://x/a%2F;b",
            "https://x/a%5Cb",
            "https://x/a\\b",
            "https://x//a",
            "https://x/a;b",
            "https://x/a%3bb",
            "https://x/%00",
            "https://x/%0d%0a",
            "https://x/%zz",
            "https://x/%252e",
            "https://x/%252F",
            "https://x/%25%32e",
            "https://x/%25%32%65",
            "https://x/100%25ab",
            "https://x/?a=1;_method=DELETE",
            "https://x/?_method=DELETE",
            "https://x/?%5Fmethod=DELETE",
            "https://x/?a=1&.method=DELETE",
            "https://x/?%20_method=DELETE",
            "https://x/?+_method=DELETE",
            "https://x/?_method%00=DELETE",
            "https://x/?_HttpMethod=DELETE",
            "https://x/%c0%ae%c0%ae/a",
            "https://x/%e0%80%ae",
            "https://x/%f0%80%80%ae",
            "https://x/%u002e%u002e/a",
            "https://x/a%80",
            "https://x/a%bf%bf",
            "https://x/%ed%a0%80",
            "https://x/%c3",
            "https://x/%ef%bc%8e%ef%bc%8e/a",
            "https://x/a%e2%80%a5b",
            "https://x/a;.",
            "https://x/a;./b",
            "https://x/a%3b./b",
            "https://x/a%3B%2e",
            "ftp://x/",
            "https://x/a{b}",
        ] {
            assert!(read(url).is_err(), "{url}");
        }
        assert!(read(&format!("https://x/{}", "a".repeat(MAX_TARGET))).is_err());
    }
}
