//! Keys that sign. What a key is made of is read here, from a value or by a signer, and nothing of it leaves: a key signs against a permit.

#[cfg(test)]
mod field;
mod identity;
mod jose;
mod keystore;
mod local;
mod signer;
mod solana;
#[cfg(test)]
mod tests;

pub use identity::{Identity, is_wallet_key, of_secret, written};
pub use local::{FIRST_ACCOUNT, address_of_local, fresh};
pub use signer::{Answer, Outcome, PublicKey, SignRequest, Signature, Signer, SignerBackend, SignerError, Ticket};

use crate::ethereum::signature::address_of;
use crate::policy::{MacPermit, Reveal, SignPermit, TokenPermit};
use crate::value::SecretValue;
use alloy_primitives::Address;
use jose::{TokenKey, symmetric_id};
use local::Local;
use solana::Solana;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Least bytes of an HMAC's key: 128 bits.
const MIN_HMAC: usize = 16;

/// What is said of a symmetric key that is written as a wallet's is: which of the two it is can't be told.
const MAY_BE_A_WALLETS: &str = "64 hexadecimal digits, a keystore or a phrase can't be told from the key of a wallet, which serves nothing else; take a key in base64, as `openssl rand -base64 32` makes one";

/// A key, or the way to it.
pub struct Key(Kind);

enum Kind {
    /// Signs transactions, messages and digests.
    Signer { signer: Arc<dyn Signer>, public: PublicKey, address: Option<Address> },
    /// Signs tokens.
    Token(TokenKey),
    /// Authenticates inputs.
    Mac(Zeroizing<Vec<u8>>),
}

/// A permit that asks a key for what it does not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WrongKind;

impl Key {
    /// The key that a backend of signers keeps.
    ///
    /// # Errors
    /// [`SignerError`], which says why it is unavailable.
    pub async fn kept(backend: &dyn SignerBackend, key: &str, agent: &str) -> Result<Self, SignerError> {
        let signer = backend.open(key, agent).await?;
        let public = signer.public_key().await?;
        Ok(Self::of(signer, public))
    }

    /// A wallet's key: digits, a V3 keystore or a BIP-39 phrase. The passphrase opens a keystore, or belongs to a phrase; the path leads from
    /// a phrase to the account. A keystore takes a second of work.
    ///
    /// # Errors
    /// What is wrong with it, without a part of it.
    pub fn wallet(value: &SecretValue, passphrase: Option<&SecretValue>, path: &str) -> Result<Self, String> {
        let local = Local::read(value, passphrase, path)?;
        let public = PublicKey::Secp256k1(*local.key().verifying_key());
        Ok(Self::of(Arc::new(local), public))
    }

    /// A key of Solana's: the command line's list of 64 numbers, or the seed in hexadecimal digits.
    ///
    /// # Errors
    /// What is wrong with it, without a part of it.
    pub fn solana(value: &SecretValue) -> Result<Self, String> {
        let key = Solana::read(value.reveal(Reveal::to_sign()))?;
        let public = key.public();
        Ok(Self::of(Arc::new(key), public))
    }

    /// A key that signs tokens: PKCS#8, PKCS#1 or SEC 1 in PEM, a JWK (RFC 7517), or else the bytes of a symmetric key.
    ///
    /// # Errors
    /// What is wrong with it, without a part of it.
    pub fn token(value: &SecretValue) -> Result<Self, String> {
        TokenKey::read(value).map(Kind::Token).map(Self)
    }

    /// A key of HMAC-SHA-256: its bytes as they are.
    ///
    /// # Errors
    /// What is wrong with it, without a part of it.
    pub fn mac(value: &SecretValue) -> Result<Self, String> {
        let bytes = value.reveal(Reveal::to_sign());
        if local::is_wallet_key(bytes) {
            return Err(MAY_BE_A_WALLETS.to_owned());
        }
        if bytes.starts_with(b"AWS4") || bytes.len() < MIN_HMAC {
            return Err(format!(
                "it begins with `AWS4`, as keys do that others are derived from, or has fewer than {MIN_HMAC} bytes; take another key"
            ));
        }
        Ok(Self(Kind::Mac(bytes.to_vec().into())))
    }

    fn of(signer: Arc<dyn Signer>, public: PublicKey) -> Self {
        let address = match &public {
            PublicKey::Secp256k1(key) => Some(address_of(key)),
            PublicKey::Account(address) => Some(*address),
            PublicKey::Ed25519(_) => None,
        };
        Self(Kind::Signer { signer, public, address })
    }

