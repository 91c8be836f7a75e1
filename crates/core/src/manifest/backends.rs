//! The `[backends.NAME]` tables of the host configuration.

use super::config::path;
use super::diagnostic::Problem;
use super::pattern::NamePattern;
use super::reader::Section;
use super::sources::{self, CommandConfig, DirConfig};
use super::units;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;
use zeroize::Zeroizing;

/// How long a value of a server is used without asking again, unless the configuration says otherwise.
pub(super) const DEFAULT_CACHE: Duration = Duration::from_secs(300);
/// How long the last value is used where a server does not answer, unless the configuration says otherwise.
pub const DEFAULT_STALE: Duration = Duration::from_secs(60 * 60);

/// One backend of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BackendConfig {
    /// The host's environment, then the `.env` file where one is named.
    Env {
        /// A file of `NAME=value` lines.
        file: Option<PathBuf>,
        /// The variables that manifests may name, in patterns: `{agent}` stands for the agent's name in upper case, with `_` for `-`, and `*` for
        /// any run of characters. None: what the manifest names, but nothing below another namespace than the agent's own.
        names: Option<Vec<String>>,
    },
    /// An encrypted file of versioned secrets.
    File {
        /// The file.
        path: PathBuf,
        /// What opens it.
        key: FileKeyRef,
        /// The paths that manifests may name; `{agent}` stands for the agent's name.
        paths: Vec<NamePattern>,
    },
    /// HashiCorp Vault, or OpenBao.
    Vault(VaultConfig),
    /// AWS Secrets Manager.
    Aws(AwsConfig),
    /// A program that prints secrets.
    Command(CommandConfig),
    /// A directory with a file for each secret.
    Dir(DirConfig),
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

/// Where one of the host's own credentials is. It is read each time it is needed, so that it may be replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CredentialRef {
    /// `env:NAME`: a variable.
    Env(String),
    /// `file:PATH`: a file; white space at its end does not count.
    File(PathBuf),
}

/// A server of HashiCorp Vault or OpenBao.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct VaultConfig {
    /// `https://HOST:PORT`.
    pub address: String,
    /// The namespace that all paths are in (Vault Enterprise, OpenBao).
    pub namespace: Option<String>,
    /// The mount of the KV version 2 engine. Default `secret`.
    pub mount: String,
    /// Files of certificate authorities in addition to the public ones, PEM.
    pub ca: Vec<PathBuf>,
    /// How the host logs in.
    pub auth: VaultAuth,
    /// The paths below `mount` that manifests may name; `{agent}` stands for the agent's name. Default `agents/{agent}` and all below.
    pub paths: Vec<NamePattern>,
    /// The paths of credentials that are made for each run and revoked after it, as in `database/creds/{agent}`; manifests may name
    /// these too. Default none.
    pub leased: Vec<NamePattern>,
    /// How long a value is used without asking again. Default 5 minutes.
    pub cache: Duration,
    /// How long the last value is used where the server does not answer. Default 1 hour.
    pub stale: Duration,
}

/// How a host logs in to Vault.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum VaultAuth {
    /// A token that somebody else has made. It is renewed as long as it can be.
    Token(CredentialRef),
    /// The AppRole method.
    AppRole {
        /// Where the method is mounted. Default `approle`.
        mount: String,
        /// The role id.
        role_id: CredentialRef,
        /// The secret id, or where `wrapped` is set, the single-use token that wraps it.
        secret_id: CredentialRef,
        /// Whether the secret id is response-wrapped.
        wrapped: bool,
        /// How the host replaces the secret id before it ends; for one in a file that is not wrapped. Default: it does not.
        renew: Option<SecretIdRenewal>,
    },
    /// The JWT or Kubernetes method.
    Jwt {
        /// Where the method is mounted. Default `jwt`, or `kubernetes`.
        mount: String,
        /// The role.
        role: String,
        /// The JWT: for Kubernetes, by default that of the pod's service account.
        jwt: CredentialRef,
    },
}

/// How a host replaces its own secret id of AppRole.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SecretIdRenewal {
    /// The name of the role that it belongs to.
    pub role: String,
    /// How long before its end, at most half its life. Default a third of that.
    pub before: Option<Duration>,
}

