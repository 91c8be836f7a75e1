//! What a ledger is asked to keep apart for a signature, and what it answers.

use super::SharedError;
use crate::policy::{AssetId, Limit};
use alloy_primitives::{B256, U256};
use std::fmt;
use std::sync::Arc;

/// What is about to be signed, and what it would spend. Amounts are in an asset's smallest unit.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Claim<'a> {
    /// The key, by its public half: SEC 1 compressed, or another scheme's own form.
    pub key: &'a [u8],
    /// What the key is there for, such as `wallet`. A key has one purpose for good.
    pub purpose: &'a str,
    /// The agent's name.
    pub agent: &'a str,
    /// What is signed, or its hash.
    pub digest: B256,
    /// The chain and the nonce of a transaction: a chain takes one for each nonce of an account, so that of several for one nonce the largest
    /// amount counts, once.
    pub nonce: Option<(u64, u64)>,
    /// What it spends at most, each asset once.
    pub spends: &'a [(AssetId, U256)],
    /// What this agent may spend from the key.
    pub limits: &'a [Limit],
    /// What all agents together may spend from the key.
    pub caps: &'a [Limit],
    /// What all assets of one symbol together may come to in a day, over all agents.
    pub ceilings: &'a [Ceiling],
    /// What it does, for people: at most 64 lines of at most 2 KiB.
    pub lines: Arc<[String]>,
    /// The agent's own name for it, unique for one thing that it signs with this key: at most 128 visible ASCII characters.
    pub idempotency: Option<&'a str>,
}

/// An upper bound of what one key may spend in any 24 hours of several assets together.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ceiling {
    /// The assets, each with what its smallest unit counts.
    pub assets: Vec<(AssetId, U256)>,
    /// The bound, in the same count.
    pub most: U256,
    /// As the operator writes it: amount and symbol.
    pub name: String,
}

/// What was signed without spending anything: a token, an HMAC.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Note<'a> {
    /// The key, as in [`Claim::key`].
    pub key: &'a [u8],
    /// The agent's name.
    pub agent: &'a str,
    /// The SHA-256 of what was signed.
    pub digest: B256,
    /// What it is, for people.
    pub lines: Arc<[String]>,
}

/// Why a claim is refused. Nothing of it was kept apart, but for [`Refused::Unavailable`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refused {
    /// More than a limit.
    Limit {
        /// The asset.
        asset: AssetId,
        /// The window that would hold too much.
        window: Window,
        /// Whether it is one of the agent's own, and not one of the key's over all agents.
        own: bool,
    },
    /// More than a ceiling on a key that is held in a host's process.
    Hot {
        /// The ceiling's name.
        ceiling: String,
    },
    /// The idempotency key does not stand for this, or not yet.
    Idempotency(Reuse),
    /// The operator has to look and to confirm first: the key is not known, or the ledger may not be the latest. What to tell them.
    Blocked(String),
    /// No confirmation changes it: the key is kept for another purpose, say, or a record can't be read. What to tell the operator, with what to do.
    Stuck(String),
    /// The ledger can't be asked. What was claimed may have been reserved: it then counts as spent.
    Unavailable(String),
}

/// What an idempotency key is already taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reuse {
    /// For something else.
    Other,
    /// For this, which is still under way.
    UnderWay,
    /// For this, and its outcome is not known.
    Lost,
}

/// How far back spending counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Window {
    /// 60 minutes, sliding.
    Hour,
    /// 24 hours, sliding.
    Day,
    /// Ever.
    Total,
}

impl<'a> Claim<'a> {
    /// A claim that spends nothing and is bound by nothing.
    #[must_use]
    pub fn new(key: &'a [u8], purpose: &'a str, agent: &'a str, digest: B256) -> Self {
        let (spends, limits, caps, ceilings) = Default::default();
        Self { key, purpose, agent, digest, nonce: None, spends, limits, caps, ceilings, lines: Arc::default(), idempotency: None }
    }

    /// The same with fields set.
    #[must_use]
    pub fn with(mut self, set: impl FnOnce(&mut Self)) -> Self {
        set(&mut self);
        self
    }
}

impl Ceiling {
    /// A ceiling.
    #[must_use]
    pub fn new(assets: Vec<(AssetId, U256)>, most: U256, name: impl Into<String>) -> Self {
        Self { assets, most, name: name.into() }
    }
}

impl<'a> Note<'a> {
    /// A note.
    #[must_use]
    pub fn new(key: &'a [u8], agent: &'a str, digest: B256, lines: Arc<[String]>) -> Self {
        Self { key, agent, digest, lines }
    }
}

impl Window {
    /// The key of a limit in a manifest.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Total => "total",
        }
    }
}

impl From<SharedError> for Refused {
    fn from(error: SharedError) -> Self {
        match error {
            SharedError::Unavailable(why) => Self::Unavailable(why),
            SharedError::Refused(why) => Self::Stuck(why),
        }
    }
}

impl fmt::Display for Reuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Other => "the key was used for something else",
            Self::UnderWay => "the key's first use is still under way",
            Self::Lost => "what became of the key's first use is not known",
        })
    }
}
