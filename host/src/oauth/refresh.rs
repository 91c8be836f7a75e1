//! A token for a refresh token (RFC 6749, 6), which a server may replace each time it is presented, and whose second use it may take for a
//! theft (RFC 9700, 4.14.2). So:
//!
//! 1. The journal says that it is about to be presented, by a compare-and-set: of several hosts one presents it, and the others wait.
//! 2. It is presented, once.
//! 3. What replaces it is written in its place by a compare-and-set, before the access token is used.
//! 4. The journal says so, with the access token for the other hosts.
//!
//! A host that ends between 1 and 3 leaves a refresh token that may have been used: nobody presents it again, and a person is asked to log in.
//! One that was presented before and not replaced can be presented again, and needs no step 1.

use super::exchange::{Credentials, Failure, ask};
use super::journal::{Document, Journal, Over, Sent, Shared, Why, hash};
use super::source::{CALL, Kept, PAUSE, Source, State, Token};
use crate::policy::Reveal;
use crate::secrets::backends::{BackendError, Origin};
use crate::secrets::{Deposit, SecretValue, StoreError};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use zeroize::Zeroizing;

/// How long the response to a refresh is waited for.
const REFRESH: Duration = Duration::from_secs(60);
/// How long another host may take for one, in seconds, before it counts as lost.
const LOST: u64 = 90;
/// How long it is waited for another host's refresh at a time, and how often it is looked for.
const WAIT: Duration = Duration::from_secs(40);
const LOOK: Duration = Duration::from_millis(200);
/// How often a step is tried against a store that does not answer, or that others write to.
const ATTEMPTS: u32 = 8;

/// What comes of looking at the journal.
enum Turn {
    /// Another host has a token already.
    Given(Shared),
    /// This host presents the refresh token; the version of the journal that says so, where it has to.
    Mine(Document, Option<String>),
    /// Another host is at it.
    Theirs,
    /// It must not be presented.
    Over(Why),
}

/// A token: from the journal where another host had one just now, or from the server.
pub(super) async fn token(source: &Source, state: &mut State) -> Result<Token, BackendError> {
    let until = Instant::now() + WAIT;
    loop {
        let kept = source.secret.read().await?;
        let of = hash(kept.value.reveal(Reveal::to_exchange()));
        let journal = Journal::of(&source.secret).ok_or_else(|| not_writable(&source.secret))?;
        match turn(source, state, &journal, &of).await.map_err(|error| unkept(&error))? {
            Turn::Given(Shared { value, expires_at, .. }) => {
                let behind = [Some(kept.value), source.client().await?].into_iter().flatten().map(Arc::new).collect();
                return Ok(Token { value, expires_at, behind });
            }
            Turn::Mine(document, version) => return presented(source, state, &journal, document, version, kept, of).await,
            Turn::Theirs if Instant::now() < until => tokio::time::sleep(LOOK).await,
            Turn::Theirs => return Err(source.unavailable("another host, which is asking for one")),
            Turn::Over(why) => return Err(alert(source, state, of, why)),
        }
    }
}

