//! What agents keep over their runs: for each a bucket of keys and values, in a file of its own, which all processes of a state directory
//! share. A change is on the platter before whoever made it goes on.

mod bucket;
mod file;
mod kept;
#[cfg(test)]
mod tests;

pub(crate) use bucket::Bucket;
#[cfg(feature = "ops")]
pub(crate) use bucket::Listed;
use bucket::{Refused, Value};
pub(crate) use kept::{Granted, Kept};

use std::borrow::Cow;

/// Longest key, in bytes.
pub(crate) const LONGEST_KEY: usize = 256;
/// Longest value, in bytes.
pub(crate) const LONGEST_VALUE: usize = 1 << 20;

/// A change of a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change<'c> {
    /// A key has this value from here on.
    Set {
        key: Cow<'c, str>,
        value: Cow<'c, [u8]>,
        /// When, in milliseconds since 1970.
        written: u64,
        /// Placeholders that stand in the value, each with the secret that it stands for.
        stands: Vec<(String, String)>,
    },
    /// A key is gone.
    Delete { key: Cow<'c, str> },
}

impl Change<'_> {
    fn key(&self) -> &str {
        match self {
            Self::Set { key, .. } | Self::Delete { key } => key,
        }
    }
}
