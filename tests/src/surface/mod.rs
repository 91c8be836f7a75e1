//! What the crate `strongroom` promises to others, and which of its functions touch plaintext or a socket: two listings, read from the sources
//! with `syn`, for `tests/surface`. rustdoc has the same as JSON for nightly compilers alone.

mod functions;
mod items;
mod macros;
mod messages;
mod names;
mod permits;
mod public;
mod sources;
mod text;

pub use messages::messages;
pub use permits::{Touching, permits};
pub use public::Surface;
pub use sources::Sources;

use std::collections::{BTreeMap, BTreeSet};

/// The lines in which two listings differ, each below the head of its block: `-` where the first alone has them, `+` where the second does.
#[must_use]
pub fn differences(before: &str, after: &str) -> Vec<String> {
    let (before, after) = (blocks(before), blocks(after));
    let heads: BTreeSet<&str> = before.keys().chain(after.keys()).copied().collect();
    let mut lines = Vec::new();
    for head in heads {
        let [old, new] = [&before, &after].map(|blocks| blocks.get(head).map(Vec::as_slice).unwrap_or_default());
        if old == new {
            continue;
        }
        match (old.is_empty(), new.is_empty()) {
            (true, _) => lines.push(format!("+ {head}")),
            (_, true) => lines.push(format!("- {head}")),
            _ => lines.push(format!("  {head}")),
        }
        lines.extend(without(old, new).into_iter().map(|line| format!("- {line}")));
        lines.extend(without(new, old).into_iter().map(|line| format!("+ {line}")));
    }
    lines
}

/// The lines below the head of one block that another has not, or not as often.
fn without<'l>(these: &[&'l str], those: &[&'l str]) -> Vec<&'l str> {
    let mut left = those.to_vec();
    let is_only = |line: &&&str| left.iter().position(|other| other == *line).map(|place| left.swap_remove(place)).is_none();
    these.iter().skip(1).filter(is_only).copied().collect()
}

/// The blocks of a listing, by their first lines.
fn blocks(text: &str) -> BTreeMap<&str, Vec<&str>> {
    text.split("\n\n")
        .map(|block| block.trim_end().lines().collect::<Vec<_>>())
        .filter_map(|lines| Some((*lines.first()?, lines)))
        .collect()
}
