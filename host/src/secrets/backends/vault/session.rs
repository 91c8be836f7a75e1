//! The host's login: made once for however many wait, renewed in time, and made again where it can't be.

use super::super::BackendError;
use super::api::{Api, Auth, Body, Repeat, Trouble};
use super::secret_id;
use crate::backoff::most_of;
use crate::clock::Clock;
use crate::lock::{Mutex, RwLock};
use crate::manifest::{CredentialRef, VaultAuth};
use reqwest::header::HeaderValue;
use reqwest::{Method, StatusCode};
use serde::Serializer;
use std::pin::Pin;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::watch;
use zeroize::Zeroizing;

/// How long before its end a token is renewed, where it lives long enough.
const MARGIN: Duration = Duration::from_secs(60);
/// Least age of a token that a refusal puts in question, but for the first.
const PATIENT: Duration = Duration::from_secs(60);
/// How long a failed login is left alone.
const RETRY: Duration = Duration::from_secs(1);
/// How long the end of a host waits for a secret id that is being replaced.
const CLOSING: Duration = Duration::from_secs(5);

/// A host's way in.
pub(super) struct Session {
    api: Api,
    auth: VaultAuth,
    clock: Clock,
    token: RwLock<Option<Arc<Token>>>,
    /// Taken by whoever logs in, with when that failed last.
    turn: tokio::sync::Mutex<Option<(Duration, BackendError)>>,
    /// The secret id, once it is unwrapped, with the wrapping that it came in: another one is opened anew.
    unwrapped: Mutex<Option<Unwrapped>>,
    /// The number of the login that counts; leases end with theirs.
    login: watch::Sender<u64>,
    /// Whether somebody looks after the secret id, and what is held while it is looked at or replaced.
    pub(super) looked_after: AtomicBool,
    pub(super) replacing: Arc<tokio::sync::Mutex<()>>,
}

/// A token, as a header's value, and the login that it came from.
pub(super) struct Token {
    pub(super) header: HeaderValue,
    pub(super) login: u64,
    /// When it was made or renewed, and for how long.
    since: Duration,
    ttl: Option<Duration>,
    renewable: bool,
    /// Whether the host has made it, so that it may end it.
    own: bool,
}

/// What a login shows.
struct Presented {
    mount: String,
    body: Zeroizing<Vec<u8>>,
    /// What people call the method.
    what: &'static str,
}

#[derive(serde::Deserialize)]
struct LookedUp {
    ttl: u64,
    /// None: it has no end.
    expire_time: Option<String>,
    #[serde(default)]
    renewable: bool,
}

#[derive(serde::Deserialize)]
struct Wrapping {
    creation_path: String,
}

/// A wrapping, and the secret id that was in it.
type Unwrapped = (Zeroizing<String>, Arc<Zeroizing<String>>);

#[derive(serde::Deserialize)]
struct SecretId {
    secret_id: Zeroizing<String>,
}

impl Session {
    pub(super) fn new(api: Api, auth: VaultAuth, clock: Clock) -> Self {
        Self {
            api,
            auth,
            clock,
            token: RwLock::default(),
            turn: tokio::sync::Mutex::default(),
            unwrapped: Mutex::default(),
            login: watch::channel(0).0,
            looked_after: AtomicBool::new(false),
            replacing: Arc::default(),
        }
    }

    pub(super) fn api(&self) -> &Api {
        &self.api
    }

    pub(super) fn auth(&self) -> &VaultAuth {
        &self.auth
    }

    /// Whether the host is logged in. After its end it is not.
    pub(super) fn is_open(&self) -> bool {
        self.current().is_some()
    }

