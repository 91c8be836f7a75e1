//! The packages of the contract, `wit/npm` and `wit/pypi`: packed and installed as people do, with an agent of their READMEs that the types
//! take and lines that they don't. The types are what the tools make of the WIT files, so neither can drift; where the contract changes,
//! `STRONGROOM_UPDATE=1` writes them anew.

use crate::agents::{self, must};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The interfaces that JavaScript has types for: the file of the package, and jco's.
const DECLARED: [(&str, &str); 4] = [
    ("environment", "wasi-cli-environment"),
    ("log", "strongroom-agent-log"),
    ("secrets", "strongroom-agent-secrets"),
    ("signing", "strongroom-agent-signing"),
];

/// The modules that Python has stubs for: the file of the package, and componentize-py's.
const STUBS: [(&str, &str); 8] = [
    ("componentize_py_types-stubs/__init__", "componentize_py_types"),
    ("wit_world-stubs/__init__", "wit_world/__init__"),
    ("wit_world-stubs/exports/__init__", "wit_world/exports/__init__"),
    ("wit_world-stubs/imports/__init__", "wit_world/imports/__init__"),
    ("wit_world-stubs/imports/environment", "wit_world/imports/environment"),
    ("wit_world-stubs/imports/log", "wit_world/imports/log"),
    ("wit_world-stubs/imports/secrets", "wit_world/imports/secrets"),
    ("wit_world-stubs/imports/signing", "wit_world/imports/signing"),
];

#[test]
fn the_types_are_what_the_tools_make_of_the_contract() {
    let (jco, venv) = agents::tools();
    let (home, _lock) = agents::entered("contract");
    let (javascript, python) = (emptied("javascript"), emptied("python"));
    let mut types = Command::new(jco);
    types.arg("guest-types").arg(wit()).args(["--world-name", "agent", "--all-features", "--quiet", "--out-dir"]).arg(&javascript);
    must(&mut types, "jco makes types of the contract");
    let mut bindings = Command::new(venv.join("bin/componentize-py"));
    bindings.env("VIRTUAL_ENV", &venv).arg("--wit-path").arg(wit()).arg("--wit-path").arg(home.join("world.wit"));
    bindings.args(["--world", "example:bot/bot", "--quiet", "bindings"]).arg(&python);
    must(&mut bindings, "componentize-py makes bindings of the contract");

    for (name, made) in DECLARED {
        let made = text(&javascript.join("interfaces").join(made).with_extension("d.ts"));
        agree(&format!("wit/npm/{name}.d.ts"), &trimmed(made.lines()));
    }
    for (name, made) in STUBS {
        agree(&format!("wit/pypi/{name}.pyi"), &stub(&text(&python.join(made).with_extension("py"))));
    }
}

#[test]
fn the_npm_package_types_an_agent() {
    let (home, _lock) = agents::entered("contract");
    agents::with_npm(&home);
    let package = copied();

    let mut npm = Command::new("npm");
    npm.current_dir(&home).args(["pack", "--json", "--silent"]).arg(package.join("npm"));
    let packed: Value = serde_json::from_slice(&succeeded(&mut npm, "npm packs the package").stdout).unwrap();
    let files: Vec<&str> = packed[0]["files"].as_array().unwrap().iter().map(|file| file["path"].as_str().unwrap()).collect();
    let own = ["LICENSE-APACHE", "LICENSE-MIT", "README.md", "index.d.ts", "package.json"].map(str::to_owned);
    let declared = DECLARED.map(|(name, _)| format!("{name}.d.ts"));
    assert_eq!(sorted(files), sorted(own.into_iter().chain(declared).chain(contract("wit"))));

    let mut npm = Command::new("npm");
    npm.current_dir(&home).args(["install", "--silent", "--no-audit", "--no-fund", "--no-save", "--ignore-scripts"]);
    must(npm.arg(format!("./{}", packed[0]["filename"].as_str().unwrap())), "npm installs the package");
    same(&home.join("node_modules/@strongroom/agent/wit"));
    let mut types = Command::new(home.join("node_modules/.bin/tsc"));
    types.current_dir(&home).args(["--project", ".", "--noEmit"]);
    succeeded(&mut types, "TypeScript takes `agent.ts`, and of `wrong.ts` each line for the error that it is");
}

