//! Values beside those of a search: what a request has carried, for which only its own answer is searched. Most such answers hold none of it:
//! they are shorter than any form, or a glance at a short one shows it. So no search is made of a value until a text comes that it may stand in.

use super::glance::{self, Glance};
use super::{Finding, Known, Replacement, Scrubber, Search, ending};
use std::sync::{Arc, OnceLock};

/// Values that are looked for when a text may hold one.
#[derive(Debug)]
pub(super) struct Beside {
    /// Each with what stands for it.
    values: Arc<Vec<(Arc<Known>, Replacement)>>,
    /// Least bytes of a text that a form of one can stand in: each byte of a form takes one, or more where it is escaped.
    shortest: usize,
    /// The search for all values.
    search: OnceLock<Arc<Search>>,
}

impl Beside {
    pub(super) fn new(values: &Arc<Vec<(Arc<Known>, Replacement)>>) -> Option<Arc<Self>> {
        let shortest = values.iter().map(|(known, _)| known.least()).min()?;
        Some(Arc::new(Self { values: Arc::clone(values), shortest, search: OnceLock::new() }))
    }

    /// The values, each with what stands for it.
    pub(super) fn all(&self) -> &[(Arc<Known>, Replacement)] {
        &self.values
    }

    /// What stands for them.
    pub(super) fn replacements(&self) -> impl Iterator<Item = &Replacement> {
        self.values.iter().map(|(_, replacement)| replacement)
    }

    fn known(&self) -> impl Iterator<Item = &Arc<Known>> {
        self.values.iter().map(|(known, _)| known)
    }

    /// Whether a search was made of them.
    fn is_made(&self) -> bool {
        self.search.get().is_some()
    }

    /// Whether a text may hold one of the values, as far as it is told before a search is made.
    fn may_stand_in(&self, text: &[u8], search: &Search) -> bool {
        if text.len() < self.shortest {
            return false;
        }
        if self.shortest < glance::LEAST || self.is_made() {
            return true;
        }
        Glance::of(text, search.lanes).is_none_or(|glance| self.known().any(|known| glance.may_hold(known)))
    }
}

impl Scrubber {
    /// The search for all values.
    pub(super) fn whole(&self) -> &Arc<Search> {
        let Some(beside) = &self.beside else { return &self.search };
        beside.search.get_or_init(|| Arc::new(self.search.knowing(self.search.values.len(), beside.known().cloned().collect())))
    }

    /// A search that finds whatever begins and ends in a text.
    pub(super) fn search_within(&self, text: &[u8]) -> &Arc<Search> {
        match &self.beside {
            Some(beside) if !beside.may_stand_in(text, &self.search) => &self.search,
            _ => self.whole(),
        }
    }

    /// The last word of an answer that ends with this text, from `from` on, if it may be a value cut short.
    pub(super) fn last_word(&self, text: &[u8], from: usize) -> Option<Finding> {
        match &self.beside {
            // Such a text is no longer than the window of all values.
            Some(beside) if !beside.is_made() && text.len() <= self.search.window => {
                let word = self.search.word.also(beside.known().flat_map(|known| known.texts()));
                ending::last_word(&word, text.len(), text, from)
            }
            _ => ending::last_word(&self.whole().word, self.whole().window, text, from),
        }
    }

    /// Whether something was made of the values beside those of its search.
    #[cfg(test)]
    pub(super) fn has_made(&self) -> bool {
        self.beside.as_ref().is_some_and(|beside| beside.is_made())
    }

    /// How many values it knows.
    pub(super) fn count(&self) -> usize {
        self.search.values.len() + self.beside.as_ref().map_or(0, |beside| beside.values.len())
    }
}
