//! How a secret becomes a request's credential. A grant says by which scheme; a scheme goes through three phases:
//!
//! 1. *prepare*: what is to be filled in is fetched. It may wait, so the host does it (`egress::prepare`).
//! 2. *apply* ([`Scheme::apply`]): the request is filled, as it leaves.
//! 3. *challenge* ([`Scheme::challenge`]): whether the response asks for the request once more. Whether it may be repeated is not the scheme's
//!    to say (`policy::Attempt`).

mod checksums;
mod draft;
mod edit;
mod fields;
mod form;
pub mod hmac;
mod json;
pub mod jwt;
#[cfg(any(test, feature = "test-util"))]
mod nonce;
pub mod oauth2;
mod prepared;
pub mod sigv4;
mod template;

pub(crate) use checksums::unknown as unknown_checksum;
pub use checksums::{has_checksum, renew as renew_checksums};
pub use draft::Draft;
pub use fields::MOST_HELD;
pub(crate) use fields::{Fields, Held, Kind};
pub use prepared::Prepared;
pub use template::Target;
pub(crate) use template::{Part, around, cookies, is_free, part, single};

use crate::manifest::{PathPlace, Place};
use crate::url::CanonicalUrl;
use http::{HeaderMap, HeaderName, Method, StatusCode};
use std::time::SystemTime;
use zeroize::Zeroizing;

/// How one credential is made, and where it goes.
#[derive(Debug)]
#[non_exhaustive]
pub enum Scheme {
    /// The value itself, in its place.
    Template(Target),
    /// A signature of the request, as exchanges want it.
    Hmac(Box<hmac::Hmac>),
    /// A token that is made for the request.
    Jwt(Box<jwt::Minted>),
    /// AWS Signature Version 4.
    SigV4(Box<sigv4::SigV4>),
    /// An access token in its place. A server that says it is over gets another, once.
    Bearer(Target),
    /// For tests: the value in its place, and a nonce of the server's where it asks for one.
    #[cfg(any(test, feature = "test-util"))]
    Nonce(nonce::Nonce),
}

/// A request as an agent wrote it, in which places are looked for.
pub(crate) struct Seen<'r> {
    pub(crate) headers: &'r HeaderMap,
    pub(crate) url: &'r CanonicalUrl,
    pub(crate) fields: Fields<'r>,
}

/// What of a request a scheme may look at beside its draft.
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'r> {
    pub method: &'r Method,
    /// As `Host` has it.
    pub authority: &'r str,
    /// The body as it leaves, where all of it is known before the head has left: what a digest or a signature of it is made of.
    pub body: Option<&'r [u8]>,
    pub time: SystemTime,
}

/// What a credential is made of.
#[derive(Clone, Copy)]
pub struct Values<'v> {
    /// The secret's value.
    pub value: &'v [u8],
    /// Those of the secrets that belong to it, in the order of [`Substitution::with`](crate::policy::Substitution).
    pub others: &'v [&'v [u8]],
    /// A number that was never used with it, where the scheme asks for one.
    pub number: Option<u64>,
    /// What was read of the value before.
    pub prepared: &'v Prepared,
}

/// What came of a scheme beside the request.
#[derive(Default)]
pub struct Applied {
    /// What it has put into the request that is not the value itself: a signature, a token. Coming back, it is scrubbed as the value is.
    pub derived: Option<Zeroizing<String>>,
    /// What the body is held to as it leaves.
    pub body: Option<sigv4::Body>,
}

/// The value can't stand in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unfit;

impl Scheme {
    /// The scheme of a call of the host's own, which nobody else has written.
    pub fn of(place: &Place) -> Self {
        Self::Template(Target::of(place))
    }

    /// The one place that it fills, where it fills one.
    pub(crate) fn target(&self) -> Option<&Target> {
        match self {
            Self::Template(target) | Self::Bearer(target) => Some(target),
            Self::Hmac(hmac) => Some(hmac.target()),
            Self::Jwt(jwt) => Some(jwt.target()),
            Self::SigV4(_) => None,
            #[cfg(any(test, feature = "test-util"))]
            Self::Nonce(nonce) => Some(nonce.target()),
        }
    }

    /// Whether what stands in that place is the host's.
    pub(crate) fn fills(&self, place: &Target) -> bool {
        self.target().is_some_and(|target| target.same_place(place))
    }

