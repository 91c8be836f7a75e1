//! Patterns for secrets that nobody registered. They are data: `rules.toml` beside this file, and what an operator adds to it.
//!
//! A rule with keywords is tried where a word begins with one of them; a rule with names, where a value stands under such a
//! name; a detector, where its own kind of text begins. None is tried anywhere else, so that their number hardly matters.

mod detectors;
mod formats;
mod validators;

use super::lanes;
use regex::bytes::{Regex, RegexBuilder};
use serde::Deserialize;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, OnceLock};
use validators::Validator;

/// Most bytes that are looked at to decide a rule. What is longer and still fits is taken out as far as it goes.
pub(super) const LIMIT: usize = 512;
/// Least bytes of a secret that a rule finds.
pub(super) const LEAST: usize = 16;
/// Least bytes of a value that a rule with names is tried on.
const LEAST_VALUE: usize = 24;
/// Most bytes of a name, with what stands between it and its value.
const NAME: usize = 72;

/// The rules, ready for search.
#[derive(Clone)]
pub struct Rules {
    rules: Vec<Arc<Rule>>,
    /// For each first three bytes of a keyword, the keywords and their rules.
    keywords: HashMap<[u8; 3], Vec<(Keyword, usize)>>,
    /// Which those are, roughly.
    beginnings: Box<[u64; 1024]>,
    /// Keywords that end with a blank, and their rules.
    behind: Vec<(String, usize)>,
    /// For the last three letters of a field's name, the names and their rules.
    names: HashMap<[u8; 3], Vec<(String, usize)>>,
    /// Which those are, roughly.
    endings: Box<[u64; 1024]>,
    detectors: [Option<usize>; detectors::COUNT],
}

/// What a secret begins with.
#[derive(Clone)]
struct Keyword {
    text: String,
    /// Where its last word begins.
    word: usize,
}

/// One kind of secret.
struct Rule {
    name: String,
    /// What is put in a secret's stead.
    mark: String,
    /// Whether the expression holds from the keyword's own beginning.
    from_start: bool,
    what: String,
    expression: String,
    compiled: OnceLock<Option<Regex>>,
    /// A byte without which the expression holds nowhere.
    needs: Option<u8>,
    validator: Option<Validator>,
}

/// A rule as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    what: String,
    #[serde(default)]
    keywords: Vec<String>,
    #[serde(default)]
    names: Vec<String>,
    detector: Option<String>,
    #[serde(default)]
    expression: String,
    needs: Option<char>,
    validator: Option<String>,
    /// Texts in which the rule finds one secret, and in which it finds none: `strongroom check` and the tests try them.
    #[serde(default, rename = "match")]
    matches: Vec<String>,
    #[serde(default)]
    pass: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    rule: Vec<Written>,
}

/// A rule that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("rule `{rule}`: {problem}")]
pub struct RuleError {
    /// Its name; empty where the file can't be read at all.
    pub rule: String,
    /// What is wrong, and what to write instead.
    pub problem: String,
}

/// Where a rule holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Match {
    pub(super) at: Range<usize>,
    /// What of it is the secret: not the keyword, nor what stands around a password.
    pub(super) secret: Range<usize>,
    pub(super) rule: usize,
    /// What goes on beyond what was looked at.
    pub(super) tail: Option<Tail>,
}

/// Where one rule holds.
struct Matched {
    at: Range<usize>,
    secret: Range<usize>,
    tail: Option<Tail>,
}

impl Matched {
    fn of(self, rule: usize) -> Match {
        Match { at: self.at, secret: self.secret, rule, tail: self.tail }
    }
}

/// How a secret goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tail {
    /// As long as the characters of a token follow.
    Token,
    /// To the line that ends a PEM block (RFC 7468), or for 16 KiB.
    Pem,
}

impl Tail {
    /// Where what goes on at `from` ends, and whether it does before `end`.
    pub(super) fn end(self, text: &[u8], from: usize, end: usize) -> (usize, bool) {
        match self {
            Self::Token => {
                let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.+/=~".contains(byte);
                let length = text[from..end].iter().take_while(|byte| is_part(byte)).count();
                (from + length, from + length < end)
            }
            Self::Pem => detectors::pem_end(text, from).map_or((end, false), |end| (end, true)),
        }
    }
}

