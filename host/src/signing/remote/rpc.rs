//! One call of a service: a request of JSON-RPC 2.0 over HTTP, and its response, of a bounded size and within a bounded time. What has failed is
//! told by whether something may have been signed.

use super::answer::{self, Response};
use crate::errand::Errand;
use crate::keys::SignerError;
use crate::manifest::RemoteConfig;
use crate::tls::Identity;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, StatusCode};
use reqwest::Client;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};
use zeroize::Zeroizing;

/// Most bytes of an answer: a signed transaction may stand in it twice.
const MAX_ANSWER: usize = 2 << 20;

/// Errors of JSON-RPC that stand for a request which was not carried out: it can't be read, or is none; there is no such method, or it is not
/// enabled (web3signer); its parameters are wrong.
const NOT_CARRIED_OUT: [i64; 5] = [-32700, -32600, -32601, -32602, -32604];

/// A service, by its table.
pub(super) struct Service {
    pub(super) name: String,
    pub(super) config: RemoteConfig,
    requests: AtomicU64,
}

impl Service {
    pub(super) fn new(name: &str, config: &RemoteConfig) -> Self {
        Self { name: name.to_owned(), config: config.clone(), requests: AtomicU64::new(1) }
    }

    /// The result of a method. `what` is what it is called for, for people.
    pub(super) async fn call(&self, method: &str, params: Value, what: &str) -> Result<Box<RawValue>, SignerError> {
        let id = self.requests.fetch_add(1, Ordering::Relaxed);
        let client = self.client().map_err(|why| SignerError::Unavailable(format!("{what}: {why}")))?;
        let body = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string();
        let request = client.post(&self.config.url).header("content-type", "application/json").body(body);
        let unknown = |why: &str| SignerError::Unknown(format!("{what}: `{method}`: {why}"));
        let mut answer = request.send().await.map_err(|error| match error {
            error if error.is_connect() => SignerError::Unavailable(format!(
                "{what}: the service can't be reached; check `url`, that the service runs, and `ca` and `certificate` of `[signing.remote.{}]`",
                self.name
            )),
            error if error.is_timeout() => unknown("no response in time"),
            _ => unknown("the connection was lost before a response"),
        })?;
        let status = answer.status();
        let mut bytes = Vec::new();
        loop {
            match answer.chunk().await {
                Ok(Some(chunk)) if bytes.len() + chunk.len() <= MAX_ANSWER => bytes.extend_from_slice(&chunk),
                Ok(Some(_)) => return Err(unknown("the answer has more than 2 MiB")),
                Ok(None) => break,
                Err(error) if error.is_timeout() => return Err(unknown("no whole response in time")),
                Err(_) => return Err(unknown("the response was cut short")),
            }
        }
        match answer::response(&bytes, id) {
            Ok(Response::Result(result)) if status == StatusCode::OK => Ok(result),
            Ok(Response::Error(code)) if NOT_CARRIED_OUT.contains(&code) => Err(SignerError::Refused(format!(
                "{what}: the service refuses `{method}` as it is (JSON-RPC error {code}); check that it has the method and enables it, \
                 `typed_data` of `[signing.remote.{}]`, and its own log",
                self.name
            ))),
            _ if status == StatusCode::TOO_MANY_REQUESTS => {
                Err(SignerError::Unavailable(format!("{what}: the service, or a proxy before it, throttles requests (429)")))
            }
            _ if is_turned_away(status) => Err(SignerError::Refused(format!(
                "{what}: the service, or a proxy before it, turns the request away ({}); check `url`, `token` and `certificate` of \
                 `[signing.remote.{}]`, and whom the service lets in",
                status.as_u16(),
                self.name
            ))),
            // Never followed: the request would go to wherever the answer says.
            _ if status.is_redirection() => {
                Err(unknown(&format!("the service sends requests elsewhere ({}); check `url`", status.as_u16())))
            }
            Ok(Response::Error(code)) => {
                Err(unknown(&format!("the service failed (JSON-RPC error {code}); see its own log, and whether it has that method")))
            }
            Err(why) if status == StatusCode::OK => Err(unknown(why)),
            Ok(Response::Result(_)) | Err(_) => Err(unknown(&format!("the service answers {}", status.as_u16()))),
        }
    }

    /// A client with the certificates and the token as they are now.
    fn client(&self) -> Result<Client, String> {
        let RemoteConfig { ca, certificate, key, token, timeout, .. } = &self.config;
        let identity = match (certificate, key) {
            (Some(certificate), Some(key)) => {
                let pem = key.read().map_err(|why| format!("the client's key {key} {why}"))?;
                Some(Identity::read(certificate, &pem).map_err(|error| error.to_string())?)
            }
            _ => None,
        };
        let mut headers = HeaderMap::new();
        if let Some(token) = token {
            let text = token.read().map_err(|why| format!("the token {token} {why}"))?;
            let text = Zeroizing::new(format!("Bearer {}", *text));
            let mut value = HeaderValue::from_str(&text).map_err(|_| format!("the token {token} can't be put in a header"))?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        Errand::Signature(*timeout).client_of(ca, identity, headers).map_err(|error| error.to_string())
    }
}

/// Whether a status says that a request was not carried out (RFC 9110, 15.5).
fn is_turned_away(status: StatusCode) -> bool {
    matches!(status.as_u16(), 401 | 403 | 404 | 405 | 411 | 413 | 415 | 421)
}
