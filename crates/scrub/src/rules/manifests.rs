//! Secrets that what stands around them tells, whatever their own name is: values of a Secret of Kubernetes, parts of a JSON Web Key.

use super::fields::{is_placeholder, value_end};
use super::measure::Make;
use super::{LEAST, LIMIT};
use regex::bytes::Regex;
use std::ops::Range;
use std::sync::LazyLock;

/// Least bytes of a value in base64, which 5 bytes have.
const SHORTEST: usize = 8;
/// Most bytes before and behind a value that are looked at for what it is.
pub(in super::super) const AROUND: usize = 768;

/// The value of a Secret of Kubernetes that begins at `at`: in base64 under `data`, as it is under `stringData`.
pub(super) fn of_manifest(text: &[u8], at: usize) -> Option<Range<usize>> {
    let is_between = |byte: &u8| matches!(byte, b' ' | b'"' | b'\'' | b'\\' | b'\t' | b'\r' | b'\n' | b'|' | b'>' | b'-');
    if text[at.saturating_sub(24)..at].iter().rev().find(|byte| !is_between(byte)) != Some(&b':') {
        return None;
    }
    // First what is cheap: most values are neither.
    let encoded = encoded(text, at);
    let plain = {
        let end = value_end(text, at);
        let make = Make::of(&text[at..end]);
        let is_mixed = make.digits > 0 && make.lower + make.upper > 0;
        (make.length >= SHORTEST && is_mixed && make.different > 5 && !is_placeholder(&text[at..end], make)).then_some(end)
    };
    if encoded.is_none() && plain.is_none() {
        return None;
    }
    let before = &text[at.saturating_sub(AROUND)..at];
    let data = memchr::memmem::find_iter(before, b"ata").last()?;
    let sign = before[data + 3..].iter().find(|byte| !matches!(byte, b'"' | b'\\'))?;
    if *sign != b':' {
        return None;
    }
    let end = if before[..data].ends_with(b"stringD") {
        plain?
    } else if before[..data].ends_with(b"d") && !before[..data].ends_with(b"metad") {
        encoded?
    } else {
        return None;
    };
    // What follows is looked at as far as the end of an event, where a stream may be cut.
    let after = &text[at..text.len().min(at + AROUND)];
    (is_kind(before) || is_kind(until_event(after))).then_some(at..end)
}

/// Where base64 ends that begins at `at` and is all that stands in its place.
fn encoded(text: &[u8], at: usize) -> Option<usize> {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    let length = text[at..].iter().take(LIMIT).take_while(|byte| is_part(byte)).count();
    let value = &text[at..at + length];
    if length < SHORTEST || !length.is_multiple_of(4) || value.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    // A word.
    if length < LEAST && value.iter().all(u8::is_ascii_lowercase) {
        return None;
    }
    // A line of YAML ends behind it, or a string of JSON.
    matches!(text.get(at + length), None | Some(b'\n' | b'\r' | b' ' | b'"' | b'\'' | b'\\')).then_some(at + length)
}

/// A text as far as an event may end in it: of what follows, a stream need not have more.
pub(super) fn until_event(text: &[u8]) -> &[u8] {
    let ends = [&b"\n\n"[..], b"\n\r\n", b"\r\r", b"}\n", b"}\r"];
    ends.iter().filter_map(|end| memchr::memmem::find(text, end)).min().map_or(text, |end| &text[..end])
}

/// Where a text may say so, by the values below alone: in one fast pass, as far as somebody asks.
#[derive(Default)]
pub(in super::super) struct Kinds {
    /// Where it last may, and how far was looked.
    said: Option<usize>,
    seen: usize,
}

impl Kinds {
    /// Bytes that are looked at together.
    const PART: usize = 4096;

    /// As if all of a text said so.
    pub(super) fn any() -> Self {
        Self { said: Some(usize::MAX), seen: usize::MAX }
    }

    /// Whether the text may say so around `at`, or near there. Each question is about no place before the last one's.
    #[inline]
    pub(super) fn may_be_said(&mut self, text: &[u8], at: usize) -> bool {
        let near = at.saturating_sub(AROUND);
        if self.said.is_none_or(|said| said < near) && self.seen < text.len().min(at + AROUND) {
            self.look(text, near, at);
        }
        self.said.is_some_and(|said| said >= near)
    }

