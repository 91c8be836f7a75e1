//! The manifests of `examples/apis`, each tried by its vendor's own client library. The library runs unmodified in a process of Node or Python, with the
//! placeholders of a run for its keys, against a recorder that every connection of the process leads to. What it sent there, the agent of that
//! run sends through the host, with the manifest as people copy it: each request is admitted and carries what its table in `vendors` says, and
//! the writes that the manifest is not for are denied.

use crate::agents;
use crate::vendor::{self, RECORDER, Recorded, Vendor, directory};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::sync::{Arc, Mutex, mpsc};
use strongroom_demo::server::{Seen, Server, respond};
use strongroom_tests::{AgentFixture, block_on};

/// What the agent prints when it has printed all placeholders.
const ALL: &str = "these are all";
/// What the library's connection sets for itself, and the agent's anew.
const OF_THE_CONNECTION: [&str; 6] = ["host", "connection", "content-length", "transfer-encoding", "keep-alive", "expect"];

/// One test for each table.
macro_rules! vendors {
    ($($test:ident: $vendor:literal,)*) => {
        const TRIED: &[&str] = &[$($vendor),*];
        $(#[test]
        fn $test() {
            tried($vendor);
        })*
    };
}

vendors! {
    openai_admits_its_library: "openai",
    anthropic_admits_its_library: "anthropic",
    github_admits_its_library: "github",
    github_app_admits_its_library: "github-app",
    google_admits_its_library: "google",
    stripe_admits_its_library: "stripe",
    telegram_admits_its_library: "telegram",
    slack_admits_its_library: "slack",
    binance_admits_its_library: "binance",
    bybit_admits_its_library: "bybit",
    kraken_admits_its_library: "kraken",
    okx_admits_its_library: "okx",
    coinbase_admits_its_library: "coinbase",
    s3_admits_its_library: "s3",
    purpleflea_admits_its_library: "purpleflea",
}

#[test]
fn every_manifest_is_tried() {
    let tried: BTreeSet<String> = TRIED.iter().map(|&name| name.to_owned()).collect();

    assert_eq!(vendor::names(&directory()), tried, "a table in `vendors` and a line in `vendors!` belong together");
    assert_eq!(vendor::names(&agents::root().join("examples/apis")), tried, "each manifest has a table in `vendors`");
}

/// Has the library make its calls, and the agent send them.
fn tried(name: &str) {
    let vendor = Arc::new(Vendor::read(name));
    let (print, printed) = mpsc::channel::<String>();
    let printed = Mutex::new(printed);
    let kept: Arc<Mutex<Recorded>> = Arc::default();
    let (played, keep) = (Arc::clone(&vendor), Arc::clone(&kept));
    let hosts = vendor.hosts();
    let fixture = AgentFixture::of(format!("{}\n[[egress]]\nhost = \"{RECORDER}\"\n", vendor.manifest()))
        .names(hosts.iter().map(String::as_str).chain([RECORDER]))
        .watched(move |text| drop(print.send(text.to_owned())))
        .server(move |seen| {
            if seen.host != RECORDER {
                return played.answer(&played.line(seen, &BTreeMap::new()), &[]);
            }
            // The library's process and the recorder take their time.
            tokio::task::block_in_place(|| {
                let environment = environment(&printed.lock().unwrap());
                let (seen, failure) = record(&played, &environment);
                let recorded = Recorded { seen, failure, placeholders: played.placeholders(environment) };
                let lines: Vec<String> = recorded.seen.iter().map(line).collect();
                *keep.lock().unwrap() = recorded;
                respond(200, "text/plain", lines.join("\n"))
            })
        });
    let ran = vendor.with_values(fixture).run(&["env", &format!("print {ALL}"), &format!("replay https://{RECORDER}/")]);
    let faults = vendor.faults(&kept.lock().unwrap(), &ran);
    assert!(faults.is_empty(), "{name}:\n{}\n{}", faults.join("\n"), ran.stdout);
}

/// The agent's environment, once it has printed all of it.
fn environment(printed: &mpsc::Receiver<String>) -> BTreeMap<String, String> {
    let mut text = String::new();
    while !text.contains(ALL) {
        text.push_str(&printed.recv().expect("the agent prints before it asks"));
    }
    let variable = |line: &str| line.strip_prefix("env ")?.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    text.lines().filter_map(variable).collect()
}

/// Runs the calls of a table against a recorder that answers as the vendor says. What came there, and what was said where it failed.
fn record(vendor: &Arc<Vendor>, environment: &BTreeMap<String, String>) -> (Vec<Seen>, Option<String>) {
    let mut library = library(vendor);
    let hosts = vendor.hosts();
    let (played, placeholders) = (Arc::clone(vendor), environment.clone());
    let came: Mutex<Vec<String>> = Mutex::default();
    let recorded = async {
        let answer = move |seen: &Seen| {
            let mut came = came.lock().unwrap();
            let line = played.line(seen, &placeholders);
            let answer = played.answer(&line, &came);
            came.push(line);
            answer
        };
        let server = Server::https_1(&hosts.iter().map(String::as_str).collect::<Vec<_>>(), answer).await.unwrap();
        let dir = tempfile::tempdir().unwrap();
        let ca = dir.path().join("ca.pem");
        std::fs::write(&ca, &server.ca).unwrap();
        let path = std::env::var_os("PATH").unwrap_or_default();
        library.env_clear().envs(environment).env("PATH", path).env("HOME", dir.path());
        library.env("RECORDER", server.address.port().to_string()).env("NODE_EXTRA_CA_CERTS", &ca).env("REQUESTS_CA_BUNDLE", &ca);
        let made = library.output().unwrap();
        let said = || format!("{}{}", String::from_utf8_lossy(&made.stdout), String::from_utf8_lossy(&made.stderr));
        (server.seen(), (!made.status.success()).then(said))
    };
    std::thread::scope(|scope| scope.spawn(|| block_on(recorded)).join()).unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// The process that a library makes its calls in, with all that it needs installed.
fn library(vendor: &Vendor) -> Command {
    let (home, _lock) = agents::entered("javascript");
    let scripts = home.join("vendors");
    agents::copied(&directory(), &scripts);
    let python = scripts.join(format!("{}.py", vendor.name));
    if python.exists() {
        let venv = agents::home().join("vendors");
        agents::once(&home, &agents::sum(&[scripts.join("requirements.txt")]), || {
            agents::virtual_environment(&venv);
            agents::must(agents::pip(&venv).arg("-r").arg(scripts.join("requirements.txt")), "pip installs the libraries from PyPI");
        });
        let mut process = Command::new(venv.join("bin/python"));
        process.arg("-I").arg(scripts.join("lead.py")).arg(python);
        return process;
    }
    agents::with_npm(&home);
    let mut process = Command::new("node");
    process.arg("--import").arg(scripts.join("lead.mjs"));
    match &vendor.agent {
        Some(calls) => process.arg(scripts.join("agent.mjs")).args(calls),
        None => process.arg(scripts.join(format!("{}.mjs", vendor.name))),
    };
    process
}

/// A request as the probe reads it.
fn line(seen: &Seen) -> String {
    let encoded = |bytes: &[u8]| STANDARD.encode(bytes);
    let url = format!("https://{}{}", seen.host, seen.target);
    let headers = seen.headers.iter().filter(|(name, _)| !OF_THE_CONNECTION.contains(&name.as_str()));
    let headers = headers.map(|(name, value)| format!(" {name}={}", encoded(value.as_bytes())));
    format!("{} {} {}{}", seen.method, encoded(url.as_bytes()), encoded(&seen.body), headers.collect::<String>())
}
