//! Connections that are kept open: one pool for each agent and credential, so that no answer meant for one can reach another.

#![expect(clippy::disallowed_types, reason = "the one place where requests of agents leave, each with the leave of its policy")]

use super::connect::{Connector, Network};
use super::head;
use super::request_body::RequestBody;
use crate::lock::Mutex;
use crate::policy::{Charge, Leave};
use crate::secrets::Fingerprint;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;
use std::sync::Arc;
use std::time::Duration;

/// How long a connection stays open without use.
const IDLE: Duration = Duration::from_secs(30);
/// Idle connections kept for each host.
const IDLE_PER_HOST: usize = 8;
/// Pools kept for each agent; the oldest goes first.
const MAX_POOLS: usize = 64;

type HttpClient = Client<Connector, RequestBody>;

/// A value that requests carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carried {
    /// A secret by its index: its next version is the same credential, and a key that was replaced does not have every agent connect anew.
    Secret(usize),
    /// What an answer brought.
    Sealed(Fingerprint),
}

/// What a pool is for: all that its requests carry.
pub(crate) type Credential = Vec<Carried>;

/// How the connections of one agent speak TLS. They are kept apart by what their requests carry, so that one which shows a certificate serves
/// no other credential.
struct TlsSettings {
    /// Where no credential has settings of its own.
    common: Arc<ClientConfig>,
    /// Those of single credentials. None has any so far.
    own: Vec<(Carried, Arc<ClientConfig>)>,
}

impl TlsSettings {
    /// The settings that a set of credentials has.
    fn of(&self, credential: &[Carried]) -> &Arc<ClientConfig> {
        self.own.iter().find(|(carried, _)| credential.contains(carried)).map_or(&self.common, |(_, own)| own)
    }
}

/// The pools of one agent.
pub(crate) struct Pools {
    connector: Connector,
    tls: TlsSettings,
    clients: Mutex<Vec<(Credential, HttpClient)>>,
}

impl Pools {
    pub(crate) fn new(network: Arc<Network>) -> Self {
        let tls = TlsSettings { common: Arc::clone(&network.tls), own: Vec::new() };
        Self { connector: Connector::new(network), tls, clients: Mutex::default() }
    }

    /// Sends a request over a connection of its credential's. The one way to a server for what an agent asks. With the answer comes what is
    /// left of the leave.
    pub(super) async fn send(
        &self,
        leave: Leave,
        credential: Credential,
        request: Request<RequestBody>,
    ) -> Result<(Response<Incoming>, Option<Charge>), Error> {
        let client = self.client(credential);
        let answer = client.request(request).await?;
        Ok((answer, leave.used()))
    }

    fn client(&self, credential: Credential) -> HttpClient {
        let mut clients = self.clients.lock();
        if let Some((_, client)) = clients.iter().find(|(known, _)| *known == credential) {
            return client.clone();
        }
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(IDLE_PER_HOST)
            // What browsers and curl read is read. What such a line may not be is looked at in `head`.
            .http1_max_headers(head::MOST_LINES)
            .http1_ignore_invalid_headers_in_responses(true)
            .http1_allow_spaces_after_header_name_in_responses(true)
            .http1_allow_obsolete_multiline_headers_in_responses(true)
            .http2_max_header_list_size(64 * 1024)
            .build(self.connector.speaking(self.tls.of(&credential)));
        if clients.len() == MAX_POOLS {
            clients.remove(0);
        }
        clients.push((credential, client.clone()));
        client
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_chooses_how_its_connections_speak_tls() {
        let config = || Arc::new(crate::tls::client(&[]).expect("settings"));
        let (common, own) = (config(), config());
        let settings = TlsSettings { common: Arc::clone(&common), own: vec![(Carried::Secret(1), Arc::clone(&own))] };

        let is = |credential: &[Carried], expected: &Arc<ClientConfig>| Arc::ptr_eq(settings.of(credential), expected);
        assert!(is(&[Carried::Secret(1)], &own) && is(&[Carried::Secret(0), Carried::Secret(1)], &own));
        assert!(is(&[], &common) && is(&[Carried::Secret(0)], &common));
    }
}
