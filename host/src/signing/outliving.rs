//! Work that goes on where whoever waits for it gives up.

use futures_util::FutureExt;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread;
use tokio::runtime::Handle;

/// A future that is driven by whoever waits for it, and by a task of its own from where it is dropped before its end. The common case, that
/// it is waited for, is spared the task.
pub(super) struct Outliving<T: Send + 'static> {
    work: Option<Pin<Box<dyn Future<Output = thread::Result<T>> + Send>>>,
    runtime: Handle,
}

impl<T: Send + 'static> Outliving<T> {
    /// Within a runtime, whose task it may become. A panic is an error, as that of a task is.
    pub(super) fn new(work: impl Future<Output = T> + Send + 'static) -> Self {
        Self { work: Some(Box::pin(AssertUnwindSafe(work).catch_unwind())), runtime: Handle::current() }
    }
}

impl<T: Send + 'static> Future for Outliving<T> {
    type Output = thread::Result<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let work = self.work.as_mut().expect("nobody waits for it after its end");
        let polled = work.as_mut().poll(context);
        if polled.is_ready() {
            self.work = None;
        }
        polled
    }
}

impl<T: Send + 'static> Drop for Outliving<T> {
    fn drop(&mut self) {
        if let Some(work) = self.work.take() {
            self.runtime.spawn(work);
        }
    }
}
