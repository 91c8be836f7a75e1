//! Whether a body names a parameter by which servers let a client override the method (Rack, Laravel, Express read `_method` there).
//!
//! The body is read as it passes, as a form, as JSON and as multipart, by what it looks like: what its `Content-Type` says decides only where
//! that agrees with the body. A name is judged before its value leaves, wherever the pieces are cut.

use crate::url::names::{Name, plainly_overrides_method};
use http::{HeaderMap, Method, header};

/// Bytes of a name at which what it folds to is kept instead of it.
const LONG: usize = 1024;
/// Bytes of a value that are looked through at once: two searches, of which the one that finds nothing must not go far.
const AHEAD: usize = 256;
/// Most bytes of a key in JSON that are compared.
const MAX_KEY: usize = 512;
/// Most bytes of a part's header.
const MAX_LINE: usize = 4096;
/// How deep a key may stand that a server takes for a parameter: in an object, or in the objects of an array.
const MAX_DEPTH: usize = 2;
/// What may be half of a character that is percent-encoded, once or twice.
const HALF_ESCAPE: usize = 5;

/// Reads the names of a body's fields.
pub struct Overrides {
    declared: Declared,
    /// The first bytes, until it is known what the body looks like.
    shape: Option<Shape>,
    opening: Vec<u8>,
    form: Form,
    json: Json,
    parts: Parts,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Declared {
    Json,
    Multipart,
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Json,
    Multipart,
    Other,
}

impl Overrides {
    /// What reads the body of this request, if a server may look for a method in it.
    pub fn of(method: &Method, headers: &HeaderMap) -> Option<Self> {
        (*method == Method::POST).then(|| Self {
            declared: Declared::of(headers),
            shape: None,
            opening: Vec::new(),
            form: Form::default(),
            json: Json::default(),
            parts: Parts::default(),
        })
    }

    /// Takes a piece of the body in; true where it names the method.
    pub fn push(&mut self, piece: &[u8]) -> bool {
        // In UTF-16 and UTF-32 every other byte of these names is NUL.
        piece.split(|byte| *byte == 0).any(|text| self.take(text))
    }

    fn take(&mut self, text: &[u8]) -> bool {
        for (at, byte) in text.iter().enumerate() {
            if self.shape.is_some() {
                return self.read(&text[at..]);
            }
            self.opening.push(*byte);
            self.shape = shape(&self.opening);
            if self.shape.is_some() {
                let opening = std::mem::take(&mut self.opening);
                if self.read(&opening) {
                    return true;
                }
            }
        }
        false
    }

    fn read(&mut self, text: &[u8]) -> bool {
        let is_form =
            !matches!((self.declared, self.shape), (Declared::Json, Some(Shape::Json)) | (Declared::Multipart, Some(Shape::Multipart)));
        let is_multipart = self.declared == Declared::Multipart || self.shape == Some(Shape::Multipart);
        (is_form && self.form.read(text))
            || (self.shape == Some(Shape::Json) && self.json.read(text))
            || (is_multipart && text.iter().any(|byte| self.parts.step(*byte)))
    }
}

impl Declared {
    fn of(headers: &HeaderMap) -> Self {
        let mut lines = headers.get_all(header::CONTENT_TYPE).iter();
        let (Some(line), None) = (lines.next(), lines.next()) else { return Self::Other };
        let kind = line.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match kind {
            kind if kind.ends_with("/json") || kind.ends_with("+json") => Self::Json,
            kind if kind.starts_with("multipart/") => Self::Multipart,
            _ => Self::Other,
        }
    }
}

/// What a body looks like by its first bytes; `None` where it takes more of them.
fn shape(opening: &[u8]) -> Option<Shape> {
    // Blanks and byte order marks of whatever width stand in front of nothing.
    let is_blank = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, 0xef | 0xbb | 0xbf | 0xfe | 0xff);
    let text = opening.iter().position(|byte| !is_blank(byte)).map_or(&[][..], |at| &opening[at..]);
    match text {
        // A body of blanks alone is none of these.
        [] => (opening.len() > LONG).then_some(Shape::Other),
        [b'{' | b'[', ..] => Some(Shape::Json),
        [b'-'] => None,
        [b'-', b'-', ..] => Some(Shape::Multipart),
        _ => Some(Shape::Other),
    }
}

