//! The way back before the switch, and when there is none: the new key is already in use, or the old one no longer works.

use super::Rotation;
use super::halt::Halt;
use super::hold::Hold;
use super::issuer::{IssuerError, Probe};
use super::progress::Step;
use super::revocation::end_key;
use super::sites::{Site, holds, replace};
use super::stage::{Issued, Keys, RollingBack, Verified};

/// Evidence that a rotation must go forward, though its new key may not have been tried. It is made here alone, by looking.
pub(super) struct NoWayBack(&'static str);

/// Goes on before the switch after a change of hands: forward where the new key is in use already, or is the only one that works; or else
/// back.
pub(super) async fn forward_or_back(rotation: &Rotation, hold: &mut Hold, issued: Issued) -> Result<Verified, Halt> {
    for site in &rotation.sites {
        if let Some(shown) = in_use_at(site, issued.keys()).await? {
            return Ok(issued.forward(&shown));
        }
    }
    if let Some(shown) = old_is_over(rotation, issued.keys()).await? {
        return Ok(issued.forward(&shown));
    }
    Err(turn_back(rotation, hold, issued, "the host stopped before the new key was in use").await?)
}

/// Writes down why the new key is to be ended, and ends it.
pub(super) async fn turn_back(rotation: &Rotation, hold: &mut Hold, issued: Issued, why: &str) -> Result<Halt, Halt> {
    let rolling_back = issued.rolling_back(hold, why).await?;
    roll_back(rotation, hold, rolling_back).await
}

/// Ends the new key; the old one is in use, as before.
pub(super) async fn roll_back(rotation: &Rotation, hold: &mut Hold, rolling_back: RollingBack) -> Result<Halt, Halt> {
    let Keys { old, new } = rolling_back.keys();
    // A host that was stopped just before it wrote the new key, and wakes up later, must find that it can't any more: see `replace`.
    for site in &rotation.sites {
        replace(hold, site, old, old).await?;
        if let Some(shown) = in_use_at(site, rolling_back.keys()).await? {
            rolling_back.forward(hold, &shown).await?;
            return Err(shown.into());
        }
    }
    if let Some(shown) = old_is_over(rotation, rolling_back.keys()).await? {
        rolling_back.forward(hold, &shown).await?;
        return Err(shown.into());
    }
    rotation.tell(hold, Step::RollBack, rolling_back.why())?;
    end_key(rotation, hold, new, old).await?;
    rotation.end(hold, rolling_back.why()).await?;
    Ok(Halt::RolledBack(rolling_back.why().to_owned()))
}

/// Whether a site holds the new key.
async fn in_use_at(site: &Site, keys: &Keys) -> Result<Option<NoWayBack>, Halt> {
    Ok(holds(site, &keys.new).await?.then_some(NoWayBack("the new key is in use after all")))
}

/// Whether the old key is the one in use and no longer works, and the new one does.
async fn old_is_over(rotation: &Rotation, keys: &Keys) -> Result<Option<NoWayBack>, Halt> {
    let Some(first) = rotation.sites.first() else { return Ok(None) };
    if !holds(first, &keys.old).await? {
        return Ok(None);
    }
    let later = |error: IssuerError| Halt::Later { why: error.to_string(), after: None };
    if rotation.call(rotation.issuer.probe(&keys.old)).await.map_err(later)? != Probe::Rejected {
        return Ok(None);
    }
    let new = rotation.call(rotation.issuer.probe(&keys.new)).await.map_err(later)?;
    Ok(matches!(new, Probe::Works { .. }).then_some(NoWayBack("the old key no longer works, and the new one does")))
}

impl From<NoWayBack> for Halt {
    fn from(shown: NoWayBack) -> Self {
        Self::GoesOn(shown.0)
    }
}
