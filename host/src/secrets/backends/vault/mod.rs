//! HashiCorp Vault and OpenBao: the KV version 2 engine, and engines that make credentials under a lease.

mod api;
mod secret_id;
mod session;

use super::{BackendError, Bounds, Entry, Found, Freshness, Lease, Leases, SecretBackend, SecretStore, StoreError, Stored, VersionInfo};
use crate::clock::Clock;
use crate::manifest::{HOSTS_OWN, VaultConfig, Which};
use crate::secrets::{Deposit, SecretValue, SetupError};
use api::{Api, Body, Repeat, Said, Trouble, escaped};
use async_trait::async_trait;
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use session::Session;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

/// Deepest nesting of paths that are listed.
const MAX_DEPTH: usize = 16;

/// Secrets in a server of Vault or OpenBao. A bare name is a field of the secret `agents/NAMESPACE`: as written, then in lower case.
pub struct VaultBackend {
    session: Arc<Session>,
    mount: String,
    leased: Bounds,
    roots: Vec<String>,
    cache: Duration,
    stale: Duration,
}

/// A version of a KV secret.
#[derive(Deserialize)]
struct Read<'a> {
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    version: u64,
    /// RFC 3339, or empty.
    #[serde(default)]
    deletion_time: String,
}

/// What is known of a KV secret beside its values.
#[derive(Deserialize)]
struct History {
    current_version: u64,
    versions: BTreeMap<u64, Written>,
}

#[derive(Deserialize)]
struct Written {
    created_time: String,
    deletion_time: String,
    destroyed: bool,
}

#[derive(Deserialize)]
struct Keys {
    keys: Vec<String>,
}

impl VaultBackend {
    /// A backend over a server. It is not called before the first secret is asked for.
    ///
    /// # Errors
    /// [`SetupError::Client`] where a certificate authority can't be read.
    pub fn new(config: &VaultConfig) -> Result<Self, SetupError> {
        Self::with_clock(config, Clock::default())
    }

    pub(crate) fn with_clock(config: &VaultConfig, clock: Clock) -> Result<Self, SetupError> {
        Ok(Self {
            session: Arc::new(Session::new(Api::new(config).map_err(SetupError::Client)?, config.auth.clone(), clock)),
            mount: escaped(&config.mount),
            leased: Bounds::new(config.leased.clone()),
            roots: Bounds::new(config.paths.clone()).roots(),
            cache: config.cache,
            stale: config.stale,
        })
    }

    /// One call under the host's login. A login that is not valid any more is made anew, once.
    async fn call(&self, method: Method, path: &str, body: Option<&Value>, repeat: Repeat) -> Result<Result<Body, Trouble>, BackendError> {
        self.call_as(method, path, body, repeat).await.map(|(answered, _)| answered)
    }

    /// The same, with the number of the login.
    async fn call_as(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        repeat: Repeat,
    ) -> Result<(Result<Body, Trouble>, u64), BackendError> {
        // A client of HTTP would follow dots to wherever they lead.
        if path.split(['/', '?']).any(|segment| matches!(segment, "." | "..")) {
            return Err(BackendError::Refused(format!("`{}` is not a path: leave dots out", crate::text::for_people(path))));
        }
        let body = body.map(|body| Zeroizing::new(serde_json::to_vec(body).expect("a value is JSON")));
        self.session.call(method, path, body, repeat).await
    }

    fn shown(&self, path: &str) -> String {
        crate::text::for_people(&format!("{path} in {}/{}", self.session.api().address(), self.mount))
    }

    async fn read(&self, path: &str, which: &Which) -> Result<Body, BackendError> {
        let version = match which {
            Which::Version(version) => format!("?version={}", escaped(version)),
            _ => String::new(),
        };
        let shown = || format!("{}{which}", self.shown(path));
        let answered = self.call(Method::GET, &format!("{}/data/{}{version}", self.mount, escaped(path)), None, Repeat::Safe).await?;
        answered.map_err(|trouble| trouble.to_error(&shown()))
    }