/// AWS Secrets Manager. Credentials come from the SDK's default chain: environment, profile, web identity, ECS, EC2.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AwsConfig {
    /// The region; by default the SDK's own way to find it.
    pub region: Option<String>,
    /// An endpoint instead of the region's own.
    pub endpoint_url: Option<String>,
    /// A profile of the shared configuration files.
    pub profile: Option<String>,
    /// The names that manifests may use; `{agent}` stands for the agent's name. Default `agents/{agent}` and all below.
    pub paths: Vec<NamePattern>,
    /// How long a value is used without asking again. Default 5 minutes.
    pub cache: Duration,
    /// How long the last value is used where the service does not answer. Default 1 hour.
    pub stale: Duration,
}

impl SecretIdRenewal {
    /// The renewal of a secret id of that role, with all defaults.
    #[must_use]
    pub fn new(role: impl Into<String>) -> Self {
        Self { role: role.into(), before: None }
    }
}

impl VaultConfig {
    /// A server with all defaults.
    #[must_use]
    pub fn new(address: impl Into<String>, auth: VaultAuth) -> Self {
        Self {
            address: address.into(),
            namespace: None,
            mount: "secret".to_owned(),
            ca: Vec::new(),
            auth,
            paths: default_paths(),
            leased: Vec::new(),
            cache: DEFAULT_CACHE,
            stale: DEFAULT_STALE,
        }
    }
}

impl Default for AwsConfig {
    /// The service as the SDK finds it.
    fn default() -> Self {
        Self { region: None, endpoint_url: None, profile: None, paths: default_paths(), cache: DEFAULT_CACHE, stale: DEFAULT_STALE }
    }
}

impl BackendConfig {
    /// The files that it names.
    pub(super) fn files(&mut self) -> Vec<&mut PathBuf> {
        match self {
            Self::Env { file, .. } => file.iter_mut().collect(),
            Self::File { path, key, .. } => match key {
                FileKeyRef::Identity(file) => vec![path, file],
                _ => vec![path],
            },
            Self::Vault(vault) => {
                let credentials = match &mut vault.auth {
                    VaultAuth::Token(token) => vec![token],
                    VaultAuth::AppRole { role_id, secret_id, .. } => vec![role_id, secret_id],
                    VaultAuth::Jwt { jwt, .. } => vec![jwt],
                };
                let files = credentials.into_iter().filter_map(|credential| match credential {
                    CredentialRef::File(file) => Some(file),
                    CredentialRef::Env(_) => None,
                });
                files.chain(&mut vault.ca).collect()
            }
            Self::Dir(dir) => vec![&mut dir.path],
            // A program's path is absolute.
            Self::Aws(_) | Self::Command(_) => Vec::new(),
        }
    }
}

impl CredentialRef {
    /// The credential as it is now.
    ///
    /// # Errors
    /// Why it is unavailable, as the end of a sentence that says where it is.
    pub fn read(&self) -> Result<Zeroizing<String>, String> {
        let text = match self {
            Self::Env(name) => Zeroizing::new(std::env::var(name).map_err(|_| "is not set".to_owned())?),
            Self::File(path) => {
                let read = crate::files::read_secret(path, crate::files::MAX_CREDENTIAL);
                read.map_err(|error| format!("can't be read ({error})"))?
            }
        };
        let trimmed = text.trim();
        if trimmed.is_empty() { Err("is empty".to_owned()) } else { Ok(Zeroizing::new(trimmed.to_owned())) }
    }
}

impl fmt::Display for CredentialRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
        }
    }
}

/// Reads one table.
pub(super) fn read(section: &Section<'_>) -> Option<BackendConfig> {
    section.elsewhere(&[
        ("file", "to `type = \"env\"`"),
        ("names", "to `type = \"env\"`"),
        ("path", "to `type = \"file\"` or `\"dir\"`"),
        ("key", "to `type = \"file\"`"),
        ("paths", "to `type = \"file\"`, `\"vault\"`, `\"aws\"`, `\"command\"` or `\"dir\"`"),
        ("address", "to `type = \"vault\"`"),
        ("namespace", "to `type = \"vault\"`"),
        ("mount", "to `type = \"vault\"`"),
        ("ca", "to `type = \"vault\"`"),
        ("auth", "to `type = \"vault\"`"),
        ("leased", "to `type = \"vault\"`"),
        ("cache", "to `type = \"vault\"`, `\"aws\"` or `\"command\"`"),
        ("stale", "to `type = \"vault\"`, `\"aws\"` or `\"command\"`"),
        ("region", "to `type = \"aws\"`"),
        ("endpoint_url", "to `type = \"aws\"`"),
        ("profile", "to `type = \"aws\"`"),
        ("command", "to `type = \"command\"`"),
        ("protocol", "to `type = \"command\"`"),
        ("env", "to `type = \"command\"`"),
        ("pass_env", "to `type = \"command\"`"),
        ("not_found", "to `type = \"command\"`"),
        ("timeout", "to `type = \"command\"`"),
    ]);
    match section.require_one_of("type", "an unknown type of backend", &["env", "file", "vault", "aws", "command", "dir"]) {
        Some("env") => Some(BackendConfig::Env { file: section.parse("file", path), names: section.list("names", variables) }),
        Some("file") => file(section),
        Some("vault") => vault(section).map(BackendConfig::Vault),
        Some("command") => sources::command(section).map(BackendConfig::Command),
        Some("dir") => sources::dir(section).map(BackendConfig::Dir),
        Some(_) => Some(BackendConfig::Aws(aws(section))),
        None => {
            section.ignore_rest();
            None
        }
    }
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
    let paths = section.list("paths", NamePattern::parse).unwrap_or_else(|| NamePattern::list(&["{agent}/**", "*"]));
    Some(BackendConfig::File { path: path?, key: key?, paths })
}

