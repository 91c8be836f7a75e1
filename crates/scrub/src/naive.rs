//! The same search without any of its shortcuts: every form is tried at every place, through every chain. Tests and fuzzing hold
//! the real one against it.

use super::sweep::Sweep;
use super::views::{SEPARATED, Walk};
use super::{Covered, Finding, Scrubber, Stream, Subject, sorted};
use std::sync::Arc;

impl Scrubber {
    fn naive(&self, text: &[u8]) -> Vec<u8> {
        let search = self.whole();
        let mut sweep = Sweep::new(search, &self.lens, text, 0..text.len());
        for start in 0..text.len() {
            for number in 0..u32::try_from(search.forms.len()).expect("few forms") {
                sweep.raw(start, number);
                sweep.escaped(start, number);
                if search.form(number).1.is_hex() && is_separated(text, start) {
                    sweep.through(SEPARATED, start, start, number, 0);
                }
            }
        }
        let mut findings = sweep.into_findings();
        let values = findings.clone();
        for found in search.rules.iter().flat_map(|rules| rules.all(text)) {
            let secret = found.secret;
            let within = || values.iter().filter(|value| found.at.contains(&value.at.start));
            let is_known = within().any(|value| value.at.start <= secret.start && secret.end <= value.at.end);
            if !is_known && self.lens.looks_for(found.rule, &text[secret.clone()]) {
                let subject = within().min_by_key(|value| value.at.start).map_or(Subject::Rule(found.rule), |value| value.subject);
                findings.push(Finding { at: found.at, subject, plain: false, tail: found.tail });
            }
        }
        let mut out = Vec::new();
        self.replace(text, &sorted(findings), 0..text.len(), &mut Covered::default(), &mut out, |_| {});
        out
    }
}

/// Hexadecimal with separators is looked for where three words of two, or of four, follow each other, the first or the second of
/// them at its beginning.
fn is_separated(text: &[u8], start: usize) -> bool {
    let is_alnum = |at: usize| text.get(at).is_some_and(u8::is_ascii_alphanumeric);
    let word = |at: usize, size: usize| (at == 0 || !is_alnum(at - 1)) && (at..at + size).all(is_alnum) && !is_alnum(at + size);
    let marked = |at: usize| {
        let row = |size: usize, second: [usize; 2], third: [usize; 3]| {
            word(at, size) && second.iter().any(|by| word(at + by, size)) && third.iter().any(|by| word(at + by, size))
        };
        row(2, [3, 4], [6, 7, 8]) || row(4, [5, 6], [10, 11, 12])
    };
    let after = |by: usize| Walk::new(text, start, SEPARATED).take_while(|(_, end)| *end <= start + by).count();
    let second = (3..=6).find(|by| after(*by) == 2 && (marked(start + by) || marked(start + by - 2)));
    let prefixed = start >= 2 && text[start - 2..start].eq_ignore_ascii_case(b"0x") && marked(start - 2);
    marked(start) || prefixed || second.is_some()
}

/// Holds the search against the naive one, and every way to cut a stream against the whole. `cuts` says where to cut.
///
/// # Panics
/// Where two of them differ.
pub fn compare(scrubber: &Arc<Scrubber>, text: &[u8], cuts: &[u8]) {
    let expected = scrubber.naive(text);
    let whole = scrubber.scrub(text).unwrap_or_else(|| text.to_vec());
    assert_alike(&whole, &expected, "the search", text);

    let mut stream = Stream::new(Arc::clone(scrubber));
    let mut out = Vec::new();
    let mut rest = text;
    let mut sizes = cuts.iter().map(|size| usize::from(*size)).cycle();
    while !rest.is_empty() {
        let size = sizes.next().unwrap_or(7).clamp(1, rest.len());
        stream.push(&rest[..size], &mut out);
        rest = &rest[size..];
    }
    stream.finish(&mut out);
    assert_alike(&out, &expected, &format!("a stream in chunks of {cuts:?}"), text);
}

