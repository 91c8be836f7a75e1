//! Judges calls of contracts, element by element where one call makes others, and sums what they spend.

use super::assets::{asset_lines, shown};
use super::standards::{self, Effect};
use super::{AssetId, Verdict, WalletPolicy, within_bounds};
use crate::ethereum::value::{FieldPath, Value};
use crate::manifest::{Bound, CallSpec, Movement, SigningConfig, Spends, Standard};
use crate::policy::Rule;
use crate::policy::denial::{self, host_lines, manifest_lines};
use crate::text::{hex, line};
use alloy_primitives::{Address, U256};

/// Calls within calls, at most.
const MAX_DEPTH: usize = 4;
/// Calls of one transaction, at most.
const MAX_CALLS: usize = 256;

/// What has been found of one transaction or document so far.
pub(super) struct Judge<'a> {
    pub(super) policy: &'a WalletPolicy,
    pub(super) own: Address,
    pub(super) chain: u64,
    pub(super) spends: Vec<(AssetId, U256)>,
    pub(super) lines: Vec<String>,
    calls: usize,
}

/// What an entry of the manifest says beside what it spends.
pub(super) struct Entry<'a> {
    /// The contract that is called, or that the domain names.
    pub(super) contract: Option<Address>,
    /// What its fields are counted from, and what the manifest says of them.
    pub(super) root: &'a Value,
    pub(super) bounds: &'a [(FieldPath, Vec<Bound>)],
    pub(super) nft: bool,
    /// The line of a call, where it is one.
    pub(super) line: Option<usize>,
    pub(super) approves: bool,
}

/// Whether an entry can be granted at all.
pub(super) fn check(call: &CallSpec, config: &SigningConfig) -> Result<(), String> {
    let signature = &call.function.signature;
    if let Some((_, why)) = standards::NEVER.iter().find(|(known, _)| known == signature) {
        return Err(format!("`{signature}` can't be granted: {why}"));
    }
    let standard = standards::call(signature);
    match (&call.spends, standard) {
        (Spends::Standard, None) => Err(format!(
            "the host does not know what `{signature}` spends; say so: `spends = {{ amount = \"FIELD\", recipient = \"FIELD\" }}`, or `spends = \"none\"`"
        )),
        (Spends::Standard, Some(Effect::Operator { .. })) if !call.nft => {
            Err("it lets somebody move all tokens of a contract; where that is meant, add `nft = true`".to_owned())
        }
        (Spends::Standard, _) => Ok(()),
        (_, Some(_)) => Err(format!("`{signature}` is a standard's; leave `spends` out")),
        (Spends::Nothing, None) if call.to.iter().any(|to| to.address == config.permit2) => {
            Err("calls of Permit2 spend something; say what in `spends`".to_owned())
        }
        _ => Ok(()),
    }
}

impl<'a> Judge<'a> {
    pub(super) fn new(policy: &'a WalletPolicy, own: Address, chain: u64) -> Self {
        Self { policy, own, chain, spends: Vec::new(), lines: Vec::new(), calls: 0 }
    }

    /// Adds to what is spent.
    pub(super) fn spend(&mut self, asset: AssetId, amount: U256) {
        match self.spends.iter_mut().find(|(known, _)| *known == asset) {
            Some((_, sum)) => *sum = sum.saturating_add(amount),
            None => self.spends.push((asset, amount)),
        }
    }

    /// Judges a call that `account` makes. Returns how much of the chain's own asset it moves.
    pub(super) fn call(&mut self, account: Address, to: Address, value: U256, input: &[u8], depth: usize) -> Verdict<U256> {
        self.calls += 1;
        if depth > MAX_DEPTH || self.calls > MAX_CALLS {
            return Err((
                Rule::Call,
                "its calls are nested too deep, or too many, to be judged".to_owned(),
                "sign them one by one".to_owned(),
            ));
        }
        if input.is_empty() {
            return self.transfer(account, to, value);
        }
        if to == account || to == self.own {
            return Err((
                Rule::Call,
                "the account calls itself".to_owned(),
                "an account's own functions change who controls it; call them by other means".to_owned(),
            ));
        }
        let selector: [u8; 4] = input
            .get(..4)
            .and_then(|selector| selector.try_into().ok())
            .ok_or_else(|| (Rule::Undecodable, "the call data has fewer than 4 bytes".to_owned(), String::new()))?;
        let (policy, chain) = (self.policy, self.chain);
        let mut refused = None;
        for entry in
            policy.spec.calls.iter().filter(|entry| entry.to.iter().any(|known| known.is(chain, to)) && entry.function.selector == selector)
        {
            let (spends, lines) = (self.spends.clone(), self.lines.len());
            match self.granted(entry, account, to, value, &input[4..], depth) {
                Ok(moved) => return Ok(moved),
                Err(refusal) => {
                    self.spends = spends;
                    self.lines.truncate(lines);
                    refused.get_or_insert(refusal);
                }
            }
        }
        Err(refused.unwrap_or_else(|| {
            let reason = format!("the function 0x{} of {to} is not granted", hex(&selector));
            (Rule::Call, reason, self.lines_for(to, selector))
        }))
    }

