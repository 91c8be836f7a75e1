//! What a login asks of an authorization server, and what that answers: for a code that a browser brings back (RFC 6749, 4.1, with RFC 7636),
//! or for one that a person enters elsewhere (RFC 8628).

use super::answer::{NoToken, TokenAnswer, error, read, refusal, unreadable};
use super::request::{Form, Presented, TokenRequest};
use crate::manifest::Oauth2Spec;
use crate::text::escaped;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::time::SystemTime;
use zeroize::Zeroizing;

/// The grant of RFC 8628, 3.4.
const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// Longest code that a person is shown.
const LONGEST_SHOWN: usize = 32;
/// Longest URL that a person is shown.
const LONGEST_URL: usize = 512;
/// Seconds between two questions, where the server says nothing (RFC 8628, 3.2), and the most that are waited for.
const INTERVAL: (u64, u64) = (5, 60);
/// The longest life of a device's code that is believed, in seconds.
const LONGEST_LIFE: u64 = 30 * 60;

/// What a refresh token is asked for with.
#[derive(Clone, Copy)]
pub enum Granted<'l> {
    /// The code that a browser brought (RFC 6749, 4.1.3), the URL that it was brought to, and what the challenge was made of (RFC 7636, 4.5).
    Code { code: &'l str, redirect: &'l str, verifier: &'l str },
    /// The code of a device (RFC 8628, 3.4).
    Device(&'l str),
}

/// What a device was given (RFC 8628, 3.2).
pub struct Device {
    pub code: Zeroizing<String>,
    /// What the person enters.
    pub user_code: String,
    /// Where.
    pub url: String,
    /// In seconds.
    pub expires_in: u64,
    /// Between two questions, in seconds.
    pub interval: u64,
}

/// What a device learns (RFC 8628, 3.5).
pub enum Polled {
    Granted(TokenAnswer),
    /// The person has not decided.
    Pending,
    /// The same, and the server is asked too often.
    SlowDown,
}

#[derive(Deserialize)]
struct Body {
    device_code: Zeroizing<String>,
    user_code: String,
    /// Google writes it otherwise.
    #[serde(alias = "verification_url")]
    verification_uri: String,
    expires_in: Option<serde_json::Number>,
    interval: Option<serde_json::Number>,
}

/// The challenge of a verifier (RFC 7636, 4.2, `S256`).
#[must_use]
pub fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))
}

impl Oauth2Spec {
    /// The URL that a person opens to allow the access (RFC 6749, 4.1.1); none where the manifest names none.
    #[must_use]
    pub fn authorization(&self, redirect: &str, state: &str, challenge: &str) -> Option<String> {
        let mut url = self.authorization_url.clone()?;
        // A server that gives refresh tokens for this scope gives none unless the person is asked (OpenID Connect Core, 11).
        let is_offline = self.scope.as_deref().is_some_and(|scope| scope.split(' ').any(|scope| scope == "offline_access"));
        let pairs = [
            ("response_type", Some("code")),
            ("client_id", self.client_id.as_deref()),
            ("redirect_uri", Some(redirect)),
            ("scope", self.scope.as_deref()),
            ("audience", self.audience.as_deref()),
            ("resource", self.resource.as_deref()),
            ("state", Some(state)),
            ("code_challenge", Some(challenge)),
            ("code_challenge_method", Some("S256")),
            ("prompt", Some("consent").filter(|_| is_offline)),
        ];
        // What the manifest writes there stays (RFC 6749, 3.1).
        let own = url.split_once('?').map_or("", |(_, query)| query).to_owned();
        let is_own = |name: &str| own.split('&').any(|pair| pair.split('=').next() == Some(name));
        for (name, value) in pairs.into_iter().filter_map(|(name, value)| Some((name, value?))).filter(|(name, _)| !is_own(name)) {
            url.push(if url.contains('?') { '&' } else { '?' });
            url.extend([name, "=", &escaped(value, b"")]);
        }
        Some(url)
    }

    /// The request that gives a refresh token for a code.
    ///
    /// # Errors
    /// What is wrong with the secret that the client authenticates with, without a part of it.
    pub fn login(&self, granted: &Granted<'_>, with: &Presented<'_>) -> Result<TokenRequest, String> {
        let mut form = Form::default();
        match granted {
            Granted::Code { code, redirect, verifier } => {
                form.add("grant_type", b"authorization_code");
                form.add("code", code.as_bytes());
                form.add("redirect_uri", redirect.as_bytes());
                form.add("code_verifier", verifier.as_bytes());
            }
            Granted::Device(code) => {
                form.add("grant_type", DEVICE.as_bytes());
                form.add("device_code", code.as_bytes());
            }
        }
        if let Some(resource) = &self.resource {
            form.add("resource", resource.as_bytes());
        }
        self.posted(TokenRequest::to(self.endpoint()), form, with)
    }

