//! Patterns for secrets that nobody registered. They are data: `rules.toml` beside this file, and what an operator adds to it.
//!
//! A rule with keywords is tried where a word begins with one of them; a rule with names, where a value stands under such a
//! name; a detector, where its own kind of text begins. None is tried anywhere else, so that their number hardly matters. Rules of other
//! scanners have a search of their own for their keywords (`gitleaks`).

mod detectors;
mod endings;
mod fields;
mod formats;
mod gitleaks;
mod layouts;
mod manifests;
mod measure;
mod names;
mod phrases;
mod read;
mod short;
mod validators;
mod why;

pub(super) use gitleaks::CELL;
pub use gitleaks::Notice;
pub(super) use manifests::Kinds;
pub use read::RuleError;
pub(super) use short::HINT;
pub use why::Reason;

use super::lanes;
use endings::Endings;
use layouts::Field;
use regex::bytes::{Regex, RegexBuilder};
use smallvec::SmallVec;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::ops::Range;
use std::sync::{Arc, OnceLock};
use validators::Validator;

/// Most bytes that are looked at to decide a rule. What is longer and still fits is taken out as far as it goes.
pub(super) const LIMIT: usize = 512;
/// Least bytes of a secret that a rule finds.
pub(super) const LEAST: usize = 16;
/// Least bytes of a value that a rule with names is tried on.
const LEAST_VALUE: usize = 24;
/// Most bytes that are looked at for what a rule or a detector finds.
pub(super) const AHEAD: usize = if phrases::LIMIT > LIMIT { phrases::LIMIT } else { LIMIT };
/// Bytes of a row, by which lists are marked.
const ROW: usize = 16;
/// Most bytes before what is found that are looked at.
pub(super) const BEHIND: usize = manifests::AROUND + 64 + NEAR;
/// Most bytes by which one of the host's own rules finds something before another scanner's does, and finds the same.
const NEAR: usize = 64;

/// The rules, ready for search.
#[derive(Clone)]
pub struct Rules {
    rules: Vec<Arc<Rule>>,
    /// For each first three bytes of a keyword, the keywords and their rules.
    keywords: ByThree<(Keyword, usize)>,
    /// Which those are, roughly.
    beginnings: Box<[u64; 1024]>,
    /// Keywords that end with a blank, and their rules.
    behind: Vec<(String, usize)>,
    /// Which bytes stand before those blanks.
    before_blank: [bool; 256],
    /// How the names of fields end, and the rules of each ending.
    names: Endings,
    /// Which three letters those end with, roughly.
    endings: Box<[u64; 1024]>,
    detectors: [Option<usize>; detectors::COUNT],
    /// Rules of other scanners.
    patterns: Option<Arc<gitleaks::Patterns>>,
    /// What the operator is told of them.
    notices: Vec<Notice>,
}

/// What is known by three bytes.
type ByThree<T> = HashMap<[u8; 3], Vec<T>, BuildHasherDefault<Few>>;

/// A hash of a few bytes, which nobody but the rules chooses.
#[derive(Default)]
struct Few(u64);

impl Hasher for Few {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, byte| hash.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 ^= number;
    }

    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        let product = self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        product ^ product >> 32
    }
}

/// What a secret begins with.
#[derive(Clone)]
struct Keyword {
    text: String,
    /// Where its last word begins.
    word: usize,
    /// Its first eight bytes, or as many as it has.
    head: u64,
    mask: u64,
}

impl Keyword {
    fn new(text: String, word: usize) -> Self {
        let mask = u64::MAX >> (64 - 8 * text.len().clamp(1, 8));
        Self { head: eight(text.as_bytes()), mask, text, word }
    }

    /// Whether it stands where a text begins whose first eight bytes are these.
    #[inline]
    fn begins(&self, text: &[u8], first: u64) -> bool {
        (first ^ self.head) & self.mask == 0 && text.starts_with(self.text.as_bytes())
    }
}

/// The first eight bytes of a text, in the order of their places; zeros for those that it does not have.
#[inline]
fn eight(text: &[u8]) -> u64 {
    match text.first_chunk() {
        Some(eight) => u64::from_le_bytes(*eight),
        None => text.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)),
    }
}

/// One kind of secret.
struct Rule {
    name: String,
    /// What is put in a secret's stead.
    mark: String,
    /// Whether the expression holds from the keyword's own beginning.
    from_start: bool,
    what: String,
    expression: String,
    compiled: OnceLock<Option<Compiled>>,
    /// What the expression holds nowhere without.
    needs: Option<String>,
    validator: Option<Validator>,
    /// What is printed in documentation, and is none.
    published: Vec<String>,
}