    /// One call under the host's login, with the number of that. A login that is not valid any more is made anew, once.
    pub(super) async fn call(
        self: &Arc<Self>,
        method: Method,
        path: &str,
        body: Option<Zeroizing<Vec<u8>>>,
        repeat: Repeat,
    ) -> Result<(Result<Body, Trouble>, u64), BackendError> {
        let token = self.token().await?;
        let answered = self.api.call(method.clone(), path, Some(&token.header), body.clone(), repeat).await;
        match &answered {
            Err(trouble) if trouble.is(StatusCode::FORBIDDEN) => match self.instead_of(&token).await? {
                Some(newer) => Ok((self.api.call(method, path, Some(&newer.header), body, repeat).await, newer.login)),
                None => Ok((answered, token.login)),
            },
            _ => Ok((answered, token.login)),
        }
    }

    fn current(&self) -> Option<Arc<Token>> {
        self.token.read().clone()
    }

    fn replace(&self, token: Option<Arc<Token>>) {
        *self.token.write() = token;
    }

    /// A token that is valid as far as the host knows.
    pub(super) async fn token(self: &Arc<Self>) -> Result<Arc<Token>, BackendError> {
        if let Some(token) = self.current().filter(|token| !token.left(&self.clock).is_zero()) {
            return Ok(token);
        }
        self.log_in(|token| !token.left(&self.clock).is_zero()).await
    }

    /// A token in place of one that the server did not take. `None` where it takes the token, and it was the request that is not allowed.
    pub(super) async fn instead_of(self: &Arc<Self>, rejected: &Arc<Token>) -> Result<Option<Arc<Token>>, BackendError> {
        if let Some(newer) = self.current().filter(|token| !Arc::ptr_eq(token, rejected)) {
            return Ok(Some(newer));
        }
        match self.api.call(Method::GET, "auth/token/lookup-self", Some(&rejected.header), None, Repeat::Safe).await {
            // A token without the policy `default` may not even look at itself: it is not the token's fault each time.
            Err(trouble) if trouble.is(StatusCode::FORBIDDEN) && rejected.age(&self.clock) < PATIENT && rejected.login > 1 => Ok(None),
            Err(trouble) if trouble.is(StatusCode::FORBIDDEN) => {
                tracing::warn!(server = self.api.address(), "the host's token is no longer valid; logging in again");
                self.log_in(|token| !Arc::ptr_eq(token, rejected)).await.map(Some)
            }
            Ok(_) => Ok(None),
            Err(trouble) => Err(trouble.to_error(self.api.address())),
        }
    }

    /// Logs in, unless somebody else has while this waited for the turn.
    async fn log_in(self: &Arc<Self>, serves: impl Fn(&Arc<Token>) -> bool) -> Result<Arc<Token>, BackendError> {
        let mut failed = self.turn.lock().await;
        if let Some(token) = self.current().filter(|token| serves(token)) {
            return Ok(token);
        }
        let now = self.clock.now();
        if let Some((at, error)) = &*failed
            && now.saturating_sub(*at) < RETRY
        {
            return Err(error.clone());
        }
        let login = *self.login.borrow() + 1;
        match self.made(login).await {
            Ok(token) => {
                let token = Arc::new(token);
                self.replace(Some(Arc::clone(&token)));
                let login = token.login;
                self.login.send_replace(login);
                *failed = None;
                if token.ttl.is_some() {
                    tokio::spawn(look_after(Arc::downgrade(self), login));
                }
                secret_id::begin(self);
                Ok(token)
            }
            Err(error) => {
                *failed = Some((self.clock.now(), error.clone()));
                Err(error)
            }
        }
    }

    /// A token by the configured method.
    async fn made(&self, login: u64) -> Result<Token, BackendError> {
        if let VaultAuth::Token(from) = &self.auth {
            return self.given(from, login).await;
        }
        let presented = self.presented().await?;
        match self.present(&presented, login).await {
            // What was replaced while it was presented: the file holds the next one by now.
            Err(refused) => match self.presented().await {
                Ok(next) if next.body != presented.body => self.present(&next, login).await,
                _ => Err(refused),
            },
            made => made,
        }
    }

