//! The forms in which a value is looked for. Escapings are not among them: the views undo those.
//!
//! A form is not kept: it is a function of the value, read byte by byte, so that each value is in memory once.

use super::coding::{BASE64, BASE64_URL, Coding, Encoded, base32, encoded};
use super::grams::LONGEST;
use super::shape::{self, Shape};
use std::ops::Range;
use std::sync::{Arc, OnceLock};
use zeroize::Zeroizing;

/// Least bytes of a form: shorter pieces turn up by chance.
const LEAST: usize = 8;
/// Least digits of a key in hexadecimal that is looked for without its `0x`, and half of those whose bytes are.
const LEAST_KEY: usize = 16;
/// Most bytes of a document that is looked for as a whole in every encoding, not only by its parts.
const MAX_DOCUMENT: usize = 1024;
/// Least bytes of a line that is looked for by itself, if it carries 64 bits.
const LEAST_LINE: usize = 16;

/// A value to look for, with the parts of it that are looked for by themselves. Make it once for each version of a secret.
pub struct Known {
    /// The value, then the parts that are not written in it as they are.
    pieces: Vec<Piece>,
    /// Both made when they are looked at.
    forms: OnceLock<Vec<Form>>,
    shape: OnceLock<Shape>,
}

/// Bytes that are looked for: a stretch of a buffer that pieces share.
pub(super) struct Piece {
    bytes: Arc<Zeroizing<Vec<u8>>>,
    range: Range<usize>,
    pub(super) origin: Origin,
}

/// What a piece is of its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// The value itself, whole but for what stands around it, or what is sent of it.
    Value,
    /// A line of several.
    Line,
    /// A line of a JSON document.
    JsonLine,
    /// A string of a JSON document.
    Text,
    /// The bytes that hexadecimal digits stand for.
    Bytes,
}

impl Piece {
    fn new(bytes: Vec<u8>) -> Self {
        Self { range: 0..bytes.len(), bytes: Arc::new(Zeroizing::new(bytes)), origin: Origin::Value }
    }

    fn part(&self, range: Range<usize>) -> Self {
        let range = self.range.start + range.start..self.range.start + range.end;
        Self { bytes: Arc::clone(&self.bytes), range, origin: Origin::Value }
    }

    fn of(self, origin: Origin) -> Self {
        Self { origin, ..self }
    }

    /// Whether it is made of lines, or of strings.
    pub(super) fn is_document(&self) -> bool {
        self.as_bytes().contains(&b'\n') || self.is_json()
    }

    pub(super) fn is_json(&self) -> bool {
        self.as_bytes().starts_with(b"{") || self.as_bytes().starts_with(b"[")
    }

    /// Whether lines of it are looked for by themselves.
    pub(super) fn has_lines(&self) -> bool {
        !lines(self, Origin::Line).is_empty()
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[self.range.clone()]
    }
}

/// One form of one piece: an encoding of it, or an encoding of an encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Form {
    piece: u16,
    /// The value itself, not a part of it and not encoded.
    pub(super) is_raw: bool,
    inner: Coding,
    outer: Coding,
    length: u32,
}

impl Known {
    /// Takes a value. It is kept, wiped on drop: as it is, and once more each string of a JSON document that is escaped in it, and the bytes
    /// of one that is hexadecimal. One that is sent `in_basic` authentication (RFC 7617) is sent in base64: its echo may be encoded once more
    /// in any way.
    #[must_use]
    pub fn new(value: &[u8], in_basic: bool) -> Self {
        let whole = Piece::new(value.to_vec());
        let mut pieces = parts(&whole);
        if in_basic {
            pieces.extend(BASE64.map(|coding| Piece::new(encoded(value, coding))));
        }
        pieces.insert(0, whole);
        pieces.truncate(usize::from(u16::MAX) + 1);
        Self { pieces, forms: OnceLock::new(), shape: OnceLock::new() }
    }

    /// Bytes that every form has, or more: told without making one.
    pub(super) fn least(&self) -> usize {
        // No encoding is shorter than what it encodes, but for pieces that are too short for any form.
        self.pieces.iter().map(|piece| piece.as_bytes().len()).min().unwrap_or(0).max(LEAST)
    }

    /// What may be said of it to decide where a text is cut.
    pub(super) fn shape(&self) -> &Shape {
        self.shape.get_or_init(|| Shape::of(&self.pieces, is_worded(&self.pieces, self.forms())))
    }

