//! The messages of services that have begun runs: each begins one. They are remembered in the state directory, across restarts; a host
//! without one remembers them as long as it lives. A message is on the disk before its run begins.
//!
//! They are forgotten once their time is over by what has passed and by the clock on the wall: one that was set forward and back again, or back
//! alone, would have each of them begin a second run. The next host knows that clock alone. What is over by it, it remembers a while more, as
//! far as there is room.
//!
//! Only what a service has signed is remembered, so that nobody else can fill the place.

use super::webhook::UNTIMED;
use crate::clock::{Clock, Wall, millis};
use crate::lock::Mutex;
use crate::state::StateDir;
use crate::text;
use std::collections::{BTreeSet, HashMap};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Most messages that are remembered. Past that none is taken, until the time of some is over.
const MOST: usize = 200_000;
/// Most bytes of the file, of which each message takes 47.
const MAX_FILE: u64 = 32 << 20;
/// How long a message is remembered further where one of the clocks says so, in milliseconds.
const MORE: u64 = 10 * 60 * 1_000;
/// The format of the lines.
const FORMAT: u64 = 1;
const HEAD: &str = "# Messages of services that have begun runs, each until it may be forgotten, in milliseconds since 1970-01-01T00:00:00Z.\n\
                    # The host writes this file. Without it, a message that somebody has recorded could be sent once more.\n";

/// What a message is remembered by: the beginning of a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Id([u8; 16]);

/// The messages of a host.
pub(super) struct Deliveries {
    known: Mutex<Known>,
    file: Option<PathBuf>,
    wall: Wall,
    clock: Clock,
    /// Whose turn it is to write for all that wait.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Known {
    until: HashMap<Id, Until>,
    /// The same, in the order in which they are forgotten.
    order: BTreeSet<(u64, Id)>,
    /// Those that are still to be written.
    waiting: Vec<(Id, Until)>,
    /// Lines in the file.
    lines: usize,
}

/// When a message is forgotten, in milliseconds.
#[derive(Debug, Clone, Copy)]
struct Until {
    /// Since the machine was started.
    clock: u64,
    /// The same, whatever the other clock says.
    latest: u64,
    /// Since 1970.
    wall: u64,
}

/// The time by both clocks.
#[derive(Clone, Copy)]
struct Now {
    clock: u64,
    wall: u64,
}

impl Now {
    fn after(self, lasts: u64) -> Until {
        Until { clock: self.clock + lasts, latest: self.clock + lasts.max(UNTIMED), wall: self.wall + lasts }
    }
}

/// A message that may begin a run, and no other meanwhile. Dropped before it is kept, it may come again.
pub(super) struct Claim {
    deliveries: Arc<Deliveries>,
    ids: Vec<Id>,
    until: Until,
    kept: bool,
}

/// Why a message begins no run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unclaimed {
    /// It has, or is about to.
    Again,
    /// As many are remembered as may be.
    Full,
}

impl Id {
    pub(super) fn of(hash: &[u8]) -> Self {
        let mut id = [0; 16];
        id.copy_from_slice(&hash[..16]);
        Self(id)
    }
}

impl Deliveries {
    /// Those that a host remembers for this directory. Reads the file, and writes it without what is over.
    ///
    /// # Errors
    /// That of the operating system, or that the file is a newer host's.
    pub(super) fn open(state: Option<&StateDir>, name: &str, wall: Wall, clock: Clock) -> io::Result<Self> {
        let file = state.map(|state| state.path().join(name));
        let now = Now { clock: millis(clock.now()), wall: wall.now() };
        let known = file.as_deref().map(|file| Known::read(file, now)).transpose()?.unwrap_or_default();
        if let Some(file) = &file {
            known.write_whole(file)?;
        }
        Ok(Self { known: Mutex::new(known), file, wall, clock, turn: tokio::sync::Mutex::default() })
    }

    /// Takes a message for a run, if none of its names is known. It is remembered for so many milliseconds.
    pub(super) fn claim(self: &Arc<Self>, ids: Vec<Id>, lasts: u64) -> Result<Claim, Unclaimed> {
        let mut known = self.known.lock();
        let now = Now { clock: millis(self.clock.now()), wall: self.wall.now() };
        let until = now.after(lasts);
        known.forget(now);
        if ids.iter().any(|id| known.until.contains_key(id)) {
            return Err(Unclaimed::Again);
        }
        if known.until.len() + ids.len() > MOST {
            return Err(Unclaimed::Full);
        }
        ids.iter().for_each(|id| known.add(*id, until));
        Ok(Claim { deliveries: Arc::clone(self), ids, until, kept: false })
    }

    /// Writes what waits, and has it on the disk.
    fn write(&self, file: &Path, batch: &[(Id, Until)]) -> io::Result<()> {
        let lines = {
            let mut known = self.known.lock();
            known.lines += batch.len();
            known.lines
        };
        if lines > 2 * MOST {
            let mut known = self.known.lock();
            known.write_whole(file)?;
            known.lines = known.until.len();
            return Ok(());
        }
        // A line of its own, whatever an earlier batch that failed has left.
        let text: String = ["\n".to_owned()].into_iter().chain(batch.iter().map(|(id, until)| line(*id, *until))).collect();
        let mut file = OpenOptions::new().append(true).open(file)?;
        file.write_all(text.as_bytes())?;
        file.sync_data()
    }
}

