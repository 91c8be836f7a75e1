//! How two ledgers come to agree: a party takes an entry and gives its word for it, has what it lacks, and gives what the other lacks. And whether a
//! party may sign by what the others have said.

use crate::ledger::{Acknowledgement, Entry, NotTaken, Share, SignedEntry, Standing};
use crate::party::Party;
use crate::peers::{Ask, NoAnswer, Reply};
use crate::shares;
use std::time::Duration;
use strongroom_core::policy::Limit;
use strongroom_mpc::says::Request;

/// How long the third may take to acknowledge an entry.
const THIRD: Duration = Duration::from_secs(6);
/// How often two ledgers are compared for one request, while others write to them.
const ROUNDS: u32 = 8;

/// What came of asking another party.
pub(crate) type Heard<T> = Result<T, NoAnswer>;

impl Party {
    /// Has the third acknowledge an entry, in a time after which it counts as out of reach. `against` is why it is known not to.
    pub(crate) async fn acknowledged(
        &self,
        third: usize,
        against: Option<NoAnswer>,
        signed: &SignedEntry,
        request: &Request,
    ) -> Heard<Acknowledgement> {
        let acknowledging = async {
            match against {
                // It does not allow it, and is to know of it all the same.
                Some(why @ (NoAnswer::Refused(_) | NoAnswer::Wrong(_))) => {
                    self.hand(third, signed).await?;
                    Err(why)
                }
                Some(why) => Err(why),
                None => self.reserve(third, signed, request).await,
            }
        };
        let late = || Err(NoAnswer::Away(format!("`{}` has not acknowledged it within {} s", self.trio.name(third), THIRD.as_secs())));
        tokio::time::timeout(THIRD, acknowledging).await.unwrap_or_else(|_| late())
    }

    /// Has another party take an entry, and give its word. What it lacks before that is brought first, and what this one lacks is had.
    pub(crate) async fn reserve(&self, party: usize, signed: &SignedEntry, request: &Request) -> Heard<Acknowledgement> {
        self.compared(party).await?;
        let hash = signed.entry.hash();
        let ask = Ask::Reserve { entry: Box::new(signed.clone()), request: Box::new(request.clone()) };
        for _ in 0..ROUNDS {
            let standing = match self.peers.ask(party, &ask).await {
                Ok(Reply::Reserved(word)) if self.ledger.is_acknowledged(&hash, party, &word) => {
                    if self.is_even(&word.standing) {
                        return Ok(*word);
                    }
                    word.standing
                }
                Ok(Reply::Behind(standing)) => *standing,
                Ok(Reply::Forked(other)) => return Err(self.forked(&other)),
                Ok(_) => return Err(NoAnswer::Wrong("it gives no word that can be verified".to_owned())),
                Err(why @ NoAnswer::Refused(_)) => {
                    self.hand(party, signed).await?;
                    return Err(why);
                }
                Err(why) => return Err(why),
            };
            self.even(party, &standing, Some(&signed.entry)).await?;
        }
        Err(NoAnswer::Wrong("its ledger does not come to agree with the one here".to_owned()))
    }

    /// Whether nothing that was signed alone is missing here or there, and no chain differs.
    pub(crate) fn is_even(&self, there: &Standing) -> bool {
        self.ledger.owed(there).is_empty() && self.ledger.lacking(there).is_empty() && self.ledger.forked(there).is_none()
    }

    /// Has all that another party knows, once after either has started: also what this party itself has forgotten.
    pub(crate) async fn compared(&self, party: usize) -> Heard<()> {
        if self.peers.is_compared(party) {
            return Ok(());
        }
        loop {
            let standing = self.standing_of(party).await?;
            let boot = self.peers.boot(party);
            let behind = self.ledger.behind(&standing);
            if behind.is_empty() {
                self.peers.compared(party, &boot);
                return Ok(());
            }
            for (origin, from) in behind {
                self.have(party, origin, from).await?;
            }
        }
    }

    /// Decides, with the third's word or without, whether this party may sign: within all of its limits, or within a part.
    ///
    /// # Errors
    /// Why not.
    pub(crate) async fn settle(
        &self,
        third: usize,
        entry: &Entry,
        request: &Request,
        share: &shares::Share,
        word: Heard<Acknowledgement>,
    ) -> Heard<Result<Acknowledgement, String>> {
        let limits = self.limits(request, share);
        match word {
            Ok(word) => {
                self.ledger.within(entry, &limits, Share::Whole)?;
                Ok(Ok(word))
            }
            // Nothing is signed with a party of which it is proven that it tells different things.
            Err(NoAnswer::Forked(origin, why)) if origin != third => Err(NoAnswer::Forked(origin, why)),
            Err(why) => {
                let why = why.words();
                self.ledger.within(entry, &limits, self.alone).map_err(|over| unacknowledged(&over, &why))?;
                self.ledger.alone(entry).await.map_err(NoAnswer::Away)?;
                Ok(Err(why))
            }
        }
    }

