//! The scheme `oauth2`: a secret that is no credential of the API, but what an authorization server gives an access token for (RFC 6749). The
//! host asks for the token, keeps it and has it renewed; requests carry it as a bearer token (RFC 6750).
//!
//! Here is only what a manifest says. `crate::credential::oauth2` has the requests and responses, the host the way to the server.

mod presets;
mod read;
#[cfg(test)]
mod tests;

pub(super) use read::read;

use super::diagnostic::Diagnostics;
use super::reader::Document;
use std::fmt;

/// How access tokens are had for a secret. It prints as the inline table that a manifest writes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Oauth2Spec {
    /// The preset's name, where the manifest names one.
    pub preset: Option<&'static str>,
    /// What is presented for a token.
    pub grant: Oauth2Grant,
    /// The token endpoint, an `https` URL; none where the secret says it itself, as a key file of Google's does.
    pub token_url: Option<String>,
    /// The client's identifier; none where the server knows the client by its assertion.
    pub client_id: Option<String>,
    /// How the client authenticates at the token endpoint.
    pub client_auth: ClientAuth,
    /// The secret of this manifest that the client authenticates with, where that is not the one that has the scheme.
    pub client_secret: Option<String>,
    /// `scope`, a list separated by spaces, as the server wants it.
    pub scope: Option<String>,
    /// `audience`, which is no parameter of a standard, but of many servers.
    pub audience: Option<String>,
    /// `resource` (RFC 8707).
    pub resource: Option<String>,
    /// `kid` of the assertions that the host signs; none where the server finds the key itself.
    pub key_id: Option<String>,
    /// Where a person allows the access (RFC 6749, 3.1); for `strongroom login`.
    pub authorization_url: Option<String>,
    /// Where a device asks for a code (RFC 8628, 3.1); for `strongroom login --device`.
    pub device_url: Option<String>,
}

/// What is presented for an access token.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Oauth2Grant {
    /// Nothing but the client's own authentication (RFC 6749, 4.4). The secret is the client secret, or the client's private key.
    ClientCredentials,
    /// A refresh token (RFC 6749, 6), which is the secret. The server may replace it with each token that it gives.
    RefreshToken,
    /// A token that the secret signs as a private key (RFC 7523, 2.1).
    JwtBearer(Assertion),
    /// The key file of a Google service account, which is the secret: a JSON document with the key, its name, the account and the endpoint.
    GoogleServiceAccount {
        /// The user whom the account acts for, where it may.
        subject: Option<String>,
    },
    /// The private key of a GitHub App, which is the secret. The token is that of an installation.
    GithubApp {
        /// The app's client ID or its number.
        app_id: String,
        /// The number of the installation.
        installation_id: String,
    },
}

/// What an assertion says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Assertion {
    /// `iss`.
    pub issuer: String,
    /// `sub`.
    pub subject: String,
    /// `aud`; the token endpoint, where there is none.
    pub audience: Option<String>,
}

/// How a client authenticates at the token endpoint (RFC 6749, 2.3; RFC 7523, 2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientAuth {
    /// By `Authorization: Basic`.
    Basic,
    /// By the field `client_secret` of the form.
    Post,
    /// By an assertion that its private key signs.
    PrivateKeyJwt,
    /// Not at all: a public client, or one that is known by its assertion.
    None,
}

impl Oauth2Spec {
    /// Parses the table's own lines. `file` is the name that findings carry.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its place.
    pub fn parse(file: &str, text: &str) -> Result<Self, Diagnostics> {
        Document::read(file, text, read)
    }

    /// Whether the secret may be replaced by the server, so that its backend has to be one that can be written.
    #[must_use]
    pub fn is_refreshed(&self) -> bool {
        self.grant == Oauth2Grant::RefreshToken
    }

