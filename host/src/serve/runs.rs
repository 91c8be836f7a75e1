//! The runs of one agent: which are due, wait, are under way, and come again after a failure. Pure: time is an argument, in milliseconds since
//! 1970-01-01T00:00:00Z, and what follows is said, not done.

use super::schedule::{first, following, is_missed, settled};
use super::status::AgentState;
use crate::backoff::Backoff;
use crate::clock::millis;
use crate::manifest::{Overlap, Restart, Supervision, Trigger};
use std::time::Duration;

/// By how much a clock has to have been set back for a calendar to be looked at anew. Where it is less, no time comes twice.
const SET_BACK: u64 = 60 * 60 * 1_000;

/// How a run ended that the kill switch has stopped.
const STOPPED: &str = "stopped by the kill switch";

/// The runs of one agent, as far as a supervisor has to know of them.
pub(super) struct Runs {
    trigger: Trigger,
    supervision: Supervision,
    /// The next run by the trigger.
    due: Option<u64>,
    /// Runs that are due, and wait for earlier ones.
    queued: u32,
    /// Runs that have begun, or wait for room.
    slots: u32,
    /// Those of them that have begun.
    begun: u32,
    /// Failures in a row.
    failures: u32,
    again: Option<Again>,
    given_up: Option<String>,
    /// An agent that runs once has changed while it ran.
    changed: bool,
    draining: bool,
    /// By an operator.
    paused: bool,
    /// When it was last told the time.
    told: u64,
    pub(super) restarts: u64,
    pub(super) left_out: u64,
}

/// A run that is to begin since one before has ended.
struct Again {
    at: u64,
    why: String,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ending {
    /// With exit code 0.
    Well,
    /// In any other way.
    Failed(String),
    /// By the supervisor.
    Interrupted,
    /// By the kill switch: an agent that restarts is due again, which waits until it is lifted.
    Stopped,
}

/// What passing time has brought.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Ticked {
    /// So many runs begin now.
    pub(super) begin: u32,
    /// A time of the trigger that has passed, which is to be remembered before any of them begins.
    pub(super) passed: Option<u64>,
    /// Why a run that was due is left out.
    pub(super) left_out: Option<LeftOut>,
}

/// Why a run that was due does not begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LeftOut {
    /// As many as may be are under way, or wait.
    Busy,
    /// Its time has passed.
    Missed,
}

/// What comes of a run that an operator asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Triggered {
    Begins,
    Busy,
    Called,
    Paused,
    Draining,
}

/// What the end of a run brings.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing of its own.
    AsPlanned,
    /// Another run after this wait.
    Again(Duration),
    /// None any more, after so many failures.
    GivesUp(u32),
}

impl Runs {
    /// Those of an agent that was due last at `last`, where that is known.
    pub(super) fn new(trigger: Trigger, supervision: Supervision, last: Option<u64>, now: u64) -> Self {
        let due = first(&trigger, last, now);
        Self {
            trigger,
            supervision,
            due,
            queued: 0,
            slots: 0,
            begun: 0,
            failures: 0,
            again: None,
            given_up: None,
            changed: false,
            draining: false,
            paused: false,
            told: now,
            restarts: 0,
            left_out: 0,
        }
    }

    /// Whether nothing begins, whatever the time.
    fn is_idle(&self) -> bool {
        self.draining || self.paused || self.given_up.is_some()
    }

    /// When time next brings something.
    pub(super) fn wakes(&self) -> Option<u64> {
        if self.is_idle() {
            return None;
        }
        let again = self.again.as_ref().filter(|_| self.has_slot()).map(|again| again.at);
        again.into_iter().chain(self.due).min()
    }

    /// When a run begins next, if that is known.
    pub(super) fn next(&self) -> Option<u64> {
        if self.is_idle() { None } else { self.again.as_ref().map(|again| again.at).or(self.due) }
    }

    pub(super) fn queued(&self) -> u32 {
        self.queued
    }

