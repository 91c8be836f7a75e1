//! Values beside those of a search: what a request has carried, for which only its own answer is searched. Most such answers are shorter than
//! any form of it, so nothing is made of a value until a text comes that one can stand in. What is decided by is the length of the text alone.

use super::{Finding, Known, Scrubber, Search, ending};
use std::sync::{Arc, OnceLock};

/// Values that are looked for when a text may hold one.
#[derive(Debug)]
pub(super) struct Beside {
    values: Vec<Arc<Known>>,
    /// Least bytes of a text that a form of one can stand in: each byte of a form takes one, or more where it is escaped.
    shortest: usize,
    /// The search for all values.
    all: OnceLock<Arc<Search>>,
}

impl Beside {
    pub(super) fn new(values: Vec<Arc<Known>>) -> Option<Arc<Self>> {
        let shortest = values.iter().map(|known| known.least()).min()?;
        Some(Arc::new(Self { values, shortest, all: OnceLock::new() }))
    }
}

impl Scrubber {
    /// The search for all values.
    pub(super) fn whole(&self) -> &Arc<Search> {
        let Some(beside) = &self.beside else { return &self.search };
        beside.all.get_or_init(|| Arc::new(self.search.knowing(self.search.values.len(), beside.values.clone())))
    }

    /// A search that finds whatever begins and ends in a text of so many bytes.
    pub(super) fn search_within(&self, length: usize) -> &Arc<Search> {
        match &self.beside {
            Some(beside) if length < beside.shortest => &self.search,
            _ => self.whole(),
        }
    }

    /// The last word of an answer that ends with this text, from `from` on, if it may be a value cut short.
    pub(super) fn last_word(&self, text: &[u8], from: usize) -> Option<Finding> {
        match &self.beside {
            // Such a text is shorter than the window of all values.
            Some(beside) if text.len() < beside.shortest => {
                let word = self.search.word.also(beside.values.iter().flat_map(|known| known.texts()));
                ending::last_word(&word, text.len(), text, from)
            }
            _ => ending::last_word(&self.whole().word, self.whole().window, text, from),
        }
    }

    /// Whether something was made of the values beside those of its search.
    #[cfg(test)]
    pub(super) fn has_made(&self) -> bool {
        self.beside.as_ref().is_some_and(|beside| beside.all.get().is_some())
    }

    /// How many values it knows.
    pub(super) fn count(&self) -> usize {
        self.search.values.len() + self.beside.as_ref().map_or(0, |beside| beside.values.len())
    }
}
