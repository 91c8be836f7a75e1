//! Hosts that are killed while they replace a key: before and after every write and every call, in every store, and twice in a row.

use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use strongroom_tests::fixtures::store::{KINDS, Kind, Said, StoreFixture};
use strongroom_tests::issuer::Issuer;

const ROTOR: [&str; 2] = [env!("CARGO_BIN_EXE_host-under-test"), "rotor"];

fn run(bed: &StoreFixture, issuer: &Issuer, more: Value) -> Said {
    bed.start(ROTOR, &issuer.url(), &more).finish()
}

/// After whatever happened: one key works, the store holds it, and every other one is revoked, or reported.
fn settled(bed: &StoreFixture, issuer: &Issuer, lists: bool, case: &str) {
    let (usable, stored, journal) = (issuer.usable_keys(&bed.account), bed.stored(), bed.journal());
    assert!(usable.contains(&stored), "{case}: the key in use does not work: {journal}");
    let orphans = journal["orphans"].as_array().map_or(0, Vec::len);
    // Where the issuer has no list, a call that was never made can't be told from one whose answer was lost.
    let accounted = if lists { orphans == 0 && usable.len() == 1 } else { usable.len() - 1 <= orphans && orphans <= 2 };
    assert!(accounted, "{case}: {usable:?} work, {stored} is in use, and {orphans} are reported");
    assert_eq!(journal["under_way"], Value::Null, "{case}");
    assert_eq!(issuer.uses_after_revocation(), [], "{case}");
}

#[test]
fn a_rotation_replaces_the_key_in_each_store_and_leaves_nothing_behind() {
    for kind in KINDS {
        let issuer = Issuer::start();
        let bed = StoreFixture::new(kind, &issuer);

        let said = run(&bed, &issuer, json!({}));

        assert_eq!(said.ended, "well", "{kind:?}: {said:?}");
        settled(&bed, &issuer, true, &format!("{kind:?}"));
        assert_ne!(bed.stored(), bed.first);
        let steps: Vec<&str> = said.steps.iter().map(|step| step.split(' ').next().unwrap()).collect();
        assert_eq!(steps, ["issue", "verify", "switch", "drain", "revoke", "clean", "done"], "{kind:?}");
        let kinds: BTreeSet<&str> = said.points.iter().filter_map(|point| point.strip_prefix("before ")).collect();
        for call in ["issue", "probe", "revoke", "list keys", "put journal", "put secret", "destroy"] {
            assert!(kinds.contains(call), "{kind:?}: no `{call}` in {kinds:?}");
        }
    }
}

/// Kills a host at each point of its way, and has another one go on: how many points there were.
fn killed_everywhere(kind: Kind, lists: bool) -> usize {
    let issuer = Issuer::start();
    issuer.set(|settings| settings.lists = lists);
    let points = run(&StoreFixture::new(kind, &issuer), &issuer, json!({})).points.len();
    let next = AtomicUsize::new(1);
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    if at > points {
                        return;
                    }
                    let case = format!("{kind:?}, killed at point {at}");
                    let tried = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| killed_at(kind, &issuer, lists, at, &case)));
                    if let Err(told) = tried {
                        failures.lock().unwrap().push((case, told.downcast_ref::<String>().cloned()));
                    }
                }
            });
        }
    });
    assert_eq!(*failures.lock().unwrap(), []);
    points
}

fn killed_at(kind: Kind, issuer: &Issuer, lists: bool, at: usize, case: &str) {
    let bed = StoreFixture::new(kind, issuer);
    let cut = run(&bed, issuer, json!({"at": at}));
    assert_eq!((cut.points.len(), cut.ended.as_str()), (at, ""), "{case}: it was not killed there");

    // Killed once more, at a point that depends on the case, on its way back or forward.
    let again = run(&bed, issuer, json!({"at": 3 + at * 7 % 11, "hurry": true}));
    let last = run(&bed, issuer, json!({"hurry": true}));

    assert_eq!(last.ended, "well", "{case}: {:?}, then {:?}, then {last:?}", cut.points.last(), again.points.last());
    settled(&bed, issuer, lists, case);
    // Before the switch it goes back, after it forward; and says which.
    let resumed = [&again, &last].iter().flat_map(|said| said.steps.clone()).find(|step| step.starts_with("resume"));
    let switched = cut.points.iter().any(|point| point == "after put secret");
    if let Some(resumed) = resumed {
        assert!(switched || resumed.contains("rolls back"), "{case}: {resumed}");
    }
}

#[test]
fn a_host_that_is_killed_anywhere_loses_no_key_in_a_file() {
    assert!(killed_everywhere(Kind::File, true) >= 30);
}

#[test]
fn a_host_that_is_killed_anywhere_loses_no_key_in_a_vault() {
    assert!(killed_everywhere(Kind::Vault, true) >= 30);
}

#[test]
fn a_host_that_is_killed_anywhere_loses_no_key_in_aws() {
    assert!(killed_everywhere(Kind::Aws, true) >= 30);
}

#[test]
fn where_the_issuer_has_no_list_a_key_whose_answer_was_lost_is_reported() {
    assert!(killed_everywhere(Kind::File, false) >= 30);
}

#[test]
fn a_rotation_is_given_up_after_a_host_was_killed_while_it_had_the_turn() {
    let issuer = Issuer::start();
    // The first point at which the journal says who has the turn.
    let cut = |at: usize| {
        let bed = StoreFixture::new(Kind::File, &issuer);
        assert_eq!(run(&bed, &issuer, json!({"at": at})).ended, "", "it is killed at point {at}");
        bed.journal()["holder"].is_object().then_some(bed)
    };
    let bed = (1..30).find_map(cut).expect("somewhere the turn is taken");

    let given_up = run(&bed, &issuer, json!({"hurry": true, "abandon": true}));

    assert_eq!(given_up.ended, "well", "{given_up:?}");
    assert_eq!((&bed.journal()["under_way"], &bed.journal()["holder"]), (&Value::Null, &Value::Null), "{}", bed.journal());
    assert_eq!(bed.stored(), bed.first);
}
