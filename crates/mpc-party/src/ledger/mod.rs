//! What was reserved, at whichever party it began. Each party has a ledger of its own, with what it knows of all three.
//!
//! A signature is made by two of the three, so that each spend stands in two ledgers at least. A party acknowledges a reservation when it is in its own
//! ledger, within its own limits, and nothing is missing there that another has signed *alone*, which is without an acknowledgement of the third.
//! Where the third does not acknowledge, a party signs within a part of its own limits: two thirds, so that the sum over all pairs that can be made
//! of three parties stays within the limits.

mod disk;
mod entry;

pub use entry::{Entry, SignedEntry};

use crate::judge::Judged;
use crate::trio::{PARTIES, Trio};
use alloy_primitives::U256;
use anyhow::{Context, Result, bail};
use disk::{Disk, Line, Written};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use strongroom_core::policy::{AssetId, Limit, Slot, Sums, Windows};
use strongroom_ground::lock::Mutex;
use strongroom_mpc::link::{MAX_SKEW, millis};
use strongroom_mpc::says::Request;

/// Most entries that one answer brings, and most bytes of each: together less than a frame.
pub const BATCH: usize = 64;
const MOST: usize = 8 * 1024;
/// What an identity's signature over an acknowledgement is for.
const WHAT: &str = "acknowledgement";

/// The ledger of one party.
pub struct Ledger {
    trio: Arc<Trio>,
    state: Mutex<State>,
}

struct State {
    disk: Disk,
    chains: [Vec<Known>; PARTIES],
    /// The last entry of each party that this one has signed alone.
    alone: [u64; PARTIES],
    /// The line that says so last.
    alone_line: u64,
    /// By key and agent (`None` for all agents) and asset.
    windows: HashMap<(String, Option<String>, AssetId), Windows>,
    idempotency: HashMap<(String, String, String), (usize, u64)>,
    /// When each party began its last entry for a key, by the clock here.
    led: HashMap<(usize, String), u64>,
    /// The latest time that was written down here. Windows do not slide back.
    now: u64,
}

struct Known {
    signed: SignedEntry,
    hash: String,
    /// The line that it is in: it counts for others once that is on the disk.
    line: u64,
}

/// How far a ledger has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Standing {
    /// How many entries of each party it has.
    pub counts: [u64; PARTIES],
    /// The hash of the last of each.
    pub heads: [String; PARTIES],
    /// The last entry of each party that was signed alone.
    pub alone: [u64; PARTIES],
}

/// A party's word that an entry is in its ledger, within its limits, with how far that ledger has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acknowledgement {
    /// The entry's hash.
    pub entry: String,
    /// Who says so.
    pub party: usize,
    /// How far its ledger has come.
    pub standing: Standing,
    /// Ed25519, by its identity.
    pub signature: String,
}

/// How much of its limits a party may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// All.
    Whole,
    /// So many of so many parts.
    Part(u8, u8),
}

/// Why an entry of another party is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotTaken {
    /// Entries before it are missing here.
    Gap,
    /// This other entry has that number, or stands before it: somebody's ledger was put back or forged.
    Forked(Box<SignedEntry>),
    /// It is not what it says.
    Wrong(String),
    /// It can't be kept.
    Unwritable(String),
}