    /// What a placeholder looks like that client libraries take for a token, where they look.
    pub(super) fn placeholder(&self) -> Option<&'static str> {
        matches!(self.grant, Oauth2Grant::GithubApp { .. }).then_some(presets::GITHUB_TOKEN)
    }

    /// The token endpoint; where the secret says it itself, that of Google.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        self.token_url.as_deref().unwrap_or(presets::GOOGLE_TOKEN)
    }

    /// The endpoints that agents can't call, each as an origin with a path.
    pub fn closed(&self) -> impl Iterator<Item = String> {
        // GitHub's call that ends the token with which it is made: others use it too.
        let ending = match &self.grant {
            Oauth2Grant::GithubApp { installation_id, .. } => self.endpoint().strip_suffix(&presets::installation(installation_id)),
            _ => None,
        };
        let ending = ending.map(|api| format!("{api}/installation/token"));
        std::iter::once(self.endpoint()).chain(self.device_url.as_deref()).map(str::to_owned).chain(ending)
    }

    /// The host of the token endpoint, for people.
    #[must_use]
    pub fn server(&self) -> &str {
        let rest = self.endpoint().trim_start_matches("https://");
        rest.split_once('/').map_or(rest, |(host, _)| host)
    }
}

impl ClientAuth {
    /// Its name in manifests.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Basic => "basic",
            Self::Post => "post",
            Self::PrivateKeyJwt => "private_key_jwt",
            Self::None => "none",
        }
    }
}

impl Oauth2Grant {
    /// Its name in manifests.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::ClientCredentials => "client_credentials",
            Self::RefreshToken => "refresh_token",
            Self::JwtBearer(_) => "jwt_bearer",
            Self::GoogleServiceAccount { .. } => presets::GOOGLE,
            Self::GithubApp { .. } => presets::GITHUB,
        }
    }
}

impl fmt::Display for Oauth2Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = if self.preset.is_some() { "preset" } else { "grant" };
        write!(f, "{{ {named} = \"{}\"", self.grant.name())?;
        let auth = Some(self.client_auth.name().to_owned()).filter(|_| self.preset.is_none());
        let (mut issuer, mut subject, mut audience, mut app_id, mut installation_id, mut api_url) = (None, None, None, None, None, None);
        let mut token_url = self.token_url.as_ref();
        match &self.grant {
            Oauth2Grant::JwtBearer(assertion) => {
                (issuer, subject, audience) = (Some(&assertion.issuer), Some(&assertion.subject), assertion.audience.as_ref());
            }
            Oauth2Grant::GoogleServiceAccount { subject: user } => subject = user.as_ref(),
            Oauth2Grant::GithubApp { app_id: app, installation_id: installation } => {
                (app_id, installation_id) = (Some(app), Some(installation));
                let api = token_url.take().and_then(|url| url.strip_suffix(&presets::installation(installation)));
                api_url = api.filter(|api| *api != presets::GITHUB_API).map(str::to_owned);
            }
            Oauth2Grant::ClientCredentials | Oauth2Grant::RefreshToken => {}
        }
        let pairs = [
            ("token_url", token_url),
            ("client_id", self.client_id.as_ref()),
            ("client_auth", auth.as_ref()),
            ("client_secret", self.client_secret.as_ref()),
            ("app_id", app_id),
            ("installation_id", installation_id),
            ("api_url", api_url.as_ref()),
            ("issuer", issuer),
            ("subject", subject),
            ("assertion_audience", audience),
            ("key_id", self.key_id.as_ref()),
            ("scope", self.scope.as_ref()),
            ("audience", self.audience.as_ref()),
            ("resource", self.resource.as_ref()),
            ("authorization_url", self.authorization_url.as_ref()),
            ("device_url", self.device_url.as_ref()),
        ];
        for (key, text) in pairs.into_iter().filter_map(|(key, text)| Some((key, text?))) {
            write!(f, ", {key} = {}", toml::Value::from(text.as_str()))?;
        }
        f.write_str(" }")
    }
}
