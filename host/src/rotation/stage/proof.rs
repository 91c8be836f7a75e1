//! What a step relies on. A proof carries the data of the stage that it proves, and there are two ways to obtain one: out of the journal,
//! where a rotation is taken up ([`Reached`]), and by the write of the journal that makes it true. Each step takes the proof of the one before, by
//! value: so there is one order, and no step can be taken twice.

use super::{Intent, Stage, UnderWay};
use crate::rotation::document::{Current, Document};
use crate::rotation::hold::Hold;
use crate::rotation::issuer::IssuedKey;
use crate::rotation::journal::Unwritten;
use crate::rotation::rollback::NoWayBack;

/// The key in use when the rotation began, and the one that takes its place.
pub(in crate::rotation) struct Keys {
    pub(in crate::rotation) old: IssuedKey,
    pub(in crate::rotation) new: IssuedKey,
}

/// What a rotation that is taken up has reached, by its journal.
pub(in crate::rotation) enum Reached {
    Intended(Intended),
    Issued(Issued),
    Verified(Verified),
    Switched(Switched),
    Drained(Drained),
    Revoked(Revoked),
    RollingBack(RollingBack),
}

/// The intent is in the journal.
pub(in crate::rotation) struct Intended(Intent);

/// The new key is in the journal.
pub(in crate::rotation) struct Issued(Keys);

/// The new key works.
pub(in crate::rotation) struct Verified(Keys);

/// The new key is the one in use.
pub(in crate::rotation) struct Switched {
    keys: Keys,
    waited: u64,
}

/// Nobody holds the old key.
pub(in crate::rotation) struct Drained(Keys);

/// The old key no longer works.
pub(in crate::rotation) struct Revoked(Keys);

/// The new key is to be ended.
pub(in crate::rotation) struct RollingBack {
    keys: Keys,
    why: String,
}

/// A new key that can be put in use: one that works, or one that was put in use at the first site at least by a host that may have ended
/// before it came to the others.
pub(in crate::rotation) enum Usable {
    Verified(Verified),
    Switched(Switched),
}

impl Reached {
    pub(in crate::rotation) fn of(under_way: &UnderWay) -> Self {
        let keys = |new: &IssuedKey| Keys { old: under_way.intent.old.copy(), new: new.copy() };
        match &under_way.stage {
            Stage::Issuing => Self::Intended(Intended(under_way.intent.copy())),
            Stage::Issued { new } => Self::Issued(Issued(keys(new))),
            Stage::Verified { new } => Self::Verified(Verified(keys(new))),
            Stage::Switched { new, waited } => Self::Switched(Switched { keys: keys(new), waited: *waited }),
            Stage::Drained { new } => Self::Drained(Drained(keys(new))),
            Stage::Revoked { new } => Self::Revoked(Revoked(keys(new))),
            Stage::RollingBack { new, why } => Self::RollingBack(RollingBack { keys: keys(new), why: why.clone() }),
        }
    }
}

impl Intended {
    /// Writes down that a key is about to be asked for.
    pub(in crate::rotation) async fn write(hold: &mut Hold, number: u64, intent: Intent) -> Result<Self, Unwritten> {
        hold.write(|document| {
            document.number = number;
            document.under_way = Some(UnderWay { intent: intent.copy(), stage: Stage::Issuing });
        })
        .await?;
        Ok(Self(intent))
    }

    pub(in crate::rotation) fn intent(&self) -> &Intent {
        &self.0
    }

    /// The intent, where the outcome of the call is not known: no proof comes after it.
    pub(in crate::rotation) fn into_intent(self) -> Intent {
        self.0
    }

    /// Writes the new key down, with what else changes by it.
    pub(in crate::rotation) async fn issued(
        self,
        hold: &mut Hold,
        new: &IssuedKey,
        also: impl FnMut(&mut Document),
    ) -> Result<Issued, Unwritten> {
        advance(hold, || Stage::Issued { new: new.copy() }, also).await?;
        Ok(Issued(Keys { old: self.0.old, new: new.copy() }))
    }
}

impl Issued {
    pub(in crate::rotation) fn keys(&self) -> &Keys {
        &self.0
    }

    /// Writes down that the new key works, and when it ends, where that was told anew.
    pub(in crate::rotation) async fn verified(self, hold: &mut Hold, expires_at: Option<u64>) -> Result<Verified, Unwritten> {
        let Keys { old, new } = self.0;
        let end = expires_at.or(new.expires_at());
        let new = new.with_end(end);
        advance(hold, || Stage::Verified { new: new.copy() }, |_| ()).await?;
        Ok(Verified(Keys { old, new }))
    }

    /// Accepts evidence that there is no way back in place of a trial of the key. Nothing is written: the switch comes next.
    pub(in crate::rotation) fn forward(self, _shown: &NoWayBack) -> Verified {
        Verified(self.0)
    }

    /// Writes down that the new key is to be ended.
    pub(in crate::rotation) async fn rolling_back(self, hold: &mut Hold, why: &str) -> Result<RollingBack, Unwritten> {
        let (keys, why) = (self.0, why.to_owned());
        advance(hold, || Stage::RollingBack { new: keys.new.copy(), why: why.clone() }, |_| ()).await?;
        Ok(RollingBack { keys, why })
    }
}

