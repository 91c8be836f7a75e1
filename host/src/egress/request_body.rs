//! What a guest sends: counted, watched for placeholders, streamed.

use crate::meter::Meter;
use crate::scrub::Stream;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use wasmtime_wasi_http::{Error, WasiBody};

/// The body of a request on its way out.
pub(crate) struct RequestBody {
    first: Option<Frame<Bytes>>,
    rest: Option<WasiBody>,
    watch: Option<Watch>,
    scrub: Option<Stream>,
}

/// Judges a piece of a body.
type Inspect = Box<dyn FnMut(&[u8]) -> Result<(), Error> + Send>;

/// Judges what was taken out of a body.
type Leaked = Box<dyn FnMut(Vec<String>) -> Result<(), Error> + Send>;

/// Where a body leaves the error that ended it: on its way through an HTTP/2 client it would be lost.
pub(crate) type Broken = Arc<Mutex<Option<Error>>>;

/// What is done with each piece of it.
pub(crate) struct Watch {
    pub(crate) meter: Arc<Meter>,
    pub(crate) exchange: Arc<super::exchange::Counters>,
    /// Called with a piece and what came before it; an error ends the body.
    pub(crate) inspect: Inspect,
    /// Called with what was taken out of a piece; an error ends the body.
    pub(crate) leaked: Leaked,
    pub(crate) broken: Broken,
}

impl RequestBody {
    /// Waits for the first bytes, or for the end: only then is it known whether there is a body at all.
    pub(crate) async fn begin(mut body: WasiBody, watch: Watch, scrub: Stream) -> Result<Self, Error> {
        loop {
            match body.frame().await.transpose()? {
                None => return Ok(Self { first: None, rest: None, watch: None, scrub: None }),
                Some(frame) if frame.data_ref().is_some_and(Bytes::is_empty) => {}
                // Trailers of a body without bytes carry nothing that a server would read.
                Some(frame) if frame.is_trailers() => return Ok(Self { first: None, rest: None, watch: None, scrub: None }),
                Some(frame) => return Ok(Self { first: Some(frame), rest: Some(body), watch: Some(watch), scrub: Some(scrub) }),
            }
        }
    }

    fn watched(&mut self, frame: &Frame<Bytes>) -> Result<(), Error> {
        let Some(watch) = &mut self.watch else { return Ok(()) };
        if let Some(data) = frame.data_ref() {
            if !watch.meter.send(data.len()) {
                return Err(Error::HttpRequestBodySize(None));
            }
            watch.exchange.sent(data.len());
            return (watch.inspect)(data);
        }
        match frame.trailers_ref() {
            Some(trailers) => trailers.iter().try_for_each(|(name, value)| {
                (watch.inspect)(name.as_str().as_bytes())?;
                (watch.inspect)(value.as_bytes())
            }),
            None => Ok(()),
        }
    }
}

impl RequestBody {
    /// What may leave of a piece and of what was held back before.
    fn scrubbed(&mut self, data: &[u8]) -> Result<Option<Frame<Bytes>>, Error> {
        let Some(scrub) = &mut self.scrub else { return Ok(None) };
        let mut out = Vec::with_capacity(data.len() + 64);
        let before = scrub.kinds_found();
        scrub.push(data, &mut out);
        self.judged(before, out)
    }

    /// What is still held back, at the end.
    fn last(&mut self) -> Result<Option<Frame<Bytes>>, Error> {
        let Some(scrub) = &mut self.scrub else { return Ok(None) };
        let mut out = Vec::new();
        let before = scrub.kinds_found();
        scrub.finish(&mut out);
        let last = self.judged(before, out);
        self.scrub = None;
        last
    }

    fn broken(&self, error: Error) -> Error {
        if let Some(watch) = &self.watch {
            *watch.broken.lock().unwrap_or_else(PoisonError::into_inner) = Some(super::own_error(&error));
        }
        error
    }

    fn judged(&mut self, before: usize, out: Vec<u8>) -> Result<Option<Frame<Bytes>>, Error> {
        if let (Some(scrub), Some(watch)) = (&self.scrub, &mut self.watch)
            && scrub.kinds_found() > before
        {
            (watch.leaked)(scrub.kinds())?;
        }
        Ok((!out.is_empty()).then(|| Frame::data(out.into())))
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        loop {
            let frame = match (self.first.take(), &mut self.rest) {
                (Some(frame), _) => frame,
                (None, None) => return Poll::Ready(self.last().map_err(|error| self.broken(error)).transpose()),
                (None, Some(rest)) => match std::task::ready!(Pin::new(rest).poll_frame(cx)) {
                    Some(Ok(frame)) => frame,
                    None => {
                        self.rest = None;
                        continue;
                    }
                    Some(Err(error)) => {
                        (self.rest, self.scrub) = (None, None);
                        return Poll::Ready(Some(Err(error)));
                    }
                },
            };
            let clean = self.watched(&frame).and_then(|()| match frame.into_data() {
                Ok(data) => self.scrubbed(&data),
                // Trailers may hold anything and no server needs them from an agent: judged, counted, and left out.
                Err(_) => {
                    self.rest = None;
                    Ok(None)
                }
            });
            match clean {
                Ok(None) => {}
                Ok(Some(frame)) => return Poll::Ready(Some(Ok(frame))),
                Err(error) => {
                    self.scrub = None;
                    return Poll::Ready(Some(Err(self.broken(error))));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.rest.is_none() && self.scrub.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        if self.is_end_stream() { SizeHint::with_exact(0) } else { SizeHint::default() }
    }
}

impl Drop for RequestBody {
    /// The server may have answered before it read everything; the guest still gets to finish.
    fn drop(&mut self) {
        if let Some(rest) = self.rest.take() {
            drain(rest);
        }
    }
}

/// Reads a body to its end and forgets it, in a task of its own: a guest whose body is dropped sees a broken connection where
/// the answer or the denial should be. It ends with the run, when the guest's side of the body goes.
pub(crate) fn drain(mut body: WasiBody) {
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        runtime.spawn(async move { while let Some(Ok(_)) = body.frame().await {} });
    }
}
