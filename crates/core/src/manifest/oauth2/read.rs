//! The table `oauth2` of a secret.

use super::presets::{GITHUB, GITHUB_API, GOOGLE, installation};
use super::{Assertion, ClientAuth, Oauth2Grant, Oauth2Spec};
use crate::manifest::diagnostic::Problem;
use crate::manifest::names;
use crate::manifest::reader::Section;
use crate::manifest::{HostPattern, PathPattern};

/// Longest text of the table.
const LONGEST: usize = 2048;

/// Reads a secret's table `oauth2`.
pub(in crate::manifest) fn read(section: &Section<'_>) -> Option<Oauth2Spec> {
    match section.has("preset") {
        true => preset(section),
        false => by_grant(section),
    }
}

fn preset(section: &Section<'_>) -> Option<Oauth2Spec> {
    let preset = section.require_one_of("preset", "an unknown preset", &[GOOGLE, GITHUB]);
    let Some(preset) = preset else {
        section.ignore_rest();
        return None;
    };
    let spec = |grant| Oauth2Spec { preset: Some(preset), ..empty(grant, ClientAuth::None) };
    match preset {
        GOOGLE => {
            let scope = section.require("scope", "scope = ?", scope);
            let token_url = section.parse("token_url", endpoint);
            let subject = section.parse("subject", visible);
            Some(Oauth2Spec { scope: Some(scope?), token_url, ..spec(Oauth2Grant::GoogleServiceAccount { subject }) })
        }
        _ => {
            let app_id = section.require("app_id", "app_id = ?", visible);
            let id = section.require("installation_id", "installation_id = ?", number);
            let api = section.parse("api_url", |text| match endpoint(text)? {
                url if url.ends_with('/') => Err(Problem::new("it ends with a slash", "write it without one, as in `https://HOST/api/v3`")),
                url => Ok(url),
            });
            if section.has("api_url") && api.is_none() {
                return None;
            }
            let api = api.as_deref().unwrap_or(GITHUB_API);
            let (app_id, installation_id) = (app_id?, id?);
            let token_url = Some(format!("{api}{}", installation(&installation_id)));
            Some(Oauth2Spec { token_url, ..spec(Oauth2Grant::GithubApp { app_id, installation_id }) })
        }
    }
}

fn by_grant(section: &Section<'_>) -> Option<Oauth2Spec> {
    let word = section.require_one_of("grant", "an unknown grant", &["client_credentials", "refresh_token", "jwt_bearer"]);
    let Some(word) = word else {
        section.ignore_rest();
        return None;
    };
    section.elsewhere(&[
        ("issuer", "to `grant = \"jwt_bearer\"`"),
        ("subject", "to `grant = \"jwt_bearer\"`"),
        ("assertion_audience", "to `grant = \"jwt_bearer\"`"),
        ("client_secret", "to `grant = \"refresh_token\"`; for `client_credentials` the secret itself is the client secret"),
        ("authorization_url", "to `grant = \"refresh_token\"`"),
        ("device_url", "to `grant = \"refresh_token\"`"),
        ("app_id", "to `preset = \"github-app\"`"),
        ("installation_id", "to `preset = \"github-app\"`"),
        ("api_url", "to `preset = \"github-app\"`"),
    ]);
    let token_url = section.require("token_url", "token_url = ?", endpoint);
    let client_auth = section.parse("client_auth", client_auth);
    let (scope, audience) = (section.parse("scope", scope), section.parse("audience", visible));
    let (resource, key_id) = (section.parse("resource", visible), section.parse("key_id", visible));
    let spec = match word {
        "client_credentials" => {
            let client_id = section.require("client_id", "client_id = ?", visible);
            let client_auth = client_auth.unwrap_or(ClientAuth::Basic);
            if client_auth == ClientAuth::None {
                let remedy =
                    "write `\"basic\"`, `\"post\"` or `\"private_key_jwt\"`: with this grant the client authenticates with the secret";
                section.report_here(Problem::new("`client_auth = \"none\"` with `client_credentials`", remedy));
            }
            Oauth2Spec { client_id: Some(client_id?), ..empty(Oauth2Grant::ClientCredentials, client_auth) }
        }
        "refresh_token" => {
            let client_id = section.require("client_id", "client_id = ?", visible);
            let client_secret = section.parse("client_secret", |text| names::secret_name(text).map(|()| text.to_owned()));
            let default = if client_secret.is_some() { ClientAuth::Basic } else { ClientAuth::None };
            let client_auth = client_auth.unwrap_or(default);
            if (client_auth == ClientAuth::None) != client_secret.is_none() && !(client_secret.is_none() && section.has("client_secret")) {
                let (found, remedy) = match client_secret {
                    None => (
                        "a client that authenticates, and nothing to do so with",
                        "add `client_secret = ?` with the name of a secret of this manifest",
                    ),
                    Some(_) => ("`client_secret` with `client_auth = \"none\"`", "leave one of the two out"),
                };
                section.report_here(Problem::new(found, remedy));
            }
            let authorization_url = section.parse("authorization_url", endpoint_with_query);
            let device_url = section.parse("device_url", endpoint);
            let spec = empty(Oauth2Grant::RefreshToken, client_auth);
            Oauth2Spec { client_id: Some(client_id?), client_secret, authorization_url, device_url, ..spec }
        }
        _ => {
            let issuer = section.require("issuer", "issuer = ?", visible);
            let (subject, audience) = (section.parse("subject", visible), section.parse("assertion_audience", visible));
            let client_id = section.parse("client_id", visible);
            if client_auth.is_some_and(|auth| auth != ClientAuth::None) {
                let remedy = "leave `client_auth` out: the server knows the client by the assertion";
                section.report_here(Problem::new("`client_auth` with `jwt_bearer`", remedy));
            }
            let issuer = issuer?;
            let subject = subject.unwrap_or_else(|| issuer.clone());
            let spec = empty(Oauth2Grant::JwtBearer(Assertion { issuer, subject, audience }), ClientAuth::None);
            Oauth2Spec { client_id, ..spec }
        }
    };
    Some(Oauth2Spec { token_url: Some(token_url?), scope, audience, resource, key_id, ..spec })
}