/// An expression, compiled.
struct Compiled {
    regex: Regex,
    /// Whether it ends with what `-` belongs to, and `_`: where one of those follows, what is found is only a part.
    joints: [bool; 2],
}

/// Where a rule holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Match {
    pub(super) at: Range<usize>,
    /// What of it is the secret: not the keyword, nor what stands around a password.
    pub(super) secret: Range<usize>,
    pub(super) rule: usize,
    /// What goes on beyond what was looked at.
    pub(super) tail: Option<Tail>,
}

/// Where one rule holds.
struct Matched {
    at: Range<usize>,
    secret: Range<usize>,
    tail: Option<Tail>,
}

impl Matched {
    fn of(self, rule: usize) -> Match {
        Match { at: self.at, secret: self.secret, rule, tail: self.tail }
    }
}

/// How a secret goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tail {
    /// As long as the characters of a token follow.
    Token,
    /// To the line that ends a PEM block (RFC 7468), or for 16 KiB.
    Pem,
}

impl Tail {
    /// Where what goes on at `from` ends, and whether it does before `end`.
    pub(super) fn end(self, text: &[u8], from: usize, end: usize) -> (usize, bool) {
        match self {
            Self::Token => {
                let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.+/=~".contains(byte);
                let length = text[from..end].iter().take_while(|byte| is_part(byte)).count();
                (from + length, from + length < end)
            }
            Self::Pem => detectors::pem_end(text, from).map_or((end, false), |end| (end, true)),
        }
    }
}

impl Rules {
    /// What is put in the stead of a rule's secret.
    pub(super) fn mark(&self, rule: usize) -> &str {
        &self.rules[rule].mark
    }

    /// The name of a rule.
    pub(super) fn name(&self, rule: usize) -> &str {
        &self.rules[rule].name
    }

    /// What a rule finds.
    pub(super) fn what(&self, rule: usize) -> &str {
        &self.rules[rule].what
    }

    /// The number of a rule.
    pub(super) fn number(&self, name: &str) -> Option<usize> {
        self.rules.iter().position(|rule| rule.name == name)
    }

