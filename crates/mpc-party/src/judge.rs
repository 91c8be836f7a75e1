//! This party's own judgement: what is asked for is decoded again here, and held against manifests and tables that its own operator wrote.

use alloy_primitives::{Address, B256, U256};
use anyhow::{Result, bail};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use strongroom_core::manifest::{Manifest, Purpose, SecretRef, SigningConfig};
use strongroom_core::policy::{AssetId, Budget, Limit, SignPermit, WalletPolicy};
use strongroom_ethereum::transaction::{Authorization, Transaction};
use strongroom_ethereum::typed_data::TypedData;
use strongroom_ground::text::unhex;
use strongroom_mpc::link::millis;
use strongroom_mpc::says::{Request, What};

/// Most bytes of anything that is to be signed.
const MAX_LENGTH: usize = 256 * 1024;

/// The agents that this party knows, by key and name.
pub struct Judge {
    wallets: HashMap<(String, String), Wallet>,
    caps: Vec<(Address, Limit)>,
}

struct Wallet {
    policy: WalletPolicy,
    rate: Budget,
}

/// Something that may be signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// The 32 bytes.
    pub digest: B256,
    /// What it spends, each asset once.
    pub spends: Vec<(AssetId, U256)>,
    /// The chain and nonce, of a transaction.
    pub nonce: Option<(u64, u64)>,
    /// What it does, for people.
    pub lines: Vec<String>,
}

impl Judge {
    /// The manifests of this party's operator. Those of their signers count that are `mpc:` and wallets.
    ///
    /// # Errors
    /// What can't be granted.
    pub fn new(manifests: &[Manifest], config: SigningConfig) -> Result<Self> {
        let config = Arc::new(config);
        let mut wallets = HashMap::new();
        for manifest in manifests {
            for spec in &manifest.signers {
                let SecretRef::Exact { backend, path, .. } = &spec.from else { continue };
                let Purpose::Wallet(wallet) = &spec.purpose else { continue };
                if backend != "mpc" {
                    continue;
                }
                let policy = match WalletPolicy::new(&spec.name, wallet, &config) {
                    Ok(policy) => policy,
                    Err(why) => bail!("signer `{}` of `{}`: {why}", spec.name, manifest.name),
                };
                let wallet = Wallet { policy, rate: Budget::new(spec.rate) };
                if wallets.insert((path.clone(), manifest.name.clone()), wallet).is_some() {
                    bail!("two signers of `{}` have the key `mpc:{path}`; one has to do", manifest.name);
                }
            }
        }
        let caps = config.caps.iter().map(|cap| Ok((cap.signer, Limit::of(&cap.limit, &config)?)));
        let caps = caps.collect::<Result<_, String>>().map_err(|why| anyhow::anyhow!("`signing.caps`: {why}"))?;
        Ok(Self { wallets, caps })
    }

    /// The verdict on a request for the account `own`.
    ///
    /// # Errors
    /// Why this party does not allow it, in words.
    pub fn judge(&self, request: &Request, own: Address) -> Result<Judged, String> {
        let clean = (1..=160).contains(&request.idempotency.len()) && request.idempotency.bytes().all(|b| b.is_ascii_graphic());
        if !clean {
            return Err("invalid idempotency key: write 1 to 160 visible ASCII characters".to_owned());
        }
        let policy = &self.wallet(request)?.policy;
        let permit = match &request.what {
            What::Transaction(payload) => {
                let transaction = Transaction::read(&bytes(payload)?).map_err(|wrong| wrong.to_string())?;
                policy.transaction(own, transaction)
            }
            What::TypedData(document) if document.len() > MAX_LENGTH => return Err(too_long()),
            What::TypedData(document) => {
                let document = TypedData::read(document).map_err(|wrong| wrong.to_string())?;
                policy.document(own, document, millis() / 1_000)
            }
            What::Message(message) => policy.message(own, &bytes(message)?, millis() / 1_000),
            What::Authorization(chain, address, nonce) => {
                use strongroom_ethereum::quantity;
                let read = || {
                    let (chain, delegate) = (quantity::uint(chain)?, quantity::address(address)?);
                    Some(Authorization { chain, delegate, nonce: quantity::small(nonce)? })
                };
                policy.authorization(&read().ok_or("the authorization can't be read")?)
            }
        };
        permit.map(Judged::of).map_err(|denial| match denial.remedy.as_str() {
            "" => denial.reason,
            remedy => format!("{}; {remedy}", denial.reason),
        })
    }

    /// Takes one use of the agent's rate.
    ///
    /// # Errors
    /// Where it is used up.
    pub fn within_rate(&self, request: &Request) -> Result<(), String> {
        let within = self.wallet(request)?.rate.take(Instant::now());
        if within { Ok(()) } else { Err("more signatures than the `rate` of the signer; wait".to_owned()) }
    }

    /// How many signatures of a key all agents together may ask for at once.
    pub fn at_once(&self, key: &str) -> usize {
        let rates = self.wallets.iter().filter(|((of, _), _)| of == key).map(|(_, wallet)| wallet.rate.rate().requests);
        rates.fold(0, |sum, requests| sum.saturating_add(usize::try_from(requests).unwrap_or(usize::MAX)))
    }

    /// Counts what was used before this party was started: key, agent, and when, in milliseconds since 1970. The oldest come first.
    pub fn resume(&self, uses: impl IntoIterator<Item = (String, String, u64)>) {
        let (now, here) = (Instant::now(), millis());
        for (key, agent, time) in uses {
            let age = Duration::from_millis(here.saturating_sub(time));
            if let Some(wallet) = self.wallets.get(&(key, agent)).filter(|wallet| age < wallet.rate.rate().per) {
                // Where there are more than the rate lets pass, it is used up as it is.
                wallet.rate.take(now.checked_sub(age).unwrap_or(now));
            }
        }
    }

    /// The limits of an agent, and those of the account over all agents.
    pub fn limits(&self, key: &str, agent: &str, own: Address) -> [Vec<Limit>; 2] {
        let wallet = self.wallets.get(&(key.to_owned(), agent.to_owned()));
        let caps = self.caps.iter().filter(|(signer, _)| *signer == own).map(|(_, limit)| *limit);
        [wallet.map(|wallet| wallet.policy.limits().to_vec()).unwrap_or_default(), caps.collect()]
    }

    fn wallet(&self, request: &Request) -> Result<&Wallet, String> {
        let found = self.wallets.get(&(request.key.clone(), request.agent.clone()));
        found.ok_or_else(|| format!("no manifest here gives `{}` the key `mpc:{}`", request.agent, request.key))
    }
}

impl Judged {
    fn of(permit: SignPermit) -> Self {
        let (spends, lines) = (permit.spends().to_vec(), permit.lines().to_vec());
        Self { digest: permit.digest(), spends, nonce: permit.nonce(), lines }
    }
}

fn bytes(digits: &str) -> Result<Vec<u8>, String> {
    if digits.len() > 2 * MAX_LENGTH {
        return Err(too_long());
    }
    unhex(digits).ok_or_else(|| "its bytes are not hexadecimal digits".to_owned())
}

fn too_long() -> String {
    "it has more than 256 KiB".to_owned()
}
