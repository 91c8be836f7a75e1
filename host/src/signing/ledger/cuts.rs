//! The journal and its log under power cuts: whatever was promised is kept, and what was torn is left out.

use super::journal::{Entry, Journal, Opened};
use super::log::Log;
use super::platter::{Platter, Which};
use std::time::Duration;

/// Two frames of one block.
pub(super) const HALF: usize = 8_192;
/// What survives of the sectors that were written and not synced.
pub(super) const KEPT: [fn(usize, usize) -> bool; 4] = [|_, _| false, |_, _| true, |at, _| at % 2 == 0, |at, plug| at % 3 == plug % 3];

pub(super) fn open(platter: &Platter) -> Result<Opened, String> {
    Journal::on(platter.file(Which::Records), Log::on(platter.file(Which::Log), HALF), platter.clone())
}

pub(super) fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
}

/// The entry that gets this number, with so many bytes of lines.
pub(super) fn entry(number: u64, size: usize) -> Entry {
    Entry {
        time: number,
        key: "02".repeat(33),
        agent: "probe-1".to_owned(),
        lines: ["x".repeat(size)].into(),
        digest: format!("{number:064x}"),
        nonce: None,
        spends: Vec::new(),
        idempotency: None,
        sealed: None,
    }
}

pub(super) fn numbers(opened: &Opened) -> Vec<u64> {
    opened.entries.iter().map(|(number, _)| *number).collect()
}

/// Writes entries of one block each.
pub(super) fn write(journal: &Journal, numbers: std::ops::RangeInclusive<u64>) {
    for number in numbers {
        assert_eq!(run(journal.write(&entry(number, 100))), Ok(number));
    }
}

/// What is left of a journal of so many entries whose host loses power right after the last.
pub(super) fn cut_after(entries: u64) -> Platter {
    let platter = Platter::default();
    let opened = open(&platter).expect("a journal");
    write(&opened.journal, 1..=entries);
    platter.pull_after(0);
    drop(opened);
    platter.after_the_cut(|_| false)
}

/// Frames of one block and of two, enrolments, groups, and one frame that no half holds. Gives how many entries, and how many keys, were
/// promised to be kept.
fn keep_until_the_cut(platter: &Platter) -> (u64, usize) {
    let Ok(Opened { journal, .. }) = open(platter) else { return (0, 0) };
    let (mut entries, mut keys) = (0, 0);
    for (step, size) in [100, 100, 5_000, 100, 20_000, 100, 100, 100, 100].into_iter().enumerate() {
        let (first, second) = (entry(entries + 1, size), entry(entries + 2, size));
        let (one, other) = run(async { tokio::join!(journal.write(&first), journal.write(&second)) });
        if (one, other) != (Ok(entries + 1), Ok(entries + 2)) {
            break;
        }
        entries += 2;
        assert_eq!(journal.read(entries), Some(second), "a record that may be in the log only");
        if step % 3 == 0 {
            if run(journal.enroll(vec![u8::try_from(step).expect("small"); 33], "wallet".to_owned())) != Ok(entries) {
                break;
            }
            keys += 1;
        }
    }
    (entries, keys)
}

/// Holds what is on a disk after a cut against what was promised.
fn check(platter: &Platter, (entries, keys): (u64, usize), case: &str) {
    let opened = open(platter).unwrap_or_else(|error| panic!("{case}: {error}"));

    assert_eq!(opened.doubt, None, "{case}");
    let last = opened.entries.len() as u64;
    assert_eq!(numbers(&opened), (1..=last).collect::<Vec<_>>(), "{case}");
    // One more group may have been kept, of which nobody was told.
    assert!((entries..=entries + 2).contains(&last), "{case}: {entries} promised, {last} kept");
    assert!((keys..=keys + 1).contains(&opened.keys.len()), "{case}: {keys} keys promised, {} kept", opened.keys.len());
    for number in 1..=last {
        let found = opened.journal.read(number).unwrap_or_else(|| panic!("{case}: {number} can't be read"));
        assert_eq!((found.time, found.lines[0].len() >= 100), (number, true), "{case}");
    }
    let next = run(opened.journal.write(&entry(last + 1, 100)));
    assert_eq!(next, Ok(last + 1), "{case}");
    platter.pull_after(0);
    drop(opened);
    let opened = open(&platter.after_the_cut(|_| false)).unwrap_or_else(|error| panic!("{case}, once more: {error}"));
    assert_eq!((opened.doubt.as_deref(), opened.entries.len() as u64), (None, last + 1), "{case}, once more");
}

