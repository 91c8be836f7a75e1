//! Denials of one run, recorded and counted.

use super::Session;
use crate::meter::{Limit, MAX_DENIALS, Stop};
use crate::policy::{Denial, Rule};

/// A denial, recorded.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) rule: Rule,
    /// What the agent is told.
    pub(crate) text: String,
}

impl Session {
    /// Records a denial, and ends the run where it says so.
    pub(crate) fn deny(&self, denial: Denial) -> Refused {
        let scrubber = self.scrubber();
        let denial = denial.with_texts(|text| scrubber.scrub_text(&text).into_owned());
        let refused = Refused { rule: denial.rule, text: denial.for_guest() };
        if self.journal.denial(&denial) >= MAX_DENIALS {
            self.meter.stop(Stop::Limit(Limit::Denials));
        }
        if denial.stop {
            self.meter.stop(Stop::Denied(denial));
        }
        refused
    }
}
