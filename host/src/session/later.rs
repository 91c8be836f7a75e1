//! The manifests of an agent that were read since its runs began. A session may do what its own manifest lets it, and no more than each of these:
//! what was withdrawn stays withdrawn from a run that never ends, though a later manifest grant it again. It gains nothing.

use super::{Refused, Session};
use crate::lock::RwLock;
use crate::manifest::{Manifest, Rate, SignerSpec, StateSpec};
use crate::policy::{Asked, Closed, Denial, Leave, Permit, Policy, is_alike};
use crate::text;
use crate::url::CanonicalUrl;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// How many there may be. A run that goes on past so many is ended at its next request or signature.
const MOST: usize = 16;

/// Those that were read since the agent of some runs was loaded, in their order: one swap, which all of them see.
#[derive(Default)]
pub(crate) struct Later {
    read: RwLock<Arc<[Arc<Read>]>>,
    /// How many there are, for those who look often.
    count: AtomicUsize,
}

/// One of them, as runs of the earlier manifest are held to it.
pub(crate) struct Read {
    policy: Policy,
    /// What it says of each signer.
    signers: Vec<SignerSpec>,
    state: Option<StateSpec>,
    edition: Edition,
}

/// What tells manifests apart by what they let an agent do.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Edition([u8; 32]);

/// What a request may do, by its run's own manifest and all later ones.
pub(crate) struct Judgement {
    pub(crate) permit: Permit,
    /// The permits of the later ones, which are charged beside it.
    by: Vec<(Arc<Read>, Permit)>,
}

/// What a request was charged, by its run's own manifest and all later ones.
pub(crate) struct Charged {
    leave: Leave,
    by: Vec<Leave>,
}

impl Later {
    /// Has runs of `earlier` held to a manifest that was read now. One that lets an agent do the same as another before changes nothing.
    pub(crate) fn add(&self, manifest: &Manifest, earlier: &Manifest, closed: Closed) {
        let edition = Edition::of(manifest);
        let mut read = self.read.write();
        let is_known = edition == Edition::of(earlier) || read.iter().any(|known| known.edition == edition);
        if is_known || read.len() > MOST {
            return;
        }
        let (_, _, signers, state) = manifest.granted();
        let new = Read { policy: Policy::later(manifest, earlier, closed), signers, state, edition };
        *read = read.iter().cloned().chain([Arc::new(new)]).collect();
        self.count.store(read.len(), Ordering::Release);
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    /// Whether a signer of an earlier manifest is one of all these, as it was.
    pub(crate) fn still_signs(&self, spec: &SignerSpec) -> Result<(), Denial> {
        if self.count() == 0 {
            return Ok(());
        }
        let spec = spec.without_lines();
        let has_it = |read: &Arc<Read>| read.signers.iter().any(|known| known.name == spec.name && is_alike(known, &spec));
        if self.all()?.iter().all(has_it) { Ok(()) } else { Err(Denial::of_another_signer(&spec.name)) }
    }

    fn all(&self) -> Result<Arc<[Arc<Read>]>, Denial> {
        let read = Arc::clone(&self.read.read());
        if read.len() > MOST { Err(Denial::read_too_often(read.len())) } else { Ok(read) }
    }
}

impl Edition {
    pub(crate) fn of(manifest: &Manifest) -> Self {
        Self(Sha256::digest(format!("{:?}", manifest.granted())).into())
    }

    /// What the audit log calls it: its first 8 hexadecimal digits.
    pub(crate) fn name(&self) -> String {
        text::hex(&self.0[..4])
    }
}

impl Session {
    /// Whether a request may only be judged with its body at hand.
    pub(crate) fn reads_body(&self, asked: &Asked<'_>) -> bool {
        let by_later = || self.later.read.read().iter().any(|read| read.policy.reads_body(asked));
        self.policy.reads_body(asked) || self.later.count() > 0 && by_later()
    }

