//! The listener: connections, their number and their patience, TLS. HTTP/1.1, and HTTP/2 where TLS has agreed on it.

use super::accepting::Accepting;
use super::caller::HELD;
use super::certificate::Peer;
use super::deliveries::Deliveries;
use super::patient::Patient;
use super::refusals::Refusals;
use super::route::{Route, Routes};
use super::{Connection, answer};
use crate::clock::{Clock, Wall};
use crate::lanes::Lanes;
use crate::lock::RwLock;
use crate::manifest::ListenConfig;
use crate::serve::ServeError;
use crate::tls::{self, Identity, TlsError};
use crate::{Host, text};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::server::danger::ClientCertVerifier;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// Connections at once. More wait in the system's queue.
const CONNECTIONS: usize = 1_024;
/// How long a client may take for the head of a request, and how long it may be silent before the next.
const HEAD: Duration = Duration::from_secs(10);
/// How long it may take for a handshake of TLS.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long it may take nothing of what it is sent.
const TAKES: Duration = Duration::from_secs(30);
/// How long one connection lasts; what is under way then is still answered.
const AGE: Duration = Duration::from_secs(600);
/// Bytes of a request's head, and its header lines.
const MOST_HEAD: usize = 32 * 1024;
const MOST_LINES: usize = 100;
/// Requests at once of one connection over HTTP/2.
const STREAMS: u32 = 64;
/// How long connections may take to end once all runs have.
const FAREWELL: Duration = Duration::from_secs(5);

/// A listener of a supervisor. Once it is dropped, all its connections end.
pub(in crate::serve) struct Listener {
    front: Arc<Front>,
    socket: std::sync::Mutex<Option<std::net::TcpListener>>,
    address: SocketAddr,
    _cut: DropGuard,
}

/// What its connections share.
pub(super) struct Front {
    config: RwLock<Arc<ListenConfig>>,
    pub(super) wall: Wall,
    pub(super) deliveries: Arc<Deliveries>,
    /// Of callers that named no agent in a way that can be read.
    pub(super) refusals: Refusals,
    routes: RwLock<Arc<Routes>>,
    tls: RwLock<Tls>,
    /// No request is taken any more.
    pub(super) ending: CancellationToken,
    cut: CancellationToken,
    connections: TaskTracker,
    /// Where they are, and the runs that they begin: what one wakes is on the same thread.
    lanes: Option<Arc<Lanes>>,
    /// Room for bodies that nobody has proved to have sent.
    pub(super) held: Semaphore,
}

/// By which certificate it answers, where it has one, and whose clients' certificates it asks for.
struct Tls {
    acceptor: Option<TlsAcceptor>,
    callers: Option<Arc<dyn ClientCertVerifier>>,
}

/// A configuration that it can go by, with its certificate.
pub(in crate::serve) struct Listens {
    config: Arc<ListenConfig>,
    acceptor: Option<TlsAcceptor>,
}

impl Tls {
    /// The certificate of one, for these callers.
    fn of(acceptor: Option<TlsAcceptor>, callers: Option<Arc<dyn ClientCertVerifier>>) -> Result<Self, String> {
        let asking = |acceptor: TlsAcceptor| tls::server_for(acceptor.config(), callers.clone()).map_err(told);
        let config = acceptor.map(asking).transpose()?;
        Ok(Self { acceptor: config.map(|config| TlsAcceptor::from(Arc::new(config))), callers })
    }
}

impl Listener {
    /// Takes the address; nobody is answered yet. `served` names the directory that is served, among all of the state directory's.
    ///
    /// # Errors
    /// [`ServeError`] where the address, the certificate or the state directory can't be used.
    pub(in crate::serve) fn bind(host: &Host, config: &ListenConfig, served: &str) -> Result<Self, ServeError> {
        let unusable = |source| ServeError::Listen { address: config.address, source };
        let socket = std::net::TcpListener::bind(config.address).map_err(unusable)?;
        socket.set_nonblocking(true).map_err(unusable)?;
        let address = socket.local_addr().map_err(unusable)?;
        let wall = host.wall().clone();
        let deliveries = Deliveries::open(host.state(), &format!("deliveries-{served}"), wall.clone(), Clock::default());
        let deliveries = deliveries.map_err(ServeError::State)?;
        let (ending, cut, connections) = Default::default();
        let front = Front {
            tls: RwLock::new(Tls { acceptor: acceptor(config, &[], true).map_err(ServeError::Tls)?, callers: None }),
            config: RwLock::new(Arc::new(config.clone())),
            wall,
            deliveries: Arc::new(deliveries),
            refusals: Refusals::new(host.journal("")),
            routes: RwLock::default(),
            ending,
            cut,
            connections,
            lanes: host.lanes().cloned(),
            held: Semaphore::new(HELD),
        };
        let _cut = front.cut.clone().drop_guard();
        Ok(Self { front: Arc::new(front), socket: std::sync::Mutex::new(Some(socket)), address, _cut })
    }

