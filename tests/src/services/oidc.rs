//! An OAuth 2.0 and OpenID server: npm's `oidc-provider` over TLS, with clients of every kind. It rotates refresh tokens, and revokes the
//! grant of one that comes twice.

use super::{Service, call, exchange_over, home, must, trusting};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use strongroom_demo::server::certified;
use tempfile::TempDir;

/// The secret of each client that has one.
pub const SECRET: &str = "of-the-client-and-nobody-else-0123456789abcdef";

/// What runs there, and what pins it.
const FILES: &[(&str, &str)] = &[
    ("package.json", include_str!("oidc/package.json")),
    ("package-lock.json", include_str!("oidc/package-lock.json")),
    ("server.mjs", include_str!("oidc/server.mjs")),
    ("store.mjs", include_str!("oidc/store.mjs")),
];
/// Most redirects that a browser follows.
const REDIRECTS: usize = 10;

/// A server of the test's own. Its clients: `machine-basic`, `machine-post`, `machine-es256`, `machine-rs256`, `machine-eddsa` (client
/// credentials), `assertion` (JWT bearer), `public`, `basic` and `post` (refresh tokens, by a code or by a device).
pub struct Oidc {
    _service: Service,
    /// `https://127.0.0.1:PORT`.
    pub issuer: String,
    control: String,
    authority: String,
    dir: TempDir,
}

/// How often what happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Requests to the token endpoint.
    pub token: u64,
    /// Those of them with a refresh token.
    pub refresh: u64,
    /// Refresh tokens that came a second time, for which the grant was revoked.
    pub reuse: u64,
    /// Requests to the resource with a live access token, and without one.
    pub live: u64,
    /// See above.
    pub dead: u64,
}

/// What a person opens a URL with: it keeps the server's cookies, and follows its redirects as far as another origin.
pub struct Browser<'o> {
    oidc: &'o Oidc,
    cookies: BTreeMap<String, String>,
}

