//! What is said about signatures: verdicts, records, and what is left of limits.

use super::any_ledger::AnyLedger;
use super::ledger::Ledger;
use super::{Asked, Failure, Opened, Signing, Use};
use crate::audit::Event;
use crate::ethereum::transaction::Transaction;
use crate::manifest::Asset;
use crate::policy::{AssetId, Denial, Limit, refused, shown};
use crate::shared::{Note, Sums};
use crate::text::{hex, line};
use alloy_primitives::{B256, U256};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// Lines of a record, at most.
pub(super) const LINES: usize = 64;

/// What a transaction would do, and spend at most. See [`Wallet::judge`](crate::Wallet::judge).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verdict {
    /// What it does, in lines for people.
    pub what: Vec<String>,
    /// What it spends at most: amount and symbol, and the chain.
    pub spends: Vec<String>,
}

/// The verdict on a transaction, without signing it.
pub(crate) fn judge(signer: &Opened, payload: &[u8]) -> Result<Verdict, Denial> {
    const ASKED: &str = "judge a transaction";
    let transaction = Transaction::read(payload).map_err(|wrong| refused::undecodable(ASKED, wrong))?;
    let (Use::Wallet(policy), Some(own)) = (&signer.granted.policy, signer.key.address()) else {
        return Err(refused::wrong_use(signer.purpose(), ASKED));
    };
    let permit = policy.transaction(own, transaction)?;
    let spends = permit.spends().iter().filter_map(|(id, amount)| {
        let asset = policy.config().asset(id.chain, id.contract)?;
        Some(format!("{} on chain {}", shown(*amount, &asset), id.chain))
    });
    Ok(Verdict { what: permit.lines().to_vec(), spends: spends.collect() })
}

/// What is left of the limits of an agent's signer, and what the ledger wants confirmed, in lines for people.
///
/// # Errors
/// Why the ledger can't be opened, or asked.
pub(crate) async fn standing(signing: &Signing, signer: &Opened) -> Result<Vec<String>, String> {
    let Use::Wallet(policy) = &signer.granted.policy else { return Ok(vec!["spends nothing".to_owned()]) };
    let ledger = signing.ledger()?;
    let standing = ledger.standing(&signer.id).await.map_err(|error| error.to_string())?;
    let mut lines: Vec<String> = [standing.blocked, standing.stopped].into_iter().flatten().collect();
    if standing.purpose.is_none() {
        lines.push("the ledger does not know the key; `strongroom limits confirm` adds it".to_owned());
    }
    if policy.limits().is_empty() {
        lines.push("no limit of the manifest names an asset, so nothing can be spent".to_owned());
    }
    let caps = signing.caps(signer.key.address());
    for (agent, limits) in [(Some(signer.agent.as_str()), policy.limits()), (None, caps.as_slice())] {
        let assets: Vec<AssetId> = limits.iter().map(|limit| limit.asset).collect();
        let spent = ledger.spent(&signer.id, agent, &assets).await.map_err(|error| error.to_string())?;
        for (limit, sums) in limits.iter().zip(&spent) {
            let Some(asset) = signing.config.asset(limit.asset.chain, limit.asset.contract) else { continue };
            let text = left(limit, sums, &asset);
            lines.push(if agent.is_some() { text } else { format!("over all agents, {text}") });
        }
    }
    Ok(lines)
}

/// How much of an asset the limits of an agent's signer and those of its key leave; nothing where the agent has no limit of it.
///
/// # Errors
/// Why the ledger can't be opened, or asked.
#[cfg(feature = "ops")]
pub(crate) async fn left_of(signing: &Signing, signer: &Opened, asset: AssetId) -> Result<U256, String> {
    let Use::Wallet(policy) = &signer.granted.policy else { return Ok(U256::ZERO) };
    let Some(own) = policy.limits().iter().find(|limit| limit.asset == asset) else { return Ok(U256::ZERO) };
    let caps = signing.caps(signer.key.address());
    let caps = caps.iter().filter(|limit| limit.asset == asset).map(|limit| (None, limit));
    let ledger = signing.ledger()?;
    let mut least = U256::MAX;
    for (agent, limit) in [(Some(signer.agent.as_str()), own)].into_iter().chain(caps) {
        let spent = ledger.spent(&signer.id, agent, &[asset]).await.map_err(|error| error.to_string())?;
        let sums = spent.first().copied().unwrap_or_default();
        let windows = [(limit.hour, sums.hour), (limit.day, sums.day), (limit.total, sums.total)];
        least = windows.into_iter().filter_map(|(most, sum)| Some(most?.saturating_sub(sum))).fold(least, U256::min);
    }
    Ok(least)
}

