//! What comes back: decoded, scrubbed, counted, streamed.

use super::Error;
use super::coded::Coded;
use super::coding::{Coding, Decoders};
use super::exchange::Exchange;
use super::readable::{self, Opening};
use super::refusal::OWN;
use super::sealing::{Allowed, RefreshToken, SealedBody, Sealing, Withheld};
use super::server_body::ServerBody;
use super::silence::Silence;
use crate::scrub::{Known, Live, Replacement, Scrubber, Stream, Values};
use crate::secrets::Written;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Sleep;

/// Headers that describe the bytes of a body as the server sent them, and no longer fit.
static DESCRIBES_BYTES: [HeaderName; 8] = [
    header::CONTENT_LENGTH,
    header::CONTENT_ENCODING,
    header::ACCEPT_RANGES,
    HeaderName::from_static("digest"),
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("content-md5"),
    HeaderName::from_static("want-digest"),
];

/// What an answer is searched for: what the run's texts are, and what its own request carried beyond that.
pub(super) struct Searched {
    live: Live,
    carried: Arc<Vec<(Arc<Known>, Replacement)>>,
    allowed: Vec<Allowed>,
    /// Where only values are looked for, by no rule.
    values: Option<Arc<Values>>,
    /// The run's scrubber that the last one was made of.
    of: Option<Arc<Scrubber>>,
    last: Arc<Scrubber>,
}

impl Searched {
    pub(super) fn new(live: &Live, carried: Vec<(Arc<Known>, Replacement)>) -> Self {
        Self { last: live.now(), live: live.clone(), carried: Arc::new(carried), allowed: Vec::new(), values: None, of: None }
    }

    /// The values alone, for the answer of a host that holds no grant.
    pub(super) fn values_alone(self, values: &Arc<Values>) -> Self {
        Self { values: Some(Arc::clone(values)), ..self }
    }

    /// Lets texts pass that rules find.
    fn allow(&mut self, texts: Vec<Allowed>) {
        if !texts.is_empty() {
            (self.allowed, self.of) = (texts, None);
        }
    }

    /// Looks for more that came with it.
    fn bring(&mut self, values: Vec<(Arc<Known>, Replacement)>) {
        if !values.is_empty() {
            Arc::make_mut(&mut self.carried).extend(values);
            self.of = None;
        }
    }

    /// The scrubber of this moment: what was sealed since, in this answer or another, is looked for from here on.
    fn now(&mut self) -> &Arc<Scrubber> {
        let live = self.live.now();
        if !self.of.as_ref().is_some_and(|of| Arc::ptr_eq(of, &live)) {
            let all = if self.carried.is_empty() { Arc::clone(&live) } else { Arc::new(live.knowing_also(&self.carried)) };
            let all = if self.allowed.is_empty() { all } else { Arc::new(all.allowing(&self.allowed)) };
            self.last = self.values.as_ref().and_then(|values| values.of(&all)).unwrap_or(all);
            self.of = Some(live);
        }
        &self.last
    }
}

/// An answer of a host that holds a grant: its headers scrubbed, and its body about to be. Where fields of the body are sealed, that is done.
pub(super) async fn guarded(
    answer: http::Response<ServerBody>,
    exchange: Exchange,
    mut searched: Searched,
    sealing: Sealing,
    between_bytes: Duration,
) -> Result<http::Response<AnswerBody>, Error> {
    let (mut parts, body) = answer.into_parts();
    let mut exchange = exchange;
    readable(readable::framing(&parts.headers).or_else(|| readable::whole(parts.status, &parts.headers)), &mut exchange)?;
    let codings = codings(&parts.headers, &body, searched.now(), &mut exchange)?;
    let opening = Opening::of(&parts.headers);
    sealing.headers(&mut parts.headers);
    let mut body = AnswerBody {
        inner: Some(body),
        decoder: Decoders::new(&codings),
        coded: None,
        opening,
        seal: sealing.body(parts.status),
        scrub: Some(Stream::of_answer(Arc::clone(searched.now()))),
        searched,
        sealing: Some(sealing),
        first: None,
        trailers: None,
        exchange: Some(exchange),
        between_bytes,
        patience: None,
        silence: Silence::new(),
        broken: None,
        keeping: None,
    };
    if body.seal.is_some() || body.is_over() {
        body.first = body.frame().await.transpose()?;
    }
    let mut headers = body.scrubbed(&parts.headers);
    for name in &DESCRIBES_BYTES {
        headers.remove(name);
    }
    Ok(response(parts.status, headers, body))
}

