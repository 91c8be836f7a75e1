//! A login: a new refresh token for a secret with the scheme `oauth2`, from the authorization server into the backend that keeps the secret.
//! Nobody sees it on the way.
//!
//! What can be refused is refused before anything is asked of the server: what it gives is of use only where it can be kept. Of what the server
//! writes, nothing is shown but registered names of errors, and what a person has to enter at a device.

#![expect(clippy::disallowed_methods, reason = "the client's secret is presented at the endpoints that the manifest names")]

mod callback;
mod code;
mod device;

pub use code::CodeLogin;
pub use device::DeviceLogin;

use super::{Failed, Kind, named};
use crate::audit::{Event, Journal};
use crate::credential::oauth2::login::Granted;
use crate::credential::oauth2::{NoToken, Presented, TokenAnswer, TokenRequest, read};
use crate::egress::{Call, CallError, Caller, Reply};
use crate::host::Host;
use crate::manifest::{Manifest, Oauth2Spec, SecretRef, SecretSpec, Which};
use crate::oauth::Journal as TokenJournal;
use crate::policy::Reveal;
use crate::secrets::backends::{Configured, Origin};
use crate::secrets::{BackendError, Deposit, Entry, Fingerprint, SecretStore, SecretValue};
use http::Method;
use serde::Serialize;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use zeroize::Zeroizing;

/// How long a call to the server may take.
const CALL: Duration = Duration::from_secs(20);

/// A login that can begin: the secret has a refresh token, and its backend can keep another.
pub struct Login {
    host: Host,
    /// The manifest and the secret, for messages.
    place: String,
    secret: SecretSpec,
    spec: Arc<Oauth2Spec>,
    from: Configured,
    entry: Entry,
    client: Option<SecretValue>,
    caller: Caller,
    journal: Journal,
}

/// Where the new refresh token is kept.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct LoggedIn {
    /// The secret's name in the manifest.
    pub secret: String,
    /// The backend.
    pub backend: String,
    /// The path there.
    pub path: String,
    /// The field of the entry, where it is one.
    pub field: Option<String>,
    /// The version.
    pub version: String,
    /// The fingerprint of the refresh token on this host.
    pub fingerprint: Fingerprint,
}

impl Login {
    /// Looks at everything that a login needs, and asks nothing of the authorization server.
    ///
    /// # Errors
    /// [`Failed`] where the secret has no refresh token, its backend can't be written to, or the client's own secret is unavailable.
    pub async fn new(host: &Host, manifest: &Path, name: &str) -> Result<Self, Failed> {
        named::secret(name, None)?;
        let file = manifest.display();
        let manifest = Manifest::read(manifest)?;
        let place = format!("{file}: secret `{name}`");
        let secret = manifest.secret(name).ok_or_else(|| Failed::usage(format!("{file}: no secret `{name}`; {}", known(&manifest))))?;
        let spec = secret.scheme.as_ref().and_then(|scheme| scheme.oauth2()).filter(|spec| spec.is_refreshed()).ok_or_else(|| {
            Failed::usage(format!(
                "{place} has no refresh token: a login is for `oauth2 = {{ grant = \"refresh_token\", … }}`; other values are set with \
                 `strongroom secrets set`"
            ))
        })?;
        let (from, entry) = kept_at(host, &manifest, secret, &place).await?;
        let client = match &spec.client_secret {
            None => None,
            Some(companion) => Some(client(host, &manifest, companion, &file.to_string()).await?),
        };
        Ok(Self {
            caller: Caller::new(Arc::clone(host.network())),
            journal: host.journal(""),
            host: host.clone(),
            spec: Arc::clone(spec),
            secret: secret.clone(),
            place,
            from,
            entry,
            client,
        })
    }

    /// What is wrong with the manifest or the configuration, with the place.
    fn usage(&self, what: &str) -> Failed {
        Failed::usage(format!("{}: {what}", self.place))
    }

    /// What came of it at the server.
    fn failed(&self, what: &str) -> Failed {
        Failed::new(Kind::Secret, format!("{}: no refresh token from {}: {what}", self.place, self.spec.server()))
    }

