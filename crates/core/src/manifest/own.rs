//! The host's own variables and files that the configuration refers to: no manifest can name any of them.
//!
//! Each type of the configuration is taken apart whole, without `..`: a new field does not compile before it is decided here whether it refers
//! to a credential.

use super::{
    AdminClient, AdminConfig, AdminProof, AwsConfig, BackendConfig, CommandConfig, CredentialRef, DirConfig, FileKeyRef, HostConfig,
    HttpIssuerConfig, IssuerConfig, KmsConfig, ListenConfig, MpcConfig, Pkcs11Config, RemoteConfig, SigningConfig, VaultAuth, VaultConfig,
};
use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Prefixes of variables that hold the host's own credentials and settings.
const PREFIXES: &[&str] = &["VAULT_", "BAO_", "AWS_", "STRONGROOM_"];
/// Further variables of the same kind.
const EXACTLY: &[&str] = &["SECRETS_BACKEND", "CREDENTIALS_DIRECTORY", "PATH", "HOME", "LD_PRELOAD", "LD_LIBRARY_PATH", "RUST_LOG"];
/// Variables that name files with credentials of the host's own, for the tools that read them.
const FILES: &[&str] = &["AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE", "AWS_WEB_IDENTITY_TOKEN_FILE"];

/// The variables and files that hold credentials of the host's own.
#[derive(Debug, Clone, Default)]
pub struct HostsOwn {
    /// In upper case.
    variables: BTreeSet<String>,
    files: Vec<PathBuf>,
    /// All that lies below these.
    directories: Vec<PathBuf>,
}

impl HostsOwn {
    /// Whether a variable is the host's own, in whatever case it is written.
    pub fn has_variable(&self, name: &str) -> bool {
        let upper = name.to_ascii_uppercase();
        PREFIXES.iter().any(|prefix| upper.starts_with(prefix)) || EXACTLY.contains(&upper.as_str()) || self.variables.contains(&upper)
    }

    /// Whether a file is one of the host's own, by whatever name, link or path.
    pub fn has_file(&self, path: &Path) -> bool {
        let same = |own: &PathBuf| own == path || identity(own).is_some_and(|own| identity(path) == Some(own));
        self.files.iter().any(same) || self.lies_within(path)
    }

    /// Whether a file lies below a directory of the host's own, or is that directory.
    fn lies_within(&self, path: &Path) -> bool {
        let resolved = path.canonicalize();
        let below = |own: &PathBuf| {
            path.starts_with(own) || resolved.as_ref().is_ok_and(|path| own.canonicalize().is_ok_and(|own| path.starts_with(own)))
        };
        self.directories.iter().any(below)
    }

