//! A request once more, where its response asks for that and the law on repeating allows it ([`Attempt`]). With a template no response
//! does; one with an access token is repeated where there is another token.

use super::Outbound;
use super::admit::{Admitted, judge};
use super::agent_body::AgentBody;
use super::dispatch::{Dispatched, dispatch};
use super::prepare::{Again, prepare};
use super::refusal::Broke;
use crate::credential::Scheme;
use crate::policy::Attempt;
use http::{HeaderMap, StatusCode};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Whether the response asks for its request once more, by a scheme of it.
pub(super) fn is_asked_for(first: &Dispatched) -> bool {
    let asks = |scheme: &Scheme| scheme.challenge(first.answer.status(), first.answer.headers()).is_some();
    first.kept.again.as_ref().is_some_and(|again| again.schemes.iter().any(asks))
}

/// The answer to the request; or to its repetition, which has what is left of the agent's patience. What the first answer says beyond its
/// challenge is lost with it: the agent gets one answer, and only the last one tells whether a credential works.
pub(super) async fn repeat(outbound: &Arc<Outbound>, mut first: Dispatched, patience: Duration) -> Result<Dispatched, Broke> {
    let Some(again) = first.kept.again.take() else { return Ok(first) };
    let (since, left) = (again.since, |since: Instant| patience.saturating_sub(since.elapsed()));
    if left(since).is_zero() {
        return Ok(first);
    }
    let Some(admitted) = admit(outbound, &mut first, *again).await else { return Ok(first) };
    // Its record comes before that of what repeats it.
    drop(first);
    let prepared = prepare(outbound, admitted).await?;
    dispatch(outbound, prepared, left(since)).await
}

/// Judges the request anew, as the agent has sent it; `None` where it is not repeated, and the agent gets the answer that came.
async fn admit(outbound: &Outbound, first: &mut Dispatched, again: Again) -> Option<Admitted> {
    let Again { mut parts, conditions, body, schemes, since: _ } = again;
    let asked = challenged(schemes, first.answer.status(), first.answer.headers())?;
    let body = body.whole();
    let attempt = Attempt {
        permit: &first.kept.permit,
        charge: first.charge.take(),
        kept: body.as_ref().map(bytes::Bytes::len),
        status: first.answer.status(),
        asked,
    };
    if !attempt.may_repeat() || outbound.session.meter.is_stopped() {
        return None;
    }
    for (scheme, ready) in attempt.asked.iter().zip(&first.kept.ready) {
        let secret = ready.secret.filter(|_| scheme.is_token());
        if let Some(secret) = secret
            && !outbound.session.has_another(secret, ready.version.version()).await
        {
            return None;
        }
    }
    // It may have been a while.
    if outbound.session.meter.is_stopped() {
        return None;
    }
    let mut body = AgentBody::of(body?);
    // What is denied now is recorded; the agent has an answer already.
    let mut permit = judge(outbound, &mut parts, &mut body, Some(conditions)).await.ok()?.judgement.permit;
    let leave = outbound.session.policy.repeat(attempt, &mut permit)?;
    let place = first.kept.exchange.passed_on()?;
    Some(Admitted { permit, leave, parts, body, place, repeats: Some(first.kept.number), as_sent: None })
}

/// The schemes as the answer asks for them, where it asks for anything.
fn challenged(schemes: Vec<Scheme>, status: StatusCode, headers: &HeaderMap) -> Option<Vec<Scheme>> {
    let mut is_asked = false;
    let next = |scheme: Scheme| match scheme.challenge(status, headers) {
        None => scheme,
        Some(next) => {
            is_asked = true;
            next
        }
    };
    let next = schemes.into_iter().map(next).collect();
    is_asked.then_some(next)
}

#[cfg(test)]
mod tests;
