//! A call of the host's own to a server that a manifest names: over the agents' network, by the same rules on addresses and with the same
//! proxy and authorities; one request over a connection of its own, one response of bounded size. Nothing is followed or repeated.

#![expect(clippy::disallowed_methods, reason = "calls to token endpoints, which are no agent's requests, leave here")]

use super::connect::{Connector, Network, Stream};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

/// Longest body of a response, in bytes.
const LONGEST: usize = 1 << 20;

/// What is sent.
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) url: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Zeroizing<Vec<u8>>,
}

/// What came back.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Zeroizing<Vec<u8>>,
}

/// Why nothing came back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CallError {
    /// Nothing was sent.
    #[error("{0}")]
    Unsent(String),
    /// Something was sent, and what came of it is unknown.
    #[error("{0}")]
    Lost(&'static str),
}

/// Makes calls.
pub(crate) struct Caller(Connector);

/// The wiped buffer of a body that is sent.
struct Wiped(Zeroizing<Vec<u8>>);

impl AsRef<[u8]> for Wiped {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Caller {
    pub(crate) fn new(network: Arc<Network>) -> Self {
        Self(Connector::new(network, None))
    }

    /// Sends the call, and waits so long for its whole response.
    pub(crate) async fn send(&self, call: Call, patience: Duration) -> Result<Reply, CallError> {
        let uri: Uri = call.url.parse().map_err(|_| CallError::Unsent("its URL is none".to_owned()))?;
        let unsent = |why: String| CallError::Unsent(why);
        let stream = self.0.connect(&uri, None).await.map_err(|error| unsent(error.to_string()))?;
        let request = request(call, &uri, stream.is_http2()).ok_or_else(|| unsent("its URL is none".to_owned()))?;
        let exchange = async {
            let response = respond(stream, request).await?;
            let (parts, body) = response.into_parts();
            let body = Limited::new(body, LONGEST).collect().await;
            let body = body.map_err(|_| CallError::Lost("its response was cut short, or is longer than 1 MiB"))?;
            Ok(Reply { status: parts.status, headers: parts.headers, body: Zeroizing::new(body.to_bytes().to_vec()) })
        };
        tokio::time::timeout(patience, exchange).await.unwrap_or(Err(CallError::Lost("no response in time")))
    }
}

/// The head of the response, over the version of HTTP that was agreed on.
async fn respond(stream: Stream, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, CallError> {
    let lost = |_: hyper::Error| CallError::Lost("the connection was lost before a response");
    let failed = |_: hyper::Error| CallError::Unsent("the connection was lost".to_owned());
    if stream.is_http2() {
        let (mut sender, connection) =
            http2::Builder::new(TokioExecutor::new()).timer(TokioTimer::new()).handshake(stream).await.map_err(failed)?;
        tokio::spawn(connection);
        sender.ready().await.map_err(failed)?;
        return sender.send_request(request).await.map_err(lost);
    }
    let (mut sender, connection) = http1::handshake(stream).await.map_err(failed)?;
    tokio::spawn(connection);
    sender.ready().await.map_err(failed)?;
    sender.send_request(request).await.map_err(lost)
}

fn request(call: Call, uri: &Uri, is_http2: bool) -> Option<Request<Full<Bytes>>> {
    let Call { method, url: _, mut headers, body } = call;
    headers.insert(header::CONTENT_LENGTH, body.len().into());
    // A response in another coding than none is not read.
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    let target = if is_http2 {
        uri.clone()
    } else {
        headers.insert(header::HOST, HeaderValue::from_str(uri.authority()?.as_str()).ok()?);
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        uri.path_and_query()?.as_str().parse().ok()?
    };
    let mut request = Request::new(Full::new(Bytes::from_owner(Wiped(body))));
    (*request.method_mut(), *request.uri_mut(), *request.headers_mut()) = (method, target, headers);
    Some(request)
}
