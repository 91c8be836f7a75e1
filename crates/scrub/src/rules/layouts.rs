//! What a value is called: in the layouts of programs, configuration and command lines.
//!
//! What stands before a value says it: `NAME=value`, `"name": "value"`, `name => 'value'`, `name := value`, `("NAME", "value")`,
//! `setName("value")`, `NAME || "value"`, `name: |` with the value on the next line, `<name>value`, `name="NAME" value="value"`,
//! `variable "NAME" { default = "value" }`, `--name value`; or what stands behind it: `value="value" name="NAME"`.

use super::manifests::until_event;
use super::names::{self, Kind};
use regex::bytes::Regex;
use std::sync::LazyLock;

/// Most bytes before a value that are looked at for its name.
pub(in super::super) const BEFORE: usize = 192;
/// Most bytes behind a value that are looked at for its name.
const AFTER: usize = 96;
/// Most bytes before a value in which the first look seeks the end of a name.
const NEAR: usize = 16;
/// Most bytes of a name that the first look takes.
const LONGEST_NAME: usize = 64;
/// Words that stand between a name and its value, or before it, and say of which type it is.
const TYPES: &[&str] = &["string", "str", "char", "text", "any", "const", "wstring", "bytes", "object", "var", "let", "val"];
/// Words of programs that stand before a name and are none of it.
const DECLARE: &[&str] = &[
    "private",
    "public",
    "protected",
    "static",
    "final",
    "const",
    "let",
    "var",
    "export",
    "string",
    "str",
    "val",
    "def",
    "set",
    "setx",
    "env",
    "readonly",
    "declare",
    "type",
    "pub",
    "mut",
    "return",
    "this",
    "new",
    "internal",
    "the",
    "a",
    "an",
    "my",
    "your",
    "and",
    "or",
    "with",
    "as",
    "input",
    "arg",
    "local",
    "global",
    "char",
    "auto",
    "if",
];
/// Ways of authenticating a request (RFC 9110 11.1), as headers name them.
const SCHEMES: &[&str] = &[
    "bearer",
    "token",
    "basic",
    "apikey",
    "api-key",
    "api-token",
    "key",
    "oauth",
    "genie",
    "genikey",
    "geniekey",
    "splunk",
    "bot",
    "jwt",
    "klaviyo-api-key",
    "discogs",
    "tok",
    "ssws",
    "pat",
    "mac",
    "zoho-oauthtoken",
    "sso-key",
];
/// Names of the field beside which another one has the name.
const VALUES: &[&str] = &["value", "val", "content", "default", "defaultvalue", "stringvalue", "data", "text"];
const NAMES: &[&str] = &["name", "key", "id", "variable", "field", "header", "property", "k", "label"];

/// What a value stands under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Field<'t> {
    pub(super) name: &'t [u8],
    /// Whether nothing but a blank stands between, as in a command.
    pub(super) by_blank: bool,
    /// Whether it is the user of a URL.
    pub(super) of_url: bool,
    /// Whether it is what is called with the value.
    pub(super) is_call: bool,
}

impl<'t> Field<'t> {
    fn of(name: &'t [u8]) -> Self {
        Self { name, by_blank: false, of_url: false, is_call: false }
    }
}

/// Whether what stands before `at` may belong to a field's name: the first look, at a few bytes.
#[inline]
pub(super) fn may_have_name(text: &[u8], at: usize, has_digit: bool) -> bool {
    let is_between = |byte: u8| matches!(byte, b' ' | b'"' | b'\'' | b'`' | b'\\' | b'\t');
    let Some(mut last) = at.checked_sub(1) else { return false };
    let least = at.saturating_sub(16);
    while last > least && is_between(text[last]) {
        last -= 1;
    }
    match text[last] {
        b':' | b'=' | b'>' | b';' | b'\n' => true,
        // Behind these, what is quoted; or a row of a list, of a table, and what is set in bold.
        sign @ (b'[' | b'(' | b'?' | b'|' | b'-' | b'*') => {
            let before = text[last.saturating_sub(1)];
            matches!(text[at - 1], b'"' | b'\'' | b'`') && (sign != b'-' || before == b'<')
                || match sign {
                    b'-' => at == last + 2 && matches!(before, b' ' | b'\n'),
                    b'|' => at == last + 2 && before == b' ',
                    b'*' => before == b'*',
                    _ => false,
                }
        }
        b',' => text[last + 1..at].iter().any(|byte| !matches!(byte, b' ' | b'\t')),
        // A word before a blank: an option, or one that is known by how it ends. What merely stands behind one is a name of its own too
        // often, so here it has a digit.
        byte if byte.is_ascii_alphanumeric() => {
            has_digit && {
                let word = text[..=last]
                    .iter()
                    .rev()
                    .take(32)
                    .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
                    .count();
                let word = &text[last + 1 - word..=last];
                word[0] == b'-' || word.len() < 18 && ends_known(word)
            }
        }
        byte => last == least && is_between(byte),
    }
}