    /// What the host has to show, as it is now.
    async fn presented(&self) -> Result<Presented, BackendError> {
        match &self.auth {
            VaultAuth::Token(from) => Err(BackendError::Refused(format!("the token at {from} is a login already"))),
            VaultAuth::AppRole { mount, role_id, secret_id, wrapped, .. } => {
                let secret_id = if *wrapped { self.unwrap(mount, secret_id).await? } else { Arc::new(read(secret_id)?) };
                Presented::of_role(mount, role_id, &secret_id)
            }
            VaultAuth::Jwt { mount, role, jwt } => {
                Ok(Presented { mount: mount.clone(), body: json_object(&[("role", role), ("jwt", &read(jwt)?)]), what: "JWT" })
            }
            _ => Err(BackendError::Refused("this build does not know this login method".to_owned())),
        }
    }

    async fn present(&self, presented: &Presented, login: u64) -> Result<Token, BackendError> {
        let Presented { mount, body, what } = presented;
        let answered = self.api.call(Method::POST, &format!("auth/{mount}/login"), None, Some(body.clone()), Repeat::Once).await;
        let body = answered.map_err(|trouble| self.login_failed(&trouble, what))?;
        let auth = body.answer().ok().and_then(|answer| answer.auth);
        let auth = auth.ok_or_else(|| BackendError::Unavailable(format!("{}: the {what} login returned no token", self.api.address())))?;
        Token::of(&auth, login, self.clock.now())
    }

    /// Logs in with a secret id, and out again: it works, or the error says why not.
    pub(super) async fn try_out(&self, mount: &str, role_id: &CredentialRef, secret_id: &str) -> Result<(), BackendError> {
        let token = self.present(&Presented::of_role(mount, role_id, secret_id)?, 0).await?;
        // One that can't be ended, as of the kind `batch`, ends by itself.
        let _ = self.api.call(Method::POST, "auth/token/revoke-self", Some(&token.header), None, Repeat::Once).await;
        Ok(())
    }

    fn login_failed(&self, trouble: &Trouble, what: &str) -> BackendError {
        let server = self.api.address();
        match trouble {
            // Whatever is wrong with what was presented: the server says 400 or 403.
            Trouble::Status(status, _) if status.is_client_error() && *status != StatusCode::TOO_MANY_REQUESTS => {
                let code = status.as_u16();
                BackendError::Unavailable(format!("{server}: the {what} login was refused ({code}); check its role and its credential"))
            }
            _ => match trouble.to_error(&format!("{server}: the {what} login")) {
                BackendError::NotFound { looked_for } => BackendError::Unavailable(format!("{looked_for} is not there; check `mount`")),
                other => other,
            },
        }
    }

    /// The token that the operator gives.
    async fn given(&self, from: &CredentialRef, login: u64) -> Result<Token, BackendError> {
        let header = header(&read(from)?)?;
        let server = self.api.address();
        let looked_up = self.api.call(Method::GET, "auth/token/lookup-self", Some(&header), None, Repeat::Safe).await;
        let looked_up = match looked_up.and_then(|body| body.data::<LookedUp>()) {
            Ok(looked_up) => looked_up,
            Err(trouble) if trouble.is(StatusCode::FORBIDDEN) => {
                let why = format!("{server}: the token at {from} is not valid, or has expired; put a new one there");
                return Err(BackendError::Unavailable(why));
            }
            Err(trouble) => return Err(trouble.to_error(server)),
        };
        let ttl = looked_up.expire_time.is_some().then(|| Duration::from_secs(looked_up.ttl));
        // The same token is the same login: what was lent under it lives on.
        let login = self.current().filter(|current| current.header == header).map_or(login, |current| current.login);
        Ok(Token { header, login, since: self.clock.now(), ttl, renewable: looked_up.renewable, own: false })
    }

