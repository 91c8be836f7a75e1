//! A configuration that is read anew while the host runs: all that it names is read and built first, and then swapped at once; or nothing is.

use super::builder::{rule_texts, rules_of, tell_of_rules};
use super::{BuildError, Host};
use crate::egress::{AddressGuard, Ways};
use crate::manifest::{Changes, HostConfig, HostsOwn};
use crate::rotation;
use crate::scrub::Rules;
use crate::signing::Bounds;
use crate::tls;
use sha2::{Digest, Sha256};
use std::path::PathBuf;
use std::sync::Arc;

/// What a host runs by.
pub(super) struct Current {
    pub(super) config: HostConfig,
    pub(super) contents: Contents,
}

/// What tells the contents of files from others.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Contents {
    rules: [u8; 32],
    authorities: [u8; 32],
}

/// A configuration with all that the host takes up of it.
pub(crate) struct Reread {
    current: Current,
    own: HostsOwn,
    rules: Option<Arc<Rules>>,
    ways: Option<Ways>,
    bounds: Option<Bounds>,
    changes: Changes,
}

/// What a configuration's files held as they were read, once.
pub(super) struct Texts {
    pub(super) contents: Contents,
    pub(super) rules: Vec<String>,
    authorities: Vec<Vec<u8>>,
}

impl Texts {
    pub(super) fn read(config: &HostConfig) -> Result<Self, BuildError> {
        let rules = rule_texts(&config.scrub_rules)?;
        let read = |path: &PathBuf| {
            let broken = |error: std::io::Error| BuildError::Ca { path: path.clone(), reason: format!("can't be read ({error})") };
            crate::files::read(path, crate::files::MAX_TEXT).map_err(broken)
        };
        let authorities = config.network_ca.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let contents =
            Contents { rules: hash(rules.iter().map(String::as_bytes)), authorities: hash(authorities.iter().map(Vec::as_slice)) };
        Ok(Self { contents, rules, authorities })
    }
}

fn hash<'a>(texts: impl Iterator<Item = &'a [u8]>) -> [u8; 32] {
    let each = texts.flat_map(|text| <[u8; 32]>::from(Sha256::digest(text)));
    Sha256::digest(each.collect::<Vec<u8>>()).into()
}

/// How connections are made by a configuration, whose files held this.
pub(super) fn ways(config: &HostConfig, texts: &Texts) -> Result<Ways, BuildError> {
    let authorities = config.network_ca.iter().map(PathBuf::as_path).zip(texts.authorities.iter().map(Vec::as_slice));
    Ok(Ways {
        guard: AddressGuard::new(config.network_allow.clone()),
        tls: Arc::new(tls::client(authorities)?),
        proxy: config.network_proxy.clone(),
    })
}

impl Reread {
    /// What the host runs by once it has taken this up.
    pub(crate) fn config(&self) -> &HostConfig {
        &self.current.config
    }

    /// What is otherwise.
    pub(crate) fn changes(&self) -> &Changes {
        &self.changes
    }
}

impl Host {
    /// Reads what a configuration names, and builds what the host can take up of it. Nothing has changed yet. Blocks: rules are compiled. Where
    /// the host is not administered, nobody goes by what is said of that before it starts anew.
    ///
    /// # Errors
    /// [`BuildError`], which names the file and what to correct.
    pub(crate) fn reread(&self, newer: &HostConfig, is_administered: bool) -> Result<Reread, BuildError> {
        let texts = Texts::read(newer)?;
        let contents = texts.contents.clone();
        let (before, known) = {
            let current = self.0.current.read();
            (current.config.clone(), current.contents.clone())
        };
        // What would keep the host from starting anew by it is told now.
        rotation::closed_by(newer).map_err(BuildError::Signing)?;
        Bounds::of(&newer.signing).map_err(BuildError::Signing)?;
        let mut changes = before.changes(newer);
        let mut config = before.taking(newer);
        if !is_administered {
            config.admin.clone_from(&before.admin);
            let (admin, now): (Vec<_>, Vec<_>) = changes.now.into_iter().partition(|key| key.starts_with("admin."));
            changes.now = now;
            changes.after_restart.extend(admin);
        }
        let same_rules = known.rules == contents.rules && config.scrub_rules == before.scrub_rules;
        let rules = (!same_rules).then(|| rules_of(&newer.scrub_rules, &texts.rules)).transpose()?;
        let has_network = |config: &HostConfig| (config.network_allow.clone(), config.network_ca.clone(), config.network_proxy.clone());
        let same_ways = known.authorities == contents.authorities && has_network(&config) == has_network(&before);
        let ways = (!same_ways).then(|| ways(&config, &texts)).transpose()?;
        for (key, differs) in [("scrub.rules", !same_rules), ("network.ca", known.authorities != contents.authorities)] {
            if differs && !changes.now.iter().any(|known| known == key) {
                changes.now.push(key.to_owned());
            }
        }
        let signing = (&before.signing.caps, &before.signing.hot_limit) != (&config.signing.caps, &config.signing.hot_limit);
        let bounds = signing.then(|| Bounds::of(&config.signing)).transpose().map_err(BuildError::Signing)?;
        // What the host still runs by is its own, and so is what it will run by.
        let own = config.own().and(newer.own());
        Ok(Reread { current: Current { config, contents }, own, rules, ways, bounds, changes })
    }

    /// Runs by this from here on: new runs are searched by its rules; connections, and signatures, go by its network and its bounds from the next
    /// one on, whichever run they are of.
    pub(crate) fn take(&self, reread: Reread) {
        let Reread { current, own, rules, ways, bounds, changes: _ } = reread;
        let parts = &self.0.parts;
        parts.backends.closes(own);
        if let Some(rules) = rules {
            tell_of_rules(&current.config.scrub_rules, &rules);
            *parts.rules.write() = rules;
        }
        ways.into_iter().for_each(|ways| self.0.network.take(ways));
        bounds.into_iter().for_each(|bounds| parts.signing.take(bounds));
        *self.0.current.write() = current;
    }
}
