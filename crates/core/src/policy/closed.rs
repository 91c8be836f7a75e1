//! Calls that no agent can make, whatever its manifest grants: those that make, revoke or list keys.

use crate::manifest::{HostPattern, Manifest};
use crate::url::{CanonicalUrl, percent_decoded};

/// Closed calls, at whatever method, scheme and port.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Closed(Vec<Call>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Call {
    host: HostPattern,
    /// In lower case; `*` stands for any text within a segment.
    segments: Vec<String>,
}

impl Closed {
    /// Reads `https://HOST:PORT/PATH`, with `*` for any text within a segment of the path: a whole one, or a secret in it, as in
    /// `/bot*/deleteWebhook`.
    ///
    /// # Errors
    /// Where one is none.
    pub fn new(calls: impl Iterator<Item = String>) -> Result<Self, String> {
        let call = |call: String| {
            let wrong = || format!("`{}` is not a call that can be closed to agents", crate::text::for_people(&call));
            let (scheme, rest) = call.split_once("://").ok_or_else(wrong)?;
            let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
            let host = HostPattern::parse(&format!("{scheme}://{}", authority.to_ascii_lowercase())).map_err(|_| wrong())?;
            Ok(Call { host, segments: segments(path) })
        };
        calls.map(call).collect::<Result<Vec<_>, String>>().map(Self)
    }

    /// The endpoints that the host itself calls for a manifest's secrets.
    pub fn by(manifest: &Manifest) -> Self {
        let specs = manifest.secrets.iter().filter_map(|secret| secret.scheme.as_ref()?.oauth2());
        Self::new(specs.flat_map(|spec| spec.closed().collect::<Vec<_>>())).expect("a manifest's endpoints are canonical URLs")
    }

    /// These, and others.
    pub fn with(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }

    pub(super) fn covers(&self, url: &CanonicalUrl) -> bool {
        let at_host: Vec<&Call> = self.0.iter().filter(|call| call.host.matches_name(&url.host)).collect();
        if at_host.is_empty() {
            return false;
        }
        // As a lenient server may read it, behind a front controller too: `/index.php/v1/keys`.
        // An encoded slash is a character of its segment, or a slash.
        let readings = [segments(&url.path), as_sent(&url.path)];
        let same = |call: &Call, path: &[String]| {
            call.segments.len() == path.len() && call.segments.iter().zip(path).all(|(known, found)| is_read_as(found, known))
        };
        readings.iter().any(|path| {
            let behind = path.first().filter(|first| first.starts_with("index.")).map(|_| &path[1..]);
            at_host.iter().any(|call| same(call, path) || behind.is_some_and(|path| same(call, path)))
        })
    }

    /// Whether one of the calls is made at one of these hosts.
    pub fn concerns(&self, host: &HostPattern) -> bool {
        self.0.iter().any(|call| call.host.overlaps(host))
    }

    /// Whether a URL leads to where one of the calls is made.
    pub fn is_at(&self, url: &CanonicalUrl) -> bool {
        self.0.iter().any(|call| call.host.matches(url.scheme, &url.host, url.port))
    }
}

/// The segments of a path: decoded, without what some servers trim or ignore, in one case and width, and without slashes at the end.
fn segments(path: &str) -> Vec<String> {
    let decoded = percent_decoded(path.trim_matches('/'));
    without_end(String::from_utf8_lossy(&decoded).split('/').map(segment).collect())
}

/// The same, of the segments as they are sent.
fn as_sent(path: &str) -> Vec<String> {
    without_end(path.trim_matches('/').split('/').map(|text| segment(&String::from_utf8_lossy(&percent_decoded(text)))).collect())
}

fn without_end(segments: Vec<String>) -> Vec<String> {
    let end = segments.iter().rposition(|segment| !segment.is_empty()).map_or(1, |last| last + 1);
    segments.into_iter().take(end).collect()
}

fn segment(text: &str) -> String {
    let is_kept = |c: &char| !crate::text::is_unsafe(*c);
    let folded: String = text.chars().filter(is_kept).flat_map(crate::url::names::folded).map(|c| if c == '_' { '-' } else { c }).collect();
    folded.trim_matches(|c: char| c.is_whitespace() || c == '.').to_owned()
}

/// Whether a server may read `found` as `known`: what follows it is a format (`.json`), a parameter (`;v=1`), a verb (`:list`) or the like;
/// and a known format may be another, or be left out.
fn is_read_as(found: &str, known: &str) -> bool {
    let is_format = |text: &str| text.len() <= 5 && text.chars().all(char::is_alphanumeric) && text.chars().any(char::is_alphabetic);
    let stem = known.rsplit_once('.').filter(|(stem, format)| !stem.is_empty() && is_format(format)).map_or(known, |(stem, _)| stem);
    begins_as(found, stem)
}

