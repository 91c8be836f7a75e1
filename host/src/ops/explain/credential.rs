//! What the host does to a request that a grant covers, in sentences: with a value that stands in it as it is, and by each scheme.

use super::list;
use crate::manifest::hmac::{Algorithm, Encoding, Hash, HmacSpec, NonceUnit, Piece, Spot, TimeFormat};
use crate::manifest::jwt::{RequestJwt, UriClaim};
use crate::manifest::{Basic, Grant, Oauth2Grant, Oauth2Spec, Place, SchemeSpec, SigV4Spec, Template, Tokens};
use std::fmt::Display;

/// What a grant lets a secret do, with the places where that is the grant's to say.
pub(super) fn granted(scheme: Option<&SchemeSpec>, entry: &Grant) -> String {
    let (methods, paths, places) = (list(&entry.methods), list(&entry.paths), list(&entry.place));
    let requests = format!("{} with {methods} {paths}", entry.host);
    match scheme {
        Some(scheme) if scheme.has_own_places() => format!("which may sign requests to {requests}"),
        Some(SchemeSpec::Jwt(_)) => format!("which may sign tokens for requests to {requests}, in {places}"),
        Some(SchemeSpec::Oauth2(_)) => format!("whose access tokens may go to {requests}, in {places}"),
        _ => format!("which may go to {requests}, in {places}"),
    }
}

/// What the host does to such a request.
pub(super) fn sentences(scheme: Option<&SchemeSpec>, entry: &Grant) -> Vec<String> {
    match scheme {
        Some(SchemeSpec::Hmac(spec)) => hmac(spec, entry.attach),
        Some(SchemeSpec::Jwt(spec)) => vec![jwt(spec, &entry.place)].into_iter().chain(attached(entry)).collect(),
        Some(SchemeSpec::SigV4(spec)) => sigv4(spec),
        Some(SchemeSpec::Oauth2(spec)) => oauth2(spec, &entry.place).into_iter().chain(attached(entry)).collect(),
        _ => vec![value(&entry.place)].into_iter().chain(attached(entry)).collect(),
    }
}

fn value(places: &[Place]) -> String {
    format!("the host replaces the placeholder with the value in {}", either(places.iter().map(place)))
}

/// What becomes of the tokens that a token endpoint hands out.
pub(super) fn tokens(tokens: &Tokens, entry: &Grant) -> Vec<String> {
    let (fields, heads): (Vec<&Place>, Vec<&Place>) =
        entry.sealed_place.iter().partition(|place| matches!(place, Place::Form(_) | Place::Json(_)));
    let hosts = if tokens.hosts.is_empty() { "the origin that it came from".to_owned() } else { list(&tokens.hosts) };
    let mut sentences = vec![format!(
        "the host takes the tokens out of the response and gives the agent placeholders: an access token's goes to {hosts}, in {}, where the \
         manifest opens the request; a refresh token's goes back to the token endpoint, in {}",
        either(heads),
        either(fields)
    )];
    sentences.push(match tokens.passes_id_token {
        true => "the agent gets an ID token whole, and can use it as a credential".to_owned(),
        false => "an ID token keeps its claims, and has a signature that verifies nowhere".to_owned(),
    });
    sentences.extend(tokens.keep.iter().map(|name| {
        format!("a refresh token is written to where the secret {name} is kept before the agent has the response, and is that secret in the next run")
    }));
    sentences
}

/// What the host does without being asked, where a grant says so.
fn attached(entry: &Grant) -> Option<String> {
    let place = entry.place.first().filter(|_| entry.attach)?;
    Some(format!("the host puts it in {place} by itself: any request of the agent to these paths is authenticated"))
}

