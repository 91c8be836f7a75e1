//! One pass over a text: probes, marks, candidates, findings.
//!
//! **Why nothing is missed.** A form stands in a text as a row of units, each one byte as it is, or an escape. If the first
//! escape comes late, `step + gram - 1` bytes or more behind the form's beginning (or never), one of the probes, `step` bytes apart, falls
//! on a gram among them. If it comes early, it bears a mark, and the gram behind it, or the one before it, is in the table. Either way the candidate's
//! beginning is known: all that stands before the first escape is as it is.

use super::grams;
use super::lanes::{BATCH, BLOCK, Marks, each};
use super::rules::{self, Kinds, Match, Rules};
use super::views::{AHEAD as NESTED, CHAINS, Chain, INDENT, INTRODUCES, SEPARATED, View, WIDEST, Walk, is_empty_line};
use super::{Finding, Lens, REACH, Search, Subject};
use std::ops::Range;

/// A search over one text.
pub(super) struct Sweep<'s> {
    search: &'s Search,
    lens: &'s Lens,
    text: &'s [u8],
    /// Findings must begin here.
    starts: Range<usize>,
    found: Vec<Finding>,
    /// What rules found and nobody looked at yet.
    matches: Vec<Match>,
    /// Where the last list ends that was looked at.
    listed: usize,
    /// A stretch without an escape.
    unescaped: (usize, usize),
    /// Where manifests of Kubernetes may stand.
    kinds: Kinds,
}

impl<'s> Sweep<'s> {
    pub(super) fn new(search: &'s Search, lens: &'s Lens, text: &'s [u8], starts: Range<usize>) -> Self {
        Self { search, lens, text, starts, found: Vec::new(), matches: Vec::new(), listed: 0, unescaped: (0, 0), kinds: Kinds::default() }
    }

    #[cfg(any(test, fuzzing, feature = "test-util"))]
    pub(super) fn into_findings(self) -> Vec<Finding> {
        self.found
    }

    /// All that begins in `starts`; overlapping and unsorted.
    pub(super) fn findings(search: &'s Search, lens: &'s Lens, text: &'s [u8], starts: Range<usize>) -> Vec<Finding> {
        let mut sweep = Self::new(search, lens, text, starts);
        Marks::with(|marks| sweep.run(search.rules.as_deref(), marks));
        if let Some(rules) = &search.rules {
            rules.others(text, &sweep.starts, &mut sweep.matches);
            sweep.settle();
        }
        sweep.found
    }

    fn run(&mut self, rules: Option<&Rules>, marks: &mut Marks) {
        let search = self.search;
        let end = self.text.len().min(self.starts.end + REACH);
        let marked = &self.text[..self.text.len().min(end + BLOCK)];
        // What is short is told by a mark before it.
        let mut at = self.starts.start.saturating_sub(if rules.is_some() { rules::HINT } else { 0 });
        while at < end {
            let until = end.min(at + BATCH);
            search.lanes.mark(marked, at, marks);
            if search.has_values() {
                match search.step {
                    16 => self.probe::<16>(at..until),
                    8 => self.probe::<8>(at..until),
                    _ => self.probe::<4>(at..until),
                }
            }
            self.follow(at, marks, rules);
            at = until;
        }
    }

    /// Looks at a gram every `STEP` bytes.
    fn probe<const STEP: usize>(&mut self, range: Range<usize>) {
        let text = &self.text[range.start..self.text.len().min(range.end + grams::WIDEST - 1)];
        let grams = &self.search.grams;
        let mut at = 0;
        while let Some(block) = text[at..].first_chunk::<{ BLOCK + grams::WIDEST - 1 }>() {
            let mut hits = 0u64;
            for (bit, offset) in (0..BLOCK).step_by(STEP).enumerate() {
                let bytes = *block[offset..].first_chunk().expect("the block is padded");
                hits |= u64::from(grams.may_hold(grams.gram_of(bytes))) << bit;
            }
            each(hits, |bit| self.hit(range.start + at + bit * STEP));
            at += BLOCK;
        }
        while at + grams.width <= text.len() {
            self.hit(range.start + at);
            at += STEP;
        }
    }

