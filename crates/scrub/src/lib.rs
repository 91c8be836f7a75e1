//! Finds secrets in text and takes them out: known values in whatever encoding, and unknown ones by rules. Pure; knows nothing of
//! the rest of the host.
//!
//! * `coding`, `forms`: what a value looks like encoded. A form is a function of the value, not a copy.
//! * `search`, `beside`, `glance`: values made ready, at once, on top of a search that is ready, or not at all where a glance at a short text
//!   shows none of them: a request's own values cost what they cost alone.
//! * `views`: how text is read where it is escaped, in one layer or two.
//! * `lanes`, `grams`, `sweep`: one pass over a text that finds every form in every view, at the speed of memory: sparse probes into a
//!   table of the forms' beginnings, and marks on the few bytes that begin an escape. `sweep` says why nothing is missed.
//! * `ending`: the last word of an answer, which may be a value cut short.
//! * `rules`: patterns of secrets that nobody registered, kept as data.
//! * `stream`: the same over a stream, held back by a constant number of bytes whatever they are, so that timing and chunking say
//!   nothing about a value.
//! * `shape`, `pauses`: where a stream is let go before that, by the shape of the text and what values are made of: at the end of an event,
//!   and on silence.
//!
//! What is found is replaced where it stands, so readable text stays readable.

mod beside;
mod coding;
mod ending;
mod examined;
mod forms;
mod glance;
mod grams;
mod lanes;
#[cfg(any(test, fuzzing, feature = "test-util"))]
mod naive;
mod pauses;
mod rules;
mod search;
mod shape;
mod stream;
mod sweep;
mod tally;
mod values;
mod views;

pub use examined::Examined;
pub use forms::Known;
pub use forms::carries;
#[cfg(any(test, fuzzing, feature = "test-util"))]
pub use naive::{compare, text as made_text};
pub use rules::{Notice, Reason, RuleError, Rules};
pub use search::Search;
pub use stream::Stream;
pub use tally::Tally;
pub use values::Values;

use beside::Beside;
use rules::Tail;
use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;
use strongroom_ground::lock::RwLock;
use sweep::Sweep;

/// How far behind its beginning something may bear its first mark, or be met by its first probe.
const REACH: usize = 64;

impl Replacement {
    /// What stands for a value: where it stands as it is, and where it is encoded.
    #[must_use]
    pub fn new(plain: impl Into<String>, encoded: impl Into<String>) -> Self {
        Self { plain: plain.into(), encoded: encoded.into() }
    }
}

/// What stands in a value's stead.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Replacement {
    /// Where the value was found as it is.
    pub plain: String,
    /// Where it was found in an encoding.
    pub encoded: String,
}

/// A search with what it puts in the values' stead. Cheap to make; share it between the streams of a run.
#[derive(Debug, Clone)]
pub struct Scrubber {
    search: Arc<Search>,
    /// Values that are looked for beside those of the search.
    beside: Option<Arc<Beside>>,
    replacements: Arc<Vec<Replacement>>,
    lens: Lens,
    /// How many values it was made for.
    own: usize,
    /// Whether a replacement is as long as what it replaces.
    fitted: bool,
    /// Where findings are counted.
    tally: Option<Arc<Tally>>,
}

/// The scrubber of a run, which may be renewed while streams are open.
#[derive(Debug, Clone)]
pub struct Live(Arc<RwLock<Arc<Scrubber>>>);

impl Live {
    /// Begins with a scrubber.
    pub fn new(scrubber: Scrubber) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(scrubber))))
    }

    /// The one of this moment.
    pub fn now(&self) -> Arc<Scrubber> {
        Arc::clone(&self.0.read())
    }

    /// Replaces it by one that is made of it; whoever asks gets the new one from here on.
    pub fn renew(&self, with: impl FnOnce(&Scrubber) -> Scrubber) {
        let mut scrubber = self.0.write();
        *scrubber = Arc::new(with(&scrubber));
    }
}

/// What of the rules' findings counts.
#[derive(Debug, Clone, Default)]
struct Lens {
    /// Rules that are not applied, by number.
    passed: Vec<usize>,
    /// Texts that look like secrets and stand for them: minted placeholders.
    exempt: Arc<Vec<String>>,
    /// Values beside those of the search: what stands for them is exempt, too.
    beside: Option<Arc<Beside>>,
    /// Texts that one rule, by number, lets pass.
    allowed: Arc<Vec<(usize, String)>>,
}

