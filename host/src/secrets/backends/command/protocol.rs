//! What a command prints, by the protocol that the operator has said. None is guessed: a value that happens to be JSON is one.
//!
//! `json` is an object of ours, so it is read strictly: a member that is not known is a typing error, and `expires_at` misspelt would keep a
//! value in use that works no more. Times are RFC 3339, as in other programs that print credentials.

use super::super::Found;
use crate::json;
use crate::manifest::CommandProtocol;
use crate::secrets::SecretValue;
use regex::Regex;
use serde_json::value::RawValue;
use std::sync::LazyLock;
use zeroize::Zeroizing;

/// Most characters of what a command calls a version.
const MAX_VERSION: usize = 256;

/// Reads what a command printed. What is wrong with it is said without it, as the end of a sentence.
pub(super) fn read(protocol: CommandProtocol, output: Zeroizing<Vec<u8>>) -> Result<Found, &'static str> {
    match protocol {
        CommandProtocol::Json => object(&output),
        _ => raw(output),
    }
}

/// The value as it is; one line break at its end belongs to the terminal.
fn raw(mut output: Zeroizing<Vec<u8>>) -> Result<Found, &'static str> {
    let line = output.strip_suffix(b"\n").map(|line| line.strip_suffix(b"\r").unwrap_or(line).len());
    let end = line.unwrap_or(output.len());
    output.truncate(end);
    if output.is_empty() {
        return Err("it printed nothing");
    }
    Ok(Found::value(SecretValue::new(std::mem::take(&mut *output))))
}

fn object(output: &[u8]) -> Result<Found, &'static str> {
    let members = serde_json::from_slice::<&RawValue>(output).ok().and_then(json::members).ok_or("what it printed is not a JSON object")?;
    let (mut value, mut expires_at, mut version) = (None, None, None);
    for (name, found) in members {
        let (place, twice) = match name.as_str() {
            "value" => (&mut value, "the object that it printed has two members `value`"),
            "expires_at" => (&mut expires_at, "the object that it printed has two members `expires_at`"),
            "version" => (&mut version, "the object that it printed has two members `version`"),
            _ => return Err("the object that it printed has a member other than `value`, `expires_at` and `version`"),
        };
        if place.replace(found).is_some() {
            return Err(twice);
        }
    }
    let value = value.ok_or("the object that it printed has no `value`")?;
    let mut value = text(value).ok_or("the `value` that it printed is not a string")?;
    let expires_at = expires_at.map(|time| text(time).and_then(|time| end(&time)).ok_or(NO_TIME)).transpose()?;
    let version = version.map(|version| text(version).and_then(|version| label(&version)).ok_or(NO_VERSION)).transpose()?;
    let found = Found::value(SecretValue::new(std::mem::take(&mut *value)));
    Ok(Found { expires_at, version, ..found })
}

const NO_TIME: &str = "the `expires_at` that it printed is not a time of RFC 3339, as in \"2030-01-31T12:00:00Z\"";
const NO_VERSION: &str = "the `version` that it printed is not a string of 1 to 256 visible characters";

/// A JSON string, in memory that is wiped.
fn text(raw: &RawValue) -> Option<Zeroizing<String>> {
    serde_json::from_str(raw.get()).ok().map(Zeroizing::new)
}

/// A time as RFC 3339 has it, in seconds: what else a reader of times takes, this one does not.
fn end(text: &str) -> Option<u64> {
    static TIME: LazyLock<Regex> = LazyLock::new(|| {
        let form = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})$";
        Regex::new(form).expect("an expression")
    });
    let at: jiff::Timestamp = text.parse().ok().filter(|_| TIME.is_match(text))?;
    u64::try_from(at.as_second()).ok()
}

