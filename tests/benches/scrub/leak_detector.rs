//! A leak detector as another host for agents has it: what the expressions of its rules cost, applied as it applies them. It knows no values, undoes no
//! encoding, and looks at a whole text at once.
//!
//! The expressions are those of IronClaw's (<https://github.com/nearai/ironclaw>, `crates/substrates/ironclaw_safety/src/leak_detector.rs` at
//! 01ded0e, MIT or Apache-2.0). There, as here, an automaton looks for what expressions begin with; each whose beginning stands somewhere, and each
//! that has none of three characters, is then searched for in all of the text.

use aho_corasick::AhoCorasick;
use regex::Regex;

/// What expressions begin with, and how they go on.
const BEGUN: &[(&str, &str)] = &[
    ("sk-", "(?:proj-)?[a-zA-Z0-9]{20,}(?:T3BlbkFJ[a-zA-Z0-9_-]*)?"),
    ("sk-ant-api", "[a-zA-Z0-9_-]{90,}"),
    ("AKIA", "[0-9A-Z]{16}"),
    ("github_pat_", "[a-zA-Z0-9]{22}_[a-zA-Z0-9]{59}"),
    ("sk_", "(?:live|test)_[a-zA-Z0-9]{24,}"),
    ("sess_", "[a-zA-Z0-9]{32,}"),
    ("-----BEGIN", r"\s+(?:(?:RSA|ENCRYPTED)\s+)?PRIVATE\s+KEY-----(?s:.*?)(?:-----END\s+(?:(?:RSA|ENCRYPTED)\s+)?PRIVATE\s+KEY-----|$)"),
    ("-----BEGIN", r"\s+(?:OPENSSH|EC|DSA)\s+PRIVATE\s+KEY-----(?s:.*?)(?:-----END\s+(?:OPENSSH|EC|DSA)\s+PRIVATE\s+KEY-----|$)"),
    ("-----BEGIN", r"\s+PGP\s+PRIVATE\s+KEY\s+BLOCK-----(?s:.*?)(?:-----END\s+PGP\s+PRIVATE\s+KEY\s+BLOCK-----|$)"),
    ("AIza", "[0-9A-Za-z_-]{35}"),
    ("xox", "[baprs]-[0-9a-zA-Z-]{10,}"),
    ("Bearer", r"\s+[a-zA-Z0-9._~+/-]{20,}=*"),
    ("icsbx_", "[A-Za-z0-9]{16,}"),
];

/// Those that begin with fewer than three characters that are always the same.
const OTHERS: &[&str] = &[
    "gh[pousr]_[A-Za-z0-9_]{16,}",
    "SK[a-fA-F0-9]{32}",
    r"SG\.[a-zA-Z0-9_-]{22}\.[a-zA-Z0-9_-]{43}",
    r"\b[a-zA-Z0-9_-]{4,}\.[a-zA-Z0-9_-]{8,}\.[a-zA-Z0-9_-]{8,}",
    r"(?i)authorization:\s*[a-zA-Z]+\s+[a-zA-Z0-9._~+/-]{20,}=*",
    r"\bsk-or-v1-[a-fA-F0-9]{40,}",
    r"\bsk-ant-oat\d{2}-[a-zA-Z0-9_-]{50,}",
    r"\b\d{8,12}:AA[A-Za-z0-9_-]{30,}",
    r"\bgsk_[A-Za-z0-9]{30,}",
    r"\b[a-fA-F0-9]{64}\b",
];

pub struct LeakDetector {
    beginnings: AhoCorasick,
    begun: Vec<Regex>,
    others: Vec<Regex>,
}

impl LeakDetector {
    pub fn new() -> Self {
        let regex = |text: &str| Regex::new(text).expect("an expression");
        Self {
            beginnings: AhoCorasick::new(BEGUN.iter().map(|(beginning, _)| beginning)).expect("an automaton"),
            begun: BEGUN.iter().map(|(beginning, rest)| regex(&format!("{beginning}{rest}"))).collect(),
            others: OTHERS.iter().map(|text| regex(text)).collect(),
        }
    }

    /// How many findings a text has.
    pub fn count(&self, text: &str) -> usize {
        let mut stands = [false; BEGUN.len()];
        for found in self.beginnings.find_iter(text) {
            let found = BEGUN[found.pattern().as_usize()].0;
            for (stands, (beginning, _)) in stands.iter_mut().zip(BEGUN) {
                *stands |= beginning.starts_with(found) || found.starts_with(beginning);
            }
        }
        let begun = self.begun.iter().zip(stands).filter(|(_, stands)| *stands).map(|(regex, _)| regex);
        begun.chain(&self.others).map(|regex| regex.find_iter(text).count()).sum()
    }
}
