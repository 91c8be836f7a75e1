//! docker compose files: `environment` of `services`, as a map and as a list. Read line by line, since all else of the file stays byte for byte;
//! what is not understood *there* is refused with its line, and what stands elsewhere is passed over.
//!
//! A `$` begins a variable that compose fills in, and `$$` is one `$` (<https://docs.docker.com/reference/compose-file/interpolation/>).

use super::item::{Item, Style, Unreadable};
use super::yaml::{self, Scalar};
use std::ops::Range;
use zeroize::Zeroizing;

const REMEDY: &str = "write each variable on a line of its own, as `NAME: \"value\"` or `- NAME=value`, without anchors and brackets";

/// A key whose lines have not ended, or an element of a list.
struct Open {
    indent: usize,
    key: String,
    /// Whether its value is on further lines.
    is_open: bool,
}

/// A line, without its end.
struct Line<'t> {
    number: usize,
    /// Where it begins in the file.
    start: usize,
    text: &'t str,
}

/// What has been read so far.
#[derive(Default)]
struct Reader {
    open: Vec<Open>,
    /// The indent of the key of a block scalar, whose lines are text.
    block: Option<usize>,
    /// The indent of the variables of one service, and their names.
    indent: Option<usize>,
    names: Vec<String>,
    has_services: bool,
    items: Vec<Item>,
}

pub(super) fn read(text: &str) -> Result<Vec<Item>, Unreadable> {
    let mut reader = Reader::default();
    let mut start = 0;
    for (index, whole) in text.split_inclusive('\n').enumerate() {
        let line = whole.strip_suffix('\n').unwrap_or(whole);
        let line = line.strip_suffix('\r').unwrap_or(line);
        let mark = if index == 0 && line.starts_with('\u{feff}') { 3 } else { 0 };
        reader.line(&Line { number: index + 1, start: start + mark, text: &line[mark..] })?;
        start += whole.len();
    }
    match reader.has_services {
        true => Ok(reader.items),
        false => {
            let remedy = "name a file with `services:` at the beginning of a line, or say what the file is by `--as`";
            Err(Unreadable::new(1, "the file has no `services`", remedy))
        }
    }
}

/// A value as it is written, with each `$` doubled.
pub(super) fn spelled(value: &str, quote: Option<char>, is_element: bool) -> Option<Zeroizing<String>> {
    let doubled = Zeroizing::new(value.replace('$', "$$"));
    let must_be_quoted = quote.is_none() && !is_element && yaml::is_ambiguous(&doubled);
    Some(yaml::spelled(&doubled, if must_be_quoted { Some('"') } else { quote }))
}

impl Reader {
    fn line(&mut self, line: &Line<'_>) -> Result<(), Unreadable> {
        let body = line.text.trim_start_matches(' ');
        let indent = line.text.len() - body.len();
        if body.trim().is_empty() || self.block.is_some_and(|owner| indent > owner) {
            return Ok(());
        }
        self.block = None;
        if body.starts_with('#') {
            return Ok(());
        }
        if indent == 0 && (body == "..." || body.starts_with("---")) {
            return match self.has_services {
                true => Err(line.refused("a second document begins", "keep one document in the file")),
                false => Ok(()),
            };
        }
        self.close(indent, body.starts_with("- ") || body == "-");
        if self.is_environment(self.open.len()) {
            return self.variable(line, indent);
        }
        if self.open.last().is_some_and(|open| !open.is_open) {
            return match self.is_environment(self.open.len() - 1) {
                true => Err(line.refused("a value spans several lines", REMEDY)),
                false => Ok(()),
            };
        }
        self.key(line, indent)
    }

    /// Ends what this line does not belong to. An element may stand as far left as the key of its list.
    fn close(&mut self, indent: usize, is_element: bool) {
        while let Some(last) = self.open.last() {
            let is_its_list = is_element && last.indent == indent && last.is_open && last.key != "-";
            if last.indent < indent || is_its_list {
                return;
            }
            self.open.pop();
        }
    }

    /// Whether the first so many keys lead to the variables of a service.
    fn is_environment(&self, depth: usize) -> bool {
        depth == 3 && self.open[0].key == "services" && self.open[0].indent == 0 && self.open[2].key == "environment"
    }

