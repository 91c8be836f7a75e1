//! Secrets under the names of their fields: where a value ends, and whether it looks like what its name speaks of.

use super::layouts::{BEFORE, Field};
use super::manifests::until_event;
use super::measure::Make;
use super::names::{self, Kind};
use super::{LEAST, LIMIT, Tail};
use std::ops::Range;

/// The secret that begins at `at` under this name, and how it goes on.
pub(super) fn secret(text: &[u8], at: usize, field: &Field<'_>) -> Option<(Range<usize>, Option<Tail>)> {
    let mut kind = names::kind(field.name)?;
    // `watchToken("…")` is given an asset, perhaps.
    if field.is_call && kind == Kind::Secret && names::is_mere_token(field.name) {
        kind = Kind::Token;
    }
    if kind == Kind::Session && !is_cookie(text, at) {
        return None;
    }
    let mut end = value_end(text, at);
    // Of a user in a URL the host follows.
    if field.of_url {
        end = memchr::memchr(b'@', &text[at..end]).map_or(end, |host| at + host);
    }
    let value = &text[at..end];
    // The name of a scheme, before what it has; and what somebody has shortened.
    let is_scheme = field.name.eq_ignore_ascii_case(b"authorization")
        && text.get(end) == Some(&b' ')
        && text.get(end + 1).is_some_and(u8::is_ascii_alphabetic);
    let is_cut = text[end..].starts_with(b"...") || text[end..].starts_with("…".as_bytes()) || text[end..].starts_with(b"\\u2026");
    // A function that is called.
    let is_call = text.get(end) == Some(&b'(');
    // What a function is called with may be what it looks for.
    let is_id_of_call = field.is_call && is_uuid(value);
    let is_public_key = || kind == Kind::Key && field.name.to_ascii_lowercase().ends_with(b"key") && is_public_key(value);
    (value.len() >= LEAST
        && !is_scheme
        && !is_cut
        && !is_call
        && !is_id_of_call
        && is_secret(kind, value, field.by_blank)
        && !is_public_key())
    .then(|| {
        // What people choose has any sign in it.
        if kind == Kind::Password {
            end = quoted_end(text, at).map_or(end, |quoted| quoted.max(end));
        }
        let goes_on = end == at + LIMIT;
        (at..end, goes_on.then_some(Tail::Token))
    })
}

/// Whether a value stands in a header of cookies, or in a list of them as browsers export it.
fn is_cookie(text: &[u8], at: usize) -> bool {
    let line = &text[at.saturating_sub(BEFORE)..at];
    let line = memchr::memrchr(b'\n', line).map_or(line, |end| &line[end..]);
    let after = until_event(&text[at..text.len().min(at + BEFORE)]);
    let after = &after[..memchr::memchr(b'}', after).unwrap_or(after.len())];
    let has = |part: &[u8], of: &[u8]| memchr::memmem::find(of, part).is_some();
    has(b"ookie", line) || [line, after].iter().any(|text| has(b"\"httpOnly\"", text) || has(b"\"sameSite\"", text))
}

/// Where the value ends that begins at `at`.
pub(super) fn value_end(text: &[u8], at: usize) -> usize {
    let rest = &text[at..text.len().min(at + LIMIT)];
    let quote = at.checked_sub(1).map(|before| text[before]).filter(|byte| matches!(byte, b'"' | b'\'' | b'`'));
    let ends = |(by, byte): (usize, &u8)| match *byte {
        0..=b' ' | b'"' | b'\'' | b'`' | b'\\' | b'<' | b'>' | 0x7f.. => true,
        b',' | b'(' | b')' | b'{' | b'}' | b'[' | b']' | b'|' => quote.is_none(),
        b'&' if text[at + by..].starts_with(b"&quot;") || text[at + by..].starts_with(b"&#") || text[at + by..].starts_with(b"&apos;") => {
            true
        }
        b'%' if matches!(text.get(at + by + 1..at + by + 3), Some(b"22" | b"26" | b"0A" | b"0a")) => true,
        // Another field follows.
        b'&' | b';' => quote.is_none() && is_field(&text[at + by + 1..]),
        _ => false,
    };
    let end = rest.iter().enumerate().position(|(by, byte)| ends((by, byte))).map_or(at + rest.len(), |by| at + by);
    let value = &text[at..end];
    // A sentence ends behind it, or a list goes on.
    at + value.len() - value.iter().rev().take_while(|byte| matches!(byte, b'.' | b':' | b';' | b'!' | b'?' | b',')).count()
}

