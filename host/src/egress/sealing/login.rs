//! Whether a request logs in: then the session that comes back may be somebody else's account.

use crate::url::percent_decoded;

/// Names of what a login holds, and of grants of OAuth, as they stand in forms, JSON, multipart and headers.
const NAMES: &[&str] = &[
    "assertion",
    "client_assertion",
    "client_secret",
    "grant_type",
    "granttype",
    "id_token",
    "idtoken",
    "mfa",
    "otp",
    "passcode",
    "passphrase",
    "passwd",
    "password",
    "pin",
    "pwd",
    "refresh_token",
    "refreshtoken",
    "samlresponse",
    "totp",
    "user_password",
];

/// Whether a name of these stands in a text by itself, or a parameter `code` has a value.
pub(super) fn holds_login(text: &[u8]) -> bool {
    let plain = unescaped(&percent_decoded(&String::from_utf8_lossy(text))).to_ascii_lowercase();
    let is_part = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    let stands = |name: &str, ends: fn(&str) -> bool| {
        plain.match_indices(name).any(|(at, _)| {
            let end = at + name.len();
            !is_part(plain.as_bytes()[..at].last()) && !is_part(plain.as_bytes().get(end)) && ends(&plain[end..])
        })
    };
    let has_value = |rest: &str| {
        let rest = rest.trim_start_matches(['"', '\'', '\\', ' ', '\t', '\r', '\n']);
        rest.starts_with([':', '='])
    };
    NAMES.iter().any(|name| stands(name, |_| true)) || stands("code", has_value)
}

/// The text with `\u0061` read as `a`.
fn unescaped(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let mut parts = text.split("\\u");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let unit = part.get(..4).and_then(|digits| u32::from_str_radix(digits, 16).ok()).and_then(char::from_u32);
        match unit {
            Some(unit) => out.extend([unit.to_string().as_str(), &part[4..]]),
            None => out.extend(["\\u", part]),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_are_seen_in_forms_and_json_and_other_requests_are_none() {
        for login in [
            "user=eve&password=hunter2",
            r#"{"user":"eve","pass\u0077ord":"hunter2"}"#,
            "user=eve&p%61ssword=hunter2",
            "grant_type=authorization_code&x=1",
            r#"{ "code" : "4/0AX" }"#,
            "/callback?code=4%2F0AX&state=1",
            "Content-Disposition: form-data; name=\"pwd\"\r\n\r\nx",
        ] {
            assert!(holds_login(login.as_bytes()), "{login}");
        }
        for other in
            ["/v1/orders?page=2", r#"{"model":"m","messages":[{"role":"user","content":"Write code."}]}"#, "zip_codes=1", "passwords_list"]
        {
            assert!(!holds_login(other.as_bytes()), "{other}");
        }
    }
}