    async fn issue(&self, path: &str) -> Result<Found, BackendError> {
        // Each call makes a credential: one whose answer is lost is not asked for again, and ends by itself.
        let (answered, login) = self.call_as(Method::GET, &escaped(path), None, Repeat::Once).await?;
        let shown = || crate::text::for_people(&format!("{path} in {}", self.session.api().address()));
        let body = answered.map_err(|trouble| trouble.to_error(&shown()))?;
        let answer = body.answer().map_err(|trouble| trouble.to_error(&shown()))?;
        let data = answer.data.ok_or_else(|| BackendError::NotFound { looked_for: shown() })?;
        let ttl = Duration::from_secs(answer.lease_duration);
        if ttl.is_zero() {
            return Err(BackendError::Unavailable(format!(
                "{}: the lease that it gave has already expired; give the role a time to live",
                shown()
            )));
        }
        let lease =
            (!answer.lease_id.is_empty()).then(|| Lease { id: answer.lease_id.clone(), ttl, renewable: answer.renewable, under: login });
        Ok(Found { lease, ..Found::value(SecretValue::new(data.get().as_bytes())) })
    }

    async fn history(&self, path: &str) -> Result<History, StoreError> {
        let answered = self.call(Method::GET, &format!("{}/metadata/{}", self.mount, escaped(path)), None, Repeat::Safe).await?;
        Ok(answered.and_then(|body| body.data::<History>()).map_err(|trouble| trouble.to_error(&self.shown(path)))?)
    }

    /// The paths that are there below one that ends with a slash.
    async fn paths_below(&self, root: &str) -> Result<Vec<String>, StoreError> {
        let mut found = Vec::new();
        let mut folders = vec![root.to_owned()];
        while let Some(folder) = folders.pop() {
            let list = Method::from_bytes(b"LIST").expect("a method");
            let path = format!("{}/metadata/{}", self.mount, escaped(&folder));
            let keys = match self.call(list, &path, None, Repeat::Safe).await?.and_then(|body| body.data::<Keys>()) {
                Ok(Keys { keys }) => keys,
                Err(trouble) if trouble.is(StatusCode::NOT_FOUND) => continue,
                Err(trouble) => return Err(trouble.to_error(&self.shown(&folder)).into()),
            };
            for key in keys {
                let path = format!("{folder}{key}");
                match path.ends_with('/') {
                    true if path.matches('/').count() <= MAX_DEPTH => folders.push(path),
                    true => {}
                    false => found.push(path),
                }
            }
        }
        Ok(found)
    }

    /// Does something to one version.
    async fn mark(&self, what: &str, method: Method, path: &str, version: &str) -> Result<(), StoreError> {
        let number: u64 = version.parse().map_err(|_| StoreError::Refused("versions in Vault are numbers, as in `3`".to_owned()))?;
        if !self.history(path).await?.versions.contains_key(&number) {
            return Err(StoreError::NotFound(format!("no version {number} of {}", self.shown(path))));
        }
        let body = json!({"versions": [number]});
        let answered = self.call(method, &format!("{}/{what}/{}", self.mount, escaped(path)), Some(&body), Repeat::Safe).await?;
        match answered {
            Ok(_) => Ok(()),
            Err(trouble) => Err(trouble.to_error(&self.shown(path)).into()),
        }
    }
}

#[async_trait]
impl SecretBackend for VaultBackend {
    fn entries_for(&self, namespace: &str, name: &str) -> Vec<Entry> {
        super::fields_for(namespace, name)
    }

    fn admits(&self, entry: &Entry) -> Result<(), BackendError> {
        let refuse = |what: &str| Err(BackendError::Refused(format!("`{}` {what}", crate::text::for_people(&entry.to_string()))));
        let is_number = |version: &String| version.parse::<u64>().is_ok_and(|version| version > 0);
        if entry.path.split('/').any(|segment| matches!(segment, "" | "." | "..")) {
            return refuse("is not a path: leave empty segments and dots out");
        }
        match &entry.which {
            Which::Stage(_) => refuse("names a stage, but versions in Vault have numbers; write `?version=3`"),
            Which::Version(version) if !is_number(version) => refuse("names no version; write a number, as in `?version=3`"),
            Which::Version(_) if self.is_leased(entry) => refuse("is made anew for each run and has no versions"),
            _ if entry.field.is_none() => refuse("is a document; name one of its fields: `backend:path#field`"),
            _ => Ok(()),
        }
    }

