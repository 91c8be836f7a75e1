//! When nothing has come for so long that nothing more may be coming.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep};

/// After so long without a byte of an answer, what can be no part of a value is handed on.
pub(super) const SILENCE: Duration = Duration::from_millis(250);

/// The silence since the last byte. It begins with the byte, not with the guest's wait for the next one.
#[derive(Debug)]
pub(super) struct Silence {
    since: Instant,
    /// One timer for many bytes: it is set anew where it turns out to be early.
    timer: Option<Pin<Box<Sleep>>>,
    /// Whether this silence has been noticed.
    is_over: bool,
}

impl Silence {
    pub(super) fn new() -> Self {
        Self { since: Instant::now(), timer: None, is_over: true }
    }

    /// Bytes have come.
    pub(super) fn broken(&mut self) {
        (self.since, self.is_over) = (Instant::now(), false);
    }

    /// Ready once for each silence.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_over {
            return Poll::Pending;
        }
        let ends = self.since + SILENCE;
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(ends)));
        while Instant::now() < ends {
            std::task::ready!(timer.as_mut().poll(cx));
            if timer.deadline() < ends {
                timer.as_mut().reset(ends);
            }
        }
        (self.is_over, self.timer) = (true, None);
        Poll::Ready(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn is_ready(silence: &mut Silence) -> bool {
        std::future::poll_fn(|cx| Poll::Ready(silence.poll(cx).is_ready())).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_silence_is_noticed_once_and_each_byte_begins_another() {
        let mut silence = Silence::new();
        tokio::time::advance(SILENCE * 4).await;
        assert!(!is_ready(&mut silence).await, "nothing has come yet");

        silence.broken();
        assert!(!is_ready(&mut silence).await);
        tokio::time::advance(SILENCE / 2).await;
        silence.broken();
        tokio::time::advance(SILENCE - Duration::from_millis(1)).await;
        assert!(!is_ready(&mut silence).await, "it counts from the last byte");
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(is_ready(&mut silence).await);
        tokio::time::advance(SILENCE * 4).await;
        assert!(!is_ready(&mut silence).await);
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_late_finds_the_silence_over_and_who_waits_is_woken() {
        let mut silence = Silence::new();
        silence.broken();
        tokio::time::advance(SILENCE).await;
        assert!(is_ready(&mut silence).await, "it has not waited for the guest");

        silence.broken();
        let began = Instant::now();
        std::future::poll_fn(|cx| silence.poll(cx)).await;
        assert_eq!(began.elapsed(), SILENCE);
    }
}
