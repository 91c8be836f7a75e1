//! The tickets that hosts share: what waits for somebody's decision.

use super::SharedError;
use crate::keys::Ticket;
use alloy_primitives::B256;
use async_trait::async_trait;
use std::sync::Arc;

/// Keeps what waits for somebody's decision: filed when a signer answers [`Answer::Pending`](crate::Answer::Pending), listed for those who decide,
/// removed by whoever acts on it.
///
/// What an implementation owes: what was filed is listed by all hosts until it is removed. A ticket is known by its agent, its signer and
/// its name; filed again, it takes the place of the one before. It may refuse to keep more: the request waits anyway, and the audit log has
/// its ticket.
///
/// Hosts wait 10 seconds for an answer.
#[async_trait]
pub trait Tickets: Send + Sync {
    /// Files a ticket.
    ///
    /// # Errors
    /// [`SharedError`] where it is not kept.
    async fn file(&self, waiting: Waiting) -> Result<(), SharedError>;

    /// All that wait, the oldest first.
    ///
    /// # Errors
    /// [`SharedError`].
    async fn list(&self) -> Result<Vec<Waiting>, SharedError>;

    /// Takes a ticket out. Of several that take it at once, one gets it.
    ///
    /// # Errors
    /// [`SharedError`].
    async fn remove(&self, agent: &str, signer: &str, ticket: &Ticket) -> Result<Option<Waiting>, SharedError>;
}

/// A request for a signature that waits. What it would spend is reserved.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Waiting {
    /// The signer's own name for it.
    pub ticket: Ticket,
    /// The agent that asks.
    pub agent: String,
    /// Its signer, by the name in the manifest.
    pub signer: String,
    /// What is to be signed, or its hash.
    pub digest: B256,
    /// What it does, for people: at most 64 lines of at most 2 KiB.
    pub lines: Arc<[String]>,
    /// Since when it waits, in seconds since 1970-01-01T00:00:00Z by the host's wall clock.
    pub since: u64,
}

impl Waiting {
    /// A ticket with what it stands for.
    #[must_use]
    pub fn new(
        ticket: Ticket,
        agent: impl Into<String>,
        signer: impl Into<String>,
        digest: B256,
        lines: Arc<[String]>,
        since: u64,
    ) -> Self {
        Self { ticket, agent: agent.into(), signer: signer.into(), digest, lines, since }
    }

    /// Whether it is known by these names.
    pub(super) fn is(&self, agent: &str, signer: &str, ticket: &Ticket) -> bool {
        self.agent == agent && self.signer == signer && self.ticket == *ticket
    }
}
