//! What is too short for the first pass to mark by itself, and is told by what stands before it: a password behind its name, the value of
//! an option that takes a login, a password or a header.
//!
//! The first pass marks two letters `s`, as in `password`, and the hyphen of an option. Names end in a word for a password: what is so short
//! and stands under `token` or `key` is too often something else.

use super::LEAST;
use super::fields::{is_placeholder, value_end};
use super::layouts;
use super::measure::Make;
use super::names::{self, Kind};
use super::validators::is_basic;
use std::ops::Range;

/// Most bytes from the mark to what it tells.
pub(in super::super) const HINT: usize = 64;
/// Least bytes of a value.
const SHORTEST: usize = 8;
/// Most bytes between a name and its value.
const BETWEEN: usize = 16;

/// Whether the first pass marks what stands here.
pub(super) fn hints(text: &[u8], at: usize) -> bool {
    let is = |by: usize, is: fn(&u8) -> bool| text.get(at + by).is_some_and(is);
    let is_s = |byte: &u8| byte | 0x20 == b's';
    let begins = || at == 0 || !text[at - 1].is_ascii_alphanumeric();
    is(0, is_s) && is(1, is_s) || text[at] == b'-' && is(1, u8::is_ascii_alphanumeric) && begins()
}

/// Whether the word around `at` is `pass`, or begins with it.
#[inline]
pub(super) fn is_password(text: &[u8], at: usize) -> bool {
    at > 1 && text[at - 2..].first_chunk::<4>().is_some_and(|word| u32::from_le_bytes(*word) | 0x2020_2020 == u32::from_le_bytes(*b"pass"))
}

/// The password that stands in the field whose name has `pass` around `at`.
#[cold]
pub(super) fn field(text: &[u8], at: usize) -> Option<Range<usize>> {
    let skip = |from: usize, is_part: fn(&u8) -> bool| from + text[from..].iter().take(BETWEEN).take_while(|byte| is_part(byte)).count();
    let is_between = |byte: &u8| b" \t\"'`=:>(,\\|<[]{?".contains(byte);
    let name = skip(at, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    let mut from = skip(name, is_between);
    // `key="password" value="…"`, and "The password is …".
    if let Some(word) = [&b"value"[..], b"is", b"As String"].iter().find(|word| text[from..].starts_with(word)) {
        from = skip(from + word.len(), is_between);
    }
    if from == name || from - at > HINT {
        return None;
    }
    let field = layouts::before(text, from)?;
    let says_pass = || field.name.len() > 3 && field.name[field.name.len() - 4..].eq_ignore_ascii_case(b"pass");
    let is_one = names::kind(field.name).is_some_and(|kind| kind == Kind::Password || says_pass());
    is_one.then(|| password(text, from, field.by_blank))?
}

/// The short password that begins at `at`. Behind no more than a blank it has to look like nothing else.
pub(super) fn password(text: &[u8], at: usize, by_blank: bool) -> Option<Range<usize>> {
    let end = value_end(text, at);
    // A sign that ends a sentence may be the last one of a password, where nothing else stands before what ends it.
    let signs = text[end..].iter().take_while(|byte| matches!(byte, b'!' | b'?')).count();
    let is_last = text.get(end + signs).is_none_or(|byte| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'<'));
    let end = end + if is_last { signs } else { 0 };
    let value = &text[at..end];
    if !(SHORTEST..LEAST).contains(&value.len()) || text.get(end) == Some(&b'(') {
        return None;
    }
    let make = Make::of(value);
    let has_sign = value.iter().any(|byte| b"!@#$%^&*?".contains(byte));
    let is_quoted = at > 0 && matches!(text[at - 1], b'"' | b'\'');
    // What programs call a thing, and a number or a date.
    let is_path = value.iter().any(|byte| b"./:({[=<".contains(byte)) && !(is_quoted && has_sign);
    let is_name = value[0] == b'$' || is_path || value.windows(2).any(|pair| pair == b"${" || pair == b"{{");
    let says_so = [&b"pass"[..], b"pwd", b"test", b"user", b"admin", b"secret"]
        .iter()
        .any(|word| value.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word)));
    let is_within = |byte: &u8| b"!@#$%^&*?".contains(byte);
    let is_mixed = make.lower + make.upper > 1 && (make.digits > 0 || is_quoted && value[1..value.len() - 1].iter().any(is_within));
    let is_chosen = has_sign || make.lower > 0 && make.upper > 0 && (is_quoted || make.surplus >= 0) || make.surplus >= 6;
    let is_told = !by_blank || is_quoted || has_sign || make.surplus >= 12;
    (is_mixed && is_chosen && is_told && make.different > 5 && !is_name && !says_so && !is_placeholder(value, make)).then_some(at..end)
}

/// An option of a command, by what it takes, and where that begins.
pub(super) enum Given {
    Login(usize),
    Password(usize),
    Header(usize),
}

