//! From a host's name to a connection: resolve, check the address, connect to that address, and TLS where the scheme says so.

#![expect(clippy::disallowed_methods, reason = "the one place where names are looked up for agents")]

use super::address::AddressGuard;
use super::head::Heads;
use super::proxy::tunnel;
use super::tcp::Tcp;
use crate::kill_switch::Line;
use crate::lock::RwLock;
use http::Uri;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::future::Future;
use std::io;
use std::mem::MaybeUninit;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsConnector;

/// Longest time to resolve, connect and shake hands, each.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Looks names up. The default asks the system; bring your own to pin names or to use another resolver. Every address that it
/// gives is checked against what the host may connect to, whatever it says.
#[async_trait::async_trait]
pub trait Resolve: Send + Sync {
    /// The addresses of a host and port, best first.
    ///
    /// # Errors
    /// That of the look-up.
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>>;
}

/// The system's resolver.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

#[async_trait::async_trait]
impl Resolve for SystemResolver {
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((host, port)).await?.collect())
    }
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    #[error("the host's name can't be resolved")]
    Resolve,
    #[error("the address {0} is not allowed")]
    Address(IpAddr),
    #[error("the connection was refused")]
    Refused,
    #[error("the proxy refused to open a tunnel")]
    Proxy,
    #[error("the agent has {CONNECTIONS} connections open")]
    TooMany,
    #[error("the host has no descriptor left for a connection")]
    Descriptors,
    #[error("no connection within {} s", CONNECT_TIMEOUT.as_secs())]
    Timeout,
    #[error("the server's certificate is not valid for this host")]
    Certificate,
    #[error("the TLS handshake failed")]
    Tls,
}

/// What all connections of a host share.
pub(crate) struct Network {
    resolver: Arc<dyn Resolve>,
    ways: RwLock<Arc<Ways>>,
    /// Counts the ways that there were.
    number: AtomicU64,
}

/// How connections are made, as the operator says. They may be others while agents run: from then on nothing is sent by a connection that was made
/// by the earlier ones.
pub(crate) struct Ways {
    pub(crate) guard: AddressGuard,
    /// TLS as it is spoken where no credential has settings of its own.
    pub(crate) tls: Arc<ClientConfig>,
    /// The operator's proxy, by host and port. None is ever taken from the environment.
    pub(crate) proxy: Option<(String, u16)>,
}

impl Network {
    pub(crate) fn new(resolver: Arc<dyn Resolve>, ways: Ways) -> Self {
        Self { resolver, ways: RwLock::new(Arc::new(ways)), number: AtomicU64::default() }
    }

    /// Has connections made in other ways from here on.
    pub(crate) fn take(&self, ways: Ways) {
        *self.ways.write() = Arc::new(ways);
        self.number.fetch_add(1, Ordering::Release);
    }

    fn ways(&self) -> Arc<Ways> {
        Arc::clone(&self.ways.read())
    }

    /// What tells the ways of now from earlier ones.
    pub(super) fn number(&self) -> u64 {
        self.number.load(Ordering::Acquire)
    }
}

/// Look-ups of one agent under way, and its connections, idle ones included: what the whole host has few of.
const LOOKUPS: usize = 8;
const CONNECTIONS: usize = 128;

/// Connects for one agent, or for the host itself.
pub(crate) struct Connector {
    network: Arc<Network>,
    /// What an agent's connections hang on.
    line: Option<Arc<Line>>,
    lookups: Arc<Semaphore>,
    connections: Arc<Semaphore>,
}

/// An open connection, and its place among those of its agent.
pub(crate) struct Stream {
    transport: Transport,
    /// What looks at the heads of answers, in HTTP/1.
    heads: Option<Heads>,
    _place: OwnedSemaphorePermit,
}

enum Transport {
    Plain(TokioIo<Tcp>),
    Tls(Box<TokioIo<tokio_rustls::client::TlsStream<Tcp>>>),
}

impl Connector {
    pub(crate) fn new(network: Arc<Network>, line: Option<Arc<Line>>) -> Self {
        let places = |count| Arc::new(Semaphore::new(count));
        Self { network, line, lookups: places(LOOKUPS), connections: places(CONNECTIONS) }
    }

    /// Connects to a host; where the scheme asks for TLS, by these settings or else by those of all.
    pub(crate) async fn connect(&self, uri: &Uri, own: Option<&Arc<ClientConfig>>) -> Result<Stream, ConnectError> {
        let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        let tls = uri.scheme_str() == Some("https");
        let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
        if self.line.as_ref().is_some_and(|line| line.is_cut()) {
            return Err(ConnectError::Refused);
        }
        let place = Arc::clone(&self.connections).try_acquire_owned().map_err(|_| ConnectError::TooMany)?;
        let found = self.look_up(host.to_owned(), port);
        // As they are once the name is known: looking it up may take a while.
        let (ways, addresses) = self.addresses(host, port, found).await?;
        let tcp = match &ways.proxy {
            None => connect_any(&addresses, self.line.as_ref()).await?,
            Some(proxy) => within(tunnel(proxy, addresses[0], self.line.as_ref())).await??,
        };
        if !tls {
            return Ok(Stream { transport: Transport::Plain(TokioIo::new(tcp)), heads: Some(Heads::default()), _place: place });
        }
        let name = ServerName::try_from(host.to_owned()).map_err(|_| ConnectError::Certificate)?;
        let handshake = TlsConnector::from(Arc::clone(own.unwrap_or(&ways.tls))).connect(name, tcp);
        match within(handshake).await? {
            Ok(stream) => {
                let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                let heads = (!is_http2).then(Heads::default);
                Ok(Stream { transport: Transport::Tls(Box::new(TokioIo::new(stream))), heads, _place: place })
            }
            Err(error) => Err(tls_error(&error)),
        }
    }

