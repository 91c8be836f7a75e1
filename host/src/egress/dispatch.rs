//! The third phase: the request leaves.

use super::pool::Unanswered;
use super::prepare::{Kept, Prepared};
use super::refusal::Broke;
use super::server_body::ServerBody;
use super::{ConnectError, Error, Outbound, answer, head, unwrapped};
use crate::manifest::Denials;
use crate::policy::{Charge, Permit, Policy};
use http::Response;
use std::time::Duration;

/// A request that has left, and the head of its answer.
pub(super) struct Dispatched {
    pub(super) answer: Response<ServerBody>,
    pub(super) kept: Kept,
    /// What is left of its leave.
    pub(super) charge: Option<Charge>,
}

pub(super) async fn dispatch(outbound: &Outbound, prepared: Prepared, patience: Duration) -> Result<Dispatched, Broke> {
    let Prepared { leave, credential, request, broken, mut kept } = prepared;
    match tokio::time::timeout(patience, outbound.pools.send(leave, credential, request)).await {
        Ok(Ok((answer, charge))) => {
            kept.exchange.answered(answer.status().as_u16());
            Ok(Dispatched { answer, kept, charge })
        }
        Ok(Err(error)) => {
            if let Some(own) = broken.lock().take() {
                own.recorded(&mut kept.exchange);
                return Err(own);
            }
            let (why, broke) = outbound.failure(&error, &kept.permit);
            kept.exchange.failed(why);
            Err(broke)
        }
        Err(_) => {
            kept.exchange.failed("no response in time");
            Err(Error::AnswerTimeout.into())
        }
    }
}

impl Outbound {
    /// Why a request got no answer, for its record and for the agent.
    fn failure(&self, error: &Unanswered, permit: &Permit) -> (&'static str, Broke) {
        match error {
            Unanswered::Connect(connect) => self.connect_failure(connect, permit),
            Unanswered::Http(http) => match head::unreadable(http) {
                Some(why) => (why, answer::unreadable(why).into()),
                None => ("the connection was lost before a response", Error::Terminated.into()),
            },
        }
    }

    fn connect_failure(&self, error: &ConnectError, permit: &Permit) -> (&'static str, Broke) {
        let (why, error) = match error {
            ConnectError::Address(address) => {
                let refused = self.session.deny(Policy::address_denied(permit, unwrapped(*address)));
                let broke = match self.denials {
                    Denials::Response => refused.into(),
                    Denials::Error => Error::Address.into(),
                };
                return ("the address is not allowed", broke);
            }
            ConnectError::Resolve => ("the host's name can't be resolved", Error::Resolve),
            ConnectError::Refused => ("the connection was refused", Error::Refused),
            ConnectError::Proxy => ("the proxy refused to open a tunnel", Error::Refused),
            ConnectError::TooMany => ("too many connections are open", Error::TooManyConnections),
            ConnectError::Descriptors => ("the host has no descriptor left for a connection", Error::TooManyConnections),
            ConnectError::Timeout => ("no connection in time", Error::ConnectTimeout),
            ConnectError::Certificate => ("the server's certificate is not valid for this host", Error::Certificate),
            ConnectError::Tls => ("the TLS handshake failed", Error::Tls),
        };
        (why, error.into())
    }
}
