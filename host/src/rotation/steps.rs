//! The steps of a rotation, in the only order in which they can be taken: each takes the proof that the one before it was, by value. The
//! outcome of a step is in the journal before the next begins.
//!
//! A call to the issuer is made only while this host holds the rotation, and its record is in the audit log before.

use super::Rotation;
use super::document::{Current, Orphan};
use super::halt::Halt;
use super::hold::Hold;
use super::issuer::{IssuerError, Probe};
use super::orphans::{abandon, clear_of_suspicion, list, lost, settle_suspicion};
use super::progress::Step;
use super::revocation::end_key;
use super::rollback::{forward_or_back, roll_back, turn_back};
use super::sites::{Placed, holds, in_use, replace};
use super::stage::{Drained, Intended, Intent, Issued, Keys, Reached, Revoked, Switched, UnderWay, Usable, Verified};
use crate::manifest::AfterDrain;
use crate::secrets::StoreError;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How often a key is tried before it counts as one that does not work: an issuer may need a moment to spread it.
const PROBES: u32 = 4;
/// The outcome of a rotation that came to its end.
const DONE: &str = "done";
/// How often a drain looks at what other hosts have noted: at first, and at most.
const LOOKS: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(2));

/// Takes a rotation to its end: one that is under way, or else a new one.
pub(super) async fn run(rotation: &Rotation, hold: &mut Hold, trigger: &str) -> Result<(), Halt> {
    if let Some(under_way) = &hold.document().under_way {
        let reached = taken_up(rotation, hold, under_way)?;
        return resume(rotation, hold, reached).await;
    }
    let intended = intend(rotation, hold, trigger).await?;
    let issued = issue(rotation, hold, intended).await?;
    let verified = verify(rotation, hold, issued).await?;
    finish(rotation, hold, Usable::Verified(verified)).await
}

/// What a rotation has reached that is found under way, if it is one of the key that is configured now.
fn taken_up(rotation: &Rotation, hold: &Hold, under_way: &UnderWay) -> Result<Reached, Halt> {
    let (intent, sites, issuer) = (under_way.intent(), rotation.shown_sites(), rotation.issuer.shown());
    if intent.sites != sites || intent.issuer != issuer {
        let (before, made_by) = (intent.sites.join(", "), &intent.issuer);
        return Err(Halt::Stuck(format!(
            "a rotation of {before} by {made_by} is under way, but the configuration \
             now names {} and {issuer}: restore it until that rotation has ended",
            sites.join(", ")
        )));
    }
    let direction = match under_way.switched_to() {
        None => "rolls back, unless the new key is in use",
        Some(_) => "goes forward",
    };
    rotation.tell(hold, Step::Resume, &format!("found at `{}`: {direction}", under_way.stage().name()))?;
    Ok(Reached::of(under_way))
}

/// Goes on where another host, or this one before, has left off.
async fn resume(rotation: &Rotation, hold: &mut Hold, reached: Reached) -> Result<(), Halt> {
    let usable = match reached {
        Reached::Intended(intended) => return Err(lost(rotation, hold, intended, "the host stopped before the response came").await?),
        Reached::Issued(issued) => Usable::Verified(forward_or_back(rotation, hold, issued).await?),
        Reached::Verified(verified) => Usable::Verified(forward_or_back(rotation, hold, verified.into()).await?),
        Reached::Switched(switched) => Usable::Switched(switched),
        Reached::Drained(drained) => {
            let revoked = revoke(rotation, hold, drained).await?;
            return clean(rotation, hold, revoked).await;
        }
        Reached::Revoked(revoked) => return clean(rotation, hold, revoked).await,
        Reached::RollingBack(rolling_back) => return Err(roll_back(rotation, hold, rolling_back).await?),
    };
    finish(rotation, hold, usable).await
}

/// From the switch on to the end.
async fn finish(rotation: &Rotation, hold: &mut Hold, usable: Usable) -> Result<(), Halt> {
    let switched = switch(rotation, hold, usable).await?;
    let drained = drain(rotation, hold, switched).await?;
    let revoked = revoke(rotation, hold, drained).await?;
    clean(rotation, hold, revoked).await
}

