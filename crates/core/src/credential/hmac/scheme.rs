//! The scheme as the phases of a request have it: found in what an agent has signed, or asked for by a grant, and applied as it leaves.

use super::{HmacKey, Request};
use crate::credential::{Applied, Draft, Outgoing, Seen, Target, Unfit, Values};
use crate::manifest::{HmacSpec, Place};
use std::sync::Arc;
use std::time::SystemTime;

/// A request that will be signed.
#[derive(Debug)]
pub struct Hmac {
    spec: Arc<HmacSpec>,
    /// Where its signature stands.
    target: Target,
}

impl Hmac {
    /// Where a request's signature is to be made; `None` where it has none and `attach` does not say that the host adds it.
    ///
    /// # Errors
    /// Why what stands there is not the placeholder, nor its signature.
    pub(crate) fn find(
        spec: &Arc<HmacSpec>,
        seen: &Seen<'_>,
        (method, body): (&str, &[u8]),
        placeholder: Option<&str>,
        attach: bool,
        now: SystemTime,
    ) -> Result<Option<Self>, String> {
        let host = seen.url.authority();
        let request = Request { method, host: &host, path: &seen.url.path, query: seen.url.query.as_deref(), headers: seen.headers, body };
        let told = |why: super::Refused| why.to_string();
        let stands = spec.stands(&request).map_err(told)?;
        match (&stands.signature, placeholder) {
            (None, _) if !attach => return Ok(None),
            (None, _) => {}
            // The agent leaves the signature to the host by name.
            (Some(found), Some(placeholder)) if found.text == placeholder => {}
            (Some(_), Some(placeholder)) => {
                let key = HmacKey::of_placeholder(spec, placeholder)?;
                spec.verify(&key, &request, now).map_err(told)?;
            }
            (Some(_), None) => return Ok(None),
        }
        let stamp = spec.stamp(now, spec.least_nonce(now)).map_err(told)?;
        let place = spec.plan(&stands, &request, &stamp).map_err(told)?.signature;
        Ok(Some(Self { spec: Arc::clone(spec), target: Target::of(&Place::from(&place)) }))
    }

    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    /// The least number that the next request may have, where it has one.
    pub fn least_number(&self, now: SystemTime) -> Option<u64> {
        self.spec.least_nonce(now)
    }

    pub(crate) fn apply(&self, values: &Values<'_>, draft: &mut Draft, outgoing: &Outgoing<'_>) -> Result<Applied, Unfit> {
        let spec = &*self.spec;
        let key = values.prepared.hmac(&self.spec, values.value).map_err(|_| Unfit)?;
        let stamp = spec.stamp(outgoing.time, values.number).map_err(|_| Unfit)?;
        let plan = {
            let request = leaving(draft, outgoing);
            let stands = spec.stands(&request).map_err(|_| Unfit)?;
            spec.plan(&stands, &request, &stamp).map_err(|_| Unfit)?
        };
        draft.take(&plan.signature);
        for edit in &plan.stamps {
            draft.set(&edit.place, &edit.text, edit.is_number).ok_or(Unfit)?;
        }
        let signature = spec.signature(&key, &leaving(draft, outgoing), &stamp).map_err(|_| Unfit)?;
        draft.set(&plan.signature, &signature, false).ok_or(Unfit)?;
        Ok(Applied { derived: Some(signature), ..Applied::default() })
    }
}

/// The request as it is about to leave.
pub(in crate::credential) fn leaving<'d>(draft: &'d Draft, outgoing: &'d Outgoing<'_>) -> Request<'d> {
    Request {
        method: outgoing.method.as_str(),
        host: outgoing.authority,
        path: &draft.path,
        query: draft.query.as_ref().map(|query| query.as_str()),
        headers: &draft.headers,
        body: draft.body().unwrap_or_default(),
    }
}
