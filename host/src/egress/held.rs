//! Bodies that are judged before any of them leaves.

use super::{AgentBody, Error};
use crate::policy::{Denial, Graphql, MAX_GRAPHQL, Permit, Policy};
use http::{HeaderMap, header};
use http_body_util::BodyExt;

/// Holds the body of a request whose answer is sealed until it is known to be no GraphQL that could bring a field under another name.
pub(super) async fn judge(permit: &Permit, headers: &HeaderMap, body: &mut AgentBody) -> Result<Option<Denial>, Error> {
    let Some(graphql) = permit.graphql() else { return Ok(None) };
    let lines = headers.get_all(header::CONTENT_TYPE).iter().map(|line| String::from_utf8_lossy(line.as_bytes()));
    let content_type: String = lines.collect::<Vec<_>>().join(", ");
    let mut held = Vec::new();
    while held.len() <= MAX_GRAPHQL
        && let Some(frame) = body.frame().await.transpose()?
    {
        held.extend_from_slice(frame.data_ref().map(AsRef::as_ref).unwrap_or_default());
    }
    let refused = if held.len() <= MAX_GRAPHQL {
        graphql.refuses(&held, &content_type)
    } else if Graphql::may_be(&held, &content_type) {
        Some("the body may be GraphQL and is longer than 256 KiB, the most that is read where a grant seals fields of responses")
    } else {
        None
    };
    body.put_back(held);
    Ok(refused.map(|reason| Policy::graphql_denied(permit, reason)))
}
