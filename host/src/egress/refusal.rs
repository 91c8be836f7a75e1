//! What a guest is told of a request that the host refuses: an error of `wasi:http`, or an HTTP answer of the host's own.

use super::Outbound;
use crate::manifest::Denials;
use crate::meter::{Limit, MAX_DENIALS, Stop};
use crate::policy::{Denial, Rule};
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use wasmtime_wasi_http::{Error, WasiBody};

/// What every header of the host's own begins with. In answers of servers none is let through.
pub(super) const OWN: &str = "strongroom-";
/// Names the rule that denied.
const DENIAL: HeaderName = HeaderName::from_static("strongroom-denial");

/// A denial, recorded.
#[derive(Debug)]
pub(crate) struct Refused {
    rule: Rule,
    text: String,
}

/// Why a request gets no answer of its server.
#[derive(Debug)]
pub(crate) enum Broke {
    Denied(Refused),
    Failed(Error),
}

impl From<Error> for Broke {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<Refused> for Broke {
    fn from(refused: Refused) -> Self {
        Self::Denied(refused)
    }
}

impl Broke {
    /// What the guest gets, in the way that its manifest says.
    pub(super) fn told(self, denials: Denials) -> Result<Response<WasiBody>, Error> {
        match (self, denials) {
            (Self::Failed(error), _) => Err(error),
            (Self::Denied(refused), Denials::Error) => Err(Error::InternalError(Some(refused.text))),
            (Self::Denied(refused), Denials::Response) => Ok(refused.answer()),
        }
    }
}

impl Refused {
    /// Problem details (RFC 9457) with status 403, which clients do not send again. They hold what the error would: the rule, and what was
    /// wrong with the request itself.
    fn answer(self) -> Response<WasiBody> {
        let rule = self.rule.as_str();
        let details = serde_json::json!({"title": "Forbidden", "status": 403, "detail": self.text, "rule": rule}).to_string();
        let mut answer = Response::new(Full::from(details).map_err(|never| match never {}).boxed_unsync());
        *answer.status_mut() = StatusCode::FORBIDDEN;
        answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        answer.headers_mut().insert(DENIAL, HeaderValue::from_static(rule));
        answer
    }
}

impl Outbound {
    /// Records a denial, and ends the run where it says so.
    pub(crate) fn deny(&self, denial: Denial) -> Refused {
        let scrubber = self.scrubber();
        let scrub = |text: String| scrubber.scrub_text(&text).into_owned();
        let Denial { rule, asked, reason, remedy, stop } = denial;
        let denial = Denial { rule, asked: scrub(asked), reason: scrub(reason), remedy: scrub(remedy), stop };
        let refused = Refused { rule, text: denial.for_guest() };
        if self.journal.denial(&denial) >= MAX_DENIALS {
            self.meter.stop(Stop::Limit(Limit::Denials));
        }
        if denial.stop {
            self.meter.stop(Stop::Denied(denial));
        }
        refused
    }
}
