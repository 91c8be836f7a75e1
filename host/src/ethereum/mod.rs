//! What Ethereum signs, decoded strictly. Pure functions over bytes and text: nothing here knows of keys, policy or the network.

pub(crate) mod abi;
pub(crate) mod message;
pub(crate) mod quantity;
pub(crate) mod rlp;
pub(crate) mod sign_in;
pub(crate) mod signature;
#[cfg(test)]
mod tests;
pub(crate) mod transaction;
pub(crate) mod typed_data;
pub(crate) mod value;
