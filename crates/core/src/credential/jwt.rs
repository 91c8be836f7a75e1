//! The scheme `jwt` at work: a token for one request (RFC 7519), signed with the secret as its key. Pure but for the randomness of ECDSA: time
//! and nonce are given.
//!
//! An agent has its placeholder where the token goes, or a token that its client library has signed with the placeholder as a key of Ed25519
//! ([`JwtKey::of_placeholder`]). Either way the host puts a token of its own there, whose claims are the manifest's: nothing of an agent's is
//! passed on. A placeholder can't be a key of P-256: those are PEM, with a public half that would have to belong to it.

use super::hmac::{Request, leaving, lenient, of_seed};
use crate::credential::{Applied, Draft, Outgoing, Target, Unfit, Values};
use crate::jose::{compact, pem};
use crate::manifest::RequestJwt;
use crate::manifest::jwt::UriClaim;
use crate::text::hex;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey,
};
use serde::Serialize;
use serde_json::{Map, Value};
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;
use zeroize::Zeroizing;

/// Bytes of a seed of Ed25519.
const SEED: usize = 32;

/// A key of the scheme `jwt`.
pub struct JwtKey(Kind);

enum Kind {
    Es256(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
    Rs256(Box<RsaKeyPair>),
}

impl JwtKey {
    /// Reads a secret's value: a key of P-256, Ed25519 or RSA in PEM (SEC 1, PKCS#8 or PKCS#1), or the base64 of a seed of Ed25519, with its
    /// public half or without.
    ///
    /// # Errors
    /// What is wrong with it, without a part of it.
    pub fn read(value: &[u8]) -> Result<Self, String> {
        if memchr::memmem::find(value, b"-----BEGIN").is_none() {
            let bytes = lenient(value).ok_or("it is neither a private key in PEM nor a key of Ed25519 in base64")?;
            return of_seed(&bytes).map(Kind::EdDsa).map(Self);
        }
        let key = pem::private_key(value)?;
        let broken = |_| "its key is broken, or lacks its public half; `openssl pkey -in KEY.pem -out NEW.pem` writes it anew".to_owned();
        match key.algorithm {
            pem::Algorithm::P256 => {
                let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &key.der, &SystemRandom::new());
                pair.map(Kind::Es256).map(Self).map_err(broken)
            }
            pem::Algorithm::Ed25519 => Ed25519KeyPair::from_pkcs8_maybe_unchecked(&key.der).map(Kind::EdDsa).map(Self).map_err(broken),
            pem::Algorithm::Rsa => {
                let pair = if key.is_pkcs1 { RsaKeyPair::from_der(&key.der) } else { RsaKeyPair::from_pkcs8(&key.der) };
                let wrong = |why| format!("its RSA key can't be used ({why}); a sound one of 2,048 to 4,096 bits is needed");
                pair.map(|pair| Self(Kind::Rs256(Box::new(pair)))).map_err(wrong)
            }
            _ => Err("it is a private key of another algorithm; one of P-256, Ed25519 or RSA is needed".to_owned()),
        }
    }

    /// Reads a placeholder as a library does that takes base64 of a seed and a public half, and looks at the seed alone.
    ///
    /// # Errors
    /// Where no library could sign with it: its shape does not suit the scheme.
    pub fn of_placeholder(placeholder: &str) -> Result<Self, String> {
        let decoded = lenient(placeholder.as_bytes());
        let seed = decoded.as_ref().and_then(|bytes| bytes.get(..SEED));
        let pair = seed.and_then(|seed| Ed25519KeyPair::from_seed_unchecked(seed).ok());
        pair.map(Kind::EdDsa).map(Self).ok_or_else(|| "the placeholder is not the base64 of at least 32 bytes".to_owned())
    }

