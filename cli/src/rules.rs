//! `strongroom rules`

use super::output::{Answer, say};
use super::sarif::Sarif;
use super::table::Table;
use super::{Done, Failure, HostArgs, code};
use clap::{Args, Subcommand};
use serde_json::json;
use std::io::Read;
use std::path::{Path, PathBuf};
use strongroom::ops::{self, Finding, Spelling};
use strongroom::text::{for_people, lines_for_people};

/// Most bytes of a text that rules are tried on: 64 MiB.
const MOST: u64 = 64 << 20;

/// Lists the rules by which unregistered secrets are recognised: those that come with the host, and the operator's own.
///
/// Which rules of another scanner's file are not used, and why, is said on stderr.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Rules {
    #[command(flatten)]
    list: ListRules,
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Subcommand)]
enum Verb {
    /// Says what the rules find in a file, where, and why
    Test(TestRules),
}

#[derive(Args)]
struct ListRules {
    #[command(flatten)]
    host: HostArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Says what the rules find in a file, where, and why: nothing of what is found is shown.
///
/// It exits with 120 if something is found, and with 0 if nothing is.
#[derive(Args)]
struct TestRules {
    /// The file; `-` for stdin
    file: PathBuf,
    #[command(flatten)]
    host: HostArgs,
    /// Print a line of JSON for each finding
    #[arg(long)]
    json: bool,
    /// Also write the findings to a file in SARIF 2.1.0, which code hosts and editors show
    #[arg(long, value_name = "FILE")]
    sarif: Option<PathBuf>,
}

impl Rules {
    pub(super) fn perform(self) -> Done {
        match self.verb {
            Some(Verb::Test(test)) => test.perform(),
            None => self.list.perform(),
        }
    }
}

impl ListRules {
    fn perform(self) -> Done {
        let config = self.host.config()?;
        let rules = ops::rules(&config)?;
        let mut out = Answer::new();
        if self.json {
            let list: Vec<_> = rules.list().map(|(name, what)| json!({"name": name, "what": what})).collect();
            out.line(format_args!("{}", serde_json::Value::from(list)))?;
        } else {
            let mut table = Table::default();
            rules.list().for_each(|(name, what)| table.row([name.to_string(), for_people(what)]));
            table.print(&mut out)?;
        }
        for notice in rules.notices() {
            let file = config.scrub_rules[notice.file].display();
            let rule = if notice.rule.is_empty() { String::new() } else { format!("rule `{}`: ", for_people(&notice.rule)) };
            let unused = if notice.is_taken { "" } else { "not used: " };
            say(format_args!("warning: {file}: {rule}{unused}{}", for_people(&notice.what)));
        }
        Ok(0)
    }
}

impl TestRules {
    fn perform(self) -> Done {
        let found = ops::findings(&self.host.config()?, &read(&self.file)?)?;
        let file = self.file.display().to_string();
        let mut out = Answer::new();
        for finding in &found {
            match self.json {
                true => out.line(format_args!("{}", json_of(&file, finding)))?,
                false => out.line(format_args!("{}", lines_for_people(&told(&file, finding))))?,
            }
        }
        if let Some(sarif) = &self.sarif {
            Sarif::of_findings(&file, &found).write(sarif)?;
        }
        if found.is_empty() {
            say(format_args!("{file}: no rule finds anything"));
        }
        Ok(if found.is_empty() { 0 } else { code::USAGE })
    }
}

/// The bytes of a file, or of stdin.
fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let failure = |why: &dyn std::fmt::Display| Failure::new(code::USAGE, format!("{}: can't be read ({why})", file.display()));
    if file != Path::new("-") {
        return strongroom_ground::files::read(file, MOST).map_err(|error| failure(&error));
    }
    let mut bytes = Vec::new();
    std::io::stdin().take(MOST + 1).read_to_end(&mut bytes).map_err(|error| failure(&error))?;
    if bytes.len() as u64 > MOST { Err(failure(&format_args!("it is larger than {MOST} bytes"))) } else { Ok(bytes) }
}

fn json_of(file: &str, finding: &Finding) -> serde_json::Value {
    let mut line = json!(finding);
    line["file"] = file.into();
    line
}

fn told(file: &str, finding: &Finding) -> String {
    let Finding { line, column, rule, what, length, shown, .. } = finding;
    let encoding = match finding.encoding {
        Spelling::BehindEscape => "behind an escape",
        _ => "as it stands",
    };
    let why: Vec<String> = finding.why.iter().map(ToString::to_string).collect();
    format!("{file}:{line}:{column}: {rule}: {what}; {length} bytes, {encoding}; {}\n    {shown}[redacted:{rule}]", why.join(", "))
}
