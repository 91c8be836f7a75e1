//! What a hostile agent tries with a key pair of AWS that it signs by: a request that arrives is signed by the real pair and meant by the agent,
//! or does not arrive. Every request is judged as it arrives by AWS's own signer (`strongroom_tests::aws`).

use std::sync::{Arc, Mutex};
use strongroom_demo::server::{Response, Seen, respond};
use strongroom_tests::aws::KeyPair;
use strongroom_tests::{AgentFixture, Ran, VALUE};

const ID: &str = "ASIAQ3EGRT6NTZ4LM2PK";
const TOKEN: &str = "FwoGZXIvYXdzEJr0Zt8kLw2mQ9RvXyWqAsDfGhJ0lKpZ1xQm7Lp4Rv8Wk1Yc6Nd3Bf5Hs0Jg";

/// What becomes of a case.
#[derive(Debug, Clone, Copy)]
enum Ends {
    /// So many requests arrive, each signed by the real pair.
    Signed(usize),
    /// Denied by one of these rules before anything leaves.
    Denied(&'static [&'static str]),
    /// Begun and broken off, or not begun: no server has all of it, and the agent is told this.
    Broken(&'static str),
}
use Ends::{Broken, Denied, Signed};

const FOREIGN: Ends = Denied(&["foreign-credential"]);
const OTHER_BODY: Ends = Broken("the body is not the one that the request's signature is for");

