//! A guest's response as its caller gets it: scrubbed as stdout is, without headers that would hold beyond this one exchange, and broken off
//! where the run ends before it does.

use super::Answering;
use crate::egress;
use crate::manifest::{HostPattern, HttpTrigger, Scheme};
use crate::meter::{Limit, Meter, Stop};
use crate::scrub::{Live, Scrubber, Stream};
use crate::session::Session;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use http_body::{Body, Frame};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Sleep, sleep};
use tokio_util::sync::WaitForCancellationFutureOwned;
use wasmtime_wasi_http::WasiBody;

/// After so long without a piece, what is held back for scrubbing is let go, as of stdout.
const IDLE: Duration = Duration::from_millis(100);

/// Headers that frame a message or describe its bytes: the host makes its own of what leaves.
static FRAMING: [HeaderName; 9] = [
    header::CONTENT_LENGTH,
    header::TRAILER,
    header::TE,
    header::ACCEPT_RANGES,
    HeaderName::from_static("digest"),
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("content-md5"),
    HeaderName::from_static("want-digest"),
];

/// Headers that hold for the whole origin, on which other agents answer, or that send a caller elsewhere.
static OF_THE_ORIGIN: [HeaderName; 7] = [
    header::REFRESH,
    header::ALT_SVC,
    header::STRICT_TRANSPORT_SECURITY,
    HeaderName::from_static("clear-site-data"),
    HeaderName::from_static("service-worker-allowed"),
    HeaderName::from_static("nel"),
    HeaderName::from_static("report-to"),
];

/// Why a response is broken off that its run does not outlive.
pub(super) const CUT: &str = "the run ended before its response did";

/// Names of headers that are the host's own.
const OWN: &str = "strongroom-";

/// A response that is still to be given.
pub(super) struct Outgoing {
    live: Live,
    meter: Arc<Meter>,
    trigger: Arc<HttpTrigger>,
    answer: Answering,
    is_head: bool,
}

/// The body of a response on its way out.
pub(crate) struct ResponseBody {
    inner: Option<WasiBody>,
    scrub: Stream,
    live: Live,
    meter: Arc<Meter>,
    answer: Answering,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
    idle: Option<Pin<Box<Sleep>>>,
}

impl Outgoing {
    pub(super) fn new(session: &Session, trigger: Arc<HttpTrigger>, answer: Answering, is_head: bool) -> Self {
        Self { live: session.scrubbing.live.clone(), meter: Arc::clone(&session.meter), trigger, answer, is_head }
    }

    /// Hands the response on; `None` is the guest's own word that there is none.
    pub(super) fn give(self, response: Option<http::Response<WasiBody>>) {
        let Some(response) = response else { return self.refuse("the agent answered with an error") };
        let (parts, inner) = response.into_parts();
        let scrubber = self.live.now();
        let (headers, withheld, redacted) = match self.head(parts.status, &parts.headers, &scrubber) {
            Ok(head) => head,
            Err(why) => return self.refuse(why),
        };
        let Self { live, meter, answer, is_head, .. } = self;
        answer.account(|account| {
            (account.status, account.withheld) = (Some(parts.status.as_u16()), withheld);
            account.redacted += redacted;
        });
        let has_none = is_head || inner.is_end_stream() || matches!(parts.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        let body = ResponseBody {
            inner: (!has_none).then_some(inner),
            scrub: Stream::new(scrubber),
            live,
            meter,
            cut: Box::pin(answer.0.cut.clone().cancelled_owned()),
            answer: answer.clone(),
            idle: None,
        };
        let mut response = http::Response::new(body);
        (*response.status_mut(), *response.headers_mut()) = (parts.status, headers);
        // Where nobody takes it, the body says so as it is dropped.
        answer.send(Ok(response));
    }

    fn refuse(self, why: &'static str) {
        self.answer.failed(why);
        self.answer.refuse(StatusCode::BAD_GATEWAY);
        self.answer.0.over.cancel();
    }

    /// The headers that leave, the names of those that don't, and how many values were taken out.
    fn head(&self, status: StatusCode, headers: &HeaderMap, scrubber: &Scrubber) -> Result<(HeaderMap, Vec<String>, u64), &'static str> {
        if !(200..600).contains(&status.as_u16()) {
            return Err("the agent's response has a status that ends no exchange");
        }
        let is_coded = |value: &HeaderValue| !value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity");
        if headers.get_all(header::CONTENT_ENCODING).iter().any(is_coded) {
            return Err("the agent's response is coded, and can't be searched");
        }
        let (mut clean, redacted) = egress::scrubbed(headers, scrubber);
        FRAMING.iter().chain([&header::CONTENT_ENCODING]).for_each(|name| _ = clean.remove(name));
        let own = clean.keys().filter(|name| name.as_str().starts_with(OWN)).cloned().collect::<Vec<_>>();
        let mut refused: Vec<&HeaderName> = own.iter().chain(&OF_THE_ORIGIN).collect();
        if !self.trigger.set_cookie {
            refused.push(&header::SET_COOKIE);
        }
        if !clean.get_all(header::LOCATION).iter().all(|location| stays(location, &self.trigger.location)) {
            refused.push(&header::LOCATION);
        }
        let withheld = refused.into_iter().filter(|name| clean.remove(*name).is_some()).map(ToString::to_string).collect();
        Ok((clean, withheld, redacted))
    }
}

