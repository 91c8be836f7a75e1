//! The steps of a rotation, in the only order in which they can be taken: each takes the proof that the one before it was, by value, and the
//! proofs are made here alone. What a step leads to is in the journal before the next begins.
//!
//! A call to the issuer is made only while this host holds the rotation, and its record is in the audit log before.

use super::Rotation;
use super::hold::Hold;
use super::issuer::{IssuedKey, IssuerError, ListedKey, Probe};
use super::journal::{Current, Document, Orphan, Past, Stage, UnderWay, Unwritten};
use super::names::{Placed, holds, replace};
use super::orphans::{abandon, list, lost, report, settle_suspicion};
use super::proof::{end_key, old_is_over};
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

/// The intent is in the journal.
struct Intended(());
/// The new key is in the journal.
struct Sealed(());
/// The new key works.
struct Verified(());
/// The new key is the one in use.
struct Switched(());
/// Nobody holds the old key.
struct Drained(());
/// The old key works no more.
struct Ended(());

/// Why a rotation came to a stop.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Halt {
    /// Another host goes on with it.
    #[error("another host has taken the rotation over")]
    Fenced,
    /// Another host is at it, or has ended in the middle of it. How long until it counts as gone, at most.
    #[error("another host is at it, or has ended in the middle of it")]
    Busy(Duration),
    /// It is left to another host, since this one ends.
    #[error("this host ends, and another one goes on")]
    HandsOver,
    /// It goes forward after all, at once.
    #[error("{0}: the rotation goes on")]
    GoesOn(&'static str),
    /// It stays where it is, and is taken up again.
    #[error("{why}")]
    Later { why: String, after: Option<Duration> },
    /// The old key is in use, as before.
    #[error("rolled back: {0}")]
    RolledBack(String),
    /// What became of a call to the issuer is not known, and the old key is in use.
    #[error("the outcome of a call to the issuer was lost: {0}")]
    Lost(String),
    /// An operator has to look.
    #[error("{0}")]
    Stuck(String),
}

impl From<Unwritten> for Halt {
    fn from(unwritten: Unwritten) -> Self {
        match unwritten {
            Unwritten::Fenced => Self::Fenced,
            Unwritten::Store(_) => Self::Later { why: unwritten.to_string(), after: None },
        }
    }
}

impl From<StoreError> for Halt {
    fn from(error: StoreError) -> Self {
        Self::Later { why: error.to_string(), after: None }
    }
}

/// Takes a rotation to its end: one that is under way, or else a new one.
pub(super) async fn run(rotation: &Rotation, hold: &mut Hold, trigger: &str) -> Result<(), Halt> {
    let Some(under_way) = &hold.document().under_way else {
        let intended = intend(rotation, hold, trigger).await?;
        let sealed = issue(rotation, hold, intended).await?;
        let verified = verify(rotation, hold, sealed).await?;
        let switched = switch(rotation, hold, verified).await?;
        return finish(rotation, hold, switched).await;
    };
    let stage = under_way.stage;
    let (places, issuer) = (rotation.places(), rotation.issuer.shown());
    if under_way.places != places || under_way.issuer != issuer {
        let (before, made_by) = (under_way.places.join(", "), &under_way.issuer);
        return Err(Halt::Stuck(format!(
            "a rotation of {before} by {made_by} is under way, and the configuration names {} and {issuer} now: \
             restore it until that rotation has ended",
            places.join(", ")
        )));
    }
    rotation.tell(hold, "resume", &resumed(stage))?;
    match stage {
        Stage::Issuing => Err(lost(rotation, hold, "the host ended before the answer came").await?),
        Stage::Issued | Stage::Verified => {
            let switched = resume_switch(rotation, hold).await?;
            finish(rotation, hold, switched).await
        }
        Stage::Switched => {
            let switched = switch(rotation, hold, Verified(())).await?;
            finish(rotation, hold, switched).await
        }
        Stage::Drained => {
            let ended = revoke(rotation, hold, Drained(())).await?;
            clean(rotation, hold, ended).await
        }
        Stage::Revoked => clean(rotation, hold, Ended(())).await,
        Stage::RollingBack => Err(roll_back(rotation, hold, None).await?),
    }
}

