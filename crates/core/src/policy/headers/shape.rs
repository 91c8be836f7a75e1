//! The headers that shape a response. To a destination with a grant only the host sets them, except for a list, so that a response arrives
//! whole, in a charset and a coding that can be searched.

use super::{begins_with, is_ordinary, words};
use crate::url::names::same_header;
use http::{HeaderMap, HeaderName, HeaderValue, header};

/// Headers that frame the message: the host writes its own.
const FRAMING: &[&str] =
    &["host", "te", "trailer", "expect", "upgrade", "connection", "transfer-encoding", "keep-alive", "proxy-connection"];

/// Headers of the `Accept` kind that a guest may set: they choose a language or a version, neither a charset, a coding nor a part.
const ACCEPTED: &[&str] = &["accept", "accept-language", "accept-version", "accept-profile", "accept-crs"];

/// Conditions that are judged by what the run has got of the server, and not dropped.
const CONDITIONS: &[&str] = &["if-match", "if-none-match", "if-modified-since", "if-unmodified-since"];

/// Headers that choose a form of the answer, and fit no rule.
const OTHERS: &[&str] = &["a-im", "im", "negotiate", "want-digest", "want-content-digest", "want-repr-digest"];

/// Parameters of a media type that `Accept` keeps: OData's, JSON:API's, and versions as vendors write them.
const PARAMETERS: &[&str] = &[
    "q",
    "exponentialdecimals",
    "ext",
    "ieee754compatible",
    "level",
    "odata",
    "odata.metadata",
    "odata.streaming",
    "metadata",
    "streaming",
    "profile",
    "type",
    "v",
    "version",
    "api-version",
];

/// The content codings that the host undoes.
const CODINGS: &[&str] = &["gzip", "x-gzip", "deflate", "br", "zstd", "identity"];

/// How an answer is looked at, and so how much of its shape a guest may choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape<'a> {
    /// Not at all: the agent has no secret.
    Free,
    /// It is searched for values that the host knows.
    Searched,
    /// Its host holds a grant; `Accept` keeps these parameters too.
    Guarded(&'a [String]),
}

/// Takes out what is the host's own to say. Gives what the guest asked for and does not get.
pub fn take_over(headers: &mut HeaderMap, shape: Shape<'_>) -> Vec<HeaderName> {
    remove(headers, |name| !is_ordinary(name) && frames(name.as_str()));
    match shape {
        Shape::Free => Vec::new(),
        Shape::Searched => {
            let dropped = remove(headers, |name| chooses_part(name.as_str()) || same_header(name.as_str(), "a-im"));
            let codings = known_codings(headers);
            remove(headers, |name| same_header(name.as_str(), "accept-encoding"));
            headers.insert(header::ACCEPT_ENCODING, codings);
            dropped
        }
        Shape::Guarded(parameters) => {
            let dropped =
                remove(headers, |name| !is_ordinary(name) && !same_header(name.as_str(), "accept") && shapes_answer(name.as_str()));
            rebuild_accept(headers, parameters);
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
            // Every library sends it, and none minds.
            dropped.into_iter().filter(|name| *name != header::ACCEPT_ENCODING).collect()
        }
    }
}

fn remove(headers: &mut HeaderMap, is: impl Fn(&HeaderName) -> bool) -> Vec<HeaderName> {
    let names: Vec<HeaderName> = headers.keys().filter(|name| is(name)).cloned().collect();
    names.iter().for_each(|name| drop(headers.remove(name)));
    names
}

/// Whether a header frames the message. Servers of the CGI family would read a `content_length` beside the one that is true.
fn frames(name: &str) -> bool {
    FRAMING.iter().any(|known| same_header(known, name)) || name == "content_length"
}

/// Whether a header is the host's to say, or has a say in how an answer looks.
#[cfg(test)]
pub(super) fn is_of_answer(name: &str) -> bool {
    frames(name) || shapes_answer(name)
}

/// Whether a header asks for a part of an answer: `Range` and its kin. `Content-Range` says of a body which part it is.
fn chooses_part(name: &str) -> bool {
    !begins_with(name, "content-") && words(name).any(|word| matches!(word, "range" | "ranges"))
}

