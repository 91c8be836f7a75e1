//! What is sent: of each asset as much as there is, and as its limits leave; the chain's own last, since it pays for the others.

use super::node::{Node, hexadecimal};
use super::{Failed, Holding, Transfer, Wallet, called};
use crate::ethereum::transaction::{Kind, Market, Transaction};
use crate::manifest::{Asset, Standard};
use crate::ops::Kind as Of;
use crate::policy::{AssetId, Denial, shown};
use crate::text::hex;
use alloy_primitives::{Address, U256};
use serde_json::json;
use std::collections::HashSet;

/// Most transactions for one asset.
const MOST: usize = 64;
/// What whoever makes the block is paid for a unit of gas, at most, where the node suggests nothing: 1 gwei.
const PRIORITY: u64 = 1_000_000_000;
/// What a transfer to an account costs.
const PLAIN: u64 = 21_000;
/// `balanceOf(address)` and `transfer(address,uint256)` of ERC-20.
const BALANCE_OF: [u8; 4] = [0x70, 0xa0, 0x82, 0x31];
const TRANSFER: [u8; 4] = [0xa9, 0x05, 0x9c, 0xbb];

/// Why some of an asset stays.
const LIMITED: &str = "its limits leave no more now; they slide, so sweep again later";

/// What is known of the wallet while its transfers are planned.
struct Planner<'a> {
    wallet: &'a Wallet,
    node: &'a Node,
    market: Market,
    nonce: u64,
    /// What is left of the chain's own asset: what the wallet has, and what limits allow.
    native: U256,
    allowed: U256,
    /// What the asset's transfers cost at most.
    fees: U256,
    transfers: Vec<Transfer>,
}

/// The holdings of a wallet, and the transfers of what can be sent.
pub(super) async fn plan(wallet: &Wallet, node: &Node) -> Result<(Vec<Holding>, Vec<Transfer>), Failed> {
    if wallet.policy().most_fee().is_none() {
        let name = &wallet.signer.granted.spec.name;
        let why =
            format!("the node of `--rpc` says what gas costs, and nothing bounds it: set `max_fee` in `[signers.{name}]` of the manifest");
        return Err(Failed::new(Of::Usage, why));
    }
    let native = own_asset(wallet)?;
    let balance = node.number("eth_getBalance", json!([wallet.own, "latest"])).await?;
    let nonce = node.number("eth_getTransactionCount", json!([wallet.own, "latest"])).await?;
    if node.number("eth_getTransactionCount", json!([wallet.own, "pending"])).await? != nonce {
        let why = "transactions of the wallet wait to be in a block, and what they send is still counted as its own; sweep when they are";
        return Err(Failed::new(Of::Secret, why));
    }
    let mut planner = Planner {
        market: market(node).await?,
        nonce: nonce.try_into().map_err(|_| Failed::new(Of::Secret, "the node names a nonce beyond 64 bits"))?,
        native: balance,
        allowed: left(wallet, &native).await?,
        fees: U256::ZERO,
        wallet,
        node,
        transfers: Vec::new(),
    };
    let mut holdings = Vec::new();
    for asset in tokens(wallet) {
        let holding = planner.token(&asset).await?;
        holdings.push(planner.with_fee(holding, &native));
    }
    let holding = planner.native(&native, balance).await?;
    holdings.push(planner.with_fee(holding, &native));
    Ok((holdings, planner.transfers))
}

