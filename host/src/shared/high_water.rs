//! The numbers of a host by itself: for each key a file in the state directory, with a mark that no number above it was ever given out.
//!
//! A block of numbers is reserved by one write that moves the mark, and given out from memory; whoever ends in between leaves out the rest. Where
//! numbers follow the time, a block reaches so far ahead of it that a write is due once in a minute or two ([`block`]). All processes
//! on one state directory move the same mark, one at a time. Before each number a process looks whether the mark is still where it has put it: where
//! another has moved it, numbers of the old block would come after larger ones, and it is given up.

use super::{Nonces, SharedError};
use crate::lock::Mutex;
use crate::state::StateDir;
use crate::text::hex;
use async_trait::async_trait;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::sync::Arc;

/// Numbers for one write, at least.
const BLOCK: u64 = 1_024;
/// A block is such a part of the least number that is asked for.
const PART: u64 = 1 << 24;
/// Bytes of a mark as it is written: its digits, a checksum, a line's end.
const WRITTEN: usize = 32;
/// The mark is written in two places by turns, so that one that was cut off leaves the one before. They share no block of a disk.
const PLACES: [u64; 2] = [0, 4_096];

/// Numbers above a mark on the disk.
pub(crate) struct HighWater {
    state: Option<StateDir>,
    series: Mutex<HashMap<Vec<u8>, Arc<Series>>>,
}

/// The numbers of one key.
struct Series {
    file: File,
    at_hand: Mutex<Block>,
    /// Held by whoever moves the mark, in this process.
    reserving: Mutex<()>,
}

/// The numbers that are reserved and not given out.
#[derive(Default)]
struct Block {
    /// The last one that was given out.
    given: u64,
    /// The last one that may be, where the mark is.
    mark: u64,
}

/// What one write has reserved: from the first number to the mark.
struct Moved {
    /// Where the mark was.
    before: u64,
    first: u64,
    mark: u64,
}

impl HighWater {
    /// In that state directory, which need not be there where no number is asked for.
    pub(crate) fn new(state: Option<StateDir>) -> Self {
        Self { state, series: Mutex::default() }
    }

    fn known(&self, key: &[u8]) -> Option<Arc<Series>> {
        self.series.lock().get(key).map(Arc::clone)
    }
}

#[async_trait]
impl Nonces for HighWater {
    async fn next(&self, key: &[u8], least: u64) -> Result<u64, SharedError> {
        let known = self.known(key);
        if let Some(number) = known.as_ref().and_then(|series| series.take(least)) {
            return Ok(number);
        }
        let state = self.state.clone().ok_or_else(|| SharedError::Refused("this host keeps no state, and no numbers".to_owned()))?;
        let name = hex(&Sha256::digest(key));
        // The disk is waited for elsewhere.
        let reserved = tokio::task::spawn_blocking(move || {
            let series = known.map_or_else(|| Series::open(&state, &name).map(Arc::new), Ok)?;
            Ok((series.reserve(least)?, series))
        });
        let failed = |error: io::Error| SharedError::Unavailable(format!("numbers can't be reserved: {error}"));
        let (number, series) = reserved.await.map_err(|error| failed(io::Error::other(error)))?.map_err(failed)?;
        self.series.lock().entry(key.to_vec()).or_insert(series);
        Ok(number)
    }
}

impl Series {
    fn open(state: &StateDir, name: &str) -> io::Result<Self> {
        let directory = state.subdirectory("nonces")?;
        let path = directory.path().join(name);
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        File::open(directory.path())?.sync_all()?;
        Ok(Self { file, at_hand: Mutex::default(), reserving: Mutex::default() })
    }

    /// The next number of the block, unless it has none so large or somebody else has moved the mark.
    fn take(&self, least: u64) -> Option<u64> {
        let mut block = self.at_hand.lock();
        if block.given >= block.mark || least > block.mark || self.newest().ok()?.is_none_or(|(mark, _)| mark != block.mark) {
            return None;
        }
        block.given = least.max(block.given + 1);
        Some(block.given)
    }

