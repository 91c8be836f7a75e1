//! An agent that a host has loaded, and what can be asked of it beside running it.

use super::{Host, WalletError};
use crate::doors::wasm::{self, AgentParts, Outcome, RunError, RunOptions};
use crate::manifest::Manifest;
use crate::policy::{Denial, Source};
use crate::secrets::{BackendError, Fingerprint, Keyring, SecretsUnavailable};
use crate::signing::{self, Opened, Signing, Verdict};
use std::sync::Arc;

/// An agent that a host has loaded. Each run of it is on its own; rates and connections are the agent's.
#[derive(Clone)]
pub struct Agent {
    pub(super) host: Host,
    pub(super) parts: Arc<AgentParts>,
}

/// What is known of a secret that was fetched. Never its value.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Resolved {
    /// Its name in the manifest.
    pub name: String,
    /// The backend and the entry where it was found; none for a default of the manifest.
    pub from: Option<String>,
    /// What its backend calls the version.
    pub version: Option<String>,
    /// The version's fingerprint.
    pub fingerprint: Fingerprint,
    /// When it stops working, in seconds since 1970-01-01T00:00:00Z.
    pub expires_at: Option<u64>,
}

/// A secret that is kept at hand. See [`Agent::watch`].
pub struct Watched {
    keyring: Keyring,
}

impl Watched {
    /// The version in use, as a request would get it now: within a microsecond, unless the backend has to be asked.
    ///
    /// # Errors
    /// [`BackendError`] where a request would not get one.
    pub async fn fingerprint(&self) -> Result<Fingerprint, BackendError> {
        let (version, _) = self.keyring.version(Source::Secret(0), &()).await?;
        Ok(version.fingerprint)
    }
}

/// A wallet of an agent. See [`Agent::wallet`].
pub struct Wallet {
    opened: Arc<Opened>,
    signing: Arc<Signing>,
}

impl Wallet {
    /// The account's address, with its checksum (EIP-55).
    #[must_use]
    pub fn address(&self) -> String {
        self.opened.shown.clone()
    }

    /// What is left of its limits, and what the ledger wants confirmed, in lines for people.
    ///
    /// # Errors
    /// [`WalletError::Ledger`] where the ledger can't be opened, or does not answer.
    pub async fn left(&self) -> Result<Vec<String>, WalletError> {
        signing::standing(&self.signing, &self.opened).await.map_err(WalletError::Ledger)
    }

    /// The verdict on a transaction, given as its unsigned payload (EIP-2718, or EIP-155's list of nine). Nothing is signed, and nothing is
    /// charged: whether the limits have room is not asked. Takes some microseconds.
    ///
    /// # Errors
    /// [`Denial`], as the agent's request would be denied.
    pub fn judge(&self, payload: &[u8]) -> Result<Verdict, Denial> {
        signing::judge(&self.opened, payload)
    }
}

impl Agent {
    /// Has the runs of this agent that are under way, and those that still begin, held to a manifest of another that was loaded since, too: they may
    /// do what both let them, from their next request or signature on. What they send or receive by a grant that the other has not is ended. They
    /// gain nothing. A [`Supervisor`](crate::serve::Supervisor) does this as it reads its directory anew.
    pub fn superseded_by(&self, newer: &Self) {
        let closed = self.host.0.parts.rotations.closed().clone();
        self.parts.later.add(&newer.parts.manifest, &self.parts.manifest, closed);
    }

    /// Whether nothing else has this agent any more: none of its runs is under way.
    pub(crate) fn is_alone(&self) -> bool {
        Arc::strong_count(&self.parts) == 1
    }

    /// Runs the agent once, to its end, within its limits. Needs a Tokio runtime with time and I/O.
    ///
    /// An agent that sends many small requests is about a fifth faster on a current-thread runtime, as the binary has it: on a
    /// multi-threaded one, each request wakes another thread. With [`HostBuilder::lanes`](super::HostBuilder::lanes) it runs on one of the host's
    /// own, whatever runtime waits for it.
    ///
    /// Dropping the future ends the run: the guest stops, its requests are given up, and what it did is in the audit log. A signature that
    /// it had asked for is made anyway, and kept.
    ///
    /// # Errors
    /// [`RunError`] where nothing has run, or where the audit log failed. What the guest itself comes to is an [`Outcome`].
    pub async fn run(&self, options: RunOptions) -> Result<Outcome, RunError> {
        let Some(lanes) = &self.host.0.lanes else { return wasm::run(&self.host.0.parts, &self.parts, options).await };
        let (host, parts) = (self.host.clone(), Arc::clone(&self.parts));
        lanes.run(async move { wasm::run(&host.0.parts, &parts, options).await }).await
    }