impl From<Verified> for Issued {
    fn from(verified: Verified) -> Self {
        Self(verified.0)
    }
}

impl Usable {
    pub(in crate::rotation) fn keys(&self) -> &Keys {
        match self {
            Self::Verified(verified) => &verified.0,
            Self::Switched(switched) => &switched.keys,
        }
    }

    /// Writes down that the new key is in use. Where a site was written just now, other hosts are waited for from the beginning.
    pub(in crate::rotation) async fn switched(self, hold: &mut Hold, wrote: bool, current: &Current) -> Result<Switched, Unwritten> {
        let (keys, waited) = match self {
            Self::Verified(verified) => (verified.0, 0),
            Self::Switched(switched) => (switched.keys, switched.waited),
        };
        let waited = if wrote { 0 } else { waited };
        let stage = || Stage::Switched { new: keys.new.copy(), waited };
        advance(hold, stage, |document| document.current = Some(current.clone())).await?;
        Ok(Switched { keys, waited })
    }
}

impl Switched {
    pub(in crate::rotation) fn keys(&self) -> &Keys {
        &self.keys
    }

    /// How long other hosts have been waited for before, in milliseconds.
    pub(in crate::rotation) fn waited(&self) -> u64 {
        self.waited
    }

    /// Writes down that nobody holds the old key.
    pub(in crate::rotation) async fn drained(self, hold: &mut Hold) -> Result<Drained, Unwritten> {
        advance(hold, || Stage::Drained { new: self.keys.new.copy() }, |_| ()).await?;
        Ok(Drained(self.keys))
    }
}

impl Drained {
    pub(in crate::rotation) fn keys(&self) -> &Keys {
        &self.0
    }

    /// Writes down that the old key no longer works.
    pub(in crate::rotation) async fn revoked(self, hold: &mut Hold) -> Result<Revoked, Unwritten> {
        advance(hold, || Stage::Revoked { new: self.0.new.copy() }, |_| ()).await?;
        Ok(Revoked(self.0))
    }
}

impl Revoked {
    pub(in crate::rotation) fn keys(&self) -> &Keys {
        &self.0
    }
}

impl RollingBack {
    pub(in crate::rotation) fn keys(&self) -> &Keys {
        &self.keys
    }

    pub(in crate::rotation) fn why(&self) -> &str {
        &self.why
    }

    /// Writes down that it goes forward after all.
    pub(in crate::rotation) async fn forward(self, hold: &mut Hold, _shown: &NoWayBack) -> Result<(), Unwritten> {
        advance(hold, || Stage::Verified { new: self.keys.new.copy() }, |_| ()).await
    }
}

/// Writes a stage, and what changes with it. The change is made anew where others have changed the document meanwhile.
async fn advance(hold: &mut Hold, stage: impl Fn() -> Stage, mut also: impl FnMut(&mut Document)) -> Result<(), Unwritten> {
    hold.write(|document| {
        if let Some(under_way) = &mut document.under_way {
            under_way.stage = stage();
        }
        also(document);
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: &str) -> IssuedKey {
        IssuedKey::new(format!("the key {id}")).with_id(Some(id.to_owned()))
    }

    fn taken_up(stage: Stage) -> Reached {
        let (sites, issuer, trigger) = (vec!["file:bot".to_owned()], "the issuer".to_owned(), "by hand".to_owned());
        let intent = Intent { begun: 1_700_000_000, trigger, sites, issuer, old: key("old"), listed: None };
        Reached::of(&UnderWay { intent, stage })
    }

    #[test]
    fn what_is_taken_up_has_the_data_of_its_stage() {
        let new = || key("new");
        let Reached::Intended(Intended(intent)) = taken_up(Stage::Issuing) else { panic!("another stage") };
        let Reached::Issued(Issued(issued)) = taken_up(Stage::Issued { new: new() }) else { panic!("another stage") };
        let Reached::Verified(Verified(verified)) = taken_up(Stage::Verified { new: new() }) else { panic!("another stage") };
        let Reached::Switched(switched) = taken_up(Stage::Switched { new: new(), waited: 1_500 }) else { panic!("another stage") };
        let Reached::Drained(Drained(drained)) = taken_up(Stage::Drained { new: new() }) else { panic!("another stage") };
        let Reached::Revoked(Revoked(revoked)) = taken_up(Stage::Revoked { new: new() }) else { panic!("another stage") };
        let rolling_back = taken_up(Stage::RollingBack { new: new(), why: "it does not work".to_owned() });
        let Reached::RollingBack(rolling_back) = rolling_back else { panic!("another stage") };

        assert!(intent.old.is(&key("old")));
        for keys in [&issued, &verified, &switched.keys, &drained, &revoked, &rolling_back.keys] {
            assert!(keys.old.is(&key("old")) && keys.new.is(&new()));
        }
        assert_eq!((switched.waited, rolling_back.why.as_str()), (1_500, "it does not work"));
    }
}
