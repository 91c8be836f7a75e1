//! What a listener does while the system gives it no connection, as where too many files are open: it waits for some to end, and says so once.

use std::fmt::Display;
use std::io::{self, ErrorKind};
use std::time::Duration;
use tokio::time::sleep;

/// How long it waits before it tries again.
const PAUSE: Duration = Duration::from_millis(100);

/// One listener's.
pub(crate) struct Accepting<D> {
    /// Where it listens.
    listener: D,
    /// Since the last connection it has been said that there is none.
    is_told: bool,
}

impl<D: Display> Accepting<D> {
    pub(crate) fn new(listener: D) -> Self {
        Self { listener, is_told: false }
    }

    /// A connection has come.
    pub(crate) fn succeeded(&mut self) {
        if std::mem::take(&mut self.is_told) {
            tracing::info!(target: "strongroom::notice", "{}: connections are taken again", self.listener);
        }
    }

    /// None could be taken.
    pub(crate) async fn failed(&mut self, error: &io::Error) {
        // This one's client has gone: the next may be there already.
        if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::Interrupted) {
            return;
        }
        if !std::mem::replace(&mut self.is_told, true) {
            tracing::warn!(
                "{}: no connection can be taken ({error}); whoever connects waits. Raise the limit on open files (`ulimit -n`)",
                self.listener
            );
        }
        sleep(PAUSE).await;
    }
}