fn hmac(spec: &HmacSpec, attach: bool) -> Vec<String> {
    let how = match spec.algorithm {
        Algorithm::HmacSha256 => "HMAC-SHA256",
        Algorithm::HmacSha384 => "HMAC-SHA384",
        Algorithm::HmacSha512 => "HMAC-SHA512",
        Algorithm::Ed25519 => "Ed25519",
        _ => "a signature",
    };
    let written = match spec.encoding {
        Encoding::Hex => "in hexadecimal",
        _ => "in base64",
    };
    let of = pieces(&spec.input.0);
    let mut sentences = vec![format!(
        "the host signs each such request that the agent's library signed with the placeholder ({}): {how} over {of}, {written}, in {}",
        named("hmac", spec.preset),
        either(&spec.signature)
    )];
    if let Some(timestamp) = &spec.timestamp {
        let format = match timestamp.format {
            TimeFormat::Seconds => "in seconds since 1970",
            TimeFormat::Millis => "in milliseconds since 1970",
            TimeFormat::Micros => "in microseconds since 1970",
            _ => "as in RFC 3339",
        };
        sentences.push(format!("the time in it is the host's own, in {}, {format}", spots(&timestamp.places)));
    }
    if let Some(nonce) = &spec.nonce {
        let unit = match nonce.unit {
            NonceUnit::Seconds => "seconds",
            NonceUnit::Millis => "milliseconds",
            NonceUnit::Micros => "microseconds",
            _ => "nanoseconds",
        };
        let places = spots(&nonce.places);
        sentences.push(format!("the nonce in it is the host's own, in {places}: it only rises, and is at least the time in {unit}"));
    }
    sentences.push(match attach {
        true => "the host also signs requests that have no signature: any request of the agent to these paths is authenticated".to_owned(),
        false => UNSIGNED.to_owned(),
    });
    sentences
}

const UNSIGNED: &str = "a request without a signature is sent unsigned";

fn jwt(spec: &RequestJwt, places: &[Place]) -> String {
    let claim = if spec.uri == UriClaim::Uris { "uris" } else { "uri" };
    format!(
        "the host puts a token for just this request in the place of the placeholder, or of a token signed with it ({}), in {}: from {} with the key {}, \
         the request in `{claim}`, good for {} s",
        named("jwt", spec.preset),
        either(places.iter().map(place)),
        spec.issuer,
        spec.key_id,
        spec.lifetime.as_secs()
    )
}

fn sigv4(spec: &SigV4Spec) -> Vec<String> {
    let token = spec.session_token.as_ref().map(|token| format!(" and the session token {token}")).unwrap_or_default();
    let id = &spec.access_key_id;
    vec![
        format!(
            "the host signs each such request that the agent's SDK signed with the placeholders (sigv4), in its header or its query: with the access \
             key ID {id}{token}, for the region and service that the SDK names"
        ),
        UNSIGNED.to_owned(),
    ]
}

fn oauth2(spec: &Oauth2Spec, places: &[Place]) -> Vec<String> {
    let client = spec.client_id.as_ref().map(|client| format!(" as the client {client}")).unwrap_or_default();
    let scope = spec.scope.as_ref().map(|scope| format!(", for {scope}")).unwrap_or_default();
    let presented = match &spec.grant {
        Oauth2Grant::ClientCredentials => "the client's own credential",
        Oauth2Grant::RefreshToken => "the refresh token",
        _ => "an assertion that the secret signs",
    };
    let mut sentences = vec![
        format!(
            "the host replaces the placeholder with an access token ({}), in {}: it has the token from {}{client} for {presented}{scope}",
            named("oauth2", spec.preset),
            either(places.iter().map(place)),
            spec.server()
        ),
        "where the host of a request answers 401, the host has another token, at most once a minute, and sends the request once more"
            .to_owned(),
    ];
    if spec.is_refreshed() {
        sentences.push("a refresh token that the server replaces is written to the place of the old one".to_owned());
    }
    sentences
}

/// A scheme with its preset.
fn named(scheme: &str, preset: Option<&str>) -> String {
    preset.map_or_else(|| scheme.to_owned(), |preset| format!("{scheme}, preset {preset}"))
}

/// `a`, `a or b`, `a, b or c`.
fn either(items: impl IntoIterator<Item = impl Display>) -> String {
    joined(items, "or")
}

fn spots(places: &[Spot]) -> String {
    either(places)
}

