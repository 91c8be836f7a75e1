//! The rotations of a host: made from its configuration, found by what they replace, and closed with it.

use super::issuer::{HttpIssuer, Issuer};
use super::sites::Site;
use super::{Rotation, RotationError};
use crate::audit::AuditSink;
use crate::clock::{Clock, Wall};
use crate::manifest::HOSTS_OWN;
use crate::manifest::{HostConfig, IssuerConfig, Manifest, SecretRef};
use crate::policy::Closed;
use crate::secrets::{BackendError, Backends, Cache, Entry, Freshness};
use std::sync::Arc;

/// The rotations of a host.
pub(crate) struct Rotations {
    all: Vec<Arc<Rotation>>,
    closed: Closed,
}

/// What rotations have of the host.
pub(crate) struct Parts {
    pub(crate) host: String,
    pub(crate) cache: Arc<Cache>,
    pub(crate) clock: Clock,
    pub(crate) wall: Wall,
    pub(crate) audit: Option<Arc<dyn AuditSink>>,
}

impl Rotations {
    pub(crate) fn new(
        config: &HostConfig,
        own: Vec<(String, Arc<dyn Issuer>)>,
        backends: &Backends,
        parts: &Parts,
    ) -> Result<Self, (String, String)> {
        let mut all = Vec::new();
        for (name, rotation) in &config.rotations {
            let made = Rotation::new(name, rotation, config, &own, backends, parts);
            all.push(Arc::new(made.map_err(|why| (name.clone(), why))?));
        }
        let everywhere: Vec<Site> = all.iter().flat_map(|rotation: &Arc<Rotation>| rotation.sites.clone()).collect();
        for (at, site) in everywhere.iter().enumerate() {
            if everywhere[..at].iter().any(|other| other.is(site)) {
                let rotation =
                    all.iter().rev().find(|rotation| rotation.keeps(site)).map_or_else(String::new, |rotation| rotation.name.clone());
                return Err((rotation, format!("{} is named twice: one key has one rotation", site.shown())));
            }
        }
        for rotation in &all {
            let _ = rotation.everywhere.set(everywhere.clone());
            let others = all.iter().filter(|other| other.name != rotation.name && other.config.issuer == rotation.config.issuer);
            let _ = rotation.others.set(others.map(|other| other.journal.clone()).collect());
        }
        let closed = own.iter().flat_map(|(_, issuer)| issuer.closed());
        let of_all = |why| ("of any name".to_owned(), why);
        let closed = Closed::new(closed).map_err(of_all)?;
        Ok(Self { all, closed: closed.with(closed_by(config).map_err(of_all)?) })
    }

    pub(crate) fn all(&self) -> &[Arc<Rotation>] {
        &self.all
    }

    pub(crate) fn named(&self, name: &str) -> Result<&Arc<Rotation>, RotationError> {
        self.all.iter().find(|rotation| rotation.name == name).ok_or_else(|| RotationError::Unknown(name.to_owned()))
    }

    /// The rotation that replaces an entry of a backend.
    pub(crate) fn of(&self, backend: &str, entry: &Entry) -> Option<&Arc<Rotation>> {
        self.all.iter().find(|rotation| rotation.sites.iter().any(|site| site.from.name == backend && site.entry == *entry))
    }

    /// The name of a rotation that replaces something at the path that a reference names.
    pub(crate) fn of_reference(&self, reference: &SecretRef) -> Option<&str> {
        let SecretRef::Exact { backend, path, field, .. } = reference else { return None };
        let same = |site: &Site| site.from.name == *backend && site.entry.path == *path && site.entry.field == *field;
        self.all.iter().find(|rotation| rotation.sites.iter().any(same)).map(|rotation| rotation.name.as_str())
    }

