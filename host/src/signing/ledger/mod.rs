//! What was signed, and what it may have spent. A reservation is made before a key is asked; a record that holds the decision and the
//! sealed signature is on the platter before the signature leaves. Whatever is not known to have failed counts as spent.
//!
//! Between the two a reservation lives in memory alone: where the process ends there, no signature has left it, and nothing was spent.

mod clock;
#[cfg(test)]
mod cuts;
mod disk;
mod journal;
mod log;
#[cfg(test)]
mod losses;
#[cfg(test)]
mod platter;
mod records;
mod settler;
#[cfg(test)]
mod tests;

pub(crate) use journal::Entry;
use journal::Journal;

use super::unkept::Unkept;
use crate::clock::{Clock, Wall};
use crate::ethereum::quantity::digits;
use crate::lock::Mutex;
use crate::policy::{AssetId, Limit, Slot, Windows};
use crate::shared::{Claim, Note, Refused, Reuse, Sums, Window};
use crate::text::{hex, line, unhex};
use alloy_primitives::{B256, U256};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use clock::LedgerClock;
use std::collections::HashMap;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

/// How long a reservation lives. A signature that comes later never leaves the host.
pub(super) const RESERVATION: Duration = Duration::from_secs(120);
/// Bytes of a nonce of the seal (XChaCha20-Poly1305).
const NONCE: usize = 24;

/// A key by its public half: SEC 1 compressed, or another scheme's own form.
pub(crate) type KeyId = Vec<u8>;

/// The outcome of a claim.
pub(crate) enum Reserved {
    /// It may be signed.
    New(Box<Reservation>),
    /// It was signed before, under the same idempotency key: the signed bytes.
    Before(Vec<u8>),
}

/// The ledger of one host.
#[derive(Clone)]
pub(crate) struct Ledger(Arc<Inner>);

struct Inner {
    journal: Journal,
    /// Where it is, for people.
    place: String,
    books: Mutex<Books>,
    seal: XChaCha20Poly1305,
    boot: Clock,
}

struct Books {
    clock: LedgerClock,
    /// Why windows don't slide.
    stopped: Option<String>,
    /// Why nothing may be signed.
    doubt: Option<String>,
    keys: HashMap<KeyId, Account>,
    reservations: u64,
}

#[derive(Default)]
struct Account {
    purpose: String,
    spent: HashMap<AssetId, Spent>,
    idempotent: HashMap<(String, String), (B256, Stored)>,
}

/// What was spent of one asset.
#[derive(Default)]
struct Spent {
    by_all: Windows,
    by_agent: HashMap<String, Windows>,
}

#[derive(Clone, Copy)]
enum Stored {
    UnderWay,
    /// The number of its entry.
    Kept(u64),
    /// It is not known what became of it.
    Lost,
}

/// The state of a ledger, for the operator.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Doubts {
    /// Why nothing may be signed.
    pub(crate) blocked: Option<String>,
    /// Why windows don't slide.
    pub(crate) stopped: Option<String>,
}

/// Leave to sign once. Where it is dropped without an end, what it claims counts as spent.
pub(crate) struct Reservation {
    ledger: Ledger,
    id: u64,
    slot: Slot,
    entry: Option<Entry>,
    spends: Vec<(AssetId, U256)>,
    digest: B256,
    since: Duration,
}

impl Ledger {
    /// Opens the ledger in a directory.
    pub(crate) fn open(directory: &Path, seal: &[u8; 32], max_downtime: Duration, wall: Wall, boot: Clock) -> Result<Self, String> {
        let (records, log, witness) = disk::open(directory)?;
        let place = directory.display().to_string();
        let opened = Journal::on(records, log, witness).and_then(|opened| Self::with(opened, &place, seal, max_downtime, wall, boot));
        opened.map_err(|why| format!("{place}: {why}"))
    }

    fn with(
        opened: journal::Opened,
        place: &str,
        seal: &[u8; 32],
        max_downtime: Duration,
        wall: Wall,
        boot: Clock,
    ) -> Result<Self, String> {
        let last = opened.entries.last().map(|(_, entry)| entry.time);
        let (clock, stopped) = LedgerClock::after(last, max_downtime, wall, boot.clone());
        let mut books = Books { clock, stopped, doubt: opened.doubt, keys: HashMap::new(), reservations: 0 };
        for (key, purpose) in opened.keys {
            books.keys.insert(key, Account { purpose, ..Account::default() });
        }
        for (number, entry) in &opened.entries {
            books.recall(*number, entry)?;
        }
        let seal = XChaCha20Poly1305::new(seal.into());
        let place = place.to_owned();
        Ok(Self(Arc::new(Inner { journal: opened.journal, place, books: Mutex::new(books), seal, boot })))
    }

