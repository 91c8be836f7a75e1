//! The seam between what is decided and what holds the key: a [`Signer`] signs 32 bytes and nothing else. Whether they may be signed has been
//! decided before, and whether the signature is one is checked after, here, for every kind of signer alike.

use crate::ethereum::signature::Recoverable;
use crate::policy::SignPermit;
use async_trait::async_trait;
use k256::ecdsa::{RecoveryId, Signature, VerifyingKey};
use std::sync::Arc;

/// How often a signer is asked for one signature, where what it gives is none: some HSMs fail now and then.
const ATTEMPTS: u32 = 8;

/// Signs with one secp256k1 key (SEC 2) that it never gives away.
#[async_trait]
pub trait Signer: Send + Sync {
    /// The key's public half. It is asked for once for each agent that is loaded.
    ///
    /// # Errors
    /// [`SignerError`], which says why it can't be had.
    async fn public_key(&self) -> Result<VerifyingKey, SignerError>;

    /// An ECDSA signature (SEC 1) over these 32 bytes as they are, with `s` high or low.
    ///
    /// # Errors
    /// [`SignerError`]. [`SignerError::Unknown`] where a signature may have been made all the same: what it would have spent counts as spent.
    async fn sign(&self, digest: &[u8; 32]) -> Result<Signature, SignerError>;

    /// The same, where the signer knows which of the two points `r` stands for, as a key in this process does. Such a signature is taken as it
    /// is; all others are verified, which takes twice as long as a signature.
    ///
    /// # Errors
    /// As [`Signer::sign`].
    async fn sign_recoverable(&self, digest: &[u8; 32]) -> Result<(Signature, Option<RecoveryId>), SignerError> {
        Ok((self.sign(digest).await?, None))
    }

    /// Whether the key lies in this process, and leaves it with whoever reads its memory. Such signers have a ceiling on what they may spend,
    /// and are asked within the agent's run, since they answer at once; others are asked by a task of their own.
    fn is_hot(&self) -> bool {
        false
    }
}

/// Opens signers by what a manifest's `from` writes after the colon.
#[async_trait]
pub trait SignerBackend: Send + Sync {
    /// The signer of that key. `agent` is whose manifest names it.
    ///
    /// # Errors
    /// [`SignerError::Refused`] where no manifest of that name may use the key, or there is none.
    async fn open(&self, key: &str, agent: &str) -> Result<Arc<dyn Signer>, SignerError>;
}

/// Why there is no signature. Never quotes a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignerError {
    /// The key may not be used so, or is not there. No signature was made.
    #[error("{0}")]
    Refused(String),
    /// The signer can't be reached, or is busy. No signature was made.
    #[error("{0}")]
    Unavailable(String),
    /// It is not known whether a signature was made.
    #[error("{0}; what it would have spent counts as spent")]
    Unknown(String),
}

/// Asks a signer until it gives a signature that is one.
pub(super) async fn sign(signer: &dyn Signer, key: &VerifyingKey, permit: &SignPermit) -> Result<Recoverable, SignerError> {
    let digest = &permit.digest().0;
    for attempt in 0..ATTEMPTS {
        let signature = signer.sign_recoverable(digest).await.map_err(|error| match attempt {
            0 => error,
            // It has given something before.
            _ => SignerError::Unknown(error.to_string()),
        })?;
        let signature = match signature {
            (signature, Some(recovery)) => Recoverable::of(&signature, recovery),
            (signature, None) => Recoverable::check(&signature, digest, key),
        };
        if let Some(signature) = signature {
            return Ok(signature);
        }
        tracing::warn!("a signer gave what is no signature of its key; it is asked again");
    }
    Err(SignerError::Unknown(format!("the signer gave {ATTEMPTS} times what is no signature of its key")))
}