/// Whether a list holds a name, in any letter case.
fn is_of(list: &[&str], name: &[u8]) -> bool {
    list.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(name))
}

/// Whether a word ends as those do that a value stands behind, with a blank between: see [`SCHEMES`].
#[inline]
fn ends_known(word: &[u8]) -> bool {
    word.last_chunk::<2>().is_some_and(|last| {
        matches!(
            &last.map(|letter| letter.to_ascii_lowercase()),
            b"er"
                | b"en"
                | b"ic"
                | b"ey"
                | b"th"
                | b"ie"
                | b"nk"
                | b"ot"
                | b"wt"
                | b"gs"
                | b"ok"
                | b"ws"
                | b"at"
                | b"ac"
                | b"is"
                | b"as"
                | b"rd"
                | b"wd"
                | b"et"
                | b"by"
                | b"ss"
        )
    })
}

/// Where the name of the field ends whose value begins at `at`, where no more than quotation marks and blanks stand around its sign, in the
/// few bytes before.
#[inline]
pub(super) fn name_end(text: &[u8], at: usize) -> Option<usize> {
    let least = at.saturating_sub(NEAR);
    let back = |mut end: usize| {
        while end > least && matches!(text[end - 1], b' ' | b'"' | b'\'' | b'\\') {
            end -= 1;
        }
        end
    };
    let sign = back(at).checked_sub(1).filter(|sign| *sign >= least && matches!(text[*sign], b':' | b'='))?;
    Some(back(sign))
}

/// The last three letters of a name that ends at `end`, where it ends with letters, in lower case.
#[inline]
pub(super) fn last_letters(text: &[u8], end: usize) -> Option<[u8; 3]> {
    let letters = text[..end].last_chunk::<3>().filter(|letters| letters.iter().all(u8::is_ascii_alphabetic))?;
    Some(letters.map(|letter| letter.to_ascii_lowercase()))
}

/// A name that ends at `end`, and whether it is all that [`before`] would give: `None` where that takes more than a look.
#[inline]
pub(super) fn name(text: &[u8], end: usize) -> Option<(&[u8], bool)> {
    let before = &text[end.saturating_sub(LONGEST_NAME)..end];
    // A quotation mark may be spelled with these digits.
    before.last().filter(|last| last.is_ascii_alphanumeric() && !matches!(last, b'2' | b'7'))?;
    let is_part = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'$' | b'@');
    let (before, name) = before.split_at(before.len() - before.iter().rev().take_while(is_part).count());
    // It is cut, perhaps; or what stands in a name's place is a login, which a call is given.
    let last = before.last().filter(|_| !before.iter().rev().take(2).any(|byte| *byte == b'('))?;
    // Behind a blank, words before it may belong to it.
    Some((name, !matches!(last, b' ' | b'\t')))
}

/// The letters and digits of a name in lower case, the last one first, without digits behind it.
pub(super) fn backwards(name: &[u8]) -> impl Iterator<Item = u8> {
    let letters = name.iter().rev().filter(|byte| byte.is_ascii_alphanumeric()).map(u8::to_ascii_lowercase);
    letters.skip_while(u8::is_ascii_digit)
}

/// The last three of them, in their order.
pub(super) fn last_three(name: &[u8]) -> Option<[u8; 3]> {
    let mut letters = backwards(name);
    let (last, second) = (letters.next()?, letters.next()?);
    Some([letters.next()?, second, last])
}

/// What stands in a name's place, and is none.
pub(super) fn unnamed() -> impl Iterator<Item = &'static str> {
    TYPES.iter().chain(VALUES).copied()
}

