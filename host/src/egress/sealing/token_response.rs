//! What a token response holds (RFC 6749 5.1), as JSON or, as some servers answer, as a form: each text that may be a token, by its name.
//! Pure; what becomes of them is decided elsewhere.
//!
//! Which of the two it is, its own first byte says, not its `Content-Type`: client libraries don't all believe that either.

use super::Withheld;
use crate::json;
use crate::url::percent_decoded;
use jiff::Timestamp;
use serde_json::value::RawValue;
use std::ops::Range;
use zeroize::Zeroizing;

/// Most objects and lists within each other: more than any token response has.
const DEEPEST: usize = 16;
/// How the names of members end that hold something secret, by their letters.
const SECRET: &[&str] = &["token", "tokens", "secret", "password", "assertion", "jwt", "apikey", "privatekey"];
/// How those end that have `token` in them too, and say something about one.
const ABOUT: &[&str] = &["type", "scope", "scopes"];
/// Shortest text that is opaque.
const OPAQUE: usize = 16;

/// What a text of a token response is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Access,
    Refresh,
    Id,
    /// By its name a secret, of which nothing is known.
    Other,
}

/// What the name of a member says of what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Named {
    /// It is this.
    Is(Kind),
    /// It is a secret if it looks like one: `access_token_v2` is, `token_endpoint` is not.
    MayBe,
}

/// A text of a token response.
pub(super) struct Found {
    pub(super) kind: Kind,
    pub(super) text: Zeroizing<String>,
    /// Where it stands; in JSON with its quotation marks.
    pub(super) at: Range<usize>,
    /// Whether it stands in something else.
    pub(super) is_nested: bool,
}

/// What stands in a token response.
#[derive(Default)]
pub(super) struct TokenResponse {
    pub(super) found: Vec<Found>,
    pub(super) is_form: bool,
    /// What speaks against handing it on, though all be sealed that was found; it is no response of success then.
    pub(super) wrong: Option<Withheld>,
}

impl TokenResponse {
    /// Reads a body, whatever is wrong with it.
    pub(super) fn read(text: &str) -> Self {
        match text.trim_start().starts_with('{') {
            true => of_json(text),
            false => of_form(text),
        }
    }

    fn wrong(&mut self, why: Withheld) {
        self.wrong.get_or_insert(why);
    }

    /// Judges it as a whole: by its access token and the type of that, or by the error that it tells.
    fn judged(mut self, has_access: bool, token_type: Option<&str>, has_error: bool) -> Self {
        if !has_access && !has_error {
            self.wrong(Withheld::NoToken);
        }
        if !token_type.is_none_or(|kind| kind.eq_ignore_ascii_case("bearer")) {
            self.wrong(Withheld::TokenType);
        }
        self
    }
}

/// What a member of that name holds, if it is a secret.
fn named(name: &str) -> Option<Named> {
    let letters: String = name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    match letters.as_str() {
        "accesstoken" => Some(Named::Is(Kind::Access)),
        "refreshtoken" => Some(Named::Is(Kind::Refresh)),
        "idtoken" => Some(Named::Is(Kind::Id)),
        letters if SECRET.iter().any(|end| letters.ends_with(end)) => Some(Named::Is(Kind::Other)),
        letters => (letters.contains("token") && !ABOUT.iter().any(|end| letters.ends_with(end))).then_some(Named::MayBe),
    }
}

/// What a text is under such a name.
fn kind(named: Option<Named>, text: &str) -> Option<Kind> {
    match named? {
        Named::Is(kind) => Some(kind),
        Named::MayBe => is_opaque(text).then_some(Kind::Other),
    }
}

/// Whether a text is long and says nothing: no sentence, no time, no URL.
fn is_opaque(text: &str) -> bool {
    let is_address = text.contains("://") || text.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("urn:"));
    text.len() >= OPAQUE && text.bytes().all(|byte| byte.is_ascii_graphic()) && !is_address && text.parse::<Timestamp>().is_err()
}

fn of_json(text: &str) -> TokenResponse {
    let mut response = TokenResponse::default();
    let whole: Option<&RawValue> = serde_json::from_str(text).ok();
    let Some(members) = whole.and_then(json::members) else {
        response.wrong(Withheld::NotTokens);
        return response;
    };
    let string = |name: &str| {
        let member = members.iter().find(|(known, _)| known == name).map(|(_, value)| value.get());
        member.map(|raw| serde_json::from_str::<String>(raw).unwrap_or_default())
    };
    let is_there = |name: &str| string(name).is_some_and(|text| !text.is_empty());
    let (has_access, token_type, has_error) = (is_there("access_token"), string("token_type"), is_there("error"));
    of_members(text, &members, None, DEEPEST, &mut response);
    response.judged(has_access, token_type.as_deref(), has_error)
}

