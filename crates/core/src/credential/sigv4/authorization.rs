//! The signature in a header: `Authorization: AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…`.

use super::canonical::SignedHeaders;
use super::key::Signature;
use super::{ALGORITHM, Payload, Refused, Stamp};
use http::{HeaderMap, header};

/// What the header says.
pub(super) struct Authorization<'a> {
    pub credential: &'a str,
    pub signed: SignedHeaders,
    pub signature: Signature,
}

/// The header with a signature of AWS's, of whatever version.
///
/// # Errors
/// Where it is not the only one, or not of this version.
pub(super) fn find(headers: &HeaderMap) -> Option<Result<&str, Refused>> {
    let lines = headers.get_all(header::AUTHORIZATION);
    let line = lines.iter().find(|line| is_aws(line.as_bytes()))?;
    if lines.iter().count() > 1 {
        return Some(Err(Refused::SeveralAuthorizations));
    }
    let Ok(text) = line.to_str() else { return Some(Err(Refused::Parameters)) };
    let text = text.trim_matches([' ', '\t']);
    Some(match text.split_once([' ', '\t']).unwrap_or((text, "")) {
        (ALGORITHM, parameters) => Ok(parameters),
        ("AWS", _) => Err(Refused::Version2),
        ("AWS4-ECDSA-P256-SHA256", _) => Err(Refused::Version4a),
        _ => Err(Refused::Algorithm),
    })
}

/// Whether it is meant as a signature of AWS's: `AWS`, `AWS3…` or `AWS4…`, in any case.
fn is_aws(line: &[u8]) -> bool {
    let line = line.trim_ascii_start();
    let rest = line.get(..3).filter(|name| name.eq_ignore_ascii_case(b"aws")).map(|_| &line[3..]);
    rest.is_some_and(|rest| matches!(rest.first(), None | Some(b' ' | b'\t' | b'3' | b'4')))
}

impl<'a> Authorization<'a> {
    /// Reads what stands after the algorithm. SDKs write the comma with and without a blank after it.
    pub(super) fn read(parameters: &'a str) -> Result<Self, Refused> {
        const NAMES: [&str; 3] = ["Credential", "SignedHeaders", "Signature"];
        let mut found: [Option<&str>; 3] = [None; 3];
        for parameter in parameters.split(',') {
            let (name, value) = parameter.trim_matches(' ').split_once('=').ok_or(Refused::Parameters)?;
            let place = NAMES.iter().position(|known| *known == name).ok_or(Refused::Parameters)?;
            if found[place].replace(value).is_some() {
                return Err(Refused::Repeated(NAMES[place]));
            }
        }
        let [credential, signed, signature] = found;
        let credential = credential.ok_or(Refused::Missing(NAMES[0]))?;
        let signed = SignedHeaders::read(signed.ok_or(Refused::Missing(NAMES[1]))?)?;
        let signature = Signature::read(signature.ok_or(Refused::Missing(NAMES[2]))?)?;
        Ok(Self { credential, signed, signature })
    }
}

/// The time of a request that is signed in a header: `x-amz-date`, or else `Date`.
pub(super) fn time(headers: &HeaderMap, signed: &SignedHeaders) -> Result<Stamp, Refused> {
    if let Some(text) = single(headers, "x-amz-date")? {
        return Stamp::read(text).ok_or(Refused::Time);
    }
    let text = single(headers, "date")?.ok_or(Refused::Missing("x-amz-date"))?;
    if !signed.contains("date") {
        return Err(Refused::NotSigned("date".to_owned()));
    }
    Stamp::read_date(text).ok_or(Refused::Time)
}

/// What `x-amz-content-sha256` says of the body.
pub(super) fn payload(headers: &HeaderMap) -> Result<Option<Payload>, Refused> {
    single(headers, Payload::HEADER)?.map(Payload::read).transpose()
}

/// The value of a header that may stand once, without blanks around it.
pub(super) fn single<'h>(headers: &'h HeaderMap, name: &'static str) -> Result<Option<&'h str>, Refused> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Refused::Repeated(name));
    }
    value.to_str().map(|value| Some(value.trim_matches(' '))).map_err(|_| Refused::Spelling(name))
}
