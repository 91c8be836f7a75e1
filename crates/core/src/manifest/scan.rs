//! Looks for secrets in all that a file says: in values as they are read, in the names of keys, and in comments.
//!
//! The rules of the scrubber hold everywhere. What merely looks random is taken for a secret too, except for what is random by nature and
//! not secret: hashes, addresses, names of files and hosts, identifiers that others have given.

use super::diagnostic::Problem;
use super::is_host;
use super::public_suffix::is_registered;
use super::suspicion::{self, Look};
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Keys whose values are random by nature, and no secrets: hashes, files, hosts, identifiers. `webhook` is a place for the URL that
/// its receiver has given, which may well be one that nobody should know.
const RANDOM: &[&str] = &[
    "sha256",
    "component",
    "file",
    "path",
    "ca",
    "dir",
    "rules",
    "ledger",
    "module",
    "host",
    "url",
    "uri",
    "domain",
    "endpoint_url",
    "resources",
    "keys",
    "id",
    "role",
    "profile",
    "issuer",
    "subject",
    "audience",
    "args",
    "fields",
    "headers",
    "webhook",
];

/// Words that say of what follows them on a line that it is public.
const PUBLIC: &[&str] = &["sha", "hash", "digest", "checksum", "commit", "rev", "fingerprint", "tx", "build", "id"];

/// A text of the file, where it stands.
struct Piece<'a> {
    /// The keys that lead to it; empty for what is no value.
    path: String,
    text: &'a str,
    span: Range<usize>,
}

/// What in the file looks like a secret, each with its place. `root` is what the file says, where it is TOML.
pub(super) fn suspicious(text: &str, root: Option<&DeTable<'_>>) -> Vec<(Range<usize>, Problem)> {
    let mut pieces = Vec::new();
    if let Some(root) = root {
        collect(root, "", &mut pieces);
    }
    let mut rest = text.as_bytes().to_vec();
    let mut found = Vec::new();
    for piece in &pieces {
        let key = piece.path.rsplit('.').find(|part| !part.is_empty()).unwrap_or_default();
        let in_args = piece.path.split('.').any(|part| RANDOM.contains(&part) && matches!(part, "args" | "fields" | "headers"));
        let random = RANDOM.contains(&key) && !piece.path.starts_with("run.") || in_args && piece.path.starts_with("signers.");
        // Of a domain of typed data, as its contract has it.
        let salt = key == "salt" && piece.path.starts_with("signers.");
        for (at, look) in suspicion::find(piece.text) {
            if !salt && !(random && (look == Look::Random || key == "webhook")) && !is_public(piece.text, &at, &look) {
                found.push((placed(text, piece, &at), problem(&piece.path, &look)));
            }
        }
        rest[piece.span.clone()].fill(b' ');
    }
    // Blanks over whole values leave the rest as valid as it was.
    let rest = String::from_utf8(rest).unwrap_or_default();
    for (at, look) in suspicion::find(&rest) {
        if !is_public(&rest, &at, &look) {
            found.push((at, problem("", &look)));
        }
    }
    found
}

fn collect<'a>(table: &'a DeTable<'_>, path: &str, pieces: &mut Vec<Piece<'a>>) {
    for (key, value) in table.iter() {
        let name = key.get_ref().as_ref();
        let path = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        collect_value(value, &path, pieces);
    }
}

fn collect_value<'a>(value: &'a Spanned<DeValue<'_>>, path: &str, pieces: &mut Vec<Piece<'a>>) {
    match value.get_ref() {
        DeValue::String(text) => pieces.push(Piece { path: path.to_owned(), text, span: value.span() }),
        DeValue::Array(items) => items.iter().for_each(|item| collect_value(item, path, pieces)),
        DeValue::Table(table) => collect(table, path, pieces),
        _ => {}
    }
}

/// Where a finding stands in the file: within the value's text, unless escapes make that another one.
fn placed(text: &str, piece: &Piece<'_>, at: &Range<usize>) -> Range<usize> {
    let raw = text.get(piece.span.clone()).unwrap_or_default();
    match raw.find(&piece.text[at.clone()]) {
        Some(offset) => piece.span.start + offset..piece.span.start + offset + at.len(),
        None => piece.span.clone(),
    }
}

/// Whether what looks random is known to be public by what stands before it on its line, or by its form.
fn is_public(text: &str, at: &Range<usize>, look: &Look) -> bool {
    if *look != Look::Random {
        return false;
    }
    let word = &text[at.clone()];
    let line = &text[text[..at.start].rfind('\n').map_or(0, |at| at + 1)..at.start];
    let said = line.to_ascii_lowercase();
    let said = said.split(|c: char| !c.is_ascii_alphabetic()).any(|word| PUBLIC.contains(&word));
    said || is_uuid(word) || (word.contains('.') && is_host(&word.to_ascii_lowercase()) && is_registered(&word.to_ascii_lowercase()))
}

