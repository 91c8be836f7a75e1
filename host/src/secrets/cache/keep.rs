//! The task that looks after a slot: asks again before a value's time is over, as long as somebody uses it; then forgets it.

use super::slot::Slot;
use crate::lock::Mutex;
use crate::secrets::backends::{Lease, SecretBackend};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

/// Least time between two looks at what a backend gave.
const LEAST_WAIT: Duration = Duration::from_millis(50);

/// Who looks after a slot, where there is something to look after. Dropped with the slot.
#[derive(Default)]
pub(super) struct Keeper {
    task: Mutex<Option<JoinHandle<()>>>,
    woken: Arc<Notify>,
}

/// What there is to do next.
pub(super) struct Due {
    /// How long until then.
    pub(super) wait: Duration,
    /// What may end before its time, with the login that it was made under.
    pub(super) lease: Option<Lease>,
    /// Whether the last asking failed.
    pub(super) failed: bool,
}

impl Keeper {
    /// Begins to look after the slot, unless that is being done. `run` is who waits for a new lease to be given back.
    pub(super) fn begin(&self, slot: &Arc<Slot>, run: TaskTracker) {
        let mut task = self.task.lock();
        if task.as_ref().is_none_or(JoinHandle::is_finished) {
            let backend = Arc::clone(&slot.from().backend);
            *task = Some(tokio::spawn(look_after(Arc::downgrade(slot), backend, Arc::clone(&self.woken), run)));
        }
    }

    /// Somebody begins to use what nobody did.
    pub(super) fn wake(&self) {
        self.woken.notify_one();
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        if let Some(task) = self.task.get_mut() {
            task.abort();
        }
    }
}

async fn look_after(slot: Weak<Slot>, backend: Arc<dyn SecretBackend>, woken: Arc<Notify>, run: TaskTracker) {
    while let Some(Due { wait, lease, failed }) = slot.upgrade().and_then(|slot| slot.due()) {
        let ending = async {
            match (&lease, backend.leases()) {
                (Some(lease), Some(leases)) => leases.ending(lease).await,
                _ => std::future::pending().await,
            }
        };
        tokio::pin!(ending);
        let mut anew = tokio::select! {
            () = tokio::time::sleep(wait.max(LEAST_WAIT)) => false,
            () = woken.notified() => continue,
            // After a failure its time is waited for, though the lease ends meanwhile.
            () = &mut ending, if !failed => true,
        };
        if failed {
            anew = tokio::time::timeout(Duration::ZERO, ending).await.is_ok();
        }
        let Some(slot) = slot.upgrade() else { return };
        if slot.is_used() {
            let turn = slot.turn().await;
            // Somebody may have asked meanwhile: for some backends, each asking has a price.
            if anew || slot.due().is_some_and(|due| due.wait.is_zero()) {
                slot.ask(turn, run.clone(), anew).await;
            }
        } else if slot.forget() {
            return;
        }
    }
}
