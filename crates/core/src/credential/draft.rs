//! A request while values are put into it.

use http::HeaderMap;
use zeroize::Zeroizing;

/// A request on its way out, as far as values may stand in it.
pub struct Draft {
    pub headers: HeaderMap,
    pub(super) path: Zeroizing<String>,
    pub(super) query: Option<Zeroizing<String>>,
    pub(super) cookies: Zeroizing<Vec<u8>>,
    /// The whole body, where a value goes into it.
    pub(super) body: Option<Zeroizing<Vec<u8>>>,
}

impl Draft {
    /// The head of a request; `cookies` are those that stand beside filled ones.
    pub fn new(headers: HeaderMap, path: &str, query: Option<&str>, cookies: &[String]) -> Self {
        let query = query.map(|query| Zeroizing::new(query.to_owned()));
        let cookies = Zeroizing::new(cookies.join("; ").into_bytes());
        Self { headers, path: Zeroizing::new(path.to_owned()), query, cookies, body: None }
    }

    /// The same with its body, for values that go into that.
    #[must_use]
    pub fn with_body(self, body: &[u8]) -> Self {
        Self { body: Some(Zeroizing::new(body.to_vec())), ..self }
    }

    /// Path and query as they leave.
    pub fn target(&self) -> Zeroizing<String> {
        Zeroizing::new(match &self.query {
            Some(query) => [&self.path, "?", query].concat(),
            None => self.path.to_string(),
        })
    }

    /// The body as it leaves, where values went into it.
    pub fn take_body(&mut self) -> Option<Zeroizing<Vec<u8>>> {
        self.body.take()
    }
}
