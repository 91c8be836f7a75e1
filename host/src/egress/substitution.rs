//! The values, put in their places. From here to the socket is the only stretch where they are in plaintext.

use super::prepare::Ready;
use super::request_body::RequestBody;
use super::{Error, Outbound, pool};
use crate::credential::{Head, Outgoing, Scheme};
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
        let mut head = Head::new(headers, &url.path, url.query.as_deref(), permit.plain_cookies());
        for (substitution, Ready { secret, version, .. }) in substitutions.into_iter().zip(ready) {
            let (scheme, reveal) = substitution.into_parts();
            head = scheme.apply(version.value.reveal(reveal), head, &outgoing).map_err(|_| cannot())?;
            if let Some(tried) = &mut tried {
                tried.push(scheme);
            }
            credential.push(secret.map_or(pool::Carried::Sealed(version.fingerprint), pool::Carried::Secret));
        }
        let uri = Uri::builder().scheme(url.scheme.as_str()).authority(authority).path_and_query(head.target().as_str()).build();
        let mut request = Request::new(body);
        *request.method_mut() = permit.method().clone();
        *request.uri_mut() = uri.map_err(|_| cannot())?;
        *request.headers_mut() = head.headers;
        Ok((credential, request))
    }
}
