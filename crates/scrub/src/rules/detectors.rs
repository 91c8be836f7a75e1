//! Secrets that begin with no keyword: blocks of PEM, numbers in a list, keys told by their checksum.

use super::manifests::until_event;
use super::validators::{base58, is_checked, is_password};
use std::ops::Range;

pub(super) const MNEMONIC: usize = 0;
pub(super) const PEM: usize = 1;
pub(super) const WIF: usize = 2;
pub(super) const KEYPAIR: usize = 3;
pub(super) const BYTES: usize = 4;
pub(super) const FIELD: usize = 5;
pub(super) const AZURE: usize = 6;
pub(super) const LOGIN: usize = 7;
pub(super) const FACEBOOK: usize = 8;
pub(super) const MAXMIND: usize = 9;
pub(super) const MANIFEST: usize = 10;
pub(super) const KEY: usize = 11;
pub(super) const SIGNED: usize = 12;
pub(super) const HEX: usize = 13;
pub(super) const COUNT: usize = 14;

const NAMES: [&str; COUNT] = [
    "mnemonic",
    "pem",
    "wif",
    "solana-keypair",
    "byte-array",
    "field",
    "azure-client-secret",
    "login-option",
    "app-id-and-secret",
    "maxmind-key",
    "secret-manifest",
    "json-web-key",
    "azure-signed-key",
    "hex-with-suffix",
];

/// Most bytes of 64 numbers in a list.
const LIST: usize = 64 * 5 + 2;

pub(super) fn named(name: &str) -> Option<usize> {
    NAMES.iter().position(|known| *known == name)
}

/// The names of fields that a detector's values stand under.
pub(super) fn names_of(detector: usize) -> Vec<&'static str> {
    match detector {
        KEYPAIR => vec!["privatekey", "secretkey", "privkey", "keypair", "walletkey", "walletsecret", "secret"],
        FIELD => super::names::endings().collect(),
        _ => Vec::new(),
    }
}

/// The expression of a detector that is a rule with names.
pub(super) fn expression(name: &str) -> Option<&'static str> {
    (name == NAMES[KEYPAIR]).then_some("[1-9A-HJ-NP-Za-km-z]{86,88}")
}

/// The head of a private key in PEM (RFC 7468), OpenSSH's and OpenPGP's.
pub(super) fn pem(text: &[u8], at: usize) -> Option<Range<usize>> {
    let line = &text[at..text.len().min(at + 64)];
    let label = line.strip_prefix(b"-----BEGIN ")?;
    let end = memchr::memmem::find(label, b"-----")?;
    let label = Some(&label[..end]).filter(|label| !label.iter().any(u8::is_ascii_control))?;
    let is_private = label.ends_with(b"PRIVATE KEY") || label == b"PGP PRIVATE KEY BLOCK" || label == b"OpenVPN Static key V1";
    let end = at + b"-----BEGIN ".len() + end + 5;
    (is_private && !is_empty_frame(&text[end..]) && !is_compared(&text[end..])).then_some(at..end)
}

/// Whether the head of a key is all that a call is given, which compares a text with it: `indexOf("-----BEGIN …-----")`.
fn is_compared(after: &[u8]) -> bool {
    let Some((b'"' | b'\'' | b'`', after)) = after.split_first() else { return false };
    let after = &after[..after.len().min(32)];
    after.iter().find(|byte| **byte != b' ') == Some(&b')')
}

/// Whether what follows the head of a key is its end, with less between them than a key has. No more is looked at than comes before the
/// end of an event, behind which a stream may be cut.
fn is_empty_frame(body: &[u8]) -> bool {
    let body = until_event(&body[..body.len().min(120)]);
    let Some(end) = memchr::memmem::find(body, b"-----END ") else { return false };
    let is_key = memchr::memmem::find(&body[end..], b"KEY").is_some();
    is_key && body[..end].iter().filter(|byte| byte.is_ascii_alphanumeric()).count() < 32
}

