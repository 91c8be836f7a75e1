//! The one fold for names of parameters and fields: two names are alike where some server takes them for one.
//!
//! Servers trim blanks, dots and NULs, cut `[…]` off, read `.`, blanks, `+`, `-` and an unclosed `[` as `_`, and ignore case. So all that
//! is compared of a name is its letters and digits, in two readings: up to a bracket, and as a whole.

use super::percent_decoded;

/// Most letters and digits of a name that are compared: longer than any known one.
const LONGEST: usize = 64;

/// Parameters by which servers let a client override the method, by their letters.
const OVERRIDES: &[&str] = &[
    "httpmethod",
    "httpmethodoverride",
    "httpverb",
    "httpverboverride",
    "methodoverride",
    "overridemethod",
    "verboverride",
    "xhttpmethod",
    "xhttpmethodoverride",
    "xhttpverb",
    "xhttpverboverride",
    "xmethodoverride",
];

/// Parameters that hold a credential, by their letters; and those that end so (`x-amz-signature`, `user_token`).
const CREDENTIALS: &[&str] = &[
    "appid",
    "appkey",
    "auth",
    "authkey",
    "authorization",
    "awsaccesskeyid",
    "bearer",
    "consumerkey",
    "credential",
    "credentials",
    "devkey",
    "googleaccessid",
    "hapikey",
    "jwt",
    "licensekey",
    "oauthconsumerkey",
    "ocpapimsubscriptionkey",
    "passphrase",
    "passwd",
    "password",
    "pwd",
    "secret",
    "servicekey",
    "sessionid",
    "sig",
    "signature",
    "subscriptionkey",
    "token",
    "userkey",
];
const CREDENTIAL_ENDS: &[&str] = &[
    "accesskey",
    "accesskeyid",
    "apikey",
    "apisig",
    "authtoken",
    "credential",
    "password",
    "privatekey",
    "secret",
    "secretkey",
    "signature",
    "token",
];

/// What stands before `token` where it is a place in a list, a number for one request, or a guard against forged ones: no credential.
const HARMLESS_TOKENS: &[&str] = &[
    "after",
    "before",
    "cancel",
    "change",
    "client",
    "clientrequest",
    "concurrency",
    "continuation",
    "continue",
    "csrf",
    "cursor",
    "delta",
    "forward",
    "idempotency",
    "marker",
    "max",
    "min",
    "next",
    "nextpage",
    "nextsync",
    "page",
    "pagination",
    "paging",
    "previous",
    "prev",
    "prevpage",
    "query",
    "request",
    "resume",
    "resumption",
    "scroll",
    "skip",
    "starting",
    "sync",
    "watermark",
    "xsrf",
];

/// Parameters that are a credential in one API and a name in another: their values decide.
const AMBIGUOUS: &[&str] = &["key", "sid", "session", "pass", "apiid", "accesscode"];

/// Shortest credential of an API; object names of that length without a dot or a slash are rare.
const SHORTEST_KEY: usize = 16;

/// Whether servers may take two header names for one: those of the CGI family read `x_api_key` as `x-api-key`.
pub(crate) fn same_header(a: &str, b: &str) -> bool {
    let fold = |byte: u8| if byte == b'_' { b'-' } else { byte };
    a.len() == b.len() && a.bytes().zip(b.bytes()).all(|(a, b)| fold(a) == fold(b))
}

/// A name as servers may read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name {
    /// Its letters and digits up to a bracket that does not open it, and all of them.
    stem: String,
    whole: String,
    /// Whether something stands before the first letter that a server may read as `_`.
    marked: bool,
}

impl Name {
    /// Reads a name as it stands in a URL or in a form.
    pub(crate) fn encoded(text: &str) -> Self {
        let mut decoded = percent_decoded(text);
        // Some proxies decode once more than the server's own code expects.
        for _ in 0..2 {
            if !decoded.contains(&b'%') {
                break;
            }
            decoded = percent_decoded(&String::from_utf8_lossy(&decoded));
        }
        Self::plain(&String::from_utf8_lossy(&decoded))
    }

