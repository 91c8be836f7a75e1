use super::super::Rules;
use crate::{Scrubber, Search};
use std::cell::Cell;
use std::sync::Arc;

/// Rules of our own, as another scanner's users write theirs.
const FILE: &str = r##"
title = "house rules"
minVersion = "v8.25.0"

[[allowlists]]
description = "what our documents show"
stopwords = ["Example"]

[[allowlists]]
targetRules = ["acme-signing-key"]
regexTarget = "line"
regexes = ['''# (?:public|test)$''']

[[rules]]
id = "acme-token"
description = "Token of Acme"
regex = '''\b(acme_[a-z0-9]{24})(?:\\?['"\x60]|[\s;]|\\[nr]|$)'''
keywords = ["ACME_"]
entropy = 2.5

[[rules]]
id = "acme-signing-key"
description = "Key by which Acme signs"
regex = '''(?i)[\w.-]{0,50}?(?:acme)(?:[ \t\w.-]{0,20})[\s'"]{0,3}(?:=|>|:{1,3}=|=>|,)[\x60'"\s=]{0,5}([a-z0-9]{32})(?:\\?['"\x60]|[\s;]|$)'''
keywords = ["acme"]
[rules.allowlist]
regexes = ['''^0{8}''']

[[rules]]
id = "pair-of-acme"
regex = '''acmeid=(\w{10,20}) acmesecret=([^\s]{8,})'''
secretGroup = 2
filter = '''
filter.entropy(finding["secret"]) < 2.0 || finding["match"] contains "acmeid=nobody"
'''

[[rules]]
id = "generic-thing"
regex = '''(?:acme|thing)_?\w{0,10}[=:]([a-zA-Z0-9]{32})'''
keywords = ["thing", "acme"]

[[rules]]
id = "acme-user"
regex = '''([a-z0-9]{24})@acme'''
keywords = ["@acme", "acme"]

[[rules]]
id = "corp-user"
regex = '''\b([a-z0-9]{60,64})@corp'''
keywords = ["@corp", "corp"]

[[rules]]
id = "Long.Blob"
regex = '''blob:([A-Za-z0-9+/]{40,})'''
keywords = ["blob"]
tokenEfficiency = true
colour = "red"
"##;

const TOKEN: &str = "acme_x7qm2zp9lk4vt8rw1yc6hd3n";
const KEY: &str = "x7qm2zp9lk4vt8rw1yc6hd3nx7qm2zp9";

fn rules(files: &[&str]) -> Arc<Rules> {
    Rules::with(&files.iter().map(|file| (*file).to_owned()).collect::<Vec<_>>()).unwrap_or_else(|error| panic!("{error}"))
}

fn scrubber(files: &[&str]) -> Arc<Scrubber> {
    Arc::new(Scrubber::new(Arc::new(Search::new(Vec::new(), Some(rules(files)))), Vec::new()))
}

fn told(file: &str) -> Vec<String> {
    let told = |notice: &super::Notice| format!("{} {}: {}", if notice.is_taken { "+" } else { "-" }, notice.rule, notice.what);
    rules(&[file]).notices().iter().map(told).collect()
}

#[test]
fn rules_of_another_scanner_take_out_what_they_call_the_secret() {
    let scrubber = scrubber(&[FILE]);
    for (text, expected) in [
        (format!("token {TOKEN}; end"), "token [redacted:acme-token]; end".to_owned()),
        (format!("{{\"t\":\"{TOKEN}\\n\"}}"), "{\"t\":\"[redacted:acme-token]\\n\"}".to_owned()),
        (format!("my_ACME_signing = '{KEY}' # why"), "my_ACME_signing = '[redacted:acme-signing-key]' # why".to_owned()),
        ("acmeid=somebody12 acmesecret=p4ss/w0rd here".to_owned(), "acmeid=somebody12 acmesecret=[redacted:pair-of-acme] here".to_owned()),
        (format!("THING_1:{KEY}"), "THING_1:[redacted:generic-thing]".to_owned()),
        (format!("blob:{}!", KEY.repeat(3)), "blob:[redacted:long-blob]!".to_owned()),
        // An exception that another rule has.
        (format!("token {TOKEN}; # test"), "token [redacted:acme-token]; # test".to_owned()),
        // What has the keyword at its end, and another one in the next line.
        (format!("{}@acme\nacme", &KEY[..24]), "[redacted:acme-user]@acme\nacme".to_owned()),
        // The one that says more of it counts.
        (format!("acme={KEY}"), "acme=[redacted:acme-signing-key]".to_owned()),
        // As long as the characters of a token follow.
        (format!("blob:{} end", KEY.repeat(40)), "blob:[redacted:long-blob] end".to_owned()),
    ] {
        let text = if text.contains("THING_1") { text.replace("THING_1", "thing_1") } else { text };
        assert_eq!(scrubber.scrub_text(&text), expected.replace("THING_1", "thing_1"), "{text}");
    }
}

