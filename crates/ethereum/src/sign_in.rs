//! Sign-ins (EIP-4361), read by its grammar to the last byte.

use super::message::{Unreadable, shown};
use super::quantity;
use alloy_primitives::Address;

const WANTS: &str = " wants you to sign in with your Ethereum account:";
/// Least characters of a nonce.
const MIN_NONCE: usize = 8;

/// A sign-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignIn<'a> {
    /// The site that asks, by host and port (RFC 3986 authority).
    pub domain: &'a str,
    /// The account that signs in.
    pub address: Address,
    /// What a person reads.
    pub statement: Option<&'a str>,
    /// What is signed in to.
    pub uri: &'a str,
    /// The chain of the account (EIP-155).
    pub chain: u64,
    /// Visible ASCII. That it is letters and digits alone, as the EIP says, is for who judges it: large sites give others.
    pub nonce: &'a str,
    /// When it was issued.
    pub issued: jiff::Timestamp,
    /// When it ends.
    pub expires: Option<jiff::Timestamp>,
    /// What else it is asked for.
    pub resources: Vec<&'a str>,
}

type Read<T> = Result<T, Unreadable>;

impl<'a> SignIn<'a> {
    /// Whether a message claims to be a sign-in: then it is judged as one, or not at all. A reader of such messages may look for the claim
    /// anywhere, in any case.
    pub fn is_claimed(text: &str) -> bool {
        let lower = text.to_lowercase();
        lower.contains("wants you to sign in with your") || lower.contains("\nuri:") && lower.contains("\nnonce:")
    }

    /// Reads a sign-in by the grammar of EIP-4361. Without a statement it may have one empty line in the place of two, as older libraries
    /// write it: no text is both.
    pub fn read(text: &'a str) -> Read<Self> {
        let mut lines = Lines { text, rest: Some(text), at: 0, number: 0 };
        let domain =
            lines.next(|line| line.strip_suffix(WANTS), "the first line ends with ` wants you to sign in with your Ethereum account:`")?;
        let (scheme, domain) = domain.split_once("://").map_or((None, domain), |(scheme, domain)| (Some(scheme), domain));
        if !scheme.is_none_or(is_scheme) || !is_authority(domain) {
            return Err(lines.wrong("the line begins with a domain, before which `https://` may stand"));
        }
        let checked = |line: &str| quantity::address(line).filter(|parsed| parsed.to_checksum(None) == line);
        let address = lines.next(checked, "the line is an address with its checksum (EIP-55)")?;
        lines.blank("an empty line follows after the address")?;
        let statement = lines.statement()?;
        let uri = lines.field("URI: ", |uri| is_uri(uri).then_some(uri))?;
        lines.field("Version: ", |version| (version == "1").then_some(()))?;
        let chain = |text: &str| text.parse().ok().filter(|parsed: &u64| *parsed > 0 && parsed.to_string() == text);
        let chain = lines.field("Chain ID: ", chain)?;
        let is_nonce = |nonce: &&str| nonce.len() >= MIN_NONCE && nonce.bytes().all(|b| b.is_ascii_graphic());
        let nonce = lines.field("Nonce: ", |nonce| Some(nonce).filter(is_nonce))?;
        let issued = lines.field("Issued At: ", time)?;
        let expires = lines.optional("Expiration Time: ", time)?;
        lines.optional("Not Before: ", time)?;
        lines.optional("Request ID: ", |id| id.bytes().all(is_of_uri).then_some(()))?;
        let resources = lines.resources()?;
        match lines.rest {
            None => Ok(Self { domain, address, statement, uri, chain, nonce, issued, expires, resources }),
            Some(rest) => {
                lines.number += 1;
                Err(lines.wrong(match rest {
                    "" => "the sign-in ends without a line break after its last line; leave it out",
                    _ => "the sign-in has ended: nothing may follow, and its lines keep the order of the EIP",
                }))
            }
        }
    }
}

/// Characters of a URI (RFC 3986, 2): the reserved, the unreserved, and `%`.
fn is_of_uri(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte)
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
}

fn is_uri(text: &str) -> bool {
    text.split_once(':').is_some_and(|(scheme, rest)| is_scheme(scheme) && !rest.is_empty()) && text.bytes().all(is_of_uri)
}

/// A host and perhaps a port. A user before them would be a trick.
fn is_authority(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| is_of_uri(b) && !b"/?#@".contains(&b))
}

fn time(text: &str) -> Option<jiff::Timestamp> {
    text.parse().ok().filter(|_| is_rfc_3339(text))
}