fn of_members(text: &str, members: &[(String, &RawValue)], within: Option<Named>, depth: usize, response: &mut TokenResponse) {
    for (at, (name, value)) in members.iter().enumerate() {
        if members[..at].iter().any(|(known, _)| known == name) {
            response.wrong(Withheld::Twice);
        }
        let named = if let Some(Named::Is(_)) = within { within } else { named(name).or(within) };
        of_value(text, value, named, depth, response);
    }
}

fn of_value(text: &str, value: &RawValue, named: Option<Named>, depth: usize, response: &mut TokenResponse) {
    let raw = value.get();
    // What stands in a secret that is no text is one of which nothing is known.
    let within = named.map(|named| if named == Named::MayBe { named } else { Named::Is(Kind::Other) });
    match (raw.as_bytes().first(), named) {
        (Some(b'{' | b'['), _) if depth == 0 => response.wrong(Withheld::NotTokens),
        (Some(b'{'), _) => match json::members(value) {
            Some(members) => of_members(text, &members, within, depth - 1, response),
            None => response.wrong(Withheld::NotTokens),
        },
        (Some(b'['), _) => match json::elements(value) {
            Some(elements) => elements.into_iter().for_each(|value| of_value(text, value, within, depth - 1, response)),
            None => response.wrong(Withheld::NotTokens),
        },
        (Some(b'"'), Some(_)) => match serde_json::from_str::<String>(raw) {
            Ok(string) if string.is_empty() => {}
            Ok(string) => {
                let Some(kind) = kind(named, &string) else { return };
                // The value is a part of the text.
                let start = raw.as_ptr() as usize - text.as_ptr() as usize;
                let is_nested = depth < DEEPEST;
                response.found.push(Found { kind, text: Zeroizing::new(string), at: start..start + raw.len(), is_nested });
            }
            Err(_) => response.wrong(Withheld::NotTokens),
        },
        // Text alone has a placeholder.
        (Some(b'-' | b'0'..=b'9'), Some(Named::Is(Kind::Access | Kind::Refresh | Kind::Id))) => response.wrong(Withheld::NoToken),
        _ => {}
    }
}

