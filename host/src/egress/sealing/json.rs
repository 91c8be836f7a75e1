//! Where a JSON document has the strings that a pointer names (RFC 6901, with `*` for any one token).

use super::Withheld;
use crate::json;
use serde_json::value::RawValue;
use std::ops::Range;

/// A string of a document.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Field {
    /// Where it stands, its quotation marks included.
    pub(super) at: Range<usize>,
    pub(super) text: String,
}

/// The strings that a pointer leads to: each member of a name that stands twice, and each element that `*` stands for. Strings without
/// a byte, and `null`, hold nothing.
///
/// # Errors
/// Where the text is no JSON, where something on the way is not there, or where what is there is no string.
pub(super) fn find(text: &str, tokens: &[String]) -> Result<Vec<Field>, Withheld> {
    let whole: &RawValue = serde_json::from_str(text).map_err(|_| Withheld::NotJson)?;
    let mut found = Vec::new();
    walk(text, whole, tokens, &mut found)?;
    Ok(found)
}

fn walk(text: &str, value: &RawValue, tokens: &[String], found: &mut Vec<Field>) -> Result<(), Withheld> {
    let raw = value.get();
    let Some((token, rest)) = tokens.split_first() else {
        return match raw.as_bytes() {
            b"null" | b"\"\"" => Ok(()),
            [b'"', ..] => {
                // The value is a part of the text.
                let start = raw.as_ptr() as usize - text.as_ptr() as usize;
                let string = serde_json::from_str(raw).map_err(|_| Withheld::NotJson)?;
                found.push(Field { at: start..start + raw.len(), text: string });
                Ok(())
            }
            _ => Err(Withheld::Missing),
        };
    };
    let inside: Vec<&RawValue> = match raw.as_bytes().first() {
        Some(b'{') => {
            let members = json::members(value).ok_or(Withheld::NotJson)?;
            members.into_iter().filter(|(name, _)| token == "*" || name == token).map(|(_, value)| value).collect()
        }
        Some(b'[') => {
            let elements = json::elements(value).ok_or(Withheld::NotJson)?;
            let is_named = |at: usize| token == "*" || *token == at.to_string();
            elements.into_iter().enumerate().filter(|(at, _)| is_named(*at)).map(|(_, value)| value).collect()
        }
        _ => return Err(Withheld::Missing),
    };
    // A list may be empty; what has a name has to be there.
    if inside.is_empty() && token != "*" {
        return Err(Withheld::Missing);
    }
    inside.into_iter().try_for_each(|value| walk(text, value, rest, found))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, pointer: &str) -> Result<Vec<String>, Withheld> {
        let tokens: Vec<String> = pointer[1..].split('/').map(str::to_owned).collect();
        let found = find(text, &tokens)?;
        found.iter().for_each(|field| assert_eq!(serde_json::from_str::<String>(&text[field.at.clone()]).ok().as_ref(), Some(&field.text)));
        Ok(found.into_iter().map(|field| field.text).collect())
    }

    #[test]
    fn a_pointer_leads_to_every_string_that_it_names() {
        for (text, pointer, strings) in [
            (r#" {"a":1.0, "token" : "x\u0041" } "#, "/token", vec!["xA"]),
            (r#"{"token":"one","token":"two"}"#, "/token", vec!["one", "two"]),
            (r#"{"\u0074oken":"one"}"#, "/token", vec!["one"]),
            (r#"{"tokens":[{"value":"a"},{"value":"b"}]}"#, "/tokens/*/value", vec!["a", "b"]),
            (r#"{"tokens":[{"value":"a"},{"value":"b"}]}"#, "/tokens/1/value", vec!["b"]),
            (r#"{"tokens":{"x":"a","y":"b"}}"#, "/tokens/*", vec!["a", "b"]),
            (r#"{"tokens":[]}"#, "/tokens/*/value", vec![]),
            (r#"{"token":null}"#, "/token", vec![]),
            (r#"["a"]"#, "/0", vec!["a"]),
        ] {
            assert_eq!(found(text, pointer).expect(text), strings, "{text}");
        }
    }

    #[test]
    fn what_is_not_there_is_told() {
        for (text, pointer) in [
            (r#"{"data":{"token":"x"}}"#, "/token"),
            (r#"{"tokens":[{"value":"a"},{"secret":"b"}]}"#, "/tokens/*/value"),
            (r#"{"token":12345678}"#, "/token"),
            (r#"{"token":{"value":"x"}}"#, "/token"),
            (r#"{"Token":"x"}"#, "/token"),
            ("null", "/token"),
        ] {
            assert!(matches!(found(text, pointer), Err(Withheld::Missing)), "{text}");
        }
        for text in
            ["access_token=x&scope=y", "<token>x</token>", r#"{"token":"x"}{"token":"y"}"#, r#")]}'{"token":"x"}"#, r#"{"token":"x""#]
        {
            assert!(matches!(found(text, "/token"), Err(Withheld::NotJson)), "{text}");
        }
    }
}
