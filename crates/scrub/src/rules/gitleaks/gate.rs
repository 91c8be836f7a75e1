//! A cheap condition for an expression to hold: what stands where one of its keywords does.
//!
//! Nearly all expressions have one of their rule's keywords at a known place, with little before it: `[\w.-]{0,50}?(?:acme)[ \t]{0,20}=…`. Where the
//! keyword stands in a text, what follows it in the expression is tried there, anchored: that ends after a few bytes, and takes an automaton with
//! few states, where the whole expression looks for a beginning in all that stands around. What is left out of it (what stands before, the
//! ends of words and lines) only has it hold more often.

use super::syntax::compiled;
use super::{AHEAD, BEFORE};
use regex_automata::meta::Regex;
use regex_automata::{Anchored, Input};
use regex_syntax::hir::{Capture, Class, ClassBytes, ClassBytesRange, Hir, HirKind, Look, Repetition};
use std::sync::OnceLock;

/// Bytes that a gate's automaton may take for each of its steps: it is asked often, and has few states that are large.
const CACHED_FOR_STEP: usize = 256;
/// Bytes that are looked at before the expression is.
const FIRST: usize = 8;
/// Most texts that an expression may begin with, and most bytes of one.
const MOST_BEGINNINGS: usize = 256;
const LONGEST_BEGINNING: usize = 32;
/// Most bytes, in whatever letter case, that one place of a beginning may have.
const MOST_BYTES: usize = 8;

/// What stands from a place on where an expression holds that has its keyword there.
pub(super) struct Gate {
    text: String,
    compiled: OnceLock<Option<Regex>>,
    first: First,
}

/// What the first bytes may be of what an expression holds for: for each byte, at which of the first places it may stand, a bit each.
pub(super) struct First(Box<[u8; 256]>);

/// Where the gate of an expression stands.
pub(super) struct Gated {
    pub(super) gate: Gate,
    /// How many bytes before a keyword it begins, for each of these keywords; some may have several.
    pub(super) places: Vec<(usize, String)>,
    pub(super) reach: Reach,
}

/// How what an expression finds begins, and how far it may reach from a keyword.
pub(super) struct Reach {
    pub(super) first: First,
    /// Most bytes before the keyword.
    pub(super) before: usize,
    /// Most bytes from its beginning on, with the one behind what is found.
    pub(super) ahead: usize,
}

impl Gated {
    /// The gate of an expression, for a rule with these keywords, in small letters. `None` where the expression may hold for something that has
    /// none of them at a known place.
    pub(super) fn of(hir: &Hir, keywords: &[String]) -> Option<Self> {
        let mut parts = Vec::new();
        flatten(hir, &mut parts);
        let mut before = 0;
        for (at, part) in parts.iter().enumerate() {
            if let Some(places) = places(&parts[at..], keywords) {
                before += places.iter().map(|(back, _)| back).max()?;
                let ahead = parts[at..].iter().try_fold(1, |all, part| part.properties().maximum_len()?.checked_add(all));
                let reach = Reach { first: First::of(hir), before, ahead: ahead.unwrap_or(AHEAD).min(AHEAD) };
                return (before <= BEFORE).then(|| Self { gate: Gate::new(&parts[at..]), places, reach });
            }
            before += part.properties().maximum_len()?;
            if before > BEFORE {
                break;
            }
        }
        None
    }
}

impl Gate {
    fn new(parts: &[Hir]) -> Self {
        let mut is_begun = false;
        let relaxed = parts.iter().map(|part| {
            let (out, begins) = (relaxed(part, is_begun), part.properties().minimum_len() > Some(0));
            is_begun |= begins;
            out
        });
        let hir = Hir::concat(relaxed.collect());
        Self { text: hir.to_string(), compiled: OnceLock::new(), first: First::of(&hir) }
    }

    /// What it is, to tell those that are alike.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Whether a byte may stand at a place of what it holds for; any may that is far from its beginning.
    pub(super) fn admits(&self, place: usize, byte: u8) -> bool {
        self.first.admits(place, byte)
    }

