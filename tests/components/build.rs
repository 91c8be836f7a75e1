//! Compiles every guest of the workspace to `wasm32-wasip2`, once, in a target directory of its own.

use std::path::{Path, PathBuf};
use std::process::Command;

const GUESTS: &[&str] = &["trading-bot", "plain-bot", "gullible-bot", "exfiltrator", "payer", "probe", "looper"];

fn main() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for source in ["examples/agents", "tests/guests", "guest-sdk", "wit", "Cargo.lock", "Cargo.toml"] {
        println!("cargo::rerun-if-changed={}", workspace.join(source).display());
    }
    // OUT_DIR is TARGET/PROFILE/build/PACKAGE/out.
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let target = out.ancestors().nth(4).expect("OUT_DIR lies four below the target directory").join("guests");
    let cargo = std::env::var_os("CARGO").expect("cargo sets CARGO");
    let mut build = Command::new(cargo);
    build
        .current_dir(&workspace)
        .args(["build", "--quiet", "--target", "wasm32-wasip2", "--profile", "guest", "--target-dir"])
        .arg(&target);
    for guest in GUESTS {
        build.args(["--package", guest]);
    }
    // What is set for the outer build (clippy, flags for the host's machine) is not for the guests.
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("CARGO_")
            && !name.starts_with("CARGO_HOME")
            && !name.starts_with("CARGO_NET")
            && !name.starts_with("CARGO_HTTP")
            || name.starts_with("RUSTC")
            || name == "RUSTFLAGS"
            || name == "CARGO_TARGET_DIR"
        {
            build.env_remove(name);
        }
    }
    let status = build.status().expect("cargo runs");
    assert!(status.success(), "the guests do not compile; is the target wasm32-wasip2 installed? (`rustup target add wasm32-wasip2`)");
    println!("cargo::rustc-env=STRONGROOM_COMPONENTS={}", target.join("wasm32-wasip2/guest").display());
}