    /// The secret id out of its wrapping, which can be opened once.
    async fn unwrap(&self, mount: &str, from: &CredentialRef) -> Result<Arc<Zeroizing<String>>, BackendError> {
        let wrapping = read(from)?;
        if let Some((opened, secret_id)) = &*self.unwrapped.lock()
            && *opened == wrapping
        {
            return Ok(Arc::clone(secret_id));
        }
        let server = self.api.address();
        let incident = |what: &str| {
            let why = format!(
                "{server}: the wrapping at {from} {what}. If this host has not opened it before, somebody else may have the secret id: revoke it, and find out who read the wrapping"
            );
            tracing::error!(incident = true, "{why}");
            BackendError::Incident(why)
        };
        let asked = Some(json_object(&[("token", &wrapping)]));
        let looked_up = self.api.call(Method::POST, "sys/wrapping/lookup", None, asked, Repeat::Safe).await;
        let origin = match looked_up.and_then(|body| body.data::<Wrapping>()) {
            Ok(Wrapping { creation_path }) => creation_path,
            Err(Trouble::Status(status, _)) if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS => {
                return Err(incident("can't be opened: it has already been opened, has expired, or never was one"));
            }
            Err(trouble) => return Err(trouble.to_error(server)),
        };
        let expected = format!("auth/{mount}/role/");
        if !(origin.starts_with(&expected) && origin.ends_with("/secret-id")) {
            return Err(incident("was not made by the AppRole method: it holds something other than a secret id of this mount"));
        }
        let header = header(&wrapping)?;
        match self
            .api
            .call(Method::POST, "sys/wrapping/unwrap", Some(&header), None, Repeat::Once)
            .await
            .and_then(|body| body.data::<SecretId>())
        {
            Ok(SecretId { secret_id }) => {
                let secret_id = Arc::new(secret_id);
                *self.unwrapped.lock() = Some((wrapping.clone(), Arc::clone(&secret_id)));
                Ok(secret_id)
            }
            Err(Trouble::Status(status, _)) if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS => {
                Err(incident("has just been opened by somebody else"))
            }
            Err(trouble) => Err(trouble.to_error(server)),
        }
    }

    /// Prolongs the token, if it is still that of this login. False where that can't be.
    async fn renew(&self, token: &Arc<Token>) -> Result<bool, Trouble> {
        if !token.renewable {
            return Ok(false);
        }
        let body: Body = match self.api.call(Method::POST, "auth/token/renew-self", Some(&token.header), None, Repeat::Safe).await {
            Ok(body) => body,
            Err(Trouble::Status(status, _)) if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS => return Ok(false),
            Err(trouble) => return Err(trouble),
        };
        let ttl = body.answer()?.auth.map_or(0, |auth| auth.lease_duration);
        let ttl = Duration::from_secs(ttl);
        // At the end of its greatest age a token is prolonged by little.
        if ttl < token.ttl.unwrap_or_default().min(2 * MARGIN) / 2 {
            return Ok(false);
        }
        let renewed = Token { header: token.header.clone(), login: token.login, since: self.clock.now(), ttl: Some(ttl), ..**token };
        let mut current = self.token.write();
        if current.as_ref().is_some_and(|current| Arc::ptr_eq(current, token)) {
            *current = Some(Arc::new(renewed));
        }
        Ok(true)
    }

    /// Waits until another login counts than this one.
    pub(super) async fn ended(&self, login: u64) {
        let _ = self.login.subscribe().wait_for(|current| *current > login).await;
    }

    /// Ends the login, with every lease that is left under it.
    pub(super) async fn close(&self) {
        // A secret id that is being replaced is replaced whole.
        let _replacing = tokio::time::timeout(CLOSING, self.replacing.lock()).await;
        if let Some(token) = self.current().filter(|token| token.own) {
            let _ = self.api.call(Method::POST, "auth/token/revoke-self", Some(&token.header), None, Repeat::Once).await;
            self.replace(None);
        }
    }
}

