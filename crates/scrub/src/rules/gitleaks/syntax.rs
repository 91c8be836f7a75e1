//! Expressions in the syntax of Go (RE2), as the crate `regex` reads them.
//!
//! Both have the same meaning for what both know. They differ in what stands for itself: Go takes `{` for a brace where no count follows,
//! `[` for a bracket in a class, `\<` for a sign. Where it has more than the crate (`\Q…\E`, octal numbers), that is written otherwise. What
//! is left over, such as classes of Unicode, is an error. See <https://github.com/google/re2/wiki/Syntax>.

use super::extent;
use super::gate::Gated;
use regex_automata::meta::{Config, Regex};
use regex_automata::util::syntax;
use regex_syntax::ParserBuilder;
use regex_syntax::hir::Hir;
use regex_syntax::hir::literal::Extractor;
use std::sync::OnceLock;

/// Most steps of an expression: bytes, ranges and repetitions, written out. Those of the public rules have some hundreds; 512 bytes are looked at
/// for each keyword, so that this bounds the time, too.
const MOST_STEPS: u64 = 8_192;
/// Most bytes of a compiled expression; fits those steps.
const MOST_BYTES: usize = 4 << 20;
/// Bytes of what an expression remembers of texts (its lazy automaton), for each thread that uses it.
const CACHED: usize = 64 << 10;
/// The same for each of its steps, where there are many: with less it has no such automaton, and is far slower.
const CACHED_FOR_STEP: usize = 256;
/// Fewest bytes of a keyword that is taken from an expression.
const LEAST_KEYWORD: usize = 3;

/// An expression that can be used.
pub(super) struct Expression {
    text: String,
    /// How many groups it has.
    pub(super) groups: usize,
    /// Whether its first group holds for a few fixed texts only, such as names of fields.
    pub(super) begins_with_names: bool,
    compiled: OnceLock<Option<Regex>>,
}

impl Expression {
    /// Reads an expression as Go writes it. `limit` is how many bytes of text it is tried on.
    ///
    /// # Errors
    /// What is wrong with it, for whoever wrote it.
    pub(super) fn read(go: &str, limit: usize) -> Result<Self, String> {
        let text = translated(go)?;
        let hir = parsed(&text)?;
        if extent::steps(&hir) > MOST_STEPS {
            return Err(format!("its expression is too large: it has more than {MOST_STEPS} steps, with its repetitions written out"));
        }
        if hir.properties().minimum_len().is_some_and(|least| least > limit) {
            return Err(format!("its expression holds for no text of {limit} bytes or fewer, and more are not looked at"));
        }
        if extent::needs_break(&hir) {
            return Err("its expression holds over several lines only, and one line is looked at".to_owned());
        }
        let groups = hir.properties().explicit_captures_len();
        let begins_with_names = extent::begins_with_names(&hir);
        Ok(Self { text, groups, begins_with_names, compiled: OnceLock::new() })
    }

    /// One that holds where any of these does.
    pub(super) fn any(go: &[String], limit: usize) -> Result<Self, String> {
        let parts = go.iter().map(|part| Ok(format!("(?:{})", Self::read(part, limit)?.text)));
        let text = parts.collect::<Result<Vec<_>, String>>()?.join("|");
        match go.len() as u64 * MOST_STEPS {
            // Each is small enough by itself, and together they may not be.
            most if most > MOST_STEPS && extent::steps(&parsed(&text)?) > MOST_STEPS => {
                Err(format!("its expressions of exceptions are too large: they have more than {MOST_STEPS} steps"))
            }
            _ => Ok(Self { text, groups: 0, begins_with_names: false, compiled: OnceLock::new() }),
        }
    }

    /// Compiled where it is first needed: most runs need few. `None` never comes of what was read.
    pub(super) fn regex(&self) -> Option<&Regex> {
        self.compiled.get_or_init(|| compiled(&self.text, CACHED_FOR_STEP)).as_ref()
    }

    /// What must hold where one of these keywords stands, if anything has to.
    pub(super) fn gated(&self, keywords: &[String]) -> Option<Gated> {
        Gated::of(&parsed(&self.text).ok()?, keywords)
    }

    /// What all that it holds for begins with, in small letters, if that is a few texts of three bytes or more.
    pub(super) fn beginnings(&self) -> Option<Vec<String>> {
        let hir = parsed(&self.text).ok()?;
        let literals = Extractor::new().limit_class(8).limit_total(64).extract(&hir);
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_ascii_lowercase()).ok().filter(|text| text.len() >= LEAST_KEYWORD);
        let mut texts = literals.literals()?.iter().map(|literal| text(literal.as_bytes())).collect::<Option<Vec<String>>>()?;
        texts.sort();
        texts.dedup();
        (!texts.is_empty()).then_some(texts)
    }
}