/// What the probe does: `aws …` of the probe, or any other word of its.
const CASES: &[(&str, &str, Ends)] = &[
    // What must work.
    ("a hash in the header", "aws PUT https://api.test/v1/a b:hello token:TOKEN", Signed(1)),
    (
        "a query, and a header of the agent's",
        "aws GET https://api.test/v1/?prefix=a%2Fb&list-type=2 h:x-amz-meta-a=1++2 token:TOKEN",
        Signed(1),
    ),
    ("an unsigned payload", "aws PUT https://api.test/v1/a b:hello payload:UNSIGNED-PAYLOAD token:TOKEN", Signed(1)),
    ("a long body", "aws PUT https://api.test/v1/a x:300000 token:TOKEN", Signed(1)),
    ("one chunk", "aws PUT https://api.test/v1/a chunks:1x10 token:TOKEN", Signed(1)),
    ("chunks of 64 KiB", "aws PUT https://api.test/v1/a chunks:8x65536 token:TOKEN", Signed(1)),
    ("chunks of 1 MiB", "aws PUT https://api.test/v1/a chunks:2x1048576 token:TOKEN", Signed(1)),
    ("a URL", "aws GET https://api.test/v1/a?x-id=GetObject presign:60 token:TOKEN", Signed(1)),
    ("a URL to write to", "aws PUT https://api.test/v1/a presign:60 b:hello token:TOKEN", Signed(1)),
    ("without the session's token", "aws PUT https://api.test/v1/a b:hello", Signed(1)),
    ("a URL without the session's token", "aws GET https://api.test/v1/a presign:60", Signed(1)),
    ("a hash that the head does not say", "aws POST https://api.test/v1/a b:hello payload:none service:execute-api token:TOKEN", Signed(1)),
    // Another body.
    ("another body", "aws PUT https://api.test/v1/a b:hello says:hullo token:TOKEN", OTHER_BODY),
    ("another long body", "aws PUT https://api.test/v1/a x:300000 says:hullo token:TOKEN", OTHER_BODY),
    (
        "another body that the head says nothing of",
        "aws POST https://api.test/v1/a b:hello says:hullo payload:none service:execute-api token:TOKEN",
        FOREIGN,
    ),
    (
        "a body that is too long to be known",
        "aws POST https://api.test/v1/a x:1048577 payload:none service:execute-api token:TOKEN",
        Denied(&["body"]),
    ),
    ("a leak in a signed body", "aws PUT https://api.test/v1/a b: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 token:TOKEN", Denied(&["leak"])),
    // Chunks.
    ("another byte in the first chunk", "aws PUT https://api.test/v1/a chunks:8x65536 break:0 token:TOKEN", OTHER_BODY),
    ("another byte in the second chunk", "aws PUT https://api.test/v1/a chunks:8x65536 break:1 token:TOKEN", OTHER_BODY),
    ("another byte in the last chunk", "aws PUT https://api.test/v1/a chunks:8x65536 break:7 token:TOKEN", OTHER_BODY),
    ("another byte in a short body of chunks", "aws PUT https://api.test/v1/a chunks:2x10 break:1 token:TOKEN", OTHER_BODY),
    ("something behind the last chunk", "aws PUT https://api.test/v1/a chunks:8x65536 end:GET+/+HTTP/1.1 token:TOKEN", OTHER_BODY),
    ("a chunk that is larger than is kept", "aws PUT https://api.test/v1/a chunks:1x2097153 token:TOKEN", OTHER_BODY),
    // Another signature.
    ("the secret of another pair", "aws PUT https://api.test/v1/a b:hello key:OTHER token:TOKEN", FOREIGN),
    ("the id of another pair", "aws PUT https://api.test/v1/a b:hello id:OTHER token:TOKEN", FOREIGN),
    ("a key of the agent's own", "aws PUT https://api.test/v1/a b:hello key:=wJalrXUtnFEMI id:=AKIAIOSFODNN7EXAMPLE", FOREIGN),
    ("a session of the agent's own", "aws PUT https://api.test/v1/a b:hello token:=mine", FOREIGN),
    ("a URL with a session of the agent's own", "aws GET https://api.test/v1/a presign:60 token:=mine", FOREIGN),
    ("a signature moved to another path", "aws PUT https://api.test/v1/a b:hello for:https://api.test/v1/b token:TOKEN", FOREIGN),
    ("a signature moved to another query", "aws GET https://api.test/v1/?acl for:https://api.test/v1/ token:TOKEN", FOREIGN),
    ("a signature moved to another method", "aws PUT https://api.test/v1/a b:hello as:POST token:TOKEN", FOREIGN),
    ("a signature moved to another host", "aws PUT https://api.test/v1/a b:hello for:https://sub.api.test/v1/a token:TOKEN", FOREIGN),
    ("a URL with another method", "aws PUT https://api.test/v1/a presign:60 as:GET token:TOKEN", FOREIGN),
    ("a URL that has expired", "aws GET https://api.test/v1/a presign:60 at:-120 token:TOKEN", FOREIGN),
    ("a URL of tomorrow", "aws GET https://api.test/v1/a presign:60 at:86400 token:TOKEN", FOREIGN),
    ("an old signature", "aws PUT https://api.test/v1/a b:hello at:-600 token:TOKEN", FOREIGN),
    ("an instruction to AWS that is not signed", "aws PUT https://api.test/v1/a b:hello add:x-amz-acl=public-read token:TOKEN", FOREIGN),
    ("the same beside a URL", "aws PUT https://api.test/v1/a presign:60 b:hello add:x-amz-acl=public-read token:TOKEN", FOREIGN),
    (
        "a second signature in the header",
        "aws GET https://api.test/v1/a presign:60 add:authorization=AWS4-HMAC-SHA256+x token:TOKEN",
        FOREIGN,
    ),
    // The placeholders as such.
    ("the secret as a bearer token", "send GET https://api.test/v1/a h:authorization=Bearer+{KEY}", Denied(&["misplaced-placeholder"])),
    ("the id in another header", "send GET https://api.test/v1/a h:x-id={ID}", Denied(&["misplaced-placeholder"])),
    ("the id elsewhere", "send GET https://other.test/{ID}", Denied(&["misplaced-placeholder"])),
    ("the session's token elsewhere", "send GET https://other.test/ h:x-amz-security-token={TOKEN}", Denied(&["misplaced-placeholder"])),
    ("a signature elsewhere", "aws PUT https://other.test/v1/a b:hello token:TOKEN", Denied(&["misplaced-placeholder"])),
    ("a signed URL elsewhere", "aws GET https://other.test/v1/a presign:60 token:TOKEN", Denied(&["foreign-credential"])),
];

