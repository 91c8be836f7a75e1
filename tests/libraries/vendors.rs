//! The manifests of `examples/apis`, each tried by its vendor's own client library. The library runs unmodified in a process of Node, with the
//! placeholders of a run for its keys, against a recorder that every connection of the process leads to. What it sent there, the agent of that
//! run sends through the host, with the manifest as people copy it: each request is admitted and carries what its table in `vendors` says, and
//! the writes that the manifest is not for are denied.

use crate::agents;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, mpsc};
use strongroom_demo::server::{Response, Seen, Server, respond};
use strongroom_tests::aws::KeyPair;
use strongroom_tests::{AgentFixture, Ran, block_on};

/// Where the agent gets what the library sent: the only line that the manifest has besides its own.
const RECORDER: &str = "recorder.test";
/// What the agent prints when it has printed all placeholders.
const ALL: &str = "these are all";
/// What the library's connection sets for itself, and the agent's anew.
const OF_THE_CONNECTION: [&str; 6] = ["host", "connection", "content-length", "transfer-encoding", "keep-alive", "expect"];

/// What a library sends for one manifest.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    /// The manifest's secrets.
    secret: BTreeMap<String, Secret>,
    /// Each request, once.
    request: Vec<Request>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Secret {
    /// Its value, with `{}` for the text of `file` as JSON.
    #[serde(default = "whole")]
    value: String,
    /// A file below `tests`.
    file: Option<PathBuf>,
    /// What arrives for it, where that is another text: `""` for a signature or a token that each request has anew.
    arrives: Option<String>,
}

#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
struct Request {
    /// `METHOD HOST/PATH`; what follows `?` may hold a time or a signature.
    on: String,
    /// The secrets that it carries.
    #[serde(default)]
    carries: BTreeSet<String>,
    /// The rule that denies it.
    denied: Option<String>,
    /// The host itself sends it, for a token.
    #[serde(default)]
    by_host: bool,
    /// What it is answered: JSON, or what `kind` says.
    #[serde(default)]
    answer: String,
    #[serde(default = "json")]
    kind: String,
}

fn whole() -> String {
    "{}".to_owned()
}

fn json() -> String {
    "application/json".to_owned()
}

