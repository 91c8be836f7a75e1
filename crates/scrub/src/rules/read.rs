//! How rules are read: from the library's own file, from an operator's, and from the formats of a manifest's secrets.

use super::endings::Endings;
use super::validators::Validator;
use super::{Keyword, LEAST, LEAST_VALUE, Match, Rule, Rules, detectors, formats, gitleaks, lanes, layouts, set};
use serde::Deserialize;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

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
    needs: Option<String>,
    validator: Option<String>,
    /// Secrets that are printed in documentation, and are none.
    #[serde(default)]
    published: Vec<String>,
    /// Texts in which the rule finds one secret, and in which it finds none: tried where a file of rules is read.
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
#[error("{}{problem}", place(rule))]
#[non_exhaustive]
pub struct RuleError {
    /// The number of its file among those that were given.
    pub file: usize,
    /// Its name; empty where the file can't be read at all.
    pub rule: String,
    /// What is wrong, and what to write instead.
    pub problem: String,
}

/// Where a problem is, as the beginning of a line.
fn place(rule: &str) -> String {
    if rule.is_empty() { String::new() } else { format!("rule `{}`: ", rule.escape_debug()) }
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

    /// The rules that come with the library and those of these files: in the format of its `rules.toml`, whose examples are tried, or in that
    /// of Gitleaks and Betterleaks, of which [`Rules::notices`] tells what could not be taken over.
    ///
    /// # Errors
    /// The first rule of the library's format that can't be used, whose name is taken, or whose examples fare otherwise than they should; or
    /// the first file that is of neither format.
    pub fn with(texts: &[String]) -> Result<Arc<Self>, RuleError> {
        if texts.is_empty() {
            return Ok(Self::standard());
        }
        let mut rules = Self::read(include_str!("rules.toml"))?;
        let mut patterns = Vec::new();
        for (number, text) in texts.iter().enumerate() {
            match gitleaks::theirs(text) {
                Some(table) => rules.take_over(gitleaks::File::read(number, &table)?, &mut patterns),
                None => rules.add_all(text).map_err(|error| RuleError { file: number, ..error })?,
            }
        }
        if !patterns.is_empty() {
            rules.patterns = Some(Arc::new(gitleaks::Patterns::new(patterns)));
        }
        Ok(Arc::new(rules))
    }

    /// Adds the rules of a file in the library's format.
    fn add_all(&mut self, text: &str) -> Result<(), RuleError> {
        let first = self.rules.len();
        for written in written(text)? {
            self.may_be_added(&written).map_err(|problem| RuleError { file: 0, rule: written.name.clone(), problem })?;
            self.add(written)?;
        }
        for rule in &self.rules[first..] {
            let remedy = "its expression is not a regular expression of the `regex` crate; see https://docs.rs/regex/#syntax";
            rule.compiled().ok_or_else(|| rule.error(remedy))?;
        }
        written(text)?.iter().try_for_each(|written| self.try_examples(written))
    }

    /// Adds the rules of another scanner's file. One with the name of a rule that is there finds secrets of that kind, too.
    fn take_over(&mut self, file: gitleaks::File, patterns: &mut Vec<(gitleaks::Pattern, Vec<String>)>) {
        self.notices.extend(file.notices);
        for gitleaks::Taken { name, what, mut pattern, keywords } in file.rules {
            pattern.rule = self.number(&name).unwrap_or(self.rules.len());
            if pattern.rule == self.rules.len() {
                self.rules.push(Arc::new(Rule::named(name, what)));
            }
            patterns.push((pattern, keywords));
        }
    }

    /// Whether an operator's rule may stand beside those that are there.
    fn may_be_added(&self, written: &Written) -> Result<(), String> {
        // As `leaks_allowed` and `answers_allowed` name it.
        let is_part = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if !(1..=63).contains(&written.name.len()) || !written.name.bytes().all(is_part) {
            return Err("its name can't be used in `leaks_allowed`; use 1 to 63 lower-case letters, digits and `-`".to_owned());
        }
        if self.has(&written.name) {
            return Err("another rule has this name; choose one that `strongroom rules` does not list".to_owned());
        }
        // There is one place for what a detector finds, and a rule that comes with the host has it.
        let taken = written.detector.as_deref().and_then(detectors::named).and_then(|slot| self.detectors[slot]);
        if let Some(by) = taken {
            return Err(format!(
                "its detector is that of the rule `{}`; leave `detector` out, and give it keywords or names",
                self.name(by)
            ));
        }
        Ok(())
    }

    fn try_examples(&self, rule: &Written) -> Result<(), RuleError> {
        let wrong = |which: &str, at: usize, text: &str, found: usize| {
            let at = at + 1;
            let problem = match (which, found) {
                ("match", 0) => format!("`match` example {at} holds no secret of this kind; {}", why_none(rule, text)),
                ("match", _) => format!("`match` example {at} holds {found} secrets of this kind; put each in an example of its own"),
                _ => format!("`pass` example {at} holds a secret of this kind; narrow the expression, or take the example out"),
            };
            Err(RuleError { file: 0, rule: rule.name.clone(), problem })
        };
        for (which, examples, expected) in [("match", &rule.matches, 1), ("pass", &rule.pass, 0)] {
            for (at, text) in examples.iter().enumerate() {
                let found = self.count(text.as_bytes(), &rule.name);
                if found != expected {
                    return wrong(which, at, text, found);
                }
            }
        }
        Ok(())
    }

    fn read(text: &str) -> Result<Self, RuleError> {
        let mut rules = Self {
            rules: Vec::new(),
            keywords: HashMap::default(),
            beginnings: Box::new([0; 1024]),
            behind: Vec::new(),
            before_blank: [false; 256],
            names: Endings::none(),
            endings: Box::new([0; 1024]),
            detectors: [None; detectors::COUNT],
            patterns: None,
            notices: Vec::new(),
        };
        // What says no more of a field than that its name stands elsewhere.
        for name in layouts::unnamed() {
            name.as_bytes().last_chunk().into_iter().for_each(|last| set(&mut rules.endings, *last));
            rules.names.add(name, None);
        }
        for written in written(text)? {
            rules.add(written)?;
        }
        Ok(rules)
    }

    fn add(&mut self, written: Written) -> Result<(), RuleError> {
        let number = self.rules.len();
        let error = |problem: &str| RuleError { file: 0, rule: written.name.clone(), problem: problem.to_owned() };
        let validator = match &written.validator {
            None => None,
            Some(name) => {
                let unknown = || error(&format!("its validator is unknown; write one of {}", Validator::NAMES.join(", ")));
                Some(Validator::named(name).ok_or_else(unknown)?)
            }
        };
        for keyword in &written.keywords {
            let bytes = keyword.as_bytes();
            if bytes.len() < 3 || !bytes[0].is_ascii_alphanumeric() {
                return Err(error(
                    "one of its keywords is too short, or begins with a sign; give it three bytes or more, the first a letter or a digit",
                ));
            };
            // A word is looked at where it begins: behind the last blank of the keyword.
            let blank = keyword.rfind(|c| u8::try_from(c).is_ok_and(lanes::breaks)).map_or(0, |at| at + 1);
            match keyword.as_bytes()[blank..].first_chunk::<3>() {
                Some(first) => {
                    set(&mut self.beginnings, *first);
                    self.keywords.entry(*first).or_default().push((Keyword::new(keyword.clone(), blank), number));
                }
                None if blank == keyword.len() => {
                    self.before_blank[usize::from(bytes[blank - 2])] = true;
                    self.behind.push((keyword.clone(), number));
                }
                None => {
                    return Err(error(
                        "the last word of one of its keywords is too short; give it three bytes or more, or none after the blank",
                    ));
                }
            }
        }
        for name in &written.names {
            let Some(last) =
                name.as_bytes().last_chunk::<3>().filter(|_| name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()))
            else {
                return Err(error(
                    "one of its names can't be looked for; write three letters or digits or more, in lower case, without `_`, `-` and `.`",
                ));
            };
            set(&mut self.endings, *last);
            self.names.add(name, Some(number));
        }
        match &written.detector {
            None if written.keywords.is_empty() && written.names.is_empty() => {
                return Err(error("it has no keywords and no names, and would be tried nowhere; add some"));
            }
            None => {}
            Some(name) => {
                let slot = detectors::named(name).ok_or_else(|| {
                    error("its detector is unknown; leave `detector` out, which is for the rules that come with the host")
                })?;
                self.detectors[slot] = Some(number);
                for name in detectors::names_of(slot) {
                    let last = *name.as_bytes().last_chunk().expect("the names of detectors are longer");
                    set(&mut self.endings, last);
                    self.names.add(name, Some(number));
                }
            }
        }
        let expression = match written.detector.as_deref().and_then(detectors::expression) {
            Some(expression) => expression.to_owned(),
            None => written.expression,
        };
        let validator = validator.or_else(|| written.detector.as_deref().and_then(Validator::named));
        let named = Rule::named(written.name, written.what);
        self.rules.push(Arc::new(Rule { expression, needs: written.needs, validator, published: written.published, ..named }));
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
                    rules.keywords.entry(*first).or_default().push((Keyword::new(text, 0), number));
                }
            }
            let named = Rule::named((*name).to_owned(), "a string of the secret's format".to_owned());
            let (mark, expression) = (format!("[sealed:{name}]"), formats::unanchored(expression));
            rules.rules.push(Arc::new(Rule { mark, expression, from_start: true, ..named }));
        }
        (Arc::new(rules), loose)
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
}