/// Whether a text begins with a stem in which `*` is any text, and does not go on as a longer word.
fn begins_as(found: &str, stem: &str) -> bool {
    match stem.split_once('*') {
        None => found.strip_prefix(stem).is_some_and(|rest| rest.chars().next().is_none_or(|c| !c.is_alphanumeric() && c != '-')),
        Some((before, after)) => found.strip_prefix(before).is_some_and(|rest| {
            let mut ends = rest.char_indices().map(|(at, _)| &rest[at..]);
            after.is_empty() || ends.any(|end| begins_as(end, after))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_without_parameters_is_closed_with_every_format() {
        let closed = ["https://api.example.com/v1/api-keys", "https://api.example.com/v1/tokens.json"].map(str::to_owned);
        let closed = Closed::new(closed.into_iter()).expect("calls");
        let verdict = |path: &str| {
            let url = format!("https://api.example.com{path}").parse().expect("a URI");
            closed.covers(&CanonicalUrl::read(&url).expect("canonical"))
        };

        for path in [
            "/v1/api-keys",
            "/v1%2Fapi-keys",
            "/v1/api-keys%2f",
            "/v1/api-keys.json",
            "/v1/api-keys.",
            "/v1/api_keys",
            "/v1/API_Keys.XML/",
            "/v1/tokens",
            "/v1/tokens.xml",
        ] {
            assert!(verdict(path), "{path}");
        }
        for path in ["/v1/api-keys/7", "/v1/api-keysets", "/v1/token", "/v1", "/v1/orders"] {
            assert!(!verdict(path), "{path}");
        }
    }

    #[test]
    fn a_call_is_closed_with_whatever_placeholder_stands_in_its_path() {
        let closed = ["https://api.example.com/bot*/deleteWebhook", "https://api.example.com/keys/v*.json/end"].map(str::to_owned);
        let closed = Closed::new(closed.into_iter()).expect("calls");
        let verdict = |path: &str| {
            let url = format!("https://api.example.com{path}").parse().expect("a URI");
            closed.covers(&CanonicalUrl::read(&url).expect("canonical"))
        };

        for path in [
            "/botstrongroom_0a1b2c/deleteWebhook",
            "/bot123456:ABC-def/deletewebhook/",
            "/BOT1%2FdeleteWebhook",
            "/b%6ft1/delete%57ebhook.json",
            "/bot/deleteWebhook",
            "/index.php/bot1/deleteWebhook",
            "/keys/v1.json/end",
            "/keys/v1/end",
            "/keys/v_a.b.xml/end",
        ] {
            assert!(verdict(path), "{path}");
        }
        for path in ["/bot1/getMe", "/bot1/a/deleteWebhook", "/robot1/deleteWebhook", "/bot1", "/keys/w1/end"] {
            assert!(!verdict(path), "{path}");
        }
    }

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
            "https://api.example.com:8443/api%2Fkeys%2Frotate",
            "https://api.example.com:8443/api/keys/a%2Fb",
            "https://api.example.com:8443/api/keys/rotate?x=1",
            "http://api.example.com/api/keys/rotate",
            "https://api.example.com/api/keys/pf_live_0",
            "https://api.example.com/api/keys/rotate.json",
            "https://api.example.com/api/keys/rotate.",
            "https://api.example.com/api/keys/rotate%20",
            "https://api.example.com/api/keys/rotate.tar.gz",
            "https://api.example.com/api/keys/rotate:now",
            "https://api.example.com/api/keys/rotate%20.xml/",
            "https://api.example.com/api/keys/rotate%E2%80%8B",
            "https://api.example.com/api/keys/rotate%C2%A0",
            "https://api.example.com/api/keys/ro%EF%BD%94ate",
            "https://api.example.com/api/%E2%84%AAeys/rotate",
            "https://api.example.com/api./keys.json/rotate",
            "https://api.example.com/index.php/api/keys/rotate",
            "https://api.example.com/api/keys/rotate,x",
        ] {
            assert!(verdict(url), "{url}");
        }
        for url in [
            "https://api.example.com:8443/api/keys",
            "https://api.example.com:8443/api/keys/rotate/now",
            "https://api.example.com:8443/api/keys.json",
            "https://api.example.com:8443/api/keyset/rotate",
            "https://api.example.com:8443/api/keys-archive/rotate",
            "https://api.example.com:8443/",
            "https://api.example.com:8443/v1/orders",
            "https://www.example.com:8443/api/keys/rotate",
        ] {
            assert!(!verdict(url), "{url}");
        }
    }
}
