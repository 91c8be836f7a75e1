//! The ceiling on keys in this process: what all agents together may spend from one in a day, of all assets of one symbol. It is looked at
//! twice: as an agent is loaded, by what its limits would allow, and in the ledger, by what is spent in fact, whichever process the other
//! agents ran in.

use crate::ethereum::quantity;
use crate::lock::Mutex;
use crate::manifest::{LimitSpec, Most, SigningConfig};
use crate::policy::AssetId;
use crate::shared::Ceiling;
use alloy_primitives::U256;
use std::collections::BTreeMap;

/// Decimals in which amounts of all assets are compared.
const NORMAL: u8 = 36;

/// What may be spent in a day by symbol; none is no bound.
type Daily = BTreeMap<String, Option<U256>>;

/// What the loaded agents may spend below the ceilings.
#[derive(Default)]
pub(super) struct Hot {
    /// By key, and by agent and signer.
    loaded: Mutex<BTreeMap<String, BTreeMap<String, Daily>>>,
}

/// The ceilings of a configuration.
///
/// # Errors
/// What is wrong with it.
pub(super) fn ceilings(config: &SigningConfig) -> Result<Vec<Ceiling>, String> {
    let ceiling = |(symbol, text): &(String, String)| {
        let assets = config.assets_named(symbol);
        if assets.is_empty() {
            return Err(format!("`signing.hot_limit` names {symbol}, which is not an asset of this host"));
        }
        let unit = |asset: &crate::manifest::Asset| U256::from(10).pow(U256::from(NORMAL - asset.decimals.min(NORMAL)));
        let assets = assets.iter().map(|asset| (AssetId::new(asset.chain, asset.address), unit(asset)));
        let most = quantity::amount(text, NORMAL).ok_or_else(|| format!("`signing.hot_limit` of {symbol} is not an amount"))?;
        Ok(Ceiling { assets: assets.collect(), most, name: format!("{text} {symbol}") })
    };
    config.hot_limit.iter().map(ceiling).collect()
}

impl Hot {
    /// Refuses what lets agents spend more in a day from one key than the operator wants at risk. `user` is an agent's signer.
    pub(super) fn check(&self, hot_limit: &[(String, String)], key: &str, user: &str, limits: &[LimitSpec]) -> Result<(), String> {
        let mut loaded = self.loaded.lock();
        let of_key = loaded.entry(key.to_owned()).or_default();
        let before = of_key.insert(user.to_owned(), daily(limits));
        let judged = judge(of_key, hot_limit);
        if judged.is_err() {
            // One that was loaded before goes on as it was.
            match before {
                Some(before) => of_key.insert(user.to_owned(), before),
                None => of_key.remove(user),
            };
        }
        judged
    }

    /// Whether what was loaded is below ceilings that may be others by now.
    pub(super) fn recheck(&self, hot_limit: &[(String, String)], key: &str, user: &str, limits: &[LimitSpec]) -> Result<(), String> {
        let mut of_key = self.loaded.lock().get(key).cloned().unwrap_or_default();
        of_key.insert(user.to_owned(), daily(limits));
        judge(&of_key, hot_limit)
    }
}

/// The most that limits allow in a day.
fn daily(limits: &[LimitSpec]) -> Daily {
    let mut daily = Daily::new();
    for spec in limits {
        let worst = worst_day(spec);
        let sum = daily.entry(spec.asset.clone()).or_insert(Some(U256::ZERO));
        *sum = sum.zip(worst).map(|(sum, worst)| sum.saturating_add(worst));
    }
    daily
}

/// Whether what all agents may spend from a key is below the ceilings.
fn judge(of_key: &BTreeMap<String, Daily>, hot_limit: &[(String, String)]) -> Result<(), String> {
    for (symbol, text) in hot_limit {
        let most = quantity::amount(text, NORMAL).unwrap_or_default();
        let mut all = of_key.values().filter_map(|daily| daily.get(symbol));
        let sum = all.try_fold(U256::ZERO, |sum, daily| Some(sum.saturating_add((*daily)?)));
        if sum.is_some_and(|sum| sum <= most) {
            continue;
        }
        let users = of_key.keys().cloned().collect::<Vec<_>>().join(" and ");
        let found = sum.map_or_else(|| format!("unlimited {symbol}"), |sum| format!("{} {symbol}", quantity::shown(sum, NORMAL)));
        return Err(format!(
            "its key is held in this process, and in a day {found} may be spent from it, by {users}; `signing.hot_limit` allows {text}. Lower the limits, or keep the key in an HSM, a KMS or by MPC"
        ));
    }
    Ok(())
}

/// The most that 24 hours may see by a limit, in units of 36 decimals.
fn worst_day(limit: &LimitSpec) -> Option<U256> {
    let amount = |most: &Option<Most>| match most {
        Some(Most::Amount(text)) => quantity::amount(text, NORMAL),
        Some(Most::Unlimited) | None => None,
    };
    let hours = amount(&limit.hour).map(|hour| hour.saturating_mul(U256::from(24)));
    [hours, amount(&limit.day), amount(&limit.total)].into_iter().flatten().min()
}
