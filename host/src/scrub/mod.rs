//! Finds known values in text, in whatever encoding, and takes them out. Pure; knows nothing of the rest of the host.
//!
//! A value is kept as a handful of *patterns* (itself, its base64 at each alignment, its hex, base32, reversed, each in any
//! letter case), and text is searched as it stands and through *views* that undo one layer of escaping (`%41`, `\u0041`,
//! `&#65;`, `=41`, UTF-16, line breaks, separators). Decoding before matching covers text that is escaped in part. What is
//! found is replaced where it stands, so readable text stays readable.
//!
//! A stream is held back by a constant number of bytes, whatever they are, so that timing and chunking say nothing about a
//! value; only at the fixed boundaries of `stream::CUTS` is everything let go.

mod patterns;
mod stream;
mod views;

pub use stream::Stream;

use aho_corasick::{AhoCorasick, AhoCorasickBuilder, AhoCorasickKind, MatchKind};
use patterns::Pattern;
use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;
use views::View;

/// Most bytes of patterns for which a DFA is built.
const DFA: usize = 16 * 1024;

/// Known values, made ready for search. Costs some 100 microseconds for each value; build it once and share it.
pub struct Search {
    patterns: Vec<Pattern>,
    automaton: Option<AhoCorasick>,
    window: usize,
    /// Least bytes of a text that a value, or 64 bits of one, can stand in.
    shortest: usize,
    cuts_hold: bool,
}

/// A value to look for.
#[derive(Clone, Copy)]
pub struct Value<'a> {
    /// The value.
    pub bytes: &'a [u8],
    /// Whether it is sent in base64, after a user or before a password (RFC 7617): an echo may encode it once more.
    pub in_basic: bool,
}

/// What stands in a value's stead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replacement {
    /// Where the value was found as it is.
    pub plain: String,
    /// Where it was found in an encoding.
    pub encoded: String,
}

/// A search with what it puts in the values' stead. Cheap to make; share it between the streams of a run.
#[derive(Debug)]
pub struct Scrubber {
    search: Arc<Search>,
    replacements: Vec<Replacement>,
}

/// A stretch of the source that holds a value.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Finding {
    at: Range<usize>,
    value: usize,
    plain: bool,
}

impl Search {
    /// Prepares the search for these values. They are kept, wiped when the search is dropped: each as itself, reversed, in hex,
    /// in base32, and in base64 at three alignments of two alphabets.
    #[must_use]
    pub fn new(values: &[Value<'_>]) -> Self {
        let of = |(index, value): (usize, &Value<'_>)| patterns::of(index, value.bytes, value.in_basic);
        let patterns: Vec<Pattern> = values.iter().enumerate().flat_map(of).collect();
        let longest = patterns.iter().map(|pattern| pattern.bytes.len()).max().unwrap_or(0);
        let bytes: usize = patterns.iter().map(|pattern| pattern.bytes.len()).sum();
        // A DFA is the fastest, and takes some 256 bytes of memory for each byte of a pattern.
        let kind = if bytes <= DFA { AhoCorasickKind::DFA } else { AhoCorasickKind::ContiguousNFA };
        let automaton = (!patterns.is_empty()).then(|| {
            AhoCorasickBuilder::new()
                .match_kind(MatchKind::LeftmostLongest)
                .kind(Some(kind))
                .ascii_case_insensitive(true)
                .build(patterns.iter().map(|pattern| &*pattern.bytes))
                .expect("patterns are bounded by the length and number of secrets, far below the automaton's limits")
        });
        let cuts_hold = values.iter().all(|value| !value.bytes.contains(&b'}') && memchr::memmem::find(value.bytes, b"\n\n").is_none());
        let shortest = patterns.iter().map(|pattern| pattern.bytes.len().min(pattern.least)).min().unwrap_or(usize::MAX);
        Self { patterns, automaton, window: longest * views::WIDEST, shortest, cuts_hold }
    }
}

impl Scrubber {
    /// A scrubber that puts `replacements` in the stead of the search's values, in the same order.
    ///
    /// # Panics
    /// Where there is not one replacement for each value.
    #[must_use]
    pub fn new(search: Arc<Search>, replacements: Vec<Replacement>) -> Self {
        let values = search.patterns.last().map_or(0, |pattern| pattern.value + 1);
        assert!(replacements.len() >= values, "each value has its replacement");
        Self { search, replacements }
    }

    /// Whether there is anything to look for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.search.automaton.is_none()
    }

    /// A whole text, scrubbed; `None` where nothing was found.
    #[must_use]
    pub fn scrub(&self, text: &[u8]) -> Option<Vec<u8>> {
        if text.len() < self.search.shortest {
            return None;
        }
        let mut findings = self.findings(text);
        findings.extend(self.trailing_fragment(text));
        let findings = merged(findings);
        if findings.is_empty() {
            return None;
        }
        let mut out = Vec::with_capacity(text.len());
        self.replace(text, &findings, 0..text.len(), &mut out);
        Some(out)
    }

    /// A whole text, scrubbed, as text.
    #[must_use]
    pub fn scrub_text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match self.scrub(text.as_bytes()) {
            None => Cow::Borrowed(text),
            Some(scrubbed) => Cow::Owned(String::from_utf8_lossy(&scrubbed).into_owned()),
        }
    }

