//! A place of a signature, a time or a nonce: what stands there is written by the host as a whole, without anything around it.

use crate::manifest::{Place, Pointer, Problem, Template};
use http::HeaderName;
use std::fmt;

/// Longest JSON Pointer.
const MAX_POINTER: usize = 256;

const REMEDY: &str = "write `header:NAME`, `query:NAME`, `form:NAME` or `json:/POINTER`";

/// One place of a request that the host writes as a whole. It prints as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Spot {
    /// A header with a single line.
    Header(HeaderName),
    /// A parameter of the query.
    Query(String),
    /// A field of a body that is a form (`application/x-www-form-urlencoded`).
    Form(String),
    /// A member of a body that is a JSON document, by its JSON Pointer (RFC 6901). It leads through objects alone.
    Json(Pointer),
}

impl Spot {
    /// Parses `header:NAME`, `query:NAME`, `form:NAME`, `json:/POINTER`.
    ///
    /// # Errors
    /// A [`Problem`] that says what is wrong with the place.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        match text.split_once(':') {
            Some(("header", name)) if name.contains('=') => {
                Err(Problem::new("a header with a template", "name the header alone: the host writes all of its value"))
            }
            Some(("header", _)) => match Place::parse(text)? {
                Place::Header(name, _) => Ok(Self::Header(name)),
                _ => Err(Problem::new("not a header name", "as in `header:x-signature`")),
            },
            Some(("query" | "form", name)) if !is_parameter(name) => {
                Err(Problem::new("not the name of a parameter", "use letters, digits and -_.~"))
            }
            Some(("query", name)) => Ok(Self::Query(name.to_owned())),
            Some(("form", name)) => Ok(Self::Form(name.to_owned())),
            Some(("json", pointer)) if is_pointer(pointer) => Pointer::parse(pointer).map(Self::Json),
            Some(("json", _)) => Err(Problem::new("not a JSON Pointer", "write it as in `json:/nonce`, with `~1` for a slash in a name")),
            _ => Err(Problem::new("not a place that the host can write", REMEDY)),
        }
    }

    /// Whether both are of one kind, and named alike but for what is neither a letter nor a digit, and for case.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let folded = |name: &str| name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect::<String>();
        match (self, other) {
            (Self::Header(a), Self::Header(b)) => folded(a.as_str()) == folded(b.as_str()),
            (Self::Query(a), Self::Query(b)) | (Self::Form(a), Self::Form(b)) => folded(a) == folded(b),
            (Self::Json(a), Self::Json(b)) => folded(&a.to_string()) == folded(&b.to_string()),
            _ => false,
        }
    }
}

/// A name with a letter or a digit: names without are alike to no reader, so nobody could tell whether one stands twice.
fn is_parameter(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.~".contains(&b))
        && name.bytes().any(|b| b.is_ascii_alphanumeric())
}

fn is_pointer(text: &str) -> bool {
    let token = |token: &str| {
        let escapes = token.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
        !token.is_empty() && escapes && !token.chars().any(char::is_control) && token.chars().any(char::is_alphanumeric)
    };
    text.len() <= MAX_POINTER && text.strip_prefix('/').is_some_and(|rest| rest.split('/').all(token))
}

impl From<&Spot> for Place {
    fn from(spot: &Spot) -> Self {
        match spot {
            Spot::Header(name) => Self::Header(name.clone(), Template::Exact { before: String::new(), after: String::new() }),
            Spot::Query(name) => Self::Query(name.clone()),
            Spot::Form(name) => Self::Form(name.clone()),
            Spot::Json(pointer) => Self::Json(pointer.clone()),
        }
    }
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(name) => write!(f, "header:{name}"),
            Self::Query(name) => write!(f, "query:{name}"),
            Self::Form(name) => write!(f, "form:{name}"),
            Self::Json(pointer) => write!(f, "json:{pointer}"),
        }
    }
}