    /// Whether it holds from the beginning of `text` on, which ends where no more is looked at.
    #[inline]
    pub(super) fn holds(&self, text: &[u8]) -> bool {
        let holds = |regex: &Regex| regex.search_half(&Input::new(text).anchored(Anchored::Yes).earliest(true)).is_some();
        self.first.may_begin(text) && self.regex().is_none_or(holds)
    }

    fn regex(&self) -> Option<&Regex> {
        self.compiled.get_or_init(|| compiled(&self.text, CACHED_FOR_STEP)).as_ref()
    }
}

impl First {
    pub(super) fn of(hir: &Hir) -> Self {
        let mut first = Box::new([0; 256]);
        let ends = places_of(hir, 1, &mut first);
        // Behind an end anything may stand.
        let free = (0..FIRST).filter(|at| ends >> at & 1 != 0).fold(0, |free, at| free | u8::MAX << at);
        first.iter_mut().for_each(|places| *places |= free);
        Self(first)
    }

    /// Whether the expression may hold from the beginning of a text on.
    #[inline]
    pub(super) fn may_begin(&self, text: &[u8]) -> bool {
        text.iter().take(FIRST).enumerate().all(|(at, byte)| self.admits(at, *byte))
    }

    #[inline]
    fn admits(&self, place: usize, byte: u8) -> bool {
        place >= FIRST || self.0[usize::from(byte)] >> place & 1 != 0
    }
}

/// The parts of an expression that follow each other, without groups.
fn flatten(hir: &Hir, parts: &mut Vec<Hir>) {
    match hir.kind() {
        HirKind::Concat(subs) => subs.iter().for_each(|sub| flatten(sub, parts)),
        HirKind::Capture(Capture { sub, .. }) => flatten(sub, parts),
        _ => parts.push(hir.clone()),
    }
}

/// Where the keywords stand in what the parts begin with: how far behind the beginning, and which. `None` where a beginning has none.
fn places(parts: &[Hir], keywords: &[String]) -> Option<Vec<(usize, String)>> {
    let mut beginnings = vec![Beginning::default()];
    parts.iter().for_each(|part| extend(&mut beginnings, part));
    let mut places = Vec::new();
    for Beginning { text, .. } in &beginnings {
        let place = |keyword: &String| Some((memchr::memmem::find(text, keyword.as_bytes())?, keyword.clone()));
        places.push(keywords.iter().find_map(place)?);
    }
    places.sort();
    places.dedup();
    Some(places)
}

/// What an expression may begin with, in small letters.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Beginning {
    text: Vec<u8>,
    /// Whether more is not known of it.
    is_closed: bool,
}

impl Beginning {
    fn push(&mut self, byte: u8) {
        self.is_closed |= self.text.len() == LONGEST_BEGINNING;
        if !self.is_closed {
            self.text.push(byte.to_ascii_lowercase());
        }
    }
}

/// Adds what the expression holds for to each of the beginnings.
fn extend(beginnings: &mut Vec<Beginning>, hir: &Hir) {
    if beginnings.iter().all(|beginning| beginning.is_closed) {
        return;
    }
    let close = |beginnings: &mut Vec<Beginning>| beginnings.iter_mut().for_each(|beginning| beginning.is_closed = true);
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => {
            beginnings.iter_mut().for_each(|beginning| literal.0.iter().for_each(|byte| beginning.push(*byte)));
        }
        HirKind::Class(class) => {
            let bytes = folded(class);
            if bytes.len() > MOST_BYTES || bytes.len() * beginnings.len() > MOST_BEGINNINGS {
                return close(beginnings);
            }
            let (closed, open): (Vec<_>, Vec<_>) = beginnings.drain(..).partition(|beginning| beginning.is_closed);
            beginnings.extend(closed);
            for beginning in open {
                beginnings.extend(bytes.iter().map(|byte| {
                    let mut beginning = beginning.clone();
                    beginning.push(*byte);
                    beginning
                }));
            }
        }
        HirKind::Repetition(Repetition { min, max, sub, .. }) => {
            for _ in 0..(*min).min(LONGEST_BEGINNING as u32) {
                extend(beginnings, sub);
            }
            if *max != Some(*min) {
                let mut more = beginnings.clone();
                extend(&mut more, sub);
                if *max != Some(min + 1) {
                    close(&mut more);
                }
                beginnings.extend(more);
            }
        }
        HirKind::Capture(capture) => extend(beginnings, &capture.sub),
        HirKind::Concat(parts) => parts.iter().for_each(|part| extend(beginnings, part)),
        HirKind::Alternation(parts) => {
            let each = parts.iter().flat_map(|part| {
                let mut beginnings = beginnings.clone();
                extend(&mut beginnings, part);
                beginnings
            });
            *beginnings = each.collect();
        }
    }
    if beginnings.len() > 1 {
        beginnings.sort();
        beginnings.dedup();
    }
    if beginnings.len() > MOST_BEGINNINGS {
        close(beginnings);
    }
}

