//! Vault's HTTP API, as far as the host uses it: one call, with its retries, and what its failures mean.
//!
//! No text of the server is ever passed on, since it may quote what was sent.

use super::super::BackendError;
use crate::errand::Errand;
use crate::manifest::VaultConfig;
use reqwest::header::{HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Method, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// Most bytes of an answer.
const MAX_ANSWER: usize = 4 << 20;
/// How long all attempts together may take.
const BUDGET: Duration = Duration::from_secs(15);
/// Attempts of a call that may be repeated.
const ATTEMPTS: u32 = 3;

/// A connection to one server.
pub(super) struct Api {
    http: Client,
    address: String,
}

/// Why a call failed.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The server answered with this status, and said something that is known.
    Status(StatusCode, Said),
    /// It did not answer, or not so that it could be read.
    Silent(String),
}

/// What of a server's errors the host understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    Sealed,
    WrongVersion,
    LeaseGone,
    Nothing,
}

/// What is told apart in a server's text.
const SAYINGS: &[(&str, Said)] = &[
    ("is sealed", Said::Sealed),
    ("check-and-set parameter did not match", Said::WrongVersion),
    ("lease not found", Said::LeaseGone),
    ("lease is not renewable", Said::LeaseGone),
    ("lease expired", Said::LeaseGone),
];

/// Whether a call may be repeated where it is not known what became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    Safe,
    Once,
}

/// What a server answers with.
#[derive(serde::Deserialize)]
pub(super) struct Answer<'a> {
    #[serde(borrow)]
    pub(super) data: Option<&'a RawValue>,
    pub(super) auth: Option<Auth>,
    #[serde(default)]
    pub(super) lease_id: String,
    #[serde(default)]
    pub(super) lease_duration: u64,
    #[serde(default)]
    pub(super) renewable: bool,
}

/// What a login answers with.
#[derive(serde::Deserialize)]
pub(super) struct Auth {
    pub(super) client_token: Zeroizing<String>,
    #[serde(default)]
    pub(super) lease_duration: u64,
    #[serde(default)]
    pub(super) renewable: bool,
}

/// An answer's bytes.
pub(super) struct Body(Zeroizing<Vec<u8>>);

impl Body {
    /// Whether there is none: how the server says that it has nothing to tell.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn answer(&self) -> Result<Answer<'_>, Trouble> {
        serde_json::from_slice(&self.0).map_err(|_| unreadable())
    }

    /// The answer's `data`, where it is of a known form.
    pub(super) fn data<T: DeserializeOwned>(&self) -> Result<T, Trouble> {
        let data = self.answer()?.data.ok_or_else(unreadable)?;
        serde_json::from_str(data.get()).map_err(|_| unreadable())
    }
}

fn unreadable() -> Trouble {
    Trouble::Silent("the server's response is not Vault's; check the address".to_owned())
}

impl Api {
    pub(super) fn new(config: &VaultConfig) -> Result<Self, String> {
        let mut headers = HeaderMap::new();
        // A guard of agents and proxies against requests that a browser was talked into.
        headers.insert("x-vault-request", HeaderValue::from_static("true"));
        if let Some(namespace) = &config.namespace {
            headers.insert("x-vault-namespace", HeaderValue::from_str(namespace).map_err(|_| "`namespace` is not a valid one".to_owned())?);
        }
        let http = Errand::Store.client(&config.ca, headers).map_err(|error| error.to_string())?;
        Ok(Self { http, address: config.address.clone() })
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// One call. `path` begins behind `/v1/`, and is made of clean segments.
    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        token: Option<&HeaderValue>,
        body: Option<Zeroizing<Vec<u8>>>,
        repeat: Repeat,
    ) -> Result<Body, Trouble> {
        let url = format!("{}/v1/{path}", self.address);
        let begun = Instant::now();
        let mut attempt = 1;
        loop {
            let mut request = self.http.request(method.clone(), &url);
            if let Some(token) = token {
                request = request.header("x-vault-token", token);
            }
            if let Some(body) = &body {
                request = request.header("content-type", "application/json").body(body.to_vec());
            }
            let (trouble, wait) = match request.send().await {
                Ok(answer) => match read(answer).await {
                    Ok(body) => return Ok(body),
                    Err(failed) => failed,
                },
                Err(error) => (Trouble::Silent(unreachable(&error, &self.address)), None),
            };
            let again = match &trouble {
                // Refused before it was looked at, by a standby too: behind one address another server may answer next.
                Trouble::Status(StatusCode::TOO_MANY_REQUESTS, _) => true,
                Trouble::Status(status, _) if status.is_redirection() => true,
                Trouble::Status(_, Said::Sealed) => false,
                Trouble::Status(status, _) => status.is_server_error() && repeat == Repeat::Safe,
                Trouble::Silent(_) => repeat == Repeat::Safe,
            };
            let wait = wait.unwrap_or(Duration::from_millis(50 << attempt));
            if !again || attempt == ATTEMPTS || begun.elapsed() + wait > BUDGET {
                return Err(trouble);
            }
            attempt += 1;
            tokio::time::sleep(wait).await;
        }
    }
}

