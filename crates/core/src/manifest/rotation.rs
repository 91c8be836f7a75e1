//! The `[issuers.NAME]` and `[rotations.NAME]` tables of the host configuration: who makes keys, and which of them are replaced, and when.

use super::backends::{CredentialRef, credential};
use super::diagnostic::Problem;
use super::reader::Section;
use super::{Place, SecretRef, Which, units};
use http::{HeaderName, Method};
use std::path::PathBuf;
use std::time::Duration;

/// What the time before the end of a key is for, unless the configuration says otherwise.
const BEFORE: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// How long requests that hold the old key are waited for, unless the configuration says otherwise.
const DRAIN: Duration = Duration::from_secs(30);
/// How long a call to an issuer may take, unless the configuration says otherwise.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The header that Purple Flea's API tells a key's remaining life in.
const EXPIRES_IN: HeaderName = HeaderName::from_static("x-key-expires-in");

/// Who makes new keys.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum IssuerConfig {
    /// An HTTP API.
    Http(Box<HttpIssuerConfig>),
    /// The rotation function that AWS Secrets Manager calls: it makes, switches and retires keys itself, and the host looks on.
    Managed,
}

impl IssuerConfig {
    /// The calls that agents can't make, each as an origin with a path.
    pub fn closed(&self) -> Vec<String> {
        match self {
            Self::Http(http) => http.closed(),
            Self::Managed => Vec::new(),
        }
    }
}

/// An HTTP API that makes and revokes keys.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HttpIssuerConfig {
    /// `https://HOST:PORT`, in front of every path.
    pub url: String,
    /// Where a key stands in a request. Default `header:authorization`, as `Bearer {}`.
    pub place: Place,
    /// What the issuer is called with instead of the key in use.
    pub credential: Option<CredentialRef>,
    /// The call that makes a key.
    pub issue: Endpoint,
    /// What it sends as its body, JSON; by default nothing.
    pub body: Option<String>,
    /// JSON Pointers (RFC 6901) to the new key in the response: the first that is there counts.
    pub key: Vec<String>,
    /// The same for the issuer's name for the key.
    pub id: Option<String>,
    /// The same for its expiry time: seconds from now, or a date (RFC 3339).
    pub expires: Option<String>,
    /// The call that revokes a key; its path holds `{key}` or `{id}`.
    pub revoke: Endpoint,
    /// The call that lists keys.
    pub list: Option<Listing>,
    /// The call that a key is tested with; it changes nothing.
    pub probe: Endpoint,
    /// The header of responses that says when the key in use expires: seconds from now, or a date (RFC 9110, 5.6.7).
    pub header: Option<HeaderName>,
    /// Files of certificate authorities in addition to the public ones, PEM.
    pub ca: Vec<PathBuf>,
}

/// A method and a path.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Endpoint {
    /// The method.
    pub method: Method,
    /// The path, from the root; `{key}` and `{id}` stand for those of a key.
    pub path: String,
}

impl Endpoint {
    /// A call by its method and path.
    #[must_use]
    pub fn new(method: Method, path: impl Into<String>) -> Self {
        Self { method, path: path.into() }
    }
}

impl Listing {
    /// A listing by its call, the pointer to the keys, and that to the name of one.
    #[must_use]
    pub fn new(endpoint: Endpoint, keys: impl Into<String>, id: impl Into<String>) -> Self {
        Self { endpoint, keys: keys.into(), id: id.into() }
    }
}

/// How keys are listed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listing {
    /// The call.
    pub endpoint: Endpoint,
    /// The JSON Pointer to the array of keys.
    pub keys: String,
    /// That of a key's name within one of its elements.
    pub id: String,
}

