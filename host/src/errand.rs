//! The HTTP clients of the host's own, for calls that no agent asked for. They follow no redirect, which would take a credential along to
//! wherever it says, and no proxy of the environment, which would see where they go.

#![expect(clippy::disallowed_methods, reason = "the one place where clients of the host's own are made")]

use crate::tls::{self, Identity, TlsError};
use reqwest::Client;
use reqwest::header::HeaderMap;
use std::path::PathBuf;
use std::time::Duration;

/// What a client is for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Errand {
    /// To read and keep secrets in a store.
    #[cfg(feature = "vault")]
    Store,
    /// To have keys made and ended.
    Issuer,
    /// To tell the operator.
    Alert,
    /// To have something signed, or to ask who can.
    Signature(Duration),
    /// To ask a node of a chain, and to give it what was signed.
    #[cfg(feature = "ops")]
    Node,
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ErrandError {
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("the HTTP client can't be set up: {0}")]
    Client(#[from] reqwest::Error),
}

impl Errand {
    /// A client for it, which trusts these authorities in addition to the Mozilla roots and sends these headers with each call.
    pub(crate) fn client(self, authorities: &[PathBuf], headers: HeaderMap) -> Result<Client, ErrandError> {
        self.client_of(authorities, None, headers)
    }

    /// The same, which shows that certificate.
    pub(crate) fn client_of(self, authorities: &[PathBuf], identity: Option<Identity>, headers: HeaderMap) -> Result<Client, ErrandError> {
        let builder = Client::builder()
            .tls_backend_preconfigured(tls::client_of(authorities, identity)?)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .default_headers(headers);
        let builder = match self {
            #[cfg(feature = "vault")]
            Self::Store => builder.connect_timeout(Duration::from_secs(3)).timeout(Duration::from_secs(10)),
            // On a connection that was closed meanwhile a call is lost that never left.
            Self::Issuer => builder.connect_timeout(Duration::from_secs(5)).pool_max_idle_per_host(0),
            #[cfg(feature = "ops")]
            Self::Node => builder.connect_timeout(Duration::from_secs(10)).timeout(Duration::from_secs(30)),
            Self::Alert => builder.timeout(Duration::from_secs(10)),
            // As of an issuer; and nothing is asked twice, since it might be signed twice.
            Self::Signature(deadline) => {
                builder.connect_timeout(deadline).timeout(deadline).pool_max_idle_per_host(0).retry(reqwest::retry::never())
            }
        };
        Ok(builder.build()?)
    }
}
