//! What is known of a refresh token that several hosts may present: one JSON document, in the backend that keeps the token, below the paths
//! that no manifest can name. It is changed by compare-and-set alone.

use super::source::silent;
use crate::format;
use crate::policy::Reveal;
use crate::secrets::backends::{BackendError, Origin};
use crate::secrets::{Deposit, Entry, SecretStore, StoreError};
use crate::text::hex;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// The only format there is so far.
const FORMAT: u64 = 1;

/// What hosts know of the refresh token at an origin.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Document {
    format: u64,
    /// A refresh token that is being presented, or was when its host ended.
    #[serde(default)]
    pub(super) sent: Option<Sent>,
    /// Those that must not be presented again, the newest last.
    #[serde(default)]
    pub(super) over: Vec<Over>,
    /// The hash of one that was presented, and not replaced: it may be presented again.
    #[serde(default)]
    pub(super) reusable: Option<String>,
    /// The newest access token.
    #[serde(default)]
    pub(super) token: Option<Shared>,
}

/// Who presents a refresh token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sent {
    /// The hash of the token.
    pub(super) of: String,
    pub(super) host: String,
    /// What no other attempt has.
    pub(super) nonce: u64,
    /// Since when, in seconds since 1970.
    pub(super) at: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Over {
    /// Its hash.
    pub(super) of: String,
    pub(super) why: Why,
    /// For whom: another client may well present what was not this one's.
    pub(super) spec: String,
}

/// Why a refresh token must not be presented again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Why {
    /// Its server takes it no more.
    Refused,
    /// It was presented, and no response came: it may have been replaced by one that nobody knows.
    Lost,
}

/// An access token that hosts share.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Shared {
    pub(super) value: Zeroizing<String>,
    /// When it was given, in seconds since 1970.
    pub(super) at: u64,
    pub(super) expires_at: Option<u64>,
    /// For whom: the hash of what was asked for.
    pub(super) spec: String,
    /// The hash of the refresh token that is to be presented next.
    pub(super) of: String,
}

/// Most refresh tokens that are remembered as over.
const MOST_OVER: usize = 4;

/// What was said of the tokens before a login.
#[cfg(feature = "ops")]
pub(crate) struct SoFar(Document);

/// Where the document is kept.
pub(crate) struct Journal<'o> {
    store: &'o dyn SecretStore,
    at: Entry,
}

impl Document {
    /// The same with a claim.
    pub(super) fn claimed(&self, sent: Sent) -> Self {
        Self { sent: Some(sent), ..self.clone() }
    }

    pub(super) fn put_over(&mut self, over: Over) {
        self.over.push(over);
        let excess = self.over.len().saturating_sub(MOST_OVER);
        self.over.drain(..excess);
    }
}

/// The hash of a refresh token, by which documents name it: they lie beside the token itself.
pub(super) fn hash(token: &[u8]) -> String {
    hex(&Sha256::new().chain_update(b"strongroom refresh token\0").chain_update(token).finalize()[..12])
}

impl<'o> Journal<'o> {
    pub(crate) fn of(origin: &'o Origin) -> Option<Self> {
        let store = origin.from.backend.store()?;
        // Without the backend's name, which is each host's own.
        let name = hex(&Sha256::digest(origin.entry.to_string())[..12]);
        Some(Self { store, at: store.journal_entry(&format!("oauth2-{name}")) })
    }

    /// The document, with the version to write it over.
    pub(super) async fn read(&self) -> Result<(Document, String), StoreError> {
        let found = match self.within(self.store.get(&self.at)).await {
            Ok(found) => found,
            Err(BackendError::NotFound { .. }) => {
                return Ok((Document::default(), self.within(self.store.newest(&self.at.path)).await?));
            }
            Err(error) => return Err(error.into()),
        };
        let broken = |why: &str| StoreError::Unavailable(format!("the journal at {}: {why}", self.at));
        let version = found.version.clone().ok_or_else(|| broken("its backend keeps no versions"))?;
        let value = match &self.at.field {
            None => found.value,
            Some(field) => found.value.field(field).map_err(|_| broken("it has no such field"))?,
        };
        let text = value.reveal(Reveal::to_exchange());
        if let Some(newer) = format::of_json(text).and_then(|format| format::refused(format, FORMAT)) {
            return Err(broken(&newer));
        }
        let document = serde_json::from_slice(text).ok().filter(|document: &Document| document.format == FORMAT);
        Ok((document.ok_or_else(|| broken("what is there is not a journal; remove it"))?, version))
    }

