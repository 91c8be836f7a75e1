//! The values, put in their places. From here to the socket is the only stretch where they stand in plain.

use super::prepare::Ready;
use super::request_body::RequestBody;
use super::{Error, Outbound, pool};
use crate::policy::{Permit, Substitution, Target};
use http::{HeaderValue, Request, Uri, header};
use zeroize::Zeroizing;

impl Outbound {
    /// Puts the values in their places.
    pub(super) fn substitute(
        &self,
        permit: &Permit,
        substitutions: Vec<Substitution>,
        ready: &[Ready],
        mut headers: http::HeaderMap,
        body: RequestBody,
    ) -> Result<(pool::Credential, Request<RequestBody>), Error> {
        let url = permit.url();
        let cannot = || Error::host("strongroom: a secret's value can't stand in its granted place");
        let mut query = url.query.clone();
        let mut credential = Vec::new();
        let mut cookies = Zeroizing::new(permit.plain_cookies().join("; ").into_bytes());
        for (substitution, Ready { secret, version, .. }) in substitutions.into_iter().zip(ready) {
            let (target, reveal) = substitution.into_parts();
            let text = target.filled(version.value.reveal(reveal)).ok_or_else(cannot)?;
            credential.push(secret.map_or(pool::Carried::Sealed(version.fingerprint), pool::Carried::Secret));
            match target {
                Target::Header { name, .. } => {
                    headers.insert(name, sensitive(&text).ok_or_else(cannot)?);
                }
                Target::Basic { .. } => {
                    headers.insert(header::AUTHORIZATION, sensitive(&text).ok_or_else(cannot)?);
                }
                Target::Cookie { .. } => {
                    if !cookies.is_empty() {
                        cookies.extend_from_slice(b"; ");
                    }
                    cookies.extend_from_slice(&text);
                    headers.insert(header::COOKIE, sensitive(&cookies).ok_or_else(cannot)?);
                }
                Target::WholeQuery => query = Some(String::from_utf8(text.to_vec()).map_err(|_| cannot())?),
                Target::Query { name } => {
                    let text = std::str::from_utf8(&text).map_err(|_| cannot())?;
                    let pairs = url_pairs(query.as_deref().unwrap_or_default(), &name, text);
                    query = Some(pairs);
                }
            }
        }
        let target = match &query {
            Some(query) => format!("{}?{query}", url.path),
            None => url.path.clone(),
        };
        let uri = Uri::builder().scheme(url.scheme.as_str()).authority(url.authority()).path_and_query(target).build();
        let mut request = Request::new(body);
        *request.method_mut() = permit.method().clone();
        *request.uri_mut() = uri.map_err(|_| cannot())?;
        *request.headers_mut() = headers;
        Ok((credential, request))
    }
}

fn sensitive(text: &[u8]) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_bytes(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// The query with the value of one parameter replaced.
fn url_pairs(query: &str, name: &str, value: &str) -> String {
    let mut out = String::with_capacity(query.len() + value.len());
    for pair in query.split('&') {
        if !out.is_empty() {
            out.push('&');
        }
        match pair.split_once('=') {
            Some((key, _)) if key == name => out.extend([name, "=", value]),
            _ => out.push_str(pair),
        }
    }
    out
}
