//! What the rules find in a text of the operator's, with the reasons.

use super::{Failed, rules};
use crate::manifest::HostConfig;
use crate::scrub::{Examined, Reason, Scrubber, Search};
use serde::Serialize;
use std::sync::Arc;

/// Most characters of a line that are shown before a finding.
const MOST_BEFORE: usize = 60;

/// A finding in a text. Holds nothing of what was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// Its line, from 1.
    pub line: usize,
    /// Its column, from 1, in characters.
    pub column: usize,
    /// The line of the character behind it, and its column.
    pub end_line: usize,
    /// See there.
    pub end_column: usize,
    /// The name of the rule.
    pub rule: String,
    /// The kind of secret.
    pub what: String,
    /// Its length in bytes.
    pub length: usize,
    /// How it is written.
    pub encoding: Spelling,
    /// What speaks for it.
    pub why: Vec<Reason>,
    /// Its line up to it, without this finding and the others in it.
    #[serde(skip)]
    pub shown: String,
}

/// How a finding is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Spelling {
    /// As it is.
    Plain,
    /// As it is, behind an escape such as `%3D` or `\n`.
    BehindEscape,
}

/// What the host's rules, and those of the configuration, find in a text: in its order.
///
/// # Errors
/// [`Failed`] where the configuration's rules can't be read.
pub fn findings(config: &HostConfig, text: &[u8]) -> Result<Vec<Finding>, Failed> {
    let scrubber = Scrubber::new(Arc::new(Search::new(Vec::new(), Some(rules(config)?))), Vec::new());
    let found = scrubber.examine(text);
    let mut lines = Lines { text, at: 0, line: 1, begin: 0 };
    Ok((0..found.len()).map(|number| lines.finding(&found, number)).collect())
}

/// Where a text's lines begin, found on the way through it.
struct Lines<'t> {
    text: &'t [u8],
    at: usize,
    line: usize,
    begin: usize,
}

impl Lines<'_> {
    /// The line and the column of a place, which lies behind the last one that was asked for.
    fn place(&mut self, at: usize) -> (usize, usize) {
        for end in memchr::memchr_iter(b'\n', &self.text[self.at..at]) {
            (self.line, self.begin) = (self.line + 1, self.at + end + 1);
        }
        self.at = at;
        (self.line, characters(&self.text[self.begin..at]) + 1)
    }

    fn finding(&mut self, found: &[Examined], number: usize) -> Finding {
        let Examined { rule, what, at, is_escaped, why, .. } = &found[number];
        let (line, column) = self.place(at.start);
        let shown = self.shown(&found[..number], at.start);
        let mut behind = Lines { ..*self };
        let (end_line, end_column) = behind.place(at.end);
        let encoding = if *is_escaped { Spelling::BehindEscape } else { Spelling::Plain };
        let (rule, what, why) = (rule.clone(), what.clone(), why.clone());
        Finding { line, column, end_line, end_column, rule, what, length: at.len(), encoding, why, shown }
    }

    /// The line up to `at`, with the findings before it taken out.
    fn shown(&self, before: &[Examined], at: usize) -> String {
        let (mut out, mut from) = (String::new(), self.begin);
        for other in before.iter().filter(|other| other.at.end > self.begin) {
            if other.at.start >= from {
                out.push_str(&String::from_utf8_lossy(&self.text[from..other.at.start]));
                out.push_str(&format!("[redacted:{}]", other.rule));
            }
            from = from.max(other.at.end);
        }
        out.push_str(&String::from_utf8_lossy(self.text.get(from..at).unwrap_or_default()));
        let length = out.chars().count();
        match length > MOST_BEFORE {
            true => out.chars().skip(length - MOST_BEFORE).fold("…".to_owned(), |text, next| text + next.encode_utf8(&mut [0; 4])),
            false => out,
        }
    }
}

/// How many characters a text has; what is no UTF-8 counts as one for each piece.
fn characters(text: &[u8]) -> usize {
    text.utf8_chunks().map(|chunk| chunk.valid().chars().count() + usize::from(!chunk.invalid().is_empty())).sum()
}
