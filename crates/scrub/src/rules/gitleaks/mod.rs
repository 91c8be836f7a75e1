//! Rules of other scanners, in the format of Gitleaks and Betterleaks, as files of the operator's have them.
//!
//! All their keywords are looked for in one pass, in whatever letter case. Where one stands, the expressions of its rules are tried on what is
//! around it in its line. So what is found depends on a bounded piece of text alone, and a stream finds the same as a whole text does.

mod expr;
mod extent;
mod file;
mod filter;
mod syntax;

pub use file::Notice;
pub(super) use file::{File, Taken, theirs};

use super::{Match, Tail};
use aho_corasick::{AhoCorasick, AhoCorasickBuilder, AhoCorasickKind};
use filter::{Filter, Found};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Range;
use std::sync::Arc;
use syntax::Expression;

/// Bytes before a keyword that are looked at.
pub(super) const BEFORE: usize = 64;
/// Bytes from the beginning of a keyword on that are.
const AHEAD: usize = 448;
/// Bytes that an expression is tried on.
const LOOKED_AT: usize = BEFORE + AHEAD;
/// Bytes of a text, counted from its beginning, in one line of which a rule is tried at its first keyword only: what is around the others is
/// the same, but for the last few bytes that are looked at.
///
/// A chain of keywords costs no more than one trial for each cell, and hides nothing: each keyword of it is looked at, or another one less
/// than a cell before it. Which one depends on where the text begins, never on how it is cut: the keywords before are in view
/// wherever one is, and a stream forgets whole cells only.
pub(in super::super) const CELL: usize = 16;
/// Fewest bytes of what is found: what is shorter can't be told from text.
const LEAST: usize = 8;
/// Most bytes of all keywords that are searched for by a table: the fastest way, with some 200 bytes for each.
const MOST_IN_TABLE: usize = 1 << 15;
/// Bytes of text that are searched at once.
const BATCH: usize = 1 << 16;

const _: () = assert!(LOOKED_AT + CELL <= super::BEHIND && LOOKED_AT <= super::LIMIT, "a stream has what is looked at");

/// The rules of other scanners.
pub(super) struct Patterns {
    patterns: Vec<Pattern>,
    keywords: AhoCorasick,
    /// The patterns of each keyword.
    by_keyword: Vec<Vec<usize>>,
}

/// One rule of theirs.
pub(super) struct Pattern {
    /// Its number among all rules.
    pub(super) rule: usize,
    id: String,
    expression: Expression,
    /// The group that is the secret; otherwise the first that has something, unless that names a field or is too short: then all of it.
    group: Option<usize>,
    filters: Vec<Arc<Filter>>,
    specificity: i64,
}

/// What a pattern finds.
pub(super) struct Hit {
    pub(super) found: Match,
    pattern: usize,
    /// Where its keyword stands.
    pub(super) keyword: Range<usize>,
}

/// What patterns find, by the pattern, and where it begins and ends.
type Hits = BTreeMap<(usize, usize, usize), Hit>;

impl Patterns {
    /// Makes rules ready for search, each with its keywords. `None` where the keywords are too many to be searched for.
    pub(super) fn new(rules: Vec<(Pattern, Vec<String>)>) -> Option<Self> {
        let mut patterns = Vec::new();
        let mut by_keyword: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (pattern, keywords) in rules {
            keywords.into_iter().for_each(|keyword| by_keyword.entry(keyword).or_default().push(patterns.len()));
            patterns.push(pattern);
        }
        let size: usize = by_keyword.keys().map(String::len).sum();
        let kind = (size <= MOST_IN_TABLE).then_some(AhoCorasickKind::DFA);
        let keywords = AhoCorasickBuilder::new().ascii_case_insensitive(true).kind(kind).build(by_keyword.keys()).ok()?;
        Some(Self { patterns, keywords, by_keyword: by_keyword.into_values().collect() })
    }

    /// What begins in `starts`. Where several find what begins at one place, those that say most of it count, and those that reach further.
    pub(super) fn find(&self, text: &[u8], starts: &Range<usize>, mut each: impl FnMut(Hit)) {
        let mut from = starts.start;
        while from < starts.end {
            let until = starts.end.min(from + BATCH);
            let mut hits = self.hits(text, &(from..until));
            hits.sort_by_key(|hit| (hit.found.at.start, -self.patterns[hit.pattern].specificity, hit.pattern, hit.found.at.end));
            // How far those reach that say more than the last one, and those that say as much.
            let (mut last, mut above, mut level) = ((usize::MAX, 0), 0, 0);
            hits.retain(|hit| {
                let (start, specificity) = (hit.found.at.start, self.patterns[hit.pattern].specificity);
                if last != (start, specificity) {
                    above = if last.0 == start { level.max(above) } else { 0 };
                    (last, level) = ((start, specificity), 0);
                }
                level = level.max(hit.found.at.end);
                hit.found.at.end > above
            });
            hits.dedup_by(|next, first| next.found == first.found);
            hits.into_iter().for_each(&mut each);
            from = until;
        }
    }

