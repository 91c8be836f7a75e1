//! An issuer behind an HTTP API, as the configuration describes it.
//!
//! No text of the API is ever passed on, and no URL of a call that names a key: both may hold one.

use super::{IssuedKey, Issuer, IssuerError, ListedKey, Probe, Revoked};
use crate::credential::{Draft, Outgoing, Prepared, Scheme, Values};
use crate::errand::Errand;
use crate::manifest::{Endpoint, HttpIssuerConfig};
use crate::secrets::SetupError;
use async_trait::async_trait;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, StatusCode};
use reqwest::Client;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use zeroize::Zeroizing;

/// Most bytes of an answer.
const MAX_ANSWER: usize = 1 << 20;
/// Most bytes of a key: the journal holds two.
const MAX_KEY: usize = 4 << 10;
/// Most bytes of the issuer's name for one.
const MAX_NAME: usize = 128;

/// An HTTP API that makes and revokes keys.
pub struct HttpIssuer {
    http: Client,
    config: HttpIssuerConfig,
}

/// An answer.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Zeroizing<Vec<u8>>,
}

impl HttpIssuer {
    /// An issuer over an API. It is not called before the first key is asked for.
    ///
    /// # Errors
    /// [`SetupError::Client`] where a certificate authority can't be read.
    pub fn new(config: &HttpIssuerConfig) -> Result<Self, SetupError> {
        let http = Errand::Issuer.client(&config.ca, HeaderMap::new()).map_err(|error| SetupError::Client(error.to_string()))?;
        Ok(Self { http, config: config.clone() })
    }

    /// What calls are made with: the issuer's own credential, or a key.
    fn credential(&self, key: &IssuedKey) -> Result<IssuedKey, IssuerError> {
        let Some(reference) = &self.config.credential else { return Ok(key.copy()) };
        let read = reference.read().map_err(|why| later(format!("the issuer's credential {reference} {why}")))?;
        Ok(IssuedKey::new(read.as_str()))
    }

    async fn call(&self, endpoint: &Endpoint, path: &str, with: &IssuedKey, body: Option<&str>) -> Result<Answer, IssuerError> {
        let what = format!("{} {}{}", endpoint.method, self.config.url, endpoint.path);
        let unfit = || IssuerError::Refused(format!("{what}: the key can't be put in its place in a request; see `place`"));
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        let outgoing = Outgoing {
            method: &endpoint.method,
            authority: self.config.url.split_once("://").map_or(self.config.url.as_str(), |(_, authority)| authority),
            body: Some(body.unwrap_or_default().as_bytes()),
            time: SystemTime::now(),
        };
        let mut draft = Draft::new(HeaderMap::new(), path, query, &[]);
        let values = Values { value: with.reveal().as_bytes(), others: &[], number: None, prepared: &Prepared::default() };
        Scheme::of(&self.config.place).apply(&values, &mut draft, &outgoing).map_err(|_| unfit())?;
        let url = Zeroizing::new(format!("{}{}", self.config.url, *draft.target()));
        let mut request = self.http.request(endpoint.method.clone(), url.as_str()).headers(draft.headers);
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.to_owned());
        }
        match request.send().await {
            Ok(answer) => read(answer).await.map_err(|why| IssuerError::Unknown(format!("{what}: {why}"))),
            Err(error) if error.is_connect() => Err(later(format!("{what}: can't be reached; check `url`, and `ca` for its certificate"))),
            Err(_) => Err(IssuerError::Unknown(format!("{what}: the connection was lost before a response"))),
        }
    }

    /// Ends the key of that name.
    async fn end(&self, named: &str, with: &IssuedKey) -> Result<Revoked, IssuerError> {
        let revoke = &self.config.revoke;
        // These would lead to another path.
        if matches!(named, "" | "." | "..") {
            return Err(IssuerError::Refused("this is not a key's name".to_owned()));
        }
        let named = Zeroizing::new(escaped(named));
        let path = Zeroizing::new(revoke.path.replace("{key}", &named).replace("{id}", &named));
        let done = self.done(revoke, &path, &self.credential(with)?, None).await?;
        Ok(if done.is_some() { Revoked::Done } else { Revoked::NotFound })
    }

    /// The call, where it did what was asked; `None` where the issuer knows no such thing.
    async fn done(&self, endpoint: &Endpoint, path: &str, with: &IssuedKey, body: Option<&str>) -> Result<Option<Answer>, IssuerError> {
        let answer = self.call(endpoint, path, with, body).await?;
        let what = format!("{} {}{} answered {}", endpoint.method, self.config.url, endpoint.path, answer.status.as_u16());
        match answer.status {
            status if status.is_success() => Ok(Some(answer)),
            StatusCode::NOT_FOUND | StatusCode::GONE => Ok(None),
            StatusCode::TOO_MANY_REQUESTS => {
                let after = answer.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
                Err(IssuerError::Later {
                    why: what,
                    after: after.filter(|seconds: &u64| *seconds > 0).map(|seconds| Duration::from_secs(seconds.min(86_400))),
                })
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Err(IssuerError::Refused(format!("{what}: it does not accept the credential that it was called with")))
            }
            status if status.is_client_error() && status != StatusCode::REQUEST_TIMEOUT => Err(IssuerError::Refused(what)),
            _ => Err(IssuerError::Unknown(what)),
        }
    }
}