    /// What either of two has: of a configuration by which a host runs, and of one that it was given since.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.variables.extend(other.variables);
        self.files.extend(other.files);
        self.directories.extend(other.directories);
        self
    }

    fn variable(&mut self, name: &str) {
        self.variables.insert(name.to_ascii_uppercase());
    }

    fn credential(&mut self, credential: &CredentialRef) {
        match credential {
            CredentialRef::Env(name) => self.variable(name),
            CredentialRef::File(path) => self.files.push(path.clone()),
        }
    }

    fn file_key(&mut self, key: &FileKeyRef) {
        match key {
            FileKeyRef::Identity(path) => self.files.push(path.clone()),
            FileKeyRef::Credential(name) => {
                self.files.extend(std::env::var_os("CREDENTIALS_DIRECTORY").map(|directory| Path::new(&directory).join(name)));
            }
            FileKeyRef::Passphrase(name) => self.variable(name),
            FileKeyRef::Prompt => {}
        }
    }

    fn backend(&mut self, backend: &BackendConfig) {
        match backend {
            BackendConfig::Env { file, names: _ } => self.files.extend(file.clone()),
            BackendConfig::File { path, key, paths: _ } => {
                self.files.push(path.clone());
                self.file_key(key);
            }
            BackendConfig::Vault(vault) => self.vault(vault),
            // Its credentials come by the SDK's own variables and files.
            BackendConfig::Aws(AwsConfig { region: _, endpoint_url: _, profile: _, paths: _, cache: _, stale: _ }) => {}
            BackendConfig::Command(CommandConfig {
                command: _,
                protocol: _,
                env: _,
                pass_env,
                paths: _,
                not_found: _,
                timeout: _,
                cache: _,
                stale: _,
            }) => pass_env.iter().for_each(|name| self.variable(name)),
            BackendConfig::Dir(DirConfig { path, paths: _ }) => self.directories.push(path.clone()),
        }
    }

    fn vault(&mut self, vault: &VaultConfig) {
        let VaultConfig { address: _, namespace: _, mount: _, ca: _, auth, paths: _, leased: _, cache: _, stale: _ } = vault;
        match auth {
            VaultAuth::Token(token) => self.credential(token),
            VaultAuth::AppRole { mount: _, role_id, secret_id, wrapped: _, renew: _ } => {
                self.credential(role_id);
                self.credential(secret_id);
            }
            VaultAuth::Jwt { mount: _, role: _, jwt } => self.credential(jwt),
        }
    }

    fn issuer(&mut self, issuer: &IssuerConfig) {
        let IssuerConfig::Http(http) = issuer else { return };
        let HttpIssuerConfig {
            url: _,
            place: _,
            credential,
            issue: _,
            body: _,
            key: _,
            id: _,
            expires: _,
            revoke: _,
            list: _,
            probe: _,
            header: _,
            ca: _,
        } = &**http;
        credential.iter().for_each(|credential| self.credential(credential));
    }

    fn signing(&mut self, signing: &SigningConfig) {
        let SigningConfig {
            assets: _,
            chains: _,
            caps: _,
            hot_limit: _,
            ledger: _,
            max_downtime: _,
            raw: _,
            permit2: _,
            kms,
            pkcs11,
            mpc,
            remote,
        } = signing;
        if let Some(KmsConfig { region: _, endpoint_url: _, profile: _, keys: _ }) = kms {}
        if let Some(Pkcs11Config { module: _, token: _, pin, keys: _, sessions: _ }) = pkcs11 {
            self.credential(pin);
        }
        if let Some(MpcConfig { parties: _, card: _, key, keys: _, timeout: _ }) = mpc {
            self.credential(key);
        }
        for (_, RemoteConfig { url: _, ca: _, certificate: _, key, token, typed_data: _, accounts: _, timeout: _ }) in remote {
            key.iter().chain(token).for_each(|credential| self.credential(credential));
        }
    }
}

impl HostConfig {
    /// What of the host's own it refers to.
    pub fn own(&self) -> HostsOwn {
        let Self {
            default_backend: _,
            backends,
            network_allow: _,
            network_ca: _,
            network_proxy: _,
            audit_file,
            state_dir: _,
            compiled: _,
            scrub_rules: _,
            signing,
            issuers,
            // Where they keep keys is what agents are to use; who replaces those stands with the issuers.
            rotations: _,
            listen,
            admin,
        } = self;
        let mut own = HostsOwn::default();
        own.files.extend(audit_file.clone());
        own.files.extend(FILES.iter().filter_map(std::env::var_os).map(PathBuf::from));
        own.files.extend(std::env::var_os("HOME").map(|home| Path::new(&home).join(".aws/credentials")));
        backends.iter().for_each(|(_, backend)| own.backend(backend));
        issuers.iter().for_each(|(_, issuer)| own.issuer(issuer));
        own.signing(signing);
        let AdminConfig { socket, peers: _, listen: for_operators, clients } = admin;
        own.files.extend(socket.clone());
        for AdminClient { name: _, role: _, proof } in clients {
            if let AdminProof::Token(token) = proof {
                own.credential(token);
            }
        }
        for ListenConfig { address: _, certificate: _, key, hosts: _ } in listen.iter().chain(for_operators) {
            key.iter().for_each(|key| own.credential(key));
        }
        own
    }
}

