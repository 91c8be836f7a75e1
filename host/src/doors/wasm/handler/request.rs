//! A caller's request as a guest reads it: without values that the host knows for the agent, and no longer than it may be.

use super::{Answering, Call, RequestBody};
use crate::egress;
use crate::meter::Meter;
use crate::scrub::{Live, Stream, Values};
use crate::session::Session;
use bytes::Bytes;
use http::header;
use http_body::{Body, Frame};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Sleep, sleep};
use wasmtime_wasi_http::Error;

/// How long a caller may send nothing of a body that a guest reads.
const PATIENCE: Duration = Duration::from_secs(30);

/// The request's target holds a value: it can't be taken out without asking for something else.
pub(super) struct InTarget;

/// A body on its way in. Trailers stay outside: nothing has proved who wrote them.
pub(super) struct CallerBody {
    inner: RequestBody,
    /// How many bytes it may still have.
    left: u64,
    scrub: Option<Stream>,
    live: Live,
    values: Arc<Values>,
    meter: Arc<Meter>,
    answer: Answering,
    /// Runs while the guest waits for more.
    patience: Option<Pin<Box<Sleep>>>,
    is_over: bool,
}

/// The request without what must not reach the guest.
pub(super) fn cleaned(call: Call, session: &Session) -> Result<http::Request<CallerBody>, InTarget> {
    let Call { request, trigger, answer, .. } = call;
    let (mut parts, inner) = request.into_parts();
    let (live, values) = (session.scrubbing.live.clone(), Arc::clone(&session.scrubbing.values));
    let known = values.of(&live.now());
    if let Some(known) = &known {
        let target = parts.uri.path_and_query().map_or("", |target| target.as_str());
        if known.finds(target.as_bytes()) {
            return Err(InTarget);
        }
        let (headers, redacted) = egress::scrubbed(&parts.headers, known);
        parts.headers = headers;
        answer.account(|account| account.redacted += redacted);
    }
    parts.headers.remove(header::TRAILER);
    let meter = Arc::clone(&session.meter);
    let (patience, is_over) = (None, inner.is_end_stream());
    let body = CallerBody { inner, left: trigger.body, scrub: known.map(Stream::new), live, values, meter, answer, patience, is_over };
    Ok(http::Request::from_parts(parts, body))
}

impl CallerBody {
    fn piece(&mut self, piece: Bytes) -> Result<Bytes, Error> {
        let length = piece.len() as u64;
        if length > self.left {
            self.answer.failed("the request's body is longer than `trigger.body`");
            return Err(Error::HttpRequestBodySize(None));
        }
        self.left -= length;
        if !self.meter.receive(piece.len()) {
            return Err(Error::HttpRequestBodySize(None));
        }
        self.answer.account(|account| account.received += length);
        Ok(self.scrubbed(|stream, out| stream.push(&piece, out)).unwrap_or(piece))
    }

    /// What a step of the scrubber lets go, where there is one.
    fn scrubbed(&mut self, step: impl FnOnce(&mut Stream, &mut Vec<u8>)) -> Option<Bytes> {
        let scrub = self.scrub.as_mut()?;
        if let Some(known) = self.values.of(&self.live.now()) {
            scrub.renew(&known);
        }
        let (before, mut out) = (scrub.redacted(), Vec::new());
        step(scrub, &mut out);
        let redacted = scrub.redacted() - before;
        self.answer.account(|account| account.redacted += redacted);
        Some(out.into())
    }
}

impl Body for CallerBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let body = &mut *self;
        while !body.is_over {
            let Poll::Ready(frame) = Pin::new(&mut body.inner).poll_frame(cx) else {
                ready!(body.patience.get_or_insert_with(|| Box::pin(sleep(PATIENCE))).as_mut().poll(cx));
                body.is_over = true;
                body.answer.failed("the caller sent nothing more of the request's body for too long");
                return Poll::Ready(Some(Err(Error::ConnectionReadTimeout)));
            };
            body.patience = None;
            let piece = match frame {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => body.piece(data),
                    // Trailers are the last that comes.
                    Err(_) => continue,
                },
                Some(Err(_)) => {
                    body.answer.failed("the request's body was broken off");
                    Err(Error::ConnectionTerminated)
                }
                None => {
                    body.is_over = true;
                    Ok(body.scrubbed(Stream::finish).unwrap_or_default())
                }
            };
            match piece {
                Ok(piece) if piece.is_empty() => {}
                Ok(piece) => return Poll::Ready(Some(Ok(Frame::data(piece)))),
                Err(error) => {
                    body.is_over = true;
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        self.is_over
    }
}