/// The bytes of a class, in small letters.
fn folded(class: &Class) -> Vec<u8> {
    let mut bytes: Vec<u8> = bytes(class).iter().map(u8::to_ascii_lowercase).collect();
    bytes.sort_unstable();
    bytes.dedup();
    bytes
}

fn bytes(class: &Class) -> Vec<u8> {
    match class {
        Class::Bytes(class) => class.ranges().iter().flat_map(|range| range.start()..=range.end()).collect(),
        Class::Unicode(_) => (0..=u8::MAX).collect(),
    }
}

/// The same without groups. Where it has not begun what stands before is not known, and is not asked for; where a line ends, more may follow.
fn relaxed(hir: &Hir, is_begun: bool) -> Hir {
    let all = |parts: &[Hir]| parts.iter().map(|part| relaxed(part, is_begun)).collect();
    match hir.kind() {
        HirKind::Look(Look::End | Look::EndLF | Look::EndCRLF) => {
            let breaks = ClassBytes::new(b"\n\r".map(|byte| ClassBytesRange::new(byte, byte)));
            Hir::alternation(vec![Hir::look(Look::End), Hir::class(Class::Bytes(breaks))])
        }
        HirKind::Look(Look::WordAscii | Look::WordAsciiNegate) if is_begun => hir.clone(),
        HirKind::Look(_) => Hir::empty(),
        HirKind::Empty | HirKind::Literal(_) | HirKind::Class(_) => hir.clone(),
        HirKind::Repetition(repetition) => Hir::repetition(repetition.with(relaxed(&repetition.sub, is_begun))),
        HirKind::Capture(capture) => relaxed(&capture.sub, is_begun),
        HirKind::Concat(parts) => Hir::concat(all(parts)),
        HirKind::Alternation(parts) => Hir::alternation(all(parts)),
    }
}

