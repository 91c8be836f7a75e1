//! Requests of those who have no role: some in a minute have a record, and few of one asker, with how many more there were. Nobody fills the log that
//! others need, and one who asks often does not hide the others.

use crate::audit::Event;
use crate::lock::Mutex;
use crate::serve::Supervisor;
use http::StatusCode;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Records in one [`WINDOW`] of those at the socket, and as many of those at the address.
const MOST: u64 = 8;
/// Those of one user, or one address.
const EACH: u64 = 2;
const WINDOW: Duration = Duration::from_secs(60);

/// Those of an interface, by how they were turned away.
#[derive(Default)]
pub(super) struct Unproved(Mutex<BTreeMap<u16, Seen>>);

struct Seen {
    since: Instant,
    recorded: u64,
    /// Who has records of the window: [`MOST`] at most.
    by: BTreeMap<String, u64>,
    /// Those that have no record, and the last of them.
    more: u64,
    last: String,
}

impl Unproved {
    /// Whether one has a record; and how many there were without one.
    fn take(&self, status: StatusCode, from: &str, now: Instant) -> Option<u64> {
        let mut seen = self.0.lock();
        let fresh = || Seen { since: now, recorded: 0, by: BTreeMap::new(), more: 0, last: String::new() };
        let seen = seen.entry(status.as_u16()).or_insert_with(fresh);
        if now.duration_since(seen.since) >= WINDOW {
            (seen.since, seen.recorded, seen.by) = (now, 0, BTreeMap::new());
        }
        let own = seen.by.get(from).copied().unwrap_or(0);
        if seen.recorded >= MOST || own >= EACH {
            (seen.more, seen.last) = (seen.more + 1, from.to_owned());
            return None;
        }
        seen.recorded += 1;
        seen.by.insert(from.to_owned(), own + 1);
        Some(std::mem::take(&mut seen.more))
    }

    /// Those that have no record, by how they were turned away: the last of each, and how many there were before it.
    fn rest(&self) -> Vec<(u16, String, u64)> {
        let seen = std::mem::take(&mut *self.0.lock());
        let uncounted = seen.into_iter().filter(|(_, seen)| seen.more > 0);
        uncounted.map(|(status, seen)| (status, seen.last, seen.more - 1)).collect()
    }

    /// Records one, or counts it. It is turned away in any case.
    pub(super) fn record(&self, supervisor: &Supervisor, status: StatusCode, from: &str) {
        if let Some(more) = self.take(status, from, Instant::now()) {
            write(supervisor, status.as_u16(), from, more);
        }
    }

    /// Records how many there were that have no record, at the end.
    pub(super) fn close(&self, supervisor: &Supervisor) {
        self.rest().into_iter().for_each(|(status, from, more)| write(supervisor, status, &from, more));
    }
}

fn write(supervisor: &Supervisor, status: u16, from: &str, more: u64) {
    let event = Event::OperatorRefused { status, from: from.into(), more };
    if let Err(error) = supervisor.host().journal("").record(event) {
        tracing::warn!("somebody without a role was turned away, and the audit log can't be written ({error})");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_counted_and_hides_neither_others_nor_those_at_the_socket() {
        let (unproved, began) = (Unproved::default(), Instant::now());
        let remote = |from: &str, now| unproved.take(StatusCode::UNAUTHORIZED, from, now);

        let flood = (0..1_000).filter(|_| remote("192.0.2.1", began).is_some()).count() as u64;
        assert_eq!(flood, EACH);
        assert_eq!([remote("192.0.2.2", began), remote("192.0.2.2", began)], [Some(1_000 - EACH), Some(0)]);
        let many = (3..100).filter(|last| remote(&format!("192.0.2.{last}"), began).is_some()).count() as u64;
        assert_eq!(many, MOST - 2 * EACH);
        assert_eq!(unproved.take(StatusCode::FORBIDDEN, "user 70001", began), Some(0));

        assert_eq!(remote("192.0.2.1", began + WINDOW), Some(97 - many));
        assert!(unproved.rest().is_empty(), "all of them are counted");
        let again = (0..EACH + 5).filter(|_| remote("192.0.2.9", began + WINDOW).is_some()).count() as u64;
        assert_eq!(again, EACH);
        assert_eq!(unproved.rest(), [(401, "192.0.2.9".to_owned(), 4)]);
        assert!(unproved.rest().is_empty());
    }
}
