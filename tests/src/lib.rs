//! The end-to-end tests' hand: a [`AgentFixture`] with a guest inside, a server outside, and everything that either saw.

pub mod arrows;
pub mod aws;
pub mod corpus;
pub mod cuts;
pub mod echo;
pub mod figures;
pub mod fixtures;
pub mod heap;
pub mod issuer;
pub mod pages;
pub mod services;
pub mod surface;
pub mod token_endpoint;

pub use fixtures::agent::{AgentFixture, KEY, Ran, VALUE, block_on, requests_of, state_dir};

/// The documents' programs in Rust, compiled by `cargo test`. Those of other pages are parts of files (`file=`), which are compiled where
/// they lie.
#[cfg(doctest)]
mod documents {
    macro_rules! documents {
        ($($page:literal => $name:ident,)*) => { $(#[doc = include_str!($page)] mod $name {})* };
    }
    documents! {
        "../../README.md" => readme,
        "../../docs/embedding.md" => embedding,
        "../../docs/wallets.md" => wallets,
        "../../docs/scrubbing.md" => scrubbing,
    }
}