/// Reads an answer; a failed one, with how long the server asks to be left alone.
async fn read(mut answer: reqwest::Response) -> Result<Body, (Trouble, Option<Duration>)> {
    let status = answer.status();
    let seconds = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let wait = seconds.map(|seconds: u64| Duration::from_secs(seconds.min(3_600)));
    let mut bytes =
        Zeroizing::new(Vec::with_capacity(answer.content_length().map_or(1024, |length| length.min(MAX_ANSWER as u64) as usize)));
    loop {
        match answer.chunk().await {
            Ok(Some(chunk)) if bytes.len() + chunk.len() <= MAX_ANSWER => bytes.extend_from_slice(&chunk),
            Ok(Some(_)) => return Err((Trouble::Silent(format!("the server's response has more than {MAX_ANSWER} bytes")), wait)),
            Ok(None) => break,
            Err(_) => return Err((Trouble::Silent("the server's response was cut short".to_owned()), wait)),
        }
    }
    if status.is_success() {
        return Ok(Body(bytes));
    }
    // A proxy on the way says "not found" and "forbidden" too; only the server's own word is a clear answer.
    if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS && !is_vaults(&bytes) {
        let why = format!("a response ({}) that is not Vault's; check the address, and any proxy in between", status.as_u16());
        return Err((Trouble::Silent(why), wait));
    }
    let said = SAYINGS.iter().find(|(text, _)| memchr::memmem::find(&bytes, text.as_bytes()).is_some());
    Err((Trouble::Status(status, said.map_or(Said::Nothing, |(_, said)| *said)), wait))
}

/// Whether this is how Vault says that something can't be done.
fn is_vaults(body: &[u8]) -> bool {
    let document: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    document.get("errors").is_some() || document.get("data").is_some()
}

fn unreachable(error: &reqwest::Error, address: &str) -> String {
    let what = match error {
        error if error.is_timeout() => "did not answer in time",
        error if error.is_connect() => "can't be reached; check the address, that the server runs, and `ca` for its certificate",
        _ => "closed the connection",
    };
    format!("{address} {what}")
}

impl Trouble {
    pub(super) fn is(&self, wanted: StatusCode) -> bool {
        matches!(self, Self::Status(status, _) if *status == wanted)
    }

    pub(super) fn said(&self, wanted: Said) -> bool {
        matches!(self, Self::Status(_, said) if *said == wanted)
    }

    /// What it means to whoever wanted `what`.
    pub(super) fn to_error(&self, what: &str) -> BackendError {
        match self {
            Self::Status(_, Said::Sealed) => {
                BackendError::Unavailable(format!("{what}: the server is sealed; an operator has to unseal it"))
            }
            Self::Status(StatusCode::NOT_FOUND, _) => BackendError::NotFound { looked_for: what.to_owned() },
            Self::Status(StatusCode::FORBIDDEN, _) => {
                BackendError::Refused(format!("{what}: the server's policy does not let this host do it (403)"))
            }
            Self::Status(status, _) if status.is_client_error() && *status != StatusCode::TOO_MANY_REQUESTS => {
                BackendError::Refused(format!("{what}: the server refuses the request ({})", status.as_u16()))
            }
            Self::Status(StatusCode::TOO_MANY_REQUESTS, _) => {
                BackendError::Unavailable(format!("{what}: the server throttles requests (429); raise its quota, or `cache`"))
            }
            // Never followed: the token would go to wherever the answer says.
            Self::Status(status @ (StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT), _) => {
                let status = status.as_u16();
                BackendError::Unavailable(format!("{what}: the server is a standby ({status}); point `address` at the cluster"))
            }
            Self::Status(status, _) if status.is_redirection() => {
                let status = status.as_u16();
                BackendError::Unavailable(format!(
                    "{what}: the server sends requests elsewhere ({status}); check the scheme and path of `address`"
                ))
            }
            Self::Status(status, _) => BackendError::Unavailable(format!("{what}: the server failed ({})", status.as_u16())),
            Self::Silent(why) => BackendError::Unavailable(format!("{what}: {why}")),
        }
    }
}

/// A path with each segment escaped for a URL (RFC 3986 3.3).
pub(super) fn escaped(path: &str) -> String {
    crate::text::escaped(path, b"/@:")
}
