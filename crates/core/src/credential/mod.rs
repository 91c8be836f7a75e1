//! How a secret becomes a request's credential. A grant says by which scheme; a scheme goes through three phases:
//!
//! 1. *prepare*: what is to be filled in is fetched. It may wait, so the host does it (`egress::prepare`).
//! 2. *apply* ([`Scheme::apply`]): the head is filled, as the request leaves.
//! 3. *challenge* ([`Scheme::challenge`]): whether the response asks for the request once more. Whether it may be repeated is not the scheme's
//!    to say (`policy::Attempt`).

mod head;
pub mod hmac;
pub mod jwt;
#[cfg(any(test, feature = "test-util"))]
mod nonce;
mod template;

pub use head::Head;
pub use template::Target;
pub(crate) use template::{Part, around, part, single};

use crate::manifest::Place;
use http::{HeaderMap, Method, StatusCode};
use std::time::SystemTime;

/// How one credential is made, and where it goes.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scheme {
    /// The value itself, in its place.
    Template(Target),
    /// For tests: the value in its place, and a nonce of the server's where it asks for one.
    #[cfg(any(test, feature = "test-util"))]
    Nonce(nonce::Nonce),
}

/// What of a request a scheme may look at beside its head.
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'r> {
    pub method: &'r Method,
    /// As `Host` has it.
    pub authority: &'r str,
    /// The body as it leaves, where all of it is known before the head has left: what a digest or a signature of it is made of.
    pub body: Option<&'r [u8]>,
    pub time: SystemTime,
}

/// The value can't stand in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unfit;

impl Scheme {
    /// The scheme of a call of the host's own, which nobody else has written.
    pub fn of(place: &Place) -> Self {
        Self::Template(Target::of(place))
    }

    /// Where the agent has its placeholder.
    pub fn target(&self) -> &Target {
        match self {
            Self::Template(target) => target,
            #[cfg(any(test, feature = "test-util"))]
            Self::Nonce(nonce) => nonce.target(),
        }
    }

    /// The head with the credential in it.
    ///
    /// # Errors
    /// Where the value can't stand there.
    pub fn apply(&self, value: &[u8], mut head: Head, outgoing: &Outgoing<'_>) -> Result<Head, Unfit> {
        // Of the request a template looks at nothing but the head.
        let _ = outgoing;
        let filled = match self {
            Self::Template(target) => target.apply(value, &mut head),
            #[cfg(any(test, feature = "test-util"))]
            Self::Nonce(nonce) => nonce.apply(value, &mut head, outgoing),
        };
        filled.map(|()| head).ok_or(Unfit)
    }

    /// Whether some answer may ask for one more try. Where none may, nothing of a request is kept for one.
    pub fn may_challenge(&self) -> bool {
        match self {
            Self::Template(_) => false,
            #[cfg(any(test, feature = "test-util"))]
            Self::Nonce(_) => true,
        }
    }

    /// The scheme as one more try would have it, where the answer asks for one.
    pub fn challenge(&self, status: StatusCode, headers: &HeaderMap) -> Option<Self> {
        let _ = (status, headers);
        match self {
            Self::Template(_) => None,
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
            assert_eq!(scheme.challenge(status, &headers), None, "{status}");
        }
    }
}
