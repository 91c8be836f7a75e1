//! Leave to sign, and what is signed: one value, which only this room makes, and whoever signs takes by value.

use super::AssetId;
use crate::ethereum::transaction::{Authorization, Transaction};
use crate::ethereum::typed_data::TypedData;
use alloy_primitives::{B256, U256};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// Leave to sign one thing, once. What is signed is in it: a permit can't be used for anything else.
#[derive(Debug)]
pub struct SignPermit {
    payload: Payload,
    digest: B256,
    spends: Vec<(AssetId, U256)>,
    nonce: Option<(u64, u64)>,
    lines: Vec<String>,
}

/// What is signed, and what the signature is made into.
#[derive(Debug)]
pub enum Payload {
    /// A transaction, into the bytes that a node takes.
    Transaction(Box<Transaction>),
    /// A document (EIP-712), into `r`, `s`, `v`.
    TypedData(Box<TypedData>),
    /// A message for people (EIP-191), without its prefix, into `r`, `s`, `v`.
    Personal(Vec<u8>),
    /// Leave to run code (EIP-7702), into `r`, `s`, `v`.
    Authorization(Box<Authorization>),
    /// 32 bytes, into `r`, `s`, `v`.
    Digest,
    /// These bytes as they are, into a signature of ed25519.
    Message(Vec<u8>),
}

impl SignPermit {
    /// For the test of signers.
    #[cfg(any(test, feature = "test-util"))]
    pub(crate) fn example(digest: B256) -> Self {
        Self::of_digest(digest, String::new())
    }

    fn new(payload: Payload, digest: B256, lines: Vec<String>) -> Self {
        Self { payload, digest, spends: Vec::new(), nonce: None, lines }
    }

    pub(super) fn transaction(transaction: Transaction, spends: Vec<(AssetId, U256)>, lines: Vec<String>) -> Self {
        let (digest, nonce) = (transaction.signing_hash(), Some((transaction.chain, transaction.nonce)));
        Self { spends, nonce, ..Self::new(Payload::Transaction(Box::new(transaction)), digest, lines) }
    }

    pub(super) fn typed_data(document: TypedData, spends: Vec<(AssetId, U256)>, lines: Vec<String>) -> Self {
        let digest = document.signing_hash;
        Self { spends, ..Self::new(Payload::TypedData(Box::new(document)), digest, lines) }
    }

    pub(super) fn authorization(authorization: Authorization, line: String) -> Self {
        Self::new(Payload::Authorization(Box::new(authorization)), authorization.signing_hash(), vec![line])
    }

    pub(super) fn of_digest(digest: B256, line: String) -> Self {
        Self::new(Payload::Digest, digest, vec![line])
    }

    pub(super) fn personal(message: Vec<u8>, line: String) -> Self {
        let digest = crate::ethereum::message::signing_hash(&message);
        Self::new(Payload::Personal(message), digest, vec![line])
    }

    pub(super) fn message(message: Vec<u8>, line: String) -> Self {
        let digest = B256::from_slice(&Sha256::digest(&message));
        Self::new(Payload::Message(message), digest, vec![line])
    }

    pub(crate) fn payload(&self) -> &Payload {
        &self.payload
    }

    /// Whether these bytes have the form of what this is signed into. Whoever keeps them has checked them before.
    pub fn has_form(&self, signed: &[u8]) -> bool {
        match &self.payload {
            Payload::Transaction(_) => !signed.is_empty(),
            Payload::TypedData(_) | Payload::Personal(_) | Payload::Authorization(_) | Payload::Digest => {
                matches!(signed, [r_and_s @ .., 27 | 28] if r_and_s.len() == 64)
            }
            Payload::Message(_) => signed.len() == 64,
        }
    }

    /// What is signed, or its hash where that is signed as it is.
    pub fn digest(&self) -> B256 {
        self.digest
    }

    /// What it spends, each asset once.
    pub fn spends(&self) -> &[(AssetId, U256)] {
        &self.spends
    }

    /// The chain and nonce, of a transaction.
    pub fn nonce(&self) -> Option<(u64, u64)> {
        self.nonce
    }

    /// What it does, for people.
    pub fn lines(&self) -> &[String] {
        &self.lines
    }
}

/// Leave to sign one token: its header and its claims, as the policy and the host's clock say.
#[derive(Debug)]
pub struct TokenPermit {
    header: Map<String, Value>,
    claims: Map<String, Value>,
}

impl TokenPermit {
    /// For the standards' own examples.
    #[cfg(test)]
    pub(crate) fn example(header: Map<String, Value>, claims: Map<String, Value>) -> Self {
        Self { header, claims }
    }

    pub(super) fn new(header: Map<String, Value>, claims: Map<String, Value>) -> Self {
        Self { header, claims }
    }

    pub fn header(&self) -> &Map<String, Value> {
        &self.header
    }

    pub fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }
}

/// Leave to authenticate one input.
#[derive(Debug)]
pub struct MacPermit(String);

impl MacPermit {
    pub(super) fn new(input: String) -> Self {
        Self(input)
    }

    pub fn input(&self) -> &str {
        &self.0
    }
}
