//! Decides what may be signed: decoded values become a [`SignPermit`], which says what they spend, or a [`Denial`]. Pure; what has been spent
//! before is the ledger's.

mod assets;
mod calls;
mod claims;
mod documents;
mod messages;
mod permit;
pub mod refused;
mod standards;
mod windows;

pub use assets::{AssetId, Limit, shown};
pub use claims::{hmac_input, token_claims};
pub use permit::{MacPermit, Payload, SignPermit, TokenPermit};
pub use windows::{Slot, Sums, Windows};

use super::denial::{self, host_lines, manifest_lines};
use super::{Denial, Rule};
use crate::ethereum::message::Unreadable;
use crate::ethereum::quantity;
use crate::ethereum::rlp::Malformed;
use crate::ethereum::transaction::{Authorization, Transaction};
use crate::ethereum::typed_data::TypedData;
use crate::ethereum::value::{FieldPath, Value};
use crate::manifest::{Asset, Bound, SigningConfig, WalletSpec};
use crate::text::line;
use alloy_primitives::{Address, B256, U256};
use calls::Judge;
use messages::matching;
use std::sync::Arc;

/// What an agent may sign with one account, checked against the host's tables once, as the agent is loaded.
#[derive(Debug)]
pub struct WalletPolicy {
    signer: String,
    spec: WalletSpec,
    config: Arc<SigningConfig>,
    limits: Vec<Limit>,
    max_value: Option<U256>,
    max_fee: Option<U256>,
}

impl WalletPolicy {
    /// Checks what a manifest says of a signer.
    ///
    /// # Errors
    /// What can't be granted, and what to write instead.
    pub fn new(signer: &str, spec: &WalletSpec, config: &Arc<SigningConfig>) -> Result<Self, String> {
        if let Some(chain) = spec.chains.iter().find(|chain| config.asset(**chain, None).is_none()) {
            return Err(format!(
                "the host does not know what chain {chain} pays its fees in; {}",
                host_lines(&format!("[signing.chains.{chain}]\nnative = ?"))
            ));
        }
        for call in &spec.calls {
            calls::check(call, config).map_err(|wrong| format!("the call in line {}: {wrong}", call.line))?;
        }
        for typed in &spec.typed {
            documents::check(typed, config).map_err(|wrong| format!("the typed data in line {}: {wrong}", typed.line))?;
        }
        let whole = |amount: &Option<String>| {
            amount.as_ref().map(|text| quantity::amount(text, 18).ok_or_else(|| format!("{text} has more than 18 decimals"))).transpose()
        };
        Ok(Self {
            signer: signer.to_owned(),
            limits: spec.limits.iter().map(|limit| Limit::of(limit, config)).collect::<Result<_, _>>()?,
            max_value: whole(&spec.max_value)?,
            max_fee: whole(&spec.max_fee)?,
            spec: spec.clone(),
            config: Arc::clone(config),
        })
    }

    pub fn limits(&self) -> &[Limit] {
        &self.limits
    }

    /// The chains that it grants.
    pub fn chains(&self) -> &[u64] {
        &self.spec.chains
    }

    /// Most of a chain's own asset in one transaction, in its smallest unit; none is no bound.
    pub fn most_value(&self) -> Option<U256> {
        self.max_value
    }

    /// Most that a transaction may cost beside its value; none is no bound.
    pub fn most_fee(&self) -> Option<U256> {
        self.max_fee
    }

    pub fn config(&self) -> &SigningConfig {
        &self.config
    }

