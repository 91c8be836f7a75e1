//! The scheme `sigv4`: AWS Signature Version 4, of a request that an ordinary AWS SDK has signed with a placeholder key pair. Its signature is
//! verified against that pair ([`Signed::read`], [`Signed::verify`]), and only then is the request signed anew with the real one
//! ([`Verified::resign`]): what leaves is signed by the real key if the guest's own library meant exactly this request, and nothing else is.
//!
//! Guarantees: a request has one signature or is refused; what a service of AWS takes for an instruction (`x-amz-*`) is signed; scope, signed
//! headers, time and payload stay the guest's; a body is held to what the signature says of it ([`BodyHash`], [`Chunks`]) and is never
//! completed otherwise. Nothing here does I/O or reads a clock.
//!
//! The standard is the vendor's: *AWS Signature Version 4 for API requests* in the IAM User Guide, and for S3 *Authenticating Requests (AWS
//! Signature Version 4)* with *Transferring Payload in Multiple Chunks* and *Including Trailing Headers* in its API Reference.

mod authorization;
mod body;
mod canonical;
mod chunks;
mod encode;
mod frame;
mod key;
mod payload;
mod presigned;
mod refused;
mod resign;
mod scheme;
mod scope;
mod signed;
mod stamp;
#[cfg(test)]
mod tests;
mod trailer;
mod verify;

pub use body::BodyHash;
pub use chunks::{Chunks, MAX_CHUNK};
pub(super) use key::SigningKey;
pub use payload::Payload;
pub use refused::Refused;
pub use resign::{Body, Resigned};
pub(crate) use scheme::Placeholders;
pub use scheme::SigV4;
pub use scope::Scope;
pub use signed::{Form, Signed};
pub use stamp::Stamp;
pub use verify::Verified;

use super::Prepared;
use http::HeaderMap;

/// What of a request a signature is about, as it is sent: nothing is decoded or normalised.
#[derive(Clone, Copy)]
pub struct Request<'r> {
    pub method: &'r str,
    /// As `Host` has it.
    pub host: &'r str,
    pub path: &'r str,
    pub query: Option<&'r str>,
    /// Without `Host`.
    pub headers: &'r HeaderMap,
}

/// A pair of keys, with the token of a session: what signs.
#[derive(Clone, Copy)]
pub struct KeyPair<'k> {
    pub access_key_id: &'k str,
    pub secret: &'k [u8],
    pub token: Option<&'k [u8]>,
    /// Where the keys are kept that are derived of the secret; without, they are derived for each signature.
    pub prepared: Option<&'k Prepared>,
}

impl KeyPair<'_> {
    fn signing_key(&self, scope: &Scope) -> SigningKey {
        match self.prepared {
            Some(prepared) => prepared.sigv4(self.secret, scope),
            None => SigningKey::derive(self.secret, scope),
        }
    }
}

/// The name of the algorithm, as signatures and texts to sign have it.
const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// How every scope ends.
const TERMINATOR: &str = "aws4_request";
const TOKEN: &str = "x-amz-security-token";
