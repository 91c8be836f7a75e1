//! The manifests of a directory: each `NAME.toml` in it, and each `agent.toml` in a directory right below. What can't be used is told with its
//! place, and stops no other.

use super::ServeError;
use crate::manifest::{CallerAuth, Manifest, Trigger};
use crate::{Agent, Host};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A manifest that names an agent no other one of the directory names.
pub(super) struct Listed {
    pub(super) path: PathBuf,
    pub(super) manifest: Manifest,
    /// The hash of the text that it was read from: the file may be another by now.
    text: [u8; 32],
}

impl Listed {
    /// The authorities of its callers' certificates.
    fn authorities(&self) -> Option<&PathBuf> {
        match &self.manifest.trigger {
            Trigger::Http(http) => match &http.auth {
                CallerAuth::Mtls { authorities, .. } => Some(authorities),
                _ => None,
            },
            _ => None,
        }
    }

    /// What it is made of beside the manifest.
    pub(super) fn others(&self) -> impl Iterator<Item = PathBuf> {
        self.manifest.component.iter().chain(self.authorities()).cloned()
    }
}

/// What tells one state of an agent's files from another.
pub(super) type Stand = [u8; 32];

/// What became of an agent's files.
pub(super) enum Loaded {
    /// They are as they were.
    Same,
    Agent(Box<Agent>, Stand),
}

/// The manifests of a directory in the order of their paths, and those that can't be used, each with why.
#[derive(Default)]
pub(super) struct Listing {
    pub(super) good: Vec<Listed>,
    pub(super) bad: Vec<(PathBuf, String)>,
}

/// Reads all manifests. `except` is a file that is none.
pub(super) fn list(directory: &Path, except: Option<&Path>) -> Result<Listing, ServeError> {
    let mut listing = Listing::default();
    let mut named: BTreeMap<String, Vec<Listed>> = BTreeMap::new();
    let except = except.and_then(|path| path.canonicalize().ok());
    for path in paths(directory)? {
        if except.is_some() && path.canonicalize().ok() == except {
            continue;
        }
        match Manifest::read_with_text(&path) {
            Ok((manifest, text)) => {
                let text = Sha256::digest(text).into();
                named.entry(manifest.name.clone()).or_default().push(Listed { path, manifest, text });
            }
            Err(why) => listing.bad.push((path, why.to_string())),
        }
    }
    for (name, listed) in named {
        if listed.len() == 1 {
            listing.good.extend(listed);
            continue;
        }
        let all: Vec<String> = listed.iter().map(|listed| listed.path.display().to_string()).collect();
        for Listed { path, .. } in listed {
            let others: Vec<&str> = all.iter().map(String::as_str).filter(|other| **other != *path.as_os_str()).collect();
            let why =
                format!("{}: the name `{name}` is that of {} too; give each agent a name of its own", path.display(), others.join(" and "));
            listing.bad.push((path, why));
        }
    }
    listing.one_agent_a_path();
    listing.good.sort_by(|one, other| one.path.cmp(&other.path));
    listing.bad.sort();
    Ok(listing)
}

impl Listing {
    /// Leaves agents out that share the path of their trigger: nobody knows which of them a caller means.
    fn one_agent_a_path(&mut self) {
        let mut by_path: BTreeMap<String, Vec<Listed>> = BTreeMap::new();
        for listed in std::mem::take(&mut self.good) {
            match &listed.manifest.trigger {
                Trigger::Http(http) => by_path.entry(http.path.to_string()).or_default().push(listed),
                _ => self.good.push(listed),
            }
        }
        for (called, listed) in by_path {
            if listed.len() == 1 {
                self.good.extend(listed);
                continue;
            }
            let all: Vec<String> = listed.iter().map(|listed| listed.path.display().to_string()).collect();
            for Listed { path, .. } in listed {
                let others: Vec<&str> = all.iter().map(String::as_str).filter(|other| **other != *path.as_os_str()).collect();
                let place = path.display();
                let why =
                    format!("{place}: the path `{called}` is that of {} too; give each agent a path of its own", others.join(" and "));
                self.bad.push((path, why));
            }
        }
    }
}

