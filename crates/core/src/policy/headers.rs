//! Which request headers a guest may set, and which look like a credential.

mod elsewhere;
mod shape;

pub use shape::{Shape, take_over};

use crate::url::names::same_header;
use http::{HeaderMap, HeaderName, header};

/// Most header lines of one request.
const MAX_LINES: usize = 128;
/// Longest header value, in bytes.
const MAX_VALUE: usize = 16 * 1024;
/// Longest header name, in bytes.
const MAX_NAME: usize = 256;
/// All names and values together, in bytes.
const MAX_TOTAL: usize = 64 * 1024;

/// What nearly every request holds: no rule of this room knows these names, but that `authorization` is a credential.
static ORDINARY: [HeaderName; 8] = [
    header::ACCEPT,
    header::AUTHORIZATION,
    header::CONTENT_TYPE,
    header::USER_AGENT,
    header::ACCEPT_LANGUAGE,
    header::CACHE_CONTROL,
    header::ORIGIN,
    header::REFERER,
];

fn is_ordinary(name: &HeaderName) -> bool {
    ORDINARY.contains(name)
}

/// Refuses what no request may hold.
pub(super) fn check(headers: &HeaderMap) -> Result<(), String> {
    if headers.len() > MAX_LINES {
        return Err(format!("the request has more than {MAX_LINES} header lines"));
    }
    if headers.keys().any(|name| name.as_str().len() > MAX_NAME) {
        return Err(format!("the name of a header is longer than {MAX_NAME} bytes"));
    }
    let total: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if total > MAX_TOTAL || headers.values().any(|value| value.len() > MAX_VALUE) {
        return Err(format!("the headers are longer than {MAX_TOTAL} bytes, or one value than {MAX_VALUE}"));
    }
    if let Some(name) = headers.keys().find(|name| !is_ordinary(name) && elsewhere::overrides(name.as_str())) {
        return Err(format!("the header `{name}` overrides the method or the URL that was judged"));
    }
    Ok(())
}

/// What a header names beside what was judged, for people: a second resource, or another client. A grant may let it pass.
pub(super) fn names_another(name: &HeaderName) -> Option<&'static str> {
    if is_ordinary(name) { None } else { elsewhere::names_another(name.as_str()) }
}

/// The words of a header's name.
fn words(name: &str) -> impl Iterator<Item = &str> {
    name.split(['-', '_'])
}

/// Whether a name begins so, as servers of either kind read it.
fn begins_with(name: &str, beginning: &str) -> bool {
    name.get(..beginning.len()).is_some_and(|found| same_header(found, beginning))
}

/// Whether a header by that name usually carries a credential: `authorization`, `cookie`, and names with a word such as `token`.
pub(super) fn is_credential(name: &HeaderName) -> bool {
    if is_ordinary(name) { *name == header::AUTHORIZATION } else { sounds_like_a_credential(name.as_str()) }
}

fn sounds_like_a_credential(name: &str) -> bool {
    const WORDS: &[&str] = &[
        "auth",
        "authorization",
        "authentication",
        "authenticate",
        "secret",
        "apikey",
        "password",
        "passwd",
        "passphrase",
        "credential",
        "credentials",
        "cookie",
        "session",
        "sessionid",
        "jwt",
        "bearer",
        "signature",
    ];
    let mut before = "";
    words(name).any(|word| match (std::mem::replace(&mut before, word), word) {
        // `idempotency-key`, and what Google's client library for storage calls `x-goog-gcs-idempotency-token`: numbers of a request.
        ("idempotency", "key" | "token") => false,
        (_, "key" | "token") => true,
        (_, word) => WORDS.contains(&word),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn credential_headers_are_known_by_their_words() {
        let name = |text| HeaderName::from_bytes(text).expect("a header name");
        for yes in [
            &b"authorization"[..],
            b"cookie",
            b"x-api-key",
            b"api-key",
            b"x-auth-token",
            b"proxy-authorization",
            b"ocp-apim-subscription-key",
            b"x-idempotency-token-key",
            b"x_session",
        ] {
            assert!(is_credential(&name(yes)), "{yes:?}");
        }
        for no in [
            &b"accept"[..],
            b"content-type",
            b"idempotency-key",
            b"x-goog-gcs-idempotency-token",
            b"x-author",
            b"x-keyboard",
            b"user-agent",
        ] {
            assert!(!is_credential(&name(no)), "{no:?}");
        }
    }

    #[test]
    fn no_rule_knows_what_is_ordinary() {
        for name in &ORDINARY {
            assert_eq!(sounds_like_a_credential(name.as_str()), *name == header::AUTHORIZATION, "{name}");
            assert!(!elsewhere::overrides(name.as_str()) && elsewhere::names_another(name.as_str()).is_none(), "{name}");
            assert!(!shape::is_of_answer(name.as_str()), "{name}");
        }
    }

    #[test]
    fn overrides_and_oversize_are_refused() {
        let overrides = HeaderMap::from_iter([(HeaderName::from_static("x-http-method-override"), HeaderValue::from_static("x"))]);
        assert!(check(&overrides).is_err());
        let long = HeaderValue::from_bytes(&vec![b'a'; MAX_VALUE + 1]).expect("visible");
        assert!(check(&HeaderMap::from_iter([(header::ACCEPT, long)])).is_err());
    }
}