    /// Claims what a signature would spend.
    pub(crate) fn reserve(&self, claim: &Claim<'_>) -> Result<Reserved, Refused> {
        let mut books = self.books();
        let books = &mut *books;
        if let Some(doubt) = &books.doubt {
            return Err(Refused::Blocked(doubt.clone()));
        }
        let now = books.clock.now();
        let id = books.reservations + 1;
        let known = books.keys.get_mut(claim.key).filter(|account| !account.purpose.is_empty());
        let account = known.ok_or_else(|| Refused::Blocked("this ledger does not know the key".to_owned()))?;
        if account.purpose != claim.purpose {
            return Err(Refused::Stuck(other_purpose(&account.purpose)));
        }
        let remembered = claim.idempotency.map(|key| (claim.agent.to_owned(), key.to_owned()));
        match remembered.as_ref().and_then(|key| account.idempotent.get(key)) {
            Some((digest, _)) if *digest != claim.digest => return Err(Refused::Idempotency(Reuse::Other)),
            Some((_, Stored::UnderWay)) => return Err(Refused::Idempotency(Reuse::UnderWay)),
            Some((_, Stored::Lost)) => return Err(Refused::Idempotency(Reuse::Lost)),
            Some((_, Stored::Kept(number))) => {
                let signed = self.0.journal.read(*number).and_then(|entry| self.unseal(&entry));
                return signed.map(Reserved::Before).ok_or_else(|| Refused::Stuck(UNREADABLE.to_owned()));
            }
            None => {}
        }

        let slot = claim.nonce.map_or(Slot::Own(id), |(chain, nonce)| Slot::Nonce(chain, nonce));
        for (asset, amount) in claim.spends {
            let within = |sums: &Sums, limits: &[Limit], own| match limits
                .iter()
                .filter(|limit| limit.asset == *asset)
                .find_map(|limit| exceeded(limit, sums))
            {
                Some(window) => Err(Refused::Limit { asset: *asset, window, own }),
                None => Ok(()),
            };
            let own = account.windows(Some(claim.agent), *asset).with(now, slot, *amount);
            within(&own, claim.limits, true)?;
            within(&account.windows(None, *asset).with(now, slot, *amount), claim.caps, false)?;
        }
        for ceiling in claim.ceilings {
            let mut sum = U256::ZERO;
            for (asset, unit) in &ceiling.assets {
                let amount = claim.spends.iter().find(|(known, _)| known == asset).map_or(U256::ZERO, |(_, amount)| *amount);
                let day = account.windows(None, *asset).with(now, slot, amount).day;
                sum = sum.saturating_add(day.saturating_mul(*unit));
            }
            if sum > ceiling.most {
                return Err(Refused::Hot { ceiling: ceiling.name.clone() });
            }
        }
        for (asset, amount) in claim.spends {
            account.add(claim.agent, *asset, now, slot, *amount, id);
        }
        if let Some(key) = remembered {
            account.idempotent.insert(key, (claim.digest, Stored::UnderWay));
        }
        books.reservations = id;
        let entry = Entry {
            agent: claim.agent.to_owned(),
            nonce: claim.nonce,
            spends: claim.spends.iter().map(|(asset, amount)| (line(format_args!("{asset}")), digits(*amount))).collect(),
            idempotency: claim.idempotency.map(str::to_owned),
            ..Entry::new(now, hex(claim.key), hex(claim.digest.as_slice()), Arc::clone(&claim.lines))
        };
        let since = self.0.boot.now();
        let (spends, digest) = (claim.spends.to_vec(), claim.digest);
        Ok(Reserved::New(Box::new(Reservation { ledger: self.clone(), id, slot, entry: Some(entry), spends, digest, since })))
    }

    /// What an agent, or all of them, have spent from a key of an asset.
    pub(crate) fn spent(&self, key: &[u8], agent: Option<&str>, asset: AssetId) -> Sums {
        let mut books = self.books();
        let books = &mut *books;
        let now = books.clock.now();
        let account = match books.keys.get_mut(key) {
            Some(account) => account,
            None => books.keys.entry(key.to_vec()).or_default(),
        };
        account.windows(agent, asset).with(now, Slot::Own(0), U256::ZERO)
    }

    /// What the operator has to confirm, if anything.
    pub(crate) fn doubts(&self) -> Doubts {
        let books = self.books();
        Doubts { blocked: books.doubt.clone(), stopped: books.stopped.clone() }
    }

