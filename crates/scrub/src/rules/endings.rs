//! How the names of fields end that rules have: a tree of letters, read from the last one on. A name is asked for in as many steps as it has
//! letters in common with one of them, however many there are.

use super::Few;
use std::collections::HashMap;
use std::hash::BuildHasherDefault;

/// Endings, and the rules that have them.
#[derive(Clone)]
pub(super) struct Endings {
    /// Where a letter leads to from a place in the tree: by the place's number above eight bits of letter.
    steps: HashMap<u64, usize, BuildHasherDefault<Few>>,
    places: Vec<Place>,
}

/// Where letters lead to.
#[derive(Clone, Default)]
struct Place {
    /// Whether an ending is whole here, and which rules have it.
    is_ending: bool,
    rules: Vec<usize>,
}

impl Endings {
    pub(super) fn none() -> Self {
        Self { steps: HashMap::default(), places: vec![Place::default()] }
    }

    /// Adds an ending that rules may have.
    pub(super) fn add(&mut self, ending: &str, rule: Option<usize>) {
        let mut place = 0;
        for letter in ending.bytes().rev() {
            let next = self.places.len();
            place = *self.steps.entry(step(place, letter)).or_insert(next);
            if place == next {
                self.places.push(Place::default());
            }
        }
        self.places[place].is_ending = true;
        self.places[place].rules.extend(rule);
    }

    /// Whether a name has an ending, by its letters and digits in lower case, the last one first.
    pub(super) fn any(&self, backwards: impl Iterator<Item = u8>) -> bool {
        self.places(backwards).any(|place| place.is_ending)
    }

    /// The endings that a name has, and their rules.
    pub(super) fn of<'n>(&self, name: &'n [u8]) -> impl Iterator<Item = (&'n [u8], usize)> {
        let places = self.places(name.iter().rev().copied()).zip((0..name.len()).rev());
        places.flat_map(move |(place, from)| place.rules.iter().map(move |rule| (&name[from..], *rule)))
    }

    /// Whether a rule has one.
    pub(super) fn has(&self, rule: usize) -> bool {
        self.places.iter().any(|place| place.rules.contains(&rule))
    }

    fn places(&self, backwards: impl Iterator<Item = u8>) -> impl Iterator<Item = &Place> {
        let mut place = 0;
        backwards.map_while(move |letter| {
            place = *self.steps.get(&step(place, letter))?;
            Some(&self.places[place])
        })
    }
}

fn step(place: usize, letter: u8) -> u64 {
    (place as u64) << 8 | u64::from(letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_the_endings_that_it_ends_with() {
        let all = ["key", "apikey", "ey", "token", "apikey"];
        let mut endings = Endings::none();
        all.iter().enumerate().for_each(|(rule, ending)| endings.add(ending, Some(rule)));
        endings.add("str", None);

        for name in ["myapikey", "key", "apikeys", "", "y", "tokenapikey", "apitoken"] {
            let mut found: Vec<(&[u8], usize)> = endings.of(name.as_bytes()).collect();
            found.sort_by_key(|(_, rule)| *rule);
            let with = (0..).zip(all).filter(|(_, ending)| name.ends_with(ending));
            let expected: Vec<(&[u8], usize)> = with.map(|(rule, ending)| (ending.as_bytes(), rule)).collect();
            assert_eq!(found, expected, "{name}");
            assert_eq!(endings.any(name.bytes().rev()), !found.is_empty(), "{name}");
        }
        assert!(endings.any("astr".bytes().rev()) && endings.has(2) && !endings.has(5));
    }
}