fn vault(section: &Section<'_>) -> Option<VaultConfig> {
    let address = section.require("address", "address = ?", address);
    let namespace = section.parse("namespace", segments);
    let mount = section.parse("mount", segments).unwrap_or_else(|| "secret".to_owned());
    let ca = section.list("ca", path).unwrap_or_default();
    let paths = paths(section);
    let leased = section.list("leased", NamePattern::parse).unwrap_or_default();
    let (cache, stale) = ages(section);
    let auth = match section.table("auth") {
        Some(auth) => vault_auth(&auth),
        None => {
            let example = "auth = { method = \"approle\", role_id = \"env:VAULT_ROLE_ID\", secret_id = \"env:VAULT_SECRET_ID\" }";
            section.require::<()>("auth", example, |_| Ok(()));
            None
        }
    };
    Some(VaultConfig { address: address?, namespace, mount, ca, auth: auth?, paths, leased, cache, stale })
}

fn vault_auth(section: &Section<'_>) -> Option<VaultAuth> {
    section.elsewhere(&[
        ("token", "to `method = \"token\"`"),
        ("mount", "to `method = \"approle\"`, `\"kubernetes\"` or `\"jwt\"`"),
        ("role_id", "to `method = \"approle\"`"),
        ("secret_id", "to `method = \"approle\"`"),
        ("wrapped", "to `method = \"approle\"`"),
        ("renew", "to `method = \"approle\"`"),
        ("role", "to `method = \"kubernetes\"` or `\"jwt\"`"),
        ("jwt", "to `method = \"kubernetes\"` or `\"jwt\"`"),
    ]);
    let Some(method) = section.require_one_of("method", "an unknown method", &["approle", "token", "kubernetes", "jwt"]) else {
        section.ignore_rest();
        return None;
    };
    if method == "token" {
        return section.require("token", "token = \"env:VAULT_TOKEN\"", credential).map(VaultAuth::Token);
    }
    let mount = section.parse("mount", segments).unwrap_or_else(|| method.to_owned());
    if method == "approle" {
        let role_id = section.require("role_id", "role_id = \"env:VAULT_ROLE_ID\"", credential);
        let secret_id = section.require("secret_id", "secret_id = \"env:VAULT_SECRET_ID\"", credential);
        let wrapped = section.bool("wrapped").unwrap_or(false);
        let renew = section.table("renew").and_then(|renew| renewal(&renew, secret_id.as_ref(), wrapped));
        return Some(VaultAuth::AppRole { mount, role_id: role_id?, secret_id: secret_id?, wrapped, renew });
    }
    let role = section.require("role", "role = ?", |text| Ok(text.to_owned()));
    let jwt = match method {
        "kubernetes" if !section.has("jwt") => Some(CredentialRef::File("/var/run/secrets/kubernetes.io/serviceaccount/token".into())),
        _ => section.require("jwt", "jwt = \"file:token.jwt\"", credential),
    };
    Some(VaultAuth::Jwt { mount, role: role?, jwt: jwt? })
}

fn renewal(section: &Section<'_>, secret_id: Option<&CredentialRef>, wrapped: bool) -> Option<SecretIdRenewal> {
    let role = section.require("role", "role = ?", |text| match segments(text)? {
        role if !role.contains('/') => Ok(role),
        _ => Err(Problem::new("not the name of a role", "write it as in `auth/approle/role/NAME`")),
    });
    let before = section.parse("before", units::duration);
    let kept = !wrapped && matches!(secret_id, Some(CredentialRef::File(_)));
    if !kept && secret_id.is_some() {
        let remedy = "write `secret_id = \"file:PATH\"`, without `wrapped`, or leave `renew` out";
        section.report_here(Problem::new("`renew` has no place to put a new secret id", remedy));
    }
    Some(SecretIdRenewal { role: role?, before })
}

