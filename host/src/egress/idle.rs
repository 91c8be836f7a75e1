//! Connections between requests. Nothing runs for them; one task for each agent lets them go in time.

use super::connection::{Connection, Http1};
use super::pool::Purpose;
use crate::lock::Mutex;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::Instant;

/// How long a connection stays open without use.
const IDLE: Duration = Duration::from_secs(30);
/// Most that are kept for one purpose, and of one agent on one runtime. The one that was used longest ago goes first.
const MOST_ALIKE: usize = 8;
const MOST: usize = 64;

/// What one agent keeps.
#[derive(Default)]
pub(super) struct Idle(Mutex<State>);

#[derive(Default)]
struct State {
    /// In the order of their last use.
    kept: Vec<Kept>,
    /// Whether a task looks when their time is over.
    is_watched: bool,
}

struct Kept {
    purpose: Purpose,
    connection: Connection,
    until: Instant,
}

impl Idle {
    /// A connection for a purpose, if one is open: the one that was used last.
    pub(super) fn take(&self, purpose: &Purpose) -> Option<Connection> {
        loop {
            let mut found = self.last(purpose)?;
            if found.until > Instant::now() && found.connection.is_ready() {
                if let Connection::Many(sender) = &found.connection {
                    let connection = Connection::Many(sender.clone());
                    self.put(found.purpose, found.connection);
                    return Some(connection);
                }
                return Some(found.connection);
            }
        }
    }

    fn last(&self, purpose: &Purpose) -> Option<Kept> {
        let mut state = self.0.lock();
        let last = state.kept.iter().rposition(|kept| kept.purpose == *purpose)?;
        Some(state.kept.remove(last))
    }

    /// Keeps a connection. Gives the ones that have to go for it, to be closed without the lock.
    fn put(&self, purpose: Purpose, connection: Connection) -> Vec<Kept> {
        let mut state = self.0.lock();
        let mut gone = Vec::new();
        let is_alike = |kept: &Kept| kept.purpose == purpose;
        let most_alike = if matches!(connection, Connection::Many(_)) { 1 } else { MOST_ALIKE };
        if state.kept.iter().filter(|kept| is_alike(kept)).count() >= most_alike {
            let first = state.kept.iter().position(is_alike);
            gone.extend(first.map(|first| state.kept.remove(first)));
        }
        let is_beside = |kept: &Kept| kept.purpose.runtime == purpose.runtime;
        if state.kept.iter().filter(|kept| is_beside(kept)).count() >= MOST {
            let first = state.kept.iter().position(is_beside);
            gone.extend(first.map(|first| state.kept.remove(first)));
        }
        state.kept.push(Kept { purpose, connection, until: Instant::now() + IDLE });
        gone
    }

    /// Keeps a connection until it is wanted, or its time is over. Outside a runtime nobody would close it: there it ends at once.
    pub(super) fn keep(self: &Arc<Self>, purpose: Purpose, connection: Connection) {
        let Ok(runtime) = Handle::try_current() else { return };
        drop(self.put(purpose, connection));
        if !std::mem::replace(&mut self.0.lock().is_watched, true) {
            runtime.spawn(Watch(Arc::downgrade(self)).until_empty());
        }
    }

    /// Takes a connection of HTTP/1.1 back, as soon as it takes a request again; what does not is closed.
    pub(super) fn take_back(self: &Arc<Self>, purpose: Purpose, mut connection: Box<Http1>) {
        if connection.is_ready() {
            return self.keep(purpose, Connection::One(connection));
        }
        if let Ok(runtime) = Handle::try_current()
            && connection.is_apart()
        {
            let idle = Arc::downgrade(self);
            runtime.spawn(async move {
                if connection.becomes_ready().await
                    && let Some(idle) = idle.upgrade()
                {
                    idle.keep(purpose, Connection::One(connection));
                }
            });
        }
    }

    /// Takes out what has not been used for long; when the next one's time is over.
    fn expire(&self, now: Instant) -> (Vec<Kept>, Option<Instant>) {
        let mut state = self.0.lock();
        let fresh = state.kept.iter().position(|kept| kept.until > now).unwrap_or(state.kept.len());
        let gone = state.kept.drain(..fresh).collect();
        (gone, state.kept.first().map(|kept| kept.until))
    }
}

/// The task that closes them.
struct Watch(Weak<Idle>);

impl Watch {
    async fn until_empty(self) {
        while let Some(idle) = self.0.upgrade() {
            let (gone, next) = idle.expire(Instant::now());
            drop((gone, idle));
            let Some(next) = next else { return };
            tokio::time::sleep_until(next).await;
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(idle) = self.0.upgrade() {
            idle.0.lock().is_watched = false;
        }
    }
}