/// The name of the field whose value begins at `at`.
#[inline]
pub(super) fn before(text: &[u8], at: usize) -> Option<Field<'_>> {
    let mut back = Back { text, at, least: at.saturating_sub(BEFORE), is_call: false };
    let by_blank = back.sign()?;
    let mut name = back.name()?;
    if back.is_call {
        // What it is called of says nothing of it.
        return name.rsplit(|byte| *byte == b'.').next().map(|name| Field { is_call: true, ..Field::of(name) });
    }
    if by_blank {
        return back.by_blank(name);
    }
    if is_of(TYPES, name) {
        let start = back.at;
        if back.typed() {
            return back.name().map(Field::of);
        }
        back.at = start;
    }
    if is_of(VALUES, name) {
        return back.owner(at, name).map(Field::of);
    }
    if back.is_login() {
        return Some(Field::of(b"password"));
    }
    // "The password is: …"
    if is_of(&["is", "was"], name) && back.blanks() > 0 {
        name = back.name()?;
    }
    let of_url = text[..back.at].ends_with(b"//");
    // A key that names somebody is public (W3C's decentralized identifiers).
    if text[..back.at].ends_with(b"did:") {
        return None;
    }
    // `checksum/secret`: an annotation that says when a Secret of Kubernetes has changed.
    if !of_url && let Some(path) = text[..back.at].strip_suffix(b"/") {
        let word = path.iter().rev().take(32).take_while(|byte| byte.is_ascii_alphanumeric()).count();
        if names::is_public(&path[path.len() - word..]) {
            return None;
        }
    }
    Some(Field { of_url, ..Field::of(back.whole(name)) })
}

/// A look back from a value.
struct Back<'t> {
    text: &'t [u8],
    at: usize,
    least: usize,
    /// Whether the value is what a call is given.
    is_call: bool,
}

/// What is not ASCII's own spelling of a quotation mark.
const QUOTES: [&[u8]; 7] = [b"&quot;", b"&#34;", b"&#39;", b"&apos;", b"%22", b"%27", b"u0022"];

impl<'t> Back<'t> {
    fn last(&self) -> Option<u8> {
        (self.at > self.least).then(|| self.text[self.at - 1])
    }

    fn skip(&mut self, is_part: impl Fn(u8) -> bool) -> usize {
        let from = self.at;
        while self.last().is_some_and(&is_part) {
            self.at -= 1;
        }
        from - self.at
    }

    fn strip(&mut self, ending: &[u8]) -> bool {
        let is = self.at >= self.least + ending.len() && self.text[..self.at].ends_with(ending);
        if is {
            self.at -= ending.len();
        }
        is
    }

    fn blanks(&mut self) -> usize {
        self.skip(|byte| matches!(byte, b' ' | b'\t'))
    }

    /// Skips quotation marks, however they are spelled, and backslashes.
    fn quotes(&mut self) -> usize {
        let mut count = 0;
        loop {
            let skipped = self.skip(|byte| matches!(byte, b'"' | b'\'' | b'`' | b'\\'));
            let spelled = matches!(self.last(), Some(b';' | b'2' | b'7')) && QUOTES.iter().any(|quote| self.strip(quote));
            if skipped == 0 && !spelled {
                return count;
            }
            count += 1;
        }
    }

    /// Skips one line break.
    fn line(&mut self) -> bool {
        let is = self.strip(b"\n");
        self.strip(b"\r");
        is
    }

