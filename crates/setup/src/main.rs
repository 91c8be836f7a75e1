//! `cargo demo`: see [`strongroom_setup::door`].

fn main() -> std::process::ExitCode {
    strongroom_setup::door::open(std::env::args_os().skip(1))
}