    /// Whether a rule has this name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.number(name).is_some()
    }

    /// Each rule's name, and what it finds.
    pub fn list(&self) -> impl Iterator<Item = (&str, &str)> {
        self.rules.iter().map(|rule| (rule.name.as_str(), rule.what.as_str()))
    }

    /// What the operator is to know of the rules of other scanners: which are not used, and what of the others is not as it says there.
    #[must_use]
    pub fn notices(&self) -> &[Notice] {
        &self.notices
    }

    /// Whether a manifest of Kubernetes that holds a Secret may stand around a block of a text that begins at `at`: there its values are looked at,
    /// whatever their names.
    #[inline]
    pub(super) fn may_have_manifest(&self, text: &[u8], at: usize, kinds: &mut Kinds) -> bool {
        self.detectors[detectors::MANIFEST].is_some() && (kinds.may_be_said(text, at) || kinds.may_be_said(text, at + lanes::BLOCK))
    }

    /// The value of a Secret of Kubernetes that begins at `at`.
    pub(super) fn in_manifest(&self, text: &[u8], at: usize, found: &mut Vec<Match>) {
        let Some(rule) = self.detectors[detectors::MANIFEST] else { return };
        found.extend(manifests::of_manifest(text, at).map(|at| Match { secret: at.clone(), at, rule, tail: None }));
    }

    /// What begins with the word at `at`. `kinds` tell whether that may stand in a manifest of Kubernetes.
    #[inline]
    pub(super) fn word(&self, text: &[u8], at: usize, kinds: &mut Kinds, found: &mut Vec<Match>) {
        let Some(first) = text[at..].first_chunk::<3>() else { return };
        if is_set(&self.beginnings, *first) {
            self.by_keyword(text, at, *first, found);
        }
        if let Some(sign) = detectors::azure_sign(text, at) {
            self.detect(detectors::AZURE, text, sign, found);
        }
        if text.get(at + 36..at + 40) == Some(b"_mmk") {
            self.detect(detectors::MAXMIND, text, at, found);
        }
        if text.get(at + 32) == Some(&b'-') {
            self.detect(detectors::HEX, text, at, found);
        }
        let Some(before) = at.checked_sub(1).map(|before| text[before]) else { return };
        let is_before = IS_BEFORE[usize::from(before)];
        if is_before != 0 {
            self.behind(text, at, (before, is_before), kinds, found);
        } else if at > 2 && text[at - 3] == b'%' {
            self.by_name(text, at, kinds, found);
        }
        if matches!(first[0], b'5' | b'K' | b'L' | b'9' | b'c') && detectors::may_be_wif(text, at) {
            self.detect(detectors::WIF, text, at, found);
        }
    }

    /// What stands behind a sign that a secret may stand behind: `before` is that, and what it may stand before.
    #[inline]
    fn behind(&self, text: &[u8], at: usize, (before, is_before): (u8, u8), kinds: &mut Kinds, found: &mut Vec<Match>) {
        if is_before & BAR != 0 {
            self.detect(detectors::FACEBOOK, text, at, found);
        }
        if is_before & LOGIN != 0 && detectors::may_be_login(text, at) {
            self.detect(detectors::LOGIN, text, at, found);
        }
        if before == b' ' && at > 1 && self.before_blank[usize::from(text[at - 2])] {
            self.behind_blank(text, at, found);
        }
        // Behind a backslash it is a part of an escape.
        let is_escape = || before == b'\\' && matches!(text[at], b'n' | b'r' | b't' | b'u' | b'x' | b'b' | b'f' | b'v');
        if is_before & VALUE != 0 {
            let Some(has_digit) = may_be_random(text, at) else { return };
            if detectors::may_be_signed(text, at) {
                self.detect(detectors::SIGNED, text, at, found);
            }
            if layouts::may_have_name(text, at, has_digit) && !is_escape() {
                self.by_name(text, at, kinds, found);
            }
        } else if is_before & SIGN != 0
            && at > 1
            && IS_BEFORE[usize::from(text[at - 2])] & VALUE != 0
            && let Some(has_digit) = may_be_random(text, at)
            && layouts::may_have_name(text, at - 1, has_digit)
        {
            self.by_name(text, at - 1, kinds, found);
        }
    }

    fn by_keyword(&self, text: &[u8], at: usize, first: [u8; 3], found: &mut Vec<Match>) {
        let here = eight(&text[at..]);
        for (keyword, number) in self.keywords.get(&first).into_iter().flatten() {
            let Some(start) = at.checked_sub(keyword.word) else { continue };
            let first = if keyword.word == 0 { here } else { eight(&text[start..]) };
            if keyword.begins(&text[start..], first) && begins_word(text, start) {
                let rule = &self.rules[*number];
                let from = if rule.from_start { start } else { start + keyword.text.len() };
                // The same keyword again behind its own sign is tried where it begins: a row of them costs one trial.
                let is_again = || text[from..].starts_with(keyword.text.as_bytes()) && !text[from - 1].is_ascii_alphanumeric();
                if !rule.from_start && is_again() {
                    continue;
                }
                found.extend(rule.matched(text, start, from).map(|found| found.of(*number)));
            }
        }
    }

    #[cold]
    fn behind_blank(&self, text: &[u8], at: usize, found: &mut Vec<Match>) {
        for (keyword, number) in &self.behind {
            if text[..at].ends_with(keyword.as_bytes()) {
                let start = at - keyword.len();
                found.extend(self.rules[*number].matched(text, start, at).map(|found| found.of(*number)));
            }
        }
    }

    #[inline]
    fn by_name(&self, text: &[u8], at: usize, kinds: &mut Kinds, found: &mut Vec<Match>) {
        if kinds.may_be_said(text, at) {
            self.in_manifest(text, at, found);
        }
        // Most names are told apart by their last letters.
        let end = layouts::name_end(text, at);
        let is_none = |last: [u8; 3]| !is_set(&self.endings, last);
        if end.and_then(|end| layouts::last_letters(text, end)).is_some_and(is_none) {
            return;
        }
        let name = end.and_then(|end| layouts::name(text, end));
        if let Some(rule) = self.detectors[detectors::KEY].filter(|_| name.is_none_or(|(name, _)| name.len() < 3)) {
            found.extend(manifests::of_key(text, at).map(|at| Match { secret: at.clone(), at, rule, tail: None }));
        }
        let may_be_named = |(name, is_all): (&[u8], bool)| match layouts::last_three(name) {
            Some(last) if is_none(last) => false,
            Some(_) if is_all => self.names.any(layouts::backwards(name)),
            last => last.is_some() || !is_all,
        };
        if !name.is_none_or(may_be_named) {
            return;
        }
        let Some(field) = layouts::before(text, at) else { return };
        if layouts::last_three(field.name).is_some_and(|last| is_set(&self.endings, last)) {
            self.named(text, at, &field, found);
        }
    }

    #[cold]
    fn named(&self, text: &[u8], at: usize, field: &Field<'_>, found: &mut Vec<Match>) {
        let name: SmallVec<[u8; 64]> = field.name.iter().filter(|byte| byte.is_ascii_alphanumeric()).map(u8::to_ascii_lowercase).collect();
        let digits = name.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
        let name = &name[..name.len() - digits];
        let is_long = || text[at..].iter().take(LEAST_VALUE).take_while(|byte| !lanes::breaks(**byte)).count() == LEAST_VALUE;
        let mut field_rule = None;
        for (ending, number) in self.names.of(name) {
            if self.detectors[detectors::FIELD] == Some(number) {
                field_rule = Some(number);
            } else if is_long() && (!names::is_public(field.name) || names::is_public(ending)) {
                found.extend(self.rules[number].matched(text, at, at).map(|found| found.of(number)));
            }
        }
        let secret = field_rule.and_then(|rule| Some((rule, fields::secret(text, at, field)?)));
        // Where a rule knows more of it, that rule alone says whether it may pass: if it knows all of the value.
        let is_known = |whole: &Range<usize>| {
            let filled = text[whole.clone()].iter().rev().take_while(|byte| **byte == b'=').count();
            let is_whole = |known: &Match| known.tail.is_some() || known.at.end >= whole.end - filled;
            found.iter().any(|known| (at..at + LEAST).contains(&known.at.start) && is_whole(known))
        };
        if let Some((rule, (at, tail))) = secret.filter(|(_, (whole, _))| !is_known(whole)) {
            found.push(Match { secret: at.clone(), at, rule, tail });
        }
    }

    /// What begins with five hyphens at `at`.
    pub(super) fn dashes(&self, text: &[u8], at: usize, found: &mut Vec<Match>) {
        self.detect(detectors::PEM, text, at, found);
    }

    /// What is short and stands behind the name or the option that is hinted at by the byte at `at`.
    #[inline]
    pub(super) fn hint(&self, text: &[u8], at: usize, found: &mut Vec<Match>) {
        if text[at] == b'-' {
            self.option(text, at, found);
        } else if short::is_password(text, at)
            && let Some(rule) = self.detectors[detectors::FIELD]
            && let Some(at) = short::field(text, at)
        {
            found.push(Match { secret: at.clone(), at, rule, tail: None });
        }
    }

    #[inline]
    fn option(&self, text: &[u8], at: usize, found: &mut Vec<Match>) {
        let Some(option) = short::Given::at(text, at) else { return };
        let (rule, at) = match option {
            short::Given::Login(at) => (detectors::LOGIN, detectors::login(text, at)),
            short::Given::Password(at) => (detectors::FIELD, short::password(text, at, true)),
            short::Given::Header(at) => (detectors::FIELD, short::header(text, at)),
        };
        if let (Some(rule), Some(at)) = (self.detectors[rule], at) {
            found.push(Match { secret: at.clone(), at, rule, tail: None });
        }
    }

    /// Whether a word of a list may begin at `at`, or a number.
    #[inline]
    pub(super) fn may_list(&self, text: &[u8], at: usize) -> bool {
        text[at].is_ascii_digit() || phrases::may_begin(text, at)
    }

    /// What stands around `at` that is made of short words or numbers, and begins in `starts`.
    /// Returns where the list ends that was looked at.
    pub(super) fn list_at(&self, text: &[u8], at: usize, starts: &Range<usize>, found: &mut Vec<Match>) -> usize {
        let is_part = |byte: &u8| byte.is_ascii_alphabetic() || !byte.is_ascii();
        let Some(row) = text.get(at..).filter(|row| !row.is_empty()) else { return at };
        if row.iter().take(ROW).any(is_part) {
            let Some(rule) = self.detectors[detectors::MNEMONIC] else { return at };
            return phrases::find(text, at, starts, |at| found.push(Match { secret: at.clone(), at, rule, tail: None }));
        }
        if let Some(rule) = self.detectors[detectors::BYTES] {
            found.extend(detectors::byte_array(text, at, starts).map(|at| Match { secret: at.clone(), at, rule, tail: None }));
        }
        at
    }

    fn detect(&self, detector: usize, text: &[u8], at: usize, found: &mut Vec<Match>) {
        let Some(rule) = self.detectors[detector] else { return };
        let (range, tail) = match detector {
            detectors::WIF => (detectors::wif(text, at), None),
            detectors::AZURE => (detectors::azure(text, at), None),
            detectors::LOGIN => (detectors::login(text, at), None),
            detectors::FACEBOOK => (detectors::facebook(text, at), None),
            detectors::MAXMIND => (detectors::maxmind(text, at), None),
            detectors::HEX => (detectors::hex_with_suffix(text, at), None),
            detectors::SIGNED => (detectors::signed(text, at), None),
            _ => (detectors::pem(text, at), Some(Tail::Pem)),
        };
        found.extend(range.map(|at| Match { secret: at.clone(), at, rule, tail }));
    }

    /// Every match in a text, by the slow way: every place is tried.
    pub(super) fn all(&self, text: &[u8]) -> Vec<Match> {
        let mut found = self.own(text, 0..text.len());
        self.others(text, &(0..text.len()), &mut found);
        found
    }

    /// What the host's own rules find that begins in `starts`, by the slow way.
    fn own(&self, text: &[u8], starts: Range<usize>) -> Vec<Match> {
        let mut found = Vec::new();
        for at in starts.start.saturating_sub(HINT)..starts.end {
            if short::hints(text, at) {
                self.hint(text, at, &mut found);
            }
        }
        found.retain(|found| starts.contains(&found.at.start));
        for at in starts {
            if begins_word(text, at) {
                if is_marked(text, at) {
                    self.word(text, at, &mut Kinds::any(), &mut found);
                } else {
                    self.in_manifest(text, at, &mut found);
                }
                self.list_at(text, at, &(at..at + 1), &mut found);
            } else if !text[at].is_ascii() {
                self.list_at(text, at, &(at..at + 1), &mut found);
            }
            if text[at..].starts_with(b"-----") {
                self.dashes(text, at, &mut found);
            }
            if text[at] == b'[' {
                self.list_at(text, at, &(at..at + 1), &mut found);
            }
        }
        found
    }
}