/// One key that is replaced, however many names it has.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RotationConfig {
    /// Where it is kept. The first of these backends keeps the rotation's journal too.
    pub secrets: Vec<SecretRef>,
    /// The issuer, by its name in the configuration.
    pub issuer: String,
    /// The issuer's name for the key in use before the first rotation, where it revokes keys by their names.
    pub id: Option<String>,
    /// How old a key may get.
    pub every: Option<Duration>,
    /// How long before its expiry a key is replaced. Default 7 days.
    pub rotate_before: Duration,
    /// How long before its expiry the host warns of a key that has not been replaced. Default 7 days.
    pub warn_before: Duration,
    /// How long requests that hold the old key are waited for before `after_drain` applies. Default 30 s.
    pub drain: Duration,
    /// What happens to an old key that is still held then.
    pub after_drain: AfterDrain,
    /// How long the issuer lets the old key work alongside the new one; none where it works until it is revoked.
    pub overlap: Option<Duration>,
    /// How long a call to the issuer may take. Default 30 s.
    pub timeout: Duration,
    /// Where alerts are posted as JSON, in addition to the audit log.
    pub webhook: Option<String>,
}

/// What happens to a key that is still held when its time to drain is over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AfterDrain {
    /// It keeps working until nobody holds it; the operator is told.
    #[default]
    Wait,
    /// It is revoked; requests that still hold it fail.
    Revoke,
}

impl HttpIssuerConfig {
    /// Purple Flea's API: `POST /api/keys/rotate` answers with `new_key` or `key`, `DELETE /api/keys/KEY` revokes one.
    #[must_use]
    pub fn purpleflea(url: impl Into<String>) -> Self {
        let at = |method: Method, path: &str| Endpoint { method, path: path.to_owned() };
        Self {
            url: url.into(),
            place: Place::bearer(),
            credential: None,
            issue: at(Method::POST, "/api/keys/rotate"),
            body: None,
            key: vec!["/new_key".to_owned(), "/key".to_owned()],
            id: Some("/id".to_owned()),
            expires: Some("/expires_in".to_owned()),
            revoke: at(Method::DELETE, "/api/keys/{key}"),
            list: Some(Listing { endpoint: at(Method::GET, "/api/keys"), keys: "/keys".to_owned(), id: "/id".to_owned() }),
            probe: at(Method::GET, "/v1/me"),
            header: Some(EXPIRES_IN),
            ca: Vec::new(),
        }
    }

    /// The files that it names.
    pub(super) fn files(&mut self) -> Vec<&mut PathBuf> {
        let credential = self.credential.iter_mut().filter_map(|credential| match credential {
            CredentialRef::File(file) => Some(file),
            CredentialRef::Env(_) => None,
        });
        credential.chain(&mut self.ca).collect()
    }

    /// The calls that agents can't make, since they make, revoke or list keys: `https://HOST:PORT/PATH`, with `*` for a key.
    pub fn closed(&self) -> Vec<String> {
        let endpoints = [&self.issue, &self.revoke].into_iter().chain(self.list.as_ref().map(|list| &list.endpoint));
        let open = |path: &str| path.replace("{key}", "*").replace("{id}", "*");
        endpoints.map(|endpoint| format!("{}{}", self.url, open(&endpoint.path))).collect()
    }
}

impl RotationConfig {
    /// A rotation that is only started by hand.
    #[must_use]
    pub fn new(secrets: Vec<SecretRef>, issuer: impl Into<String>) -> Self {
        Self {
            secrets,
            issuer: issuer.into(),
            id: None,
            every: None,
            rotate_before: BEFORE,
            warn_before: BEFORE,
            drain: DRAIN,
            after_drain: AfterDrain::Wait,
            overlap: None,
            timeout: TIMEOUT,
            webhook: None,
        }
    }
}

/// Where keys of an issuer belong that says itself how it is called.
const HTTP: &str = "to `type = \"http\"`";

