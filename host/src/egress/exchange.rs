//! One request and its response, from the permit to the last byte: its counters, and the record of how it ended.

use crate::audit::{Event, Journal, Used};
use crate::meter::{Limit, Meter, Stop};
use crate::policy::Permit;
use crate::secrets::{Fingerprint, InUse};
use crate::session::{Refused, Session};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::OwnedSemaphorePermit;

/// How an exchange ends that nothing else has ended.
const GIVEN_UP: &str = "given up by the agent";

/// Bytes of one exchange.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    sent: AtomicU64,
}

/// An exchange under way. When it is dropped, finished or not, its record is written and its place among the open requests is free.
pub(crate) struct Exchange {
    journal: Arc<Journal>,
    meter: Arc<Meter>,
    number: u64,
    started: Instant,
    counters: Arc<Counters>,
    status: Option<u16>,
    received: u64,
    redacted: u64,
    error: Option<&'static str>,
    /// What was found, where the error is not alone in saying it.
    detail: Option<String>,
    /// What was made of secrets for it.
    made: Vec<Used<'static>>,
    /// Its place among the run's open requests, unless it has been passed on.
    place: Option<OwnedSemaphorePermit>,
    /// The values that the request carries: none is taken back before its answer has ended.
    held: Vec<InUse>,
    /// What lets it go on.
    by: Option<(Arc<Session>, Arc<Permit>)>,
}

impl Counters {
    pub(crate) fn sent(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

impl Exchange {
    pub(crate) fn new(journal: Arc<Journal>, meter: Arc<Meter>, number: u64, place: OwnedSemaphorePermit) -> Self {
        Self {
            journal,
            meter,
            number,
            started: Instant::now(),
            counters: Arc::default(),
            status: None,
            received: 0,
            redacted: 0,
            error: Some(GIVEN_UP),
            detail: None,
            made: Vec::new(),
            place: Some(place),
            held: Vec::new(),
            by: None,
        }
    }

    /// Has it go on only as long as its run's manifests grant it.
    pub(crate) fn let_by(&mut self, session: &Arc<Session>, permit: &Arc<Permit>) {
        self.by = Some((Arc::clone(session), Arc::clone(permit)));
    }

    /// Whether it may go on.
    pub(crate) fn is_let(&mut self) -> Result<(), Refused> {
        let Some((session, permit)) = &self.by else { return Ok(()) };
        let still = session.still_admits(permit);
        if still.is_err() {
            self.failed("its grant was withdrawn");
        }
        still
    }

    pub(crate) fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }

    /// How long it has been under way.
    pub(crate) fn under_way(&self) -> Duration {
        self.started.elapsed()
    }

    pub(crate) fn answered(&mut self, status: u16) {
        self.status = Some(status);
    }

    pub(crate) fn hold(&mut self, values: impl Iterator<Item = InUse>) {
        self.held.extend(values);
    }

    /// Names what a scheme has made of a secret for it.
    pub(crate) fn made(&mut self, secret: &str, fingerprint: Fingerprint) {
        self.made.push(Used::made_of(secret, fingerprint));
    }

    /// Counts a piece of the answer; false where the run has received all it may.
    pub(crate) fn received(&mut self, bytes: usize) -> bool {
        self.received += bytes as u64;
        self.meter.receive(bytes)
    }

    /// Counts a piece of a coded answer; false where the run has received all it may.
    pub(crate) fn received_coded(&self, bytes: usize) -> bool {
        self.meter.receive_coded(bytes)
    }

    pub(crate) fn redacted(&mut self, count: u64) {
        self.redacted += count;
        self.meter.redacted.fetch_add(count, Ordering::Relaxed);
    }

    /// Ends it with the head of its answer, and gives its place to the request that repeats it.
    pub(crate) fn passed_on(&mut self) -> Option<OwnedSemaphorePermit> {
        self.finished();
        self.place.take()
    }

    pub(crate) fn failed(&mut self, why: &'static str) {
        self.error = Some(why);
    }

    /// The same with what was found, which is not the host's own text: scrubbed, and short.
    pub(crate) fn failed_with(&mut self, why: &'static str, found: String) {
        (self.error, self.detail) = (Some(why), Some(found));
    }

    pub(crate) fn finished(&mut self) {
        self.error = None;
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if self.error == Some(GIVEN_UP)
            && let Some(stop) = self.meter.stop_reason()
        {
            self.error = Some(cut_off(stop));
        }
        self.journal.note(Event::Answer {
            request: self.number,
            status: self.status,
            sent: self.counters.sent.load(Ordering::Relaxed),
            received: self.received,
            redacted: self.redacted,
            millis: u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
            error: self.error.map(Into::into),
            detail: self.detail.take().map(Into::into),
            made: std::mem::take(&mut self.made),
        });
    }
}

/// How an exchange ends that ends with its run.
fn cut_off(stop: &Stop) -> &'static str {
    match stop {
        Stop::Limit(Limit::Sent) => "limits.sent was reached",
        Stop::Limit(Limit::Received) => "limits.received was reached",
        _ => "the run was ended",
    }
}
