//! The scheme `hmac` at work: what a request is signed with, whether what an agent has signed with its placeholder holds, and what the host
//! writes in its place. Pure: time, numbers and keys are given.
//!
//! An agent's client library signs with the placeholder as its key, as it would with the value. The host shows by the placeholder that the
//! request is what the library made (`HmacSpec::verify`), then writes a time and a number of its own (`HmacSpec::plan`) and signs anew
//! (`HmacSpec::signature`). A request without a signature is signed the same way, where a grant says that the host adds it
//! (`HmacSpec::stands`). Of signature, time and nonce each stands once and under one name, as [`crate::url`] compares names: what a server
//! could read in two ways is refused.

mod key;
mod scheme;
mod sign;
mod stamp;
mod stands;
#[cfg(test)]
mod tests;

pub use crate::manifest::hmac::Spot;
pub use key::HmacKey;
pub(super) use key::{lenient, of_seed};
pub use scheme::Hmac;
pub(super) use scheme::leaving;
pub use stamp::{Edit, Plan, Stamp};
pub use stands::{Found, Stands, Verified};

use http::{HeaderMap, HeaderName};
use std::fmt;

/// A request as far as it may be signed: as it came from the agent, or as it leaves. It does not print: values may stand in it.
#[derive(Clone, Copy)]
pub struct Request<'r> {
    /// Upper-case.
    pub method: &'r str,
    /// As `Host` has it.
    pub host: &'r str,
    /// As it is sent.
    pub path: &'r str,
    /// As it is sent, without `?`.
    pub query: Option<&'r str>,
    /// Its headers.
    pub headers: &'r HeaderMap,
    /// All of its body.
    pub body: &'r [u8],
}

/// What the scheme writes into a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Part {
    /// The signature.
    Signature,
    /// The time.
    Timestamp,
    /// The number.
    Nonce,
}

/// Why a request is not signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// It stands in two places, twice in one, or under a name that servers may take for its own.
    #[error("the request has more than one {0}, or one under a name that some servers read as the same")]
    Twice(Part),
    /// It is not there.
    #[error("the request has no {0}")]
    Missing(Part),
    /// It is empty, or not what the scheme writes there.
    #[error("the {0} is empty, or not in the form that the scheme has")]
    Malformed(Part),
    /// None of its places is in this request, as a field of a form is not where the body is none.
    #[error("the request has no place for the {0}: a form field needs a form, a JSON field a JSON body")]
    NoPlace(Part),
    /// What stands there is not what the host was to write.
    #[error("the {0} in the request is not the one that the host has set")]
    NotStamped(Part),
    /// The agent's clock is wrong, or the request is an old one.
    #[error("the request's time differs from the host's clock by more than 5 minutes")]
    Skew,
    /// The signature is not the placeholder's, or not one of this request.
    #[error("the signature doesn't match; it must be made with the placeholder as the key, over the request as it is sent")]
    Wrong,
    /// A header that is signed.
    #[error("the signed header `{0}` must be in the request exactly once")]
    Header(HeaderName),
    /// The body, in which something of the scheme may stand, is neither a form nor a JSON document, by its type or by its bytes; or it is coded.
    #[error("the body must be a form or JSON in UTF-8, with its `content-type` and without a `content-encoding`")]
    Body,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Signature => "signature",
            Self::Timestamp => "timestamp",
            Self::Nonce => "nonce",
        })
    }
}

/// Whether servers may take two names of headers for one.
fn same_header(a: &HeaderName, b: &HeaderName) -> bool {
    crate::url::names::same_header(a.as_str(), b.as_str())
}
