//! How a secret becomes a credential, where its value does not leave as it is: the scheme tables of `[secrets.NAME]`.

use super::diagnostic::Problem;
use super::hmac::{self, HmacSpec};
use super::jwt::{self, RequestJwt};
use super::names;
use super::oauth2::{self, Oauth2Spec};
use super::reader::Section;
use super::shape::Shape;
use std::sync::Arc;

/// A scheme, as the manifest states it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SchemeSpec {
    /// A signature of the request, as exchanges want it; the secret is the key.
    Hmac(Arc<HmacSpec>),
    /// A token that is made for the request; the secret is the private key.
    Jwt(Arc<RequestJwt>),
    /// AWS Signature Version 4; the secret is the secret access key.
    SigV4(SigV4Spec),
    /// An access token that an authorization server gives for the secret.
    Oauth2(Arc<Oauth2Spec>),
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

type Read = fn(&Section<'_>) -> Option<SchemeSpec>;

/// The tables, each with what its keys say.
const TABLES: &[(&str, Read)] = &[
    ("hmac", |section| hmac::read(section).map(Arc::new).map(SchemeSpec::Hmac)),
    ("jwt", |section| jwt::read(section).map(Arc::new).map(SchemeSpec::Jwt)),
    ("sigv4", sigv4),
    ("oauth2", |section| oauth2::read(section).map(Arc::new).map(SchemeSpec::Oauth2)),
];

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
            Self::Hmac(_) => "hmac",
            Self::Jwt(_) => "jwt",
            Self::SigV4(_) => "sigv4",
            Self::Oauth2(_) => "oauth2",
        }
    }

    /// The secrets of the manifest that belong to it, in the order in which the scheme takes them.
    pub fn companions(&self) -> impl Iterator<Item = &str> {
        match self {
            Self::Hmac(_) | Self::Jwt(_) => [None, None],
            Self::SigV4(SigV4Spec { access_key_id, session_token }) => [Some(access_key_id), session_token.as_ref()],
            Self::Oauth2(spec) => [spec.client_secret.as_ref(), None],
        }
        .into_iter()
        .flatten()
        .map(String::as_str)
    }

    /// Whether it says itself where its credential stands: then grants name no place.
    #[must_use]
    pub fn has_own_places(&self) -> bool {
        !matches!(self, Self::Jwt(_) | Self::Oauth2(_))
    }

    /// How access tokens are had for the secret, where it is not the credential itself.
    #[must_use]
    pub fn oauth2(&self) -> Option<&Arc<Oauth2Spec>> {
        if let Self::Oauth2(spec) = self { Some(spec) } else { None }
    }

    /// Whether the host can make the credential of a request that the agent has put nothing into.
    #[must_use]
    pub fn is_attachable(&self) -> bool {
        // Region and service are what the agent's own signature says.
        !matches!(self, Self::SigV4(_))
    }

    /// What a placeholder looks like with which client libraries can sign, where the manifest does not say.
    pub(super) fn placeholder(&self) -> Option<Shape> {
        let shape = match self {
            Self::Hmac(spec) => hmac::Preset::named(spec.preset?)?.placeholder,
            Self::Jwt(spec) => jwt::Preset::named(spec.preset?)?.placeholder,
            Self::Oauth2(spec) => spec.placeholder()?,
            Self::SigV4(_) => return None,
        };
        Shape::parse(shape).ok()
    }
}
