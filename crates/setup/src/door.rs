//! The front door of `cargo demo`: looks for what the demo wants, adds what it can, and then builds and runs it.

use crate::{Machine, Purpose, prepare};
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

const BUILDING: &str = "building the demo: the host with its WebAssembly compiler, a local exchange, and five agents; three to five minutes on \
                        two cores the first time, seconds after that";

/// The first argument says what for: `demo`, whose further arguments are the demo's, or `tests`, which only prepares. Comes back where
/// nothing is run; otherwise the demo takes this process's place.
pub fn open(mut arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let purpose = match arguments.next().as_deref().and_then(|word| word.to_str()) {
        Some("demo") => Purpose::Build,
        Some("tests") => Purpose::Tests,
        _ => return fail("usage: strongroom-setup demo [ARGS…] | tests"),
    };
    if let Err(missing) = prepare(&Machine::here(), purpose, say) {
        return fail(&missing.to_string());
    }
    if purpose == Purpose::Tests {
        say("all that the tests want is here");
        return ExitCode::SUCCESS;
    }
    say(BUILDING);
    fail(&format!("cargo does not start: {}", demo(arguments).exec()))
}

/// Cargo, with its own output; output, signals and exit code are then the demo's.
fn demo(arguments: impl Iterator<Item = OsString>) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // What cargo has said of this package is not the demo's.
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CARGO_PKG_")) {
        cargo.env_remove(name);
    }
    cargo.args(["run", "--package", "strongroom-demo", "--"]).args(arguments);
    cargo
}

fn say(line: &str) {
    eprintln!("strongroom: {line}");
}

fn fail(text: &str) -> ExitCode {
    say(text.trim_end());
    ExitCode::FAILURE
}
