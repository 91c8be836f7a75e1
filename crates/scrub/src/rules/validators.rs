//! What a match must be in addition to its shape.

use super::measure::Make;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

/// A test by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Validator {
    /// Random-looking: 3 bits of entropy in a character, and letters and digits, or letters of both cases; or by the measure of `measure`, 20
    /// bits more than ordinary names.
    Entropy,
    /// Ends with the CRC-32 of what comes before, in base62 (GitHub's and npm's tokens), or holds a JSON Web Token behind a number.
    Github,
    /// The header of a JSON Web Token (RFC 7519) names an algorithm, or its claims begin as JSON in base64 does.
    Jwt,
    /// Ends with four bytes of a double SHA-256 (Bitcoin's Base58Check).
    Base58Check,
    /// A password that is none of the words that stand for one.
    Password,
    /// A private key of secp256k1, in hexadecimal.
    Secp256k1,
    /// 64 bytes in base58.
    Keypair,
    /// Looks random by the measure of `measure`: 16 bits more than ordinary names.
    Random,
    /// A name and a password in base64, of which the password is none of the words that stand for one.
    Basic,
    /// Of several different characters, which are no row of the alphabet: for kinds that may be of one class.
    Varied,
}

impl Validator {
    /// What [`Validator::named`] knows.
    pub(super) const NAMES: &[&str] =
        &["entropy", "github", "jwt", "base58check", "password", "secp256k1", "solana-keypair", "random", "varied", "basic"];

    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "entropy" => Self::Entropy,
            "github" => Self::Github,
            "jwt" => Self::Jwt,
            "base58check" => Self::Base58Check,
            "password" => Self::Password,
            "secp256k1" => Self::Secp256k1,
            "solana-keypair" => Self::Keypair,
            "random" => Self::Random,
            "varied" => Self::Varied,
            "basic" => Self::Basic,
            _ => return None,
        })
    }

    /// Whether `whole`, of which `tail` stands behind the keyword, is a secret. `group` gives the expression's first group.
    pub(super) fn admits<'t>(self, whole: &[u8], tail: &[u8], group: impl FnOnce() -> Option<&'t [u8]>) -> bool {
        match self {
            Self::Entropy => is_random(tail) || Make::of(tail).is_drawn(20),
            Self::Github => {
                let is_checked = tail.split_last_chunk::<6>().is_some_and(|(text, sum)| base62(crc32fast::hash(text)) == *sum);
                is_checked || memchr::memmem::find(tail, b"_eyJ").is_some_and(|at| is_jwt(&tail[at + 1..]))
            }
            Self::Jwt => is_jwt(whole),
            Self::Base58Check => base58(whole).is_some_and(|bytes| is_checked(&bytes)),
            Self::Password => group().is_some_and(is_password),
            Self::Secp256k1 => is_scalar(tail),
            Self::Basic => is_basic(tail),
            Self::Random => Make::of(tail).is_drawn(16),
            Self::Varied => {
                let make = Make::of(tail);
                make.different >= 9 && make.steps * 5 <= make.length * 2
            }
            Self::Keypair => base58(whole).is_some_and(|bytes| bytes.len() == 64),
        }
    }
}

fn is_random(text: &[u8]) -> bool {
    let text: Vec<u8> = text.iter().copied().filter(u8::is_ascii_alphanumeric).collect();
    let ascending = text.windows(2).filter(|pair| (pair[1] | 0x20).wrapping_sub(pair[0] | 0x20) <= 1).count();
    let any = |class: fn(&u8) -> bool| text.iter().any(class);
    let mixed = (any(u8::is_ascii_digit) && any(u8::is_ascii_alphabetic)) || (any(u8::is_ascii_uppercase) && any(u8::is_ascii_lowercase));
    entropy(&text) >= 3.0 && mixed && ascending * 2 < text.len()
}

/// Bits for a character, by how often each byte occurs in the text (Shannon).
pub(super) fn entropy(text: &[u8]) -> f64 {
    let mut counts = [0u32; 256];
    text.iter().for_each(|byte| counts[usize::from(*byte)] += 1);
    let share = |count: &u32| f64::from(*count) / text.len() as f64;
    counts.iter().filter(|count| **count > 0).map(share).map(|share| -share * share.log2()).sum()
}

fn base62(mut number: u32) -> [u8; 6] {
    let mut out = [b'0'; 6];
    for slot in out.iter_mut().rev() {
        *slot = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"[(number % 62) as usize];
        number /= 62;
    }
    out
}

