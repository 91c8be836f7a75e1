//! Where in a request a secret may stand, and how the text around it looks.

use super::diagnostic::Problem;
use super::pattern::PathPlace;
use http::HeaderName;
use std::fmt;

/// One place of a request. A value stands there whole and once, or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// A header with a single line, whose value is exactly the template.
    Header(HeaderName, Template),
    /// `Authorization: Basic` (RFC 7617) with the secret as the whole user or the whole password.
    Basic(Basic),
    /// A query parameter, once, whose value is exactly the secret.
    Query(String),
    /// A segment of the path.
    Path(PathPlace),
}

/// The other half of `user:password`. It is the operator's to say: a guest that chose it could bring a credential of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Basic {
    /// Nothing, or `x`, on either side.
    Alone,
    /// This user; the secret is the password.
    User(String),
    /// This password; the secret is the user.
    Password(String),
}

/// The text around a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Template {
    /// `Bearer {}` with the scheme in any case (RFC 9110 11.1), or `{}`.
    BearerOrBare,
    /// Exactly `before`, the secret, `after`.
    Exact {
        /// What stands in front of the secret.
        before: String,
        /// What stands behind it.
        after: String,
    },
}

/// Headers that frame a message or name its destination: the host's own, never a place for a secret.
const HOSTS_OWN: &[&str] = &[
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "te",
    "trailer",
    "upgrade",
    "expect",
    "range",
    "if-range",
    "accept-encoding",
    "keep-alive",
    "proxy-connection",
    "content-encoding",
];

impl Place {
    /// Parses `header:NAME`, `header:NAME=TEMPLATE`, `basic`, `query:NAME`, `path:TEMPLATE`.
    ///
    /// # Errors
    /// A [`Problem`] that says what is wrong with the place.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let remedy = "write `header:NAME`, `header:NAME=TEMPLATE` with `{}` for the secret, `basic`, `basic=USER:{}`, `query:NAME` or `path:/TEMPLATE`";
        match text.split_once(':') {
            None if text == "basic" => Ok(Self::Basic(Basic::Alone)),
            _ if text.starts_with("basic=") => Basic::parse(&text["basic=".len()..]).map(Self::Basic),
            Some(("header", header)) => Self::header(header),
            Some(("query", name)) if !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.~[]".contains(&b)) => {
                Ok(Self::Query(name.to_owned()))
            }
            Some(("path", path)) => PathPlace::parse(path).map(Self::Path),
            Some(("query", _)) => Err(Problem::new("not the name of a query parameter", "use letters, digits and -_.~[]")),
            Some(("form" | "json" | "cookie", _)) => Err(Problem::new("a place that is not supported yet", remedy)),
            _ => Err(Problem::new("not a place", remedy)),
        }
    }

    /// The same, where the path is no place: what a response brought goes back in a header or a parameter, and issuers are called with one.
    pub(crate) fn parse_beside_path(text: &str) -> Result<Self, Problem> {
        match Self::parse(text)? {
            Self::Path(_) => Err(Problem::new("a path, where the value can't be put here", "write `header:NAME`, `basic` or `query:NAME`")),
            place => Ok(place),
        }
    }

    /// `header:authorization`, as `Bearer {}`: where a secret stands if nothing else is said.
    pub(crate) fn bearer() -> Self {
        Self::Header(http::header::AUTHORIZATION, Template::BearerOrBare)
    }

    /// Whether it is sent as `Authorization: Basic`.
    pub(crate) fn is_basic(&self) -> bool {
        matches!(self, Self::Basic(_))
    }

    fn header(text: &str) -> Result<Self, Problem> {
        let (name, template) = match text.split_once('=') {
            Some((name, template)) => (name, Some(template)),
            None => (text, None),
        };
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| Problem::new("not a header name", "as in `header:x-api-key`"))?;
        if HOSTS_OWN.contains(&name.as_str()) {
            return Err(Problem::new("a header that only the host sets", "a secret can't be put there; name another header"));
        }
        if name == http::header::COOKIE {
            return Err(Problem::new("a cookie, which is not supported yet", "name another header"));
        }
        let template = match template {
            None if name == http::header::AUTHORIZATION => Template::BearerOrBare,
            None => Template::Exact { before: String::new(), after: String::new() },
            Some(template) => Template::parse(template)?,
        };
        Ok(Self::Header(name, template))
    }
}