impl Asked {
    /// Hands the record of a signature to the audit log.
    pub(super) fn record(
        &self,
        digest: B256,
        spends: &[(AssetId, U256)],
        what: &[String],
        left: Vec<String>,
        again: bool,
    ) -> Result<(), Failure> {
        let asset = |id: &AssetId| self.signing.config.asset(id.chain, id.contract);
        let spent = |(id, amount): &(AssetId, U256)| Some(line(format_args!("{} on chain {}", shown(*amount, &asset(id)?), id.chain)));
        let event = Event::Signed {
            signer: (&self.signer.granted.spec.name).into(),
            key: (&self.signer.shown).into(),
            what: what.into(),
            spends: spends.iter().filter_map(spent).collect(),
            left: left.into(),
            digest: hex(digest.as_slice()).into(),
            again,
        };
        self.journal.record(event).map_err(|_| Failure::NoRecord)
    }

    /// What is left of the agent's limits of these assets, by whichever ledger there is; nothing where it can't be asked.
    pub(super) async fn left(&self, spends: &[(AssetId, U256)]) -> Vec<String> {
        match self.signing.ledger() {
            Ok(AnyLedger::Embedded(ledger)) => self.left_here(ledger, spends),
            Ok(AnyLedger::Shared(ledger)) => {
                let limits: Vec<&Limit> = self.limits_of(spends).collect();
                let assets: Vec<AssetId> = limits.iter().map(|limit| limit.asset).collect();
                if assets.is_empty() {
                    return Vec::new();
                }
                let spent = ledger.spent(&self.signer.id, Some(&self.signer.agent), &assets).await.unwrap_or_default();
                limits.iter().zip(&spent).filter_map(|(limit, sums)| self.left_of(limit, sums)).collect()
            }
            Err(_) => Vec::new(),
        }
    }

    /// The same by this host's own ledger.
    pub(super) fn left_here(&self, ledger: &Ledger, spends: &[(AssetId, U256)]) -> Vec<String> {
        let spent = |limit: &Limit| ledger.spent(&self.signer.id, Some(&self.signer.agent), limit.asset);
        self.limits_of(spends).filter_map(|limit| self.left_of(limit, &spent(limit))).collect()
    }

    fn limits_of<'a>(&'a self, spends: &'a [(AssetId, U256)]) -> impl Iterator<Item = &'a Limit> {
        self.limits().iter().filter(|limit| spends.iter().any(|(id, _)| *id == limit.asset))
    }

    fn left_of(&self, limit: &Limit, sums: &Sums) -> Option<String> {
        Some(left(limit, sums, &self.signing.config.asset(limit.asset.chain, limit.asset.contract)?))
    }

    /// Keeps a record of what spends nothing, and hands it to the audit log.
    pub(super) async fn account(&self, what: String, input: &[u8]) -> Result<(), Failure> {
        let digest = B256::from_slice(&Sha256::digest(input));
        let what: Arc<[String]> = [cut(what)].into();
        let ledger = self.signing.ledger().map_err(|why| Failure::Denied(refused::ledger_stuck(&why)))?;
        ledger.note(&Note::new(&self.signer.id, &self.signer.agent, digest, Arc::clone(&what))).await?;
        self.record(digest, &[], &what, Vec::new(), false)
    }
}

/// A line of a record, at most so long: what was signed in full is what the digest stands for.
pub(super) fn cut(mut line: String) -> String {
    const LINE: usize = 2_048;
    if line.len() > LINE {
        let bytes = line.len();
        line.truncate((0..=LINE).rev().find(|at| line.is_char_boundary(*at)).unwrap_or(0));
        line.push_str(&format!("… ({bytes} bytes)"));
    }
    line
}

/// What is left of a limit, for people.
fn left(limit: &Limit, sums: &Sums, asset: &Asset) -> String {
    let windows =
        [("within 60 minutes", limit.hour, sums.hour), ("within 24 hours", limit.day, sums.day), ("in all", limit.total, sums.total)];
    let parts = windows.into_iter().filter_map(|(window, most, sum)| Some(shown(most?.saturating_sub(sum), asset) + " left " + window));
    let parts: Vec<String> = parts.collect();
    let parts = if parts.is_empty() { "no bound".to_owned() } else { parts.join(", ") };
    line(format_args!("{} on chain {}: {parts}", asset.symbol, asset.chain))
}
