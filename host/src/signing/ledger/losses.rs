//! The journal with files that are lost, broken, old or another ledger's: this is detected, and what they still hold counts.

use super::cuts::{HALF, KEPT, cut_after, entry, numbers, open, run, write};
use super::journal::Journal;
use super::log::Log;
use super::platter::{Platter, Which};

/// A block of the log.
const BLOCK: usize = 4_096;

#[test]
fn a_frame_that_is_broken_before_others_is_a_doubt_and_the_others_count() {
    let platter = cut_after(4);
    let mut bytes = platter.bytes(Which::Log);
    let at = bytes.iter().rposition(|byte| *byte == b'x').expect("an entry");
    let block = at / BLOCK * BLOCK;
    // The third of four is the first of its half.
    bytes[block - BLOCK + 100] ^= 1;
    platter.replace(Which::Log, bytes);

    let opened = open(&platter).expect("a journal");
    assert!(opened.doubt.as_ref().is_some_and(|doubt| doubt.contains("at record 4")), "{:?}", opened.doubt);
    assert_eq!(numbers(&opened), [1, 2, 4]);
    assert_eq!(opened.journal.read(4), Some(entry(4, 100)));
    run(opened.journal.enroll(vec![9; 33], "wallet".to_owned())).expect("an enrolment is not the operator's word");
    drop(opened);

    let opened = open(&platter).expect("a journal");
    assert!(opened.doubt.is_some(), "it is not forgotten with the host");
    assert_eq!((numbers(&opened), opened.keys.len()), (vec![1, 2, 4], 1));
    write(&opened.journal, 5..=9);
    platter.pull_after(0);
    drop(opened);

    let opened = open(&platter.after_the_cut(|_| false)).expect("a journal");
    assert_eq!((opened.doubt.as_deref(), numbers(&opened)), (None, vec![1, 2, 4, 5, 6, 7, 8, 9]));
}

#[test]
fn a_broken_enrolment_before_others_is_a_doubt_though_no_number_is_missing() {
    let platter = Platter::default();
    let opened = open(&platter).expect("a journal");
    run(opened.journal.enroll(vec![2; 33], "wallet".to_owned())).expect("enrolled");
    write(&opened.journal, 1..=1);
    platter.pull_after(0);
    drop(opened);
    let after = platter.after_the_cut(|_| false);
    let mut bytes = after.bytes(Which::Log);
    bytes[40] ^= 1;
    after.replace(Which::Log, bytes);

    let opened = open(&after).expect("a journal");

    assert!(opened.doubt.as_ref().is_some_and(|doubt| doubt.contains("frame 2")), "{:?}", opened.doubt);
    assert_eq!(numbers(&opened), [1]);
}

#[test]
fn a_last_frame_that_was_promised_and_is_broken_is_found_out_by_the_witness() {
    let platter = cut_after(3);
    let mut bytes = platter.bytes(Which::Log);
    let at = bytes.iter().rposition(|byte| *byte == b'x').expect("an entry");
    // The third begins the second half.
    assert_eq!(at / HALF, 1);
    bytes[at] ^= 1;
    platter.replace(Which::Log, bytes);

    let opened = open(&platter).expect("a journal");

    assert!(opened.doubt.as_ref().is_some_and(|doubt| doubt.contains("had 3")), "{:?}", opened.doubt);
}

#[test]
fn a_cut_while_the_operators_word_is_written_loses_neither_doubt_nor_records() {
    for plug in 1..30 {
        for (which, kept) in KEPT.into_iter().enumerate() {
            let platter = cut_after(5);
            platter.replace(Which::Log, Vec::new());
            let opened = open(&platter).expect("a journal");
            let before = numbers(&opened).len();
            platter.pull_after(plug);
            let word = run(opened.journal.write(&entry(6, 100)));
            drop(opened);

            let opened = open(&platter.after_the_cut(|at| kept(at, plug))).expect("a journal");

            let known = opened.entries.len() - before;
            assert!(known == 1 || (word.is_err() && opened.doubt.is_some()), "cut after {plug} ({which}): {word:?}, {:?}", opened.doubt);
            assert!(word.is_err() || opened.doubt.is_none(), "cut after {plug} ({which}): {:?}", opened.doubt);
        }
    }
}