impl Claim {
    /// Keeps it for good. Once this returns it is on the disk; whoever comes meanwhile is written together.
    ///
    /// # Errors
    /// That of the operating system: then it may begin no run.
    pub(super) async fn keep(mut self) -> io::Result<()> {
        let deliveries = Arc::clone(&self.deliveries);
        if let Some(file) = &deliveries.file {
            deliveries.known.lock().waiting.extend(self.ids.iter().map(|id| (*id, self.until)));
            let _turn = deliveries.turn.lock().await;
            let batch = std::mem::take(&mut deliveries.known.lock().waiting);
            // Otherwise somebody else has written it.
            if batch.iter().any(|(id, _)| self.ids.contains(id)) {
                let (file, written) = (file.clone(), Arc::clone(&deliveries));
                let of_all = batch.clone();
                let written = tokio::task::spawn_blocking(move || written.write(&file, &of_all)).await;
                if let Err(error) = written.unwrap_or_else(|_| Err(io::Error::other("the thread that writes has failed"))) {
                    // They all find it here again, and say so for themselves.
                    let others = batch.into_iter().filter(|(id, _)| !self.ids.contains(id));
                    deliveries.known.lock().waiting.extend(others);
                    return Err(error);
                }
            } else {
                deliveries.known.lock().waiting.extend(batch);
            }
        }
        self.kept = true;
        Ok(())
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if !self.kept {
            let mut known = self.deliveries.known.lock();
            self.ids.iter().for_each(|id| known.remove(*id));
        }
    }
}

impl Known {
    fn read(file: &Path, now: Now) -> io::Result<Self> {
        let mut known = Self::default();
        let text = match fs::metadata(file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(known),
            Err(error) => return Err(error),
            Ok(found) if found.len() > MAX_FILE => {
                return Err(io::Error::other(format!("{} has more than {MAX_FILE} bytes; remove its oldest lines", file.display())));
            }
            Ok(_) => fs::read_to_string(file)?,
        };
        let formats = text.lines().filter_map(|line| line.strip_prefix("# format ")?.trim().parse().ok());
        if let Some(newer) = formats.max().and_then(|format: u64| crate::format::refused(format, FORMAT)) {
            return Err(io::Error::other(format!("{}: {newer}", file.display())));
        }
        // The last line may be torn, if the machine lost its power: its run has not begun.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let (mut over, left): (Vec<_>, Vec<_>) = whole.lines().filter_map(read_line).partition(|(_, until)| *until <= now.wall);
        over.sort_by_key(|(_, until)| std::cmp::Reverse(*until));
        // Those that are left have most of the room.
        let room = MOST.saturating_sub(left.len()) / 2;
        let over = over.into_iter().take(room).map(|(id, wall)| (id, Until { wall, ..now.after(MORE) }));
        let left = left.into_iter().map(|(id, wall)| (id, Until { wall, ..now.after((wall - now.wall).min(UNTIMED)) }));
        over.chain(left).for_each(|(id, until)| known.add(id, until));
        known.lines = known.until.len();
        Ok(known)
    }

    fn write_whole(&self, file: &Path) -> io::Result<()> {
        let new = file.with_extension("new");
        let mut text = HEAD.to_owned();
        text.extend(self.until.iter().map(|(id, until)| line(*id, *until)));
        let mut written = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        written.write_all(text.as_bytes())?;
        written.sync_all()?;
        fs::rename(&new, file)?;
        File::open(file.parent().unwrap_or(Path::new(".")))?.sync_all()
    }

    fn add(&mut self, id: Id, until: Until) {
        if let Some(before) = self.until.insert(id, until) {
            self.order.remove(&(before.clock, id));
        }
        self.order.insert((until.clock, id));
    }

    fn remove(&mut self, id: Id) {
        if let Some(until) = self.until.remove(&id) {
            self.order.remove(&(until.clock, id));
        }
        self.waiting.retain(|(waiting, _)| *waiting != id);
    }

    fn forget(&mut self, now: Now) {
        while let Some((clock, id)) = self.order.first().copied().filter(|(clock, _)| *clock <= now.clock) {
            self.order.remove(&(clock, id));
            let Some(until) = self.until.remove(&id) else { continue };
            if until.wall > now.wall && until.latest > now.clock {
                self.add(id, Until { clock: until.latest.min(now.clock + MORE), ..until });
            }
        }
    }
}

fn line(id: Id, until: Until) -> String {
    format!("{} {}\n", until.wall, text::hex(&id.0))
}