/// An answer of a host that holds no grant. Where nothing is found in it, it is passed on as it came, its coding included.
pub(super) async fn searched(
    answer: http::Response<ServerBody>,
    mut exchange: Exchange,
    mut searched: Searched,
    has_values: bool,
    between_bytes: Duration,
) -> Result<http::Response<AnswerBody>, Error> {
    let (parts, body) = answer.into_parts();
    readable(readable::framing(&parts.headers), &mut exchange)?;
    let mut decoder = None;
    if has_values {
        readable(readable::searchable(&parts.headers), &mut exchange)?;
        decoder = Decoders::new(&codings(&parts.headers, &body, searched.now(), &mut exchange)?);
    }
    let mut body = AnswerBody {
        inner: Some(body),
        coded: decoder.is_some().then(Coded::default),
        decoder,
        opening: None,
        seal: None,
        scrub: has_values.then(|| Stream::new(Arc::clone(searched.now()))),
        searched,
        sealing: None,
        first: None,
        trailers: None,
        exchange: Some(exchange),
        between_bytes,
        patience: None,
        silence: Silence::new(),
        broken: None,
        keeping: None,
    };
    let headers = if has_values { body.scrubbed(&parts.headers) } else { parts.headers };
    if body.is_over() {
        body.first = body.frame().await.transpose()?;
    }
    Ok(response(parts.status, headers, body))
}

/// Refuses an answer that can't be read, and says what of it.
fn readable(wrong: Option<&'static str>, exchange: &mut Exchange) -> Result<(), Error> {
    match wrong {
        None => Ok(()),
        Some(why) => {
            exchange.failed(why);
            Err(unreadable(why))
        }
    }
}

pub(super) fn unreadable(why: &str) -> Error {
    Error::host(format!("strongroom: the response can't be read: {why}"))
}

/// Only the status and the headers are handed on: the reason phrase, which a server may fill with an echo, is not.
fn response(status: http::StatusCode, headers: HeaderMap, body: AnswerBody) -> http::Response<AnswerBody> {
    let mut response = http::Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    // What the host itself says of a request, no server says.
    let own: Vec<HeaderName> = response.headers().keys().filter(|name| name.as_str().starts_with(OWN)).cloned().collect();
    own.iter().for_each(|name| drop(response.headers_mut().remove(name)));
    response
}

/// The codings of a body, in the order in which they were applied. Where there is no body there are none.
fn codings(headers: &HeaderMap, body: &ServerBody, scrubber: &Scrubber, exchange: &mut Exchange) -> Result<Vec<Coding>, Error> {
    if body.is_end_stream() || !headers.contains_key(header::CONTENT_ENCODING) {
        return Ok(Vec::new());
    }
    let lines: Vec<_> = headers.get_all(header::CONTENT_ENCODING).iter().map(|line| String::from_utf8_lossy(line.as_bytes())).collect();
    let named = lines.join(", ");
    Coding::listed(&named).map_err(|()| {
        let found = shown(&named, scrubber);
        let error = format!("a content coding that the host can't decode: `{found}`; ask for none with `accept-encoding: identity`");
        exchange.failed_with("a content coding that can't be decoded", found);
        Error::ContentCoding(error)
    })
}

/// Most characters of what a server says that are told.
const MOST_TOLD: usize = 40;

/// What a server says, for people and for the agent.
fn shown(text: &str, scrubber: &Scrubber) -> String {
    crate::text::for_people(&scrubber.scrub_text(text)).chars().take(MOST_TOLD).collect()
}

/// Headers without what the scrubber finds in them, and how much that was.
pub(crate) fn scrubbed(headers: &HeaderMap, scrubber: &Scrubber) -> (HeaderMap, u64) {
    let (mut clean, mut count) = (HeaderMap::with_capacity(headers.len()), 0);
    for (name, value) in headers {
        if scrubber.finds(name.as_str().as_bytes()) {
            count += 1;
            continue;
        }
        let value = match scrubber.scrub(value.as_bytes()) {
            None => value.clone(),
            Some(scrubbed) => {
                count += 1;
                HeaderValue::from_bytes(&scrubbed).unwrap_or_else(|_| HeaderValue::from_static("[redacted]"))
            }
        };
        clean.append(name, value);
    }
    (clean, count)
}