    /// The account of a key of secp256k1 that signs for one.
    pub fn address(&self) -> Option<Address> {
        if let Kind::Signer { address, .. } = &self.0 { *address } else { None }
    }

    /// Whether it signs messages with Ed25519.
    pub fn is_ed25519(&self) -> bool {
        matches!(&self.0, Kind::Signer { public: PublicKey::Ed25519(_), .. })
    }

    /// Whether it authenticates inputs.
    pub fn is_mac(&self) -> bool {
        matches!(self.0, Kind::Mac(_))
    }

    /// The algorithm of its tokens (RFC 7518), if it signs any.
    pub fn algorithm(&self) -> Option<&'static str> {
        if let Kind::Token(key) = &self.0 { Some(key.algorithm()) } else { None }
    }

    /// Whether it signs for an account with a key that is held in this process.
    pub fn is_hot(&self) -> bool {
        matches!(&self.0, Kind::Signer { signer, address: Some(_), .. } if signer.is_hot())
    }

    /// Whether it signs in this process, at once.
    pub fn is_here(&self) -> bool {
        if let Kind::Signer { signer, .. } = &self.0 { signer.is_hot() } else { true }
    }

    /// What the ledger knows it by: its public half, or where that is not known its account, or where it has none a hash of it.
    pub fn id(&self) -> Vec<u8> {
        match &self.0 {
            Kind::Signer { public: PublicKey::Secp256k1(key), .. } => key.to_encoded_point(true).as_bytes().to_vec(),
            Kind::Signer { public: PublicKey::Ed25519(key), .. } => [b"ed25519:", &key[..]].concat(),
            Kind::Signer { public: PublicKey::Account(address), .. } => [b"account:", &address[..]].concat(),
            Kind::Token(key) => key.id(),
            Kind::Mac(key) => symmetric_id(key),
        }
    }

    /// What tells it from others, for people.
    pub fn shown(&self) -> String {
        match &self.0 {
            Kind::Signer { address: Some(address), .. } => address.to_string(),
            Kind::Signer { .. } => bs58::encode(self.public_key()).into_string(),
            Kind::Token(key) => {
                let id = key.id();
                format!("{} {}", key.algorithm(), crate::text::hex(&id[id.len().saturating_sub(4)..]))
            }
            Kind::Mac(key) => {
                let id = symmetric_id(key);
                String::from_utf8_lossy(&id[..13.min(id.len())]).into_owned()
            }
        }
    }

    /// The public half: SEC 1 uncompressed, or the 32 bytes of Ed25519. Nothing of a key of tokens or MACs, or where only the account is known.
    pub fn public_key(&self) -> Vec<u8> {
        match &self.0 {
            Kind::Signer { public: PublicKey::Secp256k1(key), .. } => key.to_encoded_point(false).as_bytes().to_vec(),
            Kind::Signer { public: PublicKey::Ed25519(key), .. } => key.to_vec(),
            Kind::Signer { public: PublicKey::Account(_), .. } | Kind::Token(_) | Kind::Mac(_) => Vec::new(),
        }
    }

    /// Signs what was permitted, as that agent has asked for it, under its idempotency key if it has one.
    ///
    /// # Errors
    /// [`SignerError`].
    pub async fn sign(&self, permit: SignPermit, agent: &str, idempotency: Option<&str>) -> Result<Outcome, SignerError> {
        match &self.0 {
            Kind::Signer { signer, public, .. } => signer::sign(&**signer, public, &permit, agent, idempotency).await,
            Kind::Token(_) | Kind::Mac(_) => Err(SignerError::Refused("this key can't sign this kind of input".to_owned())),
        }
    }

    /// The compact token (RFC 7515) that was permitted; `None` where the key could not make it.
    ///
    /// # Errors
    /// [`WrongKind`].
    pub fn sign_token(&self, permit: TokenPermit) -> Result<Option<String>, WrongKind> {
        if let Kind::Token(key) = &self.0 { Ok(key.token(&permit).ok()) } else { Err(WrongKind) }
    }

    /// The HMAC-SHA-256 (RFC 2104) of the input that was permitted.
    ///
    /// # Errors
    /// [`WrongKind`].
    pub fn authenticate(&self, permit: MacPermit) -> Result<[u8; 32], WrongKind> {
        if let Kind::Mac(key) = &self.0 { Ok(jose::authenticate(key, permit)) } else { Err(WrongKind) }
    }
}
