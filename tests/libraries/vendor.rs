//! A table of `vendors/`: what a vendor's library sends, which of it an example of `examples/apis` admits with which credentials, and which it
//! denies.

use crate::{agents, signatures};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use strongroom_demo::server::{Response, Seen, respond};
use strongroom_tests::{AgentFixture, Ran};

/// Where an agent gets what a library has sent.
pub const RECORDER: &str = "recorder.test";

/// What a vendor's library sends, and what becomes of it under the manifest of the same name.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vendor {
    /// The file's name, and the manifest's.
    #[serde(skip)]
    pub name: String,
    /// The agent in JavaScript that the library is in, and its function; where there is none, the script of this name makes the calls.
    pub agent: Option<[String; 2]>,
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

#[derive(Deserialize)]
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

/// What a library sent, and with what in the places of its keys.
#[derive(Default)]
pub struct Recorded {
    /// The requests.
    pub seen: Vec<Seen>,
    /// What the library's process said where it failed.
    pub failure: Option<String>,
    /// What its keys were, by their names.
    pub placeholders: BTreeMap<String, String>,
}

impl Vendor {
    /// Reads `vendors/NAME.toml`.
    pub fn read(name: &str) -> Self {
        let file = directory().join(format!("{name}.toml"));
        let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let table: Self = toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        Self { name: name.to_owned(), ..table }
    }

    /// The manifest as it lies in `examples/apis`, but that each value is under its own name, whatever variable it is taken from.
    pub fn manifest(&self) -> String {
        let file = agents::root().join("examples/apis").join(format!("{}.toml", self.name));
        std::fs::read_to_string(file).unwrap().replace("from = \"env:AGENT_", "from = \"static:")
    }

    /// An agent whose host has the values.
    pub fn with_values(&self, fixture: AgentFixture) -> AgentFixture {
        self.secret.iter().fold(fixture, |fixture, (name, secret)| fixture.value(name, &secret.value()))
    }

    /// What an environment has for its secrets.
    pub fn placeholders(&self, mut environment: BTreeMap<String, String>) -> BTreeMap<String, String> {
        environment.retain(|name, _| self.secret.contains_key(name));
        environment
    }

    /// The rules that deny, in order.
    pub fn denied(&self) -> Vec<&str> {
        self.request.iter().filter_map(|request| request.denied.as_deref()).collect()
    }

    /// All hosts of it.
    pub fn hosts(&self) -> BTreeSet<String> {
        let host = |request: &Request| request.on.split_once(' ').unwrap().1.split('/').next().unwrap().to_owned();
        self.request.iter().map(host).collect()
    }

    /// A request as tables have it, with `{NAME}` for a secret in its path.
    pub fn line(&self, seen: &Seen, placeholders: &BTreeMap<String, String>) -> String {
        self.named(format!("{} {}{}", seen.method, seen.host, seen.path()), placeholders)
    }

    fn named(&self, text: String, placeholders: &BTreeMap<String, String>) -> String {
        let values = self.secret.iter().map(|(name, secret)| (name, secret.value()));
        let placeholders = placeholders.iter().filter(|(name, _)| self.secret.contains_key(*name));
        let keys = placeholders.map(|(name, placeholder)| (name, placeholder.clone())).chain(values);
        keys.fold(text, |text, (name, key)| text.replace(&key, &format!("{{{name}}}")))
    }

    /// The answer to a request, of which some may have come before.
    pub fn answer(&self, line: &str, before: &[String]) -> Response {
        let earlier = before.iter().filter(|earlier| *earlier == line).count();
        let like: Vec<&Request> = self.request.iter().filter(|request| request.on == line).collect();
        match like.get(earlier).or(like.last()) {
            Some(request) if request.answer.is_empty() => respond(200, &request.kind, "{}"),
            Some(request) => respond(200, &request.kind, request.answer.clone()),
            None => respond(404, "application/json", "{}"),
        }
    }