    /// Whether its times are to be remembered.
    pub(super) fn has_schedule(&self) -> bool {
        matches!(self.trigger, Trigger::Every { .. } | Trigger::Cron { .. })
    }

    /// Whether callers run it.
    pub(super) fn is_called(&self) -> bool {
        matches!(self.trigger, Trigger::Http(_))
    }

    /// A caller asks for a run. Returns whether it waits for its turn, which may be at once.
    pub(super) fn called(&mut self) -> bool {
        if self.draining || self.paused || !self.is_called() {
            return false;
        }
        let is_left_out = self.offered().is_some();
        self.left_out += u64::from(is_left_out);
        !is_left_out
    }

    /// An operator asks for a run. It begins after those that wait; where so many have failed that none began any more, they do again.
    pub(super) fn triggered(&mut self, now: u64) -> Triggered {
        match () {
            () if self.draining => return Triggered::Draining,
            () if self.paused => return Triggered::Paused,
            () if self.is_called() => return Triggered::Called,
            () => {}
        }
        (self.given_up, self.failures) = (None, 0);
        if let Some(again) = &mut self.again {
            again.at = now;
            return Triggered::Begins;
        }
        if self.offered().is_some() { Triggered::Busy } else { Triggered::Begins }
    }

    /// What was to begin since a run before has ended does not.
    pub(super) fn stop(&mut self) {
        self.again = None;
    }

    /// Nothing of it begins any more, or does again: what was due meanwhile is looked at as after a host that did not run.
    pub(super) fn pause(&mut self, paused: bool) {
        self.paused = paused;
    }

    /// Nothing runs, and nothing will.
    pub(super) fn is_over(&self) -> bool {
        self.draining && self.slots == 0
    }

    /// Takes note of the time.
    pub(super) fn tick(&mut self, now: u64) -> Ticked {
        let mut ticked = Ticked::default();
        if self.is_idle() {
            return ticked;
        }
        self.heed(now);
        if self.has_slot() && self.again.as_ref().is_some_and(|again| again.at <= now) {
            self.again = None;
            self.restarts += 1;
            self.slots += 1;
            ticked.begin += 1;
        }
        self.due = self.due.map(|due| settled(&self.trigger, due, now));
        if let Some(due) = self.due.filter(|due| *due <= now) {
            ticked.passed = Some(due);
            ticked.left_out = if is_missed(&self.trigger, due, now) { Some(LeftOut::Missed) } else { self.offered() };
            self.left_out += u64::from(ticked.left_out.is_some());
            self.due = following(&self.trigger, due, now);
        }
        while self.queued > 0 && self.has_slot() && self.again.is_none() {
            self.queued -= 1;
            self.slots += 1;
            ticked.begin += 1;
        }
        ticked
    }

    /// Takes note of a clock that was set back: nothing waits longer than it would have.
    fn heed(&mut self, now: u64) {
        if let Some(again) = &mut self.again {
            again.at = again.at.min(now.saturating_add(millis(self.supervision.backoff_to)));
        }
        if now.saturating_add(SET_BACK) < self.told && matches!(self.trigger, Trigger::Cron { .. }) {
            self.due = self.due.and_then(|_| following(&self.trigger, now, now));
        }
        self.told = now;
    }

    /// A run that is due waits for its turn, or is left out.
    fn offered(&mut self) -> Option<LeftOut> {
        // Several may be due before the first of them begins.
        let free = if self.again.is_none() { self.supervision.concurrency.saturating_sub(self.slots) } else { 0 };
        let room = match self.supervision.overlap {
            Overlap::Queue(most) => most.saturating_add(free),
            _ => free,
        };
        if self.queued >= room {
            return Some(LeftOut::Busy);
        }
        self.queued += 1;
        None
    }

    fn has_slot(&self) -> bool {
        self.slots < self.supervision.concurrency
    }

    /// So many runs that were to begin do not.
    pub(super) fn not_begun(&mut self, runs: u32) {
        self.slots -= runs;
        self.left_out += u64::from(runs);
    }

