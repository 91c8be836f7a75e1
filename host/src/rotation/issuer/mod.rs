//! Who makes and revokes keys. One trait, one file for each kind of issuer.

mod http;

pub use http::HttpIssuer;
pub(crate) use http::expires_at;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;
use zeroize::Zeroizing;

/// A key, as its issuer knows it. It never prints.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuedKey {
    value: Zeroizing<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<u64>,
}

/// A key that an issuer lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ListedKey {
    /// The issuer's name for it. It is not a key.
    pub id: String,
}

impl ListedKey {
    /// A key by the issuer's name for it.
    #[must_use]
    pub fn new(id: impl Into<String>) -> Self {
        Self { id: id.into() }
    }
}

/// What became of a key that was to be revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Revoked {
    /// The issuer has revoked it.
    Done,
    /// The issuer knows no such key. Only a probe can say whether it works.
    NotFound,
}

/// Whether a key works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Probe {
    /// It works; until when, in seconds since 1970-01-01T00:00:00Z, where the issuer says so.
    Works {
        /// Its end.
        expires_at: Option<u64>,
    },
    /// The issuer rejects it. If it may be rejecting every key at the moment, return an error instead.
    Rejected,
}

/// Why an issuer did not do what was asked. No message holds a key, or text of the issuer's own.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IssuerError {
    /// It has answered, and will not do it.
    #[error("{0}")]
    Refused(String),
    /// It has done nothing, and may do it later.
    #[error("{why}")]
    Later {
        /// Why.
        why: String,
        /// How long it asks to be left alone.
        after: Option<Duration>,
    },
    /// It may have done it, or not.
    #[error("{0}")]
    Unknown(String),
}

/// Makes and revokes keys. Each call ends within the rotation's `timeout`, or its outcome counts as unknown.
#[async_trait]
pub trait Issuer: Send + Sync {
    /// Makes a key; `current` keeps working alongside it.
    ///
    /// # Errors
    /// [`IssuerError`]; [`IssuerError::Unknown`] wherever there might be a key that the host does not have.
    async fn issue(&self, current: &IssuedKey) -> Result<IssuedKey, IssuerError>;

    /// Revokes a key, in a call that is made with another one.
    ///
    /// # Errors
    /// [`IssuerError`].
    async fn revoke(&self, key: &IssuedKey, with: &IssuedKey) -> Result<Revoked, IssuerError>;

    /// Tests a key with a call that changes nothing.
    ///
    /// # Errors
    /// [`IssuerError`], where it can't be told whether the key works.
    async fn probe(&self, key: &IssuedKey) -> Result<Probe, IssuerError>;

    /// The keys that work, by their names. `None` where the issuer has no list.
    ///
    /// # Errors
    /// [`IssuerError`].
    async fn list(&self, with: &IssuedKey) -> Result<Option<Vec<ListedKey>>, IssuerError>;

    /// Revokes a key that is known only from the issuer's list.
    ///
    /// # Errors
    /// [`IssuerError`].
    async fn revoke_listed(&self, key: &ListedKey, with: &IssuedKey) -> Result<Revoked, IssuerError> {
        let _ = (key, with);
        Err(IssuerError::Refused("the issuer can't revoke a key by its name alone".to_owned()))
    }

    /// Whether a key is revoked by the issuer's name for it, so that the first key's name has to be configured.
    fn needs_id(&self) -> bool {
        false
    }

    /// How the call that makes a key is written, for people.
    fn shown(&self) -> String {
        "the issuer".to_owned()
    }

    /// Whether it is called with credentials other than the key in use: then a key that no longer works can still be replaced.
    fn has_own_credential(&self) -> bool {
        false
    }

    /// The calls that agents can't make, each as an origin with a path: `https://HOST:PORT/PATH`, with `*` for any text within a
    /// segment.
    fn closed(&self) -> Vec<String> {
        Vec::new()
    }

    /// The header of its responses that says when a key expires.
    fn expiry_header(&self) -> Option<::http::HeaderName> {
        None
    }
}

impl IssuedKey {
    /// A key about which nothing else is known.
    #[must_use]
    pub fn new(value: impl Into<String>) -> Self {
        Self { value: Zeroizing::new(value.into()), id: None, expires_at: None }
    }

    /// The same with the issuer's name for it.
    #[must_use]
    pub fn with_id(mut self, id: Option<String>) -> Self {
        self.id = id;
        self
    }

    /// The same with its expiry time, in seconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn with_end(mut self, expires_at: Option<u64>) -> Self {
        self.expires_at = expires_at;
        self
    }

    /// The key itself, for the call that it is for.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.value
    }

    /// The issuer's name for it.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// When it expires, in seconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn expires_at(&self) -> Option<u64> {
        self.expires_at
    }

    pub(crate) fn is(&self, other: &Self) -> bool {
        self.value == other.value
    }

    pub(crate) fn copy(&self) -> Self {
        Self { value: self.value.clone(), id: self.id.clone(), expires_at: self.expires_at }
    }
}

impl fmt::Debug for IssuedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuedKey").field("id", &self.id).field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}
