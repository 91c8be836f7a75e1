//! What tokens and their keys look like, whoever signs: compact JWS (RFC 7515, 7.1), and private keys in PEM. Nothing here decides whether
//! something is signed; that takes a permit where a key is named by a signer, and a grant where it is a secret's scheme.

pub(crate) mod pem;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

/// The compact token of a header and claims, signed by `sign`.
pub(crate) fn compact(
    header: &Map<String, Value>,
    claims: &Map<String, Value>,
    sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, String>,
) -> Result<String, String> {
    let part =
        |part: &Map<String, Value>| serde_json::to_vec(part).map(|text| URL_SAFE_NO_PAD.encode(text)).map_err(|error| error.to_string());
    let input = format!("{}.{}", part(header)?, part(claims)?);
    let signature = sign(input.as_bytes())?;
    Ok(format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature)))
}
