//! What proves who calls: a bearer's token, a service's signature, a certificate. It is looked at before a run exists, and taken out of the
//! request; the caller is told nothing of what is wrong with it.

use super::certificate::{Certificates, Peer};
use super::deliveries::{Claim, Deliveries, Unclaimed};
use super::head::{Refused, too_long};
use super::secret::CallerSecret;
use super::webhook::{self, Signed};
use crate::Agent;
use crate::doors::wasm::RequestBody;
use crate::manifest::{CallerAuth, HttpTrigger, Webhook};
use crate::secrets::Version;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, request};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

/// How long a service may take for a body that is read before it is believed.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bodies that are held at once before they are believed: 128 MiB.
pub(super) const HELD: usize = 128;
/// What proxies in front of a server say of a certificate. Nobody has verified it here.
const FORWARDED: HeaderName = HeaderName::from_static("x-forwarded-client-cert");

/// How callers of one agent prove who they are.
pub(super) enum Callers {
    Public,
    Bearer(CallerSecret),
    Webhook(Webhook, CallerSecret),
    Mtls(Certificates),
}

/// A caller that has proved who it is.
pub(super) struct Proved {
    /// By what, in the words of the audit log.
    pub(super) by: &'static str,
    pub(super) caller: Option<String>,
    /// The values that count, which the agent can't hand on.
    pub(super) shown: Vec<Arc<Version>>,
    /// What is to be kept before the run begins: this message begins no other.
    pub(super) claim: Option<Claim>,
    pub(super) body: RequestBody,
}

impl Callers {
    /// Those that an agent's trigger lets in.
    ///
    /// # Errors
    /// What is wrong with the authorities of their certificates.
    pub(super) fn of(agent: &Agent, trigger: &HttpTrigger) -> Result<Self, String> {
        Ok(match &trigger.auth {
            CallerAuth::Bearer(_) => Self::Bearer(CallerSecret::of(agent)),
            CallerAuth::Webhook { of, .. } => Self::Webhook(*of, CallerSecret::of(agent)),
            CallerAuth::Mtls { authorities, names } => Self::Mtls(Certificates::of(authorities, names)?),
            _ => Self::Public,
        })
    }

    /// What a caller is challenged with that has proved nothing (RFC 9110, 11.6.1).
    pub(super) fn challenge(&self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Bearer(_) | Self::Public => "Bearer",
            Self::Webhook(..) => "Signature",
            Self::Mtls(_) => "Certificate",
        })
    }

    /// Looks at what a request shows, and takes it out.
    pub(super) async fn prove(&self, head: &mut request::Parts, body: RequestBody, asked: &Asked<'_>) -> Result<Proved, Refused> {
        head.headers.remove(header::PROXY_AUTHORIZATION);
        head.headers.remove(FORWARDED);
        match self {
            Self::Public => Ok(Proved { by: "public", caller: None, shown: Vec::new(), claim: None, body }),
            Self::Bearer(secret) => {
                let shown = values(secret, asked).await?;
                let found = bearer(&head.headers, &shown);
                // Whatever was in it, the agent does not see it.
                head.headers.remove(header::AUTHORIZATION);
                let caller = Some(found.map_err(denied)?);
                Ok(Proved { by: "bearer", caller, shown, claim: None, body })
            }
            Self::Webhook(of, secret) => {
                let signed = Signed::read(*of, &head.headers).map_err(denied)?;
                if !signed.is_in_time(asked.now) {
                    return Err(denied("the signature is more than 5 minutes old, or ahead"));
                }
                let shown = values(secret, asked).await?;
                let (body, _held) = whole(body, asked).await?;
                let by = shown.iter().find(|version| signed.is_by(&version.value, &body));
                let caller = Some(by.ok_or_else(|| denied("the signature is another one"))?.fingerprint.to_string());
                let (ids, until) = signed.ids(asked.agent, &body, asked.now);
                let claim = asked.deliveries.claim(ids, until, asked.now).map_err(|unclaimed| match unclaimed {
                    Unclaimed::Again => denied("the message has begun a run before"),
                    Unclaimed::Full => Refused::new(StatusCode::SERVICE_UNAVAILABLE, "as many messages are remembered as may be"),
                })?;
                webhook::strip(&mut head.headers);
                let body = Full::new(body).map_err(|never| match never {}).boxed_unsync();
                Ok(Proved { by: of.as_str(), caller, shown, claim: Some(claim), body })
            }
            Self::Mtls(certificates) => {
                let caller = Some(certificates.name(asked.peer).map_err(denied)?);
                Ok(Proved { by: "mtls", caller, shown: Vec::new(), claim: None, body })
            }
        }
    }
}

/// What else counts, beside the request.
pub(super) struct Asked<'a> {
    pub(super) agent: &'a str,
    pub(super) deliveries: &'a Arc<Deliveries>,
    pub(super) peer: &'a Peer,
    /// Milliseconds since 1970.
    pub(super) now: u64,
    /// Most bytes of the body.
    pub(super) most: u64,
    /// Room for [`HELD`] bodies.
    pub(super) held: &'a Semaphore,
}

fn denied(why: &'static str) -> Refused {
    Refused::new(StatusCode::UNAUTHORIZED, why)
}

async fn values(secret: &CallerSecret, asked: &Asked<'_>) -> Result<Vec<Arc<Version>>, Refused> {
    secret.values().await.map_err(|why| {
        tracing::warn!("agent {}: nobody can call it, since what callers prove to have is unavailable: {why}", asked.agent);
        Refused::new(StatusCode::SERVICE_UNAVAILABLE, "the secret of callers is unavailable")
    })
}

/// The fingerprint of the value that the one `Authorization` line bears.
fn bearer(headers: &HeaderMap, values: &[Arc<Version>]) -> Result<String, &'static str> {
    let mut lines = headers.get_all(header::AUTHORIZATION).iter();
    let line = lines.next().ok_or("there is no `Authorization`")?;
    if lines.next().is_some() {
        return Err("there are two `Authorization` lines");
    }
    let (scheme, token) = line.as_bytes().split_at_checked("Bearer ".len()).ok_or("the scheme is not `Bearer`")?;
    if !scheme.eq_ignore_ascii_case(b"Bearer ") {
        return Err("the scheme is not `Bearer`");
    }
    // All of them, so that time does not tell which.
    let found = values.iter().fold(None, |found, version| {
        let is = version.value.is_shown(token);
        found.or(is.then_some(version))
    });
    found.map(|version| version.fingerprint.to_string()).ok_or("the token is another one")
}

/// A body, whole, and its place among those that are held.
async fn whole<'a>(body: RequestBody, asked: &Asked<'a>) -> Result<(Bytes, Option<SemaphorePermit<'a>>), Refused> {
    let limited = Limited::new(body, usize::try_from(asked.most).unwrap_or(usize::MAX));
    let taking = async {
        let held = asked.held.acquire().await.ok();
        (limited.collect().await, held)
    };
    match timeout(PATIENCE, taking).await {
        Ok((Ok(body), held)) => Ok((body.to_bytes(), held)),
        Ok((Err(error), _)) if error.is::<LengthLimitError>() => Err(too_long()),
        Ok((Err(_), _)) => Err(Refused::new(StatusCode::BAD_REQUEST, "the body was broken off")),
        Err(_) => Err(Refused::new(StatusCode::REQUEST_TIMEOUT, "the body took longer than 10 s")),
    }
}
