//! Tokens (RFC 7519) as compact JWS (RFC 7515). Which algorithm signs is the key's to say, never the agent's.

use super::local::is_wallet_key;
use crate::jose::pem::{self, Algorithm};
use crate::policy::{MacPermit, Reveal, TokenPermit};
use crate::text::hex;
use crate::value::SecretValue;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use k256::ecdsa::SigningKey;
use k256::ecdsa::signature::Signer as _;
use k256::pkcs8::DecodePrivateKey;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::Value;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// Least bytes of a symmetric key (RFC 7518, 3.2).
const MIN_SYMMETRIC: usize = 32;

/// A key that signs tokens.
pub enum TokenKey {
    /// RFC 8812.
    Es256k(SigningKey),
    Es256(EcdsaKeyPair),
    /// RFC 8037.
    EdDsa(Ed25519KeyPair),
    Rs256(Box<RsaKeyPair>),
    Hs256(Zeroizing<Vec<u8>>),
}

impl TokenKey {
    /// Reads a key: PKCS#8, PKCS#1 or SEC 1 in PEM, a JWK (RFC 7517), or else the bytes of a symmetric key.
    ///
    /// # Errors
    /// What is wrong with it, without a part of it.
    pub(super) fn read(value: &SecretValue) -> Result<Self, String> {
        let bytes = value.reveal(Reveal::to_sign());
        if is_wallet_key(bytes) {
            return Err(super::MAY_BE_A_WALLETS.to_owned());
        }
        let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
        if bytes.trim_ascii_start().starts_with(b"{") {
            return jwk(bytes);
        }
        // Text may stand before the key (RFC 7468, 2).
        if memchr::memmem::find(bytes, b"-----BEGIN").is_some() {
            return pem(bytes);
        }
        if let Some(why) = pem::disguised(bytes) {
            return Err(why);
        }
        symmetric(bytes.to_vec().into())
    }

    pub(super) fn algorithm(&self) -> &'static str {
        match self {
            Self::Es256k(_) => "ES256K",
            Self::Es256(_) => "ES256",
            Self::EdDsa(_) => "EdDSA",
            Self::Rs256(_) => "RS256",
            Self::Hs256(_) => "HS256",
        }
    }

    /// What tells the key from others: its public half, where it has one. A key of secp256k1 has the same here as it has as a wallet.
    pub(super) fn id(&self) -> Vec<u8> {
        let named = |name: &str, bytes: &[u8]| [name.as_bytes(), Sha256::digest(bytes).as_slice()].concat();
        match self {
            Self::Es256k(key) => key.verifying_key().to_encoded_point(true).as_bytes().to_vec(),
            Self::Es256(key) => named("p256:", key.public_key().as_ref()),
            Self::EdDsa(key) => ed25519_id(key),
            Self::Rs256(key) => named("rsa:", key.public_key().as_ref()),
            Self::Hs256(key) => symmetric_id(key),
        }
    }

    /// The compact token of a header and claims.
    pub(super) fn token(&self, permit: &TokenPermit) -> Result<String, String> {
        crate::jose::compact(permit.header(), permit.claims(), |input| self.sign(input))
    }

    /// The same over any input, for the standards' own examples.
    #[cfg(test)]
    pub(super) fn sign_example(&self, input: &[u8]) -> Result<Vec<u8>, String> {
        self.sign(input)
    }

    /// A signature by the key's algorithm (RFC 7518).
    fn sign(&self, input: &[u8]) -> Result<Vec<u8>, String> {
        let failed = |_| "the key can't sign".to_owned();
        match self {
            Self::Es256k(key) => {
                let signature: k256::ecdsa::Signature = key.sign(input);
                Ok(signature.to_vec())
            }
            Self::Es256(key) => Ok(key.sign(&SystemRandom::new(), input).map_err(failed)?.as_ref().to_vec()),
            Self::EdDsa(key) => Ok(key.sign(input).as_ref().to_vec()),
            Self::Rs256(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), input, &mut signature).map_err(failed)?;
                Ok(signature)
            }
            Self::Hs256(key) => Ok(hmac(key, input).to_vec()),
        }
    }
}

/// The HMAC of a permitted input.
pub(super) fn authenticate(key: &[u8], permit: MacPermit) -> [u8; 32] {
    hmac(key, permit.input().as_bytes())
}

/// The same of any input, for the standards' own examples.
#[cfg(test)]
pub(super) fn authenticate_example(key: &[u8], input: &[u8]) -> [u8; 32] {
    hmac(key, input)
}

/// HMAC-SHA-256 (RFC 2104).
fn hmac(key: &[u8], input: &[u8]) -> [u8; 32] {
    let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(input);
    mac.finalize().into_bytes().into()
}

/// What tells a key of ed25519 from others: the same for tokens and for messages.
pub(super) fn ed25519_id(key: &Ed25519KeyPair) -> Vec<u8> {
    [b"ed25519:", key.public_key().as_ref()].concat()
}

/// What tells a symmetric key from others. It can't be turned back into the key, which has 128 bits or more.
pub(super) fn symmetric_id(key: &[u8]) -> Vec<u8> {
    format!("hmac:{}", hex(&hmac(key, b"strongroom key id"))).into_bytes()
}

