//! The end-to-end tests' hand: a [`AgentFixture`] with a guest inside, a server outside, and everything that either saw.

pub mod arrows;
pub mod corpus;
pub mod cuts;
pub mod echo;
pub mod figures;
pub mod fixtures;
pub mod heap;
pub mod issuer;
pub mod services;
pub mod surface;

pub use fixtures::agent::{AgentFixture, KEY, Ran, VALUE, block_on, requests_of};
