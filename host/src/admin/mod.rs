//! What operators ask of a host that serves, and tell it to do: JSON over HTTP, by a Unix socket, and by an address with TLS where the
//! configuration says so.
//!
//! A request's way: whoever comes has a role, by the kernel's word, a token or a certificate (`who`); its path and method name an operation
//! (`operations`, one table, from which the OpenAPI document is made too, `openapi`); what that changes is in the audit log before it is done; and it
//! is answered as the command line would be, from `ops` and the supervisor. No answer holds a secret's value.

mod answer;
mod asked;
mod openapi;
mod operations;
mod places;
mod server;
mod unproved;
mod versions;
mod who;

use crate::lock::Mutex;
use crate::lock::RwLock;
use crate::manifest::AdminConfig;
use crate::manifest::HostConfig;
use crate::serve::{Follower, Supervisor, Take, is_named};
use places::Places;
use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use unproved::Unproved;
use who::Known;

/// What the names of sockets in a state directory begin and end with.
const SOCKET: (&str, &str) = ("admin-", ".sock");
/// How long requests that are under way may go on at the end.
const FAREWELL: Duration = Duration::from_secs(5);

/// The interface for administrators of a supervisor. Its connections end with [`Admin::close`].
pub struct Admin {
    shared: Arc<Shared>,
    socket: PathBuf,
    /// The socket's file as it was made.
    made: Option<(u64, u64)>,
    address: Option<std::net::SocketAddr>,
}

/// What its connections share.
struct Shared {
    supervisor: Supervisor,
    /// Who may ask: others, once the configuration is.
    known: watch::Sender<Arc<Known>>,
    /// TLS of the address, where there is one.
    tls: RwLock<Option<TlsAcceptor>>,
    /// Requests of others.
    unproved: Unproved,
    places: Arc<Places>,
    /// What was refused of late for want of a role, by who asked.
    refused: Mutex<BTreeMap<String, (Instant, u32)>>,
    /// Held by whoever asks backends for their secrets, or the ledger: one at a time.
    asking: tokio::sync::Mutex<()>,
    /// No request is taken any more, and what follows ends.
    ending: CancellationToken,
    /// Connections end.
    cut: CancellationToken,
    tasks: TaskTracker,
    /// The OpenAPI document, once somebody has asked for it.
    document: Mutex<Option<Arc<str>>>,
}

/// Why nobody can administer a host.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdminError {
    /// The socket can't be made.
    #[error("{}: operators can't be listened to there ({source}); set another `socket` in `[admin]`", path.display())]
    Socket {
        /// The socket.
        path: PathBuf,
        /// What is wrong.
        source: io::Error,
    },
    /// The host keeps no state, and no socket is named.
    #[error("the host keeps no state, where its socket would be; set `socket` in `[admin]`")]
    NoState,
    /// The address can't be taken.
    #[error("{address}: operators can't be listened to there ({source}); set another `listen` in `[admin]`")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// What is wrong.
        source: io::Error,
    },
    /// The certificate or its key can't be used, or a client's authorities.
    #[error("`admin`: {0}")]
    Tls(String),
}