    /// What was otherwise than this table: of what the library sent to the recorder, and the agent after it.
    pub fn faults(&self, recorded: &Recorded, ran: &Ran) -> Vec<String> {
        let mut faults: Vec<String> = recorded.failure.iter().cloned().collect();
        let mut expected: Vec<&Request> = self.request.iter().filter(|request| !request.by_host).collect();
        let outcomes: Vec<&str> = ran.stdout.lines().filter_map(|line| line.strip_prefix("replay ")).collect();
        if outcomes.len() != recorded.seen.len() {
            faults.push(format!("the library sent {} requests, the agent {}", recorded.seen.len(), outcomes.len()));
        }
        for (sent, outcome) in recorded.seen.iter().zip(outcomes) {
            let line = self.line(sent, &recorded.placeholders);
            let Some(at) = expected.iter().position(|request| request.on == line) else {
                faults.push(format!("{line} is not in the table"));
                continue;
            };
            let begins = expected.remove(at).denied.as_ref().map_or("200 ".to_owned(), |rule| format!("denied by rule `{rule}`"));
            if !outcome.starts_with(&begins) {
                faults.push(format!("{line}: not `{begins}`: {outcome}"));
            }
        }
        faults.extend(expected.iter().map(|request| format!("{} did not come", request.on)));
        if recorded.placeholders.len() != self.secret.len() {
            faults.push(format!("the agent has {:?}", recorded.placeholders));
        }
        faults.extend(self.arrived(ran, &recorded.placeholders));
        faults
    }

    /// What is otherwise than this table of the requests that arrived.
    pub fn arrived(&self, ran: &Ran, placeholders: &BTreeMap<String, String>) -> Vec<String> {
        let mut faults = Vec::new();
        let mut expected: Vec<&Request> = self.request.iter().filter(|request| request.denied.is_none()).collect();
        let mut records = ran.records("egress");
        for seen in ran.seen.iter().filter(|seen| seen.host != RECORDER) {
            let line = self.line(seen, &BTreeMap::new());
            let Some(at) = expected.iter().position(|request| request.on == line) else {
                faults.push(format!("{line} arrived, which is not in the table"));
                continue;
            };
            let request = expected.remove(at);
            if request.by_host {
                continue;
            }
            // Where a secret is in the path, the log has the placeholder.
            let (before, after) =
                line.split_once('{').map_or((line.as_str(), ""), |(before, rest)| (before, rest.split_once('}').unwrap().1));
            let recorded = |record: &&serde_json::Value| {
                let text = |key: &str| record[key].as_str().unwrap_or_default();
                let asked = format!("{} {}", text("method"), text("url").trim_start_matches("https://"));
                asked == line || before != line && asked.starts_with(before) && asked.ends_with(after)
            };
            let at = records.iter().position(recorded);
            let used = at.map(|at| records.remove(at)["secrets"].clone());
            faults.extend(self.unlike(request, used.as_ref(), placeholders, seen).into_iter().map(|fault| format!("{line}: {fault}")));
        }
        faults.extend(expected.iter().map(|request| format!("{} did not arrive", request.on)));
        faults
    }

    /// What a request that arrived has otherwise than the table; `used` are the secrets that the audit log has for it.
    fn unlike(
        &self,
        request: &Request,
        used: Option<&serde_json::Value>,
        placeholders: &BTreeMap<String, String>,
        arrived: &Seen,
    ) -> Vec<String> {
        let mut faults = Vec::new();
        let used = used.and_then(|used| used.as_array()).into_iter().flatten();
        let used: BTreeSet<String> = used.filter_map(|secret| secret["name"].as_str()).map(str::to_owned).collect();
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
            if is_carried && arrives.is_empty() {
                let judged = signatures::judge(&self.name, arrived, |name| self.secret[name].value());
                faults.extend(judged.err());
            }
            if placeholders.get(name).is_some_and(|placeholder| text.contains(placeholder)) {
                faults.push(format!("the placeholder of `{name}` left"));
            }
        }
        faults
    }
}

impl Secret {
    fn value(&self) -> String {
        let Some(file) = &self.file else { return self.value.clone() };
        let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
        if self.value == whole() { text } else { self.value.replace("{}", &serde_json::to_string(&text).unwrap()) }
    }
}

/// Where the tables lie, and the libraries' scripts beside them.
pub fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("libraries/vendors")
}

/// The names of the tables in a directory.
pub fn names(directory: &Path) -> BTreeSet<String> {
    let files = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let tables = files.filter(|file| file.extension().is_some_and(|extension| extension == "toml"));
    tables.map(|file| file.file_stem().unwrap().to_str().unwrap().to_owned()).collect()
}