fn aws(section: &Section<'_>) -> AwsConfig {
    let (cache, stale) = ages(section);
    AwsConfig {
        region: section.string("region"),
        endpoint_url: section.parse("endpoint_url", address),
        profile: section.string("profile"),
        paths: paths(section),
        cache,
        stale,
    }
}

/// The `vault` backend that the environment describes.
pub(super) fn vault_of(var: impl Fn(&str) -> Option<String>) -> Option<BackendConfig> {
    let env = |name: &str| CredentialRef::Env(name.to_owned());
    let auth = if var("VAULT_ROLE_ID").is_some() {
        let (role_id, secret_id) = (env("VAULT_ROLE_ID"), env("VAULT_SECRET_ID"));
        VaultAuth::AppRole { mount: "approle".to_owned(), role_id, secret_id, wrapped: false, renew: None }
    } else {
        VaultAuth::Token(env("VAULT_TOKEN"))
    };
    Some(BackendConfig::Vault(VaultConfig {
        namespace: var("VAULT_NAMESPACE"),
        ca: var("VAULT_CACERT").map(PathBuf::from).into_iter().collect(),
        ..VaultConfig::new(address(&var("VAULT_ADDR")?).ok()?, auth)
    }))
}

/// The `aws` backend that the environment describes.
pub(super) fn aws_of(var: impl Fn(&str) -> Option<String>) -> Option<BackendConfig> {
    let region = var("AWS_REGION").or_else(|| var("AWS_DEFAULT_REGION"))?;
    // The SDK reads the rest by itself: the endpoint, the profile, the credentials.
    Some(BackendConfig::Aws(AwsConfig { region: Some(region), ..AwsConfig::default() }))
}

fn default_paths() -> Vec<NamePattern> {
    NamePattern::list(&["agents/{agent}", "agents/{agent}/**"])
}

fn paths(section: &Section<'_>) -> Vec<NamePattern> {
    section.list("paths", NamePattern::parse).unwrap_or_else(default_paths)
}

pub(super) fn ages(section: &Section<'_>) -> (Duration, Duration) {
    let cache = section.parse("cache", units::duration).unwrap_or(DEFAULT_CACHE);
    let stale = section.parse("stale", |text| match units::duration(text)? {
        stale if stale >= cache => Ok(stale),
        _ => Err(Problem::new("shorter than `cache`", "write at least as long a time; both count from when the value was read")),
    });
    (cache, stale.unwrap_or(DEFAULT_STALE.max(cache)))
}

pub(super) fn credential(text: &str) -> Result<CredentialRef, Problem> {
    match text.split_once(':') {
        Some(("env", name)) if !name.is_empty() => Ok(CredentialRef::Env(name.to_owned())),
        Some(("file", path)) if !path.is_empty() => Ok(CredentialRef::File(path.into())),
        _ => Err(Problem::new("not a place for a credential", "write `env:NAME` or `file:PATH`; never the credential itself")),
    }
}

pub(super) fn address(text: &str) -> Result<String, Problem> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let host = rest.map(|rest| rest.trim_end_matches('/')).filter(|host| !host.is_empty() && !host.contains(['/', '@', '?', '#']));
    match host {
        Some(_) => Ok(text.trim_end_matches('/').to_owned()),
        None => Err(Problem::new("not the address of a server", "write `https://HOST:PORT`, without a user and without a path")),
    }
}

/// A pattern of variables.
fn variables(text: &str) -> Result<String, Problem> {
    let remedy = "write letters, digits and `_`, with `{agent}` at most once and `*` for any run of characters, as in `{agent}_*`";
    let rest = text.replacen("{agent}", "", 1);
    let clean = rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'*');
    if text.is_empty() || !clean { Err(Problem::new("not a pattern of variables' names", remedy)) } else { Ok(text.to_owned()) }
}

/// Names joined by slashes.
fn segments(text: &str) -> Result<String, Problem> {
    let clean = |segment: &str| !segment.is_empty() && segment != "." && segment != ".." && segment.bytes().all(|b| b.is_ascii_graphic());
    if text.split('/').all(clean) { Ok(text.to_owned()) } else { Err(Problem::new("not a path", "write names joined by `/`")) }
}