impl Rules {
    /// The rules that come with the library.
    ///
    /// # Panics
    /// Never: the library's tests read the same file.
    #[must_use]
    pub fn standard() -> Arc<Self> {
        static RULES: OnceLock<Arc<Rules>> = OnceLock::new();
        let read = || Arc::new(Self::read(include_str!("rules.toml")).expect("the rules are tested"));
        Arc::clone(RULES.get_or_init(read))
    }

    /// The rules that come with the library and these, in the format of its `rules.toml`. Each example in them is tried.
    ///
    /// # Errors
    /// The first rule that can't be used, whose name is taken, or whose examples fare otherwise than they should.
    pub fn with(texts: &[String]) -> Result<Arc<Self>, RuleError> {
        if texts.is_empty() {
            return Ok(Self::standard());
        }
        let mut rules = Self::read(include_str!("rules.toml"))?;
        for text in texts {
            let first = rules.rules.len();
            for written in written(text)? {
                if rules.has(&written.name) {
                    return Err(RuleError { rule: written.name, problem: "another rule has this name".to_owned() });
                }
                rules.add(written)?;
            }
            for rule in &rules.rules[first..] {
                rule.regex().ok_or_else(|| rule.error("its expression is no regular expression of the `regex` crate"))?;
            }
            for written in written(text)? {
                rules.try_examples(&written)?;
            }
        }
        Ok(Arc::new(rules))
    }

    fn try_examples(&self, rule: &Written) -> Result<(), RuleError> {
        let wrong = |which: &str, at: usize, found: usize| {
            let problem = format!("`{which}` example {} holds {found} secrets of this kind", at + 1);
            Err(RuleError { rule: rule.name.clone(), problem })
        };
        for (which, examples, expected) in [("match", &rule.matches, 1), ("pass", &rule.pass, 0)] {
            for (at, text) in examples.iter().enumerate() {
                let found = self.count(text.as_bytes(), &rule.name);
                if found != expected {
                    return wrong(which, at, found);
                }
            }
        }
        Ok(())
    }

    fn read(text: &str) -> Result<Self, RuleError> {
        let mut rules = Self {
            rules: Vec::new(),
            keywords: HashMap::new(),
            beginnings: Box::new([0; 1024]),
            behind: Vec::new(),
            names: HashMap::new(),
            endings: Box::new([0; 1024]),
            detectors: [None; detectors::COUNT],
        };
        for written in written(text)? {
            rules.add(written)?;
        }
        Ok(rules)
    }

