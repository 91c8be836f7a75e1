//! JSON documents (RFC 8259) taken apart one level at a time, each part with its text as it stands: for places, for numbers of any size, and
//! for names that stand twice.

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// The members of an object, each of those with the same name too. None where the text is no object.
pub fn members<'t>(object: &'t RawValue) -> Option<Vec<(String, &'t RawValue)>> {
    serde_json::from_str::<Members<'t>>(object.get()).ok().map(|members| members.0)
}

/// The elements of an array. None where the text is no array.
pub fn elements(array: &RawValue) -> Option<Vec<&RawValue>> {
    serde_json::from_str(array.get()).ok()
}

/// The member of that name; the last, where it stands more than once, as most readers have it.
pub fn member<'t>(object: &'t RawValue, name: &str) -> Option<&'t RawValue> {
    members(object)?.into_iter().rev().find(|(known, _)| known == name).map(|(_, value)| value)
}

/// What a JSON Pointer leads to (RFC 6901).
pub fn pointer<'t>(document: &'t RawValue, pointer: &str) -> Option<&'t RawValue> {
    let step = |found: &'t RawValue, token: &str| {
        let token = token.replace("~1", "/").replace("~0", "~");
        let is_index = token == "0" || !token.starts_with('0') && token.bytes().all(|b| b.is_ascii_digit());
        match found.get().as_bytes().first() {
            Some(b'[') if is_index => elements(found)?.get(token.parse::<usize>().ok()?).copied(),
            _ => member(found, &token),
        }
    };
    pointer.strip_prefix('/')?.split('/').try_fold(document, step)
}

/// An object with one member that is this text, in the place of the one of that name or after all others, which stay as they are written.
pub fn with_member(object: &RawValue, name: &str, text: &str) -> Option<String> {
    let quoted = |text: &str| serde_json::to_string(text).expect("text is JSON");
    let mut members: Vec<(String, std::borrow::Cow<'_, str>)> = Vec::new();
    for (known, value) in self::members(object)? {
        // The last of several of one name is the one that counts.
        match members.iter_mut().find(|(before, _)| *before == known) {
            Some((_, before)) => *before = value.get().into(),
            None => members.push((known, value.get().into())),
        }
    }
    match members.iter_mut().find(|(known, _)| known == name) {
        Some((_, value)) => *value = quoted(text).into(),
        None => members.push((name.to_owned(), quoted(text).into())),
    }
    let members: Vec<String> = members.iter().map(|(name, value)| format!("{}:{value}", quoted(name))).collect();
    Some(format!("{{{}}}", members.join(",")))
}

struct Members<'t>(Vec<(String, &'t RawValue)>);

impl<'de: 't, 't> Deserialize<'de> for Members<'t> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Each).map(Members)
    }
}

struct Each;

impl<'de> Visitor<'de> for Each {
    type Value = Vec<(String, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_leads_where_rfc_6901_says() {
        // Its section 5, with the members that a number's digits and a name's escapes need.
        let text = r#"{"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"m~n":8,"big":12345678901234567890123,"twice":1,"twice":2}"#;
        let document: &RawValue = serde_json::from_str(text).expect("JSON");
        for (way, found) in [
            ("/foo/0", Some("\"bar\"")),
            ("/foo/1", Some("\"baz\"")),
            ("/foo/01", None),
            ("/foo/2", None),
            ("/foo/-", None),
            ("/", Some("0")),
            ("/a~1b", Some("1")),
            ("/c%d", Some("2")),
            ("/m~0n", Some("8")),
            ("/big", Some("12345678901234567890123")),
            ("/twice", Some("2")),
            ("/none", None),
            ("foo", None),
        ] {
            assert_eq!(pointer(document, way).map(RawValue::get), found, "{way}");
        }
    }

    #[test]
    fn a_member_is_replaced_or_added_and_the_others_stay_as_they_are_written() {
        let text = r#"{ "pin" : 12345678901234567890123, "key":"old", "a\u0062" : [ 1.0, {"x":1e3} ] }"#;
        let document: &RawValue = serde_json::from_str(text).expect("JSON");

        let replaced = with_member(document, "key", "n\"ew").expect("an object");
        let added = with_member(document, "more", "x").expect("an object");

        assert_eq!(replaced, r#"{"pin":12345678901234567890123,"key":"n\"ew","ab":[ 1.0, {"x":1e3} ]}"#);
        assert_eq!(added, r#"{"pin":12345678901234567890123,"key":"old","ab":[ 1.0, {"x":1e3} ],"more":"x"}"#);
        assert_eq!(with_member(serde_json::from_str("[1]").expect("JSON"), "a", "b"), None);
    }
}
