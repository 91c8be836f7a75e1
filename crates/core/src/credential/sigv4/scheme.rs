//! The scheme as the phases of a request have it: found in what an agent has signed, and applied as the request leaves.

use super::{Body, Form, KeyPair, Payload, Refused, Request, Signed, Verified};
use crate::credential::{Applied, Draft, Outgoing, Prepared, Seen, Unfit, Values};
use http::{HeaderMap, HeaderName, header};
use sha2::{Digest, Sha256};
use std::fmt;
use std::time::SystemTime;
use zeroize::Zeroizing;

/// A request that is signed by the placeholders, and will be by what they stand for.
pub struct SigV4(Verified);

/// The placeholders of a key pair.
pub(crate) struct Placeholders<'p> {
    pub(crate) secret: &'p str,
    /// What was read of the secret's placeholder.
    pub(crate) prepared: &'p Prepared,
    pub(crate) access_key_id: &'p str,
    pub(crate) session_token: Option<&'p str>,
}

impl fmt::Debug for SigV4 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SigV4").field(&self.0.signed().scope().text()).finish()
    }
}

impl SigV4 {
    /// Whether the headers leave it open what of the body is signed. Where they say it, nothing more of the request tells otherwise.
    pub(crate) fn may_read_body(headers: &HeaderMap) -> bool {
        !headers.contains_key(Payload::HEADER)
    }

    /// Whether the body has to be known for its signature to be verified: it is signed, and the head does not say as what.
    pub(crate) fn reads_body(seen: &Seen<'_>, method: &str) -> bool {
        let host = seen.url.authority();
        matches!(Signed::read(&request(seen, method, &host)), Some(Ok(signed)) if signed.payload().is_none())
    }

    /// The access key id that a request says it is signed with.
    pub(crate) fn key_id(seen: &Seen<'_>, method: &str) -> Option<String> {
        let host = seen.url.authority();
        Signed::read(&request(seen, method, &host))?.ok().map(|signed| signed.access_key_id().to_owned())
    }

    /// The signature that a request has; `None` where it has none.
    pub(crate) fn find(
        seen: &Seen<'_>,
        method: &str,
        body: Option<&[u8]>,
        placeholders: &Placeholders<'_>,
        now: SystemTime,
    ) -> Option<Result<Self, Refused>> {
        let host = seen.url.authority();
        let request = request(seen, method, &host);
        let pair = KeyPair {
            access_key_id: placeholders.access_key_id,
            secret: placeholders.secret.as_bytes(),
            token: placeholders.session_token.map(str::as_bytes),
            prepared: Some(placeholders.prepared),
        };
        let verified = Signed::read(&request)?.and_then(|signed| {
            // What is said of the body is held to as it flows; what is not said is known by now.
            let hash = signed.payload().is_none().then(|| body.map(|body| Sha256::digest(body).into())).flatten();
            let verified = signed.verify(&request, &pair, hash)?;
            verified.check_time(now)?;
            Ok(Self(verified))
        });
        Some(verified)
    }

    pub(crate) fn is_header(&self, name: &HeaderName) -> bool {
        self.0.signed().form() == Form::Header && (*name == header::AUTHORIZATION || name.as_str() == super::TOKEN)
    }

    pub(crate) fn is_parameter(&self, name: &str) -> bool {
        let own = [super::presigned::CREDENTIAL, super::presigned::TOKEN, super::presigned::SIGNATURE];
        self.0.signed().form() == Form::Query && own.contains(&name)
    }

    /// Whether the body has to leave as it was signed.
    pub(crate) fn fixes_body(&self) -> bool {
        self.0.fixes_body()
    }

    pub(crate) fn apply(&self, values: &Values<'_>, draft: &mut Draft, outgoing: &Outgoing<'_>) -> Result<Applied, Unfit> {
        let access_key_id = values.others.first().and_then(|id| std::str::from_utf8(id).ok()).ok_or(Unfit)?;
        let (token, prepared) = (values.others.get(1).copied(), Some(values.prepared));
        let pair = KeyPair { access_key_id, secret: values.value, token, prepared };
        let request = Request {
            method: outgoing.method.as_str(),
            host: outgoing.authority,
            path: &draft.path,
            query: draft.query.as_ref().map(|query| query.as_str()),
            headers: &draft.headers,
        };
        let resigned = self.0.resign(&request, &pair, outgoing.time).map_err(|_| Unfit)?;
        for name in &resigned.remove {
            draft.headers.remove(name);
        }
        for (name, value) in resigned.set {
            draft.headers.insert(name, value);
        }
        draft.query = resigned.query.or(draft.query.take());
        let body = if matches!(resigned.body, Body::Free) { None } else { Some(resigned.body) };
        Ok(Applied { derived: Some(Zeroizing::new(resigned.signature)), body })
    }
}

fn request<'r>(seen: &'r Seen<'_>, method: &'r str, host: &'r str) -> Request<'r> {
    Request { method, host, path: &seen.url.path, query: seen.url.query.as_deref(), headers: seen.headers }
}
