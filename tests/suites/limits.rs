//! A noisy agent hurts only itself: each bound of the manifest, reached.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;
use strongroom::audit::{AuditSink, Event, Record};
use strongroom::{Agent, End, Host, Limit, Manifest, RunOptions};
use strongroom_demo::server::respond;
use strongroom_tests::AgentFixture;

fn ends_with(room: AgentFixture, operations: &[&str], limit: Limit) {
    let ran = room.try_run(operations).unwrap();
    assert_eq!(ran.outcome.end, End::Limit(limit), "{operations:?}: {}{}", ran.stdout, ran.stderr);
    assert_eq!(ran.records("run-end")[0]["outcome"], format!("limit: {}", limit.as_str()));
}

#[test]
fn memory() {
    ends_with(AgentFixture::with("[limits]\nmemory = \"16MiB\""), &["alloc 64"], Limit::Memory);

    let ran = AgentFixture::with("[limits]\nmemory = \"16MiB\"").run(&["alloc 4"]);
    assert!(ran.outcome.usage.memory <= 16 << 20, "{:?}", ran.outcome.usage);
}

#[test]
fn cpu() {
    ends_with(AgentFixture::with("[limits]\ncpu = \"50ms\""), &["spin"], Limit::Cpu);
}

#[test]
fn wall_time_while_spinning_and_while_waiting() {
    ends_with(AgentFixture::with("[limits]\nwall = \"50ms\"\ncpu = \"1h\""), &["spin"], Limit::Wall);
    ends_with(AgentFixture::with("[limits]\nwall = \"50ms\""), &["sleep 3600000"], Limit::Wall);
}

#[test]
fn output_of_every_kind() {
    for flood in ["flood", "flood-log"] {
        let ran = AgentFixture::with("[limits]\noutput = \"64KiB\"").try_run(&[flood]).unwrap();
        assert_eq!(ran.outcome.end, End::Limit(Limit::Output), "{flood}");
        assert!(ran.stdout.len() + ran.log.len() < 256 << 10, "{flood}: {} and {}", ran.stdout.len(), ran.log.len());
    }
}

#[test]
fn fields_without_text_count_too() {
    // The probe logs one field with each record; this many records of nothing pass the limit by their fields alone.
    let operations: Vec<&str> = std::iter::repeat_n("log ", 3_000).collect();

    ends_with(AgentFixture::with("[limits]\noutput = \"64KiB\""), &operations, Limit::Output);
}

#[test]
fn a_single_endless_line_is_bounded_too() {
    let line = format!("print {}", "x".repeat(100_000));

    ends_with(AgentFixture::with("[limits]\noutput = \"64KiB\""), &[&line], Limit::Output);
}

#[test]
fn requests_open_at_once() {
    let ran = AgentFixture::new()
        .and("[limits]\nrequests = 2")
        .run(&["hold 4 GET https://api.test/v1/x h:authorization=Bearer+{KEY}", "send GET https://api.test/v1/x"]);

    let held: Vec<&str> = ran.stdout.lines().collect();
    // Two answers are there and unread; who waits for a place gets that of the one that was left longest.
    assert_eq!(held[..4], ["hold 200"; 4]);
    assert!(held[4].starts_with("send 200"), "room again once the answers are dropped: {held:?}");
    let given_up = |answer: &&serde_json::Value| answer["error"].as_str().is_some_and(|why| why.contains("none of it was read for 5 s"));
    assert_eq!(ran.records("answer").into_iter().filter(given_up).count(), 2, "{:?}", ran.audit);
}