#[test]
fn whatever_was_promised_is_kept_after_a_power_cut_at_any_write() {
    let whole = Platter::default();
    assert_eq!(keep_until_the_cut(&whole), (18, 3));
    let operations = whole.operations();
    assert!(operations > 100, "{operations}");

    for plug in 1..=operations {
        let platter = Platter::default();
        platter.pull_after(plug);
        let promised = keep_until_the_cut(&platter);
        for (which, kept) in KEPT.into_iter().enumerate() {
            check(&platter.after_the_cut(|at| kept(at, plug)), promised, &format!("cut after {plug} ({which})"));
        }
    }
}

#[test]
fn whatever_was_promised_is_kept_after_a_second_cut_while_the_first_is_repaired() {
    let whole = Platter::default();
    keep_until_the_cut(&whole);

    for plug in (1..=whole.operations()).step_by(7) {
        let platter = Platter::default();
        platter.pull_after(plug);
        let promised = keep_until_the_cut(&platter);
        for second in 1..40 {
            let kept = KEPT[second % KEPT.len()];
            let after = platter.after_the_cut(|at| kept(at, plug));
            after.pull_after(second);
            drop(open(&after));
            let kept = KEPT[(plug + second / 4) % KEPT.len()];
            check(&after.after_the_cut(|at| kept(at, second)), promised, &format!("cut after {plug} and {second}"));
        }
    }
}

#[test]
fn a_cut_while_the_log_is_made_leaves_a_journal_to_begin_with() {
    let whole = Platter::default();
    let opened = open(&whole).expect("a journal");
    let operations = whole.operations();
    drop(opened);

    for plug in 1..=operations {
        for (which, kept) in KEPT.into_iter().enumerate() {
            let platter = Platter::default();
            platter.pull_after(plug);
            drop(open(&platter));

            check(&platter.after_the_cut(|at| kept(at, plug)), (0, 0), &format!("cut after {plug} ({which})"));
        }
    }
}

#[test]
fn a_host_that_was_killed_is_followed_by_one_that_need_not_walk_through_the_ledger() {
    for plug in [0, 1, 2, 3, 5, 8, 13] {
        let platter = Platter::default();
        let opened = open(&platter).expect("a journal");
        write(&opened.journal, 1..=40);
        platter.pull_after(plug);
        let _ = run(opened.journal.write(&entry(41, 3 * HALF)));
        drop(opened);

        let mut database = redb::Database::builder();
        database.set_repair_callback(|repair| repair.abort());
        let opened = database.create_with_backend(platter.after_the_cut(|at| at % 2 == 0).file(Which::Records));

        assert!(opened.is_ok(), "cut after {plug}: {:?}", opened.err());
    }
}

#[test]
fn a_torn_frame_is_left_out_and_its_number_given_again() {
    for (which, kept) in KEPT.into_iter().enumerate() {
        let platter = Platter::default();
        let opened = open(&platter).expect("a journal");
        write(&opened.journal, 1..=1);
        // The frame is written, and not synced.
        platter.pull_after(1);
        assert!(run(opened.journal.write(&entry(2, 1_000))).is_err());
        drop(opened);

        let after = platter.after_the_cut(|at| kept(at, 1));
        let opened = open(&after).expect("a journal");

        let whole = u64::from(which == 1);
        assert_eq!((opened.doubt.as_deref(), opened.entries.len() as u64), (None, 1 + whole), "{which}");
        write(&opened.journal, 2 + whole..=5);
    }
}

#[test]
fn the_writer_waits_only_where_both_halves_are_full() {
    let platter = Platter::default();
    let opened = open(&platter).expect("a journal");
    let held = platter.hold();

    // The first half, which can't be settled, and the second.
    write(&opened.journal, 1..=4);
    assert_eq!(opened.journal.read(1), Some(entry(1, 100)));
    assert_eq!(opened.journal.read(4), Some(entry(4, 100)));
    std::thread::scope(|scope| {
        let fifth = scope.spawn(|| write(&opened.journal, 5..=5));
        std::thread::sleep(Duration::from_millis(100));
        let waits = !fifth.is_finished();
        drop(held);
        assert!(waits);
    });

    platter.pull_after(0);
    drop(opened);
    let opened = open(&platter.after_the_cut(|_| false)).expect("a journal");
    assert_eq!((opened.doubt.as_deref(), numbers(&opened)), (None, vec![1, 2, 3, 4, 5]));
}

