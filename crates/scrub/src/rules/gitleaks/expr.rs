//! Filters as Betterleaks writes them: expressions (<https://expr-lang.org>) that are true for what is to be left out.
//!
//! Those that are made of its own functions, comparisons of texts, `||`, `&&` and `!` are read; one that does anything else can't be used. A text
//! that an agent reads has no path, no author and no commit: what is asked of them is answered with the empty text.

use super::filter::{Bound, Filter, Subject};
use super::syntax::Expression;

/// Most parts of a filter within each other.
const DEEPEST: usize = 32;

impl Filter {
    /// Reads a filter of Betterleaks. Its expressions are tried on at most `limit` bytes.
    ///
    /// # Errors
    /// Why it can't be used.
    pub(super) fn read(text: &str, limit: usize) -> Result<Self, String> {
        let mut reader = Reader { tokens: tokens(text)?, at: 0, limit };
        let filter = reader.any(0)?;
        match reader.peek() {
            None => Ok(filter),
            Some(_) => Err(beyond()),
        }
    }
}

fn beyond() -> String {
    "its filter does more than compare what was found; write it with `matchesAny`, `containsAny`, `entropy`, `==`, `||`, `&&` and `!`"
        .to_owned()
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Name(String),
    Text(String),
    Number(f64),
    Sign(&'static str),
}

const SIGNS: [&str; 14] = ["||", "&&", "==", "!=", "<=", "??", "<", "!", "(", ")", "[", "]", ",", "?."];

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let (mut tokens, mut rest) = (Vec::new(), text.trim_start());
    while let Some(first) = rest.chars().next() {
        let after = |end: usize| &rest[end..];
        if let Some(comment) = rest.strip_prefix("//") {
            rest = comment.split_once('\n').map_or("", |(_, rest)| rest);
        } else if let Some(quote) = ['"', '\'', '`'].into_iter().find(|quote| *quote == first) {
            let (text, end) = quoted(&rest[1..], quote).ok_or_else(beyond)?;
            tokens.push(Token::Text(text));
            rest = after(1 + end);
        } else if let Some(sign) = SIGNS.into_iter().find(|sign| rest.starts_with(sign)) {
            tokens.push(Token::Sign(sign));
            rest = after(sign.len());
        } else if first.is_ascii_digit() {
            let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
            tokens.push(Token::Number(rest[..end].parse().map_err(|_| beyond())?));
            rest = after(end);
        } else if first.is_ascii_alphabetic() || first == '_' {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '.')).unwrap_or(rest.len());
            tokens.push(Token::Name(rest[..end].to_owned()));
            rest = after(end);
        } else {
            return Err(beyond());
        }
        rest = rest.trim_start();
    }
    Ok(tokens)
}

/// A text up to its quotation mark, and where that ends. In backquotes it stands as it is.
fn quoted(text: &str, quote: char) -> Option<(String, usize)> {
    let mut out = String::new();
    let mut characters = text.char_indices();
    while let Some((at, next)) = characters.next() {
        match next {
            _ if next == quote => return Some((out, at + next.len_utf8())),
            '\\' if quote != '`' => out.push(match characters.next()?.1 {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                sign if !sign.is_ascii_alphanumeric() => sign,
                _ => return None,
            }),
            _ => out.push(next),
        }
    }
    None
}

/// The text that a token is.
fn text(token: Token) -> Result<String, String> {
    match token {
        Token::Text(text) => Ok(text),
        _ => Err(beyond()),
    }
}

struct Reader {
    tokens: Vec<Token>,
    at: usize,
    limit: usize,
}

impl Reader {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Result<Token, String> {
        let token = self.tokens.get(self.at).cloned().ok_or_else(beyond)?;
        self.at += 1;
        Ok(token)
    }

    /// Takes a sign, or a word that stands for it.
    fn takes(&mut self, sign: &str) -> bool {
        let takes = match self.peek() {
            Some(Token::Sign(next)) => *next == sign,
            Some(Token::Name(name)) => matches!((name.as_str(), sign), ("or", "||") | ("and", "&&") | ("not", "!")),
            _ => false,
        };
        self.at += usize::from(takes);
        takes
    }

