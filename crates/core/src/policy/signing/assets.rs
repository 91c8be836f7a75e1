//! Assets and how much of them may be spent.

use crate::ethereum::quantity;
use crate::manifest::{Asset, LimitSpec, Most, SigningConfig};
use crate::policy::denial::host_lines;
use alloy_primitives::{Address, U256};
use std::fmt;

/// An asset on one chain: its contract, or the chain's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct AssetId {
    /// The chain's id (EIP-155).
    pub chain: u64,
    /// The asset's contract; none for the chain's own asset.
    pub contract: Option<Address>,
}

/// Upper bounds of one asset's windows. None is no bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limit {
    /// The asset.
    pub asset: AssetId,
    /// In any 60 minutes, in the asset's smallest unit.
    pub hour: Option<U256>,
    /// In any 24 hours.
    pub day: Option<U256>,
    /// Ever.
    pub total: Option<U256>,
}

impl AssetId {
    /// An asset by its contract; without one, the chain's own.
    #[must_use]
    pub const fn new(chain: u64, contract: Option<Address>) -> Self {
        Self { chain, contract }
    }

    pub(crate) fn native(chain: u64) -> Self {
        Self { chain, contract: None }
    }

    /// The same from its text: `1:native`, or `1:0x…` with the contract's address.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (chain, contract) = text.split_once(':')?;
        let contract = if contract == "native" { None } else { Some(quantity::address(contract)?) };
        Some(Self { chain: chain.parse().ok()?, contract })
    }
}

impl fmt::Display for AssetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.contract {
            None => write!(f, "{}:native", self.chain),
            Some(contract) => write!(f, "{}:{contract}", self.chain),
        }
    }
}

impl Limit {
    /// Without a bound.
    #[must_use]
    pub const fn none(asset: AssetId) -> Self {
        Self { asset, hour: None, day: None, total: None }
    }

    /// A limit of a manifest or of the host configuration, in the asset's smallest unit.
    pub fn of(spec: &LimitSpec, config: &SigningConfig) -> Result<Self, String> {
        let asset = config.asset_named(spec.chain, &spec.asset).ok_or_else(|| unknown(&spec.asset, spec.chain))?;
        let most = |most: &Option<Most>| match most {
            None | Some(Most::Unlimited) => Ok(None),
            Some(Most::Amount(text)) => units(text, &asset).map(Some),
        };
        let id = AssetId { chain: asset.chain, contract: asset.address };
        Ok(Self { asset: id, hour: most(&spec.hour)?, day: most(&spec.day)?, total: most(&spec.total)? })
    }
}

/// The lines of the host configuration for an asset. How many decimals it has, and what its contract does, only the operator can know: a
/// wrong number would move every limit of it by powers of ten.
pub(super) fn asset_lines(symbol: &str, chain: u64, address: &str) -> String {
    format!("[[signing.assets]]\nsymbol = {symbol}\nchain = {chain}\naddress = {address}\nstandard = ?\ndecimals = ?")
}

fn unknown(symbol: &str, chain: u64) -> String {
    let remedy = host_lines(&asset_lines(&toml::Value::from(symbol).to_string(), chain, "?"));
    format!("a limit names the asset {symbol} on chain {chain}, which the host does not know; {remedy}")
}

/// An amount in whole units, in the asset's smallest one.
pub(crate) fn units(text: &str, asset: &Asset) -> Result<U256, String> {
    let wrong = || format!("{text} is not an amount of {}, which has {} decimals", asset.symbol, asset.decimals);
    quantity::amount(text, asset.decimals).ok_or_else(wrong)
}

/// An amount with its symbol, for people.
pub fn shown(amount: U256, asset: &Asset) -> String {
    match amount {
        U256::MAX => format!("unlimited {}", asset.symbol),
        amount => quantity::shown(amount, asset.decimals) + " " + &asset.symbol,
    }
}
