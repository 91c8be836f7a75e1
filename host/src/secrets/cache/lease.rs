//! What a backend has lent: renewed while somebody uses it, given back when nobody does any more.

use super::{Common, PATIENCE};
use crate::lock::Mutex;
use crate::secrets::backends::{BackendError, Configured, Lease};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// A lease, given back when it is dropped.
pub(in crate::secrets) struct Lent {
    lease: Mutex<Lease>,
    /// How long it was to live when it was made.
    whole: Duration,
    from: Configured,
    common: Arc<Common>,
    /// Who waits for it to be given back, from the start: requests may hold it longer than the run.
    awaited: Option<[TaskTrackerToken; 2]>,
    /// Where it is given back: what was lent may be dropped anywhere.
    runtime: tokio::runtime::Handle,
}

/// What came of asking for a lease to be prolonged.
pub(super) enum Renewal {
    Prolonged,
    /// The backend did not answer; the lease may still be good for the rest of its time.
    Failed(BackendError),
    /// It is not renewed: what was lent has to be fetched again.
    Over,
}

impl Lent {
    pub(in crate::secrets) fn new(lease: Lease, from: &Configured, common: &Arc<Common>, run: &TaskTracker) -> Self {
        common.counts.leased.fetch_add(1, Ordering::Relaxed);
        Self {
            whole: lease.ttl,
            lease: Mutex::new(lease),
            from: from.clone(),
            common: Arc::clone(common),
            awaited: Some([run.token(), common.returning.token()]),
            runtime: tokio::runtime::Handle::current(),
        }
    }

    pub(super) fn now(&self) -> Lease {
        self.lease.lock().clone()
    }

    pub(super) fn ttl(&self) -> Duration {
        self.lease.lock().ttl
    }

    /// Asks the backend to prolong it.
    pub(super) async fn renew(&self) -> Renewal {
        let Some(leases) = self.from.backend.leases() else { return Renewal::Over };
        let before = self.now();
        if !before.renewable {
            return Renewal::Over;
        }
        match tokio::time::timeout(PATIENCE, leases.renew(&before)).await {
            Ok(Ok(renewed)) => self.take(renewed),
            Ok(Err(error @ BackendError::Unavailable(_))) => Renewal::Failed(error),
            Ok(Err(_)) => Renewal::Over,
            Err(_) => Renewal::Failed(self.from.silent()),
        }
    }

    /// Takes a renewal over, unless it is the very end, where a lease is prolonged by little: then it is time for a new one.
    fn take(&self, renewed: Lease) -> Renewal {
        if renewed.ttl < self.whole / 2 {
            return Renewal::Over;
        }
        *self.lease.lock() = renewed;
        self.common.counts.renewed.fetch_add(1, Ordering::Relaxed);
        Renewal::Prolonged
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let (lease, from, common) = (self.now(), self.from.clone(), Arc::clone(&self.common));
        let awaited = self.awaited.take();
        let give_back = async move {
            let Some(leases) = from.backend.leases() else { return };
            match tokio::time::timeout(PATIENCE, leases.revoke(&lease)).await {
                Ok(Ok(())) => drop(common.counts.returned.fetch_add(1, Ordering::Relaxed)),
                Ok(Err(error)) => tracing::warn!(backend = from.name, %error, "a lease could not be revoked; it expires by itself"),
                Err(_) => tracing::warn!(backend = from.name, "a lease could not be revoked in time; it expires by itself"),
            }
            drop(awaited);
        };
        self.runtime.spawn(give_back);
    }
}
