//! The guests of the examples and the tests, compiled by this crate's build script.

use std::path::PathBuf;

/// The file of a guest's component.
#[must_use]
pub fn path(guest: &str) -> PathBuf {
    PathBuf::from(env!("STRONGROOM_COMPONENTS")).join(format!("{guest}.wasm"))
}

/// A guest's component.
///
/// # Panics
/// Where there is no guest of that name.
#[must_use]
pub fn bytes(guest: &str) -> Vec<u8> {
    let path = path(guest);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
