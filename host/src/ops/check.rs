//! What can be told of a manifest and its component without running them.

use super::remark::{About, Remark, Spot};
use super::{Failed, Kind, at_rest, rules};
use crate::host::{Agent, Host, Resolved};
use crate::lock::Mutex;
use crate::manifest::{HostConfig, Manifest, SchemeSpec, Trigger};
use crate::scrub::{Scrubber, Search};
use crate::secrets::{Freshness, kept_as};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Checks manifests on one host.
pub struct Checker {
    host: Host,
    scrubber: Scrubber,
    /// What manifests that were checked before take for themselves, each with its file.
    taken: Mutex<Vec<(String, PathBuf)>>,
}

/// What was found about one manifest.
#[derive(Debug, Default, Clone, Serialize)]
#[non_exhaustive]
pub struct Checked {
    /// Its file.
    pub manifest: String,
    /// The gravest of its errors, if it has any.
    pub kind: Option<Kind>,
    /// What has to change: place, finding, remedy.
    pub errors: Vec<String>,
    /// What may be intended.
    pub warnings: Vec<String>,
    /// Where what it uses was found, if it was looked for.
    pub found: Vec<String>,
    /// The errors and the warnings, each with its place.
    pub remarks: Vec<Remark>,
}

impl Checker {
    /// A checker on a host of this configuration. `passing` names rules whose findings at rest are ignored.
    ///
    /// # Errors
    /// [`Failed`] where the configuration's rules can't be read.
    pub fn new(host: Host, config: &HostConfig, passing: &[String]) -> Result<Self, Failed> {
        let search = Search::new(Vec::new(), Some(rules(config)?));
        Ok(Self { host, scrubber: Scrubber::new(Arc::new(search), Vec::new()).passing(passing), taken: Mutex::default() })
    }

    /// Loads a manifest and its component, and looks for secrets at rest: in both, and in `.env` files beside them that git tracks. With
    /// `resolve`, every secret and every signer's key is fetched as well, as a run would. Returns the agent, if it can be loaded. Blocks
    /// the thread while the component is compiled.
    pub async fn check(&self, path: &Path, resolve: bool) -> (Checked, Option<Agent>) {
        let mut checked = Checked { manifest: path.display().to_string(), ..Checked::default() };
        match self.host.load(path) {
            Ok(agent) => {
                let manifest = agent.manifest();
                checked.found_at_rest(at_rest::secrets(path, manifest.component.as_deref(), &self.scrubber));
                checked.kept(path, &self.host, manifest);
                let warnings = overlaps(&self.host, path, manifest).chain(written(&self.host, path, manifest));
                warnings.chain(strangers(path, manifest)).chain(self.shared(path, manifest)).for_each(|warning| checked.remark(warning));
                if resolve {
                    checked.resolve(path, &agent).await;
                }
                (checked, Some(agent))
            }
            Err(error) => {
                checked.remarks = Remark::of_load(&checked.manifest, &error);
                let Failed { kind, message } = error.into();
                (checked.kind, checked.errors) = (Some(kind), vec![message]);
                (checked, None)
            }
        }
    }
}

impl Checker {
    /// What a manifest that was checked before has too. Both may be served apart.
    fn shared(&self, path: &Path, manifest: &Manifest) -> Vec<Remark> {
        let called = match &manifest.trigger {
            Trigger::Http(http) => Some(format!("path `{}`", http.path)),
            _ => None,
        };
        let mut taken = self.taken.lock();
        // What it had before, where it is checked again.
        taken.retain(|(_, known)| known != path);
        let mut remarks = Vec::new();
        for what in [Some(format!("name `{}`", manifest.name)), called].into_iter().flatten() {
            if let Some((_, other)) = taken.iter().find(|(known, _)| *known == what) {
                let other = other.display();
                let message =
                    format!("the {what} is that of {other} too, and a host that serves both uses neither; give each agent one of its own");
                remarks.push(Remark::new(About::SharedName, path.display(), None, message));
            }
            taken.push((what, path.to_owned()));
        }
        remarks
    }
}

impl Checked {
    fn remark(&mut self, remark: Remark) {
        let said = if remark.about.is_error() { &mut self.errors } else { &mut self.warnings };
        said.push(remark.to_string());
        self.remarks.push(remark);
    }

    fn found_at_rest(&mut self, found: Vec<Remark>) {
        if !found.is_empty() {
            self.kind = Some(Kind::Usage);
        }
        found.into_iter().for_each(|remark| self.remark(remark));
    }

