//! The second act: a payer that pays three invoices from a wallet whose key it never holds, and whose limit has room for two.

use crate::node::Payment;
use crate::stage::{Stage, manifest};
use anyhow::{Context, Result};
use serde_json::Value;
use strongroom::alloy_primitives::{U256, keccak256};
use strongroom::manifest::{Most, Purpose};

/// What it pays, one by one.
const INVOICES: [&str; 3] = ["invoice-17", "invoice-18", "invoice-19"];
/// How many of them the limit has room for.
const PAID: usize = 2;
/// In wei, each time: twice that and the fees is just within the limit of an hour.
const AMOUNT: u64 = 9_000_000_000_000_000;

/// What was paid.
pub struct Payments {
    /// The address of the wallet, by its key.
    pub wallet: String,
    /// The recipient that the manifest names.
    pub recipient: String,
    /// Most that may be spent in an hour, as the manifest has it.
    pub hour: String,
    /// Each try.
    pub tries: Vec<Try>,
    /// Denials, as the audit log has them.
    pub denials: Vec<Denied>,
    /// How many signatures the audit log has.
    pub signed: usize,
}

/// One run of the payer.
pub struct Try {
    /// The invoice.
    pub invoice: &'static str,
    /// How it ended.
    pub end: String,
    /// What it printed.
    pub printed: String,
    /// What the node has taken of it.
    pub taken: Vec<Payment>,
}

/// What a denial says to the operator.
#[derive(Debug, Clone)]
pub struct Denied {
    /// The rule.
    pub rule: String,
    /// What was found.
    pub reason: String,
    /// What would allow it.
    pub remedy: String,
}

pub(crate) async fn play(stage: &Stage) -> Result<Payments> {
    let (before, manifest) = (stage.audit()?.len(), manifest("payer")?);
    let Some(Purpose::Wallet(wallet)) = manifest.signers.first().map(|signer| &signer.purpose) else {
        anyhow::bail!("the payer has no wallet");
    };
    let (recipient, limit) = (wallet.recipients.first().context("no recipient")?, wallet.limits.first().context("no limit")?);
    let Some(Most::Amount(hour)) = &limit.hour else { anyhow::bail!("the payer's limit has no hour") };
    let (recipient, hour) = (recipient.address.to_string(), format!("{hour} {}", limit.asset));
    stage.load(manifest.clone())?.confirm_signers().await?;
    let mut tries = Vec::new();
    for invoice in INVOICES {
        let mut manifest = manifest.clone();
        manifest.env.retain(|(name, _)| name != "INVOICE" && name != "AMOUNT");
        manifest.env.extend([("INVOICE".to_owned(), invoice.to_owned()), ("AMOUNT".to_owned(), AMOUNT.to_string())]);
        let known = stage.internet.node.taken().len();
        let ran = stage.play(&stage.load(manifest)?).await?;
        let taken = stage.internet.node.taken().split_off(known);
        tries.push(Try { invoice, end: ran.end, printed: ran.printed, taken });
    }
    let records = stage.audit()?.split_off(before);
    let text = |record: &Value, key: &str| record[key].as_str().unwrap_or_default().to_owned();
    let denied = |record| Denied { rule: text(record, "rule"), reason: text(record, "reason"), remedy: text(record, "remedy") };
    Ok(Payments {
        wallet: stage.keys.address()?,
        recipient,
        hour,
        tries,
        denials: records.iter().filter(|record| record["event"] == "denial").map(denied).collect(),
        signed: records.iter().filter(|record| record["event"] == "signed").count(),
    })
}

impl Payments {
    /// Everything that is not as it must be.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for (number, payment) in self.tries.iter().enumerate() {
            let is_right = match (number < PAID, payment.taken.as_slice()) {
                (true, [taken]) => payment.end == "exit 0" && self.is_as_asked(number, payment, taken),
                (false, []) => payment.end == "exit 1",
                _ => false,
            };
            if !is_right {
                let sent = payment.taken.len();
                faults.push(format!("{} did not go as it must ({}, {sent} transactions sent)", payment.invoice, payment.end));
            }
        }
        if self.tries.len() != INVOICES.len() || self.signed != PAID {
            faults.push(format!("{} payments were signed, and not {PAID}", self.signed));
        }
        match self.denials.as_slice() {
            [denied] if denied.rule == "spend" && !denied.remedy.is_empty() => {}
            denials => faults.push(format!("the payer's denials are not the one by its limit: {denials:?}")),
        }
        faults
    }

    /// Whether the signed bytes say what was asked for, under the wallet's own key, and the payer knows them by their hash.
    fn is_as_asked(&self, number: usize, payment: &Try, taken: &Payment) -> bool {
        let told = format!("paid by {}", keccak256(&taken.raw));
        taken.transaction.chain == 1
            && taken.transaction.nonce == number as u64
            && taken.transaction.input.is_empty()
            && taken.amount() == U256::from(AMOUNT)
            && taken.to() == self.recipient
            && taken.sender.to_string() == self.wallet
            && payment.printed.contains(&told)
    }
}