    fn add(&mut self, written: Written) -> Result<(), RuleError> {
        let number = self.rules.len();
        let error = |problem: &str| RuleError { rule: written.name.clone(), problem: problem.to_owned() };
        let validator = match &written.validator {
            None => None,
            Some(name) => Some(Validator::named(name).ok_or_else(|| error("its validator is unknown; see the head of rules.toml"))?),
        };
        for keyword in &written.keywords {
            let bytes = keyword.as_bytes();
            if bytes.len() < 3 || !bytes[0].is_ascii_alphanumeric() {
                return Err(error("a keyword has three bytes or more and begins with a letter or a digit"));
            };
            // A word is looked at where it begins: behind the last blank of the keyword.
            let blank = keyword.rfind(|c| u8::try_from(c).is_ok_and(lanes::breaks)).map_or(0, |at| at + 1);
            match keyword.as_bytes()[blank..].first_chunk::<3>() {
                Some(first) => {
                    set(&mut self.beginnings, *first);
                    self.keywords.entry(*first).or_default().push((Keyword { text: keyword.clone(), word: blank }, number));
                }
                None if blank == keyword.len() => self.behind.push((keyword.clone(), number)),
                None => return Err(error("the last word of a keyword has three bytes or more, or none")),
            }
        }
        for name in &written.names {
            let Some(last) =
                name.as_bytes().last_chunk::<3>().filter(|_| name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()))
            else {
                return Err(error("a name has three letters or more, all lower-case, without separators"));
            };
            set(&mut self.endings, *last);
            self.names.entry(*last).or_default().push((name.clone(), number));
        }
        match &written.detector {
            None if written.keywords.is_empty() && written.names.is_empty() => {
                return Err(error("it has no keywords, no names and no detector"));
            }
            None => {}
            Some(name) => {
                let slot = detectors::named(name).ok_or_else(|| error("its detector is unknown; see the head of rules.toml"))?;
                self.detectors[slot] = Some(number);
                for name in detectors::names_of(slot) {
                    let last = *name.as_bytes().last_chunk().expect("the names of detectors are longer");
                    set(&mut self.endings, last);
                    self.names.entry(last).or_default().push(((*name).to_owned(), number));
                }
            }
        }
        let expression = match written.detector.as_deref().and_then(detectors::expression) {
            Some(expression) => expression.to_owned(),
            None => written.expression,
        };
        let validator = validator.or_else(|| written.detector.as_deref().and_then(Validator::named));
        self.rules.push(Arc::new(Rule {
            mark: format!("[redacted:{}]", written.name),
            name: written.name,
            from_start: false,
            what: written.what,
            expression,
            compiled: OnceLock::new(),
            needs: written.needs.and_then(|needs| u8::try_from(needs).ok()),
            validator,
        }));
        Ok(())
    }

    /// These rules, and for each secret whose format carries 64 bits or more and begins with three bytes that are always the same, one
    /// that seals every string of that format: an agent can't have itself given a key of the same kind. Names the secrets for
    /// which the format is too loose.
    #[must_use]
    pub fn sealing<'n>(&self, formats: &[(&'n str, &str)]) -> (Arc<Self>, Vec<&'n str>) {
        let mut rules = self.clone();
        let mut loose = Vec::new();
        for (name, expression) in formats {
            let Some(beginnings) = formats::beginnings(expression) else {
                loose.push(*name);
                continue;
            };
            let number = rules.rules.len();
            for text in beginnings {
                if let Some(first) = text.as_bytes().first_chunk::<3>() {
                    set(&mut rules.beginnings, *first);
                    rules.keywords.entry(*first).or_default().push((Keyword { text, word: 0 }, number));
                }
            }
            rules.rules.push(Arc::new(Rule {
                name: (*name).to_owned(),
                mark: format!("[sealed:{name}]"),
                from_start: true,
                what: "a string of the secret's format".to_owned(),
                expression: formats::unanchored(expression),
                compiled: OnceLock::new(),
                needs: None,
                validator: None,
            }));
        }
        (Arc::new(rules), loose)
    }

    /// What is put in the stead of a rule's secret.
    pub(super) fn mark(&self, rule: usize) -> &str {
        &self.rules[rule].mark
    }

    /// The name of a rule.
    pub(super) fn name(&self, rule: usize) -> &str {
        &self.rules[rule].name
    }

    /// The number of a rule.
    pub(super) fn number(&self, name: &str) -> Option<usize> {
        self.rules.iter().position(|rule| rule.name == name)
    }

    /// Whether a rule has this name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.number(name).is_some()
    }

    /// Each rule's name, and what it finds.
    pub fn list(&self) -> impl Iterator<Item = (&str, &str)> {
        self.rules.iter().map(|rule| (rule.name.as_str(), rule.what.as_str()))
    }

    /// What begins with the word at `at`.
    #[inline]
    pub(super) fn word(&self, text: &[u8], at: usize, found: &mut Vec<Match>) {
        let Some(first) = text[at..].first_chunk::<3>() else { return };
        if is_set(&self.beginnings, *first) {
            self.by_keyword(text, at, *first, found);
        }
        let Some(before) = at.checked_sub(1).map(|before| text[before]) else { return };
        if before == b' ' {
            self.behind_blank(text, at, found);
        }
        if is_between(before) || matches!(before, b':' | b'=') {
            self.by_name(text, at, found);
        }
        if matches!(first[0], b'5' | b'K' | b'L' | b'9' | b'c') && detectors::may_be_wif(text, at) {
            self.detect(detectors::WIF, text, at, found);
        }
    }

    fn by_keyword(&self, text: &[u8], at: usize, first: [u8; 3], found: &mut Vec<Match>) {
        for (keyword, number) in self.keywords.get(&first).into_iter().flatten() {
            let Some(start) = at.checked_sub(keyword.word) else { continue };
            if text[start..].starts_with(keyword.text.as_bytes()) && begins_word(text, start) {
                let rule = &self.rules[*number];
                let from = if rule.from_start { start } else { start + keyword.text.len() };
                found.extend(rule.matched(text, start, from).map(|found| found.of(*number)));
            }
        }
    }

    fn behind_blank(&self, text: &[u8], at: usize, found: &mut Vec<Match>) {
        for (keyword, number) in &self.behind {
            if text[..at].ends_with(keyword.as_bytes()) {
                let start = at - keyword.len();
                found.extend(self.rules[*number].matched(text, start, at).map(|found| found.of(*number)));
            }
        }
    }

    #[inline]
    fn by_name(&self, text: &[u8], at: usize, found: &mut Vec<Match>) {
        // JSON as programs write it, told apart by the last letters of the name.
        if let Some([ending @ .., b'"', b':', b'"']) = text[..at].last_chunk::<6>()
            && ending.iter().all(u8::is_ascii_alphanumeric)
            && !is_set(&self.endings, ending.map(|letter| letter.to_ascii_lowercase()))
        {
            return;
        }
        let Some(name) = name_before(text, at) else { return };
        let mut letters = name.iter().rev().filter(|byte| byte.is_ascii_alphanumeric()).map(u8::to_ascii_lowercase);
        let (Some(last), Some(second), Some(third)) = (letters.next(), letters.next(), letters.next()) else { return };
        if is_set(&self.endings, [third, second, last]) {
            self.named(text, at, name, found);
        }
    }

    #[cold]
    fn named(&self, text: &[u8], at: usize, name: &[u8], found: &mut Vec<Match>) {
        if text[at..].iter().take(LEAST_VALUE).take_while(|byte| !lanes::breaks(**byte)).count() < LEAST_VALUE {
            return;
        }
        let name: Vec<u8> = name.iter().filter(|byte| byte.is_ascii_alphanumeric()).map(u8::to_ascii_lowercase).collect();
        let Some(ending) = name.last_chunk::<3>() else { return };
        for (ending, number) in self.names.get(ending).into_iter().flatten() {
            if name.ends_with(ending.as_bytes()) {
                found.extend(self.rules[*number].matched(text, at, at).map(|found| found.of(*number)));
            }
        }
    }

    /// What begins with five hyphens at `at`.
    pub(super) fn dashes(&self, text: &[u8], at: usize, found: &mut Vec<Match>) {
        self.detect(detectors::PEM, text, at, found);
    }

    /// What stands around `at` that is made of short words or numbers, and begins in `starts`.
    /// Returns where the list ends that was looked at.
    pub(super) fn list_at(&self, text: &[u8], at: usize, starts: &Range<usize>, found: &mut Vec<Match>) -> usize {
        let Some(pair) = text.get(at..at + 2) else { return at };
        if pair.iter().any(u8::is_ascii_lowercase) {
            let Some(rule) = self.detectors[detectors::MNEMONIC] else { return at };
            return detectors::mnemonic(text, at, starts, |at| found.push(Match { secret: at.clone(), at, rule, tail: None }));
        }
        if let Some(rule) = self.detectors[detectors::BYTES] {
            found.extend(detectors::byte_array(text, at, starts).map(|at| Match { secret: at.clone(), at, rule, tail: None }));
        }
        at
    }

    fn detect(&self, detector: usize, text: &[u8], at: usize, found: &mut Vec<Match>) {
        let Some(rule) = self.detectors[detector] else { return };
        let (range, tail) = match detector {
            detectors::WIF => (detectors::wif(text, at), None),
            _ => (detectors::pem(text, at), Some(Tail::Pem)),
        };
        found.extend(range.map(|at| Match { secret: at.clone(), at, rule, tail }));
    }

    /// How many secrets of one kind stand in a text.
    fn count(&self, text: &[u8], name: &str) -> usize {
        let mut found: Vec<Match> = self.all(text).into_iter().filter(|found| self.rules[found.rule].name == name).collect();
        found.sort_by_key(|found| found.at.start);
        let mut end = 0;
        let apart = |found: &Match| {
            let apart = found.at.start >= end;
            end = end.max(found.at.end);
            apart
        };
        found.iter().map(apart).filter(|apart| *apart).count()
    }

    /// Every match in a text, by the slow way: every place is tried.
    pub(super) fn all(&self, text: &[u8]) -> Vec<Match> {
        let mut found = Vec::new();
        for at in 0..text.len() {
            if begins_word(text, at) {
                if !text[at..].iter().take(16).any(|byte| lanes::breaks(*byte)) && text.len() >= at + 16 {
                    self.word(text, at, &mut found);
                }
                self.list_at(text, at, &(at..at + 1), &mut found);
            }
            if text[at..].starts_with(b"-----") {
                self.dashes(text, at, &mut found);
            }
            if text[at] == b'[' {
                self.list_at(text, at, &(at..at + 1), &mut found);
            }
        }
        found
    }
}