impl Ledger {
    /// Opens a ledger, and looks at each line of it again.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn open(path: &Path, trio: Arc<Trio>) -> Result<Self> {
        let (disk, lines) = Disk::open(path)?;
        let (chains, windows, idempotency, led) = Default::default();
        let mut state = State { disk, chains, alone: [0; PARTIES], alone_line: 0, windows, idempotency, led, now: 0 };
        for (number, line) in lines.into_iter().enumerate() {
            let place = || format!("{}: line {}", path.display(), number + 1);
            match line {
                Line::Entry(signed, at) => {
                    let next = state.check(&trio, &signed).map_err(|why| anyhow::anyhow!("{}", why.words())).with_context(place)?;
                    if !next {
                        bail!("{}: it is there twice", place());
                    }
                    state.take(*signed, at, 0);
                }
                Line::Alone(origin, number) if origin < PARTIES => state.alone[origin] = state.alone[origin].max(number),
                Line::Alone(..) => bail!("{}: there is no such party", place()),
            }
        }
        Ok(Self { trio, state: Mutex::new(state) })
    }

    /// How far it has come.
    pub fn standing(&self) -> Standing {
        self.state.lock().standing()
    }

    /// The entry of a request that was asked before under its idempotency key.
    pub fn find(&self, request: &Request) -> Option<SignedEntry> {
        let state = self.state.lock();
        let key = (request.key.clone(), request.agent.clone(), request.idempotency.clone());
        let (origin, number) = *state.idempotency.get(&key)?;
        Some(state.chains[origin][usize::try_from(number).ok()? - 1].signed.clone())
    }

    /// The entry of that hash, by its origin and number.
    pub fn get(&self, origin: usize, number: u64, hash: &str) -> Option<Entry> {
        let state = self.state.lock();
        let known = state.chains.get(origin)?.get(usize::try_from(number).ok()?.checked_sub(1)?)?;
        (known.hash == hash).then(|| known.signed.entry.clone())
    }

    /// Whether this party has begun an entry for a key within that time.
    pub fn has_led(&self, key: &str, within: Duration) -> bool {
        let last = self.state.lock().led.get(&(self.trio.index, key.to_owned())).copied();
        last.is_some_and(|at| u128::from(millis().saturating_sub(at)) < within.as_millis())
    }

    /// What was used: of each entry the key, the agent, and when it was begun, in milliseconds since 1970. The oldest first.
    pub fn uses(&self) -> Vec<(String, String, u64)> {
        let state = self.state.lock();
        let entries = state.chains.iter().flatten().map(|known| &known.signed.entry);
        let mut uses: Vec<_> = entries.map(|entry| (entry.key.clone(), entry.agent.clone(), entry.time)).collect();
        uses.sort_by_key(|(.., time)| *time);
        uses
    }

    /// Entries of a party, from a number on.
    pub fn entries(&self, origin: usize, from: u64) -> Vec<SignedEntry> {
        let state = self.state.lock();
        let from = usize::try_from(from.saturating_sub(1)).unwrap_or(usize::MAX);
        state
            .chains
            .get(origin)
            .map(|chain| chain.iter().skip(from).take(BATCH).map(|known| known.signed.clone()).collect())
            .unwrap_or_default()
    }

    /// Whether there is room for a request that is not here yet, within a share of the limits.
    ///
    /// # Errors
    /// What limit it goes beyond.
    pub fn has_room(&self, request: &Request, judged: &Judged, limits: &[Vec<Limit>; 2], share: Share) -> Result<(), String> {
        self.state.lock().room(&request.key, &request.agent, judged.slot(), &judged.spends, limits, share)
    }

    /// Begins an entry of this party, within all of its limits.
    ///
    /// # Errors
    /// What limit it goes beyond; or why it can't be kept.
    pub async fn begin(&self, request: &Request, judged: &Judged, limits: &[Vec<Limit>; 2]) -> Result<SignedEntry, NotTaken> {
        let (signed, written) = {
            let mut state = self.state.lock();
            let state = &mut *state;
            if state.idempotency.contains_key(&(request.key.clone(), request.agent.clone(), request.idempotency.clone())) {
                return Err(NotTaken::Wrong("the same request is under way; ask again".to_owned()));
            }
            let room = state.room(&request.key, &request.agent, judged.slot(), &judged.spends, limits, Share::Whole);
            room.map_err(NotTaken::Wrong)?;
            let chain = &state.chains[self.trio.index];
            let (number, before) = (chain.len() as u64 + 1, chain.last().map(|known| known.hash.clone()).unwrap_or_default());
            let at = state.now.max(millis());
            let signed = SignedEntry::begin(&self.trio, number, before, at, request, judged);
            let line = state.disk.write(Line::Entry(Box::new(signed.clone()), at));
            state.take(signed.clone(), at, line);
            (signed, state.disk.written(line))
        };
        written.kept().await.map_err(NotTaken::Unwritable)?;
        Ok(signed)
    }

    /// Takes an entry that another party has just begun, within all of this party's limits. One that is here already is taken again.
    ///
    /// # Errors
    /// [`NotTaken`].
    pub async fn reserve(&self, signed: SignedEntry, judged: &Judged, limits: &[Vec<Limit>; 2]) -> Result<(), NotTaken> {
        let entry = &signed.entry;
        if entry.time.abs_diff(millis()) > u64::try_from(MAX_SKEW.as_millis()).unwrap_or(u64::MAX)
            && self.get(entry.origin, entry.number, &entry.hash()).is_none()
        {
            return Err(NotTaken::Wrong("it was begun at another time than it is now; set the clocks by NTP".to_owned()));
        }
        let (entry, spends) = (entry.clone(), judged.spends.clone());
        let room = |state: &mut State, entry: &Entry| {
            let known = state.idempotency.get(&(entry.key.clone(), entry.agent.clone(), entry.idempotency.clone()));
            let known = known.and_then(|(origin, number)| state.chains[*origin].get(usize::try_from(*number).ok()?.checked_sub(1)?));
            if known.is_some_and(|known| known.signed.entry.digest != entry.digest) {
                return Err("the idempotency key stands for something else".to_owned());
            }
            state.room(&entry.key, &entry.agent, entry.slot(), &spends, limits, Share::Whole)
        };
        self.add(signed, room).await?;
        // It may have come here before, by catching up.
        self.within(&entry, limits, Share::Whole).map_err(NotTaken::Wrong)
    }

    /// Takes an entry that was missing here. Whatever it spends is spent.
    ///
    /// # Errors
    /// [`NotTaken`].
    pub async fn catch_up(&self, signed: SignedEntry) -> Result<(), NotTaken> {
        self.add(signed, |_, _| Ok(())).await
    }

    async fn add(&self, signed: SignedEntry, room: impl FnOnce(&mut State, &Entry) -> Result<(), String>) -> Result<(), NotTaken> {
        let written: Written = {
            let mut state = self.state.lock();
            let line = match state.check(&self.trio, &signed)? {
                false => state.line(&signed.entry),
                true => {
                    room(&mut state, &signed.entry).map_err(NotTaken::Wrong)?;
                    let at = state.now.max(millis());
                    let line = state.disk.write(Line::Entry(Box::new(signed.clone()), at));
                    state.take(signed, at, line);
                    line
                }
            };
            state.disk.written(line)
        };
        written.kept().await.map_err(NotTaken::Unwritable)
    }

    /// Whether what is reserved, with an entry that is here already, is within a share of the limits.
    ///
    /// # Errors
    /// What limit is exceeded.
    pub fn within(&self, entry: &Entry, limits: &[Vec<Limit>; 2], share: Share) -> Result<(), String> {
        let assets = entry.assets().unwrap_or_default();
        let none: Vec<_> = assets.into_iter().map(|(asset, _)| (asset, U256::ZERO)).collect();
        self.state.lock().room(&entry.key, &entry.agent, Slot::Own(u64::MAX), &none, limits, share)
    }

    /// Writes down that an entry is signed without the third party's acknowledgement. It is not signed before this returns.
    ///
    /// # Errors
    /// It can't be written down.
    pub async fn alone(&self, entry: &Entry) -> Result<(), String> {
        let written = {
            let mut state = self.state.lock();
            if state.alone[entry.origin] < entry.number {
                state.alone[entry.origin] = entry.number;
                state.alone_line = state.disk.write(Line::Alone(entry.origin, entry.number));
            }
            state.disk.written(state.alone_line)
        };
        written.kept().await
    }

    /// This party's word for an entry that it has taken.
    pub fn acknowledge(&self, entry: String) -> Acknowledgement {
        let standing = self.standing();
        let signature = self.trio.sign(WHAT, &spoken(&entry, &standing));
        Acknowledgement { entry, party: self.trio.index, standing, signature }
    }

    /// Whether a party has given its word for an entry.
    pub fn is_acknowledged(&self, entry: &str, party: usize, by: &Acknowledgement) -> bool {
        (by.entry.as_str(), by.party) == (entry, party) && self.trio.has_signed(party, WHAT, &spoken(entry, &by.standing), &by.signature)
    }

    /// Waits until an entry that is here is on the disk.
    ///
    /// # Errors
    /// It can't be kept.
    pub async fn kept(&self, entry: &Entry) -> Result<(), String> {
        let written = {
            let state = self.state.lock();
            state.disk.written(state.line(entry))
        };
        written.kept().await
    }

    /// Which entries another party has and this one has not: for each origin the first number.
    pub fn behind(&self, other: &Standing) -> Vec<(usize, u64)> {
        let state = self.state.lock();
        let count = |origin: usize| state.chains[origin].len() as u64;
        (0..PARTIES).filter(|origin| count(*origin) < other.counts[*origin]).map(|origin| (origin, count(origin) + 1)).collect()
    }

    /// Whether that entry proves that somebody has forked a chain: its origin has signed it, and another one of that number, or a chain in which it has
    /// no place.
    pub fn is_proof(&self, entry: &SignedEntry) -> bool {
        let state = self.state.lock();
        matches!(state.check(&self.trio, entry), Err(NotTaken::Forked(_)))
    }

    /// What is missing at another party that this one has signed alone: for each origin the first number. None where nothing is.
    pub fn owed(&self, other: &Standing) -> Vec<(usize, u64)> {
        let state = self.state.lock();
        (0..PARTIES)
            .filter(|origin| other.counts[*origin] < state.alone[*origin])
            .map(|origin| (origin, other.counts[origin].saturating_add(1)))
            .collect()
    }

    /// The same the other way round.
    pub fn lacking(&self, other: &Standing) -> Vec<(usize, u64)> {
        let state = self.state.lock();
        let count = |origin: usize| state.chains[origin].len() as u64;
        (0..PARTIES).filter(|origin| count(*origin) < other.alone[*origin]).map(|origin| (origin, count(origin) + 1)).collect()
    }

    /// Whose entries differ here and there, although both have so many.
    pub fn forked(&self, other: &Standing) -> Option<usize> {
        let state = self.state.lock();
        (0..PARTIES).find(|origin| {
            let count = usize::try_from(other.counts[*origin]).unwrap_or(usize::MAX);
            let here = count.checked_sub(1).and_then(|last| state.chains[*origin].get(last));
            here.is_some_and(|known| known.hash != other.heads[*origin])
        })
    }
}

