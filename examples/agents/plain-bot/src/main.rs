//! The same job without our SDK: an environment variable and an ordinary HTTP client over `wasi:http`. Knows nothing of Strongroom.

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
    let api = "https://api.purpleflea.com";
    let bearer = format!("Bearer {key}");

    let request = Request::get(format!("{api}/v1/price?pair=ETH-USD")).header("authorization", &bearer).body(Body::empty())?;
    let mut answer = Client::new().send(request).await?;
    println!("price: {}", answer.body_mut().str_contents().await?);

    let order = r#"{"pair":"ETH-USD","side":"sell","amount":"0.05"}"#;
    let request = Request::builder()
        .method(Method::POST)
        .uri(format!("{api}/v1/orders"))
        .header("authorization", &bearer)
        .header("content-type", "application/json")
        .body(Body::from(order))?;
    let mut answer = Client::new().send(request).await?;
    let status = answer.status();
    println!("order answered {status}: {}", answer.body_mut().str_contents().await?);
    if status.as_u16() == 201 { Ok(()) } else { Err(format!("status {status}").into()) }
}
