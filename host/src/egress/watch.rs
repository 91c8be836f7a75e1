//! What a request's body is watched for while it flows: another method, placeholders, what was kept of it, and secrets.

use super::exchange::Exchange;
use super::request_body::{Edits, Watch};
use super::{Error, Outbound};
use crate::audit::Event;
use crate::manifest::Treatment;
use crate::policy::{Overrides, Permit, Policy};
use crate::session::NoRecord;
use std::sync::Arc;

impl Outbound {
    /// Records that a placeholder stands in a body as text.
    pub(super) fn note_inert(&self, request: u64, secret: usize) -> Result<(), NoRecord> {
        let name = self.session.keyring.get(secret).map(|key| key.name.as_str()).unwrap_or_default();
        self.session.record(Event::InertPlaceholder { request, secret: name.into() })
    }

    /// Watches a body for another method and for placeholders, across the borders of its pieces.
    pub(super) fn watch(
        self: &Arc<Self>,
        permit: Arc<Permit>,
        number: u64,
        exchange: &Exchange,
        keeps: bool,
        mut overrides: Option<Overrides>,
    ) -> Watch {
        let (judged, outbound) = (Arc::clone(&permit), Arc::clone(self));
        let mut tail: Vec<u8> = Vec::new();
        // What was judged as a whole was searched for placeholders then.
        let mut noted = permit.fills_body();
        let inspect = move |piece: &[u8]| {
            let session = &outbound.session;
            session.still_admits(&judged)?;
            if !piece.is_empty() && !judged.may_have_body() {
                return Err(session.deny(Policy::body_denied(&judged)).into());
            }
            if overrides.as_mut().is_some_and(|overrides| overrides.push(piece)) {
                overrides = None;
                return Err(session.deny(Policy::override_denied(&judged)).into());
            }
            if keeps {
                outbound.sent().add(number, piece);
            }
            let placeholders = &session.keyring.placeholders;
            let overlap = placeholders.overlap();
            if noted || overlap == 0 {
                return Ok(());
            }
            tail.extend_from_slice(&piece[..piece.len().min(overlap)]);
            let found = placeholders.within(&tail).or_else(|| placeholders.within(piece));
            let kept = if piece.len() >= overlap { piece.len() - overlap } else { 0 };
            if piece.len() >= overlap {
                tail.clear();
                tail.extend_from_slice(&piece[kept..]);
            } else {
                let excess = tail.len().saturating_sub(overlap);
                tail.drain(..excess);
            }
            let Some(secret) = found else { return Ok(()) };
            noted = true;
            if let Some(denial) = session.policy.judge_body(&judged, secret) {
                return Err(session.deny(denial).into());
            }
            outbound.note_inert(number, secret).map_err(Error::from)?;
            Ok(())
        };
        let session = Arc::clone(&self.session);
        let leaked = move |kinds: Vec<String>, edits: Edits| {
            let place = match edits {
                Edits::Possible => None,
                Edits::Signed => Some("body, which is signed, so that nothing can be taken out of it,"),
                Edits::TooLate => Some(
                    "body, which is longer than 64 KiB and is sent with the length or the checksum that the agent declared, so that nothing can be taken out of it,",
                ),
            };
            if let Some(place) = place {
                return Err(session.deny(Policy::leak(&permit, &kinds.join(", "), place)).into());
            }
            if permit.leaks().treatment != Treatment::Redact {
                return Err(session.deny(Policy::leak(&permit, &kinds.join(", "), "body")).into());
            }
            session.record(Event::LeakRedacted { request: number, kinds: (&kinds).into() }).map_err(Error::from)?;
            Ok(())
        };
        let (meter, exchange) = (Arc::clone(&self.session.meter), exchange.counters());
        Watch { meter, exchange, inspect: Box::new(inspect), leaked: Box::new(leaked) }
    }
}