    /// Reads a name as it is.
    pub(crate) fn plain(text: &str) -> Self {
        let (mut stem, mut whole) = (String::new(), String::new());
        let (mut marked, mut cut) = (false, false);
        for c in text.chars().flat_map(folded) {
            if whole.len() > LONGEST {
                break;
            }
            if c.is_alphanumeric() {
                whole.push(c);
                if !cut {
                    stem.push(c);
                }
            } else if whole.is_empty() {
                marked |= !matches!(c, '\0' | '\r' | '\n');
            } else {
                cut |= matches!(c, '[' | '\0');
            }
        }
        Self { stem, whole, marked }
    }

    /// Whether a server may take both for one name.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        let is = |a: &str, b: &str| !a.is_empty() && a == b;
        is(&self.stem, &other.stem) || is(&self.whole, &other.stem) || is(&self.stem, &other.whole) || is(&self.whole, &other.whole)
    }

    /// A short spelling of the name, as far as it was read; `None` where it is longer than any known one.
    pub(crate) fn short(&self) -> Option<String> {
        let mark = if self.marked { "_" } else { "" };
        (self.whole.len() <= LONGEST).then(|| format!("{mark}{}", self.whole))
    }

    fn is_any(&self, known: impl Fn(&str) -> bool) -> bool {
        known(&self.stem) || known(&self.whole)
    }

    /// Whether a server may read the method out of a parameter of this name.
    pub(crate) fn overrides_method(&self) -> bool {
        let is_method = |name: &str| self.marked && (name == "method" || name == "verb");
        self.is_any(|name| is_method(name) || OVERRIDES.contains(&name))
    }

    /// Whether a parameter of this name and value holds a credential, as APIs read it.
    pub(crate) fn is_credential(&self, value: &str) -> bool {
        !value.is_empty() && self.is_any(|name| is_credential_name(name) || AMBIGUOUS.contains(&name) && looks_like_a_key(value))
    }
}

/// Whether two names are alike, where both are such as nearly all are: letters and digits of ASCII, joined by what every reader reads alike.
/// The same as by [`Name`], without a text being made.
pub(super) fn plainly_alike(a: &str, b: &str) -> Option<bool> {
    let is_plain = |name: &str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.~".contains(&b));
    (is_plain(a) && is_plain(b)).then(|| kept(a).next().is_some() && kept(a).eq(kept(b)))
}

/// Whether a server may read the method out of a parameter of this name, where the name is one that every reader reads alike. The same as by
/// [`Name`], without a text being made.
pub(crate) fn plainly_overrides_method(name: &[u8]) -> Option<bool> {
    let is_plain = name.iter().all(|b| b.is_ascii_alphanumeric() || b"-_.~".contains(b));
    let letters = || name.iter().filter(|b| b.is_ascii_alphanumeric()).map(u8::to_ascii_lowercase);
    let is = |known: &str| letters().eq(known.bytes());
    let is_marked = name.first().is_some_and(|first| !first.is_ascii_alphanumeric());
    is_plain.then(|| is_marked && (is("method") || is("verb")) || OVERRIDES.iter().any(|known| is(known)))
}

/// The letters and digits of a plain name that are compared.
fn kept(name: &str) -> impl Iterator<Item = u8> {
    name.bytes().filter(u8::is_ascii_alphanumeric).map(|b| b.to_ascii_lowercase()).take(LONGEST + 1)
}

fn is_credential_name(name: &str) -> bool {
    if let Some(before) = name.strip_suffix("token")
        && HARMLESS_TOKENS.contains(&before)
    {
        return false;
    }
    CREDENTIALS.contains(&name) || CREDENTIAL_ENDS.iter().any(|end| name.ends_with(end))
}

/// Whether a value of a parameter such as `key` is a credential and no name of a thing: a word of some length without dots and slashes.
fn looks_like_a_key(value: &str) -> bool {
    let value = percent_decoded(value);
    value.len() >= SHORTEST_KEY && value.iter().all(|b| b.is_ascii_alphanumeric() || b"-_=+:~".contains(b))
}