    /// The manifest's lines for a call, or why there are none.
    fn lines_for(&self, to: Address, selector: [u8; 4]) -> String {
        let has_selector = |signature: &str| alloy_primitives::keccak256(signature)[..4] == selector;
        if let Some((signature, why)) = standards::NEVER.iter().find(|(signature, _)| has_selector(signature)) {
            return format!("no line can allow it: `{signature}` can't be granted: {why}");
        }
        let known = standards::CALLS.iter().find(|known| has_selector(known.signature));
        let function = match known {
            None => "?\nspends = ?".to_owned(),
            Some(known) if matches!(known.effect, Effect::Operator { .. }) => format!("\"{}\"\nnft = true", known.signature),
            Some(known) => format!("\"{}\"", known.signature),
        };
        let (signer, to) = (&self.policy.signer, toml::Value::from(self.policy.on_chain(self.chain, to)));
        manifest_lines(&format!("[[signers.{signer}.call]]\nto = [{to}]\nfunction = {function}"))
    }

    /// A plain transfer of the chain's own asset.
    fn transfer(&mut self, account: Address, to: Address, value: U256) -> Verdict<U256> {
        let native = self.policy.native(self.chain);
        if to == account {
            self.lines.push("sends nothing to itself: it takes the place of another transaction".to_owned());
            return Ok(U256::ZERO);
        }
        if to != self.own && !self.is_recipient(to) {
            return Err((
                Rule::Recipient,
                format!("{to} is not granted as a recipient"),
                self.policy.add("recipients", self.policy.on_chain(self.chain, to).into()),
            ));
        }
        self.lines.push(line(format_args!("send {} to {to}", shown(value, &native))));
        Ok(value)
    }

    fn granted(&mut self, call: &CallSpec, account: Address, to: Address, value: U256, input: &[u8], depth: usize) -> Verdict<U256> {
        let arguments = call.function.read(input);
        let arguments = arguments.map_err(|wrong| (Rule::Undecodable, format!("`{}`: {wrong}", call.function.name), String::new()))?;
        let in_line = |reason: String| (Rule::Argument, reason, format!("see `args` of the call in line {} of the manifest", call.line));
        within_bounds(&arguments, &call.args, self.own).map_err(in_line)?;
        if value > call.value {
            let native = self.policy.native(self.chain);
            let reason = format!("{} go with the call, more than {}", shown(value, &native), shown(call.value, &native));
            return Err((
                Rule::Value,
                reason,
                denial::set("value", "?", &format!("the `[[signers.{}.call]]` in line {}", self.policy.signer, call.line)),
            ));
        }
        let with = if value.is_zero() { String::new() } else { format!(" with {}", shown(value, &self.policy.native(self.chain))) };
        self.lines.push(line(format_args!("call {} of {to}{with}: {arguments}", call.function.signature)));
        let entry = Entry {
            contract: Some(to),
            root: &arguments,
            bounds: &call.args,
            nft: call.nft,
            line: Some(call.line),
            approves: call.function.name == "approve",
        };
        match &call.spends {
            Spends::Nothing => Ok(value),
            Spends::Amount(movement) => self.moves(&entry, movement, &arguments, account).map(|()| value),
            Spends::Standard => {
                let effect = standards::call(&call.function.signature).expect("checked as the agent was loaded");
                self.effect(effect, &entry, &arguments, account, to, value, depth)
            }
        }
    }

