//! What the search for secrets costs, against a search for one absent byte, an automaton over the same literals, and a loop of
//! `str::replace`, on one thread over the same warm memory. `cargo bench --bench scrub`.
//!
//! Prints a table and writes `target/figures/scrub.json`.

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
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
            hundred(&mut figures, &mut numbers, &text, &secrets, measured, r);
        }
    }
    let rules = Arc::new(Scrubber::new(Arc::new(Search::new(Vec::new(), Some(Rules::standard()))), Vec::new()));
    let measured = speed(&text, |text| streamed(&rules, text));
    figures.add(Figure::at_least("no secret, all rules, GB/s", measured, "", against, r, 0.15 * r));
    figures.finish(true);
}

/// What is asked of 100 secrets.
fn hundred(figures: &mut Figures, numbers: &mut Numbers, text: &[u8], secrets: &[String], measured: f64, r: f64) {
    let against = "R: memchr for an absent byte, GB/s";
    let known: Vec<Arc<Known>> = secrets.iter().map(|secret| Arc::new(Known::new(secret.as_bytes(), false))).collect();
    let search = Search::new(known.clone(), Some(Rules::standard()));
    let literals = search.literals();

    let sample = &text[..8 * MIB];
    let automaton = [AhoCorasickKind::DFA, AhoCorasickKind::ContiguousNFA].map(|kind| {
        let mut automaton = AhoCorasick::builder();
        automaton.kind(Some(kind)).match_kind(MatchKind::LeftmostLongest).ascii_case_insensitive(true);
        let automaton = automaton.build(&literals).expect("an automaton");
        speed(sample, |text| automaton.find_iter(text).count())
    });
    let best = automaton[0].max(automaton[1]);
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

    let scrubber = scrubber(secrets);
    let mut mixed = text[..16 * MIB].to_vec();
    let mut at = 0;
    while at + 8192 < mixed.len() {
        let secret = secrets[numbers.below(secrets.len())].as_bytes();
        mixed[at..at + secret.len()].copy_from_slice(secret);
        at += secret.len() * 100;
    }
    let measured = speed(&mixed, |text| streamed(&scrubber, text));
    figures.add(Figure::at_least("100 secrets, text that is 1 % secrets, GB/s", measured, "", against, r, 0.05 * r));

    let mut near = Vec::with_capacity(8 * MIB);
    while near.len() < 8 * MIB {
        let mut literal = literals[numbers.below(literals.len())].clone();
        let at = numbers.below(literal.len());
        literal[at] ^= 1;
        near.extend(literal);
    }
    let measured = speed(&near, |text| streamed(&scrubber, text));
    figures.add(Figure::at_least("100 secrets, text of near misses of every form, GB/s", measured, "", against, r, 0.02 * r));
    let double = speed(&[&*near, &*near].concat(), |text| streamed(&scrubber, text));
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
    let replacement = Replacement::new("sr_0123456789abcdefghijklmnopqrstuv", "[redacted:KEY]");
    Arc::new(Scrubber::new(Arc::new(Search::new(known, Some(Rules::standard()))), vec![replacement; secrets.len()]))
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
    let once = |_| {
        let start = Instant::now();
        black_box(search(black_box(text)));
        text.len() as f64 / start.elapsed().as_secs_f64() / 1e9
    };
    median(&(0..REPETITIONS).map(once).collect::<Vec<f64>>())
}

fn millis<T>(mut work: impl FnMut() -> T) -> f64 {
    let once = |_| {
        let start = Instant::now();
        black_box(work());
        start.elapsed().as_secs_f64() * 1e3
    };
    median(&(0..REPETITIONS).map(once).collect::<Vec<f64>>())
}
