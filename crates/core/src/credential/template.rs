//! The scheme that puts a value into a place, with what surrounds it there. Only here is one place told from another: what the manifest
//! names ([`Place`]) is found in what an agent wrote ([`Target::find`]), and filled as the request leaves.

use super::fields::{Fields, Held};
use super::{Draft, Seen, form, json};
use crate::manifest::{Basic, PathPlace, Place, Pointer, Template};
use crate::url::names::same_header;
use crate::url::same_parameter;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use zeroize::Zeroizing;

/// A place in one request, with what stands around the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    Header {
        name: HeaderName,
        before: String,
        after: String,
    },
    /// The other half of `user:password`, and whether the secret is the user.
    Basic {
        other: String,
        is_user: bool,
    },
    Query {
        name: String,
    },
    /// A segment of the path.
    Path(PathPlace),
    /// One of the cookies: a granted one, or one that is sealed.
    Cookie {
        name: String,
    },
    /// A field of a form.
    Form {
        name: String,
    },
    /// A string of a JSON body.
    Json(Pointer),
    /// All of the query, as a signed URL has it.
    WholeQuery,
}

/// What a place belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part<'p> {
    Header(&'p HeaderName),
    Cookie(&'p str),
    Parameter(&'p str),
    Path(&'p PathPlace),
    Body,
}

/// The part of a request that a place is in.
pub(crate) fn part(place: &Place) -> Part<'_> {
    match place {
        Place::Header(name, _) => Part::Header(name),
        Place::Basic(_) => Part::Header(&header::AUTHORIZATION),
        Place::Cookie(name) => Part::Cookie(name),
        Place::Query(name) => Part::Parameter(name),
        Place::Path(path) => Part::Path(path),
        Place::Form(_) | Place::Json(_) => Part::Body,
    }
}

/// The text around a secret in this header, where the place is that header as a whole.
pub(crate) fn around<'p>(place: &'p Place, header: &HeaderName) -> Option<&'p Template> {
    match place {
        Place::Header(name, template) if name == header => Some(template),
        _ => None,
    }
}

/// Whether nothing stands in a place that the host can fill by itself, nor what a server could take for that.
pub(crate) fn is_free(place: &Place, seen: &Seen<'_>) -> bool {
    match part(place) {
        Part::Header(name) => !seen.headers.keys().any(|known| same_header(known.as_str(), name.as_str())),
        Part::Cookie(name) => match (seen.headers.contains_key(header::COOKIE), cookies(seen.headers)) {
            (false, _) => true,
            (true, pairs) => pairs.is_some_and(|pairs| !pairs.iter().any(|(known, _)| same_parameter(known, name))),
        },
        Part::Parameter(name) => !seen.url.parameters().any(|(known, _)| same_parameter(known, name)),
        Part::Path(_) | Part::Body => false,
    }
}

impl Target {
    /// The place in this request, if it holds, whole and once, exactly a text that `source` knows as a placeholder.
    pub(crate) fn find<S>(place: &Place, seen: &Seen<'_>, source: impl Fn(&str) -> Option<S>) -> Option<(Self, S)> {
        match place {
            Place::Header(name, template) => {
                let (before, inner, after) = template.split(single(seen.headers, name)?)?;
                let source = source(inner)?;
                Some((Self::Header { name: name.clone(), before: before.to_owned(), after: after.to_owned() }, source))
            }
            Place::Basic(template) => {
                let value = single(seen.headers, &header::AUTHORIZATION)?;
                let coded = value.get(..6).filter(|scheme| scheme.eq_ignore_ascii_case("basic ")).map(|_| &value[6..])?;
                let pair = String::from_utf8(STANDARD.decode(coded).ok()?).ok()?;
                let (user, password) = pair.split_once(':')?;
                match (source(user), source(password)) {
                    (Some(source), None) if template.admits(password, true) => {
                        Some((Self::Basic { other: password.to_owned(), is_user: true }, source))
                    }
                    (None, Some(source)) if template.admits(user, false) => {
                        Some((Self::Basic { other: user.to_owned(), is_user: false }, source))
                    }
                    _ => None,
                }
            }
            Place::Cookie(name) => {
                let pairs = cookies(seen.headers)?;
                let mut held = pairs.iter().filter(|(known, _)| known == name).map(|(_, value)| value);
                let source = source(held.next().filter(|_| held.next().is_none())?)?;
                Some((Self::Cookie { name: name.clone() }, source))
            }
            Place::Query(name) => {
                let mut held = seen.url.parameters().filter(|(key, _)| same_parameter(key, name));
                let (key, value) = held.next().filter(|_| held.next().is_none())?;
                let source = source(value).filter(|_| key == name)?;
                Some((Self::Query { name: name.clone() }, source))
            }
            Place::Path(path) => Some((Self::Path(path.clone()), source(path.held(&seen.url.path)?)?)),
            Place::Form(_) | Place::Json(_) => match seen.fields.held(place)? {
                Held::Text(text, _) => Some((Self::of(place), source(&text)?)),
                _ => None,
            },
        }
    }

