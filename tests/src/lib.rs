//! The end-to-end tests' hand: a [`Room`] with a guest inside, a server outside, and everything that either saw.

pub mod arrows;
pub mod bed;
pub mod corpus;
pub mod cuts;
pub mod echo;
pub mod figures;
pub mod heap;
pub mod house;
pub mod issuer;
mod room;
pub mod services;
pub mod surface;
pub mod treasury;

pub use room::{KEY, Ran, Room, VALUE, block_on, requests_of};
