//! What the demo and the tests want of a machine: looked for on one that is made up, added where that is possible, told in one list
//! where it is not.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;
use strongroom_setup::{Machine, Purpose, look, prepare};

/// A machine with nothing on it but what a test puts there.
struct Bare {
    dir: tempfile::TempDir,
}

impl Bare {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("bin")).unwrap();
        Self { dir }
    }

    /// One on which only the target is missing, with a rustup that adds it.
    fn without_target() -> Self {
        let bare = Self::new();
        let library = bare.sysroot().join("lib/rustlib/wasm32-wasip2/lib");
        bare.program("rustc", &format!("echo '{}'", bare.sysroot().display()));
        bare.program("rustup", &format!("/bin/mkdir -p '{0}'; : > '{0}/libstd-1.rlib'", library.display()));
        bare.program("cc", ":");
        bare.file("toolchains/pinned/bin/rustc", "");
        bare.file("toolchains/pinned/lib/rustlib/host/bin/wasm-component-ld", "");
        bare
    }

    fn sysroot(&self) -> PathBuf {
        self.dir.path().join("toolchains/pinned")
    }

    /// A program of the shell's that first writes down that it was called, and with what.
    fn program(&self, name: &str, script: &str) {
        let called = self.dir.path().join("called");
        let text = format!("#!/bin/sh\necho \"{name} $*\" >> '{}'\n{script}\n", called.display());
        self.file(&format!("bin/{name}"), &text);
    }

    fn file(&self, name: &str, text: &str) {
        let file = self.dir.path().join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        // By a process of its own: a child that another test starts meanwhile could hold the file open, and nobody can run it then.
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", "/bin/cat > \"$0\" && /bin/chmod 755 \"$0\""]).arg(&file).stdin(Stdio::piped());
        let mut shell = shell.spawn().unwrap();
        shell.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        assert!(shell.wait().unwrap().success());
    }

    fn machine(&self) -> Machine {
        Machine {
            path: self.dir.path().join("bin").into(),
            root: self.dir.path().to_owned(),
            superuser: false,
            patience: Duration::from_secs(60),
            rustc: None,
            cc: None,
            toolchain: Some("pinned".into()),
        }
    }

    /// Lines of what was called, of these programs.
    fn called(&self, names: &[&str]) -> Vec<String> {
        let all = std::fs::read_to_string(self.dir.path().join("called")).unwrap_or_default();
        let of_those = |line: &&str| names.contains(&line.split(' ').next().unwrap_or_default());
        all.lines().filter(of_those).map(str::to_owned).collect()
    }

    /// The front door, opened on this machine.
    fn open(&self, arguments: &[&str]) -> Output {
        let mut door = Command::new(env!("CARGO_BIN_EXE_setup-under-test"));
        door.args(arguments).env_remove("RUSTC").env_remove("CC").env("PATH", self.dir.path().join("bin"));
        door.env("RUSTUP_TOOLCHAIN", "pinned").env("RUSTUP_AUTO_INSTALL", "0").env("CARGO", self.dir.path().join("bin/cargo"));
        door.output().unwrap()
    }

    /// Lays this machine's packages out as apt-get would, all at once or, with the first list of packages, not at all.
    fn apt_get(&self, needs_update: bool) {
        let update = self.dir.path().join("updated");
        let refuse = if needs_update { format!("[ -e '{}' ] || exit 100", update.display()) } else { String::new() };
        let bin = self.dir.path().join("bin");
        let script =
            format!("case $1 in update) : > '{}';; install) {refuse}\n/bin/cp /bin/true '{}/cc';; esac", update.display(), bin.display());
        self.program("apt-get", &script);
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn a_missing_target_is_added_and_the_demo_gets_its_arguments_and_gives_its_exit_code() {
    let bare = Bare::without_target();
    bare.program("cargo", "echo the tables; exit 7");

    let output = bare.open(&["demo", "one", "two words"]);

    assert_eq!(output.status.code(), Some(7));
    assert_eq!(text(&output.stdout), "the tables\n", "standard output is the demo's alone");
    assert!(text(&output.stderr).contains("building the demo"), "{}", text(&output.stderr));
    let added = "rustup target add --toolchain pinned wasm32-wasip2";
    assert!(text(&output.stderr).contains(added), "{}", text(&output.stderr));
    // Without --quiet: cargo's own progress is seen.
    assert_eq!(bare.called(&["rustup", "cargo"]), [added, "cargo run --package strongroom-demo -- one two words"]);

    assert_eq!(bare.open(&["demo"]).status.code(), Some(7));
    assert_eq!(bare.called(&["rustup"]).len(), 1, "what is there is not added again");
}

#[test]
fn what_the_demo_lacks_is_told_in_one_list_and_nothing_is_built() {
    let bare = Bare::without_target();
    bare.program("cargo", "exit 7");
    bare.program("rustup", "echo offline >&2; exit 1");
    bare.program("cc", "echo 'stdlib.h: No such file' >&2; exit 1");

    // Whoever runs this test, nothing can be installed: there is no apt-get.
    let output = bare.open(&["demo"]);

    assert_eq!(output.status.code(), Some(1));
    assert_eq!(bare.called(&["cargo"]), Vec::<String>::new());
    let said = text(&output.stderr);
    assert_eq!(said.matches("missing on this machine").count(), 1, "{said}");
    for part in
        ["no standard library in", "stdlib.h: No such file", "\n  rustup target add --toolchain pinned wasm32-wasip2\n", "gcc libc6-dev"]
    {
        assert!(said.contains(part), "{part} is missing in\n{said}");
    }
}

#[test]
fn a_target_from_elsewhere_needs_no_rustup_and_one_that_is_not_rustups_is_left_alone() {
    let bare = Bare::without_target();
    let elsewhere = bare.dir.path().join("usr");
    bare.program("rustc", &format!("echo '{}'", elsewhere.display()));

    let missing = prepare(&bare.machine(), Purpose::Build, |_| ()).unwrap_err().to_string();
    assert!(missing.contains(&format!("add wasm32-wasip2 to {}", elsewhere.display())), "{missing}");
    assert_eq!(bare.called(&["rustup"]), Vec::<String>::new());

    bare.file("usr/lib/rustlib/wasm32-wasip2/lib/libstd-1.rlib", "");
    let missing = prepare(&bare.machine(), Purpose::Build, |_| ()).unwrap_err().to_string();
    assert!(missing.contains("cargo install --locked wasm-component-ld"), "{missing}");

    bare.file("bin/wasm-component-ld", "");
    std::fs::remove_file(bare.dir.path().join("bin/rustup")).unwrap();
    prepare(&bare.machine(), Purpose::Build, |_| ()).unwrap();
}

#[test]
fn where_rustup_is_missing_the_list_says_where_it_is_from() {
    let bare = Bare::without_target();
    std::fs::remove_file(bare.dir.path().join("bin/rustup")).unwrap();

    let missing = prepare(&bare.machine(), Purpose::Build, |_| ()).unwrap_err().to_string();

    assert!(missing.contains("rustup target add --toolchain pinned wasm32-wasip2"), "{missing}");
    assert!(missing.contains("https://rustup.rs"), "{missing}");
}

#[test]
fn a_target_that_goes_is_missed_and_one_that_was_just_added_is_not_news() {
    let bare = Bare::without_target();
    let before = std::time::SystemTime::now() - Duration::from_secs(3600);
    std::fs::File::open(bare.sysroot().join("bin/rustc")).unwrap().set_modified(before).unwrap();
    let found = prepare(&bare.machine(), Purpose::Build, |_| ()).unwrap();

    let target = bare.sysroot().join("lib/rustlib/wasm32-wasip2");
    let witness = found.iter().find(|file| file.starts_with(&target)).unwrap();
    assert_eq!(witness.metadata().unwrap().modified().unwrap(), before, "cargo would take it for a change");
    std::fs::remove_dir_all(&target).unwrap();
    assert!(!witness.exists(), "cargo looks again where a file is missing");
}

#[test]
fn a_program_that_hangs_is_a_finding() {
    let bare = Bare::without_target();
    bare.program("rustc", "exec /bin/sleep 30");
    let machine = Machine { patience: Duration::from_millis(50), ..bare.machine() };

    let missing = look(&machine, Purpose::Build).unwrap_err().to_string();

    assert!(missing.contains("did not answer within 50ms"), "{missing}");
    assert!(Machine::here().patience < Duration::from_secs(5), "a look ends within five seconds");
}

#[test]
fn all_that_the_suites_lack_is_told_at_once() {
    let bare = Bare::new();

    let missing = prepare(&bare.machine(), Purpose::Tests, |_| ()).unwrap_err().to_string();

    let packages = "bash coreutils gcc git gnupg libc6-dev npm opensc pass postgresql procps python3 python3-venv softhsm2 util-linux";
    assert!(missing.contains(&format!("sudo apt-get update && sudo apt-get install -y {packages} ")), "{missing}");
    assert!(missing.contains("\n  rustup toolchain install\n"), "{missing}");
    for part in ["Rust target", "C compiler", "Python 3", "npm", "PostgreSQL", "SoftHSM", "pkcs11-tool", "pass, gpg", "setpriv"] {
        assert_eq!(missing.lines().filter(|line| line.starts_with("  - ") && line.contains(part)).count(), 1, "{part} in\n{missing}");
    }
    let machine = Machine { superuser: true, ..bare.machine() };
    let missing = look(&machine, Purpose::Tests).unwrap_err().to_string();
    assert!(!missing.contains("sudo"), "{missing}");
}

#[test]
fn every_program_that_the_suites_start_is_looked_for() {
    let missing = look(&Bare::new().machine(), Purpose::Tests).unwrap_err().to_string();
    let mut seen = 0;
    for source in sources(Path::new(env!("CARGO_MANIFEST_DIR"))) {
        let text = std::fs::read_to_string(&source).unwrap();
        for start in ["Command::new(\"", ".command(\""] {
            for name in text.split(start).skip(1).map(|rest| rest.split('"').next().unwrap()) {
                seen += 1;
                let family = name.trim_end_matches("2-util").trim_end_matches('3');
                assert!(missing.to_lowercase().contains(family), "{} starts {name}, which is not in\n{missing}", source.display());
            }
        }
    }
    assert!(seen > 0);
}

fn sources(tests: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for dir in ["src", "src/services", "src/bin", "suites", "benches/run", "benches/rotation", "benches/signing", "benches/backends"] {
        let files = std::fs::read_dir(tests.join(dir)).unwrap().map(|file| file.unwrap().path());
        found.extend(files.filter(|file| file.extension().is_some_and(|end| end == "rs") && !file.ends_with("suites/setup.rs")));
    }
    found
}

#[test]
fn the_superuser_gets_all_packages_by_one_apt_get() {
    let bare = Bare::without_target();
    std::fs::remove_file(bare.dir.path().join("bin/cc")).unwrap();
    bare.apt_get(false);
    let missing = prepare(&bare.machine(), Purpose::Build, |_| ()).unwrap_err().to_string();
    assert!(missing.contains("no `cc` on PATH"), "{missing}");
    assert_eq!(bare.called(&["apt-get"]), Vec::<String>::new(), "others may not install");

    let machine = Machine { superuser: true, ..bare.machine() };
    prepare(&machine, Purpose::Build, |_| ()).unwrap();

    let [call] = <[String; 1]>::try_from(bare.called(&["apt-get"])).unwrap();
    assert!(call.starts_with("apt-get install -y") && call.ends_with(" gcc libc6-dev"), "{call}");
}

#[test]
fn an_old_list_of_packages_is_renewed() {
    let bare = Bare::without_target();
    std::fs::remove_file(bare.dir.path().join("bin/cc")).unwrap();
    bare.apt_get(true);

    let machine = Machine { superuser: true, ..bare.machine() };
    prepare(&machine, Purpose::Build, |_| ()).unwrap();

    let verbs: Vec<String> = bare.called(&["apt-get"]).iter().map(|call| call.split(' ').nth(1).unwrap().to_owned()).collect();
    assert_eq!(verbs, ["install", "update", "install"]);
}

#[test]
fn postgres_is_the_newest_of_debians_or_the_one_on_path() {
    let bare = Bare::new();
    let machine = bare.machine();
    assert_eq!(strongroom_setup::services::postgres(&machine), None);

    for name in ["initdb", "postgres", "psql"] {
        bare.program(name, ":");
    }
    assert_eq!(strongroom_setup::services::postgres(&machine), Some(bare.dir.path().join("bin")));

    for version in ["9", "15"] {
        for name in ["initdb", "postgres", "psql"] {
            bare.file(&format!("usr/lib/postgresql/{version}/bin/{name}"), "");
        }
    }
    bare.file("usr/lib/postgresql/17/bin/psql", "");
    assert_eq!(strongroom_setup::services::postgres(&machine), Some(bare.dir.path().join("usr/lib/postgresql/15/bin")));
}

#[test]
fn the_demos_command_looks_before_it_builds_and_is_not_silent() {
    let config = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.cargo/config.toml")).unwrap();
    let config: toml::Table = config.parse().unwrap();
    let demo = config["alias"]["demo"].as_str().unwrap();

    assert!(demo.contains("strongroom-setup -- demo"), "{demo}");
    assert!(!demo.contains("quiet") && !demo.contains("-q"), "{demo}");
}
