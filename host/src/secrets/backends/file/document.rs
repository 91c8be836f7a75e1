//! What the file holds once it is open: secrets by path, each with its versions.

use super::super::{StoreError, Stored, VersionInfo};
use crate::format;
use crate::secrets::SecretValue;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// The only format there is so far.
const FORMAT: u64 = 1;
/// Versions kept of one secret; the oldest go first.
const MAX_VERSIONS: usize = 20;

/// All secrets of a file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    format: u64,
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
        // First of all: whatever else has changed by then, it is told as what it is.
        if let Some(newer) = format::of_json(text).and_then(|format| format::refused(format, FORMAT)) {
            return Err(newer);
        }
        let document = serde_json::from_slice(text).ok().filter(|document: &Self| document.format == FORMAT);
        document.ok_or_else(|| "it does not hold a list of secrets; restore a copy of it, such as the file ending in `.bak`".to_owned())
    }

    pub(super) fn text(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(serde_json::to_vec(self).expect("a document is JSON"))
    }

    /// The newest version that is not deleted, or the one of that number.
    pub(super) fn get(&self, path: &str, number: Option<u64>) -> Option<(u64, SecretValue)> {
        let mut in_use = self.secrets.get(path)?.iter().rev().filter(|version| !version.deleted);
        let version = in_use.find(|version| number.is_none_or(|number| number == version.number))?;
        let value = STANDARD.decode(version.value.as_bytes()).ok()?;
        Some((version.number, SecretValue::new(value)))
    }

    /// The number of the newest version, in use or not; 0 where there is none.
    pub(super) fn newest(&self, path: &str) -> u64 {
        self.secrets.get(path).and_then(|versions| versions.last()).map_or(0, |version| version.number)
    }

    /// Adds a version, if the newest one is the expected one (0 where there is none).
    pub(super) fn put(&mut self, path: &str, value: &[u8], expected: Option<u64>) -> Result<u64, StoreError> {
        let versions = self.secrets.entry(path.to_owned()).or_default();
        let newest = versions.last().map_or(0, |version| version.number);
        // What came after the version in use and is out of use was taken back: nothing is lost by writing over it.
        let in_use = versions.iter().rev().find(|version| !version.deleted).map_or(newest, |version| version.number);
        if let Some(expected) = expected.filter(|expected| ![newest, in_use].contains(expected)) {
            return Err(StoreError::Conflict { expected: expected.to_string(), found: newest.to_string() });
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
        let version = version.ok_or_else(|| StoreError::NotFound(format!("no version {number} of `{path}`")))?;
        if version.value.is_empty() {
            return Err(StoreError::NotFound(format!("version {number} of `{path}` was removed for good")));
        }
        version.deleted = deleted;
        Ok(())
    }

    /// Removes a version for good. Its number is not given again.
    pub(super) fn remove(&mut self, path: &str, number: u64) -> Result<(), StoreError> {
        let versions = self.secrets.get_mut(path).ok_or_else(|| StoreError::NotFound(format!("no secret `{path}`")))?;
        let version = versions.iter_mut().find(|version| version.number == number);
        let version = version.ok_or_else(|| StoreError::NotFound(format!("no version {number} of `{path}`")))?;
        version.deleted = true;
        version.value = Zeroizing::new(String::new());
        Ok(())
    }

    /// All secrets, without their values.
    pub(super) fn list(&self) -> Vec<Stored> {
        let stored = |(path, versions): (&String, &Vec<Version>)| {
            let current = versions.iter().rev().find(|version| !version.deleted).map(|version| version.number);
            let info = |version: &Version| VersionInfo {
                name: version.number.to_string(),
                created: version.created.clone(),
                stages: Vec::new(),
                current: current == Some(version.number),
                deleted: version.deleted,
            };
            Stored { path: path.clone(), versions: versions.iter().map(info).collect() }
        };
        self.secrets.iter().map(stored).collect()
    }
}