    fn expect(&mut self, sign: &str) -> Result<(), String> {
        if self.takes(sign) { Ok(()) } else { Err(beyond()) }
    }

    fn any(&mut self, depth: usize) -> Result<Filter, String> {
        let mut parts = vec![self.all(depth)?];
        while self.takes("||") {
            parts.push(self.all(depth)?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Filter::Any(parts) })
    }

    fn all(&mut self, depth: usize) -> Result<Filter, String> {
        let mut parts = vec![self.one(depth)?];
        while self.takes("&&") {
            parts.push(self.one(depth)?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Filter::All(parts) })
    }

    fn one(&mut self, depth: usize) -> Result<Filter, String> {
        if depth > DEEPEST {
            return Err(beyond());
        }
        if self.takes("!") {
            return Ok(Filter::Not(Box::new(self.one(depth + 1)?)));
        }
        if self.takes("(") {
            let inner = self.any(depth + 1)?;
            self.expect(")")?;
            return Ok(inner);
        }
        let name = match self.peek() {
            Some(Token::Name(name)) => name.strip_prefix("filter.").unwrap_or(name).to_owned(),
            _ => return self.compared(),
        };
        match name.as_str() {
            "true" | "false" => {
                self.at += 1;
                Ok(Filter::Always(name == "true"))
            }
            "matchesAny" | "containsAny" | "failsTokenEfficiency" | "entropy" => {
                self.at += 1;
                self.expect("(")?;
                let of = self.subject()?;
                self.called(&name, of)
            }
            _ => self.compared(),
        }
    }

    /// What a function says of a text.
    fn called(&mut self, name: &str, of: Subject) -> Result<Filter, String> {
        if matches!(name, "matchesAny" | "containsAny") {
            self.expect(",")?;
            let list = self.list()?;
            self.expect(")")?;
            return Ok(match name {
                "matchesAny" => Filter::Matches(of, Expression::any(&list, self.limit)?),
                _ => Filter::contains(of, &list)?,
            });
        }
        self.expect(")")?;
        if name != "entropy" {
            return Ok(Filter::Ordinary(of));
        }
        let bound = if self.takes("<=") { Bound::UpTo } else { self.expect("<").map(|()| Bound::Below)? };
        match self.next()? {
            Token::Number(bits) => Ok(Filter::Entropy(of, bits, bound)),
            _ => Err(beyond()),
        }
    }

    /// A comparison of texts.
    fn compared(&mut self) -> Result<Filter, String> {
        let of = self.subject()?;
        match self.next()? {
            Token::Sign("==") => Ok(Filter::Is(of, text(self.next()?)?)),
            Token::Sign("!=") => Ok(Filter::Not(Box::new(Filter::Is(of, text(self.next()?)?)))),
            Token::Name(name) if name == "in" => {
                let is = self.list()?.into_iter().map(|text| Filter::Is(of.clone(), text));
                Ok(Filter::Any(is.collect()))
            }
            Token::Name(name) if name == "contains" => {
                let quoted = regex_syntax::escape(&text(self.next()?)?);
                Ok(Filter::Matches(of, Expression::any(&[quoted], self.limit)?))
            }
            Token::Name(name) if name == "matches" => Ok(Filter::Matches(of, Expression::any(&[text(self.next()?)?], self.limit)?)),
            _ => Err(beyond()),
        }
    }

    /// `finding["secret"]`, `get(attributes, "path", "")`, `attributes["path"] ?? ""`.
    fn subject(&mut self) -> Result<Subject, String> {
        let from = self.at;
        while self.takes("(") {}
        let opened = self.at - from;
        let subject = self.bare_subject()?;
        (0..opened).try_for_each(|_| self.expect(")"))?;
        Ok(subject)
    }

