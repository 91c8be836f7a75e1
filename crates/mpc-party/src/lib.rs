//! One of the three parties of a threshold wallet: it holds one share of each key, and a policy and a ledger of its own, by which it decides for
//! itself whether it takes part in a signature. Two of three sign; no process has the key, ever. See `docs/mpc.md`.

mod agree;
mod ceremony;
pub mod config;
pub mod judge;
pub mod ledger;
pub mod party;
pub mod peers;
pub mod presignature;
pub mod rounds;
mod runs;
pub mod sealed;
mod serve;
pub mod shares;
mod signing;
mod supply;
pub mod trio;
mod unlock;

use anyhow::Result;
use config::Config;
use party::Party;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

/// Opens a party as its configuration says. Gives it, and where it is to listen.
///
/// # Errors
/// What is wrong with the configuration, or with what is kept.
pub fn open(config: &Path) -> Result<(Arc<Party>, SocketAddr)> {
    let config = Config::read(config)?;
    let listen = config.listen;
    Ok((Party::open(config)?, listen))
}
