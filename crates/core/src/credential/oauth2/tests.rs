use super::*;
use crate::manifest::Oauth2Spec;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, StatusCode, header};
use ring::signature::{ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey, VerificationAlgorithm};
use serde_json::{Value, json};
use std::time::{Duration, SystemTime};

const REFRESH: &str =
    "grant = \"refresh_token\"\ntoken_url = \"https://login.test/token\"\nclient_id = \"bot:1\"\nclient_secret = \"SECRET\"";
const CLIENT: &str =
    "grant = \"client_credentials\"\ntoken_url = \"https://login.test/token\"\nclient_id = \"bot\"\nscope = \"read write\"";
const ASSERTION: &str =
    "grant = \"jwt_bearer\"\ntoken_url = \"https://login.test/token\"\nissuer = \"bot\"\nkey_id = \"k1\"\nscope = \"a b\"";
const GOOGLE: &str = "preset = \"google-service-account\"\nscope = \"https://www.googleapis.com/auth/devstorage.read_only\"";
const GITHUB: &str = "preset = \"github-app\"\napp_id = \"Iv1.a\"\ninstallation_id = \"77\"";

fn spec(text: &str) -> Oauth2Spec {
    Oauth2Spec::parse("m", text).expect(text)
}

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_764_453_600)
}

