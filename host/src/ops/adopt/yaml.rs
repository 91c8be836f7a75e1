//! Scalars of YAML 1.2 that stand on one line (<https://yaml.org/spec/1.2.2/#73-flow-scalar-styles>). What is not one for sure is refused.

use std::ops::Range;
use zeroize::Zeroizing;

/// A scalar.
#[derive(Debug)]
pub(super) struct Scalar {
    /// Where it stands, with its quotation marks.
    pub(super) at: Range<usize>,
    pub(super) quote: Option<char>,
    pub(super) text: Zeroizing<String>,
}

/// Reads the rest of a line from `start` on; there may be nothing, or a comment.
///
/// # Errors
/// What it is instead.
pub(super) fn scalar(line: &str, start: usize) -> Result<Option<Scalar>, &'static str> {
    let rest = line[start..].trim_start_matches([' ', '\t']);
    let start = line.len() - rest.len();
    let (text, length) = match rest.chars().next() {
        None | Some('#') => return Ok(None),
        Some('"') => double(rest)?,
        Some('\'') => single(rest)?,
        Some(_) => (Zeroizing::new(plain(rest)?.to_owned()), plain(rest)?.len()),
    };
    let behind = &rest[length..];
    if !(behind.trim().is_empty() || behind.starts_with([' ', '\t']) && behind.trim_start().starts_with('#')) {
        return Err("there is text after the closing quotation mark");
    }
    let quote = rest.chars().next().filter(|first| "'\"".contains(*first));
    Ok(Some(Scalar { at: start..start + length, quote, text }))
}

/// A scalar without quotation marks, up to a comment.
fn plain(rest: &str) -> Result<&str, &'static str> {
    match rest.as_bytes()[0] {
        b'&' | b'*' => return Err("there is an anchor or an alias"),
        b'|' | b'>' => return Err("there is a block of several lines"),
        b'{' | b'[' | b'}' | b']' | b',' => return Err("there is a collection in brackets"),
        b'!' => return Err("there is a tag"),
        b'@' | b'`' | b'%' => return Err("there is a character that can't begin a value"),
        b'-' | b'?' | b':' if rest.len() == 1 || rest[1..].starts_with([' ', '\t']) => return Err("there is a collection"),
        _ => {}
    }
    let comment = rest.match_indices('#').map(|(at, _)| at).find(|at| rest[..*at].ends_with([' ', '\t']));
    let text = rest[..comment.unwrap_or(rest.len())].trim_end_matches([' ', '\t']);
    match text.contains(": ") || text.contains(":\t") || text.ends_with(':') {
        true => Err("there is a collection"),
        false if text.chars().any(char::is_control) => Err("there is a control character"),
        false => Ok(text),
    }
}

fn single(rest: &str) -> Result<(Zeroizing<String>, usize), &'static str> {
    let mut text = Zeroizing::new(String::with_capacity(rest.len()));
    let mut chars = rest.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '\'' if chars.next_if(|(_, next)| *next == '\'').is_none() => return Ok((text, at + 1)),
            c => text.push(c),
        }
    }
    Err("the quotation mark is not closed on its line")
}

fn double(rest: &str) -> Result<(Zeroizing<String>, usize), &'static str> {
    let mut text = Zeroizing::new(String::with_capacity(rest.len()));
    let mut chars = rest.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((text, at + 1)),
            '\\' => text.push(escape(&mut chars)?),
            c => text.push(c),
        }
    }
    Err("the quotation mark is not closed on its line")
}

/// What stands behind a backslash between double quotes (5.7 of the specification).
fn escape(chars: &mut impl Iterator<Item = (usize, char)>) -> Result<char, &'static str> {
    let unknown = "there is an unknown escape";
    let (_, kind) = chars.next().ok_or(unknown)?;
    let digits = match kind {
        'n' => return Ok('\n'),
        't' => return Ok('\t'),
        'r' => return Ok('\r'),
        '"' | '\\' | '/' | ' ' => return Ok(kind),
        'x' => 2,
        'u' => 4,
        'U' => 8,
        _ => return Err(unknown),
    };
    let mut code = 0;
    for _ in 0..digits {
        let digit = chars.next().and_then(|(_, digit)| digit.to_digit(16)).ok_or(unknown)?;
        code = code << 4 | digit;
    }
    char::from_u32(code).ok_or(unknown)
}