fn symmetric(key: Zeroizing<Vec<u8>>) -> Result<TokenKey, String> {
    match key.len() >= MIN_SYMMETRIC {
        true => Ok(TokenKey::Hs256(key)),
        false => Err(format!("a symmetric key has at least {MIN_SYMMETRIC} bytes (RFC 7518, 3.2)")),
    }
}

fn pem(bytes: &[u8]) -> Result<TokenKey, String> {
    let key = pem::private_key(bytes)?;
    let broken = |what: &str| {
        format!("its key of {what} is broken, or lacks its public half; `openssl pkey -in KEY.pem -out NEW.pem` writes it anew")
    };
    match key.algorithm {
        Algorithm::Rsa => {
            let pair = if key.is_pkcs1 { RsaKeyPair::from_der(&key.der) } else { RsaKeyPair::from_pkcs8(&key.der) };
            let wrong = |why| format!("its RSA key can't be used ({why}); a sound one of 2,048 to 4,096 bits is needed");
            pair.map(|pair| TokenKey::Rs256(Box::new(pair))).map_err(wrong)
        }
        Algorithm::P256 => {
            let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &key.der, &SystemRandom::new());
            pair.map(TokenKey::Es256).map_err(|_| broken("P-256"))
        }
        Algorithm::Ed25519 => Ed25519KeyPair::from_pkcs8_maybe_unchecked(&key.der).map(TokenKey::EdDsa).map_err(|_| broken("Ed25519")),
        Algorithm::Secp256k1 => SigningKey::from_pkcs8_der(&key.der).map(TokenKey::Es256k).map_err(|_| broken("secp256k1")),
        Algorithm::Other(what) => {
            Err(format!("it is a private key of {what}, and tokens are signed with keys of RSA, P-256, Ed25519 or secp256k1"))
        }
    }
}

fn jwk(bytes: &[u8]) -> Result<TokenKey, String> {
    let wrong = || "it is not a private JWK of RSA, P-256, Ed25519, secp256k1 or `oct`".to_owned();
    let json: Value = serde_json::from_slice(bytes).map_err(|_| wrong())?;
    if let Some(field) = pem::field_of(&json) {
        return Err(format!(
            "it is a whole JSON document that holds a key; name its field: add `{field}` to `from` (a variable has no fields: put the key there alone)"
        ));
    }
    let field = |name: &str| {
        let decoded = json[name].as_str().and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
        decoded.map(Zeroizing::new).ok_or_else(wrong)
    };
    let key = match (json["kty"].as_str(), json["crv"].as_str()) {
        (Some("oct"), _) => symmetric(field("k")?),
        (Some("EC"), Some("secp256k1")) => {
            let d = <[u8; 32]>::try_from(field("d")?.as_slice()).map(Zeroizing::new).map_err(|_| wrong())?;
            let key = SigningKey::from_slice(&*d).map_err(|_| wrong())?;
            let point = [&[4][..], &field("x")?, &field("y")?].concat();
            match key.verifying_key().to_encoded_point(false).as_bytes() == point {
                true => Ok(TokenKey::Es256k(key)),
                false => Err("its public half belongs to another key".to_owned()),
            }
        }
        (Some("EC"), Some("P-256")) => {
            let point = [&[4][..], &field("x")?, &field("y")?].concat();
            let key =
                EcdsaKeyPair::from_private_key_and_public_key(&ECDSA_P256_SHA256_FIXED_SIGNING, &field("d")?, &point, &SystemRandom::new());
            key.map(TokenKey::Es256).map_err(|_| wrong())
        }
        (Some("OKP"), Some("Ed25519")) => {
            Ed25519KeyPair::from_seed_and_public_key(&field("d")?, &field("x")?).map(TokenKey::EdDsa).map_err(|_| wrong())
        }
        (Some("RSA"), _) => {
            let [n, e, d, p, q, dp, dq, qi] = ["n", "e", "d", "p", "q", "dp", "dq", "qi"].map(field);
            let (n, e, d, p, q, dp, dq, qi) = (n?, e?, d?, p?, q?, dp?, dq?, qi?);
            let public_key = ring::rsa::PublicKeyComponents { n: n.as_slice(), e: e.as_slice() };
            let components = ring::rsa::KeyPairComponents {
                public_key,
                d: d.as_slice(),
                p: p.as_slice(),
                q: q.as_slice(),
                dP: dp.as_slice(),
                dQ: dq.as_slice(),
                qInv: qi.as_slice(),
            };
            RsaKeyPair::from_components(&components).map(|key| TokenKey::Rs256(Box::new(key))).map_err(|_| wrong())
        }
        _ => Err(wrong()),
    }?;
    // What a JWK says of its own use binds (RFC 7517, 4.2 and 4.4).
    let other = json.get("alg").is_some_and(|alg| alg != key.algorithm()) || json.get("use").is_some_and(|purpose| purpose != "sig");
    if other { Err(format!("its JWK is not meant for signing with {}", key.algorithm())) } else { Ok(key) }
}