fn joined(items: impl IntoIterator<Item = impl Display>, word: &str) -> String {
    let mut items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    match (items.pop(), items.is_empty()) {
        (None, _) => String::new(),
        (Some(last), true) => last,
        (Some(last), false) => format!("{} {word} {last}", items.join(", ")),
    }
}

/// A place where a value stands as it is.
fn place(place: &Place) -> String {
    match place {
        Place::Header(name, Template::BearerOrBare) => format!("the header `{name}`, after `Bearer` or alone"),
        Place::Header(name, Template::Exact { before, after }) if before.is_empty() && after.is_empty() => format!("the header `{name}`"),
        Place::Header(name, Template::Exact { before, after }) => format!("the header `{name}`, as `{before}{{}}{after}`"),
        Place::Basic(Basic::Alone) => "`Authorization: Basic`, as the user or the password".to_owned(),
        Place::Basic(Basic::User(user)) => format!("`Authorization: Basic`, as the password of `{user}`"),
        Place::Basic(Basic::Password(_)) => "`Authorization: Basic`, as the user".to_owned(),
        Place::Query(name) => format!("the query parameter `{name}`"),
        Place::Path(path) => format!("the path, as in `{path}`"),
        Place::Cookie(name) => format!("the cookie `{name}`"),
        Place::Form(name) => format!("the field `{name}` of a form"),
        Place::Json(pointer) => format!("the field `{pointer}` of a JSON body"),
        other => other.to_string(),
    }
}

/// What is signed, in words.
fn pieces(pieces: &[Piece]) -> String {
    joined(pieces.iter().map(piece), "and")
}