/// A text as a scalar: in its style if that can say it, or else between double quotes. `None` where no scalar of one line holds it.
pub(super) fn spelled(text: &str, quote: Option<char>) -> Zeroizing<String> {
    let escaped = || {
        let mut out = String::with_capacity(2 * text.len() + 2);
        out.push('"');
        for c in text.chars() {
            match c {
                '"' | '\\' => out.extend(['\\', c]),
                '\n' => out.push_str("\\n"),
                '\t' => out.push_str("\\t"),
                '\r' => out.push_str("\\r"),
                c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
                c => out.push(c),
            }
        }
        out.push('"');
        Zeroizing::new(out)
    };
    let as_it_was = match quote {
        Some('\'') => Zeroizing::new(format!("'{}'", text.replace('\'', "''"))),
        Some(_) => escaped(),
        None => Zeroizing::new(text.to_owned()),
    };
    let is_same = !text.contains('\n')
        && scalar(&as_it_was, 0).is_ok_and(|read| read.is_some_and(|read| read.quote == quote && read.text.as_str() == text));
    if is_same && !text.contains(|c: char| c.is_control()) { as_it_was } else { escaped() }
}

/// Whether readers take a scalar without quotation marks for something else than its text: a number that they may write in another way, a
/// date, a word for true, false or nothing.
pub(super) fn is_ambiguous(text: &str) -> bool {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    if digits && !text.starts_with('0') && text.len() <= 18 {
        return false;
    }
    let word = ["true", "false", "yes", "no", "on", "off", "y", "n", "null", "~"].contains(&text.to_lowercase().as_str());
    let numeral = text.replace('_', "").to_lowercase();
    let numeral = numeral.trim_start_matches(['+', '-']);
    let based = ["0x", "0o", "0b"].iter().any(|base| numeral.starts_with(base))
        && numeral.bytes().all(|b| b.is_ascii_hexdigit() || b"xo".contains(&b));
    let dated = numeral.starts_with(|c: char| c.is_ascii_digit()) && numeral.bytes().all(|b| b.is_ascii_digit() || b"-:.tz ".contains(&b));
    word || based || dated || numeral.parse::<f64>().is_ok() || [".inf", ".nan"].contains(&numeral)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Option<(String, String)>, &'static str> {
        scalar(line, 0).map(|read| read.map(|read| (read.text.as_str().to_owned(), line[read.at].to_owned())))
    }

    #[test]
    fn a_scalar_is_what_the_specification_says() {
        for (line, text, written) in [
            (" abc", "abc", "abc"),
            ("abc # said", "abc", "abc"),
            ("a#b", "a#b", "a#b"),
            ("a:b", "a:b", "a:b"),
            ("-abc", "-abc", "-abc"),
            ("it's", "it's", "it's"),
            ("'it''s' # x", "it's", "'it''s'"),
            ("\"a\\n\\x41\\u00e9\\\"\\\\\"", "a\nAé\"\\", "\"a\\n\\x41\\u00e9\\\"\\\\\""),
            ("\"\"", "", "\"\""),
        ] {
            assert_eq!(read(line), Ok(Some((text.to_owned(), written.to_owned()))), "{line}");
        }
        assert_eq!(read("  # said"), Ok(None));
        assert_eq!(read(""), Ok(None));
        for line in [
            "*a", "&a b", "|", ">-", "{a: b}", "[a]", "!!str a", "- a", "a: b", "a:", "'a", "\"a", "\"a\"b", "'a'#b", "\"\\q\"", "`a`",
            "@a",
        ] {
            assert!(read(line).is_err(), "{line}");
        }
    }

    #[test]
    fn any_text_comes_back_as_it_was() {
        for text in ["abc", "", " a", "a ", "a #b", "a: b", "it's", "'a'", "\"a\"", "a\nb", "a\\n", "é\u{7}", "- a", "*a", "# a", "\t"] {
            for quote in [None, Some('\''), Some('"')] {
                let written = spelled(text, quote);
                let read = scalar(&written, 0).unwrap_or_else(|why| panic!("{written:?}: {why}"));
                assert_eq!(read.map(|read| read.text.as_str().to_owned()).unwrap_or_default(), text, "{written:?}");
            }
        }
        assert_eq!(spelled("it's", Some('\'')).as_str(), "'it''s'");
    }

    #[test]
    fn what_readers_take_for_no_text_is_known() {
        for text in ["true", "No", "~", "0123", "1e9", "0x1F", "1.5", "12:30:45", "2026-01-01", "-7", "1_000", "NaN", ".inf"] {
            assert!(is_ambiguous(text), "{text}");
        }
        for text in ["12345678", "abc", "123456:ABC-DEF", "0x-key", "sk-1"] {
            assert!(!is_ambiguous(text), "{text}");
        }
    }
}
