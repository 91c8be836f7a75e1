//! The seam between what is decided and what holds the key. A [`Signer`] is asked for one signature by a [`SignRequest`], which only a
//! permit becomes: there is no other way to ask. Whether it is a signature of its key is checked here afterwards, for every kind of signer
//! alike.

use crate::ethereum::signature::Recoverable;
use crate::ethereum::transaction::Authorization;
use crate::manifest::Purpose;
use crate::policy::{Payload, SignPermit};
use alloy_primitives::Address;
use async_trait::async_trait;
use k256::ecdsa::RecoveryId;
use ring::signature::{ED25519, UnparsedPublicKey};
use std::sync::Arc;
use zeroize::Zeroizing;

/// How often a signer is asked for one signature, where what it returns is not one: some HSMs fail now and then.
const ATTEMPTS: u32 = 8;

/// Signs with one key that it never gives away.
#[async_trait]
pub trait Signer: Send + Sync {
    /// The key's public half. It is asked for once for each agent that is loaded.
    ///
    /// # Errors
    /// [`SignerError`], which says why it is unavailable.
    async fn public_key(&self) -> Result<PublicKey, SignerError>;

    /// Signs what is requested: [`SignRequest::digest`] as it is by a key of secp256k1, [`SignRequest::message`] by one of Ed25519.
    ///
    /// # Errors
    /// [`SignerError`]. [`SignerError::Unknown`] where a signature may have been made anyway: what it would have spent counts as spent.
    async fn sign(&self, request: &SignRequest<'_>) -> Result<Answer, SignerError>;

    /// Whether the key is held in this process, and leaves it with whoever reads its memory. Such signers have a ceiling on what they may spend,
    /// and are asked within the agent's run, since they answer at once; others are asked by a task of their own.
    fn is_hot(&self) -> bool {
        false
    }
}

/// Opens signers by what a manifest's `from` writes after the colon.
#[async_trait]
pub trait SignerBackend: Send + Sync {
    /// Whether a manifest of that agent may name that key for that purpose, without asking where it is kept. Asked as the manifest is loaded;
    /// [`SignerBackend::open`] asks for itself.
    ///
    /// # Errors
    /// Why it may not, as a sentence for whoever wrote it.
    fn check(&self, _key: &str, _agent: &str, _purpose: &Purpose) -> Result<(), String> {
        Ok(())
    }

    /// The signer of that key. `agent` is whose manifest names it.
    ///
    /// # Errors
    /// [`SignerError::Refused`] where no manifest of that name may use the key, or there is none.
    async fn open(&self, key: &str, agent: &str) -> Result<Arc<dyn Signer>, SignerError>;
}

/// What a signer is asked for: one thing, which the policy has allowed. It can't be made but from what was decided.
#[derive(Debug)]
pub struct SignRequest<'a> {
    permit: &'a SignPermit,
    agent: &'a str,
    idempotency: Option<&'a str>,
}

/// The public half of a key, by its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PublicKey {
    /// A point of secp256k1 (SEC 2).
    Secp256k1(k256::ecdsa::VerifyingKey),
    /// The 32 bytes of a key of Ed25519 (RFC 8032).
    Ed25519([u8; 32]),
    /// The account of a key of secp256k1, where its signer tells no more. Its signatures have to say which point `r` stands for.
    Account(Address),
}

/// A signer's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Answer {
    /// It has signed.
    Signed(Signature),
    /// It will, or will not, when somebody has decided. What the signature would spend is reserved until then.
    Pending(Ticket),
}

/// A signature, by the kind of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Signature {
    /// ECDSA (SEC 1) with `s` high or low, and which of the two points `r` stands for, where the signer knows it. With it the signature is taken
    /// as it is; without it is verified, which takes twice as long as a signature.
    Secp256k1(k256::ecdsa::Signature, Option<RecoveryId>),
    /// Ed25519 (RFC 8032).
    Ed25519([u8; 64]),
}

/// A signer's name for a request that waits for somebody's decision. It is not a secret.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Ticket(String);

/// The outcome of a request.
#[derive(Debug)]
pub enum Outcome {
    /// What was permitted, in the form its payload is given out in.
    Signed(Zeroizing<Vec<u8>>),
    /// The signer's answer waits for somebody's decision.
    Pending(Ticket),
}

/// Why there is no signature. Never quotes a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignerError {
    /// The key may not be used like this, or does not exist. No signature was made.
    #[error("{0}")]
    Refused(String),
    /// The signer can't be reached, or is busy. No signature was made.
    #[error("{0}")]
    Unavailable(String),
    /// It is not known whether a signature was made.
    #[error("{0}; what it would have spent counts as spent")]
    Unknown(String),
}

impl<'a> SignRequest<'a> {
    /// What a permit asks for.
    pub(super) fn new(permit: &'a SignPermit, agent: &'a str, idempotency: Option<&'a str>) -> Self {
        Self { permit, agent, idempotency }
    }

