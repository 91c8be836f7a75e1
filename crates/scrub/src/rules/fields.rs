//! Values under a name: in the layouts of programs, configuration and command lines.
//!
//! What stands before a value says what it is called: `NAME=value`, `"name": "value"`, `name => 'value'`, `name := value`,
//! `("NAME", "value")`, `name: |` with the value on the next line, `<name>value`, `name="NAME" value="value"`, `--name value`.

use super::Tail;
use super::measure::Make;
use super::names::{self, Kind};
use std::ops::Range;

/// Most bytes before a value that are looked at for its name.
pub(in super::super) const BEFORE: usize = 192;
/// Most bytes before and behind a value of a Secret of Kubernetes that are looked at for what it is.
pub(in super::super) const MANIFEST: usize = 768;
/// Most bytes of a value.
const LIMIT: usize = super::LIMIT;
/// Least bytes of it.
const LEAST: usize = super::LEAST;
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
    of_url: bool,
}

impl<'t> Field<'t> {
    fn of(name: &'t [u8]) -> Self {
        Self { name, by_blank: false, of_url: false }
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
        )
    })
}

/// The last three letters of a field's name, in small letters, where its value begins at `at` and no more than quotation marks and blanks stand
/// around its sign.
#[inline]
pub(super) fn ending(text: &[u8], at: usize) -> Option<[u8; 3]> {
    let is_between = |byte: &&u8| matches!(**byte, b' ' | b'"' | b'\'' | b'\\');
    let before = &text[at.saturating_sub(16)..at];
    let before = &before[..before.len() - before.iter().rev().take_while(is_between).count()];
    let (sign, before) = before.split_last()?;
    if !matches!(sign, b':' | b'=') {
        return None;
    }
    let before = &before[..before.len() - before.iter().rev().take_while(is_between).count()];
    let ending = before.last_chunk::<3>()?;
    ending.iter().all(u8::is_ascii_alphabetic).then(|| ending.map(|letter| letter.to_ascii_lowercase()))
}

/// The last letters of what stands in a name's place, and is none.
pub(super) fn unnamed() -> impl Iterator<Item = [u8; 3]> {
    TYPES.iter().chain(VALUES).filter_map(|name| name.as_bytes().last_chunk().copied())
}

/// The name of the field whose value begins at `at`.
#[inline]
pub(super) fn before(text: &[u8], at: usize) -> Option<Field<'_>> {
    let mut back = Back { text, at, least: at.saturating_sub(BEFORE) };
    let by_blank = back.sign()?;
    let name = back.name()?;
    let lower = |list: &[&str], name: &[u8]| list.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(name));
    if by_blank {
        return back.by_blank(name);
    }
    if lower(TYPES, name) && back.typed() {
        return back.name().map(Field::of);
    }
    if lower(VALUES, name) {
        return back.sibling().filter(|(_, of)| lower(NAMES, of)).map(|(name, _)| Field::of(name));
    }
    let of_url = text[..back.at].ends_with(b"//");
    // A key that names somebody is public (W3C's decentralized identifiers).
    if text[..back.at].ends_with(b"did:") {
        return None;
    }
    Some(Field { of_url, ..Field::of(back.whole(name)) })
}

