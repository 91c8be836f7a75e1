//! A small HTTPS server on a free port of 127.0.0.1, with a certificate authority of its own. It keeps what it saw on the wire.

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// A response's body.
pub type Body = BoxBody<Bytes, Infallible>;
/// A response.
pub type Response = http::Response<Body>;

/// A request as it came over the wire.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The host that was asked for.
    pub host: String,
    /// The method.
    pub method: String,
    /// Path and query, as they came.
    pub target: String,
    /// The number of the connection it came over.
    pub connection: u64,
    /// The header lines.
    pub headers: http::HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Seen {
    /// The first line of a header, as text.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The path alone.
    #[must_use]
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// All of it as one text, for searches.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{} {} {} {:?} {}", self.method, self.host, self.target, self.headers, String::from_utf8_lossy(&self.body))
    }
}

/// The running server. It stops when dropped.
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its certificate authority, PEM. Empty where it speaks plain HTTP.
    pub ca: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A response with this status, type and body.
pub fn respond(status: u16, content_type: &str, body: impl Into<Bytes>) -> Response {
    let body = Full::new(body.into()).boxed();
    http::Response::builder().status(status).header("content-type", content_type).body(body).expect("a valid response")
}

impl Server {
    /// Serves HTTPS under these names.
    ///
    /// # Errors
    /// Where no port is free.
    pub async fn https<H>(names: &[&str], handler: H) -> std::io::Result<Self>
    where
        H: Fn(&Seen) -> Response + Send + Sync + 'static,
    {
        let (ca, tls) = certificates(names, None);
        Self::start(ca, Some(TlsAcceptor::from(Arc::new(tls))), handler).await
    }

    /// Serves HTTPS under these names, over HTTP/1.1 alone.
    ///
    /// # Errors
    /// Where no port is free.
    pub async fn https_1<H>(names: &[&str], handler: H) -> std::io::Result<Self>
    where
        H: Fn(&Seen) -> Response + Send + Sync + 'static,
    {
        let (ca, mut tls) = certificates(names, None);
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        Self::start(ca, Some(TlsAcceptor::from(Arc::new(tls))), handler).await
    }

    /// Serves HTTPS under these names, with a certificate that has expired.
    ///
    /// # Errors
    /// Where no port is free.
    pub async fn https_expired<H>(names: &[&str], handler: H) -> std::io::Result<Self>
    where
        H: Fn(&Seen) -> Response + Send + Sync + 'static,
    {
        let (ca, tls) = certificates(names, Some(rcgen::date_time_ymd(2020, 1, 1)));
        Self::start(ca, Some(TlsAcceptor::from(Arc::new(tls))), handler).await
    }

    /// Serves plain HTTP.
    ///
    /// # Errors
    /// Where no port is free.
    pub async fn http<H>(handler: H) -> std::io::Result<Self>
    where
        H: Fn(&Seen) -> Response + Send + Sync + 'static,
    {
        Self::start(String::new(), None, handler).await
    }

    async fn start<H>(ca: String, tls: Option<TlsAcceptor>, handler: H) -> std::io::Result<Self>
    where
        H: Fn(&Seen) -> Response + Send + Sync + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let (handler, record) = (Arc::new(handler), Arc::clone(&seen));
        let task = tokio::spawn(async move {
            for connection in 0.. {
                let Ok((stream, _)) = listener.accept().await else { return };
                let _ = stream.set_nodelay(true);
                let (handler, record, tls) = (Arc::clone(&handler), Arc::clone(&record), tls.clone());
                tokio::spawn(async move {
                    let service = service_fn(move |request| {
                        let (handler, record) = (Arc::clone(&handler), Arc::clone(&record));
                        async move { answer(connection, request, &*handler, &record).await }
                    });
                    let server = auto::Builder::new(TokioExecutor::new());
                    match tls {
                        None => drop(server.serve_connection(TokioIo::new(stream), service).await),
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                let _ = server.serve_connection(TokioIo::new(stream), service).await;
                            }
                        }
                    }
                });
            }
        });
        Ok(Self { address, ca, seen, task })
    }

    /// Every request so far.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn answer<H: Fn(&Seen) -> Response>(
    connection: u64,
    request: http::Request<Incoming>,
    handler: &H,
    record: &Mutex<Vec<Seen>>,
) -> Result<Response, hyper::Error> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let host = parts.uri.host().map(str::to_owned);
    let host = host.unwrap_or_else(|| {
        let line = parts.headers.get("host").and_then(|value| value.to_str().ok()).unwrap_or_default();
        line.rsplit_once(':').map_or(line, |(host, _)| host).to_owned()
    });
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned();
    let seen = Seen { host, method: parts.method.to_string(), target, connection, headers: parts.headers, body };
    let response = handler(&seen);
    record.lock().unwrap_or_else(PoisonError::into_inner).push(seen);
    Ok(response)
}

/// A certificate authority, as PEM, and a server's side of TLS under it, with a certificate that has ended or has not.
///
/// # Panics
/// Where a name is none.
#[must_use]
pub fn certificates(names: &[&str], ended: Option<time::OffsetDateTime>) -> (String, rustls::ServerConfig) {
    let (authority, certificate, key) = certified(names, ended);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("protocol versions");
    let private = PrivateKeyDer::try_from(key.serialize_der()).expect("a PKCS#8 key");
    let mut config = config.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], private).expect("the key fits");
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    (authority, config)
}

/// A certificate authority, as PEM, and a certificate under it with its key, for servers that read them from files.
///
/// # Panics
/// Where a name is none.
#[must_use]
pub fn certified(names: &[&str], ended: Option<time::OffsetDateTime>) -> (String, rcgen::Certificate, KeyPair) {
    let mut authority = CertificateParams::new(Vec::new()).expect("no names");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    // OpenSSL takes a certificate for its own issuer's where both have one name.
    authority.distinguished_name.push(DnType::CommonName, "authority of a test");
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().expect("a key pair")).expect("an authority");
    let key = KeyPair::generate().expect("a key pair");
    let mut params = CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).expect("valid names");
    params.not_after = ended.unwrap_or(params.not_after);
    let certificate = params.signed_by(&key, &authority).expect("a certificate");
    (authority.pem(), certificate, key)
}
