//! One run's side of the audit log: stamps records, coalesces denials, and remembers whether the log has failed.

use super::{AuditSink, Event, Record, Text};
use crate::lock::Mutex;
use crate::meter::{Limit, Meter, Stop};
use crate::policy::{Denial, Rule};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Different denials recorded one by one; whatever comes after is counted under its rule alone.
const DISTINCT: usize = 64;
/// Records of answers that may wait for the next record.
const WAITING: usize = 16;
/// Requests that failed in one way and are recorded one by one; further ones are counted.
const FAILURES: u64 = 64;
/// Most characters of a denial's reason and remedy in the log: a guest chooses the path and the headers that they name.
const MAX_TEXT: usize = 4_096;

/// What is said of a denial: those that say the same are one record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Said {
    rule: Rule,
    asked: String,
    reason: String,
    remedy: String,
}

impl Said {
    fn of(denial: &Denial) -> Self {
        let Denial { rule, asked, reason, remedy, .. } = denial;
        Self { rule: *rule, asked: asked.clone(), reason: cut(reason).to_owned(), remedy: cut(remedy).to_owned() }
    }

    /// All others of a rule, once there are enough that differ: an agent chooses what its requests name.
    fn others(rule: Rule) -> Self {
        Self { rule, asked: "others".to_owned(), reason: String::new(), remedy: String::new() }
    }
}

/// Requests that failed in one way.
#[derive(Debug, Clone, Copy, Default)]
struct Failures {
    all: u64,
    /// Those of them that have no record of their own, and the bytes of their bodies and responses.
    counted: u64,
    sent: u64,
    received: u64,
}

