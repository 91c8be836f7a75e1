//! What `cargo demo` and `cargo test --workspace` want of a machine.
//!
//! It is looked for before the big build, within [`Machine::patience`]. What is missing is added where that is possible, and the rest
//! is told in one list with the commands that add it. This crate has no dependencies, so that it is there in a second; the demo's
//! front door (this crate's binary) and the build script that compiles the guests share it.

mod cargo;
pub mod door;
mod machine;
mod missing;
mod needs;
pub mod services;
mod target;

pub use cargo::runs_tests;
pub use machine::Machine;
pub use missing::Missing;
pub use needs::Purpose;

use std::path::PathBuf;

/// Looks for all that `purpose` wants: the files it was found by, or what is missing.
///
/// # Errors
/// Everything that is missing, at once.
pub fn look(machine: &Machine, purpose: Purpose) -> Result<Vec<PathBuf>, Missing> {
    let (mut found, mut missing) = (Vec::new(), Missing::on(machine));
    for outcome in needs::look(machine, purpose) {
        match outcome {
            Ok(files) => found.extend(files),
            Err(finding) => missing.push(finding),
        }
    }
    if missing.is_empty() { Ok(found) } else { Err(missing) }
}

/// Looks for all that `purpose` wants, adds what is missing and can be added, and looks again. `say` hears of each attempt.
///
/// # Errors
/// Everything that is still missing, at once.
pub fn prepare(machine: &Machine, purpose: Purpose, say: impl Fn(&str)) -> Result<Vec<PathBuf>, Missing> {
    let missing = match look(machine, purpose) {
        Ok(found) => return Ok(found),
        Err(missing) => missing,
    };
    if missing.add(machine, say) { look(machine, purpose) } else { Err(missing) }
}