impl State {
    fn standing(&self) -> Standing {
        Standing {
            counts: [0, 1, 2].map(|origin| self.chains[origin].len() as u64),
            heads: [0, 1, 2].map(|origin| self.chains[origin].last().map(|known| known.hash.clone()).unwrap_or_default()),
            alone: self.alone,
        }
    }

    /// The line of an entry that is here.
    fn line(&self, entry: &Entry) -> u64 {
        let at = usize::try_from(entry.number).ok().and_then(|number| number.checked_sub(1));
        let known = at.and_then(|at| self.chains.get(entry.origin)?.get(at));
        // What is not here is never on the disk.
        known.map_or(u64::MAX, |known| known.line)
    }

    /// Whether an entry is the next of its origin; `false` where it is here.
    fn check(&self, trio: &Trio, signed: &SignedEntry) -> Result<bool, NotTaken> {
        let entry = &signed.entry;
        let chain = self.chains.get(entry.origin).ok_or_else(|| NotTaken::Wrong("there is no such party".to_owned()))?;
        if !entry.is_small() {
            return Err(NotTaken::Wrong("it is larger than any entry can be".to_owned()));
        }
        let forked = |known: &Known| NotTaken::Forked(Box::new(known.signed.clone()));
        let next = chain.len() as u64 + 1;
        if entry.number > next {
            return Err(NotTaken::Gap);
        }
        if !signed.is_signed(trio) {
            return Err(NotTaken::Wrong(format!("`{}` has not signed it", trio.name(entry.origin))));
        }
        if entry.number < next {
            let known = usize::try_from(entry.number).ok().and_then(|number| chain.get(number.checked_sub(1)?));
            let known = known.ok_or_else(|| NotTaken::Wrong("entries are numbered from 1".to_owned()))?;
            return if known.hash == entry.hash() { Ok(false) } else { Err(forked(known)) };
        }
        match chain.last() {
            Some(last) if last.hash != entry.before => return Err(forked(last)),
            None if !entry.before.is_empty() => return Err(NotTaken::Wrong("nothing stands before the first entry".to_owned())),
            _ => {}
        }
        entry.assets().ok_or_else(|| NotTaken::Wrong("it spends what is no asset".to_owned()))?;
        Ok(true)
    }