    /// The addresses that may be connected to, and how; an error names one that may not.
    async fn addresses(
        &self,
        host: &str,
        port: u16,
        look_up: impl Future<Output = Result<Vec<SocketAddr>, ConnectError>>,
    ) -> Result<(Arc<Ways>, Vec<SocketAddr>), ConnectError> {
        let found = addresses(host, port, look_up).await?;
        let ways = self.network.ways();
        admitted(&ways.guard, found).map(|found| (ways, found))
    }
}

async fn addresses(
    host: &str,
    port: u16,
    look_up: impl Future<Output = Result<Vec<SocketAddr>, ConnectError>>,
) -> Result<Vec<SocketAddr>, ConnectError> {
    match host.parse::<IpAddr>() {
        Ok(address) => Ok(vec![SocketAddr::new(address, port)]),
        Err(_) => within(look_up).await?,
    }
}

fn admitted(guard: &AddressGuard, found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, ConnectError> {
    // One forbidden address among several refuses the name: an attacker's zone would mix them.
    match found.iter().find(|address| !guard.admits(address.ip())) {
        Some(forbidden) => Err(ConnectError::Address(forbidden.ip())),
        None if found.is_empty() => Err(ConnectError::Resolve),
        None => Ok(found),
    }
}

/// Whether the addresses that a host has now may be connected to, by the rules of a connection and without making one.
#[cfg(feature = "ops")]
pub(crate) async fn judge_addresses(guard: &AddressGuard, host: &str, port: u16) -> Result<(), ConnectError> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let look_up = async { SystemResolver.resolve(bare, port).await.map_err(|_| ConnectError::Resolve) };
    admitted(guard, addresses(bare, port, look_up).await?).map(drop)
}

impl Connector {
    /// Looks a name up in a task of its own, which keeps its place until the resolver has answered: the system's own can't be
    /// cancelled, and a guest that gives up and asks again must not pile look-ups up.
    async fn look_up(&self, host: String, port: u16) -> Result<Vec<SocketAddr>, ConnectError> {
        let place = Arc::clone(&self.lookups).acquire_owned().await.map_err(|_| ConnectError::Resolve)?;
        let resolver = Arc::clone(&self.network.resolver);
        let found = tokio::spawn(async move {
            let found = resolver.resolve(&host, port).await;
            drop(place);
            found
        });
        found.await.map_err(|_| ConnectError::Resolve)?.map_err(|error| lacking(&error).unwrap_or(ConnectError::Resolve))
    }
}

async fn connect_any(addresses: &[SocketAddr], line: Option<&Arc<Line>>) -> Result<Tcp, ConnectError> {
    let mut last = ConnectError::Refused;
    for address in addresses {
        match within(Tcp::connect(address, line)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = lacking(&error).unwrap_or(ConnectError::Refused),
            Err(timeout) => last = timeout,
        }
    }
    Err(last)
}

/// Whether it is this host that lacks something, not the other one.
pub(super) fn lacking(error: &io::Error) -> Option<ConnectError> {
    let errors = [rustix::io::Errno::MFILE, rustix::io::Errno::NFILE];
    errors.iter().any(|lack| error.raw_os_error() == Some(lack.raw_os_error())).then_some(ConnectError::Descriptors)
}

async fn within<T>(work: impl Future<Output = T>) -> Result<T, ConnectError> {
    tokio::time::timeout(CONNECT_TIMEOUT, work).await.map_err(|_| ConnectError::Timeout)
}

fn tls_error(error: &io::Error) -> ConnectError {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidCertificate(_)) => ConnectError::Certificate,
        _ => ConnectError::Tls,
    }
}

/// Most bytes that are read at once where they may be an answer's head.
const HEAD: usize = 8 * 1024;

impl Stream {
    /// Whether the server has agreed to HTTP/2.
    pub(super) fn is_http2(&self) -> bool {
        self.heads.is_none()
    }

    /// Reads what may be an answer's head, and looks at it.
    fn read_head(&mut self, cx: &mut Context<'_>, buf: &mut hyper::rt::ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        let mut room = [const { MaybeUninit::uninit() }; HEAD];
        let mut read = ReadBuf::uninit(&mut room[..HEAD.min(buf.remaining())]);
        let done = match &mut self.transport {
            Transport::Plain(stream) => Pin::new(stream.inner_mut()).poll_read(cx, &mut read),
            Transport::Tls(stream) => Pin::new(stream.inner_mut()).poll_read(cx, &mut read),
        };
        std::task::ready!(done)?;
        if let Some(heads) = &mut self.heads {
            heads.received(read.filled()).map_err(io::Error::other)?;
        }
        buf.put_slice(read.filled());
        Poll::Ready(Ok(()))
    }
}

impl hyper::rt::Read for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, mut buf: hyper::rt::ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.heads.as_ref().is_some_and(Heads::is_watching) {
            return this.read_head(cx, &mut buf);
        }
        match &mut this.transport {
            Transport::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Transport::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl hyper::rt::Write for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.heads.iter_mut().for_each(Heads::sent);
        match &mut this.transport {
            Transport::Plain(stream) => hyper::rt::Write::poll_write(Pin::new(stream), cx, buf),
            Transport::Tls(stream) => hyper::rt::Write::poll_write(Pin::new(stream), cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().transport {
            Transport::Plain(stream) => hyper::rt::Write::poll_flush(Pin::new(stream), cx),
            Transport::Tls(stream) => hyper::rt::Write::poll_flush(Pin::new(stream), cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().transport {
            Transport::Plain(stream) => hyper::rt::Write::poll_shutdown(Pin::new(stream), cx),
            Transport::Tls(stream) => hyper::rt::Write::poll_shutdown(Pin::new(stream), cx),
        }
    }
}
