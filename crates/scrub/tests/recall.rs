//! How many of the secrets that other scanners are held against are found, and what is taken for one that is none.
//!
//! The texts lie in `facts`, each file with its source and licence. They are split by a hash of their rule's name: rules are tuned by
//! one half, and the other half tells what that is worth. `--nocapture` prints both, and `SCRUB_MISSED=1` what the tuned half misses.

use std::sync::Arc;
use strongroom_scrub::{Rules, Scrubber, Search};

#[derive(serde::Deserialize)]
struct Fact {
    rule: String,
    /// Whether a secret stands in the text.
    secret: bool,
    text: Option<String>,
    /// A field's name and its value, which are tried in every layout.
    name: Option<String>,
    value: Option<String>,
    /// Why it is left out: what stands there is no secret, or is one to another rule of the same scanners.
    but: Option<String>,
}

/// How programs and people write that a name has a value.
const LAYOUTS: &[&str] = &[
    "{i}Token=\"{s}\"",
    "{i}Token = \"{s}\"",
    "{i}Token={s}",
    "{i}Token = {s}",
    "{\n    \"{i}_token\": \"{s}\"\n}",
    "{\"config.ini\": \"{I}_TOKEN={s}\\nBACKUP_ENABLED=true\"}",
    "<{i}Token>\n    {s}\n</{i}Token>",
    "<{i}Token>{s}</{i}Token>",
    "{i}_token: {s}",
    "{i}_token: '{s}'",
    "{i}_token: \"{s}\"",
    "string {i}Token = \"{s}\";",
    "var {i}Token string = \"{s}\"",
    "{i}Token := \"{s}\"",
    "{i}Token := `{s}`",
    "String {i}Token = \"{s}\";",
    "var {i}Token = \"{s}\"",
    "${i}Token .= \"{s}\"",
    "{i}Token = '{s}'",
    "System.setProperty(\"{I}_TOKEN\", \"{s}\")",
    "  \"{i}Token\" => \"{s}\"",
    "{I}_TOKEN := \"{s}\"",
    "{I}_TOKEN ::= \"{s}\"",
    "{I}_TOKEN :::= \"{s}\"",
    "{I}_TOKEN ?= \"{s}\"",
    "{\\\"{i}_token\\\": \\\"{s}\\\"}",
    "{\n    \"name\": \"{i}_token\",\n    \"value\": \"{s}\"\n}",
    "<entry name=\"{i}Token\" value=\"{s}\" />",
    "{i}_token: |\n  {s}",
    "{i}_token: >\n  {s}",
    "var {i}Token: string = \"{s}\"",
    "https://example.com?{i}Token={s}&fooBar=baz",
    "- name: {I}_TOKEN\n  value: {s}",
    "--{i}-token {s}",
];

/// Least per cent of secrets that are found, and most of what is none that is taken for one, in either half.
const LEAST: usize = 87;
const MOST: usize = 5;

#[derive(Default)]
struct Count {
    texts: usize,
    found: usize,
    missed: Vec<String>,
}