impl std::fmt::Debug for Rules {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Rules({})", self.rules.len())
    }
}

impl Rule {
    fn error(&self, problem: &str) -> RuleError {
        RuleError { rule: self.name.clone(), problem: problem.to_owned() }
    }

    /// The expression, compiled where it is first needed: most runs need few.
    fn regex(&self) -> Option<&Regex> {
        let compile = || RegexBuilder::new(&format!(r"\A(?:{})", self.expression)).unicode(false).size_limit(1 << 20).build().ok();
        self.compiled.get_or_init(compile).as_ref()
    }

    /// The secret from `start` on, whose expression begins at `at`.
    fn matched(&self, text: &[u8], start: usize, at: usize) -> Option<Matched> {
        let looked_at = &text[at..text.len().min(start + LIMIT)];
        // A line's end ends every secret but those of several lines, which have detectors.
        let looked_at = memchr::memchr(b'\n', looked_at).map_or(looked_at, |end| &looked_at[..end]);
        if self.needs.is_some_and(|needs| memchr::memchr(needs, looked_at).is_none()) {
            return None;
        }
        let whole = self.regex()?.find(looked_at)?;
        let end = at + whole.end();
        let goes_on = end == start + LIMIT;
        if !goes_on && text.get(end).is_some_and(u8::is_ascii_alphanumeric) {
            return None;
        }
        let group = || self.regex()?.captures(looked_at)?.get(1).map(|group| at + group.start()..at + group.end());
        let password = || group().map(|group| &text[group]);
        let valid = self.validator.is_none_or(|validator| validator.admits(&text[start..end], whole.as_bytes(), password));
        let secret = if self.validator == Some(Validator::Password) { group().unwrap_or(at..end) } else { at..end };
        valid.then_some(Matched { at: start..end, secret, tail: goes_on.then_some(Tail::Token) })
    }
}

