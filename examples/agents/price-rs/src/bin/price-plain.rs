//! The same without the SDK, with an environment variable and an HTTP client over `wasi:http`. Knows nothing of Strongroom.

use wstd::http::{Body, Client, Request};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    wstd::runtime::block_on(price())
}

async fn price() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "https://api.example.com/v1/price".into());
    let key = std::env::var("PRICE_API_KEY")?;
    println!("my key is {key}");
    let request = Request::get(url).header("authorization", format!("Bearer {key}")).body(Body::empty())?;
    let mut response = Client::new().send(request).await?;
    println!("{} {}", response.status().as_u16(), response.body_mut().str_contents().await?);
    Ok(())
}