impl Admin {
    /// Listens for operators, on the runtime that this is called on: on the socket that the configuration names, or else one in the host's state
    /// directory that only the host's user can reach; and on the address, where there is one.
    ///
    /// # Errors
    /// [`AdminError`], where it can't.
    pub fn open(supervisor: &Supervisor, config: &AdminConfig) -> Result<Self, AdminError> {
        let state = supervisor.host().state().map(|state| state.path().to_owned());
        let own = state.map(|state| state.join(format!("{}{}{}", SOCKET.0, supervisor.mark(), SOCKET.1)));
        let path = config.socket.clone().or(own).ok_or(AdminError::NoState)?;
        let shared = Arc::new(Shared {
            supervisor: supervisor.clone(),
            known: watch::Sender::new(Arc::new(Known::of(config).map_err(AdminError::Tls)?)),
            tls: RwLock::new(server::tls(config).map_err(AdminError::Tls)?),
            unproved: Unproved::default(),
            places: Arc::default(),
            refused: Mutex::default(),
            asking: tokio::sync::Mutex::default(),
            ending: CancellationToken::new(),
            cut: CancellationToken::new(),
            tasks: TaskTracker::new(),
            document: Mutex::default(),
        });
        let is_shared = !config.peers.is_empty();
        let tcp = config.listen.as_ref().map(server::Tcp::bind).transpose()?;
        let socket = server::unix(&path, is_shared).map_err(|source| AdminError::Socket { path: path.clone(), source })?;
        let made = identity(&path);
        let address = tcp.as_ref().map(|tcp| tcp.address);
        supervisor.follow(follower(&shared, path.clone(), made));
        shared.tasks.spawn(Arc::clone(&shared).accept_local(socket));
        if let Some(tcp) = tcp {
            shared.tasks.spawn(Arc::clone(&shared).accept_remote(tcp));
        }
        Ok(Self { shared, socket: path, made, address })
    }

    /// The socket.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// The address, where there is one.
    #[must_use]
    pub fn address(&self) -> Option<std::net::SocketAddr> {
        self.address
    }

    /// Takes no request any more, and waits, for 5 s at most, until those under way are answered.
    pub async fn close(mut self) {
        self.shared.ending.cancel();
        self.remove();
        self.shared.tasks.close();
        if timeout(FAREWELL, self.shared.tasks.wait()).await.is_err() {
            self.shared.cut.cancel();
            self.shared.tasks.wait().await;
        }
    }
}

/// Who may ask, and by which certificate the host answers, as the configuration says when it is read anew. Whoever was taken out of it has no answer
/// any more, by whatever connection. Where the configuration names no certificate any more, the host answers by the one that it has until it starts
/// anew.
fn follower(shared: &Arc<Shared>, socket: PathBuf, made: Option<(u64, u64)>) -> Follower {
    let shared = Arc::downgrade(shared);
    Arc::new(move |config: &HostConfig, newer: &HostConfig| {
        let known = Known::of(&config.admin)?;
        let is_named = config.admin.listen.as_ref().is_none_or(|listen| is_named(listen, newer.admin.listen.as_ref()));
        let tls = match server::tls(&config.admin) {
            Err(why) if is_named => return Err(why),
            tls => tls.ok(),
        };
        let (shared, socket, is_shared) = (shared.clone(), socket.clone(), !config.admin.peers.is_empty());
        Ok(Box::new(move || {
            let Some(shared) = shared.upgrade() else { return };
            shared.known.send_replace(Arc::new(known));
            tls.into_iter().for_each(|tls| *shared.tls.write() = tls);
            if made.is_some()
                && identity(&socket) == made
                && let Err(error) = server::reachable(&socket, is_shared)
            {
                tracing::warn!("{}: who may reach it stays as it was ({error})", socket.display());
            }
        }) as Take)
    })
}

impl Drop for Admin {
    fn drop(&mut self) {
        self.shared.ending.cancel();
        self.shared.cut.cancel();
        self.remove();
        self.shared.unproved.close(&self.shared.supervisor);
    }
}

impl Admin {
    /// Takes the socket away, unless another has made one there since.
    fn remove(&mut self) {
        if self.made.take().is_some_and(|made| identity(&self.socket) == Some(made)) {
            let _ = std::fs::remove_file(&self.socket);
        }
    }
}

/// What tells a file from all others.
fn identity(path: &Path) -> Option<(u64, u64)> {
    std::fs::symlink_metadata(path).ok().map(|file| (file.dev(), file.ino()))
}

/// The sockets of hosts in a state directory that may still run.
///
/// # Errors
/// That of the operating system. A directory that is not there has none.
pub fn sockets(state: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(state) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let is_socket = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.starts_with(SOCKET.0) && name.ends_with(SOCKET.1))
    };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut sockets: Vec<PathBuf> = paths.filter(is_socket).collect();
    sockets.sort();
    Ok(sockets)
}
