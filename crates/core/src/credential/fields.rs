//! The fields of a body: forms and JSON documents, as far as a secret may stand in them.
//!
//! A field is found as the most lenient server would find it, and filled only where every server finds the same: it stands there once, under
//! exactly its name, in a body whose kind, charset and coding are said. Anything else is told apart from a field that is not there, for
//! whoever judges it.

use super::form;
use super::json::Document;
use crate::manifest::Place;
use http::{HeaderMap, header};
use std::ops::Range;

/// Longest body in which a field is looked for, in bytes.
pub const MOST_HELD: usize = 1 << 20;

/// A body whose fields can be found.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fields<'b> {
    /// It has none: it is empty.
    Empty,
    /// `application/x-www-form-urlencoded`, as the WHATWG URL standard has it.
    Form(&'b str),
    /// A JSON document (RFC 8259).
    Json(Document<'b>),
}

/// What a body is by its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Form,
    Json,
    Other,
}

/// What a body holds in one place.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// Nothing, for any server.
    Nothing,
    /// This text, once, for every server; and where it stands in the body.
    Text(String, Range<usize>),
    /// This number of a JSON document, as it is written.
    Number(String),
    /// The body is of another kind than the place.
    OtherKind,
    /// More than one, or one that only some servers take for it.
    Twice(&'static str),
    /// Something that is no text.
    Odd(&'static str),
}

impl Held {
    /// Why it is not one text, where something is there.
    pub(crate) fn why(&self) -> Option<&'static str> {
        match self {
            Self::Nothing | Self::Text(..) => None,
            Self::Number(_) => Some("the field is not a string"),
            Self::OtherKind => Some("the body is of another kind than the field that is granted"),
            Self::Twice(why) | Self::Odd(why) => Some(why),
        }
    }
}

impl Kind {
    /// The kind that the head says.
    ///
    /// # Errors
    /// Why it can't be told.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, &'static str> {
        if !headers.contains_key(header::CONTENT_TYPE) {
            return Ok(Self::Other);
        }
        let content_type = super::single(headers, &header::CONTENT_TYPE).ok_or("the body's `content-type` is not said once")?;
        let (essence, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
        let is_utf8 = |parameter: &str| match parameter.trim().split_once('=') {
            Some((name, value)) if name.eq_ignore_ascii_case("charset") => {
                let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
                value.eq_ignore_ascii_case("utf-8")
            }
            // RFC 6838: what else is said does not change how it is read. A second charset would.
            Some((name, _)) => !name.to_ascii_lowercase().contains("charset"),
            None => parameter.trim().is_empty(),
        };
        let charsets = parameters.split(';').filter(|parameter| parameter.to_ascii_lowercase().contains("charset")).count();
        if charsets > 1 || !parameters.split(';').all(is_utf8) {
            return Err("the body's `content-type` says more than `charset=utf-8`");
        }
        let essence = essence.trim().to_ascii_lowercase();
        Ok(match essence.as_str() {
            "application/x-www-form-urlencoded" => Self::Form,
            "application/json" => Self::Json,
            essence if essence.starts_with("application/") && essence.ends_with("+json") => Self::Json,
            _ => Self::Other,
        })
    }
}

impl<'b> Fields<'b> {
    /// Reads a body by what its head says about it.
    ///
    /// # Errors
    /// Why its fields can't be found with certainty.
    pub(crate) fn read(headers: &HeaderMap, body: &'b [u8]) -> Result<Self, &'static str> {
        if body.is_empty() {
            return Ok(Self::Empty);
        }
        if headers.contains_key(header::CONTENT_ENCODING) {
            return Err("`content-encoding` hides the fields of the body");
        }
        let kind = Kind::of(headers)?;
        let text = std::str::from_utf8(body).map_err(|_| "the body is not UTF-8")?;
        match kind {
            Kind::Form => Ok(Self::Form(text)),
            Kind::Json => Document::read(text).map(Self::Json),
            Kind::Other => Err("the body's `content-type` is neither a form nor JSON"),
        }
    }

    /// What stands in a place; `None` where that is no place of a body.
    pub(crate) fn held(&self, place: &Place) -> Option<Held> {
        let held = match (place, self) {
            (Place::Form(_) | Place::Json(_), Self::Empty) => Held::Nothing,
            (Place::Form(name), Self::Form(form)) => form::held(form, name),
            (Place::Json(pointer), Self::Json(document)) => document.held(pointer),
            (Place::Form(_) | Place::Json(_), _) => Held::OtherKind,
            _ => return None,
        };
        Some(held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(headers: &[(&str, &str)], body: &[u8]) -> Result<&'static str, &'static str> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name.parse::<http::HeaderName>().expect("a name"), value.parse().expect("a value"));
        }
        Fields::read(&map, body).map(|fields| match fields {
            Fields::Empty => "empty",
            Fields::Form(_) => "form",
            Fields::Json(_) => "json",
        })
    }

    #[test]
    fn the_kind_of_a_body_is_what_every_server_takes_it_for() {
        for (content_type, kind) in [
            ("application/x-www-form-urlencoded", "form"),
            ("Application/X-WWW-Form-Urlencoded; charset=UTF-8", "form"),
            ("application/json", "json"),
            ("application/json; charset=\"utf-8\"", "json"),
            ("application/vnd.api+json;v=1", "json"),
        ] {
            assert_eq!(read(&[("content-type", content_type)], b"{}"), Ok(kind), "{content_type}");
        }
        assert_eq!(read(&[], b""), Ok("empty"));
        for headers in [
            &[("content-type", "application/json; charset=utf-16")][..],
            &[("content-type", "application/json; charset=utf-7")],
            &[("content-type", "application/json; charset=utf-8; charset=utf-16")],
            &[("content-type", "application/json; x-charset=utf-16")],
            &[("content-type", "application/json; charset")],
            &[("content-type", "application/json, text/plain")],
            &[("content-type", "application/json"), ("content-type", "application/x-www-form-urlencoded")],
            &[("content-type", "text/plain")],
            &[("content-type", "multipart/form-data; boundary=x")],
            &[("content-type", "application/json"), ("content-encoding", "gzip")],
            &[("content-type", "application/json"), ("content-encoding", "identity")],
            &[],
        ] {
            assert!(read(headers, b"{}").is_err(), "{headers:?}");
        }
        for body in [&b"\xef\xbb\xbf{}"[..], b"\xff\xfe{\0}\0", b"{\"a\":\"\xc3\"}", b"{}{}", b"{'a':1}", b"{\"a\":1,}", b"{\"\\ud800\":1}"]
        {
            assert!(read(&[("content-type", "application/json")], body).is_err(), "{body:?}");
        }
        assert!(read(&[("content-type", "application/x-www-form-urlencoded")], b"a=\xff").is_err());
    }
}
