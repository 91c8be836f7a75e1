//! A signature, from the request to its two halves. Whoever is asked by a host leads; the partner signs with it; the third acknowledges.
//!
//! 1. All three judge the request by themselves (`propose`): what one refuses costs nobody anything.
//! 2. The leader's entry goes to all ledgers (`reserve`). Each that takes it gives its word, signed.
//! 3. Leader and partner each look at the third's word. With it they sign within all of their limits; without it within a part, and say so.
//! 4. The partner takes the presignature out of its memory, and gives its half of the signature (`sign`). The leader does the same, joins the halves
//!    and verifies what comes out. Nobody's half is given twice.

use crate::judge::Judged;
use crate::ledger::{Acknowledgement, Entry, NotTaken, Share, SignedEntry};
use crate::party::Party;
use crate::peers::{Ask, NoAnswer, Reply};
use crate::shares;
use std::time::{Duration, Instant};
use strongroom_core::policy::Limit;
use strongroom_ground::text::hex;
use strongroom_mpc::says::{Failure, FailureKind, Request, Signed};

/// How long a request may wait for a presignature.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long what was reserved may wait to be signed.
const RESERVED: Duration = Duration::from_secs(120);
/// How often two ledgers are compared for one request, while others write to them.
const ROUNDS: u32 = 8;

/// Something that was reserved here, and may be signed as a partner.
pub struct Waiting {
    entry: Entry,
    signed: SignedEntry,
    request: Request,
    since: Instant,
}

/// What came of asking another party.
type Heard<T> = Result<T, NoAnswer>;

impl Party {
    /// Signs, with one of the others.
    ///
    /// # Errors
    /// [`Failure`], with what each party saw.
    pub async fn signed(&self, request: &Request) -> Result<Signed, Failure> {
        let own = self.trio.name(self.trio.index);
        let refused = |why: String| Failure::of(FailureKind::Refused, own, why);
        let share = self.share(&request.key).map_err(refused)?;
        let judged = self.judge.judge(request, share.address).map_err(refused)?;
        self.judge.within_rate(request).map_err(refused)?;
        let begun = self.known(request, &judged).map_err(refused)?;

        let (partner, third, mut saw) = self.propose(request, &judged).await?;
        let signed = match begun {
            Some(known) => known,
            None => {
                let limits = self.limits(request, &share);
                // What would not be signed without the third does not use the limits up either.
                if let Err(why) = &third {
                    let room = self.ledger.has_room(request, &judged, &limits, self.alone);
                    room.map_err(|over| refused(unacknowledged(&over, why)))?;
                }
                self.ledger.begin(request, &judged, &limits).await.map_err(refused)?
            }
        };
        let hash = signed.entry.hash();
        let (with_partner, with_third) = tokio::join!(self.reserve(partner, &signed, request), async {
            match &third {
                Ok(third) => self.reserve(*third, &signed, request).await,
                Err(why) => Err(NoAnswer::Away(why.clone())),
            }
        });
        if let Err(why) = with_partner {
            saw.push((self.trio.name(partner).to_owned(), why.clone().words()));
            return Err(Failure { kind: kind(&why), saw });
        }
        let word = self.settle(&signed.entry, request, &share, with_third).await.map_err(refused)?;
        let (name, presignature) =
            self.presignature(partner, &request.key).await.map_err(|why| Failure::of(FailureKind::Unavailable, own, why))?;
        let acknowledgement = word.clone().ok().map(Box::new);
        let ask = Ask::Sign { entry: hash, presignature: name, third: acknowledgement };
        let (half, alone) = match self.peers.ask(partner, &ask).await {
            Ok(Reply::Half(half, alone)) => (half, alone),
            // The partner's half may be on its way, and this party's never is: there is no signature.
            other => {
                let why = not(other);
                saw.push((self.trio.name(partner).to_owned(), why.clone().words()));
                return Err(Failure { kind: kind(&why), saw });
            }
        };
        let joined = presignature.sign(judged.digest).with(&half, judged.digest, &share.public);
        let signature =
            joined.ok_or_else(|| Failure::of(FailureKind::Disagreed, self.trio.name(partner), "its half makes no signature"))?;
        tracing::info!(
            agent = request.agent,
            key = request.key,
            r = half.r(),
            "signed with {}: {}",
            self.trio.name(partner),
            judged.lines.join("; ")
        );
        Ok(Signed {
            signature: hex(&signature),
            by: [own.to_owned(), self.trio.name(partner).to_owned()],
            unacknowledged: word.err().or(alone),
        })
    }

