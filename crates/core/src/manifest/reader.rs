//! Reads one TOML document key by key and collects every finding with its place.
//!
//! A [`Section`] remembers which keys were asked for; [`Section::finish`] reports the rest as unknown. So a key is either
//! used or refused, never ignored.

use super::diagnostic::{Diagnostic, Diagnostics, Problem};
use super::scan::suspicious;
use std::cell::{Cell, RefCell};
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Keys that a table has in another form of it, each with where that is, as the end of a sentence.
pub(super) type Elsewhere = &'static [(&'static str, &'static str)];

/// A document being read.
pub(super) struct Document<'a> {
    file: &'a str,
    text: &'a str,
    findings: RefCell<Vec<(Range<usize>, Problem)>>,
}

/// One table of it.
pub(super) struct Section<'a> {
    document: &'a Document<'a>,
    table: &'a DeTable<'a>,
    span: Range<usize>,
    path: String,
    asked: RefCell<Vec<&'static str>>,
    ignored: Cell<bool>,
    elsewhere: Cell<Elsewhere>,
}

impl<'a> Document<'a> {
    /// Parses `text` and hands its root table to `read`; gives the result only if nothing was found wrong.
    pub(super) fn read<T>(file: &str, text: &str, read: impl FnOnce(&Section<'_>) -> Option<T>) -> Result<T, Diagnostics> {
        let root = match DeTable::parse(text) {
            Ok(root) => root,
            Err(error) => {
                let span = error.span().unwrap_or(0..0);
                // What a message suggests to add has a `?` where only the operator knows the value.
                let problem = match text.get(span.start..).is_some_and(|rest| rest.trim_start().starts_with('?')) {
                    true => Problem::new("a `?` is left", "write the value in its place: it stands for what only you can know"),
                    false => Problem::new(format!("not valid TOML: {}", error.message()), "see https://toml.io/en/v1.0.0"),
                };
                let found = [(span, problem)].into_iter().chain(suspicious(text, None));
                return Err(Diagnostics(found.map(|(span, problem)| Diagnostic::at(file, text, span, problem)).collect()));
            }
        };
        let document = Document { file, text, findings: RefCell::new(Vec::new()) };
        let section = Section {
            document: &document,
            table: root.get_ref(),
            span: 0..0,
            path: String::new(),
            asked: RefCell::default(),
            ignored: Cell::new(false),
            elsewhere: Cell::default(),
        };
        let value = read(&section);
        section.finish();
        drop(section);
        let mut findings = document.findings.into_inner();
        // Where a value was refused already, it is told once.
        let told: Vec<Range<usize>> = findings.iter().map(|(span, _)| span.clone()).collect();
        let is_told = |span: &Range<usize>| told.iter().any(|told| told.start <= span.start && span.start < told.end);
        findings.extend(suspicious(text, Some(root.get_ref())).into_iter().filter(|(span, _)| !is_told(span)));
        findings.sort_by_key(|(span, _)| span.start);
        match value {
            Some(value) if findings.is_empty() => Ok(value),
            _ => Err(Diagnostics(
                findings.into_iter().map(|(span, problem)| Diagnostic::at(document.file, document.text, span, problem)).collect(),
            )),
        }
    }
}

impl<'a> Section<'a> {
    fn value(&self, key: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.asked.borrow_mut().push(key);
        self.table.iter().find(|(k, _)| k.get_ref().as_ref() == key).map(|(_, v)| v)
    }

    pub(super) fn report(&self, span: Range<usize>, problem: Problem) {
        self.document.findings.borrow_mut().push((span, problem));
    }

    /// Reports `problem` at the beginning of a line of the file, counted from 1.
    pub(super) fn report_in_line(&self, line: usize, problem: Problem) {
        let start = self.document.text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
        self.report(start..start + 1, problem);
    }

    /// Reports `problem` at the table's own place.
    pub(super) fn report_here(&self, problem: Problem) {
        self.report(self.span.clone(), problem);
    }

    fn named(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    fn wrong_type(&self, key: &str, value: &Spanned<DeValue<'_>>, expected: &str) {
        let found = format!("`{}` is of type {}", self.named(key), value.get_ref().type_str());
        self.report(value.span(), Problem::new(found, format!("write {expected}")));
    }

    /// The table's line, from 1.
    pub(super) fn line(&self, text: &str) -> usize {
        text.get(..self.span.start).map_or(1, |before| before.matches('\n').count() + 1)
    }

    /// Whether the key stands in the table at all.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.iter().any(|(k, _)| k.get_ref().as_ref() == key)
    }

