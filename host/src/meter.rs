//! What a run has used, its bounds, and whether it has to stop.

use crate::manifest::Limits;
use crate::policy::Denial;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::Notify;

/// A bound of a run that was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Limit {
    /// `limits.memory`, or a bound on tables and instances.
    Memory,
    /// `limits.cpu`.
    Cpu,
    /// `limits.wall`.
    Wall,
    /// `limits.output`.
    Output,
    /// `limits.sent`.
    Sent,
    /// `limits.received`.
    Received,
    /// `limits.records`.
    Records,
    /// 1,000 denials in one run.
    Denials,
}

/// What a run used.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Usage {
    /// Most bytes of linear memory at once.
    pub memory: u64,
    /// Milliseconds in which guest instructions ran, counted in ticks of 10 ms.
    pub cpu_millis: u64,
    /// Milliseconds from the first guest instruction to the end.
    pub wall_millis: u64,
    /// Bytes of stdout, stderr and log, and of what was written to its state.
    pub output: u64,
    /// Requests that left.
    pub requests: u64,
    /// Bytes of their bodies.
    pub sent: u64,
    /// Bytes of their answers' bodies, after decompression.
    pub received: u64,
    /// Values taken out of answers and output.
    pub redacted: u64,
    /// Effects denied.
    pub denials: u64,
    /// How often rules found something in what the agent got and gave, by the name of the rule: of 32 rules at most, the rest as `others`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub findings: BTreeMap<String, u64>,
    /// Keys of its state that were looked at.
    #[serde(default, skip_serializing_if = "is_none")]
    pub state_reads: u64,
    /// Keys of its state that were written or deleted, or that were to be.
    #[serde(default, skip_serializing_if = "is_none")]
    pub state_writes: u64,
}

fn is_none(count: &u64) -> bool {
    *count == 0
}

/// Why a run is being stopped from outside the guest.
#[derive(Debug, Clone)]
pub(crate) enum Stop {
    Limit(Limit),
    Denied(Denial),
    AuditFailed,
    /// The ledger can't be written: its place, and why.
    LedgerFailed(String),
}

/// The counters of one run. Cheap to update from any task of it.
#[derive(Debug)]
pub(crate) struct Meter {
    pub(crate) limits: Limits,
    pub(crate) output: AtomicU64,
    pub(crate) sent: AtomicU64,
    pub(crate) received: AtomicU64,
    pub(crate) redacted: AtomicU64,
    pub(crate) requests: AtomicU64,
    pub(crate) state_reads: AtomicU64,
    pub(crate) state_writes: AtomicU64,
    heads: AtomicU64,
    coded: AtomicU64,
    stop: OnceLock<Stop>,
    stopped: Notify,
}

/// Denials after which a run ends.
pub const MAX_DENIALS: u64 = 1_000;

impl Limit {
    /// The limit's name in the manifest.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Cpu => "cpu",
            Self::Wall => "wall",
            Self::Output => "output",
            Self::Sent => "sent",
            Self::Received => "received",
            Self::Records => "records",
            Self::Denials => "denials",
        }
    }
}

impl Meter {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            output: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
            redacted: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            state_reads: AtomicU64::new(0),
            state_writes: AtomicU64::new(0),
            heads: AtomicU64::new(0),
            coded: AtomicU64::new(0),
            stop: OnceLock::new(),
            stopped: Notify::new(),
        }
    }

    /// Ends the run at the next point where it can be; the first reason stands.
    pub(crate) fn stop(&self, why: Stop) {
        let _ = self.stop.set(why);
        self.stopped.notify_one();
    }

    /// Waits until the run is to stop.
    pub(crate) async fn stopped(&self) {
        while self.stop.get().is_none() {
            self.stopped.notified().await;
        }
    }

    /// Whether the run is to stop: nothing of it may have an effect any more.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.get().is_some()
    }

    pub(crate) fn stop_reason(&self) -> Option<&Stop> {
        self.stop.get()
    }

    /// Counts output; past the limit the run stops. Returns whether the run may go on.
    pub(crate) fn write(&self, bytes: usize) -> bool {
        self.count(&self.output, bytes, self.limits.output, Limit::Output)
    }

    /// Counts bytes of a request's body; past the limit the run stops. Returns whether the run may go on.
    pub(crate) fn send(&self, bytes: usize) -> bool {
        self.count(&self.sent, bytes, self.limits.sent, Limit::Sent)
    }

    /// Counts bytes of URLs and headers, which a guest could upload in as well, against the same limit.
    pub(crate) fn send_head(&self, bytes: usize) -> bool {
        self.count(&self.heads, bytes, self.limits.sent, Limit::Sent)
    }

    /// Counts bytes of an answer's body before they are decoded, against the same limit: a coding may decode to nothing.
    pub(crate) fn receive_coded(&self, bytes: usize) -> bool {
        self.count(&self.coded, bytes, self.limits.received, Limit::Received)
    }

    /// Counts bytes of an answer's body; past the limit the run stops. Returns whether the run may go on.
    pub(crate) fn receive(&self, bytes: usize) -> bool {
        self.count(&self.received, bytes, self.limits.received, Limit::Received)
    }

    fn count(&self, counter: &AtomicU64, bytes: usize, limit: u64, which: Limit) -> bool {
        let within = counter.fetch_add(bytes as u64, Ordering::Relaxed) + bytes as u64 <= limit;
        if !within {
            self.stop(Stop::Limit(which));
        }
        within && !self.is_stopped()
    }
}