    fn bare_subject(&mut self) -> Result<Subject, String> {
        match self.next()? {
            Token::Name(name) if name == "finding" => {
                self.expect("[")?;
                let of = text(self.next()?)?;
                self.expect("]")?;
                Subject::named(&of).ok_or_else(beyond)
            }
            Token::Name(name) if name == "get" => {
                self.expect("(")?;
                if self.next()? != Token::Name("attributes".to_owned()) {
                    return Err(beyond());
                }
                self.expect(",")?;
                text(self.next()?)?;
                let unless = if self.takes(",") { text(self.next()?)? } else { String::new() };
                self.expect(")")?;
                Ok(Subject::Text(unless))
            }
            Token::Name(name) if name == "attributes" => {
                self.takes("?.");
                self.expect("[")?;
                text(self.next()?)?;
                self.expect("]")?;
                let unless = if self.takes("??") { text(self.next()?)? } else { String::new() };
                Ok(Subject::Text(unless))
            }
            Token::Text(text) => Ok(Subject::Text(text)),
            _ => Err(beyond()),
        }
    }

    fn list(&mut self) -> Result<Vec<String>, String> {
        self.expect("[")?;
        let mut list = Vec::new();
        while !self.takes("]") {
            match self.next()? {
                Token::Text(text) => list.push(text),
                _ => return Err(beyond()),
            }
            if !self.takes(",") {
                self.expect("]")?;
                break;
            }
        }
        Ok(list)
    }
}

#[cfg(test)]
mod tests {
    use super::super::filter::Found;
    use super::*;

    fn leaves_out(filter: &str, secret: &str) -> bool {
        let line = format!("key = {secret} # example");
        let filter = Filter::read(filter, 512).unwrap_or_else(|problem| panic!("{filter}: {problem}"));
        filter.holds(Found { secret: secret.as_bytes(), whole: secret.as_bytes(), line: line.as_bytes(), rule: "acme-key" })
    }

    #[test]
    fn filters_are_read_as_betterleaks_reads_them() {
        for (filter, out, stays) in [
            ("entropy(finding[\"secret\"]) <= 1.0", "abab", "abcdefgh"),
            ("filter.entropy(finding[\"secret\"]) < 2.0", "aab", "abcd"),
            ("// why\nmatchesAny(finding[\"secret\"], [\n  `EXAMPLE$`,\n  \"^x+$\",\n])", "AKIAEXAMPLE", "AKIA"),
            ("!filter.matchesAny(finding[\"secret\"], [`[0-9]`])", "abc", "abc1"),
            ("containsAny(finding[\"secret\"], [\"CHANGE\"])", "changeme", "other"),
            ("(finding[\"secret\"] == \"a\" || finding['secret'] in ['b', 'c']) && !false", "c", "d"),
            ("finding[\"secret\"] contains \"a.c\"", "a.c", "abc"),
            ("finding[\"rule_id\"] != \"acme-key\" || finding[\"secret\"] matches \"^b\"", "b", "a"),
            ("matchesAny(get(attributes, \"path\", \"\"), [`\\.md$`]) || finding[\"secret\"] == \"a\"", "a", "b"),
            ("matchesAny((attributes[\"path\"] ?? \"none\"), [`none`]) and finding[\"secret\"] == \"a\"", "a", "b"),
            ("failsTokenEfficiency(finding[\"secret\"])", "getAccountByIdentifier", "x7Qm2Zp9Lk4Vt8Rw1Yc6"),
        ] {
            assert!(leaves_out(filter, out), "{filter}: {out}");
            assert!(!leaves_out(filter, stays), "{filter}: {stays}");
        }
        assert!(leaves_out("containsAny(finding[\"line\"], [\"example\"])", "x"));
    }

    #[test]
    fn a_filter_that_does_more_is_not_read() {
        let (deep, deeper) = ("(".repeat(50_000), format!("entropy({}", "(".repeat(50_000)));
        for filter in [
            "let x = finding[\"secret\"]; entropy(x) < 3.0",
            "entropy(finding[\"fragment_raw\"]) < 3.0",
            "len(finding[\"secret\"]) < 3",
            "http.get(\"https://example.com\")",
            "entropy(finding[\"secret\"]) > 3.0",
            "finding[\"secret\"] ==",
            "true true",
            "\"unclosed",
            "",
            &deep,
            &deeper,
        ] {
            assert!(Filter::read(filter, 512).is_err(), "{filter}");
        }
    }
}