    /// Skips what stands between a value and its name. Says whether that is a blank and nothing else.
    fn sign(&mut self) -> Option<bool> {
        let mut blanks = self.blanks();
        let quotes = self.quotes();
        blanks += self.blanks();
        // The first entry of a list: `names: ["value"`, and on a line of its own in YAML.
        if quotes > 0 && self.strip(b"[") || blanks > 0 && self.is_entry() {
            self.at -= usize::from(self.last() == Some(b'-'));
            self.blanks();
            if !matches!(self.last(), Some(b':' | b'=' | b'\n')) {
                return None;
            }
        }
        if self.line() {
            return self.broken().then_some(false);
        }
        // `**Name:** value` of Markdown.
        if blanks > 0 {
            self.strip(b"**");
        }
        match self.last()? {
            b':' | b'=' => {
                self.skip(|byte| matches!(byte, b':' | b'=' | b'?' | b'|' | b'+'));
                // `.=` of PHP.
                if self.last() == Some(b'.') && self.text.get(self.at) == Some(&b'=') {
                    self.at -= 1;
                }
                self.between();
                Some(false)
            }
            b'D' | b'd' if self.strip(b"%3D") || self.strip(b"%3d") => {
                self.between();
                Some(false)
            }
            b'A' | b'a' if self.strip(b"%3A") || self.strip(b"%3a") => {
                self.between();
                Some(false)
            }
            b'>' => {
                if self.strip(b"=>") || self.strip(b"->") {
                    self.blanks();
                    // What a call with a secret comes to is none.
                    return (self.last() != Some(b')')).then(|| {
                        self.between();
                        false
                    });
                }
                self.element().then_some(false)
            }
            b',' if quotes > 0 => {
                self.at -= 1;
                self.blanks();
                (self.quotes() > 0 || self.is_argument()).then_some(false)
            }
            // `client.setName("value")`
            b'(' if quotes > 0 && blanks == 0 => {
                self.at -= 1;
                self.is_call = true;
                Some(false)
            }
            // `NAME || "value"`, `NAME ?? "value"`, `name <- "value"`
            b'|' | b'?' | b'-' if quotes > 0 && (self.strip(b"||") || self.strip(b"??") || self.strip(b"<-")) => {
                self.between();
                Some(false)
            }
            // A row of a table: `| name | value |`.
            b'|' if blanks > 0 && quotes == 0 && self.strip(b" |") => {
                self.between();
                Some(false)
            }
            _ if blanks > 0 => Some(true),
            _ => None,
        }
    }

    /// Whether a hyphen stands here, and nothing before it in its line.
    fn is_entry(&self) -> bool {
        let line = &self.text[self.least..self.at];
        line.ends_with(b"-") && line[..line.len() - 1].iter().rev().find(|byte| **byte != b' ') == Some(&b'\n')
    }

    /// Skips what stands between a value and its name, where a line break does.
    fn broken(&mut self) -> bool {
        self.blanks();
        // A field of a form (RFC 7578): its name stands in the header before an empty line.
        if self.line() {
            if !self.strip(b"\"") {
                return false;
            }
            let line = &self.text[self.least..self.at];
            return memchr::memrchr(b'"', line).is_some_and(|quote| line[..quote].ends_with(b"name="));
        }
        // A block of YAML, or an element of XML over lines.
        if self.last() == Some(b'>') && !self.is_block() {
            return self.element();
        }
        self.skip(|byte| matches!(byte, b'|' | b'>' | b'-' | b'+' | b'['));
        self.blanks();
        self.strip(b":")
    }

    /// Whether a bare name stands here that a bracket opens before: `{name, "value"}`.
    fn is_argument(&self) -> bool {
        let before = &self.text[self.least..self.at];
        let name = before.iter().rev().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
        name > 2 && matches!(before[..before.len() - name].last(), Some(b'{' | b'('))
    }

    /// What stands between a name and its sign.
    fn between(&mut self) {
        self.blanks();
        self.quotes();
        self.skip(|byte| matches!(byte, b']' | b')'));
        self.quotes();
        self.blanks();
    }

    /// Whether what ends here begins a block of YAML: `name: >`.
    fn is_block(&self) -> bool {
        let before = &self.text[self.least..self.at - 1];
        before.trim_ascii_end().ends_with(b":")
    }

    /// Skips to the end of what an element is called: by an attribute, by a key before it (as in property lists), or by its tag.
    fn element(&mut self) -> bool {
        let before = &self.text[self.least..self.at];
        let Some(start) = before.ends_with(b">").then(|| memchr::memrchr(b'<', before)).flatten() else { return false };
        let tag = &before[start + 1..before.len() - 1];
        if tag.starts_with(b"/") {
            return false;
        }
        let attribute = [&b" name="[..], b" key=", b" id="].iter().find_map(|name| {
            let value = memchr::memmem::find(tag, name)? + name.len();
            let quote = tag.get(value).filter(|quote| matches!(quote, b'"' | b'\''))?;
            Some(value + 1 + memchr::memchr(*quote, &tag[value + 1..])?)
        });
        let is_blank = |byte: &u8| byte.is_ascii_whitespace();
        let end = attribute.or_else(|| tag.iter().position(is_blank)).unwrap_or(tag.len());
        self.at = self.least + start + 1 + end;
        let is_typed = TYPES.iter().any(|name| name.as_bytes() == tag);
        if let Some(key) = before[..start].trim_ascii_end().strip_suffix(b"</key>").filter(|_| is_typed) {
            self.at = self.least + key.len();
        }
        true
    }

