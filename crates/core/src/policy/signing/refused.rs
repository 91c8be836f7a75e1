//! Denials of signatures for which no document has to be read.

use crate::policy::denial::{Denial, Rule, set};

/// What the agent is told where the rates can't be asked that hosts share.
pub(in crate::policy) const RATES_SILENT: &str = "the rates are not available at the moment";

/// What to do where hosts share something, and it can't be asked.
pub(in crate::policy) fn silent(what: &str, why: &str) -> String {
    format!("the {what} that this host shares with others can't be asked: {why}; nothing leaves before it answers")
}

fn of(rule: Rule, asked: impl Into<String>, reason: impl Into<String>, remedy: impl Into<String>) -> Denial {
    Denial { rule, asked: asked.into(), reason: reason.into(), remedy: remedy.into(), stop: false }
}

/// What is to be signed can't be read.
pub fn undecodable(what: &str, why: impl ToString) -> Denial {
    of(Rule::Undecodable, what, why.to_string(), "")
}

/// The key is there for something else.
pub fn wrong_use(purpose: &str, what: &str) -> Denial {
    let reason = format!("the signer's one purpose is `{purpose}`");
    of(Rule::Kind, what, reason, "one key, one purpose: declare another signer with another key")
}

/// More signatures than the signer's rate.
pub fn over_rate(signer: &str) -> Denial {
    let remedy = set("rate", "?", &format!("`[signers.{signer}]`"));
    of(Rule::Rate, format!("use the signer {signer}"), "more signatures than the granted rate", remedy)
}

/// The rates can't be asked that hosts share.
pub fn rates_silent(signer: &str, why: &str) -> Denial {
    of(Rule::Rate, format!("use the signer {signer}"), RATES_SILENT, silent("rates", why))
}

/// What the agent is told where the ledger does not sign, whatever is the matter with it.
const LEDGER_AWAY: &str = "the ledger is not available at the moment";

/// The ledger can't be asked that hosts share.
pub fn ledger_silent(why: &str) -> Denial {
    of(Rule::Ledger, "sign by the ledger", LEDGER_AWAY, silent("ledger", why))
}

/// The ledger does not sign, and no confirmation changes that: it can't be opened or read, or keeps the key for something else. `why` says what
/// to do, too.
pub fn ledger_stuck(why: &str) -> Denial {
    of(Rule::Ledger, "sign by the ledger", LEDGER_AWAY, why)
}

/// More than all agents together may spend from a key in this process.
pub fn over_ceiling(ceiling: &str) -> Denial {
    let remedy = format!("`signing.hot_limit` allows all agents together {ceiling} in a day; keep the key in an HSM, a KMS or by MPC");
    of(Rule::Spend, "spend from a key in this process", "more than may be spent", remedy)
}

/// An idempotency key that stood for something else.
pub fn idempotency(why: &str) -> Denial {
    of(Rule::Idempotency, "sign under an idempotency key", why, "the agent takes a new key for each thing it signs")
}

/// The ledger does not sign before the operator has confirmed it.
pub fn ledger(why: &str) -> Denial {
    let remedy = format!(
        "{why}; if the ledger is the latest there is, or what was spent before does not matter: `strongroom limits confirm AGENT.toml`"
    );
    of(Rule::Ledger, "sign by the ledger", "the ledger needs the operator's confirmation", remedy)
}