/// What tells a file from all others, whatever leads to it.
fn identity(path: &Path) -> Option<(u64, u64)> {
    std::fs::metadata(path).ok().map(|file| (file.dev(), file.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every reference of every kind, each to a variable of its own.
    const ALL: &str = r#"
[backends.env]
type = "env"
file = "FILE_ENV"
[backends.identity]
type = "file"
path = "FILE_STORE"
key = "file:FILE_IDENTITY"
[backends.passphrase]
type = "file"
path = "FILE_OTHER_STORE"
key = "env:OWN_PASSPHRASE"
[backends.credential]
type = "file"
path = "FILE_THIRD_STORE"
key = "credential:OWN_CREDENTIAL"
[backends.token]
type = "vault"
address = "https://vault.test"
auth = { method = "token", token = "env:OWN_TOKEN" }
[backends.role]
type = "vault"
address = "https://vault.test"
auth = { method = "approle", role_id = "env:OWN_ROLE", secret_id = "env:OWN_SECRET_ID" }
[backends.role_file]
type = "vault"
address = "https://vault.test"
auth = { method = "approle", role_id = "file:FILE_ROLE", secret_id = "file:FILE_SECRET_ID" }
[backends.jwt]
type = "vault"
address = "https://vault.test"
auth = { method = "jwt", role = "agents", jwt = "env:OWN_JWT" }
[backends.command]
type = "command"
command = ["/usr/bin/op", "read", "op://agents/{path}"]
protocol = "raw"
pass_env = ["OWN_PASSED"]
[backends.dir]
type = "dir"
path = "FILE_DIRECTORY"
[issuers.preset]
type = "purpleflea"
url = "https://api.test"
credential = "env:OWN_PRESET_ADMIN"
[issuers.http]
type = "http"
url = "https://api.test"
credential = "file:FILE_ADMIN"
issue = "POST /keys"
revoke = "DELETE /keys/{key}"
probe = "GET /me"
[signing.pkcs11]
module = "libhsm.so"
token = "agents"
pin = "env:OWN_PIN"
[signing.mpc]
parties = ["alpha.toml", "beta.toml", "gamma.toml"]
card = "host.toml"
key = "file:FILE_MPC_KEY"
[signing.remote.custody]
url = "https://signer.test"
certificate = "client.pem"
key = "file:FILE_CLIENT_KEY"
token = "env:OWN_SIGNER_TOKEN"
accounts = ["bot/0x70997970C51812dc3A010C7d01b50e0d17dc79C8"]
[serve]
listen = "8080"
tls = { certificate = "cert.pem", key = "file:FILE_LISTENER_KEY" }
[admin]
socket = "FILE_SOCKET"
listen = "7443"
tls = { certificate = "cert.pem", key = "file:FILE_ADMIN_KEY" }
[[admin.clients]]
name = "grafana"
role = "viewer"
token = "env:OWN_CLIENT_TOKEN"
"#;

    /// The fields of the configuration's types that refer to a credential.
    fn fields() -> Vec<String> {
        let sources = [
            include_str!("backends.rs"),
            include_str!("sources.rs"),
            include_str!("remote.rs"),
            include_str!("rotation.rs"),
            include_str!("signing.rs"),
            include_str!("config.rs"),
            include_str!("listen.rs"),
            include_str!("admin.rs"),
        ];
        let types = ["CredentialRef", "FileKeyRef"];
        let is_field = |line: &&str| {
            let declared = line.trim().trim_start_matches("pub ");
            let name = declared.split([':', '(']).next().unwrap_or_default();
            let named = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            named
                && line.trim().ends_with(',')
                && !line.contains("=>")
                && !line.contains('{')
                && types.iter().any(|of| declared.contains(of))
        };
        let of_source = |source: &'static str| source.lines().filter(is_field).map(|line| line.trim().to_owned());
        let mut fields: Vec<String> = sources.into_iter().flat_map(of_source).filter(|line| !line.contains("::")).collect();
        fields.sort();
        fields
    }

    #[test]
    fn whatever_the_configuration_refers_to_is_the_hosts_own() {
        let config = HostConfig::parse("strongroom.toml", ALL).expect("a configuration");
        let own = config.own();

        // What stands in the parsed form is found by its text, not by the walk that is tested.
        let parsed = format!("{config:?}");
        let mut found = BTreeSet::new();
        for word in parsed.split(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
            if word.starts_with("OWN_") || word.starts_with("FILE_") {
                found.insert(word.to_owned());
            }
        }
        let named = ALL
            .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .filter(|word| word.starts_with("OWN_") || word.starts_with("FILE_"));
        assert_eq!(found, named.map(str::to_owned).collect(), "each is in the parsed form");
        for name in found {
            let closed = match name.starts_with("OWN_") {
                // A systemd credential is a file of a directory that a variable names.
                _ if name == "OWN_CREDENTIAL" => {
                    std::env::var_os("CREDENTIALS_DIRECTORY").is_none() || own.files.iter().any(|file| file.ends_with(&name))
                }
                true => own.has_variable(&name) && own.has_variable(&name.to_lowercase()),
                false => own.has_file(Path::new(&name)),
            };
            assert!(closed, "{name} can be named by a manifest");
        }
        assert!(!own.has_variable("PURPLEFLEA_API_KEY") && !own.has_file(Path::new("agent.wasm")));
    }

    #[test]
    fn the_sample_above_has_every_field_that_refers_to_a_credential() {
        let fields = fields();

        let known = [
            "Token(CredentialRef),",
            "Token(CredentialRef),",
            "jwt: CredentialRef,",
            "key: FileKeyRef,",
            "pub credential: Option<CredentialRef>,",
            "pub key: CredentialRef,",
            "pub key: Option<CredentialRef>,",
            "pub key: Option<CredentialRef>,",
            "pub pin: CredentialRef,",
            "pub token: Option<CredentialRef>,",
            "role_id: CredentialRef,",
            "secret_id: CredentialRef,",
        ];
        assert_eq!(fields, known, "add a new one to `ALL`, and here");
    }

    #[test]
    fn a_file_is_known_by_whatever_leads_to_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = |name: &str| dir.path().join(name);
        std::fs::write(path("key"), "x").expect("written");
        std::fs::hard_link(path("key"), path("second")).expect("linked");
        std::os::unix::fs::symlink(path("key"), path("link")).expect("linked");
        std::fs::write(path("other"), "x").expect("written");
        let own = HostsOwn { files: vec![path("key")], ..HostsOwn::default() };

        for name in ["key", "second", "link", "./key", "../key"] {
            let is_own = own.has_file(&path(name));
            assert_eq!(is_own, name != "../key", "{name}");
        }
        assert!(!own.has_file(&path("other")) && !own.has_file(&path("missing")));
    }

    #[test]
    fn what_lies_in_a_directory_of_the_hosts_own_is_its_own() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = |name: &str| dir.path().join(name);
        std::fs::create_dir_all(path("secrets/bot")).expect("made");
        std::fs::write(path("secrets/bot/KEY"), "x").expect("written");
        std::fs::write(path("secrets-of-others"), "x").expect("written");
        std::os::unix::fs::symlink(path("secrets/bot/KEY"), path("link")).expect("linked");
        let own = HostsOwn { directories: vec![path("secrets")], ..HostsOwn::default() };

        assert!(["secrets/bot/KEY", "secrets", "link", "secrets/none"].iter().all(|name| own.has_file(&path(name))));
        assert!(!own.has_file(&path("secrets-of-others")) && !own.has_file(dir.path()));
    }
}