/// An expression, compiled, whose automaton may take so many bytes for each of its steps.
pub(super) fn compiled(text: &str, for_step: usize) -> Option<Regex> {
    let steps = usize::try_from(extent::steps(&parsed(text).ok()?)).ok()?;
    let cached = CACHED.max(steps.saturating_mul(for_step));
    let config = Config::new().utf8_empty(false).nfa_size_limit(Some(MOST_BYTES)).hybrid_cache_capacity(cached);
    Regex::builder().configure(config).syntax(syntax::Config::new().unicode(false).utf8(false)).build(text).ok()
}

fn parsed(text: &str) -> Result<Hir, String> {
    let remedy = "what Go's syntax and that of the `regex` crate share can be used, without classes of Unicode";
    ParserBuilder::new().unicode(false).utf8(false).build().parse(text).map_err(|_| format!("its expression can't be read; {remedy}"))
}

/// An expression of Go's as the crate writes it.
fn translated(go: &str) -> Result<String, String> {
    let mut reader = Reader { rest: go, out: String::with_capacity(go.len() + 16) };
    while let Some(next) = reader.next() {
        match next {
            '\\' => reader.escape(false)?,
            '[' => reader.class()?,
            '{' => match reader.count() {
                Some(count) => reader.out.push_str(count),
                None => reader.out.push_str(r"\{"),
            },
            '}' => reader.out.push_str(r"\}"),
            // The flags of the crate that Go does not have.
            '(' if reader.rest.starts_with('?') && reader.has_foreign_flags() => return Err(unknown_flags()),
            other => reader.out.push(other),
        }
    }
    Ok(reader.out)
}

fn unknown_flags() -> String {
    "its expression has flags that Go does not know; use `i`, `m`, `s` and `U`".to_owned()
}

struct Reader<'g> {
    rest: &'g str,
    out: String,
}

impl<'g> Reader<'g> {
    fn next(&mut self) -> Option<char> {
        let next = self.rest.chars().next()?;
        self.rest = &self.rest[next.len_utf8()..];
        Some(next)
    }

    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    /// A character that stands for itself.
    fn literal(&mut self, character: char) {
        if character.is_ascii_punctuation() && !matches!(character, '<' | '>') {
            self.out.push('\\');
        }
        self.out.push(character);
    }

