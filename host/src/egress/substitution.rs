//! The values, put in their places. From here to the socket is the only stretch where they are in plaintext.

use super::prepare::Ready;
use super::request_body::RequestBody;
use super::{Error, Outbound, pool};
use crate::credential::{Draft, Outgoing, Scheme, Values, renew_checksums};
use crate::policy::{Permit, Substitution};
use crate::secrets::SecretValue;
use http::{Request, Uri, header};
use std::time::SystemTime;

/// A request with its values in it.
pub(super) struct Filled {
    pub(super) credential: pool::Credential,
    pub(super) request: Request<RequestBody>,
    /// What was made of values for this request, each with its secret.
    pub(super) derived: Vec<(usize, SecretValue)>,
}

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
    ) -> Result<Filled, Error> {
        let url = permit.url();
        let cannot = || Error::host("strongroom: a secret's value can't be put in its granted place");
        let authority = url.authority();
        let now = SystemTime::now();
        let time = if permit.is_timed() { self.pools.skews.time_at(&url.origin_pattern(), now) } else { now };
        let outgoing = Outgoing { method: permit.method(), authority: &authority, body: body.whole(), time };
        let mut credential = Vec::new();
        let mut draft = Draft::new(headers, &url.path, url.query.as_deref(), permit.plain_cookies());
        if permit.holds_body() {
            draft = draft.with_body(body.bytes().ok_or_else(cannot)?);
        }
        let renewed = |draft: &mut Draft, whole: &[u8]| {
            renew_checksums(&mut draft.headers, whole).map_err(|name| {
                Error::host(format!("strongroom: the header `{name}` is a checksum of a body that the host has changed; leave it out"))
            })
        };
        // Checksums and the length are among what signatures cover.
        if let (true, Some(whole)) = (body.is_edited(), body.whole()) {
            renewed(&mut draft, whole)?;
        }
        if let Some(length) = body.claimed().filter(|_| permit.is_signed()) {
            draft.headers.insert(header::CONTENT_LENGTH, length.into());
        }
        let (mut derived, mut signed) = (Vec::new(), None);
        for (substitution, Ready { secret, version, others, number, .. }) in substitutions.into_iter().zip(ready) {
            let name = substitution.secret;
            let (scheme, reveal, with) = substitution.into_parts();
            let others: Vec<&[u8]> = others.iter().zip(with).map(|(other, reveal)| other.value.reveal(reveal)).collect();
            let values = Values { value: version.value.reveal(reveal), others: &others, number: *number, prepared: &version.prepared };
            let applied = scheme.apply(&values, &mut draft, &outgoing).map_err(|_| cannot())?;
            signed = signed.or(applied.body);
            derived.extend(applied.derived.map(|mut text| (name, SecretValue::on_heap(std::mem::take(&mut *text).into_bytes()))));
            if let Some(tried) = &mut tried {
                tried.push(scheme);
            }
            credential.push(secret.map_or(pool::Carried::Sealed(version.fingerprint), pool::Carried::Secret));
        }
        let uri = Uri::builder().scheme(url.scheme.as_str()).authority(authority).path_and_query(draft.target().as_str()).build();
        let body = match draft.take_body() {
            Some(filled) => {
                // It may have been empty before.
                draft.headers.remove(header::CONTENT_LENGTH);
                renewed(&mut draft, &filled)?;
                body.filled(filled)
            }
            None => body,
        };
        let body = match signed {
            Some(signed) => body.signed(signed)?,
            None => body,
        };
        let mut request = Request::new(body);
        *request.method_mut() = permit.method().clone();
        *request.uri_mut() = uri.map_err(|_| cannot())?;
        *request.headers_mut() = draft.headers;
        Ok(Filled { credential, request, derived })
    }
}
