//! What in a response is a secret of its own: a session that the API opens, a token that it hands out.

use super::diagnostic::Problem;
use super::tokens::Tokens;
use http::HeaderName;
use std::fmt;

/// A field of a response that the agent gets a placeholder for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seal {
    /// The value of every cookie that is set (RFC 6265). Its placeholder may be put in a cookie of that name.
    SetCookie,
    /// A header's whole value. Its placeholder may be put where the secret may.
    Header(HeaderName),
    /// A string of a JSON body, by JSON Pointer (RFC 6901). Its placeholder may be put where the secret may.
    Json(Vec<String>),
    /// The tokens of a token response (RFC 6749 5.1), and what becomes of them.
    OAuth2(Tokens),
}

impl Seal {
    /// Parses `set-cookie`, `header:NAME`, `json:/POINTER`, `oauth2`.
    ///
    /// # Errors
    /// A [`Problem`] that says what is wrong with the field.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let wrong = || Problem::new("not a field of a response", "write `set-cookie`, `header:NAME`, `json:/POINTER` or `oauth2`");
        match text.split_once(':') {
            None if text == "set-cookie" => Ok(Self::SetCookie),
            None if text == "oauth2" => Ok(Self::OAuth2(Tokens::default())),
            Some(("header", name)) if !name.eq_ignore_ascii_case("set-cookie") => {
                HeaderName::from_bytes(name.as_bytes()).map(Self::Header).map_err(|_| wrong())
            }
            Some(("json", pointer)) if pointer.starts_with('/') => {
                Ok(Self::Json(pointer[1..].split('/').map(|token| token.replace("~1", "/").replace("~0", "~")).collect()))
            }
            _ => Err(wrong()),
        }
    }
}

/// A rule for secrets that nobody registered, which one field of a response may break: for an API whose responses are tokens to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AnswerRule {
    /// The rule's name.
    pub rule: String,
    /// The field, by the tokens of its pointer.
    pub at: Vec<String>,
}

impl AnswerRule {
    /// Reads the field, `json:/POINTER`.
    ///
    /// # Errors
    /// A [`Problem`] that says what is wrong with it.
    pub(crate) fn field(text: &str) -> Result<Vec<String>, Problem> {
        match Seal::parse(text) {
            Ok(Seal::Json(tokens)) => Ok(tokens),
            _ => Err(Problem::new("not a field of a body", "write `json:/POINTER`, as in `json:/signedTransactions/*`")),
        }
    }
}

/// Reads where an answer holds a signed URL: `json:/POINTER` or `location`.
pub(crate) fn signed_url(text: &str) -> Result<Seal, Problem> {
    match Seal::parse(text) {
        Ok(seal @ Seal::Json(_)) => Ok(seal),
        _ if text == "location" => Ok(Seal::Header(http::header::LOCATION)),
        _ => Err(Problem::new("not a place where a response has a signed URL", "write `json:/POINTER` or `location`")),
    }
}

impl fmt::Display for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SetCookie => f.write_str("set-cookie"),
            Self::OAuth2(_) => f.write_str("oauth2"),
            Self::Header(name) => write!(f, "header:{name}"),
            Self::Json(tokens) => {
                let pointer: String = tokens.iter().map(|token| format!("/{}", token.replace('~', "~0").replace('/', "~1"))).collect();
                write!(f, "json:{pointer}")
            }
        }
    }
}
