//! Keys and values that an agent keeps over its runs, where its manifest has a table `[state]`. What is written is on the disk when the call
//! returns.
//!
//! A key has 1 to 256 bytes of text without control characters, a value at most 1 MiB; the manifest bounds them together. What looks like a
//! secret is refused ([`Error::Denied`], by the rule `leak`). Keep placeholders of secrets as they are: the next run reads its own in their
//! place.
//!
//! ```
//! use strongroom_guest::{Error, state};
//!
//! fn run() -> Result<(), Error> {
//!     let number = state::increment("runs", 1)?;
//!     let last = state::get("last-seen")?;
//!     state::set("last-seen", "block 19234567")?;
//!     println!("run {number}, after {last:?}");
//!     Ok(())
//! }
//! # use strongroom_guest::testing::MockHost;
//! # MockHost::new().state().enter(run).unwrap();
//! ```

use crate::{Error, sys};

/// The value of a key, if it has one.
///
/// # Errors
/// [`Error::Unavailable`] where the manifest has no `[state]`; [`Error::Denied`] where the host can't read it.
pub fn get(key: &str) -> Result<Option<Vec<u8>>, Error> {
    sys::state_get(key)
}

/// Keeps a value under a key, in the place of the one that it has.
///
/// # Errors
/// [`Error::Denied`] where there is no room, or it looks like a secret; [`Error::State`] where key or value is invalid; as [`get`].
pub fn set(key: &str, value: impl AsRef<[u8]>) -> Result<(), Error> {
    set_all([(key, value)])
}

/// Keeps several values, all of them or none.
///
/// # Errors
/// As [`set`].
pub fn set_all<K: AsRef<str>, V: AsRef<[u8]>>(pairs: impl IntoIterator<Item = (K, V)>) -> Result<(), Error> {
    sys::state_set(pairs.into_iter().map(|(key, value)| (key.as_ref().to_owned(), value.as_ref().to_vec())).collect())
}

/// Deletes a key, if it is there.
///
/// # Errors
/// As [`get`].
pub fn delete(key: &str) -> Result<(), Error> {
    sys::state_delete(key)
}

/// All keys, in order.
///
/// # Errors
/// As [`get`].
pub fn keys() -> Result<Vec<String>, Error> {
    sys::state_keys()
}

/// Adds to a number, which is kept as decimal digits, in one step for all runs. A key that is not there counts as 0. Gives the sum.
///
/// # Errors
/// [`Error::State`] where the value is not a number, or the sum has more than 64 bits; as [`set`].
pub fn increment(key: &str, by: u64) -> Result<u64, Error> {
    sys::state_increment(key, by)
}
