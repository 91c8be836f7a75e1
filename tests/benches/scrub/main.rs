//! What the search for secrets costs, against a search for one absent byte, an automaton over the same literals, a loop of `str::replace`, and another
//! host's leak detector, on one thread over the same warm memory. `cargo bench --bench scrub`. What is compared is measured in turns.
//!
//! `STRONGROOM_SCRUB_RULES` names files of rules of other scanners, one path behind the other with colons between: then what they cost is measured, too.
//!
//! Prints a table and writes `target/figures/scrub.json`.

mod leak_detector;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use leak_detector::LeakDetector;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;
use strongroom::scrub::{Known, Replacement, Rules, Scrubber, Search, Stream};
use strongroom_tests::corpus::{self, Numbers};
use strongroom_tests::figures::{Figure, Figures, median};

const MIB: usize = 1 << 20;
const TEXT: usize = 64 * MIB;
/// Bytes that come at once, as from a connection.
const CHUNK: usize = 64 * 1024;
const REPETITIONS: usize = 7;

fn main() {
    let mut figures = Figures::new("scrub");
    let mut numbers = Numbers::new(0x5eed);
    let text = corpus::json(&mut numbers, TEXT).into_bytes();
    let absent = || speed(&text, |text| usize::from(memchr::memchr(0xff, text).is_some()));
    let r = absent();
    let against = "R: memchr for an absent byte, GB/s";

    for (count, share) in [(10, 0.3), (100, 0.15), (1_000, 0.08)] {
        let secrets = secrets(&mut numbers, count);
        let scrubber = scrubber(&secrets);
        let measured = speed(&text, |text| streamed(&scrubber, text));
        figures.add(Figure::at_least(&format!("{count} secrets and all rules, GB/s"), measured, "", against, r, share * r));
        if count == 100 {
            hundred(&mut figures, &mut numbers, &text, &secrets, r);
        }
    }
    let rules = Arc::new(Scrubber::new(Arc::new(Search::new(Vec::new(), Some(Rules::standard()))), Vec::new()));
    let measured = speed(&text, |text| streamed(&rules, text));
    figures.add(Figure::at_least("no secret, all rules, GB/s", measured, "", against, r, 0.15 * r));
    others(&mut figures, &rules, &text[..8 * MIB]);
    figures.finish(true);
}

/// What other rules cost: another host's leak detector, and rules of other scanners beside the host's own.
fn others(figures: &mut Figures, own: &Arc<Scrubber>, text: &[u8]) {
    let detector = LeakDetector::new();
    let whole = std::str::from_utf8(text).expect("the text is ASCII");
    let [measured, baseline] = in_turns(text, |text| streamed(own, text), |_| detector.count(whole));
    let against = "L: another host's leak detector, 23 rules, GB/s";
    figures.add(Figure::at_least("no secret, all rules, GB/s", measured, "", against, baseline, 10.0 * baseline));

    let Ok(paths) = std::env::var("STRONGROOM_SCRUB_RULES") else { return };
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let files: Vec<String> = paths.split(':').map(read).collect();
    let begun = Instant::now();
    let rules = Rules::with(&files).unwrap_or_else(|error| panic!("{error}"));
    let loaded = begun.elapsed().as_secs_f64() * 1e3;
    figures.add(Figure::at_most("making rules of other scanners ready, ms", loaded, "", "absolute", 100.0, 100.0));
    let with = Arc::new(Scrubber::new(Arc::new(Search::new(Vec::new(), Some(rules))), Vec::new()));
    let mut numbers = Numbers::new(0x5eed);
    let [logs, code, prose] = [corpus::logs, corpus::code, corpus::prose].map(|made| made(&mut numbers, 8 * MIB).into_bytes());
    for (kind, text) in [("JSON", text), ("logs", &*logs), ("code", &*code), ("prose", &*prose)] {
        let [measured, baseline] = in_turns(text, |text| streamed(&with, text), |text| streamed(own, text));
        let name = format!("rules of other scanners, too, over {kind}, GB/s");
        figures.add(Figure::at_least(&name, measured, "", "the host's own rules alone, GB/s", baseline, 0.5 * baseline));
    }
}