    /// The verdict on a transaction of the account `own`.
    pub fn transaction(&self, own: Address, transaction: Transaction) -> Result<SignPermit, Denial> {
        let asked = || match transaction.to {
            Some(to) => format!("sign a {} transaction to {to} on chain {}", transaction.kind_name(), transaction.chain),
            None => format!("sign a {} transaction that creates a contract on chain {}", transaction.kind_name(), transaction.chain),
        };
        let deny = |rule: Rule, reason: String, remedy: String| Denial { rule, asked: asked(), reason, remedy, stop: false };
        transaction.check().map_err(|Malformed(why)| deny(Rule::Undecodable, why.to_owned(), String::new()))?;
        self.chain(transaction.chain).map_err(|(rule, reason, remedy)| deny(rule, reason, remedy))?;
        let kind = transaction.kind_name();
        if !self.spec.kinds.iter().any(|known| known == kind) {
            return Err(deny(Rule::Kind, format!("transactions of the kind {kind} are not granted"), self.with_kind(kind)));
        }
        let floor = self.spec.nonces.iter().find(|(chain, _)| *chain == transaction.chain).map_or(0, |(_, floor)| *floor);
        if transaction.nonce < floor {
            let reason = format!("the nonce {} is below {floor}", transaction.nonce);
            return Err(deny(Rule::Nonce, reason, "the operator has set `nonce_floor`; ask the chain for the next nonce".to_owned()));
        }
        if let Some(most) = self.spec.max_gas
            && transaction.gas > most
        {
            return Err(deny(Rule::Fee, format!("it may use {} gas, more than {most}", transaction.gas), self.raise("max_gas")));
        }
        let native = self.native(transaction.chain);
        let fee = self.fee(&transaction).ok_or_else(|| deny(Rule::Fee, "its fee is beyond 256 bits".to_owned(), self.raise("max_fee")))?;
        if let Some(most) = self.max_fee
            && fee > most
        {
            let reason = format!("its fee may be {}, more than {}", shown(fee, &native), shown(most, &native));
            return Err(deny(Rule::Fee, reason, self.raise("max_fee")));
        }
        let Some(to) = transaction.to else {
            let remedy = "deploy contracts by other means".to_owned();
            return Err(deny(Rule::Call, "it creates a contract, which can't be granted".to_owned(), remedy));
        };

        let mut judge = Judge::new(self, own, transaction.chain);
        for signed in transaction.authorizations() {
            self.delegate(&signed.authorization, Some(transaction.chain)).map_err(|(rule, reason, remedy)| deny(rule, reason, remedy))?;
            judge.lines.push(format!("lets an account run the code of {}", signed.authorization.delegate));
        }
        let value = judge.call(own, to, transaction.value, &transaction.input, 0);
        let value = value.and_then(|value| self.within_value(transaction.chain, value.max(transaction.value)).map(|()| value));
        let value = value.map_err(|(rule, reason, remedy)| deny(rule, reason, remedy))?;
        let total = value.checked_add(fee).ok_or_else(|| deny(Rule::Value, "its value is beyond 256 bits".to_owned(), String::new()))?;
        judge.limited(AssetId::native(transaction.chain), &native.symbol).map_err(|(rule, reason, remedy)| deny(rule, reason, remedy))?;
        judge.spend(AssetId::native(transaction.chain), total);
        // No node takes it, and it would be charged until its window is over.
        let least = transaction.least_gas();
        if transaction.gas < least {
            let reason = format!("it may use {} gas, and its own data and lists cost {least} before anything runs", transaction.gas);
            return Err(deny(
                Rule::Fee,
                reason,
                "no node would take it, and nothing is charged; ask the chain for an estimate (eth_estimateGas)".to_owned(),
            ));
        }
        let Judge { spends, mut lines, .. } = judge;
        lines.insert(
            0,
            line(format_args!(
                "{kind} transaction on chain {}, nonce {}, gas {}, fee at most {}{}",
                transaction.chain,
                transaction.nonce,
                transaction.gas,
                shown(fee, &native),
                self.uncounted(transaction.chain)
            )),
        );
        Ok(SignPermit::transaction(transaction, spends, lines))
    }

    /// The verdict on a document (EIP-712). `now` is in seconds since 1970.
    pub fn document(&self, own: Address, document: TypedData, now: u64) -> Result<SignPermit, Denial> {
        let contract = document.domain.contract.map(|contract| format!(" for {contract}")).unwrap_or_default();
        let asked = format!("sign typed data `{}`{contract}", document.name());
        let deny = |(rule, reason, remedy)| Denial { rule, asked: asked.clone(), reason, remedy, stop: false };
        let chain = document.domain.chain.and_then(|chain| u64::try_from(chain).ok());
        let chainless = || {
            let remedy = "no line can allow it: a domain without `chainId` is valid on every chain, whatever its salt says".to_owned();
            deny((Rule::TypedData, "its domain names no chain".to_owned(), remedy))
        };
        let chain = chain.ok_or_else(chainless)?;
        self.chain(chain).map_err(deny)?;
        let mut judge = Judge::new(self, own, chain);
        documents::judge(&mut judge, &document, now).map_err(deny)?;
        let Judge { spends, lines, .. } = judge;
        Ok(SignPermit::typed_data(document, spends, lines))
    }

