//! A node of a chain, which is asked what there is, and given what was signed. It is believed in nothing that a limit does not bound.

use super::Failed;
use crate::errand::Errand;
use crate::ethereum::quantity;
use crate::manifest::CredentialRef;
use crate::ops::Kind;
use crate::scrub::{Known, Replacement, Scrubber, Search};
use crate::text::for_people;
use alloy_primitives::U256;
use http::Uri;
use reqwest::Client;
use serde::Deserialize;
use serde_json::{Value, json};
use std::net::IpAddr;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Most bytes of an answer.
const MAX_ANSWER: usize = 1 << 20;
/// Most characters of what a node says is wrong.
const MAX_SAID: usize = 200;

/// A response of JSON-RPC 2.0.
#[derive(Deserialize)]
struct Response {
    result: Option<Value>,
    error: Option<Value>,
}

/// A node, by JSON-RPC over HTTP.
pub(super) struct Node {
    client: Client,
    url: Zeroizing<String>,
    /// Finds what is secret of the address in what the node says.
    scrubber: Scrubber,
}

impl Node {
    /// The node at an address, or at what `env:NAME` or `file:PATH` holds: providers put their key into it.
    ///
    /// # Errors
    /// Why there is no address, or none that is safe to speak to.
    pub(super) fn new(place: &str) -> Result<Self, Failed> {
        let kept = match place.split_once(':') {
            Some(("env", name)) => Some(CredentialRef::Env(name.to_owned())),
            Some(("file", path)) => Some(CredentialRef::File(path.into())),
            _ => None,
        };
        let url = match kept {
            Some(kept) => kept.read().map_err(|why| Failed::usage(format!("`--rpc`: {kept} {why}")))?,
            None => Zeroizing::new(place.to_owned()),
        };
        if !is_private(&url) {
            return Err(Failed::usage(
                "`--rpc` takes the address of a node, `https://HOST/PATH` or `http://` on this machine, or `env:NAME` or `file:PATH` where it is kept",
            ));
        }
        let client = Errand::Node.client(&[], Default::default()).map_err(|error| Failed::new(Kind::State, error))?;
        // Providers have the key in the path, the query, or the host's name.
        let rest = url.split_once("://").map_or("", |(_, rest)| rest);
        let known: Vec<_> = rest.split(['/', '?', '&', '=', '@', ':', '.']).filter(|part| part.len() >= crate::MIN_LENGTH).collect();
        let replacements = known.iter().map(|_| Replacement::new("[redacted]", "[redacted]")).collect();
        let known = known.iter().map(|part| Arc::new(Known::new(part.as_bytes(), false))).collect();
        let scrubber = Scrubber::new(Arc::new(Search::new(known, None)), replacements);
        Ok(Self { client, url, scrubber })
    }

    /// A number that a method answers.
    pub(super) async fn number(&self, method: &str, params: Value) -> Result<U256, Failed> {
        let answer = self.call(method, params).await?;
        answer.as_str().and_then(hexadecimal).ok_or_else(|| failed(format!("`{method}`: the node answers no number")))
    }

    /// What a method answers.
    pub(super) async fn call(&self, method: &str, params: Value) -> Result<Value, Failed> {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string();
        let request = self.client.post(&*self.url).header("content-type", "application/json").body(body);
        let away = |error: reqwest::Error| match error.is_timeout() {
            true => failed(format!("`{method}`: the node does not answer in time; try another one")),
            false => failed(format!("`{method}`: the node can't be reached; check `--rpc`")),
        };
        let mut response = request.send().await.map_err(away)?;
        let status = response.status().as_u16();
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(away)? {
            if bytes.len() + chunk.len() > MAX_ANSWER {
                return Err(failed(format!("`{method}`: the node's answer has more than 1 MiB")));
            }
            bytes.extend_from_slice(&chunk);
        }
        let answer = serde_json::from_slice::<Response>(&bytes);
        let answer = answer.map_err(|_| failed(format!("`{method}`: what `--rpc` names answers {status}, and no JSON-RPC")))?;
        match answer {
            Response { error: Some(error), .. } => Err(failed(format!("`{method}`: the node refuses: {}", self.said(&error)))),
            // `null` is an answer too.
            Response { result, .. } => Ok(result.unwrap_or_default()),
        }
    }

    /// What a node says is wrong, without what is secret of its address.
    fn said(&self, error: &Value) -> String {
        let text = error["message"].as_str().unwrap_or("it says nothing");
        for_people(&self.scrubber.scrub_text(text).chars().take(MAX_SAID).collect::<String>())
    }
}

/// Whether nobody on the way to it can answer in its place.
fn is_private(url: &str) -> bool {
    let Ok(uri) = url.parse::<Uri>() else { return false };
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let is_here = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    match uri.scheme_str() {
        Some("https") => !host.is_empty(),
        Some("http") => is_here,
        _ => false,
    }
}

fn failed(why: String) -> Failed {
    Failed::new(Kind::Secret, why)
}

/// A number as nodes write it, and as a contract returns it: `0x` and digits.
pub(super) fn hexadecimal(text: &str) -> Option<U256> {
    let digits = text.strip_prefix("0x")?;
    match digits.trim_start_matches('0') {
        "" if !digits.is_empty() => Some(U256::ZERO),
        digits => quantity::uint(&format!("0x{digits}")),
    }
}
