//! Refresh tokens where something around them fails: the store refuses a write, its answer to one is lost, or the host is closed.

use super::desk::{Desk, bearer};
use super::refresh::{FIRST, NEXT, REFRESH, presented};
use super::{ASK, SECOND, TOKEN};
use strongroom_tests::fixtures::slippery::{Slip, Slippery};
use strongroom_tests::token_endpoint::{Answer, Gate};

const THIRD: &str = "refresh-0f83c1d6a94be752";

#[test]
fn what_the_store_does_not_take_is_written_from_memory_before_anything_else() {
    let desk = Desk::new(REFRESH, FIRST, [Answer::token(TOKEN, 3600, Some(NEXT)), Answer::token(SECOND, 3600, Some(THIRD))]);
    // As often as one call tries it.
    let host = desk.host_over(Slippery::new(desk.backend(), Some(("bot", 1, 8, Slip::Unavailable))));

    let refused = desk.try_run(&host, &[ASK]).err().expect("its refresh token is nowhere yet");
    assert!(refused.contains("the store slips") && desk.keeps("KEY", FIRST), "{refused}");
    desk.sleep(60);
    desk.run(&host, &[ASK]);

    assert_eq!((presented(&desk), bearer(&desk.seen())), (vec![FIRST.to_owned(), NEXT.to_owned()], vec![SECOND.to_owned()]));
    assert!(desk.keeps("KEY", THIRD));
    let alerts: Vec<String> = desk.audit("token").iter().filter_map(|record| Some(record["detail"].as_str()?.to_owned())).collect();
    assert!(alerts.iter().any(|detail| detail.contains("can't be kept, and is tried again")), "{alerts:?}");
}

#[test]
fn a_host_that_is_closed_writes_what_the_store_did_not_take() {
    let desk = Desk::new(REFRESH, FIRST, [Answer::token(TOKEN, 3600, Some(NEXT))]);
    let host = desk.host_over(Slippery::new(desk.backend(), Some(("bot", 1, 8, Slip::Unavailable))));
    let refused = desk.try_run(&host, &[ASK]).err().expect("its refresh token is nowhere yet");
    assert!(refused.contains("the store slips") && desk.keeps("KEY", FIRST), "{refused}");

    desk.close(host, async {});

    assert!(desk.keeps("KEY", NEXT));
}

/// Whatever the store says of a write, it may have been made.
#[test]
fn a_write_that_was_made_and_not_answered_loses_nothing() {
    // The journal's first write makes it, the second is the claim.
    for slip in [("strongroom/", 1, 1, Slip::Lost), ("strongroom/", 2, 1, Slip::Lost), ("bot", 1, 1, Slip::Lost)] {
        let desk = Desk::new(REFRESH, FIRST, [Answer::token(TOKEN, 3600, Some(NEXT))]);
        let host = desk.host_over(Slippery::new(desk.backend(), Some(slip)));

        let first = desk.try_run(&host, &[ASK]).map(drop);
        desk.sleep(60);
        let second = desk.try_run(&host, &[ASK]).map(drop);

        assert!(second.is_ok(), "{slip:?}: {first:?}, {second:?}");
        assert_eq!(presented(&desk), [FIRST], "{slip:?}");
        assert!(desk.keeps("KEY", NEXT), "{slip:?}");
    }
}

#[test]
fn a_host_that_is_closed_waits_for_the_exchange_under_way() {
    let gate = Gate::default();
    let desk = Desk::new(REFRESH, FIRST, [Answer::token(TOKEN, 3600, Some(NEXT)).after(&gate)]);
    let host = desk.host();
    desk.given_up(&host, 1);

    desk.close(host, async move { gate.open() });

    assert!(desk.keeps("KEY", NEXT));
    desk.run(&desk.host(), &[ASK]);
    assert_eq!((presented(&desk), bearer(&desk.seen())), (vec![FIRST.to_owned()], vec![TOKEN.to_owned()]));
}