impl Given {
    /// The option whose last hyphen stands at `at`.
    #[inline]
    pub(super) fn at(text: &[u8], at: usize) -> Option<Self> {
        let is_long = at > 0 && text[at - 1] == b'-';
        let name = &text[at + 1..text.len().min(at + 20)];
        let name = &name[..name.iter().take_while(|byte| byte.is_ascii_alphabetic()).count()];
        let kind: fn(usize) -> Self = match (is_long, name) {
            (false, [.., b'u']) if name.len() < 6 => Self::Login,
            (true, b"user") => Self::Login,
            (false, b"H") | (true, b"header") => Self::Header,
            (false, b"p" | b"a") => Self::Password,
            _ => return None,
        };
        let from = at + 1 + name.len();
        let between = text[from..].iter().take(4).take_while(|byte| matches!(byte, b' ' | b'=' | b'"' | b'\'')).count();
        (between > 0 && matches!(text[from], b' ' | b'=') && from + between < text.len()).then(|| kind(from + between))
    }
}

/// The short value of a header that an option gives: `Api-Token: …`, `Authorization: Basic …`.
#[cold]
pub(super) fn header(text: &[u8], at: usize) -> Option<Range<usize>> {
    let line = &text[at..text.len().min(at + HINT - 16)];
    let sign = memchr::memchr(b':', line).filter(|sign| line[..*sign].iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-'))?;
    let name = &line[..sign];
    if !matches!(names::kind(name), Some(Kind::Secret | Kind::Password | Kind::Named | Kind::Key)) {
        return None;
    }
    let mut value = line[sign + 1..].trim_ascii_start();
    let mut scheme = &value[..0];
    if name.eq_ignore_ascii_case(b"authorization")
        && let Some(blank) = memchr::memchr(b' ', value)
    {
        (scheme, value) = (&value[..blank], value[blank..].trim_ascii_start());
    }
    let from = at + line.len() - value.len();
    let end = value_end(text, from);
    let value = &text[from..end];
    if !(SHORTEST..LEAST).contains(&value.len()) {
        return None;
    }
    let make = Make::of(value);
    let is_token = || make.lower + make.upper > 0 && make.digits > 0 && make.surplus >= 8 && !is_placeholder(value, make);
    let is_secret = if scheme.eq_ignore_ascii_case(b"basic") { is_basic(value) } else { is_token() && make.different > 5 };
    is_secret.then_some(from..end)
}

#[cfg(test)]
mod tests {
    use crate::{Rules, Scrubber, Search};
    use std::sync::Arc;

    fn scrubber() -> Arc<Scrubber> {
        Arc::new(Scrubber::new(Arc::new(Search::new(Vec::new(), Some(Rules::standard()))), Vec::new()))
    }

    #[test]
    fn a_short_password_is_found_behind_its_name_and_behind_an_option() {
        let scrubber = scrubber();
        for value in ["Kd8!fz2Lq0", "hQ7#rT2pLm", "vT9zq4Lw", "summer24!"] {
            for layout in [
                "password = \"{}\"\n",
                "  \"password\": \"{}\",",
                "export LEDGER_PASSWORD='{}'",
                "<add key=\"ClearTextPassword\" value=\"{}\" />",
                "<password>{}</password>",
                "ansible_ssh_pass: '{}'",
                "passphrase => \"{}\"",
                "The password is '{}'",
                "curl -u joe:{} https://ledger.example.test",
                "curl --user 'joe:{}' https://ledger.example.test",
                "sshpass -p '{}' ssh joe@ledger.example.test",
                "Connect-VIServer -User joe -Password '{}'",
            ] {
                let text = layout.replace("{}", value);
                let found = scrubber.find(text.as_bytes());
                let is_found = |(_, at): &(String, std::ops::Range<usize>)| text[at.clone()].contains(value);
                assert!(found.len() == 1 && found.iter().all(is_found), "{text}: {found:?}");
                for cuts in [[1], [3], [30]] {
                    crate::naive::compare(&scrubber, text.as_bytes(), &cuts);
                }
            }
        }
    }

    #[test]
    fn a_short_value_of_a_header_is_found_behind_its_option() {
        let scrubber = scrubber();
        for (header, count) in [
            ("Api-Token: Sk94HG7f6KB", 1),
            ("Authorization: Basic am9lOnE3WnQ=", 1),
            ("Authorization: Bearer q7Zt8kLw2mQ9", 1),
            ("Authorization: Basic YWRtaW46YWRtaW4=", 0),
            ("Authorization: Bearer $TOKEN_1A", 0),
            ("Accept: application/json", 0),
            ("X-Request-Id: q7Zt8kLw2mQ9", 0),
        ] {
            let text = format!("curl -s -H \"{header}\" https://ledger.example.test/v1");
            assert_eq!(scrubber.find(text.as_bytes()).len(), count, "{text}");
            crate::naive::compare(&scrubber, text.as_bytes(), &[7]);
        }
    }

    #[test]
    fn what_stands_where_a_short_password_would_is_none() {
        let scrubber = scrubber();
        for text in [
            "password = changeme1",
            "password: \"password1\"",
            "password: \"Pass-w0rd\"",
            "\"password\": \"required\"",
            "password = getenv2(\"X\")",
            "password: form.value2",
            "password=$DB_PASS_1",
            "newPassword: minLength8",
            "\"password\": \"Test1234\"",
            "compass: \"Kd8!fz2Lq0\"",
            "message = \"Kd8!fz2Lq0\"",
            "docker run -u 1000:1000 ledger",
            "mkdir -p build/v2.1a",
            "process --help or -h",
        ] {
            assert!(scrubber.find(text.as_bytes()).is_empty(), "{text}: {:?}", scrubber.find(text.as_bytes()));
        }
    }
}
