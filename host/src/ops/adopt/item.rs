//! What a file holds: values, each with where it stands and how it is written.

use super::{compose, dotenv, mcp};
use crate::manifest::Adopted;
use serde::Serialize;
use std::fmt;
use std::ops::Range;
use std::path::Path;
use zeroize::Zeroizing;

/// The kinds of files that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Kind {
    /// `NAME=value` lines.
    Env,
    /// The JSON of an MCP client: `env` and `headers` of its servers.
    Mcp,
    /// A docker compose file: `environment` of its services.
    Compose,
}

/// A value of a file.
#[derive(Debug)]
pub(super) struct Item {
    /// The server or service that it is for.
    pub(super) owner: Option<String>,
    /// The name that it is kept under.
    pub(super) name: String,
    /// Its line, from 1.
    pub(super) line: usize,
    /// Where it is written, with its quotation marks.
    pub(super) at: Range<usize>,
    pub(super) style: Style,
    /// What stands before the value between the same quotation marks, as `Bearer `; it stays.
    pub(super) before: String,
    pub(super) text: Zeroizing<String>,
    /// Why the text is not the value, where it is not.
    pub(super) unfit: Option<&'static str>,
}

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// In a `.env` file; apart where blanks stand between it and the `=`.
    Env { quote: Option<char>, apart: bool },
    /// As a string of JSON.
    Json,
    /// In YAML; an element of a list, or else the value of a key.
    Yaml { quote: Option<char>, element: bool },
}

/// Why a file, or a value for it, is refused: a line, a finding, a remedy. Holds no value.
#[derive(Debug)]
pub(super) struct Unreadable {
    line: usize,
    finding: String,
    remedy: String,
}

impl Unreadable {
    pub(super) fn new(line: usize, finding: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { line, finding: finding.into(), remedy: remedy.into() }
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}; {}", self.line, self.finding, self.remedy)
    }
}

impl Kind {
    /// The kind that a file has by its name, or else by its text.
    pub(super) fn of(path: &Path, text: &str) -> Self {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        match name.rsplit('.').next() {
            Some("json" | "jsonc") => return Self::Mcp,
            Some("yml" | "yaml") => return Self::Compose,
            _ if name.starts_with(".env") || name.ends_with(".env") => return Self::Env,
            _ => {}
        }
        let begins = text.trim_start_matches('\u{feff}').trim_start();
        match begins.starts_with('{') || begins.starts_with("//") {
            true => Self::Mcp,
            false if text.lines().any(|line| line.starts_with("services:")) => Self::Compose,
            false => Self::Env,
        }
    }

    /// The values of a file, in its order.
    pub(super) fn read(self, text: &str) -> Result<Vec<Item>, Unreadable> {
        match self {
            Self::Env => dotenv::read(text),
            Self::Mcp => mcp::read(text),
            Self::Compose => compose::read(text),
        }
    }
}

impl Item {
    /// Whether this is its name, with or without the server or service before it.
    pub(super) fn is_called(&self, name: &str) -> bool {
        name == self.name || name == self.label()
    }

    /// Its name, behind the server or service that it is for.
    pub(super) fn label(&self) -> String {
        self.owner.as_ref().map_or_else(|| self.name.clone(), |owner| format!("{owner}.{}", self.name))
    }

    /// The reference that stands in the place of the value.
    pub(super) fn adopted(&self) -> Option<Result<Adopted, Unreadable>> {
        let read = Adopted::read(&self.text)?;
        let wrong = |_| {
            let finding = format!("`{}` begins like a reference of `strongroom adopt`, but names no entry of a backend", self.label());
            Unreadable::new(self.line, finding, "write `strongroom:BACKEND:ENTRY`, or the value itself")
        };
        Some(read.map_err(wrong))
    }
}

