//! What can go wrong for an agent.

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The manifest does not grant a secret or signer of this name, or there is none. The host does not say which.
    #[error("`{0}` is not available to this agent")]
    Unavailable(String),
    /// More handles are open than the host allows.
    #[error("too many handles are open; drop some first")]
    TooManyHandles,
    /// The host denied the request.
    #[error("denied by rule `{rule}`: {reason}")]
    Denied {
        /// The rule, as in the operator's audit log.
        rule: String,
        /// What was wrong with the request.
        reason: String,
    },
    /// The request can't be made: its URL, its method or a header is invalid.
    #[error("not a request: {0}")]
    Request(String),
    /// The request failed on its way, or its response did. The text is the kind of failure.
    #[error("the request failed: {0}")]
    Failed(String),
    /// What is to be signed can't be decoded, or is not in its canonical form. The text says what is wrong.
    #[error("not to be signed: {0}")]
    Malformed(String),
    /// The signer can't be reached; nothing was signed, and nothing is charged.
    #[error("the signer can't be reached; nothing was signed")]
    Unreachable,
    /// Whether there is a signature is not known; what it would have spent counts as spent.
    #[error("whether it was signed is not known; it counts as spent")]
    Unknown,
    /// What is to be kept over runs makes no sense. The text says what is wrong.
    #[error("not to be kept: {0}")]
    State(String),
    /// The response is not UTF-8 text.
    #[error("the response is not text")]
    NotText,
}

impl Error {
    /// Tells a denial of the host from other failures, by its text.
    pub(crate) fn from_host(text: &str) -> Self {
        let denied = text.strip_prefix("strongroom: denied by rule `").and_then(|rest| rest.split_once("`: "));
        match denied {
            Some((rule, reason)) => Self::Denied { rule: rule.to_owned(), reason: reason.to_owned() },
            None => Self::Failed(text.to_owned()),
        }
    }

    /// A denial that the host told as an HTTP answer: the `detail` of its problem details (RFC 9457) is the same text.
    #[cfg_attr(not(target_family = "wasm"), expect(dead_code, reason = "only a host sends such texts"))]
    pub(crate) fn from_problem(details: &str) -> Self {
        let text = details.split_once("\"detail\":\"").map(|(_, rest)| unquoted(rest));
        Self::from_host(&text.unwrap_or_else(|| details.to_owned()))
    }
}

/// The text of a JSON string (RFC 8259) from behind its opening quote.
fn unquoted(json: &str) -> String {
    let (mut out, mut rest) = (String::new(), json.chars());
    while let Some(next) = rest.next().filter(|next| *next != '"') {
        let escaped = if next == '\\' { rest.next() } else { None };
        out.extend(match escaped {
            None => Some(next),
            Some('n') => Some('\n'),
            Some('r') => Some('\r'),
            Some('t') => Some('\t'),
            Some('u') => {
                let digits: String = rest.by_ref().take(4).collect();
                u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32)
            }
            escaped => escaped,
        });
    }
    out
}
