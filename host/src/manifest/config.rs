//! The operator's host configuration, `strongroom.toml`.

use super::diagnostic::{Diagnostics, Problem};
use super::reader::{Document, Section};
use super::{ReadError, names};
use std::path::{Path, PathBuf};

/// What the operator says about this host. The default is a host with the `env` backend that reaches only public addresses.
#[derive(Debug, Clone, Default)]
pub struct HostConfig {
    /// Backends by the name that manifests use before the colon.
    pub backends: Vec<(String, BackendConfig)>,
    /// Addresses that are not globally routable and that grants may reach all the same.
    pub network_allow: Vec<ipnet::IpNet>,
    /// Files of additional certificate authorities, PEM.
    pub network_ca: Vec<PathBuf>,
    /// The proxy that all requests of agents go through (HTTP `CONNECT`), by host and port.
    pub network_proxy: Option<(String, u16)>,
    /// The audit log. By default `audit.jsonl` in the state directory.
    pub audit_file: Option<PathBuf>,
    /// Where the host keeps its state.
    pub state_dir: Option<PathBuf>,
    /// Files of rules for secrets that nobody registered, beside those that come with the host.
    pub scrub_rules: Vec<PathBuf>,
}

/// One backend of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BackendConfig {
    /// The host's environment, then the `.env` file where one is named.
    Env {
        /// A file of `NAME=value` lines.
        file: Option<PathBuf>,
    },
    /// An encrypted file of versioned secrets.
    File {
        /// The file.
        path: PathBuf,
        /// What opens it.
        key: FileKeyRef,
        /// The paths that manifests may name; `{agent}` stands for the agent's name.
        paths: Vec<String>,
    },
}

/// Where the key of an encrypted file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileKeyRef {
    /// `file:PATH`: an identity of age.
    Identity(PathBuf),
    /// `credential:NAME`: the same as a systemd credential.
    Credential(String),
    /// `env:NAME`: a passphrase in a variable.
    Passphrase(String),
    /// `prompt`: a passphrase that is asked for.
    Prompt,
}

impl HostConfig {
    /// Parses the text of a host configuration. `file` is the name that findings carry.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its place.
    pub fn parse(file: &str, text: &str) -> Result<Self, Diagnostics> {
        Document::read(file, text, |root| Some(config(root)))
    }

    /// Reads a host configuration from a file. Relative paths in it are relative to it.
    ///
    /// # Errors
    /// [`ReadError`] where the file can't be read, or everything that is wrong with it.
    pub fn read(path: &Path) -> Result<Self, ReadError> {
        let text = std::fs::read_to_string(path).map_err(|source| ReadError::Io { path: path.to_owned(), source })?;
        let mut config = Self::parse(&path.display().to_string(), &text)?;
        let dir = path.parent().unwrap_or(Path::new(""));
        let here = |file: &mut PathBuf| *file = dir.join(&file);
        config.network_ca.iter_mut().for_each(here);
        config.audit_file.iter_mut().for_each(here);
        config.state_dir.iter_mut().for_each(here);
        config.scrub_rules.iter_mut().for_each(here);
        for (_, backend) in &mut config.backends {
            match backend {
                BackendConfig::Env { file } => file.iter_mut().for_each(here),
                BackendConfig::File { path, key, .. } => {
                    here(path);
                    if let FileKeyRef::Identity(file) = key {
                        here(file);
                    }
                }
            }
        }
        Ok(config)
    }
}

fn config(root: &Section<'_>) -> HostConfig {
    let mut config = HostConfig::default();
    for (name, span, section) in root.named_tables("backends") {
        if let Err(problem) = names::backend_name(&name) {
            root.report(span, problem);
        }
        let kind = section.require("type", "type = \"env\"", |text| match text {
            "env" | "file" => Ok(text.to_owned()),
            "vault" | "aws" => Err(Problem::new(
                "a backend that is not supported yet",
                "use `\"env\"` or `\"file\"`, or embed the library with a backend of your own",
            )),
            _ => Err(Problem::new("an unknown type of backend", "write `\"env\"` or `\"file\"`")),
        });
        match kind.as_deref() {
            Some("env") => config.backends.push((name, BackendConfig::Env { file: section.parse("file", path) })),
            Some(_) => config.backends.extend(file(&section).map(|backend| (name, backend))),
            // The keys of a backend that is not supported are not findings of their own.
            None => section.ignore_rest(),
        }
    }
    if let Some(network) = root.table("network") {
        let cidr = |text: &str| {
            text.parse::<ipnet::IpNet>()
                .map(|net| net.trunc())
                .map_err(|_| Problem::new("not a network", "write an address and a prefix length, as in `127.0.0.1/32`"))
        };
        config.network_allow = network.list("allow", cidr).unwrap_or_default();
        config.network_ca = network.list("ca", path).unwrap_or_default();
        config.network_proxy = network.parse("proxy", proxy);
    }
    if let Some(audit) = root.table("audit") {
        config.audit_file = audit.parse("file", path);
    }
    if let Some(state) = root.table("state") {
        config.state_dir = state.parse("dir", path);
    }
    if let Some(scrub) = root.table("scrub") {
        config.scrub_rules = scrub.list("rules", path).unwrap_or_default();
    }
    root.later("signing", "signing comes with a later release; leave the table out");
    config
}

fn file(section: &Section<'_>) -> Option<BackendConfig> {
    let path = section.require("path", "path = \"secrets.age\"", path);
    let key = section.require("key", "key = \"file:secrets.key\"", |text| {
        let wrong =
            || Problem::new("not a place for a key", "write `file:PATH`, `credential:NAME`, `env:NAME` or `prompt`; never the key itself");
        match text.split_once(':') {
            None if text == "prompt" => Ok(FileKeyRef::Prompt),
            Some(("file", path)) if !path.is_empty() => Ok(FileKeyRef::Identity(path.into())),
            Some(("credential", name)) if !name.is_empty() && !name.contains('/') => Ok(FileKeyRef::Credential(name.to_owned())),
            Some(("env", name)) if !name.is_empty() => Ok(FileKeyRef::Passphrase(name.to_owned())),
            _ => Err(wrong()),
        }
    });
    let paths = section.list("paths", |text| Ok(text.to_owned())).unwrap_or_else(|| vec!["{agent}/**".to_owned(), "*".to_owned()]);
    Some(BackendConfig::File { path: path?, key: key?, paths })
}

fn proxy(text: &str) -> Result<(String, u16), Problem> {
    let wrong = || Problem::new("not a proxy", "write `http://HOST:PORT`, without a user; it is asked for tunnels with `CONNECT`");
    let (host, port) = text.strip_prefix("http://").and_then(|rest| rest.trim_end_matches('/').rsplit_once(':')).ok_or_else(wrong)?;
    let port = port.parse().ok().filter(|port| *port > 0).ok_or_else(wrong)?;
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if super::is_host(host) { Ok((bare.to_owned(), port)) } else { Err(wrong()) }
}

fn path(text: &str) -> Result<PathBuf, Problem> {
    if text.is_empty() { Err(Problem::new("empty", "write a path")) } else { Ok(PathBuf::from(text)) }
}