    pub(super) fn forms(&self) -> &[Form] {
        self.forms.get_or_init(|| forms(&self.pieces))
    }

    /// Gives the beginning of each form to `take`: `most` bytes of it, or all of it.
    pub(super) fn beginnings(&self, most: usize, take: impl FnMut(&Form, &[u8; LONGEST], usize)) {
        beginnings(&self.pieces, self.forms(), |_| most, take);
    }

    /// Whether `is` takes the beginning of a form, `most` bytes of it or all of it, that has no more than `longest` bytes.
    pub(super) fn any_beginning(&self, longest: usize, most: usize, mut is: impl FnMut(&Form, &[u8]) -> bool) -> bool {
        let mut found = false;
        let fitting = self.forms().iter().filter(|form| form.len() <= longest);
        beginnings(&self.pieces, fitting, |_| most, |form, beginning, length| found = found || is(form, &beginning[..length]));
        found
    }

    fn piece(&self, form: &Form) -> &[u8] {
        self.pieces[usize::from(form.piece)].as_bytes()
    }

    /// Every byte that can stand in a form and in no encoding.
    pub(super) fn alphabet(&self) -> impl Iterator<Item = u8> + '_ {
        self.pieces.iter().flat_map(|piece| piece.as_bytes().iter().copied())
    }

    /// What a text may show of it: its parts, where it is a document; else the value, and parts that are text.
    pub(super) fn texts(&self) -> impl Iterator<Item = &[u8]> {
        let is_document = self.pieces.len() > 1 && self.pieces[0].is_document();
        let is_text = |bytes: &&[u8]| match bytes.is_ascii() {
            true => !bytes.iter().any(u8::is_ascii_control),
            false => std::str::from_utf8(bytes).is_ok_and(|text| !text.contains(char::is_control)),
        };
        self.pieces.iter().skip(usize::from(is_document)).map(Piece::as_bytes).filter(is_text)
    }

    /// Byte `at` of a form.
    #[inline]
    pub(super) fn byte(&self, form: &Form, at: usize) -> u8 {
        let piece = self.piece(form);
        if form.inner == Coding::Plain {
            return form.outer.char_at(at, piece.len(), |at| piece[at]);
        }
        let inner = form.inner.length(piece.len());
        form.outer.char_at(at, inner, |at| form.inner.char_at(at, piece.len(), |at| piece[at]))
    }

    /// Whether `text` begins with a form, in any letter case.
    pub(super) fn begins(&self, text: &[u8], form: &Form) -> bool {
        let Some(text) = text.get(..form.len()) else { return false };
        let piece = self.piece(form);
        let bytes = || piece.iter().copied();
        match (form.inner, form.outer) {
            (Coding::Plain, Coding::Plain) => text.eq_ignore_ascii_case(piece),
            (_, Coding::Reversed) => text.iter().rev().copied().zip(Encoded::new(form.inner, bytes())).all(alike),
            (Coding::Plain, outer) => text.iter().copied().zip(Encoded::new(outer, bytes())).all(alike),
            (inner, outer) => text.iter().copied().zip(Encoded::new(outer, Encoded::new(inner, bytes()))).all(alike),
        }
    }

    /// Whether `text` is the value as it is.
    pub(super) fn is_plain(&self, text: &[u8]) -> bool {
        self.pieces[0].as_bytes() == text
    }

    /// A found form, with the characters beside it that still hold bits of the value.
    pub(super) fn widened(&self, form: &Form, text: &[u8], found: Range<usize>) -> Range<usize> {
        let inner = form.inner.length(self.piece(form).len());
        let (before, after) = form.outer.shares(inner);
        let is_digit = |at: usize| text.get(at).is_some_and(|b| b.is_ascii_alphanumeric() || b"+/-_".contains(b));
        let start = found.start - usize::from(before && found.start > 0 && is_digit(found.start - 1));
        start..found.end + usize::from(after && is_digit(found.end))
    }
}

/// Every form of a value in these pieces.
fn forms(pieces: &[Piece]) -> Vec<Form> {
    let mut forms = Vec::new();
    // What encodes a long document encodes its parts.
    let is_long = pieces.len() > 1 && pieces[0].as_bytes().len() > MAX_DOCUMENT && pieces[0].is_document();
    for (index, piece) in (0..=u16::MAX).zip(pieces) {
        if index == 0 && is_long {
            add_form(&mut forms, 0, piece, (Coding::Plain, Coding::Plain));
        } else {
            add_forms(&mut forms, index, piece);
        }
    }
    forms
}

