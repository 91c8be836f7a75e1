//! How a secret becomes a credential, where its value does not leave as it is: the scheme tables of `[secrets.NAME]`.

use super::diagnostic::Problem;
use super::names;
use super::reader::Section;
use std::sync::Arc;

/// A scheme, as the manifest states it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SchemeSpec {
    /// AWS Signature Version 4; the secret is the secret access key.
    SigV4(SigV4Spec),
}

/// `sigv4 = { access_key_id = "NAME", session_token = "NAME" }`: the secrets that belong to the secret access key.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SigV4Spec {
    /// The secret of this manifest that is the access key's id.
    pub access_key_id: String,
    /// The one that is the session token, where the keys are temporary ones.
    pub session_token: Option<String>,
}

/// The tables, each with what its keys say.
const TABLES: &[(&str, fn(&Section<'_>) -> Option<SchemeSpec>)] = &[("sigv4", sigv4)];

/// The scheme of a secret; none where its value stands in requests as it is.
pub(super) fn read(section: &Section<'_>) -> Option<Arc<SchemeSpec>> {
    let mut tables = TABLES.iter().filter_map(|(name, read)| section.table(name).map(|table| (name, read(&table))));
    let (first, spec) = tables.next()?;
    if let Some((second, _)) = tables.next() {
        let found = format!("both `{first}` and `{second}`");
        section.report_here(Problem::new(found, "a secret has one scheme; keep one of the tables"));
    }
    spec.map(Arc::new)
}

fn sigv4(section: &Section<'_>) -> Option<SchemeSpec> {
    let name = |text: &str| names::secret_name(text).map(|()| text.to_owned());
    let access_key_id = section.require("access_key_id", "access_key_id = \"AWS_ACCESS_KEY_ID\"", name);
    let session_token = section.parse("session_token", name);
    Some(SchemeSpec::SigV4(SigV4Spec { access_key_id: access_key_id?, session_token }))
}

impl SchemeSpec {
    /// The table's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::SigV4(_) => "sigv4",
        }
    }

    /// The secrets of the manifest that belong to it, in the order in which the scheme takes them.
    pub fn companions(&self) -> impl Iterator<Item = &str> {
        match self {
            Self::SigV4(SigV4Spec { access_key_id, session_token }) => [Some(access_key_id), session_token.as_ref()],
        }
        .into_iter()
        .flatten()
        .map(String::as_str)
    }

    /// Whether it says itself where its credential stands: then grants name no place.
    #[must_use]
    pub fn has_own_places(&self) -> bool {
        match self {
            Self::SigV4(_) => true,
        }
    }

    /// Whether the host can make the credential of a request that the agent has put nothing into.
    #[must_use]
    pub fn is_attachable(&self) -> bool {
        match self {
            // Region and service are what the agent's own signature says.
            Self::SigV4(_) => false,
        }
    }
}
