//! The straight line of a signature: what a permit spends is reserved, the key is asked, the record is kept, and only then the signature leaves.

use super::any_ledger::{AnyLedger, AnyReservation};
use super::claim::Claimed;
use super::outliving::Outliving;
use super::report::{LINES, cut};
use super::unkept::Unkept;
use super::{Asked, Failure};
use crate::audit::Event;
use crate::keys::{Outcome, SignerError};
use crate::policy::{SignPermit, refused};
use futures_util::FutureExt;
use futures_util::future::{Either, ready};
use std::sync::Arc;
use std::time::Instant;

/// Signs what was permitted: reserves, asks the key, keeps the record, and only then gives the signature. A guest that ends meanwhile takes
/// nothing back.
pub(crate) fn sign(asked: Asked, permit: SignPermit) -> impl Future<Output = Result<Vec<u8>, Failure>> + use<> {
    // Who is asked elsewhere may be waited for by others too: that goes on whether the run is looked after or not.
    let signed = if asked.signing.is_shared() {
        Either::Right(tokio::spawn(asked.sign_among_hosts(permit)))
    } else {
        match asked.begin(permit) {
            Ok(Begun::New(leave)) if asked.signer.key.is_here() => Either::Left(Outliving::new(leave.sign(asked))),
            Ok(Begun::New(leave)) => Either::Right(tokio::spawn(leave.sign(asked))),
            Ok(Begun::Before(signed)) => return Either::Left(ready(Ok(signed))),
            Err(failure) => return Either::Left(ready(Err(failure))),
        }
    };
    let signed = match signed {
        Either::Left(here) => Either::Left(here.map(Result::ok)),
        Either::Right(elsewhere) => Either::Right(elsewhere.map(Result::ok)),
    };
    Either::Right(signed.map(|signed| signed.unwrap_or(Err(Failure::Unknown))))
}

/// What came of a request, before its key is asked.
enum Begun {
    New(ToSign),
    /// It was signed before, under the same idempotency key: the signed bytes.
    Before(Vec<u8>),
}

/// What was permitted, with what it spends reserved.
struct ToSign {
    reservation: AnyReservation,
    permit: SignPermit,
    lines: Arc<[String]>,
}

impl Asked {
    /// Reserves what a permit spends, on a host that shares nothing: at once.
    fn begin(&self, permit: SignPermit) -> Result<Begun, Failure> {
        let lines = lines(&permit);
        self.within_own_rate(Instant::now())?;
        let ledger = self.signing.own_ledger().map_err(|why| Failure::Denied(refused::ledger_stuck(&why)))?;
        match self.claim(ledger, &permit, &lines)? {
            Claimed::New(reservation) => Ok(Begun::New(ToSign { reservation, permit, lines })),
            Claimed::Before(signed) => {
                self.record(permit.digest(), permit.spends(), &lines, self.left_here(ledger, permit.spends()), true)?;
                self.give(signed).map(Begun::Before)
            }
        }
    }

    /// Reserves and signs where other hosts have a say.
    async fn sign_among_hosts(self, permit: SignPermit) -> Result<Vec<u8>, Failure> {
        let lines = lines(&permit);
        self.within_rate().await?;
        let ledger = self.signing.ledger().map_err(|why| Failure::Denied(refused::ledger_stuck(&why)))?;
        let claimed = match ledger {
            AnyLedger::Embedded(ledger) => self.claim(ledger, &permit, &lines)?,
            AnyLedger::Shared(ledger) => self.claim_there(ledger, &permit, &lines).await?,
        };
        match claimed {
            Claimed::New(reservation) => ToSign { reservation, permit, lines }.sign(self).await,
            Claimed::Before(signed) => {
                self.record(permit.digest(), permit.spends(), &lines, self.left(permit.spends()).await, true)?;
                self.give(signed)
            }
        }
    }
}

impl ToSign {
    async fn sign(self, asked: Asked) -> Result<Vec<u8>, Failure> {
        let Self { reservation, permit, lines } = self;
        if let Err(stopped) = asked.give(()) {
            reservation.release().await;
            return Err(stopped);
        }
        let (digest, spends) = (permit.digest(), permit.spends().to_vec());
        let mut signed = match asked.signer.key.sign(permit, &asked.signer.agent, asked.idempotency.as_deref()).await {
            Ok(Outcome::Signed(signed)) => signed,
            Ok(Outcome::Pending(ticket)) => return Err(asked.pending(ticket, digest, &lines).await),
            Err(error) => {
                let spent = matches!(error, SignerError::Unknown(_));
                if !spent {
                    reservation.release().await;
                }
                let reason = error.to_string();
                let event = Event::SignerFailed { signer: (&asked.signer.granted.spec.name).into(), reason: (&reason).into(), spent };
                asked.journal.record(event).map_err(|_| Failure::NoRecord)?;
                return Err(if spent { Failure::Unknown } else { Failure::Unreachable(reason) });
            }
        };
        if let Err(unkept) = reservation.commit(&signed).await {
            let (signer, reason) = (&asked.signer.granted.spec.name, unkept.of_signature());
            let recorded = asked.journal.record(Event::SignerFailed { signer: signer.into(), reason: reason.into(), spent: true });
            // The disk that is full may be the log's too: the ledger is what the signature failed by.
            return Err(match (recorded, unkept) {
                (Err(_), Unkept::Late | Unkept::Blocked(_) | Unkept::There(_)) => Failure::NoRecord,
                (_, unkept) => unkept.into(),
            });
        }
        asked.record(digest, &spends, &lines, asked.left(&spends).await, false)?;
        asked.give(std::mem::take(&mut *signed))
    }
}

/// What a permit does, as records keep it.
fn lines(permit: &SignPermit) -> Arc<[String]> {
    permit.lines().iter().take(LINES).cloned().map(cut).collect()
}
