//! Strongroom runs AI agents as untrusted WebAssembly components that *use* API keys they never *hold*.
//!
//! An agent sees opaque handles and placeholders. The host resolves them, puts the value into the granted place of a request to a granted
//! destination as it leaves, scrubs every response, and records what it did.
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
//! Agents that run on a schedule, or stay up, are run by a [`serve::Supervisor`].
//!
//! Hosts that act as one share what the traits of [`shared`] keep: a ledger, rates, numbers, tickets.
//!
//! # Features
//! All are on by default, and each may be left out.
//! - `file`: secrets in an encrypted file.
//! - `vault`: secrets from HashiCorp Vault and OpenBao.
//! - `aws`: secrets from AWS Secrets Manager, and keys in AWS KMS.
//! - `pkcs11`: keys in an HSM.
//!
//! Off by default:
//! - `ops`: what an operator asks of a host, as reports, and an interface for administrators: see [`ops`] and [`admin`].
//! - `test-util`: what tests of embedders need: signers asked without a permit of the policy's, clocks that are moved, memories of guests.

#![deny(unsafe_code)]

#[cfg(feature = "ops")]
pub mod admin;
pub mod audit;
#[cfg(feature = "aws")]
mod aws;
mod backoff;
mod clock;
mod doors;
mod egress;
mod errand;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod host;
mod keyvalue;
mod kill_switch;
mod lanes;
mod meter;
mod oauth;
#[cfg(feature = "ops")]
pub mod ops;
mod register;
mod rotation;
mod secrets;
pub mod serve;
mod session;
pub mod shared;
mod signing;
mod state;
mod tls;

/// What agents and hosts are configured with: text to types.
pub mod manifest {
    pub(crate) use strongroom_core::manifest::*;
    pub use strongroom_core::manifest::{
        Account, AdminClient, AdminConfig, AdminPeer, AdminProof, AfterDrain, AnswerRule, Asset, AwsConfig, BackendConfig, Basic, CallPath,
        CallSpec, CallerAuth, ChainSpec, Changes, CommandConfig, CommandProtocol, CredentialRef, Cron, Denials, Diagnostic, Diagnostics,
        DirConfig, EgressRule, Endpoint, FileKeyRef, Grant, HostConfig, HostPattern, HttpIssuerConfig, HttpTrigger, IssuerConfig, JwtSpec,
        KmsConfig, Leaks, LimitSpec, Limits, ListenConfig, Listing, Manifest, Misplaced, Missed, Most, Movement, MpcConfig, NamePattern,
        OnChain, Overlap, Passes, PathPattern, PathPlace, Pkcs11Config, Place, Problem, Purpose, Rate, ReadError, RemoteConfig, Restart,
        Role, RotationConfig, Scheme, SchemeSpec, Seal, SecretIdRenewal, SecretRef, SecretSpec, Shape, SigV4Spec, SignInSpec, SignerCap,
        SignerSpec, SigningConfig, Spends, Standard, StateSpec, Supervision, Template, Tokens, Treatment, Trigger, TypedDataMethod,
        TypedSpec, VaultAuth, VaultConfig, WalletSpec, Webhook, Which, duration,
    };

    /// The scheme `hmac`: secrets that sign requests.
    pub mod hmac {
        pub use strongroom_core::manifest::hmac::{
            Algorithm, Companion, Encoding, Hash, HmacSpec, Input, KeyForm, NonceSpec, NonceUnit, Piece, Preset, Spot, TimeFormat,
            TimestampSpec,
        };
    }

    /// The scheme `jwt`: secrets that sign a token for each request.
    pub mod jwt {
        pub use strongroom_core::manifest::jwt::{Preset, RequestJwt, UriClaim};
    }
}

/// Finds secrets in text and takes them out.
pub mod scrub {
    pub(crate) use strongroom_scrub::*;
    pub use strongroom_scrub::{Examined, Known, Notice, Reason, Replacement, RuleError, Rules, Scrubber, Search, Stream, Tally};
}

/// Text for people.
pub mod text {
    pub(crate) use strongroom_ground::text::*;
    pub use strongroom_ground::text::{for_people, lines_for_people};
}

/// The crates whose types appear in signatures here, in the versions that fit.
#[doc(no_inline)]
pub use {alloy_primitives, async_trait::async_trait, http, ipnet, k256, regex};

use strongroom_core::{credential, keys, policy, url};
use strongroom_ethereum as ethereum;
use strongroom_ground::{files, format, json, lock, random};

pub use audit::{AuditSink, FileAudit};
pub use doors::wasm::{
    Captured, ComponentError, End, Inspection, LogLevel, LogRecord, MAX_COMPONENT, Outcome, RunError, RunOptions, SignersUnavailable,
};
pub use egress::{Resolve, SystemResolver};
pub use host::{Agent, BuildError, Host, HostBuilder, LoadError, Resolved, Wallet, WalletError, Watched};
pub use kill_switch::{Confirmed, KillSwitch, Whom};
pub use manifest::{HostConfig, Manifest};
pub use meter::{Limit, MAX_DENIALS, Usage};
pub use rotation::{
    HttpIssuer, IssuedKey, Issuer, IssuerError, ListedKey, PastRotation, Probe, Progress, Revoked, RotationCounts, RotationError,
    RotationStatus, Step,
};
#[cfg(feature = "aws")]
pub use secrets::AwsBackend;
#[cfg(feature = "vault")]
pub use secrets::VaultBackend;
pub use secrets::{
    BackendError, CommandBackend, Deposit, DirBackend, Entry, EnvBackend, Fingerprint, Found, Freshness, Lease, Leases, MAX_LENGTH,
    MIN_LENGTH, Missing, Rotator, SecretBackend, SecretCounts, SecretStore, SecretValue, SecretsUnavailable, SetupError, StaticBackend,
    StoreError, Stored, VersionInfo,
};
#[cfg(feature = "file")]
pub use secrets::{FileBackend, FileKey, Identities, Rekeyed};
#[cfg(feature = "aws")]
pub use signing::Kms;
#[cfg(feature = "mpc")]
pub use signing::Mpc;
#[cfg(feature = "pkcs11")]
pub use signing::Pkcs11;
pub use signing::{Remote, Verdict};
pub use strongroom_core::keys::{Answer, PublicKey, SignRequest, Signature, Signer, SignerBackend, SignerError, Ticket};
pub use strongroom_core::policy::{Denial, Rule};
