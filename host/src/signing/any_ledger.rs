//! The ledger that a host signs by: its own, or one that it shares. Its own is called directly.

use super::ledger::{Ledger, Reservation};
use super::shared_ledger::{SharedLedger, SharedReservation};
use super::unkept::Unkept;
use crate::policy::AssetId;
use crate::shared::{Note, SharedError, Standing, Sums};
use zeroize::Zeroizing;

/// The one or the other.
#[derive(Clone, Copy)]
pub(super) enum AnyLedger<'a> {
    Embedded(&'a Ledger),
    Shared(&'a SharedLedger),
}

/// Leave to sign once, by either.
pub(super) enum AnyReservation {
    Embedded(Box<Reservation>),
    Shared(SharedReservation),
}

impl AnyLedger<'_> {
    pub(super) async fn note(self, note: &Note<'_>) -> Result<(), Unkept> {
        match self {
            Self::Embedded(ledger) => ledger.note(note).await,
            Self::Shared(ledger) => ledger.note(note).await.map_err(Unkept::There),
        }
    }

    pub(super) async fn enroll(self, key: &[u8], purpose: &str) -> Result<(), SharedError> {
        match self {
            Self::Embedded(ledger) => ledger.enroll(key, purpose).await.map_err(SharedError::Refused),
            Self::Shared(ledger) => ledger.enroll(key, purpose).await,
        }
    }

    /// What was spent of each of these assets.
    pub(super) async fn spent(self, key: &[u8], agent: Option<&str>, assets: &[AssetId]) -> Result<Vec<Sums>, SharedError> {
        match self {
            Self::Embedded(ledger) => Ok(assets.iter().map(|asset| ledger.spent(key, agent, *asset)).collect()),
            Self::Shared(ledger) => ledger.spent(key, agent, assets).await,
        }
    }

    pub(super) async fn standing(self, key: &[u8]) -> Result<Standing, SharedError> {
        match self {
            Self::Embedded(ledger) => {
                let doubts = ledger.doubts();
                Ok(Standing { purpose: ledger.purpose(key), blocked: doubts.blocked, stopped: doubts.stopped })
            }
            Self::Shared(ledger) => ledger.standing(key).await,
        }
    }

    pub(super) async fn confirm(self) -> Result<(), SharedError> {
        match self {
            Self::Embedded(ledger) => ledger.confirm().await.map_err(SharedError::Unavailable),
            Self::Shared(ledger) => ledger.confirm().await,
        }
    }
}

impl AnyReservation {
    /// Keeps the signature. When this returns, it may leave.
    pub(super) async fn commit(self, signed: &Zeroizing<Vec<u8>>) -> Result<(), Unkept> {
        match self {
            Self::Embedded(reservation) => reservation.commit(signed).await,
            Self::Shared(reservation) => reservation.commit(signed).await,
        }
    }

    /// Gives back what was claimed: it is certain that there is no signature.
    pub(super) async fn release(self) {
        match self {
            Self::Embedded(reservation) => reservation.release(),
            Self::Shared(reservation) => reservation.release().await,
        }
    }
}
