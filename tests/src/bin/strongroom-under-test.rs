//! The `strongroom` binary once more, so that the suites can start it as a process.

fn main() -> std::process::ExitCode {
    strongroom_cli::main()
}