    /// Follows the marks of a batch.
    fn follow(&mut self, from: usize, marks: &Marks, rules: Option<&Rules>) {
        let search = self.search;
        let values = search.has_values();
        for block in 0..marks.blocks {
            let base = from + block * BLOCK;
            let in_manifest = rules.is_some_and(|rules| rules.may_have_manifest(self.text, base, &mut self.kinds));
            if marks.escapes[block]
                | marks.pairs[block]
                | marks.words[block]
                | marks.dashes[block]
                | marks.hints[block]
                | marks.lists[block]
                == 0
                && !in_manifest
            {
                continue;
            }
            if values {
                each(marks.escapes[block], |bit| self.escape(base + bit));
                each(marks.pairs[block], |bit| self.separated(base + bit));
            }
            if let Some(rules) = rules {
                each(marks.words[block], |bit| rules.word(self.text, base + bit, &mut self.kinds, &mut self.matches));
                if in_manifest {
                    each(marks.beginnings(block) & !marks.words[block], |bit| rules.in_manifest(self.text, base + bit, &mut self.matches));
                }
                each(marks.dashes[block], |bit| rules.dashes(self.text, base + bit, &mut self.matches));
                each(marks.hints[block], |bit| rules.hint(self.text, base + bit, &mut self.matches));
                each(marks.lists[block], |bit| {
                    let is_word = || marks.first_word(block, bit).is_none_or(|word| rules.may_list(self.text, base + word));
                    if base + bit >= self.listed && is_word() {
                        self.listed = rules.list_at(self.text, base + bit, &self.starts, &mut self.matches);
                    }
                });
                if !self.matches.is_empty() {
                    self.settle();
                }
            }
        }
    }

    /// The forms whose gram stands at `at` as it is.
    fn hit(&mut self, at: usize) {
        let search = self.search;
        let gram = search.grams.gram(&self.text[at..]);
        if !search.grams.may_hold(gram) {
            return;
        }
        for place in search.grams.places(gram) {
            let Some(start) = at.checked_sub(place.offset) else { continue };
            if !self.may_start(start) {
                continue;
            }
            let (further, byte) = place.further;
            let may_be_raw = self.text.get(start + further).is_some_and(|b| b.to_ascii_lowercase() == byte);
            if may_be_raw && self.raw(start, place.form) {
                continue;
            }
            // A form with a wrong byte in it, as it is, is none: unless an escape explains the byte.
            let explained = if may_be_raw { search.form(place.form).1.len() } else { further + 1 };
            if self.next_escape(start) < start + explained {
                self.escaped(start, place.form);
            }
        }
    }

    /// Where the first byte that can begin an escape stands, from `at` on; or a place beyond every form's `further`.
    fn next_escape(&mut self, at: usize) -> usize {
        if !(self.unescaped.0..=self.unescaped.1).contains(&at) {
            let ahead = &self.text[at..self.text.len().min(at + 2 * usize::from(u8::MAX))];
            let found = ahead.iter().position(|byte| INTRODUCES[usize::from(*byte)]);
            self.unescaped = (at, at + found.unwrap_or(ahead.len()));
        }
        self.unescaped.1
    }

    /// Whether a finding that begins here, or one character before, is asked for.
    fn may_start(&self, at: usize) -> bool {
        (self.starts.start..=self.starts.end).contains(&at)
    }

    /// Takes a form that stands at `start` as it is.
    pub(super) fn raw(&mut self, start: usize, number: u32) -> bool {
        let (value, form) = self.search.form(number);
        let known = &self.search.values[value];
        if !known.begins(&self.text[start..], form) {
            return false;
        }
        let at = start..start + form.len();
        let plain = form.is_raw && known.is_plain(&self.text[at.clone()]);
        self.take(known.widened(form, self.text, at), value, plain);
        true
    }

    /// Takes a form that stands at `start` with escapes in it: as it is up to the first of them, as a chain shows it from there on.
    pub(super) fn escaped(&mut self, start: usize, number: u32) {
        let (value, form) = self.search.form(number);
        let known = &self.search.values[value];
        let text = self.text;
        for (offset, byte) in text[start..].iter().take(form.len()).enumerate() {
            if INTRODUCES[usize::from(*byte)] {
                for chain in CHAINS.iter().filter(|chain| chain.reads(*byte)) {
                    if self.through(*chain, start, start + offset, number, offset) {
                        return;
                    }
                }
            }
            if !byte.eq_ignore_ascii_case(&known.byte(form, offset)) {
                return;
            }
        }
    }