    pub(crate) fn limits(&self, request: &Request, share: &shares::Share) -> [Vec<Limit>; 2] {
        self.judge.limits(&request.key, &request.agent, share.address)
    }

    /// Has a party know of an entry that it does not allow.
    async fn hand(&self, party: usize, signed: &SignedEntry) -> Heard<()> {
        let standing = self.standing_of(party).await?;
        self.even(party, &standing, Some(&signed.entry)).await?;
        self.give(party, vec![signed.clone()]).await
    }

    async fn standing_of(&self, party: usize) -> Heard<Standing> {
        match self.peers.ask(party, &Ask::Standing).await? {
            Reply::Standing(standing) => Ok(*standing),
            _ => Err(NoAnswer::Wrong("it does not say how far its ledger has come".to_owned())),
        }
    }

    /// Brings another's ledger what it lacks, and has from it what is missing here.
    async fn even(&self, party: usize, there: &Standing, up_to: Option<&Entry>) -> Heard<()> {
        if let Some(origin) = self.ledger.forked(there) {
            // It has to show what it has: its word alone could be a lie.
            self.have(party, origin, there.counts[origin]).await?;
            return Err(NoAnswer::Wrong("it says that a ledger was forged, and proves nothing".to_owned()));
        }
        let mut owed = self.ledger.owed(there);
        // What is to be taken there needs all that came before it.
        if let Some(entry) = up_to
            && there.counts[entry.origin].saturating_add(1) < entry.number
            && !owed.iter().any(|(origin, _)| *origin == entry.origin)
        {
            owed.push((entry.origin, there.counts[entry.origin].saturating_add(1)));
        }
        for (origin, from) in owed {
            let entries = self.ledger.entries(origin, from);
            if !entries.is_empty() {
                self.give(party, entries).await?;
            }
        }
        for (origin, from) in self.ledger.lacking(there) {
            self.have(party, origin, from).await?;
        }
        Ok(())
    }

    /// Has another party take entries.
    async fn give(&self, party: usize, entries: Vec<SignedEntry>) -> Heard<()> {
        match self.peers.ask(party, &Ask::Take(entries)).await? {
            Reply::Done => Ok(()),
            Reply::Forked(other) => Err(self.forked(&other)),
            _ => Err(NoAnswer::Wrong("it answers something else".to_owned())),
        }
    }

    /// Takes entries from another party.
    async fn have(&self, party: usize, origin: usize, from: u64) -> Heard<()> {
        let Reply::Entries(entries) = self.peers.ask(party, &Ask::Give(origin, from)).await? else {
            return Err(NoAnswer::Wrong("it gives no entries".to_owned()));
        };
        if entries.is_empty() {
            return Err(NoAnswer::Wrong("it does not give the entries that it has".to_owned()));
        }
        for entry in entries {
            match self.ledger.catch_up(entry.clone()).await {
                Ok(()) => {}
                Err(NotTaken::Forked(_)) => return Err(self.forked(&entry)),
                Err(why) => return Err(why.no_answer(NoAnswer::Wrong)),
            }
        }
        Ok(())
    }

    /// What it means that another party has that entry.
    fn forked(&self, other: &SignedEntry) -> NoAnswer {
        let (origin, number) = (other.entry.origin, other.entry.number);
        match self.ledger.is_proof(other) {
            true => NoAnswer::Forked(
                origin,
                format!("there are two entries {number} of `{}`: its ledger was put back or forged", self.trio.name(origin)),
            ),
            false => NoAnswer::Wrong("it says that a ledger was forged, and proves nothing".to_owned()),
        }
    }
}

impl NotTaken {
    /// What it means for whoever has asked: this party can't, where its disk is at fault, or else what is said.
    pub fn no_answer(self, else_it: fn(String) -> NoAnswer) -> NoAnswer {
        match self {
            Self::Unwritable(why) => NoAnswer::Away(why),
            other => else_it(other.words()),
        }
    }

    /// For people.
    pub fn words(self) -> String {
        match self {
            Self::Gap => "entries before it are missing here".to_owned(),
            Self::Forked(other) => {
                format!("there is another entry {} of its origin here: a ledger was put back or forged", other.entry.number)
            }
            Self::Wrong(why) | Self::Unwritable(why) => why,
        }
    }
}

/// That a party would sign with the third's word alone.
pub(crate) fn unacknowledged(over: &str, why: &str) -> String {
    format!("{over}, and the third party has not acknowledged it ({why})")
}