/// Whether a form begins as words do whose piece is no document. Only the piece as it is may begin with a name.
fn is_worded(pieces: &[Piece], forms: &[Form]) -> bool {
    let as_it_is = |form: &Form| form.inner == Coding::Plain && form.outer == Coding::Plain;
    let looked_at = |form: &Form| if as_it_is(form) { shape::BEGINNING } else { shape::TELLING };
    let (mut piece, mut is_document, mut is_worded) = (None, false, false);
    beginnings(pieces, forms, looked_at, |form, bytes, length| {
        if piece != Some(form.piece) {
            (piece, is_document) = (Some(form.piece), pieces[usize::from(form.piece)].is_document());
        }
        is_worded = is_worded || !is_document && shape::begins_as_words(&bytes[..length], as_it_is(form));
    });
    is_worded
}

/// Gives the beginning of each form to `take`: so many bytes of it as `most` says, or all of it.
fn beginnings<'f>(
    pieces: &[Piece],
    forms: impl IntoIterator<Item = &'f Form>,
    most: impl Fn(&Form) -> usize,
    mut take: impl FnMut(&Form, &[u8; LONGEST], usize),
) {
    let (mut once, mut twice) = (Zeroizing::new([0; LONGEST]), Zeroizing::new([0; LONGEST]));
    let mut encoded = None;
    for form in forms {
        let piece = pieces[usize::from(form.piece)].as_bytes();
        let length = most(form).min(form.len());
        if form.inner == Coding::Plain {
            form.outer.begin(piece, &mut twice[..length]);
        } else {
            // Several forms in a row encode the same once more.
            if encoded != Some((form.piece, form.inner)) {
                let all = form.inner.length(piece.len()).min(LONGEST);
                form.inner.begin(piece, &mut once[..all]);
                encoded = Some((form.piece, form.inner));
            }
            form.outer.begin(&*once, &mut twice[..length]);
        }
        take(form, &twice, length);
    }
}

/// Every form of a piece.
fn add_forms(forms: &mut Vec<Form>, index: u16, piece: &Piece) {
    use Coding::{Hex, Plain, Reversed};
    // The second alphabet of base64 matters where one of its two own digits may turn up. Of what base64 wrote it never does: no byte of that
    // has six low bits that are all ones, or all but the last.
    let has_own = piece.as_bytes().iter().any(|b| !b.is_ascii() || matches!(b & 63, 62 | 63));
    let inners = if has_own { 6 } else { 3 };
    forms.reserve_exact(8 + 4 * inners);
    for outer in [Plain, Hex, Reversed].into_iter().chain((0..5).map(base32)) {
        add_form(forms, index, piece, (Plain, outer));
    }
    for inner in BASE64.into_iter().chain(BASE64_URL).take(inners) {
        add_form(forms, index, piece, (Plain, inner));
        // What base64 wrote may be encoded once more.
        BASE64.into_iter().for_each(|outer| add_form(forms, index, piece, (inner, outer)));
    }
}

fn add_form(forms: &mut Vec<Form>, index: u16, piece: &Piece, (inner, outer): (Coding, Coding)) {
    let length = outer.length(inner.length(piece.as_bytes().len()));
    if length >= LEAST {
        let is_raw = index == 0 && inner == Coding::Plain && outer == Coding::Plain;
        forms.push(Form { piece: index, is_raw, inner, outer, length: u32::try_from(length).unwrap_or(u32::MAX) });
    }
}

impl Form {
    pub(super) fn len(&self) -> usize {
        self.length as usize
    }

    /// Whether the form's text is hexadecimal digits.
    pub(super) fn is_hex(&self) -> bool {
        self.outer == Coding::Hex
    }
}

impl std::fmt::Debug for Known {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Known({} forms)", self.forms().len())
    }
}

fn alike((found, byte): (u8, u8)) -> bool {
    found.eq_ignore_ascii_case(&byte)
}