    /// A string, parsed by `parse`.
    pub(super) fn parse<T>(&self, key: &'static str, parse: impl FnOnce(&str) -> Result<T, Problem>) -> Option<T> {
        let value = self.value(key)?;
        self.parse_value(key, value, parse)
    }

    fn parse_value<T>(&self, key: &str, value: &Spanned<DeValue<'_>>, parse: impl FnOnce(&str) -> Result<T, Problem>) -> Option<T> {
        let Some(text) = value.get_ref().as_str() else {
            self.wrong_type(key, value, "a string");
            return None;
        };
        match parse(text) {
            Ok(parsed) => Some(parsed),
            Err(mut problem) => {
                problem.found = format!("`{}`: {}", self.named(key), problem.found);
                self.report(value.span(), problem);
                None
            }
        }
    }

    /// As [`Section::parse`], and the key must be there. `example` is the line that is missing, with `?` for a value that only the operator can
    /// know and that money or reach hangs on: no message gives one that could be pasted.
    pub(super) fn require<T>(&self, key: &'static str, example: &str, parse: impl FnOnce(&str) -> Result<T, Problem>) -> Option<T> {
        if !self.is_there(key, example) {
            return None;
        }
        self.parse(key, parse)
    }

    /// One of a few words, which must be there. `wrong` is what any other one is.
    pub(super) fn require_one_of(&self, key: &'static str, wrong: &str, words: &[&'static str]) -> Option<&'static str> {
        let listed = either(words);
        if !self.has(key) {
            self.missing(key, format!("add `{key} = ?`, which is {listed}"));
            return None;
        }
        self.parse(key, |text| {
            words.iter().find(|word| **word == text).copied().ok_or_else(|| Problem::new(wrong, format!("write {listed}")))
        })
    }

    fn is_there(&self, key: &'static str, example: &str) -> bool {
        let is_there = self.has(key);
        if !is_there {
            self.missing(key, format!("add `{example}`{}", to_fill_in(example)));
        }
        is_there
    }

    fn missing(&self, key: &'static str, remedy: String) {
        self.asked.borrow_mut().push(key);
        self.report_here(Problem::new(format!("`{}` is missing", self.named(key)), remedy));
    }

    pub(super) fn string(&self, key: &'static str) -> Option<String> {
        self.parse(key, |text| Ok(text.to_owned()))
    }

    pub(super) fn bool(&self, key: &'static str) -> Option<bool> {
        let value = self.value(key)?;
        let found = value.get_ref().as_bool();
        if found.is_none() {
            self.wrong_type(key, value, "`true` or `false`");
        }
        found
    }

    pub(super) fn integer(&self, key: &'static str, range: std::ops::RangeInclusive<u64>) -> Option<u64> {
        let value = self.value(key)?;
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        match value.get_ref().as_integer() {
            None => self.wrong_type(key, value, &expected),
            Some(integer) => match u64::from_str_radix(integer.as_str(), integer.radix()) {
                Ok(number) if range.contains(&number) => return Some(number),
                _ => self.report(value.span(), Problem::new(format!("`{}` is out of range", self.named(key)), format!("write {expected}"))),
            },
        }
        None
    }

    /// As [`Section::integer`], and the key must be there.
    pub(super) fn require_integer(&self, key: &'static str, example: &str, range: std::ops::RangeInclusive<u64>) -> Option<u64> {
        if !self.is_there(key, example) {
            return None;
        }
        self.integer(key, range)
    }

    /// A list of whole numbers from 1 that must be there and not be empty.
    pub(super) fn require_numbers(&self, key: &'static str, example: &str) -> Option<Vec<u64>> {
        if !self.is_there(key, example) {
            return None;
        }
        let value = self.value(key)?;
        let Some(array) = value.get_ref().as_array() else {
            self.wrong_type(key, value, "a list of whole numbers above 0");
            return None;
        };
        if array.is_empty() {
            self.empty(key, value.span(), format!("write `{example}`{}", to_fill_in(example)));
            return None;
        }
        let number = |item: &Spanned<DeValue<'_>>| {
            let Some(integer) = item.get_ref().as_integer() else {
                self.wrong_type(key, item, "a whole number above 0");
                return None;
            };
            let number = u64::from_str_radix(integer.as_str(), integer.radix()).ok().filter(|number| *number > 0);
            if number.is_none() {
                let found = format!("a number of `{}` is out of range", self.named(key));
                self.report(item.span(), Problem::new(found, "write a whole number above 0"));
            }
            number
        };
        let numbers: Vec<Option<u64>> = array.iter().map(number).collect();
        numbers.into_iter().collect()
    }

    fn empty(&self, key: &str, span: Range<usize>, remedy: String) {
        self.report(span, Problem::new(format!("`{}` is empty", self.named(key)), remedy));
    }

    /// Whether the key holds a string.
    pub(super) fn is_string(&self, key: &str) -> bool {
        self.table.iter().any(|(k, v)| k.get_ref().as_ref() == key && v.get_ref().as_str().is_some())
    }

    /// A table of strings or lists of strings, each parsed by `parse` from its key and value.
    pub(super) fn lists<T>(&self, key: &'static str, parse: impl Fn(&str, &str) -> Result<T, Problem>) -> Vec<T> {
        let Some(value) = self.value(key) else { return Vec::new() };
        let Some(table) = value.get_ref().as_table() else {
            self.wrong_type(key, value, "a table of lists, as in `{ NAME = [\"value\"] }`");
            return Vec::new();
        };
        let mut all = Vec::new();
        for (k, v) in table.iter() {
            let name = k.get_ref().as_ref();
            let items: Vec<_> = v.get_ref().as_array().map_or_else(|| vec![v], |array| array.iter().collect());
            if items.is_empty() {
                self.report(v.span(), Problem::new(format!("`{}.{name}` is empty", self.named(key)), "write what it may be"));
            }
            all.extend(items.into_iter().filter_map(|item| self.parse_value(&format!("{key}.{name}"), item, |text| parse(name, text))));
        }
        all
    }

    /// A list of strings, each parsed by `parse`.
    pub(super) fn list<T>(&self, key: &'static str, parse: impl Fn(&str) -> Result<T, Problem>) -> Option<Vec<T>> {
        let value = self.value(key)?;
        let Some(array) = value.get_ref().as_array() else {
            self.wrong_type(key, value, "a list of strings, as in `[\"a\", \"b\"]`");
            return None;
        };
        Some(array.iter().filter_map(|item| self.parse_value(key, item, &parse)).collect())
    }

    /// A list of strings that must be there and not be empty.
    pub(super) fn require_list<T>(&self, key: &'static str, example: &str, parse: impl Fn(&str) -> Result<T, Problem>) -> Option<Vec<T>> {
        if !self.is_there(key, example) {
            return None;
        }
        self.filled(key, &format!("write `{example}`{}", to_fill_in(example)), parse)
    }

    /// A list of strings that, where it is there, must not be empty. Without it, `default` holds.
    pub(super) fn non_empty<T>(&self, key: &'static str, default: &str, parse: impl Fn(&str) -> Result<T, Problem>) -> Option<Vec<T>> {
        self.filled(key, &format!("name at least one, or leave `{key}` out, which means {default}"), parse)
    }

    /// The same without a default: `remedy` says what to write.
    pub(super) fn filled<T>(&self, key: &'static str, remedy: &str, parse: impl Fn(&str) -> Result<T, Problem>) -> Option<Vec<T>> {
        let span = self.value(key)?.span();
        let before = self.document.findings.borrow().len();
        let list = self.list(key, parse)?;
        if list.is_empty() && self.document.findings.borrow().len() == before {
            self.empty(key, span, remedy.to_owned());
        }
        Some(list)
    }

    /// A table of strings, in the order of the file, each parsed by `parse` from its key and value.
    pub(super) fn strings(&self, key: &'static str, parse: impl Fn(&str, &str) -> Result<(), Problem>) -> Vec<(String, String)> {
        let Some(value) = self.value(key) else { return Vec::new() };
        let Some(table) = value.get_ref().as_table() else {
            self.wrong_type(key, value, "a table of strings, as in `{ NAME = \"value\" }`");
            return Vec::new();
        };
        table
            .iter()
            .filter_map(|(k, v)| {
                let name = k.get_ref().as_ref();
                self.parse_value(&format!("{key}.{name}"), v, |text| parse(name, text).map(|()| text.to_owned()))
                    .map(|text| (name.to_owned(), text))
            })
            .collect()
    }

    fn subsection(&self, path: String, table: &'a DeTable<'a>, span: Range<usize>) -> Section<'a> {
        Section {
            document: self.document,
            table,
            span,
            path,
            asked: RefCell::default(),
            ignored: Cell::new(false),
            elsewhere: Cell::default(),
        }
    }

    /// A sub-table.
    pub(super) fn table(&self, key: &'static str) -> Option<Section<'a>> {
        let value = self.value(key)?;
        match value.get_ref().as_table() {
            Some(table) => Some(self.subsection(self.named(key), table, value.span())),
            None => {
                self.wrong_type(key, value, &format!("a table, `[{}]`", self.named(key)));
                None
            }
        }
    }

    /// The tables of `[key.NAME]`, with each name and its place.
    pub(super) fn named_tables(&self, key: &'static str) -> Vec<(String, Range<usize>, Section<'a>)> {
        let Some(value) = self.value(key) else { return Vec::new() };
        let Some(table) = value.get_ref().as_table() else {
            self.wrong_type(key, value, &format!("tables, `[{}.NAME]`", self.named(key)));
            return Vec::new();
        };
        let mut tables = Vec::new();
        for (name, value) in table.iter() {
            let path = format!("{}.{}", self.named(key), name.get_ref());
            match value.get_ref().as_table() {
                Some(inner) => tables.push((name.get_ref().to_string(), name.span(), self.subsection(path, inner, name.span()))),
                None => self.wrong_type(&format!("{key}.{}", name.get_ref()), value, &format!("a table, `[{path}]`")),
            }
        }
        tables
    }

    /// The tables of `[[key]]`.
    pub(super) fn tables(&self, key: &'static str) -> Vec<Section<'a>> {
        let Some(value) = self.value(key) else { return Vec::new() };
        let Some(array) = value.get_ref().as_array() else {
            self.wrong_type(key, value, &format!("tables, `[[{}]]`", self.named(key)));
            return Vec::new();
        };
        let mut tables = Vec::new();
        for item in array.iter() {
            match item.get_ref().as_table() {
                Some(table) => tables.push(self.subsection(self.named(key), table, item.span())),
                None => self.wrong_type(key, item, &format!("tables, `[[{}]]`", self.named(key))),
            }
        }
        tables
    }

    /// Takes note of keys that can't be read yet: what they mean is said by one that was refused.
    pub(super) fn set_aside(&self, keys: &[&'static str]) {
        self.asked.borrow_mut().extend(keys);
    }

    /// Says of keys that are not for this form of the table which one they are for.
    pub(super) fn elsewhere(&self, keys: Elsewhere) {
        self.elsewhere.set(keys);
    }

    /// Leaves the keys that were not asked for out of the findings: the table was refused as a whole.
    pub(super) fn ignore_rest(&self) {
        self.ignored.set(true);
    }

    /// Reports every key that was not asked for.
    pub(super) fn finish(&self) {
        let asked = self.asked.borrow();
        for (key, _) in self.table.iter() {
            let name = key.get_ref().as_ref();
            if asked.contains(&name) {
                continue;
            }
            if let Some((_, place)) = self.elsewhere.get().iter().find(|(key, _)| *key == name) {
                self.report(key.span(), Problem::new(format!("`{}` belongs {place}", self.named(name)), "leave it out here"));
                continue;
            }
            let remedy = match nearest(name, &asked) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known here: {}", known(&asked)),
            };
            self.report(key.span(), Problem::new(format!("unknown key `{}`", self.named(&crate::text::for_people(name))), remedy));
        }
    }
}

impl Drop for Section<'_> {
    fn drop(&mut self) {
        if !self.path.is_empty() && !self.ignored.get() {
            self.finish();
        }
    }
}

/// Words, of which one is to be written.
fn either(words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("`\"{word}\"`")).collect();
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => words.concat(),
    }
}

/// What belongs to a line with a `?`.
fn to_fill_in(line: &str) -> &'static str {
    if line.contains('?') { " with its value in the place of `?`" } else { "" }
}

fn known(asked: &[&str]) -> String {
    let mut names: Vec<String> = asked.iter().map(|name| format!("`{name}`")).collect();
    names.sort();
    names.dedup();
    names.join(", ")
}

/// The known key that differs from `name` by at most two edits.
fn nearest<'k>(name: &str, asked: &[&'k str]) -> Option<&'k str> {
    asked.iter().map(|known| (edits(name, known), *known)).filter(|(edits, _)| *edits <= 2).min().map(|(_, known)| known)
}

fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let cost = (diagonal + usize::from(ca != *cb)).min(row[j] + 1).min(row[j + 1] + 1);
            diagonal = std::mem::replace(&mut row[j + 1], cost);
        }
    }
    row[b.len()]
}
