//! The straight line of a request: authorize, substitute, resolve and connect, send, scrub the answer.
//!
//! Nothing is followed, retried or re-parsed: a redirect reaches the guest as it is, and its next request is judged from the start.

mod address;
mod answer;
mod coded;
mod coding;
mod connect;
mod exchange;
mod head;
mod held;
mod pool;
mod proxy;
mod readable;
mod refusal;
mod request_body;
mod sealing;
mod silence;
mod slots;
mod substitution;
mod tags;

pub(crate) use address::{AddressGuard, unwrapped};
#[cfg(feature = "cli")]
pub(crate) use connect::judge_addresses;
pub(crate) use connect::{ConnectError, Network};
pub use connect::{Resolve, SystemResolver};
pub(crate) use pool::Pools;
pub(crate) use slots::Slots;

use crate::audit::{Event, Journal, Used};
use crate::lock::{Mutex, MutexGuard};
use crate::manifest::{Denials, Treatment};
use crate::meter::{Meter, Stop};
use crate::policy::{Asked, Denial, Overrides, Permit, Policy, Reveal, Source, Substitution, headers};
use crate::rotation::Rotation;
use crate::scrub::{Known, Live, Replacement, Scrubber, Stream, Values};
use crate::secrets::{BackendError, Cache, InUse, Keyring, Version};
use answer::Searched;
use exchange::Exchange;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::Body;
use http_body_util::BodyExt;
use refusal::Broke;
use request_body::{Claim, Edits, RequestBody, Watch, drain};
pub(crate) use sealing::Sent;
use sealing::{Sealing, infrastructure};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
pub(crate) use tags::Tags;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

/// How long an answer, or the next piece of one, may take where the guest sets nothing. `limits.wall` bounds both.
const PATIENCE: Duration = Duration::from_secs(60);

/// Most characters of a URL in the audit log: a guest chooses its paths, and must not fill the disk with them.
const MAX_RECORDED: usize = 512;

/// What of a request the server was not told, since its answer could not be searched then.
const DROPPED: HeaderName = HeaderName::from_static("strongroom-dropped");

/// Different reasons for which secrets can't be had that one run records.
const MAX_REASONS: usize = 64;

/// Bytes of values of answers that all further text is searched for. What is shorter or longer is searched for in the answer to a request
/// that carries it.
const TELLING: RangeInclusive<usize> = 16..=4096;

/// What the requests of one run share.
pub(crate) struct Outbound {
    pub(crate) policy: Arc<Policy>,
    pub(crate) keyring: Arc<Keyring>,
    /// What looks for secrets in all that the agent gets and gives. It is renewed where an answer brings one.
    pub(crate) scrubber: Live,
    /// Why secrets could not be had, as far as the log has it.
    pub(crate) unavailable: Mutex<Vec<(usize, String)>>,
    /// The same without rules, for answers of hosts that hold no grant.
    pub(crate) values: Arc<Values>,
    /// How many newer versions of secrets the scrubber knows.
    pub(crate) scrubbed: Mutex<u64>,
    pub(crate) cache: Arc<Cache>,
    /// What the run has sent to hosts whose answers are sealed.
    pub(crate) sent: Mutex<Sent>,
    /// The validators that the run has got of servers.
    pub(crate) tags: Mutex<Tags>,
    /// The rotations of the run's secrets, by the secret's index.
    pub(crate) rotations: Vec<(usize, Arc<Rotation>)>,
    pub(crate) journal: Arc<Journal>,
    pub(crate) meter: Arc<Meter>,
    pub(crate) pools: Arc<Pools>,
    pub(crate) slots: Arc<Slots>,
    /// How the guest is told of denials.
    pub(crate) denials: Denials,
}

/// Sends one request of the guest, or denies it.
pub(crate) async fn send(
    outbound: Arc<Outbound>,
    request: Request<WasiBody>,
    options: Option<RequestOptions>,
) -> Result<Response<WasiBody>, Error> {
    let denials = outbound.denials;
    exchange(outbound, request, options).await.or_else(|broke| broke.told(denials))
}

