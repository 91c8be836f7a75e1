//! Where a stream is let go before a whole window of it has come: at the end of an event, and on silence before whatever could be the
//! beginning of a form.
//!
//! What is compared here is never a value: bytes are told apart by whether they stand in any form of any value of the agent, which is computed
//! once, and the rest is the text's own shape. So a right guess is let go when a wrong one is. A line's end may stand in a form that somebody
//! has broken over lines. Where the run of characters before it is shorter than what a guest may hold of a value, or made as words are, it is
//! let go all the same, and a form that turns out to have begun in it is still found whole: the rest of it is taken out.

use super::shape::{self, Bytes, Shape, TELLING};
use super::views::{INDENT, is_empty_line};

/// Longest run that a form is still looked for in when it is let go, in bytes.
pub(super) const LONGEST_RUN: usize = 192;
/// Most breaks and indentation in a row that are left out of a form, as broken lines.
const MOST_JOINTS: usize = 2;
/// Line ends that are tried on one silence.
const MOST_LINES: usize = 64;

/// How texts are let go, by what the values of an agent are made of.
#[derive(Debug)]
pub(super) struct Pauses {
    /// Bytes that stand in a form as it is or escaped.
    all: Bytes,
    /// The same, of what may be broken over lines.
    run: Bytes,
    /// Bytes of a run from which on it may show too much.
    most: usize,
    shape: Shape,
    /// Whether private keys that nobody registered are looked for.
    has_rules: bool,
}

/// A place up to which a text is let go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cut {
    pub(super) at: usize,
    /// Where a form may have begun before it that is not complete there.
    pub(super) opened: usize,
}

impl Cut {
    /// A place that no form goes through.
    pub(super) fn before(at: usize) -> Self {
        Self { at, opened: at }
    }
}

/// The characters that a text ends with and that may be the beginning of a form, over broken lines too.
struct Run {
    start: usize,
    /// How many they are, without breaks and indentation.
    bytes: usize,
    /// Whether it was too long to be followed to its beginning.
    is_cut: bool,
}

impl Pauses {
    /// How texts are let go where no values are known.
    pub(super) fn new(has_rules: bool) -> Self {
        Self { all: Bytes::coded(), run: Bytes::coded(), most: TELLING, shape: Shape::default(), has_rules }
    }