/// Whether a `Location` leads to the listener itself, or to an origin that the manifest names.
fn stays(location: &HeaderValue, origins: &[HostPattern]) -> bool {
    // What is no visible ASCII is read in more than one way, as a backslash is, and so are two slashes at the beginning.
    let Ok(text) = location.to_str() else { return false };
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if !is_plain || text.starts_with("//") {
        return false;
    }
    if text.starts_with(['/', '?', '#']) {
        return true;
    }
    let Ok(url) = text.split('#').next().unwrap_or_default().parse::<Uri>() else { return false };
    let scheme = match url.scheme_str() {
        Some("https") => Scheme::Https,
        Some("http") => Scheme::Http,
        _ => return false,
    };
    let Some(authority) = url.authority().filter(|authority| !authority.as_str().contains('@')) else { return false };
    let port = authority.port_u16().unwrap_or(scheme.default_port());
    origins.iter().any(|origin| origin.matches(scheme, authority.host(), port))
}

impl ResponseBody {
    /// What a step of the scrubber lets go.
    fn scrubbed(&mut self, step: impl FnOnce(&mut Stream, &mut Vec<u8>)) -> Bytes {
        let (before, mut out) = (self.scrub.redacted(), Vec::new());
        self.scrub.renew(&self.live.now());
        step(&mut self.scrub, &mut out);
        let redacted = self.scrub.redacted() - before;
        self.answer.account(|account| {
            account.redacted += redacted;
            account.sent += out.len() as u64;
        });
        out.into()
    }

    fn broken(&mut self, why: &'static str) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        self.inner = None;
        self.answer.failed(why);
        self.answer.0.over.cancel();
        Poll::Ready(Some(Err(io::Error::other(why))))
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let body = &mut *self;
        loop {
            let Some(inner) = &mut body.inner else { return Poll::Ready(None) };
            if body.cut.as_mut().poll(cx).is_ready() {
                return body.broken(CUT);
            }
            let piece = match Pin::new(inner).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    body.idle = None;
                    // Trailers stay inside: few callers read them, and they could say what a header may not.
                    let Ok(data) = frame.into_data() else { continue };
                    if !body.meter.send(data.len()) {
                        let is_long = matches!(body.meter.stop_reason(), Some(Stop::Limit(Limit::Sent)));
                        return body.broken(if is_long { "the response is longer than `limits.sent` allows" } else { CUT });
                    }
                    body.scrubbed(|stream, out| stream.push(&data, out))
                }
                Poll::Ready(Some(Err(_))) => return body.broken("the agent gave its response up"),
                Poll::Ready(None) if body.answer.0.cut.is_cancelled() => continue,
                Poll::Ready(None) => {
                    body.inner = None;
                    let last = body.scrubbed(Stream::finish);
                    body.answer.0.over.cancel();
                    last
                }
                Poll::Pending if !body.scrub.is_waiting() => return Poll::Pending,
                Poll::Pending => {
                    let idle = body.idle.get_or_insert_with(|| Box::pin(sleep(IDLE)));
                    if idle.as_mut().poll(cx).is_pending() {
                        return Poll::Pending;
                    }
                    let flushed = body.scrubbed(Stream::flush);
                    if flushed.is_empty() {
                        // The last word waits for its end; nothing is waited for until then.
                        return Poll::Pending;
                    }
                    body.idle = None;
                    flushed
                }
            };
            if !piece.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(piece))));
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_none()
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        if self.inner.is_some() {
            self.answer.failed("the caller left before the response had ended");
            self.answer.0.gone.cancel();
        }
        self.answer.0.over.cancel();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_stays_with_the_listener_unless_the_manifest_names_where_it_leads() {
        let origins =
            [HostPattern::parse("app.example.com").expect("a host"), HostPattern::parse("http://127.0.0.1:9000").expect("a host")];

        for (location, expected) in [
            ("/done", true),
            ("/done?next=https://evil.example", true),
            ("?page=2", true),
            ("#top", true),
            ("https://app.example.com/done#top", true),
            ("https://app.example.com:443/", true),
            ("http://127.0.0.1:9000/x", true),
            ("http://app.example.com/", false),
            ("https://app.example.com:8443/", false),
            ("https://app.example.com.evil.example/", false),
            ("https://app.example.com@evil.example/", false),
            ("https://evil.example/", false),
            ("//evil.example/", false),
            ("/\\evil.example/", false),
            ("\\\\evil.example/", false),
            ("https:/evil.example/", false),
            ("https:evil.example", false),
            ("javascript:alert(1)", false),
            ("done", false),
            ("", false),
            (" /done", false),
            ("/\tdone", false),
        ] {
            assert_eq!(stays(&HeaderValue::from_str(location).expect("a value"), &origins), expected, "{location}");
        }
    }
}
