//! Makes the defects of `tests/hostile/mutations.toml` in a copy of the tree, runs the tests that must fail for them, and says which
//! defects live. `cargo run -p strongroom-tests --bin mutate [--each] [NAME…]`.
//!
//! A defect with `expect` is a line that somebody might write in a hurry, and that the compiler must refuse, for this reason.
//!
//! Defects whose tests have nothing in common are made together, so that the list takes tens of minutes and not hours; then a test may
//! owe its failure to another defect of its batch. With `--each` one after the other: a minute each, after some minutes for the first
//! build. `CARGO_TARGET_DIR` says where they are built.

use std::collections::BTreeSet;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};
use toml::{Table, Value};

/// Most defects of one batch.
const BATCH: usize = 12;
/// How long the tests of one batch may take: a defect may have them wait for ever.
const PATIENCE: Duration = Duration::from_secs(600);

/// One line that is wrong.
struct Defect {
    name: String,
    file: String,
    find: String,
    replace: String,
    /// The tests that must fail.
    tests: Vec<String>,
    /// Whether one of them is beside what it tests, and not in the suites.
    is_unit: bool,
    /// The compiler's error, where the line must not compile.
    refusal: Option<String>,
}

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let wanted: Vec<&String> = arguments.iter().filter(|argument| *argument != "--each").collect();
    let most = if arguments.len() == wanted.len() { BATCH } else { 1 };
    let table: Table = include_str!("../../hostile/mutations.toml").parse().expect("the list is TOML");
    let listed = table["mutation"].as_array().expect("a list").iter().filter_map(Value::as_table).map(Defect::read);
    let mut left: Vec<Defect> = listed.filter(|defect| wanted.is_empty() || wanted.contains(&&defect.name)).collect();
    let mutants = Mutants {
        copy: root.join("target/mutants"),
        build: std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target/mutants-build"), PathBuf::from),
    };
    copy_tree(&root, &mutants.copy);
    let (mut tried, mut alive) = (0, 0);
    let (lines, rest): (Vec<Defect>, Vec<Defect>) = left.into_iter().partition(|defect| defect.refusal.is_some());
    left = rest;
    for line in &lines {
        let fate = mutants.refused(line);
        println!("{fate:8} {:24} {}", "the compiler", line.name);
        tried += 1;
        alive += usize::from(fate != "killed");
    }
    while !left.is_empty() {
        let (batch, rest) = batch(left, most);
        left = rest;
        for (fate, test, name) in mutants.fates(&batch) {
            println!("{fate:8} {test:24} {name}");
            tried += 1;
            alive += usize::from(fate != "killed");
        }
    }
    println!("{tried} tried, {alive} alive");
    ExitCode::from(u8::from(alive > 0 || tried == 0))
}

/// The first defects that can be made together, and the others.
fn batch(defects: Vec<Defect>, most: usize) -> (Vec<Defect>, Vec<Defect>) {
    let (mut batch, mut rest): (Vec<Defect>, Vec<Defect>) = (Vec::new(), Vec::new());
    for defect in defects {
        let shares = |other: &Defect| {
            other.tests.iter().any(|a| defect.tests.iter().any(|b| a.starts_with(b.as_str()) || b.starts_with(a.as_str())))
        };
        if batch.len() < most && !batch.iter().any(shares) { batch.push(defect) } else { rest.push(defect) }
    }
    (batch, rest)
}

/// The cargo that runs this, or the one on PATH: that which has built it may be gone.
fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

impl Defect {
    fn read(table: &Table) -> Self {
        let text = |key: &str| table[key].as_str().expect("text").to_owned();
        let rows = table.get("rows").and_then(Value::as_array).cloned().unwrap_or_default();
        let rows = rows.iter().filter_map(Value::as_integer).map(|row| format!("hostile::row_{row}_"));
        let named = |key: &str| table.get(key).and_then(Value::as_str).map(str::to_owned);
        let (unit, is_unit) = (named("unit"), table.contains_key("unit"));
        let tests = rows.chain(named("test")).chain(unit).collect();
        let refusal = table.get("expect").and_then(Value::as_str).map(|expected| {
            expected.strip_prefix("does not compile: ").expect("an error of the compiler, as in `does not compile: E0382`").to_owned()
        });
        Self { name: text("name"), file: text("file"), find: text("find"), replace: text("replace"), tests, is_unit, refusal }
    }
}

/// What a run of cargo came to.
#[derive(Default)]
struct Ran {
    passed: bool,
    output: String,
    /// Whether it ended by itself.
    in_time: bool,
}

/// Where defects are made, and built.
struct Mutants {
    copy: PathBuf,
    build: PathBuf,
}

