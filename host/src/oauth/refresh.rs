//! A token for a refresh token (RFC 6749, 6), which a server may replace each time it is presented, and whose second use it may take for a
//! theft (RFC 9700, 4.14.2). So:
//!
//! 1. The journal is read, then the token. The journal says, by a compare-and-set over what was read of it, that the token is about to be
//!    presented: whoever presented it in between has changed the journal.
//! 2. It is presented, once.
//! 3. What replaces it is written in its place by a compare-and-set, before the access token is used.
//! 4. The journal says so, with the access token for the other hosts.
//!
//! A host that ends between 1 and 3 leaves a refresh token that may have been used: nobody presents it again, and a person is asked to log in.
//! One that was presented before and not replaced is presented again after a lost answer.

use super::exchange::{Credentials, Failure, ask};
use super::journal::{Document, Journal, Over, Sent, Shared, Why, hash};
use super::source::{Kept, PAUSE, Source, State, Token, Unkept};
use crate::credential::oauth2::TokenAnswer;
use crate::policy::Reveal;
use crate::secrets::backends::{BackendError, Origin};
use crate::secrets::{Deposit, SecretValue, StoreError};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long the response to a refresh is waited for.
const REFRESH: Duration = Duration::from_secs(50);
/// How long another host may take for one, in seconds, before it counts as lost: longer than any takes.
const LOST: u64 = 180;
/// How long it is waited for another host's refresh at a time, and how often it is looked for.
const WAIT: Duration = Duration::from_secs(40);
const LOOK: Duration = Duration::from_millis(200);
/// How often a step is tried against a store that does not answer, or that others write to.
const ATTEMPTS: u32 = 8;

/// Whose turn it is to present a refresh token.
enum Turn {
    /// Another host has a token already.
    Given(Shared),
    /// This host's, once the journal says so.
    Free,
    /// This host's: the journal says so.
    Mine,
    /// Another host is at it.
    Theirs,
    /// Nobody's.
    Over(Why),
}

/// A token: from the journal where another host had one just now, or from the server.
pub(super) async fn token(source: &Source, state: &mut State) -> Result<Token, BackendError> {
    let until = Instant::now() + WAIT;
    let journal = Journal::of(&source.secret).ok_or_else(|| not_writable(&source.secret))?;
    let nonce = source.nonce.number()?;
    let mut attempts = 0;
    loop {
        keep(source, state).await?;
        let client = source.client().await?;
        let (document, version) = journal.made().await.map_err(|error| unkept(&error))?;
        let kept = source.secret.read().await?;
        if kept.version.is_none() {
            return Err(not_writable(&source.secret));
        }
        let of = hash(kept.value.reveal(Reveal::to_exchange()));
        match turn(source, state, &document, &of, nonce) {
            Turn::Given(Shared { value, expires_at, .. }) => {
                let behind = [Some(kept.value), client].into_iter().flatten().map(Arc::new).collect();
                return Ok(Token { value, expires_at, behind });
            }
            Turn::Over(why) => return Err(alert(source, state, of, why)),
            Turn::Theirs if Instant::now() >= until => return Err(source.unavailable("another host is asking for one")),
            Turn::Theirs => {
                tokio::time::sleep(LOOK).await;
                continue;
            }
            Turn::Mine => {}
            Turn::Free => {
                let sent = Sent { of: of.clone(), host: source.parts.host.clone(), nonce, at: source.now() };
                let claimed = journal.write(&document.claimed(sent), &version).await;
                // What was not answered may have been written: the next look tells.
                if let Err(error) = claimed {
                    attempts += 1;
                    if attempts == ATTEMPTS || matches!(error, StoreError::Refused(_)) {
                        return Err(unkept(&error));
                    }
                    tokio::time::sleep(LOOK * attempts).await;
                    continue;
                }
            }
        }
        let is_reusable = document.reusable.as_deref() == Some(&*of);
        return Refresh { source, journal: &journal, nonce, kept, client, of, is_reusable }.present(state).await;
    }
}

/// Whose turn it is, by what the journal says of the token of this hash.
fn turn(source: &Source, state: &State, document: &Document, of: &str, nonce: u64) -> Turn {
    let now = source.now();
    if let Some(token) = document.token.as_ref().filter(|token| is_news(token, source, state, of, now)) {
        return Turn::Given(token.clone());
    }
    let is_over = |over: &&Over| over.of == of && (over.why == Why::Lost || over.spec == source.asks_for());
    if let Some(over) = document.over.iter().find(is_over) {
        return Turn::Over(over.why);
    }
    let was_presented = state.presented.as_deref() == Some(of);
    match document.sent.as_ref().filter(|sent| sent.of == of) {
        // One that was never presented, by a call that came to nothing before.
        Some(sent) if sent.nonce == nonce && !was_presented => Turn::Mine,
        Some(sent) if sent.nonce != nonce && now.abs_diff(sent.at) < LOST => Turn::Theirs,
        Some(_) => Turn::Over(Why::Lost),
        None => Turn::Free,
    }
}

/// Whether an access token of the journal's was had for this refresh token or brought it, was not given out here before, and has most of its
/// life before it.
fn is_news(token: &Shared, source: &Source, state: &State, of: &str, now: u64) -> bool {
    let known = state.given.as_ref().is_some_and(|given| *given.value == *token.value);
    let is_young = token.expires_at.is_some_and(|end| {
        let life = end.saturating_sub(token.at);
        end.saturating_sub(now) > life / 2 && end <= now.saturating_add(life)
    });
    !known && is_young && token.of == of && token.spec == source.asks_for()
}

