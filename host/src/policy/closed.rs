//! Calls that no agent can make, whatever its manifest grants: those that make keys, end them, or list them.

use super::url::{CanonicalUrl, percent_decoded};
use crate::manifest::HostPattern;

/// Closed calls, at whatever method, scheme and port.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Closed(Vec<Call>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Call {
    host: HostPattern,
    /// In lower case; `*` stands for any one segment.
    segments: Vec<String>,
}

impl Closed {
    /// Reads `https://HOST:PORT/PATH`, with `*` for any one segment of the path.
    ///
    /// # Errors
    /// Where one is none.
    pub(crate) fn new(calls: impl Iterator<Item = String>) -> Result<Self, String> {
        let call = |call: String| {
            let wrong = || format!("`{}` is no call that could be closed to agents", crate::text::for_people(&call));
            let (scheme, rest) = call.split_once("://").ok_or_else(wrong)?;
            let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
            let host = HostPattern::parse(&format!("{scheme}://{}", authority.to_ascii_lowercase())).map_err(|_| wrong())?;
            Ok(Call { host, segments: segments(path) })
        };
        calls.map(call).collect::<Result<Vec<_>, String>>().map(Self)
    }

    /// These, and others.
    pub(crate) fn with(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }

    pub(super) fn covers(&self, url: &CanonicalUrl) -> bool {
        let at_host: Vec<&Call> = self.0.iter().filter(|call| call.host.matches_name(&url.host)).collect();
        if at_host.is_empty() {
            return false;
        }
        // As a lenient server may read it.
        let path = segments(&url.path);
        let same =
            |call: &[String]| call.len() == path.len() && call.iter().zip(&path).all(|(known, found)| known == "*" || known == found);
        at_host.iter().any(|call| same(&call.segments))
    }

    /// Whether a URL leads to where one of the calls is made.
    pub(crate) fn is_at(&self, url: &CanonicalUrl) -> bool {
        self.0.iter().any(|call| call.host.matches(url.scheme, &url.host, url.port))
    }
}

/// The segments of a path, decoded, in lower case, and without a slash at its end.
fn segments(path: &str) -> Vec<String> {
    let path = path.strip_prefix('/').unwrap_or(path);
    let decoded = percent_decoded(path.strip_suffix('/').unwrap_or(path));
    String::from_utf8_lossy(&decoded).to_lowercase().split('/').map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_call_is_closed_however_it_is_written() {
        let closed = ["https://api.example.com:8443/api/keys/rotate", "https://api.example.com:8443/api/keys/*"].map(str::to_owned);
        let closed = Closed::new(closed.into_iter()).expect("calls");
        let verdict = |url: &str| closed.covers(&CanonicalUrl::read(&url.parse().expect("a URI")).expect("canonical"));

        for url in [
            "https://api.example.com:8443/api/keys/rotate",
            "https://api.example.com:8443/api/keys/rotate/",
            "https://api.example.com:8443/API/Keys/ROTATE",
            "https://api.example.com:8443/api/keys/%72otate",
            "https://api.example.com:8443/api/keys/rotate?x=1",
            "http://api.example.com/api/keys/rotate",
            "https://api.example.com/api/keys/pf_live_0",
        ] {
            assert!(verdict(url), "{url}");
        }
        for url in [
            "https://api.example.com:8443/api/keys",
            "https://api.example.com:8443/api/keys/rotate/now",
            "https://api.example.com:8443/v1/orders",
            "https://www.example.com:8443/api/keys/rotate",
        ] {
            assert!(!verdict(url), "{url}");
        }
    }
}