#[test]
fn a_request_beyond_the_limit_waits_its_turn() {
    let ran = AgentFixture::new().and("[limits]\nrequests = 4").run(&["at-once 8 api.test /v1/x"]);
    assert_eq!(ran.stdout.trim(), r#"at-once {"200": 8}"#);

    // As many may wait as may be open. The server answers nothing before the first denial, so that no place becomes free earlier.
    let denials = Denials::default();
    let (seen_by_server, sink) = (denials.clone(), denials.clone());
    let ran = AgentFixture::new()
        .and("[limits]\nrequests = 4")
        .server(move |_| {
            tokio::task::block_in_place(|| seen_by_server.wait());
            respond(200, "text/plain", "")
        })
        .host(move |builder| builder.audit(sink))
        .run(&["at-once 12 api.test /v1/x"]);

    assert!(denials.rules().iter().all(|rule| rule == "requests"), "{:?}", denials.rules());
    let seen = ran.seen.len();
    assert!((8..12).contains(&seen), "{}", ran.stdout);
    assert_eq!(ran.stdout.trim(), format!(r#"at-once {{"200": {seen}, "403": {}}}"#, 12 - seen));
}

/// The rules of a run's denials, and somebody who waits for the first.
#[derive(Clone, Default)]
struct Denials(Arc<(Mutex<Vec<String>>, Condvar)>);

impl Denials {
    fn rules(&self) -> Vec<String> {
        self.0.0.lock().unwrap().clone()
    }

    fn wait(&self) {
        let (rules, first) = &*self.0;
        let (_rules, late) = first.wait_timeout_while(rules.lock().unwrap(), Duration::from_secs(60), |rules| rules.is_empty()).unwrap();
        assert!(!late.timed_out(), "no request was denied");
    }
}

impl AuditSink for Denials {
    fn record(&self, records: &[Record<'_>]) -> std::io::Result<()> {
        for record in records {
            if let Event::Denial { rule, .. } = &record.event {
                self.0.0.lock().unwrap().push(rule.to_string());
                self.0.1.notify_all();
            }
        }
        Ok(())
    }
}

#[test]
fn an_answer_without_a_body_holds_no_place() {
    let room =
        AgentFixture::granted("host = \"api.test\"\nmethods = [\"GET\", \"HEAD\"]\npaths = [\"/v1/**\"]").and("[limits]\nrequests = 2");
    let ran = room.server(|seen| respond(if seen.method == "HEAD" { 200 } else { 204 }, "text/plain", "")).run(&[
        "hold 20 GET https://api.test/v1/x h:authorization=Bearer+{KEY}",
        "hold 20 HEAD https://api.test/v1/x h:authorization=Bearer+{KEY}",
    ]);

    assert_eq!(ran.stdout.matches("hold 204").count() + ran.stdout.matches("hold 200").count(), 40, "{}", ran.stdout);
    assert!(!format!("{:?}", ran.audit).contains("none of it was read"), "none was closed for another");
}

#[test]
fn bytes_sent_and_received() {
    ends_with(AgentFixture::new().and("[limits]\nsent = \"64KiB\""), &["upload 200000 POST https://api.test/v1/x"], Limit::Sent);
    let room = AgentFixture::new().and("[limits]\nreceived = \"64KiB\"").server(|_| respond(200, "text/plain", vec![b'x'; 200_000]));
    ends_with(room, &["download GET https://api.test/v1/x"], Limit::Received);
}

#[test]
fn handles() {
    let ran = AgentFixture::new().run(&["handles KEY", "open KEY"]);

    assert!(ran.stdout.starts_with("handles 1024: too many handles"), "{}", ran.stdout);
    assert_eq!(ran.records("secret-opened").len(), 1, "a guest can't fill the log by opening the same again");
}

#[test]
fn endless_recursion_is_a_trap() {
    let ran = AgentFixture::with("").try_run(&["recurse"]).unwrap();

    assert!(matches!(&ran.outcome.end, End::Trap(why) if why.contains("stack")), "{:?}", ran.outcome.end);
}

#[test]
fn the_clock_ticks_as_the_manifest_says() {
    for (tick, grain) in [("1ms", 1_000_000), ("100ms", 100_000_000)] {
        let ran = AgentFixture::with(&format!("[limits]\nclock = \"{tick}\"")).run(&["clock"]);
        let seen: u64 = ran.stdout.trim().strip_prefix("clock ").unwrap().parse().unwrap();
        assert!(seen >= grain, "{tick}: the clock shows a grain of {seen} ns");
    }
}

#[test]
fn exits_and_traps_are_told_apart() {
    assert_eq!(AgentFixture::with("").try_run(&["exit 0"]).unwrap().outcome.end, End::Exit(0));
    assert_eq!(AgentFixture::with("").try_run(&["exit 3"]).unwrap().outcome.end, End::Exit(1), "Rust reports success or failure only");
    assert!(matches!(AgentFixture::with("").try_run(&["panic no"]).unwrap().outcome.end, End::Trap(_)));
}

#[test]
fn a_spinning_agent_leaves_its_neighbours_their_turn() {
    use strongroom::{Host, Manifest, RunOptions};

    let host = Host::builder().without_audit().without_state().max_agents(4).build().unwrap();
    let component = strongroom_components::bytes("probe");
    let agent = |args: &str| {
        let text = format!("name = \"a\"\ncomponent = \"a.wasm\"\n[run]\nargs = [\"{args}\"]\n[limits]\ncpu = \"1h\"\nwall = \"1h\"");
        host.agent(Manifest::parse("agent.toml", &text).unwrap(), &component).unwrap()
    };
    let (noisy, quiet) = (agent("spin"), agent("print done"));

    // One thread: if the spinning guest did not yield, the quiet one would never run.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let spinning = noisy.run(RunOptions::default());
        let working = async {
            tokio::task::yield_now().await;
            quiet.run(RunOptions::default().stdout(std::io::sink())).await
        };
        tokio::select! {
            ended = spinning => panic!("the noisy agent ended by itself: {ended:?}"),
            done = working => assert_eq!(done.unwrap().end, End::Exit(0)),
        }
    });
}

#[test]
fn one_agent_more_than_the_host_has_room_for_is_told_so_and_there_is_room_again_once_one_has_ended() {
    use strongroom::{Host, Manifest, RunError, RunOptions};

    let host = Host::builder().without_audit().without_state().max_agents(1).build().unwrap();
    let text = "name = \"a\"\ncomponent = \"a.wasm\"\n[run]\nargs = [\"sleep 3600000\"]";
    let agent = host.agent(Manifest::parse("agent.toml", text).unwrap(), &strongroom_components::bytes("probe")).unwrap();

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        tokio::select! {
            biased;
            ended = agent.run(RunOptions::default()) => panic!("the first agent ended: {ended:?}"),
            second = agent.run(RunOptions::default()) => {
                assert!(matches!(second, Err(RunError::Start(_))), "{second:?}");
            }
        }
        // The first was dropped, and its instance with it.
        let text = "name = \"a\"\ncomponent = \"a.wasm\"\n[run]\nargs = [\"print done\"]";
        let next = host.agent(Manifest::parse("agent.toml", text).unwrap(), &strongroom_components::bytes("probe")).unwrap();
        for _ in 0..3 {
            assert_eq!(next.run(RunOptions::default().stdout(std::io::sink())).await.unwrap().end, End::Exit(0));
        }
    });
}