impl Mutants {
    /// What comes of some defects: for each of their tests a word, the test, and the defect's name.
    fn fates<'d>(&self, defects: &'d [Defect]) -> Vec<(&'static str, &'d str, &'d str)> {
        let mut sources: Vec<(PathBuf, String)> = Vec::new();
        let mut lost: Vec<&str> = Vec::new();
        for defect in defects {
            let file = self.copy.join(&defect.file);
            let source = std::fs::read_to_string(&file).expect("the file");
            if source.matches(&defect.find).count() != 1 {
                lost.push(&defect.name);
                continue;
            }
            std::fs::write(&file, source.replace(&defect.find, &defect.replace)).expect("written");
            sources.push((file, source));
        }
        let targets: &[&str] =
            if defects.iter().any(|defect| defect.is_unit) { &["--lib", "--test", "suites"] } else { &["--test", "suites"] };
        let built = self.cargo(targets, &["--no-run"]).passed;
        let tests: Vec<&str> = defects.iter().flat_map(|defect| defect.tests.iter().map(String::as_str)).collect();
        let ran = if built { self.cargo(targets, &[&["--no-fail-fast", "--"][..], &tests].concat()) } else { Ran::default() };
        let Ran { output, in_time, .. } = ran;
        // In the opposite order: one file may have several.
        sources.iter().rev().for_each(|(file, source)| std::fs::write(file, source).expect("written"));
        // A run that another defect has ended says nothing of the tests that were still to come; and two may be made in one line.
        let ended = built && output.lines().any(|line| line.starts_with("test result:"));
        if (!ended || !lost.is_empty()) && defects.len() > 1 {
            let (some, others) = defects.split_at(defects.len() / 2);
            return [self.fates(some), self.fates(others)].concat();
        }
        let fate = |defect: &Defect, test: &str| {
            let ran = |ends: &str| {
                output.lines().any(|line| line.strip_prefix("test ").is_some_and(|rest| rest.starts_with(test) && rest.ends_with(ends)))
            };
            match () {
                () if lost.contains(&defect.name.as_str()) => "no place",
                () if !built => "unbuilt",
                () if ran("FAILED") => "killed",
                () if ended && in_time && !ran("ok") => "no test",
                // One that is still under way when the others have long ended hangs; or it has taken the run along.
                () if !ran("ok") => "killed",
                () => "ALIVE",
            }
        };
        defects
            .iter()
            .flat_map(|defect| defect.tests.iter().map(move |test| (defect, test)))
            .map(|(defect, test)| (fate(defect, test), test.as_str(), defect.name.as_str()))
            .collect()
    }

    /// What comes of a line that must not compile.
    fn refused(&self, defect: &Defect) -> &'static str {
        let file = self.copy.join(&defect.file);
        let source = std::fs::read_to_string(&file).expect("the file");
        if source.matches(&defect.find).count() != 1 {
            return "no place";
        }
        std::fs::write(&file, source.replace(&defect.find, &defect.replace)).expect("written");
        let mut cargo = cargo();
        cargo.args(["check", "--package", "strongroom", "--lib"]).current_dir(&self.copy).env("CARGO_TARGET_DIR", &self.build);
        let checked = cargo.output().expect("cargo runs");
        std::fs::write(&file, source).expect("written");
        let code = defect.refusal.as_deref().unwrap_or_default();
        match (checked.status.success(), String::from_utf8_lossy(&checked.stderr).contains(&format!("error[{code}]"))) {
            (false, true) => "killed",
            (false, false) => "unbuilt",
            (true, _) => "ALIVE",
        }
    }

    /// Whether the suites were built, or passed; and what they printed.
    fn cargo(&self, targets: &[&str], arguments: &[&str]) -> Ran {
        let mut cargo = cargo();
        cargo.args(["test", "--workspace"]).args(targets).args(arguments).current_dir(&self.copy).env("CARGO_TARGET_DIR", &self.build);
        let mut running = cargo.process_group(0).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("cargo runs");
        let mut pipe = running.stdout.take().expect("its output");
        let reader = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            let _ = pipe.read_to_end(&mut bytes);
            String::from_utf8_lossy(&bytes).into_owned()
        });
        let begun = Instant::now();
        let is_build = arguments.contains(&"--no-run");
        let mut in_time = true;
        let passed = loop {
            match running.try_wait().expect("cargo runs") {
                Some(status) => break status.success(),
                None if !is_build && begun.elapsed() > PATIENCE => {
                    in_time = false;
                    // With all that it has started.
                    let _ = Command::new("kill").args(["-9", "--", &format!("-{}", running.id())]).status();
                    break false;
                }
                None => std::thread::sleep(Duration::from_millis(100)),
            }
        };
        Ran { passed, output: reader.join().unwrap_or_default(), in_time }
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
