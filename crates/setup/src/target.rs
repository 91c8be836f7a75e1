//! The target of the guests: its standard library and its linker, in the sysroot of the compiler that is in use.

use crate::Machine;
use crate::missing::{Finding, Remedy};
use crate::needs::Outcome;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What guests are compiled for.
const TARGET: &str = "wasm32-wasip2";
/// What links them; rustup's toolchains bring it.
const LINKER: &str = "wasm-component-ld";

pub(crate) fn look(machine: &Machine) -> Outcome {
    let what = format!("the Rust target {TARGET}");
    let rustc = machine.rustc.clone().or_else(|| machine.program("rustc")).ok_or_else(|| "no `rustc` on PATH".to_owned());
    let sysroot = match rustc.and_then(|rustc| machine.ask(Command::new(rustc).args(["--print", "sysroot"]))) {
        Ok(printed) => PathBuf::from(printed.trim()),
        Err(why) => return Err(Finding { what, why, remedy: Remedy::Told("rustup toolchain install".into()) }),
    };
    let rustlib = sysroot.join("lib/rustlib");
    let library = rustlib.join(TARGET).join("lib");
    if !holds_std(&library) {
        let why = format!("no standard library in {}", library.display());
        return Err(Finding { what, why, remedy: remedy(machine, &sysroot) });
    }
    if !has_linker(machine, &rustlib) {
        let why = format!("no `{LINKER}` in {} or on PATH", rustlib.display());
        return Err(Finding {
            what: format!("the linker of {TARGET}"),
            why,
            remedy: Remedy::Told(format!("cargo install --locked {LINKER}")),
        });
    }
    Ok(vec![witness(&library)])
}

fn holds_std(library: &Path) -> bool {
    let files = std::fs::read_dir(library).into_iter().flatten().flatten();
    files.map(|file| file.file_name()).any(|name| name.to_str().is_some_and(|name| name.starts_with("libstd-") && name.ends_with(".rlib")))
}

fn has_linker(machine: &Machine, rustlib: &Path) -> bool {
    let hosts = std::fs::read_dir(rustlib).into_iter().flatten().flatten();
    hosts.map(|host| host.path().join("bin").join(LINKER)).any(|linker| linker.exists()) || machine.program(LINKER).is_some()
}

/// A file that is there as long as the target is, and as old as the compiler: cargo, which looks at times, sees the target go, and
/// does not take one that was just added for a change.
fn witness(library: &Path) -> PathBuf {
    library.join("../../../../bin/rustc")
}

/// rustup adds the target to its own toolchains; others get it from where they are from.
fn remedy(machine: &Machine, sysroot: &Path) -> Remedy {
    let of_rustup = sysroot.parent().and_then(Path::file_name).is_some_and(|directory| directory == "toolchains");
    if !of_rustup {
        return Remedy::Told(format!("# add {TARGET} to {} by the way it was installed, or install https://rustup.rs", sysroot.display()));
    }
    // rustup's own cargo says which one it is; several names may lead to one directory.
    let toolchain = machine.toolchain.clone();
    let toolchain = toolchain.or_else(|| Some(sysroot.file_name()?.to_str()?.to_owned())).unwrap_or_default();
    let command = ["rustup", "target", "add", "--toolchain", &toolchain, TARGET].map(str::to_owned).to_vec();
    if machine.program("rustup").is_none() {
        return Remedy::Told(format!("{}   # `rustup` is not on PATH: see https://rustup.rs", command.join(" ")));
    }
    Remedy::Command(command)
}
