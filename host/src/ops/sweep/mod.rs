//! Sends what a wallet holds to another account, within its limits: what is left to do where one of the three parties of its key is lost.
//!
//! Each transfer is judged, reserved, signed and recorded as an agent's is. The node says how much there is, and what gas costs: what it says
//! wrongly costs no more than `max_fee` and the limits allow, and what is sent goes to the recipient alone.

mod node;
mod plan;

use super::{Failed, Kind};
use crate::ethereum::quantity;
use crate::ethereum::transaction::Transaction;
use crate::host::{Agent, Host};
use crate::policy::WalletPolicy;
use crate::signing::{self, Asked, Failure, Opened, Signing, Use};
use crate::text::hex;
use alloy_primitives::{Address, U256};
use node::Node;
use serde::Serialize;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often a node is asked whether a transaction is in a block.
const LOOK: Duration = Duration::from_secs(1);

/// What is to be swept, and where to.
#[derive(Clone)]
pub struct Wish {
    /// The signer of the manifest; none where it has one wallet.
    pub signer: Option<String>,
    /// The chain; none where the signer has one.
    pub chain: Option<u64>,
    /// The recipient (EIP-55).
    pub to: String,
    /// The address of a node of the chain, or `env:NAME` or `file:PATH` where that is kept.
    pub node: String,
    /// How long to wait until each transaction is in a block.
    pub patience: Duration,
}

/// What there is of one asset, and what can be sent of it.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Holding {
    /// Its symbol.
    pub asset: String,
    /// What the wallet has, with its symbol.
    pub balance: String,
    /// What is sent, likewise; nothing where it is refused.
    pub sends: String,
    /// In so many transactions.
    pub transactions: usize,
    /// What these cost at most, with the symbol of the chain's own asset.
    pub fee: String,
    /// Why the rest stays behind, or all of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stays: Option<String>,
}

/// A transaction that is in a block.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Sent {
    /// What it has sent, with its symbol.
    pub sent: String,
    /// Its hash.
    pub hash: String,
}

/// A sweep that is planned. Nothing is signed before [`Sweep::send`].
pub struct Sweep {
    wallet: Wallet,
    node: Node,
    patience: Duration,
    holdings: Vec<Holding>,
    transfers: Vec<Transfer>,
}

/// The wallet that is swept.
struct Wallet {
    signing: Arc<Signing>,
    signer: Arc<Opened>,
    journal: Arc<crate::audit::Journal>,
    own: Address,
    to: Address,
    chain: u64,
}

impl std::fmt::Debug for Wish {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { signer, chain, to, node: _, patience } = self;
        // The node's address may have a provider's key in it.
        let mut shown = f.debug_struct("Wish");
        shown.field("signer", signer).field("chain", chain).field("to", to).field("patience", patience).finish_non_exhaustive()
    }
}

/// One transaction.
struct Transfer {
    amount: String,
    transaction: Transaction,
}

impl Sweep {
    /// Looks what the wallet holds, and what its limits leave.
    ///
    /// # Errors
    /// [`Failed`]: of the command line, of the signer's key, of the ledger, or of the node.
    pub async fn plan(host: &Host, agent: &Agent, wish: &Wish) -> Result<Self, Failed> {
        let node = Node::new(&wish.node)?;
        let wallet = Wallet::of(host, agent, wish).await?;
        if node.number("eth_chainId", json!([])).await? != U256::from(wallet.chain) {
            return Err(Failed::usage(format!("the node of `--rpc` is of another chain than {}", wallet.chain)));
        }
        let (holdings, transfers) = plan::plan(&wallet, &node).await?;
        Ok(Self { wallet, node, patience: wish.patience, holdings, transfers })
    }

    /// The account that is swept (EIP-55).
    #[must_use]
    pub fn from(&self) -> String {
        self.wallet.own.to_string()
    }

    /// The recipient (EIP-55).
    #[must_use]
    pub fn to(&self) -> String {
        self.wallet.to.to_string()
    }

    /// The chain.
    #[must_use]
    pub fn chain(&self) -> u64 {
        self.wallet.chain
    }

    /// What there is, and what would be sent.
    #[must_use]
    pub fn holdings(&self) -> &[Holding] {
        &self.holdings
    }

    /// Signs and sends one transfer after the other, each when the one before it is in a block. `told` hears of each.
    ///
    /// # Errors
    /// [`Failed`] at the first that fails. What was told is sent.
    pub async fn send(self, mut told: impl FnMut(&Sent)) -> Result<(), Failed> {
        for transfer in &self.transfers {
            let raw = self.wallet.sign(transfer.transaction.clone()).await?;
            let hash = format!("0x{}", hex(&signing::transaction_hash(&raw)));
            let taken = self.node.call("eth_sendRawTransaction", json!([format!("0x{}", hex(&raw))])).await;
            // A node may have it and say otherwise: nothing else is signed before that is known.
            let why = taken.err().map(|error| error.message);
            self.mined(&hash, why).await.map_err(|error| Failed::new(error.kind, format!("{}: {}", transfer.amount, error.message)))?;
            told(&Sent { sent: transfer.amount.clone(), hash });
        }
        Ok(())
    }

