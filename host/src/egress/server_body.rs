//! The body of a response as its server sends it. Reading it drives its connection, which goes back to the idle ones at its end.

use super::connection::Http1;
use super::idle::Idle;
use super::pool::Purpose;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// A body, and what it comes over.
pub(super) struct ServerBody {
    body: Option<Incoming>,
    /// None at its end, and where requests share a connection.
    over: Option<Over>,
}

/// A connection that serves one answer, and what it is for.
pub(super) struct Over {
    pub(super) connection: Box<Http1>,
    pub(super) purpose: Purpose,
    pub(super) idle: Arc<Idle>,
}

impl ServerBody {
    pub(super) fn new(body: Incoming, over: Option<Over>) -> Self {
        let mut body = Self { body: Some(body), over };
        if body.is_end_stream() {
            body.end();
        }
        body
    }

    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = std::task::ready!(Pin::new(body).poll_frame(cx));
        if frame.as_ref().is_none_or(Result::is_err) || self.is_end_stream() {
            self.end();
        }
        Poll::Ready(frame)
    }

    /// Nothing more of it is read. Of what is left, the client takes in what has come already, or ends the connection.
    fn end(&mut self) {
        self.body = None;
        if let Some(Over { connection, purpose, idle }) = self.over.take() {
            idle.take_back(purpose, connection);
        }
    }
}

impl Body for ServerBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = self.get_mut();
        let polled = this.poll_body(cx);
        match &mut this.over {
            Some(over) if polled.is_pending() => {
                over.connection.drive(cx);
                this.poll_body(cx)
            }
            _ => polled,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or(SizeHint::with_exact(0), Body::size_hint)
    }
}

impl Drop for ServerBody {
    fn drop(&mut self) {
        self.end();
    }
}
