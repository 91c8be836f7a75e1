//! The HTTP clients of the host's own, for calls that no agent asked for. They follow no redirect, which would take a credential along to
//! wherever it says, and no proxy of the environment, which would see where they go.

#![expect(clippy::disallowed_methods, reason = "the one place where clients of the host's own are made")]

use crate::tls::{self, TlsError};
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
        let builder = Client::builder()
            .tls_backend_preconfigured(tls::client(authorities)?)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .default_headers(headers);
        let builder = match self {
            #[cfg(feature = "vault")]
            Self::Store => builder.connect_timeout(Duration::from_secs(3)).timeout(Duration::from_secs(10)),
            // On a connection that was closed meanwhile a call is lost that never left.
            Self::Issuer => builder.connect_timeout(Duration::from_secs(5)).pool_max_idle_per_host(0),
            Self::Alert => builder.timeout(Duration::from_secs(10)),
        };
        Ok(builder.build()?)
    }
}
