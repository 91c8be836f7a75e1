use super::bucket::{Bucket, Refused};
use super::{Change, LONGEST_VALUE};
use crate::manifest::StateSpec;
use crate::state::StateDir;
use std::fs;
use std::path::{Path, PathBuf};

fn bucket(dir: &Path) -> Bucket {
    Bucket::of(&StateDir::open(&dir.join("state")).expect("a state directory"), "agent-1").expect("a bucket")
}

fn file(dir: &Path) -> PathBuf {
    dir.join("state/agents/agent-1.state")
}

fn set<'c>(key: &'c str, value: &'c [u8]) -> Change<'c> {
    Change::Set { key: key.into(), value: value.into(), written: 1_764_453_600_123, stands: vec![("sr_1".into(), "KEY".into())] }
}

fn whole(work: &mut dyn FnMut()) -> bool {
    work();
    true
}

/// No number is a secret.
fn free(_: &[u8]) -> bool {
    false
}

/// Makes changes within the usual bounds.
fn make(bucket: &Bucket, all: &[Change<'_>]) -> Result<(), Refused> {
    bucket.change(&StateSpec::default(), all, whole)
}

fn keep(bucket: &Bucket, key: &str, value: &[u8]) {
    make(bucket, &[set(key, value)]).expect("kept");
}

fn value(bucket: &Bucket, key: &str) -> Option<Vec<u8>> {
    bucket.get(key).expect("read").map(|value| value.bytes)
}

/// All that a bucket holds.
fn all(bucket: &Bucket) -> Vec<(String, Vec<u8>)> {
    let keys = bucket.list().expect("read").into_iter().map(|listed| listed.key);
    keys.map(|key| (key.clone(), value(bucket, &key).expect("it is listed"))).collect()
}

#[test]
fn what_is_kept_is_read_again_with_all_that_belongs_to_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let first = bucket(dir.path());
    keep(&first, "a", b"1");
    keep(&first, "b", b"2");
    make(&first, &[set("a", b"3"), Change::Delete { key: "b".into() }, set("c", b"")]).expect("kept");

    let second = bucket(dir.path());

    assert_eq!(all(&second), [("a".to_owned(), b"3".to_vec()), ("c".to_owned(), Vec::new())]);
    assert_eq!(second.get("a").expect("read").expect("a value").stands, [("sr_1".to_owned(), "KEY".to_owned())]);
    assert_eq!(second.list().expect("read")[0].written, 1_764_453_600_123);
    assert!(second.exists("c").expect("read") && !second.exists("b").expect("read"));
}

#[test]
fn a_power_cut_at_any_byte_of_a_write_leaves_what_was_before() {
    let dir = tempfile::tempdir().expect("a directory");
    keep(&bucket(dir.path()), "kept", b"before");
    let before = fs::read(file(dir.path())).expect("a file");
    make(&bucket(dir.path()), &[set("kept", b"after"), set("more", b"of it")]).expect("kept");
    let after = fs::read(file(dir.path())).expect("a file");

    for cut in before.len()..after.len() {
        // Where the file's length came to the platter and its bytes did not, there are zeros.
        for zeros in [0, after.len() - cut] {
            fs::write(file(dir.path()), [&after[..cut], &vec![0; zeros]].concat()).expect("cut");

            let bucket = bucket(dir.path());
            assert_eq!(all(&bucket), [("kept".to_owned(), b"before".to_vec())], "after {cut} bytes and {zeros} zeros");
            keep(&bucket, "next", b"goes on");
            assert_eq!(all(&self::bucket(dir.path())).len(), 2, "after {cut} bytes and {zeros} zeros");
        }
    }
}

