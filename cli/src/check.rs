//! `strongroom check`

use super::output::{Answer, say};
use super::sarif::Sarif;
use super::{Done, Failure, HostArgs, code_of, example};
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use strongroom::ops::{Checked, Checker};
use strongroom::text::lines_for_people;

/// Checks manifests and components without running them.
///
/// Every finding is printed with its file, line and column. Unless `--resolve` is given, nothing is asked of a backend. Secrets at rest
/// are findings too: in a manifest, in a component, and in a `.env` file beside the manifest that git tracks.
#[derive(Args)]
pub(super) struct Check {
    /// The manifests
    #[arg(required = true)]
    manifests: Vec<PathBuf>,
    #[command(flatten)]
    host: HostArgs,
    /// Write a file that lists the variables that these agents read, without values; `.env.example` if no name is given. A file that it did not write, or that was changed since, is left as it is
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = ".env.example")]
    env_example: Option<PathBuf>,
    /// Also fetch every secret and every signer's key, as a run would, and say where each is; nothing is run
    #[arg(long)]
    resolve: bool,
    /// A rule whose findings in components and files are ignored; `strongroom rules` lists them
    #[arg(long, value_name = "RULE")]
    allow: Vec<String>,
    /// Print a line of JSON for each manifest
    #[arg(long)]
    json: bool,
    /// Also write the findings to a file in SARIF 2.1.0, which code hosts and editors show
    #[arg(long, value_name = "FILE")]
    sarif: Option<PathBuf>,
}

impl Check {
    pub(super) fn perform(self) -> Done {
        let (host, runtime) = (self.host.host()?, super::runtime()?);
        let checker = Checker::new(host.clone(), &self.host.config()?, &self.allow)?;
        let (mut worst, mut remarks) = (0, Vec::new());
        let mut manifests = Vec::new();
        for path in &self.manifests {
            let (checked, agent) = runtime.block_on(checker.check(path, self.resolve));
            manifests.extend(agent.map(|agent| agent.manifest().clone()));
            let code = checked.kind.map_or(0, code_of);
            worst = worst.max(code);
            if self.json {
                print(&checked, code)?
            } else {
                tell(&checked)
            }
            remarks.extend(checked.remarks);
        }
        runtime.block_on(host.shutdown());
        if let Some(file) = &self.env_example {
            example::write(file, &manifests)?;
            say(format_args!("{}: written", file.display()));
        }
        if let Some(file) = &self.sarif {
            Sarif::of_checks(remarks.iter()).write(file)?;
        }
        Ok(worst)
    }
}

/// As one line of JSON, on stdout.
fn print(checked: &Checked, code: u8) -> Result<(), Failure> {
    let Checked { manifest, errors, warnings, found, .. } = checked;
    let line = json!({"manifest": manifest, "code": code, "errors": errors, "warnings": warnings, "found": found});
    Answer::new().line(format_args!("{line}"))
}

fn tell(checked: &Checked) {
    for error in &checked.errors {
        say(format_args!("error: {}", lines_for_people(error)));
    }
    for warning in &checked.warnings {
        say(format_args!("warning: {warning}"));
    }
    if checked.kind.is_none() {
        say(format_args!("{}: ok", checked.manifest));
    }
    for found in &checked.found {
        say(format_args!("  {found}"));
    }
}
