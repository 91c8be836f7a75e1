//! Makes the agents: libraries from npm, PyPI and crates.io as their lock files pin them, bundled into one component for each language. What
//! was made lies in `target/libraries` under the sum of what it was made of.

use crate::table::{Language, Table};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The agent of the table `wstd`, which is written in Rust: an example's, without our SDK.
const RUST: &str = "plain-bot";

/// Held by the first run of a language's component: what runs beside it would compile the same, which takes minutes.
pub struct First {
    mark: PathBuf,
    _lock: File,
}

impl Drop for First {
    fn drop(&mut self) {
        // Where that fails, the next one is the first again.
        let _ = File::create(&self.mark);
    }
}

/// Waits for the first run of a component; `None` where that is over.
pub fn first(component: &[u8]) -> Option<First> {
    let mark = home().join(format!("compiled-{}", hex(&Sha256::digest(component))));
    if mark.exists() {
        return None;
    }
    std::fs::create_dir_all(home()).unwrap();
    let lock = File::create(home().join("compiled.lock")).unwrap();
    lock.lock().unwrap();
    (!mark.exists()).then_some(First { mark, _lock: lock })
}

/// The component that a table's agent is in.
pub fn component(table: &Table) -> Vec<u8> {
    match table.language {
        Language::Rust => strongroom_components::bytes(RUST),
        language => component_of(language),
    }
}

/// The component with all agents of a language.
pub fn component_of(language: Language) -> Vec<u8> {
    match language {
        Language::Rust => read(&rust()),
        Language::Javascript => read(&javascript()),
        Language::Python => read(&python()),
    }
}

/// A file's bytes.
pub fn read(file: &Path) -> Vec<u8> {
    std::fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// The workspace's directory.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn sources(language: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("libraries").join(language)
}

/// Where libraries are installed, and agents made.
pub fn home() -> PathBuf {
    root().join("target/libraries")
}

/// The component of the agent in Rust. AWS's SDK takes minutes to compile.
fn rust() -> PathBuf {
    made("rust", |home, out| {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        let target = home.join("target");
        cargo
            .current_dir(home)
            .args(["build", "--quiet", "--locked", "--release", "--target", "wasm32-wasip2", "--target-dir"])
            .arg(&target);
        // What is set for this machine's builds is not for the agent's.
        cargo.env_remove("RUSTFLAGS").env_remove("RUSTC_WRAPPER");
        must(&mut cargo, "cargo compiles the agent in Rust");
        std::fs::copy(target.join("wasm32-wasip2/release/rust-agents.wasm"), out).unwrap();
    })
}

/// One component of the agents in JavaScript.
fn javascript() -> PathBuf {
    made("javascript", |home, out| {
        with_npm(home);
        let mut node = Command::new("node");
        node.current_dir(home).arg("build.mjs").arg(wit()).arg(out).args(agents());
        must(&mut node, "esbuild and componentize-js make a component of the agents");
    })
}

