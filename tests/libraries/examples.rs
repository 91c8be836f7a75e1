//! The examples that people copy to begin agents of their own: built by the commands of their READMEs, and run with their own manifests
//! against the API that the READMEs start. What a README shows is what is done here, so neither can drift.

use crate::agents;
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use strongroom_tests::AgentFixture;
use strongroom_tests::pages::Page;

/// The key. The READMEs' own is easy to tell by eye, and for that a part of it stands in CPython's memory by itself.
const VALUE: &str = "pk_live_5d0e93b7c1f24a688e30d9172fb6ca45";
/// What the READMEs have before a run: the fixture's host is set up like this.
const CONFIGURED: [&str; 2] = [
    "printf '[network]\\nallow = [\"127.0.0.1/32\"]\\n' > strongroom.toml",
    "export STRONGROOM_CONFIG=strongroom.toml PRICE_API_KEY=pk_live_00112233445566778899aabbccddeeff",
];
/// Where the API listens in manifests and READMEs; here on whatever port is free.
const ADDRESS: &str = "127.0.0.1:8080";

#[test]
fn price_rs() {
    let readme = Readme::of("price-rs");
    assert_eq!(readme.build, ["cargo build --release --target wasm32-wasip2 --package price-rs"], "`tests/components` does the same");

    for manifest in &readme.manifests {
        asks_for_a_price(&agents::root().join(manifest), |component| {
            assert!(component.starts_with(agents::root().join("target/wasm32-wasip2/release")), "cargo makes {component:?} elsewhere");
            strongroom_components::bytes(component.file_stem().unwrap().to_str().unwrap())
        });
    }
}

#[test]
fn price_js() {
    built_and_asked("price-js");
}

#[test]
fn price_py() {
    built_and_asked("price-py");
}

fn built_and_asked(example: &str) {
    let readme = Readme::of(example);
    let home = built(example, &readme.build);

    for manifest in &readme.manifests {
        asks_for_a_price(&home.join(manifest), agents::read);
    }
}

#[test]
fn getting_started_shows_the_commands_of_the_readmes() {
    let page = page("docs/getting-started.md");
    for example in ["price-js", "price-py"] {
        let enter = format!("cd strongroom/examples/agents/{example}");
        let block = page.blocks.iter().find(|block| block.text.starts_with(&enter)).unwrap_or_else(|| panic!("no block begins `{enter}`"));
        let shown: Vec<&str> = block.text.lines().skip(1).map(without_comment).collect();

        let Readme { build, manifests } = Readme::of(example);
        let runs = manifests.iter().map(|manifest| format!("strongroom run {manifest} -- http://{ADDRESS}/v1/price"));
        assert_eq!(shown, build.into_iter().chain(runs).collect::<Vec<_>>(), "{}", block.at);
    }
}

/// What the commands of an example's README do.
struct Readme {
    /// Make its component.
    build: Vec<String>,
    /// Run it, each with one of these manifests.
    manifests: Vec<String>,
}

impl Readme {
    fn of(example: &str) -> Self {
        let page = page(&format!("examples/agents/{example}/README.md"));
        let [block] = page.blocks.as_slice() else { panic!("{} has one block of commands", page.path) };
        let lines: Vec<&str> = block.text.lines().map(without_comment).collect();
        let configured =
            lines.iter().position(|line| *line == CONFIGURED[0]).unwrap_or_else(|| panic!("{} lacks {CONFIGURED:?}", block.at));
        assert_eq!(lines[configured..configured + 2], CONFIGURED, "{}", block.at);
        let manifest = |line: &&str| {
            let named = line.strip_prefix("strongroom run ").and_then(|rest| rest.strip_suffix(&format!(" -- http://{ADDRESS}/v1/price")));
            named.unwrap_or_else(|| panic!("{}: `{line}` runs no agent", block.at)).to_owned()
        };
        let manifests: Vec<String> = lines[configured + 2..].iter().map(manifest).collect();
        assert!(!manifests.is_empty(), "{} runs nothing", block.at);
        Self { build: lines[..configured].iter().map(|&line| line.to_owned()).collect(), manifests }
    }
}

fn page(path: &str) -> Page {
    Page::read(path, &fs::read_to_string(agents::root().join(path)).unwrap())
}

