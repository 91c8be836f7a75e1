//! A scheme for tests, of the kind that asks for more: a response with a `nonce` wants the request once more with that nonce, and with what
//! the scheme saw of the request.

use super::{Draft, Outgoing, Scheme, Target};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

const NONCE: HeaderName = HeaderName::from_static("nonce");
const SEEN: HeaderName = HeaderName::from_static("seen");

#[derive(Debug, PartialEq, Eq)]
pub struct Nonce {
    target: Target,
    /// What the server has asked for.
    nonce: Option<HeaderValue>,
}

impl Scheme {
    /// The value in its place, and a nonce of the server's where it asks for one.
    pub fn nonce(target: Target) -> Self {
        Self::Nonce(Nonce { target, nonce: None })
    }
}

impl Nonce {
    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    pub(super) fn apply(&self, value: &[u8], draft: &mut Draft, outgoing: &Outgoing<'_>) -> Option<()> {
        self.target.apply(value, draft)?;
        if let Some(nonce) = &self.nonce {
            let body = outgoing.body.map_or("?".to_owned(), |body| body.len().to_string());
            let seen = format!("{} {} {body}", outgoing.method, outgoing.authority);
            draft.headers.insert(NONCE, nonce.clone());
            draft.headers.insert(SEEN, HeaderValue::from_str(&seen).ok()?);
        }
        Some(())
    }

    pub(super) fn challenge(&self, status: StatusCode, headers: &HeaderMap) -> Option<Self> {
        let nonce = headers.get(NONCE).filter(|_| status != StatusCode::FORBIDDEN)?;
        Some(Self { target: self.target.clone(), nonce: Some(nonce.clone()) })
    }
}
