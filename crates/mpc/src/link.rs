//! One connection: TLS 1.3 (RFC 8446) both ways with exactly the pinned certificates, a greeting, then one question and one answer at a time.

use crate::VERSION;
use crate::identity::{Card, Identity, IdentityError};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// Most bytes of one frame.
pub const MAX_FRAME: usize = 1024 * 1024;
/// How long a connection may take to stand.
const PATIENCE: Duration = Duration::from_secs(8);
/// How far two clocks may be apart.
pub const MAX_SKEW: Duration = Duration::from_secs(30);

/// Why nothing can be said.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// Nobody is there, or the connection has ended.
    #[error("`{name}` is out of reach: {why}")]
    Unreachable {
        /// Whom it was to.
        name: String,
        /// What happened.
        why: String,
    },
    /// Somebody is there, who is not to be spoken to.
    #[error("`{name}` is not spoken to: {why}")]
    Stranger {
        /// Whom it was to.
        name: String,
        /// What is wrong.
        why: String,
    },
    /// What was said can't be read.
    #[error("`{name}` says what can't be read: {why}")]
    Garbled {
        /// Who has said it.
        name: String,
        /// What is wrong.
        why: String,
    },
}

/// A connection over which whoever has opened it asks, and the other side answers.
pub struct Link {
    /// Who is at the other end.
    pub peer: String,
    /// What the other end has greeted with.
    pub greeting: Greeting,
    stream: Box<dyn Stream>,
}

/// What both ends say first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Greeting {
    /// Of all that is said.
    pub version: u16,
    /// Milliseconds since 1970.
    pub time: u64,
    /// Which start of the program it is: what was in its memory before another one is lost.
    pub boot: String,
    /// The hash of the three parties, sorted; empty from a host.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub trio: String,
}

/// Whoever may speak here.
pub struct Doorkeeper {
    acceptor: TlsAcceptor,
    known: Vec<(String, CertificateDer<'static>)>,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl Greeting {
    /// That of a program, as it is now.
    #[must_use]
    pub fn now(boot: &str, trio: &str) -> Self {
        Self { version: VERSION, time: millis(), boot: boot.to_owned(), trio: trio.to_owned() }
    }

    fn check(&self, other: &Self) -> Result<(), String> {
        if self.version != other.version {
            return Err(format!("it speaks version {}, and this is version {}; install the same release", other.version, self.version));
        }
        let apart = self.time.abs_diff(other.time);
        if u128::from(apart) > MAX_SKEW.as_millis() {
            return Err(format!("its clock is {} s apart; set both by NTP (at most {} s)", apart / 1_000, MAX_SKEW.as_secs()));
        }
        if !self.trio.is_empty() && !other.trio.is_empty() && self.trio != other.trio {
            return Err("it belongs to three other parties; compare the cards and their words".to_owned());
        }
        Ok(())
    }
}

/// Milliseconds since 1970.
#[must_use]
pub fn millis() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn only(certificates: impl IntoIterator<Item = CertificateDer<'static>>) -> Result<RootCertStore, IdentityError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots.add(certificate).map_err(|error| IdentityError::Certificate(error.to_string()))?;
    }
    Ok(roots)
}

impl Link {
    /// Connects to whom a card names, at `address` or else where the card says.
    ///
    /// # Errors
    /// [`LinkError`].
    pub async fn open(own: &Identity, to: &Card, address: Option<SocketAddr>, greeting: Greeting) -> Result<Self, LinkError> {
        let name = to.name.clone();
        let unreachable = |why: String| LinkError::Unreachable { name: name.clone(), why };
        let address = address.or(to.address).ok_or_else(|| unreachable("its card has no address".to_owned()))?;
        let opening = async {
            let config = client(own, to).map_err(|error| unreachable(error.to_string()))?;
            let tcp = TcpStream::connect(address).await.map_err(|error| unreachable(format!("{address}: {error}")))?;
            let _ = tcp.set_nodelay(true);
            let server = ServerName::try_from(to.name.clone()).map_err(|_| unreachable("its name is none".to_owned()))?;
            let stream = TlsConnector::from(Arc::new(config)).connect(server, tcp).await.map_err(|error| trouble(&name, &error))?;
            Self::greeted(name.clone(), Box::new(stream), greeting).await
        };
        tokio::time::timeout(PATIENCE, opening).await.unwrap_or_else(|_| Err(unreachable(format!("no answer within {PATIENCE:?}"))))
    }

    async fn greeted(peer: String, mut stream: Box<dyn Stream>, own: Greeting) -> Result<Self, LinkError> {
        write(&mut stream, &own).await.map_err(|error| trouble(&peer, &error))?;
        let text = read(&mut stream).await.map_err(|error| trouble(&peer, &error))?;
        let greeting: Greeting =
            serde_json::from_slice(&text).map_err(|error| LinkError::Garbled { name: peer.clone(), why: error.to_string() })?;
        own.check(&greeting).map_err(|why| LinkError::Stranger { name: peer.clone(), why })?;
        Ok(Self { peer, greeting, stream })
    }

    /// Asks one question.
    ///
    /// # Errors
    /// [`LinkError`]. The connection is of no use afterwards.
    pub async fn ask<A: DeserializeOwned>(&mut self, question: &impl Serialize) -> Result<A, LinkError> {
        write(&mut self.stream, question).await.map_err(|error| trouble(&self.peer, &error))?;
        self.heard().await?.ok_or_else(|| LinkError::Unreachable { name: self.peer.clone(), why: "it has hung up".to_owned() })
    }