    /// A key outside of all variables: what counts is where it leads to.
    fn key(&mut self, line: &Line<'_>, mut indent: usize) -> Result<(), Unreadable> {
        let mut body = &line.text[indent..];
        while let Some(element) = body.strip_prefix('-').filter(|rest| rest.is_empty() || rest.starts_with(' ')) {
            self.open.push(Open { indent, key: "-".to_owned(), is_open: true });
            let rest = element.trim_start_matches(' ');
            indent += body.len() - rest.len();
            body = rest;
        }
        let (key, rest) = key(body).unwrap_or(("", body));
        let rest = without_comment(rest.trim());
        if rest.starts_with(['|', '>']) {
            self.block = Some(indent);
        }
        if key.is_empty() {
            return Ok(());
        }
        // An anchor by itself says nothing of the value, which is on further lines.
        let is_anchor = rest.starts_with('&') && !rest.contains(' ');
        let path: Vec<&str> = self.open.iter().map(|open| open.key.as_str()).chain([key]).collect();
        let is_first = self.open.is_empty() && indent == 0;
        match path.as_slice() {
            ["services"] if is_first => {
                self.has_services = true;
                if !rest.is_empty() && !is_anchor {
                    return Err(line.refused("`services` is not a block of lines", REMEDY));
                }
            }
            ["services", _] if rest.starts_with('{') && rest.contains("environment") => {
                return Err(line.refused("the service is written in brackets", REMEDY));
            }
            ["services", _, "environment"] if !["", "{}", "[]"].contains(&rest) => {
                return Err(line.refused("`environment` is not a block of lines: it has an anchor, an alias or brackets", REMEDY));
            }
            ["services", _, "environment"] => (self.indent, self.names) = (None, Vec::new()),
            _ => {}
        }
        self.open.push(Open { indent, key: key.to_owned(), is_open: rest.is_empty() || is_anchor });
        Ok(())
    }

    /// A variable of a service.
    fn variable(&mut self, line: &Line<'_>, indent: usize) -> Result<(), Unreadable> {
        let body = &line.text[indent..];
        if body.starts_with('\t') || *self.indent.get_or_insert(indent) != indent {
            return Err(line.refused("the line is indented differently from those above it", REMEDY));
        }
        self.open.push(Open { indent, key: String::new(), is_open: false });
        let is_element = body.starts_with("- ") || body == "-";
        let (name, scalar) = match is_element {
            true => (None, yaml::scalar(line.text, indent + 1)),
            false => {
                let (name, rest) = key(body).ok_or_else(|| line.refused("this is not a variable", REMEDY))?;
                if name == "<<" {
                    return Err(line.refused("variables are merged in from elsewhere (`<<`)", REMEDY));
                }
                (Some(name), yaml::scalar(line.text, line.text.len() - rest.len()))
            }
        };
        let Some(scalar) = scalar.map_err(|finding| line.refused(finding, REMEDY))? else { return Ok(()) };
        let owner = self.open[1].key.clone();
        if let Some(item) = item(line, owner, name, scalar)? {
            if self.names.contains(&item.name) {
                return Err(line.refused("the variable is already set above in the same service", "keep one of them"));
            }
            self.names.push(item.name.clone());
            self.items.push(item);
        }
        Ok(())
    }
}

/// A variable of a map, or without a name before it of a list. `None` where it has no value.
fn item(line: &Line<'_>, owner: String, name: Option<&str>, scalar: Scalar) -> Result<Option<Item>, Unreadable> {
    let Scalar { at: Range { start, end }, quote, text } = scalar;
    let (name, before, value) = match name {
        Some(name) => (name.to_owned(), String::new(), text),
        None => {
            let Some((name, value)) = text.split_once('=') else { return Ok(None) };
            (name.to_owned(), format!("{name}="), Zeroizing::new(value.to_owned()))
        }
    };
    if crate::manifest::names::secret_name(&name).is_err() {
        return Err(line.refused("this is not a variable's name", "use letters, digits and `_`"));
    }
    let is_element = !before.is_empty();
    let plain = without_dollars(&value);
    let unfit = match &plain {
        None => Some("compose fills it in (`$`)"),
        Some(text) if quote.is_none() && !is_element && yaml::is_ambiguous(text) => {
            Some("without quotation marks it may not be read as text")
        }
        Some(_) => None,
    };
    Ok(Some(Item {
        owner: Some(crate::text::for_people(&owner)),
        name,
        line: line.number,
        at: line.start + start..line.start + end,
        style: Style::Yaml { quote, element: is_element },
        before,
        text: plain.map_or(value, Zeroizing::new),
        unfit,
    }))
}

/// The text that compose makes of a value, unless it fills something in.
fn without_dollars(value: &str) -> Option<String> {
    let parts: Vec<&str> = value.split("$$").collect();
    (!parts.iter().any(|part| part.contains('$'))).then(|| parts.join("$"))
}

impl Line<'_> {
    fn refused(&self, finding: &str, remedy: &'static str) -> Unreadable {
        Unreadable::new(self.number, finding, remedy)
    }
}

