//! A signature that waits for somebody's decision: recorded, and filed for those who decide.

use super::{Asked, Failure};
use crate::audit::Event;
use crate::keys::Ticket;
use crate::shared::{Waiting, within};
use alloy_primitives::B256;
use std::sync::Arc;

impl Asked {
    /// Files a ticket and records it; gives what the request comes to. What it would spend stays reserved, filed or not.
    pub(super) async fn pending(&self, ticket: Ticket, digest: B256, lines: &Arc<[String]>) -> Failure {
        let signer = &self.signer.granted.spec.name;
        let mut reason = format!("it waits for a decision, under the ticket {}", crate::text::for_people(ticket.as_str()));
        let waiting = Waiting::new(ticket, &self.signer.agent, signer, digest, Arc::clone(lines), self.signing.now());
        if let Err(why) = within(self.signing.tickets.file(waiting)).await {
            reason.push_str(&format!(", which could not be filed: {}", crate::text::for_people(&why.to_string())));
        }
        let event = Event::SignerFailed { signer: signer.into(), reason: reason.into(), spent: true };
        match self.journal.record(event) {
            Ok(_) => Failure::Pending,
            Err(_) => Failure::NoRecord,
        }
    }
}