fn resumed(stage: Stage) -> String {
    let direction = match stage {
        Stage::Issuing | Stage::Issued | Stage::Verified | Stage::RollingBack => "rolls back, unless the new key is in use",
        Stage::Switched | Stage::Drained | Stage::Revoked => "goes forward",
    };
    format!("found at `{}`: {direction}", stage.name())
}

async fn finish(rotation: &Rotation, hold: &mut Hold, switched: Switched) -> Result<(), Halt> {
    let drained = drain(rotation, hold, switched).await?;
    let ended = revoke(rotation, hold, drained).await?;
    clean(rotation, hold, ended).await
}

/// Writes down that a key is about to be asked for.
async fn intend(rotation: &Rotation, hold: &mut Hold, trigger: &str) -> Result<Intended, Halt> {
    let old = in_use(rotation, hold.document()).await?;
    if rotation.issuer.needs_id() && old.id().is_none() {
        let why = "the issuer ends keys by its own name for them, and that of the key in use is not known";
        return Err(Halt::Stuck(format!("{why}; add `id = \"…\"` to `[rotations.{}]`", rotation.name)));
    }
    sure(rotation, hold).await?;
    let listed = list(rotation, &old).await?;
    settle_suspicion(rotation, hold, listed.as_deref(), &old).await?;
    let begun = rotation.now();
    let number = hold.document().number + 1;
    hold.write(|document| {
        document.number = number;
        document.under_way = Some(UnderWay {
            begun,
            trigger: trigger.to_owned(),
            stage: Stage::Issuing,
            places: rotation.places(),
            issuer: rotation.issuer.shown(),
            waited: 0,
            old: old.copy(),
            new: None,
            listed: listed.clone(),
            why: None,
        });
    })
    .await?;
    Ok(Intended(()))
}

/// The key in use, which has to be the same wherever it is kept.
pub(super) async fn in_use(rotation: &Rotation, document: &Document) -> Result<IssuedKey, Halt> {
    let mut found: Option<zeroize::Zeroizing<String>> = None;
    for name in &rotation.names {
        let value = name.read().await?.value;
        if found.as_ref().is_some_and(|found| *found != value) {
            let why = format!("{} holds another key than {}", name.shown(), rotation.names[0].shown());
            return Err(Halt::Stuck(format!("{why}; set both to the one that is to be used, with `strongroom secrets set`")));
        }
        found = Some(value);
    }
    let value = found.ok_or_else(|| Halt::Stuck("the rotation names no secret".to_owned()))?;
    // What is known of a key is known of that one alone: somebody may have set another by hand.
    let print = rotation.print(&value);
    let known = document.current.as_ref().filter(|current| current.print == print);
    // The operator may tell the name of one that is not known: none that was given to another key before.
    let told = || {
        let of_another =
            |id: &String| document.made.contains(id) || document.current.as_ref().is_some_and(|known| known.id.as_ref() == Some(id));
        rotation.config.id.clone().filter(|id| !of_another(id))
    };
    let id = known.and_then(|current| current.id.clone()).or_else(told);
    Ok(IssuedKey::new(value.as_str()).with_id(id).with_end(known.and_then(|current| current.expires_at)))
}

