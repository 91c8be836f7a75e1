//! The head of a request while values are put into it.

use http::HeaderMap;
use zeroize::Zeroizing;

/// The head of a request on its way out, as far as values may stand in it.
pub struct Head {
    pub headers: HeaderMap,
    pub(super) path: Zeroizing<String>,
    pub(super) query: Option<Zeroizing<String>>,
    pub(super) cookies: Zeroizing<Vec<u8>>,
}

impl Head {
    /// The head of a request; `cookies` are those that stand beside sealed ones.
    pub fn new(headers: HeaderMap, path: &str, query: Option<&str>, cookies: &[String]) -> Self {
        let query = query.map(|query| Zeroizing::new(query.to_owned()));
        Self { headers, path: Zeroizing::new(path.to_owned()), query, cookies: Zeroizing::new(cookies.join("; ").into_bytes()) }
    }

    /// Path and query as they leave.
    pub fn target(&self) -> Zeroizing<String> {
        Zeroizing::new(match &self.query {
            Some(query) => [&self.path, "?", query].concat(),
            None => self.path.to_string(),
        })
    }
}
