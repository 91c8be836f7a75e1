//! The signature in a query: a presigned URL.

use super::canonical::SignedHeaders;
use super::encode::{decoded, parameters};
use super::key::Signature;
use super::{ALGORITHM, Payload, Refused, Stamp};

/// The longest time that a presigned URL may be good for, in seconds: seven days.
pub(super) const MAX_EXPIRES: u32 = 604_800;

pub(super) const CREDENTIAL: &str = "X-Amz-Credential";
pub(super) const SIGNATURE: &str = "X-Amz-Signature";
pub(super) const TOKEN: &str = "X-Amz-Security-Token";

/// The parameters that a signature consists of. By the first four it is recognised; the last two need not be there.
const NAMES: [&str; 8] =
    ["X-Amz-Algorithm", CREDENTIAL, "X-Amz-SignedHeaders", SIGNATURE, "X-Amz-Date", "X-Amz-Expires", TOKEN, "X-Amz-Content-Sha256"];

/// What of a query belongs to a signature.
pub(super) struct Found<'q> {
    /// By their places in `NAMES`, as they stand in the query.
    values: [Option<&'q str>; NAMES.len()],
    first: Option<Refused>,
    version2: bool,
}

/// What a presigned URL says.
pub(super) struct Presigned {
    pub credential: String,
    pub signed: SignedHeaders,
    pub signature: Signature,
    pub time: Stamp,
    /// In seconds from that time.
    pub expires: u32,
    pub token: Option<Vec<u8>>,
    pub payload: Option<Payload>,
}

impl<'q> Found<'q> {
    /// Looks for what belongs to a signature, however it is disguised: names are compared decoded and without their case.
    pub(super) fn in_query(query: &'q str) -> Self {
        let mut found = Self { values: [None; NAMES.len()], first: None, version2: false };
        let (mut id, mut signature) = (false, false);
        for (raw, value) in parameters(query) {
            let name = decoded(raw);
            id |= name == b"AWSAccessKeyId";
            signature |= name == b"Signature";
            let Some(place) = NAMES.iter().position(|known| name.eq_ignore_ascii_case(known.as_bytes())) else { continue };
            let wrong = if found.values[place].replace(value).is_some() {
                Some(Refused::Repeated(NAMES[place]))
            } else {
                (raw != NAMES[place]).then_some(Refused::Spelling(NAMES[place]))
            };
            found.first = found.first.take().or(wrong);
        }
        found.version2 = id && signature;
        found
    }

    /// Whether any of it is there, which a request that is signed in its header may not have.
    pub(super) fn is_any(&self) -> bool {
        self.version2 || self.values.iter().any(Option::is_some)
    }

    /// Whether the query is, or is meant to be, signed.
    pub(super) fn is_signed(&self) -> bool {
        self.version2 || self.values[..4].iter().any(Option::is_some)
    }

    pub(super) fn read(self) -> Result<Presigned, Refused> {
        if self.version2 {
            return Err(Refused::Version2);
        }
        if let Some(wrong) = self.first {
            return Err(wrong);
        }
        let value = |place: usize| self.values[place].map(decoded);
        let text = |place: usize| {
            let value = value(place).ok_or(Refused::Missing(NAMES[place]))?;
            String::from_utf8(value).map_err(|_| Refused::Spelling(NAMES[place]))
        };
        match text(0)?.as_str() {
            ALGORITHM => {}
            "AWS4-ECDSA-P256-SHA256" => return Err(Refused::Version4a),
            _ => return Err(Refused::Algorithm),
        }
        let payload = match self.values[7] {
            Some(_) => Some(Payload::read(&text(7)?)?),
            None => None,
        };
        Ok(Presigned {
            credential: text(1)?,
            signed: SignedHeaders::read(&text(2)?)?,
            signature: Signature::read(&text(3)?)?,
            time: Stamp::read(&text(4)?).ok_or(Refused::Time)?,
            expires: expires(&text(5)?).ok_or(Refused::Expires)?,
            token: value(6),
            payload,
        })
    }
}

/// Seconds, as a decimal number without sign or leading zeros.
fn expires(text: &str) -> Option<u32> {
    let right = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    right.then(|| text.parse().ok()).flatten().filter(|seconds| (1..=MAX_EXPIRES).contains(seconds))
}