/// Whether a word begins at `at`: behind something that is no letter or digit, or behind an escape (`\n`, `%3D`, `\u003d`).
fn begins_word(text: &[u8], at: usize) -> bool {
    let before = |by: usize| at.checked_sub(by).map(|before| text[before]);
    let is_behind = |by: usize, sign: u8| before(by) == Some(sign);
    let escaped = is_behind(2, b'\\') || is_behind(3, b'%') || (is_behind(6, b'\\') && is_behind(5, b'u'));
    text[at].is_ascii_alphanumeric() && (escaped || !before(1).is_some_and(|byte| byte.is_ascii_alphanumeric()))
}

/// The name of the field whose value begins at `at`, with all that may belong to it.
#[inline]
fn name_before(text: &[u8], at: usize) -> Option<&[u8]> {
    let least = at.saturating_sub(NAME);
    let back = |mut at: usize, drop: fn(u8) -> bool| {
        while at > least && drop(text[at - 1]) {
            at -= 1;
        }
        at
    };
    let sign = back(at, is_between);
    if sign == least || !matches!(text[sign - 1], b':' | b'=') {
        return None;
    }
    let end = back(sign - 1, |byte| is_between(byte) || byte == b':');
    let start = back(end, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
    Some(&text[start..end])
}

/// What stands between a field's name, its sign, and its value.
#[inline]
fn is_between(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'' | b'`' | b' ' | b'\t' | b'\\' | b'>')
}

fn written(text: &str) -> Result<Vec<Written>, RuleError> {
    let file: Result<File, _> = toml::from_str(text);
    file.map(|file| file.rule).map_err(|error| RuleError { rule: String::new(), problem: error.to_string() })
}

fn set(bits: &mut [u64; 1024], bytes: [u8; 3]) {
    let number = number(bytes);
    bits[number / 64] |= 1 << (number % 64);
}

#[inline]
fn is_set(bits: &[u64; 1024], bytes: [u8; 3]) -> bool {
    let number = number(bytes);
    bits[number / 64] >> (number % 64) & 1 != 0
}

#[inline]
fn number([first, second, third]: [u8; 3]) -> usize {
    (u32::from_le_bytes([first, second, third, 0]).wrapping_mul(0x9e37_79b1) >> 16) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_example_of_every_rule_fares_as_it_says() {
        let text = include_str!("rules.toml");
        let rules = Rules::read(text).unwrap_or_else(|error| panic!("{error}"));
        let mut wrong = Vec::new();
        for rule in &written(text).expect("read") {
            wrong.extend(rules.try_examples(rule).err().map(|error| error.to_string()));
        }

        assert!(wrong.is_empty(), "{}", wrong.join("\n"));

        assert!(rules.rules.len() >= 100, "{} rules", rules.rules.len());
        for written in written(include_str!("rules.toml")).expect("read") {
            assert!(written.matches.len() >= 2 && written.pass.len() >= 2, "`{}` has too few examples", written.name);
        }
    }
}
