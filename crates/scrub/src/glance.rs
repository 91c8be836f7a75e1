//! A look at a short text before a search is made ready for it: whether a value may stand in it at all.
//!
//! To make a search of a value is to encode it in all ways and to note what each form begins with, which takes longer than to search a short
//! text. So it is turned round here: what a form could begin with is noted of the text, and each form that is no longer than the text is asked
//! for. Nothing is missed, by the same reason as in `sweep`: a form whose first escape stands `GRAM` bytes behind its beginning, or further,
//! begins with a gram of the text as it is; one whose first escape comes earlier has a gram that begins with it, as its chain shows the text.
//! What may be there is left to the search. Grams are told by a keyed hash of all their bytes. Whoever knows all of a value but few bytes may
//! learn from the time that a search takes whether a guess of these is right: what is looked for here is made for one request and of no use after it.

use super::forms::Known;
use super::grams;
use super::lanes::{Lanes, Marks, each};
use super::views::{CHAINS, INTRODUCES, SEPARATED, Walk};

/// Bytes in a gram.
const GRAM: usize = grams::WIDEST;
/// Least bytes of a form that is told from the text: each of its first grams lies within it.
pub(super) const LEAST: usize = 2 * GRAM;
/// Most bytes of a text: of a longer one the search is made at once.
const MOST: usize = 1024;
/// Most escapes in it.
const MOST_ESCAPES: usize = 32;
/// Bits for each byte of a text.
const SPARSE: usize = 64;
/// How far into a form the gram stands that hexadecimal in words is told by: at its beginning, or behind its first word.
const WORDS: [usize; 2] = [0, 2];

/// What forms could begin with in a text.
pub(super) struct Glance {
    length: usize,
    map: Vec<u64>,
    has_escapes: bool,
    has_words: bool,
}

impl Glance {
    /// `None` where it would take too long. `lanes` tell where hexadecimal may stand in words.
    pub(super) fn of(text: &[u8], lanes: Lanes) -> Option<Self> {
        let introducing = || text.iter().enumerate().filter(|(_, byte)| INTRODUCES[usize::from(**byte)]);
        if text.len() > MOST || introducing().nth(MOST_ESCAPES).is_some() {
            return None;
        }
        let words = (text.len() * SPARSE / 64).next_power_of_two();
        let mut glance = Self { length: text.len(), map: vec![0; words], has_escapes: false, has_words: false };
        text.windows(GRAM).for_each(|bytes| glance.add(bytes.first_chunk().expect("a window of that size")));
        for (at, byte) in introducing() {
            glance.has_escapes = true;
            for chain in CHAINS.iter().filter(|chain| chain.reads(*byte)) {
                glance.show(Walk::new(text, at, *chain));
            }
        }
        Marks::with(|marks| {
            lanes.mark(text, 0, marks);
            for block in 0..marks.blocks {
                each(marks.pairs[block], |bit| glance.words(text, block * super::lanes::BLOCK + bit));
            }
        });
        Some(glance)
    }

    /// Whether a form of the value, each of which has `LEAST` bytes, may stand in the text.
    pub(super) fn may_hold(&self, known: &Known) -> bool {
        known.any_beginning(self.length, LEAST - 1, |form, beginning| {
            let has = |at: &usize| beginning[*at..].first_chunk().is_some_and(|gram| self.has(gram));
            let escapes = if self.has_escapes { 0..GRAM } else { 0..1 };
            escapes.into_iter().any(|at| has(&at)) || self.has_words && form.is_hex() && WORDS.iter().any(has)
        })
    }

    /// Words of hexadecimal digits that begin here.
    fn words(&mut self, text: &[u8], at: usize) {
        self.has_words = true;
        let prefix = if text[at] == b'0' && matches!(text.get(at + 1), Some(b'x' | b'X')) { 2 } else { 0 };
        self.show(Walk::new(text, at + prefix, SEPARATED));
    }

    /// Notes what a chain shows first.
    fn show(&mut self, walk: Walk<'_>) {
        let mut gram = [0; GRAM];
        if walk.zip(&mut gram).map(|((shown, _), byte)| *byte = shown).count() == GRAM {
            self.add(&gram);
        }
    }

    fn add(&mut self, gram: &[u8; GRAM]) {
        let hash = grams::hash(*gram);
        let word = grams::word(hash) & (self.map.len() - 1);
        self.map[word] |= grams::bits(hash);
    }

    fn has(&self, gram: &[u8; GRAM]) -> bool {
        let hash = grams::hash(*gram);
        let bits = grams::bits(hash);
        self.map[grams::word(hash) & (self.map.len() - 1)] & bits == bits
    }
}
