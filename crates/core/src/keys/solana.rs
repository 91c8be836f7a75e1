//! A key of Solana's in this process: Ed25519 (RFC 8032) over messages as they are.

use super::signer::{Answer, PublicKey, SignRequest, Signature, Signer, SignerError};
use async_trait::async_trait;
use ring::signature::{Ed25519KeyPair, KeyPair};
use zeroize::Zeroizing;

/// A key that signs in this process.
pub(super) struct Solana(Ed25519KeyPair);

impl Solana {
    /// Reads a key: the command line's list of 64 numbers, or the seed in hexadecimal digits.
    ///
    /// # Errors
    /// That it is neither.
    pub(super) fn read(value: &[u8]) -> Result<Self, String> {
        let wrong = || "it is neither the list of 64 numbers of a Solana key file, nor a seed of 64 hexadecimal digits".to_owned();
        let text = std::str::from_utf8(value).map_err(|_| wrong())?.trim();
        if text.starts_with('[') {
            let bytes: Zeroizing<Vec<u8>> = serde_json::from_str(text).map(Zeroizing::new).map_err(|_| wrong())?;
            let (seed, public) = bytes.split_at_checked(32).ok_or_else(wrong)?;
            return Ed25519KeyPair::from_seed_and_public_key(seed, public).map(Self).map_err(|_| wrong());
        }
        let seed = Zeroizing::new(crate::text::unhex(text.strip_prefix("0x").unwrap_or(text)).ok_or_else(wrong)?);
        Ed25519KeyPair::from_seed_unchecked(&seed).map(Self).map_err(|_| wrong())
    }

    pub(super) fn public(&self) -> PublicKey {
        PublicKey::Ed25519(self.0.public_key().as_ref().try_into().expect("a public key has 32 bytes"))
    }
}

#[async_trait]
impl Signer for Solana {
    async fn public_key(&self) -> Result<PublicKey, SignerError> {
        Ok(self.public())
    }

    async fn sign(&self, request: &SignRequest<'_>) -> Result<Answer, SignerError> {
        let message = request.message().ok_or_else(|| SignerError::Refused("this key signs nothing but messages".to_owned()))?;
        let signature = self.0.sign(message).as_ref().try_into().expect("a signature has 64 bytes");
        Ok(Answer::Signed(Signature::Ed25519(signature)))
    }

    fn is_hot(&self) -> bool {
        true
    }
}