/// Reads `[issuers.NAME]`.
pub(super) fn issuer(section: &Section<'_>) -> Option<IssuerConfig> {
    section.elsewhere(&[
        ("url", "to `type = \"purpleflea\"` or `\"http\"`"),
        ("credential", "to `type = \"purpleflea\"` or `\"http\"`"),
        ("ca", "to `type = \"purpleflea\"` or `\"http\"`"),
        ("place", HTTP),
        ("issue", HTTP),
        ("body", HTTP),
        ("key", HTTP),
        ("id", HTTP),
        ("expires", HTTP),
        ("revoke", HTTP),
        ("probe", HTTP),
        ("header", HTTP),
        ("list", HTTP),
        ("list_keys", HTTP),
        ("list_id", HTTP),
    ]);
    match section.require_one_of("type", "an unknown type of issuer", &["purpleflea", "http", "aws-managed"]) {
        Some("aws-managed") => Some(IssuerConfig::Managed),
        Some(kind) => http(section, kind == "purpleflea").map(|http| IssuerConfig::Http(Box::new(http))),
        None => {
            section.ignore_rest();
            None
        }
    }
}

fn http(section: &Section<'_>, preset: bool) -> Option<HttpIssuerConfig> {
    let url = section.require("url", "url = ?", super::backends::address);
    let credential = section.parse("credential", credential);
    let ca = section.list("ca", super::config::path).unwrap_or_default();
    let config = if preset { Some(HttpIssuerConfig::purpleflea("")) } else { calls(section) };
    Some(HttpIssuerConfig { url: url?, credential, ca, ..config? })
}

/// How an issuer is called that is not known beforehand. The rest is the caller's to read.
fn calls(section: &Section<'_>) -> Option<HttpIssuerConfig> {
    let issue = section.require("issue", "issue = ?", |text| endpoint(text, &[]));
    let key = section.parse("key", pointer);
    let revoke = section.require("revoke", "revoke = ?", |text| match endpoint(text, &["{key}", "{id}"])? {
        revoke if revoke.path.matches('{').count() == 1 => Ok(revoke),
        _ => Err(Problem::new("a call that does not say which key", "write `{key}` or `{id}` once in the path, as in `DELETE /keys/{id}`")),
    });
    let probe = section.require("probe", "probe = ?", |text| endpoint(text, &[]));
    let list = listing(section);
    let id = section.parse("id", pointer);
    if revoke.as_ref().is_some_and(|revoke: &Endpoint| revoke.path.contains("{id}")) && id.is_none() && !section.has("id") {
        section.report_here(Problem::new(
            "`revoke` names a key by its id, which `id` does not find",
            "add `id = ?` with its value in the place of `?`",
        ));
    }
    let place = section.parse("place", Place::parse_in_head).unwrap_or_else(Place::bearer);
    let body = section.parse("body", |text| match serde_json::from_str::<serde_json::Value>(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err(Problem::new("not JSON", "write what the call sends as JSON, or leave `body` out")),
    });
    let expires = section.parse("expires", pointer);
    let header = section.parse("header", |text| {
        HeaderName::try_from(text).map_err(|_| Problem::new("not the name of a header", "write it in lower case, as in `x-key-expires-in`"))
    });
    let key = vec![key.unwrap_or_else(|| "/key".to_owned())];
    let (issue, revoke, probe) = (issue?, revoke?, probe?);
    Some(HttpIssuerConfig {
        url: String::new(),
        place,
        credential: None,
        issue,
        body,
        key,
        id,
        expires,
        revoke,
        list,
        probe,
        header,
        ca: Vec::new(),
    })
}

fn listing(section: &Section<'_>) -> Option<Listing> {
    if !section.has("list") {
        section.elsewhere(&[("list_keys", "together with `list`"), ("list_id", "together with `list`")]);
    }
    let endpoint = section.parse("list", |text| endpoint(text, &[]));
    if section.has("list") {
        let keys = section.parse("list_keys", pointer).unwrap_or_else(|| "/keys".to_owned());
        let id = section.parse("list_id", pointer).unwrap_or_else(|| "/id".to_owned());
        return Some(Listing { endpoint: endpoint?, keys, id });
    }
    None
}