/// The body of an answer on its way in.
pub(crate) struct AnswerBody {
    inner: Option<ServerBody>,
    decoder: Option<Decoders>,
    /// The coded pieces themselves, where they are handed on as they came.
    coded: Option<Coded>,
    opening: Option<Opening>,
    /// What holds the body back until it is there whole, where fields of it are sealed.
    seal: Option<SealedBody>,
    scrub: Option<Stream>,
    searched: Searched,
    sealing: Option<Sealing>,
    /// What was read before the head was handed on.
    first: Option<Frame<Bytes>>,
    trailers: Option<HeaderMap>,
    exchange: Option<Exchange>,
    between_bytes: Duration,
    patience: Option<Pin<Box<Sleep>>>,
    silence: Silence,
    /// Why no more of it can be read: said when all that was read is handed on.
    broken: Option<Error>,
    /// What is being written down before the rest is handed on.
    keeping: Option<Keeping>,
}

/// A body that waits until its refresh token is written down.
struct Keeping {
    written: Written,
    body: Vec<u8>,
}

/// Steps of decoding that give nothing before others have a turn.
const MOST_STEPS: usize = 64;

impl AnswerBody {
    /// Takes a piece of the decoded body in and gives what may be handed on.
    fn hand_on(&mut self, piece: Bytes) -> Result<Option<Bytes>, Error> {
        let Some(exchange) = &mut self.exchange else { return Ok(None) };
        exchange.is_let().map_err(|refused| Error::host(refused.text))?;
        if !exchange.received(piece.len()) {
            return Err(Error::AnswerSize);
        }
        if let Some(why) = self.opening.as_mut().and_then(|opening| opening.push(&piece)) {
            exchange.failed(why);
            return Err(unreadable(why));
        }
        if let Some(seal) = &mut self.seal {
            return match seal.push(&piece) {
                Ok(None) => Ok(None),
                Ok(Some(held)) => {
                    self.seal = None;
                    self.scrubbed_piece(held.into())
                }
                Err(withheld) => Err(self.withhold(withheld)),
            };
        }
        self.scrubbed_piece(piece)
    }

    fn scrubbed_piece(&mut self, piece: Bytes) -> Result<Option<Bytes>, Error> {
        let Some(scrub) = &mut self.scrub else { return Ok((!piece.is_empty()).then_some(piece)) };
        let before = scrub.redacted();
        let mut out = Vec::with_capacity(piece.len() + 64);
        scrub.renew(self.searched.now());
        scrub.push(&piece, &mut out);
        let found = scrub.redacted() - before;
        if let Some(exchange) = &mut self.exchange {
            exchange.redacted(found);
        }
        if let Some(coded) = &mut self.coded {
            coded.decoded(piece.len());
        }
        self.looked_at(found, out, false)
    }

    /// What may be handed on of what has been looked at. A coded answer can't be edited: it ends before the piece that a value stands in.
    fn looked_at(&mut self, found: u64, out: Vec<u8>, is_last: bool) -> Result<Option<Bytes>, Error> {
        match &mut self.coded {
            None => Ok((!out.is_empty()).then(|| out.into())),
            Some(_) if found > 0 => {
                self.fail("a coded response contains a value that the host keeps");
                Err(unreadable("it is coded and contains a value that the host keeps; ask for it with `accept-encoding: identity`"))
            }
            Some(coded) if is_last => Ok(coded.rest()),
            Some(coded) => Ok(coded.release(out.len())),
        }
    }

