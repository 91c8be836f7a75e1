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
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, request};
use http_body_util::{BodyExt, Full};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;
use zeroize::Zeroizing;

/// How long a service may take for a body that is read before it is believed.
const PATIENCE: Duration = Duration::from_secs(10);
/// What is held at once of bodies before they are believed, in pages: 128 MiB. A body takes some of them at a time.
pub(super) const HELD: usize = (128 << 20) / PAGE;
const PAGE: usize = 4096;
const PAGES: u32 = 16;
/// What proxies in front of a server say of a certificate. Nobody has verified it here.
const FORWARDED: [HeaderName; 3] = [
    HeaderName::from_static("x-forwarded-client-cert"),
    // RFC 9440.
    HeaderName::from_static("client-cert"),
    HeaderName::from_static("client-cert-chain"),
];

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
        FORWARDED.iter().for_each(|name| _ = head.headers.remove(name));
        if matches!(self, Self::Webhook(..) | Self::Mtls(_)) {
            // It proves nothing here, and may be meant for another agent behind the same listener.
            head.headers.remove(header::AUTHORIZATION);
        }
        match self {
            Self::Public => Ok(Proved { by: "public", caller: None, shown: Vec::new(), claim: None, body }),
            Self::Bearer(secret) => {
                let token = bearer(&head.headers).map(|token| Zeroizing::new(token.to_vec()));
                // Whatever was in it, the agent does not see it.
                head.headers.remove(header::AUTHORIZATION);
                let token = token.map_err(denied)?;
                let shown = values(secret, asked).await?;
                let caller = Some(whose(&token, &shown).ok_or_else(|| denied("the token is another one"))?);
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
                let (ids, lasts) = signed.ids(asked.agent, &body, asked.now);
                let claim = asked.deliveries.claim(ids, lasts).map_err(|unclaimed| match unclaimed {
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
    /// Room for [`HELD`] pages of bodies.
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

/// What the one `Authorization` line bears.
pub(crate) fn bearer(headers: &HeaderMap) -> Result<&[u8], &'static str> {
    let mut lines = headers.get_all(header::AUTHORIZATION).iter();
    let line = lines.next().ok_or("there is no `Authorization`")?;
    if lines.next().is_some() {
        return Err("there are two `Authorization` lines");
    }
    let (scheme, token) = line.as_bytes().split_at_checked("Bearer ".len()).ok_or("the scheme is not `Bearer`")?;
    if scheme.eq_ignore_ascii_case(b"Bearer ") { Ok(token) } else { Err("the scheme is not `Bearer`") }
}

/// The fingerprint of the value that this is.
fn whose(token: &[u8], values: &[Arc<Version>]) -> Option<String> {
    // All of them, so that time does not tell which.
    let found = values.iter().fold(None, |found, version| {
        let is = version.value.is_shown(token);
        found.or(is.then_some(version))
    });
    found.map(|version| version.fingerprint.to_string())
}

/// A body, whole, and its room among those that are held. It has room for what has come of it: whoever sends nothing keeps nobody out.
async fn whole<'a>(body: RequestBody, asked: &Asked<'a>) -> Result<(Bytes, Option<SemaphorePermit<'a>>), Refused> {
    match timeout(PATIENCE, collected(body, asked)).await {
        Ok(collected) => collected,
        Err(_) => Err(Refused::new(StatusCode::REQUEST_TIMEOUT, "the body took longer than 10 s")),
    }
}

async fn collected<'a>(mut body: RequestBody, asked: &Asked<'a>) -> Result<(Bytes, Option<SemaphorePermit<'a>>), Refused> {
    let broken = || Refused::new(StatusCode::BAD_REQUEST, "the body was broken off");
    // Copied together as it comes: a piece that is kept for each byte takes many times its length.
    let (mut whole, mut held, mut room) = (BytesMut::new(), None::<SemaphorePermit<'a>>, 0);
    while let Some(frame) = body.frame().await {
        let Ok(piece) = frame.map_err(|_| broken())?.into_data() else { continue };
        let length = whole.len() + piece.len();
        if length as u64 > asked.most {
            return Err(too_long());
        }
        while room < length {
            let more = asked.held.acquire_many(PAGES).await.map_err(|_| broken())?;
            room += PAGE * PAGES as usize;
            match &mut held {
                None => held = Some(more),
                Some(held) => held.merge(more),
            }
        }
        whole.extend_from_slice(&piece);
    }
    Ok((whole.freeze(), held))
}
