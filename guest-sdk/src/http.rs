//! HTTP requests that carry a handle where a credential goes.
//!
//! Requests block until the head of the response has arrived; its body is read as it arrives, through [`std::io::Read`].

use crate::{Error, Secret, sys};
use std::io::Read;
use std::time::Duration;

/// A request under construction.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Request {
    pub(crate) method: String,
    pub(crate) url: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) timeout: Option<Duration>,
}

/// A response, whose body is still to be read.
#[derive(Debug)]
pub struct Response(sys::Answer);

/// `GET`.
pub fn get(url: impl Into<String>) -> Request {
    request("GET", url)
}

/// `POST`.
pub fn post(url: impl Into<String>) -> Request {
    request("POST", url)
}

/// A request of any method.
pub fn request(method: impl Into<String>, url: impl Into<String>) -> Request {
    Request { method: method.into(), url: url.into(), headers: Vec::new(), body: Vec::new(), timeout: None }
}

impl Request {
    /// Sends the secret as `Authorization: Bearer` (RFC 6750). The manifest grants it with `place = ["header:authorization"]`.
    pub fn bearer(self, secret: &Secret) -> Self {
        let value = format!("Bearer {}", secret.placeholder());
        self.header("authorization", value)
    }

    /// Sends the secret as the whole value of a header. The manifest grants it with `place = ["header:NAME"]`.
    pub fn secret_header(self, name: &str, secret: &Secret) -> Self {
        let value = secret.placeholder();
        self.header(name, value)
    }

    /// Sends the secret as a query parameter. The manifest grants it with `place = ["query:NAME"]`.
    pub fn secret_query(mut self, name: &str, secret: &Secret) -> Self {
        let separator = if self.url.contains('?') { '&' } else { '?' };
        self.url.push_str(&format!("{separator}{name}={}", secret.placeholder()));
        self
    }

    /// Adds a header line.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sends a JSON text.
    pub fn json(self, text: impl Into<String>) -> Self {
        self.header("content-type", "application/json").body(text.into())
    }

    /// Sends these bytes.
    pub fn body(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.body = bytes.into();
        self
    }

    /// How long the head of the response, and each further piece of its body, may take. The host's own default is 60 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sends the request and waits for the head of the response. Redirects are not followed.
    ///
    /// # Errors
    /// [`Error::Denied`] with the host's rule, whichever way the manifest has denials told; [`Error::Failed`] where the network failed;
    /// [`Error::Request`] where it is not a valid request. A response of any status is not an error.
    pub fn send(mut self) -> Result<Response, Error> {
        let body = std::mem::take(&mut self.body);
        if !body.is_empty() && !self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-length")) {
            self = self.header("content-length", body.len().to_string());
        }
        self.send_from(body.as_slice())
    }

    /// As [`Request::send`], with a body that is read as it is sent.
    ///
    /// # Errors
    /// Those of [`Request::send`].
    pub fn send_from(self, mut body: impl Read) -> Result<Response, Error> {
        sys::send(self, &mut body).map(Response)
    }
}

impl Response {
    /// The status code.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.0.status()
    }

    /// The first line of a header, where it is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        String::from_utf8(self.0.header(name)?).ok()
    }

    /// All header lines.
    #[must_use]
    pub fn headers(&self) -> Vec<(String, Vec<u8>)> {
        self.0.headers()
    }

    /// The whole body.
    ///
    /// # Errors
    /// [`Error::Failed`] where it was cut short.
    pub fn bytes(self) -> Result<Vec<u8>, Error> {
        self.0.into_bytes()
    }

    /// The whole body, as text.
    ///
    /// # Errors
    /// [`Error::Failed`] where it was cut short, [`Error::NotText`] where it is not UTF-8.
    pub fn text(self) -> Result<String, Error> {
        String::from_utf8(self.bytes()?).map_err(|_| Error::NotText)
    }
}

impl Read for Response {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(buffer)
    }
}
