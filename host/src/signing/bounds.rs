//! What the operator lets all agents together spend from a key: bounds that no manifest names, so that they hold for whatever runs, from its next
//! signature on, as soon as they are others.

use super::hot;
use crate::manifest::{SignerCap, SigningConfig};
use crate::policy::Limit;
use crate::shared::Ceiling;
use alloy_primitives::Address;

/// Those of one configuration.
pub(crate) struct Bounds {
    /// The most from a key in this process, as it is written: by symbol.
    pub(super) hot: Vec<(String, String)>,
    /// The same for the ledger.
    ceilings: Vec<Ceiling>,
    /// Limits by account.
    caps: Vec<(Address, Limit)>,
}

impl Bounds {
    /// # Errors
    /// What is wrong with the configuration.
    pub(crate) fn of(config: &SigningConfig) -> Result<Self, String> {
        let cap = |cap: &SignerCap| Limit::of(&cap.limit, config).map(|limit| (cap.signer, limit));
        let caps = config.caps.iter().map(cap).collect::<Result<_, _>>().map_err(|why| format!("`signing.caps`: {why}"))?;
        Ok(Self { hot: config.hot_limit.clone(), ceilings: hot::ceilings(config)?, caps })
    }

    /// The limits of an account.
    pub(super) fn caps(&self, account: Option<Address>) -> Vec<Limit> {
        self.caps.iter().filter(|(signer, _)| Some(*signer) == account).map(|(_, limit)| *limit).collect()
    }

    /// The ceilings of a key that is held in this process.
    pub(super) fn ceilings(&self) -> &[Ceiling] {
        &self.ceilings
    }
}