    async fn get(&self, entry: &Entry) -> Result<Found, BackendError> {
        if self.is_leased(entry) {
            return self.issue(&entry.path).await;
        }
        let body = self.read(&entry.path, &entry.which).await?;
        let shown = || self.shown(&entry.path);
        let foreign =
            |_| BackendError::Unavailable(format!("{}: the response is not from the KV version 2 engine; check `mount`", shown()));
        let data = body.answer().ok().and_then(|answer| answer.data).map_or("", RawValue::get);
        let read: Read<'_> = serde_json::from_str(data).map_err(foreign)?;
        let value = read.data.filter(|data| data.get() != "null").ok_or_else(|| BackendError::NotFound { looked_for: shown() })?;
        let expires_at = read.metadata.deletion_time.parse::<jiff::Timestamp>().ok().and_then(|at| u64::try_from(at.as_second()).ok());
        Ok(Found { version: Some(read.metadata.version.to_string()), expires_at, ..Found::value(SecretValue::new(value.get().as_bytes())) })
    }

    fn freshness(&self) -> Freshness {
        Freshness::For(self.cache)
    }

    fn stale(&self) -> Duration {
        self.stale
    }

    fn store(&self) -> Option<&dyn SecretStore> {
        Some(self)
    }

    fn leases(&self) -> Option<&dyn Leases> {
        Some(self)
    }

    async fn close(&self) {
        self.session.close().await;
    }
}

#[async_trait]
impl Leases for VaultBackend {
    fn is_leased(&self, entry: &Entry) -> bool {
        self.leased.cover(&entry.path)
    }

    async fn renew(&self, lease: &Lease) -> Result<Lease, BackendError> {
        let over = || BackendError::NotFound { looked_for: "the lease".to_owned() };
        // A lease ends with the login that it was made under.
        if self.session.token().await?.login != lease.under {
            return Err(over());
        }
        let body = json!({"lease_id": lease.id});
        match self.call(Method::POST, "sys/leases/renew", Some(&body), Repeat::Safe).await? {
            Ok(body) => {
                let answer = body.answer().map_err(|trouble| trouble.to_error("the lease"))?;
                Ok(Lease { ttl: Duration::from_secs(answer.lease_duration), renewable: answer.renewable, ..lease.clone() })
            }
            Err(trouble) if trouble.said(Said::LeaseGone) => Err(over()),
            Err(trouble) => match trouble.to_error("the lease can't be renewed") {
                BackendError::Unavailable(why) => Err(BackendError::Unavailable(why)),
                // Renewing it is not allowed, or not possible: it lives to its end, and then there is another.
                _ => Err(over()),
            },
        }
    }

    async fn revoke(&self, lease: &Lease) -> Result<(), BackendError> {
        let body = json!({"lease_id": lease.id});
        match self.call(Method::POST, "sys/leases/revoke", Some(&body), Repeat::Safe).await? {
            Ok(_) => Ok(()),
            Err(trouble) if trouble.said(Said::LeaseGone) => Ok(()),
            Err(trouble) => Err(trouble.to_error("the lease can't be revoked")),
        }
    }

    async fn ending(&self, lease: &Lease) {
        self.session.ended(lease.under).await;
    }
}

#[async_trait]
impl SecretStore for VaultBackend {
    fn entry_of(&self, namespace: Option<&str>, name: &str) -> Result<Entry, StoreError> {
        super::field_of(namespace, name)
    }

    fn journal_entry(&self, rotation: &str) -> Entry {
        Entry::new(format!("{HOSTS_OWN}rotation/{rotation}")).field("journal")
    }

    async fn newest(&self, path: &str) -> Result<String, StoreError> {
        Ok(self.newest_number(path).await?.to_string())
    }

