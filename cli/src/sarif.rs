//! Findings for tools that show them beside the code: SARIF 2.1.0 (<https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>).

use super::{Failure, code};
use serde_json::{Value, json};
use std::path::Path;
use strongroom::ops::{About, Finding, Remark, Spot};
use strongroom::text::{for_people, lines_for_people};

/// Where its schema is published.
const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// The results of one command.
#[derive(Default)]
pub(super) struct Sarif {
    rules: Vec<Value>,
    results: Vec<Value>,
}

impl Sarif {
    /// What a check has to say.
    pub(super) fn of_checks<'r>(remarks: impl Iterator<Item = &'r Remark>) -> Self {
        let mut sarif = Self::default();
        for about in About::ALL {
            let (summary, help) = about.help();
            sarif.rule(about.name(), summary, help, level(about));
        }
        for Remark { about, file, at, message, .. } in remarks {
            sarif.result(about.name(), level(*about), message, file, at.map_or_else(|| json!({"startLine": 1}), region));
        }
        sarif
    }

    /// What rules find in a file.
    pub(super) fn of_findings(file: &str, findings: &[Finding]) -> Self {
        let mut sarif = Self::default();
        for Finding { line, column, end_line, end_column, rule, what, .. } in findings {
            let help = "Replace the secret where it was issued, and keep it in a backend.";
            sarif.rule(rule, what, help, "error");
            let region = json!({"startLine": line, "startColumn": column, "endLine": end_line, "endColumn": end_column});
            sarif.result(rule, "error", &format!("this looks like a secret: {what}"), file, region);
        }
        sarif
    }

    /// Writes it to a file.
    pub(super) fn write(&self, file: &Path) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(&self.log()).map_err(std::io::Error::from);
        let written = text.and_then(|text| std::fs::write(file, text + "\n"));
        written.map_err(|error| Failure::new(code::USAGE, format!("{}: can't be written ({error})", file.display())))
    }

    fn log(&self) -> Value {
        let (version, home) = (env!("CARGO_PKG_VERSION"), env!("CARGO_PKG_REPOSITORY"));
        let driver = json!({"name": "strongroom", "version": version, "informationUri": home, "rules": self.rules});
        let run = json!({"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": self.results});
        json!({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]})
    }

    fn rule(&mut self, id: &str, summary: &str, help: &str, level: &str) {
        if self.rules.iter().any(|rule| rule["id"] == id) {
            return;
        }
        self.rules.push(json!({
            "id": id,
            "shortDescription": {"text": for_people(summary)},
            "help": {"text": help},
            "defaultConfiguration": {"level": level},
        }));
    }

    fn result(&mut self, id: &str, level: &str, message: &str, file: &str, region: Value) {
        let index = self.rules.iter().position(|rule| rule["id"] == id);
        let location = json!({"physicalLocation": {"artifactLocation": {"uri": uri(file)}, "region": region}});
        self.results.push(json!({
            "ruleId": id,
            "ruleIndex": index,
            "level": level,
            "message": {"text": lines_for_people(message)},
            "locations": [location],
        }));
    }
}

fn level(about: About) -> &'static str {
    if about.is_error() { "error" } else { "warning" }
}

fn region(at: Spot) -> Value {
    match at {
        Spot::Line(line) => json!({"startLine": line}),
        Spot::Column(line, column) => json!({"startLine": line, "startColumn": column}),
        Spot::Byte(byte) => json!({"byteOffset": byte, "byteLength": 1}),
        _ => json!({"startLine": 1}),
    }
}

/// A file as a URI reference (RFC 3986), relative where its path is.
fn uri(file: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    let scheme = if file.starts_with('/') { "file://" } else { "" };
    let escaped = |byte: u8| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    file.bytes().fold(scheme.to_owned(), |uri, byte| uri + &escaped(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_uri_reference() {
        assert_eq!(uri("agents/my agent.toml"), "agents/my%20agent.toml");
        assert_eq!(uri("/srv/\u{e9}:1.toml"), "file:///srv/%C3%A9%3A1.toml");
    }
}
