//! A signature, from the request to its two halves. Whoever is asked by a host leads; the partner signs with it; the third acknowledges.
//!
//! 1. All three judge the request by themselves (`propose`): what one refuses costs nobody anything.
//! 2. The leader's entry goes to all ledgers (`reserve`). Each that takes it gives its word, signed.
//! 3. Leader and partner each look at the third's word. With it they sign within all of their limits; without it within a part, and say so.
//! 4. The partner takes the presignature out of its memory, and gives its half of the signature (`sign`). The leader does the same, joins the halves
//!    and verifies what comes out. Nobody's half is given twice.

use crate::agree::{Heard, unacknowledged};
use crate::judge::Judged;
use crate::ledger::{Acknowledgement, Entry, NotTaken, SignedEntry};
use crate::party::Party;
use crate::peers::{Ask, NoAnswer, Reply};
use crate::shares;
use std::time::{Duration, Instant};
use strongroom_ground::text::hex;
use strongroom_mpc::says::{Failure, FailureKind, Request, Signed};

/// How long what was reserved may wait to be signed.
const RESERVED: Duration = Duration::from_secs(120);
/// Most requests that wait to be signed.
const MOST_WAITING: usize = 256;

/// Something that was reserved here, and may be signed as a partner.
pub struct Waiting {
    entry: Entry,
    signed: SignedEntry,
    request: Request,
    since: Instant,
}

/// What the other two say of a request: who would sign it too, and what those see that would not.
struct Proposed {
    partners: Vec<usize>,
    against: Vec<(usize, NoAnswer)>,
}

impl Party {
    /// Signs, with one of the others.
    ///
    /// # Errors
    /// [`Failure`], with what each party saw. [`FailureKind::Unknown`] where an entry for it was here before: somebody may have signed it.
    pub async fn signed(&self, request: &Request) -> Result<Signed, Failure> {
        let was_begun = self.ledger.find(request).is_some_and(|known| self.is_for(&known, request));
        self.led_signature(request).await.map_err(|failure| match was_begun {
            true => Failure { kind: FailureKind::Unknown, ..failure },
            false => failure,
        })
    }

    fn is_for(&self, known: &SignedEntry, request: &Request) -> bool {
        let judged = self.share(&request.key).and_then(|share| self.judge.judge(request, share.address));
        judged.is_ok_and(|judged| known.entry.is_for(request, &judged))
    }

    async fn led_signature(&self, request: &Request) -> Result<Signed, Failure> {
        let own = self.trio.name(self.trio.index);
        let refused = |why: String| Failure::of(FailureKind::Refused, own, why);
        let failed = |why: NoAnswer| Failure::of(kind(&why), own, why.words());
        let share = self.share(&request.key).map_err(refused)?;
        let judged = self.judge.judge(request, share.address).map_err(refused)?;
        self.judge.within_rate(request).map_err(refused)?;
        let begun = self.known(request, &judged).map_err(refused)?;

        let proposed = self.propose(request, &judged).await?;
        let signed = match begun {
            Some(known) => known,
            None => {
                let limits = self.limits(request, &share);
                // What would not be signed without the third does not use the limits up either.
                if let [(_, why)] = &proposed.against[..] {
                    let room = self.ledger.has_room(request, &judged, &limits, self.alone);
                    room.map_err(|over| refused(unacknowledged(&over, &why.clone().words())))?;
                }
                self.ledger.begin(request, &judged, &limits).await.map_err(|why| failed(why.no_answer(NoAnswer::Refused)))?
            }
        };
        self.ledger.kept(&signed.entry).await.map_err(|why| failed(NoAnswer::Away(why)))?;
        let mut saw: Vec<_> =
            proposed.against.iter().map(|(party, why)| (self.trio.name(*party).to_owned(), why.clone().words())).collect();
        let mut worst = FailureKind::Unavailable;
        for partner in proposed.partners {
            let third = self.trio.third(partner);
            let against = proposed.against.iter().find(|(party, _)| *party == third).map(|(_, why)| why.clone());
            match self.signed_with(partner, against, &signed, request, &judged, &share).await {
                Ok(made) => return Ok(made),
                Err(failure) => {
                    worst = worst.max(failure.kind);
                    saw.extend(failure.saw);
                }
            }
        }
        Err(Failure { kind: worst, saw })
    }