fn assert_alike(found: &[u8], expected: &[u8], what: &str, text: &[u8]) {
    let same = found.iter().zip(expected).take_while(|(found, expected)| found == expected).count();
    let around = |bytes: &[u8]| bytes[same.saturating_sub(60)..bytes.len().min(same + 200)].escape_ascii().to_string();
    let differ = format!("{what} and the naive search differ, at byte {same} of what they give:\n{}\n{}", around(found), around(expected));
    assert!(found == expected, "{differ}\nof the text\n{}", text.escape_ascii());
}

/// A text made of `seed`'s bytes: forms of the values, whole and broken, in one or two escapes, between pieces of ordinary text.
pub fn text(scrubber: &Scrubber, seed: &[u8]) -> Vec<u8> {
    const ORDINARY: &[&[u8]] = &[
        b"{\"id\": 42, \"at\":\"2026-11-24T10:11:12Z\"}\n",
        b"a=1&b=%20",
        b"\\u0041",
        b"&amp;",
        b"=3D=\r\n",
        b"\n\n",
        b"x",
        b"%",
        b"\\",
        b"&",
        b"=",
        b"\0",
        b" ",
        b":",
        b"12:34:56 ",
        b"data: [DONE]\n\n",
        b"\"",
        b"pf_live_",
        b"0x",
        b"\r\n  ",
        b"%25",
        b"\\\\",
        b"&#x",
        b"-----",
        b"abandon ability able ",
        b"ghp_",
    ];
    let literals = scrubber.whole().literals();
    let mut bytes = seed.iter().copied();
    let mut out = Vec::new();
    while let Some(what) = bytes.next() {
        let mut next = || usize::from(bytes.next().unwrap_or(0));
        if what < 110 && !literals.is_empty() {
            let mut form = literals[(next() * 256 + next()) % literals.len()].clone();
            let (damage, how, twice, density) = (next(), next(), next(), next() % 5 + 1);
            match damage % 6 {
                0 => form.truncate(form.len() - 1 - damage / 6 % 4),
                1 => {
                    let at = damage * 7 % form.len();
                    form[at] ^= 1;
                }
                2 => form.make_ascii_uppercase(),
                _ => {}
            }
            let once = escaped(&form, how, density);
            out.extend(if twice.is_multiple_of(3) { escaped(&once, how, density) } else { once });
        } else if what < 220 {
            out.extend_from_slice(ORDINARY[next() % ORDINARY.len()]);
        } else {
            out.push(u8::try_from(next()).unwrap_or(0));
        }
    }
    out
}

/// Every `density`-th byte escaped, in one of the ways that the views undo.
pub(super) fn escaped(bytes: &[u8], how: usize, density: usize) -> Vec<u8> {
    let mut out = Vec::new();
    for (at, byte) in bytes.iter().enumerate() {
        let now = (at + how).is_multiple_of(density);
        match how % 16 {
            0 if now => out.extend(format!("%{byte:02x}").bytes()),
            1 if now => out.extend(format!("\\u{byte:04X}").bytes()),
            2 if now => out.extend(format!("&#{byte};").bytes()),
            3 if now => out.extend(format!("={byte:02X}").bytes()),
            4 if now => out.extend(format!("\\x{byte:02x}").bytes()),
            5 => out.extend([*byte, 0]),
            6 => out.extend([0, *byte]),
            7 if at % (density * 9) == 8 => out.extend([b'\r', b'\n', *byte]),
            8 if at % (density * 9) == 8 => out.extend([b'\\', b'n', *byte]),
            9 if at.is_multiple_of(2) => out.extend([b':', *byte]),
            10 if at.is_multiple_of(2) => out.extend([b',', b' ', b'0', b'x', *byte]),
            11 if now => out.extend([b'\\', *byte]),
            12 if at % 7 == 3 => out.extend([b'=', b'\n', *byte]),
            13 if now => out.extend(format!("&#x{byte:x};").bytes()),
            14 => out.extend([*byte, 0, 0, 0]),
            15 => out.extend([0, 0, 0, *byte]),
            _ => out.push(*byte),
        }
    }
    out
}