#[test]
fn the_pypi_package_types_an_agent() {
    let (home, _lock) = agents::entered("contract");
    let venv = home.join("venv");
    let dist = emptied("dist");
    agents::once(&home, &agents::sum(&[home.join("requirements.txt")]), || {
        agents::virtual_environment(&venv);
        must(agents::pip(&venv).current_dir(&home).args(["-r", "requirements.txt"]), "pip installs mypy and hatchling from PyPI");
    });
    let package = copied();

    let mut pip = Command::new(venv.join("bin/pip"));
    pip.args(["wheel", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-build-isolation", "--wheel-dir"]).arg(&dist);
    must(pip.arg(package.join("pypi")), "hatchling makes a wheel");
    let wheel = dist.join("strongroom_agent-0.1.0-py3-none-any.whl");
    let mut python = Command::new(venv.join("bin/python3"));
    let names = "import sys, zipfile; print('\\n'.join(zipfile.ZipFile(sys.argv[1]).namelist()))";
    let listed = String::from_utf8(succeeded(python.args(["-c", names]).arg(&wheel), "Python reads the wheel").stdout).unwrap();
    let own = ["METADATA", "RECORD", "WHEEL", "licenses/LICENSE-APACHE", "licenses/LICENSE-MIT"];
    let own = own.map(|name| format!("strongroom_agent-0.1.0.dist-info/{name}"));
    let module = ["__init__.py", "__main__.py", "py.typed"].map(|name| format!("strongroom_agent/{name}"));
    let marks = ["wit_world-stubs/py.typed", "componentize_py_types-stubs/py.typed"].map(str::to_owned);
    let stubs = STUBS.map(|(name, _)| format!("{name}.pyi"));
    let expected = own.into_iter().chain(module).chain(marks).chain(stubs).chain(contract("strongroom_agent/wit"));
    assert_eq!(sorted(listed.lines()), sorted(expected));

    let mut pip = Command::new(venv.join("bin/pip"));
    pip.args(["install", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-index", "--force-reinstall"]);
    must(pip.arg(&wheel), "pip installs the wheel");
    let mut where_it_is = Command::new(venv.join("bin/python3"));
    let place = succeeded(where_it_is.current_dir(&dist).args(["-m", "strongroom_agent"]), "it says where its WIT files are").stdout;
    same(Path::new(std::str::from_utf8(&place).unwrap().trim_end()));
    let mut mypy = Command::new(venv.join("bin/mypy"));
    mypy.current_dir(&home).args(["--strict", "--python-version", "3.12", "app.py", "wrong.py"]);
    succeeded(&mut mypy, "mypy takes `app.py`, and of `wrong.py` each line for the error that it is");
}

#[test]
fn licences_are_the_projects_and_versions_the_contracts() {
    for package in ["npm", "pypi"] {
        for licence in ["LICENSE-APACHE", "LICENSE-MIT"] {
            assert!(text(&wit().join(package).join(licence)) == text(&agents::root().join(licence)), "{package}/{licence}");
        }
    }
    let contract = text(&wit().join("agent.wit"));
    let version = contract.lines().next().and_then(|line| line.strip_prefix("package strongroom:agent@")?.strip_suffix(';')).unwrap();
    let package: Value = serde_json::from_str(&text(&wit().join("npm/package.json"))).unwrap();
    let project: toml::Table = text(&wit().join("pypi/pyproject.toml")).parse().unwrap();
    assert_eq!(package["version"], version);
    assert_eq!(project["project"]["version"].as_str(), Some(version));
}

fn wit() -> PathBuf {
    agents::root().join("wit")
}

fn text(file: &Path) -> String {
    String::from_utf8(agents::read(file)).unwrap()
}

/// The WIT files, as a package has them below a directory.
fn contract(below: &str) -> Vec<String> {
    let deps = agents::files(&wit().join("deps"));
    let deps = deps.iter().map(|file| format!("{below}/deps/{}", file.display()));
    deps.chain([format!("{below}/agent.wit")]).collect()
}

/// The contract with its packages, where tools may write.
fn copied() -> PathBuf {
    let package = emptied("wit");
    agents::copied(&wit(), &package);
    package
}

/// An empty directory for what a tool makes, away from the agent: TypeScript reads whatever is beside one.
fn emptied(name: &str) -> PathBuf {
    let directory = agents::home().join("contract-made").join(name);
    if directory.exists() {
        fs::remove_dir_all(&directory).unwrap();
    }
    fs::create_dir_all(&directory).unwrap();
    directory
}

fn sorted(names: impl IntoIterator<Item = impl Into<String>>) -> Vec<String> {
    let mut names: Vec<String> = names.into_iter().map(Into::into).collect();
    names.sort();
    names
}

/// The WIT files of an installed package are the contract's, byte for byte.
fn same(installed: &Path) {
    for file in contract(".") {
        assert!(agents::read(&installed.join(&file)) == agents::read(&wit().join(&file)), "{}", installed.join(&file).display());
    }
}

/// Runs a command whose output says what is wrong.
fn succeeded(command: &mut Command, why: &str) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{why}; {command:?}: {error}"));
    let said = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat();
    assert!(output.status.success(), "{why}; {command:?}:\n{said}");
    output
}

/// Holds a file of a package against what a tool has made, or writes it there.
fn agree(file: &str, made: &str) {
    let path = agents::root().join(file);
    if std::env::var_os("STRONGROOM_UPDATE").is_some() {
        return fs::write(path, made).unwrap();
    }
    let written = fs::read_to_string(path).unwrap_or_default();
    assert!(written == made, "{file} is not what the tools make of `wit/agent.wit`; STRONGROOM_UPDATE=1 writes it anew:\n{made}");
}

/// Lines without blanks at their ends, and without empty ones at the end.
fn trimmed<'l>(lines: impl Iterator<Item = &'l str>) -> String {
    let text: String = lines.flat_map(|line| [line.trim_end(), "\n"]).collect();
    let text = text.trim_end();
    if text.is_empty() { String::new() } else { format!("{text}\n") }
}

/// What a type checker wants of a generated module: no bodies, and of two empty lines one.
fn stub(module: &str) -> String {
    let unwanted =
        ["# This file is automatically generated", "# It is not intended for manual", "raise NotImplementedError", "return self"];
    let lines = module.lines().map(str::trim_end).filter(|line| !unwanted.iter().any(|unwanted| line.trim_start().starts_with(unwanted)));
    let lines: Vec<&str> = lines.collect();
    let is_wanted = |at: usize| !lines[at].is_empty() || (at > 0 && !lines[at - 1].is_empty());
    trimmed((0..lines.len()).filter(|&at| is_wanted(at)).map(|at| lines[at]))
}