#[test]
fn what_they_make_exceptions_of_passes() {
    let scrubber = scrubber(&[FILE]);
    for text in [
        // Entropy.
        "token acme_aaaaaaaaaaaaaaaaaaaaaaaa; end".to_owned(),
        // The middle of a word, and a longer one.
        format!("token x{TOKEN}; end"),
        format!("token {TOKEN}0; end"),
        // A stop word of all rules, an expression of one, and one that looks at the line.
        "token acme_x7qm2zp9example1yc6hd3n; end".to_owned(),
        "acme_sign = '00000000x7qm2zp9lk4vt8rw1yc6hd3n' ".to_owned(),
        format!("acme_sign = '{KEY}' # test"),
        // Filters.
        "acmeid=nobody1234 acmesecret=p4ss/w0rd here".to_owned(),
        "acmeid=somebody12 acmesecret=xxxxxxxxxxxx here".to_owned(),
        "blob:getAccountByIdentifierOfTheOwnerAndItsNameToo".to_owned(),
        // What begins before what is looked at.
        format!("{}@corp", KEY.repeat(3)),
        // Another line.
        format!("acme\n= '{KEY}'"),
        // Fewer than eight bytes.
        "acmeid=somebody12 acmesecret=p4ss/w0".to_owned(),
    ] {
        assert_eq!(scrubber.scrub_text(&text), text);
    }
}

#[test]
fn a_stream_finds_what_a_whole_text_does_however_it_is_cut() {
    let scrubber = scrubber(&[FILE]);
    let pieces = [
        format!("token {TOKEN}; end\n"),
        format!("acme = '{KEY}'}}\n"),
        format!("{}@acme}}\n@acme, acme\n", &KEY[..24]),
        format!("{0}@corp {0}@corp corp\n", KEY.repeat(2)),
        "acme acme acme acme_acme acmeacmeacmeacme ".repeat(9),
        format!("{}{TOKEN} ", "acme_".repeat(40)),
        format!("blob:{} ", KEY.repeat(40)),
        format!("{:60}acme{:20}={KEY}\r", "", ""),
        format!("{}acmeid=somebody12 acmesecret={}\n\n", "x".repeat(700), "p4ss/w0rd".repeat(60)),
        "GITHUB=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\n".to_owned(),
    ];
    for first in 0..pieces.len() {
        let text = (0..pieces.len()).map(|at| pieces[(first + at) % pieces.len()].as_str()).collect::<String>();
        for cuts in [&[1][..], &[7, 200, 3], &[64, 65, 255], &[255]] {
            crate::naive::compare(&scrubber, format!("{}{text}{text}", "z".repeat(first * 11)).as_bytes(), cuts);
        }
    }
}

/// What is counted of a search.
#[derive(Clone, Copy)]
pub(super) enum Work {
    Search,
    Filter,
}

thread_local! {
    static DONE: Cell<[usize; 2]> = const { Cell::new([0; 2]) };
}

/// Counts work that is done.
pub(super) fn count(work: Work) {
    let mut done = DONE.get();
    done[work as usize] += 1;
    DONE.set(done);
}

#[test]
fn nothing_is_searched_in_vain_nor_filtered_twice() {
    let rules = rules(&["[[rules]]\nid = 'a'\nregex = '(tok-[a-z0-9]{32})'\nkeywords = ['zz']\nentropy = 2.0"]);
    let patterns = rules.patterns.as_ref().expect("one");
    let done = |text: &str, starts: std::ops::Range<usize>| {
        DONE.set([0; 2]);
        let mut found = 0;
        patterns.find(text.as_bytes(), &starts, |_| found += 1);
        (found, DONE.get())
    };
    let chain = format!("{}tok-{KEY} ", format!("zz{:14}", "").repeat(8));

    assert_eq!(done(&chain, 0..chain.len()), (1, [8, 1]));
    // The first byte of what is found is asked for, and no other.
    assert_eq!(done(&chain, 128..129), (1, [8, 1]));
    // Lines that end before what is asked for, and begin behind it.
    let lines = format!("{chain}\nwords\n{chain}");
    let words = chain.len() + 1;
    assert_eq!(done(&lines, words..words + 5), (0, [0, 0]));
}