    /// The entry of the same request, where it was asked before under its idempotency key.
    fn known(&self, request: &Request, judged: &Judged) -> Result<Option<SignedEntry>, String> {
        match self.ledger.find(request) {
            Some(known) if known.entry.is_for(request, judged) => Ok(Some(known)),
            Some(_) => Err("the idempotency key stands for something else".to_owned()),
            None => Ok(None),
        }
    }

    /// Who signs too, and who is the third, or why there is none. What the others saw, where they don't allow it.
    async fn propose(&self, request: &Request, judged: &Judged) -> Result<(usize, Result<usize, String>, Vec<(String, String)>), Failure> {
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
        let words = |party: usize, why: &NoAnswer| (self.trio.name(party).to_owned(), why.clone().words());
        match (fits(first), fits(second)) {
            (Ok(()), Ok(())) => Ok((one, Ok(two), Vec::new())),
            (Ok(()), Err(why)) => Ok((one, Err(why.clone().words()), vec![words(two, &why)])),
            (Err(why), Ok(())) => Ok((two, Err(why.clone().words()), vec![words(one, &why)])),
            (Err(first), Err(second)) => {
                let saw = vec![words(one, &first), words(two, &second)];
                Err(Failure { kind: kind(&first).max(kind(&second)), saw })
            }
        }
    }

    /// Has another party take an entry. What it lacks before that is brought first, and what this one lacks is had.
    async fn reserve(&self, party: usize, signed: &SignedEntry, request: &Request) -> Heard<Acknowledgement> {
        let hash = signed.entry.hash();
        let ask = Ask::Reserve { entry: Box::new(signed.clone()), request: Box::new(request.clone()) };
        for _ in 0..ROUNDS {
            let standing = match self.peers.ask(party, &ask).await? {
                Reply::Reserved(word) if self.ledger.is_acknowledged(&hash, party, &word) => {
                    if self.ledger.owed(&word.standing).is_empty() && self.ledger.lacking(&word.standing).is_empty() {
                        return Ok(*word);
                    }
                    word.standing
                }
                Reply::Behind(standing) => *standing,
                _ => return Err(NoAnswer::Wrong("it gives no word that can be verified".to_owned())),
            };
            self.even(party, &standing, Some(&signed.entry)).await?;
        }
        Err(NoAnswer::Wrong("its ledger does not come to agree with the one here".to_owned()))
    }

    /// Brings another's ledger what it lacks, and has from it what is missing here.
    async fn even(&self, party: usize, there: &crate::ledger::Standing, up_to: Option<&Entry>) -> Heard<()> {
        if let Some(origin) = self.ledger.forked(there) {
            return Err(NoAnswer::Wrong(format!(
                "its entries of `{}` are not those that are here: a ledger was put back or forged",
                self.trio.name(origin)
            )));
        }
        let mut owed = self.ledger.owed(there);
        // What is to be taken there needs all that came before it.
        if let Some(entry) = up_to
            && there.counts[entry.origin] + 1 < entry.number
            && !owed.iter().any(|(origin, _)| *origin == entry.origin)
        {
            owed.push((entry.origin, there.counts[entry.origin] + 1));
        }
        for (origin, from) in owed {
            let entries = self.ledger.entries(origin, from);
            if !entries.is_empty() {
                self.peers.ask(party, &Ask::Take(entries)).await?;
            }
        }
        for (origin, from) in self.ledger.lacking(there) {
            let Reply::Entries(entries) = self.peers.ask(party, &Ask::Give(origin, from)).await? else {
                return Err(NoAnswer::Wrong("it gives no entries".to_owned()));
            };
            for entry in entries {
                self.ledger.catch_up(entry).await.map_err(|why| NoAnswer::Wrong(why.words()))?;
            }
        }
        Ok(())
    }

    /// Decides, with the third's word or without, whether this party may sign: within all of its limits, or within a part.
    async fn settle(
        &self,
        entry: &Entry,
        request: &Request,
        share: &shares::Share,
        third: Heard<Acknowledgement>,
    ) -> Result<Result<Acknowledgement, String>, String> {
        let limits = self.limits(request, share);
        match third {
            Ok(word) => {
                self.ledger.within(entry, &limits, Share::Whole)?;
                Ok(Ok(word))
            }
            Err(why) => {
                let why = why.words();
                self.ledger.within(entry, &limits, self.alone).map_err(|over| unacknowledged(&over, &why))?;
                self.ledger.alone(entry).await?;
                Ok(Err(why))
            }
        }
    }

