//! One run's side of the audit log: stamps records, coalesces denials, and remembers whether the log has failed.

use super::{AuditSink, Event, Record};
use crate::policy::{Denial, Rule};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Different denials recorded one by one; whatever comes after is counted under its rule alone.
const DISTINCT: usize = 64;
/// Records of answers that may wait for the next record.
const WAITING: usize = 16;

/// Writes the records of one run.
pub(crate) struct Journal {
    sink: Option<Arc<dyn AuditSink>>,
    run: String,
    agent: String,
    denials: Mutex<BTreeMap<(Rule, String), u64>>,
    denied: AtomicU64,
    waiting: Mutex<Vec<(jiff::Timestamp, Event<'static>)>>,
    failed: AtomicBool,
}

impl Journal {
    /// A journal for one run; without a sink nothing is recorded.
    pub(crate) fn new(sink: Option<Arc<dyn AuditSink>>, run: String, agent: String) -> Self {
        Self {
            sink,
            run,
            agent,
            denials: Mutex::default(),
            denied: AtomicU64::new(0),
            waiting: Mutex::default(),
            failed: AtomicBool::new(false),
        }
    }

    /// Hands a record to the operating system, after those that wait. No record, no effect: callers give up on an error.
    pub(crate) fn record(&self, event: Event<'_>) -> io::Result<()> {
        self.hand_over(Some(event))
    }

    fn hand_over(&self, event: Option<Event<'_>>) -> io::Result<()> {
        let Some(sink) = &self.sink else { return Ok(()) };
        let waiting = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        let stamped = |(time, event)| Record { time: stamp(time), run: &self.run, agent: &self.agent, event };
        let now = event.map(|event| (jiff::Timestamp::now(), event));
        let records: Vec<Record<'_>> = waiting.into_iter().chain(now).map(stamped).collect();
        if records.is_empty() {
            return Ok(());
        }
        let written = sink.record(&records);
        if let Err(error) = &written {
            self.failed.store(true, Ordering::Relaxed);
            tracing::error!(%error, "the audit log can't be written");
        }
        written
    }

    /// Keeps a record of what has happened already for the next that is handed over, so that both take one write.
    pub(crate) fn note(&self, event: Event<'static>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < WAITING && self.sink.is_some() {
            waiting.push((jiff::Timestamp::now(), event));
            return;
        }
        drop(waiting);
        let _ = self.record(event);
    }

    /// Records a denial, or counts it where one of its kind was recorded. Returns how many denials the run has had.
    pub(crate) fn denial(&self, denial: &Denial) -> u64 {
        let mut denials = self.denials.lock().unwrap_or_else(PoisonError::into_inner);
        let mut key = (denial.rule, denial.asked.clone());
        if denials.len() >= DISTINCT && !denials.contains_key(&key) {
            key.1 = "others".to_owned();
        }
        let first = !denials.contains_key(&key);
        *denials.entry(key).or_insert(0) += 1;
        drop(denials);
        if first {
            tracing::warn!("agent {}: {denial}", self.agent);
            let Denial { rule, asked, reason, remedy, .. } = denial;
            // A denial has no effect that could be refused for want of its record.
            let _ = self.record(Event::Denial { rule: rule.as_str(), asked, reason, remedy });
        }
        self.denied.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Records how often denials came again. Call once, at the end of the run.
    pub(crate) fn close_denials(&self) {
        let denials = std::mem::take(&mut *self.denials.lock().unwrap_or_else(PoisonError::into_inner));
        for ((rule, asked), count) in denials.into_iter().filter(|(_, count)| *count > 1) {
            let _ = self.record(Event::DenialsRepeated { rule: rule.as_str(), asked: &asked, count: count - 1 });
        }
    }

    pub(crate) fn denied(&self) -> u64 {
        self.denied.load(Ordering::Relaxed)
    }

    /// Whether a record could not be written.
    pub(crate) fn failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    pub(crate) fn run(&self) -> &str {
        &self.run
    }
}

/// RFC 3339, UTC, to the millisecond. The part down to the second is formatted once a second.
fn stamp(time: jiff::Timestamp) -> String {
    thread_local! {
        static SECOND: RefCell<(i64, String)> = const { RefCell::new((i64::MIN, String::new())) };
    }
    SECOND.with_borrow_mut(|(second, text)| {
        if *second != time.as_second() {
            *second = time.as_second();
            *text = time.strftime("%Y-%m-%dT%H:%M:%S").to_string();
        }
        format!("{text}.{:03}Z", time.subsec_millisecond())
    })
}

impl Drop for Journal {
    /// Requests that were given up with the run end a little after it; their records are the last.
    fn drop(&mut self) {
        let _ = self.hand_over(None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_rfc_3339_with_milliseconds() {
        for (nanos, text) in
            [(0, "1970-01-01T00:00:00.000Z"), (7_000_000, "1970-01-01T00:00:00.007Z"), (1_999_999_999, "1970-01-01T00:00:01.999Z")]
        {
            assert_eq!(stamp(jiff::Timestamp::from_nanosecond(nanos).expect("in range")), text);
        }
    }
}
