//! The scrubber over a stream: any chunking gives the same output.
//!
//! At some places nothing needs to be held back: at the end of an event of a stream (SSE) or of a line of NDJSON, and, where nothing more
//! comes for a while, before whatever could be the beginning of a form (`pauses`).

use super::pauses::Cut;
use super::rules::CELL;
use super::sweep::Sweep;
use super::{Covered, Finding, Scrubber, Search, Subject, sorted};
use std::sync::Arc;
use zeroize::Zeroize;

/// Bytes that are kept behind what is let go: rules look back for the name of a field, from where a form may have begun.
const CONTEXT: usize = super::rules::BEHIND + super::pauses::LONGEST_RUN;

/// Least bytes that are let go at once, unless at a cut.
const LEAST_STEP: usize = 64;

/// Most bytes before a piece that may make a break in it the end of an event.
const LONGEST_BREAK: usize = 4;

/// A word that is longer than this is let go in pieces.
const LONGEST_WORD: usize = 256;

/// Most kinds of findings that a stream remembers.
const MOST_KINDS: usize = 16;

/// One stream. It holds back one window, whatever is in it: the longest that an encoded value can take.
pub struct Stream {
    scrubber: Arc<Scrubber>,
    /// The source's bytes that are not let go yet, behind some that are.
    held: Vec<u8>,
    /// How many of them are let go.
    gone: usize,
    /// Where a form may have begun whose beginning is let go.
    opened: usize,
    covered: Covered,
    redacted: u64,
    /// What was found, each once, the first few.
    kinds: Vec<Subject>,
    /// Whether the last word may be a value cut short.
    may_be_cut: bool,
}

impl Stream {
    /// A stream that looks for the scrubber's values.
    #[must_use]
    pub fn new(scrubber: Arc<Scrubber>) -> Self {
        let covered = Covered::default();
        Self { scrubber, held: Vec::new(), gone: 0, opened: 0, covered, redacted: 0, kinds: Vec::new(), may_be_cut: false }
    }

    /// The same over an answer of somebody who knows a value and may cut it short: its last word goes if it may carry 64 bits.
    #[must_use]
    pub fn of_answer(scrubber: Arc<Scrubber>) -> Self {
        Self { may_be_cut: true, ..Self::new(scrubber) }
    }

    /// Looks with another scrubber from now on; what is held back is looked at with it, too.
    pub fn renew(&mut self, scrubber: &Arc<Scrubber>) {
        if !Arc::ptr_eq(&self.scrubber, scrubber) {
            self.scrubber = Arc::clone(scrubber);
        }
    }

