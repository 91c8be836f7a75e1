//! Does a piece of configuration look like a credential? Used to refuse what someone pasted into a file by mistake.

const PREFIXES: &[&str] = &[
    "pf_live_",
    "pf_test_",
    "sk-",
    "sk_live_",
    "sk_test_",
    "rk_live_",
    "pk_live_",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "xoxa-",
    "xapp-",
    "AKIA",
    "ASIA",
    "AIza",
    "ya29.",
    "hvs.",
    "hvb.",
    "s.",
    "npm_",
    "pypi-",
    "dop_v1_",
    "shpat_",
    "SG.",
    "key-",
    "eyJ",
    "AGE-SECRET-KEY-",
];

/// Whether `text` has the shape of a credential: a known prefix before a long random tail, a private key in PEM, 32 bytes in
/// hexadecimal, or a long run that mixes letters and digits like nothing a person would write.
pub(crate) fn looks_like_a_secret(text: &str) -> bool {
    let text = text.trim();
    if text.contains("-----BEGIN") && text.contains("PRIVATE KEY") {
        return true;
    }
    text.split(|c: char| c.is_whitespace() || matches!(c, '=' | ',' | ';' | '"' | '\'' | ':' | '/' | '?' | '&' | '@')).any(word)
}

fn word(word: &str) -> bool {
    let hex = word.strip_prefix("0x").unwrap_or(word);
    if hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit()) {
        return true;
    }
    let tail_after_prefix = PREFIXES.iter().filter_map(|prefix| word.strip_prefix(prefix)).any(is_tail);
    tail_after_prefix || (word.len() >= 32 && is_random(word))
}

/// What follows a known prefix: long, of one run of letters and digits, some of them digits.
fn is_tail(tail: &str) -> bool {
    tail.len() >= 16
        && tail.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b))
        && tail.bytes().filter(u8::is_ascii_digit).count() >= 3
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
            "pf_live_0123456789abcdef0123456789abcdef",
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
        ] {
            assert!(!looks_like_a_secret(plain), "{plain}");
        }
    }
}