    /// The 32 bytes that a key of secp256k1 signs as they are: the hash of what is signed.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        self.permit.digest().0
    }

    /// What is signed, where a key of Ed25519 signs it whole.
    #[must_use]
    pub fn message(&self) -> Option<&'a [u8]> {
        match self.permit.payload() {
            Payload::Message(message) => Some(message),
            _ => None,
        }
    }

    /// The message for people that is signed (EIP-191), without its prefix. `None` for everything else.
    #[must_use]
    pub fn personal_message(&self) -> Option<&'a [u8]> {
        if let Payload::Personal(message) = self.permit.payload() { Some(message) } else { None }
    }

    /// The document that is signed (EIP-712), in JSON as `eth_signTypedData_v4` takes it, with what is signed and nothing else. `None` for
    /// everything else.
    #[must_use]
    pub fn typed_data(&self) -> Option<String> {
        if let Payload::TypedData(document) = self.permit.payload() { Some(document.to_json().to_string()) } else { None }
    }

    /// The transaction that is signed, as it is hashed (EIP-155, EIP-2718): for signers that check it themselves. `None` for everything
    /// else.
    #[must_use]
    pub fn transaction(&self) -> Option<Vec<u8>> {
        match self.permit.payload() {
            Payload::Transaction(transaction) => Some(transaction.payload()),
            _ => None,
        }
    }

    /// The authorization to run code that is signed (EIP-7702). `None` for everything else.
    #[must_use]
    pub fn authorization(&self) -> Option<&'a Authorization> {
        if let Payload::Authorization(authorization) = self.permit.payload() { Some(authorization) } else { None }
    }

    /// What it does, in lines for people.
    #[must_use]
    pub fn lines(&self) -> &'a [String] {
        self.permit.lines()
    }

    /// The agent's idempotency key, where it has one: under it, nothing is spent twice.
    #[must_use]
    pub fn idempotency(&self) -> Option<&'a str> {
        self.idempotency
    }

    /// The agent that asks.
    #[must_use]
    pub fn agent(&self) -> &'a str {
        self.agent
    }
}

#[cfg(any(test, feature = "test-util"))]
impl SignRequest<'_> {
    /// Asks a signer to sign these 32 bytes, for the tests of signers.
    ///
    /// # Errors
    /// The signer's.
    pub async fn ask(signer: &dyn Signer, digest: [u8; 32]) -> Result<Answer, SignerError> {
        let permit = SignPermit::example(digest.into());
        signer.sign(&SignRequest::new(&permit, "test", None)).await
    }
}

impl From<k256::ecdsa::VerifyingKey> for PublicKey {
    fn from(key: k256::ecdsa::VerifyingKey) -> Self {
        Self::Secp256k1(key)
    }
}

impl From<k256::ecdsa::Signature> for Answer {
    fn from(signature: k256::ecdsa::Signature) -> Self {
        Self::Signed(Signature::Secp256k1(signature, None))
    }
}

impl Ticket {
    /// A ticket by its name.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Asks a signer until it gives a signature that is one, and puts it in its form.
pub(super) async fn sign(
    signer: &dyn Signer,
    key: &PublicKey,
    permit: &SignPermit,
    agent: &str,
    idempotency: Option<&str>,
) -> Result<Outcome, SignerError> {
    let request = SignRequest::new(permit, agent, idempotency);
    // Such a signer has read what it signs: where it errs, it would err again, and each time there is a signature more.
    let attempts = if matches!(key, PublicKey::Account(_)) { 1 } else { ATTEMPTS };
    for attempt in 1..=attempts {
        let answer = signer.sign(&request).await.map_err(|error| match attempt {
            1 => error,
            // One of the answers before may have been a signature.
            _ => SignerError::Unknown(error.to_string()),
        })?;
        let signature = match answer {
            Answer::Signed(signature) => signature,
            Answer::Pending(ticket) => return Ok(Outcome::Pending(ticket)),
        };
        if let Some(signed) = checked(signature, key, permit) {
            return Ok(Outcome::Signed(Zeroizing::new(signed)));
        }
        tracing::warn!("a signer returned something that is not a signature of its key; it is asked {attempts} times at most");
    }
    let times = if attempts == 1 { String::new() } else { format!(", {attempts} times") };
    Err(SignerError::Unknown(format!("the signer returned something that is not a signature of its key over what was permitted{times}")))
}

/// The signature in its form, if it is one of that key over what was permitted.
fn checked(signature: Signature, key: &PublicKey, permit: &SignPermit) -> Option<Vec<u8>> {
    match (signature, key, permit.payload()) {
        (Signature::Secp256k1(signature, recovery), key, payload) => {
            let digest = &permit.digest().0;
            let signature = match (key, recovery) {
                (PublicKey::Secp256k1(_), Some(recovery)) => Recoverable::of(&signature, recovery),
                (PublicKey::Secp256k1(key), None) => Recoverable::check(&signature, digest, key),
                (PublicKey::Account(account), Some(recovery)) => {
                    Recoverable::of(&signature, recovery).filter(|signature| signature.signer(digest) == Some(*account))
                }
                _ => None,
            }?;
            match payload {
                Payload::Transaction(transaction) => Some(transaction.signed(&signature)),
                Payload::TypedData(_) | Payload::Personal(_) | Payload::Authorization(_) | Payload::Digest => {
                    Some(signature.to_bytes().to_vec())
                }
                Payload::Message(_) => None,
            }
        }
        (Signature::Ed25519(signature), PublicKey::Ed25519(key), Payload::Message(message)) => {
            UnparsedPublicKey::new(&ED25519, key).verify(message, &signature).is_ok().then(|| signature.to_vec())
        }
        _ => None,
    }
}
