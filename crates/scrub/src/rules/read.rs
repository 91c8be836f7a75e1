//! How rules are read: from the library's own file, from an operator's, and from the formats of a manifest's secrets.

use super::validators::Validator;
use super::{Keyword, Match, Rule, Rules, detectors, formats, lanes, set};
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
    needs: Option<char>,
    validator: Option<String>,
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
#[error("rule `{rule}`: {problem}")]
#[non_exhaustive]
pub struct RuleError {
    /// Its name; empty where the file can't be read at all.
    pub rule: String,
    /// What is wrong, and what to write instead.
    pub problem: String,
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
    file.map(|file| file.rule).map_err(|error| RuleError { rule: String::new(), problem: error.to_string() })
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
