//! The second phase: a request that may leave gets its record, then its values.

use super::admit::{Admitted, scrubber_for, target};
use super::agent_body::Copied;
use super::exchange::Exchange;
use super::refusal::{Broke, OTHER_BODY};
use super::request_body::{Bounds, Broken, RequestBody, Written};
use super::substitution::Filled;
use super::tags::Tags;
use super::{Error, Outbound, pool, sealing};
use crate::audit::{Event, Used};
use crate::credential::Scheme;
use crate::policy::{Leave, Overrides, Permit, Source, Substitution, headers};
use crate::scrub::{Known, Replacement, Stream};
use crate::secrets::{InUse, SecretValue};
use crate::session::{self, NoRecord};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, header};
use http_body::Body;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Instant, SystemTime};

/// Most characters of a URL in the audit log: an agent chooses its paths, and must not fill the disk with them.
const MAX_RECORDED: usize = 512;

/// A request with its values, and its record written.
pub(super) struct Prepared {
    pub(super) leave: Leave,
    pub(super) credential: pool::Credential,
    pub(super) request: Request<RequestBody>,
    /// Where its body leaves what ended it.
    pub(super) broken: Broken,
    pub(super) kept: Kept,
}

/// What is known of a request while it is under way, for its answer.
pub(super) struct Kept {
    pub(super) permit: Arc<Permit>,
    pub(super) number: u64,
    pub(super) exchange: Exchange,
    pub(super) ready: Vec<Ready>,
    /// What was made of values for this request alone.
    pub(super) derived: Vec<(usize, SecretValue)>,
    /// The secret that it carries, where what its answer gives is a session of that.
    pub(super) carried: Option<usize>,
    pub(super) written: Written,
    /// What the server was not told.
    pub(super) dropped: Vec<HeaderName>,
    /// What one more try would be made of, where its answer may ask for one.
    pub(super) again: Option<Box<Again>>,
}

/// A request that its answer may ask for once more.
pub(super) struct Again {
    /// Its head as the agent has sent it, and its body.
    pub(super) parts: Parts,
    /// The conditions that it left with.
    pub(super) conditions: HeaderMap,
    pub(super) body: Copied,
    /// Its schemes, in the order of its substitutions.
    pub(super) schemes: Vec<Scheme>,
    /// When it left.
    pub(super) since: Instant,
}

/// A value that is about to leave.
pub(super) struct Ready {
    /// The secret's index, where it is one of the manifest's.
    pub(super) secret: Option<usize>,
    /// As long as the request lasts, the value is not taken back.
    pub(super) version: InUse,
    /// What the scheme reads beside it.
    pub(super) others: Vec<InUse>,
    /// A number that was never used with it.
    pub(super) number: Option<u64>,
    /// Past its time: its backend does not answer.
    stale: bool,
}

pub(super) async fn prepare(outbound: &Arc<Outbound>, admitted: Admitted) -> Result<Prepared, Broke> {
    let Admitted { mut permit, leave, parts, mut body, place, repeats, as_sent } = admitted;
    let as_sent = as_sent.map(|as_sent| (as_sent, Tags::put_in(&parts.headers), body.copied()));
    let session = &outbound.session;
    let mut ready = outbound.ready(permit.substitutions()).await?;
    // Its body is searched for the versions that were had just now, too.
    let scrubber = scrubber_for(outbound, &permit);
    let number = session.meter.requests.fetch_add(1, Ordering::Relaxed) + 1;
    let carried = permit.carries();
    // What a run says to a host whose answers may be sealed: coming back, it is not the API's.
    let keeps = permit.is_sealed() || carried.is_some();
    if keeps {
        outbound.sent().begin(number, target(&parts), &parts.headers);
    }
    let overrides = Overrides::of(permit.method(), &parts.headers);
    let mut headers = parts.headers;
    let bounds = Bounds::of(&mut headers, &permit);
    let dropped = headers::take_over(&mut headers, outbound.shape(&permit));
    sealing::shape_answer(&mut headers, &permit);

    // Accounted before done: without its record the request does not leave.
    outbound.account(number, repeats, &permit, &ready).map_err(Error::from)?;
    if let Some(secret) = permit.inert() {
        outbound.note_inert(number, secret).map_err(Error::from)?;
    }
    let mut exchange = Exchange::new(Arc::clone(&session.journal), Arc::clone(&session.meter), number, place);
    let substitutions = permit.take_substitutions();
    let permit = Arc::new(permit);
    exchange.let_by(session, &permit);
    let watch = outbound.watch(Arc::clone(&permit), number, &exchange, keeps, overrides);
    let body = RequestBody::begin(body, bounds, watch, Stream::new(scrubber)).await.inspect_err(|broke| broke.recorded(&mut exchange))?;
    if ready.iter().any(|ready| outbound.is_replaced(ready)) {
        ready =
            outbound.renewed(number, &substitutions).await.inspect_err(|_| exchange.failed("its secret was replaced in the meantime"))?;
    }

    // It may have been a while, and nothing has left.
    session.is_judged(&permit).inspect_err(|_| exchange.failed("its manifest was read anew"))?;

    frame(&mut headers, permit.method(), &body);
    outbound.tags().sent(&permit);
    let mut tried = as_sent.is_some().then(Vec::new);
    let filled = outbound.substitute(&permit, substitutions, &ready, headers, body, tried.as_mut());
    let Filled { credential, request, derived } = filled.inspect_err(|error| {
        let is_other = matches!(error, Error::OtherBody(_));
        exchange.failed(if is_other { OTHER_BODY } else { "a value can't be put in its place" });
    })?;
    for (secret, value) in &derived {
        exchange.made(session.policy.name_of(*secret), session.keyring.fingerprint(value));
    }
    let (broken, written) = (request.body().broken(), request.body().written());
    let again = as_sent
        .zip(tried)
        .map(|((parts, conditions, body), schemes)| Box::new(Again { parts: *parts, conditions, body, schemes, since: Instant::now() }));
    let kept = Kept { permit, number, exchange, ready, derived, carried, written, dropped, again };
    Ok(Prepared { leave, credential, request, broken, kept })
}