impl Lens {
    fn looks_for(&self, rule: usize, found: &[u8]) -> bool {
        // A placeholder, whole or in part: not something else that a placeholder stands in.
        let is_exempt = |text: &str| text.len() >= rules::LEAST && memchr::memmem::find(text.as_bytes(), found).is_some();
        let is_allowed = |(by, text): &(usize, String)| *by == rule && memchr::memmem::find(text.as_bytes(), found).is_some();
        !self.passed.contains(&rule) && !self.exempt().any(is_exempt) && !self.allowed.iter().any(is_allowed)
    }

    fn exempt(&self) -> impl Iterator<Item = &str> {
        let beside = self.beside.iter().flat_map(|beside| beside.replacements());
        self.exempt.iter().map(String::as_str).chain(beside.map(|replacement| replacement.plain.as_str()))
    }

    /// Where the last placeholder of a text ends.
    fn last_exempt(&self, text: &[u8]) -> Option<usize> {
        let end = |exempt: &str| memchr::memmem::rfind(text, exempt.as_bytes()).map(|at| at + exempt.len());
        self.exempt().filter_map(end).max()
    }
}

/// A stretch of the source that is to be taken out.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Finding {
    at: Range<usize>,
    subject: Subject,
    /// The value as it is.
    plain: bool,
    /// How it goes on beyond what was looked at.
    tail: Option<Tail>,
}

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Subject {
    /// A value, by its index.
    Value(usize),
    /// What a rule tells, by its number.
    Rule(usize),
    /// The last word of an answer, whatever it is.
    End,
}

impl Scrubber {
    /// A scrubber that puts `replacements` in the stead of the search's values, in the same order.
    ///
    /// # Panics
    /// Where there is not one replacement for each value.
    #[must_use]
    pub fn new(search: Arc<Search>, replacements: Vec<Replacement>) -> Self {
        assert!(replacements.len() >= search.values.len(), "each value has its replacement");
        let exempt = Arc::new(replacements.iter().map(|replacement| replacement.plain.clone()).collect());
        let own = search.values.len();
        Self {
            search,
            beside: None,
            replacements: Arc::new(replacements),
            lens: Lens { exempt, ..Lens::default() },
            own,
            fitted: false,
            tally: None,
        }
    }

    /// The same, which counts what rules find in what it takes out, and so do all that are made of it.
    #[must_use]
    pub fn counting(&self, tally: &Arc<Tally>) -> Self {
        Self { tally: Some(Arc::clone(tally)), ..self.clone() }
    }

    /// Counts a finding of this rule that was not taken out. Names that no rule has are ignored.
    pub fn note(&self, rule: &str) {
        if let (Some(tally), Some(rules)) = (&self.tally, &self.search.rules)
            && rules.has(rule)
        {
            tally.add(rule);
        }
    }

    /// The same without these rules. Names that no rule has are ignored.
    #[must_use]
    pub fn passing(&self, rules: &[String]) -> Self {
        let known = self.search.rules.iter().flat_map(|known| rules.iter().filter_map(|name| known.number(name)));
        Self { lens: Lens { passed: known.collect(), ..self.lens.clone() }, ..self.clone() }
    }

    /// The same for more values, each with its replacement. Those of an earlier call are forgotten.
    #[must_use]
    pub fn knowing(&self, more: impl Iterator<Item = (Arc<Known>, Replacement)>) -> Self {
        let (values, replacing) = self.replacing(self.own, more);
        Self { search: Arc::new(self.search.knowing(self.own, values)), ..replacing }
    }

    /// The same for more values, each with its replacement, beside all that it knows. Nothing is made of them until a text comes that may hold
    /// one of them.
    #[must_use]
    pub fn knowing_also(&self, more: &Arc<Vec<(Arc<Known>, Replacement)>>) -> Self {
        let flat = self.flat();
        let beside = Beside::new(more);
        Self { own: flat.search.values.len(), lens: Lens { beside: beside.clone(), ..flat.lens.clone() }, beside, ..flat }
    }

    /// The same with all values in its search.
    fn flat(&self) -> Self {
        match &self.beside {
            None => self.clone(),
            Some(beside) => {
                let (_, replacing) = self.replacing(self.search.values.len(), beside.all().iter().cloned());
                Self { search: Arc::clone(self.whole()), ..replacing }
            }
        }
    }

