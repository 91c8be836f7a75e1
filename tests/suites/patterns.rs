//! The rules for secrets that nobody registered: that they find what they are for, in any chunking, and nothing in ordinary text.

use std::path::Path;
use std::sync::Arc;
use strongroom::scrub::{Known, Replacement, Rules, Scrubber, Search, Stream};
use strongroom_tests::VALUE;
use strongroom_tests::corpus::{self, Numbers};

const MB: usize = 1_000_000;

fn scrubber() -> Arc<Scrubber> {
    let search = Search::new(vec![Arc::new(Known::new(VALUE.as_bytes(), true))], Some(Rules::standard()));
    Arc::new(Scrubber::new(Arc::new(search), vec![Replacement::new("PLACEHOLDER", "[redacted:KEY]")]))
}

/// Every text file of this repository, but for those that hold secrets on purpose.
fn own_files(dir: &Path, out: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        let name = path.to_string_lossy().into_owned();
        let on_purpose = [
            "rules.toml",
            "validators.rs",
            "/gitleaks/",
            "tally.rs",
            "/tests/",
            "/scrub/tests.rs",
            "/signing/tests.rs",
            "/ethereum/tests.rs",
            "/naive.rs",
            "suspicion.rs",
            "/target",
            "/.git",
            "fuzz",
            "/demo/",
            "/guest-sdk/",
        ];
        if on_purpose.iter().any(|part| name.contains(part)) {
            continue;
        }
        if path.is_dir() {
            own_files(&path, out);
        } else if let Ok(bytes) = std::fs::read(&path) {
            out.push((name, bytes));
        }
    }
}

#[test]
fn ordinary_text_holds_no_secret_and_hardly_anything_like_one() {
    let scrubber = scrubber();
    let mut numbers = Numbers::new(7);
    let mut texts = vec![
        ("JSON".to_owned(), corpus::json(&mut numbers, 2 * MB).into_bytes()),
        ("logs".to_owned(), corpus::logs(&mut numbers, 3 * MB / 2).into_bytes()),
        ("code".to_owned(), corpus::code(&mut numbers, MB).into_bytes()),
        ("prose".to_owned(), corpus::prose(&mut numbers, MB / 2).into_bytes()),
    ];
    own_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap().join("host"), &mut texts);
    let bytes: usize = texts.iter().map(|(_, text)| text.len()).sum();
    assert!(bytes >= 5 * MB, "{bytes} bytes");

    let mut found = Vec::new();
    for (name, text) in &texts {
        for (kind, at) in scrubber.find(text) {
            found.push(format!("{name}: {kind}: {}", String::from_utf8_lossy(&text[at])));
        }
    }

    assert!(!found.iter().any(|found| found.contains("[redacted:KEY]")), "a known value: {found:?}");
    assert!(found.len() * MB <= bytes, "{} in {bytes} bytes: {found:#?}", found.len());
}

#[test]
fn every_example_of_every_rule_is_taken_out_of_a_stream_in_any_chunking() {
    let scrubber = scrubber();
    let rules: toml::Table = include_str!("../../crates/scrub/src/rules/rules.toml").parse().unwrap();
    let rules = rules["rule"].as_array().unwrap();
    assert!(rules.len() >= 100, "{} rules", rules.len());
    let mut numbers = Numbers::new(11);
    for rule in rules {
        let name = rule["name"].as_str().unwrap();
        for example in rule["match"].as_array().unwrap() {
            let example = example.as_str().unwrap();
            let text = format!("{}\n{example}\n{}", corpus::prose(&mut numbers, 700), corpus::prose(&mut numbers, 700));
            let whole = scrubber.scrub_text(&text).into_owned();
            assert!(whole.contains("[redacted:"), "{name}: {example}");
            for size in [1, 1 + numbers.below(60), 1 + numbers.below(900)] {
                let mut stream = Stream::new(Arc::clone(&scrubber));
                let mut out = Vec::new();
                text.as_bytes().chunks(size).for_each(|chunk| stream.push(chunk, &mut out));
                stream.finish(&mut out);
                assert_eq!(String::from_utf8_lossy(&out), whole, "{name} in chunks of {size}");
            }
        }
    }
}
