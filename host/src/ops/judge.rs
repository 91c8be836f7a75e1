//! What would become of one request, as a run would decide it: by the policy, then by the addresses that its host has.

use super::Failed;
use crate::egress::{AddressGuard, ConnectError, judge_addresses, unwrapped};
use crate::manifest::{HostConfig, Manifest};
use crate::policy::{Asked, Denial, Permit, Placeholders, Policy};
use http::{HeaderMap, Method, Uri};
use serde::Serialize;
use std::time::SystemTime;

/// Judges requests of one agent on one host.
pub struct Judge {
    policy: Policy,
    guard: AddressGuard,
}

/// What would become of a request.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Verdict {
    /// It may leave.
    Allowed(Allowed),
    /// It may not.
    Denied(Denial),
    /// Too little is known of it. Where its method and URL are allowed, by which entry of the manifest.
    #[non_exhaustive]
    Unknown {
        /// The entry.
        #[serde(skip_serializing_if = "Option::is_none")]
        rule: Option<String>,
    },
}

/// A request that may leave.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Allowed {
    /// The manifest's entry that allows it.
    pub rule: String,
    /// The secrets that it may carry, each with its places.
    pub secrets: Vec<String>,
    /// What else holds for it, in sentences.
    pub terms: Vec<String>,
    /// Whether its response is scrubbed; otherwise it is searched for the values that the host keeps.
    pub scrubbed: bool,
    /// Whether its host has addresses now, as far as this machine can tell.
    pub resolved: bool,
}

impl Judge {
    /// A judge of this manifest, on a host of this configuration.
    ///
    /// # Errors
    /// [`Failed`] where a rotation of the configuration is described wrongly.
    pub fn new(manifest: &Manifest, config: &HostConfig) -> Result<Self, Failed> {
        let closed = crate::rotation::closed_by(config).map_err(Failed::usage)?;
        Ok(Self { policy: Policy::new(manifest, closed), guard: AddressGuard::new(config.network_allow.clone()) })
    }

    /// Judges a method and a URL, as in `POST https://api.example.com/v1/orders`. The host's name is looked up; nothing is sent.
    ///
    /// # Errors
    /// [`Failed`] where it is not a method and a URL.
    pub async fn judge(&self, request: &str) -> Result<Verdict, Failed> {
        let wrong = || Failed::usage("`--request` takes a method and a URL, as in \"POST https://api.example.com/v1/orders\"");
        let (method, url) = request.split_once(' ').ok_or_else(wrong)?;
        let method: Method = method.parse().map_err(|_| wrong())?;
        let uri: Uri = url.trim().parse().map_err(|_| wrong())?;
        let asked = Asked { method: &method, uri: &uri, headers: &HeaderMap::new(), body: Some(&[]), time: SystemTime::now() };
        Ok(match self.verdict(&asked).await {
            Ok((permit, resolved)) => Verdict::Allowed(Allowed {
                rule: permit.rule().to_owned(),
                secrets: self.policy.places(&asked),
                terms: self.policy.terms(&asked),
                scrubbed: permit.guarded(),
                resolved,
            }),
            Err(denial) => Verdict::Denied(denial),
        })
    }

    async fn verdict(&self, asked: &Asked<'_>) -> Result<(Permit, bool), Denial> {
        let permit = self.policy.authorize(asked, &Placeholders::default())?;
        let url = permit.url();
        match judge_addresses(&self.guard, &url.host, url.port).await {
            Ok(()) => Ok((permit, true)),
            Err(ConnectError::Address(address)) => Err(Policy::address_denied(&permit, unwrapped(address))),
            Err(_) => Ok((permit, false)),
        }
    }
}