    fn algorithm(&self) -> &'static str {
        match self.0 {
            Kind::Es256(_) => "ES256",
            Kind::EdDsa(_) => "EdDSA",
            Kind::Rs256(_) => "RS256",
        }
    }

    /// The public half.
    #[cfg(test)]
    pub(super) fn public(&self) -> Vec<u8> {
        match &self.0 {
            Kind::Es256(pair) => pair.public_key().as_ref().to_vec(),
            Kind::EdDsa(pair) => pair.public_key().as_ref().to_vec(),
            Kind::Rs256(pair) => pair.public().as_ref().to_vec(),
        }
    }

    /// A compact token of these claims, with the name of the key where it has one.
    ///
    /// # Errors
    /// Where the key can't sign.
    pub(super) fn compact(&self, key_id: Option<&str>, claims: &Map<String, Value>) -> Result<Zeroizing<String>, String> {
        let mut header = Map::new();
        let pairs = [("alg", Some(self.algorithm())), ("typ", Some("JWT")), ("kid", key_id)];
        header.extend(pairs.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into()))));
        compact(&header, claims, |input| self.sign(input)).map(Zeroizing::new)
    }

    fn sign(&self, input: &[u8]) -> Result<Vec<u8>, String> {
        match &self.0 {
            Kind::Es256(pair) => {
                let signature = pair.sign(&SystemRandom::new(), input).map_err(|_| "the key can't sign".to_owned())?;
                Ok(signature.as_ref().to_vec())
            }
            Kind::EdDsa(pair) => Ok(pair.sign(input).as_ref().to_vec()),
            Kind::Rs256(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                let signed = pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), input, &mut signature);
                signed.map(|()| signature).map_err(|_| "the key can't sign".to_owned())
            }
        }
    }

    /// Whether a compact token was signed with this key, which is a placeholder's. Its claims are not looked at: none of them is passed on.
    #[must_use]
    pub fn has_signed(&self, token: &str) -> bool {
        let Kind::EdDsa(pair) = &self.0 else { return false };
        let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).ok();
        let Some((input, signature)) = token.rsplit_once('.') else { return false };
        let header = input.split_once('.').and_then(|(header, _)| serde_json::from_slice::<Value>(&decoded(header)?).ok());
        let is_ours = header.is_some_and(|header| header["alg"].as_str().is_some_and(|alg| alg.eq_ignore_ascii_case(self.algorithm())));
        let key = UnparsedPublicKey::new(&ED25519, pair.public_key());
        is_ours && decoded(signature).is_some_and(|signature| key.verify(input.as_bytes(), &signature).is_ok())
    }
}

impl RequestJwt {
    /// The token for a request, made `now`. The nonce is random, and used once.
    ///
    /// # Errors
    /// Where the key can't sign.
    pub fn token(&self, key: &JwtKey, request: &Request<'_>, now: SystemTime, nonce: [u8; 16]) -> Result<Zeroizing<String>, String> {
        let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let header = Header { alg: key.algorithm(), typ: "JWT", kid: &self.key_id, nonce: &hex(&nonce) };
        let uri = [request.method, " ", request.host, request.path].concat();
        let (uri, uris) = match self.uri {
            UriClaim::Uri => (Some(uri.as_str()), None),
            UriClaim::Uris => (None, Some([uri.as_str()])),
        };
        let (exp, aud) = (now.saturating_add(self.lifetime.as_secs()), self.audience.as_slice());
        let claims = Claims { iss: &self.issuer, sub: &self.key_id, nbf: now, exp, aud, uri, uris };
        compact(&header, &claims, |input| key.sign(input)).map(Zeroizing::new)
    }
}

/// The header of a token for a request. It is written as it stands here: to make a map first takes as long as all else but the signature.
#[derive(Serialize)]
struct Header<'t> {
    alg: &'static str,
    typ: &'static str,
    kid: &'t str,
    nonce: &'t str,
}

/// Its claims.
#[derive(Serialize)]
struct Claims<'t> {
    iss: &'t str,
    sub: &'t str,
    nbf: u64,
    exp: u64,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    aud: &'t [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    uri: Option<&'t str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uris: Option<[&'t str; 1]>,
}

/// A request that a token will be made for.
#[derive(Debug)]
pub struct Minted {
    spec: Arc<RequestJwt>,
    target: Target,
}

impl Minted {
    pub(crate) fn new(spec: &Arc<RequestJwt>, target: Target) -> Self {
        Self { spec: Arc::clone(spec), target }
    }