/// The key of a map at the beginning of a text, and what stands behind its colon.
fn key(body: &str) -> Option<(&str, &str)> {
    let quote = body.chars().next().filter(|first| "'\"".contains(*first));
    let (key, rest) = match quote {
        Some(quote) => body[1..].split_once(quote)?,
        None => {
            let end =
                body.match_indices(':').map(|(at, _)| at).find(|at| matches!(body.as_bytes().get(at + 1), None | Some(b' ' | b'\t')))?;
            body.split_at(end)
        }
    };
    let rest = rest.trim_start_matches(' ').strip_prefix(':')?;
    Some((key.trim_end(), rest))
}

fn without_comment(rest: &str) -> &str {
    let comment = rest.match_indices('#').map(|(at, _)| at).find(|at| *at == 0 || rest[..*at].ends_with([' ', '\t']));
    rest[..comment.unwrap_or(rest.len())].trim_end()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
version: \"3\" # old
x-common: &common
  environment:
    NOT_THIS: pf_live_00112233445566778899aabbccddeeff
services:
  web:
    image: web
    command: >
      services:
        environment:
          - TEXT=1
    environment:
      # said
      API_KEY: abc # said
      QUOTED: \"a$$b\\n\"
      SINGLE: 'it''s'
      FROM_HOST: ${API_KEY}
      EMPTY:
      PORT: 8080

    ports:
      - target: 80
        environment:
          NOR: this
  \"worker\":
    environment:
    - LIST_KEY=a=b
    - \"QUOTED KEY=no\"
    - FROM_HOST
    depends_on: [web]
";

    fn values(text: &str) -> Vec<(String, usize, String, Option<&'static str>)> {
        let items = read(text).unwrap_or_else(|why| panic!("{why}"));
        items.into_iter().map(|item| (item.label(), item.line, item.text.as_str().to_owned(), item.unfit)).collect()
    }

    #[test]
    fn the_variables_of_services_are_found_and_nothing_else() {
        let text = FILE.replace("    - \"QUOTED KEY=no\"\n", "    - 'TOKEN=x y'\n");
        for text in [text.clone(), text.replace('\n', "\r\n")] {
            let read = values(&text);
            let read: Vec<(&str, &str, bool)> =
                read.iter().map(|(label, _, text, unfit)| (label.as_str(), text.as_str(), unfit.is_none())).collect();
            assert_eq!(
                read,
                [
                    ("web.API_KEY", "abc", true),
                    ("web.QUOTED", "a$b\n", true),
                    ("web.SINGLE", "it's", true),
                    ("web.FROM_HOST", "${API_KEY}", false),
                    ("web.PORT", "8080", true),
                    ("worker.LIST_KEY", "a=b", true),
                    ("worker.TOKEN", "x y", true),
                ]
            );
        }
    }

    #[test]
    fn what_is_not_understood_there_is_refused_with_its_line() {
        assert!(read(FILE).expect_err("refused").to_string().starts_with("line 28: this is not a variable's name"));
        for (variables, line, finding) in [
            ("    environment: *common\n", 3, "not a block of lines"),
            ("    environment: &common\n      A: b\n", 3, "not a block of lines"),
            ("    environment: {A: b}\n", 3, "not a block of lines"),
            ("    environment:\n      <<: *common\n", 4, "merged in"),
            ("    environment:\n      A: *common\n", 4, "an anchor or an alias"),
            ("    environment:\n      A: |\n        x\n", 4, "a block of several lines"),
            ("    environment:\n      A: {b: c}\n", 4, "brackets"),
            ("    environment:\n      A: b\n        c\n", 5, "several lines"),
            ("    environment:\n      A: 'b\n        c'\n", 4, "not closed"),
            ("    environment:\n      A: b\n       C: d\n", 5, "several lines"),
            ("    environment:\n      A: b\n     C: d\n", 5, "differently"),
            ("    environment:\n      A: b\n      A: c\n", 5, "already set above"),
            ("    environment:\n      - A: b\n", 4, "a collection"),
            ("    environment:\n      - A=b\n---\n", 5, "a second document"),
        ] {
            let told = read(&format!("services:\n  web:\n{variables}")).expect_err(variables).to_string();
            assert!(told.starts_with(&format!("line {line}: ")) && told.contains(finding), "{variables}{told}");
        }
        for (text, finding) in
            [("services: {}\n", "not a block"), ("services:\n  web: {environment: {A: b}}\n", "brackets"), ("a: b\n", "no `services`")]
        {
            let told = read(text).expect_err(text).to_string();
            assert!(told.contains(finding), "{text}{told}");
        }
    }
}
