//! What a signature would spend, claimed before its key is asked: from this host's own ledger at once, from a shared one by asking it.

use super::any_ledger::AnyReservation;
use super::ledger::{self, Ledger};
use super::shared_ledger::{self, SharedLedger};
use super::{Asked, Bounds, Failure, Use};
use crate::policy::{Denial, Limit, SignPermit, refused};
use crate::shared::{Claim, Refused};
use std::sync::Arc;

/// The outcome of a claim.
pub(super) enum Claimed {
    New(AnyReservation),
    /// It was signed before, under the same idempotency key: the signed bytes.
    Before(Vec<u8>),
}

impl Asked {
    /// Claims what a permit spends.
    pub(super) fn claim(&self, ledger: &Ledger, permit: &SignPermit, lines: &Arc<[String]>) -> Result<Claimed, Failure> {
        let bounds = self.signing.bounds();
        match ledger.reserve(&self.of(permit, &self.caps(&bounds), &bounds, lines)) {
            Ok(ledger::Reserved::New(reservation)) => Ok(Claimed::New(AnyReservation::Embedded(reservation))),
            Ok(ledger::Reserved::Before(signed)) => Ok(Claimed::Before(signed)),
            Err(refused) => Err(Failure::Denied(self.refusal(refused))),
        }
    }

    /// The same of a ledger that hosts share.
    pub(super) async fn claim_there(&self, ledger: &SharedLedger, permit: &SignPermit, lines: &Arc<[String]>) -> Result<Claimed, Failure> {
        let bounds = self.signing.bounds();
        match ledger.reserve(&self.of(permit, &self.caps(&bounds), &bounds, lines)).await {
            Ok(shared_ledger::Reserved::New(reservation)) => Ok(Claimed::New(AnyReservation::Shared(reservation))),
            Ok(shared_ledger::Reserved::Before(signed)) if permit.has_form(&signed) => Ok(Claimed::Before(signed)),
            Ok(shared_ledger::Reserved::Before(_)) => {
                Err(Failure::Denied(refused::ledger_silent("what it has kept under the idempotency key is not such a signature")))
            }
            Err(refused) => Err(Failure::Denied(self.refusal(refused))),
        }
    }

    fn of<'a>(&'a self, permit: &'a SignPermit, caps: &'a [Limit], bounds: &'a Bounds, lines: &Arc<[String]>) -> Claim<'a> {
        Claim {
            key: &self.signer.id,
            purpose: self.signer.purpose(),
            agent: &self.signer.agent,
            digest: permit.digest(),
            nonce: permit.nonce(),
            spends: permit.spends(),
            limits: self.limits(),
            caps,
            ceilings: if self.signer.key.is_hot() { bounds.ceilings() } else { &[] },
            lines: Arc::clone(lines),
            idempotency: self.idempotency.as_deref(),
        }
    }

    /// The agent's limits.
    pub(super) fn limits(&self) -> &[Limit] {
        match &self.signer.granted.policy {
            Use::Wallet(policy) => policy.limits(),
            _ => &[],
        }
    }

    /// The limits of the key over all agents.
    fn caps(&self, bounds: &Bounds) -> Vec<Limit> {
        bounds.caps(self.signer.key.address())
    }

    fn refusal(&self, why: Refused) -> Denial {
        match (why, &self.signer.granted.policy) {
            (Refused::Limit { asset, window, own }, Use::Wallet(policy)) => policy.over_limit(asset, window.as_str(), own),
            (Refused::Hot { ceiling }, _) => refused::over_ceiling(&ceiling),
            (Refused::Limit { .. }, _) => {
                refused::ledger_stuck("it names a limit for a key that has none: the ledger that this host shares is at fault")
            }
            (Refused::Idempotency(taken), _) => refused::idempotency(&taken.to_string()),
            (Refused::Blocked(why), _) => refused::ledger(&why),
            (Refused::Stuck(why), _) => refused::ledger_stuck(&why),
            (Refused::Unavailable(why), _) => refused::ledger_silent(&why),
        }
    }
}