/// Has the new key made, and seals it into the journal before anything else.
async fn issue(rotation: &Rotation, hold: &mut Hold, _intended: Intended) -> Result<Sealed, Halt> {
    let old = old_of(hold);
    let ready = match rotation.tell(hold, "issue", &rotation.issuer.shown()) {
        Ok(()) => sure(rotation, hold).await,
        Err(halt) => Err(halt),
    };
    if let Err(halt) = ready {
        // Nothing has been asked for: whoever comes next need not look for it.
        end(rotation, hold, &format!("nothing was asked for: {halt}")).await?;
        return Err(halt);
    }
    let new = match rotation.call(rotation.issuer.issue(&old)).await {
        Ok(new) => new,
        Err(IssuerError::Unknown(why)) => return Err(lost(rotation, hold, &why).await?),
        Err(IssuerError::Refused(why)) => {
            end(rotation, hold, &why).await?;
            return Err(Halt::RolledBack(why));
        }
        Err(IssuerError::Later { why, after }) => {
            end(rotation, hold, &why).await?;
            return Err(Halt::Later { why, after });
        }
    };
    if new.is(&old) {
        let why = "the issuer gave the key that is in use already".to_owned();
        end(rotation, hold, &why).await?;
        return Err(Halt::RolledBack(why));
    }
    let sealed = hold
        .write(|document| {
            document.lost = 0;
            advance(document, Stage::Issued);
            if let Some(id) = new.id().filter(|id| !document.made.iter().any(|made| made == id)) {
                document.made.push(id.to_owned());
            }
            // This one is not what is suspected; where it has no name, none can be told from another.
            match (document.suspected.take(), new.id()) {
                (Some(mut suspected), Some(id)) => {
                    let key = ListedKey { id: id.to_owned() };
                    if !suspected.listed.contains(&key) {
                        suspected.listed.push(key);
                    }
                    document.suspected = Some(suspected);
                }
                _ => document.suspected = None,
            }
            if let Some(under_way) = &mut document.under_way {
                under_way.new = Some(new.copy());
            }
        })
        .await;
    match sealed {
        Ok(()) => Ok(Sealed(())),
        // Nobody else can know this key: it is ended here and now.
        Err(unwritten) => {
            abandon(rotation, hold, &new, &old).await;
            Err(unwritten.into())
        }
    }
}

/// Tries the new key.
async fn verify(rotation: &Rotation, hold: &mut Hold, _sealed: Sealed) -> Result<Verified, Halt> {
    let new = new_of(hold)?;
    rotation.tell(hold, "verify", "")?;
    if !rotation.fits(&new) {
        let why = "the new key does not match the `format` of a manifest that uses it";
        return Err(roll_back(rotation, hold, Some(why)).await?);
    }
    let mut why = "the new key does not work".to_owned();
    for attempt in 0..PROBES {
        if attempt > 0 {
            tokio::time::sleep(rotation.config.timeout / 10 * attempt).await;
        }
        sure(rotation, hold).await?;
        match rotation.call(rotation.issuer.probe(&new)).await {
            Ok(Probe::Works { expires_at }) => {
                hold.write(|document| {
                    advance(document, Stage::Verified);
                    if let Some(new) = document.under_way.as_mut().and_then(|under_way| under_way.new.as_mut()) {
                        *new = new.copy().with_end(expires_at.or(new.expires_at()));
                    }
                })
                .await?;
                return Ok(Verified(()));
            }
            Ok(Probe::Rejected) => "the new key does not work".clone_into(&mut why),
            Err(error) => why = error.to_string(),
        }
    }
    Err(roll_back(rotation, hold, Some(&why)).await?)
}

/// Goes on before the switch after a change of hands: forward where the new key is in use already, or is the only one that works; or else
/// back.
async fn resume_switch(rotation: &Rotation, hold: &mut Hold) -> Result<Switched, Halt> {
    let new = new_of(hold)?;
    for name in &rotation.names {
        if holds(name, &new).await? {
            return switch(rotation, hold, Verified(())).await;
        }
    }
    if old_is_over(rotation, hold).await? {
        return switch(rotation, hold, Verified(())).await;
    }
    Err(roll_back(rotation, hold, Some("the host ended before the new key was in use")).await?)
}

/// Makes the new key the one in use. The first place that takes it decides: from then on there is no way back.
async fn switch(rotation: &Rotation, hold: &mut Hold, _verified: Verified) -> Result<Switched, Halt> {
    let (old, new) = (old_of(hold), new_of(hold)?);
    rotation.tell(hold, "switch", "")?;
    let mut wrote = false;
    for (at, name) in rotation.names.iter().enumerate() {
        match replace(hold, name, &old, &new).await? {
            Placed::Foreign => {}
            placed => {
                wrote |= placed == Placed::Now;
                continue;
            }
        }
        let foreign = format!("somebody else has written to {}", name.shown());
        if at == 0 && hold.document().under_way.as_ref().is_some_and(|under_way| under_way.stage.is_before_switch()) {
            return Err(roll_back(rotation, hold, Some(&foreign)).await?);
        }
        rotation.alert(hold.document().number, &format!("{foreign}, and it is left as it is"));
    }
    let since = rotation.now();
    let print = rotation.print(new.reveal());
    if !rotation.registers() {
        // Others are waited for without a sign of life for long: what is written now says so.
        hold.slow_down(super::SLOW_LEASE);
    }
    hold.write(|document| {
        advance(document, Stage::Switched);
        if wrote {
            document.under_way.iter_mut().for_each(|under_way| under_way.waited = 0);
        }
        let (id, expires_at) = (new.id().map(str::to_owned), new.expires_at());
        document.current = Some(Current { since, print: print.clone(), id, expires_at });
    })
    .await?;
    Ok(Switched(()))
}