/// What is asked of 100 secrets.
fn hundred(figures: &mut Figures, numbers: &mut Numbers, text: &[u8], secrets: &[String], r: f64) {
    let against = "R: memchr for an absent byte, GB/s";
    let known: Vec<Arc<Known>> = secrets.iter().map(|secret| Arc::new(Known::new(secret.as_bytes(), false))).collect();
    let search = Search::new(known.clone(), Some(Rules::standard()));
    let literals = search.literals();

    let sample = &text[..8 * MIB];
    let automaton = [AhoCorasickKind::DFA, AhoCorasickKind::ContiguousNFA].map(|kind| {
        let mut automaton = AhoCorasick::builder();
        automaton.kind(Some(kind)).match_kind(MatchKind::LeftmostLongest).ascii_case_insensitive(true);
        let automaton = automaton.build(&literals).expect("an automaton");
        let alone = speed(sample, |text| automaton.find_iter(text).count());
        (automaton, alone)
    });
    let best = if automaton[0].1 > automaton[1].1 { &automaton[0].0 } else { &automaton[1].0 };
    let with_rules = scrubber(secrets);
    let [measured, best] = in_turns(sample, |text| streamed(&with_rules, text), |text| best.find_iter(text).count());
    figures.add(Figure::at_least(
        "100 secrets and all rules, GB/s",
        measured,
        "",
        "A: aho-corasick, its best kind, same literals",
        best,
        4.0 * best,
    ));
    let text_of = std::str::from_utf8(&text[..MIB / 4]).expect("the text is ASCII");
    let replaced = speed(text_of.as_bytes(), |_| {
        let replace = |text: String, literal: &Vec<u8>| text.replace(&*String::from_utf8_lossy(literal), "[redacted]");
        literals.iter().take(200).fold(text_of.to_owned(), replace).len()
    }) * 200.0
        / literals.len() as f64;
    figures.add(Figure::at_least("100 secrets and all rules, GB/s", measured, "", "S: str::replace for each literal", replaced, replaced));

    let values = Arc::new(Scrubber::new(Arc::new(Search::new(known.clone(), None)), vec![replacement(); secrets.len()]));
    let [measured, baseline] = in_turns(sample, |text| streamed(&values, text), |text| streamed(&with_rules, text));
    figures.add(Figure::at_least("100 secrets, no rules, GB/s", measured, "", "the same with all rules, GB/s", baseline, baseline));
    let [measured, baseline] = in_turns(sample, |text| streamed(&values, text), |text| usize::from(memchr::memchr(0xff, text).is_some()));
    figures.add(Figure::at_least("100 secrets, no rules, GB/s", measured, "", against, baseline, 0.15 * baseline));

    let scrubber = with_rules;
    let mut mixed = text[..16 * MIB].to_vec();
    let mut at = 0;
    while at + 8192 < mixed.len() {
        let secret = secrets[numbers.below(secrets.len())].as_bytes();
        mixed[at..at + secret.len()].copy_from_slice(secret);
        at += secret.len() * 100;
    }
    let [measured, absent] = in_turns(&mixed, |text| streamed(&scrubber, text), |text| usize::from(memchr::memchr(0xff, text).is_some()));
    figures.add(Figure::at_least("100 secrets, text that is 1 % secrets, GB/s", measured, "", against, absent, 0.05 * absent));

    let mut near = Vec::with_capacity(8 * MIB);
    while near.len() < 8 * MIB {
        let mut literal = literals[numbers.below(literals.len())].clone();
        let at = numbers.below(literal.len());
        literal[at] ^= 1;
        near.extend(literal);
    }
    let measured = speed(&near, |text| streamed(&scrubber, text));
    figures.add(Figure::at_least("100 secrets, text of near misses of every form, GB/s", measured, "", against, r, 0.02 * r));
    let twice = [&*near, &*near].concat();
    // Each goes over as many bytes.
    let again = |text: &[u8]| text.chunks(near.len()).map(|once| streamed(&scrubber, once)).sum();
    let [double, measured] = in_turns(&twice, |text| streamed(&scrubber, text), again);
    figures.add(Figure::at_least("the same, twice as long, GB/s", double, "", "once as long", measured, 0.8 * measured));

    for (name, unit) in
        [("line breaks", "\n "), ("escaped breaks", "\\\n"), ("words of phrases", "abandon ability able "), ("one escape", "\\")]
    {
        let once = unit.repeat(256 * 1024 / unit.len());
        let measured = speed(once.as_bytes(), |text| streamed(&scrubber, text));
        let double = speed(once.repeat(2).as_bytes(), |text| streamed(&scrubber, text));
        let (measured, double) = (measured * 1e3, double * 1e3);
        figures.add(Figure::at_least(
            &format!("100 secrets, nothing but {name}, twice as long, MB/s"),
            double,
            "",
            "once as long",
            measured,
            0.8 * measured,
        ));
    }

    let built = millis(|| {
        Search::new(secrets.iter().map(|secret| Arc::new(Known::new(secret.as_bytes(), false))).collect(), Some(Rules::standard()))
    });
    figures.add(Figure::at_most("building for 100 secrets, ms", built, "", "absolute", 20.0, 20.0));
    let more = secrets_more(&known, numbers);
    let added = millis(|| Search::new(more.clone(), Some(Rules::standard())));
    figures.add(Figure::at_most("adding one to 100, ms", added, "", "absolute", 2.0, 2.0));
    figures.add(Figure::at_most("memory for 100 secrets, MiB", search.size() as f64 / MIB as f64, "", "absolute", 8.0, 8.0));
}

