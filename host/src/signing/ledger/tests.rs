//! The ledger under power cuts, moved clocks, lost files and races, on a disk that is played.

use super::journal::Opened;
use super::log::Log;
use super::platter::{Platter, Which};
use super::records::Records;
use super::{AssetId, Claim, Journal, Ledger, Limit, Refused, Reserved, Slot, Window};
use crate::clock::{Clock, Wall};
use crate::shared::Ceiling;
use alloy_primitives::{B256, U256};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;
use zeroize::Zeroizing;

const KEY: &[u8] = &[2; 33];
const ETHER: AssetId = AssetId::new(1, None);
const HOUR: u64 = 3_600_000;

/// The halves of the log: two frames of one block each.
const HALF: usize = 8_192;

fn journal(platter: &Platter) -> Result<Opened, String> {
    Journal::on(platter.file(Which::Records), Log::on(platter.file(Which::Log), HALF), platter.clone())
}

fn open(platter: &Platter) -> Result<Ledger, String> {
    open_at(platter, &Wall::default(), Duration::from_secs(3_600))
}

fn open_at(platter: &Platter, wall: &Wall, downtime: Duration) -> Result<Ledger, String> {
    Ledger::with(journal(platter)?, "ledger", &[7; 32], downtime, wall.clone(), Clock::default())
}

fn limit(day: u64) -> Limit {
    let mut limit = Limit::none(ETHER);
    limit.day = Some(U256::from(day));
    limit
}

/// Claims one unit under a limit; signs, and keeps it.
async fn spend(ledger: &Ledger, limits: &[Limit], digest: u8, key: Option<&str>) -> Result<Vec<u8>, Refused> {
    let claim = Claim {
        key: KEY,
        purpose: "wallet",
        agent: "probe-1",
        digest: B256::repeat_byte(digest),
        nonce: None,
        spends: &[(ETHER, U256::from(1))],
        limits,
        caps: &[],
        ceilings: &[],
        lines: ["send 1".to_owned()].into(),
        idempotency: key,
    };
    match ledger.reserve(&claim)? {
        Reserved::Before(signed) => Ok(signed),
        Reserved::New(reservation) => {
            let signed = Zeroizing::new(vec![digest; 65]);
            reservation.commit(&signed).await.map_err(|why| Refused::Blocked(format!("{why:?}")))?;
            Ok(signed.to_vec())
        }
    }
}

fn spent(ledger: &Ledger) -> u64 {
    ledger.spent(KEY, Some("probe-1"), ETHER).total.to()
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}

/// Signs until the power is gone; gives how many signatures left the host.
fn sign_until_the_cut(platter: &Platter) -> u64 {
    let Ok(ledger) = open(platter) else { return 0 };
    run(async {
        if ledger.enroll(KEY, "wallet").await.is_err() {
            return 0;
        }
        let mut left = 0;
        for digest in 0..6 {
            match spend(&ledger, &[limit(100)], digest, None).await {
                Ok(_) => left += 1,
                Err(_) => break,
            }
        }
        left
    })
}

#[test]
fn whatever_left_the_host_is_remembered_after_a_power_cut_at_any_write() {
    let whole = Platter::default();
    assert_eq!(sign_until_the_cut(&whole), 6);
    let operations = whole.operations();
    assert!(operations > 20, "{operations}");

    for plug in 1..=operations {
        let platter = Platter::default();
        platter.pull_after(plug);
        let left = sign_until_the_cut(&platter);
        let kept: [&dyn Fn(usize) -> bool; 4] = [&|_| false, &|_| true, &|at| at % 2 == 0, &|at| at % 3 == plug % 3];
        for (which, kept) in kept.into_iter().enumerate() {
            let after = platter.after_the_cut(kept);

            let ledger = open(&after).unwrap_or_else(|error| panic!("cut after {plug} ({which}): {error}"));

            assert_eq!(ledger.doubts().blocked, None, "cut after {plug} ({which})");
            let remembered = spent(&ledger);
            // One more may have been kept, whose signature did not leave any more.
            assert!((left..=left + 1).contains(&remembered), "cut after {plug} ({which}): {left} left, {remembered} remembered");
        }
    }
}