/// Waits until no request holds the old key: of this host, by counting them; of others, until each has said so, or can't use it any more.
async fn drain(rotation: &Rotation, hold: &mut Hold, _switched: Switched) -> Result<Drained, Halt> {
    let (old, number) = (old_of(hold), hold.document().number);
    rotation.tell(hold, "drain", "")?;
    let uses = rotation.uses(&old);
    let begun = rotation.clock.now();
    let before = hold.document().under_way.as_ref().map_or(0, |under_way| under_way.waited);
    let (mut look, mut told) = (LOOKS.0, false);
    let mut adopted = rotation.adopt(&old).await;
    loop {
        let waited = rotation.clock.now().saturating_sub(begun);
        let held = uses.count();
        let is_late = waited >= rotation.config.drain;
        let give_up = is_late && rotation.config.after_drain == AfterDrain::Revoke;
        let in_all = waited + Duration::from_millis(before);
        if adopted && (held == 0 || give_up) && rotation.others_are_done(number, in_all).await? {
            break;
        }
        if is_late && !told && (held > 0 || !adopted) {
            let what =
                if adopted { format!("{held} requests hold the old key still") } else { "this host still reads the old key".to_owned() };
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
            adopted = rotation.adopt(&old).await;
        }
    }
    hold.write(|document| advance(document, Stage::Drained)).await?;
    Ok(Drained(()))
}

/// Ends the old key, unless it is in use somewhere after all.
async fn revoke(rotation: &Rotation, hold: &mut Hold, _drained: Drained) -> Result<Ended, Halt> {
    let (old, new) = (old_of(hold), new_of(hold)?);
    for name in rotation.everywhere() {
        match name.read().await {
            Ok(kept) if *kept.value == old.reveal() => {
                let why = format!("the old key is in use at {}, and is not revoked: set another one there", name.shown());
                return Err(Halt::Stuck(why));
            }
            Ok(_) | Err(StoreError::NotFound(_)) => {}
            // What can't be read can't be said to be another.
            Err(error) => return Err(error.into()),
        }
    }
    rotation.tell(hold, "revoke", "")?;
    end_key(rotation, hold, &old, &new).await?;
    hold.write(|document| advance(document, Stage::Revoked)).await?;
    Ok(Ended(()))
}

/// Takes the old key out of the stores, and writes the rotation's end down.
async fn clean(rotation: &Rotation, hold: &mut Hold, _ended: Ended) -> Result<(), Halt> {
    let (old, number) = (old_of(hold), hold.document().number);
    rotation.tell(hold, "clean", "")?;
    if hold.document().suspected.is_some() {
        let new = new_of(hold)?;
        sure(rotation, hold).await?;
        let listed = list(rotation, &new).await?;
        settle_suspicion(rotation, hold, listed.as_deref(), &new).await?;
    }
    for name in &rotation.names {
        if let Err(error) = name.forget(&old).await {
            // It works no more: what is left of it is untidy, and no more.
            rotation.alert(number, &format!("{}: old versions of a revoked key could not be removed: {error}", name.shown()));
        }
    }
    let new = new_of(hold)?;
    let mut kept = false;
    for name in &rotation.names {
        kept |= holds(name, &new).await?;
    }
    // Somebody has set another key since: the new one works, and nobody uses it.
    let unused = (!kept).then(|| {
        let named = new.id().map_or_else(|| "whose name is not known".to_owned(), crate::text::for_people);
        Orphan { at: rotation.now(), number, what: format!("the new key, {named}: somebody has set another in its place since") }
    });
    let now = rotation.now();
    hold.write(|document| {
        report(document, unused.as_slice());
        close(document, DONE, now);
        document.lost = 0;
        document.failing = None;
        document.hosts.entry(rotation.host.clone()).and_modify(|acknowledged| *acknowledged = number);
        // Who has not said that it took the new key over within the longest staleness is not there any more.
        document.hosts.retain(|_, acknowledged| *acknowledged >= number);
    })
    .await?;
    rotation.tell(hold, "done", "")?;
    Ok(())
}

