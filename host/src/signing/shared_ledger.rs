//! A ledger that hosts share, asked with a time limit.

use super::ledger::RESERVATION;
use super::unkept::Unkept;
use crate::clock::Clock;
use crate::policy::AssetId;
use crate::shared::{self, Claim, Note, Refused, SharedError, Standing, Sums, within};
use std::sync::Arc;
use std::time::Duration;

/// The ledger of many hosts.
#[derive(Clone)]
pub(super) struct SharedLedger {
    ledger: Arc<dyn shared::Ledger>,
    boot: Clock,
}

/// What came of a claim there.
pub(super) enum Reserved {
    New(SharedReservation),
    Before(Vec<u8>),
}

/// Leave to sign once. Where it is dropped without an end, the ledger counts what it claims as spent.
pub(super) struct SharedReservation {
    ledger: SharedLedger,
    reservation: shared::Reservation,
    since: Duration,
}

impl SharedLedger {
    pub(super) fn new(ledger: Arc<dyn shared::Ledger>, boot: Clock) -> Self {
        Self { ledger, boot }
    }

    pub(super) async fn reserve(&self, claim: &Claim<'_>) -> Result<Reserved, Refused> {
        // From before it is asked: what it takes to answer is a part of the reservation's time.
        let since = self.boot.now();
        Ok(match within(self.ledger.reserve(claim)).await? {
            shared::Reserved::New(reservation) => Reserved::New(SharedReservation { ledger: self.clone(), reservation, since }),
            shared::Reserved::Before(signed) => Reserved::Before(signed),
        })
    }

    pub(super) async fn note(&self, note: &Note<'_>) -> Result<(), SharedError> {
        within(self.ledger.note(note)).await
    }

    pub(super) async fn enroll(&self, key: &[u8], purpose: &str) -> Result<(), SharedError> {
        within(self.ledger.enroll(key, purpose)).await
    }

    pub(super) async fn spent(&self, key: &[u8], agent: Option<&str>, assets: &[AssetId]) -> Result<Vec<Sums>, SharedError> {
        let sums = within(self.ledger.spent(key, agent, assets)).await?;
        if sums.len() != assets.len() {
            return Err(SharedError::Unavailable(format!("{} sums for {} assets", sums.len(), assets.len())));
        }
        Ok(sums)
    }

    pub(super) async fn standing(&self, key: &[u8]) -> Result<Standing, SharedError> {
        within(self.ledger.standing(key)).await
    }

    pub(super) async fn confirm(&self) -> Result<(), SharedError> {
        within(self.ledger.confirm()).await
    }
}

impl SharedReservation {
    /// Keeps the signature. When this returns, it may leave.
    pub(super) async fn commit(self, signed: &[u8]) -> Result<(), Unkept> {
        let Self { ledger: SharedLedger { ledger, boot }, reservation, since } = self;
        if boot.now().saturating_sub(since) > RESERVATION {
            return Err(Unkept::Late);
        }
        within(ledger.commit(&reservation, signed)).await.map_err(Unkept::There)
    }

    /// Gives back what was claimed. Where that fails, it counts as spent.
    pub(super) async fn release(self) {
        if let Err(why) = within(self.ledger.ledger.release(&self.reservation)).await {
            tracing::warn!("a reservation was not released, and counts as spent: {why}");
        }
    }
}