#[test]
fn a_disk_that_forgets_what_it_was_told_to_keep_is_found_out() {
    let platter = Platter::default();
    assert_eq!(sign_until_the_cut(&platter), 6);

    // A backup from before, or a disk that lies about its cache.
    let early = Platter::default();
    early.pull_after(platter.operations() / 2);
    let few = sign_until_the_cut(&early);
    let old = early.after_the_cut(|_| false);
    old.replace_witness(platter.witness());
    let ledger = open(&old).expect("an older ledger is one");
    assert!(few < 6);

    let refused = run(spend(&ledger, &[limit(100)], 9, None));
    let why = ledger.doubts().blocked.expect("a doubt");
    run(ledger.confirm()).expect("the operator's word");
    drop(ledger);
    let ledger = open(&old).expect("a ledger");
    let after = run(spend(&ledger, &[limit(100)], 9, None));

    assert_eq!(refused, Err(Refused::Blocked(why)));
    assert_eq!(ledger.doubts().blocked, None, "the word outlives the host that heard it");
    assert_eq!(after, Ok(vec![9; 65]));
}

#[test]
fn a_ledger_that_is_gone_blocks_though_its_witness_is_there() {
    let platter = Platter::default();
    sign_until_the_cut(&platter);
    let empty = Platter::default();
    empty.replace_witness(platter.witness());

    let ledger = open(&empty).expect("a new ledger");

    assert!(ledger.doubts().blocked.expect("a doubt").contains("missing"));
}

#[test]
fn a_key_that_the_ledger_does_not_know_signs_nothing() {
    let ledger = open(&Platter::default()).expect("a ledger");

    // To be asked about a key is not to know it.
    assert_eq!(spent(&ledger), 0);
    let refused = run(spend(&ledger, &[], 1, None));

    assert_eq!(refused, Err(Refused::Blocked("this ledger does not know the key".to_owned())));
}

#[test]
fn what_no_confirmation_changes_is_told_apart() {
    let platter = Platter::default();
    let ledger = open(&platter).expect("a ledger");
    run(ledger.enroll(KEY, "wallet")).expect("enrolled");
    run(spend(&ledger, &[], 1, Some("order-1"))).expect("signed");
    drop(ledger);

    // What sealed the signature is gone.
    let opened = journal(&platter).expect("a journal");
    let other = Ledger::with(opened, "ledger", &[8; 32], Duration::from_secs(3_600), Wall::default(), Clock::default()).expect("a ledger");
    let unsealed = run(spend(&other, &[], 1, Some("order-1")));
    assert!(matches!(&unsealed, Err(Refused::Stuck(why)) if why.contains("`ledger.key`")), "{unsealed:?}");
    drop(other);

    let ledger = open(&Platter::default()).expect("a ledger");
    run(ledger.enroll(KEY, "digest")).expect("enrolled");
    let purpose = run(spend(&ledger, &[], 1, None));
    assert!(matches!(&purpose, Err(Refused::Stuck(why)) if why.contains("take another key")), "{purpose:?}");
}

#[test]
fn one_key_has_one_purpose_for_good() {
    let platter = Platter::default();
    let ledger = open(&platter).expect("a ledger");

    run(ledger.enroll(KEY, "wallet")).expect("the first purpose");

    assert!(run(ledger.enroll(KEY, "digest")).is_err());
    drop(ledger);
    assert!(run(open(&platter).expect("a ledger").enroll(KEY, "digest")).is_err(), "after a restart too");
}

