//! The straight line of a signature: what a permit spends is reserved, the key is asked, the record is kept, and only then the signature leaves.

use super::ledger::{Ceiling, Claim, Refused, Reservation, Reserved};
use super::outliving::Outliving;
use super::report::{LINES, cut};
use super::{Asked, Failure, Use};
use crate::audit::Event;
use crate::keys::{Outcome, SignerError};
use crate::policy::{Denial, Limit, SignPermit, refused};
use futures_util::FutureExt;
use futures_util::future::{Either, ready};
use std::sync::Arc;

/// Signs what was permitted: reserves, asks the key, keeps the record, and only then gives the signature. A guest that ends meanwhile takes
/// nothing back.
pub(crate) fn sign(asked: Asked, permit: SignPermit) -> impl Future<Output = Result<Vec<u8>, Failure>> + use<> {
    match asked.claim(permit) {
        Ok(Claimed::New(leave)) => {
            let at_once = asked.signer.key.is_here();
            let work = leave.sign(asked);
            // Who is asked elsewhere may be waited for by others too: that goes on whether the run is looked after or not.
            let signed = if at_once {
                Either::Left(Outliving::new(work).map(Result::ok))
            } else {
                Either::Right(tokio::spawn(work).map(Result::ok))
            };
            Either::Right(signed.map(|signed| signed.unwrap_or(Err(Failure::Unknown))))
        }
        Ok(Claimed::Before(signed)) => Either::Left(ready(Ok(signed))),
        Err(failure) => Either::Left(ready(Err(failure))),
    }
}

/// What came of a claim on what a permit spends.
enum Claimed {
    New(ToSign),
    /// It was signed before, under the same idempotency key: the signed bytes.
    Before(Vec<u8>),
}

/// What was permitted, with what it spends reserved.
struct ToSign {
    reservation: Box<Reservation>,
    permit: SignPermit,
    lines: Arc<[String]>,
}

impl ToSign {
    async fn sign(self, asked: Asked) -> Result<Vec<u8>, Failure> {
        let Self { reservation, permit, lines } = self;
        let (digest, spends) = (permit.digest(), permit.spends().to_vec());
        let mut signed = match asked.signer.key.sign(permit, &asked.signer.agent).await {
            Ok(Outcome::Signed(signed)) => signed,
            Ok(Outcome::Pending(ticket)) => {
                let reason = format!("it waits for a decision, under the ticket {}", crate::text::for_people(ticket.as_str()));
                let event = Event::SignerFailed { signer: (&asked.signer.granted.spec.name).into(), reason: reason.into(), spent: true };
                asked.journal.record(event).map_err(|_| Failure::NoRecord)?;
                return Err(Failure::Pending);
            }
            Err(error) => {
                let spent = matches!(error, SignerError::Unknown(_));
                if !spent {
                    reservation.release();
                }
                let event =
                    Event::SignerFailed { signer: (&asked.signer.granted.spec.name).into(), reason: error.to_string().into(), spent };
                asked.journal.record(event).map_err(|_| Failure::NoRecord)?;
                return Err(if spent { Failure::Unknown } else { Failure::Unreachable });
            }
        };
        reservation.commit(&signed).await.map_err(|why| {
            tracing::error!("a signature was not given out: {why}");
            Failure::NoRecord
        })?;
        asked.record(digest, &spends, &lines, false)?;
        Ok(std::mem::take(&mut *signed))
    }
}

impl Asked {
    /// The agent's limits.
    pub(super) fn limits(&self) -> &[Limit] {
        match &self.signer.granted.policy {
            Use::Wallet(policy) => policy.limits(),
            _ => &[],
        }
    }

    /// The ceilings of a key that lies in this process.
    fn ceilings(&self) -> &[Ceiling] {
        if self.signer.key.is_hot() { self.signing.hot.ceilings() } else { &[] }
    }

    /// Claims what a permit spends.
    fn claim(&self, permit: SignPermit) -> Result<Claimed, Failure> {
        let lines: Arc<[String]> = permit.lines().iter().take(LINES).cloned().map(cut).collect();
        self.within_rate()?;
        let ledger = self.signing.ledger().map_err(|why| Failure::Denied(refused::ledger(&why)))?;
        let caps = self.signing.caps(self.signer.key.address());
        let claim = Claim {
            key: &self.signer.id,
            purpose: self.signer.purpose(),
            agent: &self.signer.agent,
            digest: permit.digest(),
            nonce: permit.nonce(),
            spends: permit.spends(),
            limits: self.limits(),
            caps: &caps,
            ceilings: self.ceilings(),
            lines: Arc::clone(&lines),
            idempotency: self.idempotency.as_deref(),
        };
        match ledger.reserve(&claim) {
            Ok(Reserved::New(reservation)) => Ok(Claimed::New(ToSign { reservation, permit, lines })),
            Ok(Reserved::Before(signed)) => {
                self.record(permit.digest(), permit.spends(), &lines, true)?;
                Ok(Claimed::Before(signed))
            }
            Err(refused) => Err(Failure::Denied(self.refusal(refused))),
        }
    }

    fn refusal(&self, why: Refused) -> Denial {
        match (why, &self.signer.granted.policy) {
            (Refused::Limit { asset, window, own }, Use::Wallet(policy)) => policy.over_limit(asset, window, own),
            (Refused::Hot { ceiling }, _) => refused::over_ceiling(&ceiling),
            (Refused::Limit { .. }, _) => refused::ledger("the ledger has a limit for a key that has none"),
            (Refused::Idempotency(why), _) => refused::idempotency(why),
            (Refused::Blocked(why), _) => refused::ledger(&why),
        }
    }
}
