//! Files of variables (`.env`), read in one strict way: a value is what every dialect that has it says it is, or the file is refused with
//! its line. Nothing is expanded: `$` is a character.
//!
//! ```text
//! file       = [BOM] *( line ( LF / CRLF ) )
//! line       = blanks [ comment / assignment ]
//! comment    = "#" …
//! assignment = [ "export" blanks ] NAME blanks "=" blanks value
//! NAME       = ( letter / "_" ) *( letter / digit / "_" )
//! value      = bare / quoted blanks [ comment ]
//! bare       = up to the line's end, or a blank and "#"; without the blanks around it. "#" at once behind "=" is a character
//! quoted     = "'" … "'" / "`" … "`" / '"' … '"', over several lines too
//! ```
//!
//! Between double quotes `\n`, `\r`, `\t`, `\"`, `\\` and `\$` are escapes; every other backslash is a character, and so are all others. A name
//! stands once, or with the same value each time. A line within quotes that looks like an assignment is refused: a quotation mark is missing.

use std::fmt;
use std::ops::Range;
use zeroize::Zeroizing;

/// One variable.
pub(crate) struct Variable {
    /// Its line, from 1.
    pub(crate) line: usize,
    pub(crate) name: String,
    pub(crate) value: Zeroizing<String>,
    /// Where the value stands in the file's bytes, with its quotation marks.
    #[cfg_attr(not(feature = "ops"), expect(dead_code, reason = "only the command line rewrites files"))]
    pub(crate) at: Range<usize>,
}

/// Why a file is refused. Holds no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unreadable {
    /// The line, from 1.
    pub(crate) line: usize,
    /// The variable, where there is a name.
    pub(crate) name: Option<String>,
    pub(crate) finding: &'static str,
    pub(crate) remedy: &'static str,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)?;
        if let Some(name) = &self.name {
            write!(f, ", `{}`", crate::text::for_people(name))?;
        }
        write!(f, ": {}; {}", self.finding, self.remedy)
    }
}

/// Reads a file's bytes. Costs a pass over them.
///
/// # Errors
/// The first line that is not of the dialect, or a name that stands twice with different values.
pub(crate) fn read(bytes: &[u8]) -> Result<Vec<Variable>, Unreadable> {
    let length = bytes.len();
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let line = crate::text::line_of(bytes, error.valid_up_to());
        refused(line, None, "this is not UTF-8", "save the file as UTF-8, without NUL bytes")
    })?;
    let mut reader = Reader { rest: text, line: 1, length };
    let mut variables: Vec<Variable> = Vec::new();
    while !reader.rest.is_empty() {
        let Some(variable) = reader.line()? else { continue };
        if variables.iter().any(|known| known.name == variable.name && known.value != variable.value) {
            let remedy = "keep one of them: dialects differ in which one counts";
            return Err(refused(variable.line, Some(&variable.name), "the name appears above with another value", remedy));
        }
        variables.push(variable);
    }
    Ok(variables)
}

fn refused(line: usize, name: Option<&str>, finding: &'static str, remedy: &'static str) -> Unreadable {
    Unreadable { line, name: name.map(|name| name.chars().take(128).collect()), finding, remedy }
}

struct Reader<'t> {
    rest: &'t str,
    /// The line of `rest`.
    line: usize,
    /// The bytes of the whole file.
    length: usize,
}