    /// Whether what stands before is the name of a login that is given together with its password: `auth=("name", "password")`.
    fn is_login(&self) -> bool {
        let before = &self.text[self.least..self.at];
        let Some(call) = before.strip_suffix(b"\"(").or_else(|| before.strip_suffix(b"'(")).or_else(|| {
            let quoted = before.strip_suffix(b"\"").or_else(|| before.strip_suffix(b"'"))?;
            quoted.strip_suffix(b"(")
        }) else {
            return false;
        };
        let call = call.trim_ascii_end();
        let call = call.strip_suffix(b"=").unwrap_or(call);
        [&b"auth"[..], b"Auth", b"login", b"Login", b"Credentials", b"credentials"].iter().any(|end| call.ends_with(end))
    }

    /// What a value is that stands behind a word and a blank: an option's, a login's, a header's with a scheme.
    fn by_blank(&mut self, name: &'t [u8]) -> Option<Field<'t>> {
        if is_of(&["--value", "--body", "--secret-string"], name) {
            return names_secret(&self.text[self.least..self.at]).then_some(Field { by_blank: true, ..Field::of(b"secret") });
        }
        if name.starts_with(b"--") || name.starts_with(b"-") && name.len() > 4 {
            return Some(Field { by_blank: true, ..Field::of(name) });
        }
        // A rule of its own has these.
        if name.eq_ignore_ascii_case(b"basic") {
            return None;
        }
        if is_of(SCHEMES, name) {
            let start = self.at;
            let header = self.sign().and_then(|by_blank| self.name().filter(|_| !by_blank));
            if let Some(header) = header.filter(|header| header.to_ascii_lowercase().ends_with(b"authorization")) {
                return Some(Field::of(header));
            }
            self.at = start;
            if name.eq_ignore_ascii_case(b"bearer") {
                return Some(Field { by_blank: true, ..Field::of(b"bearer token") });
            }
        }
        // `IDENTIFIED BY 'password'` of SQL.
        if is_of(&["by"], name) {
            self.blanks();
            return self.name().filter(|name| is_of(&["identified"], name)).map(|_| Field { by_blank: true, ..Field::of(b"password") });
        }
        if is_of(&["requirepass", "masterauth"], name) {
            return Some(Field { by_blank: true, ..Field::of(b"password") });
        }
        // "The password is …"
        let name = if is_of(&["is", "was"], name) && self.blanks() > 0 { self.name()? } else { name };
        let is_login = is_of(&["password", "passwd"], name);
        let name = self.whole(name);
        let is_said = || matches!(names::kind(name), Some(Kind::Password | Kind::Secret | Kind::Named));
        (is_login || is_said()).then_some(Field { by_blank: true, ..Field::of(name) })
    }

    /// A name with the words before it: `API key`, `next page token`.
    fn whole(&mut self, name: &'t [u8]) -> &'t [u8] {
        let (text, mut start, end) = (self.text, self.at, self.at + name.len());
        for _ in 0..3 {
            if self.skip(|byte| byte == b' ') != 1 {
                break;
            }
            let Some(word) = self.name() else { break };
            // `Private Key: …` is no declaration.
            let is_key = || text[start..end].eq_ignore_ascii_case(b"key") && is_of(&["private", "public"], word);
            if is_of(DECLARE, word) && !is_key() || !word.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-') {
                break;
            }
            start = self.at;
        }
        &text[start..end]
    }

    /// Takes the name.
    fn name(&mut self) -> Option<&'t [u8]> {
        let end = self.at;
        self.skip(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'$' | b'@'));
        (self.at < end).then(|| &self.text[self.at..end])
    }

    /// Skips what stands between a name and its type.
    fn typed(&mut self) -> bool {
        self.skip(|byte| matches!(byte, b'&' | b'*' | b'<'));
        self.strip(b"'static ");
        self.skip(|byte| matches!(byte, b'&'));
        let blanks = self.blanks();
        // `Dim name As String` of Visual Basic.
        if blanks > 0 && self.strip(b" As") {
            return self.blanks() > 0 || self.last().is_some();
        }
        let is_typed = self.last() == Some(b':');
        if is_typed {
            self.at -= 1;
            self.skip(|byte| byte == b'?');
        }
        is_typed || blanks > 0
    }

    /// What has the value that stands in a field such as `value`: the field beside it has its name, before or behind, or the field that
    /// both are in. `at` is where the value begins, `of` what its own field is called.
    fn owner(&mut self, at: usize, of: &[u8]) -> Option<&'t [u8]> {
        let is_name = |of: &[u8]| is_of(NAMES, of);
        let start = self.at;
        if let Some((name, of)) = self.sibling()
            && is_name(of)
        {
            return Some(name);
        }
        self.at = start;
        // What follows a value is more often another thing's: only these pairs say whose it is.
        if is_of(&["value", "val", "content"], of)
            && let Some(name) = name_behind(self.text, at, |of| is_of(&["name", "key"], of))
        {
            return Some(name);
        }
        self.at = self.least + opening(&self.text[self.least..start])?;
        self.blanks();
        if self.strip(b"\"") {
            let name = self.name()?;
            return (self.strip(b"variable \"") || self.strip(b"output \"")).then_some(name);
        }
        if !self.strip(b":") && !self.strip(b"=") {
            return None;
        }
        self.between();
        let name = self.name()?;
        if is_of(VALUES, name) {
            return self.sibling().filter(|(_, of)| is_name(of)).map(|(name, _)| name);
        }
        Some(name)
    }

    /// The value of the field beside this one, and what that is called.
    fn sibling(&mut self) -> Option<(&'t [u8], &'t [u8])> {
        self.quotes();
        self.blanks();
        self.strip(b"-");
        self.blanks();
        // `"name": "X",` and `name: X`, on the line before or on the same one.
        self.strip(b",");
        let broken = self.line();
        self.blanks();
        self.strip(b",");
        if !broken && self.line() {
            self.blanks();
            self.strip(b",");
        }
        self.quotes();
        let value = self.name()?;
        self.quotes();
        self.blanks();
        matches!(self.last(), Some(b':' | b'=')).then(|| self.at -= 1)?;
        self.blanks();
        self.quotes();
        Some((value, self.name()?))
    }
}

