//! Several hosts that replace one key: at once, and one that is stopped in the middle, loses its turn, and is woken when another has gone on.

use serde_json::{Value, json};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use strongroom_tests::fixtures::store::{KINDS, Kind, StoreFixture};
use strongroom_tests::issuer::{Fault, Issuer, Verb};

const ROTOR: [&str; 2] = [env!("CARGO_BIN_EXE_host-under-test"), "rotor"];

/// One key works, the store holds it, and nothing is under way or unaccounted for.
fn settled(bed: &StoreFixture, issuer: &Issuer, case: &str) {
    let journal = bed.journal();
    assert_eq!(issuer.usable_keys(&bed.account), [bed.stored()], "{case}: {journal}");
    assert_eq!((&journal["under_way"], &journal["orphans"]), (&Value::Null, &json!([])), "{case}");
    assert_eq!(issuer.uses_after_revocation(), [], "{case}");
}

#[test]
fn three_hosts_at_once_take_turns() {
    for kind in KINDS {
        let issuer = Issuer::start();
        let bed = StoreFixture::new(kind, &issuer);

        let all: Vec<_> = (0..3).map(|_| bed.start(ROTOR, &issuer.url(), &json!({}))).collect();
        let said: Vec<_> = all.into_iter().map(strongroom_tests::fixtures::store::Rotor::finish).collect();

        for said in &said {
            assert_eq!(said.ended, "well", "{kind:?}: {said:?}, {}", bed.journal());
        }
        assert_eq!(issuer.issued(), 3, "{kind:?}: each has replaced the key once");
        settled(&bed, &issuer, &format!("{kind:?}"));
    }
}

/// Stops a host at a point, lets another one take over and finish, and wakes the first.
fn overtaken_at(kind: Kind, issuer: &Issuer, at: usize) -> bool {
    let case = format!("{kind:?}, stopped at point {at}");
    let bed = StoreFixture::new(kind, issuer);
    let mut first = bed.start(ROTOR, &issuer.url(), &json!({"at": at, "end": "stop"}));
    if !first.is_stopped() {
        return false;
    }

    let second = bed.start(ROTOR, &issuer.url(), &json!({"hurry": true})).finish();
    assert_eq!(second.ended, "well", "{case}: {second:?}");
    let stored = bed.stored();
    assert!(issuer.usable_keys(&bed.account).contains(&stored), "{case}");
    first.wake();
    let woken = first.finish();

    // What it began is not its own any more: it says so, or begins anew, and harms nothing.
    assert!(!woken.ended.is_empty(), "{case}: {woken:?}");
    settled(&bed, issuer, &format!("{case}: {woken:?}"));
    true
}

fn overtaken_everywhere(kind: Kind) -> usize {
    let issuer = Issuer::start();
    let next = AtomicUsize::new(1);
    let (stopped, failures) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| overtaken_at(kind, &issuer, at))) {
                        Ok(true) => drop(stopped.fetch_add(1, Ordering::Relaxed)),
                        Ok(false) => return,
                        Err(told) => failures.lock().unwrap().push((at, told.downcast_ref::<String>().cloned())),
                    }
                }
            });
        }
    });
    assert_eq!(*failures.lock().unwrap(), []);
    stopped.into_inner()
}

#[test]
fn a_host_that_is_stopped_anywhere_and_woken_after_a_takeover_harms_nothing_in_a_file() {
    assert!(overtaken_everywhere(Kind::File) >= 30);
}

#[test]
fn a_host_that_is_stopped_anywhere_and_woken_after_a_takeover_harms_nothing_in_a_vault() {
    assert!(overtaken_everywhere(Kind::Vault) >= 30);
}

#[test]
fn a_host_that_is_stopped_anywhere_and_woken_after_a_takeover_harms_nothing_in_aws() {
    assert!(overtaken_everywhere(Kind::Aws) >= 30);
}

#[test]
fn a_host_that_is_woken_after_its_rotation_was_rolled_back_does_not_write_the_revoked_key() {
    let mut stopped = 0;
    for at in 1.. {
        let issuer = Issuer::start();
        let bed = StoreFixture::new(Kind::File, &issuer);
        let mut first = bed.start(ROTOR, &issuer.url(), &json!({"at": at, "end": "stop"}));
        if !first.is_stopped() {
            break;
        }
        stopped += 1;
        // Whoever takes over can't have a key of its own, so that the old one is in use, if the first had not come further.
        issuer.fail(Verb::Issue, Fault::Status(403, None), usize::MAX);
        let _ = bed.start(ROTOR, &issuer.url(), &json!({"hurry": true})).finish();

        first.wake();
        let woken = first.finish();

        let (usable, stored) = (issuer.usable_keys(&bed.account), bed.stored());
        assert_eq!(usable, [stored], "stopped at point {at}: {woken:?}");
    }
    assert!(stopped >= 30, "{stopped} points");
}