fn without_comment(line: &str) -> &str {
    line.split_once(" # ").map_or(line, |(line, _)| line).trim()
}

/// The directory of an example, copied so that the tree stays clean, and built there. What was made serves until a file or a command is
/// another one.
fn built(example: &str, commands: &[String]) -> PathBuf {
    let home = agents::home().join("examples").join(example);
    fs::create_dir_all(home.parent().unwrap()).unwrap();
    let lock = File::create(home.with_extension("lock")).unwrap();
    lock.lock().unwrap();
    let sources = agents::root().join("examples/agents").join(example);
    let files: Vec<PathBuf> = agents::files(&sources).iter().map(|file| sources.join(file)).collect();
    let commands = commands.join("\n");
    let done = home.join(format!("built-{}-{}", agents::sum(&files), agents::hex(&Sha256::digest(&commands))));
    if !done.exists() {
        if home.exists() {
            fs::remove_dir_all(&home).unwrap();
        }
        agents::copied(&sources, &home);
        let mut shell = Command::new("bash");
        shell.current_dir(&home).args(["-e", "-c", &commands]);
        // As quiet as a test is. What is made is the same.
        for (name, value) in [("npm_config_loglevel", "error"), ("npm_config_audit", "false"), ("npm_config_fund", "false")] {
            shell.env(name, value);
        }
        shell.env("PIP_QUIET", "1").env("PIP_DISABLE_PIP_VERSION_CHECK", "1").stdout(Stdio::null());
        agents::must(&mut shell, "the commands of its README build it");
        File::create(done).unwrap();
    }
    home
}

/// Runs the agent of a manifest: the API gets the key, and the agent sees the placeholder wherever the key was.
fn asks_for_a_price(file: &Path, component: impl FnOnce(&Path) -> Vec<u8>) {
    let mut api = Api::start();
    let text = fs::read_to_string(file).unwrap();
    assert_eq!(text.matches(ADDRESS).count(), 1, "one grant of {} is for the API on this machine", file.display());
    let manifest = text.replace(ADDRESS, &api.address);
    let component = component(&component_of(file, &manifest));
    let _first = agents::first(&component);

    let fixture = AgentFixture::of(manifest).value("PRICE_API_KEY", VALUE).component(component).plain_http();
    let ran = fixture.run(&[&format!("http://{}/v1/price", api.address)]);

    let placeholder = ran.stdout.lines().next().and_then(|line| line.strip_prefix("my key is ")).unwrap_or_default();
    let letters = placeholder.strip_prefix("pk_live_").unwrap_or_default();
    assert!(letters.len() == 32 && letters.bytes().all(|letter| letter.is_ascii_hexdigit()) && placeholder != VALUE, "{}", ran.stdout);
    let response = format!("{{\"pair\": \"ETH-USD\", \"price\": \"3120.50\", \"used\": \"Bearer {placeholder}\"}}");
    assert_eq!(ran.stdout, format!("my key is {placeholder}\n200 {response}\n"));
    assert_eq!(api.line(), format!("the API got: GET /v1/price, authorization: Bearer {VALUE}"));
}

/// The component's file that a manifest names.
fn component_of(file: &Path, manifest: &str) -> PathBuf {
    let manifest = strongroom::Manifest::parse("agent.toml", manifest).unwrap();
    let mut path = file.parent().unwrap().to_owned();
    for part in manifest.component.unwrap().components() {
        if part == std::path::Component::ParentDir {
            path.pop();
        } else {
            path.push(part);
        }
    }
    path
}

/// The examples' API, on a port that was free.
struct Api {
    process: Child,
    said: BufReader<ChildStdout>,
    address: String,
}

impl Api {
    fn start() -> Self {
        let mut python = Command::new("python3");
        python.arg(agents::root().join("examples/agents/price-api.py")).arg("0");
        let mut process = python.stdout(Stdio::piped()).spawn().unwrap();
        let said = BufReader::new(process.stdout.take().unwrap());
        let mut api = Self { process, said, address: String::new() };
        let line = api.line();
        api.address = line.strip_prefix("the API listens on http://").unwrap_or_else(|| panic!("it said `{line}`")).to_owned();
        api
    }

    /// The next line that it prints.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.said.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
