//! The body of a request as the agent writes it.

use super::Error;
use bytes::Bytes;
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// Let go before its end, it is read to its end and forgotten, in a task of its own: an agent whose body is dropped sees a broken connection
/// where the answer or the denial should be. That ends with the run, when the agent's side of the body goes.
pub(crate) struct AgentBody {
    /// What was read and put back.
    again: Bytes,
    /// None at its end.
    rest: Option<UnsyncBoxBody<Bytes, Error>>,
}

impl AgentBody {
    pub(crate) fn new(body: impl Body<Data = Bytes, Error = Error> + Send + 'static) -> Self {
        Self { again: Bytes::new(), rest: (!body.is_end_stream()).then(|| body.boxed_unsync()) }
    }

    /// Puts back what was read: it comes again, before the rest.
    pub(super) fn put_back(&mut self, read: Vec<u8>) {
        self.again = read.into();
    }
}

impl Body for AgentBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if !self.again.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.again)))));
        }
        let Some(rest) = &mut self.rest else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(rest).poll_frame(cx));
        if !matches!(frame, Some(Ok(_))) {
            self.rest = None;
        }
        Poll::Ready(frame)
    }
}

impl Drop for AgentBody {
    fn drop(&mut self) {
        if let (Some(mut rest), Ok(runtime)) = (self.rest.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(async move { while let Some(Ok(_)) = rest.frame().await {} });
        }
    }
}
