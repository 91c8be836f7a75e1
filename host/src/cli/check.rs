//! `strongroom check`

use super::output::{Answer, say};
use super::{Done, Failure, HostArgs, at_rest, code, example};
use crate::host::{Agent, Host, Resolved};
use crate::manifest::Manifest;
use crate::scrub::{Scrubber, Search};
use crate::secrets::Freshness;
use clap::Args;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::runtime::Runtime;

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
    /// Write a file that lists the variables that these agents read, without values; `.env.example` where no name is given. A file that it did not write, or that was changed since, is left as it is
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = ".env.example")]
    env_example: Option<PathBuf>,
    /// Also have every secret and every signer's key, as a run would, and say where each is; nothing is run
    #[arg(long)]
    resolve: bool,
    /// A rule whose findings in components and files are none; `strongroom rules` lists them
    #[arg(long, value_name = "RULE")]
    allow: Vec<String>,
    /// Print a line of JSON for each manifest
    #[arg(long)]
    json: bool,
}

/// What was found of one manifest.
#[derive(Default, Serialize)]
struct Checked {
    manifest: String,
    /// The code with which the command would end for it alone.
    code: u8,
    errors: Vec<String>,
    warnings: Vec<String>,
    /// Where `--resolve` found what it uses.
    found: Vec<String>,
}

impl Check {
    pub(super) fn perform(self) -> Done {
        let host = self.host.host()?;
        let rules = crate::host::rules(&self.host.config()?.scrub_rules)?;
        let scrubber = Scrubber::new(Arc::new(Search::new(Vec::new(), Some(rules))), Vec::new()).passing(&self.allow);
        let runtime = super::runtime()?;
        let mut worst = 0;
        let mut manifests = Vec::new();
        for path in &self.manifests {
            let mut checked = Checked { manifest: path.display().to_string(), ..Checked::default() };
            match host.load(path) {
                Ok(agent) => {
                    let manifest = agent.manifest();
                    checked.found_at_rest(at_rest::secrets(path, manifest.component.as_deref(), &scrubber));
                    checked.warnings.extend(overlaps(&host, path, manifest).chain(strangers(path, manifest)));
                    if self.resolve {
                        checked.resolve(&runtime, path, &agent);
                    }
                    manifests.push(manifest.clone());
                }
                Err(error) => {
                    let Failure { code, message } = error.into();
                    (checked.code, checked.errors) = (code, vec![message]);
                }
            }
            worst = worst.max(checked.code);
            if self.json { checked.print()? } else { checked.say() }
        }
        runtime.block_on(host.shutdown());
        if let Some(file) = &self.env_example {
            example::write(file, &manifests)?;
            say(format_args!("{}: written", file.display()));
        }
        Ok(worst)
    }
}

impl Checked {
    fn found_at_rest(&mut self, found: Vec<String>) {
        if !found.is_empty() {
            self.code = code::USAGE;
        }
        self.errors.extend(found);
    }

    /// Has an agent's secrets and the keys of its signers: a line for each that says where it is, or why it can't be had.
    fn resolve(&mut self, runtime: &Runtime, path: &Path, agent: &Agent) {
        let before = self.errors.len();
        let mut missing = |what: &str| self.errors.push(format!("{}: {what}", path.display()));
        match runtime.block_on(agent.resolve()) {
            Ok(resolved) => self.found.extend(resolved.into_iter().map(found)),
            Err(unavailable) => unavailable.to_string().lines().for_each(&mut missing),
        }
        for (name, key) in runtime.block_on(agent.resolve_signers()) {
            match key {
                Ok(key) => self.found.push(format!("signer {name}: {}", crate::text::for_people(&key))),
                Err(why) => missing(&format!("signer `{name}` is unavailable: {why}")),
            }
        }
        if self.errors.len() > before {
            self.code = self.code.max(code::SECRET);
        }
    }

    /// As one line of JSON, on stdout.
    fn print(&self) -> Result<(), Failure> {
        Answer::new().line(format_args!("{}", serde_json::json!(self)))
    }

    fn say(&self) {
        for error in &self.errors {
            say(format_args!("error: {}", crate::text::lines_for_people(error)));
        }
        for warning in &self.warnings {
            say(format_args!("warning: {warning}"));
        }
        if self.code == 0 {
            say(format_args!("{}: ok", self.manifest));
        }
        for found in &self.found {
            say(format_args!("  {found}"));
        }
    }
}

fn found(secret: Resolved) -> String {
    let from = secret.from.map_or_else(|| "its default in the manifest".to_owned(), |from| crate::text::for_people(&from));
    let version = secret.version.map(|version| format!(", version {}", crate::text::for_people(&version))).unwrap_or_default();
    format!("{}: {from}{version}, fingerprint {}", secret.name, secret.fingerprint)
}

/// Where a wildcard covers the names of strangers.
fn strangers(path: &Path, manifest: &Manifest) -> impl Iterator<Item = String> {
    let grants = manifest.secrets.iter().flat_map(|secret| &secret.allow).map(|grant| (&grant.host, grant.line));
    let hosts = grants.chain(manifest.egress.iter().map(|rule| (&rule.host, rule.line)));
    hosts.filter_map(|(host, line)| Some(format!("{}:{line}: {}", path.display(), host.covers_strangers()?)))
}

/// Where a value may be used longer than its issuer lets it live.
fn overlaps(host: &Host, path: &Path, manifest: &Manifest) -> impl Iterator<Item = String> {
    manifest.secrets.iter().filter_map(move |secret| {
        let namespace = secret.namespace.as_deref().unwrap_or(&manifest.name);
        let (from, _) = host.backends().entries(&secret.from, &manifest.name, namespace).ok()?;
        let (Some(overlap), Freshness::For(cache)) = (secret.overlap, from.backend.freshness()) else { return None };
        (cache > overlap).then(|| {
            format!(
                "{}: secret `{}`: an old value works for {} s after a rotation, but the backend `{}` is asked every {} s; lower its `cache`",
                path.display(),
                secret.name,
                overlap.as_secs(),
                from.name,
                cache.as_secs()
            )
        })
    })
}