    #[cold]
    fn look(&mut self, text: &[u8], near: usize, at: usize) {
        static VALUES: LazyLock<Regex> = LazyLock::new(|| {
            let any = Regex::new(r"Secret|Opaque|kubernetes\.io/tls|helm\.sh/release\.v1");
            any.expect("an expression")
        });
        // A value that stands across the border of two parts is seen in the second.
        let (from, until) = (self.seen.saturating_sub(32).max(near), text.len().min(at + AROUND + Self::PART));
        let found = VALUES.find(&text[from..until]);
        self.said = found.map(|found| from + found.start()).or(self.said);
        self.seen = found.map_or(until, |found| from + found.end());
    }
}

/// Whether a text says that something is a Secret, or of a type that only those have.
fn is_kind(text: &[u8]) -> bool {
    let says = |name: &[u8], value: &[u8]| {
        memchr::memmem::find_iter(text, name).any(|at| {
            let said = &text[at + name.len()..text.len().min(at + 48)];
            let said = said.iter().take(8).position(u8::is_ascii_alphabetic).map_or(&said[..0], |from| &said[from..]);
            let rest = said.strip_prefix(value).map(|rest| rest.strip_prefix(b"List").unwrap_or(rest));
            // Nothing else follows in its field.
            rest.is_some_and(|rest| {
                let next = rest.iter().find(|byte| **byte != b' ');
                next.is_none_or(|byte| matches!(byte, b'"' | b'\'' | b'\\' | b'\r' | b'\n' | b',' | b'{' | b'}'))
            })
        })
    };
    says(b"kind", b"Secret") || says(b"type", b"Opaque") || says(b"type", b"kubernetes.io/tls") || says(b"type", b"helm.sh/release.v1")
}

/// Names of the parts of a JSON Web Key that are kept (RFC 7518 6).
const PARTS: &[&[u8]] = &[b"d", b"k", b"p", b"q", b"dp", b"dq", b"qi"];

/// Whether a text names the type of a JSON Web Key, as a field of an object does.
fn names_type(text: &[u8]) -> bool {
    let is_quote = |byte: &u8| matches!(byte, b'"' | b'\'' | b'\\');
    memchr::memmem::find_iter(text, b"kty").any(|at| {
        let after = &text[at + 3..];
        let quotes = after.iter().take_while(|byte| is_quote(byte)).count();
        let sign = after[quotes..].iter().find(|byte| **byte != b' ');
        text[..at].last().is_some_and(is_quote) && quotes > 0 && sign == Some(&b':')
    })
}

/// A part of a JSON Web Key that begins at `at`, and is kept: it stands beside `kty`.
pub(super) fn of_key(text: &[u8], at: usize) -> Option<Range<usize>> {
    let is_sign = |byte: &u8| matches!(byte, b'"' | b'\'' | b'\\' | b':' | b' ');
    let before = &text[at.saturating_sub(24)..at];
    let sign = before.iter().rev().take_while(|byte| is_sign(byte)).count();
    if !before[before.len() - sign..].contains(&b':') {
        return None;
    }
    let before = &before[..before.len() - sign];
    let name = before.iter().rev().take(3).take_while(|byte| byte.is_ascii_alphabetic()).count();
    let (before, name) = before.split_at(before.len() - name);
    if !PARTS.contains(&name) || !before.last().is_some_and(is_sign) {
        return None;
    }
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let length = text[at..].iter().take(LIMIT).take_while(|byte| is_part(byte)).count();
    // In the same object: no further than a brace.
    let is_brace = |byte: &u8| matches!(byte, b'{' | b'}');
    let is_key = || {
        let before = &text[at.saturating_sub(AROUND)..at];
        let after = until_event(&text[at..text.len().min(at + AROUND)]);
        names_type(&before[before.iter().rposition(is_brace).map_or(0, |brace| brace + 1)..])
            || names_type(&after[..after.iter().position(is_brace).unwrap_or(after.len())])
    };
    (length >= 22 && Make::of(&text[at..at + length]).surplus >= 28 && is_key()).then_some(at..at + length)
}

#[cfg(test)]
mod tests {
    use crate::{Rules, Scrubber, Search};
    use std::sync::Arc;

    fn found(text: &str) -> Vec<String> {
        let scrubber = Scrubber::new(Arc::new(Search::new(Vec::new(), Some(Rules::standard()))), Vec::new());
        scrubber.find(text.as_bytes()).into_iter().map(|(kind, at)| format!("{kind} {}", &text[at])).collect()
    }

