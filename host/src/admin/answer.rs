//! What somebody gets: JSON, lines of JSON as they come, or a problem (RFC 9457).

use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use schemars::JsonSchema;
use serde::Serialize;
use std::convert::Infallible;

pub(super) type Body = UnsyncBoxBody<Bytes, Infallible>;
pub(super) type Answer = Response<Body>;
pub(super) type Answered = Result<Answer, Problem>;

/// What is wrong with a request, or why nothing came of it (RFC 9457).
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Problem {
    /// The status, in words.
    title: &'static str,
    /// The status of the response.
    status: u16,
    /// What is wrong, and what to do.
    detail: String,
    #[serde(skip)]
    allow: Option<String>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, detail: impl ToString) -> Self {
        let title = status.canonical_reason().unwrap_or("Error");
        Self { title, status: status.as_u16(), detail: detail.to_string(), allow: None }
    }

    pub(super) fn bad(detail: impl ToString) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// The path is there, for other methods.
    pub(super) fn method(allowed: &[Method]) -> Self {
        let allowed = allowed.iter().map(Method::as_str).collect::<Vec<_>>().join(", ");
        let detail = format!("this path is for {allowed}");
        Self { allow: Some(allowed), ..Self::new(StatusCode::METHOD_NOT_ALLOWED, detail) }
    }

    pub(super) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    pub(super) fn answer(self) -> Answer {
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let status = self.status();
        let mut answer = whole(status, "application/problem+json", body);
        let allow = self.allow.and_then(|allow| HeaderValue::from_str(&allow).ok());
        if let Some(allow) = allow {
            answer.headers_mut().insert(header::ALLOW, allow);
        }
        if status == StatusCode::UNAUTHORIZED {
            answer.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        answer
    }
}

/// Something as JSON.
pub(super) fn json(what: &impl Serialize) -> Answered {
    let body = serde_json::to_vec(what).map_err(|error| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error))?;
    Ok(whole(StatusCode::OK, "application/json", body))
}

/// JSON that is text already.
pub(super) fn text(json: &str) -> Answer {
    whole(StatusCode::OK, "application/json", json.as_bytes().to_vec())
}

/// A line of JSON for each, as it comes.
pub(super) fn lines(lines: impl futures_util::Stream<Item = serde_json::Value> + Send + 'static) -> Answer {
    use futures_util::StreamExt;

    let frames = lines.map(|line| Ok(Frame::data(Bytes::from(format!("{line}\n")))));
    let mut answer = Response::new(StreamBody::new(frames).boxed_unsync());
    headers(&mut answer, "application/x-ndjson");
    answer
}

fn whole(status: StatusCode, kind: &'static str, body: Vec<u8>) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(body)).boxed_unsync());
    *answer.status_mut() = status;
    headers(&mut answer, kind);
    answer
}

fn headers(answer: &mut Answer, kind: &'static str) {
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}
