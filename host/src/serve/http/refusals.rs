//! Records of callers that were turned away: some of each kind in a minute, and how many more there were. Whoever calls often can't fill the
//! log that others need.

use super::head::Refused;
use crate::audit::{Event, Journal};
use crate::lock::Mutex;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Records of one kind in one [`WINDOW`].
const MOST: u64 = 8;
const WINDOW: Duration = Duration::from_secs(60);

/// Those of one agent.
pub(super) struct Refusals {
    journal: Journal,
    seen: Mutex<BTreeMap<&'static str, Seen>>,
}

struct Seen {
    since: Instant,
    recorded: u64,
    /// Those that have no record, and the last of them.
    more: u64,
    last: (Refused, SocketAddr),
}

impl Refusals {
    pub(super) fn new(journal: Journal) -> Self {
        Self { journal, seen: Mutex::default() }
    }

    /// Records one, or counts it.
    pub(super) fn record(&self, path: &str, refused: Refused, from: SocketAddr) {
        self.record_at(path, refused, from, Instant::now());
    }

    fn record_at(&self, path: &str, refused: Refused, from: SocketAddr, now: Instant) {
        let more = {
            let mut seen = self.seen.lock();
            let fresh = Seen { since: now, recorded: 0, more: 0, last: (refused, from) };
            let seen = seen.entry(refused.why).or_insert(fresh);
            if now.duration_since(seen.since) >= WINDOW {
                (seen.since, seen.recorded) = (now, 0);
            }
            seen.recorded += 1;
            if seen.recorded > MOST {
                (seen.more, seen.last) = (seen.more + 1, (refused, from));
                return;
            }
            std::mem::take(&mut seen.more)
        };
        self.write(path, refused, from, more);
    }

    /// Records how many there were that have no record, at the end.
    pub(super) fn close(&self, path: &str) {
        let seen = std::mem::take(&mut *self.seen.lock());
        for Seen { more, last: (refused, from), .. } in seen.into_values().filter(|seen| seen.more > 0) {
            self.write(path, refused, from, more - 1);
        }
    }

    fn write(&self, path: &str, refused: Refused, from: SocketAddr, more: u64) {
        let (status, reason) = (refused.status.as_u16(), refused.why.into());
        // Nothing was done that could be left undone for want of a record.
        let _ = self.journal.record(Event::CallerRefused { path: path.into(), status, reason, from: from.to_string().into(), more });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{AuditSink, Record};
    use http::StatusCode;
    use std::sync::Arc;

    #[derive(Default)]
    struct Kept(Mutex<Vec<(String, u64)>>);

    impl AuditSink for Kept {
        fn record(&self, records: &[Record<'_>]) -> std::io::Result<()> {
            self.0.lock().extend(records.iter().filter_map(|record| match &record.event {
                Event::CallerRefused { reason, more, .. } => Some((reason.to_string(), *more)),
                _ => None,
            }));
            Ok(())
        }
    }

    #[test]
    fn a_flood_of_callers_is_counted() {
        let kept = Arc::new(Kept::default());
        let refusals = Refusals::new(Journal::new(Some(Arc::clone(&kept) as Arc<dyn AuditSink>), "host".into(), "bot".into()));
        let (from, start) = (SocketAddr::from(([127, 0, 0, 1], 1)), Instant::now());
        let refuse = |why, now| refusals.record_at("/hook", Refused::new(StatusCode::UNAUTHORIZED, why), from, now);

        (0..1_000).for_each(|_| refuse("one", start));
        refuse("other", start);
        assert_eq!(kept.0.lock().len() as u64, MOST + 1);

        refuse("one", start + WINDOW);
        assert_eq!(kept.0.lock().last(), Some(&("one".to_owned(), 1_000 - MOST)));

        (0..MOST + 5).for_each(|_| refuse("one", start + WINDOW));
        refusals.close("/hook");
        let counted: u64 = kept.0.lock().iter().filter(|(why, _)| why == "one").map(|(_, more)| 1 + more).sum();
        assert_eq!(counted, 1_000 + 1 + MOST + 5);
    }
}