fn of_form(text: &str) -> TokenResponse {
    let mut response = TokenResponse { is_form: true, ..TokenResponse::default() };
    let text = text.trim_end();
    // What readers take for the end of a pair, or of the form, is in none.
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !b";<>\"\\^`{|}".contains(&byte);
    if text.is_empty() || !text.bytes().all(is_plain) {
        response.wrong(Withheld::NotTokens);
    }
    let decoded = |text: &str| String::from_utf8(percent_decoded(&text.replace('+', " ")));
    let mut names: Vec<String> = Vec::new();
    let (mut has_access, mut token_type, mut has_error, mut start) = (false, None, false, 0);
    for pair in text.split('&') {
        let from = start;
        start += pair.len() + 1;
        let (Some((name, value)), true) = (pair.split_once('='), response.wrong.is_none_or(|why| !matches!(why, Withheld::NotTokens)))
        else {
            response.wrong(Withheld::NotTokens);
            continue;
        };
        let (Ok(name), Ok(string)) = (decoded(name).map(|name| name.trim().to_owned()), decoded(value)) else {
            response.wrong(Withheld::NotTokens);
            continue;
        };
        match name.as_str() {
            "access_token" => has_access |= !string.is_empty(),
            "token_type" => token_type = Some(string.clone()),
            "error" => has_error |= !string.is_empty(),
            _ => {}
        }
        if let (Some(kind), false) = (kind(named(&name), &string), string.is_empty()) {
            let at = from + pair.len() - value.len()..from + pair.len();
            response.found.push(Found { kind, text: Zeroizing::new(string), at, is_nested: false });
        }
        if names.contains(&name) {
            response.wrong(Withheld::Twice);
        }
        names.push(name);
    }
    response.judged(has_access, token_type.as_deref(), has_error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<(Kind, String)> {
        let response = TokenResponse::read(text);
        response.found.iter().for_each(|found| assert!(!found.at.is_empty() && text.get(found.at.clone()).is_some(), "{text}"));
        response.found.into_iter().map(|found| (found.kind, found.text.to_string())).collect()
    }

    fn wrong(text: &str) -> Option<Withheld> {
        TokenResponse::read(text).wrong
    }

    #[test]
    fn tokens_are_found_by_their_names_at_any_depth_and_in_either_form() {
        use Kind::{Access, Id, Other, Refresh};
        let owned = |kind, text: &str| (kind, text.to_owned());
        for (text, found) in [
            (r#"{"access_token":"a\u0062","token_type":"Bearer","expires_in":3600}"#, vec![owned(Access, "ab")]),
            (
                r#"{"\u0061ccess_token":"x","refresh_token":"y","id_token":"z"}"#,
                vec![owned(Access, "x"), owned(Refresh, "y"), owned(Id, "z")],
            ),
            (r#"{"access_token":"x","authed_user":{"access_token":"u","id":"U1"}}"#, vec![owned(Access, "x"), owned(Access, "u")]),
            (r#"{"access_token":"x","device_secret":"y","issued_token_type":"t"}"#, vec![owned(Access, "x"), owned(Other, "y")]),
            (r#"{"access_token":"x","tokens":["a",{"any":"b"}]}"#, vec![owned(Access, "x"), owned(Other, "a"), owned(Other, "b")]),
            (r#"{"access_token":"x","refresh_token":null,"id_token":""}"#, vec![owned(Access, "x")]),
            ("access_token=a%62%2B&scope=repo%2Cgist&token_type=bearer\n", vec![owned(Access, "ab+")]),
            ("scope=&refresh%5Ftoken=y&access_token=x", vec![owned(Refresh, "y"), owned(Access, "x")]),
        ] {
            assert_eq!((kinds(text), wrong(text).is_none()), (found, true), "{text}");
        }
    }

    #[test]
    fn what_has_token_in_its_name_and_looks_like_one_is_found() {
        const LONG: &str = "v2-5bQ9zX2kLm7Rt4VwPs8Jc1";
        let of = |member: &str| kinds(&format!("{{\"access_token\":\"x\",{member}}}")).split_off(1);
        let found = vec![(Kind::Other, LONG.to_owned())];
        for name in ["accessTokenV2", "access_token_v2", "token_2", "tokenValue", "session-token-id"] {
            assert_eq!(of(&format!("\"{name}\":\"{LONG}\"")), found, "{name}");
            assert_eq!(kinds(&format!("access_token=x&{name}={LONG}")).split_off(1), found, "{name}");
        }
        assert_eq!(of(&format!("\"token_info\":{{\"value\":[\"{LONG}\",\"short\"],\"token_type\":\"Bearer\"}}")), found);
        assert_eq!(of("\"token_info\":{\"secret\":\"abc\"}"), vec![(Kind::Other, "abc".to_owned())]);
        for about in [
            "\"issued_token_type\":\"urn:ietf:params:oauth:token-type:access_token\"",
            "\"tokenType\":\"of-a-kind-with-a-long-name\"",
            "\"token_scope\":\"repository-contents-read\"",
            "\"token_expires_at\":\"2026-11-30T05:14:43.000Z\"",
            "\"token_endpoint\":\"https://login.test/token-5bQ9zX2kLm7Rt4VwPs8Jc1\"",
            "\"token_note\":\"a sentence is no token\"",
            "\"token_status\":\"active\"",
            "\"token_number\":1234567890123456789",
        ] {
            assert_eq!(of(about), vec![], "{about}");
        }
    }

    #[test]
    fn what_is_no_token_response_is_told() {
        let deep = format!("{{\"access_token\":\"x\",\"a\":{}{}}}", "[".repeat(20), "]".repeat(20));
        for text in [
            "",
            "<p>access_token=x</p>",
            "[\"x\"]",
            "{\"access_token\":\"x\"",
            "access_token",
            "a=1;access_token=x",
            "access_token=x\ny=z",
            "access_token=%FF",
            "\u{feff}{\"access_token\":\"x\"}",
            &deep,
        ] {
            assert!(matches!(wrong(text), Some(Withheld::NotTokens)), "{text}");
        }
        for text in
            [r#"{"access_token":12345678}"#, r#"{"data":{"access_token":"x"}}"#, "scope=x&token_type=bearer", r#"{"access_token":null}"#]
        {
            assert!(matches!(wrong(text), Some(Withheld::NoToken)), "{text}");
        }
        for text in
            [r#"{"access_token":"x","access_token":"y"}"#, "access_token=x&access%5Ftoken=y", r#"{"access_token":"x","a":{"b":1,"b":2}}"#]
        {
            assert!(matches!(wrong(text), Some(Withheld::Twice)), "{text}");
        }
        for text in
            [r#"{"access_token":"x","token_type":"DPoP"}"#, r#"{"access_token":"x","token_type":1}"#, "access_token=x&token_type=mac"]
        {
            assert!(matches!(wrong(text), Some(Withheld::TokenType)), "{text}");
        }
        for text in [r#"{"error":"authorization_pending"}"#, "error=bad_verification_code&error_description=x"] {
            assert!(wrong(text).is_none(), "an error: {text}");
        }
    }
}