    /// What is wrong with the secrets that refresh tokens are to be kept as.
    fn kept(&mut self, path: &Path, host: &Host, manifest: &Manifest) {
        let Err(missing) = kept_as(manifest, host.backends()) else { return };
        self.kind = self.kind.max(Some(Kind::Secret));
        for missing in missing {
            let message = format!("secret `{}`: {}", missing.name, missing.why);
            self.remark(Remark::new(About::SecretUnavailable, path.display(), None, message));
        }
    }

    /// Fetches an agent's secrets and the keys of its signers: a line for each that says where it is, or why it is unavailable.
    async fn resolve(&mut self, path: &Path, agent: &Agent) {
        let before = self.errors.len();
        let missing = |what: &str| Remark::new(About::SecretUnavailable, path.display(), None, what);
        match agent.resolve().await {
            Ok(resolved) => self.found.extend(resolved.into_iter().map(found)),
            Err(unavailable) => unavailable.to_string().lines().for_each(|line| self.remark(missing(line))),
        }
        for (name, key) in agent.resolve_signers().await {
            match key {
                Ok(key) => self.found.push(format!("signer {name}: {}", crate::text::for_people(&key))),
                Err(why) => self.remark(missing(&format!("signer `{name}` is unavailable: {why}"))),
            }
        }
        if self.errors.len() > before {
            self.kind = self.kind.max(Some(Kind::Secret));
        }
    }
}

fn found(secret: Resolved) -> String {
    let from = secret.from.map_or_else(|| "its default in the manifest".to_owned(), |from| crate::text::for_people(&from));
    let version = secret.version.map(|version| format!(", version {}", crate::text::for_people(&version))).unwrap_or_default();
    format!("{}: {from}{version}, fingerprint {}", secret.name, secret.fingerprint)
}

/// Where a wildcard covers the names of strangers.
fn strangers(path: &Path, manifest: &Manifest) -> impl Iterator<Item = Remark> {
    let grants = manifest.secrets.iter().flat_map(|secret| &secret.allow).map(|grant| (&grant.host, grant.line));
    let hosts = grants.chain(manifest.egress.iter().map(|rule| (&rule.host, rule.line)));
    hosts.filter_map(|(host, line)| {
        let message = host.covers_strangers()?;
        Some(Remark::new(About::WildcardHost, path.display(), Some(Spot::Line(line)), message))
    })
}

/// Where a scheme has to write beside the secret, and can't, or not often.
fn written(host: &Host, path: &Path, manifest: &Manifest) -> impl Iterator<Item = Remark> {
    manifest.secrets.iter().filter_map(move |secret| {
        let scheme = secret.scheme.as_deref()?;
        let from = host.backends().origins(manifest, secret).ok()?.into_iter().next()?.from;
        let store = from.backend.store();
        let what = match (scheme, store) {
            (SchemeSpec::Hmac(spec), None) if spec.nonce.is_some() => format!(
                "its scheme has nonces, and the backend `{}` can't be written to: another host with the same key would not be noticed; give each host \
                 a key of its own",
                from.name
            ),
            (SchemeSpec::Oauth2(spec), Some(store)) if spec.is_refreshed() && store.counts_writes() => format!(
                "a refresh writes twice to a journal beside its token, and the backend `{}` takes about 100 versions of an entry in a day: tokens \
                 that live for less than 45 minutes use that up",
                from.name
            ),
            _ => return None,
        };
        Some(Remark::new(About::SchemeWrites, path.display(), None, format_args!("secret `{}`: {what}", secret.name)))
    })
}

/// Where a value may be used longer than its issuer lets it live.
fn overlaps(host: &Host, path: &Path, manifest: &Manifest) -> impl Iterator<Item = Remark> {
    manifest.secrets.iter().filter_map(move |secret| {
        let namespace = secret.namespace.as_deref().unwrap_or(&manifest.name);
        let (from, _) = host.backends().entries(&secret.from, &manifest.name, namespace).ok()?;
        let (Some(overlap), Freshness::For(cache)) = (secret.overlap, from.backend.freshness()) else { return None };
        (cache > overlap).then(|| {
            let message = format!(
                "secret `{}`: an old value works for {} s after a rotation, but the backend `{}` is asked every {} s; lower its `cache`",
                secret.name,
                overlap.as_secs(),
                from.name,
                cache.as_secs()
            );
            Remark::new(About::StaleValue, path.display(), None, message)
        })
    })
}
