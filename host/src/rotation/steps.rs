//! The steps of a rotation, in the only order in which they can be taken: each takes the proof that the one before it was, by value, and the
//! proofs are made here alone. What a step leads to is in the journal before the next begins.
//!
//! A call to the issuer is made only while this host holds the rotation, and its record is in the audit log before.

use super::Rotation;
use super::issuer::{IssuedKey, IssuerError, ListedKey, Probe, Revoked};
use super::journal::{Current, Document, Hold, Orphan, Past, Stage, Suspicion, UnderWay, Unwritten};
use super::names::Name;
use crate::manifest::AfterDrain;
use crate::secrets::StoreError;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How often a key is tried before it counts as one that does not work: an issuer may need a moment to spread it.
const PROBES: u32 = 4;
/// How long, in seconds, a call that was given up may still be carried out.
const LATE: u64 = 24 * 60 * 60;
/// How often a place is written where others write beside it, or its store does not answer, and how long is waited between.
const WRITES: u32 = 6;
const PAUSE: Duration = Duration::from_millis(15);
/// The outcome of a rotation that came to its end.
const DONE: &str = "done";
/// Most keys of a list that are remembered.
const MAX_LISTED: usize = 256;
/// Most bytes of their names together: the journal has room for so many.
const MAX_NAMES: usize = 12 << 10;
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
async fn in_use(rotation: &Rotation, document: &Document) -> Result<IssuedKey, Halt> {
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

/// Ends a key that can't be kept; where that fails too, says so wherever it can be said.
async fn abandon(rotation: &Rotation, hold: &Hold, new: &IssuedKey, old: &IssuedKey) {
    // Unless it was kept, though nobody said so, and whoever went on goes on with it.
    let print = rotation.print(new.reveal());
    if let Ok((document, _)) = rotation.journal.read().await {
        let under_way = document.under_way.as_ref().and_then(|under_way| under_way.new.as_ref());
        if under_way.is_some_and(|known| known.is(new)) || document.current.is_some_and(|current| current.print == print) {
            return;
        }
    }
    let _ = rotation.tell(hold, "abandon", "the new key can't be kept, and is revoked");
    // Who went on may have ended the old key, or found this one and ended it.
    for with in [old, new] {
        if rotation.call(rotation.issuer.revoke(new, with)).await == Ok(Revoked::Done) {
            return;
        }
    }
    if rejects(rotation, new).await {
        return;
    }
    let orphan = Orphan {
        at: rotation.now(),
        number: hold.document().number,
        what: format!("a key of {}, made and not kept", rotation.issuer.shown()),
    };
    rotation.alert(hold.document().number, &orphan.what);
    let noted = |document: &mut Document| {
        let new = !document.orphans.contains(&orphan);
        if new {
            document.orphans.push(orphan.clone());
        }
        new
    };
    if let Err(error) = rotation.journal.note(noted).await {
        tracing::error!(rotation = rotation.name, %error, "an orphan could not be noted");
    }
}

/// Settles a call whose outcome is not known: finds what it may have made, and ends it, or reports it. The old key is in use.
async fn lost(rotation: &Rotation, hold: &mut Hold, why: &str) -> Result<Halt, Halt> {
    let old = old_of(hold);
    let (before, begun) = hold.document().under_way.as_ref().map_or((None, 0), |under_way| (under_way.listed.clone(), under_way.begun));
    sure(rotation, hold).await?;
    let after = list(rotation, &old).await?;
    let (orphans, suspected) = match (before, after) {
        (Some(before), Some(after)) => {
            let mut fresh = fresh(&before, &after);
            if before.iter().any(|key| !after.contains(key)) && fresh.len() == 1 {
                // Keys have gone meanwhile: of a list in pages another one may have come into sight.
                fresh.extend(fresh.clone());
            }
            let suspected = fresh.is_empty().then_some(Suspicion { since: begun, print: rotation.print(old.reveal()), listed: before });
            (end_orphans(rotation, hold, &fresh, &old).await?, suspected)
        }
        _ => (
            vec![Orphan {
                at: begun,
                number: hold.document().number,
                what: format!("{}, whose answer was lost; the issuer has no list", rotation.issuer.shown()),
            }],
            None,
        ),
    };
    for orphan in &orphans {
        rotation.alert(hold.document().number, &format!("there may be a key that nobody knows: {}", orphan.what));
    }
    let now = rotation.now();
    let lost = hold.document().lost + 1;
    hold.write(|document| {
        document.lost = lost;
        document.suspected = suspected.clone().or_else(|| document.suspected.take());
        report(document, &orphans);
        close(document, &format!("the outcome was lost: {why}"), now);
    })
    .await?;
    Ok(Halt::Lost(why.to_owned()))
}

/// Looks whether a call that was given up has been carried out after all, and ends what it made.
async fn settle_suspicion(rotation: &Rotation, hold: &mut Hold, listed: Option<&[ListedKey]>, with: &IssuedKey) -> Result<(), Halt> {
    let (Some(suspected), Some(listed)) = (&hold.document().suspected, listed) else { return Ok(()) };
    let late = fresh(&suspected.listed, listed);
    let is_over = rotation.now().saturating_sub(suspected.since) > LATE;
    if late.is_empty() && !is_over {
        return Ok(());
    }
    // A key that somebody has set since is new in the list too. What is known is the key of then, and those that were made here since.
    let print = rotation.print(in_use(rotation, hold.document()).await?.reveal());
    let made_here = hold.document().current.as_ref().is_some_and(|current| current.print == print && current.id.is_some());
    let orphans = match !is_over && (print == suspected.print || made_here) {
        true => end_orphans(rotation, hold, &late, with).await?,
        // After so long it is hardly that call's.
        false if is_over => Vec::new(),
        false => late.iter().map(|key| orphan(rotation, hold, key)).collect(),
    };
    let noted = hold.write(|document| {
        document.suspected = None;
        report(document, &orphans);
    });
    Ok(noted.await?)
}

fn report(document: &mut Document, orphans: &[Orphan]) {
    for orphan in orphans {
        if !document.orphans.contains(orphan) {
            document.orphans.push(orphan.clone());
        }
    }
}

/// The keys of the second list that are not in the first.
fn fresh(before: &[ListedKey], after: &[ListedKey]) -> Vec<ListedKey> {
    after.iter().filter(|key| !before.contains(key)).cloned().collect()
}

/// Ends the key that nobody knows. Where there are several, or where it might be somebody's after all, they are reported.
async fn end_orphans(rotation: &Rotation, hold: &mut Hold, fresh: &[ListedKey], old: &IssuedKey) -> Result<Vec<Orphan>, Halt> {
    let all = || fresh.iter().map(|key| orphan(rotation, hold, key)).collect();
    let [key] = fresh else { return Ok(all()) };
    // The key in use is in the list from before, unless somebody has set another since; and other rotations make keys too.
    if *in_use(rotation, hold.document()).await?.reveal() != *old.reveal() || rotation.is_of_another(key).await {
        return Ok(all());
    }
    let reported = all();
    rotation.tell(hold, "revoke-orphan", &shown(key))?;
    sure(rotation, hold).await?;
    match rotation.call(rotation.issuer.revoke_listed(key, old)).await {
        Ok(Revoked::Done) => Ok(Vec::new()),
        Ok(Revoked::NotFound) | Err(_) => Ok(reported),
    }
}

fn orphan(rotation: &Rotation, hold: &Hold, key: &ListedKey) -> Orphan {
    let what = format!("{}: the key that it lists as {}", rotation.issuer.shown(), shown(key));
    Orphan { at: rotation.now(), number: hold.document().number, what }
}

/// An issuer's name for a key, unless it looks like the key itself.
fn shown(key: &ListedKey) -> String {
    match crate::manifest::looks_like_a_secret(&key.id) {
        true => "one that is not shown here".to_owned(),
        false => crate::text::for_people(&key.id),
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

/// Whether a place holds a key; one that is not there any more does not.
async fn holds(name: &Name, key: &IssuedKey) -> Result<bool, Halt> {
    match name.read().await {
        Ok(kept) => Ok(*kept.value == key.reveal()),
        Err(StoreError::NotFound(_)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Whether the old key is the one in use and works no more, and the new one does: then there is no way back.
async fn old_is_over(rotation: &Rotation, hold: &Hold) -> Result<bool, Halt> {
    let (old, new) = (old_of(hold), new_of(hold)?);
    let Some(first) = rotation.names.first() else { return Ok(false) };
    if !holds(first, &old).await? {
        return Ok(false);
    }
    let later = |error: IssuerError| Halt::Later { why: error.to_string(), after: None };
    if rotation.call(rotation.issuer.probe(&old)).await.map_err(later)? != Probe::Rejected {
        return Ok(false);
    }
    let new = rotation.call(rotation.issuer.probe(&new)).await.map_err(later)?;
    Ok(matches!(new, Probe::Works { .. }))
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

/// What came of putting a key in the place of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Placed {
    /// It was written.
    Now,
    /// It was there already.
    Before,
    /// Neither was there: somebody else has written.
    Foreign,
}

/// Puts a key in the place of another.
///
/// A host that was stopped in here and wakes up when another has taken the rotation over must not write any more. So what is there is read
/// first, then the rotation is shown to be this host's by a write of its journal, and then there is one write on condition of what was read:
/// whoever takes over after that rewrites the place (see [`roll_back`]) before it relies on anything.
async fn replace(hold: &mut Hold, name: &Name, old: &IssuedKey, new: &IssuedKey) -> Result<Placed, Halt> {
    let mut failed = None;
    for attempt in 0..WRITES {
        if attempt > 0 {
            tokio::time::sleep(PAUSE * 2u32.pow(attempt)).await;
        }
        let kept = match name.read().await {
            Ok(kept) => kept,
            Err(StoreError::NotFound(_)) => return Ok(Placed::Foreign),
            Err(error) => {
                failed = Some(error);
                continue;
            }
        };
        if !old.is(new) && *kept.value == new.reveal() {
            return Ok(if failed.is_some() { Placed::Now } else { Placed::Before });
        }
        if *kept.value != old.reveal() {
            return Ok(Placed::Foreign);
        }
        hold.write(|_| ()).await?;
        match name.put(new, &kept).await {
            Ok(()) => return Ok(Placed::Now),
            Err(error) => failed = Some(error),
        }
    }
    Err(failed.map_or_else(|| Halt::Stuck("a place is never written".to_owned()), Halt::from))
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

/// Has a key ended, and is content with nothing less than proof: the issuer's word, or that it rejects it.
async fn end_key(rotation: &Rotation, hold: &mut Hold, key: &IssuedKey, with: &IssuedKey) -> Result<(), Halt> {
    let in_use = match rotation.names.first() {
        Some(name) => name.read().await.ok().map(|kept| IssuedKey::new(kept.value.as_str())),
        None => None,
    };
    let (mut why, mut after) = (String::new(), None);
    // Who is to end it may be ended itself; then the key that is in use may, or the key itself.
    let others = in_use.iter().chain([key]).filter(|other| !other.is(with));
    for with in [with].into_iter().chain(others) {
        sure(rotation, hold).await?;
        (why, after) = match rotation.call(rotation.issuer.revoke(key, with)).await {
            Ok(Revoked::Done) => return Ok(()),
            Ok(Revoked::NotFound) => ("the issuer knows no such key, and takes it all the same: revoke it by hand".to_owned(), None),
            Err(IssuerError::Later { why, after }) => (why, after),
            Err(IssuerError::Unknown(why)) => (why, None),
            Err(IssuerError::Refused(refused)) => {
                why = refused;
                continue;
            }
        };
        break;
    }
    // Whatever it says: a key that it rejects works no more, unless it takes no key at all at the moment.
    if rejects(rotation, key).await {
        for known in [Some(with), in_use.as_ref()].into_iter().flatten().filter(|known| !known.is(key)) {
            if matches!(rotation.call(rotation.issuer.probe(known)).await, Ok(Probe::Works { .. })) {
                return Ok(());
            }
        }
    }
    Err(Halt::Later { why: format!("a key could not be revoked: {why}"), after })
}

async fn rejects(rotation: &Rotation, key: &IssuedKey) -> bool {
    matches!(rotation.call(rotation.issuer.probe(key)).await, Ok(Probe::Rejected))
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

fn close(document: &mut Document, outcome: &str, now: u64) {
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
async fn sure(rotation: &Rotation, hold: &mut Hold) -> Result<(), Halt> {
    if rotation.closing.load(Ordering::Relaxed) {
        return Err(Halt::HandsOver);
    }
    Ok(hold.sure(rotation.config.timeout).await?)
}

/// The issuer's list, where it has one.
async fn list(rotation: &Rotation, with: &IssuedKey) -> Result<Option<Vec<ListedKey>>, Halt> {
    match rotation.call(rotation.issuer.list(with)).await {
        Ok(Some(listed)) if listed.len() <= MAX_LISTED && listed.iter().map(|key| key.id.len()).sum::<usize>() <= MAX_NAMES => {
            Ok(Some(listed))
        }
        // What it refuses, it does not have.
        Ok(_) | Err(IssuerError::Refused(_)) => Ok(None),
        Err(IssuerError::Later { why, after }) => Err(Halt::Later { why, after }),
        Err(IssuerError::Unknown(why)) => Err(Halt::Later { why, after: None }),
    }
}

fn old_of(hold: &Hold) -> IssuedKey {
    hold.document().under_way.as_ref().expect("a rotation is under way from its intent to its end").old.copy()
}

fn new_of(hold: &Hold) -> Result<IssuedKey, Halt> {
    let new = hold.document().under_way.as_ref().and_then(|under_way| under_way.new.as_ref());
    new.map(IssuedKey::copy).ok_or_else(|| Halt::Stuck("the journal has no new key at a stage that comes after one".to_owned()))
}
