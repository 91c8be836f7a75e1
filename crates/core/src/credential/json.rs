//! Strings of JSON documents (RFC 8259), named by JSON Pointers (RFC 6901): found where they exist once, filled in where they stand.
//!
//! Readers differ on names that stand twice, and some take names for one that are not. So on the way of a pointer each name stands once, and no
//! other that a reader could take for it.

use super::fields::Held;
use crate::json::{elements, members};
use crate::manifest::Pointer;
use crate::url::names::Name;
use serde_json::value::RawValue;
use std::ops::Range;
use zeroize::Zeroizing;

/// Most objects and arrays around a value.
const DEEPEST: usize = 64;

/// A document that every reader reads. It is parsed once, however many fields are looked for in it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Document<'b> {
    text: &'b str,
    root: &'b RawValue,
}

impl<'b> Document<'b> {
    /// Reads it.
    ///
    /// # Errors
    /// Why some readers would not, or otherwise.
    pub(super) fn read(text: &'b str) -> Result<Self, &'static str> {
        is_shallow(text)?;
        let root = serde_json::from_str(text).map_err(|_| "the body is not JSON, though its `content-type` says so")?;
        strings(root).ok_or("the body holds a name that is not Unicode")?;
        Ok(Self { text, root })
    }

    /// What it holds there.
    pub(super) fn held(&self, pointer: &Pointer) -> Held {
        match walk(self.root, pointer.tokens()) {
            Err(held) => held,
            Ok(None) => Held::Nothing,
            Ok(Some(value)) => match serde_json::from_str::<String>(value.get()) {
                Ok(string) => Held::Text(string, within(self.text, value.get())),
                Err(_) => match value.get().as_bytes().first() {
                    Some(b'n') => Held::Nothing,
                    Some(b'-' | b'0'..=b'9') => Held::Number(value.get().to_owned()),
                    _ => Held::Odd("the field is not a string"),
                },
            },
        }
    }
}

/// Whether no value lies deeper than readers go.
fn is_shallow(text: &str) -> Result<(), &'static str> {
    let (mut depth, mut in_string, mut is_escaped) = (0usize, false, false);
    for byte in text.bytes() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_string => is_escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => depth += 1,
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEEPEST {
            return Err("the body is JSON of more than 64 levels");
        }
    }
    Ok(())
}

/// Reads all names of a document.
fn strings(value: &RawValue) -> Option<()> {
    match value.get().as_bytes().first() {
        Some(b'{') => members(value)?.into_iter().try_for_each(|(_, value)| strings(value)),
        Some(b'[') => elements(value)?.into_iter().try_for_each(strings),
        _ => Some(()),
    }
}

/// Where a part of a text stands in it.
fn within(text: &str, part: &str) -> Range<usize> {
    let start = part.as_ptr() as usize - text.as_ptr() as usize;
    start..start + part.len()
}

fn walk<'t>(value: &'t RawValue, tokens: &[String]) -> Result<Option<&'t RawValue>, Held> {
    let Some((token, rest)) = tokens.split_first() else { return Ok(Some(value)) };
    match value.get().as_bytes().first() {
        Some(b'{') => {
            let granted = Name::plain(token);
            let mut alike =
                members(value).unwrap_or_default().into_iter().filter(|(name, _)| name == token || Name::plain(name).is_like(&granted));
            match (alike.next(), alike.next()) {
                (None, _) => Ok(None),
                (Some(_), Some(_)) => Err(Held::Twice("a name on the way to the field is there more than once")),
                (Some((name, inside)), None) if name == *token => walk(inside, rest),
                (Some(_), None) => Err(Held::Twice("a name on the way to the field has another spelling")),
            }
        }
        Some(b'[') => {
            let index = token.parse::<usize>().ok().filter(|index| index.to_string() == *token);
            let index = index.ok_or(Held::Odd("there is a list where the way to the field leads through an object"))?;
            elements(value).unwrap_or_default().get(index).map_or(Ok(None), |inside| walk(inside, rest))
        }
        _ if value.get() == "null" => Ok(None),
        _ => Err(Held::Odd("the way to the field leads through something that is no object")),
    }
}

/// The document with a string in the place of the one that the pointer names; `None` where there is none, or the value is no text.
pub(super) fn filled(text: &str, pointer: &Pointer, value: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let document = Document { text, root: serde_json::from_str(text).ok()? };
    let Held::Text(_, at) = document.held(pointer) else { return None };
    let value = std::str::from_utf8(value).ok()?;
    let mut out = Zeroizing::new(Vec::with_capacity(text.len() + value.len() * 6 + 2));
    out.extend_from_slice(&text.as_bytes()[..at.start]);
    serde_json::to_writer(&mut *out, value).ok()?;
    out.extend_from_slice(&text.as_bytes()[at.end..]);
    Some(out)
}