/// `name=value&name=value`, and `name=value` in lines.
#[derive(Default)]
struct Form {
    name: Vec<u8>,
    /// In a value, or in a name that is too long to be a known one.
    past: bool,
}

impl Form {
    fn read(&mut self, mut text: &[u8]) -> bool {
        while let Some((byte, rest)) = text.split_first() {
            // Values are most of a body.
            if self.past {
                let ahead = &text[..text.len().min(AHEAD)];
                let end = memchr::memchr3(b'&', b';', b'\n', ahead).unwrap_or(ahead.len());
                let end = memchr::memchr(b'\r', &ahead[..end]).unwrap_or(end);
                if end > 0 {
                    text = &text[end..];
                    continue;
                }
            }
            if self.step(*byte) {
                return true;
            }
            text = rest;
        }
        false
    }

    fn step(&mut self, byte: u8) -> bool {
        match byte {
            b'&' | b';' | b'\n' | b'\r' => {
                self.name.clear();
                self.past = false;
            }
            _ if self.past => {}
            b'=' => {
                self.past = true;
                return plainly_overrides_method(&self.name)
                    .unwrap_or_else(|| Name::encoded(&String::from_utf8_lossy(&self.name)).overrides_method());
            }
            _ => {
                self.name.push(byte);
                return self.name.len() > LONG && self.shorten();
            }
        }
        false
    }

    /// Keeps of a long name what it folds to: it may be padded with whatever a server trims. True where it is a known one already.
    fn shorten(&mut self) -> bool {
        let end = self.name.len() - HALF_ESCAPE;
        let at = self.name[end..].iter().position(|byte| *byte == b'%').map_or(self.name.len(), |at| end + at);
        let rest = self.name.split_off(at);
        let name = Name::encoded(&String::from_utf8_lossy(&self.name));
        match name.short() {
            Some(short) => self.name = [short.into_bytes(), rest].concat(),
            None => self.past = true,
        }
        name.overrides_method()
    }
}

/// The keys of a JSON document, JSON5's among them.
#[derive(Default)]
struct Json {
    depth: usize,
    /// The quote that ends the string, and whether the last byte was a backslash.
    string: Option<(u8, bool)>,
    /// The last string or word.
    word: Vec<u8>,
    /// Whether it has ended.
    ended: bool,
}

impl Json {
    fn read(&mut self, mut text: &[u8]) -> bool {
        while let Some((byte, rest)) = text.split_first() {
            // What of a string ends nothing.
            if let Some((quote, false)) = self.string {
                let within = memchr::memchr2(quote, b'\\', text).unwrap_or(text.len());
                if within > 0 {
                    self.word.extend_from_slice(&text[..within.min(MAX_KEY - self.word.len())]);
                    (self.ended, text) = (false, &text[within..]);
                    continue;
                }
            }
            if self.step(*byte) {
                return true;
            }
            text = rest;
        }
        false
    }

    fn step(&mut self, byte: u8) -> bool {
        if let Some((quote, escaped)) = self.string {
            let ends = byte == quote && !escaped;
            self.string = (!ends).then_some((quote, byte == b'\\' && !escaped));
            self.ended = ends;
            if !ends && self.word.len() < MAX_KEY {
                self.word.push(byte);
            }
            return false;
        }
        match byte {
            b'"' | b'\'' => {
                self.word.clear();
                self.string = Some((byte, false));
            }
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            b':' => {
                let is_key = (1..=MAX_DEPTH).contains(&self.depth) && self.word.len() < MAX_KEY;
                return is_key && names_method(&self.word);
            }
            b',' => self.word.clear(),
            b if b.is_ascii_whitespace() => self.ended |= !self.word.is_empty(),
            _ => {
                if std::mem::take(&mut self.ended) {
                    self.word.clear();
                }
                if self.word.len() < MAX_KEY {
                    self.word.push(byte);
                }
            }
        }
        if matches!(byte, b'{' | b'[' | b'}' | b']') {
            self.word.clear();
        }
        false
    }
}

