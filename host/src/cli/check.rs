//! `strongroom check`

use super::output::say;
use super::{Done, Failure, HostArgs, at_rest, code, example};
use crate::host::{Agent, Host, Resolved};
use crate::manifest::Manifest;
use crate::scrub::{Scrubber, Search};
use crate::secrets::Freshness;
use clap::Args;
use std::path::{Path, PathBuf};
use std::sync::Arc;

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
}

impl Check {
    pub(super) fn perform(self) -> Done {
        let host = self.host.host()?;
        let rules = crate::host::rules(&self.host.config()?.scrub_rules)?;
        let scrubber = Scrubber::new(Arc::new(Search::new(Vec::new(), Some(rules))), Vec::new()).passing(&self.allow);
        let runtime = super::runtime()?;
        let mut worst = 0;
        let mut checked = Vec::new();
        for path in &self.manifests {
            match host.load(path) {
                Ok(agent) => {
                    let manifest = agent.manifest();
                    let found = at_rest::secrets(path, manifest.component.as_deref(), &scrubber);
                    for finding in &found {
                        say(format_args!("error: {}", crate::text::lines_for_people(finding)));
                        worst = worst.max(code::USAGE);
                    }
                    warn_of_overlap(&host, path, manifest);
                    warn_of_strangers(path, manifest);
                    let resolved = if self.resolve { resolve(&runtime, path, &agent) } else { Vec::new() };
                    if found.is_empty() && resolved.iter().all(Result::is_ok) {
                        say(format_args!("{}: ok", path.display()));
                    }
                    for line in &resolved {
                        let (Ok(line) | Err(line)) = line;
                        say(format_args!("{line}"));
                    }
                    if resolved.iter().any(Result::is_err) {
                        worst = worst.max(code::SECRET);
                    }
                    checked.push(manifest.clone());
                }
                Err(error) => {
                    let Failure { code, message } = error.into();
                    say(format_args!("error: {}", crate::text::lines_for_people(&message)));
                    worst = worst.max(code);
                }
            }
        }
        runtime.block_on(host.shutdown());
        if let Some(file) = &self.env_example {
            example::write(file, &checked)?;
            say(format_args!("{}: written", file.display()));
        }
        Ok(worst)
    }
}

/// Has an agent's secrets and the keys of its signers: a line for each that says where it is, or why it can't be had.
fn resolve(runtime: &tokio::runtime::Runtime, path: &Path, agent: &Agent) -> Vec<Result<String, String>> {
    let error = |what: &str| Err(format!("error: {}: {}", path.display(), crate::text::for_people(what)));
    let mut lines = match runtime.block_on(agent.resolve()) {
        Ok(resolved) => resolved.into_iter().map(|secret| Ok(found(secret))).collect(),
        Err(missing) => missing.to_string().lines().map(error).collect::<Vec<_>>(),
    };
    for (name, key) in runtime.block_on(agent.resolve_signers()) {
        lines.push(match key {
            Ok(key) => Ok(format!("  signer {name}: {}", crate::text::for_people(&key))),
            Err(why) => error(&format!("signer `{name}` is unavailable: {why}")),
        });
    }
    lines
}

fn found(secret: Resolved) -> String {
    let from = secret.from.map_or_else(|| "its default in the manifest".to_owned(), |from| crate::text::for_people(&from));
    let version = secret.version.map(|version| format!(", version {}", crate::text::for_people(&version))).unwrap_or_default();
    format!("  {}: {from}{version}, fingerprint {}", secret.name, secret.fingerprint)
}

/// Says where a wildcard covers the names of strangers.
fn warn_of_strangers(path: &Path, manifest: &Manifest) {
    let grants = manifest.secrets.iter().flat_map(|secret| &secret.allow).map(|grant| (&grant.host, grant.line));
    for (host, line) in grants.chain(manifest.egress.iter().map(|rule| (&rule.host, rule.line))) {
        if let Some(why) = host.covers_strangers() {
            say(format_args!("warning: {}:{line}: {why}", path.display()));
        }
    }
}

/// Says where a value may be used longer than its issuer lets it live.
fn warn_of_overlap(host: &Host, path: &Path, manifest: &Manifest) {
    for secret in &manifest.secrets {
        let namespace = secret.namespace.as_deref().unwrap_or(&manifest.name);
        let Ok((from, _)) = host.backends().entries(&secret.from, &manifest.name, namespace) else { continue };
        if let (Some(overlap), Freshness::For(cache)) = (secret.overlap, from.backend.freshness())
            && cache > overlap
        {
            say(format_args!(
                "warning: {}: secret `{}`: an old value works for {} s after a rotation, but the backend `{}` is asked every {} s; lower its `cache`",
                path.display(),
                secret.name,
                overlap.as_secs(),
                from.name,
                cache.as_secs()
            ));
        }
    }
}
