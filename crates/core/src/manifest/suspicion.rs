//! Does a piece of configuration look like a credential? Used to refuse what someone pasted into a file by mistake.

use crate::scrub::{Rules, Scrubber, Search};
use std::ops::Range;
use std::sync::{Arc, LazyLock};

/// What a text is taken for a secret by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Look {
    /// A rule of the scrubber, by its name.
    Rule(String),
    /// Nothing but that it looks random.
    Random,
}

/// Whether `text` looks like a credential: a rule of the scrubber finds one in it, it is 32 bytes in hexadecimal, or a long run that
/// mixes letters and digits like nothing a person would write.
pub fn looks_like_a_secret(text: &str) -> bool {
    !find(text).is_empty()
}

/// All that looks like a credential in a text, in its order, each once.
pub(super) fn find(text: &str) -> Vec<(Range<usize>, Look)> {
    static RULES: LazyLock<Scrubber> =
        LazyLock::new(|| Scrubber::new(Arc::new(Search::new(Vec::new(), Some(Rules::standard()))), Vec::new()));
    // Rules find what begins a word; the random part of a shape is none of it.
    let on_borders = |range: &Range<usize>| text.is_char_boundary(range.start) && text.is_char_boundary(range.end);
    let mut found: Vec<(Range<usize>, Look)> =
        RULES.find(text.as_bytes()).into_iter().filter(|(_, at)| on_borders(at)).map(|(rule, at)| (at, Look::Rule(rule))).collect();
    let borders = |c: char| c.is_whitespace() || "=,;\"':/?&@#()[]{}<>`^$|".contains(c);
    for part in text.split(borders).filter(|part| word(part)) {
        let start = part.as_ptr() as usize - text.as_ptr() as usize;
        let at = start..start + part.len();
        // Versions of secrets have random names.
        if text[..start].ends_with("?version=") {
            continue;
        }
        if !found.iter().any(|(known, _)| known.start < at.end && at.start < known.end) {
            found.push((at, Look::Random));
        }
    }
    found.sort_by_key(|(at, _)| at.start);
    found
}

fn word(word: &str) -> bool {
    let hex = word.strip_prefix("0x").unwrap_or(word);
    // An Ethereum address is public.
    if word.starts_with("0x") && hex.len() == 40 && hex.bytes().all(|b| b.is_ascii_hexdigit()) {
        return false;
    }
    let is_key = hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit());
    is_key || (word.len() >= 24 && is_random(word))
}

/// Letters and digits alternate often: in 16 or more characters of a random string they do, in words and versions they don't.
fn is_random(text: &str) -> bool {
    if !text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.+".contains(&b)) {
        return false;
    }
    let class = |b: u8| (b.is_ascii_digit(), b.is_ascii_uppercase());
    let bytes: Vec<u8> = text.bytes().filter(u8::is_ascii_alphanumeric).collect();
    let turns = bytes.windows(2).filter(|pair| class(pair[0]) != class(pair[1])).count();
    let digits = bytes.iter().filter(|b| b.is_ascii_digit()).count();
    let words = text.split(['-', '_', '.']).map(str::len).max().unwrap_or(0);
    digits >= 3 && words >= 12 && turns * 4 >= bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_noticed_and_ordinary_values_are_not() {
        for secret in [
            "pf_live_5b1e0c9a7f3d2846b0c1d8e7f6a59432",
            "sk-proj4a8Zk29fQpL1vT7xYb3N",
            "--key=0x4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318",
            "-----BEGIN PRIVATE KEY-----",
            "Bearer ghp_16C7e42F292c6912E7710c838347Ae178B4a",
        ] {
            assert!(looks_like_a_secret(secret), "{secret}");
        }
        for plain in [
            "ETH-USD",
            "--pair",
            "https://api.example.com/v1/orders?limit=10",
            "trading-bot-with-a-rather-long-name-2",
            "2026-11-24T12:00:00Z",
            "agents/trading-bot-1#purpleflea_api_key",
            "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
            "aws:agents/labels?version=5e1f0a9c7d344b2e9f801a2b3c4d5e6f#KEY",
        ] {
            assert!(!looks_like_a_secret(plain), "{plain}");
        }
    }
}