/// Where manifests lie.
pub(super) fn paths(directory: &Path) -> Result<Vec<PathBuf>, ServeError> {
    let unread = |source| ServeError::Directory { path: directory.to_owned(), source };
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory).map_err(unread)? {
        let path = entry.map_err(unread)?.path();
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if hidden {
            continue;
        }
        if path.is_dir() {
            let within = path.join("agent.toml");
            paths.extend(fs::symlink_metadata(&within).is_ok().then_some(within));
        } else if path.extension().is_some_and(|extension| extension == "toml") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// Loads an agent, unless its files are as they were. Compiles its component.
pub(super) fn load(host: &Host, listed: Listed, known: Option<Stand>) -> Result<Loaded, String> {
    let of = |why: crate::LoadError| format!("{}: {why}", listed.path.display());
    let (path, component) = host.component_of(&listed.manifest).map_err(of)?;
    // What can't be read is told by whoever needs it.
    let authorities = listed.authorities().and_then(|path| fs::read(path).ok()).unwrap_or_default();
    let parts = [listed.text, Sha256::digest(&component).into(), Sha256::digest(authorities).into()];
    let stand: Stand = Sha256::digest(parts.concat()).into();
    if known == Some(stand) {
        // The host's configuration may be another by now.
        host.check_loaded(&listed.manifest).map_err(of)?;
        return Ok(Loaded::Same);
    }
    let place = listed.path.display().to_string();
    let agent = host.agent_from(listed.manifest, &component, path).map_err(|why| format!("{place}: {why}"))?;
    Ok(Loaded::Agent(Box::new(agent), stand))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a directory");
        for (path, text) in files {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
            fs::write(path, text).expect("a file");
        }
        dir
    }

    #[test]
    fn manifests_lie_in_the_directory_and_right_below_it() {
        let named = |name: &str| format!("name = \"{name}\"\ncomponent = \"a.wasm\"\n");
        let dir = directory(&[
            ("b.toml", &named("b")),
            ("a/agent.toml", &named("a")),
            ("a/Cargo.toml", "[package]"),
            ("a/deeper/agent.toml", &named("deeper")),
            (".hidden.toml", "nonsense"),
            (".git/agent.toml", "nonsense"),
            ("notes.txt", "nonsense"),
            ("strongroom.toml", "[state]"),
            ("broken.toml", "name = \"broken\""),
        ]);

        let listing = list(dir.path(), Some(&dir.path().join("strongroom.toml"))).expect("a directory");

        let names: Vec<&str> = listing.good.iter().map(|listed| listed.manifest.name.as_str()).collect();
        assert_eq!(names, ["a", "b"]);
        let [(path, why)] = &listing.bad[..] else { panic!("{:?}", listing.bad) };
        assert!(path.ends_with("broken.toml") && why.contains("broken.toml:1:1: `component` is missing; add"), "{why}");
        assert!(list(&dir.path().join("none"), None).is_err_and(|error| error.to_string().contains("the directory can't be read")));
    }

    #[test]
    fn two_agents_of_one_name_are_refused_and_the_others_are_not() {
        let dir = directory(&[
            ("one.toml", "name = \"twin\"\ncomponent = \"a.wasm\""),
            ("other.toml", "name = \"twin\"\ncomponent = \"a.wasm\""),
            ("third.toml", "name = \"third\"\ncomponent = \"a.wasm\""),
        ]);

        let listing = list(dir.path(), None).expect("a directory");

        assert_eq!(listing.good.len(), 1);
        assert_eq!(listing.bad.len(), 2);
        assert!(
            listing.bad[0].1.contains("one.toml: the name `twin` is that of ") && listing.bad[0].1.contains("other.toml too; give each")
        );
    }
}
