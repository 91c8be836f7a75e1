//! The connections of an agent: each for one set of credentials and one origin, so that no response meant for one can reach another.

use super::connect::{ConnectError, Connector, Network};
use super::connection::{Answered, Connection, Failed};
use super::idle::Idle;
use super::request_body::RequestBody;
use super::server_body::{Over, ServerBody};
use super::skew::Skews;
use crate::kill_switch::Line;
use crate::policy::{Charge, Leave};
use crate::secrets::Fingerprint;
use http::uri::{Authority, Scheme, Uri};
use http::{Request, Response};
use rustls::ClientConfig;
use std::sync::Arc;
use tokio::runtime::{self, Handle};

/// A value that requests carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carried {
    /// A secret by its index: its next version is the same credential, and a key that was replaced does not have every agent connect anew.
    Secret(usize),
    /// What an answer brought.
    Sealed(Fingerprint),
}

/// All that the requests of a connection carry.
pub(crate) type Credential = Vec<Carried>;

/// What a connection is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Purpose {
    /// By which of the network's ways it is made.
    ways: u64,
    /// Which runtime looks after it: on another, each answer would wake two threads.
    pub(super) runtime: runtime::Id,
    credential: Credential,
    scheme: Option<Scheme>,
    authority: Option<Authority>,
}

/// Why a request got no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unanswered {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(transparent)]
    Http(#[from] hyper::Error),
}

/// How the connections of single credentials speak TLS. None has settings of its own so far. They are kept apart by what their requests carry, so
/// that one which shows a certificate serves no other credential.
#[derive(Default)]
struct TlsSettings(Vec<(Carried, Arc<ClientConfig>)>);

impl TlsSettings {
    /// The settings that a set of credentials has of its own.
    fn of(&self, credential: &[Carried]) -> Option<&Arc<ClientConfig>> {
        self.0.iter().find(|(carried, _)| credential.contains(carried)).map(|(_, own)| own)
    }
}

/// The connections of one agent.
pub(crate) struct Pools {
    network: Arc<Network>,
    connector: Connector,
    tls: TlsSettings,
    idle: Arc<Idle>,
    /// What the servers' clocks differ from the host's by.
    pub(super) skews: Skews,
}

impl Pools {
    /// Those of an agent whose effects hang on that line.
    pub(crate) fn new(network: Arc<Network>, line: Arc<Line>) -> Self {
        let connector = Connector::new(Arc::clone(&network), Some(line));
        Self { network, connector, tls: TlsSettings::default(), idle: Arc::default(), skews: Skews::default() }
    }

    /// Sends a request over a connection of its credential's. The one way to a server for what an agent asks. With the answer comes what is
    /// left of the leave.
    pub(super) async fn send(
        &self,
        mut leave: Leave,
        credential: Credential,
        mut request: Request<RequestBody>,
    ) -> Result<(Response<ServerBody>, Option<Charge>), Unanswered> {
        let (scheme, authority) = (request.uri().scheme().cloned(), request.uri().authority().cloned());
        let mut purpose = Purpose { ways: self.network.number(), runtime: Handle::current().id(), credential, scheme, authority };
        loop {
            // The host's network may be another one than at the first try.
            purpose.ways = self.network.number();
            let (connection, is_new) = match self.idle.take(&purpose) {
                Some(connection) => (connection, false),
                None => (self.open(&purpose, request.uri()).await?, true),
            };
            (leave, request) = match connection.send(leave, request).await {
                Ok(Answered { answer, connection, charge }) => {
                    let over = connection.map(|connection| Over { connection, purpose, idle: Arc::clone(&self.idle) });
                    return Ok((answer.map(|body| ServerBody::new(body, over)), charge));
                }
                // The server has ended an idle connection.
                Err(Failed { unsent: Some((leave, request)), .. }) if !is_new => (leave, purpose.absolute(request)),
                Err(Failed { why, .. }) => return Err(why.into()),
            }
        }
    }

    async fn open(&self, purpose: &Purpose, uri: &Uri) -> Result<Connection, Unanswered> {
        let stream = self.connector.connect(uri, self.tls.of(&purpose.credential)).await?;
        let connection = Connection::over(stream).await?;
        if let Connection::Many(sender) = &connection {
            self.idle.keep(purpose.clone(), Connection::Many(sender.clone()));
        }
        Ok(connection)
    }
}

impl Purpose {
    /// A request whose target has been cut to path and query, whole again.
    fn absolute(&self, mut request: Request<RequestBody>) -> Request<RequestBody> {
        let mut parts = std::mem::take(request.uri_mut()).into_parts();
        (parts.scheme, parts.authority) = (self.scheme.clone(), self.authority.clone());
        *request.uri_mut() = Uri::from_parts(parts).expect("it was whole before");
        request
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_chooses_how_its_connections_speak_tls() {
        let own = Arc::new(crate::tls::client([]).expect("settings"));
        let settings = TlsSettings(vec![(Carried::Secret(1), Arc::clone(&own))]);

        let has_own = |credential: &[Carried]| settings.of(credential).is_some_and(|of| Arc::ptr_eq(of, &own));
        assert!(has_own(&[Carried::Secret(1)]) && has_own(&[Carried::Secret(0), Carried::Secret(1)]));
        assert!(!has_own(&[]) && !has_own(&[Carried::Secret(0)]));
    }
}