fn piece(piece: &Piece) -> String {
    match piece {
        Piece::Text(text) => format!("`{}`", text.replace('\n', "\\n")),
        Piece::Method => "the method".to_owned(),
        Piece::Path => "the path".to_owned(),
        Piece::Query => "the query".to_owned(),
        Piece::SortedQuery => "the sorted query".to_owned(),
        Piece::Target => "the path with its query".to_owned(),
        Piece::Body => "the body".to_owned(),
        Piece::Timestamp => "the time".to_owned(),
        Piece::Nonce => "the nonce".to_owned(),
        Piece::Host => "the host".to_owned(),
        Piece::Header(name) => format!("the header `{name}`"),
        Piece::Digest { hash, of, .. } => {
            let hash = if *hash == Hash::Sha512 { "SHA-512" } else { "SHA-256" };
            format!("the {hash} of ({})", pieces(of))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Manifest;

    /// The sentences of a secret's only grant, the granting one first.
    fn said(lines: &str) -> Vec<String> {
        let text = format!("name = \"a\"\ncomponent = \"a.wasm\"\n[secrets.ID]\n[secrets.TOKEN]\n[secrets.KEY]\n{lines}");
        let manifest = Manifest::parse("agent.toml", &text).expect("a manifest");
        let secret = manifest.secrets.iter().find(|secret| secret.name == "KEY").expect("declared");
        let (scheme, entry) = (secret.scheme.as_deref(), &secret.allow[0]);
        std::iter::once(granted(scheme, entry)).chain(sentences(scheme, entry)).collect()
    }

    #[test]
    fn each_place_of_a_value_is_said_in_words() {
        for (place, words) in [
            ("header:authorization", "the header `authorization`, after `Bearer` or alone"),
            ("header:x-api-key", "the header `x-api-key`"),
            ("header:authorization=token {}", "the header `authorization`, as `token {}`"),
            ("basic", "`Authorization: Basic`, as the user or the password"),
            ("basic=bot:{}", "`Authorization: Basic`, as the password of `bot`"),
            ("basic={}:x", "`Authorization: Basic`, as the user"),
            ("query:key", "the query parameter `key`"),
            ("path:/bot{}/**", "the path, as in `/bot{}/**`"),
            ("cookie:sid", "the cookie `sid`"),
            ("form:secret", "the field `secret` of a form"),
            ("json:/auth/key", "the field `/auth/key` of a JSON body"),
        ] {
            let said = said(&format!("[[secrets.KEY.allow]]\nhost = \"api.test\"\npaths = [\"/**\"]\nplace = [\"{place}\"]"));
            let granted = format!("which may go to api.test with GET /**, in {place}");
            assert_eq!(said, [granted, format!("the host replaces the placeholder with the value in {words}")], "{place}");
        }
        let two = said("[[secrets.KEY.allow]]\nhost = \"api.test\"\npaths = [\"/**\"]\nplace = [\"header:x\", \"query:k\"]\nattach = true");
        assert_eq!(
            two[1..],
            [
                "the host replaces the placeholder with the value in the header `x` or the query parameter `k`",
                "the host puts it in header:x by itself: any request of the agent to these paths is authenticated",
            ]
        );
    }

    #[test]
    fn each_scheme_is_said_in_words() {
        let grant = "[[secrets.KEY.allow]]\nhost = \"api.test\"\npaths = [\"/**\"]";
        let signed = "the host signs each such request that the agent's library signed with the placeholder";
        let cases: &[(&str, &[&str])] = &[
            (
                "hmac = { preset = \"binance\" }",
                &[
                    "(hmac, preset binance): HMAC-SHA256 over the query and the body, in hexadecimal, in query:signature or form:signature",
                    "the time in it is the host's own, in query:timestamp or form:timestamp, in milliseconds since 1970",
                    UNSIGNED,
                ],
            ),
            (
                "hmac = { preset = \"kraken\" }",
                &[
                    "(hmac, preset kraken): HMAC-SHA512 over the path and the SHA-256 of (the nonce and the body), in base64, in header:api-sign",
                    "the nonce in it is the host's own, in form:nonce or json:/nonce: it only rises, and is at least the time in milliseconds",
                    UNSIGNED,
                ],
            ),
            (
                "hmac = { algorithm = \"hmac-sha512\", input = \"{method}\\n{host}{header:x-a}\", encoding = \"hex\", signature = \"header:s\" }",
                &["(hmac): HMAC-SHA512 over the method, `\\n`, the host and the header `x-a`, in hexadecimal, in header:s", UNSIGNED],
            ),
        ];
        for (scheme, expected) in cases {
            let said = said(&format!("{scheme}\n{grant}"));
            assert_eq!(said[0], "which may sign requests to api.test with GET /**");
            assert_eq!(said[1], format!("{signed} {}", expected[0]));
            assert_eq!(said[2..], expected[1..], "{scheme}");
        }
        let attached = said(&format!("hmac = {{ preset = \"okx\" }}\n{grant}\nattach = true"));
        assert!(
            attached.last().is_some_and(|last| last.starts_with("the host also signs requests that have no signature")),
            "{attached:?}"
        );

        let token = said(&format!("jwt = {{ preset = \"coinbase-cdp\", key_id = \"k/1\" }}\n{grant}\nattach = true"));
        assert_eq!(token[0], "which may sign tokens for requests to api.test with GET /**, in header:authorization");
        assert!(token[1].contains("(jwt, preset coinbase-cdp)") && token[1].ends_with("the request in `uri`, good for 120 s"), "{token:?}");
        assert!(token[2].contains("by itself"), "{token:?}");

        let tokens = said(&format!(
            "oauth2 = {{ grant = \"refresh_token\", token_url = \"https://login.test/t\", client_id = \"bot\", scope = \"a b\" }}\n{grant}"
        ));
        assert_eq!(tokens[0], "whose access tokens may go to api.test with GET /**, in header:authorization");
        assert!(tokens[1].ends_with("it has the token from login.test as the client bot for the refresh token, for a b"), "{tokens:?}");
        assert!(
            tokens[2].contains("sends the request once more") && tokens[3].contains("written to the place of the old one"),
            "{tokens:?}"
        );

        let aws = said(&format!("sigv4 = {{ access_key_id = \"ID\", session_token = \"TOKEN\" }}\n{grant}"));
        assert!(aws[1].contains("(sigv4)") && aws[1].contains("with the access key ID ID and the session token TOKEN, for"), "{aws:?}");
        assert_eq!(aws[2], UNSIGNED);
    }
}