impl std::fmt::Debug for Rules {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Rules({})", self.rules.len())
    }
}

impl Rule {
    /// One that is tried nowhere yet.
    fn named(name: String, what: String) -> Self {
        Self {
            mark: format!("[redacted:{name}]"),
            name,
            from_start: false,
            what,
            expression: String::new(),
            compiled: OnceLock::new(),
            needs: None,
            validator: None,
            published: Vec::new(),
        }
    }

    fn error(&self, problem: &str) -> RuleError {
        RuleError { file: 0, rule: self.name.clone(), problem: problem.to_owned() }
    }

    /// The expression, compiled where it is first needed: most runs need few.
    fn compiled(&self) -> Option<&Compiled> {
        let compile = || {
            let regex = RegexBuilder::new(&format!(r"\A(?:{})", self.expression)).unicode(false).size_limit(1 << 20).build().ok()?;
            // Of a format that is sealed, every string is.
            let joints = if self.from_start { [false; 2] } else { formats::joints(&self.expression) };
            Some(Compiled { regex, joints })
        };
        self.compiled.get_or_init(compile).as_ref()
    }

    /// The secret from `start` on, whose expression begins at `at`.
    fn matched(&self, text: &[u8], start: usize, at: usize) -> Option<Matched> {
        let looked_at = &text[at..text.len().min(start + LIMIT)];
        // A line's end ends every secret but those of several lines, which have detectors.
        let looked_at = memchr::memchr(b'\n', looked_at).map_or(looked_at, |end| &looked_at[..end]);
        if self.needs.as_ref().is_some_and(|needs| memchr::memmem::find(looked_at, needs.as_bytes()).is_none()) {
            return None;
        }
        let Compiled { regex, joints } = self.compiled()?;
        let whole = regex.find(looked_at)?;
        let end = at + whole.end();
        let goes_on = end == start + LIMIT;
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-' && joints[0] || *byte == b'_' && joints[1];
        if !goes_on && text.get(end).is_some_and(is_part) {
            return None;
        }
        let group = || regex.captures(looked_at)?.get(1).map(|group| at + group.start()..at + group.end());
        let password = || group().map(|group| &text[group]);
        let valid = self.validator.is_none_or(|validator| validator.admits(&text[start..end], whole.as_bytes(), password));
        // What goes on as a mask stands for a secret, and what has the ending of a file names one.
        const NONE: &[&[u8]] =
            &[b"###", b"***", b".png", b".jpg", b".jpeg", b".gif", b".svg", b".webp", b".ico", b".css", b".js", b".html"];
        if NONE.iter().any(|end_of| text[end..].starts_with(end_of)) {
            return None;
        }
        if self.published.iter().any(|published| published.as_bytes() == &text[start..end]) {
            return None;
        }
        let secret = if self.validator == Some(Validator::Password) { group().unwrap_or(at..end) } else { at..end };
        valid.then_some(Matched { at: start..end, secret, tail: goes_on.then_some(Tail::Token) })
    }
}