/// Whose turn it is to present the token of this hash.
async fn turn(source: &Source, state: &State, journal: &Journal<'_>, of: &str) -> Result<Turn, StoreError> {
    let nonce = getrandom::u64().map_err(|_| StoreError::Unavailable("the system's random source failed".to_owned()))?;
    let mut failed = StoreError::Unavailable("the journal is never written".to_owned());
    for attempt in 0..ATTEMPTS {
        if attempt > 0 {
            tokio::time::sleep(LOOK * attempt).await;
        }
        let (mut document, version) = match journal.made().await {
            Ok(read) => read,
            Err(error @ StoreError::Refused(_)) => return Err(error),
            Err(error) => {
                failed = error;
                continue;
            }
        };
        let now = source.now();
        if let Some(token) = document.token.take_if(|token| is_news(token, source, state, now)) {
            return Ok(Turn::Given(token));
        }
        if let Some(over) = document.over.as_ref().filter(|over| over.of == of) {
            return Ok(Turn::Over(over.why));
        }
        match &document.sent {
            // What was not answered may have been written after all.
            Some(sent) if sent.nonce == nonce => return Ok(Turn::Mine(document, Some(version))),
            Some(sent) if sent.of == of && sent.at.saturating_add(LOST) > now => return Ok(Turn::Theirs),
            Some(sent) if sent.of == of => return Ok(Turn::Over(Why::Lost)),
            _ => {}
        }
        if document.reusable.as_deref() == Some(of) {
            return Ok(Turn::Mine(document, None));
        }
        document.sent = Some(Sent { of: of.to_owned(), host: source.parts.host.clone(), nonce, at: now });
        match journal.write(&document, &version).await {
            Ok(version) => return Ok(Turn::Mine(document, Some(version))),
            Err(error @ StoreError::Refused(_)) => return Err(error),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

/// Whether an access token of the journal's was not given out here before, and has most of its life before it.
fn is_news(token: &Shared, source: &Source, state: &State, now: u64) -> bool {
    let known = state.given.as_ref().is_some_and(|given| *given.value == *token.value);
    let is_young = token.expires_at.is_some_and(|end| {
        let life = end.saturating_sub(token.at);
        end.saturating_sub(now) > life / 2 && end <= now.saturating_add(life)
    });
    !known && is_young && token.spec == source.asks_for()
}

/// Presents a refresh token, and keeps what replaces it.
async fn presented(
    source: &Source,
    state: &mut State,
    journal: &Journal<'_>,
    document: Document,
    version: Option<String>,
    kept: Kept,
    of: String,
) -> Result<Token, BackendError> {
    let is_reusable = version.is_none();
    let client = source.client().await;
    let asked = source.now();
    let answer = match &client {
        Ok(client) => {
            let with = Credentials { secret: &kept.value, client: client.as_ref() };
            let patience = if is_reusable { CALL } else { REFRESH };
            match ask(source, &with, patience).await {
                Err(Failure::Later(_)) => again(source, &with, patience).await,
                Err(Failure::Unknown(_)) if is_reusable => again(source, &with, patience).await,
                answer => answer,
            }
        }
        Err(error) => Err(Failure::Later(error.to_string())),
    };
    let client = client.ok().flatten();
    let note = Note { source, journal, nonce: document.sent.as_ref().map(|sent| sent.nonce), of: &of };
    let answer = match answer {
        Ok(answer) => answer,
        Err(Failure::Over(_)) => {
            note.made(|document| document.over = Some(Over { of: of.clone(), why: Why::Refused })).await;
            return Err(alert(source, state, of, Why::Refused));
        }
        Err(Failure::Unknown(_)) if !is_reusable => {
            note.made(|document| document.over = Some(Over { of: of.clone(), why: Why::Lost })).await;
            return Err(alert(source, state, of, Why::Lost));
        }
        Err(failure) => {
            if !is_reusable {
                note.made(|_| ()).await;
            }
            return Err(source.unavailable(failure.text()));
        }
    };
    let next = answer.refresh.filter(|next| !kept.value.equals(next.as_bytes()));
    let replaced = next.as_ref().map(|next| SecretValue::new(next.as_bytes().to_vec()));
    if let Some(next) = &next {
        replace(source, &kept, next).await.map_err(|error| {
            let _ = source.record("alert", Some(format!("the new refresh token can't be kept: {error}")), None);
            unkept(&error)
        })?;
    }
    let access = answer.access;
    let shared = access.as_ref().ok().map(|access| Shared {
        value: access.token.clone(),
        at: asked,
        expires_at: access.expires_at,
        spec: source.asks_for(),
    });
    let is_replaced = next.is_some();
    note.made(|document| {
        document.reusable = (!is_replaced).then(|| of.clone());
        document.token.clone_from(&shared);
    })
    .await;
    source.given(access, [Some(kept.value), replaced, client])
}

/// Once more, a while later, after what has used nothing up.
async fn again(source: &Source, with: &Credentials<'_>, patience: Duration) -> Result<crate::credential::oauth2::TokenAnswer, Failure> {
    tokio::time::sleep(PAUSE).await;
    ask(source, with, patience).await
}

/// A note in the journal of what came of it.
struct Note<'n> {
    source: &'n Source,
    journal: &'n Journal<'n>,
    nonce: Option<u64>,
    of: &'n str,
}

impl Note<'_> {
    /// Nothing depends on it but what other hosts need not do, so that it is not told of where it fails.
    async fn made(&self, change: impl Fn(&mut Document)) {
        for attempt in 0..ATTEMPTS {
            let Ok((mut document, version)) = self.journal.read().await else {
                tokio::time::sleep(LOOK * (attempt + 1)).await;
                continue;
            };
            // Another host goes on with another token.
            if document.sent.as_ref().is_some_and(|sent| Some(sent.nonce) != self.nonce && sent.of != self.of) {
                return;
            }
            if document.sent.as_ref().is_some_and(|sent| Some(sent.nonce) == self.nonce) {
                document.sent = None;
            }
            change(&mut document);
            match self.journal.write(&document, &version).await {
                Ok(_) => return,
                Err(_) => tokio::time::sleep(LOOK * (attempt + 1)).await,
            }
        }
        tracing::warn!(secret = %self.source.secret.shown(), "the journal of a refresh token can't be written");
    }
}

/// Puts a refresh token in the place of the one that it replaces.
async fn replace(source: &Source, kept: &Kept, next: &Zeroizing<String>) -> Result<(), StoreError> {
    let origin = &source.secret;
    let store = origin.from.backend.store().ok_or_else(|| StoreError::Refused("its backend can't be written".to_owned()))?;
    let mut over = kept.version.clone();
    let mut failed = StoreError::Refused("its backend keeps no versions".to_owned());
    for attempt in 0..ATTEMPTS {
        let Some(version) = &over else { break };
        match store.put(&origin.entry, Deposit::new(next.as_bytes().to_vec()), Some(version)).await {
            Ok(_) => return Ok(()),
            Err(error @ StoreError::Refused(_)) => return Err(error),
            Err(error) => failed = error,
        }
        tokio::time::sleep(LOOK * (attempt + 1)).await;
        // What was not answered may have been written; and others may have written another field, or another token.
        match origin.read().await {
            Ok(now) if now.value.equals(next.as_bytes()) => return Ok(()),
            Ok(now) if now.value.is(&kept.value) => over = now.version,
            Ok(_) => return Ok(()),
            Err(error) => failed = error.into(),
        }
    }
    Err(failed)
}

/// Says once, of each refresh token, that a person has to log in.
fn alert(source: &Source, state: &mut State, of: String, why: Why) -> BackendError {
    let found = match why {
        Why::Refused => "its refresh token is no longer accepted",
        Why::Lost => "its refresh token may have been used up: no response came when it was presented last",
    };
    let what = format!("{found}; log in anew: `strongroom login AGENT.toml {}`", source.name);
    if state.alerted.as_ref() != Some(&of) {
        state.alerted = Some(of);
        tracing::error!(secret = %source.secret.shown(), "{what}");
        let _ = source.record("alert", Some(what.clone()), None);
    }
    BackendError::Unavailable(what)
}

fn not_writable(origin: &Origin) -> BackendError {
    BackendError::Refused(format!("the refresh token at {} is kept in a backend that can't be written", origin.shown()))
}

fn unkept(error: &StoreError) -> BackendError {
    BackendError::Unavailable(format!("no access token for it: the place of its refresh token can't be read or written: {error}"))
}