fn is_jwt(token: &[u8]) -> bool {
    let header = token.split(|byte| *byte == b'.').next().unwrap_or_default();
    let header = URL_SAFE_NO_PAD.decode(header).ok().and_then(|json| serde_json::from_slice::<serde_json::Value>(&json).ok());
    let names_one = header.is_some_and(|header| header.get("alg").is_some_and(serde_json::Value::is_string));
    // Of one that was changed by hand the second part tells it.
    names_one || token.split(|byte| *byte == b'.').nth(1).is_some_and(|claims| claims.starts_with(b"eyJ"))
}

/// The bytes that a base58 text stands for (Bitcoin's alphabet).
pub(super) fn base58(text: &[u8]) -> Option<Vec<u8>> {
    const DIGITS: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    let mut bytes: Vec<u8> = Vec::with_capacity(text.len());
    for digit in text {
        let mut carry = DIGITS.iter().position(|known| known == digit)?;
        for byte in &mut bytes {
            carry += usize::from(*byte) * 58;
            *byte = (carry & 0xff) as u8;
            carry >>= 8;
        }
        while carry > 0 {
            bytes.push((carry & 0xff) as u8);
            carry >>= 8;
        }
    }
    bytes.extend(text.iter().take_while(|digit| **digit == b'1').map(|_| 0));
    bytes.reverse();
    Some(bytes)
}

/// Whether bytes end with the beginning of their double SHA-256.
pub(super) fn is_checked(bytes: &[u8]) -> bool {
    bytes.split_last_chunk::<4>().is_some_and(|(payload, sum)| Sha256::digest(Sha256::digest(payload)).starts_with(sum))
}

/// Whether a text is a login in base64 (RFC 7617): a name or none, and a password; or a token in a name's place.
pub(super) fn is_basic(text: &[u8]) -> bool {
    let bare = text.iter().rposition(|byte| *byte != b'=').map_or(text, |last| &text[..=last]);
    let Some(login) = STANDARD_NO_PAD.decode(bare).ok().filter(|login| login.iter().all(|byte| *byte >= b' ' && *byte != 0x7f)) else {
        return false;
    };
    let Some(sign) = memchr::memchr(b':', &login).filter(|_| std::str::from_utf8(&login).is_ok()) else { return false };
    let (name, password) = (&login[..sign], &login[sign + 1..]);
    if password.is_empty() { name.len() > 4 && is_password(name) } else { is_password(password) }
}

pub(super) fn is_password(text: &[u8]) -> bool {
    const WORDS: &[&str] = &[
        "password",
        "passwd",
        "pass",
        "pwd",
        "secret",
        "changeme",
        "change-me",
        "example",
        "your-password",
        "yourpassword",
        "your_password",
        "mypassword",
        "user",
        "username",
        "postgres",
        "root",
        "admin",
        "guest",
        "token",
        "test",
        "redacted",
        "hidden",
        // The login of the examples of Oracle.
        "tiger",
    ];
    let lower = String::from_utf8_lossy(text).to_ascii_lowercase();
    let one_letter = text.iter().all(|byte| byte == &text[0]);
    let is_template = lower.starts_with(['<', '$', '{', '%', '[', '*'])
        || lower.contains("...")
        || lower.contains("redacted")
        || lower.starts_with("sr_");
    // A port, and the path behind it.
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let is_port = (1..=5).contains(&digits) && matches!(text.get(digits), None | Some(b'/' | b'?'));
    // `some_pass`, `my-password`
    let is_word = |part: &str| WORDS.contains(&part) || matches!(part, "some" | "my" | "your" | "the" | "db" | "here");
    let is_worded = lower.split(['_', '-']).all(is_word);
    text.len() >= 4 && !is_port && !one_letter && !is_template && !is_worded
}

/// 32 bytes above zero and below the order of secp256k1 (SEC 2), not of one byte over and over.
fn is_scalar(text: &[u8]) -> bool {
    const ORDER: &[u8; 64] = b"fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
    let digits = text.strip_prefix(b"0x").unwrap_or(text).to_ascii_lowercase();
    let varied = digits.iter().any(|digit| *digit != digits[0]) && digits.chunks(2).any(|pair| pair != &digits[..2]);
    digits.len() == ORDER.len() && varied && digits.as_slice() < ORDER.as_slice()
}