/// `2021-09-30T16:25:24.000Z`, or with an offset `+01:00` (RFC 3339, 5.6).
fn is_rfc_3339(text: &str) -> bool {
    let fits = |text: &str, form: &str| {
        text.len() == form.len()
            && text.bytes().zip(form.bytes()).all(|(b, form)| if form == b'0' { b.is_ascii_digit() } else { b.eq_ignore_ascii_case(&form) })
    };
    let Some((stem, rest)) = text.split_at_checked(19) else { return false };
    let zone = match rest.strip_prefix('.') {
        Some(rest) => rest.trim_start_matches(|c: char| c.is_ascii_digit()),
        None => rest,
    };
    let fraction = rest.len() - zone.len();
    fits(stem, "0000-00-00T00:00:00") && fraction != 1 && ["Z", "+00:00", "-00:00"].iter().any(|form| fits(zone, form))
}

/// The lines of a sign-in that are still to be read.
struct Lines<'a> {
    text: &'a str,
    rest: Option<&'a str>,
    /// The byte at which the line that was read last begins.
    at: usize,
    /// Its number, from 1.
    number: usize,
}

impl<'a> Lines<'a> {
    fn peek(&self) -> Option<&'a str> {
        self.rest.map(|rest| rest.split('\n').next().unwrap_or_default())
    }

    fn take(&mut self) -> Option<&'a str> {
        let line = self.peek()?;
        let rest = self.rest?;
        self.at = self.text.len() - rest.len();
        self.number += 1;
        self.rest = rest.get(line.len() + 1..);
        Some(line)
    }

    /// The next line, as `read` takes it; where it does not, it is said what belongs there.
    fn next<T>(&mut self, read: impl FnOnce(&'a str) -> Option<T>, belongs: &str) -> Read<T> {
        let Some(line) = self.take() else {
            self.number += 1;
            return Err(self.wrong(&format!("{belongs}; the text ends before it")));
        };
        read(line).ok_or_else(|| self.wrong(belongs))
    }

    fn blank(&mut self, belongs: &str) -> Read<()> {
        self.next(|line| line.is_empty().then_some(()), belongs)
    }

    /// The statement, with the empty line that follows after it.
    fn statement(&mut self) -> Read<Option<&'a str>> {
        let mut following = self.rest.unwrap_or_default().split('\n').skip(1);
        match self.peek() {
            Some("") => self.blank("").map(|()| None),
            Some(line) if line.starts_with("URI: ") && following.next().is_some_and(|next| next.starts_with("Version: ")) => Ok(None),
            _ => {
                let statement = self.next(Some, "a statement stands here, or an empty line where there is none")?;
                if let Some((at, _)) = statement.char_indices().find(|(_, c)| !u8::try_from(*c).is_ok_and(|b| b == b' ' || is_of_uri(b))) {
                    let found = format!("the statement has {}", shown(self.text, self.at + at));
                    return Err(wrong(&format!(
                        "{found}; EIP-4361 allows there letters and digits of ASCII, blanks, and -._~:/?#[]@!$&'()*+,;=%"
                    )));
                }
                self.blank("an empty line follows after the statement, which has one line").map(|()| Some(statement))
            }
        }
    }

    fn field<T>(&mut self, name: &str, read: impl FnOnce(&'a str) -> Option<T>) -> Read<T> {
        let belongs = format!("`{name}` belongs here, and {}", form(name));
        self.next(|line| line.strip_prefix(name).filter(|value| !value.is_empty()).and_then(read), &belongs)
    }

    fn optional<T>(&mut self, name: &str, read: impl FnOnce(&'a str) -> Option<T>) -> Read<Option<T>> {
        if !self.peek().is_some_and(|line| line.starts_with(name)) {
            return Ok(None);
        }
        let belongs = format!("after `{name}` comes {}", form(name));
        self.next(|line| line.strip_prefix(name).and_then(read), &belongs).map(Some)
    }

    fn resources(&mut self) -> Read<Vec<&'a str>> {
        let mut resources = Vec::new();
        if self.peek().is_some_and(|line| line.starts_with("Resources:")) {
            self.next(|line| (line == "Resources:").then_some(()), "nothing follows after `Resources:` in its line")?;
            while self.peek().is_some_and(|line| line.starts_with("- ")) {
                let uri = |line: &'a str| line.strip_prefix("- ").filter(|uri| is_uri(uri));
                resources.push(self.next(uri, "a resource is a URI after `- `")?);
            }
        }
        Ok(resources)
    }

    fn wrong(&self, belongs: &str) -> Unreadable {
        wrong(&format!("line {}: {belongs}", self.number))
    }
}

fn wrong(what: &str) -> Unreadable {
    Unreadable { found: format!("it claims to be a sign-in but is not one: {what}"), remedy: "follow the grammar of EIP-4361" }
}

/// What stands after the name of a field.
fn form(name: &str) -> &'static str {
    match name {
        "URI: " => "a URI after it",
        "Version: " => "the version 1 after it",
        "Chain ID: " => "the chain's number in decimal digits after it",
        "Nonce: " => "8 or more visible characters of ASCII after it",
        "Request ID: " => "characters of URIs alone",
        _ => "a time as RFC 3339 writes it, with its zone",
    }
}