    /// Fetches every secret of the manifest, as a run would, and the one that callers prove to have, and lets go of them again; nothing is run.
    /// Returns what was found.
    ///
    /// # Errors
    /// [`SecretsUnavailable`] with all that are missing.
    pub async fn resolve(&self) -> Result<Vec<Resolved>, SecretsUnavailable> {
        let host = &self.host.0.parts;
        // Nothing is used, so that nobody has to know, and no key is replaced by it.
        let mut manifest = self.parts.manifest.clone();
        manifest.secrets.extend(manifest.caller.clone());
        let keyring = Keyring::open(&manifest, &host.backends, host.cache.for_run()).await?;
        let resolved = |(_, key): (usize, &crate::secrets::Key)| {
            let version = key.current();
            Resolved {
                name: key.name.clone(),
                from: key.from(),
                version: version.label.clone(),
                fingerprint: version.fingerprint,
                expires_at: version.expires_at,
            }
        };
        let all = keyring.iter().map(resolved).collect();
        let farewell = keyring.farewell();
        drop(keyring);
        farewell.await;
        Ok(all)
    }

    /// Fetches the key of every signer of the manifest, as a run would, and lets go of it again: what it is known by, or why it is
    /// unavailable. It does not count as a use of the key.
    #[cfg(feature = "ops")]
    pub(crate) async fn resolve_signers(&self) -> Vec<(String, Result<String, crate::SignerError>)> {
        let host = &self.host.0.parts;
        let mut found = Vec::new();
        for granted in &self.parts.signers {
            let key = host.signing.look(granted, &self.parts.manifest.name, &host.backends).await;
            found.push((granted.spec.name.clone(), key));
        }
        found
    }

    /// The agent's signers, each with its key at hand.
    #[cfg(feature = "ops")]
    pub(crate) async fn signers(&self) -> Result<Vec<Arc<Opened>>, wasm::SignersUnavailable> {
        wasm::open_signers(&self.host.0.parts, &self.parts).await
    }

    /// A wallet of the agent, to judge what the agent might ask it for. Fetches its key, or opens it where it is kept.
    ///
    /// # Errors
    /// [`WalletError`] where the manifest has no such wallet, or its key is unavailable.
    pub async fn wallet(&self, signer: &str) -> Result<Wallet, WalletError> {
        let opened = wasm::open_signers(&self.host.0.parts, &self.parts).await?;
        let opened = opened.into_iter().find(|opened| opened.granted.spec.name == signer && opened.key.address().is_some());
        let wallet = |opened| Wallet { opened, signing: Arc::clone(&self.host.0.parts.signing) };
        opened.map(wallet).ok_or_else(|| WalletError::Unknown(signer.to_owned()))
    }

    /// Adds the keys of the agent's signers to this host's ledger, and confirms on the operator's behalf that the ledger is the latest
    /// there is. A wallet signs nothing before that: where a ledger was lost, what was spent before would be forgotten. Returns each
    /// signer's name and what its key is known by.
    ///
    /// # Errors
    /// [`WalletError`] where a key or the ledger is unavailable.
    pub async fn confirm_signers(&self) -> Result<Vec<(String, String)>, WalletError> {
        let host = &self.host.0.parts;
        let opened = wasm::open_signers(host, &self.parts).await?;
        host.signing.confirm(&opened).await.map_err(WalletError::Ledger)?;
        Ok(opened.iter().map(|signer| (signer.granted.spec.name.clone(), signer.shown.clone())).collect())
    }

    /// Fetches one secret of the manifest and keeps it: to have it at hand before the first run, or to see when it is replaced.
    ///
    /// # Errors
    /// [`BackendError`], also where the manifest has no secret of that name.
    pub async fn watch(&self, secret: &str) -> Result<Watched, BackendError> {
        let host = &self.host.0.parts;
        let unknown = || BackendError::Refused("the manifest has no secret of that name".to_owned());
        let mut manifest = self.parts.manifest.clone();
        manifest.secrets.retain(|spec| spec.name == secret);
        let opened = wasm::open_keyring(host, &manifest).await;
        let keyring = opened.map_err(|mut missing| missing.0.pop().map_or_else(unknown, |missing| missing.why))?;
        keyring.get(0).ok_or_else(unknown)?;
        Ok(Watched { keyring })
    }

    /// The host that has loaded it.
    pub(crate) fn host(&self) -> &Host {
        &self.host
    }

    /// Fetches the secret that callers prove to have, and keeps it; nothing where they prove none.
    pub(crate) async fn callers(&self) -> Result<Option<Keyring>, SecretsUnavailable> {
        let Some(caller) = &self.parts.manifest.caller else { return Ok(None) };
        let mut manifest = self.parts.manifest.clone();
        manifest.secrets = vec![caller.clone()];
        wasm::open_keyring(&self.host.0.parts, &manifest).await.map(Some)
    }

    /// The agent's manifest.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.parts.manifest
    }
}