impl Basic {
    fn parse(text: &str) -> Result<Self, Problem> {
        let visible = |half: &str| half.bytes().all(|b| (0x21..0x7f).contains(&b));
        match text.split_once(':') {
            Some((user, "{}")) if visible(user) && !user.contains("{}") => Ok(Self::User(user.to_owned())),
            Some(("{}", password)) if visible(password) && !password.contains("{}") => Ok(Self::Password(password.to_owned())),
            _ => Err(Problem::new("not a user and a password", "write `basic=USER:{}` or `basic={}:PASSWORD`, with `{}` for the secret")),
        }
    }

    /// Whether the other half may be this text, on this side.
    pub(crate) fn admits(&self, other: &str, secret_is_user: bool) -> bool {
        match self {
            Self::Alone => other.is_empty() || other == "x",
            Self::User(user) => !secret_is_user && other == user,
            Self::Password(password) => secret_is_user && other == password,
        }
    }
}

impl Template {
    fn parse(text: &str) -> Result<Self, Problem> {
        let visible = text.bytes().all(|b| (0x20..0x7f).contains(&b));
        match text.split_once("{}") {
            Some((before, after)) if visible && !after.contains("{}") && !before.starts_with(' ') && !after.ends_with(' ') => {
                Ok(Self::Exact { before: before.to_owned(), after: after.to_owned() })
            }
            _ => Err(Problem::new("a template without exactly one `{}`", "write `{}` once, where the secret stands, as in `token {}`")),
        }
    }

    /// What stands around a secret that the host puts there by itself.
    pub(crate) fn around(&self) -> (&str, &str) {
        match self {
            Self::Exact { before, after } => (before, after),
            Self::BearerOrBare => ("Bearer ", ""),
        }
    }

    /// The text of `value` that stands where the secret would, with what is around it.
    pub(crate) fn split<'v>(&self, value: &'v str) -> Option<(&'v str, &'v str, &'v str)> {
        match self {
            Self::Exact { before, after } => {
                let inner = value.strip_prefix(before.as_str())?.strip_suffix(after.as_str())?;
                Some((&value[..before.len()], inner, &value[before.len() + inner.len()..]))
            }
            Self::BearerOrBare => {
                let bearer = value.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("bearer "));
                let at = if bearer { 7 } else { 0 };
                Some((&value[..at], &value[at..], ""))
            }
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Basic(Basic::Alone) => f.write_str("basic"),
            Self::Basic(Basic::User(user)) => write!(f, "basic={user}:{{}}"),
            Self::Basic(Basic::Password(password)) => write!(f, "basic={{}}:{password}"),
            Self::Query(name) => write!(f, "query:{name}"),
            Self::Path(path) => write!(f, "path:{path}"),
            Self::Header(name, Template::BearerOrBare) => write!(f, "header:{name}"),
            Self::Header(name, Template::Exact { before, after }) if before.is_empty() && after.is_empty() => write!(f, "header:{name}"),
            Self::Header(name, Template::Exact { before, after }) => write!(f, "header:{name}={before}{{}}{after}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_print_as_they_are_written() {
        for text in [
            "header:authorization",
            "header:x-api-key",
            "header:authorization=token {}",
            "basic",
            "basic=user:{}",
            "basic={}:pass",
            "query:api_key",
            "path:/bot{}/**",
        ] {
            assert_eq!(Place::parse(text).expect("valid").to_string(), text);
        }
        for bad in [
            "",
            "header:",
            "header:host",
            "header:cookie",
            "header:x=abc",
            "header:x={}{}",
            "query:",
            "query:a b",
            "json:/a",
            "body",
            "basic=",
            "basic={}",
            "basic={}:{}",
            "basic=a b:{}",
            "path:/bot",
            "path:bot{}",
        ] {
            assert!(Place::parse(bad).is_err(), "{bad}");
        }
    }
}