    /// The same with replacements for more values, behind those of its `first` ones, and none beside them; and the values.
    fn replacing(&self, first: usize, more: impl Iterator<Item = (Arc<Known>, Replacement)>) -> (Vec<Arc<Known>>, Self) {
        let mut values = Vec::new();
        let mut replacements = self.replacements[..first].to_vec();
        let mut exempt = Vec::clone(&self.lens.exempt);
        for (value, replacement) in more {
            exempt.push(replacement.plain.clone());
            values.push(value);
            replacements.push(replacement);
        }
        let lens = Lens { exempt: Arc::new(exempt), beside: None, ..self.lens.clone() };
        (values, Self { replacements: Arc::new(replacements), lens, beside: None, ..self.clone() })
    }

    /// What stands for a value.
    fn replacement(&self, value: usize) -> &Replacement {
        match (value.checked_sub(self.search.values.len()), &self.beside) {
            (Some(beyond), Some(beside)) => &beside.all()[beyond].1,
            _ => &self.replacements[value],
        }
    }

    /// The same with each text let pass that its rule finds, or any; values that are known are found in it all the same.
    #[must_use]
    pub fn allowing(&self, texts: &[(Option<String>, String)]) -> Self {
        let rules = self.search.rules.as_ref();
        let by_rule = texts.iter().filter_map(|(rule, text)| Some((rules?.number(rule.as_ref()?)?, text.clone())));
        let lens = Lens { allowed: Arc::new(by_rule.collect()), ..self.lens.clone() };
        let by_any = texts.iter().filter(|(rule, _)| rule.is_none()).map(|(_, text)| text.clone());
        Self { lens, ..self.clone() }.exempting(by_any)
    }

    /// The same with these texts let pass, though they look like secrets.
    #[must_use]
    pub fn exempting(mut self, texts: impl Iterator<Item = String>) -> Self {
        Arc::make_mut(&mut self.lens.exempt).extend(texts);
        self
    }