fn written(text: &str) -> Result<Vec<Written>, RuleError> {
    let file: Result<File, _> = toml::from_str(text);
    // The whole error would quote the line, which may hold a secret.
    let place = |error: &toml::de::Error| {
        let before = error.span().and_then(|span| text.get(..span.start));
        before.map_or_else(String::new, |before| format!("line {}: ", before.matches('\n').count() + 1))
    };
    let problem = |error: toml::de::Error| format!("{}{}", place(&error), error.message());
    file.map(|file| file.rule).map_err(|error| RuleError { file: 0, rule: String::new(), problem: problem(error) })
}

/// What to look at where a rule finds nothing in a text.
fn why_none(rule: &Written, text: &str) -> String {
    // The value of a field stands behind its sign.
    let ends = |c: char| u8::try_from(c).is_ok_and(lanes::breaks) || (rule.keywords.is_empty() && matches!(c, '=' | ':'));
    let longest = text.split(ends).map(str::len).max().unwrap_or(0);
    let least = if rule.keywords.is_empty() { LEAST_VALUE } else { LEAST };
    match longest < least {
        true if rule.keywords.is_empty() => format!("the value of a field is looked at from {LEAST_VALUE} bytes on"),
        true => format!("what is shorter than {LEAST} bytes, its keyword included, is not looked at"),
        false => {
            "check that it has the keyword or name, and that the expression matches right after it and the validator agrees".to_owned()
        }
    }
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

        assert!(rules.rules.len() >= 450, "{} rules", rules.rules.len());
        for written in written(include_str!("rules.toml")).expect("read") {
            assert!(written.matches.len() >= 2 && written.pass.len() >= 2, "`{}` has too few examples", written.name);
        }
    }

    #[test]
    fn every_example_is_found_as_the_naive_search_finds_it_however_a_stream_is_cut() {
        let scrubber = Arc::new(crate::Scrubber::new(Arc::new(crate::Search::new(Vec::new(), Some(Rules::standard()))), Vec::new()));
        for (number, rule) in written(include_str!("rules.toml")).expect("read").iter().enumerate() {
            for example in rule.matches.iter().chain(&rule.pass) {
                let text = format!("{}\n{example}\nand {}", "x. ".repeat(number % 70), "more ".repeat(number % 9));
                crate::naive::compare(&scrubber, text.as_bytes(), &[1, 7, (number % 251) as u8, 40]);
                // In a long stream, what was let go before and what is still to come are not all at hand.
                if rule.detector.is_some() {
                    let text = format!("{}\n{example}\nand {}", "x. ".repeat(700), "more ".repeat(300));
                    crate::naive::compare(&scrubber, text.as_bytes(), &[5]);
                }
            }
        }
    }

    #[test]
    fn a_text_may_begin_and_end_anywhere() {
        let scrubber = crate::Scrubber::new(Arc::new(crate::Search::new(Vec::new(), Some(Rules::standard()))), Vec::new());
        let rules = written(include_str!("rules.toml")).expect("read");
        let examples = rules.iter().flat_map(|rule| rule.matches.iter().chain(&rule.pass)).cloned();
        let value = "x7Rt1Lb9Kc4Vn6Yf3Hd0";
        let layouts = crate::rules::fields::tests::LAYOUTS.iter().map(|layout| layout.replace("{}", value));
        for text in examples.chain(layouts).chain([format!("\n\n{value} z"), format!("\r\n\r\n\"{value}\"")]) {
            let text = text.as_bytes();
            // Long examples are long lists.
            for at in 0..text.len().min(400) {
                let _ = scrubber.find(&text[at..]);
                let _ = scrubber.find(&text[..at]);
            }
        }
    }

    #[test]
    fn a_rule_that_can_not_be_used_is_refused_with_what_to_do() {
        let refused = |text: &str| Rules::with(&[format!("[[rule]]\nwhat = \"a key\"\n{text}")]).expect_err(text).to_string();
        let fine = "keywords = [\"acme_\"]\nexpression = '[a-z0-9]{32}'";
        for (text, said) in [
            (format!("name = \"Acme Key\"\n{fine}"), "rule `Acme Key`: its name can't be used in `leaks_allowed`"),
            (format!("name = \"json-web-token\"\n{fine}"), "choose one that `strongroom rules` does not list"),
            ("name = \"a\"\ndetector = \"pem\"".to_owned(), "leave `detector` out, and give it keywords or names"),
            ("name = \"a\"\ndetector = \"x\"".to_owned(), "its detector is unknown; leave `detector` out"),
            (format!("name = \"a\"\n{fine}\nvalidator = \"x\""), "its validator is unknown; write one of entropy, github, jwt,"),
            (
                "name = \"a\"\nkeywords = [\"acme_\"]\nexpression = '[a-z0-9]{4}'\nmatch = ['acme_1a2b']".to_owned(),
                "`match` example 1 holds no secret of this kind; what is shorter than 16 bytes, its keyword included, is not looked at",
            ),
            (
                "name = \"a\"\nnames = [\"acmekey\"]\nexpression = '[a-z0-9]{16}'\nmatch = ['acme_key=1a2b3c4d5e6f7a8b']".to_owned(),
                "`match` example 1 holds no secret of this kind; the value of a field is looked at from 24 bytes on",
            ),
            (format!("name = \"a\"\n{fine}\nmatch = ['acme_is_what_all_its_keys_begin_with']"), "check that it has the keyword or name"),
            (format!("name = \"a\"\n{fine}\npass = ['acme_1a2b3c4d5e6f7a8b1a2b3c4d5e6f7a8b']"), "`pass` example 1 holds a secret"),
            (format!("name = \"a\"\n{fine}\nkeyword = \"acme_1a2b3c4d5e6f7a8b\""), "line 6: unknown field `keyword`"),
        ] {
            let found = refused(&text);
            assert!(found.contains(said), "{found}");
            assert!(!found.contains("1a2b") && !found.contains("rules.toml"), "{found}");
        }
    }
}
