//! The tickets of a host by itself: a bounded list in its memory. What they stand for stays reserved in the ledger when the host ends.

use super::{SharedError, Tickets, Waiting};
use crate::keys::Ticket;
use crate::lock::Mutex;
use async_trait::async_trait;

/// Tickets of all agents, at most.
const MOST: usize = 1_024;
/// Tickets of one agent, at most: one that asks again and again must not take all the room.
const MOST_OF_ONE: usize = 64;

/// Tickets in memory.
#[derive(Default)]
pub(crate) struct WaitingList(Mutex<Vec<Waiting>>);

#[async_trait]
impl Tickets for WaitingList {
    async fn file(&self, waiting: Waiting) -> Result<(), SharedError> {
        let mut all = self.0.lock();
        all.retain(|known| !known.is(&waiting.agent, &waiting.signer, &waiting.ticket));
        let of_agent = all.iter().filter(|known| known.agent == waiting.agent).count();
        if all.len() >= MOST || of_agent >= MOST_OF_ONE {
            return Err(SharedError::Refused(format!("{of_agent} of this agent are already waiting, {} in all", all.len())));
        }
        all.push(waiting);
        Ok(())
    }

    async fn list(&self) -> Result<Vec<Waiting>, SharedError> {
        Ok(self.0.lock().clone())
    }

    async fn remove(&self, agent: &str, signer: &str, ticket: &Ticket) -> Result<Option<Waiting>, SharedError> {
        let mut all = self.0.lock();
        let index = all.iter().position(|known| known.is(agent, signer, ticket));
        Ok(index.map(|index| all.remove(index)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::B256;
    use std::sync::Arc;

    fn waiting(agent: &str, ticket: &str) -> Waiting {
        Waiting::new(Ticket::new(ticket), agent, "wallet", B256::ZERO, Arc::default(), 0)
    }

    #[tokio::test]
    async fn a_ticket_is_listed_until_it_is_removed_once() {
        let list = WaitingList::default();
        for (agent, ticket) in [("a", "1"), ("b", "1"), ("a", "2"), ("a", "1")] {
            list.file(waiting(agent, ticket)).await.expect("room");
        }
        let ticket = Ticket::new("1");

        let (first, second) = (list.remove("b", "wallet", &ticket).await, list.remove("b", "wallet", &ticket).await);

        assert_eq!((first, second), (Ok(Some(waiting("b", "1"))), Ok(None)));
        assert_eq!(list.list().await.expect("a list"), [waiting("a", "2"), waiting("a", "1")], "filed again, it is one");
    }

    #[tokio::test]
    async fn no_agent_takes_all_the_room() {
        let list = WaitingList::default();
        for number in 0..MOST_OF_ONE {
            list.file(waiting("a", &number.to_string())).await.expect("room");
        }

        assert!(list.file(waiting("a", "one more")).await.is_err());
        list.file(waiting("b", "1")).await.expect("room for another");
        list.file(waiting("a", "7")).await.expect("it is there already");
    }
}
