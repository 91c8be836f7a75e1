//! The response of a token endpoint (RFC 6749, 5), and of GitHub's call for an installation. Nothing that a server writes is shown but the
//! registered names of errors: it may well write what it was sent.

use crate::manifest::{Oauth2Grant, Oauth2Spec};
use http::{HeaderMap, StatusCode, header};
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::time::{Duration, SystemTime};
use zeroize::Zeroizing;

/// Longest token.
const LONGEST: usize = 16 * 1024;
/// Shortest one: what is shorter can't be told in text, and could not be taken out of it.
const SHORTEST: usize = 8;
/// Longest life of a token that is believed.
const YEAR: u64 = 366 * 24 * 60 * 60;

/// What a token endpoint gave.
pub struct TokenAnswer {
    /// The token; or why it can't be used.
    pub access: Result<Access, String>,
    /// What is presented the next time, in the place of what was presented this time.
    pub refresh: Option<Zeroizing<String>>,
}

/// An access token.
pub struct Access {
    pub token: Zeroizing<String>,
    /// When it ends, in seconds since 1970, where the server says so.
    pub expires_at: Option<u64>,
}

/// Why there is no token, and what that says of what was presented. No text is the server's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoToken {
    /// What was presented is worth nothing any more.
    Over(String),
    /// The request was refused, and nothing of it was used up.
    Refused(String),
    /// The server does nothing at the moment.
    Later(String),
    /// Whether what was presented is used up is unknown.
    Unknown(String),
}

/// The registered errors (RFC 6749, 4.1.2.1 and 5.2; RFC 8628, 3.5; RFC 8707, 2; OpenID Connect Core, 3.1.2.6), and of common servers.
const ERRORS: &[&str] = &[
    "access_denied",
    "authorization_pending",
    "consent_required",
    "expired_token",
    "interaction_required",
    "invalid_client",
    "invalid_grant",
    "invalid_request",
    "invalid_scope",
    "invalid_target",
    "login_required",
    "server_error",
    "slow_down",
    "temporarily_unavailable",
    "unauthorized_client",
    "unsupported_grant_type",
    "unsupported_response_type",
];

#[derive(Default, Deserialize)]
#[serde(default)]
struct Body {
    access_token: Option<Said>,
    refresh_token: Option<Said>,
    token_type: Option<Said>,
    expires_in: Option<Said>,
    error: Option<Said>,
    /// Those of GitHub.
    token: Option<Said>,
    expires_at: Option<Said>,
}

/// What stands in a field, whatever it is: nothing that is odd about one loses what stands in another. Some servers write numbers as texts, or
/// with a fraction.
#[derive(Deserialize)]
#[serde(untagged)]
enum Said {
    Text(Zeroizing<String>),
    Number(f64),
    Other(IgnoredAny),
}

/// Reads a response that came at `now`.
///
/// # Errors
/// [`NoToken`].
pub fn read(spec: &Oauth2Spec, status: StatusCode, headers: &HeaderMap, body: &[u8], now: SystemTime) -> Result<TokenAnswer, NoToken> {
    let said = parse(headers, body);
    if !status.is_success() {
        return Err(refusal(status, headers, error(headers, body)));
    }
    let unreadable = |why: &str| unreadable(status, why);
    let body = said.map_err(unreadable)?;
    // Some servers refuse with status 200.
    if let (Some(error), None) = (&body.error, &body.access_token) {
        return Err(refusal(StatusCode::BAD_REQUEST, headers, error.text().and_then(|error| registered(error))));
    }
    let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let refresh = match body.refresh_token {
        Some(Said::Text(token)) if is_token(&token) => Some(token),
        Some(Said::Text(token)) if token.is_empty() => None,
        Some(_) => return Err(unreadable("its `refresh_token` is not one")),
        None => None,
    };
    let is_github = matches!(spec.grant, Oauth2Grant::GithubApp { .. });
    let access = match if is_github { body.token } else { body.access_token } {
        None if refresh.is_none() => return Err(unreadable("it holds no token")),
        None => Err("its response holds no access token".to_owned()),
        Some(_) if body.token_type.is_some_and(|kind| kind.text().is_none_or(|kind| !kind.eq_ignore_ascii_case("bearer"))) => {
            Err("its access token is not of the type `Bearer`, the one that the host can use".to_owned())
        }
        Some(Said::Text(token)) if is_token(&token) => {
            let expires_at = match is_github {
                true => body.expires_at.and_then(|at| u64::try_from(at.text()?.parse::<Timestamp>().ok()?.as_second()).ok()),
                false => body.expires_in.and_then(|seconds| seconds.seconds()).map(|seconds| now + seconds),
            };
            Ok(Access { token, expires_at })
        }
        Some(_) => Err("its response holds an access token that can't stand in a header, or is no secret".to_owned()),
    };
    Ok(TokenAnswer { access, refresh })
}

