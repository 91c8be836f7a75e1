//! The way to the other two parties: what is asked of them, and connections that are kept for the next question.

use crate::ledger::{Acknowledgement, SignedEntry, Standing};
use crate::presignature::Half;
use crate::rounds::Message;
use crate::shares::Made;
use crate::trio::{PARTIES, Trio};
use alloy_primitives::{B256, U256};
use rand_core::{OsRng, RngCore};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use strongroom_ground::lock::Mutex;
use strongroom_mpc::link::{Greeting, Link, LinkError};
use strongroom_mpc::says::Request;
use tokio::sync::Notify;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(6);
/// How long the answer of one that signs may take: it may have to ask the third first.
const PATIENCE_TO_SIGN: Duration = Duration::from_secs(30);
/// How soon a party that is out of reach is looked for, and how seldom at last.
const PROBE: Duration = Duration::from_secs(1);
const SELDOM: Duration = Duration::from_secs(30);
/// Connections that are kept with each party.
const IDLE: usize = 8;

/// What one party asks another.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Ask {
    /// Whether it would take part in a run, and a number of its own for the run's name.
    Begin(Purpose),
    /// Starts the run that these numbers name.
    Start {
        /// The party that has asked for it.
        purpose: Purpose,
        /// The numbers of those that take part, by party.
        numbers: Vec<(usize, String)>,
    },
    /// How the run of that name has ended; the answer comes when it has, or after a while.
    Ended(String),
    /// A message of a run.
    Say {
        /// The run.
        run: String,
        /// The message, or why there is no other.
        message: Result<Message, String>,
    },
    /// Whether it has its share of a key that a run has made: key and run.
    Word(String, String),
    /// All three have their shares.
    Adopt(Made),
    /// Whether it has a key that was made, and by whose words.
    Made(String),
    /// Whether it allows that.
    Propose(Box<Request>),
    /// Takes an entry, as a partner or as the third.
    Reserve {
        /// The entry.
        entry: Box<SignedEntry>,
        /// What it is for.
        request: Box<Request>,
    },
    /// Takes entries that it lacks.
    Take(Vec<SignedEntry>),
    /// Gives entries of a party, from a number on.
    Give(usize, u64),
    /// Signs what it has reserved.
    Sign {
        /// The entry's hash.
        entry: String,
        /// The presignature.
        presignature: String,
        /// The third party's word, where the leader has it.
        third: Option<Box<Acknowledgement>>,
    },
    /// How far its ledger has come.
    Standing,
}

/// What a run is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Purpose {
    /// The three parties' auxiliary data: of each the Paillier key and ring-Pedersen parameters.
    Auxiliary,
    /// A key of that name.
    Key(String),
    /// A presignature for a key: leader, partner, key.
    Presignature(usize, usize, String),
}

/// What the other answers.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// Its number for a run.
    Number(String),
    /// It is done.
    Done,
    /// It is under way.
    NotYet,
    /// It has its share: the key's public half, and its word for it.
    Word(String, String),
    /// What it has of a key.
    Made(Option<Made>),
    /// That entry is in its ledger under the number of another one: somebody has forked the chain of its origin.
    Forked(Box<SignedEntry>),
    /// It allows that, and this is what it would sign and spend.
    Fits(B256, Vec<(String, U256)>),
    /// It has the entry.
    Reserved(Box<Acknowledgement>),
    /// Entries before it are missing; how far it has come.
    Behind(Box<Standing>),
    /// Entries.
    Entries(Vec<SignedEntry>),
    /// How far its ledger has come.
    Standing(Box<Standing>),
    /// Its half of a signature, and why it was given within two thirds of its limits.
    Half(Half, Option<String>),
    /// It does not do that: its own words.
    Refused(String),
    /// It would, and can't: its own words.
    Unable(String),
}

/// Why there is no answer that can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoAnswer {
    /// It can't be reached, or can't do it now.
    Away(String),
    /// It does not do that.
    Refused(String),
    /// What it says is wrong.
    Wrong(String),
    /// A party's chain was forked, and this is the proof of it: whose, and in words.
    Forked(usize, String),
}

/// The connections to the others.
pub struct Peers {
    trio: Arc<Trio>,
    boot: String,
    ways: [Way; PARTIES],
    /// Told when a party was started again: what it had in memory is gone.
    restarted: Box<dyn Fn(usize) + Send + Sync>,
}

#[derive(Default)]
struct Way {
    /// Where it is, where its card is not to be followed.
    address: Option<SocketAddr>,
    idle: Mutex<Vec<Link>>,
    /// Why it is out of reach.
    away: Mutex<Option<String>>,
    /// Which start of it is spoken to, and whether the ledgers were compared since.
    boot: Mutex<(String, bool)>,
    /// There is a connection with it again.
    came: Notify,
}

impl Peers {
    /// Nobody is connected to yet. `addresses` are those of the parties that are not where their cards say.
    pub fn new(trio: Arc<Trio>, boot: String, addresses: &[(usize, SocketAddr)], restarted: Box<dyn Fn(usize) + Send + Sync>) -> Self {
        let mut ways: [Way; PARTIES] = Default::default();
        addresses.iter().for_each(|(party, address)| ways[*party].address = Some(*address));
        Self { trio, boot, ways, restarted }
    }

    /// What this party greets with.
    pub fn greeting(&self) -> Greeting {
        Greeting::now(&self.boot, &self.trio.hash)
    }