fn names_method(key: &[u8]) -> bool {
    if let Some(names) = plainly_overrides_method(key) {
        return names;
    }
    let text = serde_json::from_slice::<String>(&[b"\"", key, b"\""].concat());
    let text = text.unwrap_or_else(|_| String::from_utf8_lossy(key).into_owned());
    Name::plain(&text).overrides_method()
}

/// The headers of a multipart body's parts (RFC 7578).
#[derive(Default)]
struct Parts {
    line: Vec<u8>,
    /// A line has ended; it goes on if the next one begins with a blank.
    at_end: bool,
}

impl Parts {
    fn step(&mut self, byte: u8) -> bool {
        match byte {
            b'\n' | b'\r' => {
                self.at_end = true;
                return false;
            }
            b' ' | b'\t' => self.at_end = false,
            _ if std::mem::take(&mut self.at_end) => {
                let line = std::mem::take(&mut self.line);
                self.line.push(byte);
                return part_names_method(&line);
            }
            _ => {}
        }
        if self.line.len() < MAX_LINE {
            self.line.push(byte);
        }
        false
    }
}

/// Whether the header of a part names it so. What can't be read, or is too long to be, may.
fn part_names_method(line: &[u8]) -> bool {
    let line = String::from_utf8_lossy(line);
    let lower = line.trim_start().to_ascii_lowercase();
    let names = |text: &str| text.contains("=?") || Name::encoded(text).overrides_method();
    // Rack takes this one where there is no other name.
    if let Some(id) = lower.strip_prefix("content-id") {
        return names(id.trim_start_matches([' ', '\t', ':']));
    }
    if !lower.starts_with("content-disposition") {
        return false;
    }
    // Readers differ in what they take for a parameter: each `name` counts, `filename` too.
    let mut parameters = lower.match_indices("name").map(|(at, name)| lower[at + name.len()..].trim_start());
    line.len() >= MAX_LINE
        || parameters
            .any(|rest| rest.starts_with('*') || rest.strip_prefix('=').is_some_and(|value| names(parameter_value(value.trim_start()))))
}