fn secrets_more(known: &[Arc<Known>], numbers: &mut Numbers) -> Vec<Arc<Known>> {
    let one = Arc::new(Known::new(numbers.base62(40).as_bytes(), false));
    known.iter().cloned().chain([one]).collect()
}

/// Secrets of the kinds that agents use.
fn secrets(numbers: &mut Numbers, count: usize) -> Vec<String> {
    let secret = |at| match at % 5 {
        0 => format!("pf_live_{}", numbers.hex(32)),
        1 => format!("sk-ant-api03-{}", numbers.base62(80)),
        2 => format!("ghp_{}", numbers.base62(36)),
        3 => format!("0x{}", numbers.hex(64)),
        _ => numbers.base62(20 + at % 5 * 8),
    };
    (0..count).map(secret).collect()
}

fn scrubber(secrets: &[String]) -> Arc<Scrubber> {
    let known = secrets.iter().map(|secret| Arc::new(Known::new(secret.as_bytes(), false))).collect();
    Arc::new(Scrubber::new(Arc::new(Search::new(known, Some(Rules::standard()))), vec![replacement(); secrets.len()]))
}

fn replacement() -> Replacement {
    Replacement::new("sr_0123456789abcdefghijklmnopqrstuv", "[redacted:KEY]")
}

fn streamed(scrubber: &Arc<Scrubber>, text: &[u8]) -> usize {
    let mut stream = Stream::new(Arc::clone(scrubber));
    let mut out = Vec::with_capacity(2 * CHUNK);
    let mut total = 0;
    for chunk in text.chunks(CHUNK) {
        out.clear();
        stream.push(chunk, &mut out);
        total += out.len();
    }
    out.clear();
    stream.finish(&mut out);
    total + out.len()
}

/// The median speed, in GB/s.
fn speed(text: &[u8], mut search: impl FnMut(&[u8]) -> usize) -> f64 {
    median(&(0..REPETITIONS).map(|_| once(text, &mut search)).collect::<Vec<f64>>())
}

/// The median speeds of two searches of a text, in GB/s, which take turns: a slow moment of the machine hits both.
fn in_turns(text: &[u8], mut first: impl FnMut(&[u8]) -> usize, mut second: impl FnMut(&[u8]) -> usize) -> [f64; 2] {
    let turns: Vec<(f64, f64)> = (0..REPETITIONS).map(|_| (once(text, &mut first), once(text, &mut second))).collect();
    let (first, second): (Vec<f64>, Vec<f64>) = turns.into_iter().unzip();
    [median(&first), median(&second)]
}

fn once(text: &[u8], search: &mut impl FnMut(&[u8]) -> usize) -> f64 {
    let start = Instant::now();
    black_box(search(black_box(text)));
    text.len() as f64 / start.elapsed().as_secs_f64() / 1e9
}

fn millis<T>(mut work: impl FnMut() -> T) -> f64 {
    let once = |_| {
        let start = Instant::now();
        black_box(work());
        start.elapsed().as_secs_f64() * 1e3
    };
    median(&(0..REPETITIONS).map(once).collect::<Vec<f64>>())
}
