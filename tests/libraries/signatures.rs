//! What servers make of the signatures that arrive: each is made once more with the real key, as the API's documents say and by none of the
//! host's code.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use ring::signature::{ED25519, UnparsedPublicKey};
use sha2::{Digest, Sha256, Sha512};
use strongroom_demo::server::Seen;
use strongroom_tests::aws::KeyPair;

/// Whether a request to an API is signed by the real key; `value` has the values of the API's secrets.
///
/// # Errors
/// What is wrong with it.
pub fn judge(api: &str, seen: &Seen, value: impl Fn(&str) -> String) -> Result<(), String> {
    let (query, body) = (seen.target.split_once('?').map_or("", |(_, query)| query), String::from_utf8_lossy(&seen.body));
    let of = |name: &str| seen.header(name).to_owned();
    let (found, made) = match api {
        "binance" => {
            let signed = if body.is_empty() { query } else { &*body };
            let (signed, signature) = signed.rsplit_once("&signature=").unwrap_or_default();
            (signature.to_owned(), hex(&mac256(&value("BINANCE_SECRET"), signed)))
        }
        "bybit" => {
            let text = format!("{}{}{}{query}{body}", of("x-bapi-timestamp"), of("x-bapi-api-key"), of("x-bapi-recv-window"));
            (of("x-bapi-sign"), hex(&mac256(&value("BYBIT_SECRET"), &text)))
        }
        "okx" => {
            let text = format!("{}{}{}{body}", of("ok-access-timestamp"), seen.method, seen.target);
            (of("ok-access-sign"), STANDARD.encode(mac256(&value("OKX_SECRET"), &text)))
        }
        "kraken" => {
            let nonce = body.split('&').find_map(|pair| pair.strip_prefix("nonce=")).unwrap_or_default();
            let mut mac = Hmac::<Sha512>::new_from_slice(&STANDARD.decode(value("KRAKEN_SECRET")).unwrap()).unwrap();
            mac.update(seen.path().as_bytes());
            mac.update(&Sha256::digest(format!("{nonce}{body}")));
            (of("api-sign"), STANDARD.encode(mac.finalize().into_bytes()))
        }
        "coinbase" => return token(seen, &STANDARD.decode(value("COINBASE_PRIVATE_KEY")).unwrap()[32..]),
        "s3" => {
            let pair = KeyPair { access_key_id: value("AWS_ACCESS_KEY_ID"), secret: value("AWS_SECRET_ACCESS_KEY"), token: None };
            return pair.signed(seen);
        }
        api => return Err(format!("nobody knows how {api} verifies")),
    };
    if found == made { Ok(()) } else { Err(format!("signed `{found}`, the real key makes `{made}`")) }
}

/// A token of this request, by the pair of this public key.
fn token(seen: &Seen, key: &[u8]) -> Result<(), String> {
    let token = seen.header("authorization").strip_prefix("Bearer ").ok_or("no bearer token")?;
    let (signed, signature) = token.rsplit_once('.').ok_or("no token")?;
    let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|error| error.to_string());
    let verified = UnparsedPublicKey::new(&ED25519, key).verify(signed.as_bytes(), &decoded(signature)?);
    verified.map_err(|_| "the token is not signed by the real key")?;
    let claims: serde_json::Value = serde_json::from_slice(&decoded(signed.split('.').nth(1).unwrap_or_default())?).unwrap();
    let request = format!("{} {}{}", seen.method, seen.host, seen.path());
    if claims["uri"] == request { Ok(()) } else { Err(format!("the token is for {}, not {request}", claims["uri"])) }
}

fn mac256(key: &str, text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
