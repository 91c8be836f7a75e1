//! A secret with the scheme `oauth2` as a backend of its access tokens.

use super::exchange::{Credentials, Failure, ask};
use super::{NoRecord, Parts, refresh};
use crate::backoff::Backoff;
use crate::credential::oauth2::Access;
use crate::manifest::Oauth2Spec;
use crate::secrets::backends::{BackendError, Bounds, Configured, Entry, Found, Freshness, Origin, SecretBackend};
use crate::secrets::{Deposit, SecretValue, StoreError};
use crate::text::hex;
use async_trait::async_trait;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use zeroize::Zeroizing;

/// How long a token is used that its server gives no end.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// How long a token has to be in use before a server's rejection of it has the host ask for another.
const SETTLED: Duration = Duration::from_secs(60);
/// How long a request waits for a token.
const PATIENCE: Duration = Duration::from_secs(45);
/// How long the host waits for the response of a token endpoint. A refresh that was given up is a refresh token lost, so it has longer.
pub(super) const CALL: Duration = Duration::from_secs(20);
/// How long is waited before what may pass is tried a second time.
pub(super) const PAUSE: Duration = Duration::from_millis(500);
/// How long a server that has refused a request is not asked the same again.
const REFUSED: Duration = Duration::from_secs(60);
/// How long it is waited before a refresh token is written again that the store did not take.
const AGAIN: Backoff = Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(20) };
/// How long before its end a token is used no more: requests take their time.
const MARGIN: u64 = 10;

/// Gives access tokens for one secret.
pub(super) struct Source {
    pub(super) parts: Arc<Parts>,
    pub(super) spec: Arc<Oauth2Spec>,
    /// The secret's name in the manifest that asked first.
    pub(super) name: String,
    pub(super) secret: Origin,
    /// Where the client's own secret may be, in order.
    client: Vec<Origin>,
    /// The hash of what is asked for.
    asks_for: String,
    pub(super) nonce: Nonce,
    turn: tokio::sync::Mutex<State>,
    /// Exchanges that have come to an end.
    ended: AtomicU64,
}

/// What no other source has: by it a source knows its own claim in the journal. Of two that had the same, each would take the other's for its
/// own, and present what that one is presenting.
pub(super) struct Nonce(Option<u64>);

/// What is known of the exchanges so far.
#[derive(Default)]
pub(super) struct State {
    pub(super) given: Option<Token>,
    /// The hash of the refresh token whose end was told of.
    pub(super) alerted: Option<String>,
    /// That of one which was presented, and of which nothing is known since.
    pub(super) presented: Option<String>,
    /// A refresh token that is nowhere but here.
    pub(super) unkept: Option<Unkept>,
    /// Whether a task of its own goes on writing it.
    is_kept_on: bool,
    /// What the server has refused, and when: it is not asked the same at once.
    refused: Option<(Instant, String)>,
}

/// A refresh token that is to be written.
pub(super) struct Unkept {
    pub(super) token: Zeroizing<String>,
    /// The hash of the one that it replaces.
    pub(super) instead_of: String,
    /// The version that it is written over.
    pub(super) over: String,
    /// Whether it was told that it can't be written.
    pub(super) is_told: bool,
}

/// A token that was given out, with what stands behind it.
#[derive(Clone)]
pub(super) struct Token {
    pub(super) value: Zeroizing<String>,
    pub(super) expires_at: Option<u64>,
    pub(super) behind: Vec<Arc<SecretValue>>,
}

/// What is kept at an origin.
pub(super) struct Kept {
    pub(super) value: SecretValue,
    pub(super) version: Option<String>,
}

/// The backend, as the cache has it.
struct Backend(Arc<Source>);

impl Source {
    pub(super) fn configured(
        parts: Arc<Parts>,
        spec: Arc<Oauth2Spec>,
        name: &str,
        secret: Origin,
        client: Vec<Origin>,
    ) -> (Configured, Entry) {
        let said = format!("{spec} {}", client.iter().map(Origin::shown).collect::<Vec<_>>().join(" "));
        let asks_for = hex(&Sha256::digest(said)[..8]);
        let entry = Entry::new(format!("token for {} ({asks_for})", secret.shown()));
        let server = spec.server().to_owned();
        let (turn, ended) = (tokio::sync::Mutex::default(), AtomicU64::new(0));
        let nonce = Nonce(getrandom::u64().ok());
        let source = Self { parts, spec, name: name.to_owned(), secret, client, asks_for, nonce, turn, ended };
        let backend = Arc::new(Backend(Arc::new(source)));
        (Configured { name: server, backend, bounds: Bounds::none(), stale: DAY, settled: SETTLED }, entry)
    }

