//! Randomness from the operating system.

use std::io;
use zeroize::Zeroizing;

/// 32 bytes that nobody else has, wiped when dropped.
///
/// # Errors
/// Where the system gives none.
pub fn key() -> io::Result<Zeroizing<[u8; 32]>> {
    let mut key = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *key).map_err(io::Error::other)?;
    Ok(key)
}