    /// Notes with which start of a party one speaks.
    pub fn greeted(&self, party: usize, boot: &str) {
        // Where it can reach this party, it may be reached.
        *self.ways[party].away.lock() = None;
        self.ways[party].came.notify_one();
        let mut known = self.ways[party].boot.lock();
        if known.0 != boot {
            let first = std::mem::replace(&mut *known, (boot.to_owned(), false)).0.is_empty();
            drop(known);
            self.ways[party].idle.lock().clear();
            if !first {
                (self.restarted)(party);
            }
        }
    }

    /// Whether the ledgers were compared since both have started.
    pub fn is_compared(&self, party: usize) -> bool {
        self.ways[party].boot.lock().1
    }

    /// The ledgers have been compared with that start of a party's.
    pub fn compared(&self, party: usize, boot: &str) {
        let mut known = self.ways[party].boot.lock();
        known.1 |= known.0 == boot;
    }

    /// Which start of a party is spoken to.
    pub fn boot(&self, party: usize) -> String {
        self.ways[party].boot.lock().0.clone()
    }

    /// Why a party is not asked now.
    pub fn away(&self, party: usize) -> Option<String> {
        self.ways[party].away.lock().clone()
    }

    /// Looks for both others at first, and for one that is out of reach again and again, for ever: no request waits for that.
    pub async fn look(&self) {
        let [one, other] = self.trio.others();
        tokio::join!(self.look_for(one), self.look_for(other));
    }

    async fn look_for(&self, party: usize) {
        let way = &self.ways[party];
        let (mut wait, mut failures) = (Duration::ZERO, 0);
        loop {
            tokio::select! {
                () = tokio::time::sleep(wait) => {
                    let is_here = !wait.is_zero() && self.away(party).is_none();
                    if is_here || self.ask_now(party, &Ask::Standing).await.is_ok() {
                        *way.away.lock() = None;
                        failures = 0;
                    } else {
                        failures += 1;
                    }
                }
                // Where it is lost again, it is looked for as soon as at first.
                () = way.came.notified() => failures = 0,
            }
            wait = wait_after(failures, OsRng.next_u32());
        }
    }

    /// Asks a party.
    ///
    /// # Errors
    /// [`NoAnswer`].
    pub async fn ask(&self, party: usize, ask: &Ask) -> Result<Reply, NoAnswer> {
        match self.away(party) {
            Some(why) => Err(NoAnswer::Away(why)),
            None => self.ask_now(party, ask).await,
        }
    }

    async fn ask_now(&self, party: usize, ask: &Ask) -> Result<Reply, NoAnswer> {
        let patience = if let Ask::Sign { .. } = ask { PATIENCE_TO_SIGN } else { PATIENCE };
        let late = |_| {
            Err(LinkError::Unreachable {
                name: self.trio.name(party).to_owned(),
                why: format!("no answer within {} s", patience.as_secs()),
            })
        };
        let answer = tokio::time::timeout(patience, self.asked(party, ask)).await.unwrap_or_else(late);
        match answer {
            Ok(Reply::Refused(why)) => Err(NoAnswer::Refused(why)),
            Ok(Reply::Unable(why)) => Err(NoAnswer::Away(why)),
            Ok(reply) => Ok(reply),
            Err(error @ LinkError::Garbled { .. }) => Err(NoAnswer::Wrong(error.to_string())),
            Err(error) => {
                *self.ways[party].away.lock() = Some(error.to_string());
                self.ways[party].idle.lock().clear();
                Err(NoAnswer::Away(error.to_string()))
            }
        }
    }

    async fn asked(&self, party: usize, ask: &Ask) -> Result<Reply, LinkError> {
        let way = &self.ways[party];
        // One that was idle may have been closed meanwhile. All that is asked may be asked twice.
        let kept = way.idle.lock().pop();
        if let Some(mut link) = kept
            && let Ok(reply) = link.ask::<Reply>(ask).await
        {
            way.keep(link);
            return Ok(reply);
        }
        let mut link = Link::open(&self.trio.own, self.trio.card(party), way.address, self.greeting()).await?;
        self.greeted(party, &link.greeting.boot);
        let reply = link.ask(ask).await?;
        way.keep(link);
        Ok(reply)
    }
}

impl From<String> for NoAnswer {
    fn from(why: String) -> Self {
        Self::Refused(why)
    }
}

impl NoAnswer {
    /// What a party answers that can't or does not do what it was asked.
    pub fn reply(self) -> Reply {
        match self {
            Self::Away(why) => Reply::Unable(why),
            other => Reply::Refused(other.words()),
        }
    }

    /// For people.
    pub fn words(self) -> String {
        match self {
            Self::Away(why) | Self::Refused(why) | Self::Wrong(why) | Self::Forked(_, why) => why,
        }
    }
}

impl Way {
    fn keep(&self, link: Link) {
        let mut idle = self.idle.lock();
        if idle.len() < IDLE {
            idle.push(link);
        }
    }
}

/// How long to wait after so many failures in a row: twice as long after each, up to a bound, and up to half of it shorter, so that parties that were
/// cut off together don't come together.
fn wait_after(failures: u32, random: u32) -> Duration {
    let whole = PROBE.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1))).min(SELDOM);
    whole - whole / 2_000 * (random % 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_party_that_stays_away_is_asked_ever_more_seldom() {
        for random in [0, 999, u32::MAX] {
            let waits = [0, 1, 2, 3, 5, 6, 100, u32::MAX].map(|failures| wait_after(failures, random));

            for (wait, whole) in waits.iter().zip([1, 1, 2, 4, 16, 30, 30, 30].map(Duration::from_secs)) {
                assert!(*wait <= whole && *wait > whole / 2, "{waits:?}");
            }
        }
    }
}
