//! An agent's signers, and the keys of wallets.

use super::{Failed, Kind};
use crate::doors::wasm::SignersUnavailable;
use crate::host::{Agent, Host};
use crate::secrets::Deposit;
use crate::signing::Opened;
use serde::Serialize;
use std::sync::Arc;

/// One signer of an agent, its key at hand.
#[derive(Serialize)]
#[non_exhaustive]
pub struct SignerReport {
    /// Its name in the manifest.
    pub signer: String,
    /// What its key is known by: an address, or a public key.
    pub key: String,
    /// What it may be used for.
    pub purpose: String,
    /// Where its key is kept, as the manifest says it.
    pub from: String,
    #[serde(skip)]
    opened: Arc<Opened>,
}

impl SignerReport {
    /// What is left of its limits, and what the ledger wants confirmed, in lines for people.
    ///
    /// # Errors
    /// [`Failed`] where the ledger can't be opened, or does not answer.
    pub async fn left(&self, host: &Host) -> Result<Vec<String>, Failed> {
        crate::signing::standing(host.signing(), &self.opened).await.map_err(|why| Failed::new(Kind::State, why))
    }
}

/// The signers of an agent, each with its key at hand, as a run has them.
///
/// # Errors
/// [`SignersUnavailable`] with all signers whose keys are unavailable.
pub async fn signers(agent: &Agent) -> Result<Vec<SignerReport>, SignersUnavailable> {
    let signer = |opened: Arc<Opened>| SignerReport {
        signer: opened.granted.spec.name.clone(),
        key: opened.shown.clone(),
        purpose: opened.purpose().to_string(),
        from: opened.granted.spec.from.to_string(),
        opened,
    };
    Ok(agent.signers().await?.into_iter().map(signer).collect())
}

/// A new key of a wallet, from the system's random numbers.
///
/// # Errors
/// [`Failed`] where there are none.
pub fn fresh_key() -> Result<Deposit, Failed> {
    crate::keys::fresh().map_err(|error| Failed::new(Kind::State, error))
}

/// The address (EIP-55) of a wallet's key: hexadecimal digits, a V3 keystore, or a BIP-39 phrase.
///
/// # Errors
/// [`Failed`] where it is not such a key.
pub fn address_of_key(key: &Deposit) -> Result<String, Failed> {
    let wrong = |why| Failed::usage(format!("this is not the key of a wallet: {why}; nothing was written"));
    crate::keys::address_of_local(key.value()).map_err(wrong)
}
