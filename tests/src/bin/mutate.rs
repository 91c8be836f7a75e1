//! Makes each defect of `tests/hostile/mutations.toml` in a copy of the tree, runs the tests that must fail for it, and says which
//! defects live. `cargo run -p strongroom-tests --bin mutate [NAME…]`; some 30 seconds each, after some minutes for the first build.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use toml::{Table, Value};

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let copy = root.join("target/mutants");
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let table: Table = include_str!("../../hostile/mutations.toml").parse().expect("the list is TOML");
    let mutations = table["mutation"].as_array().expect("a list").iter().filter_map(Value::as_table);
    copy_tree(&root, &copy);
    let mut alive = 0;
    let mut tried = 0;
    for mutation in mutations.filter(|mutation| wanted.is_empty() || wanted.iter().any(|name| mutation["name"].as_str() == Some(name))) {
        let name = mutation["name"].as_str().expect("a name");
        for test in tests(mutation) {
            let fate = fate(&root, &copy, mutation, &test);
            println!("{fate:8} {test:24} {name}");
            tried += 1;
            alive += usize::from(fate != "killed");
        }
    }
    println!("{tried} tried, {alive} alive");
    ExitCode::from(u8::from(alive > 0 || tried == 0))
}

/// The tests that must fail.
fn tests(mutation: &Table) -> Vec<String> {
    let rows = mutation.get("rows").and_then(Value::as_array).cloned().unwrap_or_default();
    let rows = rows.iter().filter_map(Value::as_integer).map(|row| format!("hostile::row_{row}_"));
    rows.chain(mutation.get("test").and_then(Value::as_str).map(str::to_owned)).collect()
}

fn fate(root: &Path, copy: &Path, mutation: &Table, test: &str) -> &'static str {
    let text = |key: &str| mutation[key].as_str().expect("text");
    let file = copy.join(text("file"));
    let source = std::fs::read_to_string(&file).expect("the file");
    if source.matches(text("find")).count() != 1 {
        return "no place";
    }
    std::fs::write(&file, source.replace(text("find"), text("replace"))).expect("written");
    let cargo = |arguments: &[&str]| {
        let mut cargo = Command::new(env!("CARGO"));
        cargo
            .args(arguments)
            .current_dir(copy)
            .env("CARGO_TARGET_DIR", root.join("target/mutants-build"))
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        cargo.status().expect("cargo runs").success()
    };
    let built = cargo(&["test", "-p", "strongroom-tests", "--test", "suites", "--no-run"]);
    let passed = built && cargo(&["test", "-p", "strongroom-tests", "--test", "suites", test]);
    std::fs::write(&file, source).expect("written");
    match (built, passed) {
        (false, _) => "unbuilt",
        (true, true) => "ALIVE",
        (true, false) => "killed",
    }
}

/// Copies what version control keeps, and what it would.
fn copy_tree(root: &Path, copy: &Path) {
    let listed = Command::new("git").args(["ls-files", "--cached", "--others", "--exclude-standard"]).current_dir(root).output();
    let listed = String::from_utf8(listed.expect("git runs").stdout).expect("names are UTF-8");
    let listed: BTreeSet<PathBuf> = listed.lines().map(PathBuf::from).filter(|name| root.join(name).exists()).collect();
    for name in &listed {
        let (from, to) = (root.join(name), copy.join(name));
        let Ok(bytes) = std::fs::read(&from) else { continue };
        // What is unchanged keeps its time, so that cargo builds it once.
        if std::fs::read(&to).is_ok_and(|old| old == bytes) {
            continue;
        }
        std::fs::create_dir_all(to.parent().expect("a directory")).expect("created");
        std::fs::write(&to, bytes).expect("copied");
    }
    remove_others(copy, copy, &listed);
}

/// Removes what an earlier copy has left: a module may have moved since.
fn remove_others(copy: &Path, directory: &Path, listed: &BTreeSet<PathBuf>) {
    for entry in std::fs::read_dir(directory).expect("the copy").filter_map(Result::ok) {
        let path = entry.path();
        let name = path.strip_prefix(copy).expect("within the copy");
        if path.is_dir() {
            if name != Path::new("target") {
                remove_others(copy, &path, listed);
            }
        } else if !listed.contains(name) {
            std::fs::remove_file(&path).expect("removed");
        }
    }
}
