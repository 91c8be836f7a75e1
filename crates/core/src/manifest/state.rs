//! What an agent keeps over its runs: `[state]`.

use super::diagnostic::Problem;
use super::reader::Section;
use super::{leaks_allowed, set, units};

/// The largest state, in bytes.
const LARGEST: u64 = 64 << 20;
/// The most keys.
const MOST_KEYS: u64 = 100_000;

/// What an agent may keep over its runs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StateSpec {
    /// Bytes of keys and values together. Default 1 MiB.
    pub max_size: u64,
    /// Keys. Default 1,000.
    pub max_keys: u32,
    /// Rules for secrets that nobody registered, which do not apply to what is kept.
    pub leaks_allowed: Vec<String>,
}

impl Default for StateSpec {
    fn default() -> Self {
        Self { max_size: 1 << 20, max_keys: 1_000, leaks_allowed: Vec::new() }
    }
}

impl StateSpec {
    pub(super) fn read(section: &Section<'_>) -> Self {
        let mut state = Self::default();
        let size = |text: &str| match units::size(text)? {
            1..=LARGEST => units::size(text),
            _ => Err(Problem::new("not a size that a state can have", "write `1B` to `64MiB`")),
        };
        set(&mut state.max_size, section.parse("max_size", size));
        set(&mut state.max_keys, section.integer("max_keys", 1..=MOST_KEYS).and_then(|keys| u32::try_from(keys).ok()));
        state.leaks_allowed = leaks_allowed(section);
        state
    }
}