/// Where the string ends in whose quotation mark the value stands that begins at `at`: in its line, and in what is looked at.
///
/// A mark in a string of a string has one, three or seven backslashes before it, by how deep it is; as many more make one of the value.
fn quoted_end(text: &[u8], at: usize) -> Option<usize> {
    let mark = *text[..at].last().filter(|byte| matches!(byte, b'"' | b'\'' | b'`'))?;
    let backslashes = |end: usize| text[at.saturating_sub(BEFORE)..end].iter().rev().take_while(|byte| **byte == b'\\').count();
    let depth = backslashes(at - 1);
    let line = &text[at..text.len().min(at + LIMIT)];
    let line = &line[..memchr::memchr2(b'\n', b'\r', line).unwrap_or(line.len())];
    let closes = |by: &usize| backslashes(at + by) % (2 * (depth + 1)) == depth;
    memchr::memchr_iter(mark, line).find(closes).map(|by| at + by - depth)
}

/// Whether a text begins with the name of a field and its sign, or with nothing that could belong to a value.
fn is_field(text: &[u8]) -> bool {
    let blank = text.iter().take(1).take_while(|byte| **byte == b' ').count();
    let name = text[blank..].iter().take(32).take_while(|byte| byte.is_ascii_alphanumeric() || b"_-. []".contains(byte)).count();
    match text.get(blank + name) {
        None => true,
        Some(byte) => *byte == b'=' || name == 0 && byte.is_ascii_control() || blank + name == 0 && matches!(byte, b'"' | b'\'' | b'\\'),
    }
}

/// Whether a value is the secret that its name speaks of.
fn is_secret(kind: Kind, value: &[u8], by_blank: bool) -> bool {
    let make = Make::of(value);
    let letters = make.lower + make.upper;
    let is_public = || is_address(value) || is_base58_key(value, make);
    let bits = make.surplus;
    let mixed = letters > 0 && make.digits > 0 || make.lower > 0 && make.upper > 0;
    // A word merely stands before it, and it may be another field.
    let assigns = || {
        let name = value.iter().take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')).count();
        value.get(name) == Some(&b'=') && value.get(name + 1).is_some_and(u8::is_ascii_alphanumeric)
    };
    if by_blank && (bits < 24 || make.digits == 0 || !mixed || assigns()) {
        return false;
    }
    let is_random = match kind {
        Kind::Password => mixed && (bits >= 12 || is_chosen(value, make)),
        Kind::Secret => (mixed && bits >= 18 || bits >= 28) && letters > 0 && !is_address(value),
        Kind::Session => mixed && bits >= 28 && make.length >= 20,
        Kind::Token => mixed && bits >= 18 && !is_public(),
        Kind::Named => make.length >= 16 && letters > 0 && make.digits > 0 && bits >= 18 && !is_address(value) && !is_uuid(value),
        // A commit has as many digits, and a number of an account is a UUID.
        Kind::Vendor => {
            make.length >= 24
                && mixed
                && bits >= 28
                && !is_public()
                && (make.beyond_hex > 0 && !is_uuid(value) || value.len() == 32 || make.upper > 0 && make.lower > 0)
        }
        Kind::Key => make.length >= 20 && letters > 0 && make.digits > 0 && bits >= 28 && !is_public() && !is_id(value, make),
    };
    // Last, for it looks at the value many times.
    is_random && !is_placeholder(value, make)
}

