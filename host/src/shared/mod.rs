//! What hosts that act as one have to share. A single host needs none of it: each has an embedded default, which is as fast as if there
//! were no choice.
//!
//! | trait | what it keeps | the embedded default |
//! | --- | --- | --- |
//! | [`Ledger`] | what signatures have spent | a file that one host locks, synced before a signature leaves |
//! | [`Rates`] | how often grants and signers were used | counters in memory |
//! | [`Nonces`] | the numbers that were given out for a key | a mark in the state directory, which processes share |
//! | [`Tickets`] | what waits for somebody's decision | a bounded list in memory |
//!
//! An implementation is part of what is trusted: a ledger that forgets lets agents spend twice. It never sees a secret or a key; a ledger sees
//! signatures before they are used.
//!
//! All of them fail closed. An error, or silence for 10 seconds, counts as a refusal: nothing leaves, and what may have been spent
//! counts as spent.

mod claim;
mod error;
mod high_water;
mod ledger;
mod nonces;
mod patience;
mod rates;
mod tickets;
mod waiting;

pub use crate::policy::{AssetId, Limit, Sums};
pub use claim::{Ceiling, Claim, Note, Refused, Reuse, Window};
pub use error::SharedError;
pub(crate) use high_water::HighWater;
pub use ledger::{Ledger, Reservation, Reserved, Standing};
pub use nonces::Nonces;
pub(crate) use patience::within;
pub(crate) use rates::SharedRates;
pub use rates::{Rates, Taken, Use};
pub use tickets::{Tickets, Waiting};
pub(crate) use waiting::WaitingList;