/// A version that may stand in records and on terminals.
fn label(text: &str) -> Option<String> {
    let clean = (1..=MAX_VERSION).contains(&text.chars().count()) && !text.chars().any(crate::text::is_unsafe);
    clean.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(protocol: CommandProtocol, output: &str) -> Result<Found, &'static str> {
        read(protocol, Zeroizing::new(output.as_bytes().to_vec()))
    }

    #[test]
    fn one_line_break_at_the_end_is_not_part_of_a_value() {
        for (output, value) in [
            ("abcdefgh", "abcdefgh"),
            ("abcdefgh\n", "abcdefgh"),
            ("abcdefgh\r\n", "abcdefgh"),
            ("abcdefgh\n\n", "abcdefgh\n"),
            ("abcdefgh\r", "abcdefgh\r"),
            (" a\nb \n", " a\nb "),
            ("{\"value\":\"x\"}\n", "{\"value\":\"x\"}"),
        ] {
            let found = of(CommandProtocol::Raw, output).expect("a value");
            assert!(found.value.equals(value.as_bytes()) && found.version.is_none() && found.expires_at.is_none(), "{output:?}");
        }
        for nothing in ["", "\n", "\r\n"] {
            assert_eq!(of(CommandProtocol::Raw, nothing).err(), Some("it printed nothing"));
        }
    }

    #[test]
    fn an_object_has_a_value_and_may_have_an_end_and_a_version() {
        let found =
            of(CommandProtocol::Json, " {\"version\":\"v7\",\"value\":\"a\\u0062c\\n\",\"expires_at\":\"2030-01-31T13:00:00.5+01:00\"}\n");
        let found = found.expect("an object");
        assert!(found.value.equals(b"abc\n"));
        assert_eq!((found.version.as_deref(), found.expires_at), (Some("v7"), Some(1_896_091_200)));
    }

    #[test]
    fn an_object_that_is_not_as_it_should_be_is_refused_without_being_quoted() {
        let secret = "pf_live_0123456789";
        for (output, says) in [
            ("pf_live_0123456789", "is not a JSON object"),
            ("", "is not a JSON object"),
            ("[\"pf_live_0123456789\"]", "is not a JSON object"),
            ("{\"value\":\"pf_live_0123456789\"} {}", "is not a JSON object"),
            ("{\"value\":\"pf_live_0123456789\"", "is not a JSON object"),
            ("{\"value\":\"pf_live_0123456789\",\"value\":\"other\"}", "two members `value`"),
            ("{\"value\":\"pf_live_0123456789\",\"v\\u0061lue\":\"other\"}", "two members `value`"),
            ("{\"value\":\"pf_live_0123456789\",\"version\":\"1\",\"version\":\"2\"}", "two members `version`"),
            ("{\"version\":\"pf_live_0123456789\"}", "has no `value`"),
            ("{\"value\":1234567890}", "is not a string"),
            ("{\"value\":null}", "is not a string"),
            ("{\"value\":{\"a\":\"pf_live_0123456789\"}}", "is not a string"),
            ("{\"value\":\"pf_live_0123456789\",\"expiresAt\":\"2030-01-31T12:00:00Z\"}", "a member other than"),
            ("{\"value\":\"pf_live_0123456789\",\"version\":7}", "the `version` that it printed"),
            ("{\"value\":\"pf_live_0123456789\",\"version\":\"\"}", "the `version` that it printed"),
            ("{\"value\":\"pf_live_0123456789\",\"version\":\"a\\u001b[2J\"}", "the `version` that it printed"),
        ] {
            let why = of(CommandProtocol::Json, output).expect_err(output);
            assert!(why.contains(says) && !why.contains(secret), "{output}: {why}");
        }
        for time in [
            "1800000000",
            "\"1800000000\"",
            "\"2030-01-31\"",
            "\"2030-01-31 12:00:00Z\"",
            "\"2030-01-31T12:00:00\"",
            "\"2030-01-31T12:00Z\"",
            "\"2030-02-31T12:00:00Z\"",
            "\"2030-01-31T12:00:00Z[UTC]\"",
            "\"1969-12-31T23:59:59Z\"",
            "null",
        ] {
            let why = of(CommandProtocol::Json, &format!("{{\"value\":\"{secret}\",\"expires_at\":{time}}}")).expect_err(time);
            assert!(why.contains("is not a time of RFC 3339"), "{time}: {why}");
        }
    }
}
