//! The texts that are signed: the canonical request, and the text to sign with its digest.

use super::encode::{PathStyle, push_path, push_query};
use super::{ALGORITHM, Refused, Request, Scope, Stamp, key};
use crate::text::hex;
use http::HeaderName;
use zeroize::Zeroizing;

/// The names of signed headers: in lower case, sorted, each once, `host` among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SignedHeaders(Vec<HeaderName>);

/// The most headers that a signature may cover: a head has no more.
const MOST: usize = 128;

impl SignedHeaders {
    pub(super) fn read(text: &str) -> Result<Self, Refused> {
        let is_lower = |name: &str| !name.bytes().any(|byte| byte.is_ascii_uppercase());
        let read = |name: &str| is_lower(name).then(|| HeaderName::from_bytes(name.as_bytes()).ok()).flatten();
        let names: Vec<HeaderName> = text.split(';').take(MOST + 1).map(read).collect::<Option<_>>().ok_or(Refused::SignedHeaders)?;
        if names.len() > MOST || !names.is_sorted_by(|one, next| one.as_str() < next.as_str()) {
            return Err(Refused::SignedHeaders);
        }
        // A signature can't cover itself.
        if names.contains(&http::header::AUTHORIZATION) {
            return Err(Refused::SignedHeaders);
        }
        let names = Self(names);
        if names.contains("host") { Ok(names) } else { Err(Refused::NotSigned("host".to_owned())) }
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.0.binary_search_by(|known| known.as_str().cmp(name)).is_ok()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &HeaderName> {
        self.0.iter()
    }

    pub(super) fn add(&mut self, name: HeaderName) {
        if let Err(place) = self.0.binary_search_by(|known| known.as_str().cmp(name.as_str())) {
            self.0.insert(place, name);
        }
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.0.retain(|known| known.as_str() != name);
    }

    pub(super) fn retain(&mut self, is_kept: impl Fn(&HeaderName) -> bool) {
        self.0.retain(is_kept);
    }

    /// Adds them as they are written, joined with `;`.
    pub(super) fn push(&self, out: &mut Vec<u8>) {
        for (place, name) in self.0.iter().enumerate() {
            if place > 0 {
                out.push(b';');
            }
            out.extend_from_slice(name.as_str().as_bytes());
        }
    }
}

/// What a canonical request is made of beside the request.
pub(super) struct Parts<'p> {
    pub style: PathStyle,
    /// The query, where it is not the request's.
    pub query: Option<&'p str>,
    /// Parameters of the query that are not signed.
    pub unsigned: &'p [&'p str],
    pub signed: &'p SignedHeaders,
    /// The session token, where it is not the request's.
    pub token: Option<&'p [u8]>,
    pub payload: &'p str,
}

/// The canonical request: what a signature says has been meant.
///
/// # Errors
/// Where a signed header is none of the request's.
pub(super) fn canonical_request(request: &Request<'_>, parts: &Parts<'_>) -> Result<Zeroizing<Vec<u8>>, Refused> {
    let query = parts.query.or(request.query).unwrap_or("");
    // At its whole length at once, for it may hold a session token; and not much longer, since all of it is wiped.
    let values = |name: &HeaderName| request.headers.get_all(name).iter().map(|value| value.len() + 1).sum::<usize>();
    let head: usize = parts.signed.iter().map(|name| 2 * name.as_str().len() + 3 + values(name)).sum();
    let length = request.method.len() + 3 * (request.path.len() + query.len()) + head + parts.token.map_or(0, <[u8]>::len);
    let most = length + request.host.len() + parts.payload.len() + 8;
    let mut out = Zeroizing::new(Vec::with_capacity(most));

    out.extend_from_slice(request.method.as_bytes());
    out.push(b'\n');
    push_path(request.path, parts.style, &mut out);
    out.push(b'\n');
    push_query(query, |name| parts.unsigned.contains(&name), &mut out);
    out.push(b'\n');
    for name in parts.signed.iter() {
        out.extend_from_slice(name.as_str().as_bytes());
        out.push(b':');
        match (name.as_str(), parts.token) {
            ("host", _) => push_value(request.host.as_bytes(), &mut out),
            (super::TOKEN, Some(token)) => push_value(token, &mut out),
            _ => push_values(request, name, &mut out)?,
        }
        out.push(b'\n');
    }
    out.push(b'\n');
    parts.signed.push(&mut out);
    out.push(b'\n');
    out.extend_from_slice(parts.payload.as_bytes());
    debug_assert!(out.len() <= most, "it was not grown");
    Ok(out)
}

/// All lines of a header, in order.
fn push_values(request: &Request<'_>, name: &HeaderName, out: &mut Vec<u8>) -> Result<(), Refused> {
    let mut values = request.headers.get_all(name).iter();
    let first = values.next().ok_or_else(|| Refused::NoSuchHeader(name.as_str().to_owned()))?;
    push_value(first.as_bytes(), out);
    for value in values {
        out.push(b',');
        push_value(value.as_bytes(), out);
    }
    Ok(())
}

/// Without blanks around it, and with one where there are several.
fn push_value(value: &[u8], out: &mut Vec<u8>) {
    let words = value.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    for (place, word) in words.enumerate() {
        if place > 0 {
            out.push(b' ');
        }
        out.extend_from_slice(word);
    }
}

/// What is signed of a request.
pub(super) fn string_to_sign(time: &Stamp, scope: &Scope, canonical: &[u8]) -> String {
    [ALGORITHM, time.text(), scope.text(), &hex(&key::sha256(canonical))].join("\n")
}