impl<'t> Reader<'t> {
    /// The text up to the line's end, which is taken too.
    fn take_line(&mut self) -> &'t str {
        let (line, rest) = self.rest.split_once('\n').unwrap_or((self.rest, ""));
        self.rest = rest;
        self.line += 1;
        line.strip_suffix('\r').unwrap_or(line)
    }

    /// One line, or several where a value goes over them.
    fn line(&mut self) -> Result<Option<Variable>, Unreadable> {
        let number = self.line;
        self.rest = self.rest.trim_start_matches(blank);
        if self.rest.is_empty() || self.rest.starts_with(['#', '\n', '\r']) {
            let line = self.take_line();
            return match line.contains('\r') && !line.starts_with('#') {
                true => Err(refused(number, None, "there is a lone carriage return", "end lines with LF or CRLF")),
                false => Ok(None),
            };
        }
        let before = &self.rest[..self.rest.find(['=', '\n']).unwrap_or(self.rest.len())];
        let name = before.strip_prefix("export").filter(|name| name.starts_with(blank)).unwrap_or(before).trim_matches(blank);
        if !self.rest[before.len()..].starts_with('=') {
            // What stands here may be a value that lost its name.
            return Err(refused(number, None, "there is no `=`", "write `NAME=value`, and a value of several lines in quotes"));
        }
        if !is_name(name) {
            // Nor is what stands before an `=` a name for sure: base64 ends so.
            let finding = "what is before `=` is not the name of a variable";
            return Err(refused(number, None, finding, "use letters, digits and `_`, and no digit first"));
        }
        let behind = &self.rest[before.len() + 1..];
        self.rest = behind.trim_start_matches(blank);
        let start = self.length - self.rest.len();
        let (value, written) = self.value(name, self.rest.len() < behind.len())?;
        Ok(Some(Variable { line: number, name: name.to_owned(), value, at: start..start + written }))
    }

    /// What stands behind the `=`, and perhaps behind blanks; and how many bytes it is written in.
    fn value(&mut self, name: &str, is_apart: bool) -> Result<(Zeroizing<String>, usize), Unreadable> {
        let number = self.line;
        let quote = self.rest.chars().next().filter(|first| "'\"`".contains(*first));
        let (value, written) = match quote {
            Some(quote) => self.quoted(quote, name)?,
            None => {
                let line = self.take_line();
                let begins = |at: usize| if at == 0 { is_apart } else { line[..at].ends_with(blank) };
                let comment = line.match_indices('#').map(|(at, _)| at).find(|at| begins(*at));
                let bare = line[..comment.unwrap_or(line.len())].trim_end_matches(blank);
                (Zeroizing::new(bare.to_owned()), bare.len())
            }
        };
        match value.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) || quote.is_none() && value.contains('\r') {
            true => Err(refused(number, Some(name), "the value holds a control character", "leave it out; a key has none")),
            false => Ok((value, written)),
        }
    }

    /// A value in quotes, with how many bytes they and it take; and the rest of the line that they end in.
    fn quoted(&mut self, quote: char, name: &str) -> Result<(Zeroizing<String>, usize), Unreadable> {
        let number = self.line;
        let missing = "the quotation mark is not closed";
        let remedy = "close it; a value that begins with one is put in quotes of another kind";
        let mut value = Zeroizing::new(String::with_capacity(self.rest.len().min(8192)));
        let mut rest = self.rest[1..].chars();
        loop {
            match rest.next() {
                None => return Err(refused(number, Some(name), missing, remedy)),
                Some(end) if end == quote => break,
                Some('\\') if quote == '"' => match rest.clone().next().and_then(escape) {
                    Some(escaped) => {
                        rest.next();
                        value.push(escaped);
                    }
                    None => value.push('\\'),
                },
                // A line break of the file is one of the value, however the file ends its lines.
                Some('\r') if rest.as_str().starts_with('\n') => {}
                Some('\n') => {
                    self.line += 1;
                    value.push('\n');
                    if is_assignment(rest.as_str()) {
                        let finding = "a quotation mark is not closed before a line that looks like another variable";
                        return Err(refused(number, Some(name), finding, "close it, or write line breaks as `\\n` between double quotes"));
                    }
                }
                Some(other) => value.push(other),
            }
        }
        let written = self.rest.len() - rest.as_str().len();
        self.rest = rest.as_str();
        let ended = self.line;
        let after = self.take_line();
        let is_comment =
            after.trim_start_matches(blank).is_empty() || after.starts_with(blank) && after.trim_start_matches(blank).starts_with('#');
        match is_comment {
            true => Ok((value, written)),
            false => {
                let remedy = "put all of the value between quotation marks of a kind that is not in it";
                Err(refused(ended, Some(name), "there is text after the closing quotation mark", remedy))
            }
        }
    }
}