/// Whether a header has a say in how an answer looks, beyond what a guest may say.
fn shapes_answer(name: &str) -> bool {
    let is_any = |names: &[&str]| names.iter().any(|known| same_header(name, known));
    let accepts = words(name).any(|word| word == "accept") && !is_any(ACCEPTED);
    let conditions = words(name).next() == Some("if") && !is_any(CONDITIONS);
    let codes = words(name).any(|word| matches!(word, "charset" | "charsets"));
    chooses_part(name) || accepts || conditions || codes || is_any(OTHERS)
}

/// The codings that a guest asks for, as far as the host can undo them.
fn known_codings(headers: &HeaderMap) -> HeaderValue {
    let lines = headers.iter().filter(|(name, _)| same_header(name.as_str(), "accept-encoding"));
    let text: Vec<&str> = lines.filter_map(|(_, value)| value.to_str().ok()).flat_map(|line| line.split(',')).map(str::trim).collect();
    let is_known = |item: &&str| {
        let name = item.split(';').next().unwrap_or_default().trim();
        CODINGS.iter().any(|known| known.eq_ignore_ascii_case(name))
    };
    let known: Vec<&str> = text.into_iter().filter(is_known).collect();
    HeaderValue::from_str(&known.join(", ")).ok().filter(|value| !value.is_empty()).unwrap_or(HeaderValue::from_static("identity"))
}