async fn exchange(
    outbound: Arc<Outbound>,
    request: Request<WasiBody>,
    options: Option<RequestOptions>,
) -> Result<Response<WasiBody>, Broke> {
    let (mut parts, body) = request.into_parts();
    // The `Host` that wasi:http adds is the authority once more, which is judged as the URL.
    parts.headers.remove(header::HOST);
    let asked = Asked { method: &parts.method, uri: &parts.uri, headers: &parts.headers };
    let place = outbound.slots.place().await;
    if outbound.meter.is_stopped() {
        return Err(Error::InternalError(Some("strongroom: the run is stopped".into())).into());
    }
    // Judged, charged and recorded when its turn comes.
    let admitted = match place {
        Ok(place) => outbound.policy.authorize(&asked, &outbound.keyring.placeholders, Instant::now()).map(|permit| (permit, place)),
        Err(slots::Full) => Err(Policy::too_many_open(&asked, outbound.meter.limits.requests)),
    };
    let (mut permit, place) = match admitted {
        Ok(admitted) => admitted,
        Err(denial) => {
            drain(body);
            return Err(outbound.deny(denial).into());
        }
    };
    let body = match held::judged(&permit, &parts.headers, body).await? {
        Ok(body) => body,
        Err((body, denial)) => {
            drain(body);
            return Err(outbound.deny(denial).into());
        }
    };
    let mut ready = match outbound.ready(permit.substitutions()).await {
        Ok(ready) => ready,
        Err(error) => {
            drain(body);
            return Err(error.into());
        }
    };
    let scrubber = outbound.scrubber_for(&permit);
    if let Some(denial) = leak_in_head(&scrubber, &permit, &parts) {
        drain(body);
        return Err(outbound.deny(denial).into());
    }
    if permit.guarded()
        && let Err(denial) = outbound.tags().put_back(&permit, &mut parts.headers)
    {
        drain(body);
        return Err(outbound.deny(denial).into());
    }
    let head: usize = parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if !outbound.meter.send_head(head + parts.uri.path_and_query().map_or(0, |target| target.as_str().len())) {
        drain(body);
        return Err(Error::HttpRequestHeaderSectionSize(None).into());
    }
    let number = outbound.meter.requests.fetch_add(1, Ordering::Relaxed) + 1;
    let carried = permit.carries();
    // What a run says to a host whose answers may be sealed: coming back, it is not the API's.
    let keeps = permit.is_sealed() || carried.is_some();
    if keeps {
        let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
        outbound.sent().begin(number, target, &parts.headers);
    }
    let overrides = Overrides::of(permit.method(), &parts.headers);
    let mut headers = parts.headers;
    let claim = Claim::take(&mut headers);
    let dropped = headers::take_over(&mut headers, outbound.shape(&permit));
    sealing::shape_answer(&mut headers, &permit);

    // Accounted before done: without its record the request does not leave.
    if outbound.account(number, &permit, &ready).is_err() {
        drain(body);
        outbound.meter.stop(Stop::AuditFailed);
        return Err(Error::InternalError(Some("strongroom: the audit log can't be written".into())).into());
    }
    let mut exchange = Exchange::new(Arc::clone(&outbound.journal), Arc::clone(&outbound.meter), number, place);
    let substitutions = permit.take_substitutions();
    let permit = Arc::new(permit);
    let watch = outbound.watch(Arc::clone(&permit), number, &exchange, keeps, overrides);
    let body = RequestBody::begin(body, claim, watch, Stream::new(scrubber))
        .await
        .inspect_err(|_| exchange.failed("the agent broke off its request"))?;
    if ready.iter().any(|ready| outbound.is_replaced(ready)) {
        ready = outbound.renewed(number, &substitutions).await.inspect_err(|_| exchange.failed("its secret was replaced meanwhile"))?;
    }

    frame(&mut headers, permit.method(), &body);
    let (broken, written) = (body.broken(), body.written());
    outbound.tags().sent(&permit);
    let filled = outbound.substitute(&permit, substitutions, &ready, headers, body);
    let (client, request) = filled.inspect_err(|_| exchange.failed("a value can't stand in its place"))?;
    let first_byte = options.as_ref().and_then(|options| options.first_byte_timeout).unwrap_or(PATIENCE);
    let between_bytes = options.as_ref().and_then(|options| options.between_bytes_timeout).unwrap_or(PATIENCE);
    let mut answer = match tokio::time::timeout(first_byte, client.request(request)).await {
        Err(_) => {
            exchange.failed("no answer in time");
            return Err(Error::HttpResponseTimeout.into());
        }
        Ok(Err(error)) => {
            if let Some(own) = broken.lock().take() {
                exchange.failed("the request was broken off");
                return Err(own);
            }
            return Err(outbound.failure(&error, &mut exchange, &permit));
        }
        Ok(Ok(answer)) => answer,
    };
    if permit.guarded() {
        let written = answer.headers().contains_key(header::ETAG).then(|| written.md5()).flatten();
        let taken = outbound.tags().take(&permit, answer.headers_mut(), written.as_deref());
        taken.map_err(|_| Error::InternalError(Some("strongroom: the system's random source failed".into())))?;
    }
    infrastructure(&outbound, &permit, answer.headers());
    exchange.answered(answer.status().as_u16());
    if matches!(answer.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
        ready
            .iter()
            .filter_map(|ready| Some((outbound.keyring.get(ready.secret?)?, &ready.version)))
            .for_each(|(key, version)| key.suspect(version.version()));
    }
    for (_, rotation) in outbound.rotations.iter().filter(|(index, _)| ready.iter().any(|ready| ready.secret == Some(*index))) {
        rotation.seen(permit.url(), answer.status(), answer.headers());
    }
    let searched = Searched::new(&outbound.scrubber, outbound.carried(&ready));
    exchange.hold(ready.into_iter().map(|ready| ready.version));
    let answer = if permit.guarded() {
        let sealing = Sealing::of(&permit, &outbound, number, carried, answer.headers());
        answer::guarded(answer, exchange, searched, sealing, between_bytes).await?
    } else {
        let has_values = outbound.values.of(&outbound.scrubber()).is_some();
        answer::searched(answer, exchange, searched.values_alone(&outbound.values), has_values, between_bytes).await?
    };
    let mut answer = answer.map(|body| outbound.slots.keep(body).boxed_unsync());
    let dropped: Vec<&str> = dropped.iter().map(HeaderName::as_str).collect();
    if let Some(names) = HeaderValue::from_str(&dropped.join(", ")).ok().filter(|names| !names.is_empty()) {
        answer.headers_mut().insert(DROPPED, names);
    }
    Ok(answer)
}