fn empty(grant: Oauth2Grant, client_auth: ClientAuth) -> Oauth2Spec {
    Oauth2Spec {
        preset: None,
        grant,
        token_url: None,
        client_id: None,
        client_auth,
        client_secret: None,
        scope: None,
        audience: None,
        resource: None,
        key_id: None,
        authorization_url: None,
        device_url: None,
    }
}

fn client_auth(text: &str) -> Result<ClientAuth, Problem> {
    let all = [ClientAuth::Basic, ClientAuth::Post, ClientAuth::PrivateKeyJwt, ClientAuth::None];
    let remedy = "write `\"basic\"`, `\"post\"`, `\"private_key_jwt\"` or `\"none\"`";
    all.into_iter().find(|auth| auth.name() == text).ok_or_else(|| Problem::new("an unknown way for a client to authenticate", remedy))
}

/// A URL of `https` without a query, as it is sent.
fn endpoint(text: &str) -> Result<String, Problem> {
    let wrong = |found: &str| Problem::new(found.to_owned(), "write it as `https://HOST/PATH`, in its canonical form");
    let rest = text.strip_prefix("https://").ok_or_else(|| wrong("not a URL of `https`, to which a credential could be sent"))?;
    if text.contains('?') {
        return Err(wrong("a URL with a query"));
    }
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let is_plain = text.len() <= LONGEST && !text.contains('*') && HostPattern::parse(&format!("https://{authority}")).is_ok();
    match is_plain && (path.is_empty() || PathPattern::parse(path).is_ok()) {
        true => Ok(text.to_owned()),
        false => Err(wrong("not a URL")),
    }
}

/// The same of what a browser is sent to, which may have a query.
fn endpoint_with_query(text: &str) -> Result<String, Problem> {
    let (path, query) = text.split_once('?').map_or((text, None), |(path, query)| (path, Some(query)));
    endpoint(path)?;
    match query {
        Some(query) if query.contains('#') || !query.bytes().all(|b| b.is_ascii_graphic()) => {
            Err(Problem::new("not a query", "write it percent-encoded, without a fragment"))
        }
        _ => Ok(text.to_owned()),
    }
}

/// RFC 6749, 3.3.
fn scope(text: &str) -> Result<String, Problem> {
    let is_token = |token: &str| !token.is_empty() && token.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'"' | b'\\'));
    match text.len() <= LONGEST && text.split(' ').all(is_token) {
        true => Ok(text.to_owned()),
        false => Err(Problem::new("not a scope", "write one or several, with one space between them, as in `read write`")),
    }
}

fn visible(text: &str) -> Result<String, Problem> {
    match !text.is_empty() && text.len() <= LONGEST && text.bytes().all(|b| b.is_ascii_graphic()) && !text.contains("-----BEGIN") {
        true => Ok(text.to_owned()),
        false => Err(Problem::new("empty, or not visible ASCII", "write it as the server's documents have it; no secret belongs here")),
    }
}

fn number(text: &str) -> Result<String, Problem> {
    match !text.is_empty() && text.len() <= 20 && text.bytes().all(|b| b.is_ascii_digit()) {
        true => Ok(text.to_owned()),
        false => Err(Problem::new("not a number", "write the digits, as in `\"1234567\"`")),
    }
}