    /// A presignature for a partner, once there is one.
    async fn presignature(&self, partner: usize, key: &str) -> Result<(String, crate::presignature::Presignature), String> {
        let until = tokio::time::Instant::now() + PATIENCE;
        loop {
            let made = self.made.notified();
            let found = self.pool.take(self.trio.index, partner, key);
            self.taken.notify_one();
            if let Some(found) = found {
                return Ok(found);
            }
            if tokio::time::timeout_at(until, made).await.is_err() {
                return Err(format!(
                    "no presignature with {} within {} s; ask less often, or give the parties more cores",
                    self.trio.name(partner),
                    PATIENCE.as_secs()
                ));
            }
        }
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
    /// Why not, in words.
    pub async fn reserved(&self, leader: usize, signed: SignedEntry, request: Request) -> Result<Reply, String> {
        let share = self.share(&request.key)?;
        let judged = self.judge.judge(&request, share.address)?;
        let entry = signed.entry.clone();
        if !entry.is_for(&request, &judged) {
            return Err("the entry is not for that request, as it is decoded here".to_owned());
        }
        match self.ledger.reserve(signed.clone(), &judged, &self.limits(&request, &share)).await {
            Ok(()) => {}
            Err(NotTaken::Gap) => return Ok(Reply::Behind(Box::new(self.ledger.standing()))),
            Err(why) => return Err(why.words()),
        }
        let hash = entry.hash();
        let mut waiting = self.waiting.lock();
        waiting.retain(|_, known| known.since.elapsed() < RESERVED);
        waiting.insert((hash.clone(), leader), Waiting { entry, signed, request, since: Instant::now() });
        drop(waiting);
        Ok(Reply::Reserved(Box::new(self.ledger.acknowledge(hash))))
    }

    /// Takes entries that were missing here.
    ///
    /// # Errors
    /// Why not, in words.
    pub async fn taken(&self, entries: Vec<SignedEntry>) -> Result<Reply, String> {
        for entry in entries {
            self.ledger.catch_up(entry).await.map_err(NotTaken::words)?;
        }
        Ok(Reply::Done)
    }

    /// Gives this party's half of a signature.
    ///
    /// # Errors
    /// Why not, in words.
    pub async fn half(&self, leader: usize, entry: &str, presignature: &str, third: Option<Acknowledgement>) -> Result<Reply, String> {
        let waiting = self.waiting.lock().remove(&(entry.to_owned(), leader)).filter(|known| known.since.elapsed() < RESERVED);
        let Waiting { entry, signed, request, .. } = waiting.ok_or("nothing was reserved under that name, or long ago")?;
        let share = self.share(&request.key)?;
        self.judge.within_rate(&request)?;
        let (hash, other) = (entry.hash(), self.trio.third(leader));
        let is_even =
            |word: &Acknowledgement| self.ledger.owed(&word.standing).is_empty() && self.ledger.lacking(&word.standing).is_empty();
        let third = third.filter(|word| self.ledger.is_acknowledged(&hash, other, word) && is_even(word));
        // What the leader says of the third is not enough for signing without it.
        let third = match third {
            Some(word) => Ok(word),
            None => self.reserve(other, &signed, &request).await,
        };
        let word = self.settle(&entry, &request, &share, third).await?;
        let made = self.pool.take_named(leader, self.trio.index, &request.key, presignature);
        let made = made.ok_or("there is no presignature of that name here")?;
        let half = made.sign(entry.digest);
        tracing::info!(agent = request.agent, key = request.key, r = half.r(), "a half for {}", self.trio.name(leader));
        Ok(Reply::Half(half, word.err()))
    }

    fn limits(&self, request: &Request, share: &shares::Share) -> [Vec<Limit>; 2] {
        self.judge.limits(&request.key, &request.agent, share.address)
    }
}

impl NotTaken {
    /// For people.
    pub fn words(self) -> String {
        match self {
            Self::Gap => "entries before it are missing here".to_owned(),
            Self::Forked(why) => format!("{why}: a ledger was put back or forged"),
            Self::Wrong(why) | Self::Unwritable(why) => why,
        }
    }
}

fn unacknowledged(over: &str, why: &str) -> String {
    format!("{over}, and the third party has not acknowledged it ({why})")
}

fn not(answer: Heard<Reply>) -> NoAnswer {
    answer.err().unwrap_or_else(|| NoAnswer::Wrong("it answers something else".to_owned()))
}

fn kind(why: &NoAnswer) -> FailureKind {
    match why {
        NoAnswer::Away(_) => FailureKind::Unavailable,
        NoAnswer::Refused(_) => FailureKind::Refused,
        NoAnswer::Wrong(_) => FailureKind::Disagreed,
    }
}