#[test]
fn keywords_that_stand_close_to_each_other_hide_nothing() {
    let scrubber = scrubber(&[
        FILE,
        "[[rules]]\nid = 'pin'\nregex = 'zz:(\\w{8})'\nkeywords = ['zz']\n[[rules]]\nid = 'far'\nregex = 'zz:(x{442})!'\nkeywords = ['zz']",
    ]);
    let pins = (0..60).map(|at| format!("zz:p4ss{at:04} ")).collect::<String>();
    let user = format!("{}@corp {}", KEY.repeat(2), "corp ".repeat(30));

    assert_eq!(scrubber.scrub_text(&pins), "zz:[redacted:pin] ".repeat(60));
    assert_eq!(scrubber.scrub_text(&user), format!("[redacted:corp-user]@corp {}", "corp ".repeat(30)));
    // What is seen of a chain does not depend on how it comes.
    for shift in 0..16 {
        let far = format!("zz: zz:{}!\n", "x".repeat(442));
        let chain = format!("{pins}{far}{}{far}{}{user}{far}", "zz ".repeat(99), "zzzz".repeat(99));
        let chain = format!("{}{}", "z".repeat(shift), chain.repeat(3));
        for cuts in [&[1][..], &[7, 200, 3], &[64, 65, 255], &[250]] {
            crate::naive::compare(&scrubber, chain.as_bytes(), cuts);
        }
    }
}

#[test]
fn what_a_rule_of_the_hosts_own_finds_goes_by_that_rule_alone() {
    let theirs = "[[rules]]\nid = \"any-github\"\nregex = '''gh[pousr]_\\w{36}'''\nkeywords = [\"gh\"]\n";
    let scrubber = scrubber(&[theirs]);
    let token = "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";
    let own = scrubber.find(format!("x {token}").as_bytes());

    assert_eq!(own.len(), 1, "{own:?}");
    assert!(own[0].0.starts_with("github"), "{own:?}");
    // Where its checksum does not hold, theirs finds it.
    assert_eq!(scrubber.scrub_text("x ghp_4daSjor9h2aTT16qI9BON8H9Bd6C1m42CUAb"), "x [redacted:any-github]");
    assert_eq!(scrubber.passing(&[own[0].0.clone()]).find(token.as_bytes()), []);
}

#[test]
fn what_ends_before_a_finding_does_not_know_it() {
    let scrubber = scrubber(&[FILE]);
    let head = "-----BEGIN PRIVATE KEY-----";

    // A frame that holds no key, and ends.
    let framed = scrubber.scrub_text(&format!("{head}x-----END x----- {TOKEN};")).into_owned();
    assert!(framed.ends_with(" [redacted:acme-token];"), "{framed}");
    // One that goes on holds what follows.
    let open = scrubber.find(format!("{head} {TOKEN};").as_bytes());
    assert!(open.len() == 1 && open[0].1.start == 0, "{open:?}");
    for cuts in [&[1][..], &[7, 200, 3], &[64]] {
        let texts = format!("{head}x-----END x----- {TOKEN};\n{head} {TOKEN};\n-----END PRIVATE KEY-----\n").repeat(20);
        crate::naive::compare(&scrubber, texts.as_bytes(), cuts);
    }
}

#[test]
fn a_rule_that_says_less_of_a_secret_takes_out_what_it_finds_more_of() {
    let rule = |id: &str, regex: &str, specificity: i64| {
        format!("[[rules]]\nid = '{id}'\nregex = '{regex}'\nkeywords = ['key-']\nspecificity = {specificity}\n")
    };
    let files = [rule("long", "key-[a-z0-9]{32}", 1), rule("short", "key-[a-z0-9]{16}", 9), rule("tiny", "key-[a-z0-9]{12}", 5)].concat();
    let text = format!("a key-{KEY} b");

    let found = scrubber(&[&files]).find(text.as_bytes());
    let found: Vec<_> = found.iter().map(|(rule, at)| (rule.as_str(), at.clone())).collect();
    assert_eq!(found, [("long", 2..38), ("short", 2..22)]);
    assert_eq!(scrubber(&[&files]).scrub_text(&text), "a [redacted:long] b");
}