    /// A run has found room.
    pub(super) fn began(&mut self) {
        self.begun += 1;
    }

    /// A run has ended, or was given up before it began. It took so long.
    pub(super) fn ended(&mut self, ending: &Ending, has_begun: bool, took: Duration, now: u64) -> Next {
        self.slots -= 1;
        self.begun -= u32::from(has_begun);
        let changed = std::mem::take(&mut self.changed);
        if self.draining || self.given_up.is_some() {
            return Next::AsPlanned;
        }
        if *ending == Ending::Interrupted {
            // What was interrupted before its agent was there again has not run what is there now.
            if self.trigger == Trigger::Once && (changed || !has_begun) {
                self.due = Some(now);
            }
            return Next::AsPlanned;
        }
        if *ending == Ending::Stopped {
            let restarts = matches!(self.supervision.restart, Restart::OnFailure | Restart::Always);
            if restarts {
                self.again = Some(Again { at: now, why: STOPPED.to_owned() });
            } else if self.trigger == Trigger::Once && (changed || !has_begun) {
                self.due = Some(now);
            }
            return if restarts { Next::Again(Duration::ZERO) } else { Next::AsPlanned };
        }
        if took >= self.supervision.backoff_to || *ending == Ending::Well {
            self.failures = 0;
        }
        let why = match (ending, self.supervision.restart) {
            (Ending::Failed(why), Restart::OnFailure | Restart::Always) => why.clone(),
            (Ending::Well, Restart::Always) => "exit 0".to_owned(),
            _ => {
                self.due = if changed { Some(now) } else { self.due };
                return Next::AsPlanned;
            }
        };
        self.failures += u32::from(*ending != Ending::Well);
        if self.failures >= self.supervision.give_up && !changed {
            self.given_up = Some(why);
            self.queued = 0;
            self.again = None;
            return Next::GivesUp(self.failures);
        }
        let backoff = Backoff { first: self.supervision.backoff_from, longest: self.supervision.backoff_to };
        let wait = if changed { Duration::ZERO } else { backoff.spread(self.failures) };
        self.again = Some(Again { at: now.saturating_add(millis(wait)), why });
        Next::Again(wait)
    }

    /// The agent has another manifest or component, or is there again: what was held against the old one is forgotten. `running` says whether a
    /// run had begun before, and has not ended: one that only waits for room takes what is there now.
    pub(super) fn change(&mut self, trigger: Trigger, supervision: Supervision, running: bool, now: u64) {
        self.failures = 0;
        let (gave_up, drained) = (self.given_up.take().is_some(), std::mem::take(&mut self.draining));
        let is_once = trigger == Trigger::Once;
        if self.is_called() != matches!(trigger, Trigger::Http(_)) {
            // Who waits was turned away, or waits for nobody.
            self.queued = 0;
        }
        if let Some(again) = &mut self.again {
            again.at = now;
        }
        self.changed = is_once && running && self.again.is_none();
        if is_once {
            self.due = (self.slots == 0 && self.again.is_none()).then_some(now);
        } else if gave_up || drained || trigger != self.trigger {
            self.due = first(&trigger, Some(now), now);
        }
        (self.trigger, self.supervision) = (trigger, supervision);
    }

    /// Nothing begins any more.
    pub(super) fn drain(&mut self) {
        self.draining = true;
        self.queued = 0;
        self.again = None;
        self.due = None;
    }

    pub(super) fn state(&self) -> AgentState {
        match (&self.given_up, &self.again) {
            _ if self.draining => AgentState::Draining,
            _ if self.paused => AgentState::Paused,
            (Some(why), _) => AgentState::GivenUp { why: why.clone() },
            _ if self.begun > 0 => AgentState::Running,
            (None, Some(again)) => AgentState::BackingOff { why: again.why.clone() },
            _ if self.slots > 0 || self.queued > 0 => AgentState::Queued,
            _ if self.due.is_some() || self.is_called() => AgentState::Waiting,
            _ => AgentState::Ended,
        }
    }
}

#[cfg(test)]
mod tests;
