//! One of the three parties of a threshold wallet: it holds one share of each key, and a policy and a ledger of its own, by which it decides for
//! itself whether it takes part in a signature. Two of three sign; no process has the key, ever. See `docs/mpc.md`.

mod agree;
pub mod config;
pub mod judge;
pub mod ledger;
pub mod party;
pub mod peers;
pub mod presignature;
pub mod rounds;
pub mod sealed;
mod serve;
pub mod shares;
mod signing;
pub mod trio;
mod unlock;

use anyhow::{Context, Result};
use config::Config;
use judge::Judge;
use ledger::Ledger;
use party::{Parts, Party};
use peers::Peers;
use presignature::Pool;
use sealed::Vault;
use shares::Shares;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use strongroom_ground::text::hex;

/// Opens a party as its configuration says. Gives it, and where it is to listen.
///
/// # Errors
/// What is wrong with the configuration, or with what is kept.
pub fn open(config: &Path) -> Result<(Arc<Party>, SocketAddr)> {
    let config = Config::read(config)?;
    let trio = Arc::new(config.trio);
    let vault = Vault::new(&config.state, &config.unlock, config.backup.as_deref(), &trio)?;
    let shares = Shares::open(vault, Arc::clone(&trio), &keys(&config.state)?)?;
    let ledger = Ledger::open(&config.state.join("ledger.jsonl"), Arc::clone(&trio))?;
    let pool = Arc::new(Pool::default());
    let forget = {
        let pool = Arc::clone(&pool);
        Box::new(move |party| pool.forget(party))
    };
    let boot = hex(&*strongroom_ground::random::key()?);
    let peers = Peers::new(Arc::clone(&trio), boot, &config.addresses, forget);
    let judge = Judge::new(&config.agents, config.signing)?;
    let parts =
        Parts { trio, hosts: config.hosts, judge, ledger, shares, peers, pool, alone: config.alone, presignatures: config.presignatures };
    Ok((Party::new(parts), config.listen))
}

/// The keys of which there are shares.
fn keys(state: &Path) -> Result<Vec<String>> {
    let names = std::fs::read_dir(state).with_context(|| state.display().to_string())?;
    let names = names.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    Ok(names.filter_map(|name| Some(name.strip_prefix("key-")?.strip_suffix(".age")?.to_owned())).collect())
}