#[test]
fn the_clock_runs_by_the_slower_of_wall_and_boot_time() {
    let wall = Wall::default();
    let ledger = open_at(&Platter::default(), &wall, Duration::from_secs(3_600)).expect("a ledger");
    run(ledger.enroll(KEY, "wallet")).expect("enrolled");
    let limits = [limit(1)];
    run(spend(&ledger, &limits, 1, None)).expect("within the limit");

    wall.0.store(i64::try_from(30 * HOUR).expect("small"), Ordering::Relaxed);
    let ahead = run(spend(&ledger, &limits, 2, None));
    wall.0.store(-i64::try_from(30 * HOUR).expect("small"), Ordering::Relaxed);
    let behind = run(spend(&ledger, &limits, 3, None));

    assert!(matches!(ahead, Err(Refused::Limit { .. })), "the wall clock was set a day ahead: {ahead:?}");
    assert!(matches!(behind, Err(Refused::Limit { .. })), "{behind:?}");
}

#[test]
fn windows_slide_where_both_clocks_have_moved() {
    let (wall, slept) = (Wall::default(), Arc::new(AtomicU64::new(0)));
    let opened = journal(&Platter::default()).expect("a journal");
    let ledger = Ledger::with(opened, "ledger", &[7; 32], Duration::from_secs(3_600), wall.clone(), Clock::sleeping(Arc::clone(&slept)))
        .expect("a ledger");
    run(ledger.enroll(KEY, "wallet")).expect("enrolled");
    let limits = [limit(1)];
    run(spend(&ledger, &limits, 1, None)).expect("within the limit");

    wall.0.store(i64::try_from(25 * HOUR).expect("small"), Ordering::Relaxed);
    slept.store(25 * HOUR, Ordering::Relaxed);

    run(spend(&ledger, &limits, 2, None)).expect("a day later");
}

#[test]
fn a_restart_with_a_clock_that_jumped_freezes_the_windows_until_confirmed() {
    for jump in [-2, 200] {
        let platter = Platter::default();
        let limits = [limit(1)];
        let ledger = open(&platter).expect("a ledger");
        run(ledger.enroll(KEY, "wallet")).expect("enrolled");
        run(spend(&ledger, &limits, 1, None)).expect("within the limit");
        drop(ledger);

        let wall = Wall(Arc::new(AtomicI64::new(jump * i64::try_from(HOUR).expect("small"))));
        let ledger = open_at(&platter, &wall, Duration::from_secs(24 * 3_600)).expect("a ledger");
        let frozen = run(spend(&ledger, &limits, 2, None));
        let why = ledger.doubts().stopped;
        run(ledger.confirm()).expect("the operator's word");
        let after = run(spend(&ledger, &limits, 3, None));

        assert!(matches!(frozen, Err(Refused::Limit { .. })), "{jump}: {frozen:?}");
        assert!(why.is_some(), "{jump}");
        assert_eq!(after.is_ok(), jump > 0, "{jump}: {after:?}");
    }
}

#[test]
fn what_is_not_known_to_have_come_to_nothing_counts_as_spent_and_what_is_does_not() {
    let platter = Platter::default();
    let ledger = open(&platter).expect("a ledger");
    run(ledger.enroll(KEY, "wallet")).expect("enrolled");
    let spends = [(ETHER, U256::from(1))];
    let claim = |key| Claim {
        key: KEY,
        purpose: "wallet",
        agent: "probe-1",
        digest: B256::repeat_byte(1),
        nonce: Some((1, 7)),
        spends: &spends,
        limits: &[],
        caps: &[],
        ceilings: &[],
        lines: Arc::default(),
        idempotency: key,
    };
    let reserve = |key| match ledger.reserve(&claim(key)) {
        Ok(Reserved::New(reservation)) => reservation,
        _ => panic!("a reservation"),
    };

    reserve(Some("given-back")).release();
    assert_eq!(spent(&ledger), 0);
    drop(reserve(Some("given-back")));
    assert_eq!(spent(&ledger), 1);

    assert!(matches!(ledger.reserve(&claim(Some("given-back"))), Err(Refused::Idempotency(_))));
    run(ledger.enroll(&[3; 33], "wallet")).expect("whatever was ordered before is kept by now");
    drop(ledger);
    let ledger = open(&platter).expect("a ledger");
    assert_eq!(spent(&ledger), 1, "after a restart too");
    assert!(matches!(ledger.reserve(&claim(Some("given-back"))), Err(Refused::Idempotency(_))));
}