    /// The request that gives a device a code (RFC 8628, 3.1), at the URL that the manifest names for it.
    ///
    /// # Errors
    /// What is wrong with the secret that the client authenticates with, without a part of it.
    pub fn device(&self, with: &Presented<'_>) -> Result<TokenRequest, String> {
        let mut form = Form::default();
        for (name, value) in [("scope", &self.scope), ("audience", &self.audience), ("resource", &self.resource)] {
            if let Some(value) = value {
                form.add(name, value.as_bytes());
            }
        }
        self.posted(TokenRequest::to(self.device_url.as_deref().unwrap_or_default()), form, with)
    }
}

/// Reads what a device was given.
///
/// # Errors
/// [`NoToken`].
pub fn device(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Result<Device, NoToken> {
    if !status.is_success() {
        return Err(refusal(status, headers, error(headers, body)));
    }
    let unfit = |why: &str| unreadable(status, why);
    let body: Body = serde_json::from_slice(body).map_err(|_| unfit("it holds no code for a device"))?;
    if !is_shown(&body.user_code, LONGEST_SHOWN, b"-_. ") {
        return Err(unfit("its `user_code` is none that a person could enter"));
    }
    let url = body.verification_uri;
    if !url.starts_with("https://") || !is_shown(&url, LONGEST_URL, b"-._~:/?#[]!$&'()*+,;=%") {
        return Err(unfit("its `verification_uri` is no URL of `https`"));
    }
    let seconds = |number: Option<serde_json::Number>| number.and_then(|number| number.as_u64());
    Ok(Device {
        code: body.device_code,
        user_code: body.user_code,
        url,
        expires_in: seconds(body.expires_in).unwrap_or(LONGEST_LIFE).min(LONGEST_LIFE),
        interval: seconds(body.interval).unwrap_or(INTERVAL.0).clamp(1, INTERVAL.1),
    })
}

/// Reads what a device learns.
///
/// # Errors
/// [`NoToken`]; [`NoToken::Over`] where the person has refused, or the code's time is over.
pub fn polled(spec: &Oauth2Spec, status: StatusCode, headers: &HeaderMap, body: &[u8], now: SystemTime) -> Result<Polled, NoToken> {
    match error(headers, body) {
        Some("authorization_pending") => Ok(Polled::Pending),
        Some("slow_down") => Ok(Polled::SlowDown),
        Some(over @ ("access_denied" | "expired_token")) => Err(NoToken::Over(format!("it answered `{over}`"))),
        // What was not decided yet is asked again, as nothing is lost by it.
        _ if status == StatusCode::SERVICE_UNAVAILABLE => Err(NoToken::Later("it answered with status 503".to_owned())),
        _ => read(spec, status, headers, body, now).map(Polled::Granted),
    }
}

/// Whether a text of the server's can be shown as it is.
fn is_shown(text: &str, longest: usize, but: &[u8]) -> bool {
    (1..=longest).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || but.contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEC: &str = "grant = \"refresh_token\"\ntoken_url = \"https://login.test/token\"\nclient_id = \"bot:1\"\nclient_secret = \"S\"\n\
        scope = \"openid offline_access\"\nresource = \"https://api.test/\"\nauthorization_url = \"https://login.test/auth?hd=a.b&prompt=select\"\n\
        device_url = \"https://login.test/device\"";

    fn spec(text: &str) -> Oauth2Spec {
        Oauth2Spec::parse("m", text).expect(text)
    }

    fn with() -> Presented<'static> {
        Presented { secret: b"", client: Some(b"of the client"), now: SystemTime::UNIX_EPOCH, id: [1; 16] }
    }

    fn body(request: &TokenRequest) -> &str {
        std::str::from_utf8(&request.body).expect("text")
    }

    #[test]
    fn the_challenge_is_that_of_the_standards_example() {
        assert_eq!(challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn what_a_manifest_writes_into_the_address_stays_as_it_is() {
        let own = spec(SPEC).authorization("http://127.0.0.1:1/callback", "s", "c").expect("a URL");
        let shared = "response_type=code&client_id=bot%3A1&redirect_uri=http%3A%2F%2F127.0.0.1%3A1%2Fcallback&scope=openid%20offline_access\
                      &resource=https%3A%2F%2Fapi.test%2F&state=s&code_challenge=c&code_challenge_method=S256";
        assert_eq!(own, format!("https://login.test/auth?hd=a.b&prompt=select&{shared}"));

        let without = SPEC.replace("?hd=a.b&prompt=select", "");
        let asked = spec(&without).authorization("http://127.0.0.1:1/callback", "s", "c");
        assert_eq!(asked.expect("a URL"), format!("https://login.test/auth?{shared}&prompt=consent"));
        let online = spec(&without.replace(" offline_access", "")).authorization("http://127.0.0.1:1/callback", "s", "c");
        assert!(!online.expect("a URL").contains("prompt"));
    }

    #[test]
    fn a_login_presents_its_code_and_the_clients_own_secret() {
        let code = Granted::Code { code: "a/b", redirect: "http://127.0.0.1:1/callback", verifier: "v" };
        let basic = spec(SPEC).login(&code, &with()).expect("a request");
        assert_eq!(basic.url, "https://login.test/token");
        assert!(basic.headers.contains_key(http::header::AUTHORIZATION));
        assert_eq!(
            body(&basic),
            "grant_type=authorization_code&code=a%2Fb&redirect_uri=http%3A%2F%2F127.0.0.1%3A1%2Fcallback&code_verifier=v&resource=https\
             %3A%2F%2Fapi.test%2F"
        );
        let public = spec(&SPEC.replace("client_secret = \"S\"\n", "")).login(&Granted::Device("d"), &with()).expect("a request");
        assert!(!public.headers.contains_key(http::header::AUTHORIZATION));
        assert_eq!(
            body(&public),
            "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&device_code=d&resource=https%3A%2F%2Fapi.test%2F&client_id=bot%3A1"
        );
        let device = spec(SPEC).device(&with()).expect("a request");
        assert_eq!(device.url, "https://login.test/device");
        assert_eq!(body(&device), "scope=openid%20offline_access&resource=https%3A%2F%2Fapi.test%2F");
    }

    fn given(text: &str) -> Result<Device, NoToken> {
        device(StatusCode::OK, &HeaderMap::new(), text.as_bytes())
    }

    #[test]
    fn what_a_person_is_shown_is_what_a_person_can_enter() {
        let text = r#"{"device_code":"d-1","user_code":"WDJB-MJHT","verification_uri":"https://login.test/device","expires_in":1800000,"interval":0}"#;
        let whole = given(text).unwrap_or_else(|why| panic!("{why:?}"));
        assert_eq!((whole.code.as_str(), whole.user_code.as_str(), whole.url.as_str()), ("d-1", "WDJB-MJHT", "https://login.test/device"));
        assert_eq!((whole.expires_in, whole.interval), (LONGEST_LIFE, 1));
        let google = text.replace("verification_uri", "verification_url").replace(",\"interval\":0", "");
        assert_eq!(given(&google).map(|device| device.interval).ok(), Some(5));
        for (of, to) in [
            ("WDJB-MJHT", ""),
            ("WDJB-MJHT", "\\u001b[2J"),
            ("WDJB-MJHT", "a-code-that-nobody-enters-by-hand-since-it-is-a-secret"),
            ("https://login.test", "http://login.test"),
            ("https://login.test", "javascript:alert(1)//"),
            ("/device", "/device\\nopen https://other.test"),
            ("device_code", "code"),
        ] {
            assert!(matches!(given(&text.replace(of, to)), Err(NoToken::Unknown(_))), "{of} -> {to}");
        }
    }

    #[test]
    fn a_device_waits_until_a_person_has_decided() {
        let asked = |status: u16, text: &str| {
            let status = StatusCode::from_u16(status).expect("a status");
            polled(&spec(SPEC), status, &HeaderMap::new(), text.as_bytes(), SystemTime::UNIX_EPOCH)
        };
        assert!(matches!(asked(400, r#"{"error":"authorization_pending"}"#), Ok(Polled::Pending)));
        assert!(matches!(asked(200, r#"{"error":"authorization_pending"}"#), Ok(Polled::Pending)), "as GitHub answers");
        assert!(matches!(asked(400, r#"{"error":"slow_down"}"#), Ok(Polled::SlowDown)));
        for over in ["access_denied", "expired_token", "invalid_grant"] {
            let answer = asked(400, &format!(r#"{{"error":"{over}"}}"#));
            assert!(matches!(&answer, Err(NoToken::Over(why)) if why.contains(over)), "{over}");
        }
        assert!(matches!(asked(503, ""), Err(NoToken::Later(_))));
        let granted = asked(200, r#"{"access_token":"access-token","token_type":"Bearer","refresh_token":"refresh-token"}"#);
        let Ok(Polled::Granted(answer)) = granted else { panic!("granted") };
        assert_eq!(answer.refresh.as_deref().map(String::as_str), Some("refresh-token"));
        let echo = asked(400, r#"{"error":"of the client"}"#);
        assert!(matches!(&echo, Err(NoToken::Refused(why)) if !why.contains("of the client")), "nothing of the server's own is shown");
    }
}