/// Where a block of PEM ends, from `from` on; `None` where its last line has not come.
pub(crate) fn pem_end(text: &[u8], from: usize) -> Option<usize> {
    let end = from + memchr::memmem::find(&text[from..], b"-----END ")? + b"-----END ".len();
    let line = &text[end..text.len().min(end + 64)];
    let line_end = memchr::memchr(b'\n', line);
    match memchr::memmem::find(&line[..line_end.unwrap_or(line.len())], b"-----") {
        Some(dashes) => Some(end + dashes + 5),
        None => line_end.map(|at| end + at).or((line.len() == 64).then_some(end)),
    }
}

/// Whether 51 or 52 letters and digits may stand at `at`.
#[inline]
pub(super) fn may_be_wif(text: &[u8], at: usize) -> bool {
    let is_part = |by: usize| text.get(at + by).is_some_and(u8::is_ascii_alphanumeric);
    is_part(50) && !(is_part(51) && is_part(52))
}

/// A private key of Bitcoin in wallet import format: 0x80 or 0xef, 32 bytes, perhaps 0x01, and a checksum.
pub(super) fn wif(text: &[u8], at: usize) -> Option<Range<usize>> {
    let length = text[at..].iter().take(53).take_while(|byte| byte.is_ascii_alphanumeric()).count();
    if !(51..=52).contains(&length) {
        return None;
    }
    let bytes = base58(&text[at..at + length])?;
    (matches!(bytes.len(), 37 | 38) && matches!(bytes[0], 0x80 | 0xef) && is_checked(&bytes)).then_some(at..at + length)
}

/// Where the sign stands that a client secret of Azure has behind three characters and a digit: `8Q~`, in a word that begins at `at`.
#[inline]
pub(super) fn azure_sign(text: &[u8], at: usize) -> Option<usize> {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let near = text[at..].first_chunk::<8>()?;
    // Whether one of them is `~`.
    let tilde = u64::from_le_bytes(*near) ^ (u64::from(b'~') * EACH);
    if tilde.wrapping_sub(EACH) & !tilde & (0x80 * EACH) == 0 {
        return None;
    }
    // The three characters before the digit may be no letters; then the word begins later.
    (1..5).find(|by| near[*by] == b'Q' && near[by + 1] == b'~' && near[by - 1].is_ascii_digit()).map(|by| at + by)
}

/// A client secret of Azure with this sign: three characters, a digit, `Q~`, and 31 to 34 more.
pub(super) fn azure(text: &[u8], sign: usize) -> Option<Range<usize>> {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'~' | b'.' | b'-');
    let start = sign.checked_sub(4)?;
    let length = text[sign + 2..].iter().take(40).take_while(|byte| is_part(**byte)).count();
    // A full stop ends a sentence, not a secret.
    let length = length - usize::from(length > 31 && text[sign + 1 + length] == b'.');
    let begins = start.checked_sub(1).is_none_or(|before| !is_part(text[before]));
    let secret = start..sign + 2 + length;
    let is_whole = (31..=34).contains(&length) && begins && text[start..sign].iter().all(|byte| is_part(*byte));
    (is_whole && super::measure::Make::of(&text[secret.clone()]).different >= 14).then_some(secret)
}

/// The secret behind the id of an app of Facebook, 15 or 16 digits and a bar.
#[cold]
pub(super) fn facebook(text: &[u8], at: usize) -> Option<Range<usize>> {
    let digits = text[..at - 1].iter().rev().take(17).take_while(|byte| byte.is_ascii_digit()).count();
    let length = text[at..].iter().take(41).take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')).count();
    let make = || super::measure::Make::of(&text[at..at + length]);
    let is_secret = || Some(make()).is_some_and(|make| make.surplus >= 28 && make.different > 9);
    ((15..=16).contains(&digits) && (27..=40).contains(&length) && is_secret()).then_some(at..at + length)
}