/// A look back from a value.
struct Back<'t> {
    text: &'t [u8],
    at: usize,
    least: usize,
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
        if self.line() {
            self.blanks();
            // A block of YAML, or an element of XML over lines.
            if self.last() == Some(b'>') && !self.is_block() {
                return self.element().then_some(false);
            }
            self.skip(|byte| matches!(byte, b'|' | b'>' | b'-' | b'+'));
            self.blanks();
            return (self.last() == Some(b':') && {
                self.at -= 1;
                true
            })
            .then_some(false);
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
                    self.between();
                    return Some(false);
                }
                self.element().then_some(false)
            }
            b',' if quotes > 0 => {
                self.at -= 1;
                self.blanks();
                (self.quotes() > 0).then_some(false)
            }
            _ if blanks > 0 => Some(true),
            _ => None,
        }
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

    /// Skips the end of the tag of an element, `>`, and an attribute's value there is.
    fn element(&mut self) -> bool {
        if !self.strip(b">") {
            return false;
        }
        self.quotes();
        true
    }

    /// What a value is that stands behind a word and a blank: an option's, a login's, a header's with a scheme.
    fn by_blank(&mut self, name: &'t [u8]) -> Option<Field<'t>> {
        let is = |list: &[&str], name: &[u8]| list.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(name));
        if name.starts_with(b"--") || name.starts_with(b"-") && name.len() > 4 {
            return Some(Field { by_blank: true, ..Field::of(name) });
        }
        if is(SCHEMES, name) {
            let start = self.at;
            let header = self.sign().and_then(|by_blank| self.name().filter(|_| !by_blank));
            if let Some(header) = header.filter(|header| header.to_ascii_lowercase().ends_with(b"authorization")) {
                return Some(Field::of(header));
            }
            self.at = start;
            return name.eq_ignore_ascii_case(b"bearer").then_some(Field { by_blank: true, ..Field::of(b"bearer token") });
        }
        // "The password is …"
        let name = if is(&["is", "was"], name) && self.blanks() > 0 { self.name()? } else { name };
        let is_login = is(&["password", "passwd"], name);
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
            if DECLARE.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(word))
                || !word.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
            {
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
        let is_typed = self.last() == Some(b':');
        if is_typed {
            self.at -= 1;
            self.skip(|byte| byte == b'?');
        }
        is_typed || blanks > 0
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

/// The secret that begins at `at` under this name, and how it goes on.
pub(super) fn secret(text: &[u8], at: usize, field: &Field<'_>) -> Option<(Range<usize>, Option<Tail>)> {
    let kind = names::kind(field.name)?;
    if kind == Kind::Session && !is_cookie(text, at) {
        return None;
    }
    let mut end = value_end(text, at);
    // Of a user in a URL the host follows.
    if field.of_url {
        end = memchr::memchr(b'@', &text[at..end]).map_or(end, |host| at + host);
    }
    let value = &text[at..end];
    // The name of a scheme, before what it has; and what somebody has shortened.
    let is_scheme = field.name.eq_ignore_ascii_case(b"authorization")
        && text.get(end) == Some(&b' ')
        && text.get(end + 1).is_some_and(u8::is_ascii_alphabetic);
    let is_cut = text[end..].starts_with(b"...") || text[end..].starts_with("…".as_bytes()) || text[end..].starts_with(b"\\u2026");
    let is_public_key = || kind == Kind::Key && field.name.to_ascii_lowercase().ends_with(b"key") && is_public_key(value);
    (value.len() >= LEAST && !is_scheme && !is_cut && is_secret(kind, value, field.by_blank) && !is_public_key()).then(|| {
        let goes_on = end == at + LIMIT;
        (at..end, goes_on.then_some(Tail::Token))
    })
}

/// Whether a value stands in a header of cookies.
fn is_cookie(text: &[u8], at: usize) -> bool {
    let line = &text[at.saturating_sub(BEFORE)..at];
    let line = memchr::memrchr(b'\n', line).map_or(line, |end| &line[end..]);
    memchr::memmem::rfind(line, b"ookie").is_some()
}

/// The value of a Secret of Kubernetes that begins at `at`, in base64, whatever its name is.
pub(super) fn of_manifest(text: &[u8], at: usize) -> Option<Range<usize>> {
    let is_between = |byte: &u8| matches!(byte, b' ' | b'"' | b'\'' | b'\t' | b'\r' | b'\n' | b'|' | b'>' | b'-');
    if text[at.saturating_sub(24)..at].iter().rev().find(|byte| !is_between(byte)) != Some(&b':') {
        return None;
    }
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    let length = text[at..].iter().take(LIMIT).take_while(|byte| is_part(byte)).count();
    if length < LEAST || !length.is_multiple_of(4) || text[at..at + length].iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    // A line of YAML ends behind it, or a string of JSON.
    if !matches!(text.get(at + length), None | Some(b'\n' | b'\r' | b'"')) {
        return None;
    }
    let before = &text[at.saturating_sub(MANIFEST)..at];
    let data = memchr::memmem::find_iter(before, b"data").last()?;
    let sign = before[data + 4..].iter().find(|byte| **byte != b'"')?;
    if *sign != b':' || before[..data].ends_with(b"meta") {
        return None;
    }
    // What follows is looked at as far as the end of an event, where a stream may be cut.
    let after = &text[at..text.len().min(at + MANIFEST)];
    let ends = [&b"\n\n"[..], b"\n\r\n", b"\r\r", b"}\n", b"}\r"];
    let after = ends.iter().filter_map(|end| memchr::memmem::find(after, end)).min().map_or(after, |end| &after[..end]);
    (is_kind(before) || is_kind(after)).then_some(at..at + length)
}

/// Whether a text says that something is a Secret.
fn is_kind(text: &[u8]) -> bool {
    memchr::memmem::find_iter(text, b"kind").any(|at| {
        let value = &text[at + 4..text.len().min(at + 16)];
        let value = value.iter().position(u8::is_ascii_alphabetic).map_or(&value[..0], |from| &value[from..]);
        value.starts_with(b"Secret") && !value.get(6).is_some_and(u8::is_ascii_alphanumeric)
    })
}

/// Where the value ends that begins at `at`.
fn value_end(text: &[u8], at: usize) -> usize {
    let rest = &text[at..text.len().min(at + LIMIT)];
    let quote = at.checked_sub(1).map(|before| text[before]).filter(|byte| matches!(byte, b'"' | b'\'' | b'`'));
    let ends = |(by, byte): (usize, &u8)| match *byte {
        0..=b' ' | b'"' | b'\'' | b'`' | b'\\' | b'<' | b'>' | 0x7f.. => true,
        b',' | b'(' | b')' | b'{' | b'}' | b'[' | b']' | b'|' => quote.is_none(),
        b'&' if text[at + by..].starts_with(b"&quot;") || text[at + by..].starts_with(b"&#") || text[at + by..].starts_with(b"&apos;") => {
            true
        }
        b'%' if matches!(text.get(at + by + 1..at + by + 3), Some(b"22" | b"26" | b"0A" | b"0a")) => true,
        // Another field follows.
        b'&' | b';' => quote.is_none() && is_field(&text[at + by + 1..]),
        _ => false,
    };
    let end = rest.iter().enumerate().position(|(by, byte)| ends((by, byte))).map_or(at + rest.len(), |by| at + by);
    let value = &text[at..end];
    // A sentence ends behind it, or a list goes on.
    at + value.len() - value.iter().rev().take_while(|byte| matches!(byte, b'.' | b':' | b';' | b'!' | b'?' | b',')).count()
}

/// Whether a text begins with the name of a field and its sign, or with nothing that could belong to a value.
fn is_field(text: &[u8]) -> bool {
    let blank = text.iter().take(1).take_while(|byte| **byte == b' ').count();
    let name = text[blank..].iter().take(32).take_while(|byte| byte.is_ascii_alphanumeric() || b"_-. []".contains(byte)).count();
    match text.get(blank + name) {
        None => true,
        Some(byte) => *byte == b'=' || name == 0 && byte.is_ascii_control() || blank + name == 0 && matches!(byte, b'"' | b'\'' | b'\\'),
    }
}

/// Whether a value is the secret that its name speaks of.
fn is_secret(kind: Kind, value: &[u8], by_blank: bool) -> bool {
    let make = Make::of(value);
    let letters = make.lower + make.upper;
    let is_public = || is_address(value) || is_base58_key(value, make);
    let bits = make.surplus;
    let mixed = letters > 0 && make.digits > 0 || make.lower > 0 && make.upper > 0;
    // A word merely stands before it.
    if by_blank && (bits < 24 || make.digits == 0 || !mixed) {
        return false;
    }
    let is_random = match kind {
        Kind::Password => mixed && bits >= 12,
        Kind::Secret => mixed && bits >= 18 && !is_address(value),
        Kind::Session => mixed && bits >= 28 && make.length >= 20,
        Kind::Token => mixed && bits >= 20 && !is_public(),
        Kind::Named => make.length >= 20 && letters > 0 && make.digits > 0 && bits >= 24 && !is_address(value) && !is_uuid(value),
        // A commit has as many digits, and a number of an account is a UUID.
        Kind::Vendor => {
            make.length >= 24 && mixed && bits >= 28 && !is_public() && (make.beyond_hex > 0 && !is_uuid(value) || value.len() == 32)
        }
        Kind::Key => make.length >= 20 && letters > 0 && make.digits > 0 && bits >= 28 && !is_public() && !is_id(value, make),
    };
    // Last, for it looks at the value many times.
    is_random && !is_placeholder(value, make)
}

/// What stands where a secret would: words for one, masks, templates, rows of the alphabet.
fn is_placeholder(value: &[u8], make: Make) -> bool {
    const WORDS: &[&[u8]] = &[
        b"example",
        b"xxxx",
        b"your",
        b"changeme",
        b"change-me",
        b"change_me",
        b"replace",
        b"placeholder",
        b"redacted",
        b"insert",
        b"dummy",
        b"****",
        b"....",
        b"1234567890",
        b"abcdefgh",
        b"process.env",
        b"os.environ",
        b"secrets.",
        b"config.",
        b"settings.",
        b"token_here",
        b"key_here",
        b"<",
        b"${",
        b"{{",
        b"$(",
        b"%s",
        b"://",
    ];
    let holds = |word: &[u8]| value.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word));
    let is_flat = make.different < 8 || make.steps * 5 > make.length * 2;
    // What begins with these is published, or stands for a value that the host keeps.
    let is_reference = [&b"sr_"[..], b"pk_live_", b"pk_test_", b"phc_", b"sb_publishable_", b"pub-c-"].iter().any(|public| value.starts_with(public))
            || value[0] == b'$'
            // A path, and not base64, one of 64 of which begins so.
            || value.starts_with(b"/") && make.surplus < 18
            || value.starts_with(b"./");
    is_flat || is_reference || is_repeated(value) || WORDS.iter().any(|word| holds(word))
}

