//! A request while values are put into it.

use bytes::Bytes;
use http::HeaderMap;
use zeroize::Zeroizing;

/// A request on its way out, as far as values may stand in it.
pub struct Draft {
    pub headers: HeaderMap,
    pub(super) path: Zeroizing<String>,
    pub(super) query: Option<Zeroizing<String>>,
    pub(super) cookies: Zeroizing<Vec<u8>>,
    /// The whole body, where a scheme reads it or writes into it.
    given: Option<Bytes>,
    /// The body as it was written anew.
    pub(super) written: Option<Zeroizing<Vec<u8>>>,
}

impl Draft {
    /// The head of a request; `cookies` are those that stand beside filled ones.
    pub fn new(headers: HeaderMap, path: &str, query: Option<&str>, cookies: &[String]) -> Self {
        let query = query.map(|query| Zeroizing::new(query.to_owned()));
        let cookies = Zeroizing::new(cookies.join("; ").into_bytes());
        Self { headers, path: Zeroizing::new(path.to_owned()), query, cookies, given: None, written: None }
    }

    /// The same with its body, for schemes that read it or write into it.
    #[must_use]
    pub fn with_body(self, body: Bytes) -> Self {
        Self { given: Some(body), ..self }
    }

    /// The body as far as it is known.
    pub(super) fn body(&self) -> Option<&[u8]> {
        self.written.as_deref().map(Vec::as_slice).or(self.given.as_deref())
    }

    /// Path and query as they leave.
    pub fn target(&self) -> Zeroizing<String> {
        Zeroizing::new(match &self.query {
            Some(query) => [&self.path, "?", query].concat(),
            None => self.path.to_string(),
        })
    }

    /// The body as it leaves, where something was written into it.
    pub fn take_body(&mut self) -> Option<Zeroizing<Vec<u8>>> {
        self.written.take()
    }
}
