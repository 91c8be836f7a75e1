//! What responses to guests show about a key: that it expires, or that it is rejected. This makes the host look for itself, at most once a
//! minute, and does nothing else.

use super::Rotation;
use super::document::Document;
use super::issuer::{IssuedKey, Probe, expires_at};
use crate::url::CanonicalUrl;
use http::{HeaderMap, StatusCode};
use std::time::Duration;

/// Least time between two looks that answers to guests give rise to.
const SUSPICION: Duration = Duration::from_secs(60);
/// Ends of a key that are so close to each other, in seconds, count as the same: they are told as what is left, to the second.
const SAME_END: u64 = 120;

/// What an answer of the issuer's host to a guest has shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Signal {
    /// The key ends then, in seconds since 1970.
    Ends(u64),
    /// The key was rejected.
    Rejected,
}

/// What has been seen, and when it was last looked into.
#[derive(Debug, Default)]
pub(super) struct Signals {
    waiting: Option<Signal>,
    looked: Option<Duration>,
    known_end: Option<u64>,
    /// Whether the operator was told that the key in use is rejected.
    rejection_told: bool,
}

impl Signals {
    /// Notes when the key ends, as far as its journal says so.
    pub(super) fn knows_end(&mut self, at: Option<u64>) {
        self.known_end = at;
    }

    /// Takes note of a signal. False where it is no news, or comes too soon after the last look.
    fn take_note(&mut self, signal: Signal, now: Duration) -> bool {
        let is_news = match signal {
            Signal::Ends(at) => self.known_end.is_none_or(|known| known.abs_diff(at) > SAME_END),
            Signal::Rejected => true,
        };
        let in_time = self.looked.is_none_or(|looked| now.saturating_sub(looked) >= SUSPICION);
        let is_noted = is_news && in_time && self.waiting.is_none();
        if is_noted {
            self.waiting = Some(signal);
        }
        is_noted
    }

    /// Whether something is to be looked into, which is done from now on.
    fn begin_look(&mut self, now: Duration) -> bool {
        let is_due = self.waiting.take().is_some();
        if is_due {
            self.looked = Some(now);
        }
        is_due
    }
}

impl Rotation {
    /// Takes note of what the issuer's host has answered to a guest.
    pub(crate) fn seen(&self, url: &CanonicalUrl, status: StatusCode, headers: &HeaderMap) {
        if !self.closed.is_at(url) {
            return;
        }
        let told = self.issuer.expiry_header().and_then(|name| headers.get(name)?.to_str().ok().and_then(expires_at));
        if let Some(at) = told {
            self.signal(Signal::Ends(at));
        }
        if status == StatusCode::UNAUTHORIZED {
            self.signal(Signal::Rejected);
        }
    }

    fn signal(&self, signal: Signal) {
        if self.signals.lock().take_note(signal, self.clock.now()) {
            self.woken.notify_one();
        }
    }

    /// Looks into what answers to guests have shown, by a probe of the host's own with the key that the store holds now. What a rotation is to
    /// be begun for, if that shows one to be due.
    pub(super) async fn confirmed(&self, document: &Document) -> Option<String> {
        if !self.signals.lock().begin_look(self.clock.now()) {
            return None;
        }
        let key = IssuedKey::new(self.sites.first()?.read().await.ok()?.value.as_str());
        match self.call(self.issuer.probe(&key)).await.ok()? {
            Probe::Works { expires_at } => {
                self.signals.lock().rejection_told = false;
                if let Some(at) = expires_at {
                    self.note_end(document, &key, at).await;
                }
                None
            }
            Probe::Rejected if self.issuer.has_own_credential() => Some("the issuer rejects it".to_owned()),
            Probe::Rejected => {
                // With a key that no longer works no other can be made: an operator has to set one.
                let was_told = std::mem::replace(&mut self.signals.lock().rejection_told, true);
                if !was_told {
                    self.alert(
                        document.number,
                        "the issuer rejects the key in use, without which it makes no other: set a new one by hand",
                    );
                }
                None
            }
        }
    }

    async fn note_end(&self, document: &Document, key: &IssuedKey, at: u64) {
        let print = self.print(key.reveal());
        let Some(current) = document.current.as_ref().filter(|current| current.print == print) else {
            return self.first_seen(Some(at)).await;
        };
        if current.expires_at.is_some_and(|known| known.abs_diff(at) <= SAME_END) {
            return;
        }
        let noted = self.journal.note(|document| {
            let Some(current) = document.current.as_mut().filter(|current| current.print == print) else { return false };
            current.expires_at.replace(at) != Some(at)
        });
        if noted.await.is_ok() {
            // What is due by it is found at the next look, which is now.
            self.signals.lock().knows_end(Some(at));
            self.woken.notify_one();
        }
    }
}