    /// Records a step. Without a record nothing is asked.
    fn record(&self, step: &str, detail: &str) -> Result<(), Failed> {
        let (credential, detail) = (self.shown().into(), Some(detail.into()));
        let event = Event::Token { credential, step: step.into(), detail, fingerprint: None };
        self.journal.record(event).map_err(|error| Failed::new(Kind::State, format!("the audit log can't be written ({error})")))
    }

    /// Makes a call of what `request` makes of the client's credentials.
    async fn ask(&self, request: impl FnOnce(&Presented<'_>) -> Result<TokenRequest, String>) -> Result<Result<Reply, CallError>, Failed> {
        self.record("ask", &format!("login at {}", self.spec.server()))?;
        let mut id = [0; 16];
        id.copy_from_slice(&random()?[..16]);
        let client = self.client.as_ref().map(|value| value.reveal(Reveal::to_exchange()));
        let request = request(&Presented { secret: b"", client, now: SystemTime::now(), id });
        let secret = self.spec.client_secret.as_deref().unwrap_or_default();
        let TokenRequest { url, headers, body, .. } =
            request.map_err(|why| self.usage(&format!("the value of `{secret}`, with which the client authenticates: {why}")))?;
        Ok(self.caller.send(Call { method: Method::POST, url, headers, body }, CALL).await)
    }

    /// Takes a code to the token endpoint, and keeps what that gives.
    async fn granted(self, granted: &Granted<'_>) -> Result<LoggedIn, Failed> {
        let reply = self.ask(|with| self.spec.login(granted, with)).await?;
        let reply = reply.map_err(|error| self.failed(&error.to_string()))?;
        let answer = read(&self.spec, reply.status, &reply.headers, &reply.body, SystemTime::now());
        let answer = answer.map_err(|why| self.failed(text_of(&why)))?;
        self.keep(answer).await
    }

    /// Keeps a refresh token in the place of the one before it. A login is the operator's word: whatever stands there now, it is replaced.
    async fn keep(self, answer: TokenAnswer) -> Result<LoggedIn, Failed> {
        let token = answer.refresh.ok_or_else(|| {
            self.failed(
                "its response holds none. Most servers give one where they are asked to: add what its documents say to `scope`, as in \
                 `offline_access`, or to the query of `authorization_url`, as in `access_type=offline`",
            )
        })?;
        let value = SecretValue::new(token.as_bytes().to_vec());
        value
            .check(self.secret.format.as_ref())
            .map_err(|why| self.failed(&format!("what it gave is refused: {why}; nothing was kept")))?;
        let fingerprint = self.host.fingerprint(&value);
        let deposit = Deposit::new(token.as_bytes().to_vec());
        let origin = Origin { from: self.from.clone(), entry: self.entry.clone() };
        let journal = TokenJournal::of(&origin);
        let before = if let Some(journal) = &journal { Some(journal.so_far().await) } else { None };
        let version = self.store().put(&self.entry, deposit, None).await.map_err(|error| {
            let at = self.shown();
            Failed::new(Kind::Secret, format!("{}: the new refresh token could not be kept at {at}: {error}; log in once more", self.place))
        })?;
        // What hosts know of the tokens before is of another login. Where it can't be forgotten, they come to that by themselves.
        if let (Some(journal), Some(before)) = (&journal, &before)
            && let Err(why) = journal.begin_anew(before).await
        {
            tracing::warn!(%why, "what is noted beside the refresh token can't be written");
        }
        self.record("login", &format!("refresh token {fingerprint}, version {version}"))?;
        let Entry { path, field, .. } = self.entry;
        Ok(LoggedIn { secret: self.secret.name, backend: self.from.name, path, field, version, fingerprint })
    }

    fn store(&self) -> &dyn SecretStore {
        self.from.backend.store().expect("a login is made over a store")
    }

    fn shown(&self) -> String {
        crate::text::for_people(&format!("{}:{}", self.from.name, self.entry))
    }
}

/// The secrets that a login is for.
fn known(manifest: &Manifest) -> String {
    let is_refreshed =
        |secret: &&SecretSpec| secret.scheme.as_ref().and_then(|scheme| scheme.oauth2()).is_some_and(|spec| spec.is_refreshed());
    let names: Vec<&str> = manifest.secrets.iter().filter(is_refreshed).map(|secret| secret.name.as_str()).collect();
    match names.is_empty() {
        true => "it has none with `oauth2 = { grant = \"refresh_token\", … }`, for which a login is".to_owned(),
        false => format!("a login is for {}", names.join(", ")),
    }
}

/// Where the secret is kept: where it is found, or else where a new one goes.
async fn kept_at(host: &Host, manifest: &Manifest, secret: &SecretSpec, place: &str) -> Result<(Configured, Entry), Failed> {
    let namespace = secret.namespace.as_deref().unwrap_or(&manifest.name);
    let entries = host.backends().entries(&secret.from, &manifest.name, namespace);
    let (from, entries) = entries.map_err(|why| Failed::usage(format!("{place}: {why}")))?;
    let name = &from.name;
    if entries.iter().any(|entry| entry.which != Which::Current) {
        let why = "`from` names one version, so a new one would not be used; leave the version out";
        return Err(Failed::usage(format!("{place}: {why}")));
    }
    let store = from.backend.store().ok_or_else(|| {
        Failed::usage(format!(
            "{place}: its backend `{name}` can't be written to, so a new refresh token could not be kept; keep the secret in a backend of type \
             `file`, `vault` or `aws`, and name that in `from`"
        ))
    })?;
    let unavailable = |why: String| Failed::new(Kind::Secret, format!("{place}: nothing was asked of the server: {why}"));
    for entry in &entries {
        match store.get(&Entry { field: None, ..entry.clone() }).await {
            Ok(found) if entry.field.as_ref().is_none_or(|field| found.value.field(field).is_ok()) => {
                return Ok((from.clone(), entry.clone()));
            }
            Ok(_) | Err(BackendError::NotFound { .. }) => {}
            Err(why) => return Err(unavailable(why.to_string())),
        }
    }
    let new = match &secret.from {
        SecretRef::Bare(name) => store.entry_of(Some(namespace), name).map_err(|why| unavailable(why.to_string()))?,
        SecretRef::Exact { .. } => entries.into_iter().next().expect("an exact reference is one entry"),
    };
    // Where not even this can be told, nothing could be written.
    store.newest(&new.path).await.map_err(|why| unavailable(why.to_string()))?;
    Ok((from.clone(), new))
}

/// What the client authenticates with.
async fn client(host: &Host, manifest: &Manifest, name: &str, file: &str) -> Result<SecretValue, Failed> {
    let place = format!("{file}: secret `{name}`");
    let secret = manifest.secret(name).ok_or_else(|| Failed::usage(format!("{file}: no secret `{name}`, which `client_secret` names")))?;
    let namespace = secret.namespace.as_deref().unwrap_or(&manifest.name);
    let unavailable = |why: &dyn std::fmt::Display| Failed::new(Kind::Secret, format!("{place} is unavailable: {why}"));
    let entries = host.backends().entries(&secret.from, &manifest.name, namespace);
    let (from, entries) = entries.map_err(|why| unavailable(&why))?;
    let mut missing = None;
    for entry in entries {
        match from.backend.get(&Entry { field: None, ..entry.clone() }).await {
            Ok(found) => {
                let value = match &entry.field {
                    None => Some(found.value),
                    Some(field) => found.value.field(field).ok(),
                };
                let Some(value) = value else { continue };
                value.check(secret.format.as_ref()).map_err(|why| unavailable(&why))?;
                return Ok(value);
            }
            Err(error @ BackendError::NotFound { .. }) => drop(missing.get_or_insert(error)),
            Err(error) => return Err(unavailable(&error)),
        }
    }
    Err(missing.map_or_else(|| unavailable(&"there is no such field"), |error| unavailable(&error)))
}

/// What is said of a refusal.
fn text_of(why: &NoToken) -> &str {
    match why {
        NoToken::Over(text) | NoToken::Refused(text) | NoToken::Later(text) | NoToken::Unknown(text) => text,
    }
}

fn random() -> Result<Zeroizing<[u8; 32]>, Failed> {
    crate::random::key().map_err(|error| Failed::new(Kind::State, format!("the system gives no random numbers ({error})")))
}