    #[allow(clippy::too_many_arguments)]
    fn effect(
        &mut self,
        effect: Effect,
        entry: &Entry<'_>,
        arguments: &Value,
        account: Address,
        to: Address,
        value: U256,
        depth: usize,
    ) -> Verdict<U256> {
        match effect {
            Effect::Moves { .. } => {
                let movement = effect.movement().expect("a movement is one");
                self.moves(entry, &movement, arguments, account).map(|()| value)
            }
            Effect::Nothing => Ok(value),
            Effect::Operator { recipient } => {
                // To take it back costs nothing.
                if arguments.field("1") == Some(&Value::Bool(false)) {
                    return Ok(value);
                }
                let recipient = standards::path(recipient);
                for operator in addresses(arguments, &recipient)? {
                    self.recipient(operator, &recipient, entry)?;
                }
                Ok(value)
            }
            Effect::AllOrNothing { .. } => Err(undecodable("a document's effect is in a call")),
            Effect::Calls { to: targets, value: values, data, by_contract } => {
                let inner_account = if by_contract { to } else { account };
                self.account(inner_account)?;
                let data = arguments.at(&standards::path(data)).ok_or_else(|| undecodable("its calls"))?;
                let targets = match targets {
                    Some(path) => addresses(arguments, &standards::path(path))?,
                    None => vec![to; data.len()],
                };
                let values = match values {
                    Some(path) => numbers(arguments, &standards::path(path))?,
                    None => vec![U256::ZERO; data.len()],
                };
                // `executeBatch` of the samples takes no values at all for none.
                let values = if values.is_empty() { vec![U256::ZERO; data.len()] } else { values };
                if targets.len() != data.len() || values.len() != data.len() {
                    return Err(undecodable("as many targets and values as calls"));
                }
                let mut moved = U256::ZERO;
                for ((target, value), data) in targets.into_iter().zip(values).zip(data) {
                    let Value::Bytes(data) = data else { return Err(undecodable("its calls")) };
                    if by_contract && target == to {
                        return Err((Rule::Call, "the contract calls itself".to_owned(), "sign its own functions one by one".to_owned()));
                    }
                    let inner = self.call(inner_account, target, value, data, depth + 1)?;
                    moved = moved.saturating_add(inner);
                }
                // What the contract is given and does not pass on would be there for whoever comes next.
                if by_contract && value > moved {
                    return Err((Rule::Value, "more goes with the calls than they pass on".to_owned(), "send what they need".to_owned()));
                }
                Ok(moved.max(value))
            }
            Effect::Safe => self.safe(arguments, to, depth).map(|moved| moved.max(value)),
        }
    }

    /// A transaction of a Safe, or the document that stands for one.
    pub(super) fn safe(&mut self, transaction: &Value, safe: Address, depth: usize) -> Verdict<U256> {
        self.account(safe)?;
        let number = |field: &str| transaction.field(field).and_then(Value::as_uint);
        // By their numbers: a function's parameters may have no names.
        let (to, value) = (transaction.field("0").and_then(Value::as_address), number("1"));
        let (Some(to), Some(value), Some(Value::Bytes(data))) = (to, value, transaction.field("2")) else {
            return Err(undecodable("a Safe's transaction"));
        };
        if number("3") != Some(U256::ZERO) {
            return Err((Rule::Call, "the Safe would run foreign code as its own (operation 1)".to_owned(), "use operation 0".to_owned()));
        }
        if number("6") != Some(U256::ZERO) {
            return Err((Rule::Fee, "the Safe would pay for gas (gasPrice is not 0)".to_owned(), "set gasPrice to 0".to_owned()));
        }
        if to == safe {
            return Err((
                Rule::Call,
                "the Safe calls itself, as to change its owners or modules".to_owned(),
                "do that by other means".to_owned(),
            ));
        }
        self.call(safe, to, value, data, depth + 1)
    }

    /// What moves, or may be moved by its recipient: each has its asset in the host's table, its recipient granted, and counts as spent.
    pub(super) fn moves(&mut self, entry: &Entry<'_>, movement: &Movement, value: &Value, account: Address) -> Verdict<()> {
        let amounts = numbers(value, &movement.amount)?;
        let recipients = each(addresses(value, &movement.recipient)?, amounts.len())?;
        let contracts = match &movement.asset {
            Some(path) => each(addresses(value, path)?, amounts.len())?,
            None => {
                let contract = entry.contract.ok_or_else(|| undecodable("its domain's contract, which is the asset"))?;
                vec![contract; amounts.len()]
            }
        };
        let accounts = match &movement.account {
            Some(path) => each(addresses(value, path)?, amounts.len())?,
            None => vec![account; amounts.len()],
        };
        for (((amount, recipient), contract), account) in amounts.into_iter().zip(recipients).zip(contracts).zip(accounts) {
            self.account(account)?;
            self.recipient(recipient, &movement.recipient, entry)?;
            let config = self.policy.config();
            let asset = config.asset(self.chain, Some(contract)).ok_or_else(|| {
                let remedy = host_lines(&asset_lines("?", self.chain, &format!("\"{contract}\"")));
                (Rule::Asset, format!("{contract} is not an asset that the host knows"), remedy)
            })?;
            let amount = match asset.standard {
                Standard::Fungible => amount,
                Standard::Single if entry.nft => U256::from(1),
                Standard::Single => {
                    let remedy = match entry.line {
                        Some(line) => denial::set("nft", "true", &format!("the `[[signers.{}.call]]` in line {line}", self.policy.signer)),
                        None => "no line can allow it: documents can't move single tokens".to_owned(),
                    };
                    return Err((Rule::Asset, format!("{} has single tokens, which this entry does not grant", asset.symbol), remedy));
                }
            };
            // Whatever leaves through Permit2 needs a signature that is priced by itself.
            if entry.approves && amount == U256::MAX && recipient == config.permit2 {
                continue;
            }
            let id = AssetId { chain: self.chain, contract: Some(contract) };
            self.limited(id, &asset.symbol)?;
            self.spend(id, amount);
            self.lines.push(format!("spends {} of {account}, for {recipient}", shown(amount, &asset)));
        }
        Ok(())
    }