    #[test]
    fn a_value_of_a_secret_is_found_in_lists_and_as_text() {
        let (encoded, plain) = ("cG9zdGdyZXM6Ly9hcHA6cHdAZGIvbGVkZ2Vy", "x7Rt1Lb9Kc4Vn6Yf3Hd0");
        for text in [
            format!("{{\"kind\":\"SecretList\",\"items\":[{{\"metadata\":{{\"name\":\"x\"}},\"data\":{{\"config\":\"{encoded}\"}}}}]}}"),
            format!("{{\"items\":[{{\"metadata\":{{\"name\":\"x\"}},\"data\":{{\"config\":\"{encoded}\"}},\"type\":\"Opaque\"}}]}}"),
            format!("kind: SecretList\nitems:\n- metadata:\n    name: x\n  data:\n    config: {encoded}\n"),
            format!("apiVersion: v1\nkind: Secret\nstringData:\n  config: {plain}\n"),
            format!("{{\"kind\":\"Secret\",\"stringData\":{{\"config\":\"{plain}\"}}}}"),
            "kind: Secret\ndata:\n  password: aFE3I3I=\n".to_owned(),
            "kind: Secret\ndata:\n  config: 'aFE3I3I='  # of the ledger\n".to_owned(),
            "kind: Secret\nstringData:\n  config: rapunz3l\n".to_owned(),
            "{\"kind\":\"Secret\",\"data\":{\"config\":\"aFE3I3JUMnA\",\"other\":\"aFE3I3JUMnBM\"}}".to_owned(),
            format!("{{\\\"kind\\\":\\\"Secret\\\",\\\"data\\\":{{\\\"config\\\":\\\"{encoded}\\\"}}}}"),
        ] {
            assert_eq!(found(&text).len(), 1, "{text}: {:?}", found(&text));
        }
        for text in [
            format!("kind: ConfigMap\ndata:\n  config: {encoded}\n"),
            "kind: ConfigMap\ndata:\n  password: aFE3I3I=\n".to_owned(),
            "kind: Secret\ndata:\n  password: postgres\n".to_owned(),
            "kind: Secret\nmetadata:\n  name: Ledger1A\n".to_owned(),
            format!("kind: SecretStore\nspec:\n  data:\n    config: {encoded}\n"),
            format!("{{\"kind\":\"ConfigMap\",\"data\":{{\"config\":\"{plain}\"}}}}"),
            format!("{{\"kind\":\"Secret of life\",\"data\":{{\"config\":\"{encoded}\"}}}}"),
            format!("{{\"kind\":\"Secret-Santa\",\"data\":{{\"config\":\"{encoded}\"}}}}"),
            format!("{{\"type\":\"Opaque glass\",\"data\":{{\"config\":\"{encoded}\"}}}}"),
        ] {
            assert_eq!(found(&text), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn what_is_kept_of_a_json_web_key_is_found_and_the_rest_is_left() {
        let (public, kept) = ("TORHh8tAnELP-QUX8rtBi_GhFS79gdDoKtMEyvtkdlI", "oRPoHVXqDZgEQdbqGIQI68WJL9hU8OBPhWWTvV57SEk");
        let key = format!("{{\"kty\":\"EC\",\"x\":\"{public}\",\"d\":\"{kept}\"}}");
        assert_eq!(found(&key), [format!("json-web-key {kept}")]);
        assert_eq!(found(&format!("{{\"kty\":\"EC\",\"x\":\"{public}\"}}")), Vec::<String>::new());
        assert_eq!(found(&format!("{{\\\"d\\\":\\\"{kept}\\\",\\\"kty\\\": \\\"EC\\\"}}")), [format!("json-web-key {kept}")]);
        for text in [
            format!("{{\"d\":\"{kept}\"}}"),
            "{\"search\":{\"q\":\"x7Rt1Lb9Kc4Vn6Yf3Hd0q7Zt8kLw\"},\"note\":\"kty\"}".to_owned(),
            format!("{{\"q\":\"{kept}\",\"note\":\"kty\"}}"),
            format!("{{\"keys\":[{{\"kty\":\"EC\",\"x\":\"{public}\"}}],\"q\":\"{kept}\"}}"),
        ] {
            assert_eq!(found(&text), Vec::<String>::new(), "{text}");
        }
    }
}