    /// The verdict on an authorization to run code (EIP-7702).
    pub fn authorization(&self, authorization: &Authorization) -> Result<SignPermit, Denial> {
        let asked = format!("sign an authorization of {} on chain {}", authorization.delegate, authorization.chain);
        let deny = |(rule, reason, remedy)| Denial { rule, asked: asked.clone(), reason, remedy, stop: false };
        self.delegate(authorization, None).map_err(deny)?;
        let Authorization { chain, delegate, nonce } = authorization;
        let line = format!("lets the account run the code of {delegate} on chain {chain}, nonce {nonce}");
        Ok(SignPermit::authorization(*authorization, line))
    }

    /// The verdict on a message (EIP-191). `now` is in seconds since 1970.
    pub fn message(&self, own: Address, message: &[u8], now: u64) -> Result<SignPermit, Denial> {
        let deny = |(rule, reason, remedy)| Denial { rule, asked: "sign a message".to_owned(), reason, remedy, stop: false };
        let line = messages::judge(&self.signer, &self.spec, own, message, now).map_err(deny)?;
        Ok(SignPermit::personal(message.to_vec(), line))
    }

    /// The denial of what the ledger has refused.
    pub fn over_limit(&self, asset: AssetId, window: &str, own: bool) -> Denial {
        let asset = self.config.asset(asset.chain, asset.contract);
        let (symbol, chain) = asset.map_or(("?".to_owned(), 0), |asset| (asset.symbol, asset.chain));
        let whose = if own { format!("the `[[signers.{}.limit]]`", self.signer) } else { "the `[[signing.caps]]` of the host".to_owned() };
        let table = format!("{whose} of {symbol} on chain {chain}");
        Denial {
            rule: Rule::Spend,
            asked: format!("spend {symbol} on chain {chain}"),
            // One text for all: what other agents have spent is not the guest's to learn.
            reason: format!("more {symbol} than may be spent"),
            remedy: denial::set(window, "?", &table) + "; `strongroom limits show` tells what is left",
            stop: false,
        }
    }

    /// Whether so much of a chain's own asset may move at once, by whatever account.
    fn within_value(&self, chain: u64, value: U256) -> Verdict<()> {
        match self.max_value {
            Some(most) if value > most => {
                let native = self.native(chain);
                Err((
                    Rule::Value,
                    format!("it moves {}, more than {}", shown(value, &native), shown(most, &native)),
                    self.raise("max_value"),
                ))
            }
            _ => Ok(()),
        }
    }

    fn chain(&self, chain: u64) -> Verdict<()> {
        match self.spec.chains.contains(&chain) {
            true => Ok(()),
            false => Err((
                Rule::Chain,
                format!("chain {chain} is not granted"),
                format!(
                    "no line alone allows it: add the chain to `chains` of `[signers.{}]`, and the chain to each address, as in `{chain}:0x…`, \
                     where it is meant there",
                    self.signer
                ),
            )),
        }
    }

    /// Whether the account may run that code there, and in a transaction: on its chain.
    fn delegate(&self, authorization: &Authorization, within: Option<u64>) -> Verdict<()> {
        let Authorization { chain, delegate, .. } = authorization;
        if chain.is_zero() {
            return Err((Rule::Delegate, "the authorization is for any chain (0)".to_owned(), "name the chain".to_owned()));
        }
        let listed = u64::try_from(*chain).ok().filter(|chain| within.is_none_or(|within| within == *chain));
        let listed = listed.filter(|chain| self.spec.chains.contains(chain) && self.spec.delegates.contains(&(*chain, *delegate)));
        match listed {
            Some(_) => Ok(()),
            None => {
                let granted = u64::try_from(*chain).is_ok_and(|chain| self.spec.chains.contains(&chain));
                let remedy = match within {
                    Some(within) if U256::from(within) != *chain => "no line can allow it: its chain is not the transaction's".to_owned(),
                    _ if !granted => format!("no line alone allows it: its chain is not in `chains` of `[signers.{}]`", self.signer),
                    _ => manifest_lines(&format!("[[signers.{}.delegate]]\nchain = {chain}\naddress = \"{delegate}\"", self.signer)),
                };
                Err((Rule::Delegate, format!("the code of {delegate} is not granted on chain {chain}"), remedy))
            }
        }
    }

