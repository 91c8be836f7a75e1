//! A store and an issuer through which a host does whatever it does to the world outside, each call with a point before it and one after, at
//! which the process can be ended or stopped. Nothing else leads from a rotation to a disk or a socket, so that every write and every call
//! has its points.

use async_trait::async_trait;
use serde_json::Value;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use strongroom::audit::{Event, Record};
use strongroom::manifest::{AwsConfig, CredentialRef, VaultAuth, VaultConfig};
use strongroom::{
    AuditSink, AwsBackend, BackendError, Deposit, Entry, FileBackend, FileKey, Found, Freshness, HostBuilder, IssuedKey, Issuer,
    IssuerError, ListedKey, Probe, Revoked, SecretBackend, SecretStore, StoreError, Stored, VaultBackend, VersionInfo,
};

/// What happens at a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// `kill -9`.
    Kill,
    /// `SIGSTOP`, until somebody wakes the process.
    Stop,
}

/// Counts points, says on stdout what each is, and ends the process at one of them.
#[derive(Clone)]
pub struct Cuts {
    passed: Arc<AtomicUsize>,
    at: Option<(usize, End)>,
}

/// A store with points around each of its calls.
pub struct CutStore<S> {
    store: S,
    cuts: Cuts,
}

/// An issuer with points around each of its calls.
pub struct CutIssuer<I> {
    issuer: I,
    cuts: Cuts,
}

/// An audit log with points around its records of tokens, of requests and of their answers.
pub struct CutAudit(Cuts);

impl AuditSink for CutAudit {
    fn record(&self, records: &[Record<'_>]) -> std::io::Result<()> {
        for record in records {
            let what = match &record.event {
                Event::Token { step, .. } => &**step,
                Event::Egress { .. } => "request",
                Event::Answer { .. } => "answer",
                _ => continue,
            };
            self.0.point("before", &format!("record {what}"));
            self.0.point("after", &format!("record {what}"));
        }
        Ok(())
    }
}

impl Cuts {
    /// Points of which one ends the process; the first is 1.
    #[must_use]
    pub fn new(at: Option<(usize, End)>) -> Self {
        Self { passed: Arc::default(), at }
    }

    /// The store with points.
    pub fn store<S>(&self, store: S) -> CutStore<S> {
        CutStore { store, cuts: self.clone() }
    }

    /// The issuer with points.
    pub fn issuer<I>(&self, issuer: I) -> CutIssuer<I> {
        CutIssuer { issuer, cuts: self.clone() }
    }

    /// An audit log that keeps nothing, with points around each record of a token, of a request or of its answer.
    #[must_use]
    pub fn audit(&self) -> CutAudit {
        CutAudit(self.clone())
    }

    /// A host over the store that this describes, as the rotor is told of it, under the name `store`.
    ///
    /// # Panics
    /// Where there is none.
    #[must_use]
    pub fn stored(&self, builder: HostBuilder, store: &Value) -> HostBuilder {
        let text = |name: &str| store[name].as_str();
        if let (Some(path), Some(key)) = (text("file"), text("key")) {
            let key = FileKey::identity_file(Path::new(key)).expect("an identity");
            return builder.backend("store", self.store(FileBackend::new(path.into(), key)));
        }
        if let (Some(address), Some(token)) = (text("vault"), text("token")) {
            let config = VaultConfig::new(address, VaultAuth::Token(CredentialRef::File(token.into())));
            return builder.backend("store", self.store(VaultBackend::new(&config).expect("a server")));
        }
        // No host uses it here, so that nothing has to be waited for.
        let moment = Duration::from_millis(50);
        let config = AwsConfig::default().with(|new| {
            new.endpoint_url = text("aws").map(str::to_owned);
            new.cache = moment;
            new.stale = moment;
        });
        builder.backend("store", self.store(AwsBackend::new(&config)))
    }

