//! Where in a request a secret may stand, and how the text around it looks.

use super::diagnostic::Problem;
use super::pattern::PathPlace;
use super::pointer::Pointer;
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
    /// A cookie (RFC 6265), once, whose value is exactly the secret.
    Cookie(String),
    /// A field of a form (`application/x-www-form-urlencoded`), once, whose value is exactly the secret.
    Form(String),
    /// A string of a JSON body, which exists once and is exactly the secret.
    Json(Pointer),
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
    /// Parses `header:NAME`, `header:NAME=TEMPLATE`, `basic`, `basic=USER:{}`, `query:NAME`, `path:TEMPLATE`, `cookie:NAME`, `form:NAME`,
    /// `json:/POINTER`.
    ///
    /// # Errors
    /// A [`Problem`] that says what is wrong with the place.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let remedy = "write `header:NAME`, `header:NAME=TEMPLATE` with `{}` for the secret, `basic`, `basic=USER:{}`, `query:NAME`, `path:/TEMPLATE`, `cookie:NAME`, `form:NAME` or `json:/POINTER`";
        match text.split_once(':') {
            None if text == "basic" => Ok(Self::Basic(Basic::Alone)),
            _ if text.starts_with("basic=") => Basic::parse(&text["basic=".len()..]).map(Self::Basic),
            Some(("header", header)) => Self::header(header),
            Some(("query", name)) => parameter(name, "not the name of a query parameter").map(Self::Query),
            Some(("form", name)) => parameter(name, "not the name of a form's field").map(Self::Form),
            Some(("json", pointer)) => Pointer::parse(pointer).map(Self::Json),
            Some(("cookie", name)) => match HeaderName::from_bytes(name.as_bytes()) {
                Ok(_) => Ok(Self::Cookie(name.to_owned())),
                Err(_) => Err(Problem::new("not the name of a cookie", "use letters, digits, `-` and `_`, as in `cookie:session_id`")),
            },
            Some(("path", path)) => PathPlace::parse(path).map(Self::Path),
            _ => Err(Problem::new("not a place", remedy)),
        }
    }

    /// The same, where nothing but a header or a parameter is a place: issuers are called with one.
    pub(crate) fn parse_in_head(text: &str) -> Result<Self, Problem> {
        match Self::parse(text)? {
            place if place.is_attachable() && !matches!(place, Self::Cookie(_)) => Ok(place),
            _ => Err(Problem::new("not a place where the value can be put here", "write `header:NAME`, `basic` or `query:NAME`")),
        }
    }

    /// The same or a field of the body: where something goes back to that a response brought.
    pub(crate) fn parse_for_sealed(text: &str) -> Result<Self, Problem> {
        match Self::parse(text)? {
            place if place.is_field() => Ok(place),
            _ => Self::parse_in_head(text),
        }
    }

    /// Whether the host can put a value there by itself, whatever else the request holds.
    pub(crate) fn is_attachable(&self) -> bool {
        !matches!(self, Self::Path(_) | Self::Form(_) | Self::Json(_))
    }

    /// Whether it is in the body.
    pub(crate) fn is_field(&self) -> bool {
        matches!(self, Self::Form(_) | Self::Json(_))
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
            return Err(Problem::new("all cookies at once", "name one of them, as in `cookie:session_id`"));
        }
        let template = match template {
            None if name == http::header::AUTHORIZATION => Template::BearerOrBare,
            None => Template::Exact { before: String::new(), after: String::new() },
            Some(template) => Template::parse(template)?,
        };
        Ok(Self::Header(name, template))
    }
}

/// The name of a parameter, in a query or a form.
fn parameter(name: &str, wrong: &'static str) -> Result<String, Problem> {
    if !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.~[]".contains(&b)) {
        Ok(name.to_owned())
    } else {
        Err(Problem::new(wrong, "use letters, digits and -_.~[]"))
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
            Self::Cookie(name) => write!(f, "cookie:{name}"),
            Self::Form(name) => write!(f, "form:{name}"),
            Self::Json(pointer) => write!(f, "json:{pointer}"),
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
            "cookie:__Host-session",
            "form:client_secret",
            "form:user[key]",
            "json:/auth/keys/0",
            "json:/a~1b/c~0d",
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
            "json:",
            "json:a",
            "json:/",
            "json:/a//b",
            "json:/*",
            "json:/a~2",
            "form:",
            "form:a b",
            "cookie:",
            "cookie:a=b",
            "cookie:a;b",
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
