//! What an agent is told about a request that the host refuses: an error, or an HTTP response of the host's own.

use super::Error;
use super::exchange::Exchange;
use super::slots::GuestBody;
use crate::manifest::Denials;
use crate::session::Refused;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use http_body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll};

/// What every header of the host's own begins with. In answers of servers none is let through.
pub(super) const OWN: &str = "strongroom-";
/// How an exchange ends whose body is not the one that the agent has signed.
pub(super) const OTHER_BODY: &str = "its body is not the one that the agent has signed";
/// Names the rule that denied.
const DENIAL: HeaderName = HeaderName::from_static("strongroom-denial");

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
    /// Writes into the record of a request why its body did not go.
    pub(super) fn recorded(&self, exchange: &mut Exchange) {
        match self {
            Self::Denied(refused) => exchange.failed_with("the host denied its body", format!("rule `{}`", refused.rule)),
            Self::Failed(Error::RequestBodySize(Some(_))) => exchange.failed("its body does not have the length that the agent declared"),
            Self::Failed(Error::OtherBody(_)) => exchange.failed(OTHER_BODY),
            // The run has ended with it, which the record says by itself.
            Self::Failed(Error::RequestBodySize(None)) => {}
            Self::Failed(Error::Host(_)) => exchange.failed("the host could not keep a record of it"),
            Self::Failed(_) => exchange.failed("the agent cut its request short"),
        }
    }

    /// What the agent gets, in the way that its manifest says.
    pub(super) fn told(self, denials: Denials) -> Result<Response<Answer>, Error> {
        match (self, denials) {
            (Self::Failed(error), _) => Err(error),
            (Self::Denied(refused), Denials::Error) => Err(Error::host(refused.text)),
            (Self::Denied(refused), Denials::Response) => Ok(answer(&refused)),
        }
    }
}

/// Problem details (RFC 9457) with status 403, which clients do not send again. They hold what the error would: the rule, and what was wrong
/// with the request itself.
fn answer(refused: &Refused) -> Response<Answer> {
    let rule = refused.rule.as_str();
    let details = serde_json::json!({"title": "Forbidden", "status": 403, "detail": refused.text, "rule": rule}).to_string();
    let mut answer = Response::new(Answer::Own(details.into()));
    *answer.status_mut() = StatusCode::FORBIDDEN;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    answer.headers_mut().insert(DENIAL, HeaderValue::from_static(rule));
    answer
}

/// The body of an answer: the server's, or the host's own.
pub(crate) enum Answer {
    Server(GuestBody),
    Own(Bytes),
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match self.get_mut() {
            Self::Server(body) => Pin::new(body).poll_frame(cx),
            Self::Own(text) if text.is_empty() => Poll::Ready(None),
            Self::Own(text) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(text))))),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Own(text) if text.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Server(body) => body.size_hint(),
            Self::Own(text) => SizeHint::with_exact(text.len() as u64),
        }
    }
}