/// Notes of each byte where it may stand in what the expression holds for, if that may begin at `begins`; and says where it may end. Places are
/// bits; those beyond the first few are left out.
fn places_of(hir: &Hir, begins: u32, first: &mut [u8; 256]) -> u32 {
    const ALL: u32 = (1 << FIRST) - 1;
    if begins & ALL == 0 {
        return 0;
    }
    let mut one = |byte: u8, begins: u32| first[usize::from(byte)] |= (begins & ALL) as u8;
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => begins,
        HirKind::Literal(literal) => literal.0.iter().fold(begins, |begins, byte| {
            one(*byte, begins);
            begins << 1 & ALL
        }),
        HirKind::Class(class) => {
            bytes(class).into_iter().for_each(|byte| one(byte, begins));
            begins << 1 & ALL
        }
        HirKind::Repetition(repetition) => {
            let least = (0..repetition.min).take(FIRST).fold(begins, |begins, _| places_of(&repetition.sub, begins, first));
            let more = repetition.max.map_or(FIRST as u32, |max| max - repetition.min);
            let each = (0..more).take(FIRST).scan(least, |begins, _| {
                *begins = places_of(&repetition.sub, *begins, first);
                Some(*begins)
            });
            each.fold(least, |ends, end| ends | end)
        }
        HirKind::Capture(capture) => places_of(&capture.sub, begins, first),
        HirKind::Concat(parts) => parts.iter().fold(begins, |begins, part| places_of(part, begins, first)),
        HirKind::Alternation(parts) => parts.iter().fold(0, |ends, part| ends | places_of(part, begins, first)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::syntax::Expression;
    use super::*;

    fn gated(go: &str, keywords: &[&str]) -> Option<Gated> {
        let keywords: Vec<String> = keywords.iter().map(|keyword| (*keyword).to_owned()).collect();
        Expression::read(go, 512).unwrap_or_else(|problem| panic!("{go}: {problem}")).gated(&keywords)
    }

    const FIELD: &str =
        r#"(?i)[\w.-]{0,50}?(?:acme|(?-i:[Kk]ey))(?:[ \t\w.-]{0,20})[\s'"]{0,3}(?:=|:)[\s'"]{0,5}([a-z0-9]{12})(?:['"\s;]|\\[nr]|$)"#;

    #[test]
    fn a_gate_stands_where_a_keyword_is_in_all_that_an_expression_holds_for() {
        let at = |go: &str, keywords: &[&str]| gated(go, keywords).map(|gated| (gated.places, gated.reach.before, gated.reach.ahead));
        let one = |back: usize, keyword: &str| vec![(back, keyword.to_owned())];

        assert_eq!(at(r"\b(acme_[a-z0-9]{24})\b", &["acme_"]), Some((one(0, "acme_"), 0, 30)));
        assert_eq!(at(r"\b[a-z]{2}sk_live_[a-z0-9]{24}\b", &["_live_"]), Some((one(2, "_live_"), 4, 33)));
        assert_eq!(at(r"acme[a-z0-9]{24,}", &["acme"]), Some((one(0, "acme"), 0, AHEAD)));
        assert_eq!(at(r"passw(?:or)?d=\w{8}", &["passwd", "password"]).map(|(places, ..)| places.len()), Some(2));
        // Not in all of it, not at a known place, or too far within.
        assert_eq!(at(r"(?:acme|other)=[a-z0-9]{24}", &["acme"]), None);
        assert_eq!(at(r"[a-z]{100}acme=[a-z0-9]{24}", &["acme"]), None);
        assert_eq!(at(r"[a-z]+acme=[a-z0-9]{24}", &["acme"]), None);
        assert_eq!(at(r"tok-[a-z0-9]{24}", &["zz"]), None);
    }

    #[test]
    fn a_gate_holds_wherever_the_expression_does() {
        let pieces = ["acme", "Key", "KEY", "acme_", " ", "=", ": ", "'", "x7qm2zp9lk4v", "x7qm", ";", "\\n", ".", "-", "\"", "0"];
        let expressions = [
            (FIELD, &["acme", "key"][..]),
            (r"\bacme_?(?:\b|x)([a-z0-9]{4,20})(?:\b|\\n)", &["acme"]),
            (r"(?m)^(?:acme)?Key['.]{0,2}\B[=x](?:$|\w)", &["key"]),
            (r"(?:\bacme|\BKEY)x7(?:qm)+2?", &["acme", "key"]),
        ];
        let (mut state, mut held, mut barred) = (3usize, 0, 0);
        for (go, keywords) in expressions {
            let expression = Expression::read(go, 512).expect("read");
            let Gated { gate, places, reach } = gated(go, keywords).unwrap_or_else(|| panic!("{go} has no gate"));
            for _ in 0..4_000 {
                let mut text = String::new();
                for _ in 0..state % 9 + 2 {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    text.push_str(pieces[(state >> 40) % pieces.len()]);
                }
                let small = text.to_ascii_lowercase();
                let stands = |at: usize| places.iter().any(|(back, keyword)| small[at + back..].starts_with(keyword.as_str()));
                let opens: Vec<usize> =
                    (0..text.len()).filter(|at| places.iter().all(|(back, _)| at + back <= text.len()) && stands(*at)).collect();
                let open: Vec<usize> = opens.iter().copied().filter(|at| gate.holds(&text.as_bytes()[*at..])).collect();
                barred += opens.len() - open.len();
                let whole = expression.regex().expect("compiled").find(text.as_bytes());
                if let Some(whole) = whole {
                    held += 1;
                    assert!(open.iter().any(|at| (whole.start()..=whole.start() + reach.before).contains(at)), "{go}: {text}");
                    assert!(open.iter().any(|at| whole.end() < at + reach.ahead), "{go}: {text}");
                    assert!(reach.first.may_begin(&text.as_bytes()[whole.start()..]), "{go}: {text}");
                }
            }
        }
        assert!(held > 200 && barred > 2_000, "{held} held, {barred} barred");
    }
}
