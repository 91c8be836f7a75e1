//! The socket and the address: connections, and each request's way to its operation.

use super::answer::{Answer, Problem};
use super::asked::Asked;
use super::operations;
use super::places::Whose;
use super::who::Came;
use super::{AdminError, Shared};
use crate::manifest::{AdminConfig, AdminProof, ListenConfig};
use crate::serve::{Accepting, Patient, acceptor};
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

/// How long one connection lasts, though somebody follows what agents say.
const AGE: Duration = Duration::from_secs(3_600);
/// How long a client may take nothing of what it is sent.
const TAKES: Duration = Duration::from_secs(30);
/// How long a client may take for the head of a request, and for a handshake of TLS.
const HEAD: Duration = Duration::from_secs(10);
/// Bytes of a request's head.
const MOST_HEAD: usize = 16 * 1024;

/// The address.
pub(super) struct Tcp {
    pub(super) address: SocketAddr,
    socket: TcpListener,
}

/// TLS of the address, where there is one.
pub(super) fn tls(config: &AdminConfig) -> Result<Option<TlsAcceptor>, String> {
    let Some(listen) = &config.listen else { return Ok(None) };
    let authority = |proof: &AdminProof| match proof {
        AdminProof::Certificate { authorities, .. } => Some(authorities.clone()),
        _ => None,
    };
    let mut authorities: Vec<PathBuf> = config.clients.iter().filter_map(|client| authority(&client.proof)).collect();
    authorities.sort();
    authorities.dedup();
    let tls = acceptor(listen, &authorities, false)?;
    tls.ok_or_else(|| "an address without TLS; set `tls`".to_owned()).map(Some)
}

impl Tcp {
    pub(super) fn bind(listen: &ListenConfig) -> Result<Self, AdminError> {
        let unusable = |source| AdminError::Listen { address: listen.address, source };
        let socket = std::net::TcpListener::bind(listen.address).map_err(unusable)?;
        socket.set_nonblocking(true).map_err(unusable)?;
        let socket = TcpListener::from_std(socket).map_err(unusable)?;
        Ok(Self { address: socket.local_addr().map_err(unusable)?, socket })
    }
}

/// Makes the socket. One that a host has left behind goes; one that a host listens on stays.
#[expect(clippy::disallowed_types, reason = "whether another host listens there; nothing is said to it")]
pub(super) fn unix(path: &Path, is_shared: bool) -> io::Result<UnixListener> {
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
        Ok(file) if !file.file_type().is_socket() => {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "a file that is no socket is there"));
        }
        Ok(_) => match std::os::unix::net::UnixStream::connect(path) {
            // Nobody has it open any more.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => std::fs::remove_file(path)?,
            Err(error) => return Err(error),
            Ok(_) => return Err(io::Error::new(io::ErrorKind::AddrInUse, "another host listens there")),
        },
    }
    let socket = UnixListener::bind(path)?;
    reachable(path, is_shared)?;
    Ok(socket)
}

/// Has the socket reached by the host's own user alone, or by all. Whoever comes is asked of the kernel; where nobody else is named, nobody else can
/// come.
pub(super) fn reachable(path: &Path, is_shared: bool) -> io::Result<()> {
    let mode = if is_shared { 0o666 } else { 0o600 };
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
}

impl Shared {
    pub(super) async fn accept_local(self: Arc<Self>, socket: UnixListener) {
        self.accept(
            "the socket for operators",
            || socket.accept(),
            |shared, (stream, _)| {
                let peer = stream.peer_cred().ok()?;
                let place = shared.places.take(Whose::User(peer.uid()))?;
                Some(async move {
                    let _place = place;
                    shared.speak(stream, Came::Locally(peer.uid(), peer.gid())).await;
                })
            },
        )
        .await;
    }

