//! Messages for people (EIP-191, version 0x45), and among them sign-ins (EIP-4361). A message that nobody can read is none: bytes that may be
//! a hash, or are not text, are refused before any pattern is tried.

use super::quantity;
use super::rlp::Malformed;
use alloy_primitives::{Address, B256, keccak256};

/// Most bytes of a message.
const MAX_LENGTH: usize = 64 * 1024;
const WANTS: &str = " wants you to sign in with your Ethereum account:";

/// The text of a message that a person can read.
pub(crate) fn readable(message: &[u8]) -> Result<&str, Malformed> {
    if message.is_empty() || message.len() > MAX_LENGTH {
        return Err(Malformed("the message is empty, or has more than 64 KiB"));
    }
    if message.len() == 32 {
        return Err(Malformed("the message has 32 bytes, as a hash has"));
    }
    let text = std::str::from_utf8(message).map_err(|_| Malformed("the message is not UTF-8 text"))?;
    let trimmed = text.trim();
    let digits = trimmed.strip_prefix("0x").or(trimmed.strip_prefix("0X")).unwrap_or(trimmed);
    if digits.len() == 64 && digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(Malformed("the message is a hash in hexadecimal digits"));
    }
    // What ends a line for some readers and not for others, or turns the order of characters, would be read otherwise than it is judged.
    match text.chars().any(|c| !matches!(c, '\n' | '\t') && crate::text::is_unsafe(c)) {
        true => Err(Malformed("the message has control characters, or others that no reader shows")),
        false => Ok(text),
    }
}

/// What is signed of a message.
pub(crate) fn signing_hash(message: &[u8]) -> B256 {
    let prefix = format!("\x19Ethereum Signed Message:\n{}", message.len());
    keccak256([prefix.as_bytes(), message].concat())
}

/// A sign-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SignIn<'a> {
    pub(crate) domain: &'a str,
    pub(crate) address: Address,
    pub(crate) statement: Option<&'a str>,
    pub(crate) uri: &'a str,
    pub(crate) chain: u64,
    pub(crate) issued: jiff::Timestamp,
    pub(crate) expires: Option<jiff::Timestamp>,
    pub(crate) resources: Vec<&'a str>,
}

impl<'a> SignIn<'a> {
    /// Whether a message claims to be a sign-in: then it is judged as one, or not at all. A reader of such messages may look for the claim
    /// anywhere, in any case.
    pub(crate) fn is_claimed(text: &str) -> bool {
        let lower = text.to_lowercase();
        lower.contains("wants you to sign in with your") || lower.contains("\nuri:") && lower.contains("\nnonce:")
    }

    /// Reads a sign-in by the grammar of EIP-4361, to its last byte.
    pub(crate) fn read(text: &'a str) -> Result<Self, Malformed> {
        let mut lines = Lines(text.split('\n').peekable());
        let domain = lines.next()?.strip_suffix(WANTS).ok_or(Malformed("the first line is none of a sign-in"))?;
        let (scheme, domain) = domain.split_once("://").map_or((None, domain), |(scheme, domain)| (Some(scheme), domain));
        if !scheme.is_none_or(is_scheme) || !is_authority(domain) {
            return Err(Malformed("the first line does not begin with a domain"));
        }
        let address = lines.next()?;
        let address = quantity::address(address).filter(|parsed| parsed.to_checksum(None) == address);
        let address = address.ok_or(Malformed("the second line is no address with its checksum"))?;
        lines.blank()?;
        let statement = match lines.next()? {
            "" => None,
            statement if statement.bytes().all(|b| b == b' ' || is_of_uri(b)) => {
                lines.blank()?;
                Some(statement)
            }
            _ => return Err(Malformed("the statement has characters that EIP-4361 does not allow")),
        };
        let uri = Some(lines.field("URI: ")?).filter(|uri| is_uri(uri)).ok_or(Malformed("the URI is none"))?;
        if lines.field("Version: ")? != "1" {
            return Err(Malformed("the version of the sign-in is not 1"));
        }
        let chain = lines.field("Chain ID: ")?;
        let chain = chain
            .parse()
            .ok()
            .filter(|parsed: &u64| *parsed > 0 && parsed.to_string() == chain)
            .ok_or(Malformed("the chain id is no number"))?;
        let nonce = lines.field("Nonce: ")?;
        if nonce.len() < 8 || !nonce.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(Malformed("the nonce has not 8 letters and digits or more"));
        }
        let time = |text: &str| {
            let parsed = text.parse::<jiff::Timestamp>().ok().filter(|_| is_rfc_3339(text));
            parsed.ok_or(Malformed("a time is not as RFC 3339 writes it"))
        };
        let issued = time(lines.field("Issued At: ")?)?;
        let expires = lines.optional("Expiration Time: ").map(time).transpose()?;
        lines.optional("Not Before: ").map(time).transpose()?;
        if lines.optional("Request ID: ").is_some_and(|id| !id.bytes().all(is_of_uri)) {
            return Err(Malformed("the request id has characters that EIP-4361 does not allow"));
        }
        let mut resources = Vec::new();
        if let Some(rest) = lines.optional("Resources:") {
            while let Some(resource) = lines.optional("- ") {
                resources.push(resource);
            }
            if !rest.is_empty() || !resources.iter().all(|resource| is_uri(resource)) {
                return Err(Malformed("a resource is no URI"));
            }
        }
        match lines.0.next() {
            None => Ok(Self { domain, address, statement, uri, chain, issued, expires, resources }),
            Some(_) => Err(Malformed("something follows after the sign-in")),
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

struct Lines<'a>(std::iter::Peekable<std::str::Split<'a, char>>);

impl<'a> Lines<'a> {
    fn next(&mut self) -> Result<&'a str, Malformed> {
        self.0.next().ok_or(Malformed("the sign-in ends too early"))
    }

    fn blank(&mut self) -> Result<(), Malformed> {
        if self.next()?.is_empty() { Ok(()) } else { Err(Malformed("a line of the sign-in should be empty")) }
    }

    fn field(&mut self, name: &'static str) -> Result<&'a str, Malformed> {
        let value = self.next()?.strip_prefix(name).filter(|value| !value.is_empty());
        value.ok_or(Malformed("a line of the sign-in is missing, or stands in another place"))
    }

    fn optional(&mut self, name: &str) -> Option<&'a str> {
        let value = self.0.peek()?.strip_prefix(name)?;
        self.0.next();
        Some(value)
    }
}

/// Solana's envelope of an off-chain message (version 0, UTF-8): its first byte can't begin a transaction.
pub(crate) fn solana_envelope(text: &str) -> Result<Vec<u8>, Malformed> {
    /// What fits into a packet beside the envelope; longer ones are of a format that hardware can't show.
    const MAX: usize = 1_212;
    const ASCII: u8 = 0;
    const UTF8: u8 = 1;
    let length = u16::try_from(text.len()).ok().filter(|length| usize::from(*length) <= MAX);
    let length = length.ok_or(Malformed("an off-chain message has at most 1,212 bytes"))?;
    let format = if text.bytes().all(|b| (0x20..=0x7e).contains(&b)) { ASCII } else { UTF8 };
    Ok([b"\xffsolana offchain".as_slice(), &[0, format], &length.to_le_bytes(), text.as_bytes()].concat())
}