/// A file with other texts in the place of some of its values; all else is as it was, byte for byte.
pub(super) fn rewritten(text: &str, items: &[Item], texts: &[Option<&str>], in_lines: &[bool]) -> Result<Zeroizing<String>, Unreadable> {
    let newline = if text.split_inclusive('\n').next().is_some_and(|line| line.ends_with("\r\n")) { "\r\n" } else { "\n" };
    let mut out = Zeroizing::new(String::with_capacity(text.len() + 4096));
    let mut done = 0;
    let mut order: Vec<usize> = (0..items.len()).filter(|at| texts[*at].is_some()).collect();
    order.sort_by_key(|at| items[*at].at.start);
    for index in order {
        let item = &items[index];
        let whole = Zeroizing::new(format!("{}{}", item.before, texts[index].unwrap_or_default()));
        let spelled = match item.style {
            Style::Env { quote, apart } => dotenv::spelled(&whole, quote, apart, in_lines[index], newline),
            Style::Json => Some(mcp::spelled(&whole)),
            Style::Yaml { quote, element } => compose::spelled(&whole, quote, element),
        };
        let spelled = spelled.ok_or_else(|| {
            let finding = format!("the value of `{}` can't be written there", item.label());
            Unreadable::new(item.line, finding, "a value of such a file is text without control characters")
        })?;
        out.push_str(&text[done..item.at.start]);
        out.push_str(&spelled);
        done = item.at.end;
    }
    out.push_str(&text[done..]);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::dotenv::tests::numbers;

    /// What people write as values, each as its dialect has it, and as `--undo` would write it.
    const ENV: &[&str] = &[
        "abc",
        "'a b'",
        "\"a\\nb\"",
        "\"1\n2\n\"",
        "`it's`",
        "a#b",
        "#a",
        "a$b",
        "\"a\\\"b\"",
        "\"^\\d+\"",
        "{\"a\":\"b c\"}",
        "",
        "'x\ny'",
        "\"\"",
    ];
    const YAML: &[&str] = &["abc", "'it''s'", "\"a\\nb\"", "a:b#c", "\"a$$b\"", "a$$b", "12345678", "\"0123\"", "'{x}'", "\"é\"", "\"\""];
    const JSON: &[&str] = &["\"abc\"", "\"a\\nb\"", "\"\\\"q\\\"\"", "\"é\"", "\"\"", "\"a/b\\\\\""];

    /// A file of a kind with so many values, between lines that are none.
    fn file(kind: Kind, next: &mut impl FnMut(usize) -> usize) -> String {
        let count = 1 + next(5);
        let mut pick = |of: &[&str]| of[next(of.len())].to_owned();
        let mut text = String::new();
        match kind {
            Kind::Env => {
                for n in 0..count {
                    text += &pick(&["", "# K=x\n", "\n", "  # said\n"]);
                    text += &format!(
                        "{}K{n}{}{}{}\n",
                        pick(&["", "export ", "  "]),
                        pick(&["=", " =", "=", "="]),
                        pick(ENV),
                        pick(&["", "  ", " # said"])
                    );
                }
            }
            Kind::Compose => {
                text += &pick(&["", "# said\nversion: '3'\n", "x-y:\n  - |\n    services:\n"]);
                text += &format!("services:\n  web: # said\n    image: x\n    environment:{}\n", pick(&["", "  # said"]));
                let is_list = next(2) == 0;
                let mut pick = |of: &[&str]| of[next(of.len())].to_owned();
                for n in 0..count {
                    text += &pick(&["", "      # said\n", "\n"]);
                    text += &match is_list {
                        true => format!("      - K{n}={}{}\n", pick(&["abc", "a=b", "a$$b", "a b", ""]), pick(&["", " # said"])),
                        false => format!("      K{n}: {}{}\n", pick(YAML), pick(&["", " # said"])),
                    };
                }
                text += &pick(&["", "    ports: [80]\nvolumes: {}\n"]);
            }
            Kind::Mcp => {
                let part = pick(&["env", "headers"]);
                let members: Vec<String> = (0..count).map(|n| format!("\"K{n}\" {} {}", pick(&[":", ": /* x */"]), pick(JSON))).collect();
                text += &format!("{}{{\"{}\":{{\"s\":{{\"{part}\":{{", pick(&["", "// said\n", "\n"]), pick(&["servers", "mcpServers"]));
                text += &format!("\n{}{}\n}}}}}}}}\n", members.join(",\n  "), pick(&["", ","]));
            }
        }
        let mut pick = |of: &[&str]| of[next(of.len())].to_owned();
        let text = if pick(&["\n", "\r\n"]) == "\n" { text } else { text.replace('\n', "\r\n") };
        pick(&["", "", "", "\u{feff}"]) + &text
    }

    #[test]
    fn a_file_that_is_rewritten_and_restored_is_the_same_byte_for_byte() {
        let mut next = numbers();
        let mut moved = 0;
        for round in 0..6_000 {
            let kind = [Kind::Env, Kind::Mcp, Kind::Compose][round % 3];
            let text = file(kind, &mut next);
            let items = kind.read(&text).unwrap_or_else(|why| panic!("{why}\n{text}"));
            let references: Vec<Option<String>> = items
                .iter()
                .map(|item| {
                    (next(3) > 0 && item.unfit.is_none() && !item.text.is_empty())
                        .then(|| format!("strongroom:vault:agents/bot#{}", item.name))
                })
                .collect();
            let references: Vec<Option<&str>> = references.iter().map(Option::as_deref).collect();
            let in_lines: Vec<bool> = items.iter().map(|item| kind == Kind::Env && text[item.at.clone()].contains('\n')).collect();

            let adopted = rewritten(&text, &items, &references, &vec![false; items.len()]).expect("rewritten");

            let again = kind.read(&adopted).unwrap_or_else(|why| panic!("{why}\n{text}\n{}", *adopted));
            // Between the values nothing has changed, and of those only what was meant.
            let between = |text: &str, items: &[Item]| {
                let ends = items.iter().map(|item| item.at.end).collect::<Vec<_>>();
                let starts = items.iter().map(|item| item.at.start).chain([text.len()]);
                [0].into_iter().chain(ends).zip(starts).map(|(from, to)| text[from..to].to_owned()).collect::<Vec<_>>()
            };
            assert_eq!(between(&text, &items), between(&adopted, &again), "{text}");
            for ((item, now), reference) in items.iter().zip(&again).zip(&references) {
                assert_eq!(now.text.as_str(), reference.unwrap_or(&item.text), "{text}");
                assert!(reference.is_some() || text[item.at.clone()] == adopted[now.at.clone()], "{text}");
            }
            let values: Vec<Option<&str>> =
                items.iter().zip(&references).map(|(item, reference)| reference.map(|_| item.text.as_str())).collect();
            let restored = rewritten(&adopted, &again, &values, &in_lines).expect("rewritten");
            assert_eq!(*restored, text, "{}", *adopted);
            moved += references.iter().flatten().count();
        }
        assert!(moved > 6_000, "{moved}");
    }

    #[test]
    fn a_value_that_was_replaced_since_is_written_so_that_it_is_read() {
        for (kind, text) in [
            (Kind::Env, "K=strongroom:file:K # said\n"),
            (Kind::Env, "K= 'strongroom:file:K'\n"),
            (Kind::Env, "K=`strongroom:file:K`\n"),
            (Kind::Compose, "services:\n  a:\n    environment:\n      K: strongroom:file:K # said\n"),
            (Kind::Compose, "services:\n  a:\n    environment:\n    - 'K=strongroom:file:K'\n"),
            (Kind::Mcp, "{\"servers\":{\"a\":{\"headers\":{\"Authorization\":\"Bearer strongroom:file:K\"}}}}"),
        ] {
            let items = kind.read(text).expect("read");
            for value in [
                "abc", "a b", " # x", "a #b", "it's", "`'\"", "a\nB=c\n", "a\\", "a\\n", "$x${y}$", "true", "0123", "- a", "é", "\"",
                "a: b", "#",
            ] {
                // A scheme ends in the blanks behind it.
                if kind == Kind::Mcp && value.starts_with(' ') {
                    continue;
                }
                let written = rewritten(text, &items, &[Some(value)], &[false]).unwrap_or_else(|why| panic!("{why}: {value}"));
                let read = kind.read(&written).unwrap_or_else(|why| panic!("{why}: {}", *written));
                assert_eq!((read.len(), read[0].text.as_str()), (1, value), "{}", *written);
            }
        }
    }
}