#[test]
fn an_idempotency_key_outlives_the_host_and_its_signature_is_sealed() {
    let platter = Platter::default();
    let ledger = open(&platter).expect("a ledger");
    run(ledger.enroll(KEY, "wallet")).expect("enrolled");
    let first = run(spend(&ledger, &[limit(1)], 0xab, Some("order-17")));
    drop(ledger);

    let ledger = open(&platter).expect("a ledger");
    let again = run(spend(&ledger, &[limit(1)], 0xab, Some("order-17")));
    let other = run(spend(&ledger, &[limit(9)], 0xcd, Some("order-17")));

    assert_eq!(first, again);
    assert!(matches!(other, Err(Refused::Idempotency(_))), "{other:?}");
    for which in [Which::Records, Which::Log] {
        let found = platter.bytes(which).windows(16).any(|window| window == [0xab; 16]);
        assert!(!found, "the signature stands on the disk as it is");
    }
}

#[test]
fn a_hundred_claims_at_once_never_exceed_a_limit() {
    let ledger = open(&Platter::default()).expect("a ledger");
    run(ledger.enroll(KEY, "wallet")).expect("enrolled");

    let granted: usize = std::thread::scope(|scope| {
        let claim = |digest| run(spend(&ledger, &[limit(10)], digest, None)).is_ok();
        let threads: Vec<_> = (0..100).map(|digest| scope.spawn(move || claim(digest))).collect();
        threads.into_iter().map(|thread| usize::from(thread.join().expect("a thread"))).sum()
    });

    assert_eq!(granted, 10);
    assert_eq!(spent(&ledger), 10);
}

#[test]
fn a_cap_holds_over_all_agents() {
    let ledger = open(&Platter::default()).expect("a ledger");
    run(ledger.enroll(KEY, "wallet")).expect("enrolled");
    let spends = [(ETHER, U256::from(1))];
    let (mut limit, mut cap) = (Limit::none(ETHER), Limit::none(ETHER));
    (limit.hour, cap.total) = (Some(U256::from(9)), Some(U256::from(2)));
    let (limits, caps) = ([limit], [cap]);
    let claim = |agent| Claim {
        key: KEY,
        purpose: "wallet",
        agent,
        digest: B256::repeat_byte(1),
        nonce: None,
        spends: &spends,
        limits: &limits,
        caps: &caps,
        ceilings: &[],
        lines: Arc::default(),
        idempotency: None,
    };

    let outcomes: Vec<bool> = ["a", "b", "c"].into_iter().map(|agent| ledger.reserve(&claim(agent)).is_ok()).collect();

    assert_eq!(outcomes, [true, true, false]);
    assert_eq!(ledger.reserve(&claim("d")).err(), Some(Refused::Limit { asset: ETHER, window: Window::Total, own: false }));
}

#[test]
fn a_ceiling_sums_what_all_agents_spend_on_all_chains() {
    let ledger = open(&Platter::default()).expect("a ledger");
    run(ledger.enroll(KEY, "wallet")).expect("enrolled");
    let other = AssetId::new(10, None);
    let ceilings =
        [Ceiling { assets: vec![(ETHER, U256::from(2)), (other, U256::from(1))], most: U256::from(5), name: "5 ETH".to_owned() }];
    let reserve = |agent, asset| {
        let spends = [(asset, U256::from(2))];
        let claim = Claim {
            key: KEY,
            purpose: "wallet",
            agent,
            digest: B256::repeat_byte(1),
            nonce: None,
            spends: &spends,
            limits: &[],
            caps: &[],
            ceilings: &ceilings,
            lines: Arc::default(),
            idempotency: None,
        };
        ledger.reserve(&claim).map(|_| ()).err()
    };

    // Twice two, and then two of those that count once.
    assert_eq!(reserve("a", ETHER), None);
    assert_eq!(reserve("b", other), Some(Refused::Hot { ceiling: "5 ETH".to_owned() }));
}

