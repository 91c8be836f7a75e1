//! A table of `apis/`: what a library is granted, what its API answers, and what the agent prints.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// One library's table.
#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// The file's name, and the agent's.
    #[serde(skip)]
    pub name: String,
    /// What the agent is written in.
    pub language: Language,
    /// The manifest's lines after its name and component.
    pub manifest: String,
    /// The keys that it grants.
    pub key: Vec<Key>,
    /// What the agent must not have besides: values that answers bring.
    #[serde(default)]
    pub sought: Vec<String>,
    /// The agent's runs.
    pub case: Vec<Case>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    Javascript,
    Python,
    Rust,
}

/// A key, and where it has to arrive.
#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// The secret's name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// What its value and its placeholder begin with, and nothing else that is sent.
    pub beginning: String,
    /// The header that it arrives in.
    #[serde(default)]
    pub header: String,
    /// The field of a form that it arrives in, where that is no header.
    pub field: Option<String>,
    /// The header's whole value, with `{}` for the key.
    #[serde(default = "whole")]
    pub template: String,
}

fn whole() -> String {
    "{}".to_owned()
}

/// One run of the agent.
#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// The agent's function.
    pub name: String,
    /// What has to come before this can pass.
    pub waits: Option<String>,
    /// Lines that the manifest has for this case alone.
    #[serde(default)]
    pub manifest: String,
    /// What the agent prints, whole.
    pub prints: String,
    /// The rules that deny, in order.
    #[serde(default)]
    pub denied: Vec<String>,
    /// What arrives, each once, with its answer. Those of the same line come in this order.
    #[serde(default)]
    pub request: Vec<Request>,
}

/// A request that is to arrive.
#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// `METHOD HOST/PATH?QUERY`, as on the wire.
    pub on: String,
    /// Header lines that it has.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Texts that its body has in it.
    #[serde(default)]
    pub body: Vec<String>,
    /// Its length, where that has to be said before the body.
    pub length: Option<usize>,
    /// Whether the keys come with it.
    #[serde(default = "yes")]
    pub keys: bool,
    /// What it is answered.
    pub answer: Answer,
}

fn yes() -> bool {
    true
}

/// An answer. In all its texts `{NAME}` is the key that came with the request.
#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    #[serde(default = "ok")]
    pub status: u16,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// A text; JSON where no header says otherwise.
    #[serde(default)]
    pub body: String,
    /// The body comes in pieces of so many bytes, and its length is not said.
    pub chunk: Option<usize>,
    /// A body of events, without the empty lines that end them: each leaves when the agent has printed all before it.
    #[serde(default)]
    pub events: Vec<String>,
    /// What follows the last event.
    pub end: Option<String>,
}

fn ok() -> u16 {
    200
}

impl Table {
    /// Reads `apis/NAME.toml`.
    pub fn read(name: &str) -> Self {
        let file = directory().join(format!("{name}.toml"));
        let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let table: Self = toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        Self { name: name.to_owned(), ..table }
    }
}

impl Request {
    /// The host that it goes to.
    pub fn host(&self) -> &str {
        let (_, rest) = self.on.split_once(' ').unwrap();
        rest.split('/').next().unwrap()
    }
}

/// The tables' names.
pub fn names() -> Vec<String> {
    let files = std::fs::read_dir(directory()).unwrap().map(|entry| entry.unwrap().path());
    files.map(|file| file.file_stem().unwrap().to_str().unwrap().to_owned()).collect()
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("libraries/apis")
}
