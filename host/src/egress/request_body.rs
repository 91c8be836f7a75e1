//! What a guest sends: counted, watched for placeholders, scrubbed. A short body goes whole, with the length that it then has; a long one
//! flows.

use super::refusal::Broke;
use super::signed_body::SignedBody;
use super::{AgentBody, Error};
use crate::credential::sigv4::{self, Refused};
use crate::credential::{MOST_HELD, has_checksum};
use crate::lock::Mutex;
use crate::meter::Meter;
use crate::policy::Permit;
use crate::scrub::Stream;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use md5::{Digest, Md5};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use zeroize::Zeroizing;

/// Longest body that is scrubbed whole, where no value goes into it.
const WHOLE: usize = 64 * 1024;
/// How long a guest that has begun a body of unknown length may be silent before what there is goes, in chunks.
const SILENCE: Duration = Duration::from_millis(5);

/// The body of a request on its way out.
pub(crate) struct RequestBody {
    /// What may leave at once.
    ready: Bytes,
    rest: Option<Rest>,
    broken: Broken,
    written: Written,
    /// Whether it is another one than the agent wrote.
    is_edited: bool,
    /// The length that the guest said.
    claimed: Option<u64>,
    /// What its bytes are held to, once all else is done with them.
    signed: Option<SignedBody>,
}

/// The bytes of a body that left: all of them, or their digest as far as they did.
#[derive(Clone)]
pub(crate) enum Written {
    Whole(Bytes),
    Flowing(Arc<Mutex<Md5>>),
}

impl Written {
    /// Their MD5 in hexadecimal digits, by which object stores name what was written; none of an empty body.
    pub(crate) fn md5(&self) -> Option<String> {
        let digest = match self {
            Self::Whole(bytes) if bytes.is_empty() => return None,
            Self::Whole(bytes) => Md5::digest(bytes),
            Self::Flowing(digest) => digest.lock().clone().finalize(),
        };
        Some(digest.iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

/// What of a body is still to come.
struct Rest {
    body: AgentBody,
    filter: Filter,
}

/// Judges a piece of a body.
type Inspect = Box<dyn FnMut(&[u8]) -> Result<(), Broke> + Send>;

/// Judges what was taken out of a body; and whether anything may be.
type Leaked = Box<dyn FnMut(Vec<String>, Edits) -> Result<(), Broke> + Send>;

/// Where a body leaves what ended it: on its way through an HTTP client it would be lost.
pub(crate) type Broken = Arc<Mutex<Option<Broke>>>;

/// What is done with each piece of it.
pub(crate) struct Watch {
    pub(crate) meter: Arc<Meter>,
    pub(crate) exchange: Arc<super::exchange::Counters>,
    /// Called with a piece and what came before it; an error ends the body.
    pub(crate) inspect: Inspect,
    /// Called with what was taken out of a piece; an error ends the body.
    pub(crate) leaked: Leaked,
}

/// Whether what leaves may be longer or shorter than what the guest wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Edits {
    Possible,
    /// Its bytes are signed, or have a checksum that is sent before them.
    Signed,
    /// Its length has left, in the head.
    TooLate,
}

/// What bounds a body: how long the guest said that it is, how much of it is held, and whether its bytes have a checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bounds {
    claimed: Option<u64>,
    whole: usize,
    has_checksum: bool,
    is_signed: bool,
}

impl Bounds {
    /// Takes the length out of the headers. `wasi:http` lets no guest say two, or what is no number.
    pub(crate) fn of(headers: &mut http::HeaderMap, permit: &Permit) -> Self {
        let claimed = headers.remove(http::header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        Self {
            claimed,
            whole: if permit.holds_body() { MOST_HELD } else { WHOLE },
            has_checksum: has_checksum(headers),
            is_signed: permit.fixes_body(),
        }
    }

    fn is_long(self) -> bool {
        self.claimed.is_some_and(|length| length > self.whole as u64)
    }
}

struct Filter {
    watch: Watch,
    scrub: Stream,
    bounds: Bounds,
    /// Bytes that the guest has written.
    taken: u64,
    /// Whether the head has left with the length that was said, or with a checksum.
    is_bound: bool,
}

impl Filter {
    /// What may leave of a piece and of what was held back before. Trailers may hold anything and no server needs them from an agent: they
    /// are judged, counted, and left out.
    fn take(&mut self, frame: Frame<Bytes>) -> Result<Vec<u8>, Broke> {
        let mut out = Vec::new();
        match frame.into_data() {
            Ok(data) => {
                self.taken += data.len() as u64;
                if self.bounds.claimed.is_some_and(|claimed| self.taken > claimed) {
                    return Err(Error::RequestBodySize(Some(self.taken)).into());
                }
                if !self.watch.meter.send(data.len()) {
                    return Err(Error::RequestBodySize(None).into());
                }
                self.watch.exchange.sent(data.len());
                (self.watch.inspect)(&data)?;
                out.reserve(data.len() + 64);
                self.scrubbed(|scrub| scrub.push(&data, &mut out))?;
            }
            Err(frame) => {
                for (name, value) in frame.trailers_ref().into_iter().flatten() {
                    (self.watch.inspect)(name.as_str().as_bytes())?;
                    (self.watch.inspect)(value.as_bytes())?;
                }
            }
        }
        Ok(out)
    }

