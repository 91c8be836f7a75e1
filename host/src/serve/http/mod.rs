//! Callers of agents: one listener, a run for each request.
//!
//! A request's way: its head is read in one way or refused (`head`); its path names an agent (`route`); the caller proves who it is (`caller`,
//! `webhook`, `certificate`, `secret`), by a message that counts once (`deliveries`); the agent's task has room for it, or turns it away
//! (`serve::supervise`); its run answers, and what it answers is scrubbed there (`doors::wasm::handler`). Until the run, nothing of the agent
//! is touched. A caller that is turned away learns a status, and the audit log why (`refusals`).

mod accepting;
mod caller;
mod certificate;
mod deliveries;
mod head;
mod listener;
mod patient;
mod refusals;
mod route;
mod secret;
mod webhook;

#[cfg(feature = "ops")]
pub(crate) use accepting::Accepting;
#[cfg(feature = "ops")]
pub(crate) use caller::bearer;
#[cfg(feature = "ops")]
pub(crate) use certificate::Certificates;
pub(crate) use certificate::Peer;
#[cfg(feature = "ops")]
pub(crate) use listener::acceptor;
pub(super) use listener::{Listener, Listens};
#[cfg(feature = "ops")]
pub(crate) use patient::Patient;
pub(super) use route::Route;

use crate::Agent;
use crate::doors::wasm::{Answering, Call, ResponseBody};
use crate::manifest::{CallerAuth, Scheme};
use crate::serve::supervise::Order;
use crate::url::CanonicalUrl;
use bytes::Bytes;
use caller::{Asked, Proved};
use deliveries::Claim;
use head::Refused;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Either, Empty};
use listener::Front;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

/// How long a caller waits for room before it is turned away.
const PATIENCE: Duration = Duration::from_secs(10);
/// After how many seconds it may come again.
const AGAIN: HeaderValue = HeaderValue::from_static("1");

/// What a caller gets.
type Answer = Response<Either<ResponseBody, Empty<Bytes>>>;

/// A caller's request on its way to a run.
pub(super) struct Waiting {
    call: Call,
    /// Whom the caller was let in to.
    pub(super) agent: Agent,
    claim: Option<Claim>,
    /// Whether a run has begun for it.
    begun: Arc<AtomicBool>,
    /// Where its caller's connection is, and its run begins.
    pub(super) runtime: Handle,
}

/// What is known of the connection that a request comes by.
pub(super) struct Connection {
    address: SocketAddr,
    is_tls: bool,
    /// The listener's own address, as a URL has it.
    own: String,
    certificates: Peer,
}

impl Waiting {
    /// Has the request begin the run, which nothing keeps from it any more. Its message is kept before.
    ///
    /// # Errors
    /// Why it begins none, and the caller has been told.
    pub(super) async fn begins(self) -> Result<Call, std::io::Error> {
        if let Some(claim) = self.claim
            && let Err(error) = claim.keep().await
        {
            self.call.answer.refuse(StatusCode::SERVICE_UNAVAILABLE);
            return Err(error);
        }
        self.begun.store(true, Ordering::Release);
        Ok(self.call)
    }

    /// There is no room for it.
    pub(super) fn turn_away(self) {
        self.call.answer.refuse(StatusCode::SERVICE_UNAVAILABLE);
    }

    /// Whether the caller has gone.
    pub(super) fn gone(&self) -> &CancellationToken {
        self.call.answer.gone()
    }
}

/// Answers one request.
async fn answer(front: &Front, from: &Connection, request: Request<hyper::body::Incoming>) -> Answer {
    let (mut head, body) = request.into_parts();
    let url = match head::read(&head, from.is_tls) {
        Ok(url) => url,
        Err(refused) => {
            front.refusals.record("", refused, from.address);
            return turned_away(refused.status);
        }
    };
    let Some(route) = front.routes().find(&url.path).cloned() else {
        return turned_away(StatusCode::NOT_FOUND);
    };
    let body = body.map_err(|_| std::io::ErrorKind::ConnectionAborted.into()).boxed_unsync();
    let answered = async {
        reaches(front, from, &route, &url, &head)?;
        head::body(&head, route.trigger.body)?;
        let asked = Asked {
            agent: &route.name,
            deliveries: &front.deliveries,
            peer: &from.certificates,
            now: front.wall.now(),
            most: route.trigger.body,
            held: &front.held,
        };
        let proved = route.callers.prove(&mut head, body, &asked).await?;
        let now = Instant::now();
        if !route.budget.take(now) {
            return Err(Refused::new(StatusCode::TOO_MANY_REQUESTS, "it was called as often as `trigger.rate` allows"));
        }
        // A call for which there is no room counts for none.
        run(front, from, &route, url, head, proved).await.inspect_err(|_| route.budget.give_back(now))
    };
    match answered.await {
        Ok(answer) => answer,
        Err(refused) => {
            route.refusals.record(&route.path, refused, from.address);
            let mut answer = turned_away(refused.status);
            if refused.status == StatusCode::UNAUTHORIZED {
                answer.headers_mut().insert(header::WWW_AUTHENTICATE, route.callers.challenge());
            }
            answer
        }
    }
}