#[test]
fn the_operators_word_outlives_the_host_that_heard_it() {
    let platter = Platter::default();
    let ledger = open(&platter).expect("a ledger");
    run(ledger.enroll(KEY, "wallet")).expect("enrolled");
    run(spend(&ledger, &[], 1, None)).expect("signed");
    drop(ledger);
    let later = Wall(Arc::new(AtomicI64::new(200 * i64::try_from(HOUR).expect("small"))));
    let open = || open_at(&platter, &later, Duration::from_secs(24 * 3_600)).expect("a ledger");

    let ledger = open();
    assert!(ledger.doubts().stopped.is_some());
    run(ledger.confirm()).expect("the operator's word");
    drop(ledger);

    assert_eq!(open().doubts().stopped, None);
}

#[test]
fn nothing_of_the_ledger_is_written_but_through_the_disk_that_tests_play() {
    let sources = [
        include_str!("mod.rs"),
        include_str!("journal.rs"),
        include_str!("log.rs"),
        include_str!("records.rs"),
        include_str!("settler.rs"),
        include_str!("clock.rs"),
    ];

    for source in sources {
        for way in ["std::fs", "File::", "OpenOptions", "write_all", "rustix::fs"] {
            assert!(!source.contains(way), "`{way}` writes past the failpoints of `disk.rs`");
        }
    }
}

#[test]
fn a_ledger_of_a_newer_host_is_refused_and_one_without_a_format_is_read() {
    let platter = Platter::default();
    assert_eq!(sign_until_the_cut(&platter), 6);
    let name = |format| {
        let records = Records::on(platter.file(Which::Records), false).expect("records");
        records.name_format(format).expect("kept");
    };

    name(Some(2));
    let log = platter.bytes(Which::Log);
    let said = "the ledger was written by a newer Strongroom (format 2; this one reads up to 1): upgrade this one";
    assert_eq!(open(&platter).err().as_deref(), Some(said));
    assert!(platter.bytes(Which::Log) == log, "what the newer host has in its log stays there");

    // A host of format 1 that said nothing of it.
    let platter = Platter::default();
    assert_eq!(sign_until_the_cut(&platter), 6);
    Records::on(platter.file(Which::Records), false).expect("records").name_format(None).expect("kept");
    assert_eq!(spent(&open(&platter).expect("a ledger")), 6);
}

#[test]
fn two_hosts_do_not_share_a_ledger() {
    let directory = tempfile::tempdir().expect("a directory");
    let open = || Ledger::open(directory.path(), &[7; 32], Duration::from_secs(1), Wall::default(), Clock::default());

    let first = open().expect("a ledger");
    let second = open();

    assert!(second.is_err_and(|error| error.contains("another host")));
    drop(first);
}

#[test]
fn slots_tell_nonces_of_chains_apart() {
    assert_ne!(Slot::Nonce(1, 7), Slot::Nonce(10, 7));
}

/// A figure, on a real disk: `cargo test --workspace -- --ignored --nocapture a_ledger_of_many_keys`.
#[test]
#[ignore = "a figure"]
fn a_ledger_of_many_keys_opens_as_one_of_few() {
    let key = |number: u32| [&[2; 29][..], &number.to_be_bytes()].concat();
    for keys in [10, 20_000] {
        let directory = tempfile::tempdir().expect("a directory");
        let open = || Ledger::open(directory.path(), &[7; 32], Duration::from_secs(3_600), Wall::default(), Clock::default());
        let ledger = open().expect("a ledger");
        let all = run(futures_util::future::join_all((0..keys).map(|number| {
            let ledger = &ledger;
            async move { ledger.enroll(&key(number), "wallet").await }
        })));
        assert!(all.iter().all(Result::is_ok));
        drop(ledger);

        let began = std::time::Instant::now();
        let ledger = open().expect("a ledger");
        let opened = began.elapsed();
        run(ledger.enroll(&key(keys), "wallet")).expect("enrolled");
        println!("{keys} keys: opened in {opened:?}, one more confirmed by {:?}", began.elapsed());
    }
}
