//! What an agent keeps over its runs, for whoever looks at it or takes it out.

use super::{Failed, Kind, rules};
use crate::host::state_path;
use crate::keyvalue::{Bucket, Listed};
use crate::manifest::HostConfig;
use crate::scrub::{Scrubber, Search};
use crate::state::StateDir;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use std::sync::Arc;

/// The state of one agent, where the hosts of a configuration keep it. No host has to run; one that does sees each change at once.
pub struct AgentState {
    agent: String,
    bucket: Bucket,
    scrubber: Scrubber,
}

/// A key of an agent's state. Its text is the agent's: escape it before a terminal gets it ([`crate::text::for_people`]).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct KeptKey {
    /// The key.
    pub key: String,
    /// Bytes of its value.
    pub size: u64,
    /// When it was written (RFC 3339).
    pub written: String,
}

/// A value of an agent's state, without what the rules take for a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum KeptValue {
    /// Text. It is the agent's, as the key is.
    Value(String),
    /// What is no text, in base64.
    Base64(String),
}

impl AgentState {
    /// The state of the agent of that name.
    ///
    /// # Errors
    /// [`Failed`] where the name is none, or the state directory can't be used.
    pub fn of(config: &HostConfig, agent: &str) -> Result<Self, Failed> {
        super::named::agent(agent)?;
        let scrubber = Scrubber::new(Arc::new(Search::new(Vec::new(), Some(rules(config)?))), Vec::new());
        let failed = |error| {
            Failed::new(Kind::State, format!("the state directory can't be used: {error}; set `[state] dir` in the host configuration"))
        };
        let unknown = || failed(std::io::Error::other("neither XDG_STATE_HOME nor HOME is set"));
        let path = state_path(config).ok_or_else(unknown)?;
        let bucket = StateDir::open(&path).and_then(|state| Bucket::of(&state, agent)).map_err(failed)?;
        Ok(Self { agent: agent.to_owned(), bucket, scrubber })
    }

    /// Its keys, in order.
    ///
    /// # Errors
    /// [`Failed`] where it can't be read.
    pub fn keys(&self) -> Result<Vec<KeptKey>, Failed> {
        let all = self.bucket.list().map_err(|error| self.unusable(&error))?;
        Ok(all.into_iter().map(KeptKey::of).collect())
    }

    /// The value of a key, if it is there.
    ///
    /// # Errors
    /// [`Failed`] where it can't be read.
    pub fn value(&self, key: &str) -> Result<Option<KeptValue>, Failed> {
        let value = self.bucket.get(key).map_err(|error| self.unusable(&error))?;
        Ok(value.map(|value| {
            let bytes = self.scrubber.scrub(&value.bytes).unwrap_or(value.bytes);
            String::from_utf8(bytes).map_or_else(|binary| KeptValue::Base64(STANDARD.encode(binary.as_bytes())), KeptValue::Value)
        }))
    }

    /// Takes one key out. Returns whether it was there.
    ///
    /// # Errors
    /// [`Failed`] where it can't be written.
    pub fn clear_key(&self, key: &str) -> Result<bool, Failed> {
        self.bucket.remove(key).map_err(|error| self.unusable(&error))
    }

    /// Takes everything out. A state that is damaged is whole again afterwards, and empty.
    ///
    /// # Errors
    /// [`Failed`] where it can't be written.
    pub fn clear(&self) -> Result<(), Failed> {
        self.bucket.clear().map_err(|error| self.unusable(&error))
    }

    fn unusable(&self, error: &std::io::Error) -> Failed {
        Failed::new(Kind::State, format!("the state of `{}` can't be used: {error}", self.agent))
    }
}

impl KeptKey {
    fn of(listed: Listed) -> Self {
        let Listed { key, size, written } = listed;
        let written = jiff::Timestamp::from_millisecond(i64::try_from(written).unwrap_or(i64::MAX)).unwrap_or(jiff::Timestamp::MAX);
        Self { key, size, written: format!("{written:.3}") }
    }
}