    /// Takes a form that begins at `start` and, from `at` on, its byte `from`, stands in the text as a chain shows it.
    pub(super) fn through(&mut self, chain: Chain, start: usize, at: usize, number: u32, from: usize) -> bool {
        let (value, form) = self.search.form(number);
        let known = &self.search.values[value];
        let mut walk = Walk::new(self.text, at, chain);
        let mut end = at;
        for offset in from..form.len() {
            match walk.next() {
                // It begins with something that shows, not with a line break before it.
                Some(_) if offset == 0 && walk.skipped => return false,
                Some((byte, source)) if byte.eq_ignore_ascii_case(&known.byte(form, offset)) => end = source,
                _ => return false,
            }
        }
        if end - start > form.len() * WIDEST {
            return false;
        }
        // The characters beside it are treated as the form's own text is, though they may be escaped themselves.
        self.take(known.widened(form, self.text, start..end), value, false);
        true
    }

    fn take(&mut self, at: Range<usize>, value: usize, plain: bool) {
        if self.starts.contains(&at.start) {
            self.found.push(Finding { at, subject: Subject::Value(value), plain, tail: None });
        }
    }

    /// An escape at `at`: the first of a form?
    fn escape(&mut self, at: usize) {
        let search = self.search;
        let (text, byte) = (self.text, self.text[at]);
        if let Some(before) = at.checked_sub(search.grams.width) {
            self.hit(before);
        }
        if self.is_idle(at, byte) {
            return;
        }
        for chain in CHAINS.iter().filter(|chain| chain.reads(byte)) {
            let shown = Walk::new(text, at, *chain).map(|(byte, _)| byte).take_while(|byte| search.alphabet[usize::from(*byte)]);
            let Some(gram) = search.shown(shown) else { continue };
            for place in search.grams.places(gram) {
                let offset = place.offset;
                let Some(start) = at.checked_sub(offset) else { continue };
                let (value, form) = search.form(place.form);
                let known = &search.values[value];
                if self.may_start(start) && (0..offset).all(|at| text[start + at].eq_ignore_ascii_case(&known.byte(form, at))) {
                    self.through(*chain, start, at, place.form, offset);
                }
            }
        }
    }

    /// Whether no chain can show a byte of a form here. So it is with most escapes of ordinary text.
    #[inline]
    fn is_idle(&self, at: usize, byte: u8) -> bool {
        let Some((shown, length, may_nest)) = View::first(self.text, at, byte) else { return true };
        let (search, next) = (self.search, at + length);
        let is_none = |shown: u8| !INTRODUCES[usize::from(shown)] && !search.alphabet[usize::from(shown)];
        if may_nest {
            let follow = |from: usize, count: usize| self.text[from.min(self.text.len())..].iter().take(count);
            return match (byte, shown) {
                // Whatever stands within it: but for a percent sign, every chain shows this first.
                (b'\\', Some(shown)) => is_none(shown) && !follow(at, NESTED).any(|byte| *byte == b'%'),
                // `&&`, of which neither begins a reference, is shown as it is.
                (b'&', Some(_)) if self.text.get(at + 1) == Some(&b'&') => {
                    let is_raw = |at: usize| View::first(self.text, at, b'&').is_some_and(|(_, length, _)| length == 1);
                    let nests = |byte: &u8| matches!(byte, b'%' | b'\\' | b'&');
                    is_raw(at) && is_raw(at + 1) && !follow(at + 2, NESTED).any(nests) && self.is_no_gram(b"&&", at + 2, false)
                }
                _ => false,
            };
        }
        // What follows, where it stands as it is.
        let dropped = |blanks: usize| self.is_no_gram(&[], next + blanks, byte == b'\n');
        let showing = |shown: u8| self.is_no_gram(&[shown], next, false);
        let blanks = || self.text[next..].iter().take(INDENT).take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        match shown {
            Some(_) if length == 1 => true,
            None if matches!(byte, b'\n' | b'\r') => dropped(blanks()),
            None => dropped(0),
            // A break that is escaped may be a value's own, or have come between.
            Some(shown @ (b'\n' | b'\r')) => dropped(blanks()) && showing(shown),
            Some(shown) if INTRODUCES[usize::from(shown)] => false,
            Some(shown) => !search.alphabet[usize::from(shown)] || showing(shown),
        }
    }

