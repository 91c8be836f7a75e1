//! What Ethereum signs, decoded strictly. Pure functions over bytes and text: nothing here knows of keys, policy or the network.

pub mod abi;
pub mod message;
pub mod quantity;
pub mod rlp;
pub mod sign_in;
pub mod signature;
#[cfg(test)]
mod tests;
pub mod transaction;
pub mod typed_data;
pub mod value;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
