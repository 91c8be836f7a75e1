//! From a host's name to a connection: resolve, check the address, connect to that address, and TLS where the scheme says so.

use super::address::AddressGuard;
use http::Uri;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpStream;
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
    #[error("no connection within {} s", CONNECT_TIMEOUT.as_secs())]
    Timeout,
    #[error("the server's certificate is not valid for this host")]
    Certificate,
    #[error("the TLS handshake failed")]
    Tls,
}

/// What all connections of a host share.
pub(crate) struct Network {
    pub(crate) guard: AddressGuard,
    pub(crate) resolver: Arc<dyn Resolve>,
    pub(crate) tls: Arc<rustls::ClientConfig>,
}

/// Connects for one pool.
#[derive(Clone)]
pub(crate) struct Connector(pub(crate) Arc<Network>);

/// An open connection.
pub(crate) enum Stream {
    Plain(TokioIo<TcpStream>),
    Tls(Box<TokioIo<tokio_rustls::client::TlsStream<TcpStream>>>),
}

impl tower_service::Service<Uri> for Connector {
    type Response = Stream;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, ConnectError>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let network = Arc::clone(&self.0);
        Box::pin(async move { network.connect(&uri).await })
    }
}

impl Network {
    async fn connect(&self, uri: &Uri) -> Result<Stream, ConnectError> {
        let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        let tls = uri.scheme_str() == Some("https");
        let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let addresses = self.addresses(host, port).await?;
        let tcp = connect_any(&addresses).await?;
        if !tls {
            return Ok(Stream::Plain(TokioIo::new(tcp)));
        }
        let name = ServerName::try_from(host.to_owned()).map_err(|_| ConnectError::Certificate)?;
        let handshake = TlsConnector::from(Arc::clone(&self.tls)).connect(name, tcp);
        match within(handshake).await? {
            Ok(stream) => Ok(Stream::Tls(Box::new(TokioIo::new(stream)))),
            Err(error) => Err(tls_error(&error)),
        }
    }

    /// The addresses that may be connected to; an error names one that may not.
    async fn addresses(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, ConnectError> {
        let found = match host.parse::<IpAddr>() {
            Ok(address) => vec![SocketAddr::new(address, port)],
            Err(_) => within(self.resolver.resolve(host, port)).await?.map_err(|_| ConnectError::Resolve)?,
        };
        // One forbidden address among several refuses the name: an attacker's zone would mix them.
        match found.iter().find(|address| !self.guard.admits(address.ip())) {
            Some(forbidden) => Err(ConnectError::Address(forbidden.ip())),
            None if found.is_empty() => Err(ConnectError::Resolve),
            None => Ok(found),
        }
    }
}

async fn connect_any(addresses: &[SocketAddr]) -> Result<TcpStream, ConnectError> {
    let mut last = ConnectError::Refused;
    for address in addresses {
        match within(TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(_)) => last = ConnectError::Refused,
            Err(timeout) => last = timeout,
        }
    }
    Err(last)
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

impl Connection for Stream {
    fn connected(&self) -> Connected {
        match self {
            Self::Plain(_) => Connected::new(),
            Self::Tls(stream) => match stream.inner().get_ref().1.alpn_protocol() {
                Some(b"h2") => Connected::new().negotiated_h2(),
                _ => Connected::new(),
            },
        }
    }
}

impl hyper::rt::Read for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: hyper::rt::ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl hyper::rt::Write for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => hyper::rt::Write::poll_write(Pin::new(stream), cx, buf),
            Self::Tls(stream) => hyper::rt::Write::poll_write(Pin::new(stream), cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => hyper::rt::Write::poll_flush(Pin::new(stream), cx),
            Self::Tls(stream) => hyper::rt::Write::poll_flush(Pin::new(stream), cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => hyper::rt::Write::poll_shutdown(Pin::new(stream), cx),
            Self::Tls(stream) => hyper::rt::Write::poll_shutdown(Pin::new(stream), cx),
        }
    }
}