/// The directory with the server, installed where it is not there yet.
fn installed() -> PathBuf {
    let (home, dir) = (home(), home().join("oidc"));
    std::fs::create_dir_all(&dir).expect("a directory for services");
    // Test processes may run side by side: one of them installs.
    let lock = File::create(home.join("oidc.lock")).expect("a lock file");
    lock.lock().expect("the lock");
    let is_written = |(name, text): &(&str, &str)| std::fs::read_to_string(dir.join(name)).is_ok_and(|found| found == *text);
    let done = dir.join("done");
    if !FILES.iter().all(is_written) || !done.exists() {
        let _ = std::fs::remove_file(&done);
        for (name, text) in FILES {
            std::fs::write(dir.join(name), text).expect("a file");
        }
        let mut npm = Command::new("npm");
        npm.current_dir(&dir).args(["ci", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"]);
        must(&mut npm, "npm (Debian's `npm`) installs oidc-provider");
        File::create(done).expect("a mark that it is done");
    }
    dir
}

impl Oidc {
    /// One with nothing set up but its clients.
    #[must_use]
    pub fn start() -> Self {
        let (server, dir) = (installed(), tempfile::tempdir().expect("a directory"));
        let (authority, certificate, key) = certified(&["127.0.0.1"], None);
        let files = [("ca.pem", authority.clone()), ("certificate.pem", certificate.pem()), ("key.pem", key.serialize_pem())];
        for (name, pem) in &files {
            std::fs::write(dir.path().join(name), pem).expect("a file");
        }
        let (service, port) = Service::start("oidc-provider", "oidc is ready", |port| {
            let mut command = Command::new("node");
            command.arg(server.join("server.mjs")).arg(port.to_string());
            command.args([dir.path().join("certificate.pem"), dir.path().join("key.pem")]);
            command
        });
        let (issuer, control) = (format!("https://127.0.0.1:{port}"), format!("http://127.0.0.1:{}", port + 1));
        Self { _service: service, issuer, control, authority, dir }
    }

    /// The file with its certificate authority.
    #[must_use]
    pub fn ca(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    /// A directory that is gone when the server is.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// A path of the server's: `/token`, `/auth`, `/device/auth`.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.issuer)
    }

    fn ask(&self, what: &str, with: &Value) -> Value {
        let (status, answer) = call("POST", &format!("{}/{what}", self.control), &[], Some(with));
        assert_eq!(status, 200, "{what} {with}");
        answer
    }

    /// How long access tokens live that are given out from now on, in whole seconds.
    pub fn access_tokens_live(&self, seconds: u32) {
        self.ask("settings", &json!({"access": seconds}));
    }

    /// Whether the person agrees who is asked at the server; in the beginning, they do.
    pub fn person_agrees(&self, agrees: bool) {
        self.ask("settings", &json!({"answer": if agrees { "accept" } else { "deny" }}));
    }

    /// What has happened so far.
    ///
    /// # Panics
    /// Where the server does not say.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let counts = self.ask("counts", &json!({}));
        let count = |of: &str| counts[of].as_u64().expect("a number");
        Counts { token: count("token"), refresh: count("refresh"), reuse: count("reuse"), live: count("live"), dead: count("dead") }
    }

    /// The private key of `machine-ALGORITHM`, in PEM: `ES256`, `RS256`, `EdDSA`. `assertion` has all of them.
    ///
    /// # Panics
    /// Where there is none.
    #[must_use]
    pub fn private_key(&self, algorithm: &str) -> String {
        self.ask("keys", &json!({}))[algorithm].as_str().expect("a key").to_owned()
    }

    /// A refresh token of this client, as a login would give one.
    ///
    /// # Panics
    /// Where there is no such client.
    #[must_use]
    pub fn mint(&self, client: &str, scope: &str) -> String {
        self.ask("mint", &json!({"client": client, "scope": scope}))["token"].as_str().expect("a token").to_owned()
    }

    /// Ends a token's time. Says whether there is such a token.
    pub fn expire(&self, token: &str) -> bool {
        self.ask("expire", &json!({"token": token}))["found"] == true
    }

    /// Forgets a token. Says whether there was one.
    pub fn revoke(&self, token: &str) -> bool {
        self.ask("revoke", &json!({"token": token}))["found"] == true
    }

    /// Does what a person does with a code that a device shows: `accept`, `deny` or, where the time goes by, `expire`.
    pub fn device(&self, user_code: &str, answer: &str) {
        let found = self.ask("device", &json!({"code": user_code, "answer": answer}));
        assert_eq!(found["found"], true, "the server knows the code {user_code}");
    }

    /// The protected resource, asked with this access token.
    #[must_use]
    pub fn me(&self, access_token: &str) -> (u16, Value) {
        let mut request = reqwest::Request::new(reqwest::Method::GET, self.url("/api/me").parse().expect("a URL"));
        request.headers_mut().insert("authorization", format!("Bearer {access_token}").parse().expect("a header's value"));
        let (status, _, body) = exchange_over(trusting(&self.authority), request);
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    /// A form posted to the token endpoint: the status, and its answer.
    #[must_use]
    pub fn token(&self, fields: &[(&str, &str)]) -> (u16, Value) {
        let mut request = reqwest::Request::new(reqwest::Method::POST, self.url("/token").parse().expect("a URL"));
        request.headers_mut().insert("content-type", http::HeaderValue::from_static("application/x-www-form-urlencoded"));
        let mut form = reqwest::Url::parse("http://form").expect("a URL");
        form.query_pairs_mut().extend_pairs(fields);
        *request.body_mut() = Some(form.query().unwrap_or_default().to_owned().into());
        let (status, _, body) = exchange_over(trusting(&self.authority), request);
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    /// A browser without any cookies.
    #[must_use]
    pub fn browser(&self) -> Browser<'_> {
        Browser { oidc: self, cookies: BTreeMap::new() }
    }
}

impl Browser<'_> {
    /// Opens a URL of the server's, and follows it to where it leads from there: the first URL of another origin, which is not opened.
    ///
    /// # Panics
    /// Where it leads nowhere.
    pub fn follow(&mut self, url: &str) -> String {
        let mut at: reqwest::Url = url.parse().expect("a URL");
        for _ in 0..REDIRECTS {
            if !at.as_str().starts_with(&self.oidc.issuer) {
                return at.into();
            }
            let (status, headers, body) = exchange_over(trusting(&self.oidc.authority), self.request(&at));
            for cookie in headers.get_all("set-cookie") {
                self.keep(cookie.to_str().expect("text"));
            }
            let to = headers.get("location").and_then(|to| to.to_str().ok());
            let to = to.unwrap_or_else(|| panic!("{at} answers {status}: {}", String::from_utf8_lossy(&body)));
            at = at.join(to).expect("a URL");
        }
        panic!("{url} leads on and on, to {at} at last");
    }

    fn request(&self, url: &reqwest::Url) -> reqwest::Request {
        let mut request = reqwest::Request::new(reqwest::Method::GET, url.clone());
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        request.headers_mut().insert("cookie", cookies.join("; ").parse().expect("a header's value"));
        request
    }

    fn keep(&mut self, cookie: &str) {
        let (name, value) = cookie.split(';').next().and_then(|pair| pair.split_once('=')).expect("a cookie");
        match value {
            "" => drop(self.cookies.remove(name)),
            value => drop(self.cookies.insert(name.to_owned(), value.to_owned())),
        }
    }
}
