//! Files of rules as Gitleaks and Betterleaks have them: what of them is taken over, and what is told of the rest.
//!
//! See <https://github.com/gitleaks/gitleaks#configuration> and <https://github.com/betterleaks/betterleaks/blob/main/docs/config.md>.

use super::super::RuleError;
use super::filter::{Bound, Filter, Subject};
use super::syntax::Expression;
use super::{LOOKED_AT, Pattern};
use std::sync::Arc;
use toml::{Table, Value};

/// Most rules of a file.
const MOST_RULES: usize = 4_096;
/// Most keywords of a rule, and most and fewest bytes of one.
const MOST_KEYWORDS: usize = 256;
const LONGEST_KEYWORD: usize = super::BEFORE;
const SHORTEST_KEYWORD: usize = 2;
/// What a rule counts by where several find the same: Betterleaks' default, and below it for those that Gitleaks calls generic.
const SPECIFICITY: i64 = 100;
/// The keys of a rule that are known.
const KEYS: &[&str] = &[
    "id",
    "description",
    "regex",
    "keywords",
    "secretGroup",
    "entropy",
    "path",
    "tags",
    "specificity",
    "allowlist",
    "allowlists",
    "required",
    "validate",
    "skipReport",
    "tokenEfficiency",
    "filter",
];

/// What the operator is told of a file of another scanner's rules.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Notice {
    /// The number of the file among those that were given.
    pub file: usize,
    /// The id of the rule; empty where it is about the whole file.
    pub rule: String,
    /// Whether the rule, or the file, is used all the same.
    pub is_taken: bool,
    /// What is not as it says there, and why.
    pub what: String,
}

/// A rule that is taken over.
pub(in super::super) struct Taken {
    pub(in super::super) name: String,
    pub(in super::super) what: String,
    pub(in super::super) pattern: Pattern,
    pub(in super::super) keywords: Vec<String>,
}

/// A file of theirs.
#[derive(Default)]
pub(in super::super) struct File {
    pub(in super::super) rules: Vec<Taken>,
    pub(in super::super) notices: Vec<Notice>,
}

/// The tables of a text that is a file of theirs, as they tell.
pub(in super::super) fn theirs(text: &str) -> Option<Table> {
    let is_theirs = |table: &Table| ["rules", "extend", "allowlist", "allowlists"].iter().any(|key| table.contains_key(*key));
    text.parse::<Table>().ok().filter(|table| is_theirs(table) && !table.contains_key("rule"))
}

impl File {
    /// Reads the file with this number.
    ///
    /// # Errors
    /// [`RuleError`] where its rules are no tables, or too many.
    pub(in super::super) fn read(number: usize, table: &Table) -> Result<Self, RuleError> {
        let error = |problem: String| RuleError { file: number, rule: String::new(), problem };
        let keys = Keys(table);
        let remedy = "write each rule as `[[rules]]`, as Gitleaks and Betterleaks have them";
        let rules = keys.tables("rules").map_err(|_| error(format!("its `rules` is not a list of tables; {remedy}")))?;
        if rules.len() > MOST_RULES {
            return Err(error(format!("it has more than {MOST_RULES} rules; spread them over several files")));
        }
        let mut file = Self::default();
        let mut tell = |rule: &str, is_taken: bool, what: String| {
            file.notices.push(Notice { file: number, rule: rule.to_owned(), is_taken, what });
        };
        of_file(&keys, &rules).for_each(|what| tell("", true, what.to_owned()));
        let global = Global::read(&keys).unwrap_or_else(|why| {
            tell("", true, format!("its exceptions for all rules are not followed: {why}"));
            Global::default()
        });
        for id in global.targets.iter().filter(|id| !rules.iter().any(|rule| rule.id() == **id)) {
            tell(id, false, "an allowlist is for it, and the file does not have it".to_owned());
        }
        for (at, keys) in rules.iter().enumerate() {
            let id = if keys.id().is_empty() { format!("number {}", at + 1) } else { keys.id() };
            match keys.rule(&global) {
                Ok((taken, notes)) => {
                    notes.into_iter().for_each(|note| tell(&id, true, note));
                    file.rules.push(taken);
                }
                Err(why) => tell(&id, false, why),
            }
        }
        Ok(file)
    }
}

