//! Known values, made ready for search: what a pass over a text needs to know of them.
//!
//! A search may be made on top of another one. What that has computed is shared or copied, and only what is new is read: so a request's
//! own values, which are looked for in its answer alone, cost what they cost by themselves.

use super::ending::Word;
use super::forms::{Form, Known};
use super::grams::{self, Grams};
use super::lanes::Lanes;
use super::pauses::Pauses;
use super::rules::{self, Rules};
use super::{REACH, views};
use std::sync::{Arc, OnceLock};

/// Most bytes between two probes.
const STEP: usize = 16;
const _: () = assert!(STEP + 2 * grams::WIDEST - 2 <= grams::LONGEST, "a form's grams stand in its beginning");
/// How far behind its beginning a form is looked at once more before all of it is: beyond the names that keys of a kind share.
const FURTHER: u8 = 40;

/// Known values, made ready for search. Costs some 5 microseconds for each value; build it once and share it.
pub struct Search {
    pub(super) rules: Option<Arc<Rules>>,
    pub(super) values: Vec<Arc<Known>>,
    /// Which form of which value has a number.
    pub(super) forms: Vec<(u32, u32)>,
    pub(super) grams: Grams,
    /// Bytes between two probes.
    pub(super) step: usize,
    /// Bytes that stand in forms, in either case.
    pub(super) alphabet: [bool; 256],
    pub(super) lanes: Lanes,
    pub(super) window: usize,
    /// Least bytes of a text that a value, or 64 bits of one, can stand in.
    pub(super) shortest: usize,
    /// What the last word of an answer is made of.
    pub(super) word: Word,
    /// Where a stream may be let go.
    pub(super) pauses: Pauses,
    /// The same values without rules, where somebody has asked for that.
    alone: OnceLock<Arc<Self>>,
}

impl Search {
    /// Prepares the search for these values, and for what `rules` tell.
    #[must_use]
    pub fn new(values: Vec<Arc<Known>>, rules: Option<Arc<Rules>>) -> Self {
        let shortest = lengths(&values).min().unwrap_or(usize::MAX);
        let step = [STEP, 8].into_iter().find(|step| step + 3 <= shortest).unwrap_or(4);
        // Two grams fit in a form, so that one stands before or behind an early escape.
        let width = shortest.saturating_sub(step - 1).min(shortest / 2).clamp(4, grams::WIDEST);
        Self::without_values(rules, step, width).and(values)
    }

    /// The same for its `first` values and these.
    pub(super) fn knowing(&self, first: usize, more: Vec<Arc<Known>>) -> Self {
        if first == self.values.len() && self.has_room_for(&more) {
            return self.and(more);
        }
        Self::new([&self.values[..first], &more].concat(), self.rules.clone())
    }

    /// A search for what `rules` tell, which probes a gram of `width` bytes every `step` bytes.
    fn without_values(rules: Option<Arc<Rules>>, step: usize, width: usize) -> Self {
        let has_rules = rules.is_some();
        let is_coded = |byte| u8::try_from(byte).is_ok_and(|byte| byte.is_ascii_alphanumeric() || b"+/-_".contains(&byte));
        Self {
            rules,
            values: Vec::new(),
            forms: Vec::new(),
            grams: Grams::none(width),
            step,
            alphabet: std::array::from_fn(is_coded),
            lanes: Lanes::new(),
            window: REACH + if has_rules { rules::AHEAD } else { 0 },
            shortest: if has_rules { rules::LEAST } else { usize::MAX },
            word: Word::new(),
            pauses: Pauses::new(has_rules),
            alone: OnceLock::new(),
        }
    }

    /// Whether grams and probes find the forms of these values: a probe falls on one of a form's grams, and two grams fit in it.
    fn has_room_for(&self, more: &[Arc<Known>]) -> bool {
        let width = self.grams.width;
        lengths(more).all(|length| length >= (self.step + width - 1).max(2 * width))
    }