/// Writes down that a key is about to be asked for.
async fn intend(rotation: &Rotation, hold: &mut Hold, trigger: &str) -> Result<Intended, Halt> {
    let old = in_use(rotation, hold.document()).await?;
    if rotation.issuer.needs_id() && old.id().is_none() {
        let why = "the issuer revokes keys by its own ids, and the id of the key in use is not known";
        return Err(Halt::Stuck(format!("{why}; add `id = \"…\"` to `[rotations.{}]`", rotation.name)));
    }
    rotation.sure(hold).await?;
    let listed = list(rotation, &old).await?;
    settle_suspicion(rotation, hold, listed.as_deref(), &old).await?;
    let intent = Intent {
        begun: rotation.now(),
        trigger: trigger.to_owned(),
        sites: rotation.shown_sites(),
        issuer: rotation.issuer.shown(),
        old,
        listed,
    };
    let number = hold.document().number + 1;
    Ok(Intended::write(hold, number, intent).await?)
}

/// Has the new key made, and writes it down before anything else.
async fn issue(rotation: &Rotation, hold: &mut Hold, intended: Intended) -> Result<Issued, Halt> {
    let ready = match rotation.tell(hold, Step::Issue, &rotation.issuer.shown()) {
        Ok(()) => rotation.sure(hold).await,
        Err(halt) => Err(halt),
    };
    if let Err(halt) = ready {
        // Nothing has been asked for: whoever comes next need not look for it.
        rotation.end(hold, &format!("no key was requested: {halt}")).await?;
        return Err(halt);
    }
    let old = intended.intent().old.copy();
    let new = match rotation.call(rotation.issuer.issue(&old)).await {
        Ok(new) => new,
        Err(IssuerError::Unknown(why)) => return Err(lost(rotation, hold, intended, &why).await?),
        Err(IssuerError::Refused(why)) => {
            rotation.end(hold, &why).await?;
            return Err(Halt::RolledBack(why));
        }
        Err(IssuerError::Later { why, after }) => {
            rotation.end(hold, &why).await?;
            return Err(Halt::Later { why, after });
        }
    };
    if new.is(&old) {
        let why = "the issuer returned the key that is already in use".to_owned();
        rotation.end(hold, &why).await?;
        return Err(Halt::RolledBack(why));
    }
    let issued = intended.issued(hold, &new, |document| {
        document.lost = 0;
        if let Some(id) = new.id().filter(|id| !document.made.iter().any(|made| made == id)) {
            document.made.push(id.to_owned());
        }
        clear_of_suspicion(document, &new);
    });
    match issued.await {
        Ok(issued) => Ok(issued),
        // Nobody else can know this key: it is ended here and now.
        Err(unwritten) => {
            abandon(rotation, hold, &new, &old).await;
            Err(unwritten.into())
        }
    }
}

/// Tries the new key.
async fn verify(rotation: &Rotation, hold: &mut Hold, issued: Issued) -> Result<Verified, Halt> {
    rotation.tell(hold, Step::Verify, "")?;
    if !rotation.fits(&issued.keys().new) {
        let why = "the new key does not match the `format` of a manifest that uses it";
        return Err(turn_back(rotation, hold, issued, why).await?);
    }
    let mut why = "the new key does not work".to_owned();
    for attempt in 0..PROBES {
        if attempt > 0 {
            tokio::time::sleep(rotation.config.timeout / 10 * attempt).await;
        }
        rotation.sure(hold).await?;
        match rotation.call(rotation.issuer.probe(&issued.keys().new)).await {
            Ok(Probe::Works { expires_at }) => return Ok(issued.verified(hold, expires_at).await?),
            Ok(Probe::Rejected) => "the new key does not work".clone_into(&mut why),
            Err(error) => why = error.to_string(),
        }
    }
    Err(turn_back(rotation, hold, issued, &why).await?)
}

/// Makes the new key the one in use. The first site that takes it decides: from then on there is no way back.
async fn switch(rotation: &Rotation, hold: &mut Hold, usable: Usable) -> Result<Switched, Halt> {
    rotation.tell(hold, Step::Switch, "")?;
    let mut wrote = false;
    for (at, site) in rotation.sites.iter().enumerate() {
        let Keys { old, new } = usable.keys();
        match replace(hold, site, old, new).await? {
            Placed::Foreign => {}
            placed => {
                wrote |= placed == Placed::Now;
                continue;
            }
        }
        let foreign = format!("somebody else has written to {}", site.shown());
        if at == 0
            && let Usable::Verified(verified) = usable
        {
            return Err(turn_back(rotation, hold, verified.into(), &foreign).await?);
        }
        rotation.alert(hold.document().number, &format!("{foreign}, and it is left as it is"));
    }
    let new = &usable.keys().new;
    let print = rotation.print(new.reveal());
    let current = Current { since: rotation.now(), print, id: new.id().map(str::to_owned), expires_at: new.expires_at() };
    if !rotation.registers() {
        // Others are waited for, for a long time without a heartbeat: what is written now says so.
        hold.slow_down(super::SLOW_LEASE);
    }
    Ok(usable.switched(hold, wrote, &current).await?)
}