    fn hits(&self, text: &[u8], starts: &Range<usize>) -> Vec<Hit> {
        // Where a keyword may stand of what begins there, with those before it in its cell.
        let (from, until) = (starts.start.saturating_sub(AHEAD) / CELL * CELL, starts.end + BEFORE);
        let near = &text[from..text.len().min(until + BEFORE)];
        let mut places = Vec::new();
        for hit in self.keywords.find_overlapping_iter(near) {
            places.extend(self.by_keyword[hit.pattern().as_usize()].iter().map(|pattern| (*pattern, from + hit.start(), from + hit.end())));
        }
        places.sort_unstable();
        places.dedup();
        let mut hits = Hits::new();
        let mut tried = None;
        for (pattern, begin, end) in places {
            let is_again = |(before, place): (usize, usize)| {
                before == pattern && place / CELL == begin / CELL && !text[place..begin].iter().any(is_break)
            };
            if begin <= until && !tried.is_some_and(is_again) {
                tried = Some((pattern, begin));
                self.tried(pattern, text, begin..end, starts, &mut hits);
            }
        }
        hits.into_values().collect()
    }

    /// What a pattern finds around its keyword.
    fn tried(&self, number: usize, text: &[u8], keyword: Range<usize>, starts: &Range<usize>, hits: &mut Hits) {
        let pattern = &self.patterns[number];
        let before = text[..keyword.start].iter().rev().take(BEFORE).take_while(|byte| !is_break(byte)).count();
        let ahead = &text[keyword.start..text.len().min(keyword.start + AHEAD)];
        let ahead = ahead.iter().position(is_break).unwrap_or(ahead.len());
        let (begin, end) = (keyword.start - before, keyword.start + ahead);
        // Where its line ends too soon, or begins too late, nothing is asked for.
        if end < starts.start + LEAST || begin >= starts.end {
            return;
        }
        let Some(regex) = pattern.expression.regex() else { return };
        #[cfg(test)]
        tests::count(tests::Work::Search);
        // One byte more, so that the beginning of a word is told from its middle.
        let context = begin - usize::from(begin > 0 && !is_break(&text[begin - 1]));
        let line = &text[context..end];
        let goes_on = text.get(end).is_some_and(|byte| !is_break(byte));
        let mut groups = regex.capture_locations();
        let mut at = begin - context;
        while at <= line.len() {
            let Some(whole) = regex.captures_read_at(&mut groups, line, at) else { return };
            at = whole.end() + usize::from(whole.is_empty());
            let first = || (1..groups.len()).filter_map(|group| groups.get(group)).find(|(start, end)| start < end);
            let is_secret = |(start, end): &(usize, usize)| end - start >= LEAST && !pattern.expression.begins_with_names;
            let secret = pattern.group.map_or_else(|| first().filter(is_secret), |group| groups.get(group));
            let secret = secret.unwrap_or((whole.start(), whole.end()));
            let place = context + secret.0..context + secret.1;
            if place.len() < LEAST || !starts.contains(&place.start) {
                continue;
            }
            // What another keyword had found is not filtered again.
            let Entry::Vacant(hit) = hits.entry((number, place.start, place.end)) else { continue };
            #[cfg(test)]
            tests::count(tests::Work::Filter);
            let found =
                Found { secret: &line[secret.0..secret.1], whole: whole.as_bytes(), line: &line[begin - context..], rule: &pattern.id };
            if !pattern.filters.iter().any(|filter| filter.holds(found)) {
                let tail = (goes_on && secret.1 == line.len()).then_some(Tail::Token);
                let found = Match { secret: place.clone(), at: place, rule: pattern.rule, tail };
                hit.insert(Hit { found, pattern: number, keyword: keyword.clone() });
            }
        }
    }
}

/// Whether a byte ends a line.
fn is_break(byte: &u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

impl super::Rules {
    /// What the rules of other scanners find that begins in `starts`, and no rule of the host's own finds: that goes by its own name alone.
    pub(in super::super) fn others(&self, text: &[u8], starts: &Range<usize>, found: &mut Vec<Match>) {
        let Some(patterns) = &self.patterns else { return };
        patterns.find(text, starts, |hit| {
            if !self.is_known(text, &hit.found.at) {
                found.push(hit.found);
            }
        });
    }

    /// Whether a rule of the host's own finds all of what stands there.
    pub(super) fn is_known(&self, text: &[u8], at: &Range<usize>) -> bool {
        let near = at.start.saturating_sub(super::NEAR)..at.start + 1;
        let filled = text[at.clone()].iter().rev().take_while(|byte| **byte == b'=').count();
        // No further than what is found: a stream may not have more.
        let reaches = |known: &Match| match known.tail {
            Some(tail) if known.at.end < at.end => tail.end(&text[..at.end], known.at.end, at.end).0,
            _ => known.at.end,
        };
        let covers = |known: &Match| known.at.start <= at.start && reaches(known) >= at.end - filled;
        self.own(text, near).iter().any(covers)
    }
}

#[cfg(test)]
mod tests;
