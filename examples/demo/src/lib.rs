//! The parts of `cargo demo`, which the end-to-end tests use too: a local HTTPS server, what it plays, and the search for plaintext in a
//! guest's memory.

mod exchange;
mod internet;
pub mod keys;
mod node;
pub mod paint;
pub mod payments;
pub mod rotation;
pub mod scan;
pub mod server;
pub mod show;
pub mod stage;
mod table;

use std::process::ExitCode;

/// Plays the demo and prints what each party saw. Fails if a key reached a guest, or anything else is not as it must be.
#[must_use]
pub fn main() -> ExitCode {
    // The switch is for the test that shows the checks to notice a leak.
    let leak = std::env::var_os("STRONGROOM_DEMO_LEAK").is_some();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let report = runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(stage::run(leak)));
    match report {
        Ok(report) => {
            println!("{}", show::report(&report, paint::Paint::of_stdout()));
            if report.faults().is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("the demo could not run: {error:#}");
            ExitCode::FAILURE
        }
    }
}