    fn take(&mut self, signed: SignedEntry, at: u64, line: u64) {
        let entry = &signed.entry;
        self.now = self.now.max(at);
        for (asset, amount) in entry.assets().unwrap_or_default() {
            for whose in [None, Some(entry.agent.clone())] {
                let windows = self.windows.entry((entry.key.clone(), whose, asset)).or_default();
                windows.add(self.now, entry.slot(), amount, entry.id());
            }
        }
        let key = (entry.key.clone(), entry.agent.clone(), entry.idempotency.clone());
        self.idempotency.entry(key).or_insert((entry.origin, entry.number));
        self.led.insert((entry.origin, entry.key.clone()), at);
        let hash = entry.hash();
        self.chains[entry.origin].push(Known { signed, hash, line });
    }

    /// Whether there is room for what is to be spent.
    fn room(
        &mut self,
        key: &str,
        agent: &str,
        slot: Slot,
        spends: &[(AssetId, U256)],
        limits: &[Vec<Limit>; 2],
        share: Share,
    ) -> Result<(), String> {
        let now = self.now.max(millis());
        for (asset, amount) in spends {
            for (whose, limits, whom) in [(Some(agent), &limits[0], "the agent's limit"), (None, &limits[1], "the limit over all agents")] {
                let Some(limit) = limits.iter().find(|limit| limit.asset == *asset) else { continue };
                let windows = self.windows.entry((key.to_owned(), whose.map(str::to_owned), *asset)).or_default();
                let sums = windows.with(now, slot, *amount);
                if let Some(window) = exceeded(limit, &sums, share) {
                    return Err(match share {
                        Share::Whole => format!("more of {asset} than {whom} for the {window}"),
                        Share::Part(n, of) => format!("more of {asset} than {n}/{of} of {whom} for the {window}"),
                    });
                }
            }
        }
        Ok(())
    }
}

impl Judged {
    fn slot(&self) -> Slot {
        self.nonce.map_or(Slot::Own(u64::MAX), |(chain, nonce)| Slot::Nonce(chain, nonce))
    }
}

fn exceeded(limit: &Limit, sums: &Sums, share: Share) -> Option<&'static str> {
    let part = |most: U256| match share {
        Share::Whole => most,
        // Multiplied after it is divided: no amount overflows, and what is lost is less than the smallest unit of each part.
        Share::Part(n, of) => most / U256::from(of) * U256::from(n),
    };
    let windows = [("hour", limit.hour, sums.hour), ("day", limit.day, sums.day), ("total", limit.total, sums.total)];
    windows.into_iter().find(|(_, most, sum)| most.is_some_and(|most| *sum > part(most))).map(|(window, ..)| window)
}

fn spoken(entry: &str, standing: &Standing) -> Vec<u8> {
    serde_json::to_vec(&(entry, standing)).expect("text and numbers")
}