/// Writes `Accept` anew, of the media types and the parameters that are known.
fn rebuild_accept(headers: &mut HeaderMap, parameters: &[String]) {
    let lines = headers.iter().filter(|(name, _)| same_header(name.as_str(), "accept"));
    let text: Vec<String> = lines.map(|(_, value)| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect();
    remove(headers, |name| same_header(name.as_str(), "accept"));
    let ranges: Vec<String> =
        text.iter().flat_map(|line| outside_quotes(line, ',')).filter_map(|range| media_range(range, parameters)).collect();
    if let Ok(value) = HeaderValue::from_str(&ranges.join(", "))
        && !value.is_empty()
    {
        headers.insert(header::ACCEPT, value);
    }
}

/// One media range with the parameters that may stay; `None` where it is none.
fn media_range(text: &str, parameters: &[String]) -> Option<String> {
    let mut parts = outside_quotes(text, ';').into_iter().map(str::trim);
    let kind = parts.next().filter(|kind| kind.split_once('/').is_some_and(|(kind, sub)| is_token(kind) && is_token(sub)))?;
    let mut out = kind.to_owned();
    for (name, value) in parts.filter_map(|parameter| parameter.split_once('=')) {
        let (name, value) = (name.trim(), value.trim());
        let is_listed = PARAMETERS.iter().any(|known| known.eq_ignore_ascii_case(name))
            || parameters.iter().any(|known| known.eq_ignore_ascii_case(name));
        if is_listed && is_harmless(value) {
            out.extend([";", name, "=", value]);
        }
    }
    Some(out)
}

/// Whether a parameter's value is a token, or a quoted text that no reader splits, and speaks of no charset.
fn is_harmless(value: &str) -> bool {
    let inner = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
    let ok = match inner {
        None => is_token(value),
        Some(inner) => inner.bytes().all(|b| (b.is_ascii_graphic() || b == b' ') && !b"\"\\;,".contains(&b)),
    };
    ok && !value.to_ascii_lowercase().contains("charset")
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// The parts of a header's value between separators that no quotes enclose.
fn outside_quotes(text: &str, separator: char) -> Vec<&str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(|c| {
        let ends = c == separator && !quoted;
        quoted ^= c == '"' && !escaped;
        escaped = quoted && c == '\\' && !escaped;
        ends
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken_over(name: &str, value: &str, shape: Shape<'_>) -> HeaderMap {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
        let mut headers = HeaderMap::from_iter([(name, HeaderValue::from_str(value).expect("a value"))]);
        take_over(&mut headers, shape);
        headers
    }

    fn accept(value: &str, parameters: &[&str]) -> Option<String> {
        let parameters: Vec<String> = parameters.iter().map(|name| (*name).to_owned()).collect();
        let headers = taken_over("accept", value, Shape::Guarded(&parameters));
        headers.get(header::ACCEPT).map(|value| value.to_str().expect("text").to_owned())
    }

    #[test]
    fn accept_keeps_types_and_listed_parameters_and_nothing_else() {
        for (asked, sent) in [
            ("application/json", Some("application/json")),
            ("application/json;charset=utf-16be", Some("application/json")),
            ("application/json; CharSet=\"UTF-32\"; q=0.5, */*;q=0.1", Some("application/json;q=0.5, */*;q=0.1")),
            (
                "application/json;odata.metadata=minimal;IEEE754Compatible=true",
                Some("application/json;odata.metadata=minimal;IEEE754Compatible=true"),
            ),
            (
                "application/vnd.api+json;ext=\"https://jsonapi.org/ext/atomic\"",
                Some("application/vnd.api+json;ext=\"https://jsonapi.org/ext/atomic\""),
            ),
            ("application/json;profile=\"x;charset=utf-16\"", Some("application/json")),
            ("application/json;profile=\"x\\\";charset=utf-16;a=\\\"\"", Some("application/json")),
            ("application/json;charset =utf-16", Some("application/json")),
            ("application/json;encoding=utf-16;version=2", Some("application/json;version=2")),
            ("application/vnd.github.v3+json", Some("application/vnd.github.v3+json")),
            ("utf-16", None),
            ("", None),
        ] {
            assert_eq!(accept(asked, &[]).as_deref(), sent, "{asked}");
        }
        assert_eq!(accept("text/plain;Escaping=values;charset=utf-7", &["escaping"]).as_deref(), Some("text/plain;Escaping=values"));
    }

    #[test]
    fn what_shapes_an_answer_is_dropped_to_a_guarded_host_and_the_rest_stays() {
        let guarded = Shape::Guarded(&[]);
        for name in [
            "range",
            "request-range",
            "x-ms-range",
            "x_range",
            "if-range",
            "if-schedule-tag-match",
            "accept-charset",
            "accept_charset",
            "x-accept-charset",
            "x-accept",
            "accept-ranges",
            "accept-datetime",
            "a-im",
            "a_im",
            "negotiate",
            "te",
            "transfer_encoding",
        ] {
            assert_eq!(taken_over(name, "x", guarded).len(), 1, "{name}: only the coding is left");
        }
        // These are denied or sent, by what the run has got of the server.
        for name in ["if-match", "if-none-match", "if-modified-since", "if-unmodified-since"] {
            assert_eq!(taken_over(name, "x", guarded).len(), 2, "{name}");
        }
        let mut asked = HeaderMap::from_iter([(header::RANGE, HeaderValue::from_static("bytes=0-"))]);
        assert_eq!(take_over(&mut asked, guarded), [header::RANGE], "the guest is told");
        for name in ["accept-language", "accept-version", "content-range", "prefer", "content-type", "x-arrange", "gift"] {
            assert_eq!(taken_over(name, "x", guarded).len(), 2, "{name}");
        }
    }

    #[test]
    fn elsewhere_ranges_are_dropped_and_codings_are_those_that_can_be_undone() {
        for name in ["range", "request_range", "if-range", "a-im"] {
            assert_eq!(taken_over(name, "x", Shape::Searched).len(), 1, "{name}");
            assert!(taken_over(name, "x", Shape::Free).contains_key(name), "{name}");
        }
        assert_eq!(taken_over("if-none-match", "x", Shape::Searched).len(), 2);
        for (asked, sent) in [("gzip, br;q=0.5, dcb", "gzip, br;q=0.5"), ("compress", "identity"), ("*", "identity"), ("", "identity")] {
            assert_eq!(taken_over("accept-encoding", asked, Shape::Searched)[header::ACCEPT_ENCODING], sent, "{asked}");
        }
        assert!(!taken_over("x-a", "b", Shape::Free).contains_key(header::ACCEPT_ENCODING));
    }
}