    /// What is still held back, at the end.
    fn finish(&mut self) -> Result<Vec<u8>, Broke> {
        if self.bounds.claimed.is_some_and(|claimed| self.taken < claimed) {
            return Err(Error::RequestBodySize(Some(self.taken)).into());
        }
        let mut out = Vec::new();
        self.scrubbed(|scrub| scrub.finish(&mut out))?;
        Ok(out)
    }

    fn scrubbed(&mut self, step: impl FnOnce(&mut Stream)) -> Result<(), Broke> {
        let before = self.scrub.kinds_found();
        step(&mut self.scrub);
        if self.scrub.kinds_found() == before {
            return Ok(());
        }
        let edits = match (self.bounds.is_signed, self.is_bound) {
            (true, _) => Edits::Signed,
            (false, true) => Edits::TooLate,
            (false, false) => Edits::Possible,
        };
        (self.watch.leaked)(self.scrub.kinds(), edits)
    }
}

impl RequestBody {
    /// Reads as much of a body as decides how it goes: to its end where that comes soon, and with its length; or to where it is long, or the
    /// guest makes a pause, and in chunks unless the guest said its length.
    pub(crate) async fn begin(mut body: AgentBody, bounds: Bounds, watch: Watch, scrub: Stream) -> Result<Self, Broke> {
        let mut filter = Filter { watch, scrub, bounds, taken: 0, is_bound: false };
        let mut ready = Vec::new();
        loop {
            // It has not begun, or is short by what was said: then the rest is worth waiting for.
            let frame = if filter.taken == 0 || bounds.claimed.is_some() || bounds.whole > WHOLE {
                body.frame().await
            } else {
                match tokio::time::timeout(SILENCE, body.frame()).await {
                    Ok(frame) => frame,
                    Err(_) => return Ok(Self::flowing(ready, body, filter)),
                }
            };
            let Some(frame) = frame.transpose()? else { break };
            // Trailers of a body without bytes carry nothing that a server would read.
            if filter.taken == 0 && frame.is_trailers() {
                break;
            }
            // The first piece of a long body: from here on nothing can be taken out of it.
            filter.is_bound = bounds.is_long();
            ready.extend(filter.take(frame)?);
            if filter.is_bound || filter.taken > bounds.whole as u64 {
                return Ok(Self::flowing(ready, body, filter));
            }
        }
        ready.extend(filter.finish()?);
        let ready = Bytes::from(ready);
        let is_edited = !filter.scrub.kinds().is_empty();
        let (broken, claimed, signed) = (Broken::default(), bounds.claimed, None);
        Ok(Self { written: Written::Whole(ready.clone()), ready, rest: None, broken, is_edited, claimed, signed })
    }

    fn flowing(ready: Vec<u8>, body: AgentBody, mut filter: Filter) -> Self {
        let written = Written::Flowing(Arc::default());
        filter.is_bound |= filter.bounds.has_checksum;
        let (broken, claimed, signed) = (Broken::default(), filter.bounds.claimed, None);
        Self { ready: ready.into(), rest: Some(Rest { body, filter }), broken, written, is_edited: false, claimed, signed }
    }

    /// The same with values in it. It was whole.
    pub(super) fn filled(self, body: Zeroizing<Vec<u8>>) -> Self {
        let ready = Bytes::from_owner(body);
        Self { written: Written::Whole(ready.clone()), ready, rest: None, is_edited: true, ..self }
    }

