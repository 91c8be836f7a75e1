//! A request that says it is signed, read strictly.

use super::authorization::{self, Authorization, single};
use super::canonical::SignedHeaders;
use super::key::Signature;
use super::presigned::{Found, Presigned};
use super::trailer::Announced;
use super::{Payload, Refused, Request, Scope, Stamp, TOKEN};

/// Where a signature stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// In `Authorization`.
    Header,
    /// In the query: a presigned URL.
    Query,
}

/// What a request says of its signature; nothing of it is verified yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    pub(super) form: Form,
    pub(super) access_key_id: String,
    pub(super) scope: Scope,
    pub(super) time: Stamp,
    /// Of a presigned URL: in seconds from that time.
    pub(super) expires: Option<u32>,
    pub(super) headers: SignedHeaders,
    pub(super) signature: Signature,
    pub(super) token: Option<Vec<u8>>,
    pub(super) payload: Option<Payload>,
    pub(super) chunked: Option<Chunked>,
}

/// What the head says of a body in chunks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chunked {
    pub decoded_length: u64,
    pub announced: Announced,
}

/// Headers `x-amz-*` that a presigned URL leaves unsigned, since SDKs add them on the way out: they change nothing of what is asked for.
const HARMLESS: [&str; 2] = ["x-amz-user-agent", "x-amz-checksum-mode"];

impl Signed {
    /// The signature of a request, if it has one. A form with a policy (`POST` of S3 from browsers) has its signature in the body and is none.
    ///
    /// # Errors
    /// Where what is there is not exactly one signature of this version, well formed.
    pub fn read(request: &Request<'_>) -> Option<Result<Self, Refused>> {
        let found = Found::in_query(request.query.unwrap_or(""));
        match authorization::find(request.headers) {
            Some(Ok(_)) if found.is_any() => Some(Err(Refused::TwoForms)),
            Some(Ok(parameters)) => Some(Self::of_header(parameters, request)),
            Some(Err(refused)) => Some(Err(refused)),
            None if !found.is_signed() => None,
            None if request.headers.contains_key(http::header::AUTHORIZATION) => Some(Err(Refused::TwoForms)),
            None => Some(found.read().and_then(|presigned| Self::of_query(presigned, request))),
        }
    }

    fn of_header(parameters: &str, request: &Request<'_>) -> Result<Self, Refused> {
        let Authorization { credential, signed, signature } = Authorization::read(parameters)?;
        let (id, scope) = Scope::read(credential)?;
        let time = authorization::time(request.headers, &signed)?;
        let payload = authorization::payload(request.headers)?;
        let token = single(request.headers, TOKEN)?.map(|token| token.as_bytes().to_vec());
        let (access_key_id, form) = (id.to_owned(), Form::Header);
        let signed = Self { form, access_key_id, scope, time, expires: None, headers: signed, signature, token, payload, chunked: None };
        signed.checked(request)
    }

    fn of_query(presigned: Presigned, request: &Request<'_>) -> Result<Self, Refused> {
        let (id, scope) = Scope::read(&presigned.credential)?;
        // Each of these would be a second word on what the query says.
        if let Some(name) = ["x-amz-date", TOKEN].into_iter().find(|name| request.headers.contains_key(*name)) {
            return Err(Refused::BesideQuery(name));
        }
        let payload = match (authorization::payload(request.headers)?, presigned.payload) {
            (Some(_), Some(_)) => return Err(Refused::BesideQuery(Payload::HEADER)),
            (header, parameter) => header.or(parameter).or(scope.is_s3().then_some(Payload::Unsigned)),
        };
        // Chunks go on from a signature in a header.
        if payload.is_some_and(|payload| payload.is_chunked()) {
            return Err(Refused::Payload);
        }
        let signed = Self {
            form: Form::Query,
            access_key_id: id.to_owned(),
            scope,
            time: presigned.time,
            expires: Some(presigned.expires),
            headers: presigned.signed,
            signature: presigned.signature,
            token: presigned.token,
            payload,
            chunked: None,
        };
        signed.checked(request)
    }

    /// What holds in both forms.
    fn checked(mut self, request: &Request<'_>) -> Result<Self, Refused> {
        if self.scope.date() != self.time.date() {
            return Err(Refused::OtherDate);
        }
        if request.headers.contains_key("x-amz-s3session-token") {
            return Err(Refused::ExpressSession);
        }
        let missing = |name: &&http::HeaderName| name.as_str() != "host" && !request.headers.contains_key(*name);
        if let Some(name) = self.headers.iter().find(missing) {
            return Err(Refused::NoSuchHeader(name.as_str().to_owned()));
        }
        // What services take for an instruction is signed; S3 refuses the rest too. Some services have the token added after signing.
        let is_left = |name: &str| name == TOKEN || (self.form == Form::Query && HARMLESS.contains(&name));
        let unsigned = |name: &&http::HeaderName| {
            name.as_str().starts_with("x-amz-") && !self.headers.contains(name.as_str()) && !is_left(name.as_str())
        };
        if let Some(name) = request.headers.keys().find(unsigned) {
            return Err(Refused::NotSigned(name.as_str().to_owned()));
        }
        let announced = Announced::read(request.headers, self.payload.is_some_and(|payload| payload.has_trailers()))?;
        if self.payload.is_some_and(|payload| payload.is_chunked()) {
            let length = single(request.headers, "x-amz-decoded-content-length")?.and_then(length).ok_or(Refused::NoDecodedLength)?;
            self.chunked = Some(Chunked { decoded_length: length, announced });
        }
        Ok(self)
    }

    /// Where it stands.
    pub fn form(&self) -> Form {
        self.form
    }

    /// Whose it says it is: the placeholder, if the guest's SDK was set up with it.
    pub fn access_key_id(&self) -> &str {
        &self.access_key_id
    }

    /// The session token that it brings, which [`Self::verify`] lets be nothing but the placeholder.
    pub fn token(&self) -> Option<&[u8]> {
        self.token.as_deref()
    }

    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    pub fn time(&self) -> &Stamp {
        &self.time
    }

    /// What is signed of the body. Where the request doesn't say, it is the SHA-256 of all of it, which [`Self::verify`] has to be given.
    pub fn payload(&self) -> Option<Payload> {
        self.payload
    }
}

fn length(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}
