//! The JSON of MCP clients: `mcpServers` (Claude, Cursor and most others), `servers` (VS Code), and that within `mcp` (VS Code's settings).
//! Comments and commas before a closing bracket are accepted, since editors write them; what is rewritten is strings alone.

use super::item::{Item, Style, Unreadable};
use crate::manifest::names;
use crate::text::line_of;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

const SHAPE: &str = "write `{\"mcpServers\": {\"NAME\": {\"env\": {\"KEY\": \"…\"}}}}`, or say what the file is by `--as`";
/// Headers whose values begin with a scheme.
const SCHEMES: [&str; 2] = ["authorization", "proxy-authorization"];

/// A document, and the text that positions are of.
struct Document<'t> {
    text: &'t str,
    /// The same without comments, byte for byte as long.
    plain: &'t str,
}

pub(super) fn read(text: &str) -> Result<Vec<Item>, Unreadable> {
    let plain = Zeroizing::new(without_comments(text));
    let document = Document { text, plain: &plain };
    let whole: &RawValue =
        serde_json::from_str(&plain).map_err(|error| Unreadable::new(error.line(), "this is not JSON", "correct it there"))?;
    let mut servers = Vec::new();
    for (name, value) in document.members(whole)? {
        match name.as_str() {
            "mcpServers" | "servers" => servers.push(value),
            "mcp" => servers.extend(document.members(value)?.into_iter().filter(|(name, _)| name == "servers").map(|(_, value)| value)),
            _ => {}
        }
    }
    if servers.is_empty() {
        return Err(Unreadable::new(1, "the file has neither `mcpServers` nor `servers`", SHAPE));
    }
    let mut items = Vec::new();
    for servers in servers {
        for (server, definition) in document.members(servers)? {
            for (part, values) in document.members(definition)? {
                match part.as_str() {
                    "env" => document.items(&server, values, false, &mut items)?,
                    "headers" => document.items(&server, values, true, &mut items)?,
                    _ => {}
                }
            }
        }
    }
    Ok(items)
}

/// A string as JSON writes it.
pub(super) fn spelled(value: &str) -> Zeroizing<String> {
    Zeroizing::new(serde_json::to_string(value).expect("text is JSON"))
}

impl Document<'_> {
    /// The members of an object, none of them twice.
    fn members<'r>(&self, object: &'r RawValue) -> Result<Vec<(String, &'r RawValue)>, Unreadable> {
        let line = |value: &RawValue| line_of(self.text.as_bytes(), self.offset(value));
        let members = crate::json::members(object).ok_or_else(|| Unreadable::new(line(object), "an object is expected here", SHAPE))?;
        for (at, (name, value)) in members.iter().enumerate() {
            if members[..at].iter().any(|(before, _)| before == name) {
                let remedy = "keep one of them: readers differ in which one counts";
                return Err(Unreadable::new(line(value), "a name appears twice in the same object", remedy));
            }
        }
        Ok(members)
    }

    fn offset(&self, value: &RawValue) -> usize {
        value.get().as_ptr() as usize - self.plain.as_ptr() as usize
    }

    fn items(&self, server: &str, values: &RawValue, are_headers: bool, items: &mut Vec<Item>) -> Result<(), Unreadable> {
        for (name, value) in self.members(values)? {
            let start = self.offset(value);
            let line = line_of(self.text.as_bytes(), start);
            // Numbers and the like are no keys, and `null` is nothing.
            let Ok(text) = serde_json::from_str::<String>(value.get()).map(Zeroizing::new) else { continue };
            let kept_as = if are_headers { format!("{}_{}", upper(server), upper(&name)) } else { name.clone() };
            if names::secret_name(&kept_as).is_err() {
                let finding = "not a name for a secret, which has 1 to 128 letters, digits, `_` and `-`";
                return Err(Unreadable::new(line, finding, "rename it, or move this value by hand (`strongroom secrets set`)"));
            }
            let before = if are_headers && SCHEMES.contains(&name.to_ascii_lowercase().as_str()) { scheme(&text) } else { "" };
            items.push(Item {
                owner: Some(owner(server)),
                name: kept_as,
                line,
                at: start..start + value.get().len(),
                style: Style::Json,
                before: before.to_owned(),
                text: Zeroizing::new(text[before.len()..].to_owned()),
                unfit: text.contains("${").then_some("the client fills it in (`${…}`)"),
            });
        }
        Ok(())
    }
}

/// The scheme of a credential, with the blanks behind it.
fn scheme(value: &str) -> &str {
    let is_scheme = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    let Some((scheme, rest)) = value.split_once(' ').filter(|(scheme, _)| is_scheme(scheme)) else { return "" };
    &value[..scheme.len() + 1 + (rest.len() - rest.trim_start_matches(' ').len())]
}

fn upper(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect()
}

/// A server's name, as people see it and type it.
fn owner(server: &str) -> String {
    server.chars().take(64).map(|c| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '_' }).collect()
}

/// The text with blanks in the place of comments, of a byte order mark, and of commas before a closing bracket.
fn without_comments(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let (mut at, mut comma) = (0, None);
    if text.starts_with('\u{feff}') {
        out[..3].fill(b' ');
        at = 3;
    }
    while at < bytes.len() {
        match bytes[at] {
            b'"' => {
                comma = None;
                at += 1;
                while at < bytes.len() && bytes[at] != b'"' {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
                at += 1;
            }
            b'/' if bytes[at..].starts_with(b"//") || bytes[at..].starts_with(b"/*") => {
                let end = match bytes[at + 1] {
                    b'/' => memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |length| at + length),
                    _ => memchr::memmem::find(&bytes[at + 2..], b"*/").map_or(bytes.len(), |length| at + length + 4),
                };
                // Lines stay lines.
                out[at..end].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
                at = end;
            }
            byte => {
                if let (b'}' | b']', Some(before)) = (byte, comma) {
                    out[before] = b' ';
                }
                if !byte.is_ascii_whitespace() {
                    comma = (byte == b',').then_some(at);
                }
                at += 1;
            }
        }
    }
    // What is blanked is whole characters.
    String::from_utf8(out).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_last_commas_are_blanks_and_strings_stay() {
        let text = "\u{feff}{ // é\n \"a\": \"//\\\"/*\", /* \n , */ \"b\": [1, /**/ ], \n}";

        let plain = without_comments(text);

        assert_eq!(plain.len(), text.len());
        assert_eq!(plain.matches('\n').count(), text.matches('\n').count());
        let read: serde_json::Value = serde_json::from_str(&plain).expect("JSON");
        assert_eq!(read, serde_json::json!({"a": "//\"/*", "b": [1]}));
    }

    #[test]
    fn a_scheme_stays_where_it_is() {
        for (value, before) in [("Bearer abc", "Bearer "), ("Basic  x=", "Basic  "), ("abc", ""), ("", ""), ("a:b c", "")] {
            assert_eq!(scheme(value), before, "{value}");
        }
    }
}