    /// What a key is kept for, where the ledger knows it.
    pub(crate) fn purpose(&self, key: &[u8]) -> Option<String> {
        self.books().keys.get(key).map(|account| account.purpose.clone()).filter(|purpose| !purpose.is_empty())
    }

    /// Takes a key into the ledger, for one purpose and for good.
    pub(crate) async fn enroll(&self, key: &[u8], purpose: &str) -> Result<(), String> {
        {
            let mut books = self.books();
            let known = &mut books.keys.entry(key.to_vec()).or_default().purpose;
            match known.as_str() {
                known if known == purpose => return Ok(()),
                // Taken at once, so that of two that come together one is first.
                "" => *known = purpose.to_owned(),
                known => return Err(other_purpose(known)),
            }
        }
        let kept = self.0.journal.enroll(key.to_vec(), purpose.to_owned()).await;
        if kept.is_err() {
            self.books().keys.entry(key.to_vec()).or_default().purpose.clear();
        }
        kept.map(|_| ()).map_err(|why| self.unwritten(&why))
    }

    /// Keeps a record of what was signed without spending anything, before it leaves.
    pub(super) async fn note(&self, note: &Note<'_>) -> Result<(), Unkept> {
        let Note { key, agent, digest, lines } = note;
        let entry = {
            let books = self.books();
            if let Some(doubt) = &books.doubt {
                return Err(Unkept::Blocked(doubt.clone()));
            }
            Entry { agent: (*agent).to_owned(), ..Entry::new(books.clock.now(), hex(key), hex(digest.as_slice()), Arc::clone(lines)) }
        };
        let written = self.0.journal.write(&entry).await;
        written.map(|_| ()).map_err(|why| Unkept::Unwritten(self.unwritten(&why)))
    }

    /// The operator has looked: the ledger is the latest, and its windows go on from the wall clock's time. A record of its own says so, which
    /// the next host finds too.
    pub(crate) async fn confirm(&self) -> Result<(), String> {
        let entry = {
            let mut books = self.books();
            if books.doubt.is_none() && books.stopped.is_none() {
                return Ok(());
            }
            books.clock.go();
            Entry::new(books.clock.now(), String::new(), String::new(), ["confirmed by the operator".to_owned()].into())
        };
        self.0.journal.write(&entry).await.map_err(|why| self.unwritten(&why))?;
        let mut books = self.books();
        books.doubt = None;
        books.stopped = None;
        Ok(())
    }

    fn books(&self) -> crate::lock::MutexGuard<'_, Books> {
        self.0.books.lock()
    }

    /// Why it can't be written, with its place.
    fn unwritten(&self, why: &str) -> String {
        format!("{}: {why}; nothing is signed until it can be: make room on its disk, and let the host's user write there", self.0.place)
    }

    fn seal(&self, entry: &Entry, signed: &[u8]) -> Result<String, String> {
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).map_err(|error| error.to_string())?;
        let bound = entry.bound();
        let sealed = self.0.seal.encrypt(XNonce::from_slice(&nonce), Payload { msg: signed, aad: bound.as_bytes() });
        let sealed = sealed.map_err(|_| "the signature can't be sealed".to_owned())?;
        // Four digits for three bytes.
        let mut text = String::with_capacity((NONCE + sealed.len()).div_ceil(3) * 4);
        STANDARD_NO_PAD.encode_string([nonce.as_slice(), &sealed].concat(), &mut text);
        Ok(text)
    }

    fn unseal(&self, entry: &Entry) -> Option<Vec<u8>> {
        let sealed = STANDARD_NO_PAD.decode(entry.sealed.as_ref()?).ok()?;
        let (nonce, sealed) = sealed.split_at_checked(NONCE)?;
        self.0.seal.decrypt(XNonce::from_slice(nonce), Payload { msg: sealed, aad: entry.bound().as_bytes() }).ok()
    }
}

impl Books {
    /// Takes an entry of the journal into the books.
    fn recall(&mut self, number: u64, entry: &Entry) -> Result<(), String> {
        let broken = || format!("the ledger's record {number} can't be understood");
        // The operator's confirmation has no key.
        if entry.key.is_empty() {
            return Ok(());
        }
        let key = unhex(&entry.key).ok_or_else(broken)?;
        let digest = B256::from_str(&entry.digest).map_err(|_| broken())?;
        self.reservations += 1;
        let id = self.reservations;
        let slot = entry.nonce.map_or(Slot::Own(id), |(chain, nonce)| Slot::Nonce(chain, nonce));
        let account = self.keys.entry(key).or_default();
        for (asset, amount) in &entry.spends {
            let (asset, amount) = (AssetId::parse(asset).ok_or_else(broken)?, U256::from_str(amount).map_err(|_| broken())?);
            account.add(&entry.agent, asset, entry.time, slot, amount, id);
        }
        if let Some(idempotency) = &entry.idempotency {
            let stored = if entry.sealed.is_some() { Stored::Kept(number) } else { Stored::Lost };
            account.idempotent.insert((entry.agent.clone(), idempotency.clone()), (digest, stored));
        }
        Ok(())
    }
}

