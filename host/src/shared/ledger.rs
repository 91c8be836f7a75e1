//! The ledger that hosts share: what their signatures have spent.

use super::{Claim, Note, Refused, SharedError, Sums};
use crate::policy::AssetId;
use async_trait::async_trait;

/// Keeps what signatures have spent, for all hosts that have the same keys.
///
/// The order is always *reserve, sign, commit*: a signature leaves its host only after [`Ledger::commit`] has returned `Ok`.
///
/// What an implementation owes:
/// * **Atomicity.** Of two claims at once, by whichever hosts, the second is held against what the first has reserved. All windows of a claim have room,
///   or nothing of it is reserved.
/// * **Durability.** A reservation and a commit outlive the crash of every host, and of the ledger, from when they return. A ledger that may have lost
///   something, as after it was restored from a backup, answers [`Refused::Blocked`] until [`Ledger::confirm`].
/// * **One clock.** Windows slide by a clock of the ledger's own, which does not jump: hosts' clocks differ.
/// * **Pessimism.** A reservation that is neither committed nor released counts as spent for good, whatever became of its host; so does one for which
///   the answer was lost on its way.
///
/// Hosts wait 10 seconds for an answer. The future may be dropped then, or where a host ends; what was begun may be done to its end or not at all.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Reserves what a signature would spend.
    ///
    /// For each asset that it spends, what the agent and what all agents have spent from the key, with this, stays within [`Claim::limits`] and
    /// [`Claim::caps`] in each window; and so does the sum of each of [`Claim::ceilings`] in the last 24 hours. A claim for the chain and nonce of
    /// another one adds only what it exceeds that by.
    ///
    /// An idempotency key is one of the key's and the agent's. Where it stands for the same digest and that is committed, the answer is
    /// [`Reserved::Before`], and nothing is spent again.
    ///
    /// # Errors
    /// [`Refused`], in which case the agent's request is denied.
    async fn reserve(&self, claim: &Claim<'_>) -> Result<Reserved, Refused>;

    /// Keeps what was signed, which may leave the host once this returns. The bytes are as good as money until they are used: they are to be kept
    /// encrypted, for [`Reserved::Before`] alone.
    ///
    /// # Errors
    /// [`SharedError`] where it is not kept for certain, or the reservation is older than 120 seconds or has ended. The signature is not given out then,
    /// and counts as spent.
    async fn commit(&self, reservation: &Reservation, signed: &[u8]) -> Result<(), SharedError>;

    /// Gives back what was reserved: it is certain that there is no signature.
    ///
    /// # Errors
    /// [`SharedError`], in which case it counts as spent.
    async fn release(&self, reservation: &Reservation) -> Result<(), SharedError>;

    /// Keeps a record of what was signed without spending anything. It leaves the host once this returns.
    ///
    /// # Errors
    /// [`SharedError`], in which case it does not leave.
    async fn note(&self, note: &Note<'_>) -> Result<(), SharedError>;

    /// Adds a key, for one purpose and for good. Asked again for the same, it does nothing.
    ///
    /// # Errors
    /// [`SharedError::Refused`] where the key is kept for another purpose.
    async fn enroll(&self, key: &[u8], purpose: &str) -> Result<(), SharedError>;

    /// What one agent, or all of them, have spent from a key of each of these assets, in their order.
    ///
    /// # Errors
    /// [`SharedError`]. What is left of limits is then not shown; nothing is decided by it.
    async fn spent(&self, key: &[u8], agent: Option<&str>, assets: &[AssetId]) -> Result<Vec<Sums>, SharedError>;

    /// The ledger's state, for the operator.
    ///
    /// # Errors
    /// [`SharedError`].
    async fn standing(&self, key: &[u8]) -> Result<Standing, SharedError>;

    /// Records the operator's confirmation that the ledger is the latest there is. From then on all hosts sign with it again.
    ///
    /// # Errors
    /// [`SharedError`], in which case it is as before.
    async fn confirm(&self) -> Result<(), SharedError>;
}

/// The outcome of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reserved {
    /// It may be signed.
    New(Reservation),
    /// It was signed before, under the same idempotency key: the signed bytes, as they were committed.
    Before(Vec<u8>),
}

/// Leave to sign once, by a ledger's own name for it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reservation(String);

/// The state of a ledger and of one key in it, for the operator.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Standing {
    /// What the key is kept for, where the ledger knows it.
    pub purpose: Option<String>,
    /// Why nothing may be signed.
    pub blocked: Option<String>,
    /// Why windows don't slide.
    pub stopped: Option<String>,
}

impl Reservation {
    /// A reservation by its name, which is unique in its ledger.
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

impl Standing {
    /// That of a ledger in order, with what it keeps the key for.
    #[must_use]
    pub fn of(purpose: Option<String>) -> Self {
        Self { purpose, ..Self::default() }
    }
}
