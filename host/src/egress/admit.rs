//! The first phase: whether a request may leave. All that is known before its values are is judged here; its rates are charged last, when
//! nothing can refuse it any more but its body.

use super::refusal::Broke;
use super::{AgentBody, Error, Outbound, held};
use crate::policy::{Asked, Denial, Leave, Permit, Policy};
use crate::scrub::Scrubber;
use crate::session::{Charged, Judgement, Session};
use crate::shared::{SharedRates, Taken, Use};
use http::request::Parts;
use http::{HeaderMap, HeaderName, Request, header};
use std::sync::Arc;
use std::time::{Instant, SystemTime};
use tokio::sync::OwnedSemaphorePermit;

/// A request that may leave.
pub(super) struct Admitted {
    pub(super) permit: Permit,
    pub(super) leave: Leave,
    pub(super) parts: Parts,
    pub(super) body: AgentBody,
    /// Its place among the run's open requests.
    pub(super) place: OwnedSemaphorePermit,
    /// The number of the request that it repeats.
    pub(super) repeats: Option<u64>,
    /// Its head as the agent has sent it, where its answer may ask for it once more.
    pub(super) as_sent: Option<Box<Parts>>,
}

/// What the policy says to a request.
pub(super) struct Judged {
    pub(super) judgement: Judgement,
    as_sent: Option<Box<Parts>>,
}

/// Judges a request, charges it and counts it; or denies it.
pub(super) async fn admit(outbound: &Outbound, request: Request<AgentBody>) -> Result<Admitted, Broke> {
    let session = &outbound.session;
    let (mut parts, mut body) = request.into_parts();
    // The `Host` that a door adds is the authority once more, which is judged as the URL.
    parts.headers.remove(header::HOST);
    session.policy.forget_referer(&mut parts.headers, &session.keyring.placeholders);
    let asked = Asked { method: &parts.method, uri: &parts.uri, headers: &parts.headers, body: None, time: SystemTime::now() };
    let place = outbound.slots.place().await;
    if session.meter.is_stopped() {
        return Err(Error::host("strongroom: the run is stopped").into());
    }
    let deny = |denial: Denial| Broke::from(session.deny(denial));
    // Judged, charged and recorded when its turn comes.
    let place = place.map_err(|_| deny(Policy::too_many_open(&asked, session.meter.limits.requests)))?;
    let Judged { judgement, as_sent } = judge(outbound, &mut parts, &mut body, None).await?;
    let charged = session.charge(&judgement, Instant::now()).map_err(deny)?;
    let charged = match &session.counts.rates {
        None => charged,
        Some(rates) => among_hosts(session, rates, &judgement, charged).await?,
    };
    let (permit, leave) = (judgement.permit, charged.into_leave());
    Ok(Admitted { permit, leave, parts, body, place, repeats: None, as_sent })
}

/// Judges a request, up to what it is charged. One that is repeated has the conditions that it had.
pub(super) async fn judge(
    outbound: &Outbound,
    parts: &mut Parts,
    body: &mut AgentBody,
    conditions: Option<HeaderMap>,
) -> Result<Judged, Broke> {
    let session = &outbound.session;
    let deny = |denial: Denial| Broke::from(session.deny(denial));
    let mut asked = Asked { method: &parts.method, uri: &parts.uri, headers: &parts.headers, body: None, time: SystemTime::now() };
    let held = match session.reads_body(&asked) {
        true => Some(held::whole(body).await?.ok_or_else(|| deny(Policy::body_too_long(&asked)))?),
        false => None,
    };
    asked.body = held.as_deref();
    let judgement = session.judge(&asked).map_err(deny)?;
    let permit = &judgement.permit;
    let as_sent = permit.may_be_challenged().then(|| Box::new(parts.clone()));
    if let Some(denial) = held::judge(permit, &parts.headers, body).await? {
        return Err(deny(denial));
    }
    session.learn();
    let scrubber = scrubber_for(outbound, permit);
    if let Some(denial) = leak_in_head(&scrubber, permit, parts) {
        return Err(deny(denial));
    }
    match conditions {
        Some(conditions) => parts.headers.extend(conditions),
        None if permit.guarded() => outbound.tags().put_back(permit, &mut parts.headers).map_err(deny)?,
        None => {}
    }
    let head: usize = parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if !session.meter.send_head(head + target(parts).len()) {
        return Err(Error::RequestHead.into());
    }
    Ok(Judged { judgement, as_sent })
}

/// Charges a request to the rates that hosts share too; or gives back what it was charged here.
async fn among_hosts(session: &Session, rates: &SharedRates, judgement: &Judgement, charged: Charged) -> Result<Charged, Broke> {
    let permit = &judgement.permit;
    let uses: Vec<Use<'_>> = session.rates(judgement).into_iter().map(|(name, rate)| Use::new(name, rate)).collect();
    let denial = match rates.take(&uses).await {
        // It may have been a while.
        Ok(Taken::All) if session.meter.is_stopped() => return Err(Error::host("strongroom: the run is stopped").into()),
        Ok(Taken::All) => return Ok(charged),
        Ok(Taken::Nothing { spent }) => session.policy.over_rate(permit, spent),
        Err(why) => Policy::rates_silent(permit, &why.to_string()),
    };
    session.refund(judgement, charged);
    Err(session.deny(denial).into())
}

/// Path and query.
pub(super) fn target(parts: &Parts) -> &str {
    parts.uri.path_and_query().map_or("/", |target| target.as_str())
}

/// What looks for secrets in a request, as far as they are known at this moment.
pub(super) fn scrubber_for(outbound: &Outbound, permit: &Permit) -> Arc<Scrubber> {
    match permit.leaks().allowed.as_slice() {
        [] => outbound.session.scrubber(),
        rules => Arc::new(outbound.session.scrubber().passing(rules)),
    }
}

/// What looks like a secret in the URL or in a header that is not for credentials.
fn leak_in_head(scrubber: &Scrubber, permit: &Permit, parts: &Parts) -> Option<Denial> {
    let first = |text: &[u8]| {
        let (kind, _) = scrubber.find(text).into_iter().next()?;
        scrubber.note(&kind);
        Some(kind)
    };
    let in_url = first(target(parts).as_bytes()).map(|kind| Policy::leak(permit, &kind, "URL"));
    let in_header = || {
        let mut others = parts.headers.iter().filter(|(name, _)| !permit.is_for_credentials(name));
        others.find_map(|(name, value)| Some(Policy::leak(permit, &first(value.as_bytes())?, &format!("header `{name}`"))))
    };
    let in_name = || {
        let names = parts.headers.keys().map(HeaderName::as_str).chain([permit.url().host.as_str()]);
        let found = |name: &str| Some(Policy::leak(permit, &first(name.as_bytes())?, "name of a header, or of the host,"));
        names.into_iter().find_map(found)
    };
    in_url.or_else(in_header).or_else(in_name)
}