impl Account {
    /// The windows of an asset, of one agent or of all.
    fn windows(&mut self, agent: Option<&str>, asset: AssetId) -> &mut Windows {
        let Spent { by_all, by_agent } = self.spent.entry(asset).or_default();
        match agent {
            None => by_all,
            // The name is copied for the first of an agent's alone.
            Some(agent) if !by_agent.contains_key(agent) => by_agent.entry(agent.to_owned()).or_default(),
            Some(agent) => by_agent.get_mut(agent).expect("it is there"),
        }
    }

    fn add(&mut self, agent: &str, asset: AssetId, now: u64, slot: Slot, amount: U256, id: u64) {
        for whose in [Some(agent), None] {
            self.windows(whose, asset).add(now, slot, amount, id);
        }
    }
}

impl Reservation {
    /// Keeps the signature. When this returns, it is on the platter, and may leave.
    pub(super) async fn commit(mut self: Box<Self>, signed: &Zeroizing<Vec<u8>>) -> Result<(), Unkept> {
        if self.ledger.0.boot.now().saturating_sub(self.since) > RESERVATION {
            return Err(Unkept::Late);
        }
        let entry = self.entry.as_mut().expect("a reservation has an entry until its end");
        let ledger = &self.ledger;
        let unwritten = |why: String| Unkept::Unwritten(ledger.unwritten(&why));
        entry.sealed = Some(ledger.seal(entry, signed).map_err(unwritten)?);
        let number = ledger.0.journal.write(entry).await.map_err(unwritten)?;
        self.end(Stored::Kept(number));
        Ok(())
    }

    /// Gives back what was claimed: it is certain that there is no signature.
    pub(crate) fn release(mut self: Box<Self>) {
        let entry = self.entry.take().expect("a reservation has an entry until its end");
        let mut books = self.ledger.books();
        if let Some(account) = books.keys.get_mut(&unhex(&entry.key).unwrap_or_default()) {
            for (asset, _) in &self.spends {
                for whose in [Some(entry.agent.as_str()), None] {
                    account.windows(whose, *asset).remove(self.slot, self.id);
                }
            }
            if let Some(key) = entry.idempotency {
                account.idempotent.remove(&(entry.agent, key));
            }
        }
    }

    fn end(&mut self, stored: Stored) {
        let Some(entry) = self.entry.take() else { return };
        if let Some(key) = &entry.idempotency
            && let Some(account) = self.ledger.books().keys.get_mut(&unhex(&entry.key).unwrap_or_default())
        {
            account.idempotent.insert((entry.agent.clone(), key.clone()), (self.digest, stored));
        }
        if matches!(stored, Stored::Lost) {
            self.ledger.0.journal.write_later(&Entry { sealed: None, ..entry });
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.end(Stored::Lost);
    }
}

/// What is said of a signature that was kept and can't be given again.
const UNREADABLE: &str =
    "a record of the ledger can't be read: most likely `ledger.key` in the state directory is not the one that sealed it; restore that one";

fn other_purpose(known: &str) -> String {
    format!("the key is kept for another purpose: {known}; one key has one purpose: take another key")
}

/// Why a ledger can't be opened whose files can't be read, and what to do.
fn unread(error: &dyn std::fmt::Display) -> String {
    format!("the ledger can't be read: {error}; free or repair its disk, or restore its files")
}

/// The first window that holds more than it may.
fn exceeded(limit: &Limit, sums: &Sums) -> Option<Window> {
    let windows = [(Window::Hour, limit.hour, sums.hour), (Window::Day, limit.day, sums.day), (Window::Total, limit.total, sums.total)];
    windows.into_iter().find(|(_, most, sum)| most.is_some_and(|most| *sum > most)).map(|(window, _, _)| window)
}

impl Entry {
    fn new(time: u64, key: String, digest: String, lines: Arc<[String]>) -> Self {
        Self { time, key, agent: String::new(), lines, digest, nonce: None, spends: Vec::new(), idempotency: None, sealed: None }
    }

    /// What a sealed signature is bound to.
    fn bound(&self) -> String {
        [self.key.as_str(), &self.agent, &self.digest, &self.time.to_string()].join("\n")
    }
}