    /// The place where the host puts a value by itself.
    pub(crate) fn of(place: &Place) -> Self {
        match place {
            Place::Header(name, template) => {
                let (before, after) = template.around();
                Self::Header { name: name.clone(), before: before.to_owned(), after: after.to_owned() }
            }
            Place::Basic(Basic::Alone) => Self::Basic { other: String::new(), is_user: true },
            Place::Basic(Basic::User(user)) => Self::Basic { other: user.clone(), is_user: false },
            Place::Basic(Basic::Password(password)) => Self::Basic { other: password.clone(), is_user: true },
            Place::Cookie(name) => Self::Cookie { name: name.clone() },
            Place::Query(name) => Self::Query { name: name.clone() },
            Place::Path(path) => Self::Path(path.clone()),
            Place::Form(name) => Self::Form { name: name.clone() },
            Place::Json(pointer) => Self::Json(pointer.clone()),
        }
    }

    pub(crate) fn is_header(&self, header: &HeaderName) -> bool {
        match self {
            Self::Header { name, .. } => name == header,
            Self::Basic { .. } => header == header::AUTHORIZATION,
            Self::Cookie { .. } => header == header::COOKIE,
            Self::Query { .. } | Self::Path(_) | Self::WholeQuery | Self::Form { .. } | Self::Json(_) => false,
        }
    }

    pub(crate) fn is_parameter(&self, parameter: &str) -> bool {
        match self {
            Self::WholeQuery => true,
            Self::Query { name } => name == parameter,
            _ => false,
        }
    }

    /// The cookie that it is, where it is one.
    pub(crate) fn cookie(&self) -> Option<&str> {
        match self {
            Self::Cookie { name } => Some(name),
            _ => None,
        }
    }

    /// Whether it is in the body.
    pub(crate) fn is_field(&self) -> bool {
        matches!(self, Self::Form { .. } | Self::Json(_))
    }

    /// Where in a body it is.
    pub(crate) fn within(&self, fields: &Fields<'_>) -> Option<std::ops::Range<usize>> {
        let held = match (self, fields) {
            (Self::Form { name }, Fields::Form(text)) => form::held(text, name),
            (Self::Json(pointer), Fields::Json(document)) => document.held(pointer),
            _ => return None,
        };
        if let Held::Text(_, at) = held { Some(at) } else { None }
    }

    /// The segment of the path that it is, where it is one.
    pub(crate) fn segment(&self) -> Option<&PathPlace> {
        match self {
            Self::Path(place) => Some(place),
            _ => None,
        }
    }

