//! A strict reader of GraphQL's executable documents (GraphQL, October 2021, sections 2.1 to 2.12): no type system, and of the grammar only
//! what decides under which name a field is in the response.

/// Deepest nesting that is read.
const MAX_DEPTH: usize = 64;

/// What a document asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Document {
    pub(super) operations: usize,
    pub(super) subscriptions: usize,
    pub(super) aliases: usize,
    pub(super) fragments: usize,
    /// Directives other than `@include` and `@skip`.
    pub(super) directives: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'t> {
    Name(&'t str),
    /// A number or a string, whose value decides nothing.
    Scalar,
    Mark(char),
    Spread,
}

struct Reader<'t> {
    text: &'t str,
    token: Option<Token<'t>>,
    found: Document,
    depth: usize,
}

impl Document {
    /// Reads a document; `None` where it is none.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut reader = Reader { text: text.strip_prefix('\u{feff}').unwrap_or(text), token: None, found: Self::default(), depth: 0 };
        reader.advance()?;
        while reader.token.is_some() {
            reader.definition()?;
        }
        let found = reader.found;
        (found.operations + found.fragments > 0).then_some(found)
    }
}

/// Whether a text looks like a document, well written or not: a selection, or a keyword with one behind it.
pub(super) fn resembles(text: &str) -> bool {
    let text = without_ignored(text);
    let keyword = ["query", "mutation", "subscription", "fragment"].iter().find_map(|keyword| text.strip_prefix(*keyword));
    let after = |rest: &str| rest.starts_with(|c: char| !c.is_alphanumeric() && c != '_') && rest.contains('{');
    text.starts_with('{') || keyword.is_some_and(after)
}

/// The text from its first token on.
fn without_ignored(mut text: &str) -> &str {
    loop {
        text = text.trim_start_matches(|c: char| matches!(c, ',' | '\u{feff}') || c.is_whitespace() || c.is_control());
        let Some(comment) = text.strip_prefix('#') else { return text };
        text = comment.find(['\n', '\r']).map_or("", |end| &comment[end..]);
    }
}

impl<'t> Reader<'t> {
    /// Goes on to the next token.
    fn advance(&mut self) -> Option<()> {
        loop {
            self.text = self.text.trim_start_matches([' ', '\t', '\n', '\r', ',', '\u{feff}']);
            let Some(comment) = self.text.strip_prefix('#') else { break };
            self.text = comment.find(['\n', '\r']).map_or("", |end| &comment[end..]);
        }
        let Some(first) = self.text.chars().next() else {
            self.token = None;
            return Some(());
        };
        let (token, length) = match first {
            'a'..='z' | 'A'..='Z' | '_' => {
                let end = self.text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(self.text.len());
                (Token::Name(&self.text[..end]), end)
            }
            '!' | '$' | '&' | '(' | ')' | ':' | '=' | '@' | '[' | ']' | '{' | '|' | '}' => (Token::Mark(first), 1),
            '.' if self.text.starts_with("...") => (Token::Spread, 3),
            '"' => (Token::Scalar, string(self.text)?),
            '-' | '0'..='9' => (Token::Scalar, number(self.text)?),
            _ => return None,
        };
        self.text = &self.text[length..];
        self.token = Some(token);
        Some(())
    }

    fn is(&self, mark: char) -> bool {
        self.token == Some(Token::Mark(mark))
    }

    /// Takes this mark, which must stand here.
    fn take(&mut self, mark: char) -> Option<()> {
        if self.is(mark) { self.advance() } else { None }
    }

    /// Takes the mark if it stands here.
    fn skip(&mut self, mark: char) -> Option<bool> {
        let is = self.is(mark);
        if is {
            self.advance()?;
        }
        Some(is)
    }

    fn name(&mut self) -> Option<&'t str> {
        let Some(Token::Name(name)) = self.token else { return None };
        self.advance()?;
        Some(name)
    }

    fn within<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return None;
        }
        let read = read(self);
        self.depth -= 1;
        read
    }

    fn definition(&mut self) -> Option<()> {
        if self.is('{') {
            self.found.operations += 1;
            return self.selections();
        }
        match self.name()? {
            "fragment" => {
                self.found.fragments += 1;
                if matches!(self.name()?, "on") || self.name()? != "on" {
                    return None;
                }
                self.name()?;
            }
            kind @ ("query" | "mutation" | "subscription") => {
                self.found.operations += 1;
                self.found.subscriptions += usize::from(kind == "subscription");
                if matches!(self.token, Some(Token::Name(_))) {
                    self.name()?;
                }
                if self.skip('(')? {
                    while !self.skip(')')? {
                        self.variable()?;
                    }
                }
            }
            _ => return None,
        }
        self.directives()?;
        self.selections()
    }

    fn variable(&mut self) -> Option<()> {
        self.take('$')?;
        self.name()?;
        self.take(':')?;
        self.kind()?;
        if self.skip('=')? {
            self.value()?;
        }
        self.directives()
    }

    fn kind(&mut self) -> Option<()> {
        if self.skip('[')? {
            self.within(Self::kind)?;
            self.take(']')?;
        } else {
            self.name()?;
        }
        self.skip('!').map(drop)
    }

    fn selections(&mut self) -> Option<()> {
        self.take('{')?;
        // A selection has one field at least.
        loop {
            self.within(Self::selection)?;
            if self.skip('}')? {
                return Some(());
            }
        }
    }

    fn selection(&mut self) -> Option<()> {
        if self.token == Some(Token::Spread) {
            self.advance()?;
            self.found.fragments += 1;
            let is_spread = match self.token {
                Some(Token::Name("on")) => {
                    self.advance()?;
                    self.name()?;
                    false
                }
                Some(Token::Name(_)) => {
                    self.name()?;
                    true
                }
                _ => false,
            };
            self.directives()?;
            return if is_spread { Some(()) } else { self.selections() };
        }
        self.name()?;
        if self.skip(':')? {
            self.found.aliases += 1;
            self.name()?;
        }
        self.arguments()?;
        self.directives()?;
        if self.is('{') { self.selections() } else { Some(()) }
    }

    fn arguments(&mut self) -> Option<()> {
        if self.skip('(')? {
            while !self.skip(')')? {
                self.name()?;
                self.take(':')?;
                self.value()?;
            }
        }
        Some(())
    }

    fn directives(&mut self) -> Option<()> {
        while self.skip('@')? {
            let name = self.name()?;
            self.found.directives += usize::from(!matches!(name, "include" | "skip"));
            self.arguments()?;
        }
        Some(())
    }

    fn value(&mut self) -> Option<()> {
        self.within(|reader| match reader.token? {
            Token::Scalar | Token::Name(_) => reader.advance(),
            Token::Mark('$') => {
                reader.advance()?;
                reader.name().map(drop)
            }
            Token::Mark('[') => {
                reader.advance()?;
                while !reader.skip(']')? {
                    reader.value()?;
                }
                Some(())
            }
            Token::Mark('{') => {
                reader.advance()?;
                while !reader.skip('}')? {
                    reader.name()?;
                    reader.take(':')?;
                    reader.value()?;
                }
                Some(())
            }
            _ => None,
        })
    }
}

