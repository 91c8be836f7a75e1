//! What a manifest says about its signers, checked against the operator's tables as the agent is loaded.

use super::Signing;
use super::keys::Keys;
use crate::manifest::{JwtSpec, Manifest, Purpose, SignerSpec};
use crate::policy::{Budget, WalletPolicy};
use crate::secrets::Backends;
use std::sync::Arc;

/// One signer of one agent, checked as the agent was loaded.
#[derive(Debug)]
pub(crate) struct Granted {
    pub(crate) spec: SignerSpec,
    pub(crate) policy: Use,
    pub(super) rate: Budget,
}

/// What a key is used for, ready to decide.
#[derive(Debug)]
pub(crate) enum Use {
    Wallet(Box<WalletPolicy>),
    Jwt(JwtSpec),
    Hmac(regex::Regex),
    Solana(Vec<regex::Regex>),
    Digest { granted: bool },
}

impl Signing {
    /// What a manifest says about its signers, checked against the host's tables.
    ///
    /// # Errors
    /// The signer's name, and what can't be granted.
    pub(crate) fn grant(&self, manifest: &Manifest, backends: &Backends) -> Result<Vec<Arc<Granted>>, (String, String)> {
        self.keys.mark_sent(manifest, backends)?;
        let one = |spec: &SignerSpec| {
            self.keys.check(spec, manifest, backends)?;
            let policy = match &spec.purpose {
                Purpose::Wallet(wallet) => {
                    let policy = WalletPolicy::new(&spec.name, wallet, &self.config)?;
                    if self.keys.is_local(spec) {
                        let (key, user) = (Keys::entry(spec, &manifest.name, backends), format!("{}/{}", manifest.name, spec.name));
                        self.hot.check(&self.bounds().hot, &key, &user, &wallet.limits)?;
                    }
                    Use::Wallet(Box::new(policy))
                }
                Purpose::Jwt(jwt) => Use::Jwt(jwt.clone()),
                Purpose::Hmac { template } => Use::Hmac(template.clone()),
                Purpose::Solana { messages } => Use::Solana(messages.clone()),
                Purpose::Digest => {
                    let granted = self.config.raw.iter().any(|(agent, signer)| *agent == manifest.name && *signer == spec.name);
                    Use::Digest { granted }
                }
                other => return Err(format!("this host signs nothing as `{}`", other.name())),
            };
            if !self.has_ledger() {
                return Err("a host that keeps no state keeps no ledger, and signs nothing".to_owned());
            }
            Ok(Arc::new(Granted { spec: spec.clone(), policy, rate: Budget::new(spec.rate) }))
        };
        manifest.signers.iter().map(|spec| one(spec).map_err(|why| (spec.name.clone(), why))).collect()
    }

    /// Whether the wallets of an agent that is loaded may be granted by the ceilings on keys in this process as they are now.
    ///
    /// # Errors
    /// The signer's name, and what would not be granted.
    pub(crate) fn check_hot(&self, manifest: &Manifest, backends: &Backends) -> Result<(), (String, String)> {
        let bounds = self.bounds();
        for spec in manifest.signers.iter().filter(|spec| self.keys.is_local(spec)) {
            let Purpose::Wallet(wallet) = &spec.purpose else { continue };
            let (key, user) = (Keys::entry(spec, &manifest.name, backends), format!("{}/{}", manifest.name, spec.name));
            self.hot.recheck(&bounds.hot, &key, &user, &wallet.limits).map_err(|why| (spec.name.clone(), why))?;
        }
        Ok(())
    }
}