    /// Everything of an asset.
    pub(super) fn everything(&mut self, entry: &Entry<'_>, recipient: Address, field: &FieldPath, account: Address) -> Verdict<()> {
        let value = Value::Struct(vec![
            (field.to_string(), Value::Address(recipient)),
            ("all".to_owned(), Value::Uint(U256::MAX)),
            ("of".to_owned(), Value::Address(account)),
        ]);
        let movement =
            Movement { asset: None, amount: standards::path("all"), recipient: field.clone(), account: Some(standards::path("of")) };
        self.moves(entry, &movement, &value, account)
    }

    /// Whether an asset has a limit at all: what has none can't be spent by accident.
    pub(super) fn limited(&self, id: AssetId, symbol: &str) -> Verdict<()> {
        if self.policy.limits().iter().any(|limit| limit.asset == id) {
            return Ok(());
        }
        let remedy = manifest_lines(&format!(
            "[[signers.{}.limit]]\nasset = {}\nchain = {}\nday = ?",
            self.policy.signer,
            toml::Value::from(symbol),
            id.chain
        ));
        Err((Rule::Spend, format!("no limit says how much {symbol} may be spent"), remedy))
    }

    /// Whether assets of that account may be moved.
    pub(super) fn account(&self, account: Address) -> Verdict<()> {
        match account == self.own || self.policy.spec.accounts.iter().any(|known| known.is(self.chain, account)) {
            true => Ok(()),
            false => Err((
                Rule::Account,
                format!("{account} is not an account of the signer"),
                self.policy.add("accounts", self.policy.on_chain(self.chain, account).into()),
            )),
        }
    }

    fn recipient(&self, recipient: Address, field: &FieldPath, entry: &Entry<'_>) -> Verdict<()> {
        // The manifest may name the same field in another way, as by its number.
        let here = entry.root.at(field).unwrap_or_default();
        let same = |other: Vec<&Value>| other.len() == here.len() && other.iter().zip(&here).all(|(a, b)| std::ptr::eq(*a, *b));
        let bound = !here.is_empty() && entry.bounds.iter().any(|(path, _)| entry.root.at(path).is_some_and(same));
        match bound || recipient == self.own || self.is_recipient(recipient) {
            true => Ok(()),
            false => {
                let remedy = self.policy.add("recipients", self.policy.on_chain(self.chain, recipient).into());
                Err((Rule::Recipient, format!("{recipient} is not granted as a recipient"), remedy))
            }
        }
    }

    fn is_recipient(&self, address: Address) -> bool {
        self.policy.spec.recipients.iter().any(|known| known.is(self.chain, address))
    }
}

fn undecodable(what: &str) -> (Rule, String, String) {
    (Rule::Undecodable, format!("{what} can't be told from the call"), String::new())
}

/// One for all, or one for each.
fn each<T: Clone>(values: Vec<T>, count: usize) -> Verdict<Vec<T>> {
    match values.as_slice() {
        [one] => Ok(vec![one.clone(); count]),
        _ if values.len() == count => Ok(values),
        _ => Err(undecodable("which amount belongs to whom")),
    }
}

fn addresses(value: &Value, path: &FieldPath) -> Verdict<Vec<Address>> {
    let found = value.at(path).and_then(|found| found.into_iter().map(Value::as_address).collect());
    found.ok_or_else(|| undecodable(&format!("`{path}`")))
}

pub(super) fn numbers(value: &Value, path: &FieldPath) -> Verdict<Vec<U256>> {
    let found = value.at(path).and_then(|found| found.into_iter().map(Value::as_uint).collect());
    found.ok_or_else(|| undecodable(&format!("`{path}`")))
}
