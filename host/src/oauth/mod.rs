//! Access tokens of the host's own (RFC 6749): asked for at the endpoint that a manifest names, kept and renewed as any other value is, and
//! never an agent's. What a secret with the scheme `oauth2` gives is what a backend gives ([`source::Source`]), so the cache asks once however
//! many wait, has it renewed before its end, and asks once more, once a minute, where a server rejects it.
//!
//! A refresh token is another matter: a server may replace it each time, and take its second use for a theft. [`refresh`] has the order of steps
//! that keeps it through a crash, and among hosts.

#![expect(clippy::disallowed_methods, reason = "credentials are presented at token endpoints, and nowhere else")]

mod exchange;
mod journal;
mod refresh;
mod source;

#[cfg(feature = "ops")]
pub(crate) use journal::Journal;

use crate::audit::{AuditSink, Event, Journal as Audit};
use crate::clock::Wall;
use crate::egress::{Caller, Network};
use crate::manifest::Oauth2Spec;
use crate::secrets::backends::{Configured, Entry, Minting, Origin};
use source::Source;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::task::TaskTracker;
use zeroize::Zeroizing;

/// How long the end of a host waits for exchanges that are under way.
const FAREWELL: Duration = Duration::from_secs(100);

/// What makes tokens.
pub(crate) struct Tokens(Arc<Parts>);

/// What all sources of tokens share.
struct Parts {
    caller: Caller,
    audit: Audit,
    /// This host's name among those that share refresh tokens.
    host: String,
    wall: Wall,
    fingerprint_key: Zeroizing<[u8; 32]>,
    under_way: TaskTracker,
}

/// The audit log can't be written: nothing is asked for.
struct NoRecord;

impl Tokens {
    pub(crate) fn new(
        network: Arc<Network>,
        host: String,
        wall: Wall,
        audit: Option<Arc<dyn AuditSink>>,
        fingerprint_key: Zeroizing<[u8; 32]>,
    ) -> Self {
        let audit = Audit::new(audit, host.clone(), String::new());
        let (caller, under_way) = (Caller::new(network), TaskTracker::new());
        Self(Arc::new(Parts { caller, audit, host, wall, fingerprint_key, under_way }))
    }

    /// Waits a while for exchanges that are under way: a refresh token that is not kept is lost.
    pub(crate) async fn close(&self) {
        self.0.under_way.close();
        let _ = tokio::time::timeout(FAREWELL, self.0.under_way.wait()).await;
        self.0.under_way.reopen();
    }
}

impl Minting for Tokens {
    fn source(&self, spec: &Arc<Oauth2Spec>, name: &str, secret: Origin, client: Vec<Origin>) -> (Configured, Entry) {
        Source::configured(Arc::clone(&self.0), Arc::clone(spec), name, secret, client)
    }
}

impl Parts {
    /// Records a step before it is taken, or what came of it.
    fn record(&self, credential: &str, step: &str, detail: Option<String>, token: Option<&str>) -> Result<(), NoRecord> {
        let event = Event::Token {
            credential: credential.into(),
            step: step.into(),
            detail: detail.map(Into::into),
            fingerprint: token.map(Into::into),
        };
        self.audit.record(event).map_err(|_| NoRecord)
    }
}
