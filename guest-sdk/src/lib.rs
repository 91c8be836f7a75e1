//! For agents that run in Strongroom.
//!
//! An agent opens a secret by name and says where in a request it belongs; the host puts the value there as the request leaves.
//! The agent never holds the value.
//!
//! ```
//! use strongroom_guest::{Error, Secret, http, log};
//!
//! fn run() -> Result<(), Error> {
//!     let key = Secret::open("PURPLEFLEA_API_KEY")?;
//!     let price = http::get("https://api.purpleflea.com/v1/price?pair=ETH-USD").bearer(&key).send()?.text()?;
//!     log::info("price read", &[("pair", "ETH-USD"), ("price", &price)]);
//!     Ok(())
//! }
//! # use strongroom_guest::testing::MockHost;
//! # MockHost::new().secret("PURPLEFLEA_API_KEY").answer("GET", "https://api.purpleflea.com/v1/price?pair=ETH-USD", 200, "1").enter(run).unwrap();
//! ```
//!
//! # On your own machine
//! Outside WebAssembly the same calls go to a [`testing::MockHost`], so that an agent's logic is tested with `cargo test`, without a host.

#![deny(unsafe_code)]

#[cfg(target_family = "wasm")]
#[rustfmt::skip]
#[allow(missing_docs, unsafe_code, reason = "generated; the WIT is the documentation")]
mod bindings;
mod error;
pub mod http;
pub mod log;
mod secret;
mod signer;
pub mod state;
#[cfg(not(target_family = "wasm"))]
pub mod testing;

#[cfg(not(target_family = "wasm"))]
use testing as sys;
#[cfg(target_family = "wasm")]
#[path = "wasi.rs"]
mod sys;

pub use error::Error;
pub use secret::Secret;
pub use signer::{Access, Authorization, Fee, Signed, Signer, Transaction};