    /// Takes a chunk in, and appends to `out` what can be let go.
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) {
        if self.scrubber.is_empty() {
            out.extend_from_slice(chunk);
            return;
        }
        self.held.extend_from_slice(chunk);
        let new = self.held.len() - chunk.len();
        if let Some(cut) = self.by_all(|search| self.cut(search, new)) {
            self.let_go(cut, out);
        }
    }

    /// Where a chunk that begins at `new` lets something go.
    fn cut(&self, search: &Search, new: usize) -> Option<Cut> {
        let safe = Cut::before(self.held.len().saturating_sub(search.window));
        let event = search.pauses.event(&self.held, new.saturating_sub(LONGEST_BREAK)).filter(|cut| cut.at > safe.at.max(self.gone));
        // A few bytes are not worth a look.
        event.or_else(|| (safe.at >= self.gone + LEAST_STEP).then_some(safe))
    }

    /// What is let go by the search for all values. Where fewer values hold all of it back, more do too, and need not be made ready.
    fn by_all(&self, cut: impl Fn(&Search) -> Option<Cut>) -> Option<Cut> {
        let by_few = cut(&self.scrubber.search)?;
        if self.scrubber.beside.is_none() { Some(by_few) } else { cut(self.scrubber.whole()) }
    }

    /// Whether some of it is held back.
    pub fn is_waiting(&self) -> bool {
        self.held.len() > self.gone
    }

    /// Lets go what no form can have begun in that is not complete, since nothing has come for a while.
    pub fn pause(&mut self, out: &mut Vec<u8>) {
        if let Some(cut) = self.by_all(|search| search.pauses.silence(&self.held, self.gone).filter(|cut| cut.at > self.gone)) {
            self.let_go(cut, out);
        }
    }

    /// Lets go what would wait for more, up to the last word, which may be half a key: for streams that people watch.
    pub fn flush(&mut self, out: &mut Vec<u8>) {
        let word = self.held[self.gone..].iter().rev().take(LONGEST_WORD).take_while(|byte| !super::lanes::breaks(**byte)).count();
        let safe = self.held.len() - if word == LONGEST_WORD { 0 } else { word };
        if !self.scrubber.is_empty() && safe > self.gone {
            self.let_go(Cut::before(safe), out);
        }
    }

    /// Ends the stream: lets everything go.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if !self.scrubber.is_empty() {
            self.let_go_at_end(out);
        }
        self.held.zeroize();
        // What continues beyond the end of a finding still continues, should more come after all.
        (self.gone, self.opened, self.covered.until) = (0, 0, 0);
    }

    /// Ends a stream that somebody broke off: its last word may be a value cut short, whoever sent it.
    pub fn break_off(&mut self, out: &mut Vec<u8>) {
        self.may_be_cut = true;
        self.finish(out);
    }

    /// What was found so far, each kind once: rules by their names, values by what replaces them in an encoding.
    #[must_use]
    pub fn kinds(&self) -> Vec<String> {
        self.kinds.iter().map(|subject| self.scrubber.named(*subject)).collect()
    }

    /// How many kinds were found so far; it stops growing after a few.
    #[must_use]
    pub fn kinds_found(&self) -> usize {
        self.kinds.len()
    }

    /// How many findings were replaced so far.
    #[must_use]
    pub fn redacted(&self) -> u64 {
        self.redacted
    }

    /// Lets everything go, but for a last word that may be a value cut short.
    fn let_go_at_end(&mut self, out: &mut Vec<u8>) {
        let end = self.held.len();
        // What is found begins and ends in what is held.
        let search = self.scrubber.search_within(&self.held);
        let mut findings = Sweep::findings(search, &self.scrubber.lens, &self.held, self.opened..end);
        if self.may_be_cut && self.scrubber.count() > 0 {
            // What is found whole, and a placeholder, is no piece of a value.
            let found = findings.iter().map(|finding| finding.at.end).max().unwrap_or(0);
            let minted = self.scrubber.lens.last_exempt(&self.held[self.gone..]).map_or(0, |at| self.gone + at);
            let whole = found.max(minted).max(self.covered.until).clamp(self.opened, end);
            findings.extend(self.scrubber.last_word(&self.held, whole));
        }
        self.replace(findings, end, out);
    }

    /// Lets go what begins before a cut.
    fn let_go(&mut self, cut: Cut, out: &mut Vec<u8>) {
        let findings = Sweep::findings(self.scrubber.whole(), &self.scrubber.lens, &self.held, self.opened..cut.at);
        self.opened = cut.opened;
        self.replace(findings, cut.at, out);
    }

    /// Lets go what begins before `safe`, with these findings replaced.
    fn replace(&mut self, mut findings: Vec<Finding>, safe: usize, out: &mut Vec<u8>) {
        findings.retain(|finding| finding.at.end > self.gone);
        let findings = sorted(findings);
        for finding in &findings {
            if self.kinds.len() < MOST_KINDS && !self.kinds.contains(&finding.subject) {
                self.kinds.push(finding.subject);
            }
        }
        let (scrubber, redacted) = (&self.scrubber, &mut self.redacted);
        scrubber.replace(&self.held, &findings, self.gone..safe, &mut self.covered, out, |subject| {
            *redacted += 1;
            scrubber.count_in(subject);
        });
        self.gone = safe;
        if self.gone >= self.held.len() / 2 + CONTEXT {
            // By whole cells: where a rule is tried is counted from the beginning of the stream.
            let past = (self.gone - CONTEXT) / CELL * CELL;
            self.held.drain(..past);
            self.covered.until = self.covered.until.saturating_sub(past);
            self.opened = self.opened.saturating_sub(past);
            self.gone -= past;
        }
    }
}