impl Planner<'_> {
    /// Plans the transfer of a token.
    async fn token(&mut self, asset: &Asset) -> Result<Holding, Failed> {
        let contract = asset.address.ok_or_else(|| Failed::new(Of::Usage, format!("{} has no contract", asset.symbol)))?;
        let answer = called(self.node, contract, &call(&BALANCE_OF, &[word(self.wallet.own)])).await?;
        let no_balance =
            || Failed::new(Of::Secret, format!("{contract} answers no balance of {}; check `[[signing.assets]]`", asset.symbol));
        let balance = answer.as_str().and_then(hexadecimal).ok_or_else(no_balance)?;
        let allowed = left(self.wallet, asset).await?;
        let amount = balance.min(allowed);
        if amount.is_zero() {
            let stays = (!balance.is_zero()).then(|| LIMITED.to_owned());
            return Ok(holding(asset, balance, U256::ZERO, 0, stays));
        }
        let input = call(&TRANSFER, &[word(self.wallet.to), amount.to_be_bytes()]);
        let gas = match self.gas(contract, U256::ZERO, &input).await {
            Ok(gas) => gas,
            Err(why) => return Ok(holding(asset, balance, U256::ZERO, 0, Some(why.message))),
        };
        let transaction = self.transaction(gas, contract, U256::ZERO, input);
        match self.take(transaction, U256::ZERO, shown(amount, asset)) {
            Ok(()) => Ok(holding(asset, balance, amount, 1, (amount < balance).then(|| LIMITED.to_owned()))),
            Err(why) => Ok(holding(asset, balance, U256::ZERO, 0, Some(why))),
        }
    }

    /// Plans the transfers of the chain's own asset, each of as much as one may have.
    async fn native(&mut self, asset: &Asset, balance: U256) -> Result<Holding, Failed> {
        if balance.is_zero() {
            return Ok(holding(asset, balance, U256::ZERO, 0, None));
        }
        let gas = match self.gas(self.wallet.to, U256::from(1), &[]).await {
            Ok(gas) => gas,
            Err(why) => return Ok(holding(asset, balance, U256::ZERO, 0, Some(why.message))),
        };
        let (mut sent, mut count, mut refused) = (U256::ZERO, 0, None);
        while count < MOST {
            let fee = self.fee(gas);
            let most = self.native.saturating_sub(fee).min(self.allowed.saturating_sub(fee));
            let amount = self.wallet.policy().most_value().map_or(most, |value| most.min(value));
            if amount.is_zero() {
                break;
            }
            let transaction = self.transaction(gas, self.wallet.to, amount, Vec::new());
            if let Err(why) = self.take(transaction, amount, shown(amount, asset)) {
                refused = Some(why);
                break;
            }
            (sent, count) = (sent + amount, count + 1);
        }
        let more = if self.native > self.fee(gas) { LIMITED } else { "the rest is kept for the gas" };
        Ok(holding(asset, balance, sent, count, Some(refused.unwrap_or_else(|| more.to_owned()))))
    }

    /// Adds a transfer, where the policy has it.
    fn take(&mut self, transaction: Transaction, value: U256, amount: String) -> Result<(), String> {
        let spent = self.fee(transaction.gas).saturating_add(value);
        if spent > self.native {
            return Err("the wallet has too little of the chain's own asset to pay for the gas".to_owned());
        }
        let permit = self.wallet.policy().transaction(self.wallet.own, transaction.clone());
        permit.map_err(|denial: Denial| denial.to_string())?;
        if spent > self.allowed {
            return Err(LIMITED.to_owned());
        }
        self.native -= spent;
        self.allowed -= spent;
        self.fees = self.fees.saturating_add(spent - value);
        self.nonce += 1;
        self.transfers.push(Transfer { amount, transaction });
        Ok(())
    }

    /// Says what the transfers since the last asset cost.
    fn with_fee(&mut self, holding: Holding, native: &Asset) -> Holding {
        Holding { fee: shown(std::mem::take(&mut self.fees), native), ..holding }
    }

    fn transaction(&self, gas: u64, to: Address, value: U256, input: Vec<u8>) -> Transaction {
        let kind = Kind::DynamicFee { market: self.market, access: Vec::new() };
        Transaction { chain: self.wallet.chain, nonce: self.nonce, gas, to: Some(to), value, input, kind }
    }

    /// What a transaction costs at most, beside its value.
    fn fee(&self, gas: u64) -> U256 {
        let surcharge = self.wallet.policy().surcharge(self.wallet.chain);
        self.market.max.saturating_mul(U256::from(gas)).saturating_add(surcharge)
    }

    async fn gas(&self, to: Address, value: U256, input: &[u8]) -> Result<u64, Failed> {
        let call = json!({"from": self.wallet.own, "to": to, "value": format!("{value:#x}"), "data": format!("0x{}", hex(input))});
        let gas = self.node.number("eth_estimateGas", json!([call])).await?;
        let gas: u64 = gas.try_into().map_err(|_| Failed::new(Of::Secret, "the node estimates gas beyond 64 bits"))?;
        // What a contract stores may cost more when it is mined.
        Ok(if gas == PLAIN { gas } else { gas.saturating_add(gas / 4) })
    }
}

/// The price of gas: twice what the last block has paid, which six full blocks in a row don't exceed (EIP-1559).
async fn market(node: &Node) -> Result<Market, Failed> {
    let block = node.call("eth_getBlockByNumber", json!(["latest", false])).await?;
    let base = block["baseFeePerGas"].as_str().and_then(hexadecimal);
    let base = base.ok_or_else(|| Failed::new(Of::Secret, "the node's chain has no market for gas (EIP-1559)"))?;
    let priority = node.number("eth_maxPriorityFeePerGas", json!([])).await.unwrap_or_else(|_| U256::from(PRIORITY).min(base));
    Ok(Market { max: base.saturating_mul(U256::from(2)).saturating_add(priority), priority })
}

/// What the agent's limits and the key's leave of an asset; nothing where no limit names it.
async fn left(wallet: &Wallet, asset: &Asset) -> Result<U256, Failed> {
    let id = AssetId::new(asset.chain, asset.address);
    let left = crate::signing::left_of(&wallet.signing, &wallet.signer, id).await;
    left.map_err(|why| Failed::new(Of::State, why))
}

fn own_asset(wallet: &Wallet) -> Result<Asset, Failed> {
    let asset = wallet.policy().config().asset(wallet.chain, None);
    asset.ok_or_else(|| Failed::new(Of::Usage, format!("the host does not know what chain {} pays its fees in", wallet.chain)))
}

/// The tokens of amounts that a limit names.
fn tokens(wallet: &Wallet) -> Vec<Asset> {
    let named = wallet.policy().limits().iter().map(|limit| limit.asset).filter(|id| id.chain == wallet.chain && id.contract.is_some());
    let mut seen = HashSet::new();
    let assets = named.filter(|id| seen.insert(*id)).filter_map(|id| wallet.policy().config().asset(id.chain, id.contract));
    assets.filter(|asset| asset.standard == Standard::Fungible).collect()
}

fn holding(asset: &Asset, balance: U256, sends: U256, transactions: usize, stays: Option<String>) -> Holding {
    Holding {
        asset: asset.symbol.clone(),
        balance: shown(balance, asset),
        sends: shown(sends, asset),
        transactions,
        fee: String::new(),
        stays,
    }
}

/// An address as an argument of a call.
fn word(address: Address) -> [u8; 32] {
    address.into_word().0
}

fn call(selector: &[u8; 4], arguments: &[[u8; 32]]) -> Vec<u8> {
    [&selector[..], &arguments.concat()].concat()
}