    /// Whether nothing can come any more, as after 204, 304, the answer to HEAD, or a length of none.
    fn is_over(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    /// Ends it unread.
    pub(super) fn close(&mut self, why: &'static str) {
        self.fail(why);
        (self.inner, self.decoder, self.scrub, self.seal, self.exchange) = (None, None, None, None, None);
    }

    /// Ends an answer of which nothing may be handed on.
    fn withhold(&mut self, why: Withheld) -> Error {
        self.fail(why.reason());
        Error::host(why.for_guest())
    }

    /// Headers without what must not reach the guest.
    fn scrubbed(&mut self, headers: &HeaderMap) -> HeaderMap {
        let (clean, count) = scrubbed(headers, self.searched.now());
        if let Some(exchange) = &mut self.exchange {
            exchange.redacted(count);
        }
        clean
    }

    /// The trailers, if there are some. The exchange has ended, and its record is written.
    fn end(&mut self) -> Option<Frame<Bytes>> {
        let mut trailers = self.trailers.take();
        if let (Some(sealing), Some(trailers)) = (&self.sealing, &mut trailers) {
            sealing.headers(trailers);
        }
        let trailers = trailers.map(|trailers| self.scrubbed(&trailers));
        let mut exchange = self.exchange.take()?;
        exchange.finished();
        trailers.map(Frame::trailers)
    }

    /// What the scrubber still holds, at the end.
    fn last(&mut self) -> Result<Option<Bytes>, Error> {
        let Some(mut scrub) = self.scrub.take() else { return Ok(None) };
        scrub.renew(self.searched.now());
        let before = scrub.redacted();
        let mut out = Vec::new();
        let is_whole = self.broken.is_none();
        match &self.coded {
            // Of what can't be edited, what may be half a value stays here.
            Some(_) if !is_whole => scrub.pause(&mut out),
            _ if !is_whole => scrub.break_off(&mut out),
            _ => scrub.finish(&mut out),
        }
        let found = scrub.redacted() - before;
        if let Some(exchange) = &mut self.exchange {
            exchange.redacted(found);
        }
        self.looked_at(found, out, is_whole)
    }

    /// What may be handed on since nothing has come for a while.
    fn paused(&mut self) -> Result<Option<Bytes>, Error> {
        let Some(scrub) = &mut self.scrub else { return Ok(None) };
        let before = scrub.redacted();
        let mut out = Vec::new();
        scrub.renew(self.searched.now());
        scrub.pause(&mut out);
        let found = scrub.redacted() - before;
        if let Some(exchange) = &mut self.exchange {
            exchange.redacted(found);
        }
        self.looked_at(found, out, false)
    }

    /// Hands a piece of a coded body to its decoder.
    fn feed(&mut self, piece: Bytes) -> Result<(), Error> {
        if !self.exchange.as_ref().is_some_and(|exchange| exchange.received_coded(piece.len())) {
            return Err(Error::AnswerSize);
        }
        if let Some(coded) = &mut self.coded {
            coded.keep(piece.clone());
        }
        if let Some(decoder) = &mut self.decoder {
            decoder.feed(piece);
        }
        Ok(())
    }

    fn next_decoded(&mut self) -> Result<Option<Bytes>, Error> {
        let Some(decoder) = &mut self.decoder else { return Ok(None) };
        let mut out = Vec::new();
        let step = decoder.step(&mut out);
        let (unfolded, left) = (decoder.unfolded(), decoder.left());
        if unfolded > 0 && !self.exchange.as_ref().is_some_and(|exchange| exchange.received_coded(unfolded)) {
            return Err(Error::AnswerSize);
        }
        match step {
            Ok(true) => Ok(Some(out.into())),
            Ok(false) if left > 0 && self.coded.is_some() => {
                self.coded.iter_mut().for_each(|coded| coded.shorten(left));
                self.break_off("bytes follow the end of the content coding", coding_error).map(|()| None)
            }
            Ok(false) => Ok(None),
            Err(_) => {
                self.coded.iter_mut().for_each(Coded::drop_last);
                self.break_off("the body does not follow its content coding", coding_error)?;
                Ok((!out.is_empty()).then(|| out.into()))
            }
        }
    }

    /// Reads no further: what was read is handed on, then the error. Where all of it is needed, nothing is.
    fn break_off(&mut self, why: &'static str, error: fn(&str) -> Error) -> Result<(), Error> {
        self.fail(why);
        (self.inner, self.decoder, self.trailers) = (None, None, None);
        self.coded.iter_mut().for_each(Coded::settle);
        if self.seal.is_some() {
            return Err(error(why));
        }
        self.broken = Some(error(why));
        Ok(())
    }

    fn fail(&mut self, why: &'static str) {
        if let Some(exchange) = &mut self.exchange {
            exchange.failed(why);
        }
    }

    /// The next frame of the server, within the time that one may take. `None` inside where the silence has lasted.
    fn poll_server(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Option<Frame<Bytes>>, Error>>> {
        let Some(inner) = &mut self.inner else { return Poll::Ready(None) };
        if let Poll::Ready(frame) = Pin::new(inner).poll_frame(cx) {
            self.patience = None;
            self.silence.broken();
            return Poll::Ready(match frame {
                None => None,
                Some(Ok(frame)) => Some(Ok(Some(frame))),
                Some(Err(error)) => Some(self.broken_frame(&error).map(|()| None)),
            });
        }
        if self.scrub.as_ref().is_some_and(Stream::is_waiting) && self.silence.poll(cx).is_ready() {
            return Poll::Ready(Some(Ok(None)));
        }
        let patience = self.patience.get_or_insert_with(|| Box::pin(tokio::time::sleep(self.between_bytes)));
        std::task::ready!(patience.as_mut().poll(cx));
        Poll::Ready(Some(self.break_off("nothing arrived for too long", |_| Error::ReadTimeout).map(|()| None)))
    }

    fn broken_frame(&mut self, error: &hyper::Error) -> Result<(), Error> {
        if readable::is_frame_malformed(error) {
            return self.break_off("the body's chunks can't be read", |why| Error::TransferCoding(why.to_owned()));
        }
        self.break_off("the connection was lost", |_| Error::Incomplete)
    }

    fn end_of_server(&mut self) -> Result<Option<Bytes>, Error> {
        self.inner = None;
        let mut out = Vec::new();
        if let Some(mut decoder) = self.decoder.take()
            && decoder.finish(&mut out).is_err()
        {
            self.break_off("the body does not follow its content coding", coding_error)?;
        }
        let last = if out.is_empty() { None } else { self.hand_on(out.into())? };
        let Some(seal) = self.seal.take() else { return Ok(last) };
        match seal.finish() {
            Ok(edited) => {
                self.searched.allow(edited.allowed);
                self.searched.bring(edited.brought);
                if let (Some(RefreshToken { secret, token }), Some(sealing)) = (edited.kept, &self.sealing) {
                    self.keeping = Some(Keeping { written: sealing.keep(secret, token), body: edited.body });
                    return Ok(None);
                }
                self.scrubbed_piece(edited.body.into())
            }
            Err(withheld) => Err(self.withhold(withheld)),
        }
    }

    /// The body whose refresh token is written down; or none of it, where that failed.
    fn poll_kept(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Error>> {
        let Some(Keeping { written, body }) = &mut self.keeping else { return Poll::Ready(Ok(None)) };
        let written = std::task::ready!(Pin::new(written).poll(cx));
        let body = std::mem::take(body);
        self.keeping = None;
        let why = match written {
            Ok(Ok(())) => return Poll::Ready(self.scrubbed_piece(body.into())),
            Ok(Err(why)) => why.to_string(),
            Err(_) => "the host is ending".to_owned(),
        };
        let why = self.searched.now().scrub_text(&why).into_owned();
        tracing::error!(%why, "a refresh token could not be written down, and its response is withheld");
        if let Some(exchange) = &mut self.exchange {
            exchange.failed_with(Withheld::NotKept.reason(), why);
        }
        Poll::Ready(Err(Error::host(Withheld::NotKept.for_guest())))
    }

    /// The end of what was read, in order or not.
    fn ended(&mut self) -> Option<Result<Frame<Bytes>, Error>> {
        match self.broken.take() {
            None => self.end().map(Ok),
            Some(error) => {
                self.exchange = None;
                Some(Err(error))
            }
        }
    }
}

fn coding_error(why: &str) -> Error {
    Error::ContentCoding(why.to_owned())
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(first)));
        }
        for _ in 0..MOST_STEPS {
            let ready = match self.next_decoded() {
                _ if self.keeping.is_some() => std::task::ready!(self.poll_kept(cx)),
                Err(error) => Err(error),
                Ok(Some(piece)) => self.hand_on(piece),
                Ok(None) if self.inner.is_some() => match std::task::ready!(self.poll_server(cx)) {
                    Some(Err(error)) => Err(error),
                    None => self.end_of_server(),
                    Some(Ok(None)) if self.broken.is_some() => Ok(None),
                    Some(Ok(None)) => self.paused(),
                    Some(Ok(Some(frame))) => match frame.into_data() {
                        Ok(data) if self.decoder.is_none() => self.hand_on(data),
                        Ok(data) => self.feed(data).map(|()| None),
                        Err(frame) => {
                            self.trailers = frame.into_trailers().ok();
                            self.end_of_server()
                        }
                    },
                },
                Ok(None) if self.scrub.is_some() => self.last(),
                Ok(None) => return Poll::Ready(self.ended()),
            };
            match ready {
                Ok(Some(piece)) => return Poll::Ready(Some(Ok(Frame::data(piece)))),
                Ok(None) => {}
                // Nothing of what is still held is handed on.
                Err(error) => {
                    (self.inner, self.decoder, self.scrub, self.seal, self.exchange) = (None, None, None, None, None);
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