/// A refresh token that is this host's to present, as the journal says.
struct Refresh<'r> {
    source: &'r Source,
    journal: &'r Journal<'r>,
    nonce: u64,
    kept: Kept,
    client: Option<SecretValue>,
    of: String,
    /// Whether it was presented before, and not replaced.
    is_reusable: bool,
}

impl Refresh<'_> {
    /// Presents it, and keeps what replaces it.
    async fn present(self, state: &mut State) -> Result<Token, BackendError> {
        let source = self.source;
        let asked = source.now();
        state.presented = Some(self.of.clone());
        let answer = match self.ask().await {
            Err(Failure::Later(_)) => self.again().await,
            Err(Failure::Unknown(_)) if self.is_reusable => self.again().await,
            answer => answer,
        };
        let over = |why| Over { of: self.of.clone(), why, spec: source.asks_for() };
        let TokenAnswer { access, refresh } = match answer {
            Ok(answer) => answer,
            Err(Failure::Over(_)) => {
                self.note(|document| document.put_over(over(Why::Refused))).await;
                return Err(alert(source, state, self.of, Why::Refused));
            }
            Err(Failure::Unknown(_)) if !self.is_reusable => {
                self.note(|document| document.put_over(over(Why::Lost))).await;
                return Err(alert(source, state, self.of, Why::Lost));
            }
            Err(failure) => {
                state.presented = None;
                self.note(|_| ()).await;
                return Err(source.refused(state, &failure));
            }
        };
        let next = refresh.filter(|next| !self.kept.value.equals(next.as_bytes()));
        let replaced = next.as_ref().map(|next| SecretValue::new(next.as_bytes().to_vec()));
        let of_next = next.as_ref().map_or_else(|| self.of.clone(), |next| hash(next.as_bytes()));
        let is_replaced = next.is_some();
        if let (Some(token), Some(over)) = (next, self.kept.version.clone()) {
            state.unkept = Some(Unkept { token, instead_of: self.of.clone(), over, is_told: false });
            keep(source, state).await?;
        }
        state.presented = None;
        let shared = access.as_ref().ok().map(|access| Shared {
            value: access.token.clone(),
            at: asked,
            expires_at: access.expires_at,
            spec: source.asks_for(),
            of: of_next,
        });
        self.note(|document| {
            document.reusable = (!is_replaced).then(|| self.of.clone());
            document.token.clone_from(&shared);
        })
        .await;
        source.given(access, [Some(self.kept.value), replaced, self.client])
    }

    async fn ask(&self) -> Result<TokenAnswer, Failure> {
        ask(self.source, &Credentials { secret: &self.kept.value, client: self.client.as_ref() }, REFRESH).await
    }

    /// Once more, a while later.
    async fn again(&self) -> Result<TokenAnswer, Failure> {
        tokio::time::sleep(PAUSE).await;
        self.ask().await
    }

    /// A note in the journal of what came of it. Nothing depends on it but what other hosts need not do, so that it is not told of where it
    /// fails.
    async fn note(&self, change: impl Fn(&mut Document)) {
        for attempt in 1..=ATTEMPTS {
            if let Ok((mut document, version)) = self.journal.read().await {
                // Another host goes on with another token, or a person has logged in.
                if document.sent.as_ref().is_none_or(|sent| sent.nonce != self.nonce || sent.of != self.of) {
                    return;
                }
                document.sent = None;
                change(&mut document);
                if self.journal.write(&document, &version).await.is_ok() {
                    return;
                }
            }
            tokio::time::sleep(LOOK * attempt).await;
        }
        tracing::warn!(secret = %self.source.secret.shown(), "the journal of a refresh token can't be written");
    }
}

/// Puts a refresh token in the place of the one that it replaces. What can't be kept now is kept later, or by the next call before anything
/// else: as long as the process lives it is not lost.
pub(super) async fn keep(source: &Source, state: &mut State) -> Result<(), BackendError> {
    let Some(Unkept { token, instead_of, over, is_told }) = &mut state.unkept else { return Ok(()) };
    let origin = &source.secret;
    let mut failed = StoreError::Refused("its backend can't be written to".to_owned());
    for attempt in 1..=ATTEMPTS {
        match origin.write(Deposit::new(token.as_bytes().to_vec()), over).await {
            Ok(_) => {
                state.unkept = None;
                return Ok(());
            }
            Err(error) => failed = error,
        }
        tokio::time::sleep(LOOK * attempt).await;
        // What was not answered may have been written; and others may have written another field, or another token.
        match origin.read().await {
            Ok(now) if hash(now.value.reveal(Reveal::to_exchange())) == *instead_of => {
                if let Some(version) = now.version {
                    *over = version;
                }
            }
            // It is there, or a person has put another one there.
            Ok(_) => {
                state.unkept = None;
                return Ok(());
            }
            Err(error) => failed = error.into(),
        }
    }
    if !std::mem::replace(is_told, true) {
        let _ = source.record("alert", Some(format!("the new refresh token can't be kept, and is tried again: {failed}")), None);
    }
    Err(unkept(&failed))
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