    pub(super) async fn accept_remote(self: Arc<Self>, tcp: Tcp) {
        let Tcp { socket, address } = tcp;
        self.accept(
            &format!("the address for operators, {address}"),
            || socket.accept(),
            move |shared, (stream, address)| {
                let place = shared.places.take(Whose::address(address.ip()))?;
                let tls = shared.tls.read().clone()?;
                Some(async move {
                    let _place = place;
                    let _ = stream.set_nodelay(true);
                    let Ok(Ok(stream)) = timeout(HEAD, tls.accept(stream)).await else { return };
                    let peer = stream.get_ref().1.peer_certificates().map(<[_]>::to_vec).unwrap_or_default();
                    shared.speak(stream, Came::Remotely(address.ip(), peer)).await;
                })
            },
        )
        .await;
    }

    /// Takes connections. One that there is no room for is closed.
    async fn accept<T, A: Future<Output = io::Result<T>>, S: Future<Output = ()> + Send + 'static>(
        self: Arc<Self>,
        listener: &str,
        mut accept: impl FnMut() -> A,
        speak: impl Fn(Arc<Self>, T) -> Option<S>,
    ) {
        let mut accepting = Accepting::new(listener);
        loop {
            let accepted = tokio::select! {
                accepted = accept() => accepted,
                () = self.ending.cancelled() => return,
            };
            match accepted {
                Ok(stream) => {
                    accepting.succeeded();
                    let Some(speaking) = speak(Arc::clone(&self), stream) else { continue };
                    let cut = self.cut.clone();
                    self.tasks.spawn(async move {
                        tokio::select! {
                            () = speaking => {}
                            () = cut.cancelled() => {}
                        }
                    });
                }
                Err(error) => accepting.failed(&error).await,
            }
        }
    }

    /// Answers the requests of a connection until it ends.
    async fn speak(self: Arc<Self>, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, came: Came) {
        let (shared, came) = (Arc::clone(&self), Arc::new(came));
        let service = service_fn(move |request| {
            let (shared, came) = (Arc::clone(&shared), Arc::clone(&came));
            async move { Ok::<_, Infallible>(shared.answer(&came, &request).await) }
        });
        let mut http1 = http1::Builder::new();
        http1.timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(MOST_HEAD);
        let mut connection = pin!(http1.serve_connection(TokioIo::new(Patient::new(stream, TAKES)), service));
        tokio::select! {
            _ = connection.as_mut() => return,
            () = self.ending.cancelled() => {}
            () = sleep(AGE) => {}
        }
        connection.as_mut().graceful_shutdown();
        let _ = timeout(super::FAREWELL, connection).await;
    }

    async fn answer(&self, came: &Arc<Came>, request: &Request<hyper::body::Incoming>) -> Answer {
        let known = Arc::clone(&self.known.borrow());
        let Some(who) = known.who(came, request.headers()) else {
            let (from, problem) = match &**came {
                Came::Locally(user, _) => {
                    let detail = format!("user {user} has no role here; list it in `[[admin.peers]]` of the host configuration");
                    (format!("user {user}"), Problem::new(StatusCode::FORBIDDEN, detail))
                }
                Came::Remotely(address, _) => {
                    let detail = "send a token, or come with a certificate, that the host configuration lists in `[[admin.clients]]`";
                    (address.to_string(), Problem::new(StatusCode::UNAUTHORIZED, detail))
                }
            };
            self.unproved.record(&self.supervisor, problem.status(), &from);
            return closing(problem);
        };
        if is_a_pages(request.headers()) {
            let detail = "a page in a browser may not ask; use a program of your own";
            return closing(Problem::new(StatusCode::FORBIDDEN, detail));
        }
        let answered = match operations::find(request) {
            Ok((operation, subject)) => operation.perform(&Asked { shared: self, who: &who, came, subject, request }).await,
            Err(problem) => Err(problem),
        };
        answered.unwrap_or_else(Problem::answer)
    }
}

/// Whether a page in a browser has had it sent, which would come with whatever certificate the browser has.
fn is_a_pages(headers: &HeaderMap) -> bool {
    headers.contains_key(header::ORIGIN) || headers.get("sec-fetch-site").is_some_and(|site| site != "none")
}

/// A problem, and nothing more by this connection.
fn closing(problem: Problem) -> Answer {
    let mut answer = problem.answer();
    answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    answer
}
