//! Keys that may have been made and that nobody knows: a call whose response was lost, a call that is carried out late, a key that could
//! not be stored. A key that an issuer's list shows for the first time, alone, and while the key in use is known, is revoked; all else is
//! reported.

use super::Rotation;
use super::document::{Document, Orphan, Suspicion};
use super::halt::Halt;
use super::hold::Hold;
use super::issuer::{IssuedKey, IssuerError, ListedKey, Revoked};
use super::progress::Step;
use super::revocation::rejects;
use super::sites::in_use;
use super::stage::{Intended, Intent, UnderWay};

/// How long, in seconds, a call that was given up may still be carried out.
const LATE: u64 = 24 * 60 * 60;
/// Most keys of a list that are remembered, and most bytes of their names together: the journal has room for so many.
const MAX_LISTED: usize = 256;
const MAX_NAMES: usize = 12 << 10;

/// Ends a key that can't be kept; where that fails too, says so wherever it can be said.
pub(super) async fn abandon(rotation: &Rotation, hold: &Hold, new: &IssuedKey, old: &IssuedKey) {
    // Unless it was kept, though nobody said so, and whoever went on goes on with it.
    let print = rotation.print(new.reveal());
    if let Ok((document, _)) = rotation.journal.read().await {
        let under_way = document.under_way.as_ref().and_then(UnderWay::new_key);
        if under_way.is_some_and(|known| known.is(new)) || document.current.is_some_and(|current| current.print == print) {
            return;
        }
    }
    let _ = rotation.tell(hold, Step::Abandon, "the new key can't be stored, and is revoked");
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
        what: format!("a key of {}, made but not stored", rotation.issuer.shown()),
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
        tracing::error!(rotation = rotation.name, %error, "an orphaned key could not be recorded");
    }
}

/// Settles a call whose outcome is not known: finds what it may have made, and ends it, or reports it. The old key is in use.
pub(super) async fn lost(rotation: &Rotation, hold: &mut Hold, intended: Intended, why: &str) -> Result<Halt, Halt> {
    let Intent { begun, old, listed: before, .. } = intended.into_intent();
    rotation.sure(hold).await?;
    let after = list(rotation, &old).await?;
    let (orphans, suspected) = match (before, after) {
        (Some(before), Some(after)) => {
            let fresh = fresh(&before, &after);
            // Where keys have gone meanwhile, others of a list in pages may have come into sight.
            let orphans = match before.iter().all(|key| after.contains(key)) {
                true => end_orphans(rotation, hold, &fresh, &old).await?,
                false => fresh.iter().map(|key| orphan(rotation, hold, key)).collect(),
            };
            let suspected = fresh.is_empty().then_some(Suspicion { since: begun, print: rotation.print(old.reveal()), listed: before });
            (orphans, suspected)
        }
        _ => (
            vec![Orphan {
                at: begun,
                number: hold.document().number,
                what: format!("{}, whose response was lost; the issuer has no list of keys", rotation.issuer.shown()),
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
        document.report(&orphans);
        document.close(&format!("the outcome was lost: {why}"), now);
    })
    .await?;
    Ok(Halt::Lost(why.to_owned()))
}

/// Looks whether a call that was given up has been carried out after all, and ends what it made.
pub(super) async fn settle_suspicion(
    rotation: &Rotation,
    hold: &mut Hold,
    listed: Option<&[ListedKey]>,
    with: &IssuedKey,
) -> Result<(), Halt> {
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
        document.report(&orphans);
    });
    Ok(noted.await?)
}

/// Takes a key that was made here out of what a call that is carried out late may have made; where it has no name, none can be told from
/// another.
pub(super) fn clear_of_suspicion(document: &mut Document, new: &IssuedKey) {
    let (Some(mut suspected), Some(id)) = (document.suspected.take(), new.id()) else { return };
    let key = ListedKey { id: id.to_owned() };
    if !suspected.listed.contains(&key) {
        suspected.listed.push(key);
    }
    document.suspected = Some(suspected);
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
    rotation.tell(hold, Step::RevokeOrphan, &shown(key))?;
    rotation.sure(hold).await?;
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

/// The issuer's list, where it has one.
pub(super) async fn list(rotation: &Rotation, with: &IssuedKey) -> Result<Option<Vec<ListedKey>>, Halt> {
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