/// Installs what the lock file in `home` pins.
pub fn with_npm(home: &Path) {
    once(home, &sum(&[home.join("package-lock.json")]), || {
        let mut npm = Command::new("npm");
        npm.current_dir(home).args(["ci", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"]);
        must(&mut npm, "npm installs the libraries");
    });
}

/// One component of the agents in Python.
fn python() -> PathBuf {
    made("python", |home, out| {
        let venv = with_pip(home);
        let mut tool = Command::new(venv.join("bin/componentize-py"));
        // Without it the tool looks into whatever Python is on `PATH` too.
        tool.env("VIRTUAL_ENV", &venv);
        tool.current_dir(home).arg("--wit-path").arg(wit()).args(["--world", "agent", "--quiet", "componentize", "app"]);
        tool.args(["--python-path", ".", "--python-path", "site", "--output"]).arg(out);
        must(&mut tool, "componentize-py makes a component of the agents");
    })
}

/// Installs componentize-py and the libraries that the files in `home` pin. Returns the virtual environment that the tool is in.
fn with_pip(home: &Path) -> PathBuf {
    let (venv, site) = (home.join("venv"), home.join("site"));
    once(home, &sum(&[home.join("requirements.txt"), home.join("tools.txt")]), || {
        virtual_environment(&venv);
        must(pip(&venv).current_dir(home).args(["-r", "tools.txt"]), "pip installs componentize-py from PyPI");
        // Wheels for any machine: the guest's is not this one.
        let any = ["--platform", "any", "--only-binary", ":all:", "--upgrade", "-r", "requirements.txt", "--target"];
        must(pip(&venv).current_dir(home).args(any).arg(&site), "pip installs the libraries from PyPI");
    });
    venv
}

/// Makes an empty virtual environment.
pub fn virtual_environment(venv: &Path) {
    must(Command::new("python3").args(["-m", "venv", "--clear"]).arg(venv), "python3 makes a virtual environment");
}

/// Installs what has a sum, and nothing that it asks for beside that.
pub fn pip(venv: &Path) -> Command {
    let mut pip = Command::new(venv.join("bin/pip"));
    pip.args(["install", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes"]);
    pip
}

/// The tools of both languages as the components are made with: jco, and the virtual environment of componentize-py.
pub fn tools() -> (PathBuf, PathBuf) {
    let (javascript, _lock) = entered("javascript");
    with_npm(&javascript);
    let (python, _lock) = entered("python");
    (javascript.join("node_modules/.bin/jco"), with_pip(&python))
}

/// The component of a language, made where its sources or the world have changed.
fn made(language: &str, make: impl FnOnce(&Path, &Path)) -> PathBuf {
    let (home, _lock) = entered(language);
    let agents: Vec<PathBuf> = files(&sources(language)).iter().map(|file| home.join(file)).collect();
    let worlds = copied(&root().join("wit/deps"), &self::home().join("wit/deps"));
    let world = self::home().join("wit/agent.wit");
    std::fs::copy(sources("agent.wit"), &world).unwrap();
    let out = home.join(format!("agents-{}.wasm", sum(&[agents, worlds, vec![world]].concat())));
    if !out.exists() {
        let unfinished = home.join("agents.wasm");
        make(&home, &unfinished);
        std::fs::rename(unfinished, &out).unwrap();
    }
    out
}

/// The directory of some sources, copied to where tools find what is installed beside them. Test processes may run side by side: one of
/// them makes it, and has the lock.
pub fn entered(sources: &str) -> (PathBuf, File) {
    let home = home().join(sources);
    std::fs::create_dir_all(&home).unwrap();
    let lock = File::create(home.join("lock")).unwrap();
    lock.lock().unwrap();
    copied(&self::sources(sources), &home);
    (home, lock)
}

fn wit() -> PathBuf {
    home().join("wit")
}

/// Copies a directory with all below it: the copies, in order.
pub fn copied(from: &Path, to: &Path) -> Vec<PathBuf> {
    let copy = |file: PathBuf| {
        let (from, to) = (from.join(&file), to.join(file));
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        // What is there already is left alone: another test may be running it.
        if std::fs::read(&to).ok() != Some(read(&from)) {
            std::fs::copy(from, &to).unwrap();
        }
        to
    };
    files(from).into_iter().map(copy).collect()
}

/// The files of a directory and below it, from there and in order. What its `.gitignore` names is left out: what somebody has built in it.
pub fn files(directory: &Path) -> Vec<PathBuf> {
    let ignored = std::fs::read_to_string(directory.join(".gitignore")).unwrap_or_default();
    let is_ignored = |name: &str| {
        ignored.lines().any(|line| match line.strip_prefix('*') {
            Some(end) => name.ends_with(end),
            None => name == line.trim_end_matches('/'),
        })
    };
    let mut files = Vec::new();
    gather(directory, Path::new(""), &is_ignored, &mut files);
    files.sort();
    files
}

fn gather(directory: &Path, below: &Path, is_ignored: &impl Fn(&str) -> bool, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory.join(below)).unwrap().map(|entry| entry.unwrap()) {
        let name = entry.file_name();
        let path = below.join(&name);
        if is_ignored(name.to_str().unwrap()) {
            continue;
        }
        if entry.path().is_dir() {
            gather(directory, &path, is_ignored, files);
        } else {
            files.push(path);
        }
    }
}

/// The names of the agents in JavaScript.
fn agents() -> Vec<String> {
    let files = std::fs::read_dir(sources("javascript").join("agents")).unwrap().map(|entry| entry.unwrap().path());
    let mut names: Vec<String> = files.map(|file| file.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

/// What tells files from others of the same names.
pub fn sum(files: &[PathBuf]) -> String {
    let mut sum = Sha256::new();
    for file in files {
        let bytes = read(file);
        sum.update(file.file_name().unwrap().as_encoded_bytes());
        sum.update(bytes.len().to_le_bytes());
        sum.update(bytes);
    }
    hex(&sum.finalize())
}

/// The beginning of a sum.
pub fn hex(sum: &[u8]) -> String {
    sum.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// Does what has to be done once for what a lock file pins.
pub fn once(home: &Path, lock: &str, install: impl FnOnce()) {
    let done = home.join(format!("installed-{lock}"));
    if !done.exists() {
        install();
        File::create(done).unwrap();
    }
}

/// Runs a command that has to do its work.
pub fn must(command: &mut Command, why: &str) {
    let status = command.status();
    assert!(status.as_ref().is_ok_and(std::process::ExitStatus::success), "{why}; {command:?} failed: {status:?}");
}
