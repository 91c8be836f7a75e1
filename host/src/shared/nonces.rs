//! The numbers that hosts share: each used once.

use super::SharedError;
use async_trait::async_trait;

/// Gives out numbers, as APIs require in requests that are authenticated by an HMAC: each larger than the one before.
///
/// What an implementation owes: a number is larger than every one that was returned for its key before it was asked for, by whichever host and in
/// whatever run; it is at least 1, and at least what the host asks for. From when it is returned, this outlives every crash. Numbers may be left out,
/// as where a host ends; none comes twice.
///
/// Hosts wait 10 seconds for a number, and where there is none, leave out what it was for.
#[async_trait]
pub trait Nonces: Send + Sync {
    /// The next number for a key, which is known by any bytes that are not secret: its public half, its id, a hash of it. It is at least `least`:
    /// where other software has used the key before, with the time as its numbers, that is the time now, in whatever unit. It may lie ahead of
    /// that, by no more than a few minutes.
    ///
    /// # Errors
    /// [`SharedError`]. A number that was on its way is skipped.
    async fn next(&self, key: &[u8], least: u64) -> Result<u64, SharedError>;
}