fn blank(c: char) -> bool {
    c == ' ' || c == '\t'
}

fn escape(c: char) -> Option<char> {
    match c {
        'n' => Some('\n'),
        'r' => Some('\r'),
        't' => Some('\t'),
        '"' | '\\' | '$' => Some(c),
        _ => None,
    }
}

fn is_name(text: &str) -> bool {
    !text.starts_with(|first: char| first.is_ascii_digit())
        && !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Whether a line looks like `NAME=value`: not like base64, which ends in `=`.
fn is_assignment(text: &str) -> bool {
    let line = text.lines().next().unwrap_or_default().trim_start_matches(blank);
    let line = line.strip_prefix("export ").unwrap_or(line);
    line.split_once('=').is_some_and(|(name, value)| is_name(name.trim_end_matches(blank)) && !value.is_empty() && !value.starts_with('='))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    fn values(text: &str) -> Vec<(String, String)> {
        let variables = read(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"));
        variables.into_iter().map(|variable| (variable.name, variable.value.as_str().to_owned())).collect()
    }

    #[test]
    fn a_value_is_what_its_author_meant() {
        for (text, value) in [
            ("K=abc", "abc"),
            ("K=abc ", "abc"),
            ("K = abc\r\n", "abc"),
            ("export K=abc", "abc"),
            ("\u{feff}K=abc\r\n", "abc"),
            ("K=a$HOME-${X}", "a$HOME-${X}"),
            ("K=\"a$y$\"", "a$y$"),
            ("K={\"a\":\"b c\"}", "{\"a\":\"b c\"}"),
            ("K=don't", "don't"),
            ("K=#abc", "#abc"),
            ("K=a#b", "a#b"),
            ("K=abc # said", "abc"),
            ("K=a\\b\\n", "a\\b\\n"),
            ("K=\"^\\d+\\n\\\"\\$\\\\\"", "^\\d+\n\"$\\"),
            ("K='a\\n\"b'", "a\\n\"b"),
            ("K=`a'b\"`  # said", "a'b\""),
            ("K=\"a\r\nb\nc==\n\"", "a\nb\nc==\n"),
            ("K=", ""),
            ("K=\"\"", ""),
            ("K=abc\nK=abc", "abc"),
        ] {
            let first = values(text).into_iter().next().expect("a variable");
            assert_eq!(first, ("K".to_owned(), value.to_owned()), "{text}");
        }
        assert_eq!(values("# K=x\n\n  # said\n\t\r\n"), []);
        assert_eq!(values("K=    # said"), [("K".to_owned(), String::new())]);
    }

    #[test]
    fn a_value_is_found_where_it_is_written() {
        let text = "\u{feff}# K=x\r\nA = abc  # said\r\nexport B='x y' # z\nC=\"1\\n\r\n2\"\nD=\nE=#e";
        let read = read(text.as_bytes()).expect("read");
        let written: Vec<&str> = read.iter().map(|variable| &text[variable.at.clone()]).collect();
        assert_eq!(written, ["abc", "'x y'", "\"1\\n\r\n2\"", "", "#e"]);
    }

    #[test]
    fn what_dialects_differ_in_is_refused_with_its_line() {
        for (text, line, finding) in [
            ("A=1\nMY-KEY=abc", 2, "not the name"),
            ("3K=abc", 1, "not the name"),
            ("a.b=abc", 1, "not the name"),
            ("K: abc", 1, "no `=`"),
            ("A=1\nabc", 2, "no `=`"),
            ("K='tis", 1, "not closed"),
            ("K=\"abc\\\"", 1, "not closed"),
            ("K='tis\nB=won't\n", 1, "looks like another variable"),
            ("K='tis\nB='x'\n", 1, "looks like another variable"),
            ("K=\"a\"b", 1, "after the closing"),
            ("K=\"a\"#b", 1, "after the closing"),
            ("K='a'\"b\"", 1, "after the closing"),
            ("A=1\nK=a\nK=b", 3, "another value"),
            ("K=a\rb", 1, "control"),
            ("K=a\0b", 1, "control"),
        ] {
            let error = read(text.as_bytes()).err().unwrap_or_else(|| panic!("{text} is read"));
            assert_eq!(error.line, line, "{text}: {error}");
            assert!(error.finding.contains(finding), "{text}: {error}");
        }
        assert_eq!(read(b"A=1\nK=\xff").err().map(|error| error.line), Some(2));
    }

    /// Files that other readers got wrong in public.
    #[test]
    fn files_that_others_misread_have_the_values_that_were_meant() {
        let files = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/field/env");
        let file = |name: &str| std::fs::read(files.join(name)).expect("a file");
        let expected: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&file("expected.json")).expect("JSON");
        for (name, values) in &expected {
            let read = read(&file(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
            let read: serde_json::Map<_, _> = read.into_iter().map(|variable| (variable.name, variable.value.as_str().into())).collect();
            assert_eq!(serde_json::Value::from(read), *values, "{name}");
        }
        assert_eq!(expected.len(), 10);
        assert_eq!(read(&file("09-names.env")).err().map(|error| error.line), Some(1));
    }

    /// Numbers that are the same in each run (xorshift64).
    pub(crate) fn numbers() -> impl FnMut(usize) -> usize {
        let mut state = 0x9e37_79b9_7f4a_7c15u64;
        move |below| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 16) as usize % below
        }
    }

    /// The grammar written the other way: every value that a style can write is read back as it was.
    #[test]
    fn what_is_written_by_the_grammar_is_read_as_it_was() {
        const PIECES: &[&str] = &[
            "a", "Z", "9", "_", "=", "$", "${X}", "#", " #", "'", "\"", "`", "\\", "\\n", "\\\"", " ", "\t", "\n", "{", "}", "ä", "-", "/",
        ];
        let mut next = numbers();
        let mut written = 0;
        for _ in 0..20_000 {
            let value: String = (0..next(12)).map(|_| PIECES[next(PIECES.len())]).collect();
            let escaped = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n").replace('$', "\\$");
            let styles = [
                Some(format!("\"{escaped}\"")),
                (!value.contains('\'')).then(|| format!("'{value}'")),
                (!value.contains('`')).then(|| format!("`{value}`")),
                (!value.contains([' ', '\t', '\n']) && !value.starts_with(['\'', '"', '`'])).then(|| value.clone()),
            ];
            for style in styles.into_iter().flatten() {
                // Lines within quotes that look like variables are refused, whatever they are.
                if style.split('\n').skip(1).any(is_assignment) {
                    continue;
                }
                let text = format!("A=1{}K={style}{}B=2", ["\n", "\r\n"][next(2)], ["\n", " \n", " # said\n"][next(3)]);
                let expected = [("A", "1"), ("K", value.as_str()), ("B", "2")].map(|(name, value)| (name.to_owned(), value.to_owned()));
                assert_eq!(values(&text), expected, "{text}");
                written += 1;
            }
        }
        assert!(written > 30_000, "{written}");
    }

    /// Whatever a file holds, it is read or refused, and what is read stands in it line by line.
    #[test]
    fn any_text_is_read_or_refused() {
        const PIECES: &[&str] =
            &["K", "=", "A=b", "\n", "\r\n", "\r", "'", "\"", "`", "#", " ", "export ", "\\", "\u{feff}", "\0", "x-y", "ä"];
        let mut next = numbers();
        for _ in 0..50_000 {
            let text: String = (0..next(16)).map(|_| PIECES[next(PIECES.len())]).collect();
            match read(text.as_bytes()) {
                Ok(variables) => {
                    assert!(variables.iter().all(|variable| is_name(&variable.name) && variable.line <= text.matches('\n').count() + 1))
                }
                Err(error) => assert!((1..=text.matches('\n').count() + 1).contains(&error.line), "{text:?}: {error}"),
            }
        }
    }
}
