//! Asks an API for a price, with a key that it never holds. Written on the SDK.

use strongroom_guest::{Error, Secret, http};

fn main() -> Result<(), Error> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "https://api.example.com/v1/price".into());
    let key = Secret::open("PRICE_API_KEY")?;
    println!("my key is {}", key.placeholder());
    let response = http::get(url).bearer(&key).send()?;
    println!("{} {}", response.status(), response.text()?);
    Ok(())
}
