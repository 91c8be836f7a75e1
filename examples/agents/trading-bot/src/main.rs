//! Reads a price and places an order, with a key that it never holds. Written on the guest SDK.

use strongroom_guest::{Error, Secret, http, log};

fn main() {
    let pair = std::env::var("PAIR").unwrap_or_else(|_| "ETH-USD".into());
    if let Err(error) = trade("https://api.purpleflea.com", &pair) {
        log::error("the trade failed", &[("why", &error.to_string())]);
        std::process::exit(1);
    }
}

fn trade(api: &str, pair: &str) -> Result<(), Error> {
    let key = Secret::open("PURPLEFLEA_API_KEY")?;
    println!("my key is {}", key.placeholder());
    let price = http::get(format!("{api}/v1/price?pair={pair}")).bearer(&key).send()?.text()?;
    log::info("price read", &[("pair", pair), ("answer", &price)]);

    let order = serde_json::json!({ "pair": pair, "side": "buy", "amount": "0.1" }).to_string();
    let answer = http::post(format!("{api}/v1/orders")).bearer(&key).json(order).send()?;
    let status = answer.status();
    let receipt = answer.text()?;
    println!("order answered {status}: {receipt}");
    log::info("order placed", &[("fingerprint", &key.fingerprint())]);
    if status == 201 { Ok(()) } else { Err(Error::Failed(format!("status {status}"))) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use strongroom_guest::testing::MockHost;

    #[test]
    fn an_order_follows_the_price_and_both_carry_the_placeholder() {
        let mock = MockHost::new()
            .secret("PURPLEFLEA_API_KEY")
            .answer("GET", "https://api/v1/price?pair=ETH-USD", 200, r#"{"price":"3120.50"}"#)
            .answer("POST", "https://api/v1/orders", 201, "{}");

        mock.enter(|| trade("https://api", "ETH-USD")).expect("the trade goes through");

        let requests = mock.requests();
        assert_eq!(requests.len(), 2);
        assert!(requests.iter().all(|sent| sent.header("authorization") == Some("Bearer placeholder-of-PURPLEFLEA_API_KEY")));
    }

    #[test]
    fn without_the_grant_nothing_is_sent() {
        let mock = MockHost::new();

        let error = mock.enter(|| trade("https://api", "ETH-USD")).expect_err("no grant");

        assert_eq!(error, Error::Unavailable("PURPLEFLEA_API_KEY".into()));
        assert!(mock.requests().is_empty());
    }
}
