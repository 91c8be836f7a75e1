//! The request of a token endpoint (RFC 6749, 4.4.2 and 6; RFC 7523, 2), of Google's and of GitHub's.

use crate::credential::jwt::JwtKey;
use crate::credential::template::percent_encode;
use crate::manifest::{ClientAuth, Oauth2Grant, Oauth2Spec};
use crate::text::hex;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::time::{Duration, SystemTime};
use zeroize::Zeroizing;

/// How long an assertion is good for. GitHub takes up to ten minutes, Google an hour.
const LIFETIME: Duration = Duration::from_secs(5 * 60);
/// By how much an assertion is dated back, for servers whose clocks are late.
const LATE: Duration = Duration::from_secs(30);
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const CLIENT_ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// What a token is asked for with.
#[derive(Clone, Copy)]
pub struct Presented<'v> {
    /// The secret's value.
    pub secret: &'v [u8],
    /// That of the secret that the client authenticates with, where the manifest names another one.
    pub client: Option<&'v [u8]>,
    pub now: SystemTime,
    /// Random, and used once.
    pub id: [u8; 16],
}

/// A call to a token endpoint, which is a POST.
pub struct TokenRequest {
    pub url: String,
    pub headers: HeaderMap,
    pub body: Zeroizing<Vec<u8>>,
}

/// A key file of Google's. It names an endpoint too: where an assertion goes is not left to whoever writes the file.
#[derive(Deserialize)]
struct KeyFile {
    client_email: String,
    private_key: Zeroizing<String>,
    private_key_id: String,
}

/// The claims of an assertion (RFC 7523, 3).
struct Claims<'c> {
    issuer: &'c str,
    subject: Option<&'c str>,
    audience: Option<&'c str>,
    scope: Option<&'c str>,
    id: Option<[u8; 16]>,
}

#[derive(Default)]
pub(super) struct Form(Zeroizing<Vec<u8>>);

impl Oauth2Spec {
    /// The request for an access token.
    ///
    /// # Errors
    /// What is wrong with the secret, without a part of it.
    pub fn request(&self, with: &Presented<'_>) -> Result<TokenRequest, String> {
        let call = TokenRequest::to(self.endpoint());
        if let Oauth2Grant::GithubApp { app_id, .. } = &self.grant {
            return github(call, app_id, with);
        }
        let mut form = Form::default();
        let pair = |form: &mut Form, name: &str, text: &Option<String>| {
            if let Some(text) = text {
                form.add(name, text.as_bytes());
            }
        };
        match &self.grant {
            Oauth2Grant::ClientCredentials => form.add("grant_type", b"client_credentials"),
            Oauth2Grant::RefreshToken => {
                form.add("grant_type", b"refresh_token");
                form.add("refresh_token", with.secret);
            }
            Oauth2Grant::JwtBearer(assertion) => {
                let claims = Claims {
                    issuer: &assertion.issuer,
                    subject: Some(&assertion.subject),
                    audience: Some(assertion.audience.as_deref().unwrap_or(self.endpoint())),
                    scope: None,
                    id: Some(with.id),
                };
                let assertion = claims.signed(&JwtKey::read(with.secret)?, self.key_id.as_deref(), with.now)?;
                form.present(&assertion);
            }
            Oauth2Grant::GoogleServiceAccount { subject } => {
                let file = key_file(with.secret)?;
                let claims = Claims {
                    issuer: &file.client_email,
                    subject: subject.as_deref(),
                    audience: Some(self.endpoint()),
                    scope: self.scope.as_deref(),
                    id: None,
                };
                let assertion = claims.signed(&JwtKey::read(file.private_key.as_bytes())?, Some(&file.private_key_id), with.now)?;
                form.present(&assertion);
            }
            Oauth2Grant::GithubApp { .. } => unreachable!("it sends no form"),
        }
        if !matches!(self.grant, Oauth2Grant::GoogleServiceAccount { .. }) {
            pair(&mut form, "scope", &self.scope);
        }
        pair(&mut form, "audience", &self.audience);
        pair(&mut form, "resource", &self.resource);
        self.posted(call, form, with)
    }

    /// The call with a form, and with the client's own authentication.
    pub(super) fn posted(&self, mut call: TokenRequest, mut form: Form, with: &Presented<'_>) -> Result<TokenRequest, String> {
        self.authenticate(&mut form, &mut call, with)?;
        call.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        call.body = form.0;
        Ok(call)
    }