#[async_trait]
impl Issuer for HttpIssuer {
    async fn issue(&self, current: &IssuedKey) -> Result<IssuedKey, IssuerError> {
        let HttpIssuerConfig { issue, key, id, expires, body, .. } = &self.config;
        let refused = || IssuerError::Refused(format!("{} {}{} does not exist", issue.method, self.config.url, issue.path));
        let answer = self.done(issue, &issue.path, &self.credential(current)?, body.as_deref()).await?.ok_or_else(refused)?;
        let unfit = |what: &str| IssuerError::Unknown(format!("{} {}{}: {what}", issue.method, self.config.url, issue.path));
        let document = answer.json().ok_or_else(|| unfit("the response isn't JSON"))?;
        let text = |pointer: &String| document.pointer(pointer)?.as_str().filter(|text| text.len() <= MAX_KEY).map(str::to_owned);
        let id = id.as_ref().and_then(|pointer| name(document.pointer(pointer)?));
        if id.is_none() && self.needs_id() {
            return Err(unfit("the response does not name the key, so it could not be revoked later"));
        }
        let value = key.iter().find_map(text).ok_or_else(|| unfit(&format!("the response has no key at {}", key.join(" or "))))?;
        if value.len() < crate::secrets::MIN_LENGTH || value.trim() != value || value.chars().any(char::is_control) {
            return Err(unfit("what the response has in the key's place is not a key"));
        }
        let expires_at = expires.as_ref().and_then(|pointer| match document.pointer(pointer)? {
            serde_json::Value::Number(seconds) => now().checked_add(seconds.as_u64()?),
            serde_json::Value::String(text) => expires_at(text),
            _ => None,
        });
        Ok(IssuedKey::new(value).with_id(id).with_end(expires_at))
    }

    async fn revoke(&self, key: &IssuedKey, with: &IssuedKey) -> Result<Revoked, IssuerError> {
        let unnamed = || IssuerError::Refused("the issuer's name for the key is not known; revoke it by hand".to_owned());
        let named = if self.needs_id() { key.id().ok_or_else(unnamed)? } else { key.reveal() };
        self.end(named, with).await
    }

    async fn revoke_listed(&self, key: &ListedKey, with: &IssuedKey) -> Result<Revoked, IssuerError> {
        self.end(&key.id, with).await
    }

    fn needs_id(&self) -> bool {
        self.config.revoke.path.contains("{id}")
    }

    fn shown(&self) -> String {
        format!("{} {}{}", self.config.issue.method, self.config.url, self.config.issue.path)
    }