/// Says what a server has to know to find the end of a request.
fn frame(headers: &mut http::HeaderMap, method: &Method, body: &RequestBody) {
    let is_empty = body.is_end_stream();
    if is_empty && matches!(*method, Method::POST | Method::PUT | Method::PATCH) {
        // RFC 9110 8.6: where a body is expected, that there is none is said.
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    if !is_empty && matches!(*method, Method::GET | Method::HEAD) {
        // RFC 9110 9.3.1: a server that takes no notice of the body would read it as the next request.
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
}

/// A value that is about to leave.
struct Ready {
    /// The secret's index, where it is one of the manifest's.
    secret: Option<usize>,
    /// As long as the request lasts, the value is not taken back.
    version: InUse,
    /// Past its time: its backend does not answer.
    stale: bool,
}

impl Outbound {
    /// The values that a request carries, in the order of its substitutions. What is looked for in the answer is up to date from here on.
    async fn ready(&self, substitutions: &[Substitution]) -> Result<Vec<Ready>, Error> {
        let mut ready = Vec::with_capacity(substitutions.len());
        for substitution in substitutions {
            let secret = match substitution.source {
                Source::Secret(index) => Some(index),
                Source::Sealed(_) => None,
            };
            match self.keyring.version(substitution.source, &self.cache).await {
                Ok((version, stale)) => ready.push(Ready { secret, version, stale }),
                Err(why) => return Err(self.unavailable(substitution.secret, &why)),
            }
        }
        let known = self.keyring.learn(&self.cache);
        let mut scrubbed = self.scrubbed.lock();
        if *scrubbed != known {
            *scrubbed = known;
            self.renew_scrubber();
        }
        Ok(ready)
    }

    /// Whether a value was replaced while the guest kept its request's body back.
    fn is_replaced(&self, ready: &Ready) -> bool {
        let key = ready.secret.and_then(|index| self.keyring.get(index));
        key.is_some_and(|key| !key.is_current(ready.version.version()))
    }

    /// The values of a request whose record names others.
    async fn renewed(&self, number: u64, substitutions: &[Substitution]) -> Result<Vec<Ready>, Error> {
        let ready = self.ready(substitutions).await?;
        let secrets = self.used(substitutions, &ready);
        self.journal.record(Event::VersionsChanged { request: number, secrets: &secrets }).map_err(|_| {
            self.meter.stop(Stop::AuditFailed);
            Error::InternalError(Some("strongroom: the audit log can't be written".into()))
        })?;
        Ok(ready)
    }

    /// The values of a request, for its record.
    fn used<'r>(&'r self, substitutions: &'r [Substitution], ready: &'r [Ready]) -> Vec<Used<'r>> {
        let used = substitutions.iter().zip(ready).filter_map(|(substitution, ready)| {
            let name = &self.keyring.get(substitution.secret)?.name;
            Some(Used { place: Some(&substitution.place), stale: ready.stale, ..Used::of(name, &ready.version) })
        });
        used.collect()
    }

    /// Records that a secret could not be had, and gives the guest's error for it.
    fn unavailable(&self, secret: usize, why: &BackendError) -> Error {
        let name = self.keyring.get(secret).map(|key| key.name.as_str()).unwrap_or_default();
        let reason = self.scrubber().scrub_text(&why.to_string()).into_owned();
        let mut told = self.unavailable.lock();
        let known = told.iter().any(|(known, why)| *known == secret && *why == reason);
        // Each reason once: a guest that asks again and again must not fill the log.
        if known || told.len() >= MAX_REASONS {
            return Error::InternalError(Some(format!("strongroom: the secret `{name}` is not available at the moment")));
        }
        told.push((secret, reason.clone()));
        drop(told);
        tracing::warn!(secret = name, %reason, "a request is not sent");
        if self.journal.record(Event::SecretUnavailable { secret: name, reason: &reason, incident: why.is_incident() }).is_err() {
            self.meter.stop(Stop::AuditFailed);
        }
        Error::InternalError(Some(format!("strongroom: the secret `{name}` is not available at the moment")))
    }

    /// How much of its answer's shape a guest may choose.
    fn shape<'p>(&self, permit: &'p Permit) -> headers::Shape<'p> {
        match self.values.of(&self.scrubber()) {
            _ if permit.guarded() => headers::Shape::Guarded(permit.accept_parameters()),
            Some(_) => headers::Shape::Searched,
            None => headers::Shape::Free,
        }
    }

    /// What looks for secrets in a request.
    fn scrubber_for(&self, permit: &Permit) -> Arc<Scrubber> {
        match permit.leaks().allowed.as_slice() {
            [] => self.scrubber(),
            rules => Arc::new(self.scrubber().passing(rules)),
        }
    }

    pub(crate) fn scrubber(&self) -> Arc<Scrubber> {
        self.scrubber.now()
    }

    fn sent(&self) -> MutexGuard<'_, Sent> {
        self.sent.lock()
    }

    fn tags(&self) -> MutexGuard<'_, Tags> {
        self.tags.lock()
    }

    /// Looks for newer versions of secrets, and for what answers brought, from now on too.
    fn renew_scrubber(&self) {
        // All of it under the scrubber's lock: who comes later knows at least as much.
        self.scrubber.renew(|scrubber| {
            let newer = self.keyring.iter().flat_map(|(_, key)| key.newer().into_iter().map(move |version| (key, version)));
            let newer = newer.map(|(key, version)| {
                let value = version.value.reveal(Reveal::to_scrub());
                let replacement = Replacement { plain: key.placeholder.clone(), encoded: format!("[redacted:{}]", key.name) };
                (Arc::new(Known::new(value, key.in_basic)), replacement)
            });
            let sealed = self.keyring.sealed();
            let known =
                sealed.iter().filter(|sealed| is_telling(&sealed.version)).map(|sealed| known(&sealed.version, &sealed.placeholder));
            scrubber.knowing(newer.chain(known))
        });
    }

    /// What a request carries and not all text is searched for: values of answers that are too short or too long for that.
    fn carried(&self, ready: &[Ready]) -> Vec<(Arc<Known>, Replacement)> {
        let sealed = ready.iter().filter(|ready| ready.secret.is_none() && !is_telling(&ready.version));
        // One that was forgotten since has no placeholder any more.
        let placeholder = |version| self.keyring.sealed_as(version).unwrap_or_else(|| "[sealed]".to_owned());
        sealed.map(|ready| known(&ready.version, &placeholder(ready.version.version()))).collect()
    }

    /// Hands the record of a request to the audit log.
    fn account(&self, request: u64, permit: &Permit, ready: &[Ready]) -> std::io::Result<()> {
        let (secrets, url) = (self.used(permit.substitutions(), ready), permit.url().without_query());
        let scrubber = self.scrubber();
        let url = scrubber.scrub_text(&url);
        let end = url.char_indices().nth(MAX_RECORDED).map_or(url.len(), |(at, _)| at);
        self.journal.record(Event::Egress {
            request,
            method: permit.method().as_str(),
            url: &url[..end],
            rule: permit.rule(),
            secrets: &secrets,
        })
    }

    /// Watches a body for another method and for placeholders, across the borders of its pieces.
    fn watch(
        self: &Arc<Self>,
        permit: Arc<Permit>,
        number: u64,
        exchange: &Exchange,
        keeps: bool,
        mut overrides: Option<Overrides>,
    ) -> Watch {
        let (judged, outbound) = (Arc::clone(&permit), Arc::clone(self));
        let mut tail: Vec<u8> = Vec::new();
        let mut noted = false;
        let inspect = move |piece: &[u8]| {
            if !piece.is_empty() && !judged.may_have_body() {
                return Err(outbound.deny(Policy::body_denied(&judged)).into());
            }
            if overrides.as_mut().is_some_and(|overrides| overrides.push(piece)) {
                overrides = None;
                return Err(outbound.deny(Policy::override_denied(&judged)).into());
            }
            if keeps {
                outbound.sent().add(number, piece);
            }
            let overlap = outbound.keyring.placeholders.overlap();
            if noted || overlap == 0 {
                return Ok(());
            }
            tail.extend_from_slice(&piece[..piece.len().min(overlap)]);
            let found = outbound.keyring.placeholders.within(&tail).or_else(|| outbound.keyring.placeholders.within(piece));
            let kept = if piece.len() >= overlap { piece.len() - overlap } else { 0 };
            if piece.len() >= overlap {
                tail.clear();
                tail.extend_from_slice(&piece[kept..]);
            } else {
                let excess = tail.len().saturating_sub(overlap);
                tail.drain(..excess);
            }
            let Some(secret) = found else { return Ok(()) };
            noted = true;
            if let Some(denial) = outbound.policy.judge_body(&judged, secret) {
                return Err(outbound.deny(denial).into());
            }
            let name = outbound.keyring.get(secret).map(|key| key.name.as_str()).unwrap_or_default();
            if outbound.journal.record(Event::InertPlaceholder { request: number, secret: name }).is_err() {
                outbound.meter.stop(Stop::AuditFailed);
                return Err(Error::InternalError(None).into());
            }
            Ok(())
        };
        let outbound = Arc::clone(self);
        let leaked = move |kinds: Vec<String>, edits: Edits| {
            if edits == Edits::TooLate {
                let place = "body, which is longer than 64 KiB and goes with the length that the agent said, so that nothing can be taken out of it,";
                return Err(outbound.deny(Policy::leak(&permit, &kinds.join(", "), place)).into());
            }
            if permit.leaks().treatment != Treatment::Redact {
                return Err(outbound.deny(Policy::leak(&permit, &kinds.join(", "), "body")).into());
            }
            if outbound.journal.record(Event::LeakRedacted { request: number, kinds: &kinds }).is_err() {
                outbound.meter.stop(Stop::AuditFailed);
                return Err(Error::InternalError(None).into());
            }
            Ok(())
        };
        Watch { meter: Arc::clone(&self.meter), exchange: exchange.counters(), inspect: Box::new(inspect), leaked: Box::new(leaked) }
    }

    /// The error for a request that did not get an answer.
    fn failure(&self, error: &hyper_util::client::legacy::Error, exchange: &mut Exchange, permit: &Permit) -> Broke {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
        while let Some(at) = cause {
            if let Some(connect) = at.downcast_ref::<ConnectError>() {
                return self.connect_failure(connect, exchange, permit);
            }
            cause = at.source();
        }
        if let Some(why) = head::unreadable(error) {
            exchange.failed(why);
            return answer::unreadable(why).into();
        }
        exchange.failed("the connection broke off before an answer");
        Error::ConnectionTerminated.into()
    }

    fn connect_failure(&self, error: &ConnectError, exchange: &mut Exchange, permit: &Permit) -> Broke {
        let (why, error) = match error {
            ConnectError::Address(address) => {
                exchange.failed("the address is not allowed");
                let refused = self.deny(Policy::address_denied(permit, unwrapped(*address)));
                return match self.denials {
                    Denials::Response => refused.into(),
                    Denials::Error => Error::DestinationIpProhibited.into(),
                };
            }
            ConnectError::Resolve => {
                ("the host's name can't be resolved", Error::DnsError { rcode: Some("no address".into()), info_code: None })
            }
            ConnectError::Refused => ("the connection was refused", Error::ConnectionRefused),
            ConnectError::Proxy => ("the proxy opens no tunnel", Error::ConnectionRefused),
            ConnectError::TooMany => ("too many connections are open", Error::ConnectionLimitReached),
            ConnectError::Timeout => ("no connection in time", Error::ConnectionTimeout),
            ConnectError::Certificate => ("the server's certificate is not valid for this host", Error::TlsCertificateError),
            ConnectError::Tls => ("the TLS handshake failed", Error::TlsProtocolError),
        };
        exchange.failed(why);
        error.into()
    }
}

