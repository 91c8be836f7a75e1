//! The `[signers.NAME]` tables of a manifest: which key, and all that may be signed with it.

mod expression;
mod read;

pub use read::is_registered_claim;
pub(super) use read::{address, amount, limit, read, symbol};

use super::names::SecretRef;
use super::units::Rate;
use crate::ethereum::abi::Function;
use crate::ethereum::value::{FieldPath, Value};
use alloy_primitives::{Address, B256, U256};
use std::time::Duration;

/// A key, and what it is for.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SignerSpec {
    /// The name the agent knows it by.
    pub name: String,
    /// Where the key is: an entry of a backend of secrets, or `kms:`, `pkcs11:` or an embedder's own and the key's name there.
    pub from: SecretRef,
    /// The namespace of a bare name's look-up; by default the agent's name.
    pub namespace: Option<String>,
    /// Where the passphrase of a keystore or a phrase is.
    pub passphrase: Option<SecretRef>,
    /// The way from a phrase to the account (BIP-32).
    pub path: Option<String>,
    /// How often it may be used. Default 600 times a minute: every use is recorded permanently.
    pub rate: Rate,
    /// What it may be used for.
    pub purpose: Purpose,
    /// The line of the manifest.
    pub line: usize,
}

/// The one purpose of a key.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Purpose {
    /// An Ethereum account.
    Wallet(Box<WalletSpec>),
    /// JSON Web Tokens (RFC 7519).
    Jwt(JwtSpec),
    /// HMAC-SHA-256 (RFC 2104).
    Hmac {
        /// What an input has to match, whole.
        template: regex::Regex,
    },
    /// Off-chain messages of Solana.
    Solana {
        /// What a message has to match, whole.
        messages: Vec<regex::Regex>,
    },
    /// Any 32 bytes. The host configuration has to grant it too.
    Digest,
}

impl SignerSpec {
    /// The same without where it stands in its file.
    #[must_use]
    pub fn without_lines(&self) -> Self {
        let mut same = self.clone();
        same.forget_lines();
        same
    }

    /// Takes out where it stands in its file.
    pub(super) fn forget_lines(&mut self) {
        self.line = 0;
        let Purpose::Wallet(wallet) = &mut self.purpose else { return };
        wallet.calls.iter_mut().for_each(|call| call.line = 0);
        wallet.typed.iter_mut().for_each(|typed| typed.line = 0);
    }
}

impl Purpose {
    /// What the ledger calls it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Wallet(_) => "wallet",
            Self::Jwt(_) => "jwt",
            Self::Hmac { .. } => "hmac",
            Self::Solana { .. } => "solana",
            Self::Digest => "digest",
        }
    }

    /// What is signed for it, for people.
    #[must_use]
    pub fn described(&self) -> &'static str {
        match self {
            Self::Wallet(_) => "an account of Ethereum",
            Self::Jwt(_) => "tokens",
            Self::Hmac { .. } => "HMAC-SHA-256 of what its template matches",
            Self::Solana { .. } => "off-chain messages of Solana",
            Self::Digest => "any 32 bytes, where the host grants it",
        }
    }
}

/// What an account may sign.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct WalletSpec {
    /// The chains, by id.
    pub chains: Vec<u64>,
    /// Kinds of transactions. By default 1559 alone.
    pub kinds: Vec<String>,
    /// Who may be sent something: plainly, or by a call that says who receives it.
    pub recipients: Vec<OnChain>,
    /// Accounts in addition to the signer's own in whose name it may call: its smart accounts, and contracts that make many calls of one.
    /// What they may be sent is said by `recipients`.
    pub accounts: Vec<OnChain>,
    /// Most of the chain's own asset in one transaction, in whole units of it, as in `0.5`.
    pub max_value: Option<String>,
    /// Most that gas and blobs may cost in one transaction, likewise.
    pub max_fee: Option<String>,
    /// Most gas of one transaction.
    pub max_gas: Option<u64>,
    /// The least nonce for each chain.
    pub nonces: Vec<(u64, u64)>,
    /// Calls of contracts.
    pub calls: Vec<CallSpec>,
    /// Typed data (EIP-712).
    pub typed: Vec<TypedSpec>,
    /// What a message has to match, whole (EIP-191).
    pub messages: Vec<regex::Regex>,
    /// Sign-ins (EIP-4361).
    pub sign_ins: Vec<SignInSpec>,
    /// Code that the account may run (EIP-7702): chain and address.
    pub delegates: Vec<(u64, Address)>,
    /// What may be spent.
    pub limits: Vec<LimitSpec>,
}

/// An address on one chain, or, as that of a key is, the same on all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct OnChain {
    /// The chain; none for any.
    pub chain: Option<u64>,
    /// The address.
    pub address: Address,
}

