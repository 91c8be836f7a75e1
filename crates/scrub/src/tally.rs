//! How often each rule has found something, over all the streams and texts of one run.

use std::collections::BTreeMap;
use strongroom_ground::lock::Mutex;

/// Most rules that are counted by name.
const MOST: usize = 32;
/// What the rest is counted under.
const OTHERS: &str = "others";

/// Counts of findings. Shared by the scrubbers that are made of one another.
#[derive(Debug, Default)]
pub struct Tally(Mutex<BTreeMap<String, u64>>);

impl Tally {
    /// How many findings there were, by the name of the rule: of the first 32 rules that found something. The rest is counted as `others`.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<String, u64> {
        self.0.lock().clone()
    }

    pub(super) fn add(&self, rule: &str) {
        let mut counts = self.0.lock();
        let rule = if counts.len() < MOST || counts.contains_key(rule) { rule } else { OTHERS };
        match counts.get_mut(rule) {
            Some(count) => *count += 1,
            None => {
                counts.insert(rule.to_owned(), 1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Rules, Scrubber, Search, Stream};
    use std::sync::Arc;

    #[test]
    fn what_rules_find_is_counted_over_all_texts_of_a_run() {
        let tally = Arc::new(Tally::default());
        let search = Arc::new(Search::new(Vec::new(), Some(Rules::standard())));
        let scrubber = Arc::new(Scrubber::new(search, Vec::new()).counting(&tally));
        let token = "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";

        let (mut stream, mut out) = (Stream::new(Arc::clone(&scrubber)), Vec::new());
        for piece in format!("{token} and {token}\n\n").repeat(40).as_bytes().chunks(7) {
            stream.push(piece, &mut out);
        }
        stream.finish(&mut out);
        assert!(scrubber.passing(&[]).scrub(token.as_bytes()).is_some());
        scrubber.note("github-personal-token");
        // What the host says of a run is none of its findings; nor is what no rule is named.
        assert_ne!(scrubber.scrub_text(token), token);
        scrubber.note("[redacted:KEY]");

        assert_eq!(tally.counts(), BTreeMap::from([("github-personal-token".to_owned(), 82)]));
    }

    #[test]
    fn the_rules_that_are_counted_by_name_are_bounded() {
        let tally = Tally::default();

        (0..100).for_each(|rule| tally.add(&format!("rule-{rule}")));
        tally.add("rule-0");

        let counts = tally.counts();
        assert_eq!((counts.len(), counts["rule-0"], counts[OTHERS]), (MOST + 1, 2, 68));
    }
}