/// Least surplus of a chosen password with no other signs than `+`, `-` and `_`, in bits: names are joined so, too, and most of them have less.
const LEAST_JOINED: i32 = -16;

/// Whether somebody may have chosen a text as a password: letters with digits, and capitals among small letters or signs between.
fn is_chosen(value: &[u8], make: Make) -> bool {
    let signs = value.iter().filter(|byte| b"!@#$%^&*?".contains(byte)).count();
    // What programs call a thing.
    let is_name = value.iter().any(|byte| matches!(byte, b'.' | b'/' | b':' | b'(' | b'{' | b'['));
    let says_so = value.windows(8).any(|part| part.eq_ignore_ascii_case(b"password"));
    let is_joined = signs == 0 && make.signs > 0;
    let is_mixed = make.lower > 1 && make.digits > 0 && (make.upper > 0 || signs > 0);
    is_mixed && (!is_joined || make.surplus >= LEAST_JOINED) && make.length <= 40 && make.different > 7 && !is_name && !says_so
}

/// What stands where a secret would: words for one, masks, templates, rows of the alphabet.
pub(super) fn is_placeholder(value: &[u8], make: Make) -> bool {
    const WORDS: &[&[u8]] = &[
        b"example",
        b"xxxx",
        b"your",
        b"changeme",
        b"change-me",
        b"change_me",
        b"replace",
        b"placeholder",
        b"redacted",
        b"insert",
        b"dummy",
        b"****",
        b"....",
        b"1234567890",
        b"abcdefgh",
        b"process.env",
        b"os.environ",
        b"secrets.",
        b"config.",
        b"settings.",
        b"token_here",
        b"key_here",
        b"<",
        b"${",
        b"{{",
        b"$(",
        b"%s",
        b"://",
    ];
    /// What a hash begins with that names how it was made.
    const HASHES: &[&[u8]] = &[
        b"sha1:", b"sha256:", b"sha384:", b"sha512:", b"md5:", b"argon2:", b"pbkdf2", b"scrypt", b"bcrypt", b"sha256-", b"sha384-",
        b"sha512-",
    ];
    let is_hash = HASHES.iter().any(|scheme| value.starts_with(scheme));
    let holds = |word: &[u8]| value.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word));
    let is_flat = make.different < 8 || make.steps * 5 > make.length * 2;
    // What begins with these is published, or stands for a value that the host keeps.
    let is_reference = [&b"sr_"[..], b"pk_live_", b"pk_test_", b"phc_", b"sb_publishable_", b"pub-c-"].iter().any(|public| value.starts_with(public))
            || value[0] == b'$'
            // A path, and not base64, one of 64 of which begins so.
            || value.starts_with(b"/") && make.surplus < 18
            || value.starts_with(b"./");
    is_flat || is_hash || is_reference || is_repeated(value) || WORDS.iter().any(|word| holds(word))
}

/// Whether a text is some shorter one over and over.
fn is_repeated(value: &[u8]) -> bool {
    (1..=value.len() / 2).any(|by| by <= 16 && value[by..] == value[..value.len() - by])
}

/// An address of Ethereum, or what has as many digits: public.
fn is_address(value: &[u8]) -> bool {
    value.strip_prefix(b"0x").is_some_and(|digits| digits.len() == 40 && digits.iter().all(u8::is_ascii_hexdigit))
}

/// 32 bytes in base58, as the addresses of Solana are, and a hash with `0x`.
fn is_base58_key(value: &[u8], make: Make) -> bool {
    let is_hash = value.strip_prefix(b"0x").is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit));
    is_hash
        || (42..=44).contains(&value.len())
            && make.signs == 0
            && make.upper > 0
            && make.lower > 0
            && !value.iter().any(|byte| b"0OIl".contains(byte))
}