/// Whether a text is some shorter one over and over.
fn is_repeated(value: &[u8]) -> bool {
    (1..=value.len() / 2).any(|by| by <= 16 && value[by..] == value[..value.len() - by])
}

/// An address of Ethereum, or what has as many digits: public.
fn is_address(value: &[u8]) -> bool {
    value.strip_prefix(b"0x").is_some_and(|digits| digits.len() == 40 && digits.iter().all(u8::is_ascii_hexdigit))
}

/// 32 bytes in base58, as the addresses of Solana are, and a hash with `0x`.
fn is_base58_key(value: &[u8], make: Make) -> bool {
    let is_hash = value.strip_prefix(b"0x").is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit));
    is_hash
        || (32..=44).contains(&value.len())
            && make.signs == 0
            && make.upper > 0
            && make.lower > 0
            && !value.iter().any(|byte| b"0OIl".contains(byte))
}

/// A UUID (RFC 9562), in hexadecimal or not.
fn is_uuid(value: &[u8]) -> bool {
    value.len() == 36 && value.split(|byte| *byte == b'-').map(<[u8]>::len).eq([8, 4, 4, 4, 12])
}

/// 32 or 33 bytes in base64, as public keys of elliptic curves are.
fn is_public_key(value: &[u8]) -> bool {
    let bare = value.strip_suffix(b"=").unwrap_or(value);
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_');
    (bare.len() == 43 || bare.len() == 44 && value.len() == 44) && bare.iter().all(is_part)
}

