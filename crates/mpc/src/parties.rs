//! A host's way to the three parties.

use crate::identity::{Card, Identity, IdentityError};
use crate::link::{Greeting, Link, LinkError};
use crate::says::{Answer, Question};
use std::time::Duration;
use strongroom_ground::lock::Mutex;

/// Connections that are kept with each party.
const IDLE: usize = 32;

/// The three parties, as a host knows them.
pub struct Parties {
    own: Identity,
    cards: Vec<Card>,
    idle: Vec<Mutex<Vec<Link>>>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// The party was not asked: nothing was done.
    #[error("{0}")]
    Unasked(LinkError),
    /// It was asked, and may have done it.
    #[error("{0}")]
    Unanswered(LinkError),
}

impl Parties {
    /// The parties of these cards, asked by that host.
    ///
    /// # Errors
    /// [`IdentityError`] where a card is none.
    pub fn new(own: Identity, cards: Vec<Card>) -> Result<Self, IdentityError> {
        cards.iter().try_for_each(|card| card.certificate().map(drop))?;
        let idle = cards.iter().map(|_| Mutex::default()).collect();
        Ok(Self { own, cards, idle })
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.cards.len()
    }

    /// The name of a party.
    #[must_use]
    pub fn name(&self, party: usize) -> &str {
        &self.cards[party].name
    }

    /// Asks a party. All that is asked may be asked again: what is signed twice is one signature to whoever counts.
    ///
    /// # Errors
    /// [`NoAnswer`].
    pub async fn ask(&self, party: usize, question: &Question, patience: Duration) -> Result<Answer, NoAnswer> {
        // One that was idle may have been closed meanwhile.
        let kept = self.idle[party].lock().pop();
        if let Some(link) = kept
            && let Ok(answer) = self.asked(party, link, question, patience).await
        {
            return Ok(answer);
        }
        let link = Link::open(&self.own, &self.cards[party], None, Greeting::now("", "")).await.map_err(NoAnswer::Unasked)?;
        self.asked(party, link, question, patience).await.map_err(NoAnswer::Unanswered)
    }

    async fn asked(&self, party: usize, mut link: Link, question: &Question, patience: Duration) -> Result<Answer, LinkError> {
        let late =
            || LinkError::Unreachable { name: self.name(party).to_owned(), why: format!("no answer within {} s", patience.as_secs()) };
        let answer = tokio::time::timeout(patience, link.ask(question)).await.unwrap_or_else(|_| Err(late()))?;
        self.keep(party, link);
        Ok(answer)
    }

    fn keep(&self, party: usize, link: Link) {
        let mut idle = self.idle[party].lock();
        if idle.len() < IDLE {
            idle.push(link);
        }
    }
}