/// Waits until no request holds the old key: of this host, by counting them; of others, until each has said so, or can't use it any more.
async fn drain(rotation: &Rotation, hold: &mut Hold, switched: Switched) -> Result<Drained, Halt> {
    let (old, number) = (&switched.keys().old, hold.document().number);
    rotation.tell(hold, Step::Drain, "")?;
    let uses = rotation.uses(old);
    let begun = rotation.clock.now();
    let (mut look, mut told) = (LOOKS.0, false);
    let mut adopted = rotation.adopt(old).await;
    loop {
        let waited = rotation.clock.now().saturating_sub(begun);
        let held = uses.count();
        let is_late = waited >= rotation.config.drain;
        let give_up = is_late && rotation.config.after_drain == AfterDrain::Revoke;
        let in_all = waited + Duration::from_millis(switched.waited());
        // What others hold of a key that has leaked is worth less than its end.
        if rotation.is_leaked.load(Ordering::Relaxed) {
            break;
        }
        if adopted && (held == 0 || give_up) && rotation.others_are_done(number, in_all).await? {
            break;
        }
        if is_late && !told && (held > 0 || !adopted) {
            let what =
                if adopted { format!("{held} requests still hold the old key") } else { "this host still reads the old key".to_owned() };
            rotation.alert(number, &format!("{what}, {} s after the switch", waited.as_secs()));
            told = true;
        }
        let wait = look.min(rotation.config.timeout / 2);
        if held > 0 {
            let _ = tokio::time::timeout(wait, uses.none()).await;
        } else {
            tokio::time::sleep(wait).await;
        }
        look = (look * 2).min(LOOKS.1);
        if rotation.closing.load(Ordering::Relaxed) {
            hold.note_waited(in_all).await?;
            return Err(Halt::HandsOver);
        }
        hold.beat(in_all).await?;
        if !adopted {
            adopted = rotation.adopt(old).await;
        }
    }
    Ok(switched.drained(hold).await?)
}

/// Ends the old key, unless it is in use somewhere after all.
async fn revoke(rotation: &Rotation, hold: &mut Hold, drained: Drained) -> Result<Revoked, Halt> {
    let Keys { old, new } = drained.keys();
    for site in rotation.everywhere() {
        match site.read().await {
            Ok(kept) if *kept.value == old.reveal() => {
                let why = format!("the old key is in use at {}, and is not revoked: set another one there", site.shown());
                return Err(Halt::Stuck(why));
            }
            Ok(_) | Err(StoreError::NotFound(_)) => {}
            // What can't be read can't be said to be another.
            Err(error) => return Err(error.into()),
        }
    }
    rotation.tell(hold, Step::Revoke, "")?;
    end_key(rotation, hold, old, new).await?;
    Ok(drained.revoked(hold).await?)
}

/// Takes the old key out of the stores, and writes the rotation's end down.
async fn clean(rotation: &Rotation, hold: &mut Hold, revoked: Revoked) -> Result<(), Halt> {
    let (Keys { old, new }, number) = (revoked.keys(), hold.document().number);
    rotation.tell(hold, Step::Clean, "")?;
    if hold.document().suspected.is_some() {
        rotation.sure(hold).await?;
        let listed = list(rotation, new).await?;
        settle_suspicion(rotation, hold, listed.as_deref(), new).await?;
    }
    for site in &rotation.sites {
        if let Err(error) = site.forget(old).await {
            // It no longer works: what is left of it is untidy, nothing worse.
            rotation.alert(number, &format!("{}: old versions of a revoked key could not be removed: {error}", site.shown()));
        }
    }
    let mut kept = false;
    for site in &rotation.sites {
        kept |= holds(site, new).await?;
    }
    // Somebody has set another key since: the new one works, and nobody uses it.
    let unused = (!kept).then(|| {
        let named = new.id().map_or_else(|| "whose name is not known".to_owned(), crate::text::for_people);
        Orphan { at: rotation.now(), number, what: format!("the new key, {named}: somebody has set another in its place since") }
    });
    let now = rotation.now();
    hold.write(|document| {
        document.report(unused.as_slice());
        document.close(DONE, now);
        document.lost = 0;
        document.failing = None;
        document.hosts.entry(rotation.host.clone()).and_modify(|acknowledged| *acknowledged = number);
        // Who has not said that it took the new key over within the longest staleness is not there any more.
        document.hosts.retain(|_, acknowledged| *acknowledged >= number);
    })
    .await?;
    rotation.tell(hold, Step::Done, "")?;
    Ok(())
}