/// `METHOD /path`, with at most these placeholders, each as a whole segment.
fn endpoint(text: &str, placeholders: &[&str]) -> Result<Endpoint, Problem> {
    let wrong = |what: &str| Problem::new(what, "write a method and a path from the root, as in `POST /keys`");
    if text.contains(['?', '#']) {
        return Err(Problem::new("a call with a query", "leave the query out: issuers are called by a method and a path alone"));
    }
    let (method, path) = text.split_once(' ').ok_or_else(|| wrong("not a call"))?;
    let method = Method::try_from(method).ok().filter(|method| method.as_str().bytes().all(|b| b.is_ascii_uppercase()));
    let clean = |segment: &str| {
        let literal = segment.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~:@!$&'()+,=".contains(&b));
        placeholders.contains(&segment) || (literal && !matches!(segment, "" | "." | ".."))
    };
    match (method, path.strip_prefix('/')) {
        (Some(method), Some(rest)) if rest.split('/').all(clean) => Ok(Endpoint { method, path: path.to_owned() }),
        _ => Err(wrong("not a call")),
    }
}

fn pointer(text: &str) -> Result<String, Problem> {
    match text.starts_with('/') {
        true => Ok(text.to_owned()),
        false => Err(Problem::new("not a JSON Pointer", "begin it with a slash, as in `/data/key` (RFC 6901)")),
    }
}

/// Reads `[rotations.NAME]`.
pub(super) fn rotation(section: &Section<'_>) -> Option<RotationConfig> {
    let secrets = section.require_list("secrets", "secrets = ?", |text| match SecretRef::parse(text)? {
        reference @ SecretRef::Exact { which: Which::Current, .. } => Ok(reference),
        _ => Err(Problem::new("not one place where a key is kept", "write `backend:path` or `backend:path#field`, without a version")),
    });
    let issuer = section.require("issuer", "issuer = ?", |text| Ok(text.to_owned()));
    let duration = |key: &'static str| section.parse(key, units::duration);
    let drain = duration("drain").unwrap_or(DRAIN);
    let defaults = RotationConfig::new(Vec::new(), "");
    let config = RotationConfig {
        id: section.string("id"),
        every: duration("every"),
        rotate_before: duration("rotate_before").unwrap_or(defaults.rotate_before),
        warn_before: duration("warn_before").unwrap_or(defaults.warn_before),
        drain,
        after_drain: section
            .parse("after_drain", |text| match text {
                "wait" => Ok(AfterDrain::Wait),
                "revoke" => Ok(AfterDrain::Revoke),
                _ => Err(Problem::new("an unknown treatment", "write `\"wait\"` or `\"revoke\"`")),
            })
            .unwrap_or_default(),
        overlap: section.parse("overlap", |text| match units::duration(text)? {
            overlap if overlap > drain => Ok(overlap),
            _ => Err(Problem::new("not longer than `drain`", "the old key would expire while requests still hold it: shorten `drain`")),
        }),
        timeout: section
            .parse("timeout", |text| match units::duration(text)? {
                timeout if (Duration::from_secs(1)..=Duration::from_secs(300)).contains(&timeout) => Ok(timeout),
                _ => Err(Problem::new("too short or too long for a call", "write `1s` to `5m`")),
            })
            .unwrap_or(defaults.timeout),
        webhook: section.parse("webhook", |text| match http::Uri::try_from(text) {
            Ok(uri) if matches!(uri.scheme_str(), Some("https" | "http")) && uri.host().is_some() => Ok(text.to_owned()),
            _ => Err(Problem::new("not a URL", "write `https://HOST/PATH`")),
        }),
        ..defaults
    };
    Some(RotationConfig { secrets: secrets?, issuer: issuer?, ..config })
}
