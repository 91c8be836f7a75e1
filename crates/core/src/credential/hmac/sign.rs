//! What is signed of a request, piece by piece into a hash, so that a body is never copied; and how a signature is written.

use super::{HmacKey, Part, Refused, Request, Stamp, Stands, same_header};
use crate::manifest::HmacSpec;
use crate::manifest::hmac::{Encoding, Hash, Piece, Spot};
use crate::text::{hex, unhex};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderName;
use sha2::{Digest, Sha256, Sha512};
use zeroize::Zeroizing;

/// What is signed, of one request.
pub(super) struct Signed<'s> {
    spec: &'s HmacSpec,
    request: &'s Request<'s>,
    stands: &'s Stands,
}

impl HmacSpec {
    /// The signature of a request as it leaves, with the stamp in its places. One that is still there is no part of what is signed.
    ///
    /// # Errors
    /// Where the stamp is not there, or something that is signed stands twice or not at all.
    pub fn signature(&self, key: &HmacKey, request: &Request<'_>, stamp: &Stamp) -> Result<Zeroizing<String>, Refused> {
        let stands = self.stands(request)?;
        for (part, is_there, found, text) in [
            (Part::Timestamp, self.timestamp.is_some(), &stands.timestamp, &stamp.timestamp),
            (Part::Nonce, self.nonce.is_some(), &stands.nonce, &stamp.nonce),
        ] {
            if is_there && found.as_ref().map(|found| found.text.as_str()) != Some(text.as_deref().ok_or(Refused::Missing(part))?) {
                return Err(Refused::NotStamped(part));
            }
        }
        let signature = key.signature(&self.signed(request, &stands))?;
        Ok(self.encoding.encoded(&signature))
    }

    pub(super) fn signed<'s>(&'s self, request: &'s Request<'s>, stands: &'s Stands) -> Signed<'s> {
        Signed { spec: self, request, stands }
    }
}

impl Encoding {
    fn encoded(self, signature: &[u8]) -> Zeroizing<String> {
        Zeroizing::new(match self {
            Self::Hex => hex(signature),
            Self::Base64 => STANDARD.encode(signature),
        })
    }

    /// Hexadecimal digits may be of either case.
    pub(super) fn decoded(self, text: &str) -> Option<Vec<u8>> {
        match self {
            Self::Hex => unhex(text),
            Self::Base64 => STANDARD.decode(text).ok(),
        }
    }
}

impl Signed<'_> {
    /// Gives all of it to `take`, in order.
    pub(super) fn feed(&self, take: &mut dyn FnMut(&[u8])) -> Result<(), Refused> {
        self.pieces(&self.spec.input.0, take)
    }

    fn pieces(&self, pieces: &[Piece], take: &mut dyn FnMut(&[u8])) -> Result<(), Refused> {
        pieces.iter().try_for_each(|piece| self.piece(piece, take))
    }

    fn piece(&self, piece: &Piece, take: &mut dyn FnMut(&[u8])) -> Result<(), Refused> {
        match piece {
            Piece::Text(text) => take(text.as_bytes()),
            Piece::Method => take(self.request.method.as_bytes()),
            Piece::Path => take(self.request.path.as_bytes()),
            Piece::Host => take(self.request.host.as_bytes()),
            Piece::Query => self.query(b"", take),
            Piece::SortedQuery => {
                let mut pairs: Vec<&str> = self.parameters().collect();
                pairs.sort_by_key(|pair| pair.split('=').next());
                joined(pairs.into_iter(), take);
            }
            Piece::Target => {
                take(self.request.path.as_bytes());
                self.query(b"?", take);
            }
            Piece::Body => match self.signature_in(|place| matches!(place, Spot::Form(_))) {
                Some(name) => {
                    // It was found there, so it is text.
                    let form = std::str::from_utf8(self.request.body).map_err(|_| Refused::Body)?;
                    joined(without(form, name), take);
                }
                None => take(self.request.body),
            },
            Piece::Timestamp => take(text(&self.stands.timestamp, Part::Timestamp)?.as_bytes()),
            Piece::Nonce => take(text(&self.stands.nonce, Part::Nonce)?.as_bytes()),
            Piece::Header(name) => take(self.header(name)?),
            Piece::Digest { hash, raw, of } => self.digest(*hash, *raw, of, take)?,
        }
        Ok(())
    }

    /// The name of the parameter or field that is the signature, where it stands in such a place.
    fn signature_in(&self, is: impl Fn(&Spot) -> bool) -> Option<&str> {
        let found = self.stands.signature.as_ref().filter(|found| is(&found.place))?;
        match &found.place {
            Spot::Query(name) | Spot::Form(name) => Some(name),
            Spot::Header(_) | Spot::Json(_) => None,
        }
    }

    fn parameters(&self) -> impl Iterator<Item = &str> {
        let name = self.signature_in(|place| matches!(place, Spot::Query(_)));
        self.request
            .query
            .into_iter()
            .flat_map(move |query| query.split('&').filter(move |pair| name.is_none_or(|name| !is_named(pair, name))))
    }

    /// The query behind `mark`; nothing where there is none, or none without the signature.
    fn query(&self, mark: &[u8], take: &mut dyn FnMut(&[u8])) {
        let Some(query) = self.request.query else { return };
        if self.signature_in(|place| matches!(place, Spot::Query(_))).is_none() {
            take(mark);
            take(query.as_bytes());
        } else if self.parameters().next().is_some() {
            take(mark);
            joined(self.parameters(), take);
        }
    }

    fn header(&self, name: &HeaderName) -> Result<&[u8], Refused> {
        let mut lines = self.request.headers.iter().filter(|(known, _)| same_header(known, name));
        match (lines.next(), lines.next()) {
            (Some((known, value)), None) if known == name => Ok(value.as_bytes()),
            _ => Err(Refused::Header(name.clone())),
        }
    }

    fn digest(&self, hash: Hash, raw: bool, of: &[Piece], take: &mut dyn FnMut(&[u8])) -> Result<(), Refused> {
        let mut put = |digest: &[u8]| if raw { take(digest) } else { take(hex(digest).as_bytes()) };
        match hash {
            Hash::Sha256 => {
                let mut digest = Sha256::new();
                self.pieces(of, &mut |bytes| digest.update(bytes))?;
                put(&digest.finalize());
            }
            Hash::Sha512 => {
                let mut digest = Sha512::new();
                self.pieces(of, &mut |bytes| digest.update(bytes))?;
                put(&digest.finalize());
            }
        }
        Ok(())
    }
}

fn text(found: &Option<super::Found>, part: Part) -> Result<&str, Refused> {
    found.as_ref().map(|found| found.text.as_str()).ok_or(Refused::Missing(part))
}

fn is_named(pair: &str, name: &str) -> bool {
    pair.split('=').next() == Some(name)
}

/// The pairs of a query or a form without the one of that name.
fn without<'t>(text: &'t str, name: &'t str) -> impl Iterator<Item = &'t str> {
    text.split('&').filter(move |pair| !is_named(pair, name))
}

fn joined<'t>(pairs: impl Iterator<Item = &'t str>, take: &mut dyn FnMut(&[u8])) {
    for (at, pair) in pairs.enumerate() {
        if at > 0 {
            take(b"&");
        }
        take(pair.as_bytes());
    }
}