    pub(crate) fn same_place(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Query { name }, _) => other.is_parameter(name),
            (Self::WholeQuery, _) => matches!(other, Self::Query { .. } | Self::WholeQuery),
            (Self::Path(_), _) => matches!(other, Self::Path(_)),
            (Self::Header { name, .. }, _) => other.is_header(name),
            (Self::Basic { .. }, _) => other.is_header(&header::AUTHORIZATION),
            (Self::Cookie { name }, Self::Cookie { name: other }) => name == other,
            (Self::Cookie { .. }, _) => other.is_header(&header::COOKIE),
            (Self::Form { .. } | Self::Json(_), _) => self == other,
        }
    }

    /// Puts a value in its place. None where it can't stand there.
    pub(super) fn apply(&self, value: &[u8], draft: &mut Draft) -> Option<()> {
        // Each at its whole length at once, so that no part of it is left behind by growing; and no longer, since all of it is wiped.
        let text = |length: usize| Zeroizing::new(Vec::with_capacity(length));
        match self {
            Self::Header { name, before, after } => {
                let mut text = text(before.len() + value.len() + after.len());
                for part in [before.as_bytes(), value, after.as_bytes()] {
                    text.extend_from_slice(part);
                }
                draft.headers.insert(name, sensitive(&text)?);
            }
            Self::Basic { other, is_user } => {
                // RFC 7617: a user id holds no colon.
                if *is_user && value.contains(&b':') {
                    return None;
                }
                let mut pair = Zeroizing::new(Vec::with_capacity(value.len() + other.len() + 1));
                let (user, password) = if *is_user { (value, other.as_bytes()) } else { (other.as_bytes(), value) };
                for part in [user, b":", password] {
                    pair.extend_from_slice(part);
                }
                let coded = Zeroizing::new(STANDARD.encode(&*pair));
                let mut text = text(6 + coded.len());
                text.extend_from_slice(b"Basic ");
                text.extend_from_slice(coded.as_bytes());
                draft.headers.insert(header::AUTHORIZATION, sensitive(&text)?);
            }
            Self::Cookie { name } => {
                // RFC 6265 4.1.1: what else stood there would end the cookie, or be read in more than one way.
                if !value.iter().all(|byte| byte.is_ascii_graphic() && !b"\",;\\".contains(byte)) {
                    return None;
                }
                let between: &[u8] = if draft.cookies.is_empty() { b"" } else { b"; " };
                for part in [between, name.as_bytes(), b"=", value] {
                    draft.cookies.extend_from_slice(part);
                }
                draft.headers.insert(header::COOKIE, sensitive(&draft.cookies)?);
            }
            Self::WholeQuery => draft.query = Some(Zeroizing::new(String::from_utf8(value.to_vec()).ok()?)),
            Self::Query { name } => {
                let mut text = text(3 * value.len());
                percent_encode(value, &mut text);
                let pairs = with_parameter(draft.query.as_ref().map(|query| query.as_str()), name, std::str::from_utf8(&text).ok()?);
                draft.query = Some(pairs);
            }
            Self::Path(path) => {
                // RFC 3986: unreserved characters, and the colon that a segment may hold, need no encoding that servers undo differently.
                let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~:".contains(byte);
                let value = std::str::from_utf8(value).ok().filter(|value| value.bytes().all(|byte| is_plain(&byte)))?;
                let filled = Zeroizing::new(path.with(&draft.path, value)?);
                if filled.split('/').any(|segment| matches!(segment, "." | "..")) {
                    return None;
                }
                draft.path = filled;
            }
            Self::Form { .. } | Self::Json(_) => {
                let body = draft.body()?;
                let body = std::str::from_utf8(body).ok()?;
                draft.written = Some(match self {
                    Self::Form { name } => form::filled(body, name, value)?,
                    Self::Json(pointer) => json::filled(body, pointer, value)?,
                    _ => return None,
                });
            }
        }
        Some(())
    }
}

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// Adds a value with all but RFC 3986's unreserved characters percent-encoded.
pub(super) fn percent_encode(value: &[u8], out: &mut Vec<u8>) {
    for byte in value {
        match byte {
            b if b.is_ascii_alphanumeric() || b"-._~".contains(b) => out.push(*b),
            b => out.extend_from_slice(&[b'%', HEX[usize::from(b >> 4)], HEX[usize::from(b & 15)]]),
        }
    }
}

