//! The values, put in their places. From here to the socket is the only stretch where they stand in plain.

use super::prepare::Ready;
use super::request_body::RequestBody;
use super::{Error, Outbound, pool};
use crate::credential::Head;
use crate::policy::{Permit, Substitution};
use http::{Request, Uri};

impl Outbound {
    /// Puts the values in their places.
    pub(super) fn substitute(
        &self,
        permit: &Permit,
        substitutions: Vec<Substitution>,
        ready: &[Ready],
        headers: http::HeaderMap,
        body: RequestBody,
    ) -> Result<(pool::Credential, Request<RequestBody>), Error> {
        let url = permit.url();
        let cannot = || Error::host("strongroom: a secret's value can't stand in its granted place");
        let mut credential = Vec::new();
        let mut head = Head::new(headers, &url.path, url.query.as_deref(), permit.plain_cookies());
        for (substitution, Ready { secret, version, .. }) in substitutions.into_iter().zip(ready) {
            let (target, reveal) = substitution.into_parts();
            target.apply(version.value.reveal(reveal), &mut head).ok_or_else(cannot)?;
            credential.push(secret.map_or(pool::Carried::Sealed(version.fingerprint), pool::Carried::Secret));
        }
        let uri = Uri::builder().scheme(url.scheme.as_str()).authority(url.authority()).path_and_query(head.target().as_str()).build();
        let mut request = Request::new(body);
        *request.method_mut() = permit.method().clone();
        *request.uri_mut() = uri.map_err(|_| cannot())?;
        *request.headers_mut() = head.headers;
        Ok((credential, request))
    }
}