/// A UUID (RFC 9562), in hexadecimal or not.
fn is_uuid(value: &[u8]) -> bool {
    value.len() == 36 && value.split(|byte| *byte == b'-').map(<[u8]>::len).eq([8, 4, 4, 4, 12])
}

/// 32 or 33 bytes in base64, as public keys of elliptic curves are.
fn is_public_key(value: &[u8]) -> bool {
    let bare = value.strip_suffix(b"=").unwrap_or(value);
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_');
    (bare.len() == 43 || bare.len() == 44 && value.len() == 44) && bare.iter().all(is_part)
}

/// A hash in hexadecimal, a UUID, a path, a dotted name: also with hashes among its parts.
fn is_id(value: &[u8], make: Make) -> bool {
    let parts = value.split(|byte| matches!(byte, b'-' | b'.' | b'/' | b':' | b'_'));
    let longest = parts.filter(|part| !part.iter().all(u8::is_ascii_hexdigit)).map(<[u8]>::len).max().unwrap_or(0);
    make.beyond_hex == 0 || longest < 16 && make.signs > 0
}

#[cfg(test)]
pub(super) mod tests {
    use crate::{Rules, Scrubber, Search};
    use std::sync::Arc;

    /// Layouts in which `{}` is found.
    pub(in super::super) const LAYOUTS: &[&str] = &[
        "process.env.LEDGER_TOKEN || \"{}\"",
        "process.env.LEDGER_TOKEN ?? '{}'",
        "client.setLedgerToken(\"{}\")",
        ":api-token \"{}\"",
        "| ledger_token | {} |",
        "{ledger_token, \"{}\"}",
        "ledger_token <- \"{}\"",
        "Dim ledgerToken As String = \"{}\"",
        "ledger_tokens = [\"{}\"]",
        "ledger_tokens:\n  - {}",
        "**Ledger token:** {}",
        "The password is: {}",
        "Private Key: {}",
        "X-Ledger-Auth: {}",
        "ALTER USER ledger IDENTIFIED BY '{}';",
        "requests.get(url, auth=('joe', '{}'))",
        "keytool -genkey -storepass {}",
        "aws ssm put-parameter --name /ledger/api_token --value {}",
        "variable \"ledger_password\" {\n  type    = string\n  default = \"{}\"\n}",
        "{\"ledger_password\":{\"sensitive\":true,\"type\":\"string\",\"value\":\"{}\"}}",
        "{\"key\":\"ledger.token\",\"value\":{\"stringValue\":\"{}\"}}",
        "{\"value\":\"{}\",\"name\":\"LEDGER_TOKEN\"}",
        "<add value=\"{}\" key=\"LedgerToken\" />",
        "<ns2:ledgerToken xsi:type=\"xsd:string\">{}</ns2:ledgerToken>",
        "<key>LedgerToken</key>\n\t<string>{}</string>",
        "Content-Disposition: form-data; name=\"ledger_token\"\r\n\r\n{}\r\n--x",
        "[{\"name\":\"sessionid\",\"value\":\"{}\",\"httpOnly\":true}]",
        "Cookie: ASP.NET_SessionId={}",
    ];

    fn found(text: &str) -> Vec<String> {
        scrubber().find(text.as_bytes()).into_iter().map(|(kind, at)| format!("{kind} {}", &text[at])).collect()
    }

    fn scrubber() -> Scrubber {
        Scrubber::new(Arc::new(Search::new(Vec::new(), Some(Rules::standard()))), Vec::new())
    }

