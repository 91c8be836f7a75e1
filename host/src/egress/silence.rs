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
        self.broken_at(Instant::now());
    }

    fn broken_at(&mut self, now: Instant) {
        (self.since, self.is_over) = (now, false);
    }

    /// Whether it has lasted by then; once for each silence.
    fn has_lasted(&mut self, now: Instant) -> bool {
        let lasted = !self.is_over && now >= self.since + SILENCE;
        self.is_over |= lasted;
        lasted
    }

    /// Ready once for each silence.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_over {
            return Poll::Pending;
        }
        let ends = self.since + SILENCE;
        loop {
            if self.has_lasted(Instant::now()) {
                self.timer = None;
                return Poll::Ready(());
            }
            let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(ends)));
            std::task::ready!(timer.as_mut().poll(cx));
            timer.as_mut().reset(ends);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silence_counts_from_the_last_byte_and_is_noticed_once() {
        let (mut silence, began) = (Silence::new(), Instant::now());
        assert!(!silence.has_lasted(began + SILENCE * 4), "nothing has come yet");

        silence.broken_at(began);
        let last = began + SILENCE / 2;
        silence.broken_at(last);
        assert!(!silence.has_lasted(began + SILENCE), "another byte came meanwhile");
        assert!(!silence.has_lasted(last + SILENCE - Duration::from_millis(1)));
        assert!(silence.has_lasted(last + SILENCE), "though nobody has waited for it");
        assert!(!silence.has_lasted(last + SILENCE * 4), "once");
        silence.broken_at(last + SILENCE * 8);
        assert!(silence.has_lasted(last + SILENCE * 9));
    }

    #[tokio::test]
    async fn who_waits_is_woken() {
        let mut silence = Silence::new();
        silence.broken();
        let began = silence.since;
        std::future::poll_fn(|cx| silence.poll(cx)).await;
        assert!(began.elapsed() >= SILENCE);
    }
}