/// A key of Mailchimp or of Mailgun: 32 digits of hexadecimal, with a data centre or two groups of eight behind.
#[cold]
pub(super) fn hex_with_suffix(text: &[u8], at: usize) -> Option<Range<usize>> {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let length = text[at..].iter().take(51).take_while(|byte| is_part(byte)).count();
    let (digits, suffix) = text[at..at + length].split_at_checked(32)?;
    let are_hex = |digits: &[u8]| digits.iter().all(u8::is_ascii_hexdigit);
    let is_known = match suffix.strip_prefix(b"-us") {
        Some(centre) => (1..=2).contains(&centre.len()) && centre.iter().all(u8::is_ascii_digit),
        None => suffix.len() == 18 && suffix[9] == b'-' && are_hex(&suffix[1..9]) && are_hex(&suffix[10..]),
    };
    let is_begun = at > 0 && matches!(text[at - 1], b'-' | b'_' | b'/');
    (is_known && !is_begun && are_hex(digits) && super::measure::Make::of(digits).is_drawn(40)).then_some(at..at + length)
}

/// A licence key of MaxMind, which tells its kind at its end.
pub(super) fn maxmind(text: &[u8], at: usize) -> Option<Range<usize>> {
    let key = text.get(at..at + 40).filter(|key| key.ends_with(b"_mmk") && key[6] == b'_')?;
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let is_whole = key.iter().all(is_part) && !text.get(at + 40).is_some_and(is_part);
    let make = super::measure::Make::of(key);
    (is_whole && make.surplus >= 28 && make.different > 9).then_some(at..at + 40)
}

/// Keys of Azure that say themselves what they are of: how long they are, where the sign stands, and which.
const SIGNED_KEYS: &[(usize, usize, &[&[u8]])] = &[
    (44, 33, &[b"+ASb", b"+AEh", b"+ARm", b"AIoT", b"AzCa"]),
    (52, 42, &[b"AzSe", b"+ACR"]),
    (56, 44, &[b"AzFu"]),
    (84, 52, &[b"JQQJ99"]),
    (88, 76, &[b"+ASt", b"ACDb", b"+ABa", b"AzCaQ"]),
];

/// Whether a byte of a sign stands where one does.
#[inline]
pub(super) fn may_be_signed(text: &[u8], at: usize) -> bool {
    text.len() - at >= 44 && SIGNED_KEYS.iter().any(|(_, sign, _)| matches!(text.get(at + sign), Some(b'+' | b'A' | b'J')))
}

/// A key of Azure that has its sign where others have random characters.
#[cold]
pub(super) fn signed(text: &[u8], at: usize) -> Option<Range<usize>> {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'_' | b'-' | b'=');
    let length = text[at..].iter().take(90).take_while(|byte| is_part(byte)).count();
    let key = &text[at..at + length];
    let is_signed =
        |(whole, sign, signs): &(usize, usize, &[&[u8]])| length == *whole && signs.iter().any(|known| key[*sign..].starts_with(known));
    (SIGNED_KEYS.iter().any(is_signed) && super::measure::Make::of(key).is_drawn(40)).then_some(at..at + length)
}

/// Whether `-u` or `--user` stands before what begins at `at`.
#[inline]
pub(super) fn may_be_login(text: &[u8], at: usize) -> bool {
    let quote = usize::from(matches!(text[at - 1], b'"' | b'\''));
    let Some(before) = (at > quote).then(|| &text[..at - quote - 1]).filter(|_| matches!(text[at - quote - 1], b' ' | b'=')) else {
        return false;
    };
    let before = before.strip_suffix(b" ").unwrap_or(before);
    match before.last() {
        Some(b'u') => is_user_option(before),
        Some(b'r') => before.ends_with(b"--user"),
        _ => false,
    }
}

/// Whether a text ends with the option `-u`, alone or behind others of one letter: `-sSu`.
#[inline]
fn is_user_option(text: &[u8]) -> bool {
    let letters = text.iter().rev().take(6).take_while(|byte| byte.is_ascii_alphabetic()).count();
    (1..6).contains(&letters)
        && text[..text.len() - letters].ends_with(b"-")
        && text[..text.len() - letters - 1].last().is_none_or(|byte| matches!(byte, b' ' | b'\n' | b'\t' | b'"' | b'\''))
}

