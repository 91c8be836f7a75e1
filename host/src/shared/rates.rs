//! The rates that hosts share: how often grants and signers were used.

use super::{SharedError, within};
use crate::manifest::Rate;
use async_trait::async_trait;
use std::sync::Arc;

/// Counts uses over all hosts: of a grant or an `[[egress]]` by requests, of a signer by signatures.
///
/// Each host counts by itself too, and asks here only for what it would let pass itself; where it is refused, it gives back what it has counted.
///
/// What an implementation owes: of two askings at once, by whichever hosts, the second sees what the first has taken. No durability: counts that are
/// lost in a crash let at most one window's uses pass again.
///
/// Hosts wait 10 seconds for an answer, and deny by the rule `rate` where there is none; what was taken meanwhile stays taken.
#[async_trait]
pub trait Rates: Send + Sync {
    /// Takes one use out of each of these budgets, or out of none. There is at least one, and none of them twice.
    ///
    /// # Errors
    /// [`SharedError`], in which case the use is denied.
    async fn take(&self, uses: &[Use<'_>]) -> Result<Taken, SharedError>;
}

/// One use of something that has a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Use<'a> {
    /// What is used: the agent's name, and the part of its manifest, such as `bot-1/secrets.KEY.allow.0` or `bot-1/signers.wallet`. Hosts that have
    /// one manifest in different editions count what has the same name together.
    pub name: &'a str,
    /// How often it may be used, in any window of that length.
    pub rate: Rate,
}

/// What was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// One use out of each.
    All,
    /// Nothing.
    Nothing {
        /// The index of one that has no use left.
        spent: usize,
    },
}

/// Rates that are shared, asked with patience.
#[derive(Clone)]
pub(crate) struct SharedRates(Arc<dyn Rates>);

impl<'a> Use<'a> {
    /// A use.
    #[must_use]
    pub const fn new(name: &'a str, rate: Rate) -> Self {
        Self { name, rate }
    }
}

impl SharedRates {
    pub(crate) fn new(rates: impl Rates + 'static) -> Self {
        Self(Arc::new(rates))
    }

    pub(crate) async fn take(&self, uses: &[Use<'_>]) -> Result<Taken, SharedError> {
        within(self.0.take(uses)).await
    }
}
