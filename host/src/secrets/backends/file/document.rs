//! What the file holds once it is open: secrets by path, each with its versions.

use super::super::{StoreError, VersionInfo};
use crate::secrets::SecretValue;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// The only format there is so far.
const FORMAT: u32 = 1;
/// Versions kept of one secret; the oldest go first.
const MAX_VERSIONS: usize = 20;

/// All secrets of a file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    format: u32,
    secrets: BTreeMap<String, Vec<Version>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Version {
    number: u64,
    /// RFC 3339.
    created: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    deleted: bool,
    /// Base64.
    value: Zeroizing<String>,
}

impl Document {
    pub(super) fn new() -> Self {
        Self { format: FORMAT, secrets: BTreeMap::new() }
    }

    /// Reads the text of a file; the error says nothing of what is in it.
    pub(super) fn read(text: &[u8]) -> Result<Self, String> {
        let document: Self = serde_json::from_slice(text).map_err(|_| "what it holds is no list of secrets".to_owned())?;
        if document.format != FORMAT {
            return Err(format!("it is of format {}; this host knows format {FORMAT}", document.format));
        }
        Ok(document)
    }

    pub(super) fn text(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(serde_json::to_vec(self).expect("a document is JSON"))
    }

    /// The newest version that is not deleted.
    pub(super) fn current(&self, path: &str) -> Option<SecretValue> {
        let version = self.secrets.get(path)?.iter().rev().find(|version| !version.deleted)?;
        STANDARD.decode(version.value.as_bytes()).ok().map(SecretValue::new)
    }

    /// Adds a version, if the newest one is the expected one (0 where there is none).
    pub(super) fn put(&mut self, path: &str, value: &[u8], expected: Option<u64>) -> Result<u64, StoreError> {
        let versions = self.secrets.entry(path.to_owned()).or_default();
        let newest = versions.last().map_or(0, |version| version.number);
        if let Some(expected) = expected.filter(|expected| *expected != newest) {
            return Err(StoreError::Conflict { expected, found: newest });
        }
        let created = jiff::Timestamp::now().round(jiff::Unit::Second).unwrap_or_default().to_string();
        versions.push(Version { number: newest + 1, created, deleted: false, value: Zeroizing::new(STANDARD.encode(value)) });
        let excess = versions.len().saturating_sub(MAX_VERSIONS);
        versions.drain(..excess);
        Ok(newest + 1)
    }

    /// Marks a version as deleted, or takes the mark back.
    pub(super) fn mark(&mut self, path: &str, number: u64, deleted: bool) -> Result<(), StoreError> {
        let versions = self.secrets.get_mut(path).ok_or_else(|| StoreError::NotFound(format!("no secret `{path}`")))?;
        let version = versions.iter_mut().find(|version| version.number == number);
        version.ok_or_else(|| StoreError::NotFound(format!("no version {number} of `{path}`")))?.deleted = deleted;
        Ok(())
    }

    pub(super) fn versions(&self) -> impl Iterator<Item = (&str, Vec<VersionInfo>)> {
        self.secrets.iter().map(|(path, versions)| {
            let info =
                |version: &Version| VersionInfo { number: version.number, created: version.created.clone(), deleted: version.deleted };
            (path.as_str(), versions.iter().map(info).collect())
        })
    }
}