    fn point(&self, side: &str, call: &str) {
        let number = self.passed.fetch_add(1, Ordering::SeqCst) + 1;
        println!("point {number} {side} {call}");
        let Some((_, end)) = self.at.filter(|(at, _)| *at == number) else { return };
        let signal = if end == End::Kill { "-KILL" } else { "-STOP" };
        let sent = Command::new("kill").args([signal, &std::process::id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "this process can be signalled");
    }

    async fn around<T>(&self, call: &str, work: impl Future<Output = T>) -> T {
        self.point("before", call);
        let done = work.await;
        self.point("after", call);
        done
    }
}

#[async_trait]
impl<S: SecretStore> SecretBackend for CutStore<S> {
    fn entries_for(&self, namespace: &str, name: &str) -> Vec<Entry> {
        self.store.entries_for(namespace, name)
    }

    fn admits(&self, entry: &Entry) -> Result<(), BackendError> {
        self.store.admits(entry)
    }

    async fn get(&self, entry: &Entry) -> Result<Found, BackendError> {
        self.cuts.around("get", self.store.get(entry)).await
    }

    fn freshness(&self) -> Freshness {
        self.store.freshness()
    }

    fn stale(&self) -> std::time::Duration {
        self.store.stale()
    }

    fn store(&self) -> Option<&dyn SecretStore> {
        Some(self)
    }

    async fn close(&self) {
        self.store.close().await;
    }
}

#[async_trait]
impl<S: SecretStore> SecretStore for CutStore<S> {
    fn entry_of(&self, namespace: Option<&str>, name: &str) -> Result<Entry, StoreError> {
        self.store.entry_of(namespace, name)
    }

    fn counts_writes(&self) -> bool {
        self.store.counts_writes()
    }

    fn journal_entry(&self, rotation: &str) -> Entry {
        self.store.journal_entry(rotation)
    }

    async fn newest(&self, path: &str) -> Result<String, StoreError> {
        self.cuts.around("newest", self.store.newest(path)).await
    }

    async fn versions(&self, path: &str) -> Result<Vec<VersionInfo>, StoreError> {
        self.cuts.around("versions", self.store.versions(path)).await
    }

    async fn list(&self) -> Result<Vec<Stored>, StoreError> {
        self.cuts.around("list", self.store.list()).await
    }

    async fn put(&self, entry: &Entry, value: Deposit, expected: Option<&str>) -> Result<String, StoreError> {
        let call = if entry.path.starts_with("strongroom/") { "put journal" } else { "put secret" };
        self.cuts.around(call, self.store.put(entry, value, expected)).await
    }

    async fn delete(&self, path: &str, version: &str) -> Result<(), StoreError> {
        self.cuts.around("delete", self.store.delete(path, version)).await
    }

    async fn undelete(&self, path: &str, version: &str) -> Result<(), StoreError> {
        self.cuts.around("undelete", self.store.undelete(path, version)).await
    }

    async fn destroy(&self, path: &str, version: &str) -> Result<(), StoreError> {
        self.cuts.around("destroy", self.store.destroy(path, version)).await
    }
}

#[async_trait]
impl<I: Issuer> Issuer for CutIssuer<I> {
    async fn issue(&self, current: &IssuedKey) -> Result<IssuedKey, IssuerError> {
        self.cuts.around("issue", self.issuer.issue(current)).await
    }

    async fn revoke(&self, key: &IssuedKey, with: &IssuedKey) -> Result<Revoked, IssuerError> {
        self.cuts.around("revoke", self.issuer.revoke(key, with)).await
    }

    async fn revoke_listed(&self, key: &ListedKey, with: &IssuedKey) -> Result<Revoked, IssuerError> {
        self.cuts.around("revoke listed", self.issuer.revoke_listed(key, with)).await
    }

    async fn probe(&self, key: &IssuedKey) -> Result<Probe, IssuerError> {
        self.cuts.around("probe", self.issuer.probe(key)).await
    }

    async fn list(&self, with: &IssuedKey) -> Result<Option<Vec<ListedKey>>, IssuerError> {
        self.cuts.around("list keys", self.issuer.list(with)).await
    }

    fn needs_id(&self) -> bool {
        self.issuer.needs_id()
    }

    fn shown(&self) -> String {
        self.issuer.shown()
    }

    fn has_own_credential(&self) -> bool {
        self.issuer.has_own_credential()
    }

    fn closed(&self) -> Vec<String> {
        self.issuer.closed()
    }

    fn expiry_header(&self) -> Option<http::HeaderName> {
        self.issuer.expiry_header()
    }
}