/// The length of the string at the beginning of a text.
fn string(text: &str) -> Option<usize> {
    if let Some(block) = text.strip_prefix("\"\"\"") {
        let mut at = 0;
        loop {
            let end = at + block[at..].find("\"\"\"")?;
            if !block[..end].ends_with('\\') {
                return Some(3 + end + 3);
            }
            at = end + 3;
        }
    }
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '\n' | '\r' => return None,
            '"' if !escaped => return Some(at + 1),
            _ => escaped = c == '\\' && !escaped,
        }
    }
    None
}

/// The length of the number at the beginning of a text. No name and no further number follows one.
fn number(text: &str) -> Option<usize> {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '+' | '_' | '.')).unwrap_or(text.len());
    let number = &text[..end];
    let is_number = serde_json::from_str::<serde_json::Number>(number).is_ok();
    is_number.then_some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_read_and_what_renames_a_field_is_counted() {
        let read = |text: &str| Document::read(text).unwrap_or_else(|| panic!("not read: {text}"));
        let plain = Document { operations: 1, ..Document::default() };
        for text in [
            "{a}",
            "query{a b c}",
            "query Q($a:Int=1,$b:[String!]!=[\"a\"] @x(y:1)){a(b:$a,c:{d:[1,-2.5e3,null,true,ENUM]}){b}}",
            "mutation { createToken(input: {name: \"a } : b\"}) { token { value } } }",
            "# a comment\n\u{feff},query,{ a # b: c\n b }",
            "{ a(text: \"\"\"x: \" y \\\"\"\" z\"\"\") }",
            "{ a @include(if: true) @skip(if: $x) }",
            "{ query mutation on fragment }",
        ] {
            let directives = usize::from(text.contains("@x"));
            assert_eq!(read(text), Document { directives, ..plain.clone() }, "{text}");
        }
        assert_eq!(read("{ a: b { c : d } }").aliases, 2);
        assert_eq!(read("{ ...F } fragment F on T { a }").fragments, 2);
        assert_eq!(read("{ ... on T { a } ... @include(if: true) { b } }").fragments, 2);
        assert_eq!(read("query A {a} query B {b}").operations, 2);
        assert_eq!(read("subscription { a }").subscriptions, 1);
        assert_eq!(read("{ a @stream @defer }").directives, 2);
    }

    #[test]
    fn what_is_no_document_is_not_read() {
        for text in [
            "",
            "shoes",
            "{",
            "{}",
            "{ a",
            "{ a } }",
            "query",
            "query { a(b) }",
            "{ a(b: ) }",
            "{ a: }",
            "{ \"a\": 1 }",
            "type T { a: Int }",
            "{ a } extend type T { b: Int }",
            "{ a(b: 01) }",
            "{ a(b: 1x) }",
            "{ a(b: \"x) }",
            "{ a(b: \"x\ny\") }",
            "{ é }",
            "{ a.b }",
            "fragment on on T { a }",
            "{ ... }",
            "{ a(b: \"\"\"x) }",
            "SELECT { a }",
        ] {
            assert_eq!(Document::read(text), None, "{text}");
        }
        let deep = format!("{}{}", "{a".repeat(5000), "}".repeat(5000));
        assert_eq!(Document::read(&deep), None, "too deep");
        assert_eq!(Document::read(&format!("{{a(b:{})}}", "[".repeat(5000))), None, "too deep");
    }

    #[test]
    fn no_cut_and_no_changed_byte_makes_it_panic_or_lose_an_alias() {
        let text = "query Q($a: [Int!] = [1]) { b: c(d: {e: \"f\", g: \"\"\"h\"\"\"}) @i { ... on J { k: l } } } fragment M on N { o }";
        assert_eq!(Document::read(text).expect("a document").aliases, 2);
        for at in 0..text.len() {
            let _ = Document::read(&text[..at]);
            for byte in b"{}()[]:$@!\"#.,\\a0 \n" {
                let mut changed = text.as_bytes().to_vec();
                changed[at] = *byte;
                let changed = String::from_utf8(changed).expect("ASCII");
                if let Some(read) = Document::read(&changed) {
                    // One byte takes one name's colon away at most.
                    assert!(read.aliases + read.fragments >= 1 || *byte == b'#' || *byte == b'"', "{changed}");
                }
            }
        }
    }
}
