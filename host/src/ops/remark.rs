//! What a check has to say, each with its place and the kind of thing it is.

use crate::host::LoadError;
use crate::manifest::{Diagnostic, ReadError};
use serde::Serialize;
use std::fmt;

/// Something that is wrong, or may be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Remark {
    /// What kind of thing.
    pub about: About,
    /// The file.
    pub file: String,
    /// Where in it, as far as that is known.
    pub at: Option<Spot>,
    /// The finding and the remedy. Never a value.
    pub message: String,
}

/// A place in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Spot {
    /// A line, from 1.
    Line(usize),
    /// A line and a column, both from 1; the column counts characters.
    Column(usize, usize),
    /// A byte, from 0, of what is no text.
    Byte(usize),
}

/// What a remark is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum About {
    /// A manifest that can't be used.
    Manifest,
    /// A component that can't.
    Component,
    /// A secret in a manifest.
    SecretInManifest,
    /// A secret in a component.
    SecretInComponent,
    /// A secret in a file that git tracks.
    SecretInTrackedFile,
    /// A secret or a key that can't be fetched.
    SecretUnavailable,
    /// A value that may be used longer than it works.
    StaleValue,
    /// A scheme that writes, and can't, or not often.
    SchemeWrites,
    /// A wildcard that covers the names of strangers.
    WildcardHost,
    /// A name of an agent, or a path that callers ask for, which another manifest has too.
    SharedName,
}

impl About {
    /// All there are.
    pub const ALL: [Self; 10] = [
        Self::Manifest,
        Self::Component,
        Self::SecretInManifest,
        Self::SecretInComponent,
        Self::SecretInTrackedFile,
        Self::SecretUnavailable,
        Self::StaleValue,
        Self::SchemeWrites,
        Self::WildcardHost,
        Self::SharedName,
    ];

    /// Its name: words of small letters and hyphens.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Manifest => "manifest",
            Self::Component => "component",
            Self::SecretInManifest => "secret-in-manifest",
            Self::SecretInComponent => "secret-in-component",
            Self::SecretInTrackedFile => "secret-in-tracked-file",
            Self::SecretUnavailable => "secret-unavailable",
            Self::StaleValue => "stale-value",
            Self::SchemeWrites => "scheme-writes",
            Self::WildcardHost => "wildcard-host",
            Self::SharedName => "shared-name",
        }
    }

    /// What is wrong, and what to do, for whoever sees the first one.
    #[must_use]
    pub fn help(self) -> (&'static str, &'static str) {
        match self {
            Self::Manifest => {
                ("The manifest can't be used", "The message says what to write instead. Each key is described in docs/manifest.md.")
            }
            Self::Component => (
                "The component can't be used",
                "Build the agent again, or correct `component` in the manifest. `strongroom inspect` lists what a component imports.",
            ),
            Self::SecretInManifest => (
                "A manifest holds what looks like a secret",
                "Keep it in a backend, and replace it at its issuer if others could read it. Where it is no secret, `--allow RULE` lets it pass.",
            ),
            Self::SecretInComponent => (
                "A component holds what looks like a secret",
                "An agent can read its own code. Declare a `[secrets.NAME]`, use its placeholder, and replace the secret at its issuer. Where it is \
                 no secret, `--allow RULE` lets it pass.",
            ),
            Self::SecretInTrackedFile => (
                "A file that git tracks holds what looks like a secret",
                "Replace the secret where it was issued, then take the file out of version control (`git rm --cached`). Where it is no secret, \
                 `--allow RULE` lets it pass.",
            ),
            Self::SecretUnavailable => (
                "A secret or a key can't be fetched",
                "The message says where it was looked for. `strongroom secrets set` adds one; docs/credentials.md describes each backend.",
            ),
            Self::StaleValue => (
                "A value may be used longer than it works",
                "Lower `cache` of the backend below `overlap` of the secret, so that a run has the new value while the old one still works.",
            ),
            Self::SchemeWrites => (
                "A scheme writes beside its secret, and the backend does not take that, or not often",
                "Keep the secret in a backend that can be written to, or do what the message says.",
            ),
            Self::WildcardHost => (
                "A wildcard covers names that belong to strangers",
                "Name the hosts that the agent is to reach, or a wildcard below a domain of one owner.",
            ),
            Self::SharedName => (
                "Two manifests have one name, or one path for callers",
                "A host that serves both uses neither: give each agent a name and a path of its own.",
            ),
        }
    }

    /// Whether it has to change; otherwise it may be intended.
    #[must_use]
    pub fn is_error(self) -> bool {
        !matches!(self, Self::StaleValue | Self::SchemeWrites | Self::WildcardHost | Self::SharedName)
    }
}

impl Remark {
    pub(super) fn new(about: About, file: impl ToString, at: Option<Spot>, message: impl ToString) -> Self {
        Self { about, file: file.to_string(), at, message: message.to_string() }
    }

    /// What an agent can't be loaded for.
    pub(super) fn of_load(manifest: &str, error: &LoadError) -> Vec<Self> {
        let diagnostic = |Diagnostic { file, line, column, found, remedy, .. }: &Diagnostic| {
            Self::new(About::Manifest, file, Some(Spot::Column(*line, *column)), format_args!("{found}; {remedy}"))
        };
        match error {
            LoadError::Manifest(ReadError::Invalid(diagnostics)) => diagnostics.0.iter().map(diagnostic).collect(),
            LoadError::Component { path, source } => vec![Self::new(About::Component, path.display(), None, source)],
            LoadError::Read { .. } | LoadError::HostsOwn { .. } => vec![Self::new(About::Component, manifest, None, error)],
            LoadError::Secret { .. } | LoadError::Signer { .. } => vec![Self::new(About::SecretUnavailable, manifest, None, error)],
            _ => vec![Self::new(About::Manifest, manifest, None, error)],
        }
    }
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, message, .. } = self;
        match self.at {
            None => write!(f, "{file}: {message}"),
            Some(Spot::Line(line)) => write!(f, "{file}:{line}: {message}"),
            Some(Spot::Column(line, column)) => write!(f, "{file}:{line}:{column}: {message}"),
            Some(Spot::Byte(byte)) => write!(f, "{file}: byte {byte}: {message}"),
        }
    }
}
