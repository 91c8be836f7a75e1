//! What tokens and their keys look like, whoever signs: compact JWS (RFC 7515, 7.1), and private keys in PEM. Nothing here decides whether
//! something is signed; that takes a permit where a key is named by a signer, and a grant where it is a secret's scheme.

pub(crate) mod pem;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

/// Characters of the signatures of most algorithms, with the dot before them.
const OF_SIGNATURE: usize = 1 + 86;

/// The compact token of a header and claims, signed by `sign`.
pub(crate) fn compact(
    header: &impl Serialize,
    claims: &impl Serialize,
    sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, String>,
) -> Result<String, String> {
    let (header, claims) = (json(header)?, json(claims)?);
    let mut token = String::with_capacity((header.len() + claims.len() + 2) * 4 / 3 + 2 + OF_SIGNATURE);
    URL_SAFE_NO_PAD.encode_string(header, &mut token);
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(claims, &mut token);
    let signature = sign(token.as_bytes())?;
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    Ok(token)
}

fn json(part: &impl Serialize) -> Result<Vec<u8>, String> {
    serde_json::to_vec(part).map_err(|error| error.to_string())
}
