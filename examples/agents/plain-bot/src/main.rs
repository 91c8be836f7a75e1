//! The same job without our SDK, for as long as somebody bids for more: an environment variable and an ordinary HTTP client over
//! `wasi:http`. Knows nothing of Strongroom.

use wstd::http::{Body, Client, Method, Request};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    wstd::runtime::block_on(trade())
}

async fn trade() -> Result<(), Box<dyn std::error::Error>> {
    let key = std::env::var("PURPLEFLEA_API_KEY")?;
    if !key.starts_with("pf_live_") || key.len() != 40 {
        return Err("PURPLEFLEA_API_KEY is not a Purple Flea key".into());
    }
    println!("my key is {key}");
    let bearer = format!("Bearer {key}");
    while sell(&bearer).await? {}
    Ok(())
}

/// Sells once; whether somebody bids for more.
async fn sell(bearer: &str) -> Result<bool, Box<dyn std::error::Error>> {
    let api = "https://api.purpleflea.com";
    let request = Request::get(format!("{api}/v1/price?pair=ETH-USD")).header("authorization", bearer).body(Body::empty())?;
    let mut answer = Client::new().send(request).await?;
    println!("price: {}", answer.body_mut().str_contents().await?);

    let order = r#"{"pair":"ETH-USD","side":"sell","amount":"0.05"}"#;
    let request = Request::builder()
        .method(Method::POST)
        .uri(format!("{api}/v1/orders"))
        .header("authorization", bearer)
        .header("content-type", "application/json")
        .body(Body::from(order))?;
    let mut answer = Client::new().send(request).await?;
    let status = answer.status();
    let receipt = answer.body_mut().str_contents().await?;
    println!("order answered {status}: {receipt}");
    if status.as_u16() == 201 { Ok(receipt.contains("\"more_bids\":true")) } else { Err(format!("status {status}").into()) }
}