    #[test]
    fn what_stands_behind_a_value_is_looked_at_no_further_than_an_event() {
        let scrubber = Arc::new(scrubber());
        for text in [
            "value: \"x7Rt1Lb9Kc4Vn6Yf3Hd0}\nname: \"API_TOKEN\"\n",
            "\"value\": \"x7Rt1Lb9Kc4Vn6Yf3Hd0\",\n\n\"name\": \"API_TOKEN\"\n",
            "\"sid\": \"x7Rt1Lb9Kc4Vn6Yf3Hd0q7Zt8kLw\",\n\n\"httpOnly\": true, aaaa\n",
            "-----BEGIN PRIVATE KEY-----}\n-----END PRIVATE KEY-----\n",
            "-----BEGIN PRIVATE KEY-----\n\r\n-----END PRIVATE KEY-----\n",
            "-----BEGIN }\nPRIVATE KEY-----\n",
        ] {
            for cuts in [[1], [3], [30]] {
                crate::naive::compare(&scrubber, text.as_bytes(), &cuts);
            }
        }
        // Within an event both are at hand.
        for text in [
            "{\"value\": \"x7Rt1Lb9Kc4Vn6Yf3Hd0\", \"name\": \"API_TOKEN\"}\n",
            "{\"name\": \"sid\", \"value\": \"x7Rt1Lb9Kc4Vn6Yf3Hd0q7Zt8kLw\", \"httpOnly\": true}\n",
        ] {
            assert_eq!(found(text).len(), 1, "{text}");
        }
        assert_eq!(found("-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n"), Vec::<String>::new());
    }