fn pair() -> KeyPair {
    KeyPair { access_key_id: ID.to_owned(), secret: VALUE.to_owned(), token: Some(TOKEN.to_owned()) }
}

fn room() -> AgentFixture {
    let methods = "methods = [\"GET\", \"PUT\", \"POST\"]";
    AgentFixture::with(&format!(
        "[secrets.KEY]\nexpose = \"env\"\nsigv4 = {{ access_key_id = \"ID\", session_token = \"TOKEN\" }}\n\
         [[secrets.KEY.allow]]\nhost = \"api.test\"\n{methods}\npaths = [\"/v1/**\"]\n\
         [secrets.ID]\nplaceholder = \"AKIA{{base62:32}}\"\nexpose = \"env\"\n[secrets.TOKEN]\nexpose = \"env\"\n\
         [secrets.OTHER]\nexpose = \"env\"\n[[secrets.OTHER.allow]]\nhost = \"third.test\"\npaths = [\"/**\"]\n\
         [[egress]]\nhost = \"other.test\"\n{methods}\npaths = [\"/**\"]"
    ))
    .value("ID", ID)
    .value("TOKEN", TOKEN)
    .value("OTHER", "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY")
}

/// One run, with what was found wrong with the requests that arrived.
fn judged(room: AgentFixture, operation: &str, answer: impl Fn(&Seen) -> Response + Send + Sync + 'static) -> (Ran, Vec<String>) {
    let faults: Arc<Mutex<Vec<String>>> = Arc::default();
    let noted = Arc::clone(&faults);
    let ran = room
        .server(move |seen| {
            noted.lock().unwrap().extend(pair().signed(seen).err());
            answer(seen)
        })
        .run(&[operation]);
    let faults = faults.lock().unwrap().clone();
    (ran, faults)
}

fn tried(operation: &str, ends: Ends) -> Result<(), String> {
    let (ran, faults) = judged(room(), operation, |_| respond(200, "text/plain", "ok"));
    let wrong = |what: &str| Err(format!("{what}: {faults:?} {:?} {}{}", ran.records("denial"), ran.stdout, ran.stderr));
    let wire: String = ran.seen.iter().map(Seen::text).collect();
    match ends {
        Signed(count) if ran.seen.len() != count || !ran.denied().is_empty() => wrong("another number arrived"),
        Signed(_) if !faults.is_empty() => wrong("it arrived with another signature"),
        Signed(_) if wire.contains("AKIA") || !wire.contains(ID) => wrong("a placeholder arrived"),
        Signed(_) => Ok(()),
        Denied(_) | Broken(_) if !ran.seen.is_empty() => wrong("it arrived"),
        Denied(rules) if !matches!(ran.denied().as_slice(), [rule] if rules.contains(rule)) => wrong("denied otherwise"),
        Broken(told) if !ran.stdout.contains(told) => wrong("the agent is told otherwise"),
        Denied(_) | Broken(_) => Ok(()),
    }
}

#[test]
fn aws_signatures_are_made_anew_or_nothing_arrives() {
    let failed = |(name, operation, ends): &(&str, &str, Ends)| {
        let tried = std::panic::catch_unwind(|| tried(operation, *ends)).unwrap_or_else(|_| Err("panicked".to_owned()));
        tried.err().map(|why| format!("{name}: {why}"))
    };
    let failed: Vec<String> = CASES.iter().filter_map(failed).collect();
    assert!(failed.is_empty(), "{} of {} cases:\n{}", failed.len(), CASES.len(), failed.join("\n"));
}

#[test]
fn a_redirect_takes_no_signature_along() {
    let (ran, faults) = judged(room(), "aws PUT https://api.test/v1/a b:hello token:TOKEN", |_| {
        let mut answer = respond(307, "text/plain", "elsewhere");
        answer.headers_mut().insert("location", "https://other.test/v1/a".parse().unwrap());
        answer
    });

    assert_eq!(faults, Vec::<String>::new());
    assert_eq!(ran.seen.len(), 1, "{}", ran.stdout);
    assert!(ran.stdout.contains("307"), "{}", ran.stdout);
}

