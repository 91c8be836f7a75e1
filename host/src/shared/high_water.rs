//! The numbers of a host by itself: for each key a file in the state directory, with a mark that no number above it was ever given out.
//!
//! A block of numbers is reserved by one write that moves the mark, and given out from memory; whoever ends in between leaves out the rest. All processes
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

/// Numbers for one write.
const BLOCK: u64 = 1_024;
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
    async fn next(&self, key: &[u8]) -> Result<u64, SharedError> {
        let known = self.known(key);
        if let Some(number) = known.as_ref().and_then(|series| series.take()) {
            return Ok(number);
        }
        let state = self.state.clone().ok_or_else(|| SharedError::Refused("this host keeps no state, and no numbers".to_owned()))?;
        let name = hex(&Sha256::digest(key));
        // The disk is waited for elsewhere.
        let reserved = tokio::task::spawn_blocking(move || {
            let series = known.map_or_else(|| Series::open(&state, &name).map(Arc::new), Ok)?;
            Ok((series.reserve()?, series))
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

    /// The next number of the block, unless there is none or somebody else has moved the mark.
    fn take(&self) -> Option<u64> {
        let mut block = self.at_hand.lock();
        if block.given >= block.mark || self.newest().ok()?.is_none_or(|(mark, _)| mark != block.mark) {
            return None;
        }
        block.given += 1;
        Some(block.given)
    }

    /// The next number, where need be of a new block.
    fn reserve(&self) -> io::Result<u64> {
        let _turn = self.reserving.lock();
        if let Some(number) = self.take() {
            return Ok(number);
        }
        self.file.lock()?;
        let moved = self.move_mark();
        self.file.unlock()?;
        let (before, mark) = moved?;
        let mut block = self.at_hand.lock();
        if before < block.mark {
            return Err(io::Error::other("the mark in their file went back, and no number may be given twice"));
        }
        *block = Block { given: before + 1, mark };
        Ok(before + 1)
    }

    /// Moves the mark by a block; gives where it was, and where it is on the disk now.
    fn move_mark(&self) -> io::Result<(u64, u64)> {
        let file = self.file.metadata()?;
        if file.nlink() == 0 {
            return Err(io::Error::other("their file was removed while the host ran"));
        }
        let (before, place) = match self.newest()? {
            Some((mark, place)) => (mark, 1 - place),
            None if file.len() == 0 => (0, 0),
            None => return Err(io::Error::other("the mark in their file can't be read, and no number may be given twice")),
        };
        let mark = before.checked_add(BLOCK).ok_or_else(|| io::Error::other("there are no further numbers"))?;
        self.file.write_all_at(&written(mark), PLACES[place])?;
        self.file.sync_data()?;
        Ok((before, mark))
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

    fn host(dir: &Path) -> HighWater {
        HighWater::new(Some(StateDir::open(&dir.join("state")).expect("a state directory")))
    }

    async fn next(host: &HighWater) -> u64 {
        host.next(KEY).await.expect("a number")
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
        assert_eq!(host.next(b"another key").await, Ok(1));
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
        let (before, mark) = series(dir.path()).move_mark().expect("reserved, and never used");

        assert_eq!((before, next(&host(dir.path())).await), (0, mark + 1));
    }

    #[tokio::test]
    async fn a_mark_that_was_cut_off_leaves_the_one_before() {
        for cut in 0..WRITTEN {
            let dir = tempfile::tempdir().expect("a directory");
            let last = next(&host(dir.path())).await;
            let torn = series(dir.path());
            let (mark, place) = torn.newest().expect("read").expect("a mark");
            let text = written(mark + BLOCK);
            torn.file.write_all_at(&text[..cut], PLACES[1 - place]).expect("a part of it");

            let after = next(&host(dir.path())).await;

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

        assert!(first.next(KEY).await.is_err());
        assert!(host(dir.path()).next(KEY).await.is_err());
        assert!(HighWater::new(None).next(KEY).await.is_err(), "without a state directory there are none");

        let dir = tempfile::tempdir().expect("a directory");
        let gone = series(dir.path());
        std::fs::remove_dir_all(dir.path().join("state/nonces")).expect("removed");
        assert!(gone.reserve().is_err());
    }

    #[tokio::test]
    async fn of_two_hosts_by_turns_each_gives_a_larger_number() {
        let dir = tempfile::tempdir().expect("a directory");
        let hosts = [host(dir.path()), host(dir.path())];
        let mut last = 0;
        for turn in 0..3 * BLOCK {
            // Now and then one has several turns.
            let number = next(&hosts[usize::from(turn % 5 == 0)]).await;
            assert!(number > last, "{number} after {last}");
            last = number;
        }
    }

    #[test]
    fn threads_of_one_host_get_each_number_once() {
        let dir = tempfile::tempdir().expect("a directory");
        let series = series(dir.path());
        let take = || (0..500).map(|_| series.reserve().expect("a number")).collect::<Vec<_>>();

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
        let mut last = next(&here).await;
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
                next(&here).await;
                number();
            }
            child.kill().expect("it runs");
            child.wait().expect("it ends");
            let largest = std::iter::from_fn(number).last().unwrap_or(first);

            last = next(&here).await;

            assert!(last > largest, "{last} here after {largest} there");
        }
    }

    /// What the other process does; alone, nothing.
    #[tokio::test]
    async fn a_child_counts() {
        let Some(dir) = std::env::var_os(CHILD) else { return };
        let host = host(Path::new(&dir));
        loop {
            println!("number {}", next(&host).await);
        }
    }
}