#[test]
fn header_fields_that_a_guest_hoards_are_bounded_together() {
    // What works on some requests at once has room for what they bring, and many may bring little.
    for few in ["hoard-fields 32 60000", "hoard-fields 1500 6000"] {
        assert!(AgentFixture::with("").run(&[few]).stdout.starts_with("hoard-fields "));
    }

    let ran = AgentFixture::with("").try_run(&["hoard-fields 1500 60000"]).unwrap();

    assert!(matches!(&ran.outcome.end, End::Trap(why) if why.contains("size of fields")), "{:?}", ran.outcome.end);
}

#[test]
fn resources_of_whatever_kind_are_bounded_together() {
    let ran = AgentFixture::with("").try_run(&["hoard-fields 3000 0"]).unwrap();

    assert!(matches!(&ran.outcome.end, End::Trap(why) if why.contains("table")), "{:?}", ran.outcome.end);
    assert!(!ran.stdout.contains("hoard-fields"), "{}", ran.stdout);
}

#[test]
fn records_of_the_audit_log() {
    let requests = "repeat 200 GET https://api.test/v1/x h:authorization=Bearer+{KEY}";
    let ran = AgentFixture::new().and("[limits]\nrecords = 50").try_run(&[requests]).unwrap();

    assert_eq!(ran.outcome.end, End::Limit(Limit::Records), "{}", ran.stdout);
    assert!((50..=52).contains(&ran.audit.len()), "{} records, the end among them", ran.audit.len());
    assert_eq!(ran.records("run-end")[0]["outcome"], "limit: records");
    assert_eq!(ran.seen.len(), ran.records("egress").len(), "no record, no request");
}

#[test]
fn what_a_run_has_left_in_its_memory_no_later_one_finds() {
    const LEFT: &str = "what the run before has left behind";
    let counted = Arc::new(Mutex::new((0, 0)));
    let look = Arc::clone(&counted);
    let look = move |memory: &[u8]| {
        let mut counted = look.lock().unwrap();
        counted.0 += memchr::memmem::find_iter(memory, LEFT).count();
        counted.1 += memory.len();
    };
    // All of them in one place, one after the other.
    let host = Host::builder().without_audit().without_state().max_agents(1).inspect_memory(look).build().unwrap();
    let agent = |guest: &str| {
        let manifest = format!("name = \"{guest}\"\ncomponent = \"{guest}.wasm\"\n[limits]\noutput = \"64MiB\"\n");
        host.agent(Manifest::parse("agent.toml", &manifest).unwrap(), &strongroom_components::bytes(guest)).unwrap()
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let run = |agent: &Agent, arguments: Vec<String>| {
        let options = RunOptions::default().args(arguments).stdout(std::io::sink()).stderr(std::io::sink());
        runtime.block_on(agent.run(options)).unwrap();
        std::mem::take(&mut *counted.lock().unwrap())
    };

    let (probe, looper) = (agent("probe"), agent("looper"));
    // In one page, in some, and all over the memory.
    for copies in [1, 1_000, 200_000] {
        let (left, size) = run(&probe, vec![format!("print {}", LEFT.repeat(copies))]);
        assert!(left >= copies && size > copies * LEFT.len(), "{left} {size}");
        for agent in [&probe, &looper] {
            assert_eq!(run(agent, vec!["print nothing".to_owned()]).0, 0, "{copies}");
        }
    }
}