/// One test for each table.
macro_rules! vendors {
    ($($test:ident: $table:literal,)*) => {
        const TRIED: &[&str] = &[$($table),*];
        $(#[test]
        fn $test() {
            tried($table);
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
    purpleflea_admits_its_library: "purpleflea",
}

#[test]
fn s3_admits_its_library_and_what_arrives_is_signed_by_the_real_pair() {
    let table = Table::read("s3");
    let value = |name: &str| table.secret[name].value();
    let pair = KeyPair { access_key_id: value("AWS_ACCESS_KEY_ID"), secret: value("AWS_SECRET_ACCESS_KEY"), token: None };

    let ran = tried("s3");

    for seen in ran.seen.iter().filter(|seen| seen.host != RECORDER) {
        pair.signed(seen).unwrap_or_else(|fault| panic!("{} {}: {fault}", seen.method, seen.target));
    }
}

#[test]
fn every_manifest_is_tried() {
    let names = |directory: &Path| -> BTreeSet<String> {
        let files = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
        let tables = files.filter(|file| file.extension().is_some_and(|extension| extension == "toml"));
        tables.map(|file| file.file_stem().unwrap().to_str().unwrap().to_owned()).collect()
    };
    let tried: BTreeSet<String> = TRIED.iter().chain(&["s3"]).map(|&name| name.to_owned()).collect();

    assert_eq!(names(&directory()), tried, "a table in `vendors` and a line in `vendors!` belong together");
    assert_eq!(names(&agents::root().join("examples/apis")), tried, "each manifest has a table in `vendors`");
}

/// Has the library make its calls, and the agent send them.
fn tried(name: &str) -> Ran {
    let table = Arc::new(Table::read(name));
    let manifest = std::fs::read_to_string(agents::root().join("examples/apis").join(format!("{name}.toml"))).unwrap();
    // The fixture has values under their own names, whatever variables a manifest takes them from.
    let manifest = manifest.replace("from = \"env:AGENT_", "from = \"static:");
    let (print, printed) = mpsc::channel::<String>();
    let printed = Mutex::new(printed);
    let kept: Arc<Mutex<Recorded>> = Arc::default();
    let (played, keep, library) = (Arc::clone(&table), Arc::clone(&kept), name.to_owned());
    let hosts = table.hosts();
    let mut fixture = AgentFixture::of(format!("{manifest}\n[[egress]]\nhost = \"{RECORDER}\"\n"))
        .names(hosts.iter().map(String::as_str).chain([RECORDER]))
        .watched(move |text| drop(print.send(text.to_owned())))
        .server(move |seen| {
            if seen.host != RECORDER {
                return played.answer(&played.line(seen, &BTreeMap::new()), &[]);
            }
            // The library's process and the recorder take their time.
            tokio::task::block_in_place(|| {
                let mut environment = environment(&printed.lock().unwrap());
                let (seen, failure) = record(&library, &played, &environment);
                environment.retain(|name, _| played.secret.contains_key(name));
                let recorded = Recorded { seen, failure, placeholders: environment };
                let lines: Vec<String> = recorded.seen.iter().map(line).collect();
                *keep.lock().unwrap() = recorded;
                respond(200, "text/plain", lines.join("\n"))
            })
        });
    for (name, secret) in &table.secret {
        fixture = fixture.value(name, &secret.value());
    }
    let ran = fixture.run(&["env", &format!("print {ALL}"), &format!("replay https://{RECORDER}/")]);
    let faults = table.faults(&kept.lock().unwrap(), &ran);
    assert!(faults.is_empty(), "{name}:\n{}\n{}", faults.join("\n"), ran.stdout);
    ran
}

/// What a library sent, and with what in the places of its keys.
#[derive(Default)]
struct Recorded {
    seen: Vec<Seen>,
    /// What the library's process said where it failed.
    failure: Option<String>,
    placeholders: BTreeMap<String, String>,
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

/// Runs the calls of `vendors/NAME.mjs` against a recorder that answers as the table says. What came there, and what was said where it failed.
fn record(name: &str, table: &Arc<Table>, environment: &BTreeMap<String, String>) -> (Vec<Seen>, Option<String>) {
    let mut library = library(name);
    let hosts = table.hosts();
    let (played, placeholders) = (Arc::clone(table), environment.clone());
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
fn library(name: &str) -> Command {
    let (home, _lock) = agents::entered("javascript");
    let scripts = home.join("vendors");
    agents::copied(&directory(), &scripts);
    let python = scripts.join(format!("{name}.py"));
    if python.exists() {
        let venv = agents::home().join("vendors");
        agents::once(&home, &agents::sum(&[scripts.join("requirements.txt")]), || {
            agents::virtual_environment(&venv);
            agents::must(agents::pip(&venv).arg("-r").arg(scripts.join("requirements.txt")), "pip installs the libraries from PyPI");
        });
        let mut process = Command::new(venv.join("bin/python"));
        process.arg(python);
        return process;
    }
    agents::with_npm(&home);
    let mut process = Command::new("node");
    process.arg("--import").arg(scripts.join("lead.mjs")).arg(scripts.join(format!("{name}.mjs")));
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

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("libraries/vendors")
}

impl Secret {
    fn value(&self) -> String {
        let Some(file) = &self.file else { return self.value.clone() };
        let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
        if self.value == whole() { text } else { self.value.replace("{}", &serde_json::to_string(&text).unwrap()) }
    }
}

impl Table {
    fn read(name: &str) -> Self {
        let file = directory().join(format!("{name}.toml"));
        let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    }

    fn hosts(&self) -> BTreeSet<String> {
        let host = |request: &Request| request.on.split_once(' ').unwrap().1.split('/').next().unwrap().to_owned();
        self.request.iter().map(host).collect()
    }

    /// A request as tables have it, with `{NAME}` for a secret in its path.
    fn line(&self, seen: &Seen, placeholders: &BTreeMap<String, String>) -> String {
        let line = format!("{} {}{}", seen.method, seen.host, seen.path());
        let values = self.secret.iter().map(|(name, secret)| (name, secret.value()));
        let placeholders = placeholders.iter().filter(|(name, _)| self.secret.contains_key(*name));
        let texts = placeholders.map(|(name, placeholder)| (name, placeholder.clone())).chain(values);
        texts.fold(line, |line, (name, text)| line.replace(&text, &format!("{{{name}}}")))
    }

    /// The answer to a request, of which some may have come before.
    fn answer(&self, line: &str, before: &[String]) -> Response {
        let earlier = before.iter().filter(|earlier| *earlier == line).count();
        let like: Vec<&Request> = self.request.iter().filter(|request| request.on == line).collect();
        match like.get(earlier).or(like.last()) {
            Some(request) if request.answer.is_empty() => respond(200, &request.kind, "{}"),
            Some(request) => respond(200, &request.kind, request.answer.clone()),
            None => respond(404, "application/json", "{}"),
        }
    }

    /// What was otherwise than this table.
    fn faults(&self, recorded: &Recorded, ran: &Ran) -> Vec<String> {
        let mut faults: Vec<String> = recorded.failure.iter().cloned().collect();
        let mut expected: Vec<&Request> = self.request.iter().filter(|request| !request.by_host).collect();
        let outcomes: Vec<&str> = ran.stdout.lines().filter_map(|line| line.strip_prefix("replay ")).collect();
        let mut records = ran.records("egress").into_iter().filter(|record| !record["url"].as_str().unwrap().contains(RECORDER));
        let mut arrived = ran.seen.iter().filter(|seen| seen.host != RECORDER && !self.is_of_host(seen));
        if outcomes.len() != recorded.seen.len() {
            faults.push(format!("the library sent {} requests, the agent {}", recorded.seen.len(), outcomes.len()));
        }
        for (sent, outcome) in recorded.seen.iter().zip(outcomes) {
            let line = self.line(sent, &recorded.placeholders);
            let Some(at) = expected.iter().position(|request| request.on == line) else {
                faults.push(format!("{line} is not in the table"));
                continue;
            };
            let request = expected.remove(at);
            let mut fault = |what: String| faults.push(format!("{line}: {what}"));
            match &request.denied {
                Some(rule) if !outcome.starts_with(&format!("denied by rule `{rule}`")) => {
                    fault(format!("not denied by `{rule}`: {outcome}"))
                }
                Some(_) => {}
                None if !outcome.starts_with("200") => fault(format!("not admitted: {outcome}")),
                None => match (records.next(), arrived.next()) {
                    (Some(record), Some(arrived)) => self.unlike(request, recorded, record, arrived).into_iter().for_each(fault),
                    _ => fault("it did not arrive".to_owned()),
                },
            }
        }
        faults.extend(expected.iter().map(|request| format!("{} did not come", request.on)));
        faults
    }

    fn is_of_host(&self, seen: &Seen) -> bool {
        self.request.iter().any(|request| request.by_host && request.on == self.line(seen, &BTreeMap::new()))
    }

    /// What a request that arrived has otherwise than the table.
    fn unlike(&self, request: &Request, recorded: &Recorded, record: &serde_json::Value, arrived: &Seen) -> Vec<String> {
        let mut faults = Vec::new();
        let used = record["secrets"].as_array().into_iter().flatten().filter_map(|secret| secret["name"].as_str());
        let used: BTreeSet<String> = used.map(str::to_owned).collect();
        if used != request.carries {
            faults.push(format!("carries {used:?}, not {:?}", request.carries));
        }
        let text = arrived.text();
        for (name, secret) in &self.secret {
            let is_carried = request.carries.contains(name);
            let arrives = secret.arrives.clone().unwrap_or_else(|| secret.value());
            if !arrives.is_empty() && text.matches(&arrives).count() != usize::from(is_carried) {
                faults.push(format!("`{name}` arrived {} times", text.matches(&arrives).count()));
            }
            if recorded.placeholders.get(name).is_none_or(|placeholder| text.contains(placeholder)) {
                faults.push(format!("the placeholder of `{name}` left"));
            }
        }
        faults
    }
}