    #[test]
    fn what_apis_say() {
        for text in [
            "WARN index: signed secret trace_id=21ea13193bb8ef650c0231ef3d62a427 span_id=21ea13193bb8ef65",
            r#"assert_eq!(token("799f9802-4fb6-430e-ad7a-852468a9dc33"), 1);"#,
            r#"{"@odata.nextLink":"https://graph.example.test/v1.0/users?$skiptoken=RFNwdAIAAQAAAB86YWRlbGV2QGNvbnRvc28uY29tKVVzZXJfNzQ2"}"#,
            r#"{"@odata.deltaLink":"https://graph.example.test/v1.0/users/delta?$deltatoken=oEcOySpF_hWYmTIUZBOIfPzcwisr_rPe8o9M54L45qEXQGmvQC6T"}"#,
            r#"{"$skipToken":"ew0KICAiJGlkIjogIjEiLA0KICAiTWF4Um93cyI6IDEwMDA"}"#,
            r#"{"id":"did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"}"#,
            r#"{"key_id":"568250167242549743","key":"2Sg8iYjAxxmI2LvUXpJjkYrMxURPc8r+dB7TJyvv1234"}"#,
            r#"{"key_id":"568250167242549743","key":"9vXr4sNp7q/Zt8kLw2mQ0dB3hJ6yU5cE1aT+oG4iWxM="}"#,
            r#"{"@type":"/cosmos.crypto.secp256k1.PubKey","key":"AjZ1mVbRq8Kp3nYw7tXc5LdG0hUe2JsF9oTiB4vMxQ6a"}"#,
            "https://dex.example.test/quote?fromToken=EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v&toToken=So2vKq7Zt8jLw3mQ9vXr4sNp7Rt2Lb9Kc4Vn6Yf3Hd5",
            r#"{"ClientToken":"3f1c9a52-7d0e-4c1b-9d7e-5a3b2c1d0e9f"}"#,
            r#"{"ClientRequestToken":"3f1c9a52-7d0e-4c1b-9d7e-5a3b2c1d0e9f"}"#,
            r#"{"replyToken":"0f3779fba3b349968c5d07db31eab56f"}"#,
            r#"<input type="hidden" name="authenticity_token" value="q7Zt8kLw2mQ9vXr4sNp7x7Rt1Lb9Kc4Vn6Yf3Hd0dB3hJ6yU5cE1aTQ" />"#,
            r#"<input type="hidden" name="_token" value="x7Rt1Lb9Kc4Vn6Yf3Hd0q7Zt8kLw2mQ9vXr4sNp7">"#,
            "<Key>uploads/9f86d081884c7d659a2feaa0c55ad015.png</Key>",
            r#"{"api_key":"phc_Q007bGNjvFuazd5XaXEJfA9gFNf-HOeycEIOeRkLkDQ"}"#,
            "https://o1.ingest.example.test/api/2/envelope/?sentry_key=c7a90d15fb3e4682ad9407e158bc236f&sentry_version=7",
            r#"{"data":"x7Rt1Lb9Kc4Vn6Yf3Hd0","id":"auth_event_token"}"#,
            r#"{"text":"x7Rt1Lb9Kc4Vn6Yf3Hd0","label":"Password"}"#,
            r#"{"value":"x7Rt1Lb9Kc4Vn6Yf3Hd0","id":"auth_event_token"}"#,
            r#"{"accounts":["0x1d8727df513fa2a8785d0834e40b34223daff1affc079574082baadb74b66ee4"]}"#,
            r#"watchToken("EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v")"#,
            r#"wallet.addToken("EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v")"#,
            r#"{"href":"https://api.example.test/v1/hooks/01J9ZK7Q4M8X2R5T6V3W0Y1B4N"}"#,
            r#"{"href":"https://api.example.test/v1/hooks/01j9zk7q4m8x2r5t6v3w0y1b4n"}"#,
            r#"{"publishableKey":"pk_prod_9YX1GLAC6WG20WGHNWA2NYGSW65C"}"#,
            r#"analytics.load("pk_prod_9YX1GLAC6WG20WGHNWA2NYGSW65C")"#,
            r#"<li id="sk-line-items-2f8a7b3c9d1e">"#,
            r#"etag: "md-VfJxd3DZh9J0epRRoLrRfP""#,
            r#"{"id":"ck_b8e802e83623ace74ae7ff984b79a6028e1164d0"}"#,
            r#"{"node":"dag_gOZf9iXQyUFaBr8GwemC9tL2vZWnNPXfUznDWbYi"}"#,
            r#"{"node":"at_gGhMFYFZK6_CYPdTH66uaBv0Y9lb9ZUs7EK5zf2IQm97L7Qd3ZQEe1pCY36LRqU3ypzqs2CxNPSjfMRFCVyV4TpZpHD"}"#,
            "GET /2010-04-01/Accounts/AC/Keys/SK1e7a529b81e195552d8503bec7418081.json",
            r#"subscribe({applicationServerKey: "BEl62iUYgUivxIkv69yViEuiBIa-Ib9-SkvMeAtA3LFgDzkrxZJjSgSnfckjBJuBkr3qBUYIHBQFLXYp5Nksh8U"})"#,
        ] {
            assert_eq!(found(text), Vec::<String>::new(), "{text}");
        }
        assert_eq!(found("LEDGER_SECRET=/etc/ledger/private/server-secret.pem"), Vec::<String>::new());
        for text in [
            r#"{"client_secret":"x7Rt1Lb9Kc4Vn6Yf3Hd0"}"#,
            r#"{"clientAccessToken":"x7Rt1Lb9Kc4Vn6Yf3Hd0"}"#,
            r#"{"device_auth_token":"x7Rt1Lb9Kc4Vn6Yf3Hd0"}"#,
            r#"{"refresh_token":"x7Rt1Lb9Kc4Vn6Yf3Hd0"}"#,
            r#"client.setAccessToken("EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v")"#,
            r#"{"courier_auth_token":"pk_prod_9YX1GLAC6WG20WGHNWA2NYGSW65C"}"#,
            r#"{"mandrill_api_key":"md-VfJxd3DZh9J0epRRoLrRfP"}"#,
            r#"{"consumer_key":"ck_b8e802e83623ace74ae7ff984b79a6028e1164d0"}"#,
            r#"{"private_key":"9vXr4sNp7q/Zt8kLw2mQ0dB3hJ6yU5cE1aT+oG4iWxM="}"#,
            r#"{"auth":"9vXr4sNp7q/Zt8kLw2mQ0dB3hJ6yU5cE1aT+oG4iWxM="}"#,
            "SENTRY_AUTH_TOKEN=x7Rt1Lb9Kc4Vn6Yf3Hd0",
            "LEDGER_SECRET=/x7Rt1Lb9Kc4Vn6Yf3Hd0+q7Zt8kLw2mQ=",
        ] {
            assert_eq!(found(text).len(), 1, "{text}");
        }
    }

