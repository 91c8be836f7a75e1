//! What `--sarif` writes, held against what SARIF 2.1.0 demands of each object (sections 3.13 to 3.52 of the standard).

use super::cli::CliFixture;
use serde_json::Value;

/// Members of an object by name, with what they hold.
type Members = &'static [(&'static str, &'static str)];

/// The members that an object of this kind has to have, those it may have among the ones that we write, and what they hold: `kind` is an
/// object of that kind, `[kind]` a list of them, `=a|b` one of these texts, `text` and `number` what they say.
const OBJECTS: &[(&str, Members, Members)] = &[
    ("log", &[("version", "=2.1.0"), ("runs", "[run]")], &[("$schema", "text")]),
    ("run", &[("tool", "tool")], &[("results", "[result]"), ("columnKind", "=utf16CodeUnits|unicodeCodePoints")]),
    ("tool", &[("driver", "component")], &[]),
    ("component", &[("name", "text")], &[("version", "text"), ("informationUri", "text"), ("rules", "[rule]")]),
    ("rule", &[("id", "text")], &[("shortDescription", "message"), ("help", "message"), ("defaultConfiguration", "configuration")]),
    ("configuration", &[], &[("level", "=none|note|warning|error")]),
    (
        "result",
        &[("message", "message")],
        &[("ruleId", "text"), ("ruleIndex", "number"), ("level", "=none|note|warning|error"), ("locations", "[location]")],
    ),
    ("message", &[("text", "text")], &[]),
    ("location", &[("physicalLocation", "physicalLocation")], &[]),
    ("physicalLocation", &[("artifactLocation", "artifactLocation")], &[("region", "region")]),
    ("artifactLocation", &[("uri", "text")], &[]),
    (
        "region",
        &[],
        &[
            ("startLine", "number"),
            ("startColumn", "number"),
            ("endLine", "number"),
            ("endColumn", "number"),
            ("byteOffset", "number"),
            ("byteLength", "number"),
        ],
    ),
];

/// What is wrong with an object, as far as the table knows.
fn wrong(kind: &str, object: &Value, at: &str, out: &mut Vec<String>) {
    let (_, required, optional) = OBJECTS.iter().find(|(name, ..)| *name == kind).expect("a kind of the table");
    let Some(members) = object.as_object() else { return out.push(format!("{at} is no object")) };
    out.extend(required.iter().filter(|(name, _)| !members.contains_key(*name)).map(|(name, _)| format!("{at} has no {name}")));
    for (name, value) in members {
        let at = format!("{at}/{name}");
        let Some((_, holds)) = required.iter().chain(*optional).find(|(known, _)| known == name) else {
            out.push(format!("{at} is not known"));
            continue;
        };
        match (*holds, value) {
            ("text", Value::String(text)) if !text.is_empty() => {}
            ("number", Value::Number(number)) if number.is_u64() => {}
            (list, Value::Array(values)) if list.starts_with('[') => {
                values
                    .iter()
                    .enumerate()
                    .for_each(|(number, value)| wrong(list.trim_matches(['[', ']']), value, &format!("{at}/{number}"), out));
            }
            (choice, Value::String(text)) if choice.starts_with('=') && choice[1..].split('|').any(|one| one == text) => {}
            (kind, Value::Object(_)) if OBJECTS.iter().any(|(name, ..)| *name == kind) => wrong(kind, value, &at, out),
            _ => out.push(format!("{at} is no {holds}")),
        }
    }
}

/// The run of a file that is as the standard demands.
fn run_of(desk: &CliFixture, file: &str) -> Value {
    let log: Value = serde_json::from_str(&std::fs::read_to_string(desk.path(file)).unwrap()).unwrap();
    let mut problems = Vec::new();
    wrong("log", &log, "", &mut problems);
    let run = log["runs"][0].clone();
    for result in run["results"].as_array().unwrap() {
        let rule = &run["tool"]["driver"]["rules"][result["ruleIndex"].as_u64().unwrap() as usize];
        if rule["id"] != result["ruleId"] || rule["help"]["text"].as_str().is_none_or(str::is_empty) {
            problems.push(format!("{result} has no rule with help"));
        }
    }
    assert!(problems.is_empty(), "{problems:#?}");
    run
}

fn place(result: &Value) -> (&str, &Value) {
    let physical = &result["locations"][0]["physicalLocation"];
    (physical["artifactLocation"]["uri"].as_str().unwrap(), &physical["region"])
}

#[test]
fn a_check_writes_its_findings_where_code_hosts_and_editors_read_them() {
    let desk = CliFixture::new("[secrets.KEY]\n[[secrets.KEY.allow]]\nhost = \"*.github.io\"\npaths = [\"/v1/**\"]\n[secrets.ABSENT]");
    desk.write("bad agent.toml", "name = \"A\"\ncomponent = \"probe.wasm\"\nbogus = 1");

    let ran = desk.run_with("check agent.toml bad+agent.toml --resolve --env-file .env --sarif found.sarif", &[]);

    let run = run_of(&desk, "found.sarif");
    let results = run["results"].as_array().unwrap();
    let about = |name: &str| results.iter().filter(|result| result["ruleId"] == name).collect::<Vec<_>>();
    let (manifest, wildcard, unavailable) = (about("manifest"), about("wildcard-host"), about("secret-unavailable"));
    assert_eq!((ran.code, manifest.len(), wildcard.len(), unavailable.len()), (121, 2, 1, 1), "{results:#?}");
    assert_eq!(place(manifest[0]), ("bad%20agent.toml", &serde_json::json!({"startLine": 1, "startColumn": 8})));
    assert!(manifest[0]["message"]["text"].as_str().unwrap().starts_with("`name`: not a name"), "{}", manifest[0]);
    assert_eq!(
        (wildcard[0]["level"].as_str(), place(wildcard[0])),
        (Some("warning"), ("agent.toml", &serde_json::json!({"startLine": 4})))
    );
    assert!(
        unavailable[0]["level"] == "error" && unavailable[0]["message"]["text"].as_str().unwrap().contains("ABSENT"),
        "{}",
        unavailable[0]
    );
}

#[test]
fn a_check_without_findings_writes_a_run_without_results() {
    let desk = CliFixture::new("");

    assert_eq!(desk.run("check agent.toml --sarif found.sarif").code, 0);

    let run = run_of(&desk, "found.sarif");
    assert_eq!(run["results"], serde_json::json!([]));
    assert!(run["tool"]["driver"]["rules"].as_array().unwrap().iter().any(|rule| rule["id"] == "secret-in-component"));
    assert_eq!(desk.run("check agent.toml --sarif none/found.sarif").code, 120);
}

#[test]
fn what_rules_find_is_written_without_what_they_found() {
    let desk = CliFixture::new("");
    let token = "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";
    desk.write("agent.log", &format!("one\n\u{e9} {token}\n{token}\n"));

    assert_eq!(desk.run("rules test agent.log --sarif found.sarif").code, 120);

    let run = run_of(&desk, "found.sarif");
    assert!(!run.to_string().contains("4daSjor9"));
    assert_eq!((run["results"].as_array().unwrap().len(), run["tool"]["driver"]["rules"].as_array().unwrap().len()), (2, 1));
    let region = serde_json::json!({"startLine": 2, "startColumn": 3, "endLine": 2, "endColumn": 43});
    assert_eq!(place(&run["results"][0]), ("agent.log", &region));
}