/// The document with a value, as it is written, in the place that the pointer names: over what stands there, or as the last member of the
/// object that would have it. None where there is no such object.
pub(super) fn with_raw(text: &str, pointer: &Pointer, raw: &str) -> Option<Zeroizing<Vec<u8>>> {
    let document: &RawValue = serde_json::from_str(text).ok()?;
    let (name, way) = pointer.tokens().split_last()?;
    let (at, new) = match walk(document, pointer.tokens()).ok()? {
        Some(value) => (within(text, value.get()), raw.to_owned()),
        None => {
            let object = walk(document, way).ok()??;
            let between = if members(object)?.is_empty() { "" } else { "," };
            let end = within(text, object.get()).end.checked_sub(1)?;
            (end..end, format!("{between}{}:{raw}", serde_json::to_string(name).ok()?))
        }
    };
    let mut out = Zeroizing::new(Vec::with_capacity(text.len() + new.len()));
    for part in [&text[..at.start], &new, &text[at.end..]] {
        out.extend_from_slice(part.as_bytes());
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pointer(text: &str) -> Pointer {
        Pointer::parse(text).expect("a pointer")
    }

    fn held(text: &str, pointer: &Pointer) -> Held {
        Document::read(text).expect(text).held(pointer)
    }

    #[test]
    fn a_field_is_there_once_for_every_reader() {
        let text = |text: &str, way: &str| match held(text, &pointer(way)) {
            Held::Text(string, at) => Some((string, text[at].to_owned())),
            _ => None,
        };
        assert_eq!(text(r#"{"a":1, "token" : "P" }"#, "/token"), Some(("P".into(), "\"P\"".into())));
        assert_eq!(text(r#"{"token":"\u0050"}"#, "/token"), Some(("P".into(), r#""\u0050""#.into())));
        assert_eq!(text(r#"{"auth":{"keys":["x","P"]}}"#, "/auth/keys/1"), Some(("P".into(), "\"P\"".into())));
        assert_eq!(text(r#"{"a/b":{"m~n":"P"}}"#, "/a~1b/m~0n"), Some(("P".into(), "\"P\"".into())));
        assert_eq!(text(r#"{"x":{"token":1,"token":2},"token":"P"}"#, "/token"), Some(("P".into(), "\"P\"".into())), "not on its way");
        for nothing in ["{}", r#"{"token":null}"#, r#"{"tokens":"P"}"#, r#"{"a":{"token":"P"}}"#, "null"] {
            assert_eq!(held(nothing, &pointer("/token")), Held::Nothing, "{nothing}");
        }
        for (other, way) in [
            (r#"{"token":"P","token":"Q"}"#, "/token"),
            (r#"{"token":"P","\u0074oken":"Q"}"#, "/token"),
            (r#"{"token":"P","Token":"Q"}"#, "/token"),
            (r#"{"to_ken":"P","toKen":"Q"}"#, "/to_ken"),
            (r#"{"keys":"P","\u212aeys":"Q"}"#, "/keys"),
            (r#"{"secret":"P","\u017fecret":"Q"}"#, "/secret"),
            (r#"{"TOKEN":"P"}"#, "/token"),
            (r#"{"a":{"t":"P"},"a":{"t":"Q"}}"#, "/a/t"),
            (r#"{"token":1}"#, "/token"),
            (r#"{"token":{"token":"P"}}"#, "/token"),
            (r#"{"token":["P"]}"#, "/token"),
            (r#"[{"token":"P"}]"#, "/token"),
            (r#"{"a":"P"}"#, "/a/token"),
        ] {
            assert!(held(other, &pointer(way)).why().is_some(), "{other}: {:?}", held(other, &pointer(way)));
        }
    }

    #[test]
    fn a_document_of_64_levels_is_read_and_no_deeper_one() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        let is_read = |text: &str| Document::read(text).is_ok();
        assert!(is_read(&nested(64)));
        assert!(!is_read(&nested(65)) && !is_read(&nested(100_000)));
        assert!(is_read(&format!("\"{}\\\"[\"", "[".repeat(100))), "in a string they are text");
    }

    #[test]
    fn a_member_is_set_where_it_stands_or_behind_the_others() {
        let set = |text: &str, way: &str| with_raw(text, &pointer(way), "7").and_then(|set| String::from_utf8(set.to_vec()).ok());
        assert_eq!(set(r#"{"nonce": "1","a":1.0 }"#, "/nonce").as_deref(), Some(r#"{"nonce": 7,"a":1.0 }"#));
        assert_eq!(set(r#"{"a":1.0 }"#, "/nonce").as_deref(), Some(r#"{"a":1.0 ,"nonce":7}"#));
        assert_eq!(set("{}", "/nonce").as_deref(), Some(r#"{"nonce":7}"#));
        assert_eq!(set(r#"{"a":{}}"#, "/a/n").as_deref(), Some(r#"{"a":{"n":7}}"#));
        for text in ["[]", "7", r#"{"a":1}"#, r#"{"nonce":1,"nonce":2}"#, r#"{"Nonce":1}"#, ""] {
            let way = if text.contains("\"a\":1") { "/a/n" } else { "/nonce" };
            assert_eq!(set(text, way), None, "{text}");
        }
    }

    #[test]
    fn a_value_is_escaped_and_the_rest_stays() {
        let text = r#"{ "pin" : 12345678901234567890123, "a":{"token":"P"}, "x\u0041" : 1.0 }"#;
        let filled = filled(text, &pointer("/a/token"), "v\"\\\n\u{e4}".as_bytes()).expect("the field is there");
        assert_eq!(std::str::from_utf8(&filled), Ok(r#"{ "pin" : 12345678901234567890123, "a":{"token":"v\"\\\nä"}, "x\u0041" : 1.0 }"#));
        assert!(super::filled(text, &pointer("/a/token"), b"\xff").is_none(), "not text");
        assert!(super::filled(text, &pointer("/b"), b"v").is_none());
    }
}