/// Says what a server has to know to find the end of a request.
fn frame(headers: &mut HeaderMap, method: &Method, body: &RequestBody) {
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

impl Outbound {
    /// The values that a request carries, in the order of its substitutions. What is looked for in the answer is up to date from here on.
    async fn ready(&self, substitutions: &[Substitution]) -> Result<Vec<Ready>, Error> {
        let mut ready = Vec::with_capacity(substitutions.len());
        for substitution in substitutions {
            let secret = match substitution.source {
                Source::Secret(index) => Some(index),
                Source::Sealed(_) => None,
            };
            // What a template is filled with is the value itself. A scheme that mints something of it does so here.
            let had = self.session.version(substitution.secret, substitution.source).await;
            let (version, mut stale) = had.map_err(Error::host)?;
            let mut others = Vec::with_capacity(substitution.with.len());
            for (index, _) in &substitution.with {
                let (other, is_stale) = self.session.version(*index, Source::Secret(*index)).await.map_err(Error::host)?;
                stale |= is_stale;
                others.push(other);
            }
            let number = match substitution.scheme.least_number(SystemTime::now()) {
                Some(least) => Some(self.session.number(substitution.secret, least).await.map_err(Error::host)?),
                None => None,
            };
            ready.push(Ready { secret, version, others, number, stale });
        }
        self.session.learn();
        Ok(ready)
    }

    /// Whether a value was replaced while the agent kept its request's body back.
    fn is_replaced(&self, ready: &Ready) -> bool {
        let key = ready.secret.and_then(|index| self.session.keyring.get(index));
        key.is_some_and(|key| !key.is_current(ready.version.version()))
    }

    /// The values of a request whose record names others.
    async fn renewed(&self, number: u64, substitutions: &[Substitution]) -> Result<Vec<Ready>, Error> {
        let ready = self.ready(substitutions).await?;
        let secrets = self.used(substitutions, &ready);
        self.session.record(Event::VersionsChanged { request: number, secrets })?;
        Ok(ready)
    }

    /// The values of a request, for its record.
    fn used<'r>(&'r self, substitutions: &'r [Substitution], ready: &'r [Ready]) -> Vec<Used<'r>> {
        let used = |secret: usize, substitution: &'r Substitution, version: &'r InUse, stale: bool| {
            let name = &self.session.keyring.get(secret)?.name;
            Some(Used { place: Some((&*substitution.place).into()), stale, ..Used::of(name, version) })
        };
        let each = substitutions.iter().zip(ready).flat_map(|(substitution, ready)| {
            let own = used(substitution.secret, substitution, &ready.version, ready.stale);
            let with = substitution.with.iter().zip(&ready.others);
            [own].into_iter().chain(with.map(|((secret, _), other)| used(*secret, substitution, other, false))).collect::<Vec<_>>()
        });
        each.flatten().collect()
    }

    /// How much of its answer's shape an agent may choose.
    fn shape<'p>(&self, permit: &'p Permit) -> headers::Shape<'p> {
        if permit.guarded() {
            return headers::Shape::Guarded(permit.accept_parameters());
        }
        match self.session.scrubbing.values.of(&self.session.scrubber()) {
            Some(_) => headers::Shape::Searched,
            None => headers::Shape::Free,
        }
    }

    /// What a request carries and not all text is searched for: values of answers that are too short or too long for that.
    pub(super) fn carried(&self, ready: &[Ready], derived: &[(usize, SecretValue)]) -> Vec<(Arc<Known>, Replacement)> {
        let sealed = ready.iter().filter(|ready| ready.secret.is_none() && !session::is_telling(&ready.version));
        // One that was forgotten since has no placeholder any more.
        let placeholder = |version| self.session.keyring.sealed_as(version).unwrap_or_else(|| "[sealed]".to_owned());
        let sealed = sealed.map(|ready| session::sealed(&ready.version, &placeholder(ready.version.version())));
        // What was made for this request alone has no placeholder: an echo of it says whose it is.
        let made = derived.iter().filter_map(|(secret, value)| {
            let name = &self.session.keyring.get(*secret)?.name;
            Some((value.known(false), Replacement::new(format!("[redacted:{name}]"), format!("[redacted:{name}]"))))
        });
        sealed.chain(made).collect()
    }

    /// Hands the record of a request to the audit log.
    fn account(&self, request: u64, repeats: Option<u64>, permit: &Permit, ready: &[Ready]) -> Result<(), NoRecord> {
        let (secrets, url) = (self.used(permit.substitutions(), ready), permit.url().without_query());
        let scrubber = self.session.scrubber();
        let url = scrubber.scrub_text(&url);
        let end = url.char_indices().nth(MAX_RECORDED).map_or(url.len(), |(at, _)| at);
        self.session.record(Event::Egress {
            request,
            method: permit.method().as_str().into(),
            url: (&url[..end]).into(),
            rule: permit.rule().into(),
            secrets,
            repeats,
            manifest: permit.edition().map(Into::into),
        })
    }
}
