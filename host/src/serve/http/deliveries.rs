//! The messages of services that have begun runs: each begins one. They are remembered in the state directory, across restarts; a host
//! without one remembers them as long as it lives. A message is on the disk before its run begins.
//!
//! Only what a service has signed is remembered, so that nobody else can fill the place.

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
    /// Whose turn it is to write for all that wait.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Known {
    until: HashMap<Id, u64>,
    /// The same, in the order in which they are forgotten.
    order: BTreeSet<(u64, Id)>,
    /// Those that are still to be written.
    waiting: Vec<(Id, u64)>,
    /// Lines in the file.
    lines: usize,
}

/// A message that may begin a run, and no other meanwhile. Dropped before it is kept, it may come again.
pub(super) struct Claim {
    deliveries: Arc<Deliveries>,
    ids: Vec<Id>,
    until: u64,
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
    pub(super) fn open(state: Option<&StateDir>, name: &str, now: u64) -> io::Result<Self> {
        let file = state.map(|state| state.path().join(name));
        let known = file.as_deref().map(|file| Known::read(file, now)).transpose()?.unwrap_or_default();
        if let Some(file) = &file {
            known.write_whole(file)?;
        }
        Ok(Self { known: Mutex::new(known), file, turn: tokio::sync::Mutex::default() })
    }

    /// Takes a message for a run, if none of its names is known.
    pub(super) fn claim(self: &Arc<Self>, ids: Vec<Id>, until: u64, now: u64) -> Result<Claim, Unclaimed> {
        let mut known = self.known.lock();
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
    fn write(&self, file: &Path, batch: &[(Id, u64)]) -> io::Result<()> {
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
    fn read(file: &Path, now: u64) -> io::Result<Self> {
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
        for (id, until) in whole.lines().filter_map(read_line).filter(|(_, until)| *until > now) {
            known.add(id, until);
        }
        known.lines = known.until.len();
        Ok(known)
    }

    fn write_whole(&self, file: &Path) -> io::Result<()> {
        let new = file.with_extension("new");
        let mut text = HEAD.to_owned();
        text.extend(self.order.iter().map(|(until, id)| line(*id, *until)));
        let mut written = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        written.write_all(text.as_bytes())?;
        written.sync_all()?;
        fs::rename(&new, file)?;
        File::open(file.parent().unwrap_or(Path::new(".")))?.sync_all()
    }

    fn add(&mut self, id: Id, until: u64) {
        if let Some(before) = self.until.insert(id, until) {
            self.order.remove(&(before, id));
        }
        self.order.insert((until, id));
    }

    fn remove(&mut self, id: Id) {
        if let Some(until) = self.until.remove(&id) {
            self.order.remove(&(until, id));
        }
        self.waiting.retain(|(waiting, _)| *waiting != id);
    }

    fn forget(&mut self, now: u64) {
        while let Some((until, id)) = self.order.first().copied().filter(|(until, _)| *until <= now) {
            self.order.remove(&(until, id));
            self.until.remove(&id);
        }
    }
}

fn line(id: Id, until: u64) -> String {
    format!("{until} {}\n", text::hex(&id.0))
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

    fn id(number: u8) -> Vec<Id> {
        vec![Id([number; 16])]
    }

    fn state() -> (tempfile::TempDir, StateDir) {
        let dir = tempfile::tempdir().expect("a directory");
        let state = StateDir::open(&dir.path().join("state")).expect("a state directory");
        (dir, state)
    }

    #[tokio::test]
    async fn a_message_is_taken_once_by_this_host_and_the_next() {
        let (_dir, state) = state();
        let open = |now| Arc::new(Deliveries::open(Some(&state), "deliveries", now).expect("opened"));
        let first = open(0);
        let both = vec![id(1)[0], id(2)[0]];
        first.claim(both, 1_000, 0).expect("new").keep().await.expect("kept");
        drop(first.claim(id(3), 1_000, 0).expect("new"));

        assert_eq!(first.claim(id(2), 1_000, 0).err(), Some(Unclaimed::Again));
        let next = open(0);
        assert_eq!(next.claim(id(1), 1_000, 0).err(), Some(Unclaimed::Again));
        assert!(next.claim(id(3), 1_000, 0).is_ok(), "its run had not begun");
        assert!(next.claim(id(1), 2_000, 1_000).is_ok(), "its time is over");
        assert!(open(1_000).claim(id(2), 2_000, 0).is_ok(), "what is over is not read again");
    }

    #[tokio::test]
    async fn what_can_t_be_kept_begins_nothing_and_may_come_again() {
        let (dir, state) = state();
        let deliveries = Arc::new(Deliveries::open(Some(&state), "deliveries", 0).expect("opened"));
        fs::remove_file(state.path().join("deliveries")).expect("removed");

        let claims = [1, 2, 3].map(|number| deliveries.claim(id(number), 1_000, 0).expect("new"));
        let kept = futures_util::future::join_all(claims.map(Claim::keep)).await;

        assert!(kept.iter().all(Result::is_err));
        assert!([1, 2, 3].into_iter().all(|number| deliveries.claim(id(number), 1_000, 0).is_ok()));
        drop(dir);
    }

    #[test]
    fn a_torn_line_is_no_message_and_a_newer_file_is_refused() {
        let (_dir, state) = state();
        let file = state.path().join("deliveries");
        fs::write(&file, format!("{HEAD}{}{}", line(id(1)[0], 9), &line(id(2)[0], 9)[..20])).expect("written");
        let deliveries = Arc::new(Deliveries::open(Some(&state), "deliveries", 0).expect("opened"));
        assert!(deliveries.claim(id(1), 9, 0).is_err() && deliveries.claim(id(2), 9, 0).is_ok());

        fs::write(&file, "# format 2\n").expect("written");
        assert!(Deliveries::open(Some(&state), "deliveries", 0).is_err());
    }

    #[test]
    fn nothing_is_forgotten_to_make_room() {
        let deliveries = Arc::new(Deliveries::open(None, "deliveries", 0).expect("opened"));
        {
            let mut known = deliveries.known.lock();
            (0..MOST as u128).for_each(|number| known.add(Id(number.to_be_bytes()), 1_000));
        }

        assert_eq!(deliveries.claim(id(0xff), 1_000, 0).err(), Some(Unclaimed::Full));
        assert!(deliveries.claim(id(0xff), 2_000, 1_000).is_ok());
    }
}
