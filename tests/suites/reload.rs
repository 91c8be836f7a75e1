//! A manifest that is read anew while a run goes on: the run may do what both let it, from its next request or signature on, and gains nothing.

use strongroom::End;
use strongroom_tests::fixtures::wallet::{WalletFixture, coded};
use strongroom_tests::{AgentFixture, VALUE};

const KEY: &str = "[secrets.KEY]\nplaceholder = \"pf_live_{hex:32}\"\nexpose = \"env\"\n";
const GRANT: &str = "[[secrets.KEY.allow]]\nhost = \"api.test\"\nmethods = [\"GET\", \"POST\"]\npaths = [\"/v1/**\"]\n";
const OTHER: &str = "[secrets.OTHER]\nfrom = \"static:KEY\"\n[[secrets.OTHER.allow]]\nhost = \"evil.test\"\npaths = [\"/**\"]\n";
const EGRESS: &str = "[[egress]]\nhost = \"other.test\"\npaths = [\"/**\"]\n";

const KEYED: &str = "send GET https://api.test/v1/keyed h:authorization=Bearer+{KEY}";
const POSTED: &str = "send POST https://api.test/v1/posted h:authorization=Bearer+{KEY} b:x";
const BARE: &str = "send GET https://api.test/v1/bare";
const PLAIN: &str = "send GET https://other.test/plain";

/// Manifests before and after, and of each request whether it still leaves then.
type Row<'r> = (&'r str, String, String, &'r [(&'r str, bool)]);

fn rows() -> Vec<Row<'static>> {
    let with = |lines: &[&str]| [&[KEY], lines].concat().concat();
    let grant = |from: &str, to: &str| {
        let other = GRANT.replace(from, to);
        assert_ne!(other, GRANT);
        other
    };
    let whole = with(&[GRANT, EGRESS]);
    vec![
        ("nothing is another", whole.clone(), format!("# a remark\n\n{whole}"), &[(KEYED, true), (POSTED, true), (PLAIN, true)]),
        ("limits are others", whole.clone(), format!("[limits]\nwall = \"1h\"\n{whole}"), &[(KEYED, true), (POSTED, true), (PLAIN, true)]),
        ("a grant is withdrawn", whole.clone(), with(&[EGRESS]), &[(KEYED, false), (BARE, false), (PLAIN, true)]),
        ("a secret is withdrawn", whole.clone(), EGRESS.to_owned(), &[(KEYED, false), (PLAIN, true)]),
        ("all is withdrawn", whole.clone(), String::new(), &[(KEYED, false), (PLAIN, false)]),
        ("an egress is withdrawn", whole.clone(), with(&[GRANT]), &[(KEYED, true), (PLAIN, false)]),
        (
            "a method is withdrawn",
            whole.clone(),
            with(&[&grant("\"GET\", \"POST\"", "\"GET\""), EGRESS]),
            &[(KEYED, true), (POSTED, false)],
        ),
        ("a path is narrowed", whole.clone(), with(&[&grant("/v1/**", "/v1/keyed"), EGRESS]), &[(KEYED, true), (POSTED, false)]),
        (
            "the place is another",
            whole.clone(),
            with(&[&grant("paths", "place = [\"header:x-key\"]\npaths"), EGRESS]),
            &[(KEYED, false), (PLAIN, true)],
        ),
        ("a host is granted", with(&[GRANT]), whole.clone(), &[(KEYED, true), (PLAIN, false)]),
        ("a method is granted", with(&[&grant("\"GET\", \"POST\"", "\"GET\"")]), with(&[GRANT]), &[(KEYED, true), (POSTED, false)]),
        (
            "some is granted, some withdrawn",
            with(&[&grant("\"GET\", \"POST\"", "\"GET\""), EGRESS]),
            with(&[&grant("\"GET\", \"POST\"", "\"POST\""), EGRESS]),
            &[(KEYED, false), (POSTED, false), (PLAIN, true)],
        ),
        // Secrets are known by their names: one more before it changes nothing.
        ("a secret is granted", whole.clone(), [OTHER, KEY, GRANT, EGRESS].concat(), &[(KEYED, true), (PLAIN, true)]),
        ("a secret is withdrawn that stood before it", [OTHER, KEY, GRANT].concat(), with(&[GRANT]), &[(KEYED, true), (POSTED, true)]),
    ]
}