#[test]
fn a_first_group_that_is_no_secret_does_not_stand_for_one() {
    let file = |regex: &str, more: &str| format!("[[rules]]\nid = 'a'\nregex = '{regex}'\nkeywords = ['acme']\n{more}");
    let secret = &KEY[..20];
    for (regex, more, text, expected, is_told) in [
        // The name of a field.
        ("(?i)acme_(password|credential)=([a-z0-9]{20})", "", format!("acme_CREDENTIAL={secret}!"), "[redacted:a]!", true),
        ("(?i)(acme[._-]?(?:api|access)_?(?:key|token)s?)=[a-z0-9]{20}", "", format!("acme_api_key={secret}!"), "[redacted:a]!", true),
        ("(acme_thing)=([a-z0-9]{20})", "secretGroup = 2", format!("acme_thing={secret}!"), "acme_thing=[redacted:a]!", false),
        // Too short.
        ("acme=([a-z0-9]{3})[a-z0-9]{17}", "", format!("acme={secret}!"), "[redacted:a]!", false),
        // What is a secret.
        ("acme=([a-z0-9]{20})", "", format!("acme={secret}!"), "acme=[redacted:a]!", false),
        ("acme=(?:\"([a-z0-9]{20})\"|([a-z0-9]{20}))", "", format!("acme={secret}!"), "acme=[redacted:a]!", false),
    ] {
        let file = file(regex, more);
        assert_eq!(scrubber(&[&file]).scrub_text(&text), expected, "{regex}");
        assert_eq!(told(&file).iter().any(|told| told.starts_with("+ a: its first group holds for")), is_told, "{regex}");
    }
}

#[test]
fn a_rule_with_the_name_of_one_that_is_there_adds_to_it() {
    let theirs = "[[rules]]\nid = \"json-web-token\"\nregex = '''tok\\.[0-9a-f]{32}'''\n";
    let rules = rules(&[theirs, theirs]);

    assert_eq!(rules.list().filter(|(name, _)| *name == "json-web-token").count(), 1);
    let scrubber = Scrubber::new(Arc::new(Search::new(Vec::new(), Some(rules))), Vec::new());
    let text = "t: tok.0123456789abcdef0123456789abcdef";
    assert_eq!(scrubber.scrub_text(text), "t: [redacted:json-web-token]");
    assert_eq!(scrubber.passing(&["json-web-token".to_owned()]).scrub_text(text), text);
}

#[test]
fn what_can_not_be_taken_over_is_told_by_the_id_of_the_rule() {
    assert_eq!(
        told(FILE),
        [
            "+ Long.Blob: the efficiency of its tokens is not counted; how random a value looks is measured instead",
            "+ Long.Blob: its `colour` is not known",
            "+ Long.Blob: it goes by the name `long-blob`",
        ]
    );
    let rule = |text: &str| told(&format!("[[rules]]\nid = \"a\"\n{text}"));
    let fine = "regex = '''acme_[a-z]{20}'''\n";
    for (text, said) in [
        (fine.replace("acme_", "(?P<x>"), "its expression can't be read; "),
        (fine.replace("{20}", "{600}"), "its expression holds for no text of 512 bytes or fewer"),
        (fine.replace("[a-z]{20}", "(?:[a-z]{100}){100}"), "its expression is too large"),
        (fine.replace("acme_", ""), "it has no keywords, and no fixed text begins what it finds; add `keywords`"),
        (format!("{fine}keywords = [\"a\"]"), "its keywords are too many, too short or too long"),
        (format!("{fine}keywords = \"acme\""), "its `keywords` is not a list of texts"),
        (format!("{fine}secretGroup = 1"), "its `secretGroup` is more than its expression has"),
        (format!("{fine}entropy = \"high\""), "its `entropy` is not a number"),
        (format!("{fine}path = '''\\.tf$'''"), "it is for files of certain paths (`path`)"),
        (format!("{fine}skipReport = true"), "it is a part of other rules only (`skipReport`)"),
        (format!("{fine}[[rules.required]]\nid = \"b\""), "it counts only where other rules find something nearby (`required`)"),
        (format!("{fine}filter = '''len(finding[\"secret\"]) > 3'''"), "its filter does more than compare what was found"),
        (format!("{fine}[[rules.allowlists]]\nregexes = ['''\\pL''']"), "an expression of an allowlist can't be read"),
        (format!("{fine}[[rules.allowlists]]\ncondition = \"XOR\"\nstopwords = [\"x\"]"), "an allowlist's `condition` is none of"),
        (format!("{fine}[[rules.allowlists]]\nregexTarget = \"file\"\nstopwords = [\"x\"]"), "an allowlist's `regexTarget` is none of"),
        ("description = \"d\"".to_owned(), "it has no `regex`"),
    ] {
        let told = rule(&text);
        assert!(told.len() == 1 && told[0].starts_with(&format!("- a: {said}")), "{text}: {told:?}");
    }
    for (text, said) in [
        ("[extend]\nuseDefault = true\ndisabledRules = [\"a\"]", "+ : `extend.useDefault` is not followed"),
        ("[extend]\nuseDefault = true\ndisabledRules = [\"a\"]", "+ : `extend.disabledRules` is not followed"),
        ("[extend]\npath = \"base.toml\"", "+ : `extend.path` is not followed; name that file in `scrub.rules`, too"),
        ("[[rules]]\nregex = '''acme_'''", "- number 1: it has no `id`"),
        ("rules = []\n[allowlist]\npaths = ['''x''']", "+ : its exceptions by path or commit are not followed"),
        (
            "rules = []\n[[allowlists]]\ntargetRules = [\"b\"]\nstopwords = [\"x\"]",
            "- b: an allowlist is for it, and the file does not have it",
        ),
        ("filter = '''let x = 1; true'''\nrules = []", "+ : its exceptions for all rules are not followed: its filter does more"),
        ("[[rules]]\nid = \"a\"\nregex = '''acme_'''\nvalidate = '''true'''", "+ : `validate` is not followed"),
    ] {
        assert!(told(text).iter().any(|told| told.starts_with(said)), "{text}: {:?}", told(text));
    }
}

