//! Whether a request is signed by the placeholder pair.

use super::canonical::{Parts, canonical_request, string_to_sign};
use super::key::SigningKey;
use super::presigned::{SIGNATURE, TOKEN};
use super::{Form, KeyPair, Payload, Refused, Request, Signed};

/// A signature that the placeholder pair has made for this request.
pub struct Verified {
    pub(super) signed: Signed,
    pub(super) payload: Payload,
    /// The placeholder's, by which the chunks are signed that follow.
    pub(super) key: SigningKey,
    /// Whether the guest's session token is among what is signed.
    pub(super) token_signed: bool,
}

impl Signed {
    /// The same, verified: access key ID, session token and signature are the placeholders'. `body` is the SHA-256 of the body, used where
    /// [`Self::payload`] doesn't say what is signed of it.
    ///
    /// # Errors
    /// Where any of them is another. The signature is compared in constant time.
    pub fn verify(self, request: &Request<'_>, placeholders: &KeyPair<'_>, body: Option<[u8; 32]>) -> Result<Verified, Refused> {
        if self.access_key_id != placeholders.access_key_id {
            return Err(Refused::OtherKey);
        }
        if self.token.is_some() && self.token.as_deref() != placeholders.token {
            return Err(Refused::OtherToken);
        }
        let payload = self.payload.or(body.map(Payload::Hash)).ok_or(Refused::UnknownBody)?;
        let key = placeholders.signing_key(&self.scope);
        // A query doesn't say whether its token is signed; some services have it added afterwards.
        let ways: &[bool] = match (self.form, &self.token) {
            (Form::Header, _) => &[self.headers.contains(super::TOKEN)],
            (Form::Query, None) => &[false],
            (Form::Query, Some(_)) => &[true, false],
        };
        for &token_signed in ways {
            let text = self.text(request, &payload, token_signed)?;
            if key.verify(text.as_bytes(), &self.signature) {
                return Ok(Verified { signed: self, payload, key, token_signed });
            }
        }
        Err(Refused::Mismatch)
    }

    fn text(&self, request: &Request<'_>, payload: &Payload, token_signed: bool) -> Result<String, Refused> {
        let unsigned: &[&str] = match (self.form, token_signed) {
            (Form::Header, _) => &[],
            (Form::Query, true) => &[SIGNATURE],
            (Form::Query, false) => &[SIGNATURE, TOKEN],
        };
        let parts =
            Parts { style: self.scope.path_style(), query: None, unsigned, signed: &self.headers, token: None, payload: &payload.text() };
        Ok(string_to_sign(&self.time, &self.scope, &canonical_request(request, &parts)?))
    }
}

impl Verified {
    pub fn signed(&self) -> &Signed {
        &self.signed
    }
}
