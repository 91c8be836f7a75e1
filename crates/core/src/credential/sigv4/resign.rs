//! The signature that leaves: the guest's request, signed by the real pair.

use super::canonical::{Parts, SignedHeaders, canonical_request, string_to_sign};
use super::chunks::{Chunks, Keys};
use super::encode::{encoded, parameters};
use super::key::{Signature, SigningKey};
use super::scope::is_key_id;
use super::{ALGORITHM, Form, KeyPair, Payload, Refused, Request, Verified, presigned};
use http::{HeaderName, HeaderValue, header};
use std::time::SystemTime;
use zeroize::Zeroizing;

/// How far the guest's time may be from the host's, in seconds. AWS itself allows fifteen minutes.
pub(super) const MAX_SKEW: u64 = 300;

const TOKEN: HeaderName = HeaderName::from_static(super::TOKEN);

/// What a request has to be given to be signed by the real pair.
pub struct Resigned {
    /// Headers, each to stand once, in the place of all that the request has by that name.
    pub set: Vec<(HeaderName, HeaderValue)>,
    /// Headers to take out.
    pub remove: Vec<HeaderName>,
    /// The query to send instead of the request's, of a presigned URL.
    pub query: Option<Zeroizing<String>>,
    /// The new signature, as it stands in the request: a derived value, which no response may show.
    pub signature: String,
    /// What the body is held to.
    pub body: Body,
}

/// What a body is held to.
pub enum Body {
    /// Nothing: it is not signed.
    Free,
    /// Its SHA-256; see [`super::BodyHash`].
    Hash([u8; 32]),
    /// Chunks, which are signed anew where they are signed.
    Chunks(Box<Chunks>),
}

impl Verified {
    /// The request signed by `real`, with the guest's own time, scope and signed headers. `request` is the request as it leaves: what other
    /// schemes have put into it is signed with it. The session token takes the placeholder's place, or is added and signed.
    ///
    /// # Errors
    /// Where the guest's time is too far from `now`, a presigned URL has expired, a signed header is gone, or the pair can't be sent.
    pub fn resign(&self, request: &Request<'_>, real: &KeyPair<'_>, now: SystemTime) -> Result<Resigned, Refused> {
        self.check_time(now)?;
        if !is_key_id(real.access_key_id) || !real.token.is_none_or(is_token) {
            return Err(Refused::RealPair);
        }
        let key = real.signing_key(&self.signed.scope);
        let (resigned, seed) = match self.signed.form {
            Form::Header => self.in_header(request, real, &key)?,
            Form::Query => self.in_query(request, real, &key)?,
        };
        Ok(Resigned { body: self.body(key, seed), ..resigned })
    }

    /// Whether a signature of that time is good at this one.
    ///
    /// # Errors
    /// Where it is not.
    pub fn check_time(&self, now: SystemTime) -> Result<(), Refused> {
        let age = self.signed.time.age(now);
        let skew = i64::try_from(MAX_SKEW).unwrap_or(i64::MAX);
        match self.signed.expires {
            _ if age < -skew => Err(Refused::Skewed),
            Some(expires) if age > i64::from(expires) => Err(Refused::Expired),
            None if age > skew => Err(Refused::Skewed),
            _ => Ok(()),
        }
    }

    fn in_header(&self, request: &Request<'_>, real: &KeyPair<'_>, key: &SigningKey) -> Result<(Resigned, Signature), Refused> {
        let mut headers = self.signed.headers.clone();
        // What the host does not send is not signed, such as a range of a response that has to be searched. Instructions of AWS always are.
        headers.retain(|name| *name == header::HOST || name.as_str().starts_with("x-amz-") || request.headers.contains_key(name));
        match real.token {
            // One that the guest left unsigned stays so: the service takes it so.
            Some(_) if self.signed.token.is_none() || self.token_signed => headers.add(TOKEN),
            Some(_) => {}
            None => headers.remove(super::TOKEN),
        }
        let signature = self.sign(request, key, &headers, None, real.token)?;
        let id = real.access_key_id;
        let (scope, digits) = (self.signed.scope.text(), signature.text());
        let mut line = Zeroizing::new(Vec::with_capacity(512));
        for part in [ALGORITHM, " Credential=", id, "/", scope, ", SignedHeaders="] {
            line.extend_from_slice(part.as_bytes());
        }
        headers.push(&mut line);
        for part in [", Signature=", &digits] {
            line.extend_from_slice(part.as_bytes());
        }
        let mut set = vec![(header::AUTHORIZATION, sensitive(&line)?)];
        let mut remove = Vec::new();
        match real.token {
            Some(token) => set.push((TOKEN, sensitive(token)?)),
            None => remove.push(TOKEN),
        }
        Ok((Resigned { set, remove, query: None, signature: digits, body: Body::Free }, signature))
    }