    /// The next of what the other side says; `None` where it has hung up.
    ///
    /// # Errors
    /// [`LinkError`]. The connection is of no use afterwards.
    pub async fn heard<Q: DeserializeOwned>(&mut self) -> Result<Option<Q>, LinkError> {
        let text = match read(&mut self.stream).await {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(trouble(&self.peer, &error)),
        };
        let said = serde_json::from_slice(&text).map_err(|error| LinkError::Garbled { name: self.peer.clone(), why: error.to_string() })?;
        Ok(Some(said))
    }

    /// Answers.
    ///
    /// # Errors
    /// [`LinkError`]. The connection is of no use afterwards.
    pub async fn answer(&mut self, answer: &impl Serialize) -> Result<(), LinkError> {
        write(&mut self.stream, answer).await.map_err(|error| trouble(&self.peer, &error))
    }
}

impl Doorkeeper {
    /// Lets in whom these cards name, and nobody else.
    ///
    /// # Errors
    /// [`IdentityError`].
    pub fn new(own: &Identity, known: &[Card]) -> Result<Self, IdentityError> {
        let known: Vec<_> = known.iter().map(|card| Ok((card.name.clone(), card.certificate()?))).collect::<Result<_, IdentityError>>()?;
        let roots = Arc::new(only(known.iter().map(|(_, certificate)| certificate.clone()))?);
        let unusable = |error: String| IdentityError::Key(error);
        let provider = Arc::new(default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider)).build();
        let config = ServerConfig::builder_with_provider(provider).with_protocol_versions(&[&rustls::version::TLS13]);
        let config = config.map_err(|error| unusable(error.to_string()))?;
        let config = config.with_client_cert_verifier(verifier.map_err(|error| unusable(error.to_string()))?);
        let config = config.with_single_cert(vec![own.card.certificate()?], own.key_for_tls());
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config.map_err(|error| unusable(error.to_string()))?)), known })
    }

    /// Takes a connection.
    ///
    /// # Errors
    /// [`LinkError`].
    pub async fn admit(&self, tcp: TcpStream, greeting: Greeting) -> Result<Link, LinkError> {
        let from = tcp.peer_addr().map_or_else(|_| "somebody".to_owned(), |address| address.to_string());
        let admitting = async {
            let _ = tcp.set_nodelay(true);
            let stream = self.acceptor.accept(tcp).await.map_err(|error| trouble(&from, &error))?;
            let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
            let peer = self.known.iter().find(|(_, certificate)| Some(certificate) == shown).map(|(name, _)| name.clone());
            let why = || "its certificate is on no card here".to_owned();
            let peer = peer.ok_or_else(|| LinkError::Stranger { name: from.clone(), why: why() })?;
            Link::greeted(peer, Box::new(stream), greeting).await
        };
        let late = || LinkError::Unreachable { name: from.clone(), why: format!("no greeting within {PATIENCE:?}") };
        tokio::time::timeout(PATIENCE, admitting).await.unwrap_or_else(|_| Err(late()))
    }
}

fn client(own: &Identity, to: &Card) -> Result<ClientConfig, IdentityError> {
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider())).with_protocol_versions(&[&rustls::version::TLS13]);
    let config = config.map_err(|error| IdentityError::Key(error.to_string()))?;
    let config = config.with_root_certificates(only([to.certificate()?])?);
    let config = config.with_client_auth_cert(vec![own.card.certificate()?], own.key_for_tls());
    config.map_err(|error| IdentityError::Key(error.to_string()))
}

/// What went wrong with a connection: whether somebody is there who is not whom the card names, or nobody.
fn trouble(name: &str, error: &io::Error) -> LinkError {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let name = name.to_owned();
    match tls {
        Some(rustls::Error::InvalidCertificate(rustls::CertificateError::Expired | rustls::CertificateError::ExpiredContext { .. })) => {
            LinkError::Stranger { name, why: "its certificate has ended; make a new identity, and exchange the cards again".to_owned() }
        }
        Some(rustls::Error::InvalidCertificate(_)) => {
            LinkError::Stranger { name, why: "its certificate is not the one on its card; compare the words".to_owned() }
        }
        Some(rustls::Error::AlertReceived(_)) => {
            LinkError::Stranger { name, why: "it does not know this identity; give it the card of this one".to_owned() }
        }
        Some(other) => LinkError::Garbled { name, why: other.to_string() },
        None if error.kind() == io::ErrorKind::InvalidData => LinkError::Garbled { name, why: error.to_string() },
        None => LinkError::Unreachable { name, why: error.to_string() },
    }
}

async fn write(stream: &mut Box<dyn Stream>, said: &impl Serialize) -> io::Result<()> {
    let text = serde_json::to_vec(said)?;
    let length = u32::try_from(text.len()).ok().filter(|_| text.len() <= MAX_FRAME);
    let length = length.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "more than 1 MiB to say"))?;
    stream.write_all(&[&length.to_be_bytes(), &text[..]].concat()).await?;
    stream.flush().await
}

async fn read(stream: &mut Box<dyn Stream>) -> io::Result<Vec<u8>> {
    let length = usize::try_from(stream.read_u32().await?).unwrap_or(usize::MAX);
    if length > MAX_FRAME {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a frame of more than 1 MiB"));
    }
    let mut text = vec![0; length];
    stream.read_exact(&mut text).await?;
    Ok(text)
}