fn parameter_value(text: &str) -> &str {
    match text.strip_prefix('"') {
        Some(quoted) => {
            let mut escaped = false;
            let end = quoted.find(|c| {
                let ends = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                ends
            });
            &quoted[..end.unwrap_or(quoted.len())]
        }
        None => text.split([';', ' ', '\t']).next().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn found(content_type: Option<&'static str>, body: &[u8], piece: usize) -> bool {
        let kind = content_type.map(|kind| (header::CONTENT_TYPE, HeaderValue::from_static(kind)));
        let mut reader = Overrides::of(&Method::POST, &HeaderMap::from_iter(kind)).expect("a POST");
        body.chunks(piece).any(|piece| reader.push(piece))
    }

    const FORM: &str = "application/x-www-form-urlencoded";
    const JSON: &str = "application/json";
    const MULTIPART: &str = "multipart/form-data; boundary=x";

    #[test]
    fn a_body_that_names_the_method_is_seen_whatever_it_says_it_is_and_however_it_is_cut() {
        let part = |header: &str| format!("--x\r\n{header}\r\n\r\nDELETE\r\n--x--\r\n");
        let padded = format!("a=1&{}_method=DELETE", "%20".repeat(3000));
        let bodies = [
            "_method=DELETE".to_owned(),
            "a=1&_method=DELETE".to_owned(),
            "a=1&%5fMETHOD=DELETE".to_owned(),
            "a=1&%255fmethod=DELETE".to_owned(),
            "a=1;.method=DELETE".to_owned(),
            "a=1\r\n_method=DELETE".to_owned(),
            "_http_method=DELETE".to_owned(),
            "_method[]=DELETE".to_owned(),
            padded,
            "{\"_method\":\"DELETE\"}".to_owned(),
            " \u{feff}{\"a\":{\"b\":1},\"\\u005fmethod\" : \"DELETE\"}".to_owned(),
            "[{\"x-http-method-override\":\"DELETE\"}]".to_owned(),
            "{a:1,_method:'DELETE'}".to_owned(),
            "{'_method':'DELETE'}".to_owned(),
            part("Content-Disposition: form-data; name=\"_method\""),
            part("content-disposition:form-data;name=_method"),
            part("Content-Disposition: form-data;\r\n\tname=\"_method\""),
            part("Content-Disposition: form-data; name*=utf-8''%5Fmethod"),
            part("Content-Disposition: form-data; name=\"=?utf-8?B?X21ldGhvZA==?=\""),
            part("Content-Disposition: form-data; filename=\"_method\""),
            part("Content-Disposition: form-data; filename=x name=\"_\\method\""),
            part("Content-ID: _method"),
            part(&format!("Content-Disposition: form-data; a={}; name=\"_method\"", "b".repeat(5000))),
        ];
        for body in &bodies {
            for kind in [None, Some(FORM), Some("text/plain"), Some(JSON), Some(MULTIPART)] {
                for piece in [1, 3, 4096] {
                    assert!(found(kind, body.as_bytes(), piece), "{kind:?} in pieces of {piece}: {}", &body[..body.len().min(80)]);
                }
            }
            let wide: Vec<u8> = body.encode_utf16().flat_map(u16::to_le_bytes).collect();
            assert!(found(Some(JSON), &wide, 4096), "UTF-16: {}", &body[..body.len().min(80)]);
        }
    }

    #[test]
    fn pieces_of_any_length_are_read_as_single_bytes_are() {
        const PARTS: &[&str] = &[
            "&",
            "=",
            ";",
            "\r",
            "\n",
            "_method",
            "\"",
            "'",
            "\\",
            ":",
            "{",
            "}",
            "[",
            "]",
            ",",
            " ",
            "a",
            "\0",
            "--",
            "%5f",
            "\u{feff}",
            "\r\nContent-Disposition: form-data; name=",
            "{\"",
            "\":\"",
            "a=",
            "verb",
        ];
        let mut state = 0x9e37_79b9_7f4a_7c15u64;
        let mut number = |most: usize| {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            (state >> 33) as usize % most
        };
        for _ in 0..4000 {
            let mut body = String::new();
            for _ in 0..number(30) {
                match number(12) {
                    0 => body.push_str(&"x".repeat(number(2 * LONG))),
                    _ => body.push_str(PARTS[number(PARTS.len())]),
                }
            }
            for kind in [None, Some(FORM), Some(JSON), Some(MULTIPART)] {
                let expected = found(kind, body.as_bytes(), 1);
                for piece in [7, 4096] {
                    assert_eq!(found(kind, body.as_bytes(), piece), expected, "{kind:?} in pieces of {piece}: {}", body.escape_debug());
                }
            }
        }
    }

    #[test]
    fn a_plain_name_is_judged_as_every_name_is() {
        for name in
            ["_method", "-verb", "method", ".Http_Method-Override", "x~http~verb", "verb", "", "__METHOD", "httpmethods", "~", "a_method"]
        {
            assert_eq!(plainly_overrides_method(name.as_bytes()), Some(Name::encoded(name).overrides_method()), "{name}");
        }
        assert_eq!(plainly_overrides_method(b"%5fmethod"), None);
    }

    #[test]
    fn ordinary_bodies_pass() {
        let part = "--x\r\nContent-Disposition: form-data; name=\"method\"\r\n\r\n&_method=DELETE\r\n--x--\r\n";
        let long = format!("{{\"text\":\"{}\"}}", "&_method=x ".repeat(2000));
        for (kind, body) in [
            (Some(FORM), "method=card&payment_method=x&v=_method"),
            (
                Some(JSON),
                "{\"messages\":[{\"content\":\"Rails reads ?a=1&_method=DELETE or \\\"_method\\\": x\"}],\"method\":\"eth_call\"}",
            ),
            (Some(JSON), "{\"tools\":[{\"schema\":{\"_method\":{}}}]}"),
            (Some(JSON), long.as_str()),
            (Some(MULTIPART), part),
            (Some("text/plain"), "the name is _method"),
            (None, ""),
        ] {
            for piece in [1, 4096] {
                assert!(!found(kind, body.as_bytes(), piece), "{body}");
            }
        }
        assert!(Overrides::of(&Method::PUT, &HeaderMap::new()).is_none(), "the method of a PUT can't be overridden");
    }
}