    fn in_query(&self, request: &Request<'_>, real: &KeyPair<'_>, key: &SigningKey) -> Result<(Resigned, Signature), Refused> {
        let credential = [real.access_key_id, "/", self.signed.scope.text()].concat();
        let credential = pair(presigned::CREDENTIAL, credential.as_bytes());
        let token = real.token.map(|token| pair(presigned::TOKEN, token));
        let without = self.rewritten(request, &credential, token.as_deref().map(String::as_str), None);
        let signature = self.sign(request, key, &self.signed.headers, Some(&without), None)?;
        let last = pair(presigned::SIGNATURE, signature.text().as_bytes());
        let query = self.rewritten(request, &credential, token.as_deref().map(String::as_str), Some(&last));
        let resigned = Resigned { set: Vec::new(), remove: Vec::new(), query: Some(query), signature: signature.text(), body: Body::Free };
        Ok((resigned, signature))
    }

    /// The query with other values in the places of credential, token and signature; a token that the guest had none of stands before the
    /// signature.
    fn rewritten(&self, request: &Request<'_>, credential: &str, token: Option<&str>, signature: Option<&str>) -> Zeroizing<String> {
        let query = request.query.unwrap_or("");
        let added = token.filter(|_| self.signed.token.is_none());
        let lengths = [credential.len(), token.map_or(0, str::len), signature.map_or(0, str::len)];
        // At its whole length at once, for it holds a token.
        let mut out = Zeroizing::new(String::with_capacity(query.len() + lengths.iter().sum::<usize>() + 8));
        let mut push = |pair: &str| {
            if !out.is_empty() {
                out.push('&');
            }
            out.push_str(pair);
        };
        for whole in query.split('&').filter(|whole| !whole.is_empty()) {
            match parameters(whole).next().map_or("", |(name, _)| name) {
                presigned::CREDENTIAL => push(credential),
                presigned::TOKEN => token.into_iter().for_each(&mut push),
                presigned::SIGNATURE => added.into_iter().chain(signature).for_each(&mut push),
                _ => push(whole),
            }
        }
        out
    }

    fn sign(
        &self,
        request: &Request<'_>,
        key: &SigningKey,
        headers: &SignedHeaders,
        query: Option<&str>,
        token: Option<&[u8]>,
    ) -> Result<Signature, Refused> {
        let unsigned: &[&str] = match (self.signed.form, self.signed.token.is_none() || self.token_signed) {
            (Form::Query, false) => &[presigned::TOKEN],
            _ => &[],
        };
        let payload = self.payload.text();
        let parts = Parts { style: self.signed.scope.path_style(), query, unsigned, signed: headers, token, payload: &payload };
        let canonical = canonical_request(request, &parts)?;
        Ok(key.sign(string_to_sign(&self.signed.time, &self.signed.scope, &canonical).as_bytes()))
    }

    /// Whether the body has to leave as it was signed.
    pub fn fixes_body(&self) -> bool {
        self.payload != Payload::Unsigned
    }

    fn body(&self, key: SigningKey, seed: Signature) -> Body {
        let Some(chunked) = &self.signed.chunked else {
            return match self.payload {
                Payload::Hash(hash) => Body::Hash(hash),
                _ => Body::Free,
            };
        };
        let keys = (self.payload != Payload::StreamingUnsignedTrailer).then(|| Keys {
            prefix: [self.signed.time.text(), self.signed.scope.text()].join("\n"),
            guest: (self.key.clone(), self.signed.signature),
            real: (key, seed),
        });
        Body::Chunks(Box::new(Chunks::new(keys, chunked.decoded_length, chunked.announced.clone())))
    }
}

/// `name=value`, encoded.
fn pair(name: &str, value: &[u8]) -> Zeroizing<String> {
    let value = Zeroizing::new(encoded(value));
    let mut pair = Zeroizing::new(String::with_capacity(name.len() + 1 + value.len()));
    pair.push_str(name);
    pair.push('=');
    pair.extend(value.iter().map(|byte| char::from(*byte)));
    pair
}

/// Whether it can stand in a header without being changed on its way.
fn is_token(token: &[u8]) -> bool {
    !token.is_empty() && token.iter().all(u8::is_ascii_graphic)
}

fn sensitive(value: &[u8]) -> Result<HeaderValue, Refused> {
    let mut value = HeaderValue::from_bytes(value).map_err(|_| Refused::RealPair)?;
    value.set_sensitive(true);
    Ok(value)
}