#[test]
fn a_file_that_is_damaged_is_said_to_be_and_can_be_cleared() {
    let dir = tempfile::tempdir().expect("a directory");
    keep(&bucket(dir.path()), "first", b"1");
    let at = fs::metadata(file(dir.path())).expect("a file").len();
    keep(&bucket(dir.path()), "second", b"2");
    keep(&bucket(dir.path()), "third", b"3");
    let mut bytes = fs::read(file(dir.path())).expect("a file");
    let last = usize::try_from(at).expect("small");
    bytes[last + 20] ^= 1;
    fs::write(file(dir.path()), &bytes).expect("damaged");

    let bucket = bucket(dir.path());
    for _ in 0..2 {
        let said = bucket.get("first").expect_err("damaged").to_string();
        assert!(said.ends_with(&format!("is damaged at byte {at}: restore it, or begin anew by `strongroom state clear`")), "{said}");
    }
    assert!(matches!(make(&bucket, &[set("fourth", b"4")]), Err(Refused::Io(_))));
    assert_eq!(fs::read(file(dir.path())).expect("a file"), bytes, "nothing is written over it");

    bucket.clear().expect("cleared");
    keep(&bucket, "fourth", b"4");
    assert_eq!(all(&self::bucket(dir.path())), [("fourth".to_owned(), b"4".to_vec())]);
}

#[test]
fn what_a_newer_host_has_written_is_neither_read_nor_written_over() {
    let dir = tempfile::tempdir().expect("a directory");
    keep(&bucket(dir.path()), "kept", b"1");
    let newer = String::from_utf8_lossy(&fs::read(file(dir.path())).expect("a file")).replacen("format 1", "format 2", 1);
    fs::write(file(dir.path()), &newer).expect("written");

    let bucket = bucket(dir.path());
    let said = bucket.get("kept").expect_err("newer").to_string();

    assert!(said.ends_with("written by a newer Strongroom (format 2; this one reads up to 1): upgrade this one"), "{said}");
    assert!(make(&bucket, &[set("kept", b"2")]).is_err());
    assert_eq!(fs::read_to_string(file(dir.path())).expect("a file"), newer);
}

#[test]
fn bounds_refuse_what_grows_and_nothing_else() {
    let dir = tempfile::tempdir().expect("a directory");
    let bucket = bucket(dir.path());
    let bounds = StateSpec::default().with(|new| (new.max_size, new.max_keys) = (20, 2));
    let change = |all: &[Change<'_>]| bucket.change(&bounds, all, whole);
    change(&[set("a", b"123456789"), set("b", b"123456789")]).expect("20 bytes");

    assert!(matches!(change(&[set("a", b"1234567890")]), Err(Refused::Size)));
    assert!(matches!(change(&[set("a", b""), set("c", b"")]), Err(Refused::Keys)));
    change(&[set("a", b"1234567890"), set("b", b"")]).expect("one shrinks by what the other grows");
    change(&[Change::Delete { key: "b".into() }, set("c", b"")]).expect("one goes as the other comes");
    let smaller = StateSpec::default().with(|new| (new.max_size, new.max_keys) = (1, 1));
    bucket.change(&smaller, &[set("a", b"123456789")], whole).expect("what is past the bounds may shrink");
    assert!(matches!(bucket.change(&smaller, &[set("a", b"1234567890")], whole), Err(Refused::Size)));
}

#[test]
fn keys_and_values_have_a_form_and_a_length() {
    let dir = tempfile::tempdir().expect("a directory");
    let bucket = bucket(dir.path());
    let bounds = StateSpec::default().with(|new| new.max_size = 64 << 20);
    let long = "k".repeat(257);
    for key in ["", "a\nb", "\u{7f}", &long] {
        assert!(matches!(make(&bucket, &[set(key, b"1")]), Err(Refused::Malformed(_))), "{key:?}");
        assert!(matches!(bucket.increment(&bounds, key, 1, 0, free, whole), Err(Refused::Malformed(_))), "{key:?}");
    }
    let large = vec![0; LONGEST_VALUE + 1];
    assert!(matches!(bucket.change(&bounds, &[set("a", &large)], whole), Err(Refused::Malformed(_))));
    assert!(!file(dir.path()).exists());
    bucket.change(&bounds, &[set("Ключ ✓", &large[1..]), set(&long[1..], b"")], whole).expect("kept");
}

#[test]
fn numbers_are_added_to_and_nothing_else_is() {
    let dir = tempfile::tempdir().expect("a directory");
    let bucket = bucket(dir.path());
    let add = |key: &str, delta| bucket.increment(&StateSpec::default(), key, delta, 0, free, whole);

    assert_eq!([add("runs", 5).expect("a sum"), add("runs", u64::MAX - 5).expect("a sum")], [5, u64::MAX]);
    assert!(matches!(add("runs", 1), Err(Refused::Malformed(_))));
    keep(&bucket, "text", b"seven");
    assert!(matches!(add("text", 1), Err(Refused::Malformed(_))));
    assert_eq!(value(&bucket, "runs").expect("a value"), u64::MAX.to_string().as_bytes());
}

#[test]
fn whoever_counts_in_several_places_counts_each_once_and_within_the_bounds() {
    let dir = tempfile::tempdir().expect("a directory");
    let bounds = StateSpec::default().with(|new| new.max_keys = 40);
    let counted = |number: usize| {
        // As another process has it.
        let bucket = bucket(dir.path());
        (0..25).for_each(|_| _ = bucket.increment(&bounds, "runs", 1, 0, free, whole).expect("counted"));
        (0..25).filter(|at| bucket.change(&bounds, &[set(&format!("{number}-{at}"), b"x")], whole).is_ok()).count()
    };

    let kept: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|number| scope.spawn(move || counted(number))).collect();
        threads.into_iter().map(|thread| thread.join().expect("a thread")).sum()
    });

    assert_eq!(value(&bucket(dir.path()), "runs").expect("a value"), b"100");
    assert_eq!((kept, all(&bucket(dir.path())).len()), (39, 40));
}