/// What of a file is not followed that is not about one rule.
fn of_file(keys: &Keys<'_>, rules: &[Keys<'_>]) -> impl Iterator<Item = &'static str> {
    let extend = keys.tables("extend").unwrap_or_default();
    let extends = |key: &str| extend.iter().any(|extend| extend.get(key).is_some_and(|value| value.as_bool() != Some(false)));
    let mut lists = keys.allowlists().into_iter().chain(rules.iter().flat_map(Keys::allowlists));
    let by_place = lists.any(|list| list.get("paths").is_some() || list.get("commits").is_some());
    [
        (extends("useDefault"), "`extend.useDefault` is not followed; name a copy of that scanner's own file in `scrub.rules`, too"),
        (extends("path") || extends("url"), "`extend.path` is not followed; name that file in `scrub.rules`, too"),
        (extends("disabledRules"), "`extend.disabledRules` is not followed; take those rules out of the file that has them"),
        (by_place, "its exceptions by path or commit are not followed; what an agent reads and sends has neither"),
        (
            rules.iter().any(|rule| rule.get("validate").is_some()),
            "`validate` is not followed; nobody is asked whether what was found still works",
        ),
    ]
    .into_iter()
    .filter_map(|(is, what)| is.then_some(what))
}

/// The exceptions of a file for all its rules, or for some.
#[derive(Default)]
struct Global {
    filters: Vec<(Vec<String>, Arc<Filter>)>,
    /// The ids of rules that some are for.
    targets: Vec<String>,
}

impl Global {
    fn read(keys: &Keys<'_>) -> Result<Self, String> {
        let mut global = Self::default();
        for list in keys.allowlists() {
            let targets = list.list("targetRules")?;
            global.targets.extend(targets.iter().cloned());
            global.filters.push((targets, Arc::new(list.allowlist()?)));
        }
        if let Some(filter) = keys.text("filter")?.filter(|filter| !filter.trim().is_empty()) {
            global.filters.push((Vec::new(), Arc::new(Filter::read(&filter, LOOKED_AT)?)));
        }
        Ok(global)
    }

    fn of<'g>(&'g self, id: &'g str) -> impl Iterator<Item = Arc<Filter>> + 'g {
        let is_for = move |targets: &Vec<String>| targets.is_empty() || targets.iter().any(|target| target == id);
        self.filters.iter().filter(move |(targets, _)| is_for(targets)).map(|(_, filter)| Arc::clone(filter))
    }
}

/// A table of a file, whose keys are the same in whatever letter case.
#[derive(Clone, Copy)]
struct Keys<'t>(&'t Table);

