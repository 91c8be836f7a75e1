//! An open connection.
//!
//! HTTP/1.1 is driven by whoever waits for it: first the request, then whoever reads its response. No task of its own stands between an
//! agent and its server, so none has to be woken for each piece. A request that continues while its response is read has one after all, and
//! so has HTTP/2, where requests share a connection.

#![expect(clippy::disallowed_types, reason = "what requests of agents leave by, each with the leave of its policy")]

use super::connect::Stream;
use super::head;
use super::request_body::RequestBody;
use crate::policy::{Charge, Leave};
use http::{HeaderValue, Request, Response, Uri, header, uri};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Waker};

/// Longest list of headers over HTTP/2.
const HEADERS: u32 = 64 * 1024;

/// A connection that takes requests.
pub(super) enum Connection {
    /// One after the other.
    One(Box<Http1>),
    /// Several at once.
    Many(http2::SendRequest<RequestBody>),
}

/// A connection of HTTP/1.1.
pub(super) struct Http1 {
    sender: http1::SendRequest<RequestBody>,
    /// None once it has ended, or a task of its own drives it.
    driven: Option<http1::Connection<Stream, RequestBody>>,
}

/// The head of an answer, what drives its body, and what is left of the leave that its request had.
pub(super) struct Answered {
    pub(super) answer: Response<Incoming>,
    /// None where requests share the connection.
    pub(super) connection: Option<Box<Http1>>,
    pub(super) charge: Option<Charge>,
}

/// A request that got no answer.
pub(super) struct Failed {
    pub(super) why: hyper::Error,
    /// Where the connection had ended before: nothing of the request has left, and it has its leave still.
    pub(super) unsent: Option<(Leave, Request<RequestBody>)>,
}

impl Connection {
    /// Speaks HTTP over a stream, in the version that was agreed on.
    pub(super) async fn over(stream: Stream) -> hyper::Result<Self> {
        if stream.is_http2() {
            let mut builder = http2::Builder::new(TokioExecutor::new());
            let (sender, connection) = builder.timer(TokioTimer::new()).max_header_list_size(HEADERS).handshake(stream).await?;
            tokio::spawn(connection);
            return Ok(Self::Many(sender));
        }
        let (sender, connection) = http1::Builder::new()
            // What browsers and curl read is read. What such a line may not be is looked at in `head`.
            .max_headers(head::MOST_LINES)
            .ignore_invalid_headers_in_responses(true)
            .allow_spaces_after_header_name_in_responses(true)
            .allow_obsolete_multiline_headers_in_responses(true)
            .handshake(stream)
            .await?;
        Ok(Self::One(Box::new(Http1 { sender, driven: Some(connection) })))
    }

    /// Whether it takes a request now.
    pub(super) fn is_ready(&mut self) -> bool {
        match self {
            Self::One(connection) => connection.is_ready(),
            Self::Many(sender) => sender.is_ready(),
        }
    }

    /// Sends a request.
    pub(super) async fn send(self, leave: Leave, request: Request<RequestBody>) -> Result<Answered, Failed> {
        let (answer, connection) = match self {
            Self::One(mut connection) => (connection.send(request).await, Some(connection)),
            Self::Many(mut sender) => (sender.try_send_request(request).await, None),
        };
        match answer {
            Ok(answer) => Ok(Answered { answer, connection, charge: leave.used() }),
            Err(mut error) => {
                let unsent = error.take_message().map(|request| (leave, request));
                Err(Failed { why: error.into_error(), unsent })
            }
        }
    }
}

impl Http1 {
    async fn send(&mut self, mut request: Request<RequestBody>) -> Result<Response<Incoming>, TrySendError<Request<RequestBody>>> {
        if request.body().whole().is_none()
            && let Some(connection) = self.driven.take()
        {
            tokio::spawn(connection);
        }
        to_origin_form(&mut request);
        let mut answer = std::pin::pin!(self.sender.try_send_request(request));
        let driven = &mut self.driven;
        poll_fn(|cx| {
            drive(driven, cx);
            answer.as_mut().poll(cx)
        })
        .await
    }

    /// Moves what can be moved; the task is woken when there is more.
    pub(super) fn drive(&mut self, cx: &mut Context<'_>) {
        drive(&mut self.driven, cx);
    }

    /// Whether it takes a request now. What its server has done meanwhile, as ending it, is known by then.
    pub(super) fn is_ready(&mut self) -> bool {
        self.drive(&mut Context::from_waker(Waker::noop()));
        self.sender.is_ready()
    }

    /// Whether a task of its own drives it.
    pub(super) fn is_apart(&self) -> bool {
        self.driven.is_none() && !self.sender.is_closed()
    }

    /// Waits until it takes a request; false where it will not take another.
    pub(super) async fn becomes_ready(&mut self) -> bool {
        self.sender.ready().await.is_ok()
    }
}

/// An error is not lost: the client tells it to whoever waits for an answer, or for more of one.
fn drive(driven: &mut Option<http1::Connection<Stream, RequestBody>>, cx: &mut Context<'_>) {
    if driven.as_mut().is_some_and(|connection| Pin::new(connection).poll(cx).is_ready()) {
        *driven = None;
    }
}

/// A request as HTTP/1.1 has it: the host in a header, and path and query alone in its target (RFC 9112 3.2).
fn to_origin_form(request: &mut Request<RequestBody>) {
    let parts = std::mem::take(request.uri_mut()).into_parts();
    if let Some(host) = parts.authority.as_ref().and_then(|authority| host(parts.scheme.as_ref(), authority)) {
        request.headers_mut().entry(header::HOST).or_insert(host);
    }
    *request.uri_mut() = parts.path_and_query.map_or_else(|| Uri::from_static("/"), Uri::from);
}

/// Host and port, unless it is the scheme's own (RFC 9110 7.2).
fn host(scheme: Option<&uri::Scheme>, authority: &uri::Authority) -> Option<HeaderValue> {
    let default = if scheme == Some(&uri::Scheme::HTTPS) { 443 } else { 80 };
    match authority.port_u16().filter(|port| *port != default) {
        Some(port) => HeaderValue::try_from(format!("{}:{port}", authority.host())).ok(),
        None => HeaderValue::from_str(authority.host()).ok(),
    }
}