#[test]
fn a_log_that_was_written_over_many_times_gives_back_its_last_frames_only() {
    for entries in 90..96 {
        let platter = cut_after(entries);

        let opened = open(&platter).expect("a journal");

        assert_eq!(opened.doubt, None);
        assert_eq!(numbers(&opened), (1..=entries).collect::<Vec<_>>());
        drop(opened);
        assert_eq!(numbers(&open(&platter).expect("a journal")).len() as u64, entries, "after a restart too");
    }
}

#[test]
fn a_cut_between_the_settling_of_a_half_and_its_reuse_repeats_nothing() {
    let platter = Platter::default();
    let opened = open(&platter).expect("a journal");
    write(&opened.journal, 1..=2);
    let before = platter.bytes(Which::Records);
    // The third turns to the other half, and has the first one settled.
    write(&opened.journal, 3..=3);
    let settled = (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(50));
        platter.bytes(Which::Records) != before
    });
    assert!(settled);
    platter.pull_after(0);
    drop(opened);

    let opened = open(&platter.after_the_cut(|_| false)).expect("a journal");

    assert_eq!((opened.doubt.as_deref(), numbers(&opened)), (None, vec![1, 2, 3]));
}

#[test]
fn a_key_enrolled_in_the_log_only_is_known_after_a_cut() {
    let platter = Platter::default();
    let opened = open(&platter).expect("a journal");
    run(opened.journal.enroll(vec![2; 33], "wallet".to_owned())).expect("enrolled");
    let records = platter.bytes(Which::Records);
    platter.pull_after(0);
    drop(opened);
    let after = platter.after_the_cut(|_| false);
    assert_eq!(after.bytes(Which::Records).len(), records.len(), "nothing was settled");

    let opened = open(&after).expect("a journal");

    assert_eq!((opened.doubt, opened.keys), (None, vec![(vec![2; 33], "wallet".to_owned())]));
}

#[test]
fn a_frame_larger_than_a_half_goes_past_the_log_with_all_that_is_in_it() {
    let platter = Platter::default();
    let opened = open(&platter).expect("a journal");
    write(&opened.journal, 1..=3);
    let log = platter.bytes(Which::Log);

    assert_eq!(run(opened.journal.write(&entry(4, 3 * HALF))), Ok(4));

    assert_eq!(platter.bytes(Which::Log), log);
    assert_eq!(opened.journal.read(4), Some(entry(4, 3 * HALF)));
    write(&opened.journal, 5..=9);
    platter.pull_after(0);
    drop(opened);
    let opened = open(&platter.after_the_cut(|_| false)).expect("a journal");
    assert_eq!((opened.doubt.as_deref(), numbers(&opened)), (None, (1..=9).collect()));
    assert_eq!(opened.journal.read(4), Some(entry(4, 3 * HALF)));
}

#[test]
fn whoever_writes_at_once_shares_a_frame_and_a_sync() {
    let platter = Platter::default();
    let opened = open(&platter).expect("a journal");
    let before = platter.operations();

    let kept = run(async {
        let [a, b, c] = [entry(1, 1), entry(2, 1), entry(3, 1)];
        tokio::join!(opened.journal.write(&a), opened.journal.write(&b), opened.journal.write(&c))
    });

    assert_eq!(kept, (Ok(1), Ok(2), Ok(3)));
    assert_eq!(platter.operations() - before, 3, "a write, a sync, and the witness");
}

#[test]
fn whoever_writes_at_once_again_and_again_shares_each_time() {
    let platter = Platter::default();
    let log = Log::on(platter.file(Which::Log), 8 * HALF);
    let journal = Journal::on(platter.file(Which::Records), log, platter.clone()).expect("a journal").journal;
    let before = platter.operations();

    let entry = entry(1, 1);
    let four = async || {
        for _ in 0..4 {
            journal.write(&entry).await.expect("written");
        }
    };
    run(async { tokio::join!(four(), four(), four()) });

    assert_eq!(platter.operations() - before, 4 * 3, "four times a write, a sync, and the witness");
}

#[test]
fn on_another_runtime_the_thread_writes_the_same() {
    let platter = Platter::default();
    let opened = open(&platter).expect("a journal");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("a runtime");

    for number in 1..=9 {
        assert_eq!(runtime.block_on(opened.journal.write(&entry(number, 100))), Ok(number));
    }
    opened.journal.write_later(&entry(10, 100));
    drop(opened);

    assert_eq!(numbers(&open(&platter).expect("a journal")), (1..=10).collect::<Vec<_>>());
}