    async fn list(&self) -> Result<Vec<Stored>, StoreError> {
        let mut paths = Vec::new();
        for root in &self.roots {
            let folder = root.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
            paths.extend(self.paths_below(&folder).await?.into_iter().filter(|path| path.starts_with(root)));
        }
        paths.sort();
        paths.dedup();
        let mut stored = Vec::new();
        for path in paths {
            let History { current_version, versions } = self.history(&path).await?;
            let info = |(number, written): (u64, Written)| {
                let deleted = written.destroyed || is_past(&written.deletion_time);
                let current = number == current_version && !deleted;
                VersionInfo { name: number.to_string(), created: written.created_time, stages: Vec::new(), current, deleted }
            };
            stored.push(Stored { path, versions: versions.into_iter().map(info).collect() });
        }
        Ok(stored)
    }

    async fn put(&self, entry: &Entry, value: Deposit, expected: Option<&str>) -> Result<String, StoreError> {
        value.value().check(None).map_err(StoreError::Refused)?;
        let field = entry.field.as_ref().filter(|field| !field.starts_with('/'));
        let field = field.ok_or_else(|| StoreError::Refused("name the field to write: `path#field`".to_owned()))?;
        let text =
            std::str::from_utf8(value.bytes()).map_err(|_| StoreError::Refused("Vault keeps text; write bytes in base64".to_owned()))?;
        // The other fields stay as they are: read, then written on condition that nobody has written in between.
        let (newest, fields) = match self.read(&entry.path, &Which::Current).await {
            Ok(body) => {
                let data = body.answer().ok().and_then(|answer| answer.data).map_or("", RawValue::get);
                let read: Option<Read<'_>> = serde_json::from_str(data).ok();
                let read =
                    read.ok_or_else(|| StoreError::Unavailable(format!("{}: it is not a document with fields", self.shown(&entry.path))))?;
                // A version that was taken out of use has null there.
                let fields = read.data.map(RawValue::get).filter(|fields| *fields != "null").unwrap_or("{}");
                (read.metadata.version, Zeroizing::new(fields.to_owned()))
            }
            Err(BackendError::NotFound { .. }) => (self.newest_number(&entry.path).await?, Zeroizing::new("{}".to_owned())),
            Err(error) => return Err(error.into()),
        };
        if let Some(expected) = expected.filter(|expected| **expected != newest.to_string()) {
            return Err(StoreError::Conflict { expected: expected.to_owned(), found: newest.to_string() });
        }
        let fields =
            serde_json::from_str(&fields).ok().and_then(|fields| crate::json::with_member(fields, field, text)).map(Zeroizing::new);
        let fields =
            fields.ok_or_else(|| StoreError::Unavailable(format!("{}: it is not a document with fields", self.shown(&entry.path))))?;
        let body = Zeroizing::new(format!("{{\"options\":{{\"cas\":{newest}}},\"data\":{}}}", *fields).into_bytes());
        let path = format!("{}/data/{}", self.mount, escaped(&entry.path));
        match self.session.call(Method::POST, &path, Some(body), Repeat::Once).await?.0 {
            Ok(body) => {
                let written: Metadata = body.data().map_err(|trouble| StoreError::from(trouble.to_error(&self.shown(&entry.path))))?;
                Ok(written.version.to_string())
            }
            Err(trouble) if trouble.said(Said::WrongVersion) => {
                let found = self.newest_number(&entry.path).await?.to_string();
                Err(StoreError::Conflict { expected: newest.to_string(), found })
            }
            Err(trouble) => Err(trouble.to_error(&self.shown(&entry.path)).into()),
        }
    }

    async fn delete(&self, path: &str, version: &str) -> Result<(), StoreError> {
        self.mark("delete", Method::POST, path, version).await
    }

    async fn undelete(&self, path: &str, version: &str) -> Result<(), StoreError> {
        self.mark("undelete", Method::POST, path, version).await
    }

    async fn destroy(&self, path: &str, version: &str) -> Result<(), StoreError> {
        self.mark("destroy", Method::PUT, path, version).await
    }
}

impl VaultBackend {
    /// The number of the newest version, in use or not; 0 where there is none.
    async fn newest_number(&self, path: &str) -> Result<u64, StoreError> {
        match self.history(path).await {
            Ok(history) => Ok(history.current_version),
            Err(StoreError::NotFound(_)) => Ok(0),
            Err(error) => Err(error),
        }
    }
}

fn is_past(time: &str) -> bool {
    time.parse::<jiff::Timestamp>().is_ok_and(|time| time <= jiff::Timestamp::now())
}