/// Whether the agent is there for such a request at all.
fn reaches(front: &Front, from: &Connection, route: &Route, url: &CanonicalUrl, head: &http::request::Parts) -> Result<(), Refused> {
    let auth = &route.trigger.auth;
    if matches!(auth, CallerAuth::Webhook { .. }) && head.method != http::Method::POST {
        return Err(Refused::new(StatusCode::METHOD_NOT_ALLOWED, "a webhook comes by POST"));
    }
    // A page in a browser of this machine could reach it by a name of its own that leads here. Where a caller proves who it is, it can't.
    let is_local = matches!(url.host.as_str(), "localhost" | "127.0.0.1" | "[::1]") || url.host == from.own;
    if *auth == CallerAuth::Public && !from.is_tls && !is_local && !front.config().hosts.contains(&url.host) {
        return Err(Refused::new(StatusCode::MISDIRECTED_REQUEST, "it was called by a name that `serve.hosts` does not list"));
    }
    Ok(())
}

/// Has the agent answer, as soon as there is room for a run.
async fn run(
    front: &Front,
    from: &Connection,
    route: &Route,
    url: CanonicalUrl,
    mut head: http::request::Parts,
    proved: Proved,
) -> Result<Answer, Refused> {
    let gone = CancellationToken::new();
    let leaves = gone.clone().drop_guard();
    let (answer, mut response) = Answering::new(gone);
    let Proved { by, caller, shown, claim, body } = proved;
    head.uri = absolute(&url)?;
    if !route.trigger.set_cookie {
        // It is another agent's, which answers behind the same listener.
        head.headers.remove(header::COOKIE);
    }
    let (request, trigger, is_tls) = (Request::from_parts(head, body), Arc::clone(&route.trigger), from.is_tls);
    let call = Call { request, is_tls, by, caller, from: from.address, shown, trigger, answer };
    let begun = Arc::new(AtomicBool::new(false));
    let waiting = Waiting { call, agent: route.agent.clone(), claim, begun: Arc::clone(&begun), runtime: Handle::current() };
    if front.ending.is_cancelled() || route.link.order(Order::Call(Box::new(waiting))).is_err() {
        return Err(Refused::new(StatusCode::SERVICE_UNAVAILABLE, "the agent takes no callers any more"));
    }
    let no_room = Refused::new(StatusCode::SERVICE_UNAVAILABLE, "there is no room for a run");
    let response = tokio::select! {
        response = &mut response => response,
        () = tokio::time::sleep(PATIENCE) => {
            if !begun.load(Ordering::Acquire) {
                return Err(no_room);
            }
            response.await
        }
    };
    if !begun.load(Ordering::Acquire) {
        return Err(no_room);
    }
    // Connection here on the response itself knows whether anybody takes it.
    leaves.disarm();
    Ok(match response {
        Ok(Ok(response)) => response.map(Either::Left),
        Ok(Err(status)) => turned_away(status),
        Err(_) => turned_away(StatusCode::INTERNAL_SERVER_ERROR),
    })
}

/// The request's URL as the agent reads it.
fn absolute(url: &CanonicalUrl) -> Result<http::Uri, Refused> {
    let scheme = if url.scheme == Scheme::Https { "https" } else { "http" };
    let target = url.query.as_ref().map_or_else(|| url.path.clone(), |query| format!("{}?{query}", url.path));
    let built = http::Uri::builder().scheme(scheme).authority(url.authority()).path_and_query(target).build();
    built.map_err(|_| Refused::new(StatusCode::BAD_REQUEST, "the target is not a path"))
}

/// An answer of the host's own: a status, and nothing of why.
fn turned_away(status: StatusCode) -> Answer {
    let mut answer = Response::new(Either::Right(Empty::new()));
    *answer.status_mut() = status;
    if matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
        answer.headers_mut().insert(header::RETRY_AFTER, AGAIN);
    }
    answer
}