impl<'t> Keys<'t> {
    fn get(&self, key: &str) -> Option<&'t Value> {
        self.0.get(key).or_else(|| self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(key)).map(|(_, value)| value))
    }

    fn text(&self, key: &str) -> Result<Option<String>, String> {
        self.get(key).map(|value| value.as_str().map(str::to_owned).ok_or_else(|| format!("its `{key}` is not a text"))).transpose()
    }

    fn list(&self, key: &str) -> Result<Vec<String>, String> {
        let Some(value) = self.get(key) else { return Ok(Vec::new()) };
        let texts = value.as_array().and_then(|list| list.iter().map(|text| text.as_str().map(str::to_owned)).collect());
        texts.ok_or_else(|| format!("its `{key}` is not a list of texts"))
    }

    fn number(&self, key: &str) -> Result<Option<f64>, String> {
        let number = |value: &Value| value.as_float().or_else(|| value.as_integer().map(|number| number as f64));
        self.get(key).map(|value| number(value).ok_or_else(|| format!("its `{key}` is not a number"))).transpose()
    }

    fn is(&self, key: &str) -> bool {
        self.get(key).and_then(Value::as_bool).unwrap_or(false)
    }

    /// The tables under a key, or the one.
    fn tables(&self, key: &str) -> Result<Vec<Keys<'t>>, String> {
        let no_table = || format!("its `{key}` is not a table");
        match self.get(key) {
            None => Ok(Vec::new()),
            Some(Value::Table(table)) => Ok(vec![Keys(table)]),
            Some(Value::Array(list)) => list.iter().map(|value| value.as_table().map(Keys).ok_or_else(no_table)).collect(),
            Some(_) => Err(no_table()),
        }
    }

    fn id(&self) -> String {
        self.text("id").ok().flatten().unwrap_or_default()
    }

    /// Its allowlists, in the newer form and in the older one.
    fn allowlists(&self) -> Vec<Keys<'t>> {
        ["allowlists", "allowlist"].iter().flat_map(|key| self.tables(key).unwrap_or_default()).collect()
    }

    /// This table as an allowlist.
    fn allowlist(&self) -> Result<Filter, String> {
        let target = self.text("regexTarget")?.unwrap_or_default();
        let target = match target.as_str() {
            "" | "secret" => Subject::Secret,
            "match" => Subject::Match,
            "line" => Subject::Line,
            _ => return Err("an allowlist's `regexTarget` is none of `secret`, `match` and `line`".to_owned()),
        };
        let is_all = match self.text("condition")?.unwrap_or_default().to_ascii_uppercase().as_str() {
            "" | "OR" | "||" => false,
            "AND" | "&&" => true,
            _ => return Err("an allowlist's `condition` is none of `AND` and `OR`".to_owned()),
        };
        let (regexes, words) = (self.list("regexes")?, self.list("stopwords")?);
        let mut parts = Vec::new();
        if !regexes.is_empty() {
            let in_list = |why: String| why.replacen("its expression", "an expression of an allowlist", 1);
            parts.push(Filter::Matches(target, Expression::any(&regexes, LOOKED_AT).map_err(in_list)?));
        }
        if !words.is_empty() {
            parts.push(Filter::contains(Subject::Secret, &words)?);
        }
        if is_all && (self.get("paths").is_some() || self.get("commits").is_some()) {
            parts.push(Filter::Always(false));
        }
        Ok(if is_all && !parts.is_empty() { Filter::All(parts) } else { Filter::Any(parts) })
    }

    /// This table as a rule, with what is not as it says there; or why it can't be one.
    fn rule(&self, global: &Global) -> Result<(Taken, Vec<String>), String> {
        let mut notes = Vec::new();
        let id = self.text("id")?.filter(|id| !id.is_empty()).ok_or("it has no `id`")?;
        if self.is("skipReport") {
            return Err("it is a part of other rules only (`skipReport`)".to_owned());
        }
        if !self.tables("required")?.is_empty() {
            return Err(
                "it counts only where other rules find something nearby (`required`), and each finding is looked at by itself".to_owned()
            );
        }
        if self.get("path").is_some() {
            return Err("it is for files of certain paths (`path`), and what an agent reads and sends has none".to_owned());
        }
        let expression = Expression::read(&self.text("regex")?.ok_or("it has no `regex`")?, LOOKED_AT)?;
        let group = self.number("secretGroup")?.filter(|group| *group > 0.0).map(|group| group as usize);
        if group.is_some_and(|group| group > expression.groups) {
            return Err("its `secretGroup` is more than its expression has".to_owned());
        }
        let keywords = self.keywords(&expression)?;
        let mut filters = global.of(&id).collect::<Vec<_>>();
        if let Some(bits) = self.number("entropy")?.filter(|bits| *bits > 0.0) {
            filters.push(Arc::new(Filter::Entropy(Subject::Secret, bits, Bound::UpTo)));
        }
        if self.is("tokenEfficiency") {
            filters.push(Arc::new(Filter::Ordinary(Subject::Secret)));
        }
        for list in self.allowlists() {
            filters.push(Arc::new(list.allowlist()?));
        }
        if let Some(filter) = self.text("filter")?.filter(|filter| !filter.trim().is_empty()) {
            filters.push(Arc::new(Filter::read(&filter, LOOKED_AT)?));
        }
        if filters.iter().any(|filter| filter.has_stand_in()) {
            notes.push("the efficiency of its tokens is not counted; how random a value looks is measured instead".to_owned());
        }
        let unknown = self.0.keys().filter(|key| !KEYS.iter().any(|known| known.eq_ignore_ascii_case(key)));
        notes.extend(unknown.map(|key| format!("its `{}` is not known", key.escape_debug())));
        if group.is_none() && expression.begins_with_names {
            notes.push(
                "its first group holds for a few fixed texts only, so that all that it finds is taken out; set `secretGroup`".to_owned(),
            );
        }
        let name = name(&id);
        if name != id {
            notes.push(format!("it goes by the name `{name}`"));
        }
        let what = self.text("description")?.filter(|what| !what.is_empty()).unwrap_or_else(|| "a rule of another scanner".to_owned());
        let specificity =
            self.number("specificity")?.map_or(if id.starts_with("generic") { 0 } else { SPECIFICITY }, |number| number as i64);
        let pattern = Pattern { rule: 0, id, expression, group, filters, specificity, reach: None };
        Ok((Taken { name, what, pattern, keywords }, notes))
    }

    /// The keywords of a rule, in small letters; where it has none, what its expression begins with.
    fn keywords(&self, expression: &Expression) -> Result<Vec<String>, String> {
        let keywords: Vec<String> = self.list("keywords")?.iter().map(|keyword| keyword.to_lowercase()).collect();
        if keywords.is_empty() {
            return expression
                .beginnings()
                .ok_or_else(|| "it has no keywords, and no fixed text begins what it finds; add `keywords`".to_owned());
        }
        let fits = |keyword: &String| (SHORTEST_KEYWORD..=LONGEST_KEYWORD).contains(&keyword.len());
        if keywords.len() > MOST_KEYWORDS || !keywords.iter().all(fits) {
            return Err(format!(
                "its keywords are too many, too short or too long; {MOST_KEYWORDS} of {SHORTEST_KEYWORD} to {LONGEST_KEYWORD} bytes fit"
            ));
        }
        Ok(keywords)
    }
}

/// An id as the names of rules are written, which `leaks_allowed` has.
fn name(id: &str) -> String {
    let letter = |character: char| if character.is_ascii_alphanumeric() { character.to_ascii_lowercase() } else { '-' };
    id.chars().take(63).map(letter).collect()
}