    /// The same, made where there is none: not every server makes one only once where two ask for it at the same time.
    pub(super) async fn made(&self) -> Result<(Document, String), StoreError> {
        let (document, version) = self.read().await?;
        if document.format != 0 {
            return Ok((document, version));
        }
        match self.write(&document, &version).await {
            Ok(_) | Err(StoreError::Conflict { .. }) => self.read().await,
            Err(error) => Err(error),
        }
    }

    pub(super) async fn write(&self, document: &Document, over: &str) -> Result<String, StoreError> {
        let document = Document { format: FORMAT, ..document.clone() };
        let text = Zeroizing::new(serde_json::to_vec(&document).map_err(|error| StoreError::Unavailable(error.to_string()))?);
        self.within(self.store.put(&self.at, Deposit::new(text.to_vec()), Some(over))).await
    }

    /// What is said of the tokens so far, before a login brings the next; nothing, where that can't be read.
    #[cfg(feature = "ops")]
    pub(crate) async fn so_far(&self) -> SoFar {
        SoFar(self.read().await.map(|(document, _)| document).unwrap_or_default())
    }

    /// Forgets that: a person has logged in. What has been written since stays, as hosts may be presenting the next already.
    #[cfg(feature = "ops")]
    pub(crate) async fn begin_anew(&self, SoFar(before): &SoFar) -> Result<(), StoreError> {
        for _ in 0..4 {
            let (mut document, version) = self.read().await?;
            if document.format == 0 {
                return Ok(());
            }
            document.sent = document.sent.filter(|sent| before.sent.as_ref() != Some(sent));
            document.over.retain(|over| !before.over.contains(over));
            let anew = Document { sent: document.sent, over: document.over, ..Document::default() };
            match self.write(&anew, &version).await {
                Err(StoreError::Conflict { .. }) => {}
                written => return written.map(drop),
            }
        }
        Err(StoreError::Unavailable(format!("the journal at {} is written all the time", self.at)))
    }

    async fn within<T, E: From<BackendError>>(&self, call: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let patience = self.store.patience();
        tokio::time::timeout(patience, call).await.unwrap_or_else(|_| Err(silent(&self.at.to_string()).into()))
    }
}

#[cfg(all(test, feature = "ops", feature = "file"))]
mod tests {
    use super::*;
    use crate::secrets::backends::{Bounds, Configured, FileBackend, FileKey};
    use std::sync::Arc;
    use std::time::Duration;

    fn origin(directory: &std::path::Path) -> Origin {
        FileKey::create_identity(&directory.join("key")).expect("a key");
        let backend = FileBackend::new(directory.join("secrets.age"), FileKey::identity_file(&directory.join("key")).expect("a key"));
        backend.create().expect("a file");
        let second = Duration::from_secs(1);
        let from =
            Configured { name: "file".to_owned(), backend: Arc::new(backend), bounds: Bounds::none(), stale: second, settled: second };
        Origin { from, entry: Entry::new("bot/KEY") }
    }

    /// A host that runs may have the next token as soon as it is there.
    #[tokio::test]
    async fn a_login_leaves_the_claim_of_the_token_that_it_brought() {
        let directory = tempfile::tempdir().expect("a directory");
        let origin = origin(directory.path());
        let journal = Journal::of(&origin).expect("a store");
        let claim = |of: &str, nonce| Sent { of: of.to_owned(), host: "host".to_owned(), nonce, at: 1 };
        let over = |of: &str| Over { of: of.to_owned(), why: Why::Lost, spec: String::new() };
        let (made, version) = journal.made().await.expect("a journal");
        let mut of_before = made.claimed(claim("before", 1));
        of_before.put_over(over("before"));
        of_before.reusable = Some("before".to_owned());
        let version = journal.write(&of_before, &version).await.expect("written");

        let before = journal.so_far().await;
        let mut of_next = of_before.claimed(claim("next", 2));
        of_next.put_over(over("next"));
        journal.write(&of_next, &version).await.expect("written");
        journal.begin_anew(&before).await.expect("written");

        let (now, _) = journal.read().await.expect("read");
        assert_eq!((now.sent, now.over, now.reusable), (Some(claim("next", 2)), vec![over("next")], None));
        journal.begin_anew(&journal.so_far().await).await.expect("written");
        let (now, _) = journal.read().await.expect("read");
        assert_eq!((now.sent, now.over), (None, vec![]));
    }
}
