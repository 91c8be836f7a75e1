//! One party: what it has, and how it is.

use crate::config::Config;
use crate::judge::Judge;
use crate::ledger::{Ledger, Share as OfLimits};
use crate::peers::Peers;
use crate::presignature::Pool;
use crate::rounds::Runs;
use crate::sealed::Vault;
use crate::shares::{Share, Shares};
use crate::trio::{PARTIES, Trio};
use anyhow::{Context, Result};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use strongroom_ground::lock::Mutex;
use strongroom_ground::text::hex;
use strongroom_mpc::Card;
use strongroom_mpc::says::Status;
use tokio::sync::Notify;

/// One of the three.
pub struct Party {
    /// The three.
    pub trio: Arc<Trio>,
    pub(crate) hosts: Vec<Card>,
    pub(crate) judge: Judge,
    pub(crate) ledger: Ledger,
    pub(crate) shares: Shares,
    pub(crate) peers: Peers,
    pub(crate) pool: Arc<Pool>,
    pub(crate) runs: Runs,
    /// How much of its limits it uses without the third.
    pub(crate) alone: OfLimits,
    /// What waits to be signed: requests that were reserved here, by the hash of their entry and by who leads.
    pub(crate) waiting: Mutex<HashMap<(String, usize), crate::signing::Waiting>>,
    /// Presignatures that are kept at hand for each key, where that does not follow from the agents' rates.
    pub(crate) presignatures: Option<usize>,
    /// A presignature was taken, or one was made.
    pub(crate) taken: Notify,
    pub(crate) made: Notify,
    /// Numbers that were given for runs, and when.
    pub(crate) numbers: Mutex<HashMap<String, Instant>>,
}

impl Party {
    /// Opens a party as its configuration says.
    ///
    /// # Errors
    /// What is wrong with what is kept, or with what the configuration leads to.
    pub fn open(config: Config) -> Result<Arc<Self>> {
        let trio = Arc::new(config.trio);
        let vault = Vault::new(&config.state, &config.unlock, config.backup.as_deref(), &trio)?;
        let shares = Shares::open(vault, Arc::clone(&trio), &keys(&config.state)?)?;
        let ledger = Ledger::open(&config.state.join("ledger.jsonl"), Arc::clone(&trio))?;
        let judge = Judge::new(&config.agents, config.signing)?;
        judge.resume(ledger.uses());
        let pool = Arc::new(Pool::default());
        let forget = {
            let pool = Arc::clone(&pool);
            Box::new(move |party| pool.forget(party))
        };
        let boot = hex(&*strongroom_ground::random::key()?);
        Ok(Arc::new(Self {
            hosts: config.hosts,
            judge,
            ledger,
            shares,
            peers: Peers::new(Arc::clone(&trio), boot, &config.addresses, forget),
            pool,
            runs: Runs::default(),
            alone: config.alone,
            waiting: Mutex::default(),
            presignatures: config.presignatures,
            taken: Notify::new(),
            made: Notify::new(),
            numbers: Mutex::default(),
            trio,
        }))
    }

    /// How it is.
    pub fn status(&self) -> Status {
        let keys = self.shares.all();
        let presignatures = keys.iter().flat_map(|share| {
            let key = &share.info.key;
            let count = move |other: usize| (self.trio.name(other).to_owned(), key.clone(), self.pool.count(self.trio.index, other, key));
            self.trio.others().map(count)
        });
        let standing = self.ledger.standing();
        Status {
            name: self.trio.name(self.trio.index).to_owned(),
            preparing: self.shares.preparing(),
            presignatures: presignatures.collect(),
            peers: self.trio.others().map(|other| (self.trio.name(other).to_owned(), self.peers.away(other))).to_vec(),
            ledger: (0..PARTIES).map(|party| (self.trio.name(party).to_owned(), standing.counts[party])).collect(),
            keys: keys.iter().map(|share| share.info.clone()).collect(),
        }
    }

    /// Finds this party's primes, where they are not there yet.
    pub fn prepare(&self) {
        if let Err(error) = self.shares.primes() {
            tracing::error!("the primes can't be kept: {error:#}");
        }
    }

    /// The share of a key.
    ///
    /// # Errors
    /// There is none.
    pub fn share(&self, key: &str) -> Result<Arc<Share>, String> {
        self.shares.get(key).ok_or_else(|| format!("there is no key `{key}` here"))
    }
}

/// The keys of which there are shares.
fn keys(state: &Path) -> Result<Vec<String>> {
    let names = std::fs::read_dir(state).with_context(|| state.display().to_string())?;
    let names = names.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    Ok(names.filter_map(|name| Some(name.strip_prefix("key-")?.strip_suffix(".age")?.to_owned())).collect())
}
