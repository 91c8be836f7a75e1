//! Names: of agents, of secrets, and of where a secret is kept.

use super::diagnostic::Problem;
use std::fmt;

/// How the paths begin that hosts keep their own records at.
pub const HOSTS_OWN: &str = "strongroom/";

/// How a text begins that `strongroom adopt` leaves in the place of a value. It is a reference to where the value is kept, and is never taken
/// for a value.
pub const ADOPTED: &str = "strongroom:";
/// How a reference ends whose value was written over several lines between double quotes.
const IN_LINES: &str = " (lines)";

/// What `strongroom adopt` leaves in the place of a value: `strongroom:BACKEND:ENTRY`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adopted {
    /// Where the value is kept: exactly one entry.
    pub from: SecretRef,
    /// Whether it was written over several lines, where one line would have said the same.
    pub in_lines: bool,
}

impl Adopted {
    /// The reference that a text is. `None` where the text is something else.
    ///
    /// # Errors
    /// A [`Problem`] where it begins as one and names no entry.
    pub fn read(text: &str) -> Option<Result<Self, Problem>> {
        let rest = text.strip_prefix(ADOPTED)?;
        let (entry, in_lines) = rest.strip_suffix(IN_LINES).map_or((rest, false), |entry| (entry, true));
        let remedy = "write `strongroom:BACKEND:ENTRY`, or the value itself";
        Some(match SecretRef::parse(entry) {
            Ok(from @ SecretRef::Exact { .. }) => Ok(Self { from, in_lines }),
            _ => Err(Problem::new("this begins like a reference of `strongroom adopt`, but names no entry of a backend", remedy)),
        })
    }
}

impl fmt::Display for Adopted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{ADOPTED}{}{}", self.from, if self.in_lines { IN_LINES } else { "" })
    }
}

/// Where a secret is kept: `backend:path#field`, or a bare name that is looked up in the default backend. A path may name one of its
/// versions: `backend:path?version=3#field`, `backend:path?stage=AWSPREVIOUS`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretRef {
    /// A name, looked up by the rules of the default backend.
    Bare(String),
    /// Exactly this entry of this backend.
    Exact {
        /// The backend's name in the host configuration.
        backend: String,
        /// The entry.
        path: String,
        /// Which version of it.
        which: Which,
        /// The field of it, where entries have fields.
        field: Option<String>,
    },
}

/// Which version of an entry is meant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub enum Which {
    /// The one in use.
    #[default]
    Current,
    /// The one of this number or identifier.
    Version(String),
    /// The one that bears this label, where the backend has labels.
    Stage(String),
}

impl SecretRef {
    /// Parses a reference.
    ///
    /// # Errors
    /// A [`Problem`] that says what is wrong with it; it never quotes the text, which may be a value pasted by mistake.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let remedy = "write `backend:path`, `backend:path#field`, or a bare name, as in `env:PURPLEFLEA_API_KEY`";
        // AWS names keys by random identifiers.
        if !text.starts_with("kms:") && crate::manifest::looks_like_a_secret(text) {
            return Err(Problem::new("this looks like a secret, not like a reference to one", remedy));
        }
        let Some((backend, rest)) = text.split_once(':') else {
            return secret_name(text).map(|()| Self::Bare(text.to_owned())).map_err(|_| Problem::new("not a reference", remedy));
        };
        let (path, field) = match rest.split_once('#') {
            Some((path, field)) => (path, Some(field)),
            None => (rest, None),
        };
        let (path, which) = match path.split_once('?') {
            None => (path, Some(Which::Current)),
            Some((path, which)) => (path, Which::parse(which)),
        };
        let which =
            which.ok_or_else(|| Problem::new("not a version", "write `backend:path?version=3#field` or `backend:path?stage=NAME`"))?;
        let clean = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_graphic());
        let dots = |s: &str| s.split('/').any(|segment| segment == "." || segment == "..");
        if backend_name(backend).is_err() || !clean(path) || dots(path) || field.is_some_and(|f| !clean(f)) {
            return Err(Problem::new("not a reference", remedy));
        }
        Ok(Self::Exact { backend: backend.to_owned(), path: path.to_owned(), which, field: field.map(canonical) })
    }
}

