//! Strongroom runs AI agents as untrusted WebAssembly components that *use* API keys they never *hold*.
//!
//! An agent sees opaque handles and placeholders. The host resolves them, puts the value into the granted place of a request to
//! a granted destination as it leaves, scrubs every answer, and records what it did.
//!
//! # A tour
//! - [`Host::builder`] sets a host up: configuration, [`SecretBackend`]s, an [`AuditSink`].
//! - [`Host::load`] reads an agent's [`Manifest`] and its component; [`Host::agent`] takes both from code.
//! - [`Agent::run`] runs it once and gives an [`Outcome`]: how it ended ([`End`]) and what it used ([`Usage`]).
//!
//! ```no_run
//! use strongroom::{End, Host, RunOptions};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let host = Host::builder().build()?;
//! let agent = host.load("agent.toml")?;
//! let outcome = agent.run(RunOptions::default()).await?;
//! assert_eq!(outcome.end, End::Exit(0));
//! # Ok(())
//! # }
//! ```
//!
//! Secrets of your own come through a backend:
//!
//! ```no_run
//! # fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use strongroom::{Host, StaticBackend};
//!
//! let backend = StaticBackend::new().with("trading-bot-1/API_KEY", std::fs::read("/run/credentials/api-key")?);
//! let host = Host::builder().backend("static", backend).default_backend("static").build()?;
//! # Ok(())
//! # }
//! ```
//!
//! # Features
//! All are on by default, and each may be left out.
//! - `cli`: the `strongroom` binary.
//! - `vault`: secrets from HashiCorp Vault and OpenBao.
//! - `aws`: secrets from AWS Secrets Manager, and keys in AWS KMS.
//! - `pkcs11`: keys in an HSM.

#![deny(unsafe_code)]

pub mod audit;
#[cfg(feature = "aws")]
mod aws;
mod backoff;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
mod clock;
mod credential;
mod doors;
mod egress;
mod errand;
mod ethereum;
mod files;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod host;
mod json;
mod lock;
pub mod manifest;
mod meter;
mod policy;
mod register;
mod rotation;
pub mod scrub;
mod secrets;
mod session;
mod signing;
mod state;
pub mod text;
mod tls;
mod url;

pub use audit::{AuditSink, FileAudit};
pub use doors::wasm::{
    Captured, ComponentError, End, Inspection, LogLevel, LogRecord, MAX_COMPONENT, Outcome, RunError, RunOptions, SignersUnavailable,
};
pub use egress::{Resolve, SystemResolver};
pub use host::{Agent, BuildError, Host, HostBuilder, LoadError, Resolved, Wallet, Watched};
pub use manifest::{HostConfig, Manifest};
pub use meter::{Limit, Usage};
pub use policy::{Denial, Rule};
pub use rotation::{
    HttpIssuer, IssuedKey, Issuer, IssuerError, ListedKey, PastRotation, Probe, Revoked, RotationCounts, RotationError, RotationStatus,
};
#[cfg(feature = "aws")]
pub use secrets::AwsBackend;
#[cfg(feature = "vault")]
pub use secrets::VaultBackend;
pub use secrets::{
    BackendError, Entry, EnvBackend, Fingerprint, Found, Freshness, Lease, Leases, MAX_LENGTH, MIN_LENGTH, Missing, Rotator, SecretBackend,
    SecretCounts, SecretStore, SecretValue, SecretsUnavailable, StaticBackend, StoreError, Stored, VersionInfo,
};
#[cfg(feature = "file")]
pub use secrets::{FileBackend, FileKey, Identities, Rekeyed};
#[cfg(feature = "aws")]
pub use signing::Kms;
#[cfg(feature = "pkcs11")]
pub use signing::Pkcs11;
pub use signing::{Signer, SignerBackend, SignerError, Verdict};
