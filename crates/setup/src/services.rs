//! Where the servers of the suites lie. The suites ask here too: what was found before the build is what they start.

use crate::Machine;
use std::path::PathBuf;

/// The programs of PostgreSQL that the suites run.
pub const POSTGRES: &[&str] = &["initdb", "postgres", "psql"];

/// Where systems put the PKCS#11 module of SoftHSM.
const SOFTHSM: &[&str] = &[
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/lib64/softhsm/libsofthsm2.so",
    "/usr/lib/pkcs11/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
];

/// The directory with PostgreSQL's programs: Debian's newest, which is not on `PATH`, or one of `PATH`.
#[must_use]
pub fn postgres(machine: &Machine) -> Option<PathBuf> {
    let versions = std::fs::read_dir(machine.place("/usr/lib/postgresql")).into_iter().flatten().flatten();
    let mut versions: Vec<PathBuf> = versions.map(|entry| entry.path().join("bin")).collect();
    // By number: 9 is older than 15.
    versions.sort_by_key(|bin| bin.parent().and_then(|version| version.file_name()?.to_str()?.parse::<u32>().ok()));
    let all = |bin: &PathBuf| POSTGRES.iter().all(|name| bin.join(name).exists());
    versions.into_iter().rev().chain(std::env::split_paths(&machine.path)).find(all)
}

/// The PKCS#11 module of SoftHSM.
#[must_use]
pub fn softhsm(machine: &Machine) -> Option<PathBuf> {
    SOFTHSM.iter().map(|place| machine.place(place)).find(|module| module.exists())
}