    pub(crate) fn is_header(&self, name: &HeaderName) -> bool {
        match self {
            Self::SigV4(signed) => signed.is_header(name),
            _ => self.target().is_some_and(|target| target.is_header(name)),
        }
    }

    pub(crate) fn is_parameter(&self, name: &str) -> bool {
        match self {
            Self::SigV4(signed) => signed.is_parameter(name),
            _ => self.target().is_some_and(|target| target.is_parameter(name)),
        }
    }

    /// The segment of the path that it fills, where it fills one.
    pub(crate) fn segment(&self) -> Option<&PathPlace> {
        self.target().and_then(Target::segment)
    }

    /// Whether it fills a place in the body.
    pub(crate) fn fills_body(&self) -> bool {
        self.target().is_some_and(Target::is_field)
    }

    /// Puts the credential into a request.
    ///
    /// # Errors
    /// Where the value can't stand there.
    pub fn apply(&self, values: &Values<'_>, draft: &mut Draft, outgoing: &Outgoing<'_>) -> Result<Applied, Unfit> {
        let filled = match self {
            Self::Template(target) | Self::Bearer(target) => target.apply(values.value, draft),
            Self::Hmac(hmac) => return hmac.apply(values, draft, outgoing),
            Self::Jwt(jwt) => return jwt.apply(values, draft, outgoing),
            Self::SigV4(signed) => return signed.apply(values, draft, outgoing),
            #[cfg(any(test, feature = "test-util"))]
            Self::Nonce(nonce) => nonce.apply(values.value, draft, outgoing),
        };
        filled.map(|()| Applied::default()).ok_or(Unfit)
    }

    /// When its turn is among those of one request: what signs a request comes after what is signed.
    pub(crate) fn turn(&self) -> u8 {
        u8::from(matches!(self, Self::Hmac(_) | Self::SigV4(_)))
    }

    /// The least number that the request may have, where it has one of its own.
    pub fn least_number(&self, now: SystemTime) -> Option<u64> {
        if let Self::Hmac(hmac) = self { hmac.least_number(now) } else { None }
    }

    /// Whether the request says when it was made, by the host's clock.
    pub(crate) fn is_timed(&self) -> bool {
        matches!(self, Self::Hmac(_) | Self::Jwt(_))
    }

    /// Whether the body is written or read as the request leaves, so that all of it has to be at hand.
    pub(crate) fn holds_body(&self) -> bool {
        matches!(self, Self::Hmac(_)) || self.fills_body()
    }

    /// Whether the body has to leave as the agent wrote it.
    pub(crate) fn fixes_body(&self) -> bool {
        matches!(self, Self::SigV4(signed) if signed.fixes_body())
    }

    /// Whether what it puts into requests is a token that can be had anew.
    pub fn is_token(&self) -> bool {
        matches!(self, Self::Bearer(_))
    }

    /// Whether some answer may ask for one more try. Where none may, nothing of a request is kept for one.
    pub fn may_challenge(&self) -> bool {
        match self {
            Self::Template(_) | Self::Hmac(_) | Self::Jwt(_) | Self::SigV4(_) => false,
            Self::Bearer(_) => true,
            #[cfg(any(test, feature = "test-util"))]
            Self::Nonce(_) => true,
        }
    }

    /// The scheme as one more try would have it, where the answer asks for one.
    pub fn challenge(&self, status: StatusCode, headers: &HeaderMap) -> Option<Self> {
        let _ = headers;
        match self {
            Self::Template(_) | Self::Hmac(_) | Self::Jwt(_) | Self::SigV4(_) => None,
            // RFC 6750, 3.1. Whether there is another token is the host's to find out.
            Self::Bearer(target) => (status == StatusCode::UNAUTHORIZED).then(|| Self::Bearer(target.clone())),
            #[cfg(any(test, feature = "test-util"))]
            Self::Nonce(nonce) => nonce.challenge(status, headers).map(Self::Nonce),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_answer_has_a_template_sent_again() {
        let scheme = Scheme::of(&Place::parse("header:authorization").expect("a place"));
        let mut headers = HeaderMap::new();
        headers.insert(http::header::WWW_AUTHENTICATE, "Bearer error=\"invalid_token\"".parse().expect("a header"));

        assert!(!scheme.may_challenge());
        for status in [StatusCode::UNAUTHORIZED, StatusCode::PAYMENT_REQUIRED, StatusCode::PROXY_AUTHENTICATION_REQUIRED] {
            assert!(scheme.challenge(status, &headers).is_none(), "{status}");
        }
    }
}
