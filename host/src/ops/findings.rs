//! What the rules find in a text of the operator's, with the reasons.

use super::{Failed, rules};
use crate::manifest::HostConfig;
use crate::scrub::{Examined, Reason, Scrubber, Search};
use serde::Serialize;
use std::ops::Range;
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
    let mut lines = Lines { text, at: 0, line: 1, begin: 0, column: 1 };
    let mut shown = Shown { text, begin: 0, at: 0, out: String::new() };
    Ok(found.into_iter().map(|found| lines.finding(found, &mut shown)).collect())
}

/// Where a text's lines begin, found on the way through it.
#[derive(Clone, Copy)]
struct Lines<'t> {
    text: &'t [u8],
    at: usize,
    line: usize,
    begin: usize,
    column: usize,
}

/// A line up to a finding, without those before it, made on the way through the text: its last characters, and one more where there are any.
struct Shown<'t> {
    text: &'t [u8],
    begin: usize,
    /// What was taken out, or shown, ends here.
    at: usize,
    out: String,
}

impl Lines<'_> {
    /// The line and the column of a place, which lies behind the last one that was asked for.
    fn place(&mut self, at: usize) -> (usize, usize) {
        for end in memchr::memchr_iter(b'\n', &self.text[self.at..at]) {
            (self.line, self.begin, self.column) = (self.line + 1, self.at + end + 1, 1);
        }
        self.column += characters(&self.text[self.at.max(self.begin)..at]);
        self.at = at;
        (self.line, self.column)
    }

    fn finding(&mut self, found: Examined, shown: &mut Shown<'_>) -> Finding {
        let Examined { rule, what, at, is_escaped, why, .. } = found;
        let (line, column) = self.place(at.start);
        let before = shown.up_to(at.start, self.begin);
        shown.without(&at, &rule);
        let (end_line, end_column) = { *self }.place(at.end);
        let encoding = if is_escaped { Spelling::BehindEscape } else { Spelling::Plain };
        Finding { line, column, end_line, end_column, rule, what, length: at.len(), encoding, why, shown: before }
    }
}

impl Shown<'_> {
    /// The line, which begins at `begin`, up to `at`.
    fn up_to(&mut self, at: usize, begin: usize) -> String {
        if begin != self.begin {
            (self.begin, self.at) = (begin, self.at.max(begin));
            self.out.clear();
        }
        if at > self.at {
            // Of a long line its last characters, whole.
            let long = at.saturating_sub(4 * (MOST_BEFORE + 2)).max(self.at);
            let cut = self.text[long..at].iter().take(3).take_while(|byte| long > self.at && **byte & 0xc0 == 0x80).count();
            self.out.push_str(&String::from_utf8_lossy(&self.text[long + cut..at]));
            self.at = at;
        }
        let length = self.out.chars().count();
        if length > MOST_BEFORE {
            let keep = |most: usize| self.out.chars().skip(length.saturating_sub(most)).collect::<String>();
            let (shown, kept) = (keep(MOST_BEFORE), keep(MOST_BEFORE + 1));
            self.out = kept;
            return format!("…{shown}");
        }
        self.out.clone()
    }

    /// Goes on behind a finding, which begins where the line was shown up to, or in what was taken out.
    fn without(&mut self, at: &Range<usize>, rule: &str) {
        if at.start == self.at {
            self.out.push_str(&format!("[redacted:{rule}]"));
        }
        self.at = self.at.max(at.end);
    }
}

/// How many characters a text has; what is no UTF-8 counts as one for each piece.
fn characters(text: &[u8]) -> usize {
    text.utf8_chunks().map(|chunk| chunk.valid().chars().count() + usize::from(!chunk.invalid().is_empty())).sum()
}