/// Whether 16 bytes or more follow from `at` on without a break.
fn is_marked(text: &[u8], at: usize) -> bool {
    text.get(at..at + LEAST).is_some_and(|bytes| !bytes.iter().any(|byte| lanes::breaks(*byte)))
}

/// Whether a word begins at `at`: behind something that is no letter or digit, or behind an escape (`\n`, `%3D`, `\u003d`).
fn begins_word(text: &[u8], at: usize) -> bool {
    let before = |by: usize| at.checked_sub(by).map(|before| text[before]);
    let is_behind = |by: usize, sign: u8| before(by) == Some(sign);
    let escaped = is_behind(2, b'\\') || is_behind(3, b'%') || (is_behind(6, b'\\') && is_behind(5, b'u'));
    text[at].is_ascii_alphanumeric() && (escaped || !before(1).is_some_and(|byte| byte.is_ascii_alphanumeric()))
}

/// Whether the 24 bytes from `at` on hold a digit, or letters whose case turns as often as that of random ones: what looks random does.
/// Says whether it is a digit.
#[inline]
fn may_be_random(text: &[u8], at: usize) -> Option<bool> {
    const EACH: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x80 * EACH;
    // The high bit of each byte of ASCII that lies from the first to the last.
    let within = |number: u64, first: u8, last: u8| {
        let ascii = number & !HIGH;
        (ascii + u64::from(0x80 - first) * EACH) & !(ascii + u64::from(0x7f - last) * EACH) & !number & HIGH
    };
    let eights = || text[at..text.len().min(at + 24)].as_chunks::<8>().0.iter().map(|eight| u64::from_le_bytes(*eight));
    if eights().fold(0, |digits, number| digits | within(number, b'0', b'9')) != 0 {
        return Some(true);
    }
    let turns = |number: u64| {
        let letters = within(number | (0x20 * EACH), b'a', b'z');
        // The bit that tells letter cases apart, where the high one is.
        let cases = number << 2;
        (letters & letters >> 8 & (cases ^ cases >> 8)).count_ones()
    };
    // Behind a word and a blank too many names stand.
    let is_sign = |byte: u8| matches!(byte, b'=' | b':' | b'>');
    let is_quoted = match text[at - 1] {
        b' ' => at > 1 && is_sign(text[at - 2]),
        before => is_sign(before) || matches!(before, b'"' | b'\'' | b'`'),
    };
    (is_quoted && eights().map(turns).sum::<u32>() > 6).then_some(false)
}

