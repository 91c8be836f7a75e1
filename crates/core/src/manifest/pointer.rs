//! JSON Pointers (RFC 6901).

use super::diagnostic::Problem;
use std::fmt;

/// A JSON Pointer: the way to one value of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pointer(Vec<String>);

impl Pointer {
    /// Parses `/TOKEN/…`, with `~1` for a slash and `~0` for a tilde in a token.
    ///
    /// # Errors
    /// A [`Problem`] that says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let tokens: Vec<&str> = text.strip_prefix('/').into_iter().flat_map(|rest| rest.split('/')).collect();
        let is_escaped = |token: &&str| token.split('~').skip(1).all(|after| after.starts_with(['0', '1']));
        if tokens.is_empty() || tokens.iter().any(|token| token.is_empty() || *token == "*") || !tokens.iter().all(is_escaped) {
            return Err(Problem::new("not a pointer to one field", "write it as in `json:/auth/token`, with `~1` for a slash in a name"));
        }
        Ok(Self(tokens.into_iter().map(|token| token.replace("~1", "/").replace("~0", "~")).collect()))
    }

    /// The names and numbers on the way.
    pub(crate) fn tokens(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|token| write!(f, "/{}", token.replace('~', "~0").replace('/', "~1")))
    }
}