/// RFC 9562: hexadecimal digits in groups of 8, 4, 4, 4 and 12.
fn is_uuid(word: &str) -> bool {
    let groups: Vec<&str> = word.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12]) && groups.iter().all(|group| group.bytes().all(|b| b.is_ascii_hexdigit()))
}

fn problem(path: &str, look: &Look) -> Problem {
    let kind = match look {
        Look::Rule(name) => format!(" ({name})"),
        Look::Random => String::new(),
    };
    let place = if path.is_empty() { String::new() } else { format!("`{}`: ", crate::text::for_people(path)) };
    let remedy = match path.strip_prefix("secrets.").is_some_and(|path| path.ends_with(".default")) {
        true => "a default reaches the agent as it is: leave it out, and keep the value in a backend",
        false => "keep it in a backend, not in this file, and replace it at its issuer if others could read it",
    };
    Problem::new(format!("{place}this looks like a secret{kind}"), remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "pf_live_5b1e0c9a7f3d2846b0c1d8e7f6a59432";

    fn found(text: &str) -> Vec<usize> {
        let root = DeTable::parse(text).ok();
        let found = suspicious(text, root.as_ref().map(|root| root.get_ref()));
        assert!(found.iter().all(|(_, problem)| !problem.to_string().contains("5b1e0c9a")), "{found:?}");
        found.into_iter().map(|(span, _)| span.start).collect()
    }

    #[test]
    fn a_secret_is_found_wherever_it_stands() {
        for text in [
            format!("name = \"{KEY}\""),
            format!("a = 1 # {KEY}"),
            format!("# was: {KEY}\na = 1"),
            format!("[secrets.K]\ndefault = \"{KEY}\""),
            format!("[secrets.K]\nplaceholder = \"{KEY}\""),
            format!("[secrets.K]\nformat = \"^{KEY}$\""),
            format!("[[secrets.K.allow]]\nplace = [\"header:x={KEY} {{}}\"]"),
            format!("[[egress]]\npaths = [\"/{KEY}/**\"]"),
            format!("[[egress]]\nhost = \"{KEY}.example.com\""),
            format!("\"{KEY}\" = 1"),
            format!("a = [{{ b = '''\n{KEY}''' }}]"),
            format!("a = \"{}\"", KEY.replace("_live", "\\u005flive")),
            format!("a = {KEY}"),
            "# 0x4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318".to_owned(),
            "# -----BEGIN PRIVATE KEY-----\n".to_owned(),
        ] {
            assert_eq!(found(&text).len(), 1, "{text}");
        }
    }

    #[test]
    fn its_place_is_its_own_where_the_file_has_it_as_it_is() {
        assert_eq!(found(&format!("a = \"x {KEY}\"")), [7]);
        assert_eq!(found(&format!("a = \"é\"\n# {KEY}")), [11]);
    }

    #[test]
    fn what_is_public_or_only_a_shape_is_none() {
        let hash = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
        for text in [
            format!("sha256 = \"{hash}\""),
            format!("# sha256 {hash}"),
            format!("# SHA-256: {hash}"),
            "# commit 3f786850e387550fdab836ed7e6dc881de23001b".to_owned(),
            "[secrets.K]\nformat = \"^pf_live_[a-f0-9]{32}$\"\nplaceholder = \"pf_live_{hex:32}\"".to_owned(),
            "[secrets.K]\nformat = \"^[A-Za-z0-9+/=_-]{40,64}$\"\nplaceholder = \"jwt\"".to_owned(),
            "[secrets.K]\nfrom = \"kms:1234abcd-12ab-34cd-56ef-1234567890ab\"".to_owned(),
            "recipients = [\"0x70997970C51812dc3A010C7d01b50e0d17dc79C8\", \"8453:0x70997970C51812dc3A010C7d01b50e0d17dc79C8\"]".to_owned(),
            "# pays 0x70997970C51812dc3A010C7d01b50e0d17dc79C8".to_owned(),
            format!("[[signers.w.call]]\nargs = {{ pool = \"0x{hash}\" }}"),
            "[[egress]]\nhost = \"d1a2b3c4e5f6g7.cloudfront.net\" # d1a2b3c4e5f6g7.cloudfront.net".to_owned(),
            "component = \"/nix/store/9krlzvny65gdc8s7kpb6lkx8cd02c25b-agent/agent.wasm\"".to_owned(),
        ] {
            assert!(found(&text).is_empty(), "{text}");
        }
    }
}