    /// The next number, where need be of a new block.
    fn reserve(&self, least: u64) -> io::Result<u64> {
        let _turn = self.reserving.lock();
        if let Some(number) = self.take(least) {
            return Ok(number);
        }
        self.file.lock()?;
        let moved = self.move_mark(least);
        self.file.unlock()?;
        let Moved { before, first, mark } = moved?;
        let mut block = self.at_hand.lock();
        if before < block.mark {
            return Err(io::Error::other("the mark in their file went back, and no number may be given twice"));
        }
        *block = Block { given: first, mark };
        Ok(first)
    }

    /// Moves the mark by a block from `least` on, or from where it was.
    fn move_mark(&self, least: u64) -> io::Result<Moved> {
        let file = self.file.metadata()?;
        if file.nlink() == 0 {
            return Err(io::Error::other("their file was removed while the host ran"));
        }
        let (before, place) = match self.newest()? {
            Some((mark, place)) => (mark, 1 - place),
            None if file.len() == 0 => (0, 0),
            None => return Err(io::Error::other("the mark in their file can't be read, and no number may be given twice")),
        };
        let last = least.saturating_sub(1).max(before);
        let mark = last.checked_add(block(least)).ok_or_else(|| io::Error::other("there are no further numbers"))?;
        self.file.write_all_at(&written(mark), PLACES[place])?;
        self.file.sync_data()?;
        Ok(Moved { before, first: last + 1, mark })
    }

    /// The mark and its place. There is none in a new file, or in one that is damaged.
    fn newest(&self) -> io::Result<Option<(u64, usize)>> {
        let mut newest = None;
        for (place, offset) in PLACES.into_iter().enumerate() {
            let mut text = [0; WRITTEN];
            if self.file.read_at(&mut text, offset)? == WRITTEN {
                newest = newest.max(read(&text).map(|mark| (mark, place)));
            }
        }
        Ok(newest)
    }
}

/// How many numbers are reserved at once. Where the least one is the time since 1970, a part of it is some 105 seconds, in whatever unit.
fn block(least: u64) -> u64 {
    BLOCK.max(least / PART)
}

fn written(mark: u64) -> [u8; WRITTEN] {
    let digits = format!("{mark:020}");
    let text = format!("{digits} {:08x}  \n", crc32fast::hash(digits.as_bytes()));
    text.into_bytes().try_into().expect("20 digits, 8 and 4 other characters")
}

