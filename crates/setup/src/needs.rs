//! The table of what is wanted, and by whom.

use crate::Machine;
use crate::missing::{Finding, Remedy};
use crate::{services, target};
use std::path::PathBuf;
use std::process::Command;

/// What somebody is about to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Purpose {
    /// Compile guests, and the host that runs them: `cargo demo`, and every build of the workspace.
    Build,
    /// Run the suites, against real servers, too.
    Tests,
}

/// The files that something was found by, or that it is missing.
pub(crate) type Outcome = Result<Vec<PathBuf>, Finding>;

/// A thing that is wanted: what it is, how it is looked for, and the packages of Debian's that have it.
struct Need {
    what: &'static str,
    look: fn(&Machine) -> Result<Vec<PathBuf>, String>,
    packages: &'static [&'static str],
}

/// What compiles.
const BUILD: &[Need] = &[Need { what: "a C compiler (for ring and zstd)", look: c_compiler, packages: &["gcc", "libc6-dev"] }];

/// What the suites' servers and stories want in addition.
const TESTS: &[Need] = &[
    Need {
        what: "Python 3 with venv and pip (for OpenBao, moto and agents in Python)",
        look: python,
        packages: &["python3", "python3-venv"],
    },
    Need {
        what: "npm (for the Ethereum node, the OAuth server and agents in JavaScript)",
        look: |machine| programs(machine, &["node", "npm"]),
        packages: &["npm"],
    },
    Need { what: "PostgreSQL", look: postgres, packages: &["postgresql"] },
    Need { what: "SoftHSM 2", look: softhsm, packages: &["softhsm2"] },
    Need { what: "pkcs11-tool (OpenSC)", look: |machine| programs(machine, &["pkcs11-tool"]), packages: &["opensc"] },
    Need {
        what: "pass, gpg and gpgconf (GnuPG)",
        look: |machine| programs(machine, &["pass", "gpg", "gpgconf"]),
        packages: &["pass", "gnupg"],
    },
    Need { what: "bash", look: |machine| programs(machine, &["bash"]), packages: &["bash"] },
    Need { what: "setpriv (util-linux)", look: |machine| programs(machine, &["setpriv"]), packages: &["util-linux"] },
    Need { what: "id and mkfifo (coreutils)", look: |machine| programs(machine, &["id", "mkfifo"]), packages: &["coreutils"] },
    Need { what: "kill (procps)", look: |machine| programs(machine, &["kill"]), packages: &["procps"] },
    Need { what: "git", look: |machine| programs(machine, &["git"]), packages: &["git"] },
];

/// Looks for everything at once: what hangs is waited for once.
pub(crate) fn look(machine: &Machine, purpose: Purpose) -> Vec<Outcome> {
    let tests = if purpose == Purpose::Tests { TESTS } else { &[] };
    std::thread::scope(|scope| {
        let target = scope.spawn(|| target::look(machine));
        let needs: Vec<_> = BUILD.iter().chain(tests).map(|need| scope.spawn(|| need.outcome(machine))).collect();
        std::iter::once(target).chain(needs).map(|look| look.join().expect("a look does not panic")).collect()
    })
}

impl Need {
    fn outcome(&self, machine: &Machine) -> Outcome {
        let finding = |why| Finding { what: self.what.to_owned(), why, remedy: Remedy::Packages(self.packages) };
        (self.look)(machine).map_err(finding)
    }
}

fn programs(machine: &Machine, names: &[&str]) -> Result<Vec<PathBuf>, String> {
    names.iter().map(|name| machine.program(name).ok_or_else(|| format!("no `{name}` on PATH"))).collect()
}

/// The compiler that the crate `cc` will take; it has to find the headers of C's library.
fn c_compiler(machine: &Machine) -> Result<Vec<PathBuf>, String> {
    let mut words = machine.cc.as_deref().unwrap_or_default().split_whitespace();
    let name = words.next().unwrap_or("cc");
    let file = if name.contains('/') { Some(PathBuf::from(name)) } else { machine.program(name) };
    let file = file.ok_or_else(|| format!("no `{name}` on PATH"))?;
    let mut command = Command::new(&file);
    command.args(words).args(["-include", "stdlib.h", "-fsyntax-only", "-x", "c", "/dev/null"]);
    machine.ask(&mut command).map(|_| vec![file])
}

fn python(machine: &Machine) -> Result<Vec<PathBuf>, String> {
    let found = programs(machine, &["python3"])?;
    machine.ask(Command::new(&found[0]).args(["-c", "import ensurepip, venv"])).map(|_| found)
}

fn postgres(machine: &Machine) -> Result<Vec<PathBuf>, String> {
    let programs = services::postgres(machine).ok_or("no initdb, postgres and psql in one directory of PATH or /usr/lib/postgresql")?;
    if machine.superuser {
        let id = machine.program("id").ok_or("no `id` on PATH")?;
        let user = machine.ask(Command::new(id).args(["-u", "postgres"]));
        user.map_err(|_| "it does not run as root, and there is no user `postgres`")?;
    }
    Ok(services::POSTGRES.iter().map(|name| programs.join(name)).collect())
}

fn softhsm(machine: &Machine) -> Result<Vec<PathBuf>, String> {
    let module = services::softhsm(machine).ok_or("no libsofthsm2.so where systems put it")?;
    let mut found = programs(machine, &["softhsm2-util"])?;
    found.push(module);
    Ok(found)
}