    /// The rotations that replace something at an entry's path, whatever field or version of it is named.
    fn at<'r>(&'r self, backend: &'r str, entry: &'r Entry) -> impl Iterator<Item = &'r Arc<Rotation>> {
        self.all.iter().filter(move |rotation| rotation.sites.iter().any(|site| site.from.name == backend && site.entry.path == entry.path))
    }

    /// The rotation that replaces what a key of a run comes from.
    pub(crate) fn of_key(&self, key: &crate::secrets::Key) -> Option<Arc<Rotation>> {
        let (backend, entry) = key.place()?;
        self.of(backend, entry).cloned()
    }

    /// Lets others know that this host is about to use what a manifest names, before it does.
    pub(crate) async fn register(&self, manifest: &Manifest, backends: &Backends) -> Result<(), (String, BackendError)> {
        for (secret, rotation, format) in self.used_by(manifest, backends) {
            rotation.register(format.as_ref()).await.map_err(|error| (secret, error))?;
        }
        Ok(())
    }

    /// The rotations that replace something that a manifest names: the secret's name, and what the key is to look like.
    fn used_by(&self, manifest: &Manifest, backends: &Backends) -> Vec<(String, Arc<Rotation>, Option<regex::Regex>)> {
        let mut used = Vec::new();
        for secret in manifest.secrets.iter().filter(|_| !self.all.is_empty()) {
            let namespace = secret.namespace.as_deref().unwrap_or(&manifest.name);
            let Ok((from, entries)) = backends.entries(&secret.from, &manifest.name, namespace) else { continue };
            for entry in &entries {
                for rotation in self.at(&from.name, entry) {
                    // Another field of the same document may look otherwise.
                    let is_key = rotation.sites.iter().any(|site| site.entry.field == entry.field);
                    used.push((secret.name.clone(), Arc::clone(rotation), secret.format.clone().filter(|_| is_key)));
                }
            }
        }
        used
    }

    /// The calls that agents can't make.
    pub(crate) fn closed(&self) -> &Closed {
        &self.closed
    }

    /// Has whatever is under way come to a point where it can be left, and says that this host uses nothing any more.
    pub(crate) async fn close(&self) {
        futures_util::future::join_all(self.all.iter().map(|rotation| rotation.close())).await;
    }
}

/// The calls that a configuration closes to agents, by naming them as an issuer's.
pub(crate) fn closed_by(config: &HostConfig) -> Result<Closed, String> {
    Closed::new(config.issuers.iter().flat_map(|(_, issuer)| issuer.closed()))
}

/// The site that a reference names.
pub(super) fn site(reference: &SecretRef, backends: &Backends) -> Result<Site, String> {
    let SecretRef::Exact { backend, path, which, field } = reference else { return Err("write `backend:path`".to_owned()) };
    let from = backends.named(Some(backend)).map_err(|error| error.to_string())?.clone();
    let entry = Entry { path: path.clone(), which: which.clone(), field: field.clone() };
    let shown = crate::text::for_people(&entry.to_string());
    from.backend.admits(&entry).map_err(|error| error.to_string())?;
    if field.as_ref().is_some_and(|field| field.starts_with('/')) {
        return Err(format!("{shown}: name the field by its key; a JSON Pointer can be read but not written"));
    }
    if from.backend.leases().is_some_and(|leases| leases.is_leased(&entry)) {
        return Err(format!("{shown}: what is made for each run is replaced with each run"));
    }
    if path.starts_with(HOSTS_OWN) {
        return Err(format!("{shown}: paths below `{HOSTS_OWN}` are the host's own"));
    }
    if from.backend.store().is_none() || from.backend.freshness() == Freshness::EachRun {
        return Err(format!("{shown}: a key is replaced in a backend that can be written to: of type `file`, `vault` or `aws`"));
    }
    Ok(Site { from, entry })
}

/// The issuer of that name; `None` where it is the backend itself.
pub(super) fn issuer(name: &str, host: &HostConfig, own: &[(String, Arc<dyn Issuer>)]) -> Result<Option<Arc<dyn Issuer>>, String> {
    if let Some((_, issuer)) = own.iter().find(|(known, _)| known == name) {
        return Ok(Some(Arc::clone(issuer)));
    }
    match host.issuers.iter().find(|(known, _)| known == name) {
        Some((_, IssuerConfig::Http(http))) => Ok(Some(Arc::new(HttpIssuer::new(http).map_err(|error| error.to_string())?))),
        Some((_, IssuerConfig::Managed)) => Ok(None),
        Some(_) => Err(format!("this build has no issuer of the type of `{name}`")),
        None => Err(format!("no issuer `{name}` is configured; add `[issuers.{name}]`")),
    }
}
