//! The operator's host configuration, `strongroom.toml`.

use super::diagnostic::{Diagnostics, Problem};
use super::reader::{Document, Section};
use super::{
    AdminConfig, BackendConfig, IssuerConfig, ListenConfig, ReadError, RotationConfig, SigningConfig, admin, backends, listen, names,
    rotation, signing, units,
};
use std::path::{Path, PathBuf};

/// What the operator says about this host. The default is a host with the `env` backend that reaches only public addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HostConfig {
    /// Where names without a backend are looked up: the name of one. By default `env`.
    pub default_backend: Option<String>,
    /// Backends by the name that manifests use before the colon.
    pub backends: Vec<(String, BackendConfig)>,
    /// Addresses that are not globally routable but that grants may reach anyway.
    pub network_allow: Vec<ipnet::IpNet>,
    /// Files of additional certificate authorities, PEM.
    pub network_ca: Vec<PathBuf>,
    /// The proxy that all requests of agents go through (HTTP `CONNECT`), by host and port.
    pub network_proxy: Option<(String, u16)>,
    /// The audit log. By default `audit.jsonl` in the state directory.
    pub audit_file: Option<PathBuf>,
    /// Where the host keeps its state.
    pub state_dir: Option<PathBuf>,
    /// Most bytes of compiled components that are kept in the state directory; those used longest ago go first. Default 2 GiB.
    pub compiled: Option<u64>,
    /// Files of rules for secrets that nobody registered, in addition to those that come with the host.
    pub scrub_rules: Vec<PathBuf>,
    /// Signing: chains, assets, and what no agent's manifest may go beyond.
    pub signing: SigningConfig,
    /// Who makes new keys, by name.
    pub issuers: Vec<(String, IssuerConfig)>,
    /// The keys that are replaced, by name.
    pub rotations: Vec<(String, RotationConfig)>,
    /// Where a host that serves listens for the callers of its agents. Default nowhere.
    pub listen: Option<ListenConfig>,
    /// Where a host that serves takes what operators ask, and who they are.
    pub admin: AdminConfig,
}

impl HostConfig {
    /// Parses the text of a host configuration. `file` is the name that findings carry.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its place.
    pub fn parse(file: &str, text: &str) -> Result<Self, Diagnostics> {
        Document::read(file, text, |root| Some(config(root)))
    }

    /// The same with the backends that the environment describes in the variables which their own tools know, where the configuration
    /// has none of that name: `VAULT_ADDR` with `VAULT_ROLE_ID` and `VAULT_SECRET_ID`, or with `VAULT_TOKEN`, brings up `vault`;
    /// `AWS_REGION` or `AWS_DEFAULT_REGION` brings up `aws`. `SECRETS_BACKEND` says where names without a backend are looked up. An empty
    /// variable says nothing.
    #[must_use]
    pub fn with_environment(mut self) -> Self {
        let var = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        for (name, backend) in [("vault", backends::vault_of(var)), ("aws", backends::aws_of(var))] {
            if let Some(backend) = backend
                && !self.backends.iter().any(|(known, _)| known == name)
            {
                self.backends.push((name.to_owned(), backend));
            }
        }
        self.default_backend = var("SECRETS_BACKEND").or(self.default_backend);
        self
    }

    /// Reads a host configuration from a file. Relative paths in it are relative to it.
    ///
    /// # Errors
    /// [`ReadError`] where the file can't be read, or everything that is wrong with it.
    pub fn read(path: &Path) -> Result<Self, ReadError> {
        let text =
            crate::files::read_text(path, crate::files::MAX_TEXT).map_err(|source| ReadError::Io { path: path.to_owned(), source })?;
        let mut config = Self::parse(&path.display().to_string(), &text)?;
        let dir = path.parent().unwrap_or(Path::new(""));
        let here = |file: &mut PathBuf| *file = dir.join(&file);
        config.network_ca.iter_mut().for_each(here);
        config.audit_file.iter_mut().for_each(here);
        config.state_dir.iter_mut().for_each(here);
        config.scrub_rules.iter_mut().for_each(here);
        config.signing.files().into_iter().for_each(here);
        config.listen.iter_mut().flat_map(ListenConfig::files).for_each(here);
        config.admin.files().for_each(here);
        for (_, issuer) in &mut config.issuers {
            if let IssuerConfig::Http(http) = issuer {
                http.files().into_iter().for_each(here);
            }
        }
        for (_, backend) in &mut config.backends {
            backend.files().into_iter().for_each(here);
        }
        Ok(config)
    }
}

fn config(root: &Section<'_>) -> HostConfig {
    let name = |text: &str| names::backend_name(text).map(|()| text.to_owned());
    let mut config = HostConfig { default_backend: root.parse("default_backend", name), ..HostConfig::default() };
    for (name, span, section) in root.named_tables("backends") {
        if let Err(problem) = names::backend_name(&name) {
            root.report(span, problem);
        }
        config.backends.extend(backends::read(&section).map(|backend| (name, backend)));
    }
    if let Some(network) = root.table("network") {
        let cidr = |text: &str| {
            text.parse::<ipnet::IpNet>().map(|net| net.trunc()).map_err(|_| {
                Problem::new("not a network", "write an address and a prefix length; `/32`, or `/128` in IPv6, is that address alone")
            })
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
        config.compiled = state.parse("compiled", units::size);
    }
    if let Some(scrub) = root.table("scrub") {
        config.scrub_rules = scrub.list("rules", path).unwrap_or_default();
    }
    config.issuers =
        root.named_tables("issuers").into_iter().filter_map(|(name, _, section)| Some((name, rotation::issuer(&section)?))).collect();
    for (name, span, section) in root.named_tables("rotations") {
        if let Err(problem) = names::backend_name(&name) {
            root.report(span.clone(), problem);
        }
        let Some(rotation) = rotation::rotation(&section) else { continue };
        config.rotations.push((name, rotation));
    }
    config.listen = root.table("serve").and_then(|section| listen::read(&section));
    config.admin = root.table("admin").map_or_else(AdminConfig::default, |section| admin::read(&section));
    config.signing = root.table("signing").map_or_else(SigningConfig::default, |section| signing::read(&section));
    config
}

fn proxy(text: &str) -> Result<(String, u16), Problem> {
    let wrong = || Problem::new("not a proxy", "write `http://HOST:PORT`, without a user; it is asked for tunnels with `CONNECT`");
    let (host, port) = text.strip_prefix("http://").and_then(|rest| rest.trim_end_matches('/').rsplit_once(':')).ok_or_else(wrong)?;
    let port = port.parse().ok().filter(|port| *port > 0).ok_or_else(wrong)?;
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if super::is_host(host) { Ok((bare.to_owned(), port)) } else { Err(wrong()) }
}

pub(super) fn path(text: &str) -> Result<PathBuf, Problem> {
    if text.is_empty() { Err(Problem::new("empty", "write a path")) } else { Ok(PathBuf::from(text)) }
}