#[test]
fn a_run_may_do_what_both_manifests_let_it() {
    for (name, before, after, requests) in rows() {
        let operations: Vec<&str> = ["log anew 0"].into_iter().chain(requests.iter().map(|(request, _)| *request)).collect();
        let ran = AgentFixture::with(&before).anew(&after).run(&operations);

        let left = ran.seen.iter().map(|seen| seen.target.as_str()).collect::<Vec<_>>();
        let expected: Vec<&str> = requests
            .iter()
            .filter(|(_, leaves)| *leaves)
            .map(|(request, _)| request.split("test").nth(1).unwrap().split(' ').next().unwrap())
            .collect();
        assert_eq!(left, expected, "{name}: {}", ran.stdout);
        let denied = requests.iter().filter(|(_, leaves)| !leaves).count();
        assert_eq!(ran.denied().len(), denied, "{name}: {:?}", ran.denied());
        // What the values are put into is what the agent's own manifest says.
        for seen in ran.seen.iter().filter(|seen| seen.host.starts_with("api.test")) {
            assert_eq!(seen.header("authorization"), format!("Bearer {VALUE}"), "{name}");
        }
        let versions: Vec<bool> = ran.records("egress").iter().map(|record| record["manifest"].is_string()).collect();
        assert!(versions.iter().all(|named| *named != ["nothing is another", "limits are others"].contains(&name)), "{name}: {versions:?}");
    }
}

#[test]
fn what_was_withdrawn_does_not_come_back() {
    let (whole, bare) = ([KEY, GRANT, EGRESS].concat(), [KEY, EGRESS].concat());
    // One that is as the first was, and one that is like none.
    let wider = format!("{whole}[[egress]]\nhost = \"evil.test\"\npaths = [\"/**\"]\n");
    let fixture = AgentFixture::with(&whole).anew(&bare).anew(&whole).anew(&wider);
    let ran = fixture.run(&[KEYED, "log anew 0", "log anew 1", "log anew 2", KEYED, PLAIN]);

    assert_eq!(ran.seen.iter().map(|seen| seen.target.as_str()).collect::<Vec<_>>(), ["/v1/keyed", "/plain"]);
    assert_eq!(ran.denied(), ["reloaded"]);
    let denial = ran.records("denial")[0];
    assert!(
        denial["reason"].as_str().unwrap().starts_with("the manifest that was read since the run began denies it by rule `destination`: "),
        "{denial}"
    );
}

#[test]
fn the_lower_rate_counts_and_a_denied_request_is_charged_nowhere() {
    let rate = |rate: &str| [KEY, &GRANT.replace("paths", &format!("rate = \"{rate}\"\npaths"))].concat();
    for (before, after, most) in [("100/min", "2/min", 2), ("3/min", "100/min", 3)] {
        let ran = AgentFixture::with(&rate(before)).anew(&rate(after)).run(&["log anew 0", KEYED, POSTED, KEYED, POSTED, KEYED]);
        assert_eq!(ran.seen.len(), most, "{before} {after}");
        assert!(ran.denied().iter().all(|rule| *rule == "rate") && !ran.denied().is_empty(), "{before} {after}: {:?}", ran.denied());
    }
}

#[test]
fn the_stricter_terms_hold() {
    // What looks like a secret in a body is taken out by the one, and denied by the other.
    let leaks = |leaks: &str| [KEY, &GRANT.replace("paths", &format!("leaks = \"{leaks}\"\npaths"))].concat();
    let leaking = "send POST https://api.test/v1/posted h:authorization=Bearer+{KEY} b:AKIAQ3EGRT6NTZ4LM2PK";
    for (before, after) in [("redact", "deny"), ("deny", "redact")] {
        let ran = AgentFixture::with(&leaks(before)).anew(&leaks(after)).run(&["log anew 0", leaking]);
        assert_eq!((ran.seen.len(), ran.denied()), (0, vec!["leak"]), "{before} {after}");
    }
    let ran = AgentFixture::with(&leaks("redact")).anew(&leaks("redact")).run(&["log anew 0", leaking]);
    assert_eq!((ran.seen.len(), ran.denied().len()), (1, 0));
}

