//! Pays one invoice from a wallet whose key it never holds: asks a node for the nonce, has the transfer signed, and hands it to the node. Run
//! once more for the same invoice, it gets the same bytes while the nonce is the same, and nothing after: the idempotency key stands for one
//! payment.

use serde_json::{Value, json};
use strongroom_guest::{Error, Signer, Transaction, http, log};

/// What a unit of gas may cost, at most, and what of it goes to the block's proposer.
const MAX_FEE: &str = "20000000000";
const PRIORITY_FEE: &str = "1000000000";

fn main() {
    let var = |name: &str| std::env::var(name).unwrap_or_default();
    match pay(&var("RPC"), &var("TO"), &var("AMOUNT"), &var("INVOICE")) {
        Ok(hash) => println!("paid by {hash}"),
        Err(error) => {
            log::error("the payment failed", &[("why", &error.to_string())]);
            std::process::exit(1);
        }
    }
}

fn pay(rpc: &str, to: &str, amount: &str, invoice: &str) -> Result<String, Error> {
    let wallet = Signer::open("treasury")?;
    let nonce = call(rpc, "eth_getTransactionCount", json!([wallet.address(), "pending"]))?;
    let nonce = u64::from_str_radix(nonce.trim_start_matches("0x"), 16).map_err(|_| Error::Failed(format!("no nonce: {nonce}")))?;
    let transfer = Transaction::transfer(1, nonce, to, amount, MAX_FEE, PRIORITY_FEE);
    let signed = wallet.sign_transaction(&transfer, Some(invoice))?;
    let raw: String = signed.raw.iter().map(|byte| format!("{byte:02x}")).collect();
    call(rpc, "eth_sendRawTransaction", json!([format!("0x{raw}")]))
}

/// A call of a node (<https://ethereum.github.io/execution-apis>) whose result is a string.
fn call(rpc: &str, method: &str, params: Value) -> Result<String, Error> {
    let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string();
    let answer = http::post(rpc).json(request).send()?.text()?;
    let answer: Value = serde_json::from_str(&answer).unwrap_or_default();
    answer["result"].as_str().map(str::to_owned).ok_or_else(|| Error::Failed(format!("{method}: {}", answer["error"])))
}

#[cfg(test)]
mod tests {
    use super::*;
    use strongroom_guest::testing::MockHost;

    const RPC: &str = "https://rpc/";
    const TO: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";

    #[test]
    fn a_payment_is_signed_and_sent() {
        let mock = MockHost::new()
            .signer("treasury", "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266")
            .answer("POST", RPC, 200, r#"{"result":"0x7"}"#)
            .answer("POST", RPC, 200, r#"{"result":"0xabc"}"#);

        let hash = mock.enter(|| pay(RPC, TO, "5", "invoice-17"));

        assert_eq!(hash, Ok("0xabc".to_owned()));
        assert_eq!(mock.signatures(), [format!("treasury: transaction of 5 to {TO} on chain 1")]);
    }

    #[test]
    fn without_the_wallet_nothing_is_sent() {
        let mock = MockHost::new();

        assert_eq!(mock.enter(|| pay(RPC, TO, "5", "invoice-17")), Err(Error::Unavailable("treasury".into())));
        assert!(mock.requests().is_empty());
    }
}