#[test]
fn a_file_does_not_grow_with_each_change() {
    let dir = tempfile::tempdir().expect("a directory");
    let (bucket, other) = (bucket(dir.path()), bucket(dir.path()));
    keep(&bucket, "stays", b"as it is");
    let large = vec![7; 64 << 10];

    for _ in 0..40 {
        keep(&bucket, "changes", &large);
        assert_eq!(all(&other), [("changes".to_owned(), large.clone()), ("stays".to_owned(), b"as it is".to_vec())]);
    }

    let length = fs::metadata(file(dir.path())).expect("a file").len();
    assert!(length < 512 << 10, "{length}");
    assert_eq!(bucket.get("stays").expect("read").expect("a value").stands.len(), 1);
}

#[test]
fn an_agent_that_is_stopped_writes_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let bucket = bucket(dir.path());
    let stopped = |_: &mut dyn FnMut()| false;
    assert!(matches!(bucket.change(&StateSpec::default(), &[set("a", b"1")], stopped), Err(Refused::Stopped)));
    assert!(!file(dir.path()).exists());
    keep(&bucket, "a", b"1");
    let before = fs::read(file(dir.path())).expect("a file");

    assert!(matches!(bucket.change(&StateSpec::default(), &[set("a", b"2")], stopped), Err(Refused::Stopped)));

    assert_eq!(fs::read(file(dir.path())).expect("a file"), before);
    assert_eq!(value(&bucket, "a").expect("a value"), b"1");
}

#[test]
fn what_an_operator_takes_out_is_gone_for_whoever_has_it_open() {
    let dir = tempfile::tempdir().expect("a directory");
    let (agents, operators) = (bucket(dir.path()), bucket(dir.path()));
    keep(&agents, "a", b"1");
    keep(&agents, "b", b"2");

    assert!(operators.remove("a").expect("written") && !operators.remove("a").expect("written"));
    assert_eq!(all(&agents), [("b".to_owned(), b"2".to_vec())]);
    operators.clear().expect("cleared");
    assert_eq!(all(&agents), []);
    keep(&agents, "c", b"3");
    fs::remove_file(file(dir.path())).expect("removed");
    assert_eq!(all(&agents), []);
}

