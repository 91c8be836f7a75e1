//! What the effects of one agent hang on. To cut it is to end them.

use super::{Inner, Whom};
use crate::lock::{Mutex, RwLock};
use crate::meter::{Meter, Stop};
use crate::policy::Denial;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Weak};
use tokio::sync::watch;

/// What the effects of one agent hang on.
pub(crate) struct Line {
    agent: String,
    /// It is looked after as long as something hangs on it.
    _switch: Arc<Inner>,
    /// By whom it is cut, if it is.
    cut: RwLock<Option<Whom>>,
    /// For whoever waits until it is whole.
    is_whole: watch::Sender<bool>,
    hanging: Mutex<Hanging>,
}

#[derive(Default)]
struct Hanging {
    runs: Vec<Weak<Meter>>,
    /// Handles of connections' sockets, by which they are reset.
    sockets: Vec<Weak<OwnedFd>>,
}

impl Line {
    pub(super) fn new(agent: &str, switch: Arc<Inner>) -> Self {
        Self {
            agent: agent.to_owned(),
            _switch: switch,
            cut: RwLock::default(),
            is_whole: watch::Sender::new(true),
            hanging: Mutex::default(),
        }
    }

    /// Cuts it, or mends it.
    pub(super) fn set(&self, by: Option<Whom>) {
        if *self.cut.read() == by {
            return;
        }
        // Whatever is on its way through has passed when the lock is had. It is held until all is reset: who waits to write would end a connection
        // in the ordinary way, and the system would go on sending what it has of it.
        let mut cut = self.cut.write();
        cut.clone_from(&by);
        if let Some(by) = &by {
            self.end_all(*by == Whom::All);
        }
        drop(cut);
        self.is_whole.send_replace(by.is_none());
    }

    fn end_all(&self, is_with_all: bool) {
        let Hanging { runs, sockets } = std::mem::take(&mut *self.hanging.lock());
        // Runs first: one whose connection is gone might end by itself.
        for run in runs.iter().filter_map(Weak::upgrade) {
            run.stop(Stop::Denied(Denial::stopped(&self.agent, is_with_all)));
        }
        // What the system has not sent yet goes with the connection.
        let gone = |socket: &Arc<OwnedFd>| rustix::net::connect_unspec(socket).is_ok();
        let left = sockets.iter().filter_map(Weak::upgrade).filter(|socket| !gone(socket)).count();
        if left > 0 {
            tracing::error!(agent = self.agent, left, "connections could not be reset; nothing more is written to them");
        }
    }

    /// Does what leaves the host, unless the line is cut. It is short, and does not wait: whoever cuts the line waits for it.
    pub(crate) fn pass<T>(&self, work: impl FnOnce() -> T) -> Option<T> {
        let cut = self.cut.read();
        cut.is_none().then(work)
    }

    pub(crate) fn is_cut(&self) -> bool {
        self.cut.read().is_some()
    }

    /// Why nothing passes, where nothing does.
    pub(crate) fn denial(&self) -> Option<Denial> {
        self.cut.read().as_ref().map(|by| Denial::stopped(&self.agent, *by == Whom::All))
    }

    /// Waits until it is not cut.
    pub(crate) async fn whole(&self) {
        let _ = self.is_whole.subscribe().wait_for(|is_whole| *is_whole).await;
    }

    /// Has a run stop when the line is cut.
    ///
    /// # Errors
    /// It is cut.
    pub(crate) fn hang_run(&self, run: &Arc<Meter>) -> Result<(), Denial> {
        match &*self.cut.read() {
            None => add(&mut self.hanging.lock().runs, Arc::downgrade(run)),
            Some(by) => return Err(Denial::stopped(&self.agent, *by == Whom::All)),
        }
        Ok(())
    }

    /// Has a connection reset when the line is cut.
    ///
    /// # Errors
    /// It is cut.
    pub(crate) fn hang_socket(&self, socket: &Arc<OwnedFd>) -> io::Result<()> {
        let hung = self.pass(|| add(&mut self.hanging.lock().sockets, Arc::downgrade(socket)));
        hung.ok_or_else(|| io::ErrorKind::ConnectionAborted.into())
    }
}

/// Adds one; what has ended meanwhile is taken out where the list would grow.
fn add<T>(all: &mut Vec<Weak<T>>, one: Weak<T>) {
    if all.len() == all.capacity() {
        all.retain(|known| known.strong_count() > 0);
    }
    all.push(one);
}
