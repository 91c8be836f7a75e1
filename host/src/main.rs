//! The `strongroom` binary.

fn main() -> std::process::ExitCode {
    strongroom::cli::main()
}