/// Whether all text can be searched for a value that an answer brought: what an API calls a session may be `accepted`.
fn is_telling(version: &Version) -> bool {
    let value = version.value.reveal(Reveal::to_scrub());
    TELLING.contains(&value.len()) && crate::scrub::carries(value, 64)
}

fn known(version: &Version, placeholder: &str) -> (Arc<Known>, Replacement) {
    let value = version.value.reveal(Reveal::to_scrub());
    (Arc::new(Known::new(value, false)), Replacement { plain: placeholder.to_owned(), encoded: "[sealed]".to_owned() })
}

/// What looks like a secret in the URL or in a header that is not for credentials.
fn leak_in_head(scrubber: &Scrubber, permit: &Permit, parts: &http::request::Parts) -> Option<Denial> {
    let first = |text: &[u8]| scrubber.find(text).into_iter().next().map(|(kind, _)| kind);
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    let in_url = first(target.as_bytes()).map(|kind| Policy::leak(permit, &kind, "URL"));
    let in_header = || {
        let mut others = parts.headers.iter().filter(|(name, _)| !permit.is_for_credentials(name));
        others.find_map(|(name, value)| Some(Policy::leak(permit, &first(value.as_bytes())?, &format!("header `{name}`"))))
    };
    let in_name = || {
        let names = parts.headers.keys().map(http::HeaderName::as_str).chain([permit.url().host.as_str()]);
        let found = |name: &str| Some(Policy::leak(permit, &first(name.as_bytes())?, "name of a header, or of the host,"));
        names.into_iter().find_map(found)
    };
    in_url.or_else(in_header).or_else(in_name)
}
