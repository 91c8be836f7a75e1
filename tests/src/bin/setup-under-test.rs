//! The front door of `cargo demo` once more, so that the suites can start it as a process.

fn main() -> std::process::ExitCode {
    strongroom_setup::door::open(std::env::args_os().skip(1))
}
