//! What rules find in a text, with the reasons: for whoever tries them.

use super::rules::Reason;
use super::{MOST_TAIL, Scrubber, Subject, sorted};
use std::ops::Range;

/// A finding of a rule, explained.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Examined {
    /// The rule's name.
    pub rule: String,
    /// The kind of secret.
    pub what: String,
    /// Where it stands.
    pub at: Range<usize>,
    /// Whether it begins behind an escape, such as `%3D` or `\n`, and not where a word does.
    pub is_escaped: bool,
    /// What speaks for it.
    pub why: Vec<Reason>,
}

impl Scrubber {
    /// What rules find in a text, in its order, with the reasons. Findings may overlap. Costs more than [`Scrubber::find`], for each finding.
    #[must_use]
    pub fn examine(&self, text: &[u8]) -> Vec<Examined> {
        let Some(rules) = &self.search.rules else { return Vec::new() };
        let of_rule = |subject: Subject| if let Subject::Rule(rule) = subject { Some(rule) } else { None };
        let found = sorted(self.findings(text)).into_iter().filter_map(|finding| Some((of_rule(finding.subject)?, finding)));
        let examined = found.map(|(rule, finding)| {
            let most = text.len().min(finding.at.end + MOST_TAIL);
            let at = finding.at.start..finding.tail.map_or(finding.at.end, |tail| tail.end(&text[..most], finding.at.end, most).0);
            let why = rules.why(text, rule, &finding.at);
            Examined {
                rule: rules.name(rule).to_owned(),
                what: rules.what(rule).to_owned(),
                is_escaped: is_escaped(text, at.start),
                at,
                why,
            }
        });
        examined.collect()
    }
}

/// Whether a word begins at `at` only because an escape stands before it.
fn is_escaped(text: &[u8], at: usize) -> bool {
    let before = |by: usize| at.checked_sub(by).map(|before| text[before]);
    let is_inside = before(1).is_some_and(|byte| byte.is_ascii_alphanumeric());
    is_inside && (before(2) == Some(b'\\') || before(3) == Some(b'%') || before(6) == Some(b'\\') && before(5) == Some(b'u'))
}