/// The name of an error, where it is a registered one: what else stands there is not shown.
#[must_use]
pub fn registered(error: &str) -> Option<&'static str> {
    ERRORS.iter().find(|known| error == **known).copied()
}

/// The registered error that a response names.
pub(super) fn error(headers: &HeaderMap, body: &[u8]) -> Option<&'static str> {
    parse(headers, body).ok()?.error?.text().and_then(|error| registered(error))
}

pub(super) fn unreadable(status: StatusCode, why: &str) -> NoToken {
    NoToken::Unknown(format!("its response (status {}) can't be read: {why}", status.as_u16()))
}

fn parse(headers: &HeaderMap, body: &[u8]) -> Result<Body, &'static str> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let coding = headers.get(header::CONTENT_ENCODING).map(|coding| coding.as_bytes().to_ascii_lowercase());
    if coding.is_some_and(|coding| coding != b"identity") {
        return Err("it is content-coded, which nobody asked for");
    }
    let text = std::str::from_utf8(body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body)).map_err(|_| "it is not text in UTF-8")?;
    match kind.as_str() {
        "application/x-www-form-urlencoded" => form(text),
        // Some servers say `text/plain` or nothing of their JSON.
        _ => serde_json::from_str(text).map_err(|_| "it is neither JSON nor a form, or says one thing twice"),
    }
}

fn form(text: &str) -> Result<Body, &'static str> {
    let mut body = Body::default();
    for (name, value) in form_urlencoded(text) {
        let is_new = match &*name {
            "access_token" => body.access_token.replace(Said::Text(value)).is_none(),
            "refresh_token" => body.refresh_token.replace(Said::Text(value)).is_none(),
            "token_type" => body.token_type.replace(Said::Text(value)).is_none(),
            "expires_in" => body.expires_in.replace(Said::Text(value)).is_none(),
            "error" => body.error.replace(Said::Text(value)).is_none(),
            _ => true,
        };
        if !is_new {
            return Err("it is a form that says one thing twice");
        }
    }
    Ok(body)
}

fn form_urlencoded(text: &str) -> impl Iterator<Item = (String, Zeroizing<String>)> {
    let decoded = |text: &str| String::from_utf8_lossy(&crate::url::percent_decoded(&text.replace('+', " "))).into_owned();
    text.split('&').filter_map(move |pair| {
        let (name, value) = pair.split_once('=')?;
        Some((decoded(name), Zeroizing::new(decoded(value))))
    })
}

/// What a response that is no success says of what was presented. That the server does nothing at the moment is believed of one that says so
/// itself, by `Retry-After` or by an error's name: proxies answer 503 as well where the connection behind them is lost, after the server has
/// had the request.
pub(super) fn refusal(status: StatusCode, headers: &HeaderMap, known: Option<&'static str>) -> NoToken {
    let named = known.map_or_else(String::new, |known| format!(", `{known}`"));
    let text = format!("it answered with status {}{named}", status.as_u16());
    match (status, known) {
        (_, Some("invalid_grant")) => NoToken::Over(text),
        (_, Some("server_error")) => NoToken::Unknown(text),
        (StatusCode::TOO_MANY_REQUESTS, _) | (_, Some("temporarily_unavailable")) => NoToken::Later(text),
        (StatusCode::SERVICE_UNAVAILABLE, _) if headers.contains_key(header::RETRY_AFTER) => NoToken::Later(text),
        (status, _) if status.is_redirection() => NoToken::Refused(format!("{text}; name the endpoint itself as `token_url`")),
        (status, _) if status.is_client_error() => NoToken::Refused(text),
        _ => NoToken::Unknown(text),
    }
}

/// Whether a text can stand in a header (RFC 6750, 2.1), and is long enough to be looked for.
fn is_token(text: &str) -> bool {
    (SHORTEST..=LONGEST).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

impl Said {
    fn text(&self) -> Option<&Zeroizing<String>> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// Whole seconds, of a life that is believed; some servers write 0 where there is no end.
    fn seconds(&self) -> Option<u64> {
        let seconds = match self {
            Self::Number(seconds) => *seconds,
            Self::Text(text) => text.trim().parse().ok()?,
            Self::Other(IgnoredAny) => return None,
        };
        let whole = Duration::try_from_secs_f64(seconds).ok()?.as_secs();
        Some(whole.min(YEAR)).filter(|seconds| *seconds > 0)
    }
}
