//! The journal of a rotation: one document, kept in the backend that keeps the secret, so that whoever comes next can continue. It is
//! changed only by compare-and-set, and by one holder at a time, whose fencing number grows with each change of hands.
//!
//! No manifest can name it.

use super::document::Document;
use super::plaintext;
use crate::clock::Clock;
use crate::secrets::{Entry, Found, SecretBackend, SecretStore, StoreError};
use std::sync::Arc;
use std::time::Duration;

/// How often a change is tried where others change the document too, or the store does not answer.
pub(super) const ATTEMPTS: u32 = 8;
/// How long is waited before the first repetition.
const PAUSE: Duration = Duration::from_millis(20);

/// Where the document is kept.
#[derive(Clone)]
pub(crate) struct Journal {
    backend: Arc<dyn SecretBackend>,
    entry: Entry,
    pub(super) clock: Clock,
}

/// Why a change was not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unwritten {
    /// Another host goes on with the rotation.
    #[error("another host has taken over the rotation")]
    Fenced,
    /// The store can't be written.
    #[error("the journal can't be written: {0}")]
    Store(String),
}

impl Journal {
    /// The journal of a rotation, in the store that keeps its secret.
    pub(super) fn of(backend: Arc<dyn SecretBackend>, rotation: &str, clock: Clock) -> Option<Self> {
        let entry = backend.store()?.journal_entry(rotation);
        Some(Self { backend, entry, clock })
    }

    fn store(&self) -> &dyn SecretStore {
        self.backend.store().expect("a journal is made over a store")
    }

    /// The document, with its version; an empty one where there is none.
    pub(super) async fn read(&self) -> Result<(Document, String), StoreError> {
        match self.store().get(&self.entry).await.map_err(StoreError::from) {
            Ok(found) => opened(&self.entry, found),
            Err(StoreError::NotFound(_)) => Ok((Document::empty(), self.newest().await?)),
            Err(error) => Err(error),
        }
    }

    /// The document, which is made where there is none, with nobody in it: not every server makes one only once where two ask for it at the
    /// same time (OpenBao 2.7 does not), and whoever comes first must not be overwritten by whoever comes second.
    pub(super) async fn made(&self) -> Result<(Document, String), StoreError> {
        let (document, version) = self.read().await?;
        if !document.is_new() {
            return Ok((document, version));
        }
        match self.write(&document, &version).await {
            Err(error) if !may_pass(&error) => return Err(error),
            _ => pause(&mut 0).await,
        }
        self.read().await
    }

    async fn newest(&self) -> Result<String, StoreError> {
        self.store().newest(&self.entry.path).await
    }

    pub(super) async fn write(&self, document: &Document, expected: &str) -> Result<String, StoreError> {
        self.store().put(&self.entry, document.deposit(), Some(expected)).await
    }

    /// Makes a change that whoever uses the key may make at any time: it is repeated until it has been made. False where there was nothing
    /// to change.
    pub(super) async fn note(&self, mut change: impl FnMut(&mut Document) -> bool) -> Result<bool, StoreError> {
        let mut attempt = 0;
        loop {
            let (mut document, version) = self.made().await?;
            if !change(&mut document) {
                return Ok(false);
            }
            document.notes += 1;
            document.trim();
            match self.write(&document, &version).await {
                Ok(_) => return Ok(true),
                Err(error) if attempt == ATTEMPTS || !may_pass(&error) => return Err(error),
                Err(_) => pause(&mut attempt).await,
            }
        }
    }
}

/// The document in what was found at a journal's entry, with its version.
fn opened(entry: &Entry, found: Found) -> Result<(Document, String), StoreError> {
    let broken = |why: String| StoreError::Unavailable(format!("the rotation's journal at {entry}: {why}"));
    let field = entry.field.as_deref();
    let no_text = || broken(field.map_or_else(|| "it isn't text".to_owned(), |field| format!("it has no text in `{field}`")));
    let text = plaintext::of(found.value, field).ok_or_else(no_text)?;
    let document = Document::read(&text).map_err(broken)?;
    let version = found.version.ok_or_else(|| broken("its backend keeps no versions".to_owned()))?;
    Ok((document, version))
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

pub(super) fn may_pass(error: &StoreError) -> bool {
    matches!(error, StoreError::Conflict { .. } | StoreError::Unavailable(_))
}

pub(super) async fn pause(attempt: &mut u32) {
    // Others who have met the same conflict do not come back at the same moment.
    let jitter = getrandom::u64().unwrap_or_default() % 20;
    tokio::time::sleep(PAUSE * 2u32.pow((*attempt).min(5)) + Duration::from_millis(jitter)).await;
    *attempt += 1;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::SecretValue;

    #[test]
    fn a_journal_that_no_host_has_written_is_refused_by_its_name_with_what_to_do() {
        let under_way = r#"{"begun":1,"trigger":"by hand","stage":"drained","places":["file:bot"],"issuer":"the issuer","old":{"value":"key-of-before"}}"#;
        let text = format!(r#"{{"format":1,"under_way":{under_way}}}"#);
        let found = Found { version: Some("7".to_owned()), ..Found::value(SecretValue::new(text)) };

        let refused = opened(&Entry::new("strongroom/rotation/bot"), found).err().map(|error| error.to_string());

        assert_eq!(
            refused.as_deref(),
            Some(
                "the rotation's journal at strongroom/rotation/bot: a rotation is under way at `drained`, and there is no new key, which no \
                 host writes: restore the version before it in the store that keeps it, or remove it there and revoke every key at the \
                 issuer but the one in use"
            )
        );
    }
}