/// Renews the token of a login in time; where it can't be, logs in anew while the old one is still good.
fn look_after(session: Weak<Session>, login: u64) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        let mut again = None;
        loop {
            let Some((token, left)) = session.upgrade().and_then(|session| {
                let token = session.current().filter(|token| token.login == login)?;
                let left = token.left(&session.clock);
                Some((token, left))
            }) else {
                return;
            };
            let ttl = token.ttl.unwrap_or_default();
            let margin = if ttl > 4 * MARGIN { MARGIN + most_of(MARGIN) } else { ttl - most_of(ttl) };
            let wait = again.take().unwrap_or_else(|| left.saturating_sub(margin));
            drop(token);
            tokio::time::sleep(wait).await;
            let Some(session) = session.upgrade() else { return };
            let Some(token) = session.current().filter(|token| token.login == login) else { return };
            match session.renew(&token).await {
                Ok(true) => {}
                Ok(false) => match session.log_in(|newer| newer.login != login).await {
                    Ok(_) => return,
                    Err(error) => {
                        tracing::warn!(%error, "the host's token expires soon, and logging in again failed; trying again");
                        again = Some(Duration::from_secs(5));
                    }
                },
                Err(_) => again = Some(Duration::from_secs(5)),
            }
        }
    })
}

impl Presented {
    fn of_role(mount: &str, role_id: &CredentialRef, secret_id: &str) -> Result<Self, BackendError> {
        let body = json_object(&[("role_id", &read(role_id)?), ("secret_id", secret_id)]);
        Ok(Self { mount: mount.to_owned(), body, what: "AppRole" })
    }
}

impl Token {
    fn of(auth: &Auth, login: u64, now: Duration) -> Result<Self, BackendError> {
        let ttl = (auth.lease_duration > 0).then(|| Duration::from_secs(auth.lease_duration));
        Ok(Self { header: header(&auth.client_token)?, login, since: now, ttl, renewable: auth.renewable, own: true })
    }

    fn age(&self, clock: &Clock) -> Duration {
        clock.now().saturating_sub(self.since)
    }

    /// How long it is good for; a token without an end, for ever.
    fn left(&self, clock: &Clock) -> Duration {
        self.ttl.map_or(Duration::MAX, |ttl| ttl.saturating_sub(self.age(clock)))
    }
}

/// A credential of the host's own.
pub(super) fn read(from: &CredentialRef) -> Result<Zeroizing<String>, BackendError> {
    from.read().map_err(|why| BackendError::Unavailable(format!("the host's credential at {from} {why}")))
}

fn header(token: &str) -> Result<HeaderValue, BackendError> {
    let mut header = HeaderValue::from_str(token)
        .map_err(|_| BackendError::Unavailable("this is not a token: it holds control characters".to_owned()))?;
    header.set_sensitive(true);
    Ok(header)
}

/// An object of texts, written at its whole length at once: growing would leave a part of a credential behind.
pub(super) fn json_object(fields: &[(&str, &str)]) -> Zeroizing<Vec<u8>> {
    // A character is at most six bytes for each of its own (`\u0000`); around a text are quotes, and a colon or a comma behind it.
    let most = fields.iter().map(|(name, value)| 6 * (name.len() + value.len()) + 6).sum::<usize>() + 2;
    let mut object = Zeroizing::new(Vec::with_capacity(most));
    serde_json::Serializer::new(&mut *object).collect_map(fields.iter().copied()).expect("strings are JSON");
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_of_texts_is_written_without_growing() {
        let text = "\u{1}\"\\é\n".repeat(100);

        let object = json_object(&[("role_id", "agents"), ("secret_id", &text)]);

        let read: serde_json::Value = serde_json::from_slice(&object).expect("JSON");
        assert_eq!(read, serde_json::json!({"role_id": "agents", "secret_id": text}));
        let most = 2 + 6 * ("role_id".len() + "agents".len() + "secret_id".len() + text.len()) + 12;
        assert_eq!(object.capacity(), most);
    }
}