    /// Signs with that partner. `against` is why the third is not asked to acknowledge it.
    async fn signed_with(
        &self,
        partner: usize,
        against: Option<NoAnswer>,
        signed: &SignedEntry,
        request: &Request,
        judged: &Judged,
        share: &shares::Share,
    ) -> Result<Signed, Failure> {
        let own = self.trio.name(self.trio.index);
        let failed = |why: NoAnswer| Failure::of(kind(&why), self.trio.name(partner), why.words());
        let third = self.trio.third(partner);
        let asked = tokio::join!(self.reserve(partner, signed, request), self.acknowledged(third, against, signed, request));
        let (with_partner, with_third) = asked;
        with_partner.map_err(failed)?;
        let word = self.settle(third, &signed.entry, request, share, with_third).await;
        let word = word.map_err(|why| Failure::of(kind(&why), own, why.words()))?;
        let presignature = self.presignature(partner, &request.key).await;
        let (name, presignature) = presignature.map_err(|why| Failure::of(FailureKind::Unavailable, own, why))?;
        let ask = Ask::Sign { entry: signed.entry.hash(), presignature: name, third: word.clone().ok().map(Box::new) };
        let (half, alone) = match self.peers.ask(partner, &ask).await {
            Ok(Reply::Half(half, alone)) => (half, alone),
            // The partner's half may be on its way, and this party's never is: there is no signature.
            other => return Err(failed(not(other))),
        };
        let joined = presignature.sign(judged.digest).with(&half, judged.digest, &share.public);
        let signature = joined.ok_or_else(|| failed(NoAnswer::Wrong("its half makes no signature".to_owned())))?;
        let (with, lines) = (self.trio.name(partner), judged.lines.join("; "));
        tracing::info!(agent = request.agent, key = request.key, r = half.r(), "signed with {with}: {lines}");
        Ok(Signed { signature: hex(&signature), by: [own.to_owned(), with.to_owned()], unacknowledged: word.err().or(alone) })
    }

    /// The entry of the same request, where it was asked before under its idempotency key.
    fn known(&self, request: &Request, judged: &Judged) -> Result<Option<SignedEntry>, String> {
        match self.ledger.find(request) {
            Some(known) if known.entry.is_for(request, judged) => Ok(Some(known)),
            Some(_) => Err("the idempotency key stands for something else".to_owned()),
            None => Ok(None),
        }
    }

    /// Whether the others allow it.
    async fn propose(&self, request: &Request, judged: &Judged) -> Result<Proposed, Failure> {
        let [one, two] = self.trio.others();
        let ask = Ask::Propose(Box::new(request.clone()));
        let (first, second) = tokio::join!(self.peers.ask(one, &ask), self.peers.ask(two, &ask));
        let written: Vec<_> = judged.spends.iter().map(|(asset, amount)| (asset.to_string(), *amount)).collect();
        let fits = |answer: Heard<Reply>| match answer {
            Ok(Reply::Fits(digest, spends)) if digest == judged.digest && spends == written => Ok(()),
            Ok(Reply::Fits(digest, spends)) => {
                let here = format!("it would sign {} and spend {written:?} here", judged.digest);
                Err(NoAnswer::Wrong(format!("it would sign {digest} and spend {spends:?} there; {here}")))
            }
            other => Err(not(other)),
        };
        let mut proposed = Proposed { partners: Vec::new(), against: Vec::new() };
        for (party, answer) in [(one, first), (two, second)] {
            match fits(answer) {
                Ok(()) => proposed.partners.push(party),
                Err(why) => proposed.against.push((party, why)),
            }
        }
        if proposed.partners.is_empty() {
            let worst = proposed.against.iter().map(|(_, why)| kind(why)).max().unwrap_or(FailureKind::Unavailable);
            let saw = proposed.against.into_iter().map(|(party, why)| (self.trio.name(party).to_owned(), why.words()));
            return Err(Failure { kind: worst, saw: saw.collect() });
        }
        Ok(proposed)
    }

    /// Answers whether this party allows a request.
    ///
    /// # Errors
    /// Why not, in words.
    pub fn proposed(&self, request: &Request) -> Result<Reply, String> {
        let share = self.share(&request.key)?;
        let judged = self.judge.judge(request, share.address)?;
        self.known(request, &judged)?;
        let spends = judged.spends.iter().map(|(asset, amount)| (asset.to_string(), *amount)).collect();
        Ok(Reply::Fits(judged.digest, spends))
    }

