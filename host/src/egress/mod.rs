//! The straight line of a request, in four phases: *admit* judges it, *prepare* fetches its values and writes its record, *dispatch* sends
//! it, *receive* scrubs the response. A challenge takes it through the first three once more (*repeat*).
//!
//! Nothing is followed or re-parsed: a redirect reaches the agent as it is, and its next request is judged from the start. A request is
//! repeated where a credential's scheme asks for that, once, and only by the law on repeating (`policy::Attempt`).

mod address;
mod admit;
mod agent_body;
mod answer;
mod call;
mod coded;
mod coding;
mod connect;
mod connection;
mod dispatch;
mod error;
mod exchange;
mod head;
mod held;
mod idle;
mod outliving;
mod pool;
mod prepare;
mod proxy;
mod readable;
mod receive;
mod refusal;
mod repeat;
mod request_body;
mod sealing;
mod server_body;
mod signed_body;
mod silence;
mod skew;
mod slots;
mod substitution;
mod tags;
mod tcp;
mod watch;

pub(crate) use address::{AddressGuard, unwrapped};
pub(crate) use agent_body::AgentBody;
pub(crate) use answer::scrubbed;
#[cfg(feature = "ops")]
pub(crate) use call::Reply;
pub(crate) use call::{Call, CallError, Caller};
#[cfg(feature = "ops")]
pub(crate) use connect::judge_addresses;
pub(crate) use connect::{ConnectError, Network, Ways};
pub use connect::{Resolve, SystemResolver};
pub(crate) use error::Error;
pub(crate) use pool::Pools;
pub(crate) use refusal::Answer;
use slots::Slots;

use crate::lock::{Mutex, MutexGuard};
use crate::manifest::Denials;
use crate::session::Session;
use http::{Request, Response};
use prepare::Prepared;
use refusal::Broke;
use sealing::Sent;
use std::sync::Arc;
use std::time::Duration;
use tags::Tags;

/// How long an answer, or the next piece of one, may take where the agent sets nothing. `limits.wall` bounds both.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the requests of one run share.
pub(crate) struct Outbound {
    session: Arc<Session>,
    /// What the run has sent to hosts whose answers are sealed.
    sent: Mutex<Sent>,
    /// The validators that the run has got of servers.
    tags: Mutex<Tags>,
    pools: Arc<Pools>,
    slots: Arc<Slots>,
    /// How the agent is told of denials.
    denials: Denials,
}

/// How long an agent waits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timeouts {
    /// For the head of an answer.
    pub(crate) first_byte: Duration,
    /// For each further piece.
    pub(crate) between_bytes: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { first_byte: PATIENCE, between_bytes: PATIENCE }
    }
}

impl Outbound {
    pub(crate) fn new(session: Arc<Session>, pools: Arc<Pools>, requests: u32, denials: Denials) -> Self {
        Self { session, sent: Mutex::default(), tags: Mutex::default(), pools, slots: Arc::new(Slots::new(requests)), denials }
    }

    /// Waits until all requests of a run that is over have ended, each with its record.
    pub(crate) async fn ended(&self) {
        self.slots.emptied().await;
    }

    fn sent(&self) -> MutexGuard<'_, Sent> {
        self.sent.lock()
    }

    fn tags(&self) -> MutexGuard<'_, Tags> {
        self.tags.lock()
    }
}

/// Sends one request of an agent, or denies it.
pub(crate) async fn send(outbound: Arc<Outbound>, request: Request<AgentBody>, timeouts: Timeouts) -> Result<Response<Answer>, Error> {
    let denials = outbound.denials;
    exchange(outbound, request, timeouts).await.or_else(|broke| broke.told(denials))
}

async fn exchange(outbound: Arc<Outbound>, request: Request<AgentBody>, timeouts: Timeouts) -> Result<Response<Answer>, Broke> {
    let admitted = admit::admit(&outbound, request).await?;
    let prepared = prepare::prepare(&outbound, admitted).await?;
    match prepared.kept.permit.keeps_tokens() {
        true => outliving::send(outbound, prepared, timeouts).await,
        false => way(outbound, prepared, timeouts).await,
    }
}

/// The way of a request that has its values, and back.
async fn way(outbound: Arc<Outbound>, prepared: Prepared, timeouts: Timeouts) -> Result<Response<Answer>, Broke> {
    let mut dispatched = dispatch::dispatch(&outbound, prepared, timeouts.first_byte).await?;
    if repeat::is_asked_for(&dispatched) {
        // In a box: the way of all others is not to be longer for it.
        dispatched = Box::pin(repeat::repeat(&outbound, dispatched, timeouts.first_byte)).await?;
    }
    Ok(receive::receive(&outbound, dispatched, timeouts.between_bytes).await?)
}