    /// Whether a text is a token that the placeholder has signed.
    pub(crate) fn is_of(placeholder: &str, text: &str) -> bool {
        JwtKey::of_placeholder(placeholder).is_ok_and(|key| key.has_signed(text))
    }

    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    pub(crate) fn apply(&self, values: &Values<'_>, draft: &mut Draft, outgoing: &Outgoing<'_>) -> Result<Applied, Unfit> {
        let key = values.prepared.jwt(values.value).map_err(|_| Unfit)?;
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce).map_err(|_| Unfit)?;
        let token = self.spec.token(&key, &leaving(draft, outgoing), outgoing.time, nonce).map_err(|_| Unfit)?;
        self.target.apply(token.as_bytes(), draft).ok_or(Unfit)?;
        Ok(Applied { derived: Some(token), ..Applied::default() })
    }
}

impl fmt::Debug for JwtKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JwtKey([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::jwt::Preset;
    use http::HeaderMap;
    use ring::signature::ECDSA_P256_SHA256_FIXED;
    use serde_json::json;
    use std::time::Duration;

    /// SEC 1, as Coinbase hands its keys out, and PKCS#8.
    const PEMS: [&str; 2] = ["sec1-p256-after-its-parameters.pem", "apple-p8-control.pem"];

    fn read(file: &str) -> Vec<u8> {
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/field/jwt").join(file);
        std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    }

    fn decoded(part: &str) -> Vec<u8> {
        URL_SAFE_NO_PAD.decode(part).expect("base64")
    }

    #[test]
    fn a_key_of_p256_signs_in_both_forms_of_its_pem() {
        let headers = HeaderMap::new();
        let (method, host, path) = ("GET", "api.coinbase.com", "/api/v3/brokerage/accounts");
        let request = Request { method, host, path, query: Some("limit=1"), headers: &headers, body: b"" };
        let spec = Preset::named("coinbase-cdp").expect("a preset").spec("organizations/o/apiKeys/k");
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_764_453_600);
        for pem in PEMS {
            let key = JwtKey::read(&read(pem)).expect("a key");
            let token = spec.token(&key, &request, now, [0xab; 16]).expect("a token");
            let parts: Vec<&str> = token.split('.').collect();
            let [header, claims] = [0, 1].map(|at: usize| serde_json::from_slice::<Value>(&decoded(parts[at])).expect("JSON"));

            let nonce = "ab".repeat(16);
            assert_eq!(header, json!({ "alg": "ES256", "typ": "JWT", "kid": "organizations/o/apiKeys/k", "nonce": nonce }));
            assert_eq!(
                claims,
                json!({
                    "iss": "cdp", "sub": "organizations/o/apiKeys/k", "nbf": 1_764_453_600, "exp": 1_764_453_720,
                    "uri": "GET api.coinbase.com/api/v3/brokerage/accounts",
                })
            );
            let Kind::Es256(pair) = &key.0 else { panic!("another kind") };
            let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, pair.public_key());
            let input = token.rsplit_once('.').expect("a signature").0;
            assert!(public.verify(input.as_bytes(), &decoded(parts[2])).is_ok());
            assert!(!key.has_signed(&token), "no placeholder is a key of P-256");
        }
    }

    #[test]
    fn what_is_no_token_of_the_placeholder_is_told_from_one() {
        let key = JwtKey::of_placeholder(&"aB3".repeat(30)[..88]).expect("a key");
        let input = |header: &str| format!("{}.e30", URL_SAFE_NO_PAD.encode(header));
        let token = |input: &str| format!("{input}.{}", URL_SAFE_NO_PAD.encode(key.sign(input.as_bytes()).expect("a signature")));
        let good = token(&input("{\"alg\":\"EdDSA\"}"));
        assert!(key.has_signed(&good));
        let changed = good.replace(".e30.", ".e3x.");
        let cut = &good[..good.len() - 4];
        for bad in [
            "",
            ".",
            "..",
            "a.b.c",
            &changed,
            cut,
            &token(&input("{\"alg\":\"none\"}")),
            &token(&input("{\"alg\":\"HS256\"}")),
            &token(&input("{}")),
            &token("e30"),
            &format!("{good}."),
        ] {
            assert!(!key.has_signed(bad), "{bad}");
        }
        for odd in ["sr_0123456789abcdefghijklmnopqrstuv", "", "aGVsbG8="] {
            assert!(JwtKey::of_placeholder(odd).is_err(), "{odd}");
            assert!(JwtKey::read(odd.as_bytes()).is_err(), "{odd}");
        }
    }
}
