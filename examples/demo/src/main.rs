//! `cargo demo`: runs five agents against a local exchange and prints what each party saw.

fn main() -> std::process::ExitCode {
    strongroom_demo::main()
}
