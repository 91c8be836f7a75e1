//! `cargo demo`: runs four agents against a local exchange and prints what each party saw. Exits with 1 if a key reached a guest.

use std::process::ExitCode;
use strongroom_demo::{show, stage};

fn main() -> ExitCode {
    // The switch is for the test that shows the checks to notice a leak.
    let leak = std::env::var_os("STRONGROOM_DEMO_LEAK").is_some();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let report = runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(stage::run(leak)));
    match report {
        Ok(report) => {
            println!("{}", show::report(&report));
            if report.faults().is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("the demo could not run: {error:#}");
            ExitCode::FAILURE
        }
    }
}