    /// A token: another one than was given before, unless an exchange has ended since `began`.
    async fn token(&self, began: u64) -> Result<Found, BackendError> {
        let mut state = self.turn.lock().await;
        if self.ended.load(Ordering::Acquire) != began
            && let Some(token) = state.given.as_ref().filter(|token| token.is_alive(self.now()))
        {
            return Ok(token.found());
        }
        if let Some((_, why)) = state.refused.as_ref().filter(|(at, _)| at.elapsed() < REFUSED) {
            return Err(self.unavailable(why));
        }
        let token = match self.spec.is_refreshed() {
            true => refresh::token(self, &mut state).await,
            false => self.minted(&mut state).await,
        };
        self.ended.fetch_add(1, Ordering::AcqRel);
        let token = token?;
        let found = token.found();
        state.given = Some(token);
        Ok(found)
    }

    /// Goes on with what the store does not take, as long as the process lives: nobody else has it.
    async fn keep_on(&self) {
        {
            let mut state = self.turn.lock().await;
            if state.unkept.is_none() || std::mem::replace(&mut state.is_kept_on, true) {
                return;
            }
        }
        for attempt in 1.. {
            tokio::time::sleep(AGAIN.after(attempt)).await;
            let mut state = self.turn.lock().await;
            if refresh::keep(self, &mut state).await.is_ok() {
                state.is_kept_on = false;
                return;
            }
        }
    }

    /// A token for a secret that can be presented as often as is wanted.
    async fn minted(&self, state: &mut State) -> Result<Token, BackendError> {
        let (secret, client) = (self.secret.read().await?.value, self.client().await?);
        let with = Credentials { secret: &secret, client: client.as_ref() };
        let answer = match ask(self, &with, CALL).await {
            Err(Failure::Later(_) | Failure::Unknown(_)) => {
                tokio::time::sleep(PAUSE).await;
                ask(self, &with, CALL).await
            }
            answer => answer,
        };
        let answer = answer.map_err(|failure| self.refused(state, &failure))?;
        self.given(answer.access, [Some(secret), client])
    }

    /// A token that is to be given out, with the secrets that stand behind it.
    pub(super) fn given<const N: usize>(
        &self,
        access: Result<Access, String>,
        behind: [Option<SecretValue>; N],
    ) -> Result<Token, BackendError> {
        let access = access.map_err(|why| self.unavailable(&why))?;
        let behind = behind.into_iter().flatten().map(Arc::new).collect();
        Ok(Token { value: access.token, expires_at: access.expires_at, behind })
    }

    /// The client's own secret, where it has one beside the secret itself.
    pub(super) async fn client(&self) -> Result<Option<SecretValue>, BackendError> {
        let mut looked_for = Vec::new();
        for origin in &self.client {
            match origin.read().await {
                Ok(kept) => return Ok(Some(kept.value)),
                Err(BackendError::NotFound { looked_for: at }) => looked_for.push(at),
                Err(error) => return Err(error),
            }
        }
        match self.client.is_empty() {
            true => Ok(None),
            false => Err(BackendError::Unavailable(format!("not found: looked for {}", looked_for.join(", then ")))),
        }
    }

    /// What is told of a failure of the server's; one that would come again is remembered for a while.
    pub(super) fn refused(&self, state: &mut State, failure: &Failure) -> BackendError {
        if let Failure::Refused(why) = failure {
            state.refused = Some((Instant::now(), why.clone()));
        }
        self.unavailable(failure.text())
    }

    /// What is told of a failure. What was given before may be used to its end.
    pub(super) fn unavailable(&self, why: &str) -> BackendError {
        BackendError::Unavailable(format!("no access token for it from {}: {why}", self.spec.server()))
    }