impl OnChain {
    /// Whether it is that address there.
    #[must_use]
    pub fn is(&self, chain: u64, address: Address) -> bool {
        self.address == address && self.chain.is_none_or(|known| known == chain)
    }
}

impl std::fmt::Display for OnChain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.chain {
            Some(chain) => write!(f, "{chain}:{}", self.address),
            None => write!(f, "{}", self.address),
        }
    }
}

/// A function of some contracts.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CallSpec {
    /// The contracts.
    pub to: Vec<OnChain>,
    /// Most of the chain's own asset that may go with it. Default nothing.
    pub value: U256,
    /// The contract's function, with the types of its arguments.
    pub function: Function,
    /// What a call of it spends.
    pub spends: Spends,
    /// Whether it may move or approve single tokens of ERC-721.
    pub nft: bool,
    /// What arguments have to be.
    pub args: Vec<(FieldPath, Vec<Bound>)>,
    /// The line of the manifest.
    pub line: usize,
}

/// Typed data of one domain and type.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TypedSpec {
    /// The domain's `name`; absent where the domain has none.
    pub name: Option<String>,
    /// The domain's `version`, likewise.
    pub version: Option<String>,
    /// The domain's `chainId`.
    pub chain: u64,
    /// The domain's `verifyingContract`.
    pub contract: Option<Address>,
    /// The domain's `salt`.
    pub salt: Option<B256>,
    /// `encodeType` of the primary type.
    pub encoded_type: String,
    /// What a signature spends.
    pub spends: Spends,
    /// The fields that are deadlines, in seconds since 1970, and how far ahead they may lie.
    pub deadlines: Vec<FieldPath>,
    /// See `deadlines`.
    pub within: Duration,
    /// What fields have to be.
    pub fields: Vec<(FieldPath, Vec<Bound>)>,
    /// The line of the manifest.
    pub line: usize,
}

/// What a call or a document spends.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Spends {
    /// What the host's table of standards says.
    Standard,
    /// Nothing.
    Nothing,
    /// An amount of an asset.
    Amount(Box<Movement>),
}

/// Where the parts of a movement stand.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Movement {
    /// The asset's contract: a field, or none for the contract that is called or named by the domain.
    pub asset: Option<FieldPath>,
    /// How much.
    pub amount: FieldPath,
    /// Who receives it, or may take it.
    pub recipient: FieldPath,
    /// Whose it is; none for the signer's own.
    pub account: Option<FieldPath>,
}

/// What a field has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bound {
    /// Exactly this.
    Is(Value),
    /// A number from the one to the other.
    Range(U256, U256),
    /// The signer's own address.
    Own,
}

/// Sign-ins at one site.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SignInSpec {
    /// The domain.
    pub domain: String,
    /// The URI, to the letter.
    pub uri: String,
    /// The chain.
    pub chain: u64,
    /// The latest that it may expire; it has to expire, unless `without_expiry`.
    pub within: Duration,
    /// Whether it may be one that does not expire: the site alone says then how long its nonce is good for.
    pub without_expiry: bool,
    /// What a nonce may have besides letters and digits, as a UUID has `-`.
    pub nonce_characters: String,
    /// The resources that it may name.
    pub resources: Vec<String>,
}

/// How much of one asset may be spent. Windows slide: what was signed in any hour, in any day.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LimitSpec {
    /// The asset's symbol in the host's table.
    pub asset: String,
    /// The chain.
    pub chain: u64,
    /// In any hour, in whole units of the asset.
    pub hour: Option<Most>,
    /// In any 24 hours.
    pub day: Option<Most>,
    /// In all.
    pub total: Option<Most>,
}

/// An upper bound, as the manifest writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Most {
    /// So much, in whole units: `0.5`.
    Amount(String),
    /// Explicitly no bound.
    Unlimited,
}

/// Tokens that a key may sign. All that says for whom and how long a token is comes from here and from the host's clock.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct JwtSpec {
    /// `iss`.
    pub issuer: Option<String>,
    /// `sub`.
    pub subject: Option<String>,
    /// `aud`.
    pub audience: Option<String>,
    /// `scope`.
    pub scope: Option<String>,
    /// `exp` less `iat`.
    pub lifetime: Duration,
    /// Headers in addition to `alg`, such as `kid` and `typ`.
    pub headers: Vec<(String, String)>,
    /// Claims that the agent may add.
    pub claims: Vec<String>,
}

impl SignInSpec {
    /// What a nonce may have, and one character more.
    pub(crate) fn with_character(&self, c: char) -> String {
        format!("{}{c}", self.nonce_characters)
    }
}

impl CallSpec {
    /// The function's canonical signature, `transfer(address,uint256)`.
    #[must_use]
    pub fn signature(&self) -> &str {
        &self.function.signature
    }
}