    /// Takes an entry of another's, as a partner or as the third.
    ///
    /// # Errors
    /// Why not.
    pub async fn reserved(&self, leader: usize, signed: SignedEntry, request: Request) -> Heard<Reply> {
        let share = self.share(&request.key)?;
        let judged = self.judge.judge(&request, share.address)?;
        let entry = signed.entry.clone();
        if !entry.is_for(&request, &judged) {
            return Err(NoAnswer::Refused("the entry is not for that request, as it is decoded here".to_owned()));
        }
        // What either knew before it was started is known to both.
        self.compared(leader).await?;
        let hash = entry.hash();
        if self.ledger.get(entry.origin, entry.number, &hash).is_none() {
            self.judge.within_rate(&request)?;
        }
        match self.ledger.reserve(signed.clone(), &judged, &self.limits(&request, &share)).await {
            Ok(()) => {}
            Err(NotTaken::Gap) => return Ok(Reply::Behind(Box::new(self.ledger.standing()))),
            Err(NotTaken::Forked(other)) => return Ok(Reply::Forked(other)),
            Err(why) => return Err(why.no_answer(NoAnswer::Refused)),
        }
        let mut waiting = self.waiting.lock();
        waiting.retain(|_, known| known.since.elapsed() < RESERVED);
        if waiting.len() >= MOST_WAITING {
            return Err(NoAnswer::Refused("too many requests wait to be signed".to_owned()));
        }
        waiting.insert((hash.clone(), leader), Waiting { entry, signed, request, since: Instant::now() });
        drop(waiting);
        Ok(Reply::Reserved(Box::new(self.ledger.acknowledge(hash))))
    }

    /// Takes entries that were missing here.
    ///
    /// # Errors
    /// Why not.
    pub async fn taken(&self, entries: Vec<SignedEntry>) -> Heard<Reply> {
        for entry in entries {
            match self.ledger.catch_up(entry).await {
                Ok(()) => {}
                Err(NotTaken::Forked(other)) => return Ok(Reply::Forked(other)),
                Err(why) => return Err(why.no_answer(NoAnswer::Refused)),
            }
        }
        Ok(Reply::Done)
    }

    /// Gives this party's half of a signature.
    ///
    /// # Errors
    /// Why not.
    pub async fn half(&self, leader: usize, entry: &str, presignature: &str, third: Option<Acknowledgement>) -> Heard<Reply> {
        let waiting = self.waiting.lock().remove(&(entry.to_owned(), leader)).filter(|known| known.since.elapsed() < RESERVED);
        let Waiting { entry, signed, request, .. } =
            waiting.ok_or_else(|| "nothing was reserved under that name, or long ago".to_owned())?;
        let share = self.share(&request.key)?;
        let (hash, other) = (entry.hash(), self.trio.third(leader));
        let third = third.filter(|word| self.ledger.is_acknowledged(&hash, other, word) && self.is_even(&word.standing));
        // What the leader says of the third is not enough for signing without it.
        let third = match third {
            Some(word) => Ok(word),
            None => self.acknowledged(other, None, &signed, &request).await,
        };
        if let Err(NoAnswer::Forked(origin, why)) = &third
            && *origin != other
        {
            return Err(NoAnswer::Forked(*origin, why.clone()));
        }
        let made = self.pool.take_named(leader, self.trio.index, &request.key, presignature);
        let made = made.ok_or_else(|| "there is no presignature of that name here".to_owned())?;
        let word = self.settle(other, &entry, &request, &share, third).await?;
        let half = made.sign(entry.digest);
        tracing::info!(agent = request.agent, key = request.key, r = half.r(), "a half for {}", self.trio.name(leader));
        Ok(Reply::Half(half, word.err()))
    }
}

fn not(answer: Heard<Reply>) -> NoAnswer {
    answer.err().unwrap_or_else(|| NoAnswer::Wrong("it answers something else".to_owned()))
}

fn kind(why: &NoAnswer) -> FailureKind {
    match why {
        NoAnswer::Away(_) => FailureKind::Unavailable,
        NoAnswer::Refused(_) => FailureKind::Refused,
        NoAnswer::Wrong(_) | NoAnswer::Forked(..) => FailureKind::Disagreed,
    }
}
