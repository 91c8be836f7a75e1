//! What a service is asked for: what was permitted, as the methods of JSON-RPC take it. A digest has no method.

use crate::ethereum::transaction::{Kind, Transaction};
use crate::keys::SignRequest;
use crate::manifest::TypedDataMethod;
use crate::text::hex;
use alloy_primitives::{Address, U256};
use serde_json::{Map, Value, json};

/// What was permitted, of the kinds that there is a method for.
pub(super) enum Asked {
    Transaction(Box<Transaction>),
    /// EIP-712, in JSON.
    TypedData(String),
    /// EIP-191: the service puts the prefix before it.
    Message(Vec<u8>),
}

impl Asked {
    /// What is asked for, where there is a method for it.
    pub(super) fn of(request: &SignRequest<'_>) -> Option<Self> {
        if let Some(payload) = request.transaction() {
            let transaction = Transaction::read(&payload).ok()?;
            let known = matches!(transaction.kind, Kind::Legacy { .. } | Kind::AccessList { .. } | Kind::DynamicFee { .. });
            return known.then(|| Self::Transaction(Box::new(transaction)));
        }
        let typed = request.typed_data().map(Self::TypedData);
        typed.or_else(|| request.personal_message().map(|message| Self::Message(message.to_vec())))
    }

    /// The method and its parameters.
    pub(super) fn call(&self, account: Address, typed_data: TypedDataMethod) -> (&'static str, Value) {
        match self {
            Self::Transaction(transaction) => ("eth_signTransaction", json!([fields(transaction, account)])),
            // As text: web3signer has long taken nothing else, and nodes take both.
            Self::TypedData(document) => (typed_data.name(), json!([account, document])),
            Self::Message(message) => ("eth_sign", json!([account, format!("0x{}", hex(message))])),
        }
    }
}

/// A transaction as `eth_signTransaction` takes it (EIP-1474). Nothing is left for the service to fill in.
fn fields(transaction: &Transaction, account: Address) -> Value {
    let Transaction { chain, nonce, gas, to, value, input, kind } = transaction;
    let mut fields = Map::new();
    let mut set = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    set("from", json!(account));
    to.iter().for_each(|to| {
        set("to", json!(to));
    });
    set("chainId", quantity(U256::from(*chain)));
    set("nonce", quantity(U256::from(*nonce)));
    set("gas", quantity(U256::from(*gas)));
    set("value", quantity(*value));
    set("data", json!(format!("0x{}", hex(input))));
    let number = match kind {
        Kind::Legacy { price } => {
            set("gasPrice", quantity(*price));
            "0x0"
        }
        Kind::AccessList { price, .. } => {
            set("gasPrice", quantity(*price));
            "0x1"
        }
        Kind::DynamicFee { market, .. } | Kind::Blob { market, .. } | Kind::SetCode { market, .. } => {
            set("maxFeePerGas", quantity(market.max));
            set("maxPriorityFeePerGas", quantity(market.priority));
            "0x2"
        }
    };
    set("type", json!(number));
    if !matches!(kind, Kind::Legacy { .. }) {
        let entry = |(address, slots): &(Address, Vec<_>)| json!({ "address": address, "storageKeys": slots });
        set("accessList", transaction.access().iter().map(entry).collect());
    }
    Value::Object(fields)
}

/// A number as JSON-RPC writes it: `0x` and digits without leading zeros.
fn quantity(number: U256) -> Value {
    json!(format!("{number:#x}"))
}