#[test]
fn what_holds_for_all_of_some_conditions_takes_all_of_them() {
    let file = |condition: &str, more: &str| {
        let rule = "[[rules]]\nid = \"a\"\nregex = '''acme_[a-z0-9]{20,}'''";
        scrubber(&[&format!(
            "{rule}\n[[rules.allowlists]]\ncondition = \"{condition}\"\nregexes = ['''0$''']\nstopwords = [\"sample\"]\n{more}"
        )])
    };
    let both = "acme_x7qm2zp9lksample4vt8rw1yc0";
    let one = "acme_x7qm2zp9lksample4vt8rw1yc1";
    for (condition, more, text, is_found) in [
        ("AND", "", both, false),
        ("AND", "", one, true),
        ("OR", "", one, false),
        ("&&", "", one, true),
        // What is no file lies at no path.
        ("AND", "paths = ['''.*''']", both, true),
        ("OR", "paths = ['''.*''']", one, false),
    ] {
        assert_eq!(file(condition, more).finds(text.as_bytes()), is_found, "{condition} {more} {text}");
    }
}

#[test]
fn a_file_that_is_none_is_an_error_that_says_where() {
    let refused = |text: &str| Rules::with(&[FILE.to_owned(), text.to_owned()]).expect_err(text);

    let no_list = refused("rules = \"acme_1a2b3c4d5e6f7a8b\"");
    assert_eq!(
        (no_list.file, no_list.to_string().as_str()),
        (1, "its `rules` is not a list of tables; write each rule as `[[rules]]`, as Gitleaks and Betterleaks have them")
    );
    let many = "[[rules]]\nid = \"a\"\nregex = \"b\"\n".repeat(4_097);
    assert!(refused(&many).to_string().contains("more than 4096 rules"));
    let broken = refused("[[rules]]\nid = \"a\nregex = \"acme_1a2b3c4d5e6f7a8b\"");
    assert!(broken.to_string().starts_with("line 2: ") && !broken.to_string().contains("1a2b"), "{broken}");
}

/// `SCRUB_RULES=DIRECTORY cargo test --release -p strongroom-scrub the_public_files -- --ignored --nocapture`: files of other scanners, which are
/// not kept here.
#[test]
#[ignore = "reads files that are not kept here"]
fn the_public_files() {
    for entry in std::fs::read_dir(std::env::var("SCRUB_RULES").expect("a directory")).expect("read").flatten() {
        let text = std::fs::read_to_string(entry.path()).expect("read");
        let begun = std::time::Instant::now();
        let rules = Rules::with(std::slice::from_ref(&text)).unwrap_or_else(|error| panic!("{error}"));
        let spent = begun.elapsed();
        let left = rules.notices().iter().filter(|notice| !notice.is_taken && !notice.rule.is_empty()).count();
        println!("{:?}: {} patterns, {left} left out, {spent:?}", entry.file_name(), rules.patterns.as_ref().expect("some").patterns.len());
        rules.notices().iter().for_each(|notice| println!("  {} {}: {}", notice.is_taken, notice.rule, notice.what));
        let begun = std::time::Instant::now();
        for pattern in &rules.patterns.as_ref().expect("some").patterns {
            assert!(pattern.expression.regex().is_some(), "{}", pattern.id);
        }
        println!("  all compiled: {:?}", begun.elapsed());
    }
}
