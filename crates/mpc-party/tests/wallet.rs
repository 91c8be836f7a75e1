//! `cargo test --test wallet -- DIRECTORY`: puts three parties with a key into a directory, for the tests of hosts. The ceremony is a real one; the primes
//! are the suites' own.

#[path = "suite/fixture.rs"]
#[expect(dead_code, reason = "the suites need more of it")]
mod fixture;
#[path = "suite/links.rs"]
#[expect(dead_code, reason = "the suites need more of it")]
mod links;

use std::path::PathBuf;

#[tokio::main]
async fn main() {
    let home = std::env::args_os().nth(1).map(PathBuf::from).expect("a directory");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_strongroom-mpc-party"), home.join("program")).expect("the program");
    fixture::put(&home).await;
}