    /// What follows a brace of a repetition, with the brace.
    fn count(&mut self) -> Option<&'g str> {
        let end = self.rest.find('}')?;
        let (least, most) = self.rest[..end].split_once(',').unwrap_or((&self.rest[..end], "0"));
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number(least) || !(most.is_empty() || is_number(most)) {
            return None;
        }
        let count = &self.rest[..=end];
        self.rest = &self.rest[end + 1..];
        self.out.push('{');
        Some(count)
    }

    fn has_foreign_flags(&self) -> bool {
        let flags = self.rest[1..].split([')', ':']).next().unwrap_or_default();
        !flags.starts_with(['P', '<', '=', '!']) && flags.bytes().any(|flag| !b"imsU-".contains(&flag))
    }

    /// What follows a backslash.
    fn escape(&mut self, in_class: bool) -> Result<(), String> {
        let unknown = || "its expression has an escape that Go does not know".to_owned();
        let next = self.next().ok_or_else(unknown)?;
        match next {
            'Q' if !in_class => {
                let (quoted, rest) = self.rest.split_once(r"\E").unwrap_or((self.rest, ""));
                quoted.chars().for_each(|character| self.literal(character));
                self.rest = rest;
            }
            // An octal number; a single digit but zero would refer to a group, which Go has not.
            '0' => self.octal(String::new()),
            '1'..='7' if self.peek().is_some_and(|digit| ('0'..='7').contains(&digit)) => self.octal(next.to_string()),
            'a' | 'f' | 'n' | 'r' | 't' | 'v' | 'x' | 'd' | 'D' | 's' | 'S' | 'w' | 'W' | 'p' | 'P' => {
                self.out.push('\\');
                self.out.push(next);
                // The digits, or the name.
                if matches!(next, 'x' | 'p' | 'P') && self.rest.starts_with('{') {
                    let end = self.rest.find('}').ok_or_else(unknown)?;
                    self.out.push_str(&self.rest[..=end]);
                    self.rest = &self.rest[end + 1..];
                }
            }
            'A' | 'z' | 'b' | 'B' if !in_class => {
                self.out.push('\\');
                self.out.push(next);
            }
            sign if sign.is_ascii() && !sign.is_ascii_alphanumeric() => self.literal(sign),
            _ => return Err(unknown()),
        }
        Ok(())
    }

    fn octal(&mut self, mut digits: String) {
        while digits.len() < 3
            && let Some(digit) = self.peek().filter(|digit| ('0'..='7').contains(digit))
        {
            digits.push(digit);
            self.rest = &self.rest[1..];
        }
        let number = u32::from_str_radix(&digits, 8).unwrap_or(0);
        self.out.push_str(&format!(r"\x{{{number:x}}}"));
    }

    /// What follows the bracket of a class, in which every other sign stands for itself.
    fn class(&mut self) -> Result<(), String> {
        self.out.push('[');
        if self.peek() == Some('^') {
            self.next();
            self.out.push('^');
        }
        let mut is_first = true;
        loop {
            if self.rest.starts_with(']') && !is_first {
                self.next();
                break;
            }
            is_first = false;
            // A hyphen is a range's between two characters, and stands for itself elsewhere.
            let is_one = self.class_item()?;
            if is_one && self.rest.starts_with('-') && !self.rest.starts_with("-]") {
                self.next();
                self.out.push('-');
                self.class_item()?;
            }
        }
        self.out.push(']');
        Ok(())
    }

    /// One thing in a class. Says whether it is one character.
    fn class_item(&mut self) -> Result<bool, String> {
        match self.next().ok_or("its expression has a class without an end")? {
            '\\' => {
                let is_set = self.rest.starts_with(['d', 'D', 's', 'S', 'w', 'W', 'p', 'P']);
                self.escape(true)?;
                return Ok(!is_set);
            }
            '[' if self.rest.starts_with(':') && self.rest.contains(":]") => {
                let end = self.rest.find(":]").unwrap_or_default() + 2;
                self.out.push('[');
                self.out.push_str(&self.rest[..end]);
                self.rest = &self.rest[end..];
                return Ok(false);
            }
            sign => self.literal(sign),
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(go: &str, text: &str) -> bool {
        let expression = Expression::read(go, 512).unwrap_or_else(|problem| panic!("{go}: {problem}"));
        expression.regex().expect("compiled").is_match(text.as_bytes())
    }

    #[test]
    fn what_stands_for_itself_in_go_does_so_here() {
        for (go, text, other) in [
            (r"^\${[a-z]+}$", "${name}", "$name"),
            (r"^{{[^}]+}}$", "{{ name }}", "{ name }"),
            (r"^a{,2}$", "a{,2}", "aa"),
            (r"^a{2,}$", "aaa", "a{2,}"),
            (r"^[[a]+$", "[a[", "b"),
            (r"^[a&&b]+$", "a&b", "c"),
            (r"^[!--]+$", "!+-", "."),
            (r"^[]a-]+$", "]-a", "b"),
            (r"^[^]]+$", "ab", "]"),
            (r"^\<b\>$", "<b>", "b"),
            (r"^\Qa.b[\E+$", "a.b[[", "axb["),
            (r"^\Qa.b", "a.b", "axb"),
            (r"^\x60\101\0$", "`A\0", "`B\0"),
            (r"^[\w .-/]+$", "a ./", "a,"),
            (r"^[[:alpha:]_]+$", "ab_", "a1"),
            (r"(?i)^p8e-(?-i)[a-z]+$", "P8E-x", "P8E-X"),
            (r"^\_\-\/$", "_-/", "x"),
            (r"^[\d\-x]+$", "1-x", "y"),
            (r"^[\w-.]+$", "a-.", "a,"),
            (r"^[a-c-x]+$", "a-x", "d"),
            (r"^(?P<name>a)(?<other>b)$", "ab", "a"),
        ] {
            assert!(holds(go, text), "{go} for {text}");
            assert!(!holds(go, other), "{go} for {other}");
        }
    }

    #[test]
    fn what_can_not_be_used_is_refused_with_the_reason() {
        for (go, said) in [
            (r"\pL+", "without classes of Unicode"),
            (r"(a)\1", "an escape that Go does not know"),
            (r"a(?=b)", "can't be read"),
            (r"(?x)a", "flags that Go does not know"),
            (r"[a", "a class without an end"),
            (r"((((a{99}){99}){99}){99}){99}", "too large"),
            (r"[a-z]{600}", "no text of 512 bytes"),
            (r"kind:\s+secret\ndata:", "over several lines"),
            (r"a\", "an escape"),
        ] {
            let problem = Expression::read(go, 512).err().unwrap_or_else(|| panic!("{go} is taken"));
            assert!(problem.contains(said), "{go}: {problem}");
        }
    }

    #[test]
    fn what_an_expression_begins_with_is_found_in_small_letters() {
        let beginnings = |go: &str| Expression::read(go, 512).expect("read").beginnings();

        assert_eq!(beginnings(r"\b(?:ACME|OTHER)_[a-z0-9]{32}"), Some(vec!["acme_".to_owned(), "other_".to_owned()]));
        assert_eq!(beginnings(r"(?i)acme"), Some(vec!["acme".to_owned()]));
        assert_eq!(beginnings(r"[a-z0-9]{32}"), None);
        assert_eq!(beginnings(r"ab"), None);
    }
}