fn read_line(line: &str) -> Option<(Id, u64)> {
    let (until, id) = line.split_once(' ')?;
    let digits = id.as_bytes();
    if digits.len() != 32 || !id.is_ascii() {
        return None;
    }
    let mut bytes = [0; 16];
    for (byte, at) in bytes.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(id.get(at..at + 2)?, 16).ok()?;
    }
    Some((Id(bytes), until.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

    fn id(number: u8) -> Vec<Id> {
        vec![Id([number; 16])]
    }

    fn state() -> (tempfile::TempDir, StateDir) {
        let dir = tempfile::tempdir().expect("a directory");
        let state = StateDir::open(&dir.path().join("state")).expect("a state directory");
        (dir, state)
    }

    /// The clock on the wall, which a test sets, and the time that passes; both in milliseconds.
    #[derive(Default)]
    struct Times(Arc<AtomicI64>, Arc<AtomicU64>);

    impl Times {
        fn open(&self, state: Option<&StateDir>) -> io::Result<Arc<Deliveries>> {
            Deliveries::open(state, "deliveries", Wall(Arc::clone(&self.0)), Clock::sleeping(Arc::clone(&self.1))).map(Arc::new)
        }

        fn pass(&self, millis: u64) {
            self.0.fetch_add(i64::try_from(millis).expect("small"), Ordering::Relaxed);
            self.1.fetch_add(millis, Ordering::Relaxed);
        }

        fn set(&self, by: i64) {
            self.0.fetch_add(by, Ordering::Relaxed);
        }
    }

    const HOUR: u64 = 3_600_000;

    #[tokio::test]
    async fn a_message_is_taken_once_by_this_host_and_the_next() {
        let ((_dir, state), times) = (state(), Times::default());
        let first = times.open(Some(&state)).expect("opened");
        let both = vec![id(1)[0], id(2)[0]];
        first.claim(both, HOUR).expect("new").keep().await.expect("kept");
        drop(first.claim(id(3), HOUR).expect("new"));

        assert_eq!(first.claim(id(2), HOUR).err(), Some(Unclaimed::Again));
        let next = times.open(Some(&state)).expect("opened");
        assert_eq!(next.claim(id(1), HOUR).err(), Some(Unclaimed::Again));
        assert!(next.claim(id(3), HOUR).is_ok(), "its run had not begun");
        times.pass(HOUR);
        assert!(next.claim(id(1), HOUR).is_ok(), "its time is over");
    }

    #[tokio::test]
    async fn a_clock_that_is_set_makes_no_host_forget() {
        let ((_dir, state), times) = (state(), Times::default());
        let first = times.open(Some(&state)).expect("opened");
        first.claim(id(1), HOUR).expect("new").keep().await.expect("kept");
        let days = 10 * 24 * i64::try_from(HOUR).expect("small");

        times.set(days);
        let meanwhile = first.claim(id(2), HOUR).expect("new").keep().await;
        let next = times.open(Some(&state)).expect("opened");
        times.set(-days);

        // Back by more, it is that time once more.
        times.set(-days);
        times.pass(2 * HOUR);

        meanwhile.expect("kept");
        for host in [first, next] {
            assert_eq!([1, 2].map(|number| host.claim(id(number), HOUR).err()), [Some(Unclaimed::Again); 2]);
        }
    }

    #[tokio::test]
    async fn what_can_t_be_kept_begins_nothing_and_may_come_again() {
        let (dir, state) = state();
        let deliveries = Times::default().open(Some(&state)).expect("opened");
        fs::remove_file(state.path().join("deliveries")).expect("removed");

        let claims = [1, 2, 3].map(|number| deliveries.claim(id(number), HOUR).expect("new"));
        let kept = futures_util::future::join_all(claims.map(Claim::keep)).await;

        assert!(kept.iter().all(Result::is_err));
        assert!([1, 2, 3].into_iter().all(|number| deliveries.claim(id(number), HOUR).is_ok()));
        drop(dir);
    }

    #[test]
    fn a_torn_line_is_no_message_and_a_newer_file_is_refused() {
        let (_dir, state) = state();
        let file = state.path().join("deliveries");
        let line = |number| line(id(number)[0], Now { clock: 0, wall: u64::MAX / 2 }.after(0));
        fs::write(&file, format!("{HEAD}{}{}", line(1), &line(2)[..20])).expect("written");
        let deliveries = Times::default().open(Some(&state)).expect("opened");
        assert!(deliveries.claim(id(1), HOUR).is_err() && deliveries.claim(id(2), HOUR).is_ok());

        fs::write(&file, "# format 2\n").expect("written");
        assert!(Times::default().open(Some(&state)).is_err());
    }

    #[test]
    fn nothing_is_forgotten_to_make_room() {
        let times = Times::default();
        let deliveries = times.open(None).expect("opened");
        {
            let mut known = deliveries.known.lock();
            let until = Now { clock: millis(deliveries.clock.now()), wall: 0 }.after(HOUR);
            (0..MOST as u128).for_each(|number| known.add(Id(number.to_be_bytes()), until));
        }

        assert_eq!(deliveries.claim(id(0xff), HOUR).err(), Some(Unclaimed::Full));
        times.pass(HOUR);
        assert!(deliveries.claim(id(0xff), HOUR).is_ok());
    }
}