#[test]
fn what_an_agent_keeps_is_never_taken_for_a_frame() {
    let dir = tempfile::tempdir().expect("a directory");
    keep(&bucket(dir.path()), "first", b"1");
    let before = fs::read(file(dir.path())).expect("a file");
    // A whole frame of a file with another salt, and the beginnings of many that claim all that follows.
    let other = tempfile::tempdir().expect("a directory");
    keep(&bucket(other.path()), "forged", b"2");
    let forged = fs::read(file(other.path())).expect("a file")[64..].to_vec();
    let beginnings = [b"\xf5sr\x01".as_slice(), &0x000f_0000u32.to_le_bytes()].concat().repeat(100_000);
    let value = [forged, beginnings].concat();
    keep(&bucket(dir.path()), "kept", &value);
    let after = fs::read(file(dir.path())).expect("a file");
    assert_eq!(self::value(&bucket(dir.path()), "kept").expect("a value"), value);

    // Torn behind the forged frame: it is the end of the file, and not damage.
    fs::write(file(dir.path()), &after[..after.len() - 1]).expect("cut");
    let bucket = bucket(dir.path());
    for _ in 0..3 {
        assert_eq!(all(&bucket), [("first".to_owned(), b"1".to_vec())]);
    }
    assert!(before.len() < after.len());
}

#[test]
fn what_was_read_and_taken_back_is_read_anew() {
    let dir = tempfile::tempdir().expect("a directory");
    keep(&bucket(dir.path()), "first", b"1");
    let before = fs::read(file(dir.path())).expect("a file");
    let (writes, reads) = (bucket(dir.path()), bucket(dir.path()));
    keep(&writes, "taken back", b"2");
    assert_eq!(all(&reads).len(), 2);

    // As where its sync failed, and another change came in its place, which is longer.
    let kept = fs::OpenOptions::new().write(true).open(file(dir.path())).expect("a file");
    kept.set_len(before.len() as u64).expect("cut");
    keep(&bucket(dir.path()), "other", &[b'x'; 500]);

    assert_eq!(all(&reads).iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>(), ["first", "other"]);
    keep(&reads, "next", b"3");
    assert_eq!(all(&bucket(dir.path())).len(), 3);
}

#[test]
fn of_several_changes_of_one_key_the_last_counts_alone() {
    let dir = tempfile::tempdir().expect("a directory");
    let bucket = bucket(dir.path());
    let large = vec![7; 1 << 19];
    make(&bucket, &[set("a", &large), set("a", &large), Change::Delete { key: "a".into() }, set("a", b"last")]).expect("kept");

    assert_eq!(all(&bucket), [("a".to_owned(), b"last".to_vec())]);
    assert!(fs::metadata(file(dir.path())).expect("a file").len() < 1_000);
}

#[test]
fn a_key_that_an_operator_takes_out_is_in_the_file_no_more() {
    let dir = tempfile::tempdir().expect("a directory");
    let bucket = bucket(dir.path());
    keep(&bucket, "stays", b"here");
    keep(&bucket, "goes", b"what nobody may read");

    assert!(bucket.remove("goes").expect("removed"));

    let text = fs::read(file(dir.path())).expect("a file");
    assert!(memchr::memmem::find(&text, b"what nobody may read").is_none() && memchr::memmem::find(&text, b"here").is_some());
}

#[test]
fn a_sum_that_is_a_secret_is_not_kept() {
    let dir = tempfile::tempdir().expect("a directory");
    let bucket = bucket(dir.path());
    let is_secret = |digits: &[u8]| digits == b"4711";
    let add = |delta| bucket.increment(&StateSpec::default(), "number", delta, 0, is_secret, whole);

    assert_eq!(add(4_000).expect("a sum"), 4_000);
    assert!(matches!(add(711), Err(Refused::Secret)));
    assert_eq!(value(&bucket, "number").expect("a value"), b"4000");
}
