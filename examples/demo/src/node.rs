//! A node of a chain, as far as a payment goes: it counts, and takes what is signed. There is no chain behind it.

use crate::keys::{bytes, hex};
use crate::server::{Response, Seen, respond};
use serde_json::{Value, json};
use std::sync::{Mutex, PoisonError};
use strongroom::alloy_primitives::{Address, U256, keccak256};
use strongroom::k256::ecdsa::{RecoveryId, Signature, VerifyingKey};
use strongroom_ethereum::rlp::{Item, Malformed};
use strongroom_ethereum::signature::{Recoverable, address_of};
use strongroom_ethereum::transaction::{Kind, Market, Transaction};

/// A signed transaction, decoded.
#[derive(Debug, Clone)]
pub struct Payment {
    /// The bytes that came.
    pub raw: Vec<u8>,
    /// What they say.
    pub transaction: Transaction,
    /// Whose key has signed them.
    pub sender: Address,
}

/// A node.
#[derive(Default)]
pub struct Node(Mutex<Vec<Payment>>);

impl Payment {
    /// Reads the bytes that a node takes, of a transaction of EIP-1559.
    ///
    /// # Errors
    /// Where they are none in its one form, or nobody has signed it.
    pub fn read(raw: &[u8]) -> Result<Self, Malformed> {
        let [2, list @ ..] = raw else { return Err(Malformed("not a transaction of EIP-1559")) };
        let list = Item::read(list)?;
        let [chain, nonce, priority, max, gas, to, value, input, access, odd, r, s] = list.list()? else {
            return Err(Malformed("a signed transaction of EIP-1559 has not twelve fields"));
        };
        if !access.list()?.is_empty() {
            return Err(Malformed("a payment has an access list"));
        }
        let kind = Kind::DynamicFee { market: Market { max: max.number()?, priority: priority.number()? }, access: Vec::new() };
        let transaction = Transaction {
            chain: chain.small()?,
            nonce: nonce.small()?,
            gas: gas.small()?,
            to: Some(to.address()?),
            value: value.number()?,
            input: input.bytes()?.to_vec(),
            kind,
        };
        transaction.check()?;
        let odd = odd.small()? == 1;
        let [r, s] = [r.number()?.to_be_bytes::<32>(), s.number()?.to_be_bytes::<32>()];
        let unsigned = |_| Malformed("nobody has signed it");
        let signature = Signature::from_scalars(r, s).map_err(unsigned)?;
        let hash = transaction.signing_hash();
        let key = VerifyingKey::recover_from_prehash(hash.as_slice(), &signature, RecoveryId::new(odd, false)).map_err(unsigned)?;
        match transaction.signed(&Recoverable { r, s, odd }) == raw {
            true => Ok(Self { raw: raw.to_vec(), transaction, sender: address_of(&key) }),
            false => Err(Malformed("it is not in its one form")),
        }
    }

    /// Who gets it.
    #[must_use]
    pub fn to(&self) -> String {
        self.transaction.to.map(|to| to.to_string()).unwrap_or_default()
    }

    /// How much, in wei.
    #[must_use]
    pub fn amount(&self) -> U256 {
        self.transaction.value
    }
}

impl Node {
    /// What it has taken, in order.
    #[must_use]
    pub fn taken(&self) -> Vec<Payment> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Answers one request (<https://ethereum.github.io/execution-apis>).
    #[must_use]
    pub fn handle(&self, seen: &Seen) -> Response {
        let request: Value = serde_json::from_slice(&seen.body).unwrap_or_default();
        let result = match request["method"].as_str() {
            Some("eth_getTransactionCount") => Ok(format!("{:#x}", self.taken().len())),
            Some("eth_sendRawTransaction") => self.take(request["params"][0].as_str().unwrap_or_default()),
            _ => Err("no such method".to_owned()),
        };
        let mut answer = json!({"jsonrpc": "2.0", "id": request["id"]});
        match result {
            Ok(result) => answer["result"] = result.into(),
            Err(message) => answer["error"] = json!({"code": -32000, "message": message}),
        }
        respond(200, "application/json", answer.to_string())
    }

    fn take(&self, raw: &str) -> Result<String, String> {
        let payment = Payment::read(&bytes(raw.trim_start_matches("0x"))).map_err(|error| error.to_string())?;
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if payment.transaction.nonce != taken.len() as u64 {
            return Err(format!("the next nonce is {}", taken.len()));
        }
        let hash = keccak256(&payment.raw);
        taken.push(payment);
        Ok(format!("0x{}", hex(hash.as_slice())))
    }
}