    #[test]
    fn a_value_that_begins_with_a_known_key_and_goes_on_goes_whole() {
        let value = "AKIAMNVUVDIWR3CEQCOL/x7Rt1Lb9Kc4Vn6Yf3Hd0q7Zt8kLw2mQ";
        let all = found(&format!("LEDGER_SECRET={value}"));
        assert!(all.contains(&format!("secret-field {value}")), "{all:?}");
        assert_eq!(found("LEDGER_SECRET=AKIAMNVUVDIWR3CEQCOL"), ["aws-access-key-id AKIAMNVUVDIWR3CEQCOL"]);
    }

    #[test]
    fn a_private_key_is_found_whatever_it_belongs_to() {
        let digits = "4f3edf983ac636a65a842ce7c78d9aa706d3b113bce9c46f30d7d21715b23b1d";
        for name in ["CONTRACT_DEPLOYER_PRIVATE_KEY", "NODE_PRIVATE_KEY", "MINT_AUTHORITY_PRIVATE_KEY", "VERIFIER_PRIVATE_KEY"] {
            assert_eq!(found(&format!("{name}=0x{digits}")).len(), 1, "{name}");
        }
        let secret = "U3rM8tIH7IJRGvg5Mzh3eqRQ58vgtOVuSuEWeMtw";
        assert!(found(&format!("BUCKET_SECRET_ACCESS_KEY={secret}")).contains(&format!("aws-secret-access-key {secret}")));
        assert_eq!(found(&format!("NODE_PUBLIC_KEY=0x{digits}")), Vec::<String>::new());
    }