    /// Whether no form has a gram that begins with `shown` and goes on at `at`, or has a byte of it; not, where an escape among its bytes may show
    /// something else. Line breaks are left out where they are `unwrapped`.
    #[inline]
    fn is_no_gram(&self, shown: &[u8], mut at: usize, unwrapped: bool) -> bool {
        let search = self.search;
        let mut gram = [0; grams::WIDEST];
        // As all of it stands there, where no escape does.
        if let Some(here) = self.text[at.min(self.text.len())..].first_chunk::<{ grams::WIDEST }>()
            && !here.iter().any(|byte| INTRODUCES[usize::from(*byte)])
        {
            gram[shown.len()..].copy_from_slice(&here[..grams::WIDEST - shown.len()]);
            gram[..shown.len()].copy_from_slice(shown);
            if !search.grams.may_hold(search.grams.gram_of(gram)) {
                return true;
            }
        }
        gram[..shown.len()].copy_from_slice(shown);
        for place in &mut gram[shown.len()..search.grams.width] {
            while unwrapped && self.text.get(at) == Some(&b'\n') {
                let blanks = self.text[at + 1..].iter().take(INDENT).take_while(|byte| matches!(byte, b' ' | b'\t')).count();
                // Within another view less of it is seen at once.
                if blanks + 1 >= NESTED || is_empty_line(self.text, at) {
                    return blanks + 1 < NESTED;
                }
                at += 1 + blanks;
            }
            match self.text.get(at) {
                // Nothing that ends here is whole.
                None => return true,
                Some(byte) if INTRODUCES[usize::from(*byte)] => return false,
                Some(byte) if !search.alphabet[usize::from(*byte)] => return true,
                Some(byte) => *place = *byte,
            }
            at += 1;
        }
        !search.grams.may_hold(search.grams.gram_of(gram))
    }

    /// Words of two or four digits, with separators: hexadecimal of a value?
    fn separated(&mut self, at: usize) {
        let search = self.search;
        let digit = |at: usize| self.text.get(at).and_then(|b| char::from(*b).to_digit(16));
        let at = if self.text[at] == b'0' && matches!(self.text.get(at + 1), Some(b'x' | b'X')) { at + 2 } else { at };
        let Some(first) = digit(at).zip(digit(at + 1)).map(|(high, low)| high << 4 | low) else { return };
        if !search.alphabet[first as usize] {
            return;
        }
        let gram = match self.digits(at) {
            Some(gram) => Some(gram).filter(|gram| search.grams.may_hold(*gram)),
            None => search.shown(Walk::new(self.text, at, SEPARATED).map(|(byte, _)| byte)),
        };
        for place in gram.into_iter().flat_map(|gram| search.grams.places(gram)) {
            if !search.form(place.form).1.is_hex() {
                continue;
            }
            // A word that begins with something else before its two digits bears no mark: the next one does.
            let starts = match place.offset {
                0 => 0..=0,
                2 => 3..=6,
                _ => continue,
            };
            for start in starts.into_iter().filter_map(|back| at.checked_sub(back)) {
                if self.may_start(start) && self.through(SEPARATED, start, start, place.form, 0) {
                    break;
                }
            }
        }
    }

    /// The gram that words of digits show from `at` on, where nothing but single signs and blanks stand between them, and few: as it mostly is.
    #[inline]
    fn digits(&self, at: usize) -> Option<u64> {
        let grams = &self.search.grams;
        let mut shown = [0; grams::WIDEST];
        let mut count = 0;
        for byte in self.text[at..].iter().take(2 * grams::WIDEST) {
            match byte {
                b':' | b' ' | b'-' | b',' | b'_' => continue,
                b'x' | b'X' => return None,
                _ if byte.is_ascii_alphanumeric() => shown[count] = *byte,
                _ => return None,
            }
            count += 1;
            if count == grams.width {
                return Some(grams.gram_of(shown));
            }
        }
        None
    }

    /// Keeps what rules found, but for what a known value covers. Where one covers only a part, all of it goes by the value's name.
    fn settle(&mut self) {
        for Match { at, secret, rule, tail } in std::mem::take(&mut self.matches) {
            if !self.starts.contains(&at.start) || !self.lens.looks_for(rule, &self.text[secret.clone()]) {
                continue;
            }
            let mut within = Self::new(self.search, self.lens, self.text, at.clone());
            Marks::with(|marks| within.run(None, marks));
            let known = within.found.iter().min_by_key(|finding| finding.at.start);
            let covers = |finding: &Finding| finding.at.start <= secret.start && secret.end <= finding.at.end;
            if !within.found.iter().any(covers) {
                let subject = known.map_or(Subject::Rule(rule), |finding| finding.subject);
                self.found.push(Finding { at, subject, plain: false, tail });
            }
        }
    }
}

const _: () = assert!(BATCH.is_multiple_of(16), "probes keep their step across batches");