    /// Where it listens.
    pub(in crate::serve) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(in crate::serve) fn config(&self) -> Arc<ListenConfig> {
        self.front.config()
    }

    /// Reads what it needs to go by a configuration of the same address. Nothing has changed yet.
    ///
    /// # Errors
    /// What is wrong with the certificate, or its key.
    pub(in crate::serve) fn check(&self, config: &ListenConfig) -> Result<Listens, String> {
        Ok(Listens { config: Arc::new(config.clone()), acceptor: acceptor(config, &[], true)? })
    }

    /// A configuration with the certificate that it has.
    pub(in crate::serve) fn keeping(&self, config: &ListenConfig) -> Listens {
        Listens { config: Arc::new(config.clone()), acceptor: self.front.tls.read().acceptor.clone() }
    }

    /// Goes by a configuration from here on: by its names with the next request, by its certificate with the next connection.
    pub(in crate::serve) fn configure(&self, listens: Listens) {
        let Listens { config, acceptor } = listens;
        let mut tls = self.front.tls.write();
        match Tls::of(acceptor, tls.callers.clone()) {
            Ok(newer) => (*tls, *self.front.config.write()) = (newer, config),
            Err(why) => tracing::error!("the listener keeps the certificate that it had: {why}"),
        }
    }

    /// Reads its certificate anew, which may have been renewed, where no configuration does.
    pub(in crate::serve) fn renew(&self) {
        match self.check(&self.config()) {
            Ok(listens) => self.configure(listens),
            Err(why) => tracing::error!("the listener keeps the certificate that it had: {why}"),
        }
    }

    /// Has these agents answer, and no others.
    pub(in crate::serve) fn take(&self, routes: Vec<Arc<Route>>) {
        self.front.take(routes);
    }

    /// Answers callers from here on. They are let in by the runtime that this is called on, and answered on the host's lanes, where it has some.
    pub(in crate::serve) fn open(&self) {
        let socket = self.socket.lock().ok().and_then(|mut socket| socket.take());
        let Some(socket) = socket else { return };
        match TcpListener::from_std(socket) {
            Ok(socket) => drop(self.front.connections.spawn(Arc::clone(&self.front).accept(socket, self.address))),
            Err(error) => tracing::error!("nobody can call: the listener at {} failed ({error})", self.address),
        }
    }

    /// Takes no request any more.
    pub(in crate::serve) fn end(&self) {
        self.front.ending.cancel();
    }

    /// Waits for its connections to end.
    pub(in crate::serve) async fn ended(&self) {
        self.front.connections.close();
        if timeout(FAREWELL, self.front.connections.wait()).await.is_err() {
            self.front.cut.cancel();
            self.front.connections.wait().await;
        }
        self.front.take(Vec::new());
        self.front.refusals.close("");
    }
}

impl Front {
    pub(super) fn config(&self) -> Arc<ListenConfig> {
        Arc::clone(&self.config.read())
    }

    pub(super) fn routes(&self) -> Arc<Routes> {
        Arc::clone(&self.routes.read())
    }

    /// Has these agents answer, and callers with certificates of their authorities come.
    fn take(&self, routes: Vec<Arc<Route>>) {
        let routes = Routes::new(routes);
        let mut authorities: Vec<PathBuf> = routes.iter().filter_map(|route| route.authorities().cloned()).collect();
        authorities.sort();
        authorities.dedup();
        *self.routes.write() = Arc::new(routes);
        let callers = if authorities.is_empty() { Ok(None) } else { tls::any_clients(&authorities).map(Some) };
        let mut tls = self.tls.write();
        match callers.map_err(told).and_then(|callers| Tls::of(tls.acceptor.clone(), callers)) {
            Ok(newer) => *tls = newer,
            Err(why) => tracing::error!("the listener keeps the authorities of callers that it had: {why}"),
        }
    }

    async fn accept(self: Arc<Self>, socket: TcpListener, own: SocketAddr) {
        let room = Arc::new(Semaphore::new(CONNECTIONS));
        let mut accepting = Accepting::new(format!("the listener at {own}"));
        loop {
            let accepted = async {
                let place = Arc::clone(&room).acquire_owned().await;
                (place, socket.accept().await)
            };
            let (place, accepted) = tokio::select! {
                accepted = accepted => accepted,
                () = self.ending.cancelled() => return,
                () = self.cut.cancelled() => return,
            };
            match accepted {
                Ok((stream, address)) => {
                    accepting.succeeded();
                    // Without it each small answer would wait for the other end's acknowledgement.
                    let _ = stream.set_nodelay(true);
                    let lent = self.lanes.as_ref().map(|lanes| lanes.lend());
                    let (runtime, lent) = lent.map_or_else(|| (Handle::current(), None), |(lane, lent)| (lane.clone(), Some(lent)));
                    let front = Arc::clone(&self);
                    // It is looked after by the runtime that it is read on.
                    let Ok(stream) = stream.into_std() else { continue };
                    let speaking = async move {
                        let _lent = lent;
                        let Ok(stream) = here(stream) else { return };
                        front.connected(Patient::new(stream, TAKES), address, own, place.ok()).await;
                    };
                    self.connections.spawn_on(speaking, &runtime);
                }
                Err(error) => accepting.failed(&error).await,
            }
        }
    }

