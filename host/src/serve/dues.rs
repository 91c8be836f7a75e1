//! When the agents of a host were last due, by the time of their schedule: a file in the state directory, so that a host which starts anew goes on
//! where it was. A time is on the disk before its run begins: a crash never has one time begin two runs.

use crate::lock::Mutex;
use crate::register::Register;
use crate::state::StateDir;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

const HEAD: &str = "When each agent was last due by its schedule, in milliseconds since 1970-01-01T00:00:00Z.\n\
                    The host writes this file. Without a line, an agent's schedule begins anew.";

/// The file, and what is to be written to it.
#[derive(Clone)]
pub(super) struct Dues(Option<Arc<Kept>>);

struct Kept {
    register: Register,
    waiting: Mutex<BTreeMap<String, u64>>,
    /// Whose turn it is to write for all that wait.
    turn: tokio::sync::Mutex<()>,
}

impl Dues {
    /// Those of a host. One without state remembers nothing.
    pub(super) fn of(state: Option<&StateDir>) -> Self {
        let kept = |state| Kept {
            register: Register::new(state, "schedules", HEAD),
            waiting: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
        };
        Self(state.map(|state| Arc::new(kept(state))))
    }

    /// When an agent was last due.
    ///
    /// # Errors
    /// That of the operating system, or that the file is a newer host's.
    pub(super) fn last(&self, agent: &str) -> io::Result<Option<u64>> {
        let Some(kept) = &self.0 else { return Ok(None) };
        kept.register.with(|lines| lines.iter().find_map(|line| due(line, agent)))
    }

    /// Keeps when an agent was due. Once this returns it is on the disk. Whoever comes meanwhile is written together.
    ///
    /// # Errors
    /// As [`Dues::last`]; nothing was kept then.
    pub(super) async fn keep(&self, agent: &str, due: u64) -> io::Result<()> {
        let Some(kept) = &self.0 else { return Ok(()) };
        kept.waiting.lock().insert(agent.to_owned(), due);
        let _turn = kept.turn.lock().await;
        let batch = std::mem::take(&mut *kept.waiting.lock());
        // Somebody else has written it.
        if !batch.contains_key(agent) {
            let mut waiting = kept.waiting.lock();
            for (agent, due) in batch {
                waiting.entry(agent).or_insert(due);
            }
            return Ok(());
        }
        let written = tokio::task::spawn_blocking({
            let (kept, batch) = (Arc::clone(kept), batch.clone());
            move || kept.write(&batch)
        });
        let written = written.await.unwrap_or_else(|_| Err(io::Error::other("the thread that writes has failed")));
        if written.is_err() {
            // They all find it here again, and say so for themselves.
            let mut waiting = kept.waiting.lock();
            for (agent, due) in batch {
                waiting.entry(agent).or_insert(due);
            }
            waiting.remove(agent);
        }
        written
    }
}

impl Kept {
    fn write(&self, batch: &BTreeMap<String, u64>) -> io::Result<()> {
        self.register.change(|lines| {
            lines.retain(|line| !line.split_once(' ').is_some_and(|(agent, _)| batch.contains_key(agent)));
            lines.extend(batch.iter().map(|(agent, due)| format!("{agent} {due}")));
        })
    }
}

fn due(line: &str, of: &str) -> Option<u64> {
    let (agent, due) = line.split_once(' ')?;
    if agent == of { due.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_due_is_known_to_the_next_host() {
        let dir = tempfile::tempdir().expect("a directory");
        let state = StateDir::open(&dir.path().join("state")).expect("a state directory");
        let dues = Dues::of(Some(&state));

        let all = (0..20).map(|at| (format!("agent-{}", at % 10), 1_000 + at)).collect::<Vec<_>>();
        let kept = futures_util::future::join_all(all.iter().map(|(agent, due)| dues.keep(agent, *due))).await;

        assert!(kept.iter().all(Result::is_ok));
        let next = Dues::of(Some(&state));
        assert_eq!(next.last("agent-3").expect("read"), Some(1_013));
        assert_eq!(next.last("agent-33").expect("read"), None);
        assert_eq!(Dues::of(None).last("agent-3").expect("nothing to read"), None);
    }

    #[tokio::test]
    async fn each_that_is_not_kept_is_told_so() {
        let dir = tempfile::tempdir().expect("a directory");
        let state = StateDir::open(&dir.path().join("state")).expect("a state directory");
        std::fs::write(state.path().join("schedules"), "# format 2\n").expect("a newer host's");
        let dues = Dues::of(Some(&state));

        // The first writes while the others come; the second writes for the third too.
        let (one, other, third) = tokio::join!(dues.keep("one", 1), dues.keep("other", 2), dues.keep("third", 3));

        assert!(one.is_err() && other.is_err() && third.is_err() && dues.last("one").is_err());
    }
}