    async fn probe(&self, key: &IssuedKey) -> Result<Probe, IssuerError> {
        let probe = &self.config.probe;
        let answer = self.call(probe, &probe.path, key, None).await?;
        match answer.status {
            status if status.is_success() => {
                let told = self.config.header.as_ref().and_then(|name| answer.headers.get(name)?.to_str().ok());
                Ok(Probe::Works { expires_at: told.and_then(expires_at) })
            }
            // Forbidden is also what a firewall says, or a limit on rates: it proves nothing of the key.
            StatusCode::UNAUTHORIZED => Ok(Probe::Rejected),
            status => Err(later(format!("{} {}{} answered {}", probe.method, self.config.url, probe.path, status.as_u16()))),
        }
    }

    async fn list(&self, with: &IssuedKey) -> Result<Option<Vec<ListedKey>>, IssuerError> {
        let Some(list) = &self.config.list else { return Ok(None) };
        let Some(answer) = self.done(&list.endpoint, &list.endpoint.path, &self.credential(with)?, None).await? else { return Ok(None) };
        let unfit = || {
            IssuerError::Refused(format!("{} {}{}: the response isn't a list", list.endpoint.method, self.config.url, list.endpoint.path))
        };
        let document = answer.json().ok_or_else(unfit)?;
        let keys = document.pointer(&list.keys).and_then(|keys| keys.as_array()).ok_or_else(unfit)?;
        let id = |key: &serde_json::Value| Some(ListedKey { id: name(key.pointer(&list.id)?)? });
        keys.iter().map(id).collect::<Option<Vec<_>>>().map(Some).ok_or_else(unfit)
    }

    fn has_own_credential(&self) -> bool {
        self.config.credential.is_some()
    }

    fn closed(&self) -> Vec<String> {
        self.config.closed()
    }

    fn expiry_header(&self) -> Option<http::HeaderName> {
        self.config.header.clone()
    }
}

impl Answer {
    fn json(&self) -> Option<serde_json::Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

async fn read(mut answer: reqwest::Response) -> Result<Answer, &'static str> {
    let (status, headers) = (answer.status(), answer.headers().clone());
    let mut body = Zeroizing::new(Vec::new());
    loop {
        match answer.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() <= MAX_ANSWER => body.extend_from_slice(&chunk),
            Ok(Some(_)) => return Err("the response is longer than 1 MiB"),
            Ok(None) => return Ok(Answer { status, headers, body }),
            Err(_) => return Err("the response was cut short"),
        }
    }
}

/// The issuer's name for a key: a string or a number, and short.
fn name(value: &serde_json::Value) -> Option<String> {
    let name = match value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Number(number) => number.to_string(),
        _ => return None,
    };
    (1..=MAX_NAME).contains(&name.len()).then_some(name)
}

fn later(why: String) -> IssuerError {
    IssuerError::Later { why, after: None }
}

/// When a key ends, in seconds since 1970: from seconds that are left, or from a date (RFC 9110, 5.6.7, or RFC 3339).
pub(crate) fn expires_at(text: &str) -> Option<u64> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return now().checked_add(seconds);
    }
    let date: Option<jiff::Timestamp> = text.parse().ok();
    let date = date.or_else(|| jiff::fmt::rfc2822::parse(text).ok().map(|date| date.timestamp()));
    u64::try_from(date?.as_second()).ok()
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs())
}

/// A segment of a path, or the value of a parameter, escaped (RFC 3986, 2.3).
fn escaped(text: &str) -> String {
    crate::text::escaped(text, b"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_told_in_seconds_or_as_a_date() {
        let soon = expires_at("3600").expect("seconds");

        assert!((now() + 3_590..=now() + 3_600).contains(&soon));
        assert_eq!(expires_at("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
        assert_eq!(expires_at("1994-11-06T08:49:37Z"), Some(784_111_777));
        for bad in ["", "soon", "-1", "1e9", "99999999999999999999"] {
            assert_eq!(expires_at(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_key_in_a_path_is_one_segment() {
        assert_eq!(escaped("a/b?c#d%e é"), "a%2Fb%3Fc%23d%25e%20%C3%A9");
    }
}