    pub(super) fn record(&self, step: &str, detail: Option<String>, token: Option<&str>) -> Result<(), NoRecord> {
        self.parts.record(&self.secret.shown(), step, detail, token)
    }

    pub(super) fn fingerprint(&self, value: &[u8]) -> String {
        SecretValue::on_heap(value.to_vec()).fingerprint(&self.parts.fingerprint_key).to_string()
    }

    /// The hash of what is asked for: another host that asks for the same can share a token.
    pub(super) fn asks_for(&self) -> String {
        self.asks_for.clone()
    }

    /// Seconds since 1970.
    pub(super) fn now(&self) -> u64 {
        self.parts.wall.now() / 1000
    }
}

impl Nonce {
    /// The number.
    ///
    /// # Errors
    /// Where the system has given none.
    pub(super) fn number(&self) -> Result<u64, BackendError> {
        let none = || BackendError::Unavailable("no access token for it: the system's random source failed; restart the host".to_owned());
        self.0.ok_or_else(none)
    }
}

impl Token {
    pub(super) fn is_alive(&self, now: u64) -> bool {
        self.expires_at.is_none_or(|end| end > now + MARGIN)
    }

    fn found(&self) -> Found {
        Found::value(SecretValue::new(self.value.as_bytes().to_vec())).with(|found| {
            found.expires_at = self.expires_at.map(|end| end.saturating_sub(MARGIN));
            found.behind.clone_from(&self.behind);
        })
    }
}

impl Origin {
    /// What is kept there now, past the cache.
    pub(super) async fn read(&self) -> Result<Kept, BackendError> {
        let whole = Entry { field: None, ..self.entry.clone() };
        let get = self.from.backend.get(&whole);
        let found = tokio::time::timeout(self.from.backend.patience(), get).await.unwrap_or_else(|_| Err(silent(&self.from.name)))?;
        let shown = || self.shown();
        let value = match &self.entry.field {
            None => found.value,
            Some(field) => found.value.field(field).map_err(|_| BackendError::NotFound { looked_for: shown() })?,
        };
        value.check(None).map_err(|why| BackendError::Refused(format!("the value at {} is refused: {why}", shown())))?;
        Ok(Kept { value, version: found.version })
    }

    /// Writes another value there, over the version that was read.
    pub(super) async fn write(&self, value: Deposit, over: &str) -> Result<String, StoreError> {
        let cannot = || StoreError::Refused("its backend can't be written to".to_owned());
        let put = self.from.backend.store().ok_or_else(cannot)?.put(&self.entry, value, Some(over));
        tokio::time::timeout(self.from.backend.patience(), put).await.unwrap_or_else(|_| Err(silent(&self.from.name).into()))
    }
}

pub(super) fn silent(backend: &str) -> BackendError {
    BackendError::Unavailable(format!("the backend `{backend}` did not answer in time"))
}

#[async_trait]
impl SecretBackend for Backend {
    fn entries_for(&self, _namespace: &str, _name: &str) -> Vec<Entry> {
        Vec::new()
    }

    fn admits(&self, _entry: &Entry) -> Result<(), BackendError> {
        Ok(())
    }

    async fn get(&self, _entry: &Entry) -> Result<Found, BackendError> {
        let source = Arc::clone(&self.0);
        let began = source.ended.load(Ordering::Acquire);
        // On a task of its own, which the end of the host waits for: what a server gives is kept, though nobody waits any more.
        let under_way = source.parts.under_way.clone();
        let (tell, told) = oneshot::channel();
        under_way.spawn(async move {
            let _ = tell.send(source.token(began).await);
            source.keep_on().await;
        });
        told.await
            .unwrap_or_else(|_| Err(BackendError::Unavailable("asking for a token failed; this is a defect, please report it".to_owned())))
    }

    fn freshness(&self) -> Freshness {
        Freshness::For(DAY)
    }

    fn stale(&self) -> Duration {
        DAY
    }

    fn patience(&self) -> Duration {
        PATIENCE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_randomness_nothing_is_claimed() {
        assert_eq!(Nonce(Some(7)).number(), Ok(7));
        let refused = Nonce(None).number().expect_err("it is nobody's");
        assert!(refused.to_string().contains("random source failed"), "{refused}");
    }
}
