//! A ledger, rates and tickets that hosts share, played: they write down what they are asked, and answer as they are told.

use alloy_primitives::U256;
use async_trait::async_trait;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use strongroom::Ticket;
use strongroom::shared::{
    AssetId, Claim, Ledger, Note, Rates, Refused, Reservation, Reserved, SharedError, Standing, Sums, Taken, Tickets, Use, Waiting,
};
use tokio::sync::Notify;

/// How a ledger answers.
#[derive(Clone, Default)]
pub(super) enum Mood {
    #[default]
    Works,
    /// It refuses each claim.
    Refuses(Refused),
    /// It says that each claim was signed before, and gives these bytes.
    Gives(Vec<u8>),
    /// That call fails.
    Fails(&'static str),
    /// That call never returns.
    Silent(&'static str),
    /// A commit begins, and waits until it is let.
    Waits,
}

/// A ledger. Its clones are one, for several hosts.
#[derive(Clone, Default)]
pub(super) struct Book(Arc<Pages>);

#[derive(Default)]
struct Pages {
    mood: Mutex<Mood>,
    calls: Mutex<Vec<String>>,
    /// What was signed, by the reservation's name: the idempotency key, or a number.
    kept: Mutex<Vec<(String, Vec<u8>)>>,
    committing: Notify,
    go: Notify,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Book {
    pub(super) fn feels(&self, mood: Mood) {
        *lock(&self.0.mood) = mood;
    }

    /// What it was asked, in order.
    pub(super) fn calls(&self) -> Vec<String> {
        lock(&self.0.calls).clone()
    }

    /// What was signed, in order.
    pub(super) fn kept(&self) -> Vec<Vec<u8>> {
        lock(&self.0.kept).iter().map(|(_, signed)| signed.clone()).collect()
    }

    pub(super) async fn committing(&self) {
        self.0.committing.notified().await;
    }

    pub(super) fn go(&self) {
        self.0.go.notify_one();
    }

    async fn asked(&self, call: &str, what: &str) -> Result<(), SharedError> {
        lock(&self.0.calls).push(format!("{call} {what}").trim_end().to_owned());
        let mood = lock(&self.0.mood).clone();
        match mood {
            Mood::Fails(name) if name == call => Err(SharedError::Unavailable("the database is closed".to_owned())),
            Mood::Silent(name) if name == call => std::future::pending().await,
            Mood::Waits if call == "commit" => {
                self.0.committing.notify_one();
                self.0.go.notified().await;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl Ledger for Book {
    async fn reserve(&self, claim: &Claim<'_>) -> Result<Reserved, Refused> {
        let spends: Vec<String> = claim.spends.iter().map(|(asset, amount)| format!("{amount} of {asset}")).collect();
        let (agent, purpose, limits) = (claim.agent, claim.purpose, claim.limits.len());
        self.asked("reserve", &format!("{agent} {purpose} {} {:?} {limits} limits", spends.join(", "), claim.nonce)).await?;
        match &*lock(&self.0.mood) {
            Mood::Refuses(refused) => return Err(refused.clone()),
            Mood::Gives(signed) => return Ok(Reserved::Before(signed.clone())),
            _ => {}
        }
        let before = lock(&self.0.kept).iter().find(|(name, _)| Some(name.as_str()) == claim.idempotency).map(|(_, signed)| signed.clone());
        let name = || claim.idempotency.map_or_else(|| self.calls().len().to_string(), str::to_owned);
        Ok(before.map_or_else(|| Reserved::New(Reservation::new(name())), Reserved::Before))
    }

    async fn commit(&self, reservation: &Reservation, signed: &[u8]) -> Result<(), SharedError> {
        self.asked("commit", "").await?;
        lock(&self.0.kept).push((reservation.as_str().to_owned(), signed.to_owned()));
        Ok(())
    }

    async fn release(&self, _: &Reservation) -> Result<(), SharedError> {
        self.asked("release", "").await
    }

    async fn note(&self, note: &Note<'_>) -> Result<(), SharedError> {
        self.asked("note", &note.lines.join("; ")).await
    }

    async fn enroll(&self, _: &[u8], purpose: &str) -> Result<(), SharedError> {
        self.asked("enroll", purpose).await
    }

    async fn spent(&self, _: &[u8], agent: Option<&str>, assets: &[AssetId]) -> Result<Vec<Sums>, SharedError> {
        self.asked("spent", agent.unwrap_or("all")).await?;
        Ok(assets.iter().map(|_| Sums::new(U256::ZERO, U256::from(10).pow(U256::from(18)), U256::ZERO)).collect())
    }

    async fn standing(&self, _: &[u8]) -> Result<Standing, SharedError> {
        self.asked("standing", "").await?;
        Ok(Standing::of(Some("wallet".to_owned())))
    }

    async fn confirm(&self) -> Result<(), SharedError> {
        self.asked("confirm", "").await
    }
}

/// Rates that answer by a list, and then let everything pass.
#[derive(Clone, Default)]
pub(super) struct Counts(Arc<Asking>);

#[derive(Default)]
struct Asking {
    answers: Mutex<VecDeque<Result<Taken, SharedError>>>,
    asked: Mutex<Vec<Vec<String>>>,
}

impl Counts {
    pub(super) fn answering(answers: impl IntoIterator<Item = Result<Taken, SharedError>>) -> Self {
        Self(Arc::new(Asking { answers: Mutex::new(answers.into_iter().collect()), asked: Mutex::default() }))
    }

    /// What was to be taken, in order.
    pub(super) fn asked(&self) -> Vec<Vec<String>> {
        lock(&self.0.asked).clone()
    }
}

#[async_trait]
impl Rates for Counts {
    async fn take(&self, uses: &[Use<'_>]) -> Result<Taken, SharedError> {
        lock(&self.0.asked).push(uses.iter().map(|one| format!("{} {}/{:?}", one.name, one.rate.requests, one.rate.per)).collect());
        lock(&self.0.answers).pop_front().unwrap_or(Ok(Taken::All))
    }
}

/// Tickets that are not kept.
pub(super) struct NoRoom;

#[async_trait]
impl Tickets for NoRoom {
    async fn file(&self, _: Waiting) -> Result<(), SharedError> {
        Err(SharedError::Refused("no room".to_owned()))
    }

    async fn list(&self) -> Result<Vec<Waiting>, SharedError> {
        Ok(Vec::new())
    }

    async fn remove(&self, _: &str, _: &str, _: &Ticket) -> Result<Option<Waiting>, SharedError> {
        Ok(None)
    }
}