    /// The same where values of these shapes are known, too.
    pub(super) fn also<'s>(&self, shapes: impl Iterator<Item = &'s Shape>) -> Self {
        let shape = shapes.fold(self.shape.clone(), Shape::merged);
        let most = shape.shortest.map_or(TELLING, |shortest| (shortest / 2).clamp(1, TELLING));
        Self { all: shape::joined(self.all, &shape.all), run: shape::joined(self.run, &shape.run), most, shape, has_rules: self.has_rules }
    }

    /// The end of the last event that ends behind `from`: an empty line, or a line that ends with a brace.
    pub(super) fn event(&self, text: &[u8], from: usize) -> Option<Cut> {
        if self.shape.has_cut {
            return None;
        }
        let cut = breaks(text, from).find_map(|(start, end)| self.event_at(text, start, end))?;
        self.is_text(&text[..cut.at]).then_some(cut)
    }

    /// Whether an event ends with the breaks of this range.
    fn event_at(&self, text: &[u8], start: usize, end: usize) -> Option<Cut> {
        if (start..end).any(|at| is_empty_line(text, at)) {
            return Some(self.cut(end, end));
        }
        if !text[..start].ends_with(b"}") {
            return None;
        }
        let opened = if self.shape.has_brace { self.shown(&text[..start])? } else { end };
        Some(self.cut(end, opened))
    }

    /// What is let go of a text, behind `from`, where nothing more has come for a while.
    pub(super) fn silence(&self, text: &[u8], from: usize) -> Option<Cut> {
        if !self.is_text(text) {
            return None;
        }
        let apart = self.unfinished(text);
        let apart = (apart > from).then(|| self.cut(apart, apart));
        let line = self.line_end(text, apart.map_or(from, |cut| cut.at));
        let cut = line.or(apart)?;
        Some(match self.open_frame(text, from) {
            Some(frame) if frame < cut.at => Cut::before(frame),
            _ => cut,
        })
    }

    /// The last line's end behind `from` that lets go too little of a form to tell anything.
    fn line_end(&self, text: &[u8], from: usize) -> Option<Cut> {
        if self.shape.has_cut {
            return None;
        }
        let ends = breaks(text, from).take(MOST_LINES);
        ends.filter(|(_, end)| *end > from).find_map(|(start, end)| {
            let is_over = (start..end).any(|at| is_empty_line(text, at));
            let opened = if is_over { end } else { self.shown(&text[..start])? };
            Some(self.cut(end, opened))
        })
    }

    /// Where the run begins that a text ends with, if it may be let go.
    fn shown(&self, text: &[u8]) -> Option<usize> {
        let run = run(&self.run, text, LONGEST_RUN);
        if run.bytes < self.most && !run.is_cut {
            return Some(run.start);
        }
        let shown: Vec<u8> = text[run.start..].iter().copied().filter(|byte| self.run.has(*byte)).collect();
        (!self.shape.is_worded && shape::is_plain(&shown)).then_some(run.start)
    }

    /// Where the part of a text begins that may be the beginning of a form.
    fn unfinished(&self, text: &[u8]) -> usize {
        let run = run(&self.all, text, text.len());
        self.digits_apart(text).map_or(run.start, |digits| digits.min(run.start))
    }

    /// Where hexadecimal digits in pairs or fours begin that stand apart (`61 62 63`, `0x61, 0x62`) up to the end, with the word before them.
    fn digits_apart(&self, text: &[u8]) -> Option<usize> {
        let (mut at, mut first) = (text.len(), None);
        loop {
            let count = text[..at].iter().rev().take_while(|byte| byte.is_ascii_hexdigit()).count();
            let is_group = matches!(count, 2 | 4) || at == text.len() && count <= 4;
            if !is_group {
                break;
            }
            let mut start = at - count;
            start -= [b"0x", b"\\x"].iter().find(|prefix| text[..start].ends_with(**prefix)).map_or(0, |prefix| prefix.len());
            first = Some(start);
            let apart = text[..start].iter().rev().take(2).take_while(|byte| b" :,-_".contains(byte)).count();
            if apart == 0 {
                break;
            }
            at = start - apart;
        }
        let ends_in_pair = at < text.len() && text[..at].last_chunk::<2>().is_some_and(|pair| pair.iter().all(u8::is_ascii_hexdigit));
        if ends_in_pair { Some(run(&self.all, &text[..at], at).start) } else { first }
    }

    /// Where the frame of a private key stands that has no end yet: it is taken out as a whole, whoever's it is.
    fn open_frame(&self, text: &[u8], from: usize) -> Option<usize> {
        if !self.has_rules {
            return None;
        }
        let begin = from + memchr::memmem::rfind(&text[from..], b"-----BEGIN ")?;
        let line = &text[begin..text.len().min(begin + 64)];
        let is_private = !line.contains(&b'\n') || memchr::memmem::find(line, b"PRIVATE KEY").is_some();
        (is_private && memchr::memmem::find(&text[begin..], b"-----END ").is_none()).then_some(begin)
    }

    /// Whether a text does not end in what may be the bytes of a key.
    fn is_text(&self, text: &[u8]) -> bool {
        self.shape.binary == 0 || shape::is_text(&text[text.len().saturating_sub(self.shape.binary)..])
    }

    /// A cut, at which the first bytes of a key may be let go before it shows that they are no text.
    fn cut(&self, at: usize, opened: usize) -> Cut {
        Cut { at, opened: if self.shape.binary > 0 { opened.min(at.saturating_sub(TELLING)) } else { opened } }
    }
}

/// The breaks of a text that end behind `from`, as ranges, from behind.
fn breaks(text: &[u8], from: usize) -> impl Iterator<Item = (usize, usize)> {
    let mut rest = text.len();
    std::iter::from_fn(move || {
        let last = from + memchr::memrchr2(b'\r', b'\n', text.get(from..rest)?)?;
        let start = last - text[..last].iter().rev().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        rest = start;
        Some((start, last + 1))
    })
}

/// The characters of a set that a text ends with, over broken lines too, as far back as `most` bytes.
fn run(set: &Bytes, text: &[u8], most: usize) -> Run {
    let least = text.len().saturating_sub(most);
    let mut run = Run { start: text.len(), bytes: 0, is_cut: false };
    let mut at = text.len();
    loop {
        let line = text[least..at].iter().rev().take_while(|byte| set.has(**byte)).count();
        run.bytes += line;
        at -= line;
        if line > 0 {
            run.start = at;
        }
        if at == least && least > 0 {
            return Run { is_cut: true, ..run };
        }
        match joint(set, text, at).filter(|at| *at > least) {
            Some(before) => at = before,
            None => return run,
        }
    }
}

/// Where the broken line ends whose break and indentation end at `at`, if a character of the set stands there.
fn joint(set: &Bytes, text: &[u8], mut at: usize) -> Option<usize> {
    for _ in 0..MOST_JOINTS {
        let indent = text[..at].iter().rev().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        let end = at - indent;
        let start = end - text[..end].iter().rev().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        if indent > INDENT || start == end || (start..end).any(|at| is_empty_line(text, at)) {
            return None;
        }
        if text[..start].last().is_some_and(|byte| set.has(*byte)) {
            return Some(start);
        }
        at = start;
    }
    None
}
