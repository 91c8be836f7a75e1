//! What takes a finding back: allowlists, entropy, and the filters of Betterleaks.

use super::super::measure::Make;
use super::super::validators::entropy;
use super::syntax::Expression;
use aho_corasick::{AhoCorasick, AhoCorasickKind};

/// Bits of surplus from which on a text is no ordinary one: stands for the efficiency of its tokens.
const LEAST_SURPLUS: i32 = 12;

/// When a finding is left out.
pub(super) enum Filter {
    Any(Vec<Filter>),
    All(Vec<Filter>),
    Not(Box<Filter>),
    Always(bool),
    /// The entropy of a text is so many bits for a character, or less.
    Entropy(Subject, f64, Bound),
    Matches(Subject, Expression),
    /// One of these texts stands in it, in whatever letter case.
    Contains(Subject, AhoCorasick),
    Is(Subject, String),
    /// It looks like ordinary words.
    Ordinary(Subject),
}

/// Whether a bound itself counts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Bound {
    Below,
    UpTo,
}

/// What a filter looks at.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Subject {
    Secret,
    Match,
    Line,
    /// The id of the rule.
    Rule,
    /// What is known before.
    Text(String),
}

/// A finding that a filter looks at.
#[derive(Clone, Copy)]
pub(super) struct Found<'t> {
    pub(super) secret: &'t [u8],
    pub(super) whole: &'t [u8],
    pub(super) line: &'t [u8],
    pub(super) rule: &'t str,
}

impl Filter {
    /// Whether a finding is left out.
    pub(super) fn holds(&self, found: Found<'_>) -> bool {
        match self {
            Self::Any(parts) => parts.iter().any(|part| part.holds(found)),
            Self::All(parts) => parts.iter().all(|part| part.holds(found)),
            Self::Not(part) => !part.holds(found),
            Self::Always(holds) => *holds,
            Self::Entropy(of, bits, bound) => match (entropy(of.text(found)), bound) {
                (entropy, Bound::Below) => entropy < *bits,
                (entropy, Bound::UpTo) => entropy <= *bits,
            },
            Self::Matches(of, expression) => expression.regex().is_some_and(|regex| regex.is_match(of.text(found))),
            Self::Contains(of, words) => words.is_match(of.text(found)),
            Self::Is(of, text) => of.text(found) == text.as_bytes(),
            Self::Ordinary(of) => Make::of(of.text(found)).surplus < LEAST_SURPLUS,
        }
    }

    /// The filter that leaves out what has one of these words in it.
    ///
    /// # Errors
    /// They are too many to be searched for.
    pub(super) fn contains(of: Subject, words: &[String]) -> Result<Self, String> {
        let words = words.iter().map(|word| word.to_lowercase()).filter(|word| !word.is_empty());
        // The small kind: a file has many such lists, and what was found is short.
        let search = AhoCorasick::builder().ascii_case_insensitive(true).kind(Some(AhoCorasickKind::ContiguousNFA)).build(words);
        search.map(|words| Self::Contains(of, words)).map_err(|_| "its stopwords are too many to be searched for".to_owned())
    }

    /// Whether it asks for the efficiency of tokens, for which there is a stand-in.
    pub(super) fn has_stand_in(&self) -> bool {
        match self {
            Self::Any(parts) | Self::All(parts) => parts.iter().any(Self::has_stand_in),
            Self::Not(part) => part.has_stand_in(),
            Self::Ordinary(_) => true,
            _ => false,
        }
    }
}

impl Subject {
    /// One by its name in `finding["…"]`, and in `regexTarget`.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "secret" => Self::Secret,
            "match" => Self::Match,
            "line" => Self::Line,
            "rule_id" => Self::Rule,
            _ => return None,
        })
    }

    fn text<'t>(&'t self, found: Found<'t>) -> &'t [u8] {
        match self {
            Self::Secret => found.secret,
            Self::Match => found.whole,
            Self::Line => found.line,
            Self::Rule => found.rule.as_bytes(),
            Self::Text(text) => text.as_bytes(),
        }
    }
}