/// A login that an option of `curl` has: `-u NAME:PASSWORD`, and a token in a name's place with an empty password.
pub(super) fn login(text: &[u8], at: usize) -> Option<Range<usize>> {
    let before = &text[at.saturating_sub(12)..at];
    let before = before.strip_suffix(b"\"").or_else(|| before.strip_suffix(b"'")).unwrap_or(before);
    let before = before.trim_ascii_end();
    let before = before.strip_suffix(b"=").unwrap_or(before);
    if !is_user_option(before) && !before.ends_with(b" --user") {
        return None;
    }
    let quote = Some(text[at - 1]).filter(|byte| matches!(byte, b'"' | b'\''));
    let ends = |byte: &&u8| byte.is_ascii_whitespace() || Some(**byte) == quote || matches!(**byte, b'`' | b'<' | b'>');
    let login = &text[at..text.len().min(at + 256)];
    let login = &login[..login.iter().position(|byte| ends(&byte)).unwrap_or(login.len())];
    let (name, password) = login.split_at(memchr::memchr(b':', login)?);
    let password = password[1..].trim_ascii();
    let password = password.strip_prefix(b"\"").or_else(|| password.strip_prefix(b"'")).unwrap_or(password);
    let make = super::measure::Make::of(password);
    if password.is_empty() {
        let token = super::measure::Make::of(name);
        return (token.length >= super::LEAST && token.digits > 0 && token.surplus >= 28).then_some(at..at + name.len());
    }
    let is_given = !password.iter().any(|byte| matches!(byte, b'$' | b'{' | b'[' | b'*' | b'%')) || make.surplus > 12;
    let is_template = password.starts_with(b"$") || password.starts_with(b"{") || name.starts_with(b"$") && password.contains(&b'{');
    let mixed = make.lower + make.upper > 0 && make.digits + make.signs > 0 || make.lower > 0 && make.upper > 1;
    // What `curl` is given is a login, whatever it is made of.
    let line = &text[at.saturating_sub(super::HINT)..at];
    let line = memchr::memrchr(b'\n', line).map_or(line, |end| &line[end..]);
    if memchr::memmem::find(line, b"curl").is_some() {
        return (is_password(password) && is_given && !is_template).then_some(at..at + login.len());
    }
    (password.len() >= 6 && mixed && make.different >= 5 && is_given && !is_template).then_some(at..at + login.len())
}

/// A list of exactly 64 numbers of one byte each that begins in `starts`, around `at`: a key pair as Solana's tools write it.
pub(super) fn byte_array(text: &[u8], at: usize, starts: &Range<usize>) -> Option<Range<usize>> {
    let is_part = |byte: u8| byte.is_ascii_digit() || matches!(byte, b',' | b' ');
    let start = if text[at] == b'[' {
        at
    } else {
        let back = text[..at].iter().rev().take(LIST).take_while(|byte| is_part(**byte)).count();
        (at - back).checked_sub(1).filter(|start| text[*start] == b'[')?
    };
    if !starts.contains(&start) {
        return None;
    }
    let length = text[start + 1..].iter().take(2 * LIST).take_while(|byte| is_part(**byte)).count();
    let end = start + 1 + length;
    if text.get(end) != Some(&b']') {
        return None;
    }
    let mut count = 0;
    for number in text[start + 1..end].split(|byte| *byte == b',') {
        std::str::from_utf8(number.trim_ascii()).ok()?.parse::<u8>().ok()?;
        count += 1;
    }
    // Rows in order, small numbers and what an algorithm begins with (SHA-512, FIPS 180-4) are tables.
    let numbers: Vec<&[u8]> = text[start + 1..end].split(|byte| *byte == b',').map(<[u8]>::trim_ascii).collect();
    let large = numbers.iter().filter(|number| number.len() == 3 && **number >= &b"128"[..]).count();
    let is_row = numbers.is_sorted_by_key(|number| (number.len(), *number));
    (count == 64 && large >= 12 && !is_row && !numbers.starts_with(&[b"106", b"9", b"230", b"103"])).then_some(start..end + 1)
}
