//! The last phase: the response is taken apart, searched and handed on.

use super::answer::{self, Searched};
use super::dispatch::Dispatched;
use super::prepare::Kept;
use super::refusal::Answer;
use super::sealing::{Sealing, infrastructure};
use super::{Error, Outbound};
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// What of a request the server was not told, since its answer could not be searched then.
const DROPPED: HeaderName = HeaderName::from_static("strongroom-dropped");

pub(super) async fn receive(outbound: &Arc<Outbound>, dispatched: Dispatched, between_bytes: Duration) -> Result<Response<Answer>, Error> {
    let Dispatched { mut answer, kept, charge: _ } = dispatched;
    let Kept { permit, number, mut exchange, ready, derived, carried, written, dropped, again: _ } = kept;
    let session = &outbound.session;
    if permit.guarded() {
        let written = answer.headers().contains_key(header::ETAG).then(|| written.md5()).flatten();
        let taken = outbound.tags().take(&permit, answer.headers_mut(), written.as_deref());
        taken.map_err(|_| Error::host("strongroom: the system's random source failed"))?;
    }
    if let (true, Some(date)) = (permit.is_timed(), answer.headers().get(header::DATE)) {
        outbound.pools.skews.note(&permit.url().origin_pattern(), date, SystemTime::now(), exchange.under_way());
    }
    infrastructure(outbound, &permit, answer.headers());
    let secrets = ready.iter().filter_map(|ready| Some((ready.secret?, ready.version.version())));
    if matches!(answer.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
        secrets.clone().for_each(|(index, version)| session.suspect(index, version));
    }
    session.answered(secrets.map(|(index, _)| index), permit.url(), answer.status(), answer.headers());
    let searched = Searched::new(&session.scrubbing.live, outbound.carried(&ready, &derived));
    exchange.hold(ready.into_iter().map(|ready| ready.version));
    let answer = if permit.guarded() {
        let sealing = Sealing::of(&permit, outbound, number, carried, answer.headers());
        answer::guarded(answer, exchange, searched, sealing, between_bytes).await?
    } else {
        let values = &session.scrubbing.values;
        let has_values = values.of(&session.scrubber()).is_some();
        answer::searched(answer, exchange, searched.values_alone(values), has_values, between_bytes).await?
    };
    let mut answer = answer.map(|body| Answer::Server(outbound.slots.keep(body)));
    let dropped: Vec<&str> = dropped.iter().map(HeaderName::as_str).collect();
    if let Some(names) = HeaderValue::from_str(&dropped.join(", ")).ok().filter(|names| !names.is_empty()) {
        answer.headers_mut().insert(DROPPED, names);
    }
    Ok(answer)
}
