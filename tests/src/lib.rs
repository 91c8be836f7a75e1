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

/// A guest of the tests that differs from others by a section that nobody reads: another component, of the same code.
#[must_use]
pub fn variant(guest: &str, number: u64) -> Vec<u8> {
    let name = format!("variant-{number:08}");
    let length = u8::try_from(name.len()).expect("a short name");
    // A custom section: its kind, its length, the length of its name, its name.
    [&strongroom_components::bytes(guest), &[0, length + 1, length][..], name.as_bytes()].concat()
}

/// The records of an audit log that is being written: its last line may be there in part.
///
/// # Panics
/// Where a whole line is no record.
#[must_use]
pub fn records_so_far(log: &std::path::Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(log).expect("an audit log");
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(|line| serde_json::from_str(line).expect("a record")).collect()
}
