//! Services that keep keys of Ethereum and sign by JSON-RPC (EIP-1474, EIP-712): web3signer, and nodes that have accounts.
//!
//! A service is asked for what was permitted, field by field, and never for a digest. It tells a key's account and no more: a signature is the
//! account's, over what was permitted, or it is none. What it has refused before it did anything was not signed; of every other failure after the
//! request went out that is not known.

mod answer;
mod request;
mod rpc;

use crate::ethereum::quantity;
use crate::keys::{Answer, PublicKey, SignRequest, Signature, Signer, SignerBackend, SignerError};
use crate::manifest::{Purpose, RemoteConfig};
use alloy_primitives::Address;
use async_trait::async_trait;
use request::Asked;
use rpc::Service;
use serde_json::json;
use std::sync::Arc;
use tokio::sync::OnceCell;

/// Kinds of transactions that the methods of all services know. web3signer has no more than the first and the last.
const KINDS: [&str; 3] = ["legacy", "2930", "1559"];

/// The keys of services, named by `SERVICE/0xADDRESS`, as far as `[signing.remote.SERVICE] accounts` goes.
pub struct Remote(Vec<Arc<Service>>);

/// One key.
struct Key {
    service: Arc<Service>,
    account: Address,
    listed: OnceCell<()>,
}

impl Remote {
    /// The keys of services, each with the name that manifests know it by. None is called before its first key is asked for; certificates and
    /// tokens are read anew for each call.
    #[must_use]
    pub fn new(services: &[(String, RemoteConfig)]) -> Self {
        Self(services.iter().map(|(name, config)| Arc::new(Service::new(name, config))).collect())
    }

    /// The service and the account that a manifest of that agent means.
    fn find(&self, key: &str, agent: &str) -> Result<(&Arc<Service>, Address), String> {
        let shown = crate::text::for_people(key);
        let parts = key.split_once('/').and_then(|(service, address)| Some((service, quantity::address(address)?)));
        let (name, account) = parts.ok_or_else(|| format!("`remote:{shown}` names no key; write `remote:SERVICE/0xADDRESS`"))?;
        let service = self.0.iter().find(|service| service.name == name).ok_or_else(|| {
            format!("this host has no service of that name for `remote:{shown}`; the operator's tables are `[signing.remote.SERVICE]`")
        })?;
        if !service.config.accounts.iter().any(|(owner, known)| owner == agent && *known == account) {
            return Err(format!(
                "a manifest of `{agent}` can't name the account {account} of `{name}`; the operator may add `\"{agent}/{account}\"` to \
                 `accounts` of `[signing.remote.{name}]`"
            ));
        }
        Ok((service, account))
    }
}

#[async_trait]
impl SignerBackend for Remote {
    fn check(&self, key: &str, agent: &str, purpose: &Purpose) -> Result<(), String> {
        self.find(key, agent)?;
        let Purpose::Wallet(wallet) = purpose else {
            return Err(format!(
                "a remote signer signs transactions, typed data and messages of an account, and a signer of the use `{}` needs more; \
                 keep its key in a backend of secrets, in a KMS or in an HSM",
                purpose.name()
            ));
        };
        if let Some(kind) = wallet.kinds.iter().find(|kind| !KINDS.contains(&kind.as_str())) {
            return Err(format!("a remote signer can't be asked for transactions of the kind {kind}; leave it out of `kinds`"));
        }
        match wallet.delegates.is_empty() {
            true => Ok(()),
            false => Err("a remote signer can't be asked for authorizations (EIP-7702); leave `delegate` out".to_owned()),
        }
    }

    async fn open(&self, key: &str, agent: &str) -> Result<Arc<dyn Signer>, SignerError> {
        let (service, account) = self.find(key, agent).map_err(SignerError::Refused)?;
        Ok(Arc::new(Key { service: Arc::clone(service), account, listed: OnceCell::new() }))
    }
}

#[async_trait]
impl Signer for Key {
    async fn public_key(&self) -> Result<PublicKey, SignerError> {
        self.listed.get_or_try_init(|| self.check_listed()).await?;
        Ok(PublicKey::Account(self.account))
    }

    async fn sign(&self, request: &SignRequest<'_>) -> Result<Answer, SignerError> {
        let refused = || SignerError::Refused(format!("{} can be asked for transactions, typed data and messages alone", self.shown()));
        let asked = Asked::of(request).ok_or_else(refused)?;
        let (method, params) = asked.call(self.account, self.service.config.typed_data);
        let result = self.service.call(method, params, &self.shown()).await?;
        // There may be a signature of something else; that it is nothing but the wrong answer is not known.
        let unknown = |why| SignerError::Unknown(format!("{}: {why}", self.shown()));
        let signature = match &asked {
            Asked::Transaction(permitted) => answer::transaction(&result, permitted),
            Asked::TypedData(_) | Asked::Message(_) => answer::signature(&result),
        };
        let (signature, recovery) = signature.map_err(unknown)?.parts();
        Ok(Answer::Signed(Signature::Secp256k1(signature, Some(recovery))))
    }
}

impl Key {
    /// Asks the service whether it has the key.
    async fn check_listed(&self) -> Result<(), SignerError> {
        let result = self.service.call("eth_accounts", json!([]), &self.shown()).await.map_err(|error| match error {
            // Nothing was to be signed.
            SignerError::Unknown(why) => SignerError::Unavailable(why),
            error => error,
        })?;
        let unfit = |why| SignerError::Unavailable(format!("{}: {why}", self.shown()));
        if answer::accounts(&result).map_err(unfit)?.contains(&self.account) {
            return Ok(());
        }
        let why = "the service does not list it (`eth_accounts`); load its key there, or check the address in `from`";
        Err(SignerError::Refused(format!("{}: {why}", self.shown())))
    }

    fn shown(&self) -> String {
        format!("the account {} at the remote signer `{}`", self.account, self.service.name)
    }
}