fn read(text: &[u8; WRITTEN]) -> Option<u64> {
    let mark = std::str::from_utf8(&text[..20]).ok()?.parse().ok()?;
    (written(mark) == *text).then_some(mark)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader};
    use std::path::Path;
    use std::process::{Command, Stdio};

    const KEY: &[u8] = b"an exchange's key";
    /// Tells a child of the test where its state directory is.
    const CHILD: &str = "STRONGROOM_TEST_NUMBERS";
    /// Some time, in milliseconds.
    const NOW: u64 = 1_764_453_600_123;

    fn host(dir: &Path) -> HighWater {
        HighWater::new(Some(StateDir::open(&dir.join("state")).expect("a state directory")))
    }

    async fn next(host: &HighWater) -> u64 {
        host.next(KEY, 0).await.expect("a number")
    }

    fn clock() -> u64 {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
        u64::try_from(since.as_millis()).expect("for a while")
    }

    fn series(dir: &Path) -> Series {
        Series::open(&StateDir::open(&dir.join("state")).expect("a state directory"), &hex(&Sha256::digest(KEY))).expect("a file")
    }

    #[tokio::test]
    async fn numbers_rise_by_one_and_keys_are_apart() {
        let dir = tempfile::tempdir().expect("a directory");
        let host = host(dir.path());

        for number in 1..=3 * BLOCK {
            assert_eq!(next(&host).await, number);
        }
        assert_eq!(host.next(b"another key", 0).await, Ok(1));
    }

    #[tokio::test]
    async fn a_number_is_at_least_what_is_asked_for() {
        let dir = tempfile::tempdir().expect("a directory");
        let host = host(dir.path());
        let mut last = 0;
        // Forward within a block, to its end, beyond it, and back, as a clock that is set.
        for least in [0, 5, 5, 4, BLOCK, BLOCK + 1, 10 * BLOCK, 3, 0, NOW, NOW + 1, NOW - 1, NOW + 500, NOW, NOW + 10 * NOW / PART, 0, 1] {
            let number = host.next(KEY, least).await.expect("a number");
            assert!(number > last && number >= least, "{number} after {last}, of at least {least}");
            last = number;
        }
        // A process that begins with its clock set back.
        let number = self::host(dir.path()).next(KEY, 5).await.expect("a number");
        assert!(number > last, "{number} after {last}");
    }

    #[tokio::test]
    async fn what_no_number_is_left_for_is_refused_and_moves_nothing() {
        let dir = tempfile::tempdir().expect("a directory");
        let host = host(dir.path());
        let first = next(&host).await;

        for least in [u64::MAX, u64::MAX - 1_000] {
            assert!(matches!(host.next(KEY, least).await, Err(SharedError::Unavailable(_))), "{least}");
        }

        assert_eq!(next(&host).await, first + 1);
    }

    /// An hour of requests, one in a second, in each unit: a write is due for some hundred of them.
    #[tokio::test]
    async fn numbers_that_follow_the_time_cost_few_writes() {
        for unit in [1, 1_000, 1_000_000, 1_000_000_000] {
            let dir = tempfile::tempdir().expect("a directory");
            let host = host(dir.path());
            let (mut writes, mut mark) = (0, 0);
            for second in 0..3_600 {
                let least = (NOW / 1_000 + second) * unit;
                let number = host.next(KEY, least).await.expect("a number");
                assert!(number >= least, "{number}");
                let now = host.known(KEY).expect("known").newest().expect("read").expect("a mark").0;
                assert!(now - least <= block(least) + 1, "the mark is {} ahead", now - least);
                writes += u64::from(now != mark);
                mark = now;
            }
            assert!((3..=36).contains(&writes), "{writes} writes, {unit} in a second");
        }
    }

    #[tokio::test]
    async fn a_host_that_ends_leaves_numbers_out_and_none_comes_twice() {
        let dir = tempfile::tempdir().expect("a directory");
        let last = {
            let host = host(dir.path());
            next(&host).await;
            next(&host).await
        };

        let after = next(&host(dir.path())).await;

        assert!(after > last, "{after} after {last}");
    }

    #[tokio::test]
    async fn a_crash_between_reserving_and_use_leaves_the_block_out() {
        let dir = tempfile::tempdir().expect("a directory");
        let Moved { before, mark, .. } = series(dir.path()).move_mark(0).expect("reserved, and never used");

        assert_eq!((before, next(&host(dir.path())).await), (0, mark + 1));

        // The same where numbers follow the time: the block that was lost reaches ahead of it, and nothing in it comes again.
        let dir = tempfile::tempdir().expect("a directory");
        let Moved { first, mark, .. } = series(dir.path()).move_mark(NOW).expect("reserved, and never used");
        assert_eq!((first, host(dir.path()).next(KEY, NOW + 7).await), (NOW, Ok(mark + 1)));
    }

    #[tokio::test]
    async fn a_mark_that_was_cut_off_leaves_the_one_before() {
        for (cut, least) in (0..WRITTEN).flat_map(|cut| [(cut, 0), (cut, NOW)]) {
            let dir = tempfile::tempdir().expect("a directory");
            let last = host(dir.path()).next(KEY, least).await.expect("a number");
            let torn = series(dir.path());
            let (mark, place) = torn.newest().expect("read").expect("a mark");
            let text = written(mark + BLOCK);
            torn.file.write_all_at(&text[..cut], PLACES[1 - place]).expect("a part of it");

            let after = host(dir.path()).next(KEY, least).await.expect("a number");

            assert!(after > last, "{after} after {last}, cut after {cut} bytes");
        }
    }

    #[tokio::test]
    async fn a_file_that_is_damaged_or_gone_gives_no_numbers() {
        let dir = tempfile::tempdir().expect("a directory");
        let first = host(dir.path());
        next(&first).await;
        let damaged = series(dir.path());
        for place in PLACES {
            damaged.file.write_all_at(b"no mark", place).expect("written");
        }

        assert!(first.next(KEY, 0).await.is_err());
        assert!(host(dir.path()).next(KEY, 0).await.is_err());
        assert!(HighWater::new(None).next(KEY, 0).await.is_err(), "without a state directory there are none");

        let dir = tempfile::tempdir().expect("a directory");
        let gone = series(dir.path());
        std::fs::remove_dir_all(dir.path().join("state/nonces")).expect("removed");
        assert!(gone.reserve(0).is_err());
    }

    #[tokio::test]
    async fn of_two_hosts_by_turns_each_gives_a_larger_number() {
        let dir = tempfile::tempdir().expect("a directory");
        let hosts = [host(dir.path()), host(dir.path())];
        let mut last = 0;
        for turn in 0..3 * BLOCK {
            // Now and then one has several turns, and now and then the time is asked for.
            let least = if turn > 2 * BLOCK && turn % 3 == 0 { NOW + turn } else { 0 };
            let number = hosts[usize::from(turn % 5 == 0)].next(KEY, least).await.expect("a number");
            assert!(number > last, "{number} after {last}");
            last = number;
        }
    }

    #[test]
    fn threads_of_one_host_get_each_number_once() {
        let dir = tempfile::tempdir().expect("a directory");
        let series = series(dir.path());
        let take = || (0..500).map(|_| series.reserve(0).expect("a number")).collect::<Vec<_>>();

        let mut all: Vec<u64> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(take)).collect();
            threads.into_iter().flat_map(|thread| thread.join().expect("a thread")).collect()
        });

        all.sort_unstable();
        assert_eq!(all, (1..=2_000).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn a_process_that_is_killed_repeats_nothing_and_holds_nobody_up() {
        let dir = tempfile::tempdir().expect("a directory");
        let here = host(dir.path());
        let mut last = here.next(KEY, clock()).await.expect("a number");
        for _ in 0..3 {
            let mut child = Command::new(std::env::current_exe().expect("this test"))
                .args(["--exact", "--nocapture", "shared::high_water::tests::a_child_counts"])
                .env(CHILD, dir.path())
                .stdout(Stdio::piped())
                .spawn()
                .expect("a process");
            let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
            let mut number =
                || lines.find_map(|line| line.expect("text").strip_prefix("number ").map(|text| text.parse::<u64>().expect("a number")));
            let first = number().expect("a first number");
            assert!(first > last, "{first} there after {last} here");
            // While the other one counts on, this one does too; then the other one is killed in the midst of it.
            for _ in 0..50 {
                here.next(KEY, clock()).await.expect("a number");
                number();
            }
            child.kill().expect("it runs");
            child.wait().expect("it ends");
            let largest = std::iter::from_fn(number).last().unwrap_or(first);

            last = here.next(KEY, clock()).await.expect("a number");

            assert!(last > largest, "{last} here after {largest} there");
        }
    }

    /// What the other process does; alone, nothing.
    #[tokio::test]
    async fn a_child_counts() {
        let Some(dir) = std::env::var_os(CHILD) else { return };
        let host = host(Path::new(&dir));
        loop {
            println!("number {}", host.next(KEY, clock()).await.expect("a number"));
        }
    }
}