    /// Whether there is anything to look for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count() == 0 && self.search.rules.is_none()
    }

    /// A whole text, scrubbed; `None` where nothing was found.
    #[must_use]
    pub fn scrub(&self, text: &[u8]) -> Option<Vec<u8>> {
        self.scrubbed(text, |subject| self.count_in(subject))
    }

    /// A whole text, scrubbed, as text. What is found is not counted: it is what the host itself says of a run.
    #[must_use]
    pub fn scrub_text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match self.scrubbed(text.as_bytes(), |_| {}) {
            None => Cow::Borrowed(text),
            Some(scrubbed) => Cow::Owned(String::from_utf8_lossy(&scrubbed).into_owned()),
        }
    }

    fn scrubbed(&self, text: &[u8], each: impl FnMut(Subject)) -> Option<Vec<u8>> {
        let findings = sorted(self.findings(text));
        if findings.is_empty() {
            return None;
        }
        let mut out = Vec::with_capacity(text.len());
        self.replace(text, &findings, 0..text.len(), &mut Covered::default(), &mut out, each);
        Some(out)
    }

    /// Counts a finding that is taken out.
    fn count_in(&self, subject: Subject) {
        if let (Subject::Rule(rule), Some(tally), Some(rules)) = (subject, &self.tally, &self.search.rules) {
            tally.add(rules.name(rule));
        }
    }

    /// Whether a value stands in a text, whole.
    #[must_use]
    pub fn finds(&self, text: &[u8]) -> bool {
        !self.findings(text).is_empty()
    }

    /// What stands in a text, and where: rules by their names, values by what replaces them in an encoding.
    #[must_use]
    pub fn find(&self, text: &[u8]) -> Vec<(String, Range<usize>)> {
        sorted(self.findings(text)).into_iter().map(|finding| (self.named(finding.subject), finding.at)).collect()
    }

    fn named(&self, subject: Subject) -> String {
        match (subject, &self.search.rules) {
            (Subject::Value(value), _) => self.replacement(value).encoded.clone(),
            (Subject::Rule(rule), rules) => rules.as_ref().map_or_else(String::new, |rules| rules.name(rule).to_owned()),
            (Subject::End, _) => "last-word".to_owned(),
        }
    }

    fn findings(&self, text: &[u8]) -> Vec<Finding> {
        let search = self.search_within(text);
        if text.len() < search.shortest {
            return Vec::new();
        }
        Sweep::findings(search, &self.lens, text, 0..text.len())
    }

    /// Writes `text[range]` with the findings, which are sorted and end in it or beyond it, replaced. What overlaps is one finding, and has
    /// the replacement of its beginning. Calls `each` for every replacement that it writes.
    fn replace(
        &self,
        text: &[u8],
        findings: &[Finding],
        range: Range<usize>,
        covered: &mut Covered,
        out: &mut Vec<u8>,
        mut each: impl FnMut(Subject),
    ) {
        let grown = covered.go_on(text, range.end);
        self.fill(grown, out);
        let mut at = range.start.max(covered.until);
        for finding in findings {
            let begins = finding.at.start >= covered.until;
            if begins {
                out.extend_from_slice(&text[at.min(finding.at.start)..finding.at.start]);
                each(finding.subject);
            }
            if finding.at.end > covered.until {
                let from = covered.until.max(finding.at.start).max(range.start);
                // What went on before goes on behind a finding within it.
                let (tail, left) = match covered.tail.filter(|_| !begins) {
                    Some(tail) => (Some(tail), covered.left),
                    None => (finding.tail, MOST_TAIL),
                };
                *covered = Covered { until: finding.at.end, tail, left };
                covered.go_on(text, range.end);
                if begins {
                    self.put(finding, covered.until - from, out);
                } else {
                    self.fill(covered.until - from, out);
                }
            }
            at = covered.until;
        }
        if at < range.end {
            out.extend_from_slice(&text[at..range.end]);
        }
    }

    /// Writes what stands in the stead of a finding of `length` bytes.
    fn put(&self, finding: &Finding, length: usize, out: &mut Vec<u8>) {
        let text = match finding.subject {
            Subject::Value(value) if finding.plain => self.replacement(value).plain.clone(),
            Subject::Value(_) => self.named(finding.subject),
            Subject::Rule(rule) => self.search.rules.as_ref().map_or_else(String::new, |rules| rules.mark(rule).to_owned()),
            Subject::End => "[redacted:last-word]".to_owned(),
        };
        let text = text.as_bytes();
        if self.fitted {
            out.extend_from_slice(&text[..text.len().min(length)]);
            self.fill(length.saturating_sub(text.len()), out);
        } else {
            out.extend_from_slice(text);
        }
    }

    /// Writes what stands for `length` bytes more of a finding.
    fn fill(&self, length: usize, out: &mut Vec<u8>) {
        if self.fitted {
            out.resize(out.len() + length, b'*');
        }
    }
}

/// Most bytes of what goes on beyond the end of a finding.
const MOST_TAIL: usize = 16 * 1024;

/// How far a text is covered by what was found in it.
#[derive(Debug, Default)]
struct Covered {
    /// Where the last finding ends; it may lie beyond the text.
    until: usize,
    /// Whether it goes on there, and for how many bytes at most.
    tail: Option<Tail>,
    left: usize,
}

impl Covered {
    /// Covers what goes on, up to `end`, and says how many bytes that is.
    fn go_on(&mut self, text: &[u8], end: usize) -> usize {
        let from = self.until;
        let Some(tail) = self.tail.filter(|_| from < end) else { return 0 };
        let (until, ended) = tail.end(text, from, end);
        let most = from + self.left;
        self.until = until.min(most);
        self.left = most - self.until;
        if ended || self.left == 0 {
            self.tail = None;
        }
        self.until - from
    }
}

/// In the order of their beginnings; the longer first, and of equal ones the value as it is.
fn sorted(mut findings: Vec<Finding>) -> Vec<Finding> {
    // The last rules are the manifest's own, and know more of a secret than its kind.
    let order = |subject: Subject| match subject {
        Subject::Value(value) => (0, value),
        Subject::Rule(rule) => (1, usize::MAX - rule),
        Subject::End => (2, 0),
    };
    findings.sort_by_key(|finding| (finding.at.start, std::cmp::Reverse(finding.at.end), !finding.plain, order(finding.subject)));
    findings
}

#[cfg(test)]
mod layers;
#[cfg(test)]
mod stalls;
#[cfg(test)]
mod tests;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
