//! Rules of other scanners, in the format of Gitleaks and Betterleaks, as files of the operator's have them.
//!
//! All their keywords are looked for in one pass, in whatever letter case (`keywords`). Where one stands, and what follows it may be what an
//! expression of its rules has there (`gate`), that is tried on what is around it in its line. So what is found depends on a bounded piece of
//! text alone, and a stream finds the same as a whole text does.

mod expr;
mod extent;
mod file;
mod filter;
mod gate;
mod keywords;
mod syntax;

pub use file::Notice;
pub(super) use file::{File, Taken, theirs};

use super::{Match, Tail};
use filter::{Filter, Found};
use gate::{Gate, Gated, Reach};
use keywords::Keywords;
use regex_automata::util::captures::Captures;
use regex_automata::{Anchored, Input, Span};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};
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
/// Bytes of text that are searched at once.
const BATCH: usize = 1 << 16;

const _: () = assert!(LOOKED_AT + CELL <= super::BEHIND && LOOKED_AT <= super::LIMIT, "a stream has what is looked at");

/// The rules of other scanners.
pub(super) struct Patterns {
    patterns: Vec<Pattern>,
    keywords: Keywords,
    /// What is tried at each keyword, and how long it is.
    by_keyword: Vec<(usize, Vec<Trial>)>,
    gates: Vec<Gate>,
}

/// Patterns that are tried where a keyword stands.
struct Trial {
    /// A gate that must hold for it, by its number, and how many bytes before the keyword.
    gate: Option<(usize, usize)>,
    patterns: Vec<usize>,
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
    /// How far what it finds may reach from its keyword, if that is known.
    reach: Option<Reach>,
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

impl Pattern {
    /// The next text from `at` on that the expression holds for, with its groups; one that begins by `last` where its reach is known.
    fn next(&self, text: &[u8], at: usize, last: usize, groups: &mut Captures) -> Option<regex_automata::Match> {
        let regex = self.expression.regex()?;
        let Some(reach) = &self.reach else {
            if at <= text.len() {
                regex.search_captures(&Input::new(text).range(at..), groups);
                return groups.get_match();
            }
            return None;
        };
        // It is tried place by place: to look for the first one takes an automaton of far more states.
        (at..=last.min(text.len())).filter(|at| reach.first.may_begin(&text[*at..])).find_map(|at| {
            regex.search_captures(&Input::new(text).range(at..).anchored(Anchored::Yes), groups);
            groups.get_match()
        })
    }
}

impl Patterns {
    /// Makes rules ready for search, each with its keywords.
    pub(super) fn new(rules: Vec<(Pattern, Vec<String>)>) -> Self {
        let (mut patterns, mut gates) = (Vec::new(), Vec::<Gate>::new());
        let mut numbers = HashMap::new();
        let mut by_keyword: BTreeMap<String, BTreeMap<_, Vec<usize>>> = BTreeMap::new();
        let mut add = |keyword: String, gate, pattern| by_keyword.entry(keyword).or_default().entry(gate).or_default().push(pattern);
        for (mut pattern, keywords) in rules {
            match pattern.expression.gated(&keywords) {
                None => keywords.into_iter().for_each(|keyword| add(keyword, None, patterns.len())),
                Some(Gated { gate, places, reach }) => {
                    pattern.reach = Some(reach);
                    // Many rules of two files are alike.
                    let number = *numbers.entry(gate.text().to_owned()).or_insert_with(|| {
                        gates.push(gate);
                        gates.len() - 1
                    });
                    places.into_iter().for_each(|(back, keyword)| add(keyword, Some((number, back)), patterns.len()));
                }
            }
            patterns.push(pattern);
        }
        let texts: Vec<String> = by_keyword.keys().cloned().collect();
        let trials = |trials: BTreeMap<_, _>| trials.into_iter().map(|(gate, patterns)| Trial { gate, patterns }).collect();
        let by_keyword: Vec<(usize, Vec<Trial>)> =
            by_keyword.into_iter().map(|(keyword, by_gate)| (keyword.len(), trials(by_gate))).collect();
        let keywords = Keywords::new(texts.into_iter(), |keyword, place, byte| {
            let admits = |(gate, back): (usize, usize)| gates[gate].admits(back + place, byte);
            by_keyword[keyword].1.iter().any(|trial| trial.gate.is_none_or(admits))
        });
        Self { patterns, keywords, by_keyword, gates }
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
        self.keywords.find(near, |keyword, at| {
            let (begin, (length, trials)) = (from + at, &self.by_keyword[keyword]);
            let ahead = &text[..text.len().min(begin + AHEAD)];
            let may_hold = |(gate, back): (usize, usize)| begin.checked_sub(back).is_some_and(|at| self.gates[gate].holds(&ahead[at..]));
            for trial in trials.iter().filter(|trial| trial.gate.is_none_or(may_hold)) {
                places.extend(trial.patterns.iter().map(|pattern| (*pattern, begin, begin + length)));
            }
        });
        places.sort_unstable();
        places.dedup();
        let mut hits = Hits::new();
        let mut places = places.into_iter().filter(|(_, begin, _)| *begin <= until).peekable();
        while let Some((pattern, begin, end)) = places.next() {
            let is_again = |(before, place, _): &(usize, usize, usize)| {
                *before == pattern && place / CELL == begin / CELL && !text[begin..*place].iter().any(is_break)
            };
            let mut last = begin;
            while let Some((_, again, _)) = places.next_if(is_again) {
                last = again;
            }
            self.tried(pattern, text, begin..end, last, starts, &mut hits);
        }
        hits.into_values().collect()
    }

    /// What a pattern finds around its keyword, and those that follow it in its cell up to `last`.
    fn tried(&self, number: usize, text: &[u8], keyword: Range<usize>, last: usize, starts: &Range<usize>, hits: &mut Hits) {
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
        // What holds for one of the keywords begins no further before it, and ends no further behind.
        let reached = |reach: &Reach| (begin.max(keyword.start.saturating_sub(reach.before)), end.min(last + reach.ahead));
        let (from, until) = pattern.reach.as_ref().map_or((begin, end), reached);
        let near = &line[..until - context];
        let (mut groups, mut at) = (regex.create_captures(), from - context);
        while let Some(whole) = pattern.next(near, at, last - context, &mut groups) {
            at = whole.end() + usize::from(whole.is_empty());
            let first = || (1..groups.group_len()).filter_map(|group| groups.get_group(group)).find(|group| !group.is_empty());
            let is_secret = |group: &Span| group.len() >= LEAST && !pattern.expression.begins_with_names;
            let secret = pattern.group.map_or_else(|| first().filter(is_secret), |group| groups.get_group(group));
            let secret = secret.unwrap_or(whole.span()).range();
            let place = context + secret.start..context + secret.end;
            if place.len() < LEAST || !starts.contains(&place.start) {
                continue;
            }
            // What another keyword had found is not filtered again.
            let Entry::Vacant(hit) = hits.entry((number, place.start, place.end)) else { continue };
            #[cfg(test)]
            tests::count(tests::Work::Filter);
            let found =
                Found { secret: &line[secret.clone()], whole: &line[whole.range()], line: &line[begin - context..], rule: &pattern.id };
            if !pattern.filters.iter().any(|filter| filter.holds(found)) {
                let tail = (goes_on && secret.end == line.len()).then_some(Tail::Token);
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
