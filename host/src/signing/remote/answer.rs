//! What a service answers, read strictly: one form of each thing, and nothing beside it. No text of the service is passed on.

use crate::ethereum::quantity;
use crate::ethereum::rlp::Malformed;
use crate::ethereum::signature::Recoverable;
use crate::ethereum::transaction::Transaction;
use crate::json;
use alloy_primitives::Address;
use serde_json::value::RawValue;

/// A response of JSON-RPC 2.0.
pub(super) enum Response {
    Result(Box<RawValue>),
    /// The number of an error.
    Error(i64),
}

/// Reads the response to the request of that number.
pub(super) fn response(body: &[u8], id: u64) -> Result<Response, &'static str> {
    const NONE: &str = "the answer is not a response of JSON-RPC 2.0; check `url`";
    let whole: &RawValue = serde_json::from_slice(body).map_err(|_| NONE)?;
    let members = json::members(whole).ok_or(NONE)?;
    let (mut version, mut answered, mut result, mut error) = (None, None, None, None);
    for (name, value) in members {
        let place = match name.as_str() {
            "jsonrpc" => &mut version,
            "id" => &mut answered,
            "result" => &mut result,
            "error" => &mut error,
            _ => return Err("the answer has a member that JSON-RPC 2.0 does not know"),
        };
        if place.replace(value).is_some() {
            return Err("the answer has a member twice");
        }
    }
    if version.map(RawValue::get) != Some("\"2.0\"") {
        return Err(NONE);
    }
    let answered = answered.map(RawValue::get);
    match (result, error) {
        (Some(result), None) if answered == Some(&id.to_string()) => Ok(Response::Result(result.to_owned())),
        // What can't be read has no number (JSON-RPC 2.0, 5).
        (None, Some(error)) if answered == Some(&id.to_string()) || answered == Some("null") => {
            let code = json::member(error, "code").and_then(|code| code.get().parse().ok()).ok_or(NONE)?;
            Ok(Response::Error(code))
        }
        (Some(_), None) | (None, Some(_)) => Err("the answer is to another request"),
        _ => Err("the answer has not exactly one of `result` and `error`"),
    }
}

/// The signature of a signed transaction, which is the permitted one in every field. The result is the bytes, or an object with them in `raw`
/// and with the fields in `tx`, which say nothing more.
pub(super) fn transaction(result: &RawValue, permitted: &Transaction) -> Result<Recoverable, String> {
    let raw = match json::members(result) {
        None => bytes(result),
        Some(members) => match members.as_slice() {
            [(raw, bytes_of), (tx, _)] | [(tx, _), (raw, bytes_of)] if raw == "raw" && tx == "tx" => bytes(bytes_of),
            _ => None,
        },
    };
    let raw = raw.ok_or("the result is not a signed transaction as 0x and hexadecimal digits, nor an object of `raw` and `tx`")?;
    let (signed, signature) =
        Transaction::read_signed(&raw).map_err(|Malformed(why)| format!("the result is not a signed transaction: {why}"))?;
    match permitted.difference(&signed) {
        None => Ok(signature),
        Some(field) => Err(format!(
            "it has signed another transaction than it was asked for, with another `{field}`; see to which chain and kinds the service is set, \
             and whether it can be trusted"
        )),
    }
}

/// The signature of a document or a message.
pub(super) fn signature(result: &RawValue) -> Result<Recoverable, String> {
    let signature = bytes(result).as_deref().and_then(Recoverable::read);
    signature
        .ok_or_else(|| "the result is not a signature of 65 bytes, as 0x and hexadecimal digits, with `s` in the lower half".to_owned())
}

/// The accounts whose keys the service has.
pub(super) fn accounts(result: &RawValue) -> Result<Vec<Address>, String> {
    let address = |item: &RawValue| quantity::address(&text(item)?);
    let accounts = json::elements(result).and_then(|items| items.into_iter().map(address).collect());
    accounts.ok_or_else(|| "the result of `eth_accounts` is not a list of addresses; check `url`".to_owned())
}

fn bytes(value: &RawValue) -> Option<Vec<u8>> {
    quantity::bytes(&text(value)?)
}

fn text(value: &RawValue) -> Option<String> {
    serde_json::from_str(value.get()).ok()
}