fn facts() -> Vec<Fact> {
    let files = [include_str!("facts/gitleaks.jsonl"), include_str!("facts/betterleaks.jsonl")];
    let lines = files.iter().flat_map(|file| file.lines()).filter(|line| !line.starts_with('#'));
    lines.map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// Which half a rule's facts are in: the tuned one or the other.
fn is_tuned(rule: &str) -> bool {
    let hash = rule.bytes().fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    (hash >> 32) & 1 == 0
}

fn texts(fact: &Fact) -> Vec<String> {
    match (&fact.text, &fact.name, &fact.value) {
        (Some(text), ..) => vec![text.clone()],
        (None, Some(name), Some(value)) => {
            LAYOUTS.iter().map(|layout| layout.replace("{i}", name).replace("{I}", &name.to_uppercase()).replace("{s}", value)).collect()
        }
        _ => panic!("a fact of `{}` has no text", fact.rule),
    }
}

#[test]
fn what_other_scanners_find_is_found_and_what_they_let_pass_passes() {
    let scrubber = Scrubber::new(Arc::new(Search::new(Vec::new(), Some(Rules::standard()))), Vec::new());
    let mut counts: [[Count; 3]; 2] = Default::default();
    for fact in facts() {
        let half = usize::from(!is_tuned(&fact.rule));
        for text in texts(&fact) {
            let kind = if fact.name.is_some() { 1 } else { 0 };
            let count = &mut counts[half][if fact.secret { kind } else { 2 }];
            if fact.but.is_some() {
                continue;
            }
            let found = scrubber.find(text.as_bytes());
            count.texts += 1;
            count.found += usize::from(!found.is_empty());
            if found.is_empty() == fact.secret {
                let kinds: Vec<String> =
                    found.into_iter().map(|(kind, at)| format!("{kind} {}", String::from_utf8_lossy(&text.as_bytes()[at]))).collect();
                count.missed.push(format!("{} {kinds:?}\n    {}", fact.rule, text.replace('\n', "\n    ")));
            }
        }
    }
    for (half, counts) in ["tuned", "other"].iter().zip(&counts) {
        for (kind, count) in ["secrets", "secrets in layouts", "none"].iter().zip(counts) {
            println!("{half}: {kind}: {} of {} found", count.found, count.texts);
            let shown = std::env::var("SCRUB_MISSED").unwrap_or_default();
            if shown.contains(half) {
                count.missed.iter().for_each(|missed| println!("  {kind}: {missed}"));
            }
        }
    }
    for (half, [secrets, layouts, none]) in ["tuned", "other"].iter().zip(&counts) {
        assert!(secrets.found * 100 >= secrets.texts * LEAST && layouts.found * 100 >= layouts.texts * 98, "{half}");
        assert!(none.found * 100 <= none.texts * MOST, "{half}: {} of {}", none.found, none.texts);
    }
}

/// What is found in ordinary text, each finding to be read and labelled: `SCRUB_CORPUS=FILE:DIRECTORY cargo test --release … -- --ignored
/// --nocapture`. Prints findings by rule, `SCRUB_SHOWN` of each, and how fast the text was searched.
#[test]
#[ignore = "needs a corpus"]
fn what_is_found_in_ordinary_text() {
    let scrubber = Scrubber::new(Arc::new(Search::new(Vec::new(), Some(Rules::standard()))), Vec::new());
    let corpus = std::env::var("SCRUB_CORPUS").expect("SCRUB_CORPUS names files and directories");
    let shown = std::env::var("SCRUB_SHOWN").ok().and_then(|count| count.parse().ok()).unwrap_or(3);
    let mut by_rule: std::collections::BTreeMap<String, Vec<String>> = Default::default();
    let (mut bytes, mut spent) = (0, std::time::Duration::ZERO);
    let mut paths: Vec<std::path::PathBuf> = corpus.split(':').map(Into::into).collect();
    while let Some(path) = paths.pop() {
        if path.is_dir() {
            paths.extend(std::fs::read_dir(&path).expect("a directory").map(|entry| entry.expect("an entry").path()));
            continue;
        }
        let text = std::fs::read(&path).expect("a file");
        bytes += text.len();
        let begun = std::time::Instant::now();
        let found = scrubber.find(&text);
        let (first, took) = (found.len(), begun.elapsed());
        let begun = std::time::Instant::now();
        assert_eq!(scrubber.find(&text).len(), first);
        let took = took.min(begun.elapsed());
        spent += took;
        println!("{}: {} in {} kB, {:.2} GB/s", path.display(), first, text.len() / 1000, text.len() as f64 / took.as_nanos() as f64);
        for (kind, at) in found {
            let around = &text[at.start.saturating_sub(70)..text.len().min(at.end.min(at.start + 100) + 20)];
            by_rule.entry(kind).or_default().push(around.escape_ascii().to_string());
        }
    }
    let count: usize = by_rule.values().map(Vec::len).sum();
    println!(
        "{count} in {bytes} bytes: {:.2} a megabyte; {:.2} GB/s",
        count as f64 / (bytes as f64 / 1e6),
        bytes as f64 / spent.as_nanos() as f64
    );
    for (rule, all) in by_rule {
        println!("{:5} {rule}", all.len());
        let step = (all.len() / shown).max(1);
        all.iter().step_by(step).take(shown).for_each(|around| println!("        {around}"));
    }
}