    /// The verdict on a request, by the run's own manifest and all that were read since.
    pub(crate) fn judge(&self, asked: &Asked<'_>) -> Result<Judgement, Denial> {
        let placeholders = &self.keyring.placeholders;
        let mut permit = self.policy.authorize(asked, placeholders)?;
        let mut by = Vec::new();
        if self.later.count() > 0 {
            for read in self.later.all()?.iter() {
                let (left, own) = read.policy.confirm(permit, asked, placeholders)?;
                by.push((Arc::clone(read), own));
                permit = left;
            }
        }
        if let Some((last, _)) = by.last() {
            permit = permit.judged_by(by.len(), last.edition.name().into());
        }
        Ok(Judgement { permit, by })
    }

    /// Charges a request to the rates of all; or to none, where one has no room left.
    pub(crate) fn charge(&self, judgement: &Judgement, now: Instant) -> Result<Charged, Denial> {
        let mut charged = Charged { leave: self.policy.charge(&judgement.permit, now)?, by: Vec::new() };
        for (read, permit) in &judgement.by {
            match read.policy.charge(permit, now) {
                Ok(leave) => charged.by.push(leave),
                Err(denial) => {
                    self.refund(judgement, charged);
                    return Err(denial);
                }
            }
        }
        Ok(charged)
    }

    /// Takes back what a request was charged that is not sent.
    pub(crate) fn refund(&self, judgement: &Judgement, charged: Charged) {
        self.policy.refund(&judgement.permit, charged.leave);
        judgement.by.iter().zip(charged.by).for_each(|((read, permit), leave)| read.policy.refund(permit, leave));
    }

    /// The rates that a request draws on among several hosts: of those with one name, the lowest.
    pub(crate) fn rates<'j>(&'j self, judgement: &'j Judgement) -> Vec<(&'j str, Rate)> {
        let mut rates: Vec<(&str, Rate)> = self.policy.rates(&judgement.permit).collect();
        for (name, rate) in judgement.by.iter().flat_map(|(read, permit)| read.policy.rates(permit)) {
            match rates.iter_mut().find(|(known, _)| *known == name) {
                None => rates.push((name, rate)),
                Some((_, known)) if per_second(rate) < per_second(*known) => *known = rate,
                Some(_) => {}
            }
        }
        rates
    }

    /// Whether the manifest that a request was judged by is still the last: what waits to leave is judged again otherwise.
    pub(crate) fn is_judged(&self, permit: &Permit) -> Result<(), Refused> {
        if self.later.count() <= permit.later() { Ok(()) } else { Err(self.deny(Denial::read_meanwhile(permit))) }
    }

    /// Whether all manifests let requests to this URL pass; and whether with credentials of the agent's own.
    pub(crate) fn opens(&self, url: &CanonicalUrl) -> Option<bool> {
        let own = self.policy.opens(url)?;
        let read = Arc::clone(&self.later.read.read());
        read.iter().try_fold(own, |own, read| Some(read.policy.opens(url)? && own))
    }

    /// Whether what is under way still may be, by what was read since it was judged.
    pub(crate) fn still_admits(&self, permit: &Permit) -> Result<(), Refused> {
        if self.later.count() <= permit.later() {
            return Ok(());
        }
        let still =
            self.later.all().and_then(|read| read.iter().skip(permit.later()).try_for_each(|read| read.policy.still_admits(permit)));
        still.map_err(|denial| self.deny(denial))
    }

    /// Whether a signer of the run is one of all later manifests, as it was.
    pub(crate) fn still_signs(&self, spec: &SignerSpec) -> Result<(), Denial> {
        self.later.still_signs(spec)
    }

    /// Whether all later manifests let the run keep as much of a state as its own does.
    pub(crate) fn still_keeps(&self, spec: &StateSpec) -> Result<(), Denial> {
        if self.later.count() == 0 {
            return Ok(());
        }
        let keeps = |read: &Arc<Read>| {
            let Some(later) = &read.state else { return false };
            let has_rule = |rule: &String| later.leaks_allowed.contains(rule);
            later.max_size >= spec.max_size && later.max_keys >= spec.max_keys && spec.leaks_allowed.iter().all(has_rule)
        };
        if self.later.all()?.iter().all(keeps) { Ok(()) } else { Err(Denial::of_less_state()) }
    }
}

impl Charged {
    /// The leave to send: what the later manifests were charged stays so.
    pub(crate) fn into_leave(self) -> Leave {
        self.leave
    }
}

fn per_second(rate: Rate) -> f64 {
    f64::from(rate.requests) / rate.per.as_secs_f64()
}
