//! `cargo bench --bench mpc`: has the benchmark of the parties run, which are no members of this workspace. It prints a table and writes
//! `target/figures/mpc.json`.

use std::path::Path;
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let status = Command::new("cargo")
        .args(["bench", "--locked", "--bench", "mpc", "--manifest-path"])
        .arg(root.join("crates/mpc-party/Cargo.toml"))
        .arg("--target-dir")
        .arg(root.join("target/mpc-party"))
        .status();
    match status {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(status) => {
            eprintln!("the benchmark of the parties has failed ({status}); it needs a C compiler, `make` and `m4`");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("cargo can't be run: {error}");
            ExitCode::FAILURE
        }
    }
}
