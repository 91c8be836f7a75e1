//! The scheme that puts a value into a place, with what surrounds it there. Only here is one place told from another: what the manifest
//! names ([`Place`]) is found in what an agent wrote ([`Target::find`]), and filled as the request leaves.

use super::Head;
use crate::manifest::{Basic, PathPlace, Place, Template};
use crate::url::{CanonicalUrl, same_parameter};
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
    /// One of the cookies, all of which are sealed.
    Cookie {
        name: String,
    },
    /// All of the query, as a signed URL has it.
    WholeQuery,
}

/// What a place belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part<'p> {
    Header(&'p HeaderName),
    Parameter(&'p str),
    Path(&'p PathPlace),
}

/// The part of a request that a place is in.
pub(crate) fn part(place: &Place) -> Part<'_> {
    match place {
        Place::Header(name, _) => Part::Header(name),
        Place::Basic(_) => Part::Header(&header::AUTHORIZATION),
        Place::Query(name) => Part::Parameter(name),
        Place::Path(path) => Part::Path(path),
    }
}

/// The text around a secret in this header, where the place is that header as a whole.
pub(crate) fn around<'p>(place: &'p Place, header: &HeaderName) -> Option<&'p Template> {
    match place {
        Place::Header(name, template) if name == header => Some(template),
        _ => None,
    }
}

impl Target {
    /// The place in this request, if it holds, whole and once, exactly a text that `source` knows as a placeholder.
    pub(crate) fn find<S>(place: &Place, headers: &HeaderMap, url: &CanonicalUrl, source: impl Fn(&str) -> Option<S>) -> Option<(Self, S)> {
        match place {
            Place::Header(name, template) => {
                let (before, inner, after) = template.split(single(headers, name)?)?;
                let source = source(inner)?;
                Some((Self::Header { name: name.clone(), before: before.to_owned(), after: after.to_owned() }, source))
            }
            Place::Basic(template) => {
                let value = single(headers, &header::AUTHORIZATION)?;
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
            Place::Query(name) => {
                let mut held = url.parameters().filter(|(key, _)| same_parameter(key, name));
                let (key, value) = held.next().filter(|_| held.next().is_none())?;
                let source = source(value).filter(|_| key == name)?;
                Some((Self::Query { name: name.clone() }, source))
            }
            Place::Path(path) => Some((Self::Path(path.clone()), source(path.held(&url.path)?)?)),
        }
    }

    /// The place in a call of the host's own, which nobody else has written.
    pub(super) fn of(place: &Place) -> Self {
        match place {
            Place::Header(name, template) => {
                let (before, after) = template.around();
                Self::Header { name: name.clone(), before: before.to_owned(), after: after.to_owned() }
            }
            Place::Basic(Basic::Alone) => Self::Basic { other: String::new(), is_user: true },
            Place::Basic(Basic::User(user)) => Self::Basic { other: user.clone(), is_user: false },
            Place::Basic(Basic::Password(password)) => Self::Basic { other: password.clone(), is_user: true },
            Place::Query(name) => Self::Query { name: name.clone() },
            Place::Path(path) => Self::Path(path.clone()),
        }
    }

    pub(crate) fn is_header(&self, header: &HeaderName) -> bool {
        match self {
            Self::Header { name, .. } => name == header,
            Self::Basic { .. } => header == header::AUTHORIZATION,
            Self::Cookie { .. } => header == header::COOKIE,
            Self::Query { .. } | Self::Path(_) | Self::WholeQuery => false,
        }
    }

    pub(crate) fn is_parameter(&self, parameter: &str) -> bool {
        match self {
            Self::WholeQuery => true,
            Self::Query { name } => name == parameter,
            _ => false,
        }
    }

    pub(crate) fn is_cookie(&self) -> bool {
        matches!(self, Self::Cookie { .. })
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
            (Self::Cookie { .. }, _) => other.is_header(&header::COOKIE),
        }
    }

    /// Puts a value in its place. None where it can't stand there.
    pub(super) fn apply(&self, value: &[u8], head: &mut Head) -> Option<()> {
        let mut text = Zeroizing::new(Vec::with_capacity(value.len() * 3 + 64));
        match self {
            Self::Header { name, before, after } => {
                for part in [before.as_bytes(), value, after.as_bytes()] {
                    text.extend_from_slice(part);
                }
                head.headers.insert(name, sensitive(&text)?);
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
                text.extend_from_slice(b"Basic ");
                text.extend_from_slice(coded.as_bytes());
                head.headers.insert(header::AUTHORIZATION, sensitive(&text)?);
            }
            Self::Cookie { name } => {
                let between: &[u8] = if head.cookies.is_empty() { b"" } else { b"; " };
                for part in [between, name.as_bytes(), b"=", value] {
                    head.cookies.extend_from_slice(part);
                }
                head.headers.insert(header::COOKIE, sensitive(&head.cookies)?);
            }
            Self::WholeQuery => head.query = Some(Zeroizing::new(String::from_utf8(value.to_vec()).ok()?)),
            Self::Query { name } => {
                for byte in value {
                    match byte {
                        b if b.is_ascii_alphanumeric() || b"-._~".contains(b) => text.push(*b),
                        b => text.extend_from_slice(&[b'%', HEX[usize::from(b >> 4)], HEX[usize::from(b & 15)]]),
                    }
                }
                let pairs = with_parameter(head.query.as_ref().map(|query| query.as_str()), name, std::str::from_utf8(&text).ok()?);
                head.query = Some(pairs);
            }
            Self::Path(path) => {
                // RFC 3986: unreserved characters, and the colon that a segment may hold, need no encoding that servers undo differently.
                let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~:".contains(byte);
                let value = std::str::from_utf8(value).ok().filter(|value| value.bytes().all(|byte| is_plain(&byte)))?;
                let filled = Zeroizing::new(path.with(&head.path, value)?);
                if filled.split('/').any(|segment| matches!(segment, "." | "..")) {
                    return None;
                }
                head.path = filled;
            }
        }
        Some(())
    }
}

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// The query with the value of one parameter replaced, or added.
fn with_parameter(query: Option<&str>, name: &str, value: &str) -> Zeroizing<String> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn head_with(place: &str, target: (&str, Option<&str>), value: &str) -> Option<Head> {
        let mut head = Head::new(HeaderMap::new(), target.0, target.1, &[]);
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

        let target = |place: &str, target, value: &str| head_with(place, target, value).map(|head| head.target().to_string());
        assert_eq!(target("query:k", ("/a", Some("k=P&b=1")), "v/w").as_deref(), Some("/a?k=v%2Fw&b=1"));
        assert_eq!(target("query:k", ("/a", None), "v").as_deref(), Some("/a?k=v"));
        assert_eq!(target("path:/bot{}/**", ("/botP/getMe", Some("a=1")), "12:A-b_c").as_deref(), Some("/bot12:A-b_c/getMe?a=1"));
        for odd in ["a/b", "a?b", "a%2fb", "a b", "ä", "a#b", "a;b"] {
            assert_eq!(target("path:/bot{}/**", ("/botP/getMe", None), odd), None, "{odd}");
        }
        assert_eq!(target("path:/{}/x", ("/P/x", None), ".."), None);
    }
}
