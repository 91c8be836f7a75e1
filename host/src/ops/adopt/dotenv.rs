//! `.env` files, by the one reader that all of the host has.

use super::item::{Item, Style, Unreadable};
use crate::secrets::dotenv::{self, Variable};
use zeroize::Zeroizing;

pub(super) fn read(text: &str) -> Result<Vec<Item>, Unreadable> {
    let read = dotenv::read(text.as_bytes()).map_err(|why| {
        let name = why.name.as_ref().map(|name| format!("`{}`: ", crate::text::for_people(name))).unwrap_or_default();
        Unreadable::new(why.line, format!("{name}{}", why.finding), why.remedy)
    })?;
    Ok(read.into_iter().map(|variable| item(text, variable)).collect())
}

fn item(text: &str, variable: Variable) -> Item {
    let Variable { line, name, value, at } = variable;
    let quote = text[at.clone()].chars().next().filter(|first| "'\"`".contains(*first));
    let apart = text[..at.start].ends_with([' ', '\t']);
    // Nothing is expanded here, but others would expand this: it is no key by itself.
    let unfit = (quote != Some('\'') && value.contains("${")).then_some("it names another variable (`${…}`)");
    Item { owner: None, name, line, at, style: Style::Env { quote, apart }, before: String::new(), text: value, unfit }
}

/// A value as it is written: as it was if it can be, or else between double quotes.
pub(super) fn spelled(value: &str, quote: Option<char>, apart: bool, in_lines: bool, newline: &str) -> Option<Zeroizing<String>> {
    let lines = |text: &str| text.replace('\n', newline);
    let as_it_was = match quote {
        None => value.to_owned(),
        Some('"') if in_lines => lines(&escaped(value, true)),
        Some('"') => escaped(value, false),
        Some(quote) => lines(&format!("{quote}{value}{quote}")),
    };
    [as_it_was, escaped(value, false)].map(Zeroizing::new).into_iter().find(|written| reads_as(written, apart, value))
}

/// Between double quotes. A backslash is doubled only where it would be taken for the beginning of an escape.
fn escaped(value: &str, in_lines: bool) -> String {
    let mut out = String::with_capacity(2 * value.len() + 2);
    out.push('"');
    let mut rest = value.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '"' => out.push_str("\\\""),
            '\n' if !in_lines => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\\' if rest.peek().is_none_or(|next| "nrt\"\\$\n\r".contains(*next)) => out.push_str("\\\\"),
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

/// Whether the reader takes a text for this value.
fn reads_as(written: &str, apart: bool, value: &str) -> bool {
    let line = Zeroizing::new(format!("K={}{written}\nL=1\n", if apart { " " } else { "" }));
    let read = dotenv::read(line.as_bytes());
    read.is_ok_and(|read| read.len() == 2 && read[0].value.as_str() == value)
}
