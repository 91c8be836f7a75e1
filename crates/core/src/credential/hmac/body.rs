//! A body in which something of the scheme may stand: a form or a JSON document, by its `content-type` alone.

use super::{Part, Refused, Request};
use crate::json;
use crate::url::names::Name;
use http::{HeaderMap, header};
use serde_json::value::RawValue;

/// The body, by what it says of itself.
pub(super) enum Body<'r> {
    Form(&'r str),
    Json(&'r RawValue),
    /// There is none, and what it would be.
    Empty(Kind),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Form,
    Json,
    Other,
}

impl<'r> Body<'r> {
    pub(super) fn read(request: &Request<'r>) -> Result<Self, Refused> {
        let kind = kind(request.headers)?;
        if request.body.is_empty() {
            return Ok(Self::Empty(kind));
        }
        let is_coded = request.headers.get_all(header::CONTENT_ENCODING).iter().any(|coding| coding.as_bytes() != b"identity");
        let text = std::str::from_utf8(request.body).ok().filter(|_| !is_coded).ok_or(Refused::Body)?;
        match kind {
            Kind::Form => Ok(Self::Form(text)),
            Kind::Json => serde_json::from_str(text).map(Self::Json).map_err(|_| Refused::Body),
            Kind::Other => Err(Refused::Body),
        }
    }

    /// The form's text; empty where there is no form.
    pub(super) fn form(&self) -> &'r str {
        match self {
            Self::Form(text) => text,
            Self::Json(_) | Self::Empty(_) => "",
        }
    }

    pub(super) fn takes_fields(&self) -> bool {
        matches!(self, Self::Form(_) | Self::Empty(Kind::Form))
    }

    pub(super) fn takes_members(&self) -> bool {
        matches!(self, Self::Json(document) if document.get().starts_with('{'))
    }

    /// What a JSON Pointer leads to, through members that each object has once, by whichever reader.
    pub(super) fn member(&self, pointer: &str, part: Part) -> Result<Option<&'r RawValue>, Refused> {
        let Self::Json(document) = self else { return Ok(None) };
        let mut found: &'r RawValue = document;
        for token in pointer.split('/').skip(1) {
            let token = token.replace("~1", "/").replace("~0", "~");
            // A list, a text or a number has no member.
            let Some(members) = json::members(found) else { return Ok(None) };
            let sought = Name::plain(&token);
            let mut alike = members.into_iter().filter(|(name, _)| *name == token || Name::plain(name).is_like(&sought));
            let Some((name, value)) = alike.next() else { return Ok(None) };
            if name != token || alike.next().is_some() {
                return Err(Refused::Twice(part));
            }
            found = value;
        }
        Ok(Some(found))
    }
}

/// What a body is by its type. Two types, or a charset that is none of UTF-8's, are refused.
fn kind(headers: &HeaderMap) -> Result<Kind, Refused> {
    let mut lines = headers.get_all(header::CONTENT_TYPE).iter();
    let Some(line) = lines.next() else { return Ok(Kind::Other) };
    let text = line.to_str().ok().filter(|_| lines.next().is_none()).ok_or(Refused::Body)?.to_ascii_lowercase();
    let mut parts = text.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    let is_foreign = |parameter: &str| {
        let charset = parameter.split_once('=').filter(|(name, _)| name.trim() == "charset");
        charset.is_some_and(|(_, charset)| !matches!(charset.trim().trim_matches('"'), "utf-8" | "utf8" | "us-ascii"))
    };
    if parts.any(is_foreign) {
        return Err(Refused::Body);
    }
    Ok(match essence {
        "application/x-www-form-urlencoded" => Kind::Form,
        "application/json" => Kind::Json,
        essence if essence.ends_with("+json") => Kind::Json,
        _ => Kind::Other,
    })
}
