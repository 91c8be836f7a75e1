//! The head of a caller's request: what can be read in two ways is refused before anything is looked up by it. Pure.

use crate::url::CanonicalUrl;
use http::{HeaderValue, Method, StatusCode, Uri, Version, header, request};

/// Why a request is turned away: the status that the caller gets, and why, which it is not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) status: StatusCode,
    pub(super) why: &'static str,
}

impl Refused {
    pub(super) fn new(status: StatusCode, why: &'static str) -> Self {
        Self { status, why }
    }

    fn bad(why: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, why)
    }
}

/// The methods whose meaning is the same everywhere (RFC 9110, RFC 5789).
const METHODS: [Method; 7] = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];

/// Reads what is asked for.
pub(super) fn read(head: &request::Parts, is_tls: bool) -> Result<CanonicalUrl, Refused> {
    if !METHODS.contains(&head.method) {
        return Err(Refused::new(StatusCode::METHOD_NOT_ALLOWED, "a method that no agent answers"));
    }
    let authority = authority(head)?.to_ascii_lowercase();
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
    let scheme = if is_tls { "https" } else { "http" };
    let uri = Uri::builder().scheme(scheme).authority(authority).path_and_query(target).build();
    CanonicalUrl::read(&uri.map_err(|_| Refused::bad("the target is not a path"))?).map_err(Refused::bad)
}

/// Whom the request is to: the one `Host`, or `:authority` of HTTP/2, with which a `Host` agrees.
fn authority(head: &request::Parts) -> Result<&str, Refused> {
    let mut hosts = head.headers.get_all(header::HOST).iter();
    let host = hosts.next().map(HeaderValue::to_str).transpose().map_err(|_| Refused::bad("`Host` is malformed"))?;
    if hosts.next().is_some() {
        return Err(Refused::bad("there are two `Host` lines"));
    }
    match (head.version, head.uri.authority(), host) {
        (Version::HTTP_2, Some(authority), None) => Ok(authority.as_str()),
        (Version::HTTP_2, Some(authority), Some(host)) if authority.as_str().eq_ignore_ascii_case(host) => Ok(host),
        (Version::HTTP_2, ..) => Err(Refused::bad("`Host` and `:authority` differ, or there is none")),
        // The form for proxies, which this is none of; a server behind one could take the other name.
        (_, Some(_), _) => Err(Refused::bad("the target is a whole URL")),
        (_, None, Some(host)) => Ok(host),
        (_, None, None) => Err(Refused::bad("there is no `Host`")),
    }
}

/// What of a body is known before any of it has come: whether it may come.
pub(super) fn body(head: &request::Parts, most: u64) -> Result<(), Refused> {
    let is_coded = |value: &HeaderValue| !value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity");
    if head.headers.get_all(header::CONTENT_ENCODING).iter().any(is_coded) {
        return Err(Refused::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the body is coded, and can't be searched"));
    }
    // Another coding than this one would reach the agent as it is, and not be searched.
    let mut transfer = head.headers.get_all(header::TRANSFER_ENCODING).iter();
    if transfer.next().is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"chunked")) || transfer.next().is_some() {
        return Err(Refused::bad("its `Transfer-Encoding` is another than `chunked`"));
    }
    let length = head.headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > most) {
        return Err(too_long());
    }
    Ok(())
}

pub(super) fn too_long() -> Refused {
    Refused::new(StatusCode::PAYLOAD_TOO_LARGE, "the body is longer than `trigger.body`")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(method: &str, uri: &str, version: Version, hosts: &[&str]) -> request::Parts {
        let request = hosts
            .iter()
            .fold(http::Request::builder().method(method).uri(uri).version(version), |request, host| request.header("host", *host));
        request.body(()).expect("a request").into_parts().0
    }

    #[test]
    fn whatever_can_be_read_in_two_ways_is_refused() {
        let (one, two) = (Version::HTTP_11, Version::HTTP_2);
        for (method, uri, version, hosts, expected) in [
            ("POST", "/hook?a=1", one, &["127.0.0.1:8080"][..], Ok("/hook")),
            ("POST", "/hook", one, &["Hooks.Example.com"], Ok("/hook")),
            ("POST", "https://hooks.example.com/hook", two, &[], Ok("/hook")),
            ("POST", "https://hooks.example.com/hook", two, &["hooks.example.com"], Ok("/hook")),
            ("POST", "https://hooks.example.com/hook", two, &["evil.example"], Err(400)),
            ("POST", "/hook", two, &["hooks.example.com"], Err(400)),
            ("POST", "http://hooks.example.com/hook", one, &["hooks.example.com"], Err(400)),
            ("POST", "/hook", one, &[], Err(400)),
            ("POST", "/hook", one, &["a.example", "a.example"], Err(400)),
            ("POST", "/hook", one, &["user@a.example"], Err(400)),
            ("POST", "/hook", one, &["a.example/x"], Err(400)),
            ("POST", "/hook", one, &["a.example:"], Err(400)),
            ("POST", "//hook", one, &["a.example"], Err(400)),
            ("POST", "/x/../hook", one, &["a.example"], Err(400)),
            ("POST", "/%2e%2e/hook", one, &["a.example"], Err(400)),
            ("POST", "/hook/%2e", one, &["a.example"], Err(400)),
            ("POST", "/hook;a", one, &["a.example"], Err(400)),
            ("POST", "/hook%00", one, &["a.example"], Err(400)),
            ("POST", "/x%2f..%2fhook", one, &["a.example"], Err(400)),
            ("OPTIONS", "*", one, &["a.example"], Err(400)),
            ("CONNECT", "a.example:443", one, &["a.example"], Err(405)),
            ("TRACE", "/hook", one, &["a.example"], Err(405)),
            ("get", "/hook", one, &["a.example"], Err(405)),
        ] {
            let read = read(&parts(method, uri, version, hosts), version == two);
            let read = read.map(|url| url.path).map_err(|refused| refused.status.as_u16());
            assert_eq!(read, expected.map(str::to_owned), "{method} {uri} {hosts:?}");
        }
    }
}