    /// Whether a value stands in a text, whole.
    #[must_use]
    pub fn finds(&self, text: &[u8]) -> bool {
        text.len() >= self.search.shortest && !self.findings(text).is_empty()
    }

    /// Every place where a value stands, in all views; overlapping and unsorted.
    fn findings(&self, text: &[u8]) -> Vec<Finding> {
        let Some(automaton) = &self.search.automaton else { return Vec::new() };
        let mut found = Vec::new();
        for hit in automaton.find_iter(text) {
            let pattern = &self.search.patterns[hit.pattern().as_usize()];
            let plain = pattern.is_raw && text[hit.range()] == *pattern.bytes;
            found.push(Finding { at: pattern.widened(text, hit.range()), value: pattern.value, plain });
        }
        for view in views::ALL.iter().filter(|view| view.applies(text)) {
            self.look_through(*view, text, &mut found);
        }
        found
    }

    fn look_through(&self, view: View, text: &[u8], found: &mut Vec<Finding>) {
        let Some(automaton) = &self.search.automaton else { return };
        let seen = view.decode(text);
        for hit in automaton.find_iter(&seen.bytes) {
            let pattern = &self.search.patterns[hit.pattern().as_usize()];
            let range = pattern.widened(&seen.bytes, hit.range());
            let at = seen.source(range);
            found.push(Finding { at, value: pattern.value, plain: false });
        }
    }

    /// The end of a text, where it is the beginning of a pattern and carries at least 64 bits of a value.
    fn trailing_fragment(&self, text: &[u8]) -> Option<Finding> {
        let fragment = |bytes: &[u8]| {
            let of = |pattern: &Pattern| pattern.longest_prefix_at_end_of(bytes).map(|length| (length, pattern.value));
            self.search.patterns.iter().filter_map(of).max()
        };
        let mut longest = fragment(text).map(|(length, value)| Finding { at: text.len() - length..text.len(), value, plain: false });
        for view in views::ALL.iter().filter(|view| view.applies(text)) {
            let seen = view.decode(text);
            if let Some((length, value)) = fragment(&seen.bytes) {
                let at = seen.source(seen.bytes.len() - length..seen.bytes.len()).start..text.len();
                if longest.as_ref().is_none_or(|longest| at.start < longest.at.start) {
                    longest = Some(Finding { at, value, plain: false });
                }
            }
        }
        longest
    }

    /// Writes `text[range]` with the findings that begin in it replaced.
    fn replace(&self, text: &[u8], findings: &[Finding], range: Range<usize>, out: &mut Vec<u8>) {
        let mut at = range.start;
        for finding in findings.iter().filter(|finding| range.contains(&finding.at.start)) {
            out.extend_from_slice(&text[at..finding.at.start]);
            let replacement = &self.replacements[finding.value];
            out.extend_from_slice(if finding.plain { replacement.plain.as_bytes() } else { replacement.encoded.as_bytes() });
            at = finding.at.end;
        }
        if at < range.end {
            out.extend_from_slice(&text[at..range.end]);
        }
    }
}

/// Sorted, and without overlap: what overlaps becomes one finding. A finding as it is wins over the same found in an encoding.
fn merged(mut findings: Vec<Finding>) -> Vec<Finding> {
    findings.sort_by_key(|finding| (finding.at.start, std::cmp::Reverse(finding.at.end), !finding.plain));
    let mut out: Vec<Finding> = Vec::with_capacity(findings.len());
    for finding in findings {
        match out.last_mut() {
            Some(last) if finding.at.start < last.at.end => last.at.end = last.at.end.max(finding.at.end),
            _ => out.push(finding),
        }
    }
    out
}

impl std::fmt::Debug for Search {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Search({} patterns)", self.patterns.len())
    }
}

#[cfg(test)]
mod tests;