#[test]
fn a_lost_log_is_a_doubt() {
    for lost in [Vec::new(), vec![0; BLOCK]] {
        let platter = cut_after(5);
        platter.replace(Which::Log, lost);

        let opened = open(&platter).expect("a journal");

        assert!(opened.doubt.as_ref().is_some_and(|doubt| doubt.contains("missing")), "{:?}", opened.doubt);
        write(&opened.journal, 6..=12);
        drop(opened);
        assert_eq!(open(&platter).expect("a journal").doubt, None, "the operator's word outlives the host that heard it");
    }

    // Zeros in its place don't help, since the witness has seen more.
    let platter = cut_after(5);
    platter.replace(Which::Log, vec![0; 2 * HALF]);
    assert!(open(&platter).expect("a journal").doubt.is_some());

    // What no witness counts: a key.
    let platter = Platter::default();
    let opened = open(&platter).expect("a journal");
    run(opened.journal.enroll(vec![2; 33], "wallet".to_owned())).expect("enrolled");
    platter.pull_after(0);
    drop(opened);
    let after = platter.after_the_cut(|_| false);
    after.replace(Which::Log, Vec::new());
    assert!(open(&after).expect("a journal").doubt.is_some());
}

#[test]
fn an_old_log_beside_newer_records_brings_nothing_back() {
    let platter = cut_after(5);
    let old = platter.bytes(Which::Log);
    let opened = open(&platter).expect("a journal");
    write(&opened.journal, 6..=9);
    drop(opened);
    platter.replace(Which::Log, old.clone());

    let opened = open(&platter).expect("a journal");
    assert_eq!((opened.doubt.as_deref(), numbers(&opened)), (None, (1..=9).collect()));

    // Where the log that is gone had more, it is found out.
    write(&opened.journal, 10..=10);
    platter.pull_after(0);
    drop(opened);
    let after = platter.after_the_cut(|_| false);
    after.replace(Which::Log, old);
    let opened = open(&after).expect("a journal");
    assert!(opened.doubt.is_some());
    assert_eq!(numbers(&opened), (1..=9).collect::<Vec<_>>());
}

#[test]
fn records_older_than_the_log_are_found_out() {
    let early = cut_after(3);
    for later in 8..14 {
        let platter = cut_after(later);
        platter.replace(Which::Records, early.bytes(Which::Records));

        let opened = open(&platter).expect("a journal");

        assert!(opened.doubt.is_some(), "{later}");
        assert!(numbers(&opened).contains(&later), "what the log has counts");
    }
}

#[test]
fn a_log_beside_no_records_at_all_is_a_doubt_unless_it_has_them_all() {
    for (entries, complete) in [(3, true), (20, false)] {
        let platter = cut_after(entries);
        platter.replace(Which::Records, Vec::new());

        let opened = open(&platter).expect("a journal");

        assert_eq!(opened.doubt.is_none(), complete, "{:?}", opened.doubt);
        assert!(numbers(&opened).contains(&entries));
    }
}

#[test]
fn another_ledgers_log_is_a_doubt() {
    let mine = cut_after(1);
    let opened = open(&mine).expect("a journal");
    run(opened.journal.enroll(vec![3; 33], "wallet".to_owned())).expect("enrolled");
    drop(opened);
    let other = cut_after(4);
    mine.replace(Which::Log, other.bytes(Which::Log));

    let opened = open(&mine).expect("a journal");

    // Its third frame has the number that is due, and the wrong record.
    assert!(opened.doubt.as_ref().is_some_and(|doubt| doubt.contains("belongs to another ledger")), "{:?}", opened.doubt);
}

#[test]
fn a_log_of_another_size_is_made_anew_and_loses_nothing() {
    let platter = cut_after(5);
    for half in [4 * HALF, HALF] {
        let log = Log::on(platter.file(Which::Log), half);
        let opened = Journal::on(platter.file(Which::Records), log, platter.clone()).expect("a journal");
        assert_eq!((opened.doubt.as_deref(), numbers(&opened).len() % 5), (None, 0));
        let last = opened.entries.len() as u64;
        write(&opened.journal, last + 1..=last + 5);
    }
    assert_eq!(open(&platter).expect("a journal").entries.len(), 15);
}
