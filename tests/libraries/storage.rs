//! AWS's own SDKs in agents, signing by default with placeholders, against S3. Two judges that share no code with the host look at every request
//! that arrives: AWS's signer for Rust (`strongroom_tests::aws`), in all forms of a signature and chunk by chunk; and moto, which looks at
//! signatures in headers as botocore makes them, and plays S3: what is read back has to be what was written.

use crate::agents;
use crate::table::Language;
use std::sync::{Arc, Mutex};
use strongroom::End;
use strongroom_tests::aws::KeyPair;
use strongroom_tests::services::Moto;
use strongroom_tests::{AgentFixture, Ran};

/// Engines of JavaScript and Python want more than a guest in Rust.
const LIMITS: &str = "[limits]\nmemory = \"1GiB\"\ncpu = \"120s\"\n";
/// As the libraries name the region's S3; the one in Python has its oldest names.
const HOSTS: [&str; 4] =
    ["s3.us-east-1.amazonaws.com", "reports.s3.us-east-1.amazonaws.com", "s3.amazonaws.com", "reports.s3.amazonaws.com"];

/// What both libraries print when all is well.
const OBJECTS: &str = r#"{"object":[200,true,"text/plain","a  b"]}
{"object":[200,true,"text/plain","a  b"]}
{"object":[200,true,"text/plain","a  b"]}
{"list":["odd/+ &=?#100% ~(1)!*'@:,$"]}
{"error":["NoSuchKey",404]}
"#;
const LONG: &str = "{\"long\":[200,true]}\n{\"long\":[200,true]}";
const STREAMED: &str = "{\"streamed\":[100,true]}\n{\"streamed\":[100000,true]}\n{\"streamed\":[1500000,true]}";
const PRESIGNED: &str = r#"{"presigned":[200,200,"a report"]}"#;

/// A part of every run of the tests: bodies that flow with a hash in their heads, and URLs.
#[test]
#[ignore = "long form"]
fn an_sdk_in_javascript_stores_and_reads_objects() {
    for (case, prints) in [("long", LONG), ("presigned", PRESIGNED)] {
        play(Language::Javascript, case, prints, |pairs| vec![pairs[1].clone()]);
    }
}

/// But for bodies that flow: the library writes text between chunks, which no engine takes for a body's bytes.
#[test]
#[ignore = "long form"]
fn an_sdk_in_javascript_signs_all_that_it_can() {
    let objects = OBJECTS.repeat(2);
    let cases = [("objects", objects.as_str()), ("long", LONG), ("multipart", "{\"multipart\":true}"), ("presigned", PRESIGNED)];
    all(Language::Javascript, &cases);
}

#[test]
#[ignore = "long form"]
fn an_sdk_in_python_signs_all_that_it_can() {
    let objects = OBJECTS.repeat(2);
    let cases = [
        ("objects", objects.as_str()),
        ("streamed", STREAMED),
        ("signed", "{\"signed\":[100,true]}\n{\"signed\":[300000,true]}"),
        ("multipart", "{\"multipart\":true}"),
        ("presigned", PRESIGNED),
    ];
    all(Language::Python, &cases);
}

/// Its own client for `wasi:http` sends what it signs. What it gives of a response that went well has no status.
#[test]
#[ignore = "long form"]
fn an_sdk_in_rust_signs_all_that_it_can() {
    let (objects, long) = (OBJECTS.replace("[200,", "[").repeat(2), LONG.replace("[200,", "["));
    let cases = [
        ("objects", objects.as_str()),
        ("long", long.as_str()),
        ("streamed", STREAMED),
        ("multipart", "{\"multipart\":true}"),
        ("presigned", PRESIGNED),
    ];
    all(Language::Rust, &cases);
}

/// Plays all cases, with a user's keys and with a session's.
fn all(language: Language, cases: &[(&str, &str)]) {
    let failed = |case: &&(&str, &str)| std::panic::catch_unwind(|| play(language, case.0, case.1, |pairs| pairs.to_vec())).is_err();
    let failed: Vec<&str> = cases.iter().filter(failed).map(|case| case.0).collect();
    assert!(failed.is_empty(), "{failed:?}");
}

fn play(language: Language, case: &str, prints: &str, chosen: impl Fn(&[KeyPair; 2]) -> Vec<KeyPair>) {
    let moto = Arc::new(Moto::start());
    for pair in chosen(&moto.guard("reports")) {
        let ran = one(language, case, &pair, &moto);
        let printed = ran.stdout.replace(", ", ",").replace(": ", ":");
        assert_eq!(
            printed.trim(),
            prints.trim().replace(", ", ",").replace(": ", ":"),
            "{case}: {}\n{:?}",
            ran.stderr,
            ran.records("denial")
        );
        assert_eq!(ran.outcome.end, End::Exit(0), "{case}: {}", ran.stderr);
        ran.assert_sealed();
        assert_eq!(ran.denied(), Vec::<&str>::new(), "{case}");
        assert!(!ran.seen.is_empty(), "{case}: nothing arrived");
    }
}

/// One run, with every request judged as it arrives.
fn one(language: Language, case: &str, pair: &KeyPair, moto: &Arc<Moto>) -> Ran {
    let component = agents::component_of(language);
    let _first = agents::first(&component);
    let faults: Arc<Mutex<Vec<String>>> = Arc::default();
    let (judge, served, noted) = (pair.clone(), Arc::clone(moto), Arc::clone(&faults));
    let mut room = AgentFixture::with(&manifest(pair))
        .component(component)
        .names(HOSTS.into_iter())
        .value("AWS_ACCESS_KEY_ID", &pair.access_key_id)
        .value("AWS_SECRET_ACCESS_KEY", &pair.secret)
        .server(move |seen| {
            let fault = |why: String| noted.lock().unwrap().push(format!("{} {}: {why}", seen.method, seen.target));
            judge.signed(seen).unwrap_or_else(fault);
            let answer = served.pass_on(seen);
            if answer.status().is_server_error() || answer.status() == 403 {
                fault(format!("moto answers {}: {answer:?}", answer.status()));
            }
            answer
        });
    if let Some(token) = &pair.token {
        room = room.value("AWS_SESSION_TOKEN", token);
    }
    let ran = room.try_run(&["aws", case]).unwrap();
    let faults = faults.lock().unwrap();
    assert!(faults.is_empty(), "{case}: {faults:#?}\n{}{}", ran.stdout, ran.stderr);
    ran
}

/// All that is granted to the secret access key is granted to what belongs to it.
fn manifest(pair: &KeyPair) -> String {
    let with = if pair.token.is_some() { ", session_token = \"AWS_SESSION_TOKEN\"" } else { "" };
    let token = if pair.token.is_some() { "[secrets.AWS_SESSION_TOKEN]\nexpose = \"env\"\n" } else { "" };
    let allow = |host: &str| {
        let methods = "methods = [\"GET\", \"HEAD\", \"PUT\", \"POST\", \"DELETE\"]";
        format!("[[secrets.AWS_SECRET_ACCESS_KEY.allow]]\nhost = \"{host}\"\n{methods}\npaths = [\"/**\"]\n")
    };
    format!(
        "{LIMITS}[secrets.AWS_ACCESS_KEY_ID]\nplaceholder = \"AKIA{{base62:32}}\"\nexpose = \"env\"\n{token}\
         [secrets.AWS_SECRET_ACCESS_KEY]\nexpose = \"env\"\nsigv4 = {{ access_key_id = \"AWS_ACCESS_KEY_ID\"{with} }}\n{}",
        HOSTS.map(allow).concat()
    )
}