/// Writes the records of one run.
pub(crate) struct Journal {
    sink: Option<Arc<dyn AuditSink>>,
    run: String,
    agent: String,
    denials: Mutex<BTreeMap<Said, u64>>,
    denied: AtomicU64,
    failures: Mutex<BTreeMap<Text<'static>, Failures>>,
    /// The records so far, and what bounds them.
    records: AtomicU64,
    meter: Option<Arc<Meter>>,
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
            failures: Mutex::default(),
            records: AtomicU64::new(0),
            meter: None,
            waiting: Mutex::default(),
            failed: AtomicBool::new(false),
        }
    }

    /// The same for a run that may cause only as many records as its limits say.
    pub(crate) fn bounded(mut self, meter: &Arc<Meter>) -> Self {
        self.meter = Some(Arc::clone(meter));
        self
    }

    /// Hands a record to the operating system, after those that wait. No record, no effect: callers give up on an error.
    ///
    /// # Errors
    /// That of the log, or that the run has caused as many records as it may: then it is being stopped.
    pub(crate) fn record(&self, event: Event<'_>) -> io::Result<()> {
        if !self.count(event.weight()) {
            return Err(io::Error::new(io::ErrorKind::QuotaExceeded, "the run has written as many records as `limits.records` allows"));
        }
        self.hand_over(Some(event))
    }

    /// Counts a record; past the limit the run stops. Returns whether there is room for it.
    fn count(&self, weight: u64) -> bool {
        let Some(meter) = &self.meter else { return true };
        let within = self.records.fetch_add(weight, Ordering::Relaxed) < meter.limits.records;
        if !within {
            meter.stop(Stop::Limit(Limit::Records));
        }
        within
    }

    fn hand_over(&self, event: Option<Event<'_>>) -> io::Result<()> {
        let Some(sink) = &self.sink else { return Ok(()) };
        let waiting = std::mem::take(&mut *self.waiting.lock());
        let stamped = |(time, event)| Record { time: stamp(time), run: (&self.run).into(), agent: (&self.agent).into(), event };
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
        if self.is_counted(&event) {
            return;
        }
        // Not refused past the limit: its request has a record, and as many of them are left as are open.
        self.count(1);
        let mut waiting = self.waiting.lock();
        if waiting.len() < WAITING && self.sink.is_some() {
            waiting.push((jiff::Timestamp::now(), event));
            return;
        }
        drop(waiting);
        let _ = self.hand_over(Some(event));
    }

    /// Whether a request failed in a way that was recorded often enough: then it is counted instead.
    fn is_counted(&self, event: &Event<'static>) -> bool {
        let Event::Answer { error: Some(error), sent, received, .. } = event else { return false };
        let mut failures = self.failures.lock();
        let failures = failures.entry(error.clone()).or_default();
        failures.all += 1;
        let counted = failures.all > FAILURES;
        if counted {
            failures.counted += 1;
            failures.sent += sent;
            failures.received += received;
        }
        counted
    }

    /// Records how often requests failed that have no record of their own.
    fn close_failures(&self) {
        let mut failures = self.failures.lock();
        for (error, failures) in failures.iter_mut().filter(|(_, failures)| failures.counted > 0) {
            let Failures { all, counted: count, sent, received } = *failures;
            *failures = Failures { all, ..Failures::default() };
            let _ = self.hand_over(Some(Event::FailuresRepeated { error: (&**error).into(), count, sent, received }));
        }
    }

    /// Records a denial, or counts it where one of its kind was recorded. Returns how many denials the run has had.
    pub(crate) fn denial(&self, denial: &Denial) -> u64 {
        let mut denials = self.denials.lock();
        let mut said = Said::of(denial);
        if denials.len() >= DISTINCT && !denials.contains_key(&said) {
            said = Said::others(denial.rule);
        }
        let count = denials.entry(said).or_insert(0);
        *count += 1;
        let first = *count == 1;
        drop(denials);
        if first {
            tracing::warn!("agent {}, run {}: {}", self.agent, self.run, cut(&denial.to_string()));
            let Said { rule, asked, reason, remedy } = Said::of(denial);
            // A denial has no effect that could be refused for want of its record.
            let _ = self.record(Event::Denial {
                rule: rule.as_str().into(),
                asked: asked.into(),
                reason: reason.into(),
                remedy: remedy.into(),
            });
        }
        self.denied.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Records what was counted, and the end of the run. It has its record however many there are.
    pub(crate) fn close(&self, end: Event<'_>) {
        self.close_denials();
        self.close_failures();
        let _ = self.hand_over(Some(end));
    }

    /// Records how often denials came again.
    fn close_denials(&self) {
        let denials = std::mem::take(&mut *self.denials.lock());
        for (Said { rule, asked, reason, .. }, count) in denials.into_iter().filter(|(_, count)| *count > 1) {
            let (rule, asked, reason) = (rule.as_str().into(), asked.into(), reason.into());
            let _ = self.hand_over(Some(Event::DenialsRepeated { rule, asked, reason, count: count - 1 }));
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

/// The beginning of a text, as far as the log takes it.
fn cut(text: &str) -> &str {
    text.char_indices().nth(MAX_TEXT).map_or(text, |(end, _)| &text[..end])
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
    /// Where the host gave a run up midway, its requests end a little after it; their records are the last.
    fn drop(&mut self) {
        self.close_failures();
        let _ = self.hand_over(None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Limits;

    /// Keeps records as text.
    #[derive(Default)]
    struct Kept(Mutex<Vec<serde_json::Value>>);

    impl AuditSink for Kept {
        fn record(&self, records: &[Record<'_>]) -> io::Result<()> {
            let records = records.iter().map(|record| serde_json::to_value(record).expect("a record"));
            self.0.lock().extend(records);
            Ok(())
        }
    }

    impl Kept {
        fn of(&self, event: &str) -> Vec<serde_json::Value> {
            self.0.lock().iter().filter(|record| record["event"] == event).cloned().collect()
        }
    }

    fn journal(records: u64) -> (Journal, Arc<Kept>, Arc<Meter>) {
        let (kept, meter) = (Arc::new(Kept::default()), Arc::new(Meter::new(Limits::default().with(|new| new.records = records))));
        let sink: Arc<dyn AuditSink> = Arc::clone(&kept) as _;
        (Journal::new(Some(sink), "run".into(), "agent".into()).bounded(&meter), kept, meter)
    }

    fn answer(request: u64, error: Option<&'static str>) -> Event<'static> {
        Event::Answer {
            request,
            status: None,
            sent: 10,
            received: 1,
            redacted: 0,
            millis: 0,
            error: error.map(Into::into),
            detail: None,
            made: Vec::new(),
        }
    }

    fn end() -> Event<'static> {
        Event::RunEnd { outcome: "exit 0".into(), usage: crate::meter::Usage::default() }
    }

    #[test]
    fn failures_are_recorded_a_few_times_and_counted_then() {
        let (journal, kept, _) = journal(1_000_000);

        for request in 0..10_000 {
            journal.note(answer(request, Some("the connection was refused")));
            journal.note(answer(request, Some("given up by the agent")));
        }
        journal.close(end());
        journal.note(answer(1, Some("given up by the agent")));
        drop(journal);

        assert_eq!(kept.of("answer").len() as u64, 2 * FAILURES);
        let repeated: Vec<u64> = kept.of("failures-repeated").iter().map(|record| record["count"].as_u64().expect("a number")).collect();
        assert_eq!(repeated, [10_000 - FAILURES, 10_000 - FAILURES, 1], "those at the very end too");
        assert_eq!(kept.of("failures-repeated")[0]["sent"], 10 * (10_000 - FAILURES));
    }

    #[test]
    fn answers_in_order_keep_a_record_each() {
        let (journal, kept, _) = journal(1_000_000);

        (0..200).for_each(|request| journal.note(answer(request, None)));
        drop(journal);

        assert_eq!(kept.of("answer").len(), 200);
    }

    #[test]
    fn a_run_ends_at_its_last_record_and_its_end_is_recorded_all_the_same() {
        let (journal, kept, meter) = journal(3);
        let opened = |journal: &Journal| journal.record(Event::InertPlaceholder { request: 1, secret: "KEY".into() });

        assert!((0..3).all(|_| opened(&journal).is_ok()) && !meter.is_stopped());
        assert_eq!(opened(&journal).expect_err("one too many").kind(), io::ErrorKind::QuotaExceeded);
        assert!(matches!(meter.stop_reason(), Some(Stop::Limit(Limit::Records))));
        journal.note(answer(1, None));
        journal.close(end());

        assert!(!journal.failed(), "the log itself is fine");
        assert_eq!([kept.of("inert-placeholder").len(), kept.of("answer").len(), kept.of("run-end").len()], [3, 1, 1]);
    }

    #[test]
    fn a_long_record_counts_for_each_kibibyte() {
        let (journal, kept, meter) = journal(20);
        let what: Vec<String> = (0..10).map(|_| "x".repeat(1_024)).collect();
        let signed = |journal: &Journal| {
            let (spends, left) = (&[][..], &[][..]);
            journal.record(Event::Signed {
                signer: "w".into(),
                key: "0x".into(),
                what: (&what).into(),
                spends: spends.into(),
                left: left.into(),
                digest: "".into(),
                again: false,
            })
        };

        assert!(signed(&journal).is_ok() && signed(&journal).is_ok());
        assert!(signed(&journal).is_err() && meter.is_stopped());
        assert_eq!(kept.of("signed").len(), 2);
    }

    /// A denial of one rule and request, for this reason.
    fn denial(reason: &str) -> Denial {
        crate::policy::refused::undecodable("sign typed data", reason)
    }

    #[test]
    fn denials_of_one_request_are_one_record_as_long_as_they_say_the_same() {
        let (journal, kept, _) = journal(1_000);

        for reason in ["one", "another", "one", "one"] {
            journal.denial(&denial(reason));
        }
        journal.close(end());

        let said = |event: &str| kept.of(event).iter().map(|record| record["reason"].to_string()).collect::<Vec<_>>();
        assert_eq!(said("denial"), ["\"one\"", "\"another\""]);
        assert_eq!((said("denials-repeated"), &kept.of("denials-repeated")[0]["count"]), (vec!["\"one\"".to_owned()], &2.into()));
    }

    #[test]
    fn reasons_that_an_agent_makes_up_are_counted_under_their_rule_past_a_bound() {
        let (journal, kept, _) = journal(1_000_000);

        (0..10_000).for_each(|number| _ = journal.denial(&denial(&number.to_string())));
        journal.close(end());

        assert_eq!(kept.of("denial").len(), DISTINCT + 1);
        assert_eq!(kept.of("denials-repeated")[0]["count"], 10_000 - DISTINCT as u64 - 1);
        assert_eq!(journal.denied(), 10_000);
    }

    #[test]
    fn a_denial_that_quotes_a_long_path_is_cut() {
        let (journal, kept, _) = journal(10);
        let long = "x".repeat(100_000);
        let denial = crate::policy::refused::wrong_use("wallet", "GET");
        journal.denial(&denial.with_texts(|text| if text == "GET" { text } else { long.clone() }));

        let record = &kept.of("denial")[0];
        assert!(record.to_string().len() < 3 * MAX_TEXT, "{}", record.to_string().len());
    }

    #[test]
    fn stamps_are_rfc_3339_with_milliseconds() {
        for (nanos, text) in
            [(0, "1970-01-01T00:00:00.000Z"), (7_000_000, "1970-01-01T00:00:00.007Z"), (1_999_999_999, "1970-01-01T00:00:01.999Z")]
        {
            assert_eq!(stamp(jiff::Timestamp::from_nanosecond(nanos).expect("in range")), text);
        }
    }
}
