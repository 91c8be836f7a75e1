//! Bodies that are judged before any of them leaves.

use super::{AgentBody, Error};
use crate::credential::MOST_HELD;
use crate::policy::{Denial, Graphql, MAX_GRAPHQL, Permit, Policy};
use bytes::Bytes;
use http::{HeaderMap, header};
use http_body_util::BodyExt;

/// All of a body, which comes again after it; `None` where it is longer than one in which granted fields are looked for.
pub(super) async fn whole(body: &mut AgentBody) -> Result<Option<Bytes>, Error> {
    let held = Bytes::from(read(body, MOST_HELD).await?);
    body.put_back(held.clone());
    Ok(Some(held).filter(|held| held.len() <= MOST_HELD))
}

/// The beginning of a body: all of it, or more than `most` bytes.
async fn read(body: &mut AgentBody, most: usize) -> Result<Vec<u8>, Error> {
    let mut held = Vec::new();
    while held.len() <= most
        && let Some(frame) = body.frame().await.transpose()?
    {
        held.extend_from_slice(frame.data_ref().map(AsRef::as_ref).unwrap_or_default());
    }
    Ok(held)
}

/// Holds the body of a request whose answer is sealed until it is known to be no GraphQL that could bring a field under another name.
pub(super) async fn judge(permit: &Permit, headers: &HeaderMap, body: &mut AgentBody) -> Result<Option<Denial>, Error> {
    let Some(graphql) = permit.graphql() else { return Ok(None) };
    let lines = headers.get_all(header::CONTENT_TYPE).iter().map(|line| String::from_utf8_lossy(line.as_bytes()));
    let content_type: String = lines.collect::<Vec<_>>().join(", ");
    let held = read(body, MAX_GRAPHQL).await?;
    let refused = if held.len() <= MAX_GRAPHQL {
        graphql.refuses(&held, &content_type)
    } else if Graphql::may_be(&held, &content_type) {
        Some("the body may be GraphQL and is longer than 256 KiB, the most that is read where a grant seals fields of responses")
    } else {
        None
    };
    body.put_back(held.into());
    Ok(refused.map(|reason| Policy::graphql_denied(permit, reason)))
}