    #[test]
    fn a_value_is_found_in_the_layouts_of_programs_and_files() {
        let value = "x7Rt1Lb9Kc4Vn6Yf3Hd0";
        for layout in LAYOUTS {
            let text = layout.replace("{}", value);
            assert_eq!(found(&text).len(), 1, "{text}: {:?}", found(&text));
        }
        for text in [
            "computeHMACSignature('', 'test_secret') => 'f7f9bd47fb987337b5796fdc1fdb9ba221d0d5396814bfcaf9521f43fd8927fd'",
            "    checksum/secret: f7f9bd47fb987337b5796fdc1fdb9ba221d0d5396814bfcaf9521f43fd8927fd",
            "Verify password:\n    'sha1:67c9e60bb8b6:9ffede0825894254b2e042ea597d771089e11aed'",
            "psw = d2_pinball_score(y_true, y_pred)",
            "pkcs8.indexOf('-----BEGIN PRIVATE KEY-----') !== 0",
            "we add basic WebSocketSubjectOfTheKind9 to it",
            "engine = create_engine('oracle+cx_oracle://scott:tiger@127.0.0.1:1521/main')",
            "engine = create_engine('mysql+pymysql://some_user:some_pass@some_host/test')",
            "def test_MillisecondTimestampArithmetic():",
            "getSetting(\"x7Rt1Lb9Kc4Vn6Yf3Hd0\")",
            "<b>Ledger</b>x7Rt1Lb9Kc4Vn6Yf3Hd0",
            "Public Key: x7Rt1Lb9Kc4Vn6Yf3Hd0",
        ] {
            assert_eq!(found(text), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn what_is_passed_over_at_once_holds_no_secret() {
        let value = "x7Rt1Lb9Kc4Vn6Yf3Hd0";
        for word in [
            "secret",
            "api-token",
            "private_key",
            "dbPwd",
            "redis_psw",
            "psk",
            "senha",
            "PEPPER",
            "aws-creds",
            "bearer",
            "authSeed",
            "api_pat",
        ] {
            let expected = usize::from(word.len() > 4);
            assert_eq!(found(&format!("vault --name ledger/{word} --value {value}")).len(), expected, "{word}");
        }
        assert_eq!(found(&format!("tune --value {value}")), Vec::<String>::new());
        let key = "sk_HSQn7JEI-aaY7M_vP74Af50duybU4v8PiZcap_HGYUf";
        assert_eq!(found(&format!("sk_{key}")), [format!("sk-underscore-key {key}")]);
        let all = found("sqlsrv:Server=db1;Database=main;Password=7FaXh6gJCsgLTo");
        assert!(all.iter().any(|found| found.starts_with("pdo-connection-string ")), "{all:?}");
    }

    #[test]
    fn tables_of_numbers_are_no_key_pair() {
        let row = |numbers: Vec<u8>| format!("[{}]", numbers.iter().map(u8::to_string).collect::<Vec<_>>().join(","));
        let drawn: Vec<u8> = (0..64u32).map(|number| (number * 167 + 31) as u8).collect();
        assert!(!found(&row(drawn.clone())).is_empty());
        let mut sorted = drawn.clone();
        sorted.sort_unstable();
        assert_eq!(found(&row(sorted)), Vec::<String>::new());
        assert_eq!(found(&row(drawn.iter().map(|number| number % 64).collect())), Vec::<String>::new());
    }

    #[test]
    fn a_password_that_somebody_chose_is_one() {
        for value in ["ThisIsMyP@ssw0rd", "Summer2024!Holiday", "Tr0ub4dor-3-Correct-Horse", "Blue42-Mango_Rocket77"] {
            assert_eq!(found(&format!("admin_password = \"{value}\"")).len(), 1, "{value}");
        }
        for (text, value) in [
            (r#"password: "Summer2024!Holiday'sBest99""#, "Summer2024!Holiday'sBest99"),
            (r#"{"password":"Tr0ub4dor&3-Correct\\Horse9"}"#, r"Tr0ub4dor&3-Correct\\Horse9"),
            (r#"{"password":"Tr0ub4dor&3-Correct\"Horse9","a":"b"}"#, r#"Tr0ub4dor&3-Correct\"Horse9"#),
            (r#"{"password":"Tr0ub4dor&3-Correct!","a":"b"}"#, "Tr0ub4dor&3-Correct!"),
            (r#"{\"password\":\"Tr0ub4dor&3-Correct\\\"Horse9\",\"a\":1}"#, r#"Tr0ub4dor&3-Correct\\\"Horse9"#),
            ("password = 'Summer2024!Holiday and \"more\" 99' # a comment", "Summer2024!Holiday and \"more\" 99"),
            ("password = 'Summer2024!Holiday\nnext = 'x'", "Summer2024!Holiday"),
        ] {
            assert_eq!(found(text), [format!("secret-field {value}")], "{text}");
            let scrubber = Arc::new(scrubber());
            for cuts in [[1], [3], [30]] {
                crate::naive::compare(&scrubber, text.as_bytes(), &cuts);
            }
        }
        for value in ["form.fields.password2", "getUserPassword1By", "new-password-for-user", "passwordResetStep2"] {
            assert_eq!(found(&format!("password: \"{value}\"")), Vec::<String>::new(), "{value}");
        }
        for text in [
            r#"{"password":"Incorrect_password_401"}"#,
            r#"{"password":"Wrong-Password-2fa"}"#,
            r#""error.password": "Must-be-at-least-8-chars""#,
            r#"{"password":"Reset-Password-Link-24h"}"#,
            "password = passwordEncoder2_Encode",
            "newPassword: getValidator-2Strong",
            r#"password: "UserPassword_v2_Input""#,
            r#""pwd":"home-User_1-work2-Project""#,
        ] {
            assert_eq!(found(text), Vec::<String>::new(), "{text}");
        }
    }
}
