//! Bodies that are judged before any of them leaves.

use crate::policy::{Denial, Graphql, MAX_GRAPHQL, Permit, Policy};
use bytes::Bytes;
use http::{HeaderMap, header};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use std::pin::Pin;
use std::task::{Context, Poll};
use wasmtime_wasi_http::{Error, WasiBody};

/// A body that may leave, or one that may not, with why.
pub(super) type Judged = Result<WasiBody, (WasiBody, Denial)>;

/// Holds the body of a request whose answer is sealed until it is known to be no GraphQL that could bring a field under another name.
pub(super) async fn judged(permit: &Permit, headers: &HeaderMap, body: WasiBody) -> Result<Judged, Error> {
    let Some(graphql) = permit.graphql() else { return Ok(Ok(body)) };
    let lines = headers.get_all(header::CONTENT_TYPE).iter().map(|line| String::from_utf8_lossy(line.as_bytes()));
    let content_type: String = lines.collect::<Vec<_>>().join(", ");
    let (held, rest) = held(body).await?;
    let refused = match &rest {
        None => graphql.refuses(&held, &content_type),
        Some(_) if Graphql::may_be(&held, &content_type) => {
            Some("the body may be GraphQL and is longer than 256 KiB, the most that is read where a grant seals fields of answers")
        }
        Some(_) => None,
    };
    let body = Resumed { held: (!held.is_empty()).then(|| held.into()), rest }.boxed_unsync();
    Ok(match refused {
        None => Ok(body),
        Some(reason) => Err((body, Policy::graphql_denied(permit, reason))),
    })
}

/// The body's bytes, up to the bound; and where there are more of them, the rest.
async fn held(mut body: WasiBody) -> Result<(Vec<u8>, Option<WasiBody>), Error> {
    let mut held = Vec::new();
    while let Some(frame) = body.frame().await.transpose()? {
        if let Some(data) = frame.data_ref() {
            held.extend_from_slice(data);
        }
        if held.len() > MAX_GRAPHQL {
            return Ok((held, Some(body)));
        }
    }
    Ok((held, None))
}

/// A body of which the beginning has been read.
struct Resumed {
    held: Option<Bytes>,
    rest: Option<WasiBody>,
}

impl Body for Resumed {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match (self.held.take(), &mut self.rest) {
            (Some(held), _) => Poll::Ready(Some(Ok(Frame::data(held)))),
            (None, Some(rest)) => Pin::new(rest).poll_frame(cx),
            (None, None) => Poll::Ready(None),
        }
    }
}