    /// Waits until a transaction is in a block, and says whether it did what it should. `untaken` is why the node has not taken it, by its word.
    async fn mined(&self, hash: &str, untaken: Option<String>) -> Result<(), Failed> {
        let (began, mut last) = (Instant::now(), untaken);
        loop {
            match self
                .node
                .call("eth_getTransactionReceipt", json!([hash]))
                .await
                .map(|receipt| receipt["status"].as_str().map(|of| of == "0x1"))
            {
                Ok(Some(true)) => return Ok(()),
                Ok(Some(false)) => {
                    return Err(Failed::new(Kind::Secret, format!("{hash} is in a block and has failed: nothing was sent by it")));
                }
                Ok(None) => {}
                Err(error) => last = Some(error.message),
            }
            if began.elapsed() > self.patience {
                let why = last.map(|why| format!(" ({why})")).unwrap_or_default();
                let why = format!(
                    "signed as {hash}, and not in a block after {} s{why}; it counts as spent, and may still be sent: look for it before you sweep \
                     again",
                    self.patience.as_secs()
                );
                return Err(Failed::new(Kind::Secret, why));
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

impl Wallet {
    async fn of(host: &Host, agent: &Agent, wish: &Wish) -> Result<Self, Failed> {
        let to = quantity::address(&wish.to);
        let to = to.ok_or_else(|| Failed::usage("`--to` takes an address, `0x` and 40 hexadecimal digits (EIP-55)"))?;
        let opened = agent.signers().await.map_err(|error| Failed::new(Kind::Secret, error))?;
        let wallets: Vec<_> = opened.into_iter().filter(|signer| matches!(signer.granted.policy, Use::Wallet(_))).collect();
        let names: Vec<_> = wallets.iter().map(|wallet| wallet.granted.spec.name.clone()).collect();
        let named = |wallet: &Arc<Opened>| wish.signer.as_ref().is_none_or(|name| *name == wallet.granted.spec.name);
        let found: Vec<_> = wallets.into_iter().filter(named).collect();
        let [signer] = <[_; 1]>::try_from(found).map_err(|_| match names.is_empty() {
            true => Failed::usage("the manifest has no wallet"),
            false => Failed::usage(format!("name one of the manifest's wallets by `--signer`: {}", names.join(", "))),
        })?;
        let Use::Wallet(policy) = &signer.granted.policy else { return Err(Failed::usage("the manifest has no wallet")) };
        let chain = match (wish.chain, policy.chains()) {
            (None, [chain]) => *chain,
            (Some(chain), chains) if chains.contains(&chain) => chain,
            (_, chains) => {
                let chains: Vec<_> = chains.iter().map(u64::to_string).collect();
                return Err(Failed::usage(format!("name one of the wallet's chains by `--chain`: {}", chains.join(", "))));
            }
        };
        let own = signer.key.address().ok_or_else(|| Failed::usage("the signer's key has no account"))?;
        if own == to {
            return Err(Failed::usage("`--to` is the wallet itself"));
        }
        let journal = Arc::new(host.journal(&agent.manifest().name));
        Ok(Self { signing: Arc::clone(host.signing()), signer, journal, own, to, chain })
    }

    fn policy(&self) -> &WalletPolicy {
        match &self.signer.granted.policy {
            Use::Wallet(policy) => policy,
            _ => unreachable!("only a wallet is swept"),
        }
    }

    /// Signs a transaction by the way that an agent's goes.
    async fn sign(&self, transaction: Transaction) -> Result<Vec<u8>, Failed> {
        let denied = |denial: crate::policy::Denial| Failed::new(Kind::Usage, denial);
        let permit = self.policy().transaction(self.own, transaction).map_err(denied)?;
        let asked = Asked::of_operator(&self.signing, &self.signer, &self.journal);
        signing::sign(asked, permit).await.map_err(|failure| match failure {
            Failure::Denied(denial) => denied(denial),
            Failure::Unreachable(why) => Failed::new(Kind::Secret, format!("nothing was signed: {why}")),
            Failure::Unknown => Failed::new(
                Kind::Secret,
                "it is not known whether it was signed, and it counts as spent: `strongroom audit show --event signer-failed` says why",
            ),
            Failure::Pending => Failed::new(
                Kind::Secret,
                "the signer waits for somebody's decision, and what it would spend stays reserved; a sweep after that asks for another one",
            ),
            Failure::NoRecord => Failed::new(Kind::State, "the audit log can't be written; nothing was sent"),
            Failure::NoLedger(why) => Failed::new(Kind::State, format!("the ledger can't be written ({why}); nothing was sent")),
        })
    }
}

/// What a contract answers to a call.
async fn called(node: &Node, contract: Address, input: &[u8]) -> Result<Value, Failed> {
    node.call("eth_call", json!([{"to": contract, "data": format!("0x{}", hex(input))}, "latest"])).await
}