/// A character as a reader that ignores case and width takes it.
pub(crate) fn folded(c: char) -> impl Iterator<Item = char> {
    let narrow = match u32::from(c) {
        wide @ 0xff01..=0xff5e => char::from_u32(wide - 0xfee0).unwrap_or(c),
        _ => c,
    };
    narrow.to_uppercase().flat_map(char::to_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_alike_where_a_server_may_take_them_for_one() {
        for alike in [
            "api_key",
            "API_KEY",
            "apiKey",
            "api.key",
            "api-key",
            "api+key",
            "api%20key",
            ".api_key",
            "%20api_key",
            "api_key%20",
            "api_key.",
            "[api_key]",
            "api_key[]",
            "api_key[0]",
            "api[key",
            "api_key%00x",
            "%00api_key",
            "%61pi_key",
            "%2561pi_key",
            "api_%EF%BD%8Bey",
            "api_\u{212a}ey",
            "_api_key",
        ] {
            assert!(Name::encoded(alike).is_like(&Name::encoded("api_key")), "{alike}");
        }
        for other in ["api_keys", "my_api_key", "api", "key", "", "_", "a[api_key_x]"] {
            assert!(!Name::encoded(other).is_like(&Name::encoded("api_key")), "{other}");
        }
        assert!(!Name::encoded("_").is_like(&Name::encoded("%20")), "names without letters are not alike");
    }

    #[test]
    fn plain_names_are_alike_as_all_names_are() {
        let long = "k".repeat(LONGEST);
        let longer = [64, 65, 66, 67].map(|length| "k".repeat(length));
        let mut names = vec!["", "_", "-.", "api_key", "API-KEY", "apikey", "api.key_", "~apikey", "api_keys", "a", "A", "1", &long];
        names.extend(longer.iter().map(String::as_str));
        names.extend(["api%5Fkey", "api_key[]", "\u{212a}"]);
        for (a, b) in names.iter().flat_map(|a| names.iter().map(move |b| (*a, *b))) {
            let alike = Name::encoded(a).is_like(&Name::encoded(b));
            assert!(plainly_alike(a, b).is_none_or(|plainly| plainly == alike), "{a} {b}");
        }
        assert_eq!((plainly_alike("a", "b[]"), plainly_alike("api_key", "ApiKey")), (None, Some(true)));
    }

    #[test]
    fn overrides_are_known_in_every_spelling_and_ordinary_names_are_none() {
        for yes in [
            "_method",
            ".method",
            "%20_method",
            "+_method",
            "_METHOD",
            "%5Fmethod",
            "_method%00",
            "_method[]",
            "[_method]",
            "-method",
            "x-http-method-override",
            "X-HTTP-Method",
            "_HttpMethod",
            "http_method_override",
            "_method.",
            "\u{ff3f}method",
            "x_method_override",
            "%255fmethod",
        ] {
            assert!(Name::encoded(yes).overrides_method(), "{yes}");
        }
        for no in ["method", "payment_method", "methods", "shipping[method]", "_methods", "http_methods", "", "_", "\0method"] {
            assert!(!Name::encoded(no).overrides_method(), "{no}");
        }
    }

    #[test]
    fn credentials_are_told_from_places_in_lists() {
        for yes in [
            "access_token",
            "api_key",
            "apikey",
            "apiKey",
            ".access_token",
            "access_token[]",
            "token",
            "auth",
            "sig",
            "x-amz-signature",
            "X-Goog-Credential",
            "client_secret",
            "AWSAccessKeyId",
            "X-Amz-Security-Token",
            "oauth_token",
            "refreshToken",
            "password",
            "subscription-key",
            "appid",
            "sessionid",
            "x_api_key",
        ] {
            assert!(Name::encoded(yes).is_credential("x"), "{yes}");
        }
        for no in [
            "page_token",
            "pageToken",
            "next_token",
            "NextToken",
            "continuation_token",
            "continuation-token",
            "ContinuationToken",
            "idempotency_key",
            "idempotencyKey",
            "sync_token",
            "nextSyncToken",
            "skiptoken",
            "$skiptoken",
            "ClientToken",
            "partition_key",
            "sort_key",
            "author",
            "max_tokens",
            "signed",
            "q",
            "csrf_token",
        ] {
            assert!(!Name::encoded(no).is_credential("0123456789abcdef0123456789abcdef"), "{no}");
        }
        let key = Name::encoded("key");
        assert!(key.is_credential("AIzaSyD-0123456789abcdefghijklmnopqrstu"));
        for name in ["", "users", "photos/2026/11/a-long-name-of-an-object.jpg", "backup-2026-11-28.tar"] {
            assert!(!key.is_credential(name), "{name}");
        }
        assert!(!Name::encoded("access_token").is_credential(""), "an empty one is none");
    }
}