/// The parts of a value that are looked for by themselves: it without the blanks around it; the lines of one of several lines, since
/// what carries it may break or indent them anew; the strings of a JSON document; a key in hexadecimal without its `0x`, and its
/// bytes; text that is not ASCII in Latin-1, which is what `\u00e4` and `&#228;` show.
fn parts(value: &Piece) -> Vec<Piece> {
    let text = value.as_bytes();
    let is_json = text.starts_with(b"{") || text.starts_with(b"[");
    let mut parts = lines(value, if is_json { Origin::JsonLine } else { Origin::Line });
    let trimmed = text.trim_ascii();
    if trimmed.len() < text.len() {
        let start = text.len() - text.trim_ascii_start().len();
        parts.push(value.part(start..start + trimmed.len()));
    }
    if !text.is_ascii()
        && let Ok(text) = std::str::from_utf8(text)
        && let Some(latin) = text.chars().map(|c| u8::try_from(c).ok()).collect::<Option<Vec<u8>>>()
    {
        parts.push(Piece::new(latin));
    }
    if is_json {
        if let Ok(document) = serde_json::from_slice(text) {
            strings(document, "", value, &mut parts);
        }
        return parts;
    }
    let digits = text.strip_prefix(b"0x").unwrap_or(text);
    if digits.len() < text.len() && digits.len() >= LEAST_KEY {
        parts.push(value.part(text.len() - digits.len()..text.len()));
    }
    if digits.len() >= 2 * LEAST_KEY && digits.len().is_multiple_of(2) && digits.iter().all(u8::is_ascii_hexdigit) {
        let digit = |at: usize| char::from(digits[at]).to_digit(16).unwrap_or(0) as u8;
        let bytes: Vec<u8> = (0..digits.len() / 2).map(|at| digit(2 * at) << 4 | digit(2 * at + 1)).collect();
        parts.push(Piece::new(bytes).of(Origin::Bytes));
    }
    parts
}

fn lines(of: &Piece, origin: Origin) -> Vec<Piece> {
    let text = of.as_bytes();
    let mut lines = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive(|b| *b == b'\n') {
        let start = at + (line.len() - line.trim_ascii_start().len());
        let trimmed = line.trim_ascii();
        // A shorter one could be guessed by itself.
        let tells = || trimmed.len() >= LEAST_LINE && carries(trimmed, 64);
        if trimmed.len() < text.trim_ascii().len() && !trimmed.starts_with(b"-----") && tells() {
            lines.push(of.part(start..start + trimmed.len()).of(origin));
        }
        at += line.len();
    }
    lines
}

/// Names of fields whose strings are no secrets: addresses, names, kinds.
const PLAIN_FIELDS: &[&str] = &[
    "url", "uri", "type", "email", "domain", "region", "zone", "host", "id", "project", "user", "username", "name", "account", "endpoint",
    "scope",
];

fn strings(document: serde_json::Value, field: &str, whole: &Piece, parts: &mut Vec<Piece>) {
    match document {
        serde_json::Value::String(text) if text.len() >= LEAST => {
            let field = field.to_ascii_lowercase();
            let is_plain = field.rsplit(['_', '-']).next().is_some_and(|last| PLAIN_FIELDS.contains(&last));
            if is_plain {
                return;
            }
            let text = Piece::new(text.into_bytes());
            let part = memchr::memmem::find(whole.as_bytes(), text.as_bytes()).map(|at| whole.part(at..at + text.as_bytes().len()));
            let part = part.unwrap_or(text);
            parts.extend(lines(&part, Origin::Line));
            parts.push(part.of(Origin::Text));
        }
        serde_json::Value::Array(items) => items.into_iter().for_each(|item| strings(item, field, whole, parts)),
        serde_json::Value::Object(fields) => fields.into_iter().for_each(|(field, value)| strings(value, &field, whole, parts)),
        _ => {}
    }
}

/// Whether so many bytes of these characters may carry so many random bits. How many they do carry is not to be seen: a part of them
/// may be known to everybody.
pub fn carries(value: &[u8], bits: u32) -> bool {
    value.len() as f64 * bits_per_byte(value) >= f64::from(bits)
}

/// An estimate of the random bits in one byte, from the characters that the value is made of.
fn bits_per_byte(bytes: &[u8]) -> f64 {
    if bytes.iter().all(u8::is_ascii_digit) {
        10f64.log2()
    } else if bytes.iter().filter(|b| !b.is_ascii_hexdigit()).count() * 3 <= bytes.len() && !bytes.iter().any(u8::is_ascii_uppercase) {
        4.0
    } else {
        62f64.log2()
    }
}