    /// The same, held to what a signature says of it. One that is whole is so at once, before anything leaves.
    pub(super) fn signed(mut self, body: sigv4::Body) -> Result<Self, Error> {
        self.signed = SignedBody::of(body);
        if self.rest.is_none()
            && let Some(mut signed) = self.signed.take()
        {
            let mut out = signed.push(std::mem::take(&mut self.ready)).map_err(other_body)?.to_vec();
            out.extend_from_slice(&signed.finish().map_err(other_body)?);
            self.ready = out.into();
            self.written = Written::Whole(self.ready.clone());
        }
        Ok(self)
    }

    /// The length that is sent, where the guest said it.
    pub(super) fn claimed(&self) -> Option<u64> {
        self.size_hint().exact().filter(|exact| self.claimed == Some(*exact))
    }

    /// Whether it is known to be another one than the agent wrote.
    pub(super) fn is_edited(&self) -> bool {
        self.is_edited
    }

    /// What leaves of it, where all of that is known.
    pub(crate) fn whole(&self) -> Option<&[u8]> {
        match &self.written {
            Written::Whole(bytes) => Some(bytes),
            Written::Flowing(_) => None,
        }
    }

    /// The same, to be kept.
    pub(super) fn bytes(&self) -> Option<Bytes> {
        if let Written::Whole(bytes) = &self.written { Some(bytes.clone()) } else { None }
    }

    /// What leaves of it.
    pub(crate) fn written(&self) -> Written {
        self.written.clone()
    }

    /// Where it leaves what ended it.
    pub(crate) fn broken(&self) -> Broken {
        Arc::clone(&self.broken)
    }

    /// Keeps what ended it, and ends it.
    fn breaks(&mut self, why: Broke) -> Error {
        self.rest = None;
        *self.broken.lock() = Some(why);
        Error::Broken
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        loop {
            let scrubbed = std::task::ready!(self.poll_scrubbed(cx)).transpose()?;
            let is_last = scrubbed.is_none();
            let out = match (scrubbed, &mut self.signed) {
                (scrubbed, None) => Ok(scrubbed.unwrap_or_default()),
                (Some(piece), Some(signed)) => signed.push(piece),
                (None, signed @ Some(_)) => signed.take().map_or_else(|| Ok(Bytes::new()), SignedBody::finish),
            };
            let out = match out {
                Ok(out) => out,
                Err(why) => return Poll::Ready(Some(Err(self.breaks(other_body(why).into())))),
            };
            if !out.is_empty() {
                if let Written::Flowing(digest) = &self.written {
                    digest.lock().update(&out);
                }
                return Poll::Ready(Some(Ok(Frame::data(out))));
            }
            if is_last {
                return Poll::Ready(None);
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ready.is_empty() && self.rest.is_none() && self.signed.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match &self.rest {
            // What a signature holds back is sent with the rest.
            None if self.signed.is_some() => SizeHint::default(),
            None => SizeHint::with_exact(self.ready.len() as u64),
            // Nothing was taken out: what was scrubbed is what was written, a part of it held back.
            Some(Rest { filter: Filter { bounds: Bounds { claimed: Some(claimed), .. }, is_bound: true, .. }, .. }) => {
                SizeHint::with_exact(*claimed)
            }
            Some(_) => SizeHint::default(),
        }
    }
}

fn other_body(why: Refused) -> Error {
    Error::OtherBody(format!("strongroom: the body is not the one that the request's signature is for: {why}"))
}

impl RequestBody {
    /// What may leave of it, as far as secrets go; `None` at its end.
    fn poll_scrubbed(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        loop {
            if !self.ready.is_empty() {
                return Poll::Ready(Some(Ok(std::mem::take(&mut self.ready))));
            }
            let Some(rest) = &mut self.rest else { return Poll::Ready(None) };
            let out = match std::task::ready!(Pin::new(&mut rest.body).poll_frame(cx)) {
                Some(Ok(frame)) => rest.filter.take(frame),
                Some(Err(error)) => Err(error.into()),
                None => {
                    let last = rest.filter.finish();
                    last.inspect(|_| self.rest = None)
                }
            };
            match out {
                Ok(out) => self.ready = out.into(),
                Err(why) => return Poll::Ready(Some(Err(self.breaks(why)))),
            }
        }
    }
}