/// A hash in hexadecimal, a UUID, a path, a dotted name: also with hashes among its parts.
fn is_id(value: &[u8], make: Make) -> bool {
    let parts = value.split(|byte| matches!(byte, b'-' | b'.' | b'/' | b':' | b'_'));
    let longest = parts.filter(|part| !part.iter().all(u8::is_ascii_hexdigit)).map(<[u8]>::len).max().unwrap_or(0);
    make.beyond_hex == 0 || longest < 16 && make.signs > 0
}

#[cfg(test)]
mod tests {
    use crate::{Rules, Scrubber, Search};
    use std::sync::Arc;

    fn found(text: &str) -> Vec<String> {
        let scrubber = Scrubber::new(Arc::new(Search::new(Vec::new(), Some(Rules::standard()))), Vec::new());
        scrubber.find(text.as_bytes()).into_iter().map(|(kind, at)| format!("{kind} {}", &text[at])).collect()
    }

    #[test]
    fn what_apis_say() {
        for text in [
            r#"{"@odata.nextLink":"https://graph.example.test/v1.0/users?$skiptoken=RFNwdAIAAQAAAB86YWRlbGV2QGNvbnRvc28uY29tKVVzZXJfNzQ2"}"#,
            r#"{"@odata.deltaLink":"https://graph.example.test/v1.0/users/delta?$deltatoken=oEcOySpF_hWYmTIUZBOIfPzcwisr_rPe8o9M54L45qEXQGmvQC6T"}"#,
            r#"{"$skipToken":"ew0KICAiJGlkIjogIjEiLA0KICAiTWF4Um93cyI6IDEwMDA"}"#,
            r#"{"id":"did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"}"#,
            r#"{"key_id":"568250167242549743","key":"2Sg8iYjAxxmI2LvUXpJjkYrMxURPc8r+dB7TJyvv1234"}"#,
            r#"{"key_id":"568250167242549743","key":"9vXr4sNp7q/Zt8kLw2mQ0dB3hJ6yU5cE1aT+oG4iWxM="}"#,
            r#"{"@type":"/cosmos.crypto.secp256k1.PubKey","key":"AjZ1mVbRq8Kp3nYw7tXc5LdG0hUe2JsF9oTiB4vMxQ6a"}"#,
            "https://dex.example.test/quote?fromToken=EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v&toToken=So2vKq7Zt8jLw3mQ9vXr4sNp7Rt2Lb9Kc4Vn6Yf3Hd5",
            r#"{"ClientToken":"3f1c9a52-7d0e-4c1b-9d7e-5a3b2c1d0e9f"}"#,
            r#"{"ClientRequestToken":"3f1c9a52-7d0e-4c1b-9d7e-5a3b2c1d0e9f"}"#,
            r#"{"replyToken":"0f3779fba3b349968c5d07db31eab56f"}"#,
            r#"<input type="hidden" name="authenticity_token" value="q7Zt8kLw2mQ9vXr4sNp7x7Rt1Lb9Kc4Vn6Yf3Hd0dB3hJ6yU5cE1aTQ" />"#,
            r#"<input type="hidden" name="_token" value="x7Rt1Lb9Kc4Vn6Yf3Hd0q7Zt8kLw2mQ9vXr4sNp7">"#,
            "<Key>uploads/9f86d081884c7d659a2feaa0c55ad015.png</Key>",
            r#"{"api_key":"phc_Q007bGNjvFuazd5XaXEJfA9gFNf-HOeycEIOeRkLkDQ"}"#,
            "https://o1.ingest.example.test/api/2/envelope/?sentry_key=c7a90d15fb3e4682ad9407e158bc236f&sentry_version=7",
            r#"subscribe({applicationServerKey: "BEl62iUYgUivxIkv69yViEuiBIa-Ib9-SkvMeAtA3LFgDzkrxZJjSgSnfckjBJuBkr3qBUYIHBQFLXYp5Nksh8U"})"#,
        ] {
            assert_eq!(found(text), Vec::<String>::new(), "{text}");
        }
        assert_eq!(found("LEDGER_SECRET=/etc/ledger/private/server-secret.pem"), Vec::<String>::new());
        for text in [
            r#"{"client_secret":"x7Rt1Lb9Kc4Vn6Yf3Hd0"}"#,
            r#"{"clientAccessToken":"x7Rt1Lb9Kc4Vn6Yf3Hd0"}"#,
            r#"{"device_auth_token":"x7Rt1Lb9Kc4Vn6Yf3Hd0"}"#,
            r#"{"refresh_token":"x7Rt1Lb9Kc4Vn6Yf3Hd0"}"#,
            r#"{"private_key":"9vXr4sNp7q/Zt8kLw2mQ0dB3hJ6yU5cE1aT+oG4iWxM="}"#,
            r#"{"auth":"9vXr4sNp7q/Zt8kLw2mQ0dB3hJ6yU5cE1aT+oG4iWxM="}"#,
            "SENTRY_AUTH_TOKEN=x7Rt1Lb9Kc4Vn6Yf3Hd0",
            "LEDGER_SECRET=/x7Rt1Lb9Kc4Vn6Yf3Hd0+q7Zt8kLw2mQ=",
        ] {
            assert_eq!(found(text).len(), 1, "{text}");
        }
    }