#[test]
fn a_state_that_was_withdrawn_is_kept_no_more() {
    let state = |lines: &str| format!("[state]\n{lines}\n");
    for (before, after, keeps) in [
        (state("max_keys = 10"), state("max_keys = 20"), true),
        (state("max_keys = 10"), state("max_keys = 9"), false),
        (state("max_keys = 10"), String::new(), false),
    ] {
        let ran = AgentFixture::with(&before).anew(&after).run(&["log anew 0", "state get nothing"]);
        assert_eq!(ran.denied(), if keeps { Vec::new() } else { vec!["reloaded"] }, "{before} {after}: {}", ran.stdout);
    }
}

#[test]
fn a_run_whose_manifest_is_read_anew_again_and_again_is_ended() {
    let of = |number: usize| [KEY, GRANT, &EGRESS.replace("/**", &format!("/{number}/**"))].concat();
    let times = |count: usize| -> Vec<String> { (0..count).map(|number| format!("log anew {number}")).collect() };
    for (count, is_ended) in [(16, false), (17, true)] {
        let fixture = (0..count).fold(AgentFixture::with(&of(99)), |fixture, number| fixture.anew(&of(number)));
        let operations = times(count);
        let operations: Vec<&str> = operations.iter().map(String::as_str).chain([KEYED]).collect();
        let ran = fixture.try_run(&operations).unwrap();
        assert_eq!(matches!(&ran.outcome.end, End::Stopped(denial) if denial.rule.as_str() == "reloaded"), is_ended, "{count}");
    }
}

#[test]
fn a_body_that_streams_by_a_withdrawn_grant_is_ended() {
    // The server answers piece by piece; the guest reads one, has the manifest read, and asks for more.
    use bytes::Bytes;
    use http_body::Frame;
    use http_body_util::{BodyExt, StreamBody};

    let drips = || {
        let pieces = futures_util::stream::unfold(0, |number| async move {
            tokio::task::yield_now().await;
            Some((Ok::<_, std::convert::Infallible>(Frame::data(Bytes::from(format!("piece {number}\n")))), number + 1))
        });
        http::Response::new(StreamBody::new(pieces).boxed())
    };
    let whole = [KEY, GRANT, EGRESS].concat();
    let fixture = AgentFixture::with(&whole).anew(EGRESS).server(move |_| drips());
    let ran = fixture.run(&["read-then GET https://api.test/v1/x h:authorization=Bearer+{KEY} -- anew 0"]);

    assert!(ran.stdout.starts_with("read-then piece 0") && !ran.stdout.contains("the end"), "{}", ran.stdout);
    assert_eq!(ran.denied(), ["reloaded"]);
    assert_eq!(ran.records("answer")[0]["error"], "its grant was withdrawn");
}

#[test]
fn a_signer_that_is_another_signs_no_more_for_the_run() {
    let lines = "use = \"digest\"";
    let host = "[signing]\nraw = [\"probe-1/wallet\"]";
    let signs = format!("digest {}", coded([0x11; 32]));
    let signed = |after: Option<&str>| {
        let opened = WalletFixture::new(lines).config(host).open();
        let newer = after.map(|after| opened.beside(after).unwrap());
        newer.iter().for_each(|newer| opened.agent.superseded_by(newer));
        opened.sign(&signs)
    };
    let manifest = |lines: &str| format!("name = \"probe-1\"\ncomponent = \"probe.wasm\"\n{lines}\n");

    assert!(signed(None).len() > 64);
    // Where it stands in the file says nothing.
    assert!(signed(Some(&manifest(&format!("# a remark\n\n[signers.wallet]\nfrom = \"static:WALLET\"\n{lines}")))).len() > 64);
    for after in [
        "",
        "[signers.wallet]\nfrom = \"static:WALLET\"\nuse = \"digest\"\nrate = \"5/min\"",
        "[signers.other]\nfrom = \"static:WALLET\"\nuse = \"digest\"",
    ] {
        let told = signed(Some(&manifest(after)));
        assert!(told.contains("denied") && told.contains("has no signer `wallet`, or another one of that name"), "{after}: {told}");
    }
}