/// What a byte may stand before: a value, behind what stands between a field's name and it; a sign that a value begins with; a login of
/// an option; the secret of an app.
const VALUE: u8 = 1;
const SIGN: u8 = 2;
const LOGIN: u8 = 4;
const BAR: u8 = 8;
static IS_BEFORE: [u8; 256] = {
    let mut classes = [0; 256];
    let lists: [(&[u8], u8); 4] = [(b"\"'` \t\n\\>:=;", VALUE), (b"+/._~-!@#$^*", SIGN), (b" \"'=", LOGIN), (b"|", BAR)];
    let mut list = 0;
    while list < lists.len() {
        let (bytes, class) = lists[list];
        let mut at = 0;
        while at < bytes.len() {
            classes[bytes[at] as usize] |= class;
            at += 1;
        }
        list += 1;
    }
    classes
};

fn set(bits: &mut [u64; 1024], bytes: [u8; 3]) {
    let number = number(bytes);
    bits[number / 64] |= 1 << (number % 64);
}

#[inline]
fn is_set(bits: &[u64; 1024], bytes: [u8; 3]) -> bool {
    let number = number(bytes);
    bits[number / 64] >> (number % 64) & 1 != 0
}

#[inline]
fn number([first, second, third]: [u8; 3]) -> usize {
    (u32::from_le_bytes([first, second, third, 0]).wrapping_mul(0x9e37_79b1) >> 16) as usize
}
