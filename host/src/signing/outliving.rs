//! Work that continues when whoever waits for it gives up.

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

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn work_goes_on_from_wherever_it_was_given_up() {
        // Before it was driven at all, and in the midst of it.
        for polls in 0..2 {
            let ((let_go, go), (done, outcome)) = (oneshot::channel::<()>(), oneshot::channel());
            let mut work = Outliving::new(async move {
                go.await.expect("it is let");
                done.send(7).expect("the test waits");
            });
            for _ in 0..polls {
                assert!((&mut work).now_or_never().is_none());
            }

            drop(work);
            let_go.send(()).expect("the work waits");

            assert_eq!(outcome.await, Ok(7), "after {polls} polls");
        }
    }

    #[tokio::test]
    async fn a_panic_is_an_error() {
        let outcome = Outliving::new(async { panic!("as if a library had") }).await;
        outcome.map(|()| unreachable!()).unwrap_err();
    }

    #[test]
    fn work_that_no_runtime_takes_is_dropped() {
        struct Told(Option<oneshot::Sender<()>>);
        impl Drop for Told {
            fn drop(&mut self) {
                let _ = self.0.take().map(|told| told.send(()));
            }
        }

        let (told, dropped) = oneshot::channel();
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let told = Told(Some(told));
        let entered = runtime.enter();
        let work = Outliving::new(async move {
            std::future::pending::<()>().await;
            drop(told);
        });
        drop(entered);
        drop(runtime);
        drop(work);

        assert_eq!(dropped.blocking_recv(), Ok(()), "what it holds, as a reservation, comes to its end");
    }
}