    /// The same for these values too, whose forms are long enough.
    fn and(&self, more: Vec<Arc<Known>>) -> Self {
        let number = |at: usize| u32::try_from(at).expect("secrets are bounded in number and length");
        let count = more.iter().map(|known| known.forms().len()).sum::<usize>();
        let mut forms = Vec::with_capacity(self.forms.len() + count);
        forms.extend_from_slice(&self.forms);
        let (width, each) = (self.grams.width, self.step + self.grams.width - 1);
        let mut hashed = Vec::with_capacity(count * each);
        for (value, known) in (self.values.len()..).zip(&more) {
            let first = forms.len();
            known.beginnings(each + width - 1, |form, beginning, length| {
                let further = u8::try_from(form.len() - 1).unwrap_or(u8::MAX).min(FURTHER);
                let further = (further, known.byte(form, usize::from(further)).to_ascii_lowercase());
                self.grams.of(number(forms.len()), beginning, length + 1 - width, further, &mut hashed);
                forms.push((number(value), number(forms.len() - first)));
            });
        }
        let grams = self.grams.and(&hashed);
        let mut alphabet = self.alphabet;
        more.iter().flat_map(|known| known.alphabet()).for_each(|byte| alphabet[usize::from(byte)] = true);
        for (upper, lower) in (b'A'..=b'Z').zip(b'a'..=b'z').map(|(upper, lower)| (usize::from(upper), usize::from(lower))) {
            let either = alphabet[upper] || alphabet[lower];
            (alphabet[upper], alphabet[lower]) = (either, either);
        }
        let longest = lengths(&more).max().unwrap_or(0) * views::WIDEST;
        let window = self.window.max(longest + REACH + if self.rules.is_some() { rules::AHEAD } else { 0 });
        let shortest = lengths(&more).min().map_or(self.shortest, |shortest| shortest.min(self.shortest));
        let word = self.word.also(more.iter().flat_map(|known| known.texts()));
        let pauses = self.pauses.also(more.iter().map(|known| known.shape()));
        let mut values = Vec::with_capacity(self.values.len() + more.len());
        values.extend(self.values.iter().cloned().chain(more));
        Self {
            rules: self.rules.clone(),
            values,
            forms,
            grams,
            step: self.step,
            alphabet,
            lanes: self.lanes,
            window,
            shortest,
            word,
            pauses,
            alone: OnceLock::new(),
        }
    }

    /// The search for its values alone.
    pub(super) fn alone(&self) -> Arc<Self> {
        Arc::clone(self.alone.get_or_init(|| Arc::new(Self::new(self.values.clone(), None))))
    }

    /// Bytes of memory that the search uses, without the values.
    #[must_use]
    pub fn size(&self) -> usize {
        let alone = self.alone.get().map_or(0, |alone| alone.grams.size() + alone.forms.len() * 8);
        self.grams.size() + self.forms.len() * 8 + self.values.iter().map(|known| size_of_val(known.forms())).sum::<usize>() + alone
    }

    /// Every encoding of every value, as it is looked for: for tests and benchmarks, which search for them in other ways.
    #[doc(hidden)]
    pub fn literals(&self) -> Vec<Vec<u8>> {
        let literal = |at: usize| {
            let (value, form) = self.form(u32::try_from(at).expect("forms are numbered"));
            (0..form.len()).map(|offset| self.values[value].byte(form, offset)).collect()
        };
        (0..self.forms.len()).map(literal).collect()
    }

    /// The gram that a view shows, if it may be one of a form's.
    #[inline]
    pub(super) fn shown(&self, bytes: impl Iterator<Item = u8>) -> Option<u64> {
        let mut gram = [0; grams::WIDEST];
        let shown = bytes.zip(&mut gram[..self.grams.width]).map(|(shown, byte)| *byte = shown).count();
        let gram = self.grams.gram_of(gram);
        (shown == self.grams.width && self.grams.may_hold(gram)).then_some(gram)
    }

    pub(super) fn has_values(&self) -> bool {
        !self.values.is_empty()
    }

    #[inline]
    pub(super) fn form(&self, number: u32) -> (usize, &Form) {
        let (value, form) = self.forms[number as usize];
        (value as usize, &self.values[value as usize].forms()[form as usize])
    }
}

/// How long the forms of values are.
fn lengths(values: &[Arc<Known>]) -> impl Iterator<Item = usize> + '_ {
    values.iter().flat_map(|known| known.forms()).map(Form::len)
}

impl std::fmt::Debug for Search {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Search({} values in {} forms)", self.values.len(), self.forms.len())
    }
}
