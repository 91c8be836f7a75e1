//! The body of a request as the agent writes it.

use super::Error;
use crate::lock::Mutex;
use crate::policy::MOST_REPEATED;
use bytes::Bytes;
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// Let go before its end, it is read to its end and forgotten, in a task of its own: an agent whose body is dropped sees a broken connection
/// where the answer or the denial should be. That ends with the run, when the agent's side of the body goes.
pub(crate) struct AgentBody {
    /// What was read and put back.
    again: Bytes,
    /// None at its end.
    rest: Option<UnsyncBoxBody<Bytes, Error>>,
    /// Where what is read is kept, where it may be sent twice.
    copy: Option<Copied>,
}

/// A copy of a body as the agent writes it, of what has been read so far, as long as that may be sent twice.
#[derive(Clone)]
pub(super) struct Copied(Arc<Mutex<Copying>>);

enum Copying {
    UnderWay(Vec<u8>),
    Whole(Bytes),
    /// It is too long, has trailers, or broke off.
    GivenUp,
}

impl Copied {
    /// All of it, where all of it has come and was kept.
    pub(super) fn whole(&self) -> Option<Bytes> {
        match &*self.0.lock() {
            Copying::Whole(bytes) => Some(bytes.clone()),
            Copying::UnderWay(_) | Copying::GivenUp => None,
        }
    }

    /// Takes along what is read; `None` is the end.
    fn read(&self, frame: Option<&Result<Frame<Bytes>, Error>>) {
        let mut copy = self.0.lock();
        let Copying::UnderWay(read) = &mut *copy else { return };
        match frame.map(|frame| frame.as_ref().ok().and_then(Frame::data_ref)) {
            None => *copy = Copying::Whole(std::mem::take(read).into()),
            Some(Some(data)) if read.len() + data.len() <= MOST_REPEATED => read.extend_from_slice(data),
            Some(_) => *copy = Copying::GivenUp,
        }
    }
}

impl AgentBody {
    pub(crate) fn new(body: impl Body<Data = Bytes, Error = Error> + Send + 'static) -> Self {
        Self { again: Bytes::new(), rest: (!body.is_end_stream()).then(|| body.boxed_unsync()), copy: None }
    }

    /// One that has come already.
    pub(super) fn of(bytes: Bytes) -> Self {
        Self { again: bytes, rest: None, copy: None }
    }

    /// Keeps what is read from here on.
    pub(super) fn copied(&mut self) -> Copied {
        let copied = Copied(Arc::new(Mutex::new(Copying::UnderWay(Vec::new()))));
        self.copy = Some(copied.clone());
        copied
    }

    /// Puts back what was read: it comes again, before the rest.
    pub(super) fn put_back(&mut self, read: Bytes) {
        self.again = read;
    }
}

impl AgentBody {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
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

impl Body for AgentBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let frame = ready!(self.poll_next(cx));
        if let Some(copy) = &self.copy {
            copy.read(frame.as_ref());
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
