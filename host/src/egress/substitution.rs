//! The values, put in their places. From here to the socket is the only stretch where they are in plaintext.

use super::prepare::Ready;
use super::request_body::RequestBody;
use super::{Error, Outbound, pool};
use crate::credential::{Draft, Outgoing, Scheme, renew_checksums};
use crate::policy::{Permit, Substitution};
use http::{Request, Uri};
use std::time::SystemTime;

impl Outbound {
    /// Puts the values in their places, each by its scheme, and the schemes where they are asked for.
    pub(super) fn substitute(
        &self,
        permit: &Permit,
        substitutions: Vec<Substitution>,
        ready: &[Ready],
        headers: http::HeaderMap,
        body: RequestBody,
        mut tried: Option<&mut Vec<Scheme>>,
    ) -> Result<(pool::Credential, Request<RequestBody>), Error> {
        let url = permit.url();
        let cannot = || Error::host("strongroom: a secret's value can't be put in its granted place");
        let authority = url.authority();
        let outgoing = Outgoing { method: permit.method(), authority: &authority, body: body.whole(), time: SystemTime::now() };
        let mut credential = Vec::new();
        let mut draft = Draft::new(headers, &url.path, url.query.as_deref(), permit.plain_cookies());
        if permit.fills_body() {
            draft = draft.with_body(body.whole().ok_or_else(cannot)?);
        }
        for (substitution, Ready { secret, version, .. }) in substitutions.into_iter().zip(ready) {
            let (scheme, reveal) = substitution.into_parts();
            scheme.apply(version.value.reveal(reveal), &mut draft, &outgoing).map_err(|_| cannot())?;
            if let Some(tried) = &mut tried {
                tried.push(scheme);
            }
            credential.push(secret.map_or(pool::Carried::Sealed(version.fingerprint), pool::Carried::Secret));
        }
        let uri = Uri::builder().scheme(url.scheme.as_str()).authority(authority).path_and_query(draft.target().as_str()).build();
        let body = match draft.take_body() {
            Some(filled) => body.filled(filled),
            None => body,
        };
        if let (true, Some(whole)) = (body.is_edited(), body.whole()) {
            renew_checksums(&mut draft.headers, whole).map_err(|name| {
                Error::host(format!("strongroom: the header `{name}` is a checksum of a body that the host has changed; leave it out"))
            })?;
        }
        let mut request = Request::new(body);
        *request.method_mut() = permit.method().clone();
        *request.uri_mut() = uri.map_err(|_| cannot())?;
        *request.headers_mut() = draft.headers;
        Ok((credential, request))
    }
}