    #[test]
    fn a_value_that_begins_with_a_known_key_and_goes_on_goes_whole() {
        let value = "AKIAMNVUVDIWR3CEQCOL/x7Rt1Lb9Kc4Vn6Yf3Hd0q7Zt8kLw2mQ";
        let all = found(&format!("LEDGER_SECRET={value}"));
        assert!(all.contains(&format!("secret-field {value}")), "{all:?}");
        assert_eq!(found("LEDGER_SECRET=AKIAMNVUVDIWR3CEQCOL"), ["aws-access-key-id AKIAMNVUVDIWR3CEQCOL"]);
    }

    #[test]
    fn a_private_key_is_found_whatever_it_belongs_to() {
        let digits = "4f3edf983ac636a65a842ce7c78d9aa706d3b113bce9c46f30d7d21715b23b1d";
        for name in ["CONTRACT_DEPLOYER_PRIVATE_KEY", "NODE_PRIVATE_KEY", "MINT_AUTHORITY_PRIVATE_KEY", "VERIFIER_PRIVATE_KEY"] {
            assert_eq!(found(&format!("{name}=0x{digits}")).len(), 1, "{name}");
        }
        let secret = "U3rM8tIH7IJRGvg5Mzh3eqRQ58vgtOVuSuEWeMtw";
        assert!(found(&format!("BUCKET_SECRET_ACCESS_KEY={secret}")).contains(&format!("aws-secret-access-key {secret}")));
        assert_eq!(found(&format!("NODE_PUBLIC_KEY=0x{digits}")), Vec::<String>::new());
    }
}