/// Ends the new key; the old one is in use, as before.
async fn roll_back(rotation: &Rotation, hold: &mut Hold, why: Option<&str>) -> Result<Halt, Halt> {
    let (old, new) = (old_of(hold), new_of(hold)?);
    if let Some(why) = why {
        hold.write(|document| {
            advance(document, Stage::RollingBack);
            if let Some(under_way) = &mut document.under_way {
                under_way.why = Some(why.to_owned());
            }
        })
        .await?;
    }
    let why = hold.document().under_way.as_ref().and_then(|under_way| under_way.why.clone()).unwrap_or_default();
    let forward = |document: &mut Document| advance(document, Stage::Verified);
    // A host that was stopped just before it wrote the new key, and wakes up later, must find that it can't any more: see `replace`.
    for name in &rotation.names {
        replace(hold, name, &old, &old).await?;
        if holds(name, &new).await? {
            hold.write(forward).await?;
            return Err(Halt::GoesOn("the new key is in use after all"));
        }
    }
    if old_is_over(rotation, hold).await? {
        hold.write(forward).await?;
        return Err(Halt::GoesOn("the old key works no more, and the new one does"));
    }
    rotation.tell(hold, "roll-back", &why)?;
    end_key(rotation, hold, &new, &old).await?;
    end(rotation, hold, &why).await?;
    Ok(Halt::RolledBack(why))
}

/// Writes down that a rotation has come to nothing.
async fn end(rotation: &Rotation, hold: &mut Hold, why: &str) -> Result<(), Halt> {
    let now = rotation.now();
    Ok(hold.write(|document| close(document, why, now)).await?)
}

pub(super) fn close(document: &mut Document, outcome: &str, now: u64) {
    let Some(UnderWay { begun, trigger, .. }) = document.under_way.take() else { return };
    document.past.push(Past { number: document.number, begun, ended: now, trigger, outcome: outcome.to_owned() });
}

/// Closes whatever is open in a journal, and says which keys may be left over by it.
pub(super) fn abandon_all(document: &mut Document, now: u64) -> Vec<String> {
    let named = |what: &str, key: &IssuedKey| match key.id() {
        Some(id) => format!("{what}, {}", crate::text::for_people(id)),
        None => format!("{what}, whose name is not known"),
    };
    let keys = document.under_way.as_ref().map(|under_way| {
        let new = under_way.new.as_ref().map(|new| named("the new key", new));
        new.into_iter().chain([named("the key that was in use before", &under_way.old)]).collect()
    });
    close(document, "given up by the operator", now);
    (document.lost, document.failing, document.suspected, document.asked) = (0, None, None, None);
    document.orphans.clear();
    keys.unwrap_or_default()
}

fn advance(document: &mut Document, stage: Stage) {
    if let Some(under_way) = &mut document.under_way {
        under_way.stage = stage;
    }
}

/// Makes sure, before a call to the issuer, that this host may make it.
pub(super) async fn sure(rotation: &Rotation, hold: &mut Hold) -> Result<(), Halt> {
    if rotation.closing.load(Ordering::Relaxed) {
        return Err(Halt::HandsOver);
    }
    Ok(hold.sure(rotation.config.timeout).await?)
}

pub(super) fn old_of(hold: &Hold) -> IssuedKey {
    hold.document().under_way.as_ref().expect("a rotation is under way from its intent to its end").old.copy()
}

pub(super) fn new_of(hold: &Hold) -> Result<IssuedKey, Halt> {
    let new = hold.document().under_way.as_ref().and_then(|under_way| under_way.new.as_ref());
    new.map(IssuedKey::copy).ok_or_else(|| Halt::Stuck("the journal has no new key at a stage that comes after one".to_owned()))
}
