//! Compiles guests of the workspace to `wasm32-wasip2`, once, in a target directory of its own. Before that it looks for all that the
//! build and the suites want of the machine, adds what it can, and ends with one list of the rest.

use std::path::{Path, PathBuf};
use std::process::Command;
use strongroom_setup::{Machine, Purpose, look, prepare, runs_tests};

/// What the demo runs.
const DEMO: &[&str] = &["trading-bot", "plain-bot", "gullible-bot", "exfiltrator", "payer"];
/// What only the suites and the other examples run.
const OTHERS: &[&str] = &["price-rs", "probe", "looper", "token-bot", "callee", "webhook"];

fn main() {
    let found = match ready() {
        Ok(found) => found,
        Err(missing) => {
            eprintln!("{missing}");
            std::process::exit(1);
        }
    };
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let sources = ["examples/agents", "tests/guests", "guest-sdk", "wit", "Cargo.lock", "Cargo.toml"];
    // What was found may go: then its file is missing, and this runs again.
    for file in sources.iter().map(|source| workspace.join(source)).chain(found) {
        println!("cargo::rerun-if-changed={}", file.display());
    }
    // OUT_DIR is TARGET/PROFILE/build/PACKAGE/out.
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let target = out.ancestors().nth(4).expect("OUT_DIR lies four below the target directory").join("guests");
    // Apart, so that the demo's are the same with the others and without.
    compile(&workspace, &target, DEMO);
    if cfg!(feature = "all-guests") {
        compile(&workspace, &target, OTHERS);
    }
    println!("cargo::rustc-env=STRONGROOM_COMPONENTS={}", target.join("wasm32-wasip2/guest").display());
}

/// The files that what is wanted was found by. Who only looks at the code, as an editor does, needs no servers: what they lack is a
/// warning then.
fn ready() -> Result<Vec<PathBuf>, String> {
    let machine = Machine::here();
    let say = |line: &str| eprintln!("{line}");
    if !cfg!(feature = "suites") {
        return prepare(&machine, Purpose::Build, say).map_err(|missing| missing.to_string());
    }
    if runs_tests() {
        return prepare(&machine, Purpose::Tests, say).map_err(|missing| missing.to_string());
    }
    let mut found = prepare(&machine, Purpose::Build, say).map_err(|missing| missing.to_string())?;
    match look(&machine, Purpose::Tests) {
        Ok(more) => found.extend(more),
        Err(missing) => {
            for line in missing.to_string().lines() {
                println!("cargo::warning=the suites can't run: {line}");
            }
            // No such file: the tests' build looks again.
            found.push(PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR")).join("missing"));
        }
    }
    Ok(found)
}

fn compile(workspace: &Path, target: &Path, guests: &[&str]) {
    let cargo = std::env::var_os("CARGO").expect("cargo sets CARGO");
    let mut build = Command::new(cargo);
    build.current_dir(workspace).args(["build", "--quiet", "--target", "wasm32-wasip2", "--profile", "guest", "--target-dir"]).arg(target);
    for guest in guests {
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
    assert!(status.success(), "the guests do not compile: cargo says above why");
}