/// An error of S3's shows what it was sent.
#[test]
fn what_was_signed_does_not_come_back() {
    for operation in ["aws PUT https://api.test/v1/a b:hello token:TOKEN", "aws GET https://api.test/v1/a presign:60 token:TOKEN"] {
        let sent: Arc<Mutex<String>> = Arc::default();
        let kept = Arc::clone(&sent);
        let (ran, faults) = judged(room(), operation, move |seen| {
            let line = [seen.header("authorization"), &seen.target].concat();
            let (_, signature) = line.split_once("Signature=").unwrap();
            *kept.lock().unwrap() = signature[..64].to_owned();
            let echo = format!("{} {} {}", seen.header("authorization"), seen.header("x-amz-security-token"), seen.target);
            let mut answer = respond(403, "application/xml", format!("<Error><SignatureProvided>{echo}</SignatureProvided></Error>"));
            answer.headers_mut().insert("x-echo", echo.parse().unwrap());
            answer
        });

        assert_eq!(faults, Vec::<String>::new());
        let signature = sent.lock().unwrap().clone();
        assert!(signature.len() == 64 && ran.stdout.contains("SignatureProvided"), "{}", ran.stdout);
        for text in [signature.as_str(), TOKEN, ID] {
            assert!(!ran.stdout.contains(text) && !format!("{:?}", ran.audit).contains(text), "{text} came back: {}", ran.stdout);
        }
    }
}

/// Another agent's signature for the whole of AWS is not needed for this: what is signed is said by what is granted.
#[test]
fn what_a_signature_is_denied_for_says_what_would_allow_it() {
    let remedy = |room: AgentFixture, operation: &str| {
        let ran = room.run(&[operation]);
        ran.records("denial")[0]["remedy"].as_str().unwrap().to_owned()
    };
    let lines = remedy(room(), "aws PUT https://api.test/v2/a b:hello token:TOKEN");
    let lines = lines.strip_prefix("to allow it, add to the manifest:\n").unwrap_or_else(|| panic!("no lines: {lines}"));
    assert_eq!(lines, "[[secrets.KEY.allow]]\nhost = \"api.test\"\nmethods = [\"PUT\"]\npaths = [\"/v2/a\"]");
    for operation in ["aws PUT https://api.test/v2/a b:hello token:TOKEN", "aws PUT https://api.test/v2/a presign:60 token:TOKEN"] {
        let (ran, faults) = judged(room().and(&format!("\n{lines}")), operation, |_| respond(200, "text/plain", "ok"));
        assert_eq!((ran.seen.len(), faults), (1, Vec::new()), "{}", ran.stdout);
    }
    assert_eq!(
        remedy(room(), "aws PUT https://other.test/v1/a b:hello token:TOKEN"),
        "grant this request to the secret that signs it: add a `[[secrets.KEY.allow]]` that covers it"
    );
    let plain = "[secrets.KEY]\nexpose = \"env\"\n[[secrets.KEY.allow]]\nhost = \"api.test\"\nmethods = [\"PUT\"]\npaths = [\"/v1/**\"]\n\
                 [secrets.ID]\nexpose = \"env\"\n[[secrets.ID.allow]]\nhost = \"api.test\"\nmethods = [\"PUT\"]\npaths = [\"/v1/**\"]";
    for operation in
        ["aws PUT https://api.test/v1/a b:hello", "aws PUT https://api.test/v2/a b:hello", "aws PUT https://api.test/v1/a presign:60"]
    {
        let remedy = remedy(AgentFixture::with(plain).value("ID", ID), operation);
        assert!(remedy.contains("add `sigv4 = { access_key_id = \"ID\" }` to the table of the secret access key"), "{operation}: {remedy}");
    }
}