/// One spelling of a field: a JSON Pointer of one segment (RFC 6901) is that key. A number stays, since it may be a place in a list.
fn canonical(field: &str) -> String {
    let segment = field.strip_prefix('/').filter(|segment| !segment.contains('/') && !segment.is_empty());
    let key = segment.map(|segment| segment.replace("~1", "/").replace("~0", "~"));
    let key = key.filter(|key| !key.starts_with('/') && !key.bytes().all(|b| b.is_ascii_digit()));
    key.unwrap_or_else(|| field.to_owned())
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bare(name) => f.write_str(name),
            Self::Exact { backend, path, which, field } => {
                write!(f, "{backend}:{path}{which}")?;
                field.as_ref().map_or(Ok(()), |field| write!(f, "#{field}"))
            }
        }
    }
}

impl Which {
    fn parse(text: &str) -> Option<Self> {
        let clean = |s: &str| (1..=256).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
        match text.split_once('=')? {
            ("version", version) if clean(version) => Some(Self::Version(version.to_owned())),
            ("stage", stage) if clean(stage) => Some(Self::Stage(stage.to_owned())),
            _ => None,
        }
    }
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Current => Ok(()),
            Self::Version(version) => write!(f, "?version={version}"),
            Self::Stage(stage) => write!(f, "?stage={stage}"),
        }
    }
}

/// An agent's name: 1 to 63 of `[a-z0-9-]`.
pub fn agent_name(text: &str) -> Result<(), Problem> {
    let ok = (1..=63).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if ok { Ok(()) } else { Err(Problem::new("not a name", "use 1 to 63 lower-case letters, digits and `-`, as in `trading-bot-1`")) }
}

/// A secret's name: 1 to 128 of `[A-Za-z0-9_-]`.
pub fn secret_name(text: &str) -> Result<(), Problem> {
    let ok = (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if ok { Ok(()) } else { Err(Problem::new("not a secret's name", "use 1 to 128 letters, digits, `_` and `-`, as in `API_KEY`")) }
}

/// What a manifest can name in a store: a secret's name, or with a backend in front (`from = "file:PATH"`) a path of visible ASCII.
pub fn entry_name(text: &str) -> Result<(), Problem> {
    let segment = |part: &str| !matches!(part, "" | "." | "..") && part.bytes().all(|b| b.is_ascii_graphic() && !b"?#".contains(&b));
    if text.starts_with(HOSTS_OWN) {
        return Err(Problem::new("a name that is reserved for the host", "choose another one"));
    }
    match (1..=512).contains(&text.len()) && text.split('/').all(segment) {
        true => Ok(()),
        false => Err(Problem::new("a name that no manifest could refer to", "use letters, digits, `_` and `-`, as in `API_KEY`")),
    }
}

/// A namespace: names joined by `/`.
pub fn namespace(text: &str) -> Result<String, Problem> {
    let ok = !text.is_empty() && text.split('/').all(|part| secret_name(part).is_ok());
    if ok { Ok(text.to_owned()) } else { Err(Problem::new("not a namespace", "use names of letters, digits, `_` and `-`, joined by `/`")) }
}

/// A backend's name: 1 to 32 of `[a-z0-9_-]`.
pub fn backend_name(text: &str) -> Result<(), Problem> {
    let ok = (1..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_');
    if ok { Ok(()) } else { Err(Problem::new("not a backend's name", "use 1 to 32 lower-case letters, digits, `_` and `-`")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_adopt_leaves_in_the_place_of_a_value_is_told_from_values() {
        for text in ["strongroom:file:bot/KEY", "strongroom:vault:agents/bot#KEY", "strongroom:file:KEY (lines)"] {
            let read = Adopted::read(text).and_then(Result::ok).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(read.to_string(), text);
        }
        for broken in ["strongroom:", "strongroom:KEY", "strongroom:File:KEY", "strongroom:file:", "strongroom:file:a b"] {
            assert!(matches!(Adopted::read(broken), Some(Err(_))), "{broken}");
        }
        for other in ["", "file:bot/KEY", " strongroom:file:KEY", "Strongroom:file:KEY", "pf_live_5b1e0c9a7f3d2846b0c1d8e7f6a59432"] {
            assert_eq!(Adopted::read(other), None, "{other}");
        }
    }

    #[test]
    fn a_field_has_one_spelling() {
        let field = |text: &str| match SecretRef::parse(&format!("vault:a{text}")) {
            Ok(SecretRef::Exact { field, .. }) => field,
            other => panic!("{other:?}"),
        };

        assert_eq!(field("#wallet"), field("#/wallet"));
        assert_eq!(field("#a/b"), field("#/a~1b"));
        assert_eq!(field("#/keys/wallet").as_deref(), Some("/keys/wallet"));
        assert_eq!(field("#/0").as_deref(), Some("/0"), "a place in a list");
        assert_eq!(field(""), None);
    }
}