/// Whether what stands before an option's value in its line speaks of a secret.
fn names_secret(before: &[u8]) -> bool {
    /// Letters of each word for a secret or a password: most lines have none of them.
    static LETTERS: LazyLock<Regex> = LazyLock::new(|| {
        let any = Regex::new("(?i-u)sec|tok|key|pas|pwd|psw|psk|sen|pep|cre|bea|aut|pat|see");
        any.expect("an expression")
    });
    let line = memchr::memrchr(b'\n', before).map_or(before, |end| &before[end..]);
    if !LETTERS.is_match(line) {
        return false;
    }
    let mut words = line.split(|byte| !byte.is_ascii_alphanumeric() && !matches!(byte, b'_' | b'-'));
    words.any(|word| {
        word.eq_ignore_ascii_case(b"secret")
            || word.len() > 4 && LETTERS.is_match(word) && matches!(names::kind(word), Some(Kind::Secret | Kind::Password))
    })
}

/// Where the brace stands that opens what the end of a text is in.
fn opening(text: &[u8]) -> Option<usize> {
    let mut open = 0usize;
    text.iter().rposition(|byte| match byte {
        b'}' => {
            open += 1;
            false
        }
        b'{' if open == 0 => true,
        b'{' => {
            open -= 1;
            false
        }
        _ => false,
    })
}

/// The name in the field behind the value that begins at `at`: `"value": "…", "name": "NAME"`.
fn name_behind(text: &[u8], at: usize, is_name: impl Fn(&[u8]) -> bool) -> Option<&[u8]> {
    let end = super::fields::value_end(text, at);
    // No further than where an event may end behind the value's beginning: it may end in the value, too.
    let event = at + until_event(&text[at..text.len().min(end + AFTER)]).len();
    let rest = text.get(end..event)?;
    let skip = |rest: &[u8], signs: &[u8]| rest.iter().take_while(|byte| signs.contains(byte)).count();
    let word = |rest: &[u8]| rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')).count();
    let rest = &rest[skip(rest, b"\\\"'")..];
    let rest = &rest[skip(rest, b", \t")..];
    let rest = rest.strip_prefix(b"\n").or_else(|| rest.strip_prefix(b"\r\n")).unwrap_or(rest);
    let rest = &rest[skip(rest, b" \t\\\"'")..];
    let (name, rest) = rest.split_at(word(rest));
    let sign = skip(rest, b" \\\"':=");
    if !is_name(name) || !rest[..sign].iter().any(|byte| matches!(byte, b':' | b'=')) {
        return None;
    }
    let value = &rest[sign..];
    let name = &value[..word(value)];
    (!name.is_empty()).then_some(name)
}