    /// Adds the client's own authentication.
    fn authenticate(&self, form: &mut Form, call: &mut TokenRequest, with: &Presented<'_>) -> Result<(), String> {
        let Some(client_id) = self.client_id.as_deref() else { return Ok(()) };
        let own = with.client.unwrap_or(with.secret);
        match self.client_auth {
            ClientAuth::Basic => {
                // Each half is encoded as in a form (RFC 6749, 2.3.1).
                let mut pair = Form::default();
                pair.encode(client_id.as_bytes());
                pair.0.push(b':');
                pair.encode(own);
                let basic = Zeroizing::new(format!("Basic {}", STANDARD.encode(&*pair.0)));
                call.headers.insert(header::AUTHORIZATION, sensitive(&basic)?);
            }
            ClientAuth::Post => {
                form.add("client_id", client_id.as_bytes());
                form.add("client_secret", own);
            }
            ClientAuth::PrivateKeyJwt => {
                let claims =
                    Claims { issuer: client_id, subject: Some(client_id), audience: Some(self.endpoint()), scope: None, id: Some(with.id) };
                let assertion = claims.signed(&JwtKey::read(own)?, self.key_id.as_deref(), with.now)?;
                form.add("client_id", client_id.as_bytes());
                form.add("client_assertion_type", CLIENT_ASSERTION.as_bytes());
                form.add("client_assertion", assertion.as_bytes());
            }
            ClientAuth::None => form.add("client_id", client_id.as_bytes()),
        }
        Ok(())
    }
}

impl TokenRequest {
    /// A call to this endpoint, with nothing in it.
    pub(super) fn to(url: &str) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static(concat!("strongroom/", env!("CARGO_PKG_VERSION"))));
        Self { url: url.to_owned(), headers, body: Zeroizing::default() }
    }
}

/// An installation's token, asked for as the App.
fn github(mut call: TokenRequest, app_id: &str, with: &Presented<'_>) -> Result<TokenRequest, String> {
    let claims = Claims { issuer: app_id, subject: None, audience: None, scope: None, id: None };
    let token = claims.signed(&JwtKey::read(with.secret)?, None, with.now)?;
    call.headers.insert(header::AUTHORIZATION, sensitive(&Zeroizing::new(format!("Bearer {}", *token)))?);
    call.headers.insert(header::ACCEPT, HeaderValue::from_static("application/vnd.github+json"));
    call.headers.insert(HeaderName::from_static("x-github-api-version"), HeaderValue::from_static("2022-11-28"));
    Ok(call)
}

fn key_file(secret: &[u8]) -> Result<KeyFile, String> {
    serde_json::from_slice(secret).map_err(|_| {
        "it is not the key file of a Google service account: keep the whole JSON document with `client_email`, `private_key` and \
         `private_key_id`"
            .to_owned()
    })
}

fn sensitive(text: &str) -> Result<HeaderValue, String> {
    let mut value = HeaderValue::from_str(text).map_err(|_| "it can't stand in a header".to_owned())?;
    value.set_sensitive(true);
    Ok(value)
}

impl Claims<'_> {
    fn signed(&self, key: &JwtKey, key_id: Option<&str>, now: SystemTime) -> Result<Zeroizing<String>, String> {
        let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let mut claims = Map::new();
        let texts = [("iss", Some(self.issuer)), ("sub", self.subject), ("aud", self.audience), ("scope", self.scope)];
        claims.extend(texts.into_iter().filter_map(|(name, text)| Some((name.to_owned(), Value::from(text?)))));
        claims.insert("iat".to_owned(), now.saturating_sub(LATE).as_secs().into());
        claims.insert("exp".to_owned(), (now + LIFETIME).as_secs().into());
        if let Some(id) = &self.id {
            claims.insert("jti".to_owned(), hex(id).into());
        }
        key.compact(key_id, &claims)
    }
}

impl Form {
    pub(super) fn add(&mut self, name: &str, value: &[u8]) {
        if !self.0.is_empty() {
            self.0.push(b'&');
        }
        self.0.extend_from_slice(name.as_bytes());
        self.0.push(b'=');
        self.encode(value);
    }

    fn present(&mut self, assertion: &str) {
        self.add("grant_type", JWT_BEARER.as_bytes());
        self.add("assertion", assertion.as_bytes());
    }

    /// As in a form: a space may be `%20` as well as `+`.
    fn encode(&mut self, value: &[u8]) {
        // At once, so that what grows leaves no copy behind.
        let mut grown = Zeroizing::new(Vec::with_capacity(self.0.len() + value.len() * 3 + 256));
        grown.extend_from_slice(&self.0);
        percent_encode(value, &mut grown);
        self.0 = grown;
    }
}