    async fn connected(
        self: Arc<Self>,
        stream: Patient<impl AsyncRead + AsyncWrite + Unpin + Send + 'static>,
        address: SocketAddr,
        own: SocketAddr,
        _place: Option<OwnedSemaphorePermit>,
    ) {
        let (cut, acceptor) = (self.cut.clone(), self.tls.read().acceptor.clone());
        let own = match own {
            SocketAddr::V4(own) => own.ip().to_string(),
            SocketAddr::V6(own) => format!("[{}]", own.ip()),
        };
        let from = |is_tls, certificates| Connection { address, is_tls, own, certificates };
        let speaking = async {
            let Some(acceptor) = acceptor else { return self.speak(stream, from(false, Peer::new()), false).await };
            let Ok(Ok(stream)) = timeout(HANDSHAKE, acceptor.accept(stream)).await else { return };
            let session = stream.get_ref().1;
            let is_h2 = session.alpn_protocol() == Some(b"h2");
            let certificates = session.peer_certificates().map(<[_]>::to_vec).unwrap_or_default();
            self.speak(stream, from(true, certificates), is_h2).await;
        };
        tokio::select! {
            () = speaking => {}
            () = cut.cancelled() => {}
        }
    }

    /// Answers the requests of a connection until it ends.
    async fn speak(self: &Arc<Self>, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, from: Connection, is_h2: bool) {
        let (front, from) = (Arc::clone(self), Arc::new(from));
        let service = service_fn(move |request| {
            let (front, from) = (Arc::clone(&front), Arc::clone(&from));
            async move { Ok::<_, Infallible>(answer(&front, &from, request).await) }
        });
        let stream = TokioIo::new(stream);
        // How a connection ends is nobody's concern: each request has its record.
        macro_rules! until_it_ends {
            ($connection:expr) => {{
                let mut connection = pin!($connection);
                let is_over = tokio::select! {
                    _ = connection.as_mut() => true,
                    () = self.ending.cancelled() => false,
                    () = sleep(AGE) => false,
                };
                if !is_over {
                    connection.as_mut().graceful_shutdown();
                    // Whoever takes nothing any more ends it for all of its requests.
                    let _ = tokio::time::timeout(AGE, connection).await;
                }
            }};
        }
        if is_h2 {
            let mut http2 = http2::Builder::new(TokioExecutor::new());
            http2
                .timer(TokioTimer::new())
                .max_concurrent_streams(STREAMS)
                .max_header_list_size(MOST_HEAD as u32)
                .max_pending_accept_reset_streams(16)
                .max_send_buf_size(64 * 1024)
                .keep_alive_interval(HEAD)
                .keep_alive_timeout(HEAD);
            until_it_ends!(http2.serve_connection(stream, service));
        } else {
            let mut http1 = http1::Builder::new();
            http1.timer(TokioTimer::new()).header_read_timeout(HEAD).max_headers(MOST_LINES).max_buf_size(MOST_HEAD);
            until_it_ends!(http1.serve_connection(stream, service));
        }
    }
}

/// A caller's connection, looked after by the runtime that this is called on.
#[expect(clippy::disallowed_types, reason = "a caller has made it, and the host only answers on it")]
fn here(stream: std::net::TcpStream) -> std::io::Result<tokio::net::TcpStream> {
    tokio::net::TcpStream::from_std(stream)
}

/// TLS by the configuration, where it says so, for clients with certificates of these authorities and for those without; with HTTP/2 or without.
pub(crate) fn acceptor(config: &ListenConfig, authorities: &[PathBuf], http2: bool) -> Result<Option<TlsAcceptor>, String> {
    let Some((certificate, key)) = config.tls() else { return Ok(None) };
    let read = key.read().map_err(|why| format!("the listener's key at {key} {why}"))?;
    let identity = Identity::read(certificate, &read).map_err(|error| error.to_string())?;
    let mut server = tls::server(identity, authorities).map_err(told)?;
    server.alpn_protocols.retain(|protocol| http2 || protocol != b"h2");
    Ok(Some(TlsAcceptor::from(Arc::new(server))))
}

fn told(error: TlsError) -> String {
    text::for_people(&error.to_string())
}