    /// What a transaction costs beside its value, at most.
    fn fee(&self, transaction: &Transaction) -> Option<U256> {
        transaction.most_fee()?.checked_add(self.surcharge(transaction.chain))
    }

    /// What each transaction costs there in addition to its gas.
    pub fn surcharge(&self, chain: u64) -> U256 {
        self.config.surcharge(chain).and_then(|text| quantity::amount(text, 18)).unwrap_or_default()
    }

    /// What a fee leaves out, for people.
    fn uncounted(&self, chain: u64) -> &'static str {
        match self.config.has_uncounted_fee(chain) {
            true => ", and the chain's fee for data on the layer below, which is not counted (`surcharge` of `[signing.chains]`)",
            false => "",
        }
    }

    fn native(&self, chain: u64) -> Asset {
        self.config.asset(chain, None).expect("a wallet's chains are in the host's table")
    }

    fn add(&self, key: &str, value: toml::Value) -> String {
        denial::added(&value, key, &self.table())
    }

    fn raise(&self, key: &str) -> String {
        denial::set(key, "?", &self.table())
    }

    /// The kinds that are granted, and one more. The default is not written anywhere, and would be gone.
    fn with_kind(&self, kind: &str) -> String {
        let kinds: Vec<String> = self.spec.kinds.iter().cloned().chain([kind.to_owned()]).collect();
        denial::set("kinds", &toml::Value::from(kinds).to_string(), &self.table())
    }

    fn table(&self) -> String {
        format!("`[signers.{}]`", self.signer)
    }

    /// An address as the signer's manifest writes it: with its chain, where the signer has several.
    fn on_chain(&self, chain: u64, address: Address) -> String {
        if self.spec.chains.len() == 1 { address.to_string() } else { format!("{chain}:{address}") }
    }
}

/// A rule, what was found, and what would allow it.
type Refusal = (Rule, String, String);
type Verdict<T> = Result<T, Refusal>;

/// Whether fields are what an entry says. `own` is the signer's address.
fn within_bounds(value: &Value, bounds: &[(FieldPath, Vec<Bound>)], own: Address) -> Result<(), String> {
    for (path, allowed) in bounds {
        let found = value.at(path).ok_or_else(|| format!("there is no `{path}`"))?;
        let fits = |value: &Value| {
            allowed.iter().any(|bound| match bound {
                Bound::Is(other) => value == other,
                Bound::Range(least, most) => value.as_uint().is_some_and(|number| (*least..=*most).contains(&number)),
                Bound::Own => value.as_address() == Some(own),
            })
        };
        if let Some(value) = found.into_iter().find(|value| !fits(value)) {
            return Err(format!("`{path}` is {value}, which is not granted"));
        }
    }
    Ok(())
}

/// The verdict on an off-chain message of Solana.
pub fn off_chain_message(patterns: &[regex::Regex], message: &[u8]) -> Result<SignPermit, Denial> {
    let deny = |(rule, reason, remedy)| Denial { rule, asked: "sign a message".to_owned(), reason, remedy, stop: false };
    let unreadable = |Unreadable { found, remedy }| deny((Rule::Message, found, remedy.to_owned()));
    let text = crate::ethereum::message::readable(message).map_err(unreadable)?;
    matching(patterns, text).map_err(deny)?;
    let too_long = |Malformed(why)| deny((Rule::Message, why.to_owned(), "shorten it".to_owned()));
    let envelope = crate::ethereum::message::solana_envelope(text).map_err(too_long)?;
    Ok(SignPermit::message(envelope, format!("message {text:?}")))
}

/// Leave to sign any 32 bytes, where the host configuration grants it.
pub fn raw_digest(digest: B256, granted: bool) -> Result<SignPermit, Denial> {
    if granted {
        return Ok(SignPermit::of_digest(digest, format!("32 bytes as they are: {digest}")));
    }
    Err(Denial {
        rule: Rule::Digest,
        asked: "sign 32 bytes as they are".to_owned(),
        reason: "the host does not grant it".to_owned(),
        remedy:
            "the operator may add AGENT/SIGNER to `raw` of `[signing]` in the host configuration: nothing then bounds what the key signs"
                .to_owned(),
        stop: false,
    })
}