/// The query with the value of one parameter replaced, or added.
pub(super) fn with_parameter(query: Option<&str>, name: &str, value: &str) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(query.map_or(0, str::len) + name.len() + value.len() + 2));
    let mut is_there = false;
    for pair in query.iter().flat_map(|query| query.split('&')) {
        if !out.is_empty() {
            out.push('&');
        }
        match pair.split_once('=') {
            Some((key, _)) if key == name => {
                out.extend([name, "=", value]);
                is_there = true;
            }
            _ => out.push_str(pair),
        }
    }
    if !is_there {
        let between = if out.is_empty() { "" } else { "&" };
        out.extend([between, name, "=", value]);
    }
    out
}

fn sensitive(text: &[u8]) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_bytes(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// The text of a header that has exactly one line.
pub(crate) fn single<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut lines = headers.get_all(name).iter();
    let line = lines.next().filter(|_| lines.next().is_none())?;
    line.to_str().ok()
}

/// The cookies of a request (RFC 6265 4.2), where each has a name and stands in the one header line.
pub(crate) fn cookies(headers: &HeaderMap) -> Option<Vec<(&str, &str)>> {
    single(headers, &header::COOKIE)?.split(';').map(|pair| pair.trim().split_once('=')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head_with(place: &str, target: (&str, Option<&str>), value: &str) -> Option<Draft> {
        let mut head = Draft::new(HeaderMap::new(), target.0, target.1, &[]);
        Target::of(&Place::parse(place).expect("a place")).apply(value.as_bytes(), &mut head)?;
        Some(head)
    }

    #[test]
    fn a_value_stands_in_its_place_or_nowhere() {
        let header = |place: &str, value: &str| {
            let head = head_with(place, ("/", None), value)?;
            let (_, value) = head.headers.iter().next()?;
            assert!(value.is_sensitive(), "{place}");
            Some(value.to_str().ok()?.to_owned())
        };
        assert_eq!(header("header:authorization", "v").as_deref(), Some("Bearer v"));
        assert_eq!(header("header:x-key=token {}", "v").as_deref(), Some("token v"));
        assert_eq!(header("basic=me:{}", "v").as_deref(), Some("Basic bWU6dg=="));
        assert_eq!(header("basic={}:me", "v:w"), None);
        assert_eq!(header("header:x-key", "v\nw"), None);
        assert_eq!(header("cookie:sid", "v=w/").as_deref(), Some("sid=v=w/"));
        for odd in ["v;w", "v w", "v\tw", "\"v\"", "v,w", "v\\w", "v\r\nx: y", "ä"] {
            assert_eq!(header("cookie:sid", odd), None, "{odd}");
        }

        let target = |place: &str, target, value: &str| head_with(place, target, value).map(|head| head.target().to_string());
        assert_eq!(target("query:k", ("/a", Some("k=P&b=1")), "v/w").as_deref(), Some("/a?k=v%2Fw&b=1"));
        assert_eq!(target("query:k", ("/a", None), "v").as_deref(), Some("/a?k=v"));
        assert_eq!(target("path:/bot{}/**", ("/botP/getMe", Some("a=1")), "12:A-b_c").as_deref(), Some("/bot12:A-b_c/getMe?a=1"));
        for odd in ["a/b", "a?b", "a%2fb", "a b", "ä", "a#b", "a;b"] {
            assert_eq!(target("path:/bot{}/**", ("/botP/getMe", None), odd), None, "{odd}");
        }
        assert_eq!(target("path:/{}/x", ("/P/x", None), ".."), None);

        let body = |place: &str, body: &str, value: &str| {
            let mut draft = Draft::new(HeaderMap::new(), "/", None, &[]).with_body(body.to_owned().into());
            Target::of(&Place::parse(place).expect("a place")).apply(value.as_bytes(), &mut draft)?;
            String::from_utf8(draft.take_body()?.to_vec()).ok()
        };
        assert_eq!(body("form:k", "a=1&k=P", "v&w").as_deref(), Some("a=1&k=v%26w"));
        assert_eq!(body("form:k", "a=1", "v"), None);
        assert_eq!(body("json:/k", "{\"k\":\"P\"}", "v\"w").as_deref(), Some("{\"k\":\"v\\\"w\"}"));
        assert_eq!(head_with("json:/k", ("/", None), "v").map(|_| ()), None, "without a body");
    }
}