fn field(file: &str) -> Vec<u8> {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/field/jwt").join(file);
    std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn asked(text: &str, secret: &[u8], client: Option<&[u8]>) -> (TokenRequest, String) {
    let request = spec(text).request(&Presented { secret, client, now: now(), id: [0xab; 16] }).expect(text);
    let body = String::from_utf8(request.body.to_vec()).expect("text");
    (request, body)
}

fn authorization(request: &TokenRequest) -> Option<&str> {
    request.headers.get(header::AUTHORIZATION).map(|value| value.to_str().expect("text"))
}

/// Header and claims of a token that this key has signed.
fn claims(token: &str, algorithm: &'static dyn VerificationAlgorithm, public: &[u8]) -> [Value; 2] {
    let parts: Vec<Vec<u8>> = token.split('.').map(|part| URL_SAFE_NO_PAD.decode(part).expect("base64")).collect();
    let input = token.rsplit_once('.').expect("a signature").0;
    UnparsedPublicKey::new(algorithm, public).verify(input.as_bytes(), &parts[2]).expect("a good signature");
    [0, 1].map(|at: usize| serde_json::from_slice(&parts[at]).expect("JSON"))
}

#[test]
fn a_client_authenticates_as_its_server_wants_it() {
    let (request, body) = asked(CLIENT, b"s3cr+t&1", None);
    assert_eq!((request.url.as_str(), body.as_str()), ("https://login.test/token", "grant_type=client_credentials&scope=read%20write"));
    assert_eq!(authorization(&request), Some("Basic Ym90OnMzY3IlMkJ0JTI2MQ=="), "bot:s3cr%2Bt%261");

    let (request, body) = asked(&format!("{CLIENT}\nclient_auth = \"post\""), b"s3cr+t&1", None);
    assert_eq!(body, "grant_type=client_credentials&scope=read%20write&client_id=bot&client_secret=s3cr%2Bt%261");
    assert_eq!(authorization(&request), None);

    let (request, body) = asked(REFRESH, b"refresh/token", Some(b"the secret"));
    assert_eq!(body, "grant_type=refresh_token&refresh_token=refresh%2Ftoken");
    assert_eq!(authorization(&request), Some("Basic Ym90JTNBMTp0aGUlMjBzZWNyZXQ="), "bot%3A1:the%20secret");

    let public = REFRESH.replace("client_secret = \"SECRET\"", "resource = \"https://api.test/\"");
    let (request, body) = asked(&public, b"refresh/token", None);
    assert_eq!(body, "grant_type=refresh_token&refresh_token=refresh%2Ftoken&resource=https%3A%2F%2Fapi.test%2F&client_id=bot%3A1");
    assert_eq!(authorization(&request), None);
}

#[test]
fn a_private_key_signs_what_the_client_is_known_by() {
    let key = field("sec1-p256-after-its-parameters.pem");
    let (_, body) = asked(&format!("{CLIENT}\nclient_auth = \"private_key_jwt\"\nkey_id = \"k1\""), &key, None);
    let (form, assertion) = body.rsplit_once('=').expect("an assertion");
    assert_eq!(
        form,
        "grant_type=client_credentials&scope=read%20write&client_id=bot\
         &client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion"
    );
    let public = crate::credential::jwt::JwtKey::read(&key).expect("a key").public();
    let [header, claims] = claims(assertion, &ECDSA_P256_SHA256_FIXED, &public);
    assert_eq!(header, json!({ "alg": "ES256", "typ": "JWT", "kid": "k1" }));
    let expected = json!({
        "iss": "bot", "sub": "bot", "aud": "https://login.test/token",
        "iat": 1_764_453_570, "exp": 1_764_453_900, "jti": "ab".repeat(16),
    });
    assert_eq!(claims, expected);
}

#[test]
fn an_assertion_says_who_asks_and_for_whom() {
    let key = field("github-app-pkcs1.pem");
    let public = rsa(&key);
    let (_, body) = asked(ASSERTION, &key, None);
    let (form, scope) = body.rsplit_once("&scope=").expect("a scope");
    let assertion = form.strip_prefix("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=").expect("an assertion");
    assert_eq!(scope, "a%20b");
    let [header, said] = claims(assertion, &RSA_PKCS1_2048_8192_SHA256, &public);
    assert_eq!((&header["alg"], &header["kid"]), (&json!("RS256"), &json!("k1")));
    assert_eq!((&said["iss"], &said["sub"], &said["aud"]), (&json!("bot"), &json!("bot"), &json!("https://login.test/token")));

    let (request, body) = asked(GITHUB, &key, None);
    assert_eq!((request.url.as_str(), body.as_str()), ("https://api.github.com/app/installations/77/access_tokens", ""));
    let token = authorization(&request).and_then(|value| value.strip_prefix("Bearer ")).expect("a token");
    let [header, said] = claims(token, &RSA_PKCS1_2048_8192_SHA256, &public);
    assert_eq!(header, json!({ "alg": "RS256", "typ": "JWT" }));
    assert_eq!(said, json!({ "iss": "Iv1.a", "iat": 1_764_453_570, "exp": 1_764_453_900 }));
}

#[test]
fn googles_key_file_says_all_but_the_scope() {
    let file: Value = serde_json::from_slice(&field("service-account.json")).expect("JSON");
    let mut file = json!({ "client_email": "bot@p.iam.gserviceaccount.com", "private_key": file["private_key"], "private_key_id": "k9" });
    let (request, body) =
        asked(&format!("{GOOGLE}\ntoken_url = \"https://oauth2.googleapis.com/token\""), file.to_string().as_bytes(), None);
    assert_eq!(request.url, "https://oauth2.googleapis.com/token");
    let public = rsa(file["private_key"].as_str().expect("a key").as_bytes());
    let [header, said] = claims(body.rsplit_once('=').expect("an assertion").1, &RSA_PKCS1_2048_8192_SHA256, &public);
    assert_eq!(header["kid"], json!("k9"));
    let expected = json!({
        "iss": "bot@p.iam.gserviceaccount.com", "aud": "https://oauth2.googleapis.com/token",
        "scope": "https://www.googleapis.com/auth/devstorage.read_only", "iat": 1_764_453_570, "exp": 1_764_453_900,
    });
    assert_eq!(said, expected);

    file["token_uri"] = json!("https://evil.test/token");
    assert_eq!(
        asked(GOOGLE, file.to_string().as_bytes(), None).0.url,
        "https://oauth2.googleapis.com/token",
        "the file does not say where to"
    );
}

#[test]
fn a_secret_that_does_not_fit_is_refused_without_a_part_of_it() {
    for (text, secret, told) in [
        (GITHUB, "ghp_0123456789abcdef", "key of Ed25519"),
        (GITHUB, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", ""),
        (GOOGLE, "{\"client_email\":\"a\"}", "is not the key file"),
        (GOOGLE, "AIzaSy0123456789", "is not the key file"),
        (ASSERTION, "0123456789abcdef", "key of Ed25519"),
    ] {
        let refused = spec(text).request(&Presented { secret: secret.as_bytes(), client: None, now: now(), id: [0; 16] }).err();
        let refused = refused.unwrap_or_else(|| panic!("{secret} is taken"));
        assert!(refused.contains(told) && !refused.contains(secret.get(..8).expect("text")) || told.is_empty(), "{refused}");
    }
}

/// What is made of a response: `ACCESS until END, then REFRESH`, or what kind of failure. What its content type says behind ` + ` are other
/// headers.
fn made(text: &str, status: u16, kind: &str, body: &str) -> String {
    let mut headers = HeaderMap::new();
    let (kind, other) = kind.split_once(" + ").map_or((kind, None), |(kind, other)| (kind, Some(other)));
    headers.insert(header::CONTENT_TYPE, kind.parse().expect("a header"));
    if let Some((name, value)) = other.and_then(|other| other.split_once(": ")) {
        headers.insert(name.parse::<header::HeaderName>().expect("a name"), value.parse().expect("a header"));
    }
    match read(&spec(text), StatusCode::from_u16(status).expect("a status"), &headers, body.as_bytes(), now()) {
        Ok(answer) => {
            let end = |at: Option<u64>| at.map_or("?".to_owned(), |at| (at - 1_764_453_600).to_string());
            let access = match &answer.access {
                Ok(access) => format!("{} until {}", *access.token, end(access.expires_at)),
                Err(_) => "unusable".to_owned(),
            };
            answer.refresh.map_or(access.clone(), |refresh| format!("{access}, then {}", *refresh))
        }
        Err(NoToken::Over(why)) => format!("over: {why}"),
        Err(NoToken::Refused(why)) => format!("refused: {why}"),
        Err(NoToken::Later(why)) => format!("later: {why}"),
        Err(NoToken::Unknown(why)) => format!("unknown: {why}"),
    }
}

#[test]
fn a_response_is_read_as_the_standard_has_it() {
    const JSON: &str = "application/json;charset=UTF-8";
    const FORM: &str = "application/x-www-form-urlencoded";
    for (status, kind, body, expected) in [
        (200, JSON, r#"{"access_token":"tok-0123456","token_type":"Bearer","expires_in":3600}"#, "tok-0123456 until 3600"),
        (
            200,
            JSON,
            r#"{"access_token":"tok-0123456","token_type":"bearer","expires_in":"60","refresh_token":"ref-0123456"}"#,
            "tok-0123456 until 60, then ref-0123456",
        ),
        (200, JSON, r#"{"access_token":"tok-0123456","expires_in":59.9}"#, "tok-0123456 until 59"),
        (200, JSON, r#"{"access_token":"tok-0123456","expires_in":null,"refresh_token":null,"scope":"a"}"#, "tok-0123456 until ?"),
        (200, JSON, r#"{"access_token":"tok-0123456","expires_in":-5}"#, "tok-0123456 until ?"),
        (200, JSON, r#"{"access_token":"tok-0123456","expires_in":1e300}"#, "tok-0123456 until ?"),
        (200, JSON, r#"{"access_token":"tok-0123456","expires_in":9000000000}"#, "tok-0123456 until 31622400"),
        (200, "text/plain", "\u{feff}{\"access_token\":\"tok-0123456\"}", "tok-0123456 until ?"),
        (201, JSON, r#"{"access_token":"tok-0123456"}"#, "tok-0123456 until ?"),
        (200, JSON, r#"{"access_token":"tok-0123456","expires_in":0}"#, "tok-0123456 until ?"),
        (
            200,
            JSON,
            r#"{"access_token":"tok-0123456","refresh_token":"ref-0123456","expires_at":1764457200,"token":{"a":[1]},"expires_in":true}"#,
            "tok-0123456 until ?, then ref-0123456",
        ),
        (200, JSON, r#"{"access_token":7,"token_type":["x"],"refresh_token":"ref-0123456"}"#, "unusable, then ref-0123456"),
        (
            200,
            JSON,
            r#"{"access_token":"tok-0123456","refresh_token":7}"#,
            "unknown: its response (status 200) can't be read: its `refresh_token` is not one",
        ),
        (
            200,
            FORM,
            "access_token=tok%2D0123456&expires_in=28800&refresh_token=ref-0123456&token_type=bearer",
            "tok-0123456 until 28800, then ref-0123456",
        ),
        (200, JSON, r#"{"access_token":"tok-0123456","token_type":"DPoP","refresh_token":"ref-0123456"}"#, "unusable, then ref-0123456"),
        (200, JSON, r#"{"access_token":"tok 0123456","refresh_token":"ref-0123456"}"#, "unusable, then ref-0123456"),
        (200, JSON, r#"{"access_token":"short"}"#, "unusable"),
        (200, JSON, r#"{"access_token":"tok-0123456\r\nx: y"}"#, "unusable"),
        (
            200,
            JSON,
            r#"{"access_token":"tok-0123456","access_token":"tok-0123457"}"#,
            "unknown: its response (status 200) can't be read: it is neither JSON nor a form, or says one thing twice",
        ),
        (
            200,
            FORM,
            "access_token=tok-0123456&access_token=tok-0123457",
            "unknown: its response (status 200) can't be read: it is a form that says one thing twice",
        ),
        (
            200,
            JSON,
            r#"{"access_token":"tok-01234"#,
            "unknown: its response (status 200) can't be read: it is neither JSON nor a form, or says one thing twice",
        ),
        (
            200,
            "application/json + content-encoding: gzip",
            "{}",
            "unknown: its response (status 200) can't be read: it is content-coded, which nobody asked for",
        ),
        (200, JSON, "{}", "unknown: its response (status 200) can't be read: it holds no token"),
        (200, JSON, r#"{"error":"invalid_grant"}"#, "over: it answered with status 400, `invalid_grant`"),
        (200, FORM, "error=bad_verification_code&error_description=x", "refused: it answered with status 400"),
        (400, JSON, r#"{"error":"invalid_grant","error_description":"s3cret"}"#, "over: it answered with status 400, `invalid_grant`"),
        (401, JSON, r#"{"error":"invalid_client"}"#, "refused: it answered with status 401, `invalid_client`"),
        (400, JSON, r#"{"error":"s3cret"}"#, "refused: it answered with status 400"),
        (403, "text/html", "<html>s3cret", "refused: it answered with status 403"),
        (302, "text/html", "", "refused: it answered with status 302; name the endpoint itself as `token_url`"),
        (429, JSON, "{}", "later: it answered with status 429"),
        (503, "text/html + retry-after: 120", "", "later: it answered with status 503"),
        (503, "text/html", "", "unknown: it answered with status 503"),
        (503, JSON, r#"{"error":"temporarily_unavailable"}"#, "later: it answered with status 503, `temporarily_unavailable`"),
        (400, JSON, r#"{"error":"temporarily_unavailable"}"#, "later: it answered with status 400, `temporarily_unavailable`"),
        (400, JSON, r#"{"error":"server_error"}"#, "unknown: it answered with status 400, `server_error`"),
        (200, JSON, r#"{"error":"server_error"}"#, "unknown: it answered with status 400, `server_error`"),
        (502, "text/html + retry-after: 120", "", "unknown: it answered with status 502"),
        (500, JSON, r#"{"error":"server_error"}"#, "unknown: it answered with status 500, `server_error`"),
        (502, "text/html", "", "unknown: it answered with status 502"),
    ] {
        assert_eq!(made(CLIENT, status, kind, body), expected, "{body}");
    }
    let installation = r#"{"token":"ghs_0123456789","expires_at":"2025-11-29T23:00:00Z","permissions":{}}"#;
    assert_eq!(made(GITHUB, 201, JSON, installation), "ghs_0123456789 until 3600");
    assert_eq!(made(CLIENT, 201, JSON, installation), "unknown: its response (status 201) can't be read: it holds no token");
}

fn rsa(pem: &[u8]) -> Vec<u8> {
    let key = crate::jose::pem::private_key(pem).expect("a key");
    let pair = if key.is_pkcs1 { RsaKeyPair::from_der(&key.der) } else { RsaKeyPair::from_pkcs8(&key.der) };
    pair.expect("a key").public().as_ref().to_vec()
}
