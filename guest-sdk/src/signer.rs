//! Keys that sign, and never leave the host.

use crate::{Error, sys};

/// A key that the host holds. The handle is this run's own; it is closed when dropped.
///
/// Where a call takes an idempotency key (1 to 128 visible ASCII characters, the agent's own for each signer), a second call with the same key
/// and content gives the same signature, charged once.
#[derive(Debug)]
pub struct Signer(sys::SignerHandle);

/// A transaction as typed fields. Numbers are text: decimal digits, or `0x` and hexadecimal digits. Its kind follows from what is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// The chain, never 0.
    pub chain_id: String,
    /// The account's nonce.
    pub nonce: String,
    /// Most units of gas.
    pub gas: String,
    /// What is paid for them.
    pub fee: Fee,
    /// The recipient or contract.
    pub to: String,
    /// In the smallest unit of the chain's own asset.
    pub value: String,
    /// The call data.
    pub input: Vec<u8>,
    /// The access list of EIP-2930. With a price, one that is set makes this an EIP-2930 transaction.
    pub access_list: Option<Vec<Access>>,
    /// EIP-4844: the most for each unit of blob gas, and the blobs' versioned hashes.
    pub blobs: Option<(String, Vec<[u8; 32]>)>,
    /// The authorizations of EIP-7702.
    pub authorizations: Vec<Authorization>,
}

/// What is paid for gas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fee {
    /// This price for each unit of gas.
    Price(String),
    /// At most this for each unit of gas, and this part of it for the block's proposer (EIP-1559).
    Market {
        /// In all.
        max: String,
        /// For the proposer.
        priority: String,
    },
}

/// An entry of an access list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// The account.
    pub address: String,
    /// Its storage slots.
    pub slots: Vec<[u8; 32]>,
}

/// A signed authorization to run code (EIP-7702).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorization {
    /// The chain.
    pub chain_id: String,
    /// The code's address.
    pub address: String,
    /// The account's nonce.
    pub nonce: String,
    /// 0 or 1.
    pub y_parity: u8,
    /// The signature's `r`.
    pub r: [u8; 32],
    /// The signature's `s`.
    pub s: [u8; 32],
}

/// A signed transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// The bytes that a node accepts.
    pub raw: Vec<u8>,
    /// Its hash.
    pub hash: Vec<u8>,
}

impl Transaction {
    /// A plain transfer with an EIP-1559 fee and 21,000 gas.
    #[must_use]
    pub fn transfer(chain_id: u64, nonce: u64, to: &str, value: &str, max_fee: &str, priority_fee: &str) -> Self {
        Self {
            chain_id: chain_id.to_string(),
            nonce: nonce.to_string(),
            gas: "21000".to_owned(),
            fee: Fee::Market { max: max_fee.to_owned(), priority: priority_fee.to_owned() },
            to: to.to_owned(),
            value: value.to_owned(),
            input: Vec::new(),
            access_list: None,
            blobs: None,
            authorizations: Vec::new(),
        }
    }
}

impl Signer {
    /// Opens the signer that the manifest declares as `[signers.NAME]`.
    ///
    /// # Errors
    /// [`Error::Unavailable`] where it is not granted or not there; [`Error::TooManyHandles`] past 1,024 open handles.
    pub fn open(name: &str) -> Result<Self, Error> {
        sys::open_signer(name).map(Self)
    }

    /// The account's address with its checksum (EIP-55), or an ed25519 key's in base58. Empty for a key that has none.
    #[must_use]
    pub fn address(&self) -> String {
        self.0.address()
    }

    /// The key's public half: SEC 1 uncompressed, or the 32 bytes of an ed25519 key. Empty for a key that has none.
    #[must_use]
    pub fn public_key(&self) -> Vec<u8> {
        self.0.public_key()
    }

    /// Signs a transaction.
    ///
    /// # Errors
    /// [`Error::Denied`], [`Error::Malformed`], [`Error::Unreachable`] or [`Error::Unknown`].
    pub fn sign_transaction(&self, transaction: &Transaction, idempotency_key: Option<&str>) -> Result<Signed, Error> {
        sys::sign_transaction(&self.0, transaction, idempotency_key)
    }

    /// Signs a transaction that another library has encoded: the unsigned payload of EIP-2718, or EIP-155's list of nine.
    ///
    /// # Errors
    /// As [`Signer::sign_transaction`].
    pub fn sign_payload(&self, payload: &[u8], idempotency_key: Option<&str>) -> Result<Signed, Error> {
        sys::sign_payload(&self.0, payload, idempotency_key)
    }

    /// Signs a message for people: by EIP-191 (65 bytes), or as an off-chain message of Solana (64 bytes).
    ///
    /// # Errors
    /// As [`Signer::sign_transaction`].
    pub fn sign_message(&self, message: &[u8], idempotency_key: Option<&str>) -> Result<Vec<u8>, Error> {
        sys::sign_message(&self.0, message, idempotency_key)
    }

    /// Signs typed data (EIP-712), the JSON of `eth_signTypedData_v4`: 65 bytes.
    ///
    /// # Errors
    /// As [`Signer::sign_transaction`].
    pub fn sign_typed_data(&self, document: &str, idempotency_key: Option<&str>) -> Result<Vec<u8>, Error> {
        sys::sign_typed_data(&self.0, document, idempotency_key)
    }

    /// Signs an authorization to run the code at an address (EIP-7702).
    ///
    /// # Errors
    /// As [`Signer::sign_transaction`].
    pub fn sign_authorization(
        &self,
        chain_id: &str,
        address: &str,
        nonce: &str,
        idempotency_key: Option<&str>,
    ) -> Result<Authorization, Error> {
        sys::sign_authorization(&self.0, chain_id, address, nonce, idempotency_key)
    }

    /// Signs 32 bytes as they are, where the operator grants it: 65 bytes.
    ///
    /// # Errors
    /// As [`Signer::sign_transaction`].
    pub fn sign_digest(&self, digest: &[u8; 32]) -> Result<Vec<u8>, Error> {
        sys::sign_digest(&self.0, digest)
    }

    /// HMAC-SHA-256 of an input that the manifest's template matches.
    ///
    /// # Errors
    /// [`Error::Denied`].
    pub fn hmac(&self, input: &[u8]) -> Result<Vec<u8>, Error> {
        sys::hmac(&self.0, input)
    }

    /// A JSON Web Token. `claims` is a JSON object of what the manifest lets the agent add, or empty.
    ///
    /// # Errors
    /// [`Error::Denied`].
    pub fn sign_jwt(&self, claims: &str) -> Result<String, Error> {
        sys::sign_jwt(&self.0, claims)
    }
}
